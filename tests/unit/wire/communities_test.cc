#include <bgp/wire/communities.h>
#include <tests/support/hex.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace minibgp::wire {
namespace {

using minibgp::testing::hex;
using ::testing::ElementsAre;

TEST(Communities, AreCanonicalHoweverTheyWereSent) {
  std::vector<Community> out{Community{9}};  // Replaced, not appended to.
  decode_communities(hex("fde90002 fde90001 fde90002"), out);
  EXPECT_THAT(out, ElementsAre(Community{0xFDE90001}, Community{0xFDE90002}));
  decode_communities(hex("fde90001 fde90002"), out);
  EXPECT_THAT(out, ElementsAre(Community{0xFDE90001}, Community{0xFDE90002}));
}

TEST(Communities, AlreadyCanonicalOnesStayAndDuplicatesInARowGo) {
  std::vector<Community> out;
  decode_communities(hex("00000001 00000001"), out);
  EXPECT_THAT(out, ElementsAre(Community{1}));
}

TEST(ExtendedCommunities, KeepAllEightOctets) {
  std::vector<ExtendedCommunity> out;
  decode_extended_communities(hex("4004fde949742400 0002fde900000064"), out);
  EXPECT_THAT(out, ElementsAre(ExtendedCommunity{0x0002FDE900000064}, ExtendedCommunity{0x4004FDE949742400}));
}

TEST(LargeCommunities, SortByAllThreeNumbers) {
  std::vector<LargeCommunity> out;
  decode_large_communities(hex("00000001 00000002 00000003  00000001 00000001 00000009  00000001 00000002 00000003"),
                           out);
  EXPECT_THAT(out, ElementsAre(LargeCommunity{1, 1, 9}, LargeCommunity{1, 2, 3}));
}

TEST(Communities, AreStoredInNetworkOrder) {
  std::vector<std::uint8_t> octets(24);
  const std::vector<Community> standard{Community{0x01020304}};
  const std::vector<ExtendedCommunity> extended{ExtendedCommunity{0x0102030405060708}};
  const std::vector<LargeCommunity> large{{0x01020304, 0x05060708, 0x090A0B0C}};
  std::uint8_t* at = store_communities(octets.data(), standard);
  at = store_extended_communities(at, extended);
  at = store_large_communities(at, large);
  EXPECT_EQ(at, octets.data() + octets.size());
  EXPECT_EQ(octets, hex("01020304 0102030405060708 0102030405060708090a0b0c"));
}

}  // namespace
}  // namespace minibgp::wire
