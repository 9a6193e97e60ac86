// The parts of an engine, each alone: peers by id, what waits after our restart, routes of a peer that restarts,
// refreshes, own routes, log lines, and the order of what is reported.
#include <bgp/speaker/change_report.h>
#include <bgp/speaker/deferral.h>
#include <bgp/speaker/own_routes.h>
#include <bgp/speaker/peer_table.h>
#include <bgp/speaker/refreshes.h>
#include <bgp/speaker/session_log.h>
#include <bgp/speaker/stale_routes.h>
#include <bgp/text.h>

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <testing/values.h>

namespace minibgp::speaker {
namespace {

using namespace std::chrono_literals;
using namespace minibgp::testing::literals;

constexpr Time kStart{1000s};
const Prefix kPrefix = "203.0.113.0/24"_prefix;

PeerOptions options_of(std::uint32_t number) {
  PeerOptions options;
  options.address = IpAddress::v4(0xC0000200U + number);
  options.remote_as = Asn{65000 + number};
  return options;
}

/// A RIB, and the parts of an engine over it.
class PartsTest : public ::testing::Test {
 protected:
  PartsTest() { next_hops_.set_tracking(NextHopTracking::assume_usable); }
  Peering& add_peer(std::uint32_t number) {
    Peering& peering = **peers_.add(options_of(number));
    table_.set_peer(peering.id, rib::PeerFacts{true, RouterId{number}, peering.options.address, 100});
    peering.since = kStart;
    return peering;
  }
  void set_path(const Peering& peering, const Prefix& prefix = kPrefix) {
    PathAttributes attributes;
    attributes.as_path = *parse_as_path("65001");
    attributes.next_hop.address = peering.options.address;
    const AttrId id = attributes_.intern(attributes);
    table_.set_path(prefix, {peering.id, 0}, id, id);
    attributes_.release(id);
  }
  /// Sweeps to the end, and reports all changes.
  void settle() {
    while (!sweeper_.idle()) sweeper_.run([](PeerId, rib::RouteId, std::uint32_t) {});
    while (changes_.next_batch(ChangeReport::Selection::under_way)) continue;
  }
  static wire::GracefulRestartCapability graceful(std::uint16_t restart_time_s) {
    wire::GracefulRestartCapability capability;
    capability.restart_time_s = restart_time_s;
    capability.families = capability.forwarding_preserved = {true, true};
    return capability;
  }

