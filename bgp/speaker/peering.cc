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

std::string name_of(const PeerOptions& options) {
  return options.name.empty() ? to_text(options.address) : options.name;
}

}  // namespace

bool renegotiates(const PeerOptions& a, const PeerOptions& b) {
  const auto spoken = [](const PeerOptions& options) {
    // Everything the OPENs or the sockets were made of; the rest applies to a session that is up.
    PeerOptions copy;
    copy.address = options.address;
    copy.remote_as = options.remote_as;
    copy.tunnel = options.tunnel;
    copy.local_as = options.local_as;
    copy.local_address = options.local_address;
    copy.device = options.device;
    copy.port = options.port;
    copy.passive = options.passive;
    copy.timers = options.timers;
    copy.timers.connect_retry_s = 0;
    copy.families = options.families;
    copy.graceful_restart = options.graceful_restart;
    copy.restart_time_s = options.restart_time_s;
    copy.add_path_receive = options.add_path_receive;
    copy.extended_messages = options.extended_messages;
    copy.extended_next_hop = options.extended_next_hop;
    copy.four_octet_as = options.four_octet_as;
    copy.role = options.role;
    copy.role_strict = options.role_strict;
    copy.ttl = options.ttl;
    copy.ttl_security_hops = options.ttl_security_hops;
    copy.tcp_mss = options.tcp_mss;
    copy.tcp_user_timeout_ms = options.tcp_user_timeout_ms;
    copy.md5_key = options.md5_key;
    return copy;
  };
  return spoken(a) != spoken(b);
}

std::optional<ApiError> EngineImpl::check(const PeerOptions& options) {
  const IpAddress& address = options.address;
  const bool multicast = address.family == Family::ipv4 ? address.octets[0] >= 224 : address.octets[0] == 0xFF;
  if (!address.is_set() || multicast) return ApiError::bad_address;
  if (options.local_address.is_set() && options.local_address.family != address.family) return ApiError::bad_address;
  if (address.is_link_local_v6() && options.device.empty()) return ApiError::bad_address;
  const auto bad_asn = [](Asn asn) { return asn == Asn{0} || asn == Asn{wire::kAsTrans}; };
  if (bad_asn(options.remote_as) || (options.local_as && bad_asn(*options.local_as))) return ApiError::bad_asn;
  if (options.timers.hold_s == 1 || options.timers.hold_s == 2 || options.restart_time_s > 4095)
    return ApiError::bad_timer;
  return std::nullopt;
}

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
  if (const auto error = check(options)) return unexpected(*error);
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
  if (const auto error = check(options)) return unexpected(*error);
  for (const auto& other : peers_) {
    if (other == nullptr || other.get() == peering || other->removing) continue;
    if (other->options.address == options.address && other->options.device == options.device)
      return unexpected(ApiError::duplicate_peer);
  }
  const PeerOptions before = peering->options;
  if (before == options) return {};
  const bool reset = renegotiates(before, options);
  if (reset) end_sessions(*peering, wire::cease(notify::kConfigChange, {}), DownReason::configuration_changed);
  peering->options = options;
  peering->connector.set_options(options);
  if (before.enabled != options.enabled) {
    if (options.enabled) {
      enable_peer(peer, now);
    } else {
      disable_peer(peer, {}, now);
    }
  } else if (reset && peering->enabled && peering->enable_at == kNever) {
    peering->connector.stop();
    peering->connector.start(now_);
    dial_if_due(*peering);
  }
  if (!reset && peering->established != nullptr) {
    set_rules(*peering);
    check_import_limit(*peering->established);
  }
  report_state(*peering, DownReason::configuration_changed);
  return {};
}

