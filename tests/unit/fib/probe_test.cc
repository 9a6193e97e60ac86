// Echo probes on virtual time.
#include <fib/liveness/probe.h>
#include <fib/net/datagrams.h>

#include <array>
#include <functional>
#include <map>
#include <optional>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

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
  EXPECT_EQ(probe_.counters().lost, 20U) << "those that are 3 s old";
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

TEST_F(ProbeTest, EverySecondRequestLostAndTheOthersLateIsNotDownAndDoesNotBringItUp) {
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
  EXPECT_EQ(probe_.counters().late, 0U) << "an answer in time is no late one";
  intervals(8, std::nullopt);
  ASSERT_EQ(probe_.state(), ProbeState::down);
  for (int i = 0; i < 10; ++i) late();
  EXPECT_EQ(probe_.state(), ProbeState::down);
}

TEST_F(ProbeTest, AnAnswerToNothingIsIgnored) {
  probe_.on_answer(4711, now_);
  EXPECT_EQ(probe_.state(), ProbeState::learning);
}

/// Requests leave at their times and answers arrive after `round_trip(request)` (nothing: never), all in order of time.
class Path {
 public:
  explicit Path(const ProbeOptions& options, Time now = Time{1000s}) : now_(now), probe_(options, 1, now) {}

  using RoundTrip = std::function<std::optional<Duration>(std::uint16_t)>;
  void run_with(Duration length, const RoundTrip& round_trip) {
    const Time end = now_ + length;
    while (true) {
      const bool answers = !under_way_.empty() && under_way_.begin()->first <= probe_.next_deadline();
      const Time next = answers ? under_way_.begin()->first : probe_.next_deadline();
      if (next > end) break;
      const ProbeState before = probe_.state();
      now_ = next;
      if (answers) {
        probe_.on_answer(under_way_.begin()->second, now_);
        under_way_.erase(under_way_.begin());
      } else if (const auto sequence = probe_.on_time(now_)) {
        const std::optional<Duration> takes = round_trip(*sequence);
        if (takes) under_way_.emplace(now_ + *takes, *sequence);
      }
      if (before == ProbeState::up && probe_.state() == ProbeState::down) ++falls_, fell_at_ = now_;
    }
    now_ = end;
  }
  void run(Duration length, std::optional<Duration> round_trip) {
    run_with(length, [&](std::uint16_t) { return round_trip; });
  }

  Time now_;
  Probe probe_;
  std::multimap<Time, std::uint16_t> under_way_;
  int falls_ = 0;
  Time fell_at_{};
};

constexpr ProbeOptions kFast{.interval = 100ms, .down_after = 3, .up_after = 3, .jitter_percent = 0};

TEST(ProbePath, RoundTripsUpTo2sWorkAtAnIntervalOf100ms) {
  for (const Duration round_trip : {Duration{90ms}, Duration{101ms}, Duration{250ms}, Duration{999ms}, Duration{2s}}) {
    SCOPED_TRACE(round_trip / 1ms);
    Path path(kFast);
    path.run(60s, round_trip);
    EXPECT_EQ(path.probe_.state(), ProbeState::up);
    EXPECT_EQ(path.falls_, 0);
    EXPECT_EQ(path.probe_.recent_losses(), 0U);
    EXPECT_EQ(path.probe_.counters().lost + path.probe_.counters().late, 0U);
    EXPECT_GE(path.probe_.counters().answered, 570U);
    EXPECT_EQ(path.probe_.smoothed_round_trip(), round_trip);
  }
}

TEST(ProbePath, ADelayThatSetsInCostsAMomentAtMost) {
  for (const Duration delay : {Duration{150ms}, Duration{400ms}, Duration{1500ms}}) {
    SCOPED_TRACE(delay / 1ms);
    Path path(kFast);
    path.run(10s, 5ms);
    path.run(delay + 300ms, delay);
    EXPECT_LE(path.falls_, 1) << "silence of three intervals is silence, whatever comes later";
    EXPECT_EQ(path.probe_.state(), ProbeState::up) << "the late answers are answers";
    path.run(60s, delay);
    EXPECT_LE(path.falls_, 1);
    EXPECT_EQ(path.probe_.state(), ProbeState::up);
  }
}

TEST(ProbePath, ASlowPathThatDiesIsNoticedSoonAfterItsUsualRoundTrip) {
  for (const Duration round_trip : {Duration{5ms}, Duration{250ms}, Duration{1s}}) {
    SCOPED_TRACE(round_trip / 1ms);
    Path path(kFast);
    path.run(20s, round_trip);
    const Time died = path.now_;
    path.run(10s, std::nullopt);
    EXPECT_EQ(path.probe_.state(), ProbeState::down);
    EXPECT_LE(path.fell_at_ - died, round_trip * 2 + 600ms);
    path.run(10s, round_trip);
    EXPECT_EQ(path.probe_.state(), ProbeState::up);
  }
}

