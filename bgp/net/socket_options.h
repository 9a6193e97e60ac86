/// What a BGP connection asks of its TCP socket: addresses and device, TTL (RFC 5082), MD5 (RFC 2385), timeouts. Thin
/// over the system calls; each function says what failed by the errno it returns.
#pragma once

#include <bgp/peer.h>
#include <bgp/types.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <system_error>

#include <sys/socket.h>

namespace minibgp::net {

/// A file descriptor that closes itself.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(other.release()) {}
  Socket& operator=(Socket&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() { reset(); }

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

/// An address and port as the system calls want them. `device` gives IPv6 link-local addresses their scope.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};
[[nodiscard]] SocketAddress to_socket_address(const IpAddress& address, std::uint16_t port, const std::string& device);

struct Endpoint {
  IpAddress address;   ///< An IPv4-mapped address is the IPv4 address.
  std::string device;  ///< Of an IPv6 link-local address; empty otherwise.
};
[[nodiscard]] Endpoint from_socket_address(const SocketAddress& address);
[[nodiscard]] std::optional<Endpoint> local_endpoint(int fd);
[[nodiscard]] std::optional<Endpoint> remote_endpoint(int fd);

/// A non-blocking TCP socket for dialing `peer`, bound and with every option set.
[[nodiscard]] std::error_code open_for_dial(const PeerOptions& peer, PeerType type, Socket& out);
/// The options that an accepted socket does not have yet.
[[nodiscard]] std::error_code prepare_accepted(int fd, const PeerOptions& peer, PeerType type);

struct ListenOn {
  IpAddress address;  ///< The unset address of its family: any.
  std::uint16_t port = 179;
  std::string device;
};
[[nodiscard]] std::error_code open_listener(const ListenOn& where, Socket& out);
/// Sets or (with an empty key) removes the key that connections from `peer` must carry.
[[nodiscard]] std::error_code set_listener_md5(int fd, const IpAddress& peer, std::string_view key);
/// Makes close() answer with a reset at once: nothing lingers for a stranger.
void close_with_reset(int fd);

}  // namespace minibgp::net
