#include <bgp/base/assert.h>
#include <bgp/session/pairing.h>
#include <bgp/speaker/engine_impl.h>
#include <bgp/speaker/peering.h>
#include <bgp/speaker/snapshot.h>
#include <bgp/text.h>
#include <bgp/wire/notification.h>
#include <bgp/wire/numbers.h>

#include <algorithm>
#include <utility>

namespace minibgp {
namespace {

namespace notify = wire::notify;

/// RFC 8538 s.3.1: to a peer that would keep our routes over a NOTIFICATION, an end that is meant is said twice.
wire::MessageError as_hard_reset(const speaker::Peering& peering, wire::MessageError error) {
  const auto& graceful = peering.negotiated.peer_graceful_restart;
  if (peering.established == nullptr || !graceful || !graceful->notification) return error;
  wire::MessageError hard{notify::kCease, notify::kHardReset, {error.code, error.subcode}};
  hard.data.insert(hard.data.end(), error.data.begin(), error.data.end());
  return hard;
}

/// Whether a peer that was ended by `before.import_limit` may announce more now.
bool allows_more(const PeerOptions& before, const PeerOptions& now) {
  return now.import_limit.max > before.import_limit.max || now.import_limit.warn_only;
}

std::string name_of(const PeerOptions& options) {
  return options.name.empty() ? to_text(options.address) : options.name;
}

}  // namespace

session::LocalIdentity EngineImpl::identity(const Peering& peering) const {
  session::LocalIdentity self;
  self.asn = peering.options.local_as.value_or(options_.asn);
  self.router_id = options_.router_id;
  self.restarting = defers_selection();
  return self;
}

/// SplitMix64: one independent seed per connection and peer, all from the speaker's own.
std::uint64_t EngineImpl::next_seed() {
  seed_ += 0x9E3779B97F4A7C15U;
  std::uint64_t mixed = seed_;
  mixed = (mixed ^ (mixed >> 30U)) * 0xBF58476D1CE4E5B9U;
  mixed = (mixed ^ (mixed >> 27U)) * 0x94D049BB133111EBU;
  return mixed ^ (mixed >> 31U);
}

void EngineImpl::log(LogLevel level, const Peering& peering, std::string_view text) {
  if (log_ == nullptr || !log_->wants(level, LogArea::session)) return;
  std::string line = "peer ";
  line += name_of(peering.options);
  line += ": ";
  line += text;
  log_->write(level, LogArea::session, line);
}

// --- Configuration -------------------------------------------------------------------------------------------------

Result<PeerId, ApiError> EngineImpl::add_peer(const PeerOptions& options, Time now) {
  begin_turn(now);
  if (const auto error = validate(options_)) return unexpected(*error);
  if (const auto error = validate(options)) return unexpected(*error);
  std::size_t index = peers_.size();
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    if (peers_[i] == nullptr) {
      index = std::min(index, i);
    } else if (!peers_[i]->removing && peers_[i]->options.address == options.address &&
               peers_[i]->options.device == options.device) {
      return unexpected(ApiError::duplicate_peer);
    }
  }
  if (index >= static_cast<std::size_t>(kLocalPeer) - 1) return unexpected(ApiError::too_many_peers);
  if (index == peers_.size()) peers_.emplace_back();
  const PeerId id{static_cast<std::uint16_t>(index)};
  peers_[index] = std::make_unique<Peering>(id, options, next_seed());
  Peering& peering = *peers_[index];
  peering.since = now_;
  peering.enabled = options.enabled;
  table_.set_peer(id, rib::PeerFacts{});
  if (stopping_) return id;
  if (peering.enabled) peering.connector.start(now_);
  if (!peering.enabled) peering.last_down = DownReason::admin_down;
  dial_if_due(peering);
  report_state(peering, peering.last_down);
  return id;
}

