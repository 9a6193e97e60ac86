#include <bgp/wire/message.h>
#include <bgp/wire/numbers.h>
#include <bgp/wire/refresh.h>
#include <tests/support/hex.h>

#include <gtest/gtest.h>

namespace minibgp::wire {
namespace {

using minibgp::testing::hex;

TEST(RouteRefresh, RoundTripsForEachFamilyAndKind) {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    for (const RefreshKind kind : {RefreshKind::request, RefreshKind::begin, RefreshKind::end}) {
      std::vector<std::uint8_t> out;
      encode_refresh(family, kind, out);
      ASSERT_EQ(out.size(), 23U);
      const auto header = decode_header(out, kMaxMessage);
      ASSERT_TRUE(header.has_value());
      EXPECT_EQ(header->type, MessageType::route_refresh);
      const auto refresh = decode_refresh(Bytes{out}.subspan(kHeaderSize));
      ASSERT_TRUE(refresh.has_value());
      EXPECT_EQ(refresh->family, family);
      EXPECT_EQ(refresh->kind, kind);
    }
  }
}

TEST(RouteRefresh, UnknownFamilyOrSubtypeIsAValueToIgnore) {
  EXPECT_EQ(decode_refresh(hex("0001 00 80")).value().family, std::nullopt);
  EXPECT_EQ(decode_refresh(hex("4004 00 47")).value().family, std::nullopt);
  EXPECT_EQ(decode_refresh(hex("0001 03 01")).value().kind, RefreshKind::unknown);
  EXPECT_EQ(decode_refresh(hex("0001 ff 01 aabb")).value().kind, RefreshKind::unknown);
}

TEST(RouteRefresh, OrfEntriesMakeItAPlainRequestHoweverTheyAreCut) {
  for (const char* body : {"0001 00 01 01", "0001 00 01 01 80 0003 aabbcc", "0001 00 01 01 80 ffff"}) {
    const auto refresh = decode_refresh(hex(body));
    ASSERT_TRUE(refresh.has_value()) << body;
    EXPECT_EQ(refresh->kind, RefreshKind::request);
    EXPECT_EQ(refresh->family, Family::ipv4);
  }
}

TEST(RouteRefresh, DemarcationOfAWrongLengthIsAnErrorThatQuotesTheMessage) {
  for (const char* body : {"0001 01 01 00", "0002 02 01 0000"}) {
    const auto bytes = hex(body);
    const auto refresh = decode_refresh(bytes);
    ASSERT_FALSE(refresh.has_value());
    EXPECT_EQ(refresh.error().code, notify::kRefresh);
    EXPECT_EQ(refresh.error().subcode, notify::kInvalidMessageLength);
    ASSERT_EQ(refresh.error().data.size(), kHeaderSize + bytes.size());
    EXPECT_TRUE(decode_header(refresh.error().data, kMaxMessage).has_value());
  }
}

TEST(RouteRefresh, ACutBodyIsAnError) {
  for (const char* body : {"", "00", "0001", "0001 00"}) EXPECT_FALSE(decode_refresh(hex(body)).has_value()) << body;
}

}  // namespace
}  // namespace minibgp::wire
