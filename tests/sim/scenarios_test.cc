/// Whole speakers over time: what an operator would call "the peer hangs", "somebody restarted it", "the line is bad".
#include <bgp/text.h>

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <testing/values.h>
#include <testing/world.h>

namespace minibgp::testing {
namespace {

using namespace std::chrono_literals;
using namespace literals;

/// Two speakers of different ASes; the right one announces a prefix, the left one has learned it.
struct Pair {
  explicit Pair(Seed seed, const LinkOptions& options = {}, FaultAt fault = {})
      : world(seed, fault),
        a(world.add_node({.as = 65001, .name = "a"})),
        b(world.add_node({.as = 65002, .name = "b"})),
        link(world.connect(a, b, options)) {
    b.announce("203.0.113.0/24");
  }
  World world;
  Node& a;
  Node& b;
  Link& link;
};

[[nodiscard]] LinkOptions with(std::function<void(PeerOptions&)> both) {
  LinkOptions options;
  options.both = std::move(both);
  return options;
}

[[nodiscard]] Prefix numbered(std::uint32_t number) {
  return Prefix::of(IpAddress::v4(0x14000000U + (number << 8U)), 24);
}

TEST(HoldTimer, SilentPeerIsDroppedAndItsRoutesLeave) {
  LinkOptions options = with([](PeerOptions& peer) { peer.graceful_restart = GracefulRestart::off; });
  options.latency = 20ms;
  Pair pair{Seed{1}, options};
  ASSERT_TRUE(pair.world.run_until_quiet());
  ASSERT_TRUE(pair.a.has("203.0.113.0/24"));

  pair.link.blackhole();  // TCP stays open; nothing arrives any more.
  const Duration hold = pair.a.hold_time(pair.b);
  EXPECT_EQ(hold, 90s);
  pair.world.run_for(hold / 2);
  EXPECT_TRUE(pair.a.has("203.0.113.0/24"));
  pair.world.run_for(hold / 2 + 1s);

  EXPECT_FALSE(pair.a.established(pair.b));
  EXPECT_EQ(pair.a.status(pair.b).last_down, DownReason::hold_timer_expired);
  EXPECT_FALSE(pair.a.has("203.0.113.0/24"));

  pair.link.heal();
  EXPECT_TRUE(pair.world.run_until_quiet());
  EXPECT_TRUE(pair.a.has("203.0.113.0/24"));
}

TEST(HoldTimer, AHoldTimeOfZeroOutlivesEverySilence) {
  Pair pair{Seed{1}, with([](PeerOptions& peer) { peer.timers.hold_s = 0; })};
  ASSERT_TRUE(pair.world.run_until_quiet());
  pair.link.blackhole();
  pair.world.run_for(24h);
  EXPECT_TRUE(pair.a.established(pair.b));
  EXPECT_TRUE(pair.a.has("203.0.113.0/24"));
}

TEST(HoldTimer, AQuietButHealthySessionLivesForDays) {
  Pair pair{Seed{1}};
  ASSERT_TRUE(pair.world.run_until_quiet());
  const auto established = pair.a.status(pair.b).counters.connections_established;
  pair.world.run_for(48h);
  EXPECT_TRUE(pair.a.established(pair.b));
  EXPECT_EQ(pair.a.status(pair.b).counters.connections_established, established);
}

TEST(Dialing, BothSidesDialAtOnceAndOneConnectionSurvives) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed=" << seed);
    LinkOptions options;
    options.latency = 1ms + std::chrono::milliseconds{seed % 7};
    options.jitter = std::chrono::milliseconds{seed % 11};
    Pair pair{Seed{seed}, options};
    ASSERT_TRUE(pair.world.run_until_quiet(1min));
    EXPECT_EQ(pair.world.open_sockets(), 2U);
    EXPECT_TRUE(pair.a.has("203.0.113.0/24"));
    EXPECT_EQ(pair.a.status(pair.b).counters.connections_established, 1U);
    EXPECT_EQ(pair.b.status(pair.a).counters.connections_established, 1U);
  }
}

