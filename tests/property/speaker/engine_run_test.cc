// Random programs for an Engine with six peers (tests/support/engine_run.h): no route that is announced and accepted is
// absent for a moment, and what each peer holds is what a fresh engine would have advertised.
#include <tests/support/engine_run.h>

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <vector>

#include <gtest/gtest.h>
#include <testing/random.h>

namespace minibgp::testing {
namespace {

std::vector<std::uint8_t> program_of(std::uint64_t seed) {
  Random random{Seed{seed}};
  std::vector<std::uint8_t> program(200 + random.below(1200));
  for (auto& octet : program) octet = static_cast<std::uint8_t>(random.next());
  return program;
}

std::uint64_t number_of(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// MINIBGP_SEED=N runs one seed and prints its operations; MINIBGP_SEEDS=N runs that many.
TEST(EngineRun, NoRouteIsAbsentAndEachPeerHoldsWhatAFreshEngineAdvertises) {
  const std::uint64_t one = number_of("MINIBGP_SEED", 0);
  const std::uint64_t first = one != 0 ? one : 1;
  const std::uint64_t last = one != 0 ? one : number_of("MINIBGP_SEEDS", 300);
  EngineRun::Counts total;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    const auto program = program_of(seed);
    EngineRun run{program, one != 0};
    const std::string problem = run.run();
    for (const std::string& line : run.trace()) std::cout << line << '\n';
    ASSERT_EQ(problem, "") << "seed=" << seed << "; MINIBGP_SEED=" << seed << " prints its operations";
    total.operations += run.counts().operations;
    total.turns += run.counts().turns;
    total.comparisons += run.counts().comparisons;
    total.sessions += run.counts().sessions;
    total.restarts += run.counts().restarts;
    total.refreshes += run.counts().refreshes;
    total.advertised += run.counts().advertised;
  }
  std::cout << "seeds " << first << " to " << last << ": " << total.operations << " operations, " << total.turns
            << " turns, " << total.sessions << " sessions, " << total.restarts << " restarts, " << total.refreshes
            << " refreshes, " << total.comparisons << " comparisons with a fresh engine, " << total.advertised
            << " routes compared\n";
  if (one == 0) {
    EXPECT_GT(total.comparisons, 2 * (last - first));
    EXPECT_GT(total.sessions, 5 * (last - first));
    EXPECT_GT(total.restarts, last - first);
    EXPECT_GT(total.refreshes, (last - first) / 2);
    EXPECT_GT(total.advertised, 20 * (last - first));
  }
}

}  // namespace
}  // namespace minibgp::testing
