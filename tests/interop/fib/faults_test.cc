// Routes in a real kernel, and everything that others can do to them: each fault is repaired within a second, by
// itself. With next-hop objects and without.
#include <tests/interop/fib/kernel_lab.h>

#include <ostream>

namespace minibgp::fib::testing {
namespace {

class Faults : public KernelLab, public ::testing::WithParamInterface<FibOptions::NextHopObjects> {
 protected:
  void SetUp() override {
    KernelLab::SetUp();
    if (IsSkipped()) return;
    FibOptions options;
    options.next_hop_objects = GetParam();
    options.on_exit = FibOptions::OnExit::remove;
    start(options);
    fib_->finish_adoption();
  }
  void TearDown() override {
    if (!fib_) return;
    stop();
    EXPECT_EQ(output("ip route show proto 155; ip -6 route show proto 155; ip nexthop show"), "");
  }
  /// Two routes over both tunnels, one over the first alone, one IPv6 route over both.
  void install() {
    best("192.168.10.0/24", {peer0, peer1});
    best("192.168.20.0/24", {peer0, peer1});
    best("192.168.30.0/24", {peer0});
    best("2001:db8:10::/48", {peer0_v6, peer1_v6});
    ASSERT_TRUE(until(all_there)) << route("192.168.10.0/24") << route("2001:db8:10::/48");
    ASSERT_TRUE(in_sync());
  }
  /// iproute2 6.1 sends a route's next hops back beside its object's id, which the kernel refuses, unless the kernel
  /// keeps quiet about the former.
  static constexpr const char* kFlush =
      "sysctl -qw net.ipv4.nexthop_compat_mode=0 && ip route flush proto 155 && ip -6 route flush proto 155 && "
      "sysctl -qw net.ipv4.nexthop_compat_mode=1";
  static void flush() { run(kFlush); }
  inline static const std::string both =
      "proto 155 metric 20 nexthop via 169.254.10.1 dev tun0 weight 1 "
      "nexthop via 169.254.20.1 dev tun1 weight 1 ";
  static bool all_there() {
    return route("192.168.10.0/24") == "192.168.10.0/24 " + both &&
           route("192.168.20.0/24") == "192.168.20.0/24 " + both &&
           route("192.168.30.0/24") == "192.168.30.0/24 via 169.254.10.1 dev tun0 proto 155 metric 20 " &&
           contains(route("2001:db8:10::/48"),
                    "nexthop via fd00:10::1 dev tun0 weight 1 "
                    "nexthop via fd00:20::1 dev tun1 weight 1");
  }
};

INSTANTIATE_TEST_SUITE_P(NextHopObjects, Faults,
                         ::testing::Values(FibOptions::NextHopObjects::automatic, FibOptions::NextHopObjects::off),
                         [](const auto& param) {
                           return param.param == FibOptions::NextHopObjects::off ? "Off" : "On";
                         });

TEST_P(Faults, RoutesAreInstalledAsThePeersAnnouncedThemAndLeaveAgain) {
  install();
  EXPECT_EQ(fib_->status().next_hop_objects, GetParam() == FibOptions::NextHopObjects::automatic);
  best("192.168.10.0/24", {});
  EXPECT_TRUE(until([] { return route("192.168.10.0/24").empty(); }));
  EXPECT_FALSE(route("192.168.20.0/24").empty());
}

TEST_P(Faults, FlushedRoutesComeBack) {
  install();
  flush();
  EXPECT_TRUE(until(all_there));
  EXPECT_GE(fib_->status().counters.drift_repaired, 4U);
}

TEST_P(Faults, ARouteReplacedByAnotherGatewayIsRestored) {
  install();
  run("ip route replace 192.168.10.0/24 via 169.254.20.1 dev tun1 metric 20 proto 155");
  EXPECT_TRUE(until(all_there)) << route("192.168.10.0/24");
  // As people type it: without the protocol, it becomes somebody else's route.
  run("ip route replace 192.168.20.0/24 via 169.254.20.1 metric 20");
  EXPECT_TRUE(until(all_there)) << route("192.168.20.0/24");
  EXPECT_TRUE(in_sync());
}

TEST_P(Faults, ALinkThatGoesDownLosesTrafficAndGetsItBack) {
  install();
  run("ip link set tun0 down");
  const std::string one = "192.168.10.0/24 via 169.254.20.1 dev tun1 proto 155 metric 20 ";
  EXPECT_TRUE(until([&] { return route("192.168.10.0/24") == one; })) << route("192.168.10.0/24");
  EXPECT_TRUE(until([] { return route("192.168.30.0/24").empty(); }));
  run("ip link set tun0 up && ip addr add fd00:10::2/64 dev tun0 nodad");
  EXPECT_TRUE(until(all_there)) << route("192.168.10.0/24") << route("2001:db8:10::/48");
}

TEST_P(Faults, ALostCarrierIsALostLink) {
  install();
  run("ip link set t0p down");
  const std::string one = "192.168.10.0/24 via 169.254.20.1 dev tun1 proto 155 metric 20 ";
  EXPECT_TRUE(until([&] { return route("192.168.10.0/24") == one; })) << route("192.168.10.0/24");
  run("ip link set t0p up");
  EXPECT_TRUE(until(all_there, 2500ms)) << route("192.168.10.0/24");  // The kernel delays carrier news by up to 1 s.
}

TEST_P(Faults, TheLastAddressGoesAndComesBack) {
  install();
  run("ip addr del 169.254.10.2/30 dev tun0");
  EXPECT_TRUE(until([] { return !contains(route("192.168.10.0/24"), "169.254.10.1"); }));
  run("ip addr add 169.254.10.2/30 dev tun0");
  EXPECT_TRUE(until(all_there)) << route("192.168.10.0/24");
}

TEST_P(Faults, AnInterfaceThatIsDeletedAndMadeAgainIsUsedAgain) {
  install();
  run("ip link del tun0");
  EXPECT_TRUE(until([] { return !contains(route("192.168.10.0/24"), "169.254.10.1"); }));
  run("ip link add tun0 type veth peer name t0p && ip link set tun0 up && ip link set t0p up && "
      "ip addr add 169.254.10.2/30 dev tun0 && ip addr add fd00:10::2/64 dev tun0 nodad");
  EXPECT_TRUE(until(all_there, 2500ms)) << route("192.168.10.0/24");
}

TEST_P(Faults, AForeignRouteOfLowerMetricIsLeftAlone) {
  install();
  run("ip route add 192.168.10.0/24 via 169.254.20.1 metric 5 proto static");
  ASSERT_TRUE(in_sync());
  EXPECT_FALSE(until(
      [] { return !contains(route("192.168.10.0/24"), "via 169.254.20.1 dev tun1 proto static metric 5"); }, 300ms));
  EXPECT_TRUE(contains(route("192.168.10.0/24"), "nexthop via 169.254.10.1 dev tun0"));
  run("ip route del 192.168.10.0/24 metric 5");
}

TEST_P(Faults, AForeignRouteInOurPlaceIsLeftAloneAndGivesWayWhenItGoes) {
  run("ip route add 192.168.10.0/24 via 169.254.20.1 metric 20 proto static");
  best("192.168.10.0/24", {peer0, peer1});
  ASSERT_TRUE(until([this] {
    const auto routes = fib_->routes({prefix("192.168.10.0/24")});
    return routes.size() == 1 && routes[0].refusal == Refusal::foreign_route;
  }));
  EXPECT_EQ(route("192.168.10.0/24"), "192.168.10.0/24 via 169.254.20.1 dev tun1 proto static metric 20 ");
  run("ip route del 192.168.10.0/24 metric 20 proto static");
  EXPECT_TRUE(until([] { return route("192.168.10.0/24") == "192.168.10.0/24 " + both; })) << route("192.168.10.0/24");
}

TEST_P(Faults, LostNotificationsLeadToAFullComparison) {
  install();
  // The watch socket has room for 8 MB: more notifications than that, while nobody reads, overrun it.
  run("i=0; while [ $i -lt 30000 ]; do echo \"route add 100.0.$((i/256)).$((i%256))/32 dev lan0\"; i=$((i+1)); done "
      "> /tmp/fib_overrun.batch && ip -batch /tmp/fib_overrun.batch && ip route flush root 100.0.0.0/8");
  flush();
  EXPECT_TRUE(until(all_there, 1000ms)) << route("192.168.10.0/24");
  EXPECT_GE(fib_->status().counters.overruns, 1U);
  EXPECT_TRUE(in_sync());
}

TEST_P(Faults, AnUnusableTunnelIsLeftBeforeTheCallReturns) {
  install();
  fib_->set_interface_usable("tun0", false, "SA deleted");
  if (GetParam() == FibOptions::NextHopObjects::automatic) {
    EXPECT_EQ(route("192.168.10.0/24"), "192.168.10.0/24 via 169.254.20.1 dev tun1 proto 155 metric 20 ");
  }
  EXPECT_TRUE(until([] { return !contains(route("192.168.10.0/24"), "169.254.10.1"); }));
  EXPECT_TRUE(until([] { return route("192.168.30.0/24").empty(); }));
  fib_->set_interface_usable("tun0", true, "SA installed");
  EXPECT_TRUE(until(all_there)) << route("192.168.10.0/24");
}

TEST_P(Faults, OnePeersResetLeavesTheOthersRoutesThroughTheSameGatewayAlone) {
  install();
  const PeerId other{7};
  fib_->set_peer(other, {gateway0, "tun0", true});
  const std::array<BestPath, 2> paths = {BestPath{other, AttrId{2}, {gateway0, {}}, 1},
                                         BestPath{peer1, AttrId{2}, {gateway1, {}}, 1}};
  const BestChange change{prefix("192.168.40.0/24"), paths, nullptr};
  fib_->on_best_changed({&change, 1});
  const StaticRoute fixed{prefix("192.168.50.0/24"), {{"tun0", gateway0, 0, 1}, {"tun1", gateway1, 0, 1}}};
  fib_->set_static_routes({&fixed, 1});
  ASSERT_TRUE(until([] { return route("192.168.40.0/24") == "192.168.40.0/24 " + both; })) << route("192.168.40.0/24");
  ASSERT_TRUE(until([] { return route("192.168.50.0/24") == "192.168.50.0/24 " + both; })) << route("192.168.50.0/24");

  fib_->set_peer_usable(peer0, false);
  EXPECT_TRUE(until([] { return !contains(route("192.168.10.0/24"), "169.254.10.1"); }));
  EXPECT_EQ(route("192.168.40.0/24"), "192.168.40.0/24 " + both);
  EXPECT_EQ(route("192.168.50.0/24"), "192.168.50.0/24 " + both);
}

TEST_P(Faults, FlushedNextHopObjectsAreMadeAgainWithTheirRoutes) {
  install();
  run("ip nexthop flush");
  EXPECT_TRUE(until(all_there)) << route("192.168.10.0/24") << route("192.168.30.0/24");
  EXPECT_TRUE(in_sync());
}

TEST_P(Faults, ADeletedMemberOfAGroupIsReplaced) {
  install();
  if (GetParam() == FibOptions::NextHopObjects::off) return;
  const std::string id =
      output("ip nexthop show | grep -v group | grep 169.254.10.1 | head -1 | cut -d' ' -f2 | tr -d '\\n'");
  run("ip nexthop del id " + id);
  EXPECT_TRUE(until(all_there)) << route("192.168.10.0/24");
  EXPECT_TRUE(in_sync());
}

TEST_P(Faults, TheAuditFindsWhatNoNotificationTold) {
  install();
  Comparison found;
  bool done = false;
  fib_->verify([&](const Comparison& comparison) { found = comparison, done = true; });
  ASSERT_TRUE(until([&] { return done; }));
  EXPECT_EQ(found.difference_count, 0U);
  EXPECT_EQ(found.compared, 4U);
}

}  // namespace
}  // namespace minibgp::fib::testing
