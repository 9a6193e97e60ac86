// The parts of a Forwarder, each alone: what is read again and when, who owns a table, what is watched, the log, the
// stages and the end.
#include <bgp/text.h>
#include <fib/dump_schedule.h>
#include <fib/ending.h>
#include <fib/event_log.h>
#include <fib/stages.h>
#include <fib/table_ownership.h>
#include <fib/watches.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace minibgp::fib {
namespace {

using namespace std::chrono_literals;

Prefix prefix(const std::string& text) { return parse_prefix(text).value(); }
IpAddress address(const std::string& text) { return parse_address(text).value(); }
constexpr Time kStart{1000s};

/// All parts of what take() asked for end, one after the other.
void end_all(DumpSchedule& dumps, const DumpRequest& request, Time now, bool complete = true) {
  if (request.links) dumps.end(DumpPart::links, complete, now);
  if (request.next_hops) dumps.end(DumpPart::next_hops, complete, now);
  if (request.routes) dumps.end(DumpPart::routes, complete, now);
}
DumpSchedule read_once(Time now) {
  DumpSchedule dumps(now);
  end_all(dumps, dumps.take(now, true), now);
  return dumps;
}

TEST(DumpSchedule, EverythingIsReadAtTheStartAndThenNothing) {
  DumpSchedule dumps(kStart);
  EXPECT_EQ(dumps.next_deadline(), kStart);
  const DumpRequest all = dumps.take(kStart, true);
  EXPECT_TRUE(all.links && all.next_hops && all.routes);
  EXPECT_EQ(dumps.running(), 3U);
  EXPECT_FALSE(dumps.take(kStart, true).any()) << "one at a time";
  end_all(dumps, all, kStart + 1s);
  EXPECT_TRUE(dumps.ready());
  EXPECT_TRUE(dumps.idle());
  EXPECT_EQ(dumps.next_deadline(), kNever);
}

TEST(DumpSchedule, IsNotReadyBeforeEachPartWasReadCompletely) {
  DumpSchedule dumps(kStart);
  end_all(dumps, dumps.take(kStart, true), kStart, /*complete=*/false);
  EXPECT_FALSE(dumps.ready());
  const DumpRequest again = dumps.take(kStart + 1s, true);
  EXPECT_TRUE(again.links && again.next_hops && again.routes);
  end_all(dumps, again, kStart + 1s);
  EXPECT_TRUE(dumps.ready());
}

TEST(DumpSchedule, AKernelWithoutNextHopObjectsIsNotAskedForThem) {
  DumpSchedule dumps(kStart);
  EXPECT_FALSE(dumps.take(kStart, false).next_hops);
  EXPECT_EQ(dumps.running(), 2U);
}

TEST(DumpSchedule, DumpsKeepFourTimesTheirLengthApart) {
  DumpSchedule dumps = read_once(kStart);
  dumps.ask_for_routes();
  EXPECT_FALSE(dumps.take(kStart + 49ms, true).any());
  const DumpRequest request = dumps.take(kStart + 50ms, true);
  EXPECT_TRUE(request.routes && !request.links && !request.next_hops);
  dumps.ask_for_routes();  // While it runs.
  dumps.end(DumpPart::routes, true, kStart + 150ms);
  EXPECT_EQ(dumps.next_deadline(), kStart + 150ms + 400ms);
  EXPECT_FALSE(dumps.take(kStart + 549ms, true).any());
  EXPECT_TRUE(dumps.take(kStart + 550ms, true).routes);
}

TEST(DumpSchedule, AComparisonWaitsForNoSpacingAndOutlivesAnIncompleteDump) {
  DumpSchedule dumps = read_once(kStart);
  dumps.ask_for_comparison();
  EXPECT_FALSE(dumps.take_comparison()) << "nothing was read for it";
  end_all(dumps, dumps.take(kStart, true), kStart, /*complete=*/false);
  const DumpRequest again = dumps.take(kStart + 1s, true);
  EXPECT_TRUE(again.routes && again.next_hops);
  EXPECT_TRUE(dumps.take_comparison());
  EXPECT_FALSE(dumps.take_comparison()) << "once";
}

TEST(DumpSchedule, AnAuditComesAnIntervalAfterTheLastDumpAndNotTwice) {
  DumpSchedule dumps(kStart);
  dumps.set_audit_interval(60s);
  end_all(dumps, dumps.take(kStart, true), kStart);
  EXPECT_EQ(dumps.next_deadline(), kStart + 60s);
  EXPECT_FALSE(dumps.begin_audit(kStart + 59s));
  EXPECT_TRUE(dumps.begin_audit(kStart + 60s));
  EXPECT_FALSE(dumps.begin_audit(kStart + 61s));
  const DumpRequest request = dumps.take(kStart + 61s, true);
  EXPECT_TRUE(request.routes && request.next_hops && !request.links);
  end_all(dumps, request, kStart + 62s);
  EXPECT_EQ(dumps.next_deadline(), kStart + 122s);
}

TEST(Stages, AStageIsDueOnceItIsMarkedUntilItIsCleared) {
  Stages stages;
  stages.mark(Stage::guard, false);
  EXPECT_FALSE(stages.due(Stage::guard));
  stages.mark(Stage::guard);
  stages.mark(Stage::guard, false);
  EXPECT_TRUE(stages.due(Stage::guard));
  EXPECT_FALSE(stages.due(Stage::sets));
  stages.clear(Stage::guard);
  EXPECT_FALSE(stages.due(Stage::guard));
}

class TableOwnershipTest : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kBase = 0x62FE0000;
  std::set<std::uint32_t> tables_{kMainTable};
  TableOwnership ownership_{{kMainTable, 155, kBase}, tables_, true};
};

