#include <xfrm/netlink/policy_redirect.h>

#include <algorithm>

#include <netinet/in.h>

namespace minibgp::xfrm {

std::vector<PolicySeen> redirected(std::span<const PolicySeen> policies, const TunnelEnds& wanted,
                                   std::span<const TunnelEnds> others) {
  std::vector<PolicySeen> changed;
  for (const PolicySeen& policy : policies) {
    // With an if_id or a mark it is a policy for an interface or another user. Several templates are bundles that we
    // did not make.
    if (policy.if_id != 0 || policy.marked || policy.templates.size() != 1) continue;
    const xfrm_user_tmpl& old = policy.templates.front();
    if (old.id.proto != IPPROTO_ESP) continue;
    const bool outbound = policy.info.dir == XFRM_POLICY_OUT;
    const IpAddress source = from_kernel(old.saddr, old.family);
    const IpAddress destination = from_kernel(old.id.daddr, old.family);
    const bool of_group = std::any_of(others.begin(), others.end(), [&](const TunnelEnds& other) {
      // Policies name the outer addresses from the sender's side.
      return outbound ? destination == other.remote && source == other.local
                      : source == other.remote && destination == other.local;
    });
    if (!of_group) continue;
    PolicySeen next = policy;
    xfrm_user_tmpl& to = next.templates.front();
    to.saddr = to_kernel(outbound ? wanted.local : wanted.remote);
    to.id.daddr = to_kernel(outbound ? wanted.remote : wanted.local);
    to.reqid = wanted.reqid;
    // charon names the SA of an outbound policy by its SPI too; ours is another SA, and a rekey would change it.
    to.id.spi = 0;
    changed.push_back(std::move(next));
  }
  return changed;
}

}  // namespace minibgp::xfrm
