/// Random libraries and routes over few values, so that conditions of one often meet attributes of the other.
#pragma once

#include <bgp/policy.h>

#include <random>
#include <string>

namespace minibgp::testing {

/// Policies "p0" (the root) to "p3"; a policy refers to later ones only. Always compiles.
[[nodiscard]] PolicyLibrary random_library(std::mt19937& random);

struct RandomRoute {
  PathAttributes attributes;
  std::string peer, tunnel;
  PolicyContext context;  ///< Its views are set by context_of().
};
[[nodiscard]] RandomRoute random_route(std::mt19937& random);
[[nodiscard]] PolicyContext context_of(const RandomRoute& route);

}  // namespace minibgp::testing
