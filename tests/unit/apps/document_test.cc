/// The reference in the tree is what the table of keys gives now. To write it anew:
///   bgplite document configuration > docs/configuration.md
///   bgplite document man > apps/bgplite/dist/man/bgplite.yaml.5
#include <apps/bgplite/config/document.h>
#include <apps/bgplite/config/keys.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace bgplite {
namespace {

std::string in_tree(const std::string& path) {
  std::ifstream in{std::string{BGPLITE_SOURCE_DIR} + "/" + path};
  return {std::istreambuf_iterator<char>{in}, std::istreambuf_iterator<char>{}};
}

TEST(Document, TheReferenceInTheTreeIsMadeFromTheTable) {
  EXPECT_EQ(configuration_markdown(), in_tree("docs/configuration.md"));
  EXPECT_EQ(configuration_man_page(), in_tree("apps/bgplite/dist/man/bgplite.yaml.5"));
}

TEST(Document, EveryKeyIsExplainedAndEachSectionNamesAKeyOnce) {
  for (const SectionDoc& section : sections()) {
    std::set<std::string> seen;
    for (const Key& key : section.keys) {
      EXPECT_TRUE(seen.insert(key.name).second) << section.path << "." << key.name;
      EXPECT_NE(std::string{key.doc}, "") << section.path << "." << key.name;
      EXPECT_EQ(std::string{key.doc}.back(), '.') << section.path << "." << key.name;
    }
  }
}

}  // namespace
}  // namespace bgplite
