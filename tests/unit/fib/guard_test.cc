// Which routes are never installed, by reason, and the keys that let them pass: a RouteGuard on what the kernel has,
// and what a Forwarder makes of its verdicts.
#include <bgp/text.h>
#include <fib/route_guard.h>
#include <tests/support/fake_kernel.h>
#include <tests/support/forwarder_run.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace minibgp::fib {
namespace {

using minibgp::testing::FakeKernel;
using minibgp::testing::ForwarderRun;
using Origin = RouteGuard::Origin;

Prefix prefix(const std::string& text) { return parse_prefix(text).value(); }
IpAddress address(const std::string& text) { return parse_address(text).value(); }
constexpr IfIndex kEth0{3};

class GuardTest : public ::testing::Test {
 protected:
  void SetUp() override {
    map_.on_link({kEth0, "eth0", true});
    for (const auto& [own, length] : {std::pair{"172.16.20.80", 24}, std::pair{"2001:db8:20::80", 64}}) {
      const IpAddress local = address(own);
      map_.on_address({kEth0, local, local, static_cast<std::uint8_t>(length), false});
      kernel_has((std::string(own) == "172.16.20.80" ? "172.16.20.0/24" : "2001:db8:20::/64"), {});
    }
    kernel_has("0.0.0.0/0", "172.16.20.253");
  }
  void kernel_has(const std::string& network, const std::string& gateway, bool unicast = true) {
    Via via;
    if (!gateway.empty()) via.gateway = address(gateway);
    via.interface = kEth0;
    map_.foreign().on_dumped({{prefix(network), kMainTable, 0}, 4, unicast, {via}}, false);
  }
  Refusal judge(const std::string& network, Origin origin = Origin::learned) {
    static_cast<void>(guard_.refresh());
    return guard_.judge(prefix(network), origin).refusal;
  }
  NextHopMap map_{false};
  RouteGuard guard_{map_};
};

TEST_F(GuardTest, NothingInsideANetworkThatWeAreInIsLearned) {
  EXPECT_EQ(judge("172.16.20.0/25"), Refusal::inside_connected_network);
  EXPECT_EQ(judge("172.16.20.7/32"), Refusal::inside_connected_network);
  EXPECT_EQ(judge("172.16.20.0/24"), Refusal::inside_connected_network);
  EXPECT_EQ(judge("2001:db8:20:0:8000::/65"), Refusal::inside_connected_network);
  EXPECT_EQ(judge("172.16.0.0/16"), Refusal::none);
  EXPECT_EQ(judge("172.16.21.0/25"), Refusal::none);
  EXPECT_EQ(guard_.judge(prefix("172.16.20.0/25"), Origin::learned).detail, "172.16.20.0/24 on eth0");
}

TEST_F(GuardTest, AReviewNamesEachRouteThatCoversAPlaceOnce) {
  std::vector<Prefix> own{prefix("10.0.0.0/8"), prefix("10.0.7.0/25"), prefix("192.0.2.0/24"),
                          prefix("2001:db8:1::/48")};
  for (std::uint32_t i = 0; i < 300; ++i) own.push_back(Prefix::of(IpAddress::v4(0x0A000000 + (i << 8U)), 24));
  guard_.set_own_networks(own);
  std::set<Prefix> expected;
  for (const Prefix& network : own)
    for (unsigned length = 0; length <= network.length_bits; ++length)
      expected.insert(Prefix::of(network.address(), static_cast<std::uint8_t>(length)));
  const std::vector<Prefix> named = guard_.refresh().covering;
  EXPECT_EQ(std::set<Prefix>(named.begin(), named.end()), expected);
  EXPECT_EQ(named.size(), expected.size());
}

TEST_F(GuardTest, NoRouteTakesThePathToAPeersAddressAwayFromABetterOneThanTheDefault) {
  map_.set_peer(PeerId{0}, {address("10.9.0.1"), "", true});
  map_.set_peer(PeerId{1}, {address("10.8.0.1"), "", false});
  kernel_has("10.9.0.0/24", "172.16.20.1");
  EXPECT_EQ(judge("10.9.0.1/32"), Refusal::covers_peer);
  EXPECT_EQ(judge("10.9.0.0/25"), Refusal::covers_peer);
  EXPECT_EQ(judge("10.9.0.0/24"), Refusal::covers_peer);
  EXPECT_EQ(judge("10.9.0.128/25"), Refusal::none) << "the peer is not in it";
  EXPECT_EQ(judge("10.9.0.0/16"), Refusal::none) << "the kernel's own is longer";
  EXPECT_EQ(judge("10.8.0.1/32"), Refusal::none) << "a peer's loopback that only BGP leads to";
  map_.remove_peer(PeerId{0});
  EXPECT_EQ(judge("10.9.0.1/32"), Refusal::none);
}

TEST_F(GuardTest, WhatIsInsideAnOwnNetworkIsLearnedOnlyIfThatIsASummaryWithoutAPath) {
  guard_.set_own_networks(std::array{prefix("10.0.0.0/8"), prefix("172.16.40.0/24"), prefix("10.5.0.0/16")});
  kernel_has("172.16.40.0/24", "172.16.20.1");
  kernel_has("10.5.0.0/16", "", false);  // A blackhole, to have something to announce.
  EXPECT_EQ(judge("172.16.40.0/25"), Refusal::inside_own_network);
  EXPECT_EQ(judge("172.16.40.0/24"), Refusal::covers_own_network);
  EXPECT_EQ(judge("10.1.0.0/16"), Refusal::none);
  EXPECT_EQ(judge("10.5.1.0/24"), Refusal::none);
}

TEST_F(GuardTest, ADefaultRouteIsHeldBackWhileNothingLongerLeadsToAnOwnNetwork) {
  guard_.set_own_networks(std::array{prefix("10.0.0.0/8")});
  EXPECT_EQ(judge("0.0.0.0/0"), Refusal::covers_own_network);
  kernel_has("10.0.0.0/8", "", false);
  EXPECT_EQ(judge("0.0.0.0/0"), Refusal::none);
}

TEST_F(GuardTest, OfStaticRoutesOnlyThoseThroughATunnelAreJudgedAndOnlyByItsEndpoint) {
  guard_.set_underlay_endpoints(std::array{address("203.0.113.151")});
  guard_.set_own_networks(std::array{prefix("172.16.20.0/24")});
  EXPECT_EQ(judge("0.0.0.0/0", Origin::tunnel_static), Refusal::covers_endpoint);
  EXPECT_EQ(judge("172.16.20.0/25", Origin::tunnel_static), Refusal::none);
  kernel_has("203.0.113.151/32", "172.16.20.253");
  EXPECT_EQ(judge("0.0.0.0/0", Origin::tunnel_static), Refusal::none);
}

TEST_F(GuardTest, EachReasonHasAWordThatLetsItsRoutesPass) {
  map_.set_peer(PeerId{0}, {address("10.9.0.1"), "", true});
  kernel_has("10.9.0.0/24", "172.16.20.1");
  kernel_has("172.16.40.0/24", "172.16.20.1");
  guard_.set_underlay_endpoints(std::array{address("203.0.113.151")});
  guard_.set_own_networks(std::array{prefix("172.16.40.0/24")});
  const std::map<std::string_view, std::string> examples = {{"link_local", "169.254.77.0/24"},
                                                            {"connected_networks", "172.16.20.0/25"},
                                                            {"ike_endpoints", "203.0.113.0/24"},
                                                            {"peer_addresses", "10.9.0.1/32"},
                                                            {"own_networks", "172.16.40.0/25"}};
  ASSERT_EQ(examples.size(), std::size(kGuardReasons));
  for (const GuardReason& reason : kGuardReasons) {
    guard_.set_allowed(0);
    const Refusal refusal = judge(examples.at(reason.word));
    EXPECT_EQ(guard_bit(refusal), reason.bit) << reason.word;
    EXPECT_FALSE(to_text(refusal).empty());
    guard_.set_allowed(reason.bit);
    EXPECT_EQ(judge(examples.at(reason.word)), Refusal::none) << reason.word;
  }
}

// --- In a Forwarder --------------------------------------------------------------------------------------------------

class Lines final : public LogSink {
 public:
  [[nodiscard]] bool wants(LogLevel, LogArea) const override { return true; }
  void write(LogLevel, LogArea, std::string_view line) override { all.emplace_back(line); }
  [[nodiscard]] std::size_t with(std::string_view part) const {
    return static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(), [&](const std::string& line) { return line.find(part) != std::string::npos; }));
  }
  std::vector<std::string> all;
};

