#include <bgp/base/assert.h>
#include <bgp/rib/table.h>

#include <algorithm>
#include <bit>
#include <utility>

namespace minibgp::rib {
namespace {

/// Paths beyond the first that are allocated for `count` paths in all: 1, 3, 7, ...
constexpr std::uint32_t more_capacity(std::uint32_t count) { return count < 2 ? 0 : std::bit_ceil(count) - 1; }

}  // namespace

Table::Table(AttrTable& attributes, NextHopIndex& next_hops)
    : attributes_(attributes), next_hops_(next_hops), selection_(attributes) {
  // Our own paths need facts before the first of them is set; they are all zero.
  set_peer(kLocalPeer, PeerFacts{});
}

Table::~Table() {
  for (std::uint32_t id = routes_.next(0); id < routes_.bound(); id = routes_.next(id + 1)) delete[] routes_[id].more;
}

bool Table::set_peer(PeerId peer, const PeerFacts& facts) {
  if (index_of(peer) >= peers_.size()) peers_.resize(index_of(peer) + 1);
  return std::exchange(peers_[index_of(peer)].facts, facts) != facts;
}

std::optional<RouteId> Table::find(const Prefix& prefix) const {
  const std::uint32_t id =
      index_.find(hash_of(prefix), [&](std::uint32_t other) { return routes_[other].prefix == prefix; });
  if (id == base::FlatIndex::kNotFound) return std::nullopt;
  return RouteId{id};
}

// --- Paths ---------------------------------------------------------------------------------------------------------

std::uint32_t Table::add_slot(Route& route) {
  const std::uint32_t index = route.path_count;
  BGP_ASSERT(index <= Route::kPathsMax);  // set_path() refuses a peer's path where there are that many.
  const std::uint32_t capacity = more_capacity(index);
  // Grows when the count passes a power of two, so most paths are added without an allocation.
  if (more_capacity(index + 1) != capacity) {
    Path* const larger = new Path[more_capacity(index + 1)];
    std::copy_n(route.more, capacity, larger);
    delete[] route.more;
    route.more = larger;
    more_paths_ += more_capacity(index + 1) - capacity;
  }
  ++route.path_count;
  ++path_count_;
  route.path(index) = Path{};
  return index;
}

/// Keeps the order of the others.
void Table::remove_slot(Route& route, std::uint32_t index) {
  const std::uint32_t last = route.path_count - 1U;
  // The paths in use are in front in the order of preference, so paths move up instead of the last filling the gap.
  for (std::uint32_t i = index; i < last; ++i) route.path(i) = route.path(i + 1);
  if (index < route.best) --route.best;
  const std::uint32_t capacity = more_capacity(route.path_count);
  --route.path_count;
  --path_count_;
  if (more_capacity(last) == capacity) return;
  Path* smaller = nullptr;
  if (const std::uint32_t count = more_capacity(last); count > 0) {
    smaller = new Path[count];
    std::copy_n(route.more, count, smaller);
  }
  delete[] route.more;
  route.more = smaller;
  more_paths_ -= capacity - more_capacity(last);
}

void Table::take_path(Path& path, AttrId received, AttrId accepted) {
  // Before the old ones are dropped: both may be the same attributes.
  attributes_.add_ref(received);
  attributes_.add_ref(accepted);
  path.received = received;
  path.accepted = accepted;
  PeerCounts& counts = peers_[index_of(path.peer)].counts;
  ++counts.received;
  if (accepted == kNoAttributes) return;
  ++counts.accepted;
  // Only accepted paths use a next hop; one that policy refused must not keep it being looked up.
  if (next_hops_.tracked() && path.peer != kLocalPeer)
    next_hops_.acquire(path.peer, attributes_.next_hop(accepted).address);
  read_usability(path);
}

void Table::drop_path(const Path& path) {
  PeerCounts& counts = peers_[index_of(path.peer)].counts;
  --counts.received;
  if (path.accepted != kNoAttributes) {
    --counts.accepted;
    if (next_hops_.tracked() && path.peer != kLocalPeer)
      next_hops_.release(path.peer, attributes_.next_hop(path.accepted).address);
  }
  attributes_.release(path.received);
  attributes_.release(path.accepted);
}

void Table::read_usability(Path& path) const {
  path.flags &= static_cast<std::uint8_t>(~path_flag::kUnusable);
  if (path.accepted == kNoAttributes || path.peer == kLocalPeer || !next_hops_.active()) return;
  if (!next_hops_.state(path.peer, attributes_.next_hop(path.accepted).address).usable)
    path.flags |= path_flag::kUnusable;
}

bool Table::set_path(const Prefix& prefix, PathKey key, AttrId received, AttrId accepted) {
  BGP_DCHECK(received != kNoAttributes);
  const std::uint64_t hash = hash_of(prefix);
  std::uint32_t slot = index_.find(hash, [&](std::uint32_t other) { return routes_[other].prefix == prefix; });
  if (slot == base::FlatIndex::kNotFound) {
    slot = routes_.insert();
    routes_[slot].prefix = prefix;
    // After the prefix was stored: when the index grows it reads the prefixes of all routes.
    index_.insert(hash, slot, [this](std::uint32_t other) { return hash_of(routes_[other].prefix); });
  } else if (routes_[slot].path_count == 0) {
    --without_paths_;  // It comes back before its withdrawal was sent everywhere.
  }
  const RouteId id{slot};
  Route& route = routes_[slot];
  std::uint32_t index = 0;
  std::uint32_t of_peer = 0;
  for (; index < route.path_count; ++index) {
    if (route.path(index).peer != key.peer) continue;
    if (route.path(index).path_id == key.path_id) break;
    // Paths of this peer with other path identifiers (RFC 7911).
    ++of_peer;
  }

  if (index == route.path_count) {
    if (of_peer >= Route::kPathsOfPeerMax) return false;
    if (index >= Route::kPathsMax && key.peer != kLocalPeer) return false;
    index = add_slot(route);
    Path& path = route.path(index);
    path.peer = key.peer;
    path.path_id = key.path_id;
    // Before it is counted as current: the epoch says to which session the path belongs.
    renew(route, path);
    ++peers_[index_of(key.peer)].counts.current;
    take_path(path, received, accepted);
    select_after_change(id, route, index, true);
    return true;
  }
  Path& path = route.path(index);
  // A path kept from before the restart was announced again, so it counts as current now.
  if (stale(route, path)) ++peers_[index_of(key.peer)].counts.current;
  renew(route, path);
  // The same announcement again: nothing is selected or sent.
  if (path.received == received && path.accepted == accepted) return true;
  save_in_use(route);
  // The new attributes are taken first, because they may share references with the old ones.
  const Path old = path;
  take_path(path, received, accepted);
  drop_path(old);
  if (old.accepted != accepted) select_after_change(id, route, index, false);
  return true;
}

bool Table::remove_path(const Prefix& prefix, PathKey key) {
  const std::optional<RouteId> id = find(prefix);
  if (!id) return false;
  const Route& known = route(*id);
  for (std::uint32_t index = 0; index < known.path_count; ++index) {
    if (known.path(index).peer != key.peer || known.path(index).path_id != key.path_id) continue;
    remove_path_at(*id, index);
    return true;
  }
  return false;
}

void Table::remove_path_at(RouteId id, std::uint32_t index) {
  Route& found = mutable_route(id);
  BGP_ASSERT(index < found.path_count);  // remove_path() and the sweep found it in this route.
  save_in_use(found);
  const bool was_in_use = index < found.best;
  // Only the path in front counts as the best one of its peer.
  if (index == 0 && found.best != 0) --peers_[index_of(found.first.peer)].counts.best;
  // The next one of the set becomes the best; select_all() below may choose otherwise.
  const bool promoted = index == 0 && found.best > 1;
  if (!stale(found, found.path(index))) --peers_[index_of(found.path(index).peer)].counts.current;
  drop_path(found.path(index));
  remove_slot(found, index);
  if (promoted) ++peers_[index_of(found.first.peer)].counts.best;
  after_removal(id, found, was_in_use);
}

void Table::after_removal(RouteId id, Route& route, bool was_in_use) {
  if (route.path_count == 0) {
    // Which groups advertised it is known to them alone: all are asked when the change is handed out.
    route.withdrawals_due = Route::kNotCounted;
    ++without_paths_;
    changed_.add(number(id));
    return;
  }
  // A path that lost may still have kept another of its neighboring AS from winning (MED).
  if (was_in_use || (route.path_count > 1 && !options_.decide.always_compare_med)) select_all(id, route);
}

void Table::set_accepted_at(RouteId id, std::uint32_t index, AttrId accepted) {
  Route& found = mutable_route(id);
  Path& path = found.path(index);
  if (path.accepted == accepted) return;
  save_in_use(found);
  const Path old = path;
  take_path(path, old.received, accepted);
  drop_path(old);
  select_after_change(id, found, index, false);
}

// --- Selection -----------------------------------------------------------------------------------------------------

Candidate Table::candidate(const Route& route, std::uint32_t index) const {
  const Path& path = route.path(index);
  Candidate candidate;
  candidate.attributes = path.accepted;
  candidate.attrs = &attributes_.hot(path.accepted);
  candidate.peer = &peers_[index_of(path.peer)].facts;
  candidate.peer_id = path.peer;
  candidate.path_id = path.path_id;
  // Only this one is kept by prefer_oldest: the others in use are not the best.
  candidate.in_use = index == 0 && route.best != 0;
  if (next_hops_.active() && path.peer != kLocalPeer)
    candidate.igp_cost = next_hops_.state(path.peer, attributes_.next_hop(path.accepted).address).cost;
  return candidate;
}

/// What the paths in use were, before one of them is touched: select_all() compares with it.
void Table::save_in_use(const Route& route) {
  in_use_.clear();
  for (std::uint32_t i = 0; i < route.best; ++i) {
    const Path& path = route.path(i);
    in_use_.push_back({path.peer, path.path_id, path.accepted});
  }
}

/// After path `index` was added (`fresh`) or replaced. Compares with the present best only, where that is enough:
/// a fresh path that loses is not the best, nor is any path that it displaces within its neighboring AS. It joins the
/// others in use if it is equal up to the cost. It removes one of them if it beats that one by MED within an AS that is
/// not the best's, which it can only do when it is equal to the best up to MED. One that wins by a rule that does not
/// depend on the neighboring AS wins against all.
void Table::select_after_change(RouteId id, Route& route, std::uint32_t index, bool fresh) {
  if (fresh) {
    // Refused, or its next hop cannot be used: it is kept, but nothing changes.
    if (!eligible(route.path(index))) return;
    if (route.best == 0) {
      in_use_.clear();
      put_in_front(id, route, index);
      return;
    }
    const Candidate challenger = candidate(route, index);
    const Candidate best = candidate(route, 0);
    const Verdict verdict = decide(challenger, best, options_.decide);
    const bool may_join = options_.maximum_paths > 1 && verdict.rule > Rule::igp_cost;
    const bool may_displace = route.best > 1 && verdict.rule > Rule::med;
    if (!verdict.first_wins && !may_join && !may_displace) return;
    const bool wins_against_all =
        // With several paths in use the others have to be looked at in any case.
        verdict.first_wins && options_.maximum_paths <= 1 &&
        (verdict.rule < Rule::med || route.path_count == 2 || options_.decide.always_compare_med ||
         (verdict.rule != Rule::med && challenger.attrs->neighbor_as == best.attrs->neighbor_as));
    if (wins_against_all) {
      --peers_[index_of(route.first.peer)].counts.best;
      put_in_front(id, route, index);
      return;
    }
    save_in_use(route);
  }
  select_all(id, route);
}

/// Makes path `index` the only one in use.
void Table::put_in_front(RouteId id, Route& route, std::uint32_t index) {
  // Paths behind the one in use have no order, so a swap is enough.
  if (index != 0) std::swap(route.first, route.path(index));
  route.best = 1;
  ++peers_[index_of(route.first.peer)].counts.best;
  changed_.add(number(id));
}

/// Chooses among all paths. save_in_use() was called before anything was touched.
void Table::select_all(RouteId id, Route& route) {
  candidates_.clear();
  slots_.clear();
  for (std::uint32_t i = 0; i < route.path_count; ++i) {
    if (!eligible(route.path(i))) continue;
    candidates_.push_back(candidate(route, i));
    slots_.push_back(i);
  }
  const auto chosen = selection_.choose(candidates_, options_);

  bool same = chosen.size() == in_use_.size();
  // The same paths in the same order with the same attributes: no one has to be told.
  for (std::size_t i = 0; i < chosen.size() && same; ++i) {
    const Path& path = route.path(slots_[chosen[i]]);
    same = in_use_[i] == InUse{path.peer, path.path_id, path.accepted};
  }
  const bool in_place = [&] {
    for (std::uint32_t i = 0; i < chosen.size(); ++i)
      if (slots_[chosen[i]] != i) return false;
    return true;
  }();
  if (route.best != 0) --peers_[index_of(route.first.peer)].counts.best;
  if (!in_place) {
    // Copied in two passes, because the chosen ones can come from anywhere in the list.
    ordered_.clear();
    for (const std::uint32_t choice : chosen) ordered_.push_back(route.path(slots_[choice]));
    for (std::uint32_t i = 0; i < route.path_count; ++i) {
      const bool leads = std::any_of(chosen.begin(), chosen.end(), [&](std::uint32_t c) { return slots_[c] == i; });
      if (!leads) ordered_.push_back(route.path(i));
    }
    for (std::uint32_t i = 0; i < route.path_count; ++i) route.path(i) = ordered_[i];
  }
  route.best = static_cast<std::uint16_t>(chosen.size());
  if (route.best != 0) ++peers_[index_of(route.first.peer)].counts.best;
  if (!same) changed_.add(number(id));
}

void Table::reselect(RouteId id) {
  Route& found = mutable_route(id);
  if (found.path_count == 0) return;
  save_in_use(found);
  // The state of next hops may have changed since the flags were set.
  for (std::uint32_t i = 0; i < found.path_count; ++i) read_usability(found.path(i));
  select_all(id, found);
}

// --- Routes that are going -----------------------------------------------------------------------------------------

void Table::set_withdrawals_due(RouteId id, std::uint32_t groups) {
  Route& gone = mutable_route(id);
  BGP_ASSERT(gone.path_count == 0);  // Exporter::route_changed() asks for it.
  gone.withdrawals_due = groups;
  if (groups != 0) return;
  // No group holds the route, so its id is free again.
  index_.erase(hash_of(gone.prefix), number(id));
  routes_.erase(number(id));
  --without_paths_;
}

void Table::add_withdrawal_due(RouteId id) {
  Route& gone = mutable_route(id);
  BGP_ASSERT(gone.path_count == 0);  // Callers ask for it: a group copies what another has to withdraw.
  if (gone.withdrawals_due != Route::kNotCounted) ++gone.withdrawals_due;
}

void Table::withdrawn(RouteId id) {
  Route& gone = mutable_route(id);
  BGP_ASSERT(gone.path_count == 0);  // Callers ask for it, once the withdrawal of a route is written.
  // The change was not handed out yet: route_changed() counts the groups later.
  if (gone.withdrawals_due == Route::kNotCounted) return;
  BGP_ASSERT(gone.withdrawals_due > 0);  // Each group that was counted withdraws it once.
  set_withdrawals_due(id, gone.withdrawals_due - 1U);
}

}  // namespace minibgp::rib
