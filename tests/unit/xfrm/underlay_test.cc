#include <xfrm/underlay.h>

#include <string>
#include <vector>

#include "ends.h"
#include <gtest/gtest.h>

namespace minibgp::xfrm {
namespace {

/// eth0 with the local address, a host route to the peer through the gateway, and a tunnel over it.
class UnderlayOf : public ::testing::Test {
 protected:
  UnderlayOf() {
    tunnel_.name = "ipsec0";
    tunnel_.if_id = 42;
    tunnel_.underlay = {"eth0", kGateway};
    tunnel_.ike.emplace().remote_addresses = {"203.0.113.151"};
    kernel_.set_tunnels(std::vector{tunnel_});
    link(true, true);
    kernel_.address(2, {kLocal, 24});
    kernel_.route(kRemote, RouteFound{Prefix::of(kRemote, 32), kGateway, 2, 156});
  }
  void link(bool up, bool carrier) {
    Link eth0{2, "eth0", "", "", 0, 0, 0, 1500, up, false};
    eth0.carrier = carrier;
    kernel_.link(eth0);
  }
  Reason judge() { return judge_underlay(tunnel_, ends_, kernel_, neighbors_); }

  TunnelOptions tunnel_;
  Interfaces kernel_{156};
  Neighbors neighbors_;
  std::vector<OuterEnds> ends_{{kLocal, kRemote}};
};

TEST_F(UnderlayOf, IsReadyWithAllItNeeds) { EXPECT_EQ(judge(), Reason::ready); }

TEST_F(UnderlayOf, NeedsItsDeviceUpAndWithCarrier) {
  link(true, false);
  EXPECT_EQ(judge(), Reason::underlay_no_carrier);
  link(false, false);
  EXPECT_EQ(judge(), Reason::underlay_down);
  kernel_.link_gone(2);
  EXPECT_EQ(judge(), Reason::underlay_missing);
  ends_.clear();
  EXPECT_EQ(judge(), Reason::underlay_missing) << "also without SAs";
}

TEST_F(UnderlayOf, IsTheDeviceOfTheRouteWhereNoneIsConfigured) {
  tunnel_.underlay = {};
  EXPECT_EQ(judge(), Reason::ready);
  link(true, false);
  EXPECT_EQ(judge(), Reason::underlay_no_carrier);
}

TEST_F(UnderlayOf, IsLeftToTheKernelWhereTheRouteHasSeveralNextHops) {
  // What the decoder reads from a multipath route: neither gateway nor device.
  tunnel_.underlay = {};
  kernel_.route(kRemote, RouteFound{Prefix::of(IpAddress{}, 0), {}, 0, 3});
  EXPECT_EQ(judge(), Reason::ready);
  kernel_.address_gone(2, {kLocal, 24});
  EXPECT_EQ(judge(), Reason::local_address_missing);
}

TEST_F(UnderlayOf, NeedsTheLocalAddressOfItsSas) {
  kernel_.address_gone(2, {kLocal, 24});
  EXPECT_EQ(judge(), Reason::local_address_missing);
  kernel_.address(3, {kLocal, 32});  // On whatever device.
  EXPECT_EQ(judge(), Reason::ready);
  // After the address changed a pair on the new one is enough.
  ends_.insert(ends_.begin(), {IpAddress::v4(0xAC101451), kRemote});
  EXPECT_EQ(judge(), Reason::ready);
}

TEST_F(UnderlayOf, NeedsARouteToThePeer) {
  kernel_.route(kRemote, std::nullopt);
  EXPECT_EQ(judge(), Reason::endpoint_unroutable);
  kernel_.forget_routes();
  EXPECT_EQ(judge(), Reason::endpoint_unroutable) << "the last answer holds until there is another";
}

TEST_F(UnderlayOf, NeedsAGatewayThatAnswers) {
  neighbors_.seen(2, kGateway, true);
  EXPECT_EQ(judge(), Reason::gateway_silent);
  neighbors_.seen(3, kGateway, false);
  EXPECT_EQ(judge(), Reason::gateway_silent) << "another device's neighbor";
  neighbors_.seen(2, kGateway, false);
  EXPECT_EQ(judge(), Reason::ready);
  neighbors_.seen(2, kGateway, true);
  neighbors_.forget(2);
  EXPECT_EQ(judge(), Reason::ready) << "what a device without carrier said is void when it has it again";
}

TEST_F(UnderlayOf, NeedsThePeerItselfToAnswerOnACommonNetwork) {
  kernel_.route(kRemote, RouteFound{Prefix::of(kRemote, 24), {}, 2, 2});
  neighbors_.seen(2, kRemote, true);
  EXPECT_EQ(judge(), Reason::gateway_silent);
}

TEST_F(UnderlayOf, IsNotAskedForLinksWithoutSas) {
  tunnel_.mode = Mode::link;
  link(false, false);
  EXPECT_EQ(judge(), Reason::ready);
}

}  // namespace
}  // namespace minibgp::xfrm
