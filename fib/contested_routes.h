/// ContestedRoutes: routes of ours that another program changes again and again. The first repairs are made at once;
/// each further one waits (the record has a truce), so that two programs that undo each other's work do not keep the
/// machine busy. Says who it was, for log and status.
///
/// Invariant: a RouteRecord's bit truce is set only here, and its wait is then in truces_ or in the crowd.
#pragma once

#include <fib/route_records.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace minibgp::fib {

/// Another program that changes the same route again and again: so many repairs within the window are made at once;
/// each further one waits, 1 s doubling to 60 s, until the route was left alone for the window or twice its last wait.
/// A wait that ends early, because something else is desired, makes the next one no longer.
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

class ContestedRoutes {
 public:
  /// Contests that are kept for take_contests().
  static constexpr std::size_t kContestsKept = 16;

  /// `records` outlives it.
  explicit ContestedRoutes(RouteRecords& records) : records_(records) {}

  /// A route that was right was changed by `by`, and is going to be repaired.
  void provoke(RouteRecords::Id id, const RouteKey& key, const Intrusion& by);
  /// Called with the repair in hand: whether it has to wait.
  [[nodiscard]] bool hold_back(RouteRecords::Id id, const RouteKey& key, Time now) {
    return !contested_.empty() && is_repaired_too_often(id, key, now);
  }
  /// What is done next with the route is no repair: its desire changed.
  void calm(RouteRecords::Id id, const RouteKey& key) {
    end_wait(id);
    if (!contested_.empty()) forget_provocation(key);
  }
  /// The route waits no longer.
  void end_wait(RouteRecords::Id id) {
    if (records_[id].truce != 0) end_truce(id);
  }
  /// Routes whose wait is over.
  [[nodiscard]] std::vector<RouteRecords::Id> take_due(Time now);
  [[nodiscard]] Time next_deadline() const {
    return std::min(truces_.empty() ? kNever : truces_.begin()->first, crowd_until_);
  }

  /// How many wait.
  [[nodiscard]] std::size_t waiting() const { return truces_.size() + crowd_.size(); }
  /// Who changed the route last.
  [[nodiscard]] std::optional<Intrusion> by(const RouteKey& key) const;
  /// Contests that began or went on since the last call.
  [[nodiscard]] std::vector<Contest> take_contests() { return std::exchange(contests_, {}); }

 private:
  struct Contested {
    Intrusion last;
    Time first{}, latest{};
    Duration wait{};
    unsigned repairs = 0;
    bool provoked = false;  ///< Changed since the last repair.
  };
  [[nodiscard]] bool is_repaired_too_often(RouteRecords::Id id, const RouteKey& key, Time now);
  void end_truce(RouteRecords::Id id);
  void forget_provocation(const RouteKey& key);
  void forget_old(Time now);

  RouteRecords& records_;
  std::map<RouteKey, Contested> contested_;  ///< By key: a route that is not desired has no record once it is gone.
  std::set<std::pair<Time, RouteKey>> truces_;
  std::vector<RouteRecords::Id> crowd_;  ///< Those that wait because contested_ is full.
  Time crowd_until_ = kNever;
  Time forget_at_{};
  std::vector<Contest> contests_;
};

}  // namespace minibgp::fib
