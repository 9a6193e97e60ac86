#include <bgp/base/assert.h>
#include <fib/reconciler.h>

#include <algorithm>
#include <cstring>

namespace minibgp::fib {

Reconciler::Reconciler(ForwardingTable& forwardings, Same same, Occupied occupied, HowViable how_viable)
    : forwardings_(forwardings),
      same_(std::move(same)),
      occupied_(std::move(occupied)),
      how_viable_(std::move(how_viable)) {
  (void)targets_.insert();  // Id 0 is kNoTarget.
}

// --- Keys and records ----------------------------------------------------------------------------------------------

RouteKey Reconciler::key_of(const Record& record) const {
  RouteKey key;
  key.prefix.octets = record.octets;
  key.prefix.length_bits = record.length_bits;
  key.prefix.family = record.family == 0 ? Family::ipv4 : Family::ipv6;
  key.table = tables_[record.table].number;
  key.metric = record.metric;
  return key;
}

std::uint64_t Reconciler::hash_of(const RouteKey& key, std::uint8_t table) const {
  // `minibgp::hash_of` knows the prefix only; table and metric are part of the key.
  const std::uint64_t other = (std::uint64_t{key.metric} << 8U | table) * 0x9E3779B97F4A7C15U;
  return minibgp::hash_of(key.prefix) ^ other;
}

std::uint8_t Reconciler::table_index(std::uint32_t table) const {
  // A walk beats a map: nearly always there is one table, and this is asked for each route of a dump.
  for (std::size_t i = 0; i < tables_.size(); ++i)
    if (tables_[i].number == table && tables_[i].routes != 0) return static_cast<std::uint8_t>(i);
  return 0xFF;
}

std::uint32_t Reconciler::find_id(const RouteKey& key) const {
  const std::uint8_t table = table_index(key.table);
  if (table == 0xFF) return kNone;
  return index_.find(hash_of(key, table), [&](std::uint32_t id) {
    const Record& record = records_[id];
    return record.octets == key.prefix.octets && record.length_bits == key.prefix.length_bits &&
           record.family == static_cast<std::uint8_t>(key.prefix.family) && record.metric == key.metric &&
           record.table == table;
  });
}

std::uint32_t Reconciler::find_or_add(const RouteKey& key) {
  if (const std::uint32_t id = find_id(key); id != kNone) return id;
  std::uint8_t table = table_index(key.table);
  if (table == 0xFF) {
    // The place of a table without routes is taken again: policies and reloads may name any number of tables in time.
    const auto unused = std::find_if(tables_.begin(), tables_.end(), [](const Table& it) { return it.routes == 0; });
    table = static_cast<std::uint8_t>(unused - tables_.begin());
    // At one time Injector::use_table() lets fewer be used, and the kernel's are read in those only.
    BGP_ASSERT(table < 0xFF);
    if (unused == tables_.end()) tables_.emplace_back();
    tables_[table].number = key.table;
  }
  ++tables_[table].routes;
  const std::uint32_t id = records_.insert();
  Record& record = records_[id];
  record.octets = key.prefix.octets;
  record.length_bits = key.prefix.length_bits;
  record.family = key.prefix.family == Family::ipv4 ? 0U : 1U;
  // As if the present dump had shown it: a new record must not be taken for one that the dump did not have.
  record.seen = seen_mark_ & 1U;
  // The other way round: the dump itself has not shown it yet.
  record.dumped = (seen_mark_ ^ 1U) & 1U;
  record.table = table;
  record.metric = key.metric;
  index_.insert(hash_of(key, table), id,
                [this](std::uint32_t other) { return hash_of(key_of(records_[other]), records_[other].table); });
  return id;
}

void Reconciler::release_if_empty(std::uint32_t id) {
  const Record& record = records_[id];
  if (record.target != kNoTarget || record.kernel != kNoForwarding || record.in_flight != 0 || record.doubtful != 0)
    return;
  clear_truce(records_[id]);
  // A dirty id that is erased would be worked on as whatever takes the id next, which is harmless.
  index_.erase(hash_of(key_of(record), record.table), id);
  --tables_[record.table].routes;
  errors_.erase(id);
  records_.erase(id);
}

// --- Desired -------------------------------------------------------------------------------------------------------

TargetId Reconciler::make_target(ForwardingId want) {
  const TargetId id{targets_.insert()};
  // The new one first: both may be the same forwarding.
  forwardings_.ref(want);
  targets_[index(id)].want = want;
  return id;
}

void Reconciler::set_target(TargetId target, ForwardingId want) {
  Target& cell = targets_[index(target)];
  if (cell.want == want) return;
  forwardings_.ref(want);
  forwardings_.unref(cell.want);
  cell.want = want;
  // O(routes), but spread over the next batches; a target says nothing about which records have it.
  if (cell.routes != 0) rescan();
}

void Reconciler::release_target(TargetId target) {
  Target& cell = targets_[index(target)];
  BGP_ASSERT(cell.routes == 0);  // Injector drops the sets that take_idle_targets() names: no route has them.
  forwardings_.unref(cell.want);
  targets_.erase(index(target));
}

std::vector<TargetId> Reconciler::take_idle_targets() {
  std::vector<TargetId> idle;
  // A target that was listed may have been released since, or have routes again: the list says only "look".
  for (const TargetId target : std::exchange(idle_targets_, {})) {
    if (!targets_.contains(index(target))) continue;
    targets_[index(target)].idle_listed = false;
    if (targets_[index(target)].routes == 0) idle.push_back(target);
  }
  return idle;
}

void Reconciler::move_target(Record& record, TargetId target) {
  if (record.target != kNoTarget) {
    Target& old = targets_[index(record.target)];
    // Listed once, however often it becomes idle before it is taken.
    if (--old.routes == 0 && !old.idle_listed) {
      old.idle_listed = true;
      idle_targets_.push_back(record.target);
    }
  }
  if (target != kNoTarget) ++targets_[index(target)].routes;
  if (record.target == kNoTarget && target != kNoTarget) ++counts_.desired;
  if (record.target != kNoTarget && target == kNoTarget) --counts_.desired;
  record.target = target;
}

void Reconciler::set(const RouteKey& key, TargetId target) {
  const std::uint32_t id = find_or_add(key);
  Record& record = records_[id];
  if (record.target != target) {
    move_target(record, target);
    // What was refused or contested was the former content.
    forgive(id, record);
    clear_truce(record);
    calm(key);
  }
  // An adopted route becomes ours when what it should be is known and it is that, or when adoption is over.
  if (record.adopted != 0 && (!adopting_ || equal(record.kernel, desired_of(record)))) confirm(record);
  consider(id);
}

void Reconciler::confirm(Record& record) {
  record.adopted = 0;
  --counts_.adopted;
}

void Reconciler::erase(const RouteKey& key) {
  const std::uint32_t id = find_id(key);
  if (id == kNone) return;
  Record& record = records_[id];
  if (record.target == kNoTarget) return;
  move_target(record, kNoTarget);
  if (record.adopted != 0) confirm(record);  // Said and taken back: nothing to wait for.
  forgive(id, record);
  clear_truce(record);
  calm(key);
  consider(id);
  release_if_empty(id);
}

TargetId Reconciler::target_of(const RouteKey& key) const {
  const std::uint32_t id = find_id(key);
  return id == kNone ? kNoTarget : records_[id].target;
}

// --- Kernel --------------------------------------------------------------------------------------------------------

void Reconciler::set_kernel(Record& record, ForwardingId kernel) {
  if (record.kernel == kNoForwarding && kernel != kNoForwarding) ++counts_.installed;
  if (record.kernel != kNoForwarding && kernel == kNoForwarding) {
    --counts_.installed;
    // It is gone: there is nothing left to adopt.
    if (record.adopted != 0) confirm(record);
  }
  forwardings_.unref(record.kernel);
  record.kernel = kernel;
}

bool Reconciler::on_kernel_route(const RouteKey& key, const Forwarding& forwarding, Heard heard, Intrusion by) {
  const std::uint32_t id = find_or_add(key);
  Record& record = records_[id];
  record.seen = seen_mark_ & 1U;
  const bool again = heard == Heard::dumped && record.dumped == (seen_mark_ & 1U);
  if (heard == Heard::dumped) record.dumped = seen_mark_ & 1U;
  // We have written this route since the dump began, so what the dump shows may be older.
  if (heard == Heard::dumped && record.touched != 0) return false;
  if (heard == Heard::notified && record.in_flight != 0) record.contradicted = 1;
  // Interned, so that equal forwardings compare as numbers.
  const ForwardingId kernel = forwardings_.intern(forwarding);
  if (record.kernel == kernel) {
    forwardings_.unref(kernel);
    return false;
  }
  // The kernel has two routes under one key (a dump shows both): one of them is removed, and the rest is compared
  // again.
  if (again && record.target != kNoTarget && record.in_flight == 0) {
    forwardings_.unref(kernel);
    record.twice = 1;
    ++totals_.drift;
    consider(id);
    return true;
  }
  const ForwardingId before = record.kernel;
  // Before the change: whether the kernel had what we want.
  const bool was_right = record.in_flight == 0 && record.target != kNoTarget && !needed(record);
  const bool unknown = record.target == kNoTarget && before == kNoForwarding;
  set_kernel(record, kernel);
  record.doubtful = 0;
  // What the first dump shows is an earlier run's, whether or not we know already what should be there.
  const bool left_over = adopting_ && record.adopted == 0 && record.in_flight == 0 && before == kNoForwarding &&
                         (unknown || heard == Heard::dumped);
  if (left_over && !equal(kernel, desired_of(record))) record.adopted = 1, ++counts_.adopted;
  forgive(id, record);
  // Drift is what another program did to a route that was right, or one of ours that nobody asked for.
  const bool drift = needed(record) && (was_right || (unknown && !adopting_));
  if (drift) {
    ++totals_.drift;
    provoke(id, key, by);
  }
  consider(id);
  return drift;
}

bool Reconciler::on_kernel_gone(const RouteKey& key, Heard heard, Intrusion by) {
  const std::uint32_t id = find_id(key);
  if (id == kNone) return false;
  Record& record = records_[id];
  if (heard == Heard::notified && record.in_flight != 0) record.contradicted = 1;
  if (record.kernel == kNoForwarding) return false;
  const bool drift = record.in_flight == 0 && record.target != kNoTarget && !needed(record);
  set_kernel(record, kNoForwarding);
  // A notification may be about one of two equal routes, so the key may still be occupied.
  record.doubtful = heard == Heard::notified ? 1U : 0U;
  record.twice = 0;
  forgive(id, record);
  if (drift) {
    ++totals_.drift;
    provoke(id, key, by);
  }
  consider(id);
  release_if_empty(id);
  return drift;
}

// --- Contests ------------------------------------------------------------------------------------------------------

/// Only what another program did counts: the kernel takes routes along with a link or an address as often as those
/// come and go, and each time they are to be back at once.
void Reconciler::provoke(std::uint32_t id, const RouteKey& key, const Intrusion& by) {
  if (by.port_id == 0) return;
  if (contested_.size() >= kContestedMax && !contested_.contains(key)) {
    Record& record = records_[id];
    if (record.truce == 0) crowd_.push_back(id);
    record.truce = 1;
    return;
  }
  Contested& contested = contested_[key];
  contested.last = by;
  contested.provoked = true;
}

/// Called with the repair in hand: whether it has to wait.
bool Reconciler::hold_back(Record& record, const RouteKey& key, Time now) {
  const auto found = contested_.find(key);
  // Only a repair that follows from another program's change counts; it is counted once.
  if (found == contested_.end() || !std::exchange(found->second.provoked, false)) return false;
  Contested& contested = found->second;
  const Duration calm = std::max(kRepairWindow, contested.wait * 2);
  const bool was_calm = now - contested.latest > calm;
  const bool window_over = contested.wait == Duration::zero() && now - contested.first > kRepairWindow;
  if (was_calm || window_over) {
    contested.first = now;
    contested.repairs = 0;
    contested.wait = {};
  }
  contested.latest = now;
  if (++contested.repairs <= kRepairsAtOnce) return false;
  contested.wait = contested.wait == Duration::zero() ? kRepairWaitFirst : std::min(contested.wait * 2, kRepairWaitMax);
  record.truce = 1;
  truces_.insert({now + contested.wait, key});
  // `repairs` includes the one that is held back now.
  if (contests_.size() < kContestsKept)
    contests_.push_back({key, contested.last, contested.repairs - 1, contested.wait});
  return true;
}

void Reconciler::end_truce(std::uint32_t id) {
  if (!records_.contains(id) || records_[id].truce == 0) return;
  records_[id].truce = 0;
  consider(id);
}

void Reconciler::calm(const RouteKey& key) {
  if (contested_.empty()) return;
  // What is done next is our own change, not a repair.
  if (const auto found = contested_.find(key); found != contested_.end()) found->second.provoked = false;
}

void Reconciler::clear_truce(Record& record) {
  if (record.truce == 0) return;
  record.truce = 0;
  const RouteKey key = key_of(record);
  std::erase_if(truces_, [&key](const auto& truce) { return truce.second == key; });
}

void Reconciler::end_truces(Time now) {
  while (!truces_.empty() && truces_.begin()->first <= now) {
    const RouteKey key = truces_.begin()->second;
    truces_.erase(truces_.begin());
    if (const std::uint32_t id = find_id(key); id != kNone) end_truce(id);
  }
  if (!crowd_.empty() && crowd_until_ == kNever) crowd_until_ = now + kRepairWaitFirst;
  if (now < crowd_until_) return;
  crowd_until_ = kNever;
  // All at once: these contests are too many to be kept apart.
  for (const std::uint32_t id : std::exchange(crowd_, {})) end_truce(id);
}

std::optional<Intrusion> Reconciler::contested_by(const RouteKey& key) const {
  const auto found = contested_.find(key);
  if (found == contested_.end()) return std::nullopt;
  return found->second.last;
}

void Reconciler::on_next_hop_gone(NextHopId next_hop) {
  // The kernel says that the object went, and not one word about the routes that went with it.
  for (std::uint32_t id = records_.next(0); id < records_.bound(); id = records_.next(id + 1)) {
    Record& record = records_[id];
    if (record.in_flight != 0) record.contradicted = 1;  // It may be on its way to this very object.
    if (record.kernel == kNoForwarding || forwardings_[record.kernel].next_hop != next_hop) continue;
    on_kernel_gone(key_of(record), Heard::notified);
  }
}

void Reconciler::begin_dump() {
  dumping_ = true;
  seen_mark_ ^= 1U;
  // O(routes): each record begins as one that this dump has not shown.
  for (std::uint32_t id = records_.next(0); id < records_.bound(); id = records_.next(id + 1)) {
    Record& record = records_[id];
    // What is written during the dump is newer than what the dump shows.
    record.touched = record.in_flight;
    record.seen = record.dumped = (seen_mark_ ^ 1U) & 1U;
  }
}

void Reconciler::end_dump(bool complete) {
  dumping_ = false;
  // An incomplete dump proves nothing about what it did not show.
  if (!complete) return;
  for (std::uint32_t id = records_.next(0); id < records_.bound(); id = records_.next(id + 1)) {
    Record& record = records_[id];
    if (record.in_flight != 0) record.contradicted = 1;  // The dump was before it, or after: its answer will not tell.
    const bool shown = record.seen == (seen_mark_ & 1U) || record.touched != 0;
    record.seen = seen_mark_ & 1U;
    if (shown) continue;
    // The dump has answered: nothing is there.
    record.doubtful = 0;
    if (record.kernel == kNoForwarding) {
      release_if_empty(id);
    } else {
      on_kernel_gone(key_of(record), Heard::dumped);
    }
  }
}

void Reconciler::rescan() { scan_left_ = records_.bound(); }

void Reconciler::retry_parked() {
  // The list may name a record that was freed, and given to another route since: its own bit says whether it waits.
  for (const std::uint32_t id : std::exchange(parked_, {})) {
    if (!records_.contains(id) || records_[id].parked == 0) continue;
    records_[id].parked = 0;
    consider(id);
  }
}

void Reconciler::finish_adoption() {
  if (!adopting_) return;
  adopting_ = false;
  for (std::uint32_t id = records_.next(0); id < records_.bound(); id = records_.next(id + 1))
    if (records_[id].adopted != 0 && records_[id].target != kNoTarget) confirm(records_[id]);
  // Routes that nobody announced again go now.
  rescan();
}

// --- Work ----------------------------------------------------------------------------------------------------------

std::optional<RouteOp::Kind> Reconciler::needed(const Record& record) const {
  const ForwardingId desired = desired_of(record);
  if (desired == kNoForwarding) {
    if (record.kernel == kNoForwarding && record.doubtful == 0) return std::nullopt;
    // An adopted route stays as long as one of its next hops can still be used.
    if (record.adopted != 0 && adopting_ && record.target == kNoTarget && how_viable_(record.kernel) != Viable::none)
      return std::nullopt;
    return RouteOp::Kind::remove;
  }
  if (record.kernel == kNoForwarding) return RouteOp::Kind::add;
  // Two routes under one key: one is removed, then the table is compared again.
  if (record.twice != 0) return RouteOp::Kind::remove;
  if (equal(record.kernel, desired)) return std::nullopt;
  // It works as it is; what it should be may still change until all peers have sent their tables.
  if (record.adopted != 0 && adopting_ && how_viable_(record.kernel) == Viable::all) return std::nullopt;
  return RouteOp::Kind::replace;
}

void Reconciler::consider(std::uint32_t id) {
  // Whatever waits comes back by itself: an answer, a retry time, a scan or the end of a truce.
  const Record& record = records_[id];
  if (record.in_flight != 0 || record.parked != 0 || record.waiting != 0 || record.given_up != 0 || record.truce != 0)
    return;
  if (needed(record)) {
    (void)dirty_.add(id);
  } else if (!errors_.empty()) {
    errors_.erase(id);  // What it was refused for is not wanted any more.
  }
}

void Reconciler::forgive(std::uint32_t id, Record& record) {
  record.parked = record.waiting = record.given_up = 0;
  if (!errors_.empty()) errors_.erase(id);
}

void Reconciler::scan(std::size_t limit) {
  // Goes round the slab from where the last call stopped, until each id was met once since the last rescan().
  for (; scan_left_ != 0 && limit != 0; --limit) {
    const std::uint32_t bound = records_.bound();
    if (bound == 0) {
      scan_left_ = 0;
      return;
    }
    if (scan_at_ >= bound) scan_at_ = 0;
    const std::uint32_t id = records_.next(scan_at_);
    scan_left_ -= std::min<std::size_t>(scan_left_, id - scan_at_ + 1U);
    scan_at_ = id + 1U;
    if (id >= bound) continue;
    Record& record = records_[id];
    // What was refused under other circumstances gets another try.
    // Also those in parked_ and backing_off_: these lists are checked against the bits.
    record.parked = record.waiting = record.given_up = 0;
    consider(id);
    release_if_empty(id);
  }
}

std::span<const RouteOp> Reconciler::next_batch(std::size_t limit, Time now) {
  batch_.clear();
  if (now >= retry_at_ && !backing_off_.empty()) {
    for (const std::uint32_t id : std::exchange(backing_off_, {})) {
      if (!records_.contains(id) || records_[id].waiting == 0) continue;
      records_[id].waiting = 0;
      consider(id);
    }
    retry_at_ = kNever;
  }
  if (!truces_.empty() || !crowd_.empty()) end_truces(now);
  if (!contested_.empty() && now >= forget_contests_at_) {
    forget_contests_at_ = now + kRepairWaitMax;
    std::erase_if(contested_, [now](const auto& item) {
      const Contested& contested = item.second;
      return !contested.provoked && now - contested.latest > std::max(kRepairWindow, contested.wait * 2);
    });
  }
  scan(kScannedPerBatch);
  // Bounded by what was looked at too, because most dirty records may turn out to be right.
  for (std::size_t looked_at = 0; batch_.size() < limit && !dirty_.empty() && looked_at < kScannedPerBatch;
       ++looked_at) {
    const std::uint32_t id = dirty_.take();
    if (!records_.contains(id)) continue;
    Record& record = records_[id];
    if (record.in_flight != 0 || record.parked != 0 || record.waiting != 0 || record.given_up != 0 || record.truce != 0)
      continue;
    // Asked again: much may have happened since it was marked.
    auto kind = needed(record);
    if (!kind) {
      consider(id);
      release_if_empty(id);
      continue;
    }
    const RouteKey key = key_of(record);
    if (!contested_.empty() && hold_back(record, key, now)) continue;
    // The kernel replaces the first route with the key. Where that is a foreign one, ours leaves instead.
    if (*kind == RouteOp::Kind::replace && occupied_(key) == Foreign::ahead) kind = RouteOp::Kind::remove;
    RouteOp& op = batch_.emplace_back();
    op.kind = *kind;
    op.record = id;
    op.key = key;
    if (*kind == RouteOp::Kind::remove && record.kernel != kNoForwarding)
      // A route of a former protocol number is removed under that number.
      op.former_protocol = forwardings_[record.kernel].former_protocol;
    if (*kind != RouteOp::Kind::remove) {
      op.want = desired_of(record);
      // Kept until the answer: the target may change meanwhile.
      forwardings_.ref(op.want);
      op.forwarding = &forwardings_[op.want];
    }
    record.in_flight = 1;
    record.touched = 1;
  }
  in_flight_ += batch_.size();
  return batch_;
}

void Reconciler::on_answers(std::span<const RouteOp> batch, std::span<const OpError> errors, Time now) {
  auto error = errors.begin();  // In order of index: one walk beside that of the batch.
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const RouteOp& op = batch[i];
    Record& record = records_[op.record];
    BGP_ASSERT(record.in_flight != 0);  // The batch is the one next_batch() marked; answers come once for each.
    record.in_flight = 0;
    --in_flight_;
    if (record.contradicted != 0) resync_ = true;
    record.contradicted = 0;
    int code = 0;
    if (error != errors.end() && error->index == i) code = error++->error;
    switch (kernel_answer(op.kind, code)) {
      case Answer::done:
        // The reference that the operation held becomes the record's.
        set_kernel(record, op.want);
        record.doubtful = record.twice = 0;
        if (op.kind == RouteOp::Kind::add) ++totals_.adds;
        if (op.kind == RouteOp::Kind::replace) ++totals_.replaces;
        if (op.kind == RouteOp::Kind::remove) ++totals_.removes;
        back_off_ = kBackOffFirst;
        forgive(op.record, record);
        break;
      case Answer::missing:
        ++totals_.drift;
        forwardings_.unref(op.want);
        // The kernel has no such route to replace: the next step is to add it.
        set_kernel(record, kNoForwarding);
        break;
      default:
        forwardings_.unref(op.want);
        // Unless it came to be meanwhile, by somebody else or by a change of mind.
        record.touched = 0;
        if (needed(record)) refuse(op.record, op, code, now);
    }
    // What is desired may have changed while the message was under way.
    consider(op.record);
    release_if_empty(op.record);
  }
}

