/// Routes and next-hop objects <-> rtnetlink bytes. Our own appender, because libnl's route objects cost more than the
/// kernel's own work, and libnl 3.7 knows no next-hop objects; a test reads our bytes back with libnl.
///
/// Reading is for dumps and notifications: it takes what fib/ knows of a route and leaves the rest.
#pragma once

#include <fib/kernel_port.h>
#include <fib/netlink/message.h>

#include <cstdint>
#include <optional>

namespace minibgp::netlink {

/// Appends one message. `protocol` is rtm_protocol of routes and nh_protocol of objects.
void append_route(MessageWriter& writer, const fib::RouteOp& op, std::uint8_t protocol, std::uint32_t sequence);
void append_next_hop(MessageWriter& writer, const fib::NextHopOp& op, std::uint32_t sequence);

/// Requests for whole tables.
void append_route_dump(MessageWriter& writer, Family family, std::uint32_t sequence);
void append_next_hop_dump(MessageWriter& writer, std::uint32_t sequence);
void append_link_dump(MessageWriter& writer, std::uint32_t sequence);
void append_address_dump(MessageWriter& writer, std::uint32_t sequence);

/// RTM_NEWROUTE or RTM_DELROUTE. Nothing for what is no route of a table in our sense: cached clones, routes to the
/// host itself, broadcast, multicast, routes by type of service.
[[nodiscard]] std::optional<fib::KernelRoute> parse_route(Bytes payload);
/// RTM_NEWNEXTHOP or RTM_DELNEXTHOP; nothing for malformed ones.
[[nodiscard]] std::optional<fib::KernelNextHop> parse_next_hop(Bytes payload);

}  // namespace minibgp::netlink
