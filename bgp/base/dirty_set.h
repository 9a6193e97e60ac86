/// A coalescing FIFO of ids: adding one that is waiting already changes nothing, and taking is in order of adding. What
/// parts of the speaker tell each other is such a set of things that changed, never a queue of messages: memory is
/// bounded by the number of things, and a thing that changes ten times is worked on once.
#pragma once

#include <bgp/base/assert.h>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace minibgp::base {

class DirtySet {
 public:
  using Id = std::uint32_t;

  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }

  [[nodiscard]] bool contains(Id id) const {
    return id / 64U < bits_.size() && ((bits_[id / 64U] >> (id % 64U)) & 1U) != 0;
  }

  /// Whether it was new. Amortized O(1).
  bool add(Id id) {
    if (id / 64U >= bits_.size()) bits_.resize(static_cast<std::size_t>(id) / 64U * 5U / 4U + 1U);
    std::uint64_t& word = bits_[id / 64U];
    const std::uint64_t bit = std::uint64_t{1} << (id % 64U);
    if ((word & bit) != 0) return false;
    word |= bit;
    queue_.push_back(id);
    ++size_;
    return true;
  }

  /// The oldest id; the set must not be empty.
  [[nodiscard]] Id take() {
    BGP_ASSERT(size_ > 0);  // Every caller asks empty() first.
    const Id id = queue_[head_++];
    bits_[id / 64U] &= ~(std::uint64_t{1} << (id % 64U));
    if (--size_ == 0) {
      reset_queue();
    } else if (head_ >= 4096 && head_ * 2 >= queue_.size()) {
      queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
    return id;
  }

  template <typename Visit>
  void for_each(Visit visit) const {
    for (std::size_t i = head_; i < queue_.size(); ++i) visit(queue_[i]);
  }

  void clear() {
    bits_ = {};
    queue_ = {};
    head_ = size_ = 0;
  }

  [[nodiscard]] std::size_t octets() const { return bits_.capacity() * 8U + queue_.capacity() * sizeof(Id); }

 private:
  static constexpr std::size_t kQueueKept = 16384;  // Ids; a larger queue gives its memory back when it runs empty.

  void reset_queue() {
    head_ = 0;
    if (queue_.capacity() > kQueueKept) {
      queue_ = {};
    } else {
      queue_.clear();
    }
  }

  std::vector<std::uint64_t> bits_;  ///< By id: is it in the queue?
  std::vector<Id> queue_;            ///< From head_ on.
  std::size_t head_ = 0;
  std::size_t size_ = 0;
};

}  // namespace minibgp::base
