#include <bgp/text.h>
#include <fib/forwarder.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace minibgp::fib {
namespace {

/// An end does not wait for the kernel when nothing was removed for so long.
constexpr Duration kStopPatience = std::chrono::seconds{10};
/// A next hop the kernel refused is tried again after this, or when a link or address changes.
constexpr Duration kRefusedViaRetry = std::chrono::seconds{5};
/// Routes in one batch. A thread waits for the kernel, and the kernel takes its lock for each route anew, so nothing
/// waits for a batch; from about 64 on the kernel's own work dominates, and 256 wake the two threads seldom.
constexpr std::size_t kRoutesPerBatch = 256;
/// In one turn, before others get theirs: one or two milliseconds where the port takes them at once.
constexpr std::size_t kRoutesPerTurn = 16 * kRoutesPerBatch;
constexpr std::size_t kNextHopsPerBatch = 64;

std::uint32_t id_base(const FibOptions& options) {
  return options.next_hop_id_base != 0 ? options.next_hop_id_base : 0x62000000U + ((options.table & 0xFFU) << 16U);
}

Injector::Options injector_options(const FibOptions& options) {
  return {options.table, options.metric, options.preferred_source};
}

}  // namespace

Forwarder::Forwarder(const FibOptions& options, LogSink* log, Time now)
    : options_(options),
      log_(log),
      map_(options.resolve_via_default),
      id_base_(id_base(options)),
      groups_({options.protocol, id_base_, 65536, {}}),
      reconciler_(
          forwardings_, [this](ForwardingId kernel, ForwardingId desired) { return same(kernel, desired); },
          [this](const RouteKey& key) {
            using Foreign = Reconciler::Foreign;
            if (map_.foreign().ahead(key) != nullptr) return Foreign::ahead;
            return map_.foreign().occupies(key) ? Foreign::behind : Foreign::none;
          },
          [this](ForwardingId kernel) { return how_viable(kernel); }),
      injector_(injector_options(options), map_, groups_,
                options.next_hop_objects == FibOptions::NextHopObjects::automatic ? Injector::Objects::used
                                                                                  : Injector::Objects::unused,
                forwardings_, reconciler_),
      use_groups_(options.next_hop_objects == FibOptions::NextHopObjects::automatic) {
  wanted_ = {true, true, true};
  next_dump_at_ = now_ = now;
  injector_.set_allowed(options.allow);
  set_former(options.former);
}

void Forwarder::set_former(std::span<const OwnedTable> former) {
  groups_.set_former(former);
  former_.clear();
  for (const OwnedTable& one : former)
    if (!options_.enabled || one.protocol != options_.protocol || !in_our_tables({{}, one.table, 0}) ||
        one.next_hop_id_base != id_base_)
      former_.push_back(one);
  owned_changed_ = true;
}

void Forwarder::log(LogLevel level, std::string_view line) const {
  if (log_ != nullptr && log_->wants(level, LogArea::fib)) log_->write(level, LogArea::fib, line);
}

bool Forwarder::same(ForwardingId kernel, ForwardingId desired) const {
  const Forwarding& a = forwardings_[kernel];
  const Forwarding& b = forwardings_[desired];
  return a.next_hop != kNoNextHopId && b.next_hop != kNoNextHopId && a.preferred_source == b.preferred_source &&
         groups_.same(a.next_hop, b.next_hop);
}

Reconciler::Viable Forwarder::how_viable(ForwardingId kernel) const {
  const std::vector<Via> vias = injector_.vias_of(forwardings_[kernel]);
  const auto working =
      std::count_if(vias.begin(), vias.end(), [this](const Via& via) { return map_.interface_usable(via.interface); });
  if (working == 0 && !vias.empty()) return Reconciler::Viable::none;  // Those of an unknown object may work.
  return working != 0 && static_cast<std::size_t>(working) == vias.size() ? Reconciler::Viable::all
                                                                          : Reconciler::Viable::some;
}

void Forwarder::input(const Input& input, Time now) {
  now_ = std::max(now_, now);
  std::visit([this](const auto& in) { on(in); }, input);
}

void Forwarder::on(const input::SetOptions& in) {
  FibOptions options = in.options;
  if (options.table != options_.table && !injector_.use_table(options.table)) {
    log(LogLevel::error,
        "table " + std::to_string(options.table) + " is not taken: another process owns the routes of protocol " +
            std::to_string(options_.protocol) + " there; routes stay in table " + std::to_string(options_.table));
    options.table = options_.table;
  }
  options_.table = options.table;
  options_.allow = options.allow;
  injector_.set_allowed(options.allow);
  owned_changed_ = true;
  mark(Stage::guard);
  options_.metric = options.metric;
  options_.preferred_source = options.preferred_source;
  options_.on_exit = options.on_exit;
  options_.adopt_timeout = options.adopt_timeout;
  options_.audit_interval = options.audit_interval;
  injector_.set_options(injector_options(options));
  mark(Stage::next_hops, map_.set_resolve_via_default(options.resolve_via_default));
}

