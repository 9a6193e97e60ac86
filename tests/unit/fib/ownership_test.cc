// What is ours and what is not: what earlier runs left in other tables, under other protocol numbers, in other ranges
// of next-hop ids; foreign routes with our key; programs that fight over our routes. A Forwarder on a fake kernel.
#include <bgp/text.h>
#include <tests/support/fake_kernel.h>
#include <tests/support/forwarder_run.h>

#include <algorithm>
#include <optional>

#include <gtest/gtest.h>

namespace minibgp::fib {
namespace {

using minibgp::testing::FakeKernel;
using minibgp::testing::ForwarderRun;

Prefix prefix(const std::string& text) { return parse_prefix(text).value(); }
IpAddress address(const std::string& text) { return parse_address(text).value(); }
constexpr IfIndex kTun0{1}, kTun1{2}, kEth0{3};
constexpr std::uint8_t kBoot = 3;

/// Keeps the lines.
class Lines final : public LogSink {
 public:
  [[nodiscard]] bool wants(LogLevel, LogArea) const override { return true; }
  void write(LogLevel, LogArea, std::string_view line) override { all.emplace_back(line); }
  [[nodiscard]] std::size_t with(std::string_view part) const {
    return static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(), [&](const std::string& line) { return line.find(part) != std::string::npos; }));
  }
  std::vector<std::string> all;
};

class OwnershipTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const auto& [index, name, own, length] :
         {std::tuple{kTun0, "tun0", "169.254.10.2", 30}, std::tuple{kTun1, "tun1", "169.254.20.2", 30},
          std::tuple{kEth0, "eth0", "172.16.20.80", 24}}) {
      kernel_.add_link(index, name);
      const IpAddress local = address(own);
      kernel_.add_address({index, local, local, static_cast<std::uint8_t>(length), false});
    }
    options_.audit_interval = Duration::zero();
  }
  void start() {
    kernel_.forget_conversation();
    forwarder_.emplace(options_, &lines_, now_);
    run_.emplace(*forwarder_, kernel_);
    forwarder_->input(fib::input::SetPeer{PeerId{0}, {address("169.254.10.1"), "tun0", true}}, now_);
    forwarder_->input(fib::input::SetPeer{PeerId{1}, {address("169.254.20.1"), "tun1", true}}, now_);
    settle();
  }
  void settle(int turns = 50) { run_->turns(turns, now_); }
  /// What a rim does in a turn, without the kernel's answers; whether the end came.
  bool turn() {
    run_->turn(now_);
    return std::exchange(run_->stopped, false);
  }
  /// The time from input::Stop to the end; nothing: it never came.
  std::optional<Duration> stop() {
    forwarder_->input(fib::input::Stop{}, now_);
    const Time began = now_;
    while (now_ < began + std::chrono::seconds{60}) {
      bool stopped = turn();
      while (kernel_.deliver(now_)) stopped = turn() || stopped;
      if (stopped) return now_ - began;
      now_ += std::chrono::milliseconds{10};
    }
    return std::nullopt;
  }
  void audit() {
    forwarder_->input(fib::Overrun{}, now_);
    settle();
  }
  Comparison verify() {
    forwarder_->input(fib::input::Verify{}, now_);
    settle();
    return std::exchange(run_->comparison, std::nullopt).value();
  }
  void best(const std::string& network, const std::vector<int>& peers) {
    std::vector<BestPath> paths;
    for (const int peer : peers)
      paths.push_back({PeerId{static_cast<std::uint16_t>(peer)},
                       AttrId{1},
                       {address(peer == 0 ? "169.254.10.1" : "169.254.20.1"), {}},
                       1});
    const BestChange change{prefix(network), paths, nullptr};
    forwarder_->input(fib::input::BestChanged{{&change, 1}}, now_);
    settle();
  }
  static RouteKey key(const std::string& network, std::uint32_t table = kMainTable, std::uint32_t metric = 20) {
    return {prefix(network), table, metric};
  }
  static Via via(int peer) {
    return {address(peer == 0 ? "169.254.10.1" : "169.254.20.1"), peer == 0 ? kTun0 : kTun1, 1, false};
  }
  static Forwarding by(int peer) { return {{via(peer)}, kNoNextHopId, false, {}}; }
  [[nodiscard]] int protocol_of(const RouteKey& key) const {
    const auto found = kernel_.routes().find(key);
    return found == kernel_.routes().end() ? -1 : found->second.protocol;
  }
  [[nodiscard]] Refusal refusal(const std::string& network) const {
    for (const RouteStatus& route : forwarder_->report().routes({prefix(network)}))
      if (route.refusal != Refusal::none) return route.refusal;
    return Refusal::none;
  }
  /// Another program undoes what we do, every 100 ms for so long; returns how many writes that made us do.
  std::uint64_t fight(Duration length, const std::function<void()>& undo) {
    const auto before = kernel_.writes();
    for (const Time end = now_ + length; now_ < end;) {
      undo();
      settle(10);
    }
    return kernel_.writes() - before;
  }

  Time now_{std::chrono::seconds{1000}};
  FakeKernel kernel_{1};
  FibOptions options_;
  Lines lines_;
  std::optional<Forwarder> forwarder_;
  std::optional<ForwarderRun> run_;
};