Result<void, ApiError> EngineImpl::update_peer(PeerId peer, const PeerOptions& options, Time now) {
  begin_turn(now);
  Peering* const peering = find_peer(peer);
  if (peering == nullptr || peering->removing) return unexpected(ApiError::unknown_peer);
  if (const auto error = validate(options)) return unexpected(*error);
  for (const auto& other : peers_) {
    if (other == nullptr || other.get() == peering || other->removing) continue;
    if (other->options.address == options.address && other->options.device == options.device)
      return unexpected(ApiError::duplicate_peer);
  }
  const PeerOptions before = std::exchange(peering->options, options);
  if (before == options) return {};
  const ChangeCost cost = cost_of_update(*peering, before);
  peering->connector.set_options(options);
  if (before.enabled && !options.enabled) {
    disable(*peering, {});
  } else {
    if (cost == ChangeCost::reset)
      end_sessions(*peering, wire::cease(notify::kConfigChange, {}), DownReason::configuration_changed);
    // What ended the session for its number of prefixes must allow more before the peer is dialed again.
    const bool over_limit = peering->over_limit_since != kNever;
    const bool again = over_limit ? allows_more(before, options) : cost == ChangeCost::reset;
    if (peering->enabled && again) start_again(*peering);
  }
  if (!before.enabled && options.enabled) enable(*peering);
  if (peering->any_stale() && peering->established == nullptr) end_unwanted_stale(*peering, before);
  update_rules(*peering);
  if (before.ecmp_weight != options.ecmp_weight) sweeper_.report(peer);
  if (before.timers != options.timers)
    for (Connection* connection : peering->connections) connection->session->on_timers_changed(now_);
  if (peering->established != nullptr) {
    peering->negotiated.keepalive_s = peering->established->session->negotiated().keepalive_s;
    check_import_limit(*peering->established);
  }
  report_state(*peering, DownReason::configuration_changed);
  return {};
}

/// What the options that are new cost this peer as it is: what the kernel chose is in force as if it had been written,
/// and so is what the operator said of the peer since.
ChangeCost EngineImpl::cost_of_update(const Peering& peering, const PeerOptions& before) const {
  PeerOptions running = before;
  PeerOptions wanted = peering.options;
  running.enabled = peering.enabled;
  if (before.enabled == wanted.enabled) wanted.enabled = peering.enabled;
  if (peering.established != nullptr &&
      (!wanted.local_address.is_set() || wanted.local_address == peering.established->local_address))
    running.local_address = wanted.local_address;
  return cost_of_change(running, wanted, options_);
}

/// Options changed while the peer restarts: what its routes were kept for does not hold any more where they came from
/// another peer, over another way, or are not wanted.
void EngineImpl::end_unwanted_stale(Peering& peering, const PeerOptions& before) {
  const PeerOptions& now = peering.options;
  const bool other = before.address != now.address || before.device != now.device || before.tunnel != now.tunnel ||
                     before.remote_as != now.remote_as ||
                     before.local_as.value_or(options_.asn) != now.local_as.value_or(options_.asn);
  if (other || now.graceful_restart == GracefulRestart::off) return drop_routes(peering);
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const auto i = static_cast<std::size_t>(family);
    if (peering.stale[i] && !now.families[i]) end_stale(peering, family);
  }
}

void EngineImpl::on(const input::RemovePeer& in) {
  begin_turn(now_);
  Peering* const peering = find_kept(in.peer);
  if (peering == nullptr) return;
  peering->enabled = false;
  peering->connector.stop();
  peering->over_limit_since = kNever;
  end_sessions(*peering, as_hard_reset(*peering, wire::cease(notify::kDeconfigured, {})), DownReason::peer_removed);
  report_state(*peering, DownReason::peer_removed);
  drop_routes(*peering);
  peering->removing = true;
  ++removing_;
  free_removed_peers();
}

void EngineImpl::free_removed_peers() {
  for (auto& peering : peers_) {
    if (peering == nullptr || !peering->removing) continue;
    if (table_.counts(peering->id).received != 0 || !peering->connections.empty()) continue;
    // A connection that ended still reads the options until its Close was taken.
    const bool read = std::any_of(connections_.begin(), connections_.end(),
                                  [&](const auto& entry) { return entry.second->peer == peering->id; });
    if (read) continue;
    next_hops_.forget(peering->id);
    peering.reset();
    --removing_;
  }
}

void EngineImpl::on(const input::EnablePeer& in) {
  begin_turn(now_);
  if (Peering* const peering = find_kept(in.peer)) enable(*peering);
}

