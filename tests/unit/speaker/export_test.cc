// What peers are told: who hears what, in which form, in how many messages, and how groups part and join.
#include <bgp/speaker/export_rules.h>
#include <tests/support/policy_builder.h>
#include <tests/unit/speaker/raw_peer.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace minibgp::speaker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

const Prefix kPrefix = "203.0.113.0/24"_prefix;

std::vector<Prefix> numbered(std::uint32_t count, std::uint32_t first = 0) {
  std::vector<Prefix> prefixes;
  for (std::uint32_t i = first; i < first + count; ++i)
    prefixes.push_back(Prefix::of(IpAddress::v4(0x0A000000U + i * 256), 24));
  return prefixes;
}

struct Two : ::testing::Test {
  Bench bench;
  RawPeer& a = bench.add(1, Asn{65001});
  RawPeer& b = bench.add(2, Asn{65002});
};
using Export = Two;

TEST_F(Export, ToAnExternalPeerWithOurAsAndAddressAndWithoutWhatIsInternal) {  // RFC 4271 s.5.1
  bench.establish(a);
  bench.establish(b);
  PathAttributes sent = route_of(a, "65001 65009");
  sent.med = 5;
  sent.communities = {Community{65001U << 16U | 7U}};
  bench.announce(a, sent, {kPrefix});
  ASSERT_EQ(b.heard.size(), 1U);
  const PathAttributes& heard = b.heard.at(kPrefix);
  EXPECT_EQ(to_text(heard.as_path), "65000 65001 65009");
  EXPECT_EQ(heard.next_hop.address, b.local);
  EXPECT_FALSE(heard.med.has_value()) << "another AS's MED goes no further";
  EXPECT_FALSE(heard.local_pref.has_value());
  EXPECT_EQ(heard.communities, sent.communities);
  EXPECT_THAT(a.heard, IsEmpty()) << "nothing goes back to where it came from";
}

TEST_F(Export, APolicyThatAsksForIkeEndpointsIsAskedAgainWhereAllRoutesAreOurOwn) {
  RawPeer& guarded = bench.add(3, Asn{65003}, [](PeerOptions& options) {
    options.export_policy = minibgp::testing::accepting(match::CoversIkeEndpoint{false});
  });
  bench.establish(guarded);
  PathAttributes own;
  own.next_hop.address = "192.0.2.254"_ip;
  bench.engine.input(input::Announce{kPrefix, own}, bench.now);
  bench.pump();
  ASSERT_TRUE(guarded.heard.contains(kPrefix));
  bench.engine.input(input::SetProtectedAddresses{{"203.0.113.151"_ip}}, bench.now);
  bench.pump();
  EXPECT_FALSE(guarded.heard.contains(kPrefix));
  bench.engine.input(input::SetProtectedAddresses{{}}, bench.now);
  bench.pump();
  EXPECT_TRUE(guarded.heard.contains(kPrefix));
}

TEST_F(Export, APolicyThatAsksForOwnNetworksIsAskedAgainAboutTheirParts) {
  RawPeer& inside = bench.add(3, Asn{65003}, [](PeerOptions& options) {
    options.export_policy = minibgp::testing::accepting(match::OwnPrefix{true});
  });
  bench.establish(inside);
  PathAttributes network, part;
  network.next_hop.address = part.next_hop.address = "192.0.2.254"_ip;
  part.local.network_bits = 24;
  const Prefix half = "203.0.113.0/25"_prefix;
  bench.engine.input(input::Announce{half, part}, bench.now);
  bench.pump();
  EXPECT_FALSE(inside.heard.contains(half));
  bench.engine.input(input::Announce{kPrefix, network}, bench.now);
  bench.pump();
  EXPECT_TRUE(inside.heard.contains(half));
  bench.engine.input(input::Withdraw{kPrefix}, bench.now);
  bench.pump();
  EXPECT_FALSE(inside.heard.contains(half));
}

TEST_F(Export, NonTransitiveExtendedCommunitiesStayInsideTheAs) {  // RFC 4360 s.6
  RawPeer& inside = bench.add(3, Asn{65000});
  for (RawPeer* peer : {&a, &b, &inside}) bench.establish(*peer);
  PathAttributes sent = route_of(a, "65001");
  const ExtendedCommunity target = *parse_extended_community("rt:65001:1");
  const ExtendedCommunity bandwidth = *parse_extended_community("lb:65001:125000");
  sent.extended_communities = {target, bandwidth};
  bench.announce(a, sent, {kPrefix});
  EXPECT_THAT(inside.heard.at(kPrefix).extended_communities, ElementsAre(target, bandwidth));
  EXPECT_THAT(b.heard.at(kPrefix).extended_communities, ElementsAre(target));
}

