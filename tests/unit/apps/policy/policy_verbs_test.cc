/// Golden tests of `bgplite policy eval` and `test`, wrong input included.
#include <tests/unit/apps/policy/run_verb.h>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace bgplite::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// --- eval ------------------------------------------------------------------------------------------------------------

Ran eval(const std::string& config, std::vector<std::string> more) {
  std::vector<std::string> arguments{"policy", "eval", "-c", config};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_verb(arguments);
}

TEST(PolicyEval, SaysWhatHappensAndByWhichTerm) {
  const Ran ran =
      eval(gateway(), {"--peer", "cloud", "--route", "{prefix: 192.168.10.0/24, as_path: [65535], med: 10}"});
  EXPECT_EQ(ran.exit, 0) << ran.err;
  EXPECT_EQ(ran.out,
            "accept 192.168.10.0/24  by in: vpc\n"
            "  local_pref: none -> 200\n"
            "  community: none -> 65530:1\n");
}

TEST(PolicyEval, TraceSaysWhyEachTermDidOrDidNotMatch) {
  const Ran ran = eval(gateway(), {"--peer", "192.0.2.2", "--trace", "--route", "{prefix: 10.0.0.0/8}"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_EQ(ran.out,
            "reject 10.0.0.0/8  by in: end of the policy\n"
            "  in / own: not matched\n"
            "    no  own_prefix true   (route: false)\n"
            "  in / vpc: not matched\n"
            "    no  prefix 192.168.0.0/16 le 24   (route: 10.0.0.0/8)\n");
}

TEST(PolicyEval, KnowsOurNetworksAndTheRealDefaults) {
  const auto verdict = [](const std::string& peer, const std::string& direction, const std::string& prefix) {
    return eval(gateway(), {"--peer", peer, "--direction", direction, "--route", "{prefix: " + prefix + "}"}).out;
  };
  EXPECT_EQ(verdict("cloud", "import", "172.16.20.128/25"), "reject 172.16.20.128/25  by in: own\n");
  EXPECT_EQ(verdict("cloud", "export", "172.16.20.0/24"), "accept 172.16.20.0/24  by out: term 1\n");
  EXPECT_EQ(verdict("192.0.2.3", "import", "10.0.0.0/8"), "accept 10.0.0.0/8  by accept_all\n");
  EXPECT_EQ(verdict("192.0.2.4", "import", "10.0.0.0/8"), "reject 10.0.0.0/8  by reject_all (RFC 8212)\n");
}

TEST(PolicyEval, JsonHasTheSame) {
  const Ran ran = eval(gateway(), {"--policy", "in", "--json", "--trace", "--route", "{prefix: 192.168.10.0/24}"});
  const auto json = nlohmann::json::parse(ran.out);
  EXPECT_EQ(json["action"], "accept");
  EXPECT_EQ(json["decided_by"]["term"], "vpc");
  EXPECT_EQ(json["changed"]["local_pref"]["after"], "200");
  EXPECT_EQ(json["attributes"]["community"], "65530:1");
  ASSERT_EQ(json["terms"].size(), 2U);
  EXPECT_EQ(json["terms"][0]["conditions"][0]["held"], false);
  EXPECT_EQ(json["terms"][1]["line"], 10);
}

TEST(PolicyEval, WrongInput) {
  const auto check = [](const std::vector<std::string>& arguments, int exit, const std::string& error) {
    const Ran ran = eval(gateway(), arguments);
    EXPECT_EQ(ran.exit, exit) << ran.out;
    EXPECT_THAT(ran.err, HasSubstr(error));
  };
  check({"--peer", "clod", "--route", "{prefix: 10.0.0.0/8}"}, 2, "no peer 'clod' (did you mean 'cloud'?)");
  check({"--policy", "inn", "--route", "{prefix: 10.0.0.0/8}"}, 2, "no policy 'inn' (did you mean 'in'?)");
  check({"--route", "{prefix: 10.0.0.0/8}"}, 2, "give --peer NAME with --direction, or --policy NAME");
  check({"--policy", "in", "--route", "{prefix: 10.0.0.0/99}"}, 2,
        "--route:1:10: error: prefix must be a prefix, not '10.0.0.0/99'");
  check({"--policy", "in", "--route", "{perfix: 10.0.0.0/8}"}, 2,
        "--route:1:2: error: unknown field 'perfix' (did you mean 'prefix'?)");
  check({"--policy", "in", "--route", "{as_path: 1}"}, 2, "the route has no prefix");
  check({"--policy", "in", "--route", "{prefix"}, 2, "--route:");
  check({"--policy", "in", "--direction", "sideways", "--route", "{prefix: 10.0.0.0/8}"}, 2, "sideways");
  const Ran missing = eval("/nonexistent.yaml", {"--policy", "in", "--route", "{prefix: 10.0.0.0/8}"});
  EXPECT_EQ(missing.exit, 3);
  EXPECT_THAT(missing.err, HasSubstr("cannot read '/nonexistent.yaml'"));
  const Ran broken = eval(write_file("broken.yaml", "policies: { p: [ { acept: true } ] }\n"),
                          {"--policy", "p", "--route", "{prefix: 10.0.0.0/8}"});
  EXPECT_EQ(broken.exit, 2);
  EXPECT_EQ(broken.err, "broken.yaml:1:20: error: unknown key 'acept' (did you mean 'accept'?)\n");
}

// --- test ------------------------------------------------------------------------------------------------------------

std::string tests_with(const std::string& cases) {
  static_cast<void>(gateway());
  return write_file("gw_test.yaml", "config: gw.yaml\ntests:\n" + cases);
}

const char* const kGoodCases = R"(  - group: import
    given: { peer: cloud, direction: import, route: { as_path: 65535 } }
    cases:
      - name: vpc
        route: { prefix: 192.168.10.0/24, med: 7 }
        expect: { action: accept, term: vpc, set: { local_pref: 200, community: 65530:1 }, unchanged: [med, as_path] }
      - { name: longer, route: { prefix: 192.168.10.0/25 }, expect: { action: reject, term: default } }
)";

TEST(PolicyTest, PassesAndCounts) {
  const Ran ran = run_verb({"policy", "test", tests_with(kGoodCases)});
  EXPECT_EQ(ran.exit, 0) << ran.out << ran.err;
  EXPECT_EQ(ran.out, "gw_test.yaml: 2 passed, 0 failed\ntotal: 2 passed, 0 failed\n");
}

TEST(PolicyTest, FailuresShowTheRouteBothSidesWhoDecidedAndTheWay) {
  const Ran ran = run_verb({"policy", "test", tests_with(R"(
  - name: wrong
    policy: in
    route: { prefix: 192.168.10.0/24, med: 7 }
    expect: { action: accept, term: own, set: { local_pref: 300, med: 8 }, unchanged: [community] }
  - { name: refused, peer: cloud, direction: export, route: { prefix: 10.0.0.0/8, as_path: '1 {2,3}' }, expect: accept }
  - { name: nobody, peer: clod, route: { prefix: 10.0.0.0/8 }, expect: accept }
)")});
  EXPECT_EQ(ran.exit, 1);
  EXPECT_EQ(ran.out,
            "FAIL gw_test.yaml:4:5: wrong\n"
            "  policy in, import: { prefix: 192.168.10.0/24, med: 7 }\n"
            "              expected          got\n"
            "  term        own               vpc\n"
            "  med         8                 7\n"
            "  local_pref  300               200\n"
            "  community   none (unchanged)  65530:1\n"
            "  accepted by in / vpc (gw.yaml:10:7)\n"
            "    in / own: not matched\n"
            "      no  own_prefix true   (route: false)\n"
            "    in / vpc: matched, accept\n"
            "      yes prefix 192.168.0.0/16 le 24   (route: 192.168.10.0/24)\n"
            "      set local_pref 200\n"
            "      set add_community 65530:1\n"
            "FAIL gw_test.yaml:8:5: refused\n"
            "  peer cloud, export: { prefix: 10.0.0.0/8, as_path: '1 {2,3}' }\n"
            "          expected  got\n"
            "  action  accept    reject\n"
            "  rejected by out / default (gw.yaml:14:3)\n"
            "    out / term 1: not matched\n"
            "      no  own_prefix true   (route: false)\n"
            "FAIL gw_test.yaml:9:5: nobody\n"
            "  no peer 'clod' (did you mean 'cloud'?)\n"
            "gw_test.yaml: 0 passed, 3 failed\n"
            "total: 0 passed, 3 failed\n");
}

TEST(PolicyTest, CoverageNamesWhatNoCaseReaches) {
  const std::string config = write_file("sets.yaml", R"(prefix_sets: { s: [10.0.0.0/8, 11.0.0.0/8] }
policies:
  p:
    - { name: no, match: { community: 1:1 }, reject: true }
    - { name: yes, match: { prefix: s }, accept: true }
    - { name: asks, match: { policy: asked }, accept: true }
  asked: [ { name: inner, match: { med: 1 }, accept: true }, { name: other, match: { med: 2 }, accept: true } ]
)");
  const std::string tests = write_file("sets_test.yaml", R"(config: sets.yaml
tests:
  - { policy: p, route: { prefix: 10.0.0.0/8 }, expect: accept }
  - { policy: p, route: { prefix: 12.0.0.0/8, med: 1 }, expect: accept }
)");
  const Ran ran = run_verb({"policy", "test", tests, "--coverage"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_EQ(ran.out,
            "sets_test.yaml: 2 passed, 0 failed\n"
            "coverage of sets.yaml: 57% (terms 3/5, set entries 1/2)\n"
            "  not reached: policy p: no  (sets.yaml:4:7)\n"
            "  not reached: policy asked: other  (sets.yaml:7:62)\n"
            "  not reached: set s: 11.0.0.0/8  (sets.yaml:1:32)\n"
            "total: 2 passed, 0 failed\n");
  EXPECT_EQ(run_verb({"policy", "test", tests, "--min-coverage", "57"}).exit, 0);
  EXPECT_EQ(run_verb({"policy", "test", tests, "--min-coverage", "58"}).exit, 1);
}

TEST(PolicyTest, MutantsThatNoCaseKillsAreListed) {
  const std::string config =
      write_file("m.yaml", "policies: { p: [ { name: t, match: { med: 5 }, then: { weight: 7 }, accept: true } ] }\n");
  const std::string weak = write_file("m_test.yaml",
                                      "config: m.yaml\ntests:\n"
                                      "  - { policy: p, route: { prefix: 10.0.0.0/8, med: 5 }, expect: accept }\n");
  const Ran ran = run_verb({"policy", "test", weak, "--mutate"});
  EXPECT_EQ(ran.exit, 1);
  EXPECT_EQ(ran.out,
            "m_test.yaml: 1 passed, 0 failed\n"
            "mutants of m.yaml: 12, killed 6, equivalent 0, survived 6\n"
            "  survived: p / t / med 5: dropped  (m.yaml:1:43)\n"
            "  survived: p / t / med 5: one more at the end  (m.yaml:1:43)\n"
            "  survived: p / t / med 5: one more at the front  (m.yaml:1:43)\n"
            "  survived: p / t / then weight 7: dropped  (m.yaml:1:64)\n"
            "  survived: p / t / then weight 7: one more  (m.yaml:1:64)\n"
            "  survived: p / t / then weight 7: added instead of set  (m.yaml:1:64)\n"
            "total: 1 passed, 0 failed\n");
  EXPECT_EQ(run_verb({"policy", "test", weak, "--mutate", "--min-killed", "51"}).exit, 1);
  EXPECT_EQ(run_verb({"policy", "test", weak, "--mutate", "--min-killed", "50"}).exit, 0);
}

TEST(PolicyTest, EquivalentMutantsAreListedByHandAndCheckedThemselves) {
  write_file("m.yaml", "policies: { p: [ { name: t, match: { med: 5 }, then: { weight: 7 }, accept: true } ] }\n");
  const std::string cases =
      "config: m.yaml\ntests:\n"
      "  - { policy: p, route: { prefix: 10.0.0.0/8, med: 5 }, expect: { term: t, action: accept, set: { weight: 7 } } "
      "}\n"
      "  - { policy: p, route: { prefix: 10.0.0.0/8, med: 4 }, expect: { term: default } }\n"
      "  - { policy: p, route: { prefix: 10.0.0.0/8, med: 6 }, expect: { term: default } }\n";
  const Ran survived = run_verb({"policy", "test", write_file("m_test.yaml", cases), "--mutate"});
  EXPECT_EQ(survived.exit, 1);
  EXPECT_THAT(survived.out, HasSubstr("survived 1\n  survived: p / t / then weight 7: added instead of set"));
  const Ran listed = run_verb({"policy", "test",
                               write_file("m_test.yaml", cases + "equivalent_mutants: ['p / t / then weight 7: added "
                                                                 "instead of set']\n"),
                               "--mutate"});
  EXPECT_EQ(listed.exit, 0) << listed.out;
  EXPECT_THAT(listed.out, HasSubstr("equivalent 1, survived 0"));
  const Ran wrong =
      run_verb({"policy", "test", write_file("m_test.yaml", cases + "equivalent_mutants: ['p / t / med 5: dropped']\n"),
                "--mutate"});
  EXPECT_EQ(wrong.exit, 1);
  EXPECT_THAT(wrong.out, HasSubstr("listed as equivalent, but killed or unknown: p / t / med 5: dropped"));
}

TEST(PolicyTest, WrongInput) {
  const auto check = [](const std::string& cases, const std::string& error) {
    const Ran ran = run_verb({"policy", "test", tests_with(cases)});
    EXPECT_EQ(ran.exit, 2) << ran.out;
    EXPECT_THAT(ran.err, HasSubstr(error));
  };
  check("  - { name: n, policy: in, rout: { prefix: 10.0.0.0/8 }, expect: accept }\n",
        "unknown key 'rout' (did you mean 'route'?)");
  check("  - { name: n, policy: in, route: { prefix: 10.0.0.0/8 }, expect: acept }\n",
        "'acept' is neither accept nor reject");
  check("  - { name: n, policy: in, route: { prefix: 10.0.0.0/8 } }\n", "the case expects nothing");
  check("  - { name: n, policy: in, route: { med: 1 }, expect: accept }\n", "the case has no prefix");
  check("  - { name: n, route: { prefix: 10.0.0.0/8 }, expect: accept }\n", "neither a policy nor a peer");
  check("  - { name: n, policy: in, route: { prefix: 10.0.0.0/8 }, expect: { set: { mad: 1 } } }\n",
        "'mad' is no attribute");
  check("  - { name: n, policy: in, route: { prefix: 10.0.0.0/8 }, expect: { set: { med: x } } }\n",
        "med must be a number or none, not 'x'");
  check("  - { name: n, policy: in, route: { prefix: 10.0.0.0/8 }, expect: { unchanged: [mad] } }\n",
        "'mad' is no attribute");
  check("  just: text\n", "tests must be a list");
  EXPECT_EQ(run_verb({"policy", "test", "/nonexistent_test.yaml"}).exit, 3);
  const Ran empty = run_verb({"policy", "test", write_file("none.yaml", "config: gw.yaml\n")});
  EXPECT_EQ(empty.exit, 2);
  EXPECT_THAT(empty.err, HasSubstr("no tests in this file"));
}

TEST(PolicyTest, TheExampleOfTheDocumentationHolds) {
  const Ran ran = run_verb({"policy", "test", POLICY_EXAMPLES, "--min-coverage", "100", "--mutate"});
  EXPECT_EQ(ran.exit, 0) << ran.out << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("equivalent 0, survived 0"));
}

}  // namespace
}  // namespace bgplite::testing
