#include <bgp/text.h>
#include <bgp/wire/as_path.h>
#include <tests/support/hex.h>

#include <string>

#include <gtest/gtest.h>

namespace minibgp::wire {
namespace {

using minibgp::testing::hex;

AsPath path(std::string_view text) { return parse_as_path(text).value(); }

struct PathCase {
  const char* value;
  AsWidth width;
  AsPathFault fault;
  const char* path;  ///< Meaningful without a fault.
};

const PathCase kPathCases[] = {
    {"", AsWidth::four, AsPathFault::none, ""},
    {"02 02 0000fde9 fa56ea01", AsWidth::four, AsPathFault::none, "65001 4200000001"},
    {"02 02 fde9 5ba0", AsWidth::two, AsPathFault::none, "65001 23456"},
    {"02 01 00000001 01 02 00000002 00000003", AsWidth::four, AsPathFault::none, "1 {2,3}"},
    // Adjacent sequences are one; adjacent sets are not, for each is a hop.
    {"02 01 00000001 02 01 00000002", AsWidth::four, AsPathFault::none, "1 2"},
    {"01 01 00000001 01 01 00000002", AsWidth::four, AsPathFault::none, "{1} {2}"},
    {"02", AsWidth::four, AsPathFault::overrun, ""},
    {"02 01", AsWidth::four, AsPathFault::overrun, ""},
    {"02 01 000000", AsWidth::four, AsPathFault::overrun, ""},
    {"02 02 00000001", AsWidth::four, AsPathFault::overrun, ""},
    {"02 ff 00000001", AsWidth::four, AsPathFault::overrun, ""},
    {"02 01 00000001 02", AsWidth::four, AsPathFault::overrun, ""},
    // 4-octet numbers read as 2-octet ones, as after a capability mix-up: the rest is no segment.
    {"02 01 00000001", AsWidth::two, AsPathFault::as_zero, ""},
    {"02 00", AsWidth::four, AsPathFault::empty_segment, ""},
    {"02 01 00000001 02 00", AsWidth::four, AsPathFault::empty_segment, ""},
    {"00 01 00000001", AsWidth::four, AsPathFault::segment_type, ""},
    {"05 01 00000001", AsWidth::four, AsPathFault::segment_type, ""},
    {"03 01 00000001", AsWidth::four, AsPathFault::confederation, ""},
    {"04 01 00000001", AsWidth::four, AsPathFault::confederation, ""},
    {"02 01 00000000", AsWidth::four, AsPathFault::as_zero, ""},
    {"02 02 00000001 00000000", AsWidth::four, AsPathFault::as_zero, ""},
    {"01 01 00000000", AsWidth::four, AsPathFault::as_zero, ""},
};

TEST(AsPathCodec, ReadsSegmentsAndNamesWhatIsWrong) {
  for (const PathCase& c : kPathCases) {
    SCOPED_TRACE(c.value);
    AsPath out;
    EXPECT_EQ(decode_as_path(hex(c.value), c.width, out), c.fault);
    if (c.fault == AsPathFault::none) {
      EXPECT_EQ(out, path(c.path));
    }
  }
}

TEST(AsPathCodec, EveryFaultHasASentence) {
  for (int fault = 1; fault <= static_cast<int>(AsPathFault::too_long); ++fault)
    EXPECT_STRNE(to_text(static_cast<AsPathFault>(fault)), "") << fault;
}

AsPath long_path(std::size_t hops) {
  AsPath p;
  for (std::size_t i = 0; i < hops; ++i) p.append_sequence(Asn{static_cast<std::uint32_t>(i + 1)});
  return p;
}

TEST(AsPathCodec, BeyondTheLimitIsAFault) {
  for (const std::size_t hops : {kMaxAsPathLength, kMaxAsPathLength + 1}) {
    const AsPath p = long_path(hops);
    std::vector<std::uint8_t> octets(as_path_size(p, AsWidth::four));
    store_as_path(octets.data(), p, AsWidth::four);
    AsPath out;
    const AsPathFault fault = decode_as_path(octets, AsWidth::four, out);
    EXPECT_EQ(fault, hops > kMaxAsPathLength ? AsPathFault::too_long : AsPathFault::none);
    if (fault == AsPathFault::none) {
      EXPECT_EQ(out, p);
    }
  }
}

TEST(AsPathCodec, ASequenceBeyond255IsSplitAndReadAsOne) {
  for (const std::size_t hops : {255U, 256U, 510U, 511U}) {
    const AsPath p = long_path(hops);
    std::vector<std::uint8_t> octets(as_path_size(p, AsWidth::four));
    EXPECT_EQ(octets.size(), hops * 4 + (hops + 254) / 255 * 2);
    EXPECT_EQ(store_as_path(octets.data(), p, AsWidth::four), octets.data() + octets.size());
    AsPath out;
    EXPECT_EQ(decode_as_path(octets, AsWidth::four, out), AsPathFault::none);
    EXPECT_EQ(out, p);
  }
}

TEST(AsPathCodec, TwoOctetsMakeAsTransOfWhatDoesNotFit) {
  const AsPath p = path("65001 4200000001 {70000,5}");
  std::vector<std::uint8_t> octets(as_path_size(p, AsWidth::two));
  store_as_path(octets.data(), p, AsWidth::two);
  EXPECT_EQ(octets, hex("02 02 fde9 5ba0 01 02 5ba0 0005"));
  EXPECT_TRUE(needs_as4_path(p));
  EXPECT_FALSE(needs_as4_path(path("65535 1")));
  EXPECT_TRUE(needs_as4_path(path("65536")));
}

struct MergeCase {
  const char* as_path;
  const char* as4_path;
  const char* merged;
};

// RFC 6793 s.4.2.3.
const MergeCase kMerges[] = {
    {"65001 23456 23456", "65001 4200000001 4200000002", "65001 4200000001 4200000002"},
    {"65010 65001 23456", "65001 4200000001", "65010 65001 4200000001"},
    {"65010 23456", "4200000001", "65010 4200000001"},
    // AS_PATH is shorter: AS4_PATH is from another path.
    {"23456", "4200000001 4200000002", "23456"},
    // An old speaker aggregated: a set counts as one hop.
    {"65001 {65002,23456}", "4200000009", "65001 4200000009"},
    {"65001 {65002,65003} 23456", "4200000009", "65001 {65002,65003} 4200000009"},
    {"65001 23456", "{4200000001,4200000002}", "65001 {4200000001,4200000002}"},
    {"1 2 3 4", "9 8 7", "1 9 8 7"},
};

TEST(As4Path, IsMergedIntoTheLeadingPartOfAsPath) {
  for (const MergeCase& c : kMerges) {
    SCOPED_TRACE(std::string{c.as_path} + " + " + c.as4_path);
    const AsPath as4 = path(c.as4_path);
    std::vector<std::uint8_t> octets(as_path_size(as4, AsWidth::four));
    store_as_path(octets.data(), as4, AsWidth::four);
    AsPath merged = path(c.as_path);
    EXPECT_EQ(merge_as4_path(octets, merged), AsPathFault::none);
    EXPECT_EQ(to_text(merged), c.merged);
    EXPECT_EQ(merged, path(c.merged)) << "canonical";
  }
}

TEST(As4Path, ConfederationSegmentsInItAreSkipped) {
  AsPath merged = path("65001 23456");
  EXPECT_EQ(merge_as4_path(hex("03 01 00000005 02 01 fa56ea01 04 02 00000006 00000007"), merged), AsPathFault::none);
  EXPECT_EQ(to_text(merged), "65001 4200000001");
  merged = path("65001 23456");
  EXPECT_EQ(merge_as4_path(hex("03 01 00000005"), merged), AsPathFault::none) << "nothing remains of it";
  EXPECT_EQ(to_text(merged), "65001 23456");
}

TEST(As4Path, AMalformedOneLeavesAsPathAlone) {
  for (const char* value : {"02 01 000000", "02 00", "07 01 00000001", "02 01 00000000", "03 09 00000001"}) {
    AsPath merged = path("65001 23456");
    EXPECT_NE(merge_as4_path(hex(value), merged), AsPathFault::none) << value;
    EXPECT_EQ(to_text(merged), "65001 23456");
  }
}

}  // namespace
}  // namespace minibgp::wire
