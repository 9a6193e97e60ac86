#include <bgp/base/assert.h>
#include <fib/reconciler.h>

namespace minibgp::fib {

Reconciler::Reconciler(ForwardingTable& forwardings, RouteRecords::Same same, Occupied occupied,
                       RouteRecords::HowViable how_viable)
    : forwardings_(forwardings),
      occupied_(std::move(occupied)),
      records_(forwardings, std::move(same), std::move(how_viable)),
      refused_(records_),
      contested_(records_) {}

void Reconciler::release_if_empty(std::uint32_t id) {
  if (!records_[id].is_empty()) return;
  contested_.end_wait(id);
  // A dirty id that is erased would be worked on as whatever takes the id next, which is harmless.
  refused_.forget(id);
  records_.erase(id);
}

// --- Desired -------------------------------------------------------------------------------------------------------

void Reconciler::set(const RouteKey& key, TargetId target) {
  const std::uint32_t id = records_.find_or_add(key);
  RouteRecord& record = records_[id];
  if (record.target != target) {
    records_.set_target(record, target);
    // What was refused or contested was the former content.
    refused_.forgive(id);
    contested_.calm(id, key);
  }
  if (record.adopted != 0 && (!adopting() || records_.equal(record.kernel, records_.desired_of(record))))
    // An adopted route becomes ours when what it should be is known and it is that, or when adoption is over.
    records_.confirm(record);
  consider(id);
}

void Reconciler::erase(const RouteKey& key) {
  const std::uint32_t id = records_.find(key);
  if (id == RouteRecords::kNone) return;
  RouteRecord& record = records_[id];
  if (record.target == kNoTarget) return;
  records_.set_target(record, kNoTarget);
  if (record.adopted != 0) records_.confirm(record);  // Said and taken back: nothing to wait for.
  refused_.forgive(id);
  contested_.calm(id, key);
  consider(id);
  release_if_empty(id);
}

TargetId Reconciler::target_of(const RouteKey& key) const {
  const std::uint32_t id = records_.find(key);
  return id == RouteRecords::kNone ? kNoTarget : records_[id].target;
}

// --- Kernel --------------------------------------------------------------------------------------------------------

bool Reconciler::on_kernel_route(const RouteKey& key, const Forwarding& forwarding, Heard heard, Intrusion by) {
  const std::uint32_t id = records_.find_or_add(key);
  RouteRecord& record = records_[id];
  bool again = false;
  if (heard == Heard::dumped) {
    again = records_.see_dumped(record);
    if (record.touched != 0) return false;
  } else {
    records_.see(record);
    if (record.in_flight != 0) record.contradicted = 1;
  }
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
  // A notification may be read after the answer to what we did since, and none comes of our own operations: only the
  // table tells which was last.
  if (heard == Heard::notified) resync_ = true;
  const ForwardingId before = record.kernel;
  // Before the change: whether the kernel had what we want.
  const bool was_right = record.in_flight == 0 && record.target != kNoTarget && !records_.needed(record);
  const bool unknown = record.target == kNoTarget && before == kNoForwarding;
  records_.set_kernel(record, kernel);
  record.doubtful = 0;
  // What the first dump shows is an earlier run's, whether or not we know already what should be there.
  const bool left_over = adopting() && record.adopted == 0 && record.in_flight == 0 && before == kNoForwarding &&
                         (unknown || heard == Heard::dumped);
  if (left_over && !records_.equal(kernel, records_.desired_of(record))) records_.adopt(record);
  refused_.forgive(id);
  // Drift is what another program did to a route that was right, or one of ours that is not desired.
  const bool drift = records_.needed(record) && (was_right || (unknown && !adopting()));
  if (drift) on_drift(id, key, by);
  consider(id);
  return drift;
}

bool Reconciler::on_kernel_gone(const RouteKey& key, Heard heard, Intrusion by) {
  const std::uint32_t id = records_.find(key);
  if (id == RouteRecords::kNone) return false;
  RouteRecord& record = records_[id];
  if (heard == Heard::notified && record.in_flight != 0) record.contradicted = 1;
  if (record.kernel == kNoForwarding) return false;
  if (heard == Heard::notified) resync_ = true;  // As above.
  const bool drift = record.in_flight == 0 && record.target != kNoTarget && !records_.needed(record);
  records_.set_kernel(record, kNoForwarding);
  record.doubtful = heard == Heard::notified ? 1U : 0U;
  record.twice = 0;
  refused_.forgive(id);
  if (drift) on_drift(id, key, by);
  consider(id);
  release_if_empty(id);
  return drift;
}

void Reconciler::on_foreign_beside(const RouteKey& key) {
  const std::uint32_t id = records_.find(key);
  if (id != RouteRecords::kNone && records_[id].in_flight != 0) records_[id].contradicted = 1;
}

/// What was right is not any more.
void Reconciler::on_drift(std::uint32_t id, const RouteKey& key, const Intrusion& by) {
  ++totals_.drift;
  contested_.provoke(id, key, by);
}

void Reconciler::on_next_hop_gone(NextHopId next_hop) {
  // The kernel says that the object went, and not one word about the routes that went with it.
  for (std::uint32_t id = records_.next(0); id < records_.bound(); id = records_.next(id + 1)) {
    RouteRecord& record = records_[id];
    if (record.in_flight != 0) record.contradicted = 1;  // It may be on its way to this very object.
    if (record.kernel == kNoForwarding || forwardings_[record.kernel].next_hop != next_hop) continue;
    on_kernel_gone(records_.key_of(record), Heard::notified);
  }
}

void Reconciler::begin_dump() { records_.begin_dump(); }

void Reconciler::end_dump(bool complete) {
  if (!complete) return;
  for (std::uint32_t id = records_.next(0); id < records_.bound(); id = records_.next(id + 1)) {
    RouteRecord& record = records_[id];
    if (record.in_flight != 0) record.contradicted = 1;  // The dump was before it, or after: its answer will not tell.
    const bool shown = records_.is_seen(record) || record.touched != 0;
    records_.see(record);
    if (shown) continue;
    // The dump has answered: nothing is there.
    record.doubtful = 0;
    if (record.kernel == kNoForwarding) {
      release_if_empty(id);
    } else {
      on_kernel_gone(records_.key_of(record), Heard::dumped);
    }
  }
}

void Reconciler::rescan() { scan_left_ = records_.bound(); }

void Reconciler::retry_parked() {
  for (const std::uint32_t id : refused_.take_parked()) consider(id);
}

void Reconciler::finish_adoption() {
  if (!adopting()) return;
  records_.finish_adoption();
  rescan();
}

// --- Work ----------------------------------------------------------------------------------------------------------

void Reconciler::consider(std::uint32_t id) {
  const RouteRecord& record = records_[id];
  if (!record.is_free()) return;
  if (records_.needed(record)) {
    (void)dirty_.add(id);
  } else {
    refused_.forget(id);  // What it was refused for is not wanted any more.
  }
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
    refused_.retry(id);  // What was refused under other circumstances gets another try.
    consider(id);
    release_if_empty(id);
  }
}

