// bgplite decide against golden files, each checked by hand. BGPLITE_WRITE_GOLDEN=1 writes them anew.
#include <apps/bgplite/cli/decide_command.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

namespace bgplite::cli {
namespace {

using minibgp::Multipath;

std::string golden_path(const std::string& name) { return std::string{DECODE_TEST_DATA} + "/golden/" + name; }

std::string golden_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct DecideCase {
  const char* golden;
  minibgp::SpeakerOptions options;
};

const DecideCase kDecideCases[] = {
    {"decide.json", {}},
    {"decide.ecmp.json", {.maximum_paths = 8, .multipath = Multipath::relax}},
    {"decide.one-as.json", {.maximum_paths = 8}},
    {"decide.med.json", {.always_compare_med = true}},
};

TEST(DecideVerbGolden, EachSetOfOptionsPrintsItsFile) {
  for (const DecideCase& c : kDecideCases) {
    SCOPED_TRACE(c.golden);
    std::ostringstream out;
    EXPECT_EQ(run_decide({golden_path("paths.json"), c.options}, out), Exit::ok);
    if (std::getenv("BGPLITE_WRITE_GOLDEN") != nullptr) std::ofstream(golden_path(c.golden)) << out.str();
    EXPECT_EQ(out.str(), golden_text(golden_path(c.golden)));
  }
}

struct WrongPaths {
  const char* json;
  const char* error;
};

TEST(DecideVerbErrors, SayWhichPathIsWrongAndPrintNothing) {
  const std::string file = ::testing::TempDir() + "paths.json";
  for (const WrongPaths& c :
       {WrongPaths{"{}", "not a JSON list"}, WrongPaths{"[", "not a JSON list"},
        WrongPaths{"[{}, 5]", "path 1: not an object"}, WrongPaths{R"([{"pear": 1}])", "path 0: unknown key 'pear'"},
        WrongPaths{R"([{"peer_type": "bgp"}])", "path 0: 'peer_type' must be"},
        WrongPaths{R"([{"attributes": {"as_path": "x"}}])", "path 0: 'as_path' must be"}}) {
    SCOPED_TRACE(c.json);
    std::ofstream(file) << c.json;
    std::ostringstream out;
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(run_decide({file, {}}, out), Exit::bad_input);
    EXPECT_NE(::testing::internal::GetCapturedStderr().find(c.error), std::string::npos);
    EXPECT_EQ(out.str(), "");
  }
  std::remove(file.c_str());
}

TEST(DecideVerb, NoPathsHaveNoBest) {
  const std::string file = ::testing::TempDir() + "no-paths.json";
  std::ofstream(file) << "[]";
  std::ostringstream out;
  EXPECT_EQ(run_decide({file, {}}, out), Exit::ok);
  EXPECT_EQ(out.str(), "{\"best\":null,\"ecmp\":[],\"order\":[]}\n");
  std::remove(file.c_str());
}

}  // namespace
}  // namespace bgplite::cli
