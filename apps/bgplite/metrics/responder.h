/// Responder: HTTP/1.1 for one resource, /metrics, on a loopback port or a Unix socket. Sixty lines instead of a
/// library: a request is a line and headers of at most 8 KiB, the answer closes the connection, and a client that is
/// slow or one too many is cut off.
#pragma once

#include <bgp/result.h>

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>

namespace bgplite::metrics {

class Responder {
 public:
  /// `page` makes the text; called on the loop.
  Responder(boost::asio::io_context& io, std::function<std::string()> page);
  ~Responder();
  Responder(const Responder&) = delete;
  Responder& operator=(const Responder&) = delete;

  /// "127.0.0.1:9342", "[::1]:9342" or a path. The error is a sentence.
  [[nodiscard]] minibgp::Result<void, std::string> open(const std::string& listen);
  void close();

  class Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace bgplite::metrics
