#include <apps/bgplite/journal.h>
#include <apps/bgplite/logging.h>

#include <cstdint>
#include <cstring>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace bgplite {
namespace {

void add(std::string& record, std::string_view field, std::string_view value) {
  record += field;
  if (value.find('\n') == std::string_view::npos) {
    record += '=';
  } else {
    // With line ends in it: the length in 8 octets, little-endian.
    record += '\n';
    for (unsigned shift = 0; shift < 64; shift += 8)
      record += static_cast<char>(static_cast<std::uint64_t>(value.size()) >> shift & 0xFFU);
  }
  record += value;
  record += '\n';
}

/// syslog(3)'s numbers.
std::string_view priority_of(minibgp::LogLevel level) {
  switch (level) {
    case minibgp::LogLevel::debug:
      return "7";
    case minibgp::LogLevel::info:
      return "6";
    case minibgp::LogLevel::warning:
      return "4";
    case minibgp::LogLevel::error:
      return "3";
  }
  return "6";
}

}  // namespace

LogSubject subject_of(std::string_view line) {
  const auto named = [&](std::string_view word) -> std::string_view {
    if (!line.starts_with(word)) return {};
    const std::string_view rest = line.substr(word.size());
    const std::size_t end = rest.find(": ");
    // "peer A and peer B: ..." is about neither.
    if (end == std::string_view::npos || rest.substr(0, end).find(' ') != std::string_view::npos) return {};
    return rest.substr(0, end);
  };
  return {named("peer "), named("tunnel ")};
}

std::string journal_record(minibgp::LogLevel level, minibgp::LogArea area, std::string_view line) {
  std::string record;
  add(record, "MESSAGE", line);
  add(record, "PRIORITY", priority_of(level));
  add(record, "SYSLOG_IDENTIFIER", "bgplite");
  add(record, "BGPLITE_AREA", to_text(area));
  const LogSubject subject = subject_of(line);
  if (!subject.peer.empty()) add(record, "BGPLITE_PEER", subject.peer);
  if (!subject.tunnel.empty()) add(record, "BGPLITE_TUNNEL", subject.tunnel);
  return record;
}

Journal::~Journal() {
  if (fd_ >= 0) ::close(fd_);
}

bool Journal::open(const std::string& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, socket.data(), socket.size());
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return false;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ::close(fd);
    return false;
  }
  fd_ = fd;
  return true;
}

// A datagram is sent whole or not at all.
bool Journal::send(std::string_view record) {
  // One datagram a record, never blocking: a journal that is stopped must not stop the daemon. What does not fit is
  // written to standard error by the caller.
  return fd_ >= 0 && ::send(fd_, record.data(), record.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(record.size());
}

}  // namespace bgplite
