// What is desired, and the guard: a Forwarder on a fake kernel that answers at once.
#include <bgp/text.h>
#include <tests/support/fake_kernel.h>
#include <tests/support/forwarder_run.h>

#include <algorithm>

#include <gtest/gtest.h>

namespace minibgp::fib {
namespace {

using minibgp::testing::FakeKernel;
using minibgp::testing::ForwarderRun;

Prefix prefix(const std::string& text) { return parse_prefix(text).value(); }
IpAddress address(const std::string& text) { return parse_address(text).value(); }
constexpr IfIndex kTun0{1}, kTun1{2}, kEth0{3};

class InjectorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const auto& [index, name, own, length] :
         {std::tuple{kTun0, "tun0", "169.254.10.2", 30}, std::tuple{kTun1, "tun1", "169.254.20.2", 30},
          std::tuple{kEth0, "eth0", "172.16.20.80", 24}}) {
      kernel_.add_link(index, name);
      const IpAddress local = address(own);
      kernel_.add_address({index, local, local, static_cast<std::uint8_t>(length), false});
    }
    kernel_.overwrite({prefix("0.0.0.0/0"), kMainTable, 0}, 3, {address("172.16.20.253"), kEth0, 1, false});
    forwarder_.input(fib::input::SetPeer{PeerId{0}, {address("169.254.10.1"), "tun0", true}}, now_);
    forwarder_.input(fib::input::SetPeer{PeerId{1}, {address("169.254.20.1"), "tun1", true}}, now_);
    forwarder_.input(fib::input::FinishAdoption{}, now_);
    settle();
  }
  void settle() { run_.turns(100, now_); }
  void best(const std::string& network, std::vector<int> peers, const LocalAttributes* local = nullptr) {
    std::vector<BestPath> paths;
    for (const int peer : peers)
      paths.push_back({PeerId{static_cast<std::uint16_t>(peer)},
                       AttrId{1},
                       {address(peer == 0 ? "169.254.10.1" : "169.254.20.1"), {}},
                       1});
    const BestChange change{prefix(network), paths, local};
    forwarder_.input(fib::input::BestChanged{{&change, 1}}, now_);
    settle();
  }
  [[nodiscard]] bool installed(const std::string& network, std::uint32_t metric = 20,
                               std::uint32_t table = kMainTable) const {
    const auto found = kernel_.routes().find({prefix(network), table, metric});
    return found != kernel_.routes().end() && found->second.protocol == kDefaultProtocol;
  }
  [[nodiscard]] std::vector<Via> ways(const std::string& network, std::uint32_t metric = 20) const {
    const auto found = kernel_.routes().find({prefix(network), kMainTable, metric});
    return found == kernel_.routes().end() ? std::vector<Via>{} : kernel_.ways(found->second);
  }
  [[nodiscard]] Refusal refusal(const std::string& network) const {
    for (const RouteStatus& route : forwarder_.report().routes({prefix(network)}))
      if (route.refusal != Refusal::none) return route.refusal;
    return Refusal::none;
  }
  static FibOptions options() {
    FibOptions result;
    result.audit_interval = Duration::zero();
    return result;
  }
  Time now_{std::chrono::seconds{1000}};
  FakeKernel kernel_{1};
  Forwarder forwarder_{options(), nullptr, now_};
  ForwarderRun run_{forwarder_, kernel_};
};