std::span<const RouteOp> Reconciler::next_batch(std::size_t limit, Time now) {
  batch_.clear();
  for (const std::uint32_t id : refused_.take_due(now)) consider(id);
  for (const std::uint32_t id : contested_.take_due(now)) consider(id);
  if (targets().take_changed()) rescan();
  scan(kScannedPerBatch);
  for (std::size_t looked_at = 0; batch_.size() < limit && !dirty_.empty() && looked_at < kScannedPerBatch; ++looked_at)
    add_to_batch(dirty_.take(), now);
  in_flight_ += batch_.size();
  return batch_;
}

void Reconciler::add_to_batch(std::uint32_t id, Time now) {
  if (!records_.contains(id)) return;
  RouteRecord& record = records_[id];
  if (!record.is_free()) return;
  auto kind = records_.needed(record);
  if (!kind) {
    consider(id);
    release_if_empty(id);
    return;
  }
  const RouteKey key = records_.key_of(record);
  if (contested_.hold_back(id, key, now)) return;
  // The kernel replaces the first route with the key. Where that is a foreign one, ours leaves instead.
  if (*kind == RouteOp::Kind::replace && occupied_(key) == Foreign::ahead) kind = RouteOp::Kind::remove;
  RouteOp& op = batch_.emplace_back();
  op.kind = *kind;
  op.record = id;
  op.key = key;
  if (*kind == RouteOp::Kind::remove && record.kernel != kNoForwarding)
    op.former_protocol = forwardings_[record.kernel].former_protocol;
  if (*kind != RouteOp::Kind::remove) {
    op.want = records_.desired_of(record);
    forwardings_.ref(op.want);
    op.forwarding = &forwardings_[op.want];
  }
  record.in_flight = 1;
  record.touched = 1;
}

void Reconciler::on_answers(std::span<const RouteOp> batch, std::span<const OpError> errors, Time now) {
  auto error = errors.begin();  // In order of index: one walk beside that of the batch.
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const RouteOp& op = batch[i];
    RouteRecord& record = records_[op.record];
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
        records_.set_kernel(record, op.want);
        record.doubtful = record.twice = 0;
        if (op.kind == RouteOp::Kind::add) ++totals_.adds;
        if (op.kind == RouteOp::Kind::replace) ++totals_.replaces;
        if (op.kind == RouteOp::Kind::remove) ++totals_.removes;
        refused_.on_success();
        refused_.forgive(op.record);
        break;
      case Answer::missing:
        ++totals_.drift;
        forwardings_.unref(op.want);
        // The kernel has no such route to replace: the next step is to add it.
        records_.set_kernel(record, kNoForwarding);
        break;
      default: {
        // What is refused counts for what was asked; what is desired instead by now is asked for at once.
        const bool still_desired = records_.desired_of(record) == op.want;
        forwardings_.unref(op.want);
        record.touched = 0;
        // Unless another program wrote it meanwhile.
        if (still_desired && records_.needed(record)) refuse(op, code, now);
      }
    }
    // What is desired may have changed while the message was under way.
    consider(op.record);
    release_if_empty(op.record);
  }
}

void Reconciler::refuse(const RouteOp& op, int error, Time now) {
  ++totals_.refusals;
  const bool occupied = kernel_answer(op.kind, error) == Answer::occupied;
  const Foreign there = occupied ? occupied_(op.key) : Foreign::none;
  if (refused_.add({op.record, op.kind, error, there, op.want}, now) == Answer::resync) resync_ = true;
}

// --- Reading -------------------------------------------------------------------------------------------------------

Reconciler::View Reconciler::view(std::uint32_t id) const {
  const RouteRecord& record = records_[id];
  View result;
  result.key = records_.key_of(record);
  result.target = record.target;
  result.desired = records_.desired_of(record);
  result.kernel = record.kernel;
  result.adopted = record.adopted != 0;
  result.in_flight = record.in_flight != 0;
  result.contested = record.truce != 0;
  result.seen = records_.is_seen(record);
  result.work_due = records_.needed(record).has_value();
  result.error = refused_.error_of(id);
  return result;
}

std::optional<Reconciler::View> Reconciler::find(const RouteKey& key) const {
  const std::uint32_t id = records_.find(key);
  if (id == RouteRecords::kNone) return std::nullopt;
  return view(id);
}

}  // namespace minibgp::fib
