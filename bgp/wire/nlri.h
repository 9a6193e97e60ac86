/// Prefixes to bytes and back (RFC 4271 s.4.3), with and without path identifier (RFC 7911 s.3), and the AFI/SAFI
/// numbers of the families we speak.
#pragma once

#include <bgp/messages.h>
#include <bgp/types.h>
#include <bgp/wire/numbers.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace minibgp::wire {

using minibgp::Nlri;

/// None: a family we do not speak.
[[nodiscard]] constexpr std::optional<Family> family_of(std::uint16_t afi, std::uint8_t safi) {
  if (safi != kSafiUnicast) return std::nullopt;
  if (afi == kAfiIpv4) return Family::ipv4;
  if (afi == kAfiIpv6) return Family::ipv6;
  return std::nullopt;
}
[[nodiscard]] constexpr std::uint16_t afi_of(Family family) { return family == Family::ipv4 ? kAfiIpv4 : kAfiIpv6; }

enum class PathIds : bool { absent, present };

/// What is wrong with a list of prefixes (RFC 7606 s.5.3). Anything but `none` means that the list cannot be trusted.
enum class NlriFault : std::uint8_t {
  none,
  length,   ///< More bits than the family has.
  overrun,  ///< The last prefix does not end with the field.
};

struct NlriOutcome {
  NlriFault fault = NlriFault::none;
  std::uint32_t offset = 0;   ///< Of the offending prefix within the field.
  std::uint32_t ignored = 0;  ///< Multicast prefixes, which were left out (RFC 4271 s.6.3: SHOULD be ignored).
};

/// Appends the prefixes of `field` to `out`. Bits past a prefix's length are cleared (RFC 4271 s.4.3: irrelevant).
[[nodiscard]] NlriOutcome decode_nlri(Bytes field, Family family, PathIds path_ids, std::vector<Nlri>& out);

/// Octets of `prefix` on the wire without path identifier: 1 + the octets its bits need.
[[nodiscard]] constexpr std::size_t nlri_size(const Prefix& prefix) { return 1U + (prefix.length_bits + 7U) / 8U; }
inline constexpr std::size_t kMaxNlriSize = 1 + 16;
inline constexpr std::size_t kPathIdSize = 4;

/// Writes `prefix` at `at`, where nlri_size() octets are free; returns the address after it.
std::uint8_t* store_nlri(std::uint8_t* at, const Prefix& prefix);

}  // namespace minibgp::wire
