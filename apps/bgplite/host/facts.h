/// Facts: what doctor's checks know of the host, as one value. gather() reads it; tests write it.
#pragma once

#include <apps/bgplite/config/config.h>
#include <xfrm/tunnel.h>
#include <xfrm/vici/foreign.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace bgplite::host {

/// A file that holds a key.
struct KeyFacts {
  bool exists = false;
  bool readable = false;  ///< By the daemon's user, its directories included.
  std::uint32_t mode = 0;
  std::uint32_t group = 0;
};

/// A tunnel as found.
struct TunnelFacts {
  bool interface_present = false;
  bool interface_up = false;
  std::string interface;
  std::uint32_t mtu = 0;
  /// Of the underlay: the route the kernel takes to the remote IPsec address.
  bool routed = false;
  std::string route_device;
  std::string route_gateway;
  /// charon's view.
  bool connection_loaded = false;
  bool ike_established = false;
  bool child_installed = false;
  std::vector<std::string> local_ts, remote_ts;  ///< As negotiated.
  std::uint64_t packets_in = 0, packets_out = 0;
  std::uint64_t packets_in_later = 0, packets_out_later = 0;  ///< About a second after.
  minibgp::xfrm::IkeFailure failure = minibgp::xfrm::IkeFailure::none;
  std::string failure_text;
  std::uint32_t restarts_lately = 0;  ///< DPD flaps the daemon counted.
  /// Echo with DF through the tunnel to the BGP peer: the largest payload answered; 0: not tried or no answer.
  std::uint32_t path_mtu = 0;
  bool path_mtu_probed = false;
  KeyFacts psk;
  std::optional<std::uint16_t> peer_hold_time;  ///< As the peer proposed it, from the running daemon.
};

/// One base chain that drops something we need, found by reading `nft -j list ruleset`.
struct FirewallDrop {
  enum class What : std::uint8_t { ike, nat_t, esp, forward };
  What what{};
  std::string family, table, chain;  ///< "inet", "filter", "input"
  std::string manager;               ///< "nft", "firewalld", "ufw", "iptables"
};

/// A base chain that gives packets which go into a tunnel another source address.
struct Masquerade {
  std::string interface;             ///< Of the tunnel.
  std::string family, table, chain;  ///< "ip", "nat", "postrouting"
};

/// A BGP session, as the daemon and the kernel have it.
struct SessionFacts {
  std::string peer;  ///< Its address.
  std::string state;
  bool enabled = true;
  double state_for_s = 0;
  std::string down_reason, down_detail;  ///< Of the last end or failure; empty: there was none.
  unsigned code = 0, subcode = 0;        ///< Of its NOTIFICATION.
  std::string attempt;                   ///< Why the last attempt since then led to no session.
  std::map<std::string, std::uint64_t>
      withheld;  ///< Routes that it does not get although policy accepts them, by reason.
  std::string tunnel, tunnel_state, tunnel_reason;
  std::string route_problem;  ///< What `ip route get` says where there is no route to it.
};

/// A network interface.
struct LinkFacts {
  bool up = false;
  std::uint32_t mtu = 0;
};

/// A route that the daemon wants and the kernel does not have as it should.
struct RouteFacts {
  std::string prefix, reason, detail;
  std::uint32_t table = 0, metric = 0;
};

/// What the daemon manages of the host, as found.
struct ManagedFacts {
  std::vector<std::string> sysctls;        ///< "net.ipv4.ip_forward is 0", of those that are not as set.
  std::size_t clamp_rules = 0;             ///< In our table.
  std::vector<std::string> foreign_rules;  ///< In our table and not ours: "inet bgplite mss_forward handle 4".
  std::size_t door_rules = 0;              ///< Of ours, in the operator's chain.
};

struct Facts {
  std::string daemon_user;         ///< Who runs the daemon, or will by its configuration or its unit.
  std::uint32_t daemon_group = 0;  ///< That user's.
  bool daemon_reachable = false;   ///< It answers at its control socket.
  std::vector<SessionFacts> sessions;
  std::string listener;  ///< The daemon does not answer, and this process has its port; as `ss` prints it.
  std::optional<std::int64_t> unconfirmed_for_s;  ///< A change waits that long for its confirmation.
  std::vector<std::string> unapplied;             ///< What the files change of what runs, a sentence each.
  std::vector<RouteFacts> refused_routes;
  std::string state_problem;               ///< Why the daemon's user cannot write to state_dir.
  std::vector<std::string> unreadable;     ///< Files of the configuration that the daemon's user cannot read.
  std::map<std::string, LinkFacts> links;  ///< By name.
  std::vector<std::string> addresses;      ///< Of this host.
  ManagedFacts managed;
  std::map<std::string, KeyFacts> md5_keys;  ///< By peer, of those that have one.

  std::string kernel_release;
  bool xfrm_interface_module = false;  ///< Loaded, built in or loadable.
  bool esp4_module = false;
  bool is_root = false;

  bool vici_socket_present = false;
  bool vici_reachable = false;
  std::string vici_error;
  std::string strongswan_version;
  std::vector<minibgp::xfrm::vici::Meddler> meddlers;  ///< Connections of others on our tunnels.
  std::vector<std::string> algorithm_problems;         ///< Sentences of xfrm::vici about proposals charon cannot do.
  double retransmit_timeout = 4.0, retransmit_base = 1.8;  ///< strongswan.conf, charon's defaults when not set.
  unsigned retransmit_tries = 5;

  std::map<std::string, std::string> sysctls;  ///< By path: "net/ipv4/ip_forward".
  bool nft_readable = false;
  std::vector<FirewallDrop> firewall_drops;
  std::vector<Masquerade> masquerades;
  bool mss_clamped = false;  ///< Some forward or postrouting rule sets the MSS.

  std::map<std::string, std::uint64_t> xfrm_stat, xfrm_stat_later;  ///< /proc/net/xfrm_stat, about a second apart.
  bool rule_220 = false;                                            ///< ip rule to table 220.
  std::size_t routes_220 = 0;
  std::optional<bool> clock_synchronized;
  std::map<std::string, TunnelFacts> tunnels;  ///< By name.
};

struct GatherOptions {
  std::string vici_socket = "/run/charon.vici";
  std::chrono::milliseconds observe{1000};  ///< Between the two readings of counters.
  bool probe_path_mtu = true;
};

/// Reads the host. Blocking, about `observe` long; needs root for a part, and says where it could not look.
[[nodiscard]] Facts gather(const Config& config, const GatherOptions& options);

}  // namespace bgplite::host
