/// Socket: AF_NETLINK on Asio. Batches of requests out, datagrams in, an overrun reported. Used by fib/netlink and
/// xfrm/netlink. What the bytes mean is message.h's and the codecs' business.
///
/// The kernel works a batch off inside sendmsg(): when send() returns, the answers already wait in the receive queue,
/// and only dumps still have something to say. NETLINK_CAP_ACK keeps answers short, NETLINK_EXT_ACK gives the kernel's
/// own words, NETLINK_GET_STRICT_CHK makes dump filters work (kernel 4.20).
#pragma once

#include <bgp/result.h>
#include <fib/netlink/message.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <system_error>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

namespace minibgp::netlink {

struct SocketOptions {
  int protocol = NETLINK_ROUTE;                  ///< Or NETLINK_XFRM.
  std::size_t receive_buffer_bytes = 4U << 20U;  ///< SO_RCVBUFFORCE where allowed, else what rmem_max allows.
  std::size_t datagram_bytes_max = 64U << 10U;   ///< Dumps come in chunks of at most 32 KiB.
  /// The datagrams hold keys: octets read are overwritten before the next read and on destruction.
  bool secret = false;
};

/// What one receive() brought.
struct Received {
  enum class Kind : std::uint8_t {
    datagram,  ///< `bytes` holds it, until the next receive().
    nothing,   ///< Nothing waits; on_readable will be called when something does.
    overrun,   ///< The kernel dropped messages (ENOBUFS, or one larger than the buffer): read its tables again.
    failed,    ///< The socket is of no use any more; see `error`.
  };
  Kind kind = Kind::nothing;
  Bytes bytes;
  std::error_code error;
};

/// Threads:  the io_context's.
/// Lifetime: shared with the wait in flight; close() (also by the last owner's destruction) ends it, and nothing is
///           called after that.
class Socket : public std::enable_shared_from_this<Socket> {
 public:
  /// Errors: the kernel's (EPROTONOSUPPORT: no such netlink protocol; EPERM never for NETLINK_ROUTE).
  [[nodiscard]] static Result<std::shared_ptr<Socket>, std::error_code> open(boost::asio::io_context& io,
                                                                             const SocketOptions& options);
  Socket(boost::asio::io_context& io, int fd, const SocketOptions& options);
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  /// Joins a multicast group (RTNLGRP_*, XFRMNLGRP_*).
  [[nodiscard]] Result<void, std::error_code> join(unsigned group);
  /// Never delivers what requests of the sockets `port_ids` (at most 100) caused, so that a watcher does not hear its
  /// own side's changes: the kernel drops them before they take room in the queue.
  [[nodiscard]] Result<void, std::error_code> ignore_ports(std::span<const std::uint32_t> port_ids);
  /// The address the kernel gave this socket; it is in the header of what our requests cause.
  [[nodiscard]] std::uint32_t port_id() const { return port_id_; }
  /// A number for the next request, never 0.
  [[nodiscard]] std::uint32_t next_sequence() { return ++sequence_ == 0 ? ++sequence_ : sequence_; }

  /// Sends whole messages as one datagram. Blocks as long as the kernel works on them.
  [[nodiscard]] Result<void, std::error_code> send(Bytes batch);
  /// Reads one datagram without waiting. Datagrams from other processes are skipped.
  [[nodiscard]] Received receive();

  /// Calls `handler` from the io_context whenever something waits to be read, until close() or another handler is
  /// set. A handler need not read everything: it is called again. It may close the socket or set another handler.
  void on_readable(std::function<void()> handler);
  void close();
  [[nodiscard]] int native_handle() { return descriptor_.native_handle(); }

 private:
  void wait();

  boost::asio::posix::stream_descriptor descriptor_;
  SocketOptions options_;
  std::vector<std::uint8_t> buffer_;
  std::size_t dirty_bytes_ = 0;  ///< Of buffer_, when it may hold secrets.
  std::uint32_t port_id_ = 0;
  std::uint32_t sequence_ = 0;
  bool waiting_ = false;
  std::function<void()> handler_;
};

}  // namespace minibgp::netlink
