/// Config: the whole configuration as one value. Read by yaml.h, judged by check.h, compared by diff.h. It holds the
/// option structs of the parts it configures; what each key means is documented once, in keys.cc.
///
/// Not here: secrets. A Config names the files that hold them (psk_file, md5_file); they are read when used.
#pragma once

#include <apps/bgplite/config/diagnostic.h>
#include <bgp/peer.h>
#include <bgp/policy.h>
#include <bgp/speaker.h>
#include <bgp/types.h>

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

struct PeerConfig {
  minibgp::PeerOptions options;  ///< import_policy, export_policy and md5_key are filled when applied.
  std::string import_policy;     ///< Name in Config::policies; empty: none (RFC 8212).
  std::string export_policy;
  bool accept_all = false;  ///< Both directions, in plain sight.
  std::string md5_file;
  bool close_on_tunnel_down = false;  ///< session_on_tunnel_down: close; otherwise the hold timer decides.
  std::string template_name;          ///< peer_template it began with; for show only.
  Place place;                        ///< Not compared.
  bool operator==(const PeerConfig& other) const {
    return options == other.options && import_policy == other.import_policy && export_policy == other.export_policy &&
           accept_all == other.accept_all && md5_file == other.md5_file &&
           close_on_tunnel_down == other.close_on_tunnel_down;
  }
};

/// A prefix of ours.
struct Network {
  /// always: announced as long as the daemon runs. if_route: while somebody else's route with exactly this prefix is in
  /// the kernel. if_reachable: while the kernel has any usable route to it other than ours and the default route.
  enum class When : std::uint8_t { always, if_route, if_reachable };
  minibgp::Prefix prefix;
  When when = When::always;
  std::optional<std::uint32_t> med;
  std::vector<minibgp::Community> communities;
  std::vector<minibgp::LargeCommunity> large_communities;
  Place place;  ///< Not compared.
  bool operator==(const Network& other) const {
    return prefix == other.prefix && when == other.when && med == other.med && communities == other.communities &&
           large_communities == other.large_communities;
  }
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
  Place place;  ///< Not compared.
  bool operator==(const StaticRoute& other) const { return prefix == other.prefix && via == other.via; }
};

/// What happens to kernel routes, interfaces and the peers' view of us when the daemon ends.
enum class OnExit : std::uint8_t { keep, remove };

struct FibConfig {
  bool enabled = true;
  std::uint32_t table = 254;
  std::uint32_t metric = 20;
  std::uint8_t protocol = 0;  ///< 0: the FIB's own default.
  enum class Prefsrc : std::uint8_t { automatic, none, address } prefsrc = Prefsrc::automatic;
  minibgp::IpAddress prefsrc_address;
  OnExit on_exit = OnExit::keep;
  std::chrono::seconds adopt_timeout{120};
  std::chrono::seconds audit_interval{60};
  bool operator==(const FibConfig&) const = default;
};

struct IkeConfig {
  std::uint8_t version = 2;
  std::string local_address, local_id;
  std::vector<std::string> remote_addresses;
  std::string remote_id;
  std::string auth = "psk";  ///< psk or pubkey.
  std::string psk_file;
  std::vector<std::string> certificates;  ///< Names of what charon has.
  std::string proposals, esp_proposals;
  bool encap = false;
  bool mobike = false;
  std::chrono::seconds dpd_delay{10}, dpd_timeout{0};
  std::chrono::seconds rekey_time{0}, reauth_time{0}, over_time{0};  ///< 0: strongSwan's default.
  std::chrono::seconds child_rekey_time{0}, child_life_time{0};
  std::uint32_t keyingtries = 0;  ///< 0: for ever.
  std::uint32_t priority = 0;     ///< Of the policies; 0: strongSwan's.
  std::string start_action = "start", dpd_action = "restart", close_action = "start";
  std::vector<std::string> local_ts, remote_ts;  ///< Empty: everything.
  bool operator==(const IkeConfig&) const = default;
};

struct TunnelConfig {
  enum class Mode : std::uint8_t { interface, policy };
  std::string name;
  Mode mode = Mode::interface;
  std::string interface;  ///< Empty: the name.
  std::uint32_t if_id = 0;
  std::vector<std::pair<minibgp::IpAddress, std::uint8_t>> addresses;  ///< With their length in bits.
  std::uint16_t mtu = 0;                                               ///< 0: 1360.
  std::string vrf;
  std::string underlay_device;
  minibgp::IpAddress underlay_gateway;
  std::optional<IkeConfig> ike;  ///< None: the user keeps swanctl.conf and we watch.
  std::string preset;
  /// Echo probes through the tunnel; unset target: none.
  minibgp::IpAddress probe_target;
  std::chrono::milliseconds probe_interval{1000};
  std::uint8_t probe_failures = 3;
  std::string peer;  ///< Key of its peer in Config::peers; empty: none.
  Place place;       ///< Not compared.
  bool operator==(const TunnelConfig& other) const {
    return name == other.name && mode == other.mode && interface == other.interface && if_id == other.if_id &&
           addresses == other.addresses && mtu == other.mtu && vrf == other.vrf &&
           underlay_device == other.underlay_device && underlay_gateway == other.underlay_gateway && ike == other.ike &&
           probe_target == other.probe_target && probe_interval == other.probe_interval &&
           probe_failures == other.probe_failures;
  }
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

struct Config {
  minibgp::SpeakerOptions router;
  OnExit on_exit = OnExit::keep;
  std::string user;  ///< The daemon gives up root for it; empty: stays what it is.
  std::string state_dir = "/var/lib/bgplite";
  ListenConfig listen;
  std::vector<Network> networks;
  std::map<std::string, PeerConfig> peers;      ///< By address, with %device when link-local.
  std::map<std::string, TunnelConfig> tunnels;  ///< By name.
  std::vector<StaticRoute> static_routes;
  std::map<std::string, PolicyDefinition> policies;
  FibConfig fib;
  HostConfig host;
  ControlConfig control;
  MetricsConfig metrics;
  LogConfig log;
  std::vector<std::string> files;  ///< The file and what it includes, in order. Not compared.
};

}  // namespace bgplite
