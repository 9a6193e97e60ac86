#include <bgp/base/assert.h>
#include <bgp/speaker/sweep.h>

#include <algorithm>
#include <utility>

namespace minibgp::speaker {

Sweeper::Jobs& Sweeper::wait(PeerId peer) {
  BGP_ASSERT(peer != kLocalPeer);  // Callers hold a Peering, whose id add_peer() keeps below kLocalPeer.
  if (index_of(peer) >= waiting_.size()) waiting_.resize(index_of(peer) + 1);
  waiting_any_ = true;
  return waiting_[index_of(peer)];
}

void Sweeper::remove_old(PeerId peer, Family family, std::uint8_t kept) {
  const auto i = static_cast<std::size_t>(family);
  Jobs& jobs = wait(peer);
  // Epochs are counted modulo 256. lag() keeps the distance small, so that the younger of two can be told.
  const auto age = [&](std::uint8_t epoch) { return static_cast<std::uint8_t>(table_.epoch(peer, family) - epoch); };
  if (!std::exchange(jobs.remove_old[i], true)) {
    // `first_kept` stays as the oldest job had it, because lag() measures from there.
    jobs.kept[i] = jobs.first_kept[i] = kept;
  } else if (age(kept) < age(jobs.kept[i])) {
    jobs.kept[i] = kept;
  }
}

void Sweeper::remove_unusable(PeerId peer) { wait(peer).remove_unusable = true; }

std::uint8_t Sweeper::lag(PeerId peer) const {
  std::uint8_t most = 0;
  for (const std::vector<Jobs>* all : {&now_, &waiting_}) {
    if (index_of(peer) >= all->size()) continue;
    const Jobs& jobs = (*all)[index_of(peer)];
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      const auto i = static_cast<std::size_t>(family);
      if (!jobs.remove_old[i]) continue;
      most = std::max(most, static_cast<std::uint8_t>(table_.epoch(peer, family) - jobs.first_kept[i]));
    }
  }
  return most;
}

void Sweeper::judge_again(PeerId peer) { wait(peer).judge = true; }
void Sweeper::read_next_hops(PeerId peer) { wait(peer).next_hops = true; }
void Sweeper::report(PeerId peer) { wait(peer).report = true; }
void Sweeper::reselect_all() { reselect_waiting_ = waiting_any_ = true; }

bool Sweeper::idle(PeerId peer) const {
  const std::size_t i = index_of(peer);
  return !(i < now_.size() && now_[i].any()) && !(i < waiting_.size() && waiting_[i].any());
}

void Sweeper::begin() {
  now_.swap(waiting_);
  std::fill(waiting_.begin(), waiting_.end(), Jobs{});
  reselect_now_ = reselect_waiting_;
  reselect_waiting_ = waiting_any_ = false;
  walking_ = true;
  cursor_ = rib::RouteId{0};
}

void Sweeper::finish() {
  std::fill(now_.begin(), now_.end(), Jobs{});
  reselect_now_ = walking_ = false;
}

std::uint32_t Sweeper::index_of_path(rib::RouteId id, Key key) const {
  const rib::Route& route = table_.route(id);
  for (std::uint32_t i = 0; i < route.path_count; ++i)
    if (route.path(i).peer == key.peer && route.path(i).path_id == key.path_id) return i;
  BGP_ASSERT(false);  // visit() took the key from this route, and only ever removes the path of the key at hand.
  return 0;
}

}  // namespace minibgp::speaker
