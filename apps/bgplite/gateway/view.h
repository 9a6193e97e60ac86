/// GatewayView: what a Gateway and its parts may know of the other machines' state at the moment of an input.
#pragma once

#include <bgp/peer.h>
#include <bgp/types.h>
#include <fib/status.h>

#include <optional>
#include <string>
#include <vector>

namespace bgplite {

/// The other machines' state, read only. Answers are true at the moment of the call.
class GatewayView {
 public:
  virtual ~GatewayView() = default;
  [[nodiscard]] virtual std::vector<minibgp::PeerStatus> sessions() const = 0;
  [[nodiscard]] virtual std::optional<minibgp::PeerStatus> session(minibgp::PeerId peer) const = 0;
  [[nodiscard]] virtual bool has_fib() const = 0;
  [[nodiscard]] virtual std::vector<minibgp::fib::NextHopState> next_hops() const = 0;
  [[nodiscard]] virtual minibgp::fib::FibCounters fib_counters() const = 0;
  [[nodiscard]] virtual bool has_tunnels() const = 0;
  [[nodiscard]] virtual bool tunnel_usable(const std::string& tunnel) const = 0;
  [[nodiscard]] virtual std::string followed(const std::string& group) const = 0;
};

}  // namespace bgplite