class HeldTest : public ::testing::Test {
 protected:
  void SetUp() override {
    kernel_.add_link(IfIndex{1}, "tun0");
    kernel_.add_address(local("169.254.10.2", IfIndex{1}, 30));
    kernel_.add_link(kEth0, "eth0");
    forwarder_.input(fib::input::SetPeer{PeerId{0}, {address("169.254.10.1"), "tun0", true}}, now_);
    forwarder_.input(fib::input::SetInterfaceUsable{"tun0", true, ""}, now_);
    forwarder_.input(fib::input::FinishAdoption{}, now_);
    settle();
  }
  static AddressInfo local(const std::string& own, IfIndex index, int length) {
    return {index, address(own), address(own), static_cast<std::uint8_t>(length), false};
  }
  void settle() { run_.turns(50, now_); }
  void best(const std::string& network) {
    const std::vector<BestPath> paths{{PeerId{0}, AttrId{1}, {address("169.254.10.1"), {}}, 1}};
    const BestChange change{prefix(network), paths, nullptr};
    forwarder_.input(fib::input::BestChanged{{&change, 1}}, now_);
  }
  [[nodiscard]] bool installed(const std::string& network) const {
    return kernel_.routes().contains({prefix(network), kMainTable, 20});
  }
  static FibOptions options() {
    FibOptions result;
    result.audit_interval = Duration::zero();
    return result;
  }
  Time now_{std::chrono::seconds{1000}};
  FakeKernel kernel_{1};
  Lines lines_;
  Forwarder forwarder_{options(), &lines_, now_};
  ForwarderRun run_{forwarder_, kernel_};
};

