/// NextHopGroups: sets of next hops as kernel objects (Linux 5.3). Routes carry the id of a set; when a next hop dies,
/// the set loses it with one message however many routes use the set.
///
/// How: a set of one is a single object; a larger set is a group with member objects of its own. Deleting a member
/// makes the kernel take it out of its group at once, without a word about the routes (0.05 ms under 1 M routes);
/// replacing the group would announce every route while net.ipv4.nexthop_compat_mode is 1, its default (530 ms). So
/// sets only ever shrink, by deleting members; a set that grows is a new group, to which the reconciler moves the
/// routes at its pace. Members are not shared between groups: deleting a shared one could leave another group empty,
/// and the kernel drops the routes of an empty group in one long step.
///
/// Ids are from a range of our own. What an earlier run left is adopted by content and swept when nobody claimed it.
/// Pure: operations out, answers and what the kernel has in.
#pragma once

#include <fib/kernel_answer.h>
#include <fib/kernel_port.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

namespace minibgp::fib {

/// A next hop as a member of a set. Ordered by way first: an adopted set, whose sources nobody knows, has the order of
/// the one that will claim it.
struct GroupMember {
  Via via;
  Source source{};
  auto operator<=>(const GroupMember&) const = default;
};

class NextHopGroups {
 public:
  struct Options {
    std::uint8_t protocol = 0;
    std::uint32_t id_base = 0x62000000;
    std::uint32_t id_count = 65536;
    /// Ranges of the same size whose objects with that protocol an earlier run made: looked up, never taken again.
    std::vector<OwnedTable> former;
  };
  explicit NextHopGroups(const Options& options) : options_(options), next_id_(options.id_base) {}
  /// Before the first dump.
  void set_former(std::span<const OwnedTable> former) { options_.former.assign(former.begin(), former.end()); }

  // --- Sets -------------------------------------------------------------------------------------------------------
  /// The object for exactly `members` (sorted, not empty): `hint` when it is one, else any such, else a new one.
  /// kNoNextHopId when all ids are in use. It stays until release().
  [[nodiscard]] NextHopId acquire(std::span<const GroupMember> members, NextHopId hint);
  /// Whether two objects have the same members in effect; an adopted one nobody claimed matches by next hops alone.
  [[nodiscard]] bool same(NextHopId a, NextHopId b) const;
  /// Whether two routes by objects go the same ways.
  [[nodiscard]] bool same(const Forwarding& a, const Forwarding& b) const {
    return a.next_hop != kNoNextHopId && b.next_hop != kNoNextHopId && a.preferred_source == b.preferred_source &&
           same(a.next_hop, b.next_hop);
  }
  [[nodiscard]] bool has_exactly(NextHopId id, std::span<const GroupMember> members) const;
  /// Takes `dead` (weights do not matter) out of every set that has another member left. An adopted, unclaimed set
  /// loses it only when `whoever` says that nobody can use that way any more. Returns how many members left.
  struct Dead {
    GroupMember member;
    bool whoever = false;
  };
  std::size_t take_out(std::span<const Dead> dead);
  /// Nothing names the object any more: it goes.
  void release(NextHopId id);
  /// Adopted objects that `in_use` does not know go.
  template <typename InUse>
  void sweep(InUse in_use) {
    adopting_ = false;
    std::vector<NextHopId> unused;
    for (const auto& [id, set] : sets_)
      if (set.adopted && !in_use(id)) unused.push_back(id);
    for (const NextHopId id : unused) release(id);
    sweep_strays();
  }

  // --- Kernel -----------------------------------------------------------------------------------------------------
  void on_kernel_next_hop(const KernelNextHop& next_hop);
  void on_kernel_gone(NextHopId id);
  void begin_dump();
  void end_dump();
  [[nodiscard]] bool ours(NextHopId id) const {
    return within(id, options_.id_base) ||
           std::any_of(options_.former.begin(), options_.former.end(),
                       [this, id](const OwnedTable& former) { return within(id, former.next_hop_id_base); });
  }
  /// Objects in the kernel that nothing wants.
  [[nodiscard]] std::size_t unwanted() const {
    return static_cast<std::size_t>(std::count_if(objects_.begin(), objects_.end(), [this](const auto& item) {
      const Object& object = item.second;
      return object.kernel && !object.want && !object.in_flight && made_by_us(item.first, object.kernel->protocol);
    }));
  }
  /// Whether the kernel has an object of that range and protocol.
  [[nodiscard]] bool any_left(std::uint32_t id_base, std::uint8_t protocol) const {
    return std::any_of(objects_.begin(), objects_.end(), [&](const auto& item) {
      return item.second.kernel && item.second.kernel->protocol == protocol && within(item.first, id_base);
    });
  }
  /// Sets that ceased to exist by somebody else's doing since the last call; their routes went with them.
  [[nodiscard]] std::vector<NextHopId> take_gone() { return std::exchange(gone_, {}); }
  /// Members in effect changed since the last call: compare sets and routes again.
  [[nodiscard]] bool take_changed() { return std::exchange(changed_, false); }
  /// An adopted set got its sources since the last call: routes for which any source was right may want another set.
  [[nodiscard]] bool take_claimed() { return std::exchange(claimed_, false); }
  /// The kernel made an object since the last call: routes that were refused for want of it can go now.
  [[nodiscard]] bool take_made() { return std::exchange(made_, false); }
  /// Next hops the kernel refused since the last call, with the errno: no set can have them for now.
  struct RefusedVia {
    Via via;
    int error = 0;
  };
  [[nodiscard]] std::vector<RefusedVia> take_refused() { return std::exchange(refused_, {}); }

