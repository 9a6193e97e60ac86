/// Static routes: what the operator gave, bound to tunnels, as entries of the same desired table BGP's routes are in. A
/// route of several metrics is several kernel routes, each there exactly while a way of it is usable; ways of equal
/// metric are one route that shares the load.
#pragma once

#include <fib/inputs.h>
#include <fib/next_hop_map.h>

#include <cstdint>
#include <map>
#include <span>
#include <vector>

namespace minibgp::fib {

/// One member of a set of next hops, before it is resolved.
struct SetMember {
  TrackedNextHop next_hop;
  std::uint16_t weight = 1;
  auto operator<=>(const SetMember&) const = default;
};

/// The desired routes `routes` stand for, by key.
[[nodiscard]] std::map<RouteKey, std::vector<SetMember>> expand(std::span<const StaticRoute> routes,
                                                                std::uint32_t table, std::uint32_t default_metric);

/// The kernel stores metric 0 of an IPv6 route as 1024; a key that says 0 would never be found again.
[[nodiscard]] constexpr std::uint32_t kernel_metric(Family family, std::uint32_t metric) {
  return family == Family::ipv6 && metric == 0 ? 1024 : metric;
}

}  // namespace minibgp::fib
