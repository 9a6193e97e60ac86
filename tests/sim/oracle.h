/// What a network of speakers must end up with, computed the slow way: every node asks every neighbor for its best
/// path, round after round, until nothing changes. Shares no code with the speaker but the values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include <testing/world.h>

namespace minibgp::testing {

/// One node's answer for one prefix.
struct OraclePath {
  const Node* from = nullptr;  ///< Null: its own announcement.
  std::vector<Asn> as_path;
  Origin origin = Origin::igp;
  bool operator==(const OraclePath&) const = default;
};
using OracleTable = std::map<Prefix, OraclePath>;

/// The best path of every node for every prefix announced anywhere, over links that pass between nodes that run.
[[nodiscard]] std::map<const Node*, OracleTable> fixpoint(const World& world);

}  // namespace minibgp::testing
