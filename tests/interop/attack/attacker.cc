// What attack_test.py throws at the daemon, in a language that is fast enough for it:
//   attacker MODE FROM TO SECONDS [COUNT]
//   witness   a well-behaved peer: prints one line for each KEEPALIVE, "MONOTONIC_MS GAP_MS", and "end" when it is over
//   connect   connections from FROM and the COUNT addresses behind it, as many as it can, each closed once it is made
//   syn       COUNT openings a second that are never finished, from as many addresses
//   drip      a session, then one octet of an UPDATE a second
//   deaf      a session that is never read
//   flap      a session that announces and withdraws 1 000 prefixes in one UPDATE each, as fast as they are taken
//   distinct  a session that announces 10 000 prefixes over and over with COUNT attribute sets, no two alike
//   spread    the same over COUNT prefixes
// A peer's AS is 65000 plus the last octet of FROM. The last line says what was done,
// "NUMBER unit, NUMBER/s".
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;
using Octets = std::vector<std::uint8_t>;
using std::chrono::milliseconds;

constexpr std::uint16_t kPort = 179;
constexpr std::uint16_t kHold = 3;

struct Task {
  std::uint32_t from = 0, to = 0;
  Clock::time_point until;
  std::uint32_t count = 0;
};

sockaddr_in address(std::uint32_t host, std::uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_addr.s_addr = htonl(host);
  out.sin_port = htons(port);
  return out;
}

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

void put16(Octets& out, std::size_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8U));
  out.push_back(static_cast<std::uint8_t>(value & 0xFFU));
}
void put32(Octets& out, std::uint32_t value) { put16(out, value >> 16U), put16(out, value & 0xFFFFU); }

void put(Octets& out, std::initializer_list<std::uint8_t> octets) { out.insert(out.end(), octets); }

Octets message(std::uint8_t type, const Octets& body) {
  Octets out(16, 0xFF);
  put16(out, 19 + body.size());
  out.push_back(type);
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

std::uint32_t own_as(const Task& task) { return 65000 + (task.from & 0xFFU); }

Octets open_message(const Task& task) {
  Octets body{4};
  put16(body, own_as(task) > 0xFFFF ? 23456 : own_as(task));
  put16(body, kHold);
  put32(body, task.from);
  // IPv4 unicast and four-octet AS numbers.
  put(body, {14, 2, 12, 1, 4, 0, 1, 0, 1, 65, 4});
  put32(body, own_as(task));
  return message(1, body);
}

/// One prefix of /24; `set` makes the attributes unlike any other's.
Octets announcement(const Task& task, std::uint32_t prefix, std::uint32_t set) {
  Octets attributes{0x40, 1, 1, 0, 0x40, 2, 6, 2, 1};
  put32(attributes, own_as(task));
  put(attributes, {0x40, 3, 4});
  put32(attributes, task.from);
  put(attributes, {0x80, 4, 4});
  put32(attributes, set);
  put(attributes, {0xC0, 8, 8});
  put32(attributes, set), put32(attributes, ~set);
  Octets body;
  put16(body, 0), put16(body, attributes.size());
  body.insert(body.end(), attributes.begin(), attributes.end());
  put32(body, 0x18000000U | prefix >> 8U);
  return message(2, body);
}

std::uint32_t prefix_of(std::uint32_t number) { return 0x10000000U + (number << 8U); }

Octets withdrawal(std::uint32_t first, std::uint32_t count) {
  Octets body;
  put16(body, std::size_t{4} * count);
  for (std::uint32_t i = 0; i < count; ++i) put32(body, 0x18000000U | prefix_of(first + i) >> 8U);
  put16(body, 0);
  return message(2, body);
}

/// A TCP connection to the daemon, from the peer's address. `buffer`: of what it will take in; 0: the kernel's choice.
int dial(const Task& task, int buffer = 0) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (buffer != 0) ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  const sockaddr_in from = address(task.from, 0), to = address(task.to, kPort);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) fail("bind");
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) fail("connect");
  return fd;
}

/// Writes all of it; false when the other side has closed or time is up.
bool put(int fd, const Octets& octets, Clock::time_point until) {
  for (std::size_t done = 0; done < octets.size();) {
    const ssize_t sent = ::send(fd, octets.data() + done, octets.size() - done, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) done += static_cast<std::size_t>(sent);
    if (sent >= 0 || errno == EINTR) continue;
    if (errno != EAGAIN || Clock::now() > until) return false;
    pollfd waiting{fd, POLLOUT, 0};
    ::poll(&waiting, 1, 50);
  }
  return true;
}

