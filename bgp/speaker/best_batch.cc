#include <bgp/speaker/best_batch.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace minibgp::speaker {
namespace {

/// draft-ietf-idr-link-bandwidth: type 0x40 or 0x00, subtype 4, an AS number, and a 32-bit IEEE float.
float link_bandwidth(const std::vector<ExtendedCommunity>& communities) {
  for (const ExtendedCommunity community : communities) {
    const auto raw = static_cast<std::uint64_t>(community);
    const std::uint64_t kind = raw >> 48U;
    // Two octets of type, two of AS, four of bandwidth in octets per second. 0x40: not transitive.
    if (kind != 0x4004 && kind != 0x0004) continue;
    const auto bits = static_cast<std::uint32_t>(raw);
    float bandwidth = 0;
    std::memcpy(&bandwidth, &bits, sizeof bandwidth);
    // Others are no ratio: a NaN or a negative value would reach std::max() and a cast to integer.
    if (std::isfinite(bandwidth) && bandwidth > 0) return bandwidth;
  }
  return 0;
}

}  // namespace

void BestBatch::clear() {
  changes_.clear();
  paths_.clear();
  path_counts_.clear();
  locals_.clear();
}

std::span<const BestChange> BestBatch::changes() {
  // Here and not in add(): `paths_` may still move while it grows.
  std::size_t at = 0;
  for (std::size_t i = 0; i < changes_.size(); ++i) {
    changes_[i].paths = std::span<const BestPath>{paths_}.subspan(at, path_counts_[i]);
    at += path_counts_[i];
  }
  return changes_;
}

BestBatch::Share BestBatch::share_of(AttrId id) {
  attributes_.load(id, scratch_);
  return {scratch_.local.ecmp_weight, link_bandwidth(scratch_.extended_communities)};
}

/// A weight by policy stands for itself. Bandwidths count only where every path has one, in relation to the largest.
void BestBatch::weigh(std::size_t first, std::span<const Share> shares) {
  constexpr float kLargest = 255;  // What the kernel's rtnh_hops can say.
  float most = 0;
  bool all = true;
  for (const Share& share : shares) {
    most = std::max(most, share.bandwidth);
    all = all && share.bandwidth > 0;
  }
  for (std::size_t i = 0; i < shares.size(); ++i) {
    // Where neither applies the path keeps the weight of its peer, which add() set.
    if (shares[i].weight != 0) {
      paths_[first + i].weight = shares[i].weight;
    } else if (all) {
      // At least 1: the kernel has no weight 0, and the path was selected to carry something.
      const float weight = std::max(1.0F, std::round(shares[i].bandwidth / most * kLargest));
      paths_[first + i].weight = static_cast<std::uint16_t>(weight);
    }
  }
}

}  // namespace minibgp::speaker
