/// The canonical packed form of PathAttributes: equal values give equal octets, and the common eBGP path takes about
/// thirty of them. In memory only, in the host's byte order: never sent, never stored.
#pragma once

#include <bgp/path.h>
#include <bgp/types.h>

#include <cstdint>
#include <vector>

namespace minibgp::rib {

/// Replaces `out` by the packed form.
void pack(const PathAttributes& attributes, std::vector<std::uint8_t>& out);
/// `octets` come from pack(). Keeps the memory of `out`'s vectors.
void unpack(Bytes octets, PathAttributes& out);
/// The part of a packed form that is its AS_PATH: equal exactly when the paths are. Valid while `octets` are.
[[nodiscard]] Bytes packed_as_path(Bytes octets);

/// 64 well-mixed bits of some octets.
[[nodiscard]] std::uint64_t hash_octets(Bytes octets);

}  // namespace minibgp::rib
