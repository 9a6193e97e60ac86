/// PrefixFacts: what a policy may ask of a prefix that the route itself does not tell.
#pragma once

#include <bgp/base/lpm_trie.h>
#include <bgp/policy.h>
#include <bgp/types.h>

#include <algorithm>
#include <vector>

namespace minibgp::speaker {

struct PrefixFacts {
  base::LpmTrie<std::uint8_t> own_networks;    ///< What we announce ourselves.
  std::vector<IpAddress> protected_addresses;  ///< IKE end points: a path over a tunnel to its own end would be a loop.
  bool changed = false;                        ///< What policies said of others may be different now.

  void fill(PolicyContext& context) const {
    context.own_prefix = !own_networks.empty() && own_networks.covering(context.prefix) != nullptr;
    context.covers_ike_endpoint =
        std::any_of(protected_addresses.begin(), protected_addresses.end(),
                    [&](const IpAddress& address) { return context.prefix.contains(address); });
  }
};

}  // namespace minibgp::speaker
