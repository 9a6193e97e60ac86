/// What does not compile, each with its words and its place, all at once.
#include <tests/support/policy_builder.h>
#include <tests/support/policy_matchers.h>

namespace minibgp::testing {
namespace {

using enum TermVerdict;

std::vector<std::string> errors_of(const PolicyLibrary& library) {
  const auto table = compile_policies(library);
  std::vector<std::string> texts;
  if (table) return texts;
  for (const PolicyError& error : table.error())
    texts.push_back(error.text + (error.hint.empty() ? "" : " (" + error.hint + ")"));
  return texts;
}

template <typename Condition>
PolicyLibrary with(Condition condition) {
  return library_of({term("t", {when(std::move(condition))}, {}, accept)});
}
template <typename Action>
PolicyLibrary doing(Action action) {
  return library_of({term("t", {}, {then(std::move(action))}, accept)});
}
PrefixRange lengths(std::uint8_t ge, std::uint8_t le) { return {parse_prefix("10.0.0.0/8").value(), ge, le, {}}; }

TEST(Compile, NamesEachMistake) {
  match::PrefixIn unknown;
  unknown.sets = {{"vcp", {}}};
  PolicyLibrary misspelt = with(unknown);
  misspelt.prefix_sets.push_back({"vpc", {lengths(8, 8)}, {}});
  PolicyLibrary wrong_kind = with(unknown);
  wrong_kind.community_sets.push_back({"vcp", {parse_community_pattern("1:1").value()}, {}});
  match::PrefixIn backwards;
  backwards.items = {lengths(24, 16)};
  match::PrefixIn shorter;
  shorter.items = {lengths(7, 16)};
  edit::Communities wild = communities(edit::ListOp::add, {"1:*"});

  const std::pair<PolicyLibrary, std::string> kMistakes[] = {
      {misspelt, "unknown set 'vcp' (did you mean 'vpc'?)"},
      {wrong_kind, "unknown set 'vcp' ('vcp' is a set of communities)"},
      {with(backwards), "ge 24 is above le 16 (lengths from ge to le match; swap them?)"},
      {with(shorter), "length 7 is shorter than the prefix 10.0.0.0/8 (only prefixes within it can match)"},
      {with(match::PrefixIn{}), "an empty list matches nothing"},
      {with(match::AsPathRegex{{"(1"}}), "regular expression '(1': missing ')' (character 3)"},
      {with(match::MedIs{NumberRange{5, 4}}), "range 5..4 goes backwards"},
      {with(match::PolicyAccepts{{"q", {}}}), "unknown policy 'q' (did you mean 'p'?)"},
      {with(match::AsPathStarts{}), "an empty list matches nothing"},
      {doing(edit::Prepend{{}, 1}), "AS 0 cannot stand in a path"},
      {doing(edit::Prepend{{AsnChoice::Which::own, {}}, 65}), "prepend 65 times (from 1 to 64 times)"},
      {doing(wild), "'1:*' has a wildcard and cannot be added (wildcards can only be removed)"},
      {doing(edit::EcmpWeight{0}), "ecmp_weight 0 (the kernel takes 1 to 256)"},
      {library_of({calling("t", {}, "nowhere", next)}), "unknown policy 'nowhere'"},
  };
  for (const auto& [library, text] : kMistakes) EXPECT_EQ(errors_of(library), std::vector{text});
}

TEST(Compile, ReportsAllMistakesWithTheirMarks) {
  PolicyLibrary library = with(match::AsPathRegex{{"("}});
  library.policies[0].terms[0].matches[0].mark = {12, 5, 0};
  library.prefix_sets.push_back({"backwards", {lengths(24, 16)}, {3, 1, 0}});
  library.prefix_sets.back().items[0].mark = {3, 9, 0};
  library.prefix_sets.push_back({"backwards", {lengths(8, 8)}, {4, 1, 0}});
  const auto table = compile_policies(library);
  ASSERT_FALSE(table);
  ASSERT_EQ(table.error().size(), 3U);
  EXPECT_EQ(table.error()[0].text, "second set named 'backwards'");
  EXPECT_EQ(table.error()[1].text, "ge 24 is above le 16");
  EXPECT_EQ(table.error()[1].mark.line, 3U);
  EXPECT_EQ(table.error()[2].mark.line, 12U);
  EXPECT_EQ(table.error()[2].term, "t");
  EXPECT_EQ(table.error()[2].policy, "p");
}

TEST(Compile, CyclesAreFoundThroughCallsAndQuestions) {
  PolicyLibrary library = library_of({calling("t", {}, "q", next)});
  library.policies.push_back(
      {"q", {term("t", {when(match::Not{{when(match::PolicyAccepts{{"p", {}}})}})}, {}, accept)}, {}});
  const auto errors = errors_of(library);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0], "policy 'p' asks itself: p -> q -> p (a policy may not depend on itself)");
  EXPECT_EQ(errors_of(library_of({calling("t", {}, "p", next)})).size(), 1U);
}

