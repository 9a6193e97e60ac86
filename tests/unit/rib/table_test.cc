#include <bgp/rib/adj_out.h>
#include <bgp/rib/attr_table.h>
#include <bgp/rib/next_hop_index.h>
#include <bgp/rib/table.h>

#include <vector>

#include <gtest/gtest.h>
#include <testing/values.h>

namespace minibgp::rib {
namespace {

using namespace testing::literals;

const Prefix kPrefix = "203.0.113.0/24"_prefix;

struct Rib {
  AttrTable attributes;
  NextHopIndex next_hops;
  Table table{attributes, next_hops};

  explicit Rib(NextHopTracking tracking = NextHopTracking::assume_usable) {
    next_hops.set_tracking(tracking);
    for (std::uint16_t i = 1; i <= 4; ++i)
      table.set_peer(PeerId{i}, PeerFacts{true, RouterId{i}, IpAddress::v4(0xC0000200U + i), 100});
  }
  void set(std::uint16_t peer, const char* path, const Prefix& prefix = kPrefix, std::uint32_t path_id = 0) {
    PathAttributes a;
    a.as_path = *parse_as_path(path);
    a.next_hop.address = IpAddress::v4(0xC0000200U + peer);
    const AttrId id = attributes.intern(a);
    table.set_path(prefix, {PeerId{peer}, path_id}, id, id);
    attributes.release(id);
  }
  [[nodiscard]] std::vector<std::uint16_t> in_use(const Prefix& prefix = kPrefix) const {
    std::vector<std::uint16_t> peers;
    const auto id = table.find(prefix);
    if (!id) return peers;
    const Route& route = table.route(*id);
    for (std::uint32_t i = 0; i < route.path_count && i < route.best; ++i)
      peers.push_back(static_cast<std::uint16_t>(route.path(i).peer));
    return peers;
  }
  /// Takes all changes; routes without paths go, as when no group was told.
  std::size_t take_changes() {
    std::size_t count = 0;
    for (; !table.changed().empty(); ++count) {
      const RouteId id{table.changed().take()};
      if (table.route(id).path_count == 0) table.set_takers(id, 0);
    }
    return count;
  }
};

using Peers = std::vector<std::uint16_t>;

TEST(Table, TheBestPathLeadsAndChangesAreToldOnce) {
  Rib rib;
  rib.set(1, "65001 65002");
  EXPECT_EQ(rib.in_use(), Peers{1});
  rib.set(2, "65003");
  EXPECT_EQ(rib.in_use(), Peers{2});
  EXPECT_EQ(rib.take_changes(), 1U) << "two changes of one route are one";
  rib.set(3, "65001 65002 65003");
  EXPECT_EQ(rib.take_changes(), 0U) << "a path that loses changes nothing";
  rib.set(2, "65003");
  EXPECT_EQ(rib.take_changes(), 0U) << "nor does the same again";
  EXPECT_TRUE(rib.table.remove_path(kPrefix, {PeerId{2}, 0}));
  EXPECT_EQ(rib.in_use(), Peers{1});
  EXPECT_FALSE(rib.table.remove_path(kPrefix, {PeerId{2}, 0}));
  EXPECT_EQ(rib.take_changes(), 1U);
}

TEST(Table, EverythingIsGivenBackWhenThePathsAreGone) {
  Rib rib;
  for (std::uint16_t peer = 1; peer <= 4; ++peer) rib.set(peer, "65001");
  for (std::uint16_t peer = 1; peer <= 4; ++peer) EXPECT_TRUE(rib.table.remove_path(kPrefix, {PeerId{peer}, 0}));
  EXPECT_EQ(rib.table.route_count(), 0U);
  EXPECT_TRUE(rib.table.find(kPrefix).has_value()) << "somebody may still have to hear of it";
  rib.take_changes();
  EXPECT_FALSE(rib.table.find(kPrefix).has_value());
  EXPECT_EQ(rib.attributes.size(), 0U);
  EXPECT_EQ(rib.table.path_count(), 0U);
  EXPECT_EQ(rib.table.more_octets(), 0U);
}

TEST(Table, CountsWhatEachPeerSaysAndWins) {
  Rib rib;
  rib.set(1, "65001");
  rib.set(2, "65002 65003");
  rib.set(2, "65002", "198.51.100.0/24"_prefix);
  EXPECT_EQ(rib.table.counts(PeerId{1}).best, 1U);
  EXPECT_EQ(rib.table.counts(PeerId{2}).received, 2U);
  EXPECT_EQ(rib.table.counts(PeerId{2}).accepted, 2U);
  EXPECT_EQ(rib.table.counts(PeerId{2}).best, 1U);
  EXPECT_TRUE(rib.table.remove_path(kPrefix, {PeerId{1}, 0}));
  EXPECT_EQ(rib.table.counts(PeerId{1}).best, 0U);
  EXPECT_EQ(rib.table.counts(PeerId{2}).best, 2U);
}

TEST(Table, ARefusedPathIsKeptButNeverUsed) {
  Rib rib;
  PathAttributes a;
  const AttrId id = rib.attributes.intern(a);
  rib.table.set_path(kPrefix, {PeerId{1}, 0}, id, kNoAttributes);
  EXPECT_EQ(rib.in_use(), Peers{});
  EXPECT_EQ(rib.table.counts(PeerId{1}).received, 1U);
  EXPECT_EQ(rib.table.counts(PeerId{1}).accepted, 0U);
  EXPECT_EQ(rib.take_changes(), 0U);
  rib.table.set_accepted_at(*rib.table.find(kPrefix), 0, id);  // Policy changed its mind.
  EXPECT_EQ(rib.in_use(), Peers{1});
  rib.attributes.release(id);
}

TEST(Table, TheEqualCostSetIsOrderedAndLimited) {
  Rib rib;
  SelectionOptions options;
  options.maximum_paths = 3;
  options.multipath = Multipath::relax;
  rib.table.set_options(options);
  for (const std::uint16_t peer : Peers{4, 2, 3, 1}) rib.set(peer, "65001 65002");
  EXPECT_EQ(rib.in_use(), (Peers{1, 2, 3}));
  rib.take_changes();
  EXPECT_TRUE(rib.table.remove_path(kPrefix, {PeerId{4}, 0}));
  EXPECT_EQ(rib.take_changes(), 0U) << "it was not in the set";
  EXPECT_TRUE(rib.table.remove_path(kPrefix, {PeerId{2}, 0}));
  EXPECT_EQ(rib.in_use(), (Peers{1, 3}));
  EXPECT_EQ(rib.take_changes(), 1U);
}

TEST(Table, APathThatLostMayHaveKeptAnotherFromWinningByMed) {
  Rib rib;
  const auto set = [&](std::uint16_t peer, std::uint32_t neighbor, std::uint32_t med) {
    PathAttributes a;
    a.as_path.append_sequence(Asn{neighbor});
    a.med = med;
    const AttrId id = rib.attributes.intern(a);
    rib.table.set_path(kPrefix, {PeerId{peer}, 0}, id, id);
    rib.attributes.release(id);
  };
  set(1, 65001, 10);  // The lowest router id, but beaten by peer 3 within its neighbor.
  set(2, 65002, 0);
  set(3, 65001, 1);
  EXPECT_EQ(rib.in_use(), Peers{2});
  EXPECT_TRUE(rib.table.remove_path(kPrefix, {PeerId{3}, 0}));
  EXPECT_EQ(rib.in_use(), Peers{1});
}

TEST(Table, TwoPathsOfOnePeerAreToldApartByTheirIdentifier) {  // RFC 7911
  Rib rib;
  rib.set(1, "65001 65002", kPrefix, 1);
  rib.set(1, "65001", kPrefix, 2);
  EXPECT_EQ(rib.table.counts(PeerId{1}).received, 2U);
  EXPECT_EQ(rib.table.route(*rib.table.find(kPrefix)).first.path_id, 2U);
  EXPECT_TRUE(rib.table.remove_path(kPrefix, {PeerId{1}, 2}));
  EXPECT_EQ(rib.table.route(*rib.table.find(kPrefix)).first.path_id, 1U);
}

TEST(Table, ANewEpochMakesPathsOldUntilTheyAreAnnouncedAgain) {
  Rib rib;
  rib.set(1, "65001");
  const RouteId id = *rib.table.find(kPrefix);
  const auto old = [&] {
    const std::uint8_t present = rib.table.epoch(PeerId{1}, Family::ipv4);
    return rib.table.older(rib.table.route(id), rib.table.route(id).first, present);
  };
  EXPECT_FALSE(old());
  rib.table.begin_epoch(PeerId{1}, Family::ipv6);
  EXPECT_FALSE(old());
  rib.table.begin_epoch(PeerId{1}, Family::ipv4);
  EXPECT_TRUE(old());
  rib.set(1, "65001");
  EXPECT_FALSE(old());
}

// --- Next hops -----------------------------------------------------------------------------------------------------

TEST(NextHops, AnUnusableOneTakesItsPathOutAndBackIn) {
  Rib rib;
  rib.set(1, "65001");
  rib.set(2, "65002 65003");
  rib.take_changes();
  EXPECT_TRUE(rib.next_hops.set(PeerId{1}, "192.0.2.1"_ip, {false, 0}));
  rib.table.reselect(*rib.table.find(kPrefix));
  EXPECT_EQ(rib.in_use(), Peers{2});
  EXPECT_EQ(rib.take_changes(), 1U);
  EXPECT_TRUE(rib.next_hops.set(PeerId{1}, "192.0.2.1"_ip, {true, 0}));
  rib.table.reselect(*rib.table.find(kPrefix));
  EXPECT_EQ(rib.in_use(), Peers{1});
}

TEST(NextHops, TheSameAddressOfAnotherPeerIsAnotherNextHop) {
  Rib rib;
  EXPECT_TRUE(rib.next_hops.set(PeerId{2}, "192.0.2.1"_ip, {false, 0}));
  rib.set(1, "65001");  // Through 192.0.2.1, too.
  EXPECT_EQ(rib.in_use(), Peers{1});
}

TEST(NextHops, CostDecidesBetweenOtherwiseEqualPaths) {
  Rib rib;
  rib.set(1, "65001");
  rib.set(2, "65002");
  EXPECT_EQ(rib.in_use(), Peers{1});
  EXPECT_TRUE(rib.next_hops.set(PeerId{1}, "192.0.2.1"_ip, {true, 50}));
  rib.table.reselect(*rib.table.find(kPrefix));
  EXPECT_EQ(rib.in_use(), Peers{2});
}

TEST(NextHops, TrackedOnesAreAskedForAndCountOnlyOnceAnswered) {
  Rib rib{NextHopTracking::tracked};
  rib.set(1, "65001");
  EXPECT_EQ(rib.in_use(), Peers{});
  const auto wanted = rib.next_hops.take_interest();
  ASSERT_TRUE(wanted.has_value());
  EXPECT_EQ(wanted->peer, PeerId{1});
  EXPECT_EQ(wanted->next_hop, "192.0.2.1"_ip);
  EXPECT_TRUE(wanted->wanted);
  EXPECT_FALSE(rib.next_hops.take_interest().has_value());
  EXPECT_TRUE(rib.next_hops.set(PeerId{1}, "192.0.2.1"_ip, {true, 0}));
  rib.table.reselect(*rib.table.find(kPrefix));
  EXPECT_EQ(rib.in_use(), Peers{1});

  rib.set(1, "65001", "198.51.100.0/24"_prefix);
  EXPECT_FALSE(rib.next_hops.take_interest().has_value()) << "it is known already";
  EXPECT_TRUE(rib.table.remove_path(kPrefix, {PeerId{1}, 0}));
  EXPECT_FALSE(rib.next_hops.take_interest().has_value()) << "one path still uses it";
  EXPECT_TRUE(rib.table.remove_path("198.51.100.0/24"_prefix, {PeerId{1}, 0}));
  const auto unwanted = rib.next_hops.take_interest();
  ASSERT_TRUE(unwanted.has_value());
  EXPECT_FALSE(unwanted->wanted);
  EXPECT_EQ(rib.next_hops.size(), 0U);
}

// --- Adj-RIB-Out ---------------------------------------------------------------------------------------------------

TEST(AdjOut, AnEntryHoldsItsAttributesAndGivesThemBack) {
  Rib rib;
  AdjOut out{rib.attributes};
  const AttrId id = rib.attributes.intern(PathAttributes{});
  out.set(RouteId{70'000}, {id, PeerId{3}});
  rib.attributes.release(id);
  EXPECT_EQ(rib.attributes.size(), 1U);
  EXPECT_EQ(out.entry(RouteId{70'000}), (OutEntry{id, PeerId{3}}));
  EXPECT_TRUE(out.entry(RouteId{69'999}).is_empty());
  EXPECT_EQ(out.counts_from(PeerId{3}).advertised, 1U);
  out.set(RouteId{70'000}, OutEntry::withheld(Withheld::over_limit, PeerId{3}));
  EXPECT_EQ(rib.attributes.size(), 0U) << "nothing is advertised any more";
  EXPECT_EQ(out.counts().advertised, 0U);
  EXPECT_EQ(out.counts().withheld[static_cast<std::size_t>(Withheld::over_limit)], 1U);
  EXPECT_TRUE(out.concerns(RouteId{70'000})) << "the entry goes before the id is used again";
  out.set(RouteId{70'000}, {});
  EXPECT_EQ(out.counts(), AdjOut::Counts{});
}

TEST(AdjOut, WhatIsWithheldIsCountedByReasonAndFoundInOrder) {
  Rib rib;
  AdjOut out{rib.attributes};
  for (const std::uint32_t id : {9000U, 5U, 70'000U})
    out.set(RouteId{id}, OutEntry::withheld(Withheld::over_limit, PeerId{1}));
  out.set(RouteId{6}, OutEntry::withheld(Withheld::too_large, PeerId{2}));
  EXPECT_EQ(out.entry(RouteId{6}).why(), Withheld::too_large);
  std::vector<RouteId> found;
  out.find_withheld(Withheld::over_limit, 2, found);
  EXPECT_EQ(found, (std::vector<RouteId>{RouteId{5}, RouteId{9000}}));
  AdjOut copy{rib.attributes};
  copy.copy_from(out);
  EXPECT_TRUE(copy.same_entries(out));
  copy.set(RouteId{6}, OutEntry::withheld(Withheld::too_large, PeerId{1}));
  EXPECT_FALSE(copy.same_entries(out)) << "another source";
}

TEST(AdjOut, CountsOfEachSourceFollowTheEntries) {
  Rib rib;
  AdjOut out{rib.attributes};
  PathAttributes a;
  a.as_path = *parse_as_path("65001");
  const AttrId id = rib.attributes.intern(a);
  const OutEntry kinds[] = {{}, {id, PeerId{1}}, {id, PeerId{7}}, OutEntry::withheld(Withheld::over_limit, PeerId{7})};
  const auto counted = [](const AdjOut& of, PeerId source) {
    AdjOut::Counts counts;
    of.for_each_entry([&](RouteId, OutEntry entry) {
      if (entry.source != source) return;
      ++(entry.is_withheld() ? counts.withheld[static_cast<std::size_t>(entry.why())] : counts.advertised);
    });
    return counts;
  };
  // Every kind of entry replaces every kind.
  for (std::uint32_t i = 0; i < 64; ++i) {
    out.set(RouteId{i % 5}, kinds[(i / 4) % 4]);
    out.set(RouteId{i % 5}, kinds[i % 4]);
    AdjOut copy{rib.attributes};
    copy.copy_from(out);
    for (const PeerId source : {PeerId{1}, PeerId{7}, PeerId{9}}) {
      EXPECT_EQ(out.counts_from(source), counted(out, source)) << i;
      EXPECT_EQ(copy.counts_from(source), counted(out, source)) << i;
    }
  }
  out.forget();
  EXPECT_EQ(out.counts_from(PeerId{7}), AdjOut::Counts{});
  rib.attributes.release(id);
}

TEST(AdjOut, AnOwnNetworkTakesNoMoreMemoryThanALearnedRoute) {
  Rib rib;
  AdjOut own{rib.attributes}, learned{rib.attributes};
  own.set(RouteId{1}, OutEntry::withheld(Withheld::too_large, kLocalPeer));
  learned.set(RouteId{1}, OutEntry::withheld(Withheld::too_large, PeerId{0}));
  EXPECT_LE(own.octets(), learned.octets());
  EXPECT_EQ(own.counts(), learned.counts());
}

TEST(AdjOut, AWalkMeetsEveryRouteOnceAndChangesOvertakeIt) {
  Rib rib;
  std::vector<RouteId> ids;
  for (std::uint32_t i = 0; i < 10; ++i) {
    const Prefix prefix = Prefix::of(IpAddress::v4(0x0A000000U + i * 256), 24);
    rib.set(1, "65001", prefix);
    ids.push_back(*rib.table.find(prefix));
  }
  AdjOut out{rib.attributes};
  out.start_walk(AdjOut::Walk::changes, [](RouteId) {});
  const auto first = out.take(rib.table);
  ASSERT_TRUE(first.has_value());
  out.mark(first->id);  // Behind the walk: it waits.
  out.mark(ids[9]);     // Ahead of it: it will be met.
  EXPECT_EQ(out.pending_count(), 1U);
  std::vector<RouteId> seen;
  while (const auto item = out.take(rib.table)) seen.push_back(item->id);
  EXPECT_EQ(seen.size(), 10U);
  EXPECT_EQ(seen.front(), first->id);
  EXPECT_TRUE(out.quiet());
}

TEST(Table, APathThatLosesToTheBestByCostStillRemovesAnotherOfItsAsByMed) {
  Rib rib;
  SelectionOptions options;
  options.maximum_paths = 4;
  options.multipath = Multipath::relax;
  rib.table.set_options(options);
  const auto with_med = [&](std::uint16_t peer, const char* path, std::uint32_t med) {
    PathAttributes a;
    a.as_path = *parse_as_path(path);
    a.next_hop.address = IpAddress::v4(0xC0000200U + peer);
    a.med = med;
    const AttrId id = rib.attributes.intern(a);
    rib.table.set_path(kPrefix, {PeerId{peer}, 0}, id, id);
    rib.attributes.release(id);
  };
  static_cast<void>(rib.next_hops.set(PeerId{3}, IpAddress::v4(0xC0000203U), {true, 10}));
  with_med(1, "65001", 0);
  with_med(2, "65002", 20);
  EXPECT_EQ(rib.in_use(), (Peers{1, 2}));
  with_med(3, "65002", 10);
  EXPECT_EQ(rib.in_use(), Peers{1}) << "2 loses to 3, and 3 costs more than 1";
}

TEST(Table, ARouteHoldsALimitedNumberOfPathsOfOnePeerAndOfAll) {
  Rib rib;
  for (std::uint16_t i = 0; i < 70; ++i)
    rib.table.set_peer(PeerId{i}, PeerFacts{true, RouterId{i}, IpAddress::v4(0x0A000000U + i), 100});
  PathAttributes a;
  a.as_path = *parse_as_path("65001");
  a.next_hop.address = "192.0.2.1"_ip;
  const AttrId id = rib.attributes.intern(a);
  std::uint32_t held = 0;
  for (std::uint16_t peer = 0; peer < 70; ++peer)
    for (std::uint32_t path_id = 0; path_id < 256; ++path_id) {
      const bool added = rib.table.set_path(kPrefix, {PeerId{peer}, path_id}, id, kNoAttributes);
      ASSERT_EQ(added, path_id < Route::kPathsOfPeerMax && held < Route::kPathsMax) << peer << ", " << path_id;
      held += added ? 1 : 0;
    }
  EXPECT_EQ(held, std::uint32_t{Route::kPathsMax});
  EXPECT_TRUE(rib.table.set_path(kPrefix, {PeerId{0}, 0}, id, id)) << "what is held can be replaced";
  EXPECT_TRUE(rib.table.set_path(kPrefix, {kLocalPeer, 0}, id, id)) << "there is room for our own";
  rib.attributes.release(id);
}

}  // namespace
}  // namespace minibgp::rib