  rib::AttrTable attributes_;
  rib::NextHopIndex next_hops_;
  rib::Table table_{attributes_, next_hops_};
  PrefixFacts facts_;
  PeerTable peers_{1};
  OwnRoutes own_routes_{attributes_, table_, facts_};
  Exporter exporter_{attributes_, table_, facts_};
  Sweeper sweeper_{table_};
  StaleRoutes stale_routes_{table_, next_hops_, sweeper_};
  Refreshes refreshes_{table_, exporter_, sweeper_};
  ChangeReport changes_{{attributes_, next_hops_, table_, exporter_, sweeper_, peers_}};
};

using PeerTableTest = PartsTest;

TEST_F(PeerTableTest, AnAddressIsThatOfOnePeerAndAFreedIdIsUsedAgain) {
  const Peering& first = add_peer(1);
  Peering& second = add_peer(2);
  EXPECT_EQ(peers_.add(options_of(1)).error(), ApiError::duplicate_peer);
  EXPECT_TRUE(peers_.is_taken(options_of(1), &second));
  EXPECT_FALSE(peers_.is_taken(options_of(1), &first));
  const PeerId id = second.id;
  peers_.begin_removal(second);
  EXPECT_EQ(peers_.find_kept(id), nullptr);
  EXPECT_NE(peers_.find(id), nullptr);
  peers_.free_removed(table_, next_hops_);
  EXPECT_EQ(peers_.find(id), nullptr);
  EXPECT_EQ(add_peer(3).id, id);
}

TEST_F(PeerTableTest, ARemovedPeerKeepsItsIdUntilItsPathsAndConnectionsAreGone) {
  Peering& peering = add_peer(1);
  const PeerId id = peering.id;
  set_path(peering);
  const ConnId conn = peers_.connect(peering, session::Session::Side::accepted, {}, {}, kStart).id;
  peering.connections.clear();  // It ended, and its Close was not taken yet.
  peers_.begin_removal(peering);
  peers_.free_removed(table_, next_hops_);
  EXPECT_NE(peers_.find(id), nullptr) << "paths are left";
  EXPECT_TRUE(table_.remove_path(kPrefix, {id, 0}));
  peers_.free_removed(table_, next_hops_);
  EXPECT_NE(peers_.find(id), nullptr) << "a connection reads its options";
  peers_.close(conn);
  EXPECT_NE(peers_.find(conn), nullptr) << "until the Close was carried out";
  peers_.forget_closed();
  EXPECT_EQ(peers_.find(conn), nullptr);
  peers_.free_removed(table_, next_hops_);
  EXPECT_EQ(peers_.find(id), nullptr);
}

TEST_F(PeerTableTest, AConnectionOnWhichNothingWasSaidLeavesItsPeerAtOnce) {
  Peering& peering = add_peer(1);
  Connection& connection = peers_.connect(peering, session::Session::Side::dialed, {}, {}, kStart);
  ASSERT_EQ(peering.connections, std::vector{&connection});
  const Close close = peers_.drop_silently(connection);
  EXPECT_EQ(close.conn, connection.id);
  EXPECT_EQ(close.how, Close::How::at_once);
  EXPECT_TRUE(connection.ended);
  EXPECT_TRUE(peering.connections.empty());
}

TEST_F(PeerTableTest, ALinkLocalSenderIsAPeerOfItsLink) {
  PeerOptions options = options_of(1);
  options.address = "fe80::1"_ip;
  options.device = "eth1";
  Peering* const peering = *peers_.add(options);
  EXPECT_EQ(peers_.find_sender(options.address, "eth1"), peering);
  EXPECT_EQ(peers_.find_sender(options.address, "eth0"), nullptr);
  EXPECT_EQ(peers_.find_sender("192.0.2.9"_ip, "eth1"), nullptr);
}

class DeferralTest : public PartsTest {
 protected:
  void establish(Peering& peering) {
    peering.established = &connection_;
    peering.negotiated.families = {true, false};
    peering.negotiated.peer_graceful_restart = graceful(120);
  }
  Connection connection_;
  Deferral deferral_{kStart + 360s, true};
};

TEST_F(DeferralTest, SelectionWaitsForTheEndOfEachTableOfThePeersThatAreUp) {
  Peering& first = add_peer(1);
  Peering& second = add_peer(2);
  establish(first);
  establish(second);
  first.end_of_rib_received[0] = true;
  EXPECT_FALSE(deferral_.ends_selection(peers_, true, kStart + 10s));
  EXPECT_TRUE(deferral_.defers_selection());
  second.end_of_rib_received[0] = true;
  EXPECT_FALSE(deferral_.ends_selection(peers_, false, kStart + 11s)) << "a route is still swept";
  EXPECT_TRUE(deferral_.ends_selection(peers_, true, kStart + 12s));
  EXPECT_FALSE(deferral_.defers_selection());
  EXPECT_TRUE(deferral_.over());
  EXPECT_FALSE(deferral_.ends_selection(peers_, true, kStart + 13s)) << "once";
}

TEST_F(DeferralTest, SelectionDoesNotWaitForAPeerThatRestartsTooButAdoptionDoes) {
  Peering& peering = add_peer(1);
  establish(peering);
  peering.negotiated.peer_graceful_restart->restarting = true;
  EXPECT_TRUE(deferral_.ends_selection(peers_, true, kStart + 1s));
  EXPECT_FALSE(deferral_.over());
  EXPECT_EQ(deferral_.next_deadline(peers_, kStart + 6s), kStart + 360s);
  EXPECT_FALSE(deferral_.ends_selection(peers_, true, kStart + 360s)) << "it has ended before";
  EXPECT_TRUE(deferral_.over());
  EXPECT_EQ(deferral_.next_deadline(peers_, kStart + 360s), kNever);
}

TEST_F(DeferralTest, APeerWithoutGracefulRestartHasAShortTime) {
  Peering& peering = add_peer(1);
  establish(peering);
  peering.negotiated.peer_graceful_restart.reset();
  EXPECT_EQ(deferral_.next_deadline(peers_, kStart), kStart + kInitialTableTime);
  EXPECT_FALSE(deferral_.ends_selection(peers_, true, kStart + kInitialTableTime - 1ms));
  EXPECT_TRUE(deferral_.ends_selection(peers_, true, kStart + kInitialTableTime));
  EXPECT_TRUE(deferral_.over());
}

TEST_F(DeferralTest, WithoutPeersItLastsAsLongAsItMayAndThenEndsBothAtOnce) {
  EXPECT_FALSE(deferral_.ends_selection(peers_, true, kStart + 359s)) << "one may still be added";
  EXPECT_TRUE(deferral_.ends_selection(peers_, false, kStart + 360s));
  EXPECT_TRUE(deferral_.over());
}

TEST_F(DeferralTest, SelectionIsNotDeferredWhereForwardingWasNotPreserved) {
  Deferral deferral(kStart + 360s, false);
  EXPECT_FALSE(deferral.defers_selection());
  EXPECT_FALSE(deferral.over()) << "what was adopted waits all the same";
}

using StaleRoutesTest = PartsTest;

TEST_F(StaleRoutesTest, RoutesOfAPeerThatRestartsStayUntilItsTimeIsOver) {
  Peering& peering = add_peer(1);
  peering.negotiated.peer_graceful_restart = graceful(120);
  set_path(peering);
  stale_routes_.begin(peering, kStart);
  EXPECT_TRUE(peering.any_stale());
  EXPECT_EQ(peering.stale_until, kStart + 120s);
  settle();
  EXPECT_EQ(table_.counts(peering.id).received, 1U);
  stale_routes_.time_is_over(peering);
  settle();
  EXPECT_EQ(table_.counts(peering.id).received, 0U);
  EXPECT_FALSE(peering.any_stale());
  EXPECT_EQ(peering.stale_until, kNever);
}

TEST_F(StaleRoutesTest, WhatThePeerAnnouncesAgainStaysAndTheRestGoesAtItsEndOfRib) {
  Peering& peering = add_peer(1);
  peering.negotiated.peer_graceful_restart = graceful(120);
  peering.negotiated.families = {true, true};
  set_path(peering);
  set_path(peering, "198.51.100.0/24"_prefix);
  stale_routes_.begin(peering, kStart);
  stale_routes_.came_back(peering, kStart + 10s);
  EXPECT_EQ(peering.stale_until, kStart + 10s + kStalePathTime);
  set_path(peering);
  stale_routes_.end(peering, Family::ipv4);
  settle();
  EXPECT_EQ(table_.counts(peering.id).received, 1U);
  EXPECT_TRUE(table_.find(kPrefix));
}

TEST_F(StaleRoutesTest, APeerThatDidNotGoOnForwardingLosesThemAtOnce) {
  Peering& peering = add_peer(1);
  peering.negotiated.peer_graceful_restart = graceful(120);
  peering.negotiated.families = {true, true};
  set_path(peering);
  stale_routes_.begin(peering, kStart);
  peering.negotiated.peer_graceful_restart->forwarding_preserved = {};
  stale_routes_.came_back(peering, kStart + 10s);
  settle();
  EXPECT_FALSE(peering.any_stale());
  EXPECT_EQ(table_.counts(peering.id).received, 0U);
}

TEST_F(StaleRoutesTest, OtherOptionsEndThemWhereTheyWereKeptForAnotherPeer) {
  Peering& peering = add_peer(1);
  peering.negotiated.peer_graceful_restart = graceful(120);
  set_path(peering);
  stale_routes_.begin(peering, kStart);
  const PeerOptions before = peering.options;
  peering.options.default_local_pref = 200;
  stale_routes_.options_changed(peering, before, Asn{65000});
  EXPECT_TRUE(peering.any_stale());
  peering.options.remote_as = Asn{64999};
  stale_routes_.options_changed(peering, before, Asn{65000});
  EXPECT_FALSE(peering.any_stale());
}

class RefreshesTest : public PartsTest {
 protected:
  RefreshesTest() {
    peering_.negotiated.families = {true, false};
    peering_.negotiated.enhanced_refresh = true;
    set_path(peering_);
  }
  Refreshes::Outcome say(wire::RefreshKind kind, Family family = Family::ipv4) {
    return refreshes_.on_message(peering_, {family, kind}, kStart);
  }
  Peering& peering_ = add_peer(1);
};

TEST_F(RefreshesTest, WhatThePeerDoesNotAnnounceAgainGoes) {
  const Prefix other = "198.51.100.0/24"_prefix;
  set_path(peering_, other);
  EXPECT_EQ(say(wire::RefreshKind::begin), Refreshes::Outcome::done);
  set_path(peering_);
  EXPECT_EQ(say(wire::RefreshKind::begin), Refreshes::Outcome::done);
  settle();
  EXPECT_EQ(table_.counts(peering_.id).received, 2U) << "until the end";
  EXPECT_EQ(say(wire::RefreshKind::end), Refreshes::Outcome::done);
  settle();
  EXPECT_EQ(table_.counts(peering_.id).received, 1U) << "a second begin changed nothing";
  EXPECT_EQ(say(wire::RefreshKind::end), Refreshes::Outcome::done);
  settle();
  EXPECT_EQ(table_.counts(peering_.id).received, 1U) << "an end that nothing began";
}

TEST_F(RefreshesTest, OneBegunBeforeEndOfRibIsIgnoredAndSaidOnce) {
  peering_.negotiated.peer_graceful_restart = graceful(120);
  EXPECT_EQ(say(wire::RefreshKind::begin), Refreshes::Outcome::ignored_early);
  EXPECT_EQ(say(wire::RefreshKind::begin), Refreshes::Outcome::done);
  EXPECT_FALSE(peering_.refreshing[0]);
  peering_.end_of_rib_received[0] = true;
  EXPECT_EQ(say(wire::RefreshKind::begin), Refreshes::Outcome::done);
  EXPECT_TRUE(peering_.refreshing[0]);
}

TEST_F(RefreshesTest, WithoutTheFamilyOrTheCapabilityNothingBegins) {
  EXPECT_EQ(say(wire::RefreshKind::begin, Family::ipv6), Refreshes::Outcome::done);
  peering_.negotiated.enhanced_refresh = false;
  EXPECT_EQ(say(wire::RefreshKind::begin), Refreshes::Outcome::done);
  EXPECT_EQ(peering_.refreshing, (std::array<bool, kFamilies>{}));
}

TEST(SessionLog, ALineNamesItsPeerAndNothingIsWrittenWithoutASinkOrBelowItsLevel) {
  struct Sink final : LogSink {
    [[nodiscard]] bool wants(LogLevel level, LogArea area) const override {
      return area == LogArea::session && level != LogLevel::debug;
    }
    void write(LogLevel, LogArea, std::string_view text) override { lines.emplace_back(text); }
    std::vector<std::string> lines;
  } sink;
  const Peering peering{PeerId{1}, options_of(1), 1};
  SessionLog log{&sink};
  log.log(LogLevel::info, peering, "session up");
  log.log(LogLevel::debug, peering, "not this");
  SessionLog{nullptr}.log(LogLevel::info, peering, "nor this");
  EXPECT_EQ(sink.lines, std::vector<std::string>{"peer 192.0.2.1: session up"});
}

using OwnRoutesTest = PartsTest;

TEST_F(OwnRoutesTest, AnOwnNetworkWinsAndIsAFactForPolicies) {
  Peering& peering = add_peer(1);
  set_path(peering);
  own_routes_.announce(kPrefix, {});
  EXPECT_EQ(table_.route(*table_.find(kPrefix)).best_path()->peer, kLocalPeer);
  EXPECT_NE(facts_.own_networks.exact(kPrefix), nullptr);
  EXPECT_TRUE(std::exchange(facts_.changed, false));
  own_routes_.announce(kPrefix, {});
  EXPECT_FALSE(facts_.changed) << "it is a network of ours already";
  EXPECT_EQ(own_routes_.all().size(), 1U);
  own_routes_.withdraw(kPrefix);
  EXPECT_TRUE(facts_.changed);
  EXPECT_EQ(table_.route(*table_.find(kPrefix)).best_path()->peer, peering.id);
  own_routes_.withdraw(kPrefix);  // Once more has no effect.
  EXPECT_EQ(own_routes_.size(), 0U);
}

TEST_F(OwnRoutesTest, APartOfANetworkGoesBehindWhatOthersKnowAndIsNoNetworkOfOurs) {
  Peering& peering = add_peer(1);
  set_path(peering);
  PathAttributes part;
  part.local.network_bits = 16;
  own_routes_.announce(kPrefix, part);
  EXPECT_EQ(table_.route(*table_.find(kPrefix)).best_path()->peer, peering.id);
  EXPECT_EQ(facts_.own_networks.exact(kPrefix), nullptr);
  EXPECT_FALSE(facts_.changed);
}

class ChangeReportTest : public PartsTest {
 protected:
  using Selection = ChangeReport::Selection;
  /// Prefixes of the next batch.
  std::string batch(Selection selection) {
    std::string text;
    if (const auto changed = changes_.next_batch(selection))
      for (const BestChange& change : changed->changes)
        text += to_text(change.prefix) + (change.paths.empty() ? "- " : "+ ");
    return text;
  }
};

TEST_F(ChangeReportTest, AChangedRouteIsReportedOnceHoweverOftenItChanged) {
  Peering& peering = add_peer(1);
  set_path(peering);
  table_.remove_path(kPrefix, {peering.id, 0});
  set_path(peering);
  EXPECT_TRUE(changes_.waits(Selection::under_way));
  EXPECT_EQ(batch(Selection::under_way), "203.0.113.0/24+ ");
  EXPECT_EQ(batch(Selection::under_way), "");
  EXPECT_FALSE(changes_.waits(Selection::under_way));
}

TEST_F(ChangeReportTest, WhatChangedDuringADeferralIsReportedAtItsEndAndWhatCameAndWentIsNot) {
  Peering& peering = add_peer(1);
  set_path(peering);
  set_path(peering, "198.51.100.0/24"_prefix);
  EXPECT_EQ(batch(Selection::deferred), "");
  table_.remove_path("198.51.100.0/24"_prefix, {peering.id, 0});
  EXPECT_EQ(batch(Selection::deferred), "");
  EXPECT_FALSE(changes_.take_restart_complete(true)) << "a change waits";
  EXPECT_EQ(batch(Selection::under_way), "203.0.113.0/24+ ");
  EXPECT_TRUE(changes_.take_restart_complete(true));
  EXPECT_FALSE(changes_.take_restart_complete(true)) << "once";
}

TEST_F(ChangeReportTest, AnEndOfRibComesAfterTheRoutesBeforeIt) {
  Peering& peering = add_peer(1);
  set_path(peering);
  changes_.end_of_rib({peering.id, Family::ipv4});
  EXPECT_FALSE(changes_.next_end_of_rib(Selection::under_way));
  EXPECT_EQ(batch(Selection::under_way), "203.0.113.0/24+ ");
  EXPECT_FALSE(changes_.next_end_of_rib(Selection::deferred));
  const auto end = changes_.next_end_of_rib(Selection::under_way);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->peer, peering.id);
  EXPECT_FALSE(changes_.next_end_of_rib(Selection::under_way));
}

TEST_F(ChangeReportTest, AnEndOfRibWaitsForTheSweepOfItsPeerAndGoesWithItsSession) {
  Peering& peering = add_peer(1);
  set_path(peering);
  settle();
  stale_routes_.drop_all(peering);
  changes_.end_of_rib({peering.id, Family::ipv4});
  EXPECT_FALSE(changes_.next_end_of_rib(Selection::under_way)) << "what is stale is still swept";
  settle();
  EXPECT_TRUE(changes_.next_end_of_rib(Selection::under_way));
  changes_.end_of_rib({peering.id, Family::ipv4});
  changes_.forget(peering.id);
  EXPECT_FALSE(changes_.next_end_of_rib(Selection::under_way));
}

}  // namespace
}  // namespace minibgp::speaker