TEST_F(TableOwnershipTest, ARouteIsOursByTableAndProtocolOfThisRunOrAFormerOne) {
  ownership_.set_former(std::vector<OwnedTable>{{100, 177, 0}});
  EXPECT_TRUE(ownership_.wrote(kMainTable, 155));
  EXPECT_TRUE(ownership_.wrote(100, 177));
  EXPECT_FALSE(ownership_.wrote(kMainTable, 177));
  EXPECT_FALSE(ownership_.wrote(100, 155));
  EXPECT_FALSE(ownership_.wrote(101, 155));
  ownership_.forget({100, 177, 0});
  EXPECT_FALSE(ownership_.wrote(100, 177));
}

TEST_F(TableOwnershipTest, WhatThisRunWritesToIsNoFormerTableUnlessItWritesNothing) {
  const std::vector<OwnedTable> former{{kMainTable, 155, kBase}, {kMainTable, 155, 0x70000000}};
  ownership_.set_former(former);
  EXPECT_EQ(ownership_.former(), (std::vector<OwnedTable>{{kMainTable, 155, 0x70000000}})) << "other objects are left";
  TableOwnership disabled({kMainTable, 155, kBase}, tables_, false);
  disabled.set_former(former);
  EXPECT_EQ(disabled.former(), former);
}

TEST_F(TableOwnershipTest, ReportsWhereSomethingOfOursMayBeWhenThatChanges) {
  EXPECT_EQ(ownership_.take_change(), (std::vector<OwnedTable>{{kMainTable, 155, kBase}}));
  EXPECT_EQ(ownership_.take_change(), std::nullopt);
  ownership_.note_change();
  EXPECT_EQ(ownership_.take_change(), std::nullopt) << "it is the same";
  tables_.insert(100);
  ownership_.set_table(100);
  EXPECT_EQ(ownership_.take_change(), (std::vector<OwnedTable>{{100, 155, kBase}, {kMainTable, 155, kBase}}));
}

class WatchesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    map_.on_link({IfIndex{1}, "tun0", true});
    map_.on_address({IfIndex{1}, address("169.254.10.2"), address("169.254.10.2"), 30, false});
    map_.set_peer(PeerId{0}, {address("169.254.10.1"), "tun0", true});
  }
  void ready() {
    map_.set_ready();
    watches_.on_next_hops_changed(map_.refresh());
    watches_.begin();
  }
  NextHopMap map_{false};
  Watches watches_{map_};
};

