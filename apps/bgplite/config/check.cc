#include <apps/bgplite/config/check.h>
#include <apps/bgplite/config/presets.h>
#include <apps/bgplite/gateway/return_path.h>
#include <bgp/text.h>
#include <xfrm/vici/ike_config.h>

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

namespace bgplite {
namespace {

using minibgp::Asn;
using minibgp::Prefix;
using minibgp::xfrm::Mode;

const Prefix kDefaultV4 = Prefix::of(minibgp::IpAddress::v4(0), 0);
const Prefix kLinkLocalV4 = Prefix::of(minibgp::IpAddress::v4(0xA9FE0000U), 16);
const Prefix kSharedV4 = Prefix::of(minibgp::IpAddress::v4(0x64400000U), 10);

/// Protocol ids that others write into the kernel's table (iproute2's rt_protos and what daemons claim).
constexpr std::pair<int, const char*> kClaimedProtocols[] = {
    {8, "gated"}, {9, "rdisc"},          {10, "mrtd"},        {11, "zebra"},   {12, "BIRD"},       {13, "DECnet"},
    {14, "xorp"}, {15, "ntk"},           {16, "dhcp"},        {17, "mrouted"}, {18, "keepalived"}, {42, "babel"},
    {80, "Holo"}, {84, "openr"},         {99, "FRR"},         {186, "bgp"},    {187, "isis"},      {188, "ospf"},
    {189, "rip"}, {190, "ripng"},        {191, "nhrp"},       {192, "eigrp"},  {193, "ldp"},       {194, "sharp"},
    {195, "pbr"}, {196, "static (FRR)"}, {197, "openfabric"}, {198, "srte"},
};

struct ReservedAsn {
  std::uint32_t first, last;
  const char* what;
};
constexpr ReservedAsn kReservedAsns[] = {
    {64496, 64511, "reserved for documentation (RFC 5398)"},
    {65535, 65535, "reserved (RFC 7300)"},
    {65536, 65551, "reserved for documentation (RFC 5398)"},
    {4294967295, 4294967295, "reserved (RFC 7300)"},
};

constexpr Asn kAlibabaAsn{45104};

const char* reserved(Asn asn) {
  const auto number = static_cast<std::uint32_t>(asn);
  for (const ReservedAsn& range : kReservedAsns)
    if (number >= range.first && number <= range.last) return range.what;
  return nullptr;
}

class Checker {
 public:
  Checker(const Config& config, const std::map<std::string, std::string>& peer_paths, const Places& places,
          Diagnostics& into)
      : config_(config), peer_paths_(peer_paths), places_(places), into_(into) {}

  void run() {
    router();
    networks();
    for (const auto& [key, peer] : config_.peers) check_peer(key, peer);
    for (const auto& [name, tunnel] : config_.tunnels) check_tunnel(name, tunnel);
    tunnels_together();
    same_ike_ends();
    static_routes();
    return_path_peers();
    rest();
  }

 private:
  void error(const std::string& path, std::string text, std::string hint = {}) {
    into_.error(place(path), std::move(text), std::move(hint));
  }
  void warning(const std::string& path, std::string text, std::string hint = {}) {
    into_.warning(place(path), std::move(text), std::move(hint));
  }
  [[nodiscard]] Place place(const std::string& path) const {
    Place found = places_.of(written(path));
    if (found.file.empty() && !config_.files.empty()) found.file = config_.files.front();
    return found;
  }

  /// The path itself, or that of defaults.peer when the peer has the value from there.
  [[nodiscard]] std::string written(const std::string& path) const {
    if (places_.has(path)) return path;
    for (const auto& [key, peer] : peer_paths_) {
      if (path.compare(0, peer.size() + 1, peer + ".") != 0) continue;
      if (const std::string inherited = "defaults.peer" + path.substr(peer.size()); places_.has(inherited))
        return inherited;
    }
    return path;
  }

