// docs/conformance.md says which test shows what: every `Suite.Name` and every file it names must exist.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

const fs::path kRoot = MINIBGP_SOURCE_DIR;

std::string content_of(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// "Suite.Name" of every test in the sources, whether or not it is built here.
const std::set<std::string>& tests() {
  static const std::set<std::string> all = [] {
    std::set<std::string> names;
    const std::regex declaration(R"(\bTEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\))");
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / "tests")) {
      if (entry.path().extension() != ".cc") continue;
      const std::string text = content_of(entry.path());
      for (std::sregex_iterator at(text.begin(), text.end(), declaration), end; at != end; ++at)
        names.insert((*at)[1].str() + "." + (*at)[2].str());
    }
    return names;
  }();
  return all;
}

struct Row {
  int line = 0;
  std::vector<std::string> columns;
};

std::vector<Row> rows() {
  std::vector<Row> all;
  std::istringstream text(content_of(kRoot / "docs/conformance.md"));
  int number = 0;
  for (std::string line; std::getline(text, line);) {
    ++number;
    if (line.rfind("| ", 0) != 0 || line.rfind("| ---", 0) == 0) continue;
    Row row{number, {}};
    std::istringstream cells(line.substr(1));
    for (std::string cell; std::getline(cells, cell, '|');) row.columns.push_back(cell);
    const bool heading = row.columns.back() == " tested by ";
    if (!heading) all.push_back(row);
  }
  return all;
}

std::vector<std::string> quoted(const std::string& cell) {
  std::vector<std::string> names;
  const std::regex code("`([^`]+)`");
  for (std::sregex_iterator at(cell.begin(), cell.end(), code), end; at != end; ++at) names.push_back((*at)[1]);
  return names;
}

TEST(ConformanceRows, NameTestsThatExist) {
  ASSERT_GT(rows().size(), 80U);
  ASSERT_GT(tests().size(), 100U);
  for (const Row& row : rows()) {
    SCOPED_TRACE("docs/conformance.md:" + std::to_string(row.line));
    ASSERT_EQ(row.columns.size(), 4U);
    const auto names = quoted(row.columns[3]);
    EXPECT_TRUE(!names.empty() || row.columns[3].find("not tested") != std::string::npos) << row.columns[3];
    for (const std::string& name : names) EXPECT_EQ(tests().count(name), 1U) << name;
  }
}

TEST(ConformanceRows, NameFilesThatExist) {
  for (const Row& row : rows()) {
    for (const std::string& name : quoted(row.columns[2])) {
      if (name.rfind("bgp/", 0) != 0) continue;
      EXPECT_TRUE(fs::exists(kRoot / name)) << row.line << ": " << name;
    }
  }
}

}  // namespace
