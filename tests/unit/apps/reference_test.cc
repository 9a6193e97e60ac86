/// What is made from the table of verbs is what lies in the tree. To write it anew:
///   bgplite document commands > apps/bgplite/dist/man/bgplite.8
///   bgplite document completion > apps/bgplite/dist/completions/bgplite
#include <apps/bgplite/cli/verbs.h>

#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <gtest/gtest.h>

namespace bgplite::cli {
namespace {

std::string in_tree(const std::string& path) {
  std::ifstream in{std::string{BGPLITE_SOURCE_DIR} + "/" + path};
  return {std::istreambuf_iterator<char>{in}, std::istreambuf_iterator<char>{}};
}

std::string printed(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  Verbs verbs;
  add_all(verbs);
  testing::internal::CaptureStdout();
  EXPECT_EQ(verbs.parse(static_cast<int>(argv.size()), argv.data())(), Exit::ok);
  return testing::internal::GetCapturedStdout();
}

TEST(Reference, WhatIsInTheTreeIsMadeFromTheTables) {
  for (const auto& [what, path] :
       std::vector<std::pair<std::string, std::string>>{{"configuration", "docs/configuration.md"},
                                                        {"man", "apps/bgplite/dist/man/bgplite.yaml.5"},
                                                        {"commands", "apps/bgplite/dist/man/bgplite.8"},
                                                        {"completion", "apps/bgplite/dist/completions/bgplite"}})
    EXPECT_EQ(printed({"bgplite", "document", what}), in_tree(path)) << "bgplite document " << what << " > " << path;
}

TEST(Reference, EveryVerbAndOptionSaysWhatItIs) {
  Verbs verbs;
  add_all(verbs);
  const auto all = [](const CLI::App& app) { return app.get_subcommands([](const CLI::App*) { return true; }); };
  std::vector<const CLI::App*> left{&verbs.app()};
  while (!left.empty()) {
    const CLI::App& verb = *left.back();
    left.pop_back();
    EXPECT_NE(verb.get_description(), "") << verb.get_name();
    for (const CLI::Option* option : verb.get_options())
      EXPECT_NE(option->get_description(), "") << verb.get_name() << " " << option->get_name();
    for (const CLI::App* below : all(verb)) left.push_back(below);
  }
}

}  // namespace
}  // namespace bgplite::cli
