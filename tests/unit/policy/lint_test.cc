#include <tests/support/policy_builder.h>

namespace minibgp::testing {
namespace {

using enum TermVerdict;

std::vector<std::string> remarks_on(const PolicyLibrary& library, const std::vector<std::string>& roots = {}) {
  std::vector<std::string> texts;
  for (const PolicyError& remark : lint_policies(library, roots))
    texts.push_back(remark.text + (remark.hint.empty() ? "" : " (" + remark.hint + ")"));
  return texts;
}
using Texts = std::vector<std::string>;

NamedSet<PrefixRange> set_of(std::string name, std::initializer_list<std::string_view> ranges) {
  return {std::move(name), prefix_in(ranges).items, {}};
}
match::PrefixIn in_set(std::string name) {
  match::PrefixIn in;
  in.sets = {{std::move(name), {}}};
  return in;
}

TEST(Lint, SaysNothingOfAGoodPolicy) {
  PolicyLibrary library = library_of({term("no", {when(prefix_in({"10.0.0.0/8"}))}, {}, reject),
                                      term("yes", {when(in_set("vpc"))}, {then(local_pref(200))}, accept)});
  library.prefix_sets.push_back(set_of("vpc", {"192.168.0.0/16 le 24", "172.16.0.0/12 le 24"}));
  EXPECT_EQ(remarks_on(library, {"p"}), Texts{});
}

TEST(Lint, UnusedSetsAndPolicies) {
  PolicyLibrary library = library_of({calling("c", {}, "called", next)});
  library.policies.push_back({"called", {term("t", {}, {}, accept)}, {}});
  library.policies.push_back({"alone", {term("t", {}, {}, accept)}, {}});
  library.prefix_sets.push_back(set_of("vpc", {"10.0.0.0/8"}));
  library.asn_sets.push_back({"vpc", {{Asn{1}, Asn{1}, {}}}, {}});
  EXPECT_EQ(remarks_on(library, {"p"}), (Texts{"set 'vpc' is not used", "set 'vpc' is not used",
                                               "policy 'alone' is not used (no peer and no policy names it)"}));
  EXPECT_EQ(remarks_on(library).size(), 2U);
}

TEST(Lint, SetsUsedByEditsOrInsideConditionsAreUsed) {
  edit::Communities add;
  add.sets = {{"marks", {}}};
  PolicyLibrary library =
      library_of({term("t", {when(match::AnyOf{{{when(match::Not{{when(in_set("vpc"))}})}}})}, {then(add)}, accept)});
  library.prefix_sets.push_back(set_of("vpc", {"10.0.0.0/8"}));
  library.community_sets.push_back({"marks", {parse_community_pattern("1:1").value()}, {}});
  EXPECT_EQ(remarks_on(library), Texts{});
}

TEST(Lint, AnEmptySetIsNamed) {
  PolicyLibrary library = library_of({term("t", {when(in_set("vpc"))}, {}, accept)});
  library.prefix_sets.push_back({"vpc", {}, {7, 3, 0}});
  EXPECT_EQ(remarks_on(library), Texts{"set 'vpc' is empty and matches nothing"});
  EXPECT_EQ(lint_policies(library)[0].mark.line, 7U);
}

TEST(Lint, UnreachableTerms) {
  EXPECT_EQ(remarks_on(library_of({term("all", {}, {}, accept), term("late", {}, {}, reject)})),
            Texts{"term 'late' cannot be reached ('all' decides every route that it matches)"});
  const PolicyMatch wide = when(prefix_in({"10.0.0.0/8 le 24"}));
  const PolicyMatch narrow = when(prefix_in({"10.1.0.0/16 ge 20 le 22"}));
  const PolicyMatch other = when(community_in({"1:1"}));
  EXPECT_EQ(remarks_on(library_of({term("wide", {wide}, {}, reject), term("narrow", {other, narrow}, {}, accept)})),
            Texts{"term 'narrow' cannot be reached ('wide' decides every route that it matches)"});
  EXPECT_EQ(remarks_on(library_of({term("narrow", {narrow}, {}, reject), term("wide", {wide}, {}, accept)})), Texts{});
  EXPECT_EQ(remarks_on(library_of({term("edits", {}, {then(local_pref(1))}, next), term("t", {}, {}, accept)})),
            Texts{});
  EXPECT_EQ(remarks_on(library_of({term("both", {wide, other}, {}, reject), term("one", {wide}, {}, accept)})),
            Texts{});
}

TEST(Lint, TermsWithoutEffectAndNamesTwice) {
  EXPECT_EQ(
      remarks_on(library_of({term("a", {}, {}, next), term("a", {}, {}, accept)})),
      (Texts{"term 'a' does nothing (give it a verdict or an edit)", "second term named 'a' (reports name terms)"}));
}

TEST(Lint, OverlappingEntries) {
  PolicyLibrary library = library_of({term("t", {when(in_set("s"))}, {}, accept)});
  library.prefix_sets.push_back(set_of("s", {"10.1.0.0/16", "10.0.0.0/8 le 24", "10.2.0.0/16 le 32",
                                             "10.3.0.0/16 ge 25", "192.168.0.0/16", "192.168.0.0/16"}));
  EXPECT_EQ(remarks_on(library), (Texts{"set 's': entry 10.1.0.0/16 is covered by 10.0.0.0/8 le 24 (remove it)",
                                        "set 's': entry 10.2.0.0/16 le 32 overlaps 10.0.0.0/8 le 24",
                                        "set 's': entry 192.168.0.0/16 is covered by 192.168.0.0/16 (remove it)"}));
}

TEST(Lint, OverlappingNumbersAndCommunities) {
  match::CommunityIn marks;
  marks.sets = {{"marks", {}}};
  match::OriginAs asns;
  asns.sets = {{"asns", {}}};
  PolicyLibrary library = library_of({term("t", {when(marks), when(asns)}, {}, accept)});
  library.asn_sets.push_back({"asns", asns_in<match::OriginAs>({"1..5", "7", "3"}).items, {}});
  library.community_sets.push_back({"marks", community_in({"1:1", "1:*", "2:2", "2:2"}).items, {}});
  EXPECT_EQ(remarks_on(library),
            (Texts{"set 'asns': entry 3 overlaps 1..5", "set 'marks': entry 1:1 is covered by 1:* (remove it)",
                   "set 'marks': entry 2:2 is covered by 2:2 (remove it)"}));
}

TEST(Lint, AThousandOverlapsAreOneRemarkMore) {
  PolicyLibrary library = library_of({term("t", {when(in_set("s"))}, {}, accept)});
  NamedSet<PrefixRange> set = set_of("s", {"0.0.0.0/0 le 32"});
  for (std::uint32_t i = 1; i <= 1000; ++i)
    set.items.push_back(PrefixRange::exactly(Prefix::of(IpAddress::v4(i << 8U), 24)));
  library.prefix_sets.push_back(set);
  const auto remarks = remarks_on(library);
  ASSERT_EQ(remarks.size(), 21U);
  EXPECT_EQ(remarks.back(), "set 's': 980 more overlapping entries");
}

}  // namespace
}  // namespace minibgp::testing
