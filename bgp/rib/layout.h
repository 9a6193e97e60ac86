/// Path and Route: what a million of them cost. Plain records; Table gives them their meaning.
#pragma once

#include <bgp/types.h>

#include <cstdint>

namespace minibgp::rib {

/// A prefix with all its paths, by slab id. Stable while the prefix has paths or its withdrawal is still to be
/// sent.
enum class RouteId : std::uint32_t {};

namespace path_flag {
inline constexpr std::uint8_t kUnusable = 1;  ///< Its next hop is not usable: kept, never chosen.
}  // namespace path_flag

/// What one peer says of one prefix: Adj-RIB-In before and after policy as two handles.
struct Path {
  AttrId received{};  ///< As the peer sent them. kNoAttributes: no path.
  AttrId accepted{};  ///< After import rules and policy; kNoAttributes: refused, kept for when policy changes.
  PeerId peer{};
  std::uint8_t flags = 0;  ///< path_flag
  /// The peer's epoch when this was last announced. A session that ends, and a refresh that begins, start a new epoch:
  /// that makes all paths of the peer old at once, without a walk (see Table::begin_epoch()).
  std::uint8_t epoch = 0;
  std::uint32_t path_id = 0;  ///< RFC 7911; 0 without.
};
static_assert(sizeof(Path) == 16);

/// Paths in use lead the list, the best first. With at most one path (the common case) nothing is allocated.
struct Route {
  static constexpr std::uint32_t kNotCounted = 0xFFFFFFFF;
  /// Paths of all peers together. One of our own always fits beside them, and path_count has 16 bits.
  static constexpr std::uint32_t kPathsMax = 16384;
  /// Paths of one peer (RFC 7911). A few are of use; each makes every later path of the prefix slower to add.
  static constexpr std::uint32_t kPathsOfPeerMax = 255;

  Prefix prefix;
  std::uint16_t path_count = 0;
  std::uint16_t best = 0;  ///< How many paths lead the list as the equal-cost set; 0: none is usable.
  union {
    Path first{};  ///< While there is a path.
    /// While there is none: how many export groups still have to withdraw it; kNotCounted before that was counted.
    std::uint32_t withdrawals_due;
  };
  Path* more = nullptr;  ///< The others; owned by Table.

  [[nodiscard]] Path& path(std::uint32_t index) { return index == 0 ? first : more[index - 1]; }
  [[nodiscard]] const Path& path(std::uint32_t index) const { return index == 0 ? first : more[index - 1]; }
  /// The path in use, or null.
  [[nodiscard]] const Path* best_path() const { return best != 0 ? &first : nullptr; }
};
static_assert(sizeof(Route) == 48);

/// Exactly what decide() reads of a path's attributes: one record per interned attribute set.
struct HotAttrs {
  std::uint32_t weight = 0;
  std::uint32_t local_pref = 0;          ///< Meaningful with kHasLocalPref.
  std::uint32_t med = 0;                 ///< Missing counts as 0, the best (RFC 4271 s.9.1.2.2 c).
  std::uint32_t neighbor_as = 0;         ///< 0: the path is empty or begins with a set.
  std::uint32_t originator = 0;          ///< ORIGINATOR_ID; 0: the peer's identifier counts (RFC 4456 s.9).
  std::uint32_t as_path_hash = 0;        ///< Equal paths have equal hashes; see AttrTable::same_as_path().
  std::uint32_t next_hop = 0;            ///< AttrTable::next_hop() has the value.
  std::uint16_t as_path_length = 0;      ///< An AS_SET counts as one.
  std::uint8_t cluster_list_length = 0;  ///< Sticks at 255.
  std::uint8_t origin_and_flags = 0;

  /// kNoExport: NO_EXPORT or NO_EXPORT_SUBCONFED (without confederations they are the same, RFC 1997).
  static constexpr std::uint8_t kOriginMask = 3, kHasLocalPref = 4, kHasLocal = 8, kHasMed = 16, kNoExport = 32,
                                kNoAdvertise = 64, kHasOtc = 128;
  [[nodiscard]] constexpr std::uint8_t origin() const { return origin_and_flags & kOriginMask; }
  [[nodiscard]] constexpr bool has(std::uint8_t flag) const { return (origin_and_flags & flag) != 0; }
};
static_assert(sizeof(HotAttrs) == 32);

}  // namespace minibgp::rib
