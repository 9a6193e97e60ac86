// Echo probes on virtual time.
#include <fib/liveness/probe.h>

#include <gtest/gtest.h>

namespace minibgp::fib {
namespace {

using namespace std::chrono_literals;

class ProbeTest : public ::testing::Test {
 protected:
  /// One interval; the target answers after `round_trip`, or not at all.
  void interval(std::optional<Duration> round_trip) {
    now_ = std::max(now_, probe_.next_deadline());
    const auto sequence = probe_.on_time(now_);
    ASSERT_TRUE(sequence);
    if (!round_trip) return;
    now_ += *round_trip;
    probe_.on_answer(*sequence, now_);
  }
  void intervals(int count, std::optional<Duration> round_trip) {
    for (int i = 0; i < count; ++i) interval(round_trip);
  }
  ProbeOptions options_{.interval = 100ms, .down_after = 3, .up_after = 3, .jitter_percent = 0};
  Time now_{1000s};
  Probe probe_{options_, 1, now_};
};

TEST_F(ProbeTest, ATargetThatNeverAnswersIsNeverDown) {
  intervals(50, std::nullopt);
  EXPECT_EQ(probe_.state(), ProbeState::learning);
  EXPECT_EQ(probe_.counters().lost, 49U);
}

TEST_F(ProbeTest, TheFirstAnswerTeachesThatItAnswers) {
  interval(5ms);
  EXPECT_EQ(probe_.state(), ProbeState::up);
}

TEST_F(ProbeTest, ThreeLossesInARowMakeItDownThreeIntervalsAfterTheFirstLostRequest) {
  interval(5ms);
  now_ = probe_.next_deadline();
  const Time died = now_;
  while (probe_.state() == ProbeState::up) interval(std::nullopt);
  EXPECT_EQ(probe_.state(), ProbeState::down);
  EXPECT_EQ(now_ - died, 300ms);
  EXPECT_EQ(probe_.since(), now_);
}

TEST_F(ProbeTest, TwoLossesAndAnAnswerAreNoLoss) {
  interval(5ms);
  for (int i = 0; i < 20; ++i) {
    intervals(2, std::nullopt);
    interval(5ms);
  }
  EXPECT_EQ(probe_.state(), ProbeState::up);
}

TEST_F(ProbeTest, UpAgainNeedsAnswersInARow) {
  interval(5ms);
  intervals(4, std::nullopt);
  ASSERT_EQ(probe_.state(), ProbeState::down);
  for (int i = 0; i < 10; ++i) {
    intervals(2, 5ms);
    interval(std::nullopt);
  }
  EXPECT_EQ(probe_.state(), ProbeState::down) << "every third is lost";
  intervals(3, 5ms);
  EXPECT_EQ(probe_.state(), ProbeState::up);
}

TEST_F(ProbeTest, ALateAnswerEndsTheRowOfLossesButDoesNotBringItUp) {
  interval(5ms);
  const auto late = [this] {
    now_ = probe_.next_deadline();
    const auto first = probe_.on_time(now_);
    now_ = probe_.next_deadline();
    (void)probe_.on_time(now_);
    probe_.on_answer(*first, now_ + 1ms);
  };
  for (int i = 0; i < 10; ++i) late();
  EXPECT_EQ(probe_.state(), ProbeState::up) << "slow is not dead";
  EXPECT_GE(probe_.counters().late, 10U);
  intervals(4, std::nullopt);
  ASSERT_EQ(probe_.state(), ProbeState::down);
  for (int i = 0; i < 10; ++i) late();
  EXPECT_EQ(probe_.state(), ProbeState::down);
}

TEST_F(ProbeTest, AnAnswerToNothingIsIgnored) {
  probe_.on_answer(4711, now_);
  EXPECT_EQ(probe_.state(), ProbeState::learning);
}

TEST_F(ProbeTest, APauseOfTheLoopIsOneLossNotMany) {
  interval(5ms);
  (void)probe_.on_time(now_ = probe_.next_deadline());
  now_ += 1h;
  (void)probe_.on_time(now_);
  EXPECT_EQ(probe_.losses_in_a_row(), 1);
  EXPECT_EQ(probe_.next_deadline(), now_ + 100ms);
}

TEST_F(ProbeTest, ThroughANewTunnelATargetThatAnsweredBeforeIsUpUntilItIsSilentAgain) {
  probe_.reset(now_);
  EXPECT_EQ(probe_.state(), ProbeState::learning);
  interval(5ms);
  intervals(4, std::nullopt);
  ASSERT_EQ(probe_.state(), ProbeState::down);
  probe_.reset(now_);
  EXPECT_EQ(probe_.state(), ProbeState::up);
  EXPECT_EQ(probe_.losses_in_a_row(), 0);
  intervals(4, std::nullopt);
  EXPECT_EQ(probe_.state(), ProbeState::down);
}

TEST_F(ProbeTest, RemembersTheLossesOfTheLast64Requests) {
  EXPECT_EQ(probe_.recent(), 0U);
  interval(5ms);
  EXPECT_EQ(probe_.last_answer(), now_);
  intervals(3, std::nullopt);
  interval(5ms);
  EXPECT_EQ(probe_.recent(), 5U);
  EXPECT_EQ(probe_.recent_losses(), 3U);
  intervals(70, 5ms);
  EXPECT_EQ(probe_.recent(), 64U);
  EXPECT_EQ(probe_.recent_losses(), 0U);
}

TEST_F(ProbeTest, RoundTripsFallIntoTheirBuckets) {
  interval(1ms);
  interval(1500us);
  interval(70ms);
  const RoundTrips& trips = probe_.round_trips();
  EXPECT_EQ(trips.counts[0], 1U);
  EXPECT_EQ(trips.counts[1], 1U);
  EXPECT_EQ(trips.counts[6], 1U);
  EXPECT_EQ(trips.total, 3U);
  EXPECT_EQ(trips.last, 70ms);
}

TEST(ProbeJitter, ShortensTheIntervalByAtMostItsShareAndRepeatsWithItsSeed) {
  const ProbeOptions options{.interval = 1000ms, .jitter_percent = 20};
  Time now{};
  Probe first(options, 7, now);
  Probe second(options, 7, now);
  bool differs = false;
  for (int i = 0; i < 200; ++i) {
    (void)first.on_time(now);
    (void)second.on_time(now);
    const Duration interval = first.next_deadline() - now;
    EXPECT_EQ(first.next_deadline(), second.next_deadline());
    EXPECT_LE(interval, Duration{1000ms});
    EXPECT_GE(interval, Duration{800ms});
    differs = differs || interval != Duration{1000ms};
    now = first.next_deadline();
  }
  EXPECT_TRUE(differs);
}

TEST(ProbeInterval, IsBroughtIntoItsRange) {
  Time now{};
  Probe hasty({.interval = 1ms, .jitter_percent = 0}, 1, now);
  (void)hasty.on_time(now);
  EXPECT_EQ(hasty.next_deadline() - now, Duration{100ms});
  Probe lazy({.interval = 1h, .jitter_percent = 0}, 1, now);
  (void)lazy.on_time(now);
  EXPECT_EQ(lazy.next_deadline() - now, Duration{10s});
}

}  // namespace
}  // namespace minibgp::fib
