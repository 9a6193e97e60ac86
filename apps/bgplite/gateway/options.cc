#include <apps/bgplite/config/presets.h>
#include <apps/bgplite/gateway/options.h>
#include <bgp/text.h>

#include <algorithm>
#include <utility>

namespace bgplite {

namespace {

std::string follow_group(const StaticRoute& route) { return "route " + minibgp::to_text(route.prefix); }

}  // namespace

bool needs_fib(const Config& config) {
  return config.fib.enabled || !config.static_routes.empty() ||
         std::any_of(config.networks.begin(), config.networks.end(),
                     [](const Network& network) { return network.when != Network::When::always; });
}

minibgp::SpeakerOptions speaker_options(const Config& config) {
  minibgp::SpeakerOptions options = config.router;
  options.next_hop_tracking =
      config.fib.enabled ? minibgp::NextHopTracking::tracked : minibgp::NextHopTracking::assume_usable;
  return options;
}

minibgp::fib::FibOptions fib_options(const Config& config) {
  using minibgp::fib::FibOptions;
  using minibgp::fib::PreferredSource;
  FibOptions options;
  options.enabled = config.fib.enabled;
  options.table = config.fib.table;
  options.metric = config.fib.metric;
  options.protocol = config.fib.protocol;
  options.preferred_source.address = config.fib.prefsrc_address;
  switch (config.fib.prefsrc) {
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
  options.on_exit = config.on_exit == OnExit::keep ? FibOptions::OnExit::keep : FibOptions::OnExit::remove;
  options.adopt_timeout = config.fib.adopt_timeout;
  options.audit_interval = config.fib.audit_interval;
  options.resolve_via_default = config.fib.resolve_via_default;
  options.allow = config.fib.allow;
  options.next_hop_objects =
      config.fib.next_hop_objects ? FibOptions::NextHopObjects::automatic : FibOptions::NextHopObjects::off;
  return options;
}

minibgp::fib::PeerBinding binding_of(const Config& config, const minibgp::PeerOptions& options) {
  // A peer with a TTL of 1 is on the link of its interface.
  return {options.address, options.device, !is_internal(config, options) && options.ttl <= 1};
}

ReturnPathOptions return_path_options(const Config& config, const PeerConfig& peer) {
  ReturnPathOptions options;
  options.remote_as = peer.options.remote_as;
  options.families = peer.options.families;
  options.longest_bits = {peer.return_path.longest_bits, peer.return_path.longest_ipv6_bits};
  options.prefixes_max = peer.options.export_limit.max;
  const auto tunnel = config.tunnels.find(peer.options.tunnel);
  const std::uint32_t cloud = tunnel == config.tunnels.end() ? 0 : facts_of(tunnel->second.cloud).prefixes_max;
  // The limit of the cloud's side holds as well as ours.
  if (cloud != 0) options.prefixes_max = std::min(options.prefixes_max, cloud);
  return options;
}

std::string interface_of(const Config& config, const std::string& tunnel) {
  const auto found = config.tunnels.find(tunnel);
  if (found == config.tunnels.end()) return {};
  const auto& options = found->second.options;
  return options.interface.empty() ? options.name : options.interface;
}

effect::SetTunnels tunnel_setup(const Config& config) {
  effect::SetTunnels setup;
  for (const auto& [name, tunnel] : config.tunnels) {
    minibgp::xfrm::TunnelOptions& options = setup.tunnels.emplace_back(tunnel.options);
    // Addresses that must be reachable through the tunnel: a peer that narrows the selectors below them makes it
    // useless.
    if (const auto peer = config.peers.find(tunnel.peer); peer != config.peers.end())
      options.carries.push_back(peer->second.options.address);
    if (tunnel.probe_enabled && tunnel.probe.target.is_set()) options.carries.push_back(tunnel.probe.target);
  }
  for (const StaticRoute& route : config.static_routes) {
    if (route.follow == StaticRoute::Follow::nothing) continue;
    minibgp::xfrm::FollowGroup group{follow_group(route), {}};
    for (const StaticVia& via : route.via) group.tunnels.push_back(via.tunnel);
    setup.follow.push_back(std::move(group));
  }
  return setup;
}

std::vector<minibgp::fib::StaticRoute> static_routes(const Config& config, const Followed& followed_now) {
  std::vector<minibgp::fib::StaticRoute> routes;
  for (const StaticRoute& route : config.static_routes) {
    minibgp::fib::StaticRoute made{route.prefix, {}};
    const bool follows = route.follow == StaticRoute::Follow::inbound;
    const std::string followed = follows ? followed_now(follow_group(route)) : std::string{};
    for (const StaticVia& via : route.via) {
      // Of a route that follows only the tunnel in use is a next hop; with none the route is left out.
      if (follows && via.tunnel != followed) continue;
      made.via.push_back(
          {via.tunnel.empty() ? via.device : interface_of(config, via.tunnel), via.gateway, via.metric, via.weight});
    }
    if (!made.via.empty()) routes.push_back(std::move(made));
  }
  return routes;
}

minibgp::fib::NetworkWatch watch_of(Network::When when) {
  using minibgp::fib::NetworkWatch;
  return when == Network::When::if_route ? NetworkWatch::exact_route : NetworkWatch::reachable;
}

minibgp::PathAttributes attributes_of(const Network& network) {
  minibgp::PathAttributes attributes;
  attributes.med = network.med;
  attributes.communities = network.communities;
  attributes.large_communities = network.large_communities;
  return attributes;
}

}  // namespace bgplite
