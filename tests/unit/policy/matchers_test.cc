#include <tests/support/policy_builder.h>
#include <tests/support/policy_matchers.h>

namespace minibgp::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::shared_ptr<const Policy> prefer() {
  return compiled(
      {term("prefer-tunnel-1", {when(match::TunnelIs{{"ipsec0"}})}, {then(local_pref(200))}, TermVerdict::accept),
       term("rest", {}, {}, TermVerdict::accept)});
}

std::string complaint(const PolicyVerdictMatcher& matcher) {
  ::testing::StringMatchResultListener listener;
  EXPECT_FALSE(matcher.MatchAndExplain(prefer(), &listener));
  return listener.str();
}

TEST(PolicyMatchers, PassForWhatIsSo) {
  const PolicyRoute route = PolicyRoute("192.168.10.0/24").tunnel("ipsec0");
  EXPECT_THAT(prefer(), Accepts(route).With(LocalPref(200)).By("prefer-tunnel-1"));
  EXPECT_THAT(*prefer(), Not(Rejects(route)));
  EXPECT_THAT(prefer(), Not(Accepts(route).Unchanged()));
}

TEST(PolicyMatchers, FailuresShowTheTraceAndWhatWasExpected) {
  const PolicyRoute route = PolicyRoute("192.168.10.0/24").tunnel("ipsec1");
  const std::string text = complaint(Accepts(route).With(LocalPref(200)).By("prefer-tunnel-1"));
  EXPECT_THAT(text, HasSubstr("has local_pref none"));
  EXPECT_THAT(text, HasSubstr("accepted by p/rest"));
  EXPECT_THAT(text, HasSubstr("NO  tunnel ipsec0 (the route has ipsec1)"));
  EXPECT_THAT(complaint(Rejects(route)), HasSubstr("accepted by p/rest"));
  std::ostringstream described;
  Accepts(route).With(LocalPref(200)).By("prefer-tunnel-1").DescribeTo(&described);
  EXPECT_EQ(described.str(), "accepts 192.168.10.0/24 by term prefer-tunnel-1 with local_pref 200");
}

TEST(PolicyMatchers, NullPoliciesDoNotMatch) {
  EXPECT_THAT(std::shared_ptr<const Policy>(), Not(Accepts(PolicyRoute("10.0.0.0/8"))));
}

TEST(PolicyMatchers, TextThatIsNoValueThrows) {
  EXPECT_THROW(PolicyRoute("10.0.0.1/8"), std::invalid_argument);
  EXPECT_THROW(PolicyRoute("10.0.0.0/8").as_path("x"), std::invalid_argument);
}

}  // namespace
}  // namespace minibgp::testing