void EngineImpl::enable(Peering& peering) {
  if (peering.removing || stopping_) return;
  peering.enabled = true;
  peering.over_limit_since = kNever;
  peering.limit_warned = false;
  if (!peering.connections.empty()) return;
  start_again(peering);
  report_state(peering, DownReason::none);
}

/// An attempt at once, whatever the peer waited for: idle hold, the next retry, or the end of a prefix limit's time.
void EngineImpl::start_again(Peering& peering) {
  peering.over_limit_since = kNever;
  peering.logged_failure.clear();
  peering.failure_logged_at = peering.refusal_logged_at = kNever;
  peering.connector.stop();
  peering.connector.start(now_);
  dial_if_due(peering);
}

void EngineImpl::on(const input::DisablePeer& in) {
  begin_turn(now_);
  if (Peering* const peering = find_kept(in.peer)) disable(*peering, in.reason);
}

void EngineImpl::disable(Peering& peering, std::string_view reason) {
  peering.enabled = false;
  peering.over_limit_since = kNever;
  peering.connector.stop();
  end_sessions(peering, as_hard_reset(peering, wire::cease(notify::kAdminShutdown, reason)), DownReason::admin_down);
  drop_routes(peering);  // Also those kept for a restart: the operator wants the peer gone.
  peering.last_down = DownReason::admin_down;
  report_state(peering, DownReason::admin_down);
}

void EngineImpl::on(const input::ResetPeer& in) {
  begin_turn(now_);
  if (Peering* const peering = find_kept(in.peer)) reset(*peering, in.reason);
}

void EngineImpl::reset(Peering& peering, std::string_view reason) {
  end_sessions(peering, wire::cease(notify::kAdminReset, reason), DownReason::admin_down);
  if (peering.enabled && !stopping_) start_again(peering);
  report_state(peering, DownReason::admin_down);
}

void EngineImpl::on(const input::SetTransport& in) {
  begin_turn(now_);
  Peering* const peering = find_kept(in.peer);
  if (peering == nullptr) return;
  peering->connector.set_transport_usable(in.usable, now_);
  // What is kept for a peer that restarts leads nowhere without its tunnel.
  if (!in.usable && peering->established == nullptr && peering->any_stale()) drop_routes(*peering);
  dial_if_due(*peering);
  report_state(*peering, in.usable ? DownReason::none : DownReason::transport_unusable);
}

void EngineImpl::on(const input::Stop& in) {
  begin_turn(now_);
  stopping_ = true;
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    if (peers_[i] == nullptr) continue;
    Peering& peering = *peers_[i];
    peering.connector.stop();
    peering.over_limit_since = kNever;
    const bool kept = in.how == input::Stop::How::keep && peering.established != nullptr &&
                      peering.negotiated.peer_graceful_restart.has_value() &&
                      peering.options.graceful_restart == GracefulRestart::full;
    if (kept) {
      end_sessions(peering, {}, DownReason::restarting);
    } else {
      end_sessions(peering, as_hard_reset(peering, wire::cease(notify::kAdminShutdown, in.reason)),
                   DownReason::admin_down);
    }
    report_state(peering, DownReason::restarting);
  }
}

/// After options changed: also for a peer that is away and whose routes are kept.
void EngineImpl::update_rules(Peering& peering) {
  if (peering.established != nullptr || peering.any_stale()) set_rules(peering);
}

