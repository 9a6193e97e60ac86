// What peers tell us: which paths are accepted, kept, judged again, and what a bad UPDATE costs.
#include <tests/support/policy_builder.h>
#include <tests/unit/speaker/raw_peer.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace minibgp::speaker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Prefix kImported = "203.0.113.0/24"_prefix;

struct ImportCase {
  const char* name;
  bool internal;
  std::function<void(PeerOptions&)> options;
  std::function<void(PathAttributes&)> sent;
  bool accepted;
};

class ImportRule : public ::testing::TestWithParam<ImportCase> {};

const ImportCase kImportRules[] = {
    {"plain", false, [](PeerOptions&) {}, [](PathAttributes&) {}, true},
    {"own_as", false, [](PeerOptions&) {}, [](PathAttributes& a) { a.as_path.append_sequence(Asn{65000}); }, false},
    {"own_as_allowed", false, [](PeerOptions& o) { o.allow_as_in = 1; },
     [](PathAttributes& a) { a.as_path.append_sequence(Asn{65000}); }, true},
    {"own_as_twice", false, [](PeerOptions& o) { o.allow_as_in = 1; },
     [](PathAttributes& a) {
       a.as_path.append_sequence(Asn{65000});
       a.as_path.append_sequence(Asn{65000});
     },
     false},
    {"own_next_hop", false, [](PeerOptions&) {}, [](PathAttributes& a) { a.next_hop.address = "192.0.2.254"_ip; },
     false},
    {"originated_here", true, [](PeerOptions&) {}, [](PathAttributes& a) { a.originator_id = RouterId{0x0A000001}; },
     false},
    {"our_cluster", true, [](PeerOptions&) {},
     [](PathAttributes& a) {
       a.originator_id = RouterId{5};
       a.cluster_list = {RouterId{9}, RouterId{0x0A000001}};
     },
     false},
    {"other_cluster", true, [](PeerOptions&) {},
     [](PathAttributes& a) {
       a.originator_id = RouterId{5};
       a.cluster_list = {RouterId{9}};
     },
     true},
    {"leak_from_customer", false, [](PeerOptions& o) { o.role = Role::provider; },
     [](PathAttributes& a) { a.only_to_customer = Asn{65009}; }, false},
    {"leak_from_peer", false, [](PeerOptions& o) { o.role = Role::peer; },
     [](PathAttributes& a) { a.only_to_customer = Asn{65009}; }, false},
    {"marked_by_peer", false, [](PeerOptions& o) { o.role = Role::peer; },
     [](PathAttributes& a) { a.only_to_customer = Asn{65001}; }, true},
    {"from_provider", false, [](PeerOptions& o) { o.role = Role::customer; },
     [](PathAttributes& a) { a.only_to_customer = Asn{65009}; }, true},
    {"no_policy", false, [](PeerOptions& o) { o.import_policy = nullptr; }, [](PathAttributes&) {}, false},
    {"no_policy_internal", true, [](PeerOptions& o) { o.import_policy = nullptr; }, [](PathAttributes&) {}, true},
};

TEST_P(ImportRule, SaysWhatIsAccepted) {
  const ImportCase& row = GetParam();
  Bench bench;
  RawPeer& peer = bench.add(1, row.internal ? Asn{65000} : Asn{65001}, row.options);
  bench.establish(peer);
  PathAttributes sent = route_of(peer, row.internal ? "65009" : "65001");
  sent.local_pref = 100;
  row.sent(sent);
  bench.announce(peer, sent, {kImported});
  EXPECT_EQ(bench.best.contains(kImported), row.accepted);
  EXPECT_EQ(bench.status(peer).prefixes_received, 1U) << "what is refused is kept all the same";
  EXPECT_EQ(bench.status(peer).prefixes_accepted, row.accepted ? 1U : 0U);
}
INSTANTIATE_TEST_SUITE_P(Rules, ImportRule, ::testing::ValuesIn(kImportRules),
                         [](const auto& test) { return std::string{test.param.name}; });

struct One : ::testing::Test {
  Bench bench;
  RawPeer& peer = bench.add(1, Asn{65001});
};
using Import = One;

