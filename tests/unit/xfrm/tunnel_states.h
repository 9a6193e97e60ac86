/// TunnelStates: what TunnelTable makes of each event in each situation, by trying it: the table of docs/failover.md.
#pragma once

#include <xfrm/tunnel.h>

#include <string>
#include <string_view>
#include <vector>

namespace minibgp::xfrm::testing {

struct Cell {
  std::string_view situation, event;
  TunnelState state{};  ///< Right after the event, and the grace that belongs to it.
  Reason reason{};
  TunnelState later{};  ///< An hour on: no packet comes in, kernel and charon say nothing.
  Reason later_reason{};
};
/// Each situation with each event; the event "nothing happens" comes first.
[[nodiscard]] std::vector<Cell> all_cells();

/// The tables of docs/failover.md between its markers.
[[nodiscard]] std::string states_markdown();

}  // namespace minibgp::xfrm::testing
