/// The decision process for tools and tests: paths in, their order, the equal-cost set and the deciding rules out. Asks
/// the same function the speaker asks.
#pragma once

#include <bgp/path.h>
#include <bgp/policy.h>
#include <bgp/speaker_options.h>
#include <bgp/types.h>

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace minibgp {

/// The rules of the decision process, in their order (RFC 4271 s.9.1.2.2; RFC 4456 s.9 for router_id and cluster_list).
enum class Rule : std::uint8_t {
  weight,          ///< Highest local weight; never leaves this speaker.
  local_pref,      ///< Highest LOCAL_PREF.
  as_path_length,  ///< Shortest AS_PATH; an AS_SET counts as one.
  origin,          ///< Lowest ORIGIN.
  med,             ///< Lowest MED, between paths from the same neighboring AS.
  external,        ///< eBGP over iBGP.
  igp_cost,        ///< Lowest cost to the next hop.
  oldest,          ///< The one in use already, where prefer_oldest is set.
  router_id,       ///< Lowest originator, or peer's identifier.
  cluster_list,    ///< Shortest CLUSTER_LIST.
  peer_address,    ///< Lowest peer address.
  path_id,         ///< Lowest path identifier: two paths of one peer.
  same,            ///< It is the same path.
  only_path,       ///< There is no other.
  unusable,        ///< Its next hop is not usable, or policy refused it.
};
/// "as-path-length".
[[nodiscard]] std::string_view to_text(Rule rule);

/// One path to a prefix, as the decision process sees it.
struct DecideInput {
  PathAttributes attributes;
  PeerType peer_type = PeerType::ebgp;
  RouterId peer_router_id{};
  IpAddress peer_address;
  std::uint32_t path_id = 0;
  std::uint32_t igp_cost = 0;
  bool usable = true;
  std::uint32_t default_local_pref = 100;
};
/// A path with what the decision found about it.
struct Ranked {
  std::size_t index = 0;  ///< Into the input.
  bool best = false;
  bool multipath = false;  ///< In the equal-cost set (the best one is).
  Rule rule = Rule::same;  ///< Why it loses against the best; for the best, why it beats the next one.
};

/// Best first, then by what each would be if those before it were gone. Of `options`, only what concerns the decision
/// is read. O(n^2).
[[nodiscard]] std::vector<Ranked> decide(std::span<const DecideInput> paths, const SpeakerOptions& options);

}  // namespace minibgp
