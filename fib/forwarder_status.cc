// Forwarder: its state as others see it, and the comparison of what is desired with what the kernel has.
#include <bgp/text.h>
#include <fib/forwarder.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <tuple>

namespace minibgp::fib {
namespace {

constexpr std::size_t kDifferencesKept = 100;  // Of a comparison, for people.

}  // namespace

bool Forwarder::present(const Prefix& prefix, NetworkWatch watch) const {
  if (watch == NetworkWatch::exact_route) return map_.foreign().exact(prefix) != nullptr;
  const ForeignRoute* route = map_.foreign().covering(prefix);
  return route != nullptr && route->key.prefix.length_bits != 0;
}

NextHopState Forwarder::state_of(PeerId peer, const IpAddress& next_hop, const Resolution& resolution) const {
  NextHopState state;
  state.peer = peer;
  state.next_hop = next_hop;
  state.usable = resolution.usable;
  state.cost = resolution.cost;
  state.reason = resolution.reason;
  state.detail = resolution.detail;
  if (resolution.usable) {
    state.gateway = resolution.via.gateway;
    state.interface = map_.name_of(resolution.via.interface);
  }
  return state;
}

FibStatus Forwarder::status() const {
  FibStatus status;
  status.enabled = options_.enabled;
  status.next_hop_objects = use_groups_ && options_.enabled;
  status.synchronized = idle();
  status.adopting = reconciler_.adopting();
  status.table = options_.table;
  status.metric = options_.metric;
  status.protocol = options_.protocol;
  status.desired = reconciler_.counts().desired;
  status.installed = reconciler_.counts().installed;
  status.pending = reconciler_.pending();
  status.held = injector_.held().size() + injector_.refused_static().size();
  status.refused = reconciler_.refused() + status.held;
  map_.foreign().for_each_ahead([&](const ForeignRoute& theirs) {
    const auto ours = reconciler_.find(theirs.key);
    if (ours && ours->kernel != kNoForwarding) ++status.refused;
  });
  status.contested = reconciler_.contested();
  status.adopted = reconciler_.counts().adopted;
  status.counters = counters_;
  const Reconciler::Totals& totals = reconciler_.totals();
  status.counters.route_adds = totals.adds;
  status.counters.route_replaces = totals.replaces;
  status.counters.route_removes = totals.removes;
  status.counters.group_changes = groups_.changes();
  status.counters.drift_repaired = totals.drift + groups_.drift();
  status.counters.kernel_refusals += totals.refusals;
  return status;
}

RouteStatus Forwarder::status_of(const Reconciler::View& view) const {
  RouteStatus status;
  status.key = view.key;
  status.desired = view.target != kNoTarget;
  status.installed = view.kernel != kNoForwarding;
  status.adopted = view.adopted;
  status.from_static = injector_.is_static(view.key);
  status.error = view.error;
  const bool equal = view.kernel == view.desired ||
                     (view.kernel != kNoForwarding && view.desired != kNoForwarding && same(view.kernel, view.desired));
  status.in_sync = !view.in_flight && equal && !(view.adopted && view.target == kNoTarget);
  const ForwardingId shown = view.desired != kNoForwarding ? view.desired : view.kernel;
  if (shown != kNoForwarding) {
    status.vias = injector_.vias_of(forwardings_[shown]);
    status.preferred_source = forwardings_[shown].preferred_source;
  }
  if (view.kernel != kNoForwarding) status.next_hop = forwardings_[view.kernel].next_hop;
  const ForeignRoute* ahead = status.installed ? map_.foreign().ahead(view.key) : nullptr;
  if (ahead != nullptr) {
    status.refusal = Refusal::foreign_ahead;
    status.refusal_detail = "protocol " + std::to_string(ahead->protocol);
    status.in_sync = false;
  } else if (view.contested) {
    status.refusal = Refusal::contested;
    if (const auto by = reconciler_.contested_by(view.key)) status.refusal_detail = text_of_port(by->port_id);
  } else if (view.error != 0) {
    const bool foreign = view.error == EEXIST && map_.foreign().occupies(view.key);
    status.refusal = foreign ? Refusal::foreign_route : Refusal::kernel;
    if (!foreign) status.refusal_detail = std::strerror(view.error);
  } else if (status.desired && view.desired == kNoForwarding) {
    status.refusal = Refusal::no_usable_next_hop;
  }
  return status;
}

/// The truth at the end of a dump: what is desired and not there as desired, and what is there and not desired.
void Forwarder::compare() {
  const auto differs = [this](std::string line, bool repairable) {
    ++comparing_->difference_count;
    if (repairable) ++comparing_->repairable;
    if (comparing_->differences.size() < kDifferencesKept) comparing_->differences.push_back(std::move(line));
  };
  reconciler_.for_each([&](const Reconciler::View& view) {
    if (view.target == kNoTarget && view.kernel == kNoForwarding) return;
    ++comparing_->compared;
    if (view.in_flight) return;  // A change that is on its way is no difference.
    const bool left_over = view.adopted && view.target == kNoTarget;
    if (!view.work_due && view.error == 0 && !view.contested && !left_over && map_.foreign().ahead(view.key) == nullptr)
      return;
    const RouteStatus status = status_of(view);
    const std::string name = to_text(view.key);
    // Without a usable next hop it is right that there is none.
    if (status.desired && status.refusal != Refusal::none && status.refusal != Refusal::no_usable_next_hop) {
      differs(name + (status.installed ? " is not in use: " : " is not installed: ") +
                  std::string(to_text(status.refusal)) +
                  (status.refusal_detail.empty() ? "" : " (" + status.refusal_detail + ")"),
              false);
    } else if (left_over) {
      differs(name + " is of an earlier run: kept until the restart is over", false);
    } else if (view.work_due) {
      differs(name + (view.target == kNoTarget       ? " is not desired: it is removed"
                      : view.kernel == kNoForwarding ? " was missing: repaired"
                                                     : " is not as we left it: repaired"),
              true);
    }
  });
  const auto held = [&](const RouteKey& key, const Injector::Held& why) {
    if (why.refusal == Refusal::static_route) return;
    ++comparing_->compared;
    differs(to_text(key) + " is not installed: " + std::string(to_text(why.refusal)) +
                (why.detail.empty() ? "" : " (" + why.detail + ")"),
            false);
  };
  for (const auto& [key, why] : injector_.held()) held(key, why);
  for (const auto& [key, why] : injector_.refused_static()) held(key, why);
  if (kernel_has_objects_ && !reconciler_.adopting())
    if (const std::size_t objects = groups_.unwanted(); objects != 0)
      differs(std::to_string(objects) + " next-hop objects of ours are not desired: removed", true);
}

std::vector<RouteStatus> Forwarder::routes(const FibRouteFilter& filter) const {
  std::vector<RouteStatus> result;
  const auto matches = [&](const Prefix& prefix) {
    return !filter.prefix || (filter.longer ? filter.prefix->covers(prefix) : *filter.prefix == prefix);
  };
  const auto add = [&](RouteStatus status) {
    if (filter.only_out_of_sync && status.in_sync && status.refusal == Refusal::none) return;
    result.push_back(std::move(status));
  };
  reconciler_.for_each([&](const Reconciler::View& view) {
    if (matches(view.key.prefix)) add(status_of(view));
  });
  const auto add_held = [&](const RouteKey& key, const Injector::Held& held, bool from_static) {
    if (!matches(key.prefix) || held.refusal == Refusal::static_route) return;
    RouteStatus status;
    status.key = key;
    status.desired = true;
    status.from_static = from_static;
    status.refusal = held.refusal;
    status.refusal_detail = held.detail;
    add(std::move(status));
  };
  for (const auto& [key, held] : injector_.held()) add_held(key, held, false);
  for (const auto& [key, held] : injector_.refused_static()) add_held(key, held, true);
  std::sort(result.begin(), result.end(), [](const RouteStatus& a, const RouteStatus& b) {
    return std::tie(a.key.prefix.family, a.key) < std::tie(b.key.prefix.family, b.key);
  });
  if (result.size() > filter.max) result.resize(filter.max);
  return result;
}

std::vector<GroupStatus> Forwarder::groups() const {
  std::vector<GroupStatus> result;
  if (!kernel_has_objects_) return result;
  std::map<NextHopId, std::size_t> users;
  reconciler_.for_each([&](const Reconciler::View& view) {
    if (view.kernel != kNoForwarding) ++users[forwardings_[view.kernel].next_hop];
  });
  groups_.for_each([&](NextHopId id, const std::vector<GroupMember>& members, bool adopted) {
    GroupStatus status{id, {}, users[id], adopted};
    for (const GroupMember& member : members) status.vias.push_back(member.via);
    result.push_back(std::move(status));
  });
  return result;
}

std::vector<NextHopState> Forwarder::next_hops() const {
  std::vector<NextHopState> result;
  map_.for_each([&](NextHopRef, const TrackedNextHop& tracked, const Resolution& resolution) {
    if (static_cast<std::uint32_t>(tracked.source) > 0xFFFF) return;
    result.push_back(
        state_of(PeerId{static_cast<std::uint16_t>(tracked.source)}, tracked.next_hop.address, resolution));
  });
  return result;
}

std::vector<MemoryUse> Forwarder::memory() const {
  const std::size_t routes = std::max(reconciler_.counts().desired, reconciler_.counts().installed);
  return {{"fib routes", routes, reconciler_.record_octets()},
          {"fib route index", routes, reconciler_.index_octets()},
          {"fib forwardings", forwardings_.size(), forwardings_.octets()}};
}

}  // namespace minibgp::fib
