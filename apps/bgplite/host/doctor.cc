#include <apps/bgplite/host/command.h>
#include <apps/bgplite/host/doctor.h>
#include <apps/bgplite/host/host.h>
#include <bgp/text.h>
#include <xfrm/stat.h>
#include <xfrm/vici/ike_config.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <sstream>

namespace bgplite::host {
namespace {

using minibgp::parse_address;
using minibgp::parse_prefix;
using minibgp::Prefix;
using minibgp::xfrm::IkeFailure;
using minibgp::xfrm::Mode;
using minibgp::xfrm::TunnelOptions;
using Out = std::vector<Finding>;

/// A finding is made in one statement: what, why, remedy and, where `--fix` may, the command.
struct Text {
  std::string what, why, remedy;
  std::vector<std::string> repair = {};
};

void tell(Out& out, const Check& check, Verdict verdict, std::string subject, Text text) {
  out.push_back(Finding{check.id, verdict, std::move(subject), std::move(text.what), std::move(text.why),
                        std::move(text.remedy), std::move(text.repair)});
}

/// "6.1.0-50-amd64" -> {6, 1}; what is not a number is 0.
std::pair<unsigned, unsigned> version_of(std::string_view text) {
  std::pair<unsigned, unsigned> version{0, 0};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version.first);
  if (error == std::errc{} && end != text.data() + text.size() && *end == '.')
    (void)std::from_chars(end + 1, text.data() + text.size(), version.second);
  return version;
}

/// Checks of each IPsec tunnel get its options and what was found of it.
template <typename Body>
void for_tunnels(const Config& config, const Facts& facts, const Body& body) {
  for (const auto& [name, tunnel] : config.tunnels)
    if (const auto found = facts.tunnels.find(name); found != facts.tunnels.end() && tunnel.options.mode != Mode::link)
      body(name, tunnel.options, found->second);
}

bool any_interface(const Config& config) {
  return std::any_of(config.tunnels.begin(), config.tunnels.end(),
                     [](const auto& it) { return it.second.options.mode == Mode::interface; });
}

std::string sysctl_name(std::string path) {
  std::replace(path.begin(), path.end(), '/', '.');
  return path;
}

std::vector<std::string> set_sysctl(const std::string& path, const std::string& value) {
  return {"sysctl", "-w", sysctl_name(path) + "=" + value};
}

/// Selectors of 0.0.0.0/0 or ::/0 on both sides.
bool takes_everything(const TunnelOptions& tunnel) {
  const auto all = [](const std::vector<std::string>& selectors) {
    return std::any_of(selectors.begin(), selectors.end(),
                       [](const std::string& one) { return one == "0.0.0.0/0" || one == "::/0"; });
  };
  return tunnel.ike && all(tunnel.ike->local_ts) && all(tunnel.ike->remote_ts);
}

std::string remote_of(const TunnelOptions& tunnel) {
  return tunnel.ike && !tunnel.ike->remote_addresses.empty() ? tunnel.ike->remote_addresses.front()
                                                             : "the peer's IPsec address";
}

// --- The host --------------------------------------------------------------------------------------------------------

void kernel(const Check& check, const Config& config, const Facts& facts, Out& out) {
  constexpr std::pair<unsigned, unsigned> kOldest{4, 19};
  if (any_interface(config) && !facts.kernel_release.empty() && version_of(facts.kernel_release) < kOldest)
    tell(out, check, Verdict::error, {},
         {"the kernel is " + facts.kernel_release, "XFRM interfaces need Linux 4.19",
          "install a newer kernel, or use mode: policy"});
}

void module(const Check& check, const Config& config, const Facts& facts, Out& out) {
  if (any_interface(config) && !facts.xfrm_interface_module)
    tell(out, check, Verdict::error, {},
         {"the kernel module xfrm_interface is missing",
          "the tunnels' interfaces cannot be made",
          "modprobe xfrm_interface  (in the package of the running kernel's modules; reboot after a kernel update)",
          {"modprobe", "xfrm_interface"}});
  if (!config.tunnels.empty() && !facts.esp4_module)
    tell(out, check, Verdict::error, {},
         {"the kernel module esp4 is missing", "nothing can be encrypted", "modprobe esp4", {"modprobe", "esp4"}});
}

void charon(const Check& check, const Config& config, const Facts& facts, Out& out) {
  if (config.tunnels.empty() || facts.vici_reachable) return;
  const std::string& socket = config.ipsec.vici_socket;
  if (!facts.vici_socket_present) {
    tell(out, check, Verdict::error, {},
         {"strongSwan is not running: " + socket + " is not there",
          "nobody negotiates the tunnels",
          "systemctl enable --now strongswan  (or set ipsec.vici_socket, if its socket is elsewhere)",
          {"systemctl", "start", "strongswan"}});
  } else {
    tell(out, check, Verdict::error, {},
         {"strongSwan's socket " + socket + " cannot be used: " + facts.vici_error,
          "bgplite cannot hand charon its connections",
          "run bgplite as a member of the socket's group, or systemctl restart strongswan"});
  }
}

void charon_version(const Check& check, const Config& config, const Facts& facts, Out& out) {
  constexpr std::pair<unsigned, unsigned> kOldest{5, 8};
  if (any_interface(config) && !facts.strongswan_version.empty() && version_of(facts.strongswan_version) < kOldest)
    tell(out, check, Verdict::error, {},
         {"strongSwan is " + facts.strongswan_version, "XFRM interfaces need strongSwan 5.8.0",
          "install strongSwan 5.8.0 or later, or use mode: policy"});
}

void algorithms(const Check& check, const Config&, const Facts& facts, Out& out) {
  for (const std::string& problem : facts.algorithm_problems)
    tell(out, check, Verdict::error, {},
         {problem, "charon accepts such a proposal and then cannot negotiate it",
          "load the plugin (Debian: apt-get install libstrongswan-standard-plugins libstrongswan-extra-plugins) and "
          "restart strongSwan"});
}

/// Of the host as a router: it has tunnels, or puts routes of peers into its kernel.
bool routes(const Config& config) { return !config.tunnels.empty() || (config.fib.enabled && !config.peers.empty()); }

void forwarding(const Check& check, const Config& config, const Facts& facts, Out& out) {
  if (config.host.forwarding == Care::ignore) return;
  const auto value = facts.sysctls.find("net/ipv4/ip_forward");
  if (value == facts.sysctls.end() || value->second != "0") return;
  const bool tunnels = !config.tunnels.empty();
  tell(out, check, tunnels ? Verdict::error : Verdict::warning, {},
       {"net.ipv4.ip_forward is 0",
        tunnels ? "packets of the LAN are dropped instead of sent into a tunnel"
                : "packets of others are dropped instead of sent along the routes of the peers",
        "host: { forwarding: manage }, or: sysctl -w net.ipv4.ip_forward=1", set_sysctl("net/ipv4/ip_forward", "1")});
}

struct Door {
  FirewallDrop::What what;
  std::string_view id;
  std::string_view name;
  std::string_view why;
  std::string_view rule;  ///< nft
  std::string_view firewalld;
  std::string_view ufw;
};
constexpr std::array kDoors = {
    Door{FirewallDrop::What::ike, "firewall-ike", "UDP port 500 (IKE)", "the peer cannot negotiate with this host",
         "udp dport 500 accept", "firewall-cmd --permanent --add-service=ipsec && firewall-cmd --reload",
         "ufw allow 500/udp"},
    Door{FirewallDrop::What::nat_t, "firewall-nat-t", "UDP port 4500 (IKE and ESP behind NAT)",
         "encrypted packets behind NAT do not get in", "udp dport 4500 accept",
         "firewall-cmd --permanent --add-service=ipsec && firewall-cmd --reload", "ufw allow 4500/udp"},
    Door{FirewallDrop::What::esp, "firewall-esp", "ESP (IP protocol 50)",
         "encrypted packets do not get in where there is no NAT", "meta l4proto esp accept",
         "firewall-cmd --permanent --add-protocol=esp && firewall-cmd --reload",
         "add '-A ufw-before-input -p esp -j ACCEPT' to /etc/ufw/before.rules, then: ufw reload"},
    Door{FirewallDrop::What::forward, "firewall-forward", "forwarded packets",
         "packets between the LAN and the tunnels are dropped", "oifname ~TUNNELS accept; and: iifname ~TUNNELS accept",
         "firewall-cmd --permanent --zone=trusted --add-interface=~TUNNELS && firewall-cmd --reload",
         "ufw route allow out on ~TUNNELS; ufw route allow in on ~TUNNELS"},
};

void firewall(const Check& check, const Config& config, const Facts& facts, Out& out) {
  if (config.host.firewall == Care::ignore || config.tunnels.empty()) return;
  const auto door = std::find_if(kDoors.begin(), kDoors.end(), [&](const Door& it) { return it.id == check.id; });
  if (!facts.nft_readable && door == kDoors.begin()) {
    tell(out, check, Verdict::not_checkable, {},
         {"the firewall cannot be read (nft list ruleset)", "whether it drops IKE or ESP is unknown", "run as root"});
    return;
  }
  for (const FirewallDrop& drop : facts.firewall_drops) {
    if (drop.what != door->what) continue;
    std::string tunnels;
    for (const auto& [name, tunnel] : config.tunnels)
      tunnels += (tunnels.empty() ? "" : ", ") + (tunnel.options.interface.empty() ? name : tunnel.options.interface);
    std::string remedy{drop.manager == "firewalld" ? door->firewalld : drop.manager == "ufw" ? door->ufw : door->rule};
    const std::string chain = drop.family + " " + drop.table + " " + drop.chain;
    if (drop.manager != "firewalld" && drop.manager != "ufw") remedy = "nft insert rule " + chain + " " + remedy;
    const bool several = config.tunnels.size() > 1 && remedy.rfind("nft", 0) == 0;
    for (auto at = remedy.find("~TUNNELS"); at != std::string::npos; at = remedy.find("~TUNNELS"))
      remedy.replace(at, 8, several ? "{ " + tunnels + " }" : tunnels);
    tell(out, check, Verdict::error, chain,
         {"chain " + chain + " drops " + std::string{door->name}, std::string{door->why}, remedy});
  }
}

void rp_filter(const Check& check, const Config& config, const Facts& facts, Out& out) {
  if (config.host.rp_filter == Care::ignore) return;
  const auto value = [&](const std::string& name) {
    const auto found = facts.sysctls.find("net/ipv4/conf/" + name + "/rp_filter");
    return found == facts.sysctls.end() ? std::string{} : found->second;
  };
  for_tunnels(config, facts, [&](const std::string& name, const TunnelOptions&, const TunnelFacts& tunnel) {
    if (!tunnel.interface_present) return;
    // The larger of the two holds.
    if (std::max(value("all"), value(tunnel.interface)) != "1") return;
    const std::string path = "net/ipv4/conf/" + tunnel.interface + "/rp_filter";
    tell(out, check, Verdict::error, name,
         {"rp_filter is strict on " + tunnel.interface,
          "packets that come back over another tunnel than they left by are dropped",
          "host: { rp_filter: manage }, or: sysctl -w " + sysctl_name(path) + "=2", set_sysctl(path, "2")});
  });
}

void table_220(const Check& check, const Config& config, const Facts& facts, Out& out) {
  const bool needs_them = std::any_of(config.tunnels.begin(), config.tunnels.end(),
                                      [](const auto& it) { return it.second.options.mode == Mode::policy; });
  if (!any_interface(config) || needs_them || facts.routes_220 == 0 || !facts.rule_220) return;
  tell(out, check, Verdict::warning, {},
       {std::to_string(facts.routes_220) + " routes in table 220, which is asked before the main table",
        "left over from policy-based tunnels, they lead around the tunnels' interfaces",
        "charon.install_routes = no in strongswan.conf; then, if no policy-based tunnel of this host uses them: "
        "ip route flush table 220"});
}

void clock_off(const Check& check, const Config& config, const Facts& facts, Out& out) {
  const bool certificates = std::any_of(config.tunnels.begin(), config.tunnels.end(), [](const auto& it) {
    return it.second.options.ike && it.second.options.ike->local_auth == "pubkey";
  });
  if (certificates && facts.clock_synchronized == false)
    tell(out, check, Verdict::warning, {},
         {"the clock is not synchronized",
          "certificates are judged by it",
          "timedatectl set-ntp true",
          {"timedatectl", "set-ntp", "true"}});
}

void template_mismatch(const Check& check, const Config&, const Facts& facts, Out& out) {
  for (const auto& [counter, later] : facts.xfrm_stat_later) {
    const auto before = facts.xfrm_stat.find(counter);
    const std::string_view meaning = minibgp::xfrm::xfrm_stat_meaning(counter);
    if (before == facts.xfrm_stat.end() || later <= before->second || meaning.empty()) continue;
    const bool standby = counter == "XfrmInTmplMismatch";
    tell(
        out, check, Verdict::error, counter,
        {counter + " rises: " + std::to_string(later - before->second) + " in a second", std::string{meaning},
         standby ? "give both tunnels an if_id (drop mode: policy) and static_routes: follow: inbound; until then swap "
                   "`priority` of the two tunnels"
                 : "bgplite show tunnels; compare the SAs with the peer's (swanctl --list-sas)"});
  }
}

// --- Each tunnel -----------------------------------------------------------------------------------------------------

void duplicates(const Check& check, const Config& config, const Facts&, Out& out) {
  for (auto a = config.tunnels.begin(); a != config.tunnels.end(); ++a)
    for (auto b = std::next(a); b != config.tunnels.end(); ++b) {
      const TunnelOptions &first = a->second.options, &second = b->second.options;
      if (first.mode == Mode::interface && second.mode == Mode::interface && first.if_id == second.if_id)
        tell(out, check, Verdict::error, b->first,
             {"tunnels " + a->first + " and " + b->first + " have the same if_id " + std::to_string(first.if_id),
              "the kernel has one interface for each if_id", "give " + b->first + " another if_id"});
      for (const auto& x : first.addresses)
        for (const auto& y : second.addresses)
          if (Prefix::of(x.address, x.length_bits) == Prefix::of(y.address, y.length_bits))
            tell(
                out, check, Verdict::error, b->first,
                {"tunnels " + a->first + " and " + b->first + " share " + to_text(Prefix::of(x.address, x.length_bits)),
                 "the kernel reaches only one of the two peers", "give each tunnel a /30 of its own"});
    }
}

/// Only printed: who may read a key is the operator's to decide, and a wrong owner or mode takes the tunnel down.
void key_file(const Check& check, const std::string& user, const std::string& subject, const std::string& path,
              const KeyFacts& key, std::uint32_t others, const char* loss, Out& out) {
  const std::string put_right = "chown " + user + " " + path + " && chmod 0400 " + path;
  if (!key.exists) {
    tell(out, check, Verdict::error, subject,
         {"the key " + path + " is not there", loss,
          "install -D -m 0400 -o " + user + " /dev/stdin " + path + "  (then type the key and Ctrl-D)"});
  } else if ((key.mode & others) != 0) {
    tell(out, check, Verdict::error, subject,
         {"the key " + path + " can be read by others", "bgplite refuses it", put_right});
  } else if (!key.readable) {
    tell(out, check, Verdict::error, subject,
         {"user " + user + ", who runs the daemon, cannot read the key " + path, loss,
          put_right + "  (and let " + user + " into its directory)"});
  }
}

void key_files(const Check& check, const Config& config, const Facts& facts, Out& out) {
  for_tunnels(config, facts, [&](const std::string& name, const TunnelOptions& options, const TunnelFacts& tunnel) {
    if (!options.ike || options.ike->psk_file.empty()) return;
    key_file(check, facts.daemon_user, name, options.ike->psk_file, tunnel.psk, 07, "the tunnel cannot be negotiated",
             out);
  });
  for (const auto& [name, peer] : config.peers)
    if (const auto key = facts.md5_keys.find(name); key != facts.md5_keys.end())
      key_file(check, facts.daemon_user, name, peer.md5_file, key->second, 077, "the peer stays disabled", out);
}

void route(const Check& check, const Config& config, const Facts& facts, Out& out) {
  for_tunnels(config, facts, [&](const std::string& name, const TunnelOptions& options, const TunnelFacts& tunnel) {
    if (tunnel.routed || !options.ike) return;
    const std::string via = options.underlay.gateway.is_set() ? to_text(options.underlay.gateway) : "GATEWAY";
    const std::string device = options.underlay.device.empty() ? "eth0" : options.underlay.device;
    tell(out, check, Verdict::error, name,
         {"there is no route to " + remote_of(options), "IKE packets do not leave the host",
          options.underlay.gateway.is_set()
              ? "bring " + device + " up; bgplite then routes " + remote_of(options) + " via " + via
              : "tunnels." + name + ".underlay: { device: " + device + ", gateway: " + via + " }"});
  });
}

void route_loop(const Check& check, const Config& config, const Facts& facts, Out& out) {
  for_tunnels(config, facts, [&](const std::string& name, const TunnelOptions& options, const TunnelFacts& tunnel) {
    const bool loops = std::any_of(facts.tunnels.begin(), facts.tunnels.end(), [&](const auto& it) {
      return !tunnel.route_device.empty() && it.second.interface == tunnel.route_device;
    });
    if (tunnel.routed && loops)
      tell(out, check, Verdict::error, name,
           {"the route to " + remote_of(options) + " leads through the tunnel " + tunnel.route_device,
            "the tunnel's own packets would go into it, so it cannot stay up",
            "tunnels." + name +
                ".underlay: { device: DEVICE, gateway: GATEWAY }, and refuse the covering route in the "
                "import policy (match: { covers_ike_endpoint: true })"});
  });
}

struct FailureRow {
  IkeFailure failure;
  std::string_view id;
  std::string_view why;
  std::string_view remedy;
};
/// The answers of the document's FAQ "How do I troubleshoot tunnel negotiation failures".
constexpr std::array kFailures = {
    FailureRow{IkeFailure::authentication, "psk-mismatch", "the keys of the two sides, or their identities, differ",
               "write the cloud's key into the psk_file (it is loaded at once), and compare ike.local.id with the "
               "cloud's RemoteId and ike.remote.id with its LocalId"},
    FailureRow{IkeFailure::no_key, "psk-mismatch", "charon has no key for this pair of identities",
               "check psk_file, ike.local.id and ike.remote.id"},
    FailureRow{
        IkeFailure::ike_proposal, "ike-proposal",
        "the two sides have no IKE algorithm in common, or speak different IKE versions: peers refuse both in the "
        "same words",
        "set ike.proposals and ike.version to what the cloud's IKE configuration says"},
    FailureRow{IkeFailure::version, "ike-version", "the peer does not speak this IKE version",
               "set ike.version to the cloud's"},
    FailureRow{IkeFailure::esp_proposal, "esp-proposal", "the two sides have no ESP algorithm in common",
               "set ike.esp_proposals to what the cloud's IPsec configuration says (DH group included)"},
    FailureRow{IkeFailure::peer_silent, "peer-silent",
               "the peer does not answer: wrong address, a firewall on the way, or the cloud's side is not there",
               "compare ike.remote.address with the cloud's IPsec address; let UDP 500 and 4500 and ESP through on the "
               "way; see also firewall-ike and route"},
    FailureRow{IkeFailure::identity, "id-mismatch", "the peer presents another identity than configured",
               "set ike.remote.id to the cloud's LocalId, and ike.local.id to its RemoteId"},
    FailureRow{
        IkeFailure::traffic_selectors, "selectors", "the peer refuses the traffic selectors",
        "set ike.local_ts and ike.remote_ts to the cloud's (mirrored); in destination routing mode leave both out"},
    FailureRow{IkeFailure::kernel, "kernel-refused", "the kernel refused the SA or policy",
               "load the algorithm's module (modprobe esp4, and the cipher's), and look for duplicate policies"},
};

void negotiation(const Check& check, const Config& config, const Facts& facts, Out& out) {
  for_tunnels(config, facts, [&](const std::string& name, const TunnelOptions&, const TunnelFacts& tunnel) {
    if (tunnel.child_installed) return;
    for (const FailureRow& row : kFailures)
      if (row.failure == tunnel.failure && row.id == check.id)
        tell(out, check, Verdict::error, name,
             {"negotiation fails: " +
                  (tunnel.failure_text.empty() ? std::string{to_text(tunnel.failure)} : tunnel.failure_text),
              std::string{row.why}, std::string{row.remedy}});
  });
}

void foreign_connections(const Check& check, const Config&, const Facts& facts, Out& out) {
  for (const auto& it : facts.meddlers)
    tell(out, check, Verdict::error, it.tunnel,
         {it.text, "IKE_SAs and SAs multiply, and part of the traffic takes the other connection's",
          "remove " + it.connection + " from /etc/swanctl, then: swanctl --load-conns; swanctl --terminate --ike " +
              it.connection});
}

void selectors(const Check& check, const Config& config, const Facts& facts, Out& out) {
  for_tunnels(config, facts, [&](const std::string& name, const TunnelOptions&, const TunnelFacts& tunnel) {
    const auto configured = config.tunnels.find(name);
    const auto peer = parse_address(configured->second.peer);
    if (!tunnel.child_installed || !peer || tunnel.remote_ts.empty()) return;
    const bool covered = std::any_of(tunnel.remote_ts.begin(), tunnel.remote_ts.end(), [&](const std::string& text) {
      const auto prefix = parse_prefix(text, minibgp::HostBits::mask);
      return prefix && prefix->contains(*peer);
    });
    if (!covered)
      tell(out, check, Verdict::error, name,
           {"the negotiated selectors leave out the BGP peer " + configured->second.peer,
            "the tunnel is up, but BGP does not fit through it",
            "leave out ike.local_ts and ike.remote_ts (0.0.0.0/0 on both ends), or add the tunnel's /30 to both"});
  });
}

void no_inbound(const Check& check, const Config& config, const Facts& facts, Out& out) {
  for_tunnels(config, facts, [&](const std::string& name, const TunnelOptions&, const TunnelFacts& tunnel) {
    const bool sends = tunnel.packets_out_later > tunnel.packets_out;
    if (tunnel.child_installed && sends && tunnel.packets_in_later == 0)
      tell(out, check, Verdict::error, name,
           {"the SA is up, " + std::to_string(tunnel.packets_out_later) + " packets went out, none came in",
            "ESP or UDP 4500 is dropped on the way, or the peer sends over its other tunnel",
            "allow ESP and UDP 4500 on the way (ike: { encap: true } avoids ESP), and check the cloud's routes to "
            "here"});
  });
}

void path_mtu(const Check& check, const Config& config, const Facts& facts, Out& out) {
  for_tunnels(config, facts, [&](const std::string& name, const TunnelOptions&, const TunnelFacts& tunnel) {
    if (!tunnel.path_mtu_probed || tunnel.path_mtu == 0 || tunnel.path_mtu >= tunnel.mtu) return;
    tell(out, check, Verdict::error, name,
         {"packets of " + std::to_string(tunnel.mtu) + " octets do not get through " + tunnel.interface + ", " +
              std::to_string(tunnel.path_mtu) + " do, and nobody says so",
          "sessions come up, and data stalls as soon as packets are full",
          "tunnels." + name + ".mtu: " + std::to_string(tunnel.path_mtu)});
  });
}

void mss(const Check& check, const Config& config, const Facts& facts, Out& out) {
  if (config.host.mss_clamp == Care::ignore || facts.mss_clamped || !facts.nft_readable || !any_interface(config))
    return;
  tell(out, check, Verdict::warning, {},
       {"nothing lowers TCP's segment size for the tunnels",
        "where ICMP is filtered, connections hang as soon as they carry data", "host: { mss_clamp: manage }"});
}

void detection(const Check& check, const Config& config, const Facts& facts, Out& out) {
  const minibgp::xfrm::vici::Retransmission retransmission{facts.retransmit_timeout, facts.retransmit_base,
                                                           facts.retransmit_tries};
  for_tunnels(config, facts, [&](const std::string& name, const TunnelOptions& options, const TunnelFacts&) {
    const TunnelConfig& configured = config.tunnels.find(name)->second;
    // Probes notice first, however slow IKE is.
    if (!options.ike || configured.probe_enabled) return;
    const auto worst = std::chrono::duration_cast<std::chrono::seconds>(
        minibgp::xfrm::vici::worst_detection(*options.ike, retransmission));
    constexpr std::chrono::seconds kWithoutBgp{30};
    const auto peer = config.peers.find(configured.peer);
    const bool bgp = peer != config.peers.end() && peer->second.options.timers.hold_s != 0;
    const std::chrono::seconds limit = bgp ? std::chrono::seconds{peer->second.options.timers.hold_s} : kWithoutBgp;
    if (worst <= limit) return;
    tell(
        out, check, Verdict::warning, name,
        {"a peer that dies silently is noticed after " + std::to_string(worst.count()) +
             " s (dpd_delay and IKE's retransmissions)" +
             (bgp ? ", later than BGP's hold time of " + std::to_string(limit.count()) + " s" : ""),
         bgp ? "BGP moves the traffic, but the tunnel stays dead that long even when the peer is back at once"
             : "with static routing nothing else notices: traffic is lost for that long",
         options.ike->version == 1
             ? "tunnels." + name + ".ike: { dpd_timeout: 25s }"
             : "charon { retransmit_timeout = 2.0, retransmit_base = 1.4, retransmit_tries = 3 } on lines of their own "
               "in /etc/strongswan.d/bgplite.conf, and restart strongSwan; or tunnels." +
                   name + ".probe: { target: ADDRESS }"});
  });
}

void flapping(const Check& check, const Config& config, const Facts& facts, Out& out) {
  constexpr std::uint32_t kOften = 3;
  for_tunnels(config, facts, [&](const std::string& name, const TunnelOptions&, const TunnelFacts& tunnel) {
    if (tunnel.restarts_lately > kOften)
      tell(out, check, Verdict::warning, name,
           {"the tunnel was lost " + std::to_string(tunnel.restarts_lately) + " times lately",
            "the network between the gateways loses packets, or DPD is impatient",
            "ike: { dpd_delay: 30s } on both ends; look for loss with: mtr " + name});
  });
}

void timers(const Check& check, const Config& config, const Facts& facts, Out& out) {
  for_tunnels(config, facts, [&](const std::string& name, const TunnelOptions&, const TunnelFacts& tunnel) {
    const auto peer = config.peers.find(config.tunnels.find(name)->second.peer);
    if (peer == config.peers.end() || !tunnel.peer_hold_time) return;
    const auto ours = peer->second.options.timers.hold_s;
    if (*tunnel.peer_hold_time != ours)
      tell(out, check, Verdict::warning, name,
           {"the peer proposes a hold time of " + std::to_string(*tunnel.peer_hold_time) + " s, we " +
                std::to_string(ours) + " s",
            "the smaller one is used; clouds that do not honour it reset the session at random",
            "timers: { hold: " + std::to_string(*tunnel.peer_hold_time) + "s }"});
  });
}

// --- BGP -------------------------------------------------------------------------------------------------------------

void daemon_runs(const Check& check, const Config& config, const Facts& facts, Out& out) {
  if (facts.daemon_reachable) return;
  tell(out, check, Verdict::not_checkable, {},
       {"the daemon does not answer at " + config.control.socket, "sessions and negotiations are not known",
        "systemctl start bgplite, or bgplite run; then ask again"});
}

/// Every session that should be there and is not, with what is known of why.
void sessions(const Check& check, const Config&, const Facts& facts, Out& out) {
  for (const SessionFacts& session : facts.sessions) {
    if (session.state == "Established" || !session.enabled) continue;
    const std::string time = std::to_string(static_cast<long>(session.state_for_s)) + " s";
    Text text{"the session is " + session.state + " for " + time, {}, {}};
    if (!session.tunnel.empty() && session.tunnel_state == "down") {
      text.why = "its tunnel " + session.tunnel + " is down: " + session.tunnel_reason;
      text.remedy = "bring the tunnel up: bgplite show tunnels " + session.tunnel;
    } else if (!session.route_problem.empty()) {
      text.why = "there is no route to it: " + session.route_problem;
      text.remedy = "ip route get " + session.peer + "; give this host an address or a route toward it";
    } else if (!session.down_reason.empty()) {
      text.why = session.down_reason + (session.down_detail.empty() ? "" : ": " + session.down_detail);
      text.remedy = "compare AS numbers, addresses and keys with the peer's; bgplite show peers " + session.peer;
    } else {
      text.why = "it has not answered yet on TCP port 179: it may not run, not know us, or be behind a firewall";
      text.remedy = "ping " + session.peer + "; look at the peer's log; nft list ruleset";
    }
    tell(out, check, Verdict::error, session.peer, std::move(text));
  }
}

void masquerade(const Check& check, const Config&, const Facts& facts, Out& out) {
  for (const Masquerade& one : facts.masquerades) {
    const std::string chain = one.family + " " + one.table + " " + one.chain;
    tell(out, check, Verdict::error, one.interface,
         {"chain " + chain + " gives packets into " + one.interface + " another source address",
          "the other side sees this host instead of the LAN, and drops what its selectors or routes do not know",
          "nft insert rule " + chain + " oifname \"" + one.interface + "\" accept"});
  }
}

void everything(const Check& check, const Config& config, const Facts&, Out& out) {
  for (const auto& [name, tunnel] : config.tunnels)
    if (tunnel.options.mode == Mode::policy && takes_everything(tunnel.options))
      tell(out, check, Verdict::error, name,
           {"its selectors are everything on both sides",
            "the kernel's policies take this host's own traffic to its neighbors as well, and its default route",
            "tunnels." + name + ".ike: { local_ts: OUR NETWORKS, remote_ts: THEIRS }, or mode: interface"});
}

// --- What applies where ----------------------------------------------------------------------------------------------

bool tunnels(const Config& config, const Facts&) { return !config.tunnels.empty(); }
bool ipsec(const Config& config, const Facts&) {
  return std::any_of(config.tunnels.begin(), config.tunnels.end(),
                     [](const auto& it) { return it.second.options.mode != Mode::link; });
}
bool interfaces(const Config& config, const Facts&) { return any_interface(config); }
bool charon_answers(const Config& config, const Facts& facts) { return ipsec(config, facts) && facts.vici_reachable; }
bool negotiates(const Config& config, const Facts& facts) {
  return charon_answers(config, facts) && facts.daemon_reachable;
}
bool keys(const Config& config, const Facts& facts) { return ipsec(config, facts) || !facts.md5_keys.empty(); }
bool several(const Config& config, const Facts&) { return config.tunnels.size() > 1; }
bool routing(const Config& config, const Facts&) { return routes(config) && config.host.forwarding != Care::ignore; }
bool firewalled(const Config& config, const Facts&) {
  return !config.tunnels.empty() && config.host.firewall != Care::ignore;
}
bool firewall_read(const Config& config, const Facts& facts) { return firewalled(config, facts) && facts.nft_readable; }
bool ruleset(const Config& config, const Facts& facts) { return !config.tunnels.empty() && facts.nft_readable; }
bool clamped(const Config& config, const Facts& facts) {
  return any_interface(config) && facts.nft_readable && config.host.mss_clamp != Care::ignore;
}
bool filtered(const Config& config, const Facts&) {
  return any_interface(config) && config.host.rp_filter != Care::ignore;
}
bool peers_known(const Config& config, const Facts& facts) { return !config.peers.empty() && facts.daemon_reachable; }
bool tunnel_peers(const Config& config, const Facts& facts) {
  return ipsec(config, facts) && peers_known(config, facts);
}
bool runs(const Config& config, const Facts&) { return !config.peers.empty() || !config.tunnels.empty(); }
bool policy_mode(const Config& config, const Facts&) {
  return std::any_of(config.tunnels.begin(), config.tunnels.end(),
                     [](const auto& it) { return it.second.options.mode == Mode::policy; });
}
bool certificates(const Config& config, const Facts&) {
  return std::any_of(config.tunnels.begin(), config.tunnels.end(), [](const auto& it) {
    return it.second.options.ike && it.second.options.ike->local_auth == "pubkey";
  });
}

constexpr std::array kChecks = {
    Check{"daemon", "The daemon answers", daemon_runs, runs},
    Check{"kernel", "The kernel has XFRM interfaces", kernel, interfaces},
    Check{"module", "The kernel's modules are there", module, tunnels},
    Check{"charon", "strongSwan runs and can be talked to", charon, ipsec},
    Check{"charon-version", "strongSwan is new enough", charon_version, charon_answers},
    Check{"algorithms", "strongSwan has loaded what the proposals need", algorithms, charon_answers},
    Check{"duplicates", "Each tunnel has its own if_id and addresses", duplicates, several},
    Check{"psk-file", "Keys are there, and nobody else reads them", key_files, keys},
    Check{"route", "There is a route to each IPsec address", route, ipsec},
    Check{"route-loop", "No IPsec address is routed through a tunnel", route_loop, ipsec},
    Check{"firewall-ike", "UDP port 500 gets in", firewall, firewalled},
    Check{"firewall-nat-t", "UDP port 4500 gets in", firewall, firewall_read},
    Check{"firewall-esp", "ESP gets in", firewall, firewall_read},
    Check{"psk-mismatch", "Both sides have the same key", negotiation, negotiates},
    Check{"id-mismatch", "Both sides have the right identities", negotiation, negotiates},
    Check{"ike-version", "Both sides speak the same IKE version", negotiation, negotiates},
    Check{"ike-proposal", "The sides have IKE algorithms in common", negotiation, negotiates},
    Check{"esp-proposal", "The sides have ESP algorithms in common", negotiation, negotiates},
    Check{"selectors", "The peer takes the traffic selectors", negotiation, negotiates},
    Check{"kernel-refused", "The kernel takes the SAs", negotiation, negotiates},
    Check{"peer-silent", "The peer answers IKE", negotiation, negotiates},
    Check{"foreign-connections", "No other connection is on our tunnels", foreign_connections, charon_answers},
    Check{"selectors-bgp", "The selectors let BGP through", selectors, charon_answers},
    Check{"no-inbound", "Packets come back through the tunnels", no_inbound, charon_answers},
    Check{"xfrm-stat", "The kernel's XFRM error counters are quiet", template_mismatch, ipsec},
    Check{"forwarding", "IP forwarding is on", forwarding, routing},
    Check{"firewall-forward", "Forwarded packets pass the firewall", firewall, firewall_read},
    Check{"rp-filter", "Reverse path filtering is loose on the tunnels", rp_filter, filtered},
    Check{"path-mtu", "Full packets get through the tunnels", path_mtu, charon_answers},
    Check{"mss", "TCP's segment size is clamped", mss, clamped},
    Check{"table-220", "No routes are left over from policy-based tunnels", table_220, interfaces},
    Check{"detection", "A dead peer is noticed soon", detection, ipsec},
    Check{"flapping", "Tunnels do not flap", flapping, negotiates},
    Check{"timers", "BGP timers fit the peer's", timers, tunnel_peers},
    Check{"masquerade", "Tunnels' packets keep their source address", masquerade, ruleset},
    Check{"everything", "No tunnel takes all traffic of this host", everything, policy_mode},
    Check{"session", "Every session is established", sessions, peers_known},
    Check{"clock", "The clock is right", clock_off, certificates},
};

}  // namespace

std::span<const Check> checks() { return kChecks; }

std::vector<Finding> examine(const Config& config, const Facts& facts) {
  std::vector<Finding> findings;
  for (const Check& check : kChecks)
    if (check.applies(config, facts)) check.run(check, config, facts, findings);
  return findings;
}

std::size_t applicable(const Config& config, const Facts& facts) {
  return static_cast<std::size_t>(
      std::count_if(kChecks.begin(), kChecks.end(), [&](const Check& check) { return check.applies(config, facts); }));
}

std::vector<std::string> fix(const std::vector<Finding>& findings) {
  std::vector<std::string> lines;
  for (const Finding& finding : findings) {
    if (finding.repair.empty()) continue;
    std::string line;
    for (const std::string& word : finding.repair) line += (line.empty() ? "" : " ") + word;
    const Finished done = run_command(finding.repair);
    lines.push_back((done.ok() ? "ran: " : "failed: ") + line + (done.ok() ? "" : ": " + done.output));
  }
  return lines;
}

}  // namespace bgplite::host
