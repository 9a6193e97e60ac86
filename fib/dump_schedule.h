/// DumpSchedule: what is to be read from the kernel, and when. Everything is read at the start; again after what
/// changes routes without a word (links, addresses, lost notifications), as an audit, and when the operator asks for a
/// comparison. One dump runs at a time; what is asked for meanwhile makes one more. Pure: no sockets, no clock.
#pragma once

#include <bgp/types.h>
#include <fib/kernel_port.h>

#include <utility>

namespace minibgp::fib {

class DumpSchedule {
 public:
  /// Dumps are at least this far apart, and at least four times as long as one takes: a link that flaps under a million
  /// routes must not keep us reading.
  static constexpr Duration kSpacing = std::chrono::milliseconds{50};
  static constexpr int kShare = 4;

  explicit DumpSchedule(Time now) : next_at_(now) {}

  /// Between the end of a dump and the audit after it; 0: no audits. From the next end on.
  void set_audit_interval(Duration interval) { audit_interval_ = interval; }
  void ask_for_routes() { wanted_.routes = true; }
  void ask_for_next_hops() { wanted_.next_hops = true; }
  /// What leads packets: routes and the objects that they refer to.
  void ask_for_forwarding() { wanted_.next_hops = wanted_.routes = true; }
  void ask_for_everything() { wanted_ = {true, true, true}; }
  /// A comparison with what the kernel has: waits for no spacing.
  void ask_for_comparison();
  /// Asks for the audit when its time has come; whether it had.
  [[nodiscard]] bool begin_audit(Time now);

  /// What to dump now; nothing while a dump runs. `has_next_hops`: whether the kernel has next-hop objects.
  [[nodiscard]] DumpRequest take(Time now, bool has_next_hops);
  /// One part of it ended. Incomplete: it is asked for again.
  void end(DumpPart part, bool complete, Time now);
  /// Whether the routes that were just read are those to compare. Once.
  [[nodiscard]] bool take_comparison() { return std::exchange(comparing_, false); }

  /// Parts that were taken and have not ended.
  [[nodiscard]] unsigned running() const { return running_; }
  /// Everything was read once.
  [[nodiscard]] bool ready() const { return ready_; }
  /// Nothing runs and nothing is asked for.
  [[nodiscard]] bool idle() const { return running_ == 0 && !wanted_.any(); }
  [[nodiscard]] Time next_deadline() const;

 private:
  DumpRequest wanted_{true, true, true};
  unsigned running_ = 0;
  Time next_at_;  ///< Not before.
  Time began_{};
  Duration audit_interval_{};
  Time next_audit_ = kNever;
  bool ready_ = false;
  bool comparison_wanted_ = false;
  bool comparing_ = false;  ///< The dump that runs, or its repetition after an incomplete one.
};

}  // namespace minibgp::fib
