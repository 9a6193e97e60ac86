/// How terms follow each other, and what outcomes mean.
#include <tests/support/policy_builder.h>
#include <tests/support/policy_matchers.h>
#include <tests/unit/policy/count_allocations.h>

#include <map>

namespace minibgp::testing {
namespace {

using enum TermVerdict;

PolicyRoute route(std::string_view prefix = "192.168.10.0/24") { return PolicyRoute(prefix); }
PolicyMatch in(std::string_view range) { return when(prefix_in({range})); }
PolicyEdit add(std::string_view community) { return then(communities(edit::ListOp::add, {community})); }

TEST(Program, EndOfPolicyRejects) {
  EXPECT_THAT(compiled(std::vector<PolicyTerm>{}), Rejects(route()).By("default"));
  EXPECT_THAT(compiled({term("a", {in("10.0.0.0/8")}, {}, accept)}), Rejects(route()).By("default"));
  EXPECT_THAT(compiled({term("a", {}, {add("1:1")}, next)}), Rejects(route()).By("default"));
}

TEST(Program, FirstVerdictWins) {
  const auto policy = compiled(
      {term("refuse", {in("192.168.10.0/24")}, {}, reject), term("take", {in("192.168.0.0/16 le 24")}, {}, accept)});
  EXPECT_THAT(policy, Rejects(route()).By("refuse"));
  EXPECT_THAT(policy, Accepts(route("192.168.11.0/24")).By("take").Unchanged());
}

TEST(Program, AllConditionsOfATermMustHold) {
  const auto policy = compiled({term("both", {in("192.168.0.0/16 le 24"), when(community_in({"1:1"}))}, {}, accept)});
  EXPECT_THAT(policy, Rejects(route()));
  EXPECT_THAT(policy, Rejects(route("10.0.0.0/8").community("1:1")));
  EXPECT_THAT(policy, Accepts(route().community("1:1")));
}

TEST(Program, NextKeepsEditsAndMatchesReadTheRouteAsItArrived) {
  const auto policy = compiled({term("mark", {}, {add("1:1"), then(local_pref(200))}, next),
                                term("seen", {when(community_in({"1:1"}))}, {}, reject),
                                term("pref", {when(match::LocalPrefIs{NumberRange{200, 200}})}, {}, reject),
                                term("end", {}, {add("2:2")}, accept)});
  EXPECT_THAT(policy, Accepts(route()).By("end").With(Communities("1:1 2:2")).With(LocalPref(200)));
  EXPECT_THAT(policy, Rejects(route().community("1:1")).By("seen"));
}

TEST(Program, CallsStandWhereTheyAreWritten) {
  PolicyLibrary library = library_of({calling("filter", {}, "bogons", next), term("rest", {}, {add("9:9")}, accept)});
  library.policies.push_back({"bogons",
                              {term("rfc1918", {in("10.0.0.0/8 le 32")}, {}, reject),
                               term("good", {in("192.168.1.0/24")}, {add("1:1")}, accept),
                               term("mark", {in("192.168.2.0/24")}, {add("2:2")}, return_),
                               term("late", {in("192.168.0.0/16 le 24")}, {add("3:3")}, next)},
                              {}});
  const auto policy = compiled(library);
  EXPECT_THAT(policy, Rejects(route("10.1.0.0/16")).By("rfc1918"));
  EXPECT_THAT(policy, Accepts(route("192.168.1.0/24")).By("good").With(Communities("1:1")));
  EXPECT_THAT(policy, Accepts(route("192.168.2.0/24")).By("rest").With(Communities("2:2 9:9")));
  EXPECT_THAT(policy, Accepts(route("192.168.3.0/24")).By("rest").With(Communities("3:3 9:9")));
  EXPECT_THAT(policy, Accepts(route("172.16.0.0/12")).By("rest").With(Communities("9:9")));
}

TEST(Program, CallWithAVerdictDecidesWhatTheCalledLeftOpen) {
  PolicyLibrary library =
      library_of({calling("call", {in("192.168.0.0/16 le 24")}, "sub", accept), term("rest", {}, {}, reject)});
  library.policies.push_back({"sub", {term("no", {in("192.168.1.0/24")}, {}, reject)}, {}});
  const auto policy = compiled(library);
  EXPECT_THAT(policy, Rejects(route("192.168.1.0/24")).By("no"));
  EXPECT_THAT(policy, Accepts(route("192.168.2.0/24")).By("call"));
  EXPECT_THAT(policy, Rejects(route("10.0.0.0/8")).By("rest"));
}

TEST(Program, ReturnFromTheOutermostRejects) {
  EXPECT_THAT(compiled({term("leave", {}, {}, return_), term("never", {}, {}, accept)}),
              Rejects(route()).By("default"));
}

TEST(Program, AskingAPolicyCarriesOutNoneOfItsEdits) {
  PolicyLibrary library =
      library_of({term("asks", {when(match::PolicyAccepts{{"customers", {}}})}, {add("9:9")}, accept)});
  library.policies.push_back({"customers",
                              {term("not", {in("10.0.0.0/8 le 32")}, {}, reject),
                               term("yes", {in("192.168.0.0/16 le 24")}, {add("1:1")}, accept)},
                              {}});
  const auto policy = compiled(library);
  EXPECT_THAT(policy, Accepts(route()).With(Communities("9:9")).By("asks"));
  EXPECT_THAT(policy, Rejects(route("10.0.0.0/8")));
  EXPECT_THAT(policy, Rejects(route("172.16.0.0/12")));
  EXPECT_TRUE(policy->reads_prefix());
}

TEST(Program, BuiltInPoliciesDoWhatTheySay) {
  EXPECT_THAT(Policy::accept_all(), Accepts(route()).Unchanged());
  EXPECT_THAT(Policy::reject_all(), Rejects(route()));
  EXPECT_EQ(Policy::accept_all()->judge(route().attributes(), route().context()).outcome, 0U);
}

TEST(Program, OutcomeZeroMeansUnchangedAndOutcomesTellEditsApart) {
  const auto policy = compiled({term("a", {when(community_in({"1:1"}))}, {add("101:1")}, next),
                                term("b", {when(community_in({"2:2"}))}, {add("102:1")}, next),
                                term("c", {when(community_in({"3:3"}))}, {add("103:1")}, accept),
                                term("d", {when(community_in({"4:4"}))}, {}, reject), term("e", {}, {}, accept)});
  std::map<std::uint32_t, std::string> edits_of;
  for (unsigned bits = 0; bits < 8; ++bits) {
    PolicyRoute one = route();
    std::string expected;
    for (unsigned i = 0; i < 3; ++i) {
      if ((bits >> i & 1U) == 0) continue;
      one.community(std::to_string(i + 1) + ":" + std::to_string(i + 1));
      expected += std::to_string(i);
    }
    const Judgement judgement = policy->judge(one.attributes(), one.context());
    ASSERT_TRUE(judgement.accepted);
    EXPECT_EQ(judgement.outcome == 0, expected.empty());
    EXPECT_TRUE(edits_of.emplace(judgement.outcome, expected).second) << "two ways share " << judgement.outcome;
  }
}

TEST(Program, TermsWithoutEditsDoNotMultiplyOutcomes) {
  // 200 calls under a condition: 2^200 ways, but none of them edits.
  PolicyLibrary library = library_of({});
  for (int i = 0; i < 200; ++i)
    library.policies[0].terms.push_back(
        calling("t" + std::to_string(i), {when(community_in({"1:" + std::to_string(i)}))}, "sub", next));
  library.policies[0].terms.push_back(term("end", {}, {add("9:9")}, accept));
  library.policies.push_back({"sub", {term("no", {in("10.0.0.0/8")}, {}, reject)}, {}});
  const auto compiled_or = Policy::compile(library, "p");
  // The edit at the end follows every one of them, so these ways do count, and there are too many.
  ASSERT_FALSE(compiled_or);
  EXPECT_NE(compiled_or.error()[0].text.find("combinations"), std::string::npos);
  library.policies[0].terms.back().edits.clear();
  EXPECT_THAT(compiled(library), Accepts(route()).Unchanged());
}

TEST(Program, ThirtyOneEditingTermsInARowStillFit) {
  std::vector<PolicyTerm> terms;
  for (int i = 0; i < 31; ++i)
    terms.push_back(term("t" + std::to_string(i), {when(community_in({"1:" + std::to_string(i)}))},
                         {add("2:" + std::to_string(i))}, next));
  terms.push_back(term("end", {}, {}, accept));
  const auto policy = compiled(terms);
  PolicyRoute all = route();
  std::string expected;
  for (int i = 0; i < 31; ++i) all.community("1:" + std::to_string(i));
  for (int i = 0; i < 31; ++i) expected += (i == 0 ? "1:" : " 1:") + std::to_string(i);
  for (int i = 0; i < 31; ++i) expected += " 2:" + std::to_string(i);
  EXPECT_THAT(policy, Accepts(all).With(Communities(expected)));
  terms.insert(terms.begin(), term("one more", {in("10.0.0.0/8")}, {add("3:3")}, next));
  EXPECT_FALSE(Policy::compile(library_of(terms), "p"));
}

TEST(Program, JudgingAllocatesNothing) {
  const auto policy = compiled({term("a", {in("10.0.0.0/8 le 24"), when(match::AsPathRegex{{"_65001_"}})}, {}, reject),
                                term("b", {when(asns_in<match::AsPathContains>({"1..9"}))}, {add("1:1")}, next),
                                term("c", {when(match::Not{{when(community_in({"1:*"}))}})}, {add("2:2")}, accept)});
  const PolicyRoute one = route("10.1.0.0/16").as_path("65535 {65002,65003} 7").community("2:9");
  const PolicyContext context = one.context();
  const std::size_t before = allocations_so_far();
  bool accepted = true;
  for (int i = 0; i < 100; ++i) accepted = accepted && policy->judge(one.attributes(), context).accepted;
  EXPECT_EQ(allocations_so_far(), before);
  EXPECT_TRUE(accepted);
}

TEST(Program, TraceNamesEveryConditionOfEveryTermLookedAt) {
  const auto policy = compiled({term("first", {when(match::AsPathRegex{{"^1$"}}), in("10.0.0.0/8")}, {}, accept),
                                term("second", {in("192.168.0.0/16 le 24")}, {then(local_pref(200))}, accept),
                                term("third", {}, {}, reject)});
  const PolicyRoute one = route().as_path("1");
  const PolicyTrace trace = policy->trace(one.attributes(), one.context());
  ASSERT_EQ(trace.terms.size(), 2U);
  EXPECT_EQ(to_text(trace),
            "accepted by p/second\n"
            "  p/first: not matched\n"
            "    yes as_path ^1$ (the route has 1)\n"
            "    NO  prefix 10.0.0.0/8 (the route has 192.168.10.0/24)\n"
            "  p/second: matched\n"
            "    yes prefix 192.168.0.0/16 le 24 (the route has 192.168.10.0/24)\n"
            "    set local_pref 200");
  EXPECT_EQ(trace.result.local_pref, 200U);
}

}  // namespace
}  // namespace minibgp::testing