// --- What earlier runs left ----------------------------------------------------------------------------------------

TEST_F(OwnershipTest, WhatAnEarlierRunLeftInAnotherTableGoesWhenAdoptionIsOver) {
  kernel_.leave(key("10.1.0.0/16", 100), kDefaultProtocol, by(0));
  kernel_.leave(key("10.2.0.0/16", 100), kBoot, by(0));
  kernel_.leave(key("10.3.0.0/16", 101), kDefaultProtocol, by(0));
  options_.former = {{100, kDefaultProtocol, 0}};
  start();
  EXPECT_EQ(protocol_of(key("10.1.0.0/16", 100)), kDefaultProtocol) << "traffic may use it until the peers are back";
  forwarder_->input(fib::input::FinishAdoption{}, now_);
  settle();
  EXPECT_EQ(protocol_of(key("10.1.0.0/16", 100)), -1);
  EXPECT_EQ(protocol_of(key("10.2.0.0/16", 100)), kBoot) << "another program's";
  EXPECT_EQ(protocol_of(key("10.3.0.0/16", 101)), kDefaultProtocol) << "a table that we never wrote to";
}

TEST_F(OwnershipTest, WhatAnEarlierRunLeftInADeadTunnelGoesAtOnce) {
  kernel_.leave(key("10.1.0.0/16"), kDefaultProtocol, by(0));
  kernel_.leave(key("10.2.0.0/16"), kDefaultProtocol, by(1));
  kernel_.leave(key("10.3.0.0/16"), kDefaultProtocol, {{via(0), via(1)}, kNoNextHopId, false, {}});
  start();
  EXPECT_EQ(kernel_.routes().size(), 3U) << "kept until the peers are back";
  forwarder_->input(fib::input::SetInterfaceUsable{"tun0", false, "SA deleted"}, now_);
  settle();
  EXPECT_EQ(protocol_of(key("10.1.0.0/16")), -1) << "a less specific route may lead on";
  EXPECT_EQ(protocol_of(key("10.2.0.0/16")), kDefaultProtocol);
  EXPECT_EQ(protocol_of(key("10.3.0.0/16")), kDefaultProtocol) << "one of its next hops works";
  forwarder_->input(fib::input::SetInterfaceUsable{"tun1", false, "SA deleted"}, now_);
  settle();
  EXPECT_TRUE(kernel_.routes().empty());
}

