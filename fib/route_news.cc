#include <bgp/text.h>
#include <fib/route_news.h>

#include <utility>

namespace minibgp::fib {
namespace {

/// What the reconciler compares: a route by next-hop object is that object, whatever it holds at the moment.
Forwarding normalized(const Forwarding& kernel) {
  Forwarding result = kernel;
  if (result.next_hop != kNoNextHopId) result.vias.clear();
  normalize(result.vias);
  return result;
}

}  // namespace

void RouteNews::on_route(const KernelRoute& route, Heard heard, Time now) {
  if (!my_.ownership.wrote(route.key.table, route.protocol)) return on_foreign(route, heard, now);
  // Blackholes and the like under our number are not ours: we write unicast routes only.
  if (!route.unicast) return;
  Forwarding forwarding = normalized(route.forwarding);
  if (route.protocol != my_.ownership.protocol()) forwarding.former_protocol = route.protocol;
  // A replaced one is the route itself; with any other there may be two now.
  if (heard == Heard::notified && route.placement != Placement::replaced) {
    // A second one beside ours, or ours and one more next hop: the table tells.
    const auto known = my_.reconciler.find(route.key);
    if (known && known->kernel != kNoForwarding && known->target != kNoTarget && !known->in_flight) {
      if (my_.forwardings[known->kernel] != forwarding) my_.dumps.ask_for_routes();
      return;
    }
  }
  // A dump shows routes with one key in the kernel's order. A foreign one may come before a route of an earlier run of
  // ours, which was not known then.
  if (heard == Heard::dumped) {
    if (const ForeignRoute* theirs = my_.foreign.on_ours_dumped(route.key)) {
      my_.stages.mark(Stage::guard);
      my_.log.ahead(route.key, "a route of protocol " + std::to_string(theirs->protocol) + " is", now);
    }
  }
  // It may have taken the place of a foreign one.
  if (heard == Heard::notified && my_.foreign.occupies(route.key)) my_.dumps.ask_for_routes();
  const Intrusion by{route.port_id, route.protocol, false};
  if (my_.reconciler.on_kernel_route(route.key, forwarding, heard, by))
    my_.log.repaired(route.key, "is not as we left it", by, now);
}

void RouteNews::on_foreign(const KernelRoute& route, Heard heard, Time now) {
  if (!matters(route.key.table)) return;
  // IPv6 has these on every interface, with one key: nothing depends on them.
  // fe80::/64 and ff00::/8.
  if (route.key.prefix.family == Family::ipv6 && route.key.prefix.octets[0] >= 0xFE) return;
  const ForeignRoute foreign{route.key, route.protocol, route.unicast, route.forwarding.vias};
  Ours ours;
  bool ours_there = false;
  // One look-up for each foreign route of our tables, and none while nothing of ours is installed.
  if (my_.reconciler.counts().installed != 0 && my_.ownership.in_our_tables(route.key.table)) {
    ours = my_.reconciler.find(route.key);
    ours_there = ours && ours->kernel != kNoForwarding && !is_taken_over(ours);
  }
  if (heard == Heard::dumped) return on_foreign_dumped(foreign, ours, ours_there);
  my_.reconciler.on_foreign_beside(route.key);
  if (overwrites(route, ours, now)) return;
  my_.stages.mark(Stage::guard, my_.foreign.on_route(foreign, route.placement, ours_there));
  if (ours_there && my_.foreign.ahead(route.key) != nullptr)
    my_.log.ahead(route.key,
                  my_.log.port_text(route.port_id) + " put a route of protocol " + std::to_string(route.protocol), now);
}

/// The kernel lists routes with one key in its order. Ours may follow; if it does not, this one replaced it, unless it
/// was known beside ours before: then ours was removed.
void RouteNews::on_foreign_dumped(const ForeignRoute& foreign, const Ours& ours, bool ours_there) {
  // The dump has shown this key already, so ours is behind it.
  const bool ahead = ours_there && !ours->seen;
  const bool replaces = ours && ours->kernel != kNoForwarding && !ours_there && ours->target != kNoTarget;
  if (replaces || (ahead && ours->target != kNoTarget && !my_.foreign.knows(foreign)))
    replaced_unseen_.push_back(foreign.key);
  my_.stages.mark(Stage::guard, my_.foreign.on_dumped(foreign, ahead || replaces));
}

/// Whether a notified foreign route took the place of ours (`ip route replace` says "proto boot"): then ours is
/// repaired, and theirs was there for a moment only.
bool RouteNews::overwrites(const KernelRoute& route, const Ours& ours, Time now) {
  const bool in_its_place = ours && ours->kernel != kNoForwarding && route.placement == Placement::replaced;
  if (!in_its_place || my_.foreign.ahead(route.key) != nullptr) return false;
  // We wanted ours gone: it is.
  if (ours->target == kNoTarget) {
    my_.reconciler.on_kernel_gone(route.key, Heard::notified);
    return false;
  }
  Forwarding theirs = normalized(route.forwarding);
  // Marked, so that it is not taken for one of ours.
  theirs.taken_over = true;
  const Intrusion by{route.port_id, route.protocol, false};
  if (my_.reconciler.on_kernel_route(route.key, theirs, Heard::notified, by))
    my_.log.repaired(route.key, "was overwritten by protocol " + std::to_string(route.protocol), by, now);
  return true;
}

bool RouteNews::is_taken_over(const Ours& ours) const {
  return ours && ours->kernel != kNoForwarding && my_.forwardings[ours->kernel].taken_over;
}

void RouteNews::on_gone(const KernelRoute& route, Time now) {
  if (my_.ownership.wrote(route.key.table, route.protocol)) {
    const Intrusion by{route.port_id, route.protocol, true};
    if (my_.reconciler.on_kernel_gone(route.key, Heard::notified, by))
      my_.log.repaired(route.key, "was removed", by, now);
    return;
  }
  my_.stages.mark(Stage::parked);  // It may have sat where one of ours goes.
  my_.reconciler.on_foreign_beside(route.key);
  if (!matters(route.key.table)) return;
  switch (my_.foreign.on_gone({route.key, route.protocol, route.unicast, route.forwarding.vias})) {
    case ForeignRoutes::Gone::erased:
      // The dump that runs may have shown it before it went.
      if (my_.dumps.running() != 0) my_.dumps.ask_for_routes();
      my_.stages.mark(Stage::guard);
      break;
    case ForeignRoutes::Gone::shrunk:
      my_.stages.mark(Stage::guard);
      break;
    case ForeignRoutes::Gone::unknown:
      // One that was not known went: what is known of this prefix may be wrong.
      if (my_.foreign.exact(route.key.prefix) != nullptr) my_.dumps.ask_for_routes();
  }
  // What was taken over by it is not there any more.
  if (my_.reconciler.counts().installed == 0 || !my_.ownership.in_our_tables(route.key.table)) return;
  if (is_taken_over(my_.reconciler.find(route.key))) my_.reconciler.on_kernel_gone(route.key, Heard::notified);
}

void RouteNews::begin_dump() {
  my_.reconciler.begin_dump();
  my_.foreign.begin_dump();
  replaced_unseen_.clear();
}

void RouteNews::end_dump(bool complete, Time now) {
  settle_replaced(complete, now);
  // Counted before and after: the difference is what the dump found missing.
  const std::uint64_t drift = my_.reconciler.totals().drift;
  my_.reconciler.end_dump(complete);
  if (const auto missing = my_.reconciler.totals().drift - drift; missing != 0) my_.log.missing(missing, now);
  if (complete) my_.stages.mark(Stage::guard, my_.foreign.end_dump());
}

/// Where a foreign route stands and ours was, which the dump has not shown: it overwrote ours.
void RouteNews::settle_replaced(bool complete, Time now) {
  // Taken out first: on_kernel_route() may end in another dump.
  for (const RouteKey& key : std::exchange(replaced_unseen_, {})) {
    const Ours ours = my_.reconciler.find(key);
    const ForeignRoute* theirs = my_.foreign.ahead(key);
    // In an incomplete dump ours may be among what was not shown.
    if (!complete || !ours || ours->seen || ours->target == kNoTarget || theirs == nullptr) continue;
    const Forwarding taken{theirs->vias, kNoNextHopId, true, {}};
    const std::uint8_t protocol = theirs->protocol;
    my_.foreign.forget_ahead(key);
    if (my_.reconciler.on_kernel_route(key, taken, Heard::dumped)) {
      my_.log.repaired(key, "was overwritten by protocol " + std::to_string(protocol), {}, now);
    } else {
      my_.dumps.ask_for_routes();  // Ours was written while the dump ran: which was first?
    }
  }
}

}  // namespace minibgp::fib
