/// Kernel: the KernelPort over rtnetlink. Sequence numbers, answers, dumps in slices of time, notifications. Decides
/// nothing: everything it hears goes to the Forwarder.
///
/// Four sockets. Next hops: the kernel answers inside send(), so a failover is done before send() returns. Routes: a
/// thread waits for the kernel (route_writer.h), answers come later. Dumps: read a slice at a time, so that a million
/// routes do not keep the loop from the peers' keepalives. Notifications: without the echo of our own commands, which a
/// filter in the kernel drops before they take room.
#pragma once

#include <bgp/result.h>
#include <fib/forwarder.h>
#include <fib/kernel_port.h>
#include <fib/netlink/route_writer.h>
#include <fib/netlink/socket.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <system_error>
#include <vector>

#include <boost/asio/io_context.hpp>

namespace minibgp::netlink {

/// How long one turn of the loop may work on the kernel's behalf before others get theirs.
inline constexpr std::chrono::milliseconds kTurnSlice{2};

class Kernel final : public fib::KernelPort {
 public:
  /// on_input and on_failed may call send() and dump(), but not destroy the Kernel: a datagram may be in work.
  struct Handlers {
    std::function<void()> on_input;                  ///< The Forwarder heard something: settle and pump it.
    std::function<void(std::error_code)> on_failed;  ///< A socket is of no use any more.
    std::function<Time()> now;
  };
  /// `forwarder` outlives it. Nothing is called after close() or destruction. A handler may call close(), and must not
  /// destroy it.
  Kernel(boost::asio::io_context& io, fib::Forwarder& forwarder, Handlers handlers);
  ~Kernel() override;
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  [[nodiscard]] Result<void, std::error_code> open();
  /// The Forwarder has its answers when this returns.
  void send(std::span<const fib::NextHopOp> batch) override;
  void send(std::span<const fib::RouteOp> batch) override;
  [[nodiscard]] fib::Room room() const override {
    return !routes_ || routes_->has_room() ? fib::Room{} : fib::Room{.routes = 0};
  }
  /// Every batch of routes was answered.
  [[nodiscard]] bool quiet() const { return !routes_ || routes_->quiet(); }
  void dump(const fib::DumpRequest& what) override;
  /// Hears, reads and says nothing any more.
  void close();

 private:
  /// One request for a table; several make a part.
  enum class Table : std::uint8_t { links, addresses, next_hops, routes_v4, routes_v6 };
  static fib::DumpPart part_of(Table table);

  void on_routes_written();
  void request_next();
  void on_dump_readable();
  void on_dump_datagram(Bytes datagram);
  void finish_table(int error);
  void on_watch_readable();
  void hear(const Message& message, fib::Heard heard);
  void tell(const fib::KernelNews& news) { forwarder_.input(news, handlers_.now()); }
  void fail(std::error_code error);

  boost::asio::io_context& io_;
  fib::Forwarder& forwarder_;
  Handlers handlers_;
  std::shared_ptr<Socket> next_hops_, route_socket_, dumps_, watch_;
  std::unique_ptr<RouteWriter> routes_;
  MessageWriter writer_;
  std::deque<Table> waiting_;  ///< Tables still to read; the front one is being read.
  std::uint32_t dump_sequence_ = 0;
  bool closed_ = false;
  bool part_complete_ = true;  ///< Nothing changed under the part that is being read, so far.
};

}  // namespace minibgp::netlink
