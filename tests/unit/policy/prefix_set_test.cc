#include <bgp/policy/prefix_set.h>
#include <bgp/text.h>

#include <random>

#include <gtest/gtest.h>

namespace minibgp::policy {
namespace {

bool found(const std::vector<PrefixRange>& ranges, std::string_view prefix) {
  const std::span<const PrefixRange> one[] = {ranges};
  const PrefixIndex index(one);
  const Prefix wanted = parse_prefix(prefix).value();
  return index.matches(index.find(wanted), 0, wanted);
}

PrefixRange range(std::string_view text) { return parse_prefix_range(text).value(); }

TEST(PrefixIndex, LengthsAndEdgesOfRanges) {
  const std::vector<PrefixRange> ranges{range("10.0.0.0/8 ge 16 le 24"), range("10.1.0.0/16"), range("192.0.2.0/24"),
                                        range("255.255.255.0/24 le 32"), range("2001:db8::/32 le 48")};
  EXPECT_FALSE(found(ranges, "10.0.0.0/8"));
  EXPECT_TRUE(found(ranges, "10.0.0.0/16"));
  EXPECT_TRUE(found(ranges, "10.255.255.0/24"));
  EXPECT_FALSE(found(ranges, "10.255.255.0/25"));
  EXPECT_FALSE(found(ranges, "11.0.0.0/16"));
  EXPECT_FALSE(found(ranges, "9.255.0.0/16"));
  EXPECT_TRUE(found(ranges, "10.1.0.0/16"));
  EXPECT_FALSE(found(ranges, "192.0.2.0/25"));
  EXPECT_TRUE(found(ranges, "255.255.255.255/32"));
  EXPECT_FALSE(found(ranges, "0.0.0.0/0"));
  EXPECT_TRUE(found(ranges, "2001:db8:ffff::/48"));
  EXPECT_FALSE(found(ranges, "2001:db9::/48"));
  EXPECT_FALSE(found(ranges, "2001:db8::/49"));
}

TEST(PrefixIndex, DefaultRouteAloneAndWithAllBelow) {
  EXPECT_TRUE(found({range("0.0.0.0/0")}, "0.0.0.0/0"));
  EXPECT_FALSE(found({range("0.0.0.0/0")}, "0.0.0.0/1"));
  EXPECT_FALSE(found({range("0.0.0.0/0")}, "::/0"));
  EXPECT_TRUE(found({range("0.0.0.0/0 le 32")}, "203.0.113.7/32"));
  EXPECT_TRUE(found({range("::/0 le 128")}, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"));
  EXPECT_FALSE(found({}, "0.0.0.0/0"));
}

Prefix random_prefix(std::mt19937& random) {
  // Few distinct leading bits, so that ranges nest and meet.
  if (random() % 2 == 0) {
    const auto length = static_cast<std::uint8_t>(random() % 33);
    return Prefix::of(IpAddress::v4((random() & 0xC0000007U) | (random() % 4 == 0 ? 0x3FFFFFF8U : 0)), length);
  }
  std::array<std::uint8_t, 16> octets{};
  for (const std::size_t at : {0U, 7U, 8U, 15U})
    octets[at] = static_cast<std::uint8_t>(random() % 3 == 0 ? 0xFF : random() % 2);
  return Prefix::of(IpAddress::v6(octets), static_cast<std::uint8_t>(random() % 129));
}

class PrefixIndexAgrees : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(PrefixIndexAgrees, WithTryingEveryEntryOfEveryList) {
  std::mt19937 random(GetParam());
  SCOPED_TRACE(::testing::Message() << "seed=" << GetParam());
  std::vector<std::vector<PrefixRange>> lists(1 + random() % 5);
  for (auto& list : lists) {
    const std::size_t count = random() % 40;
    for (std::size_t i = 0; i < count; ++i) {
      PrefixRange one = PrefixRange::exactly(random_prefix(random));
      const std::uint8_t bits = address_bits(one.prefix.family);
      one.ge = static_cast<std::uint8_t>(one.prefix.length_bits + random() % (bits - one.prefix.length_bits + 1U));
      one.le = static_cast<std::uint8_t>(one.ge + random() % (bits - one.ge + 1U));
      list.push_back(one);
    }
  }
  const std::vector<std::span<const PrefixRange>> spans(lists.begin(), lists.end());
  const PrefixIndex index(spans);
  for (int i = 0; i < 500; ++i) {
    const Prefix prefix = random_prefix(random);
    const auto row = index.find(prefix);
    for (std::size_t list = 0; list < lists.size(); ++list) {
      bool naive = false;
      for (const PrefixRange& one : lists[list]) naive = naive || one.matches(prefix);
      ASSERT_EQ(index.matches(row, list, prefix), naive) << to_text(prefix) << " in list " << list;
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, PrefixIndexAgrees, ::testing::Range(1U, 101U));

TEST(PrefixIndex, MemoryIsTwoStepsOfEightOctetsAnEntryAndADirectory) {
  std::vector<PrefixRange> ranges;
  for (std::uint32_t i = 0; i < 100'000; ++i)
    ranges.push_back(PrefixRange::exactly(Prefix::of(IpAddress::v4(i << 9U), 24)));
  const std::span<const PrefixRange> one[] = {ranges};
  EXPECT_LT(PrefixIndex(one).octets(), 25U * ranges.size());
}

}  // namespace
}  // namespace minibgp::policy