  void router() {
    // Nothing of the section was written: the hint then shows all of it.
    const bool empty = config_.router.asn == Asn{0} && config_.router.router_id == minibgp::RouterId{0};
    if (config_.router.asn == Asn{0} && !wrong("router.asn"))
      error("router", "'router' needs an 'asn'", empty ? "router: { asn: 65530, router_id: 192.0.2.1 }" : "");
    if (config_.router.router_id == minibgp::RouterId{0} && !wrong("router.router_id"))
      error("router", "'router' needs a 'router_id'", "any IPv4 address of this host");
    if (const char* what = reserved(config_.router.asn))
      warning("router.asn", "AS " + to_text(config_.router.asn) + " is " + what);
    const auto id = minibgp::IpAddress::v4(static_cast<std::uint32_t>(config_.router.router_id));
    if (kLinkLocalV4.contains(id))
      warning("router.router_id", "router_id " + to_text(config_.router.router_id) + " is a link-local address",
              "it is unique only as long as no other gateway uses the same tunnel addresses");
    if (id.octets[0] >= 224)
      error("router.router_id",
            "router_id " + to_text(config_.router.router_id) + " is a multicast or reserved address");
  }

  /// The key was written, and refused already: do not complain that it is missing.
  [[nodiscard]] bool wrong(const std::string& path) const { return places_.written(path); }

  void networks() {
    std::set<Prefix> seen;
    for (const Network& network : config_.networks) {
      const std::string path = "networks." + to_text(network.prefix);
      if (!seen.insert(network.prefix).second) error(path, "network " + to_text(network.prefix) + " is given twice");
      if (kLinkLocalV4.covers(network.prefix))
        warning(path, "network " + to_text(network.prefix) + " is link-local: no other network has a route to it");
      for (const auto& [name, tunnel] : config_.tunnels) cloud_takes(network, path, tunnel);
    }
  }

  void cloud_takes(const Network& network, const std::string& path, const TunnelConfig& tunnel) {
    const CloudFacts& cloud = facts_of(tunnel.cloud);
    if (cloud.refuses_default && network.prefix == kDefaultV4)
      warning(path, std::string{cloud.name} + " refuses 0.0.0.0/0");
    const bool shared = kSharedV4.covers(network.prefix) || network.prefix.covers(kSharedV4);
    // The default route overlaps everything and has a warning of its own.
    if (cloud.refuses_shared && shared && network.prefix != kDefaultV4)
      warning(path, std::string{cloud.name} + " does not allow networks that overlap 100.64.0.0/10");
  }

  [[nodiscard]] std::string peer_path(const std::string& key) const {
    const auto found = peer_paths_.find(key);
    return found == peer_paths_.end() ? "peers" : found->second;
  }

  void check_peer(const std::string& key, const PeerConfig& peer) {
    const std::string path = peer_path(key);
    const minibgp::PeerOptions& options = peer.options;
    if (options.remote_as == Asn{0} && !wrong(path + ".asn"))
      error(path, "peer " + key + " needs an 'asn'", "here, or in defaults.peer");
    if (const char* what = reserved(options.remote_as))
      warning(path + ".asn", "AS " + to_text(options.remote_as) + " of peer " + key + " is " + what,
              "accepted, because clouds use such numbers");
    addresses(key, path, options);
    next_hops(key, path, options);
    timers(key, path, peer);
    policies(key, path, peer);
    if (options.ttl_security_hops != 0 && options.ttl > 1)
      error(path + ".ttl_security", "'ttl' and 'ttl_security' exclude each other",
            "ttl_security sends with 255 (RFC 5082)");
    if (!options.families[0] && !options.families[1]) error(path + ".families", "peer " + key + " has no family");
    if (options.passive && !config_.listen.enabled)
      error(path + ".passive", "peer " + key + " is passive, but listen.enabled is false: no session can come up");
    const bool ibgp = is_internal(config_, options);
    if (options.route_reflector_client && !ibgp)
      error(path + ".route_reflector_client", "peer " + key + " is not an iBGP peer");
    return_path(key, path, peer);
    if (ibgp && options.role != minibgp::Role::none) error(path + ".role", "roles are for eBGP peers (RFC 9234)");
  }

