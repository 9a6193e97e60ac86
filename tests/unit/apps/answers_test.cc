/// Verbs that ask the daemon, against one that answers what the test says: an older or newer version, or nonsense.
#include <apps/bgplite/cli/verbs.h>
#include <apps/bgplite/control/server.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace bgplite::cli {
namespace {

using ::testing::HasSubstr;

struct Printed {
  Exit exit = Exit::ok;
  std::string out, err;
};

class Answers : public testing::Test {
 protected:
  Answers() {
    char name[] = "/tmp/bgplite-answers-XXXXXX";
    directory_ = ::mkdtemp(name);
    config_ = directory_ + "/bgplite.yaml";
    std::ofstream{config_} << "router: { asn: 65530, router_id: 192.0.2.1 }\ncontrol: { socket: " << socket() << " }\n";
  }
  void SetUp() override {
    ASSERT_TRUE(server_.reserve(socket()));
    ASSERT_TRUE(server_.open(socket(), ""));
    thread_ = std::thread{[this] { io_.run(); }};
  }
  void TearDown() override {
    boost::asio::post(io_, [this] {
      server_.close();
      work_.reset();
    });
    thread_.join();
    std::filesystem::remove_all(directory_);
  }
  [[nodiscard]] std::string socket() const { return directory_ + "/s"; }

  /// What the verb prints; the daemon answers every request with `answer`.
  Printed run(std::vector<std::string> words, const std::string& answer) {
    answer_ = answer;
    words.insert(words.begin(), {"bgplite", "-c", config_});
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    std::ostringstream out, err;
    std::streambuf* const old_out = std::cout.rdbuf(out.rdbuf());
    std::streambuf* const old_err = std::cerr.rdbuf(err.rdbuf());
    Verbs verbs;
    add_all(verbs);
    const Exit exit = verbs.parse(static_cast<int>(argv.size()), argv.data())();
    std::cout.rdbuf(old_out);
    std::cerr.rdbuf(old_err);
    return {exit, out.str(), err.str()};
  }

  std::string directory_, config_, answer_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
  Logging log_{LogFormat::text};
  control::Server server_{io_, log_, [this](const control::Request&, const control::Reply& reply) {
                            reply.result(control::Json::parse(answer_));
                          }};
  std::thread thread_;
};

TEST_F(Answers, AreasOfTheLogWithLongNamesAreShown) {
  EXPECT_EQ(run({"log"}, R"({"levels": {"rib": "info", "configuration": "debug", "ten-chars-": "error"}})").out,
            "rib           info\nconfiguration debug\nten-chars-    error\n");
}

TEST_F(Answers, WhatHasAnotherFormIsNoEndOfTheProgram) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"show"},
                                             {"show", "peers"},
                                             {"show", "routes"},
                                             {"show", "fib"},
                                             {"show", "tunnels"},
                                             {"show", "config"},
                                             {"show", "bgp", "summary", "json"},
                                             {"log"},
                                             {"plan"},
                                             {"verify"},
                                             {"announce", "10.0.0.0/8"},
                                             {"explain", "10.0.0.0/8"},
                                             {"verify-connectivity", "127.0.0.1"}})
    for (const char* answer :
         {"null", "[]", "7",
          R"({"peers": 7, "routes": "x", "tunnels": {"a": 1}, "levels": [1], "steps": "x", "ok": "yes", "router": 7,
              "complete": "no", "differences": 1, "compared": "x", "fib": 7, "status": [], "saved": 7, "out": 1})",
          R"({"peers": [7], "routes": [7], "tunnels": ["x"], "levels": {"a": 1}, "steps": [7], "differences": [7],
              "state": 7, "warnings": [7]})"}) {
      SCOPED_TRACE(words[0] + " " + (words.size() > 1 ? words[1] : "") + ": " + answer);
      const Printed printed = run(words, answer);
      EXPECT_LE(static_cast<int>(printed.exit), 3);
    }
}

TEST_F(Answers, ConnectivityIsTriedToTheAddressThatWasNamedAndItsSocketIsTheConfigurations) {
  const auto target = [&](const std::string& where) {
    const Printed printed = run({"verify-connectivity", where, "--json"}, R"({"tunnels": [{"tunnel": "a"}]})");
    const auto json = nlohmann::json::parse(printed.out, nullptr, false);
    EXPECT_EQ(json.value("tunnels", nlohmann::json{}).size(), 1U) << printed.out;
    return json.value("target", "");
  };
  EXPECT_EQ(target("127.0.0.1"), "127.0.0.1");
  EXPECT_EQ(target("127.0.0.1/32"), "127.0.0.1");
  EXPECT_EQ(target("127.0.0.4/31"), "127.0.0.4") << "both are hosts (RFC 3021)";
  EXPECT_EQ(target("127.0.0.4/30"), "127.0.0.5");
  EXPECT_EQ(target("::1/128"), "::1");
}

}  // namespace
}  // namespace bgplite::cli
