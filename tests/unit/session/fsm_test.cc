#include <bgp/session/fsm.h>

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace minibgp::session {
namespace {

using enum PeerState;

constexpr PeerState kStates[] = {idle, connect, active, open_sent, open_confirm, established};

/// The next state of every cell, one letter each: Idle, Connect, Active, open(S)ent, open(F)onfirm, Established.
struct Row {
  FsmEvent event;
  std::string_view next;  ///< From idle, connect, active, open_sent, open_confirm, established.
};
constexpr Row kNext[] = {
    {FsmEvent::start, "CCASFE"},
    {FsmEvent::start_passive, "ACASFE"},
    {FsmEvent::stop, "IIIIII"},
    {FsmEvent::connect_retry_expired, "ICCIII"},
    {FsmEvent::hold_expired, "IIIIII"},
    {FsmEvent::keepalive_expired, "IIIIFE"},
    {FsmEvent::send_hold_expired, "IIIIII"},
    {FsmEvent::tcp_up, "ISSIII"},
    {FsmEvent::tcp_down, "IAAAII"},
    {FsmEvent::open, "IIIFII"},
    {FsmEvent::message_error, "IIIIII"},
    {FsmEvent::collision_lost, "IIIIII"},
    {FsmEvent::notification, "IIIIII"},
    {FsmEvent::keepalive, "IIIIEE"},
    {FsmEvent::update, "IIIIIE"},
    {FsmEvent::refresh, "IIIIIE"},
};
static_assert(std::size(kNext) == kFsmEvents);

TEST(Fsm, EveryCellLeadsWhereTheRfcSays) {
  constexpr std::string_view letters = "ICASFE";
  for (const Row& row : kNext) {
    for (std::size_t s = 0; s < kFsmStates; ++s) {
      EXPECT_EQ(letters[static_cast<std::size_t>(step(kStates[s], row.event).to)], row.next[s])
          << "event " << static_cast<int>(row.event) << " in state " << s;
    }
  }
}

/// The cells that go on; all others that leave a state go by the rules below.
[[nodiscard]] Do progress(PeerState state, FsmEvent event) {
  if (event == FsmEvent::tcp_up && (state == connect || state == active)) return Do::send_open | Do::arm_hold_long;
  if (event == FsmEvent::start && state == idle) return Do::dial | Do::arm_retry;
  if (event == FsmEvent::connect_retry_expired && state == active) return Do::dial | Do::arm_retry;
  if (event == FsmEvent::connect_retry_expired && state == connect) return Do::drop | Do::dial | Do::arm_retry;
  if (event == FsmEvent::tcp_down && state == active) return Do::arm_retry;
  if (event == FsmEvent::tcp_down && (state == connect || state == open_sent)) return Do::drop | Do::arm_retry;
  if (event == FsmEvent::open && state == open_sent)
    return Do::send_keepalive | Do::arm_hold | Do::arm_keepalive | Do::report_open;
  if (event == FsmEvent::keepalive && state == open_confirm) return Do::arm_hold | Do::report_up;
  if (event == FsmEvent::keepalive_expired && (state == open_confirm || state == established))
    return Do::send_keepalive | Do::arm_keepalive;
  const bool says_something = event == FsmEvent::keepalive || event == FsmEvent::update || event == FsmEvent::refresh;
  if (state == established && says_something) return Do::arm_hold;
  return Do::nothing;
}

TEST(Fsm, EveryCellDoesWhatTheRfcSays) {
  for (const PeerState state : kStates) {
    for (std::size_t e = 0; e < kFsmEvents; ++e) {
      const auto event = static_cast<FsmEvent>(e);
      SCOPED_TRACE(testing::Message() << "event " << e << " in state " << static_cast<int>(state));
      const FsmStep got = step(state, event);
      const Do wanted = progress(state, event);
      const bool passive_start = state == idle && event == FsmEvent::start_passive;
      if (wanted != Do::nothing || got.to == state || passive_start) {
        EXPECT_EQ(got.actions, wanted);
        continue;
      }
      // Everything else ends the session.
      EXPECT_EQ(got.to, idle);
      EXPECT_TRUE(has(got.actions, Do::drop));
      const bool has_connection = state != connect && state != active;
      const bool silent =
          event == FsmEvent::notification || event == FsmEvent::tcp_down || event == FsmEvent::send_hold_expired;
      EXPECT_EQ(has(got.actions, Do::send_notify), has_connection && !silent);
      EXPECT_EQ(has(got.actions, Do::arm_idle_hold), event != FsmEvent::stop && event != FsmEvent::collision_lost);
      EXPECT_FALSE(has(got.actions, Do::report_up));
    }
  }
}

TEST(Fsm, OnlyOneCellReachesEstablished) {
  int ways = 0;
  for (const PeerState state : kStates)
    for (std::size_t e = 0; e < kFsmEvents; ++e)
      ways += state != established && step(state, static_cast<FsmEvent>(e)).to == established ? 1 : 0;
  EXPECT_EQ(ways, 1);
}

TEST(Fsm, UnexpectedMessagesNameTheStateInTheSubcode) {  // RFC 6608
  EXPECT_EQ(notification_for(open_sent, FsmEvent::update), (NotificationCode{5, 1}));
  EXPECT_EQ(notification_for(open_confirm, FsmEvent::update), (NotificationCode{5, 2}));
  EXPECT_EQ(notification_for(established, FsmEvent::open), (NotificationCode{5, 3}));
  EXPECT_EQ(notification_for(established, FsmEvent::hold_expired), (NotificationCode{4, 0}));
  EXPECT_EQ(notification_for(established, FsmEvent::send_hold_expired), (NotificationCode{8, 0}));
}

}  // namespace
}  // namespace minibgp::session
