/// Underlay: whether what a tunnel's SAs stand on is there: the device that IKE and ESP leave through (there, up, with
/// carrier), the SAs' local address, a route to the peer, and a gateway that answers.
///
/// The kernel says nothing to an SA when one of them goes, and charon needs minutes to miss its peer. Pure.
#pragma once

#include <bgp/types.h>
#include <xfrm/interfaces.h>
#include <xfrm/tunnel.h>
#include <xfrm/tunnel_table.h>

#include <cstdint>
#include <set>
#include <span>
#include <utility>

namespace minibgp::xfrm {

/// Which neighbors the kernel asked for and did not find.
class Neighbors {
 public:
  /// failed: NUD_FAILED. Anything else that the kernel knows an address for counts as an answer; an entry that is being
  /// asked for, or that was thrown away, changes nothing.
  void seen(std::uint32_t device, const IpAddress& address, bool failed);
  /// The device lost what it knew: with its carrier, or because it was set down.
  void forget(std::uint32_t device);
  [[nodiscard]] bool failed(std::uint32_t device, const IpAddress& address) const {
    return failed_.contains({device, address});
  }

 private:
  std::set<std::pair<std::uint32_t, IpAddress>> failed_;
};

/// Reason::ready, or the first thing that is missing. `ends` are those of the tunnel's SAs: with several, one that has
/// all it needs is enough. Without SAs only the configured device is looked at.
[[nodiscard]] Reason judge_underlay(const TunnelOptions& tunnel, std::span<const OuterEnds> ends,
                                    const Interfaces& kernel, const Neighbors& neighbors);

}  // namespace minibgp::xfrm
