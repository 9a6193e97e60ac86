/// Probe: is there somebody at the other end of one tunnel? Echo requests at an interval, a count of losses in a row
/// that makes it down, hysteresis before it is up again, and the round trips as a histogram. Pure: the clock, the
/// socket and the random jitter are the caller's (fib/net/echo has the socket).
///
/// It learns first: until the target has answered once it says `learning`, because many hosts never answer echo
/// requests, and a target that does not is no reason to take a working tunnel down.
#pragma once

#include <bgp/types.h>

#include <array>
#include <cstdint>
#include <optional>

namespace minibgp::fib {

struct ProbeOptions {
  Duration interval = std::chrono::milliseconds{1000};  ///< 100 ms to 10 s; others are brought into that range.
  /// Requests in a row without an answer that make it down. A request counts as lost when the next one is due.
  std::uint8_t down_after = 3;
  /// Answers in a row that make it up again.
  std::uint8_t up_after = 3;
  /// Each interval is shortened at random by up to this many percent, so that probes of many tunnels do not march in
  /// step.
  std::uint8_t jitter_percent = 10;
  bool operator==(const ProbeOptions&) const = default;
};
inline constexpr Duration kProbeIntervalMin = std::chrono::milliseconds{100};
inline constexpr Duration kProbeIntervalMax = std::chrono::seconds{10};

enum class ProbeState : std::uint8_t {
  learning,  ///< The target has not answered yet: nothing is known.
  up,
  down,
};

/// Round trips by upper bound: 1, 2, 5, 10, 20, 50, 100, 200, 500 ms, 1 s, and longer.
struct RoundTrips {
  static constexpr std::array<std::int64_t, 10> kUpperMs = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000};
  std::array<std::uint64_t, kUpperMs.size() + 1> counts{};
  std::uint64_t total = 0;
  Duration sum{};
  Duration last{};
  void add(Duration round_trip);
};

struct ProbeCounters {
  std::uint64_t sent = 0, answered = 0, lost = 0, late = 0;
};

class Probe {
 public:
  /// Random numbers for the jitter come from a small generator seeded with `seed`: same seed, same times.
  Probe(const ProbeOptions& options, std::uint64_t seed, Time now);

  /// When to call on_time() next.
  [[nodiscard]] Time next_deadline() const { return next_send_; }
  /// Sends a request when one is due: the sequence number to send, nothing when it is too early. Ask state()
  /// afterwards.
  [[nodiscard]] std::optional<std::uint16_t> on_time(Time now);
  /// An answer arrived. Answers to requests that were given up on count as late and prove life only as such: they do
  /// not bring the state up, they do end a row of losses.
  void on_answer(std::uint16_t sequence, Time now);
  /// The request could not even be sent (no route, no buffer): as good as lost.
  void on_send_failed(std::uint16_t sequence);
  /// The tunnel was made anew: the row of losses and answers begins again. A target that has answered before counts as
  /// up until it is silent again; of one that never did nothing is known still.
  void reset(Time now);

  [[nodiscard]] ProbeState state() const { return state_; }
  [[nodiscard]] Time since() const { return since_; }
  [[nodiscard]] const RoundTrips& round_trips() const { return round_trips_; }
  [[nodiscard]] const ProbeCounters& counters() const { return counters_; }
  [[nodiscard]] std::uint8_t losses_in_a_row() const { return losses_; }
  /// Of the last requests, at most 64, that were answered or given up on: how many, and how many of them were lost.
  [[nodiscard]] unsigned recent() const { return recent_; }
  [[nodiscard]] unsigned recent_losses() const;
  /// When the last answer came in; nothing before the first.
  [[nodiscard]] std::optional<Time> last_answer() const { return last_answer_; }

 private:
  [[nodiscard]] Duration jittered();
  void enter(ProbeState state, Time now);
  void note_loss(Time now);
  void note(std::uint64_t lost);

  ProbeOptions options_;
  std::uint64_t random_;
  ProbeState state_ = ProbeState::learning;
  Time since_;
  Time next_send_;
  Time sent_at_{};
  std::optional<std::uint16_t> waiting_;  ///< The request that is neither answered nor given up on.
  std::uint16_t sequence_ = 0;
  std::uint8_t losses_ = 0;
  std::uint8_t answers_ = 0;
  std::uint64_t history_ = 0;  ///< One bit a request, the latest the lowest; 1: lost.
  unsigned recent_ = 0;
  std::optional<Time> last_answer_;
  RoundTrips round_trips_;
  ProbeCounters counters_;
};

}  // namespace minibgp::fib
