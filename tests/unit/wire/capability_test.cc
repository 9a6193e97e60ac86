#include <bgp/wire/capability.h>
#include <bgp/wire/numbers.h>
#include <tests/support/hex.h>

#include <functional>
#include <string>

#include <gtest/gtest.h>

namespace minibgp::wire {
namespace {

using minibgp::testing::hex;
using minibgp::testing::to_hex;

/// One capability: its bytes as sent (code, length, value) and what it sets.
struct CapabilityCase {
  const char* bytes;
  std::function<void(Capabilities&)> set;
};

const CapabilityCase kKnown[] = {
    {"01 04 0001 00 01", [](Capabilities& c) { c.multiprotocol[0] = c.any_multiprotocol = true; }},
    {"01 04 0002 00 01", [](Capabilities& c) { c.multiprotocol[1] = c.any_multiprotocol = true; }},
    {"02 00", [](Capabilities& c) { c.route_refresh = true; }},
    {"05 06 0001 0001 0002", [](Capabilities& c) { c.ipv4_over_ipv6_next_hop = true; }},
    {"06 00", [](Capabilities& c) { c.extended_messages = true; }},
    {"09 01 00", [](Capabilities& c) { c.role = Role::provider; }},
    {"09 01 01", [](Capabilities& c) { c.role = Role::route_server; }},
    {"09 01 02", [](Capabilities& c) { c.role = Role::route_server_client; }},
    {"09 01 03", [](Capabilities& c) { c.role = Role::customer; }},
    {"09 01 04", [](Capabilities& c) { c.role = Role::peer; }},
    {"40 02 0078", [](Capabilities& c) { c.graceful_restart = GracefulRestartCapability{.restart_time_s = 120}; }},
    {"40 0a cfff 0001 01 80 0002 01 00",
     [](Capabilities& c) {
       c.graceful_restart = GracefulRestartCapability{.restarting = true,
                                                      .notification = true,
                                                      .restart_time_s = 4095,
                                                      .families = {true, true},
                                                      .forwarding_preserved = {true, false}};
     }},
    {"41 04 fa56ea01", [](Capabilities& c) { c.four_octet_as = Asn{4200000001U}; }},
    {"45 04 0001 01 01",
     [](Capabilities& c) {
       c.add_path = {1, 0};
     }},
    {"45 08 0001 01 02 0002 01 03",
     [](Capabilities& c) {
       c.add_path = {2, 3};
     }},
    {"46 00", [](Capabilities& c) { c.enhanced_refresh = true; }},
    {"c8 03 010203",
     [](Capabilities& c) {
       c.unknown.push_back({200, {1, 2, 3}});
     }},
    {"49 05 03666f6f00",
     [](Capabilities& c) {
       c.unknown.push_back({73, hex("03666f6f00")});
     }},
};

bool decode(const std::vector<std::uint8_t>& bytes, Capabilities& out) {
  return decode_capability(bytes[0], Bytes{bytes}.subspan(2), out);
}

TEST(Capability, EachIsReadAndWrittenAsItsRfcSays) {
  for (const CapabilityCase& c : kKnown) {
    SCOPED_TRACE(c.bytes);
    Capabilities expected;
    c.set(expected);
    Capabilities out;
    EXPECT_TRUE(decode(hex(c.bytes), out));
    EXPECT_EQ(out, expected);
    std::vector<std::uint8_t> encoded;
    encode_capabilities(expected, encoded);
    EXPECT_EQ(to_hex(encoded), to_hex(hex(c.bytes)));
  }
}

TEST(Capability, OfAWrongLengthIsRefusedWhereItsContentMatters) {
  for (const char* bytes : {"01 00", "01 03 000100", "01 05 0001000100", "05 05 0001000100", "05 01 00", "09 00",
                            "09 02 0000", "40 00", "40 01 00", "40 03 007800", "40 05 0078000101", "41 00",
                            "41 02 fde9", "41 05 0000fde900", "45 01 00", "45 03 000101", "45 05 0001010100"}) {
    Capabilities out;
    EXPECT_FALSE(decode(hex(bytes), out)) << bytes;
  }
}

TEST(Capability, ThatOnlyIsThereOrNotMayHaveContent) {
  for (const char* bytes : {"02 01 00", "06 02 ffff", "46 01 00"}) {
    Capabilities out;
    EXPECT_TRUE(decode(hex(bytes), out)) << bytes;
    EXPECT_NE(out, Capabilities{}) << bytes;
  }
}

TEST(Capability, FamiliesWeDoNotSpeakAreSkipped) {
  Capabilities out;
  EXPECT_TRUE(decode(hex("01 04 0019 00 46"), out));  // EVPN
  EXPECT_TRUE(out.any_multiprotocol);
  EXPECT_EQ(out.multiprotocol, (std::array<bool, kFamilies>{}));
  EXPECT_EQ(out.unknown, (std::vector<RawCapability>{{1, hex("0019 00 46")}})) << "but shown";
  EXPECT_TRUE(decode(hex("45 08 0019 46 03 0001 01 04"), out));
  EXPECT_EQ(out.add_path, (std::array<std::uint8_t, kFamilies>{})) << "and a direction beyond 3 is ignored";
  EXPECT_TRUE(decode(hex("40 06 0078 0019 46 80"), out));
  EXPECT_EQ(out.graceful_restart->families, (std::array<bool, kFamilies>{}));
  EXPECT_TRUE(decode(hex("05 06 0001 0080 0002"), out));  // VPNv4
  EXPECT_FALSE(out.ipv4_over_ipv6_next_hop);
}

TEST(Capability, RolesThatContradictOrDoNotExistAreAConflict) {
  Capabilities same;
  EXPECT_TRUE(decode(hex("09 01 03"), same));
  EXPECT_TRUE(decode(hex("09 01 03"), same));
  EXPECT_FALSE(same.role_conflict);
  Capabilities different;
  EXPECT_TRUE(decode(hex("09 01 03"), different));
  EXPECT_TRUE(decode(hex("09 01 00"), different));
  EXPECT_TRUE(different.role_conflict);
  Capabilities undefined;
  EXPECT_TRUE(decode(hex("09 01 05"), undefined));
  EXPECT_TRUE(undefined.role_conflict);
  EXPECT_EQ(undefined.role, Role::none);
}

TEST(Capability, TheLastGracefulRestartCounts) {
  Capabilities out;
  EXPECT_TRUE(decode(hex("40 06 0078 0001 01 80"), out));
  EXPECT_TRUE(decode(hex("40 02 003c"), out));
  EXPECT_EQ(out.graceful_restart, (GracefulRestartCapability{.restart_time_s = 60}));
}

TEST(Capability, RepeatedUnknownOnesAreKeptOnce) {
  Capabilities out;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(decode(hex("c8 01 07"), out));
  EXPECT_TRUE(decode(hex("c8 01 08"), out));
  EXPECT_EQ(out.unknown.size(), 2U);
}

TEST(Capability, NamesAreForPeople) {
  EXPECT_EQ(capability_name(cap::kGracefulRestart), "graceful restart");
  EXPECT_EQ(capability_name(73), "FQDN");
  EXPECT_EQ(capability_name(200), "");
}

}  // namespace
}  // namespace minibgp::wire
