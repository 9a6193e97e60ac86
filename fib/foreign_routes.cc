#include <fib/foreign_routes.h>

#include <algorithm>

namespace minibgp::fib {

void ForeignRoutes::count_length(const Prefix& prefix, int change) {
  std::uint32_t& count = lengths_[static_cast<std::size_t>(prefix.family)][prefix.length_bits];
  count = change > 0 ? count + 1 : count - 1;
}

bool ForeignRoutes::on_route(const ForeignRoute& route) {
  const auto [found, added] = by_prefix_.try_emplace(route.key.prefix);
  if (added) count_length(route.key.prefix, 1);
  Entries& entries = found->second;
  for (Entry& entry : entries) {
    if (entry.route.key != route.key || entry.route.protocol != route.protocol) continue;
    entry.generation = generation_;
    if (entry.route == route) return false;
    entry.route = route;
    return true;
  }
  entries.push_back({route, generation_});
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.route.key.metric < b.route.key.metric; });
  ++size_;
  return true;
}

bool ForeignRoutes::on_gone(const RouteKey& key, std::uint8_t protocol) {
  const auto found = by_prefix_.find(key.prefix);
  if (found == by_prefix_.end()) return false;
  const auto erased = std::erase_if(
      found->second, [&](const Entry& entry) { return entry.route.key == key && entry.route.protocol == protocol; });
  size_ -= erased;
  if (found->second.empty()) {
    count_length(key.prefix, -1);
    by_prefix_.erase(found);
  }
  return erased != 0;
}

bool ForeignRoutes::end_dump() {
  bool changed = false;
  for (auto at = by_prefix_.begin(); at != by_prefix_.end();) {
    const auto erased =
        std::erase_if(at->second, [this](const Entry& entry) { return entry.generation != generation_; });
    size_ -= erased;
    changed = changed || erased != 0;
    if (at->second.empty()) {
      count_length(at->first, -1);
      at = by_prefix_.erase(at);
    } else {
      ++at;
    }
  }
  return changed;
}

const ForeignRoute* ForeignRoutes::exact(const Prefix& prefix) const {
  const auto found = by_prefix_.find(prefix);
  return found == by_prefix_.end() ? nullptr : &found->second.front().route;
}

const ForeignRoute* ForeignRoutes::covering(const Prefix& prefix) const {
  const auto& lengths = lengths_[static_cast<std::size_t>(prefix.family)];
  for (int length = prefix.length_bits; length >= 0; --length) {
    if (lengths[static_cast<std::size_t>(length)] == 0) continue;
    const auto* route = exact(Prefix::of(prefix.address(), static_cast<std::uint8_t>(length)));
    if (route != nullptr) return route;
  }
  return nullptr;
}

const ForeignRoute* ForeignRoutes::lookup(const IpAddress& address) const {
  return covering(Prefix::of(address, address_bits(address.family)));
}

const ForeignRoute* ForeignRoutes::inside(const Prefix& range, std::uint8_t length_bits) const {
  for (const auto& [prefix, entries] : by_prefix_)
    if (prefix.length_bits > length_bits && range.covers(prefix)) return &entries.front().route;
  return nullptr;
}

bool ForeignRoutes::occupies(const RouteKey& key) const {
  const auto found = by_prefix_.find(key.prefix);
  return found != by_prefix_.end() && std::any_of(found->second.begin(), found->second.end(),
                                                  [&](const Entry& entry) { return entry.route.key == key; });
}

}  // namespace minibgp::fib
