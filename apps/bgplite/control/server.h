/// Control server: the Unix socket of `bgplite show` and the other commands. One connection, one request: a line of
/// JSON, at most 64 KiB; one answer: a line of JSON (a stream for `monitor`), then the connection closes. What is no
/// request gets an error and is closed; a client that is slow, silent or in a crowd is cut off. Nothing a client does
/// delays routing: all is asynchronous, answers are made one per turn of the loop, and large ones become text in a
/// thread of their own.
///
/// The socket has mode 0660 and the configured group. Who may change things is decided by SO_PEERCRED: root, the
/// daemon's own user, and members of the group; everybody else who got in may only read.
#pragma once

#include <apps/bgplite/logging.h>
#include <bgp/result.h>

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>
#include <nlohmann/json.hpp>

namespace bgplite::control {

using Json = nlohmann::ordered_json;

/// Where the answer to one request goes. Copies share it. May be kept and used later; when the client has gone, nothing
/// happens. Without an answer within 60 s the client is told so.
class Reply {
 public:
  class Sink;
  explicit Reply(std::shared_ptr<Sink> sink) : sink_(std::move(sink)) {}

  /// {"ok": true, "result": ...}
  void result(Json value) const;
  /// The same for an answer that takes long to make: `make` runs in a thread of its own, and touches nothing that the
  /// loop uses.
  void result(std::function<Json()> make) const;
  /// `next` in a later turn of the loop, for work in parts.
  void later(std::function<void()> next) const;
  /// {"ok": false, "error": text, "exit": code}; code as in cli/verbs.h: 1 what was asked is not so, 2 bad input.
  void error(const std::string& text, int code = 2) const;
  /// Begins a stream: lines follow until the client closes. False: the client has gone, or too many streams are open.
  [[nodiscard]] bool stream() const;
  /// One line of a stream. A client that does not read loses lines, and is told how many.
  void line(const Json& value) const;
  [[nodiscard]] bool open() const;

 private:
  std::shared_ptr<Sink> sink_;
};

struct Request {
  std::string verb;  ///< "show.summary", "peer.reset".
  Json arguments;    ///< An object.
  bool may_change = false;
  unsigned user = 0;  ///< Of the client process.
};

using Handler = std::function<void(const Request&, const Reply&)>;

class Server {
 public:
  /// All outlive the server; `handler` is called on the loop.
  Server(boost::asio::io_context& io, Logging& log, Handler handler);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Makes sure that no other daemon uses the socket, and that none will: makes its directory and holds a lock beside
  /// it. The error is a sentence. First of all, so that a second daemon touches nothing.
  [[nodiscard]] minibgp::Result<void, std::string> reserve(const std::string& path);
  /// Makes the reserved socket. A socket file that a dead daemon left is replaced.
  [[nodiscard]] minibgp::Result<void, std::string> open(const std::string& path, const std::string& group);
  /// Closes and removes the socket.
  void close();

  class Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace bgplite::control
