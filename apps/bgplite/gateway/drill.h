/// Drill: the rehearsal of a failover, as numbers. An interface that works is treated as one that failed; what still
/// goes through it would have been lost. Pure: counters and time come from outside.
///
/// It begins with a look at the traffic there is (kBaseline), then the failure is played until the given time is over,
/// somebody ends it, or the tunnel fails in earnest.
#pragma once

#include <bgp/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace bgplite {

/// Packets that an interface has carried, from the host's point of view.
struct TrafficCounters {
  std::uint64_t in = 0, out = 0;
};

struct DrillReport {
  /// One direction through the drilled interface.
  struct Direction {
    double before_per_s = 0;    ///< Packets a second before.
    std::uint64_t packets = 0;  ///< After the beginning: in a failure, lost.
    /// Since the beginning, when traffic no longer came this way: what is left is the session's own. Nothing: it did
    /// not move, or there was none.
    std::optional<std::chrono::milliseconds> moved_after;
  };
  enum class State : std::uint8_t { measuring, running, done } state = State::measuring;
  enum class End : std::uint8_t { none, time, asked, failed } end = End::none;
  minibgp::Duration lasted{};
  minibgp::Duration failover{};  ///< From our side's decision to the kernel having done it.
  bool counted = false;          ///< The interface has counters that could be read.
  Direction in, out;
};
[[nodiscard]] const char* to_text(DrillReport::State state);
[[nodiscard]] const char* to_text(DrillReport::End end);

class Drill {
 public:
  static constexpr minibgp::Duration kBaseline = std::chrono::milliseconds{500};
  static constexpr minibgp::Duration kSample = std::chrono::milliseconds{100};
  /// So many packets a sample are the session's own: a keepalive, its acknowledgment, a probe or two.
  static constexpr std::uint64_t kQuiet = 4;

  /// `length`: of the failure.
  Drill(minibgp::Duration length, minibgp::Time now, std::optional<TrafficCounters> counters);

  /// What the caller is to do now.
  enum class Action : std::uint8_t { none, fail, restore };
  /// Call at next_deadline(), and whenever there is something to count.
  Action on_time(minibgp::Time now, std::optional<TrafficCounters> counters);
  /// The failure was played: how long the kernel took.
  void failed(minibgp::Duration failover) { report_.failover = failover; }
  /// Ends it; the answer is whether the failure was being played, and is to be taken back.
  bool end(DrillReport::End why, minibgp::Time now);

  [[nodiscard]] minibgp::Time next_deadline() const;
  [[nodiscard]] bool failing() const { return report_.state == DrillReport::State::running; }
  [[nodiscard]] DrillReport report(minibgp::Time now) const;

 private:
  void count(minibgp::Time now, const TrafficCounters& counters);

  minibgp::Duration length_;
  minibgp::Time started_, failed_at_{}, last_sample_;
  std::optional<TrafficCounters> last_;
  TrafficCounters carried_;               ///< Before the failure.
  minibgp::Time busy_in_{}, busy_out_{};  ///< End of the last sample with traffic.
  DrillReport report_;
};

}  // namespace bgplite
