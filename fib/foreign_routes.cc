#include <fib/foreign_routes.h>

#include <algorithm>

namespace minibgp::fib {
namespace {

bool same_gateway(const Via& a, const Via& b) { return a.gateway == b.gateway && a.interface == b.interface; }

/// Whether each of `some` is one of `all`; the weight of a next hop is not told with it alone.
bool contains(const std::vector<Via>& all, const std::vector<Via>& some) {
  return std::all_of(some.begin(), some.end(), [&](const Via& via) {
    return std::any_of(all.begin(), all.end(), [&](const Via& other) { return same_gateway(via, other); });
  });
}

}  // namespace

void ForeignRoutes::count_length(const Prefix& prefix, int change) {
  // Lengths that occur nowhere are passed over by covering().
  std::uint32_t& count = lengths_[static_cast<std::size_t>(prefix.family)][prefix.length_bits];
  count = change > 0 ? count + 1 : count - 1;
}

ForeignRoutes::Entries& ForeignRoutes::entries_of(const Prefix& prefix) {
  const auto [found, added] = by_prefix_.try_emplace(prefix);
  if (added) count_length(prefix, 1);
  return found->second;
}

void ForeignRoutes::drop_if_empty(const Prefix& prefix) {
  const auto found = by_prefix_.find(prefix);
  if (found == by_prefix_.end() || !found->second.empty()) return;
  count_length(prefix, -1);
  by_prefix_.erase(found);
}

void ForeignRoutes::set_ahead(Entry& entry, bool ahead) {
  if (entry.ahead == ahead) return;
  entry.ahead = ahead;
  ahead ? ++ahead_ : --ahead_;
}

void ForeignRoutes::erase(Entries& entries, Entries::iterator at) {
  set_ahead(*at, false);
  // Before the entry goes, which holds the mark.
  entries.erase(at);
  --size_;
}

bool ForeignRoutes::on_dumped(const ForeignRoute& route, bool ahead) {
  Entries& entries = entries_of(route.key.prefix);
  const auto known =
      std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.route == route; });
  const bool changed = known == entries.end() || known->ahead != ahead;
  // Nearly every prefix has one route: it stays where it is.
  if (entries.size() == 1 && known != entries.end()) {
    known->generation = known->dumped = generation_;
    set_ahead(*known, ahead);
    return changed;
  }
  // Behind those of its metric that this dump has shown, in front of those that it has not shown yet.
  if (known != entries.end()) erase(entries, known);
  const auto at = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) {
    // The kernel's order is by metric, and within a metric as the dump shows it.
    return entry.route.key.metric > route.key.metric ||
           (entry.route.key.metric == route.key.metric && entry.generation != generation_);
  });
  const auto made = entries.insert(at, {route, generation_, generation_, false});
  set_ahead(*made, ahead);
  ++size_;
  return changed;
}

const ForeignRoute* ForeignRoutes::on_ours_dumped(const RouteKey& key) {
  // One comparison for nearly all routes of ours: no foreign route has such a length.
  if (lengths_[static_cast<std::size_t>(key.prefix.family)][key.prefix.length_bits] == 0) return nullptr;
  const auto found = by_prefix_.find(key.prefix);
  if (found == by_prefix_.end()) return nullptr;
  const ForeignRoute* in_front = nullptr;
  for (Entry& entry : found->second) {
    // `dumped`: shown by this dump in front of ours, not merely known from a notification.
    if (entry.ahead || entry.dumped != generation_ || entry.route.key != key) continue;
    set_ahead(entry, true);
    if (in_front == nullptr) in_front = &entry.route;
  }
  return in_front;
}

bool ForeignRoutes::on_route(const ForeignRoute& route, Placement placement, bool ours_there) {
  Entries& entries = entries_of(route.key.prefix);
  const bool ipv4 = route.key.prefix.family == Family::ipv4;
  const auto same_key = [&](const Entry& entry) { return entry.route.key == route.key; };
  for (Entry& entry : entries) {
    if (entry.route != route) continue;
    entry.generation = generation_;
    return false;
  }
  // It takes the place of the first with its key, or is what an IPv6 route became that got another next hop.
  const auto replaced = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) {
    return same_key(entry) && (placement == Placement::replaced || (!ipv4 && contains(route.vias, entry.route.vias)));
  });
  if (replaced != entries.end()) {
    replaced->route = route;
    replaced->generation = generation_;
    return true;
  }
  // IPv4 puts a new route in front of others with its key, IPv6 behind them.
  const bool in_front = ipv4 && placement == Placement::created;
  const auto at = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) {
    return entry.route.key.metric > route.key.metric || (in_front && entry.route.key.metric == route.key.metric);
  });
  const auto made = entries.insert(at, {route, generation_, 0, false});
  set_ahead(*made, in_front && ours_there);
  ++size_;
  return true;
}

