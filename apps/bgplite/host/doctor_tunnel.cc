/// Doctor's checks of each tunnel: what charon, the kernel and the way to the peer make of it.
#include <apps/bgplite/config/check.h>
#include <apps/bgplite/host/doctor_checks.h>
#include <bgp/text.h>
#include <xfrm/stat.h>
#include <xfrm/vici/ike_config.h>

#include <algorithm>
#include <array>

namespace bgplite::host {
using minibgp::parse_address;
using minibgp::parse_prefix;
using minibgp::Prefix;
using minibgp::xfrm::IkeFailure;
using minibgp::xfrm::TunnelOptions;

namespace {

std::string remote_of(const TunnelOptions& tunnel) {
  return tunnel.ike && !tunnel.ike->remote_addresses.empty() ? tunnel.ike->remote_addresses.front()
                                                             : "the peer's IPsec address";
}

}  // namespace

void duplicates(const Check& check, const Config& config, const Facts&, Out& out) {
  for (auto a = config.tunnels.begin(); a != config.tunnels.end(); ++a)
    for (auto b = std::next(a); b != config.tunnels.end(); ++b) {
      const TunnelOptions &first = a->second.options, &second = b->second.options;
      if (first.mode == Mode::interface && second.mode == Mode::interface && first.if_id == second.if_id)
        report(out, check, Verdict::error, b->first,
               {"tunnels " + a->first + " and " + b->first + " have the same if_id " + std::to_string(first.if_id),
                "the kernel has one interface for each if_id", "give " + b->first + " another if_id"});
      for (const auto& x : first.addresses)
        for (const auto& y : second.addresses)
          // The networks, not the addresses: two /30 that overlap are one route in the kernel.
          if (Prefix::of(x.address, x.length_bits) == Prefix::of(y.address, y.length_bits))
            report(
                out, check, Verdict::error, b->first,
                {"tunnels " + a->first + " and " + b->first + " share " + to_text(Prefix::of(x.address, x.length_bits)),
                 "the kernel reaches only one of the two peers", "give each tunnel a /30 of its own"});
    }
}

void charon(const Check& check, const Config& config, const Facts& facts, Out& out) {
  if (config.tunnels.empty() || facts.vici_reachable) return;
  const std::string& socket = config.ipsec.vici_socket;
  if (!facts.vici_socket_present) {
    report(out, check, Verdict::error, {},
           {"strongSwan is not running: " + socket + " is not there",
            "no tunnel is negotiated",
            "systemctl enable --now strongswan  (or set ipsec.vici_socket, if its socket is elsewhere)",
            {"systemctl", "start", "strongswan"}});
  } else {
    report(out, check, Verdict::error, {},
           {"strongSwan's socket " + socket + " cannot be used: " + facts.vici_error,
            "bgplite cannot hand charon its connections",
            "run bgplite as a member of the socket's group, or systemctl restart strongswan"});
  }
}

void charon_version(const Check& check, const Config& config, const Facts& facts, Out& out) {
  // The first that knows if_id.
  constexpr std::pair<unsigned, unsigned> kOldest{5, 8};
  if (any_interface(config) && !facts.strongswan_version.empty() && version_of(facts.strongswan_version) < kOldest)
    report(out, check, Verdict::error, {},
           {"strongSwan is " + facts.strongswan_version, "XFRM interfaces need strongSwan 5.8.0",
            "install strongSwan 5.8.0 or later, or use mode: policy"});
}

void algorithms(const Check& check, const Config&, const Facts& facts, Out& out) {
  for (const std::string& problem : facts.algorithm_problems)
    report(out, check, Verdict::error, {},
           {problem, "charon accepts such a proposal and then cannot negotiate it",
            "load the plugin (Debian: apt-get install libstrongswan-standard-plugins libstrongswan-extra-plugins) and "
            "restart strongSwan"});
}

void route(const Check& check, const Config& config, const Facts& facts, Out& out) {
  for_tunnels(config, facts, [&](const std::string& name, const TunnelOptions& options, const TunnelFacts& tunnel) {
    if (tunnel.routed || !options.ike) return;
    // Words in capitals are for the operator to fill in.
    const std::string via = options.underlay.gateway.is_set() ? to_text(options.underlay.gateway) : "GATEWAY";
    const std::string device = options.underlay.device.empty() ? "eth0" : options.underlay.device;
    report(out, check, Verdict::error, name,
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
    // Without a route there is nothing that loops; the check before says so.
    if (tunnel.routed && loops)
      report(out, check, Verdict::error, name,
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
/// By the failure that charon told and by the check that asks: each check has its own rows.
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
    // What was refused before the SA came up is past.
    if (tunnel.child_installed) return;
    for (const FailureRow& row : kFailures)
      if (row.failure == tunnel.failure && row.id == check.id)
        report(out, check, Verdict::error, name,
               {"negotiation fails: " +
                    (tunnel.failure_text.empty() ? std::string{to_text(tunnel.failure)} : tunnel.failure_text),
                std::string{row.why}, std::string{row.remedy}});
  });
}

void foreign_connections(const Check& check, const Config&, const Facts& facts, Out& out) {
  for (const auto& it : facts.meddlers)
    report(out, check, Verdict::error, it.tunnel,
           {it.text, "IKE_SAs and SAs multiply, and part of the traffic takes the other connection's",
            "remove " + it.connection + " from /etc/swanctl, then: swanctl --load-conns; swanctl --terminate --ike " +
                it.connection});
}

void selectors(const Check& check, const Config& config, const Facts& facts, Out& out) {
  for_tunnels(config, facts, [&](const std::string& name, const TunnelOptions&, const TunnelFacts& tunnel) {
    const auto configured = config.tunnels.find(name);
    if (!tunnel.child_installed || tunnel.remote_ts.empty()) return;
    const auto covered = [&](const minibgp::IpAddress& address) {
      return std::any_of(tunnel.remote_ts.begin(), tunnel.remote_ts.end(), [&](const std::string& text) {
        const auto prefix = parse_prefix(text, minibgp::HostBits::mask);
        // A range or "dynamic" is no prefix and covers nothing here.
        return prefix && prefix->contains(address);
      });
    };
    const auto say = [&](const std::string& what) {
      report(
          out, check, Verdict::error, name,
          {"the negotiated selectors leave out " + what, "the tunnel has SAs, but is not used: these packets stay out",
           "leave out ike.local_ts and ike.remote_ts (0.0.0.0/0 on both ends), or add the tunnel's /30 to both"});
    };
    const auto& tunnel_config = configured->second;
    if (const auto peer = parse_address(tunnel_config.peer); peer && !covered(*peer))
      say("the BGP peer " + tunnel_config.peer);
    else if (tunnel_config.probe_enabled && tunnel_config.probe.target.is_set() && !covered(tunnel_config.probe.target))
      say("the probes' target " + to_text(tunnel_config.probe.target));
  });
}

void no_inbound(const Check& check, const Config& config, const Facts& facts, Out& out) {
  for_tunnels(config, facts, [&](const std::string& name, const TunnelOptions&, const TunnelFacts& tunnel) {
    // Read twice, a second apart: only now matters.
    const bool sends = tunnel.packets_out_later > tunnel.packets_out;
    if (tunnel.child_installed && sends && tunnel.packets_in_later == 0)
      report(out, check, Verdict::error, name,
             {"the SA is up, " + std::to_string(tunnel.packets_out_later) + " packets went out, none came in",
              "ESP or UDP 4500 is dropped on the way, or the peer sends over its other tunnel",
              "allow ESP and UDP 4500 on the way (ike: { encap: true } avoids ESP), and check the cloud's routes to "
              "here"});
  });
}

void template_mismatch(const Check& check, const Config&, const Facts& facts, Out& out) {
  for (const auto& [counter, later] : facts.xfrm_stat_later) {
    const auto before = facts.xfrm_stat.find(counter);
    const std::string_view meaning = minibgp::xfrm::xfrm_stat_meaning(counter);
    // What does not rise now is an old story.
    if (before == facts.xfrm_stat.end() || later <= before->second || meaning.empty()) continue;
    // The counter that two tunnels in mode policy with the same selectors make rise.
    const bool standby = counter == "XfrmInTmplMismatch";
    report(
        out, check, Verdict::error, counter,
        {counter + " rises: " + std::to_string(later - before->second) + " in a second", std::string{meaning},
         standby ? "give both tunnels an if_id (drop mode: policy) and static_routes: follow: inbound; until then swap "
                   "`priority` of the two tunnels"
                 : "bgplite show tunnels; compare the SAs with the peer's (swanctl --list-sas)"});
  }
}

void path_mtu(const Check& check, const Config& config, const Facts& facts, Out& out) {
  for_tunnels(config, facts, [&](const std::string& name, const TunnelOptions&, const TunnelFacts& tunnel) {
    // 0: not even the smallest probe came through.
    if (!tunnel.path_mtu_probed || tunnel.path_mtu == 0 || tunnel.path_mtu >= tunnel.mtu) return;
    report(out, check, Verdict::error, name,
           {"packets of " + std::to_string(tunnel.mtu) + " octets do not get through " + tunnel.interface + ", " +
                std::to_string(tunnel.path_mtu) + " do, and no ICMP error reports it",
            "sessions come up, and data stalls as soon as packets are full",
            "tunnels." + name + ".mtu: " + std::to_string(tunnel.path_mtu)});
  });
}

void table_220(const Check& check, const Config& config, const Facts& facts, Out& out) {
  // charon routes its policy-based tunnels through table 220.
  const bool needs_them = std::any_of(config.tunnels.begin(), config.tunnels.end(),
                                      [](const auto& it) { return it.second.options.mode == Mode::policy; });
  if (!any_interface(config) || needs_them || facts.routes_220 == 0 || !facts.rule_220) return;
  report(out, check, Verdict::warning, {},
         {std::to_string(facts.routes_220) + " routes in table 220, which is asked before the main table",
          "left over from policy-based tunnels, they lead around the tunnels' interfaces",
          "charon.install_routes = no in strongswan.conf; then, if no policy-based tunnel of this host uses them: "
          "ip route flush table 220"});
}

void everything(const Check& check, const Config& config, const Facts&, Out& out) {
  for (const auto& [name, tunnel] : config.tunnels)
    if (tunnel.options.mode == Mode::policy && takes_everything(tunnel.options))
      report(out, check, Verdict::error, name,
             {"its selectors are everything on both sides",
              "the kernel's policies take this host's own traffic to its neighbors as well, and its default route",
              "tunnels." + name + ".ike: { local_ts: OUR NETWORKS, remote_ts: THEIRS }, or mode: interface"});
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
    report(
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
      report(out, check, Verdict::warning, name,
             {"the tunnel was lost " + std::to_string(tunnel.restarts_lately) + " times lately",
              "the network between the gateways loses packets, or DPD is impatient",
              "ike: { dpd_delay: 30s } on both ends; look for loss with: mtr " + name});
  });
}

}  // namespace bgplite::host
