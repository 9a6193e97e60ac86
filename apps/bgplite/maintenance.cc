/// The part of Daemon that deals with ways that are lost, given up on purpose, or rehearsed to be lost: what is
/// announced for the return traffic, who is told before a tunnel goes, drains and drills.
#include <apps/bgplite/config/presets.h>
#include <apps/bgplite/daemon.h>
#include <bgp/text.h>

#include <algorithm>
#include <fstream>
#include <utility>

namespace bgplite {
namespace {

using minibgp::LogArea;
using minibgp::PeerId;
using minibgp::PeerState;
using minibgp::Prefix;

/// What a NOTIFICATION, and the traffic that moves because of it, need before a tunnel goes.
constexpr std::chrono::milliseconds kFarewell{300};
/// A tunnel that was to go has gone by then; if it did not, its peers dial again.
constexpr std::chrono::seconds kResume{2};

/// Packets through an interface; nothing where the kernel does not tell.
std::optional<TrafficCounters> traffic_of(const std::string& interface) {
  const auto counter = [&](const char* name, std::uint64_t& into) {
    std::ifstream in{"/sys/class/net/" + interface + "/statistics/" + name};
    return static_cast<bool>(in >> into);
  };
  TrafficCounters counters;
  if (!counter("rx_packets", counters.in) || !counter("tx_packets", counters.out)) return std::nullopt;
  return counters;
}

void arm(boost::asio::steady_timer& timer, minibgp::Time at, minibgp::Time now, std::function<void()> due) {
  timer.cancel();
  if (at == minibgp::kNever) return;
  timer.expires_after(std::max(at - now, minibgp::Duration{}));
  timer.async_wait([due = std::move(due)](const boost::system::error_code& error) {
    if (!error) due();
  });
}

}  // namespace

// --- Return traffic after a loss -----------------------------------------------------------------------------------

std::uint64_t Daemon::audience_of(const std::string& key, const PeerConfig& peer) {
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

/// What the peer's session is now, for return_path_.
void Daemon::note_session(PeerId peer) {
  const auto key = keys_.find(peer);
  const auto status = speaker_->engine().peer(peer);
  if (key == keys_.end() || !status) return;
  if (status->state != PeerState::established) return return_path_.on_session_ended(key->second);
  const minibgp::PeerOptions& options = config_.peers.at(key->second).options;
  const bool kept = status->graceful_restart && options.graceful_restart == minibgp::GracefulRestart::full;
  return_path_.on_established(key->second, std::chrono::seconds{status->hold_s},
                              std::chrono::seconds{kept ? options.restart_time_s : 0});
}

void Daemon::note_reachable(const std::string& key, bool reachable) {
  reachable ? return_path_.on_found(key) : return_path_.on_lost(key, speaker_->now());
}

std::size_t Daemon::parts_for(PeerId peer) const {
  const minibgp::PeerOptions* options = speaker_->engine().options_of(peer);
  if (options == nullptr) return 0;
  return static_cast<std::size_t>(std::count_if(parts_.begin(), parts_.end(), [&](const auto& part) {
    return (part.second.local.audience & options->audience) != 0;
  }));
}

std::map<Prefix, minibgp::PathAttributes> Daemon::return_path_parts(
    const std::map<Prefix, minibgp::PathAttributes>& own) {
  std::map<Prefix, minibgp::PathAttributes> wanted;
  std::vector<Prefix> networks;
  for (const auto& [prefix, attributes] : own) networks.push_back(prefix);
  const auto told = [&](const std::string& key) -> std::size_t {
    const PeerId id = ids_.at(key);
    const auto status = speaker_->engine().peer(id);
    const std::size_t announced = status ? status->prefixes_announced : 0;
    std::size_t& before = told_before_parts_[key];
    if (parts_.empty()) before = announced;
    // An export policy may keep parts back, so the difference says too little at times; a new session says nothing yet.
    return std::max({before, announced - std::min(announced, parts_for(id)), own.size()});
  };
  for (const auto& [part, audience] : return_path_.parts(networks, told)) {
    const auto bits = static_cast<std::uint8_t>(part.length_bits - 1);
    minibgp::PathAttributes attributes = own.at(Prefix::of(part.address(), bits));
    attributes.local.audience = audience;
    attributes.local.network_bits = bits;
    wanted.emplace(part, std::move(attributes));
  }
  return wanted;
}

/// Announces and withdraws what return_path_ wants now. Costs nothing while no tunnel is lost.
void Daemon::update_return_path() {
  if (stopping_ || (!return_path_.any_lost() && parts_.empty())) return;
  return_path_.on_time(speaker_->now());
  std::map<Prefix, minibgp::PathAttributes> own;
  for (const minibgp::AnnouncedSnapshot& announced : speaker_->engine().announcements())
    if (announced.attributes.local.network_bits == 0) own.emplace(announced.prefix, announced.attributes);
  std::map<Prefix, minibgp::PathAttributes> wanted = return_path_parts(own);
  for (const auto& [part, attributes] : parts_)
    if (wanted.count(part) == 0 && own.count(part) == 0) speaker_->withdraw(part);
  for (const auto& [part, attributes] : wanted)
    if (const auto known = parts_.find(part); known == parts_.end() || !(known->second == attributes))
      speaker_->announce(part, attributes);
  if (wanted.size() != parts_.size())
    log_.warning(LogArea::session,
                 wanted.empty() ? "networks are not announced in halves any more: the lost tunnel is back, or its peer "
                                  "has forgotten it"
                                : "a tunnel is lost and its peer does not know: " + std::to_string(wanted.size()) +
                                      " halves" + " of our networks announced over the sessions that live");
  parts_ = std::move(wanted);
  arm(return_path_timer_, return_path_.next_deadline(), speaker_->now(), [this] { update_return_path(); });
}

// --- A peer comes back ---------------------------------------------------------------------------------------------

/// Make before break: a peer that returns beside others, which carry the traffic meanwhile, is used when it has said
/// everything (with half of its table, some traffic would take a way that it is about to correct). Not during a restart
/// of ours: the kernel's routes wait for every peer's table then. Peers without graceful restart may never say
/// End-of-RIB (RFC 4724 s.2).
bool Daemon::tells_its_end_beside_others(const minibgp::PeerStatus& peer) const {
  if (!restart_complete_ || !peer.graceful_restart) return false;
  for (const minibgp::PeerStatus& other : speaker_->engine().peers())
    if (other.id != peer.id && other.remote_as == peer.remote_as && other.state == PeerState::established &&
        arriving_.count(other.id) == 0)
      return true;
  return false;
}

void Daemon::use_peer(PeerId peer) {
  arriving_.erase(peer);
  if (fib_) fib_->set_peer_usable(peer, true);
  arm_arrivals();
}

void Daemon::arm_arrivals() {
  minibgp::Time next = minibgp::kNever;
  for (const auto& [peer, until] : arriving_) next = std::min(next, until);
  arm(arriving_timer_, next, speaker_->now(), [this] {
    for (const auto& [peer, until] : std::map{arriving_})
      if (until <= speaker_->now()) use_peer(peer);
  });
}

// --- A tunnel goes on purpose --------------------------------------------------------------------------------------

/// Ends the sessions over these tunnels while they work, so that the peers' traffic leaves them before they go. False:
/// there was none.
bool Daemon::leave_tunnels(const std::vector<std::string>& tunnels, std::string_view why) {
  bool any = false;
  for (const minibgp::PeerStatus& peer : speaker_->engine().peers()) {
    const minibgp::PeerOptions* options = speaker_->engine().options_of(peer.id);
    if (options == nullptr || peer.state != PeerState::established || options->tunnel.empty()) continue;
    if (std::find(tunnels.begin(), tunnels.end(), options->tunnel) == tunnels.end()) continue;
    // Not a reset: a peer that helps restarts (RFC 8538) would keep sending into the tunnel.
    speaker_->disable_peer(peer.id, why);
    speaker_->set_transport_usable(peer.id, false);
    speaker_->enable_peer(peer.id);
    any = true;
  }
  return any;
}

void Daemon::after_farewell(std::function<void()> action) {
  after_farewell_.push_back(std::move(action));
  arm(farewell_timer_, speaker_->now() + kFarewell, speaker_->now(), [this] {
    for (const auto& due : std::exchange(after_farewell_, {})) due();
    arm(resume_timer_, speaker_->now() + kResume, speaker_->now(), [this] { resume_transports(); });
  });
}

void Daemon::resume_transports() {
  for (const auto& [key, id] : ids_) {
    const std::string& tunnel = config_.peers.at(key).options.tunnel;
    if (tunnels_ && !tunnel.empty()) speaker_->set_transport_usable(id, tunnel_usable(tunnel));
  }
}

void Daemon::terminate_tunnel(const std::string& tunnel) {
  if (!leave_tunnels({tunnel}, "tunnel is taken down")) return tunnels_->terminate(tunnel);
  after_farewell([this, tunnel] { tunnels_->terminate(tunnel); });
}

bool Daemon::tunnel_usable(const std::string& tunnel) const {
  const bool drilled = drill_ && drill_->drill.failing() && drill_->tunnel == tunnel;
  return tunnels_ && tunnels_->usable(tunnel) && !drilled;
}

// --- Drains --------------------------------------------------------------------------------------------------------

void Daemon::drain(PeerId peer, std::chrono::milliseconds wait) {
  const std::string key = keys_.at(peer);
  drains_.begin(key, wait, speaker_->now());
  log_.info(LogArea::session, "peer " + key + ": drained: " + to_text(DrainStep::asked));
  update_peer(key, config_.peers.at(key));
  arm_drains();
}

void Daemon::arm_drains() {
  arm(drains_timer_, drains_.next_deadline(), speaker_->now(), [this] { step_drains(); });
}

void Daemon::step_drains() {
  for (const std::string& key : drains_.on_time(speaker_->now())) {
    const auto peer = ids_.find(key);
    if (peer == ids_.end()) continue;
    const DrainStep step = *drains_.step(key);
    log_.info(LogArea::session, "peer " + key + ": drained: " + to_text(step));
    if (step == DrainStep::stopped) {
      speaker_->disable_peer(peer->second, "drained");
    } else {
      update_peer(key, config_.peers.at(key));
    }
  }
  arm_drains();
}

bool Daemon::undo_drain(PeerId peer) {
  const auto key = keys_.find(peer);
  if (key == keys_.end()) return false;
  const auto step = drains_.step(key->second);
  if (!step) return false;
  drains_.end(key->second);
  arm_drains();
  const PeerConfig& config = config_.peers.at(key->second);
  update_peer(key->second, config);
  if (*step == DrainStep::stopped && config.options.enabled) speaker_->enable_peer(peer);
  log_.info(LogArea::session, "peer " + key->second + ": drained no more");
  return true;
}

std::optional<DrainStep> Daemon::drain_step(PeerId peer) const {
  const auto key = keys_.find(peer);
  return key == keys_.end() ? std::nullopt : drains_.step(key->second);
}

// --- Drills --------------------------------------------------------------------------------------------------------

minibgp::Result<void, std::string> Daemon::start_drill(const std::string& name, std::chrono::milliseconds length) {
  using minibgp::unexpected;
  if (!fib_) return unexpected(std::string{"no routes go into the kernel: there is nothing to move"});
  if (drill_ && drill_->drill.next_deadline() != minibgp::kNever)
    return unexpected("a drill of " + drill_->name + " is running: 'bgplite drill --stop' ends it");
  std::string tunnel;
  std::string interface = interface_of(name);
  std::vector<PeerId> peers;
  if (!interface.empty()) {
    if (!tunnel_usable(name)) return unexpected("tunnel " + name + " is down already");
    if (config_.tunnels.at(name).options.mode != minibgp::xfrm::Mode::interface)
      return unexpected("tunnel " + name + " has no interface of its own");
    tunnel = name;
  } else {
    const auto peer = find_peer(name);
    if (!peer) return unexpected("no tunnel and no peer '" + name.substr(0, 64) + "'");
    const PeerConfig& config = *peer_config(*peer);
    if (!config.options.tunnel.empty()) return start_drill(config.options.tunnel, length);
    for (const minibgp::fib::NextHopState& state : fib_->next_hops())
      if (state.usable && state.peer == *peer && state.next_hop == config.options.address) interface = state.interface;
    if (interface.empty()) return unexpected("no usable next hop leads to peer " + name);
    for (const minibgp::fib::NextHopState& state : fib_->next_hops())
      if (state.usable && state.interface == interface) peers.push_back(state.peer);
    std::sort(peers.begin(), peers.end());
    peers.erase(std::unique(peers.begin(), peers.end()), peers.end());
  }
  Drill drill{length, speaker_->now(), traffic_of(interface)};
  drill_.emplace(Drilled{name, tunnel, interface, std::move(peers), std::move(drill), 0});
  arm_drill();
  return {};
}

void Daemon::arm_drill() {
  arm(drill_timer_, drill_->drill.next_deadline(), speaker_->now(), [this] {
    const Drill::Action action = drill_->drill.on_time(speaker_->now(), traffic_of(drill_->interface));
    if (action == Drill::Action::fail) play_failure();
    if (action == Drill::Action::restore) take_failure_back();
    const minibgp::fib::FibCounters& counters = fib_->status().counters;
    if (drill_->drill.failing() && counters.failovers != drill_->failovers)
      drill_->drill.failed(std::chrono::nanoseconds{counters.last_failover_ns});
    arm_drill();
  });
}

void Daemon::play_failure() {
  log_.warning(LogArea::tunnel, "drill: " + drill_->name + " is treated as failed");
  drill_->failovers = fib_->status().counters.failovers;
  if (!drill_->tunnel.empty()) return carry(drill_->tunnel, false, "drill");
  fib_->set_interface_usable(drill_->interface, false, "drill");
  set_drilled_peers(false);
}

void Daemon::take_failure_back() {
  log_.info(LogArea::tunnel, "drill: " + drill_->name + " is used again");
  if (!drill_->tunnel.empty()) return carry(drill_->tunnel, tunnel_usable(drill_->tunnel), "drill is over");
  fib_->forget_interface(drill_->interface);
  set_drilled_peers(true);
}

void Daemon::set_drilled_peers(bool usable) {
  for (const PeerId peer : drill_->peers) {
    const auto key = keys_.find(peer);
    if (key == keys_.end()) continue;
    speaker_->set_transport_usable(peer, usable);
    note_reachable(key->second, usable);
  }
  update_return_path();
}

void Daemon::end_drill(DrillReport::End why) {
  if (!drill_) return;
  if (drill_->drill.end(why, speaker_->now()) && why != DrillReport::End::failed) take_failure_back();
  drill_timer_.cancel();
}

std::optional<Daemon::DrillStatus> Daemon::drill_status() const {
  if (!drill_) return std::nullopt;
  return DrillStatus{drill_->name, drill_->interface, drill_->drill.report(speaker_->now())};
}

}  // namespace bgplite
