/// Every condition of the language: a route that satisfies it and one that does not.
#include <tests/support/policy_builder.h>
#include <tests/support/policy_matchers.h>

namespace minibgp::testing {
namespace {

struct MatchRow {
  std::string name;
  PolicyMatch match;
  PolicyRoute satisfies;
  PolicyRoute does_not;
};

PolicyRoute route(std::string_view prefix = "192.168.10.0/24") { return PolicyRoute(prefix); }

match::AsPathStarts starts(std::vector<Asn> asns) { return {std::move(asns)}; }
match::AsPathEnds ends(std::vector<Asn> asns) { return {std::move(asns)}; }
match::ExtendedCommunityIn extended_in(std::string_view pattern, Quantifier quantifier = Quantifier::any) {
  match::ExtendedCommunityIn in;
  in.quantifier = quantifier;
  in.items.push_back(parse_extended_community_pattern(pattern).value());
  return in;
}
match::LargeCommunityIn large_in(std::initializer_list<std::string_view> patterns, Quantifier quantifier) {
  match::LargeCommunityIn in;
  in.quantifier = quantifier;
  for (const auto pattern : patterns) in.items.push_back(parse_large_community_pattern(pattern).value());
  return in;
}
match::NextHopIn next_hop_in(std::string_view range) {
  match::NextHopIn in;
  in.items.push_back(parse_address_range(range).value());
  return in;
}

std::vector<MatchRow> match_cases() {
  const auto any = Quantifier::any;
  const auto all = Quantifier::all;
  const PolicyMatch in_10 = when(prefix_in({"10.0.0.0/8 le 32"}));
  return {
      {"PrefixExact", when(prefix_in({"192.168.10.0/24"})), route(), route("192.168.10.0/25")},
      {"PrefixLe", when(prefix_in({"192.168.0.0/16 le 24"})), route(), route("192.168.10.0/25")},
      {"PrefixGe", when(prefix_in({"192.168.0.0/16 ge 20"})), route(), route("192.168.0.0/16")},
      {"PrefixLonger", when(prefix_in({"192.168.0.0/16 longer"})), route(), route("192.168.0.0/16")},
      {"PrefixOrLonger", when(prefix_in({"192.168.0.0/16 orlonger"})), route("192.168.0.0/16"), route("192.0.0.0/8")},
      {"PrefixOneOfTwo", when(prefix_in({"10.0.0.0/8", "192.168.10.0/24"})), route(), route("10.0.0.0/9")},
      {"PrefixSix", when(prefix_in({"2001:db8::/32 le 48"})), route("2001:db8:1::/48"), route("2001:db9::/48")},
      {"Family", when(match::FamilyIs{Family::ipv6}), route("2001:db8::/32"), route()},
      {"AsPathRegex", when(match::AsPathRegex{{"_65001_"}}), route().as_path("65535 65001"), route().as_path("165001")},
      {"AsPathRegexOneOfTwo", when(match::AsPathRegex{{"^1$", "^2$"}}), route().as_path("2"), route().as_path("3")},
      {"AsPathContains", when(asns_in<match::AsPathContains>({"65001"})), route().as_path("1 {65001,65002}"),
       route().as_path("1 2")},
      {"AsPathContainsRange", when(asns_in<match::AsPathContains>({"64512..65534"})), route().as_path("1 65000 2"),
       route().as_path("1 65535 2")},
      {"AsPathStarts", when(starts({Asn{1}, Asn{2}})), route().as_path("1 2 3"), route().as_path("1 3 2")},
      {"AsPathStartsIsLonger", when(starts({Asn{1}, Asn{2}})), route().as_path("1 2"), route().as_path("1")},
      {"AsPathStartsNotInASet", when(starts({Asn{1}})), route().as_path("1 2"), route().as_path("{1,2}")},
      {"AsPathEnds", when(ends({Asn{2}, Asn{3}})), route().as_path("1 2 3"), route().as_path("1 3 2")},
      {"AsPathEndsNotInASet", when(ends({Asn{3}})), route().as_path("3"), route().as_path("2 {3}")},
      {"AsPathLength", when(match::AsPathLength{{2, 3}}), route().as_path("1 {2,3,4}"), route().as_path("1")},
      {"AsPathLengthMax", when(match::AsPathLength{{0, 1}}), route(), route().as_path("1 2")},
      {"NeighborAs", when(asns_in<match::NeighborAs>({"65535"})), route().as_path("65535 1"),
       route().as_path("1 65535")},
      {"NeighborAsOfEmptyPath", when(asns_in<match::NeighborAs>({"0..4294967295"})), route().as_path("1"), route()},
      {"OriginAs", when(asns_in<match::OriginAs>({"1"})), route().as_path("65535 1"), route().as_path("1 65535")},
      {"OriginAsNotOfASet", when(asns_in<match::OriginAs>({"1"})), route().as_path("1"), route().as_path("2 {1}")},
      {"Community", when(community_in({"65001:100"})), route().community("65001:100").community("1:1"),
       route().community("65001:101")},
      {"CommunityOfAnAs", when(community_in({"65001:*"})), route().community("65001:7"), route().community("65002:7")},
      {"CommunityOfAnyAs", when(community_in({"*:666"})), route().community("9:666"), route().community("666:9")},
      {"CommunityByName", when(community_in({"no-export"})), route().community("no-export"), route()},
      {"CommunityAny", when(community_in({"1:1", "2:2"}, any)), route().community("2:2"), route().community("3:3")},
      {"CommunityAll", when(community_in({"1:1", "2:2"}, all)), route().community("1:1").community("2:2"),
       route().community("2:2")},
      {"CommunityAllWild", when(community_in({"1:*", "2:2"}, all)), route().community("1:9").community("2:2"),
       route().community("2:2")},
      {"RouteTarget", when(extended_in("rt:65001:100")), route().extended_community("rt:65001:100"),
       route().extended_community("ro:65001:100")},
      {"RouteTargetOfAnAs", when(extended_in("rt:65001:*")), route().extended_community("rt:65001:5"),
       route().extended_community("rt:65002:5")},
      {"AnyRouteTarget", when(extended_in("rt:*")), route().extended_community("rt:192.0.2.1:5"),
       route().extended_community("lb:65001:125000")},
      {"SiteOfOrigin", when(extended_in("ro:65001:1", all)), route().extended_community("ro:65001:1"), route()},
      {"LinkBandwidth", when(extended_in("lb:*")), route().extended_community("lb:65001:125000"),
       route().extended_community("rt:65001:1")},
      {"LargeCommunity", when(large_in({"65001:1:2"}, any)), route().large_community("65001:1:2"),
       route().large_community("65001:2:1")},
      {"LargeCommunityWild", when(large_in({"65001:*:2"}, any)), route().large_community("65001:9:2"),
       route().large_community("65001:9:3")},
      {"LargeCommunityAll", when(large_in({"1:1:1", "*:2:*"}, all)),
       route().large_community("1:1:1").large_community("7:2:7"), route().large_community("1:1:1")},
      {"Med", when(match::MedIs{NumberRange{50, 100}}), route().med(100), route().med(101)},
      {"MedAbsent", when(match::MedIs{std::nullopt}), route(), route().med(0)},
      {"MedZeroIsNotAbsent", when(match::MedIs{NumberRange{0, 0}}), route().med(0), route()},
      {"LocalPref", when(match::LocalPrefIs{NumberRange{200, 300}}), route().local_pref(200), route().local_pref(100)},
      {"LocalPrefAbsent", when(match::LocalPrefIs{std::nullopt}), route(), route().local_pref(100)},
      {"Origin", when(match::OriginIs{Origin::incomplete}), route().origin(Origin::incomplete), route()},
      {"NextHop", when(next_hop_in("169.254.10.1")), route().next_hop("169.254.10.1"),
       route().next_hop("169.254.10.2")},
      {"NextHopWithin", when(next_hop_in("169.254.0.0/16")), route().next_hop("169.254.10.1"), route()},
      {"NextHopSix", when(next_hop_in("fe80::/10")), route("2001:db8::/32").next_hop("fe80::1"),
       route("2001:db8::/32")},
      {"Peer", when(match::PeerIs{{"cloud-1", "cloud-2"}}), route().from_peer("cloud-2"), route().from_peer("cloud-3")},
      {"Tunnel", when(match::TunnelIs{{"ipsec0"}}), route().tunnel("ipsec0"), route()},
      {"PeerType", when(match::PeerTypeIs{PeerType::ibgp}), route().peer_type(PeerType::ibgp), route()},
      {"OwnPrefix", when(match::OwnPrefix{true}), route().own_prefix(), route()},
      {"NotOwnPrefix", when(match::OwnPrefix{false}), route(), route().own_prefix()},
      {"CoversIkeEndpoint", when(match::CoversIkeEndpoint{true}), route().covers_ike_endpoint(), route()},
      {"CoversNoIkeEndpoint", when(match::CoversIkeEndpoint{false}), route(), route().covers_ike_endpoint()},
      {"RpkiValid", when(match::RpkiIs{RpkiState::valid}), route().rpki(RpkiState::valid), route()},
      {"RpkiInvalid", when(match::RpkiIs{RpkiState::invalid}), route().rpki(RpkiState::invalid),
       route().rpki(RpkiState::valid)},
      {"RpkiNotFound", when(match::RpkiIs{RpkiState::not_found}), route(), route().rpki(RpkiState::valid)},
      {"Not", when(match::Not{{in_10}}), route(), route("10.1.0.0/16")},
      {"NotAllOfTwo", when(match::Not{{in_10, when(match::MedIs{NumberRange{1, 1}})}}), route("10.1.0.0/16"),
       route("10.1.0.0/16").med(1)},
      {"AnyOf", when(match::AnyOf{{{in_10}, {when(match::MedIs{NumberRange{1, 1}})}}}), route().med(1), route().med(2)},
  };
}

class MatchCase : public ::testing::TestWithParam<MatchRow> {};

TEST_P(MatchCase, HoldsOfOneRouteAndNotOfTheOther) {
  const auto policy = compiled({term("only", {GetParam().match}, {}, TermVerdict::accept)});
  EXPECT_THAT(policy, Accepts(GetParam().satisfies).By("only").Unchanged());
  EXPECT_THAT(policy, Rejects(GetParam().does_not).By("default"));
}

TEST_P(MatchCase, NegationTurnsBothAround) {
  const auto policy = compiled({term("only", {when(match::Not{{GetParam().match}})}, {}, TermVerdict::accept)});
  EXPECT_THAT(policy, Rejects(GetParam().satisfies));
  EXPECT_THAT(policy, Accepts(GetParam().does_not));
}
INSTANTIATE_TEST_SUITE_P(Table, MatchCase, ::testing::ValuesIn(match_cases()),
                         [](const auto& each) { return each.param.name; });

TEST(Match, PeerMayBeMeantByAddress) {
  const auto policy = accepting(match::PeerIs{{"169.254.10.1"}});
  PolicyContext context = PolicyRoute("10.0.0.0/8").from_peer("cloud-1").context();
  EXPECT_FALSE(policy->judge({}, context).accepted);
  context.peer_address = "169.254.10.1";
  EXPECT_TRUE(policy->judge({}, context).accepted);
}

TEST(Match, SetsAndItemsAreOneList) {
  PolicyLibrary library = library_of({});
  library.prefix_sets.push_back({"vpc", {parse_prefix_range("192.168.0.0/16 le 24").value()}, {}});
  match::PrefixIn in = prefix_in({"10.0.0.0/8"});
  in.sets.push_back({"vpc", {}});
  library.policies[0].terms.push_back(term("only", {when(in)}, {}, TermVerdict::accept));
  const auto policy = compiled(library);
  EXPECT_THAT(policy, Accepts(PolicyRoute("10.0.0.0/8")));
  EXPECT_THAT(policy, Accepts(PolicyRoute("192.168.7.0/24")));
  EXPECT_THAT(policy, Rejects(PolicyRoute("172.16.0.0/12")));
}

template <typename Match>
Match in_empty_set(Quantifier quantifier) {
  Match in;
  in.sets = {{"none", {}}};
  if constexpr (requires { in.quantifier; }) in.quantifier = quantifier;
  return in;
}

TEST(Match, AnEmptySetMatchesNothing) {
  const auto any = Quantifier::any;
  const auto all = Quantifier::all;
  const PolicyMatch conditions[] = {
      when(in_empty_set<match::PrefixIn>(any)),         when(in_empty_set<match::AsPathContains>(any)),
      when(in_empty_set<match::NeighborAs>(any)),       when(in_empty_set<match::OriginAs>(any)),
      when(in_empty_set<match::CommunityIn>(any)),      when(in_empty_set<match::CommunityIn>(all)),
      when(in_empty_set<match::LargeCommunityIn>(all)), when(in_empty_set<match::ExtendedCommunityIn>(all)),
      when(in_empty_set<match::NextHopIn>(any)),
  };
  for (const PolicyMatch& condition : conditions) {
    PolicyLibrary library = library_of({term("t", {condition}, {}, TermVerdict::accept)});
    library.prefix_sets.push_back({"none", {}, {}});
    library.asn_sets.push_back({"none", {}, {}});
    library.community_sets.push_back({"none", {}, {}});
    library.extended_community_sets.push_back({"none", {}, {}});
    library.large_community_sets.push_back({"none", {}, {}});
    library.next_hop_sets.push_back({"none", {}, {}});
    const auto policy = Policy::compile(library, "p");
    ASSERT_TRUE(policy) << to_text(condition);
    EXPECT_THAT(*policy, Rejects(route().as_path("1 2"))) << to_text(condition);
  }
}

TEST(Match, OnlyConditionsOnThePrefixMakeAPolicyReadIt) {
  EXPECT_FALSE(accepting(community_in({"1:1"}))->reads_prefix());
  EXPECT_FALSE(accepting(match::PeerIs{{"a"}})->reads_prefix());
  EXPECT_TRUE(accepting(prefix_in({"10.0.0.0/8"}))->reads_prefix());
  EXPECT_TRUE(accepting(match::OwnPrefix{true})->reads_prefix());
  EXPECT_TRUE(accepting(match::Not{{when(match::FamilyIs{Family::ipv4})}})->reads_prefix());
  EXPECT_FALSE(Policy::accept_all()->reads_prefix());
}

TEST(Match, OnlyConditionsOnThePeerMakeAPolicyReadIt) {
  EXPECT_TRUE(accepting(match::PeerIs{{"a"}})->reads_peer());
  EXPECT_TRUE(accepting(match::Not{{when(match::TunnelIs{{"ipsec0"}})}})->reads_peer());
  EXPECT_FALSE(accepting(match::PeerTypeIs{PeerType::ebgp})->reads_peer());
  EXPECT_FALSE(Policy::reject_all()->reads_peer());
}

}  // namespace
}  // namespace minibgp::testing
