/// What a Fib says of itself: next hops, routes, groups, interfaces, counters. Values, copied on demand.
#pragma once

#include <bgp/types.h>
#include <fib/route.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace minibgp::fib {

/// Why a next hop is, or is not, usable.
enum class NextHopReason : std::uint8_t {
  resolved,
  starting,            ///< The first dump of the kernel is not in yet.
  no_route,            ///< On no connected network, and no kernel route leads to it.
  only_default_route,  ///< See FibOptions::resolve_via_default.
  interface_missing,   ///< The peer's interface does not exist.
  interface_down,      ///< Down, or without carrier.
  tunnel_down,         ///< set_interface_usable() said so.
  peer_down,           ///< set_peer_usable() said so.
  own_address,         ///< It is an address of this host.
  refused,             ///< The kernel would not have it as a next hop; asked again later.
};
[[nodiscard]] std::string_view to_text(NextHopReason reason);  ///< For people.

/// The state of one next hop toward one peer. A copy.
struct NextHopState {
  PeerId peer{};
  IpAddress next_hop;
  bool usable = false;
  std::uint32_t cost = 0;  ///< 0: on a connected network; else 1 + the metric of the kernel route it is reached by.
  NextHopReason reason = NextHopReason::starting;
  std::string detail;     ///< For humans: the reason of a tunnel, the route it is resolved by; may be empty.
  IpAddress gateway;      ///< Set when usable.
  std::string interface;  ///< As gateway.
};

/// Why a desired route is not in the kernel.
enum class Refusal : std::uint8_t {
  none,
  covers_endpoint,     ///< It would take over the path to a configured IKE endpoint: pin the endpoint's route first.
  covers_own_network,  ///< It would take over the path to one of our own networks.
  link_local_network,  ///< 169.254.0.0/16 and fe80::/10 are never learned.
  static_route,        ///< A static route of the same prefix and metric goes first.
  foreign_route,       ///< The kernel has a route of another protocol with the same prefix, table and metric.
  kernel,              ///< The kernel said no: see RouteStatus::error.
  no_usable_next_hop,
  inside_own_network,        ///< It is inside one of our own networks.
  inside_connected_network,  ///< It is inside a network that one of our interfaces is in.
  covers_peer,               ///< It would take over the path to the address of a configured peer.
  foreign_ahead,  ///< It is installed, but a route of another protocol with its prefix, table and metric is in front.
  contested,      ///< Another program changes it again and again; the next repair waits.
  table_owned,    ///< Another process owns its table and protocol: see Fib::start(). Or 250 tables are in use.
};
[[nodiscard]] std::string_view to_text(Refusal refusal);  ///< For people.

/// What the guard (fib/route_guard.h) may be told to let through. `word` is that of the configuration key `fib.allow`.
struct GuardReason {
  std::string_view word;
  std::uint32_t bit = 0;
};
/// All of them.
inline constexpr GuardReason kGuardReasons[] = {
    {"link_local", 1}, {"connected_networks", 2}, {"ike_endpoints", 4}, {"peer_addresses", 8}, {"own_networks", 16}};
/// The bit of FibOptions::allow that lets routes pass which are held back for this; 0: the guard has no such reason.
[[nodiscard]] constexpr std::uint32_t guard_bit(Refusal refusal) {
  switch (refusal) {
    case Refusal::link_local_network:
      return 1;
    case Refusal::inside_connected_network:
      return 2;
    case Refusal::covers_endpoint:
      return 4;
    case Refusal::covers_peer:
      return 8;
    case Refusal::covers_own_network:
    case Refusal::inside_own_network:
      return 16;
    default:
      return 0;
  }
}

/// The word of `fib.allow` that lets such routes pass; empty: the guard has no such reason.
[[nodiscard]] constexpr std::string_view guard_word(Refusal refusal) {
  for (const GuardReason& reason : kGuardReasons)
    if (reason.bit == guard_bit(refusal)) return reason.word;
  return {};
}

