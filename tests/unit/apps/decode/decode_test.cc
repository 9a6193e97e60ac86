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
#include <unistd.h>

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

using Octets = std::vector<std::uint8_t>;

void append(Octets& out, std::uint64_t value, std::size_t octets) {
  for (std::size_t i = octets; i-- > 0;) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

/// An IPv4 packet from 192.0.2.1:179 to 192.0.2.2:50000.
Octets tcp_packet(std::uint32_t sequence, const Octets& payload) {
  Octets packet;
  append(packet, 0x4500, 2);
  append(packet, 40 + payload.size(), 2);
  append(packet, 0, 4);
  append(packet, 0x40060000, 4);
  append(packet, 0xC0000201, 4);
  append(packet, 0xC0000202, 4);
  append(packet, 179, 2);
  append(packet, 50000, 2);
  append(packet, sequence, 4);
  append(packet, 0, 4);
  append(packet, 0x5010, 2);
  append(packet, 0, 6);
  packet.insert(packet.end(), payload.begin(), payload.end());
  return packet;
}

Octets pcap(std::uint32_t link, const std::vector<Octets>& frames) {
  Octets file;
  append(file, 0xA1B2C3D4, 4);
  append(file, 0x00020004, 4);
  append(file, 0, 8);
  append(file, 65535, 4);
  append(file, link, 4);
  for (const Octets& frame : frames) {
    append(file, 0, 8);
    append(file, frame.size(), 4);
    append(file, frame.size(), 4);
    file.insert(file.end(), frame.begin(), frame.end());
  }
  return file;
}

Octets keepalive() {
  Octets message(16, 0xFF);
  append(message, 19, 2);
  message.push_back(4);
  return message;
}

struct Decoded {
  Exit exit;
  std::size_t keepalives;
  std::string complaint;
};

Decoded decode(const Octets& file) {
  const std::string path = ::testing::TempDir() + "decode_test." + std::to_string(::getpid()) + ".pcap";
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(file.data()), static_cast<std::streamsize>(file.size()));
  std::ostringstream out;
  ::testing::internal::CaptureStderr();
  Decoded decoded{run_decode({.file = path}, out), 0, {}};
  decoded.complaint = ::testing::internal::GetCapturedStderr();
  ::unlink(path.c_str());
  const std::string text = out.str();
  for (std::size_t at = 0; (at = text.find("KEEPALIVE", at)) != std::string::npos; ++at) ++decoded.keepalives;
  return decoded;
}

constexpr std::uint32_t kRawIp = 101;

TEST(DecodeCapture, MessagesBehindAGapAreDecoded) {
  const Octets message = keepalive();
  Octets half_and_whole(message.begin() + 9, message.end());
  half_and_whole.insert(half_and_whole.end(), message.begin(), message.end());
  // The second message is lost with the first half of the third; the fourth and fifth are whole.
  const auto file = pcap(kRawIp, {tcp_packet(100, message), tcp_packet(147, half_and_whole), tcp_packet(176, message)});
  const Decoded decoded = decode(file);
  EXPECT_EQ(decoded.keepalives, 3U) << decoded.complaint;
  EXPECT_EQ(decoded.exit, Exit::bad_input);
  EXPECT_NE(decoded.complaint.find("misses 28 octets in 1 gaps"), std::string::npos) << decoded.complaint;
}

TEST(DecodeCapture, GapsAroundTheEndOfTheSequenceSpace) {
  const Octets message = keepalive();
  const std::uint32_t first = 0U - 60U;
  // One message lost before the sequence numbers begin anew, one behind that.
  const auto file = pcap(kRawIp, {tcp_packet(first, message), tcp_packet(first + 38, message),
                                  tcp_packet(first + 76, message), tcp_packet(first + 95, message)});
  const Decoded decoded = decode(file);
  EXPECT_EQ(decoded.keepalives, 4U) << decoded.complaint;
  EXPECT_NE(decoded.complaint.find("misses 38 octets in 2 gaps"), std::string::npos) << decoded.complaint;
}

TEST(DecodeCapture, EachLinkTypeIsReadOrNamed) {
  const Octets packet = tcp_packet(1, keepalive());
  const auto behind = [&packet](Octets head) {
    head.insert(head.end(), packet.begin(), packet.end());
    return head;
  };
  Octets logged{2, 0, 0, 0, 8, 0,
                1, 0, 8, 0, 0, 0};  // Family, version, resource id; the attribute of the packet header.
  logged.push_back(static_cast<std::uint8_t>(packet.size() + 4));
  append(logged, 0x000900, 3);
  Octets cooked(16, 0), cooked2(20, 0), ethernet(12, 0);
  append(ethernet, 0x8100, 2);
  append(ethernet, 7, 2);
  append(ethernet, 0x0800, 2);
  const std::pair<std::uint32_t, Octets> kRead[] = {
      {0, {2, 0, 0, 0}}, {1, ethernet},  {9, {0xFF, 0x03, 0x00, 0x21}}, {9, {0x00, 0x21}}, {12, {}},
      {14, {}},          {101, {}},      {108, {0, 0, 0, 2}},           {113, cooked},     {228, {}},
      {239, logged},     {276, cooked2},
  };
  for (const auto& [link, head] : kRead) {
    const Decoded decoded = decode(pcap(link, {behind(head)}));
    EXPECT_EQ(decoded.keepalives, 1U) << "link type " << link << ": " << decoded.complaint;
    EXPECT_EQ(decoded.exit, Exit::ok) << "link type " << link;
  }
  for (const std::uint32_t link : {105U, 127U, 189U}) {  // Radio and USB.
    const Decoded decoded = decode(pcap(link, {behind({})}));
    EXPECT_EQ(decoded.exit, Exit::bad_input);
    EXPECT_NE(decoded.complaint.find("1 packets of link type " + std::to_string(link)), std::string::npos)
        << decoded.complaint;
  }
}

TEST(DecodeCapture, ACaptureWithoutBgpSaysSo) {
  const Decoded decoded = decode(pcap(kRawIp, {}));
  EXPECT_EQ(decoded.exit, Exit::bad_input);
  EXPECT_NE(decoded.complaint.find("no BGP in this capture"), std::string::npos) << decoded.complaint;
}

}  // namespace
}  // namespace bgplite::cli
