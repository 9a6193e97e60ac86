/// Standard (RFC 1997), extended (RFC 4360) and large (RFC 8092) communities to bytes and back. Decoding gives the
/// canonical form, sorted and unique: order has no meaning and RFC 8092 s.3 wants duplicates removed.
#pragma once

#include <bgp/path.h>
#include <bgp/types.h>

#include <cstdint>
#include <span>
#include <vector>

namespace minibgp::wire {

inline constexpr std::size_t kCommunitySize = 4, kExtendedCommunitySize = 8, kLargeCommunitySize = 12;

/// `value` is a whole number of communities: the attribute table has checked it. Each replaces `out`.
void decode_communities(Bytes value, std::vector<Community>& out);
void decode_extended_communities(Bytes value, std::vector<ExtendedCommunity>& out);
void decode_large_communities(Bytes value, std::vector<LargeCommunity>& out);

/// Write at `at`, where size() times the size above is free; return the address after it.
std::uint8_t* store_communities(std::uint8_t* at, std::span<const Community> communities);
std::uint8_t* store_extended_communities(std::uint8_t* at, std::span<const ExtendedCommunity> communities);
std::uint8_t* store_large_communities(std::uint8_t* at, std::span<const LargeCommunity> communities);

}  // namespace minibgp::wire
