/// Reconciler: drives the kernel's routes toward the desired ones. Two columns, "desired" and "kernel", and the
/// difference; never a queue of commands. Pure: no sockets, no clock, no threads.
///
///   set()/erase(), targets()  ->  next_batch()  ->  [kernel]  ->  on_answers()
///   on_kernel_route() feeds what the kernel has: dumps and notifications.
///
/// Invariant: when idle() holds, the kernel has exactly the desired routes but for those refused (see refused()) and,
/// while adopting, what an earlier run left. Routes of other protocols are never passed in.
///
/// Here is what happens when. The columns and their difference are in route_records.h, what a route should be in
/// targets.h; a route that cannot be written now waits in refused_routes.h or contested_routes.h.
#pragma once

#include <bgp/base/dirty_set.h>
#include <fib/contested_routes.h>
#include <fib/forwarding.h>
#include <fib/kernel_port.h>
#include <fib/refused_routes.h>
#include <fib/route_records.h>
#include <fib/targets.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace minibgp::fib {

class Reconciler {
 public:
  using Occupied = std::function<Foreign(const RouteKey& key)>;
  /// `forwardings` outlives it.
  Reconciler(ForwardingTable& forwardings, RouteRecords::Same same, Occupied occupied,
             RouteRecords::HowViable how_viable);

  // --- Desired. O(1) each -----------------------------------------------------------------------------------------
  /// What routes can point to. A target that changes is compared with its routes by the next calls of next_batch().
  [[nodiscard]] Targets& targets() { return records_.targets(); }
  void set(const RouteKey& key, TargetId target);
  void erase(const RouteKey& key);
  [[nodiscard]] TargetId target_of(const RouteKey& key) const;

  // --- Kernel -----------------------------------------------------------------------------------------------------
  /// `heard` tells news from a dump, whose word may be older than what we did since it began. Both return whether
  /// something changed that was right: it is repaired.
  bool on_kernel_route(const RouteKey& key, const Forwarding& forwarding, Heard heard, Intrusion by = {});
  bool on_kernel_gone(const RouteKey& key, Heard heard, Intrusion by = {});
  /// Another program wrote or removed its own route with this key. Before or after ours that is under way: the table
  /// tells, once that is answered.
  void on_foreign_beside(const RouteKey& key);
  /// A next-hop object ceased to exist, and every route that referred to it with it.
  void on_next_hop_gone(NextHopId id);
  /// Around a dump of our routes. Ours that the dump does not show are gone, unless `complete` is false.
  void begin_dump();
  void end_dump(bool complete);
  /// Compares every route again, some with each next_batch(): call it when the meaning of Forwardings changed.
  void rescan();
  /// Something outside changed (link, address, foreign route): parked and refused routes are worth another try.
  void retry_parked();

  // --- Adoption ---------------------------------------------------------------------------------------------------
  /// While adopting, kernel routes that an earlier run left are kept as they are, also those for which something else
  /// is desired: peers come back one by one, and what the first one says is rarely the last word (a route by two next
  /// hops would be rewritten to one of them, and back). They are compared once, at the end. At the start it adopts.
  /// What leads nowhere is not kept: a route is removed when none of its next hops works, and replaced by the desired
  /// one when one of them does not.
  void finish_adoption();
  [[nodiscard]] bool adopting() const { return records_.adopting(); }

