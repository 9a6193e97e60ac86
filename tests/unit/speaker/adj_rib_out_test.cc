// What a peer holds of us is a function of the route, the rules and the size of a message: not of the order of events,
// of how prefixes were spread over messages, or of what fitted before.
#include <tests/support/policy_builder.h>
#include <tests/unit/speaker/raw_peer.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace minibgp::speaker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

const Prefix kShort = "10.1.0.0/16"_prefix;
const Prefix kLong = "1.2.3.4/32"_prefix;
const Prefix kOther = "10.3.0.0/16"_prefix;

/// Attributes that fill a message of 4096 octets: with our AS prepended, a /16 just fits and a /32 does not. 19 octets
/// of header, 4 of lengths, 4 of ORIGIN, 13 of AS_PATH, 7 of NEXT_HOP, 4 of the attribute's own header, 3 of the /16.
PathAttributes almost_too_large(const RawPeer& peer, std::size_t less = 0) {
  PathAttributes attributes = route_of(peer, to_text(peer.options.remote_as).c_str());
  UnknownAttribute unknown{0xC0, 200, {}};
  unknown.value.assign(4096 - 19 - 4 - 4 - 13 - 7 - 4 - 3 - less, 7);
  attributes.unknown.push_back(unknown);
  return attributes;
}

struct AdjRibOut : ::testing::Test {
  Bench bench;
  RawPeer& a = bench.add(1, Asn{65001});
  RawPeer& b = bench.add(2, Asn{65002});
  RawPeer& c = bench.add(3, Asn{65003});

  /// What a peer holds is what the engine says it announced, and how many it counts.
  void expect_consistent(const RawPeer& peer) {
    std::map<Prefix, PathAttributes> announced;
    for (const AnnouncedSnapshot& route : bench.engine.announced_to(peer.id, {})) {
      announced[route.prefix] = route.attributes;
      announced[route.prefix].local = {};
      for (UnknownAttribute& unknown : announced[route.prefix].unknown) unknown.flags |= 0x20;  // Partial.
    }
    EXPECT_EQ(peer.heard, announced);
    std::vector<AnnouncedSnapshot> in_parts;
    std::uint32_t next = 0;
    do {
      next = bench.engine.announced_part(peer.id, {}, next, 1, in_parts);
    } while (next != 0);
    EXPECT_EQ(in_parts.size(), announced.size()) << "read in parts it is the same";
    for (const AnnouncedSnapshot& route : in_parts) {
      EXPECT_TRUE(announced.contains(route.prefix));
      RouteFilter exact;
      exact.prefix = route.prefix;
      EXPECT_EQ(bench.engine.announced_to(peer.id, exact).size(), 1U);
    }
    EXPECT_EQ(bench.status(peer).prefixes_announced, announced.size());
  }
};

TEST_F(AdjRibOut, WhatFitsDoesNotDependOnWhatCameBefore) {
  bench.establish(a);
  bench.establish(b);
  bench.announce(a, almost_too_large(a), {kShort});
  bench.announce(a, almost_too_large(a), {kLong});
  EXPECT_THAT(b.heard, ElementsAre(Key(kShort)));
  bench.establish(c);
  EXPECT_THAT(c.heard, ElementsAre(Key(kShort)));
  EXPECT_EQ(bench.groups(), 1U) << "both know the same, and share a group";
  for (const RawPeer* peer : {&b, &c}) expect_consistent(*peer);
}

TEST_F(AdjRibOut, ARouteThatFitsIsSentAndWithdrawnThoughAnotherOfItsMessageIsTooLarge) {
  bench.establish(a);
  bench.establish(b);
  // From a network that uses extended messages, so that both come in one UPDATE.
  RawPeer& d = bench.add(4, Asn{65004});
  d.edit_open = [](wire::Open& open) { open.capabilities.extended_messages = true; };
  bench.establish(d);
  for (const std::vector<Prefix>& both : {std::vector{kShort, kLong}, std::vector{kLong, kShort}}) {
    bench.announce_extended(d, almost_too_large(d), both);
    EXPECT_THAT(b.heard, ElementsAre(Key(kShort)));
    expect_consistent(b);
    bench.withdraw(d, {kShort, kLong});
    EXPECT_THAT(b.heard, IsEmpty());
    expect_consistent(b);
  }
  EXPECT_EQ(bench.attribute_sets(), 0U);
}