TEST_F(OwnershipTest, AFormerTableIsForgottenOnceItIsClean) {
  kernel_.leave(key("10.1.0.0/16", 100), kDefaultProtocol, by(0));
  options_.former = {{100, kDefaultProtocol, 0}};
  start();
  const auto has = [this](std::uint32_t table) {
    return std::any_of(run_->owned.begin(), run_->owned.end(),
                       [table](const OwnedTable& one) { return one.table == table; });
  };
  EXPECT_TRUE(has(100));
  EXPECT_TRUE(has(kMainTable)) << "told before anything is written";
  forwarder_->input(fib::input::FinishAdoption{}, now_);
  settle();
  audit();
  EXPECT_FALSE(has(100));
  EXPECT_TRUE(has(kMainTable));
}

TEST_F(OwnershipTest, ARouteUnderAFormerProtocolIsTakenOverInOneStepOrRemoved) {
  kernel_.leave(key("10.1.0.0/16"), 177, by(0));
  kernel_.leave(key("10.2.0.0/16"), 177, by(0));
  options_.former = {{kMainTable, 177, 0}};
  start();
  best("10.1.0.0/16", {0});
  forwarder_->input(fib::input::FinishAdoption{}, now_);
  settle();
  EXPECT_EQ(protocol_of(key("10.1.0.0/16")), kDefaultProtocol);
  EXPECT_EQ(protocol_of(key("10.2.0.0/16")), -1);
  const Comparison comparison = verify();
  EXPECT_EQ(comparison.difference_count, 0U);
  EXPECT_EQ(comparison.compared, 1U);
}

TEST_F(OwnershipTest, WithoutTheMemoryOfTheFormerProtocolVerifySaysWhatIsNotInstalled) {
  kernel_.leave(key("10.1.0.0/16"), 177, by(0));
  start();
  forwarder_->input(fib::input::FinishAdoption{}, now_);
  best("10.1.0.0/16", {0});
  EXPECT_EQ(refusal("10.1.0.0/16"), Refusal::foreign_route);
  const Comparison comparison = verify();
  EXPECT_EQ(comparison.difference_count, 1U);
  EXPECT_EQ(comparison.repairable, 0U);
  ASSERT_FALSE(comparison.differences.empty());
  EXPECT_NE(comparison.differences[0].find("10.1.0.0/16"), std::string::npos);
}

TEST_F(OwnershipTest, ARouteLeavesTheObjectThatAnotherNextHopTakesOver) {
  // An earlier run had two objects for one way: for a peer, and for another peer that named the same gateway.
  constexpr NextHopId kFirst{0x62FE0000}, kSecond{0x62FE0001};
  for (const NextHopId id : {kFirst, kSecond}) kernel_.leave(KernelNextHop{id, kDefaultProtocol, via(0), {}});
  kernel_.leave(key("10.1.0.0/16"), kDefaultProtocol, {{}, kFirst, false, {}});
  kernel_.leave(key("10.2.0.0/16"), kDefaultProtocol, {{}, kSecond, false, {}});
  start();
  const auto object_of = [this](const std::string& network) {
    return kernel_.routes().at(key(network)).forwarding.next_hop;
  };
  best("10.1.0.0/16", {0});
  best("10.2.0.0/16", {0});
  ASSERT_EQ(object_of("10.1.0.0/16"), kFirst);
  ASSERT_EQ(object_of("10.2.0.0/16"), kSecond) << "it leads the same way: there is nothing to write";
  const BestPath path{PeerId{1}, AttrId{1}, {address("169.254.10.1"), {}}, 1};
  const BestChange change{prefix("10.3.0.0/16"), {&path, 1}, nullptr};
  forwarder_->input(fib::input::BestChanged{{&change, 1}}, now_);
  settle();
  ASSERT_EQ(object_of("10.3.0.0/16"), kSecond);
  EXPECT_EQ(object_of("10.2.0.0/16"), kFirst);
  // The kernel removes an object's routes with it.
  forwarder_->input(fib::input::SetPeerUsable{PeerId{1}, false}, now_);
  for (int i = 0; i < 20; ++i, now_ += std::chrono::seconds{1}) {
    settle(5);
    EXPECT_EQ(protocol_of(key("10.2.0.0/16")), kDefaultProtocol) << "second " << i;
  }
  EXPECT_FALSE(kernel_.objects().contains(kSecond));
}

