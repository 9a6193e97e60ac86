/// BestBatch: the paths in use of changed routes as values for BestChanged. Reuses its memory from batch to batch.
#pragma once

#include <bgp/outputs.h>
#include <bgp/rib/attr_table.h>
#include <bgp/rib/table.h>
#include <bgp/types.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <vector>

namespace minibgp::speaker {

class BestBatch {
 public:
  explicit BestBatch(const rib::AttrTable& attributes) : attributes_(attributes) {}

  void clear();
  /// `ecmp_weight(peer)`: what the peer's options say; used where neither policy nor the link-bandwidth community does.
  template <typename EcmpWeight>
  void add(const rib::Route& route, EcmpWeight ecmp_weight);
  [[nodiscard]] bool empty() const { return changes_.empty(); }
  /// Valid until clear() or add().
  [[nodiscard]] std::span<const BestChange> changes();

 private:
  struct Share {
    std::uint16_t weight = 0;  ///< By policy; 0: none.
    float bandwidth = 0;       ///< Octets a second by the link-bandwidth community; 0: none.
  };
  [[nodiscard]] Share share_of(AttrId id);
  void weigh(std::size_t first, std::span<const Share> shares);

  const rib::AttrTable& attributes_;
  std::vector<BestChange> changes_;
  std::vector<BestPath> paths_;
  std::vector<std::uint32_t> path_counts_;  ///< Per change; spans are set when paths_ has stopped growing.
  std::deque<LocalAttributes> locals_;
  std::vector<Share> shares_;
  PathAttributes scratch_;
};

template <typename EcmpWeight>
void BestBatch::add(const rib::Route& route, EcmpWeight ecmp_weight) {
  static constexpr LocalAttributes kPlain{};
  changes_.push_back({route.prefix, {}, nullptr});
  const rib::Path* const best = route.best_path();
  if (best == nullptr || best->peer == kLocalPeer) {
    path_counts_.push_back(0);
    return;
  }
  const std::size_t first = paths_.size();
  for (std::uint32_t i = 0; i < route.best; ++i) {
    const rib::Path& path = route.path(i);
    if (path.peer == kLocalPeer) continue;
    paths_.push_back({path.peer, path.accepted, attributes_.next_hop(path.accepted), 1});
  }
  path_counts_.push_back(static_cast<std::uint32_t>(paths_.size() - first));
  if (attributes_.hot(best->accepted).has(rib::HotAttrs::kHasLocal)) {
    attributes_.load(best->accepted, scratch_);
    locals_.push_back(scratch_.local);
    changes_.back().local = &locals_.back();
  } else {
    changes_.back().local = &kPlain;
  }
  if (paths_.size() - first < 2) return;
  shares_.clear();
  for (std::size_t i = first; i < paths_.size(); ++i) {
    shares_.push_back(share_of(paths_[i].attributes));
    paths_[i].weight = ecmp_weight(paths_[i].peer);
  }
  weigh(first, shares_);
}

}  // namespace minibgp::speaker
