#include <apps/bgplite/perform.h>
#include <bgp/text.h>

#include <fstream>
#include <utility>

namespace bgplite {
namespace {

using minibgp::LogArea;

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

}  // namespace

void Daemon::Performer::operator()(const effect::AddPeer& effect) {
  const auto added = daemon_.speaker_->add_peer(effect.options);
  if (added) return daemon_.pump_.input(input::PeerAdded{effect.key, *added});
  daemon_.log_.error(LogArea::config,
                     "peer " + effect.key + " is left out: " + std::string{minibgp::to_text(added.error())});
}
void Daemon::Performer::operator()(const effect::UpdatePeer& effect) {
  const auto updated = daemon_.speaker_->update_peer(effect.peer, effect.options);
  if (updated) return daemon_.pump_.input(input::PeerUpdated{effect.peer});
  daemon_.log_.error(LogArea::config,
                     "peer " + effect.key + " keeps its options: " + std::string{minibgp::to_text(updated.error())});
}
void Daemon::Performer::operator()(const effect::RemovePeer& effect) {
  daemon_.speaker_->remove_peer(effect.peer);
  if (daemon_.fib_) daemon_.fib_->remove_peer(effect.peer);
}
void Daemon::Performer::operator()(const effect::EnablePeer& effect) { daemon_.speaker_->enable_peer(effect.peer); }
void Daemon::Performer::operator()(const effect::DisablePeer& effect) {
  daemon_.speaker_->disable_peer(effect.peer, effect.reason);
}
void Daemon::Performer::operator()(const effect::ResetPeer& effect) {
  daemon_.speaker_->reset_peer(effect.peer, effect.reason);
}
void Daemon::Performer::operator()(const effect::SetTransport& effect) {
  daemon_.speaker_->set_transport_usable(effect.peer, effect.usable);
}
void Daemon::Performer::operator()(const effect::SetNextHop& effect) {
  daemon_.speaker_->set_next_hop(effect.peer, effect.next_hop, effect.usable, effect.cost);
}
void Daemon::Performer::operator()(const effect::SetRouter& effect) {
  if (const auto set = daemon_.speaker_->set_options(effect.options); !set)
    daemon_.log_.error(LogArea::config, "router keeps its options: " + std::string{minibgp::to_text(set.error())});
}
void Daemon::Performer::operator()(const effect::Announce& effect) {
  daemon_.speaker_->announce(effect.prefix, effect.attributes);
}
void Daemon::Performer::operator()(const effect::Withdraw& effect) { daemon_.speaker_->withdraw(effect.prefix); }

void Daemon::Performer::operator()(const effect::BindPeer& effect) {
  if (daemon_.fib_) daemon_.fib_->set_peer(effect.peer, effect.binding);
}
void Daemon::Performer::operator()(const effect::UsePeer& effect) {
  if (daemon_.fib_) daemon_.fib_->set_peer_usable(effect.peer, effect.usable);
}
void Daemon::Performer::operator()(const effect::UseInterface& effect) {
  const auto began = std::chrono::steady_clock::now();
  if (daemon_.fib_) daemon_.fib_->set_interface_usable(effect.interface, effect.usable, effect.reason);
  daemon_.moved_in_ = std::chrono::steady_clock::now() - began;
}
void Daemon::Performer::operator()(const effect::SuspectInterface& effect) {
  if (daemon_.fib_) daemon_.fib_->set_interface_suspect(effect.interface, effect.suspect);
}
void Daemon::Performer::operator()(const effect::ForgetInterface& effect) {
  if (daemon_.fib_) daemon_.fib_->forget_interface(effect.interface);
}
void Daemon::Performer::operator()(const effect::WatchNextHop& effect) {
  if (!daemon_.fib_) return;
  const minibgp::NextHopInterest& interest = effect.interest;
  interest.wanted ? daemon_.fib_->watch_next_hop(interest.peer, interest.next_hop)
                  : daemon_.fib_->unwatch_next_hop(interest.peer, interest.next_hop);
}
void Daemon::Performer::operator()(const effect::WatchNetwork& effect) {
  if (!daemon_.fib_) return;
  effect.wanted ? daemon_.fib_->watch_network(effect.prefix, effect.watch)
                : daemon_.fib_->unwatch_network(effect.prefix, effect.watch);
}
void Daemon::Performer::operator()(const effect::SetOwnNetworks& effect) {
  if (daemon_.fib_) daemon_.fib_->set_own_networks(effect.networks);
}
void Daemon::Performer::operator()(const effect::SetStaticRoutes& effect) {
  if (daemon_.fib_) daemon_.fib_->set_static_routes(effect.routes);
}
void Daemon::Performer::operator()(const effect::SetFib& effect) {
  if (daemon_.fib_) daemon_.fib_->set_options(effect.options);
}
void Daemon::Performer::operator()(const effect::FinishAdoption&) {
  if (daemon_.fib_) daemon_.fib_->finish_adoption();
}

void Daemon::Performer::operator()(const effect::SetTunnels& effect) {
  daemon_.set_tunnels(effect);
  daemon_.pump_.input(input::TunnelsSet{});
}
void Daemon::Performer::operator()(const effect::TerminateTunnel& effect) {
  if (daemon_.tunnels_) daemon_.tunnels_->terminate(effect.tunnel);
}
void Daemon::Performer::operator()(const effect::GuardUnderlay&) { daemon_.guard_underlay(); }
void Daemon::Performer::operator()(const effect::NoteFailover& effect) {
  Failover failover{std::chrono::system_clock::now(), effect.tunnel, effect.reason, daemon_.moved_in_, std::nullopt};
  if (effect.reason == minibgp::xfrm::Reason::probe_lost)
    if (const auto* probe = daemon_.probes_.find(effect.tunnel); probe != nullptr && probe->probe().last_answer())
      failover.silent = daemon_.tunnels_->now() - *probe->probe().last_answer();
  daemon_.failovers_.add(std::move(failover));
}

void Daemon::Performer::operator()(const effect::Log& effect) {
  if (daemon_.log_.wants(effect.level, effect.area)) daemon_.log_.write(effect.level, effect.area, effect.line);
}
void Daemon::Performer::operator()(const effect::Tell& effect) {
  if (daemon_.on_event) daemon_.on_event(effect.kind, effect.facts);
}
void Daemon::Performer::operator()(const effect::Refused& effect) { daemon_.refused_ = effect.why; }
void Daemon::Performer::operator()(const effect::ReadTraffic& effect) {
  daemon_.pump_.input(input::Traffic{traffic_of(effect.interface)});
}
void Daemon::Performer::operator()(const effect::SetLogLevels&) { daemon_.log_.set_levels(daemon_.config().log); }

void Daemon::Performer::operator()(const effect::End& effect) {
  using minibgp::Engine;
  Daemon& daemon = daemon_;
  const auto ended = [&daemon, keep = effect.keep] {
    if (!keep) daemon.marker_.clear();
    const auto end_tunnels = [&daemon, keep] {
      using OnExitOfTunnels = minibgp::xfrm::TunnelsOptions::OnExit;
      if (!daemon.tunnels_) return daemon.stopped_();
      daemon.tunnels_->stop(keep ? OnExitOfTunnels::keep : OnExitOfTunnels::remove, daemon.stopped_);
    };
    daemon.fib_ ? daemon.fib_->stop(end_tunnels) : end_tunnels();
  };
  daemon_.speaker_->stop(effect.keep ? Engine::Stop::keep : Engine::Stop::cease, effect.keep ? "restart" : "shutdown",
                         ended);
}

}  // namespace bgplite
