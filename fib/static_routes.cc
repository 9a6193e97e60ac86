#include <fib/static_routes.h>

#include <algorithm>

namespace minibgp::fib {

std::map<RouteKey, std::vector<SetMember>> expand(std::span<const StaticRoute> routes, std::uint32_t table,
                                                  std::uint32_t default_metric) {
  std::map<RouteKey, std::vector<SetMember>> result;
  for (const StaticRoute& route : routes) {
    for (const StaticVia& via : route.via) {
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
    std::sort(members.begin(), members.end());
    members.erase(std::unique(members.begin(), members.end()), members.end());
  }
  return result;
}

}  // namespace minibgp::fib
