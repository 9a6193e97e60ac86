/// The import policy of the policy_check example: what an on-premises gateway takes from a cloud VPN gateway.
#pragma once

#include <bgp/policy.h>
#include <bgp/policy_definition.h>
#include <bgp/text.h>

namespace examples {

/// VPC prefixes up to /24 are taken, those over the first tunnel preferred; never a default route, nothing else.
inline minibgp::PolicyLibrary cloud_policy() {
  using namespace minibgp;
  match::PrefixIn vpc;
  vpc.items = {*parse_prefix_range("192.168.0.0/16 le 24")};
  match::PrefixIn everything;
  everything.items = {*parse_prefix_range("0.0.0.0/0")};
  const PolicyMatch is_vpc{vpc, {}}, is_default{everything, {}}, over_first{match::TunnelIs{{"ipsec0"}}, {}};
  const PolicyEdit prefer{edit::LocalPref{{NumberChange::Op::set, 200}}, {}};

  PolicyLibrary library;
  library.policies.push_back({"from-cloud",
                              {{"no-default", {is_default}, {}, {}, TermVerdict::reject, {}},
                               {"prefer-first", {is_vpc, over_first}, {prefer}, {}, TermVerdict::accept, {}},
                               {"vpc", {is_vpc}, {}, {}, TermVerdict::accept, {}}},
                              {}});
  return library;
}

}  // namespace examples
