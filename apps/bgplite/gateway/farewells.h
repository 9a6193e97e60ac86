/// Farewells: tunnels that go on purpose. The sessions over them end first, while the tunnels work, so that the peers'
/// traffic moves away before the tunnels go. Pure: this says when each step is due.
///
///   begin()     the sessions were ended; `actions` are due after kFarewell
///   on_time()   the actions that are due; kResume after the last of them `resume` is set: peers may dial again, also
///               those whose tunnel did not go after all
#pragma once

#include <bgp/types.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace bgplite {

class Farewells {
 public:
  /// What a NOTIFICATION, and the traffic that moves because of it, need before a tunnel goes.
  static constexpr std::chrono::milliseconds kFarewell{300};
  static constexpr std::chrono::seconds kResume{2};

  struct Action {
    std::string terminate;  ///< The tunnel to take down; empty: set all tunnels up as configured.
    bool operator==(const Action&) const = default;
  };
  struct Due {
    std::vector<Action> actions;
    bool resume = false;
  };

  /// Again while others wait: all of them wait for the last one.
  void begin(Action action, minibgp::Time now) {
    actions_.push_back(std::move(action));
    actions_at_ = now + kFarewell;
  }
  [[nodiscard]] Due on_time(minibgp::Time now) {
    Due due;
    if (now >= actions_at_) {
      due.actions = std::exchange(actions_, {});
      actions_at_ = minibgp::kNever;
      resume_at_ = now + kResume;
    } else if (now >= resume_at_) {
      due.resume = true;
      resume_at_ = minibgp::kNever;
    }
    return due;
  }
  [[nodiscard]] minibgp::Time next_deadline() const { return std::min(actions_at_, resume_at_); }
  void clear() { *this = {}; }

 private:
  std::vector<Action> actions_;
  minibgp::Time actions_at_ = minibgp::kNever, resume_at_ = minibgp::kNever;
};

}  // namespace bgplite
