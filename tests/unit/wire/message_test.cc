#include <bgp/wire/message.h>
#include <bgp/wire/notification.h>
#include <bgp/wire/numbers.h>
#include <tests/support/hex.h>

#include <string>

#include <gtest/gtest.h>

namespace minibgp::wire {
namespace {

using minibgp::testing::hex;

const std::string kMarker = "ffffffffffffffff ffffffffffffffff";

struct HeaderCase {
  const char* what;
  const char* length_and_type;
  std::size_t max_message;
  int subcode;  ///< 0: accepted.
  const char* data;
};

// RFC 4271 s.6.1 and RFC 8654 s.4, s.5.
const HeaderCase kHeaderCases[] = {
    {"KEEPALIVE", "0013 04", 4096, 0, ""},
    {"KEEPALIVE with a body", "0014 04", 4096, 2, "0014"},
    {"KEEPALIVE too short", "0012 04", 4096, 2, "0012"},
    {"length 0", "0000 02", 4096, 2, "0000"},
    {"shortest OPEN", "001d 01", 4096, 0, ""},
    {"OPEN too short", "001c 01", 4096, 2, "001c"},
    {"OPEN beyond 4096 with extended messages", "1001 01", 65535, 2, "1001"},
    {"shortest UPDATE", "0017 02", 4096, 0, ""},
    {"UPDATE too short", "0016 02", 4096, 2, "0016"},
    {"longest UPDATE", "1000 02", 4096, 0, ""},
    {"UPDATE too long", "1001 02", 4096, 2, "1001"},
    {"UPDATE of 4097 with extended messages", "1001 02", 65535, 0, ""},
    {"longest extended UPDATE", "ffff 02", 65535, 0, ""},
    {"shortest NOTIFICATION", "0015 03", 4096, 0, ""},
    {"NOTIFICATION too short", "0014 03", 4096, 2, "0014"},
    {"ROUTE-REFRESH", "0017 05", 4096, 0, ""},
    {"ROUTE-REFRESH with ORF", "0030 05", 4096, 0, ""},
    {"ROUTE-REFRESH too short", "0016 05", 4096, 2, "0016"},
    {"type 0", "0013 00", 4096, 3, "00"},
    {"type 6", "0013 06", 4096, 3, "06"},
    {"type 255", "0013 ff", 4096, 3, "ff"},
};

TEST(MessageHeader, IsJudgedByMarkerLengthAndType) {
  for (const HeaderCase& c : kHeaderCases) {
    SCOPED_TRACE(c.what);
    const auto bytes = hex(kMarker + c.length_and_type);
    const auto header = decode_header(bytes, c.max_message);
    ASSERT_EQ(header.has_value(), c.subcode == 0);
    if (header) {
      EXPECT_EQ(header->length, (bytes[16] << 8) | bytes[17]);
      EXPECT_EQ(static_cast<int>(header->type), bytes[18]);
    } else {
      EXPECT_EQ(header.error(), (MessageError{notify::kHeader, static_cast<std::uint8_t>(c.subcode), hex(c.data)}));
    }
  }
}

TEST(MessageHeader, EveryBitOfTheMarkerCounts) {
  auto bytes = hex(kMarker + "0013 04");
  for (std::size_t octet = 0; octet < 16; ++octet) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      bytes[octet] = static_cast<std::uint8_t>(0xFFU ^ (1U << bit));
      const auto header = decode_header(bytes, kMaxMessage);
      ASSERT_FALSE(header.has_value());
      EXPECT_EQ(header.error(), (MessageError{notify::kHeader, notify::kNotSynchronized, {}}));
    }
    bytes[octet] = 0xFF;
  }
}

TEST(MessageHeader, FewerThan19OctetsAreAnErrorNotARead) {
  const auto bytes = hex(kMarker + "0013");
  EXPECT_FALSE(decode_header(bytes, kMaxMessage).has_value());
  EXPECT_FALSE(decode_header({}, kMaxMessage).has_value());
}

TEST(MessageHeader, KeepaliveIs19Octets) {
  std::vector<std::uint8_t> out{0xAA};  // Appends.
  encode_keepalive(out);
  EXPECT_EQ(out, hex("aa" + kMarker + "0013 04"));
}

}  // namespace
}  // namespace minibgp::wire
