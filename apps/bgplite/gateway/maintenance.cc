/// The part of Gateway that deals with tunnels and peers that are lost, given up on purpose, or rehearsed to be lost:
/// what is announced for the return traffic, farewells, drains and drills.
#include <apps/bgplite/gateway/gateway.h>
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
  const std::string* const key = peer_key(peer);
  const auto status = view_.session(peer);
  if (key == nullptr || !status) return;
  if (status->state != PeerState::established) return return_path_.on_session_ended(*key);
  const minibgp::PeerOptions& options = config_.peers.at(*key).options;
  const bool kept = status->graceful_restart && options.graceful_restart == minibgp::GracefulRestart::full;
  return_path_.on_established(*key, std::chrono::seconds{status->hold_s},
                              std::chrono::seconds{kept ? options.restart_time_s : 0});
}

void Gateway::note_reachable(const std::string& key, bool reachable) {
  reachable ? return_path_.on_found(key) : return_path_.on_lost(key, now_);
}

std::size_t Gateway::parts_for(PeerId peer) const {
  const std::string* const key = peer_key(peer);
  if (key == nullptr) return 0;
  const std::uint64_t audience = peers_.at(*key).audience;
  return static_cast<std::size_t>(std::count_if(
      parts_.begin(), parts_.end(), [&](const auto& part) { return (part.second.local.audience & audience) != 0; }));
}

std::map<Prefix, minibgp::PathAttributes> Gateway::wanted_parts() {
  std::map<Prefix, minibgp::PathAttributes> wanted;
  std::vector<Prefix> networks;
  for (const auto& [prefix, attributes] : own_) networks.push_back(prefix);
  const auto announced_to = [&](const std::string& key) -> std::size_t {
    const PeerId id = peers_.at(key).id;
    const auto status = view_.session(id);
    const std::size_t announced = status ? status->prefixes_announced : 0;
    std::size_t& before = announced_before_parts_[key];
    if (parts_.empty()) before = announced;
    // An export policy may keep parts back, so the difference says too little at times; a new session says nothing yet.
    return std::max({before, announced - std::min(announced, parts_for(id)), own_.size()});
  };
  for (const auto& [part, audience] : return_path_.parts(networks, announced_to)) {
    const auto bits = static_cast<std::uint8_t>(part.length_bits - 1);
    minibgp::PathAttributes attributes = own_.at(Prefix::of(part.address(), bits));
    attributes.local.audience = audience;
    attributes.local.network_bits = bits;
    wanted.emplace(part, std::move(attributes));
  }
  return wanted;
}

/// Announces and withdraws what return_path_ wants now. Costs nothing while no tunnel is lost.
void Gateway::update_return_path() {
  if (stopping_ || (!return_path_.any_lost() && parts_.empty())) return;
  return_path_.on_time(now_);
  std::map<Prefix, minibgp::PathAttributes> wanted = wanted_parts();
  for (const auto& [part, attributes] : parts_)
    if (wanted.count(part) == 0 && own_.count(part) == 0) emit(effect::Withdraw{part});
  for (const auto& [part, attributes] : wanted)
    if (const auto known = parts_.find(part); known == parts_.end() || !(known->second == attributes))
      emit(effect::Announce{part, attributes});
  if (wanted.size() != parts_.size())
    log(LogLevel::warning, LogArea::session,
        wanted.empty() ? "networks are not announced in halves any more: the lost tunnel is back, or its peer "
                         "has forgotten it"
                       : "a tunnel is lost and its peer does not know: " + std::to_string(wanted.size()) +
                             " halves of our networks announced over the sessions that live");
  parts_ = std::move(wanted);
}

// A tunnel goes on purpose

/// Ends the sessions over these tunnels while they work, so that the peers' traffic leaves them before they go. False:
/// there was none.
bool Gateway::leave_tunnels(const std::vector<std::string>& tunnels, std::string_view why) {
  bool any = false;
  for (const minibgp::PeerStatus& peer : view_.sessions()) {
    const std::string* const key = peer_key(peer.id);
    if (key == nullptr || peer.state != PeerState::established) continue;
    const std::string& tunnel = peers_.at(*key).tunnel;
    if (tunnel.empty() || std::find(tunnels.begin(), tunnels.end(), tunnel) == tunnels.end()) continue;
    // Not a reset: a peer that helps restarts (RFC 8538) would keep sending into the tunnel.
    emit(effect::DisablePeer{peer.id, std::string{why}});
    emit(effect::SetTransport{peer.id, false});
    emit(effect::EnablePeer{peer.id});
    any = true;
  }
  return any;
}

void Gateway::resume_transports() {
  if (!view_.has_tunnels()) return;
  for (const auto& [id, key] : keys_) {
    const std::string& tunnel = peers_.at(key).tunnel;
    if (!tunnel.empty()) emit(effect::SetTransport{id, tunnel_usable(tunnel)});
  }
}

void Gateway::on(input::TerminateTunnel event) {
  if (!leave_tunnels({event.tunnel}, "tunnel is taken down"))
    return emit(effect::TerminateTunnel{std::move(event.tunnel)});
  farewells_.begin({std::move(event.tunnel)}, now_);
}