  void addresses(const std::string& key, const std::string& path, const minibgp::PeerOptions& options) {
    const minibgp::IpAddress& address = options.address;
    const bool multicast =
        address.family == minibgp::Family::ipv4 ? address.octets[0] >= 224 : address.octets[0] == 0xFF;
    if (multicast) error(path, "peer " + key + " has a multicast or reserved address");
    if (address.is_link_local_v6() && options.device.empty() && !wrong(path + ".device"))
      error(path, "peer " + key + " has a link-local address and needs a 'device'");
    if (options.local_address.is_set() && options.local_address.family != address.family)
      error(path + ".local_address", "local_address and the peer's address are of different families");
    if (options.local_address == address) error(path, "peer " + key + " has our own address");
    for (const auto& [name, tunnel] : config_.tunnels)
      for (const auto& own : tunnel.options.addresses)
        if (own.address == address) error(path, "peer " + key + " has the address of our own end of tunnel " + name);
    // The same link-local address may be used on several links.
    if (address.is_link_local_v6()) return;
    for (const auto& [other, peer] : config_.peers)
      if (other != key && peer.options.local_address == address)
        error(path, "peer " + key + " has our own address: it is the local_address of peer " + other);
    if (std::find(config_.listen.addresses.begin(), config_.listen.addresses.end(), address) !=
        config_.listen.addresses.end())
      error(path, "peer " + key + " has our own address: we listen on it");
    for (const auto& [name, tunnel] : config_.tunnels)
      // Names of hosts are left out: they cannot be compared with an address.
      for (const std::string& own :
           tunnel.options.ike ? tunnel.options.ike->local_addresses : std::vector<std::string>{})
        if (minibgp::parse_address(own) == address)
          error(path, "peer " + key + " has our own address: it is the IKE address of tunnel " + name);
  }

  /// Routes of the other family than the session's need an address of the interface as their next hop. What a tunnel's
  /// interface will have is written here; of other interfaces only the running daemon knows.
  void next_hops(const std::string& key, const std::string& path, const minibgp::PeerOptions& options) {
    const bool over_ipv4 = options.address.family == minibgp::Family::ipv4;
    // A session over IPv6 with extended next hops can announce IPv4 with an IPv6 next hop.
    if (!options.families[over_ipv4 ? 1 : 0] || (!over_ipv4 && options.extended_next_hop)) return;
    const auto tunnel = config_.tunnels.find(options.tunnel);
    // Without addresses in the configuration another program sets them.
    if (tunnel == config_.tunnels.end() || tunnel->second.options.addresses.empty()) return;
    for (const auto& own : tunnel->second.options.addresses)
      if ((own.address.family == minibgp::Family::ipv4) != over_ipv4 && !own.address.is_link_local_v6()) return;
    const std::string family = over_ipv4 ? "IPv6" : "IPv4";
    warning(path + ".families",
            "peer " + key + ": " + family + " routes will not be announced, because tunnel " + tunnel->first +
                " has no " + family + " address to send as their next hop",
            over_ipv4 ? "give the tunnel a global IPv6 address, or set next_hop in the export policy"
                      : "give the tunnel an IPv4 address, or set extended_next_hop (RFC 8950)");
  }

