/// The compiled program and the naive interpreter agree on 100 000 random (policy, route) pairs: verdict, every
/// attribute, the deciding term; and equal outcomes on equal attributes mean equal results.
#include <bgp/text.h>
#include <tests/property/policy/naive_policy.h>
#include <tests/property/policy/random_policy.h>

#include <cstdlib>
#include <map>

#include <gtest/gtest.h>

namespace minibgp::testing {
namespace {

constexpr std::uint32_t kLibrariesPerSeed = 50;
constexpr std::uint32_t kRoutesPerLibrary = 20;

class ProgramAgrees : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(ProgramAgrees, WithTheNaiveInterpreter) {
  SCOPED_TRACE(::testing::Message() << "seed=" << GetParam());
  std::mt19937 random(GetParam());
  for (std::uint32_t i = 0; i < kLibrariesPerSeed; ++i) {
    const PolicyLibrary library = random_library(random);
    const auto policy = Policy::compile(library, "p0");
    ASSERT_TRUE(policy) << policy.error()[0].text;
    for (std::uint32_t j = 0; j < kRoutesPerLibrary; ++j) {
      const RandomRoute route = random_route(random);
      const PolicyContext context = context_of(route);
      const NaiveAnswer expected = naive_evaluate(library, "p0", route.attributes, context);
      const Judgement judgement = (*policy)->judge(route.attributes, context);
      PathAttributes result = route.attributes;
      if (judgement.accepted) (*policy)->apply(judgement.outcome, context, result);
      ASSERT_EQ(judgement.accepted, expected.accepted) << "library " << i << ", route " << j;
      ASSERT_EQ(result, expected.result) << "library " << i << ", route " << j;
      const PolicyTrace trace = (*policy)->trace(route.attributes, context);
      ASSERT_EQ(trace.accepted, expected.accepted);
      ASSERT_EQ(trace.result, expected.result);
      ASSERT_EQ(trace.term, expected.term);
      const DecidingTerm deciding = (*policy)->deciding_term(route.attributes, context);
      ASSERT_EQ(deciding.policy, trace.policy);
      ASSERT_EQ(deciding.term, trace.term);
    }
  }
}

TEST_P(ProgramAgrees, OnWhatOutcomesMean) {
  SCOPED_TRACE(::testing::Message() << "seed=" << GetParam());
  std::mt19937 random(GetParam() + 1'000'000);
  const PolicyLibrary library = random_library(random);
  const auto policy = Policy::compile(library, "p0");
  ASSERT_TRUE(policy);
  const RandomRoute route = random_route(random);
  std::map<std::uint32_t, PathAttributes> seen;
  for (int i = 0; i < 50; ++i) {
    // The same attributes under other prefixes.
    const RandomRoute other = random_route(random);
    PolicyContext context = context_of(other);
    context.local_as = route.context.local_as;
    const Judgement judgement = (*policy)->judge(route.attributes, context);
    if (!judgement.accepted) continue;
    const NaiveAnswer expected = naive_evaluate(library, "p0", route.attributes, context);
    const auto [known, added] = seen.emplace(judgement.outcome, expected.result);
    ASSERT_EQ(known->second, expected.result) << "outcome " << judgement.outcome;
    if (judgement.outcome == 0) {
      ASSERT_EQ(expected.result, route.attributes);
    }
  }
}

TEST_P(ProgramAgrees, InARunOfRoutesThatDifferInTheirPrefix) {
  SCOPED_TRACE(::testing::Message() << "seed=" << GetParam());
  std::mt19937 random(GetParam() + 2'000'000);
  for (int i = 0; i < 20; ++i) {
    const auto policy = Policy::compile(random_library(random), "p0");
    ASSERT_TRUE(policy);
    const RandomRoute first = random_route(random);
    PolicyRun run;
    for (int j = 0; j < 20; ++j) {
      const RandomRoute other = random_route(random);
      const PolicyContext given = context_of(other);
      PolicyContext context = context_of(first);
      context.prefix = given.prefix;
      context.own_prefix = given.own_prefix;
      context.covers_ike_endpoint = given.covers_ike_endpoint;
      context.rpki = given.rpki;
      ASSERT_EQ((*policy)->judge(first.attributes, context, run), (*policy)->judge(first.attributes, context))
          << "library " << i << ", route " << j;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ProgramAgrees, ::testing::Range(1U, 101U));

}  // namespace
}  // namespace minibgp::testing
