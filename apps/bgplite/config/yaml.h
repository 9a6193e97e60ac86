/// Reading a configuration: files to one Config, or every mistake in them at once. No side effects but reading files.
#pragma once

#include <apps/bgplite/config/config.h>
#include <apps/bgplite/config/diagnostic.h>
#include <apps/bgplite/config/policy_sources.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace bgplite {

/// Where configuration text comes from.
struct FileSource {
  /// The contents of a file, or nothing when it cannot be read; `error` says why.
  std::function<std::optional<std::string>(const std::string& path, std::string& error)> read;
  /// The files an include with `*`, `?` or `[` means, sorted.
  std::function<std::vector<std::string>(const std::string& pattern)> list;
  /// The daemon's own runtime.yaml (saved.h), as `read`; nothing without an error: there is none. Unset: never one.
  std::function<std::optional<std::string>(const std::string& path, std::string& error)> saved = nullptr;
};
/// The files of the host. One of more than 16 MiB is refused.
[[nodiscard]] FileSource host_files();

struct Loaded {
  Config config;            ///< Meaningful when diagnostics.has_errors() is false.
  PolicySources policies;   ///< What Config::policies was compiled from.
  Diagnostics diagnostics;  ///< Sorted; syntax, keys, types, ranges, and what check.h finds.
};

/// Reads `path` and what it includes, then checks the whole (check.h).
[[nodiscard]] Loaded load_config(const std::string& path, const FileSource& files = host_files());

/// For the policy tools, which also serve files that hold nothing but policies: such a file (no `router` in it or in
/// what it includes) is read for its policies and sets alone; any other as by load_config().
[[nodiscard]] Loaded load_policies(const std::string& path, const FileSource& files = host_files());

}  // namespace bgplite
