/// What compiles but is probably not meant, behind lint_policies() of bgp/policy.h. Every remark is certain: a term is
/// called unreachable only where that follows from the terms themselves.
#include <bgp/policy.h>
#include <bgp/policy/library_index.h>
#include <bgp/text.h>

#include <algorithm>
#include <set>

namespace minibgp {
namespace policy {
namespace {

/// Remarks on one set; a generated list with a thousand overlaps is one remark to its owner, not a thousand.
constexpr std::size_t kRemarksPerSet = 20;

class Lint {
 public:
  Lint(const PolicyLibrary& library, const std::vector<std::string>& roots) : library_(library), roots_(roots) {}

  std::vector<PolicyError> run() {
    for (const PolicyDefinition& definition : library_.policies) policy(definition);
    unused();
    for (const auto& set : library_.prefix_sets) prefixes(set.items, "set '" + set.name + "'");
    for (const auto& set : library_.asn_sets) asns(set);
    for (const auto& set : library_.community_sets) patterns(set);
    for (const auto& set : library_.extended_community_sets) patterns(set);
    for (const auto& set : library_.large_community_sets) patterns(set);
    return std::move(remarks_);
  }

 private:
  void remark(const SourceMark& mark, std::string text, std::string hint = {}) {
    remarks_.push_back({mark, policy_, term_, std::move(text), std::move(hint)});
  }

  // --- Terms ---

  void policy(const PolicyDefinition& definition) {
    policy_ = definition.name;
    std::set<std::string> names;
    for (std::size_t i = 0; i < definition.terms.size(); ++i) {
      const PolicyTerm& term = definition.terms[i];
      term_ = term_name(term, i);
      // Reports and traces name terms, so two of one name cannot be told apart.
      if (!names.insert(term_).second) remark(term.mark, "second term named '" + term_ + "'", "reports name terms");
      if (term.verdict == TermVerdict::next && term.edits.empty() && !term.call)
        remark(term.mark, "term '" + term_ + "' does nothing", "give it a verdict or an edit");
      for (std::size_t j = 0; j < i; ++j) {
        const PolicyTerm& earlier = definition.terms[j];
        // `next` decides nothing. A term with fewer conditions than an earlier one may still be reached.
        if (earlier.verdict == TermVerdict::next || !implied(earlier.matches, term.matches)) continue;
        remark(term.mark, "term '" + term_ + "' cannot be reached",
               "'" + term_name(earlier, j) + "' decides every route that it matches");
        break;
      }
      for (const PolicyMatch& match : term.matches) condition(match);
      for (const PolicyEdit& edit : term.edits)
        std::visit([this](const auto& action) { used_by(action); }, edit.action);
      if (term.call) used_policies_.insert(term.call->name);
    }
    policy_.clear();
    term_.clear();
  }

  /// Every route that satisfies `narrow` satisfies `wide`: each of its conditions follows from one of `narrow`.
  static bool implied(const std::vector<PolicyMatch>& wide, const std::vector<PolicyMatch>& narrow) {
    return std::all_of(wide.begin(), wide.end(), [&](const PolicyMatch& condition) {
      return std::any_of(narrow.begin(), narrow.end(),
                         [&](const PolicyMatch& given) { return follows(condition, given); });
    });
  }

  static bool follows(const PolicyMatch& condition, const PolicyMatch& given) {
    if (condition == given) return true;
    const auto* wide = std::get_if<match::PrefixIn>(&condition.condition);
    const auto* narrow = std::get_if<match::PrefixIn>(&given.condition);
    if (wide == nullptr || narrow == nullptr) return false;
    const bool items = std::all_of(narrow->items.begin(), narrow->items.end(), [&](const PrefixRange& range) {
      return std::any_of(wide->items.begin(), wide->items.end(),
                         [&](const PrefixRange& w) { return within(range, w); });
    });
    const bool sets = std::all_of(narrow->sets.begin(), narrow->sets.end(), [&](const NameRef& set) {
      return std::find(wide->sets.begin(), wide->sets.end(), set) != wide->sets.end();
    });
    return items && sets;
  }

  static bool within(const PrefixRange& narrow, const PrefixRange& wide) {
    // Prefix and both bounds have to lie inside.
    return wide.prefix.covers(narrow.prefix) && wide.ge <= narrow.ge && narrow.le <= wide.le;
  }

  void condition(const PolicyMatch& match) {
    if (const auto* inner = std::get_if<match::Not>(&match.condition)) {
      for (const PolicyMatch& one : inner->all) condition(one);
    } else if (const auto* lists = std::get_if<match::AnyOf>(&match.condition)) {
      for (const auto& all : lists->any)
        for (const PolicyMatch& one : all) condition(one);
    } else if (const auto* asked = std::get_if<match::PolicyAccepts>(&match.condition)) {
      used_policies_.insert(asked->policy.name);
    } else {
      std::visit([this](const auto& one) { used_by(one); }, match.condition);
    }
    // Lists inside of Not and AnyOf come here as well.
    if (const auto* prefix = std::get_if<match::PrefixIn>(&match.condition)) prefixes(prefix->items, "the list");
  }

  // --- Use ---

  template <typename Thing>
  void used_by(const Thing& thing) {
    if constexpr (requires {
                    thing.sets;
                    thing.items;
                  }) {
      using Item = typename std::decay_t<decltype(thing.items)>::value_type;
      for (const NameRef& set : thing.sets) std::get<Used<Item>>(used_sets_).names.insert(set.name);
    }
  }

