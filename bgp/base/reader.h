/// Big-endian numbers in bytes, and a bounds-checked cursor over them. Reading past the end never happens: it yields
/// zeros and sets failed(), which the caller asks once at the end of a structure. Where a length was checked already
/// (fixed-size attributes), the load functions are one instruction.
#pragma once

#include <bgp/types.h>

#include <cstdint>
#include <cstring>

namespace minibgp::base {

/// The caller owns the proof that the octets are there.
[[nodiscard]] inline std::uint16_t load_u16(const std::uint8_t* at) {
  return static_cast<std::uint16_t>((at[0] << 8U) | at[1]);
}
[[nodiscard]] inline std::uint32_t load_u32(const std::uint8_t* at) {
  std::uint32_t raw = 0;
  std::memcpy(&raw, at, sizeof raw);
  return __builtin_bswap32(raw);
}
[[nodiscard]] inline std::uint64_t load_u64(const std::uint8_t* at) {
  std::uint64_t raw = 0;
  std::memcpy(&raw, at, sizeof raw);
  return __builtin_bswap64(raw);
}

class Reader {
 public:
  explicit Reader(Bytes bytes) : bytes_(bytes) {}

  [[nodiscard]] std::uint8_t u8() { return claim(1) ? bytes_[next_ - 1] : std::uint8_t{0}; }
  [[nodiscard]] std::uint16_t u16() { return claim(2) ? load_u16(&bytes_[next_ - 2]) : std::uint16_t{0}; }
  [[nodiscard]] std::uint32_t u32() { return claim(4) ? load_u32(&bytes_[next_ - 4]) : 0U; }
  [[nodiscard]] std::uint64_t u64() { return claim(8) ? load_u64(&bytes_[next_ - 8]) : 0U; }
  /// The next `count` octets, or an empty view and failed() when there are fewer. Lives as long as the bytes.
  [[nodiscard]] Bytes take(std::size_t count) { return claim(count) ? bytes_.subspan(next_ - count, count) : Bytes{}; }
  [[nodiscard]] Bytes take_rest() { return take(remaining()); }
  void skip(std::size_t count) { static_cast<void>(claim(count)); }

  [[nodiscard]] std::size_t offset() const { return next_; }
  [[nodiscard]] std::size_t remaining() const { return bytes_.size() - next_; }
  [[nodiscard]] bool empty() const { return next_ == bytes_.size(); }
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  /// A failed reader is at its end and stays there: every later read fails too.
  bool claim(std::size_t count) {
    if (count > remaining()) {
      failed_ = true;
      next_ = bytes_.size();
      return false;
    }
    next_ += count;
    return true;
  }

  Bytes bytes_;
  std::size_t next_ = 0;
  bool failed_ = false;
};

}  // namespace minibgp::base