  void timers(const std::string& key, const std::string& path, const PeerConfig& peer) {
    const minibgp::PeerTimers& timers = peer.options.timers;
    if (timers.hold_s == 1 || timers.hold_s == 2)
      error(path + ".timers.hold", "'hold' must be 0s or at least 3s, not " + std::to_string(timers.hold_s) + "s",
            "RFC 4271 s.4.2");
    if (timers.hold_s == 0 && !peer.options.tunnel.empty())
      warning(path + ".timers.hold", "hold 0s: a peer behind a tunnel that fails silently is never noticed");
    // Compared by multiplication, so that a third is not rounded.
    if (timers.hold_s > 2 && timers.keepalive_s * 3U > timers.hold_s)
      warning(path + ".timers.keepalive",
              "keepalive " + std::to_string(timers.keepalive_s) + "s is more than a third of hold " +
                  std::to_string(timers.hold_s) + "s: one lost keepalive ends the session",
              "a third is used instead");
    const auto tunnel = config_.tunnels.find(peer.options.tunnel);
    if (tunnel == config_.tunnels.end()) return;
    const CloudFacts& cloud = facts_of(tunnel->second.cloud);
    if (cloud.timers_fixed && timers.hold_s < cloud.hold_s)
      warning(path + ".timers.hold",
              std::string{cloud.name} + " sends a keepalive every " + std::to_string(cloud.keepalive_s) +
                  "s and does not negotiate: hold " + std::to_string(timers.hold_s) + "s is too short",
              "hold: " + std::to_string(cloud.hold_s) + "s");
    if (!cloud.dials && peer.options.passive)
      warning(path + ".passive", std::string{cloud.name} + " does not dial: peer " + key + " must not be passive");
    const ProbeConfig& probe = tunnel->second.probe;
    const auto detection = probe.interval * probe.failures;
    if (tunnel->second.probe_enabled && timers.hold_s != 0 && detection >= std::chrono::seconds{timers.hold_s})
      warning("tunnels." + tunnel->first + ".probe",
              "probes notice a dead tunnel after " + to_text(detection) + ", later than hold " +
                  std::to_string(timers.hold_s) + "s of peer " + key,
              "the session dies before the tunnel is known to be down");
    limits(key, path, peer, cloud);
  }

  void limits(const std::string& key, const std::string& path, const PeerConfig& peer, const CloudFacts& cloud) {
    if (cloud.prefixes_max == 0) return;
    const std::string limit = std::string{cloud.name} + " takes " + std::to_string(cloud.prefixes_max) + " prefixes";
    if (config_.networks.size() > cloud.prefixes_max)
      warning("networks", std::to_string(config_.networks.size()) + " networks, but " + limit +
                              (cloud.drops_session_beyond ? " and then closes the session" : ""));
    // The default of the limit is above what clouds take; only a value that was written is worth a remark.
    const bool raised = places_.has(path + ".export_limit.max") || places_.has("defaults.peer.export_limit.max");
    if (raised && peer.options.export_limit.max > cloud.prefixes_max)
      warning(path + ".export_limit.max", "export_limit of peer " + key + " is " +
                                              std::to_string(peer.options.export_limit.max) + ", but " + limit);
  }

  /// What more_specifics may announce must fit where it is announced.
  void return_path(const std::string& key, const std::string& path, const PeerConfig& peer) {
    if (!peer.return_path.more_specifics) return;
    const std::string at = path + ".return_path";
    const auto others = std::count_if(config_.peers.begin(), config_.peers.end(), [&](const auto& other) {
      return other.first != key && other.second.return_path.more_specifics &&
             other.second.options.remote_as == peer.options.remote_as;
    });
    if (others == 0)
      warning(at, "return_path of peer " + key + " does nothing: no other peer of AS " +
                      to_text(peer.options.remote_as) + " has it, so the halves are announced to no peer");
    std::size_t halves = 0;
    std::size_t too_long = 0;
    for (const Network& network : config_.networks) {
      const bool ipv4 = network.prefix.family == minibgp::Family::ipv4;
      const std::uint8_t longest = ipv4 ? peer.return_path.longest_bits : peer.return_path.longest_ipv6_bits;
      if (network.prefix.length_bits < longest) {
        halves += 2;
      } else {
        ++too_long;
      }
    }
    if (too_long != 0)
      warning(at, std::to_string(too_long) + (too_long == 1 ? " network is" : " networks are") +
                      " not announced in halves to peer " + key + ": 'longest' forbids it");
    const auto tunnel = config_.tunnels.find(peer.options.tunnel);
    const CloudFacts& cloud = facts_of(tunnel == config_.tunnels.end() ? Cloud::none : tunnel->second.cloud);
    const std::uint32_t most =
        std::min(peer.options.export_limit.max, cloud.prefixes_max == 0 ? UINT32_MAX : cloud.prefixes_max);
    // The networks themselves come first, the halves take what is left.
    if (config_.networks.size() + halves > most)
      warning(at,
              std::to_string(config_.networks.size()) + " networks and " + std::to_string(halves) +
                  " halves are more than the " + std::to_string(most) + " prefixes that peer " + key + " takes",
              "only the first halves that fit are announced");
  }

