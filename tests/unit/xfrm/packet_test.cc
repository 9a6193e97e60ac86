#include <tests/unit/xfrm/freed_memory.h>
#include <xfrm/vici/packet.h>

#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace minibgp::xfrm::vici {
namespace {

using Octets = Frame;

Octets payload_of(const Packet& packet) {
  const auto frame = encode_packet(packet);
  EXPECT_TRUE(frame.has_value());
  return Octets(frame->begin() + 4, frame->end());
}

/// The example of strongSwan's README of the vici plugin.
Section readme_example() {
  return Section{}
      .add("key1", "value1")
      .add_section(
          "section1",
          Section{}.add_section("sub-section", Section{}.add("key2", "value2")).add_list("list1", {"item1", "item2"}));
}

TEST(ViciPacket, EncodesTheExampleOfThePluginsReadme) {
  const Octets expected = [] {
    Octets octets = {0};  // CMD_REQUEST
    const auto text = [&](std::string_view s) { octets.insert(octets.end(), s.begin(), s.end()); };
    octets.push_back(4), text("test");  // Its name.
    octets.push_back(3), octets.push_back(4), text("key1"), octets.push_back(0), octets.push_back(6), text("value1");
    octets.push_back(1), octets.push_back(8), text("section1");
    octets.push_back(1), octets.push_back(11), text("sub-section");
    octets.push_back(3), octets.push_back(4), text("key2"), octets.push_back(0), octets.push_back(6), text("value2");
    octets.push_back(2);
    octets.push_back(4), octets.push_back(5), text("list1");
    octets.push_back(5), octets.push_back(0), octets.push_back(5), text("item1");
    octets.push_back(5), octets.push_back(0), octets.push_back(5), text("item2");
    octets.push_back(6);
    octets.push_back(2);
    return octets;
  }();
  EXPECT_EQ(payload_of({PacketType::cmd_request, "test", readme_example()}), expected);
}

TEST(ViciPacket, ComesBackAsItWentIn) {
  for (const Packet& packet : {Packet{PacketType::cmd_request, "load-conn", readme_example()},
                               Packet{PacketType::cmd_response, "", readme_example()},
                               Packet{PacketType::cmd_unknown, "", {}}, Packet{PacketType::event_register, "log", {}},
                               Packet{PacketType::event_confirm, "", {}}, Packet{PacketType::event, "log", {}}}) {
    const auto back = decode_packet(payload_of(packet));
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(*back, packet);
  }
}

TEST(ViciPacket, ReadsByName) {
  const Section message = readme_example();
  EXPECT_EQ(message.value("key1"), "value1");
  EXPECT_EQ(message.value("key2"), "");
  ASSERT_NE(message.section("section1"), nullptr);
  EXPECT_EQ(message.section("section1")->list("list1").size(), 2U);
  EXPECT_EQ(message.section("section1")->section("sub-section")->value("key2"), "value2");
  EXPECT_EQ(Section{}.add("spi", "c0ffee01").number("spi", 16), 0xc0ffee01U);
  EXPECT_FALSE(Section{}.add("n", "12x").number("n").has_value());
  EXPECT_FALSE(Section{}.number("n").has_value());
}

struct Bad {
  const char* name;
  Octets payload;
  PacketError error;
};

class ViciPacketError : public ::testing::TestWithParam<Bad> {};

TEST_P(ViciPacketError, IsNamed) {
  const auto packet = decode_packet(GetParam().payload);
  ASSERT_FALSE(packet.has_value());
  EXPECT_EQ(to_text(packet.error()), to_text(GetParam().error));
}

Octets nested(std::size_t depth) {
  Octets octets = {1};
  for (std::size_t i = 0; i < depth; ++i) octets.insert(octets.end(), {1, 1, 'a'});
  for (std::size_t i = 0; i < depth; ++i) octets.push_back(2);
  return octets;
}

INSTANTIATE_TEST_SUITE_P(
    Cases, ViciPacketError,
    ::testing::Values(Bad{"empty", {}, PacketError::truncated}, Bad{"unknown_packet", {8}, PacketError::unknown_type},
                      Bad{"name_cut", {0, 5, 'a'}, PacketError::truncated},
                      Bad{"unknown_element", {1, 7}, PacketError::unknown_type},
                      Bad{"element_zero", {1, 0}, PacketError::unknown_type},
                      Bad{"value_cut", {1, 3, 1, 'k', 0, 9, 'v'}, PacketError::truncated},
                      Bad{"value_length_cut", {1, 3, 1, 'k', 0}, PacketError::truncated},
                      Bad{"section_open", {1, 1, 1, 's'}, PacketError::unfinished},
                      Bad{"list_open", {1, 4, 1, 'l'}, PacketError::unfinished},
                      Bad{"end_without_section", {1, 2}, PacketError::misplaced},
                      Bad{"item_without_list", {1, 5, 0, 0}, PacketError::misplaced},
                      Bad{"list_end_without_list", {1, 6}, PacketError::misplaced},
                      Bad{"section_in_list", {1, 4, 1, 'l', 1, 1, 's'}, PacketError::misplaced},
                      Bad{"value_in_list", {1, 4, 1, 'l', 3, 1, 'k', 0, 0}, PacketError::misplaced},
                      Bad{"confirm_with_rest", {5, 0}, PacketError::trailing},
                      Bad{"too_deep", nested(kDepthMax + 1), PacketError::too_deep}),
    [](const auto& param) { return std::string{param.param.name}; });

TEST(ViciPacket, DeepButAllowedIsRead) { EXPECT_TRUE(decode_packet(nested(kDepthMax)).has_value()); }

TEST(ViciPacket, EveryCutOfAMessageIsAnErrorOrAShorterMessage) {
  const Octets whole = payload_of({PacketType::cmd_response, "", readme_example()});
  for (std::size_t length = 1; length < whole.size(); ++length) {
    const auto packet = decode_packet(Bytes{whole}.first(length));
    if (packet.has_value()) {
      EXPECT_LT(payload_of(*packet).size(), whole.size());
    }
  }
}

TEST(ViciPacket, RefusesToEncodeWhatDoesNotFit) {
  const Packet long_name{PacketType::cmd_request, std::string(256, 'n'), {}};
  EXPECT_EQ(encode_packet(long_name).error(), PacketError::name_too_long);
  const Packet long_value{PacketType::cmd_request, "c", Section{}.add("k", std::string(65536, 'v'))};
  EXPECT_EQ(encode_packet(long_value).error(), PacketError::name_too_long);
  Section many;
  for (int i = 0; i < 9; ++i) many.add("k" + std::to_string(i), std::string(65000, 'v'));
  EXPECT_EQ(encode_packet({PacketType::cmd_request, "c", many}).error(), PacketError::too_long);
}

TEST(ViciPacket, LeavesNoKeyInFreedMemory) {
  // One that a string keeps inside of itself, and one that it does not.
  for (const std::string& key : {std::string("short-key"), std::string(64, 'K')}) {
    std::vector<std::string> items(2, key);
    const std::string filler(1000, 'f');
    const testing::FreedMemory freed{key};
    {
      Section message;
      message.add("data", key).add_list("list", std::move(items)).add("filler", filler);
      const Packet packet{PacketType::cmd_request, "load-shared", std::move(message)};
      ASSERT_TRUE(encode_packet(packet).has_value());
    }
    EXPECT_EQ(freed.blocks(), 0U);
  }
}

TEST(ViciFramer, CutsTheStreamWhereverTheReadsEnd) {
  const Packet first{PacketType::cmd_response, "", readme_example()};
  const Packet second{PacketType::event, "log", Section{}.add("msg", "hello")};
  Octets stream = *encode_packet(first);
  const Octets more = *encode_packet(second);
  stream.insert(stream.end(), more.begin(), more.end());
  for (std::size_t step = 1; step <= stream.size(); ++step) {
    Framer framer;
    std::vector<Packet> got;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      framer.feed(Bytes{stream}.subspan(at, std::min(step, stream.size() - at)));
      for (auto frame = framer.next(); frame && *frame; frame = framer.next()) got.push_back(*decode_packet(**frame));
    }
    ASSERT_EQ(got.size(), 2U) << "reads of " << step;
    EXPECT_EQ(got[0], first);
    EXPECT_EQ(got[1], second);
  }
}

TEST(ViciFramer, RefusesAFrameLargerThanCharonMakes) {
  Framer framer;
  framer.feed(Octets{0x00, 0x08, 0x00, 0x01});
  EXPECT_EQ(framer.next().error(), PacketError::too_long);
}

}  // namespace
}  // namespace minibgp::xfrm::vici