TEST(ProbePath, RoundTripsThatVaryAndOvertakeOneAnotherAreNoLosses) {
  std::uint64_t seed = 20261129;
  RecordProperty("seed", std::to_string(seed));
  Path path(kFast);
  path.run_with(120s, [&](std::uint16_t) -> std::optional<Duration> {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    return 50ms + std::chrono::milliseconds{(seed >> 33U) % 400};
  });
  EXPECT_EQ(path.falls_, 0);
  EXPECT_EQ(path.probe_.counters().lost, 0U);
}

TEST_F(ProbeTest, AnAnswerCountsOnceAndAReplayKeepsNothingUp) {
  interval(5ms);
  const auto first = probe_.on_time(now_ = probe_.next_deadline());
  probe_.on_answer(*first, now_ + 5ms);
  const Time answered = now_ + 5ms;
  for (int i = 0; i < 10; ++i) {
    now_ = probe_.next_deadline();
    (void)probe_.on_time(now_);
    for (const Duration later : {10ms, 60ms}) probe_.on_answer(*first, now_ + later);
  }
  EXPECT_EQ(probe_.state(), ProbeState::down);
  EXPECT_EQ(probe_.last_answer(), answered);
  EXPECT_EQ(probe_.counters().answered, 2U);
  EXPECT_EQ(probe_.counters().late, 0U);
  EXPECT_EQ(probe_.round_trips().total, 2U);
}

TEST_F(ProbeTest, AnswersToRequestsThatWereNeverSentOrAreForgottenCountAsNothing) {
  interval(5ms);
  const auto old = probe_.on_time(now_ = probe_.next_deadline());
  intervals(Probe::kRemembered, std::nullopt);
  ASSERT_EQ(probe_.state(), ProbeState::down);
  const auto before = probe_.counters().answered + probe_.counters().late;
  probe_.on_answer(*old, now_);
  for (std::size_t i = 1; i <= 300; ++i)
    probe_.on_answer(static_cast<std::uint16_t>(*old + Probe::kRemembered + i), now_);
  EXPECT_EQ(probe_.counters().answered + probe_.counters().late, before);
  EXPECT_EQ(probe_.state(), ProbeState::down);
}

TEST_F(ProbeTest, AnAnswerAfterItsRequestWasGivenUpOnIsLateAndAnAnswerStill) {
  interval(5ms);
  const auto slow = probe_.on_time(now_ = probe_.next_deadline());
  intervals(40, std::nullopt);
  EXPECT_EQ(probe_.state(), ProbeState::down);
  const auto lost = probe_.counters().lost;
  EXPECT_GE(lost, 1U);
  probe_.on_answer(*slow, now_);
  EXPECT_EQ(probe_.counters().late, 1U);
  EXPECT_EQ(probe_.counters().lost, lost) << "a counter does not go back";
  EXPECT_EQ(probe_.last_answer(), now_);
}

TEST_F(ProbeTest, ARequestThatCouldNotBeSentIsOverdueWhenTheNextOneIsDue) {
  interval(5ms);
  for (int i = 0; i < 4; ++i) {
    now_ = probe_.next_deadline();
    probe_.on_send_failed(*probe_.on_time(now_));
  }
  EXPECT_EQ(probe_.state(), ProbeState::down);
}

TEST_F(ProbeTest, AsManyFailuresAsCanBeAskedForAreCounted) {
  options_.down_after = 100;
  probe_ = Probe{options_, 1, now_};
  interval(5ms);
  intervals(100, std::nullopt);
  EXPECT_EQ(probe_.state(), ProbeState::up);
  interval(std::nullopt);
  EXPECT_EQ(probe_.state(), ProbeState::down);
}

TEST_F(ProbeTest, SequenceNumbersBeginAnewAfter65535) {
  intervals(70'000, 5ms);
  EXPECT_EQ(probe_.state(), ProbeState::up);
  EXPECT_EQ(probe_.counters().answered, 70'000U);
  intervals(4, std::nullopt);
  EXPECT_EQ(probe_.state(), ProbeState::down);
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

TEST(ReadDatagrams, AFloodOrALastingErrorDoesNotKeepTheLoop) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM, 0, ends.data()), 0);
  std::size_t read = 0;
  // Each that is read is followed by another one.
  const auto handle = [&](Bytes packet) {
    EXPECT_EQ(packet.size(), 1U);
    ++read;
    if (read < 100'000) {
      ASSERT_EQ(::send(ends[0], "x", 1, 0), 1);
    }
  };
  ASSERT_EQ(::send(ends[0], "x", 1, 0), 1);
  read_datagrams(ends[1], handle);
  EXPECT_EQ(read, kDatagramsPerTurn);
  // What is left comes with the next turn.
  const std::size_t before = read;
  read_datagrams(ends[1], [&](Bytes) { ++read; });
  EXPECT_EQ(read, before + 1);
  ::close(ends[0]);
  ::close(ends[1]);
  read_datagrams(-1, handle);
  EXPECT_EQ(read, before + 1);
}

}  // namespace
}  // namespace minibgp::fib
