#include <bgp/text.h>
#include <fib/forwarding.h>

#include <utility>

namespace minibgp::fib {
namespace {

std::size_t hash_of(const Forwarding& forwarding) {
  std::size_t hash =
      (static_cast<std::size_t>(forwarding.next_hop) << 9U |
       static_cast<std::size_t>(forwarding.former_protocol) << 1U | static_cast<std::size_t>(forwarding.taken_over)) *
      0x9E3779B97F4A7C15U;
  const auto mix = [&hash](std::size_t value) { hash = (hash ^ value) * 0xD6E8FEB86659FD93U + (hash >> 29U); };
  mix(std::hash<IpAddress>{}(forwarding.preferred_source));
  for (const Via& via : forwarding.vias) {
    mix(std::hash<IpAddress>{}(via.gateway));
    mix(static_cast<std::size_t>(via.interface) << 20U | static_cast<std::size_t>(via.weight) << 1U |
        static_cast<std::size_t>(via.onlink));
  }
  return hash;
}

}  // namespace

std::string to_text(const RouteKey& key) {
  return to_text(key.prefix) + " metric " + std::to_string(key.metric) + " table " + std::to_string(key.table);
}

ForwardingId ForwardingTable::intern(const Forwarding& forwarding) {
  const std::size_t hash = hash_of(forwarding);
  const auto [begin, end] = by_hash_.equal_range(hash);
  for (auto at = begin; at != end; ++at) {
    if (entries_[index(at->second)].forwarding != forwarding) continue;
    ref(at->second);
    return at->second;
  }
  const ForwardingId id{entries_.insert()};
  entries_[index(id)] = Entry{forwarding, 1};
  by_hash_.emplace(hash, id);
  if (forwarding.next_hop != kNoNextHopId) by_next_hop_.emplace(forwarding.next_hop, id);
  return id;
}

void ForwardingTable::forget(ForwardingId id) {
  const Forwarding& forwarding = entries_[index(id)].forwarding;
  const auto drop = [id](auto& map, const auto& key) {
    const auto [begin, end] = map.equal_range(key);
    for (auto at = begin; at != end; ++at) {
      if (at->second != id) continue;
      map.erase(at);
      return;
    }
  };
  drop(by_hash_, hash_of(forwarding));
  if (const NextHopId next_hop = forwarding.next_hop; next_hop != kNoNextHopId) {
    drop(by_next_hop_, next_hop);
    // The last forwarding that names it has gone; the injector gives the object up.
    if (!by_next_hop_.contains(next_hop)) unused_.push_back(next_hop);
  }
  entries_.erase(index(id));
}

std::vector<NextHopId> ForwardingTable::take_unused_next_hops() {
  // One that was named again since is in use.
  std::vector<NextHopId> unused;
  for (const NextHopId id : std::exchange(unused_, {}))
    if (!by_next_hop_.contains(id)) unused.push_back(id);
  return unused;
}

std::size_t ForwardingTable::references_to(NextHopId id) const {
  std::size_t count = 0;
  const auto [begin, end] = by_next_hop_.equal_range(id);
  for (auto at = begin; at != end; ++at) count += references(at->second);
  return count;
}

}  // namespace minibgp::fib