  // --- Work -------------------------------------------------------------------------------------------------------
  /// The next operations, at most `limit`; empty when there is nothing to do now. Valid until the next call.
  /// Looks at no more than a bounded number of routes, so an empty batch with !idle() means: call again.
  [[nodiscard]] std::span<const RouteOp> next_batch(std::size_t limit, Time now);
  /// The answers to one batch: whatever `errors` does not list was done. Batches are answered in order.
  void on_answers(std::span<const RouteOp> batch, std::span<const OpError> errors, Time now);
  /// An answer said that our picture is wrong since the last call: dump the routes again.
  [[nodiscard]] bool take_resync() { return std::exchange(resync_, false); }
  /// When to call next_batch() again without another input; kNever: not.
  [[nodiscard]] Time next_deadline() const { return std::min(refused_.next_deadline(), contested_.next_deadline()); }
  [[nodiscard]] bool has_work() const { return !dirty_.empty() || scan_left_ != 0 || records_.targets().changed(); }
  /// Nothing to do, nothing in flight, nothing waits for a retry.
  [[nodiscard]] bool idle() const {
    return !has_work() && in_flight_ == 0 && refused_.waiting() == 0 && !resync_ && contested_.waiting() == 0;
  }
  /// Contests that began or went on since the last call, at most ContestedRoutes::kContestsKept.
  [[nodiscard]] std::vector<Contest> take_contests() { return contested_.take_contests(); }

  // --- Reading ----------------------------------------------------------------------------------------------------
  struct View {
    RouteKey key;
    TargetId target = kNoTarget;
    ForwardingId desired = kNoForwarding, kernel = kNoForwarding;
    bool adopted = false, in_flight = false;
    bool contested = false;  ///< Its repair waits: see Contest.
    bool seen = false;       ///< By the dump that runs.
    bool work_due = false;   ///< The kernel does not have what is desired.
    int error = 0;           ///< The kernel's last refusal.
  };
  [[nodiscard]] std::optional<View> find(const RouteKey& key) const;
  /// Calls visit(View) for each route, in no particular order. `visit` must not change the reconciler.
  template <typename Visit>
  void for_each(Visit visit) const {
    static_cast<void>(for_each(0, SIZE_MAX, visit));
  }
  /// The same from `first` on, for at most `most` routes. The answer is where to go on; 0: that was all.
  template <typename Visit>
  [[nodiscard]] std::uint32_t for_each(std::uint32_t first, std::size_t most, Visit visit) const {
    std::uint32_t id = records_.next(first);
    for (; id < records_.bound() && most != 0; id = records_.next(id + 1), --most) visit(view(id));
    return id < records_.bound() ? id : 0;
  }
  [[nodiscard]] const RouteRecords::Counts& counts() const { return records_.counts(); }
  [[nodiscard]] std::size_t pending() const {
    return dirty_.size() + in_flight_ + refused_.waiting() + contested_.waiting();
  }
  [[nodiscard]] const RefusedRoutes& refused() const { return refused_; }
  [[nodiscard]] bool waits_for_answers() const { return in_flight_ != 0; }
  [[nodiscard]] const ContestedRoutes& contested() const { return contested_; }
  struct Totals {
    std::uint64_t adds = 0, replaces = 0, removes = 0, refusals = 0, drift = 0;
  };
  [[nodiscard]] const Totals& totals() const { return totals_; }
  [[nodiscard]] std::size_t record_octets() const { return records_.octets(); }
  [[nodiscard]] std::size_t index_octets() const { return records_.index_octets() + dirty_.octets(); }

 private:
  static constexpr std::size_t kScannedPerBatch = 16384;  // About 0.1 ms.

  [[nodiscard]] View view(std::uint32_t id) const;
  void consider(std::uint32_t id);
  void release_if_empty(std::uint32_t id);
  void on_drift(std::uint32_t id, const RouteKey& key, const Intrusion& by);
  void scan(std::size_t limit);
  void add_to_batch(std::uint32_t id, Time now);
  void refuse(const RouteOp& op, int error, Time now);

  ForwardingTable& forwardings_;
  Occupied occupied_;
  RouteRecords records_;
  RefusedRoutes refused_;
  ContestedRoutes contested_;
  base::DirtySet dirty_;
  std::vector<RouteOp> batch_;
  std::size_t in_flight_ = 0;
  std::size_t scan_left_ = 0;  ///< Ids of the slab still to be compared again.
  std::uint32_t scan_at_ = 0;
  bool resync_ = false;
  Totals totals_;
};

}  // namespace minibgp::fib
