/// The clock of the BGP sockets (bgp/net). Monotonic; it stands still while the machine is suspended.
#pragma once

#include <bgp/types.h>

#include <chrono>

namespace minibgp::net {

[[nodiscard]] inline Time now() {
  return Time{std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch())};
}

}  // namespace minibgp::net
