/// TableOwnership: which routes are ours, and where runs of ours wrote. A route is ours by its table and protocol
/// number: this run's, or those of an earlier run that is not clean yet, which means that something it wrote may still
/// be there. What is owned is told to the program, which keeps it on disk for the next run.
#pragma once

#include <fib/route.h>

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

namespace minibgp::fib {

class TableOwnership {
 public:
  /// `own`: what this run writes to, and with. `tables`: of all routes this run has or had; outlives it. Without
  /// `enabled` this run writes nothing.
  TableOwnership(const OwnedTable& own, const std::set<std::uint32_t>& tables, bool enabled)
      : own_(own), tables_(tables), enabled_(enabled) {}

  /// Where earlier runs wrote to. What this run writes to anyway is left out.
  void set_former(std::span<const OwnedTable> former);
  [[nodiscard]] const std::vector<OwnedTable>& former() const { return former_; }
  void set_table(std::uint32_t table);

  [[nodiscard]] std::uint32_t table() const { return own_.table; }
  [[nodiscard]] std::uint8_t protocol() const { return own_.protocol; }
  [[nodiscard]] std::uint32_t next_hop_id_base() const { return own_.next_hop_id_base; }
  /// Whether routes of this run may be in the table.
  [[nodiscard]] bool in_our_tables(std::uint32_t table) const { return tables_.contains(table); }
  /// Whether a run of ours wrote the route, this one or an earlier one.
  [[nodiscard]] bool wrote(std::uint32_t table, std::uint8_t protocol) const;
  /// Of this run: its protocol, in its range of ids.
  [[nodiscard]] bool is_present(const OwnedTable& one) const {
    return one.protocol == own_.protocol && one.next_hop_id_base == own_.next_hop_id_base;
  }
  [[nodiscard]] OwnedTable present(std::uint32_t table) const { return {table, own_.protocol, own_.next_hop_id_base}; }

  /// The tables of this run changed.
  void note_change() { changed_ = true; }
  /// Nothing that the run wrote there is left.
  void forget(const OwnedTable& clean);
  /// Where routes of ours are or may be, when that changed since the last call.
  [[nodiscard]] std::optional<std::vector<OwnedTable>> take_change();

 private:
  OwnedTable own_;
  const std::set<std::uint32_t>& tables_;
  bool enabled_;
  std::vector<OwnedTable> former_;
  std::vector<OwnedTable> reported_;  ///< By the last take_change().
  bool changed_ = true;
};

}  // namespace minibgp::fib