void EngineImpl::remove_peer(PeerId peer, Time now) {
  begin_turn(now);
  Peering* const peering = find_peer(peer);
  if (peering == nullptr || peering->removing) return;
  peering->enabled = false;
  peering->connector.stop();
  peering->enable_at = kNever;
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

void EngineImpl::enable_peer(PeerId peer, Time now) {
  begin_turn(now);
  Peering* const peering = find_peer(peer);
  if (peering == nullptr || peering->removing || stopping_) return;
  peering->enabled = true;
  peering->enable_at = kNever;
  peering->limit_warned = false;
  if (!peering->connections.empty()) return;
  peering->connector.start(now_);
  dial_if_due(*peering);
  report_state(*peering, DownReason::none);
}

void EngineImpl::disable_peer(PeerId peer, std::string_view reason, Time now) {
  begin_turn(now);
  Peering* const peering = find_peer(peer);
  if (peering == nullptr || peering->removing) return;
  peering->enabled = false;
  peering->enable_at = kNever;
  peering->connector.stop();
  end_sessions(*peering, as_hard_reset(*peering, wire::cease(notify::kAdminShutdown, reason)), DownReason::admin_down);
  drop_routes(*peering);  // Also those kept for a restart: the operator wants the peer gone.
  peering->last_down = DownReason::admin_down;
  report_state(*peering, DownReason::admin_down);
}

void EngineImpl::reset_peer(PeerId peer, std::string_view reason, Time now) {
  begin_turn(now);
  Peering* const peering = find_peer(peer);
  if (peering == nullptr || peering->removing) return;
  end_sessions(*peering, wire::cease(notify::kAdminReset, reason), DownReason::admin_down);
  if (peering->enabled && !stopping_) {
    peering->enable_at = kNever;
    peering->connector.stop();
    peering->connector.start(now_);
    dial_if_due(*peering);
  }
  report_state(*peering, DownReason::admin_down);
}

void EngineImpl::set_transport_usable(PeerId peer, bool usable, Time now) {
  begin_turn(now);
  Peering* const peering = find_peer(peer);
  if (peering == nullptr || peering->removing) return;
  peering->connector.set_transport_usable(usable, now_);
  // What is kept for a peer that restarts leads nowhere without its tunnel.
  if (!usable && peering->established == nullptr && peering->any_stale()) drop_routes(*peering);
  dial_if_due(*peering);
  report_state(*peering, usable ? DownReason::none : DownReason::transport_unusable);
}

void EngineImpl::stop(Engine::Stop how, std::string_view reason, Time now) {
  begin_turn(now);
  stopping_ = true;
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    if (peers_[i] == nullptr) continue;
    Peering& peering = *peers_[i];
    peering.connector.stop();
    peering.enable_at = kNever;
    const bool kept = how == Engine::Stop::keep && peering.established != nullptr &&
                      peering.negotiated.peer_graceful_restart.has_value() &&
                      peering.options.graceful_restart == GracefulRestart::full;
    if (kept) {
      end_sessions(peering, {}, DownReason::restarting);
    } else {
      end_sessions(peering, as_hard_reset(peering, wire::cease(notify::kAdminShutdown, reason)),
                   DownReason::admin_down);
    }
    report_state(peering, DownReason::restarting);
  }
}

/// What the peer is told and how its UPDATEs are judged, after a session came up or options changed.
void EngineImpl::set_rules(Peering& peering) {
  const PeerOptions& options = peering.options;
  const session::Negotiated& negotiated = peering.negotiated;
  const IpAddress local_address = peering.established != nullptr ? peering.established->local_address : IpAddress{};
  const LinkAddresses link = peering.established != nullptr ? peering.established->link : LinkAddresses{};
  const bool first = peering.import_rules.policy == nullptr || !exporter_.has(peering.id);

  rib::PeerFacts facts;
  facts.external = negotiated.peer_type == PeerType::ebgp;
  facts.router_id = negotiated.remote_id;
  facts.address = options.address;
  facts.default_local_pref = options.default_local_pref;
  const bool local_pref_changed = table_.peer(peering.id).default_local_pref != facts.default_local_pref;
  table_.set_peer(peering.id, facts);
  if (local_pref_changed && !first) sweeper_.read_next_hops(peering.id);

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
  rules.peer = name_of(options);
  rules.peer_address = to_text(options.address);
  rules.tunnel = options.tunnel;
  rules.policy = options.import_policy;
  // RFC 8212 s.3: without a policy nothing of an eBGP peer is accepted.
  if (rules.policy == nullptr) rules.policy = facts.external ? Policy::reject_all() : Policy::accept_all();
  rules.role = options.role;
  rules.allow_as_in = options.allow_as_in;
  rules.graceful_shutdown = options.graceful_shutdown;
  rules.enforce_first_as = options.enforce_first_as && options.role != Role::route_server_client;
  const bool judge_again = !(rules == peering.import_rules) && table_.counts(peering.id).received != 0;
  peering.import_rules = std::move(rules);
  if (judge_again) sweeper_.judge_again(peering.id);

  if (peering.established == nullptr) return;
  speaker::ExportRules export_rules =
      speaker::make_export_rules(peering.id, options, options_, negotiated, local_address, link);
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
    if (stopping_ || !peering->enabled || !peering->connector.welcomes()) return std::nullopt;
    if (peering->established != nullptr && !may_have_restarted(*peering)) return std::nullopt;
    if (!make_room(*peering)) return std::nullopt;
    const Connection& accepted = add_connection(*peering, session::Session::Side::accepted, to);
    peering->connector.on_session_up(now_);
    report_state(*peering, DownReason::none);
    return accepted.id;
  }
  return std::nullopt;
}

