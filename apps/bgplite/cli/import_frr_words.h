/// FRR's words, as tables: those without an effect on routing, those that are known and not carried over with what
/// follows from that, and those that open a block. Not here: words that are carried over, which stand beside the
/// functions that read them.
#pragma once

#include <apps/bgplite/cli/import_frr_lines.h>

#include <optional>
#include <string_view>

namespace bgplite::cli {

/// Where a row's words stand.
enum class FrrWhere : std::uint8_t { top, router, neighbor, interface, route_map, other };

struct FrrRow {
  FrrWhere where;
  std::string_view words;  ///< What the line begins with; behind "neighbor NAME" for neighbor.
  std::string_view why;
};

/// Why a line has no effect on routing; empty: it may have one.
[[nodiscard]] std::string_view frr_without_effect(FrrWhere where, const FrrLine& line);
/// "reason; consequence" of a line that is known and not carried over; empty: it is not known.
[[nodiscard]] std::string_view frr_not_carried(FrrWhere where, const FrrLine& line);
/// What is lost with a block that is not carried over: "OSPF ...".
[[nodiscard]] std::string_view frr_block_lost(std::string_view block);

struct FrrOpener {
  std::string_view inside;  ///< What the block around it begins with; empty: the top level, from anywhere.
  std::string_view words, closer;
  FrrBlock block;
};
/// The row for a line that opens a block inside that one.
[[nodiscard]] std::optional<FrrOpener> frr_opener(std::string_view inside, const FrrLine& line);
/// Whether only the top level knows the line. `inside`: the innermost block.
[[nodiscard]] bool frr_top_level(std::string_view inside, const FrrLine& line);

}  // namespace bgplite::cli