  void policies(const std::string& key, const std::string& path, const PeerConfig& peer) {
    std::vector<std::string_view> known;
    for (const auto& [name, policy] : config_.policies)
      // A policy in place has a name in parentheses, which is no name to suggest.
      if (name.front() != '(') known.emplace_back(name);
    const auto must_exist = [&](const std::string& name, const char* which) {
      if (name.empty() || name.front() == '(' || config_.policies.count(name) != 0) return;
      error(path + "." + which, "no policy '" + name + "'", did_you_mean(name, known));
    };
    must_exist(peer.import_policy, "import");
    must_exist(peer.export_policy, "export");
    const bool any = !peer.import_policy.empty() || !peer.export_policy.empty();
    if (peer.accept_all && any)
      error(path + ".accept_all", "peer " + key + " has 'accept_all' and a policy", "leave one of them out");
    const bool refused = wrong(path + ".accept_all") || wrong(path + ".import") || wrong(path + ".export");
    if (is_internal(config_, peer.options) || peer.accept_all || (!any && refused)) return;
    if (!any) {
      warning(path,
              "peer " + key + " has no policy: its routes are not accepted and nothing is announced to it (RFC 8212)",
              "give it 'import' and 'export', or 'accept_all: true'");
    } else if (peer.import_policy.empty() || peer.export_policy.empty()) {
      const bool import = peer.import_policy.empty();
      warning(path, "peer " + key + " has no " + (import ? "import" : "export") + " policy: nothing is " +
                        (import ? "taken from it" : "announced to it") + " (RFC 8212)");
    }
  }

  void check_tunnel(const std::string& name, const TunnelConfig& tunnel) {
    const std::string path = "tunnels." + name;
    const minibgp::xfrm::TunnelOptions& options = tunnel.options;
    const std::string& interface = options.interface.empty() ? name : options.interface;
    if (options.mode == Mode::interface) {
      if (options.if_id == 0 && !wrong(path + ".if_id")) error(path, "tunnel " + name + " needs an 'if_id'");
      // IFNAMSIZ is 16 with the terminating zero.
      if (interface.size() > 15 || interface.find('/') != std::string::npos)
        error(path + (options.interface.empty() ? "" : ".interface"),
              "'" + interface + "' cannot be an interface's name", "at most 15 characters, no slash: give 'interface'");
    } else if (options.mode == Mode::link) {
      if (options.ike) error(path + ".ike", "tunnel " + name + " has mode link: nothing is negotiated for it");
      if (options.if_id != 0) error(path + ".if_id", "tunnel " + name + " has mode link, which has no if_id");
    } else {
      if (!tunnel.peer.empty())
        error(path + ".peer", "tunnel " + name + " has mode policy: BGP needs an interface", "mode: interface");
      if (takes_everything(options))
        warning(path + ".ike",
                "tunnel " + name +
                    " has mode policy and takes everything to everywhere: this host's own traffic to its "
                    "neighbors and its default route, too",
                "give local_ts and remote_ts, or use mode: interface");
    }
    if (!tunnel.peer.empty()) inner_addresses(name, path, tunnel);
    const bool alibaba = tunnel.cloud == Cloud::alibaba || tunnel.cloud == Cloud::alibaba_tr;
    if (alibaba && config_.router.asn == kAlibabaAsn)
      warning("router.asn", "AS 45104 is Alibaba Cloud's own, and refused as that of the customer's side");
    ike(path, tunnel);
    const CloudFacts& cloud = facts_of(tunnel.cloud);
    const std::uint32_t mtu = options.mtu == 0 ? minibgp::xfrm::kDefaultMtu : options.mtu;
    if (cloud.mtu_max != 0 && mtu > cloud.mtu_max && options.mode == Mode::interface)
      warning(path + ".mtu", "mtu " + std::to_string(mtu) + " is more than the " + std::to_string(cloud.mtu_max) +
                                 " of " + std::string{cloud.name});
    if (tunnel.probe_enabled) probe(name, path + ".probe", tunnel);
  }