TEST_F(InjectorTest, ALearnedRouteOverTheIkeEndpointsPathIsRefusedUntilThePathIsPinned) {
  forwarder_.input(fib::input::SetUnderlayEndpoints{std::array{address("203.0.113.151")}}, now_);
  best("0.0.0.0/0", {0, 1});
  best("203.0.113.0/24", {0});
  best("203.0.113.128/25", {0});
  best("198.51.100.0/24", {0});
  for (const std::string network : {"0.0.0.0/0", "203.0.113.0/24", "203.0.113.128/25"}) {
    EXPECT_FALSE(installed(network)) << network;
    EXPECT_EQ(refusal(network), Refusal::covers_endpoint) << network;
  }
  EXPECT_TRUE(installed("198.51.100.0/24"));

  const RouteKey pin{prefix("203.0.113.151/32"), kMainTable, 0};
  kernel_.overwrite(pin, 156, {address("172.16.20.253"), kEth0, 1, false});
  settle();
  EXPECT_TRUE(installed("0.0.0.0/0"));
  EXPECT_TRUE(installed("203.0.113.0/24"));
  kernel_.remove_by_user(pin);
  settle();
  EXPECT_FALSE(installed("0.0.0.0/0")) << "taken out when the pin goes";
  EXPECT_EQ(refusal("203.0.113.0/24"), Refusal::covers_endpoint);
}

TEST_F(InjectorTest, OwnNetworksAndLinkLocalOnesAreNeverLearned) {
  forwarder_.input(fib::input::SetOwnNetworks{std::array{prefix("172.16.20.0/24")}}, now_);
  best("172.16.20.0/24", {0});
  best("169.254.0.0/16", {0});
  best("169.254.10.0/30", {0});
  best("172.16.30.0/24", {0});
  EXPECT_EQ(refusal("172.16.20.0/24"), Refusal::covers_own_network);
  EXPECT_EQ(refusal("169.254.0.0/16"), Refusal::link_local_network);
  EXPECT_EQ(refusal("169.254.10.0/30"), Refusal::link_local_network);
  EXPECT_TRUE(installed("172.16.30.0/24"));
  forwarder_.input(fib::input::SetOwnNetworks{{}}, now_);
  settle();
  EXPECT_EQ(refusal("172.16.20.0/24"), Refusal::inside_connected_network) << "eth0 is still in it";
  const IpAddress local = address("172.16.20.80");
  kernel_.remove_address({kEth0, local, local, 24, false});
  settle();
  EXPECT_TRUE(installed("172.16.20.0/24")) << "it was held, not forgotten";
}

TEST_F(InjectorTest, ThePreferredSourceIsALocalAddressOfAnOwnNetworkWhileThereIsOne) {
  forwarder_.input(fib::input::SetOwnNetworks{std::array{prefix("172.16.20.0/24")}}, now_);
  best("192.168.10.0/24", {0, 1});
  const auto source = [this] {
    return kernel_.routes().at({prefix("192.168.10.0/24"), kMainTable, 20}).forwarding.preferred_source;
  };
  EXPECT_EQ(source(), address("172.16.20.80"));
  const IpAddress local = address("172.16.20.80");
  kernel_.remove_address({kEth0, local, local, 24, false});
  settle();
  EXPECT_FALSE(source().is_set());
}

TEST_F(InjectorTest, PolicyChoosesMetricAndTableAndTheFormerRouteLeaves) {
  best("192.168.10.0/24", {0});
  LocalAttributes local;
  local.fib_metric = 50;
  local.fib_table = 100;
  best("192.168.10.0/24", {0}, &local);
  EXPECT_FALSE(installed("192.168.10.0/24"));
  EXPECT_TRUE(installed("192.168.10.0/24", 50, 100));
  best("192.168.10.0/24", {0});
  EXPECT_TRUE(installed("192.168.10.0/24"));
  EXPECT_FALSE(installed("192.168.10.0/24", 50, 100));
  best("192.168.10.0/24", {0}, &local);
  best("192.168.10.0/24", {});
  EXPECT_FALSE(installed("192.168.10.0/24", 50, 100));
}

