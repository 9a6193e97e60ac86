/// The part of Gateway that says what the configuration means to the speaker, the fib and the tunnels.
#include <apps/bgplite/config/presets.h>
#include <apps/bgplite/gateway/gateway.h>
#include <bgp/text.h>

#include <algorithm>
#include <utility>

namespace bgplite {

using minibgp::LogArea;
using minibgp::LogLevel;

namespace {

std::string follow_group(const StaticRoute& route) { return "route " + minibgp::to_text(route.prefix); }

}  // namespace

bool Gateway::needs_fib() const {
  return config_.fib.enabled || !config_.static_routes.empty() ||
         std::any_of(config_.networks.begin(), config_.networks.end(),
                     [](const Network& network) { return network.when != Network::When::always; });
}

minibgp::SpeakerOptions Gateway::speaker_options() const {
  minibgp::SpeakerOptions options = config_.router;
  options.seed = seed_;
  options.forwarding_preserved = restarted_;
  options.next_hop_tracking =
      config_.fib.enabled ? minibgp::NextHopTracking::tracked : minibgp::NextHopTracking::assume_usable;
  return options;
}

minibgp::fib::FibOptions Gateway::fib_options() const {
  using minibgp::fib::FibOptions;
  using minibgp::fib::PreferredSource;
  FibOptions options;
  options.enabled = config_.fib.enabled;
  options.table = config_.fib.table;
  options.metric = config_.fib.metric;
  options.protocol = config_.fib.protocol;
  options.preferred_source.address = config_.fib.prefsrc_address;
  switch (config_.fib.prefsrc) {
    case FibConfig::Prefsrc::automatic:
      options.preferred_source.mode = PreferredSource::Mode::automatic;
      break;
    case FibConfig::Prefsrc::none:
      options.preferred_source.mode = PreferredSource::Mode::none;
      break;
    case FibConfig::Prefsrc::address:
      options.preferred_source.mode = PreferredSource::Mode::address;
      break;
  }
  options.on_exit = config_.on_exit == OnExit::keep ? FibOptions::OnExit::keep : FibOptions::OnExit::remove;
  options.adopt_timeout = config_.fib.adopt_timeout;
  options.audit_interval = config_.fib.audit_interval;
  options.resolve_via_default = config_.fib.resolve_via_default;
  options.allow = config_.fib.allow;
  options.next_hop_objects =
      config_.fib.next_hop_objects ? FibOptions::NextHopObjects::automatic : FibOptions::NextHopObjects::off;
  return options;
}

minibgp::PeerOptions Gateway::options_of(const std::string& key, const PeerConfig& peer) {
  minibgp::PeerOptions options = options_in_force(config_, peer);
  options.audience = audience_of(key, peer);
  drainer_.apply(key, options);
  // The key was read with the configuration, which has said why it could not be.
  if (!peer.md5_file.empty() && options.md5_key.empty())
    log(LogLevel::error, LogArea::config,
        "peer " + key + ": without the key of " + peer.md5_file + " the peer stays disabled");
  return options;
}

minibgp::fib::PeerBinding Gateway::binding_of(const minibgp::PeerOptions& options) const {
  const bool external = options.remote_as != config_.router.asn;
  return {options.address, options.device, external && options.ttl <= 1};
}

std::uint64_t Gateway::audience_of(const std::string& key, const PeerConfig& peer) {
  if (!peer.return_path.more_specifics) {
    return_path_.remove_peer(key);
    return 0;
  }
  ReturnPathOptions options;
  options.remote_as = peer.options.remote_as;
  options.families = peer.options.families;
  options.longest_bits = {peer.return_path.longest_bits, peer.return_path.longest_ipv6_bits};
  options.prefixes_max = peer.options.export_limit.max;
  const auto tunnel = config_.tunnels.find(peer.options.tunnel);
  const std::uint32_t cloud = tunnel == config_.tunnels.end() ? 0 : facts_of(tunnel->second.cloud).prefixes_max;
  if (cloud != 0) options.prefixes_max = std::min(options.prefixes_max, cloud);
  return return_path_.set_peer(key, options);
}

std::string Gateway::interface_of(const std::string& tunnel) const {
  const auto found = config_.tunnels.find(tunnel);
  if (found == config_.tunnels.end()) return {};
  const auto& options = found->second.options;
  return options.interface.empty() ? options.name : options.interface;
}

effect::SetTunnels Gateway::tunnel_setup() const {
  effect::SetTunnels setup;
  for (const auto& [name, tunnel] : config_.tunnels) {
    minibgp::xfrm::TunnelOptions& options = setup.tunnels.emplace_back(tunnel.options);
    if (const auto peer = config_.peers.find(tunnel.peer); peer != config_.peers.end())
      options.carries.push_back(peer->second.options.address);
    if (tunnel.probe_enabled && tunnel.probe.target.is_set()) options.carries.push_back(tunnel.probe.target);
  }
  for (const StaticRoute& route : config_.static_routes) {
    if (route.follow == StaticRoute::Follow::nothing) continue;
    minibgp::xfrm::FollowGroup group{follow_group(route), {}};
    for (const StaticVia& via : route.via) group.tunnels.push_back(via.tunnel);
    setup.follow.push_back(std::move(group));
  }
  return setup;
}

void Gateway::set_static_routes() {
  std::vector<minibgp::fib::StaticRoute> routes;
  for (const StaticRoute& route : config_.static_routes) {
    minibgp::fib::StaticRoute made{route.prefix, {}};
    const bool follows = route.follow == StaticRoute::Follow::inbound;
    const std::string followed = follows ? view_.followed(follow_group(route)) : std::string{};
    for (const StaticVia& via : route.via) {
      if (follows && via.tunnel != followed) continue;
      made.via.push_back(
          {via.tunnel.empty() ? via.device : interface_of(via.tunnel), via.gateway, via.metric, via.weight});
    }
    if (!made.via.empty()) routes.push_back(std::move(made));
  }
  emit(effect::SetStaticRoutes{std::move(routes)});
}

}  // namespace bgplite
