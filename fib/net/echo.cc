#include <fib/net/datagrams.h>
#include <fib/net/echo.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <linux/icmp.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

namespace minibgp::fib {
namespace {

using Descriptor = boost::asio::posix::stream_descriptor;

/// ICMP echo, both families: type, code, checksum, identifier, sequence; and behind it a random number of this request,
/// so that only the one who received it can answer it.
struct EchoMessage {
  std::uint8_t type = 0, code = 0;
  std::uint16_t checksum = 0, identifier = 0, sequence = 0;
  std::uint64_t nonce = 0;
};
// Sent as it is: 16 octets without padding.
static_assert(sizeof(EchoMessage) == 16);

/// RFC 1071.
std::uint16_t internet_checksum(const EchoMessage& message) {
  // In the host's order of octets; the sum is the same in either (RFC 1071 s.1).
  std::array<std::uint16_t, sizeof message / 2> words{};
  std::memcpy(words.data(), &message, sizeof message);
  std::uint32_t sum = 0;
  for (const std::uint16_t word : words) sum += word;
  // Twice: the first folding may carry once more.
  sum = (sum & 0xFFFFU) + (sum >> 16U);
  return static_cast<std::uint16_t>(~(sum + (sum >> 16U)));
}

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Address socket_address(const IpAddress& address, unsigned scope) {
  Address result;
  if (address.family == Family::ipv4) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    std::memcpy(&in.sin_addr, address.octets.data(), sizeof in.sin_addr);
    std::memcpy(&result.storage, &in, sizeof in);
    result.length = sizeof in;
  } else {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_scope_id = address.is_link_local_v6() ? scope : 0;
    std::memcpy(&in.sin6_addr, address.octets.data(), sizeof in.sin6_addr);
    std::memcpy(&result.storage, &in, sizeof in);
    result.length = sizeof in;
  }
  return result;
}

/// Unguessable. Nothing: the kernel has none yet (early at boot).
std::optional<std::uint64_t> random_number() {
  std::uint64_t number = 0;
  // GRND_NONBLOCK: the loop must not wait for entropy.
  if (::getrandom(&number, sizeof number, GRND_NONBLOCK) != static_cast<ssize_t>(sizeof number)) return std::nullopt;
  return number;
}

}  // namespace

class EchoProbe::Impl : public std::enable_shared_from_this<EchoProbe::Impl> {
 public:
  Impl(boost::asio::io_context& io, EchoTarget target, const ProbeOptions& options, std::uint64_t seed,
       std::function<void(ProbeState)> on_change)
      : target_(std::move(target)),
        probe_(options, seed, now()),
        identifier_(static_cast<std::uint16_t>(seed)),
        on_change_(std::move(on_change)),
        timer_(io),
        descriptor_(io) {}

  void start() { on_timer(); }
  // Operations in flight hold a weak reference, so nothing runs after the destructor.
  void end() {
    on_change_ = nullptr;
    timer_.cancel();
    close();
  }
  void pause(std::string why) {
    paused_ = true;  // A handler that is in the loop's queue already runs although it is cancelled.
    timer_.cancel();
    close();
    why_not_ = std::move(why);
  }
  void reset() {
    paused_ = false;
    probe_.reset(now());
    close();
    why_not_.clear();
    arm();
  }
  [[nodiscard]] const Probe& probe() const { return probe_; }
  [[nodiscard]] const EchoTarget& target() const { return target_; }
  [[nodiscard]] const std::string& why_not() const { return why_not_; }

 private:
  static Time now() {
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    return Time{std::chrono::duration_cast<Duration>(since)};
  }
  [[nodiscard]] bool v4() const { return target_.address.family == Family::ipv4; }

  void close() {
    boost::system::error_code ignored;
    if (descriptor_.is_open()) descriptor_.close(ignored);
    // 0 is no interface, so on_timer() opens a new socket.
    interface_index_ = 0;
  }

  void on_timer() {
    if (paused_) return;
    const ProbeState before = probe_.state();
    // An interface that was deleted and made again has another index, and our socket is bound to the old one.
    if (descriptor_.is_open() && ::if_nametoindex(target_.interface.c_str()) != interface_index_) close();
    // After a turn that took long an answer may lie here whose request would count as lost.
    if (descriptor_.is_open()) read_all();
    if (descriptor_.is_open() || open()) {
      if (const auto sequence = probe_.on_time(now()); sequence && !send(*sequence)) probe_.on_send_failed(*sequence);
      arm();
    } else {
      // Nothing leaves, so nothing is learned; look again later.
      timer_.expires_after(std::chrono::seconds{1});
      // Before tell(), after which we may not exist any more.
      wait();
    }
    tell(before);
  }

