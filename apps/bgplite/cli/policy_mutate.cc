#include <apps/bgplite/cli/policy_mutate.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <vector>

namespace bgplite::cli {
namespace {

using minibgp::NumberChange;
using minibgp::NumberRange;
using minibgp::PolicyDefinition;
using minibgp::PolicyEdit;
using minibgp::PolicyLibrary;
using minibgp::PolicyMatch;
using minibgp::PolicyTerm;
using minibgp::TermVerdict;
namespace match = minibgp::match;
namespace edit = minibgp::edit;

template <typename... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <typename... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

// --- Other values --------------------------------------------------------------------------------------------------
// Each is near the old one: a mutant that is far off is killed by anything.

template <typename Thing>
struct Variant {
  std::string how;
  Thing thing;
};

std::vector<Variant<minibgp::PrefixRange>> others(const minibgp::PrefixRange& range) {
  std::vector<Variant<minibgp::PrefixRange>> made;
  const std::uint8_t bits = minibgp::address_bits(range.prefix.family);
  const auto with = [&](const char* how, auto change) {
    minibgp::PrefixRange copy = range;
    change(copy);
    made.push_back({how, copy});
  };
  if (range.le > range.ge) with("le less by one", [](auto& r) { --r.le; });
  if (range.le < bits) with("le more by one", [](auto& r) { ++r.le; });
  if (range.ge < range.le) with("ge more by one", [](auto& r) { ++r.ge; });
  if (range.prefix.length_bits > 0) {
    with("its sibling", [](auto& r) {
      const unsigned last = r.prefix.length_bits - 1U;
      r.prefix.octets[last / 8U] = static_cast<std::uint8_t>(r.prefix.octets[last / 8U] ^ (0x80U >> (last % 8U)));
    });
    if (range.ge > range.prefix.length_bits) with("ge less by one", [](auto& r) { --r.ge; });
  }
  return made;
}
std::vector<Variant<minibgp::AsnRange>> others(const minibgp::AsnRange& range) {
  const auto next = [](minibgp::Asn asn) { return minibgp::Asn{static_cast<std::uint32_t>(asn) + 1}; };
  if (range.first == range.last) return {{"the next AS", {next(range.first), next(range.last), range.mark}}};
  return {{"one less at the front", {next(range.first), range.last, range.mark}},
          {"one more at the end", {range.first, next(range.last), range.mark}}};
}
std::vector<Variant<minibgp::CommunityPattern>> others(const minibgp::CommunityPattern& pattern) {
  minibgp::CommunityPattern copy = pattern;
  // A wildcard hides the lower half: then the AS differs.
  copy.value ^= (pattern.mask & 1U) != 0 ? 1U : 0x10000U;
  copy.value &= copy.mask;
  return {{"another value", copy}};
}
std::vector<Variant<minibgp::ExtendedCommunityPattern>> others(const minibgp::ExtendedCommunityPattern& pattern) {
  minibgp::ExtendedCommunityPattern copy = pattern;
  copy.value ^= (pattern.mask & 1U) != 0 ? 1U : std::uint64_t{1} << 48U;
  copy.value &= copy.mask;
  return {{"another value", copy}};
}
std::vector<Variant<minibgp::LargeCommunityPattern>> others(const minibgp::LargeCommunityPattern& pattern) {
  minibgp::LargeCommunityPattern copy = pattern;
  // The last field that the pattern looks at.
  (pattern.mask.local2 != 0 ? copy.value.local2 : copy.value.global) ^= 1U;
  copy.value.global &= copy.mask.global;
  return {{"another value", copy}};
}
std::vector<Variant<minibgp::AddressRange>> others(const minibgp::AddressRange& range) {
  if (range.prefix.length_bits == 0) return {};
  minibgp::AddressRange copy = range;
  const unsigned last = range.prefix.length_bits - 1U;
  copy.prefix.octets[last / 8U] = static_cast<std::uint8_t>(copy.prefix.octets[last / 8U] ^ (0x80U >> (last % 8U)));
  return {{"its sibling", copy}};
}
std::vector<Variant<NumberRange>> others(const NumberRange& range) {
  std::vector<Variant<NumberRange>> made;
  if (range.max < 0xFFFFFFFFU) made.push_back({"one more at the end", {range.min, range.max + 1}});
  if (range.min < range.max) made.push_back({"one less at the front", {range.min + 1, range.max}});
  // An open end stays open: no number of a route comes near it.
  if (range.min < range.max && range.max < 0xFFFFFFFFU)
    made.push_back({"one less at the end", {range.min, range.max - 1}});
  if (range.min > 0) made.push_back({"one more at the front", {range.min - 1, range.max}});
  return made;
}

/// Another one of an enumeration's `count` values.
template <typename Enum>
Enum next_of(Enum value, std::uint8_t count) {
  return static_cast<Enum>((static_cast<std::uint8_t>(value) + 1U) % count);
}

using Conditions = std::vector<Variant<PolicyMatch::Condition>>;
using Actions = std::vector<Variant<PolicyEdit::Action>>;

template <typename List, typename Into>
void vary_items(const List& list, Into& into) {
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    const std::string item = list.items.size() + list.sets.size() > 1 ? minibgp::to_text(list.items[i]) + " " : "";
    for (const auto& other : others(list.items[i])) {
      List copy = list;
      copy.items[i] = other.thing;
      into.push_back({item + other.how, copy});
    }
    // Without its only item it is no condition: dropping that is a mutant of its own.
    if (list.items.size() + list.sets.size() < 2) continue;
    List copy = list;
    copy.items.erase(copy.items.begin() + static_cast<std::ptrdiff_t>(i));
    into.push_back({item + "left out", copy});
  }
  for (std::size_t i = 0; i < list.sets.size() && list.items.size() + list.sets.size() > 1; ++i) {
    List copy = list;
    copy.sets.erase(copy.sets.begin() + static_cast<std::ptrdiff_t>(i));
    into.push_back({list.sets[i].name + " left out", copy});
  }
}

template <typename Match>
void vary_communities(const Match& m, Conditions& into) {
  vary_items(m, into);
  if (m.items.size() + m.sets.size() < 2) return;
  Match copy = m;
  copy.quantifier = m.quantifier == minibgp::Quantifier::any ? minibgp::Quantifier::all : minibgp::Quantifier::any;
  into.push_back({"any and all exchanged", copy});
}

template <typename Match>
void vary_texts(const Match& m, const char* other, Conditions& into) {
  for (std::size_t i = 0; i < m.any.size(); ++i) {
    Match copy = m;
    copy.any[i] = other;
    into.push_back({m.any.size() > 1 ? m.any[i] + " replaced" : "replaced", copy});
  }
}

template <typename Match>
void vary_sequence(const Match& m, Conditions& into) {
  for (std::size_t i = 0; i < m.sequence.size(); ++i) {
    Match copy = m;
    copy.sequence[i] = minibgp::Asn{static_cast<std::uint32_t>(copy.sequence[i]) + 1};
    into.push_back({"AS " + std::to_string(i + 1) + " changed", copy});
  }
}

template <typename Match>
void vary_optional(const Match& m, Conditions& into) {
  if (!m.range) {
    into.push_back({"present instead", Match{NumberRange{}}});
    return;
  }
  for (const auto& other : others(*m.range)) into.push_back({other.how, Match{other.thing}});
  into.push_back({"none instead", Match{std::nullopt}});
}

Conditions other_values(const PolicyMatch& one) {
  Conditions made;
  std::visit(Overloaded{
                 [&](const match::PrefixIn& m) { vary_items(m, made); },
                 [&](const match::FamilyIs& m) {
                   made.push_back({"the other family", match::FamilyIs{next_of(m.family, 2)}});
                 },
                 [&](const match::AsPathRegex& m) { vary_texts(m, "^4294967295_4294967295$", made); },
                 [&](const match::AsPathContains& m) { vary_items(m, made); },
                 [&](const match::AsPathStarts& m) { vary_sequence(m, made); },
                 [&](const match::AsPathEnds& m) { vary_sequence(m, made); },
                 [&](const match::AsPathLength& m) {
                   for (const auto& other : others(m.hops))
                     made.push_back({other.how, match::AsPathLength{other.thing}});
                 },
                 [&](const match::NeighborAs& m) { vary_items(m, made); },
                 [&](const match::OriginAs& m) { vary_items(m, made); },
                 [&](const match::CommunityIn& m) { vary_communities(m, made); },
                 [&](const match::ExtendedCommunityIn& m) { vary_communities(m, made); },
                 [&](const match::LargeCommunityIn& m) { vary_communities(m, made); },
                 [&](const match::MedIs& m) { vary_optional(m, made); },
                 [&](const match::LocalPrefIs& m) { vary_optional(m, made); },
                 [&](const match::OriginIs& m) {
                   made.push_back({"another origin", match::OriginIs{next_of(m.origin, 3)}});
                 },
                 [&](const match::NextHopIn& m) { vary_items(m, made); },
                 [&](const match::PeerIs& m) { vary_texts(m, "(nobody)", made); },
                 [&](const match::TunnelIs& m) { vary_texts(m, "(none)", made); },
                 [&](const match::PeerTypeIs& m) {
                   made.push_back({"the other type", match::PeerTypeIs{next_of(m.type, 2)}});
                 },
                 [&](const match::OwnPrefix&) {},          // Two values: the other one is the inverted match.
                 [&](const match::CoversIkeEndpoint&) {},  // As above.
                 [&](const match::RpkiIs& m) {
                   made.push_back({"another state", match::RpkiIs{next_of(m.state, 3)}});
                 },
                 [&](const match::PolicyAccepts&) {},  // Its terms are mutated themselves.
                 [&](const match::Not& m) {
                   for (std::size_t i = 0; i < m.all.size(); ++i)
                     for (const auto& other : other_values(m.all[i])) {
                       match::Not copy = m;
                       copy.all[i].condition = other.thing;
                       made.push_back({minibgp::to_text(m.all[i]) + " " + other.how, copy});
                     }
                 },
                 [&](const match::AnyOf& m) {
                   for (std::size_t i = 0; i < m.any.size(); ++i) {
                     if (m.any.size() > 1) {
                       match::AnyOf copy = m;
                       copy.any.erase(copy.any.begin() + static_cast<std::ptrdiff_t>(i));
                       made.push_back({"alternative " + std::to_string(i + 1) + " left out", copy});
                     }
                     for (std::size_t j = 0; j < m.any[i].size(); ++j)
                       for (const auto& other : other_values(m.any[i][j])) {
                         match::AnyOf copy = m;
                         copy.any[i][j].condition = other.thing;
                         made.push_back({minibgp::to_text(m.any[i][j]) + " " + other.how, copy});
                       }
                   }
                 },
             },
             one.condition);
  return made;
}

/// Set becomes another value, add and subtract change places.
std::vector<Variant<NumberChange>> others(const NumberChange& change) {
  using Op = NumberChange::Op;
  std::vector<Variant<NumberChange>> made;
  NumberChange copy = change;
  copy.value = change.value == 0xFFFFFFFFU ? 0 : change.value + 1;
  made.push_back({"one more", copy});
  copy = change;
  copy.op = change.op == Op::add ? Op::subtract : Op::add;
  made.push_back({change.op == Op::set ? "added instead of set" : "inverted", copy});
  return made;
}

template <typename Edit>
void vary_change(const Edit& e, Actions& into) {
  for (const auto& other : others(e.change)) into.push_back({other.how, Edit{other.thing}});
}

template <typename Edit>
void vary_list(const Edit& e, Actions& into) {
  vary_items(e, into);
  Edit copy = e;
  const bool exact = std::all_of(e.items.begin(), e.items.end(), [](const auto& item) { return item.exact(); });
  copy.op = e.op == edit::ListOp::add ? edit::ListOp::remove : edit::ListOp::add;
  if (exact && !(e.items.empty() && e.sets.empty()))
    into.push_back({e.op == edit::ListOp::set ? "added instead of set" : "inverted", copy});
}

template <typename Edit, typename Member>
void one_more(const Edit& e, Member Edit::*member, Actions& into) {
  Edit copy = e;
  copy.*member = static_cast<Member>(copy.*member + 1);
  into.push_back({"one more", copy});
}

minibgp::AsnChoice other(const minibgp::AsnChoice& choice) {
  using Which = minibgp::AsnChoice::Which;
  if (choice.which == Which::own) return {Which::leftmost, {}};
  if (choice.which == Which::leftmost) return {Which::own, {}};
  return {Which::given, minibgp::Asn{static_cast<std::uint32_t>(choice.asn) + 1}};
}

Actions other_values(const PolicyEdit& one) {
  Actions made;
  std::visit(Overloaded{
                 [&](const edit::LocalPref& e) { vary_change(e, made); },
                 [&](const edit::Med& e) {
                   if (!e.change) return made.push_back({"0 instead", edit::Med{NumberChange{}}});
                   for (const auto& other : others(*e.change)) made.push_back({other.how, edit::Med{other.thing}});
                 },
                 [&](const edit::Weight& e) { vary_change(e, made); },
                 [&](const edit::SetOrigin& e) {
                   made.push_back({"another origin", edit::SetOrigin{next_of(e.origin, 3)}});
                 },
                 [&](const edit::Prepend& e) {
                   if (e.times < minibgp::kPrependMax) one_more(e, &edit::Prepend::times, made);
                   made.push_back({"another AS", edit::Prepend{other(e.asn), e.times}});
                 },
                 [&](const edit::StripPrivate&) {},  // It has no value; dropped is all there is.
                 [&](const edit::ReplaceAsn& e) {
                   edit::ReplaceAsn copy = e;
                   copy.with = other(e.with);
                   made.push_back({"with another AS", copy});
                   if (e.what != edit::ReplaceAsn::What::any) {
                     copy = e;
                     copy.what = edit::ReplaceAsn::What::any;
                     made.push_back({"any AS", copy});
                   }
                 },
                 [&](const edit::Communities& e) { vary_list(e, made); },
                 [&](const edit::ExtendedCommunities& e) { vary_list(e, made); },
                 [&](const edit::LargeCommunities& e) { vary_list(e, made); },
                 [&](const edit::SetNextHop& e) {
                   const auto choice = e.choice == minibgp::NextHopChoice::self ? minibgp::NextHopChoice::unchanged
                                                                                : minibgp::NextHopChoice::self;
                   made.push_back({"another next hop", edit::SetNextHop{choice, {}}});
                 },
                 [&](const edit::FibMetric& e) { one_more(e, &edit::FibMetric::metric, made); },
                 [&](const edit::FibTable& e) { one_more(e, &edit::FibTable::table, made); },
                 [&](const edit::FibPrefsrc& e) {
                   edit::FibPrefsrc copy = e;
                   copy.address.octets[3] = static_cast<std::uint8_t>(copy.address.octets[3] ^ 1U);
                   made.push_back({"another address", copy});
                 },
                 [&](const edit::EcmpWeight& e) {
                   const auto weight = static_cast<std::uint16_t>(e.weight == 256 ? 255 : e.weight + 1);
                   made.push_back({"another weight", edit::EcmpWeight{weight}});
                 },
             },
             one.action);
  return made;
}

// --- Where -----------------------------------------------------------------------------------------------------------

class Mutator {
 public:
  Mutator(const PolicyLibrary& library, const MutantOptions& options, const std::function<void(const Mutant&)>& use)
      : mutant_{"", {}, library}, options_(options), use_(use) {}

