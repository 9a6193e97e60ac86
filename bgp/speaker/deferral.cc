#include <bgp/speaker/deferral.h>

#include <algorithm>

namespace minibgp::speaker {

bool Deferral::keeps_ours(const Peering& peering) {
  const auto& graceful = peering.negotiated.peer_graceful_restart;
  return graceful && !graceful->restarting && peering.options.graceful_restart == GracefulRestart::full;
}

/// Whether everything the peer has to say after our start was said. Route selection waits for less than adopted kernel
/// routes do: not for peers that restart too (RFC 4724 s.4.1), nor for those that cannot be reached, whose routes stay
/// in the kernel until the deferral ends. One without graceful restart may never send End-of-RIB and gets a short time;
/// it has our routes meanwhile (ExportRules::own_only), so that this delays nothing but changes to adopted kernel
/// routes.
bool Deferral::table_complete(const Peering& peering, Awaited awaited, Time now) {
  if (!peering.enabled || peering.removing) return true;
  const bool selection = awaited == Awaited::by_selection;
  const bool time_is_over = now >= peering.since + kInitialTableTime;
  if (peering.established == nullptr) return selection && time_is_over;
  const auto& graceful = peering.negotiated.peer_graceful_restart;
  if (selection && graceful && graceful->restarting) return true;
  bool all = true;
  for (std::size_t i = 0; i < kFamilies; ++i)
    if (peering.negotiated.families[i] && !peering.end_of_rib_received[i]) all = false;
  return all || (!graceful && time_is_over);
}

bool Deferral::tables_complete(const PeerTable& peers, Awaited awaited, Time now) {
  bool any = false;  // Without any peer there is nothing to wait for, but one may still be added.
  const bool complete = peers.all([&](const Peering& peering) {
    any = any || (peering.enabled && !peering.removing);
    return table_complete(peering, awaited, now);
  });
  return complete && any;
}

bool Deferral::ends_selection(const PeerTable& peers, bool settled, Time now) {
  if (adoption_done_) return false;
  const bool deferred = defers_selection();
  const bool over = now >= deadline_;
  // Two that restart and wait for each other's End-of-RIB would wait for ever (RFC 4724 s.4.1), so we speak first; but
  // what was adopted stays until such a peer had its say: FRR calls itself restarting for two minutes after any start.
  // All three are sticky: a peer that goes down after its End-of-RIB does not begin the wait anew.
  selection_done_ = selection_done_ || over || (settled && tables_complete(peers, Awaited::by_selection, now));
  adoption_done_ = over || (settled && tables_complete(peers, Awaited::by_adoption, now));
  return deferred && selection_done_;
}

Time Deferral::next_deadline(const PeerTable& peers, Time now) const {
  if (adoption_done_) return kNever;
  Time next = deadline_;
  peers.for_each([&](const Peering& peering) {
    const Time complete = peering.since + kInitialTableTime;
    if (complete > now) next = std::min(next, complete);  // Past ones were looked at; others are waited for.
  });
  return next;
}

}  // namespace minibgp::speaker
