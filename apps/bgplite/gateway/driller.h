/// Driller: the one drill that runs, or the last one: what it plays the failure of, and when which step is due. Pure;
/// the numbers are Drill's (drill.h).
///
///   start()                      -> wants_traffic(): the interface's packet counters are to be read
///   on_traffic(counters, now)    -> what the caller does now: nothing, play the failure, take it back
#pragma once

#include <apps/bgplite/gateway/drill.h>
#include <bgp/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace bgplite {

class Driller {
 public:
  struct Target {
    std::string name;    ///< As asked for.
    std::string tunnel;  ///< Empty: an interface alone.
    std::string interface;
    std::vector<minibgp::PeerId> peers;  ///< Without a tunnel: those behind the interface.
  };
  struct Status {
    std::string name, interface;
    DrillReport report;
  };

  /// Replaces the last one; not while one runs.
  void start(Target target, minibgp::Duration length, minibgp::Time now) {
    target_ = std::move(target);
    length_ = length;
    drill_.reset();
    due_ = now;
  }
  /// The counters are due: on_traffic() is to follow at once.
  [[nodiscard]] bool wants_traffic(minibgp::Time now) const { return now >= due_; }
  /// `counters`: nothing where the kernel does not tell.
  [[nodiscard]] Drill::Action on_traffic(std::optional<TrafficCounters> counters, minibgp::Time now) {
    if (now < due_) return Drill::Action::none;
    Drill::Action action = Drill::Action::none;
    if (drill_) {
      action = drill_->on_time(now, counters);
    } else {
      drill_.emplace(length_, now, counters);
    }
    due_ = drill_->next_deadline();
    return action;
  }
  /// The failure is played from now on. `failovers`: that the fib has counted until now.
  void begin_failure(std::uint64_t failovers) { failovers_before_ = failovers; }
  /// What the fib has counted by now, and how long the kernel took for the last one: that of the failure that is played
  /// when there is one more.
  void note_failovers(std::uint64_t failovers, minibgp::Duration took) {
    if (failing() && failovers != failovers_before_) drill_->failed(took);
  }
  /// The answer is whether the failure was being played, and is to be taken back.
  [[nodiscard]] bool end(DrillReport::End why, minibgp::Time now) {
    due_ = minibgp::kNever;
    return drill_ && drill_->end(why, now);
  }

  [[nodiscard]] minibgp::Time next_deadline() const { return due_; }
  [[nodiscard]] bool running() const { return due_ != minibgp::kNever; }
  [[nodiscard]] bool failing() const { return drill_ && drill_->failing(); }
  /// The tunnel counts as failed because of the drill.
  [[nodiscard]] bool fails(const std::string& tunnel) const { return failing() && target_.tunnel == tunnel; }
  [[nodiscard]] const Target& target() const { return target_; }
  /// Of the last one; nothing: there was none.
  [[nodiscard]] std::optional<Status> status(minibgp::Time now) const {
    if (target_.name.empty()) return std::nullopt;
    return Status{target_.name, target_.interface, drill_ ? drill_->report(now) : DrillReport{}};
  }

 private:
  Target target_;
  minibgp::Duration length_{};
  std::optional<Drill> drill_;
  minibgp::Time due_ = minibgp::kNever;
  std::uint64_t failovers_before_ = 0;
};

}  // namespace bgplite
