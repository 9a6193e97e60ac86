#include <bgp/base/overloaded.h>
#include <bgp/policy/as_path_regex.h>
#include <bgp/policy/validate.h>
#include <bgp/text.h>

#include <algorithm>
#include <map>
#include <set>

namespace minibgp::policy {
namespace {

using base::Overloaded;

class Validator {
 public:
  explicit Validator(const LibraryIndex& names) : names_(names) {}

  void whole(const PolicyLibrary& library) {
    sets(library.prefix_sets);
    sets(library.asn_sets);
    sets(library.community_sets);
    sets(library.extended_community_sets);
    sets(library.large_community_sets);
    sets(library.next_hop_sets);
    unique(library.policies, "policy");
    for (const PolicyDefinition& definition : library.policies) policy(definition);
  }

  void policy(const PolicyDefinition& definition) {
    // A set or a policy that several others name is looked at once, and its errors are reported once.
    if (!seen_.insert(&definition).second) return;
    // Restored below: validating a policy that is named leads into it in the middle of this one.
    const std::string outer_policy = std::exchange(policy_, definition.name);
    const std::string outer_term = term_;
    open_.push_back(&definition);
    for (std::size_t i = 0; i < definition.terms.size(); ++i) {
      term_ = term_name(definition.terms[i], i);
      term(definition.terms[i]);
    }
    open_.pop_back();
    policy_ = outer_policy;
    term_ = outer_term;
  }

  std::vector<PolicyError> take() { return std::move(errors_); }

 private:
  void error(const SourceMark& mark, std::string text, std::string hint = {}) {
    errors_.push_back({mark, policy_, term_, std::move(text), std::move(hint)});
  }

  // --- Sets and items ---

  template <typename Things>
  void unique(const Things& things, const char* what) {
    std::set<std::string_view> names;
    for (const auto& thing : things)
      if (!names.insert(thing.name).second)
        error(thing.mark, std::string("second ") + what + " named '" + thing.name + "'", "give it another name");
  }

  template <typename Item>
  void sets(const std::vector<NamedSet<Item>>& all) {
    unique(all, "set");
    for (const NamedSet<Item>& one : all) set(one);
  }

  template <typename Item>
  void set(const NamedSet<Item>& one) {
    if (!seen_.insert(&one).second) return;
    if (one.items.size() > kPrefixSetEntriesMax)
      error(one.mark, "set '" + one.name + "' has " + std::to_string(one.items.size()) + " entries",
            "the limit is " + std::to_string(kPrefixSetEntriesMax));
    for (const Item& entry : one.items) item(entry);
  }

  void item(const PrefixRange& range) {
    if (range.ge > range.le) {
      error(range.mark, "ge " + std::to_string(range.ge) + " is above le " + std::to_string(range.le),
            "lengths from ge to le match; swap them?");
    } else if (range.ge < range.prefix.length_bits) {
      error(range.mark, "length " + std::to_string(range.ge) + " is shorter than the prefix " + to_text(range.prefix),
            "only prefixes within it can match");
    } else if (range.le > address_bits(range.prefix.family)) {
      error(range.mark, "le " + std::to_string(range.le) + " is longer than an address");
    }
  }
  void item(const AsnRange& range) {
    if (range.first > range.last) error(range.mark, "AS range " + to_text(range) + " goes backwards");
  }
  void item(const AddressRange&) {}
  template <typename Pattern>
  void item(const Pattern&) {}

  template <typename Item>
  void list(const ItemsOrSets<Item>& both, const SourceMark& mark) {
    if (both.items.empty() && both.sets.empty()) error(mark, "an empty list matches nothing");
    for (const Item& entry : both.items) item(entry);
    sets_of(both);
  }

  template <typename Item>
  void sets_of(const ItemsOrSets<Item>& both) {
    for (const NameRef& reference : both.sets) {
      if (const NamedSet<Item>* found = names_.set<Item>(reference.name)) {
        set(*found);
      } else {
        error(reference.mark, "unknown set '" + reference.name + "'", names_.hint_for_set<Item>(reference.name));
      }
    }
  }