TEST_F(WatchesTest, ANextHopIsReportedWhenTheKernelWasReadAndAtEachChange) {
  watches_.watch(PeerId{0}, address("169.254.10.1"));
  EXPECT_TRUE(watches_.take_next_hops().empty());
  ready();
  auto states = watches_.take_next_hops();
  ASSERT_EQ(states.size(), 1U);
  EXPECT_TRUE(states[0].usable);
  EXPECT_EQ(states[0].interface, "tun0");
  map_.set_interface_usable("tun0", false, "SA expired");
  watches_.on_next_hops_changed(map_.refresh());
  states = watches_.take_next_hops();
  ASSERT_EQ(states.size(), 1U);
  EXPECT_EQ(states[0].detail, "SA expired");
}

TEST_F(WatchesTest, ASuspectNextHopIsNoNewsBecauseOnlySharesFollowFromIt) {
  ready();
  watches_.watch(PeerId{0}, address("169.254.10.1"));
  EXPECT_EQ(watches_.take_next_hops().size(), 1U);
  map_.set_interface_suspect("tun0", true);
  watches_.on_next_hops_changed(map_.refresh());
  EXPECT_TRUE(watches_.take_next_hops().empty());
}

TEST_F(WatchesTest, EachWatchOfANextHopIsEndedByOneUnwatch) {
  ready();
  watches_.watch(PeerId{0}, address("169.254.10.1"));
  watches_.watch(PeerId{0}, address("169.254.10.1"));
  EXPECT_EQ(watches_.take_next_hops().size(), 1U);
  watches_.unwatch(PeerId{0}, address("169.254.10.1"));
  map_.set_peer_usable(PeerId{0}, false);
  watches_.on_next_hops_changed(map_.refresh());
  EXPECT_EQ(watches_.take_next_hops().size(), 1U);
  watches_.unwatch(PeerId{0}, address("169.254.10.1"));
  map_.set_peer_usable(PeerId{0}, true);
  watches_.on_next_hops_changed(map_.refresh());
  EXPECT_TRUE(watches_.take_next_hops().empty());
  watches_.unwatch(PeerId{0}, address("169.254.10.1"));  // One too many has no effect.
}

TEST_F(WatchesTest, ANetworkIsReportedOnceAndThenWhenItComesAndGoes) {
  watches_.watch(prefix("10.9.0.0/16"), NetworkWatch::exact_route);
  watches_.watch(prefix("10.9.1.0/24"), NetworkWatch::reachable);
  const auto news = [this] {
    std::string text;
    watches_.look_at_networks();
    while (const auto change = watches_.take_network())
      text += to_text(change->prefix) + (change->present ? "+ " : "- ");
    return text;
  };
  EXPECT_EQ(news(), "10.9.0.0/16- 10.9.1.0/24- ");
  EXPECT_EQ(news(), "");
  const ForeignRoute route{{prefix("10.9.0.0/16"), kMainTable, 0}, 4, true, {}};
  map_.foreign().on_dumped(route, false);
  EXPECT_EQ(news(), "10.9.0.0/16+ 10.9.1.0/24+ ");
  map_.foreign().on_dumped({{prefix("0.0.0.0/0"), kMainTable, 0}, 4, true, {}}, false);
  EXPECT_EQ(map_.foreign().on_gone(route), ForeignRoutes::Gone::erased);
  EXPECT_EQ(news(), "10.9.0.0/16- 10.9.1.0/24- ") << "the default route makes nothing reachable";
}

TEST(Ending, FinishesWithTheLastAnswerAndSaysSoOnce) {
  Ending ending;
  EXPECT_FALSE(ending.comes({0, true, true}, kStart)) << "no end was asked for";
  ending.finish();
  EXPECT_TRUE(ending.finishing());
  EXPECT_FALSE(ending.comes({5, false, false}, kStart));
  EXPECT_TRUE(ending.comes({5, true, false}, kStart));
  EXPECT_TRUE(ending.over());
  EXPECT_FALSE(ending.comes({5, true, true}, kStart));
}

