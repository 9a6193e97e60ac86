/// What the interface of a session's local address gives the engine (LinkAddresses): its addresses of both families,
/// and whether the peer is on its link.
#pragma once

#include <bgp/inputs.h>
#include <bgp/net/socket_options.h>
#include <bgp/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace minibgp::net {

/// One address of one interface.
struct InterfaceAddress {
  std::string interface;
  std::uint32_t index = 0;
  IpAddress address;
  std::uint8_t length_bits = 0;
  IpAddress remote;  ///< The other end of a point-to-point link; unset where there is none.
  bool loopback = false;
};

/// All of this network namespace; empty when the kernel does not answer.
[[nodiscard]] std::vector<InterfaceAddress> read_interface_addresses();

/// Of the session from `local` (its device is set for IPv6 link-local addresses) to `peer`. Of several IPv6 addresses
/// the lowest is taken, so that the choice does not change with their order; of IPv4 ones the kernel's first, which is
/// the primary.
[[nodiscard]] LinkAddresses link_addresses(std::span<const InterfaceAddress> all, const Endpoint& local,
                                           const IpAddress& peer);

}  // namespace minibgp::net
