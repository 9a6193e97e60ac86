/// ExportRules: everything that decides what a peer is told and in which octets, but for the session's own address.
/// Peers with equal rules share one export group. The rules themselves: who may hear a path (RFC 4271 s.9.1.3, RFC
/// 4456, RFC 1997, RFC 9234) and what it looks like then (RFC 4271 s.5).
#pragma once

#include <bgp/engine.h>
#include <bgp/path.h>
#include <bgp/peer.h>
#include <bgp/policy.h>
#include <bgp/rib/decide.h>
#include <bgp/rib/layout.h>
#include <bgp/session/negotiation.h>
#include <bgp/types.h>
#include <bgp/wire/update.h>

#include <array>
#include <memory>
#include <optional>
#include <string>

namespace minibgp::speaker {

/// How our own next hop is written for a family over a session.
enum class OwnNextHop : std::uint8_t {
  none,  ///< Not possible: the family is not announced (IPv4 over IPv6 without RFC 8950).
  ipv4,
  ipv6,         ///< 16 octets.
  ipv6_both,    ///< 32 octets, the session runs over a link-local address (RFC 2545 s.3).
  ipv4_mapped,  ///< IPv6 prefixes over an IPv4 session: ::ffff:a.b.c.d, as FRR and BIRD write it.
};

struct ExportRules {
  PeerType peer_type = PeerType::ebgp;
  Asn local_as{};  ///< Toward this peer.
  RouterId cluster_id{};
  std::shared_ptr<const Policy> policy;
  std::string peer, peer_address, tunnel;  ///< For the policy; empty where it does not look at them.
  Asn peer_as{};                           ///< For as_override; 0 otherwise.
  Role role = Role::none;
  std::array<bool, kFamilies> families{};
  std::array<OwnNextHop, kFamilies> own_next_hop{};
  wire::UpdateContext context;
  std::uint8_t prepend = 0;
  std::optional<std::uint32_t> export_med;
  bool next_hop_self = true;
  bool as_override = false;
  bool remove_private_as = false;
  bool route_reflector_client = false;
  bool graceful_shutdown = false;
  /// The peer goes on with what we advertised before our restart, so that it gets our own announcements at once and the
  /// rest when routes are selected (RFC 4724 s.4.1).
  bool own_only = false;
  std::uint64_t audience = 0;
  std::uint32_t limit = 0;  ///< Prefixes told at most; 0: no limit was configured.
  PeerId limited_peer{};    ///< With a limit: the only peer of its group, so that told is counted for it.
  bool operator==(const ExportRules&) const = default;

  [[nodiscard]] PolicyContext policy_context() const;  ///< But for the prefix. Views of these rules.
};

[[nodiscard]] ExportRules make_export_rules(PeerId peer, const PeerOptions& options, const SpeakerOptions& speaker,
                                            const session::Negotiated& negotiated, const IpAddress& local_address);

/// What a path's origin means for export.
struct Source {
  bool local = false;  ///< Our own announcement.
  bool external = true;
  bool reflector_client = false;
  RouterId router_id{};
  std::uint32_t default_local_pref = 100;
  bool operator==(const Source&) const = default;
};

/// Whether the rules, policy aside, let a path be told.
[[nodiscard]] bool may_tell(const ExportRules& rules, const Source& source, const rib::HotAttrs& attributes);
/// A MED that a neighbor sent is not passed on to another AS (RFC 4271 s.5.1.4); policy may set one afterwards.
[[nodiscard]] bool drops_med(const ExportRules& rules, const Source& source);

/// Turns what stands after policy into what is sent. Where the answer is true, the next hop is the session's own
/// address (ExportRules::own_next_hop says in which form); else it stands in `attributes`.
[[nodiscard]] bool make_outgoing(const ExportRules& rules, const Source& source, PathAttributes& attributes);

/// The session's own address as a next hop.
[[nodiscard]] NextHop own_next_hop(OwnNextHop form, const IpAddress& local_address);

}  // namespace minibgp::speaker
