#include <apps/bgplite/host/strongswan_conf.h>
#include <apps/bgplite/state_file.h>

#include <cstdlib>
#include <filesystem>
#include <utility>

#include <glob.h>

namespace bgplite::host {
namespace {

/// A file that includes itself would never end.
constexpr int kDeepest = 8;

class Parser {
 public:
  Parser(const Includer& include, Settings& into) : include_(include), into_(into) {}

  void parse(const IncludedFile& file, int depth) {
    const std::size_t outer = sections_.size();
    std::string_view rest = file.text;
    while (!rest.empty()) {
      const char c = rest.front();
      if (c == '#') {
        take_until(rest, "\n");
      } else if (c == '}') {
        // A '}' too many of an included file does not close a section of the file around it.
        if (sections_.size() > outer) sections_.pop_back();
        rest.remove_prefix(1);
      } else if (kBlank.find(c) != std::string_view::npos || c == '{' || c == '=') {
        rest.remove_prefix(1);
      } else {
        statement(std::string{take_until(rest, " \t\r\n{}=#")}, rest, file, depth);
      }
    }
    // A section that an included file leaves open ends with it.
    sections_.resize(outer);
  }

 private:
  static constexpr std::string_view kBlank = " \t\r\n";

  // The character that ends it stays in `rest`.
  static std::string_view take_until(std::string_view& rest, std::string_view ends) {
    const std::string_view taken = rest.substr(0, rest.find_first_of(ends));
    rest.remove_prefix(taken.size());
    return taken;
  }
  static std::string trimmed(std::string_view text) {
    // Quotation marks go with the blanks; none of the settings that are read here has any inside.
    const auto first = text.find_first_not_of(" \t\r\"");
    if (first == std::string_view::npos) return {};
    return std::string{text.substr(first, text.find_last_not_of(" \t\r\"") - first + 1)};
  }

  void statement(std::string word, std::string_view& rest, const IncludedFile& file, int depth) {
    if (word == "include") {
      const std::string pattern = trimmed(take_until(rest, "\n}#"));
      if (depth < kDeepest)
        for (const IncludedFile& included : include_(pattern, file.path)) parse(included, depth + 1);
      return;
    }
    // "section {" and "key = value" with any blanks between, also over lines.
    const auto next = rest.find_first_not_of(kBlank);
    if (next == std::string_view::npos) return;
    if (rest[next] == '{') {
      rest.remove_prefix(next + 1);
      sections_.push_back(std::move(word));
    } else if (rest[next] == '=') {
      rest.remove_prefix(next + 1);
      std::string path;
      for (const std::string& section : sections_) path += section + ".";
      // Later settings take the place of earlier ones, as with strongSwan.
      into_[path + word] = trimmed(take_until(rest, "\n}#"));
    }
  }

  const Includer& include_;
  Settings& into_;
  std::vector<std::string> sections_;
};

}  // namespace

Settings parse_strongswan_conf(const IncludedFile& file, const Includer& include) {
  Settings settings;
  Parser{include, settings}.parse(file, 0);
  return settings;
}

Settings read_strongswan_conf() {
  // As charon finds it; secure_getenv() is empty for a program with raised rights.
  const char* given = ::secure_getenv("STRONGSWAN_CONF");
  const std::string path = given != nullptr ? given : "/etc/strongswan.conf";
  return parse_strongswan_conf({path, read_text(path)}, [](const std::string& pattern, const std::string& from) {
    // Relative to the including file; an absolute pattern takes the place of the directory.
    const std::string absolute = (std::filesystem::path(from).parent_path() / pattern).string();
    std::vector<IncludedFile> files;
    glob_t found{};
    // In the order of names, as strongSwan includes them.
    if (::glob(absolute.c_str(), 0, nullptr, &found) == 0)
      for (std::size_t i = 0; i < found.gl_pathc; ++i)
        files.push_back({found.gl_pathv[i], read_text(found.gl_pathv[i])});
    ::globfree(&found);
    return files;
  });
}

}  // namespace bgplite::host
