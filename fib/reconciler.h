/// Reconciler: drives the kernel's routes toward the desired ones. Two columns, "desired" and "kernel", and the
/// difference; never a queue of commands. Pure: no sockets, no clock, no threads.
///
///   set()/erase(), set_target()  ->  next_batch()  ->  [kernel]  ->  on_answers()
///   on_kernel_route() feeds what the kernel has: dumps and notifications.
///
/// Invariant: when idle() holds, the kernel has exactly the desired routes but for those refused (see refused()) and,
/// while adopting, what an earlier run left. Routes of other protocols are never passed in.
///
/// A route's desire is not a Forwarding but a *target*, a cell that holds one: when the next hops of a set change, one
/// cell changes, and no route is touched until the scan behind it finds the routes whose kernel side now differs.
#pragma once

#include <bgp/base/dirty_set.h>
#include <bgp/base/flat_index.h>
#include <bgp/base/slab.h>
#include <fib/forwarding.h>
#include <fib/kernel_port.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

namespace minibgp::fib {

/// A cell that says what the routes that point to it should be. 0 is "no route desired".
enum class TargetId : std::uint32_t {};
inline constexpr TargetId kNoTarget{0};

/// How we know of a route in the kernel.
enum class Heard : std::uint8_t { dumped, notified };

/// What the kernel's answer means for us.
enum class Answer : std::uint8_t {
  done,
  missing,   ///< Nothing there to replace: the kernel dropped it behind our back. Add it.
  occupied,  ///< Not there by our knowledge, yet it is: read the table again, then wait for its owner to take it away.
  park,      ///< Wait for a link, an address, a next hop or somebody else's route to change.
  back_off,  ///< Ask again, later and later: 50 ms to 5 s.
  resync,    ///< Our picture of the kernel is wrong: read its table again, then ask again.
  give_up,   ///< Report; ask again only when the desire or the kernel changes, or with the next audit.
};

/// The one place that says what an errno means.
[[nodiscard]] constexpr Answer kernel_answer(RouteOp::Kind kind, int error) {
  switch (error) {
    case 0:
      return Answer::done;
    case ESRCH:
    case ENOENT:
      return kind == RouteOp::Kind::remove ? Answer::done : Answer::missing;
    case EEXIST:
      return Answer::occupied;
    case ENETUNREACH:  // The gateway's network went,
    case EHOSTUNREACH:
    case ENODEV:  // or the link,
    case ENETDOWN:
      return Answer::park;
    case EINVAL:  // or the next-hop object, or the preferred source: the event that took it is on its way to us.
    case ENOMEM:
    case EAGAIN:
    case EBUSY:
    case EINTR:
      return Answer::back_off;
    case ENOBUFS:
      return Answer::resync;  // We lost messages.
    default:
      return Answer::give_up;  // EPERM, EOPNOTSUPP, ...: asking again does not help.
  }
}

/// Back-off: the first and the longest delay, and after how many refusals in a row EINVAL counts as final.
inline constexpr Duration kBackOffFirst = std::chrono::milliseconds{50};
inline constexpr Duration kBackOffMax = std::chrono::seconds{5};
inline constexpr std::uint8_t kInvalidTries = 8;  // 50 ms doubling: more than 6 s.
/// How often a route that is there against our knowledge makes us read the table again, until something changes.
inline constexpr std::uint8_t kOccupiedTries = 20;
/// Another program that changes the same route again and again: so many repairs within the window are made at once;
/// each further one waits, 1 s doubling to 60 s, until the route was left alone for the window or twice its last wait.
inline constexpr unsigned kRepairsAtOnce = 3;
inline constexpr Duration kRepairWindow = std::chrono::seconds{10};
inline constexpr Duration kRepairWaitFirst = std::chrono::seconds{1};
inline constexpr Duration kRepairWaitMax = std::chrono::seconds{60};
/// So many routes have a wait of their own; the others that are changed meanwhile wait for kRepairWaitFirst.
inline constexpr std::size_t kContestedMax = 65536;

/// Who changed a route of ours, and how.
struct Intrusion {
  std::uint32_t port_id = 0;  ///< Of its netlink socket; 0: the kernel itself, or not known.
  std::uint8_t protocol = 0;  ///< Of the route it put there.
  bool removed = false;       ///< It took ours away, rather than changing it.
};

/// A repair that waits because another program undoes it again and again.
struct Contest {
  RouteKey key;
  Intrusion last;
  unsigned repairs = 0;  ///< Made so far.
  Duration wait{};       ///< Until the next one.
};

class Reconciler {
 public:
  /// `forwardings` outlives it. `same` says whether two different Forwardings are one in effect (next-hop groups of
  /// equal members); it is asked only where the ids differ. This and the two questions below are asked in the middle of
  /// work and must not call back into the reconciler.
  using Same = std::function<bool(ForwardingId kernel, ForwardingId desired)>;
  /// Whether a foreign route is known to have the key, and whether the kernel has it in front of ours.
  enum class Foreign : std::uint8_t { none, behind, ahead };
  using Occupied = std::function<Foreign(const RouteKey& key)>;
  /// Through how many next hops of an earlier run's Forwarding packets still get.
  enum class Viable : std::uint8_t { none, some, all };
  using HowViable = std::function<Viable(ForwardingId kernel)>;
  Reconciler(ForwardingTable& forwardings, Same same, Occupied occupied, HowViable how_viable);

