#include <bgp/text.h>
#include <bgp/wire/nlri.h>
#include <tests/support/hex.h>

#include <string>

#include <gtest/gtest.h>

namespace minibgp::wire {
namespace {

using minibgp::testing::hex;

std::string shown(const std::vector<Nlri>& list) {
  std::string text;
  for (const Nlri& nlri : list) {
    if (!text.empty()) text += ' ';
    text += to_text(nlri.prefix);
    if (nlri.path_id != 0) text += '#' + std::to_string(nlri.path_id);
  }
  return text;
}

struct NlriCase {
  const char* field;
  Family family;
  PathIds path_ids;
  NlriFault fault;
  std::uint32_t offset;
  const char* prefixes;
};

const NlriCase kNlriCases[] = {
    {"", Family::ipv4, PathIds::absent, NlriFault::none, 0, ""},
    {"00", Family::ipv4, PathIds::absent, NlriFault::none, 0, "0.0.0.0/0"},
    {"08 0a 18 c00002 20 c0000201", Family::ipv4, PathIds::absent, NlriFault::none, 6,
     "10.0.0.0/8 192.0.2.0/24 192.0.2.1/32"},
    // Bits past the length are irrelevant (RFC 4271 s.4.3), so they do not make another prefix.
    {"0c 0aff 01 ff", Family::ipv4, PathIds::absent, NlriFault::none, 3, "10.240.0.0/12 128.0.0.0/1"},
    {"20 20010db8 80 20010db8000000000000000000000001", Family::ipv6, PathIds::absent, NlriFault::none, 5,
     "2001:db8::/32 2001:db8::1/128"},
    {"00000007 08 0a 00000000 00", Family::ipv4, PathIds::present, NlriFault::none, 6, "10.0.0.0/8#7 0.0.0.0/0"},
    {"08 0a 21 0102030405", Family::ipv4, PathIds::absent, NlriFault::length, 2, "10.0.0.0/8"},
    {"ff", Family::ipv4, PathIds::absent, NlriFault::length, 0, ""},
    {"81 00", Family::ipv6, PathIds::absent, NlriFault::length, 0, ""},
    {"08 0a 20 0a0000", Family::ipv4, PathIds::absent, NlriFault::overrun, 2, "10.0.0.0/8"},
    {"08", Family::ipv4, PathIds::absent, NlriFault::overrun, 0, ""},
    {"000000", Family::ipv4, PathIds::present, NlriFault::overrun, 0, ""},
    {"00000001", Family::ipv4, PathIds::present, NlriFault::overrun, 0, ""},
    {"00000001 08", Family::ipv4, PathIds::present, NlriFault::overrun, 0, ""},
};

TEST(NlriList, IsReadUntilTheFirstFault) {
  for (const NlriCase& c : kNlriCases) {
    SCOPED_TRACE(c.field);
    std::vector<Nlri> out;
    const auto field = hex(c.field);
    const NlriOutcome outcome = decode_nlri(field, c.family, c.path_ids, out);
    EXPECT_EQ(outcome.fault, c.fault);
    if (c.fault != NlriFault::none) {
      EXPECT_EQ(outcome.offset, c.offset);
    }
    EXPECT_EQ(shown(out), c.prefixes);
  }
}

TEST(NlriList, MulticastPrefixesAreLeftOutAndTheRestKept) {
  std::vector<Nlri> out;
  const NlriOutcome v4 = decode_nlri(hex("08 0a 04 e0 18 ef0102 08 0b"), Family::ipv4, PathIds::absent, out);
  EXPECT_EQ(v4.fault, NlriFault::none);
  EXPECT_EQ(v4.ignored, 2U);
  EXPECT_EQ(shown(out), "10.0.0.0/8 11.0.0.0/8");
  out.clear();
  const NlriOutcome v6 = decode_nlri(hex("08 ff 10 ff02 10 2001"), Family::ipv6, PathIds::absent, out);
  EXPECT_EQ(v6.ignored, 2U);
  EXPECT_EQ(shown(out), "2001::/16");
}

TEST(NlriList, APrefixThatOnlyCoversMulticastIsUnicast) {
  std::vector<Nlri> out;
  EXPECT_EQ(decode_nlri(hex("00 03 e0"), Family::ipv4, PathIds::absent, out).ignored, 0U);
  EXPECT_EQ(out.size(), 2U);
}

TEST(NlriList, StoresWhatItReads) {
  for (const char* text :
       {"0.0.0.0/0", "10.0.0.0/8", "10.128.0.0/9", "192.0.2.1/32", "::/0", "2001:db8::/33", "::1/128"}) {
    const Prefix prefix = parse_prefix(text).value();
    std::vector<std::uint8_t> octets(nlri_size(prefix));
    EXPECT_EQ(store_nlri(octets.data(), prefix), octets.data() + octets.size());
    std::vector<Nlri> out;
    EXPECT_EQ(decode_nlri(octets, prefix.family, PathIds::absent, out).fault, NlriFault::none);
    EXPECT_EQ(shown(out), text);
  }
}

TEST(NlriFamilies, OnlyUnicastOfTwoFamilies) {
  EXPECT_EQ(family_of(1, 1), Family::ipv4);
  EXPECT_EQ(family_of(2, 1), Family::ipv6);
  EXPECT_EQ(family_of(1, 2), std::nullopt);
  EXPECT_EQ(family_of(25, 70), std::nullopt);
  EXPECT_EQ(family_of(0, 1), std::nullopt);
}

}  // namespace
}  // namespace minibgp::wire
