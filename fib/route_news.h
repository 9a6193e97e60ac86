/// RouteNews: what a route that the kernel tells of means, in a dump or a notification: ours as we left it, ours
/// changed by another program, a foreign one in front of ours, behind it or in its place. The reconciler gets what is
/// ours, the foreign routes get the rest, and where a notification leaves open what the kernel has, a dump is asked
/// for.
///
/// The path of a dump of a million routes: no allocation and no virtual call for one that is as we know it.
#pragma once

#include <fib/dump_schedule.h>
#include <fib/event_log.h>
#include <fib/foreign_routes.h>
#include <fib/forwarding.h>
#include <fib/kernel_port.h>
#include <fib/reconciler.h>
#include <fib/stages.h>
#include <fib/table_ownership.h>

#include <vector>

namespace minibgp::fib {

class RouteNews {
 public:
  /// What it reads and tells. All outlive it.
  struct Parts {
    ForwardingTable& forwardings;
    Reconciler& reconciler;
    ForeignRoutes& foreign;
    const TableOwnership& ownership;
    DumpSchedule& dumps;
    Stages& stages;
    EventLog& log;
  };
  explicit RouteNews(const Parts& parts) : my_(parts) {}

  void on_route(const KernelRoute& route, Heard heard, Time now);
  void on_gone(const KernelRoute& route, Time now);
  void begin_dump();
  /// `complete` as DumpEnded::complete.
  void end_dump(bool complete, Time now);

 private:
  void on_foreign(const KernelRoute& route, Heard heard, Time now);
  /// Of another program's route, with a key that one of ours may have. `ours` is what is known of that.
  using Ours = std::optional<Reconciler::View>;
  void on_foreign_dumped(const ForeignRoute& foreign, const Ours& ours, bool ours_there);
  [[nodiscard]] bool overwrites(const KernelRoute& route, const Ours& ours, Time now);
  /// Routes of other tables than this run's and the main one do not matter.
  [[nodiscard]] bool matters(std::uint32_t table) const {
    return table == kMainTable || table == my_.ownership.table();
  }
  [[nodiscard]] bool is_taken_over(const Ours& ours) const;
  void settle_replaced(bool complete, Time now);

  Parts my_;
  std::vector<RouteKey> replaced_unseen_;  ///< Ours that the running dump has not shown, though a foreign one.
};

}  // namespace minibgp::fib
