#include <apps/bgplite/socket_path.h>

#include <cerrno>
#include <cstring>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace bgplite {
namespace {

enum class Found { nothing, dead_socket, live_socket, other };

Found look(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return Found::nothing;  // bind() tells what else is wrong with the path.
  if (!S_ISSOCK(status.st_mode)) return Found::other;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return Found::other;
  std::memcpy(address.sun_path, path.data(), path.size());
  // A socket of another type refuses with EPROTOTYPE: somebody has it.
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return Found::live_socket;
  const bool refused =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 && errno == ECONNREFUSED;
  ::close(fd);
  return refused ? Found::dead_socket : Found::live_socket;
}

minibgp::Result<void, std::string> verdict(const std::string& path, Found found) {
  if (found == Found::other)
    return minibgp::unexpected(path + " exists and is not a socket: name another path, or remove it yourself");
  if (found == Found::live_socket)
    return minibgp::unexpected("another program listens on " + path + ": name another path, or end it (ss -xlp)");
  return {};
}

}  // namespace

minibgp::Result<void, std::string> check_socket_path(const std::string& path) {
  const Found found = look(path);
  // A daemon that runs with this configuration is no mistake of the configuration.
  return found == Found::live_socket ? minibgp::Result<void, std::string>{} : verdict(path, found);
}

minibgp::Result<void, std::string> free_socket_path(const std::string& path) {
  const Found found = look(path);
  if (found == Found::dead_socket) ::unlink(path.c_str());
  return verdict(path, found);
}

void remove_socket(const std::string& path) {
  struct stat status {};
  // Never a file of another kind: the path comes from the configuration.
  if (::lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) ::unlink(path.c_str());
}

}  // namespace bgplite