void Reconciler::refuse(std::uint32_t id, const RouteOp& op, int error, Time now) {
  Record& record = records_[id];
  ++totals_.refusals;
  Refused& refused = errors_[id];
  // Another error begins a new count.
  if (refused.error != error) refused = {error, 0};
  if (refused.tries < 0xFF) ++refused.tries;

  Answer answer = kernel_answer(op.kind, error);
  // The kernel answers EINVAL also for things that change, such as a source address that is not there yet.
  if (error == EINVAL && refused.tries >= kInvalidTries) answer = Answer::give_up;
  // Somebody else's, or ours and we have not heard of it: the table tells.
  if (answer == Answer::occupied)
    answer = occupied_(op.key) != Foreign::none || refused.tries > kOccupiedTries ? Answer::park : Answer::resync;
  switch (answer) {
    case Answer::park:
      record.parked = 1;
      parked_.push_back(id);
      break;
    case Answer::resync:
      resync_ = true;
      [[fallthrough]];
    case Answer::back_off:
      record.waiting = 1;
      backing_off_.push_back(id);
      if (retry_at_ == kNever) {
        retry_at_ = now + back_off_;
        back_off_ = std::min(back_off_ * 2, kBackOffMax);
      }
      break;
    default:
      record.given_up = 1;
  }
}

// --- Reading -------------------------------------------------------------------------------------------------------

Reconciler::View Reconciler::view(std::uint32_t id) const {
  const Record& record = records_[id];
  View result;
  result.key = key_of(record);
  result.target = record.target;
  result.desired = desired_of(record);
  result.kernel = record.kernel;
  result.adopted = record.adopted != 0;
  result.in_flight = record.in_flight != 0;
  result.contested = record.truce != 0;
  result.seen = record.seen == (seen_mark_ & 1U);
  result.work_due = needed(record).has_value();
  if (const auto refused = errors_.find(id); refused != errors_.end()) result.error = refused->second.error;
  return result;
}

std::optional<Reconciler::View> Reconciler::find(const RouteKey& key) const {
  const std::uint32_t id = find_id(key);
  if (id == kNone) return std::nullopt;
  return view(id);
}

}  // namespace minibgp::fib