TEST_F(OwnershipTest, NextHopObjectsOfEarlierRunsLeaveNoneBehind) {
  const auto leave_objects = [this](std::uint32_t base, std::uint8_t protocol) {
    kernel_.leave(KernelNextHop{NextHopId{base}, protocol, via(0), {}});
    kernel_.leave(KernelNextHop{NextHopId{base + 1}, protocol, via(1), {}});
    kernel_.leave(KernelNextHop{NextHopId{base + 2}, protocol, {}, {{NextHopId{base}, 1}, {NextHopId{base + 1}, 1}}});
  };
  leave_objects(0x62FE0000, kDefaultProtocol);  // Of the main table.
  leave_objects(0x62640000, 177);               // Of table 100.
  leave_objects(0x70000000, kDefaultProtocol);  // In a range that was never ours.
  kernel_.leave(key("10.1.0.0/16"), kDefaultProtocol, {{}, NextHopId{0x62FE0002}, false, {}});
  options_.former = {{100, 177, 0x62640000}};
  options_.next_hop_objects = FibOptions::NextHopObjects::off;
  start();
  best("10.1.0.0/16", {0, 1});
  forwarder_->input(fib::input::FinishAdoption{}, now_);
  settle();
  EXPECT_EQ(kernel_.objects().size(), 3U) << "only those in a range that was never ours";
  const auto& route = kernel_.routes().at(key("10.1.0.0/16"));
  EXPECT_EQ(route.forwarding.next_hop, kNoNextHopId);
  EXPECT_EQ(kernel_.ways(route).size(), 2U);
  EXPECT_EQ(verify().difference_count, 0U);
}

TEST_F(OwnershipTest, WithoutRoutesOfItsOwnARunStillRemovesWhatEarlierOnesLeft) {
  kernel_.leave(key("10.1.0.0/16"), kDefaultProtocol, by(0));
  options_.former = {{kMainTable, kDefaultProtocol, 0}};
  options_.enabled = false;
  start();
  best("10.2.0.0/16", {0});
  forwarder_->input(fib::input::FinishAdoption{}, now_);
  settle();
  audit();
  EXPECT_TRUE(kernel_.routes().empty());
  EXPECT_TRUE(run_->owned.empty());
}

TEST_F(OwnershipTest, ATableThatIsLeftWhileRunningIsCleanedAndForgotten) {
  start();
  forwarder_->input(fib::input::FinishAdoption{}, now_);
  best("10.1.0.0/16", {0});
  options_.table = 100;
  forwarder_->input(fib::input::SetOptions{options_}, now_);
  settle();
  EXPECT_EQ(protocol_of(key("10.1.0.0/16", 100)), kDefaultProtocol);
  EXPECT_EQ(protocol_of(key("10.1.0.0/16")), -1);
  audit();
  ASSERT_EQ(run_->owned.size(), 1U);
  EXPECT_EQ(run_->owned[0].table, 100U);
}

TEST_F(OwnershipTest, ATableThatAnotherProcessOwnsIsLeftAloneUntilItIsFree) {
  bool free = false;
  start();
  forwarder_->set_claim([&free](std::uint32_t table) { return table != 100 || free; });
  forwarder_->input(fib::input::FinishAdoption{}, now_);
  LocalAttributes local;
  local.fib_table = 100;
  const std::vector<BestPath> paths{{PeerId{0}, AttrId{1}, {address("169.254.10.1"), {}}, 1}};
  const BestChange change{prefix("10.1.0.0/16"), paths, &local};
  forwarder_->input(fib::input::BestChanged{{&change, 1}}, now_);
  settle();
  EXPECT_EQ(protocol_of(key("10.1.0.0/16", 100)), -1);
  EXPECT_EQ(refusal("10.1.0.0/16"), Refusal::table_owned);
  EXPECT_EQ(verify().difference_count, 1U);
  best("10.2.0.0/16", {0});
  options_.table = 100;
  forwarder_->input(fib::input::SetOptions{options_}, now_);
  settle();
  EXPECT_EQ(protocol_of(key("10.2.0.0/16")), kDefaultProtocol) << "routes stay where they are";
  EXPECT_EQ(lines_.with("table 100 is not taken"), 1U);
  free = true;
  audit();
  EXPECT_EQ(protocol_of(key("10.1.0.0/16", 100)), kDefaultProtocol);
}

