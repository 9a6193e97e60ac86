#include <bgp/base/assert.h>
#include <bgp/speaker/sweep.h>

#include <algorithm>

namespace minibgp::speaker {

Sweeper::Jobs& Sweeper::wait(PeerId peer) {
  BGP_ASSERT(peer != kLocalPeer);
  if (index_of(peer) >= waiting_.size()) waiting_.resize(index_of(peer) + 1);
  waiting_any_ = true;
  return waiting_[index_of(peer)];
}

void Sweeper::remove_old(PeerId peer, Family family, std::uint8_t keep_epochs) {
  const auto i = static_cast<std::size_t>(family);
  Jobs& jobs = wait(peer);
  jobs.remove_old[i] = true;
  jobs.keep_epochs[i] = keep_epochs;
  // The walk under way goes by the newest word too: what it would remove may have to stay now.
  if (index_of(peer) < now_.size() && now_[index_of(peer)].remove_old[i])
    now_[index_of(peer)].keep_epochs[i] = keep_epochs;
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
  BGP_ASSERT(false);
  return 0;
}

}  // namespace minibgp::speaker
