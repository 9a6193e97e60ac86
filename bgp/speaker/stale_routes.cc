#include <bgp/speaker/stale_routes.h>
#include <bgp/wire/numbers.h>

#include <array>

namespace minibgp::speaker {
namespace {

constexpr std::array kBothFamilies{Family::ipv4, Family::ipv6};
constexpr std::size_t index_of(Family family) { return static_cast<std::size_t>(family); }

}  // namespace

bool StaleRoutes::are_kept(const Peering& peering, const session::Down& down) const {
  const auto& graceful = peering.negotiated.peer_graceful_restart;
  if (!graceful || peering.options.graceful_restart == GracefulRestart::off) return false;
  if (!peering.enabled || peering.removing || !peering.connector.transport_usable()) return false;
  // A link that is down is no better than a tunnel that is.
  if (next_hops_.lost(peering.id, peering.options.address)) return false;
  if (!graceful->families[0] && !graceful->families[1]) return false;
  namespace notify = wire::notify;
  const bool cease = down.notification.code == notify::kCease;
  switch (down.reason) {
    // RFC 4724 s.4.2: the end of the TCP connection without a NOTIFICATION.
    case DownReason::tcp_closed:
    case DownReason::tcp_failed:
    case DownReason::collision:  // The peer is back before we noticed that it was gone (RFC 4724 s.5).
    case DownReason::restarting:
      return true;
    // RFC 8538 s.4: with the N bit also an expired hold timer and a NOTIFICATION keep routes, unless it is a Hard
    // Reset.
    case DownReason::hold_timer_expired:
    case DownReason::send_hold_timer_expired:
      return graceful->notification;
    case DownReason::notification_sent:
    case DownReason::notification_received:
      return graceful->notification && !(cease && down.notification.subcode == notify::kHardReset);
    case DownReason::admin_down:
      // Of what we end ourselves only the administrative reset is meant to keep routes.
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

void StaleRoutes::begin(Peering& peering, Time now) {
  const auto& graceful = *peering.negotiated.peer_graceful_restart;
  std::array<std::uint8_t, kFamilies> ended{};
  // Read before begin_session() moves the epochs on.
  for (const Family family : kBothFamilies) ended[index_of(family)] = table_.session_epoch(peering.id, family);
  table_.begin_session(peering.id);
  for (const Family family : kBothFamilies) {
    const std::size_t i = index_of(family);
    // What was stale already was not announced again in time: it goes, and the rest becomes stale (RFC 4724 s.4.2).
    const bool older_go = peering.stale[i];
    peering.stale[i] = graceful.families[i];
    if (!peering.stale[i]) {
      // A family that the peer does not keep: all of its routes are older than the epoch that begins now.
      sweeper_.remove_old(peering.id, family, table_.session_epoch(peering.id, family));
    } else if (older_go) {
      sweeper_.remove_old(peering.id, family, ended[i]);
    }
  }
  if (next_hops_.any_lost(peering.id)) sweeper_.remove_unusable(peering.id);
  // RFC 4724 s.4.2: the peer says itself how long it needs for a restart at most.
  peering.stale_until = now + std::chrono::seconds{graceful.restart_time_s};
}

void StaleRoutes::came_back(Peering& peering, Time now) {
  if (!peering.any_stale()) return;
  const auto& graceful = peering.negotiated.peer_graceful_restart;
  for (const Family family : kBothFamilies) {
    const std::size_t i = index_of(family);
    // Without the F bit the peer has lost its forwarding state, so these routes lead nowhere (RFC 4724 s.4.2).
    const bool preserved =
        graceful && graceful->families[i] && graceful->forwarding_preserved[i] && peering.negotiated.families[i];
    if (peering.stale[i] && !preserved) end(peering, family);
  }
  // From here on the limit is ours: the peer is up, and only its End-of-RIB is missing.
  peering.stale_until = peering.any_stale() ? now + kStalePathTime : kNever;
}

void StaleRoutes::end(Peering& peering, Family family) {
  const std::size_t i = index_of(family);
  peering.stale[i] = false;
  if (!peering.any_stale()) peering.stale_until = kNever;
  sweeper_.remove_old(peering.id, family, table_.session_epoch(peering.id, family));
}

void StaleRoutes::time_is_over(Peering& peering) {
  if (peering.established == nullptr) return drop_all(peering);
  for (const Family family : kBothFamilies)
    if (peering.stale[index_of(family)]) end(peering, family);
}

void StaleRoutes::next_hop_lost(Peering& peering, const IpAddress& next_hop) {
  if (peering.established != nullptr || !peering.any_stale()) return;
  if (next_hop == peering.options.address) {
    drop_all(peering);
  } else {
    sweeper_.remove_unusable(peering.id);
  }
}

void StaleRoutes::options_changed(Peering& peering, const PeerOptions& before, Asn speaker_as) {
  const PeerOptions& wanted = peering.options;
  // Another peer, another AS or another path to it: what is kept was learned under other conditions.
  const bool other = before.address != wanted.address || before.device != wanted.device ||
                     before.tunnel != wanted.tunnel || before.remote_as != wanted.remote_as ||
                     before.local_as.value_or(speaker_as) != wanted.local_as.value_or(speaker_as);
  if (other || wanted.graceful_restart == GracefulRestart::off) return drop_all(peering);
  for (const Family family : kBothFamilies) {
    const std::size_t i = index_of(family);
    if (peering.stale[i] && !wanted.families[i]) end(peering, family);
  }
}

void StaleRoutes::drop_all(Peering& peering) {
  table_.begin_session(peering.id);
  for (const Family family : kBothFamilies)
    if (table_.counts(peering.id).received != 0)
      sweeper_.remove_old(peering.id, family, table_.session_epoch(peering.id, family));
  peering.stale = {};
  peering.stale_until = kNever;
}

}  // namespace minibgp::speaker
