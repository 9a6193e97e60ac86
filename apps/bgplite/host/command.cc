#include <apps/bgplite/host/command.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bgplite::host {
namespace {

// The daemon's own PATH may be anything, and nft and ip are in sbin.
constexpr const char* kPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A pipe whose ends close themselves and are not inherited past exec.
struct Pipe {
  Pipe() {
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) ends = {-1, -1};
  }
  ~Pipe() {
    close(0);
    close(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close(std::size_t end) {
    if (ends[end] >= 0) ::close(ends[end]);
    ends[end] = -1;
  }
  std::array<int, 2> ends{-1, -1};
};

/// Waits for the child until the deadline, and then ends it. Its exit status; -1: it was ended, or a signal did it.
int ended(::pid_t child, std::chrono::steady_clock::time_point deadline, bool late) {
  int status = 0;
  // The end of its output is mostly the child's own. But it may have closed it and live on.
  while (!late && ::waitpid(child, &status, WNOHANG) == 0) {
    late = std::chrono::steady_clock::now() >= deadline;
    ::poll(nullptr, 0, 1);
  }
  if (late) {
    ::kill(child, SIGKILL);
    // Otherwise the child would stay a zombie.
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
  }
  return !late && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

Finished run_command(const std::vector<std::string>& argv, std::string_view input, std::chrono::milliseconds limit) {
  Finished finished;
  Pipe in, out;
  if (argv.empty() || in.ends[0] < 0 || out.ends[0] < 0) return finished;
  std::vector<char*> words;
  // exec does not write to the words.
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));  // NOLINT: exec's signature.
  words.push_back(nullptr);
  const ::pid_t child = ::fork();
  if (child < 0) {
    finished.output = "no program is started any more: " + std::string{std::strerror(errno)};
    return finished;
  }
  if (child == 0) {
    ::dup2(in.ends[0], 0);
    // Both into one pipe, so that errors stand where they happened.
    ::dup2(out.ends[1], 1);
    ::dup2(out.ends[1], 2);
    ::setenv("PATH", kPath, 1);
    ::setenv("LC_ALL", "C", 1);
    ::execvp(words[0], words.data());
    // As a shell tells "not found".
    ::_exit(127);
  }
  // Our copies of the child's ends: as long as one is open, its end of output is not seen.
  in.close(0);
  out.close(1);
  // A child that reads slowly must not keep us from reading what it writes: both would wait for ever.
  ::fcntl(in.ends[1], F_SETFL, O_NONBLOCK);
  const auto deadline = std::chrono::steady_clock::now() + limit;
  bool open = true, late = false;
  while (open) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      late = true;
      break;
    }
    // The child sees the end of its input.
    if (input.empty()) in.close(1);
    std::array<pollfd, 2> fds{pollfd{out.ends[0], POLLIN, 0}, pollfd{in.ends[1], POLLOUT, 0}};
    // The second entry only while there is something to write.
    if (::poll(fds.data(), in.ends[1] < 0 ? 1 : 2, static_cast<int>(left.count())) < 0 && errno != EINTR) break;
    if (in.ends[1] >= 0 && fds[1].revents != 0) {
      const auto wrote = ::write(in.ends[1], input.data(), input.size());
      if (wrote > 0) input.remove_prefix(static_cast<std::size_t>(wrote));
      // The child does not read any more (EPIPE); what it says still counts.
      if (wrote < 0 && errno != EAGAIN && errno != EINTR) input = {};
    }
    if (fds[0].revents != 0) {
      std::array<char, 16384> buffer{};
      const auto got = ::read(out.ends[0], buffer.data(), buffer.size());
      if (got == 0 || (got < 0 && errno != EINTR)) open = false;
      // Beyond the limit it is read and dropped, so that the child can end.
      if (got > 0 && finished.output.size() < kOutputMax)
        finished.output.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }
  finished.status = ended(child, deadline, late);
  return finished;
}

}  // namespace bgplite::host
