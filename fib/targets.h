/// Targets: what routes should be in the kernel. A target is a cell that holds one Forwarding, and any number of routes
/// point to it: when the next hops of a set change, one cell changes, and no route is touched until the reconciler's
/// scan finds those whose kernel side now differs.
#pragma once

#include <bgp/base/slab.h>
#include <fib/forwarding.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace minibgp::fib {

/// 0 is "no route desired".
enum class TargetId : std::uint32_t {};
inline constexpr TargetId kNoTarget{0};

/// All O(1), but for take_idle().
class Targets {
 public:
  /// `forwardings` outlives it.
  explicit Targets(ForwardingTable& forwardings) : forwardings_(forwardings) { (void)cells_.insert(); }

  [[nodiscard]] TargetId make(ForwardingId want);  ///< Takes its own reference.
  /// All routes of the target should be `want` from now on; kNoForwarding: should not be in the kernel.
  void set(TargetId target, ForwardingId want);
  /// Gives back a target that no route points to.
  void release(TargetId target);
  [[nodiscard]] ForwardingId want_of(TargetId target) const { return cells_[index(target)].want; }
  [[nodiscard]] std::uint32_t routes_of(TargetId target) const { return cells_[index(target)].routes; }

  /// A route points to `to` that pointed to `from` before.
  void move_route(TargetId from, TargetId to);
  /// Targets whose last route left since the last call, and that have none.
  [[nodiscard]] std::vector<TargetId> take_idle();
  /// Whether a target with routes changed since the last take_changed(): they are to be compared.
  [[nodiscard]] bool changed() const { return changed_; }
  [[nodiscard]] bool take_changed() { return std::exchange(changed_, false); }

 private:
  struct Cell {
    ForwardingId want = kNoForwarding;
    std::uint32_t routes = 0;
    bool idle_listed = false;
  };
  static std::uint32_t index(TargetId id) { return static_cast<std::uint32_t>(id); }

  ForwardingTable& forwardings_;
  base::Slab<Cell, 64> cells_;  ///< The first is kNoTarget's.
  std::vector<TargetId> idle_;
  bool changed_ = false;
};

}  // namespace minibgp::fib
