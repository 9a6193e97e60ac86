/// An open-addressing hash from a key, which lives in the record, to the record's 32-bit id: 5 octets and a third per
/// slot. A bucket is one cache line: twelve tags (8 bits of the hash each), twelve ids, and a count of the entries that
/// had to go past it; so a probe costs one line and, nearly always, the one record that matches. Erasing leaves no
/// tombstone (the count goes down again). Growing takes a few buckets per insert, so no single insert pays for all and
/// the peak is one and a half tables. The layout is that of F14 (Folly).
#pragma once

#include <bgp/base/assert.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>

namespace minibgp::base {

class FlatIndex {
 public:
  static constexpr std::uint32_t kNotFound = std::numeric_limits<std::uint32_t>::max();

  [[nodiscard]] std::size_t size() const { return size_; }

  /// The id of the record for which `matches(id)` holds, among those whose hash agrees; kNotFound when there is none.
  template <typename Matches>
  [[nodiscard]] std::uint32_t find(std::uint64_t hash, Matches matches) const {
    const std::uint32_t id = now_.find(hash, matches);
    if (id != kNotFound || before_.buckets == nullptr) return id;
    return before_.find(hash, matches);
  }

  /// Adds a record that find() does not know yet. `hash_of(id)` is asked for records that move while growing.
  template <typename HashOf>
  void insert(std::uint64_t hash, std::uint32_t id, HashOf hash_of) {
    if (size_ >= now_.limit()) grow(hash_of);
    move_some(hash_of, kBucketsMovedPerInsert);
    now_.insert(hash, id);
    ++size_;
  }

  void erase(std::uint64_t hash, std::uint32_t id) {
    const bool erased = now_.erase(hash, id) || (before_.buckets != nullptr && before_.erase(hash, id));
    BGP_ASSERT(erased);  // Owners erase what they inserted, by the hash of a record that does not change.
    if (--size_ == 0) now_ = {}, before_ = {}, moved_ = 0;
  }

  /// Fetches the bucket of `hash` into the cache, for a caller that knows its next keys.
  void prefetch(std::uint64_t hash) const {
    if (now_.buckets != nullptr) __builtin_prefetch(&now_.buckets[hash & now_.mask]);
  }

  [[nodiscard]] std::size_t octets() const { return now_.octets() + before_.octets(); }

 private:
  static constexpr std::size_t kSlots = 12;
  static constexpr std::size_t kBucketsMovedPerInsert = 2;  // A grown table has room for 10 inserts per old bucket.

  struct alignas(64) Bucket {
    std::uint8_t tags[kSlots];  ///< 0: empty.
    std::uint8_t passed;        ///< Entries that went past this bucket; sticks at 255.
    std::uint8_t unused[3];
    std::uint32_t ids[kSlots];
  };
  static_assert(sizeof(Bucket) == 64);

  static std::uint8_t tag_of(std::uint64_t hash) { return static_cast<std::uint8_t>((hash >> 56U) | 0x80U); }

  /// Bit 7 of each octet of the result: that octet of `word` equals `tag`. An octet after a true match may match
  /// falsely, which costs a compare, never an error.
  static std::uint64_t equal_octets(std::uint64_t word, std::uint8_t tag) {
    const std::uint64_t difference = word ^ (0x0101010101010101U * tag);
    return (difference - 0x0101010101010101U) & ~difference & 0x8080808080808080U;
  }

  struct Table {
    std::unique_ptr<Bucket[]> buckets;
    std::size_t mask = 0;

    [[nodiscard]] std::size_t count() const { return buckets == nullptr ? 0 : mask + 1; }
    [[nodiscard]] std::size_t limit() const { return count() * 10; }  // Of 12: beyond that, probes lengthen.
    [[nodiscard]] std::size_t octets() const { return count() * sizeof(Bucket); }

    template <typename Matches>
    [[nodiscard]] std::uint32_t find(std::uint64_t hash, Matches matches) const {
      if (buckets == nullptr) return kNotFound;
      const std::uint8_t tag = tag_of(hash);
      for (std::size_t at = hash & mask, probes = 0; probes <= mask; at = (at + 1) & mask, ++probes) {
        const Bucket& bucket = buckets[at];
        std::uint64_t low = 0;
        std::uint64_t high = 0;
        std::memcpy(&low, bucket.tags, 8);
        std::memcpy(&high, bucket.tags + 8, 8);
        for (std::uint64_t hits = equal_octets(low, tag); hits != 0; hits &= hits - 1) {
          const auto slot = static_cast<std::size_t>(__builtin_ctzll(hits)) / 8U;
          if (matches(bucket.ids[slot])) return bucket.ids[slot];
        }
        for (std::uint64_t hits = equal_octets(high & 0xFFFFFFFFU, tag); hits != 0; hits &= hits - 1) {
          const auto slot = 8U + static_cast<std::size_t>(__builtin_ctzll(hits)) / 8U;
          if (slot < kSlots && matches(bucket.ids[slot])) return bucket.ids[slot];
        }
        if (bucket.passed == 0) break;
      }
      return kNotFound;
    }

    void insert(std::uint64_t hash, std::uint32_t id) {
      for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
        Bucket& bucket = buckets[at];
        for (std::size_t slot = 0; slot < kSlots; ++slot) {
          if (bucket.tags[slot] != 0) continue;
          bucket.tags[slot] = tag_of(hash);
          bucket.ids[slot] = id;
          return;
        }
        if (bucket.passed != 0xFF) ++bucket.passed;
      }
    }

    bool erase(std::uint64_t hash, std::uint32_t id) {
      if (buckets == nullptr) return false;
      const std::size_t home = hash & mask;
      for (std::size_t at = home, probes = 0; probes <= mask; at = (at + 1) & mask, ++probes) {
        Bucket& bucket = buckets[at];
        for (std::size_t slot = 0; slot < kSlots; ++slot) {
          if (bucket.tags[slot] == 0 || bucket.ids[slot] != id) continue;
          bucket.tags[slot] = 0;
          for (std::size_t passed = home; passed != at; passed = (passed + 1) & mask)
            if (buckets[passed].passed != 0xFF) --buckets[passed].passed;
          return true;
        }
        if (bucket.passed == 0) return false;
      }
      return false;
    }
  };

  template <typename HashOf>
  void grow(HashOf hash_of) {
    move_some(hash_of, before_.count());
    before_ = std::move(now_);
    moved_ = 0;
    const std::size_t count = before_.buckets == nullptr ? 1 : before_.count() * 2;
    now_.buckets.reset(new Bucket[count]());
    now_.mask = count - 1;
  }

  template <typename HashOf>
  void move_some(HashOf hash_of, std::size_t buckets) {
    if (before_.buckets == nullptr) return;
    for (; buckets > 0 && moved_ < before_.count(); --buckets, ++moved_) {
      Bucket& from = before_.buckets[moved_];
      for (std::size_t slot = 0; slot < kSlots; ++slot) {
        if (from.tags[slot] == 0) continue;
        from.tags[slot] = 0;  // `passed` stays: entries behind it must still be found.
        now_.insert(hash_of(from.ids[slot]), from.ids[slot]);
      }
    }
    if (moved_ == before_.count()) before_ = {}, moved_ = 0;
  }

  Table now_;
  Table before_;  ///< While growing: the smaller table, whose first `moved_` buckets are empty.
  std::size_t moved_ = 0;
  std::size_t size_ = 0;
};

}  // namespace minibgp::base
