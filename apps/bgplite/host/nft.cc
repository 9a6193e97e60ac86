#include <apps/bgplite/host/nft.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>

#include <cap-ng.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace bgplite::host {
namespace {

// Between the two processes: numbers as they are in memory, texts after their length.

// MSG_NOSIGNAL: the other process may have ended.
bool send_octets(int fd, const void* data, std::size_t size) {
  const auto* at = static_cast<const char*>(data);
  while (size > 0) {
    const ::ssize_t sent = ::send(fd, at, size, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    at += sent;
    size -= static_cast<std::size_t>(sent);
  }
  return true;
}

bool receive_octets(int fd, void* data, std::size_t size) {
  auto* at = static_cast<char*>(data);
  while (size > 0) {
    const ::ssize_t got = ::recv(fd, at, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

bool send_text(int fd, std::string_view text) {
  const auto size = static_cast<std::uint32_t>(text.size());
  return send_octets(fd, &size, sizeof size) && send_octets(fd, text.data(), size);
}

bool receive_text(int fd, std::string& text) {
  std::uint32_t size = 0;
  // Both ends are ours; a length beyond the limit means that they are out of step.
  if (!receive_octets(fd, &size, sizeof size) || size > kOutputMax) return false;
  text.resize(size);
  return receive_octets(fd, text.data(), size);
}

/// Of everything but CAP_NET_ADMIN, which nft gets as well. False: it has more rights than it should.
bool drop_the_rest() {
  if (capng_get_caps_process() != 0) return false;
  // Nothing can be kept that is not there: then nft fails, and says why.
  const bool may = capng_have_capability(CAPNG_PERMITTED, CAP_NET_ADMIN) != 0;
  // Only with CAP_SETPCAP may the bounding set be changed.
  const bool bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) != 0;
  capng_clear(CAPNG_SELECT_BOTH);
  constexpr auto kAll = static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE);
  if (may) capng_update(CAPNG_ADD, kAll, CAP_NET_ADMIN);
  if (may && bound) capng_update(CAPNG_ADD, CAPNG_BOUNDING_SET, CAP_NET_ADMIN);
  if (capng_apply(bound ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS) != 0) return false;
  // Ambient: a program without file capabilities, such as nft, gets it over exec().
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0);
  // No program that is started gains rights by its set-user-id bit.
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  // Other processes of the user cannot read or trace this one.
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  return true;
}

/// The process's whole life.
[[noreturn]] void serve(int fd) {
  // The daemon is told to end, and asks for nft then: this one stays until its socket closes.
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::signal(signal, SIG_IGN);
  ::prctl(PR_SET_NAME, "bgplite-nft", 0, 0, 0);
  // A fixed number, so that everything above it can be closed in one call.
  constexpr int kSocket = 3;
  if (fd != kSocket) ::dup3(fd, kSocket, O_CLOEXEC);
  // The daemon's sockets: a copy here would keep sessions open after its end.
  ::close_range(kSocket + 1, ~0U, 0);
  if (!drop_the_rest()) ::_exit(1);
  for (;;) {
    std::uint32_t count = 0;
    // The daemon's end closes the socket, which ends this process.
    if (!receive_octets(kSocket, &count, sizeof count) || count > 64) break;
    std::vector<std::string> words{"nft"};
    words.resize(count + 1);
    bool whole = true;
    for (std::uint32_t i = 0; i < count; ++i) whole = whole && receive_text(kSocket, words[i + 1]);
    std::string script;
    if (!whole || !receive_text(kSocket, script)) break;
    const Finished finished = run_command(words, script);
    if (!send_octets(kSocket, &finished.status, sizeof finished.status) || !send_text(kSocket, finished.output)) break;
  }
  ::_exit(0);
}

}  // namespace

Nft::~Nft() {
  if (socket_ >= 0) ::close(socket_);
}

void Nft::start() {
  std::array<int, 2> ends{};
  if (socket_ >= 0 || ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return;
  const ::pid_t child = ::fork();
  // Does not return in the child.
  if (child == 0) serve(ends[1]);
  // Our copy of its end: with it, the end of the child would not be seen.
  ::close(ends[1]);
  if (child < 0) {
    ::close(ends[0]);
  } else {
    socket_ = ends[0];
  }
}

Finished Nft::run(const std::vector<std::string>& words, std::string_view script) const {
  // No process of its own was started: nft runs with the rights that we have.
  if (socket_ < 0) {
    std::vector<std::string> argv{"nft"};
    argv.insert(argv.end(), words.begin(), words.end());
    return run_command(argv, script);
  }
  const auto count = static_cast<std::uint32_t>(words.size());
  bool sent = send_octets(socket_, &count, sizeof count);
  for (const std::string& word : words) sent = sent && send_text(socket_, word);
  Finished finished;
  // The status stands before the output, as serve() sends them.
  int status = -1;
  if (sent && send_text(socket_, script) && receive_octets(socket_, &status, sizeof status) &&
      receive_text(socket_, finished.output)) {
    finished.status = status;
  } else {
    finished.output = "the process that runs nft has ended";
  }
  return finished;
}

}  // namespace bgplite::host
