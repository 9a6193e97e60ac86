/// What holds for all tunnels, and which of them are alternatives of each other. Values; what one tunnel is made of is
/// TunnelOptions in xfrm/tunnel.h.
#pragma once

#include <xfrm/tunnel.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace minibgp::xfrm {

/// What holds for all tunnels.
struct TunnelsOptions {
  std::string vici_socket = "/run/charon.vici";
  std::chrono::milliseconds sync_interval{2000};  ///< How often charon and the underlay are compared with the desired.
  std::chrono::milliseconds vici_timeout{5000};   ///< An answer later than this ends the connection to charon.
  std::uint8_t route_protocol = 156;              ///< rtm_protocol of underlay routes; not the FIB's own.
  std::uint32_t route_table = 254;
  enum class OnExit : std::uint8_t { keep, remove } on_exit = OnExit::keep;  ///< Of what we made; see Tunnels::stop().
  bool manage_interfaces = true;  ///< false: nothing is made or changed in the kernel, only watched.
  Damping damping;
  /// Counters of SAs are read this often (no key material is asked for); 0: never, and with it no Reason::no_inbound
  /// and no following of inbound traffic.
  std::chrono::milliseconds counter_interval{500};
  /// if_ids of tunnels that an earlier run had: what is left of those that are configured no more is removed, from the
  /// kernel and from charon, which is asked even where no tunnel is left.
  std::vector<std::uint32_t> former_if_ids;
  std::chrono::seconds silence{20};  ///< We send for this long and nothing comes back: suspect.
};

/// Tunnels that lead to the same place and of which the peer uses one at a time (protected data flows behind a cloud's
/// active and standby tunnel): our outbound traffic should follow the tunnel on which the peer sends.
struct FollowGroup {
  std::string name;
  std::vector<std::string> tunnels;  ///< In order of preference.
  bool operator==(const FollowGroup&) const = default;
};

}  // namespace minibgp::xfrm