TEST_F(Export, EqualAttributesShareOneMessageAndEachMemberItsOwnNextHop) {
  b.local = "198.51.100.1"_ip;
  RawPeer& c = bench.add(3, Asn{65003});
  c.local = "198.51.100.2"_ip;
  for (RawPeer* peer : {&a, &b, &c}) bench.establish(*peer);
  EXPECT_EQ(bench.groups(), 1U) << "another AS number or local address is no other rule";
  const std::size_t before = b.updates;
  bench.announce(a, route_of(a, "65001"), numbered(500));
  EXPECT_EQ(b.heard.size(), 500U);
  EXPECT_EQ(b.updates - before, 1U);
  EXPECT_EQ(b.heard.begin()->second.next_hop.address, b.local);
  EXPECT_EQ(c.heard.begin()->second.next_hop.address, c.local);
}

TEST_F(Export, WhenAnotherPeersPathBecomesBestItsSenderIsToldThatOursIsGone) {
  RawPeer& c = bench.add(3, Asn{65003});
  for (RawPeer* peer : {&a, &b, &c}) bench.establish(*peer);
  bench.announce(a, route_of(a, "65001 65009"), {kPrefix});
  EXPECT_TRUE(b.heard.contains(kPrefix));
  b.changes.clear();
  bench.announce(b, route_of(b, "65002"), {kPrefix});
  EXPECT_THAT(b.changes, ElementsAre(Pair(kPrefix, false)));
  EXPECT_EQ(to_text(a.heard.at(kPrefix).as_path), "65000 65002");
  EXPECT_EQ(to_text(c.heard.at(kPrefix).as_path), "65000 65002");
  bench.withdraw(b, {kPrefix});
  EXPECT_EQ(to_text(b.heard.at(kPrefix).as_path), "65000 65001 65009");
  EXPECT_FALSE(a.heard.contains(kPrefix));
}

TEST_F(Export, ARouteThatFlapsWhileThePeerIsFullIsSentOnce) {
  bench.establish(a);
  bench.establish(b);
  bench.let_read(b, false);
  // Fills b's queue: attributes of almost 4 KiB, one message each.
  for (std::uint32_t i = 0; i < 350; ++i) {
    PathAttributes large = route_of(a, "65001");
    for (std::uint32_t c = 0; c < 900; ++c) large.communities.push_back(Community{i * 1000 + c});
    bench.announce(a, large, numbered(1, 100 + i));
  }
  for (int i = 0; i < 10; ++i) {
    bench.announce(a, route_of(a, i % 2 == 0 ? "65001 65010" : "65001"), {kPrefix});
    bench.withdraw(a, {kPrefix});
  }
  bench.announce(a, route_of(a, "65001 65020"), {kPrefix});
  EXPECT_LT(bench.engine.memory().back().octets, 1400U * 1024) << "the queue does not grow with what happens";
  bench.let_read(b, true);
  std::size_t told = 0;
  for (const auto& [prefix, announced] : b.changes) told += prefix == kPrefix ? 1U : 0U;
  EXPECT_EQ(told, 1U);
  EXPECT_EQ(to_text(b.heard.at(kPrefix).as_path), "65000 65001 65020");
  EXPECT_EQ(b.heard.size(), 351U);
}

TEST_F(Export, APeerThatLagsGetsItsOwnGroupAndComesBack) {
  RawPeer& c = bench.add(3, Asn{65003});
  for (RawPeer* peer : {&a, &b, &c}) bench.establish(*peer);
  bench.let_read(b, false);
  for (std::uint32_t i = 0; i < 400; ++i) {
    PathAttributes large = route_of(a, "65001");
    for (std::uint32_t k = 0; k < 900; ++k) large.communities.push_back(Community{i * 1000 + k});
    bench.announce(a, large, numbered(1, i));
  }
  EXPECT_EQ(c.heard.size(), 400U) << "the others do not wait";
  EXPECT_EQ(bench.groups(), 2U);
  bench.withdraw(a, numbered(50));
  EXPECT_EQ(c.heard.size(), 350U);
  bench.let_read(b, true);
  EXPECT_EQ(b.heard, c.heard);
  EXPECT_EQ(bench.groups(), 1U);
  bench.withdraw(a, numbered(400));
  EXPECT_THAT(b.heard, IsEmpty());
  EXPECT_EQ(bench.attribute_sets(), 0U);
}

