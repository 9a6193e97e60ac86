/// Bytes of a test, as they would be printed: hex("ff 00 1a"). White space is ignored; anything else that is no hex
/// digit ends the test program.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace minibgp::testing {

inline std::vector<std::uint8_t> hex(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::vector<std::uint8_t> bytes;
  bool half = false;
  for (const char c : text) {
    if (c == ' ' || c == '\n' || c == '\t') continue;
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) {
      std::fprintf(stderr, "hex(): '%c' in \"%.*s\"\n", c, static_cast<int>(text.size()), text.data());
      std::abort();
    }
    if (half)
      bytes.back() = static_cast<std::uint8_t>(unsigned{bytes.back()} << 4U | digit);
    else
      bytes.push_back(static_cast<std::uint8_t>(digit));
    half = !half;
  }
  return bytes;
}

template <typename Container>
std::string to_hex(const Container& bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t octet : bytes) {
    if (!text.empty()) text.push_back(' ');
    text.push_back(kDigits[octet >> 4U]);
    text.push_back(kDigits[octet & 0xFU]);
  }
  return text;
}

}  // namespace minibgp::testing
