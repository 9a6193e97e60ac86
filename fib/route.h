/// Route: a normalized kernel route with its set of next hops; == means "the same route". Via: one of those next hops.
/// The values the rest of fib/ speaks in; no behaviour beyond comparing and normalizing.
#pragma once

#include <bgp/types.h>

#include <algorithm>
#include <compare>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

namespace minibgp::fib {

/// An interface index of the kernel; 0 is none.
enum class IfIndex : std::uint32_t {};
inline constexpr IfIndex kNoInterface{0};  ///< No interface.

/// Id of a next-hop object or group in the kernel (Linux 5.3); 0 is none.
enum class NextHopId : std::uint32_t {};
inline constexpr NextHopId kNoNextHopId{0};  ///< No next-hop object.

/// Who a next hop belongs to: a peer (its PeerId), the static routes, or the program itself. Next hops of different
/// sources never share a kernel object, so that one peer's reset cannot hurt another's routes through the same gateway.
enum class Source : std::uint32_t {};
inline constexpr Source kStaticSource{0x10000};      ///< Routes of the configuration.
inline constexpr Source kProgramSource{0x10001};     ///< Routes the program sets itself.
inline constexpr Source kUnknownSource{0xFFFFFFFF};  ///< Of objects an earlier run left, until one of ours claims them.
[[nodiscard]] constexpr Source source_of(PeerId peer) { return Source{static_cast<std::uint32_t>(peer)}; }

/// The main routing table.
inline constexpr std::uint32_t kMainTable = 254;

/// Tables that routes of ours never go to: 0 means "none" to the kernel, and 255 (local) says which addresses are the
/// host's own. (253, default, is a table like others: the kernel looks there after the main one.)
[[nodiscard]] constexpr bool is_reserved_table(std::uint32_t table) { return table == 0 || table == 255; }

/// One way out: a gateway on an interface.
struct Via {
  /// Unset: the destination is on the link itself; the family is the route's then. May be IPv6 under an IPv4 route
  /// (RFC 8950).
  IpAddress gateway;
  IfIndex interface = kNoInterface;
  std::uint16_t weight = 1;  ///< 1..256: the share among several.
  bool onlink = false;       ///< The kernel need not find the gateway on the interface's own networks.
  auto operator<=>(const Via&) const = default;
};
/// Whether packets leave the same way, whatever the shares.
[[nodiscard]] inline bool same_way(const Via& a, const Via& b) {
  return a.gateway == b.gateway && a.interface == b.interface && a.onlink == b.onlink;
}

/// Where a route sends packets and with which source; what several routes share.
struct Forwarding {
  std::vector<Via> vias;              ///< Sorted, unique. Empty while `next_hop` is set and not looked up.
  NextHopId next_hop = kNoNextHopId;  ///< Of the next-hop object the route refers to; none: it has `vias` itself.
  bool taken_over = false;            ///< Under another protocol number: another program overwrote a route of ours.
  IpAddress preferred_source;         ///< RTA_PREFSRC; unset: the kernel chooses.
  /// The kernel's route carries this protocol number, which an earlier run of ours wrote with; 0: the present one.
  std::uint8_t former_protocol = 0;
  bool operator==(const Forwarding&) const = default;
};

/// What makes two kernel routes different routes rather than versions of one.
struct RouteKey {
  Prefix prefix;
  std::uint32_t table = kMainTable;
  std::uint32_t metric = 0;  ///< RTA_PRIORITY. The kernel reads 0 as 1024 for IPv6.
  auto operator<=>(const RouteKey&) const = default;
};
/// For people: "10.0.0.0/8 metric 20 table 254".
[[nodiscard]] std::string to_text(const RouteKey& key);

/// Where an earlier run of ours wrote, so that what it left can be found again: a routing table, the protocol number of
/// the routes, and the ids of the next-hop objects.
struct OwnedTable {
  std::uint32_t table = kMainTable;
  std::uint8_t protocol = 0;
  std::uint32_t next_hop_id_base = 0;  ///< First id of its next-hop objects; 0: it made none.
  auto operator<=>(const OwnedTable&) const = default;
};

/// A route as it shall be in the kernel.
struct Route {
  RouteKey key;
  std::uint8_t protocol = 0;  ///< rtm_protocol: who owns it.
  Forwarding forwarding;
  bool operator==(const Route&) const = default;
};

/// Sorts the next hops and merges equal ones, adding their weights: order in the kernel means nothing.
inline void normalize(std::vector<Via>& vias) {
  constexpr unsigned kWeightMax = 256;
  std::sort(vias.begin(), vias.end(), [](const Via& a, const Via& b) {
    return std::tie(a.gateway, a.interface, a.onlink, a.weight) < std::tie(b.gateway, b.interface, b.onlink, b.weight);
  });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < vias.size(); ++i) {
    Via& last = vias[kept == 0 ? 0 : kept - 1];
    if (kept != 0 && last.interface == vias[i].interface && last.gateway == vias[i].gateway &&
        last.onlink == vias[i].onlink) {
      last.weight = static_cast<std::uint16_t>(std::min(kWeightMax, unsigned{last.weight} + vias[i].weight));
    } else {
      vias[kept++] = vias[i];
    }
  }
  vias.resize(kept);
  if (vias.size() == 1) vias[0].weight = 1;  // A share of the whole: the kernel does not keep it for a single one.
}

}  // namespace minibgp::fib