TEST_F(Export, APeerThatComesLaterHearsTheWholeTableThenEndOfRib) {
  bench.establish(a);
  bench.announce(a, route_of(a, "65001"), numbered(10'000));
  bench.establish(b);
  EXPECT_EQ(b.heard.size(), 10'000U);
  EXPECT_THAT(b.end_of_rib, ElementsAre(Family::ipv4));
  EXPECT_TRUE(bench.status(b).end_of_rib_sent[0]);
  EXPECT_EQ(bench.groups(), 1U) << "and shares the group again";
}

TEST_F(Export, ARefreshRepeatsEverythingBetweenItsMarkers) {  // RFC 7313
  b.edit_open = [](wire::Open& open) { open.capabilities.enhanced_refresh = true; };
  bench.establish(a);
  bench.establish(b);
  bench.announce(a, route_of(a, "65001"), numbered(5000));
  b.changes.clear();
  bench.ask_again(b);
  EXPECT_EQ(b.changes.size(), 5000U);
  ASSERT_EQ(b.refreshes.size(), 2U);
  EXPECT_EQ(b.refreshes[0].kind, wire::RefreshKind::begin);
  EXPECT_EQ(b.refreshes[1].kind, wire::RefreshKind::end);
  EXPECT_EQ(bench.groups(), 1U);
}

TEST_F(Export, AChangedPolicyTellsTheDifferenceWithoutANewSession) {
  bench.establish(a);
  bench.establish(b);
  bench.announce(a, route_of(a, "65001"), numbered(10));
  const auto since = bench.status(b).since;
  b.options.export_policy = Policy::reject_all();
  ASSERT_TRUE(bench.engine.update_peer(b.id, b.options, bench.now).has_value());
  bench.pump();
  EXPECT_THAT(b.heard, IsEmpty());
  b.options.export_policy = Policy::accept_all();
  ASSERT_TRUE(bench.engine.update_peer(b.id, b.options, bench.now).has_value());
  bench.pump();
  EXPECT_EQ(b.heard.size(), 10U);
  EXPECT_EQ(bench.status(b).since, since);
  EXPECT_TRUE(bench.established(b));
}

TEST_F(Export, WithoutAPolicyAnExternalPeerGetsNothing) {  // RFC 8212
  RawPeer& c = bench.add(3, Asn{65003}, [](PeerOptions& options) { options.export_policy = nullptr; });
  bench.establish(a);
  bench.establish(c);
  bench.announce(a, route_of(a, "65001"), {kPrefix});
  EXPECT_THAT(c.heard, IsEmpty());
  EXPECT_THAT(c.end_of_rib, ElementsAre(Family::ipv4)) << "which is said, too";
}

TEST_F(Export, BeyondTheLimitNewPrefixesWaitForRoom) {
  RawPeer& c = bench.add(3, Asn{65003}, [](PeerOptions& options) { options.export_limit.max = 5; });
  bench.establish(a);
  bench.establish(c);
  bench.announce(a, route_of(a, "65001"), numbered(8));
  EXPECT_EQ(c.heard.size(), 5U);
  EXPECT_TRUE(bench.established(c));
  bench.announce(c, route_of(c, "65003"), numbered(20, 50));
  EXPECT_EQ(c.heard.size(), 5U) << "its own routes take no room";
  bench.withdraw(a, {c.heard.begin()->first});
  EXPECT_EQ(c.heard.size(), 5U) << "another one takes the place";
}

// --- The rules, row by row -----------------------------------------------------------------------------------------

struct RuleCase {
  const char* name;
  std::function<void(PeerOptions&)> receiver;
  std::function<void(PathAttributes&)> sent;
  const char* heard;  ///< AS_PATH; null: nothing.
};

class ExportRule : public ::testing::TestWithParam<RuleCase> {};

const RuleCase kExportRules[] = {
    {"plain", [](PeerOptions&) {}, [](PathAttributes&) {}, "65000 65001 64512"},
    {"no_export", [](PeerOptions&) {}, [](PathAttributes& a) { a.communities = {kNoExport}; }, nullptr},
    {"no_export_subconfed", [](PeerOptions&) {}, [](PathAttributes& a) { a.communities = {kNoExportSubconfed}; },
     nullptr},
    {"no_advertise", [](PeerOptions&) {}, [](PathAttributes& a) { a.communities = {kNoAdvertise}; }, nullptr},
    {"prepend", [](PeerOptions& o) { o.prepend = 2; }, [](PathAttributes&) {}, "65000 65000 65000 65001 64512"},
    {"local_as", [](PeerOptions& o) { o.local_as = Asn{65100}; }, [](PathAttributes&) {}, "65100 65001 64512"},
    {"remove_private", [](PeerOptions& o) { o.remove_private_as = true; }, [](PathAttributes&) {}, "65000"},
    {"as_override", [](PeerOptions& o) { o.as_override = true; },
     [](PathAttributes& a) { a.as_path.append_sequence(Asn{65002}); }, "65000 65001 64512 65000"},
    {"otc_to_provider", [](PeerOptions& o) { o.role = Role::customer; },
     [](PathAttributes& a) { a.only_to_customer = Asn{65001}; }, nullptr},
    {"otc_to_customer", [](PeerOptions& o) { o.role = Role::provider; },
     [](PathAttributes& a) { a.only_to_customer = Asn{65001}; }, "65000 65001 64512"},
    {"internal_hears_external", [](PeerOptions& o) { o.remote_as = Asn{65000}; }, [](PathAttributes&) {},
     "65001 64512"},
    {"internal_hears_no_export", [](PeerOptions& o) { o.remote_as = Asn{65000}; },
     [](PathAttributes& a) { a.communities = {kNoExport}; }, "65001 64512"},
};

TEST_P(ExportRule, SaysWhoHearsWhat) {
  Bench bench;
  RawPeer& from = bench.add(1, Asn{65001});
  RawPeer& to = bench.add(2, Asn{65002}, GetParam().receiver);
  bench.establish(from);
  bench.establish(to);
  PathAttributes sent = route_of(from, "65001 64512");
  GetParam().sent(sent);
  bench.announce(from, sent, {kPrefix});
  if (GetParam().heard == nullptr) {
    EXPECT_THAT(to.heard, IsEmpty());
    return;
  }
  ASSERT_TRUE(to.heard.contains(kPrefix));
  EXPECT_EQ(to_text(to.heard.at(kPrefix).as_path), GetParam().heard);
}
INSTANTIATE_TEST_SUITE_P(Rules, ExportRule, ::testing::ValuesIn(kExportRules),
                         [](const auto& test) { return std::string{test.param.name}; });

TEST(Roles, WhatGoesToACustomerIsMarkedForCustomersOnly) {  // RFC 9234 s.5
  Bench bench;
  RawPeer& from = bench.add(1, Asn{65001});
  RawPeer& customer = bench.add(2, Asn{65002}, [](PeerOptions& o) { o.role = Role::provider; });
  bench.establish(from);
  bench.establish(customer);
  bench.announce(from, route_of(from, "65001"), {kPrefix});
  EXPECT_EQ(customer.heard.at(kPrefix).only_to_customer, Asn{65000});
}

TEST(Internal, LocalPrefIsAddedAndTheNextHopIsOursOrTheirs) {
  Bench bench;
  RawPeer& external = bench.add(1, Asn{65001}, [](PeerOptions& o) { o.default_local_pref = 150; });
  RawPeer& self = bench.add(2, Asn{65000});
  RawPeer& unchanged = bench.add(3, Asn{65000}, [](PeerOptions& o) { o.next_hop_self = false; });
  for (RawPeer* peer : {&external, &self, &unchanged}) bench.establish(*peer);
  bench.announce(external, route_of(external, "65001"), {kPrefix});
  EXPECT_EQ(self.heard.at(kPrefix).local_pref, 150U);
  EXPECT_EQ(self.heard.at(kPrefix).next_hop.address, self.local);
  EXPECT_EQ(unchanged.heard.at(kPrefix).next_hop.address, external.options.address);
}

TEST(Reflection, GoesToAndFromClientsWithOriginatorAndCluster) {  // RFC 4456
  Bench bench;
  RawPeer& client = bench.add(1, Asn{65000}, [](PeerOptions& o) { o.route_reflector_client = true; });
  RawPeer& other = bench.add(2, Asn{65000});
  RawPeer& third = bench.add(3, Asn{65000});
  for (RawPeer* peer : {&client, &other, &third}) bench.establish(*peer);
  PathAttributes sent = route_of(other, "65009");
  sent.local_pref = 100;
  bench.announce(other, sent, {kPrefix});
  EXPECT_THAT(third.heard, IsEmpty()) << "between those who are no clients nothing is reflected";
  ASSERT_TRUE(client.heard.contains(kPrefix));
  const PathAttributes& heard = client.heard.at(kPrefix);
  EXPECT_EQ(heard.originator_id, RouterId{static_cast<std::uint32_t>(other.id) + 100});
  EXPECT_THAT(heard.cluster_list, ElementsAre(RouterId{0x0A000001}));
  EXPECT_EQ(heard.next_hop.address, other.options.address) << "a reflector does not move traffic to itself";

  const Prefix from_client = "198.51.100.0/24"_prefix;
  sent.next_hop.address = client.options.address;
  bench.announce(client, sent, {from_client});
  EXPECT_TRUE(other.heard.contains(from_client));
  EXPECT_TRUE(third.heard.contains(from_client));
}

TEST(OwnRoutes, AreToldWithOurAddressAndWinOverLearnedOnes) {
  Bench bench;
  RawPeer& a = bench.add(1, Asn{65001});
  RawPeer& b = bench.add(2, Asn{65002});
  bench.establish(a);
  bench.establish(b);
  bench.announce(a, route_of(a, "65001"), {kPrefix});
  EXPECT_EQ(bench.best.count(kPrefix), 1U);
  bench.engine.announce(kPrefix, {}, bench.now);
  bench.pump();
  EXPECT_EQ(bench.best.count(kPrefix), 0U) << "nothing is installed for what is ours";
  EXPECT_EQ(to_text(b.heard.at(kPrefix).as_path), "65000");
  EXPECT_EQ(b.heard.at(kPrefix).next_hop.address, b.local);
  EXPECT_TRUE(a.heard.contains(kPrefix));
  bench.engine.withdraw(kPrefix, bench.now);
  bench.pump();
  EXPECT_EQ(to_text(b.heard.at(kPrefix).as_path), "65000 65001");
  EXPECT_FALSE(a.heard.contains(kPrefix));
}

// --- Announcements to some peers, and parts of networks ------------------------------------------------------------

struct Audience : ::testing::Test {
  Bench bench;
  RawPeer& a = bench.add(1, Asn{65001}, [](PeerOptions& options) { options.audience = 1; });
  RawPeer& b = bench.add(2, Asn{65002}, [](PeerOptions& options) { options.audience = 2; });
  RawPeer& c = bench.add(3, Asn{65003});

  void announce(const Prefix& prefix, std::uint64_t audience, std::uint8_t network_bits = 0) {
    PathAttributes attributes;
    attributes.local.audience = audience;
    attributes.local.network_bits = network_bits;
    bench.engine.announce(prefix, attributes, bench.now);
    bench.pump();
  }
  [[nodiscard]] std::vector<bool> heard(const Prefix& prefix) const {
    return {a.heard.contains(prefix), b.heard.contains(prefix), c.heard.contains(prefix)};
  }
};

TEST_F(Audience, HearsWhatIsForItAndNobodyElseDoes) {
  for (RawPeer* peer : {&a, &b, &c}) bench.establish(*peer);
  announce(kPrefix, 0);
  EXPECT_THAT(heard(kPrefix), ElementsAre(true, true, true));
  announce(kPrefix, 2);
  EXPECT_THAT(heard(kPrefix), ElementsAre(false, true, false)) << "withdrawn from those it is not for any more";
  announce(kPrefix, 3);
  EXPECT_THAT(heard(kPrefix), ElementsAre(true, true, false));
  c.options.audience = 2;
  ASSERT_TRUE(bench.engine.update_peer(c.id, c.options, bench.now).has_value());
  bench.pump();
  EXPECT_THAT(heard(kPrefix), ElementsAre(true, true, true)) << "without a new session";
  EXPECT_TRUE(bench.established(c));
  bench.engine.withdraw(kPrefix, bench.now);
  bench.pump();
  EXPECT_THAT(heard(kPrefix), ElementsAre(false, false, false));
}

TEST_F(Audience, APartOfANetworkIsJudgedByExportPoliciesAsItsNetwork) {
  using namespace minibgp::testing;
  const Prefix network = "172.16.20.0/24"_prefix;
  const Prefix part = "172.16.20.128/25"_prefix;
  a.options.export_policy = accepting(prefix_in({"172.16.20.0/24"}));
  b.options.export_policy = accepting(prefix_in({"172.16.20.128/25"}));
  ASSERT_TRUE(bench.engine.update_peer(a.id, a.options, bench.now).has_value());
  ASSERT_TRUE(bench.engine.update_peer(b.id, b.options, bench.now).has_value());
  for (RawPeer* peer : {&a, &b, &c}) bench.establish(*peer);
  announce(network, 0);
  announce(part, 3, network.length_bits);
  EXPECT_THAT(heard(network), ElementsAre(true, false, true));
  EXPECT_THAT(heard(part), ElementsAre(true, false, false)) << "where the whole goes, and only there, goes the part";
}

TEST_F(Audience, APartYieldsToWhoeverReallyHasIt) {
  for (RawPeer* peer : {&a, &b, &c}) bench.establish(*peer);
  announce("203.0.112.0/23"_prefix, 0);
  announce(kPrefix, 1, 23);
  EXPECT_TRUE(a.heard.contains(kPrefix));
  bench.announce(c, route_of(c, "65003"), {kPrefix});
  ASSERT_EQ(bench.best.count(kPrefix), 1U) << "the learned path stays in use";
  EXPECT_EQ(to_text(b.heard.at(kPrefix).as_path), "65000 65003");
  bench.withdraw(c, {kPrefix});
  EXPECT_EQ(bench.best.count(kPrefix), 0U);
  EXPECT_EQ(to_text(a.heard.at(kPrefix).as_path), "65000");
  EXPECT_FALSE(b.heard.contains(kPrefix));
}

TEST_F(Audience, APartThatBecomesANetworkOfItsOwnIsOne) {
  using namespace minibgp::testing;
  a.options.export_policy = accepting(match::OwnPrefix{});
  ASSERT_TRUE(bench.engine.update_peer(a.id, a.options, bench.now).has_value());
  for (RawPeer* peer : {&a, &b, &c}) bench.establish(*peer);
  announce("203.0.112.0/23"_prefix, 0);
  announce(kPrefix, 1, 23);
  announce(kPrefix, 0);
  bench.engine.withdraw("203.0.112.0/23"_prefix, bench.now);
  bench.pump();
  EXPECT_THAT(heard(kPrefix), ElementsAre(true, true, true));
}

TEST(Ipv6, GoesOverAnIpv4SessionWithTheInterfacesAddressAndOverAnIpv6OneWithOurs) {
  Bench bench;
  const auto both = [](PeerOptions& o) { o.families = {true, true}; };
  RawPeer& a = bench.add(1, Asn{65001}, both);
  RawPeer& b = bench.add(2, Asn{65002}, both);
  RawPeer& c = bench.add(3, Asn{65003}, [&](PeerOptions& o) {
    both(o);
    o.address = "2001:db8::3"_ip;
  });
  b.link.ipv6 = "2001:db8:1::1"_ip;
  c.local = "2001:db8::1"_ip;
  for (RawPeer* peer : {&a, &b, &c}) bench.establish(*peer);
  const Prefix prefix = "2001:db8:5::/48"_prefix;
  PathAttributes sent = route_of(a, "65001");
  sent.next_hop.address = "2001:db8::9"_ip;
  bench.announce(a, sent, {prefix});
  EXPECT_EQ(b.heard.at(prefix).next_hop.address, "2001:db8:1::1"_ip);
  EXPECT_EQ(c.heard.at(prefix).next_hop.address, "2001:db8::1"_ip);
  bench.announce(a, route_of(a, "65001"), {kPrefix});
  EXPECT_TRUE(b.heard.contains(kPrefix));
  EXPECT_FALSE(c.heard.contains(kPrefix))
      << "IPv4 over IPv6 was not negotiated (RFC 8950), and we have no IPv4 address there";
}

// Two groups would do all the work twice.
TEST(ExportRules, AreTheSameForPeersInManyAsesUnderOnePolicy) {
  const SpeakerOptions speaker{.asn = Asn{65000}, .router_id = RouterId{0x0A000001}};
  session::Negotiated negotiated;
  negotiated.families = {true, false};
  PeerOptions first;
  first.name = "first";
  first.address = "192.0.2.1"_ip;
  first.remote_as = Asn{65001};
  first.export_policy = testing::accepting(testing::prefix_in({"172.16.0.0/12"}));
  PeerOptions second = first;
  second.name = "second";
  second.address = "192.0.2.2"_ip;
  second.remote_as = Asn{65002};
  const auto rules = [&](PeerId id, const PeerOptions& options) {
    return make_export_rules(id, options, speaker, negotiated, "192.0.2.254"_ip, {});
  };
  EXPECT_EQ(rules(PeerId{1}, first), rules(PeerId{2}, second));
  second.as_override = true;
  EXPECT_NE(rules(PeerId{1}, first), rules(PeerId{2}, second));
}

}  // namespace
}  // namespace minibgp::speaker
