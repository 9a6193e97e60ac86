#include <apps/bgplite/cli/policy_run.h>
#include <bgp/text.h>

#include <algorithm>

namespace bgplite::cli {
namespace {

using minibgp::NamedSet;
using minibgp::PolicyDefinition;
using minibgp::PolicyLibrary;
using minibgp::PolicyMatch;
using minibgp::PolicyTerm;

std::string word(bool accepted) { return accepted ? "accept" : "reject"; }

void compare(const PolicyCase& test, CaseResult& result) {
  const auto differs = [&](const std::string& what, const std::string& expected, const std::string& actual) {
    result.differences.push_back("- " + what + " " + expected);
    result.differences.push_back("+ " + what + " " + actual);
  };
  const PolicyCase::Expect& expect = test.expect;
  const minibgp::PolicyTrace& trace = result.trace;
  if (expect.accept && *expect.accept != trace.accepted) differs("action", word(*expect.accept), word(trace.accepted));
  if (expect.term && *expect.term != trace.term) differs("term", *expect.term, trace.term);
  if (!trace.accepted) {
    // Attributes of a rejected route are nobody's: to expect some is to expect acceptance.
    const bool wants_more = !expect.set.empty() || !expect.unchanged.empty() || expect.all_unchanged;
    if (wants_more && expect.accept.value_or(true) && result.differences.empty()) differs("action", "accept", "reject");
    return;
  }
  const auto texts = attribute_texts(trace.result);
  for (const auto& [name, wanted] : expect.set)
    for (const AttributeText& text : texts)
      if (text.name == name && text.text != wanted) differs(name, wanted, text.text);
  for (const AttributeChange& change : changes_between(test.route.attributes, trace.result)) {
    // A key that the case sets itself is not among the unchanged ones.
    const bool fixed = expect.all_unchanged || std::find(expect.unchanged.begin(), expect.unchanged.end(),
                                                         change.name) != expect.unchanged.end();
    const bool named =
        std::any_of(expect.set.begin(), expect.set.end(), [&](const auto& one) { return one.first == change.name; });
    if (fixed && !named) differs(std::string(change.name), change.before + " (unchanged)", change.after);
  }
}

const PolicyDefinition* policy_named(const PolicyLibrary& library, const std::string& name) {
  for (const PolicyDefinition& definition : library.policies)
    if (definition.name == name) return &definition;
  return nullptr;
}

// As the compiler names terms without a name.
std::string name_of(const PolicyTerm& term, std::size_t position) {
  return term.name.empty() ? "term " + std::to_string(position + 1) : term.name;
}

/// Calls `use` for every condition, those inside others included.
void each_condition(const PolicyMatch& match, const std::function<void(const PolicyMatch&)>& use) {
  use(match);
  if (const auto* inner = std::get_if<minibgp::match::Not>(&match.condition)) {
    for (const PolicyMatch& one : inner->all) each_condition(one, use);
  } else if (const auto* lists = std::get_if<minibgp::match::AnyOf>(&match.condition)) {
    for (const auto& all : lists->any)
      for (const PolicyMatch& one : all) each_condition(one, use);
  }
}

/// Calls `use(sets, references)` for the sets a condition names, with the library's list of that kind.
template <typename Use>
void each_set(const PolicyMatch& match, const PolicyLibrary& library, const Use& use) {
  std::visit(
      [&](const auto& condition) {
        if constexpr (requires {
                        condition.items;
                        condition.sets;
                      }) {
          using Item = typename std::decay_t<decltype(condition.items)>::value_type;
          const auto in = [&](const std::vector<NamedSet<Item>>& sets) {
            for (const minibgp::NameRef& reference : condition.sets)
              for (const NamedSet<Item>& set : sets)
                if (set.name == reference.name) use(condition, set);
          };
          if constexpr (std::is_same_v<Item, minibgp::PrefixRange>) in(library.prefix_sets);
          if constexpr (std::is_same_v<Item, minibgp::AsnRange>) in(library.asn_sets);
          if constexpr (std::is_same_v<Item, minibgp::CommunityPattern>) in(library.community_sets);
          if constexpr (std::is_same_v<Item, minibgp::ExtendedCommunityPattern>) in(library.extended_community_sets);
          if constexpr (std::is_same_v<Item, minibgp::LargeCommunityPattern>) in(library.large_community_sets);
          if constexpr (std::is_same_v<Item, minibgp::AddressRange>) in(library.next_hop_sets);
        }
      },
      match.condition);
}

template <typename Item, typename Values>
bool any_of(const Item& item, const Values& values) {
  return std::any_of(values.begin(), values.end(), [&](const auto& value) { return item.matches(value); });
}

/// Whether an entry of a set is what the route has where the condition looks.
template <typename Condition, typename Item>
bool entry_matches(const Condition&, const Item& item, const PolicyRoute& route) {
  const minibgp::PathAttributes& a = route.attributes;
  if constexpr (std::is_same_v<Condition, minibgp::match::PrefixIn>) {
    return item.matches(*route.prefix);
  } else if constexpr (std::is_same_v<Condition, minibgp::match::AsPathContains>) {
    return any_of(item, a.as_path.asns);
  } else if constexpr (std::is_same_v<Condition, minibgp::match::NeighborAs>) {
    return a.as_path.first() && item.matches(*a.as_path.first());
  } else if constexpr (std::is_same_v<Condition, minibgp::match::OriginAs>) {
    return a.as_path.origin() && item.matches(*a.as_path.origin());
  } else if constexpr (std::is_same_v<Condition, minibgp::match::CommunityIn>) {
    return any_of(item, a.communities);
  } else if constexpr (std::is_same_v<Condition, minibgp::match::ExtendedCommunityIn>) {
    return any_of(item, a.extended_communities);
  } else if constexpr (std::is_same_v<Condition, minibgp::match::LargeCommunityIn>) {
    return any_of(item, a.large_communities);
  } else {
    return item.matches(a.next_hop.address);
  }
}

}  // namespace

CaseResult run_case(const PolicyBench& bench, const PolicyCase& test, const minibgp::PolicyTable* table) {
  CaseResult result;
  const auto seat = test.policy.empty() ? bench.seat_at_peer(test.peer, test.direction, result.error)
                                        : bench.seat_of_policy(test.policy, result.error);
  if (!seat) return result;
  result.seat = *seat;
  if (!test.policy.empty()) result.seat.direction = test.direction;
  // A mutant is compiled anew; what is built in is not changed by it.
  const bool from_table = table != nullptr && !seat->built_in;
  const minibgp::Policy& policy = from_table ? *table->find(seat->policy)->second : bench.policy(*seat);
  result.trace = policy.trace(test.route.attributes, bench.context(result.seat, test.route));
  compare(test, result);
  result.passed = result.differences.empty();
  return result;
}

void CoverageCounter::touch_policy(const std::string& name) {
  const PolicyDefinition* definition = policy_named(bench_.library(), name);
  // Each once, which also ends the recursion of policies that ask each other.
  if (definition == nullptr || !policies_.insert(name).second) return;
  for (const PolicyTerm& term : definition->terms) {
    if (term.call) touch_policy(term.call->name);
    for (const PolicyMatch& match : term.matches)
      each_condition(match, [&](const PolicyMatch& one) {
        if (const auto* asked = std::get_if<minibgp::match::PolicyAccepts>(&one.condition))
          touch_policy(asked->policy.name);
      });
  }
}

void CoverageCounter::touch_sets(const PolicyMatch& match, const PolicyCase& test) {
  each_condition(match, [&](const PolicyMatch& one) {
    each_set(one, bench_.library(), [&](const auto& condition, const auto& set) {
      // Every entry that fits, not the first: all of them are covered by this case.
      for (std::size_t i = 0; i < set.items.size(); ++i)
        if (entry_matches(condition, set.items[i], test.route)) entries_[&set].insert(i);
    });
    if (const auto* asked = std::get_if<minibgp::match::PolicyAccepts>(&one.condition)) {
      // A policy that is asked leaves no trace of its own: put the route before it.
      std::string unused;
      const auto seat = bench_.seat_of_policy(asked->policy.name, unused);
      if (!seat) return;
      CaseResult inner;
      inner.seat = *seat;
      inner.trace = bench_.policy(*seat).trace(test.route.attributes, bench_.context(*seat, test.route));
      add(test, inner);
    }
  });
}

void CoverageCounter::add(const PolicyCase& test, const CaseResult& result) {
  touch_policy(result.seat.policy);
  for (const minibgp::TermTrace& seen : result.trace.terms) {
    if (seen.fired) fired_.emplace(seen.policy, seen.term);
    const PolicyDefinition* definition = policy_named(bench_.library(), seen.policy);
    for (std::size_t i = 0; definition != nullptr && i < definition->terms.size(); ++i)
      // By name: traces have no positions. Two terms of one name are reached together.
      if (name_of(definition->terms[i], i) == seen.term)
        for (const PolicyMatch& match : definition->terms[i].matches) touch_sets(match, test);
  }
}

Coverage CoverageCounter::result() const {
  Coverage coverage;
  // By address: the sets of each kind are of a type of their own.
  std::set<const void*> counted;
  for (const std::string& name : policies_) {
    const PolicyDefinition* definition = policy_named(bench_.library(), name);
    for (std::size_t i = 0; i < definition->terms.size(); ++i) {
      const PolicyTerm& term = definition->terms[i];
      ++coverage.terms;
      if (fired_.count({name, name_of(term, i)}) == 0)
        coverage.terms_missed.push_back(
            {"policy " + name + ": " + name_of(term, i), bench_.sources().place(term.mark)});
      // A set that several terms name counts once.
      const auto count_set = [&](const auto&, const auto& set) {
        if (!counted.insert(&set).second) return;
        const auto reached = entries_.find(&set);
        const std::size_t hits = reached == entries_.end() ? 0 : reached->second.size();
        // Entries of a file of its own count as one: a list of thousands would hide everything else.
        const bool in_place = std::all_of(set.items.begin(), set.items.end(), [&](const auto& item) {
          return item.mark.file == set.mark.file && item.mark.line != 0;
        });
        if (!in_place) {
          ++coverage.entries;
          if (hits == 0) coverage.entries_missed.push_back({"set " + set.name, bench_.sources().place(set.mark)});
          return;
        }
        coverage.entries += set.items.size();
        for (std::size_t j = 0; j < set.items.size(); ++j)
          if (hits == 0 || reached->second.count(j) == 0)
            coverage.entries_missed.push_back(
                {"set " + set.name + ": " + minibgp::to_text(set.items[j]), bench_.sources().place(set.items[j].mark)});
      };
      for (const PolicyMatch& match : term.matches)
        each_condition(match, [&](const PolicyMatch& one) { each_set(one, bench_.library(), count_set); });
    }
  }
  return coverage;
}

}  // namespace bgplite::cli
