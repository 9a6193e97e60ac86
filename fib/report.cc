#include <bgp/text.h>
#include <fib/report.h>
#include <fib/watches.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <tuple>

namespace minibgp::fib {
namespace {

constexpr std::size_t kDifferencesKept = 100;  // Of a comparison, for people.

enum class Repairable : std::uint8_t { no, yes };

void add(Comparison& to, std::string line, Repairable repairable) {
  ++to.difference_count;
  if (repairable == Repairable::yes) ++to.repairable;
  if (to.differences.size() < kDifferencesKept) to.differences.push_back(std::move(line));
}

std::string text_of(Refusal refusal, const std::string& detail) {
  return std::string(to_text(refusal)) + (detail.empty() ? "" : " (" + detail + ")");
}

}  // namespace

FibStatus Report::status() const {
  FibStatus status;
  status.enabled = of_.options.enabled;
  status.next_hop_objects = of_.injector.uses_objects() && of_.options.enabled;
  status.adopting = of_.reconciler.adopting();
  status.table = of_.options.table;
  status.metric = of_.options.metric;
  status.protocol = of_.options.protocol;
  status.desired = of_.reconciler.counts().desired;
  status.installed = of_.reconciler.counts().installed;
  status.pending = of_.reconciler.pending();
  status.held = of_.injector.held().size() + of_.injector.refused_static().size();
  status.refused = of_.reconciler.refused().count() + status.held;
  of_.map.foreign().for_each_ahead([&](const ForeignRoute& theirs) {
    const auto ours = of_.reconciler.find(theirs.key);
    if (ours && ours->kernel != kNoForwarding) ++status.refused;
  });
  status.contested = of_.reconciler.contested().waiting();
  status.adopted = of_.reconciler.counts().adopted;
  const Reconciler::Totals& totals = of_.reconciler.totals();
  status.counters.route_adds = totals.adds;
  status.counters.route_replaces = totals.replaces;
  status.counters.route_removes = totals.removes;
  status.counters.group_changes = of_.groups.changes();
  status.counters.drift_repaired = totals.drift + of_.groups.drift();
  status.counters.kernel_refusals = totals.refusals;
  return status;
}

// Two ids may hold the same next hops: an adopted object and the one that a set would make.
bool Report::equal(ForwardingId kernel, ForwardingId desired) const {
  return kernel == desired || (kernel != kNoForwarding && desired != kNoForwarding &&
                               of_.groups.same(of_.forwardings[kernel], of_.forwardings[desired]));
}

RouteStatus Report::status_of(const Reconciler::View& view) const {
  RouteStatus status;
  status.key = view.key;
  status.desired = view.target != kNoTarget;
  status.installed = view.kernel != kNoForwarding;
  status.adopted = view.adopted;
  status.from_static = of_.injector.is_static(view.key);
  status.error = view.error;
  // An adopted route without a target is what an earlier run left; it cannot be right by itself.
  status.in_sync = !view.in_flight && equal(view.kernel, view.desired) && !(view.adopted && view.target == kNoTarget);
  // What should be is shown before what is.
  const ForwardingId shown = view.desired != kNoForwarding ? view.desired : view.kernel;
  if (shown != kNoForwarding) {
    status.vias = of_.injector.vias_of(of_.forwardings[shown]);
    status.preferred_source = of_.forwardings[shown].preferred_source;
  }
  if (view.kernel != kNoForwarding) status.next_hop = of_.forwardings[view.kernel].next_hop;
  // First: whatever else is wrong with a route, while another is in front it is not used.
  const ForeignRoute* ahead = status.installed ? of_.map.foreign().ahead(view.key) : nullptr;
  if (ahead != nullptr) {
    status.refusal = Refusal::foreign_ahead;
    status.refusal_detail = "protocol " + std::to_string(ahead->protocol);
    status.in_sync = false;
  } else if (view.contested) {
    status.refusal = Refusal::contested;
    if (const auto by = of_.reconciler.contested().by(view.key)) status.refusal_detail = of_.log.port_text(by->port_id);
  } else if (view.error != 0) {
    // EEXIST alone does not say whose route is in the way.
    const bool foreign = view.error == EEXIST && of_.map.foreign().occupies(view.key);
    status.refusal = foreign ? Refusal::foreign_route : Refusal::kernel;
    if (!foreign) status.refusal_detail = std::strerror(view.error);
  } else if (status.desired && view.desired == kNoForwarding) {
    status.refusal = Refusal::no_usable_next_hop;
  }
  return status;
}

Comparison Report::compare() const {
  Comparison result;
  of_.reconciler.for_each([&](const Reconciler::View& view) { compare(view, result); });
  const auto held = [&](const RouteKey& key, const Injector::Held& why) {
    // The learned route of a static one is not missing: its key has the static route.
    if (why.refusal == Refusal::static_route) return;
    ++result.compared;
    add(result, to_text(key) + " is not installed: " + text_of(why.refusal, why.detail), Repairable::no);
  };
  for (const auto& [key, why] : of_.injector.held()) held(key, why);
  for (const auto& [key, why] : of_.injector.refused_static()) held(key, why);
  // During adoption objects of an earlier run are still waited for.
  if (of_.injector.kernel_has_objects() && !of_.reconciler.adopting())
    if (const std::size_t objects = of_.groups.unwanted(); objects != 0)
      add(result, std::to_string(objects) + " next-hop objects of ours are not desired: removed", Repairable::yes);
  return result;
}

void Report::compare(const Reconciler::View& view, Comparison& into) const {
  if (view.target == kNoTarget && view.kernel == kNoForwarding) return;
  ++into.compared;
  if (view.in_flight) return;  // A change that is on its way is no difference.
  const bool left_over = view.adopted && view.target == kNoTarget;
  // Nearly all of a million routes end here: no status is made for them.
  if (!view.work_due && view.error == 0 && !view.contested && !left_over &&
      of_.map.foreign().ahead(view.key) == nullptr)
    return;
  const RouteStatus status = status_of(view);
  const std::string name = to_text(view.key);
  // Without a usable next hop it is right that there is none.
  if (status.desired && status.refusal != Refusal::none && status.refusal != Refusal::no_usable_next_hop) {
    add(into,
        name + (status.installed ? " is not in use: " : " is not installed: ") +
            text_of(status.refusal, status.refusal_detail),
        Repairable::no);
  } else if (left_over) {
    add(into, name + " is of an earlier run: kept until the restart is over", Repairable::no);
  } else if (view.work_due) {
    add(into,
        name + (view.target == kNoTarget       ? " is not desired: it is removed"
                : view.kernel == kNoForwarding ? " was missing: repaired"
                                               : " is not as we left it: repaired"),
        Repairable::yes);
  }
}

bool shown_before(const RouteStatus& a, const RouteStatus& b) {
  return std::tie(a.key.prefix.family, a.key) < std::tie(b.key.prefix.family, b.key);
}

std::vector<RouteStatus> Report::routes(const FibRouteFilter& filter) const {
  // Collected in the order of ids, then sorted.
  std::vector<RouteStatus> result;
  RouteCursor all;
  routes_part(filter, all, SIZE_MAX, result);
  std::sort(result.begin(), result.end(), shown_before);
  if (result.size() > filter.max) result.resize(filter.max);
  return result;
}

void Report::routes_part(const FibRouteFilter& filter, RouteCursor& at, std::size_t steps,
                         std::vector<RouteStatus>& found) const {
  using Stage = RouteCursor::Stage;
  const auto matches = [&](const Prefix& prefix) {
    return !filter.prefix || (filter.longer ? filter.prefix->covers(prefix) : *filter.prefix == prefix);
  };
  const auto add = [&](RouteStatus status) {
    if (filter.only_out_of_sync && status.in_sync && status.refusal == Refusal::none) return;
    found.push_back(std::move(status));
  };
  const auto add_held = [&](const std::map<RouteKey, Injector::Held>& all, bool from_static) {
    // By key and not by iterator: the map may have changed since the part before.
    auto next = at.after ? all.upper_bound(*at.after) : all.begin();
    for (; next != all.end() && steps != 0; ++next, --steps) {
      const auto& [key, held] = *next;
      at.after = key;
      if (!matches(key.prefix) || held.refusal == Refusal::static_route) continue;
      RouteStatus status;
      status.key = key;
      status.desired = true;
      status.from_static = from_static;
      status.refusal = held.refusal;
      status.refusal_detail = held.detail;
      add(std::move(status));
    }
    return next == all.end();
  };
  if (at.stage == Stage::records) {
    at.record = of_.reconciler.for_each(at.record, steps, [&](const Reconciler::View& view) {
      --steps;
      if (matches(view.key.prefix)) add(status_of(view));
    });
    if (at.record == 0) at.stage = Stage::held;
  }
  // A stage that ends leads on within the same part, as far as `steps` reaches.
  if (at.stage == Stage::held && add_held(of_.injector.held(), false)) at = {Stage::refused_static, 0, std::nullopt};
  if (at.stage == Stage::refused_static && add_held(of_.injector.refused_static(), true)) at.stage = Stage::end;
}

std::vector<GroupStatus> Report::groups() const {
  std::vector<GroupStatus> result;
  if (!of_.injector.kernel_has_objects()) return result;
  // O(routes).
  std::map<NextHopId, std::size_t> users;
  of_.reconciler.for_each([&](const Reconciler::View& view) {
    if (view.kernel != kNoForwarding) ++users[of_.forwardings[view.kernel].next_hop];
  });
  of_.groups.for_each([&](NextHopId id, const std::vector<GroupMember>& members, bool adopted) {
    GroupStatus status{id, {}, users[id], adopted};
    for (const GroupMember& member : members) status.vias.push_back(member.via);
    result.push_back(std::move(status));
  });
  return result;
}

std::vector<NextHopState> Report::next_hops() const {
  std::vector<NextHopState> result;
  of_.map.for_each([&](NextHopRef, const TrackedNextHop& tracked, const Resolution& resolution) {
    // Sources beyond 16 bits are not peers.
    if (static_cast<std::uint32_t>(tracked.source) > 0xFFFF) return;
    result.push_back(
        state_of(PeerId{static_cast<std::uint16_t>(tracked.source)}, tracked.next_hop.address, resolution, of_.map));
  });
  return result;
}

std::vector<MemoryUse> Report::memory() const {
  const std::size_t routes = std::max(of_.reconciler.counts().desired, of_.reconciler.counts().installed);
  return {{"fib routes", routes, of_.reconciler.record_octets()},
          {"fib route index", routes, of_.reconciler.index_octets()},
          {"fib forwardings", of_.forwardings.size(), of_.forwardings.octets()}};
}

}  // namespace minibgp::fib
