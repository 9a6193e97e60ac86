/// ChangeReport: what the program is told of routes, in which order: changed best paths in batches, each route at most
/// once per change; the end of a peer's table after the changes that came with it; the end of our restart after all.
/// Changed routes go to the export groups by the same walk.
#pragma once

#include <bgp/base/dirty_set.h>
#include <bgp/outputs.h>
#include <bgp/rib/attr_table.h>
#include <bgp/rib/next_hop_index.h>
#include <bgp/rib/table.h>
#include <bgp/speaker/best_batch.h>
#include <bgp/speaker/export.h>
#include <bgp/speaker/peer_table.h>
#include <bgp/speaker/sweep.h>
#include <bgp/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace minibgp::speaker {

/// Changed best paths handed out per turn.
inline constexpr std::size_t kBestChangesPerTurn = 4096;

class ChangeReport {
 public:
  /// What it reads and drains. All outlive it.
  struct Parts {
    const rib::AttrTable& attributes;
    rib::NextHopIndex& next_hops;
    rib::Table& table;
    Exporter& exporter;
    const Sweeper& sweeper;
    const PeerTable& peers;
  };
  explicit ChangeReport(const Parts& parts) : of_(parts), batch_(parts.attributes) {}

  enum class Selection : std::uint8_t { deferred, under_way };
  /// One batch, valid until the next call. While selection is deferred, what changed is collected, and goes to those
  /// peers alone that may have it.
  [[nodiscard]] std::optional<BestChanged> next_batch(Selection selection);
  /// The first End-of-RIB whose routes were all reported.
  [[nodiscard]] std::optional<EndOfRib> next_end_of_rib(Selection selection);
  /// The peer has announced its whole table.
  void end_of_rib(const EndOfRib& end) { ends_.push_back({end, kNotSettled}); }
  /// Its session ended: what it has announced ends differently.
  void forget(PeerId peer);
  /// After the last batch of our restart; true once.
  [[nodiscard]] bool take_restart_complete(bool restart_is_over);
  /// Whether next_batch() has something.
  [[nodiscard]] bool waits(Selection selection) const {
    return !of_.table.changed_empty() || (selection == Selection::under_way && !unreported_.empty());
  }

 private:
  /// An End-of-RIB is reported after the best paths that changed before it: once `after` changes were taken.
  struct PendingEndOfRib {
    EndOfRib end;
    std::uint64_t after = 0;
  };
  static constexpr std::uint64_t kNotSettled = UINT64_MAX;  ///< Its routes are still swept or looked up.

  Parts of_;
  BestBatch batch_;
  base::DirtySet unreported_;  ///< Routes that changed while selection was deferred.
  std::uint64_t taken_ = 0;    ///< Of Table::changed(), in all.
  std::vector<PendingEndOfRib> ends_;
  bool restart_reported_ = false;
};

}  // namespace minibgp::speaker