TEST_F(AdjRibOut, ARouteWhoseNewAttributesDoNotFitIsWithdrawn) {
  for (RawPeer* peer : {&a, &b, &c}) bench.establish(*peer);
  bench.announce(a, route_of(a, "65001"), {kLong, kOther});
  EXPECT_EQ(b.heard.size(), 2U);
  bench.announce(a, almost_too_large(a), {kLong});
  for (const RawPeer* peer : {&b, &c}) {
    EXPECT_THAT(peer->heard, ElementsAre(Key(kOther)));
    expect_consistent(*peer);
  }
  bench.announce(a, route_of(a, "65001"), {kLong});
  EXPECT_EQ(b.heard.size(), 2U) << "and announced again when they fit";
  // Another peer's path becomes the best and is too large: its sender held the old one too.
  bench.announce(a, route_of(a, "65001 65009 65010"), {kLong});
  PathAttributes large = almost_too_large(b);
  bench.announce(b, large, {kLong});
  EXPECT_THAT(b.heard, ElementsAre(Key(kOther)));
  EXPECT_THAT(c.heard, ElementsAre(Key(kOther)));
  for (const RawPeer* peer : {&a, &b, &c}) expect_consistent(*peer);
}

TEST_F(AdjRibOut, ARouteTooLargeTakesNoRoomUnderALimit) {
  RawPeer& limited = bench.add(5, Asn{65005}, [](PeerOptions& options) { options.export_limit.max = 1; });
  bench.establish(a);
  bench.announce(a, almost_too_large(a), {kLong});
  bench.announce(a, route_of(a, "65001"), {kOther});
  bench.establish(limited);  // Both are looked at in one turn.
  EXPECT_THAT(limited.heard, ElementsAre(Key(kOther)));
  EXPECT_LT(bench.turns_at_most, 100U) << "no turn begins another without a change";
  expect_consistent(limited);
  bench.withdraw(a, {kOther});
  EXPECT_THAT(limited.heard, IsEmpty());
  bench.announce(a, route_of(a, "65001"), {kShort, kOther});
  EXPECT_EQ(limited.heard.size(), 1U);
  bench.announce(a, route_of(a, "65001"), {kLong});
  EXPECT_EQ(limited.heard.size(), 1U);
  expect_consistent(limited);
}

TEST_F(AdjRibOut, ALocalPreferenceChangedByConfigurationReachesInternalPeers) {
  RawPeer& inside = bench.add(6, Asn{65000});
  RawPeer& second = bench.add(7, Asn{65000});
  for (RawPeer* peer : {&a, &b, &inside}) bench.establish(*peer);
  bench.announce(a, route_of(a, "65001"), {kLong});
  bench.announce(b, route_of(b, "65002"), {kOther});
  EXPECT_EQ(inside.heard.at(kLong).local_pref, 100U);
  for (RawPeer* peer : {&b, &inside}) peer->changes.clear();
  a.options.default_local_pref = 120;
  ASSERT_TRUE(bench.engine.update_peer(a.id, a.options, bench.now).has_value());
  bench.pump();
  EXPECT_EQ(inside.heard.at(kLong).local_pref, 120U);
  EXPECT_THAT(inside.changes, ElementsAre(Pair(kLong, true))) << "only what that peer sent";
  EXPECT_THAT(b.changes, IsEmpty()) << "external peers see no LOCAL_PREF";
  bench.establish(second);
  EXPECT_EQ(second.heard, inside.heard);
}

TEST_F(AdjRibOut, ALimitThatBecomesLowerGivesUpWhatIsBeyondIt) {
  bench.establish(a);
  bench.establish(b);
  bench.announce(a, route_of(a, "65001"), {kShort, kLong, kOther});
  for (const std::uint32_t limit : {2U, 1U, 3U, 1U}) {
    b.options.export_limit.max = limit;
    ASSERT_TRUE(bench.engine.update_peer(b.id, b.options, bench.now).has_value());
    bench.pump();
    EXPECT_EQ(b.heard.size(), limit);
    EXPECT_EQ(bench.engine.withheld_from(b.id, {}).size(), 3U - limit);
    expect_consistent(b);
  }
}

