/// Graceful restart in both roles (RFC 4724, RFC 8538) and route refresh (RFC 2918, RFC 7313): when routes of a peer
/// are old, how long they stay, and when everything was said.
#include <bgp/speaker/engine_impl.h>
#include <bgp/wire/numbers.h>

#include <algorithm>
#include <utility>

namespace minibgp {
namespace {

constexpr std::array kBothFamilies{Family::ipv4, Family::ipv6};
constexpr std::size_t index_of(Family family) { return static_cast<std::size_t>(family); }

}  // namespace

// --- The peer restarts: we help (RFC 4724 s.4.2, RFC 8538) ---------------------------------------------------------

/// Whether the end of a session is a restart to wait for, or the end of the peer's routes.
bool EngineImpl::keeps_routes(const Peering& peering, const session::Down& down) const {
  const auto& graceful = peering.negotiated.peer_graceful_restart;
  if (!graceful || peering.options.graceful_restart == GracefulRestart::off) return false;
  if (!peering.enabled || peering.removing || !peering.connector.transport_usable()) return false;
  // A link that is down is no better than a tunnel that is.
  if (next_hops_.lost(peering.id, peering.options.address)) return false;
  if (!graceful->families[0] && !graceful->families[1]) return false;
  namespace notify = wire::notify;
  const bool cease = down.notification.code == notify::kCease;
  switch (down.reason) {
    case DownReason::tcp_closed:
    case DownReason::tcp_failed:
    case DownReason::collision:  // The peer is back before we noticed that it was gone (RFC 4724 s.5).
    case DownReason::restarting:
      return true;
    case DownReason::hold_timer_expired:
    case DownReason::send_hold_timer_expired:
      return graceful->notification;
    case DownReason::notification_sent:
    case DownReason::notification_received:
      return graceful->notification && !(cease && down.notification.subcode == notify::kHardReset);
    case DownReason::admin_down:
      return graceful->notification && cease && down.notification.subcode == notify::kAdminReset;
    case DownReason::none:
    case DownReason::transport_unusable:
    case DownReason::prefix_limit:
    case DownReason::configuration_changed:
    case DownReason::peer_removed:
      return false;
  }
  return false;
}

void EngineImpl::begin_stale(Peering& peering) {
  const auto& graceful = *peering.negotiated.peer_graceful_restart;
  std::array<std::uint8_t, kFamilies> ended{};
  for (const Family family : kBothFamilies) ended[index_of(family)] = table_.session_epoch(peering.id, family);
  table_.begin_session(peering.id);
  for (const Family family : kBothFamilies) {
    const std::size_t i = index_of(family);
    // What was stale already was not announced again in time: it goes, and the rest becomes stale (RFC 4724 s.4.2).
    const bool older_go = peering.stale[i];
    peering.stale[i] = graceful.families[i];
    if (!peering.stale[i]) {
      sweeper_.remove_old(peering.id, family, table_.session_epoch(peering.id, family));
    } else if (older_go) {
      sweeper_.remove_old(peering.id, family, ended[i]);
    }
  }
  if (next_hops_.any_lost(peering.id)) sweeper_.remove_unusable(peering.id);
  peering.stale_until = now_ + std::chrono::seconds{graceful.restart_time_s};
}

/// Everything the peer ever said goes.
void EngineImpl::drop_routes(Peering& peering) {
  table_.begin_session(peering.id);
  for (const Family family : kBothFamilies)
    if (table_.counts(peering.id).received != 0)
      sweeper_.remove_old(peering.id, family, table_.session_epoch(peering.id, family));
  peering.stale = {};
  peering.stale_until = kNever;
}

/// The way to a next hop of a peer is lost while the peer is away. What leads there must not come back with the way:
/// whether the peer still forwards is known again when it announces it.
void EngineImpl::stale_next_hop_lost(Peering& peering, const IpAddress& next_hop) {
  if (peering.established != nullptr || !peering.any_stale()) return;
  if (next_hop == peering.options.address) {
    drop_routes(peering);
  } else {
    sweeper_.remove_unusable(peering.id);
  }
}

/// The session is up again. Stale paths stay where the peer says that it went on forwarding (RFC 4724 s.4.2).
void EngineImpl::came_back(Peering& peering) {
  if (!peering.any_stale()) return;
  const auto& graceful = peering.negotiated.peer_graceful_restart;
  for (const Family family : kBothFamilies) {
    const std::size_t i = index_of(family);
    const bool preserved =
        graceful && graceful->families[i] && graceful->forwarding_preserved[i] && peering.negotiated.families[i];
    if (peering.stale[i] && !preserved) end_stale(peering, family);
  }
  peering.stale_until = peering.any_stale() ? now_ + kStalePathTime : kNever;
}

void EngineImpl::end_stale(Peering& peering, Family family) {
  const std::size_t i = index_of(family);
  peering.stale[i] = false;
  if (!peering.any_stale()) peering.stale_until = kNever;
  sweeper_.remove_old(peering.id, family, table_.session_epoch(peering.id, family));
}

/// The peer did not come back, or came back and never said End-of-RIB: then what it did say stays.
void EngineImpl::stale_time_is_over(Peering& peering) {
  if (peering.established == nullptr) return drop_routes(peering);
  for (const Family family : kBothFamilies)
    if (peering.stale[index_of(family)]) end_stale(peering, family);
}

void EngineImpl::on_end_of_rib(Peering& peering, Family family) {
  const std::size_t i = index_of(family);
  if (!peering.negotiated.families[i]) return;
  peering.end_of_rib_received[i] = true;
  if (peering.stale[i]) end_stale(peering, family);
  ends_of_rib_.push_back({{peering.id, family}, kNotSettled});
  check_restart_done();
}

// --- We restarted (RFC 4724 s.4.1) ---------------------------------------------------------------------------------

/// Whether the peer may go on with routes of ours that it had before our restart: it helps, and did not restart itself.
bool EngineImpl::keeps_ours(const Peering& peering) {
  const auto& graceful = peering.negotiated.peer_graceful_restart;
  return graceful && !graceful->restarting && peering.options.graceful_restart == GracefulRestart::full;
}

/// Whether everything the peer has to say after our start was said. Route selection waits for less than adopted kernel
/// routes do: not for peers that restart too (RFC 4724 s.4.1), nor for those that cannot be reached, whose routes stay
/// in the kernel until the deferral ends. One without graceful restart may never send End-of-RIB and gets a short time;
/// it has our routes meanwhile (ExportRules::own_only), so that this delays nothing but changes to adopted kernel
/// routes.
bool EngineImpl::table_complete(const Peering& peering, Awaited awaited) const {
  if (!peering.enabled || peering.removing) return true;
  const bool selection = awaited == Awaited::by_selection;
  const bool time_is_over = now_ >= peering.since + kInitialTableTime;
  if (peering.established == nullptr) return selection && time_is_over;
  const auto& graceful = peering.negotiated.peer_graceful_restart;
  if (selection && graceful && graceful->restarting) return true;
  bool all = true;
  for (std::size_t i = 0; i < kFamilies; ++i)
    if (peering.negotiated.families[i] && !peering.end_of_rib_received[i]) all = false;
  return all || (!graceful && time_is_over);
}

bool EngineImpl::tables_complete(Awaited awaited) const {
  bool any = false;  // Without any peer there is nothing to wait for, but one may still be added.
  for (const auto& peering : peers_) {
    if (peering == nullptr) continue;
    if (!table_complete(*peering, awaited)) return false;
    any = any || (peering->enabled && !peering->removing);
  }
  return any;
}

void EngineImpl::check_restart_done() {
  if (adoption_done_) return;
  const bool over = now_ >= restart_deadline_;
  // A route whose next hop nobody spoke of yet, or that is still being looked at, is not settled either.
  const bool settled = sweeper_.idle() && !next_hops_.waits_for_answers();
  // Two that restart and wait for each other's End-of-RIB would wait for ever (RFC 4724 s.4.1), so we speak first; but
  // what was adopted stays until such a peer had its say: FRR calls itself restarting for two minutes after any start.
  const bool deferred = defers_selection();
  restart_done_ = restart_done_ || over || (settled && tables_complete(Awaited::by_selection));
  adoption_done_ = over || (settled && tables_complete(Awaited::by_adoption));
  if (deferred && restart_done_) exporter_.end_deferral();
}

// --- Route refresh (RFC 2918, RFC 7313) ----------------------------------------------------------------------------

void EngineImpl::on(const input::RefreshPeer& in) {
  begin_turn(now_);
  Peering* const peering = find_peer(in.peer);
  if (peering == nullptr || peering->established == nullptr) return;
  for (const Family family : kBothFamilies) {
    if (!peering->negotiated.families[index_of(family)]) continue;
    if (in.direction == Direction::export_) {
      exporter_.refresh(in.peer, family, now_);
    } else if (peering->negotiated.route_refresh) {
      peering->established->session->send_refresh(family, wire::RefreshKind::request, now_);
    }
  }
}

void EngineImpl::on_refresh(Connection& connection, const wire::Refresh& refresh) {
  Peering& peering = *find_peer(connection.peer);
  if (&connection != peering.established || !refresh.family) return;
  const Family family = *refresh.family;
  const std::size_t i = index_of(family);
  if (!peering.negotiated.families[i]) return;  // RFC 2918 s.4: ignored.
  switch (refresh.kind) {
    case wire::RefreshKind::request:
      exporter_.refresh(peering.id, family, now_);
      return;
    case wire::RefreshKind::begin:
      if (!peering.negotiated.enhanced_refresh) return;
      // RFC 7313 s.4: before End-of-RIB it is ignored.
      if (peering.negotiated.peer_graceful_restart && !peering.end_of_rib_received[i]) {
        if (!std::exchange(peering.early_refresh_logged, true))
          log(LogLevel::warning, peering, "ignored: a route refresh that the peer began before its End-of-RIB");
        return;
      }
      // What is not announced again until EoRR goes. A second BoRR before that changes nothing: which of the two tables
      // a route belongs to cannot be known, and keeping it is the safe side.
      if (!peering.refreshing[i]) peering.refresh_epoch[i] = table_.begin_epoch(peering.id, family);
      peering.refreshing[i] = true;
      return;
    case wire::RefreshKind::end:
      if (!peering.refreshing[i]) return;
      peering.refreshing[i] = false;
      sweeper_.remove_old(peering.id, family, peering.refresh_epoch[i]);
      return;
    case wire::RefreshKind::unknown:
      return;
  }
}

}  // namespace minibgp
