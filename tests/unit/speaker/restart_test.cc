// Graceful restart in both roles, enhanced refresh, prefix limits and administrative ends: what stays, what goes, when.
#include <bgp/wire/numbers.h>
#include <tests/unit/speaker/raw_peer.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace minibgp::speaker {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Prefix kFirst = "203.0.113.0/24"_prefix;
const Prefix kSecond = "198.51.100.0/24"_prefix;

enum class Forwarding : std::uint8_t { lost, preserved };

/// The peer's OPEN offers graceful restart (RFC 4724), with the N bit of RFC 8538 where asked for.
std::function<void(wire::Open&)> graceful(Forwarding forwarding, bool notification = false, bool restarting = false) {
  return [=](wire::Open& open) {
    wire::GracefulRestartCapability capability;
    capability.restarting = restarting;
    capability.notification = notification;
    capability.restart_time_s = 60;
    capability.families = {true, false};
    capability.forwarding_preserved = {forwarding == Forwarding::preserved, false};
    open.capabilities.graceful_restart = capability;
  };
}

struct Helper : ::testing::Test {
  Bench bench;
  RawPeer& peer = bench.add(1, Asn{65001});
  RawPeer& other = bench.add(2, Asn{65002});

  void come_up(bool notification = false) {
    peer.edit_open = graceful(Forwarding::preserved, notification);
    bench.establish(peer);
    bench.establish(other);
    bench.announce(peer, route_of(peer, "65001"), {kFirst, kSecond});
    bench.end_of_rib(peer);
    bench.run_for(1min);  // A session of some standing.
    other.changes.clear();
  }
  [[nodiscard]] bool stale(const Prefix& prefix) const {
    RouteFilter filter;
    filter.prefix = prefix;
    return bench.engine.routes(filter).at(0).stale;
  }
  void notify(std::uint8_t code, std::uint8_t subcode, std::vector<std::uint8_t> data = {}) {
    std::vector<std::uint8_t> octets;
    wire::encode_notification({code, subcode, std::move(data)}, octets);
    bench.say(peer, octets);
  }
};

TEST_F(Helper, KeepsRoutesOverACutSessionAndDropsWhatIsNotSaidAgain) {
  come_up();
  bench.cut(peer);
  EXPECT_TRUE(bench.status(peer).stale);
  EXPECT_EQ(bench.best.size(), 2U);
  EXPECT_TRUE(stale(kFirst));
  EXPECT_THAT(other.changes, IsEmpty()) << "nobody else hears of it";

  bench.run_for(10s);
  peer.edit_open = graceful(Forwarding::preserved, false, true);
  bench.establish(peer);
  EXPECT_EQ(bench.best.size(), 2U);
  bench.announce(peer, route_of(peer, "65001"), {kFirst});
  EXPECT_FALSE(stale(kFirst));
  EXPECT_TRUE(stale(kSecond));
  bench.end_of_rib(peer);
  EXPECT_EQ(bench.best.size(), 1U);
  EXPECT_TRUE(bench.best.contains(kFirst));
  EXPECT_FALSE(bench.status(peer).stale);
  EXPECT_THAT(other.changes, ElementsAre(std::pair{kSecond, false}));
}

TEST_F(Helper, GivesUpWhenTheRestartTimeIsOver) {
  come_up();
  bench.cut(peer);
  bench.run_for(59s);
  EXPECT_EQ(bench.best.size(), 2U);
  bench.run_for(2s);
  EXPECT_THAT(bench.best, IsEmpty());
  EXPECT_FALSE(bench.status(peer).stale);
}

TEST_F(Helper, DropsRoutesAtOnceWhenThePeerDidNotGoOnForwarding) {
  come_up();
  bench.cut(peer);
  bench.run_for(10s);
  peer.edit_open = graceful(Forwarding::lost, false, true);
  bench.establish(peer);
  EXPECT_THAT(bench.best, IsEmpty());
}

TEST_F(Helper, DropsWhatWasStaleAlreadyWhenTheSessionFallsAgain) {
  come_up();
  bench.cut(peer);
  bench.run_for(10s);
  bench.establish(peer);
  bench.announce(peer, route_of(peer, "65001"), {kFirst});
  bench.cut(peer);  // Before End-of-RIB: the second prefix was not confirmed in time.
  EXPECT_TRUE(bench.best.contains(kFirst));
  EXPECT_FALSE(bench.best.contains(kSecond));
}

TEST_F(Helper, GivesUpOnAPeerThatComesBackAndNeverSaysEndOfRib) {
  come_up();
  bench.cut(peer);
  bench.run_for(10s);
  bench.establish(peer);
  bench.announce(peer, route_of(peer, "65001"), {kFirst});
  bench.run_for(359s);
  EXPECT_EQ(bench.best.size(), 2U);
  bench.run_for(2s);
  EXPECT_EQ(bench.best.size(), 1U);
  EXPECT_TRUE(bench.established(peer));
}

