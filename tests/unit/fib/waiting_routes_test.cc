// Routes that cannot be written now: refused by the kernel, or contested by another program.
#include <bgp/text.h>
#include <fib/contested_routes.h>
#include <fib/kernel_answer.h>
#include <fib/refused_routes.h>
#include <fib/route_records.h>

#include <cerrno>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace minibgp::fib {
namespace {

using Kind = RouteOp::Kind;
using Ids = std::vector<RouteRecords::Id>;

RouteKey key(std::uint32_t number) { return {Prefix::of(IpAddress::v4(0x0A000000 + number * 16), 28), kMainTable, 20}; }

class WaitingRoutes : public ::testing::Test {
 protected:
  RouteRecords::Id add(std::uint32_t number) { return records_.find_or_add(key(number)); }

  Time now_{std::chrono::seconds{1000}};
  ForwardingTable forwardings_;
  RouteRecords records_{forwardings_, [](ForwardingId, ForwardingId) { return false; },
                        [](ForwardingId) { return RouteRecords::Viable::all; }};
};

// --- Refused -------------------------------------------------------------------------------------------------------

class RefusedRoutesTest : public WaitingRoutes {
 protected:
  Answer refuse(RouteRecords::Id id, int error, Foreign there = Foreign::none, ForwardingId want = kNoForwarding) {
    return refused_.add({id, Kind::add, error, there, want}, now_);
  }
  RefusedRoutes refused_{records_};
};

TEST_F(RefusedRoutesTest, AnErrnoDecidesWhatARouteWaitsFor) {
  const auto parked = add(1), waiting = add(2), given_up = add(3);
  EXPECT_EQ(refuse(parked, ENETDOWN), Answer::park);
  EXPECT_EQ(refuse(waiting, EBUSY), Answer::back_off);
  EXPECT_EQ(refuse(given_up, EPERM), Answer::give_up);
  for (const auto id : {parked, waiting, given_up}) EXPECT_FALSE(records_[id].is_free());
  EXPECT_EQ(refused_.count(), 3U);
  EXPECT_EQ(refused_.waiting(), 1U) << "for a time";
  EXPECT_EQ(refused_.error_of(given_up), EPERM);
  EXPECT_EQ(refused_.take_parked(), Ids{parked});
  EXPECT_TRUE(records_[parked].is_free());
  EXPECT_EQ(refused_.error_of(parked), ENETDOWN) << "until the kernel answers";
  EXPECT_EQ(refused_.take_parked(), Ids{});
  refused_.retry(given_up);
  EXPECT_TRUE(records_[given_up].is_free());
  EXPECT_EQ(refused_.error_of(given_up), EPERM);
  refused_.forgive(given_up);
  EXPECT_EQ(refused_.error_of(given_up), 0);
}

TEST_F(RefusedRoutesTest, TheDelayGrowsUntilSomethingSucceeds) {
  const auto id = add(1);
  EXPECT_EQ(refused_.next_deadline(), kNever);
  for (Duration delay = kBackOffFirst; delay < kBackOffMax * 4; delay *= 2) {
    refuse(id, EBUSY);
    const Time due = now_ + std::min(delay, kBackOffMax);
    EXPECT_EQ(refused_.next_deadline(), due);
    EXPECT_EQ(refused_.take_due(due - Duration{1}), Ids{});
    now_ = due;
    EXPECT_EQ(refused_.take_due(now_), Ids{id});
    EXPECT_EQ(refused_.next_deadline(), kNever);
  }
  refused_.on_success();
  refuse(id, EBUSY);
  EXPECT_EQ(refused_.next_deadline(), now_ + kBackOffFirst);
}

TEST_F(RefusedRoutesTest, ARouteThatWasFreedOrForgivenIsNotTaken) {
  const auto forgiven = add(1), freed = add(2), reused = add(3);
  for (const auto id : {forgiven, freed, reused}) refuse(id, EBUSY);
  refused_.forgive(forgiven);
  for (const auto id : {freed, reused}) {
    refused_.forget(id);
    records_.erase(id);
  }
  EXPECT_EQ(add(4), reused) << "another route has its id";
  EXPECT_EQ(refused_.take_due(now_ + kBackOffMax), Ids{});
  EXPECT_EQ(refused_.count(), 0U);
}

TEST_F(RefusedRoutesTest, WhatTheKernelFindsInvalidEightTimesIsGivenUp) {
  const auto id = add(1);
  for (int tries = 1; tries < kInvalidTries; ++tries) EXPECT_EQ(refuse(id, EINVAL), Answer::back_off) << tries;
  EXPECT_EQ(refuse(id, EBUSY), Answer::back_off) << "another errno: it counts anew";
  for (int tries = 1; tries < kInvalidTries; ++tries) EXPECT_EQ(refuse(id, EINVAL), Answer::back_off) << tries;
  EXPECT_EQ(refuse(id, EINVAL), Answer::give_up);
  EXPECT_EQ(refuse(id, EINVAL, Foreign::none, ForwardingId{7}), Answer::back_off) << "other content: it counts anew";
}

TEST_F(RefusedRoutesTest, AnOccupiedPlaceIsReadAgainUnlessItsOwnerIsKnown) {
  const auto id = add(1), known = add(2);
  EXPECT_EQ(refuse(known, EEXIST, Foreign::behind), Answer::park);
  for (int tries = 0; tries < kOccupiedTries; ++tries) EXPECT_EQ(refuse(id, EEXIST), Answer::resync) << tries;
  EXPECT_EQ(refuse(id, EEXIST), Answer::park) << "reading does not help";
}

// --- Contested -----------------------------------------------------------------------------------------------------

class ContestedRoutesTest : public WaitingRoutes {
 protected:
  static constexpr Intrusion kOther{4242, 155, true};

