#include <bgp/rib/attr_table.h>
#include <bgp/rib/packed.h>

#include <map>
#include <random>
#include <vector>

#include <gtest/gtest.h>
#include <testing/values.h>

namespace minibgp::rib {
namespace {

using namespace testing::literals;

/// Every field set to something.
PathAttributes everything() {
  PathAttributes a;
  a.origin = Origin::egp;
  a.as_path = *parse_as_path("65001 65002 {65003,65004} 4200000001");
  a.next_hop = {"2001:db8::1"_ip, "fe80::1"_ip};
  a.med = 0;
  a.local_pref = 200;
  a.atomic_aggregate = true;
  a.aggregator = Aggregator{Asn{65001}, RouterId{7}};
  a.communities = {Community{1}, kNoExport};
  a.extended_communities = {ExtendedCommunity{0x0002FDE900000064U}};
  a.large_communities = {LargeCommunity{1, 2, 3}};
  a.originator_id = RouterId{9};
  a.cluster_list = {RouterId{1}, RouterId{2}};
  a.only_to_customer = Asn{65010};
  a.unknown = {UnknownAttribute{0xE0, 99, {1, 2, 3}}, UnknownAttribute{0xC0, 100, {}}};
  a.local.weight = 5;
  a.local.ecmp_weight = 2;
  a.local.fib_metric = 0;
  a.local.fib_table = 100;
  a.local.fib_prefsrc = "10.0.0.1"_ip;
  a.local.next_hop = NextHopChoice::address;
  return a;
}

PathAttributes plain(std::uint32_t number) {
  PathAttributes a;
  a.as_path.append_sequence(Asn{number});
  a.next_hop.address = "192.0.2.1"_ip;
  return a;
}

TEST(Packed, EveryFieldComesBack) {
  std::vector<std::uint8_t> octets;
  pack(everything(), octets);
  PathAttributes back;
  unpack(octets, back);
  EXPECT_EQ(back, everything());
  pack(PathAttributes{}, octets);
  unpack(octets, back);
  EXPECT_EQ(back, PathAttributes{}) << "and nothing of the previous value stays";
}

TEST(Packed, EveryFieldMakesADifference) {
  using Change = void (*)(PathAttributes&);
  const Change changes[] = {
      [](PathAttributes& a) { a.origin = Origin::igp; },
      [](PathAttributes& a) { a.as_path.prepend(Asn{1}); },
      [](PathAttributes& a) { a.as_path.segments[0].type = AsPath::SegmentType::set; },
      [](PathAttributes& a) { a.next_hop.link_local = {}; },
      [](PathAttributes& a) { a.next_hop.address = "192.0.2.1"_ip; },
      [](PathAttributes& a) { a.med.reset(); },
      [](PathAttributes& a) { a.local_pref.reset(); },
      [](PathAttributes& a) { a.atomic_aggregate = false; },
      [](PathAttributes& a) { a.aggregator->asn = Asn{1}; },
      [](PathAttributes& a) { a.communities.pop_back(); },
      [](PathAttributes& a) { a.extended_communities.clear(); },
      [](PathAttributes& a) { a.large_communities[0].local2 = 4; },
      [](PathAttributes& a) { a.originator_id.reset(); },
      [](PathAttributes& a) { a.cluster_list.pop_back(); },
      [](PathAttributes& a) { a.only_to_customer.reset(); },
      [](PathAttributes& a) { a.unknown[0].flags = 0xC0; },
      [](PathAttributes& a) { a.unknown[1].value = {0}; },
      [](PathAttributes& a) { a.local.weight = 0; },
      [](PathAttributes& a) { a.local.ecmp_weight = 0; },
      [](PathAttributes& a) { a.local.fib_metric.reset(); },
      [](PathAttributes& a) { a.local.fib_table = 101; },
      [](PathAttributes& a) { a.local.fib_prefsrc = "::1"_ip; },
      [](PathAttributes& a) { a.local.next_hop = NextHopChoice::self; },
      [](PathAttributes& a) { a.local.audience = 1ULL << 63U; },
      [](PathAttributes& a) { a.local.network_bits = 24; },
  };
  std::vector<std::uint8_t> reference;
  pack(everything(), reference);
  for (const Change change : changes) {
    PathAttributes changed = everything();
    change(changed);
    std::vector<std::uint8_t> octets;
    pack(changed, octets);
    EXPECT_NE(octets, reference) << "change " << &change - changes;
    PathAttributes back;
    unpack(octets, back);
    EXPECT_EQ(back, changed);
  }
}

TEST(AttrTable, EqualAttributesAreOneRecordForAsLongAsSomebodyHoldsIt) {
  AttrTable table;
  const AttrId a = table.intern(everything());
  const AttrId b = table.intern(everything());
  const AttrId c = table.intern(plain(1));
  EXPECT_EQ(a, b);
  EXPECT_NE(a, c);
  EXPECT_NE(a, kNoAttributes);
  EXPECT_EQ(table.size(), 2U);
  table.release(a);
  EXPECT_EQ(table.load(b), everything());
  table.release(b);
  EXPECT_EQ(table.size(), 1U);
  table.release(c);
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(table.next_hop_count(), 0U);
}

TEST(AttrTable, TheHotRecordSaysWhatTheDecisionReads) {
  AttrTable table;
  const AttrId id = table.intern(everything());
  const HotAttrs& hot = table.hot(id);
  EXPECT_EQ(hot.weight, 5U);
  EXPECT_EQ(hot.local_pref, 200U);
  EXPECT_TRUE(hot.has(HotAttrs::kHasLocalPref));
  EXPECT_EQ(hot.as_path_length, 4U) << "a set is one hop";
  EXPECT_EQ(hot.neighbor_as, 65001U);
  EXPECT_EQ(hot.origin(), 1U);
  EXPECT_EQ(hot.originator, 9U);
  EXPECT_EQ(hot.cluster_list_length, 2U);
  EXPECT_TRUE(hot.has(HotAttrs::kNoExport));
  EXPECT_FALSE(hot.has(HotAttrs::kNoAdvertise));
  EXPECT_TRUE(hot.has(HotAttrs::kHasOtc));
  EXPECT_TRUE(hot.has(HotAttrs::kHasMed));
  EXPECT_TRUE(hot.has(HotAttrs::kHasLocal));
  EXPECT_EQ(table.next_hop(id), everything().next_hop);
  const AttrId bare = table.intern(PathAttributes{});
  EXPECT_EQ(table.hot(bare).origin_and_flags, 0U);
  EXPECT_EQ(table.hot(bare).neighbor_as, 0U);
}

TEST(AttrTable, SameAsPathLooksAtThePathOnly) {
  AttrTable table;
  PathAttributes other = everything();
  other.med = 77;
  other.next_hop.address = "192.0.2.9"_ip;
  const AttrId a = table.intern(everything());
  EXPECT_TRUE(table.same_as_path(a, table.intern(other)));
  other.as_path.prepend(Asn{1});
  EXPECT_FALSE(table.same_as_path(a, table.intern(other)));
}

TEST(AttrTable, MemoryFollowsWhatLivesWhateverSizesComeAndGo) {
  AttrTable table;
  std::mt19937 random(5);
  std::map<std::uint32_t, AttrId> held;
  for (std::uint32_t i = 0; i < 60'000; ++i) {
    PathAttributes a = plain(i);
    a.communities.resize(random() % 64);
    for (std::size_t c = 0; c < a.communities.size(); ++c)
      a.communities[c] = Community{static_cast<std::uint32_t>(i + c)};
    held[i] = table.intern(a);
    if (held.size() <= 2000) continue;
    auto at = held.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random() % 100));
    table.release(at->second);
    held.erase(at);
  }
  EXPECT_EQ(table.size(), held.size());
  EXPECT_LT(table.octets(), 4U * 1024 * 1024) << "2000 records of 150 octets, holes and blocks included";
  for (const auto& [number, id] : held) {
    const PathAttributes back = table.load(id);
    ASSERT_EQ(back.as_path.first(), Asn{number}) << "records that were moved are whole";
  }
}

