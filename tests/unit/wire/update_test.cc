#include <bgp/text.h>
#include <bgp/wire/as_path.h>
#include <bgp/wire/message.h>
#include <bgp/wire/numbers.h>
#include <bgp/wire/update.h>
#include <tests/support/hex.h>
#include <tests/unit/wire/update_builder.h>

#include <string>

#include <gtest/gtest.h>

namespace minibgp::wire {
namespace {

using minibgp::testing::hex;
using minibgp::testing::to_hex;

Prefix prefix(std::string_view text) { return parse_prefix(text).value(); }
IpAddress address(std::string_view text) { return parse_address(text).value(); }

std::vector<Nlri> list(std::initializer_list<const char*> prefixes) {
  std::vector<Nlri> nlri;
  for (const char* text : prefixes) nlri.push_back({prefix(text), 0});
  return nlri;
}

const std::string kGlobal = "20010db8000000000000000000000001";
const std::string kMpReach6 = "80 0e 1a 0002 01 10 " + kGlobal + " 00 20 20010db8 ";

UpdateContext internal() {
  UpdateContext context;
  context.peer_type = PeerType::ibgp;
  return context;
}

// --- What is read ---------------------------------------------------------------------------------------------------

TEST(Update, ARouteWithEveryAttributeIsReadInFull) {
  const Update update =
      decoded({.withdrawn = "08 0b",
               .attributes = kOrigin + kAsPath + kNextHop + kLocalPref +
                             "80 04 04 00000005  40 06 00  c0 07 08 0000fdea c0000202  c0 08 08 fde90002 fde90001 "
                             "80 09 04 c0000203  80 0a 08 c0000204 c0000205  c0 10 08 0002fde900000064 "
                             "c0 20 0c 000000010000000200000003  c0 23 04 0000fdeb  e0 63 02 abcd  c0 62 00",
               .nlri = "08 0a 18 c00002"},
              internal());
  EXPECT_EQ(update.severity, Severity::none);
  EXPECT_TRUE(update.errors.empty());
  EXPECT_EQ(update.withdrawn, list({"11.0.0.0/8"}));
  EXPECT_EQ(update.announced, list({"10.0.0.0/8", "192.0.2.0/24"}));
  PathAttributes expected;
  expected.as_path = parse_as_path("65001").value();
  expected.next_hop.address = address("192.0.2.1");
  expected.med = 5;
  expected.local_pref = 100;
  expected.atomic_aggregate = true;
  expected.aggregator = Aggregator{Asn{65002}, RouterId{0xC0000202}};
  expected.communities = {Community{0xFDE90001}, Community{0xFDE90002}};
  expected.originator_id = RouterId{0xC0000203};
  expected.cluster_list = {RouterId{0xC0000204}, RouterId{0xC0000205}};
  expected.extended_communities = {ExtendedCommunity{0x0002FDE900000064}};
  expected.large_communities = {{1, 2, 3}};
  expected.only_to_customer = Asn{65003};
  expected.unknown = {{0xC0, 98, {}}, {0xE0, 99, {0xAB, 0xCD}}};
  EXPECT_EQ(update.attributes, expected);
  EXPECT_EQ(update.end_of_rib, std::nullopt);
}

TEST(Update, DecodingAgainForgetsTheFirstMessage) {
  Update update;
  decode_update(update_body({"08 0b", kMandatory + kMpReach6 + "c0 08 04 fde90001 c0 63 01 07 40 01 01 00", "08 0a"}),
                {}, update);
  EXPECT_FALSE(update.errors.empty());
  decode_update(hex("0000 0000"), {}, update);
  EXPECT_EQ(update.attributes, PathAttributes{});
  EXPECT_TRUE(update.announced.empty() && update.mp_announced.empty() && update.withdrawn.empty());
  EXPECT_TRUE(update.errors.empty());
  EXPECT_EQ(update.severity, Severity::none);
  EXPECT_EQ(update.mp_next_hop, NextHop{});
  EXPECT_EQ(update.end_of_rib, Family::ipv4);
}

TEST(Update, Ipv6TravelsInMpReachAndMpUnreach) {
  const Update update = decoded({"", kMpReach6 + kOrigin + kAsPath + "80 0f 08 0002 01 20 20010db9", ""});
  EXPECT_EQ(update.severity, Severity::none);
  EXPECT_EQ(update.mp_announced, list({"2001:db8::/32"}));
  EXPECT_EQ(update.mp_next_hop.address, address("2001:db8::1"));
  EXPECT_EQ(update.withdrawn, list({"2001:db9::/32"}));
}

TEST(Update, BothHalvesOfAnIpv6NextHopAreKept) {
  const std::string link_local = "fe800000000000000000000000000002";
  const Update both =
      decoded({"", "80 0e 2a 0002 01 20 " + kGlobal + link_local + " 00 20 20010db8 " + kOrigin + kAsPath, ""});
  EXPECT_EQ(both.mp_next_hop.address, address("2001:db8::1"));
  EXPECT_EQ(both.mp_next_hop.link_local, address("fe80::2"));
  const Update only = decoded(
      {"", "80 0e 2a 0002 01 20 " + std::string(32, '0') + link_local + " 00 20 20010db8 " + kOrigin + kAsPath, ""});
  EXPECT_EQ(only.mp_next_hop.address, address("fe80::2"));
  EXPECT_FALSE(only.mp_next_hop.link_local.is_set());
  const Update twice =
      decoded({"", "80 0e 2a 0002 01 20 " + kGlobal + kGlobal + " 00 20 20010db8 " + kOrigin + kAsPath, ""});
  EXPECT_FALSE(twice.mp_next_hop.link_local.is_set());
}

TEST(Update, NextHopIsIgnoredWhereMpReachHasIt) {
  const Update update = decoded({"", kMpReach6 + kMandatory, ""});
  EXPECT_EQ(update.severity, Severity::none);
  EXPECT_EQ(update.attributes.next_hop, NextHop{});
  // So a martian one does no harm either (RFC 4760 s.3).
  EXPECT_EQ(decoded({"", kMpReach6 + kOrigin + kAsPath + "40 03 04 7f000001", ""}).severity, Severity::none);
}

TEST(Update, Ipv4OverAnIpv6NextHopNeedsTheCapability) {
  const Sections sections{"", "80 0e 17 0001 01 10 " + kGlobal + " 00 08 0a " + kOrigin + kAsPath, ""};
  UpdateContext context;
  context.ipv4_over_ipv6_next_hop = true;
  const Update update = decoded(sections, context);
  EXPECT_EQ(update.severity, Severity::none);
  EXPECT_EQ(update.mp_announced, list({"10.0.0.0/8"}));
  EXPECT_EQ(update.mp_next_hop.address, address("2001:db8::1"));
  EXPECT_EQ(decoded(sections).severity, Severity::session_reset);
}

TEST(Update, PathIdentifiersAreReadWhereNegotiated) {
  UpdateContext context;
  context.add_path_receive = {true, true};
  const Update update = decoded({.withdrawn = "00000001 08 0b",
                                 .attributes = "80 0e 1e 0002 01 10 " + kGlobal + " 00 00000005 20 20010db8 " +
                                               kMandatory + "80 0f 0c 0002 01 00000006 20 20010db9",
                                 .nlri = "00000002 08 0a 00000003 08 0a"},
                                context);
  EXPECT_EQ(update.severity, Severity::none);
  EXPECT_EQ(update.announced, (std::vector<Nlri>{{prefix("10.0.0.0/8"), 2}, {prefix("10.0.0.0/8"), 3}}));
  EXPECT_EQ(update.mp_announced, (std::vector<Nlri>{{prefix("2001:db8::/32"), 5}}));
  EXPECT_EQ(update.withdrawn, (std::vector<Nlri>{{prefix("11.0.0.0/8"), 1}, {prefix("2001:db9::/32"), 6}}));
}

TEST(Update, FamiliesThatWereNotNegotiatedAreIgnored) {
  UpdateContext only4;
  only4.families = {true, false};
  const Update no6 = decoded({"", kMpReach6 + kMandatory + "80 0f 08 0002 01 20 20010db9", "08 0a"}, only4);
  EXPECT_EQ(no6.severity, Severity::attribute_discard);
  EXPECT_EQ(no6.announced.size(), 1U);
  EXPECT_TRUE(no6.mp_announced.empty());
  EXPECT_TRUE(no6.withdrawn.empty());
  UpdateContext only6;
  only6.families = {false, true};
  const Update no4 = decoded({"08 0b", kMpReach6 + kMandatory, "08 0a"}, only6);
  EXPECT_EQ(no4.severity, Severity::none);
  EXPECT_TRUE(no4.announced.empty());
  EXPECT_TRUE(no4.withdrawn.empty());
  EXPECT_EQ(no4.mp_announced.size(), 1U);
  EXPECT_EQ(no4.errors.size(), 2U) << "but it is said";
  EXPECT_EQ(decoded({"08 0b", "", ""}, only6).end_of_rib, std::nullopt);
}

TEST(Update, MulticastPrefixesAreLeftOut) {
  const Update update = decoded({"", kMandatory, "08 0a 08 e0"});
  EXPECT_EQ(update.severity, Severity::none);
  EXPECT_EQ(update.announced, list({"10.0.0.0/8"}));
  ASSERT_EQ(update.errors.size(), 1U);
  EXPECT_EQ(update.errors[0].severity, Severity::none);
}

TEST(Update, UnknownAttributesAreKeptInOrderOfTypeWhenTransitive) {
  const Update update = decoded({"", kMandatory + "c0 63 01 09 c0 1e 01 08 80 62 01 07 df 40 0001 06", "08 0a"});
  EXPECT_EQ(update.severity, Severity::none);
  EXPECT_EQ(update.attributes.unknown,
            (std::vector<UnknownAttribute>{{0xC0, 0x1E, {8}}, {0xC0, 0x40, {6}}, {0xC0, 0x63, {9}}}));
}

// --- 2-octet peers (RFC 6793) ----------------------------------------------------------------------------------------

UpdateContext two_octet() {
  UpdateContext context;
  context.four_octet_as = false;
  return context;
}

TEST(Update, ATwoOctetPeersPathIsMergedWithAs4Path) {
  const Update update =
      decoded({"", kOrigin + "40 02 08 02 03 fde9 5ba0 5ba0 " + kNextHop + "c0 11 0a 02 02 fa56ea01 fa56ea02", "08 0a"},
              two_octet());
  EXPECT_EQ(update.severity, Severity::none);
  EXPECT_EQ(to_text(update.attributes.as_path), "65001 4200000001 4200000002");
}

struct AggregatorCase {
  const char* what;
  const char* aggregator;
  const char* as4_aggregator;
  std::uint32_t asn;  ///< 0: none.
  const char* as_path;
};

TEST(Update, TheAggregatorDecidesWhetherTheAs4AttributesCount) {
  const AggregatorCase kCases[] = {
      {"AS_TRANS: take AS4_AGGREGATOR", "c0 07 06 5ba0 c0000202 ", "c0 12 08 fa56ea01 c0000203 ", 4200000001U,
       "65001 4200000001"},
      {"a real one: somebody old aggregated since", "c0 07 06 fdea c0000202 ", "c0 12 08 fa56ea01 c0000203 ", 65002,
       "65001 23456"},
      {"no AS4_AGGREGATOR: AS4_PATH counts", "c0 07 06 fdea c0000202 ", "", 65002, "65001 4200000001"},
      {"no AGGREGATOR: nothing to replace", "", "c0 12 08 fa56ea01 c0000203 ", 0, "65001 4200000001"},
  };
  for (const AggregatorCase& c : kCases) {
    SCOPED_TRACE(c.what);
    const Update update = decoded({"",
                                   kOrigin + "40 02 06 02 02 fde9 5ba0 " + kNextHop + c.aggregator +
                                       "c0 11 06 02 01 fa56ea01 " + c.as4_aggregator,
                                   "08 0a"},
                                  two_octet());
    EXPECT_EQ(update.severity, Severity::none);
    EXPECT_EQ(update.attributes.aggregator ? static_cast<std::uint32_t>(update.attributes.aggregator->asn) : 0, c.asn);
    EXPECT_EQ(to_text(update.attributes.as_path), c.as_path);
  }
}

TEST(Update, TheOrderOfAttributesDoesNotMatterForTheMerge) {
  const Update update = decoded(
      {"", "c0 11 06 02 01 fa56ea01 " + kNextHop + "40 02 06 02 02 fde9 5ba0 " + kOrigin, "08 0a"}, two_octet());
  EXPECT_EQ(to_text(update.attributes.as_path), "65001 4200000001");
}

// --- End-of-RIB (RFC 4724 s.2) ---------------------------------------------------------------------------------------

TEST(EndOfRib, IsRecognizedForBothFamilies) {
  EXPECT_EQ(decoded(hex("0000 0000")).end_of_rib, Family::ipv4);
  EXPECT_EQ(decoded({"", "80 0f 03 0002 01", ""}).end_of_rib, Family::ipv6);
  EXPECT_EQ(decoded({"", "80 0f 03 0001 01", ""}).end_of_rib, Family::ipv4);
  EXPECT_EQ(decoded({"", "90 0f 0003 0002 01", ""}).end_of_rib, Family::ipv6) << "extended length";
}

TEST(EndOfRib, IsNothingElse) {
  EXPECT_EQ(decoded({"08 0b", "", ""}).end_of_rib, std::nullopt);
  EXPECT_EQ(decoded({"", "80 0f 03 0002 01", "08 0a"}).end_of_rib, std::nullopt);
  EXPECT_EQ(decoded({"08 0b", "80 0f 03 0002 01", ""}).end_of_rib, std::nullopt);
  EXPECT_EQ(decoded({"", kOrigin + "80 0f 03 0002 01", ""}).end_of_rib, std::nullopt);
  EXPECT_EQ(decoded({"", "80 0f 04 0002 01 00", ""}).end_of_rib, std::nullopt) << "withdraws ::/0";
  EXPECT_EQ(decoded({"", "80 0f 03 0019 46", ""}).end_of_rib, std::nullopt) << "EVPN's";
  EXPECT_EQ(decoded({"", kOrigin, ""}).end_of_rib, std::nullopt);
}

TEST(EndOfRib, RoundTrips) {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    std::vector<std::uint8_t> out;
    encode_end_of_rib(family, out);
    EXPECT_EQ(out.size(), family == Family::ipv4 ? 23U : 29U);
    EXPECT_EQ(decoded({out.begin() + 19, out.end()}).end_of_rib, family);
  }
}

// --- What errors cost the whole message (RFC 7606 s.3, s.5; attributes are in rfc7606_verdicts.txt)
// ---------------------

struct MessageCase {
  const char* what;
  std::string body;
  Severity severity;
  int subcode;  ///< Of the NOTIFICATION; 0 without.
};

TEST(UpdateErrors, OfSectionsAndPrefixFieldsResetTheSession) {
  const std::string attributes = "0014 " + kMandatory;
  const MessageCase kCases[] = {
      {"withdrawn length beyond the message", "0005 0000", Severity::session_reset, notify::kMalformedList},
      {"withdrawn length leaves no attribute length", "0001 00 00", Severity::session_reset, notify::kMalformedList},
      {"attribute length beyond the message", "0000 0001", Severity::session_reset, notify::kMalformedList},
      {"both lengths at their largest", "ffff ffff", Severity::session_reset, notify::kMalformedList},
      {"withdrawn prefix of 33 bits", "0006 21 0a00000000 0000", Severity::session_reset, notify::kNetwork},
      {"withdrawn prefix cut", "0002 18 0a 0000", Severity::session_reset, notify::kNetwork},
      {"announced prefix of 33 bits", "0000 " + attributes + "21 0a00000000", Severity::session_reset,
       notify::kNetwork},
      {"announced prefix cut", "0000 " + attributes + "18 0a", Severity::session_reset, notify::kNetwork},
      {"empty body", "", Severity::session_reset, notify::kMalformedList},
      {"body of 3", "0000 00", Severity::session_reset, notify::kMalformedList},
  };
  for (const MessageCase& c : kCases) {
    SCOPED_TRACE(c.what);
    const Update update = decoded(hex(c.body));
    EXPECT_EQ(update.severity, c.severity);
    EXPECT_EQ(update.notification.code, notify::kUpdate);
    EXPECT_EQ(update.notification.subcode, c.subcode);
  }
}

TEST(UpdateErrors, WithoutReachablePrefixesAnythingWorseThanDiscardResets) {
  // RFC 7606 s.5.2.
  const std::string bad_origin = "40 01 01 07 ";
  EXPECT_EQ(decoded({"", bad_origin, ""}).severity, Severity::session_reset);
  EXPECT_EQ(decoded({"", bad_origin, ""}).notification.subcode, notify::kOriginValue);
  EXPECT_EQ(decoded({"08 0b", bad_origin, ""}).severity, Severity::session_reset);
  EXPECT_EQ(decoded({"", bad_origin + "80 0f 08 0002 01 20 20010db9", ""}).severity, Severity::session_reset);
  EXPECT_EQ(decoded({"", bad_origin + "80 0e 15 0002 01 10 " + kGlobal + " 00", ""}).severity, Severity::session_reset)
      << "MP_REACH_NLRI without prefixes";
  EXPECT_EQ(decoded({"", bad_origin, "08 0a"}).severity, Severity::treat_as_withdraw);
  EXPECT_EQ(decoded({"", bad_origin + kMpReach6, ""}).severity, Severity::treat_as_withdraw);
  // Discard stays discard.
  EXPECT_EQ(decoded({"", "c0 07 01 00", ""}).severity, Severity::attribute_discard);
  // Missing attributes are no error where nothing is announced.
  EXPECT_EQ(decoded({"08 0b", kOrigin, ""}).severity, Severity::none);
}

TEST(UpdateErrors, TheWorstOfSeveralStands) {
  const std::string discard = "c0 07 01 00 ", withdraw = "40 01 01 07 ", reset = "40 63 00 ";
  EXPECT_EQ(decoded({"", discard + withdraw + kAsPath + kNextHop, "08 0a"}).severity, Severity::treat_as_withdraw);
  EXPECT_EQ(decoded({"", withdraw + discard + kAsPath + kNextHop, "08 0a"}).severity, Severity::treat_as_withdraw);
  const Update worst = decoded({"", withdraw + discard + reset + kAsPath + kNextHop, "08 0a"});
  EXPECT_EQ(worst.severity, Severity::session_reset);
  EXPECT_EQ(worst.notification, (MessageError{notify::kUpdate, notify::kUnrecognizedWellKnown, hex("40 63 00")}));
}

TEST(UpdateErrors, FindingsNameTheAttributeAndItsOffset) {
  const Update update = decoded({"08 0b", kOrigin + "c0 08 01 00 " + kAsPath + "40 03 04 e0000001 ", "08 0a"});
  ASSERT_EQ(update.errors.size(), 2U);
  EXPECT_EQ(update.errors[0].type, attr::kCommunities);
  EXPECT_EQ(update.errors[0].offset, 2U + 2 + 2 + 4);
  EXPECT_EQ(update.errors[1].type, attr::kNextHop);
  EXPECT_EQ(update.errors[1].offset, 2U + 2 + 2 + 4 + 4 + 9);
}

TEST(UpdateErrors, TheFirstOfTwoEqualAttributesCounts) {
  const Update update = decoded({"", kMandatory + "80 04 04 00000001 80 04 04 00000002", "08 0a"});
  EXPECT_EQ(update.severity, Severity::attribute_discard);
  EXPECT_EQ(update.attributes.med, 1U);
}

TEST(UpdateErrors, APathBeyondTheLimitIsWithdrawn) {
  PathAttributes attributes;
  attributes.next_hop.address = address("192.0.2.1");
  for (const std::uint32_t hops : {1024U, 1025U}) {
    attributes.as_path.clear();
    attributes.as_path.prepend(Asn{65001}, hops);
    UpdateContext context;
    context.max_message = 65535;
    EncodedAttributes encoded;
    encode_attributes(attributes, Family::ipv4, context, encoded);
    std::vector<std::uint8_t> out;
    ASSERT_EQ(
        encode_announce(encoded, attributes.next_hop, Family::ipv4, std::vector{prefix("10.0.0.0/8")}, context, out)
            .taken,
        1U);
    EXPECT_EQ(decoded({out.begin() + 19, out.end()}, context).severity,
              hops > kMaxAsPathLength ? Severity::treat_as_withdraw : Severity::none);
  }
}

TEST(UpdateErrors, LocalPrefIsRequiredFromInternalPeers) {
  EXPECT_EQ(decoded({"", kMandatory, "08 0a"}, internal()).severity, Severity::treat_as_withdraw);
  EXPECT_EQ(decoded({"", kMandatory + kLocalPref, "08 0a"}, internal()).severity, Severity::none);
}

TEST(UpdateErrors, AnAsSetIsAcceptedByArchiveReadersOnly) {
  const Sections sections{"", kOrigin + "40 02 0c 02 01 0000fde9 01 01 0000fdea " + kNextHop, "08 0a"};
  EXPECT_EQ(decoded(sections).severity, Severity::treat_as_withdraw);
  UpdateContext archive;
  archive.accept_as_set = true;
  const Update update = decoded(sections, archive);
  EXPECT_EQ(update.severity, Severity::none);
  EXPECT_EQ(to_text(update.attributes.as_path), "65001 {65002}");
}

// --- Writing --------------------------------------------------------------------------------------------------------

PathAttributes plain_attributes() {
  PathAttributes attributes;
  attributes.as_path = parse_as_path("65001").value();
  attributes.next_hop.address = address("192.0.2.1");
  return attributes;
}

/// One message with as many of `prefixes` as fit.
std::vector<std::uint8_t> announced(const PathAttributes& attributes, const NextHop& next_hop, Family family,
                                    const std::vector<Prefix>& prefixes, const UpdateContext& context,
                                    AnnounceResult* result = nullptr) {
  EncodedAttributes encoded;
  encode_attributes(attributes, family, context, encoded);
  std::vector<std::uint8_t> out;
  const AnnounceResult got = encode_announce(encoded, next_hop, family, prefixes, context, out);
  if (result != nullptr) *result = got;
  return out;
}

TEST(UpdateEncoding, TheClassicFormIsWhatTheRfcDraws) {
  AnnounceResult result;
  const PathAttributes attributes = plain_attributes();
  const auto out =
      announced(attributes, attributes.next_hop, Family::ipv4, {prefix("10.0.0.0/8")}, UpdateContext{}, &result);
  EXPECT_EQ(to_hex(out), to_hex(hex("ffffffffffffffffffffffffffffffff 002d 02 0000 0014 400101 00 400206 0201 0000fde9 "
                                    "400304 c0000201 080a")));
  EXPECT_EQ(result.taken, 1U);
  EXPECT_EQ(result.next_hop_size, 4);
  EXPECT_EQ(to_hex(Bytes{out}.subspan(result.next_hop_offset, 4)), "c0 00 02 01");
}

TEST(UpdateEncoding, OneEncodingServesPeersWithOtherNextHops) {
  EncodedAttributes encoded;
  encode_attributes(plain_attributes(), Family::ipv4, {}, encoded);
  for (const char* next_hop : {"192.0.2.77", "2001:db8::5"}) {
    UpdateContext context;
    context.ipv4_over_ipv6_next_hop = true;
    std::vector<std::uint8_t> out;
    const NextHop hop{address(next_hop), {}};
    const AnnounceResult result =
        encode_announce(encoded, hop, Family::ipv4, std::vector{prefix("10.0.0.0/8")}, context, out);
    const Update update = decoded({out.begin() + 19, out.end()}, context);
    EXPECT_EQ(update.severity, Severity::none);
    const bool classic = hop.address.family == Family::ipv4;
    EXPECT_EQ(classic ? update.attributes.next_hop : update.mp_next_hop, hop);
    EXPECT_EQ(update.announced.size(), classic ? 1U : 0U);
    EXPECT_EQ(update.mp_announced.size(), classic ? 0U : 1U);
    EXPECT_EQ(to_hex(Bytes{out}.subspan(result.next_hop_offset, result.next_hop_size)), to_hex(hop.address.bytes()));
  }
}

TEST(UpdateEncoding, MpReachComesFirst) {
  const NextHop next_hop{address("2001:db8::1"), address("fe80::1")};
  AnnounceResult result;
  const auto out =
      announced(plain_attributes(), next_hop, Family::ipv6, {prefix("2001:db8::/32"), prefix("::/0")}, {}, &result);
  EXPECT_EQ(out[19 + 4 + 1], attr::kMpReach) << "RFC 7606 s.5.1";
  EXPECT_EQ(result.next_hop_size, 32);
  const Update update = decoded({out.begin() + 19, out.end()});
  EXPECT_EQ(update.severity, Severity::none);
  EXPECT_EQ(update.mp_next_hop, next_hop);
  EXPECT_EQ(update.mp_announced, list({"2001:db8::/32", "::/0"}));
}

std::vector<Prefix> many(Family family, std::size_t count) {
  std::vector<Prefix> prefixes;
  for (std::size_t i = 0; i < count; ++i) {
    IpAddress a = family == Family::ipv4 ? IpAddress::v4(0x0A000000U + static_cast<std::uint32_t>(i << 8U))
                                         : address("2001:db8::");
    if (family == Family::ipv6)
      a.octets[4] = static_cast<std::uint8_t>(i >> 8U), a.octets[5] = static_cast<std::uint8_t>(i & 0xFFU);
    prefixes.push_back(Prefix::of(a, family == Family::ipv4 ? 24 : 48));
  }
  return prefixes;
}

TEST(UpdateEncoding, MessagesAreFilledAndNeverTooLong) {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    for (const std::size_t max : {kMaxMessage, kMaxExtendedMessage}) {
      UpdateContext context;
      context.max_message = max;
      const auto prefixes = many(family, 20000);
      const NextHop hop{address(family == Family::ipv4 ? "192.0.2.1" : "2001:db8::1"), {}};
      AnnounceResult result;
      const auto out = announced(plain_attributes(), hop, family, prefixes, context, &result);
      ASSERT_LT(result.taken, prefixes.size());
      EXPECT_LE(out.size(), max);
      EXPECT_GT(out.size() + nlri_size(prefixes[0]), max) << "one more would not fit";
      const Update update = decoded({out.begin() + 19, out.end()}, context);
      EXPECT_EQ(update.severity, Severity::none);
      EXPECT_EQ(update.announced.size() + update.mp_announced.size(), result.taken);

      std::vector<std::uint8_t> gone;
      const std::size_t taken = encode_withdraw(family, prefixes, context, gone);
      EXPECT_LE(gone.size(), max);
      EXPECT_GT(gone.size() + nlri_size(prefixes[0]), max);
      EXPECT_EQ(decoded({gone.begin() + 19, gone.end()}, context).withdrawn.size(), taken);
    }
  }
}

