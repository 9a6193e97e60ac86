/// Config: the whole configuration as one value. Read by yaml.h, judged by check.h, compared by diff.h. It holds the
/// option structs of the parts it configures; what each key means is documented once, in schema.cc.
///
/// TCP-MD5 keys are in it where keys were asked for (FileSource::key). Pre-shared keys are not: a Config names their
/// files, and they are read when used.
#pragma once

#include <apps/bgplite/config/diagnostic.h>
#include <bgp/path.h>
#include <bgp/peer.h>
#include <bgp/policy.h>
#include <bgp/speaker_options.h>
#include <bgp/types.h>
#include <fib/inputs.h>
#include <fib/options.h>
#include <xfrm/options.h>
#include <xfrm/tunnel.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace bgplite {

/// A policy by name. Two are equal when their canonical text is, which holds everything the policy depends on (the sets
/// it names included); so a reload knows which peers a change concerns.
struct PolicyDefinition {
  std::string canonical;
  std::shared_ptr<const minibgp::Policy> compiled;
  bool operator==(const PolicyDefinition& other) const { return canonical == other.canonical; }
};

/// After an unannounced loss of a peer's tunnel: see return_path.h.
struct ReturnPathConfig {
  bool more_specifics = false;
  std::uint8_t longest_bits = 32, longest_ipv6_bits = 128;  ///< No part is longer.
  bool operator==(const ReturnPathConfig&) const = default;
};

struct PeerConfig {
  minibgp::PeerOptions options;  ///< Without policies: see options_in_force().
  std::string import_policy;     ///< Name in Config::policies; empty: none (RFC 8212).
  std::string export_policy;
  bool accept_all = false;  ///< Both directions, in plain sight.
  std::string md5_file;
  enum class OnTunnelDown : std::uint8_t { keep, close };
  OnTunnelDown on_tunnel_down = OnTunnelDown::keep;  ///< keep: the hold timer decides.
  ReturnPathConfig return_path;
  bool families_given = false;  ///< Otherwise they follow from the address.
  bool operator==(const PeerConfig&) const = default;
};

/// A prefix of ours.
struct Network {
  /// always: announced as long as the daemon runs. if_route: while another program's route with exactly this prefix is
  /// in the kernel. if_reachable: while the kernel has any usable route to it other than ours and the default route.
  enum class When : std::uint8_t { always, if_route, if_reachable };
  minibgp::Prefix prefix;
  When when = When::always;
  std::optional<std::uint32_t> med;
  std::vector<minibgp::Community> communities;
  std::vector<minibgp::LargeCommunity> large_communities;
  bool operator==(const Network&) const = default;
};

/// One way of a static route: through a tunnel, or to a gateway.
struct StaticVia {
  std::string tunnel;
  minibgp::IpAddress gateway;
  std::string device;
  std::uint32_t metric = 0;  ///< 0: the FIB's. Ways of equal metric share the load.
  std::uint16_t weight = 1;
  bool operator==(const StaticVia&) const = default;
};

struct StaticRoute {
  minibgp::Prefix prefix;
  std::vector<StaticVia> via;
  /// inbound: use the one tunnel on which the peer sends (protected data flows), not the best metric.
  enum class Follow : std::uint8_t { nothing, inbound } follow = Follow::nothing;
  bool operator==(const StaticRoute&) const = default;
};

/// What happens to kernel routes, interfaces and the peers' view of us when the daemon ends.
enum class OnExit : std::uint8_t { keep, remove };

struct FibConfig {
  bool enabled = true;
  std::uint32_t table = 254;
  std::uint32_t metric = 20;
  std::uint8_t protocol = minibgp::fib::kDefaultProtocol;
  enum class Prefsrc : std::uint8_t { automatic, none, address } prefsrc = Prefsrc::automatic;
  minibgp::IpAddress prefsrc_address;
  std::chrono::seconds adopt_timeout{120};
  std::chrono::seconds audit_interval{60};
  bool next_hop_objects = true;  ///< Where the kernel has them.
  bool resolve_via_default = false;
  std::uint32_t allow = 0;  ///< Bits of fib::kGuardReasons.
  bool operator==(const FibConfig&) const = default;
};