TEST(Ending, RemovingIsPatientAsLongAsTheNumberOfRoutesFalls) {
  Ending ending;
  ending.remove();
  Time now = kStart;
  for (std::size_t left = 5; left > 0; --left, now += 9s) EXPECT_FALSE(ending.comes({left, true, false}, now)) << left;
  EXPECT_FALSE(ending.comes({1, true, false}, now)) << "9 s after the last one that went";
  EXPECT_EQ(ending.next_deadline(), now + 1s);
  EXPECT_TRUE(ending.comes({1, true, false}, now + 1s));
}

TEST(Ending, RemovingEndsWhenNothingIsLeft) {
  Ending ending;
  ending.remove();
  EXPECT_FALSE(ending.finishing()) << "routes are still written";
  EXPECT_FALSE(ending.comes({1, true, false}, kStart));
  EXPECT_TRUE(ending.comes({0, true, true}, kStart));
}

class Lines final : public LogSink {
 public:
  [[nodiscard]] bool wants(LogLevel, LogArea) const override { return true; }
  void write(LogLevel, LogArea, std::string_view line) override { all.emplace_back(line); }
  std::vector<std::string> all;
};

TEST(EventLog, RepairsHaveABudgetOfLinesAndTheRestIsCounted) {
  Lines lines;
  EventLog log(&lines);
  const RouteKey key{prefix("10.1.0.0/16"), kMainTable, 20};
  for (int i = 0; i < 25; ++i) log.repaired(key, "was removed", {4242, 3, true}, kStart);
  EXPECT_EQ(lines.all.size(), LineBudget::kLines);
  EXPECT_EQ(lines.all[0], "route 10.1.0.0/16 metric 20 table 254 was removed by netlink port 4242: repaired");
  log.summarize(kStart + 9s);
  EXPECT_EQ(lines.all.size(), LineBudget::kLines) << "the window is not over";
  log.summarize(kStart + 10s);
  ASSERT_EQ(lines.all.size(), LineBudget::kLines + 1);
  EXPECT_EQ(lines.all.back(), "15 more routes of ours were changed and repaired");
  log.repaired(key, "was removed", {}, kStart + 11s);
  EXPECT_EQ(lines.all.back(), "route 10.1.0.0/16 metric 20 table 254 was removed: repaired") << "a new window";
}

TEST(EventLog, KindsOfLinesDoNotTakeEachOthersBudget) {
  Lines lines;
  EventLog log(&lines);
  const RouteKey key{prefix("10.1.0.0/16"), kMainTable, 20};
  for (int i = 0; i < 25; ++i) log.repaired(key, "was removed", {}, kStart);
  log.ahead(key, "a route of protocol 3 is", kStart);
  EXPECT_NE(lines.all.back().find("a route of protocol 3 is in front of ours"), std::string::npos);
}

TEST(EventLog, ARefusalOfTheKernelIsOneLineUntilItRefusesNoRoute) {
  Lines lines;
  EventLog log(&lines);
  RouteOp op;
  op.key = {prefix("10.1.0.0/16"), kMainTable, 20};
  const std::vector<RouteOp> batch(3, op);
  const std::vector<OpError> errors{{0, EPERM, ""}, {2, EPERM, ""}};
  log.refused(batch, errors);
  log.refused(batch, errors);
  ASSERT_EQ(lines.all.size(), 1U);
  EXPECT_NE(lines.all[0].find("10.1.0.0/16"), std::string::npos);
  EXPECT_NE(lines.all[0].find(", and 1 more"), std::string::npos);
  log.calm();
  log.refused(batch, errors);
  EXPECT_EQ(lines.all.size(), 2U);
}

TEST(EventLog, WithoutASinkNothingIsDone) {
  EventLog log(nullptr);
  log.set_port_name([](std::uint32_t) -> std::string {
    ADD_FAILURE() << "no line needs it";
    return {};
  });
  log.repaired({prefix("10.1.0.0/16"), kMainTable, 20}, "was removed", {4242, 3, true}, kStart);
  log.summarize(kStart + 20s);
}

}  // namespace
}  // namespace minibgp::fib
