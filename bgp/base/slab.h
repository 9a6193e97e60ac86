/// Stable 32-bit ids for fixed-size records, in chunks: growing never moves or copies a record, so the peak while a
/// table fills is the table itself, and a chunk whose records are all gone goes back to the allocator.
#pragma once

#include <bgp/base/assert.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace minibgp::base {

/// T: nothrow default-constructible. Ids are dense: new ones come from the chunk that last had room, then in order.
/// A reference is valid until its record is erased. The last chunk with room stays, so that a record that comes and
/// goes costs no allocation.
template <typename T, std::size_t kChunkRecords = 2048>
class Slab {
  static_assert((kChunkRecords & (kChunkRecords - 1)) == 0 && kChunkRecords >= 64 && kChunkRecords <= 0x8000);

 public:
  using Id = std::uint32_t;

  Slab() = default;
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;
  ~Slab() = default;

  [[nodiscard]] std::size_t size() const { return size_; }
  /// One past the largest id ever used: ids in use are below it.
  [[nodiscard]] Id bound() const { return static_cast<Id>(chunks_.size() * kChunkRecords); }

  [[nodiscard]] Id insert() {
    if (partial_.empty()) add_chunk();
    const Id chunk_index = partial_.back();
    Chunk& chunk = *chunks_[chunk_index];
    std::uint16_t slot = 0;
    if (chunk.free_head != kNone) {
      slot = chunk.free_head;
      chunk.free_head = chunk.next_free[slot];
    } else {
      slot = chunk.fresh++;
    }
    chunk.used[slot / 64U] |= std::uint64_t{1} << (slot % 64U);
    if (++chunk.live == kChunkRecords) partial_.pop_back(), chunk.in_partial = false;
    ++size_;
    chunk.records[slot] = T{};
    return static_cast<Id>(chunk_index * kChunkRecords + slot);
  }

  void erase(Id id) {
    BGP_ASSERT(contains(id));  // Owners erase an id once, when its last reference goes.
    const Id chunk_index = id / kChunkRecords;
    Chunk& chunk = *chunks_[chunk_index];
    const auto slot = static_cast<std::uint16_t>(id % kChunkRecords);
    chunk.used[slot / 64U] &= ~(std::uint64_t{1} << (slot % 64U));
    --size_;
    if (--chunk.live == 0 && (partial_.size() > 1 || size_ == 0)) {
      release_chunk(chunk_index);
      return;
    }
    chunk.records[slot] = T{};
    chunk.next_free[slot] = chunk.free_head;
    chunk.free_head = slot;
    if (!chunk.in_partial) partial_.push_back(chunk_index), chunk.in_partial = true;
  }

  [[nodiscard]] bool contains(Id id) const {
    const std::size_t chunk_index = id / kChunkRecords;
    if (chunk_index >= chunks_.size() || chunks_[chunk_index] == nullptr) return false;
    const std::size_t slot = id % kChunkRecords;
    return ((chunks_[chunk_index]->used[slot / 64U] >> (slot % 64U)) & 1U) != 0;
  }
  /// Fetches the record into the cache, if there is one.
  void prefetch(Id id) const {
    if (id >= bound()) return;
    if (const Chunk* chunk = chunks_[id / kChunkRecords].get()) __builtin_prefetch(&chunk->records[id % kChunkRecords]);
  }
  [[nodiscard]] T& operator[](Id id) {
    BGP_DCHECK(contains(id));
    return chunks_[id / kChunkRecords]->records[id % kChunkRecords];
  }
  [[nodiscard]] const T& operator[](Id id) const {
    BGP_DCHECK(contains(id));
    return chunks_[id / kChunkRecords]->records[id % kChunkRecords];
  }

  /// First id in use at or after `from`; bound() when there is none.
  [[nodiscard]] Id next(Id from) const {
    for (; from < bound(); ++from) {
      if (chunks_[from / kChunkRecords] == nullptr) {
        from = static_cast<Id>((from / kChunkRecords + 1) * kChunkRecords - 1);
        continue;
      }
      const std::size_t slot = from % kChunkRecords;
      const std::uint64_t word = chunks_[from / kChunkRecords]->used[slot / 64U] >> (slot % 64U);
      if ((word & 1U) != 0) return from;
      if (word == 0) from |= 63U;  // Nothing more in this word.
    }
    return bound();
  }

  [[nodiscard]] std::size_t octets() const {
    std::size_t chunks = 0;
    for (const auto& chunk : chunks_) chunks += chunk != nullptr ? 1U : 0U;
    return chunks * sizeof(Chunk) + chunks_.capacity() * sizeof(void*);
  }

 private:
  static constexpr std::uint16_t kNone = 0xFFFF;
  struct Chunk {
    std::array<T, kChunkRecords> records;
    std::array<std::uint64_t, kChunkRecords / 64> used{};
    std::array<std::uint16_t, kChunkRecords> next_free;
    std::uint16_t free_head = kNone;
    std::uint16_t fresh = 0;  ///< Records from here on were never used.
    std::uint16_t live = 0;
    bool in_partial = true;
  };

  void add_chunk() {
    if (!released_.empty()) {
      const Id index = released_.back();
      released_.pop_back();
      chunks_[index].reset(new Chunk);
      partial_.push_back(index);
      return;
    }
    BGP_ASSERT(chunks_.size() < 0xFFFFFFFFU / kChunkRecords);  // 4 billion records: memory ends before.
    chunks_.emplace_back(new Chunk);
    partial_.push_back(static_cast<Id>(chunks_.size() - 1));
  }
  void release_chunk(Id index) {
    if (chunks_[index]->in_partial) {
      for (Id& entry : partial_) {
        if (entry != index) continue;
        entry = partial_.back();
        partial_.pop_back();
        break;
      }
    }
    chunks_[index].reset();
    if (index + 1 == chunks_.size()) {
      while (!chunks_.empty() && chunks_.back() == nullptr) {
        chunks_.pop_back();
        for (Id& entry : released_) {
          if (entry != chunks_.size()) continue;
          entry = released_.back();
          released_.pop_back();
          break;
        }
      }
    } else {
      released_.push_back(index);
    }
  }

  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::vector<Id> partial_;   ///< Chunks with room.
  std::vector<Id> released_;  ///< Chunk indices whose memory was given back.
  std::size_t size_ = 0;
};

}  // namespace minibgp::base
