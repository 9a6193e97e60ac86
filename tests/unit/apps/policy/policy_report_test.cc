/// What `policy test` measures by several files, and its reports: they agree with each other and with the exit status.
#include <tests/unit/apps/policy/run_verb.h>

#include <filesystem>
#include <regex>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace bgplite::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const char* const kTwoPolicies =
    "prefix_sets: { s: [10.0.0.0/8], never: [11.0.0.0/8] }\n"
    "policies:\n"
    "  p: [ { name: a, match: { prefix: s }, accept: true }, { name: b, match: { med: 1 }, reject: true } ]\n"
    "  q: [ { name: all, accept: true } ]\n";

/// A test file for that configuration with these cases.
std::string tests_of_two(const std::string& name, const std::string& cases) {
  write_file("two.yaml", kTwoPolicies);
  return write_file(name, "config: two.yaml\ntests: [" + cases + "]\n");
}
const char* const kCaseA = "{ name: a, policy: p, route: { prefix: 10.0.0.0/8 }, expect: { term: a } }";
const char* const kCaseB = "{ name: b, policy: p, route: { prefix: 9.0.0.0/8, med: 1 }, expect: { term: b } }";
const char* const kWrong = "{ name: w, policy: p, route: { prefix: 10.0.0.0/8 }, expect: reject }";

// --- By configuration
// --------------------------------------------------------------------------------------------------

TEST(PolicyMeasure, PoliciesAndSetsThatNoCaseTouchesAreNotCovered) {
  const std::string tests = tests_of_two("two_test.yaml", std::string(kCaseA) + "," + kCaseB);
  const Ran ran = run_verb({"policy", "test", tests, "--min-coverage", "61"});
  EXPECT_EQ(ran.exit, 1);
  EXPECT_THAT(ran.out, HasSubstr("coverage of two.yaml: 60% (terms 2/3, set entries 1/2)\n"
                                 "  not reached: policy q: all  (two.yaml:4:8)\n"
                                 "  not reached: set never: 11.0.0.0/8  (two.yaml:1:41)\n"));
  EXPECT_EQ(run_verb({"policy", "test", tests, "--min-coverage", "60"}).exit, 0);
}

TEST(PolicyMeasure, MutantsOfAPolicyThatNoCaseTouchesSurvive) {
  const Ran ran =
      run_verb({"policy", "test", tests_of_two("two_test.yaml", std::string(kCaseA) + "," + kCaseB), "--mutate"});
  EXPECT_EQ(ran.exit, 1);
  EXPECT_THAT(ran.out, HasSubstr("survived: q / all: left out  (two.yaml:4:8)\n"));
  EXPECT_THAT(ran.out, HasSubstr("survived: q / all / accept: reject instead"));
}

TEST(PolicyMeasure, TheCasesOfTwoFilesCountTogether) {
  const std::string a = tests_of_two("a_test.yaml", kCaseA);
  const std::string b = tests_of_two("b_test.yaml", kCaseB);
  const Ran ran = run_verb({"policy", "test", a, b, "--min-coverage", "60", "--mutate"});
  EXPECT_THAT(ran.out, HasSubstr("a_test.yaml: 1 passed, 0 failed\nb_test.yaml: 1 passed, 0 failed\n"
                                 "coverage of two.yaml: 60%"));
  EXPECT_THAT(ran.out, HasSubstr("total: 2 passed, 0 failed\n"));
  // One report of mutants, and the same as of one file with both cases.
  const Ran one =
      run_verb({"policy", "test", tests_of_two("two_test.yaml", std::string(kCaseA) + "," + kCaseB), "--mutate"});
  const auto mutants = [](const std::string& text) { return text.substr(text.find("mutants of two.yaml")); };
  EXPECT_EQ(mutants(ran.out), mutants(one.out));
  // A file that is named twice counts once.
  EXPECT_THAT(run_verb({"policy", "test", a, a}).out, HasSubstr("total: 1 passed, 0 failed\n"));
}

