#include <bgp/base/reader.h>
#include <bgp/base/writer.h>
#include <bgp/wire/communities.h>

#include <algorithm>

namespace minibgp::wire {
namespace {

/// Most speakers send communities sorted, so look while reading and sort only when needed.
template <typename T, typename Load>
void decode_canonical(Bytes value, std::size_t size, std::vector<T>& out, Load load) {
  out.resize(value.size() / size);
  const std::uint8_t* at = value.data();
  bool canonical = true;
  // Strictly ascending: a repeated community is not canonical either.
  for (std::size_t i = 0; i < out.size(); ++i, at += size) {
    out[i] = load(at);
    canonical &= i == 0 || out[i - 1] < out[i];
  }
  if (canonical) return;
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
}

}  // namespace

void decode_communities(Bytes value, std::vector<Community>& out) {
  decode_canonical(value, kCommunitySize, out, [](const std::uint8_t* at) { return Community{base::load_u32(at)}; });
}

void decode_extended_communities(Bytes value, std::vector<ExtendedCommunity>& out) {
  decode_canonical(value, kExtendedCommunitySize, out,
                   [](const std::uint8_t* at) { return ExtendedCommunity{base::load_u64(at)}; });
}

void decode_large_communities(Bytes value, std::vector<LargeCommunity>& out) {
  decode_canonical(value, kLargeCommunitySize, out, [](const std::uint8_t* at) {
    return LargeCommunity{base::load_u32(at), base::load_u32(at + 4), base::load_u32(at + 8)};
  });
}

std::uint8_t* store_communities(std::uint8_t* at, std::span<const Community> communities) {
  for (const Community community : communities) at = base::store_u32(at, static_cast<std::uint32_t>(community));
  return at;
}

std::uint8_t* store_extended_communities(std::uint8_t* at, std::span<const ExtendedCommunity> communities) {
  for (const ExtendedCommunity community : communities) at = base::store_u64(at, static_cast<std::uint64_t>(community));
  return at;
}

std::uint8_t* store_large_communities(std::uint8_t* at, std::span<const LargeCommunity> communities) {
  for (const LargeCommunity& community : communities) {
    at = base::store_u32(at, community.global);
    at = base::store_u32(at, community.local1);
    at = base::store_u32(at, community.local2);
  }
  return at;
}

}  // namespace minibgp::wire