/// What is announced to the peer and how its UPDATEs are evaluated, after a session came up or options changed. A new
/// session may find routes of the last one, kept while the peer restarted.
void EngineImpl::set_rules(Peering& peering) {
  const PeerOptions& options = peering.options;
  const session::Negotiated& negotiated = peering.negotiated;
  if (peering.established != nullptr) peering.link = peering.established->link;
  const IpAddress local_address =
      peering.established != nullptr ? peering.established->local_address : peering.import_rules.local_address;
  const LinkAddresses& link = peering.link;
  const bool has_routes = table_.counts(peering.id).received != 0;

  rib::PeerFacts facts;
  facts.external = negotiated.peer_type == PeerType::ebgp;
  facts.router_id = negotiated.remote_id;
  facts.address = options.address;
  facts.default_local_pref = options.default_local_pref;
  if (table_.set_peer(peering.id, facts) && has_routes) sweeper_.read_next_hops(peering.id);

  speaker::Source source;
  source.external = facts.external;
  source.reflector_client = options.route_reflector_client;
  source.router_id = negotiated.remote_id;
  source.default_local_pref = options.default_local_pref;
  source.link = link.link;
  exporter_.set_source(peering.id, source);

  speaker::ImportRules rules;
  rules.id = peering.id;
  rules.peer_type = negotiated.peer_type;
  rules.speaker_as = options_.asn;
  rules.local_as = options.local_as.value_or(options_.asn);
  rules.remote_as = options.remote_as;
  rules.router_id = options_.router_id;
  rules.cluster_id = options_.cluster_id != RouterId{0} ? options_.cluster_id : options_.router_id;
  rules.address = options.address;
  rules.local_address = local_address;
  rules.policy = options.import_policy;
  // RFC 8212 s.3: without a policy nothing of an eBGP peer is accepted.
  if (rules.policy == nullptr) rules.policy = facts.external ? Policy::reject_all() : Policy::accept_all();
  if (rules.policy->reads_peer()) {
    rules.peer = name_of(options);
    rules.peer_address = to_text(options.address);
    rules.tunnel = options.tunnel;
  }
  rules.role = options.role;
  rules.allow_as_in = options.allow_as_in;
  rules.graceful_shutdown = options.graceful_shutdown;
  rules.enforce_first_as = options.enforce_first_as && options.role != Role::route_server_client;
  const bool judge_again = !(rules == peering.import_rules) && has_routes;
  peering.import_rules = std::move(rules);
  if (judge_again) sweeper_.judge_again(peering.id);

  if (peering.established == nullptr) return;
  speaker::ExportRules export_rules =
      speaker::make_export_rules(peering.id, options, options_, negotiated, local_address, link);
  export_rules.own_only = defers_selection() && keeps_ours(peering);
  const speaker::OwnAddresses own = speaker::own_addresses(export_rules, local_address, link);
  if (exporter_.has(peering.id)) {
    exporter_.set_rules(peering.id, own, std::move(export_rules));
  } else {
    exporter_.join(peering.id, *peering.established->session, own, std::move(export_rules));
  }
}

// --- Connections ---------------------------------------------------------------------------------------------------

speaker::Connection& EngineImpl::add_connection(Peering& peering, session::Session::Side side, const IpAddress& local) {
  const ConnId id{next_conn_++};
  auto connection = std::make_unique<Connection>();
  connection->id = id;
  connection->peer = peering.id;
  connection->local_address = local;
  connection->session =
      std::make_unique<session::Session>(id, side, peering.options, identity(peering), next_seed(), now_);
  peering.connections.push_back(connection.get());
  return *connections_.emplace(id, std::move(connection)).first->second;
}

void EngineImpl::dial_if_due(Peering& peering) {
  if (stopping_ || peering.removing) return;
  while (peering.connector.take_dial(now_)) {
    // An attempt that still hangs gives way.
    const std::vector<Connection*> connections = peering.connections;
    for (Connection* hanging : connections)
      if (hanging->session->state() == PeerState::connect) drop_silently(*hanging);
    const Connection& dialed = add_connection(peering, session::Session::Side::dialed, {});
    outputs_.emplace_back(Dial{dialed.id, peering.id});
  }
}

std::optional<ConnId> EngineImpl::on_accepted(const IpAddress& from, const IpAddress& to, std::string_view device,
                                              Time now) {
  begin_turn(now);
  for (const auto& peering : peers_) {
    if (peering == nullptr || peering->removing || peering->options.address != from) continue;
    // A link-local address means something on its link only.
    if (from.is_link_local_v6() && peering->options.device != device) continue;
    if (stopping_ || !peering->enabled) return std::nullopt;
    if (!peering->connector.welcomes()) {
      log_refusal(*peering);
      return std::nullopt;
    }
    // Beside an established session it can be the sign of a restart that we did not notice (RFC 4724 s.5); its OPEN
    // says more.
    if (peering->established != nullptr && !peering->negotiated.peer_graceful_restart) return std::nullopt;
    if (!make_room(*peering)) return std::nullopt;
    const Connection& accepted = add_connection(*peering, session::Session::Side::accepted, to);
    peering->connector.on_session_up();
    report_state(*peering, DownReason::none);
    return accepted.id;
  }
  return std::nullopt;
}

