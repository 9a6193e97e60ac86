#include <bgp/wire/message.h>
#include <bgp/wire/numbers.h>
#include <bgp/wire/open.h>
#include <tests/support/hex.h>

#include <string>

#include <gtest/gtest.h>

namespace minibgp::wire {
namespace {

using minibgp::testing::hex;
using minibgp::testing::to_hex;

// Version 4, AS 65001, hold time 90, identifier 10.0.0.1.
const std::string kHead = "04 fde9 005a 0a000001 ";

Open plain_open() {
  Open open;
  open.asn = Asn{65001};
  open.asn_field = 65001;
  open.hold_time_s = 90;
  open.router_id = RouterId{0x0A000001};
  return open;
}

std::vector<std::uint8_t> body_of(const std::vector<std::uint8_t>& message) {
  return {message.begin() + 19, message.end()};
}

Open full_open() {
  Open open = plain_open();
  open.asn = Asn{4200000001U};
  open.asn_field = kAsTrans;
  Capabilities& c = open.capabilities;
  c.multiprotocol = {true, true};
  c.any_multiprotocol = true;
  c.route_refresh = c.enhanced_refresh = c.extended_messages = c.ipv4_over_ipv6_next_hop = true;
  c.four_octet_as = open.asn;
  c.graceful_restart = GracefulRestartCapability{.restarting = true,
                                                 .notification = true,
                                                 .restart_time_s = 120,
                                                 .families = {true, true},
                                                 .forwarding_preserved = {true, false}};
  c.add_path = {1, 3};
  c.role = Role::customer;
  c.unknown = {{200, {1}}, {73, {2, 'h', 'i', 0}}};
  return open;
}

TEST(Open, RoundTripsWithAndWithoutCapabilities) {
  for (const Open& open : {plain_open(), full_open()}) {
    std::vector<std::uint8_t> out;
    encode_open(open, out);
    const auto header = decode_header(out, kMaxMessage);
    ASSERT_TRUE(header.has_value());
    EXPECT_EQ(header->length, out.size());
    EXPECT_EQ(header->type, MessageType::open);
    EXPECT_EQ(decode_open(body_of(out)), open);
  }
}

TEST(Open, WithoutParametersIsTheOldForm) {
  std::vector<std::uint8_t> out;
  encode_open(plain_open(), out);
  EXPECT_EQ(to_hex(body_of(out)), to_hex(hex(kHead + "00")));
}

TEST(Open, Beyond255OctetsOfParametersTakesTheExtendedForm) {
  Open open = plain_open();
  // 2 octets of parameter header, 2 of capability header: 251 is the last that fits.
  open.capabilities.unknown = {{200, std::vector<std::uint8_t>(251, 7)}};
  std::vector<std::uint8_t> out;
  encode_open(open, out);
  EXPECT_EQ(out[28], 255);
  EXPECT_EQ(out[29], 2) << "still the classic form";
  EXPECT_EQ(decode_open(body_of(out)), open);
  open.capabilities.unknown.push_back({201, {}});
  out.clear();
  encode_open(open, out);
  EXPECT_EQ(to_hex(Bytes{out}.subspan(28, 4)), "ff ff 01 02") << "length 255, type 255, 258 octets follow";
  EXPECT_EQ(decode_open(body_of(out)), open);
}

TEST(Open, CapabilitiesMayBeSpreadOverParameters) {
  const auto open = decode_open(hex(kHead + "0c 02 06 0104 0001 00 01 02 02 0200"));
  ASSERT_TRUE(open.has_value());
  EXPECT_TRUE(open->capabilities.multiprotocol[0]);
  EXPECT_TRUE(open->capabilities.route_refresh);
}

TEST(Open, TheCapabilityIsTheRealAsNumber) {
  EXPECT_EQ(decode_open(hex("04 5ba0 005a 0a000001 08 02 06 4104 fa56ea01"))->asn, Asn{4200000001U});
  EXPECT_EQ(decode_open(hex(kHead + "08 02 06 4104 0000fdea"))->asn, Asn{65002}) << "also when it contradicts";
  EXPECT_EQ(decode_open(hex(kHead + "00"))->asn, Asn{65001});
}

struct BadOpen {
  const char* what;
  std::string body;
  std::uint8_t subcode;
  const char* data;
};

// RFC 4271 s.6.2.
const BadOpen kBadOpens[] = {
    {"version 3", "03 fde9 005a 0a000001 00", notify::kVersion, "0004"},
    {"version 5", "05 fde9 005a 0a000001 00", notify::kVersion, "0004"},
    {"AS 0", "04 0000 005a 0a000001 00", notify::kBadPeerAs, ""},
    {"AS 0 in the capability", kHead + "08 02 06 4104 00000000", notify::kBadPeerAs, ""},
    {"AS 0 in the field, real in the capability", "04 0000 005a 0a000001 08 02 06 4104 0000fde9", notify::kBadPeerAs,
     ""},
    {"hold time 1", "04 fde9 0001 0a000001 00", notify::kHoldTime, ""},
    {"hold time 2", "04 fde9 0002 0a000001 00", notify::kHoldTime, ""},
    {"identifier 0", "04 fde9 005a 00000000 00", notify::kBadIdentifier, ""},
    {"authentication parameter", kHead + "03 01 01 00", notify::kUnsupportedParameter, ""},
    {"unknown parameter", kHead + "02 fe 00", notify::kUnsupportedParameter, ""},
    {"parameters shorter than said", kHead + "05 02 02 0200", 0, ""},
    {"parameters longer than said", kHead + "02 02 02 0200", 0, ""},
    {"octets behind no parameters", kHead + "00 02", 0, ""},
    {"parameter header cut", kHead + "01 02", 0, ""},
    {"parameter value cut", kHead + "03 02 02 02", 0, ""},
    {"capability header cut", kHead + "03 02 01 02", 0, ""},
    {"capability value cut", kHead + "04 02 02 0104", 0, ""},
    {"capability of a wrong length", kHead + "06 02 04 4102 fde9", 0, ""},
    {"extended: length field cut", kHead + "ff ff 00", 0, ""},
    {"extended: no length field", kHead + "ff ff", 0, ""},
    {"extended: longer than the message", kHead + "ff ff 0006 02 0002 0200", 0, ""},
    {"extended: shorter than the message", kHead + "ff ff 0004 02 0002 0200", 0, ""},
    {"extended: parameter length cut", kHead + "ff ff 0002 02 00", 0, ""},
    {"extended: parameter value cut", kHead + "ff ff 0005 02 0003 0200", 0, ""},
    {"extended: unknown parameter", kHead + "ff ff 0003 03 0000", notify::kUnsupportedParameter, ""},
    {"cut in the fixed part", "04 fde9 005a 0a0000", 0, ""},
    {"empty", "", 0, ""},
};

TEST(Open, ErrorsAreReadyNotifications) {
  for (const BadOpen& c : kBadOpens) {
    SCOPED_TRACE(c.what);
    const auto open = decode_open(hex(c.body));
    ASSERT_FALSE(open.has_value());
    EXPECT_EQ(open.error(), (MessageError{notify::kOpen, c.subcode, hex(c.data)}));
  }
}

TEST(Open, ExtendedFormIsKnownByItsTypeWhateverTheShortLength) {
  // RFC 9072 s.2: the short length SHOULD be 255 and MUST be ignored.
  for (const char* length : {"ff", "01", "80"}) {
    const auto open = decode_open(hex(kHead + length + " ff 0005 02 0002 0200"));
    ASSERT_TRUE(open.has_value()) << length;
    EXPECT_TRUE(open->capabilities.route_refresh);
  }
  EXPECT_TRUE(decode_open(hex(kHead + "ff ff 0000")).has_value()) << "no parameters";
}

TEST(Open, AParameterWithoutCapabilitiesIsFine) { EXPECT_TRUE(decode_open(hex(kHead + "02 02 00")).has_value()); }

TEST(Open, AnyIdentifierButZeroIsFine) {
  // RFC 6286 s.2.1 replaced "valid host address".
  for (const char* id : {"e0000001", "ffffffff", "7f000001", "00000001"})
    EXPECT_TRUE(decode_open(hex(std::string{"04 fde9 005a "} + id + " 00")).has_value()) << id;
}

TEST(Open, HoldTimeZeroAndThreeAreFine) {
  EXPECT_EQ(decode_open(hex("04 fde9 0000 0a000001 00"))->hold_time_s, 0);
  EXPECT_EQ(decode_open(hex("04 fde9 0003 0a000001 00"))->hold_time_s, 3);
}

}  // namespace
}  // namespace minibgp::wire
