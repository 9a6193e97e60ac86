/// Big-endian numbers into bytes: an appender with back-patching for a growing message, and stores for where the size
/// was reserved already.
#pragma once

#include <bgp/types.h>

#include <cstdint>
#include <cstring>
#include <vector>

namespace minibgp::base {

/// The caller owns the proof that the octets are there. Each returns the address after what it wrote.
inline std::uint8_t* store_u8(std::uint8_t* at, std::uint8_t value) {
  *at = value;
  return at + 1;
}
inline std::uint8_t* store_u16(std::uint8_t* at, std::uint16_t value) {
  at[0] = static_cast<std::uint8_t>(value >> 8U);
  at[1] = static_cast<std::uint8_t>(value & 0xFFU);
  return at + 2;
}
inline std::uint8_t* store_u32(std::uint8_t* at, std::uint32_t value) {
  const std::uint32_t raw = __builtin_bswap32(value);
  std::memcpy(at, &raw, sizeof raw);
  return at + sizeof raw;
}
inline std::uint8_t* store_u64(std::uint8_t* at, std::uint64_t value) {
  const std::uint64_t raw = __builtin_bswap64(value);
  std::memcpy(at, &raw, sizeof raw);
  return at + sizeof raw;
}
inline std::uint8_t* store_bytes(std::uint8_t* at, Bytes bytes) {
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

/// Appends to a vector somebody else owns.
class Writer {
 public:
  explicit Writer(std::vector<std::uint8_t>& out) : out_(out) {}

  void u8(std::uint8_t value) { out_.push_back(value); }
  void u16(std::uint16_t value) { store_u16(grow(2), value); }
  void u32(std::uint32_t value) { store_u32(grow(4), value); }
  void u64(std::uint64_t value) { store_u64(grow(8), value); }
  void bytes(Bytes bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }

  [[nodiscard]] std::size_t size() const { return out_.size(); }
  /// Overwrites what was appended at `offset`, for lengths that are known only afterwards.
  void patch_u8(std::size_t offset, std::size_t value) { out_[offset] = static_cast<std::uint8_t>(value); }
  void patch_u16(std::size_t offset, std::size_t value) { store_u16(&out_[offset], static_cast<std::uint16_t>(value)); }

 private:
  std::uint8_t* grow(std::size_t count) {
    out_.resize(out_.size() + count);
    return out_.data() + out_.size() - count;
  }

  std::vector<std::uint8_t>& out_;
};

}  // namespace minibgp::base