/// One route as `show fib` prints it. A copy.
struct RouteStatus {
  RouteKey key;
  bool desired = false;
  bool installed = false;  ///< The kernel has it, as desired or otherwise.
  bool in_sync = false;    ///< The kernel has exactly what is desired.
  bool adopted = false;    ///< Left by an earlier run and not yet confirmed.
  bool from_static = false;
  std::vector<Via> vias;              ///< Desired; of the kernel where nothing is desired.
  NextHopId next_hop = kNoNextHopId;  ///< The kernel's next-hop object or group, when it refers to one.
  IpAddress preferred_source;
  Refusal refusal = Refusal::none;
  std::string refusal_detail;  ///< "203.0.113.151", "10.0.0.0/8 via eth0"; may be empty.
  int error = 0;               ///< The kernel's last errno for it.
};

/// One next-hop group (or single object) in the kernel. A copy.
struct GroupStatus {
  NextHopId id = kNoNextHopId;
  std::vector<Via> vias;   ///< In effect: without members that were taken out.
  std::size_t routes = 0;  ///< Kernel routes that use it.
  bool adopted = false;    ///< By an earlier run and not yet used by this one.
};
/// An interface as the kernel reports it.
struct InterfaceStatus {
  IfIndex index = kNoInterface;
  std::string name;
  bool up = false;
  std::optional<bool> tunnel_usable;  ///< What set_interface_usable() said last, if anything.
  std::string reason;
};
/// Since the Fib was made; never reset.
struct FibCounters {
  std::uint64_t route_adds = 0, route_replaces = 0, route_removes = 0;  ///< Acknowledged by the kernel.
  std::uint64_t group_changes = 0;    ///< Next-hop objects and groups made, changed, removed.
  std::uint64_t failovers = 0;        ///< Next hops taken out of groups because they became unusable.
  std::uint64_t drift_repaired = 0;   ///< Routes and objects of ours that others, or the kernel itself, changed.
  std::uint64_t overruns = 0;         ///< The kernel had to drop notifications; each led to a full comparison.
  std::uint64_t kernel_refusals = 0;  ///< Answers that were neither success nor expected.
  std::uint64_t audits = 0;
  std::uint64_t dumps = 0;
  std::int64_t longest_turn_ns = 0;   ///< Longest time one turn of the loop was kept busy.
  std::int64_t last_failover_ns = 0;  ///< From being told to the kernel having done it, of the last failover.
};
/// The whole Fib at a glance.
struct FibStatus {
  bool enabled = true;
  bool next_hop_objects = false;  ///< In use.
  bool synchronized = false;      ///< Nothing waits, nothing is in flight, the kernel was read completely.
  bool adopting = false;          ///< Adopted routes are still kept for the sake of a restart.
  std::uint32_t table = 0, metric = 0;
  std::uint8_t protocol = 0;
  std::size_t desired = 0, installed = 0, pending = 0, refused = 0, adopted = 0;
  std::size_t held = 0;       ///< Of `refused`: by the guard.
  std::size_t contested = 0;  ///< Repairs that wait because another program undoes them.
  FibCounters counters;
};

/// What verify() found.
struct Comparison {
  std::size_t compared = 0;              ///< Routes that are desired, or that the kernel has of us.
  std::vector<std::string> differences;  ///< One line each; at most 100.
  std::size_t difference_count = 0;
  std::size_t repairable = 0;  ///< Of these: being repaired. The others stay until their cause goes.
};

/// Which routes Fib::routes() returns; the default is all.
struct FibRouteFilter {
  std::optional<Prefix> prefix;  ///< Exact unless `longer`.
  bool longer = false;
  bool only_out_of_sync = false;
  std::size_t max = SIZE_MAX;
};

/// Where a reading in parts goes on (Fib::routes_part()); as made, at the beginning.
struct RouteCursor {
  /// What is read: routes that the kernel should have or has, those held back, static ones that are refused; then the
  /// end.
  enum class Stage : std::uint8_t { records, held, refused_static, end } stage = Stage::records;
  std::uint32_t record = 0;
  std::optional<RouteKey> after;  ///< In the stages behind the records: the last one that was read.
  [[nodiscard]] bool ended() const { return stage == Stage::end; }  ///< Everything was read.
};

/// The order in which routes are shown.
[[nodiscard]] bool shown_before(const RouteStatus& a, const RouteStatus& b);

}  // namespace minibgp::fib