/// Both sides may dial at once, so a peer has two connections at most. A third takes the place of an accepted one whose
/// OPEN never came: the peer may have forgotten that one.
bool EngineImpl::make_room(Peering& peering) {
  constexpr std::size_t kConnectionsPerPeer = 2;
  if (peering.connections.size() < kConnectionsPerPeer) return true;
  for (Connection* connection : peering.connections) {
    if (connection->session->side() != session::Session::Side::accepted ||
        connection->session->state() != PeerState::open_sent)
      continue;
    end_session(*connection, wire::cease(notify::kRejected, {}), DownReason::collision);
    return true;
  }
  return false;
}

void EngineImpl::on(const input::Connected& in) {
  Connection* const connection = find_connection(in.conn);
  if (connection == nullptr || connection->ended) return;
  begin_turn(now_);
  Peering& peering = *find_peer(connection->peer);
  if (peering.established != nullptr) {
    drop_silently(*connection);  // The peer's connection was faster.
    return;
  }
  connection->local_address = in.local;
  peering.connector.on_session_up();
  connection->session->on_connected(now_);
  drain(*connection);
  report_state(peering, DownReason::none);
}

void EngineImpl::on(const input::SetLinkAddresses& in) {
  Connection* const connection = find_connection(in.conn);
  if (connection == nullptr || connection->ended || connection->link == in.addresses) return;
  begin_turn(now_);
  connection->link = in.addresses;
  Peering& peering = *find_peer(connection->peer);
  if (peering.established == connection) set_rules(peering);
}

/// Closes a connection on which nothing was said.
void EngineImpl::drop_silently(Connection& connection) {
  connection.ended = true;
  std::erase(find_peer(connection.peer)->connections, &connection);
  outputs_.emplace_back(Close{connection.id, Close::How::at_once});
}

void EngineImpl::on(const input::Received& in) {
  Connection* const connection = find_connection(in.conn);
  if (connection == nullptr || connection->ended) return;
  begin_turn(now_);
  connection->session->on_received(in.bytes, now_);
  drain(*connection);
  end_of_turn_of(*connection);
}

void EngineImpl::on(const input::Sent& in) {
  Connection* const connection = find_connection(in.conn);
  if (connection == nullptr) return;
  connection->session->on_sent(in.count, now_);
  if (connection->ended) return;
  begin_turn(now_);
  connection->write_told = false;
}

void EngineImpl::on(const input::Closed& in) {
  Connection* const connection = find_connection(in.conn);
  if (connection == nullptr || connection->ended) return;
  begin_turn(now_);
  work_left_ = SIZE_MAX;  // What came before the end counts, all of it: there is no later turn for it.
  connection->session->on_closed(in.reason, now_);
  drain(*connection);
  work_left_ = 0;
}

/// Works through what the session has, as far as this turn's budget goes.
void EngineImpl::drain(Connection& connection) {
  while (work_left_ > 0 && !connection.ended && !held(connection)) {
    const auto event = connection.session->poll(now_);
    if (!event) return;
    work_left_ -= std::min(work_left_, kWorkPerMessage);
    handle(connection, *event);
  }
}

void EngineImpl::handle(Connection& connection, const session::Event& event) {
  if (const auto* update = std::get_if<session::UpdateReceived>(&event)) {
    on_update(connection, update->body);
  } else if (const auto* refresh = std::get_if<session::RefreshReceived>(&event)) {
    on_refresh(connection, refresh->refresh);
  } else if (std::holds_alternative<session::OpenReceived>(event)) {
    on_open(connection);
  } else if (const auto* up = std::get_if<session::Established>(&event)) {
    on_established(connection, *up->negotiated);
  } else if (const auto* down = std::get_if<session::Down>(&event)) {
    on_down(connection, *down);
  }
}

