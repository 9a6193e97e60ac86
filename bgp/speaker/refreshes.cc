#include <bgp/speaker/refreshes.h>

#include <utility>

namespace minibgp::speaker {

Refreshes::Outcome Refreshes::on_message(Peering& peering, const wire::Refresh& refresh, Time now) {
  if (!refresh.family) return Outcome::done;
  const Family family = *refresh.family;
  const auto i = static_cast<std::size_t>(family);
  if (!peering.negotiated.families[i]) return Outcome::done;  // RFC 2918 s.4: ignored.
  switch (refresh.kind) {
    case wire::RefreshKind::request:
      exporter_.refresh(peering.id, family, now);
      break;
    case wire::RefreshKind::begin:
      return begin(peering, family);
    case wire::RefreshKind::end:
      if (!peering.refreshing[i]) break;
      peering.refreshing[i] = false;
      sweeper_.remove_old(peering.id, family, peering.refresh_epoch[i]);
      break;
    case wire::RefreshKind::unknown:
      break;
  }
  return Outcome::done;
}

Refreshes::Outcome Refreshes::begin(Peering& peering, Family family) {
  const auto i = static_cast<std::size_t>(family);
  if (!peering.negotiated.enhanced_refresh) return Outcome::done;
  // RFC 7313 s.4: before End-of-RIB it is ignored.
  if (peering.negotiated.peer_graceful_restart && !peering.end_of_rib_received[i])
    return std::exchange(peering.early_refresh_logged, true) ? Outcome::done : Outcome::ignored_early;
  // What is not announced again until EoRR goes. A second BoRR before that changes nothing: which of the two tables a
  // route belongs to cannot be known, and keeping it is the safe side.
  if (!peering.refreshing[i]) peering.refresh_epoch[i] = table_.begin_epoch(peering.id, family);
  peering.refreshing[i] = true;
  return Outcome::done;
}

}  // namespace minibgp::speaker
