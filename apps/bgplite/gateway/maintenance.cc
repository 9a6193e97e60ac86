/// The part of Gateway that deals with tunnels and peers that are lost, given up on purpose, or rehearsed to be lost:
/// what is announced for the return traffic, farewells, drains and drills.
#include <apps/bgplite/gateway/gateway.h>
#include <apps/bgplite/gateway/on_input.h>
#include <apps/bgplite/gateway/options.h>
#include <bgp/text.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace bgplite {

using minibgp::LogArea;
using minibgp::LogLevel;
using minibgp::PeerId;
using minibgp::PeerState;
using minibgp::Prefix;

// Return traffic after a loss

/// What the peer's session is now, for return_path_.
void Gateway::note_session(PeerId peer) {
  const std::string* const key = peers_.key_of(peer);
  const auto status = view_.session(peer);
  if (key == nullptr || !status) return;
  if (status->state != PeerState::established) return return_path_.on_session_ended(*key);
  const minibgp::PeerOptions& options = config_->peers.at(*key).options;
  // A helper keeps our routes after the hold timer, and sends to us for that much longer (RFC 4724, RFC 8538).
  const bool kept = status->graceful_restart && options.graceful_restart == minibgp::GracefulRestart::full;
  return_path_.on_established(*key, std::chrono::seconds{status->hold_s},
                              std::chrono::seconds{kept ? options.restart_time_s : 0});
}

void Gateway::note_reachable(const std::string& key, bool reachable) {
  reachable ? return_path_.on_found(key) : return_path_.on_lost(key, now_);
}

std::size_t Gateway::parts_for(PeerId peer) const {
  const std::string* const key = peers_.key_of(peer);
  return key == nullptr ? 0 : announcements_.parts_for(peers_.at(*key).audience);
}

/// Announces and withdraws what return_path_ wants now. Costs nothing while no tunnel is lost.
void Gateway::update_return_path() {
  // No tunnel is lost and nothing is announced for one.
  if (stopping_ || (!return_path_.any_lost() && announcements_.parts().empty())) return;
  return_path_.on_time(now_);
  const auto announced_to = [this](const std::string& key) -> std::size_t {
    const PeerTable::Peer& peer = peers_.at(key);
    const auto status = view_.session(peer.id);
    // How much room is left under the limits of each peer.
    return announcements_.without_parts(key, peer.audience, status ? status->prefixes_announced : 0);
  };
  const auto parts = return_path_.parts(announcements_.own_prefixes(), announced_to);
  if (!announcements_.set_parts(parts)) return;
  log(LogLevel::warning, LogArea::session,
      parts.empty() ? "networks are not announced in halves any more: the lost tunnel is back, or its peer "
                      "has forgotten it"
                    : "a tunnel is lost and its peer does not know: " + std::to_string(parts.size()) +
                          " halves of our networks announced over the sessions that live");
}

// A tunnel goes on purpose

/// Ends the sessions over these tunnels while they work, so that the peers' traffic leaves them before they go. False:
/// there was none.
bool Gateway::leave_tunnels(const std::vector<std::string>& tunnels, std::string_view why) {
  bool any = false;
  for (const minibgp::PeerStatus& peer : view_.sessions()) {
    const std::string* const key = peers_.key_of(peer.id);
    if (key == nullptr || peer.state != PeerState::established) continue;
    const std::string& tunnel = peers_.at(*key).tunnel;
    if (tunnel.empty() || std::find(tunnels.begin(), tunnels.end(), tunnel) == tunnels.end()) continue;
    // Not a reset: a peer that helps restarts (RFC 8538) would keep sending into the tunnel.
    // In this order: the Cease leaves while the tunnel works, and the transport keeps the peer from dialing again.
    emit(effect::DisablePeer{peer.id, std::string{why}});
    emit(effect::SetTransport{peer.id, false});
    emit(effect::EnablePeer{peer.id});
    any = true;
  }
  return any;
}

void Gateway::resume_transports() {
  if (!view_.has_tunnels()) return;
  for (const auto& [key, peer] : peers_)
    if (peer.taken() && !peer.tunnel.empty()) emit(effect::SetTransport{peer.id, tunnel_usable(peer.tunnel)});
}

void Gateway::On::operator()(input::TerminateTunnel event) const {
  if (!my.leave_tunnels({event.tunnel}, "tunnel is taken down"))
    return my.emit(effect::TerminateTunnel{std::move(event.tunnel)});
  my.farewells_.begin({std::move(event.tunnel)}, my.now_);
}

bool Gateway::tunnel_usable(const std::string& tunnel) const {
  return view_.tunnel_usable(tunnel) && !driller_.fails(tunnel);
}

// Drains

void Gateway::On::operator()(input::Drain event) const {
  const std::string* const key = my.peers_.key_of(event.peer);
  if (key == nullptr) return;
  // Beginning anew would forget that the drain stopped the session, which its undoing starts again.
  if (const auto session = my.view_.session(event.peer);
      my.drainer_.step(*key) == DrainStep::stopped && session && !session->enabled) {
    my.log(LogLevel::info, LogArea::session, "peer " + *key + ": drained already: " + to_text(DrainStep::stopped));
    return;
  }
  my.drainer_.begin(*key, event.wait, my.now_);
  my.log(LogLevel::info, LogArea::session, "peer " + *key + ": drained: " + to_text(DrainStep::asked));
  my.update_peer(*key, my.config_->peers.at(*key));
}

