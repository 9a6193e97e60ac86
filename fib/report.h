/// Report: what a Forwarder is, as others see it: its routes, groups and next hops, its numbers, and the comparison of
/// what is desired with what the kernel has. Reads, and changes nothing.
#pragma once

#include <bgp/snapshots.h>
#include <fib/event_log.h>
#include <fib/forwarding.h>
#include <fib/injector.h>
#include <fib/next_hop_group.h>
#include <fib/next_hop_map.h>
#include <fib/options.h>
#include <fib/reconciler.h>
#include <fib/status.h>

#include <vector>

namespace minibgp::fib {

class Report {
 public:
  /// What it reads. All outlive it.
  struct Parts {
    const FibOptions& options;
    const ForwardingTable& forwardings;
    const NextHopMap& map;
    const NextHopGroups& groups;
    const Reconciler& reconciler;
    const Injector& injector;
    const EventLog& log;
  };
  explicit Report(const Parts& parts) : of_(parts) {}

  /// Without `synchronized` and the counters that the Forwarder has itself.
  [[nodiscard]] FibStatus status() const;
  [[nodiscard]] std::vector<RouteStatus> routes(const FibRouteFilter& filter) const;
  /// See Fib::routes_part().
  void routes_part(const FibRouteFilter& filter, RouteCursor& at, std::size_t steps,
                   std::vector<RouteStatus>& found) const;
  [[nodiscard]] std::vector<GroupStatus> groups() const;
  [[nodiscard]] std::vector<NextHopState> next_hops() const;
  [[nodiscard]] std::vector<MemoryUse> memory() const;
  /// The truth at the end of a dump: what is desired and not there as desired, and what is there and not desired.
  [[nodiscard]] Comparison compare() const;

 private:
  [[nodiscard]] RouteStatus status_of(const Reconciler::View& view) const;
  [[nodiscard]] bool equal(ForwardingId kernel, ForwardingId desired) const;
  void compare(const Reconciler::View& view, Comparison& into) const;

  Parts of_;
};

}  // namespace minibgp::fib
