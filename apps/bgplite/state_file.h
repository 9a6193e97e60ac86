/// StateFile: replaces a file in one step, so that a crash at any moment leaves the old text or the new one, and a
/// write that fails leaves the old one and says so. The system calls are behind a port, so that tests can stop at each.
#pragma once

#include <bgp/result.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace bgplite {

/// The system calls that are used. Each gives 0 or errno, unless said otherwise.
class FilePort {
 public:
  virtual ~FilePort() = default;
  /// A new, empty file that only we can read, over one that is there; below 0: -errno.
  virtual int create(const std::string& path) = 0;
  /// How many octets were written, perhaps not all; below 0: -errno.
  virtual long write(int file, std::string_view text) = 0;
  virtual int sync(int file) = 0;
  virtual int close(int file) = 0;
  virtual int rename(const std::string& from, const std::string& to) = 0;
  virtual int sync_directory(const std::string& path) = 0;
  virtual int remove(const std::string& path) = 0;
  /// The whole text; nothing: `error` is errno.
  virtual std::optional<std::string> read(const std::string& path, int& error) = 0;
};

/// The host's.
[[nodiscard]] FilePort& host_file_port();

/// The error is a sentence: "cannot write /var/lib/bgplite/runtime.yaml: No space left on device". The file is as it
/// was then.
[[nodiscard]] minibgp::Result<void, std::string> replace_file(FilePort& port, const std::string& path,
                                                              std::string_view text);

/// A file of the host; empty where it cannot be read, cut where it is longer.
[[nodiscard]] std::string read_text(const std::string& path, std::size_t octets_max = std::string::npos);

/// The number of this process's network namespace: routes belong to one, files may be shared between several.
[[nodiscard]] std::string network_namespace();

}  // namespace bgplite
