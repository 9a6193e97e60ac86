/// EngineImpl: what each input means.
#include <bgp/speaker/engine_impl.h>
#include <bgp/wire/notification.h>

#include <algorithm>
#include <variant>

namespace minibgp {
namespace {

namespace notify = wire::notify;

}  // namespace

struct EngineImpl::On {
  using Peering = speaker::Peering;
  using Connection = speaker::Connection;
  EngineImpl& my;

  void operator()(const input::TimePassed&) const {
    my.begin_turn(my.now_);
    my.peers_.for_each([this](Peering& peering) { my.work_through(peering); });
    my.work_on_messages();
    // The sweep comes last, because it judges by what timers and messages left behind.
    my.sweep();
    my.check_restart_done();
  }

  // Peers
  void operator()(const input::RemovePeer& in) const {
    my.begin_turn(my.now_);
    if (Peering* const peering = my.peers_.find_kept(in.peer)) my.remove(*peering);
  }
  void operator()(const input::EnablePeer& in) const {
    my.begin_turn(my.now_);
    if (Peering* const peering = my.peers_.find_kept(in.peer)) my.enable(*peering);
  }
  void operator()(const input::DisablePeer& in) const {
    my.begin_turn(my.now_);
    if (Peering* const peering = my.peers_.find_kept(in.peer)) my.disable(*peering, in.reason);
  }
  void operator()(const input::ResetPeer& in) const {
    my.begin_turn(my.now_);
    if (Peering* const peering = my.peers_.find_kept(in.peer)) my.reset(*peering, in.reason);
  }
  void operator()(const input::RefreshPeer& in) const {
    my.begin_turn(my.now_);
    Peering* const peering = my.peers_.find(in.peer);
    if (peering == nullptr || peering->established == nullptr) return;
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      if (!peering->negotiated.families[static_cast<std::size_t>(family)]) continue;
      // Without the peer's help: what it holds is sent again.
      if (in.direction == Direction::export_) {
        my.exporter_.refresh(in.peer, family, my.now_);
      } else if (peering->negotiated.route_refresh) {
        // Sent only where the peer has offered it (RFC 2918 s.4).
        peering->established->session->send_refresh(family, wire::RefreshKind::request, my.now_);
      }
    }
  }
  void operator()(const input::SetTransport& in) const {
    my.begin_turn(my.now_);
    Peering* const peering = my.peers_.find_kept(in.peer);
    if (peering == nullptr) return;
    peering->connector.set_transport_usable(in.usable, my.now_);
    // What is kept for a peer that restarts leads nowhere without its tunnel.
    if (!in.usable && peering->established == nullptr && peering->any_stale()) my.stale_routes_.drop_all(*peering);
    my.dial_if_due(*peering);
    my.report_state(*peering, in.usable ? DownReason::none : DownReason::transport_unusable);
  }
  void operator()(const input::SetNextHop& in) const {
    my.begin_turn(my.now_);
    Peering* const peering = my.peers_.find(in.peer);
    if (peering == nullptr) return;
    // No change of usability or cost means that no route has to be selected again.
    const bool differs = my.next_hops_.set(in.peer, in.next_hop, {in.usable, in.cost});
    if (differs) my.sweeper_.read_next_hops(in.peer);
    if (!in.usable) my.stale_routes_.next_hop_lost(*peering, in.next_hop);
    // At once, not in the next turn: the changes that follow from a lost next hop go out with this poll.
    if (differs) my.sweep();
    my.check_restart_done();
  }
  void operator()(const input::Stop& in) const {
    my.begin_turn(my.now_);
    my.stopping_ = true;
    my.peers_.for_each([&](Peering& peering) {
      peering.connector.stop();
      peering.over_limit_since = kNever;
      // RFC 4724 s.4.2: the peer keeps our routes when the TCP connection ends.
      const bool kept = in.how == input::Stop::How::keep && peering.established != nullptr &&
                        peering.negotiated.peer_graceful_restart.has_value() &&
                        peering.options.graceful_restart == GracefulRestart::full;
      // No NOTIFICATION: without RFC 8538 it would end what the peer keeps for us.
      if (kept) {
        my.end_sessions(peering, {}, DownReason::restarting);
      } else {
        my.end_sessions(peering, peering.goodbye(wire::cease(notify::kAdminShutdown, in.reason)),
                        DownReason::admin_down);
      }
      my.report_state(peering, DownReason::restarting);
    });
  }

