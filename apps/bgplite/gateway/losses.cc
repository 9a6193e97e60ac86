#include <apps/bgplite/gateway/losses.h>
#include <apps/bgplite/gateway/options.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace bgplite {

using minibgp::LogArea;
using minibgp::LogLevel;
using minibgp::PeerId;
using minibgp::Time;

/// Traffic first: the kernel's next-hop groups lose the interface before the speaker learns of it.
void Losses::carry(const std::string& tunnel, bool usable, std::string_view reason, Time now) {
  if (const std::string interface = interface_of(*my_.config, tunnel); !interface.empty())
    my_.effects.emit(effect::UseInterface{interface, usable, std::string{reason}});
  // Endpoints of tunnels may have moved (DNS) with the change: routes to them must not lead into a tunnel.
  my_.effects.emit(effect::GuardUnderlay{});
  const bool rehearsed = driller_.fails(tunnel);
  for (const auto& [key, peer] : my_.peers) {
    const auto config = my_.config->peers.find(key);
    if (!peer.taken() || config == my_.config->peers.end() || config->second.options.tunnel != tunnel) continue;
    my_.effects.emit(effect::SetTransport{peer.id, usable});
    my_.return_traffic.note_reachable(key, usable, now);
    if (!usable && !rehearsed && config->second.on_tunnel_down == PeerConfig::OnTunnelDown::close)
      my_.effects.emit(effect::ResetPeer{peer.id, "tunnel is down"});
  }
  my_.return_traffic.update(now);
}

// Drills

/// What a drill of `name` plays the failure of; nothing, and a sentence in `why`: that is not possible.
std::optional<Driller::Target> Losses::drill_target(const std::string& name, std::string& why) const {
  const Config& config = *my_.config;
  Driller::Target target{name, {}, interface_of(config, name), {}};
  if (!target.interface.empty()) {
    if (!tunnel_usable(name)) return why = "tunnel " + name + " is down already", std::nullopt;
    if (config.tunnels.at(name).options.mode != minibgp::xfrm::Mode::interface)
      return why = "tunnel " + name + " has no interface of its own", std::nullopt;
    target.tunnel = name;
    return target;
  }
  const auto peer = my_.peers.find(name, config);
  if (!peer) return why = "no tunnel and no peer '" + name.substr(0, 64) + "'", std::nullopt;
  const minibgp::PeerOptions& options = config.peers.at(*my_.peers.key_of(*peer)).options;
  if (!options.tunnel.empty()) return drill_target(options.tunnel, why);
  const std::vector<minibgp::fib::NextHopState> states = my_.view.next_hops();
  for (const minibgp::fib::NextHopState& state : states)
    if (state.usable && state.peer == *peer && state.next_hop == options.address) target.interface = state.interface;
  if (target.interface.empty()) return why = "no usable next hop leads to peer " + name, std::nullopt;
  for (const minibgp::fib::NextHopState& state : states)
    if (state.usable && state.interface == target.interface) target.peers.push_back(state.peer);
  std::sort(target.peers.begin(), target.peers.end());
  // A peer may have several next hops behind one interface, and has its part in the drill once.
  target.peers.erase(std::unique(target.peers.begin(), target.peers.end()), target.peers.end());
  return target;
}

void Losses::start_drill(const std::string& name, minibgp::Duration length, Time now) {
  std::string why;
  if (!my_.view.has_fib()) {
    why = "no routes go into the kernel: there is nothing to move";
  } else if (driller_.running()) {
    why = "a drill of " + driller_.target().name + " is running: 'bgplite drill --stop' ends it";
  } else if (auto target = drill_target(name, why)) {
    driller_.start(std::move(*target), length, now);
    return my_.effects.emit(effect::ReadTraffic{driller_.target().interface});
  }
  my_.effects.emit(effect::Refused{std::move(why)});
}

void Losses::on_time(Time now) {
  if (driller_.wants_traffic(now)) my_.effects.emit(effect::ReadTraffic{driller_.target().interface});
}

void Losses::on_traffic(std::optional<TrafficCounters> traffic, Time now) {
  const Drill::Action action = driller_.on_traffic(traffic, now);
  if (action == Drill::Action::fail) play_failure(now);
  if (action == Drill::Action::restore) take_failure_back(now);
  const minibgp::fib::FibCounters counters = my_.view.fib_counters();
  if (action == Drill::Action::none)
    driller_.note_failovers(counters.failovers, std::chrono::nanoseconds{counters.last_failover_ns});
}

void Losses::play_failure(Time now) {
  const Driller::Target& target = driller_.target();
  my_.effects.log(LogLevel::warning, LogArea::tunnel, "drill: " + target.name + " is treated as failed");
  // Read before the failure is played: whatever the fib counts from here on is its doing.
  driller_.begin_failure(my_.view.fib_counters().failovers);
  if (!target.tunnel.empty()) return carry(target.tunnel, false, "drill", now);
  my_.effects.emit(effect::UseInterface{target.interface, false, "drill"});
  set_drilled_peers(false, now);
}

void Losses::take_failure_back(Time now) {
  const Driller::Target& target = driller_.target();
  my_.effects.log(LogLevel::info, LogArea::tunnel, "drill: " + target.name + " is used again");
  if (!target.tunnel.empty()) return carry(target.tunnel, tunnel_usable(target.tunnel), "drill is over", now);
  my_.effects.emit(effect::ForgetInterface{target.interface});
  set_drilled_peers(true, now);
}

void Losses::set_drilled_peers(bool usable, Time now) {
  for (const PeerId peer : driller_.target().peers) {
    const std::string* const key = my_.peers.key_of(peer);
    if (key == nullptr) continue;
    my_.effects.emit(effect::SetTransport{peer, usable});
    my_.return_traffic.note_reachable(*key, usable, now);
  }
  my_.return_traffic.update(now);
}

void Losses::end_drill(DrillReport::End why, Time now) {
  if (driller_.end(why, now) && why != DrillReport::End::failed) take_failure_back(now);
}

}  // namespace bgplite
