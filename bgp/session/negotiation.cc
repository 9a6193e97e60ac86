#include <bgp/session/negotiation.h>
#include <bgp/wire/message.h>
#include <bgp/wire/numbers.h>

#include <algorithm>
#include <utility>

namespace minibgp::session {
namespace {

namespace cap = wire::cap;
namespace notify = wire::notify;

/// RFC 4724 s.3: the restart time has 12 bits.
constexpr std::uint16_t kRestartTimeMax = 4095;
/// RFC 7911 s.4, the Send/Receive field.
constexpr std::uint8_t kAddPathReceive = 1, kAddPathSend = 2;

// All subcodes here belong to code 2, OPEN Message Error (RFC 4271 s.6.2).
[[nodiscard]] wire::MessageError open_error(std::uint8_t subcode, std::vector<std::uint8_t> data = {}) {
  return {notify::kOpen, subcode, std::move(data)};
}

[[nodiscard]] Asn local_as(const PeerOptions& options, const LocalIdentity& self) {
  return options.local_as.value_or(self.asn);
}

[[nodiscard]] PeerType peer_type(const PeerOptions& options, const LocalIdentity& self) {
  return options.remote_as == local_as(options, self) ? PeerType::ibgp : PeerType::ebgp;
}

/// RFC 9234 s.4.2, table 2: the remote role that goes with ours.
[[nodiscard]] Role counterpart(Role local) {
  switch (local) {
    case Role::none:
      return Role::none;
    case Role::provider:
      return Role::customer;
    case Role::customer:
      return Role::provider;
    case Role::route_server:
      return Role::route_server_client;
    case Role::route_server_client:
      return Role::route_server;
    case Role::peer:
      return Role::peer;
  }
  return Role::none;
}

/// RFC 9234 s.4.2. Roles are for eBGP; toward an iBGP peer none is sent and what it sends is ignored.
[[nodiscard]] bool roles_agree(const PeerOptions& options, PeerType type, const wire::Capabilities& theirs) {
  if (options.role == Role::none || type == PeerType::ibgp) return true;
  if (theirs.role_conflict) return false;
  if (theirs.role == Role::none) return !options.role_strict;
  return theirs.role == counterpart(options.role);
}

/// RFC 4760 s.8: who sends no multiprotocol capability at all speaks IPv4 unicast.
[[nodiscard]] bool wants(const wire::Capabilities& theirs, Family family) {
  if (!theirs.any_multiprotocol) return family == Family::ipv4;
  return theirs.multiprotocol[static_cast<std::size_t>(family)];
}

/// RFC 5492 s.3: the data of Unsupported Capability lists what we would have needed.
[[nodiscard]] std::vector<std::uint8_t> needed_capabilities(const PeerOptions& options) {
  std::vector<std::uint8_t> data;
  for (std::size_t family = 0; family < kFamilies; ++family) {
    if (!options.families[family]) continue;
    const std::uint8_t afi = family == static_cast<std::size_t>(Family::ipv4) ? 1 : 2;
    // Code, length 4, AFI (2 octets), reserved, SAFI 1 (RFC 4760 s.8).
    data.insert(data.end(), {cap::kMultiprotocol, 4, 0, afi, 0, 1});
  }
  return data;
}

}  // namespace

std::uint16_t keepalive_interval(const PeerOptions& options, std::uint16_t hold_s) {
  // A hold time of 0 means no KEEPALIVEs at all (RFC 4271 s.4.4).
  if (hold_s == 0) return 0;
  // RFC 4271 s.4.4: a third of the hold time is reasonable, and more than one a second is forbidden. So a keepalive
  // option can shorten the interval only.
  const std::uint16_t third = std::max<std::uint16_t>(1, hold_s / 3);
  const std::uint16_t wanted = options.timers.keepalive_s;
  return wanted == 0 ? third : std::min(wanted, third);
}

wire::Open make_open(const PeerOptions& options, const LocalIdentity& self) {
  wire::Open open;
  open.asn = local_as(options, self);
  const auto asn = static_cast<std::uint32_t>(open.asn);
  // The two-octet field cannot hold it (RFC 6793); the real number is in the capability.
  open.asn_field = asn > 0xFFFF ? wire::kAsTrans : static_cast<std::uint16_t>(asn);
  open.hold_time_s = options.timers.hold_s;
  open.router_id = self.router_id;

  wire::Capabilities& ours = open.capabilities;
  ours.multiprotocol = options.families;
  ours.any_multiprotocol = true;
  ours.route_refresh = true;
  ours.enhanced_refresh = true;
  ours.extended_messages = options.extended_messages;
  if (options.four_octet_as) ours.four_octet_as = open.asn;
  if (options.graceful_restart != GracefulRestart::off) {
    wire::GracefulRestartCapability restart;
    restart.restarting = self.restarting;
    restart.notification = true;
    restart.restart_time_s = std::min(options.restart_time_s, kRestartTimeMax);
    // A helper lists no family (RFC 4724 s.3). Where we list one its F bit is always set: routes stay in the kernel.
    if (options.graceful_restart == GracefulRestart::full)
      restart.families = restart.forwarding_preserved = options.families;
    ours.graceful_restart = restart;
  }
  if (options.add_path_receive)
    for (std::size_t family = 0; family < kFamilies; ++family)
      ours.add_path[family] = options.families[family] ? kAddPathReceive : 0;
  ours.ipv4_over_ipv6_next_hop = options.extended_next_hop;
  if (peer_type(options, self) == PeerType::ebgp) ours.role = options.role;
  return open;
}

Result<Negotiated, wire::MessageError> negotiate(const PeerOptions& options, const LocalIdentity& self,
                                                 const wire::Open& received) {
  const wire::Capabilities& theirs = received.capabilities;
  const PeerType type = peer_type(options, self);

  // 1. Who is it? (RFC 4271 s.6.2)
  if (received.asn != options.remote_as) return unexpected(open_error(notify::kBadPeerAs));
  // Within one AS identifiers are unique, so our own can only be a mistake; another AS may use the same (RFC 6286
  // s.2.2).
  if (type == PeerType::ibgp && received.router_id == self.router_id)
    return unexpected(open_error(notify::kBadIdentifier));

  // 2. What does it want of us? (RFC 9234 s.4.2, RFC 5492 s.5)
  if (!roles_agree(options, type, theirs)) return unexpected(open_error(notify::kRoleMismatch));
  Negotiated agreed;
  for (std::size_t family = 0; family < kFamilies; ++family)
    // Only a family that both sides want is used; at least one must remain.
    agreed.families[family] = options.families[family] && wants(theirs, static_cast<Family>(family));
  if (std::none_of(agreed.families.begin(), agreed.families.end(), [](bool common) { return common; }))
    return unexpected(open_error(notify::kUnsupportedCapability, needed_capabilities(options)));

  // 3. The common ground.
  agreed.remote_id = received.router_id;
  agreed.peer_type = type;
  agreed.hold_s = std::min(options.timers.hold_s, received.hold_time_s);
  agreed.peer_hold_s = received.hold_time_s;
  agreed.keepalive_s = keepalive_interval(options, agreed.hold_s);
  agreed.route_refresh = theirs.route_refresh;
  agreed.enhanced_refresh = theirs.enhanced_refresh && theirs.route_refresh;
  agreed.peer_role = type == PeerType::ebgp ? theirs.role : Role::none;
  for (const wire::RawCapability& capability : theirs.unknown) agreed.unknown_capabilities.push_back(capability.code);

  wire::UpdateContext context;
  context.four_octet_as = options.four_octet_as && theirs.four_octet_as.has_value();
  context.families = agreed.families;
  context.ipv4_over_ipv6_next_hop = options.extended_next_hop && theirs.ipv4_over_ipv6_next_hop;
  context.peer_type = type;
  context.max_message =
      options.extended_messages && theirs.extended_messages ? wire::kMaxExtendedMessage : wire::kMaxMessage;
  agreed.send = agreed.receive = context;
  // We accept the full length but send less: kMaxSentMessage says for whom.
  agreed.send.max_message = std::min(context.max_message, wire::kMaxSentMessage);
  for (std::size_t family = 0; family < kFamilies; ++family) {
    agreed.receive.add_path_receive[family] =
        // The peer must have offered to send. Our own half was in make_open().
        options.add_path_receive && agreed.families[family] && (theirs.add_path[family] & kAddPathSend) != 0;
  }

  if (options.graceful_restart != GracefulRestart::off && theirs.graceful_restart) {
    agreed.peer_graceful_restart = theirs.graceful_restart;
    for (std::size_t family = 0; family < kFamilies; ++family) {
      // RFC 4724 s.3: a family the session does not carry keeps no routes.
      const bool common = agreed.families[family] && theirs.graceful_restart->families[family];
      agreed.peer_graceful_restart->families[family] = common;
      agreed.peer_graceful_restart->forwarding_preserved[family] =
          common && theirs.graceful_restart->forwarding_preserved[family];
    }
  }
  return agreed;
}

}  // namespace minibgp::session
