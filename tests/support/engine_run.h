/// EngineRun: one Engine with scripted peers, driven by a program of octets. Peers connect, announce, withdraw,
/// refresh, restart, read slowly, and send attributes too large to pass on; options change meanwhile. After every turn
/// it checks
///
///   1. a route that a peer announces and policy accepts is in use, without a gap, until its withdrawal, the end of the
///      session or a change of options ends it;
///   2. turns make progress: at one moment of time there is a bounded number of them;
///
/// and whenever everything is quiet
///
///   3. what each peer holds (decoded from the octets it read) is what announced_to() says, and what a fresh Engine
///      with the same peers, options and routes advertises;
///   4. the best paths that were reported are those in the table.
///
/// For a fuzzer, and for seeds: the same program gives the same run.
#pragma once

#include <bgp/types.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace minibgp::testing {

class EngineRun {
 public:
  struct Counts {
    std::size_t operations = 0, turns = 0, comparisons = 0, sessions = 0, restarts = 0, refreshes = 0, advertised = 0;
  };

  /// `program` outlives the run. `trace`: keep a line for each operation.
  explicit EngineRun(Bytes program, bool trace = false);
  ~EngineRun();
  EngineRun(const EngineRun&) = delete;
  EngineRun& operator=(const EngineRun&) = delete;

  /// Runs the program to its end. The first thing that is wrong; empty: nothing.
  [[nodiscard]] std::string run();
  [[nodiscard]] const Counts& counts() const;
  [[nodiscard]] const std::vector<std::string>& trace() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace minibgp::testing