  // Connections
  void operator()(const input::Connected& in) const {
    Connection* const connection = my.peers_.find(in.conn);
    if (connection == nullptr || connection->ended) return;
    // An input that concerns no connection any more begins no turn: nothing is polled for it.
    my.begin_turn(my.now_);
    Peering& peering = *my.peers_.find(connection->peer);
    if (peering.established != nullptr) {
      my.outputs_.emplace_back(my.peers_.drop_silently(*connection));  // The peer's connection was faster.
      return;
    }
    connection->local_address = in.local;
    peering.connector.on_session_up();
    connection->session->on_connected(my.now_);
    connection->silent_at = my.now_ + speaker::kSilenceLogged;
    my.drain(*connection);
    my.report_state(peering, DownReason::none);
  }
  void operator()(const input::SetLinkAddresses& in) const {
    Connection* const connection = my.peers_.find(in.conn);
    if (connection == nullptr || connection->ended || connection->link == in.addresses) return;
    my.begin_turn(my.now_);
    connection->link = in.addresses;
    Peering& peering = *my.peers_.find(connection->peer);
    // Only the established connection has export rules.
    if (peering.established == connection) my.set_rules(peering);
  }
  void operator()(const input::Received& in) const {
    Connection* const connection = my.peers_.find(in.conn);
    if (connection == nullptr || connection->ended) return;
    my.begin_turn(my.now_);
    connection->session->on_received(in.bytes, my.now_);
    my.drain(*connection);
    connection->end_turn();
  }
  void operator()(const input::Sent& in) const {
    Connection* const connection = my.peers_.find(in.conn);
    if (connection == nullptr) return;
    // Counted for a connection that ended, too: its last octets are still being written.
    connection->session->on_sent(in.count, my.now_);
    if (connection->ended) return;
    my.begin_turn(my.now_);
    // The next poll() says again that there is something to write.
    connection->write_told = false;
  }
  void operator()(const input::Closed& in) const {
    Connection* const connection = my.peers_.find(in.conn);
    if (connection == nullptr || connection->ended) return;
    my.begin_turn(my.now_);
    my.turn_.work_left = SIZE_MAX;  // What came before the end counts, all of it: there is no later turn for it.
    connection->session->on_closed(in.reason, my.now_);
    my.drain(*connection);
    // Other connections must not use the unlimited turn.
    my.turn_.work_left = 0;
  }

  // Own networks
  void operator()(const input::Announce& in) const {
    my.begin_turn(my.now_);
    my.own_routes_.announce(in.prefix, in.attributes);
  }
  void operator()(const input::Withdraw& in) const {
    my.begin_turn(my.now_);
    my.own_routes_.withdraw(in.prefix);
  }
  void operator()(const input::SetProtectedAddresses& in) const {
    my.begin_turn(my.now_);
    if (my.facts_.protected_addresses == in.addresses) return;
    my.facts_.protected_addresses = in.addresses;
    // Policies are asked again once for each turn, in poll(), however many such inputs it has.
    my.facts_.changed = true;
  }
};

void EngineImpl::input(const Input& input, Time now) {
  // Asked before the time is now: what is due is what was not looked at yet.
  if (std::holds_alternative<input::TimePassed>(input) && next_deadline() > now) return;
  now_ = std::max(now_, now);
  std::visit(On{*this}, input);
}

}  // namespace minibgp
