/// Short-lived children: nft, ip, ping. Blocking, bounded in time and output.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace bgplite::host {

struct Finished {
  int status = -1;     ///< Exit status; -1: it could not be started, was killed or took too long.
  std::string output;  ///< Standard output and error together, at most kOutputMax octets.
  [[nodiscard]] bool ok() const { return status == 0; }
};
inline constexpr std::size_t kOutputMax = 8U << 20U;

/// Runs argv[0] (looked up in PATH, /usr/sbin and /sbin) with `input` on its standard input.
[[nodiscard]] Finished run_command(const std::vector<std::string>& argv, std::string_view input = {},
                                   std::chrono::milliseconds limit = std::chrono::milliseconds{10000});

}  // namespace bgplite::host
