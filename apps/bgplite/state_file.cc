#include <apps/bgplite/state_file.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bgplite {
namespace {

class HostFiles final : public FilePort {
 public:
  int create(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? -errno : fd;
  }
  long write(int file, std::string_view text) override {
    const ssize_t count = ::write(file, text.data(), text.size());
    return count < 0 ? -errno : count;
  }
  int sync(int file) override { return ::fsync(file) == 0 ? 0 : errno; }
  int close(int file) override { return ::close(file) == 0 ? 0 : errno; }
  int rename(const std::string& from, const std::string& to) override {
    return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
  }
  int sync_directory(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return errno;
    const int error = ::fsync(fd) == 0 ? 0 : errno;
    ::close(fd);
    return error;
  }
  int remove(const std::string& path) override { return ::unlink(path.c_str()) == 0 ? 0 : errno; }
  std::optional<std::string> read(const std::string& path, int& error) override {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return error = errno, std::nullopt;
    std::string text;
    char block[65536];
    ssize_t count = 0;
    while ((count = ::read(fd, block, sizeof block)) > 0) text.append(block, static_cast<std::size_t>(count));
    // errno is only valid right after the call.
    error = count < 0 ? errno : 0;
    ::close(fd);
    return count < 0 ? std::nullopt : std::optional{std::move(text)};
  }
};

/// 0 or errno.
int fill(FilePort& port, const std::string& path, std::string_view text) {
  const int file = port.create(path);
  if (file < 0) return -file;
  int error = 0;
  while (error == 0 && !text.empty()) {
    const long count = port.write(file, text);
    // A signal may interrupt a write, and a full disk may take a part of it: it is tried again until nothing is taken.
    if (count < 0) {
      if (count != -EINTR) error = static_cast<int>(-count);
    } else if (count == 0) {
      error = EIO;
    } else {
      text.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  if (error == 0) error = port.sync(file);
  // What a full quota refuses may come out only here.
  const int closed = port.close(file);
  return error != 0 ? error : closed;
}

}  // namespace

FilePort& host_file_port() {
  static HostFiles files;
  return files;
}

minibgp::Result<void, std::string> replace_file(FilePort& port, const std::string& path, std::string_view text) {
  // Written beside it, synced, then renamed over it: whenever we die, the name leads to the old text or to the new one,
  // never to a part. Without the sync before the rename a crash of the machine could leave an empty file.
  const std::string fresh = path + ".new";
  int error = fill(port, fresh, text);
  if (error == 0) error = port.rename(fresh, path);
  if (error != 0) {
    static_cast<void>(port.remove(fresh));  // It takes room that the next attempt may need.
    return minibgp::unexpected("cannot write " + path + ": " + std::strerror(error));
  }
  // Without it a crash of the machine may bring the old file back, which is whole as well; some file systems have none.
  static_cast<void>(port.sync_directory(path.substr(0, path.rfind('/') + 1)));
  return {};
}

std::string read_text(const std::string& path, std::size_t octets_max) {
  std::ifstream in{path, std::ios::binary};
  std::string text{std::istreambuf_iterator<char>{in}, std::istreambuf_iterator<char>{}};
  if (text.size() > octets_max) text.resize(octets_max);
  return text;
}

std::string network_namespace() {
  struct stat status {};
  return ::stat("/proc/self/ns/net", &status) == 0 ? std::to_string(status.st_ino) : "0";
}

}  // namespace bgplite