/// Which of two connections of one peer lives, seen when the second's OPEN came, or is about to.
session::Survivor EngineImpl::survivor(const Connection& first, const Connection& second, RouterId remote_id) const {
  const Peering& peering = *find_peer(first.peer);
  session::CollisionInput input;
  input.first_side = first.session->side();
  input.first_state = first.session->state();
  input.second_side = second.session->side();
  input.local_id = options_.router_id;
  input.remote_id = remote_id;
  input.local_as = peering.options.local_as.value_or(options_.asn);
  input.remote_as = peering.options.remote_as;
  if (&first == peering.established) {
    input.first_established_for = now_ - peering.since;
    input.peer_restart_possible = peering.negotiated.peer_graceful_restart.has_value();
  }
  return resolve_collision(input);
}

/// A connection in OpenConfirm that will lose the collision with one whose OPEN is on its way does not become
/// Established in the meantime: both sides come to that conclusion, and no session comes up only to fall. Not for long,
/// in case the other never says a word. Nor does one beside a young session: see on_open(). A peer whose old paths are
/// still being removed waits as well before it begins one more refresh or session, because epochs are few.
bool EngineImpl::held(const Connection& connection) const {
  const PeerState state = connection.session->state();
  if (state >= PeerState::open_confirm && sweeper_.lag(connection.peer) > kRemovalLagMax) return true;
  if (state != PeerState::open_confirm || now_ >= connection.held_until) return false;
  const Peering& peering = *find_peer(connection.peer);
  if (peering.established != nullptr) return true;
  return std::any_of(peering.connections.begin(), peering.connections.end(), [&](const Connection* other) {
    return other != &connection && other->session->state() == PeerState::open_sent &&
           survivor(connection, *other, connection.session->remote_id()) == session::Survivor::second;
  });
}

/// The OPEN of a second connection decides which of the two lives (RFC 4271 s.6.8).
void EngineImpl::on_open(Connection& connection) {
  Peering& peering = *find_peer(connection.peer);
  connection.held_until = now_ + kCollisionPatience;
  report_state(peering, DownReason::none);
  const auto other = std::find_if(peering.connections.begin(), peering.connections.end(), [&](Connection* known) {
    return known != &connection && known->session->state() >= PeerState::open_confirm;
  });
  if (other == peering.connections.end()) return;
  Connection& first = **other;
  // Shortly after a session came up, the second one is either the late other half of a collision, which the peer closes
  // itself, or the peer restarted already. Time tells: what is still there then is a restart (RFC 4724 s.5).
  if (&first == peering.established && now_ - peering.since < session::kCollisionWindow) {
    connection.held_until = peering.since + session::kCollisionWindow;
    return;
  }
  const bool first_lives = survivor(first, connection, connection.session->remote_id()) == session::Survivor::first;
  Connection& loser = first_lives ? connection : first;
  end_session(loser, wire::cease(notify::kCollision, {}), DownReason::collision);
}

void EngineImpl::on_established(Connection& connection, const session::Negotiated& negotiated) {
  Peering& peering = *find_peer(connection.peer);
  // The peer restarted, and its new connection waited in on_open() until that was clear.
  if (peering.established != nullptr)
    end_session(*peering.established, wire::cease(notify::kCollision, {}), DownReason::collision);
  BGP_ASSERT(peering.established == nullptr);  // end_session() works through on_down(), which clears it.
  peering.established = &connection;
  peering.negotiated = negotiated;
  peering.end_of_rib_received = {};
  peering.refreshing = {};
  peering.limit_warned = peering.early_refresh_logged = false;
  peering.logged_failure.clear();
  peering.failure_logged_at = kNever;
  peering.connector.on_established(now_);
  ++connection.session->counters().connections_established;
  // Whatever else was under way has lost.
  const std::vector<Connection*> connections = peering.connections;
  for (Connection* other : connections) {
    if (other == &connection) continue;
    if (other->session->state() == PeerState::connect) {
      drop_silently(*other);
    } else {
      end_session(*other, wire::cease(notify::kCollision, {}), DownReason::collision);
    }
  }
  came_back(peering);
  set_rules(peering);
  report_state(peering, DownReason::none);
  log(LogLevel::info, peering, "session up");
}