TEST_F(Import, APolicyThatAsksForOwnNetworksIsAskedAgainWhereAllReceivedArePrefixesOfOurs) {
  RawPeer& outside = bench.add(2, Asn{65002}, [](PeerOptions& options) {
    options.import_policy = minibgp::testing::accepting(match::OwnPrefix{false});
  });
  bench.establish(outside);
  bench.announce(outside, route_of(outside, "65002"), {kImported});
  ASSERT_EQ(bench.status(outside).prefixes_accepted, 1U);
  PathAttributes own;
  own.next_hop.address = "192.0.2.254"_ip;
  bench.engine.input(input::Announce{kImported, own}, bench.now);
  bench.pump();
  EXPECT_EQ(bench.status(outside).prefixes_accepted, 0U);
}

TEST_F(Import, AForeignFirstAsIsTreatedAsWithdrawn) {  // RFC 4271 s.6.3
  bench.establish(peer);
  bench.announce(peer, route_of(peer, "65001"), {kImported});
  bench.announce(peer, route_of(peer, "65002 65001"), {kImported});
  EXPECT_THAT(bench.best, IsEmpty());
  EXPECT_EQ(bench.status(peer).prefixes_accepted, 0U);
  EXPECT_EQ(bench.status(peer).prefixes_received, 1U) << "kept for when the option changes, as all that is refused";
  EXPECT_EQ(bench.status(peer).counters.treated_as_withdraw, 1U);
  EXPECT_TRUE(bench.established(peer));
  peer.options.enforce_first_as = false;
  ASSERT_TRUE(bench.engine.update_peer(peer.id, peer.options, bench.now).has_value());
  bench.announce(peer, route_of(peer, "65002 65001"), {kImported});
  EXPECT_TRUE(bench.best.contains(kImported));
}

TEST_F(Import, AMalformedAttributeWithdrawsItsPrefixesAndKeepsTheSession) {  // RFC 7606
  bench.establish(peer);
  bench.announce(peer, route_of(peer, "65001"), {kImported});
  // ORIGIN 9, AS_PATH 65001, NEXT_HOP 192.0.2.1; 203.0.113.0/24.
  bench.say(
      peer,
      "ffffffffffffffffffffffffffffffff002f02 0000 0014 40010109 400206020100 00fde9 400304c0000201 18cb0071"_hex);
  EXPECT_THAT(bench.best, IsEmpty());
  EXPECT_TRUE(bench.established(peer));
  EXPECT_EQ(bench.status(peer).counters.treated_as_withdraw, 1U);
}

TEST_F(Import, GracefulShutdownMakesAPathTheLeastPreferred) {  // RFC 8326
  RawPeer& other = bench.add(2, Asn{65002});
  bench.establish(peer);
  bench.establish(other);
  PathAttributes leaving = route_of(peer, "65001");
  bench.announce(peer, leaving, {kImported});
  bench.announce(other, route_of(other, "65002 65003 65004"), {kImported});
  EXPECT_EQ(bench.best.at(kImported)[0].peer, peer.id);
  leaving.communities = {kGracefulShutdown};
  bench.announce(peer, leaving, {kImported});
  EXPECT_EQ(bench.best.at(kImported)[0].peer, other.id);
}

TEST_F(Import, LeavingAPeerGracefullyTellsItAndPrefersTheOthers) {  // RFC 8326
  RawPeer& other = bench.add(2, Asn{65002});
  bench.establish(peer);
  bench.establish(other);
  const Prefix own = "198.51.100.0/24"_prefix;
  bench.engine.announce(own, {}, bench.now);
  bench.announce(peer, route_of(peer, "65001"), {kImported});
  bench.announce(other, route_of(other, "65002 65003 65004"), {kImported});
  for (const bool leaves : {true, false}) {
    peer.options.graceful_shutdown = leaves;
    ASSERT_TRUE(bench.engine.update_peer(peer.id, peer.options, bench.now).has_value());
    bench.pump();
    EXPECT_EQ(bench.best.at(kImported)[0].peer, leaves ? other.id : peer.id);
    EXPECT_EQ(peer.heard.at(own).has(kGracefulShutdown), leaves);
    EXPECT_FALSE(other.heard.at(own).has(kGracefulShutdown));
    EXPECT_TRUE(bench.established(peer)) << "the session stays";
  }
}

TEST_F(Import, AnUnmarkedPathOfAProviderIsMarked) {  // RFC 9234 s.5
  peer.options.role = Role::customer;
  ASSERT_TRUE(bench.engine.update_peer(peer.id, peer.options, bench.now).has_value());
  bench.establish(peer);
  bench.announce(peer, route_of(peer, "65001"), {kImported});
  const auto paths = bench.engine.routes({});
  ASSERT_EQ(paths.size(), 1U);
  EXPECT_EQ(paths[0].accepted->only_to_customer, Asn{65001});
  EXPECT_FALSE(paths[0].received.only_to_customer.has_value());
}