TEST_F(Helper, ANotificationEndsItUnlessBothSaidOtherwise) {  // RFC 8538
  come_up(false);
  notify(wire::notify::kCease, wire::notify::kAdminReset);
  EXPECT_THAT(bench.best, IsEmpty());
}

TEST_F(Helper, ANotificationIsSurvivedWhereBothSaidSo) {
  come_up(true);
  notify(wire::notify::kCease, wire::notify::kAdminReset);
  EXPECT_EQ(bench.best.size(), 2U);
  EXPECT_EQ(bench.status(peer).last_subcode, wire::notify::kAdminReset);
}

TEST_F(Helper, AHardResetIsMeantForGood) {
  come_up(true);
  notify(wire::notify::kCease, wire::notify::kHardReset, {wire::notify::kCease, wire::notify::kAdminShutdown});
  EXPECT_THAT(bench.best, IsEmpty());
}

TEST_F(Helper, TheOperatorsWordEndsItAndIsSentAsAHardReset) {
  come_up(true);
  bench.engine.disable_peer(peer.id, "maintenance", bench.now);
  bench.pump();
  EXPECT_THAT(bench.best, IsEmpty());
  ASSERT_TRUE(peer.notification.has_value());
  EXPECT_EQ(peer.notification->code, wire::notify::kCease);
  EXPECT_EQ(peer.notification->subcode, wire::notify::kHardReset);
  EXPECT_TRUE(peer.closed);
}

TEST_F(Helper, APeerThatIsGoneOnPurposeLeavesNothing) {
  come_up();
  bench.cut(peer);
  bench.engine.disable_peer(peer.id, {}, bench.now);
  bench.pump();
  EXPECT_THAT(bench.best, IsEmpty()) << "also what was kept for a restart";
}

TEST_F(Helper, WithoutItsTunnelWhatWasKeptLeadsNowhereAndGoesAtOnce) {
  come_up();
  bench.cut(peer);
  EXPECT_EQ(bench.best.size(), 2U);
  bench.engine.set_transport_usable(peer.id, false, bench.now);
  bench.pump();
  EXPECT_THAT(bench.best, IsEmpty());
  EXPECT_FALSE(bench.status(peer).stale);
}

TEST_F(Helper, ASessionThatEndsWhileItsTunnelIsDownIsNoRestart) {
  come_up(true);
  bench.engine.set_transport_usable(peer.id, false, bench.now);
  bench.pump();
  EXPECT_EQ(bench.best.size(), 2U) << "the session is kept, and what it said with it";
  bench.cut(peer);
  EXPECT_THAT(bench.best, IsEmpty());
}

TEST_F(Helper, AnExpiredHoldTimerIsARestartOnlyWhereBothSaidSo) {  // RFC 8538 s.4
  for (const bool notification : {false, true}) {
    peer.edit_open = [&](wire::Open& open) {
      graceful(Forwarding::preserved, notification)(open);
      open.hold_time_s = 9;
    };
    bench.establish(peer);
    bench.announce(peer, route_of(peer, "65001"), {kFirst});
    bench.run_for(10s);
    EXPECT_FALSE(bench.established(peer));
    ASSERT_TRUE(peer.notification.has_value());
    EXPECT_EQ(peer.notification->code, wire::notify::kHoldTimer);
    EXPECT_EQ(bench.status(peer).last_down, DownReason::hold_timer_expired);
    EXPECT_EQ(bench.best.size(), notification ? 1U : 0U);
    bench.run_for(50s);
    EXPECT_EQ(bench.best.size(), notification ? 1U : 0U);
    bench.run_for(11s);
    EXPECT_THAT(bench.best, IsEmpty()) << "no longer than the restart time";
  }
}

TEST_F(Helper, AnErrorInAMessageIsARestartOnlyWhereBothSaidSo) {  // RFC 8538 s.4
  for (const bool notification : {false, true}) {
    peer.edit_open = graceful(Forwarding::preserved, notification);
    bench.establish(peer);
    bench.announce(peer, route_of(peer, "65001"), {kFirst});
    std::vector<std::uint8_t> nonsense(wire::kHeaderSize, 0);
    bench.say(peer, nonsense);
    ASSERT_TRUE(peer.notification.has_value());
    EXPECT_EQ(peer.notification->code, wire::notify::kHeader) << "said as it is, so that the peer keeps ours too";
    EXPECT_EQ(bench.best.size(), notification ? 1U : 0U);
    bench.run_for(61s);
    EXPECT_THAT(bench.best, IsEmpty());
  }
}

