#include <bgp/path.h>
#include <bgp/text.h>

#include <gtest/gtest.h>

namespace minibgp {
namespace {

AsPath path(const char* text) { return parse_as_path(text).value(); }

TEST(AsPathValue, ASetCountsAsOneHop) {
  EXPECT_EQ(path("").length(), 0U);
  EXPECT_EQ(path("1 2 3").length(), 3U);
  EXPECT_EQ(path("1 {2,3,4}").length(), 2U);
}

TEST(AsPathValue, EndsThatAreSetsNameNoAs) {
  EXPECT_EQ(path("1 2").first(), Asn{1});
  EXPECT_EQ(path("1 2").origin(), Asn{2});
  EXPECT_EQ(path("{1} 2").first(), std::nullopt);
  EXPECT_EQ(path("1 {2}").origin(), std::nullopt);
  EXPECT_EQ(path("").first(), std::nullopt);
  EXPECT_EQ(path("").origin(), std::nullopt);
}

TEST(AsPathValue, PrependingJoinsALeadingSequence) {
  AsPath p = path("2 3");
  p.prepend(Asn{1}, 2);
  EXPECT_EQ(p, path("1 1 2 3"));
  EXPECT_EQ(p.segments.size(), 1U);
  p = path("{2,3}");
  p.prepend(Asn{1});
  EXPECT_EQ(p, path("1 {2,3}"));
  p = path("");
  p.prepend(Asn{1}, 0);
  EXPECT_TRUE(p.empty());
}

TEST(AsPathValue, APathNeverCountsMoreThanItHolds) {
  AsPath p;
  for (int i = 0; i < 300; ++i) p.prepend(Asn{1}, 255);
  EXPECT_LE(p.asns.size(), 65535U);
  EXPECT_EQ(p.length(), p.asns.size());
}

TEST(AsPathValue, ContainsLooksIntoSets) {
  EXPECT_TRUE(path("1 {2,3}").contains(Asn{3}));
  EXPECT_FALSE(path("1 {2,3}").contains(Asn{4}));
}

TEST(PathAttributesValue, ClearGivesTheDefaultAndKeepsMemory) {
  PathAttributes attributes;
  attributes.as_path = path("1 2 3 4");
  attributes.communities = {kNoExport};
  attributes.med = 1;
  attributes.local.weight = 5;
  attributes.unknown.push_back({0xC0, 99, {1}});
  attributes.only_to_customer = Asn{1};
  const auto capacity = attributes.as_path.asns.capacity();
  attributes.clear();
  EXPECT_EQ(attributes, PathAttributes{});
  EXPECT_EQ(attributes.as_path.asns.capacity(), capacity);
}

TEST(PathAttributesValue, HasFindsACommunity) {
  PathAttributes attributes;
  attributes.communities = {Community{1}, Community{5}, kNoExport};
  EXPECT_TRUE(attributes.has(kNoExport));
  EXPECT_FALSE(attributes.has(kNoAdvertise));
}

}  // namespace
}  // namespace minibgp
