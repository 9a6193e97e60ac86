#include <bgp/decide.h>
#include <bgp/rib/best_path.h>

#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <testing/values.h>

namespace minibgp::rib {
namespace {

using namespace testing::literals;

struct Case {
  const char* name;
  Rule rule;
  std::function<void(HotAttrs&, Candidate&, PeerFacts&)> worsen;
  DecideOptions options = {};
};

// Each row spoils one field of an otherwise equal path; one row per rule, in the rules' order.
const Case kCases[] = {
    {"weight", Rule::weight, [](HotAttrs& x, Candidate&, PeerFacts&) { x.weight = 1; }},
    {"local_pref", Rule::local_pref, [](HotAttrs& x, Candidate&, PeerFacts&) { x.local_pref = 50; }},
    {"default_local_pref", Rule::local_pref,
     [](HotAttrs& x, Candidate&, PeerFacts& peer) {
       x.origin_and_flags = 0;
       peer.default_local_pref = 99;
     }},
    {"as_path", Rule::as_path_length, [](HotAttrs& x, Candidate&, PeerFacts&) { x.as_path_length = 9; }},
    {"origin", Rule::origin, [](HotAttrs& x, Candidate&, PeerFacts&) { x.origin_and_flags |= 2; }},
    {"med", Rule::med, [](HotAttrs& x, Candidate&, PeerFacts&) { x.med = 7; }},
    {"med_always",
     Rule::med,
     [](HotAttrs& x, Candidate&, PeerFacts&) {
       x.med = 7;
       x.neighbor_as = 2;
     },
     {.always_compare_med = true}},
    {"external", Rule::external, [](HotAttrs&, Candidate&, PeerFacts& peer) { peer.external = false; }},
    {"igp_cost", Rule::igp_cost, [](HotAttrs&, Candidate& c, PeerFacts&) { c.igp_cost = 20; }},
    {"oldest", Rule::oldest, [](HotAttrs&, Candidate& c, PeerFacts&) { c.in_use = false; }, {.prefer_oldest = true}},
    {"router_id", Rule::router_id, [](HotAttrs&, Candidate&, PeerFacts& peer) { peer.router_id = RouterId{6}; }},
    {"originator", Rule::router_id, [](HotAttrs& x, Candidate&, PeerFacts&) { x.originator = 6; }},
    {"cluster_list", Rule::cluster_list, [](HotAttrs& x, Candidate&, PeerFacts&) { x.cluster_list_length = 3; }},
    {"peer_address", Rule::peer_address,
     [](HotAttrs&, Candidate& c, PeerFacts& peer) {
       c.peer_id = PeerId{9};
       peer.address = "192.0.2.9"_ip;
     }},
    {"same_address_other_interface", Rule::peer_address,
     [](HotAttrs&, Candidate& c, PeerFacts&) { c.peer_id = PeerId{9}; }},
    {"path_id", Rule::path_id, [](HotAttrs&, Candidate& c, PeerFacts&) { c.path_id = 5; }},
};

class DecideRule : public ::testing::TestWithParam<Case> {};

TEST_P(DecideRule, BetterPathWinsByThatRuleFromEitherSide) {
  HotAttrs good;
  good.weight = 5;
  good.local_pref = 100;
  good.as_path_length = 3;
  good.neighbor_as = 1;
  good.med = 5;
  good.origin_and_flags = HotAttrs::kHasLocalPref;
  HotAttrs bad = good;
  PeerFacts good_peer{true, RouterId{5}, "192.0.2.1"_ip, 100};
  PeerFacts bad_peer = good_peer;
  Candidate a{&good, &good_peer, PeerId{1}, 1, 10, true};
  Candidate b{&bad, &bad_peer, PeerId{1}, 1, 10, true};
  GetParam().worsen(bad, b, bad_peer);
  const Verdict forward = decide(a, b, GetParam().options);
  const Verdict backward = decide(b, a, GetParam().options);
  EXPECT_TRUE(forward.first_wins);
  EXPECT_FALSE(backward.first_wins);
  EXPECT_EQ(forward.rule, GetParam().rule);
  EXPECT_EQ(backward.rule, GetParam().rule);
}
INSTANTIATE_TEST_SUITE_P(Rules, DecideRule, ::testing::ValuesIn(kCases),
                         [](const auto& test) { return std::string{test.param.name}; });

TEST(Decide, MedOfAnotherNeighborDoesNotCount) {
  HotAttrs x;
  x.neighbor_as = 1;
  x.med = 100;
  HotAttrs y;
  y.neighbor_as = 2;
  y.med = 1;
  const PeerFacts first{true, RouterId{1}, "192.0.2.1"_ip, 100};
  const PeerFacts second{true, RouterId{2}, "192.0.2.2"_ip, 100};
  const Verdict verdict =
      decide(Candidate{&x, &first, PeerId{1}, 0, 0, false}, Candidate{&y, &second, PeerId{2}, 0, 0, false}, {});
  EXPECT_TRUE(verdict.first_wins);
  EXPECT_EQ(verdict.rule, Rule::router_id);
}

TEST(Decide, AReflectedPathCountsAsItsOriginators) {  // RFC 4456 s.9
  HotAttrs x;
  x.originator = 9;
  HotAttrs y;
  const PeerFacts reflector{false, RouterId{1}, "192.0.2.1"_ip, 100};
  const PeerFacts direct{false, RouterId{5}, "192.0.2.2"_ip, 100};
  EXPECT_FALSE(
      decide(Candidate{&x, &reflector, PeerId{1}, 0, 0, false}, Candidate{&y, &direct, PeerId{2}, 0, 0, false}, {})
          .first_wins);
}

// --- The same process for tools ------------------------------------------------------------------------------------

DecideInput input(const char* path, std::uint32_t number) {
  DecideInput made;
  made.attributes.as_path = *parse_as_path(path);
  made.attributes.next_hop.address = IpAddress::v4(0xC0000200U + number);
  made.peer_router_id = RouterId{number};
  made.peer_address = IpAddress::v4(0xC0000200U + number);
  return made;
}

TEST(DecideForTools, OrdersPathsAndNamesTheRule) {
  std::vector<DecideInput> paths{input("65001 65009", 1), input("65002", 2), input("65003 65004 65005", 3)};
  paths[2].usable = false;
  const auto ranked = minibgp::decide(paths, {});
  ASSERT_EQ(ranked.size(), 3U);
  EXPECT_EQ(ranked[0].index, 1U);
  EXPECT_TRUE(ranked[0].best);
  EXPECT_EQ(ranked[0].rule, Rule::as_path_length);
  EXPECT_EQ(ranked[1].index, 0U);
  EXPECT_EQ(ranked[1].rule, Rule::as_path_length);
  EXPECT_EQ(ranked[2].index, 2U);
  EXPECT_EQ(ranked[2].rule, Rule::unusable);
}

TEST(DecideForTools, MedIsComparedWithinANeighborBeforeNeighborsAreCompared) {
  // RFC 5004's example: without grouping, the winner would depend on the order of arrival.
  std::vector<DecideInput> paths{input("65001", 3), input("65002", 2), input("65001", 1)};
  paths[0].attributes.med = 1;
  paths[1].attributes.med = 5;
  paths[2].attributes.med = 10;  // Loses to the first by MED although its router id is the lowest.
  for (int turn = 0; turn < 3; ++turn) {
    const auto ranked = minibgp::decide(paths, {});
    EXPECT_EQ(paths[ranked[0].index].peer_router_id, RouterId{2}) << "rotation " << turn;
    std::rotate(paths.begin(), paths.begin() + 1, paths.end());
  }
}

TEST(DecideForTools, TheEqualCostSetFollowsTheMultipathMode) {
  const std::vector<DecideInput> paths{input("65001 65009", 1), input("65001 65009", 2), input("65001 65008", 3),
                                       input("65002 65009", 4), input("65001 65009 65010", 5)};
  const auto in_set = [&](Multipath mode, std::uint8_t most) {
    SpeakerOptions options;
    options.maximum_paths = most;
    options.multipath = mode;
    std::size_t count = 0;
    for (const Ranked& path : minibgp::decide(paths, options)) count += path.multipath ? 1U : 0U;
    return count;
  };
  EXPECT_EQ(in_set(Multipath::exact, 64), 2U);
  EXPECT_EQ(in_set(Multipath::neighbor_as, 64), 3U);
  EXPECT_EQ(in_set(Multipath::relax, 64), 4U);
  EXPECT_EQ(in_set(Multipath::relax, 3), 3U);
  EXPECT_EQ(in_set(Multipath::relax, 1), 1U);
}

TEST(DecideForTools, EveryRuleHasAName) {
  for (auto rule = Rule::weight; rule <= Rule::unusable; rule = static_cast<Rule>(static_cast<int>(rule) + 1))
    EXPECT_FALSE(to_text(rule).empty());
}

}  // namespace
}  // namespace minibgp::rib