void EngineImpl::on_update(Connection& connection, Bytes body) {
  Peering& peering = *find_peer(connection.peer);
  if (&connection != peering.established) return;
  const wire::Update& update =
      importer_.on_update(peering.import_rules, body, peering.negotiated.receive, connection.session->counters());
  const std::size_t prefixes = update.announced.size() + update.mp_announced.size() + update.withdrawn.size();
  work_left_ -= std::min(work_left_, prefixes);
  if (update.severity == wire::Severity::session_reset) {
    const wire::MessageError error = update.notification;
    end_session(connection, error, DownReason::notification_sent);
    return;
  }
  if (update.end_of_rib) on_end_of_rib(peering, *update.end_of_rib);
  if (const auto& prefix = importer_.too_many_paths()) {
    log(LogLevel::warning, peering,
        "more paths of " + to_text(*prefix) + " than a route holds, " + std::to_string(rib::Route::kPathsOfPeerMax) +
            " of one peer and " + std::to_string(rib::Route::kPathsMax) + " of all: the session ends");
    return end_over_limit(connection);
  }
  if (!update.announced.empty() || !update.mp_announced.empty()) check_import_limit(connection);
}

void EngineImpl::check_import_limit(Connection& connection) {
  Peering& peering = *find_peer(connection.peer);
  const PrefixLimit& limit = peering.options.import_limit;
  // What is stale does not count: after a restart a peer may announce all of it under other prefixes.
  const std::uint64_t received = table_.counts(peering.id).current;
  if (received * 100 < std::uint64_t{limit.max} * limit.warn_percent && received <= limit.max) return;
  if (!peering.limit_warned) {
    peering.limit_warned = true;
    log(LogLevel::warning, peering,
        std::to_string(received) + " prefixes received, the limit is " + std::to_string(limit.max));
  }
  if (received <= limit.max || limit.warn_only) return;
  end_over_limit(connection);
}

void EngineImpl::end_over_limit(Connection& connection) {
  Peering& peering = *find_peer(connection.peer);
  peering.connector.stop();
  peering.over_limit_since = now_;
  end_sessions(peering, as_hard_reset(peering, wire::cease(notify::kMaxPrefixes, {})), DownReason::prefix_limit);
}

/// Stops a session and works its end through at once; messages it still holds are not looked at any more.
void EngineImpl::end_session(Connection& connection, const wire::MessageError& error, DownReason reason) {
  connection.session->stop(error, reason, now_);
  while (!connection.ended) {
    const auto event = connection.session->poll(now_);
    if (!event) return;
    if (const auto* down = std::get_if<session::Down>(&*event)) on_down(connection, *down);
  }
}

/// Ends every connection of a peer; code 0: without a word.
void EngineImpl::end_sessions(Peering& peering, const wire::MessageError& error, DownReason reason) {
  const std::vector<Connection*> connections = peering.connections;
  for (Connection* connection : connections) {
    if (connection->ended) continue;
    end_session(*connection, error, reason);
  }
}

void EngineImpl::on_down(Connection& connection, const session::Down& down) {
  Peering& peering = *find_peer(connection.peer);
  connection.ended = true;
  std::erase(peering.connections, &connection);
  Counters& counters = connection.session->counters();
  const bool was_established = peering.established == &connection;
  if (was_established) ++counters.connections_dropped;
  speaker::add_counters(peering.counters, counters);

  note_down(peering, down, was_established);
  if (was_established) {
    session_lost(peering, down);
    peering.established = nullptr;
  }
  if (down.close_socket) {
    outputs_.emplace_back(Close{connection.id, down.flush ? Close::How::flush : Close::How::at_once});
  } else {
    closing_.push_back(connection.id);
  }
  const auto in_state = [&](auto wanted) {
    return std::any_of(peering.connections.begin(), peering.connections.end(),
                       [&](const Connection* other) { return wanted(other->session->state()); });
  };
  const bool dial_hangs = in_state([](PeerState state) { return state == PeerState::connect; });
  const bool other_is_up = in_state([](PeerState state) { return state > PeerState::active; });
  if (down.from == PeerState::connect) {
    peering.connector.on_dial_failed(now_);
  } else if (!other_is_up) {
    peering.connector.on_session_down({down.hold_off, dial_hangs}, now_);
  }
  if (!was_established && peering.established == nullptr) log_failure(peering, down);
  dial_if_due(peering);
  report_state(peering, down.reason);
}

