// Forwarder: what the kernel says, in notifications and dumps, and what others did to our routes.
#include <bgp/text.h>
#include <fib/forwarder.h>

#include <algorithm>
#include <set>

namespace minibgp::fib {
namespace {

/// Dumps that events ask for are at least this far apart, and at least four times as long as one takes: a link that
/// flaps under a million routes must not keep us reading.
constexpr Duration kDumpSpacing = std::chrono::milliseconds{50};
constexpr int kDumpShare = 4;

/// What the reconciler compares: a route by next-hop object is that object, whatever it holds at the moment.
Forwarding normalized(const Forwarding& kernel) {
  Forwarding result = kernel;
  if (result.next_hop != kNoNextHopId) result.vias.clear();
  normalize(result.vias);
  return result;
}

}  // namespace

void Forwarder::on_link_or_address(bool changed) {
  mark(Stage::next_hops, changed);
  mark(Stage::parked, changed);
}

void Forwarder::on_link(const LinkInfo& link) {
  const bool changed = map_.on_link(link);
  on_link_or_address(changed);
  // The kernel drops routes and next-hop objects with a link, and not always says so.
  if (changed && ready_) wanted_.next_hops = wanted_.routes = true;
}

void Forwarder::on_link_gone(IfIndex index) {
  on_link_or_address(map_.on_link_gone(index));
  if (ready_) wanted_.next_hops = wanted_.routes = true;
}

void Forwarder::on_address(const AddressInfo& address) {
  const bool changed = map_.on_address(address);
  on_link_or_address(changed);
  mark(Stage::sets, changed);   // The preferred source may be another one.
  mark(Stage::guard, changed);  // It looks after the networks we are in.
}

void Forwarder::on_address_gone(const AddressInfo& address) {
  const bool changed = map_.on_address_gone(address);
  on_link_or_address(changed);
  mark(Stage::sets, changed);
  mark(Stage::guard, changed);
  // Routes with the address as their source, or with a gateway in its network, went without a word.
  if (changed && ready_) wanted_.next_hops = wanted_.routes = true;
}

bool Forwarder::written_by_us(const KernelRoute& route) const {
  if (route.protocol == options_.protocol && in_our_tables(route.key)) return true;
  return std::any_of(former_.begin(), former_.end(), [&](const OwnedTable& former) {
    return former.protocol == route.protocol && former.table == route.key.table;
  });
}

void Forwarder::on_route(const KernelRoute& route, Heard heard) {
  if (!written_by_us(route)) return on_foreign_route(route, heard);
  if (!route.unicast) return;
  Forwarding forwarding = normalized(route.forwarding);
  if (route.protocol != options_.protocol) forwarding.former_protocol = route.protocol;
  if (heard == Heard::notified && route.placement != Placement::replaced) {
    // A second one beside ours, or ours and one more next hop: the table tells.
    const auto known = reconciler_.find(route.key);
    if (known && known->kernel != kNoForwarding && known->target != kNoTarget && !known->in_flight) {
      if (forwardings_[known->kernel] != forwarding) wanted_.routes = true;
      return;
    }
  }
  // A dump shows routes with one key in the kernel's order. A foreign one may come before a route of an earlier run of
  // ours, which was not known then.
  if (heard == Heard::dumped) {
    if (const ForeignRoute* theirs = map_.foreign().on_ours_dumped(route.key)) {
      mark(Stage::guard);
      note_ahead(route.key, "a route of protocol " + std::to_string(theirs->protocol) + " is");
    }
  }
  // It may have taken the place of a foreign one.
  if (heard == Heard::notified && map_.foreign().occupies(route.key)) wanted_.routes = true;
  const Intrusion by{route.port_id, route.protocol, false};
  if (reconciler_.on_kernel_route(route.key, forwarding, heard, by)) note_repair(route.key, "is not as we left it", by);
}

void Forwarder::on_foreign_route(const KernelRoute& route, Heard heard) {
  if (route.key.table != kMainTable && route.key.table != options_.table) return;
  // IPv6 has these on every interface, with one key: nothing depends on them.
  if (route.key.prefix.family == Family::ipv6 && route.key.prefix.octets[0] >= 0xFE) return;
  const ForeignRoute foreign{route.key, route.protocol, route.unicast, route.forwarding.vias};
  bool ours_there = false;
  if (reconciler_.counts().installed != 0 && in_our_tables(route.key)) {
    const auto ours = reconciler_.find(route.key);
    ours_there = ours && ours->kernel != kNoForwarding && !forwardings_[ours->kernel].taken_over;
    if (heard == Heard::dumped) {
      // The kernel lists routes with one key in its order. Ours may follow; if it does not, this one replaced it,
      // unless it was known beside ours before: then ours was removed.
      const bool ahead = ours_there && !ours->seen;
      const bool replaces = ours && ours->kernel != kNoForwarding && !ours_there && ours->target != kNoTarget;
      if (replaces || (ahead && ours->target != kNoTarget && !map_.foreign().knows(foreign)))
        replaced_unseen_.push_back(route.key);
      mark(Stage::guard, map_.foreign().on_dumped(foreign, ahead || replaces));
      return;
    }
    const bool behind_another = map_.foreign().ahead(route.key) != nullptr;
    const bool overwritten = ours && ours->kernel != kNoForwarding && route.placement == Placement::replaced;
    if (overwritten && !behind_another) {
      // `ip route replace` says "proto boot".
      Forwarding theirs = normalized(route.forwarding);
      theirs.taken_over = true;
      const Intrusion by{route.port_id, route.protocol, false};
      if (ours->target == kNoTarget) {
        reconciler_.on_kernel_gone(route.key, heard);
      } else {
        if (reconciler_.on_kernel_route(route.key, theirs, heard, by))
          note_repair(route.key, "was overwritten by protocol " + std::to_string(route.protocol), by);
        return;
      }
    }
  }
  if (heard == Heard::dumped) {
    mark(Stage::guard, map_.foreign().on_dumped(foreign, false));
  } else {
    mark(Stage::guard, map_.foreign().on_route(foreign, route.placement, ours_there));
  }
  if (ours_there && heard == Heard::notified && map_.foreign().ahead(route.key) != nullptr)
    note_ahead(route.key, text_of_port(route.port_id) + " put a route of protocol " + std::to_string(route.protocol));
}

void Forwarder::on_route_gone(const KernelRoute& route) {
  if (written_by_us(route)) {
    const Intrusion by{route.port_id, route.protocol, true};
    if (reconciler_.on_kernel_gone(route.key, Heard::notified, by)) note_repair(route.key, "was removed", by);
    return;
  }
  mark(Stage::parked);  // It may have sat where one of ours goes.
  if (route.key.table != kMainTable && route.key.table != options_.table) return;
  switch (map_.foreign().on_gone({route.key, route.protocol, route.unicast, route.forwarding.vias})) {
    case ForeignRoutes::Gone::erased:
      // The dump that runs may have shown it before it went.
      if (dumps_running_ != 0) wanted_.routes = true;
      mark(Stage::guard);
      break;
    case ForeignRoutes::Gone::shrunk:
      mark(Stage::guard);
      break;
    case ForeignRoutes::Gone::unknown:
      if (map_.foreign().exact(route.key.prefix) != nullptr) wanted_.routes = true;
  }
  // What was taken over by it is not there any more.
  if (reconciler_.counts().installed != 0 && in_our_tables(route.key)) {
    const auto ours = reconciler_.find(route.key);
    if (ours && ours->kernel != kNoForwarding && forwardings_[ours->kernel].taken_over)
      reconciler_.on_kernel_gone(route.key, Heard::notified);
  }
}

void Forwarder::on_next_hop(const KernelNextHop& next_hop) { groups_.on_kernel_next_hop(next_hop); }
void Forwarder::on_next_hop_gone(NextHopId id) { groups_.on_kernel_gone(id); }

void Forwarder::on_overrun() {
  ++counters_.overruns;
  log(LogLevel::warning, "the kernel had to drop notifications: reading its tables again");
  wanted_ = {true, true, true};
}

void Forwarder::begin_dump(DumpPart part) {
  switch (part) {
    case DumpPart::links:
      map_.begin_dump();
      break;
    case DumpPart::next_hops:
      groups_.begin_dump();
      break;
    case DumpPart::routes:
      reconciler_.begin_dump();
      map_.foreign().begin_dump();
      replaced_unseen_.clear();
  }
}

void Forwarder::end_dump(DumpPart part, bool complete, Time now) {
  ++counters_.dumps;
  now_ = now;
  if (!complete) {
    if (part == DumpPart::links) wanted_.links = true;
    if (part == DumpPart::next_hops) wanted_.next_hops = true;
    if (part == DumpPart::routes) wanted_.routes = true;
  }
  switch (part) {
    case DumpPart::links:
      if (complete) on_link_or_address(map_.end_dump());
      mark(Stage::sets);
      mark(Stage::guard);
      break;
    case DumpPart::next_hops:
      if (complete) groups_.end_dump();
      break;
    case DumpPart::routes: {
      // A foreign route stands where ours was, which the dump has not shown: it overwrote ours.
      for (const RouteKey& key : std::exchange(replaced_unseen_, {})) {
        const auto ours = reconciler_.find(key);
        const ForeignRoute* theirs = map_.foreign().ahead(key);
        if (!complete || !ours || ours->seen || ours->target == kNoTarget || theirs == nullptr) continue;
        Forwarding taken{theirs->vias, kNoNextHopId, true, {}};
        const std::uint8_t protocol = theirs->protocol;
        map_.foreign().forget_ahead(key);
        if (reconciler_.on_kernel_route(key, taken, Heard::dumped)) {
          note_repair(key, "was overwritten by protocol " + std::to_string(protocol), {});
        } else {
          wanted_.routes = true;  // Ours was written while the dump ran: which was first?
        }
      }
      const std::uint64_t drift = reconciler_.totals().drift;
      reconciler_.end_dump(complete);
      if (const auto missing = reconciler_.totals().drift - drift; missing != 0)
        log_bounded(repairs_logged_, LogLevel::info,
                    std::to_string(missing) + " routes of ours were missing: repaired");
      if (complete) {
        mark(Stage::guard, map_.foreign().end_dump());
        mark(Stage::guard, injector_.claim_again());  // Routes that were held back for that are evaluated again.
        look_for_clean_tables();
      }
      if (comparing_ && complete) {
        compare();
        comparison_done_ = std::exchange(comparing_, std::nullopt);
      }
      reconciler_.rescan();  // What was given up on gets its retry with each comparison.
    }
  }
  if (--dumps_running_ != 0) return;
  next_dump_at_ = now + std::max(kDumpSpacing, kDumpShare * (now - dump_began_));
  if (options_.audit_interval > Duration::zero()) next_audit_ = now + options_.audit_interval;
  if (!ready_ && !wanted_.any()) {
    ready_ = true;
    mark(Stage::next_hops, map_.set_ready());
    mark(Stage::guard);
    mark(Stage::sets);
    if (reconciler_.counts().adopted != 0)
      log(LogLevel::info, std::to_string(reconciler_.counts().installed) + " routes of an earlier run are adopted");
    for (const auto& [key, watched] : watched_)
      next_hop_changes_.push_back(state_of(key.first, key.second, map_.resolution(watched.ref)));
    if (adoption_over_) {
      finish_adoption();
    } else {
      adopt_until_ = now + options_.adopt_timeout;
    }
  }
}

void Forwarder::no_next_hop_objects() {
  if (!std::exchange(kernel_has_objects_, false)) return;
  if (std::exchange(use_groups_, false))
    log(LogLevel::info, "this kernel has no next-hop objects: each route carries its next hops itself");
  injector_.give_up_groups();
}

std::string Forwarder::text_of_port(std::uint32_t port_id) const {
  if (port_id == 0) return "the kernel";
  return port_name_ ? port_name_(port_id) : "netlink port " + std::to_string(port_id);
}

void Forwarder::log_bounded(LineBudget& budget, LogLevel level, std::string_view line) {
  if (budget.take(now_)) log(level, line);
}

void Forwarder::note_repair(const RouteKey& key, std::string_view what, const Intrusion& by) {
  if (log_ == nullptr || !log_->wants(LogLevel::info, LogArea::fib)) return;
  log_bounded(repairs_logged_, LogLevel::info,
              "route " + to_text(key) + " " + std::string(what) +
                  (by.port_id != 0 ? " by " + text_of_port(by.port_id) : std::string{}) + ": repaired");
}

void Forwarder::note_ahead(const RouteKey& key, const std::string& what) {
  if (log_ == nullptr || !log_->wants(LogLevel::warning, LogArea::fib)) return;
  log_bounded(ahead_logged_, LogLevel::warning,
              "route " + to_text(key) + ": " + what +
                  " in front of ours: packets follow that one until it goes ('ip route show " + to_text(key.prefix) +
                  "')");
}

/// News that come in numbers: some lines of them, and how many there were.
void Forwarder::log_news() {
  for (const Contest& contest : reconciler_.take_contests()) {
    const std::string how =
        contest.last.removed ? "removed" : "changed to protocol " + std::to_string(contest.last.protocol);
    log_bounded(contests_logged_, LogLevel::warning,
                "route " + to_text(contest.key) + " was " + how + " by " + text_of_port(contest.last.port_id) +
                    " again after " + std::to_string(contest.repairs) + " repairs: the next one is in " +
                    std::to_string(contest.wait / std::chrono::seconds{1}) +
                    " s; end that program, or give one of the two another fib.table");
  }
  const Injector::HeldNews held = injector_.take_held_news();
  for (const auto& [prefix, why] : held.some)
    log_bounded(held_logged_, LogLevel::warning,
                "route " + to_text(prefix) + " is not installed: " + std::string(to_text(why.refusal)) +
                    (why.detail.empty() ? "" : " (" + why.detail + ")"));
  if (held.count > held.some.size()) held_logged_.miss(held.count - held.some.size());
  if (const auto missed = repairs_logged_.take_missed(now_); missed != 0)
    log(LogLevel::info, std::to_string(missed) + " more routes of ours were changed and repaired");
  if (const auto missed = held_logged_.take_missed(now_); missed != 0)
    log(LogLevel::warning, std::to_string(missed) + " more routes are not installed: 'bgplite show fib' tells each");
  if (const auto missed = contests_logged_.take_missed(now_); missed != 0)
    log(LogLevel::warning, std::to_string(missed) + " more repairs wait because another program undoes them");
  if (const auto missed = ahead_logged_.take_missed(now_); missed != 0)
    log(LogLevel::warning, std::to_string(missed) + " more routes were put in front of ours");
}

void Forwarder::look_for_clean_tables() {
  if (reconciler_.adopting() || dumps_running_ > 1) return;
  std::vector<OwnedTable> unused = former_;
  for (const std::uint32_t table : injector_.tables())
    if (!injector_.uses(table)) unused.push_back({table, options_.protocol, id_base_});
  if (unused.empty()) return;
  std::set<std::pair<std::uint32_t, std::uint8_t>> left;
  reconciler_.for_each([&](const Reconciler::View& view) {
    if (view.kernel == kNoForwarding && !view.in_flight) return;
    const std::uint8_t former = view.kernel == kNoForwarding ? 0 : forwardings_[view.kernel].former_protocol;
    left.insert({view.key.table, former != 0 ? former : options_.protocol});
  });
  for (const OwnedTable& one : unused) {
    const bool in_use = options_.enabled && one.protocol == options_.protocol &&
                        injector_.tables().contains(one.table) && injector_.uses(one.table);
    if (!in_use && left.contains({one.table, one.protocol})) continue;
    const bool present_range = one.protocol == options_.protocol && one.next_hop_id_base == id_base_;
    if (!present_range && kernel_has_objects_ && groups_.any_left(one.next_hop_id_base, one.protocol)) continue;
    std::erase(former_, one);
    if (present_range && one.table != options_.table) injector_.drop_table(one.table);
    owned_changed_ = true;
  }
}

}  // namespace minibgp::fib