TEST_F(HeldTest, ARouteLeavesWhenAnAddressMakesItsPrefixPartOfANetworkOfOursAndComesBack) {
  best("172.16.20.0/25");
  settle();
  EXPECT_TRUE(installed("172.16.20.0/25"));
  kernel_.add_address(local("172.16.20.80", kEth0, 24));
  settle();
  EXPECT_FALSE(installed("172.16.20.0/25"));
  EXPECT_EQ(lines_.with("route 172.16.20.0/25 is not installed"), 1U);
  kernel_.remove_address(local("172.16.20.80", kEth0, 24));
  settle();
  EXPECT_TRUE(installed("172.16.20.0/25"));
}

TEST_F(HeldTest, ReadInPartsTheTableIsTheSameInstalledOrHeld) {
  kernel_.add_address(local("172.16.20.80", kEth0, 24));
  settle();
  for (const char* const held : {"172.16.20.0/25", "172.16.20.128/26", "172.16.20.192/26"}) best(held);
  for (int i = 0; i < 10; ++i) best("10." + std::to_string(i) + ".0.0/16");
  settle();
  const std::vector<RouteStatus> whole = forwarder_.report().routes({});
  ASSERT_EQ(whole.size(), 13U);
  for (const std::size_t steps : {std::size_t{1}, std::size_t{3}, std::size_t{4}, std::size_t{100}}) {
    std::vector<RouteStatus> found;
    RouteCursor at;
    for (int parts = 0; !at.ended() && parts < 100; ++parts) {
      const std::size_t before = found.size();
      forwarder_.report().routes_part({}, at, steps, found);
      EXPECT_LE(found.size() - before, steps);
    }
    EXPECT_TRUE(at.ended());
    std::sort(found.begin(), found.end(), shown_before);
    ASSERT_EQ(found.size(), whole.size()) << steps;
    for (std::size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i].key, whole[i].key);
  }
}