// --- Foreign routes ------------------------------------------------------------------------------------------------

TEST_F(OwnershipTest, ANextHopStaysUsableWhileOneOfTwoAppendedForeignRoutesToItIsLeft) {
  start();
  forwarder_->input(fib::input::FinishAdoption{}, now_);
  const RouteKey foreign = key("10.50.0.0/24", kMainTable, 50);
  kernel_.put_beside(foreign, kBoot, via(0), Placement::appended);
  kernel_.put_beside(foreign, kBoot, via(1), Placement::appended);
  settle();
  forwarder_->input(fib::input::WatchNextHop{PeerId{0}, address("10.50.0.9")}, now_);
  forwarder_->input(fib::input::WatchNetwork{prefix("10.50.0.0/24"), NetworkWatch::exact_route}, now_);
  settle();
  static_cast<void>(run_->take_next_hops());
  static_cast<void>(run_->take_networks());
  kernel_.remove_beside(foreign, via(0));
  settle();
  for (const NextHopState& state : run_->take_next_hops()) EXPECT_TRUE(state.usable);
  EXPECT_TRUE(run_->take_networks().empty());
  kernel_.remove_beside(foreign, via(1));
  settle();
  const auto changes = run_->take_next_hops();
  ASSERT_FALSE(changes.empty());
  EXPECT_FALSE(changes.back().usable);
  ASSERT_EQ(run_->take_networks().size(), 1U);
}

TEST_F(OwnershipTest, AForeignIpv6RouteThatLosesOneOfTwoNextHopsIsStillThere) {
  const IpAddress local0 = address("fd10::2"), local1 = address("fd20::2");
  kernel_.add_address({kTun0, local0, local0, 64, false});
  kernel_.add_address({kTun1, local1, local1, 64, false});
  start();
  forwarder_->input(fib::input::FinishAdoption{}, now_);
  const RouteKey foreign{prefix("fd50::/64"), kMainTable, 50};
  const Via first{address("fd10::1"), kTun0, 1, false}, second{address("fd20::1"), kTun1, 1, false};
  kernel_.set_foreign(foreign, kBoot, {first, second});
  settle();
  forwarder_->input(fib::input::WatchNextHop{PeerId{0}, address("fd50::9")}, now_);
  forwarder_->input(fib::input::WatchNetwork{prefix("fd50::/64"), NetworkWatch::exact_route}, now_);
  settle();
  static_cast<void>(run_->take_networks());
  ASSERT_TRUE(run_->take_next_hops().back().usable);
  kernel_.remove_leg(foreign, first);
  settle();
  for (const NextHopState& state : run_->take_next_hops()) {
    EXPECT_TRUE(state.usable);
    EXPECT_EQ(state.interface, "tun1") << "the next hop that is left";
  }
  EXPECT_TRUE(run_->take_networks().empty());
}

