/// Reading a configuration: files to one Config, or every mistake in them at once. No side effects but reading files.
#pragma once

#include <apps/bgplite/config/config.h>
#include <apps/bgplite/config/diagnostic.h>
#include <apps/bgplite/config/policy_sources.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace bgplite {

class Places;

/// Where configuration text comes from.
struct FileSource {
  /// The contents of a file, or nothing when it cannot be read; `error` says why.
  using Read = std::function<std::optional<std::string>(const std::string& path, std::string& error)>;
  Read read;
  /// The files an include with `*`, `?` or `[` means, sorted.
  std::function<std::vector<std::string>(const std::string& pattern)> list;
  /// The daemon's own runtime.yaml (saved.h), as `read`; nothing without an error: there is none. Unset: never one.
  Read saved = nullptr;
  /// A file that a set names. Unset: as `read`.
  Read set = nullptr;
  /// The first line of a file that holds a TCP-MD5 key. Unset: keys are not looked at.
  Read key = nullptr;
  Severity key_problem = Severity::error;  ///< What a key that cannot be read is.
};
/// The files of the host. One of more than 16 MiB is refused, 512 MiB where a set names it. Without keys.
[[nodiscard]] FileSource host_files();
/// Whether a file with this mode is refused as one of a TCP-MD5 key: only its owner may use it.
[[nodiscard]] inline bool is_open_to_others(std::uint32_t mode) { return (mode & 0077U) != 0; }
/// With them. A key that others can read is refused.
[[nodiscard]] FileSource host_files_and_keys(Severity key_problem = Severity::error);

struct Loaded {
  Config config;                                  ///< Meaningful when diagnostics.has_errors() is false.
  PolicySources policies;                         ///< What Config::policies was compiled from.
  Diagnostics diagnostics;                        ///< Sorted; syntax, keys, types, ranges, and what check.h finds.
  std::shared_ptr<const Places> places;           ///< Where each key was written.
  std::map<std::string, std::string> peer_paths;  ///< Key of Config::peers -> path of its mapping in `places`.
};

/// Reads `path` and what it includes, then checks the whole (check.h).
[[nodiscard]] Loaded load_config(const std::string& path, const FileSource& files = host_files());

/// For the policy tools, which also serve files that hold nothing but policies: such a file (no `router` in it or in
/// what it includes) is read for its policies and sets alone; any other as by load_config().
[[nodiscard]] Loaded load_policies(const std::string& path, const FileSource& files = host_files());

}  // namespace bgplite
