#include <bgp/base/assert.h>
#include <bgp/text.h>
#include <fib/injector.h>
#include <fib/weights.h>

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

namespace minibgp::fib {
namespace {

/// The reconciler counts tables in eight bits, and a table may be left only after another is used.
constexpr std::size_t kTablesMax = 250;
/// Sorts, and keeps each next hop once, whoever it comes from: with its largest weight.
void merge_equal(std::vector<GroupMember>& members) {
  std::sort(members.begin(), members.end(), [](const GroupMember& a, const GroupMember& b) {
    const auto way = [](const GroupMember& member) {
      return std::tie(member.via.gateway, member.via.interface, member.via.onlink);
    };
    // Sorted by next hop alone first, with the larger weight in front: std::unique() below keeps that one.
    if (way(a) != way(b)) return way(a) < way(b);
    return std::tie(b.via.weight, a.source) < std::tie(a.via.weight, b.source);
  });
  const auto same = [](const GroupMember& a, const GroupMember& b) { return same_way(a.via, b.via); };
  members.erase(std::unique(members.begin(), members.end(), same), members.end());
  // A single next hop carries everything; its weight would only make equal sets look different.
  if (members.size() == 1) members[0].via.weight = 1;
  std::sort(members.begin(), members.end());
}

std::size_t content_hash(Family family, std::span<const SetMember> members, const IpAddress& preferred_source) {
  std::size_t hash = std::hash<IpAddress>{}(preferred_source) + static_cast<std::size_t>(family);
  // The order of the members is part of the hash, so they are sorted before.
  const auto mix = [&hash](std::size_t value) { hash = (hash ^ value) * 0x9E3779B97F4A7C15U + (hash >> 31U); };
  for (const SetMember& member : members) {
    mix(static_cast<std::size_t>(member.next_hop.source) << 16U | member.weight);
    mix(std::hash<IpAddress>{}(member.next_hop.next_hop.address));
    mix(static_cast<std::size_t>(member.next_hop.index));
    mix(std::hash<std::string>{}(member.next_hop.interface));
  }
  return hash;
}

}  // namespace

Injector::Injector(const Options& options, NextHopMap& map, NextHopGroups& groups, Objects use,
                   ForwardingTable& forwardings, Reconciler& reconciler)
    : options_(options),
      map_(map),
      groups_(&groups),
      use_groups_(use == Objects::used),
      forwardings_(forwardings),
      reconciler_(reconciler),
      guard_(map) {
  (void)sets_.insert();  // Index 0 is none.
  tables_.insert(options.table);
}

// --- Sets ----------------------------------------------------------------------------------------------------------

Injector::SetIndex Injector::set_for(Family family, std::vector<SetMember> members, const IpAddress& source) {
  // Sorted, so that the same paths in another order are the same set.
  std::sort(members.begin(), members.end());
  const std::size_t hash = content_hash(family, members, source);
  const auto [begin, end] = by_content_.equal_range(hash);
  for (auto at = begin; at != end; ++at) {
    const NextHopSet& set = sets_[at->second];
    // A hash is only a hint: contents are compared.
    if (set.family == family && set.preferred_source == source && set.members == members) return at->second;
  }
  const SetIndex index = sets_.insert();
  NextHopSet& set = sets_[index];
  set.family = family;
  set.preferred_source = source;
  set.members = std::move(members);
  for (const SetMember& member : set.members) set.refs.push_back(map_.track(member.next_hop));
  set.target = reconciler_.targets().make(kNoForwarding);
  by_content_.emplace(hash, index);
  by_target_.emplace(static_cast<std::uint32_t>(set.target), index);
  return index;
}

bool Injector::as_last(const BestChange& change, const IpAddress& source) const {
  // O(paths). Routes of one UPDATE mostly have the same paths, so the last set is asked before a new list is made.
  return last_set_ != 0 && last_family_ == change.prefix.family && last_source_ == source &&
         std::equal(change.paths.begin(), change.paths.end(), last_paths_.begin(), last_paths_.end(),
                    [](const BestPath& a, const BestPath& b) {
                      return a.peer == b.peer && a.weight == b.weight && a.next_hop == b.next_hop;
                    });
}

Injector::SetIndex Injector::set_for(const BestChange& change) {
  IpAddress source;
  if (change.local != nullptr && change.local->fib_prefsrc) source = *change.local->fib_prefsrc;
  if (as_last(change, source)) return last_set_;
  std::vector<SetMember> members;
  members.reserve(change.paths.size());
  for (const BestPath& path : change.paths) {
    SetMember member;
    member.next_hop.source = source_of(path.peer);
    member.next_hop.next_hop = path.next_hop;
    // At least 1: the kernel has no next hop without a share.
    member.weight = std::max<std::uint16_t>(path.weight, 1);
    members.push_back(std::move(member));
  }
  last_set_ = set_for(change.prefix.family, std::move(members), source);
  last_paths_.assign(change.paths.begin(), change.paths.end());
  last_source_ = source;
  last_family_ = change.prefix.family;
  return last_set_;
}

IpAddress Injector::preferred_source(const NextHopSet& set) const {
  // The kernel refuses a source that is not local.
  const auto if_local = [&](const IpAddress& address) {
    return address.family == set.family && address.is_set() && map_.is_local(address) ? address : IpAddress{};
  };
  if (set.preferred_source.is_set()) return if_local(set.preferred_source);
  switch (options_.preferred_source.mode) {
    case PreferredSource::Mode::automatic:
      return map_.local_address_in(guard_.own_networks(), set.family);
    case PreferredSource::Mode::address:
      // A source that the configuration names counts only while the address is on this host.
      return if_local(options_.preferred_source.address);
    case PreferredSource::Mode::none:
      break;
  }
  return {};
}

void Injector::settle(NextHopSet& set, NextHopId hint) {
  scratch_.clear();
  std::vector<unsigned> shares;
  // Suspects count only beside others: where all are suspect, all keep their shares.
  const bool any_suspect = std::any_of(set.refs.begin(), set.refs.end(), [this](NextHopRef ref) {
    return map_.resolution(ref).usable && map_.resolution(ref).suspect;
  });
  for (std::size_t i = 0; i < set.refs.size(); ++i) {
    const Resolution& resolution = map_.resolution(set.refs[i]);
    if (!resolution.usable) continue;
    GroupMember member{resolution.via, set.members[i].next_hop.source};
    // Beside a suspect way the others get most of the traffic.
    const bool preferred = any_suspect && !resolution.suspect;
    shares.push_back(set.members[i].weight * (preferred ? kWeightOverSuspect : 1U));
    scratch_.push_back(member);
  }
  if (scratch_.empty()) {
    // The target stays without a forwarding, so the reconciler takes the routes of the set out.
    if (!waits_for_speaker(set)) reconciler_.targets().set(set.target, kNoForwarding);
    return;
  }
  set.reselected_by = kNever;
  set_weights(scratch_, std::move(shares));
  merge_equal(scratch_);

  Forwarding forwarding;
  forwarding.preferred_source = preferred_source(set);
  if (groups_ != nullptr && use_groups_) {
    const ForwardingId now = reconciler_.targets().want_of(set.target);
    if (now != kNoForwarding && forwardings_[now].next_hop != kNoNextHopId) hint = forwardings_[now].next_hop;
    forwarding.next_hop = groups_->acquire(scratch_, hint);
    if (groups_->take_claimed()) reconciler_.rescan();
  }
  // No object (the kernel has none, or all ids are in use): the next hops are written into each route.
  if (forwarding.next_hop == kNoNextHopId) {
    for (const GroupMember& member : scratch_) forwarding.vias.push_back(member.via);
    normalize(forwarding.vias);
  }
  const ForwardingId want = forwardings_.intern(forwarding);
  reconciler_.targets().set(set.target, want);
  forwardings_.unref(want);
}

/// Whether the routes of a set without a usable next hop stay as they are for now.
bool Injector::waits_for_speaker(NextHopSet& set) {
  const ForwardingId now = reconciler_.targets().want_of(set.target);
  if (now == kNoForwarding) return false;
  const auto of_peer = [](const SetMember& member) {
    return static_cast<std::uint32_t>(member.next_hop.source) <= 0xFFFF;
  };
  // What the kernel refused it does not have; all else the speaker hears of, too.
  const auto told = [this](NextHopRef ref) {
    const NextHopReason reason = map_.resolution(ref).reason;
    return reason != NextHopReason::refused && reason != NextHopReason::starting;
  };
  // The kernel itself takes a route along with its link, the addresses of its link, or its preferred source: without a
  // word, and it does not bring the route back with them.
  const auto vias = vias_of(forwardings_[now]);
  const IpAddress& source = forwardings_[now].preferred_source;
  if (!std::all_of(set.members.begin(), set.members.end(), of_peer) ||
      !std::any_of(set.refs.begin(), set.refs.end(), told) ||
      !std::all_of(vias.begin(), vias.end(), [this](const Via& via) { return map_.kernel_takes(via); }) ||
      (source.is_set() && !map_.is_local(source))) {
    set.reselected_by = kNever;
    return false;
  }
  if (set.reselected_by == kNever) set.reselected_by = now_ + kReselection;
  if (set.reselected_by <= now_) {
    set.reselected_by = kNever;
    return false;
  }
  reselected_by_ = std::min(reselected_by_, set.reselected_by);
  return true;
}

void Injector::settle_sets() {
  // O(sets), not O(routes): the routes of a set follow its target.
  if (reselected_by_ <= now_) reselected_by_ = kNever;
  for (SetIndex index = sets_.next(1); index < sets_.bound(); index = sets_.next(index + 1)) {
    NextHopSet& set = sets_[index];
    if (reconciler_.targets().routes_of(set.target) != 0) settle(set, kNoNextHopId);
  }
}

std::size_t Injector::on_next_hops_changed(std::span<const NextHopMap::Change> changes) {
  if (changes.empty()) return 0;
  std::size_t died = 0;
  if (groups_ != nullptr) {
    std::vector<NextHopGroups::Dead> dead;
    for (const NextHopMap::Change& change : changes) {
      const Resolution& now = map_.resolution(change.ref);
      // The next hop was not usable before either, or it still is, in the same way.
      if (!change.before.usable || (now.usable && now.via == change.before.via)) continue;
      const Source source = map_.tracked(change.ref).source;
      // Another next hop of this source still resolves to the same gateway and interface.
      if (map_.way_in_use(change.before.via, source)) continue;
      dead.push_back({{change.before.via, source}, !map_.way_in_use(change.before.via, std::nullopt)});
    }
    // Before the sets are settled: the kernel's groups lose dead members with one message each, however many routes
    // they have.
    if (!dead.empty()) died = groups_->take_out(dead);
  }
  settle_sets();
  return died;
}

void Injector::drop_set(SetIndex index) {
  NextHopSet& set = sets_[index];
  for (const NextHopRef ref : set.refs) map_.untrack(ref);
  by_target_.erase(static_cast<std::uint32_t>(set.target));
  reconciler_.targets().release(set.target);
  const auto [begin, end] = by_content_.equal_range(content_hash(set.family, set.members, set.preferred_source));
  for (auto at = begin; at != end; ++at) {
    if (at->second != index) continue;
    by_content_.erase(at);
    break;
  }
  if (last_set_ == index) last_set_ = 0;
  sets_.erase(index);
}

void Injector::collect() {
  // Collecting waits until routes and notifications of the turn are done, because a set may be used again at once.
  for (const TargetId target : reconciler_.targets().take_idle()) {
    const auto found = by_target_.find(static_cast<std::uint32_t>(target));
    if (found == by_target_.end()) continue;
    reconciler_.targets().set(target, kNoForwarding);
    maybe_unused_.push_back(found->second);
  }
  for (const SetIndex index : std::exchange(maybe_unused_, {})) {
    if (!sets_.contains(index)) continue;
    // `held` counts routes that are not in the kernel but would use the set.
    const NextHopSet& set = sets_[index];
    if (set.held == 0 && reconciler_.targets().routes_of(set.target) == 0) drop_set(index);
  }
  if (groups_ == nullptr) return;
  for (const NextHopId id : forwardings_.take_unused_next_hops()) groups_->release(id);
}

void Injector::give_up_groups() {
  groups_ = nullptr;
  use_groups_ = false;
  settle_sets();
}

std::vector<Via> Injector::vias_of(const Forwarding& forwarding) const {
  if (forwarding.next_hop == kNoNextHopId || groups_ == nullptr) return forwarding.vias;
  std::vector<Via> vias;
  for (const GroupMember& member : groups_->members(forwarding.next_hop)) vias.push_back(member.via);
  normalize(vias);
  return vias;
}

// --- Learned routes ------------------------------------------------------------------------------------------------

RouteKey Injector::key_for(const BestChange& change) const {
  RouteKey key{change.prefix, options_.table, options_.metric};
  if (change.local != nullptr) {
    key.table = change.local->fib_table.value_or(key.table);
    key.metric = change.local->fib_metric.value_or(key.metric);
  }
  key.metric = kernel_metric(change.prefix.family, key.metric);
  return key;
}

void Injector::on_best_changed(std::span<const BestChange> changes) {
  for (const BestChange& change : changes) {
    const RouteKey key = key_for(change);
    const bool unusual = key.table != options_.table || key.metric != kernel_metric(key.prefix.family, options_.metric);
    if (unusual || !unusual_.empty()) {
      // Policy may have moved it: the kernel knows it under its former key.
      RouteKey former{change.prefix, options_.table, kernel_metric(change.prefix.family, options_.metric)};
      if (const auto found = unusual_.find(change.prefix); found != unusual_.end()) {
        former = found->second;
        unusual_.erase(found);
      }
      if (former != key) forget(former);
      if (unusual && !change.paths.empty()) unusual_[change.prefix] = key;
    }
    if (change.paths.empty()) {
      forget(key);
    } else {
      // A table that cannot be claimed is refused by the guard in learn().
      if (unusual) static_cast<void>(use_table(key.table));
      learn(key, set_for(change));
    }
  }
}

void Injector::learn(const RouteKey& key, SetIndex set) {
  // Held back or not is decided anew, so the old entry goes first.
  const bool was_held = !held_.empty() && unhold(key);
  if (!fixed_.empty() && fixed_.contains(key)) {
    hold(key, set, {Refusal::static_route, {}});
    return;
  }
  if (GuardVerdict verdict = verdict_of(key); verdict.refusal != Refusal::none) {
    // Only a route that was not held before is news for the log.
    if (!was_held) note_held(key.prefix, verdict);
    reconciler_.erase(key);
    hold(key, set, std::move(verdict));
    return;
  }
  desire(key, set);
}

void Injector::forget(const RouteKey& key) {
  // A route is in one place only: held back, or with the reconciler.
  if (!held_.empty() && unhold(key)) return;
  // A static route of the same key owns what is in the kernel.
  if (!fixed_.empty() && fixed_.contains(key)) return;
  reconciler_.erase(key);
}

void Injector::desire(const RouteKey& key, SetIndex index) {
  NextHopSet& set = sets_[index];
  // The first route of a set: only sets with routes are settled when next hops change.
  if (reconciler_.targets().routes_of(set.target) == 0) {
    // The first route decides which of several equal objects of an earlier run the set takes.
    NextHopId hint = kNoNextHopId;
    if (const auto known = reconciler_.find(key); known && known->kernel != kNoForwarding)
      hint = forwardings_[known->kernel].next_hop;
    settle(set, hint);
  }
  reconciler_.set(key, set.target);
}

void Injector::hold(const RouteKey& key, SetIndex set, GuardVerdict why) {
  ++sets_[set].held;
  held_[key] = {set, why.refusal, std::move(why.detail)};
}

bool Injector::unhold(const RouteKey& key) { return let_go(held_, key); }

bool Injector::let_go(std::map<RouteKey, Held>& from, const RouteKey& key) {
  const auto found = from.find(key);
  if (found == from.end()) return false;
  const SetIndex index = found->second.set;
  from.erase(found);
  if (--sets_[index].held == 0) maybe_unused_.push_back(index);
  return true;
}

// --- Static routes and the program's own -----------------------------------------------------------------------------

void Injector::fix(const RouteKey& key, SetIndex set, bool from_program) {
  static_cast<void>(use_table(key.table));
  if (!fixed_.contains(key) && !held_.contains(key)) {
    // A learned route that is in place steps back.
    if (const TargetId learned = reconciler_.target_of(key); learned != kNoTarget)
      hold(key, by_target_.at(static_cast<std::uint32_t>(learned)), {Refusal::static_route, {}});
  }
  // Stored also where the guard refuses it: review_guard() looks at it again.
  fixed_[key] = {set, from_program};
  const bool was_refused = let_go(refused_static_, key);
  GuardVerdict verdict = from_program ? GuardVerdict{} : verdict_of_static(key, set);
  if (verdict.refusal == Refusal::none) return desire(key, set);
  if (!was_refused) note_held(key.prefix, verdict);
  ++sets_[set].held;
  refused_static_[key] = {set, verdict.refusal, std::move(verdict.detail)};
  reconciler_.erase(key);
}

void Injector::unfix(const RouteKey& key) {
  if (fixed_.erase(key) == 0) return;
  let_go(refused_static_, key);
  const auto learned = held_.find(key);
  if (learned == held_.end()) {
    reconciler_.erase(key);
    return;
  }
  const SetIndex set = learned->second.set;
  unhold(key);
  // Erased before learn(): what the reconciler has under this key is the static route's.
  reconciler_.erase(key);
  learn(key, set);
}

void Injector::set_static_routes(std::span<const StaticRoute> routes) {
  static_routes_.assign(routes.begin(), routes.end());
  const auto wanted = expand(routes, options_.table, options_.metric);
  std::vector<RouteKey> gone;
  // The program's own routes are not part of the list.
  for (const auto& [key, fixed] : fixed_)
    if (!fixed.from_program && !wanted.contains(key)) gone.push_back(key);
  // New ones first, so that a route that moves to another key is not missing in between.
  for (const auto& [key, members] : wanted) fix(key, set_for(key.prefix.family, members, {}), false);
  for (const RouteKey& key : gone) unfix(key);
  static_keys_.clear();
  for (const auto& [key, members] : wanted) static_keys_.push_back(key);
}

void Injector::set_route(const RouteKey& key, std::span<const Via> vias) {
  std::vector<SetMember> members;
  for (const Via& via : vias) {
    SetMember member;
    member.next_hop.source = kProgramSource;
    member.next_hop.next_hop.address = via.gateway;
    // Without a gateway only the family of the address matters.
    if (!via.gateway.is_set()) member.next_hop.next_hop.address.family = key.prefix.family;
    member.next_hop.index = via.interface;
    member.next_hop.onlink = via.onlink;
    member.weight = std::max<std::uint16_t>(via.weight, 1);
    members.push_back(std::move(member));
  }
  // The key as the kernel reports it: an IPv6 metric of 0 is stored as 1024.
  RouteKey kernel_key = key;
  kernel_key.metric = kernel_metric(key.prefix.family, key.metric);
  fix(kernel_key, set_for(key.prefix.family, std::move(members), {}), true);
}

void Injector::remove_route(const RouteKey& key) {
  RouteKey kernel_key = key;
  kernel_key.metric = kernel_metric(key.prefix.family, key.metric);
  unfix(kernel_key);
}

bool Injector::use_table(std::uint32_t table) {
  if (tables_.contains(table)) return true;
  if (denied_tables_.contains(table) || is_reserved_table(table)) return false;
  // Not asked again for each route: claim_again() does that.
  if (tables_.size() >= kTablesMax || (claim_ && !claim_(table))) {
    denied_tables_.insert(table);
    return false;
  }
  tables_.insert(table);
  new_table_ = true;
  return true;
}

bool Injector::uses(std::uint32_t table) const {
  const auto in_table = [table](const auto& item) { return item.first.table == table; };
  return table == options_.table || std::any_of(fixed_.begin(), fixed_.end(), in_table) ||
         std::any_of(held_.begin(), held_.end(), in_table) ||
         std::any_of(unusual_.begin(), unusual_.end(),
                     [table](const auto& item) { return item.second.table == table; });
}

bool Injector::claim_again() {
  bool any = false;
  for (const std::uint32_t table : std::exchange(denied_tables_, {})) any = use_table(table) || any;
  return any;
}

void Injector::clear() {
  // Collected first, because erasing changes what is visited.
  std::vector<RouteKey> keys;
  reconciler_.for_each([&](const Reconciler::View& view) {
    if (view.target != kNoTarget) keys.push_back(view.key);
  });
  static_routes_.clear();
  static_keys_.clear();
  fixed_.clear();
  unusual_.clear();
  while (!refused_static_.empty()) let_go(refused_static_, refused_static_.begin()->first);
  while (!held_.empty()) unhold(held_.begin()->first);
  for (const RouteKey& key : keys) reconciler_.erase(key);
}

void Injector::set_options(const Options& options) {
  if (options == options_) return;
  const Options old = std::exchange(options_, options);
  // Only routes that use the defaults move; those with a table or metric by policy stay.
  if (old.table != options.table || old.metric != options.metric) {
    static_cast<void>(use_table(options.table));
    struct Move {
      RouteKey from, to;
      SetIndex set;
    };
    std::vector<Move> moves;
    const auto moved = [&](const RouteKey& key) {
      return RouteKey{key.prefix, options.table, kernel_metric(key.prefix.family, options.metric)};
    };
    const auto usual = [&](const RouteKey& key) {
      return key.table == old.table && key.metric == kernel_metric(key.prefix.family, old.metric) &&
             !unusual_.contains(key.prefix);
    };
    for (const auto& [key, held] : held_)
      if (usual(key)) moves.push_back({key, moved(key), held.set});
    reconciler_.for_each([&](const Reconciler::View& view) {
      if (view.target == kNoTarget || fixed_.contains(view.key) || !usual(view.key)) return;
      moves.push_back({view.key, moved(view.key), by_target_.at(static_cast<std::uint32_t>(view.target))});
    });
    // The new one first: a packet in between finds one of the two.
    for (const Move& move : moves) learn(move.to, move.set);
    for (const Move& move : moves) forget(move.from);
    const std::vector<StaticRoute> routes = static_routes_;
    set_static_routes(routes);
  }
  settle_sets();
}

// --- Guard ---------------------------------------------------------------------------------------------------------

void Injector::set_underlay_endpoints(std::span<const IpAddress> endpoints) {
  guard_.set_underlay_endpoints(endpoints);
  review_guard();
}

void Injector::set_own_networks(std::span<const Prefix> networks) {
  guard_.set_own_networks(networks);
  review_guard();
  settle_sets();  // The preferred source may be another one.
}

GuardVerdict Injector::verdict_of_table(std::uint32_t table) const {
  if (tables_.contains(table)) return {};
  std::string text = "table " + std::to_string(table);
  if (tables_.size() >= kTablesMax) text += "; " + std::to_string(kTablesMax) + " tables are in use, which is the most";
  return {Refusal::table_owned, std::move(text)};
}

GuardVerdict Injector::verdict_of(const RouteKey& key) const {
  if (GuardVerdict verdict = verdict_of_table(key.table); verdict.refusal != Refusal::none) return verdict;
  return guard_.judge(key.prefix, RouteGuard::Origin::learned);
}

GuardVerdict Injector::verdict_of_static(const RouteKey& key, SetIndex set) const {
  if (GuardVerdict verdict = verdict_of_table(key.table); verdict.refusal != Refusal::none) return verdict;
  const auto& members = sets_[set].members;
  const bool tunnel = std::any_of(members.begin(), members.end(), [this](const SetMember& member) {
    return map_.is_tunnel(member.next_hop.interface);
  });
  return tunnel ? guard_.judge(key.prefix, RouteGuard::Origin::tunnel_static) : GuardVerdict{};
}

void Injector::note_held(const Prefix& prefix, const GuardVerdict& why) {
  ++held_news_.count;
  // All are counted, but only the first few are named in the log.
  if (held_news_.some.size() < kHeldNewsKept) held_news_.some.emplace_back(prefix, why);
}

void Injector::review_guard() {
  const RouteGuard::Review review = guard_.refresh();
  // 1. What is held back may be allowed now.
  std::vector<std::pair<RouteKey, SetIndex>> freed;
  for (auto& [key, held] : held_) {
    // Held for a static route, not by the guard: only unfix() frees it.
    if (held.refusal == Refusal::static_route) continue;
    GuardVerdict verdict = verdict_of(key);
    if (verdict.refusal == Refusal::none) {
      freed.emplace_back(key, held.set);
    } else {
      held.refusal = verdict.refusal;
      held.detail = std::move(verdict.detail);
    }
  }
  for (const auto& [key, set] : freed) {
    unhold(key);
    // Not learn(): the verdict was just made.
    desire(key, set);
  }
  // 2. What is installed may not be. Of routes that cover something guarded there are few: a lookup for each.
  const auto judge = [this](const RouteKey& key) {
    const TargetId target = reconciler_.target_of(key);
    if (target == kNoTarget || fixed_.contains(key)) return;
    GuardVerdict verdict = verdict_of(key);
    if (verdict.refusal == Refusal::none) return;
    note_held(key.prefix, verdict);
    hold(key, by_target_.at(static_cast<std::uint32_t>(target)), std::move(verdict));
    reconciler_.erase(key);
  };
  for (const Prefix& prefix : review.covering)
    judge({prefix, options_.table, kernel_metric(prefix.family, options_.metric)});
  // Those inside something guarded are searched for, which an address of ours that changes is seldom enough for.
  if (!review.inside.empty()) {
    std::vector<RouteKey> inside;
    reconciler_.for_each([&](const Reconciler::View& view) {
      if (view.target != kNoTarget && review.inside.covering(view.key.prefix) != nullptr) inside.push_back(view.key);
    });
    for (const RouteKey& key : inside) judge(key);
  }
  // A copy: judge() may take routes out.
  const auto unusual = unusual_;
  for (const auto& [prefix, key] : unusual) judge(key);
  // 3. Static routes.
  for (const RouteKey& key : static_keys_)
    if (const auto found = fixed_.find(key); found != fixed_.end() && !found->second.from_program)
      fix(key, found->second.set, false);
}

}  // namespace minibgp::fib
