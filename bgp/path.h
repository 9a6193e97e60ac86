/// PathAttributes: what a route carries. The codec fills it, the RIB interns it, policy reads and edits it, users see
/// it. Plain data; every field is canonical (communities sorted and unique), so == means "the same attributes".
#pragma once

#include <bgp/types.h>

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace minibgp {

/// RFC 4271 s.5.1.1. Lower is better.
enum class Origin : std::uint8_t { igp = 0, egp = 1, incomplete = 2 };

/// AS_PATH (RFC 4271 s.5.1.2, 4-octet ASNs as RFC 6793; confederation segments are refused at the codec, RFC 5065 s.5).
/// Flat, so that a reused value decodes without allocation: `asns` of all segments one after the other.
struct AsPath {
  enum class SegmentType : std::uint8_t { set = 1, sequence = 2 };
  struct Segment {
    SegmentType type = SegmentType::sequence;
    /// ASNs of this segment. Adjacent sequences are merged, so it may exceed 255 (they are split on the wire).
    std::uint16_t count = 0;
    constexpr auto operator<=>(const Segment&) const = default;
  };  ///< A run of the path's ASNs: `count` of them, ordered or not.
  std::vector<Segment> segments;
  std::vector<Asn> asns;

  /// Hops as the decision process counts them: an AS_SET is one (RFC 4271 s.9.1.2.2 a).
  [[nodiscard]] std::uint32_t length() const {
    std::uint32_t hops = 0;
    for (const Segment& segment : segments) hops += segment.type == SegmentType::set ? 1U : segment.count;
    return hops;
  }
  /// The neighboring AS: first of a leading AS_SEQUENCE; none when the path is empty or begins with a set.
  [[nodiscard]] std::optional<Asn> first() const {
    if (segments.empty() || segments.front().type != SegmentType::sequence || asns.empty()) return std::nullopt;
    return asns.front();
  }
  /// The originating AS: last of a trailing AS_SEQUENCE; none when empty or a set.
  [[nodiscard]] std::optional<Asn> origin() const {
    if (segments.empty() || segments.back().type != SegmentType::sequence || asns.empty()) return std::nullopt;
    return asns.back();
  }
  [[nodiscard]] bool contains(Asn asn) const;       ///< Anywhere, sets included.
  void prepend(Asn asn, std::uint32_t times = 1);   ///< Onto the first sequence.
  void append_sequence(Asn asn);                    ///< At the far end: a segment of its own where the last is a set.
  void clear() { segments.clear(), asns.clear(); }  ///< A path without hops.
  [[nodiscard]] bool empty() const { return segments.empty(); }  ///< No hops: ours, or from inside our AS.
  auto operator<=>(const AsPath&) const = default;
};
/// Who formed the aggregate (RFC 4271 s.5.1.7).
struct Aggregator {
  Asn asn{};
  RouterId router_id{};
  constexpr auto operator<=>(const Aggregator&) const = default;
};

/// RFC 1997: 65001:100 is 0xFDE90064.
enum class Community : std::uint32_t {};
inline constexpr Community kGracefulShutdown{0xFFFF0000U};   ///< RFC 8326.
inline constexpr Community kBlackhole{0xFFFF029AU};          ///< RFC 7999.
inline constexpr Community kNoExport{0xFFFFFF01U};           ///< RFC 1997: not beyond our AS.
inline constexpr Community kNoAdvertise{0xFFFFFF02U};        ///< RFC 1997: to nobody.
inline constexpr Community kNoExportSubconfed{0xFFFFFF03U};  ///< RFC 1997: not beyond our member AS.
/// RFC 4360, the 8 octets in network order as one number.
enum class ExtendedCommunity : std::uint64_t {};
/// RFC 8092.
struct LargeCommunity {
  std::uint32_t global = 0, local1 = 0, local2 = 0;
  constexpr auto operator<=>(const LargeCommunity&) const = default;
};

/// An optional attribute we do not know: kept and, when transitive, passed on with Partial set (RFC 4271 s.9).
struct UnknownAttribute {
  std::uint8_t flags = 0;
  std::uint8_t type = 0;
  std::vector<std::uint8_t> value;
  auto operator<=>(const UnknownAttribute&) const = default;
};

/// What policy says about the next hop. All but `by_rule` and `address` are orders to the speaker, which knows the
/// addresses; `address` was written to PathAttributes::next_hop already and is to be left alone on the way out.
enum class NextHopChoice : std::uint8_t { by_rule, self, unchanged, peer, address };

/// What policy says about the kernel route and our own preference; never on the wire.
struct LocalAttributes {
  std::uint32_t weight = 0;                 ///< Highest wins before LOCAL_PREF, as in FRR.
  std::uint16_t ecmp_weight = 0;            ///< 0: from the link-bandwidth community or configuration.
  std::optional<std::uint32_t> fib_metric;  ///< Kernel metric instead of the FIB's default.
  std::optional<std::uint32_t> fib_table;
  std::optional<IpAddress> fib_prefsrc;
  NextHopChoice next_hop = NextHopChoice::by_rule;  ///< Set by policy; see NextHopChoice.
  /// Of an own announcement: told only to peers whose PeerOptions::audience shares a bit with it; 0: to every peer.
  std::uint64_t audience = 0;
  /// Of an own announcement that is a part of one of our networks: the length of that network. Export policies judge
  /// the network in its place, and a path that somebody else has for the part goes before it. 0: no part.
  std::uint8_t network_bits = 0;
  auto operator<=>(const LocalAttributes&) const = default;
};
/// A path's attributes as values; unset optionals are absent from the message.
struct PathAttributes {
  Origin origin = Origin::igp;
  AsPath as_path;
  NextHop next_hop;
  std::optional<std::uint32_t> med;
  std::optional<std::uint32_t> local_pref;
  bool atomic_aggregate = false;
  std::optional<Aggregator> aggregator;
  std::vector<Community> communities;                   ///< Sorted, unique.
  std::vector<ExtendedCommunity> extended_communities;  ///< Sorted, unique.
  std::vector<LargeCommunity> large_communities;        ///< Sorted, unique.
  std::optional<RouterId> originator_id;                ///< RFC 4456.
  std::vector<RouterId> cluster_list;                   ///< RFC 4456, nearest first.
  std::optional<Asn> only_to_customer;                  ///< RFC 9234 OTC.
  std::vector<UnknownAttribute> unknown;                ///< By type, ascending.
  LocalAttributes local;

  /// Back to the default, keeping every vector's memory: decoding into it again allocates nothing.
  void clear();
  [[nodiscard]] bool has(Community community) const;  ///< True when it is among `communities`.
  bool operator==(const PathAttributes&) const = default;
};

}  // namespace minibgp