void Forwarder::on(const input::BestChanged& in) {
  if (options_.enabled) injector_.on_best_changed(in.changes);
}
void Forwarder::on(const input::SetStaticRoutes& in) {
  if (options_.enabled) injector_.set_static_routes(in.routes);
}
void Forwarder::on(const input::SetRoute& in) {
  if (options_.enabled) injector_.set_route(in.key, in.vias);
}
void Forwarder::on(const input::RemoveRoute& in) { injector_.remove_route(in.key); }
void Forwarder::on(const input::SetUnderlayEndpoints& in) { injector_.set_underlay_endpoints(in.endpoints); }
void Forwarder::on(const input::SetOwnNetworks& in) { injector_.set_own_networks(in.networks); }

void Forwarder::on(const input::SetPeer& in) {
  const bool changed = map_.set_peer(in.peer, in.binding);
  mark(Stage::next_hops, changed);
  mark(Stage::guard, changed);  // It looks after the peer's address.
}
void Forwarder::on(const input::RemovePeer& in) {
  mark(Stage::next_hops, map_.remove_peer(in.peer));
  mark(Stage::guard);
}
void Forwarder::on(const input::SetPeerUsable& in) { mark(Stage::next_hops, map_.set_peer_usable(in.peer, in.usable)); }
void Forwarder::on(const input::SetInterfaceSuspect& in) {
  mark(Stage::next_hops, map_.set_interface_suspect(in.interface, in.suspect));
}
void Forwarder::on(const input::SetInterfaceUsable& in) {
  mark(Stage::guard, !map_.is_tunnel(in.interface));  // It judges static routes through it.
  mark(Stage::next_hops, map_.set_interface_usable(in.interface, in.usable, in.reason));
}
void Forwarder::on(const input::ForgetInterface& in) { mark(Stage::next_hops, map_.forget_interface(in.interface)); }

void Forwarder::on(const input::WatchNextHop& in) {
  const auto [found, added] = watched_.try_emplace({in.peer, in.next_hop});
  ++found->second.users;
  if (!added) return;
  TrackedNextHop tracked;
  tracked.source = source_of(in.peer);
  tracked.next_hop.address = in.next_hop;
  found->second.ref = map_.track(tracked);
  if (ready_) next_hop_changes_.push_back(state_of(in.peer, in.next_hop, map_.resolution(found->second.ref)));
}

void Forwarder::on(const input::UnwatchNextHop& in) {
  const auto found = watched_.find({in.peer, in.next_hop});
  if (found == watched_.end() || --found->second.users != 0) return;
  map_.untrack(found->second.ref);
  watched_.erase(found);
}

void Forwarder::on(const input::WatchNetwork& in) {
  networks_[{in.prefix, in.watch}] = {};
  mark(Stage::guard);
}

void Forwarder::on(const input::UnwatchNetwork& in) { networks_.erase({in.prefix, in.watch}); }

void Forwarder::finish_adoption() {
  adoption_over_ = true;
  if (!ready_) return;
  adopt_until_ = kNever;
  const bool was_adopting = reconciler_.adopting();
  reconciler_.finish_adoption();
  if (was_adopting && reconciler_.counts().adopted != 0) {
    log(LogLevel::info, "adoption is over: " + std::to_string(reconciler_.counts().adopted) +
                            " routes of an earlier run were not confirmed and go");
  }
  groups_.sweep([this](NextHopId id) { return forwardings_.names(id); });
}

void Forwarder::on(const input::Stop&) {
  end_ = options_.on_exit == FibOptions::OnExit::remove ? End::removing : End::finishing;
  if (end_ == End::removing) remove_everything();
}

void Forwarder::remove_everything() {
  injector_.clear();
  finish_adoption();
  networks_.clear();
}

std::optional<Output> Forwarder::poll() {
  if (end_ == End::over) return std::nullopt;
  settle(now_);
  if (auto owned = take_owned_change()) return OwnedChanged{std::move(*owned)};
  if (const auto batch = next_next_hop_batch(kNextHopsPerBatch, now_); !batch.empty()) return NextHopBatch{batch};
  // A batch may be empty though there is work: the reconciler looks at so many routes at a time. And what backs off is
  // no work before its time came, which the reconciler looks at.
  while (room_for_routes_ && end_ != End::finishing && routes_left_ != 0) {
    routes_left_ -= kRoutesPerBatch;
    if (const auto batch = next_route_batch(kRoutesPerBatch, now_); !batch.empty()) return RouteBatch{batch};
    if (!has_work()) break;
  }
  if (const DumpRequest request = take_dump_request(now_); request.any()) return request;
  if (!next_hop_changes_.empty()) return NextHopsChanged{take_next_hop_changes()};
  if (!network_changes_.empty()) {
    const NetworkChange change = network_changes_.front();
    network_changes_.erase(network_changes_.begin());
    return change;
  }
  if (auto comparison = take_comparison()) return *std::move(comparison);
  if (has_ended()) return Stopped{};
  return std::nullopt;
}