  void arm() {
    timer_.expires_at(std::chrono::steady_clock::time_point(
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(probe_.next_deadline().time_since_epoch())));
    wait();
  }
  void wait() {
    timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      if (error) return;
      if (const auto self = weak.lock()) self->on_timer();
    });
  }

  bool open() {
    interface_index_ = ::if_nametoindex(target_.interface.c_str());
    if (interface_index_ == 0) return cannot("interface " + target_.interface + " does not exist");
    const int family = v4() ? AF_INET : AF_INET6;
    const int protocol = v4() ? static_cast<int>(IPPROTO_ICMP) : static_cast<int>(IPPROTO_ICMPV6);
    raw_ = false;
    // An unprivileged ICMP socket, where ping_group_range allows it; else a raw one.
    int fd = ::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    if (fd < 0) {
      raw_ = true;
      fd = ::socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    }
    if (fd < 0) {
      if (errno == EPERM || errno == EACCES)
        return cannot("needs CAP_NET_RAW, or its group within net.ipv4.ping_group_range");
      return cannot(std::strerror(errno));
    }
    descriptor_.assign(fd);
    if (::setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, target_.interface.c_str(),
                     static_cast<socklen_t>(target_.interface.size() + 1)) != 0)
      return cannot("cannot bind to " + target_.interface + ": " + std::strerror(errno));
    if (target_.source.is_set()) {
      const Address source = socket_address(target_.source, interface_index_);
      if (::bind(fd, source.get(), source.length) != 0)
        return cannot("cannot send from its source address: " + std::string(std::strerror(errno)));
    }
    // Connected: only the target's answers arrive, and errors such as "no route" are told.
    const Address to = socket_address(target_.address, interface_index_);
    if (::connect(fd, to.get(), to.length) != 0) return cannot(std::strerror(errno));
    filter(fd);
    why_not_.clear();
    receive();
    return true;
  }

  bool cannot(std::string why) {
    why_not_ = std::move(why);
    close();
    return false;
  }

  /// A raw socket gets a copy of every ICMP message: the kernel shall keep all but echo replies.
  void filter(int fd) const {
    if (!raw_) return;
    if (v4()) {
      icmp_filter filter{};
      // A set bit blocks the type.
      filter.data = ~(1U << ICMP_ECHOREPLY);
      (void)::setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof filter);
    } else {
      icmp6_filter filter{};
      ICMP6_FILTER_SETBLOCKALL(&filter);
      ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
      (void)::setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter);
    }
  }

  bool send(std::uint16_t sequence) {
    EchoMessage message;
    message.type = v4() ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
    // The raw socket sends what is here. The random number tells our answers from those of others.
    message.identifier = htons(identifier_);  // A datagram socket puts its own there.
    message.sequence = htons(sequence);
    const auto nonce = random_number();
    if (!nonce) return false;
    // One number for each remembered request; an older answer finds another number in its place.
    message.nonce = nonces_[sequence % nonces_.size()] = *nonce;
    // For ICMPv6 the kernel computes it, over the addresses as well.
    if (v4()) message.checksum = internet_checksum(message);
    return ::send(descriptor_.native_handle(), &message, sizeof message, MSG_NOSIGNAL) ==
           static_cast<ssize_t>(sizeof message);
  }

  void receive() {
    descriptor_.async_wait(Descriptor::wait_read, [weak = weak_from_this()](const boost::system::error_code& error) {
      // The descriptor may have been closed since the handler was queued.
      const auto self = weak.lock();
      if (error || !self || self->paused_ || !self->descriptor_.is_open()) return;
      const ProbeState before = self->probe_.state();
      self->read_all();
      if (self->descriptor_.is_open()) self->receive();
      self->tell(before);
    });
  }

  void read_all() {
    read_datagrams(descriptor_.native_handle(), [this](Bytes packet) {
      if (const auto sequence = answered(packet)) probe_.on_answer(*sequence, now());
    });
  }

  /// The sequence number when this is an answer to a request of ours.
  [[nodiscard]] std::optional<std::uint16_t> answered(Bytes packet) const {
    // A raw IPv4 socket hands out the IP header as well.
    // The length of the header is in units of four octets.
    const std::size_t skip = raw_ && v4() && !packet.empty() ? (packet[0] & 0x0FU) * 4U : 0U;
    if (packet.size() < skip + sizeof(EchoMessage)) return std::nullopt;
    EchoMessage message;
    std::memcpy(&message, packet.data() + skip, sizeof message);
    const std::uint8_t reply = v4() ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY;
    // The index below is bounded, whatever the sequence is.
    const std::uint16_t sequence = ntohs(message.sequence);
    if (message.type != reply || message.nonce != nonces_[sequence % nonces_.size()]) return std::nullopt;
    return sequence;
  }

  void tell(ProbeState before) {
    if (probe_.state() == before || !on_change_) return;
    const auto handler = on_change_;  // It may destroy us.
    handler(probe_.state());
  }

  EchoTarget target_;
  Probe probe_;
  std::array<std::uint64_t, Probe::kRemembered> nonces_{};  ///< By sequence number, of the remembered requests.
  std::uint16_t identifier_;
  std::function<void(ProbeState)> on_change_;
  boost::asio::steady_timer timer_;
  Descriptor descriptor_;
  std::string why_not_;
  unsigned interface_index_ = 0;
  bool raw_ = false, paused_ = false;
};

EchoProbe::EchoProbe(boost::asio::io_context& io, const EchoTarget& target, const ProbeOptions& options,
                     std::uint64_t seed, std::function<void(ProbeState)> on_change)
    : impl_(std::make_shared<Impl>(io, target, options, seed, std::move(on_change))) {
  impl_->start();
}
EchoProbe::~EchoProbe() { impl_->end(); }

ProbeState EchoProbe::state() const { return impl_->probe().state(); }
const Probe& EchoProbe::probe() const { return impl_->probe(); }
const EchoTarget& EchoProbe::target() const { return impl_->target(); }
const std::string& EchoProbe::why_not() const { return impl_->why_not(); }
void EchoProbe::pause(std::string why) { impl_->pause(std::move(why)); }
void EchoProbe::reset() { impl_->reset(); }

}  // namespace minibgp::fib
