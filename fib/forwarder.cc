// Forwarder: its turns: what follows from the inputs so far, what is handed out, and when it is to be asked again. What
// each input means is in forwarder_inputs.cc.
#include <bgp/text.h>
#include <fib/forwarder.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

namespace minibgp::fib {
namespace {

/// A next hop the kernel refused is tried again after this, or when a link or address changes.
constexpr Duration kRefusedViaRetry = std::chrono::seconds{5};
/// Routes in one turn, before others get theirs: one or two milliseconds where the port takes them at once.
constexpr std::size_t kRoutesPerTurn = 4096;

std::uint32_t id_base(const FibOptions& options) {
  // A range for each table, so that tables do not share ids.
  return options.next_hop_id_base != 0 ? options.next_hop_id_base : 0x62000000U + ((options.table & 0xFFU) << 16U);
}

Injector::Objects use_of_objects(const FibOptions& options) {
  return options.next_hop_objects == FibOptions::NextHopObjects::automatic ? Injector::Objects::used
                                                                           : Injector::Objects::unused;
}

Foreign foreign_with(const RouteKey& key, const ForeignRoutes& foreign) {
  if (foreign.ahead(key) != nullptr) return Foreign::ahead;
  return foreign.occupies(key) ? Foreign::behind : Foreign::none;
}

/// Those of an unknown object may work.
RouteRecords::Viable how_viable(const std::vector<Via>& vias, const NextHopMap& map) {
  const auto working =
      std::count_if(vias.begin(), vias.end(), [&map](const Via& via) { return map.interface_usable(via.interface); });
  if (working == 0 && !vias.empty()) return RouteRecords::Viable::none;
  // No next hops at all (an object that is not known): some may work.
  return working != 0 && static_cast<std::size_t>(working) == vias.size() ? RouteRecords::Viable::all
                                                                          : RouteRecords::Viable::some;
}

}  // namespace

Forwarder::Forwarder(const FibOptions& options, LogSink* log, Time now)
    : options_(options),
      now_(now),
      log_(log),
      map_(options.resolve_via_default),
      // 65536 ids behind the base.
      groups_({options.protocol, id_base(options), 65536, {}}),
      reconciler_(
          forwardings_,
          [this](ForwardingId kernel, ForwardingId desired) {
            return groups_.same(forwardings_[kernel], forwardings_[desired]);
          },
          [this](const RouteKey& key) { return foreign_with(key, map_.foreign()); },
          [this](ForwardingId kernel) { return how_viable(injector_.vias_of(forwardings_[kernel]), map_); }),
      injector_({options.table, options.metric, options.preferred_source}, map_, groups_, use_of_objects(options),
                forwardings_, reconciler_),
      ownership_({options.table, options.protocol, id_base(options)}, injector_.tables(), options.enabled),
      dumps_(now),
      route_news_({forwardings_, reconciler_, map_.foreign(), ownership_, dumps_, stages_, log_}),
      watches_(map_) {
  dumps_.set_audit_interval(options.audit_interval);
  injector_.set_allowed(options.allow);
  set_former(options.former);
}

void Forwarder::set_former(std::span<const OwnedTable> former) {
  groups_.set_former(former);
  ownership_.set_former(former);
}

void Forwarder::on_time(Time now) {
  see(now);
  stages_.mark(Stage::next_hops, map_.expire_refusals(now));
  // A new turn has its budget again.
  stages_.mark(Stage::sets, injector_.next_deadline() <= now);
  routes_left_ = kRoutesPerTurn;
  if (now >= adopt_until_) finish_adoption();
  if (dumps_.begin_audit(now)) ++counters_.audits;
}

// What is handed out

std::optional<Output> Forwarder::poll() {
  if (ending_.over()) return std::nullopt;
  settle();
  // Before the first operation: the program keeps on disk where we write.
  if (auto owned = ownership_.take_change()) return OwnedChanged{std::move(*owned)};
  // Objects before the routes that use them.
  if (const auto batch = next_next_hops(); !batch.empty()) return NextHopBatch{batch};
  if (const auto batch = next_routes(); !batch.empty()) return RouteBatch{batch};
  // After what is written: a dump shows it then.
  if (const DumpRequest request = dumps_.take(now_, injector_.kernel_has_objects()); request.any()) return request;
  // What is reported follows what was handed to the kernel, so that whoever hears of it finds it done.
  if (auto changes = watches_.take_next_hops(); !changes.empty()) return NextHopsChanged{std::move(changes)};
  if (const auto change = watches_.take_network()) return *change;
  if (auto comparison = std::exchange(comparison_, std::nullopt)) return *std::move(comparison);
  if (ending_.comes({reconciler_.counts().installed, !reconciler_.waits_for_answers(), idle()}, now_)) return Stopped{};
  return std::nullopt;
}

std::optional<NextHopBatch> Forwarder::poll_next_hops(Time now) {
  see(now);
  settle();
  const auto batch = next_next_hops();
  if (batch.empty()) return std::nullopt;
  return NextHopBatch{batch};
}

std::span<const NextHopOp> Forwarder::next_next_hops() {
  if (!writing() || !injector_.kernel_has_objects() || room_.next_hops == 0) return {};
  return groups_.next_batch(room_.next_hops, now_);
}

std::span<const RouteOp> Forwarder::next_routes() {
  if (!writing()) return {};
  // A batch may be empty though there is work: the reconciler looks at so many routes at a time. And what backs off is
  // no work before its time came, which the reconciler looks at.
  while (room_.routes != 0 && !ending_.finishing() && routes_left_ != 0) {
    routes_left_ -= std::min(routes_left_, room_.routes);
    if (const auto batch = reconciler_.next_batch(room_.routes, now_); !batch.empty()) return batch;
    if (!has_work()) break;
  }
  return {};
}

Time Forwarder::next_deadline() const {
  if (ending_.over()) return kNever;
  // The turn's budget is used up, not the work.
  if (routes_left_ == 0 && has_work()) return now_;
  Time next = std::min({map_.next_deadline(), dumps_.next_deadline(), ending_.next_deadline()});
  if (dumps_.ready()) next = std::min({next, adopt_until_, injector_.next_deadline()});
  if (writing()) next = std::min({next, groups_.next_deadline(), reconciler_.next_deadline()});
  return next;
}

bool Forwarder::idle() const {
  if (!options_.enabled && ownership_.former().empty()) return true;
  return dumps_.ready() && settled() && dumps_.idle() && reconciler_.idle() &&
         (!injector_.kernel_has_objects() || (groups_.idle() && !forwardings_.has_unused_next_hops()));
}

// What follows from the inputs

bool Forwarder::is_due(Stage stage) const {
  // What groups have to say comes with the kernel's answers, between two turns as well as within one.
  if (stage == Stage::refusals && injector_.kernel_has_objects() && groups_.has_refused()) return true;
  if (stage == Stage::objects && injector_.kernel_has_objects() && groups_.has_news()) return true;
  return stages_.due(stage);
}

bool Forwarder::settled() const {
  return std::none_of(std::begin(kStages), std::end(kStages),
                      // Stages from the guard on wait until the kernel was read.
                      [this](Stage stage) { return is_due(stage) && (dumps_.ready() || stage < Stage::guard); });
}

void Forwarder::settle() {
  const bool ready = dumps_.ready();
  // What is kept back until all of the kernel was read once may concern the next hops, too.
  if (ready) {
    stages_.mark(Stage::refusals, is_due(Stage::parked));
    stages_.mark(Stage::next_hops, is_due(Stage::guard));
  }
  for (const Stage stage : kStages) {
    if (!ready && stage >= Stage::guard) break;
    if (!is_due(stage)) continue;
    // Before it runs: it may mark itself again.
    stages_.clear(stage);
    run(stage);
  }
  if (!ready) return;
  // Its routes of an earlier run are not known yet.
  if (injector_.take_new_table()) {
    dumps_.ask_for_routes();
    ownership_.note_change();
  }
  if (reconciler_.take_resync()) dumps_.ask_for_forwarding();
  // After all stages: a set or object that one stage let go may be used by another.
  injector_.collect();
  log_.contests(reconciler_.take_contests(), now_);
  log_.held(injector_.take_held_news(), now_);
  log_.summarize(now_);
}

void Forwarder::run(Stage stage) {
  switch (stage) {
    case Stage::refusals:
      return settle_refusals();
    case Stage::next_hops:
      return settle_next_hops();
    case Stage::objects:
      return settle_objects();
    case Stage::guard:
      injector_.review_guard();
      return watches_.look_at_networks();
    case Stage::sets:
      return injector_.settle_sets();
    case Stage::parked:
      return reconciler_.retry_parked();
  }
}

void Forwarder::settle_refusals() {
  // A link or address changed, so what was refused may work now.
  if (is_due(Stage::parked) && dumps_.ready()) stages_.mark(Stage::next_hops, map_.forget_refusals());
  if (!injector_.kernel_has_objects()) return;
  for (const auto& refused : groups_.take_refused()) {
    stages_.mark(Stage::next_hops, map_.refuse(refused.via, refused.error, now_ + kRefusedViaRetry));
    log_.write(LogLevel::warning, "the kernel refuses next hop " + to_text(refused.via.gateway) + " on " +
                                      std::string(map_.name_of(refused.via.interface)) + ": " +
                                      std::strerror(refused.error));
  }
}

void Forwarder::settle_next_hops() {
  const auto changes = map_.refresh();
  if (reconciler_.adopting()) reconciler_.rescan();  // A next hop that died ends the patience with its routes.
  counters_.failovers += injector_.on_next_hops_changed(changes);
  watches_.on_next_hops_changed(changes);
}

void Forwarder::settle_objects() {
  for (const NextHopId gone : groups_.take_gone()) {
    log_.write(LogLevel::info, "next-hop object " + std::to_string(static_cast<std::uint32_t>(gone)) +
                                   " went, and its routes with it: repaired");
    reconciler_.on_next_hop_gone(gone);
    stages_.mark(Stage::sets);
  }
  if (groups_.take_resync()) dumps_.ask_for_forwarding();
  if (groups_.take_made() && reconciler_.refused().count() != 0) reconciler_.rescan();
  if (groups_.take_changed()) {
    stages_.mark(Stage::sets);
    reconciler_.rescan();
  }
}

// Answers

void Forwarder::on_answers(std::span<const NextHopOp> batch, std::span<const OpError> errors, Time now) {
  groups_.on_answers(batch, errors, now);
  // An error of the kernel that means success is not reported.
  for (const OpError& error : errors) {
    const NextHopOp& op = batch[error.index];
    if (op.kind == NextHopOp::Kind::remove && error.error == ENOENT) continue;
    ++counters_.kernel_refusals;
    log_.refused(op, error);
  }
}

void Forwarder::on_answers(std::span<const RouteOp> batch, std::span<const OpError> errors, Time now) {
  reconciler_.on_answers(batch, errors, now);
  if (!errors.empty()) {
    log_.refused(batch, errors);
  } else if (reconciler_.refused().count() == 0) {
    log_.calm();
  }
}

// Adoption, and the end

/// Everything was read once: from now on it is known what the kernel lacks.
void Forwarder::begin_to_write() {
  stages_.mark(Stage::next_hops, map_.set_ready());
  stages_.mark(Stage::guard);
  stages_.mark(Stage::sets);
  // What stays until peers have announced it again.
  if (reconciler_.counts().adopted != 0)
    log_.write(LogLevel::info,
               std::to_string(reconciler_.counts().installed) + " routes of an earlier run are adopted");
  watches_.begin();
  if (adopt_until_ != kNever) {
    finish_adoption();  // It was asked for before.
  } else {
    adopt_until_ = now_ + options_.adopt_timeout;
  }
}

void Forwarder::finish_adoption() {
  adopt_until_ = dumps_.ready() ? kNever : now_;
  if (!dumps_.ready()) return;
  const bool was_adopting = reconciler_.adopting();
  reconciler_.finish_adoption();
  if (was_adopting && reconciler_.counts().adopted != 0) {
    log_.write(LogLevel::info, "adoption is over: " + std::to_string(reconciler_.counts().adopted) +
                                   " routes of an earlier run were not confirmed and go");
  }
  groups_.sweep([this](NextHopId id) { return forwardings_.names(id); });
}

void Forwarder::remove_everything() {
  injector_.clear();
  finish_adoption();
  watches_.forget_networks();
}

/// After a complete dump: tables that nothing is desired in, and where the kernel has nothing that a run of ours made.
void Forwarder::forget_clean_tables() {
  // Other parts of the dump are still to come.
  if (reconciler_.adopting() || dumps_.running() > 1) return;
  std::vector<OwnedTable> unused = ownership_.former();
  for (const std::uint32_t table : injector_.tables())
    if (!injector_.uses(table)) unused.push_back(ownership_.present(table));
  if (unused.empty()) return;
  std::set<std::pair<std::uint32_t, std::uint8_t>> left;
  // O(routes), after a dump of all of them.
  reconciler_.for_each([&](const Reconciler::View& view) {
    if (view.kernel == kNoForwarding && !view.in_flight) return;
    const std::uint8_t former = view.kernel == kNoForwarding ? 0 : forwardings_[view.kernel].former_protocol;
    left.insert({view.key.table, former != 0 ? former : options_.protocol});
  });
  for (const OwnedTable& one : unused) {
    const bool in_use = options_.enabled && one.protocol == options_.protocol && ownership_.in_our_tables(one.table) &&
                        injector_.uses(one.table);
    // A route or an object of ours is still there.
    if (!in_use && left.contains({one.table, one.protocol})) continue;
    const bool present = ownership_.is_present(one);
    if (!present && injector_.kernel_has_objects() && groups_.any_left(one.next_hop_id_base, one.protocol)) continue;
    ownership_.forget(one);
    if (present && one.table != options_.table) injector_.drop_table(one.table);
  }
}

FibStatus Forwarder::status() const {
  FibStatus status = report().status();
  status.synchronized = idle();
  status.counters.failovers = counters_.failovers;
  status.counters.overruns = counters_.overruns;
  status.counters.kernel_refusals += counters_.kernel_refusals;
  status.counters.audits = counters_.audits;
  status.counters.dumps = counters_.dumps;
  return status;
}

}  // namespace minibgp::fib
