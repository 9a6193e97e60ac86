// What a route that the kernel tells of means: whose it is, what became of ours, and when the table is to be read
// again.
#include <bgp/text.h>
#include <fib/route_news.h>

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace minibgp::fib {
namespace {

using namespace std::chrono_literals;

Prefix prefix(const std::string& text) { return parse_prefix(text).value(); }
constexpr std::uint8_t kOurs = 155, kBoot = 3;
constexpr Time kNow{1000s};

class RouteNewsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    reconciler_.finish_adoption();
    read_once();
  }
  void read_once() {
    static_cast<void>(dumps_.take(kNow, false));
    dumps_.end(DumpPart::links, true, kNow);
    dumps_.end(DumpPart::routes, true, kNow);
  }
  /// Ours is desired, and the kernel has it.
  void install() {
    const ForwardingId want = forwardings_.intern(by(1));
    reconciler_.set(key_, reconciler_.targets().make(want));
    const auto batch = reconciler_.next_batch(8, kNow);
    reconciler_.on_answers(std::vector(batch.begin(), batch.end()), {}, kNow);
    ASSERT_TRUE(has_ours());
  }
  [[nodiscard]] bool has_ours() const {
    const auto view = reconciler_.find(key_);
    return view && view->kernel != kNoForwarding && view->kernel == view->desired;
  }
  [[nodiscard]] bool asks_for_routes() { return dumps_.take(kNow + 10s, false).routes; }
  static Forwarding by(unsigned interface) { return {{{{}, IfIndex{interface}, 1, false}}, kNoNextHopId, false, {}}; }
  [[nodiscard]] KernelRoute route(std::uint8_t protocol, unsigned interface, Placement placement) const {
    return {key_, protocol, true, by(interface), placement, 0};
  }
  void dump(const std::vector<KernelRoute>& shown, bool complete = true) {
    news_.begin_dump();
    for (const KernelRoute& one : shown) news_.on_route(one, Heard::dumped, kNow);
    news_.end_dump(complete, kNow);
  }

  RouteKey key_{prefix("10.1.0.0/16"), kMainTable, 20};
  std::set<std::uint32_t> tables_{kMainTable};
  ForwardingTable forwardings_;
  ForeignRoutes foreign_;
  Reconciler reconciler_{forwardings_, [](ForwardingId, ForwardingId) { return false; },
                         [](const RouteKey&) { return Foreign::none; },
                         [](ForwardingId) { return RouteRecords::Viable::all; }};
  TableOwnership ownership_{{kMainTable, kOurs, 0}, tables_, true};
  DumpSchedule dumps_{kNow};
  Stages stages_;
  EventLog log_{nullptr};
  RouteNews news_{{forwardings_, reconciler_, foreign_, ownership_, dumps_, stages_, log_}};
};

TEST_F(RouteNewsTest, OneOfOursThatIsAsWeLeftItChangesNothing) {
  install();
  news_.on_route(route(kOurs, 1, Placement::replaced), Heard::notified, kNow);
  EXPECT_TRUE(has_ours());
  EXPECT_FALSE(reconciler_.has_work());
  EXPECT_FALSE(asks_for_routes());
}

TEST_F(RouteNewsTest, OneOfOursThatAnotherProgramChangedIsRepaired) {
  install();
  news_.on_route(route(kOurs, 2, Placement::replaced), Heard::notified, kNow);
  EXPECT_TRUE(reconciler_.has_work());
  EXPECT_EQ(reconciler_.totals().drift, 1U);
}

TEST_F(RouteNewsTest, ASecondOneOfOursBesideTheFirstIsLookedUpInTheTable) {
  install();
  news_.on_route(route(kOurs, 2, Placement::appended), Heard::notified, kNow);
  EXPECT_TRUE(has_ours());
  EXPECT_TRUE(asks_for_routes());
}

TEST_F(RouteNewsTest, AForeignRouteThatReplacedOursIsOursToRepair) {
  install();
  news_.on_route(route(kBoot, 2, Placement::replaced), Heard::notified, kNow);
  EXPECT_TRUE(reconciler_.has_work());
  EXPECT_FALSE(foreign_.occupies(key_)) << "ours takes its place";
}