TEST_F(HeldTest, AKeyThatAllowsItTakesEffectAtOnceAndSoDoesItsRemoval) {
  kernel_.add_address(local("172.16.20.80", kEth0, 24));
  settle();
  best("172.16.20.0/25");
  settle();
  EXPECT_FALSE(installed("172.16.20.0/25"));
  FibOptions changed = options();
  changed.allow = guard_bit(Refusal::inside_connected_network);
  forwarder_.input(fib::input::SetOptions{changed}, now_);
  settle();
  EXPECT_TRUE(installed("172.16.20.0/25"));
  forwarder_.input(fib::input::SetOptions{options()}, now_);
  settle();
  EXPECT_FALSE(installed("172.16.20.0/25"));
}

TEST_F(HeldTest, ThousandsOfHeldRoutesAreCountedAndLoggedInAFewLines) {
  kernel_.add_address(local("172.16.20.80", kEth0, 16));
  settle();
  const auto before = lines_.all.size();
  for (int i = 0; i < 5000; ++i) best("172.16." + std::to_string(i / 32) + "." + std::to_string(i % 32 * 8) + "/29");
  settle();
  now_ += std::chrono::seconds{11};
  settle();
  EXPECT_LE(lines_.all.size() - before, 12U);
  EXPECT_EQ(lines_.with("more routes are not installed"), 1U);
  EXPECT_EQ(forwarder_.status().held, 5000U);
  EXPECT_EQ(forwarder_.status().refused, 5000U);
}

TEST_F(HeldTest, AStaticDefaultRouteThroughATunnelWaitsForThePinOfItsEndpoint) {
  forwarder_.input(fib::input::SetUnderlayEndpoints{std::array{address("203.0.113.151")}}, now_);
  kernel_.add_address(local("172.16.20.80", kEth0, 24));
  const std::array routes{StaticRoute{prefix("0.0.0.0/0"), {{"tun0", {}, 0, 1}}},
                          StaticRoute{prefix("0.0.0.0/1"), {{"eth0", address("172.16.20.253"), 0, 1}}}};
  forwarder_.input(fib::input::SetStaticRoutes{routes}, now_);
  settle();
  EXPECT_FALSE(installed("0.0.0.0/0"));
  EXPECT_TRUE(installed("0.0.0.0/1")) << "not through a tunnel";
  EXPECT_EQ(lines_.with("route 0.0.0.0/0 is not installed"), 1U);
  const RouteKey pin{prefix("203.0.113.151/32"), kMainTable, 0};
  kernel_.overwrite(pin, 156, {address("172.16.20.253"), kEth0, 1, false});
  settle();
  EXPECT_TRUE(installed("0.0.0.0/0"));
  kernel_.remove_by_user(pin);
  settle();
  EXPECT_FALSE(installed("0.0.0.0/0"));
  forwarder_.input(fib::input::SetStaticRoutes{{}}, now_);
  settle();
  EXPECT_TRUE(kernel_.routes().empty());
}

TEST_F(HeldTest, TheSameNextHopOfTwoPeersCountsOnceWithTheLargerWeight) {
  kernel_.add_address(local("169.254.20.2", kEth0, 30));
  forwarder_.input(fib::input::SetPeer{PeerId{1}, {address("169.254.10.3"), "tun0", true}}, now_);
  forwarder_.input(fib::input::SetPeer{PeerId{2}, {address("169.254.20.1"), "eth0", true}}, now_);
  const NextHop shared{address("169.254.10.1"), {}}, other{address("169.254.20.1"), {}};
  const std::vector<BestPath> paths{
      {PeerId{0}, AttrId{1}, shared, 2}, {PeerId{1}, AttrId{2}, shared, 5}, {PeerId{2}, AttrId{3}, other, 5}};
  const BestChange change{prefix("10.1.0.0/16"), paths, nullptr};
  forwarder_.input(fib::input::BestChanged{{&change, 1}}, now_);
  settle();
  const auto ways = kernel_.ways(kernel_.routes().at({prefix("10.1.0.0/16"), kMainTable, 20}));
  ASSERT_EQ(ways.size(), 2U);
  EXPECT_EQ(ways[0].weight, ways[1].weight);
  forwarder_.input(fib::input::SetPeerUsable{PeerId{0}, false}, now_);
  settle();
  EXPECT_EQ(kernel_.ways(kernel_.routes().at({prefix("10.1.0.0/16"), kMainTable, 20})).size(), 2U)
      << "the other peer still has it";
}

}  // namespace
}  // namespace minibgp::fib