  void probe(const std::string& name, const std::string& path, const TunnelConfig& tunnel) {
    if (tunnel.probe.interval < std::chrono::milliseconds{100})
      error(path + ".interval", "probes need at least 100ms between them");
    if (tunnel.options.mode == Mode::policy)
      error(path, "tunnel " + name + " has mode policy: a probe needs an interface", "mode: interface");
    if (tunnel.peer.empty() && !tunnel.probe.target.is_set() && !wrong(path + ".target"))
      error(path, "tunnel " + name + " has no peer: its probe needs a 'target'",
            "target: an address behind the tunnel that answers echo requests");
    if (tunnel.probe.source.is_set() && tunnel.probe.target.is_set() &&
        tunnel.probe.source.family != tunnel.probe.target.family)
      error(path + ".source", "'source' and 'target' are of different families");
  }

  void inner_addresses(const std::string& name, const std::string& path, const TunnelConfig& tunnel) {
    const auto peer = config_.peers.find(tunnel.peer);
    if (peer == config_.peers.end()) return;
    const minibgp::IpAddress& address = peer->second.options.address;
    if (tunnel.options.addresses.empty() && (tunnel.options.mode == Mode::link || wrong(path + ".address"))) return;
    if (tunnel.options.addresses.empty())
      return error(path, "tunnel " + name + " needs an 'address' for its peer " + tunnel.peer);
    for (const auto& own : tunnel.options.addresses)
      if (Prefix::of(own.address, own.length_bits).contains(address)) return;
    // The interface has a link-local address of its own for such a peer.
    if (address.is_link_local_v6()) return;
    warning(path + ".peer", "peer " + tunnel.peer + " is in none of the networks of tunnel " + name);
  }

  void ike(const std::string& path, const TunnelConfig& tunnel) {
    using minibgp::xfrm::vici::Complaint;
    for (const Complaint& complaint : minibgp::xfrm::vici::check(tunnel.options)) {
      const std::string at = path + "." + std::string{complaint.key};
      // What is missing was reported as wrong already.
      if (complaint.missing && wrong(at)) continue;
      if (complaint.weight == Complaint::Weight::error) {
        error(at, complaint.text, std::string{complaint.hint});
      } else {
        warning(at, complaint.text, std::string{complaint.hint});
      }
    }
    if (!tunnel.options.ike) return;
    const minibgp::xfrm::IkeOptions& ike = *tunnel.options.ike;
    const bool alibaba = tunnel.cloud == Cloud::alibaba || tunnel.cloud == Cloud::alibaba_tr;
    const bool told = ike.child_life_time.count() != 0;
    if (alibaba && !told && ike.rekey_time + ike.over_time > std::chrono::hours{24})
      warning(path + ".ike.rekey_time", "rekey_time + over_time is more than the usual SA lifetime of 86400s at " +
                                            std::string{facts_of(tunnel.cloud).name});
  }

