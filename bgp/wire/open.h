/// OPEN (RFC 4271 s.4.2) with capabilities (RFC 5492) and extended optional parameters (RFC 9072).
#pragma once

#include <bgp/peer.h>
#include <bgp/result.h>
#include <bgp/types.h>
#include <bgp/wire/error.h>

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace minibgp::wire {

/// RFC 4724 s.3 with the N bit of RFC 8538.
struct GracefulRestartCapability {
  bool restarting = false;    ///< R: restart state.
  bool notification = false;  ///< N (RFC 8538).
  std::uint16_t restart_time_s = 0;
  std::array<bool, kFamilies> families{};              ///< Listed at all.
  std::array<bool, kFamilies> forwarding_preserved{};  ///< F.
  bool operator==(const GracefulRestartCapability&) const = default;
};

struct RawCapability {
  std::uint8_t code = 0;
  std::vector<std::uint8_t> value;
  bool operator==(const RawCapability&) const = default;
};

/// Everything both sides may say of themselves; decode fills what it finds, encode writes what is set.
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
  bool role_conflict = false;                      ///< Several different roles in one OPEN (RFC 9234 s.4.2).
  std::vector<RawCapability> unknown;
  bool operator==(const Capabilities&) const = default;
};

struct Open {
  std::uint8_t version = 4;
  Asn asn{};                    ///< The real one: of the 4-octet capability where present.
  std::uint16_t asn_field = 0;  ///< My Autonomous System as on the wire (AS_TRANS where the real one does not fit).
  std::uint16_t hold_time_s = 0;
  RouterId router_id{};
  Capabilities capabilities;
  bool operator==(const Open&) const = default;
};

/// Syntax and the checks that need no configuration: version, hold time 1 or 2, identifier 0, AS 0 (RFC 7607), broken
/// optional parameters. `body` is without the header.
[[nodiscard]] Result<Open, MessageError> decode_open(Bytes body);
/// Appends a whole message. Uses the RFC 9072 form only when the parameters exceed 255 octets.
void encode_open(const Open& open, std::vector<std::uint8_t>& out);

}  // namespace minibgp::wire