TEST(Compile, OnePolicyIsNotHeldUpByMistakesItDoesNotReferTo) {
  PolicyLibrary library = library_of({term("t", {}, {}, accept)});
  library.policies.push_back({"broken", {calling("t", {}, "nowhere", next)}, {}});
  EXPECT_TRUE(Policy::compile(library, "p"));
  EXPECT_FALSE(Policy::compile(library, "broken"));
  EXPECT_FALSE(Policy::compile(library, "unknown"));
}

TEST(Compile, LimitsAreErrorsNotCrashes) {
  // Each policy calls the next one twice: 2^40 terms when written out.
  PolicyLibrary doubling;
  for (int i = 0; i < 40; ++i) {
    const std::string callee = "p" + std::to_string(i + 1);
    doubling.policies.push_back(
        {"p" + std::to_string(i), {calling("a", {}, callee, next), calling("b", {}, callee, next)}, {}});
  }
  doubling.policies.push_back({"p40", {term("t", {}, {}, accept)}, {}});
  EXPECT_FALSE(Policy::compile(doubling, "p0"));
  EXPECT_TRUE(Policy::compile(doubling, "p30"));

  PolicyLibrary asking;
  for (int i = 0; i < 31; ++i) {
    const PolicyMatch asks = when(match::PolicyAccepts{{"p" + std::to_string(i + 1), {}}});
    asking.policies.push_back({"p" + std::to_string(i), {term("t", {asks, asks}, {}, accept)}, {}});
  }
  asking.policies.push_back({"p31", {term("t", {}, {}, accept)}, {}});
  const auto cost = Policy::compile(asking, "p0");
  ASSERT_FALSE(cost);
  EXPECT_NE(cost.error()[0].text.find("more than 65536 terms"), std::string::npos) << cost.error()[0].text;

  PolicyMatch deep = when(match::FamilyIs{});
  for (int i = 0; i < 40; ++i) deep = when(match::Not{{deep}});
  EXPECT_EQ(errors_of(library_of({term("t", {deep}, {}, accept)})).size(), 1U);
}

TEST(Compile, LargeSetsAreSharedAndManyListsPackTogether) {
  PolicyLibrary library;
  NamedSet<PrefixRange> large{"large", {}, {}};
  for (std::uint32_t i = 0; i < 20'000; ++i)
    large.items.push_back(PrefixRange::exactly(Prefix::of(IpAddress::v4(0x0A000000U + (i << 8U)), 24)));
  library.prefix_sets.push_back(large);
  match::PrefixIn in_large;
  in_large.sets = {{"large", {}}};
  for (const char* name : {"p", "q"}) {
    PolicyDefinition definition{name, {}, {}};
    // More lists than one index holds, so that several are walked.
    for (std::uint32_t i = 0; i < 150; ++i) {
      const std::string own = "172." + std::to_string(i) + ".0.0/16";
      definition.terms.push_back(
          term("t" + std::to_string(i), {when(prefix_in({own}))}, {}, i % 2 == 0 ? accept : reject));
    }
    definition.terms.push_back(term("large", {when(in_large)}, {}, accept));
    library.policies.push_back(definition);
  }
  const auto table = compile_policies(library);
  ASSERT_TRUE(table);
  for (const auto& [name, policy] : *table) {
    EXPECT_THAT(policy, Accepts(PolicyRoute("172.148.0.0/16")).By("t148"));
    EXPECT_THAT(policy, Rejects(PolicyRoute("172.149.0.0/16")).By("t149"));
    EXPECT_THAT(policy, Accepts(PolicyRoute("10.1.2.0/24")).By("large"));
    EXPECT_THAT(policy, Rejects(PolicyRoute("11.1.2.0/24")).By("default"));
  }
}

}  // namespace
}  // namespace minibgp::testing
