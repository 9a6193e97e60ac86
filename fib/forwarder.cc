#include <bgp/text.h>
#include <fib/forwarder.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <tuple>

namespace minibgp::fib {
namespace {

/// Dumps that events ask for are at least this far apart, and at least four times as long as one takes: a link that
/// flaps under a million routes must not keep us reading.
constexpr Duration kDumpSpacing = std::chrono::milliseconds{50};
constexpr int kDumpShare = 4;
/// A next hop the kernel refused is tried again after this, or when a link or address changes.
constexpr Duration kRefusedViaRetry = std::chrono::seconds{5};
/// Routes in one batch. A thread waits for the kernel, and the kernel takes its lock for each route anew, so nothing
/// waits for a batch; from about 64 on the kernel's own work dominates, and 256 wake the two threads seldom.
constexpr std::size_t kRoutesPerBatch = 256;
/// In one turn, before others get theirs: one or two milliseconds where the port takes them at once.
constexpr std::size_t kRoutesPerTurn = 16 * kRoutesPerBatch;
constexpr std::size_t kNextHopsPerBatch = 64;
constexpr std::size_t kDifferencesKept = 100;  // Of a comparison, for people.

std::uint32_t id_base(const FibOptions& options) {
  return options.next_hop_id_base != 0 ? options.next_hop_id_base : 0x62000000U + ((options.table & 0xFFU) << 16U);
}

Injector::Options injector_options(const FibOptions& options) {
  return {options.table, options.metric, options.preferred_source};
}

/// What the reconciler compares: a route by next-hop object is that object, whatever it holds at the moment.
Forwarding normalized(const Forwarding& kernel) {
  Forwarding result = kernel;
  if (result.next_hop != kNoNextHopId) result.vias.clear();
  normalize(result.vias);
  return result;
}

std::string text_of(const RouteKey& key) {
  return to_text(key.prefix) + " metric " + std::to_string(key.metric) + " table " + std::to_string(key.table);
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
          [this](ForwardingId kernel) { return viable(kernel); }),
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

bool Forwarder::viable(ForwardingId kernel) const {
  const std::vector<Via> vias = injector_.vias_of(forwardings_[kernel]);
  return !vias.empty() &&
         std::all_of(vias.begin(), vias.end(), [this](const Via& via) { return map_.interface_usable(via.interface); });
}

// --- Desired -------------------------------------------------------------------------------------------------------

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

void Forwarder::remove_everything() {
  injector_.clear();
  finish_adoption();
  networks_.clear();
}

// --- Kernel --------------------------------------------------------------------------------------------------------

void Forwarder::on_link_or_address(bool changed) {
  mark(Stage::next_hops, changed);
  mark(Stage::parked, changed);
}

void Forwarder::on_link(const LinkInfo& link) {
  const bool changed = map_.on_link(link);
  on_link_or_address(changed);
  // The kernel drops routes and next-hop objects with a link, and not always says so.
  if (changed && ready_) wanted_.next_hops = wanted_.routes = true;
}

void Forwarder::on_link_gone(IfIndex index) {
  on_link_or_address(map_.on_link_gone(index));
  if (ready_) wanted_.next_hops = wanted_.routes = true;
}

void Forwarder::on_address(const AddressInfo& address) {
  const bool changed = map_.on_address(address);
  on_link_or_address(changed);
  mark(Stage::sets, changed);   // The preferred source may be another one.
  mark(Stage::guard, changed);  // It looks after the networks we are in.
}

void Forwarder::on_address_gone(const AddressInfo& address) {
  const bool changed = map_.on_address_gone(address);
  on_link_or_address(changed);
  mark(Stage::sets, changed);
  mark(Stage::guard, changed);
  // Routes with the address as their source, or with a gateway in its network, went without a word.
  if (changed && ready_) wanted_.next_hops = wanted_.routes = true;
}

bool Forwarder::written_by_us(const KernelRoute& route) const {
  if (route.protocol == options_.protocol && in_our_tables(route.key)) return true;
  return std::any_of(former_.begin(), former_.end(), [&](const OwnedTable& former) {
    return former.protocol == route.protocol && former.table == route.key.table;
  });
}

void Forwarder::on_route(const KernelRoute& route, Heard heard) {
  if (!written_by_us(route)) return on_foreign_route(route, heard);
  if (!route.unicast) return;
  Forwarding forwarding = normalized(route.forwarding);
  if (route.protocol != options_.protocol) forwarding.former_protocol = route.protocol;
  if (heard == Heard::notified && route.placement != Placement::replaced) {
    // A second one beside ours, or ours and one more next hop: the table tells.
    const auto known = reconciler_.find(route.key);
    if (known && known->kernel != kNoForwarding && known->target != kNoTarget && !known->in_flight) {
      if (forwardings_[known->kernel] != forwarding) wanted_.routes = true;
      return;
    }
  }
  // A dump shows routes with one key in the kernel's order. A foreign one may come before a route of an earlier run of
  // ours, which was not known then.
  if (heard == Heard::dumped) {
    if (const ForeignRoute* theirs = map_.foreign().on_ours_dumped(route.key)) {
      mark(Stage::guard);
      note_ahead(route.key, "a route of protocol " + std::to_string(theirs->protocol) + " is");
    }
  }
  // It may have taken the place of a foreign one.
  if (heard == Heard::notified && map_.foreign().occupies(route.key)) wanted_.routes = true;
  const Intrusion by{route.port_id, route.protocol, false};
  if (reconciler_.on_kernel_route(route.key, forwarding, heard, by)) note_repair(route.key, "is not as we left it", by);
}

void Forwarder::on_foreign_route(const KernelRoute& route, Heard heard) {
  if (route.key.table != kMainTable && route.key.table != options_.table) return;
  // IPv6 has these on every interface, with one key: nothing depends on them.
  if (route.key.prefix.family == Family::ipv6 && route.key.prefix.octets[0] >= 0xFE) return;
  const ForeignRoute foreign{route.key, route.protocol, route.unicast, route.forwarding.vias};
  bool ours_there = false;
  if (reconciler_.counts().installed != 0 && in_our_tables(route.key)) {
    const auto ours = reconciler_.find(route.key);
    ours_there = ours && ours->kernel != kNoForwarding && !forwardings_[ours->kernel].taken_over;
    if (heard == Heard::dumped) {
      // The kernel lists routes with one key in its order. Ours may follow; if it does not, this one replaced it,
      // unless it was known beside ours before: then ours was removed.
      const bool ahead = ours_there && !ours->seen;
      const bool replaces = ours && ours->kernel != kNoForwarding && !ours_there && ours->target != kNoTarget;
      if (replaces || (ahead && ours->target != kNoTarget && !map_.foreign().knows(foreign)))
        replaced_unseen_.push_back(route.key);
      mark(Stage::guard, map_.foreign().on_dumped(foreign, ahead || replaces));
      return;
    }
    const bool behind_another = map_.foreign().ahead(route.key) != nullptr;
    const bool overwritten = ours && ours->kernel != kNoForwarding && route.placement == Placement::replaced;
    if (overwritten && !behind_another) {
      // `ip route replace` says "proto boot".
      Forwarding theirs = normalized(route.forwarding);
      theirs.taken_over = true;
      const Intrusion by{route.port_id, route.protocol, false};
      if (ours->target == kNoTarget) {
        reconciler_.on_kernel_gone(route.key, heard);
      } else {
        if (reconciler_.on_kernel_route(route.key, theirs, heard, by))
          note_repair(route.key, "was overwritten by protocol " + std::to_string(route.protocol), by);
        return;
      }
    }
  }
  if (heard == Heard::dumped) {
    mark(Stage::guard, map_.foreign().on_dumped(foreign, false));
  } else {
    mark(Stage::guard, map_.foreign().on_route(foreign, route.placement, ours_there));
  }
  if (ours_there && heard == Heard::notified && map_.foreign().ahead(route.key) != nullptr)
    note_ahead(route.key, text_of_port(route.port_id) + " put a route of protocol " + std::to_string(route.protocol));
}

void Forwarder::on_route_gone(const KernelRoute& route) {
  if (written_by_us(route)) {
    const Intrusion by{route.port_id, route.protocol, true};
    if (reconciler_.on_kernel_gone(route.key, Heard::notified, by)) note_repair(route.key, "was removed", by);
    return;
  }
  mark(Stage::parked);  // It may have sat where one of ours goes.
  if (route.key.table != kMainTable && route.key.table != options_.table) return;
  switch (map_.foreign().on_gone({route.key, route.protocol, route.unicast, route.forwarding.vias})) {
    case ForeignRoutes::Gone::erased:
      // The dump that runs may have shown it before it went.
      if (dumps_running_ != 0) wanted_.routes = true;
      mark(Stage::guard);
      break;
    case ForeignRoutes::Gone::shrunk:
      mark(Stage::guard);
      break;
    case ForeignRoutes::Gone::unknown:
      if (map_.foreign().exact(route.key.prefix) != nullptr) wanted_.routes = true;
  }
  // What was taken over by it is not there any more.
  if (reconciler_.counts().installed != 0 && in_our_tables(route.key)) {
    const auto ours = reconciler_.find(route.key);
    if (ours && ours->kernel != kNoForwarding && forwardings_[ours->kernel].taken_over)
      reconciler_.on_kernel_gone(route.key, Heard::notified);
  }
}

void Forwarder::on_next_hop(const KernelNextHop& next_hop) { groups_.on_kernel_next_hop(next_hop); }
void Forwarder::on_next_hop_gone(NextHopId id) { groups_.on_kernel_gone(id); }

void Forwarder::on_overrun() {
  ++counters_.overruns;
  log(LogLevel::warning, "the kernel had to drop notifications: reading its tables again");
  wanted_ = {true, true, true};
}

void Forwarder::begin_dump(DumpPart part) {
  switch (part) {
    case DumpPart::links:
      map_.begin_dump();
      break;
    case DumpPart::next_hops:
      groups_.begin_dump();
      break;
    case DumpPart::routes:
      reconciler_.begin_dump();
      map_.foreign().begin_dump();
      replaced_unseen_.clear();
  }
}

void Forwarder::end_dump(DumpPart part, bool complete, Time now) {
  ++counters_.dumps;
  now_ = now;
  if (!complete) {
    if (part == DumpPart::links) wanted_.links = true;
    if (part == DumpPart::next_hops) wanted_.next_hops = true;
    if (part == DumpPart::routes) wanted_.routes = true;
  }
  switch (part) {
    case DumpPart::links:
      if (complete) on_link_or_address(map_.end_dump());
      mark(Stage::sets);
      mark(Stage::guard);
      break;
    case DumpPart::next_hops:
      if (complete) groups_.end_dump();
      break;
    case DumpPart::routes: {
      // A foreign route stands where ours was, which the dump has not shown: it overwrote ours.
      for (const RouteKey& key : std::exchange(replaced_unseen_, {})) {
        const auto ours = reconciler_.find(key);
        const ForeignRoute* theirs = map_.foreign().ahead(key);
        if (!complete || !ours || ours->seen || ours->target == kNoTarget || theirs == nullptr) continue;
        Forwarding taken{theirs->vias, kNoNextHopId, true, {}};
        const std::uint8_t protocol = theirs->protocol;
        map_.foreign().forget_ahead(key);
        if (reconciler_.on_kernel_route(key, taken, Heard::dumped)) {
          note_repair(key, "was overwritten by protocol " + std::to_string(protocol), {});
        } else {
          wanted_.routes = true;  // Ours was written while the dump ran: which was first?
        }
      }
      const std::uint64_t drift = reconciler_.totals().drift;
      reconciler_.end_dump(complete);
      if (const auto missing = reconciler_.totals().drift - drift; missing != 0)
        log_bounded(repairs_logged_, LogLevel::info,
                    std::to_string(missing) + " routes of ours were missing: repaired");
      if (complete) {
        mark(Stage::guard, map_.foreign().end_dump());
        mark(Stage::guard, injector_.claim_again());  // What was held back for that is judged again.
        look_for_clean_tables();
      }
      if (comparing_ && complete) {
        compare();
        comparison_done_ = std::exchange(comparing_, std::nullopt);
      }
      reconciler_.rescan();  // What was given up on gets its retry with each comparison.
    }
  }
  if (--dumps_running_ != 0) return;
  next_dump_at_ = now + std::max(kDumpSpacing, kDumpShare * (now - dump_began_));
  if (options_.audit_interval > Duration::zero()) next_audit_ = now + options_.audit_interval;
  if (!ready_ && !wanted_.any()) {
    ready_ = true;
    mark(Stage::next_hops, map_.set_ready());
    mark(Stage::guard);
    mark(Stage::sets);
    if (reconciler_.counts().adopted != 0)
      log(LogLevel::info, std::to_string(reconciler_.counts().installed) + " routes of an earlier run are adopted");
    for (const auto& [key, watched] : watched_)
      next_hop_changes_.push_back(state_of(key.first, key.second, map_.resolution(watched.ref)));
    if (adoption_over_) {
      finish_adoption();
    } else {
      adopt_until_ = now + options_.adopt_timeout;
    }
  }
}

void Forwarder::no_next_hop_objects() {
  if (!std::exchange(kernel_has_objects_, false)) return;
  if (std::exchange(use_groups_, false))
    log(LogLevel::info, "this kernel has no next-hop objects: each route carries its next hops itself");
  injector_.give_up_groups();
}

std::string Forwarder::text_of_port(std::uint32_t port_id) const {
  if (port_id == 0) return "the kernel";
  return port_name_ ? port_name_(port_id) : "netlink port " + std::to_string(port_id);
}

void Forwarder::log_bounded(LineBudget& budget, LogLevel level, std::string_view line) {
  if (budget.take(now_)) log(level, line);
}

void Forwarder::note_repair(const RouteKey& key, std::string_view what, const Intrusion& by) {
  if (log_ == nullptr || !log_->wants(LogLevel::info, LogArea::fib)) return;
  log_bounded(repairs_logged_, LogLevel::info,
              "route " + text_of(key) + " " + std::string(what) +
                  (by.port_id != 0 ? " by " + text_of_port(by.port_id) : std::string{}) + ": repaired");
}

void Forwarder::note_ahead(const RouteKey& key, const std::string& what) {
  if (log_ == nullptr || !log_->wants(LogLevel::warning, LogArea::fib)) return;
  log_bounded(ahead_logged_, LogLevel::warning,
              "route " + text_of(key) + ": " + what +
                  " in front of ours: packets follow that one until it goes ('ip route show " + to_text(key.prefix) +
                  "')");
}

/// News that come in numbers: some lines of them, and how many there were.
void Forwarder::log_news() {
  for (const Contest& contest : reconciler_.take_contests()) {
    const std::string how =
        contest.last.removed ? "removed" : "changed to protocol " + std::to_string(contest.last.protocol);
    log_bounded(contests_logged_, LogLevel::warning,
                "route " + text_of(contest.key) + " was " + how + " by " + text_of_port(contest.last.port_id) +
                    " again after " + std::to_string(contest.repairs) + " repairs: the next one is in " +
                    std::to_string(contest.wait / std::chrono::seconds{1}) +
                    " s; end that program, or give one of the two another fib.table");
  }
  const Injector::HeldNews held = injector_.take_held_news();
  for (const auto& [prefix, why] : held.some)
    log_bounded(held_logged_, LogLevel::warning,
                "route " + to_text(prefix) + " is not installed: " + std::string(to_text(why.refusal)) +
                    (why.detail.empty() ? "" : " (" + why.detail + ")"));
  if (held.count > held.some.size()) held_logged_.miss(held.count - held.some.size());
  if (const auto missed = repairs_logged_.take_missed(now_); missed != 0)
    log(LogLevel::info, std::to_string(missed) + " more routes of ours were changed and repaired");
  if (const auto missed = held_logged_.take_missed(now_); missed != 0)
    log(LogLevel::warning, std::to_string(missed) + " more routes are not installed: 'bgplite show fib' tells each");
  if (const auto missed = contests_logged_.take_missed(now_); missed != 0)
    log(LogLevel::warning, std::to_string(missed) + " more repairs wait because another program undoes them");
  if (const auto missed = ahead_logged_.take_missed(now_); missed != 0)
    log(LogLevel::warning, std::to_string(missed) + " more routes were put in front of ours");
}

// --- Memory --------------------------------------------------------------------------------------------------------

void Forwarder::look_for_clean_tables() {
  if (reconciler_.adopting() || dumps_running_ > 1) return;
  std::vector<OwnedTable> unused = former_;
  for (const std::uint32_t table : injector_.tables())
    if (!injector_.uses(table)) unused.push_back({table, options_.protocol, id_base_});
  if (unused.empty()) return;
  std::set<std::pair<std::uint32_t, std::uint8_t>> left;
  reconciler_.for_each([&](const Reconciler::View& view) {
    if (view.kernel == kNoForwarding && !view.in_flight) return;
    const std::uint8_t former = view.kernel == kNoForwarding ? 0 : forwardings_[view.kernel].former_protocol;
    left.insert({view.key.table, former != 0 ? former : options_.protocol});
  });
  for (const OwnedTable& one : unused) {
    const bool in_use = options_.enabled && one.protocol == options_.protocol &&
                        injector_.tables().contains(one.table) && injector_.uses(one.table);
    if (!in_use && left.contains({one.table, one.protocol})) continue;
    const bool present_range = one.protocol == options_.protocol && one.next_hop_id_base == id_base_;
    if (!present_range && kernel_has_objects_ && groups_.any_left(one.next_hop_id_base, one.protocol)) continue;
    std::erase(former_, one);
    if (present_range && one.table != options_.table) injector_.drop_table(one.table);
    owned_changed_ = true;
  }
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

// --- Work ----------------------------------------------------------------------------------------------------------

std::optional<Output> Forwarder::poll() {
  settle(now_);
  if (auto owned = take_owned_change()) return OwnedChanged{std::move(*owned)};
  if (const auto batch = next_next_hop_batch(kNextHopsPerBatch, now_); !batch.empty()) return NextHopBatch{batch};
  // A batch may be empty though there is work: the reconciler looks at so many routes at a time. And what backs off is
  // no work before its time came, which the reconciler looks at.
  while (room_for_routes_ && routes_left_ != 0) {
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
  return std::nullopt;
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
  log(LogLevel::warning, "the kernel refuses route " + text_of(batch[first.index].key) + ": " +
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
  if (routes_left_ == 0 && has_work()) return now_;
  Time next = std::min({map_.next_deadline(), adopt_until_, next_audit_});
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

// --- Reading -------------------------------------------------------------------------------------------------------

bool Forwarder::present(const Prefix& prefix, NetworkWatch watch) const {
  if (watch == NetworkWatch::exact_route) return map_.foreign().exact(prefix) != nullptr;
  const ForeignRoute* route = map_.foreign().covering(prefix);
  return route != nullptr && route->key.prefix.length_bits != 0;
}

NextHopState Forwarder::state_of(PeerId peer, const IpAddress& next_hop, const Resolution& resolution) const {
  NextHopState state;
  state.peer = peer;
  state.next_hop = next_hop;
  state.usable = resolution.usable;
  state.cost = resolution.cost;
  state.reason = resolution.reason;
  state.detail = resolution.detail;
  if (resolution.usable) {
    state.gateway = resolution.via.gateway;
    state.interface = map_.name_of(resolution.via.interface);
  }
  return state;
}

FibStatus Forwarder::status() const {
  FibStatus status;
  status.enabled = options_.enabled;
  status.next_hop_objects = use_groups_ && options_.enabled;
  status.synchronized = idle();
  status.adopting = reconciler_.adopting();
  status.table = options_.table;
  status.metric = options_.metric;
  status.protocol = options_.protocol;
  status.desired = reconciler_.counts().desired;
  status.installed = reconciler_.counts().installed;
  status.pending = reconciler_.pending();
  status.held = injector_.held().size() + injector_.refused_static().size();
  status.refused = reconciler_.refused() + status.held;
  map_.foreign().for_each_ahead([&](const ForeignRoute& theirs) {
    const auto ours = reconciler_.find(theirs.key);
    if (ours && ours->kernel != kNoForwarding) ++status.refused;
  });
  status.contested = reconciler_.contested();
  status.adopted = reconciler_.counts().adopted;
  status.counters = counters_;
  const Reconciler::Totals& totals = reconciler_.totals();
  status.counters.route_adds = totals.adds;
  status.counters.route_replaces = totals.replaces;
  status.counters.route_removes = totals.removes;
  status.counters.group_changes = groups_.changes();
  status.counters.drift_repaired = totals.drift + groups_.drift();
  status.counters.kernel_refusals += totals.refusals;
  return status;
}

RouteStatus Forwarder::status_of(const Reconciler::View& view) const {
  RouteStatus status;
  status.key = view.key;
  status.desired = view.target != kNoTarget;
  status.installed = view.kernel != kNoForwarding;
  status.adopted = view.adopted;
  status.from_static = injector_.is_static(view.key);
  status.error = view.error;
  const bool equal = view.kernel == view.desired ||
                     (view.kernel != kNoForwarding && view.desired != kNoForwarding && same(view.kernel, view.desired));
  status.in_sync = !view.in_flight && equal && !(view.adopted && view.target == kNoTarget);
  const ForwardingId shown = view.desired != kNoForwarding ? view.desired : view.kernel;
  if (shown != kNoForwarding) {
    status.vias = injector_.vias_of(forwardings_[shown]);
    status.preferred_source = forwardings_[shown].preferred_source;
  }
  if (view.kernel != kNoForwarding) status.next_hop = forwardings_[view.kernel].next_hop;
  const ForeignRoute* ahead = status.installed ? map_.foreign().ahead(view.key) : nullptr;
  if (ahead != nullptr) {
    status.refusal = Refusal::foreign_ahead;
    status.refusal_detail = "protocol " + std::to_string(ahead->protocol);
    status.in_sync = false;
  } else if (view.contested) {
    status.refusal = Refusal::contested;
    if (const auto by = reconciler_.contested_by(view.key)) status.refusal_detail = text_of_port(by->port_id);
  } else if (view.error != 0) {
    const bool foreign = view.error == EEXIST && map_.foreign().occupies(view.key);
    status.refusal = foreign ? Refusal::foreign_route : Refusal::kernel;
    if (!foreign) status.refusal_detail = std::strerror(view.error);
  } else if (status.desired && view.desired == kNoForwarding) {
    status.refusal = Refusal::no_usable_next_hop;
  }
  return status;
}

/// The truth at the end of a dump: what is desired and not there as desired, and what is there and not desired.
void Forwarder::compare() {
  const auto differs = [this](std::string line, bool repairable) {
    ++comparing_->difference_count;
    if (repairable) ++comparing_->repairable;
    if (comparing_->differences.size() < kDifferencesKept) comparing_->differences.push_back(std::move(line));
  };
  reconciler_.for_each([&](const Reconciler::View& view) {
    if (view.target == kNoTarget && view.kernel == kNoForwarding) return;
    ++comparing_->compared;
    if (view.in_flight) return;  // A change that is on its way is no difference.
    const bool left_over = view.adopted && view.target == kNoTarget;
    if (!view.work_due && view.error == 0 && !view.contested && !left_over && map_.foreign().ahead(view.key) == nullptr)
      return;
    const RouteStatus status = status_of(view);
    const std::string name = text_of(view.key);
    // Without a usable next hop it is right that there is none.
    if (status.desired && status.refusal != Refusal::none && status.refusal != Refusal::no_usable_next_hop) {
      differs(name + (status.installed ? " is not in use: " : " is not installed: ") +
                  std::string(to_text(status.refusal)) +
                  (status.refusal_detail.empty() ? "" : " (" + status.refusal_detail + ")"),
              false);
    } else if (left_over) {
      differs(name + " is of an earlier run: kept until the restart is over", false);
    } else if (view.work_due) {
      differs(name + (view.target == kNoTarget       ? " is not desired: it is removed"
                      : view.kernel == kNoForwarding ? " was missing: repaired"
                                                     : " is not as we left it: repaired"),
              true);
    }
  });
  const auto held = [&](const RouteKey& key, const Injector::Held& why) {
    if (why.refusal == Refusal::static_route) return;
    ++comparing_->compared;
    differs(text_of(key) + " is not installed: " + std::string(to_text(why.refusal)) +
                (why.detail.empty() ? "" : " (" + why.detail + ")"),
            false);
  };
  for (const auto& [key, why] : injector_.held()) held(key, why);
  for (const auto& [key, why] : injector_.refused_static()) held(key, why);
  if (kernel_has_objects_ && !reconciler_.adopting())
    if (const std::size_t objects = groups_.unwanted(); objects != 0)
      differs(std::to_string(objects) + " next-hop objects of ours are not desired: removed", true);
}

std::vector<RouteStatus> Forwarder::routes(const FibRouteFilter& filter) const {
  std::vector<RouteStatus> result;
  const auto matches = [&](const Prefix& prefix) {
    return !filter.prefix || (filter.longer ? filter.prefix->covers(prefix) : *filter.prefix == prefix);
  };
  const auto add = [&](RouteStatus status) {
    if (filter.only_out_of_sync && status.in_sync && status.refusal == Refusal::none) return;
    result.push_back(std::move(status));
  };
  reconciler_.for_each([&](const Reconciler::View& view) {
    if (matches(view.key.prefix)) add(status_of(view));
  });
  const auto add_held = [&](const RouteKey& key, const Injector::Held& held, bool from_static) {
    if (!matches(key.prefix) || held.refusal == Refusal::static_route) return;
    RouteStatus status;
    status.key = key;
    status.desired = true;
    status.from_static = from_static;
    status.refusal = held.refusal;
    status.refusal_detail = held.detail;
    add(std::move(status));
  };
  for (const auto& [key, held] : injector_.held()) add_held(key, held, false);
  for (const auto& [key, held] : injector_.refused_static()) add_held(key, held, true);
  std::sort(result.begin(), result.end(), [](const RouteStatus& a, const RouteStatus& b) {
    return std::tie(a.key.prefix.family, a.key) < std::tie(b.key.prefix.family, b.key);
  });
  if (result.size() > filter.max) result.resize(filter.max);
  return result;
}

std::vector<GroupStatus> Forwarder::groups() const {
  std::vector<GroupStatus> result;
  if (!kernel_has_objects_) return result;
  std::map<NextHopId, std::size_t> users;
  reconciler_.for_each([&](const Reconciler::View& view) {
    if (view.kernel != kNoForwarding) ++users[forwardings_[view.kernel].next_hop];
  });
  groups_.for_each([&](NextHopId id, const std::vector<GroupMember>& members, bool adopted) {
    GroupStatus status{id, {}, users[id], adopted};
    for (const GroupMember& member : members) status.vias.push_back(member.via);
    result.push_back(std::move(status));
  });
  return result;
}

std::vector<NextHopState> Forwarder::next_hops() const {
  std::vector<NextHopState> result;
  map_.for_each([&](NextHopRef, const TrackedNextHop& tracked, const Resolution& resolution) {
    if (static_cast<std::uint32_t>(tracked.source) > 0xFFFF) return;
    result.push_back(
        state_of(PeerId{static_cast<std::uint16_t>(tracked.source)}, tracked.next_hop.address, resolution));
  });
  return result;
}

std::vector<MemoryUse> Forwarder::memory() const {
  const std::size_t routes = std::max(reconciler_.counts().desired, reconciler_.counts().installed);
  return {{"fib routes", routes, reconciler_.record_octets()},
          {"fib route index", routes, reconciler_.index_octets()},
          {"fib forwardings", forwardings_.size(), forwardings_.octets()}};
}

}  // namespace minibgp::fib
