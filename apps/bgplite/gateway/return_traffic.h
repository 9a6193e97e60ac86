/// ReturnTraffic: what is announced for the return traffic after a loss, put into practice: return_path.h decides, and
/// here it hears of sessions and losses and its parts reach the announcements. Pure.
#pragma once

#include <apps/bgplite/config/config.h>
#include <apps/bgplite/gateway/announcements.h>
#include <apps/bgplite/gateway/effects.h>
#include <apps/bgplite/gateway/peer_table.h>
#include <apps/bgplite/gateway/return_path.h>
#include <apps/bgplite/gateway/view.h>

#include <cstdint>
#include <string>

namespace bgplite {

class ReturnTraffic {
 public:
  /// What it works with; all of it outlives it.
  struct Around {
    const GatewayView& view;
    const PeerTable& peers;
    Announcements& announcements;
    Effects& effects;
  };
  explicit ReturnTraffic(const Around& around) : my_(around) {}

  /// A peer is configured so. The answer is its bit of LocalAttributes::audience; 0: it gets no parts.
  [[nodiscard]] std::uint64_t set_peer(const std::string& key, const Config& config, const PeerConfig& peer);
  void remove_peer(const std::string& key) { path_.remove_peer(key); }
  /// The peer's session began or ended, or its options changed.
  void note_session(minibgp::PeerId peer, const Config& config);
  /// Packets reach the peer, or do not.
  void note_reachable(const std::string& key, bool reachable, minibgp::Time now);
  /// Announces and withdraws what is wanted now. Costs nothing while no tunnel is lost.
  void update(minibgp::Time now);
  [[nodiscard]] minibgp::Time next_deadline() const { return path_.next_deadline(); }
  /// We are going: nothing is announced and nothing withdrawn any more.
  void stop() { stopped_ = true; }

 private:
  Around my_;
  ReturnPath path_;
  bool stopped_ = false;
};

}  // namespace bgplite