TEST_F(InjectorTest, MoreTablesThanCanBeCountedAreRefused) {
  const auto network = [](std::uint32_t i) {
    return "10." + std::to_string(i / 256) + "." + std::to_string(i % 256) + ".0/24";
  };
  LocalAttributes local;
  for (std::uint32_t i = 0; i < 300; ++i) {
    local.fib_table = 1000 + i;
    best(network(i), {0}, &local);
  }
  EXPECT_TRUE(installed(network(248), 20, 1248));
  EXPECT_FALSE(installed(network(249), 20, 1249)) << "the main table is one of 250";
  EXPECT_EQ(refusal(network(299)), Refusal::table_owned);
  // One that is left makes room.
  best(network(0), {});
  local.fib_table = 1001;
  best(network(299), {0}, &local);
  EXPECT_TRUE(installed(network(299), 20, 1001));
}

TEST_F(InjectorTest, NoWeightIsMoreThanEveryKernelTakes) {
  const std::vector<BestPath> paths{{PeerId{0}, AttrId{1}, {address("169.254.10.1"), {}}, 65535},
                                    {PeerId{1}, AttrId{2}, {address("169.254.20.1"), {}}, 1}};
  const BestChange change{prefix("192.168.10.0/24"), paths, nullptr};
  forwarder_.input(fib::input::BestChanged{{&change, 1}}, now_);
  settle();
  const std::vector<Via> found = ways("192.168.10.0/24");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(std::max(found[0].weight, found[1].weight), 255);
  EXPECT_EQ(std::min(found[0].weight, found[1].weight), 1);
}

TEST_F(InjectorTest, WeightsKeepTheirRatioAsFarAsTheKernelCanSayIt) {
  const auto weights = [this](std::uint16_t first, std::uint16_t second) {
    const std::vector<BestPath> paths{{PeerId{0}, AttrId{1}, {address("169.254.10.1"), {}}, first},
                                      {PeerId{1}, AttrId{2}, {address("169.254.20.1"), {}}, second}};
    const BestChange change{prefix("192.168.10.0/24"), paths, nullptr};
    forwarder_.input(fib::input::BestChanged{{&change, 1}}, now_);
    settle();
    std::vector<unsigned> all;
    for (const Via& way : ways("192.168.10.0/24")) all.push_back(way.weight);
    return all;
  };
  using Weights = std::vector<unsigned>;
  EXPECT_EQ(weights(200, 100), (Weights{200, 100})) << "as configured, where it fits";
  EXPECT_EQ(weights(512, 256), (Weights{2, 1}));
  EXPECT_EQ(weights(65535, 32768), (Weights{255, 128}));
  EXPECT_EQ(weights(1000, 1), (Weights{255, 1}));
  // Beside a suspect one.
  forwarder_.input(fib::input::SetInterfaceSuspect{"tun0", true}, now_);
  EXPECT_EQ(weights(16, 16), (Weights{1, 16}));
  EXPECT_EQ(weights(255, 255), (Weights{1, 16}));
  EXPECT_EQ(weights(200, 100), (Weights{1, 8}));
  EXPECT_EQ(weights(65535, 65535), (Weights{1, 16}));
}

TEST_F(InjectorTest, AStaticRouteIsThereExactlyWhileATunnelOfItIsUsable) {
  const StaticRoute route{prefix("192.168.0.0/16"), {{"tun0", {}, 100, 1}, {"tun1", {}, 101, 1}}};
  forwarder_.input(fib::input::SetStaticRoutes{{&route, 1}}, now_);
  settle();
  EXPECT_TRUE(installed("192.168.0.0/16", 100));
  EXPECT_TRUE(installed("192.168.0.0/16", 101));
  forwarder_.input(fib::input::SetInterfaceUsable{"tun0", false, "SA expired"}, now_);
  settle();
  EXPECT_FALSE(installed("192.168.0.0/16", 100));
  EXPECT_TRUE(installed("192.168.0.0/16", 101));
  forwarder_.input(fib::input::SetInterfaceUsable{"tun0", true, ""}, now_);
  settle();
  EXPECT_TRUE(installed("192.168.0.0/16", 100));
  forwarder_.input(fib::input::SetStaticRoutes{{}}, now_);
  settle();
  EXPECT_FALSE(installed("192.168.0.0/16", 100));
  EXPECT_FALSE(installed("192.168.0.0/16", 101));
}

