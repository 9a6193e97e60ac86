#include <apps/bgplite/restart_marker.h>
#include <apps/bgplite/state_file.h>
#include <bgp/text.h>

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace bgplite {

RestartMarker::RestartMarker(const Config& config)
    // In the directory of the control socket, which a reboot empties.
    : path_(config.control.socket.substr(0, config.control.socket.rfind('/') + 1) + "forwarding"),
      identity_("AS " + to_text(config.router.asn) + " table " + std::to_string(config.fib.table) + " protocol " +
                std::to_string(config.fib.protocol)) {}

std::string RestartMarker::contents() const {
  return "forwarding preserved\n" + identity_ + "\nnetns " + network_namespace() + "\nboot " +
         read_text("/proc/sys/kernel/random/boot_id");
}

// Another namespace, another boot or another table: then nothing of ours was preserved.
bool RestartMarker::found() const { return read_text(path_) == contents(); }

bool RestartMarker::set() const {
  // Its directory follows from control.socket: a file of that name need not be ours.
  const std::string there = read_text(path_);
  if (!there.empty() && !there.starts_with("forwarding preserved\n")) {
    errno = EEXIST;
    return false;
  }
  const int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
  if (fd < 0) return false;
  const std::string text = contents();
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(fd);
  return written;
}

void RestartMarker::clear() const { ::unlink(path_.c_str()); }

}  // namespace bgplite