  void tunnels_together() {
    std::map<std::uint32_t, std::string> if_ids;
    std::map<std::string, std::string> interfaces;
    std::map<Prefix, std::string> networks;
    for (const auto& [name, tunnel] : config_.tunnels) {
      const std::string path = "tunnels." + name;
      const minibgp::xfrm::TunnelOptions& options = tunnel.options;
      // Policies have no interface and no if_id.
      if (options.mode == Mode::policy) continue;
      // Several tunnels of mode link have none, which is no conflict.
      if (const auto [other, fresh] = if_ids.emplace(options.if_id, name); !fresh && options.if_id != 0)
        error(path + ".if_id", "if_id " + std::to_string(options.if_id) + " is also that of tunnel " + other->second);
      const std::string& interface = options.interface.empty() ? name : options.interface;
      if (const auto [other, fresh] = interfaces.emplace(interface, name); !fresh)
        error(path + ".interface", "interface " + interface + " is also that of tunnel " + other->second);
      for (const auto& own : options.addresses) {
        const Prefix network = Prefix::of(own.address, own.length_bits);
        if (own.address.is_link_local_v6()) continue;
        for (const auto& [other, owner] : networks)
          if (owner != name && other != network && (other.covers(network) || network.covers(other)))
            warning(path + ".address",
                    "network " + to_text(network) + " overlaps " + to_text(other) + " of tunnel " + owner,
                    "each tunnel needs a network of its own");
        if (const auto [other, fresh] = networks.emplace(network, name); !fresh)
          error(path + ".address", "network " + to_text(network) + " is also that of tunnel " + other->second,
                "each tunnel needs a network of its own");
      }
    }
  }

  /// charon tells connections apart by addresses and identities alone. With equal ones an SA may land in the other
  /// tunnel, and `unique` makes each replace the other.
  void same_ike_ends() {
    using Ends = std::tuple<std::string, std::set<std::string>, std::string, std::string>;
    std::map<Ends, std::string> seen;
    for (const auto& [name, tunnel] : config_.tunnels) {
      // Policies are told apart by their selectors.
      if (!tunnel.options.ike || tunnel.options.mode == Mode::policy) continue;
      const minibgp::xfrm::IkeOptions& ike = *tunnel.options.ike;
      const std::set<std::string> local{ike.local_addresses.begin(), ike.local_addresses.end()};
      for (const std::string& remote : ike.remote_addresses) {
        const auto [other, fresh] = seen.emplace(Ends{remote, local, ike.local_id, ike.remote_id}, name);
        if (!fresh && other->second != name)
          error("tunnels." + name + ".ike.remote.address",
                "tunnel " + name + " has the IKE addresses and identities of tunnel " + other->second + ": " + remote,
                "each tunnel needs another remote address, local address or identity");
      }
    }
  }

  void static_routes() {
    std::set<Prefix> seen;
    std::vector<std::string_view> known;
    for (const auto& [name, tunnel] : config_.tunnels) known.emplace_back(name);
    for (const StaticRoute& route : config_.static_routes) {
      const std::string path = "static_routes." + to_text(route.prefix);
      if (!seen.insert(route.prefix).second)
        error(path, "static route " + to_text(route.prefix) + " is given twice", "write all its ways into one 'via'");
      for (const StaticVia& via : route.via) check_via(path, route, via, known);
    }
  }

  void check_via(const std::string& path, const StaticRoute& route, const StaticVia& via,
                 const std::vector<std::string_view>& known) {
    if (via.tunnel.empty() && !via.gateway.is_set() && via.device.empty())
      return error(path, "a way of static route " + to_text(route.prefix) + " needs a 'tunnel', 'gateway' or 'device'");
    if (route.follow == StaticRoute::Follow::inbound && via.tunnel.empty())
      error(path, "'follow: inbound' works with tunnels only");
    if (via.tunnel.empty()) return;
    const auto tunnel = config_.tunnels.find(via.tunnel);
    if (tunnel == config_.tunnels.end())
      return error(path, "no tunnel '" + via.tunnel + "'", did_you_mean(via.tunnel, known));
    if (route.follow == StaticRoute::Follow::inbound && tunnel->second.options.mode == Mode::link)
      error(path, "'follow: inbound' counts what arrives by SA: tunnel " + via.tunnel + " has mode link");
    if (facts_of(tunnel->second.cloud).static_discouraged)
      warning(path, "static routing is not recommended with " + std::string{facts_of(tunnel->second.cloud).name},
              "use BGP");
  }

