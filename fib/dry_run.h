/// Operations for the kernel as lines a human reads, in iproute2's words: for the dry run and for logs.
#pragma once

#include <fib/kernel_port.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace minibgp::fib {

/// The name of an interface; empty when unknown.
using InterfaceName = std::function<std::string_view(IfIndex)>;

/// "via 169.254.10.1 dev ipsec0 onlink weight 2"
[[nodiscard]] std::string to_text(const Via& via, const InterfaceName& name);
/// "route add 192.168.10.0/24 via 169.254.10.1 dev ipsec0 metric 20 proto 155"
[[nodiscard]] std::string to_text(const RouteOp& op, std::uint8_t protocol, const InterfaceName& name);
/// "nexthop replace id 1660878848 via 169.254.10.1 dev ipsec0 proto 155"
[[nodiscard]] std::string to_text(const NextHopOp& op, const InterfaceName& name);

}  // namespace minibgp::fib
