#include <bgp/base/assert.h>
#include <fib/next_hop_group.h>

#include <algorithm>
#include <cerrno>
#include <tuple>

namespace minibgp::fib {
namespace {

/// Whether the kernel will not have this next hop because of what it is, not because of how busy it is.
bool about_the_next_hop(int error) {
  switch (error) {
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENODEV:
    case ENETDOWN:
    case EINVAL:
      return true;
    default:
      return false;
  }
}

}  // namespace

// --- Sets ----------------------------------------------------------------------------------------------------------

bool NextHopGroups::has_exactly(NextHopId id, std::span<const GroupMember> members) const {
  const auto found = sets_.find(id);
  if (found == sets_.end() || found->second.former) return false;
  const Set& set = found->second;
  return std::equal(set.members.begin(), set.members.end(), members.begin(), members.end(),
                    [](const GroupMember& a, const GroupMember& b) {
                      // Of an adopted set it is not known whose next hops they were: any source fits.
                      return a.via == b.via && (a.source == b.source || a.source == kUnknownSource);
                    });
}

bool NextHopGroups::same(NextHopId a, NextHopId b) const {
  if (a == b) return true;
  const auto left = sets_.find(a);
  const auto right = sets_.find(b);
  if (left == sets_.end() || right == sets_.end()) return false;
  return left->second.adopted ? has_exactly(a, right->second.members) : has_exactly(b, left->second.members);
}

NextHopId NextHopGroups::acquire(std::span<const GroupMember> members, NextHopId hint) {
  BGP_ASSERT(!members.empty());  // Injector returns before, with no forwarding, when no next hop is usable.
  const auto claim = [&](NextHopId id) {
    Set& set = sets_.at(id);
    // An adopted set learns its sources here, so that the loss of one source later finds its members.
    claimed_ = claimed_ || set.adopted;
    set.adopted = false;
    set.members.assign(members.begin(), members.end());
    return id;
  };
  if (has_exactly(hint, members)) return claim(hint);
  // Claimed sets first: an adopted one may be what another set of ours looks for.
  for (const bool adopted : {false, true})
    for (const auto& [id, set] : sets_)
      if (set.adopted == adopted && has_exactly(id, members)) return claim(id);

  // Not found. O(sets) is fine: sets are few, and a route asks for one only when its paths change.
  const NextHopId id = new_id();
  if (id == kNoNextHopId) return id;
  Set set;
  set.members.assign(members.begin(), members.end());
  objects_[id] = {};  // Holds the id.
  if (members.size() == 1) {
    objects_[id].want = KernelNextHop{id, options_.protocol, members[0].via, {}};
    // The object of one next hop has no use for a weight; where it is in a group, the group's entry has it.
    objects_[id].want->via.weight = 1;
    set.objects.push_back(id);
  } else {
    KernelNextHop group{id, options_.protocol, {}, {}};
    for (const GroupMember& member : members) {
      const NextHopId object = new_id();
      // No ids are left: all that was made for this set is taken back, and the caller does without objects.
      if (object == kNoNextHopId) {
        for (const NextHopId made : set.objects) objects_.erase(made), dirty_.erase(made);
        objects_.erase(id);
        return kNoNextHopId;
      }
      objects_[object].want = KernelNextHop{object, options_.protocol, member.via, {}};
      objects_[object].want->via.weight = 1;
      objects_[object].group = id;
      set.objects.push_back(object);
      group.entries.push_back({object, member.via.weight});
      mark(object);
    }
    std::sort(group.entries.begin(), group.entries.end());
    objects_[id].want = std::move(group);
  }
  sets_.emplace(id, std::move(set));
  mark(id);
  return id;
}

void NextHopGroups::drop_member(NextHopId set_id, std::size_t at) {
  Set& set = sets_.at(set_id);
  const NextHopId object = set.objects[at];
  set.objects.erase(set.objects.begin() + static_cast<std::ptrdiff_t>(at));
  // `members` and `objects` are parallel.
  set.members.erase(set.members.begin() + static_cast<std::ptrdiff_t>(at));
  if (set.members.size() == 1) set.members[0].via.weight = 1;  // The whole needs no shares.
  // The kernel takes a removed object out of its groups by itself; the group's own entries follow here.
  objects_[object].want.reset();
  mark(object);
  std::erase_if(objects_[set_id].want->entries, [object](const GroupEntry& entry) { return entry.id == object; });
  mark(set_id);
  changed_ = true;
}

std::size_t NextHopGroups::take_out(std::span<const Dead> dead) {
  std::size_t count = 0;
  for (auto& [id, set] : sets_) {
    const auto is_dead = [&](const GroupMember& member) {
      return std::any_of(dead.begin(), dead.end(), [&](const Dead& one) {
        return same_way(one.member.via, member.via) &&
               (one.member.source == member.source || (member.source == kUnknownSource && one.whoever));
      });
    };
    const auto dying = static_cast<std::size_t>(std::count_if(set.members.begin(), set.members.end(), is_dead));
    // All members are dead: the routes leave, and the set with them. A group cannot be empty in the kernel.
    if (dying == 0 || dying == set.members.size()) continue;
    // From the back, so that indexes stay valid.
    for (std::size_t i = set.members.size(); i-- > 0;)
      if (is_dead(set.members[i])) drop_member(id, i), ++count;
  }
  return count;
}

void NextHopGroups::release(NextHopId id) {
  const auto found = sets_.find(id);
  if (found == sets_.end()) return;
  for (const NextHopId object : found->second.objects) {
    objects_[object].want.reset();
    mark(object);
  }
  objects_[id].want.reset();
  mark(id);
  sets_.erase(found);
}

NextHopId NextHopGroups::new_id() {
  // Goes round the range: an id that was just freed is not used again at once, while old notifications may still name
  // it.
  for (std::uint32_t tried = 0; tried < options_.id_count; ++tried) {
    const NextHopId id{next_id_};
    next_id_ = next_id_ - options_.id_base + 1 < options_.id_count ? next_id_ + 1 : options_.id_base;
    if (!objects_.contains(id) && !sets_.contains(id)) return id;
  }
  return kNoNextHopId;
}

// --- Kernel --------------------------------------------------------------------------------------------------------

void NextHopGroups::on_kernel_next_hop(const KernelNextHop& next_hop) {
  if (!ours(next_hop.id)) return;
  Object& object = objects_[next_hop.id];
  object.seen = true;
  // It changed while our own message was under way: whose value was last is not known, so the table is read again.
  if (object.in_flight) object.contradicted = true;
  KernelNextHop kernel = next_hop;
  // The kernel's order of members means nothing.
  std::sort(kernel.entries.begin(), kernel.entries.end());
  if (object.kernel == kernel) return;
  if (object.want && object.kernel == object.want) ++drift_;
  // During adoption what is found is left over from an earlier run until adopt() has made a set of it.
  if (!object.want && !object.kernel) object.left_over = adopting_;
  object.kernel = std::move(kernel);
  mark(next_hop.id);
}

void NextHopGroups::forget_kernel(NextHopId id) {
  Object& object = objects_[id];
  object.kernel.reset();
  const auto holder = objects_.find(object.group);
  if (holder == objects_.end() || !holder->second.kernel) return;
  auto& entries = holder->second.kernel->entries;
  std::erase_if(entries, [id](const GroupEntry& entry) { return entry.id == id; });
  if (entries.empty()) holder->second.kernel.reset();  // The kernel removes a group with its last member.
  mark(holder->first);
}

void NextHopGroups::on_kernel_gone(NextHopId id) {
  const auto found = objects_.find(id);
  if (found == objects_.end()) return;
  if (found->second.in_flight) found->second.contradicted = true;
  if (!found->second.kernel) return;
  const bool unwanted = !found->second.want;
  forget_kernel(id);
  mark(id);
  if (unwanted) {
    // Removed because we wanted it: nothing else follows.
    erase_if_empty(id);
    return;
  }
  ++drift_;
  // Accept what the kernel did: the set in effect is smaller, or gone. Whoever needs the larger one gets a new group.
  // The group that a member belongs to is what routes use.
  const NextHopId gone = sets_.contains(id) ? id : objects_[id].group;
  const auto found_set = sets_.find(gone);
  if (found_set == sets_.end()) return;
  const Set& set = found_set->second;
  if (gone != id && set.objects.size() > 1) {
    const auto at = std::find(set.objects.begin(), set.objects.end(), id) - set.objects.begin();
    drop_member(gone, static_cast<std::size_t>(at));
    erase_if_empty(id);
    return;
  }
  // Nothing of the set is left in the kernel, so its other objects go as well.
  release(gone);
  // The group went with its last member; the kernel does not always say so.
  if (objects_.contains(gone)) objects_[gone].kernel.reset();
  gone_.push_back(gone);
  changed_ = true;
  erase_if_empty(gone);
  erase_if_empty(id);
}

void NextHopGroups::begin_dump() {
  // What is in flight may be in the dump or not; it must not be taken for lost.
  for (auto& [id, object] : objects_) object.seen = object.in_flight;
}

void NextHopGroups::end_dump() {
  std::vector<NextHopId> lost;
  // Dump and message crossed: only another dump tells.
  for (auto& [id, object] : objects_) object.contradicted = object.contradicted || object.in_flight;
  for (const auto& [id, object] : objects_)
    // Collected first: on_kernel_gone() erases objects.
    if (object.kernel && !object.seen) lost.push_back(id);
  for (const NextHopId id : lost) on_kernel_gone(id);
  if (adopting_) adopt();
  if (!adopting_) sweep_strays();
}

/// Makes sets of the groups an earlier run left, and of the single objects that are in no group.
void NextHopGroups::adopt() {
  std::set<NextHopId> in_groups;
  for (const auto& [id, object] : objects_) {
    if (!object.kernel) continue;
    for (const GroupEntry& entry : object.kernel->entries) in_groups.insert(entry.id);
  }
  for (auto& [id, object] : objects_) {
    if (object.want || !object.kernel || !made_by_us(id, object.kernel->protocol) || in_groups.contains(id)) continue;
    Set set;
    set.adopted = true;
    // Of a former protocol or range: kept for its routes, but not used for new ones.
    set.former = !of_present(id, object.kernel->protocol);
    std::vector<std::pair<GroupMember, NextHopId>> members;
    if (object.kernel->entries.empty()) {
      members.push_back({{object.kernel->via, kUnknownSource}, id});
    } else {
      for (const GroupEntry& entry : object.kernel->entries) {
        const auto member = objects_.find(entry.id);
        if (member == objects_.end() || !member->second.kernel || member->second.want ||
            !made_by_us(entry.id, member->second.kernel->protocol))
          // A member that is not ours, or that a set of ours uses already: such a group is not adopted.
          break;
        Via via = member->second.kernel->via;
        via.weight = entry.weight;
        members.push_back({{via, kUnknownSource}, entry.id});
      }
      if (members.size() != object.kernel->entries.size()) continue;
    }
    // A set of one has no shares.
    if (members.size() == 1) members[0].first.via.weight = 1;
    std::sort(members.begin(), members.end());
    for (auto& [member, member_id] : members) {
      set.members.push_back(member);
      set.objects.push_back(member_id);
    }
    object.want = object.kernel;
    object.left_over = false;
    for (const NextHopId member : set.objects) {
      objects_[member].want = objects_[member].kernel;
      objects_[member].left_over = false;
      if (member != id) objects_[member].group = id;
    }
    sets_.emplace(id, std::move(set));
  }
}

/// Objects of ours in the kernel that belong to nothing: leaked by a crash.
void NextHopGroups::sweep_strays() {
  for (auto& [id, object] : objects_) {
    object.left_over = false;
    if (!object.want && object.kernel) mark(id);
  }
}

// --- Work ----------------------------------------------------------------------------------------------------------

void NextHopGroups::mark(NextHopId id) { dirty_.insert(id); }

bool NextHopGroups::differs(const Object& object) { return object.want != object.kernel; }

bool NextHopGroups::needs_work(NextHopId id, const Object& object) const {
  if (!differs(object)) return false;
  // A foreign one within our range stays: new_id() goes around it.
  return object.want || (made_by_us(id, object.kernel->protocol) && !object.left_over);
}

void NextHopGroups::erase_if_empty(NextHopId id) {
  const auto found = objects_.find(id);
  if (found == objects_.end() || found->second.want || found->second.kernel || found->second.in_flight) return;
  if (sets_.contains(id)) return;
  objects_.erase(found);
  dirty_.erase(id);
  waiting_.erase(id);
}

// The order within a batch. 0: a member that leaves a living group, because that moves traffic. Then what is made,
// members before their group, then groups that go, then their members.
int NextHopGroups::rank(NextHopId id, const Object& object) const {
  const bool group = !(object.want ? object.want : object.kernel)->entries.empty();
  if (object.want) return group ? 2 : 1;
  if (group) return 3;
  const auto holder = objects_.find(object.group);
  const bool failover = holder != objects_.end() && holder->second.want && holder->second.kernel &&
                        std::any_of(holder->second.kernel->entries.begin(), holder->second.kernel->entries.end(),
                                    [id](const GroupEntry& entry) { return entry.id == id; });
  return failover ? 0 : 4;
}

/// A group waits for its members; a member that leaves for good waits for its group.
bool NextHopGroups::can_go(const Object& object) const {
  if (!object.want) return true;
  for (const GroupEntry& entry : object.want->entries) {
    const auto member = objects_.find(entry.id);
    // A group with a member that the kernel does not have is refused.
    if (member == objects_.end() || !member->second.kernel || differs(member->second)) return false;
  }
  // While a member is on its way out, the kernel shrinks the group itself: replacing it would announce every route.
  if (object.kernel)
    for (const GroupEntry& entry : object.kernel->entries) {
      const auto member = objects_.find(entry.id);
      if (member != objects_.end() && !member->second.want) return false;
    }
  return true;
}

std::span<const NextHopOp> NextHopGroups::next_batch(std::size_t limit, Time now) {
  batch_.clear();
  if (now >= retry_at_) {
    dirty_.insert(waiting_.begin(), waiting_.end());
    waiting_.clear();
    retry_at_ = kNever;
  }
  std::vector<std::tuple<int, NextHopId>> ready;
  for (auto at = dirty_.begin(); at != dirty_.end();) {
    const NextHopId id = *at;
    const auto found = objects_.find(id);
    // Nothing is to be done, or its retry time has not come.
    if (found == objects_.end() || !needs_work(id, found->second) || waiting_.contains(id)) {
      at = dirty_.erase(at);
      if (found != objects_.end()) erase_if_empty(id);
      continue;
    }
    ++at;
    const Object& object = found->second;
    // It stays dirty: it may go with a later batch.
    if (object.in_flight || !can_go(object)) continue;
    ready.emplace_back(rank(id, object), id);
  }
  std::sort(ready.begin(), ready.end());
  for (const auto& [order, id] : ready) {
    if (batch_.size() == limit) break;
    Object& object = objects_[id];
    NextHopOp& op = batch_.emplace_back();
    op.kind = object.want ? NextHopOp::Kind::make : NextHopOp::Kind::remove;
    op.next_hop = object.want ? *object.want : KernelNextHop{id, options_.protocol, {}, {}};
    object.in_flight = true;
    // Counts as seen by a dump that began before.
    object.seen = true;
    dirty_.erase(id);
  }
  in_flight_ += batch_.size();
  return batch_;
}

void NextHopGroups::on_answers(std::span<const NextHopOp> batch, std::span<const OpError> errors, Time now) {
  auto error = errors.begin();
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const NextHopOp& op = batch[i];
    const NextHopId id = op.next_hop.id;
    Object& object = objects_[id];
    object.in_flight = false;
    --in_flight_;
    if (std::exchange(object.contradicted, false)) resync_ = true;
    int code = 0;
    // `errors` lists failures only, in the order of their index.
    if (error != errors.end() && error->index == i) code = error++->error;
    const bool removed = op.kind == NextHopOp::Kind::remove;
    // ENOENT: it is gone already, which is what was wanted.
    if (removed && code == ENOENT) code = 0;
    if (code == 0) {
      ++changes_;
      back_off_ = kBackOffFirst;
      if (removed) {
        forget_kernel(id);
      } else {
        made_ = made_ || !object.kernel;
        object.kernel = op.next_hop;
      }
      mark(id);
      // A group may have waited for this member.
      if (object.group != kNoNextHopId) mark(object.group);
      erase_if_empty(id);
      continue;
    }
    // The map learns that this next hop is refused, and the routes take another one.
    if (!removed && op.next_hop.entries.empty() && about_the_next_hop(code)) {
      refused_.push_back({op.next_hop.via, code});
    }
    waiting_.insert(id);
    if (retry_at_ == kNever) {
      // One retry time for all that wait. It doubles up to kBackOffMax until something succeeds.
      retry_at_ = now + back_off_;
      back_off_ = std::min(back_off_ * 2, kBackOffMax);
    }
  }
}

// --- Reading -------------------------------------------------------------------------------------------------------

std::vector<GroupMember> NextHopGroups::members(NextHopId id) const {
  const auto found = sets_.find(id);
  return found == sets_.end() ? std::vector<GroupMember>{} : found->second.members;
}

}  // namespace minibgp::fib
