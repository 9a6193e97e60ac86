#include <xfrm/vici/foreign.h>
#include <xfrm/vici/ike_config.h>

#include <algorithm>

namespace minibgp::xfrm::vici {
namespace {

std::string what_it_does(const IkeView& ike, const TunnelOptions& tunnel) {
  const auto& remotes = tunnel.ike->remote_addresses;
  const bool same_peer = std::find(remotes.begin(), remotes.end(), ike.remote_host) != remotes.end();
  for (const ChildSa& child : ike.children) {
    if (child.if_id != 0 && child.if_id == tunnel.if_id)
      return "charon's connection " + ike.connection + ", which is not ours, has the tunnel's if_id " +
             std::to_string(tunnel.if_id) + ": both make SAs for one interface";
    // A policy without an if_id catches packets for its selectors before the route into the xfrm interface is looked
    // at.
    if (child.if_id == 0 && same_peer)
      return "charon's connection " + ike.connection + ", which is not ours, leads to the same peer " +
             ike.remote_host + " without an if_id: its policies take traffic before routes do";
  }
  return {};
}

}  // namespace

std::vector<Meddler> meddlers(std::span<const IkeView> ikes, std::span<const TunnelOptions> tunnels) {
  std::vector<Meddler> found;
  for (const TunnelOptions& tunnel : tunnels)
    for (const IkeView& ike : ikes) {
      const bool ours = std::any_of(tunnels.begin(), tunnels.end(),
                                    [&](const TunnelOptions& it) { return connection_name(it) == ike.connection; });
      // One line for each tunnel and connection, however many IKE_SAs it has.
      const bool known = std::any_of(found.begin(), found.end(), [&](const Meddler& it) {
        return it.tunnel == tunnel.name && it.connection == ike.connection;
      });
      if (!tunnel.ike || ours || known) continue;
      if (std::string text = what_it_does(ike, tunnel); !text.empty())
        found.push_back({tunnel.name, ike.connection, std::move(text)});
    }
  return found;
}

}  // namespace minibgp::xfrm::vici