  void unused() {
    look_at_sets(library_.prefix_sets);
    look_at_sets(library_.asn_sets);
    look_at_sets(library_.community_sets);
    look_at_sets(library_.extended_community_sets);
    look_at_sets(library_.large_community_sets);
    look_at_sets(library_.next_hop_sets);
    if (roots_.empty()) return;
    used_policies_.insert(roots_.begin(), roots_.end());
    for (const PolicyDefinition& definition : library_.policies)
      if (used_policies_.count(definition.name) == 0)
        remark(definition.mark, "policy '" + definition.name + "' is not used", "no peer and no policy names it");
  }

  template <typename Item>
  void look_at_sets(const std::vector<NamedSet<Item>>& sets) {
    for (const NamedSet<Item>& set : sets) {
      if (std::get<Used<Item>>(used_sets_).names.count(set.name) == 0)
        remark(set.mark, "set '" + set.name + "' is not used");
      // A registry that found nothing writes such a file; that must not keep a gateway from its configuration.
      if (set.items.empty()) remark(set.mark, "set '" + set.name + "' is empty and matches nothing");
    }
  }

  // --- Entries ---

  /// In order of address and length, every range that covers another comes before it and is still open.
  void prefixes(const std::vector<PrefixRange>& items, const std::string& where) {
    std::vector<const PrefixRange*> sorted;
    for (const PrefixRange& range : items) sorted.push_back(&range);
    std::stable_sort(sorted.begin(), sorted.end(), [](const PrefixRange* a, const PrefixRange* b) {
      return std::tuple(a->prefix.family, a->prefix.octets, a->prefix.length_bits) <
             std::tuple(b->prefix.family, b->prefix.octets, b->prefix.length_bits);
    });
    std::vector<const PrefixRange*> open;
    std::size_t found = 0;
    for (const PrefixRange* range : sorted) {
      while (!open.empty() && !open.back()->prefix.covers(range->prefix)) open.pop_back();
      for (const PrefixRange* outer : open) {
        // The lengths do not meet, so no prefix is in both.
        if (std::max(outer->ge, range->ge) > std::min(outer->le, range->le)) continue;
        if (++found > kRemarksPerSet) break;
        const bool nothing_new = within(*range, *outer);
        remark(
            range->mark,
            where + ": entry " + to_text(*range) + (nothing_new ? " is covered by " : " overlaps ") + to_text(*outer),
            nothing_new ? "remove it" : "");
        // One remark for each entry.
        break;
      }
      open.push_back(range);
    }
    if (found > kRemarksPerSet)
      remark(items.front().mark, where + ": " + std::to_string(found - kRemarksPerSet) + " more overlapping entries");
  }

  void asns(const NamedSet<AsnRange>& set) {
    std::vector<AsnRange> sorted = set.items;
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const AsnRange& a, const AsnRange& b) { return a.first < b.first; });
    std::size_t found = 0;
    const AsnRange* widest = nullptr;
    for (const AsnRange& range : sorted) {
      // The entries before end at `widest` at the latest, so overlapping it is enough to overlap one of them.
      if (widest != nullptr && range.first <= widest->last && ++found <= kRemarksPerSet)
        remark(range.mark, "set '" + set.name + "': entry " + to_text(range) + " overlaps " + to_text(*widest));
      if (widest == nullptr || range.last > widest->last) widest = &range;
    }
  }

  template <typename Pattern>
  void patterns(const NamedSet<Pattern>& set) {
    std::vector<const Pattern*> wild;
    std::set<std::string> seen;
    std::size_t found = 0;
    for (const Pattern& pattern : set.items)
      if (!pattern.exact()) wild.push_back(&pattern);
    for (const Pattern& pattern : set.items) {
      std::string by;
      if (!seen.insert(to_text(pattern)).second) by = to_text(pattern);
      for (const Pattern* other : wild)
        // A pattern is not compared with other patterns.
        if (pattern.exact() && other->matches(value_of(pattern))) by = to_text(*other);
      if (!by.empty() && ++found <= kRemarksPerSet)
        remark(pattern.mark, "set '" + set.name + "': entry " + to_text(pattern) + " is covered by " + by, "remove it");
    }
  }
  static Community value_of(const CommunityPattern& pattern) { return Community{pattern.value}; }
  static ExtendedCommunity value_of(const ExtendedCommunityPattern& pattern) {
    return ExtendedCommunity{pattern.value};
  }
  static LargeCommunity value_of(const LargeCommunityPattern& pattern) { return pattern.value; }

  template <typename Item>
  struct Used {
    std::set<std::string> names;
  };

  const PolicyLibrary& library_;
  const std::vector<std::string>& roots_;
  std::vector<PolicyError> remarks_;
  std::tuple<Used<PrefixRange>, Used<AsnRange>, Used<CommunityPattern>, Used<ExtendedCommunityPattern>,
             Used<LargeCommunityPattern>, Used<AddressRange>>
      used_sets_;
  std::set<std::string> used_policies_;
  std::string policy_, term_;
};

}  // namespace
}  // namespace policy

std::vector<PolicyError> lint_policies(const PolicyLibrary& library, const std::vector<std::string>& roots) {
  return policy::Lint(library, roots).run();
}

}  // namespace minibgp
