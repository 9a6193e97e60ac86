/// Watches: what the speaker asked about, and what of it changed: next hops (is it usable, how) and networks (has the
/// kernel a route to it). Answers begin when the kernel was read once.
#pragma once

#include <bgp/types.h>
#include <fib/inputs.h>
#include <fib/next_hop_map.h>
#include <fib/status.h>

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace minibgp::fib {

struct NetworkChange {
  Prefix prefix;
  NetworkWatch watch = NetworkWatch::exact_route;
  bool present = false;
};

class Watches {
 public:
  /// `map` outlives it.
  explicit Watches(NextHopMap& map) : map_(map) {}

  /// Each watch() of a next hop is ended by one unwatch().
  void watch(PeerId peer, const IpAddress& next_hop);
  void unwatch(PeerId peer, const IpAddress& next_hop);
  /// A network is reported by the next look_at_networks().
  void watch(const Prefix& network, NetworkWatch watch) { networks_[{network, watch}] = {}; }
  void unwatch(const Prefix& network, NetworkWatch watch) { networks_.erase({network, watch}); }
  void forget_networks() { networks_.clear(); }

  /// The kernel was read once: each watched next hop is reported.
  void begin();
  /// Next hops whose resolution changed.
  void on_next_hops_changed(std::span<const NextHopMap::Change> changes);
  /// The kernel's other routes changed.
  void look_at_networks();

  [[nodiscard]] std::vector<NextHopState> take_next_hops() { return std::exchange(next_hop_changes_, {}); }
  [[nodiscard]] std::optional<NetworkChange> take_network();

 private:
  struct WatchedNextHop {
    NextHopRef ref{};
    std::uint32_t users = 0;
  };
  struct WatchedNetwork {
    bool present = false;
    bool reported = false;
  };
  [[nodiscard]] bool present(const Prefix& prefix, NetworkWatch watch) const;

  NextHopMap& map_;
  bool begun_ = false;
  std::map<std::pair<PeerId, IpAddress>, WatchedNextHop> next_hops_;
  std::map<std::pair<Prefix, NetworkWatch>, WatchedNetwork> networks_;
  std::vector<NextHopState> next_hop_changes_;
  std::deque<NetworkChange> network_changes_;
};

/// A next hop as it is shown and reported.
[[nodiscard]] NextHopState state_of(PeerId peer, const IpAddress& next_hop, const Resolution& resolution,
                                    const NextHopMap& map);

}  // namespace minibgp::fib
