/// Peering: one peer at run time: its state, and the rules that need nothing but it: what is in force, which of two
/// connections lives, what is logged. They answer; what follows from the answer is done by EngineImpl, in peers.cc
/// (what the operator says), sessions.cc (connections) and engine.cc (turns).
#pragma once

#include <bgp/inputs.h>
#include <bgp/peer.h>
#include <bgp/rib/best_path.h>
#include <bgp/session/connector.h>
#include <bgp/session/negotiation.h>
#include <bgp/session/pairing.h>
#include <bgp/session/session.h>
#include <bgp/speaker/export_rules.h>
#include <bgp/speaker/import.h>
#include <bgp/speaker_options.h>
#include <bgp/types.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace minibgp::speaker {

/// Log lines about attempts that fail: one at most in this time, and in this time while the reason stays the same.
inline constexpr Duration kFailureLogged = std::chrono::minutes{1};
inline constexpr Duration kSameFailureLogged = std::chrono::minutes{10};
/// A peer that is connected and says nothing is logged after this, long before its session ends (kLargeHold).
inline constexpr std::chrono::seconds kSilenceLogged{8};

/// One TCP connection of a peer.
struct Connection {
  ConnId id{};
  PeerId peer{};
  IpAddress local_address;
  LinkAddresses link;
  std::unique_ptr<session::Session> session;
  Time held_until{};        ///< A collision may keep it in OpenConfirm until then.
  Time silent_at = kNever;  ///< It is logged then that the session is not up though TCP is connected.
  bool write_told = false;  ///< Write was handed out and not answered by on_sent() yet.
  bool ended = false;       ///< Down was polled: only outgoing() is still asked.

  /// What was received and not worked on stays for the next turn.
  void end_turn() {
    if (!ended) session->keep_unread();
  }
};

struct Peering {
  Peering(PeerId peer, const PeerOptions& given, std::uint64_t seed)
      : id(peer), options(given), connector(given, seed) {}

  PeerId id{};
  PeerOptions options;  ///< Read by sessions: stays where it is.
  session::Connector connector;
  std::vector<Connection*> connections;  ///< At most two, those that ended not included.
  Connection* established = nullptr;
  bool enabled = true;    ///< By the operator.
  bool removing = false;  ///< Its paths are leaving; then the id is free.

  // What is shown.
  PeerState state = PeerState::idle;
  Time since{};
  DownReason last_down = DownReason::none;
  std::string last_down_detail;
  std::string last_attempt;        ///< See PeerStatus.
  bool last_down_matters = false;  ///< It ended a session, or the peer or we said why there is none.
  std::uint8_t last_code = 0, last_subcode = 0;
  Counters counters;  ///< Of sessions that ended.

  // Of the session that is, or was last, established.
  session::Negotiated negotiated;
  ImportRules import_rules;
  LinkAddresses link;
  IpAddress local_address;
  std::array<bool, kFamilies> end_of_rib_received{};
  std::array<bool, kFamilies> refreshing{};             ///< Between BoRR and EoRR (RFC 7313 s.4).
  std::array<std::uint8_t, kFamilies> refresh_epoch{};  ///< That began with BoRR.
  bool early_refresh_logged = false;
  bool limit_warned = false;

  // RFC 4724: the peer restarts and we keep its routes.
  std::array<bool, kFamilies> stale{};
  Time stale_until = kNever;  ///< Its routes go then: restart timer, or no End-of-RIB came.

  Time over_limit_since = kNever;  ///< Idle because of import_limit since then.
  /// When that ends by itself.
  [[nodiscard]] Time enable_at() const {
    const std::uint32_t after_s = options.import_limit.restart_after_s;
    return over_limit_since == kNever || after_s == 0 ? kNever : over_limit_since + std::chrono::seconds{after_s};
  }

  // Why there is no session: what was logged last of attempts that did not reach Established.
  std::string logged_failure;
  Time failure_logged_at = kNever;
  Time refusal_logged_at = kNever;  ///< Of incoming connections.

  [[nodiscard]] bool any_stale() const { return stale[0] || stale[1]; }

  [[nodiscard]] std::string name() const;  ///< For logs: the address where it has none.
  /// Who we are toward the peer.
  [[nodiscard]] session::LocalIdentity identity(const SpeakerOptions& speaker, bool restarting) const;

  /// What the options that are new cost this peer as it is: what the kernel chose is in force as if it had been
  /// written, and so is what the operator said of the peer since.
  [[nodiscard]] ChangeCost cost_of_update(const PeerOptions& before, const SpeakerOptions& speaker) const;
  /// Of the session that is up, for the time after it.
  void remember_addresses();
  [[nodiscard]] rib::PeerFacts facts() const;
  [[nodiscard]] Source source() const;
  /// Makes import_rules anew; whether they differ from before.
  [[nodiscard]] bool set_import_rules(const SpeakerOptions& speaker);

  /// Both sides may dial at once, so a peer has two connections at most.
  [[nodiscard]] bool has_room() const;
  /// An accepted one whose OPEN never came: the peer may have forgotten it, and a third takes its place. Null: none.
  [[nodiscard]] Connection* forgotten_connection() const;
  /// Which of two connections lives, seen when the second's OPEN came, or is about to.
  [[nodiscard]] session::Survivor survivor(const Connection& first, const Connection& second,
                                           const SpeakerOptions& speaker, Time now) const;
  /// A connection in OpenConfirm that will lose the collision with one whose OPEN is on its way does not become
  /// Established in the meantime: both sides come to that conclusion, and no session comes up only to fall. Not for
  /// long, in case the other never says a word. Nor does one beside a young session: see EngineImpl::on_open().
  [[nodiscard]] bool holds_back(const Connection& connection, const SpeakerOptions& speaker, Time now) const;

  /// RFC 8538 s.3.1: a peer that would keep our routes over a NOTIFICATION is sent Cease/Hard Reset, with `error` in
  /// it.
  [[nodiscard]] wire::MessageError goodbye(wire::MessageError error) const;
  /// Why the peer is down, for operators. Attempts that TCP ended, and lost collisions, do not hide why the last
  /// session ended or what one of the two sides said.
  void note_down(const session::Down& down, bool was_established);
  /// The line for an attempt that did not reach Established: when the reason is new, and seldom while it stays, because
  /// dials and incoming connections may fail for ever.
  [[nodiscard]] std::optional<std::string> failure_to_log(const session::Down& down, Time now);
  /// The same for a connection that is up, but whose session is not, for kSilenceLogged: the peer does not know us as a
  /// neighbor, or hangs. Once for each connection.
  [[nodiscard]] std::optional<std::string> silence_to_log(Time now);
  /// When that is due.
  [[nodiscard]] Time silence_due() const;
  /// The same for a connection that comes during idle hold, or while the peer is idle because of its prefix limit.
  [[nodiscard]] std::optional<std::string> refusal_to_log(Time now);
  [[nodiscard]] PeerState present_state() const;

 private:
  /// Whether a line about this cause is due, which counts as written then.
  [[nodiscard]] bool may_log_failure(const std::string& cause, Time now);
};

}  // namespace minibgp::speaker
