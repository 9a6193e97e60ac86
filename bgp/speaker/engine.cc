/// The engine's turns: what a poll hands out, in which order, and when the next turn is due; and the public face of
/// bgp/engine.h. Peers are in peers.cc, their sessions in sessions.cc, graceful restart in
/// restart.cc.
#include <bgp/base/assert.h>
#include <bgp/engine.h>
#include <bgp/speaker/engine_impl.h>
#include <bgp/text.h>

#include <algorithm>
#include <utility>
#include <variant>

namespace minibgp {
namespace {

/// What FRR gives its own routes: they win unless the operator gives others more.
constexpr std::uint32_t kOwnWeight = 32768;

rib::SelectionOptions selection_of(const SpeakerOptions& options) {
  rib::SelectionOptions selection;
  selection.maximum_paths = options.maximum_paths;
  selection.multipath = options.multipath;
  selection.decide = {options.always_compare_med, options.prefer_oldest};
  return selection;
}

}  // namespace

EngineImpl::EngineImpl(const SpeakerOptions& options, LogSink* log, Time now)
    : options_(options),
      log_(log),
      seed_(options.seed),
      now_(now),
      table_(attributes_, next_hops_),
      importer_(attributes_, table_, facts_),
      exporter_(attributes_, table_, facts_),
      sweeper_(table_),
      best_batch_(attributes_),
      restart_deadline_(now + options.restart_deferral) {
  next_hops_.set_tracking(options.next_hop_tracking);
  table_.set_options(selection_of(options));
  if (defers_selection()) exporter_.begin_deferral();
}

EngineImpl::~EngineImpl() = default;

speaker::Peering* EngineImpl::find_peer(PeerId peer) const {
  const auto index = static_cast<std::size_t>(peer);
  return index < peers_.size() ? peers_[index].get() : nullptr;
}

speaker::Peering* EngineImpl::find_kept(PeerId peer) const {
  Peering* const peering = find_peer(peer);
  return peering == nullptr || peering->removing ? nullptr : peering;
}

speaker::Connection* EngineImpl::find_connection(ConnId conn) const {
  const auto at = connections_.find(conn);
  return at == connections_.end() ? nullptr : at->second.get();
}

// --- Turns ---------------------------------------------------------------------------------------------------------

void EngineImpl::begin_turn(Time now) {
  now_ = std::max(now_, now);
  work_left_ = kWorkPerTurn;
  best_told_ = exported_ = false;
  check_restart_done();
}

void EngineImpl::input(const Input& input, Time now) {
  // Asked before the time is now: what is due is what was not looked at yet.
  if (std::holds_alternative<input::TimePassed>(input) && next_deadline() > now) return;
  now_ = std::max(now_, now);
  std::visit([this](const auto& in) { on(in); }, input);
}

void EngineImpl::on(const input::TimePassed&) {
  begin_turn(now_);
  for (std::size_t i = 0; i < peers_.size(); ++i)
    if (peers_[i] != nullptr) work_through(*peers_[i]);

  // Messages left over: the connection after the one that had the last turn begins.
  std::vector<ConnId> pending;
  for (const auto& [id, connection] : connections_)
    if (!connection->ended && connection->session->has_pending() && !held(*connection)) pending.push_back(id);
  std::rotate(pending.begin(), std::upper_bound(pending.begin(), pending.end(), last_drained_), pending.end());
  for (const ConnId id : pending) {
    if (work_left_ == 0) break;
    last_drained_ = id;
    Connection* const connection = find_connection(id);
    if (connection == nullptr || connection->ended) continue;
    drain(*connection);
    end_of_turn_of(*connection);
  }
  sweep();
  check_restart_done();
}

/// The timers of one peer that have come.
void EngineImpl::work_through(Peering& peering) {
  const std::vector<Connection*> connections = peering.connections;
  for (Connection* connection : connections) {
    if (connection->ended || connection->session->next_deadline() > now_) continue;
    connection->session->on_time(now_);
    drain(*connection);
    end_of_turn_of(*connection);
  }
  if (peering.stale_until <= now_) stale_time_is_over(peering);
  if (peering.enable_at() <= now_) enable(peering);
  dial_if_due(peering);
  report_state(peering, DownReason::none);
}

void EngineImpl::end_of_turn_of(Connection& connection) {
  if (!connection.ended) connection.session->keep_unread();
}

void EngineImpl::sweep() {
  if (sweeper_.idle()) return;
  importer_.forget_judgements();
  sweeper_.run([this](PeerId peer, rib::RouteId id, std::uint32_t index) {
    const Peering* const peering = find_peer(peer);
    if (peering != nullptr) importer_.judge_again(peering->import_rules, id, index);
  });
  importer_.forget_judgements();
  free_removed_peers();
}

Time EngineImpl::next_deadline() const {
  Time deadline = std::min(adoption_done_ ? kNever : restart_deadline_, exporter_.next_report_due());
  bool messages_wait = false;
  for (const auto& [id, connection] : connections_) {
    if (connection->ended || !connection->session->has_pending()) continue;
    if (held(*connection)) {
      deadline = std::min(deadline, connection->held_until);
    } else {
      messages_wait = true;
    }
  }
  if (messages_wait || !sweeper_.idle() || export_more_) return now_;
  if (!table_.changed_empty() || (!unreported_.empty() && !defers_selection())) return now_;
  for (const auto& peering : peers_) {
    if (peering == nullptr) continue;
    deadline = std::min({deadline, peering->connector.next_deadline(), peering->stale_until, peering->enable_at()});
    for (const Connection* connection : peering->connections)
      deadline = std::min(deadline, connection->session->next_deadline());
    if (adoption_done_) continue;
    const Time complete = peering->since + kInitialTableTime;
    if (complete > now_) deadline = std::min(deadline, complete);  // Past ones were looked at; others are waited for.
  }
  return deadline;
}

std::optional<Output> EngineImpl::poll() {
  for (const ConnId conn : closing_) connections_.erase(conn);
  closing_.clear();
  if (removing_ != 0) free_removed_peers();
  for (;;) {
    if (!outputs_.empty()) {
      Output output = std::move(outputs_.front());
      outputs_.pop_front();
      if (const Close* close = std::get_if<Close>(&output)) closing_.push_back(close->conn);
      return output;
    }
    if (!best_told_) {
      best_told_ = true;
      if (prefix_facts_changed_) prefix_facts_changed();
      if (auto output = next_best_changed()) return output;
      continue;
    }
    if (const auto interest = next_hops_.take_interest())
      return NextHopInterest{interest->peer, interest->next_hop, interest->wanted};
    if (auto output = next_end_of_rib()) return output;
    if (exported_) return std::nullopt;
    exported_ = true;
    export_more_ = exporter_.run(now_);
    log_withheld();
    tell_writes();
  }
}

/// One batch. While selection is deferred, what changed is collected, and goes to those peers alone that may have it.
std::optional<Output> EngineImpl::next_best_changed() {
  base::DirtySet& changed = table_.changed();
  const bool deferring = defers_selection();
  best_batch_.clear();
  const auto ecmp_weight = [this](PeerId peer) -> std::uint16_t {
    const Peering* const peering = find_peer(peer);
    return peering == nullptr ? 1 : peering->options.ecmp_weight;
  };
  std::size_t count = 0;
  for (; !deferring && count < kBestChangesPerTurn && !unreported_.empty(); ++count) {
    const rib::RouteId id{unreported_.take()};
    // What came and went during the deferral was never reported; what changed since comes below, once.
    if (changed.contains(static_cast<std::uint32_t>(id))) continue;
    if (table_.contains(id) && table_.route(id).best_path() != nullptr) best_batch_.add(table_.route(id), ecmp_weight);
  }
  for (; count < kBestChangesPerTurn && !changed.empty(); ++count) {
    const rib::RouteId id{changed.take()};
    ++changes_taken_;
    if (deferring) {
      unreported_.add(static_cast<std::uint32_t>(id));
    } else {
      best_batch_.add(table_.route(id), ecmp_weight);
    }
    exporter_.route_changed(id);  // May free the route.
  }
  if (adoption_done_ && !restart_told_ && changed.empty() && unreported_.empty()) {
    restart_told_ = true;
    outputs_.emplace_back(RestartComplete{});  // After the changes of this batch.
  }
  if (best_batch_.empty()) return std::nullopt;
  return BestChanged{best_batch_.changes()};
}

/// The next End-of-RIB whose routes were all reported. They are settled when the stale ones are gone and the next hop
/// of each is known; from then on a count of the changes that wait says when.
std::optional<Output> EngineImpl::next_end_of_rib() {
  if (ends_of_rib_.empty() || defers_selection() || !unreported_.empty()) return std::nullopt;
  for (auto pending = ends_of_rib_.begin(); pending != ends_of_rib_.end(); ++pending) {
    if (pending->after == kNotSettled) {
      if (!sweeper_.idle(pending->end.peer) || next_hops_.waits_for_answers()) continue;
      pending->after = changes_taken_ + table_.changed().size();
    }
    if (changes_taken_ < pending->after) continue;
    const EndOfRib end = pending->end;
    ends_of_rib_.erase(pending);
    return end;
  }
  return std::nullopt;
}

/// One line for many routes, and not again for a minute.
void EngineImpl::log_withheld() {
  while (const auto report = exporter_.next_report(now_)) {
    const Peering* const peering = find_peer(report->peer);
    if (peering == nullptr || log_ == nullptr) continue;
    log(LogLevel::warning, *peering,
        "routes not announced: " + std::to_string(report->count) + ", the first " + to_text(report->first) + ": " +
            to_text(report->why, report->first, status(*peering)));
  }
}

void EngineImpl::tell_writes() {
  for (const auto& [id, connection] : connections_) {
    if (connection->ended || connection->write_told || connection->session->outgoing().empty()) continue;
    connection->write_told = true;
    outputs_.emplace_back(Write{id});
  }
}

// --- Own announcements, options, next hops -------------------------------------------------------------------------

void EngineImpl::on(const input::Announce& in) {
  begin_turn(now_);
  const auto& [prefix, attributes] = in;
  AttrId id{};
  // A part of a network goes behind what others know of it; what matters of it is that peers hear it.
  const bool part = attributes.local.network_bits != 0;
  if (part) {
    PathAttributes last = attributes;
    last.local.weight = 0;
    last.local_pref = 0;
    id = attributes_.intern(last);
  } else if (attributes.local.weight == 0) {
    PathAttributes weighted = attributes;
    weighted.local.weight = kOwnWeight;
    id = attributes_.intern(weighted);
  } else {
    id = attributes_.intern(attributes);
  }
  const auto [known, added] = announcements_.try_emplace(prefix, id);
  if (!added) attributes_.release(std::exchange(known->second, id));
  // Its network covers a part already.
  if (!part && facts_.own_networks.exact(prefix) == nullptr) {
    facts_.own_networks.insert(prefix, 1);
    prefix_facts_changed_ = true;
  } else if (part && facts_.own_networks.erase(prefix)) {
    prefix_facts_changed_ = true;
  }
  table_.set_path(prefix, {kLocalPeer, 0}, id, id);
}

void EngineImpl::on(const input::Withdraw& in) {
  begin_turn(now_);
  const Prefix& prefix = in.prefix;
  const auto known = announcements_.find(prefix);
  if (known == announcements_.end()) return;
  table_.remove_path(prefix, {kLocalPeer, 0});
  attributes_.release(known->second);
  announcements_.erase(known);
  if (facts_.own_networks.erase(prefix)) prefix_facts_changed_ = true;
}

/// Policies may ask whether a prefix is covered by one of our own, or covers a protected address: what they said of
/// others may be different now.
void EngineImpl::prefix_facts_changed() {
  prefix_facts_changed_ = false;
  if (table_.route_count() <= announcements_.size()) return;  // Only our own routes: those are changed anyway.
  exporter_.reconsider_prefixes();
  for (const auto& peering : peers_) {
    if (peering == nullptr || table_.counts(peering->id).received == 0) continue;
    if (peering->import_rules.policy->reads_prefix()) sweeper_.judge_again(peering->id);
  }
}

void EngineImpl::on(const input::SetProtectedAddresses& in) {
  begin_turn(now_);
  if (facts_.protected_addresses == in.addresses) return;
  facts_.protected_addresses = in.addresses;
  prefix_facts_changed_ = true;
}

void EngineImpl::on(const input::SetNextHop& in) {
  begin_turn(now_);
  Peering* const peering = find_peer(in.peer);
  if (peering == nullptr) return;
  const bool differs = next_hops_.set(in.peer, in.next_hop, {in.usable, in.cost});
  if (differs) sweeper_.read_next_hops(in.peer);
  if (!in.usable) stale_next_hop_lost(*peering, in.next_hop);
  if (differs) sweep();
  check_restart_done();
}

Result<void, ApiError> EngineImpl::set_options(const SpeakerOptions& options, Time now) {
  begin_turn(now);
  if (const auto error = validate(options)) return unexpected(*error);
  const SpeakerOptions before = std::exchange(options_, options);
  options_.next_hop_tracking = before.next_hop_tracking;  // Fixed for the life of a speaker.
  options_.forwarding_preserved = before.forwarding_preserved;
  if (!(selection_of(before) == selection_of(options))) {
    table_.set_options(selection_of(options));
    sweeper_.reselect_all();
  }
  const ChangeCost cost = cost_of_change(before, options);
  for (const auto& peering : peers_) {
    if (peering == nullptr || peering->removing) continue;
    if (cost == ChangeCost::reset) {
      reset(*peering, "speaker's AS number or identifier changed");
      // Another AS is another speaker to the peer: what it kept was not for this one.
      const bool as_changed = before.asn != options.asn && !peering->options.local_as;
      if (as_changed && peering->any_stale()) drop_routes(*peering);
    }
    update_rules(*peering);
  }
  return {};
}

// --- The public face -----------------------------------------------------------------------------------------------

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
  const speaker::Connection* const connection = impl_->find_connection(conn);
  return connection == nullptr ? Bytes{} : connection->session->outgoing();
}
bool Engine::wants_bytes(ConnId conn) const {
  const speaker::Connection* const connection = impl_->find_connection(conn);
  return connection != nullptr && !connection->ended && !connection->session->has_pending();
}
const PeerOptions* Engine::options_of(PeerId peer) const {
  const speaker::Peering* const peering = impl_->find_peer(peer);
  return peering == nullptr || peering->removing ? nullptr : &peering->options;
}
std::optional<PeerId> Engine::peer_of(ConnId conn) const {
  const speaker::Connection* const connection = impl_->find_connection(conn);
  if (connection == nullptr) return std::nullopt;
  return connection->peer;
}

const SpeakerOptions& Engine::options() const { return impl_->options(); }
std::vector<PeerStatus> Engine::peers() const { return impl_->peers(); }
std::optional<PeerStatus> Engine::peer(PeerId peer) const {
  const speaker::Peering* const peering = impl_->find_peer(peer);
  if (peering == nullptr || peering->removing) return std::nullopt;
  return impl_->status(*peering);
}
std::vector<PathSnapshot> Engine::routes(const RouteFilter& filter) const { return impl_->routes(filter); }
std::vector<AnnouncedSnapshot> Engine::announced_to(PeerId peer, const RouteFilter& filter) const {
  return impl_->announced_to(peer, filter);
}
std::vector<WithheldSnapshot> Engine::withheld_from(PeerId peer, const RouteFilter& filter) const {
  return impl_->withheld_from(peer, filter);
}
std::vector<AnnouncedSnapshot> Engine::announcements() const { return impl_->announcements(); }
std::size_t Engine::route_count() const { return impl_->route_count(); }
std::vector<MemoryUse> Engine::memory() const { return impl_->memory(); }

}  // namespace minibgp