/// Answers the other side's OPEN.
int establish(const Task& task, int buffer = 0) {
  const int fd = dial(task, buffer);
  if (!put(fd, open_message(task), task.until) || !put(fd, message(4, {}), task.until)) fail("open");
  return fd;
}

/// Cuts a stream into messages.
struct Reader {
  Octets held;
  /// The type of the next message; 0: none is whole.
  int next() {
    if (held.size() < 19) return 0;
    const std::size_t length = std::size_t{held[16]} << 8U | held[17];
    if (held.size() < length) return 0;
    const int type = held[18];
    held.erase(held.begin(), held.begin() + static_cast<std::ptrdiff_t>(length));
    return type;
  }
};

long long ms(Clock::duration time) { return std::chrono::duration_cast<milliseconds>(time).count(); }

void report(std::uint64_t done, const char* unit, Clock::time_point begin) {
  const auto took = static_cast<std::uint64_t>(std::max(ms(Clock::now() - begin), 1LL));
  std::printf("%llu %s, %llu/s\n", static_cast<unsigned long long>(done), unit,
              static_cast<unsigned long long>(done * 1000 / took));
  std::fflush(stdout);
}

void witness(const Task& task) {
  const int fd = establish(task);
  Reader reader;
  Clock::time_point last{}, told = Clock::now();
  for (std::array<std::uint8_t, 65536> block{}; Clock::now() < task.until;) {
    pollfd waiting{fd, POLLIN, 0};
    ::poll(&waiting, 1, 100);
    const auto now = Clock::now();
    if (now - told > milliseconds{700}) {
      told = now;
      if (!put(fd, message(4, {}), task.until)) break;
    }
    const ssize_t got = ::recv(fd, block.data(), block.size(), MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN)) break;
    if (got > 0) reader.held.insert(reader.held.end(), block.begin(), block.begin() + got);
    for (int type = reader.next(); type != 0; type = reader.next()) {
      if (type == 3) std::printf("a notification\n");
      if (type != 4) continue;
      if (last != Clock::time_point{})
        std::printf("%lld %lld\n", ms(now.time_since_epoch()), ms(now - last)), std::fflush(stdout);
      last = now;
    }
  }
  std::printf("end\n");
}

/// Finishes what waits in poll's list, in place.
void connect_flood(const Task& task) {
  constexpr std::size_t kAtOnce = 256;
  std::vector<pollfd> open;
  std::uint64_t made = 0, number = 0;
  const auto begin = Clock::now();
  const sockaddr_in to = address(task.to, kPort);
  while (Clock::now() < task.until) {
    while (open.size() < kAtOnce) {
      const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      const int yes = 1;
      const linger reset{1, 0};  // No TIME_WAIT: ports would run out.
      ::setsockopt(fd, SOL_IP, IP_FREEBIND, &yes, sizeof yes);
      ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
      const sockaddr_in from = address(task.from + static_cast<std::uint32_t>(number++ % task.count), 0);
      if (fd < 0 || ::bind(fd, reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) fail("bind");
      if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 && errno != EINPROGRESS)
        fail("connect");
      open.push_back({fd, POLLOUT, 0});
    }
    if (::poll(open.data(), open.size(), 20) <= 0) continue;
    for (std::size_t i = 0; i < open.size();) {
      if (open[i].revents == 0) {
        ++i;
        continue;
      }
      made += 1;  // Refused by the daemon or not: the handshake was answered.
      ::close(open[i].fd);
      open[i] = open.back();
      open.pop_back();
    }
  }
  report(made, "connections", begin);
}

std::uint16_t checksum(const Octets& octets) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < octets.size(); i += 2) sum += std::uint32_t{octets[i]} << 8U | octets[i + 1];
  while (sum > 0xFFFFU) sum = (sum & 0xFFFFU) + (sum >> 16U);
  return static_cast<std::uint16_t>(~sum);
}