  // --- Terms ---

  void term(const PolicyTerm& one) {
    for (const PolicyMatch& match : one.matches) condition(match, 0);
    for (const PolicyEdit& edit : one.edits) action(edit);
    if (one.call) reference(*one.call, "calls");
  }

  void reference(const NameRef& to, const char* verb) {
    const PolicyDefinition* found = names_.policy(to.name);
    if (found == nullptr) {
      error(to.mark, "unknown policy '" + to.name + "'", names_.hint_for_policy(to.name));
      return;
    }
    // On the way to itself: compiling it would not end.
    const auto on_the_way = std::find(open_.begin(), open_.end(), found);
    if (on_the_way == open_.end()) {
      policy(*found);
      return;
    }
    std::string way;
    for (auto at = on_the_way; at != open_.end(); ++at) way += (*at)->name + " -> ";
    error(to.mark, "policy '" + found->name + "' " + verb + " itself: " + way + found->name,
          "a policy may not depend on itself");
  }

  void number(const std::optional<NumberRange>& range, const SourceMark& mark) {
    if (range && range->min > range->max)
      error(mark, "range " + std::to_string(range->min) + ".." + std::to_string(range->max) + " goes backwards");
  }

  void condition(const PolicyMatch& one, std::size_t depth) {
    const SourceMark& mark = one.mark;
    if (depth >= kPolicyDepthMax) {
      error(mark, "conditions nest deeper than " + std::to_string(kPolicyDepthMax));
      return;
    }
    std::visit(Overloaded{
                   [&](const match::PrefixIn& m) { list(m, mark); },
                   [&](const match::AsPathContains& m) { list(m, mark); },
                   [&](const match::NeighborAs& m) { list(m, mark); },
                   [&](const match::OriginAs& m) { list(m, mark); },
                   [&](const match::CommunityIn& m) { list(m, mark); },
                   [&](const match::ExtendedCommunityIn& m) { list(m, mark); },
                   [&](const match::LargeCommunityIn& m) { list(m, mark); },
                   [&](const match::NextHopIn& m) { list(m, mark); },
                   [&](const match::AsPathRegex& m) { regexes(m, mark); },
                   [&](const match::AsPathStarts& m) { not_empty(m.sequence, mark); },
                   [&](const match::AsPathEnds& m) { not_empty(m.sequence, mark); },
                   [&](const match::PeerIs& m) { not_empty(m.any, mark); },
                   [&](const match::TunnelIs& m) { not_empty(m.any, mark); },
                   [&](const match::AsPathLength& m) { number(m.hops, mark); },
                   [&](const match::MedIs& m) { number(m.range, mark); },
                   [&](const match::LocalPrefIs& m) { number(m.range, mark); },
                   [&](const match::PolicyAccepts& m) { reference(m.policy, "asks"); },
                   [&](const match::Not& m) {
                     not_empty(m.all, mark);
                     for (const PolicyMatch& inner : m.all) condition(inner, depth + 1);
                   },
                   [&](const match::AnyOf& m) {
                     not_empty(m.any, mark);
                     for (const auto& all : m.any) {
                       not_empty(all, mark);
                       for (const PolicyMatch& inner : all) condition(inner, depth + 1);
                     }
                   },
                   [](const match::FamilyIs&) {},
                   [](const match::OriginIs&) {},
                   [](const match::PeerTypeIs&) {},
                   [](const match::OwnPrefix&) {},
                   [](const match::CoversIkeEndpoint&) {},
                   [](const match::RpkiIs&) {},
               },
               one.condition);
  }

  template <typename Items>
  void not_empty(const Items& items, const SourceMark& mark) {
    if (items.empty()) error(mark, "an empty list matches nothing");
  }

