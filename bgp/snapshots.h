/// Snapshots of the speaker's tables, for commands that show them: copies, made on demand.
#pragma once

#include <bgp/path.h>
#include <bgp/peer.h>
#include <bgp/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace minibgp {

/// One path of one prefix as `show routes` prints it. Copies.
struct PathSnapshot {
  Prefix prefix;
  PeerId peer{};
  std::uint32_t path_id = 0;
  PathAttributes received;                 ///< Adj-RIB-In, before policy.
  std::optional<PathAttributes> accepted;  ///< After policy; none: refused.
  bool best = false, multipath = false, stale = false, usable = true;
  const char* rule = "";  ///< Why it is, or is not, the best: the deciding rule against the best.
};
/// Which routes a snapshot holds; the default is all of them.
struct RouteFilter {
  enum class Match : std::uint8_t { exact, longer, shorter, lookup };
  std::optional<Prefix> prefix;
  Match match = Match::exact;
  std::optional<PeerId> peer;  ///< Only paths received from it.
  std::size_t max = SIZE_MAX;
};
/// A route as told to a peer, or as announced by the program.
struct AnnouncedSnapshot {
  Prefix prefix;
  PathAttributes attributes;
};
/// A route that is not announced to a peer although its export policy accepts it.
struct WithheldSnapshot {
  Prefix prefix;
  Withheld why{};
};
/// One row of memory(): a purpose and its octets.
struct MemoryUse {
  std::string_view what;
  std::size_t count = 0;
  std::size_t octets = 0;
};

}  // namespace minibgp