TEST_F(OwnershipTest, AForeignRouteAppendedToOursIsHarmlessAndLogsNothing) {
  start();
  forwarder_->input(fib::input::FinishAdoption{}, now_);
  best("10.1.0.0/16", {0});
  const auto writes = kernel_.writes();
  const auto lines = lines_.all.size();
  kernel_.put_beside(key("10.1.0.0/16"), kBoot, via(1), Placement::appended);
  settle();
  for (int i = 0; i < 3; ++i) audit();
  EXPECT_EQ(kernel_.writes(), writes);
  EXPECT_EQ(lines_.all.size(), lines + lines_.with("drop notifications"));
  EXPECT_EQ(verify().difference_count, 0U);
  best("10.1.0.0/16", {1});
  EXPECT_EQ(kernel_.ways(kernel_.routes().at(key("10.1.0.0/16"))).front().gateway, address("169.254.20.1"));
  EXPECT_EQ(kernel_.foreign_harmed, 0U);
}

TEST_F(OwnershipTest, AForeignRoutePrependedToOursIsSaidAndNeverTouched) {
  start();
  forwarder_->input(fib::input::FinishAdoption{}, now_);
  best("10.1.0.0/16", {0});
  kernel_.put_beside(key("10.1.0.0/16"), kBoot, via(1), Placement::created);
  settle();
  EXPECT_EQ(refusal("10.1.0.0/16"), Refusal::foreign_ahead);
  EXPECT_EQ(lines_.with("in front of ours"), 1U);
  for (int i = 0; i < 3; ++i) audit();
  EXPECT_EQ(lines_.with("in front of ours"), 1U);
  const Comparison comparison = verify();
  EXPECT_EQ(comparison.difference_count, 1U);
  EXPECT_EQ(comparison.repairable, 0U);
  best("10.1.0.0/16", {1});  // The kernel would replace the foreign one.
  EXPECT_EQ(kernel_.foreign_harmed, 0U);
  kernel_.remove_beside(key("10.1.0.0/16"), via(1));
  settle();
  EXPECT_EQ(refusal("10.1.0.0/16"), Refusal::none);
  EXPECT_EQ(kernel_.ways(kernel_.routes().at(key("10.1.0.0/16"))).front().gateway, address("169.254.20.1"));
  EXPECT_EQ(verify().difference_count, 0U);
}

TEST_F(OwnershipTest, AForeignRouteInFrontOfOneOfAnEarlierRunIsSaidOnceAndNeverTouched) {
  start();
  forwarder_->input(fib::input::FinishAdoption{}, now_);
  best("10.1.0.0/16", {0});
  kernel_.put_beside(key("10.1.0.0/16"), kBoot, via(1), Placement::created);
  settle();
  const std::size_t before = lines_.with("in front of ours");
  start();
  audit();  // Nothing is desired yet.
  EXPECT_EQ(lines_.with("a route of protocol 3 is in front of ours"), 1U);
  best("10.1.0.0/16", {1});
  forwarder_->input(fib::input::FinishAdoption{}, now_);
  settle();
  audit();
  EXPECT_EQ(kernel_.foreign_harmed, 0U);
  EXPECT_EQ(lines_.with("in front of ours"), before + 1);
  kernel_.remove_beside(key("10.1.0.0/16"), via(1));
  settle();
  EXPECT_EQ(kernel_.ways(kernel_.routes().at(key("10.1.0.0/16"))).front().gateway, address("169.254.20.1"));
  EXPECT_EQ(verify().difference_count, 0U);
}

TEST_F(OwnershipTest, AForeignRouteBehindOneOfAnEarlierRunStaysBehind) {
  start();
  forwarder_->input(fib::input::FinishAdoption{}, now_);
  best("10.1.0.0/16", {0});
  kernel_.put_beside(key("10.1.0.0/16"), kBoot, via(1), Placement::appended);
  settle();
  start();
  best("10.1.0.0/16", {1});
  forwarder_->input(fib::input::FinishAdoption{}, now_);
  settle();
  EXPECT_EQ(lines_.with("in front of ours"), 0U);
  EXPECT_EQ(kernel_.ways(kernel_.routes().at(key("10.1.0.0/16"))).front().gateway, address("169.254.20.1"));
  EXPECT_EQ(kernel_.foreign_harmed, 0U);
}

