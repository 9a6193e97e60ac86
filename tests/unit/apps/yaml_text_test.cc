/// Limits on a YAML text, and its mistakes in the words of the person who wrote it.
#include <apps/bgplite/config/yaml.h>
#include <apps/bgplite/config/yaml_text.h>

#include <chrono>
#include <string>

#include <gtest/gtest.h>

namespace bgplite {
namespace {

std::string mistake(const std::string& text) {
  const YamlText read = read_yaml(text);
  if (!read.mistake) return "";
  Diagnostic found = *read.mistake;
  found.file = "f";
  return to_text(found);
}

/// `levels` anchors, each of ten of the one before.
std::string bomb(int levels) {
  std::string text = "a0: &a0 [x]\n";
  for (int i = 1; i <= levels; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int j = 1; j < 10; ++j) text += "," + before;
    text += "]\n";
  }
  return text;
}

TEST(YamlLimits, AliasesCountAsOftenAsTheyAreUsed) {
  EXPECT_EQ(mistake(bomb(3)), "");
  for (const int levels : {6, 30, 300}) {
    EXPECT_EQ(mistake(bomb(levels)).substr(0, 8), "f:7:10: ") << "in the line that goes beyond";
    EXPECT_NE(mistake(bomb(levels)).find("more than 250000 values (aliases count as often as they are used)"),
              std::string::npos);
  }
}

TEST(YamlLimits, MappingsOfAliasesAndMergeKeysCountToo) {
  std::string text = "a0: &a0 {k: v}\n";
  for (int i = 1; i < 30; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " {p: " + before + ", q: " + before +
            ", <<: " + before + "}\n";
  }
  EXPECT_NE(mistake(text).find("more than 250000 values"), std::string::npos);
}

TEST(YamlLimits, AnAliasWithinItselfIsRefused) {
  EXPECT_EQ(mistake("a: &a [1, *a]\n"), "f:1:11: error: an alias within what it stands for");
  EXPECT_EQ(mistake("a: &a { b: { c: *a } }\n"), "f:1:17: error: an alias within what it stands for");
}

TEST(YamlLimits, DepthIsLimitedInEveryForm) {
  const std::string deep = "nested more than 64 levels deep";
  EXPECT_NE(mistake(std::string(100'000, '[')).find(deep), std::string::npos);
  EXPECT_NE(mistake("a: " + std::string(100, '{')).find(deep), std::string::npos);
  std::string block;
  for (int i = 0; i < 100; ++i) block += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  EXPECT_NE(mistake(block).find(deep), std::string::npos);
  std::string dashes;
  for (int i = 0; i < 100; ++i) dashes += "- ";
  EXPECT_NE(mistake(dashes + "x").find(deep), std::string::npos);
}

TEST(YamlLimits, TheFilesOfOneConfigurationCountTogether) {
  std::string list = "networks:\n";
  for (int i = 0; i < 130'000; ++i) list += "- x\n";
  const FileSource files{[&](const std::string& path, std::string&) {
                           return std::optional{path == "a.yaml" ? "include: [b.yaml]\n" + list : list};
                         },
                         [](const std::string&) { return std::vector<std::string>{}; }};
  const std::string text = load_config("a.yaml", files).diagnostics.to_text();
  EXPECT_NE(text.find("b.yaml:"), std::string::npos);
  EXPECT_NE(text.find("values (a long list belongs into a file that a set names: { file: PATH })"), std::string::npos)
      << text.substr(0, 2000);
}

struct Case {
  const char* name;
  const char* text;
  const char* said;
};

class YamlMistake : public testing::TestWithParam<Case> {};

TEST_P(YamlMistake, IsSaidInTheUsersWords) { EXPECT_EQ(mistake(GetParam().text), GetParam().said); }

INSTANTIATE_TEST_SUITE_P(
    Texts, YamlMistake,
    testing::Values(
        Case{"tab", "router:\n\tasn: 1\n", "f:2:1: error: a tab: YAML is indented with blanks (two blanks a level)"},
        Case{"tab_behind_blanks", "router:\n  asn: 1\n  \trouter_id: 2\n",
             "f:3:3: error: a tab: YAML is indented with blanks (two blanks a level)"},
        Case{"one_blank_too_many", "router:\n  asn: 1\n   router_id: 2\n",
             "f:3:4: error: this line is indented by 3 blanks, line 2 above by 2 blanks (what belongs together begins "
             "in "
             "the same column)"},
        Case{
            "one_blank_too_few", "router:\n  asn: 1\n router_id: 2\n",
            "f:3:2: error: this line is indented by 1 blank, line 2 above by 2 blanks (what belongs together begins in "
            "the same column)"},
        Case{"in_a_list", "peers:\n  - a: 1\n     b: 2\n",
             "f:3:6: error: this line is indented by 5 blanks, line 2 above by 4 blanks (what belongs together begins "
             "in "
             "the same column)"},
        Case{"brace", "router: { asn: 1\npeers: {}\n", "f:1:9: error: '{' is never closed ('}' is missing)"},
        Case{"bracket", "a:\n  b: [1, 2\nc: { d: e }\n", "f:2:6: error: '[' is never closed (']' is missing)"},
        Case{"outer_brace", "a: { b: { c: 1 }\n# }\nd: '}'\n", "f:1:4: error: '{' is never closed ('}' is missing)"},
        Case{"crossed", "router: { asn: 65530\npeers: ]\n", "f:1:9: error: '{' is closed by ']' in line 2"},
        Case{"no_colon", "router:\n  asn 1\n  router_id: 2\n", "f:2:3: error: a key without ':' behind it"},
        Case{"no_colon_above", "router\n  asn: 1\n", "f:1:1: error: a key without ':' behind it"}),
    [](const auto& one) { return one.param.name; });

TEST(YamlText, WhatIsRightIsNotExamined) {
  EXPECT_EQ(mistake(""), "");
  EXPECT_EQ(mistake("a: |\n  {[\n   x\nb: it's { fine\n"), "");
  EXPECT_EQ(mistake("a: 1\n---\nb: 2\n").substr(0, 33), "f:3:1: error: a second document a");
}

}  // namespace
}  // namespace bgplite
