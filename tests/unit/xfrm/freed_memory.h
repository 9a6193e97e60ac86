/// FreedMemory: whether memory that is given back still has a key in it.
#pragma once

#include <cstddef>
#include <string_view>

namespace minibgp::testing {

/// While it lives, `operator delete` looks for `text`, which must outlive it, in each block before it is freed. One at
/// a time.
class FreedMemory {
 public:
  explicit FreedMemory(std::string_view text);
  ~FreedMemory();
  FreedMemory(const FreedMemory&) = delete;
  FreedMemory& operator=(const FreedMemory&) = delete;
  /// How many blocks had it.
  [[nodiscard]] std::size_t blocks() const;
};

}  // namespace minibgp::testing
