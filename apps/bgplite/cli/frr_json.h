/// The daemon's answers with FRR's JSON keys, for scripts and exporters that read `vtysh -c "show ... json"` (FRR 8.4,
/// bgpd/bgp_vty.c and bgp_route.c). Only what such readers use; keys of FRR's inner workings are left out.
#pragma once

#include <nlohmann/json.hpp>

namespace bgplite::cli {

using Json = nlohmann::ordered_json;

/// From the answer to show.summary: "show bgp summary json".
[[nodiscard]] Json frr_summary(const Json& summary);
/// From the answer to show.peers: "show bgp neighbors [X] json".
[[nodiscard]] Json frr_neighbors(const Json& peers);
/// From the answer to show.routes: "show ip bgp json".
[[nodiscard]] Json frr_routes(const Json& routes, const Json& router);
/// From the answer to show.routes with one prefix: "show ip bgp PREFIX json".
[[nodiscard]] Json frr_route(const Json& routes);

}  // namespace bgplite::cli