TEST(UpdateEncoding, AttributesTooLargeForAMessageTakeNothingAndAppendNothing) {
  PathAttributes attributes = plain_attributes();
  for (std::uint32_t i = 0; i < 1010; ++i) attributes.communities.push_back(Community{i});
  AnnounceResult result;
  EXPECT_TRUE(announced(attributes, attributes.next_hop, Family::ipv4, {prefix("10.0.0.0/8")}, {}, &result).size() >
              0U);
  EXPECT_EQ(result.taken, 1U);
  for (std::uint32_t i = 1010; i < 1020; ++i) attributes.communities.push_back(Community{i});
  EXPECT_TRUE(announced(attributes, attributes.next_hop, Family::ipv4, {prefix("10.0.0.0/8")}, {}, &result).empty());
  EXPECT_EQ(result.taken, 0U);
  for (std::uint32_t i = 1020; i < 70000; ++i) attributes.communities.push_back(Community{i});
  UpdateContext extended;
  extended.max_message = kMaxExtendedMessage;
  EXPECT_TRUE(
      announced(attributes, attributes.next_hop, Family::ipv4, {prefix("10.0.0.0/8")}, extended, &result).empty());
  EXPECT_EQ(result.taken, 0U);
}

TEST(UpdateEncoding, NothingToSayIsNoMessage) {
  std::vector<std::uint8_t> out;
  EncodedAttributes encoded;
  encode_attributes(plain_attributes(), Family::ipv4, {}, encoded);
  EXPECT_EQ(encode_announce(encoded, {}, Family::ipv4, {}, {}, out).taken, 0U);
  EXPECT_EQ(encode_withdraw(Family::ipv4, {}, {}, out), 0U);
  EXPECT_TRUE(out.empty());
}

