/// Deferral: what waits for the peers' tables after our own restart (RFC 4724 s.4.1). Two things do. Route selection,
/// and with it what is advertised, waits where our forwarding state was preserved. Kernel routes that an earlier run
/// left wait longer, in any case: who adopted them removes what no peer announced when this ends.
#pragma once

#include <bgp/speaker/peer_table.h>
#include <bgp/speaker/peering.h>
#include <bgp/types.h>

#include <cstdint>

namespace minibgp::speaker {

/// Peers without graceful restart may never send End-of-RIB: after this much time their table counts as complete.
inline constexpr Duration kInitialTableTime = std::chrono::seconds{5};

class Deferral {
 public:
  /// `deadline`: it ends then, whatever is missing. `preserved`: selection is deferred.
  Deferral(Time deadline, bool preserved) : deadline_(deadline), preserved_(preserved) {}

  /// Routes are not selected yet.
  [[nodiscard]] bool defers_selection() const { return preserved_ && !selection_done_; }
  /// Every table is complete, or the deadline has come.
  [[nodiscard]] bool over() const { return adoption_done_; }
  /// Looks again. `settled`: no route is still swept, and each next hop is known. Whether selection begins now.
  [[nodiscard]] bool ends_selection(const PeerTable& peers, bool settled, Time now);
  /// When time alone makes a table complete.
  [[nodiscard]] Time next_deadline(const PeerTable& peers, Time now) const;

  /// Whether the peer may go on with routes of ours that it had before our restart: it helps, and did not restart
  /// itself.
  [[nodiscard]] static bool keeps_ours(const Peering& peering);

 private:
  enum class Awaited : std::uint8_t { by_selection, by_adoption };
  [[nodiscard]] static bool table_complete(const Peering& peering, Awaited awaited, Time now);
  [[nodiscard]] static bool tables_complete(const PeerTable& peers, Awaited awaited, Time now);

  Time deadline_;
  bool preserved_;
  bool selection_done_ = false;  ///< Every table that need be waited for is complete.
  bool adoption_done_ = false;
};

}  // namespace minibgp::speaker
