/// ExportRules: everything that decides what a peer is told and in which octets, but for the session's own address.
/// Peers with equal rules share one export group. The rules themselves: who may hear a path (RFC 4271 s.9.1.3, RFC
/// 4456, RFC 1997, RFC 9234) and what it looks like then (RFC 4271 s.5).
#pragma once

#include <bgp/inputs.h>
#include <bgp/path.h>
#include <bgp/peer.h>
#include <bgp/policy.h>
#include <bgp/rib/best_path.h>
#include <bgp/rib/layout.h>
#include <bgp/session/negotiation.h>
#include <bgp/speaker_options.h>
#include <bgp/types.h>
#include <bgp/wire/update.h>

#include <array>
#include <memory>
#include <optional>
#include <string>

namespace minibgp::speaker {

/// How our own next hop is written for a family over a session.
enum class OwnNextHop : std::uint8_t {
  /// We have no address to give. An IPv4-mapped one (::ffff:a.b.c.d) is no way out: BIRD treats the route as withdrawn,
  /// FRR does not install it, and traffic would flow in one direction only.
  none,
  ipv4,
  ipv6,       ///< 16 octets.
  ipv6_both,  ///< 32 octets, the session runs over a link-local address (RFC 2545 s.3).
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
  /// LinkAddresses::link, for internal peers with IPv6: only they get next hops of others that have a link-local half.
  std::uint32_t link = 0;
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
  std::optional<std::uint32_t> limit;  ///< Prefixes advertised at most; none was configured: not set.
  PeerId limited_peer{};               ///< With a limit: the only peer of its group, so that the group counts for it.
  bool operator==(const ExportRules&) const = default;

  [[nodiscard]] PolicyContext policy_context() const;  ///< But for the prefix. Views of these rules.
};

[[nodiscard]] ExportRules make_export_rules(PeerId peer, const PeerOptions& options, const SpeakerOptions& speaker,
                                            const session::Negotiated& negotiated, const IpAddress& local_address,
                                            const LinkAddresses& link);

/// What a path's origin means for export.
struct Source {
  bool local = false;  ///< Our own announcement.
  bool external = true;
  bool reflector_client = false;
  RouterId router_id{};
  std::uint32_t default_local_pref = 100;
  std::uint32_t link = 0;  ///< LinkAddresses::link of its session.
  bool operator==(const Source&) const = default;
};

/// Whether the rules, policy aside, let a path be told.
[[nodiscard]] bool may_tell(const ExportRules& rules, const Source& source, const rib::HotAttrs& attributes);
/// A MED that a neighbor sent is not passed on to another AS (RFC 4271 s.5.1.4); policy may set one afterwards.
[[nodiscard]] bool drops_med(const ExportRules& rules, const Source& source);

/// Our own address as a next hop, by the family of the prefixes; unset where ExportRules::own_next_hop is none.
using OwnAddresses = std::array<IpAddress, kFamilies>;
[[nodiscard]] OwnAddresses own_addresses(const ExportRules& rules, const IpAddress& local_address,
                                         const LinkAddresses& link);

/// Whose address a route is sent with.
enum class NextHopFrom : std::uint8_t {
  route,    ///< It stands in the attributes.
  session,  ///< Our own on that session: see own_next_hop().
  nowhere,  ///< Our own, and there is none of its family: the route cannot be sent.
};
/// Turns what stands after policy into what is sent for a prefix of `family`.
[[nodiscard]] NextHopFrom make_outgoing(const ExportRules& rules, const Source& source, Family family,
                                        PathAttributes& attributes);
/// Our own address as the next hop for prefixes of `family`.
[[nodiscard]] NextHop own_next_hop(const ExportRules& rules, Family family, const OwnAddresses& own);

}  // namespace minibgp::speaker