/// Whether a new connection beside an established session can mean that the peer restarted (RFC 4724 s.5). Shortly
/// after a session came up, it is the late other half of a collision instead, and goes.
bool EngineImpl::may_have_restarted(const Peering& peering) const {
  return peering.negotiated.peer_graceful_restart.has_value() && now_ - peering.since >= kYoungSession;
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

void EngineImpl::on_connected(ConnId conn, const IpAddress& local, Time now) {
  Connection* const connection = find_connection(conn);
  if (connection == nullptr || connection->ended) return;
  begin_turn(now);
  Peering& peering = *find_peer(connection->peer);
  if (peering.established != nullptr) {
    drop_silently(*connection);  // The peer's connection was faster.
    return;
  }
  connection->local_address = local;
  peering.connector.on_session_up(now_);
  connection->session->on_connected(now_);
  drain(*connection);
  report_state(peering, DownReason::none);
}

void EngineImpl::set_link_addresses(ConnId conn, const LinkAddresses& addresses, Time now) {
  Connection* const connection = find_connection(conn);
  if (connection == nullptr || connection->ended || connection->link == addresses) return;
  begin_turn(now);
  connection->link = addresses;
  Peering& peering = *find_peer(connection->peer);
  if (peering.established == connection) set_rules(peering);
}

/// Closes a connection on which nothing was said.
void EngineImpl::drop_silently(Connection& connection) {
  connection.ended = true;
  std::erase(find_peer(connection.peer)->connections, &connection);
  outputs_.emplace_back(Close{connection.id, Close::How::at_once});
}

void EngineImpl::on_received(ConnId conn, Bytes bytes, Time now) {
  Connection* const connection = find_connection(conn);
  if (connection == nullptr || connection->ended) return;
  begin_turn(now);
  connection->session->on_received(bytes, now_);
  drain(*connection);
  end_of_turn_of(*connection);
}

void EngineImpl::on_sent(ConnId conn, std::size_t count, Time now) {
  Connection* const connection = find_connection(conn);
  if (connection == nullptr) return;
  connection->session->on_sent(count, std::max(now, now_));
  if (connection->ended) return;
  begin_turn(now);
  connection->write_told = false;
}

void EngineImpl::on_closed(ConnId conn, std::error_code reason, Time now) {
  Connection* const connection = find_connection(conn);
  if (connection == nullptr || connection->ended) return;
  begin_turn(now);
  work_left_ = SIZE_MAX;  // What came before the end counts, all of it: there is no later turn for it.
  connection->session->on_closed(reason, now_);
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
  if (&first == peering.established) input.first_established_for = now_ - peering.since;
  input.peer_restart_possible = &first == peering.established && may_have_restarted(peering);
  return resolve_collision(input);
}

/// A connection in OpenConfirm that will lose the collision with one whose OPEN is on its way does not become
/// Established in the meantime: both sides come to that conclusion, and no session comes up only to fall. Not for long,
/// in case the other never says a word.
bool EngineImpl::held(const Connection& connection) const {
  if (connection.session->state() != PeerState::open_confirm || now_ >= connection.held_until) return false;
  const Peering& peering = *find_peer(connection.peer);
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
  const bool first_lives = survivor(first, connection, connection.session->remote_id()) == session::Survivor::first;
  Connection& loser = first_lives ? connection : first;
  end_session(loser, wire::cease(notify::kCollision, {}), DownReason::collision);
}

void EngineImpl::on_established(Connection& connection, const session::Negotiated& negotiated) {
  Peering& peering = *find_peer(connection.peer);
  BGP_ASSERT(peering.established == nullptr);
  peering.established = &connection;
  peering.negotiated = negotiated;
  peering.end_of_rib_received = {};
  peering.refreshing = {};
  peering.limit_warned = false;
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
  if (!update.announced.empty() || !update.mp_announced.empty()) check_import_limit(connection);
}

void EngineImpl::check_import_limit(Connection& connection) {
  Peering& peering = *find_peer(connection.peer);
  const PrefixLimit& limit = peering.options.import_limit;
  const std::uint64_t received = table_.counts(peering.id).received;
  if (received * 100 < std::uint64_t{limit.max} * limit.warn_percent && received <= limit.max) return;
  if (!peering.limit_warned) {
    peering.limit_warned = true;
    log(LogLevel::warning, peering,
        std::to_string(received) + " prefixes received, the limit is " + std::to_string(limit.max));
  }
  if (received <= limit.max || limit.warn_only) return;
  peering.connector.stop();
  if (limit.restart_after_s != 0) peering.enable_at = now_ + std::chrono::seconds{limit.restart_after_s};
  end_session(connection, as_hard_reset(peering, wire::cease(notify::kMaxPrefixes, {})), DownReason::prefix_limit);
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
  if (down.from == PeerState::connect) {
    peering.connector.on_dial_failed(now_);
  } else if (peering.connections.empty()) {
    peering.connector.on_session_down(down.hold_off, now_);
  }
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

void EngineImpl::session_lost(Peering& peering, const session::Down& down) {
  exporter_.leave(peering.id);
  peering.refreshing = {};
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
