/// Rig: one run of a script: a simulated gateway among peers, and what must hold after every event and at the end.
///
///   1  what an Established peer announces, with a usable next hop, is in the kernel without a gap
///   2  no route leads into a tunnel that is known dead, and none into a dead one for longer than it takes to see that
///   3  what a peer holds of us is what is configured and asked for, once quiet
///   4  the best path and the equal-cost set are those of the set of paths
///   5  progress: turns, log lines and effects are bounded
///   6  nothing of ours is left that the configuration does not want
///   7  a refused or rolled-back change leaves everything as it was; an unconfirmed one is gone after its time
///   8  who is not Established for longer than its time has a reason
#pragma once

#include <tests/sim/gateway/script.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace bgplite::sim {

/// What happened while what was going on: (word of the act, word of the state).
using Coverage = std::map<std::pair<std::string_view, std::string_view>, std::uint64_t>;

class Rig {
 public:
  Rig(const Script& script, bool tracing);
  ~Rig();
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  /// The first thing that is wrong, with the number of its invariant; empty: nothing.
  [[nodiscard]] std::string run();
  [[nodiscard]] const std::vector<std::string>& trace() const;
  [[nodiscard]] const Coverage& coverage() const;
  [[nodiscard]] std::uint64_t turns() const;
  [[nodiscard]] static std::size_t pairs();  ///< That there are.

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bgplite::sim
