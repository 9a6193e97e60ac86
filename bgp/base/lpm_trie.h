/// Longest-prefix match over a few prefixes (own networks, next hops): a binary trie without path compression, one
/// level per bit. Not for the routing table, which needs exact match only (see rib/table.h).
#pragma once

#include <bgp/base/assert.h>
#include <bgp/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace minibgp::base {

template <typename Value>
class LpmTrie {
 public:
  /// Adds or replaces.
  void insert(const Prefix& prefix, Value value) {
    std::uint32_t at = root(prefix.family);
    for (unsigned bit = 0; bit < prefix.length_bits; ++bit) {
      const unsigned side = bit_of(prefix.octets, bit);
      if (nodes_[at].child[side] == 0) {
        const std::uint32_t made = make();
        nodes_[at].child[side] = made;  // After make(), which may move the nodes.
      }
      at = nodes_[at].child[side];
    }
    if (!nodes_[at].value) ++size_;
    nodes_[at].value = std::move(value);
  }

  /// Whether it was there. Nodes that serve nothing any more are reused.
  bool erase(const Prefix& prefix) {
    std::array<std::uint32_t, 129> path{};
    std::uint32_t at = root(prefix.family);
    for (unsigned bit = 0; bit < prefix.length_bits; ++bit) {
      path[bit] = at;
      at = nodes_[at].child[bit_of(prefix.octets, bit)];
      if (at == 0) return false;
    }
    if (!nodes_[at].value) return false;
    nodes_[at].value.reset();
    --size_;
    for (unsigned bit = prefix.length_bits; bit > 0; --bit) {
      if (nodes_[at].value || nodes_[at].child[0] != 0 || nodes_[at].child[1] != 0) break;
      free_.push_back(at);
      at = path[bit - 1];
      nodes_[at].child[bit_of(prefix.octets, bit - 1)] = 0;
    }
    return true;
  }

  /// The value of `prefix` itself; null when there is none. Valid until the next change.
  [[nodiscard]] const Value* exact(const Prefix& prefix) const {
    std::uint32_t at = root(prefix.family);
    for (unsigned bit = 0; bit < prefix.length_bits; ++bit) {
      at = nodes_[at].child[bit_of(prefix.octets, bit)];
      if (at == 0) return nullptr;
    }
    return nodes_[at].value ? &*nodes_[at].value : nullptr;
  }

  /// The value of the longest prefix that covers `prefix` (itself included); null when none does. Valid until the next
  /// change.
  [[nodiscard]] const Value* covering(const Prefix& prefix) const {
    const Value* found = nullptr;
    std::uint32_t at = root(prefix.family);
    for (unsigned bit = 0;; ++bit) {
      if (nodes_[at].value) found = &*nodes_[at].value;
      if (bit == prefix.length_bits) return found;
      at = nodes_[at].child[bit_of(prefix.octets, bit)];
      if (at == 0) return found;
    }
  }
  [[nodiscard]] const Value* lookup(const IpAddress& address) const {
    return covering(Prefix::of(address, address_bits(address.family)));
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }

 private:
  struct Node {
    std::array<std::uint32_t, 2> child{};  ///< 0: none (no child is a root).
    std::optional<Value> value;
  };

  static std::uint32_t root(Family family) { return family == Family::ipv4 ? 0U : 1U; }
  static unsigned bit_of(const std::array<std::uint8_t, 16>& octets, unsigned bit) {
    return (octets[bit / 8U] >> (7U - bit % 8U)) & 1U;
  }
  std::uint32_t make() {
    if (!free_.empty()) {
      const std::uint32_t node = free_.back();
      free_.pop_back();
      nodes_[node] = Node{};
      return node;
    }
    nodes_.emplace_back();
    return static_cast<std::uint32_t>(nodes_.size() - 1);
  }

  std::vector<Node> nodes_ = std::vector<Node>(kFamilies);  ///< One root per family.
  std::vector<std::uint32_t> free_;
  std::size_t size_ = 0;
};

}  // namespace minibgp::base
