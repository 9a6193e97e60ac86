/// Probe: does the other end of one tunnel answer? Echo requests at an interval, a count of losses in a row that makes
/// it down, hysteresis before it is up again, and the round trips as a histogram. Pure: the clock, the socket and the
/// random jitter are the caller's (fib/net/echo has the socket).
///
/// The last 128 requests are remembered, each with its own fate: an answer counts for the request it belongs to, once,
/// however late. A request is overdue when the next one is due and it is older than answers usually take (RFC 6298, at
/// most 3 s), so a path of 2 s works at an interval of 100 ms, and a fast path that dies is noticed as fast as before.
/// What counts is the newest answered request: the overdue ones behind it are losses in a row.
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
  /// Overdue requests in a row that make it down.
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

/// Round trips by upper bound: 1, 2, 5, 10, 20, 50, 100, 200, 500 ms, 1 s, 2 s, and longer.
struct RoundTrips {
  static constexpr std::array<std::int64_t, 11> kUpperMs = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000};
  std::array<std::uint64_t, kUpperMs.size() + 1> counts{};
  std::uint64_t total = 0;
  Duration sum{};
  Duration last{};
  void add(Duration round_trip);
};

struct ProbeCounters {
  std::uint64_t sent = 0;
  std::uint64_t answered = 0;  ///< Before they were given up on.
  std::uint64_t lost = 0;      ///< Given up on: overdue, and 3 s old.
  std::uint64_t late = 0;      ///< Of `lost`: answered after all.
};

class Probe {
 public:
  /// Random numbers for the jitter come from a small generator seeded with `seed`: same seed, same times.
  Probe(const ProbeOptions& options, std::uint64_t seed, Time now);

  /// So many requests are remembered: more than can be asked for in a row (100), and more than 3 s at any interval.
  static constexpr unsigned kRemembered = 128;

  /// When to call on_time() next.
  [[nodiscard]] Time next_deadline() const { return next_send_; }
  /// Sends a request when one is due: the sequence number to send, nothing when it is too early. Ask state()
  /// afterwards.
  [[nodiscard]] std::optional<std::uint16_t> on_time(Time now);
  /// An answer arrived. One to a request that was answered already, or is not remembered, counts as nothing.
  void on_answer(std::uint16_t sequence, Time now);
  /// The request could not even be sent (no route, no buffer): overdue when the next one is due.
  void on_send_failed(std::uint16_t sequence);
  /// The tunnel was made anew: the row of losses and answers begins again. A target that has answered before counts as
  /// up until it is silent again; of one that never did nothing is known still.
  void reset(Time now);

  [[nodiscard]] ProbeState state() const { return state_; }
  [[nodiscard]] Time since() const { return since_; }
  [[nodiscard]] const RoundTrips& round_trips() const { return round_trips_; }
  /// Mean of the latest round trips; nothing before the first answer.
  [[nodiscard]] std::optional<Duration> smoothed_round_trip() const;
  [[nodiscard]] const ProbeCounters& counters() const { return counters_; }
  /// Overdue requests since the newest one that was answered.
  [[nodiscard]] std::uint8_t losses_in_a_row() const;
  /// Of the last 64 requests, those that were answered or are overdue: how many, and how many of them are overdue.
  [[nodiscard]] unsigned recent() const;
  [[nodiscard]] unsigned recent_losses() const;
  /// When the last answer came in that counted; nothing before the first.
  [[nodiscard]] std::optional<Time> last_answer() const { return last_answer_; }

 private:
  enum class Fate : std::uint8_t {
    none,     ///< There is no such request.
    open,     ///< May be answered yet.
    overdue,  ///< Should have been answered.
    answered,
  };
  struct Request {
    Time sent_at{};
    std::uint16_t sequence = 0;
    Fate fate = Fate::none;
    bool failed = false;    ///< Could not be sent.
    bool given_up = false;  ///< Counted as lost.
  };

  [[nodiscard]] Duration jittered();
  [[nodiscard]] Duration patience() const;
  void enter(ProbeState state, Time now);
  void look_through(Time now);
  void judge(Time now);
  void measure(Duration round_trip);
  void give_up(Request& request);
  [[nodiscard]] Request& of(std::uint16_t sequence) { return requests_[sequence % kRemembered]; }
  [[nodiscard]] const Request& back(unsigned age) const {
    return requests_[static_cast<std::uint16_t>(sequence_ - age) % kRemembered];
  }
  [[nodiscard]] unsigned answers_in_a_row() const;
  [[nodiscard]] unsigned recent(Fate fate) const;

  ProbeOptions options_;
  std::uint64_t random_;
  ProbeState state_ = ProbeState::learning;
  Time since_;
  Time next_send_;
  std::uint16_t sequence_ = 0;  ///< Of the newest request.
  std::array<Request, kRemembered> requests_{};
  Duration smoothed_{};  ///< 0: no answer yet.
  Duration variation_{};
  std::optional<Time> last_answer_;
  RoundTrips round_trips_;
  ProbeCounters counters_;
};

}  // namespace minibgp::fib
