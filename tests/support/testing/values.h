/// Short spellings of values for tests: "203.0.113.0/24"_prefix, "192.0.2.1"_ip, "ff 00"_hex. A wrong text ends the
/// program: it is a mistake in the test.
#pragma once

#include <bgp/text.h>
#include <bgp/types.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace minibgp::testing::literals {

inline void must(bool condition) {
  if (!condition) std::abort();
}  ///< Ends the program if a test's own value is wrong.

[[nodiscard]] inline Prefix operator""_prefix(const char* text, std::size_t size) {
  const auto prefix = parse_prefix({text, size});
  must(prefix.has_value());
  return *prefix;
}

[[nodiscard]] inline IpAddress operator""_ip(const char* text, std::size_t size) {
  const auto address = parse_address({text, size});
  must(address.has_value());
  return *address;
}

/// Pairs of hexadecimal digits; blanks between pairs are ignored.
[[nodiscard]] inline std::vector<std::uint8_t> operator""_hex(const char* text, std::size_t size) {
  const auto digit = [](char c) -> unsigned {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10U;
    must(c >= 'A' && c <= 'F');
    return static_cast<unsigned>(c - 'A') + 10U;
  };
  std::vector<std::uint8_t> octets;
  for (std::size_t i = 0; i < size; ++i) {
    if (text[i] == ' ' || text[i] == '\n') continue;
    must(i + 1 < size);
    octets.push_back(static_cast<std::uint8_t>(digit(text[i]) << 4U | digit(text[i + 1])));
    ++i;
  }
  return octets;
}

}  // namespace minibgp::testing::literals
