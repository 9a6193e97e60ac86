#include "oracle.h"

#include <algorithm>
#include <tuple>

namespace minibgp::testing {
namespace {

struct Neighbor {
  const Node* node;
  IpAddress address;  ///< Of that node, on the link.
};

/// RFC 4271 s.9.1.2.2 as one tuple: smaller is better. No MED and no costs in these worlds; LOCAL_PREF is 100
/// everywhere.
[[nodiscard]] auto rank(const Node& self, const OraclePath& path, const IpAddress& neighbor_address) {
  const bool own = path.from == nullptr;
  const bool internal = !own && path.from->as() == self.as();
  return std::tuple{
      !own, path.as_path.size(), path.origin, internal, own ? RouterId{} : path.from->router_id(), neighbor_address};
}

/// What `from` tells `to` about a path of its own table; none when it says nothing or `to` refuses it.
[[nodiscard]] std::optional<OraclePath> told(const Node& from, const Node& to, const OraclePath& path) {
  const bool internal = from.as() == to.as();
  if (path.from == &to) return std::nullopt;
  if (internal && path.from != nullptr && path.from->as() == from.as()) return std::nullopt;  // iBGP to iBGP.
  OraclePath sent{&from, path.as_path, path.origin};
  if (!internal) sent.as_path.insert(sent.as_path.begin(), from.as());
  if (std::find(sent.as_path.begin(), sent.as_path.end(), to.as()) != sent.as_path.end()) return std::nullopt;
  return sent;
}

}  // namespace

std::map<const Node*, OracleTable> fixpoint(const World& world) {
  std::map<const Node*, std::vector<Neighbor>> neighbors;
  for (const auto& link : world.links()) {
    if (!link->passes() || !link->left().is_running() || !link->right().is_running()) continue;
    neighbors[&link->left()].push_back({&link->right(), link->address_of(link->right())});
    neighbors[&link->right()].push_back({&link->left(), link->address_of(link->left())});
  }
  std::map<const Node*, OracleTable> tables;
  for (bool changed = true; changed;) {
    changed = false;
    std::map<const Node*, OracleTable> next;
    for (const auto& node : world.nodes()) {
      if (!node->is_running()) continue;
      OracleTable& table = next[node.get()];
      std::map<Prefix, IpAddress> addresses;
      for (const auto& [prefix, attributes] : node->announcements()) table[prefix] = {nullptr, {}, attributes.origin};
      for (const Neighbor& neighbor : neighbors[node.get()]) {
        for (const auto& [prefix, path] : tables[neighbor.node]) {
          const auto heard = told(*neighbor.node, *node, path);
          if (!heard) continue;
          const auto known = table.find(prefix);
          if (known != table.end() &&
              rank(*node, known->second, addresses[prefix]) < rank(*node, *heard, neighbor.address))
            continue;
          table[prefix] = *heard;
          addresses[prefix] = neighbor.address;
        }
      }
    }
    if (next != tables) changed = true;
    tables = std::move(next);
  }
  return tables;
}

}  // namespace minibgp::testing
