// The pure Engine on a hand-written epoll loop: no Asio, no thread, no timer. Dials one peer, announces one prefix and
// prints what it learns. The loop is the canonical one: feed one input, drain all outputs, sleep until the deadline.
//
//   epoll_speaker LOCAL_AS ROUTER_ID PEER_ADDRESS(IPv4) PEER_AS PREFIX
#include <bgp/engine.h>
#include <bgp/text.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <iostream>
#include <map>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using namespace minibgp;

[[nodiscard]] Time now() {
  return Time{std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch())};
}

struct Loop {
  struct Socket {
    int fd = -1;
    bool connected = false;
  };
  Engine& engine;
  int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  std::map<ConnId, Socket> sockets{};

  void watch(ConnId id, int operation, std::uint32_t events) const {
    epoll_event event{};
    event.events = events;
    event.data.u32 = static_cast<std::uint32_t>(id);
    ::epoll_ctl(epoll, operation, sockets.at(id).fd, &event);
  }
  void dial(const Dial& dial) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(engine.options_of(dial.peer)->port);
    to.sin_addr.s_addr = htonl(engine.options_of(dial.peer)->address.to_v4());
    Socket& socket = sockets[dial.conn];
    socket.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    static_cast<void>(::connect(socket.fd, reinterpret_cast<const sockaddr*>(&to), sizeof to));
    watch(dial.conn, EPOLL_CTL_ADD, EPOLLOUT);  // Writable, or an error: the attempt is over.
  }
  void close(ConnId id) {
    ::close(sockets.at(id).fd);
    sockets.erase(id);
  }
  void write(ConnId id) {
    for (Bytes bytes = engine.outgoing(id); !bytes.empty(); bytes = engine.outgoing(id)) {
      const ssize_t sent = ::send(sockets.at(id).fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0) break;  // Full: EPOLLOUT will tell. Broken: reading will.
      engine.on_sent(id, static_cast<std::size_t>(sent), now());
    }
    // EPOLLOUT is asked for only while something waits, because a socket is nearly always writable.
    const bool more = !engine.outgoing(id).empty();
    watch(id, EPOLL_CTL_MOD, more ? EPOLLIN | EPOLLOUT : EPOLLIN);
  }
  void on_event(ConnId id, std::uint32_t events) {
    const auto found = sockets.find(id);
    if (found == sockets.end()) return;
    Socket& socket = found->second;
    if (!socket.connected) {
      int error = 0;
      sockaddr_in local{};
      socklen_t error_size = sizeof error, local_size = sizeof local;
      // The result of the connect() that did not block.
      ::getsockopt(socket.fd, SOL_SOCKET, SO_ERROR, &error, &error_size);
      ::getsockname(socket.fd, reinterpret_cast<sockaddr*>(&local), &local_size);
      if (error != 0) {
        close(id);
        return engine.on_closed(id, {error, std::system_category()}, now());
      }
      socket.connected = true;
      watch(id, EPOLL_CTL_MOD, EPOLLIN);
      return engine.on_connected(id, IpAddress::v4(ntohl(local.sin_addr.s_addr)), now());
    }
    if ((events & EPOLLOUT) != 0) write(id);
    // Bytes that the engine does not want yet stay in the socket, and slow the peer down.
    if ((events & ~std::uint32_t{EPOLLOUT}) == 0 || !engine.wants_bytes(id)) return;
    static std::array<std::uint8_t, 65536> buffer;
    const ssize_t count = ::recv(socket.fd, buffer.data(), buffer.size(), 0);
    if (count > 0) return engine.on_received(id, Bytes{buffer}.first(static_cast<std::size_t>(count)), now());
    if (count < 0 && errno == EAGAIN) return;
    const std::error_code reason = count == 0 ? std::error_code{} : std::error_code{errno, std::system_category()};
    close(id);
    engine.on_closed(id, reason, now());
  }
  void drain() {
    // Until nothing is left: an input in between would invalidate what the outputs point to.
    while (const auto output = engine.poll()) {
      if (const auto* wanted = std::get_if<Dial>(&*output)) dial(*wanted);
      if (const auto* ready = std::get_if<Write>(&*output)) write(ready->conn);
      if (const auto* ended = std::get_if<Close>(&*output)) {
        if (ended->how == Close::How::flush) write(ended->conn);
        close(ended->conn);
      }
      if (const auto* best = std::get_if<BestChanged>(&*output))
        for (const BestChange& change : best->changes)
          std::cout << (change.paths.empty() ? "lost " : "best ") << to_text(change.prefix) << std::endl;
    }
  }
  [[noreturn]] void run() {
    for (;;) {
      drain();
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(engine.next_deadline() - now()).count();
      epoll_event event{};
      // At most a minute: a deadline that is never must fit into an int.
      const int wait_ms = static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
      if (::epoll_wait(epoll, &event, 1, wait_ms) == 1) on_event(ConnId{event.data.u32}, event.events);
      // Also after an event, since time has passed.
      engine.on_time(now());
    }
  }
};

}  // namespace

int main(int count, char** words) {
  const auto usage = "usage: epoll_speaker LOCAL_AS ROUTER_ID PEER_ADDRESS PEER_AS PREFIX\n";
  if (count < 6) return std::cerr << usage, 2;
  const auto local_as = parse_asn(words[1]);
  const auto router_id = parse_router_id(words[2]);
  const auto address = parse_address(words[3]);
  const auto peer_as = parse_asn(words[4]);
  const auto prefix = parse_prefix(words[5]);
  if (!local_as || !router_id || !address || !peer_as || !prefix) return std::cerr << usage, 2;

  SpeakerOptions options;
  options.asn = *local_as;
  options.router_id = *router_id;
  PeerOptions peer;
  peer.address = *address;
  peer.remote_as = *peer_as;
  peer.import_policy = peer.export_policy = Policy::accept_all();
  Engine engine(options, nullptr, now());
  engine.announce(*prefix, {}, now());
  if (!engine.add_peer(peer, now())) return std::cerr << "epoll_speaker: the peer was refused\n", 1;
  Loop{engine}.run();
}
