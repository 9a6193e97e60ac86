#include <bgp/speaker/peering.h>
#include <bgp/text.h>
#include <bgp/wire/notification.h>
#include <bgp/wire/numbers.h>

#include <algorithm>
#include <utility>

namespace minibgp::speaker {

namespace notify = wire::notify;

std::string Peering::name() const { return options.name.empty() ? to_text(options.address) : options.name; }

session::LocalIdentity Peering::identity(const SpeakerOptions& speaker, bool restarting) const {
  session::LocalIdentity self;
  self.asn = options.local_as.value_or(speaker.asn);
  self.router_id = speaker.router_id;
  self.restarting = restarting;
  return self;
}

// What is in force.

ChangeCost Peering::cost_of_update(const PeerOptions& before, const SpeakerOptions& speaker) const {
  // Compared with what runs: the operator may have enabled or disabled the peer meanwhile.
  PeerOptions running = before;
  PeerOptions wanted = options;
  running.enabled = enabled;
  if (before.enabled == wanted.enabled) wanted.enabled = enabled;
  // A local address that the kernel chose for this session costs nothing when the configuration names it.
  if (established != nullptr && (!wanted.local_address.is_set() || wanted.local_address == established->local_address))
    running.local_address = wanted.local_address;
  return cost_of_change(running, wanted, speaker);
}

void Peering::remember_addresses() {
  // Kept for the routes of a peer that restarts: its connection is gone when their rules are made again.
  if (established == nullptr) return;
  link = established->link;
  local_address = established->local_address;
}

rib::PeerFacts Peering::facts() const {
  rib::PeerFacts facts;
  facts.external = negotiated.peer_type == PeerType::ebgp;
  facts.router_id = negotiated.remote_id;
  facts.address = options.address;
  facts.default_local_pref = options.default_local_pref;
  return facts;
}

Source Peering::source() const {
  Source source;
  source.external = negotiated.peer_type == PeerType::ebgp;
  source.reflector_client = options.route_reflector_client;
  source.router_id = negotiated.remote_id;
  source.default_local_pref = options.default_local_pref;
  source.link = link.link;
  return source;
}

bool Peering::set_import_rules(const SpeakerOptions& speaker) {
  ImportRules rules;
  rules.id = id;
  rules.peer_type = negotiated.peer_type;
  rules.speaker_as = speaker.asn;
  rules.local_as = options.local_as.value_or(speaker.asn);
  rules.remote_as = options.remote_as;
  rules.router_id = speaker.router_id;
  rules.cluster_id = speaker.cluster_id != RouterId{0} ? speaker.cluster_id : speaker.router_id;
  rules.address = options.address;
  rules.local_address = local_address;
  rules.policy = options.import_policy;
  // RFC 8212 s.3: without a policy nothing of an eBGP peer is accepted.
  if (rules.policy == nullptr)
    rules.policy = negotiated.peer_type == PeerType::ebgp ? Policy::reject_all() : Policy::accept_all();
  if (rules.policy->reads_peer()) {
    rules.peer = name();
    rules.peer_address = to_text(options.address);
    rules.tunnel = options.tunnel;
  }
  rules.role = options.role;
  rules.allow_as_in = options.allow_as_in;
  rules.graceful_shutdown = options.graceful_shutdown;
  // A route server does not add its own AS (RFC 7947 s.2.2.2).
  rules.enforce_first_as = options.enforce_first_as && options.role != Role::route_server_client;
  const bool differ = !(rules == import_rules);
  import_rules = std::move(rules);
  return differ;
}

// Connections.

bool Peering::has_room() const {
  // One dialed and one accepted: enough for a collision, which leaves one of the two.
  constexpr std::size_t kConnectionsPerPeer = 2;
  return connections.size() < kConnectionsPerPeer;
}

Connection* Peering::forgotten_connection() const {
  // It never got beyond our OPEN. A peer that dials again has given it up, maybe without a FIN that reached us.
  const auto found = std::find_if(connections.begin(), connections.end(), [](const Connection* connection) {
    return connection->session->side() == session::Session::Side::accepted &&
           connection->session->state() == PeerState::open_sent;
  });
  return found == connections.end() ? nullptr : *found;
}

session::Survivor Peering::survivor(const Connection& first, const Connection& second, const SpeakerOptions& speaker,
                                    Time now) const {
  session::CollisionInput input;
  input.first_side = first.session->side();
  input.first_state = first.session->state();
  input.second_side = second.session->side();
  input.local_id = speaker.router_id;
  // Of the two one has had its OPEN.
  const Connection& known = second.session->state() >= PeerState::open_confirm ? second : first;
  input.remote_id = known.session->remote_id();
  input.local_as = options.local_as.value_or(speaker.asn);
  input.remote_as = options.remote_as;
  if (&first == established) {
    input.first_established_for = now - since;
    input.peer_restart_possible = negotiated.peer_graceful_restart.has_value();
  }
  return resolve_collision(input);
}

bool Peering::holds_back(const Connection& connection, const SpeakerOptions& speaker, Time now) const {
  if (connection.session->state() != PeerState::open_confirm || now >= connection.held_until) return false;
  if (established != nullptr) return true;
  // The collision is not decided before the other connection had its OPEN, so that no session comes up that is to end
  // at once.
  return std::any_of(connections.begin(), connections.end(), [&](const Connection* other) {
    return other != &connection && other->session->state() == PeerState::open_sent &&
           survivor(connection, *other, speaker, now) == session::Survivor::second;
  });
}

// The end of a session, and why there is none.

wire::MessageError Peering::goodbye(wire::MessageError error) const {
  const auto& graceful = negotiated.peer_graceful_restart;
  // RFC 8538 s.3.1: where both sides keep routes over a NOTIFICATION, only a Hard Reset says that they are to go.
  if (established == nullptr || !graceful || !graceful->notification) return error;
  wire::MessageError hard{notify::kCease, notify::kHardReset, {error.code, error.subcode}};
  hard.data.insert(hard.data.end(), error.data.begin(), error.data.end());
  return hard;
}

void Peering::note_down(const session::Down& down, bool was_established) {
  // A later attempt that merely fails must not replace the reason for which the session ended.
  const bool says_something = was_established || (down.notification.code != 0 && down.reason != DownReason::collision);
  if (!says_something && last_down_matters) return;
  last_down_matters = says_something;
  last_down = down.reason;
  last_down_detail = down.detail;
  last_code = down.notification.code;
  last_subcode = down.notification.subcode;
}

std::optional<std::string> Peering::failure_to_log(const session::Down& down, Time now) {
  // Of two connections one is closed, and what we ended ourselves was said where it was done.
  if (down.reason == DownReason::collision || !enabled || removing) return std::nullopt;
  if (down.reason == DownReason::admin_down || down.reason == DownReason::configuration_changed) return std::nullopt;
  last_attempt = down.detail;
  if (!may_log_failure(down.detail, now)) return std::nullopt;
  const Time next = connector.next_attempt();
  const auto in_s = std::chrono::ceil<std::chrono::seconds>(next - now).count();
  return "no session: " + down.detail +
         (next == kNever ? "; waiting for the peer to connect" : "; next attempt in " + std::to_string(in_s) + " s") +
         ", failures in a row: " + std::to_string(connector.failures());
}

bool Peering::may_log_failure(const std::string& cause, Time now) {
  // The same reason again is logged less often than a new one.
  const Duration interval = cause == logged_failure ? kSameFailureLogged : kFailureLogged;
  if (failure_logged_at != kNever && now - failure_logged_at < interval) return false;
  logged_failure = cause;
  failure_logged_at = now;
  return true;
}

Time Peering::silence_due() const {
  Time due = kNever;
  // Beside a session that is up, a second connection waits for what becomes of the first.
  if (established == nullptr)
    for (const Connection* connection : connections) due = std::min(due, connection->silent_at);
  return due;
}

std::optional<std::string> Peering::silence_to_log(Time now) {
  if (silence_due() > now) return std::nullopt;
  PeerState furthest = PeerState::idle;
  for (const Connection* connection : connections)
    if (connection->silent_at <= now) furthest = std::max(furthest, connection->session->state());
  last_attempt = std::string{"TCP is connected, but the peer sent no "} +
                 (furthest == PeerState::open_confirm ? "KEEPALIVE after its OPEN" : "OPEN") + " within " +
                 std::to_string(kSilenceLogged.count()) + " s";
  const bool logs = may_log_failure(last_attempt, now);
  // Said later where another cause was logged a moment ago: the connection may stay for minutes.
  const Time again = logs || logged_failure == last_attempt ? kNever : failure_logged_at + kFailureLogged;
  for (Connection* connection : connections)
    if (connection->silent_at <= now) connection->silent_at = again;
  if (!logs) return std::nullopt;
  return "no session: " + last_attempt + "; waiting for it";
}

std::optional<std::string> Peering::refusal_to_log(Time now) {
  if (refusal_logged_at != kNever && now - refusal_logged_at < kSameFailureLogged) return std::nullopt;
  refusal_logged_at = now;
  const Time next = std::min(connector.next_deadline(), enable_at());
  const auto for_s = std::chrono::ceil<std::chrono::seconds>(next - now).count();
  return std::string{"its connection refused: Idle after "} + std::string{to_text(last_down)} +
         (next == kNever ? " until enabled" : " for " + std::to_string(for_s) + " s more");
}

PeerState Peering::present_state() const {
  if (established != nullptr) return PeerState::established;
  if (connections.empty()) return connector.state();
  PeerState furthest = PeerState::idle;
  for (const Connection* connection : connections) furthest = std::max(furthest, connection->session->state());
  // Established is what the table knows: from the session's event on.
  return std::min(furthest, PeerState::open_confirm);
}

}  // namespace minibgp::speaker
