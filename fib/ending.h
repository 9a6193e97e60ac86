/// Ending: the end of a Forwarder, from input::Stop on: what is begun is finished, or everything of ours is removed;
/// then nothing is handed out any more. Routes that the kernel does not remove must not keep the program from ending,
/// while many routes may take as long as they need: it waits as long as their number falls.
#pragma once

#include <bgp/types.h>

#include <cstddef>
#include <cstdint>

namespace minibgp::fib {

class Ending {
 public:
  /// It does not wait for the kernel when nothing was removed for so long.
  static constexpr Duration kPatience = std::chrono::seconds{10};

  void finish() { phase_ = Phase::finishing; }
  void remove() { phase_ = Phase::removing; }
  /// What was begun ends, and nothing else is begun.
  [[nodiscard]] bool finishing() const { return phase_ == Phase::finishing; }
  [[nodiscard]] bool over() const { return phase_ == Phase::over; }
  [[nodiscard]] Time next_deadline() const { return patient_until_; }

  struct Progress {
    std::size_t installed = 0;  ///< Routes of ours that are left.
    bool all_answered = false;  ///< The kernel has answered each operation.
    bool all_removed = false;   ///< Nothing is left to do.
  };
  /// Whether the end has come; true once.
  [[nodiscard]] bool comes(const Progress& progress, Time now) {
    if (phase_ == Phase::none || phase_ == Phase::over) return false;
    if (patient_until_ == kNever || left_ != progress.installed) {
      left_ = progress.installed;
      patient_until_ = now + kPatience;
    }
    const bool done = finishing() ? progress.all_answered : progress.all_removed;
    if (!done && now < patient_until_) return false;
    phase_ = Phase::over;
    return true;
  }

 private:
  enum class Phase : std::uint8_t { none, finishing, removing, over } phase_ = Phase::none;
  Time patient_until_ = kNever;
  std::size_t left_ = 0;  ///< Routes, when that was set.
};

}  // namespace minibgp::fib