/// Echo probes through a tunnel, to see that it carries traffic.
struct ProbeConfig {
  minibgp::IpAddress target;  ///< Unset: the tunnel's peer.
  minibgp::IpAddress source;  ///< Unset: the kernel chooses.
  std::chrono::milliseconds interval{1000};
  std::uint8_t failures = 3;  ///< In a row, until it is down.
  std::uint8_t answers = 3;   ///< In a row, until it is up again.
  bool operator==(const ProbeConfig&) const = default;
};

/// The cloud at the other end, for its limits and timers (presets.h).
enum class Cloud : std::uint8_t { none, alibaba, alibaba_tr, aws, aws_tgw, azure, gcp, oci };

struct TunnelConfig {
  minibgp::xfrm::TunnelOptions options;
  bool probe_enabled = false;
  ProbeConfig probe;
  Cloud cloud = Cloud::none;
  std::string peer;  ///< Key of its peer in Config::peers; empty: none.
  bool operator==(const TunnelConfig&) const = default;
};

/// Who looks after one item of the host: we set it (and restore it on stop), we only complain, or nobody.
enum class Care : std::uint8_t { manage, check, ignore };

struct HostConfig {
  Care forwarding = Care::check;
  Care mss_clamp = Care::check;
  Care firewall = Care::check;
  Care rp_filter = Care::check;
  Care multipath_hash = Care::check;
  Care ping_group_range = Care::check;
  std::string firewall_chain;  ///< "inet filter input": where manage may put its tagged rules.
  bool operator==(const HostConfig&) const = default;
};

struct ListenConfig {
  bool enabled = true;
  std::vector<minibgp::IpAddress> addresses;  ///< Empty: every address.
  std::uint16_t port = 179;
  bool operator==(const ListenConfig&) const = default;
};

struct ControlConfig {
  std::string socket = "/run/bgplite/control.sock";
  std::string group = "bgplite";
  bool operator==(const ControlConfig&) const = default;
};

struct MetricsConfig {
  std::string listen;  ///< "127.0.0.1:9342", "[::1]:9342" or a path; empty: none.
  enum class Names : std::uint8_t { native, frr, both } names = Names::native;
  bool operator==(const MetricsConfig&) const = default;
};

enum class LogFormat : std::uint8_t { automatic, text, journald, json };

struct LogConfig {
  LogFormat format = LogFormat::automatic;
  std::string level = "info";
  std::map<std::string, std::string> areas;  ///< Level by area: session, rib, policy, fib, tunnel, config, control.
  bool operator==(const LogConfig&) const = default;
};

/// Changes made by command that were saved (saved.h).
struct Saved {
  struct Peer {
    bool enabled = true;
    bool in_file = true;  ///< What the configuration says without it.
    bool operator==(const Peer&) const = default;
  };
  std::map<minibgp::Prefix, minibgp::PathAttributes> announcements;
  std::map<std::string, Peer> peers;  ///< By key of Config::peers, where they have their effect already.
  bool operator==(const Saved&) const = default;
};

struct Config {
  minibgp::SpeakerOptions router;
  OnExit on_exit = OnExit::keep;
  std::string user;  ///< The daemon gives up root for it; empty: stays what it is.
  std::string state_dir = "/var/lib/bgplite";
  ListenConfig listen;
  std::vector<Network> networks;
  std::map<std::string, PeerConfig> peers;      ///< By address, with %device when link-local.
  std::map<std::string, TunnelConfig> tunnels;  ///< By name.
  minibgp::xfrm::TunnelsOptions ipsec;          ///< on_exit follows the one above when applied.
  std::vector<StaticRoute> static_routes;
  std::map<std::string, PolicyDefinition> policies;
  FibConfig fib;
  HostConfig host;
  ControlConfig control;
  MetricsConfig metrics;
  LogConfig log;
  Saved saved;
  std::vector<std::string> files;  ///< The file and what it includes, in order. Not compared.
};

/// iBGP: the peer has the AS that is ours toward it (`local_asn`, or else that of the router).
[[nodiscard]] inline bool is_internal(const Config& config, const minibgp::PeerOptions& peer) {
  return peer.remote_as == peer.local_as.value_or(config.router.asn);
}

}  // namespace bgplite
