/// Tests of policies, as written:
///
///   config: gateway.yaml            # the policies; left out: this file itself
///   tests:
///     - { name: takes the VPC, policy: from-vpc, route: { prefix: 192.168.10.0/24 }, expect: accept }
///     - group: what the cloud must not send
///       given: { peer: 169.254.10.1, direction: import, route: { as_path: 65535 }, expect: reject }
///       cases:
///         - { name: default, route: { prefix: 0.0.0.0/0 }, expect: { term: no-default } }
///
/// A case has what `given` of its groups says unless it says otherwise itself; routes and expectations are joined field
/// by field. Whatever `expect` says can be compared: what cannot is a mistake with its place.
#pragma once

#include <apps/bgplite/config/diagnostic.h>
#include <apps/bgplite/config/policy_route.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace bgplite {

struct PolicyCase {
  std::string group;  ///< "outer / inner"; empty: none.
  std::string name;
  Place place;
  std::string policy;  ///< Either this or `peer`.
  std::string peer;
  minibgp::Direction direction = minibgp::Direction::import;
  PolicyRoute route;
  struct Attribute {
    std::string name;                 ///< As attribute_texts() has it.
    std::optional<std::string> text;  ///< That it must have; none: as it went in.
    Place place;
  };
  struct Expect {
    std::optional<bool> accept;
    std::optional<std::string> term;
    std::vector<Attribute> attributes;   ///< Each name at most once.
    std::optional<Place> all_unchanged;  ///< Those that `attributes` does not name come out as they went in.
    /// A rejected route has no attributes: to expect some is to expect acceptance.
    [[nodiscard]] bool of_attributes() const { return !attributes.empty() || all_unchanged.has_value(); }
  } expect;
};

struct PolicyTests {
  std::string file;
  std::string config;  ///< Path of the configuration.
  std::vector<PolicyCase> cases;
  /// Mutants that no case can kill because they mean the same; by the text the report gives them.
  std::vector<std::pair<std::string, Place>> equivalent_mutants;
};

/// Keys `tests` (or `policy_tests`, in a configuration), `config`, `equivalent_mutants`. Mistakes go to `diagnostics`;
/// a file that cannot be read is one.
[[nodiscard]] PolicyTests read_policy_tests(const std::string& path, Diagnostics& diagnostics);

/// A route in YAML's flow style, which JSON is too: "{prefix: 10.0.0.0/16, as_path: [64512], med: 100}".
[[nodiscard]] std::optional<PolicyRoute> read_policy_route(const std::string& text, const std::string& called,
                                                           Diagnostics& diagnostics);

}  // namespace bgplite