TEST_F(InjectorTest, StaticWaysOfOneMetricShareTheLoadAndGoBeforeALearnedRoute) {
  best("192.168.0.0/16", {0});
  const StaticRoute route{prefix("192.168.0.0/16"), {{"tun0", {}, 0, 1}, {"tun1", {}, 0, 3}}};
  forwarder_.input(fib::input::SetStaticRoutes{{&route, 1}}, now_);
  settle();
  ASSERT_EQ(ways("192.168.0.0/16").size(), 2U);
  EXPECT_EQ(ways("192.168.0.0/16")[1].weight, 3);
  forwarder_.input(fib::input::SetStaticRoutes{{}}, now_);
  settle();
  ASSERT_EQ(ways("192.168.0.0/16").size(), 1U);
  EXPECT_EQ(ways("192.168.0.0/16")[0].gateway, address("169.254.10.1")) << "the learned one is back";
}

TEST_F(InjectorTest, ASuspectTunnelKeepsASmallShareAndGetsItsOwnBack) {
  best("10.7.0.0/16", {0, 1});
  best("10.8.0.0/16", {0});
  settle();
  static_cast<void>(run_.take_next_hops());
  const auto weights = [this] {
    std::vector<unsigned> all;
    for (const auto& way : ways("10.7.0.0/16")) all.push_back(way.weight);
    return all;
  };
  forwarder_.input(fib::input::SetInterfaceSuspect{"tun0", true}, now_);
  settle();
  EXPECT_EQ(weights(), (std::vector<unsigned>{1, 16}));
  EXPECT_EQ(ways("10.8.0.0/16").size(), 1U) << "it is the only way: it stays";
  EXPECT_TRUE(run_.take_next_hops().empty()) << "it is as usable as before";
  forwarder_.input(fib::input::SetInterfaceSuspect{"tun1", true}, now_);
  settle();
  EXPECT_EQ(weights(), (std::vector<unsigned>{1, 1}));
  forwarder_.input(fib::input::SetInterfaceSuspect{"tun0", false}, now_);
  forwarder_.input(fib::input::SetInterfaceSuspect{"tun1", false}, now_);
  settle();
  EXPECT_EQ(weights(), (std::vector<unsigned>{1, 1}));
}

TEST_F(InjectorTest, NetworksThatDependOnTheKernelAreReportedAsTheyComeAndGo) {
  forwarder_.input(fib::input::WatchNetwork{prefix("10.9.0.0/16"), NetworkWatch::exact_route}, now_);
  forwarder_.input(fib::input::WatchNetwork{prefix("10.9.1.0/24"), NetworkWatch::reachable}, now_);
  settle();
  const auto news = [this] {
    std::string text;
    for (const NetworkChange& change : run_.take_networks())
      text += to_text(change.prefix) + (change.present ? "+ " : "- ");
    return text;
  };
  EXPECT_EQ(news(), "10.9.0.0/16- 10.9.1.0/24- ") << "the default route makes nothing reachable";
  const RouteKey key{prefix("10.9.0.0/16"), kMainTable, 0};
  kernel_.overwrite(key, 4, {address("172.16.20.253"), kEth0, 1, false});
  settle();
  EXPECT_EQ(news(), "10.9.0.0/16+ 10.9.1.0/24+ ");
  kernel_.remove_by_user(key);
  settle();
  EXPECT_EQ(news(), "10.9.0.0/16- 10.9.1.0/24- ");
}

