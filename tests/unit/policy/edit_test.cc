/// Every edit of the language: what it makes of a route, as text of the attribute it changes.
#include <tests/support/policy_builder.h>
#include <tests/support/policy_matchers.h>

namespace minibgp::testing {
namespace {

using Op = NumberChange::Op;
using edit::ListOp;

struct EditRow {
  std::string name;
  PolicyEdit edit;
  PolicyRoute before;
  PolicyRoute after;
};

PolicyRoute plain() { return PolicyRoute("192.168.10.0/24"); }
template <typename Change>
PolicyRoute plain_with(Change change, PolicyRoute base = plain()) {
  change(base.attributes());
  return base;
}
AsnChoice asn(std::uint32_t number) { return {AsnChoice::Which::given, Asn{number}}; }
const AsnChoice kOwn{AsnChoice::Which::own, {}};
const AsnChoice kLeftmost{AsnChoice::Which::leftmost, {}};

edit::ExtendedCommunities extended(ListOp op, std::initializer_list<std::string_view> patterns) {
  edit::ExtendedCommunities e;
  e.op = op;
  for (const auto text : patterns) e.items.push_back(parse_extended_community_pattern(text).value());
  return e;
}
edit::LargeCommunities large(ListOp op, std::initializer_list<std::string_view> patterns) {
  edit::LargeCommunities e;
  e.op = op;
  for (const auto text : patterns) e.items.push_back(parse_large_community_pattern(text).value());
  return e;
}

std::vector<EditRow> edit_cases() {
  const IpAddress address = parse_address("203.0.113.9").value();
  return {
      {"LocalPrefSet", then(edit::LocalPref{{Op::set, 200}}), plain(), plain().local_pref(200)},
      {"LocalPrefAdd", then(edit::LocalPref{{Op::add, 5}}), plain().local_pref(200), plain().local_pref(205)},
      {"LocalPrefAddToAbsent", then(edit::LocalPref{{Op::add, 5}}), plain(), plain().local_pref(105)},
      {"LocalPrefSubtract", then(edit::LocalPref{{Op::subtract, 5}}), plain().local_pref(200), plain().local_pref(195)},
      {"LocalPrefStopsAtZero", then(edit::LocalPref{{Op::subtract, 5}}), plain().local_pref(3), plain().local_pref(0)},
      {"MedSet", then(edit::Med{NumberChange{Op::set, 7}}), plain(), plain().med(7)},
      {"MedAddToAbsent", then(edit::Med{NumberChange{Op::add, 7}}), plain(), plain().med(7)},
      {"MedStopsAtTheTop", then(edit::Med{NumberChange{Op::add, 7}}), plain().med(0xFFFFFFFEU),
       plain().med(0xFFFFFFFFU)},
      {"MedSubtract", then(edit::Med{NumberChange{Op::subtract, 7}}), plain().med(10), plain().med(3)},
      {"MedRemove", then(edit::Med{std::nullopt}), plain().med(7), plain()},
      {"WeightSet", then(edit::Weight{{Op::set, 9}}), plain(), plain_with([](auto& a) { a.local.weight = 9; })},
      {"WeightAdd", then(edit::Weight{{Op::add, 9}}), plain_with([](auto& a) { a.local.weight = 1; }),
       plain_with([](auto& a) { a.local.weight = 10; })},
      {"Origin", then(edit::SetOrigin{Origin::egp}), plain(), plain().origin(Origin::egp)},
      {"Prepend", then(edit::Prepend{asn(7), 3}), plain().as_path("1 2"), plain().as_path("7 7 7 1 2")},
      {"PrependToEmpty", then(edit::Prepend{asn(7), 1}), plain(), plain().as_path("7")},
      {"PrependBeforeASet", then(edit::Prepend{asn(7), 1}), plain().as_path("{1,2}"), plain().as_path("7 {1,2}")},
      {"PrependOwn", then(edit::Prepend{kOwn, 2}), plain().as_path("1"), plain().as_path("65530 65530 1")},
      {"PrependLeftmost", then(edit::Prepend{kLeftmost, 1}), plain().as_path("1 2"), plain().as_path("1 1 2")},
      {"PrependLeftmostOfEmpty", then(edit::Prepend{kLeftmost, 1}), plain(), plain()},
      {"ReplaceWithLeftmostOfASet", then(edit::ReplaceAsn{edit::ReplaceAsn::What::any, {}, kLeftmost}),
       plain().as_path("{1,2} 3"), plain().as_path("{1,2} 3")},
      {"StripPrivate", then(edit::StripPrivate{}), plain().as_path("64512 1 4200000000 2"), plain().as_path("1 2")},
      {"StripPrivateKeepsTheRest", then(edit::StripPrivate{}), plain().as_path("64511 65535 4294967295"),
       plain().as_path("64511 65535 4294967295")},
      {"StripPrivateEmptiesSets", then(edit::StripPrivate{}), plain().as_path("1 {64512} 2"), plain().as_path("1 2")},
      {"ReplaceGiven", then(edit::ReplaceAsn{edit::ReplaceAsn::What::given, Asn{2}, asn(9)}), plain().as_path("1 2 2"),
       plain().as_path("1 9 9")},
      {"ReplacePrivate", then(edit::ReplaceAsn{edit::ReplaceAsn::What::private_asns, {}, kOwn}),
       plain().as_path("1 64512 3"), plain().as_path("1 65530 3")},
      {"ReplaceAny", then(edit::ReplaceAsn{edit::ReplaceAsn::What::any, {}, kLeftmost}), plain().as_path("1 {2,3}"),
       plain().as_path("1 {1,1}")},
      {"CommunityAdd", then(communities(ListOp::add, {"9:9", "1:1"})), plain().community("5:5"),
       plain().community("1:1").community("5:5").community("9:9")},
      {"CommunityAddTwice", then(communities(ListOp::add, {"5:5", "5:5"})), plain().community("5:5"),
       plain().community("5:5")},
      {"CommunityRemove", then(communities(ListOp::remove, {"5:*"})),
       plain().community("5:1").community("5:2").community("6:1"), plain().community("6:1")},
      {"CommunitySet", then(communities(ListOp::set, {"1:1"})), plain().community("5:5"), plain().community("1:1")},
      {"CommunitySetNone", then(communities(ListOp::set, {})), plain().community("5:5"), plain()},
      {"ExtendedAdd", then(extended(ListOp::add, {"rt:1:1"})), plain(), plain().extended_community("rt:1:1")},
      {"ExtendedRemove", then(extended(ListOp::remove, {"rt:*"})),
       plain().extended_community("rt:1:1").extended_community("ro:1:1"), plain().extended_community("ro:1:1")},
      {"ExtendedSet", then(extended(ListOp::set, {"ro:1:1"})), plain().extended_community("rt:1:1"),
       plain().extended_community("ro:1:1")},
      {"LargeAdd", then(large(ListOp::add, {"1:2:3"})), plain(), plain().large_community("1:2:3")},
      {"LargeRemove", then(large(ListOp::remove, {"1:*:*"})), plain().large_community("1:2:3").large_community("2:2:3"),
       plain().large_community("2:2:3")},
      {"LargeSet", then(large(ListOp::set, {"9:9:9"})), plain().large_community("1:2:3"),
       plain().large_community("9:9:9")},
      {"NextHopAddress", then(edit::SetNextHop{NextHopChoice::address, address}), plain(),
       plain_with([](auto& a) { a.local.next_hop = NextHopChoice::address; }, plain().next_hop("203.0.113.9"))},
      {"NextHopSelf", then(edit::SetNextHop{NextHopChoice::self, {}}), plain(),
       plain_with([](auto& a) { a.local.next_hop = NextHopChoice::self; })},
      {"NextHopUnchanged", then(edit::SetNextHop{NextHopChoice::unchanged, {}}), plain(),
       plain_with([](auto& a) { a.local.next_hop = NextHopChoice::unchanged; })},
      {"NextHopPeer", then(edit::SetNextHop{NextHopChoice::peer, {}}), plain(),
       plain_with([](auto& a) { a.local.next_hop = NextHopChoice::peer; })},
      {"FibMetric", then(edit::FibMetric{50}), plain(), plain_with([](auto& a) { a.local.fib_metric = 50; })},
      {"FibTable", then(edit::FibTable{100}), plain(), plain_with([](auto& a) { a.local.fib_table = 100; })},
      {"FibPrefsrc", then(edit::FibPrefsrc{address}), plain(),
       plain_with([&](auto& a) { a.local.fib_prefsrc = address; })},
      {"EcmpWeight", then(edit::EcmpWeight{4}), plain(), plain_with([](auto& a) { a.local.ecmp_weight = 4; })},
  };
}

class EditCase : public ::testing::TestWithParam<EditRow> {};

TEST_P(EditCase, ChangesWhatItSaysAndNothingElse) {
  const auto policy = compiled({term("only", {}, {GetParam().edit}, TermVerdict::accept)});
  const PolicyRoute& before = GetParam().before;
  const Judgement judgement = policy->judge(before.attributes(), before.context());
  ASSERT_TRUE(judgement.accepted);
  PathAttributes result = before.attributes();
  policy->apply(judgement.outcome, before.context(), result);
  EXPECT_EQ(result, GetParam().after.attributes()) << to_text(GetParam().edit);
  EXPECT_EQ(policy->trace(before.attributes(), before.context()).result, result);
}

TEST_P(EditCase, TouchesNothingWhenItsTermDoesNotMatch) {
  const auto policy = compiled({term("first", {when(prefix_in({"10.0.0.0/8"}))}, {GetParam().edit}, TermVerdict::next),
                                term("rest", {}, {}, TermVerdict::accept)});
  EXPECT_THAT(policy, Accepts(GetParam().before).Unchanged().By("rest"));
}
INSTANTIATE_TEST_SUITE_P(Table, EditCase, ::testing::ValuesIn(edit_cases()),
                         [](const auto& each) { return each.param.name; });

TEST(Edit, PathsDoNotGrowWithoutEnd) {
  std::vector<PolicyTerm> terms;
  for (int i = 0; i < 30; ++i)
    terms.push_back(term("t" + std::to_string(i), {}, {then(edit::Prepend{asn(7), kPrependMax})}, TermVerdict::next));
  terms.push_back(term("end", {}, {}, TermVerdict::accept));
  const auto policy = compiled(std::move(terms));
  const PolicyRoute before = plain().as_path("1");
  PathAttributes result = before.attributes();
  policy->apply(policy->judge(result, before.context()).outcome, before.context(), result);
  EXPECT_EQ(result.as_path.asns.size(), 1024U);
}

TEST(Edit, SetsAreWrittenOut) {
  PolicyLibrary library = library_of({});
  library.community_sets.push_back({"marks", {parse_community_pattern("1:2").value()}, {}});
  edit::Communities add = communities(ListOp::add, {"1:1"});
  add.sets.push_back({"marks", {}});
  library.policies[0].terms.push_back(term("only", {}, {then(add)}, TermVerdict::accept));
  EXPECT_THAT(compiled(library), Accepts(plain()).With(Communities("1:1 1:2")));
}

}  // namespace
}  // namespace minibgp::testing