TEST(AttrTable, TheLargestAttributesFit) {
  AttrTable table;
  PathAttributes a = plain(1);
  for (std::uint8_t i = 0; i < 3; ++i)
    a.unknown.push_back({0xC0, static_cast<std::uint8_t>(100 + i), std::vector<std::uint8_t>(60'000, i)});
  const AttrId id = table.intern(a);
  EXPECT_EQ(table.load(id), a);
}

TEST(AttrTable, AValueLargerThanABlockHasOneOfItsOwn) {
  AttrTable table;
  PathAttributes small;
  small.as_path.append_sequence(Asn{65001});
  PathAttributes large = small;  // As a policy can make it that adds a long list.
  for (std::uint32_t i = 0; i < 300'000; ++i) large.communities.push_back(Community{i});
  const AttrId first = table.intern(small);
  const AttrId big = table.intern(large);
  EXPECT_EQ(table.load(big).communities, large.communities);
  small.med = 1;
  const AttrId second = table.intern(small);
  EXPECT_EQ(table.load(second), small);
  table.release(big);
  large.med = 2;
  const AttrId again = table.intern(large);
  EXPECT_EQ(table.load(again), large);
  small.med.reset();
  EXPECT_EQ(table.load(first), small);
  for (const AttrId id : {first, second, again}) table.release(id);
  EXPECT_EQ(table.size(), 0U);
}

}  // namespace
}  // namespace minibgp::rib