TEST_F(Helper, BothSidesSayTheNBit) {  // RFC 8538 s.2
  come_up();
  ASSERT_TRUE(peer.open && peer.open->capabilities.graceful_restart);
  EXPECT_TRUE(peer.open->capabilities.graceful_restart->notification);
  EXPECT_TRUE(peer.open->capabilities.graceful_restart->families[0]);
  RawPeer& helped = bench.add(3, Asn{65003}, [](PeerOptions& o) { o.graceful_restart = GracefulRestart::helper; });
  bench.establish(helped);
  ASSERT_TRUE(helped.open && helped.open->capabilities.graceful_restart);
  EXPECT_TRUE(helped.open->capabilities.graceful_restart->notification);
  EXPECT_FALSE(helped.open->capabilities.graceful_restart->families[0]) << "a helper asks nobody to keep its routes";
}

TEST_F(Helper, AResetByTheOperatorIsSurvivedWhereBothSaidSoAndAHardResetWrapsWhatIsMeant) {  // RFC 8538 s.3
  come_up(true);
  bench.engine.reset_peer(peer.id, "again", bench.now);
  bench.pump();
  ASSERT_TRUE(peer.notification.has_value());
  EXPECT_EQ(peer.notification->subcode, wire::notify::kAdminReset);
  EXPECT_EQ(bench.best.size(), 2U);
  bench.establish(peer);
  bench.engine.remove_peer(peer.id, bench.now);
  bench.pump();
  ASSERT_TRUE(peer.notification.has_value());
  EXPECT_EQ(peer.notification->subcode, wire::notify::kHardReset);
  ASSERT_GE(peer.notification->data.size(), 2U);
  EXPECT_EQ(peer.notification->data[0], wire::notify::kCease);
  EXPECT_EQ(peer.notification->data[1], wire::notify::kDeconfigured);
}

TEST_F(Helper, ARemovedPeersNumberIsFreeOnceItsRoutesAreGone) {
  come_up();
  const PeerId number = peer.id;
  bench.engine.remove_peer(peer.id, bench.now);
  EXPECT_FALSE(bench.engine.peer(number).has_value());
  bench.pump();
  EXPECT_THAT(bench.best, IsEmpty());
  EXPECT_EQ(bench.add(3, Asn{65003}).id, number);
}

// --- Enhanced refresh ----------------------------------------------------------------------------------------------

TEST_F(Helper, WhatARefreshDoesNotRepeatGoesAtItsEnd) {  // RFC 7313
  peer.edit_open = [](wire::Open& open) { open.capabilities.enhanced_refresh = true; };
  bench.establish(peer);
  bench.announce(peer, route_of(peer, "65001"), {kFirst, kSecond});
  bench.engine.refresh_peer(peer.id, Direction::import, bench.now);
  bench.pump();
  ASSERT_EQ(peer.refreshes.size(), 1U);
  EXPECT_EQ(peer.refreshes[0].kind, wire::RefreshKind::request);
  bench.ask_again(peer, wire::RefreshKind::begin);
  bench.announce(peer, route_of(peer, "65001"), {kFirst});
  EXPECT_EQ(bench.best.size(), 2U);
  bench.ask_again(peer, wire::RefreshKind::end);
  EXPECT_EQ(bench.best.size(), 1U);
  EXPECT_TRUE(bench.best.contains(kFirst));
}

std::vector<std::uint8_t> refresh_octets(std::initializer_list<wire::RefreshKind> kinds) {
  std::vector<std::uint8_t> octets;
  for (const wire::RefreshKind kind : kinds) wire::encode_refresh(Family::ipv4, kind, octets);
  return octets;
}

