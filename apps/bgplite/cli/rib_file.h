/// A table of routes out of a file: MRT (TABLE_DUMP_V2, BGP4MP), what `bgplite show routes --json` printed, or a text
/// list of one prefix a line with fields after it ("192.168.10.0/24 as_path=65535 med=10 community=65001:1,no-export").
#pragma once

#include <apps/bgplite/config/policy_route.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace bgplite::cli {

enum class RibFormat : std::uint8_t { mrt, json, text };

/// What the routes are for: import policies see them as a peer sent them; export policies as import policies left them,
/// and of several paths to a prefix the best one.
enum class RibUse : std::uint8_t { as_received, as_selected };

struct RibSummary {
  RibFormat format = RibFormat::text;
  std::size_t routes = 0;
  std::size_t skipped = 0;            ///< Records that are no routes, or broken; withdrawals; paths that are not best.
  std::size_t broken = 0;             ///< Of these, records that could not be read.
  std::vector<std::string> problems;  ///< At most 20, with their place.
  /// Why the file cannot be the whole table that `use` needs: it says itself that it is cut, or is of another kind.
  std::vector<std::string> incomplete;
};

/// Calls `use` for every good route in the order of the file; its argument is reused. Nothing, and `error`, when the
/// bytes are none of the formats. A truncated MRT file gives every good record, and one problem.
[[nodiscard]] bool each_route(const std::vector<std::uint8_t>& file, RibUse wanted,
                              const std::function<void(const PolicyRoute&)>& use, RibSummary& summary,
                              std::string& error);

}  // namespace bgplite::cli
