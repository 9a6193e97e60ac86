#include <bgp/net/clock.h>
#include <bgp/net/listener.h>

#include <cerrno>
#include <utility>

namespace minibgp::net {

namespace asio = boost::asio;

Listener::Listener(asio::io_context& io, Socket socket, Family family, std::string device, OnConnection on_connection)
    : descriptor_(io, socket.release()),
      family_(family),
      device_(std::move(device)),
      on_connection_(std::move(on_connection)) {}

void Listener::start(const std::shared_ptr<void>& owner) {
  resume_at_ = kNever;
  descriptor_.async_wait(asio::posix::stream_descriptor::wait_read,
                         [this, owner](const boost::system::error_code& error) {
                           if (error) return;  // Cancelled: `this` is gone.
                           // One wait per batch. The kernel reports the descriptor again as long as connections are
                           // waiting.
                           accept_some();
                           if (resume_at_ == kNever) start(owner);
                         });
}

void Listener::accept_some() {
  for (int taken = 0; taken < kAcceptsPerTurn; ++taken) {
    SocketAddress from;
    from.size = sizeof from.storage;
    Socket socket{::accept4(fd(), from.get(), &from.size, SOCK_NONBLOCK | SOCK_CLOEXEC)};
    if (socket.is_open()) {
      on_connection_(std::move(socket), from_socket_address(from));
      continue;
    }
    const bool exhausted = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
    // No descriptor or no memory: the connection stays in the queue and the descriptor readable, so a new wait would
    // spin.
    if (exhausted) resume_at_ = now() + kAcceptPause;
    if (exhausted || errno == EAGAIN || errno == EINVAL) return;
    // Anything else is the fate of one connection that died in the queue (accept(2), "Error handling").
  }
}

}  // namespace minibgp::net
