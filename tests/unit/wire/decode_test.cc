#include <bgp/decode.h>
#include <bgp/text.h>
#include <tests/support/hex.h>

#include <string>

#include <gtest/gtest.h>

namespace minibgp {
namespace {

using minibgp::testing::hex;
using minibgp::testing::to_hex;

const std::string kMarker = "ffffffffffffffffffffffffffffffff ";

Prefix prefix(std::string_view text) { return parse_prefix(text).value(); }

/// A value must survive the journey through bytes.
void expect_round_trip(const MessageValue& value, const DecodeOptions& options = {}) {
  const auto bytes = encode_message(value, options);
  ASSERT_TRUE(bytes.has_value()) << to_text(bytes.error());
  const DecodedMessage decoded = decode_message(*bytes, options);
  EXPECT_EQ(decoded.octets, bytes->size());
  EXPECT_EQ(decoded.verdict, MessageVerdict::ok);
  EXPECT_TRUE(decoded.findings.empty());
  EXPECT_EQ(decoded.value, value) << to_hex(*bytes);
}

UpdateMessage route() {
  UpdateMessage update;
  update.attributes.as_path = parse_as_path("65001 65002").value();
  update.attributes.next_hop.address = parse_address("192.0.2.1").value();
  update.announced = {{prefix("10.0.0.0/8"), 0}};
  return update;
}

TEST(DecodeMessage, EveryTypeRoundTrips) {
  OpenMessage open;
  open.asn = Asn{65001};
  open.asn_field = 65001;
  open.hold_time_s = 90;
  open.router_id = RouterId{1};
  expect_round_trip(open);
  expect_round_trip(route());
  expect_round_trip(NotificationMessage{6, 2, {2, 'h', 'i'}});
  expect_round_trip(KeepaliveMessage{});
  expect_round_trip(RefreshMessage{Family::ipv6, RefreshKind::begin});
  UpdateMessage end;
  end.end_of_rib = Family::ipv6;
  expect_round_trip(end);
}

TEST(DecodeMessage, AnUpdateOfBothFamiliesRoundTripsWithPathIdentifiers) {
  UpdateMessage update = route();
  update.attributes.unknown = {{0xC0, 99, {1}}};  // Partial is not added.
  update.announced = {{prefix("10.0.0.0/8"), 1}, {prefix("10.0.0.0/8"), 2}};
  update.mp_next_hop = {parse_address("2001:db8::1").value(), parse_address("fe80::1").value()};
  update.mp_announced = {{prefix("2001:db8::/32"), 3}};
  update.withdrawn = {{prefix("11.0.0.0/8"), 4}, {prefix("2001:db9::/32"), 5}};
  DecodeOptions options;
  options.add_path = {true, true};
  // Withdrawn prefixes come out in the order of the message: attributes are behind Withdrawn Routes.
  expect_round_trip(update, options);
}

TEST(DecodeMessage, AWithdrawalNeedsNoAttributes) {
  UpdateMessage update;
  update.withdrawn = {{prefix("10.0.0.0/8"), 0}};
  const auto bytes = encode_message(update);
  EXPECT_EQ(to_hex(bytes.value()), to_hex(hex(kMarker + "0019 02 0002 080a 0000")));
  expect_round_trip(update);
}

TEST(DecodeMessage, ErrorsHaveAnOffsetInTheMessageAndAVerdict) {
  const auto bytes = hex(kMarker + "002d 02 0000 0014 400101 07 400206 0201 0000fde9 400304 c0000201 080a");
  const DecodedMessage decoded = decode_message(bytes);
  EXPECT_EQ(decoded.verdict, MessageVerdict::treat_as_withdraw);
  ASSERT_EQ(decoded.findings.size(), 1U);
  const Finding& finding = decoded.findings[0];
  EXPECT_EQ(finding.offset, 23U);
  EXPECT_EQ(bytes[finding.offset + 1], finding.attribute);
  EXPECT_EQ(finding.code, 3);
  EXPECT_EQ(finding.subcode, 6);
  EXPECT_EQ(decoded.notification.code, 0) << "nothing is answered";
  ASSERT_EQ(decoded.attributes.size(), 3U);
  EXPECT_EQ(decoded.attributes[1].name, "AS_PATH");
  EXPECT_EQ(decoded.attributes[1].offset, 27U);
  EXPECT_EQ(decoded.attributes[1].value.size(), 6U);
}

TEST(DecodeMessage, ThePeerTypeDecides) {
  UpdateMessage update = route();
  update.attributes.local_pref = 100;
  DecodeOptions internal;
  internal.peer_type = PeerType::ibgp;
  const auto bytes = encode_message(update, internal).value();
  EXPECT_EQ(decode_message(bytes, internal).verdict, MessageVerdict::ok);
  EXPECT_EQ(decode_message(bytes).verdict, MessageVerdict::attribute_discard);
}

TEST(DecodeMessage, ACutTailIsNoVerdict) {
  const auto bytes = encode_message(route()).value();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const DecodedMessage decoded = decode_message(Bytes{bytes}.first(size));
    EXPECT_EQ(decoded.octets, 0U);
    EXPECT_EQ(decoded.verdict, MessageVerdict::ok);
    ASSERT_EQ(decoded.findings.size(), 1U);
    EXPECT_EQ(decoded.findings[0].offset, size);
  }
}

TEST(DecodeMessage, AWrongHeaderEndsTheStream) {
  const auto bytes = hex(kMarker + "0013 09 aabb");
  const DecodedMessage decoded = decode_message(bytes);
  EXPECT_EQ(decoded.octets, bytes.size());
  EXPECT_EQ(decoded.verdict, MessageVerdict::session_reset);
  EXPECT_EQ(decoded.notification, (NotificationMessage{1, 3, {9}}));
  EXPECT_EQ(decoded.findings[0].offset, 18U);
  EXPECT_EQ(message_name(decoded.value), "?");
}

TEST(DecodeMessage, BytesBehindTheMessageAreAnothers) {
  const auto bytes = hex(kMarker + "0013 04 " + kMarker + "0013 04");
  EXPECT_EQ(decode_message(bytes).octets, 19U);
}

TEST(EncodeMessage, SaysWhatCannotBe) {
  EXPECT_EQ(encode_message({}).error(), EncodeError::no_message);
  UpdateMessage update = route();
  for (std::uint32_t i = 0; i < 1100; ++i) update.announced.push_back({Prefix::of(IpAddress::v4(i << 12U), 24), 0});
  EXPECT_EQ(encode_message(update).error(), EncodeError::too_long);
  DecodeOptions extended;
  extended.extended_messages = true;
  EXPECT_TRUE(encode_message(update, extended).has_value());
  update = route();
  update.announced = {{prefix("2001:db8::/32"), 0}};
  EXPECT_EQ(encode_message(update).error(), EncodeError::bad_family);
  update = route();
  update.mp_announced = {{prefix("2001:db8::/32"), 0}};
  EXPECT_EQ(encode_message(update).error(), EncodeError::bad_family) << "an IPv4 next hop";
  update = route();
  update.end_of_rib = Family::ipv4;
  EXPECT_EQ(encode_message(update).error(), EncodeError::end_of_rib);
  EXPECT_EQ(encode_message(UpdateMessage{}).error(), EncodeError::empty);
  OpenMessage open;
  open.capabilities.unknown = {{200, std::vector<std::uint8_t>(256)}};
  EXPECT_EQ(encode_message(open).error(), EncodeError::too_long);
  open.capabilities.unknown.assign(20, {200, std::vector<std::uint8_t>(255)});
  EXPECT_EQ(encode_message(open).error(), EncodeError::too_long);
  EXPECT_EQ(encode_message(NotificationMessage{1, 1, std::vector<std::uint8_t>(5000)}).error(), EncodeError::too_long);
  EXPECT_EQ(encode_message(RefreshMessage{}).error(), EncodeError::bad_family);
}

}  // namespace
}  // namespace minibgp
