#include <fib/static_routes.h>

#include <algorithm>

namespace minibgp::fib {

std::map<RouteKey, std::vector<SetMember>> expand(std::span<const StaticRoute> routes, std::uint32_t table,
                                                  std::uint32_t default_metric) {
  std::map<RouteKey, std::vector<SetMember>> result;
  for (const StaticRoute& route : routes) {
    for (const StaticVia& via : route.via) {
      // A next hop with a metric of its own makes another route: the kernel's key holds the metric.
      const std::uint32_t metric = via.metric == 0 ? default_metric : via.metric;
      SetMember member;
      member.next_hop.source = kStaticSource;
      member.next_hop.next_hop.address = via.gateway;
      if (!via.gateway.is_set()) member.next_hop.next_hop.address.family = route.prefix.family;
      member.next_hop.interface = via.interface;
      member.weight = std::max<std::uint16_t>(via.weight, 1);
      result[{route.prefix, table, kernel_metric(route.prefix.family, metric)}].push_back(member);
    }
  }
  for (auto& [key, members] : result) {
    // The same next hop twice would be two members of one set.
    std::sort(members.begin(), members.end());
    members.erase(std::unique(members.begin(), members.end()), members.end());
  }
  return result;
}

}  // namespace minibgp::fib
