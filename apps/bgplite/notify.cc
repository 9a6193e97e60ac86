#include <apps/bgplite/notify.h>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace bgplite {

void notify_systemd(std::string_view state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || (path[0] != '/' && path[0] != '@')) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = std::strlen(path);
  if (length >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = '\0';  // The abstract namespace.
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  // An abstract name has no terminating octet, so the length says where it ends.
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  // Nobody can be told that telling failed.
  static_cast<void>(
      ::sendto(fd, state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), size));
  ::close(fd);
}

std::optional<std::chrono::microseconds> watchdog_interval() {
  const auto number = [](const char* name) -> std::optional<std::uint64_t> {
    const char* text = std::getenv(name);
    if (text == nullptr) return std::nullopt;
    std::uint64_t value = 0;
    const auto [end, failed] = std::from_chars(text, text + std::strlen(text), value);
    if (failed != std::errc{} || *end != '\0') return std::nullopt;
    return value;
  };
  const auto interval = number("WATCHDOG_USEC");
  const auto process = number("WATCHDOG_PID");
  if (!interval || *interval == 0) return std::nullopt;
  // The variable may be inherited from a parent that is watched itself.
  if (process && *process != static_cast<std::uint64_t>(::getpid())) return std::nullopt;
  return std::chrono::microseconds{*interval};
}

}  // namespace bgplite