TEST_F(OwnershipTest, AForeignRouteInFrontStaysWhenOursIsRemovedUnnoticed) {
  start();
  forwarder_->input(fib::input::FinishAdoption{}, now_);
  best("10.1.0.0/16", {0});
  kernel_.put_beside(key("10.1.0.0/16"), kBoot, via(1), Placement::created);
  settle();
  kernel_.lose_one_in = 1;
  kernel_.remove_by_user(key("10.1.0.0/16"));
  kernel_.lose_one_in = 0;
  settle();
  EXPECT_EQ(kernel_.foreign_harmed, 0U);
  EXPECT_EQ(lines_.with("was overwritten"), 0U);
  kernel_.remove_beside(key("10.1.0.0/16"), via(1));
  settle();
  EXPECT_EQ(protocol_of(key("10.1.0.0/16")), kDefaultProtocol);
}

TEST_F(OwnershipTest, ARouteThatWasOverwrittenUnnoticedIsFoundByTheDumpAndRepaired) {
  start();
  forwarder_->input(fib::input::FinishAdoption{}, now_);
  best("10.1.0.0/16", {0});
  kernel_.leave(key("10.1.0.0/16"), kBoot, by(1));
  audit();
  EXPECT_EQ(protocol_of(key("10.1.0.0/16")), kDefaultProtocol);
  EXPECT_EQ(lines_.with("was overwritten by protocol 3"), 1U);
}

// --- Fights --------------------------------------------------------------------------------------------------------

TEST_F(OwnershipTest, RepairsThatAnotherProgramUndoesComeLaterAndLaterAndNameIt) {
  forwarder_.reset();
  start();
  forwarder_->set_port_name([](std::uint32_t port) { return "process " + std::to_string(port); });
  forwarder_->input(fib::input::FinishAdoption{}, now_);
  best("10.1.0.0/16", {0});
  const auto remove = [this] { kernel_.remove_by_user(key("10.1.0.0/16")); };
  const auto writes = fight(std::chrono::seconds{120}, remove);
  EXPECT_LE(writes, 12U) << "3 at once, then after 1, 2, 4, ... 60 s";
  EXPECT_GE(writes, 8U);
  EXPECT_EQ(lines_.with("process 4242"), lines_.with("by process 4242"));
  EXPECT_GE(lines_.with("again after"), 1U);
  EXPECT_LE(lines_.all.size(), 30U);
  // Left alone, it is repaired, and the next change is undone at once.
  settle(100 * 61);
  EXPECT_EQ(protocol_of(key("10.1.0.0/16")), kDefaultProtocol);
  settle(100 * 130);
  remove();
  settle(10);
  EXPECT_EQ(protocol_of(key("10.1.0.0/16")), kDefaultProtocol);
}

TEST_F(OwnershipTest, AWaitThatANewDesireCutShortDoesNotCountTowardTheNext) {
  start();
  forwarder_->input(fib::input::FinishAdoption{}, now_);
  const auto remove = [this] { kernel_.remove_by_user(key("10.1.0.0/16")); };
  // The peers' route moves, or goes and comes, every second while another program removes it, for 20 s.
  for (const bool goes : {false, true}) {
    for (int i = 0; i < 20; ++i) {
      if (goes) best("10.1.0.0/16", {});
      best("10.1.0.0/16", {i % 2});
      fight(std::chrono::seconds{1}, remove);
    }
    settle(100 * 20);
    EXPECT_EQ(protocol_of(key("10.1.0.0/16")), kDefaultProtocol) << goes;
    settle(100 * 40);
    remove();
    settle(10);
    EXPECT_EQ(protocol_of(key("10.1.0.0/16")), kDefaultProtocol) << "the fight was over for a minute";
    settle(100 * 130);
  }
}