void syn_flood(const Task& task) {
  const int fd = ::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
  if (fd < 0) fail("raw socket");
  const sockaddr_in to = address(task.to, 0);
  std::uint64_t sent = 0;
  const auto begin = Clock::now();
  while (Clock::now() < task.until) {
    const auto second = Clock::now() + std::chrono::seconds{1};
    for (std::uint32_t i = 0; i < task.count; ++i) {
      const std::uint32_t from = task.from + i;
      Octets header;  // Of TCP, behind the pseudo header that only the checksum sees.
      put32(header, from), put32(header, task.to), put16(header, IPPROTO_TCP), put16(header, 20);
      put16(header, 1024 + sent % 60000), put16(header, kPort), put32(header, static_cast<std::uint32_t>(sent) * 7919U);
      put32(header, 0), put16(header, 0x5002), put16(header, 8192), put16(header, 0), put16(header, 0);
      const std::uint16_t sum = checksum(header);
      header[28] = static_cast<std::uint8_t>(sum >> 8U), header[29] = static_cast<std::uint8_t>(sum & 0xFFU);
      Octets packet{0x45, 0};
      put16(packet, 40), put32(packet, 0), put16(packet, 64U << 8U | IPPROTO_TCP), put16(packet, 0);
      put32(packet, from), put32(packet, task.to);
      packet.insert(packet.end(), header.begin() + 12, header.end());
      if (::sendto(fd, packet.data(), packet.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to) > 0) ++sent;
    }
    std::this_thread::sleep_until(std::min(second, task.until));
  }
  report(sent, "openings", begin);
}

void drip(const Task& task) {
  const int fd = establish(task);
  std::uint64_t sent = 0;
  const auto begin = Clock::now();
  for (const Octets update = announcement(task, prefix_of(0), 1); Clock::now() < task.until; ++sent) {
    if (!put(fd, {update[sent % update.size()]}, task.until)) break;
    std::this_thread::sleep_for(milliseconds{1000});
  }
  report(sent, "octets", begin);
}

void deaf(const Task& task) {
  const int fd = establish(task, 4096);
  std::uint64_t sent = 0;
  const auto begin = Clock::now();
  for (; Clock::now() < task.until && put(fd, message(4, {}), task.until); ++sent)
    std::this_thread::sleep_for(milliseconds{700});
  report(sent, "keepalives", begin);
}

/// Sends what `next` makes, many messages a system call, and throws away what comes back.
template <typename Next>
std::uint64_t pump(const Task& task, Next next) {
  const int fd = establish(task);
  std::array<std::uint8_t, 65536> block{};
  std::uint64_t updates = 0;
  const auto begin = Clock::now();
  Octets batch;
  for (bool more = true; more && Clock::now() < task.until;) {
    batch = message(4, {});
    while (more && batch.size() < 60'000) {
      const Octets one = next(updates);
      more = !one.empty();
      if (more) ++updates;
      batch.insert(batch.end(), one.begin(), one.end());
    }
    while (::recv(fd, block.data(), block.size(), MSG_DONTWAIT) > 0) {
    }
    if (!put(fd, batch, task.until)) break;
  }
  report(updates, "updates", begin);
  // What was said stands until the end: the test looks at it.
  while (Clock::now() < task.until && put(fd, message(4, {}), task.until)) {
    while (::recv(fd, block.data(), block.size(), MSG_DONTWAIT) > 0) {
    }
    std::this_thread::sleep_for(milliseconds{500});
  }
  return updates;
}

void flap(const Task& task) {
  constexpr std::uint32_t kPrefixes = 1000;
  pump(task, [&](std::uint64_t number) {
    const auto at = static_cast<std::uint32_t>(number % (2 * kPrefixes));
    return at < kPrefixes ? announcement(task, prefix_of(at), at) : withdrawal(at - kPrefixes, 1);
  });
}

void distinct(const Task& task, std::uint32_t prefixes) {
  pump(task, [&](std::uint64_t number) {
    if (number >= task.count) return Octets{};
    const auto set = static_cast<std::uint32_t>(number);
    return announcement(task, prefix_of(set % prefixes), set);
  });
}

}  // namespace

int main(int argc, char** argv) {
  in_addr from{}, to{};
  if (argc < 5 || ::inet_pton(AF_INET, argv[2], &from) != 1 || ::inet_pton(AF_INET, argv[3], &to) != 1) return 2;
  const std::string_view mode = argv[1];
  const Task task{ntohl(from.s_addr), ntohl(to.s_addr), Clock::now() + std::chrono::seconds{std::atoi(argv[4])},
                  static_cast<std::uint32_t>(argc > 5 ? std::atoi(argv[5]) : 1)};
  if (mode == "witness") return witness(task), 0;
  if (mode == "connect") return connect_flood(task), 0;
  if (mode == "syn") return syn_flood(task), 0;
  if (mode == "drip") return drip(task), 0;
  if (mode == "deaf") return deaf(task), 0;
  if (mode == "flap") return flap(task), 0;
  if (mode == "distinct") return distinct(task, 10'000), 0;
  if (mode == "spread") return distinct(task, task.count), 0;
  return 2;
}
