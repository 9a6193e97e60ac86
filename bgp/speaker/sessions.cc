/// EngineImpl's sessions: connections that come and go, and what follows from the events of each.
#include <bgp/base/assert.h>
#include <bgp/speaker/engine_impl.h>
#include <bgp/text.h>
#include <bgp/wire/notification.h>

#include <algorithm>
#include <utility>

namespace minibgp {
namespace {

namespace notify = wire::notify;

enum class LimitVerdict : std::uint8_t { within, warns, ends_session };
LimitVerdict judge(std::uint64_t received, const PrefixLimit& limit) {
  if (received > limit.max) return limit.warn_only ? LimitVerdict::warns : LimitVerdict::ends_session;
  // Compared in 64 bits instead of divided: no rounding.
  return received * 100 < std::uint64_t{limit.max} * limit.warn_percent ? LimitVerdict::within : LimitVerdict::warns;
}

}  // namespace

void EngineImpl::dial_if_due(Peering& peering) {
  if (stopping_ || peering.removing) return;
  while (peering.connector.take_dial(now_)) {
    // An attempt that still hangs gives way.
    const std::vector<Connection*> connections = peering.connections;
    for (Connection* hanging : connections)
      // Connect: no octet was exchanged, so there is nothing to say on it.
      if (hanging->session->state() == PeerState::connect) outputs_.emplace_back(peers_.drop_silently(*hanging));
    const session::LocalIdentity self = peering.identity(options_, deferral_.defers_selection());
    const Connection& dialed = peers_.connect(peering, session::Session::Side::dialed, {}, self, now_);
    outputs_.emplace_back(Dial{dialed.id, peering.id});
  }
}

std::optional<ConnId> EngineImpl::on_accepted(const IpAddress& from, const IpAddress& to, std::string_view device,
                                              Time now) {
  begin_turn(now);
  Peering* const peering = peers_.find_sender(from, device);
  if (peering == nullptr || stopping_ || !peering->enabled) return std::nullopt;
  if (!peering->connector.welcomes()) {
    if (const auto line = peering->refusal_to_log(now_)) log_.log(LogLevel::info, *peering, *line);
    return std::nullopt;
  }
  // Beside an established session it can be the sign of a restart that we did not notice (RFC 4724 s.5); its OPEN says
  // more.
  if (peering->established != nullptr && !peering->negotiated.peer_graceful_restart) return std::nullopt;
  if (!peering->has_room()) {
    Connection* const forgotten = peering->forgotten_connection();
    if (forgotten == nullptr) return std::nullopt;
    // A peer that dials again has given the older connection up.
    end_session(*forgotten, wire::cease(notify::kRejected, {}), DownReason::collision);
  }
  const session::LocalIdentity self = peering->identity(options_, deferral_.defers_selection());
  Connection& accepted = peers_.connect(*peering, session::Session::Side::accepted, to, self, now_);
  accepted.silent_at = now_ + speaker::kSilenceLogged;
  peering->connector.on_session_up();
  report_state(*peering, DownReason::none);
  return accepted.id;
}

/// Works through what the session has, as far as this turn's budget goes.
void EngineImpl::drain(Connection& connection) {
  while (turn_.work_left > 0 && !connection.ended && !held(connection)) {
    const auto event = connection.session->poll(now_);
    if (!event) return;
    // A message without prefixes costs as well, so that a flood of KEEPALIVEs ends a turn, too.
    turn_.work_left -= std::min(turn_.work_left, kWorkPerMessage);
    handle(connection, *event);
  }
}

void EngineImpl::handle(Connection& connection, const session::Event& event) {
  if (const auto* update = std::get_if<session::UpdateReceived>(&event)) {
    on_update(connection, update->body);
  } else if (const auto* refresh = std::get_if<session::RefreshReceived>(&event)) {
    Peering& peering = *peers_.find(connection.peer);
    if (&connection != peering.established) return;
    if (refreshes_.on_message(peering, refresh->refresh, now_) == speaker::Refreshes::Outcome::ignored_early)
      log_.log(LogLevel::warning, peering, "ignored: a route refresh that the peer began before its End-of-RIB");
  } else if (std::holds_alternative<session::OpenReceived>(event)) {
    on_open(connection);
  } else if (const auto* up = std::get_if<session::Established>(&event)) {
    on_established(connection, *up->negotiated);
  } else if (const auto* down = std::get_if<session::Down>(&event)) {
    on_down(connection, *down);
  }
}

/// Whether messages of the connection wait. A peer whose old paths are still being removed waits before it begins one
/// more refresh or session, because epochs are few.
bool EngineImpl::held(const Connection& connection) const {
  if (connection.session->state() >= PeerState::open_confirm && sweeper_.lag(connection.peer) > kRemovalLagMax)
    return true;
  return peers_.find(connection.peer)->holds_back(connection, options_, now_);
}

/// The OPEN of a second connection decides which of the two lives (RFC 4271 s.6.8).
void EngineImpl::on_open(Connection& connection) {
  Peering& peering = *peers_.find(connection.peer);
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
  const bool first_lives = peering.survivor(first, connection, options_, now_) == session::Survivor::first;
  Connection& loser = first_lives ? connection : first;
  // RFC 4271 s.6.8: Cease / Connection Collision Resolution.
  end_session(loser, wire::cease(notify::kCollision, {}), DownReason::collision);
}

void EngineImpl::on_established(Connection& connection, const session::Negotiated& negotiated) {
  Peering& peering = *peers_.find(connection.peer);
  // The peer restarted, and its new connection waited in on_open() until that was clear.
  if (peering.established != nullptr)
    end_session(*peering.established, wire::cease(notify::kCollision, {}), DownReason::collision);
  BGP_ASSERT(peering.established == nullptr);  // end_session() works through on_down(), which clears it.
  peering.established = &connection;
  peering.negotiated = negotiated;
  peering.end_of_rib_received = {};
  // A refresh that the old session began ends with it; its EoRR will not come.
  peering.refreshing = {};
  peering.limit_warned = peering.early_refresh_logged = false;
  peering.logged_failure.clear();
  peering.last_attempt.clear();
  peering.failure_logged_at = kNever;
  peering.connector.on_established(now_);
  ++connection.session->counters().connections_established;
  // Whatever else was under way has lost.
  const std::vector<Connection*> connections = peering.connections;
  // A copy: each connection that ends leaves the list of the peer.
  for (Connection* other : connections) {
    if (other == &connection) continue;
    if (other->session->state() == PeerState::connect) {
      outputs_.emplace_back(peers_.drop_silently(*other));
    } else {
      end_session(*other, wire::cease(notify::kCollision, {}), DownReason::collision);
    }
  }
  stale_routes_.came_back(peering, now_);
  set_rules(peering);
  report_state(peering, DownReason::none);
  log_.log(LogLevel::info, peering, "session up");
}

void EngineImpl::on_update(Connection& connection, Bytes body) {
  Peering& peering = *peers_.find(connection.peer);
  if (&connection != peering.established) return;
  const wire::Update& update =
      importer_.on_update(peering.import_rules, body, peering.negotiated.receive, connection.session->counters());
  const std::size_t prefixes = update.announced.size() + update.mp_announced.size() + update.withdrawn.size();
  // Prefixes count, too. One message may exceed the budget.
  turn_.work_left -= std::min(turn_.work_left, prefixes);
  if (update.severity == wire::Severity::session_reset) {
    const wire::MessageError error = update.notification;
    end_session(connection, error, DownReason::notification_sent);
    return;
  }
  if (update.end_of_rib) on_end_of_rib(peering, *update.end_of_rib);
  if (const auto& prefix = importer_.too_many_paths()) {
    log_.log(LogLevel::warning, peering,
             "more paths of " + to_text(*prefix) + " than a route holds, " +
                 std::to_string(rib::Route::kPathsOfPeerMax) + " of one peer and " +
                 std::to_string(rib::Route::kPathsMax) + " of all: the session ends");
    return end_over_limit(connection);
  }
  if (!update.announced.empty() || !update.mp_announced.empty()) check_import_limit(connection);
}

void EngineImpl::on_end_of_rib(Peering& peering, Family family) {
  const auto i = static_cast<std::size_t>(family);
  if (!peering.negotiated.families[i]) return;
  peering.end_of_rib_received[i] = true;
  // All that was not announced again by then is gone at the peer (RFC 4724 s.4.2).
  if (peering.stale[i]) stale_routes_.end(peering, family);
  changes_.end_of_rib({peering.id, family});
  // It may have been the last End-of-RIB that the deferral waits for.
  check_restart_done();
}

void EngineImpl::check_import_limit(Connection& connection) {
  Peering& peering = *peers_.find(connection.peer);
  // What is stale does not count: after a restart a peer may announce all of it under other prefixes.
  const std::uint32_t received = table_.counts(peering.id).current;
  const LimitVerdict verdict = judge(received, peering.options.import_limit);
  if (verdict == LimitVerdict::within) return;
  if (!std::exchange(peering.limit_warned, true))
    log_.log(LogLevel::warning, peering,
             std::to_string(received) + " prefixes received, the limit is " +
                 std::to_string(peering.options.import_limit.max));
  if (verdict == LimitVerdict::ends_session) end_over_limit(connection);
}

void EngineImpl::end_over_limit(Connection& connection) {
  Peering& peering = *peers_.find(connection.peer);
  peering.connector.stop();
  // Read by enable_at(): a limit with a time dials again after it.
  peering.over_limit_since = now_;
  end_sessions(peering, peering.goodbye(wire::cease(notify::kMaxPrefixes, {})), DownReason::prefix_limit);
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
  Peering& peering = *peers_.find(connection.peer);
  connection.ended = true;
  std::erase(peering.connections, &connection);
  Counters& counters = connection.session->counters();
  const bool was_established = peering.established == &connection;
  if (was_established) ++counters.connections_dropped;
  speaker::add_counters(peering.counters, counters);

  peering.note_down(down, was_established);
  if (was_established) {
    session_lost(peering, down);
    peering.established = nullptr;
  }
  if (down.close_socket) {
    outputs_.emplace_back(Close{connection.id, down.flush ? Close::How::flush : Close::How::at_once});
  } else {
    // The rim has closed it already, so no Close is due and the connection is freed without one.
    peers_.close(connection.id);
  }
  const auto in_state = [&](auto wanted) {
    return std::any_of(peering.connections.begin(), peering.connections.end(),
                       [&](const Connection* other) { return wanted(other->session->state()); });
  };
  const bool dial_hangs = in_state([](PeerState state) { return state == PeerState::connect; });
  const bool other_is_up = in_state([](PeerState state) { return state > PeerState::active; });
  // A dial that was refused. Any other end counts only when no connection of the peer is left, because the connector
  // waits while one is up.
  if (down.from == PeerState::connect) {
    peering.connector.on_dial_failed(now_);
  } else if (!other_is_up) {
    peering.connector.on_session_down({down.hold_off, dial_hangs}, now_);
  }
  if (!was_established && peering.established == nullptr && !stopping_)
    if (const auto line = peering.failure_to_log(down, now_)) log_.log(LogLevel::warning, peering, *line);
  dial_if_due(peering);
  report_state(peering, down.reason);
}

void EngineImpl::session_lost(Peering& peering, const session::Down& down) {
  // Before its routes go: the peer is sent nothing any more.
  exporter_.leave(peering.id);
  peering.refreshing = {};
  changes_.forget(peering.id);
  const bool keep = stale_routes_.are_kept(peering, down);
  // Counted before the routes go.
  const std::uint32_t routes = table_.counts(peering.id).received;
  std::string line = "session down: ";
  line += to_text(down.reason);
  if (!down.detail.empty()) line += " (" + down.detail + ")";
  line += "; " + std::to_string(routes) + (keep ? " routes kept for a restart" : " routes withdrawn");
  log_.log(LogLevel::warning, peering, line);
  if (keep) {
    stale_routes_.begin(peering, now_);
  } else {
    stale_routes_.drop_all(peering);
  }
}

void EngineImpl::report_state(Peering& peering, DownReason reason) {
  const PeerState state = peering.present_state();
  // Many steps of a session leave the state of the peer as it is; only a change is reported.
  if (state == peering.state) return;
  const PeerState from = std::exchange(peering.state, state);
  // `since` counts Established and its end, not the steps of an attempt.
  if (from == PeerState::established || state == PeerState::established) peering.since = now_;
  outputs_.emplace_back(PeerChanged{peering.id, from, state, reason});
}

}  // namespace minibgp
