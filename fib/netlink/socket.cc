#include <fib/netlink/socket.h>

#include <algorithm>
#include <cerrno>

#include <linux/filter.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

namespace minibgp::netlink {
namespace {

std::error_code last_error() { return {errno, std::system_category()}; }

// A kernel that does not know an option works without it, only less well: older kernels are no error.
void prefer(int fd, int level, int option, int value) { (void)::setsockopt(fd, level, option, &value, sizeof value); }

}  // namespace

Result<std::shared_ptr<Socket>, std::error_code> Socket::open(boost::asio::io_context& io,
                                                              const SocketOptions& options) {
  const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, options.protocol);
  if (fd < 0) return unexpected(last_error());
  // CAP_ACK: an answer does not repeat the request. EXT_ACK: an error has a text.
  prefer(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
  prefer(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
  // Dumps with a filter, and errors for headers that the kernel does not understand.
  if (options.protocol == NETLINK_ROUTE) prefer(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
  const int room = static_cast<int>(options.receive_buffer_bytes);
  prefer(fd, SOL_SOCKET, SO_RCVBUF, room);
  prefer(fd, SOL_SOCKET, SO_RCVBUFFORCE, room);  // Needs CAP_NET_ADMIN; without it rmem_max holds.

  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  socklen_t length = sizeof address;
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    const std::error_code error = last_error();
    ::close(fd);
    return unexpected(error);
  }
  auto result = std::make_shared<Socket>(io, fd, options);
  // The kernel chose it.
  result->port_id_ = address.nl_pid;
  return result;
}

Socket::Socket(boost::asio::io_context& io, int fd, const SocketOptions& options)
    : descriptor_(io, fd), options_(options), buffer_(options.datagram_bytes_max) {}

Socket::~Socket() {
  close();
  if (options_.secret) ::explicit_bzero(buffer_.data(), buffer_.size());
}

Result<void, std::error_code> Socket::join(unsigned group) {
  const int value = static_cast<int>(group);
  if (::setsockopt(native_handle(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &value, sizeof value) != 0)
    return unexpected(last_error());
  return {};
}

Result<void, std::error_code> Socket::ignore_ports(std::span<const std::uint32_t> port_ids) {
  // The loads of classic BPF are in network order, netlink's header is in host order: compare what is in memory.
  constexpr bool kSwapped = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
  std::vector<sock_filter> program = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(nlmsghdr, nlmsg_pid))};
  // A match jumps over the comparisons that follow and over the first return.
  auto to_drop = static_cast<std::uint8_t>(port_ids.size());  // Instructions from a match to the last but one.
  for (const std::uint32_t port_id : port_ids) {
    const std::uint32_t loaded = kSwapped ? __builtin_bswap32(port_id) : port_id;
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, loaded, to_drop--, 0));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, 0xFFFFFFFFU));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, 0));
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  if (::setsockopt(native_handle(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) != 0)
    return unexpected(last_error());
  return {};
}

Result<void, std::error_code> Socket::send(Bytes batch) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  for (;;) {
    const auto sent =
        ::sendto(native_handle(), batch.data(), batch.size(), 0, reinterpret_cast<sockaddr*>(&kernel), sizeof kernel);
    if (sent >= 0) return {};
    if (errno != EINTR) return unexpected(last_error());
  }
}

Received Socket::receive() {
  // Keys of the last datagram.
  if (options_.secret && dirty_bytes_ != 0) {
    ::explicit_bzero(buffer_.data(), dirty_bytes_);
    dirty_bytes_ = 0;
  }
  for (;;) {
    sockaddr_nl from{};
    socklen_t length = sizeof from;
    // MSG_TRUNC: the true length, also of a datagram that did not fit.
    const auto got = ::recvfrom(native_handle(), buffer_.data(), buffer_.size(), MSG_DONTWAIT | MSG_TRUNC,
                                reinterpret_cast<sockaddr*>(&from), &length);
    if (got < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return {};
      if (errno == ENOBUFS) return {Received::Kind::overrun, {}, {}};
      return {Received::Kind::failed, {}, last_error()};
    }
    const auto size = static_cast<std::size_t>(got);
    dirty_bytes_ = std::max(dirty_bytes_, std::min(size, buffer_.size()));
    if (from.nl_pid != 0) continue;  // Any process may send to our address; only the kernel's word counts.
    // Part of the datagram is lost, which is like an overrun; the next one of that size fits.
    if (size > buffer_.size()) {
      if (options_.secret) ::explicit_bzero(buffer_.data(), buffer_.size());
      buffer_.resize(size);
      return {Received::Kind::overrun, {}, {}};
    }
    return {Received::Kind::datagram, Bytes{buffer_.data(), size}, {}};
  }
}

void Socket::on_readable(std::function<void()> handler) {
  handler_ = std::move(handler);
  if (!waiting_) wait();
}

void Socket::wait() {
  if (!handler_ || !descriptor_.is_open()) return;
  waiting_ = true;
  descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                         [self = weak_from_this()](const boost::system::error_code& error) {
                           const auto socket = self.lock();
                           if (!socket) return;
                           socket->waiting_ = false;
                           if (error || !socket->descriptor_.is_open()) return;
                           if (socket->handler_) {
                             // A copy: the handler may replace itself, or close us.
                             const auto handler = socket->handler_;
                             handler();
                           }
                           // The handler may have replaced itself, which waits already.
                           if (!socket->waiting_) socket->wait();
                         });
}

void Socket::close() {
  handler_ = nullptr;
  boost::system::error_code ignored;
  if (descriptor_.is_open()) descriptor_.close(ignored);
}

}  // namespace minibgp::netlink
