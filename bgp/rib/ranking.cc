/// decide() for tools (bgp/decide.h): the order in which paths would be best, by the same Selection the table uses.
#include <bgp/rib/attr_table.h>
#include <bgp/rib/best_path.h>
#include <bgp/rib/multipath.h>

#include <algorithm>
#include <numeric>

namespace minibgp {

std::string_view to_text(Rule rule) {
  switch (rule) {
    case Rule::weight:
      return "weight";
    case Rule::local_pref:
      return "local-pref";
    case Rule::as_path_length:
      return "as-path-length";
    case Rule::origin:
      return "origin";
    case Rule::med:
      return "med";
    case Rule::external:
      return "external";
    case Rule::igp_cost:
      return "igp-cost";
    case Rule::oldest:
      return "oldest";
    case Rule::router_id:
      return "router-id";
    case Rule::cluster_list:
      return "cluster-list";
    case Rule::peer_address:
      return "peer-address";
    case Rule::path_id:
      return "path-id";
    case Rule::same:
      return "same";
    case Rule::only_path:
      return "only-path";
    case Rule::unusable:
      return "unusable";
  }
  return "";
}

std::vector<Ranked> decide(std::span<const DecideInput> paths, const SpeakerOptions& options) {
  rib::AttrTable attributes;
  std::vector<AttrId> ids;
  std::vector<rib::PeerFacts> peers;
  for (const DecideInput& path : paths) {
    ids.push_back(attributes.intern(path.attributes));
    peers.push_back(
        {path.peer_type == PeerType::ebgp, path.peer_router_id, path.peer_address, path.default_local_pref});
  }
  // `hot()` stays where it is as long as nothing is interned, so candidates may point to it.
  const auto candidate = [&](std::size_t i) {
    rib::Candidate made;
    made.attributes = ids[i];
    made.attrs = &attributes.hot(ids[i]);
    made.peer = &peers[i];
    // Paths with one peer address are paths of one peer, told apart by path_id.
    const auto same = std::find_if(peers.begin(), peers.end(), [&](const rib::PeerFacts& other) {
      return other.address == peers[i].address && other.router_id == peers[i].router_id;
    });
    made.peer_id = PeerId{static_cast<std::uint16_t>(same - peers.begin())};
    made.path_id = paths[i].path_id;
    made.igp_cost = paths[i].igp_cost;
    return made;
  };
  rib::SelectionOptions selection_options;
  selection_options.maximum_paths = options.maximum_paths;
  selection_options.multipath = options.multipath;
  selection_options.decide = {options.always_compare_med, options.prefer_oldest};

  // MED makes the order intransitive, so it is no matter of sorting: the best of what is left is taken again and again.
  std::vector<std::size_t> left;
  std::vector<Ranked> ranked;
  for (std::size_t i = 0; i < paths.size(); ++i)
    if (paths[i].usable) left.push_back(i);
  rib::Selection selection(attributes);
  std::vector<std::size_t> set;
  while (!left.empty()) {
    std::vector<rib::Candidate> candidates;
    for (const std::size_t i : left) candidates.push_back(candidate(i));
    const auto chosen = selection.choose(candidates, selection_options);
    // Only the first choice is made among all paths; the later ones would give sets that no router uses.
    if (ranked.empty())
      for (const std::uint32_t i : chosen) set.push_back(left[i]);
    const std::size_t best = left[chosen.front()];
    ranked.push_back({best, ranked.empty(), std::find(set.begin(), set.end(), best) != set.end(), Rule::same});
    left.erase(left.begin() + static_cast<std::ptrdiff_t>(chosen.front()));
  }
  for (std::size_t i = 1; i < ranked.size(); ++i)
    // Compared with the best path, not with the neighbor in the list: the answer is why it is not used.
    ranked[i].rule = rib::decide(candidate(ranked[i].index), candidate(ranked[0].index), selection_options.decide).rule;
  if (!ranked.empty()) ranked[0].rule = ranked.size() == 1 ? Rule::only_path : ranked[1].rule;
  for (std::size_t i = 0; i < paths.size(); ++i)
    if (!paths[i].usable) ranked.push_back({i, false, false, Rule::unusable});
  return ranked;
}

}  // namespace minibgp