  void return_path_peers() {
    const auto wanted = [](const auto& peer) { return peer.second.return_path.more_specifics; };
    const auto count = std::count_if(config_.peers.begin(), config_.peers.end(), wanted);
    // One bit for each of them, see ReturnPath.
    if (static_cast<std::size_t>(count) > kReturnPathPeersMax)
      error("peers", "at most " + std::to_string(kReturnPathPeersMax) + " peers can have return_path, not " +
                         std::to_string(count));
  }

  void rest() {
    for (const auto& [number, owner] : kClaimedProtocols)
      if (config_.fib.protocol == number)
        warning("fib.protocol", "protocol " + std::to_string(number) + " belongs to " + owner,
                "its routes and ours would be taken for each other's");
    if (minibgp::fib::is_reserved_table(config_.fib.table))
      error("fib.table", "table " + std::to_string(config_.fib.table) + " is the kernel's own",
            "it says which addresses are this host's; use 254 (main) or a table of your own");
    if (config_.fib.table == 220)
      warning("fib.table", "table 220 is the one that strongSwan puts routes into", "use another one");
    metrics();
    // sun_path has 108 octets with the terminating zero.
    if (config_.control.socket.size() > 107)
      error("control.socket", "the path of a Unix socket has at most 107 octets");
  }

  void metrics() {
    const std::string& listen = config_.metrics.listen;
    if (listen.empty() || listen.front() == '/') return;
    // The last colon: an IPv6 address in brackets has others.
    const std::size_t colon = listen.rfind(':');
    std::string host = listen.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    const auto address = minibgp::parse_address(host);
    if (colon == std::string::npos || !address)
      return error("metrics.listen", "'" + listen + "' is neither a path nor ADDRESS:PORT");
    const bool loopback = address->family == minibgp::Family::ipv4 ? address->octets[0] == 127
                                                                   : *address == *minibgp::parse_address("::1");
    if (!loopback)
      error("metrics.listen", "'" + listen + "' is not a loopback address",
            "metrics tell strangers about the network: put a reverse proxy in front");
  }

  const Config& config_;
  const std::map<std::string, std::string>& peer_paths_;
  const Places& places_;
  Diagnostics& into_;
};

}  // namespace

void check(const Config& config, const std::map<std::string, std::string>& peer_paths, const Places& places,
           Diagnostics& diagnostics) {
  Checker{config, peer_paths, places, diagnostics}.run();
}

namespace {

/// Whether the selectors hold every address of a family. Halves join, from the smallest networks up.
bool everything(const std::vector<std::string>& selectors, minibgp::Family family) {
  std::set<Prefix> networks;
  for (const std::string& one : selectors) {
    if (one == "0.0.0.0-255.255.255.255" && family == minibgp::Family::ipv4) return true;
    if (const auto prefix = minibgp::parse_prefix(one); prefix && prefix->family == family) networks.insert(*prefix);
  }
  // After the step for a length every network of that length whose both halves are there is known as its whole.
  for (int length = family == minibgp::Family::ipv4 ? 32 : 128; length > 0; --length) {
    std::map<Prefix, int> halves;
    for (const Prefix& network : networks)
      if (network.length_bits == length) ++halves[Prefix::of(network.address(), static_cast<std::uint8_t>(length - 1))];
    for (const auto& [whole, count] : halves)
      if (count == 2) networks.insert(whole);
  }
  return std::any_of(networks.begin(), networks.end(), [](const Prefix& network) { return network.length_bits == 0; });
}

}  // namespace

bool takes_everything(const minibgp::xfrm::TunnelOptions& tunnel) {
  if (!tunnel.ike) return false;
  const auto in = [&](minibgp::Family family) {
    return everything(tunnel.ike->local_ts, family) && everything(tunnel.ike->remote_ts, family);
  };
  return in(minibgp::Family::ipv4) || in(minibgp::Family::ipv6);
}

}  // namespace bgplite
