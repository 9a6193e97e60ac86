#include <bgp/session/connector.h>

#include <vector>

#include <gtest/gtest.h>

namespace minibgp::session {
namespace {

using namespace std::chrono_literals;

[[nodiscard]] PeerOptions dialing() {
  PeerOptions options;
  options.timers.connect_retry_s = 5;
  return options;
}

/// Sleeps until the connector's deadline.
void wait_for(const Connector& connector, Time& now) {
  ASSERT_NE(connector.next_deadline(), kNever);
  now = std::max(now, connector.next_deadline());
}

/// 75 % to 100 % of `nominal`.
void expect_about(Duration got, Duration nominal) {
  EXPECT_LE(got, nominal);
  EXPECT_GE(got, nominal * 3 / 4 - 1ms);
}

TEST(Connector, DialsAtOnceAndOnlyOnce) {
  Time now{};
  Connector connector(dialing(), 1);
  EXPECT_FALSE(connector.take_dial(now));
  connector.start(now);
  EXPECT_EQ(connector.state(), PeerState::connect);
  EXPECT_TRUE(connector.take_dial(now));
  EXPECT_FALSE(connector.take_dial(now));
}

TEST(Connector, RefusedDialsAreRepeatedFastFirstThenFromFiveSecondsDoublingToTwoMinutes) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed=" << seed);
    Time now{};
    Connector connector(dialing(), seed);
    connector.start(now);
    ASSERT_TRUE(connector.take_dial(now));
    const Duration nominal[] = {100ms, 200ms, 400ms, 5s, 10s, 20s, 40s, 80s, 120s, 120s};
    for (const Duration wanted : nominal) {
      connector.on_dial_failed(now);
      EXPECT_EQ(connector.state(), PeerState::active);
      EXPECT_FALSE(connector.take_dial(now));
      const Time failed = now;
      wait_for(connector, now);
      expect_about(now - failed, wanted);
      ASSERT_TRUE(connector.take_dial(now));
    }
  }
}

TEST(Connector, ADialThatHangsIsReplacedAfterTenSeconds) {
  Time now{};
  Connector connector(dialing(), 1);
  connector.start(now);
  ASSERT_TRUE(connector.take_dial(now));
  EXPECT_EQ(connector.next_deadline(), now + 10s);
  now += 10s;
  EXPECT_TRUE(connector.take_dial(now));
  EXPECT_EQ(connector.state(), PeerState::connect);
}

TEST(Connector, APassivePeerIsNeverDialed) {
  PeerOptions options = dialing();
  options.passive = true;
  Time now{};
  Connector connector(options, 1);
  EXPECT_FALSE(connector.welcomes());
  connector.start(now);
  EXPECT_EQ(connector.state(), PeerState::active);
  EXPECT_TRUE(connector.welcomes());
  EXPECT_EQ(connector.next_deadline(), kNever);
  connector.on_session_up();
  connector.on_session_down({.hold_off = true}, now);
  wait_for(connector, now);  // The idle hold.
  EXPECT_FALSE(connector.take_dial(now));
  EXPECT_EQ(connector.state(), PeerState::active);
  EXPECT_EQ(connector.next_deadline(), kNever);
}

TEST(Connector, FallsInARowAreAnsweredWithLongerIdleHoldsAndRefusal) {
  Time now{};
  Connector connector(dialing(), 3);
  connector.start(now);
  ASSERT_TRUE(connector.take_dial(now));
  const Duration nominal[] = {100ms, 200ms, 400ms, 5s, 10s, 20s, 40s, 80s, 120s, 120s};
  unsigned falls = 0;
  for (const Duration wanted : nominal) {
    connector.on_session_up();
    EXPECT_EQ(connector.next_deadline(), kNever);
    connector.on_session_down({.hold_off = true}, now);
    EXPECT_EQ(connector.state(), PeerState::idle);
    EXPECT_EQ(connector.welcomes(), ++falls <= 3);
    const Time fell = now;
    wait_for(connector, now);
    expect_about(now - fell, wanted);
    ASSERT_TRUE(connector.take_dial(now));
    EXPECT_TRUE(connector.welcomes());
  }
  // A session that lasts is forgiven everything before it.
  connector.on_session_up();
  connector.on_established(now);
  now += 60s;
  connector.on_session_down({.hold_off = true}, now);
  const Time fell = now;
  wait_for(connector, now);
  expect_about(now - fell, 100ms);
}

TEST(Connector, WithoutTransportNothingIsDialedAndItsReturnDialsAtOnce) {
  Time now{};
  Connector connector(dialing(), 1);
  connector.set_transport_usable(false, now);
  connector.start(now);
  EXPECT_FALSE(connector.take_dial(now));
  EXPECT_EQ(connector.next_deadline(), kNever);
  now += 1h;
  connector.set_transport_usable(true, now);
  EXPECT_TRUE(connector.take_dial(now));

  // It goes away under a dial: that may hang, nothing new is tried.
  connector.set_transport_usable(false, now);
  now += 10s;
  EXPECT_FALSE(connector.take_dial(now));
  EXPECT_EQ(connector.next_deadline(), kNever);
  connector.set_transport_usable(true, now);
  EXPECT_TRUE(connector.take_dial(now));

  // It returns while an old dial still hangs: do not wait for that one.
  connector.set_transport_usable(false, now);
  connector.set_transport_usable(true, now + 1s);
  EXPECT_TRUE(connector.take_dial(now + 1s));
}

TEST(Connector, StoppedMeansNoDialNoWelcomeAndStartForgetsThePast) {
  Time now{};
  Connector connector(dialing(), 1);
  connector.start(now);
  for (int i = 0; i < 8; ++i) {
    connector.on_session_up();
    connector.on_session_down({.hold_off = true}, now);
    now = connector.next_deadline();
    ASSERT_TRUE(connector.take_dial(now));
  }
  connector.stop();
  EXPECT_FALSE(connector.welcomes());
  EXPECT_FALSE(connector.take_dial(now + 1h));
  EXPECT_EQ(connector.next_deadline(), kNever);
  connector.on_session_down({}, now);
  EXPECT_EQ(connector.next_deadline(), kNever);
  connector.start(now);
  EXPECT_TRUE(connector.take_dial(now));
  connector.on_session_up();
  connector.on_session_down({.hold_off = true}, now);
  expect_about(connector.next_deadline() - now, 100ms);
}

TEST(Connector, ASessionThatClosedInOrderIsDialedAgainAfterTheFirstRetry) {
  Time now{};
  Connector connector(dialing(), 1);
  connector.start(now);
  ASSERT_TRUE(connector.take_dial(now));
  connector.on_session_up();
  connector.on_dial_failed(now);  // Of the other attempt: no matter.
  EXPECT_EQ(connector.next_deadline(), kNever);
  connector.on_session_down({}, now);
  EXPECT_EQ(connector.state(), PeerState::active);
  expect_about(connector.next_deadline() - now, 100ms);
}

}  // namespace
}  // namespace minibgp::session
