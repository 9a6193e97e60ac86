// Which addresses of which interface a session may give as next hops.
#include <bgp/net/link_addresses.h>
#include <bgp/text.h>

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

namespace minibgp::net {
namespace {

IpAddress ip(const char* text) { return parse_address(text).value(); }

const std::vector<InterfaceAddress> kInterfaces = {
    {"lo", 1, ip("127.0.0.1"), 8, {}, true},       {"lo", 1, ip("192.0.2.255"), 32, {}, true},
    {"lo", 1, ip("::1"), 128, {}, true},           {"lo", 1, ip("2001:db8:ffff::1"), 128, {}, true},
    {"eth0", 2, ip("192.0.2.1"), 24, {}, false},   {"eth0", 2, ip("192.0.2.100"), 24, {}, false},
    {"eth0", 2, ip("fe80::1"), 64, {}, false},     {"eth0", 2, ip("fd00::1"), 64, {}, false},
    {"eth0", 2, ip("2001:db8::1"), 64, {}, false}, {"eth1", 3, ip("198.51.100.1"), 24, {}, false},
    {"eth1", 3, ip("fe80::1"), 64, {}, false},     {"tun0", 4, ip("169.254.10.1"), 32, ip("169.254.10.2"), false},
};

LinkAddresses find(const char* local, const char* peer, const char* device = "") {
  return link_addresses(kInterfaces, {ip(local), device}, ip(peer));
}

TEST(LinkAddresses, AreThoseOfTheInterfaceThatOwnsTheLocalAddress) {
  EXPECT_EQ(find("192.0.2.1", "192.0.2.9"), (LinkAddresses{ip("192.0.2.1"), ip("2001:db8::1"), 2}));
  EXPECT_EQ(find("2001:db8::1", "2001:db8::9"), (LinkAddresses{ip("192.0.2.1"), ip("2001:db8::1"), 2}));
  EXPECT_EQ(find("198.51.100.1", "198.51.100.9"), (LinkAddresses{ip("198.51.100.1"), {}, 3}))
      << "a link-local address is no next hop for others";
  EXPECT_EQ(find("203.0.113.1", "203.0.113.2"), LinkAddresses{}) << "an address that is gone";
}

TEST(LinkAddresses, APeerBehindARouterIsOnNoLink) {
  EXPECT_EQ(find("192.0.2.1", "203.0.113.9").link, 0U);
  EXPECT_EQ(find("192.0.2.255", "192.0.2.254"), (LinkAddresses{ip("192.0.2.255"), ip("2001:db8:ffff::1"), 0}))
      << "a session between loopback addresses";
}

TEST(LinkAddresses, LinkLocalSessionsAreOnTheirDevice) {
  EXPECT_EQ(find("fe80::1", "fe80::9", "eth1"), (LinkAddresses{ip("198.51.100.1"), {}, 3}));
  EXPECT_EQ(find("fe80::1", "fe80::9", "eth0").link, 2U);
}

TEST(LinkAddresses, TheOtherEndOfAPointToPointLinkIsOnIt) {
  EXPECT_EQ(find("169.254.10.1", "169.254.10.2"), (LinkAddresses{ip("169.254.10.1"), {}, 4}));
}

TEST(LinkAddresses, AreReadFromTheKernel) {
  const auto all = read_interface_addresses();
  const auto loopback =
      std::find_if(all.begin(), all.end(), [](const auto& one) { return one.address == IpAddress::v4(0x7F000001); });
  ASSERT_NE(loopback, all.end());
  EXPECT_TRUE(loopback->loopback);
  EXPECT_EQ(loopback->length_bits, 8);
  EXPECT_NE(loopback->index, 0U);
}

}  // namespace
}  // namespace minibgp::net
