#include <bgp/net/socket_options.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <linux/tcp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <unistd.h>

namespace minibgp::net {
namespace {

/// RFC 5082 s.3: who is `hops` away and sends 255 arrives with at least this.
// RFC 5082 s.3: a packet loses one for each router, so the peer in one hop (no router) arrives with 255.
[[nodiscard]] constexpr int minimum_ttl(std::uint8_t hops) { return 256 - hops; }

[[nodiscard]] std::error_code os_error() { return {errno, std::system_category()}; }

[[nodiscard]] std::error_code set_int(int fd, int level, int name, int value) {
  if (::setsockopt(fd, level, name, &value, sizeof value) != 0) return os_error();
  return {};
}

[[nodiscard]] std::error_code set_ttl(int fd, Family family, const PeerOptions& peer, PeerType type) {
  // An eBGP peer is on the same link unless the configuration says otherwise, so its packets may pass no router.
  int ttl = peer.ttl != 0 ? peer.ttl : (type == PeerType::ibgp ? 255 : 1);
  if (peer.ttl_security_hops != 0) ttl = 255;
  const bool v4 = family == Family::ipv4;
  if (const auto error = v4 ? set_int(fd, IPPROTO_IP, IP_TTL, ttl) : set_int(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl))
    return error;
  if (peer.ttl_security_hops == 0) return {};
  const int least = minimum_ttl(peer.ttl_security_hops);
  return v4 ? set_int(fd, IPPROTO_IP, IP_MINTTL, least) : set_int(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, least);
}

[[nodiscard]] std::error_code bind_device(int fd, const std::string& device) {
  if (device.empty()) return {};
  if (::setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device.data(), static_cast<socklen_t>(device.size())) != 0)
    return os_error();
  return {};
}

[[nodiscard]] std::error_code set_md5(int fd, const IpAddress& peer, std::string_view key) {
  tcp_md5sig signature{};
  const SocketAddress address = to_socket_address(peer, 0, {});
  // A key of length 0 removes the one the kernel has for the address.
  std::memcpy(&signature.tcpm_addr, &address.storage, sizeof signature.tcpm_addr);
  const std::size_t length = std::min<std::size_t>(key.size(), TCP_MD5SIG_MAXKEYLEN);
  signature.tcpm_keylen = static_cast<std::uint16_t>(length);
  std::memcpy(signature.tcpm_key, key.data(), length);
  const int result = ::setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &signature, sizeof signature);
  const std::error_code error = result == 0 ? std::error_code{} : os_error();
  // The key must not stay on the stack.
  ::explicit_bzero(&signature, sizeof signature);
  return error;
}

/// What dialed and accepted sockets have in common.
[[nodiscard]] std::error_code set_common(int fd, const PeerOptions& peer, PeerType type) {
  if (const auto error = set_ttl(fd, peer.address.family, peer, type)) return error;
  if (const auto error = bind_device(fd, peer.device)) return error;
  if (const auto error = set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1)) return error;  // Messages are gathered by us.
  if (peer.tcp_mss != 0)
    if (const auto error = set_int(fd, IPPROTO_TCP, TCP_MAXSEG, peer.tcp_mss)) return error;
  // Unacknowledged data for longer than the hold time means the peer is gone; the kernel alone would take 15 minutes.
  const std::uint32_t timeout_ms =
      peer.tcp_user_timeout_ms != 0 ? peer.tcp_user_timeout_ms : std::uint32_t{peer.timers.hold_s} * 1000U;
  if (timeout_ms != 0) return set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(timeout_ms));
  return {};
}

[[nodiscard]] int domain(Family family) { return family == Family::ipv4 ? AF_INET : AF_INET6; }