TEST_F(RouteNewsTest, AForeignRouteThatComesOrGoesWhileOursIsUnderWayIsLookedUpInTheTable) {
  for (const bool comes : {true, false}) {
    reconciler_.set(key_, reconciler_.targets().make(forwardings_.intern(by(comes ? 1 : 3))));
    const auto sent = reconciler_.next_batch(8, kNow);
    const std::vector<RouteOp> batch(sent.begin(), sent.end());
    ASSERT_EQ(batch.size(), 1U);
    // The kernel did both, in an order that neither the notification nor the answer tells.
    if (comes) {
      news_.on_route(route(kBoot, 2, Placement::replaced), Heard::notified, kNow);
    } else {
      news_.on_gone(route(kBoot, 2, Placement::created), kNow);
    }
    reconciler_.on_answers(batch, {}, kNow);
    EXPECT_TRUE(reconciler_.take_resync()) << comes;
    read_once();
  }
}

TEST_F(RouteNewsTest, AForeignRouteIsInFrontOrBehindAsTheKernelPutIt) {
  install();
  news_.on_route(route(kBoot, 2, Placement::appended), Heard::notified, kNow);
  EXPECT_TRUE(foreign_.occupies(key_));
  EXPECT_EQ(foreign_.ahead(key_), nullptr);
  news_.on_gone(route(kBoot, 2, Placement::created), kNow);
  news_.on_route(route(kBoot, 2, Placement::created), Heard::notified, kNow);
  EXPECT_NE(foreign_.ahead(key_), nullptr);
  EXPECT_TRUE(has_ours());
  EXPECT_TRUE(stages_.due(Stage::guard));
}

TEST_F(RouteNewsTest, ADumpThatShowsAForeignRouteInsteadOfOursMeansThatOursWasOverwritten) {
  install();
  dump({route(kBoot, 2, Placement::created)});
  EXPECT_TRUE(reconciler_.has_work());
  EXPECT_FALSE(foreign_.occupies(key_));
  EXPECT_EQ(reconciler_.totals().drift, 1U);
}

TEST_F(RouteNewsTest, ADumpThatShowsAForeignRouteAndThenOursMeansThatItIsInFront) {
  install();
  dump({route(kBoot, 2, Placement::created), route(kOurs, 1, Placement::created)});
  EXPECT_TRUE(has_ours());
  EXPECT_NE(foreign_.ahead(key_), nullptr);
}

TEST_F(RouteNewsTest, AnIncompleteDumpProvesNothing) {
  install();
  dump({}, /*complete=*/false);
  EXPECT_TRUE(has_ours());
  dump({});
  EXPECT_FALSE(has_ours());
}

TEST_F(RouteNewsTest, AForeignRouteThatIsNotKnownAndGoesIsLookedUpWhereItsPrefixHasAnother) {
  news_.on_gone(route(kBoot, 2, Placement::created), kNow);
  EXPECT_TRUE(stages_.due(Stage::parked)) << "it may have sat where one of ours goes";
  EXPECT_FALSE(asks_for_routes());
  news_.on_route(route(kBoot, 1, Placement::created), Heard::notified, kNow);
  news_.on_gone(route(kBoot, 2, Placement::created), kNow);
  EXPECT_TRUE(asks_for_routes());
}

TEST_F(RouteNewsTest, RoutesOfOtherTablesAndOfEveryInterfaceAreNotKept) {
  KernelRoute other = route(kBoot, 2, Placement::created);
  other.key.table = 100;
  news_.on_route(other, Heard::notified, kNow);
  other.key = {prefix("fe80::/64"), kMainTable, 256};
  news_.on_route(other, Heard::notified, kNow);
  EXPECT_EQ(foreign_.size(), 0U);
}

TEST_F(RouteNewsTest, ARouteOfAFormerProtocolIsAdoptedWithIt) {
  ownership_.set_former(std::vector<OwnedTable>{{kMainTable, 177, 0}});
  news_.on_route(route(177, 1, Placement::created), Heard::notified, kNow);
  const auto view = reconciler_.find(key_);
  ASSERT_TRUE(view);
  EXPECT_EQ(forwardings_[view->kernel].former_protocol, 177);
  EXPECT_EQ(foreign_.size(), 0U);
}

}  // namespace
}  // namespace minibgp::fib
