/// The clock of the netlink rims. Monotonic; it stands still while the machine is suspended.
#pragma once

#include <bgp/types.h>

#include <chrono>

namespace minibgp::netlink {

[[nodiscard]] inline Time now() {
  return Time{std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch())};
}

}  // namespace minibgp::netlink