  /// Another program changes the route and we are about to repair it; whether we have to wait.
  bool contest(std::uint32_t number, const Intrusion& by = kOther) {
    const auto id = add(number);
    contested_.provoke(id, key(number), by);
    return contested_.hold_back(id, key(number), now_);
  }
  ContestedRoutes contested_{records_};
};

TEST_F(ContestedRoutesTest, TheFirstRepairsAreMadeAtOnceAndEachOtherOneWaitsLonger) {
  for (unsigned repair = 0; repair < kRepairsAtOnce; ++repair) EXPECT_FALSE(contest(1));
  EXPECT_FALSE(contest(2)) << "another route";
  for (Duration wait = kRepairWaitFirst; wait < kRepairWaitMax * 4; wait *= 2) {
    EXPECT_TRUE(contest(1));
    EXPECT_EQ(contested_.waiting(), 1U);
    const Time due = now_ + std::min(wait, kRepairWaitMax);
    EXPECT_EQ(contested_.next_deadline(), due);
    EXPECT_EQ(contested_.take_due(due - Duration{1}), Ids{});
    now_ = due;
    EXPECT_EQ(contested_.take_due(now_), Ids{add(1)});
    EXPECT_TRUE(records_[add(1)].is_free());
    EXPECT_FALSE(contested_.hold_back(add(1), key(1), now_)) << "the repair that waited";
  }
  const auto contests = contested_.take_contests();
  ASSERT_FALSE(contests.empty());
  EXPECT_EQ(contests.front().key, key(1));
  EXPECT_EQ(contests.front().last.port_id, kOther.port_id);
  EXPECT_EQ(contests.front().repairs, kRepairsAtOnce);
  EXPECT_EQ(contests.front().wait, kRepairWaitFirst);
  EXPECT_TRUE(contested_.take_contests().empty());
}

TEST_F(ContestedRoutesTest, WhoLeavesTheRouteAloneLongEnoughBeginsAnew) {
  for (unsigned repair = 0; repair <= kRepairsAtOnce; ++repair) EXPECT_EQ(contest(1), repair == kRepairsAtOnce);
  EXPECT_EQ(contested_.by(key(1))->port_id, kOther.port_id);
  now_ += kRepairWaitFirst;
  EXPECT_EQ(contested_.take_due(now_), Ids{add(1)});
  now_ += kRepairWindow + Duration{1};
  EXPECT_FALSE(contest(1)) << "it was calm";
  now_ += kRepairWaitMax * 2;
  EXPECT_EQ(contested_.take_due(now_), Ids{});
  EXPECT_FALSE(contested_.by(key(1)).has_value());
}

TEST_F(ContestedRoutesTest, TheKernelItselfContestsNothing) {
  for (unsigned repair = 0; repair < 20; ++repair) EXPECT_FALSE(contest(1, {0, 155, true}));
  EXPECT_FALSE(contested_.by(key(1)).has_value());
}

TEST_F(ContestedRoutesTest, AChangeOfTheDesireEndsTheWaitAndIsNoRepair) {
  for (unsigned repair = 0; repair <= kRepairsAtOnce; ++repair) EXPECT_EQ(contest(1), repair == kRepairsAtOnce);
  contested_.calm(add(1), key(1));
  EXPECT_TRUE(records_[add(1)].is_free());
  EXPECT_EQ(contested_.waiting(), 0U);
  contested_.provoke(add(1), key(1), kOther);
  contested_.calm(add(1), key(1));
  EXPECT_FALSE(contested_.hold_back(add(1), key(1), now_));
  EXPECT_EQ(contested_.next_deadline(), kNever);
}

TEST_F(ContestedRoutesTest, TheCrowdBeyondTheLimitWaitsTogether) {
  for (std::uint32_t number = 0; number < kContestedMax; ++number) EXPECT_FALSE(contest(number));
  const auto crowded = add(kContestedMax), freed = add(kContestedMax + 1);
  for (const auto id : {crowded, crowded, freed}) contested_.provoke(id, records_.key_of(records_[id]), kOther);
  EXPECT_FALSE(records_[crowded].is_free());
  EXPECT_EQ(contested_.waiting(), 2U) << "each once";
  EXPECT_FALSE(contested_.hold_back(crowded, key(kContestedMax), now_));
  contested_.end_wait(freed);
  records_.erase(freed);
  EXPECT_EQ(contested_.take_due(now_), Ids{});
  EXPECT_EQ(contested_.next_deadline(), now_ + kRepairWaitFirst);
  EXPECT_EQ(contested_.take_due(now_ + kRepairWaitFirst), Ids{crowded});
  EXPECT_EQ(contested_.waiting(), 0U);
  EXPECT_EQ(contested_.next_deadline(), kNever);
}

}  // namespace
}  // namespace minibgp::fib