TEST(Dialing, APeerThatStartsALittleLaterIsFoundWithinASecond) {
  World world{Seed{1}};
  Node& a = world.add_node({.as = 65001});
  Node& b = world.add_node({.as = 65002});
  LinkOptions options;
  options.right = [](PeerOptions& peer) { peer.passive = true; };
  b.kill();
  b.start();
  world.connect(a, b, options);
  b.kill();
  world.run_for(300ms);  // Refused meanwhile.
  b.start();
  EXPECT_TRUE(world.run_until([&] { return a.established(b); }, 1s));
}

TEST(Dialing, TheReturnOfTheTransportDialsAtOnce) {
  Pair pair{Seed{1}};
  pair.link.set_usable(false);
  pair.link.blackhole();
  pair.world.run_for(1h);
  EXPECT_FALSE(pair.a.established(pair.b));
  pair.link.heal();
  pair.link.set_usable(true);
  EXPECT_TRUE(pair.world.run_until([&] { return pair.a.established(pair.b) && pair.b.established(pair.a); }, 100ms));
}

TEST(Dialing, TwoPassiveSidesNeverMeet) {
  Pair pair{Seed{1}, with([](PeerOptions& peer) { peer.passive = true; })};
  pair.world.run_for(1h);
  EXPECT_EQ(pair.world.open_sockets(), 0U);
}

TEST(HalfOpen, APeerThatLostPowerIsTakenBackAtOnceWhenItReturns) {
  for (const auto mode : {GracefulRestart::off, GracefulRestart::full}) {
    Pair pair{Seed{7}, with([mode](PeerOptions& peer) { peer.graceful_restart = mode; })};
    ASSERT_TRUE(pair.world.run_until_quiet());
    pair.b.crash();
    pair.world.run_for(10s);
    EXPECT_TRUE(pair.a.established(pair.b)) << "nobody told it";
    pair.b.start();
    EXPECT_TRUE(pair.world.run_until_quiet(2min));
    EXPECT_TRUE(pair.a.has("203.0.113.0/24"));
    EXPECT_EQ(pair.world.open_sockets(), 2U);
  }
}

TEST(Restart, WithoutGracefulRestartRoutesGoAndComeBack) {
  Pair pair{Seed{1}, with([](PeerOptions& peer) { peer.graceful_restart = GracefulRestart::off; })};
  ASSERT_TRUE(pair.world.run_until_quiet());
  pair.b.kill();
  pair.world.run_for(100ms);
  EXPECT_FALSE(pair.a.has("203.0.113.0/24"));
  pair.b.start();
  EXPECT_TRUE(pair.world.run_until_quiet());
  EXPECT_TRUE(pair.a.has("203.0.113.0/24"));
}

TEST(Restart, AHelperNeverLosesTheRoutesOfAPeerThatComesBackInTime) {
  Pair pair{Seed{1}};
  pair.b.announce("198.51.100.0/24");
  pair.a.announce("192.0.2.0/24");
  ASSERT_TRUE(pair.world.run_until_quiet());
  ASSERT_TRUE(pair.a.has("198.51.100.0/24") && pair.b.has("192.0.2.0/24"));
  bool lost = false;
  pair.world.check_always([&] { lost = lost || !pair.a.has("203.0.113.0/24"); });

  pair.b.kill();
  pair.b.withdraw("198.51.100.0/24");  // Not announced again: it must go after End-of-RIB.
  pair.world.run_for(30s);
  EXPECT_TRUE(pair.a.status(pair.b).stale);
  EXPECT_TRUE(pair.a.has("198.51.100.0/24"));
  pair.b.start(Node::Forwarding::preserved);
  EXPECT_TRUE(pair.b.has("192.0.2.0/24")) << "the restarted side keeps forwarding";
  ASSERT_TRUE(pair.world.run_until_quiet());
  EXPECT_FALSE(lost);
  EXPECT_FALSE(pair.a.has("198.51.100.0/24"));
  EXPECT_FALSE(pair.a.status(pair.b).stale);
  EXPECT_TRUE(pair.b.restart_completed());
  EXPECT_TRUE(pair.b.has("192.0.2.0/24"));
}

