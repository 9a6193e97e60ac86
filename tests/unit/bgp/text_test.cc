#include <bgp/snapshots.h>
#include <bgp/text.h>
#include <bgp/wire/message.h>

#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace minibgp {
namespace {

TEST(AddressText, BothFamiliesRoundTripInTheirCanonicalForm) {
  for (const char* text : {"0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "::1", "2001:db8::1", "fe80::1:0:0:1",
                           "1::", "1:2:3:4:5:6:7:8", "2001:db8:0:1:1:1:1:1", "::2:3:4:5:6:7:8"}) {
    const auto address = parse_address(text);
    // A single zero group is written out (RFC 5952 s.4.2.2), so the last text has another canonical form.
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(parse_address(to_text(*address)), address) << text;
    if (std::string_view{text} != "::2:3:4:5:6:7:8") {
      EXPECT_EQ(to_text(*address), text);
    }
  }
  EXPECT_EQ(to_text(*parse_address("::2:3:4:5:6:7:8")), "0:2:3:4:5:6:7:8");
}

TEST(AddressText, OtherSpellingsMeanTheSameAddress) {
  EXPECT_EQ(parse_address("2001:DB8:0:0:0:0:0:1"), parse_address("2001:db8::1"));
  EXPECT_EQ(parse_address("::ffff:192.0.2.1"), parse_address("::ffff:c000:201"));
  EXPECT_EQ(to_text(*parse_address("1:0:0:2:0:0:0:3")), "1:0:0:2::3") << "the longest run of zeros is shortened";
  EXPECT_EQ(to_text(*parse_address("1:0:0:2:3:0:0:4")), "1::2:3:0:0:4") << "of equal runs the first";
}

TEST(AddressText, AnythingElseIsRefused) {
  for (const char* text : {"",
                           ".",
                           "1",
                           "1.2.3",
                           "1.2.3.4.5",
                           "256.0.0.1",
                           "01.2.3.4",
                           "1.2.3.4 ",
                           " 1.2.3.4",
                           "1..2.3",
                           "-1.2.3.4",
                           ":",
                           ":::",
                           "1::2::3",
                           "1:2:3:4:5:6:7",
                           "1:2:3:4:5:6:7:8:9",
                           "12345::",
                           "g::",
                           "1:2:3:4:5:6:7::8:9",
                           "1:2:3:4:5:6:7:8::",
                           "::1.2.3",
                           "1.2.3.4::",
                           "1:",
                           ":1",
                           "1:2:3:4:5:6:7:1.2.3.4"})
    EXPECT_FALSE(parse_address(text)) << '"' << text << '"';
}

TEST(PrefixText, RoundTrips) {
  for (const char* text :
       {"0.0.0.0/0", "10.0.0.0/8", "203.0.113.0/24", "192.0.2.1/32", "::/0", "2001:db8::/32", "::1/128"})
    EXPECT_EQ(to_text(parse_prefix(text).value()), text);
}

TEST(PrefixText, HostBitsAreAnErrorUnlessTheyAreToBeMasked) {
  EXPECT_FALSE(parse_prefix("10.0.0.1/8"));
  EXPECT_EQ(to_text(parse_prefix("10.0.0.1/8", HostBits::mask).value()), "10.0.0.0/8");
  EXPECT_FALSE(parse_prefix("2001:db8::1/32"));
  EXPECT_EQ(to_text(parse_prefix("2001:db8::1/32", HostBits::mask).value()), "2001:db8::/32");
}

TEST(PrefixText, AnythingElseIsRefused) {
  for (const char* text : {"", "/", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/08", "10.0.0.0/8/8",
                           "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8 "})
    EXPECT_FALSE(parse_prefix(text)) << '"' << text << '"';
}

TEST(AsnText, AllThreeSpellings) {
  EXPECT_EQ(parse_asn("65001"), Asn{65001});
  EXPECT_EQ(parse_asn("AS65001"), Asn{65001});
  EXPECT_EQ(parse_asn("as65001"), Asn{65001});
  EXPECT_EQ(parse_asn("1.10"), Asn{65546});
  EXPECT_EQ(parse_asn("4294967295"), Asn{4294967295U});
  for (const char* text : {"", "AS", "AS-1", "4294967296", "65536.1", "1.65536", "1.", ".1", "65001x", "1.2.3"})
    EXPECT_FALSE(parse_asn(text)) << '"' << text << '"';
}

TEST(CommunityText, NumbersAndNames) {
  EXPECT_EQ(parse_community("65001:100"), Community{0xFDE90064});
  EXPECT_EQ(to_text(Community{0xFDE90064}), "65001:100");
  for (const char* name : {"no-export", "no-advertise", "no-export-subconfed", "graceful-shutdown", "blackhole"})
    EXPECT_EQ(to_text(parse_community(name).value()), name);
  for (const char* text : {"", ":", "1", "1:", ":1", "65536:1", "1:65536", "1:2:3", "no-exports", "-1:1"})
    EXPECT_FALSE(parse_community(text)) << '"' << text << '"';
}

TEST(LargeCommunityText, ThreeNumbers) {
  EXPECT_EQ(parse_large_community("4200000000:1:2"), (LargeCommunity{4200000000U, 1, 2}));
  EXPECT_EQ(to_text(LargeCommunity{4200000000U, 1, 2}), "4200000000:1:2");
  for (const char* text : {"", "1:2", "1:2:3:4", "1:2:", "::", "4294967296:1:1"})
    EXPECT_FALSE(parse_large_community(text)) << '"' << text << '"';
}

struct ExtendedCase {
  const char* text;
  std::uint64_t value;
};

TEST(ExtendedCommunityText, RoundTripsInTheShortestExactForm) {
  // Type and subtype: RFC 4360 s.4, s.5, RFC 5668, draft-ietf-idr-link-bandwidth (1e6 is 0x49742400).
  constexpr ExtendedCase kCases[] = {
      {"rt:65001:100", 0x0002FDE900000064},       {"rt:65001:4294967295", 0x0002FDE9FFFFFFFF},
      {"rt:192.0.2.1:5", 0x0102C00002010005},     {"rt:4200000001:7", 0x0202FA56EA010007},
      {"ro:65001:1", 0x0003FDE900000001},         {"lb:65001:1000000", 0x4004FDE949742400},
      {"0x4004fde900000001", 0x4004FDE900000001},  // A bandwidth that is no whole number.
      {"0x02020000fde90007", 0x02020000FDE90007},  // A 2-octet AS in the 4-octet form.
      {"0x0600000000000001", 0x0600000000000001},
  };
  for (const ExtendedCase& c : kCases) {
    EXPECT_EQ(parse_extended_community(c.text), ExtendedCommunity{c.value}) << c.text;
    EXPECT_EQ(to_text(ExtendedCommunity{c.value}), c.text);
  }
}

TEST(ExtendedCommunityText, AnythingElseIsRefused) {
  for (const char* text : {"", "rt", "rt:", "rt:1", "rt:65536:65536", "rt:1.2.3.4:65536", "xx:1:1", "0x", "0x12",
                           "0x00000000000000001", "0x000000000000000g", "lb:65536:1", "lb:1:-5"})
    EXPECT_FALSE(parse_extended_community(text)) << '"' << text << '"';
}

TEST(AsPathText, SequencesAndSets) {
  for (const char* text : {"", "65001", "65001 65002 4200000001", "65001 {65003,65004}", "{1} {2} 3"})
    EXPECT_EQ(to_text(parse_as_path(text).value()), text);
  const AsPath path = parse_as_path("65001  65002 {65003,65004}").value();
  ASSERT_EQ(path.segments.size(), 2U);
  EXPECT_EQ(path.segments[0], (AsPath::Segment{AsPath::SegmentType::sequence, 2}));
  EXPECT_EQ(path.segments[1], (AsPath::Segment{AsPath::SegmentType::set, 2}));
  EXPECT_EQ(path.length(), 3U);
  for (const char* text : {"x", "1,2", "{", "{}", "{1", "1}", "{1,}", "{,1}", "{1 2}", "1 2x"})
    EXPECT_FALSE(parse_as_path(text)) << '"' << text << '"';
}

TEST(EnumText, EveryValueHasItsOwnName) {
  std::vector<std::string> names;
  for (int i = 0; i <= static_cast<int>(DownReason::restarting); ++i)
    names.emplace_back(to_text(static_cast<DownReason>(i)));
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
  EXPECT_THAT(names, testing::Not(testing::Contains("unknown")));
  EXPECT_EQ(to_text(PeerState::idle), "Idle");
  EXPECT_EQ(to_text(PeerState::established), "Established");
  EXPECT_EQ(to_text(Origin::incomplete), "incomplete");
  EXPECT_EQ(to_text(Role::peer), "peer");
  EXPECT_EQ(to_text(Family::ipv6), "IPv6 unicast");
}

TEST(WithheldText, NamesTheLengthUpToWhichMessagesAreSent) {
  PeerStatus peer;
  const Prefix prefix = parse_prefix("203.0.113.0/24").value();
  for (const auto& [extended, octets] : {std::pair{false, wire::kMaxMessage}, std::pair{true, wire::kMaxSentMessage}}) {
    peer.extended_messages = extended;
    EXPECT_THAT(to_text(Withheld::too_large, prefix, peer),
                testing::HasSubstr("message of " + std::to_string(octets) + " octets"));
  }
}

}  // namespace
}  // namespace minibgp
