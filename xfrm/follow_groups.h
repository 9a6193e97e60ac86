/// FollowGroups: through which tunnel of each group we send, and where the kernel's policies have to lead for it.
/// Groups are the configured ones and those of policy-based tunnels with the same selectors, which share the kernel's
/// policies whether a group is configured or not.
///
/// Pure. Not here: which tunnel the peer uses (policy_failover.h); the policies as the kernel has them
/// (netlink/policy_redirect.h).
#pragma once

#include <bgp/types.h>
#include <xfrm/options.h>
#include <xfrm/policy_failover.h>
#include <xfrm/tunnel_table.h>

#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace minibgp::xfrm {

/// Where one tunnel's SAs go, from its SAs; nullopt: it has none.
struct TunnelEnds {
  IpAddress local, remote;
  std::uint32_t reqid = 0;
  bool operator==(const TunnelEnds&) const = default;
};
[[nodiscard]] std::optional<TunnelEnds> ends_of(std::span<const Sa> sas);

class FollowGroups {
 public:
  /// A group that did not change keeps its tunnel.
  void set(std::span<const TunnelOptions> tunnels, std::span<const FollowGroup> groups);

  /// A FollowChange that owns its names.
  struct Move {
    std::string group, tunnel, previous;
    std::string_view why;
  };
  /// Compares the counters of inbound traffic with those of the call before.
  [[nodiscard]] std::vector<Move> sample(const TunnelTable& table, Time now);

  /// The kernel's policies that lead through one of `others` have to lead through `wanted`.
  struct Redirect {
    std::string tunnel;
    TunnelEnds wanted;
    std::vector<TunnelEnds> others;
  };
  /// For each group of policy-based tunnels. charon installs its own policies with each renewal, so this is repeated.
  [[nodiscard]] std::vector<Redirect> redirects(const TunnelTable& table) const;

  [[nodiscard]] std::string followed(std::string_view group) const;  ///< Empty: none.

 private:
  struct Entry {
    FollowGroup group;
    InboundFollower follower;
    std::string current;
  };

  std::vector<Entry> entries_;
  std::set<std::string> policy_based_;  ///< Names of tunnels of Mode::policy.
};

}  // namespace minibgp::xfrm
