// The two columns of the reconciler, and the targets that the first of them points to: references, counts, difference.
#include <bgp/text.h>
#include <fib/route_records.h>
#include <fib/targets.h>

#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace minibgp::fib {
namespace {

using Kind = RouteOp::Kind;

RouteKey key(const std::string& network, std::uint32_t table = kMainTable) {
  return {parse_prefix(network).value(), table, 20};
}
Forwarding by(const std::string& gateway) {
  return {{{parse_address(gateway).value(), IfIndex{1}, 1, false}}, kNoNextHopId, false, {}, 0};
}

class RouteRecordsTest : public ::testing::Test {
 protected:
  TargetId target(const std::string& gateway) {
    const ForwardingId want = forwardings_.intern(by(gateway));
    const TargetId made = records_.targets().make(want);
    forwardings_.unref(want);
    return made;
  }
  RouteRecord& record(const RouteKey& of) { return records_[records_.find_or_add(of)]; }
  void kernel_has(RouteRecord& route, const std::string& gateway) {
    records_.set_kernel(route, forwardings_.intern(by(gateway)));
  }

  ForwardingTable forwardings_;
  bool same_ = false;
  RouteRecords::Viable viable_ = RouteRecords::Viable::all;
  RouteRecords records_{forwardings_, [this](ForwardingId, ForwardingId) { return same_; },
                        [this](ForwardingId) { return viable_; }};
};

TEST_F(RouteRecordsTest, ARouteIsFoundByPrefixTableAndMetric) {
  const auto id = records_.find_or_add(key("10.1.0.0/16"));
  EXPECT_EQ(records_.find_or_add(key("10.1.0.0/16")), id);
  const auto other = records_.find_or_add(key("10.1.0.0/16", 100));
  EXPECT_NE(other, id);
  EXPECT_EQ(records_.find({parse_prefix("10.1.0.0/16").value(), kMainTable, 21}), RouteRecords::kNone);
  EXPECT_EQ(records_.find(key("10.1.0.0/16", 101)), RouteRecords::kNone) << "a table that no route has";
  EXPECT_EQ(records_.key_of(records_[other]), key("10.1.0.0/16", 100));
  const RouteKey six = key("2001:db8::/32");
  EXPECT_EQ(records_.key_of(record(six)), six);
  records_.erase(id);
  EXPECT_EQ(records_.find(key("10.1.0.0/16")), RouteRecords::kNone);
  EXPECT_EQ(records_.find(key("10.1.0.0/16", 100)), other);
}

TEST_F(RouteRecordsTest, WhatIsNeededIsTheDifferenceOfTheColumns) {
  RouteRecord& route = record(key("10.1.0.0/16"));
  EXPECT_TRUE(route.is_empty());
  EXPECT_EQ(records_.needed(route), std::nullopt);
  const TargetId wanted = target("192.0.2.1");
  records_.set_target(route, wanted);
  EXPECT_EQ(records_.needed(route), Kind::add);
  kernel_has(route, "192.0.2.1");
  EXPECT_EQ(records_.needed(route), std::nullopt);
  kernel_has(route, "192.0.2.9");
  EXPECT_EQ(records_.needed(route), Kind::replace);
  same_ = true;
  EXPECT_EQ(records_.needed(route), std::nullopt) << "different ids, one effect";
  route.twice = 1;
  EXPECT_EQ(records_.needed(route), Kind::remove);
  route.twice = 0;
  records_.targets().set(wanted, kNoForwarding);
  EXPECT_EQ(records_.needed(route), Kind::remove) << "the target says: not in the kernel";
  records_.set_target(route, kNoTarget);
  EXPECT_EQ(records_.needed(route), Kind::remove);
  records_.set_kernel(route, kNoForwarding);
  EXPECT_EQ(records_.needed(route), std::nullopt);
  route.doubtful = 1;
  EXPECT_EQ(records_.needed(route), Kind::remove) << "it may still be there";
}

TEST_F(RouteRecordsTest, TheColumnsHoldReferencesAndKeepTheCounts) {
  const TargetId wanted = target("192.0.2.1");
  const ForwardingId want = records_.targets().want_of(wanted);
  RouteRecord& first = record(key("10.1.0.0/16"));
  RouteRecord& second = record(key("10.2.0.0/16"));
  for (RouteRecord* route : {&first, &second}) {
    records_.set_target(*route, wanted);
    kernel_has(*route, "192.0.2.1");
  }
  EXPECT_EQ(records_.counts().desired, 2U);
  EXPECT_EQ(records_.counts().installed, 2U);
  EXPECT_EQ(records_.targets().routes_of(wanted), 2U);
  EXPECT_EQ(forwardings_.references(want), 3U) << "of the target, and of each route's kernel side";
  records_.adopt(first);
  records_.set_kernel(first, kNoForwarding);
  EXPECT_EQ(records_.counts().installed, 1U);
  EXPECT_EQ(records_.counts().adopted, 0U) << "what is gone is adopted no more";
  records_.set_kernel(second, kNoForwarding);
  for (RouteRecord* route : {&first, &second}) records_.set_target(*route, kNoTarget);
  EXPECT_EQ(records_.counts().desired, 0U);
  EXPECT_TRUE(first.is_empty());
  records_.targets().release(wanted);
  EXPECT_EQ(forwardings_.size(), 0U);
}

TEST_F(RouteRecordsTest, WhatAnEarlierRunLeftStaysWhileItLeadsSomewhere) {
  RouteRecord& undesired = record(key("10.1.0.0/16"));
  RouteRecord& other = record(key("10.2.0.0/16"));
  records_.set_target(other, target("192.0.2.1"));
  for (RouteRecord* route : {&undesired, &other}) {
    kernel_has(*route, "192.0.2.9");
    records_.adopt(*route);
    EXPECT_EQ(records_.needed(*route), std::nullopt);
  }
  viable_ = RouteRecords::Viable::some;
  EXPECT_EQ(records_.needed(undesired), std::nullopt);
  EXPECT_EQ(records_.needed(other), Kind::replace) << "one of its next hops does not work";
  viable_ = RouteRecords::Viable::none;
  EXPECT_EQ(records_.needed(undesired), Kind::remove);
  viable_ = RouteRecords::Viable::all;
  records_.finish_adoption();
  EXPECT_FALSE(records_.adopting());
  EXPECT_EQ(records_.counts().adopted, 1U) << "the one that nobody desires";
  EXPECT_EQ(records_.needed(undesired), Kind::remove);
  EXPECT_EQ(records_.needed(other), Kind::replace);
}

TEST_F(RouteRecordsTest, EachDumpSeesAnew) {
  RouteRecord& route = record(key("10.1.0.0/16"));
  RouteRecord& flying = record(key("10.2.0.0/16"));
  route.touched = 1;
  flying.in_flight = 1;
  for (int dump = 0; dump < 3; ++dump) {
    records_.begin_dump();
    EXPECT_FALSE(records_.is_seen(route));
    EXPECT_EQ(route.touched, 0U);
    EXPECT_EQ(flying.touched, 1U) << "the dump's word may be older";
    EXPECT_FALSE(records_.see_dumped(route));
    EXPECT_TRUE(records_.is_seen(route));
    EXPECT_TRUE(records_.see_dumped(route)) << "a second time";
    records_.see(flying);
    EXPECT_TRUE(records_.is_seen(flying));
    EXPECT_FALSE(records_.see_dumped(flying)) << "a notification is not the dump's message";
    RouteRecord& late = record(key("10.3.0.0/16"));
    EXPECT_TRUE(records_.is_seen(late)) << "what comes while a dump runs is not gone at its end";
    EXPECT_FALSE(records_.see_dumped(late));
    records_.erase(records_.find(key("10.3.0.0/16")));
  }
}

TEST(Targets, AreListedAsIdleOnceWhenTheirLastRouteLeaves) {
  ForwardingTable forwardings;
  Targets targets(forwardings);
  const TargetId first = targets.make(kNoForwarding), second = targets.make(kNoForwarding);
  targets.move_route(kNoTarget, first);
  targets.move_route(kNoTarget, first);
  targets.move_route(first, second);
  EXPECT_EQ(targets.routes_of(first), 1U);
  EXPECT_TRUE(targets.take_idle().empty());
  targets.move_route(first, second);
  targets.move_route(second, first);
  targets.move_route(first, second);
  EXPECT_EQ(targets.take_idle(), std::vector{first});
  EXPECT_TRUE(targets.take_idle().empty());
  targets.move_route(second, kNoTarget);
  targets.move_route(second, kNoTarget);
  targets.move_route(kNoTarget, second);
  EXPECT_TRUE(targets.take_idle().empty()) << "it has a route again";
  targets.move_route(second, kNoTarget);
  targets.release(second);
  EXPECT_TRUE(targets.take_idle().empty()) << "it is gone";
}

TEST(Targets, AChangeCountsWhereARouteSeesIt) {
  ForwardingTable forwardings;
  Targets targets(forwardings);
  const TargetId target = targets.make(kNoForwarding);
  const ForwardingId want = forwardings.intern(by("192.0.2.1"));
  targets.set(target, want);
  EXPECT_FALSE(targets.changed()) << "no route has it";
  targets.move_route(kNoTarget, target);
  targets.set(target, want);
  EXPECT_FALSE(targets.changed()) << "the same";
  targets.set(target, kNoForwarding);
  EXPECT_TRUE(targets.take_changed());
  EXPECT_FALSE(targets.changed());
  EXPECT_EQ(forwardings.references(want), 1U) << "ours alone";
}

}  // namespace
}  // namespace minibgp::fib