ForeignRoutes::Gone ForeignRoutes::on_gone(const ForeignRoute& route) {
  const auto found = by_prefix_.find(route.key.prefix);
  if (found == by_prefix_.end()) return Gone::unknown;
  Entries& entries = found->second;
  const auto exact =
      std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.route == route; });
  if (exact != entries.end()) {
    erase(entries, exact);
    drop_if_empty(route.key.prefix);
    return Gone::erased;
  }
  // IPv6 reports the loss of one next hop of a route as the removal of a route with that one.
  if (route.key.prefix.family == Family::ipv4 || route.vias.empty()) return Gone::unknown;
  for (Entry& entry : entries) {
    if (entry.route.key != route.key || entry.route.vias.size() <= route.vias.size() ||
        !contains(entry.route.vias, route.vias))
      continue;
    std::erase_if(entry.route.vias, [&](const Via& via) { return contains(route.vias, {via}); });
    if (entry.route.vias.size() == 1) entry.route.vias[0].weight = 1;
    return Gone::shrunk;
  }
  return Gone::unknown;
}

bool ForeignRoutes::end_dump() {
  bool changed = false;
  for (auto at = by_prefix_.begin(); at != by_prefix_.end();) {
    Entries& entries = at->second;
    // From the back, because entries are erased.
    for (std::size_t i = entries.size(); i-- > 0;) {
      if (entries[i].generation == generation_) continue;
      erase(entries, entries.begin() + static_cast<std::ptrdiff_t>(i));
      changed = true;
    }
    if (entries.empty()) {
      count_length(at->first, -1);
      at = by_prefix_.erase(at);
    } else {
      ++at;
    }
  }
  return changed;
}

void ForeignRoutes::forget_ahead(const RouteKey& key) {
  const auto found = by_prefix_.find(key.prefix);
  if (found == by_prefix_.end()) return;
  const auto at = std::find_if(found->second.begin(), found->second.end(),
                               [&](const Entry& entry) { return entry.ahead && entry.route.key == key; });
  if (at == found->second.end()) return;
  erase(found->second, at);
  drop_if_empty(key.prefix);
}

const ForeignRoute* ForeignRoutes::exact(const Prefix& prefix) const {
  const auto found = by_prefix_.find(prefix);
  // The first one is what the kernel uses: the lowest metric, and of equal ones the first.
  return found == by_prefix_.end() ? nullptr : &found->second.front().route;
}

const ForeignRoute* ForeignRoutes::covering(const Prefix& prefix) const {
  const auto& lengths = lengths_[static_cast<std::size_t>(prefix.family)];
  // At most one probe for each length that occurs.
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
  // O(foreign routes). Asked for own networks only, of which there are few.
  for (const auto& [prefix, entries] : by_prefix_)
    if (prefix.length_bits > length_bits && range.covers(prefix)) return &entries.front().route;
  return nullptr;
}

const ForeignRoute* ForeignRoutes::with_key(const RouteKey& key) const {
  const auto found = by_prefix_.find(key.prefix);
  if (found == by_prefix_.end()) return nullptr;
  for (const Entry& entry : found->second)
    if (entry.route.key == key) return &entry.route;
  return nullptr;
}

bool ForeignRoutes::knows(const ForeignRoute& route) const {
  const auto found = by_prefix_.find(route.key.prefix);
  return found != by_prefix_.end() && std::any_of(found->second.begin(), found->second.end(),
                                                  [&](const Entry& entry) { return entry.route == route; });
}

const ForeignRoute* ForeignRoutes::ahead(const RouteKey& key) const {
  // Nearly always there is none.
  if (ahead_ == 0) return nullptr;
  const auto found = by_prefix_.find(key.prefix);
  if (found == by_prefix_.end()) return nullptr;
  for (const Entry& entry : found->second)
    if (entry.ahead && entry.route.key == key) return &entry.route;
  return nullptr;
}

}  // namespace minibgp::fib