/// Why the peer is down, for operators. Attempts that TCP ended, and lost collisions, do not hide why the last session
/// ended or what one of the two sides said.
void EngineImpl::note_down(Peering& peering, const session::Down& down, bool was_established) {
  const bool says_something = was_established || (down.notification.code != 0 && down.reason != DownReason::collision);
  if (!says_something && peering.last_down_matters) return;
  peering.last_down_matters = says_something;
  peering.last_down = down.reason;
  peering.last_down_detail = down.detail;
  peering.last_code = down.notification.code;
  peering.last_subcode = down.notification.subcode;
}

/// An attempt that did not reach Established. A line when the reason is new, and seldom while it stays: dials and
/// incoming connections may fail for ever.
void EngineImpl::log_failure(Peering& peering, const session::Down& down) {
  // Of two connections one is closed, and what we ended ourselves was said where it was done.
  if (down.reason == DownReason::collision || !peering.enabled || peering.removing || stopping_) return;
  if (down.reason == DownReason::admin_down || down.reason == DownReason::configuration_changed) return;
  const std::string& reason = down.detail;
  const Duration interval = reason == peering.logged_failure ? kSameFailureLogged : kFailureLogged;
  if (peering.failure_logged_at != kNever && now_ - peering.failure_logged_at < interval) return;
  peering.logged_failure = reason;
  peering.failure_logged_at = now_;
  std::string line = "no session: " + reason;
  const Time next = peering.connector.next_attempt();
  const auto in_s = std::chrono::ceil<std::chrono::seconds>(next - now_).count();
  line += next == kNever ? "; waiting for the peer to connect" : "; next attempt in " + std::to_string(in_s) + " s";
  line += ", failures in a row: " + std::to_string(peering.connector.failures());
  log(LogLevel::warning, peering, line);
}

/// An incoming connection that comes during idle hold, or while the peer is idle because of its prefix limit.
void EngineImpl::log_refusal(Peering& peering) {
  if (peering.refusal_logged_at != kNever && now_ - peering.refusal_logged_at < kSameFailureLogged) return;
  peering.refusal_logged_at = now_;
  const Time next = std::min(peering.connector.next_deadline(), peering.enable_at());
  const auto for_s = std::chrono::ceil<std::chrono::seconds>(next - now_).count();
  log(LogLevel::info, peering,
      std::string{"its connection refused: Idle after "} + std::string{to_text(peering.last_down)} +
          (next == kNever ? " until enabled" : " for " + std::to_string(for_s) + " s more"));
}

void EngineImpl::session_lost(Peering& peering, const session::Down& down) {
  exporter_.leave(peering.id);
  peering.refreshing = {};
  std::erase_if(ends_of_rib_, [&](const PendingEndOfRib& pending) { return pending.end.peer == peering.id; });
  const bool keep = keeps_routes(peering, down);
  const std::uint32_t routes = table_.counts(peering.id).received;
  std::string line = "session down: ";
  line += to_text(down.reason);
  if (!down.detail.empty()) line += " (" + down.detail + ")";
  line += "; " + std::to_string(routes) + (keep ? " routes kept for a restart" : " routes withdrawn");
  log(LogLevel::warning, peering, line);
  if (keep) {
    begin_stale(peering);
  } else {
    drop_routes(peering);
  }
}

void EngineImpl::report_state(Peering& peering, DownReason reason) {
  PeerState state = PeerState::idle;
  for (const Connection* connection : peering.connections) state = std::max(state, connection->session->state());
  if (peering.connections.empty()) state = peering.connector.state();
  // Established is what the table knows: from the session's event on.
  if (state == PeerState::established && peering.established == nullptr) state = PeerState::open_confirm;
  if (peering.established != nullptr) state = PeerState::established;
  if (state == peering.state) return;
  const PeerState from = std::exchange(peering.state, state);
  if (from == PeerState::established || state == PeerState::established) peering.since = now_;
  outputs_.emplace_back(PeerChanged{peering.id, from, state, reason});
}

}  // namespace minibgp
