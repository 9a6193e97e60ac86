// The shapes of messages that crashed other speakers, or made them drop sessions they should have kept. Each is one
// test; under ASan and UBSan they also show that nothing is read past the end.
#include <bgp/wire/message.h>
#include <bgp/wire/notification.h>
#include <bgp/wire/numbers.h>
#include <bgp/wire/open.h>
#include <bgp/wire/refresh.h>
#include <bgp/wire/update.h>
#include <tests/support/hex.h>
#include <tests/unit/wire/update_builder.h>

#include <string>

#include <gtest/gtest.h>

namespace minibgp::wire {
namespace {

using minibgp::testing::hex;

const std::string kOpenHead = "04 fde9 005a 0a000001 ";

// FRR CVE-2022-40302: an extended optional parameters length beyond the message.
TEST(CrashShapes, ExtendedOptionalParametersLengthBeyondTheOpen) {
  EXPECT_FALSE(decode_open(hex(kOpenHead + "ff ff ffff 02 0002 0200")).has_value());
  EXPECT_FALSE(decode_open(hex(kOpenHead + "ff ff 0100")).has_value());
}

// FRR CVE-2022-43681: the OPEN ends where the extended length should be.
TEST(CrashShapes, OpenEndsInsideTheExtendedLength) {
  EXPECT_FALSE(decode_open(hex(kOpenHead + "ff ff")).has_value());
  EXPECT_FALSE(decode_open(hex(kOpenHead + "ff ff 00")).has_value());
  EXPECT_FALSE(decode_open(hex(kOpenHead + "ff")).has_value());
}

// FRR CVE-2022-40318: a parameter whose extended length runs past the parameters.
TEST(CrashShapes, ExtendedParameterOverrun) {
  EXPECT_FALSE(decode_open(hex(kOpenHead + "ff ff 0005 02 ffff 0200")).has_value());
  EXPECT_FALSE(decode_open(hex(kOpenHead + "ff ff 0001 02")).has_value());
}

// The same with the lengths of RFC 4271: of all parameters, of one, each past what the message holds.
TEST(CrashShapes, OptionalParametersLengthBeyondTheOpen) {
  for (const char* rest :
       {"01", "ff 02 02 0200", "04", "04 02", "04 02 ff 0200", "04 02 03 0200", "06 02 02 0200", "03 02 02 02"})
    EXPECT_FALSE(decode_open(hex(kOpenHead + rest)).has_value()) << rest;
}

// Quagga, FRR: capability TLVs that overrun their parameter, in every position.
TEST(CrashShapes, CapabilityOverrunInEveryPosition) {
  const auto whole = hex(kOpenHead + "18 02 16 0104 0001 00 01 0200 4104 0000fde9 4006 0078 0001 01 80");
  ASSERT_TRUE(decode_open(Bytes{whole}).has_value());
  for (std::size_t i = 10; i < whole.size(); ++i) {
    auto broken = whole;
    broken[i] = 0xFF;
    static_cast<void>(decode_open(broken));
    static_cast<void>(decode_open(Bytes{whole}.first(i)));
  }
}

// BIRD CVE-2019-16159: a shutdown communication longer than the 128 octets of RFC 8203 overflowed a stack buffer.
TEST(CrashShapes, ShutdownCommunicationOf255Octets) {
  MessageError error{notify::kCease, notify::kAdminShutdown, std::vector<std::uint8_t>(256, 'x')};
  error.data[0] = 255;
  EXPECT_EQ(shutdown_text(error).size(), 255U);
  error.data.assign(256, 0xFF);
  EXPECT_EQ(shutdown_text(error).size(), 255U * 4) << "invalid UTF-8 is escaped";
  EXPECT_EQ(shutdown_text({notify::kCease, notify::kAdminShutdown, {255}}), "");
}

// FRR CVE-2023-41358: prefixes behind an attribute section of length 0 were processed without attributes.
TEST(CrashShapes, PrefixesWithoutAttributesAreWithdrawn) {
  const Update update = decoded(hex("0000 0000 08 0a"));
  EXPECT_EQ(update.severity, Severity::treat_as_withdraw);
  EXPECT_EQ(update.announced.size(), 1U);
}

// FRR CVE-2023-38802, OpenBGPD CVE-2023-38283: a corrupted Tunnel Encapsulation (23) reset sessions far away. RFC 9012
// s.13: the routes are withdrawn, and it goes no further.
TEST(CrashShapes, CorruptedTunnelEncapsulationIsTreatedAsWithdrawn) {
  for (const char* attribute : {"c0 17 01 00", "c0 17 00", "c0 17 04 0008ffff", "e0 17 02 ffff"}) {
    const Update update = decoded({"", kMandatory + attribute, "08 0a"});
    EXPECT_EQ(update.severity, Severity::treat_as_withdraw) << attribute;
  }
}

// Attribute 28 (entropy label) and 99 (an experiment) took down Junos, FRR and others that looked into them.
TEST(CrashShapes, AttributesNobodyShouldParsePassThrough) {
  for (const char* attribute :
       {"c0 1c 00", "c0 1c 01 ff", "e0 63 03 010203", "d0 63 0000", "c0 80 04 00000001", "c0 ff 01 00"}) {
    const Update update = decoded({"", kMandatory + attribute, "08 0a"});
    EXPECT_EQ(update.severity, Severity::none) << attribute;
    EXPECT_EQ(update.attributes.unknown.size(), 1U) << attribute;
  }
}

// FRR CVE-2023-31490, CVE-2024-31948: a malformed BGP Prefix-SID (40) crashed the receiver. RFC 8669 s.6: it goes no
// further.
TEST(CrashShapes, ACorruptedPrefixSidIsDiscarded) {
  for (const char* attribute :
       {"c0 28 00", "c0 28 01 01", "c0 28 03 010007", "c0 28 05 03ffff0000", "c0 28 05 050001 0000"}) {
    const Update update = decoded({"", kMandatory + attribute, "08 0a"});
    EXPECT_EQ(update.severity, Severity::attribute_discard) << attribute;
    EXPECT_TRUE(update.attributes.unknown.empty()) << attribute;
  }
}

// FRR CVE-2023-46753: prefixes with an attribute, but none of the mandatory ones.
TEST(CrashShapes, PrefixesWithoutMandatoryAttributesAreWithdrawn) {
  const Update update = decoded({"", "c0 63 01 00", "08 0a"});
  EXPECT_EQ(update.severity, Severity::treat_as_withdraw);
  EXPECT_EQ(update.announced.size(), 1U);
}

// FRR CVE-2023-47234, CVE-2023-47235: the shape of an End-of-RIB with attributes that do not belong there.
TEST(CrashShapes, EndOfRibBesideOtherAttributes) {
  for (const char* attributes :
       {"80 0f 03 0002 01 c0 63 01 00", "c0 63 01 00 80 0f 03 0002 01", "80 0f 03 0002 01 40 01 01 00"}) {
    const Update update = decoded({"", attributes, ""});
    EXPECT_EQ(update.announced.size(), 0U) << attributes;
    EXPECT_NE(update.severity, Severity::session_reset) << attributes;
  }
}

// 2010, RIPE's experiment, and 2009, supro: large unknown attributes and AS_PATHs over 255 hops.
TEST(CrashShapes, LargeUnknownAttributeAndLongPath) {
  std::string attribute = "d0 63 0bb8 ";
  for (int i = 0; i < 3000; ++i) attribute += "aa";
  EXPECT_EQ(decoded({"", kMandatory + attribute, "08 0a"}).severity, Severity::none);

  std::string path = "50 02 0404 02 ff ";
  for (int i = 0; i < 255; ++i) path += "0000fde9";
  path += " 02 01 0000fde9 ";
  const Update update = decoded({"", kOrigin + path + kNextHop, "08 0a"});
  EXPECT_EQ(update.severity, Severity::none);
  EXPECT_EQ(update.attributes.as_path.length(), 256U);
}

// CVE-2010 ff.: confederation segments inside AS4_PATH of a 2-octet peer reset sessions (RFC 6793 s.6 skips them).
TEST(CrashShapes, ConfederationSegmentsInAs4Path) {
  UpdateContext context;
  context.four_octet_as = false;
  const Update update = decoded(
      {"", kOrigin + "40 02 04 02 01 fde9 " + kNextHop + "c0 11 0c 03 01 0000fde9 02 01 0000fde9", "08 0a"}, context);
  EXPECT_EQ(update.severity, Severity::none);
}

// Zero-length attributes of every type, alone and together.
TEST(CrashShapes, ZeroLengthAttributesOfEveryType) {
  for (int type = 0; type < 256; ++type) {
    for (const std::uint8_t flags : hex("00 40 80 c0 d0")) {
      std::vector<std::uint8_t> attribute{flags, static_cast<std::uint8_t>(type), 0};
      if (flags & 0x10U) attribute.push_back(0);
      const Update update = decoded({"", kMandatory + minibgp::testing::to_hex(attribute), "08 0a"});
      if (update.severity != Severity::session_reset) {
        EXPECT_EQ(update.announced.size(), 1U);
      }
    }
  }
}

// End-of-RIB with something bad beside it must not pass as End-of-RIB (RFC 7606 s.5.2).
TEST(CrashShapes, EndOfRibWithABadAttribute) {
  const Update update = decoded({"", "80 0f 03 0002 01 40 01 01 07", ""});
  EXPECT_EQ(update.severity, Severity::session_reset);
  EXPECT_EQ(update.end_of_rib, std::nullopt);
}

// A next hop length that leaves no room, in every size.
TEST(CrashShapes, MpReachNextHopOfEveryLength) {
  for (int length = 0; length < 256; ++length) {
    std::vector<std::uint8_t> value = hex("0002 01 00 20010db8000000000000000000000001 00 20 20010db8");
    value[3] = static_cast<std::uint8_t>(length);
    std::vector<std::uint8_t> attribute{0x80, 14, static_cast<std::uint8_t>(value.size())};
    attribute.insert(attribute.end(), value.begin(), value.end());
    const Update update = decoded({"", minibgp::testing::to_hex(attribute) + kOrigin + kAsPath, ""});
    EXPECT_EQ(update.severity, length == 16 ? Severity::none : Severity::session_reset) << length;
  }
}

// A valid message cut at every octet, and with each octet replaced: always an answer.
TEST(CrashShapes, EveryCutAndEveryOctetOfAnUpdate) {
  const auto whole = update_body(
      {"08 0b",
       kMandatory + "80 04 04 00000005 c0 07 08 0000fdea c0000202 c0 08 04 fde90001 c0 10 08 0002fde900000064 "
                    "80 0e 1a 0002 01 10 20010db8000000000000000000000001 00 20 20010db8 "
                    "80 0f 08 0002 01 20 20010db9 c0 20 0c 000000010000000200000003 c0 63 02 0102",
       "08 0a"});
  ASSERT_EQ(decoded(whole).severity, Severity::none);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    // Exact allocations, so that the sanitizers see one octet too far.
    static_cast<void>(
        decoded(std::vector<std::uint8_t>(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(i))));
    auto broken = whole;
    for (const std::uint8_t octet : hex("00 01 7f 80 ff")) {
      broken[i] = octet;
      static_cast<void>(decoded(broken));
    }
  }
}

TEST(CrashShapes, RouteRefreshWithACutOrf) {
  for (const char* body : {"0001 00 01 01", "0001 00 01 01 40", "0001 00 01 01 40 00", "0001 00 01 01 40 ffff 00"})
    EXPECT_TRUE(decode_refresh(hex(body)).has_value()) << body;
}

}  // namespace
}  // namespace minibgp::wire
