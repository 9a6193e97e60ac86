/// No line of an imported configuration is lost in silence. Each line of each configuration of the corpus is taken out
/// in turn: the result or the list changes, or the import says that the line has no effect, and then nothing changes.
#include <apps/bgplite/cli/import_frr.h>
#include <apps/bgplite/cli/import_swanctl.h>
#include <apps/bgplite/config/yaml.h>
#include <tests/unit/apps/policy/run_verb.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <set>
#include <sstream>
#include <tuple>

#include <gmock/gmock.h>
#include <yaml-cpp/yaml.h>

namespace bgplite::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> corpus(const std::string& extension) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(IMPORT_CORPUS))
    if (entry.path().extension() == extension) files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// What the import gives, but for what it says of one line.
struct Outcome {
  std::string yaml;
  std::set<std::tuple<std::size_t, std::string, bool>> left_out;
  bool operator==(const Outcome&) const = default;
};
Outcome outcome_without(const cli::Imported& imported, std::size_t line) {
  Outcome outcome{imported.yaml, {}};
  for (const auto& one : imported.left_out)
    if (one.line != line) outcome.left_out.emplace(one.line, one.why, one.closes);
  return outcome;
}

enum class Fate : std::uint8_t { carried, listed, without_effect };
Fate fate_of(const cli::Imported& imported, std::size_t line) {
  const auto has = [&](const std::vector<cli::Imported::Left>& all) {
    return std::any_of(all.begin(), all.end(), [&](const auto& one) { return one.line == line; });
  };
  if (has(imported.left_out)) return Fate::listed;
  return has(imported.without_effect) ? Fate::without_effect : Fate::carried;
}

bool ends_block(const cli::Imported& imported, std::size_t line) {
  return std::any_of(imported.without_effect.begin(), imported.without_effect.end(),
                     [&](const auto& one) { return one.line == line && one.why == "ends a block"; });
}

struct Count {
  std::size_t lines = 0, carried = 0, listed = 0, without_effect = 0, silent = 0, untrue = 0;
};

/// Takes each line of the file out in turn.
void mutate(const std::string& file, Count& count) {
  const std::vector<std::string> lines = lines_of(read_file(file));
  const auto joined = [&](std::size_t without) {
    std::string text;
    // The line stays empty, so that the numbers of the others do not change.
    for (std::size_t i = 0; i < lines.size(); ++i) text += (i == without ? "" : lines[i]) + "\n";
    return text;
  };
  const cli::Imported whole = cli::import_frr(joined(lines.size()));
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::size_t first = lines[i].find_first_not_of(" \t");
    if (first == std::string::npos || lines[i][first] == '!') continue;
    ++count.lines;
    const Outcome with = outcome_without(whole, i + 1);
    const Outcome without = outcome_without(cli::import_frr(joined(i)), i + 1);
    const std::string where =
        std::filesystem::path(file).filename().string() + ":" + std::to_string(i + 1) + ": " + lines[i];
    switch (fate_of(whole, i + 1)) {
      case Fate::listed:
        ++count.listed;
        break;
      case Fate::carried:
        ++count.carried;
        if (with == without) ++count.silent, ADD_FAILURE() << "silent: " << where;
        break;
      case Fate::without_effect:
        ++count.without_effect;
        // Of the ends of blocks it is said what they are.
        if (with.yaml != without.yaml && !ends_block(whole, i + 1))
          ++count.untrue, ADD_FAILURE() << "said to have no effect: " << where;
        break;
    }
  }
}

TEST(ImportFrrLines, NoneIsLostInSilence) {
  Count count;
  const std::vector<std::string> files = corpus(".frr");
  for (const std::string& file : files) mutate(file, count);
  std::cout << "import frr: " << files.size() << " configurations, " << count.lines << " lines: " << count.carried
            << " carried over, " << count.listed << " listed, " << count.without_effect << " without effect, "
            << count.silent << " silent, " << count.untrue << " wrongly said to have no effect\n";
  EXPECT_GE(files.size(), 32U);
  EXPECT_GT(count.lines, 700U);
  EXPECT_EQ(count.silent, 0U);
  EXPECT_EQ(count.untrue, 0U);
  // None of the three fates is the answer to everything.
  EXPECT_GT(count.carried, count.lines / 3);
  EXPECT_GT(count.listed, count.lines / 10);
}

/// Each reason says what follows, behind a semicolon.
TEST(ImportFrrLines, EachEntryOfTheListSaysWhatFollows) {
  for (const std::string& file : corpus(".frr")) {
    const cli::Imported imported = cli::import_frr(read_file(file));
    for (const auto& one : imported.left_out) {
      EXPECT_THAT(one.why, HasSubstr("; ")) << file << ":" << one.line;
      EXPECT_FALSE(one.text.empty()) << file << ":" << one.line;
    }
    // What refuses more than before stands first.
    const auto calm =
        std::find_if(imported.left_out.begin(), imported.left_out.end(), [](const auto& one) { return !one.closes; });
    EXPECT_TRUE(std::none_of(calm, imported.left_out.end(), [](const auto& one) { return one.closes; })) << file;
  }
}

