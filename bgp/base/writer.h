/// Appends big-endian fields to a vector, and patches lengths that are known only afterwards.
#pragma once

#include <bgp/base/assert.h>
#include <bgp/types.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace minibgp::base {

class Writer {
 public:
  /// `out` must outlive the writer; what it holds already stays.
  explicit Writer(std::vector<std::uint8_t>& out) : out_(out) {}

  [[nodiscard]] std::size_t size() const { return out_.size(); }

  void u8(std::uint8_t value) { out_.push_back(value); }
  void u16(std::uint16_t value) { number(value, 2); }
  void u32(std::uint32_t value) { number(value, 4); }
  void u64(std::uint64_t value) { number(value, 8); }
  void bytes(Bytes octets) { out_.insert(out_.end(), octets.begin(), octets.end()); }

  /// Appends a zero of 16 bits and says where, for patch_u16().
  [[nodiscard]] std::size_t reserve_u16() {
    const std::size_t at = out_.size();
    u16(0);
    return at;
  }
  [[nodiscard]] std::size_t reserve_u8() {
    const std::size_t at = out_.size();
    u8(0);
    return at;
  }
  void patch_u8(std::size_t at, std::size_t value) {
    BGP_ASSERT(at < out_.size() && value <= 0xFFU);
    out_[at] = static_cast<std::uint8_t>(value);
  }
  void patch_u16(std::size_t at, std::size_t value) {
    BGP_ASSERT(at + 2 <= out_.size() && value <= 0xFFFFU);
    out_[at] = static_cast<std::uint8_t>(value >> 8U);
    out_[at + 1] = static_cast<std::uint8_t>(value & 0xFFU);
  }

 private:
  void number(std::uint64_t value, std::size_t octets) {
    std::uint8_t raw[8];
    for (std::size_t i = octets; i > 0; --i, value >>= 8U) raw[i - 1] = static_cast<std::uint8_t>(value & 0xFFU);
    out_.insert(out_.end(), raw, raw + octets);
  }

  std::vector<std::uint8_t>& out_;
};

}  // namespace minibgp::base
