/// A listening socket on the io_context: accepts in small batches and hands connections on. It knows no peers; whoever
/// is called refuses strangers.
#pragma once

#include <bgp/net/socket_options.h>
#include <bgp/types.h>

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

namespace minibgp::net {

/// Connections taken before other work gets its turn: a flood of strangers must not delay anybody's KEEPALIVE.
inline constexpr int kAcceptsPerTurn = 64;
/// Out of descriptors or memory: the connection stays in the queue and would wake us at once, so look away for a while.
inline constexpr Duration kAcceptPause = std::chrono::milliseconds{500};

class Listener {
 public:
  /// Called while connections are accepted: must not destroy the listener.
  using OnConnection = std::function<void(Socket, const Endpoint& from)>;
  /// `device` as the socket is bound; empty: none.
  Listener(boost::asio::io_context& io, Socket socket, Family family, std::string device, OnConnection on_connection);

  /// `owner` stays alive as long as an operation is pending; destroying the listener cancels it.
  void start(const std::shared_ptr<void>& owner);
  /// When to call start() again after a pause; kNever when it runs.
  [[nodiscard]] Time resume_at() const { return resume_at_; }
  [[nodiscard]] int fd() { return descriptor_.native_handle(); }
  [[nodiscard]] Family family() const { return family_; }
  [[nodiscard]] const std::string& device() const { return device_; }

 private:
  void accept_some();

  boost::asio::posix::stream_descriptor descriptor_;
  Family family_;
  std::string device_;
  OnConnection on_connection_;
  Time resume_at_ = kNever;
};

}  // namespace minibgp::net
