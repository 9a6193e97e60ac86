#include <fib/watches.h>

namespace minibgp::fib {

NextHopState state_of(PeerId peer, const IpAddress& next_hop, const Resolution& resolution, const NextHopMap& map) {
  NextHopState state;
  state.peer = peer;
  state.next_hop = next_hop;
  state.usable = resolution.usable;
  state.cost = resolution.cost;
  state.reason = resolution.reason;
  state.detail = resolution.detail;
  if (resolution.usable) {
    state.gateway = resolution.via.gateway;
    state.interface = map.name_of(resolution.via.interface);
  }
  return state;
}

void Watches::watch(PeerId peer, const IpAddress& next_hop) {
  const auto [found, added] = next_hops_.try_emplace({peer, next_hop});
  ++found->second.users;
  if (!added) return;
  TrackedNextHop tracked;
  tracked.source = source_of(peer);
  tracked.next_hop.address = next_hop;
  found->second.ref = map_.track(tracked);
  // Nothing is reported before the kernel was read once: all would look unusable.
  if (begun_) next_hop_changes_.push_back(state_of(peer, next_hop, map_.resolution(found->second.ref), map_));
}

void Watches::unwatch(PeerId peer, const IpAddress& next_hop) {
  const auto found = next_hops_.find({peer, next_hop});
  if (found == next_hops_.end() || --found->second.users != 0) return;
  map_.untrack(found->second.ref);
  next_hops_.erase(found);
}

void Watches::begin() {
  begun_ = true;
  for (const auto& [key, watched] : next_hops_)
    next_hop_changes_.push_back(state_of(key.first, key.second, map_.resolution(watched.ref), map_));
}

void Watches::on_next_hops_changed(std::span<const NextHopMap::Change> changes) {
  if (!begun_) return;
  for (const NextHopMap::Change& change : changes) {
    // The map also tracks next hops of routes; a watched one is found by its reference.
    const TrackedNextHop& tracked = map_.tracked(change.ref);
    const auto peer = PeerId{static_cast<std::uint16_t>(tracked.source)};
    const auto watched = next_hops_.find({peer, tracked.next_hop.address});
    // Two trackings of one next hop have one reference, so another reference is another next hop.
    if (watched == next_hops_.end() || watched->second.ref != change.ref) continue;
    const Resolution& now = map_.resolution(change.ref);
    Resolution before = change.before;
    before.suspect = now.suspect;  // Only shares follow from that.
    if (before == now) continue;
    next_hop_changes_.push_back(state_of(peer, tracked.next_hop.address, now, map_));
  }
}

bool Watches::present(const Prefix& prefix, NetworkWatch watch) const {
  if (watch == NetworkWatch::exact_route) return map_.foreign().exact(prefix) != nullptr;
  const ForeignRoute* route = map_.foreign().covering(prefix);
  return route != nullptr && route->key.prefix.length_bits != 0;
}

void Watches::look_at_networks() {
  for (auto& [key, watched] : networks_) {
    const bool is_present = present(key.first, key.second);
    // The first answer is reported in any case.
    if (watched.reported && watched.present == is_present) continue;
    watched = {is_present, true};
    network_changes_.push_back({key.first, key.second, is_present});
  }
}

std::optional<NetworkChange> Watches::take_network() {
  if (network_changes_.empty()) return std::nullopt;
  const NetworkChange change = network_changes_.front();
  network_changes_.pop_front();
  return change;
}

}  // namespace minibgp::fib
