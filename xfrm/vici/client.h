/// Client: charon over its VICI socket. Two connections, because VICI has no sequence numbers and events may come at
/// any time: one for commands, of which one is under way at a time, one for events. Reconnects by itself.
///
/// A charon that is slow, wrong, silent or dying costs nobody else anything: all of it is asynchronous, answers have a
/// deadline, buffers a bound, and whatever is not VICI ends the connection, to be made anew.
///
/// Not here: what to ask (keeper.h) and what answers mean (sa_view.h, symptoms.h).
#pragma once

#include <bgp/log.h>
#include <xfrm/ike_port.h>
#include <xfrm/vici/packet.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>

namespace minibgp::xfrm::vici {

struct ClientOptions {
  std::string socket = "/run/charon.vici";
  std::chrono::milliseconds timeout{5000};         ///< For an answer, and for connecting.
  std::chrono::milliseconds reconnect_first{250};  ///< Doubles up to
  std::chrono::milliseconds reconnect_last{2000};
};

/// Each, and the `done` of a request, may make requests, stop the Client or destroy it. Destroying it is not allowed
/// inside of start(), which reports a socket's path that is too long.
class ClientEvents {
 public:
  virtual ~ClientEvents() = default;
  /// Both connections stand and events are registered.
  virtual void on_ike_connected() = 0;
  /// `why`: "connection refused", "no answer to list-sas for 5000 ms". Requests under way were answered "lost" before.
  virtual void on_ike_disconnected(std::string_view why) = 0;
  virtual void on_ike_event(std::string_view name, const Section& message) = 0;
};

/// Threads:  the io_context's.
/// Lifetime: `events` and `log` must outlive it or its stop(); nothing is called after stop().
class Client final : public IkePort {
 public:
  Client(boost::asio::io_context& io, ClientOptions options, ClientEvents& events, LogSink* log);
  ~Client() override;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void start();
  void stop();
  [[nodiscard]] bool connected() const;
  /// The last attempt was refused: the socket is there, and the charon that made it is not.
  [[nodiscard]] bool refused() const;
  /// Without a connection the reply is "lost", at once.
  void request(std::string name, Section message, std::function<void(IkeReply)> done) override;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace minibgp::xfrm::vici