TEST_F(InjectorTest, ANextHopsStateIsToldWithItsReason) {
  forwarder_.input(fib::input::WatchNextHop{PeerId{0}, address("169.254.10.1")}, now_);
  settle();
  auto told = run_.take_next_hops();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_TRUE(told[0].usable);
  EXPECT_EQ(told[0].interface, "tun0");
  forwarder_.input(fib::input::SetInterfaceUsable{"tun0", false, "SA expired"}, now_);
  settle();
  told = run_.take_next_hops();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].reason, NextHopReason::tunnel_down);
  EXPECT_EQ(told[0].detail, "SA expired");
  forwarder_.input(fib::input::WatchNextHop{PeerId{0}, address("8.8.8.8")}, now_);
  run_.poll();
  told = run_.take_next_hops();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].reason, NextHopReason::only_default_route);
}

TEST_F(InjectorTest, ARouteWhoseLastNextHopIsUnusableStaysUntilTheSpeakerNamesAnother) {
  const auto turn = [this] { run_.turns(1, now_); };
  for (const bool tunnel : {false, true}) {
    best("10.7.0.0/16", {0});
    if (tunnel) {
      forwarder_.input(fib::input::SetInterfaceUsable{"tun0", false, "SA expired"}, now_);
    } else {
      forwarder_.input(fib::input::SetPeerUsable{PeerId{0}, false}, now_);
    }
    for (int i = 0; i < 5; ++i, turn()) EXPECT_TRUE(installed("10.7.0.0/16")) << "turn " << i;
    best("10.7.0.0/16", {1});
    ASSERT_EQ(ways("10.7.0.0/16").size(), 1U);
    EXPECT_EQ(ways("10.7.0.0/16")[0].gateway, address("169.254.20.1"));
    forwarder_.input(fib::input::SetPeerUsable{PeerId{0}, true}, now_);
    forwarder_.input(fib::input::SetInterfaceUsable{"tun0", true, ""}, now_);
    settle();
  }
}

TEST_F(InjectorTest, ARouteOfARemovedPeerStaysUntilTheSpeakerNamesAnother) {
  // A link-local next hop leads nowhere without the interface of its peer.
  forwarder_.input(fib::input::SetPeer{PeerId{2}, {address("fe80::1"), "tun0", true}}, now_);
  const BestPath path{PeerId{2}, AttrId{1}, {address("fe80::1"), {}}, 1};
  const BestChange change{prefix("2001:db8::/48"), {&path, 1}, nullptr};
  forwarder_.input(fib::input::BestChanged{{&change, 1}}, now_);
  settle();
  const RouteKey key{prefix("2001:db8::/48"), kMainTable, 20};
  ASSERT_TRUE(kernel_.routes().contains(key));
  forwarder_.input(fib::input::RemovePeer{PeerId{2}}, now_);
  run_.turns(5, now_);
  EXPECT_TRUE(kernel_.routes().contains(key));
  now_ += Injector::kReselection;
  settle();
  EXPECT_FALSE(kernel_.routes().contains(key)) << "the speaker said nothing";
}

TEST_F(InjectorTest, ARouteThatTheSpeakerSaysNothingOfLeavesSoonAfterItsLastNextHop) {
  best("10.7.0.0/16", {0});
  best("10.8.0.0/16", {0, 1});
  forwarder_.input(fib::input::SetPeerUsable{PeerId{0}, false}, now_);
  const Time lost = now_;
  run_.turn(now_);
  EXPECT_EQ(forwarder_.next_deadline(), lost + Injector::kReselection);
  // The second loss does not prolong the first.
  now_ += Injector::kReselection / 2;
  forwarder_.input(fib::input::SetPeerUsable{PeerId{1}, false}, now_);
  run_.turn(now_);
  EXPECT_TRUE(installed("10.7.0.0/16"));
  now_ = lost + Injector::kReselection;
  run_.turns(2, now_);
  EXPECT_FALSE(installed("10.7.0.0/16"));
  EXPECT_TRUE(installed("10.8.0.0/16"));
  now_ += Injector::kReselection;
  settle();
  EXPECT_FALSE(installed("10.8.0.0/16"));
  EXPECT_TRUE(kernel_.objects().empty());
}

