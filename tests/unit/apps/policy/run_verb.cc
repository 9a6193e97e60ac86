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

const char* const kGateway = R"(router: { asn: 65530, router_id: 192.0.2.1 }
networks: [172.16.20.0/24]
peers:
  192.0.2.2: { name: cloud, asn: 65535, import: in, export: out }
  192.0.2.3: { asn: 65536, accept_all: true }
  192.0.2.4: { asn: 65537 }
policies:
  in:
    - { name: own, match: { own_prefix: true }, reject: true }
    - name: vpc
      match: { prefix: 192.168.0.0/16 le 24 }
      then: { local_pref: 200, add_community: 65530:1 }
      accept: true
  out: [ { match: { own_prefix: true }, accept: true } ]
)";

std::string gateway() { return write_file("gw.yaml", kGateway); }

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
