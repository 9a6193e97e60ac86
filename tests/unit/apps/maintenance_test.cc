// What operators do on purpose: draining peers and rehearsing a failover, as pure steps over time.
#include <apps/bgplite/gateway/drainer.h>
#include <apps/bgplite/gateway/drill.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bgplite {
namespace {

using namespace std::chrono_literals;
using minibgp::Duration;
using minibgp::Time;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Time kStart{1h};

TEST(Drainer, TakeTheirStepsInTimeAndNoFurther) {
  Drainer drains;
  drains.begin("a", 10s, kStart);
  EXPECT_EQ(drains.step("a"), DrainStep::asked);
  EXPECT_EQ(drains.step("b"), std::nullopt);
  EXPECT_EQ(drains.next_deadline(), kStart + 10s);
  EXPECT_THAT(drains.on_time(kStart + 10s - 1ns), IsEmpty());
  EXPECT_THAT(drains.on_time(kStart + 11s), ElementsAre("a"));
  EXPECT_EQ(drains.step("a"), DrainStep::unattractive);
  EXPECT_THAT(drains.on_time(kStart + 20s), IsEmpty()) << "the whole wait, from when it was done";
  EXPECT_THAT(drains.on_time(kStart + 21s), ElementsAre("a"));
  EXPECT_EQ(drains.step("a"), DrainStep::stopped);
  EXPECT_EQ(drains.next_deadline(), minibgp::kNever);
  EXPECT_TRUE(drains.end("a"));
  EXPECT_FALSE(drains.end("a"));
  EXPECT_EQ(drains.step("a"), std::nullopt);
}

TEST(Drainer, MakeAPeersRoutesUnattractiveOnTopOfItsOwnOptions) {
  Drainer drains;
  minibgp::PeerOptions configured;
  configured.prepend = 9;
  configured.export_med = 5;
  const auto applied = [&] {
    minibgp::PeerOptions options = configured;
    drains.apply("a", options);
    return options;
  };
  EXPECT_EQ(applied(), configured);
  drains.begin("a", 1s, kStart);
  EXPECT_TRUE(applied().graceful_shutdown);
  EXPECT_EQ(applied().prepend, 9);
  EXPECT_EQ(applied().export_med, 5U);
  static_cast<void>(drains.on_time(kStart + 1s));
  EXPECT_TRUE(applied().graceful_shutdown);
  EXPECT_EQ(applied().prepend, 10);
  EXPECT_EQ(applied().export_med, UINT32_MAX);
  drains.end("a");
  EXPECT_EQ(applied(), configured);
}

/// Traffic of 1000 packets a second each way, until it moves; a session's two packets every 100 ms afterwards.
struct DrillTest : ::testing::Test {
  Time now = kStart;
  TrafficCounters counters;
  Drill drill{10s, now, counters};
  Time in_moves = Time::max(), out_moves = Time::max();

  Drill::Action step() {
    const Time next = drill.next_deadline();
    for (; now < next; now += 1ms) {
      const bool session = now.time_since_epoch() % 50ms == Duration{};
      counters.in += now < in_moves || session ? 1 : 0;
      counters.out += now < out_moves || session ? 1 : 0;
    }
    return drill.on_time(now, counters);
  }
  void begin() {
    while (step() != Drill::Action::fail) ASSERT_LT(now, kStart + 1min);
  }
  void finish() {
    while (step() != Drill::Action::restore) ASSERT_LT(now, kStart + 1min);
  }
};

TEST_F(DrillTest, LooksAtTheTrafficFirstThenPlaysTheFailureForItsTime) {
  begin();
  EXPECT_EQ(now, kStart + Drill::kBaseline);
  EXPECT_TRUE(drill.failing());
  drill.failed(2ms);
  out_moves = now;
  in_moves = now + 300ms;
  finish();
  EXPECT_EQ(now, kStart + Drill::kBaseline + 10s);
  const DrillReport report = drill.report(now);
  EXPECT_EQ(report.state, DrillReport::State::done);
  EXPECT_EQ(report.end, DrillReport::End::time);
  EXPECT_EQ(report.lasted, 10s);
  EXPECT_EQ(report.failover, 2ms);
  EXPECT_NEAR(report.in.before_per_s, 1000, 10);
  EXPECT_EQ(report.out.moved_after, 0ms);
  EXPECT_EQ(report.in.moved_after, 300ms);
  EXPECT_GE(report.in.packets, 300U) << "these would have been lost";
  EXPECT_LE(report.out.packets, 210U) << "the session's own";
  EXPECT_EQ(drill.next_deadline(), minibgp::kNever);
  EXPECT_EQ(drill.on_time(now + 1h, counters), Drill::Action::none);
}

TEST_F(DrillTest, TrafficThatDoesNotMoveIsSaidNotToHaveMoved) {
  begin();
  out_moves = now;
  finish();
  EXPECT_EQ(drill.report(now).in.moved_after, std::nullopt);
  EXPECT_NEAR(static_cast<double>(drill.report(now).in.packets), 10000, 100);
  EXPECT_TRUE(drill.report(now).out.moved_after.has_value());
}

TEST_F(DrillTest, WithoutTrafficNothingCanMove) {
  in_moves = out_moves = kStart;
  begin();
  finish();
  EXPECT_EQ(drill.report(now).in.moved_after, std::nullopt);
  EXPECT_TRUE(drill.report(now).counted);
}

TEST_F(DrillTest, EndsEarlyWhenAskedAndWithoutAFailureToTakeBackBeforeItBegan) {
  EXPECT_EQ(step(), Drill::Action::none);
  EXPECT_FALSE(drill.end(DrillReport::End::asked, now)) << "nothing was played yet";
  Drill other{10s, now, std::nullopt};
  EXPECT_EQ(other.on_time(now + Drill::kBaseline, std::nullopt), Drill::Action::fail);
  EXPECT_TRUE(other.end(DrillReport::End::failed, now + 1s));
  EXPECT_FALSE(other.end(DrillReport::End::asked, now + 2s));
  EXPECT_EQ(other.report(now + 3s).end, DrillReport::End::failed);
  EXPECT_FALSE(other.report(now).counted);
}

}  // namespace
}  // namespace bgplite
