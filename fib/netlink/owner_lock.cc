#include <fib/netlink/owner_lock.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <utility>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace minibgp::netlink {
namespace {

constexpr std::size_t kNameMax = 100;
constexpr int kBacklog = 16;  // Of those who ask; each is let go at once.

class OwnedCategory final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "owner"; }
  [[nodiscard]] std::string message(int pid) const override {
    return "another process has them in this network namespace: " + process_text(pid);
  }
  [[nodiscard]] std::error_condition default_error_condition(int) const noexcept override {
    return std::make_error_condition(std::errc::address_in_use);
  }
};

int unix_socket() { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }

std::error_code os_error() { return {errno, std::system_category()}; }

/// Who listens there; 0 when nothing tells.
int holder_of(const sockaddr_un& address, socklen_t size) {
  const int fd = unix_socket();
  if (fd < 0) return 0;
  ucred credentials{};
  socklen_t octets = sizeof credentials;
  const bool told = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
                    ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &octets) == 0;
  ::close(fd);
  return told ? credentials.pid : 0;
}

}  // namespace

std::error_code owned_by(int pid) {
  static const OwnedCategory category;
  return {pid, category};
}

std::string process_text(int pid) {
  if (pid <= 0) return "it does not say which";
  std::string text = "process " + std::to_string(pid);
  std::ifstream file{"/proc/" + std::to_string(pid) + "/comm"};
  std::string command;
  if (file && std::getline(file, command) && !command.empty()) {
    // A program chooses its name; only what can be printed goes into a line.
    std::replace_if(
        command.begin(), command.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    text += " (" + command + ")";
  }
  return text;
}

std::string port_text(std::uint32_t port_id) {
  // The kernel offers the process id as the port of a process's first socket; further ones get numbers far above.
  constexpr std::uint32_t kPidMax = 1U << 22U;
  return port_id < kPidMax ? process_text(static_cast<int>(port_id))
                           : "another program (netlink port " + std::to_string(port_id) + ")";
}

Result<std::unique_ptr<OwnerLock>, std::error_code> OwnerLock::take(boost::asio::io_context& io,
                                                                    std::string_view name) {
  if (name.size() > kNameMax) return unexpected(std::make_error_code(std::errc::filename_too_long));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());  // The first octet stays 0: an abstract name.
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  const int fd = unix_socket();
  if (fd < 0) return unexpected(os_error());
  // Abstract names vanish with the process, also after a crash: no file is left behind.
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) != 0 || ::listen(fd, kBacklog) != 0) {
    const std::error_code error = os_error();
    ::close(fd);
    return unexpected(error == std::errc::address_in_use ? owned_by(holder_of(address, size)) : error);
  }
  return std::make_unique<OwnerLock>(io, fd);
}

OwnerLock::OwnerLock(boost::asio::io_context& io, int fd)
    : socket_(std::make_shared<boost::asio::posix::stream_descriptor>(io, fd)) {
  answer();
}

/// Those who ask learn what they want by connecting; accepting keeps room for the next.
void OwnerLock::answer() {
  socket_->async_wait(boost::asio::posix::descriptor_base::wait_read,
                      [this, alive = std::weak_ptr{socket_}](const boost::system::error_code& error) {
                        const auto socket = alive.lock();
                        if (error || !socket) return;
                        const int client = ::accept4(socket->native_handle(), nullptr, nullptr, SOCK_CLOEXEC);
                        if (client >= 0) ::close(client);
                        // Out of descriptors: whoever asks gets no answer, but the lock holds.
                        if (client >= 0 || errno == EAGAIN || errno == ECONNABORTED || errno == EINTR) answer();
                      });
}

}  // namespace minibgp::netlink
