#include <bgp/policy_definition.h>
#include <bgp/text.h>

#include <gtest/gtest.h>

namespace minibgp {
namespace {

/// Text in, canonical text out; empty: refused.
struct Case {
  const char* text;
  const char* canonical;
};

template <typename Value>
void check(std::optional<Value> (*parse)(std::string_view), const std::vector<Case>& cases) {
  for (const Case& one : cases) {
    const auto value = parse(one.text);
    ASSERT_EQ(value.has_value(), *one.canonical != '\0') << one.text;
    if (!value) continue;
    EXPECT_EQ(to_text(*value), one.canonical) << one.text;
    EXPECT_EQ(parse(to_text(*value)), value) << one.text;
  }
}

TEST(DefinitionText, PrefixRanges) {
  check(&parse_prefix_range, {{"10.0.0.0/8", "10.0.0.0/8"},
                              {"10.0.0.0/8 le 24", "10.0.0.0/8 le 24"},
                              {"10.0.0.0/8 ge 16", "10.0.0.0/8 ge 16"},
                              {"10.0.0.0/8 ge 16 le 24", "10.0.0.0/8 ge 16 le 24"},
                              {"10.0.0.0/8  le 24 ge 16", "10.0.0.0/8 ge 16 le 24"},
                              {"10.0.0.0/8 longer", "10.0.0.0/8 ge 9"},
                              {"10.0.0.0/8 orlonger", "10.0.0.0/8 le 32"},
                              {"10.0.0.0/8 ge 8", "10.0.0.0/8 le 32"},
                              {"::/0 le 128", "::/0 le 128"},
                              {"2001:db8::/32 ge 48 le 48", "2001:db8::/32 ge 48 le 48"},
                              {"10.0.0.1/8", ""},
                              {"10.0.0.0/8 le", ""},
                              {"10.0.0.0/8 le 33", ""},
                              {"10.0.0.0/8 le 24 le 24", ""},
                              {"10.0.0.0/8 lt 24", ""},
                              {"10.0.0.0", ""},
                              {"", ""}});
}

TEST(DefinitionText, AsnRanges) {
  check(&parse_asn_range,
        {{"65001", "65001"}, {"AS65001", "65001"}, {"64512..65534", "64512..65534"}, {"1..", ""}, {"x", ""}, {"", ""}});
}

TEST(DefinitionText, CommunityPatterns) {
  check(&parse_community_pattern, {{"65001:100", "65001:100"},
                                   {"65001:*", "65001:*"},
                                   {"*:100", "*:100"},
                                   {"*:*", "*:*"},
                                   {"no-export", "no-export"},
                                   {"65536:*", ""},
                                   {"*", ""},
                                   {"1:2:*", ""}});
}

TEST(DefinitionText, ExtendedCommunityPatterns) {
  check(&parse_extended_community_pattern, {{"rt:65001:100", "rt:65001:100"},
                                            {"rt:65001:*", "rt:65001:*"},
                                            {"rt:*", "rt:*"},
                                            {"lb:*", "lb:*"},
                                            {"rt:192.0.2.1:*", "rt:192.0.2.1:*"},
                                            {"rt:4200000000:*", "rt:4200000000:*"},
                                            {"rt:*:1", ""},
                                            {"xx:*", ""},
                                            {"*", ""}});
}

TEST(DefinitionText, LargeCommunityPatterns) {
  check(&parse_large_community_pattern,
        {{"65001:1:2", "65001:1:2"}, {"65001:*:2", "65001:*:2"}, {"*:*:*", "*:*:*"}, {"1:2", ""}, {"1:2:x", ""}});
}

TEST(DefinitionText, AddressesAndNumbers) {
  check(&parse_address_range, {{"192.0.2.1", "192.0.2.1"},
                               {"192.0.2.0/24", "192.0.2.0/24"},
                               {"2001:db8::1", "2001:db8::1"},
                               {"192.0.2.1/24", ""},
                               {"x", ""}});
  check(&parse_number_range, {{"100", "100"},
                              {"50..100", "50..100"},
                              {"50..", "50.."},
                              {"..100", "..100"},
                              {"..", ""},
                              {"4294967296", ""},
                              {"-1", ""},
                              {"x", ""}});
}

TEST(DefinitionText, LongListsAreCut) {
  match::PrefixIn in;
  for (std::uint32_t i = 0; i < 20; ++i)
    in.items.push_back(PrefixRange::exactly(Prefix::of(IpAddress::v4(i << 24U), 8)));
  in.sets.push_back({"more", {}});
  const std::string text = to_text(PolicyMatch{in, {}});
  EXPECT_NE(text.find("... (20), more"), std::string::npos) << text;
}

TEST(DefinitionText, MarksDoNotMakeADifference) {
  PrefixRange a = parse_prefix_range("10.0.0.0/8").value();
  PrefixRange b = a;
  b.mark = {7, 3, 1};
  EXPECT_EQ(a, b);
  b.le = 9;
  EXPECT_NE(a, b);
}

}  // namespace
}  // namespace minibgp