  // --- Desired. O(1) each -----------------------------------------------------------------------------------------
  [[nodiscard]] TargetId make_target(ForwardingId want);  ///< Takes its own reference.
  /// All routes of the target should be `want` from now on; kNoForwarding: should not be in the kernel.
  void set_target(TargetId target, ForwardingId want);
  [[nodiscard]] ForwardingId want_of(TargetId target) const { return targets_[index(target)].want; }
  [[nodiscard]] std::uint32_t routes_of(TargetId target) const { return targets_[index(target)].routes; }
  /// Gives back a target that no route points to.
  void release_target(TargetId target);
  /// Targets whose last route left since the last call; may have routes again meanwhile.
  [[nodiscard]] std::vector<TargetId> take_idle_targets();

  void set(const RouteKey& key, TargetId target);
  void erase(const RouteKey& key);
  [[nodiscard]] TargetId target_of(const RouteKey& key) const;

  // --- Kernel -----------------------------------------------------------------------------------------------------
  /// `heard` tells news from a dump, whose word may be older than what we did since it began. Both return whether
  /// something changed that was right: it is repaired.
  bool on_kernel_route(const RouteKey& key, const Forwarding& forwarding, Heard heard, Intrusion by = {});
  bool on_kernel_gone(const RouteKey& key, Heard heard, Intrusion by = {});
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
  [[nodiscard]] bool adopting() const { return adopting_; }

  // --- Work -------------------------------------------------------------------------------------------------------
  /// The next operations, at most `limit`; empty when there is nothing to do now. Valid until the next call.
  /// Looks at no more than a bounded number of routes, so an empty batch with !idle() means: call again.
  [[nodiscard]] std::span<const RouteOp> next_batch(std::size_t limit, Time now);
  /// The answers to one batch: whatever `errors` does not list was done. Batches are answered in order.
  void on_answers(std::span<const RouteOp> batch, std::span<const OpError> errors, Time now);
  /// An answer said that our picture is wrong since the last call: dump the routes again.
  [[nodiscard]] bool take_resync() { return std::exchange(resync_, false); }
  /// When to call next_batch() again without another input; kNever: not.
  [[nodiscard]] Time next_deadline() const {
    const Time retry = backing_off_.empty() ? kNever : retry_at_;
    const Time truce = truces_.empty() ? kNever : truces_.begin()->first;
    return std::min({retry, truce, crowd_until_});
  }
  [[nodiscard]] bool has_work() const { return !dirty_.empty() || scan_left_ != 0; }
  /// Nothing to do, nothing in flight, nothing waits for a retry.
  [[nodiscard]] bool idle() const {
    return !has_work() && in_flight_ == 0 && backing_off_.empty() && !resync_ && truces_.empty() && crowd_.empty();
  }
  /// Contests that began or went on since the last call, at most kContestsKept.
  [[nodiscard]] std::vector<Contest> take_contests() { return std::exchange(contests_, {}); }
  static constexpr std::size_t kContestsKept = 16;

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
  [[nodiscard]] std::optional<Intrusion> contested_by(const RouteKey& key) const;
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
  struct Counts {
    std::size_t desired = 0, installed = 0, adopted = 0;
  };
  [[nodiscard]] const Counts& counts() const { return counts_; }
  [[nodiscard]] std::size_t pending() const {
    return dirty_.size() + in_flight_ + backing_off_.size() + truces_.size() + crowd_.size();
  }
  [[nodiscard]] std::size_t refused() const { return errors_.size(); }
  [[nodiscard]] bool waits_for_answers() const { return in_flight_ != 0; }
  [[nodiscard]] std::size_t contested() const { return truces_.size() + crowd_.size(); }
  struct Totals {
    std::uint64_t adds = 0, replaces = 0, removes = 0, refusals = 0, drift = 0;
  };
  [[nodiscard]] const Totals& totals() const { return totals_; }
  [[nodiscard]] std::size_t record_octets() const { return records_.octets(); }
  [[nodiscard]] std::size_t index_octets() const { return index_.octets() + dirty_.octets(); }