TEST(Restart, APeerThatStaysAwayLosesItsRoutesAfterTheRestartTime) {
  Pair pair{Seed{1}, with([](PeerOptions& peer) { peer.restart_time_s = 60; })};
  ASSERT_TRUE(pair.world.run_until_quiet());
  pair.b.kill();
  pair.world.run_for(59s);
  EXPECT_TRUE(pair.a.has("203.0.113.0/24"));
  pair.world.run_for(2s);
  EXPECT_FALSE(pair.a.has("203.0.113.0/24"));
}

TEST(Restart, ASilenceThatEndsBothHoldTimersIsSurvivedWithinTheRestartTime) {  // RFC 8538
  for (const bool healed : {true, false}) {
    Pair pair{Seed{1}, with([](PeerOptions& peer) { peer.restart_time_s = 60; })};
    pair.a.announce("192.0.2.0/24");
    ASSERT_TRUE(pair.world.run_until_quiet());
    bool lost = false;
    pair.world.check_always([&] { lost = lost || !pair.a.has("203.0.113.0/24") || !pair.b.has("192.0.2.0/24"); });
    pair.link.blackhole();
    pair.world.run_for(pair.a.hold_time(pair.b) + 30s);
    EXPECT_EQ(pair.a.status(pair.b).last_down, DownReason::hold_timer_expired);
    EXPECT_TRUE(pair.a.status(pair.b).stale);
    EXPECT_TRUE(pair.b.status(pair.a).stale);
    EXPECT_FALSE(lost);
    if (healed) {
      pair.link.heal();
      ASSERT_TRUE(pair.world.run_until_quiet());
      EXPECT_FALSE(lost);
      EXPECT_FALSE(pair.a.status(pair.b).stale);
    } else {
      pair.world.run_for(61s);
      EXPECT_FALSE(pair.a.has("203.0.113.0/24")) << "no longer than the restart time";
      EXPECT_FALSE(pair.b.has("192.0.2.0/24"));
    }
  }
}

TEST(Restart, ATunnelThatIsDownTakesWhatIsKeptForAPeerWithIt) {
  Pair pair{Seed{1}};
  ASSERT_TRUE(pair.world.run_until_quiet());
  pair.b.kill();
  pair.world.run_for(1s);
  EXPECT_TRUE(pair.a.has("203.0.113.0/24")) << "kept for a restart";
  pair.link.set_usable(false);
  pair.world.run_for(1ms);
  EXPECT_FALSE(pair.a.has("203.0.113.0/24"));
  pair.link.set_usable(true);
  pair.b.start();
  ASSERT_TRUE(pair.world.run_until_quiet());
  EXPECT_TRUE(pair.a.has("203.0.113.0/24"));
}

TEST(Restart, AnOrderlyStopWithoutNotificationKeepsTheRoutesToo) {
  Pair pair{Seed{1}};
  ASSERT_TRUE(pair.world.run_until_quiet());
  pair.b.stop(Engine::Stop::keep, {});
  pair.world.run_for(5s);
  EXPECT_TRUE(pair.a.has("203.0.113.0/24"));
  pair.b.start(Node::Forwarding::preserved);
  EXPECT_TRUE(pair.world.run_until_quiet());
  EXPECT_TRUE(pair.a.has("203.0.113.0/24"));
}

