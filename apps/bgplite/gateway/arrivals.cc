#include <apps/bgplite/gateway/arrivals.h>

#include <algorithm>

namespace bgplite {

using minibgp::PeerId;
using minibgp::PeerStatus;
using minibgp::Time;

bool Arrivals::on_established(const PeerStatus& peer, std::span<const PeerStatus> all, Time now) {
  // Another peer of the same AS carries the traffic meanwhile, so this one need not be used with half a table.
  const bool beside = std::any_of(all.begin(), all.end(), [&](const PeerStatus& other) {
    return other.id != peer.id && other.remote_as == peer.remote_as && other.state == minibgp::PeerState::established &&
           !waits(other.id);
  });
  if (!restart_complete_ || !peer.graceful_restart || !beside) {
    // It may wait since an earlier session.
    waiting_.erase(peer.id);
    return true;
  }
  waiting_[peer.id] = now + kPatience;
  return false;
}

bool Arrivals::on_end_of_rib(const PeerStatus& peer) {
  if (!waits(peer.id)) return false;
  for (std::size_t family = 0; family < minibgp::kFamilies; ++family)
    if (peer.families[family] && !peer.end_of_rib_received[family]) return false;
  waiting_.erase(peer.id);
  return true;
}

std::vector<PeerId> Arrivals::on_time(Time now) {
  std::vector<PeerId> due;
  for (const auto& [peer, until] : waiting_)
    // Collected first: erasing invalidates the iterator.
    if (until <= now) due.push_back(peer);
  for (const PeerId peer : due) waiting_.erase(peer);
  return due;
}

Time Arrivals::next_deadline() const {
  Time next = minibgp::kNever;
  for (const auto& [peer, until] : waiting_) next = std::min(next, until);
  return next;
}

}  // namespace bgplite