TEST_F(InjectorTest, ARouteWaitsForTheSpeakerOnlyWhileTheKernelKeepsIt) {
  const IpAddress tun0 = address("169.254.10.2");
  const IpAddress eth0 = address("172.16.20.80");
  const AddressInfo of_tunnel{kTun0, tun0, tun0, 30, false};
  const AddressInfo of_source{kEth0, eth0, eth0, 24, false};
  forwarder_.input(fib::input::SetOwnNetworks{std::array{prefix("172.16.20.0/24")}}, now_);
  // The kernel takes the route along with either address, says nothing, and does not bring it back with the address.
  for (const AddressInfo& lost : {of_tunnel, of_source}) {
    best("10.7.0.0/16", {0});
    forwarder_.input(fib::input::SetPeerUsable{PeerId{0}, false}, now_);
    run_.turns(2, now_);
    EXPECT_TRUE(installed("10.7.0.0/16"));
    kernel_.remove_address(lost);
    run_.turns(5, now_);
    EXPECT_EQ(forwarder_.status().counters.kernel_refusals, 0U) << "asks for what the kernel cannot have";
    EXPECT_EQ(forwarder_.status().refused, 0U);
    kernel_.add_address(lost);
    forwarder_.input(fib::input::SetPeerUsable{PeerId{0}, true}, now_);
    settle();
    EXPECT_TRUE(installed("10.7.0.0/16")) << to_text(lost.local);
  }
}

TEST_F(InjectorTest, ARouteThatWasGivenUpForWantOfItsObjectIsWrittenOnceTheObjectIsMade) {
  const BestPath path{PeerId{0}, AttrId{1}, {address("169.254.10.1"), {}}, 1};
  const BestChange change{prefix("10.7.0.0/16"), {&path, 1}, nullptr};
  forwarder_.input(fib::input::BestChanged{{&change, 1}}, now_);
  const auto fail = [](std::size_t count, int error) {
    std::vector<OpError> errors;
    for (std::size_t i = 0; error != 0 && i < count; ++i) errors.push_back({i, error, {}});
    return errors;
  };
  // The kernel is busy for longer than a route is tried for; then it does what it is asked for.
  for (int turn = 0; turn < 40; ++turn, now_ += std::chrono::seconds{1}) {
    const bool busy = turn < 20;
    forwarder_.on_time(now_);
    while (const auto output = forwarder_.poll()) {
      if (const auto* objects = std::get_if<NextHopBatch>(&*output)) {
        const std::vector<NextHopOp> ops(objects->ops.begin(), objects->ops.end());
        forwarder_.on_answers(ops, fail(ops.size(), busy ? EBUSY : 0), now_);
      } else if (const auto* routes = std::get_if<RouteBatch>(&*output)) {
        const std::vector<RouteOp> ops(routes->ops.begin(), routes->ops.end());
        forwarder_.on_answers(ops, fail(ops.size(), busy ? EINVAL : 0), now_);
      }
    }
    if (busy) {
      EXPECT_EQ(forwarder_.status().refused, 1U) << "second " << turn;
    }
  }
  EXPECT_EQ(forwarder_.status().refused, 0U);
  EXPECT_EQ(forwarder_.status().installed, 1U);
}

TEST_F(InjectorTest, ADeadMemberLeavesTheGroupWithOneMessageAndNoRouteIsWritten) {
  for (int i = 0; i < 50; ++i) best("10." + std::to_string(i) + ".0.0/16", {0, 1});
  const auto before = kernel_.writes();
  forwarder_.input(fib::input::SetInterfaceUsable{"tun1", false, "SA deleted"}, now_);
  const auto batch = forwarder_.poll_next_hops(now_);
  ASSERT_TRUE(batch);
  ASSERT_EQ(batch->ops.size(), 1U);
  kernel_.send(batch->ops);
  EXPECT_EQ(ways("10.7.0.0/16").size(), 1U);
  settle();
  EXPECT_EQ(kernel_.writes(), before + 1);
}

}  // namespace
}  // namespace minibgp::fib