TEST(PolicyMeasure, NoCasesDoNotReachAMinimum) {
  for (const char* minimum : {"0", "100"}) {
    EXPECT_EQ(run_verb({"policy", "test", tests_of_two("no_test.yaml", ""), "--min-coverage", minimum}).exit, 1);
    const std::string nothing = write_file("nothing_test.yaml", "policies: {}\npolicy_tests: []\n");
    EXPECT_EQ(run_verb({"policy", "test", nothing, "--min-coverage", minimum}).exit, 1);
  }
  EXPECT_EQ(run_verb({"policy", "test", tests_of_two("no_test.yaml", "")}).exit, 0);
}

TEST(PolicyMeasure, EditsReachTheSetsTheyUse) {
  write_file("edits.yaml",
             "community_sets: { marks: [1:1, 1:2] }\n"
             "policies: { p: [ { match: { med: 1 }, then: { add_community: marks }, accept: true } ] }\n");
  const auto coverage = [](const std::string& med) {
    return run_verb({"policy", "test", "--coverage",
                     write_file("edits_test.yaml",
                                "config: edits.yaml\ntests: [ { policy: p, route: { prefix: 10.0.0.0/8, "
                                "med: " +
                                    med + " }, expect: { term: term 1 } } ]\n")})
        .out;
  };
  EXPECT_THAT(coverage("1"), HasSubstr("coverage of edits.yaml: 100% (terms 1/1, set entries 2/2)"));
  EXPECT_THAT(coverage("2"), HasSubstr("coverage of edits.yaml: 0% (terms 0/1, set entries 0/2)"));
}

TEST(PolicyMeasure, LargeSetsAreSampledAndTheReportSaysSo) {
  std::string items;
  for (int i = 0; i < 1100; ++i) items += "10." + std::to_string(i / 256) + "." + std::to_string(i % 256) + ".0/24\n";
  write_file("large.txt", items);
  write_file("large.yaml",
             "prefix_sets: { large: { file: large.txt } }\n"
             "policies: { p: [ { name: t, match: { prefix: large }, accept: true } ] }\n");
  const std::string tests =
      write_file("large_test.yaml",
                 "config: large.yaml\ntests:\n"
                 "  - { policy: p, route: { prefix: 10.0.0.0/24 }, expect: { action: accept, term: t } }\n"
                 "  - { policy: p, route: { prefix: 9.0.0.0/24 }, expect: { term: default } }\n");
  const Ran ran = run_verb({"policy", "test", tests, "--mutate", "--mutate-sample", "2"});
  EXPECT_EQ(ran.exit, 1);
  EXPECT_THAT(ran.out, HasSubstr("  sampled: 2 of the 1100 entries of set large were mutated (--mutate-sample)  "
                                 "(large.yaml:1:16)\n"));
  // The first entry is tested, the one in the middle is not.
  EXPECT_THAT(ran.out, Not(HasSubstr("set large / 10.0.0.0/24: left out")));
  EXPECT_THAT(ran.out, HasSubstr("survived: set large / 10.2.38.0/24: left out  (large.txt:551:1)\n"));
  const Ran none = run_verb({"policy", "test", tests, "--mutate", "--mutate-sample", "0"});
  EXPECT_EQ(none.exit, 0) << none.out;
  EXPECT_THAT(none.out, HasSubstr("sampled: 0 of the 1100 entries"));
}

// --- Which cases run -------------------------------------------------------------------------------------------------