TEST(Administrative, AStopSaysWhyAndTakesTheRoutesAway) {
  Pair pair{Seed{1}};
  ASSERT_TRUE(pair.world.run_until_quiet());
  pair.b.engine().disable_peer(pair.b.peer(pair.a), "disk swap\tat noon", pair.world.now());
  pair.b.pump();
  pair.world.run_for(1h);
  const PeerStatus status = pair.a.status(pair.b);
  EXPECT_FALSE(pair.a.has("203.0.113.0/24"));
  EXPECT_EQ(status.last_down, DownReason::notification_received);
  EXPECT_EQ(status.last_code, 6);
  EXPECT_EQ(status.last_subcode, 9) << "a Hard Reset (RFC 8538): graceful restart must not keep the routes";
  EXPECT_NE(status.last_down_detail.find("Administrative Shutdown"), std::string::npos) << status.last_down_detail;
  EXPECT_NE(status.last_down_detail.find("disk swap"), std::string::npos) << status.last_down_detail;
  EXPECT_FALSE(pair.b.status(pair.a).enabled);

  pair.b.engine().enable_peer(pair.b.peer(pair.a), pair.world.now());
  pair.b.pump();
  EXPECT_TRUE(pair.world.run_until_quiet());
  EXPECT_TRUE(pair.a.has("203.0.113.0/24"));
}

TEST(SlowReader, HoldsNobodyElseUpAndIsTheSameAsTheOthersInTheEnd) {
  World world{Seed{3}};
  Node& sender = world.add_node({.as = 65001, .name = "sender"});
  Node& slow = world.add_node({.as = 65002, .name = "slow"});
  Node& quick = world.add_node({.as = 65003, .name = "quick"});
  world.connect(sender, slow);
  world.connect(sender, quick);
  ASSERT_TRUE(world.run_until_quiet());

  slow.pause_reading();
  constexpr std::uint32_t prefixes = 20000;
  for (std::uint32_t round = 0; round < 4; ++round) {
    for (std::uint32_t i = 0; i < prefixes; ++i) {
      PathAttributes attributes;
      attributes.med = round;
      attributes.communities = {Community{0xFDE90000U + i % 1000U}};
      sender.announce(numbered(i), attributes);
    }
    world.run_for(10s);
    EXPECT_EQ(quick.table().size(), prefixes);
  }
  // Four rounds of about 20 000 changes, each at most once per prefix in what waits; the queue is bounded.
  EXPECT_LE(sender.status(slow).counters.octets_sent, 4U * 1024U * 1024U);
  slow.resume_reading();
  ASSERT_TRUE(world.run_until_quiet());
  EXPECT_EQ(slow.table().size(), prefixes);
  for (std::uint32_t i = 0; i < prefixes; i += 997) {
    const auto attributes = slow.best_attributes(numbered(i));
    ASSERT_TRUE(attributes);
    EXPECT_EQ(attributes->med, 3U);
  }
}

TEST(SlowReader, OneThatNeverReadsIsDroppedBySendHold) {  // RFC 9687
  World world{Seed{3}};
  Node& sender = world.add_node({.as = 65001});
  Node& deaf = world.add_node({.as = 65002});
  // Without a hold time, so that the deaf side does not give up first.
  LinkOptions options = with([](PeerOptions& peer) {
    peer.graceful_restart = GracefulRestart::off;
    peer.timers.hold_s = 0;
  });
  options.window_octets = 8192;
  world.connect(sender, deaf, options);
  ASSERT_TRUE(world.run_until_quiet());
  deaf.pause_reading();
  for (std::uint32_t i = 0; i < 20000; ++i) sender.announce(numbered(i));
  world.run_for(9min);
  EXPECT_EQ(sender.status(deaf).last_down, DownReason::send_hold_timer_expired);
}