  std::vector<SampledSet> run() {
    for (const PolicyDefinition& definition : mutant_.library.policies) find_sets(definition);
    for (PolicyDefinition& definition : mutant_.library.policies) policy(definition);
    sets(mutant_.library.prefix_sets);
    sets(mutant_.library.asn_sets);
    sets(mutant_.library.community_sets);
    sets(mutant_.library.extended_community_sets);
    sets(mutant_.library.large_community_sets);
    sets(mutant_.library.next_hop_sets);
    return std::move(sampled_);
  }

 private:
  /// Puts `other` in the place of `at`, shows the mutant, and puts the old one back.
  template <typename Thing>
  void with(Thing& at, Thing other, const std::string& text, const minibgp::SourceMark& mark) {
    std::swap(at, other);
    // Two equal terms make equal texts; reports and baselines need each mutant's own.
    const std::size_t before = ++named_[text];
    mutant_.text = before == 1 ? text : text + " (" + std::to_string(before) + ")";
    mutant_.mark = mark;
    use_(mutant_);
    std::swap(at, other);
  }

  void find_sets(const PolicyDefinition& definition) {
    for (const PolicyTerm& term : definition.terms) {
      for (const PolicyMatch& one : term.matches) names_in(one);
      for (const PolicyEdit& one : term.edits)
        std::visit([this](const auto& action) { remember_sets(action); }, one.action);
    }
  }
  void names_in(const PolicyMatch& one) {
    if (const auto* inner = std::get_if<match::Not>(&one.condition)) {
      for (const PolicyMatch& each : inner->all) names_in(each);
    } else if (const auto* lists = std::get_if<match::AnyOf>(&one.condition)) {
      for (const auto& all : lists->any)
        for (const PolicyMatch& each : all) names_in(each);
    } else {
      std::visit([this](const auto& condition) { remember_sets(condition); }, one.condition);
    }
  }
  template <typename Thing>
  void remember_sets(const Thing& thing) {
    if constexpr (requires { thing.sets; })
      for (const minibgp::NameRef& set : thing.sets) sets_.insert(set.name);
  }

