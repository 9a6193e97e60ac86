/// What the kernel says of the sockets we make: every option read back.
#include <bgp/net/socket_options.h>
#include <bgp/text.h>

#include <string>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace minibgp::net {
namespace {

[[nodiscard]] int read_int(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  EXPECT_EQ(::getsockopt(fd, level, name, &value, &size), 0);
  return value;
}

[[nodiscard]] PeerOptions loopback_peer() {
  PeerOptions peer;
  peer.address = IpAddress::v4(0x7F000001);
  return peer;
}

[[nodiscard]] Socket dialing(const PeerOptions& peer, PeerType type = PeerType::ebgp) {
  Socket socket;
  const auto error = open_for_dial(peer, type, socket);
  EXPECT_FALSE(error) << error.message();
  return socket;
}

TEST(SocketOptions, ExternalPeersAreOneHopAwayUnlessConfigured) {
  PeerOptions peer = loopback_peer();
  EXPECT_EQ(read_int(dialing(peer).fd(), IPPROTO_IP, IP_TTL), 1);
  EXPECT_EQ(read_int(dialing(peer, PeerType::ibgp).fd(), IPPROTO_IP, IP_TTL), 255);
  peer.ttl = 7;
  EXPECT_EQ(read_int(dialing(peer).fd(), IPPROTO_IP, IP_TTL), 7);
}

TEST(SocketOptions, GtsmSendsTheHighestTtlAndTakesNoLower) {  // RFC 5082
  PeerOptions peer = loopback_peer();
  peer.ttl_security_hops = 1;
  const Socket v4 = dialing(peer);
  EXPECT_EQ(read_int(v4.fd(), IPPROTO_IP, IP_TTL), 255);
  EXPECT_EQ(read_int(v4.fd(), IPPROTO_IP, IP_MINTTL), 255);
  peer.ttl_security_hops = 3;
  EXPECT_EQ(read_int(dialing(peer).fd(), IPPROTO_IP, IP_MINTTL), 253);
}

TEST(SocketOptions, Ipv6HasItsOwnNamesForTheSame) {
  PeerOptions peer;
  peer.address = *parse_address("::1");
  peer.ttl_security_hops = 1;
  const Socket socket = dialing(peer);
  EXPECT_EQ(read_int(socket.fd(), IPPROTO_IPV6, IPV6_UNICAST_HOPS), 255);
  constexpr int ipv6_minhopcount = 73;
  EXPECT_EQ(read_int(socket.fd(), IPPROTO_IPV6, ipv6_minhopcount), 255);
}

TEST(SocketOptions, TcpKnobsAreSet) {
  PeerOptions peer = loopback_peer();
  peer.tcp_mss = 1300;
  peer.timers.hold_s = 30;
  const Socket socket = dialing(peer);
  EXPECT_EQ(read_int(socket.fd(), IPPROTO_TCP, TCP_USER_TIMEOUT), 30000);
  EXPECT_EQ(read_int(socket.fd(), IPPROTO_TCP, TCP_NODELAY), 1);
  // The value comes back as the segment size in use, which it limits once connected.
  peer.tcp_user_timeout_ms = 1234;
  EXPECT_EQ(read_int(dialing(peer).fd(), IPPROTO_TCP, TCP_USER_TIMEOUT), 1234);
  peer.timers.hold_s = 0;
  peer.tcp_user_timeout_ms = 0;
  EXPECT_EQ(read_int(dialing(peer).fd(), IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
}

TEST(SocketOptions, TheLocalAddressIsBound) {
  PeerOptions peer = loopback_peer();
  peer.local_address = IpAddress::v4(0x7F000009);
  const Socket socket = dialing(peer);
  EXPECT_EQ(local_endpoint(socket.fd())->address, peer.local_address);
  peer.local_address = IpAddress::v4(0xC0000201);
  Socket none;
  EXPECT_EQ(open_for_dial(peer, PeerType::ebgp, none), std::errc::address_not_available);
}

TEST(SocketOptions, AnUnknownDeviceIsAnErrorAndTheLoopbackIsNot) {
  PeerOptions peer = loopback_peer();
  peer.device = "no-such-dev";
  Socket socket;
  EXPECT_EQ(open_for_dial(peer, PeerType::ebgp, socket), std::errc::no_such_device);
  peer.device = "lo";
  EXPECT_FALSE(open_for_dial(peer, PeerType::ebgp, socket));
}

TEST(SocketOptions, AListenerAnswersWithTheHighestTtlAndABusyPortIsAnError) {
  Socket first;
  ASSERT_FALSE(open_listener({IpAddress::v4(0x7F000001), 0, {}}, first));
  EXPECT_EQ(read_int(first.fd(), IPPROTO_IP, IP_TTL), 255);
  SocketAddress bound;
  bound.size = sizeof bound.storage;
  ASSERT_EQ(::getsockname(first.fd(), bound.get(), &bound.size), 0);
  sockaddr_in v4{};
  std::memcpy(&v4, &bound.storage, sizeof v4);
  Socket second;
  EXPECT_EQ(open_listener({IpAddress::v4(0x7F000001), ntohs(v4.sin_port), {}}, second), std::errc::address_in_use);
}

TEST(SocketOptions, AddressesSurviveTheWayToTheKernelAndBack) {
  for (const char* text : {"192.0.2.1", "2001:db8::1", "fe80::1"}) {
    const IpAddress address = *parse_address(text);
    const Endpoint back = from_socket_address(to_socket_address(address, 179, "lo"));
    EXPECT_EQ(back.address, address);
    EXPECT_EQ(back.device, address.is_link_local_v6() ? "lo" : "");
  }
  const IpAddress mapped = *parse_address("::ffff:192.0.2.1");
  EXPECT_EQ(from_socket_address(to_socket_address(mapped, 1, {})).address, IpAddress::v4(0xC0000201));
}

}  // namespace
}  // namespace minibgp::net
