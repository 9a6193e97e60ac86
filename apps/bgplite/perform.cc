/// Daemon::perform(): one call on the speaker, the fib, the tunnels or the log for each effect of the Gateway. Without
/// a kernel routing table, and without tunnels, what concerns them is nothing to do.
#include <apps/bgplite/daemon.h>
#include <apps/bgplite/interface_traffic.h>
#include <bgp/text.h>

#include <utility>

namespace bgplite {

using minibgp::LogArea;

struct Daemon::Perform {
  Daemon& my;

  void operator()(const effect::AddPeer& effect) const {
    const auto added = my.speaker_->add_peer(effect.options);
    // The answer is the next input: the pump takes it after the effects at hand.
    if (added) return my.pump_.input(input::PeerAdded{effect.key, *added});
    my.log_.error(LogArea::config,
                  "peer " + effect.key + " is left out: " + std::string{minibgp::to_text(added.error())});
  }
  void operator()(const effect::UpdatePeer& effect) const {
    const auto updated = my.speaker_->update_peer(effect.peer, effect.options);
    if (updated) return my.pump_.input(input::PeerUpdated{effect.peer});
    my.log_.error(LogArea::config,
                  "peer " + effect.key + " keeps its options: " + std::string{minibgp::to_text(updated.error())});
  }
  void operator()(const effect::RemovePeer& effect) const {
    my.speaker_->remove_peer(effect.peer);
    if (my.fib_) my.fib_->remove_peer(effect.peer);
  }
  void operator()(const effect::EnablePeer& effect) const { my.speaker_->enable_peer(effect.peer); }
  void operator()(const effect::DisablePeer& effect) const { my.speaker_->disable_peer(effect.peer, effect.reason); }
  void operator()(const effect::ResetPeer& effect) const { my.speaker_->reset_peer(effect.peer, effect.reason); }
  void operator()(const effect::SetTransport& effect) const {
    my.speaker_->set_transport_usable(effect.peer, effect.usable);
  }
  void operator()(const effect::SetNextHop& effect) const {
    my.speaker_->set_next_hop(effect.peer, effect.next_hop, effect.usable, effect.cost);
  }
  void operator()(const effect::SetRouter& effect) const {
    // The options were checked with the configuration; refused is what only the speaker can know.
    if (const auto set = my.speaker_->set_options(effect.options); !set)
      my.log_.error(LogArea::config, "router keeps its options: " + std::string{minibgp::to_text(set.error())});
  }
  void operator()(const effect::Announce& effect) const { my.speaker_->announce(effect.prefix, effect.attributes); }
  void operator()(const effect::Withdraw& effect) const { my.speaker_->withdraw(effect.prefix); }

  void operator()(const effect::BindPeer& effect) const {
    if (my.fib_) my.fib_->set_peer(effect.peer, effect.binding);
  }
  void operator()(const effect::UsePeer& effect) const {
    if (my.fib_) my.fib_->set_peer_usable(effect.peer, effect.usable);
  }
  void operator()(const effect::UseInterface& effect) const {
    // The time of a failover in the kernel, which is over when the call returns.
    const auto began = std::chrono::steady_clock::now();
    if (my.fib_) my.fib_->set_interface_usable(effect.interface, effect.usable, effect.reason);
    my.failovers_.note_move(std::chrono::steady_clock::now() - began);
  }
  void operator()(const effect::SuspectInterface& effect) const {
    if (my.fib_) my.fib_->set_interface_suspect(effect.interface, effect.suspect);
  }
  void operator()(const effect::ForgetInterface& effect) const {
    if (my.fib_) my.fib_->forget_interface(effect.interface);
  }
  void operator()(const effect::WatchNextHop& effect) const {
    if (!my.fib_) return;
    const minibgp::NextHopInterest& interest = effect.interest;
    interest.wanted ? my.fib_->watch_next_hop(interest.peer, interest.next_hop)
                    : my.fib_->unwatch_next_hop(interest.peer, interest.next_hop);
  }
  void operator()(const effect::WatchNetwork& effect) const {
    if (!my.fib_) return;
    effect.wanted ? my.fib_->watch_network(effect.prefix, effect.watch)
                  : my.fib_->unwatch_network(effect.prefix, effect.watch);
  }
  void operator()(const effect::SetOwnNetworks& effect) const {
    if (my.fib_) my.fib_->set_own_networks(effect.networks);
  }
  void operator()(const effect::SetStaticRoutes& effect) const {
    if (my.fib_) my.fib_->set_static_routes(effect.routes);
  }
  void operator()(const effect::SetFib& effect) const {
    if (my.fib_) my.fib_->set_options(effect.options);
  }
  void operator()(const effect::FinishAdoption&) const {
    if (my.fib_) my.fib_->finish_adoption();
  }

  void operator()(const effect::SetTunnels& effect) const {
    my.tunnels_.set(my.config(), effect);
    my.guard_underlay();
    my.pump_.input(input::TunnelsSet{});
  }
  void operator()(const effect::TerminateTunnel& effect) const {
    if (my.tunnels() != nullptr) my.tunnels()->terminate(effect.tunnel);
  }
  void operator()(const effect::GuardUnderlay&) const { my.guard_underlay(); }
  void operator()(const effect::NoteFailover& effect) const {
    Failover failover{std::chrono::system_clock::now(), effect.tunnel, effect.reason, my.failovers_.last_move(),
                      std::nullopt};
    if (effect.reason == minibgp::xfrm::Reason::probe_lost) failover.silent = my.tunnels_.silent_for(effect.tunnel);
    my.failovers_.add(std::move(failover));
  }

  void operator()(const effect::Log& effect) const {
    if (my.log_.wants(effect.level, effect.area)) my.log_.write(effect.level, effect.area, effect.line);
  }
  void operator()(const effect::Tell& effect) const {
    if (my.on_event) my.on_event(effect.kind, effect.facts);
  }
  void operator()(const effect::Refused& effect) const { my.refused_ = effect.why; }
  void operator()(const effect::ReadTraffic& effect) const {
    // A file of sysfs, read at once: it never blocks.
    my.pump_.input(input::Traffic{read_traffic(effect.interface)});
  }
  void operator()(const effect::SetLogLevels&) const { my.log_.set_levels(my.config().log); }

  void operator()(const effect::End& effect) const {
    using minibgp::Engine;
    const auto ended = [&daemon = my, keep = effect.keep] {
      if (!keep) daemon.marker_.clear();
      const auto end_tunnels = [&daemon, keep] { daemon.tunnels_.stop(keep, daemon.stopped_); };
      daemon.fib_ ? daemon.fib_->stop(end_tunnels) : end_tunnels();
    };
    // In this order: sessions end, then routes, then tunnels, through which the sessions ran.
    my.speaker_->stop(effect.keep ? Engine::Stop::keep : Engine::Stop::cease, effect.keep ? "restart" : "shutdown",
                      ended);
  }
};

void Daemon::perform(GatewayEffect& effect) { std::visit(Perform{*this}, effect); }

}  // namespace bgplite
