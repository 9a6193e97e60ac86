/// Reading a configuration: files to one Config, or every mistake in them at once. No side effects but reading files.
#pragma once

#include <apps/bgplite/config/config.h>
#include <apps/bgplite/config/diagnostic.h>

#include <functional>
#include <optional>
#include <string>

namespace bgplite {

/// Where configuration text comes from: the contents of a file, or nothing when it cannot be read. `error` says why.
using ReadFile = std::function<std::optional<std::string>(const std::string& path, std::string& error)>;

struct Loaded {
  Config config;            ///< Meaningful when diagnostics.has_errors() is false.
  Diagnostics diagnostics;  ///< Sorted; syntax, keys, types, ranges, and what check.h finds.
};

/// Reads `path` and what it includes, then checks the whole (check.h). A file of more than 16 MiB is refused.
[[nodiscard]] Loaded load_config(const std::string& path);
/// The same over another source of files.
[[nodiscard]] Loaded load_config(const std::string& path, const ReadFile& read);

}  // namespace bgplite
