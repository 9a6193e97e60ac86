#include <xfrm/interfaces.h>

#include <cerrno>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "ends.h"
#include <gtest/gtest.h>

namespace minibgp::xfrm {
namespace {

using namespace std::chrono_literals;

constexpr std::uint8_t kProtocol = 156;
const InterfaceAddress kInner{IpAddress::v4(0xA9FE0A02), 30};

TunnelOptions tunnel() {
  TunnelOptions it;
  it.name = "ipsec0";
  it.if_id = 42;
  it.addresses = {kInner};
  it.mtu = 1360;
  it.underlay = {"eth0", kGateway};
  it.ike.emplace().remote_addresses = {"203.0.113.151"};
  return it;
}

/// A kernel that does what steps say and tells about it; it can refuse.
class Kernel {
 public:
  explicit Kernel(Interfaces& interfaces) : interfaces_(interfaces) {
    links[2] = Link{2, "eth0", "", "", 0, 0, 0, 1500, true, false};
    addresses[2] = {{IpAddress::v4(0xAC101450), 24}};
    dump();
  }
  void dump() {
    interfaces_.dump_begins();
    for (const auto& [index, link] : links) interfaces_.link(link);
    for (const auto& [index, list] : addresses)
      for (const auto& address : list) interfaces_.address(index, address);
    interfaces_.dump_ended();
  }
  int apply(const LinkStep& step) {
    if (const auto* it = std::get_if<CreateLink>(&step)) {
      ++last_;
      links[last_] = Link{last_, it->name, "xfrm", "", it->if_id, it->underlying, 0, it->mtu, false, false};
      interfaces_.link(links[last_]);
    } else if (const auto* gone = std::get_if<DeleteLink>(&step)) {
      remove(gone->index);
    } else if (const auto* change = std::get_if<ChangeLink>(&step)) {
      Link& link = links.at(change->index);
      if (change->mtu) link.mtu = *change->mtu;
      if (change->master) link.master = *change->master;
      if (change->mark) link.alias = kOurAlias;
      if (change->set_up) link.up = true;
      interfaces_.link(link);
    } else if (const auto* address = std::get_if<ChangeAddress>(&step)) {
      if (address->add) {
        addresses[address->index].push_back(address->address);
        interfaces_.address(address->index, address->address);
      } else {
        std::erase(addresses[address->index], address->address);
        interfaces_.address_gone(address->index, address->address);
      }
    } else {
      const auto& route = std::get<ChangeRoute>(step);
      if (!route.add) {
        if (std::exchange(busy, false)) return EBUSY;
        routes.erase(route.destination);
        return 0;
      }
      routes[route.destination] = RouteFound{Prefix::of(route.destination, 32), route.gateway, route.device, kProtocol};
    }
    return 0;
  }
  void remove(std::uint32_t index) {
    links.erase(index);
    addresses.erase(index);
    interfaces_.link_gone(index);
  }
  /// Steps and look-ups until nothing is left to do; the steps made.
  std::size_t settle(Time now) {
    std::size_t count = 0;
    for (int round = 0; round < 50; ++round) {
      for (const IpAddress& endpoint : interfaces_.endpoints_to_look_up()) {
        const auto found = routes.find(endpoint);
        interfaces_.route(endpoint, found == routes.end() ? std::nullopt : std::optional{found->second});
      }
      if (interfaces_.take_own_routes_request()) interfaces_.own_routes(own_routes());
      const auto steps = interfaces_.next_steps(now);
      if (steps.empty()) break;
      for (const auto& [id, step] : steps) interfaces_.answered(id, apply(step), now);
      count += steps.size();
    }
    return count;
  }
  std::vector<OwnRoute> own_routes() const {
    std::vector<OwnRoute> own;
    for (const auto& [destination, route] : routes)
      if (route.protocol == kProtocol) own.push_back({destination, route.gateway});
    return own;
  }
  const Link* named(std::string_view name) const {
    for (const auto& [index, link] : links)
      if (link.name == name) return &link;
    return nullptr;
  }

  std::map<std::uint32_t, Link> links;
  std::map<std::uint32_t, std::vector<InterfaceAddress>> addresses;
  std::map<IpAddress, RouteFound> routes;
  bool busy = false;  ///< The next route is not removed.