TEST(PolicyRun, FilterChoosesCasesByName) {
  const std::string tests = tests_of_two("two_test.yaml", std::string(kCaseA) + "," + kCaseB + "," + kWrong);
  const Ran ran = run_verb({"policy", "test", tests, "--filter", "b"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_EQ(ran.out, "two_test.yaml: 1 passed, 0 failed\ntotal: 1 passed, 0 failed, 2 left out by --filter\n");
  const Ran none = run_verb({"policy", "test", tests, "--filter", "nowhere"});
  EXPECT_EQ(none.exit, 2);
  EXPECT_THAT(none.err, HasSubstr("no case has 'nowhere' in its name"));
}

TEST(PolicyRun, FailFastEndsWithTheFirstFailure) {
  const std::string tests = tests_of_two("two_test.yaml", std::string(kCaseA) + "," + kWrong + "," + kCaseB);
  const std::string other = tests_of_two("z_test.yaml", kCaseB);
  const std::string junit = write_file("out.xml", "");
  const Ran ran = run_verb({"policy", "test", tests, other, "--fail-fast", "--coverage", "--mutate", "--junit", junit});
  EXPECT_EQ(ran.exit, 1);
  EXPECT_THAT(ran.out, HasSubstr("two_test.yaml: 1 passed, 1 failed\nz_test.yaml: 0 passed, 0 failed\n"
                                 "coverage of two.yaml: not measured, the run was ended\n"
                                 "mutants of two.yaml: not tried while cases fail\n"
                                 "total: 1 passed, 1 failed, 2 not run after the first failure\n"));
  EXPECT_THAT(read_file(junit), HasSubstr("failures=\"1\" errors=\"0\" skipped=\"3\""));
}

// --- Reports ---------------------------------------------------------------------------------------------------------

struct Reported {
  Ran ran;
  std::string junit, tap;
  int failures = 0, errors = 0, not_ok = 0;
};

/// The same run with a JUnit file and as TAP.
Reported reported(std::vector<std::string> words) {
  Reported reported;
  const std::string path = write_file("out.xml", "");
  std::filesystem::remove(path);
  words.insert(words.begin(), {"policy", "test"});
  std::vector<std::string> with_junit = words;
  with_junit.insert(with_junit.end(), {"--junit", path});
  reported.ran = run_verb(with_junit);
  reported.junit = without_directory(read_file(path));
  words.emplace_back("--tap");
  const Ran tap = run_verb(words);
  EXPECT_EQ(tap.exit, reported.ran.exit);
  reported.tap = tap.out;
  std::smatch counts;
  const std::regex totals("<testsuites tests=\"([0-9]+)\" failures=\"([0-9]+)\" errors=\"([0-9]+)\"");
  if (std::regex_search(reported.junit, counts, totals)) {
    reported.failures = std::stoi(counts[2]);
    reported.errors = std::stoi(counts[3]);
    EXPECT_THAT(reported.tap, HasSubstr("\n1.." + counts[1].str() + "\n"));
  } else {
    ADD_FAILURE() << "no totals: " << reported.junit;
  }
  for (std::size_t at = 0; (at = reported.tap.find("\nnot ok ", at)) != std::string::npos; ++at) ++reported.not_ok;
  EXPECT_EQ(reported.failures + reported.errors, reported.not_ok) << reported.tap;
  // The exit status says the same.
  EXPECT_EQ(reported.ran.exit == 0, reported.not_ok == 0) << reported.junit;
  EXPECT_EQ(reported.ran.exit >= 2, reported.errors > 0) << reported.junit;
  return reported;
}

TEST(PolicyReport, JunitAndTapAgreeWithTheExitStatus) {
  const std::string both = std::string(kCaseA) + "," + kCaseB;
  EXPECT_EQ(reported({tests_of_two("two_test.yaml", both)}).not_ok, 0);
  EXPECT_EQ(reported({tests_of_two("two_test.yaml", both + "," + kWrong)}).failures, 1);
  EXPECT_EQ(reported({tests_of_two("two_test.yaml", both), "--min-coverage", "60"}).failures, 0);
  EXPECT_EQ(reported({tests_of_two("two_test.yaml", both), "--min-coverage", "61"}).failures, 1);
  EXPECT_EQ(reported({tests_of_two("two_test.yaml", ""), "--min-coverage", "1"}).failures, 1);
  EXPECT_EQ(reported({tests_of_two("two_test.yaml", both), "--filter", "nowhere"}).errors, 1);
  EXPECT_EQ(reported({"/nonexistent_test.yaml"}).errors, 1);
  EXPECT_EQ(reported({write_file("c_test.yaml", "config: nowhere.yaml\ntests: []\n")}).errors, 1);
}

TEST(PolicyReport, SurvivingMutantsAreFailuresUnlessFewerAreAskedFor) {
  const std::string both = tests_of_two("two_test.yaml", std::string(kCaseA) + "," + kCaseB);
  const Reported all = reported({both, "--mutate"});
  EXPECT_GT(all.failures, 0);
  EXPECT_THAT(all.junit, HasSubstr("name=\"mutant: q / all: left out\" file=\"two.yaml\" line=\"4\""));
  EXPECT_EQ(reported({both, "--mutate", "--min-killed", "10"}).failures, 0);
  const std::string listed = write_file(
      "l_test.yaml", "config: two.yaml\ntests: [" + std::string(kCaseA) + "]\nequivalent_mutants: [nothing]\n");
  EXPECT_GT(reported({listed, "--mutate", "--min-killed", "0"}).failures, 0);
}

TEST(PolicyReport, AMistakeInOneFileHidesNeitherTheOthersNorTheReport) {
  const std::string good = tests_of_two("good_test.yaml", std::string(kCaseA) + "," + kWrong);
  const std::string bad = write_file("bad_test.yaml", "config: two.yaml\ntests: [ { nam: x } ]\n");
  const Reported both = reported({bad, good});
  EXPECT_EQ(both.ran.exit, 2);
  EXPECT_EQ(both.errors, 1);
  EXPECT_EQ(both.failures, 1);
  EXPECT_THAT(both.ran.err, HasSubstr("bad_test.yaml:2:12: error: unknown key 'nam'"));
  EXPECT_THAT(both.ran.out, HasSubstr("bad_test.yaml: not run, "));
  EXPECT_THAT(both.ran.out, HasSubstr("FAIL good_test.yaml"));
  EXPECT_THAT(both.ran.out, HasSubstr("total: 1 passed, 1 failed, 1 files not run because of mistakes\n"));
  EXPECT_THAT(both.junit, HasSubstr("<error message="));
  EXPECT_THAT(both.junit, HasSubstr("unknown key 'nam'"));
}

TEST(PolicyReport, TapHasOneLineAPointAndSaysWhy) {
  const std::string tests =
      tests_of_two("two_test.yaml", std::string(kCaseA) +
                                        ", { name: 'w #1', policy: p, route: { prefix: 10.0.0.0/8 }, expect: reject }");
  EXPECT_THAT(reported({tests}).tap, HasSubstr("TAP version 13\n1..2\n"
                                               "ok 1 - two_test.yaml: a\n"
                                               "not ok 2 - two_test.yaml: w \\#1\n"
                                               "  ---\n"
                                               "  at: 'two_test.yaml:2'\n"));
  EXPECT_EQ(run_verb({"policy", "test", tests, "--tap", "--json"}).exit, 2);
}

TEST(PolicyReport, JsonHasTheSame) {
  const std::string tests = tests_of_two(
      "two_test.yaml",
      std::string("{ name: a<b, policy: p, route: { prefix: 9.0.0.0/8, med: 2 }, expect: accept },") + kCaseA);
  const Reported run = reported({tests});
  EXPECT_THAT(run.junit, HasSubstr("name=\"a&lt;b\" file=\"two_test.yaml\" line=\"2\""));
  EXPECT_THAT(run.junit, HasSubstr("action  accept    reject\nrejected by p / default (two.yaml:3:3)\n"));
  const auto json = nlohmann::json::parse(run_verb({"policy", "test", tests, "--json"}).out);
  const auto& one = json["files"][0]["cases"][0];
  EXPECT_EQ(one["passed"], false);
  EXPECT_EQ(one["route"], "{ prefix: 9.0.0.0/8, med: 2 }");
  EXPECT_EQ(one["differences"][0]["expected"], "accept");
  EXPECT_EQ(one["differences"][0]["got"], "reject");
  EXPECT_EQ(one["decided_by"]["term"], "default");
  EXPECT_EQ(json["configurations"][0]["config"].get<std::string>().ends_with("two.yaml"), true);
  EXPECT_EQ(json["total"]["failed"], 1);
}

TEST(PolicyReport, LongLinesAreNotWrapped) {
  const std::string name(70, 'n');
  const std::string tests =
      write_file("w_test.yaml", "policies: { " + name + ": [ { name: " + name +
                                    ", match: { med: 5 }, accept: true } ] }\n"
                                    "policy_tests: [ { policy: " +
                                    name + ", route: { prefix: 10.0.0.0/8, med: 5 }, expect: accept } ]\n");
  const Ran ran = run_verb({"policy", "test", tests, "--mutate"});
  EXPECT_THAT(ran.out,
              HasSubstr("\n  survived: " + name + " / " + name + " / med 5: one more at the end  (w_test.yaml:1:"));
}

}  // namespace
}  // namespace bgplite::testing
