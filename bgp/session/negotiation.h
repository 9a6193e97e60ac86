/// Two OPENs in, one Negotiated value out. Pure.
#pragma once

#include <bgp/peer.h>
#include <bgp/result.h>
#include <bgp/types.h>
#include <bgp/wire/open.h>
#include <bgp/wire/update.h>

#include <array>
#include <optional>

namespace minibgp::session {

/// What the two sides of a session agreed on.
struct Negotiated {
  RouterId remote_id{};
  PeerType peer_type = PeerType::ebgp;
  std::uint16_t hold_s = 0, keepalive_s = 0;
  std::uint16_t peer_hold_s = 0;  ///< What the peer proposed.
  std::array<bool, kFamilies> families{};
  bool route_refresh = false, enhanced_refresh = false;
  wire::UpdateContext receive;                                           ///< How to read the peer's UPDATEs.
  wire::UpdateContext send;                                              ///< How to write ours.
  std::optional<wire::GracefulRestartCapability> peer_graceful_restart;  ///< Only when both sides want it.
  Role peer_role = Role::none;
  std::vector<std::uint8_t> unknown_capabilities;
};

/// The speaker's side of an OPEN.
struct LocalIdentity {
  Asn asn{};
  RouterId router_id{};
  bool restarting = false;  ///< Sets the R bit (RFC 4724).
};

/// Time between our keepalives for a negotiated hold time, in seconds; 0: none are sent.
[[nodiscard]] std::uint16_t keepalive_interval(const PeerOptions& options, std::uint16_t hold_s);
[[nodiscard]] wire::Open make_open(const PeerOptions& options, const LocalIdentity& self);
/// The error is a ready OPEN Message Error (RFC 4271 s.6.2): wrong AS, our own identifier from an iBGP peer, no common
/// family (RFC 5492 s.5), role mismatch (RFC 9234 s.4.2).
[[nodiscard]] Result<Negotiated, wire::MessageError> negotiate(const PeerOptions& options, const LocalIdentity& self,
                                                               const wire::Open& received);

}  // namespace minibgp::session
