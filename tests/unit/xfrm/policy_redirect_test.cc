#include <xfrm/netlink/policy_redirect.h>

#include <vector>

#include <gtest/gtest.h>
#include <netinet/in.h>

namespace minibgp::xfrm {
namespace {

const TunnelEnds kFirst{IpAddress::v4(0xAC101450), IpAddress::v4(0xCB007197), 1};
const TunnelEnds kSecond{IpAddress::v4(0xAC101450), IpAddress::v4(0xC6336457), 2};

PolicySeen policy(std::uint8_t direction, const TunnelEnds& ends) {
  PolicySeen it;
  it.info.dir = direction;
  it.templates.resize(1);
  xfrm_user_tmpl& to = it.templates.front();
  const bool out = direction == XFRM_POLICY_OUT;
  to.id.proto = IPPROTO_ESP;
  to.family = AF_INET;
  to.saddr = to_kernel(out ? ends.local : ends.remote);
  to.id.daddr = to_kernel(out ? ends.remote : ends.local);
  to.reqid = ends.reqid;
  if (out) to.id.spi = 0x1234;  // As charon writes them.
  return it;
}

TEST(PolicyRedirect, AllThreeDirectionsMove) {
  std::vector<PolicySeen> policies;
  for (const std::uint8_t direction : {XFRM_POLICY_IN, XFRM_POLICY_OUT, XFRM_POLICY_FWD})
    policies.push_back(policy(direction, kFirst));
  const auto moved = redirected(policies, kSecond, std::vector{kFirst});
  ASSERT_EQ(moved.size(), 3U);
  for (const PolicySeen& it : moved) {
    const bool out = it.info.dir == XFRM_POLICY_OUT;
    EXPECT_EQ(it.templates[0].reqid, 2U);
    EXPECT_EQ(it.templates[0].id.spi, 0U) << "the other tunnel's SA has another SPI";
    EXPECT_EQ(from_kernel(it.templates[0].id.daddr, AF_INET), out ? kSecond.remote : kSecond.local);
    EXPECT_EQ(from_kernel(it.templates[0].saddr, AF_INET), out ? kSecond.local : kSecond.remote);
  }
  EXPECT_TRUE(redirected(moved, kSecond, std::vector{kFirst}).empty()) << "nothing is left to do";
}

TEST(PolicyRedirect, WhatIsNotOfTheGroupStays) {
  PolicySeen interface = policy(XFRM_POLICY_OUT, kFirst);
  interface.if_id = 42;
  PolicySeen marked = policy(XFRM_POLICY_OUT, kFirst);
  marked.marked = true;
  PolicySeen other = policy(XFRM_POLICY_OUT, {kFirst.local, IpAddress::v4(0x01020304), 3});
  PolicySeen bare = policy(XFRM_POLICY_OUT, kFirst);
  bare.templates.clear();
  EXPECT_TRUE(redirected(std::vector{interface, marked, other, bare}, kSecond, std::vector{kFirst}).empty());
}

TEST(PolicyRedirect, EndsAreThoseOfTheOutboundSa) {
  const Sa in{{kFirst.local, 1, 50}, kFirst.remote, 0, 1, SaDirection::inbound};
  const Sa out{{kFirst.remote, 2, 50}, kFirst.local, 0, 1, SaDirection::outbound};
  EXPECT_FALSE(ends_of(std::vector{in}).has_value());
  EXPECT_EQ(*ends_of(std::vector{in, out}), kFirst);
}

}  // namespace
}  // namespace minibgp::xfrm
