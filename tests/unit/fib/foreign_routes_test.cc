// ForeignRoutes as the kernel keeps its routes: several with one key, in an order; IPv6 routes that gain and lose next
// hops; notifications that fit nothing; dumps in the kernel's order.
#include <bgp/text.h>
#include <fib/foreign_routes.h>

#include <gtest/gtest.h>

namespace minibgp::fib {
namespace {

using Gone = ForeignRoutes::Gone;

constexpr IfIndex kEth0{3};

ForeignRoute route(const std::string& network, std::uint32_t metric, const std::vector<std::string>& gateways,
                   std::uint8_t protocol = 3) {
  ForeignRoute result;
  result.key = {parse_prefix(network).value(), kMainTable, metric};
  result.protocol = protocol;
  for (const std::string& gateway : gateways) result.vias.push_back({parse_address(gateway).value(), kEth0, 1, false});
  return result;
}

std::string first_gateway(const ForeignRoutes& routes, const std::string& network) {
  const ForeignRoute* found = routes.exact(parse_prefix(network).value());
  return found == nullptr || found->vias.empty() ? "none" : to_text(found->vias[0].gateway);
}

TEST(ForeignRoutes, EachOfSeveralIpv4RoutesWithOneKeyComesAndGoesOnItsOwn) {
  ForeignRoutes routes;
  const auto a = route("10.0.0.0/8", 5, {"192.0.2.1"}), b = route("10.0.0.0/8", 5, {"192.0.2.2"});
  EXPECT_TRUE(routes.on_route(a, Placement::created, false));
  EXPECT_TRUE(routes.on_route(b, Placement::appended, false));
  EXPECT_FALSE(routes.on_route(b, Placement::appended, false));
  EXPECT_EQ(routes.size(), 2U);
  EXPECT_EQ(routes.on_gone(a), Gone::erased);
  EXPECT_EQ(first_gateway(routes, "10.0.0.0/8"), "192.0.2.2");
  EXPECT_EQ(routes.on_gone(a), Gone::unknown);
  EXPECT_EQ(routes.size(), 1U);
  EXPECT_EQ(routes.on_gone(b), Gone::erased);
  EXPECT_EQ(routes.size(), 0U);
  EXPECT_EQ(routes.covering(a.key.prefix), nullptr);
}

TEST(ForeignRoutes, TheFirstOfAKeyIsWhatTheKernelUses) {
  ForeignRoutes routes;
  routes.on_route(route("10.0.0.0/8", 5, {"192.0.2.1"}), Placement::created, false);
  routes.on_route(route("10.0.0.0/8", 5, {"192.0.2.2"}), Placement::created, false);
  EXPECT_EQ(first_gateway(routes, "10.0.0.0/8"), "192.0.2.2") << "prepended";
  routes.on_route(route("10.0.0.0/8", 5, {"192.0.2.3"}), Placement::replaced, false);
  EXPECT_EQ(first_gateway(routes, "10.0.0.0/8"), "192.0.2.3");
  EXPECT_EQ(routes.size(), 2U) << "a replacement takes the place of the first";
  routes.on_route(route("10.0.0.0/8", 1, {"192.0.2.4"}), Placement::appended, false);
  EXPECT_EQ(first_gateway(routes, "10.0.0.0/8"), "192.0.2.4") << "a lower metric goes first";
}

TEST(ForeignRoutes, AnIpv6RouteGainsAndLosesNextHops) {
  ForeignRoutes routes;
  routes.on_route(route("fd50::/64", 50, {"fd00::1"}), Placement::created, false);
  routes.on_route(route("fd50::/64", 50, {"fd00::1", "fd00::2"}), Placement::appended, false);
  EXPECT_EQ(routes.size(), 1U);
  EXPECT_EQ(routes.on_gone(route("fd50::/64", 50, {"fd00::9"})), Gone::unknown);
  EXPECT_EQ(routes.on_gone(route("fd50::/64", 50, {"fd00::1"})), Gone::shrunk);
  EXPECT_EQ(first_gateway(routes, "fd50::/64"), "fd00::2");
  EXPECT_EQ(routes.on_gone(route("fd50::/64", 50, {"fd00::2"})), Gone::erased);
  EXPECT_EQ(routes.size(), 0U);
}

TEST(ForeignRoutes, WhatWasPutInFrontOfOursIsKnownUntilItGoes) {
  ForeignRoutes routes;
  const auto theirs = route("10.0.0.0/8", 20, {"192.0.2.1"});
  routes.on_route(theirs, Placement::appended, true);
  EXPECT_EQ(routes.ahead(theirs.key), nullptr);
  EXPECT_TRUE(routes.occupies(theirs.key));
  EXPECT_EQ(routes.on_gone(theirs), Gone::erased);
  routes.on_route(theirs, Placement::created, true);
  ASSERT_NE(routes.ahead(theirs.key), nullptr);
  EXPECT_EQ(routes.ahead_count(), 1U);
  EXPECT_EQ(routes.on_gone(theirs), Gone::erased);
  EXPECT_EQ(routes.ahead_count(), 0U);
}

TEST(ForeignRoutes, ADumpTellsOrderAndWhatIsLeft) {
  ForeignRoutes routes;
  const auto a = route("10.0.0.0/8", 5, {"192.0.2.1"}), b = route("10.0.0.0/8", 5, {"192.0.2.2"});
  const auto c = route("10.0.0.0/8", 5, {"192.0.2.3"});
  for (const auto& one : {a, b, c}) routes.on_route(one, Placement::appended, false);
  routes.begin_dump();
  EXPECT_FALSE(routes.on_dumped(c, false));
  EXPECT_TRUE(routes.on_dumped(a, true));
  EXPECT_TRUE(routes.end_dump());
  EXPECT_EQ(routes.size(), 2U);
  EXPECT_EQ(first_gateway(routes, "10.0.0.0/8"), "192.0.2.3");
  EXPECT_EQ(routes.ahead_count(), 1U);
  routes.begin_dump();
  EXPECT_TRUE(routes.end_dump());
  EXPECT_EQ(routes.size(), 0U);
  EXPECT_EQ(routes.ahead_count(), 0U);
}

TEST(ForeignRoutes, WhatADumpShowsBeforeOursIsInFrontOfItAndWhatWasOnlyNotifiedIsNot) {
  ForeignRoutes routes;
  const auto front = route("10.0.0.0/8", 5, {"192.0.2.1"}), appended = route("10.0.0.0/8", 5, {"192.0.2.2"});
  const auto other_metric = route("10.0.0.0/8", 4, {"192.0.2.3"});
  routes.begin_dump();
  EXPECT_EQ(routes.on_ours_dumped(front.key), nullptr) << "there is no foreign route";
  routes.on_dumped(other_metric, false);
  routes.on_dumped(front, false);
  routes.on_route(appended, Placement::appended, false);
  const ForeignRoute* found = routes.on_ours_dumped(front.key);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(*found, front);
  EXPECT_EQ(routes.ahead_count(), 1U);
  EXPECT_EQ(routes.on_ours_dumped(front.key), nullptr) << "known already";
  routes.on_dumped(appended, false);
  EXPECT_FALSE(routes.end_dump());
  EXPECT_EQ(routes.ahead_count(), 1U);
}

}  // namespace
}  // namespace minibgp::fib
