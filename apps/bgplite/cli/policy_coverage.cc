#include <apps/bgplite/cli/policy_coverage.h>

#include <algorithm>
#include <functional>
#include <type_traits>

namespace bgplite::cli {
namespace {

using minibgp::NamedSet;
using minibgp::PolicyDefinition;
using minibgp::PolicyEdit;
using minibgp::PolicyLibrary;
using minibgp::PolicyMatch;
using minibgp::PolicyTerm;

const PolicyDefinition* policy_named(const PolicyLibrary& library, const std::string& name) {
  for (const PolicyDefinition& definition : library.policies)
    if (definition.name == name) return &definition;
  return nullptr;
}

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

template <typename Item>
const std::vector<NamedSet<Item>>& sets_of(const PolicyLibrary& library) {
  if constexpr (std::is_same_v<Item, minibgp::PrefixRange>) return library.prefix_sets;
  if constexpr (std::is_same_v<Item, minibgp::AsnRange>) return library.asn_sets;
  if constexpr (std::is_same_v<Item, minibgp::CommunityPattern>) return library.community_sets;
  if constexpr (std::is_same_v<Item, minibgp::ExtendedCommunityPattern>) return library.extended_community_sets;
  if constexpr (std::is_same_v<Item, minibgp::LargeCommunityPattern>) return library.large_community_sets;
  if constexpr (std::is_same_v<Item, minibgp::AddressRange>) return library.next_hop_sets;
}

/// Calls `use(set)` for each set that a condition or an edit names.
template <typename Thing, typename Use>
void each_set(const Thing& thing, const PolicyLibrary& library, const Use& use) {
  if constexpr (requires {
                  thing.items;
                  thing.sets;
                }) {
    using Item = typename std::decay_t<decltype(thing.items)>::value_type;
    for (const minibgp::NameRef& reference : thing.sets)
      for (const NamedSet<Item>& set : sets_of<Item>(library))
        if (set.name == reference.name) use(set);
  }
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

void CoverageCounter::asked(const PolicyMatch& match, const PolicyCase& test, const Seat& seat) {
  each_condition(match, [&](const PolicyMatch& one) {
    std::visit(
        [&](const auto& condition) {
          each_set(condition, bench_.library(), [&](const auto& set) {
            for (std::size_t i = 0; i < set.items.size(); ++i)
              if (entry_matches(condition, set.items[i], test.route)) entries_[&set].insert(i);
          });
        },
        one.condition);
    if (const auto* other = std::get_if<minibgp::match::PolicyAccepts>(&one.condition)) {
      // A policy that is asked leaves no trace of its own: put the route before it, at the same peer.
      Seat inner = seat;
      inner.policy = other->policy.name;
      seen(test, inner, bench_.policy(inner).trace(test.route.attributes, bench_.context(inner, test.route)));
    }
  });
}

void CoverageCounter::seen(const PolicyCase& test, const Seat& seat, const minibgp::PolicyTrace& trace) {
  for (const minibgp::TermTrace& one : trace.terms) {
    if (one.fired) fired_.emplace(one.policy, one.term);
    const PolicyDefinition* definition = policy_named(bench_.library(), one.policy);
    for (std::size_t i = 0; definition != nullptr && i < definition->terms.size(); ++i) {
      const PolicyTerm& term = definition->terms[i];
      if (name_of(term, i) != one.term) continue;
      for (const PolicyMatch& match : term.matches) asked(match, test, seat);
      // An edit uses its sets as a whole.
      for (const PolicyEdit& edit : one.fired ? term.edits : std::vector<PolicyEdit>{})
        std::visit(
            [&](const auto& action) {
              each_set(action, bench_.library(), [&](const auto& set) {
                for (std::size_t j = 0; j < set.items.size(); ++j) entries_[&set].insert(j);
              });
            },
            edit.action);
    }
  }
}

void CoverageCounter::add(const PolicyCase& test, const CaseResult& result) {
  ++cases_;
  seen(test, result.seat, result.trace);
}

template <typename Item>
void CoverageCounter::count_sets(const std::vector<NamedSet<Item>>& sets, Coverage& coverage) const {
  for (const NamedSet<Item>& set : sets) {
    const auto reached = entries_.find(&set);
    const bool in_place = std::all_of(set.items.begin(), set.items.end(), [&](const Item& item) {
      return item.mark.file == set.mark.file && item.mark.line != 0;
    });
    if (!in_place) {
      ++coverage.entries;
      if (reached == entries_.end())
        coverage.entries_missed.push_back({"set " + set.name, bench_.sources().place(set.mark)});
      continue;
    }
    coverage.entries += set.items.size();
    for (std::size_t i = 0; i < set.items.size(); ++i)
      if (reached == entries_.end() || reached->second.count(i) == 0)
        coverage.entries_missed.push_back(
            {"set " + set.name + ": " + minibgp::to_text(set.items[i]), bench_.sources().place(set.items[i].mark)});
  }
}

Coverage CoverageCounter::result() const {
  Coverage coverage;
  coverage.cases = cases_;
  const PolicyLibrary& library = bench_.library();
  for (const PolicyDefinition& definition : library.policies) {
    coverage.terms += definition.terms.size();
    for (std::size_t i = 0; i < definition.terms.size(); ++i) {
      const std::string term = name_of(definition.terms[i], i);
      if (fired_.count({definition.name, term}) == 0)
        coverage.terms_missed.push_back(
            {"policy " + definition.name + ": " + term, bench_.sources().place(definition.terms[i].mark)});
    }
  }
  count_sets(library.prefix_sets, coverage);
  count_sets(library.asn_sets, coverage);
  count_sets(library.community_sets, coverage);
  count_sets(library.extended_community_sets, coverage);
  count_sets(library.large_community_sets, coverage);
  count_sets(library.next_hop_sets, coverage);
  return coverage;
}

}  // namespace bgplite::cli