[[nodiscard]] std::error_code open_socket(Family family, Socket& out) {
  out.reset(::socket(domain(family), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  return out.is_open() ? std::error_code{} : os_error();
}

using EndpointCall = int (*)(int, sockaddr*, socklen_t*);
[[nodiscard]] std::optional<Endpoint> endpoint(int fd, EndpointCall call) {
  SocketAddress address;
  address.size = sizeof address.storage;
  if (call(fd, address.get(), &address.size) != 0) return std::nullopt;
  return from_socket_address(address);
}

}  // namespace

void Socket::reset(int fd) {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

SocketAddress to_socket_address(const IpAddress& address, std::uint16_t port, const std::string& device) {
  SocketAddress result;
  if (address.family == Family::ipv4) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, address.octets.data(), sizeof v4.sin_addr);
    std::memcpy(&result.storage, &v4, sizeof v4);
    result.size = sizeof v4;
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&v6.sin6_addr, address.octets.data(), sizeof v6.sin6_addr);
    if (address.is_link_local_v6() && !device.empty()) v6.sin6_scope_id = ::if_nametoindex(device.c_str());
    std::memcpy(&result.storage, &v6, sizeof v6);
    result.size = sizeof v6;
  }
  return result;
}

Endpoint from_socket_address(const SocketAddress& address) {
  Endpoint result;
  if (address.storage.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address.storage, sizeof v4);
    std::memcpy(result.address.octets.data(), &v4.sin_addr, sizeof v4.sin_addr);
    return result;
  }
  sockaddr_in6 v6{};
  std::memcpy(&v6, &address.storage, sizeof v6);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    std::memcpy(result.address.octets.data(), v6.sin6_addr.s6_addr + 12, 4);
    return result;
  }
  result.address.family = Family::ipv6;
  std::memcpy(result.address.octets.data(), &v6.sin6_addr, sizeof v6.sin6_addr);
  char name[IF_NAMESIZE] = {};
  if (v6.sin6_scope_id != 0 && ::if_indextoname(v6.sin6_scope_id, name) != nullptr) result.device = name;
  return result;
}

std::optional<Endpoint> local_endpoint(int fd) { return endpoint(fd, ::getsockname); }
std::optional<Endpoint> remote_endpoint(int fd) { return endpoint(fd, ::getpeername); }

std::error_code open_for_dial(const PeerOptions& peer, PeerType type, Socket& out) {
  if (const auto error = open_socket(peer.address.family, out)) return error;
  if (const auto error = set_common(out.fd(), peer, type)) return error;
  if (!peer.md5_key.empty())
    if (const auto error = set_md5(out.fd(), peer.address, peer.md5_key.view())) return error;
  if (!peer.local_address.is_set()) return {};
  // Port 0: the kernel chooses it.
  const SocketAddress local = to_socket_address(peer.local_address, 0, peer.device);
  if (::bind(out.fd(), local.get(), local.size) != 0) return os_error();
  return {};
}

std::error_code prepare_accepted(int fd, const PeerOptions& peer, PeerType type) { return set_common(fd, peer, type); }

std::error_code open_listener(const ListenOn& where, Socket& out) {
  if (const auto error = open_socket(where.address.family, out)) return error;
  // After a restart the old connections may be in TIME_WAIT on our port, where bind() would fail.
  if (const auto error = set_int(out.fd(), SOL_SOCKET, SO_REUSEADDR, 1)) return error;
  if (where.address.family == Family::ipv6) {
    // The IPv4 socket is bound to the same port, which a dual-stack socket would already occupy.
    if (const auto error = set_int(out.fd(), IPPROTO_IPV6, IPV6_V6ONLY, 1)) return error;
    // The SYN-ACK must pass a peer's GTSM check (RFC 5082); the accepted socket then gets its own value.
    if (const auto error = set_int(out.fd(), IPPROTO_IPV6, IPV6_UNICAST_HOPS, 255)) return error;
  } else if (const auto error = set_int(out.fd(), IPPROTO_IP, IP_TTL, 255)) {
    return error;
  }
  if (const auto error = bind_device(out.fd(), where.device)) return error;
  const SocketAddress local = to_socket_address(where.address, where.port, where.device);
  if (::bind(out.fd(), local.get(), local.size) != 0) return os_error();
  if (::listen(out.fd(), SOMAXCONN) != 0) return os_error();
  return {};
}

std::error_code set_listener_md5(int fd, const IpAddress& peer, std::string_view key) { return set_md5(fd, peer, key); }

void close_with_reset(int fd) {
  // SO_LINGER with time 0 makes close() send a reset: the peer learns at once that it was refused.
  const linger at_once{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(fd);
}

}  // namespace minibgp::net
