/// A bounds-checked big-endian cursor over octets somebody else owns. Reading past the end never touches memory: it
/// gives zero (or an empty view) and fails() from then on, so that a decoder checks once, after the last field.
#pragma once

#include <bgp/types.h>

#include <cstddef>
#include <cstdint>

namespace minibgp::base {

class Reader {
 public:
  explicit constexpr Reader(Bytes bytes) : bytes_(bytes) {}

  /// Octets not read yet; 0 after a failure.
  [[nodiscard]] constexpr std::size_t left() const { return bytes_.size() - at_; }
  [[nodiscard]] constexpr bool done() const { return left() == 0; }
  /// Whether a read went past the end.
  [[nodiscard]] constexpr bool failed() const { return failed_; }
  /// Octets read so far: where the next field begins.
  [[nodiscard]] constexpr std::size_t offset() const { return at_; }
  /// What is left, without reading it. Valid while the octets are.
  [[nodiscard]] constexpr Bytes rest() const { return bytes_.subspan(at_); }

  constexpr std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
  constexpr std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
  constexpr std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
  constexpr std::uint64_t u64() { return number(8); }

  /// The next `count` octets; empty, and failed, where fewer are left. Valid while the octets are.
  constexpr Bytes take(std::size_t count) {
    if (count > left()) {
      fail();
      return {};
    }
    const Bytes taken = bytes_.subspan(at_, count);
    at_ += count;
    return taken;
  }
  constexpr void skip(std::size_t count) { static_cast<void>(take(count)); }
  /// Everything that is left.
  constexpr Bytes take_rest() { return take(left()); }

 private:
  constexpr std::uint64_t number(std::size_t octets) {
    std::uint64_t value = 0;
    for (const std::uint8_t octet : take(octets)) value = (value << 8U) | octet;
    return value;
  }
  constexpr void fail() {
    failed_ = true;
    at_ = bytes_.size();
  }

  Bytes bytes_;
  std::size_t at_ = 0;
  bool failed_ = false;
};

}  // namespace minibgp::base
