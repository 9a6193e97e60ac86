/// Promise: which configuration is to run, from what the operator did. An own model, which knows nothing of
/// ConfigKeeper.
#pragma once

#include <bgp/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>

namespace bgplite::sim {

using minibgp::Time;

struct Promise {
  std::string good, before, taken_back, trial;  ///< Empty: there is none.
  Time until = minibgp::kNever;                 ///< Of the trial.
  std::string stored_good, stored_taken_back;   ///< What a start finds.

  void start(const std::string& files, bool disk_full) {
    const bool refused = !stored_taken_back.empty() && stored_taken_back == files;
    good = refused ? stored_good : files;
    if (!refused) taken_back.clear();
    if (refused) taken_back = files;
    before.clear();
    trial.clear();
    if (!disk_full) store();
  }
  void store() {
    stored_good = good;
    stored_taken_back = taken_back;
  }
  void apply(const std::string& files, std::optional<std::chrono::seconds> confirm, bool signal, Time now) {
    if (signal && (!trial.empty() || files == taken_back)) return;
    if (confirm) {
      taken_back = trial = files;  // Until it is confirmed, a start does not run it.
      until = now + *confirm;
    } else {
      if (files != good) before = good;
      good = files;
      taken_back.clear();
      trial.clear();
    }
    store();
  }
  void confirm() {
    if (trial.empty()) return;
    before = std::exchange(good, trial);
    trial.clear();
    taken_back.clear();
    store();
  }
  void rollback(bool disk_full) {
    if (!trial.empty()) return trial.clear();
    if (disk_full || before.empty()) return;
    taken_back = std::exchange(good, before);
    before.clear();
    store();
  }
  [[nodiscard]] const std::string& running() const { return trial.empty() ? good : trial; }
};

}  // namespace bgplite::sim
