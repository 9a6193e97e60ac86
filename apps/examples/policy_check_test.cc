// The policy of policy_check, tested with the matchers that come with the library (minibgp::testing).
#include "cloud_policy.h"
#include <gmock/gmock.h>
#include <testing/policy_matchers.h>

namespace {

using minibgp::testing::Accepts;
using minibgp::testing::LocalPref;
using minibgp::testing::PolicyRoute;
using minibgp::testing::Rejects;

class CloudPolicy : public testing::Test {
 protected:
  std::shared_ptr<const minibgp::Policy> policy =
      minibgp::Policy::compile(examples::cloud_policy(), "from-cloud").value();
};

TEST_F(CloudPolicy, VpcPrefixesOverTheFirstTunnelArePreferred) {
  EXPECT_THAT(policy, Accepts(PolicyRoute("192.168.10.0/24").tunnel("ipsec0")).With(LocalPref(200)));
  EXPECT_THAT(policy, Accepts(PolicyRoute("192.168.10.0/24").tunnel("ipsec1")).Unchanged().By("vpc"));
}

TEST_F(CloudPolicy, NothingElseIsTaken) {
  EXPECT_THAT(policy, Rejects(PolicyRoute("0.0.0.0/0")).By("no-default"));
  EXPECT_THAT(policy, Rejects(PolicyRoute("192.168.10.128/25")));
  EXPECT_THAT(policy, Rejects(PolicyRoute("10.0.0.0/8")));
}

}  // namespace
