#include <bgp/speaker/own_routes.h>

#include <cstdint>
#include <utility>

namespace minibgp::speaker {
namespace {

/// What FRR gives its own routes: they win unless the operator gives others more.
constexpr std::uint32_t kOwnWeight = 32768;

}  // namespace

void OwnRoutes::announce(const Prefix& prefix, const PathAttributes& attributes) {
  AttrId id{};
  // A part of a network goes behind what others know of it; what matters of it is that peers hear it.
  const bool part = attributes.local.network_bits != 0;
  if (part) {
    PathAttributes last = attributes;
    last.local.weight = 0;
    last.local_pref = 0;
    id = attributes_.intern(last);
  } else if (attributes.local.weight == 0) {
    PathAttributes weighted = attributes;
    weighted.local.weight = kOwnWeight;
    id = attributes_.intern(weighted);
  } else {
    id = attributes_.intern(attributes);
  }
  // The map holds a reference of its own beside the route's.
  const auto [known, added] = routes_.try_emplace(prefix, id);
  if (!added) attributes_.release(std::exchange(known->second, id));
  // Its network covers a part already.
  if (!part && facts_.own_networks.exact(prefix) == nullptr) {
    facts_.own_networks.insert(prefix, 1);
    facts_.changed = true;
  } else if (part && facts_.own_networks.erase(prefix)) {
    facts_.changed = true;
  }
  table_.set_path(prefix, {kLocalPeer, 0}, id, id);
}

void OwnRoutes::withdraw(const Prefix& prefix) {
  const auto known = routes_.find(prefix);
  if (known == routes_.end()) return;
  table_.remove_path(prefix, {kLocalPeer, 0});
  attributes_.release(known->second);
  routes_.erase(known);
  if (facts_.own_networks.erase(prefix)) facts_.changed = true;
}

std::vector<AnnouncedSnapshot> OwnRoutes::all() const {
  std::vector<AnnouncedSnapshot> all;
  for (const auto& [prefix, id] : routes_) all.push_back({prefix, attributes_.load(id)});
  return all;
}

}  // namespace minibgp::speaker
