// A whole gateway on virtual time, by random scripts. Every seed replays:
//
//   gateway_sim_test --seeds 10000 [--first N]     that many scripts
//   gateway_sim_test --seed N                      one, with its trace
//   gateway_sim_test --replay FILE                 the script in a file, with its trace
//
// A script that shows a fault is cut down and printed; kept as tests/sim/gateway/replay/NAME.txt it is run every time.
#include <tests/sim/gateway/rig.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace bgplite::sim {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer);
#else
constexpr bool kSanitized = false;
#endif
std::uint64_t seed_count = kSanitized ? 400 : 10'000;
std::uint64_t first_seed = 1;
std::string program, replay;
bool one = false;

std::string run(const Script& script, Coverage* coverage = nullptr, std::uint64_t* turns = nullptr) {
  Rig rig{script, false};
  std::string wrong = rig.run();
  if (coverage != nullptr)
    for (const auto& [pair, count] : rig.coverage()) (*coverage)[pair] += count;
  if (turns != nullptr) *turns += rig.turns();
  return wrong;
}

void print_trace(const Script& script) {
  Rig rig{script, true};
  const std::string wrong = rig.run();
  for (const std::string& line : rig.trace()) std::printf("  %s\n", line.c_str());
  std::printf("  => %s\n", wrong.empty() ? "nothing is wrong" : wrong.c_str());
}

/// The same invariant is violated.
Script smallest(const Script& script, const std::string& wrong) {
  return shrink(script, [&](const Script& tried) {
    const std::string found = run(tried);
    return !found.empty() && found.front() == wrong.front();
  });
}

void report(const Coverage& coverage) {
  std::printf("pairs of what happened while what was going on: %zu of %zu\n", coverage.size(), Rig::pairs());
}

TEST(GatewaySimulation, EverySeedKeepsWhatMustHold) {
  if (!replay.empty()) return;
  Coverage coverage;
  std::uint64_t turns = 0;
  const std::clock_t began = std::clock();
  for (std::uint64_t seed = first_seed; seed < first_seed + seed_count; ++seed) {
    const Script script = draw(seed);
    const std::string wrong = run(script, &coverage, &turns);
    if (wrong.empty()) continue;
    const Script small = smallest(script, wrong);
    std::printf("seed %llu violates invariant %s\nafter %llu seeds and %llu turns; cut down to\n%s",
                static_cast<unsigned long long>(seed), wrong.c_str(),
                static_cast<unsigned long long>(seed - first_seed + 1), static_cast<unsigned long long>(turns),
                to_text(small).c_str());
    print_trace(small);
    FAIL() << "invariant " << wrong << "\nreplay: " << program << " --seed " << seed;
  }
  if (one) print_trace(draw(first_seed));
  const double seconds = static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC;
  std::printf("seeds %llu to %llu: %llu turns in %.1f s of one core, %.0f a second\n",
              static_cast<unsigned long long>(first_seed), static_cast<unsigned long long>(first_seed + seed_count - 1),
              static_cast<unsigned long long>(turns), seconds, static_cast<double>(turns) / std::max(seconds, 0.001));
  report(coverage);
  if (seed_count >= 10'000) {
    EXPECT_GE(coverage.size(), Rig::pairs() * 9 / 10) << "events do not meet each other";
  }
}

TEST(GatewaySimulation, ScriptsThatShowedAFaultShowNoneNow) {
  std::vector<std::string> files;
  if (!replay.empty()) files.push_back(replay);
  if (replay.empty())
    for (const auto& entry : std::filesystem::directory_iterator{BGPLITE_REPLAYS}) files.push_back(entry.path());
  for (const std::string& file : files) {
    SCOPED_TRACE(file);
    std::ostringstream text;
    text << std::ifstream{file}.rdbuf();
    const auto script = parse(text.str());
    ASSERT_TRUE(script);
    if (!replay.empty()) print_trace(*script);
    EXPECT_EQ(run(*script), "");
  }
}

TEST(GatewaySimulation, ASeedGivesTheSameRunTwice) {
  for (const std::uint64_t seed : {3U, 4U, 5U}) {
    Rig a{draw(seed), true}, b{draw(seed), true};
    EXPECT_EQ(a.run(), b.run());
    EXPECT_EQ(a.trace(), b.trace()) << "seed " << seed;
    EXPECT_EQ(a.turns(), b.turns());
  }
}

TEST(GatewaySimulation, AScriptIsReadAsItWasPrinted) {
  for (std::uint64_t seed = 1; seed < 50; ++seed) {
    const Script script = draw(seed);
    const auto read = parse(to_text(script));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->seed, script.seed);
    EXPECT_EQ(read->steps, script.steps);
  }
  EXPECT_FALSE(parse("seed 1\n+5 dance 0 0\n"));
}

TEST(GatewaySimulation, AScriptIsCutDownToWhatMatters) {
  const Script small = shrink(draw(7), [](const Script& script) {
    return std::any_of(script.steps.begin(), script.steps.end(), [](const Step& step) { return step.b > 5; });
  });
  EXPECT_EQ(small.steps.size(), 1U);
}

}  // namespace

int run_all(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  program = argv[0];
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view option = argv[i];
    if (option == "--replay") {
      replay = argv[i + 1];
      continue;
    }
    const auto value = std::strtoull(argv[i + 1], nullptr, 10);
    if (option == "--seeds") seed_count = value;
    if (option == "--first") first_seed = value;
    if (option == "--seed") first_seed = value, seed_count = 1, one = true;
  }
  return RUN_ALL_TESTS();
}

}  // namespace bgplite::sim

int main(int argc, char** argv) { return bgplite::sim::run_all(argc, argv); }
