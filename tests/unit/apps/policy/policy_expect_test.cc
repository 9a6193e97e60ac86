/// What a test file may expect: everything written is compared, or is a mistake with its place.
#include <tests/unit/apps/policy/run_verb.h>

#include <gmock/gmock.h>

namespace bgplite::testing {
namespace {

using ::testing::HasSubstr;

/// One case on a route that `in` of the gateway accepts with local_pref 200 and community 65530:1 added.
Ran expecting(const std::string& expect, const std::string& given = "accept") {
  static_cast<void>(gateway());
  return run_verb({"policy", "test",
                   write_file("expect_test.yaml",
                              "config: gw.yaml\n"
                              "tests:\n"
                              "  - given: { policy: in, expect: " +
                                  given +
                                  " }\n"
                                  "    cases:\n"
                                  "      - route: { prefix: 192.168.10.0/24, med: 7, large_community: 1:2:3 }\n"
                                  "        expect: " +
                                  expect + "\n")});
}

void expect_mistake(const std::string& expect, const std::string& text, const std::string& given = "accept") {
  const Ran ran = expecting(expect, given);
  EXPECT_EQ(ran.exit, 2) << expect << "\n" << ran.out;
  EXPECT_THAT(ran.err, HasSubstr(text)) << expect;
}

TEST(PolicyExpect, PluralNamesOfCommunitiesAreCompared) {
  EXPECT_EQ(expecting("{ set: { communities: 65530:1 } }").exit, 0);
  const Ran wrong = expecting("{ set: { communities: [65530:1, 65530:2] } }");
  EXPECT_EQ(wrong.exit, 1);
  EXPECT_THAT(wrong.out, HasSubstr("  community  65530:1 65530:2  65530:1\n"));
  EXPECT_EQ(expecting("{ set: { large_communities: 1:2:3 } }").exit, 0);
  EXPECT_EQ(expecting("{ set: { large_communities: 1:2:4 } }").exit, 1);
  EXPECT_EQ(expecting("{ set: { extended_communities: none } }").exit, 0);
  EXPECT_EQ(expecting("{ set: { extended_communities: rt:1:1 } }").exit, 1);
  EXPECT_EQ(expecting("{ unchanged: [large_communities] }").exit, 0);
  EXPECT_EQ(expecting("{ unchanged: [communities] }").exit, 1);
}

TEST(PolicyExpect, EveryAttributeIsCompared) {
  // Each fails, so each is looked at.
  for (const char* wrong : {"as_path: 1", "next_hop: 192.0.2.9", "origin: egp", "med: 8", "local_pref: 201",
                            "weight: 1", "community: none", "extended_community: rt:1:1", "large_community: none",
                            "fib_metric: 1", "fib_table: 1", "fib_prefsrc: 192.0.2.9", "ecmp_weight: 1"})
    EXPECT_EQ(expecting(std::string("{ set: { ") + wrong + " } }").exit, 1) << wrong;
}

TEST(PolicyExpect, AttributesOfARejectedRouteAreAMistake) {
  const std::string text = "cannot be compared: a case expects that this route is rejected (leave it out, or expect ";
  expect_mistake("{ action: reject, set: { local_pref: 5 } }", "expect_test.yaml:6:42: error: 'local_pref' " + text);
  expect_mistake("{ action: reject, unchanged: [med] }", "expect_test.yaml:6:47: error: 'med' " + text);
  expect_mistake("{ action: reject, unchanged: true }", "expect_test.yaml:6:46: error: 'unchanged' " + text);
  // Also when the two halves stand in different places.
  expect_mistake("{ set: { med: 7 } }", "expect_test.yaml:6:26: error: 'med' " + text, "reject");
  expect_mistake("reject", "expect_test.yaml:3:43: error: 'med' " + text, "{ set: { med: 7 } }");
}

TEST(PolicyExpect, TheSameAttributeTwiceIsAMistake) {
  expect_mistake("{ set: { community: 1:1, communities: 2:2 } }",
                 "expect_test.yaml:6:42: error: 'communities' is expected twice (set or unchanged, once)");
  expect_mistake("{ set: { med: 7 }, unchanged: [med] }", "expect_test.yaml:6:48: error: 'med' is expected twice");
  expect_mistake("{ unchanged: [large_communities, large_community] }",
                 "expect_test.yaml:6:50: error: 'large_community' is expected twice");
}

TEST(PolicyExpect, NothingUnderAKeyIsAMistake) {
  expect_mistake("{ action: accept, set: {} }", "expect_test.yaml:6:40: error: 'set' names no attribute");
  expect_mistake("{ action: accept, unchanged: [] }", "expect_test.yaml:6:46: error: 'unchanged' names no attribute");
}

TEST(PolicyExpect, ACaseOverrulesWhatIsGivenAttributeByAttribute) {
  const std::string given = "{ set: { local_pref: 200, med: 1 }, unchanged: [large_community] }";
  EXPECT_EQ(expecting("{ term: vpc }", given).exit, 1);
  EXPECT_EQ(expecting("{ set: { med: 7 } }", given).exit, 0);
  EXPECT_EQ(expecting("{ unchanged: [med] }", given).exit, 0);
  EXPECT_EQ(expecting("{ unchanged: [med], set: { local_pref: 1 } }", given).exit, 1);
  EXPECT_EQ(expecting("{ unchanged: [med], set: { large_communities: none } }", given).exit, 1);
}

// --- own -------------------------------------------------------------------------------------------------------------

const char* const kOwn =
    "policies:\n"
    "  p: [ { name: long, match: { med: 1 }, then: { prepend: own x3 }, accept: true }, { accept: true } ]\n"
    "  q: [ { call: p, accept: true } ]\n"
    "  r: [ { then: { prepend: leftmost }, accept: true } ]\n";

TEST(PolicyOwn, WithoutARouterOwnIsAMistakeThatSaysWhatToDo) {
  const std::string config = write_file("own.yaml", kOwn);
  const auto eval = [&](const std::string& file, const std::string& policy, const std::string& route) {
    return run_verb({"policy", "eval", "-c", file, "--policy", policy, "--route", route});
  };
  for (const char* policy : {"p", "q"}) {
    const Ran ran = eval(config, policy, "{prefix: 10.0.0.0/8, med: 1, as_path: 65001}");
    EXPECT_EQ(ran.exit, 2) << ran.out;
    EXPECT_EQ(ran.err,
              "own.yaml:2:58: error: our own AS is not known: the configuration has no router (add router: { asn: "
              "65001, router_id: 192.0.2.1 }, or local_as: 65001 to the route)\n");
  }
  EXPECT_EQ(eval(config, "r", "{prefix: 10.0.0.0/8}").exit, 0);
  EXPECT_THAT(eval(config, "p", "{prefix: 10.0.0.0/8, med: 1, local_as: 65009}").out,
              HasSubstr("as_path: none -> 65009 65009 65009"));
  const std::string whole =
      write_file("own2.yaml", std::string(kOwn) + "router: { asn: 65009, router_id: 192.0.2.1 }\n");
  EXPECT_THAT(eval(whole, "q", "{prefix: 10.0.0.0/8, med: 1}").out, HasSubstr("-> 65009 65009 65009"));
}

TEST(PolicyOwn, ACaseWithoutARouterFailsWithTheSameWords) {
  const std::string tests = write_file(
      "own_test.yaml",
      std::string(kOwn) + "policy_tests: [ { policy: p, route: { prefix: 10.0.0.0/8 }, expect: accept } ]\n");
  const Ran ran = run_verb({"policy", "test", tests});
  EXPECT_EQ(ran.exit, 1);
  EXPECT_THAT(ran.out, HasSubstr("own_test.yaml:2:58: error: our own AS is not known"));
}

// --- Empty sets ------------------------------------------------------------------------------------------------------

TEST(PolicyEmptySet, IsAWarningAndMatchesNothing) {
  write_file("none.txt", "# bgpq4 found nothing\n");
  write_file("none.json", "{ \"NN\": [\n] }\n");
  const std::string config = write_file("empty.yaml",
                                        "prefix_sets: { a: { file: none.txt }, b: { bgpq4: none.json } }\n"
                                        "policies: { p: [ { match: { prefix: [a, b] }, accept: true } ] }\n");
  const Ran ran = run_verb({"policy", "eval", "-c", config, "--policy", "p", "--route", "{prefix: 10.0.0.0/8}"});
  EXPECT_EQ(ran.exit, 0) << ran.err;
  EXPECT_EQ(ran.out, "reject 10.0.0.0/8  by p: end of the policy\n");
}

}  // namespace
}  // namespace bgplite::testing
