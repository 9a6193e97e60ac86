/// Which of two paths is better, and by which rule: RFC 4271 s.9.1.2.2 as numbered prose, nothing else. Who is compared
/// with whom is said in multipath.h.
#pragma once

#include <bgp/decide.h>
#include <bgp/rib/layout.h>
#include <bgp/types.h>

#include <cstdint>

namespace minibgp::rib {

/// What the decision reads of the peer a path came from.
struct PeerFacts {
  bool external = true;
  RouterId router_id{};
  IpAddress address;
  std::uint32_t default_local_pref = 100;  ///< Of paths without LOCAL_PREF.
  bool operator==(const PeerFacts&) const = default;
};

struct Candidate {
  const HotAttrs* attrs = nullptr;
  const PeerFacts* peer = nullptr;
  PeerId peer_id{};
  std::uint32_t path_id = 0;
  std::uint32_t igp_cost = 0;
  bool in_use = false;  ///< It is the best already.
  AttrId attributes{};  ///< Whose `attrs` are.

  [[nodiscard]] constexpr std::uint32_t local_pref() const {
    return attrs->has(HotAttrs::kHasLocalPref) ? attrs->local_pref : peer->default_local_pref;
  }
};

struct DecideOptions {
  bool always_compare_med = false;
  bool prefer_oldest = false;
};

struct Verdict {
  bool first_wins = false;
  Rule rule = Rule::same;  ///< Shown by "show route": why is this one best?
};

/// Compares two usable paths to one prefix. A total order, except that MED makes it intransitive across neighboring
/// ASes; Selection (multipath.h) groups by neighboring AS first for that reason.
[[nodiscard]] constexpr Verdict decide(const Candidate& a, const Candidate& b, const DecideOptions& options) {
  const HotAttrs& x = *a.attrs;
  const HotAttrs& y = *b.attrs;

  // 0. Highest weight: the operator's own word, before anything a peer says (as FRR and IOS have it).
  if (x.weight != y.weight) return {x.weight > y.weight, Rule::weight};
  // 1. Highest LOCAL_PREF.
  if (a.local_pref() != b.local_pref()) return {a.local_pref() > b.local_pref(), Rule::local_pref};
  // 2. Shortest AS_PATH; an AS_SET counts as one hop.
  if (x.as_path_length != y.as_path_length) return {x.as_path_length < y.as_path_length, Rule::as_path_length};
  // 3. Lowest ORIGIN: IGP < EGP < INCOMPLETE.
  if (x.origin() != y.origin()) return {x.origin() < y.origin(), Rule::origin};
  // 4. Lowest MED, only between paths from the same neighboring AS unless told otherwise.
  if ((options.always_compare_med || x.neighbor_as == y.neighbor_as) && x.med != y.med)
    return {x.med < y.med, Rule::med};
  // 5. eBGP over iBGP.
  if (a.peer->external != b.peer->external) return {a.peer->external, Rule::external};
  // 6. Lowest cost to the next hop.
  if (a.igp_cost != b.igp_cost) return {a.igp_cost < b.igp_cost, Rule::igp_cost};
  // 6b. Where asked for, the eBGP path in use stays: fewer changes, at the price of an order that depends on history.
  if (options.prefer_oldest && a.peer->external && a.in_use != b.in_use) return {a.in_use, Rule::oldest};
  // 7. Lowest originator; a reflected path counts as its originator's (RFC 4456 s.9).
  const auto originator = [](const Candidate& path) {
    return path.attrs->originator != 0 ? path.attrs->originator : static_cast<std::uint32_t>(path.peer->router_id);
  };
  if (originator(a) != originator(b)) return {originator(a) < originator(b), Rule::router_id};
  // 8. Shortest CLUSTER_LIST (RFC 4456 s.9).
  if (x.cluster_list_length != y.cluster_list_length)
    return {x.cluster_list_length < y.cluster_list_length, Rule::cluster_list};
  // 9. Lowest peer address; the same link-local address on two interfaces falls back to the order of configuration.
  if (a.peer_id != b.peer_id) {
    if (a.peer->address != b.peer->address) return {a.peer->address < b.peer->address, Rule::peer_address};
    return {a.peer_id < b.peer_id, Rule::peer_address};
  }
  // 10. Two paths of one peer (RFC 7911): the lower identifier.
  return {a.path_id < b.path_id, a.path_id == b.path_id ? Rule::same : Rule::path_id};
}

}  // namespace minibgp::rib