// One input withdraws more than one turn hands to the groups, while another group is in the midst of its walk.
TEST_F(AdjRibOut, AGroupThatSawAChangeBeforeAnotherIsNotTakenForIt) {
  for (RawPeer* peer : {&a, &b}) bench.establish(*peer);
  std::vector<Prefix> many;
  for (std::uint32_t i = 0; i < 7'000; ++i) many.push_back(Prefix::of(IpAddress::v4(0x0A000000U + i * 256), 24));
  bench.announce(a, route_of(a, "65001"), many);
  std::vector<std::uint8_t> withdrawals;
  for (std::size_t done = 0; done < many.size();)
    done += wire::encode_withdraw(Family::ipv4, std::span{many}.subspan(done), {}, withdrawals);
  // c begins its walk; the withdrawals come before the walk ends.
  bench.establish(c, Bench::Pump::no);
  bench.say(a, withdrawals);
  EXPECT_THAT(b.heard, IsEmpty());
  EXPECT_THAT(c.heard, IsEmpty());
  EXPECT_EQ(bench.groups(), 1U);
  EXPECT_EQ(bench.attribute_sets(), 0U);
}

struct WithheldLines : LogSink {
  bool wants(LogLevel level, LogArea) const override { return level >= LogLevel::warning; }
  void write(LogLevel, LogArea, std::string_view line) override {
    if (line.find("routes not announced") != std::string_view::npos) lines.emplace_back(line);
  }
  std::vector<std::string> lines;
};

TEST(Withheld, IsLoggedOnceAMinuteHoweverOftenItHappens) {
  WithheldLines log;
  Bench bench{{.asn = Asn{65000}, .router_id = RouterId{0x0A000001}}, &log};
  RawPeer& a = bench.add(1, Asn{65001});
  RawPeer& b = bench.add(2, Asn{65002});
  bench.establish(a);
  bench.establish(b);
  bench.announce(a, almost_too_large(a), {kLong});
  const std::string first =
      "peer 192.0.2.2: routes not announced: 1, the first 1.2.3.4/32: its attributes and prefix do not fit one message "
      "of 4096 octets";
  EXPECT_THAT(log.lines, ElementsAre(first));
  for (int i = 0; i < 100; ++i) {
    bench.announce(a, route_of(a, "65001"), {kLong});
    bench.announce(a, almost_too_large(a), {kLong});
  }
  EXPECT_EQ(log.lines.size(), 1U);
  bench.run_for(std::chrono::seconds{61});
  ASSERT_EQ(log.lines.size(), 2U) << "the others, in one line";
  EXPECT_NE(log.lines[1].find("routes not announced: 100,"), std::string::npos) << log.lines[1];
  bench.run_for(std::chrono::hours{1});
  EXPECT_EQ(log.lines.size(), 2U);
}

// --- Next hops of the other address family, and of other links -----------------------------------------------------

const Prefix kIpv6 = "2001:db8:5::/48"_prefix;

void both_families(PeerOptions& options) { options.families = {true, true}; }

/// Peer a sends an IPv4 and an IPv6 route; b gets them over its session.
struct OtherFamily : ::testing::Test {
  explicit OtherFamily() {
    a.link.ipv6 = "2001:db8:a::1"_ip;
    bench.establish(a);
    bench.announce(a, route_of(a, "65001"), {kOther});
    PathAttributes ipv6 = route_of(a, "65001");
    ipv6.next_hop.address = "2001:db8:a::9"_ip;
    bench.announce(a, ipv6, {kIpv6});
  }
  RawPeer& add_ipv6_peer(const std::function<void(PeerOptions&)>& edit = [](PeerOptions&) {}) {
    RawPeer& peer = bench.add(3, Asn{65003}, [&](PeerOptions& options) {
      both_families(options);
      options.address = "2001:db8:b::3"_ip;
      edit(options);
    });
    peer.local = "2001:db8:b::1"_ip;
    return peer;
  }
  [[nodiscard]] std::vector<std::pair<Prefix, Withheld>> withheld(const RawPeer& peer) const {
    std::vector<std::pair<Prefix, Withheld>> all;
    for (const WithheldSnapshot& route : bench.engine.withheld_from(peer.id, {}))
      all.emplace_back(route.prefix, route.why);
    const auto counted = bench.status(peer).prefixes_withheld;
    EXPECT_EQ(std::size_t{counted[0]} + counted[1] + counted[2], all.size());
    return all;
  }

  Bench bench;
  RawPeer& a = bench.add(1, Asn{65001}, both_families);
  RawPeer& b = bench.add(2, Asn{65002}, both_families);
};

TEST_F(OtherFamily, Ipv6OverAnIpv4SessionHasTheInterfacesIpv6Address) {
  b.link.ipv6 = "2001:db8:b::1"_ip;
  bench.establish(b);
  EXPECT_EQ(b.heard.at(kIpv6).next_hop, (NextHop{"2001:db8:b::1"_ip, {}}));
  EXPECT_EQ(b.heard.at(kOther).next_hop.address, b.local);
  EXPECT_THAT(withheld(b), IsEmpty());
}

TEST_F(OtherFamily, WithoutAnIpv6AddressIpv6RoutesAreWithheldAndThatIsSaid) {
  bench.establish(b);
  EXPECT_THAT(b.heard, ElementsAre(Key(kOther)));
  EXPECT_THAT(withheld(b), ElementsAre(Pair(kIpv6, Withheld::no_next_hop)));
  EXPECT_THAT(b.end_of_rib, UnorderedElementsAre(Family::ipv4, Family::ipv6));
}

TEST_F(OtherFamily, AnAddressThatComesOrGoesAnnouncesOrWithdraws) {
  bench.establish(b);
  bench.engine.set_link_addresses(*b.conn, {{}, "2001:db8:b::1"_ip, 0}, bench.now);
  bench.pump();
  EXPECT_EQ(b.heard.at(kIpv6).next_hop.address, "2001:db8:b::1"_ip);
  bench.engine.set_link_addresses(*b.conn, {{}, "2001:db8:b::2"_ip, 0}, bench.now);
  bench.pump();
  EXPECT_EQ(b.heard.at(kIpv6).next_hop.address, "2001:db8:b::2"_ip);
  EXPECT_THAT(withheld(b), IsEmpty());
  bench.engine.set_link_addresses(*b.conn, {}, bench.now);
  bench.pump();
  EXPECT_THAT(b.heard, ElementsAre(Key(kOther)));
  EXPECT_THAT(withheld(b), ElementsAre(Pair(kIpv6, Withheld::no_next_hop)));
}

TEST_F(OtherFamily, MembersOfOneGroupGetTheirOwnAddresses) {
  RawPeer& c = bench.add(3, Asn{65003}, both_families);
  b.link.ipv6 = "2001:db8:b::1"_ip;
  c.link.ipv6 = "2001:db8:c::1"_ip;
  bench.establish(b);
  bench.establish(c);
  EXPECT_EQ(bench.groups(), 1U);
  PathAttributes ipv6 = route_of(a, "65001 65009");
  ipv6.next_hop.address = "2001:db8:a::9"_ip;
  bench.announce(a, ipv6, {kIpv6});
  EXPECT_EQ(b.heard.at(kIpv6).next_hop.address, b.link.ipv6);
  EXPECT_EQ(c.heard.at(kIpv6).next_hop.address, c.link.ipv6);
}

TEST_F(OtherFamily, ANextHopThatPolicySetsNeedsNoAddressOfOurs) {
  using namespace minibgp::testing;
  b.options.export_policy = compiled(
      {term("only", {}, {then(edit::SetNextHop{NextHopChoice::address, "2001:db8:f::1"_ip})}, TermVerdict::accept)});
  ASSERT_TRUE(bench.engine.update_peer(b.id, b.options, bench.now).has_value());
  bench.establish(b);
  EXPECT_EQ(b.heard.at(kIpv6).next_hop.address, "2001:db8:f::1"_ip);
}

TEST_F(OtherFamily, Ipv4OverAnIpv6SessionHasTheInterfacesIpv4Address) {
  RawPeer& c = add_ipv6_peer();
  c.link.ipv4 = "198.51.100.1"_ip;
  bench.establish(c);
  EXPECT_EQ(c.heard.at(kOther).next_hop.address, "198.51.100.1"_ip);
  EXPECT_EQ(c.heard.at(kIpv6).next_hop.address, c.local);
}

TEST_F(OtherFamily, WithoutAnIpv4AddressIpv4RoutesAreWithheldAndThatIsSaid) {
  RawPeer& c = add_ipv6_peer();
  bench.establish(c);
  EXPECT_THAT(c.heard, ElementsAre(Key(kIpv6)));
  EXPECT_THAT(withheld(c), ElementsAre(Pair(kOther, Withheld::no_next_hop)));
}

TEST_F(OtherFamily, WithExtendedNextHopsIpv4GoesOverIpv6) {  // RFC 8950
  RawPeer& c = add_ipv6_peer([](PeerOptions& options) { options.extended_next_hop = true; });
  c.edit_open = [](wire::Open& open) { open.capabilities.ipv4_over_ipv6_next_hop = true; };
  c.link.ipv4 = "198.51.100.1"_ip;
  bench.establish(c);
  EXPECT_EQ(c.heard.at(kOther).next_hop.address, c.local);
}

TEST_F(OtherFamily, AReflectedIpv4RouteKeepsItsNextHopOverAnIpv6Session) {
  RawPeer& inside = bench.add(5, Asn{65000}, [](PeerOptions& options) { options.route_reflector_client = true; });
  RawPeer& c = add_ipv6_peer([](PeerOptions& options) { options.remote_as = Asn{65000}; });
  bench.establish(inside);
  bench.establish(c);
  PathAttributes sent = route_of(inside, "65009");
  sent.local_pref = 100;
  bench.announce(inside, sent, {kShort});
  EXPECT_EQ(c.heard.at(kShort).next_hop.address, inside.options.address);
  EXPECT_FALSE(c.heard.contains(kOther)) << "our own would be needed here";
}

/// An internal peer that keeps the next hops of what external peers sent.
struct LinkLocalHalf : OtherFamily {
  LinkLocalHalf() {
    b.options.remote_as = Asn{65000};
    b.options.next_hop_self = false;
    BGP_ASSERT(bench.engine.update_peer(b.id, b.options, bench.now).has_value());
    ipv6.next_hop = {"2001:db8:a::9"_ip, "fe80::9"_ip};
    set_link(a, 7);
  }
  void set_link(RawPeer& peer, std::uint32_t link) {
    peer.link.link = link;
    if (peer.conn) bench.engine.set_link_addresses(*peer.conn, peer.link, bench.now);
    bench.pump();
  }
  PathAttributes ipv6 = route_of(a, "65001");
};

TEST_F(LinkLocalHalf, StaysOnItsLink) {  // RFC 2545 s.3
  set_link(b, 8);
  bench.establish(b);
  bench.announce(a, ipv6, {kIpv6});
  EXPECT_EQ(b.heard.at(kIpv6).next_hop, (NextHop{"2001:db8:a::9"_ip, {}})) << "another link";
  set_link(b, 7);
  EXPECT_EQ(b.heard.at(kIpv6).next_hop, ipv6.next_hop) << "the same link";
  set_link(a, 0);
  EXPECT_EQ(b.heard.at(kIpv6).next_hop, (NextHop{"2001:db8:a::9"_ip, {}})) << "not known to be on a link";
}

TEST_F(LinkLocalHalf, ANextHopThatIsOnlyLinkLocalIsReplacedOnAnotherLink) {
  b.link.ipv6 = "2001:db8:b::1"_ip;
  set_link(b, 8);
  bench.establish(b);
  ipv6.next_hop = {"fe80::9"_ip, {}};
  bench.announce(a, ipv6, {kIpv6});
  EXPECT_EQ(b.heard.at(kIpv6).next_hop.address, b.link.ipv6);
}

}  // namespace
}  // namespace minibgp::speaker
