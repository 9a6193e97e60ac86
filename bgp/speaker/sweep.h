/// Sweeper: work that concerns all paths of a peer (remove the old ones, judge them again, read their next hops again)
/// as one walk over the table, some thousand routes a turn. One walk serves any number of peers; no path pays for a
/// list it would be on.
#pragma once

#include <bgp/rib/table.h>
#include <bgp/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace minibgp::speaker {

/// Routes changed in one turn; and routes passed by, which cost far less.
inline constexpr std::size_t kSweepChangesPerTurn = 4096;
inline constexpr std::size_t kSweepRoutesPerTurn = 65536;

class Sweeper {
 public:
  explicit Sweeper(rib::Table& table) : table_(table) {}

  /// Paths of `peer` in `family` that were last announced before epoch `kept` go (see Table::begin_epoch()). The epoch
  /// is a number, not an age: epochs that begin meanwhile make no path older than it was.
  void remove_old(PeerId peer, Family family, std::uint8_t kept);
  /// Stale paths of `peer` whose next hop is not usable go.
  void remove_unusable(PeerId peer);
  /// How many epochs began since the oldest removal was asked for that is not done yet.
  [[nodiscard]] std::uint8_t lag(PeerId peer) const;
  void judge_again(PeerId peer);
  void read_next_hops(PeerId peer);
  /// Routes that use a path of this peer count as changed: how they are used has changed.
  void report(PeerId peer);
  /// Every route is selected again (maximum paths, MED rules).
  void reselect_all();

  [[nodiscard]] bool idle() const { return !walking_ && !waiting_any_; }
  /// No job of this peer is left.
  [[nodiscard]] bool idle(PeerId peer) const;

  /// One turn. `judge(peer, route, path index)` judges a path again.
  template <typename Judge>
  void run(Judge judge);

 private:
  struct Jobs {
    std::array<bool, kFamilies> remove_old{};
    std::array<std::uint8_t, kFamilies> kept{};        ///< Where remove_old is set.
    std::array<std::uint8_t, kFamilies> first_kept{};  ///< The same when the job was given first.
    bool remove_unusable = false;
    bool judge = false;
    bool next_hops = false;
    bool report = false;
    [[nodiscard]] bool any() const {
      return remove_old[0] || remove_old[1] || remove_unusable || judge || next_hops || report;
    }
  };
  struct Key {
    PeerId peer{};
    std::uint32_t path_id = 0;
  };

  [[nodiscard]] static std::size_t index_of(PeerId peer) { return static_cast<std::uint16_t>(peer); }
  [[nodiscard]] Jobs& wait(PeerId peer);
  [[nodiscard]] const Jobs* jobs(PeerId peer) const {
    return peer != kLocalPeer && index_of(peer) < now_.size() ? &now_[index_of(peer)] : nullptr;
  }
  void begin();
  void finish();
  [[nodiscard]] bool goes(const Jobs& todo, const rib::Route& route, const rib::Path& path) const {
    const auto family = static_cast<std::size_t>(route.prefix.family);
    return (todo.remove_old[family] && table_.older(route, path, todo.kept[family])) ||
           (todo.remove_unusable && table_.stale(route, path) && table_.next_hop_lost(path));
  }
  /// Whether anything changed.
  template <typename Judge>
  bool visit(rib::RouteId id, Judge judge);
  [[nodiscard]] std::uint32_t index_of_path(rib::RouteId id, Key key) const;

  rib::Table& table_;
  std::vector<Jobs> now_;      ///< By peer: of the walk that is under way.
  std::vector<Jobs> waiting_;  ///< By peer: of the next one.
  bool walking_ = false, waiting_any_ = false;
  bool reselect_now_ = false, reselect_waiting_ = false;
  rib::RouteId cursor_{};
  std::vector<Key> keys_;
};

template <typename Judge>
void Sweeper::run(Judge judge) {
  if (!walking_) {
    if (!waiting_any_) return;
    begin();
  }
  std::size_t changes = 0;
  for (std::size_t passed = 0; passed < kSweepRoutesPerTurn && changes < kSweepChangesPerTurn; ++passed) {
    const rib::RouteId id = table_.next(cursor_);
    if (id >= table_.end()) {
      finish();
      return;
    }
    cursor_ = rib::RouteId{static_cast<std::uint32_t>(id) + 1};
    changes += visit(id, judge) ? 1U : 0U;
  }
}

template <typename Judge>
bool Sweeper::visit(rib::RouteId id, Judge judge) {
  const rib::Route& route = table_.route(id);
  bool reread = reselect_now_;
  keys_.clear();
  for (std::uint32_t i = 0; i < route.path_count; ++i) {
    const rib::Path& path = route.path(i);
    const Jobs* const todo = jobs(path.peer);
    if (todo == nullptr || !todo->any()) continue;
    reread = reread || todo->next_hops;
    if (todo->report && i < route.best) table_.changed().add(static_cast<std::uint32_t>(id));
    if (todo->judge || goes(*todo, route, path)) keys_.push_back({path.peer, path.path_id});
  }
  // By key, since each change may put the paths into another order.
  for (const Key& key : keys_) {
    const std::uint32_t index = index_of_path(id, key);
    if (goes(*jobs(key.peer), route, route.path(index))) {
      table_.remove_path_at(id, index);
    } else {
      judge(key.peer, id, index);
    }
  }
  if (reread) table_.reselect(id);
  return reread || !keys_.empty();
}

}  // namespace minibgp::speaker
