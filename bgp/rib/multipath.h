/// Which of the paths to one prefix are in use: the best, and those that share the traffic with it (ECMP). The decision
/// itself is best_path.h; here is who is compared with whom, so that the set depends on the set of paths alone, never
/// on the order in which they came.
#pragma once

#include <bgp/rib/attr_table.h>
#include <bgp/rib/best_path.h>
#include <bgp/speaker_options.h>

#include <cstdint>
#include <span>
#include <vector>

namespace minibgp::rib {

struct SelectionOptions {
  std::uint8_t maximum_paths = 1;
  Multipath multipath = Multipath::neighbor_as;
  DecideOptions decide;
  friend bool operator==(const SelectionOptions& a, const SelectionOptions& b) {
    return a.maximum_paths == b.maximum_paths && a.multipath == b.multipath &&
           a.decide.always_compare_med == b.decide.always_compare_med &&
           a.decide.prefer_oldest == b.decide.prefer_oldest;
  }
};

/// Chooses among candidates, whatever they belong to: the speaker's table and the tools' decide() share it.
class Selection {
 public:
  /// `attributes` outlives it.
  explicit Selection(const AttrTable& attributes) : attributes_(attributes) {}
  /// Indices of the paths in use, best first; empty when there is no candidate. Valid until the next call.
  [[nodiscard]] std::span<const std::uint32_t> choose(std::span<const Candidate> candidates,
                                                      const SelectionOptions& options);

 private:
  void find_group_winners(std::span<const Candidate> candidates, const DecideOptions& options);
  [[nodiscard]] bool joins(std::span<const Candidate> candidates, std::uint32_t index, std::uint32_t best,
                           const SelectionOptions& options) const;
  void drop_repeated_next_hops(std::span<const Candidate> candidates);

  const AttrTable& attributes_;
  std::vector<std::uint32_t> winners_;  ///< The best of each neighboring AS.
  std::vector<std::uint32_t> chosen_;
};

}  // namespace minibgp::rib