 private:
  /// 32 octets: what one route costs, beside its 7 octets of the index.
  struct Record {
    std::array<std::uint8_t, 16> octets{};
    std::uint8_t length_bits = 0;
    std::uint8_t family : 1 = 0;
    std::uint8_t in_flight : 1 = 0;
    std::uint8_t seen : 1 = 0;     ///< By the dump that runs, when equal to seen_mark_.
    std::uint8_t touched : 1 = 0;  ///< Written since the dump that runs began: the dump's word is older.
    std::uint8_t adopted : 1 = 0;  ///< Found in the kernel, not confirmed as desired so far.
    std::uint8_t parked : 1 = 0;   ///< Waits for an event.
    std::uint8_t waiting : 1 = 0;  ///< Backs off.
    std::uint8_t given_up : 1 = 0;
    std::uint8_t table = 0;  ///< Index of tables_.
    /// Said to be gone, but perhaps before we wrote it last: it is removed once more before it is forgotten.
    std::uint8_t doubtful : 1 = 0;
    std::uint8_t contradicted : 1 = 0;  ///< News came while an operation was in flight: which was first?
    std::uint8_t truce : 1 = 0;         ///< Waits because another program undoes what we do.
    std::uint8_t twice : 1 = 0;         ///< The kernel has a second one of ours: both go, and one is made.
    std::uint8_t dumped : 1 = 0;        ///< As seen, by a dump's message and not by a notification.
    std::uint32_t metric = 0;
    TargetId target = kNoTarget;
    ForwardingId kernel = kNoForwarding;
  };
  static_assert(sizeof(Record) == 32);
  struct Target {
    ForwardingId want = kNoForwarding;
    std::uint32_t routes = 0;
    bool idle_listed = false;
  };
  struct Table {
    std::uint32_t number = 0;
    std::uint32_t routes = 0;  ///< Records in it; 0: its place is free.
  };
  struct Refused {
    int error = 0;
    std::uint8_t tries = 0;
  };
  /// By key, not by record: a route that is not desired has no record once it is gone.
  struct Contested {
    Intrusion last;
    Time first{}, latest{};
    Duration wait{};
    unsigned repairs = 0;
    bool provoked = false;  ///< Changed since the last repair.
  };
  static constexpr std::uint32_t kNone = base::FlatIndex::kNotFound;
  static constexpr std::size_t kScannedPerBatch = 16384;  // About 0.1 ms.

  static std::uint32_t index(TargetId id) { return static_cast<std::uint32_t>(id); }
  [[nodiscard]] RouteKey key_of(const Record& record) const;
  [[nodiscard]] std::uint64_t hash_of(const RouteKey& key, std::uint8_t table) const;
  [[nodiscard]] std::uint8_t table_index(std::uint32_t table) const;  ///< 0xFF: not known yet.
  [[nodiscard]] std::uint32_t find_id(const RouteKey& key) const;
  [[nodiscard]] std::uint32_t find_or_add(const RouteKey& key);
  [[nodiscard]] View view(std::uint32_t id) const;
  [[nodiscard]] ForwardingId desired_of(const Record& record) const {
    return record.target == kNoTarget ? kNoForwarding : targets_[index(record.target)].want;
  }
  [[nodiscard]] bool equal(ForwardingId kernel, ForwardingId desired) const {
    return kernel == desired || (kernel != kNoForwarding && desired != kNoForwarding && same_(kernel, desired));
  }
  void confirm(Record& record);
  /// What the kernel must be told about the route, if anything.
  [[nodiscard]] std::optional<RouteOp::Kind> needed(const Record& record) const;
  void consider(std::uint32_t id);
  void move_target(Record& record, TargetId target);
  void set_kernel(Record& record, ForwardingId kernel);  ///< Takes over one reference of `kernel`.
  void release_if_empty(std::uint32_t id);
  void forgive(std::uint32_t id, Record& record);
  void refuse(std::uint32_t id, const RouteOp& op, int error, Time now);
  void scan(std::size_t limit);
  void provoke(std::uint32_t id, const RouteKey& key, const Intrusion& by);
  [[nodiscard]] bool hold_back(Record& record, const RouteKey& key, Time now);
  void end_truces(Time now);
  void end_truce(std::uint32_t id);
  void clear_truce(Record& record);
  void calm(const RouteKey& key);  ///< What is done next with the route is no repair.

  ForwardingTable& forwardings_;
  Same same_;
  Occupied occupied_;
  HowViable how_viable_;
  base::Slab<Record> records_;
  base::FlatIndex index_;
  base::DirtySet dirty_;
  std::vector<Table> tables_;
  base::Slab<Target, 64> targets_;
  std::vector<TargetId> idle_targets_;
  std::vector<RouteOp> batch_;
  std::map<std::uint32_t, Refused> errors_;  ///< By record: the kernel's last refusal, until success.
  std::vector<std::uint32_t> parked_;
  std::vector<std::uint32_t> backing_off_;
  std::map<RouteKey, Contested> contested_;
  std::set<std::pair<Time, RouteKey>> truces_;
  std::vector<std::uint32_t> crowd_;  ///< Records that wait because contested_ is full.
  Time crowd_until_ = kNever;
  Time forget_contests_at_{};
  std::vector<Contest> contests_;
  Duration back_off_ = kBackOffFirst;
  Time retry_at_ = kNever;
  std::size_t in_flight_ = 0;
  std::size_t scan_left_ = 0;  ///< Ids of the slab still to be compared again.
  std::uint32_t scan_at_ = 0;
  std::uint8_t seen_mark_ = 0;
  bool dumping_ = false;
  bool adopting_ = true;
  bool resync_ = false;
  Counts counts_;
  Totals totals_;
};

}  // namespace minibgp::fib