bool Gateway::tunnel_usable(const std::string& tunnel) const {
  return view_.tunnel_usable(tunnel) && !driller_.fails(tunnel);
}

// Drains

void Gateway::on(input::Drain event) {
  const std::string* const key = peer_key(event.peer);
  if (key == nullptr) return;
  // Beginning anew would forget that the drain stopped the session, which its undoing starts again.
  if (const auto session = view_.session(event.peer);
      drainer_.step(*key) == DrainStep::stopped && session && !session->enabled) {
    log(LogLevel::info, LogArea::session, "peer " + *key + ": drained already: " + to_text(DrainStep::stopped));
    return;
  }
  drainer_.begin(*key, event.wait, now_);
  log(LogLevel::info, LogArea::session, "peer " + *key + ": drained: " + to_text(DrainStep::asked));
  update_peer(*key, config_.peers.at(*key));
}

void Gateway::on(input::UndoDrain event) {
  const std::string* const key = peer_key(event.peer);
  if (key == nullptr) return;
  const auto step = drainer_.step(*key);
  if (!step) return;
  static_cast<void>(drainer_.end(*key));
  const PeerConfig& config = config_.peers.at(*key);
  update_peer(*key, config);
  if (*step == DrainStep::stopped && config.options.enabled) emit(effect::EnablePeer{event.peer});
  log(LogLevel::info, LogArea::session, "peer " + *key + ": drained no more");
}

std::optional<DrainStep> Gateway::drain_step(PeerId peer) const {
  const std::string* const key = peer_key(peer);
  return key == nullptr ? std::nullopt : drainer_.step(*key);
}

// Drills

/// What a drill of `name` plays the failure of; nothing, and a sentence in `why`: that is not possible.
std::optional<Driller::Target> Gateway::drill_target(const std::string& name, std::string& why) const {
  Driller::Target target{name, {}, interface_of(name), {}};
  if (!target.interface.empty()) {
    if (!tunnel_usable(name)) return why = "tunnel " + name + " is down already", std::nullopt;
    if (config_.tunnels.at(name).options.mode != minibgp::xfrm::Mode::interface)
      return why = "tunnel " + name + " has no interface of its own", std::nullopt;
    target.tunnel = name;
    return target;
  }
  const auto peer = find_peer(name);
  if (!peer) return why = "no tunnel and no peer '" + name.substr(0, 64) + "'", std::nullopt;
  const PeerConfig& config = *peer_config(*peer);
  if (!config.options.tunnel.empty()) return drill_target(config.options.tunnel, why);
  const std::vector<minibgp::fib::NextHopState> states = view_.next_hops();
  for (const minibgp::fib::NextHopState& state : states)
    if (state.usable && state.peer == *peer && state.next_hop == config.options.address)
      target.interface = state.interface;
  if (target.interface.empty()) return why = "no usable next hop leads to peer " + name, std::nullopt;
  for (const minibgp::fib::NextHopState& state : states)
    if (state.usable && state.interface == target.interface) target.peers.push_back(state.peer);
  std::sort(target.peers.begin(), target.peers.end());
  target.peers.erase(std::unique(target.peers.begin(), target.peers.end()), target.peers.end());
  return target;
}

void Gateway::on(input::StartDrill event) {
  std::string why;
  if (!view_.has_fib()) {
    why = "no routes go into the kernel: there is nothing to move";
  } else if (driller_.running()) {
    why = "a drill of " + driller_.target().name + " is running: 'bgplite drill --stop' ends it";
  } else if (auto target = drill_target(event.name, why)) {
    driller_.start(std::move(*target), event.length, now_);
    return emit(effect::ReadTraffic{driller_.target().interface});
  }
  emit(effect::Refused{std::move(why)});
}

void Gateway::on(input::StopDrill) { end_drill(DrillReport::End::asked); }

void Gateway::on(input::Traffic event) {
  const Drill::Action action = driller_.on_traffic(event.counters, now_);
  if (action == Drill::Action::fail) play_failure();
  if (action == Drill::Action::restore) take_failure_back();
  const minibgp::fib::FibCounters counters = view_.fib_counters();
  if (driller_.failing() && action == Drill::Action::none && counters.failovers != failovers_before_drill_)
    driller_.note_failover(std::chrono::nanoseconds{counters.last_failover_ns});
}

void Gateway::play_failure() {
  const Driller::Target& target = driller_.target();
  log(LogLevel::warning, LogArea::tunnel, "drill: " + target.name + " is treated as failed");
  failovers_before_drill_ = view_.fib_counters().failovers;
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
    const std::string* const key = peer_key(peer);
    if (key == nullptr) continue;
    emit(effect::SetTransport{peer, usable});
    note_reachable(*key, usable);
  }
  update_return_path();
}

void Gateway::end_drill(DrillReport::End why) {
  if (driller_.end(why, now_) && why != DrillReport::End::failed) take_failure_back();
}

}  // namespace bgplite
