// bgplite decode and encode against golden files, each checked by hand against the messages its input was made of.
// After an intended change: BGPLITE_WRITE_GOLDEN=1 writes them anew, and the difference is read before it is committed.
#include <apps/bgplite/cli/decode.h>
#include <apps/bgplite/cli/message_json.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace bgplite::cli {
namespace {

using minibgp::PeerType;

std::string path_of(const std::string& name) { return std::string{DECODE_TEST_DATA} + "/golden/" + name; }

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct GoldenCase {
  const char* input;
  const char* golden;
  Exit exit;
  DecodeVerb verb;
};

const GoldenCase kCases[] = {
    {"messages.hex", "messages.json", Exit::ok, {}},
    {"broken.hex", "broken.json", Exit::bad_input, {}},
    {"external.hex", "external.ebgp.json", Exit::ok, {}},
    {"external.hex", "external.ibgp.json", Exit::ok, {.peer_type = PeerType::ibgp}},
    {"two_octet.hex", "two_octet.asn4.json", Exit::ok, {}},
    {"two_octet.hex", "two_octet.no-asn4.json", Exit::ok, {.four_octet_as = false}},
    {"add_path.hex", "add_path.without.json", Exit::ok, {}},
    {"add_path.hex", "add_path.ipv4.json", Exit::ok, {.add_path = {"ipv4"}}},
    {"extended.hex", "extended.without.json", Exit::ok, {}},
    {"extended.hex", "extended.json", Exit::ok, {.extended_messages = true}},
    {"session.pcap", "session.json", Exit::ok, {}},
    {"session.pcapng", "session.json", Exit::ok, {}},
    {"cut.pcap", "cut.pcap.json", Exit::bad_input, {}},
    {"gap.pcap", "gap.json", Exit::bad_input, {}},
    {"two_octet.pcap", "two_octet.pcap.json", Exit::ok, {}},
    {"archive.mrt", "archive.json", Exit::ok, {}},
    {"archive.mrt.gz", "archive.json", Exit::ok, {}},
    {"cut.mrt", "cut.mrt.json", Exit::bad_input, {}},
};

TEST(DecodeVerbGolden, EachInputPrintsItsFile) {
  for (const GoldenCase& c : kCases) {
    SCOPED_TRACE(std::string{c.input} + " -> " + c.golden);
    DecodeVerb verb = c.verb;
    verb.file = path_of(c.input);
    std::ostringstream out;
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(run_decode(verb, out), c.exit);
    const std::string complaint = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(complaint.empty(), c.exit == Exit::ok) << complaint;
    if (std::getenv("BGPLITE_WRITE_GOLDEN") != nullptr) std::ofstream(path_of(c.golden)) << out.str();
    const std::string expected = content_of(path_of(c.golden));
    EXPECT_FALSE(expected.empty());
    EXPECT_EQ(out.str(), expected);
  }
}

TEST(EncodeVerb, WhatDecodePrintsEncodesToTheSameOctets) {
  struct Case {
    const char* json;
    const char* hex;
    DecodeVerb verb;
  };
  const Case kRoundTrips[] = {
      {"messages.json", "messages.hex", {}},
      {"external.ibgp.json", "external.hex", {.peer_type = PeerType::ibgp}},
      {"two_octet.no-asn4.json", "two_octet.hex", {.four_octet_as = false}},
      {"add_path.ipv4.json", "add_path.hex", {.add_path = {"ipv4"}}},
      {"extended.json", "extended.hex", {.extended_messages = true}},
  };
  for (const Case& c : kRoundTrips) {
    SCOPED_TRACE(c.json);
    DecodeVerb verb = c.verb;
    verb.file = path_of(c.json);
    std::ostringstream out;
    ASSERT_EQ(run_encode(verb, out), Exit::ok);
    std::string expected;
    std::istringstream lines(content_of(path_of(c.hex)));
    for (std::string line; std::getline(lines, line);) {
      if (line.empty() || line.front() == '#') continue;
      for (const char digit : line)
        if (digit != ' ') expected.push_back(digit);
      expected.push_back('\n');
    }
    EXPECT_EQ(out.str(), expected);
  }
}

struct WrongJson {
  const char* json;
  const char* error;
};

TEST(EncodeVerb, SaysWhichMemberIsWrong) {
  const WrongJson kWrong[] = {
      {R"({})", "'type' must be"},
      {R"([1])", "'type' must be"},
      {R"({"type": "HELLO"})", "not 'HELLO'"},
      {R"({"type": "UPDATE", "message": 5})", "'message' must be an object"},
      {R"({"type": "UPDATE", "message": {"announced": "10.0.0.0/8"}})", "'announced' must be a list"},
      {R"({"type": "UPDATE", "message": {"announced": ["10.0.0.1/8"]}})", "'10.0.0.1/8'"},
      {R"({"type": "UPDATE", "message": {"attributes": {"med": -1}}})", "'med' must be a number"},
      {R"({"type": "UPDATE", "message": {"attributes": {"med": 4294967296}}})", "'med' must be a number"},
      {R"({"type": "UPDATE", "message": {"attributes": {"communities": ["x"]}}})", "'communities' must be"},
      {R"({"type": "UPDATE", "message": {"attributes": {"atomic_aggregate": 1}}})", "'atomic_aggregate' must be true"},
      {R"({"type": "OPEN", "message": {"capabilities": {"role": "king"}}})", "'role' must be"},
      {R"({"type": "OPEN", "message": {"capabilities": {"other": [{"code": 200, "value": "0g"}]}}})",
       "'value' must be"},
      {R"({"type": "OPEN", "message": {"hold_time_s": 65536}})", "'hold_time_s' must be a number"},
  };
  for (const WrongJson& c : kWrong) {
    std::string error;
    const auto value =
        message_from_json(nlohmann::ordered_json::parse(c.json).is_array() ? nlohmann::ordered_json::parse(c.json)[0]
                                                                           : nlohmann::ordered_json::parse(c.json),
                          error);
    EXPECT_TRUE(std::holds_alternative<std::monostate>(value)) << c.json;
    EXPECT_NE(error.find(c.error), std::string::npos) << c.json << ": " << error;
  }
}

TEST(DecodeVerbErrors, AreExitCodes) {
  std::ostringstream out;
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(run_decode({.file = "/nonexistent"}, out), Exit::io);
  EXPECT_EQ(run_encode({.file = "/nonexistent"}, out), Exit::io);
  EXPECT_EQ(run_encode({.file = path_of("broken.hex")}, out), Exit::bad_input);
  EXPECT_EQ(run_decode({.file = path_of("messages.json")}, out), Exit::bad_input) << "neither hex nor anything else";
  EXPECT_EQ(run_decode({.file = path_of("messages.hex"), .format = "pcap"}, out), Exit::bad_input);
  EXPECT_EQ(out.str(), "");
  EXPECT_NE(::testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace bgplite::cli