TEST(Duplicates, StrangeConnectionsBesideASessionChangeNothingAndEndThemselves) {
  Pair pair{Seed{1}, with([](PeerOptions& peer) { peer.graceful_restart = GracefulRestart::off; })};
  ASSERT_TRUE(pair.world.run_until_quiet());
  for (int i = 0; i < 5; ++i) pair.link.connect_silently();
  pair.world.run_for(10s);
  EXPECT_TRUE(pair.a.established(pair.b));
  EXPECT_LE(pair.world.open_sockets(), 3U) << "at most one more beside the session";
  pair.world.run_for(5min);
  EXPECT_TRUE(pair.a.established(pair.b));
  EXPECT_EQ(pair.a.status(pair.b).counters.connections_established, 1U);
  EXPECT_EQ(pair.world.open_sockets(), 2U);
}

TEST(Duplicates, ASilentConnectionDoesNotKeepTheRealPeerOut) {
  World world{Seed{1}};
  Node& a = world.add_node({.as = 65001});
  Node& b = world.add_node({.as = 65002});
  LinkOptions options;
  options.right = [](PeerOptions& peer) { peer.passive = true; };
  a.kill();
  a.start();
  Link& link = world.connect(a, b, options);
  a.kill();
  for (int i = 0; i < 3; ++i) link.connect_silently();
  world.run_for(1s);
  a.start();
  EXPECT_TRUE(world.run_until([&] { return a.established(b) && b.established(a); }, 30s));
}

TEST(Handshake, AnErrorAtAnyIoStepLeadsToARetryAndLeaksNothing) {
  std::size_t io_step = 0;
  for (;; ++io_step) {
    SCOPED_TRACE(::testing::Message() << "failing I/O step " << io_step);
    Pair pair{Seed{1}, {}, FaultAt{io_step}};
    pair.a.announce("192.0.2.0/24");
    EXPECT_TRUE(pair.world.run_until_quiet(5min));
    EXPECT_TRUE(pair.a.has("203.0.113.0/24"));
    EXPECT_TRUE(pair.b.has("192.0.2.0/24"));
    EXPECT_EQ(pair.world.open_sockets(), 2U);
    if (!pair.world.hit()) break;  // The script has fewer steps than this: every one was tried.
  }
  EXPECT_GT(io_step, 12U);
}

TEST(RouteRefresh, BringsEverythingAgainAndLosesNothing) {
  Pair pair{Seed{1}};
  for (std::uint32_t i = 0; i < 100; ++i) pair.b.announce(numbered(i));
  ASSERT_TRUE(pair.world.run_until_quiet());
  bool lost = false;
  pair.world.check_always([&] { lost = lost || pair.a.table().size() != 101; });
  for (const Direction direction : {Direction::import, Direction::export_}) {
    Node& asks = direction == Direction::import ? pair.a : pair.b;
    Node& other = direction == Direction::import ? pair.b : pair.a;
    const auto before = pair.a.status(pair.b).counters;
    asks.engine().refresh_peer(asks.peer(other), direction, pair.world.now());
    asks.pump();
    ASSERT_TRUE(pair.world.run_until_quiet());
    const auto after = pair.a.status(pair.b).counters;
    EXPECT_GE(after.prefixes_announced_received, before.prefixes_announced_received + 101);
  }
  EXPECT_EQ(pair.a.status(pair.b).counters.refreshes_sent, 1U);
  EXPECT_FALSE(lost);
}

TEST(PrefixLimit, OneTooManyEndsTheSessionAndItComesBackAfterTheConfiguredTime) {
  LinkOptions options;
  options.left = [](PeerOptions& peer) {
    peer.import_limit.max = 10;
    peer.import_limit.restart_after_s = 60;
  };
  Pair pair{Seed{1}, options};
  for (std::uint32_t i = 0; i < 9; ++i) pair.b.announce(numbered(i));
  ASSERT_TRUE(pair.world.run_until_quiet());
  EXPECT_EQ(pair.a.table().size(), 10U);

  pair.b.announce(numbered(10));
  pair.world.run_for(5s);
  EXPECT_FALSE(pair.a.established(pair.b));
  EXPECT_EQ(pair.a.status(pair.b).last_down, DownReason::prefix_limit);
  EXPECT_EQ(pair.b.status(pair.a).last_code, 6);
  EXPECT_EQ(pair.b.status(pair.a).last_subcode, 9);
  EXPECT_NE(pair.b.status(pair.a).last_down_detail.find("Prefixes"), std::string::npos)
      << pair.b.status(pair.a).last_down_detail;
  EXPECT_TRUE(pair.a.table().empty());

  pair.b.withdraw(numbered(10));
  pair.world.run_for(50s);
  EXPECT_FALSE(pair.a.established(pair.b));
  EXPECT_TRUE(pair.world.run_until([&] { return pair.a.table().size() == 10U; }, 130s));
}