bool Forwarder::has_ended() {
  if (end_ == End::none) return false;
  // Routes the kernel refuses to remove must not keep the program from ending; many routes may.
  if (end_at_ == kNever || left_at_end_ != reconciler_.counts().installed) {
    left_at_end_ = reconciler_.counts().installed;
    end_at_ = now_ + kStopPatience;
  }
  const bool finished = end_ == End::finishing ? !reconciler_.waits_for_answers() : idle();
  if (!finished && now_ < end_at_) return false;
  end_ = End::over;
  return true;
}

bool Forwarder::is_due(Stage stage) const {
  if (stage == Stage::refusals && kernel_has_objects_ && groups_.has_refused()) return true;
  if (stage == Stage::objects && kernel_has_objects_ && groups_.has_news()) return true;
  return (due_ & bit(stage)) != 0;
}

bool Forwarder::settled() const {
  return std::none_of(std::begin(kStages), std::end(kStages),
                      [this](Stage stage) { return is_due(stage) && (ready_ || stage < Stage::guard); });
}

void Forwarder::settle(Time now) {
  now_ = std::max(now_, now);
  // What is kept back until all of the kernel was read once may concern the next hops, too.
  if (ready_) {
    mark(Stage::refusals, is_due(Stage::parked));
    mark(Stage::next_hops, is_due(Stage::guard));
  }
  for (const Stage stage : kStages) {
    if (!ready_ && stage >= Stage::guard) break;
    if (!is_due(stage)) continue;
    due_ &= ~bit(stage);
    run(stage);
  }
  if (!ready_) return;
  if (injector_.take_new_table()) wanted_.routes = owned_changed_ = true;
  if (reconciler_.take_resync()) wanted_.routes = wanted_.next_hops = true;
  injector_.collect();
  log_news();
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
      return settle_guard();
    case Stage::sets:
      return injector_.settle_sets();
    case Stage::parked:
      return reconciler_.retry_parked();
  }
}

void Forwarder::settle_refusals() {
  if (is_due(Stage::parked) && ready_) mark(Stage::next_hops, map_.forget_refusals());
  if (!kernel_has_objects_) return;
  for (const auto& refused : groups_.take_refused()) {
    mark(Stage::next_hops, map_.refuse(refused.via, refused.error, now_ + kRefusedViaRetry));
    log(LogLevel::warning, "the kernel refuses next hop " + to_text(refused.via.gateway) + " on " +
                               std::string(map_.name_of(refused.via.interface)) + ": " + std::strerror(refused.error));
  }
}

void Forwarder::settle_next_hops() {
  const auto changes = map_.refresh();
  if (reconciler_.adopting()) reconciler_.rescan();  // A next hop that died ends the patience with its routes.
  counters_.failovers += injector_.on_next_hops_changed(changes);
  for (const auto& change : changes) {
    const TrackedNextHop& tracked = map_.tracked(change.ref);
    const auto peer = PeerId{static_cast<std::uint16_t>(tracked.source)};
    const auto watched = watched_.find({peer, tracked.next_hop.address});
    if (watched == watched_.end() || watched->second.ref != change.ref || !ready_) continue;
    const Resolution& now_is = map_.resolution(change.ref);
    Resolution before = change.before;
    before.suspect = now_is.suspect;  // Only shares follow from that.
    if (before == now_is) continue;
    next_hop_changes_.push_back(state_of(peer, tracked.next_hop.address, now_is));
  }
}

void Forwarder::settle_objects() {
  for (const NextHopId gone : groups_.take_gone()) {
    log(LogLevel::info, "next-hop object " + std::to_string(static_cast<std::uint32_t>(gone)) +
                            " went, and its routes with it: repaired");
    reconciler_.on_next_hop_gone(gone);
    mark(Stage::sets);
  }
  if (groups_.take_resync()) wanted_.next_hops = wanted_.routes = true;
  if (groups_.take_changed()) {
    mark(Stage::sets);
    reconciler_.rescan();
  }
}

void Forwarder::settle_guard() {
  injector_.review_guard();
  for (auto& [key, watched] : networks_) {
    const bool is_present = present(key.first, key.second);
    if (watched.reported && watched.present == is_present) continue;
    watched = {is_present, true};
    network_changes_.push_back({key.first, key.second, is_present});
  }
}

