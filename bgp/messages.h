/// BGP messages as values: what the codec reads and writes, what negotiation compares, and what bgp/decode.h shows to
/// tools. Plain data; no bytes.
#pragma once

#include <bgp/path.h>
#include <bgp/peer.h>
#include <bgp/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace minibgp {

/// RFC 4724 s.3 with the N bit of RFC 8538.
struct GracefulRestartCapability {
  bool restarting = false;                             ///< R: restart state.
  bool notification = false;                           ///< N (RFC 8538).
  std::uint16_t restart_time_s = 0;                    ///< 0..4095.
  std::array<bool, kFamilies> families{};              ///< Listed at all.
  std::array<bool, kFamilies> forwarding_preserved{};  ///< F.
  bool operator==(const GracefulRestartCapability&) const = default;
};
/// A capability as it is on the wire (RFC 5492 s.4).
struct RawCapability {
  std::uint8_t code = 0;
  std::vector<std::uint8_t> value;  ///< At most 255 octets.
  bool operator==(const RawCapability&) const = default;
};

/// Everything both sides may say of themselves (RFC 5492); decoding fills what it finds, encoding writes what is set.
struct Capabilities {
  std::array<bool, kFamilies> multiprotocol{};  ///< RFC 4760 AFI/SAFI unicast.
  bool any_multiprotocol = false;               ///< At least one MP capability, known family or not.
  bool route_refresh = false;                   ///< RFC 2918.
  bool enhanced_refresh = false;                ///< RFC 7313.
  bool extended_messages = false;               ///< RFC 8654.
  std::optional<Asn> four_octet_as;             ///< RFC 6793.
  std::optional<GracefulRestartCapability> graceful_restart;
  std::array<std::uint8_t, kFamilies> add_path{};  ///< RFC 7911: 0 none, 1 receive, 2 send, 3 both.
  bool ipv4_over_ipv6_next_hop = false;            ///< RFC 8950 for IPv4 unicast.
  Role role = Role::none;                          ///< RFC 9234.
  bool role_conflict = false;  ///< Several different roles in one OPEN, or one that does not exist (RFC 9234 s.4.2).
  std::vector<RawCapability> unknown;
  bool operator==(const Capabilities&) const = default;
};

/// OPEN (RFC 4271 s.4.2).
struct OpenMessage {
  std::uint8_t version = 4;
  Asn asn{};                    ///< The real one: of the 4-octet capability where present.
  std::uint16_t asn_field = 0;  ///< My Autonomous System as on the wire (AS_TRANS where the real one does not fit).
  std::uint16_t hold_time_s = 0;
  RouterId router_id{};
  Capabilities capabilities;
  bool operator==(const OpenMessage&) const = default;
};

/// One prefix of an UPDATE.
struct Nlri {
  Prefix prefix;
  std::uint32_t path_id = 0;  ///< RFC 7911; 0 without.
  bool operator==(const Nlri&) const = default;
};

/// UPDATE (RFC 4271 s.4.3) with the multiprotocol attributes (RFC 4760).
struct UpdateMessage {
  PathAttributes attributes;         ///< next_hop is NEXT_HOP, for `announced`; unset where there is none to announce.
  std::vector<Nlri> announced;       ///< The classic IPv4 section.
  NextHop mp_next_hop;               ///< For `mp_announced`.
  std::vector<Nlri> mp_announced;    ///< MP_REACH_NLRI.
  std::vector<Nlri> withdrawn;       ///< Withdrawn Routes and MP_UNREACH_NLRI together.
  std::optional<Family> end_of_rib;  ///< RFC 4724 s.2.
  bool operator==(const UpdateMessage&) const = default;
};

/// NOTIFICATION (RFC 4271 s.4.5).
struct NotificationMessage {
  std::uint8_t code = 0;
  std::uint8_t subcode = 0;
  std::vector<std::uint8_t> data;
  bool operator==(const NotificationMessage&) const = default;
};
/// KEEPALIVE has no content (RFC 4271 s.4.4).
struct KeepaliveMessage {
  bool operator==(const KeepaliveMessage&) const = default;
};

/// What a ROUTE-REFRESH says (RFC 2918, RFC 7313 s.3.2).
enum class RefreshKind : std::uint8_t { request = 0, begin = 1, end = 2, unknown = 255 };
/// ROUTE-REFRESH (RFC 2918), with the subtype of RFC 7313.
struct RefreshMessage {
  std::optional<Family> family;  ///< None: an AFI/SAFI we do not speak; ignore it.
  RefreshKind kind = RefreshKind::request;
  bool operator==(const RefreshMessage&) const = default;
};

}  // namespace minibgp