  void policy(PolicyDefinition& definition) {
    for (std::size_t i = 0; i < definition.terms.size(); ++i) {
      PolicyTerm& term = definition.terms[i];
      // A name of its own, so that leaving a term out does not rename those behind it.
      if (term.name.empty()) term.name = "term " + std::to_string(i + 1);
    }
    for (std::size_t i = 0; i < definition.terms.size(); ++i) {
      const std::string where = definition.name + " / " + definition.terms[i].name;
      std::vector<PolicyTerm> without = definition.terms;
      without.erase(without.begin() + static_cast<std::ptrdiff_t>(i));
      with(definition.terms, without, where + ": left out", definition.terms[i].mark);
      term(definition.terms[i], where);
    }
  }

  void term(PolicyTerm& term, const std::string& where) {
    verdicts(term, where);
    for (std::size_t i = 0; i < term.matches.size(); ++i) {
      const std::string text = where + " / " + minibgp::to_text(term.matches[i]);
      const minibgp::SourceMark mark = term.matches[i].mark;
      std::vector<PolicyMatch> without = term.matches;
      without.erase(without.begin() + static_cast<std::ptrdiff_t>(i));
      with(term.matches, without, text + ": dropped", mark);
      with(term.matches[i], PolicyMatch{match::Not{{term.matches[i]}}, mark}, text + ": inverted", mark);
      for (auto& other : other_values(term.matches[i]))
        with(term.matches[i], PolicyMatch{std::move(other.thing), mark}, text + ": " + other.how, mark);
    }
    for (std::size_t i = 0; i < term.edits.size(); ++i) {
      const std::string text = where + " / then " + minibgp::to_text(term.edits[i]);
      const minibgp::SourceMark mark = term.edits[i].mark;
      std::vector<PolicyEdit> without = term.edits;
      without.erase(without.begin() + static_cast<std::ptrdiff_t>(i));
      with(term.edits, without, text + ": dropped", mark);
      for (auto& other : other_values(term.edits[i]))
        with(term.edits[i], PolicyEdit{std::move(other.thing), mark}, text + ": " + other.how, mark);
    }
    if (term.call) with(term.call, std::optional<minibgp::NameRef>{}, where + " / call: dropped", term.call->mark);
  }

