#include <bgp/base/assert.h>
#include <bgp/text.h>
#include <fib/next_hop_map.h>

#include <algorithm>
#include <cstring>

namespace minibgp::fib {
namespace {

bool is_default(const ForeignRoute& route) { return route.key.prefix.length_bits == 0; }

/// A point-to-point address has its network at the other end.
Prefix network_of(const AddressInfo& address) {
  return Prefix::of(address.remote != address.local ? address.remote : address.local, address.length_bits);
}

Resolution unusable(NextHopReason reason, std::string detail = {}) {
  Resolution result;
  result.reason = reason;
  result.detail = std::move(detail);
  return result;
}

}  // namespace

std::string_view to_text(NextHopReason reason) {
  switch (reason) {
    case NextHopReason::resolved:
      return "resolved";
    case NextHopReason::starting:
      return "the kernel was not read yet";
    case NextHopReason::no_route:
      return "no route to it";
    case NextHopReason::only_default_route:
      return "only the default route leads to it";
    case NextHopReason::interface_missing:
      return "its interface does not exist";
    case NextHopReason::interface_down:
      return "its interface is down";
    case NextHopReason::tunnel_down:
      return "its tunnel is down";
    case NextHopReason::peer_down:
      return "its peer is down";
    case NextHopReason::own_address:
      return "it is an address of this host";
    case NextHopReason::refused:
      return "the kernel refused it";
  }
  return "";
}

// --- What holds ----------------------------------------------------------------------------------------------------

bool NextHopMap::on_link(const LinkInfo& link) {
  LinkEntry& entry = links_[link.index];
  // Marked for end_dump(), which removes what was not seen.
  entry.seen = true;
  if (entry.link == link) return false;
  entry.link = link;
  return true;
}

bool NextHopMap::on_link_gone(IfIndex index) {
  const auto addresses =
      // Its addresses go with it, whether they are reported or not.
      std::erase_if(addresses_, [index](const AddressEntry& entry) { return entry.address.interface == index; });
  return links_.erase(index) != 0 || addresses != 0;
}

bool NextHopMap::on_address(const AddressInfo& address) {
  for (AddressEntry& entry : addresses_) {
    AddressInfo& known = entry.address;
    // The key of an address: its flags may change while it stays.
    if (known.interface != address.interface || known.local != address.local || known.remote != address.remote ||
        known.length_bits != address.length_bits)
      continue;
    entry.seen = true;
    if (known == address) return false;
    known = address;
    return true;
  }
  addresses_.push_back({address, true});
  return true;
}

bool NextHopMap::on_address_gone(const AddressInfo& address) {
  return std::erase_if(addresses_, [&](const AddressEntry& entry) {
           const AddressInfo& known = entry.address;
           return known.interface == address.interface && known.local == address.local &&
                  known.remote == address.remote && known.length_bits == address.length_bits;
         }) != 0;
}

void NextHopMap::begin_dump() {
  for (auto& [index, entry] : links_) entry.seen = false;
  for (AddressEntry& entry : addresses_) entry.seen = false;
}

bool NextHopMap::end_dump() {
  const auto links = std::erase_if(links_, [](const auto& item) { return !item.second.seen; });
  const auto addresses = std::erase_if(addresses_, [](const AddressEntry& entry) { return !entry.seen; });
  return links != 0 || addresses != 0;
}

bool NextHopMap::set_interface_usable(std::string_view interface, bool usable, std::string_view reason) {
  const auto [found, added] = tunnels_.try_emplace(std::string(interface));
  Tunnel& tunnel = found->second;
  // The reason is part of the state: it is shown to the operator.
  if (!added && tunnel.usable == usable && tunnel.reason == reason) return false;
  tunnel.usable = usable;
  tunnel.reason = reason;
  return true;
}

bool NextHopMap::set_interface_suspect(std::string_view interface, bool suspect) {
  const auto found = tunnels_.find(interface);
  if (found == tunnels_.end() && !suspect) return false;
  Tunnel& tunnel = found != tunnels_.end() ? found->second : tunnels_[std::string(interface)];
  return std::exchange(tunnel.suspect, suspect) != suspect;
}

bool NextHopMap::forget_interface(std::string_view interface) {
  const auto found = tunnels_.find(interface);
  if (found == tunnels_.end()) return false;
  tunnels_.erase(found);
  return true;
}

bool NextHopMap::set_peer(PeerId peer, const PeerBinding& binding) {
  Peer& known = peers_[peer];
  if (known.binding == binding) return false;
  known.binding = binding;
  return true;
}

bool NextHopMap::remove_peer(PeerId peer) { return peers_.erase(peer) != 0; }

bool NextHopMap::set_peer_usable(PeerId peer, bool usable) {
  Peer& known = peers_[peer];
  return std::exchange(known.usable, usable) != usable;
}

bool NextHopMap::set_resolve_via_default(bool yes) { return std::exchange(resolve_via_default_, yes) != yes; }

bool NextHopMap::refuse(const Via& via, int error, Time until) {
  for (RefusedVia& refused : refused_) {
    if (!same_way(refused.via, via)) continue;
    refused.error = error;
    // Refused again: the time is extended, but no next hop changes.
    refused.until = until;
    return false;
  }
  refused_.push_back({via, error, until});
  return true;
}

bool NextHopMap::expire_refusals(Time now) {
  return std::erase_if(refused_, [now](const RefusedVia& refused) { return refused.until <= now; }) != 0;
}

Time NextHopMap::next_deadline() const {
  Time next = kNever;
  for (const RefusedVia& refused : refused_) next = std::min(next, refused.until);
  return next;
}

bool NextHopMap::set_ready() { return !std::exchange(ready_, true); }

// --- Next hops -----------------------------------------------------------------------------------------------------

NextHopRef NextHopMap::track(const TrackedNextHop& next_hop) {
  // The empty reference is replaced right below; a next hop is resolved once, however many sets use it.
  const auto [found, added] = by_key_.try_emplace(next_hop);
  if (added) {
    const std::uint32_t id = entries_.insert();
    found->second = NextHopRef{id};
    entries_[id].key = next_hop;
    entries_[id].resolution = resolve(next_hop);
  }
  ++entries_[index(found->second)].users;
  return found->second;
}

void NextHopMap::untrack(NextHopRef ref) {
  Entry& entry = entries_[index(ref)];
  BGP_ASSERT(entry.users > 0);  // Sets and interests untrack each reference that track() gave them, once.
  if (--entry.users != 0) return;
  by_key_.erase(entry.key);
  entries_.erase(index(ref));
}

std::vector<NextHopMap::Change> NextHopMap::refresh() {
  std::vector<Change> changes;
  // O(next hops). Each is resolved anew, because a link or an address may concern any of them.
  for (std::uint32_t id = entries_.next(0); id < entries_.bound(); id = entries_.next(id + 1)) {
    Entry& entry = entries_[id];
    Resolution now = resolve(entry.key);
    // An unusable next hop keeps the way it had, so that this alone is no change.
    if (!now.usable) now.via = entry.resolution.via;
    if (now == entry.resolution) continue;
    changes.push_back({NextHopRef{id}, std::exchange(entry.resolution, std::move(now))});
  }
  return changes;
}

bool NextHopMap::way_in_use(const Via& via, std::optional<Source> source) const {
  for (std::uint32_t id = entries_.next(0); id < entries_.bound(); id = entries_.next(id + 1)) {
    const Entry& entry = entries_[id];
    if (entry.resolution.usable && same_way(entry.resolution.via, via) && (!source || entry.key.source == *source))
      return true;
  }
  return false;
}

const LinkInfo* NextHopMap::link_named(std::string_view name) const {
  for (const auto& [index, entry] : links_)
    if (entry.link.name == name) return &entry.link;
  return nullptr;
}

const LinkInfo* NextHopMap::link(IfIndex index) const {
  const auto found = links_.find(index);
  return found == links_.end() ? nullptr : &found->second.link;
}

Resolution NextHopMap::through(const LinkInfo* link, const IpAddress& gateway, bool onlink) const {
  if (link == nullptr) return unusable(NextHopReason::interface_missing);
  if (!link->up) return unusable(NextHopReason::interface_down, link->name);
  const auto tunnel = tunnels_.find(link->name);
  if (tunnel != tunnels_.end() && !tunnel->second.usable)
    return unusable(NextHopReason::tunnel_down, tunnel->second.reason);
  Resolution result;
  result.suspect = tunnel != tunnels_.end() && tunnel->second.suspect;
  result.via = Via{gateway, link->index, 1, onlink};
  // The kernel refused it for what it is: it is unusable until expire_refusals() lets it be tried again.
  for (const RefusedVia& refused : refused_)
    if (same_way(refused.via, result.via)) return unusable(NextHopReason::refused, std::strerror(refused.error));
  result.usable = true;
  result.reason = NextHopReason::resolved;
  return result;
}

/// The link whose own network has `address`: the preferred one if it does, else the longest prefix, usable links first.
const LinkInfo* NextHopMap::connected(const IpAddress& address, std::string_view preferred) const {
  const LinkInfo* best = nullptr;
  int best_rank = -1;
  for (const AddressEntry& entry : addresses_) {
    const AddressInfo& candidate = entry.address;
    if (candidate.local.family != address.family) continue;
    // A host address is no network: no other host is on it.
    if (candidate.remote == candidate.local && candidate.length_bits == address_bits(address.family)) continue;
    if (!network_of(candidate).contains(address)) continue;
    const LinkInfo* on = link(candidate.interface);
    if (on == nullptr) continue;
    // Powers of two above the largest length (128): the preferred link first, then links that are usable, then length.
    const int rank = (!preferred.empty() && on->name == preferred ? 1024 : 0) +
                     (through(on, address, false).usable ? 512 : 0) + candidate.length_bits;
    if (rank > best_rank) best = on, best_rank = rank;
  }
  return best;
}

Resolution NextHopMap::resolve_by_foreign(const IpAddress& address) const {
  const ForeignRoute* route = foreign_.lookup(address);
  if (route == nullptr || !route->unicast) return unusable(NextHopReason::no_route);
  // A default route leads everywhere, so it says nothing about this next hop.
  if (is_default(*route) && !resolve_via_default_) return unusable(NextHopReason::only_default_route);
  Resolution last = unusable(NextHopReason::no_route);
  for (const Via& via : route->vias) {
    last = through(link(via.interface), via.gateway.is_set() ? via.gateway : address, via.onlink);
    if (!last.usable) continue;
    // At least 1, because 0 is the cost of a connected next hop.
    last.cost = route->key.metric == 0xFFFFFFFFU ? route->key.metric : route->key.metric + 1;
    last.detail = "by " + to_text(route->key.prefix);
    break;
  }
  return last;
}

Resolution NextHopMap::resolve(const TrackedNextHop& next_hop) const {
  const IpAddress& address = next_hop.next_hop.address;
  const IpAddress& link_local = next_hop.next_hop.link_local;
  if (!ready_) return unusable(NextHopReason::starting);

  // 1. A way that names its interface.
  if (next_hop.index != kNoInterface) return through(link(next_hop.index), address, next_hop.onlink);
  if (!next_hop.interface.empty()) {
    const LinkInfo* named = link_named(next_hop.interface);
    const LinkInfo* on = address.is_set() ? connected(address, next_hop.interface) : named;
    // On a named interface whose network does not have the gateway, the kernel accepts it only as on-link.
    return through(named, address, address.is_set() && !address.is_link_local_v6() && on != named);
  }

  // 2. The peer it comes from.
  const auto peer = peers_.find(PeerId{static_cast<std::uint16_t>(next_hop.source)});
  // Sources beyond 16 bits are not peers: static routes and the program's own.
  const bool from_peer = static_cast<std::uint32_t>(next_hop.source) <= 0xFFFF && peer != peers_.end();
  if (from_peer && !peer->second.usable) return unusable(NextHopReason::peer_down);
  const std::string_view bound = from_peer ? std::string_view(peer->second.binding.interface) : std::string_view();
  const LinkInfo* const bound_link = bound.empty() ? nullptr : link_named(bound);
  if (is_local(address)) return unusable(NextHopReason::own_address);

  // 3. IPv6 link-local: means something on the peer's interface only.
  if (address.is_link_local_v6()) {
    if (bound.empty()) return unusable(NextHopReason::no_route, "link-local without an interface");
    return through(bound_link, address, false);
  }

  // 4. On a connected network.
  if (const LinkInfo* on = connected(address, bound); on != nullptr) return through(on, address, false);

  // 5. By the link-local half of the next hop (RFC 2545 s.3), on the peer's own link.
  if (link_local.is_link_local_v6() && !bound.empty() && peer->second.binding.direct)
    return through(bound_link, link_local, false);

  // 6. By a route of somebody else, one level deep: gateways of kernel routes are on a link.
  return resolve_by_foreign(address);
}

// --- Questions -----------------------------------------------------------------------------------------------------

bool NextHopMap::is_local(const IpAddress& address) const {
  return std::any_of(addresses_.begin(), addresses_.end(),
                     [&](const AddressEntry& entry) { return entry.address.local == address; });
}

bool NextHopMap::kernel_takes(const Via& via) const {
  const LinkInfo* const on = link(via.interface);
  if (on == nullptr || !on->up) return false;
  // The kernel asks for no network of a gateway that is on-link or link-local.
  if (!via.gateway.is_set() || via.onlink || via.gateway.is_link_local_v6()) return true;
  return std::any_of(addresses_.begin(), addresses_.end(), [&](const AddressEntry& entry) {
    return entry.address.interface == via.interface && network_of(entry.address).contains(via.gateway);
  });
}

std::vector<NextHopMap::Connected> NextHopMap::connected_networks() const {
  std::vector<Connected> result;
  for (const AddressEntry& entry : addresses_) {
    const AddressInfo& address = entry.address;
    if (address.local.is_link_local_v6()) continue;
    result.push_back({network_of(address), std::string(name_of(address.interface))});
  }
  return result;
}

std::vector<IpAddress> NextHopMap::peer_addresses() const {
  std::vector<IpAddress> result;
  for (const auto& [id, peer] : peers_)
    // A link-local address would say nothing without its link.
    if (peer.binding.address.is_set() && !peer.binding.address.is_link_local_v6())
      result.push_back(peer.binding.address);
  return result;
}

IpAddress NextHopMap::local_address_in(std::span<const Prefix> networks, Family family) const {
  for (const Prefix& network : networks) {
    if (network.family != family) continue;
    IpAddress best;
    for (const AddressEntry& entry : addresses_) {
      // A tentative address cannot be used as a source yet.
      if (entry.address.tentative || !network.contains(entry.address.local)) continue;
      // The lowest, so that the answer does not depend on the order in which addresses came.
      if (!best.is_set() || entry.address.local < best) best = entry.address.local;
    }
    if (best.is_set()) return best;
  }
  return {};
}

std::string_view NextHopMap::name_of(IfIndex index) const {
  const LinkInfo* found = link(index);
  return found == nullptr ? std::string_view() : std::string_view(found->name);
}

std::vector<InterfaceStatus> NextHopMap::interfaces() const {
  std::vector<InterfaceStatus> result;
  for (const auto& [index, entry] : links_) {
    InterfaceStatus status{index, entry.link.name, entry.link.up, std::nullopt, {}};
    if (const auto tunnel = tunnels_.find(entry.link.name); tunnel != tunnels_.end()) {
      status.tunnel_usable = tunnel->second.usable;
      status.reason = tunnel->second.reason;
    }
    result.push_back(std::move(status));
  }
  return result;
}

}  // namespace minibgp::fib