std::vector<std::uint8_t> operator+(std::vector<std::uint8_t> a, const std::vector<std::uint8_t>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

std::vector<std::uint8_t> update_octets(const RawPeer& peer, const std::vector<Prefix>& prefixes) {
  const PathAttributes attributes = route_of(peer, "65001");
  wire::EncodedAttributes encoded;
  wire::encode_attributes(attributes, Family::ipv4, {}, encoded);
  std::vector<std::uint8_t> octets;
  for (std::size_t done = 0; done < prefixes.size();)
    done +=
        wire::encode_announce(encoded, attributes.next_hop, Family::ipv4, std::span{prefixes}.subspan(done), {}, octets)
            .taken;
  return octets;
}

std::vector<std::uint8_t> end_of_rib_octets() {
  std::vector<std::uint8_t> octets;
  wire::encode_end_of_rib(Family::ipv4, octets);
  return octets;
}

TEST_F(Helper, ARefreshThatBeginsBeforeTheLastOneIsSweptWithdrawsNothing) {
  using enum wire::RefreshKind;
  peer.edit_open = [](wire::Open& open) { open.capabilities.enhanced_refresh = true; };
  bench.establish(peer);
  bench.establish(other);
  bench.announce(peer, route_of(peer, "65001"), {kFirst, kSecond});
  other.changes.clear();
  const auto routes = update_octets(peer, {kFirst, kSecond});
  bench.say(peer, refresh_octets({begin}) + routes + refresh_octets({end, begin}));
  EXPECT_THAT(bench.lost, IsEmpty());
  bench.say(peer, routes + refresh_octets({end}));
  bench.say(peer, refresh_octets({begin}) + routes + refresh_octets({end, begin}) + routes +
                      refresh_octets({end, begin}) + routes + refresh_octets({end, begin}) + routes);
  EXPECT_THAT(bench.lost, IsEmpty());
  EXPECT_THAT(other.changes, IsEmpty());
  // What a refresh left out goes, whatever followed it in the same read.
  bench.say(peer, refresh_octets({end, begin}) + update_octets(peer, {kFirst}) + refresh_octets({end, begin}));
  EXPECT_THAT(bench.lost, ElementsAre(kSecond));
  EXPECT_TRUE(bench.best.contains(kFirst));
}

TEST_F(Helper, ARefreshRightAfterEndOfRibWithdrawsNothingThatWasAnnounced) {
  using enum wire::RefreshKind;
  peer.edit_open = [](wire::Open& open) {
    graceful(Forwarding::preserved)(open);
    open.capabilities.enhanced_refresh = true;
  };
  bench.establish(peer);
  bench.establish(other);
  bench.announce(peer, route_of(peer, "65001"), {kFirst, kSecond});
  bench.end_of_rib(peer);
  bench.run_for(1min);
  other.changes.clear();
  bench.cut(peer);
  bench.establish(peer);
  bench.say(peer, update_octets(peer, {kFirst}) + end_of_rib_octets() + refresh_octets({begin}));
  EXPECT_THAT(bench.lost, ElementsAre(kSecond)) << "it was not announced again before End-of-RIB";
  EXPECT_THAT(other.changes, ElementsAre(std::pair{kSecond, false}));
  bench.say(peer, update_octets(peer, {kFirst}) + refresh_octets({end}));
  EXPECT_TRUE(bench.best.contains(kFirst));
  EXPECT_EQ(bench.lost.size(), 1U);
}

TEST_F(Helper, ARefreshBeforeEndOfRibIsIgnored) {  // RFC 7313 s.4
  using enum wire::RefreshKind;
  peer.edit_open = [](wire::Open& open) {
    graceful(Forwarding::preserved)(open);
    open.capabilities.enhanced_refresh = true;
  };
  bench.establish(peer);
  bench.announce(peer, route_of(peer, "65001"), {kFirst, kSecond});
  bench.say(peer, refresh_octets({begin, end}));
  EXPECT_THAT(bench.lost, IsEmpty());
}

TEST_F(Helper, ManyRefreshesInOneReadKeepEveryRouteThatEachRepeats) {
  using enum wire::RefreshKind;
  peer.edit_open = [](wire::Open& open) { open.capabilities.enhanced_refresh = true; };
  bench.establish(peer);
  bench.announce(peer, route_of(peer, "65001"), {kFirst, kSecond});
  std::vector<std::uint8_t> octets;
  for (int i = 0; i < 700; ++i)  // More than a path's epoch can count.
    octets =
        std::move(octets) + refresh_octets({begin}) + update_octets(peer, {kFirst, kSecond}) + refresh_octets({end});
  bench.say(peer, octets);
  EXPECT_THAT(bench.lost, IsEmpty());
  bench.say(peer, octets + refresh_octets({begin}) + update_octets(peer, {kSecond}) + refresh_octets({end}));
  EXPECT_THAT(bench.lost, ElementsAre(kFirst));
}

TEST_F(Helper, TheEndOfTheTableIsReportedAfterItsRoutes) {
  bench.establish(peer);
  std::vector<Prefix> many;
  for (std::uint32_t i = 0; i < 20000; ++i) many.push_back(Prefix::of(IpAddress::v4(0x14000000U + i * 256), 24));
  bench.say(peer, update_octets(peer, many) + end_of_rib_octets());
  EXPECT_EQ(bench.best.size(), many.size());
  EXPECT_THAT(bench.best_at_end_of_rib, ElementsAre(many.size()));
}

TEST(EndOfRibWithTrackedNextHops, IsReportedAfterTheRoutesWhoseNextHopHadToBeLookedUp) {
  Bench bench{{.asn = Asn{65000}, .router_id = RouterId{0x0A000001}, .next_hop_tracking = NextHopTracking::tracked}};
  RawPeer& peer = bench.add(1, Asn{65001});
  bench.establish(peer);
  bench.say(peer, update_octets(peer, {kFirst}) + end_of_rib_octets());
  EXPECT_THAT(bench.ends_of_rib, IsEmpty());
  bench.engine.set_next_hop(peer.id, peer.options.address, true, 0, bench.now);
  bench.pump();
  EXPECT_THAT(bench.best_at_end_of_rib, ElementsAre(1U));
}

// --- The link to a peer that is away --------------------------------------------------------------------------------

TEST_F(Helper, RoutesOfAnAbsentPeerWhoseLinkWasLostDoNotComeBackWithTheLink) {
  come_up();
  bench.cut(peer);
  bench.engine.set_next_hop(peer.id, peer.options.address, false, 0, bench.now);
  bench.pump();
  EXPECT_THAT(bench.best, IsEmpty());
  bench.engine.set_next_hop(peer.id, peer.options.address, true, 0, bench.now);
  bench.pump();
  EXPECT_THAT(bench.best, IsEmpty()) << "it may have restarted on the other side of the cable";
  bench.establish(peer);
  bench.announce(peer, route_of(peer, "65001"), {kFirst});
  EXPECT_TRUE(bench.best.contains(kFirst));
}

TEST_F(Helper, RoutesWhoseLinkWasLostBeforeTheSessionAreNotKept) {
  come_up();
  bench.engine.set_next_hop(peer.id, peer.options.address, false, 0, bench.now);
  bench.pump();
  bench.cut(peer);
  bench.engine.set_next_hop(peer.id, peer.options.address, true, 0, bench.now);
  bench.pump();
  EXPECT_THAT(bench.best, IsEmpty());
}

TEST_F(Helper, OnlyRoutesThroughTheLostNextHopOfAnAbsentPeerGo) {
  come_up();
  PathAttributes through = route_of(peer, "65001");
  through.next_hop.address = "192.0.2.77"_ip;
  bench.announce(peer, through, {kSecond});
  bench.cut(peer);
  bench.engine.set_next_hop(peer.id, "192.0.2.77"_ip, false, 0, bench.now);
  bench.pump();
  bench.engine.set_next_hop(peer.id, "192.0.2.77"_ip, true, 0, bench.now);
  bench.pump();
  EXPECT_TRUE(bench.best.contains(kFirst));
  EXPECT_FALSE(bench.best.contains(kSecond));
}

TEST_F(Helper, ALinkThatFlapsUnderASessionTakesNothingAway) {
  come_up();
  bench.engine.set_next_hop(peer.id, peer.options.address, false, 0, bench.now);
  bench.pump();
  EXPECT_THAT(bench.best, IsEmpty());
  bench.engine.set_next_hop(peer.id, peer.options.address, true, 0, bench.now);
  bench.pump();
  EXPECT_EQ(bench.best.size(), 2U);
}

// --- A peer that crashes young --------------------------------------------------------------------------------------

TEST_F(Helper, APeerThatRestartsRightAfterItCameUpIsTakenBackWithinSeconds) {  // RFC 4724 s.5
  for (const Duration age : {0s, 1s, 4s, 7s, 20s}) {
    SCOPED_TRACE(std::chrono::duration_cast<std::chrono::seconds>(age).count());
    peer.edit_open = graceful(Forwarding::preserved);
    bench.establish(peer);
    bench.announce(peer, route_of(peer, "65001"), {kFirst});
    bench.end_of_rib(peer);
    bench.run_for(age);
    bench.lost.clear();
    peer.conn.reset();  // Its host is gone without a word.
    peer.edit_open = graceful(Forwarding::preserved, false, true);
    bench.establish(peer);
    const ConnId conn = *peer.conn;
    bench.announce(peer, route_of(peer, "65001"), {kFirst, kSecond});
    bench.end_of_rib(peer);
    bench.run_for(5s);
    EXPECT_TRUE(bench.established(peer));
    EXPECT_EQ(peer.conn, conn) << "the new connection lives";
    EXPECT_TRUE(bench.best.contains(kSecond));
    EXPECT_THAT(bench.lost, IsEmpty());
    bench.withdraw(peer, {kSecond});
    bench.run_for(61s);  // So that it is no failure for the next round.
    bench.cut(peer);
  }
}

TEST_F(Helper, TheLateOtherHalfOfACollisionDoesNotEndAYoungSession) {
  peer.edit_open = graceful(Forwarding::preserved);
  bench.establish(peer);
  bench.announce(peer, route_of(peer, "65001"), {kFirst});
  const auto first = peer.conn;
  bench.establish(peer);  // The peer closes it when it sees the collision.
  bench.cut(peer);
  bench.run_for(10s);
  EXPECT_TRUE(bench.established(peer));
  EXPECT_TRUE(bench.engine.peer_of(*first).has_value());
  EXPECT_TRUE(bench.best.contains(kFirst));
  EXPECT_THAT(bench.lost, IsEmpty());
}

// --- We restart ----------------------------------------------------------------------------------------------------

struct Restarting : ::testing::Test {
  Bench bench{
      {.asn = Asn{65000}, .router_id = RouterId{0x0A000001}, .forwarding_preserved = true, .restart_deferral = 30s}};
  RawPeer& a = bench.add(1, Asn{65001});
  RawPeer& b = bench.add(2, Asn{65002});
  Restarting() {
    a.edit_open = graceful(Forwarding::preserved);
    b.edit_open = graceful(Forwarding::preserved);
  }
};

TEST_F(Restarting, NothingIsReportedOrAnnouncedBeforeEveryPeerIsDone) {  // RFC 4724 s.4.1
  bench.establish(a);
  ASSERT_TRUE(a.open.has_value() && a.open->capabilities.graceful_restart.has_value());
  EXPECT_TRUE(a.open->capabilities.graceful_restart->restarting);
  EXPECT_TRUE(a.open->capabilities.graceful_restart->forwarding_preserved[0]);
  bench.establish(b);
  bench.announce(a, route_of(a, "65001"), {kFirst});
  bench.end_of_rib(a);
  bench.run_for(10s);
  EXPECT_THAT(bench.best, IsEmpty());
  EXPECT_THAT(b.heard, IsEmpty());
  EXPECT_THAT(b.end_of_rib, IsEmpty());
  EXPECT_FALSE(bench.restart_complete);

  bench.announce(b, route_of(b, "65002"), {kSecond});
  bench.end_of_rib(b);
  EXPECT_EQ(bench.best.size(), 2U);
  EXPECT_TRUE(bench.restart_complete);
  EXPECT_TRUE(b.heard.contains(kFirst));
  EXPECT_THAT(b.end_of_rib, ElementsAre(Family::ipv4));
}

TEST_F(Restarting, OurNetworksGoAtOnceToWhoeverComesAndEverythingToWhoHoldsNothingOfOurs) {
  RawPeer& plain = bench.add(3, Asn{65003}, [](PeerOptions& o) { o.graceful_restart = GracefulRestart::off; });
  bench.engine.announce("10.1.0.0/16"_prefix, {}, bench.now);
  bench.establish(plain);
  EXPECT_TRUE(plain.heard.contains("10.1.0.0/16"_prefix));
  bench.establish(a);
  EXPECT_TRUE(a.heard.contains("10.1.0.0/16"_prefix));
  EXPECT_THAT(a.end_of_rib, IsEmpty()) << "End-of-RIB would end what it keeps of ours";
  // b does not come. What a says goes to the peer that has nothing of ours to go on with.
  bench.announce(a, route_of(a, "65001"), {kFirst});
  EXPECT_TRUE(plain.heard.contains(kFirst));
  bench.announce(plain, route_of(plain, "65003"), {kSecond});
  EXPECT_FALSE(a.heard.contains(kSecond));
  EXPECT_THAT(bench.best, IsEmpty());
  bench.end_of_rib(a);
  bench.run_for(6s);
  EXPECT_TRUE(a.heard.contains(kSecond)) << "who cannot be reached does not hold up the others";
  EXPECT_THAT(a.end_of_rib, ElementsAre(Family::ipv4));
  EXPECT_EQ(bench.best.size(), 2U);
  EXPECT_FALSE(bench.restart_complete) << "but what was adopted of it stays";
  bench.run_for(30s);
  EXPECT_TRUE(bench.restart_complete);
  EXPECT_EQ(bench.best.size(), 2U);
  EXPECT_EQ(plain.heard.size(), 2U);
}

TEST_F(Restarting, APeerThatMayNeverSayEndOfRibIsWaitedForAShortTime) {
  RawPeer& plain = bench.add(3, Asn{65003}, [](PeerOptions& o) { o.graceful_restart = GracefulRestart::off; });
  bench.establish(a);
  bench.establish(b);
  bench.establish(plain);
  bench.announce(a, route_of(a, "65001"), {kFirst});
  bench.end_of_rib(a);
  bench.end_of_rib(b);
  EXPECT_FALSE(bench.restart_complete) << "its table may still come, and confirm what was adopted";
  bench.run_for(6s);
  EXPECT_TRUE(bench.best.contains(kFirst));
  EXPECT_TRUE(bench.restart_complete);
}

TEST_F(Restarting, WhatLeavesDuringTheDeferralIsNeitherReportedNorSent) {
  RawPeer& plain = bench.add(3, Asn{65003}, [](PeerOptions& o) { o.graceful_restart = GracefulRestart::off; });
  bench.establish(plain);
  bench.establish(a);
  bench.announce(a, route_of(a, "65001"), {kFirst, kSecond});
  bench.withdraw(a, {kFirst});
  EXPECT_FALSE(plain.heard.contains(kFirst));
  EXPECT_TRUE(plain.heard.contains(kSecond));
  bench.establish(b);
  bench.announce(b, route_of(b, "65002"), {kFirst});
  bench.end_of_rib(a);
  bench.end_of_rib(b);
  bench.end_of_rib(plain);
  EXPECT_EQ(bench.best.size(), 2U);
  EXPECT_THAT(bench.lost, IsEmpty());
  EXPECT_TRUE(a.heard.contains(kFirst));
  EXPECT_TRUE(b.heard.contains(kSecond));
}

TEST_F(Restarting, APeerThatDoesNotComeIsNotWaitedForLongerThanTheDeferral) {
  bench.establish(a);
  bench.announce(a, route_of(a, "65001"), {kFirst});
  bench.end_of_rib(a);
  bench.run_for(29s);
  EXPECT_FALSE(bench.restart_complete);
  bench.run_for(2s);
  EXPECT_TRUE(bench.restart_complete);
  EXPECT_TRUE(bench.best.contains(kFirst));
}

TEST_F(Restarting, APeerThatRestartsTooIsNotWaitedForButMayConfirmWhatWasAdopted) {
  b.edit_open = graceful(Forwarding::preserved, false, true);
  bench.establish(b);
  bench.establish(a);
  bench.announce(a, route_of(a, "65001"), {kFirst});
  bench.end_of_rib(a);
  EXPECT_TRUE(bench.best.contains(kFirst));
  EXPECT_THAT(b.end_of_rib, ElementsAre(Family::ipv4)) << "one of two that restart speaks first";
  EXPECT_FALSE(bench.restart_complete) << "its routes are still to come";
  bench.announce(b, route_of(b, "65002"), {kSecond});
  bench.end_of_rib(b);
  EXPECT_TRUE(bench.restart_complete);
  EXPECT_TRUE(bench.best.contains(kSecond));
}

TEST_F(Restarting, APeerThatRestartsTooAndSaysNothingEndsWithTheDeferral) {
  b.edit_open = graceful(Forwarding::preserved, false, true);
  bench.establish(b);
  bench.establish(a);
  bench.end_of_rib(a);
  bench.run_for(31s);
  EXPECT_TRUE(bench.restart_complete);
}

TEST(RestartingWithTrackedNextHops, IsCompleteOnlyWhenEveryRouteHasItsAnswer) {
  Bench bench{{.asn = Asn{65000},
               .router_id = RouterId{0x0A000001},
               .next_hop_tracking = NextHopTracking::tracked,
               .forwarding_preserved = true}};
  RawPeer& a = bench.add(1, Asn{65001});
  a.edit_open = graceful(Forwarding::preserved);
  bench.establish(a);
  bench.announce(a, route_of(a, "65001"), {kFirst});
  bench.end_of_rib(a);
  EXPECT_FALSE(bench.restart_complete) << "the route is not usable yet: what was adopted for it must stay";
  ASSERT_EQ(bench.interests.size(), 1U);
  bench.engine.set_next_hop(a.id, a.options.address, true, 0, bench.now);
  bench.pump();
  EXPECT_TRUE(bench.restart_complete);
  EXPECT_TRUE(bench.best_before_complete) << "the routes come first";
}

TEST(Start, WithoutPreservedForwardingNothingWaits) {
  Bench bench;
  RawPeer& a = bench.add(1, Asn{65001});
  a.edit_open = graceful(Forwarding::preserved);
  bench.add(2, Asn{65002});
  bench.establish(a);
  EXPECT_FALSE(a.open->capabilities.graceful_restart->restarting);
  bench.announce(a, route_of(a, "65001"), {kFirst});
  EXPECT_TRUE(bench.best.contains(kFirst));
  EXPECT_FALSE(bench.restart_complete) << "but what was adopted stays until every peer had its say";
  bench.run_for(31s);
  EXPECT_TRUE(bench.restart_complete);
}

TEST(Stop, KeepSaysNothingToThoseWhoHelpAndCeaseToTheOthers) {
  Bench bench;
  RawPeer& helps = bench.add(1, Asn{65001});
  RawPeer& plain = bench.add(2, Asn{65002});
  helps.edit_open = graceful(Forwarding::preserved);
  bench.establish(helps);
  bench.establish(plain);
  bench.engine.stop(Engine::Stop::keep, "upgrade", bench.now);
  bench.pump();
  EXPECT_TRUE(helps.closed);
  EXPECT_FALSE(helps.notification.has_value());
  EXPECT_TRUE(plain.closed);
  ASSERT_TRUE(plain.notification.has_value());
  EXPECT_EQ(plain.notification->code, wire::notify::kCease);
  EXPECT_EQ(wire::shutdown_text(*plain.notification), "upgrade");
}

// --- Prefix limit --------------------------------------------------------------------------------------------------

TEST(ImportLimit, EndsTheSessionAndItsRoutesUntilTheTimeIsOver) {
  Bench bench;
  RawPeer& peer = bench.add(1, Asn{65001}, [](PeerOptions& options) {
    options.import_limit.max = 1;
    options.import_limit.restart_after_s = 60;
  });
  bench.establish(peer);
  bench.announce(peer, route_of(peer, "65001"), {kFirst});
  EXPECT_TRUE(bench.established(peer));
  bench.announce(peer, route_of(peer, "65001"), {kSecond});
  EXPECT_THAT(bench.best, IsEmpty());
  ASSERT_TRUE(peer.notification.has_value());
  EXPECT_EQ(peer.notification->subcode, wire::notify::kMaxPrefixes);
  EXPECT_EQ(bench.status(peer).last_down, DownReason::prefix_limit);
  EXPECT_FALSE(bench.engine.on_accepted(peer.options.address, peer.local, {}, bench.now).has_value());
  bench.run_for(61s);
  bench.establish(peer);
  EXPECT_TRUE(bench.established(peer));
}

TEST(ImportLimit, CountsWhatThePeerAnnouncesNowAndNotWhatIsStale) {
  Bench bench;
  RawPeer& peer = bench.add(1, Asn{65001}, [](PeerOptions& options) { options.import_limit.max = 3; });
  peer.edit_open = graceful(Forwarding::preserved);
  bench.establish(peer);
  bench.announce(peer, route_of(peer, "65001"), {kFirst, kSecond});
  bench.end_of_rib(peer);
  bench.cut(peer);
  bench.establish(peer);
  bench.announce(peer, route_of(peer, "65001"), {"10.1.0.0/16"_prefix, "10.2.0.0/16"_prefix, kFirst});
  EXPECT_TRUE(bench.established(peer));
  bench.end_of_rib(peer);
  EXPECT_EQ(bench.best.size(), 3U);
  bench.withdraw(peer, {kFirst});
  bench.announce(peer, route_of(peer, "65001"), {kSecond});
  EXPECT_TRUE(bench.established(peer));
  bench.announce(peer, route_of(peer, "65001"), {kFirst});
  EXPECT_FALSE(bench.established(peer));
}

TEST(ImportLimit, RaisedOrRemovedEndsTheIdleStateItCaused) {
  for (const bool warn_only : {false, true}) {
    for (const std::uint32_t restart_after_s : {0U, 3600U}) {
      Bench bench;
      RawPeer& peer = bench.add(1, Asn{65001}, [&](PeerOptions& options) {
        options.import_limit.max = 1;
        options.import_limit.restart_after_s = restart_after_s;
      });
      bench.establish(peer);
      bench.announce(peer, route_of(peer, "65001"), {kFirst, kSecond});
      EXPECT_EQ(bench.status(peer).state, PeerState::idle);
      PeerOptions options = peer.options;
      options.default_local_pref = 50;
      ASSERT_TRUE(bench.engine.update_peer(peer.id, options, bench.now));
      EXPECT_EQ(bench.status(peer).state, PeerState::idle) << "that was not the cause";
      options.import_limit.max = warn_only ? 1 : 10;
      options.import_limit.warn_only = warn_only;
      ASSERT_TRUE(bench.engine.update_peer(peer.id, options, bench.now));
      bench.establish(peer);
      bench.announce(peer, route_of(peer, "65001"), {kFirst, kSecond});
      EXPECT_EQ(bench.best.size(), 2U);
    }
  }
}

TEST(ImportLimit, ARestartTimeGivenWhileIdleCounts) {
  Bench bench;
  RawPeer& peer = bench.add(1, Asn{65001}, [](PeerOptions& options) { options.import_limit.max = 1; });
  bench.establish(peer);
  bench.announce(peer, route_of(peer, "65001"), {kFirst, kSecond});
  PeerOptions options = peer.options;
  options.import_limit.restart_after_s = 60;
  ASSERT_TRUE(bench.engine.update_peer(peer.id, options, bench.now));
  bench.run_for(59s);
  EXPECT_EQ(bench.status(peer).state, PeerState::idle);
  bench.run_for(2s);
  bench.establish(peer);
  EXPECT_TRUE(bench.established(peer));
}

TEST(ImportLimit, MayOnlyWarn) {
  Bench bench;
  RawPeer& peer = bench.add(1, Asn{65001}, [](PeerOptions& options) {
    options.import_limit.max = 1;
    options.import_limit.warn_only = true;
  });
  bench.establish(peer);
  bench.announce(peer, route_of(peer, "65001"), {kFirst, kSecond});
  EXPECT_EQ(bench.best.size(), 2U);
  EXPECT_TRUE(bench.established(peer));
}

}  // namespace
}  // namespace minibgp::speaker