void Forwarder::on_time(Time now) {
  now_ = std::max(now_, now);
  mark(Stage::next_hops, map_.expire_refusals(now));
  routes_left_ = kRoutesPerTurn;
  if (now >= adopt_until_) finish_adoption();
  if (now >= next_audit_) {
    next_audit_ = kNever;  // Set again when the dump ended.
    ++counters_.audits;
    wanted_.next_hops = wanted_.routes = true;
  }
}

std::span<const NextHopOp> Forwarder::next_next_hop_batch(std::size_t limit, Time now) {
  if (!writing() || !kernel_has_objects_) return {};
  return groups_.next_batch(limit, now);
}

std::span<const RouteOp> Forwarder::next_route_batch(std::size_t limit, Time now) {
  if (!writing()) return {};
  return reconciler_.next_batch(limit, now);
}

void Forwarder::on_answers(std::span<const NextHopOp> batch, std::span<const OpError> errors, Time now) {
  groups_.on_answers(batch, errors, now);
  for (const OpError& error : errors) {
    const NextHopOp& op = batch[error.index];
    if (op.kind == NextHopOp::Kind::remove && error.error == ENOENT) continue;
    ++counters_.kernel_refusals;
    log(LogLevel::debug, "next-hop object " + std::to_string(static_cast<std::uint32_t>(op.next_hop.id)) +
                             ": the kernel says " + std::strerror(error.error) +
                             (error.text.empty() ? "" : " (" + error.text + ")"));
  }
}

void Forwarder::on_answers(std::span<const RouteOp> batch, std::span<const OpError> errors, Time now) {
  reconciler_.on_answers(batch, errors, now);
  if (errors.empty()) {
    refusal_logged_ = refusal_logged_ && reconciler_.refused() != 0;
    return;
  }
  const OpError& first = errors.front();
  if (refusal_logged_ || kernel_answer(batch[first.index].kind, first.error) == Answer::done) return;
  refusal_logged_ = true;  // Once per episode; show tells each.
  log(LogLevel::warning, "the kernel refuses route " + to_text(batch[first.index].key) + ": " +
                             std::strerror(first.error) + (first.text.empty() ? "" : " (" + first.text + ")") +
                             (errors.size() > 1 ? ", and " + std::to_string(errors.size() - 1) + " more" : ""));
}

DumpRequest Forwarder::take_dump_request(Time now) {
  if (dumps_running_ != 0 || !wanted_.any() || (now < next_dump_at_ && !verify_wanted_)) return {};
  DumpRequest request = std::exchange(wanted_, {});
  // The kernel answers a dump of next hops under the lock that changes of links hold: after it, what they took along
  // is gone from the routes as well. So it goes first, also for the sake of waiting.
  if (!kernel_has_objects_) request.next_hops = false;
  dumps_running_ = static_cast<unsigned>(request.links) + static_cast<unsigned>(request.next_hops) +
                   static_cast<unsigned>(request.routes);
  dump_began_ = now;
  if (request.routes && std::exchange(verify_wanted_, false)) comparing_ = Comparison{};
  return request;
}

std::vector<NextHopState> Forwarder::take_next_hop_changes() { return std::exchange(next_hop_changes_, {}); }
std::vector<NetworkChange> Forwarder::take_network_changes() { return std::exchange(network_changes_, {}); }

Time Forwarder::next_deadline() const {
  if (end_ == End::over) return kNever;
  if (routes_left_ == 0 && has_work()) return now_;
  Time next = std::min({map_.next_deadline(), adopt_until_, next_audit_, end_at_});
  if (writing()) next = std::min({next, groups_.next_deadline(), reconciler_.next_deadline()});
  if (wanted_.any() && dumps_running_ == 0) next = std::min(next, next_dump_at_);
  return next;
}

bool Forwarder::idle() const {
  if (!options_.enabled && former_.empty()) return true;
  return ready_ && settled() && dumps_running_ == 0 && !wanted_.any() && reconciler_.idle() &&
         (!kernel_has_objects_ || (groups_.idle() && !forwardings_.has_unused_next_hops()));
}

void Forwarder::start_verify() {
  verify_wanted_ = true;
  wanted_.next_hops = wanted_.routes = true;
}

std::optional<std::vector<OwnedTable>> Forwarder::take_owned_change() {
  if (!std::exchange(owned_changed_, false)) return std::nullopt;
  std::vector<OwnedTable> owned = former_;
  if (options_.enabled)
    for (const std::uint32_t table : injector_.tables()) owned.push_back({table, options_.protocol, id_base_});
  std::sort(owned.begin(), owned.end());
  owned.erase(std::unique(owned.begin(), owned.end()), owned.end());
  if (owned == owned_) return std::nullopt;
  owned_ = owned;
  return owned;
}

}  // namespace minibgp::fib
