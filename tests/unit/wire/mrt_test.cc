#include <bgp/decode.h>
#include <bgp/mrt.h>
#include <bgp/text.h>
#include <tests/support/hex.h>

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace minibgp {
namespace {

using minibgp::testing::hex;
using Kind = MrtRecord::Kind;

/// A record: time 0x65000000, the type and subtype, and the length of `body`.
std::vector<std::uint8_t> record(int type, int subtype, const std::string& body) {
  const auto octets = hex(body);
  std::vector<std::uint8_t> out = hex("65000000");
  for (const std::size_t value : {static_cast<std::size_t>(type), static_cast<std::size_t>(subtype),
                                  octets.size() >> 16U, octets.size() & 0xFFFFU}) {
    out.push_back(static_cast<std::uint8_t>(value >> 8U));
    out.push_back(static_cast<std::uint8_t>(value & 0xFFU));
  }
  out.insert(out.end(), octets.begin(), octets.end());
  return out;
}

std::vector<std::uint8_t> operator+(std::vector<std::uint8_t> a, const std::vector<std::uint8_t>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// Two peers: 192.0.2.1 AS 65001 (2 octets), 2001:db8::1 AS 4200000001; the view is named "rv".
const auto kPeers = record(13, 1,
                           "0a000001 0002 7276 0002 "
                           "00 0a000002 c0000201 fde9 "
                           "03 0a000003 20010db8000000000000000000000001 fa56ea01");
// ORIGIN IGP, AS_PATH 65001 65002, NEXT_HOP 192.0.2.1, LOCAL_PREF 200.
const std::string kAttributes = "40 01 01 00  40 02 0a 02 02 0000fde9 0000fdea  40 03 04 c0000201  40 05 04 000000c8 ";

std::vector<MrtRecord> all(const std::vector<std::uint8_t>& file, std::optional<MrtError>* error = nullptr) {
  MrtReader reader{file};
  std::vector<MrtRecord> records;
  for (MrtRecord record; reader.next(record);) records.push_back(record);
  if (error != nullptr) *error = reader.error();
  return records;
}

TEST(MrtTable, EveryEntryOfAPrefixIsARoute) {
  const auto file = kPeers + record(13, 2,
                                    "00000000 18 c63364 0002 "
                                    "0000 64ffffff 001f " +
                                        kAttributes + "0001 64fffffe 0007 40 01 01 02 40 02 00");
  const auto records = all(file);
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[0].kind, Kind::peer_table);
  const MrtRecord& first = records[1];
  EXPECT_EQ(first.kind, Kind::route);
  EXPECT_EQ(first.problem, nullptr);
  EXPECT_EQ(first.time_s, 0x65000000U);
  EXPECT_EQ(to_text(first.prefix), "198.51.100.0/24");
  EXPECT_EQ(first.peer, (MrtPeer{RouterId{0x0A000002}, parse_address("192.0.2.1").value(), Asn{65001}}));
  EXPECT_EQ(first.originated_s, 0x64FFFFFFU);
  EXPECT_EQ(to_text(first.attributes.as_path), "65001 65002");
  EXPECT_EQ(first.attributes.local_pref, 200U);
  EXPECT_EQ(to_text(first.attributes.next_hop.address), "192.0.2.1");
  const MrtRecord& second = records[2];
  EXPECT_EQ(to_text(second.prefix), "198.51.100.0/24");
  EXPECT_EQ(second.peer.asn, Asn{4200000001U});
  EXPECT_EQ(to_text(second.peer.address), "2001:db8::1");
  EXPECT_EQ(second.attributes.origin, Origin::incomplete);
  EXPECT_TRUE(second.attributes.as_path.empty()) << "nothing is left of the first entry";
  EXPECT_EQ(second.attributes.local_pref, std::nullopt);
}

TEST(MrtTable, Ipv6NextHopsComeShortAndLong) {
  const std::string hop = "20010db8000000000000000000000009", local = "fe800000000000000000000000000001";
  const std::string path = "40 01 01 00 40 02 00 ";
  const auto file =
      kPeers + record(13, 4,
                      "00000001 20 20010db8 0003 "
                      "0001 00000000 001b " +
                          path + "80 0e 11 10" + hop + "0001 00000000 002b " + path + "80 0e 21 20" + hop + local +
                          // The full attribute, as some writers leave it.
                          "0001 00000000 0024 " + path + "80 0e 1a 0002 01 10 " + hop + " 00 20 20010db8");
  const auto records = all(file);
  ASSERT_EQ(records.size(), 4U);
  for (std::size_t i = 1; i < 4; ++i) {
    EXPECT_EQ(records[i].problem, nullptr);
    EXPECT_EQ(to_text(records[i].prefix), "2001:db8::/32");
    EXPECT_EQ(to_text(records[i].attributes.next_hop.address), "2001:db8::9");
    EXPECT_EQ(records[i].attributes.next_hop.link_local.is_set(), i == 2);
  }
}

TEST(MrtTable, PathIdentifiersOfRfc8050) {
  const auto file = kPeers +
                    record(13, 8,
                           "00000000 08 0a 0002 0000 00000000 00000007 0007 40 01 01 00 40 02 00"
                           "0000 00000000 00000009 0007 40 01 01 00 40 02 00") +
                    record(13, 10, "00000000 10 2001 0001 0000 00000000 0000000b 0007 40 01 01 00 40 02 00");
  const auto records = all(file);
  ASSERT_EQ(records.size(), 4U);
  EXPECT_EQ(records[1].path_id, 7U);
  EXPECT_EQ(records[2].path_id, 9U);
  EXPECT_EQ(records[3].path_id, 11U);
  EXPECT_EQ(to_text(records[3].prefix), "2001::/16");
}

TEST(MrtTable, AsSetsAndUnknownAttributesAreKept) {
  const auto file = kPeers + record(13, 2,
                                    "00000000 08 0a 0001 0000 00000000 0018 "
                                    "40 01 01 00 40 02 0c 02 01 0000fde9 01 01 0000fdea c0 63 02 abcd");
  const auto records = all(file);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[1].problem, nullptr);
  EXPECT_EQ(to_text(records[1].attributes.as_path), "65001 {65002}");
  EXPECT_EQ(records[1].attributes.unknown, (std::vector<UnknownAttribute>{{0xC0, 99, {0xAB, 0xCD}}}));
}

TEST(MrtTable, ABadAttributeOrEntryIsNamedAndTheNextRecordRead) {
  const std::string good = "00000001 08 0b 0001 0000 00000000 0007 40 01 01 00 40 02 00";
  struct Case {
    const char* what;
    std::string body;
    Kind kind;
  };
  const Case kCases[] = {
      {"bad ORIGIN", "00000000 08 0a 0001 0000 00000000 0007 40 01 01 09 40 02 00", Kind::route},
      {"attribute exceeds its entry", "00000000 08 0a 0001 0000 00000000 0007 40 01 01 00 40 02 09", Kind::route},
      {"peer that is not in the table", "00000000 08 0a 0001 0009 00000000 0007 40 01 01 00 40 02 00", Kind::route},
      {"entry exceeds its record", "00000000 08 0a 0001 0000 00000000 0009 40 01 01 00 40 02 00", Kind::skipped},
      {"more entries than there are", "00000000 08 0a 0001 0000 0000", Kind::skipped},
      {"prefix of 33 bits", "00000000 21 0a00000000 0000", Kind::skipped},
      {"record ends in the prefix", "00000000 18 0a", Kind::skipped},
      {"empty record", "", Kind::skipped},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.what);
    const auto records = all(kPeers + record(13, 2, c.body) + record(13, 2, good));
    ASSERT_EQ(records.size(), 3U);
    EXPECT_EQ(records[1].kind, c.kind);
    EXPECT_NE(records[1].problem, nullptr);
    EXPECT_EQ(records[2].kind, Kind::route);
    EXPECT_EQ(records[2].problem, nullptr);
    EXPECT_EQ(to_text(records[2].prefix), "11.0.0.0/8");
  }
}

