/// Policy-based tunnels share one selector, and the kernel holds one policy for it: charon gives it the template of one
/// tunnel, and everything the peer sends over the other is dropped (XfrmInTmplMismatch). These functions compute the
/// same policies with the template of the tunnel that the peer uses, which takes one netlink message each instead of
/// a renegotiation of both tunnels.
///
/// charon installs its own again when it renews an SA: the caller compares now and then. Pure.
#pragma once

#include <xfrm/follow_groups.h>
#include <xfrm/netlink/event_codec.h>

#include <span>
#include <vector>

namespace minibgp::xfrm {

/// Those of `policies` that lead through one of `others` now, as they must be to lead through `wanted`.
[[nodiscard]] std::vector<PolicySeen> redirected(std::span<const PolicySeen> policies, const TunnelEnds& wanted,
                                                 std::span<const TunnelEnds> others);

}  // namespace minibgp::xfrm
