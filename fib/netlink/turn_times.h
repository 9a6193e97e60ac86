/// TurnTimes: how long the loop is kept busy, and how long the last failover took. For status and metrics.
#pragma once

#include <bgp/types.h>
#include <fib/status.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace minibgp::netlink {

class TurnTimes {
 public:
  /// A batch was handed to the kernel, so long after the turn or the input began. `failovers`: Forwarder::failovers();
  /// the first batch after it rose is the one that takes the dead next hops out of their groups.
  void on_batch(Duration took, std::uint64_t failovers) {
    longest_ = std::max(longest_, took);
    if (std::exchange(failovers_, failovers) != failovers) last_failover_ = took;
  }
  void add_to(fib::FibCounters& counters) const {
    counters.longest_turn_ns = longest_.count();
    counters.last_failover_ns = last_failover_.count();
  }

 private:
  std::uint64_t failovers_ = 0;  ///< As said last.
  Duration longest_{}, last_failover_{};
};

}  // namespace minibgp::netlink