TEST_F(Import, TheTableReadInPartsIsTheTable) {
  bench.establish(peer);
  std::vector<Prefix> prefixes;
  for (std::uint32_t i = 0; i < 1000; ++i) prefixes.push_back(Prefix::of(IpAddress::v4(0x0A000000U + i * 256), 24));
  bench.announce(peer, route_of(peer, "65001"), prefixes);
  RouteFilter filter;
  for (const bool longer : {false, true}) {
    if (longer) filter.prefix = "10.0.2.0/23"_prefix;
    if (longer) filter.match = RouteFilter::Match::longer;
    std::vector<PathSnapshot> found;
    std::size_t parts = 0;
    for (std::uint32_t next = 0; parts == 0 || next != 0; ++parts)
      next = bench.engine.routes_part(filter, next, 600, found);
    EXPECT_EQ(parts, 4U);
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.prefix < b.prefix; });
    const std::vector<PathSnapshot> whole = bench.engine.routes(filter);
    ASSERT_EQ(found.size(), longer ? 2U : 1000U);
    ASSERT_EQ(whole.size(), found.size());
    for (std::size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i].prefix, whole[i].prefix);
  }
}

TEST_F(Import, ANewPolicyJudgesWhatWasReceivedWithoutAskingThePeer) {
  bench.establish(peer);
  std::vector<Prefix> prefixes;
  for (std::uint32_t i = 0; i < 10'000; ++i) prefixes.push_back(Prefix::of(IpAddress::v4(0x0A000000U + i * 256), 24));
  bench.announce(peer, route_of(peer, "65001"), prefixes);
  EXPECT_EQ(bench.best.size(), 10'000U);
  const std::size_t batches = bench.best_batches;
  peer.options.import_policy = Policy::reject_all();
  ASSERT_TRUE(bench.engine.update_peer(peer.id, peer.options, bench.now).has_value());
  bench.pump();
  EXPECT_THAT(bench.best, IsEmpty());
  EXPECT_GE(bench.best_batches - batches, 3U) << "in turns of 4096, so that others get theirs";
  EXPECT_EQ(bench.status(peer).prefixes_received, 10'000U);
  peer.options.import_policy = Policy::accept_all();
  ASSERT_TRUE(bench.engine.update_peer(peer.id, peer.options, bench.now).has_value());
  bench.pump();
  EXPECT_EQ(bench.best.size(), 10'000U);
  EXPECT_THAT(peer.refreshes, IsEmpty());
  EXPECT_TRUE(bench.established(peer));
}

TEST_F(Import, NextHopsAreAskedForAndDecideWhatIsUsed) {
  Bench tracked{{.asn = Asn{65000}, .router_id = RouterId{1}, .next_hop_tracking = NextHopTracking::tracked}};
  RawPeer& from = tracked.add(1, Asn{65001});
  tracked.establish(from);
  tracked.announce(from, route_of(from, "65001"), {kImported});
  EXPECT_THAT(tracked.best, IsEmpty());
  ASSERT_EQ(tracked.interests.size(), 1U);
  EXPECT_EQ(tracked.interests[0].next_hop, from.options.address);
  tracked.engine.set_next_hop(from.id, from.options.address, true, 0, tracked.now);
  tracked.pump();
  EXPECT_TRUE(tracked.best.contains(kImported));
  tracked.engine.set_next_hop(from.id, from.options.address, false, 0, tracked.now);
  tracked.pump();
  EXPECT_THAT(tracked.best, IsEmpty());
  EXPECT_TRUE(tracked.established(from)) << "the session is another matter";
  tracked.withdraw(from, {kImported});
  ASSERT_EQ(tracked.interests.size(), 2U);
  EXPECT_FALSE(tracked.interests[1].wanted);
}

TEST_F(Import, EqualCostPathsShareByWeightOrBandwidth) {
  Bench ecmp{{.asn = Asn{65000}, .router_id = RouterId{1}, .maximum_paths = 4, .multipath = Multipath::relax}};
  RawPeer& a = ecmp.add(1, Asn{65001});
  RawPeer& b = ecmp.add(2, Asn{65002}, [](PeerOptions& o) { o.ecmp_weight = 3; });
  ecmp.establish(a);
  ecmp.establish(b);
  PathAttributes from_a = route_of(a, "65001");
  PathAttributes from_b = route_of(b, "65002");
  ecmp.announce(a, from_a, {kImported});
  ecmp.announce(b, from_b, {kImported});
  ASSERT_EQ(ecmp.best.at(kImported).size(), 2U);
  EXPECT_EQ(ecmp.best.at(kImported)[0].weight, 1U);
  EXPECT_EQ(ecmp.best.at(kImported)[1].weight, 3U);
  // 1 and 4 million octets a second (0x49742400, 0x4A742400 as IEEE floats).
  from_a.extended_communities = {ExtendedCommunity{0x4004FDE949742400U}};
  from_b.extended_communities = {ExtendedCommunity{0x4004FDEA4A742400U}};
  ecmp.announce(a, from_a, {kImported});
  ecmp.announce(b, from_b, {kImported});
  EXPECT_EQ(ecmp.best.at(kImported)[0].weight, 64U);
  EXPECT_EQ(ecmp.best.at(kImported)[1].weight, 255U);
}

TEST_F(Import, BandwidthsCountOnlyWhereEveryPathHasOneThatMakesSense) {
  Bench ecmp{{.asn = Asn{65000}, .router_id = RouterId{1}, .maximum_paths = 4, .multipath = Multipath::relax}};
  RawPeer& a = ecmp.add(1, Asn{65001});
  RawPeer& b = ecmp.add(2, Asn{65002}, [](PeerOptions& o) { o.ecmp_weight = 3; });
  ecmp.establish(a);
  ecmp.establish(b);
  // IEEE floats: 1e6, 1, 0, -1, infinity, not a number.
  constexpr std::uint64_t kMillion = 0x49742400;
  struct Row {
    std::optional<std::uint64_t> of_a, of_b;
    std::uint16_t a, b;
  };
  const std::vector<Row> rows{
      {kMillion, std::nullopt, 1, 3}, {kMillion, 0x00000000, 1, 3},       {kMillion, 0xBF800000, 1, 3},
      {kMillion, 0x7F800000, 1, 3},   {0x7FC00000, kMillion, 1, 3},       {kMillion, kMillion, 255, 255},
      {0x3F800000, kMillion, 1, 255}, {std::nullopt, std::nullopt, 1, 3},
  };
  for (const Row& row : rows) {
    PathAttributes from_a = route_of(a, "65001");
    PathAttributes from_b = route_of(b, "65002");
    // Transitive from one, non-transitive from the other: both are in use.
    if (row.of_a) from_a.extended_communities = {ExtendedCommunity{0x4004FDE900000000U | *row.of_a}};
    if (row.of_b) from_b.extended_communities = {ExtendedCommunity{0x0004FDEA00000000U | *row.of_b}};
    ecmp.announce(a, from_a, {kImported});
    ecmp.announce(b, from_b, {kImported});
    SCOPED_TRACE(&row - rows.data());
    ASSERT_EQ(ecmp.best.at(kImported).size(), 2U);
    EXPECT_EQ(ecmp.best.at(kImported)[0].weight, row.a);
    EXPECT_EQ(ecmp.best.at(kImported)[1].weight, row.b);
  }
}

TEST_F(Import, ManyMessagesAtOnceAreWorkedOnInTurnsAndNothingIsLost) {
  bench.establish(peer);
  wire::UpdateContext context;
  wire::EncodedAttributes encoded;
  const PathAttributes sent = route_of(peer, "65001");
  wire::encode_attributes(sent, Family::ipv4, context, encoded);
  std::vector<std::uint8_t> octets;
  for (std::uint32_t i = 0; i < 5000; ++i) {
    const Prefix prefix = Prefix::of(IpAddress::v4(0x0A000000U + i * 256), 24);
    static_cast<void>(
        wire::encode_announce(encoded, sent.next_hop, Family::ipv4, std::span{&prefix, 1}, context, octets));
  }
  bench.engine.on_received(*peer.conn, octets, bench.now);
  EXPECT_FALSE(bench.engine.wants_bytes(*peer.conn)) << "so that TCP slows the peer down";
  EXPECT_LE(bench.engine.next_deadline(), bench.now);
  EXPECT_LT(bench.engine.route_count(), 5000U);
  octets.assign(octets.size(), 0);  // The rim's buffer is its own again.
  bench.pump();
  EXPECT_EQ(bench.engine.route_count(), 5000U);
  EXPECT_TRUE(bench.engine.wants_bytes(*peer.conn));
}

}  // namespace
}  // namespace minibgp::speaker
