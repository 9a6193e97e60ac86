#include <bgp/text.h>
#include <bgp/wire/attribute.h>
#include <bgp/wire/numbers.h>

#include <gtest/gtest.h>

namespace minibgp::wire {
namespace {

TEST(AttributeTable, FindsEachRowByItsType) {
  int known = 0;
  for (int type = 0; type < 256; ++type) {
    const AttributeSpec* spec = find_attribute(static_cast<std::uint8_t>(type));
    if (spec == nullptr) continue;
    ++known;
    EXPECT_EQ(spec->type, type);
    EXPECT_EQ(attribute_name(spec->type), spec->name);
    EXPECT_NE(spec->decode, nullptr);
    EXPECT_EQ(spec->flags & ~(attr::kFlagOptional | attr::kFlagTransitive), 0);
    EXPECT_NE(spec->malformed, Severity::none);
    EXPECT_NE(spec->bad_flags, Severity::none);
  }
  EXPECT_EQ(known, 17);
  EXPECT_EQ(attribute_name(99), "");
}

TEST(AttributeTable, OnlyWhatHoldsPrefixesResetsTheSession) {
  for (int type = 0; type < 256; ++type) {
    const AttributeSpec* spec = find_attribute(static_cast<std::uint8_t>(type));
    if (spec == nullptr) continue;
    const bool holds_prefixes = type == attr::kMpReach || type == attr::kMpUnreach;
    EXPECT_EQ(spec->malformed == Severity::session_reset, holds_prefixes) << spec->name;
    EXPECT_EQ(spec->bad_flags == Severity::session_reset, holds_prefixes) << spec->name;
  }
}

TEST(MartianNextHop, IsWhatNoHostCanHave) {
  for (const char* text : {"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.255", "224.0.0.1", "239.1.1.1", "240.0.0.1",
                           "255.255.255.255", "::", "::1", "ff02::1"})
    EXPECT_TRUE(is_martian_next_hop(parse_address(text).value())) << text;
  for (const char* text : {"1.0.0.1", "10.0.0.1", "126.255.255.255", "128.0.0.1", "169.254.10.1", "192.168.0.1",
                           "223.255.255.255", "2001:db8::1", "fe80::1", "fd00::1", "::2", "::ffff:1.2.3.4"})
    EXPECT_FALSE(is_martian_next_hop(parse_address(text).value())) << text;
}

}  // namespace
}  // namespace minibgp::wire
