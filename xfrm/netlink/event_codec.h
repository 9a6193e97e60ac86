/// Netlink messages of XFRM, links, addresses and single routes as values, and the requests this folder sends. Messages
/// about SAs carry keys: nothing of an algorithm attribute is read but that it is there.
///
/// Pure. Not here: sockets (monitor.h).
#pragma once

#include <bgp/types.h>
#include <fib/netlink/message.h>
#include <xfrm/inputs.h>
#include <xfrm/interfaces.h>
#include <xfrm/tunnel_table.h>

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include <linux/xfrm.h>

namespace minibgp::xfrm {

/// A policy as the kernel gave it: to be sent back with other templates. Holds no secret.
struct PolicySeen {
  xfrm_userpolicy_info info{};
  std::vector<xfrm_user_tmpl> templates;
  std::uint32_t if_id = 0;
  bool marked = false;  ///< Has a mark: not ours to touch.
};
using XfrmEvent = std::variant<Sa, SaGone, SasFlushed, SaCounters, PolicySeen>;

/// nullopt: nothing we need, a larval SA of a negotiation that has not finished, not ESP, or malformed. Direction is
/// set where the kernel says it (6.10 and later).
[[nodiscard]] std::optional<XfrmEvent> decode_xfrm(const netlink::Message& message);

using LinkEvent = std::variant<Link, LinkGone, AddressSeen, RouteFound, NeighborSeen>;
[[nodiscard]] std::optional<LinkEvent> decode_link(const netlink::Message& message);

/// What marks a route as ours.
struct RouteOwner {
  std::uint8_t protocol = 0;
  std::uint32_t table = 254;
};

/// Requests. Each appends one message.
void request_sa_dump(netlink::MessageWriter& out, std::uint32_t sequence);
void request_policy_dump(netlink::MessageWriter& out, std::uint32_t sequence);
/// Counters of one SA by GETAE, whose answer has no keys, unlike GETSA's.
void request_counters(netlink::MessageWriter& out, std::uint32_t sequence, const SaKey& key);
void update_policy(netlink::MessageWriter& out, std::uint32_t sequence, const PolicySeen& policy);
void request_link_dump(netlink::MessageWriter& out, std::uint32_t sequence);
void request_address_dump(netlink::MessageWriter& out, std::uint32_t sequence);
/// The route entry the kernel would use for `destination` (RTM_F_FIB_MATCH), whatever the size of the table.
void request_sa_deletion(netlink::MessageWriter& out, std::uint32_t sequence, const SaKey& key);
/// The routes of one family with the owner's protocol and table; older kernels (before 4.20) answer with all.
void request_route_dump(netlink::MessageWriter& out, std::uint32_t sequence, Family family, const RouteOwner& owner);
/// nullopt: not a host route of the owner's.
[[nodiscard]] std::optional<OwnRoute> decode_own_route(const netlink::Message& message, const RouteOwner& owner);
void request_route(netlink::MessageWriter& out, std::uint32_t sequence, const IpAddress& destination);

void request_step(netlink::MessageWriter& out, std::uint32_t sequence, const LinkStep& step, const RouteOwner& owner);

/// The address in an xfrm_address_t of `family` (AF_INET, AF_INET6).
[[nodiscard]] IpAddress from_kernel(const xfrm_address_t& address, std::uint16_t family);
[[nodiscard]] xfrm_address_t to_kernel(const IpAddress& address);

}  // namespace minibgp::xfrm
