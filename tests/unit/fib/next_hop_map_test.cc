// NextHopMap on its own: links, addresses, tunnels and foreign routes in, the state of each next hop out.
#include <bgp/text.h>
#include <fib/next_hop_map.h>

#include <gtest/gtest.h>

namespace minibgp::fib {
namespace {

IpAddress address(const std::string& text) { return parse_address(text).value(); }

class NextHopMapTest : public ::testing::Test {
 protected:
  NextHopMapTest() {
    map_.on_link({IfIndex{1}, "tun0", true});
    map_.on_link({IfIndex{2}, "eth0", true});
    map_.on_address({IfIndex{1}, address("169.254.10.2"), address("169.254.10.2"), 30, false});
    map_.on_address({IfIndex{2}, address("172.16.20.1"), address("172.16.20.1"), 24, false});
    map_.set_peer(PeerId{0}, {address("169.254.10.1"), "tun0", true});
    map_.set_ready();
  }
  NextHopRef track(const std::string& next_hop, const std::string& link_local = {}) {
    TrackedNextHop tracked;
    tracked.source = source_of(PeerId{0});
    tracked.next_hop.address = address(next_hop);
    if (!link_local.empty()) tracked.next_hop.link_local = address(link_local);
    return map_.track(tracked);
  }
  /// What it is now, after a refresh.
  Resolution now(NextHopRef ref) {
    (void)map_.refresh();
    return map_.resolution(ref);
  }
  NextHopMap map_{false};
};

TEST_F(NextHopMapTest, BeforeTheKernelWasReadNothingIsUsable) {
  NextHopMap fresh(false);
  fresh.on_link({IfIndex{1}, "tun0", true});
  fresh.on_address({IfIndex{1}, address("169.254.10.2"), address("169.254.10.2"), 30, false});
  TrackedNextHop tracked;
  tracked.next_hop.address = address("169.254.10.1");
  const NextHopRef ref = fresh.track(tracked);
  EXPECT_EQ(fresh.resolution(ref).reason, NextHopReason::starting);
  EXPECT_TRUE(fresh.set_ready());
  ASSERT_EQ(fresh.refresh().size(), 1U);
  EXPECT_TRUE(fresh.resolution(ref).usable);
}

TEST_F(NextHopMapTest, EachReasonIsTheFirstThatHolds) {
  const NextHopRef ref = track("169.254.10.1");
  EXPECT_TRUE(now(ref).usable);
  EXPECT_EQ(now(ref).cost, 0U) << "on a connected network";
  map_.set_interface_usable("tun0", false, "SA expired");
  EXPECT_EQ(now(ref).reason, NextHopReason::tunnel_down);
  EXPECT_EQ(now(ref).detail, "SA expired");
  map_.on_link({IfIndex{1}, "tun0", false});
  EXPECT_EQ(now(ref).reason, NextHopReason::interface_down) << "before what was said of its tunnel";
  map_.set_peer_usable(PeerId{0}, false);
  EXPECT_EQ(now(ref).reason, NextHopReason::peer_down) << "before anything about its link";
  map_.set_peer_usable(PeerId{0}, true);
  map_.on_link({IfIndex{1}, "tun0", true});
  map_.forget_interface("tun0");
  EXPECT_TRUE(now(ref).usable);
}

TEST_F(NextHopMapTest, AnAddressOfOurOwnIsNoWayOut) {
  EXPECT_EQ(map_.resolution(track("172.16.20.1")).reason, NextHopReason::own_address);
}

TEST_F(NextHopMapTest, ARouteOfAnotherProtocolLeadsToItButTheDefaultRouteDoesNot) {
  const NextHopRef ref = track("198.51.100.7");
  EXPECT_EQ(now(ref).reason, NextHopReason::no_route);
  const Via via{address("172.16.20.254"), IfIndex{2}, 1, false};
  const ForeignRoute fallback{{parse_prefix("0.0.0.0/0").value(), kMainTable, 100}, 4, true, {via}};
  map_.foreign().on_route(fallback, Placement::created, false);
  EXPECT_EQ(now(ref).reason, NextHopReason::only_default_route);
  EXPECT_TRUE(map_.set_resolve_via_default(true));
  EXPECT_TRUE(now(ref).usable);
  EXPECT_TRUE(map_.set_resolve_via_default(false));
  map_.foreign().on_route({{parse_prefix("198.51.100.0/24").value(), kMainTable, 100}, 4, true, {via}},
                          Placement::created, false);
  EXPECT_TRUE(now(ref).usable);
  EXPECT_EQ(now(ref).cost, 101U) << "the metric of the route, and one";
  EXPECT_EQ(now(ref).via.gateway, via.gateway);
}

TEST_F(NextHopMapTest, TheLinkLocalHalfIsUsedOnThePeersOwnLinkOnly) {
  const NextHopRef ref = track("2001:db8::1", "fe80::1");
  EXPECT_TRUE(now(ref).usable);
  EXPECT_EQ(now(ref).via.gateway, address("fe80::1"));
  map_.set_peer(PeerId{0}, {address("169.254.10.1"), "tun0", /*direct=*/false});
  EXPECT_EQ(now(ref).reason, NextHopReason::no_route);
}

TEST_F(NextHopMapTest, WhatTheKernelRefusesIsUnusableForATime) {
  const NextHopRef ref = track("169.254.10.1");
  const Via via = now(ref).via;
  EXPECT_TRUE(map_.refuse(via, EINVAL, Time{std::chrono::seconds{5}}));
  EXPECT_EQ(now(ref).reason, NextHopReason::refused);
  EXPECT_EQ(map_.next_deadline(), Time{std::chrono::seconds{5}});
  EXPECT_FALSE(map_.expire_refusals(Time{std::chrono::seconds{4}}));
  EXPECT_TRUE(map_.expire_refusals(Time{std::chrono::seconds{5}}));
  EXPECT_TRUE(now(ref).usable);
  EXPECT_EQ(map_.next_deadline(), kNever);
}

TEST_F(NextHopMapTest, OnlyWhatChangedIsReportedWithWhatItWas) {
  const NextHopRef tunnel = track("169.254.10.1");
  const NextHopRef lan = track("172.16.20.9");
  EXPECT_TRUE(map_.refresh().empty()) << "their state is known since they are tracked";
  EXPECT_FALSE(map_.on_link({IfIndex{1}, "tun0", true})) << "nothing new";
  EXPECT_TRUE(map_.on_link_gone(IfIndex{1}));
  const auto changes = map_.refresh();
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].ref, tunnel);
  EXPECT_TRUE(changes[0].before.usable);
  EXPECT_TRUE(map_.resolution(lan).usable);
}

TEST_F(NextHopMapTest, WhatADumpDoesNotShowIsGone) {
  const NextHopRef tunnel = track("169.254.10.1");
  map_.begin_dump();
  map_.on_link({IfIndex{2}, "eth0", true});
  map_.on_address({IfIndex{2}, address("172.16.20.1"), address("172.16.20.1"), 24, false});
  EXPECT_TRUE(map_.end_dump());
  EXPECT_FALSE(now(tunnel).usable);
}

TEST_F(NextHopMapTest, ANextHopIsKeptWhileSomethingUsesIt) {
  const NextHopRef one = track("169.254.10.1");
  const NextHopRef two = track("169.254.10.1");
  EXPECT_EQ(one, two);
  EXPECT_TRUE(map_.way_in_use(map_.resolution(one).via, source_of(PeerId{0})));
  map_.untrack(one);
  EXPECT_TRUE(map_.way_in_use(map_.resolution(two).via, std::nullopt));
  const Via via = map_.resolution(two).via;
  map_.untrack(two);
  EXPECT_FALSE(map_.way_in_use(via, std::nullopt));
}

}  // namespace
}  // namespace minibgp::fib
