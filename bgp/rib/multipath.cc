#include <bgp/rib/multipath.h>

#include <algorithm>

namespace minibgp::rib {

/// MED is compared between paths of one neighboring AS only, which makes the decision intransitive across them: so the
/// best of each AS is found first, and these are compared with each other.
void Selection::find_group_winners(std::span<const Candidate> candidates, const DecideOptions& options) {
  winners_.clear();
  for (std::uint32_t i = 0; i < candidates.size(); ++i) {
    // O(paths * neighboring ASes); a route has few of either.
    const Candidate& candidate = candidates[i];
    const auto same_group = std::find_if(winners_.begin(), winners_.end(), [&](std::uint32_t winner) {
      return options.always_compare_med || candidates[winner].attrs->neighbor_as == candidate.attrs->neighbor_as;
    });
    if (same_group == winners_.end()) {
      winners_.push_back(i);
    } else if (decide(candidate, candidates[*same_group], options).first_wins) {
      *same_group = i;
    }
  }
}

std::span<const std::uint32_t> Selection::choose(std::span<const Candidate> candidates,
                                                 const SelectionOptions& options) {
  // Reused from route to route, so that selection does not allocate.
  chosen_.clear();
  if (candidates.empty()) return chosen_;
  find_group_winners(candidates, options.decide);
  std::uint32_t best = winners_.front();
  for (const std::uint32_t winner : winners_)
    if (decide(candidates[winner], candidates[best], options.decide).first_wins) best = winner;
  chosen_.push_back(best);
  if (options.maximum_paths <= 1) return chosen_;

  for (std::uint32_t i = 0; i < candidates.size(); ++i) {
    if (i == best || !joins(candidates, i, best, options)) continue;
    // In the order in which each would be best, so that the set does not depend on the order of arrival.
    auto at = chosen_.begin() + 1;
    while (at != chosen_.end() && !decide(candidates[i], candidates[*at], options.decide).first_wins) ++at;
    chosen_.insert(at, i);
  }
  // After sorting: of paths with the same next hop the better one is kept.
  drop_repeated_next_hops(candidates);
  if (chosen_.size() > options.maximum_paths) chosen_.resize(options.maximum_paths);
  return chosen_;
}

/// Whether a path is equal to the best one up to the cost of the next hop, and its AS_PATH is as alike as asked for.
bool Selection::joins(std::span<const Candidate> candidates, std::uint32_t index, std::uint32_t best,
                      const SelectionOptions& options) const {
  const Candidate& other = candidates[index];
  const Candidate& first = candidates[best];
  // The rule that decides says how alike two paths are: all rules up to the cost of the next hop found them equal.
  if (decide(other, first, options.decide).rule <= Rule::igp_cost) return false;
  // A path that loses within its neighboring AS by MED or earlier does not share traffic either.
  for (const std::uint32_t winner : winners_)
    if (winner != index && candidates[winner].attrs->neighbor_as == other.attrs->neighbor_as &&
        decide(other, candidates[winner], options.decide).rule <= Rule::med)
      return false;
  switch (options.multipath) {
    case Multipath::exact:
      return other.attrs->as_path_hash == first.attrs->as_path_hash &&
             attributes_.same_as_path(other.attributes, first.attributes);
    case Multipath::neighbor_as:
      return other.attrs->neighbor_as == first.attrs->neighbor_as;
    case Multipath::relax:
      return true;
  }
  return false;
}

/// Two paths of one peer through one next hop are one path for traffic: the better stays.
void Selection::drop_repeated_next_hops(std::span<const Candidate> candidates) {
  for (auto at = chosen_.begin(); at != chosen_.end();) {
    const Candidate& one = candidates[*at];
    const bool repeated = std::any_of(chosen_.begin(), at, [&](std::uint32_t better) {
      // Only of the same peer: one address may mean different next hops to two peers.
      return candidates[better].attrs->next_hop == one.attrs->next_hop && candidates[better].peer_id == one.peer_id;
    });
    at = repeated ? chosen_.erase(at) : at + 1;
  }
}

}  // namespace minibgp::rib
