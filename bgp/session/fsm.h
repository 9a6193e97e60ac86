/// The state machine of a session (RFC 4271 s.8.2.2) as a value: rows for progress, one default for everything else.
/// Pure and total: step() answers for every state and event, and the compiler refuses two rows for one cell.
/// Not here: what an action does (Session and Connector carry them out) and collision, which concerns two sessions
/// (pairing.h).
///
/// Idle, Connect and Active are about dialing; Connector lives there. From OpenSent on there is a connection; Session
/// lives there. Left out of the RFC's machine: DelayOpen (optional, s.8.1.1) and NotifMsgVerErr (we speak one version).
#pragma once

#include <bgp/peer.h>
#include <bgp/wire/numbers.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace minibgp::session {

/// RFC 4271 s.8.1; the number of its event behind each.
enum class FsmEvent : std::uint8_t {
  start,                  ///< 1, 3: and 13, the idle hold timer, after which a start follows.
  start_passive,          ///< 4, 5.
  stop,                   ///< 2, 8.
  connect_retry_expired,  ///< 9.
  hold_expired,           ///< 10.
  keepalive_expired,      ///< 11.
  send_hold_expired,      ///< 29 (RFC 9687 s.3.2).
  tcp_up,                 ///< 16, 17.
  tcp_down,               ///< 18.
  open,                   ///< 19: and it was acceptable.
  message_error,          ///< 21, 22, 28: header, OPEN or UPDATE.
  collision_lost,         ///< 23.
  notification,           ///< 25.
  keepalive,              ///< 26.
  update,                 ///< 27.
  refresh,                ///< ROUTE-REFRESH (RFC 2918), treated as an UPDATE is.
};
inline constexpr std::size_t kFsmEvents = 16;
inline constexpr std::size_t kFsmStates = 6;

/// What a step asks for; several at once.
enum class Do : std::uint16_t {
  nothing = 0,
  dial = 1U << 0U,           ///< Connector.
  arm_retry = 1U << 1U,      ///< Connector.
  arm_idle_hold = 1U << 2U,  ///< Connector: the peer misbehaved or fell; do not hurry back.
  send_open = 1U << 3U,
  send_keepalive = 1U << 4U,
  send_notify = 1U << 5U,    ///< Which one: the event's own error, or notification_for().
  arm_hold_long = 1U << 6U,  ///< 4 minutes (s.8.2.2, OpenSent).
  arm_hold = 1U << 7U,
  arm_keepalive = 1U << 8U,
  report_open = 1U << 9U,  ///< The peer is known now: look for a collision.
  report_up = 1U << 10U,
  drop = 1U << 11U,  ///< Close the TCP connection, stop every timer, report it.
};
[[nodiscard]] constexpr Do operator|(Do a, Do b) {
  return static_cast<Do>(static_cast<std::uint16_t>(a) | static_cast<std::uint16_t>(b));
}
[[nodiscard]] constexpr bool has(Do actions, Do one) {
  return (static_cast<std::uint16_t>(actions) & static_cast<std::uint16_t>(one)) != 0;
}

struct FsmStep {
  Do actions = Do::nothing;
  PeerState to = PeerState::idle;
  constexpr bool operator==(const FsmStep&) const = default;
};

struct FsmRule {
  PeerState from;
  FsmEvent on;
  FsmStep step;
};

