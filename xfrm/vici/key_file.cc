#include <xfrm/vici/key_file.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace minibgp::xfrm::vici {
namespace {

/// Longer than any key anybody types or generates; a bound for a path that leads somewhere silly.
constexpr std::size_t kLongestKeyFile = 4096;

bool is_credential(const std::string& path) { return !path.empty() && path.front() != '/'; }

std::string resolve(const std::string& path) {
  if (!is_credential(path)) return path;
  // systemd's LoadCredential: the file lies where only this service can read it. Not from the environment of a setuid
  // program.
  const char* directory = ::secure_getenv("CREDENTIALS_DIRECTORY");
  return directory ? std::string{directory} + "/" + path : path;
}

}  // namespace

bool is_open_to_others(KeyFileRights rights, std::uint32_t own_group) {
  if ((rights.mode & (S_IRWXO | S_IWGRP)) != 0) return true;
  return (rights.mode & S_IRGRP) != 0 && rights.group != own_group && rights.group != 0;
}

std::optional<std::uint64_t> KeyFiles::stamp(const std::string& path) {
  struct stat status {};
  if (::stat(resolve(path).c_str(), &status) != 0) return std::nullopt;
  // Ownership and mode are in it as well: a change of them can make the key unreadable or readable.
  std::uint64_t mixed = status.st_ino;
  for (const auto part :
       {static_cast<std::uint64_t>(status.st_mtim.tv_sec), static_cast<std::uint64_t>(status.st_mtim.tv_nsec),
        static_cast<std::uint64_t>(status.st_size), static_cast<std::uint64_t>(status.st_ctim.tv_nsec),
        std::uint64_t{status.st_mode}})
    mixed = (mixed ^ part) * 0x100000001B3U;
  return mixed;
}

Result<std::string, std::string> KeyFiles::read(const std::string& path) {
  if (path.empty()) return unexpected(std::string{"no psk_file is configured"});
  const std::string real = resolve(path);
  // O_NONBLOCK: a FIFO would otherwise block the loop. What was opened is checked, not the name.
  const int fd = ::open(real.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return unexpected("cannot read the key " + real + ": " + std::strerror(errno));
  struct stat status {};
  std::string problem;
  if (::fstat(fd, &status) != 0) {
    problem = "cannot read the key " + real + ": " + std::strerror(errno);
  } else if (!S_ISREG(status.st_mode)) {
    problem = "the key " + real + " is not a file";
  } else if (!is_credential(path) && is_open_to_others({status.st_mode, status.st_gid}, ::getegid())) {
    std::array<char, 8> mode{};
    std::snprintf(mode.data(), mode.size(), "%04o", static_cast<unsigned>(status.st_mode & 07777U));
    problem = "the key " + real + " has mode " + mode.data() + ", so others can read it; run: chmod 600 " + real;
  } else if (static_cast<std::size_t>(status.st_size) > kLongestKeyFile) {
    problem = "the key " + real + " is too long";
  }
  std::string text;
  if (problem.empty()) {
    // Room for all of it at once: growing would leave copies behind.
    text.resize(kLongestKeyFile);
    const auto got = ::read(fd, text.data(), text.size());
    if (got < 0) {
      problem = "cannot read the key " + real + ": " + std::strerror(errno);
    } else {
      text.resize(static_cast<std::size_t>(got));
    }
  }
  ::close(fd);
  if (!problem.empty()) return unexpected(std::move(problem));
  return text;
}

}  // namespace minibgp::xfrm::vici
