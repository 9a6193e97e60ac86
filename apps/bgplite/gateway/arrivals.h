/// Arrivals: from when on a peer that came back is used. Make before break: beside other peers of its AS, which carry
/// the traffic meanwhile, it is used when it has sent everything, because with half of its table some traffic would
/// take a next hop that it is about to correct. Pure.
///
/// Not during a restart of ours: the kernel's routes wait for every peer's table then. Peers without graceful restart
/// may never send End-of-RIB (RFC 4724 s.2), so they are used at once.
#pragma once

#include <bgp/peer.h>
#include <bgp/types.h>

#include <chrono>
#include <map>
#include <span>
#include <vector>

namespace bgplite {

class Arrivals {
 public:
  /// A peer that has not sent End-of-RIB after this is used without it.
  static constexpr std::chrono::seconds kPatience{5};

  /// Our own restart is over.
  void on_restart_complete() { restart_complete_ = true; }
  /// The session with `peer` is Established; `all` are the sessions of every peer. True: the peer is used at once.
  [[nodiscard]] bool on_established(const minibgp::PeerStatus& peer, std::span<const minibgp::PeerStatus> all,
                                    minibgp::Time now);
  /// True: the peer waited, and has now sent all its families: it is used from now on.
  [[nodiscard]] bool on_end_of_rib(const minibgp::PeerStatus& peer);
  void remove(minibgp::PeerId peer) { waiting_.erase(peer); }
  void clear() { waiting_.clear(); }
  /// Peers that waited long enough.
  [[nodiscard]] std::vector<minibgp::PeerId> on_time(minibgp::Time now);
  [[nodiscard]] minibgp::Time next_deadline() const;
  [[nodiscard]] bool waits(minibgp::PeerId peer) const { return waiting_.count(peer) != 0; }
  [[nodiscard]] std::size_t count() const { return waiting_.size(); }

 private:
  bool restart_complete_ = false;
  std::map<minibgp::PeerId, minibgp::Time> waiting_;  ///< And until when at the latest.
};

}  // namespace bgplite
