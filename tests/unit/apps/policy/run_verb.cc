#include <apps/bgplite/cli/verbs.h>
#include <tests/unit/apps/policy/run_verb.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

namespace bgplite::testing {
namespace {

const std::string& directory() {
  struct Directory {
    Directory() {
      std::string pattern = (std::filesystem::temp_directory_path() / "bgplite-policy-XXXXXX").string();
      path = std::string(::mkdtemp(pattern.data())) + "/";
    }
    ~Directory() {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    }
    std::string path;
  };
  static const Directory made;
  return made.path;
}

}  // namespace

Ran run_verb(const std::vector<std::string>& arguments) {
  std::vector<std::string> words{"bgplite"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  std::ostringstream out, err;
  std::streambuf* const old_out = std::cout.rdbuf(out.rdbuf());
  std::streambuf* const old_err = std::cerr.rdbuf(err.rdbuf());
  cli::Verbs verbs;
  cli::add_policy(verbs);
  cli::add_import(verbs);
  cli::add_init(verbs);
  const cli::Exit exit = verbs.parse(static_cast<int>(argv.size()), argv.data())();
  std::cout.rdbuf(old_out);
  std::cerr.rdbuf(old_err);
  return {static_cast<int>(exit), without_directory(out.str()), without_directory(err.str())};
}

std::string write_file(const std::string& name, const std::string& text) {
  std::ofstream(directory() + name) << text;
  return directory() + name;
}

std::string without_directory(std::string text) {
  for (std::size_t at; (at = text.find(directory())) != std::string::npos;) text.erase(at, directory().size());
  return text;
}

std::string read_file(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace bgplite::testing