  void verdicts(PolicyTerm& term, const std::string& where) {
    const auto become = [&](TermVerdict verdict) {
      const std::string text = where + " / " + std::string(minibgp::to_text(term.verdict)) + ": " +
                               std::string(minibgp::to_text(verdict)) + " instead";
      with(term.verdict, verdict, text, term.mark);
    };
    for (const TermVerdict verdict :
         {TermVerdict::accept, TermVerdict::reject, TermVerdict::next, TermVerdict::return_})
      if (verdict != term.verdict) become(verdict);
  }

  template <typename Item>
  void sets(std::vector<minibgp::NamedSet<Item>>& all) {
    for (minibgp::NamedSet<Item>& set : all) {
      if (sets_.count(set.name) == 0) continue;
      const std::size_t size = set.items.size();
      if (size <= options_.whole) {
        for (std::size_t i = 0; i < size; ++i) entry(set, i);
        continue;
      }
      const std::size_t sample = std::min(options_.sample, size);
      for (std::size_t i = 0; i < sample; ++i) entry(set, i * size / sample);
      sampled_.push_back({set.name, size, sample, set.mark});
    }
  }

  template <typename Item>
  void entry(minibgp::NamedSet<Item>& set, std::size_t i) {
    const std::string text = "set " + set.name + " / " + minibgp::to_text(set.items[i]);
    const minibgp::SourceMark mark = set.items[i].mark;
    for (const auto& other : others(set.items[i])) with(set.items[i], other.thing, text + ": " + other.how, mark);
    std::vector<Item> without = set.items;
    without.erase(without.begin() + static_cast<std::ptrdiff_t>(i));
    with(set.items, without, text + ": left out", mark);
  }

  Mutant mutant_;
  const MutantOptions& options_;
  const std::function<void(const Mutant&)>& use_;
  std::set<std::string> sets_;
  std::vector<SampledSet> sampled_;
  std::map<std::string, std::size_t> named_;
};

}  // namespace

std::vector<SampledSet> each_mutant(const PolicyLibrary& library, const MutantOptions& options,
                                    const std::function<void(const Mutant&)>& use) {
  return Mutator(library, options, use).run();
}

}  // namespace bgplite::cli
