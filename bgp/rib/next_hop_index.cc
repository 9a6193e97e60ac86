#include <bgp/base/assert.h>
#include <bgp/rib/next_hop_index.h>

#include <algorithm>
#include <iterator>

namespace minibgp::rib {

NextHopIndex::Entry& NextHopIndex::entry(PeerId peer, const IpAddress& next_hop) {
  const Key key{peer, next_hop};
  // The same next hop mostly comes many times in a row, once for each route of an UPDATE.
  if (last_ == entries_.end() || last_->first != key) {
    last_ = entries_.try_emplace(key).first;
    if (!last_->second.told) last_->second.state.usable = tracking_ == NextHopTracking::assume_usable;
  }
  return last_->second;
}

void NextHopIndex::acquire(PeerId peer, const IpAddress& next_hop) {
  Entry& known = entry(peer, next_hop);
  if (known.paths++ == 0) note({peer, next_hop}, known);
}

void NextHopIndex::release(PeerId peer, const IpAddress& next_hop) {
  Entry& known = entry(peer, next_hop);
  BGP_ASSERT(known.paths > 0);  // Table acquires and releases for the same AttrId, and tracking never changes.
  if (--known.paths == 0) {
    note({peer, next_hop}, known);
    erase_if_idle(last_);
  }
}

NextHopIndex::State NextHopIndex::state(PeerId peer, const IpAddress& next_hop) const {
  const Key key{peer, next_hop};
  if (last_ != entries_.end() && last_->first == key) return last_->second.state;
  const auto known = entries_.find(key);
  if (known != entries_.end()) return known->second.state;
  return State{tracking_ == NextHopTracking::assume_usable, 0};
}

bool NextHopIndex::set(PeerId peer, const IpAddress& next_hop, State state) {
  Entry& known = entry(peer, next_hop);
  if (!known.told) ++told_;
  known.told = true;
  const bool differs = known.state.usable != state.usable || known.state.cost != state.cost;
  known.state = state;
  // Without tracking every answer counts, since no interest is ever reported.
  return differs && (known.paths > 0 || !tracked());
}

bool NextHopIndex::waits_for_answers() const {
  return tracked() && std::any_of(entries_.begin(), entries_.end(),
                                  [](const auto& entry) { return entry.second.paths > 0 && !entry.second.told; });
}

bool NextHopIndex::lost(PeerId peer, const IpAddress& next_hop) const {
  const auto known = entries_.find(Key{peer, next_hop});
  return known != entries_.end() && known->second.told && !known->second.state.usable;
}

bool NextHopIndex::any_lost(PeerId peer) const {
  // Entries are ordered by peer first, so those of one peer follow each other.
  for (auto at = entries_.lower_bound(Key{peer, IpAddress{}}); at != entries_.end() && at->first.first == peer; ++at)
    if (at->second.told && !at->second.state.usable) return true;
  return false;
}

void NextHopIndex::forget(PeerId peer) {
  for (auto at = entries_.lower_bound(Key{peer, IpAddress{}}); at != entries_.end() && at->first.first == peer;) {
    const auto next = std::next(at);
    if (at->second.told) --told_;
    at->second.told = false;
    erase_if_idle(at);
    at = next;
  }
}

void NextHopIndex::note(const Key& key, Entry& known) {
  // A key is in the list at most once. What is reported is decided when it is taken, so a next hop that comes and goes
  // within a turn is not reported at all.
  if (known.queued) return;
  known.queued = true;
  interests_.push_back(key);
}

void NextHopIndex::erase_if_idle(Entries::iterator at) {
  const Entry& known = at->second;
  // An interest that was reported must be taken back before the entry may go.
  if (known.paths > 0 || known.told || known.queued || known.wanted_told) return;
  if (last_ == at) last_ = entries_.end();
  entries_.erase(at);
}

std::optional<NextHopIndex::Interest> NextHopIndex::take_interest() {
  while (!interests_.empty()) {
    const Key key = interests_.back();
    interests_.pop_back();
    const auto at = entries_.find(key);
    if (at == entries_.end()) continue;
    Entry& known = at->second;
    known.queued = false;
    const bool wanted = known.paths > 0;
    const bool news = wanted != known.wanted_told;
    known.wanted_told = wanted;
    if (!wanted && news && known.told) {
      // Whoever answered will answer again when it is wanted again; an old answer must not count then.
      known.told = false;
      --told_;
    }
    erase_if_idle(at);
    if (news) return Interest{key.first, key.second, wanted};
  }
  return std::nullopt;
}

}  // namespace minibgp::rib
