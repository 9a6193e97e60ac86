/// Random values of everything a BGP message holds, valid by construction: encoded and decoded again they are the same,
/// with verdict ok.
#pragma once

#include <bgp/decode.h>
#include <bgp/path.h>
#include <bgp/types.h>
#include <tests/support/testing/random.h>

#include <cstdint>
#include <vector>

namespace minibgp::testing {

[[nodiscard]] std::vector<std::uint8_t> random_octets(Random& random, std::size_t max);
/// Any address; host() is one a next hop may have.
[[nodiscard]] IpAddress random_address(Random& random, Family family);
[[nodiscard]] IpAddress random_host(Random& random, Family family);
/// Unicast, any length.
[[nodiscard]] Prefix random_prefix(Random& random, Family family);
/// Sequences and sets, adjacent sequences merged; `max` ASNs at most.
[[nodiscard]] AsPath random_as_path(Random& random, std::size_t max);
/// Each attribute present or not. LOCAL_PREF always and the other internal ones maybe for iBGP, none of them for eBGP.
[[nodiscard]] PathAttributes random_attributes(Random& random, PeerType peer_type);
[[nodiscard]] DecodeOptions random_options(Random& random);
[[nodiscard]] OpenMessage random_open(Random& random);
/// Fits a message of 4096 octets nearly always.
[[nodiscard]] UpdateMessage random_update(Random& random, const DecodeOptions& options);
[[nodiscard]] MessageValue random_message(Random& random, const DecodeOptions& options);
/// One of the changes that find bugs: octets replaced, removed, doubled, lengths made extreme, the end cut off.
void mutate(Random& random, std::vector<std::uint8_t>& bytes);

}  // namespace minibgp::testing
