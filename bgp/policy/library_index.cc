#include <bgp/policy/library_index.h>

#include <algorithm>
#include <vector>

namespace minibgp::policy {
namespace {

/// Insertions, deletions, replacements and swaps of neighbors between two words.
std::size_t distance(std::string_view a, std::string_view b) {
  // O(length of a * length of b); nearest() bounds both.
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      // Deletion, insertion, replacement; the next line has the swap of neighbors (optimal string alignment).
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  }
  return cost[a.size()][b.size()];
}

template <typename Names>
std::string nearest(const Names& names, std::string_view wanted) {
  constexpr std::size_t kNameMax = 64;  // Longer names are not typing mistakes worth the square of their length.
  std::string_view best;
  // A third of the letters may differ: beyond that a hint would be a guess.
  std::size_t best_distance = std::max<std::size_t>(1, wanted.size() / 3) + 1;
  if (wanted.size() > kNameMax) return {};
  for (const auto& [name, thing] : names) {
    if (name.size() > kNameMax) continue;
    const std::size_t d = distance(wanted, name);
    if (d < best_distance) {
      best = name;
      best_distance = d;
    }
  }
  return best.empty() ? std::string{} : "did you mean '" + std::string(best) + "'?";
}

template <typename Names, typename Things>
void add_all(Names& names, const Things& things) {
  for (const auto& thing : things) names.emplace(thing.name, &thing);
}

}  // namespace

LibraryIndex::LibraryIndex(const PolicyLibrary& library) {
  add_all(std::get<0>(sets_), library.prefix_sets);
  add_all(std::get<1>(sets_), library.asn_sets);
  add_all(std::get<2>(sets_), library.community_sets);
  add_all(std::get<3>(sets_), library.extended_community_sets);
  add_all(std::get<4>(sets_), library.large_community_sets);
  add_all(std::get<5>(sets_), library.next_hop_sets);
  add_all(policies_, library.policies);
}

template <typename Item>
std::string LibraryIndex::hint_for_set(std::string_view name) const {
  // The name exists, but as a set of another kind: that is a better hint than a similar name.
  const auto kind_if = [&](const auto& names, const char* kind) {
    return names.count(name) != 0 ? std::string("'") + std::string(name) + "' is a set of " + kind : std::string{};
  };
  const std::string kinds[] = {
      kind_if(std::get<0>(sets_), "prefixes"),          kind_if(std::get<1>(sets_), "AS numbers"),
      kind_if(std::get<2>(sets_), "communities"),       kind_if(std::get<3>(sets_), "extended communities"),
      kind_if(std::get<4>(sets_), "large communities"), kind_if(std::get<5>(sets_), "next hops")};
  for (const std::string& kind : kinds)
    if (!kind.empty()) return kind;
  return nearest(std::get<Names<NamedSet<Item>>>(sets_), name);
}
template std::string LibraryIndex::hint_for_set<PrefixRange>(std::string_view) const;
template std::string LibraryIndex::hint_for_set<AsnRange>(std::string_view) const;
template std::string LibraryIndex::hint_for_set<CommunityPattern>(std::string_view) const;
template std::string LibraryIndex::hint_for_set<ExtendedCommunityPattern>(std::string_view) const;
template std::string LibraryIndex::hint_for_set<LargeCommunityPattern>(std::string_view) const;
template std::string LibraryIndex::hint_for_set<AddressRange>(std::string_view) const;

std::string LibraryIndex::hint_for_policy(std::string_view name) const { return nearest(policies_, name); }

std::string term_name(const PolicyTerm& term, std::size_t position) {
  return term.name.empty() ? "term " + std::to_string(position + 1) : term.name;
}

}  // namespace minibgp::policy