TEST(MrtTable, APrefixWithoutEntriesIsNoRecord) {
  EXPECT_EQ(all(kPeers + record(13, 2, "00000000 08 0a 0000")).size(), 1U);
}

TEST(MrtTable, ABrokenPeerTableLeavesNoPeers) {
  const auto file = record(13, 1, "0a000001 0000 0002 00 0a000002 c0000201 fde9");
  MrtReader reader{file};
  MrtRecord out;
  ASSERT_TRUE(reader.next(out));
  EXPECT_EQ(out.kind, Kind::skipped);
  EXPECT_TRUE(reader.peers().empty());
}

const std::string kKeepalive = "ffffffffffffffffffffffffffffffff 0013 04";

TEST(MrtSession, MessagesOfEachForm) {
  struct Case {
    int type, subtype;
    const char* head;
    bool four_octet_as, add_path;
    std::uint32_t peer_as;
  };
  const Case kCases[] = {
      {16, 1, "fde9 fdea 0000 0001 c0000201 c0000202 ", false, false, 65001},
      {16, 4, "fa56ea01 0000fdea 0000 0001 c0000201 c0000202 ", true, false, 4200000001U},
      {16, 6, "fde9 fdea 0000 0001 c0000201 c0000202 ", false, false, 65001},
      {16, 7, "fa56ea01 0000fdea 0000 0001 c0000201 c0000202 ", true, false, 4200000001U},
      {16, 8, "fde9 fdea 0000 0001 c0000201 c0000202 ", false, true, 65001},
      {16, 9, "fa56ea01 0000fdea 0000 0001 c0000201 c0000202 ", true, true, 4200000001U},
      {16, 10, "fde9 fdea 0000 0001 c0000201 c0000202 ", false, true, 65001},
      {16, 11, "fa56ea01 0000fdea 0000 0001 c0000201 c0000202 ", true, true, 4200000001U},
      {17, 4, "0001e240 fa56ea01 0000fdea 0000 0001 c0000201 c0000202 ", true, false, 4200000001U},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.subtype);
    const auto file = record(c.type, c.subtype, c.head + kKeepalive);
    const auto records = all(file);
    ASSERT_EQ(records.size(), 1U);
    const MrtRecord& r = records[0];
    ASSERT_EQ(r.kind, Kind::message);
    EXPECT_EQ(r.four_octet_as, c.four_octet_as);
    EXPECT_EQ(r.add_path, c.add_path);
    EXPECT_EQ(static_cast<std::uint32_t>(r.peer.asn), c.peer_as);
    EXPECT_EQ(to_text(r.peer.address), "192.0.2.1");
    EXPECT_EQ(to_text(r.local.address), "192.0.2.2");
    EXPECT_EQ(r.time_us, c.type == 17 ? 123456U : 0U);
    EXPECT_EQ(message_name(decode_message(r.message).value), "KEEPALIVE");
  }
}

