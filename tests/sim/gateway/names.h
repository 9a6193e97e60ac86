/// Names and numbers of a simulated gateway's tunnels.
#pragma once

#include <fib/route.h>

#include <cstddef>
#include <string>

namespace bgplite::sim {

[[nodiscard]] inline std::string tunnel_name(std::size_t tunnel) { return "tun" + std::to_string(tunnel); }
/// charon's name for its connection.
[[nodiscard]] inline std::string connection_name(std::size_t tunnel) { return "bgplite-" + tunnel_name(tunnel); }
/// Also the index of its interface in the kernel.
[[nodiscard]] inline std::uint32_t if_id_of(std::size_t tunnel) { return static_cast<std::uint32_t>(tunnel + 1); }
[[nodiscard]] inline minibgp::fib::IfIndex index_of(std::size_t tunnel) {
  return minibgp::fib::IfIndex{if_id_of(tunnel)};
}

}  // namespace bgplite::sim
