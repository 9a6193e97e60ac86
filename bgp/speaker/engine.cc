/// The engine's turns: what a poll hands out, in which order, and when the next turn is due; and the public face of
/// bgp/engine.h. What each input means is in engine_inputs.cc, peers are in peers.cc, their sessions in sessions.cc.
#include <bgp/engine.h>
#include <bgp/speaker/engine_impl.h>

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

namespace minibgp {
namespace {

rib::SelectionOptions selection_of(const SpeakerOptions& options) {
  rib::SelectionOptions selection;
  selection.maximum_paths = options.maximum_paths;
  selection.multipath = options.multipath;
  selection.decide = {options.always_compare_med, options.prefer_oldest};
  return selection;
}

speaker::ChangeReport::Selection selection_during(const speaker::Deferral& deferral) {
  using Selection = speaker::ChangeReport::Selection;
  return deferral.defers_selection() ? Selection::deferred : Selection::under_way;
}

}  // namespace

EngineImpl::EngineImpl(const SpeakerOptions& options, LogSink* log, Time now)
    : options_(options),
      log_(log),
      now_(now),
      table_(attributes_, next_hops_),
      peers_(options.seed),
      own_routes_(attributes_, table_, facts_),
      importer_(attributes_, table_, facts_),
      exporter_(attributes_, table_, facts_),
      sweeper_(table_),
      stale_routes_(table_, next_hops_, sweeper_),
      refreshes_(table_, exporter_, sweeper_),
      deferral_(now + options.restart_deferral, options.forwarding_preserved),
      changes_({attributes_, next_hops_, table_, exporter_, sweeper_, peers_}) {
  next_hops_.set_tracking(options.next_hop_tracking);
  table_.set_options(selection_of(options));
  if (deferral_.defers_selection()) exporter_.begin_deferral();
}

// Turns

void EngineImpl::begin_turn(Time now) {
  // Time given from outside may go back; deadlines that were stored must not.
  now_ = std::max(now_, now);
  // `export_more` is kept: it says that the last export stopped at a limit, and this turn has not exported yet.
  turn_ = {kWorkPerTurn, false, false, turn_.export_more};
  check_restart_done();
}

/// Messages left over from earlier turns: the connection after the one that had the last turn begins, so that one that
/// always has more does not keep the others waiting.
void EngineImpl::work_on_messages() {
  std::vector<ConnId> pending;
  for (const auto& [id, connection] : peers_.connections())
    if (!connection->ended && connection->session->has_pending() && !held(*connection)) pending.push_back(id);
  // `connections()` is ordered by ConnId, so `pending` is too.
  std::rotate(pending.begin(), std::upper_bound(pending.begin(), pending.end(), last_drained_), pending.end());
  for (const ConnId id : pending) {
    if (turn_.work_left == 0) break;
    last_drained_ = id;
    // Draining one connection may end another one (a collision).
    Connection* const connection = peers_.find(id);
    if (connection == nullptr || connection->ended) continue;
    drain(*connection);
    connection->end_turn();
  }
}

/// The timers of one peer that have come.
void EngineImpl::work_through(Peering& peering) {
  // What is drained may end connections, which leave the peer's list: a copy is walked.
  const std::vector<Connection*> connections = peering.connections;
  for (Connection* connection : connections) {
    if (connection->ended || connection->session->next_deadline() > now_) continue;
    connection->session->on_time(now_);
    drain(*connection);
    connection->end_turn();
  }
  if (peering.stale_until <= now_) stale_routes_.time_is_over(peering);
  if (peering.enable_at() <= now_) enable(peering);
  if (const auto line = peering.silence_to_log(now_)) log_.log(LogLevel::warning, peering, *line);
  dial_if_due(peering);
  report_state(peering, DownReason::none);
}

void EngineImpl::sweep() {
  if (sweeper_.idle()) return;
  // Judgements are kept from one route to the next; rules and attribute ids may be others since the last walk.
  importer_.forget_judgements();
  sweeper_.run([this](PeerId peer, rib::RouteId id, std::uint32_t index) {
    const Peering* const peering = peers_.find(peer);
    if (peering != nullptr) importer_.judge_again(peering->import_rules, id, index);
  });
  // What the walk judged holds references on attributes. They end here, not with the next walk.
  importer_.forget_judgements();
  peers_.free_removed(table_, next_hops_);
}

void EngineImpl::check_restart_done() {
  if (deferral_.over()) return;
  // A route whose next hop is not known yet, or that is still being looked at, is not settled either.
  const bool settled = sweeper_.idle() && !next_hops_.waits_for_answers();
  if (deferral_.ends_selection(peers_, settled, now_)) exporter_.end_deferral();
}

Time EngineImpl::next_deadline() const {
  Time deadline = std::min(deferral_.next_deadline(peers_, now_), exporter_.next_report_due());
  bool messages_wait = false;
  // O(connections). The driver asks once for each turn of the loop.
  for (const auto& [id, connection] : peers_.connections()) {
    if (connection->ended || !connection->session->has_pending()) continue;
    if (held(*connection)) {
      deadline = std::min(deadline, connection->held_until);
    } else {
      messages_wait = true;
    }
  }
  // Work is left over: the next turn is due now.
  if (messages_wait || !sweeper_.idle() || turn_.export_more || changes_.waits(selection_during(deferral_)))
    return now_;
  peers_.for_each([&](const Peering& peering) {
    deadline = std::min(
        {deadline, peering.connector.next_deadline(), peering.stale_until, peering.enable_at(), peering.silence_due()});
    for (const Connection* connection : peering.connections)
      deadline = std::min(deadline, connection->session->next_deadline());
  });
  return deadline;
}

std::optional<Output> EngineImpl::poll() {
  peers_.forget_closed();
  peers_.free_removed(table_, next_hops_);
  // Each round hands out one output, or does the next part of the turn and looks whether that made one.
  for (;;) {
    // One output after the other: each may hold views that the next step of the turn invalidates.
    if (!outputs_.empty()) {
      Output output = std::move(outputs_.front());
      outputs_.pop_front();
      // The connection stays until the next poll(): the rim still reads outgoing() for this Close.
      if (const Close* close = std::get_if<Close>(&output)) peers_.close(close->conn);
      return output;
    }
    // Best paths first. Exports and the answers about next hops follow from what is taken here.
    if (!std::exchange(turn_.reported, true)) {
      if (std::exchange(facts_.changed, false)) prefix_facts_changed();
      auto batch = changes_.next_batch(selection_during(deferral_));
      // After the changes of this batch.
      if (changes_.take_restart_complete(deferral_.over())) outputs_.emplace_back(RestartComplete{});
      if (batch) return *batch;
      continue;
    }
    if (const auto interest = next_hops_.take_interest())
      return NextHopInterest{interest->peer, interest->next_hop, interest->wanted};
    if (auto end = changes_.next_end_of_rib(selection_during(deferral_))) return *end;
    if (std::exchange(turn_.exported, true)) return std::nullopt;
    turn_.export_more = exporter_.run(now_);
    log_.log_withheld(exporter_, peers_, snapshot(), now_);
    peers_.tell_writes([this](Write write) { outputs_.emplace_back(write); });
  }
}

/// Policies may ask whether a prefix is covered by one of our own, or covers a protected address: what they said of
/// others may be different now.
void EngineImpl::prefix_facts_changed() {
  // Also for our own routes: an endpoint may be inside of one, and a part depends on its network.
  exporter_.reconsider_prefixes();
  peers_.for_each([this](const Peering& peering) {
    if (table_.counts(peering.id).received != 0 && peering.import_rules.policy->reads_prefix())
      sweeper_.judge_again(peering.id);
  });
}

Result<void, ApiError> EngineImpl::set_options(const SpeakerOptions& options, Time now) {
  begin_turn(now);
  if (const auto error = validate(options)) return unexpected(*error);
  const SpeakerOptions before = std::exchange(options_, options);
  options_.next_hop_tracking = before.next_hop_tracking;  // Fixed for the life of a speaker.
  options_.forwarding_preserved = before.forwarding_preserved;
  if (!(selection_of(before) == selection_of(options))) {
    table_.set_options(selection_of(options));
    // Next hops and multipath depend on the options alone, so each route is selected again, in parts.
    sweeper_.reselect_all();
  }
  const ChangeCost cost = cost_of_change(before, options);
  peers_.for_each([&](Peering& peering) {
    if (peering.removing) return;
    // AS number and identifier are in the OPEN, which a session sends once.
    if (cost == ChangeCost::reset) {
      reset(peering, "speaker's AS number or identifier changed");
      // Another AS is another speaker to the peer: what it kept was not for this one.
      const bool as_changed = before.asn != options.asn && !peering.options.local_as;
      if (as_changed && peering.any_stale()) stale_routes_.drop_all(peering);
    }
    // Also without a reset: cluster id and local AS are part of the import and export rules.
    set_rules(peering);
  });
  return {};
}

// The public face

Engine::Engine(const SpeakerOptions& options, LogSink* log, Time now)
    : impl_(std::make_unique<EngineImpl>(options, log, now)) {}
Engine::~Engine() = default;

Result<PeerId, ApiError> Engine::add_peer(const PeerOptions& options, Time now) {
  return impl_->add_peer(options, now);
}
Result<void, ApiError> Engine::update_peer(PeerId peer, const PeerOptions& options, Time now) {
  return impl_->update_peer(peer, options, now);
}
Result<void, ApiError> Engine::set_options(const SpeakerOptions& options, Time now) {
  return impl_->set_options(options, now);
}
std::optional<ConnId> Engine::on_accepted(const IpAddress& from, const IpAddress& to, std::string_view device,
                                          Time now) {
  return impl_->on_accepted(from, to, device, now);
}
void Engine::input(const Input& input, Time now) { impl_->input(input, now); }
std::optional<Output> Engine::poll() { return impl_->poll(); }
Time Engine::next_deadline() const { return impl_->next_deadline(); }

Bytes Engine::outgoing(ConnId conn) const {
  const speaker::Connection* const connection = impl_->peers().find(conn);
  return connection == nullptr ? Bytes{} : connection->session->outgoing();
}
bool Engine::wants_bytes(ConnId conn) const {
  // While a whole message waits the rim reads nothing more, so what is buffered for one connection stays bounded.
  const speaker::Connection* const connection = impl_->peers().find(conn);
  return connection != nullptr && !connection->ended && !connection->session->has_pending();
}
const PeerOptions* Engine::options_of(PeerId peer) const {
  const speaker::Peering* const peering = impl_->peers().find_kept(peer);
  return peering == nullptr ? nullptr : &peering->options;
}
// The owner of a connection that ended is still known until its Close was taken.
std::optional<PeerId> Engine::peer_of(ConnId conn) const {
  const speaker::Connection* const connection = impl_->peers().find(conn);
  if (connection == nullptr) return std::nullopt;
  return connection->peer;
}

const SpeakerOptions& Engine::options() const { return impl_->options(); }
std::vector<PeerStatus> Engine::peers() const { return impl_->snapshot().peers(); }
std::optional<PeerStatus> Engine::peer(PeerId peer) const {
  const speaker::Peering* const peering = impl_->peers().find_kept(peer);
  if (peering == nullptr) return std::nullopt;
  return impl_->snapshot().status(*peering);
}
std::vector<PathSnapshot> Engine::routes(const RouteFilter& filter) const { return impl_->snapshot().routes(filter); }
std::uint32_t Engine::routes_part(const RouteFilter& filter, std::uint32_t from, std::size_t steps,
                                  std::vector<PathSnapshot>& found) const {
  return impl_->snapshot().routes_part(filter, from, steps, found);
}
std::uint32_t Engine::announced_part(PeerId peer, const RouteFilter& filter, std::uint32_t from, std::size_t steps,
                                     std::vector<AnnouncedSnapshot>& found) const {
  return impl_->snapshot().announced_part(peer, filter, from, steps, found);
}
std::vector<AnnouncedSnapshot> Engine::announced_to(PeerId peer, const RouteFilter& filter) const {
  return impl_->snapshot().announced_to(peer, filter);
}
std::vector<WithheldSnapshot> Engine::withheld_from(PeerId peer, const RouteFilter& filter) const {
  return impl_->snapshot().withheld_from(peer, filter);
}
std::vector<AnnouncedSnapshot> Engine::announcements() const { return impl_->snapshot().announcements(); }
std::size_t Engine::route_count() const { return impl_->snapshot().route_count(); }
std::vector<MemoryUse> Engine::memory() const { return impl_->snapshot().memory(); }

}  // namespace minibgp