namespace detail {

using enum PeerState;

inline constexpr FsmRule kFsmRules[] = {
    {idle, FsmEvent::start, {Do::dial | Do::arm_retry, connect}},
    {idle, FsmEvent::start_passive, {Do::nothing, active}},
    {connect, FsmEvent::tcp_up, {Do::send_open | Do::arm_hold_long, open_sent}},
    {connect, FsmEvent::connect_retry_expired, {Do::drop | Do::dial | Do::arm_retry, connect}},
    // The RFC goes to Idle when no DelayOpen timer runs; like FRR and BIRD we stay willing to accept, and retry.
    {connect, FsmEvent::tcp_down, {Do::drop | Do::arm_retry, active}},
    {active, FsmEvent::tcp_up, {Do::send_open | Do::arm_hold_long, open_sent}},
    {active, FsmEvent::tcp_down, {Do::arm_retry, active}},
    {active, FsmEvent::connect_retry_expired, {Do::dial | Do::arm_retry, connect}},
    {open_sent, FsmEvent::tcp_down, {Do::drop | Do::arm_retry, active}},
    {open_sent,
     FsmEvent::open,
     {Do::send_keepalive | Do::arm_hold | Do::arm_keepalive | Do::report_open, open_confirm}},
    {open_confirm, FsmEvent::keepalive_expired, {Do::send_keepalive | Do::arm_keepalive, open_confirm}},
    {open_confirm, FsmEvent::keepalive, {Do::arm_hold | Do::report_up, established}},
    {established, FsmEvent::keepalive_expired, {Do::send_keepalive | Do::arm_keepalive, established}},
    {established, FsmEvent::keepalive, {Do::arm_hold, established}},
    {established, FsmEvent::update, {Do::arm_hold, established}},
    {established, FsmEvent::refresh, {Do::arm_hold, established}},
};

[[nodiscard]] constexpr bool is_start(FsmEvent on) { return on == FsmEvent::start || on == FsmEvent::start_passive; }

/// An event the RFC does not expect here ends the session. Idle ignores everything; a start is ignored everywhere else.
[[nodiscard]] consteval FsmStep default_step(PeerState from, FsmEvent on) {
  if (from == idle || is_start(on)) return {Do::nothing, from};
  Do actions = Do::drop;
  const bool has_connection = from != connect && from != active;
  // Never answer a NOTIFICATION with one (s.6.4), nor wait for a peer that does not read (RFC 9687 s.4.2).
  const bool peer_can_hear =
      on != FsmEvent::tcp_down && on != FsmEvent::notification && on != FsmEvent::send_hold_expired;
  if (has_connection && peer_can_hear) actions = actions | Do::send_notify;
  // Losing a collision is nobody's fault: the other session lives.
  if (on != FsmEvent::stop && on != FsmEvent::collision_lost) actions = actions | Do::arm_idle_hold;
  return {actions, idle};
}

void two_rules_for_one_cell();  // Never defined: reaching it in build_fsm() is a compile error.

[[nodiscard]] consteval auto build_fsm() {
  std::array<std::array<FsmStep, kFsmEvents>, kFsmStates> table{};
  std::array<std::array<bool, kFsmEvents>, kFsmStates> written{};
  for (std::size_t s = 0; s < kFsmStates; ++s)
    for (std::size_t e = 0; e < kFsmEvents; ++e)
      table[s][e] = default_step(static_cast<PeerState>(s), static_cast<FsmEvent>(e));
  for (const FsmRule& rule : kFsmRules) {
    const auto s = static_cast<std::size_t>(rule.from);
    const auto e = static_cast<std::size_t>(rule.on);
    if (written[s][e]) two_rules_for_one_cell();
    written[s][e] = true;
    table[s][e] = rule.step;
  }
  return table;
}
inline constexpr auto kFsmTable = build_fsm();

}  // namespace detail

/// The whole machine.
[[nodiscard]] constexpr FsmStep step(PeerState state, FsmEvent event) {
  return detail::kFsmTable[static_cast<std::size_t>(state)][static_cast<std::size_t>(event)];
}

/// The NOTIFICATION of an event that carries no error of its own: the hold timer, or a message that the state does not
/// expect (RFC 6608 names the state in the subcode).
struct NotificationCode {
  std::uint8_t code = 0;
  std::uint8_t subcode = 0;
  constexpr bool operator==(const NotificationCode&) const = default;
};
[[nodiscard]] constexpr NotificationCode notification_for(PeerState state, FsmEvent event) {
  namespace notify = wire::notify;
  if (event == FsmEvent::hold_expired) return {notify::kHoldTimer, 0};
  if (event == FsmEvent::send_hold_expired) return {notify::kSendHoldTimer, 0};
  switch (state) {
    case PeerState::open_sent:
      return {notify::kFsm, notify::kUnexpectedInOpenSent};
    case PeerState::open_confirm:
      return {notify::kFsm, notify::kUnexpectedInOpenConfirm};
    case PeerState::established:
      return {notify::kFsm, notify::kUnexpectedInEstablished};
    default:
      return {notify::kFsm, 0};
  }
}

}  // namespace minibgp::session
