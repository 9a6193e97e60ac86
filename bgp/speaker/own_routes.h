/// OwnRoutes: what the program announces itself, as paths of kLocalPeer, and the networks they make for policies
/// (PrefixFacts::own_networks).
#pragma once

#include <bgp/path.h>
#include <bgp/rib/attr_table.h>
#include <bgp/rib/table.h>
#include <bgp/snapshots.h>
#include <bgp/speaker/prefix_facts.h>
#include <bgp/types.h>

#include <cstddef>
#include <map>
#include <vector>

namespace minibgp::speaker {

class OwnRoutes {
 public:
  /// All outlive it.
  OwnRoutes(rib::AttrTable& attributes, rib::Table& table, PrefixFacts& facts)
      : attributes_(attributes), table_(table), facts_(facts) {}

  void announce(const Prefix& prefix, const PathAttributes& attributes);
  /// No effect if it is not announced.
  void withdraw(const Prefix& prefix);
  [[nodiscard]] std::size_t size() const { return routes_.size(); }
  /// In no particular order.
  [[nodiscard]] std::vector<AnnouncedSnapshot> all() const;

 private:
  rib::AttrTable& attributes_;
  rib::Table& table_;
  PrefixFacts& facts_;
  std::map<Prefix, AttrId> routes_;  ///< Each holds a reference.
};

}  // namespace minibgp::speaker
