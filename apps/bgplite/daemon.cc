/// Daemon: start and stop, peers, own networks, tunnels, and the news between speaker, fib and tunnels. Its other parts
/// are options.cc, apply.cc and maintenance.cc.
#include <apps/bgplite/daemon.h>
#include <bgp/text.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <random>
#include <utility>

namespace bgplite {
namespace {

using minibgp::LogArea;
using minibgp::PeerId;
using minibgp::PeerState;
using minibgp::Prefix;
using minibgp::fib::Fib;
using minibgp::fib::NetworkWatch;
using minibgp::xfrm::Tunnels;

std::string directory_of(const std::string& path) { return path.substr(0, path.rfind('/') + 1); }

std::string identity(const Config& config) {
  return "AS " + to_text(config.router.asn) + " table " + std::to_string(config.fib.table) + " protocol " +
         std::to_string(config.fib.protocol);
}

NetworkWatch watch_of(Network::When when) {
  return when == Network::When::if_route ? NetworkWatch::exact_route : NetworkWatch::reachable;
}

minibgp::PathAttributes attributes_of(const Network& network) {
  minibgp::PathAttributes attributes;
  attributes.med = network.med;
  attributes.communities = network.communities;
  attributes.large_communities = network.large_communities;
  return attributes;
}

bool needs_fib(const Config& config) {
  return config.fib.enabled || !config.static_routes.empty() ||
         std::any_of(config.networks.begin(), config.networks.end(),
                     [](const Network& network) { return network.when != Network::When::always; });
}

std::string plural(std::size_t count, const char* noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

}  // namespace

Daemon::Daemon(boost::asio::io_context& io, Logging& log, Config config)
    : io_(io),
      log_(log),
      config_(std::move(config)),
      marker_(directory_of(config_.control.socket) + "forwarding", identity(config_)),
      owned_tables_(config_.state_dir),
      seed_(std::random_device{}()),
      started_(std::chrono::steady_clock::now()),
      probes_(io, log, seed_,
              [this](std::string_view tunnel, Probes::Result result) {
                if (tunnels_ && !stopping_) tunnels_->feed_probe(tunnel, result);
              }),
      arriving_timer_(io),
      return_path_timer_(io),
      farewell_timer_(io),
      resume_timer_(io),
      drains_timer_(io),
      drill_timer_(io) {}

Daemon::~Daemon() = default;

std::chrono::seconds Daemon::uptime() const {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - started_);
}

// --- Start and stop ------------------------------------------------------------------------------------------------

minibgp::Result<void, std::string> Daemon::start() {
  restarted_ = config_.fib.enabled && marker_.found();
  speaker_ = std::make_unique<minibgp::Speaker>(io_, speaker_options(), static_cast<minibgp::Observer&>(*this), &log_);
  if (auto opened = open_listeners(); !opened) return opened;
  if (auto opened = open_fib(); !opened) return opened;
  if (auto opened = open_tunnels(); !opened) return opened;
  if (config_.fib.enabled && !marker_.set())
    log_.warning(LogArea::config, std::string{"cannot remember that routes are in the kernel: "} +
                                      std::strerror(errno) + ": the next start is not a graceful restart");
  for (const Network& network : config_.networks) add_network(network);
  for (const auto& [prefix, attributes] : config_.saved.announcements) announce(prefix, attributes);
  set_own_networks();
  set_static_routes();
  for (const auto& [key, peer] : config_.peers) add_peer(key, peer);
  log_.info(LogArea::config, "AS " + to_text(config_.router.asn) + ", router id " + to_text(config_.router.router_id) +
                                 ": " + plural(config_.peers.size(), "peer") + ", " +
                                 plural(config_.tunnels.size(), "tunnel") + ", " +
                                 plural(config_.networks.size(), "network") +
                                 (restarted_ ? "; restarted, forwarding was preserved" : ""));
  return {};
}

minibgp::Result<void, std::string> Daemon::open_listeners() {
  minibgp::ListenOptions options;
  options.enabled = config_.listen.enabled;
  options.port = config_.listen.port;
  if (!options.enabled) return {};
  std::vector<minibgp::IpAddress> addresses = config_.listen.addresses;
  if (addresses.empty()) addresses.emplace_back();
  for (const minibgp::IpAddress& address : addresses) {
    options.address = address;
    const auto listening = speaker_->listen(options);
    if (listening) continue;
    std::string text = "cannot listen on " + (address.is_set() ? to_text(address) + " " : std::string{}) + "port " +
                       std::to_string(options.port) + ": " + listening.error().message();
    if (listening.error() == std::errc::permission_denied) text += " (needs CAP_NET_BIND_SERVICE)";
    if (listening.error() == std::errc::address_in_use)
      text += " (another BGP daemon runs here: ss -ltnp sport = :179)";
    return minibgp::unexpected(std::move(text));
  }
  return {};
}

minibgp::Result<void, std::string> Daemon::open_fib() {
  const OwnedTables::Memory& memory = owned_tables_.load();
  if (memory.damaged)
    log_.warning(LogArea::fib,
                 owned_tables_.path() + " is damaged: routes of an earlier run in other tables may stay in the kernel");
  if (!needs_fib(config_) && memory.tables.empty()) return {};
  minibgp::fib::FibOptions options = fib_options();
  options.former = memory.tables;
  fib_ = std::make_unique<Fib>(io_, options, static_cast<minibgp::fib::FibObserver&>(*this), &log_);
  const auto started = fib_->start();
  if (started) return {};
  if (started.error() == std::errc::address_in_use)
    return minibgp::unexpected("cannot keep routes in table " + std::to_string(options.table) + " with protocol " +
                               std::to_string(options.protocol) + ": " + started.error().message() +
                               ": end that one, or give one of the two another fib.table or fib.protocol");
  return minibgp::unexpected("cannot open the kernel's routing socket: " + started.error().message());
}

void Daemon::on_owned_changed(std::span<const minibgp::fib::OwnedTable> tables) {
  if (owned_tables_.store(tables)) return;
  log_.warning(LogArea::fib, "cannot write " + owned_tables_.path() + ": " + std::strerror(errno) +
                                 ": a later start with another fib.table or fib.protocol would leave these routes");
}

/// Two instances would unload each other's connections.
minibgp::Result<void, std::string> Daemon::own_charon() {
  const bool ours = std::any_of(config_.tunnels.begin(), config_.tunnels.end(),
                                [](const auto& tunnel) { return tunnel.second.options.ike.has_value(); }) ||
                    !owned_tables_.if_ids().empty();
  if (!ours || charon_lock_) return {};
  std::error_code ignored;
  const auto path = std::filesystem::weakly_canonical(config_.ipsec.vici_socket, ignored).string();
  // A name is short; the end of a long path tells more than its beginning.
  constexpr std::size_t kPathMax = 80;
  const std::string end = path.size() > kPathMax ? path.substr(path.size() - kPathMax) : path;
  auto taken = minibgp::netlink::OwnerLock::take(io_, "minibgp/charon/" + end);
  if (taken) {
    charon_lock_ = std::move(*taken);
    return {};
  }
  if (taken.error() != std::errc::address_in_use)
    return minibgp::unexpected("cannot lock charon's connections: " + taken.error().message());
  return minibgp::unexpected("cannot hand connections to charon at " + path + ": " + taken.error().message() +
                             ": end that one, or leave 'ike' out of the tunnels of one of the two");
}

minibgp::Result<void, std::string> Daemon::open_tunnels() {
  const bool none = config_.tunnels.empty();
  if (none && owned_tables_.if_ids().empty()) return {};
  // Where no tunnel is left, what is left of them is removed, unless it is another instance's by now.
  if (auto owned = own_charon(); !owned) return none ? minibgp::Result<void, std::string>{} : owned;
  minibgp::xfrm::TunnelsOptions options = config_.ipsec;
  options.on_exit = config_.on_exit == OnExit::keep ? minibgp::xfrm::TunnelsOptions::OnExit::keep
                                                    : minibgp::xfrm::TunnelsOptions::OnExit::remove;
  options.former_if_ids = owned_tables_.if_ids();
  tunnels_ = std::make_unique<Tunnels>(io_, options, static_cast<minibgp::xfrm::TunnelObserver&>(*this), &log_);
  set_tunnels();
  if (const auto started = tunnels_->start(); !started)
    return minibgp::unexpected("cannot open the kernel's IPsec socket: " + started.error().message());
  return {};
}

void Daemon::stop(std::function<void()> done) {
  if (std::exchange(stopping_, true)) return;
  remember_tunnels();
  end_drill(DrillReport::End::asked);
  for (boost::asio::steady_timer* timer :
       {&arriving_timer_, &return_path_timer_, &farewell_timer_, &resume_timer_, &drains_timer_})
    timer->cancel();
  const bool keep = config_.on_exit == OnExit::keep;
  std::string without;
  for (const minibgp::PeerStatus& peer : speaker_->engine().peers())
    if (peer.state == PeerState::established && !peer.graceful_restart) without += " " + name_of(peer.id);
  if (keep && !without.empty())
    log_.info(LogArea::session, "stopping: without graceful restart, so told to withdraw our routes:" + without);
  speaker_->stop(keep ? minibgp::Engine::Stop::keep : minibgp::Engine::Stop::cease, keep ? "restart" : "shutdown",
                 [this, keep, done = std::move(done)] {
                   if (!keep) marker_.clear();
                   const auto end_tunnels = [this, done] { tunnels_ ? tunnels_->stop(done) : done(); };
                   fib_ ? fib_->stop(end_tunnels) : end_tunnels();
                 });
}

// --- Peers ---------------------------------------------------------------------------------------------------------

std::string Daemon::interface_of(const std::string& tunnel) const {
  const auto found = config_.tunnels.find(tunnel);
  if (found == config_.tunnels.end()) return {};
  const auto& options = found->second.options;
  return options.interface.empty() ? options.name : options.interface;
}

void Daemon::add_peer(const std::string& key, const PeerConfig& peer) {
  const minibgp::PeerOptions options = options_of(key, peer);
  // Its tunnel is down: added disabled, so that it does not dial before the speaker knows.
  const bool wait = !options.tunnel.empty() && tunnels_ && !tunnel_usable(options.tunnel) && options.enabled;
  minibgp::PeerOptions first = options;
  if (wait) first.enabled = false;
  const auto added = speaker_->add_peer(first);
  if (!added)
    return log_.error(LogArea::config, "peer " + key + " is left out: " + std::string{minibgp::to_text(added.error())});
  ids_[key] = *added;
  keys_[*added] = key;
  if (fib_) {
    const bool external = options.remote_as != config_.router.asn;
    fib_->set_peer(*added, {options.address, options.device, external && options.ttl <= 1});
    fib_->set_peer_usable(*added, false);
  }
  if (!wait) return;
  speaker_->set_transport_usable(*added, false);
  static_cast<void>(speaker_->update_peer(*added, options));  // Enabled now; the rest was taken above.
}

void Daemon::update_peer(const std::string& key, const PeerConfig& peer) {
  const auto found = ids_.find(key);
  if (found == ids_.end()) return add_peer(key, peer);
  const minibgp::PeerOptions options = options_of(key, peer);
  if (const auto updated = speaker_->update_peer(found->second, options); !updated)
    return log_.error(LogArea::config,
                      "peer " + key + " keeps its options: " + std::string{minibgp::to_text(updated.error())});
  if (fib_) {
    const bool external = options.remote_as != config_.router.asn;
    fib_->set_peer(found->second, {options.address, options.device, external && options.ttl <= 1});
  }
  note_session(found->second);
  update_return_path();
}

void Daemon::remove_peer(const std::string& key) {
  const auto found = ids_.find(key);
  if (found == ids_.end()) return;
  const PeerId id = found->second;
  ids_.erase(found);
  speaker_->remove_peer(id);
  if (fib_) fib_->remove_peer(id);
  arriving_.erase(id);
  keys_.erase(id);
  return_path_.remove_peer(key);
  drains_.end(key);
  update_return_path();
}

std::optional<PeerId> Daemon::find_peer(std::string_view name) const {
  if (const auto found = ids_.find(std::string{name}); found != ids_.end()) return found->second;
  for (const auto& [key, id] : ids_) {
    const PeerConfig& peer = config_.peers.at(key);
    if (peer.options.name == name || (!peer.options.tunnel.empty() && peer.options.tunnel == name)) return id;
  }
  // Another spelling of the same IPv6 address.
  const auto address = minibgp::parse_address(name);
  if (!address) return std::nullopt;
  const auto found = ids_.find(to_text(*address));
  return found == ids_.end() ? std::nullopt : std::optional{found->second};
}

const std::string* Daemon::peer_key(PeerId peer) const {
  const auto key = keys_.find(peer);
  return key == keys_.end() ? nullptr : &key->second;
}

const PeerConfig* Daemon::peer_config(PeerId peer) const {
  const std::string* key = peer_key(peer);
  if (key == nullptr) return nullptr;
  const auto found = config_.peers.find(*key);
  return found == config_.peers.end() ? nullptr : &found->second;
}

std::string Daemon::name_of(PeerId peer) const {
  const auto key = keys_.find(peer);
  return key == keys_.end() ? std::string{"?"} : key->second;
}

void Daemon::set_peer_enabled(PeerId peer, bool enabled, std::string_view reason) {
  if (!enabled) return speaker_->disable_peer(peer, reason);
  undo_drain(peer);
  if (const std::string* const key = peer_key(peer)) use_new_key(*key);
  speaker_->enable_peer(peer);
}

void Daemon::reset_peer(PeerId peer, std::string_view reason) {
  const std::string* const key = peer_key(peer);
  if (key != nullptr && use_new_key(*key)) return;  // That reset it.
  speaker_->reset_peer(peer, reason);
}

// --- Own networks --------------------------------------------------------------------------------------------------

void Daemon::add_network(const Network& network) {
  if (network.when == Network::When::always) return speaker_->announce(network.prefix, attributes_of(network));
  if (fib_) fib_->watch_network(network.prefix, watch_of(network.when));
}

void Daemon::remove_network(const Network& network) {
  if (network.when != Network::When::always && fib_) fib_->unwatch_network(network.prefix, watch_of(network.when));
  if (runtime_.count(network.prefix) == 0) speaker_->withdraw(network.prefix);
}

void Daemon::on_network_changed(const Prefix& prefix, NetworkWatch watch, bool present) {
  const auto network = std::find_if(config_.networks.begin(), config_.networks.end(), [&](const Network& one) {
    return one.prefix == prefix && one.when != Network::When::always && watch_of(one.when) == watch;
  });
  if (network == config_.networks.end() || stopping_) return;
  present ? speaker_->announce(prefix, attributes_of(*network)) : speaker_->withdraw(prefix);
  log_.info(LogArea::rib,
            "network " + to_text(prefix) + ": " +
                (present ? "announced: the kernel has a route to it" : "withdrawn: no route to it any more"));
  update_return_path();
}

void Daemon::announce(const Prefix& prefix, const minibgp::PathAttributes& attributes) {
  runtime_[prefix] = attributes;
  speaker_->announce(prefix, attributes);
  set_own_networks();
  update_return_path();
}

bool Daemon::withdraw(const Prefix& prefix) {
  if (runtime_.erase(prefix) == 0) return false;
  speaker_->withdraw(prefix);
  for (const Network& network : config_.networks)
    if (network.prefix == prefix) add_network(network);
  set_own_networks();
  update_return_path();
  return true;
}

void Daemon::set_own_networks() {
  if (!fib_) return;
  std::vector<Prefix> own;
  for (const Network& network : config_.networks) own.push_back(network.prefix);
  for (const auto& [prefix, attributes] : runtime_) own.push_back(prefix);
  fib_->set_own_networks(own);
}

// --- Tunnels and static routes -------------------------------------------------------------------------------------

namespace {

std::string follow_group(const StaticRoute& route) { return "route " + minibgp::to_text(route.prefix); }

}  // namespace

void Daemon::set_tunnels() {
  if (!tunnels_) return;
  if (const auto owned = own_charon(); !owned)
    return log_.error(LogArea::tunnel, owned.error() + ": tunnels stay as they were");
  std::vector<minibgp::xfrm::TunnelOptions> tunnels;
  for (const auto& [name, tunnel] : config_.tunnels) {
    minibgp::xfrm::TunnelOptions& options = tunnels.emplace_back(tunnel.options);
    if (const auto peer = config_.peers.find(tunnel.peer); peer != config_.peers.end())
      options.carries.push_back(peer->second.options.address);
    if (tunnel.probe_enabled && tunnel.probe.target.is_set()) options.carries.push_back(tunnel.probe.target);
  }
  std::vector<minibgp::xfrm::FollowGroup> follow;
  for (const StaticRoute& route : config_.static_routes) {
    if (route.follow == StaticRoute::Follow::nothing) continue;
    minibgp::xfrm::FollowGroup group{follow_group(route), {}};
    for (const StaticVia& via : route.via) group.tunnels.push_back(via.tunnel);
    follow.push_back(std::move(group));
  }
  tunnels_->set_tunnels(tunnels, follow);
  remember_tunnels();
  probes_.set(config_, *tunnels_);
  guard_underlay();
}

void Daemon::remember_tunnels() {
  if (!tunnels_ || owned_tables_.store_if_ids(tunnels_->owned_if_ids())) return;
  log_.warning(LogArea::tunnel, "cannot write " + owned_tables_.path() + ": " + std::strerror(errno) +
                                    ": a later start without one of these tunnels would leave its SAs");
}

/// No route of ours, and no policy unasked, may take over the path of the tunnels' own packets.
void Daemon::guard_underlay() {
  const std::vector<minibgp::IpAddress> endpoints = tunnels_->underlay_endpoints();
  if (fib_) fib_->set_underlay_endpoints(endpoints);
  speaker_->set_protected_addresses(endpoints);
}

void Daemon::set_static_routes() {
  if (!fib_) return;
  std::vector<minibgp::fib::StaticRoute> routes;
  for (const StaticRoute& route : config_.static_routes) {
    minibgp::fib::StaticRoute made{route.prefix, {}};
    const bool follows = route.follow == StaticRoute::Follow::inbound;
    const std::string followed = follows && tunnels_ ? tunnels_->followed(follow_group(route)) : std::string{};
    for (const StaticVia& via : route.via) {
      if (follows && via.tunnel != followed) continue;
      made.via.push_back(
          {via.tunnel.empty() ? via.device : interface_of(via.tunnel), via.gateway, via.metric, via.weight});
    }
    if (!made.via.empty()) routes.push_back(std::move(made));
  }
  fib_->set_static_routes(routes);
}

void Daemon::on_tunnel_changed(const minibgp::xfrm::TunnelChange& change) {
  const std::string tunnel{change.tunnel};
  const bool usable = minibgp::xfrm::usable(change.state);
  if (drill_ && drill_->drill.failing() && drill_->tunnel == tunnel && !usable) end_drill(DrillReport::End::failed);
  carry(tunnel, tunnel_usable(tunnel), minibgp::xfrm::to_text(change.reason));
  // The other hints are also what a healthy tunnel shows that is used in one direction: its share would come and go.
  if (fib_)
    if (const std::string interface = interface_of(tunnel); !interface.empty())
      fib_->set_interface_suspect(interface, change.reason == minibgp::xfrm::Reason::retransmitting);
  if (!usable && minibgp::xfrm::usable(change.previous)) note_failover(tunnel, change.reason);
  probes_.on_tunnel_changed(tunnel, change.state, change.reason);
  event("tunnel", {{"tunnel", tunnel},
                   {"state", std::string{minibgp::xfrm::to_text(change.state)}},
                   {"previous", std::string{minibgp::xfrm::to_text(change.previous)}},
                   {"reason", std::string{minibgp::xfrm::to_text(change.reason)}}});
}

/// A tunnel begins or ceases to carry traffic, for whatever reason.
void Daemon::carry(const std::string& tunnel, bool usable, std::string_view reason) {
  const auto began = std::chrono::steady_clock::now();
  // Traffic first: the kernel's next-hop groups have lost the interface when this returns.
  if (fib_) {
    if (const std::string interface = interface_of(tunnel); !interface.empty())
      fib_->set_interface_usable(interface, usable, reason);
  }
  moved_in_ = std::chrono::steady_clock::now() - began;
  guard_underlay();
  const bool rehearsed = drill_ && drill_->drill.failing() && drill_->tunnel == tunnel;
  for (const auto& [key, id] : ids_) {
    const auto peer = config_.peers.find(key);
    if (peer == config_.peers.end() || peer->second.options.tunnel != tunnel) continue;
    speaker_->set_transport_usable(id, usable);
    note_reachable(key, usable);
    if (!usable && !rehearsed && peer->second.on_tunnel_down == PeerConfig::OnTunnelDown::close)
      speaker_->reset_peer(id, "tunnel is down");
  }
  update_return_path();
}

void Daemon::note_failover(const std::string& tunnel, minibgp::xfrm::Reason reason) {
  Failover failover{std::chrono::system_clock::now(), tunnel, reason, moved_in_, std::nullopt};
  if (reason == minibgp::xfrm::Reason::probe_lost)
    if (const auto* probe = probes_.find(tunnel); probe != nullptr && probe->probe().last_answer())
      failover.silent = tunnels_->now() - *probe->probe().last_answer();
  failovers_.add(std::move(failover));
}

void Daemon::on_follow_changed(const minibgp::xfrm::FollowChange& change) {
  log_.info(LogArea::tunnel, std::string{change.group} + ": " +
                                 (change.tunnel.empty() ? std::string{"no tunnel is usable"}
                                                        : "now through tunnel " + std::string{change.tunnel}) +
                                 ": " + std::string{change.why});
  if (!change.previous.empty()) ++follow_moves_[std::string{change.group}];
  set_static_routes();
}

// --- News from the speaker and the kernel --------------------------------------------------------------------------

void Daemon::on_peer_changed(const minibgp::PeerChanged& change) {
  if (fib_ && !stopping_) {
    const auto status = speaker_->engine().peer(change.peer);
    if (change.to == PeerState::established) {
      if (status && tells_its_end_beside_others(*status)) {
        arriving_[change.peer] = speaker_->now() + kArrivalMax;
        arm_arrivals();
      } else {
        fib_->set_peer_usable(change.peer, true);
      }
    } else if (change.from == PeerState::established) {
      arriving_.erase(change.peer);
      // Stale: a graceful restart of the peer keeps its routes, and traffic keeps flowing through it.
      if (!status || !status->stale) fib_->set_peer_usable(change.peer, false);
    }
  }
  const bool session = change.from == PeerState::established || change.to == PeerState::established;
  if (!session) return;
  note_session(change.peer);
  update_return_path();
  event("peer", {{"peer", name_of(change.peer)},
                 {"state", std::string{minibgp::to_text(change.to)}},
                 {"previous", std::string{minibgp::to_text(change.from)}},
                 {"reason", std::string{minibgp::to_text(change.reason)}}});
}

void Daemon::on_best_changed(std::span<const minibgp::BestChange> changes) {
  // While stopping with on_exit: keep, sessions end but forwarding goes on; with remove, the FIB takes all out itself.
  if (stopping_) return;
  if (fib_ && config_.fib.enabled) fib_->on_best_changed(changes);
  if (on_event)
    for (const minibgp::BestChange& change : changes)
      event("route", {{"prefix", to_text(change.prefix)}, {"paths", std::to_string(change.paths.size())}});
}

void Daemon::on_next_hop_interest(const minibgp::NextHopInterest& interest) {
  if (!fib_) return;
  interest.wanted ? fib_->watch_next_hop(interest.peer, interest.next_hop)
                  : fib_->unwatch_next_hop(interest.peer, interest.next_hop);
}

void Daemon::on_end_of_rib(const minibgp::EndOfRib& end) {
  const auto status = speaker_->engine().peer(end.peer);
  if (!status || arriving_.count(end.peer) == 0) return;
  for (std::size_t family = 0; family < minibgp::kFamilies; ++family)
    if (status->families[family] && !status->end_of_rib_received[family]) return;
  use_peer(end.peer);
}

void Daemon::on_restart_complete() {
  restart_complete_ = true;
  if (fib_) fib_->finish_adoption();
}

void Daemon::on_next_hops_changed(std::span<const minibgp::fib::NextHopState> states) {
  for (const minibgp::fib::NextHopState& state : states) {
    speaker_->set_next_hop(state.peer, state.next_hop, state.usable, state.cost);
    event("next-hop", {{"peer", name_of(state.peer)},
                       {"next_hop", to_text(state.next_hop)},
                       {"usable", state.usable ? "true" : "false"},
                       {"reason", std::string{minibgp::fib::to_text(state.reason)}}});
    const PeerConfig* config = peer_config(state.peer);
    if (config == nullptr || config->options.address != state.next_hop) continue;
    // Other reasons say that the peer's session ended, or nothing about the way to it.
    using Reason = minibgp::fib::NextHopReason;
    const bool lost = state.reason == Reason::no_route || state.reason == Reason::interface_missing ||
                      state.reason == Reason::interface_down || state.reason == Reason::tunnel_down;
    if (state.usable || lost) note_reachable(keys_.at(state.peer), state.usable);
  }
  update_return_path();
}

void Daemon::on_fib_failed(std::error_code error) {
  log_.error(LogArea::fib, "the kernel's routing socket failed: " + error.message() + ": routes are not kept any more");
}

void Daemon::event(std::string_view kind, std::initializer_list<Fact> facts) const {
  if (on_event) on_event(kind, facts);
}

}  // namespace bgplite