TEST(UpdateEncoding, ExternalPeersNeverSeeInternalAttributes) {
  PathAttributes attributes = plain_attributes();
  attributes.local_pref = 200;
  attributes.originator_id = RouterId{1};
  attributes.cluster_list = {RouterId{2}};
  const auto out = announced(attributes, attributes.next_hop, Family::ipv4, {prefix("10.0.0.0/8")}, {});
  // Read as from an internal peer, so that they would be seen.
  const Update update = decoded({out.begin() + 19, out.end()}, internal());
  EXPECT_EQ(update.attributes.local_pref, std::nullopt);
  EXPECT_EQ(update.attributes.originator_id, std::nullopt);
  EXPECT_TRUE(update.attributes.cluster_list.empty());
}

TEST(UpdateEncoding, UnknownAttributesGoOutWithPartialSet) {
  PathAttributes attributes = plain_attributes();
  attributes.unknown = {{0xC0, 99, {1, 2}}};
  const auto out = announced(attributes, attributes.next_hop, Family::ipv4, {prefix("10.0.0.0/8")}, {});
  const Update update = decoded({out.begin() + 19, out.end()});
  EXPECT_EQ(update.attributes.unknown, (std::vector<UnknownAttribute>{{0xE0, 99, {1, 2}}}));
}