TEST(PrefixLimit, OnExportTheRestIsHeldBackAndTheSessionStays) {
  LinkOptions options;
  options.right = [](PeerOptions& peer) { peer.export_limit.max = 5; };
  Pair pair{Seed{1}, options};
  for (std::uint32_t i = 0; i < 20; ++i) pair.b.announce(numbered(i));
  ASSERT_TRUE(pair.world.run_until_quiet());
  EXPECT_TRUE(pair.a.established(pair.b));
  EXPECT_EQ(pair.a.table().size(), 5U);
}

TEST(Suspended, TheClockJumpsAndTheWorldGoesOn) {
  Pair pair{Seed{1}};
  ASSERT_TRUE(pair.world.run_until_quiet());
  for (const Duration jump : {Duration{60s}, Duration{10min}, Duration{24h}}) {
    pair.world.jump(jump);
    ASSERT_TRUE(pair.world.run_until_quiet());
    EXPECT_TRUE(pair.a.has("203.0.113.0/24"));
    EXPECT_EQ(pair.world.open_sockets(), 2U);
  }
}

TEST(Ecmp, TwoUpstreamsShareAPrefixAndALostOneLeavesTheOther) {
  World world{Seed{1}};
  Node& gateway = world.add_node({.as = 65001, .maximum_paths = 4});
  Node& first = world.add_node({.as = 65002});
  Node& second = world.add_node({.as = 65002});
  const LinkOptions options = with([](PeerOptions& peer) { peer.graceful_restart = GracefulRestart::off; });
  Link& link = world.connect(gateway, first, options);
  world.connect(gateway, second, options);
  first.announce("203.0.113.0/24");
  second.announce("203.0.113.0/24");
  ASSERT_TRUE(world.run_until_quiet());
  EXPECT_EQ(gateway.best("203.0.113.0/24").size(), 2U);
  link.reset();
  world.run_for(1ms);
  ASSERT_EQ(gateway.best("203.0.113.0/24").size(), 1U);
  EXPECT_EQ(gateway.best("203.0.113.0/24")[0].peer, gateway.peer(second));
  ASSERT_TRUE(world.run_until_quiet());
  EXPECT_EQ(gateway.best("203.0.113.0/24").size(), 2U);
}

TEST(Ibgp, WhatWasLearnedInsideIsNotToldInside) {
  World world{Seed{1}};
  Node& a = world.add_node({.as = 65001});
  Node& b = world.add_node({.as = 65001});
  Node& c = world.add_node({.as = 65001});
  Node& outside = world.add_node({.as = 65002});
  world.connect(a, b);
  world.connect(b, c);
  world.connect(c, outside);
  a.announce("203.0.113.0/24");
  c.announce("198.51.100.0/24");
  ASSERT_TRUE(world.run_until_quiet());
  EXPECT_TRUE(b.has("203.0.113.0/24") && b.has("198.51.100.0/24"));
  EXPECT_FALSE(c.has("203.0.113.0/24"));
  EXPECT_FALSE(a.has("198.51.100.0/24"));
  EXPECT_TRUE(outside.has("198.51.100.0/24"));
}

}  // namespace
}  // namespace minibgp::testing
