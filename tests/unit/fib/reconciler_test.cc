// The reconciler and the next-hop groups on their own: operations out, answers and dumps in.
#include <bgp/text.h>
#include <fib/next_hop_group.h>
#include <fib/reconciler.h>

#include <array>

#include <gtest/gtest.h>

namespace minibgp::fib {
namespace {

RouteKey key(const std::string& network) { return {parse_prefix(network).value(), kMainTable, 20}; }
Via via(const std::string& gateway) { return {parse_address(gateway).value(), IfIndex{1}, 1, false}; }
Forwarding by(const std::string& gateway, std::uint8_t former = 0) {
  return {{via(gateway)}, kNoNextHopId, false, {}, former};
}

class ReconcilerTest : public ::testing::Test {
 protected:
  TargetId target(const std::string& gateway) {
    const ForwardingId want = forwardings_.intern(by(gateway));
    const TargetId made = reconciler_.targets().make(want);
    forwardings_.unref(want);
    return made;
  }
  /// One batch, answered with `error` for each; returns its kinds: "a" add, "r" replace, "d" remove.
  std::string work(int error = 0) {
    const auto batch = reconciler_.next_batch(64, now_);
    std::string kinds;
    std::vector<OpError> errors;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      kinds += "ard"[static_cast<std::size_t>(batch[i].kind)];
      last_ = batch[i];
      if (error != 0) errors.push_back({i, error, {}});
    }
    reconciler_.on_answers(std::vector(batch.begin(), batch.end()), errors, now_);
    return kinds;
  }
  Time now_{std::chrono::seconds{1000}};
  ForwardingTable forwardings_;
  Foreign foreign_ = Foreign::none;
  Reconciler reconciler_{forwardings_, [](ForwardingId, ForwardingId) { return false; },
                         [this](const RouteKey&) { return foreign_; },
                         [](ForwardingId) { return RouteRecords::Viable::all; }};
  RouteOp last_;
};

TEST_F(ReconcilerTest, ARouteOfAFormerProtocolIsReplacedWhenDesiredAndElseRemovedUnderThatProtocol) {
  reconciler_.begin_dump();
  reconciler_.on_kernel_route(key("10.1.0.0/16"), by("192.0.2.1", 177), Heard::dumped);
  reconciler_.on_kernel_route(key("10.2.0.0/16"), by("192.0.2.1", 177), Heard::dumped);
  reconciler_.end_dump(true);
  reconciler_.set(key("10.1.0.0/16"), target("192.0.2.1"));
  EXPECT_EQ(work(), "") << "it forwards, and the restart is not over";
  reconciler_.finish_adoption();
  const auto batch = reconciler_.next_batch(64, now_);
  ASSERT_EQ(batch.size(), 2U);
  for (const RouteOp& op : batch) {
    const bool desired = op.key == key("10.1.0.0/16");
    EXPECT_EQ(op.kind, desired ? RouteOp::Kind::replace : RouteOp::Kind::remove);
    EXPECT_EQ(op.former_protocol, desired ? 0 : 177);
  }
}

TEST_F(ReconcilerTest, BehindAForeignRouteOursIsRemovedRatherThanReplaced) {
  reconciler_.finish_adoption();
  reconciler_.set(key("10.1.0.0/16"), target("192.0.2.1"));
  EXPECT_EQ(work(), "a");
  foreign_ = Foreign::ahead;
  reconciler_.set(key("10.1.0.0/16"), target("192.0.2.2"));
  EXPECT_EQ(work(), "d") << "the kernel replaces the first one with the key";
  EXPECT_EQ(work(EEXIST), "a");
  EXPECT_EQ(work(), "") << "parked until the foreign one goes";
  foreign_ = Foreign::none;
  reconciler_.retry_parked();
  EXPECT_EQ(work(), "a");
  EXPECT_TRUE(reconciler_.idle());
}

TEST_F(ReconcilerTest, TwoRoutesOfOursWithOneKeyBecomeOneAgain) {
  reconciler_.finish_adoption();
  reconciler_.set(key("10.1.0.0/16"), target("192.0.2.1"));
  EXPECT_EQ(work(), "a");
  for (int i = 0; i < 2; ++i) {
    reconciler_.begin_dump();
    EXPECT_FALSE(reconciler_.on_kernel_route(key("10.1.0.0/16"), by("192.0.2.1"), Heard::dumped));
    if (i == 0) {
      EXPECT_TRUE(reconciler_.on_kernel_route(key("10.1.0.0/16"), by("192.0.2.9"), Heard::dumped));
    }
    reconciler_.end_dump(true);
    if (i == 0) {
      EXPECT_EQ(work(), "d");
      EXPECT_EQ(work(EEXIST), "a") << "the second one is still there";
      EXPECT_TRUE(reconciler_.take_resync());
      reconciler_.begin_dump();
      reconciler_.on_kernel_route(key("10.1.0.0/16"), by("192.0.2.9"), Heard::dumped);
      reconciler_.end_dump(true);
      EXPECT_EQ(work(), "r");
    }
  }
  EXPECT_EQ(work(), "");
}

TEST_F(ReconcilerTest, ADumpThatRepeatsARouteShowsNoSecondOne) {
  reconciler_.finish_adoption();
  reconciler_.set(key("10.1.0.0/16"), target("192.0.2.1"));
  EXPECT_EQ(work(), "a");
  reconciler_.begin_dump();
  for (int i = 0; i < 2; ++i) reconciler_.on_kernel_route(key("10.1.0.0/16"), by("192.0.2.1"), Heard::dumped);
  reconciler_.end_dump(true);
  EXPECT_EQ(work(), "");
}

TEST_F(ReconcilerTest, WhatMayBeOlderThanOurLastOperationIsLookedUpInTheTable) {
  reconciler_.finish_adoption();
  const RouteKey route = key("10.1.0.0/16");
  reconciler_.set(route, target("192.0.2.1"));
  EXPECT_EQ(work(), "a");
  EXPECT_FALSE(reconciler_.take_resync());

  // Another program wrote the route, we removed it, and only then the notification of the former is read.
  reconciler_.erase(route);
  EXPECT_EQ(work(), "d");
  reconciler_.on_kernel_route(route, by("192.0.2.1"), Heard::notified, {4242, 155, false});
  EXPECT_TRUE(reconciler_.take_resync());
  EXPECT_EQ(work(), "d");

  // A dump begins with an operation under way, whose answer comes before the dump has got to the route.
  reconciler_.set(route, target("192.0.2.1"));
  const auto sent = reconciler_.next_batch(8, now_);
  const std::vector<RouteOp> batch(sent.begin(), sent.end());
  ASSERT_EQ(batch.size(), 1U);
  reconciler_.begin_dump();
  reconciler_.on_answers(batch, {}, now_);
  reconciler_.end_dump(true);
  EXPECT_TRUE(reconciler_.take_resync());
}

TEST_F(ReconcilerTest, ARefusalOfWhatIsNotDesiredAnyMoreDelaysNothing) {
  reconciler_.finish_adoption();
  const RouteKey route = key("10.1.0.0/16");
  for (const int error : {ENETUNREACH, EBUSY, EPERM}) {
    reconciler_.set(route, target("192.0.2.1"));
    const auto sent = reconciler_.next_batch(8, now_);
    const std::vector<RouteOp> batch(sent.begin(), sent.end());
    ASSERT_EQ(batch.size(), 1U);
    reconciler_.set(route, target("192.0.2.2"));
    reconciler_.on_answers(batch, std::array{OpError{0, error, {}}}, now_);
    EXPECT_EQ(work(), "a") << error;
    EXPECT_EQ(reconciler_.refused().count(), 0U);
    reconciler_.erase(route);
    EXPECT_EQ(work(), "d");
  }
}

TEST_F(ReconcilerTest, OnlyWhatAnotherProgramDoesCountsAsAContest) {
  reconciler_.finish_adoption();
  reconciler_.set(key("10.1.0.0/16"), target("192.0.2.1"));
  EXPECT_EQ(work(), "a");
  for (int i = 0; i < 20; ++i) {
    reconciler_.on_kernel_gone(key("10.1.0.0/16"), Heard::notified, {0, 155, true});
    EXPECT_EQ(work(), "a") << "taken along by the kernel";
  }
  for (unsigned i = 0; i < kRepairsAtOnce; ++i) {
    reconciler_.on_kernel_gone(key("10.1.0.0/16"), Heard::notified, {4242, 155, true});
    EXPECT_EQ(work(), "a");
  }
  reconciler_.on_kernel_gone(key("10.1.0.0/16"), Heard::notified, {4242, 155, true});
  EXPECT_EQ(work(), "");
  EXPECT_FALSE(reconciler_.idle());
  const auto contests = reconciler_.take_contests();
  ASSERT_EQ(contests.size(), 1U);
  EXPECT_EQ(contests[0].last.port_id, 4242U);
  EXPECT_EQ(contests[0].repairs, kRepairsAtOnce);
  EXPECT_EQ(reconciler_.next_deadline(), now_ + kRepairWaitFirst);
  now_ += kRepairWaitFirst;
  EXPECT_EQ(work(), "a");
  EXPECT_TRUE(reconciler_.take_resync());
  EXPECT_TRUE(reconciler_.idle());
}

TEST_F(ReconcilerTest, AContestedRouteThatIsWithdrawnOrMovedIsNotHeldUp) {
  reconciler_.finish_adoption();
  reconciler_.set(key("10.1.0.0/16"), target("192.0.2.1"));
  EXPECT_EQ(work(), "a");
  for (unsigned i = 0; i <= kRepairsAtOnce; ++i) {
    reconciler_.on_kernel_route(key("10.1.0.0/16"), by("192.0.2.9"), Heard::notified, {4242, 155, false});
    EXPECT_EQ(work(), i < kRepairsAtOnce ? "r" : "");
  }
  reconciler_.set(key("10.1.0.0/16"), target("192.0.2.2"));
  EXPECT_EQ(work(), "r");
  reconciler_.erase(key("10.1.0.0/16"));
  EXPECT_EQ(work(), "d");
  EXPECT_TRUE(reconciler_.take_resync());
  EXPECT_TRUE(reconciler_.idle());
}

TEST_F(ReconcilerTest, AMillionContestedRoutesCostAWaitAndNoMemoryOfTheirOwn) {
  reconciler_.finish_adoption();
  const TargetId wanted = target("192.0.2.1");
  constexpr std::uint32_t kRoutes = kContestedMax + 1000;
  const auto key_of = [](std::uint32_t i) {
    return RouteKey{Prefix::of(IpAddress::v4(0x0A000000 + i * 16), 28), 254, 20};
  };
  for (std::uint32_t i = 0; i < kRoutes; ++i) reconciler_.set(key_of(i), wanted);
  while (!work().empty()) {
  }
  for (std::uint32_t i = 0; i < kRoutes; ++i) reconciler_.on_kernel_gone(key_of(i), Heard::notified, {4242, 155, true});
  std::size_t repaired = 0;
  for (std::string kinds; !(kinds = work()).empty();) repaired += kinds.size();
  EXPECT_EQ(repaired, kContestedMax);
  now_ += kRepairWaitFirst;
  for (std::string kinds; !(kinds = work()).empty();) repaired += kinds.size();
  EXPECT_EQ(repaired, kRoutes);
  EXPECT_TRUE(reconciler_.take_resync());
  EXPECT_TRUE(reconciler_.idle());
}

// --- Groups --------------------------------------------------------------------------------------------------------

TEST_F(ReconcilerTest, ATableThatIsLeftMakesRoomForAnother) {
  const TargetId want = target("192.0.2.1");
  RouteKey stays = key("10.1.0.0/16"), moves = stays;
  stays.table = 1;
  reconciler_.set(stays, want);
  EXPECT_EQ(work(), "a");
  for (std::uint32_t table = 1000; table < 1600; ++table) {
    moves.table = table;
    reconciler_.set(moves, want);
    EXPECT_EQ(work(), "a");
    EXPECT_EQ(last_.key, moves);
    reconciler_.erase(moves);
    EXPECT_EQ(work(), "d");
    EXPECT_EQ(last_.key, moves);
  }
  EXPECT_TRUE(reconciler_.find(stays));
  EXPECT_FALSE(reconciler_.find(moves));
}

TEST(NextHopGroups, ObjectsOfAFormerRunAreLookedUpButNeverTakenAgain) {
  constexpr std::uint32_t kOurs = 0x62FE0000, kFormer = 0x62640000;
  NextHopGroups groups({155, kOurs, 65536, {{100, 177, kFormer}}});
  const NextHopId id{kFormer + 5}, foreign{kFormer + 6};
  groups.begin_dump();
  groups.on_kernel_next_hop({id, 177, via("192.0.2.1"), {}});
  groups.on_kernel_next_hop({foreign, 12, via("192.0.2.1"), {}});
  groups.end_dump();
  ASSERT_EQ(groups.members(id).size(), 1U);
  const std::array members{GroupMember{via("192.0.2.1"), Source{0}}};
  EXPECT_NE(groups.acquire(members, id), id);
  groups.sweep([](NextHopId) { return false; });
  std::vector<NextHopId> removed;
  const Time now{};
  for (auto batch = groups.next_batch(8, now); !batch.empty(); batch = groups.next_batch(8, now)) {
    for (const NextHopOp& op : batch)
      if (op.kind == NextHopOp::Kind::remove) removed.push_back(op.next_hop.id);
    groups.on_answers(std::vector(batch.begin(), batch.end()), {}, now);
  }
  EXPECT_EQ(removed, std::vector{id}) << "not that of another protocol in the same range";
  EXPECT_FALSE(groups.any_left(kFormer, 177));
}

}  // namespace
}  // namespace minibgp::fib