  void regexes(const match::AsPathRegex& m, const SourceMark& mark) {
    not_empty(m.any, mark);
    for (const std::string& expression : m.any) {
      // Before it is compiled, whose cost grows with the length.
      if (expression.size() > kAsPathRegexCharsMax) {
        error(mark, "regular expression of " + std::to_string(expression.size()) + " characters",
              "the limit is " + std::to_string(kAsPathRegexCharsMax));
        continue;
      }
      if (const auto compiled = AsPathRegex::compile(expression); !compiled)
        error(mark, "regular expression '" + expression + "': " + compiled.error().text + " (character " +
                        std::to_string(compiled.error().position + 1) + ")");
    }
  }

  template <typename Edit>
  void communities(const Edit& e, const SourceMark& mark) {
    // `set` with an empty list takes all communities off.
    if (e.op != edit::ListOp::set && e.items.empty() && e.sets.empty()) error(mark, "an empty list changes nothing");
    sets_of(e);
    // Patterns may be removed, but it is not known which value to add.
    if (e.op == edit::ListOp::remove) return;
    const auto refuse_wildcards = [&](const auto& items) {
      for (const auto& pattern : items)
        if (!pattern.exact())
          error(mark, "'" + to_text(pattern) + "' has a wildcard and cannot be added", "wildcards can only be removed");
    };
    refuse_wildcards(e.items);
    for (const NameRef& reference : e.sets) {
      using Item = typename std::decay_t<decltype(e.items)>::value_type;
      if (const NamedSet<Item>* found = names_.set<Item>(reference.name)) refuse_wildcards(found->items);
    }
  }

  void asn(const AsnChoice& choice, const SourceMark& mark) {
    if (choice.which == AsnChoice::Which::given && choice.asn == Asn{}) error(mark, "AS 0 cannot stand in a path");
  }

  void action(const PolicyEdit& one) {
    const SourceMark& mark = one.mark;
    std::visit(Overloaded{
                   [&](const edit::Prepend& e) {
                     asn(e.asn, mark);
                     if (e.times == 0 || e.times > kPrependMax)
                       error(mark, "prepend " + std::to_string(e.times) + " times",
                             "from 1 to " + std::to_string(kPrependMax) + " times");
                   },
                   [&](const edit::ReplaceAsn& e) { asn(e.with, mark); },
                   [&](const edit::Communities& e) { communities(e, mark); },
                   [&](const edit::ExtendedCommunities& e) { communities(e, mark); },
                   [&](const edit::LargeCommunities& e) { communities(e, mark); },
                   [&](const edit::SetNextHop& e) {
                     if (e.choice == NextHopChoice::address && !e.address.is_set()) error(mark, "next hop is unset");
                   },
                   [&](const edit::EcmpWeight& e) {
                     if (e.weight == 0 || e.weight > 256)
                       error(mark, "ecmp_weight " + std::to_string(e.weight), "the kernel takes 1 to 256");
                   },
                   [](const edit::LocalPref&) {},
                   [](const edit::Med&) {},
                   [](const edit::Weight&) {},
                   [](const edit::SetOrigin&) {},
                   [](const edit::StripPrivate&) {},
                   [](const edit::FibMetric&) {},
                   [](const edit::FibTable&) {},
                   [](const edit::FibPrefsrc&) {},
               },
               one.action);
  }

  const LibraryIndex& names_;
  std::vector<PolicyError> errors_;
  std::set<const void*> seen_;                 // Sets and policies that were looked at.
  std::vector<const PolicyDefinition*> open_;  // Policies on the way to the present one.
  std::string policy_, term_;
};

}  // namespace

std::vector<PolicyError> validate(const PolicyLibrary& library, const LibraryIndex& names, std::string_view root) {
  Validator validator(names);
  // Without a root all of the library is looked at, also what nothing uses.
  if (root.empty()) {
    validator.whole(library);
  } else if (const PolicyDefinition* definition = names.policy(root)) {
    validator.policy(*definition);
  } else {
    return {{{}, "", "", "unknown policy '" + std::string(root) + "'", names.hint_for_policy(root)}};
  }
  return validator.take();
}

}  // namespace minibgp::policy