TEST(MrtSession, StateChangesOfBothWidthsAndFamilies) {
  const auto records =
      all(record(16, 0, "fde9 fdea 0000 0001 c0000201 c0000202 0005 0006") +
          record(16, 5,
                 "0000fde9 0000fdea 0000 0002 " + std::string(31, '0') + "1" + std::string(31, '0') + "2 0006 0001"));
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].kind, Kind::state_change);
  EXPECT_EQ(records[0].from, PeerState::open_confirm);
  EXPECT_EQ(records[0].to, PeerState::established);
  EXPECT_EQ(records[1].from, PeerState::established);
  EXPECT_EQ(records[1].to, PeerState::idle);
  EXPECT_EQ(to_text(records[1].peer.address), "::1");
}

TEST(MrtSession, WhatIsNotReadIsSkippedWithTheReason) {
  const auto records =
      all(record(16, 0, "fde9 fdea 0000 0001 c0000201 c0000202 0000 0006") +  // A state that does not exist.
          record(16, 3, "00") + record(16, 1, "fde9 fdea 0000 0003 c0000201") + record(16, 1, "fde9") +
          record(17, 1, "0000") + record(12, 1, "00") + record(13, 6, "00") +
          record(16, 1, "fde9 fdea 0000 0001 c0000201 c0000202"));
  ASSERT_EQ(records.size(), 8U);
  for (const MrtRecord& r : records) {
    EXPECT_EQ(r.kind, Kind::skipped);
    EXPECT_NE(r.problem, nullptr);
  }
}

TEST(MrtFile, CutAnywhereItGivesEveryGoodRecordAndOneError) {
  const auto route = record(13, 2, "00000000 08 0a 0001 0000 00000000 001f " + kAttributes);
  const auto file = kPeers + route + route;
  for (std::size_t size = 0; size <= file.size(); ++size) {
    std::optional<MrtError> error;
    // An exact copy, so that the sanitizers see one octet too far.
    const auto records = all({file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size)}, &error);
    const std::size_t whole = size == file.size()                    ? 3
                              : size >= kPeers.size() + route.size() ? 2
                              : size >= kPeers.size()                ? 1
                                                                     : 0;
    EXPECT_EQ(records.size(), whole) << size;
    const std::size_t boundary = whole == 0 ? 0 : kPeers.size() + (whole - 1) * route.size();
    EXPECT_EQ(error.has_value(), size != boundary) << size;
    if (error) {
      EXPECT_EQ(error->offset, boundary);
    }
  }
}

}  // namespace
}  // namespace minibgp
