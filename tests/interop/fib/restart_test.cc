// A restart with routes left in the kernel: what did not change is not touched. Counted by what the kernel tells
// everybody else: notifications on a socket of our own, beside the Fib's.
#include <fib/netlink/route_codec.h>
#include <fib/netlink/socket.h>
#include <tests/interop/fib/kernel_lab.h>

#include <linux/rtnetlink.h>

namespace minibgp::fib::testing {
namespace {

/// Counts route and next-hop notifications.
class Notifications {
 public:
  explicit Notifications(boost::asio::io_context& io) : socket_(netlink::Socket::open(io, {}).value()) {
    for (const unsigned group : {RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_NEXTHOP})
      EXPECT_TRUE(socket_->join(group));
  }
  struct Count {
    std::size_t routes = 0, objects = 0;
  };
  Count take() {
    Count count;
    for (;;) {
      const auto received = socket_->receive();
      if (received.kind != netlink::Received::Kind::datagram) return count;
      netlink::MessageReader messages(received.bytes);
      while (const auto message = messages.next())
        ++(message->type == RTM_NEWROUTE || message->type == RTM_DELROUTE ? count.routes : count.objects);
    }
  }

 private:
  std::shared_ptr<netlink::Socket> socket_;
};

class Restart : public KernelLab, public ::testing::WithParamInterface<FibOptions::NextHopObjects> {
 protected:
  FibOptions options() const {
    FibOptions result;
    result.next_hop_objects = GetParam();
    return result;
  }
  static constexpr std::uint32_t kRoutes = 1000;
};

INSTANTIATE_TEST_SUITE_P(NextHopObjects, Restart,
                         ::testing::Values(FibOptions::NextHopObjects::automatic, FibOptions::NextHopObjects::off),
                         [](const auto& param) {
                           return param.param == FibOptions::NextHopObjects::off ? "Off" : "On";
                         });

TEST_P(Restart, RoutesThatDidNotChangeAreNotTouchedAndTheOthersAre) {
  start(options());
  fib_->finish_adoption();
  best_many(kRoutes, {peer0, peer1});
  best("192.168.30.0/24", {peer0});
  best("192.168.40.0/24", {peer1});
  ASSERT_TRUE(in_sync(5s));
  ASSERT_EQ(count_routes("proto 155"), kRoutes + 2);
  crash();

  Notifications heard(io_);
  start(options());
  ASSERT_TRUE(in_sync(5s));
  EXPECT_EQ(fib_->status().adopted, kRoutes + 2);
  best_many(kRoutes, {peer0, peer1});
  best("192.168.30.0/24", {peer1});  // Moved while nobody looked; 192.168.40.0/24 is gone.
  ASSERT_TRUE(in_sync(5s));
  EXPECT_EQ(heard.take().routes, 0U) << "what still forwards waits for the end of the restart";
  EXPECT_EQ(count_routes("proto 155"), kRoutes + 2) << "nothing goes before the restart is over";
  fib_->finish_adoption();
  ASSERT_TRUE(until([] { return count_routes("proto 155") == kRoutes + 1; }));
  ASSERT_TRUE(in_sync(5s));
  EXPECT_EQ(heard.take().routes, 2U) << "one replaced, one removed";
  EXPECT_TRUE(contains(route("192.168.30.0/24"), "169.254.20.1"));
  // Of the first run's objects those in use are left: a group with two members, and two singles at most.
  EXPECT_LE(count_objects(), 5U);
  EXPECT_EQ(fib_->status().adopted, 0U);
}

TEST_P(Restart, PeersThatComeBackOneByOneRewriteNothing) {
  start(options());
  fib_->finish_adoption();
  best_many(kRoutes, {peer0, peer1});
  ASSERT_TRUE(in_sync(5s));
  crash();
  Notifications heard(io_);
  start(options());
  best_many(kRoutes, {peer1});
  ASSERT_TRUE(in_sync(5s));
  best_many(kRoutes, {peer1, peer0});
  ASSERT_TRUE(in_sync(5s));
  fib_->finish_adoption();
  ASSERT_TRUE(in_sync(5s));
  EXPECT_EQ(heard.take().routes, 0U);
  EXPECT_EQ(count_routes("proto 155"), kRoutes);
}

TEST_P(Restart, AnAdoptedRouteByADeadTunnelDoesNotWaitForTheEndOfTheRestart) {
  start(options());
  fib_->finish_adoption();
  best("192.168.10.0/24", {peer0});
  ASSERT_TRUE(in_sync());
  crash();
  start(options());
  fib_->set_interface_usable("tun0", false, "SA expired");
  best("192.168.10.0/24", {peer1});
  EXPECT_TRUE(until([] { return contains(route("192.168.10.0/24"), "169.254.20.1"); })) << route("192.168.10.0/24");
}

TEST_P(Restart, ARestartWithoutAnyChangeIsSilent) {
  start(options());
  fib_->finish_adoption();
  best_many(kRoutes, {peer0, peer1});
  const StaticRoute fixed{prefix("192.168.50.0/24"), {{"tun0", {}, 100, 1}, {"tun1", {}, 101, 1}}};
  fib_->set_static_routes({&fixed, 1});
  ASSERT_TRUE(in_sync(5s));
  ASSERT_EQ(count_routes("proto 155"), kRoutes + 2);
  stop();  // on_exit: keep.
  EXPECT_EQ(count_routes("proto 155"), kRoutes + 2);

  Notifications heard(io_);
  start(options());
  fib_->set_static_routes({&fixed, 1});
  best_many(kRoutes, {peer0, peer1});
  fib_->finish_adoption();
  ASSERT_TRUE(in_sync(5s));
  const auto count = heard.take();
  EXPECT_EQ(count.routes, 0U);
  EXPECT_EQ(count.objects, 0U);
}

TEST_P(Restart, LeakedObjectsOfACrashAreSwept) {
  if (GetParam() == FibOptions::NextHopObjects::off) return;
  run("ip nexthop add id 1660813312 via 169.254.10.1 dev tun0 proto 155");
  run("ip nexthop add id 77 via 169.254.10.1 dev tun0 proto 155");         // Not in our range.
  run("ip nexthop add id 1660813400 via 169.254.10.1 dev tun0 proto 99");  // Not ours.
  start(options());
  best("192.168.10.0/24", {peer1});
  fib_->finish_adoption();
  ASSERT_TRUE(in_sync());
  EXPECT_TRUE(until([] { return !contains(output("ip nexthop show"), "1660813312"); })) << output("ip nexthop show");
  EXPECT_TRUE(contains(output("ip nexthop show"), "id 77 "));
  EXPECT_TRUE(contains(output("ip nexthop show"), "id 1660813400 "));
}

TEST_P(Restart, AdoptionEndsByItselfWhenNobodyEndsIt) {
  start(options());
  fib_->finish_adoption();
  best("192.168.10.0/24", {peer0});
  ASSERT_TRUE(in_sync());
  crash();
  FibOptions impatient = options();
  impatient.adopt_timeout = 100ms;
  start(impatient);
  EXPECT_TRUE(until([] { return route("192.168.10.0/24").empty(); }));
}

}  // namespace
}  // namespace minibgp::fib::testing
