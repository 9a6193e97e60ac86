/// RefusedRoutes: routes whose operation the kernel refused, with the errno, and what each waits for: an event
/// (parked), a time (later and later), or nothing (given up; an audit tries again). kernel_answer.h says which errno
/// means what; here it also depends on how often the route was refused before.
///
/// Invariant: of the bits parked, waiting and given_up of a RouteRecord at most one is set, and only here.
#pragma once

#include <fib/kernel_answer.h>
#include <fib/route_records.h>

#include <cstdint>
#include <map>
#include <vector>

namespace minibgp::fib {

/// After how many refusals in a row EINVAL counts as final.
inline constexpr std::uint8_t kInvalidTries = 8;  // 50 ms doubling: more than 6 s.
/// How often a route that is there against our knowledge makes us read the table again, until something changes.
inline constexpr std::uint8_t kOccupiedTries = 20;

/// Whether a foreign route is known to have a key of ours, and whether the kernel has it in front of ours.
enum class Foreign : std::uint8_t { none, behind, ahead };

class RefusedRoutes {
 public:
  /// `records` outlives it.
  explicit RefusedRoutes(RouteRecords& records) : records_(records) {}

  struct Refusal {
    RouteRecords::Id id = RouteRecords::kNone;
    RouteOp::Kind kind{};
    int error = 0;
    Foreign there = Foreign::none;      ///< With its key; counts for Answer::occupied.
    ForwardingId want = kNoForwarding;  ///< What was to be there; the tries of other content do not count.
  };
  /// The route waits from now on. Returns what for: with Answer::resync the kernel's table is to be read again.
  [[nodiscard]] Answer add(const Refusal& refusal, Time now);
  /// The desire or the kernel changed: the route waits no longer, and what it was refused for is forgotten.
  void forgive(RouteRecords::Id id) {
    RouteRecord& record = records_[id];
    record.parked = record.waiting = record.given_up = 0;
    forget(id);
  }
  /// Forgets the errno alone.
  void forget(RouteRecords::Id id) {
    if (!errors_.empty()) errors_.erase(id);
  }
  /// The route may be tried once more; its errno stays until the kernel answers.
  void retry(RouteRecords::Id id) {
    RouteRecord& record = records_[id];
    record.parked = record.waiting = record.given_up = 0;
  }
  /// The kernel did as it was told: the next delay is the first one again.
  void on_success() { back_off_ = kBackOffFirst; }

  /// Something outside changed: routes that were parked and wait no longer.
  [[nodiscard]] std::vector<RouteRecords::Id> take_parked();
  /// Routes whose time came.
  [[nodiscard]] std::vector<RouteRecords::Id> take_due(Time now);
  [[nodiscard]] Time next_deadline() const { return backing_off_.empty() ? kNever : retry_at_; }

  /// The kernel's last refusal of the route; 0: none.
  [[nodiscard]] int error_of(RouteRecords::Id id) const;
  [[nodiscard]] std::size_t count() const { return errors_.size(); }
  /// How many wait for a time.
  [[nodiscard]] std::size_t waiting() const { return backing_off_.size(); }

 private:
  struct Refused {
    int error = 0;
    ForwardingId want = kNoForwarding;
    std::uint8_t tries = 0;
  };

  RouteRecords& records_;
  std::map<RouteRecords::Id, Refused> errors_;  ///< Until success.
  // The lists may name a record that was freed, and given to another route since: its own bit says whether it waits.
  std::vector<RouteRecords::Id> parked_;
  std::vector<RouteRecords::Id> backing_off_;
  Duration back_off_ = kBackOffFirst;
  Time retry_at_ = kNever;
};

}  // namespace minibgp::fib
