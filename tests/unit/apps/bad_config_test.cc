/// Every wrong file in bad/ gives exactly the messages in its .golden file. After a change that is meant:
///   BGPLITE_WRITE_GOLDEN=1 config_test --gtest_filter='*BadConfig*', and read the difference.
#include <apps/bgplite/config/yaml.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace bgplite {
namespace {

namespace fs = std::filesystem;

const fs::path kDirectory = fs::path{BGPLITE_SOURCE_DIR} / "tests/unit/apps/bad";

std::string contents(const fs::path& path) {
  std::ifstream in{path};
  return {std::istreambuf_iterator<char>{in}, std::istreambuf_iterator<char>{}};
}

/// Messages name the file as it was given: without the directory the golden text is the same everywhere.
std::string messages(const fs::path& path) {
  std::string text = load_config(path.string()).diagnostics.to_text();
  const std::string prefix = path.parent_path().string() + "/";
  for (std::size_t at = text.find(prefix); at != std::string::npos; at = text.find(prefix))
    text.erase(at, prefix.size());
  return text;
}

std::vector<std::string> names() {
  std::vector<std::string> found;
  for (const fs::directory_entry& entry : fs::directory_iterator{kDirectory})
    if (entry.path().extension() == ".yaml") found.push_back(entry.path().stem().string());
  std::sort(found.begin(), found.end());
  return found;
}

class BadConfig : public testing::TestWithParam<std::string> {};

TEST_P(BadConfig, GivesItsGoldenMessages) {
  const fs::path file = kDirectory / (GetParam() + ".yaml");
  const fs::path golden = kDirectory / (GetParam() + ".golden");
  const std::string text = messages(file);
  if (std::getenv("BGPLITE_WRITE_GOLDEN") != nullptr) std::ofstream{golden} << text;
  EXPECT_EQ(text, contents(golden));
  EXPECT_FALSE(text.empty());
}

INSTANTIATE_TEST_SUITE_P(Files, BadConfig, testing::ValuesIn(names()), [](const auto& one) { return one.param; });

TEST(BadConfigs, AreAtLeastTwenty) { EXPECT_GE(names().size(), 20U); }

TEST(BadConfigs, ARegularMistakeNamesLineColumnAndHint) {
  EXPECT_EQ(messages(kDirectory / "unknown_key.yaml").substr(0, 26), "unknown_key.yaml:1:11: err");
  EXPECT_NE(messages(kDirectory / "unknown_key.yaml").find("1:11: error: unknown key 'asm' (did you mean 'asn'?)"),
            std::string::npos);
}

}  // namespace
}  // namespace bgplite
