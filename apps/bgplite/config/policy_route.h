/// PolicyRoute: a route as people write it for the policy tools, and attributes as named texts. One table of fields
/// serves `--route`, the routes and expectations of tests, lists of routes, and every report.
#pragma once

#include <bgp/policy.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bgplite {

/// What is not given is decided by where the policy is attached: the peer, and the configuration's networks and
/// tunnels.
struct PolicyRoute {
  std::optional<minibgp::Prefix> prefix;
  minibgp::PathAttributes attributes;
  std::optional<std::string> peer, tunnel;
  std::optional<minibgp::PeerType> peer_type;
  std::optional<minibgp::Asn> local_as, peer_as;
  std::optional<bool> own_prefix, covers_ike_endpoint;
  std::optional<minibgp::RpkiState> rpki;
};

/// Sets one field from its texts: "as_path", {"65001 65002"}; "community", {"65001:1", "no-export"}. Returns what is
/// wrong, or nothing. An unknown name is wrong too.
[[nodiscard]] std::optional<std::string> set_route_field(PolicyRoute& route, std::string_view name,
                                                         const std::vector<std::string>& values);
[[nodiscard]] const std::vector<std::string_view>& route_field_names();

/// An attribute by name: "med" -> "100", or "none".
struct AttributeText {
  std::string_view name;
  std::string text;
  bool operator==(const AttributeText&) const = default;
};
/// All of them, always in the same order.
[[nodiscard]] std::vector<AttributeText> attribute_texts(const minibgp::PathAttributes& attributes);
/// The name an attribute has there: "community" for "communities". Nothing: it is no attribute.
[[nodiscard]] std::optional<std::string_view> attribute_name(std::string_view name);
/// "{ prefix: 10.0.0.0/16, as_path: 64512, med: 100 }": what was given, as `policy eval --route` takes it.
[[nodiscard]] std::string to_text(const PolicyRoute& route);
/// Those that differ, with the texts before and after.
struct AttributeChange {
  std::string_view name;
  std::string before, after;
};
[[nodiscard]] std::vector<AttributeChange> changes_between(const minibgp::PathAttributes& before,
                                                           const minibgp::PathAttributes& after);
/// Their names alone: "local_pref, community". Makes no text of any value.
[[nodiscard]] std::string changed_attributes(const minibgp::PathAttributes& before,
                                             const minibgp::PathAttributes& after);
/// The text an expected value has to have: "{65001:2,65001:1}" in any order is "65001:1 65001:2". Nothing and `error`
/// when it is no value of that attribute.
[[nodiscard]] std::optional<std::string> expected_text(std::string_view name, const std::vector<std::string>& values,
                                                       std::string& error);

}  // namespace bgplite
