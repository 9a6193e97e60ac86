/// Which next hops the paths of each peer use, and what is known of them: usable? at what cost? A next hop belongs to a
/// (peer, address) pair, so that one peer's dead tunnel never hurts another peer's paths through the same gateway.
///
/// It holds no list of routes: a million paths would pay 8 octets each for it. What changed is asked by changed(peer),
/// and the routes are found by one walk over the table (speaker/sweep.h).
#pragma once

#include <bgp/speaker_options.h>
#include <bgp/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace minibgp::rib {

class NextHopIndex {
 public:
  struct State {
    bool usable = true;
    std::uint32_t cost = 0;
  };
  struct Interest {
    PeerId peer{};
    IpAddress next_hop;
    bool wanted = true;
  };

  /// Before the first path.
  void set_tracking(NextHopTracking tracking) { tracking_ = tracking; }
  /// False: next hops are usable until set() says otherwise, nobody asks for interest, and paths are not counted.
  [[nodiscard]] bool tracked() const { return tracking_ == NextHopTracking::tracked; }
  /// False: every next hop is usable at cost 0, without asking.
  [[nodiscard]] bool active() const { return tracked() || told_ > 0; }

  /// One more, or one less, path of `peer` goes to `next_hop`. Only while tracked().
  void acquire(PeerId peer, const IpAddress& next_hop);
  void release(PeerId peer, const IpAddress& next_hop);
  [[nodiscard]] State state(PeerId peer, const IpAddress& next_hop) const;
  /// Whether that may change anything for a path that exists.
  bool set(PeerId peer, const IpAddress& next_hop, State state);
  /// While tracked(): a path goes to a next hop of which nothing was said yet.
  [[nodiscard]] bool waits_for_answers() const;
  /// Whether set() said that it is not usable; any_lost(): of any next hop of the peer.
  [[nodiscard]] bool lost(PeerId peer, const IpAddress& next_hop) const;
  [[nodiscard]] bool any_lost(PeerId peer) const;
  /// Of a peer that was removed: nothing said of its next hops counts any more.
  void forget(PeerId peer);

  /// Interest that began or ended since the last call (tracked only), coalesced: gone and back is nothing.
  [[nodiscard]] std::optional<Interest> take_interest();
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    State state;
    bool told = false;         ///< set() was called.
    bool wanted_told = false;  ///< The interest was handed out.
    bool queued = false;       ///< In interests_.
    std::uint32_t paths = 0;
  };
  using Key = std::pair<PeerId, IpAddress>;
  using Entries = std::map<Key, Entry>;

  [[nodiscard]] Entry& entry(PeerId peer, const IpAddress& next_hop);
  void note(const Key& key, Entry& entry);
  void erase_if_idle(Entries::iterator at);

  NextHopTracking tracking_ = NextHopTracking::assume_usable;
  Entries entries_;                          // A handful per peer; std::map keeps references and order stable.
  Entries::iterator last_ = entries_.end();  ///< Runs of paths share their next hop.
  std::vector<Key> interests_;
  std::size_t told_ = 0;
};

}  // namespace minibgp::rib