TEST_F(OwnershipTest, ARouteOfOursThatAnotherProgramAddsAgainAndAgainIsRemovedLaterAndLater) {
  start();
  forwarder_->input(fib::input::FinishAdoption{}, now_);
  // As a second daemon with our table and protocol would.
  const auto add = [this] { kernel_.overwrite(key("10.9.0.0/16"), kDefaultProtocol, via(0)); };
  EXPECT_LE(fight(std::chrono::seconds{120}, add), 12U);
  EXPECT_EQ(verify().difference_count, 1U);
}

TEST_F(OwnershipTest, AContestedRouteIsSaidByVerifyAndAWithdrawalDoesNotWait) {
  start();
  forwarder_->input(fib::input::FinishAdoption{}, now_);
  best("10.1.0.0/16", {0});
  fight(std::chrono::seconds{20}, [this] { kernel_.overwrite(key("10.1.0.0/16"), kDefaultProtocol, via(1)); });
  EXPECT_EQ(refusal("10.1.0.0/16"), Refusal::contested);
  EXPECT_EQ(verify().difference_count, 1U);
  best("10.1.0.0/16", {});
  EXPECT_EQ(protocol_of(key("10.1.0.0/16")), -1);
}

TEST_F(OwnershipTest, WhatTheKernelTakesAlongWithALinkIsBackAtOnceHoweverOften) {
  start();
  forwarder_->input(fib::input::FinishAdoption{}, now_);
  best("10.1.0.0/16", {0});
  for (int i = 0; i < 20; ++i) {
    kernel_.set_link(kTun0, false);
    settle(20);
    kernel_.set_link(kTun0, true);
    settle(20);
    ASSERT_EQ(protocol_of(key("10.1.0.0/16")), kDefaultProtocol) << i;
  }
}

// --- The end -------------------------------------------------------------------------------------------------------

TEST_F(OwnershipTest, AnEndThatKeepsFinishesWhatWasBegunAndNothingElse) {
  start();
  best("10.1.0.0/16", {0});
  const auto want = [this](const std::string& network) {
    const BestPath path{PeerId{0}, AttrId{1}, {address("169.254.10.1"), {}}, 1};
    const BestChange change{prefix(network), {&path, 1}, nullptr};
    forwarder_->input(fib::input::BestChanged{{&change, 1}}, now_);
  };
  want("10.2.0.0/16");
  EXPECT_FALSE(turn()) << "it was not asked to end";
  want("10.3.0.0/16");
  forwarder_->input(fib::input::Stop{}, now_);
  EXPECT_FALSE(turn()) << "the kernel has not answered yet";
  while (kernel_.deliver(now_)) continue;
  EXPECT_TRUE(turn());
  EXPECT_FALSE(turn()) << "once";
  EXPECT_EQ(protocol_of(key("10.1.0.0/16")), kDefaultProtocol);
  EXPECT_EQ(protocol_of(key("10.2.0.0/16")), kDefaultProtocol);
  EXPECT_EQ(protocol_of(key("10.3.0.0/16")), -1);
}

TEST_F(OwnershipTest, AnEndThatRemovesComesWhenNothingOfOursIsLeft) {
  options_.on_exit = FibOptions::OnExit::remove;
  start();
  best("10.1.0.0/16", {0});
  best("10.2.0.0/16", {0, 1});
  const auto took = stop();
  ASSERT_TRUE(took);
  EXPECT_LT(*took, std::chrono::seconds{1});
  EXPECT_EQ(protocol_of(key("10.1.0.0/16")), -1);
  EXPECT_TRUE(kernel_.objects().empty());
}

TEST_F(OwnershipTest, AnEndWaitsTenSecondsForAKernelThatRemovesNothing) {
  options_.on_exit = FibOptions::OnExit::remove;
  start();
  best("10.1.0.0/16", {0});
  kernel_.refuse_one_in = 1;
  const auto took = stop();
  ASSERT_TRUE(took);
  EXPECT_GE(*took, std::chrono::seconds{10});
  EXPECT_LT(*took, std::chrono::seconds{11});
}

}  // namespace
}  // namespace minibgp::fib