void Gateway::On::operator()(input::UndoDrain event) const {
  const std::string* const key = my.peers_.key_of(event.peer);
  if (key == nullptr) return;
  const auto step = my.drainer_.step(*key);
  if (!step) return;
  static_cast<void>(my.drainer_.end(*key));
  const PeerConfig& config = my.config_->peers.at(*key);
  my.update_peer(*key, config);
  if (*step == DrainStep::stopped && config.options.enabled) my.emit(effect::EnablePeer{event.peer});
  my.log(LogLevel::info, LogArea::session, "peer " + *key + ": drained no more");
}

std::optional<DrainStep> Gateway::drain_step(PeerId peer) const {
  const std::string* const key = peers_.key_of(peer);
  return key == nullptr ? std::nullopt : drainer_.step(*key);
}

// Drills

/// What a drill of `name` plays the failure of; nothing, and a sentence in `why`: that is not possible.
std::optional<Driller::Target> Gateway::drill_target(const std::string& name, std::string& why) const {
  Driller::Target target{name, {}, interface_of(*config_, name), {}};
  if (!target.interface.empty()) {
    if (!tunnel_usable(name)) return why = "tunnel " + name + " is down already", std::nullopt;
    if (config_->tunnels.at(name).options.mode != minibgp::xfrm::Mode::interface)
      // A policy-based tunnel has no interface whose traffic could be counted.
      return why = "tunnel " + name + " has no interface of its own", std::nullopt;
    target.tunnel = name;
    return target;
  }
  const auto peer = peers_.find(name, *config_);
  if (!peer) return why = "no tunnel and no peer '" + name.substr(0, 64) + "'", std::nullopt;
  const PeerConfig& config = *peer_config(*peer);
  // A peer over a tunnel: the tunnel is what fails.
  if (!config.options.tunnel.empty()) return drill_target(config.options.tunnel, why);
  const std::vector<minibgp::fib::NextHopState> states = view_.next_hops();
  for (const minibgp::fib::NextHopState& state : states)
    if (state.usable && state.peer == *peer && state.next_hop == config.options.address)
      target.interface = state.interface;
  if (target.interface.empty()) return why = "no usable next hop leads to peer " + name, std::nullopt;
  // All peers behind that interface are part of the failure.
  for (const minibgp::fib::NextHopState& state : states)
    if (state.usable && state.interface == target.interface) target.peers.push_back(state.peer);
  std::sort(target.peers.begin(), target.peers.end());
  // A peer may have several next hops behind one interface, and has its part in the drill once.
  target.peers.erase(std::unique(target.peers.begin(), target.peers.end()), target.peers.end());
  return target;
}

void Gateway::On::operator()(input::StartDrill event) const {
  std::string why;
  if (!my.view_.has_fib()) {
    why = "no routes go into the kernel: there is nothing to move";
  } else if (my.driller_.running()) {
    why = "a drill of " + my.driller_.target().name + " is running: 'bgplite drill --stop' ends it";
  } else if (auto target = my.drill_target(event.name, why)) {
    my.driller_.start(std::move(*target), event.length, my.now_);
    // The first reading is the baseline's begin.
    return my.emit(effect::ReadTraffic{my.driller_.target().interface});
  }
  my.emit(effect::Refused{std::move(why)});
}

void Gateway::On::operator()(input::StopDrill) const { my.end_drill(DrillReport::End::asked); }

void Gateway::On::operator()(input::Traffic event) const {
  const Drill::Action action = my.driller_.on_traffic(event.counters, my.now_);
  if (action == Drill::Action::fail) my.play_failure();
  if (action == Drill::Action::restore) my.take_failure_back();
  const minibgp::fib::FibCounters counters = my.view_.fib_counters();
  if (action == Drill::Action::none)
    my.driller_.note_failovers(counters.failovers, std::chrono::nanoseconds{counters.last_failover_ns});
}

void Gateway::play_failure() {
  const Driller::Target& target = driller_.target();
  log(LogLevel::warning, LogArea::tunnel, "drill: " + target.name + " is treated as failed");
  // Read before the failure is played: whatever the fib counts from here on is its doing.
  driller_.begin_failure(view_.fib_counters().failovers);
  if (!target.tunnel.empty()) return carry(target.tunnel, false, "drill");
  emit(effect::UseInterface{target.interface, false, "drill"});
  set_drilled_peers(false);
}

void Gateway::take_failure_back() {
  const Driller::Target& target = driller_.target();
  log(LogLevel::info, LogArea::tunnel, "drill: " + target.name + " is used again");
  if (!target.tunnel.empty()) return carry(target.tunnel, tunnel_usable(target.tunnel), "drill is over");
  emit(effect::ForgetInterface{target.interface});
  set_drilled_peers(true);
}

void Gateway::set_drilled_peers(bool usable) {
  for (const PeerId peer : driller_.target().peers) {
    const std::string* const key = peers_.key_of(peer);
    if (key == nullptr) continue;
    emit(effect::SetTransport{peer, usable});
    note_reachable(*key, usable);
  }
  update_return_path();
}

void Gateway::end_drill(DrillReport::End why) {
  // A tunnel that failed in earnest stays failed.
  if (driller_.end(why, now_) && why != DrillReport::End::failed) take_failure_back();
}

}  // namespace bgplite
