#include <apps/bgplite/metrics/responder.h>
#include <apps/bgplite/socket_path.h>

#include <array>
#include <charconv>
#include <chrono>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <sys/stat.h>
#include <unistd.h>

namespace bgplite::metrics {
namespace {

namespace asio = boost::asio;
using Stream = asio::generic::stream_protocol;
using Error = boost::system::error_code;

constexpr std::size_t kRequestOctetsMax = 8U << 10U;
constexpr std::size_t kClientsMax = 8;
constexpr std::chrono::seconds kTimeout{10};

std::string response(const char* status, const std::string& type, const std::string& body) {
  // HTTP/1.1 without keep-alive: one page a connection.
  return std::string{"HTTP/1.1 "} + status + "\r\nContent-Type: " + type +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
}

}  // namespace

class Responder::Impl : public std::enable_shared_from_this<Responder::Impl> {
 public:
  Impl(asio::io_context& io, std::function<std::string()> page)
      : io_(io), pause_(io), page_(std::move(page)), acceptor_(io) {}

  minibgp::Result<void, std::string> open(const std::string& listen);
  void close() {
    Error ignored;
    pause_.cancel();
    acceptor_.close(ignored);
    if (!path_.empty()) remove_socket(std::exchange(path_, {}));
  }

 private:
  /// One client. Keeps itself alive by its pending operations.
  struct Client : std::enable_shared_from_this<Client> {
    Client(Stream::socket taken, std::shared_ptr<Impl> owner, asio::io_context& io)
        : socket(std::move(taken)), impl(std::move(owner)), deadline(io) {
      ++impl->clients_;
    }
    // Counted by its life and not by end(): the slot is free when the last operation of the client has returned.
    ~Client() { --impl->clients_; }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    void start() {
      // One deadline for the whole exchange: a client that sends or reads a byte at a time is no exception.
      deadline.expires_after(kTimeout);
      deadline.async_wait([self = shared_from_this()](const Error& error) {
        Error ignored;
        if (!error) self->socket.close(ignored);
      });
      read();
    }
    void read() {
      socket.async_read_some(asio::buffer(buffer), [self = shared_from_this()](const Error& error, std::size_t count) {
        if (error) return self->end();
        self->request.append(self->buffer.data(), count);
        // The end of the header; lines may end without '\r'. A GET has no body.
        if (self->request.find("\r\n\r\n") != std::string::npos || self->request.find("\n\n") != std::string::npos)
          return self->answer();
        if (self->request.size() > kRequestOctetsMax)
          return self->write(response("431 Request Header Fields Too Large", "text/plain", "too long\n"));
        self->read();
      });
    }
    void answer() {
      const std::string line = request.substr(0, request.find_first_of("\r\n"));
      const std::size_t space = line.find(' ');
      const std::string method = line.substr(0, space);
      const std::string target =
          // npos minus the rest is still more than what is left of the line, so that substr() takes all of it.
          space == std::string::npos ? "" : line.substr(space + 1, line.find(' ', space + 1) - space - 1);
      if (method != "GET") return write(response("405 Method Not Allowed", "text/plain", "GET only\n"));
      // Parameters are allowed and not looked at.
      if (target != "/metrics" && target.rfind("/metrics?", 0) != 0)
        return write(response("404 Not Found", "text/plain", "see /metrics\n"));
      write(response("200 OK", "text/plain; version=0.0.4; charset=utf-8", impl->page_()));
    }
    void write(std::string text) {
      out = std::move(text);
      asio::async_write(socket, asio::buffer(out),
                        [self = shared_from_this()](const Error&, std::size_t) { self->end(); });
    }
    void end() {
      Error ignored;
      deadline.cancel();
      socket.shutdown(Stream::socket::shutdown_both, ignored);
      socket.close(ignored);
    }

    Stream::socket socket;
    std::shared_ptr<Impl> impl;
    asio::steady_timer deadline;
    std::array<char, 1024> buffer{};
    std::string request, out;
  };

  void accept() {
    acceptor_.async_accept([self = shared_from_this()](const Error& error, Stream::socket socket) {
      // close() was called.
      if (error == asio::error::operation_aborted || !self->acceptor_.is_open()) return;
      if (error) return self->accept_later();
      // One more than that is closed at once: a scraper tries again, and a crowd costs no memory.
      if (self->clients_ < kClientsMax) std::make_shared<Client>(std::move(socket), self, self->io_)->start();
      self->accept();
    });
  }

  /// Out of descriptors: instead of spinning.
  void accept_later() {
    pause_.expires_after(std::chrono::seconds{1});
    pause_.async_wait([self = shared_from_this()](const Error& stopped) {
      if (!stopped && self->acceptor_.is_open()) self->accept();
    });
  }

  asio::io_context& io_;
  asio::steady_timer pause_;
  std::function<std::string()> page_;
  asio::basic_socket_acceptor<Stream> acceptor_;
  std::size_t clients_ = 0;
  std::string path_;
};

minibgp::Result<void, std::string> Responder::Impl::open(const std::string& listen) {
  Stream::endpoint endpoint;
  Error error;
  bool local = false;
  if (listen.front() == '/') {
    if (const auto made_free = free_socket_path(listen); !made_free)
      return minibgp::unexpected("metrics.listen: " + made_free.error());
    endpoint = asio::local::stream_protocol::endpoint{listen};
    local = true;
  } else {
    const std::size_t colon = listen.rfind(':');
    std::string host = listen.substr(0, colon);
    // [::1]:9342. rfind() above has found the colon behind the bracket.
    if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
    const auto address = asio::ip::make_address(host, error);
    std::uint16_t port = 0;
    const char* end = listen.data() + listen.size();
    const auto parsed = std::from_chars(listen.data() + colon + 1, end, port);
    if (error || parsed.ptr != end || port == 0)
      return minibgp::unexpected("metrics.listen: '" + listen + "' is no ADDRESS:PORT");
    endpoint = asio::ip::tcp::endpoint{address, port};
  }
  acceptor_.open(endpoint.protocol(), error);
  // After a restart the port may still be in TIME_WAIT.
  if (!error && !local) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error && local) path_ = listen;  // From now on it is ours to remove.
  if (!error) acceptor_.listen(16, error);
  if (error) return minibgp::unexpected("cannot serve metrics at " + listen + ": " + error.message());
  // The group of the daemon may read, as with the control socket.
  if (!path_.empty()) static_cast<void>(::chmod(path_.c_str(), 0660));
  accept();
  return {};
}

Responder::Responder(asio::io_context& io, std::function<std::string()> page)
    : impl_(std::make_shared<Impl>(io, std::move(page))) {}

Responder::~Responder() { impl_->close(); }

minibgp::Result<void, std::string> Responder::open(const std::string& listen) { return impl_->open(listen); }

void Responder::close() { impl_->close(); }

}  // namespace bgplite::metrics
