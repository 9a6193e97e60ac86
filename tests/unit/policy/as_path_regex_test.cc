#include <bgp/policy/as_path_regex.h>
#include <bgp/text.h>

#include <gtest/gtest.h>

namespace minibgp::policy {
namespace {

struct Case {
  const char* expression;
  const char* path;
  bool matches;
};

// The `_` rule, anchors, POSIX operators; each expression with a path it finds and one it does not.
const Case kCases[] = {
    {"_65001_", "65001", true},
    {"_65001_", "65002 65001 65003", true},
    {"_65001_", "165001 650011", false},
    {"_65001_", "{65000,65001}", true},
    {"_65001_", "", false},
    {"^65001", "65001 65002", true},
    {"^65001", "650012", true},
    {"^65001_", "650012", false},
    {"^65001 ", "65002 65001 ", false},
    {"65001$", "65002 65001", true},
    {"65001$", "65001 65002", false},
    {"^$", "", true},
    {"^$", "65001", false},
    {".*", "", true},
    {"", "65001", true},
    {".+", "", false},
    {"_", "", true},
    {"_", "65001", true},
    {"__", "65001 65002", true},
    {"1__6", "65001 65002", false},
    {"^[0-9]+$", "65001", true},
    {"^[0-9]+$", "65001 65002", false},
    {"^[^ ]+ [^ ]+$", "1 2", true},
    {"^[^ ]+ [^ ]+$", "1 2 3", false},
    {"^(65001|65002)_", "65002 1", true},
    {"^(65001|65002)_", "65003 1", false},
    {"^65001( 65001)*$", "65001 65001 65001", true},
    {"^65001( 65001)*$", "65001 65001 65002", false},
    {"^65001(_[0-9]+)?$", "65001 7", true},
    {"^65001(_[0-9]+)?$", "65001 7 8", false},
    {"^([0-9]+_){2}[0-9]+$", "1 2 3", true},
    {"^([0-9]+_){2}[0-9]+$", "1 2", false},
    {"^[0-9]{5}$", "65001", true},
    {"^[0-9]{5}$", "6501", false},
    {"^[0-9]{2,3}$", "12", true},
    {"^[0-9]{2,3}$", "1234", false},
    {"^[0-9]{4,}$", "4200000000", true},
    {"^[0-9]{4,}$", "420", false},
    {"_6(45|51)[0-9]{2}_", "1 64512 2", true},
    {"_6(45|51)[0-9]{2}_", "1 64612 2", false},
    {"\\{65001,65002\\}$", "1 {65001,65002}", true},
    {"\\{65001,65002\\}$", "1 {65001,65003}", false},
    {"[[:digit:]]+_4", "3 4", true},
    {"a", "1", false},
    {"1.3", "113", true},
    {"1\\.3", "113", false},
    {"[]1]5", "15", true},
    {"[1-3-]5", "25", true},
    {"(^|_)65001(_|$)", "65001", true},
    {"x*", "1", true},
    {"()", "1", true},
    {"1||2", "3", true},
};

class AsPathRegexCase : public ::testing::TestWithParam<Case> {};

TEST_P(AsPathRegexCase, FindsWhatPosixFinds) {
  const auto regex = AsPathRegex::compile(GetParam().expression);
  ASSERT_TRUE(regex) << regex.error().text;
  const auto path = parse_as_path(GetParam().path);
  if (path) {
    EXPECT_EQ(regex->matches(*path), GetParam().matches);
  }
  EXPECT_EQ(regex->matches(std::string_view(GetParam().path)), GetParam().matches);
}
INSTANTIATE_TEST_SUITE_P(Table, AsPathRegexCase, ::testing::ValuesIn(kCases),
                         [](const auto& each) { return std::to_string(each.index); });

TEST(AsPathRegex, MembersOfASetCountInAscendingOrderOnce) {
  AsPath path;
  path.segments = {{AsPath::SegmentType::sequence, 1}, {AsPath::SegmentType::set, 4}};
  path.asns = {Asn{9}, Asn{30}, Asn{20}, Asn{30}, Asn{1}};
  EXPECT_TRUE(AsPathRegex::compile("^9 \\{1,20,30\\}$")->matches(path));
}

TEST(AsPathRegex, MistakesAreNamedWithTheirPlace) {
  const std::pair<const char*, std::size_t> kMistakes[] = {
      {"(1", 2},       {"1)", 1},    {"*1", 0},  {"1|*", 2},    {"[1", 0},  {"1{2", 1},         {"1{3,2}", 1},
      {"1{1,999}", 1}, {"[3-1]", 2}, {"1\\", 1}, {"(1)\\1", 3}, {"\\w", 0}, {"[[:alpha:]]", 1},
  };
  for (const auto& [expression, position] : kMistakes) {
    const auto regex = AsPathRegex::compile(expression);
    ASSERT_FALSE(regex) << expression;
    EXPECT_EQ(regex.error().position, position) << expression << ": " << regex.error().text;
    EXPECT_FALSE(regex.error().text.empty());
  }
}

TEST(AsPathRegex, SizeIsBounded) {
  EXPECT_FALSE(AsPathRegex::compile("([0-9]{255}){255}"));
  EXPECT_FALSE(AsPathRegex::compile("(0|1)*1(0|1){20}"));  // 2^20 states.
  std::string nested;
  for (int i = 0; i < 60; ++i) nested = "(" + nested + "){255}";
  EXPECT_FALSE(AsPathRegex::compile(nested));
  EXPECT_FALSE(AsPathRegex::compile(std::string(100, '(') + "1" + std::string(100, ')')));
}

TEST(AsPathRegex, AnUsualExpressionIsASmallTable) {
  EXPECT_LT(AsPathRegex::compile("_(65001|65002)_.*_(3356|174|2914)$")->states(), 100U);
}

}  // namespace
}  // namespace minibgp::policy
