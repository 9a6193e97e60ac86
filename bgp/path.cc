#include <bgp/path.h>

#include <algorithm>
#include <limits>

namespace minibgp {

bool AsPath::contains(Asn asn) const { return std::find(asns.begin(), asns.end(), asn) != asns.end(); }

void AsPath::prepend(Asn asn, std::uint32_t times) {
  if (times == 0) return;
  if (segments.empty() || segments.front().type != SegmentType::sequence)
    segments.insert(segments.begin(), Segment{SegmentType::sequence, 0});
  // Far beyond what any message holds; a count that wrapped would disagree with `asns`.
  times = std::min<std::uint32_t>(times, std::numeric_limits<std::uint16_t>::max() - segments.front().count);
  segments.front().count = static_cast<std::uint16_t>(segments.front().count + times);
  asns.insert(asns.begin(), times, asn);
}

void AsPath::append_sequence(Asn asn) {
  if (segments.empty() || segments.back().type != SegmentType::sequence)
    segments.push_back(Segment{SegmentType::sequence, 0});
  ++segments.back().count;
  asns.push_back(asn);
}

void PathAttributes::clear() {
  origin = Origin::igp;
  as_path.clear();
  next_hop = {};
  med.reset();
  local_pref.reset();
  atomic_aggregate = false;
  aggregator.reset();
  communities.clear();
  extended_communities.clear();
  large_communities.clear();
  originator_id.reset();
  cluster_list.clear();
  only_to_customer.reset();
  unknown.clear();
  local = {};
}

bool PathAttributes::has(Community community) const {
  // Lists of communities are kept sorted.
  return std::binary_search(communities.begin(), communities.end(), community);
}

}  // namespace minibgp
