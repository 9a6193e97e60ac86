/// PrefixIndex: lists of prefix ranges, up to 64 of them together, matched in one walk whatever their size.
///
/// A range matches a route's prefix when it covers it and the length is within ge..le. Because ge is never below the
/// range's own length, that is the same as: the range contains the route's *address*, and the route's *length* is
/// within ge..le. So every address has, per list, one set of lengths that match; that function of the address is
/// constant between the ends of the ranges, and the index stores it as a sorted array of its steps. A walk is one look
/// into a directory over the leading bits and a short binary search: two or three cache lines for ten entries or a
/// million.
///
/// Not here: which entry matched (traces and coverage ask the definition).
#pragma once

#include <bgp/policy_definition.h>
#include <bgp/types.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace minibgp::policy {

class PrefixIndex {
 public:
  using Row = std::uint32_t;
  static constexpr std::size_t kListsMax = 64;

  /// At most kListsMax lists. Entries must be sound (prefix length <= ge <= le <= address bits). O(n log n).
  explicit PrefixIndex(std::span<const std::span<const PrefixRange>> lists);

  /// The walk. The answer serves every list of this index.
  [[nodiscard]] Row find(const Prefix& prefix) const {
    return prefix.family == Family::ipv4 ? v4_.find(V4::key_of(prefix)) : v6_.find(V6::key_of(prefix));
  }
  /// Whether `list` has a range that matches `prefix`; `row` is find(prefix).
  [[nodiscard]] bool matches(Row row, std::size_t list, const Prefix& prefix) const {
    return prefix.family == Family::ipv4 ? v4_.lengths.test<V4::kLengthWords>(row, list, prefix.length_bits)
                                         : v6_.lengths.test<V6::kLengthWords>(row, list, prefix.length_bits);
  }
  [[nodiscard]] std::size_t octets() const;

 private:
  /// Rows of length sets: row r, list l is kLengthWords 64-bit words from (r * lists + l) * kLengthWords on. Row 0 is
  /// empty.
  struct LengthTable {
    std::vector<std::uint64_t> bits;
    std::size_t lists = 0;
    template <std::size_t kWords>
    [[nodiscard]] bool test(Row row, std::size_t list, std::uint8_t length) const {
      return (bits[(row * lists + list) * kWords + length / 64U] >> (length % 64U) & 1U) != 0;
    }
  };

  struct V4 {
    using Key = std::uint32_t;
    static constexpr std::size_t kLengthWords = 1;  // Lengths 0..32.
    static Key key_of(const Prefix& prefix) { return prefix.address().to_v4(); }
    static Key last_of(Key first, std::uint8_t length) {
      return length == 0 ? 0xFFFFFFFFU : first | static_cast<Key>((std::uint64_t{1} << (32U - length)) - 1U);
    }
    static std::uint64_t leading(Key key) { return key; }
    static bool is_last(Key key) { return key == 0xFFFFFFFFU; }
    static Key next(Key key) { return key + 1; }
  };
  struct V6 {
    struct Key {
      std::uint64_t high = 0, low = 0;
      auto operator<=>(const Key&) const = default;
    };
    static constexpr std::size_t kLengthWords = 3;  // Lengths 0..128.
    static Key key_of(const Prefix& prefix);
    static Key last_of(Key first, std::uint8_t length);
    static std::uint64_t leading(const Key& key) { return key.high; }
    static bool is_last(const Key& key) { return (key.high & key.low) == ~std::uint64_t{0}; }
    static Key next(Key key) { return {key.low + 1 == 0 ? key.high + 1 : key.high, key.low + 1}; }
  };

  /// The steps of one family, and a directory over the leading bits of their keys.
  template <typename Traits>
  struct Steps : Traits {
    using Key = typename Traits::Key;
    struct Step {
      Key from;
      Row row;
    };
    std::vector<Step> steps;               ///< Ascending; the first is the lowest address of all ranges.
    std::vector<std::uint32_t> directory;  ///< Slot s: the first step whose slot is above s.
    std::uint64_t base = 0;                ///< Leading bits of the first step.
    std::uint32_t shift = 0;
    LengthTable lengths;

    void build(std::span<const std::span<const PrefixRange>> lists, Family family);
    [[nodiscard]] Row find(const Key& key) const {
      if (steps.empty() || key < steps.front().from) return 0;
      const std::uint64_t slot = (Traits::leading(key) - base) >> shift;
      // Beyond the last slot the last step holds.
      if (slot >= directory.size() - 1) return steps.back().row;
      std::size_t first = slot == 0 ? 0 : directory[slot - 1];
      std::size_t count = directory[slot] - first;
      // The last step not above key is the one before the first that is above it; `first` may be that very one.
      while (count > 0) {
        const std::size_t half = count / 2;
        const bool right = !(key < steps[first + half].from);
        first = right ? first + half + 1 : first;
        count = right ? count - half - 1 : half;
      }
      return steps[first - 1].row;
    }
  };

  Steps<V4> v4_;
  Steps<V6> v6_;
};

}  // namespace minibgp::policy
