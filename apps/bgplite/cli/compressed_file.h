/// A file's bytes, with gzip and bzip2 undone: recognized by their first bytes, not by the name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bgplite::cli {

/// Nothing, and `error`, when it cannot be read, is damaged, or would exceed 8 GiB uncompressed. "-" is standard input.
[[nodiscard]] std::optional<std::vector<std::uint8_t>> read_whole_file(const std::string& path, std::string& error);

}  // namespace bgplite::cli
