/// AS_PATH and AS4_PATH (RFC 4271 s.4.3, s.5.1.2; RFC 6793): segments to bytes and back, and the merge of the two for
/// peers that speak 2-octet AS numbers.
#pragma once

#include <bgp/path.h>
#include <bgp/types.h>

#include <cstdint>

namespace minibgp::wire {

/// Octets of an AS number on this session (RFC 6793).
enum class AsWidth : std::uint8_t { two = 2, four = 4 };

/// More ASNs than this is an attack or a loop; the route is withdrawn. The longest path ever seen is a fourth of it.
inline constexpr std::size_t kMaxAsPathLength = 1024;

/// What is wrong with a path (RFC 7606 s.7.2).
enum class AsPathFault : std::uint8_t {
  none,
  overrun,        ///< A segment does not end with the attribute, or a single octet is left over.
  empty_segment,  ///< Zero ASNs.
  segment_type,   ///< None of the defined types.
  confederation,  ///< AS_CONFED_SEQUENCE or _SET from a peer outside of any confederation of ours (RFC 5065 s.5).
  as_zero,        ///< RFC 7607.
  too_long,       ///< Beyond kMaxAsPathLength.
};
/// A sentence for logs; static storage.
[[nodiscard]] const char* to_text(AsPathFault fault);

/// Appends the segments of `value` to `out`, merging adjacent sequences, so that equal paths are equal values however
/// they were cut into segments of 255. After a fault `out` holds a part of the path.
[[nodiscard]] AsPathFault decode_as_path(Bytes value, AsWidth width, AsPath& out);

/// Joins AS4_PATH (`value`, 4-octet) into `path`, which is AS_PATH of a 2-octet peer, as RFC 6793 s.4.2.3 says:
/// the leading part of AS_PATH that AS4_PATH does not know, then AS4_PATH. An AS4_PATH that counts more hops than
/// AS_PATH changes nothing. Confederation segments in it are skipped (s.6). On a fault `path` is unchanged: the
/// attribute is to be discarded.
[[nodiscard]] AsPathFault merge_as4_path(Bytes value, AsPath& path);

/// Whether a 2-octet peer needs AS4_PATH beside AS_PATH: some ASN does not fit (RFC 6793 s.4.2.2).
[[nodiscard]] bool needs_as4_path(const AsPath& path);

/// Octets of the encoded attribute value; sequences beyond 255 ASNs are split.
[[nodiscard]] std::size_t as_path_size(const AsPath& path, AsWidth width);
/// Writes it at `at`, where as_path_size() octets are free; returns the address after it. With two octets an ASN that
/// does not fit becomes AS_TRANS.
std::uint8_t* store_as_path(std::uint8_t* at, const AsPath& path, AsWidth width);

[[nodiscard]] bool has_set(const AsPath& path);

}  // namespace minibgp::wire