 private:
  Interfaces& interfaces_;
  std::uint32_t last_ = 9;
};

class Desired : public ::testing::Test {
 protected:
  Desired() { interfaces_.set_tunnels(tunnels_); }
  Interfaces interfaces_{kProtocol};
  std::vector<TunnelOptions> tunnels_{tunnel()};
  Kernel kernel_{interfaces_};
  Time now_{1s};
};

TEST_F(Desired, IsMadeFromNothing) {
  kernel_.settle(now_);
  const Link* link = kernel_.named("ipsec0");
  ASSERT_NE(link, nullptr);
  EXPECT_EQ(*link, (Link{link->index, "ipsec0", "xfrm", "bgplite", 42, 2, 0, 1360, true, false}));
  EXPECT_EQ(kernel_.addresses[link->index], std::vector{kInner});
  EXPECT_EQ(kernel_.routes.at(kRemote), (RouteFound{Prefix::of(kRemote, 32), kGateway, 2, kProtocol}));
  EXPECT_EQ(*interfaces_.tunnel_link("ipsec0"), (TunnelLink{link->index, true, true}));
  EXPECT_EQ(interfaces_.problem("ipsec0"), "");
  EXPECT_EQ(kernel_.settle(now_ + 1h), 0U) << "nothing is left to do";
}

TEST_F(Desired, IsMadeAgainWhenTakenAway) {
  kernel_.settle(now_);
  kernel_.remove(kernel_.named("ipsec0")->index);
  EXPECT_FALSE(interfaces_.tunnel_link("ipsec0").has_value());
  kernel_.settle(now_ + 2s);
  EXPECT_TRUE(interfaces_.tunnel_link("ipsec0")->addressed);
  kernel_.routes.clear();
  interfaces_.forget_routes();
  kernel_.settle(now_ + 4s);
  EXPECT_TRUE(kernel_.routes.contains(kRemote));
}

TEST_F(Desired, AForeignInterfaceWithOurIfIdIsAdoptedUnderItsName) {
  kernel_.links[5] = Link{5, "mine0", "xfrm", "", 42, 2, 0, 1500, false, false};
  kernel_.dump();
  kernel_.settle(now_);
  EXPECT_EQ(kernel_.named("ipsec0"), nullptr);
  EXPECT_EQ(kernel_.links[5], (Link{5, "mine0", "xfrm", "", 42, 2, 0, 1360, true, false}));
  EXPECT_EQ(interfaces_.link_of("ipsec0")->name, "mine0");
  EXPECT_TRUE(interfaces_.removal().size() == 1) << "the route only: it is not ours to delete";
}

TEST_F(Desired, AnInterfaceThatCollectsMetadataIsLeftAlone) {
  kernel_.links[5] = Link{5, "collect", "xfrm", "", 0, 0, 0, 1500, false, true};
  kernel_.dump();
  kernel_.settle(now_);
  EXPECT_FALSE(kernel_.links[5].up);
  EXPECT_NE(kernel_.named("ipsec0"), nullptr);
}

TEST_F(Desired, OursOnAnotherDeviceIsMadeAnewAForeignOneIsReported) {
  kernel_.settle(now_);
  kernel_.links[3] = Link{3, "eth1", "", "", 0, 0, 0, 1500, true, false};
  kernel_.dump();
  tunnels_[0].underlay.device = "eth1";
  interfaces_.set_tunnels(tunnels_);
  kernel_.settle(now_ + 2s);
  EXPECT_EQ(kernel_.named("ipsec0")->underlying, 3U);
  EXPECT_EQ(kernel_.routes.at(kRemote).device, 3U);

  kernel_.links[kernel_.named("ipsec0")->index].alias = "";
  kernel_.dump();
  tunnels_[0].underlay.device = "eth0";
  interfaces_.set_tunnels(tunnels_);
  kernel_.settle(now_ + 4s);
  EXPECT_EQ(kernel_.named("ipsec0")->underlying, 3U);
  EXPECT_NE(interfaces_.problem("ipsec0").find("another device than eth0"), std::string::npos);
}

TEST_F(Desired, AChangedAddressReplacesTheOldOne) {
  kernel_.settle(now_);
  const InterfaceAddress other{IpAddress::v4(0xA9FE1402), 30};
  tunnels_[0].addresses = {other};
  interfaces_.set_tunnels(tunnels_);
  kernel_.settle(now_ + 2s);
  EXPECT_EQ(kernel_.addresses[kernel_.named("ipsec0")->index], std::vector{other});
}

TEST_F(Desired, ATakenNameIsAProblemNotALoop) {
  kernel_.links[5] = Link{5, "ipsec0", "dummy", "", 0, 0, 0, 1500, true, false};
  kernel_.dump();
  EXPECT_EQ(kernel_.settle(now_), 1U) << "the underlay route";
  EXPECT_NE(interfaces_.problem("ipsec0").find("is not an XFRM interface"), std::string::npos);
}

TEST_F(Desired, SomebodyElsesRouteIsNotReplaced) {
  kernel_.routes[kRemote] = RouteFound{Prefix::of(kRemote, 32), IpAddress::v4(0x0A000001), 2, 4};
  kernel_.settle(now_);
  EXPECT_EQ(kernel_.routes[kRemote].protocol, 4);
  EXPECT_NE(interfaces_.problem("ipsec0").find("another program's route"), std::string::npos);
  kernel_.routes[kRemote] = RouteFound{Prefix::of(kRemote, 32), kGateway, 2, 4};
  interfaces_.forget_routes();
  EXPECT_EQ(kernel_.settle(now_ + 2s), 0U) << "their route is as good as ours";
  EXPECT_EQ(interfaces_.problem("ipsec0"), "");
}

TEST_F(Desired, ARefusalIsToldAndTriedAgainLater) {
  auto steps = interfaces_.next_steps(now_);
  ASSERT_EQ(steps.size(), 1U);
  interfaces_.answered(steps[0].id, EPERM, now_);
  EXPECT_NE(interfaces_.problem("ipsec0").find("cannot make interface ipsec0: Operation not permitted"),
            std::string::npos);
  EXPECT_TRUE(interfaces_.next_steps(now_).empty());
  EXPECT_EQ(interfaces_.next_deadline(), now_ + Interfaces::kRetry);
  EXPECT_EQ(interfaces_.next_steps(now_ + Interfaces::kRetry).size(), 1U);
}

TEST_F(Desired, ATunnelThatIsNoLongerWantedTakesItsInterfaceAlong) {
  kernel_.settle(now_);
  interfaces_.set_tunnels({});
  kernel_.settle(now_ + 2s);
  EXPECT_EQ(kernel_.named("ipsec0"), nullptr);
  EXPECT_NE(kernel_.named("eth0"), nullptr);
}

TEST_F(Desired, TheRouteOfATunnelThatIsNoLongerWantedGoesToo) {
  kernel_.settle(now_);
  interfaces_.set_tunnels({});
  kernel_.settle(now_ + 2s);
  EXPECT_TRUE(kernel_.routes.empty());
  EXPECT_EQ(kernel_.settle(now_ + 1h), 0U);
}

TEST_F(Desired, ARouteThatTheKernelRefusedToRemoveGoesASecondLater) {
  kernel_.settle(now_);
  ASSERT_EQ(kernel_.routes.size(), 1U);
  interfaces_.set_tunnels({});
  kernel_.busy = true;
  kernel_.settle(now_);
  EXPECT_EQ(kernel_.routes.size(), 1U);
  EXPECT_EQ(interfaces_.next_deadline(), now_ + Interfaces::kRetry);
  for (int round = 0; round < 2; ++round) kernel_.settle(now_ + Interfaces::kRetry);
  EXPECT_TRUE(kernel_.routes.empty());
  for (int round = 0; round < 2; ++round) kernel_.settle(now_ + 2 * Interfaces::kRetry);
  EXPECT_EQ(interfaces_.next_deadline(), kNever) << "the kernel was read, and has none";
}

TEST_F(Desired, TheRouteToAnEndpointOfBeforeGoes) {
  kernel_.settle(now_);
  tunnels_[0].ike->remote_addresses = {"203.0.113.152"};
  interfaces_.set_tunnels(tunnels_);
  kernel_.settle(now_ + 2s);
  EXPECT_FALSE(kernel_.routes.contains(kRemote));
  EXPECT_TRUE(kernel_.routes.contains(IpAddress::v4(0xCB007198)));
  // The same when the endpoint becomes a name, and when the gateway is given up.
  tunnels_[0].underlay.gateway = IpAddress{};
  interfaces_.set_tunnels(tunnels_);
  kernel_.settle(now_ + 4s);
  EXPECT_TRUE(kernel_.routes.empty());
}

TEST_F(Desired, WhatAProcessBeforeUsLeftIsFoundByItsMarks) {
  const IpAddress old = IpAddress::v4(0xC6336457), theirs = IpAddress::v4(0xC6336458);
  kernel_.routes[old] = RouteFound{Prefix::of(old, 32), kGateway, 2, kProtocol};
  kernel_.routes[theirs] = RouteFound{Prefix::of(theirs, 32), kGateway, 2, 4};
  kernel_.links[5] = Link{5, "ipsec7", "xfrm", std::string{kOurAlias}, 77, 2, 0, 1360, true, false};
  kernel_.links[6] = Link{6, "mine7", "xfrm", "", 78, 2, 0, 1360, true, false};
  kernel_.dump();
  kernel_.settle(now_);
  EXPECT_FALSE(kernel_.routes.contains(old));
  EXPECT_TRUE(kernel_.routes.contains(theirs)) << "of another protocol";
  EXPECT_EQ(kernel_.named("ipsec7"), nullptr);
  EXPECT_NE(kernel_.named("mine7"), nullptr) << "without our mark";
}

TEST_F(Desired, AnInterfaceThatTheKernelKeepsIsNotAskedForInALoop) {
  kernel_.settle(now_);
  interfaces_.set_tunnels({});
  EXPECT_EQ(interfaces_.next_steps(now_).size(), 1U);
  EXPECT_TRUE(interfaces_.next_steps(now_).empty());
  EXPECT_EQ(interfaces_.next_deadline(), now_ + Interfaces::kRetry);
  EXPECT_EQ(interfaces_.next_steps(now_ + Interfaces::kRetry).size(), 1U);
}

TEST_F(Desired, AMissingDeviceIsWaitedFor) {
  kernel_.remove(2);
  EXPECT_EQ(kernel_.settle(now_), 0U);
  EXPECT_EQ(interfaces_.problem("ipsec0"), "underlay device eth0 is not there");
  kernel_.links[12] = Link{12, "eth0", "", "", 0, 0, 0, 1500, true, false};
  kernel_.dump();
  kernel_.settle(now_ + 2s);
  EXPECT_EQ(kernel_.named("ipsec0")->underlying, 12U);
}

// Whatever others do to interfaces, addresses and routes in whatever order: it ends as desired, and then nothing is
// left to do.
TEST_F(Desired, IsReachedAfterAnyDisturbance) {
  for (std::uint32_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed=" << seed);
    std::mt19937 random(seed);
    for (int i = 0; i < 20; ++i) {
      const Link* link = kernel_.named("ipsec0");
      switch (random() % 7) {
        case 0:
          if (link) kernel_.remove(link->index);
          break;
        case 1:
          if (link) kernel_.links[link->index].up = false;
          break;
        case 2:
          if (link) kernel_.links[link->index].mtu = 1500;
          break;
        case 3:
          if (link) kernel_.addresses[link->index].clear();
          break;
        case 4:
          kernel_.routes.clear();
          break;
        case 5:
          kernel_.links[2].up = !kernel_.links[2].up;
          break;
        default:
          break;
      }
      kernel_.dump();
      interfaces_.forget_routes();
      now_ += 100ms;
      for (const auto& [id, step] : interfaces_.next_steps(now_))
        interfaces_.answered(id, random() % 3 == 0 ? EBUSY : kernel_.apply(step), now_);
    }
    kernel_.links[2].up = true;
    kernel_.dump();
    now_ += 2s;
    kernel_.settle(now_);
    now_ += 2s;
    kernel_.settle(now_);
    const Link* link = kernel_.named("ipsec0");
    ASSERT_NE(link, nullptr);
    EXPECT_TRUE(link->up);
    EXPECT_EQ(link->mtu, 1360U);
    EXPECT_TRUE(interfaces_.tunnel_link("ipsec0")->addressed);
    EXPECT_TRUE(kernel_.routes.contains(kRemote));
    EXPECT_EQ(kernel_.settle(now_ + 1h), 0U);
  }
}

TEST(Interfaces, TheLinkOfSomebodyElseIsOnlyWatched) {
  Interfaces interfaces(kProtocol);
  Kernel kernel(interfaces);
  TunnelOptions link;
  link.name = "leased";
  link.mode = Mode::link;
  link.interface = "eth0";
  link.addresses = {kInner};
  interfaces.set_tunnels(std::vector{link});
  EXPECT_TRUE(interfaces.next_steps(Time{}).empty());
  ASSERT_TRUE(interfaces.tunnel_link("leased"));
  EXPECT_FALSE(interfaces.tunnel_link("leased")->addressed);
  interfaces.address(2, kInner);
  EXPECT_TRUE(interfaces.tunnel_link("leased")->addressed);
  EXPECT_TRUE(interfaces.removal().empty());
  interfaces.set_tunnels({});
  EXPECT_TRUE(interfaces.next_steps(Time{}).empty());
}

}  // namespace
}  // namespace minibgp::xfrm