TEST(UpdateEncoding, ATwoOctetPeerGetsAs4AttributesOnlyWhenNeeded) {
  PathAttributes attributes = plain_attributes();
  attributes.aggregator = Aggregator{Asn{65002}, RouterId{1}};
  const auto small = announced(attributes, attributes.next_hop, Family::ipv4, {prefix("10.0.0.0/8")}, two_octet());
  EXPECT_EQ(to_hex(small).find("c0 11"), std::string::npos);
  EXPECT_EQ(to_hex(small).find("c0 12"), std::string::npos);
  attributes.as_path = parse_as_path("65001 4200000001").value();
  attributes.aggregator = Aggregator{Asn{4200000001U}, RouterId{1}};
  const auto large = announced(attributes, attributes.next_hop, Family::ipv4, {prefix("10.0.0.0/8")}, two_octet());
  EXPECT_NE(to_hex(large).find("40 02 06 02 02 fd e9 5b a0"), std::string::npos);
  EXPECT_NE(to_hex(large).find("c0 11 0a 02 02 00 00 fd e9 fa 56 ea 01"), std::string::npos);
  EXPECT_NE(to_hex(large).find("c0 07 06 5b a0 00 00 00 01"), std::string::npos);
  EXPECT_NE(to_hex(large).find("c0 12 08 fa 56 ea 01 00 00 00 01"), std::string::npos);
  EXPECT_EQ(decoded({large.begin() + 19, large.end()}, two_octet()).attributes, attributes);
}

TEST(UpdateEncoding, LongValuesTakeTheExtendedLength) {
  PathAttributes attributes = plain_attributes();
  for (std::uint32_t i = 0; i < 64; ++i) attributes.communities.push_back(Community{i});
  const auto out = announced(attributes, attributes.next_hop, Family::ipv4, {prefix("10.0.0.0/8")}, {});
  EXPECT_NE(to_hex(out).find("d0 08 01 00"), std::string::npos);
  EXPECT_EQ(decoded({out.begin() + 19, out.end()}).attributes, attributes);
}

}  // namespace
}  // namespace minibgp::wire
