#include <apps/bgplite/control/client.h>
#include <apps/bgplite/json_members.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace bgplite::control {
namespace {

/// A connected socket that closes itself.
class Connection {
 public:
  explicit Connection(int fd) : fd_(fd) {}
  ~Connection() {
    if (fd_ >= 0) ::close(fd_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  Connection(Connection&& other) noexcept : fd_(std::exchange(other.fd_, -1)), rest_(std::move(other.rest_)) {}
  Connection& operator=(Connection&&) = delete;

  [[nodiscard]] bool send(std::string_view text) const {
    while (!text.empty()) {
      // MSG_NOSIGNAL: a daemon that went away gives an error instead of a signal that ends us.
      const ssize_t sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  /// The next line without its end; nothing at the end of the connection.
  [[nodiscard]] bool next_line(std::string& line) {
    // What was searched is not searched again: the answer is one line, and may have some hundred MiB.
    std::size_t searched = 0;
    while (true) {
      const std::size_t end = rest_.find('\n', searched);
      if (end != std::string::npos) {
        line = rest_.substr(0, end);
        rest_.erase(0, end + 1);
        return true;
      }
      searched = rest_.size();
      char block[65536];
      const ssize_t count = ::read(fd_, block, sizeof block);
      if (count < 0 && errno == EINTR) continue;
      // Also an error: what came without a line's end is no answer.
      if (count <= 0) return false;
      rest_.append(block, static_cast<std::size_t>(count));
    }
  }

 private:
  int fd_;
  std::string rest_;
};

minibgp::Result<Connection, Failure> connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  // The kernel needs no zero at the end, but would cut the path without a word.
  if (path.size() >= sizeof address.sun_path)
    return minibgp::unexpected(Failure{"the path of the control socket is too long", 2});
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return minibgp::unexpected(Failure{std::string{"socket: "} + std::strerror(errno), 3});
  Connection made{fd};
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    // errno is read before the next call changes it; the two well-known errors get a text that says what to do.
    std::string text = "no daemon answers at " + path + ": " + std::strerror(errno);
    if (errno == EACCES) text = "not allowed to use " + path + ": be root, or join the group 'bgplite'";
    if (errno == ENOENT || errno == ECONNREFUSED) text = "bgplite does not run (no answer at " + path + ")";
    return minibgp::unexpected(Failure{std::move(text), 3});
  }
  return made;
}

minibgp::Result<Connection, Failure> request(const std::string& socket, const std::string& verb,
                                             const Json& arguments) {
  auto connection = connect(socket);
  if (!connection) return connection;
  const Json json{{"verb", verb}, {"arguments", arguments}};
  // replace: arguments are the user's words and need not be UTF-8.
  if (!connection->send(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"))
    return minibgp::unexpected(Failure{"the daemon closed the connection", 3});
  return connection;
}

Failure failure_in(const Json& answer) {
  const std::string text = text_member(answer, "error");
  if (text.empty()) return {"the daemon's answer is not understood", 3};
  const auto exit = number_member<std::uint8_t>(answer, "exit");
  // 3: of a daemon that says no other.
  return {text, exit == 1 || exit == 2 ? exit : 3};
}

}  // namespace

minibgp::Result<Json, Failure> ask(const std::string& socket, const std::string& verb, const Json& arguments) {
  auto connection = request(socket, verb, arguments);
  if (!connection) return minibgp::unexpected(connection.error());
  std::string line;
  if (!connection->next_line(line)) return minibgp::unexpected(Failure{"the daemon closed the connection", 3});
  // No exceptions: what does not parse is a value that is no object.
  Json answer = Json::parse(line, nullptr, false);
  if (!flag_member(answer, "ok", false)) return minibgp::unexpected(failure_in(answer));
  return std::move(answer["result"]);
}

minibgp::Result<void, Failure> follow(const std::string& socket, const std::string& verb, const Json& arguments,
                                      const std::function<bool(const Json&)>& on_line) {
  auto connection = request(socket, verb, arguments);
  if (!connection) return minibgp::unexpected(connection.error());
  std::string line;
  while (connection->next_line(line)) {
    const Json event = Json::parse(line, nullptr, false);
    // A stream's lines have no "ok"; the refusal of a stream has.
    if (!flag_member(event, "ok", true)) return minibgp::unexpected(failure_in(event));
    if (!on_line(event)) return {};
  }
  return minibgp::unexpected(Failure{"the daemon ended", 3});
}

}  // namespace bgplite::control