  /// An answer leaves open what the kernel has: dump the next hops again.
  [[nodiscard]] bool take_resync() { return std::exchange(resync_, false); }
  [[nodiscard]] bool has_refused() const { return !refused_.empty(); }
  /// Whether one of the other take_*() above has something.
  [[nodiscard]] bool has_news() const { return !gone_.empty() || changed_ || made_ || resync_; }

  // --- Work -------------------------------------------------------------------------------------------------------
  /// The next operations in an order that is safe to apply one by one. Call again after the answers, until empty.
  [[nodiscard]] std::span<const NextHopOp> next_batch(std::size_t limit, Time now);
  void on_answers(std::span<const NextHopOp> batch, std::span<const OpError> errors, Time now);
  [[nodiscard]] Time next_deadline() const { return waiting_.empty() ? kNever : retry_at_; }
  [[nodiscard]] bool idle() const { return dirty_.empty() && waiting_.empty() && in_flight_ == 0; }

  // --- Reading ----------------------------------------------------------------------------------------------------
  /// Members in effect; empty when there is no such set.
  [[nodiscard]] std::vector<GroupMember> members(NextHopId id) const;
  template <typename Visit>
  void for_each(Visit visit) const {
    for (const auto& [id, set] : sets_) visit(id, set.members, set.adopted);
  }
  [[nodiscard]] std::size_t object_count() const { return objects_.size(); }
  [[nodiscard]] std::uint64_t changes() const { return changes_; }
  [[nodiscard]] std::uint64_t drift() const { return drift_; }

 private:
  struct Object {
    std::optional<KernelNextHop> want;
    std::optional<KernelNextHop> kernel;
    NextHopId group = kNoNextHopId;  ///< The set it is a member of; none: it is a set itself, or unknown.
    bool in_flight = false;
    bool seen = false;          ///< By the dump that runs.
    bool contradicted = false;  ///< News came while an operation was in flight: which was first?
    bool left_over = false;     ///< By an earlier run; waits to be adopted or swept.
  };
  struct Set {
    std::vector<GroupMember> members;  ///< In effect, sorted.
    std::vector<NextHopId> objects;    ///< Beside members; a set of one that never had more: its own id.
    bool adopted = false;              ///< Not claimed yet.
    bool former = false;               ///< Of another range or protocol: never claimed.
  };

  [[nodiscard]] NextHopId new_id();
  void mark(NextHopId id);
  [[nodiscard]] static bool differs(const Object& object);
  [[nodiscard]] bool needs_work(NextHopId id, const Object& object) const;
  [[nodiscard]] bool within(NextHopId id, std::uint32_t base) const {
    const auto value = static_cast<std::uint32_t>(id);
    return base != 0 && value >= base && value - base < options_.id_count;
  }
  [[nodiscard]] bool of_present(NextHopId id, std::uint8_t protocol) const {
    return protocol == options_.protocol && within(id, options_.id_base);
  }
  [[nodiscard]] bool made_by_us(NextHopId id, std::uint8_t protocol) const {
    return of_present(id, protocol) ||
           std::any_of(options_.former.begin(), options_.former.end(), [&](const OwnedTable& former) {
             return protocol == former.protocol && within(id, former.next_hop_id_base);
           });
  }
  /// Order of one operation in a batch: failover first, then members before groups; groups leave before members.
  [[nodiscard]] int rank(NextHopId id, const Object& object) const;
  [[nodiscard]] bool can_go(const Object& object) const;
  void drop_member(NextHopId set_id, std::size_t at);
  void forget_kernel(NextHopId id);  ///< The kernel has it no more: groups of it lose it.
  void erase_if_empty(NextHopId id);
  void adopt();
  void sweep_strays();

  Options options_;
  std::uint32_t next_id_;
  std::map<NextHopId, Object> objects_;
  std::map<NextHopId, Set> sets_;
  std::set<NextHopId> dirty_;
  std::set<NextHopId> waiting_;  ///< Back off.
  std::vector<NextHopOp> batch_;
  std::vector<NextHopId> gone_;
  std::vector<RefusedVia> refused_;
  Duration back_off_ = kBackOffFirst;
  Time retry_at_ = kNever;
  std::size_t in_flight_ = 0;
  bool changed_ = false;
  bool made_ = false;
  bool claimed_ = false;
  bool resync_ = false;
  bool adopting_ = true;
  std::uint64_t changes_ = 0, drift_ = 0;
};

}  // namespace minibgp::fib