/// The errors of `check` are those that the import announced: a router id or an AS number that the file does not have.
TEST(ImportFrrLines, TheResultPassesCheckOrTheListSaysWhy) {
  std::size_t clean = 0;
  for (const std::string& file : corpus(".frr")) {
    const cli::Imported imported = cli::import_frr(read_file(file));
    const Loaded loaded = load_config(write_file("corpus.yaml", imported.yaml));
    std::size_t errors = 0, announced = 0;
    for (const Diagnostic& one : loaded.diagnostics.all()) {
      if (one.severity != Severity::error) continue;
      ++errors;
      EXPECT_TRUE(one.text.find("needs a 'router_id'") != std::string::npos ||
                  one.text.find("needs an 'asn'") != std::string::npos)
          << file << ": " << one.text << "\n"
          << imported.yaml;
    }
    for (const auto& one : imported.left_out)
      announced += one.why.find("'bgplite check' refuses") != std::string::npos ? 1 : 0;
    EXPECT_LE(errors, announced) << file;
    clean += errors == 0 ? 1 : 0;
  }
  EXPECT_GT(clean, 25U);
}

/// Every secret of the corpus has these letters, and nothing else has.
constexpr const char* kSecret = "S3cret";

TEST(ImportSecrets, AreInNoOutput) {
  std::size_t secrets = 0;
  const auto count = [&](const std::string& text) {
    for (std::size_t at = 0; (at = text.find(kSecret, at)) != std::string::npos; ++at) ++secrets;
  };
  for (const std::string extension : {".frr", ".swanctl"}) {
    for (const std::string& file : corpus(extension)) {
      count(read_file(file));
      const std::string kind = extension.substr(1);
      for (const std::vector<std::string>& more : {std::vector<std::string>{}, std::vector<std::string>{"--json"}}) {
        std::vector<std::string> words{"import", kind, file};
        words.insert(words.end(), more.begin(), more.end());
        const Ran ran = run_verb(words);
        EXPECT_THAT(ran.out, Not(HasSubstr(kSecret))) << file;
        EXPECT_THAT(ran.err, Not(HasSubstr(kSecret))) << file;
      }
    }
  }
  EXPECT_GT(secrets, 15U);
}

TEST(ImportSecrets, AreHiddenWhateverTheLine) {
  const cli::Imported imported = cli::import_frr(
      "enable secret 8 S3cret\nnonsense password S3cret more\nrouter bgp 65000\n neighbor 192.0.2.2 password S3cret\n"
      " neighbor 192.0.2.2 description its password S3cret\n neighbor 192.0.2.2 remote-as 65001\n"
      " no neighbor 192.0.2.2 password S3cret\nkey chain A\n key 1\n  key-string S3cret\n"
      "interface eth0\n ip ospf message-digest-key 1 md5 S3cret\n");
  EXPECT_THAT(imported.yaml, Not(HasSubstr(kSecret)));
  for (const auto& all : {imported.left_out, imported.without_effect})
    for (const auto& one : all) EXPECT_THAT(one.text + one.why, Not(HasSubstr(kSecret)));
}

/// A swanctl.conf whose line is taken out is another tunnel, another list, or a file that is refused.
TEST(ImportSwanctlLines, NoneIsLostInSilence) {
  std::size_t count = 0, silent = 0;
  for (const std::string& file : corpus(".swanctl")) {
    const std::vector<std::string> lines = lines_of(read_file(file));
    const auto shown = [&](std::size_t without) {
      std::string text;
      for (std::size_t i = 0; i < lines.size(); ++i) text += (i == without ? "" : lines[i]) + "\n";
      const auto imported = cli::import_swanctl(text);
      if (!imported) return "refused: " + imported.error();
      std::string all = imported->yaml;
      for (const auto& one : imported->left_out) all += std::to_string(one.line) + one.text + one.why + "\n";
      return all;
    };
    const std::string whole = shown(lines.size());
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (lines[i].find_first_not_of(" \t") == std::string::npos) continue;
      ++count;
      if (shown(i) != whole) continue;
      ++silent;
      ADD_FAILURE() << "silent: " << file << ":" << i + 1 << ": " << lines[i];
    }
  }
  std::cout << "import swanctl: " << count << " lines, " << silent << " silent\n";
  EXPECT_GT(count, 40U);
}

}  // namespace
}  // namespace bgplite::testing
