/// The values everyone shares: numbers of the protocol, addresses, prefixes, time. No behaviour beyond comparing,
/// hashing and masking; text is in bgp/text.h.
#pragma once

#include <array>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>

namespace minibgp {

/// Octets somebody else owns; valid as long as the function that hands them out says.
using Bytes = std::span<const std::uint8_t>;

/// Time is an argument. Only bgp/net/clock.h and the tests' World make values of it.
struct SpeakerClock {
  using duration = std::chrono::nanoseconds;  ///< Exact; 292 years.
  using rep = duration::rep;  ///< As std::chrono asks.
  using period = duration::period;  ///< As std::chrono asks.
  using time_point = std::chrono::time_point<SpeakerClock>;  ///< As std::chrono asks.
  static constexpr bool is_steady = true;
};
using Time = SpeakerClock::time_point;  ///< A moment, as the caller's clock has it.
using Duration = SpeakerClock::duration;  ///< Between two moments.
inline constexpr Time kNever = Time::max();  ///< After every other moment.

/// An autonomous system number, 4 octets (RFC 6793).
enum class Asn : std::uint32_t {};
/// A BGP identifier (RFC 6286), host order: 0x0A000001 is 10.0.0.1.
enum class RouterId : std::uint32_t {};
/// A configured peer. Reused only after the peer was removed and its paths are gone. 0xFFFF is "this speaker itself".
enum class PeerId : std::uint16_t {};
inline constexpr PeerId kLocalPeer{0xFFFF};  ///< The source of what the program itself announces.
/// A set of path attributes interned by the speaker; equality is equality of the attributes. 0 is "none".
enum class AttrId : std::uint32_t {};
inline constexpr AttrId kNoAttributes{0};  ///< No route: absent, or refused by policy.
/// One TCP connection, unique for the life of a speaker.
enum class ConnId : std::uint32_t {};
/// Address families (AFI 1 and 2, unicast).
enum class Family : std::uint8_t { ipv4, ipv6 };
inline constexpr std::size_t kFamilies = 2;  ///< For arrays that are indexed by Family.
[[nodiscard]] constexpr std::uint8_t address_bits(Family family) { return family == Family::ipv4 ? 32 : 128; }

/// An IPv4 or IPv6 address in network order. IPv4 uses the first four octets; the rest is zero. The default value is
/// 0.0.0.0, which is_set() calls unset, as is ::.
struct IpAddress {
  std::array<std::uint8_t, 16> octets{};
  Family family = Family::ipv4;

  [[nodiscard]] static constexpr IpAddress v4(std::uint32_t host_order) {
    IpAddress address;
    for (std::size_t i = 0; i < 4; ++i)
      address.octets[i] = static_cast<std::uint8_t>((host_order >> (24U - 8U * i)) & 0xFFU);
    return address;
  }  ///< From a number such as 0xC0000201.
  [[nodiscard]] static constexpr IpAddress v6(const std::array<std::uint8_t, 16>& network_order) {
    return IpAddress{network_order, Family::ipv6};
  }  ///< As on the wire.
  /// Host order; meaningful for IPv4 only.
  [[nodiscard]] constexpr std::uint32_t to_v4() const {
    return (std::uint32_t{octets[0]} << 24U) | (std::uint32_t{octets[1]} << 16U) | (std::uint32_t{octets[2]} << 8U) |
           octets[3];
  }
  [[nodiscard]] constexpr bool is_set() const { return octets != std::array<std::uint8_t, 16>{}; }  ///< Not all zeros.
  [[nodiscard]] constexpr bool is_link_local_v6() const {
    return family == Family::ipv6 && octets[0] == 0xFE && (octets[1] & 0xC0U) == 0x80;
  }  ///< fe80::/10.
  /// The address's own octets: 4 or 16. Valid while the address lives.
  [[nodiscard]] constexpr Bytes bytes() const { return Bytes{octets}.first(address_bits(family) / 8U); }
  constexpr auto operator<=>(const IpAddress&) const = default;
};

/// A prefix, always in canonical form: bits past the length are zero (make it with of()). 20 bytes: one type for both
/// families costs 12 bytes an IPv4 route and buys one code path.
struct alignas(4) Prefix {
  std::array<std::uint8_t, 16> octets{};
  std::uint8_t length_bits = 0;
  Family family = Family::ipv4;

  /// Masks the host bits off. A length beyond the family's is cut to it.
  [[nodiscard]] static constexpr Prefix of(const IpAddress& address, std::uint8_t length) {
    Prefix prefix;
    prefix.family = address.family;
    prefix.length_bits = length > address_bits(address.family) ? address_bits(address.family) : length;
    const std::size_t whole = prefix.length_bits / 8U;
    for (std::size_t i = 0; i < whole; ++i) prefix.octets[i] = address.octets[i];
    if (const unsigned rest = prefix.length_bits % 8U; rest != 0)
      prefix.octets[whole] = static_cast<std::uint8_t>(address.octets[whole] & (0xFFU << (8U - rest)));
    return prefix;
  }
  [[nodiscard]] constexpr IpAddress address() const { return IpAddress{octets, family}; }  ///< The first address.
  [[nodiscard]] constexpr bool contains(const IpAddress& address) const {
    return address.family == family && of(address, length_bits).octets == octets;
  }  ///< Of the same family, and within.
  /// True also for equal prefixes.
  [[nodiscard]] constexpr bool covers(const Prefix& other) const {
    return other.length_bits >= length_bits && contains(other.address());
  }
  constexpr auto operator<=>(const Prefix&) const = default;
};
static_assert(sizeof(Prefix) == 20);

/// 64 well-mixed bits of a prefix; the tables of RIB and FIB hash with it.
[[nodiscard]] inline std::uint64_t hash_of(const Prefix& prefix) {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  std::memcpy(&high, prefix.octets.data(), 8);
  std::memcpy(&low, prefix.octets.data() + 8, 8);
  std::uint64_t mixed = high ^ (low * 0x9E3779B97F4A7C15U) ^
                        ((std::uint64_t{prefix.length_bits} << 8U | static_cast<std::uint64_t>(prefix.family)) *
                         0xC2B2AE3D27D4EB4FU);
  mixed ^= mixed >> 32U;
  mixed *= 0xD6E8FEB86659FD93U;
  mixed ^= mixed >> 32U;
  mixed *= 0xD6E8FEB86659FD93U;
  return mixed ^ (mixed >> 32U);
}

/// Where a path says traffic goes (RFC 4271 s.5.1.3; RFC 2545 s.3 for the link-local half; RFC 8950: an IPv6 next hop
/// may serve IPv4 prefixes).
struct NextHop {
  IpAddress address;
  IpAddress link_local;  ///< Unset unless the peer sent the 32-octet form.
  constexpr auto operator<=>(const NextHop&) const = default;
};

}  // namespace minibgp
/// For unordered containers.
template <>
struct std::hash<minibgp::Prefix> {
  std::size_t operator()(const minibgp::Prefix& prefix) const noexcept { return minibgp::hash_of(prefix); }
};
template <>
struct std::hash<minibgp::IpAddress> {
  std::size_t operator()(const minibgp::IpAddress& address) const noexcept {
    return minibgp::hash_of(minibgp::Prefix::of(address, minibgp::address_bits(address.family)));
  }
};  ///< For unordered containers.
