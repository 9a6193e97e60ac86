/// StaleRoutes: the routes of a peer that restarts, which we keep for it (RFC 4724 s.4.2, RFC 8538): which stay, until
/// when, and when they go. The state is the peer's (Peering::stale, stale_until) and the table's epochs; paths are
/// removed by the sweeper, a bounded number per turn.
#pragma once

#include <bgp/rib/next_hop_index.h>
#include <bgp/rib/table.h>
#include <bgp/session/session.h>
#include <bgp/speaker/peering.h>
#include <bgp/speaker/sweep.h>
#include <bgp/types.h>

namespace minibgp::speaker {

/// A helper gives up on a peer that came back but never says End-of-RIB (RFC 4724 s.4.2 leaves the time to us).
inline constexpr Duration kStalePathTime = std::chrono::seconds{360};

class StaleRoutes {
 public:
  /// All outlive it.
  StaleRoutes(rib::Table& table, rib::NextHopIndex& next_hops, Sweeper& sweeper)
      : table_(table), next_hops_(next_hops), sweeper_(sweeper) {}

  /// Whether the end of a session is a restart to wait for, or the end of the peer's routes.
  [[nodiscard]] bool are_kept(const Peering& peering, const session::Down& down) const;
  /// The session ended, and the peer's routes are kept.
  void begin(Peering& peering, Time now);
  /// The session is up again. Stale paths stay where the peer says that it went on forwarding (RFC 4724 s.4.2).
  void came_back(Peering& peering, Time now);
  /// The stale paths of a family go: the peer has announced what it has.
  void end(Peering& peering, Family family);
  /// The peer did not come back, or came back and never said End-of-RIB: then what it did say stays.
  void time_is_over(Peering& peering);
  /// The way to a next hop of a peer is lost while the peer is away. What leads there must not come back with the way:
  /// whether the peer still forwards is known again when it announces it.
  void next_hop_lost(Peering& peering, const IpAddress& next_hop);
  /// Options changed while the peer restarts: what its routes were kept for does not hold any more where they came from
  /// another peer, over another way, or are not wanted.
  void options_changed(Peering& peering, const PeerOptions& before, Asn speaker_as);
  /// Everything the peer ever said goes.
  void drop_all(Peering& peering);

 private:
  rib::Table& table_;
  rib::NextHopIndex& next_hops_;
  Sweeper& sweeper_;
};

}  // namespace minibgp::speaker
