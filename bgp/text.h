/// Text of the shared values, both ways: "203.0.113.0/24", "65001:100", "AS4200000001". Parsing is strict and total:
/// the whole text must be the value.
#pragma once

#include <bgp/path.h>
#include <bgp/peer.h>
#include <bgp/types.h>

#include <optional>
#include <string>
#include <string_view>

namespace minibgp {

[[nodiscard]] std::optional<IpAddress> parse_address(std::string_view text);  ///< IPv4 or IPv6; no zone, no port.
/// "address/length"; host bits beyond the length are an error unless `HostBits::mask`.
enum class HostBits : std::uint8_t { refuse, mask };
[[nodiscard]] std::optional<Prefix> parse_prefix(std::string_view text, HostBits host_bits = HostBits::refuse);
/// "65001", "AS65001" or RFC 5396 asdot "1.10". 0 is not refused here.
[[nodiscard]] std::optional<Asn> parse_asn(std::string_view text);
/// Dotted quad.
[[nodiscard]] std::optional<RouterId> parse_router_id(std::string_view text);
/// "65001:100" or a well-known name: no-export, no-advertise, no-export-subconfed, graceful-shutdown, blackhole.
[[nodiscard]] std::optional<Community> parse_community(std::string_view text);
/// "rt:65001:100", "ro:192.0.2.1:5", "lb:65001:125000" (link bandwidth, octets/s) or 16 hex digits "0x...".
[[nodiscard]] std::optional<ExtendedCommunity> parse_extended_community(std::string_view text);
/// "65001:1:2".
[[nodiscard]] std::optional<LargeCommunity> parse_large_community(std::string_view text);
/// "65001 65002 {65003,65004}"; empty text is the empty path.
[[nodiscard]] std::optional<AsPath> parse_as_path(std::string_view text);

[[nodiscard]] std::string to_text(const IpAddress& address);  ///< RFC 5952 for IPv6.
[[nodiscard]] std::string to_text(const Prefix& prefix);  ///< "192.0.2.0/24".
[[nodiscard]] std::string to_text(Asn asn);        ///< Asplain digits only.
[[nodiscard]] std::string to_text(RouterId id);  ///< As an IPv4 address.
[[nodiscard]] std::string to_text(Community community);  ///< "65000:1", or its well-known name.
[[nodiscard]] std::string to_text(ExtendedCommunity community);  ///< "rt:65000:1", or hex where the type is unknown.
[[nodiscard]] std::string to_text(const LargeCommunity& community);  ///< "65000:1:2".
[[nodiscard]] std::string to_text(const AsPath& path);  ///< "65001 65002 {65003,65004}".
[[nodiscard]] std::string_view to_text(Origin origin);        ///< "igp", "egp", "incomplete".
[[nodiscard]] std::string_view to_text(PeerState state);      ///< "Idle" .. "Established", RFC spelling.
[[nodiscard]] std::string_view to_text(DownReason reason);    ///< "hold timer expired".
/// Why a peer does not get a prefix, as a clause that ends a sentence: "its attributes do not fit ...".
[[nodiscard]] std::string to_text(Withheld why, const Prefix& prefix, const PeerStatus& peer);
[[nodiscard]] std::string_view to_text(Withheld why);         ///< The word for JSON and metrics: "too_large".
[[nodiscard]] std::string_view to_text(Family family);        ///< "IPv4 unicast".
[[nodiscard]] std::string_view to_text(Role role);  ///< The configuration's word.

}  // namespace minibgp
