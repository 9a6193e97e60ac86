#include <xfrm/underlay.h>

#include <algorithm>

namespace minibgp::xfrm {
namespace {

/// More gateways fail on no host that works; the bound is for one that scans its network.
constexpr std::size_t kFailedMax = 4096;

Reason judge_device(const Link* device) {
  if (!device) return Reason::underlay_missing;
  if (!device->up) return Reason::underlay_down;
  return device->carrier ? Reason::ready : Reason::underlay_no_carrier;
}

Reason judge_ends(const TunnelOptions& tunnel, const OuterEnds& ends, const Interfaces& kernel,
                  const Neighbors& neighbors) {
  if (!kernel.is_local(ends.local)) return Reason::local_address_missing;
  const std::optional<RouteFound>* route = kernel.route_to(ends.remote);
  // No verdict without an answer: a tunnel is not taken down for what was not asked yet.
  if (!route) return Reason::ready;  // Not looked up yet.
  if (!*route) return Reason::endpoint_unroutable;
  // Several next hops: the kernel leaves out those whose device is down. Which one the SA's packets use is not known.
  if ((*route)->device == 0) return Reason::ready;
  // The configured device was judged before. A route through the tunnel itself says nothing about what is below it.
  const Link* own = kernel.link_of(tunnel.name);
  if (own && own->index == (*route)->device) return Reason::ready;
  if (tunnel.underlay.device.empty())
    if (const Reason device = judge_device(kernel.link_at((*route)->device)); device != Reason::ready) return device;
  // Without a gateway the endpoint itself is the neighbor.
  const IpAddress& next_hop = (*route)->gateway.is_set() ? (*route)->gateway : ends.remote;
  return neighbors.failed((*route)->device, next_hop) ? Reason::gateway_silent : Reason::ready;
}

}  // namespace

void Neighbors::seen(std::uint32_t device, const IpAddress& address, bool failed) {
  if (!failed) {
    // Any other state of the neighbor says that it is not failed.
    failed_.erase({device, address});
  } else if (failed_.size() < kFailedMax) {
    // Beyond the limit failures are not noted, so such gateways count as good.
    failed_.insert({device, address});
  }
}

void Neighbors::forget(std::uint32_t device) {
  std::erase_if(failed_, [&](const auto& it) { return it.first == device; });
}

Reason judge_underlay(const TunnelOptions& tunnel, std::span<const OuterEnds> ends, const Interfaces& kernel,
                      const Neighbors& neighbors) {
  // Mode link has nothing below it that we know of.
  if (tunnel.mode == Mode::link) return Reason::ready;
  if (!tunnel.underlay.device.empty())
    if (const Reason device = judge_device(kernel.link_named(tunnel.underlay.device)); device != Reason::ready)
      return device;
  Reason found = Reason::ready;
  for (const OuterEnds& one : ends) {
    found = judge_ends(tunnel, one, kernel, neighbors);
    // One pair of ends that works is enough: there may be several (MOBIKE, a rekey).
    if (found == Reason::ready) return found;
  }
  return found;
}

}  // namespace minibgp::xfrm
