#include <apps/bgplite/host/command.h>
#include <apps/bgplite/host/doctor_checks.h>
#include <apps/bgplite/host/host.h>

#include <algorithm>
#include <array>

namespace bgplite::host {
namespace {

// --- What applies where ----------------------------------------------------------------------------------------------

bool ipsec(const Config& config, const Facts&) {
  return std::any_of(config.tunnels.begin(), config.tunnels.end(),
                     [](const auto& it) { return it.second.options.mode != Mode::link; });
}
bool always(const Config&, const Facts&) { return true; }
bool answers(const Config&, const Facts& facts) { return facts.daemon_reachable; }
bool linked(const Config& config, const Facts&) {
  return std::any_of(config.tunnels.begin(), config.tunnels.end(),
                     [](const auto& it) { return it.second.options.mode == Mode::link; });
}
bool manages(const Config& config, const Facts& facts) { return facts.daemon_reachable && !wanted_of(config).empty(); }
bool interfaces(const Config& config, const Facts&) { return any_interface(config); }
bool charon_answers(const Config& config, const Facts& facts) { return ipsec(config, facts) && facts.vici_reachable; }
bool negotiates(const Config& config, const Facts& facts) {
  return charon_answers(config, facts) && facts.daemon_reachable;
}
bool keys(const Config& config, const Facts& facts) { return ipsec(config, facts) || !facts.md5_keys.empty(); }
bool several(const Config& config, const Facts&) { return config.tunnels.size() > 1; }
bool routing(const Config& config, const Facts&) { return routes(config) && config.host.forwarding != Care::ignore; }
bool firewalled(const Config& config, const Facts& facts) {
  return ipsec(config, facts) && config.host.firewall != Care::ignore;
}
bool firewall_read(const Config& config, const Facts& facts) { return firewalled(config, facts) && facts.nft_readable; }
bool forwards(const Config& config, const Facts& facts) {
  return !config.tunnels.empty() && config.host.firewall != Care::ignore && facts.nft_readable;
}
bool ruleset(const Config& config, const Facts& facts) { return !config.tunnels.empty() && facts.nft_readable; }
bool clamped(const Config& config, const Facts& facts) {
  // With mss_clamp: manage the table shows whether there is a tunnel to clamp for, whatever is configured.
  Config clamps = config;
  clamps.host.mss_clamp = Care::manage;
  return !wanted_nft_table(clamps).empty() && facts.nft_readable && config.host.mss_clamp != Care::ignore;
}
bool filtered(const Config& config, const Facts&) {
  return !config.tunnels.empty() && config.host.rp_filter != Care::ignore;
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
    Check{"config-files", "The daemon can read its files", config_files, always},
    Check{"state-dir", "The daemon can write its state", state_dir, always},
    Check{"unconfirmed", "No change waits for its confirmation", unconfirmed, answers},
    Check{"unapplied", "What the files hold is applied", unapplied, answers},
    Check{"kernel", "The kernel has XFRM interfaces", kernel, interfaces},
    Check{"module", "The kernel's modules are there", module, ipsec},
    Check{"link", "The interfaces that tunnels run over are there", links, linked},
    Check{"charon", "strongSwan runs and can be talked to", charon, ipsec},
    Check{"charon-version", "strongSwan is new enough", charon_version, charon_answers},
    Check{"algorithms", "strongSwan has loaded what the proposals need", algorithms, charon_answers},
    Check{"duplicates", "Each tunnel has its own if_id and addresses", duplicates, several},
    Check{"psk-file", "Keys are there, and no other user can read them", key_files, keys},
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
    Check{"selectors-bgp", "The selectors let BGP and probes through", selectors, charon_answers},
    Check{"no-inbound", "Packets come back through the tunnels", no_inbound, charon_answers},
    Check{"xfrm-stat", "The kernel's XFRM error counters are quiet", template_mismatch, ipsec},
    Check{"forwarding", "IP forwarding is on", forwarding, routing},
    Check{"firewall-forward", "Forwarded packets pass the firewall", firewall, forwards},
    Check{"managed", "Settings of the host that the daemon manages are in force", managed, manages},
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
    Check{"withheld", "Routes are advertised as policy says", withheld, peers_known},
    Check{"kernel-routes", "The kernel has the routes that it should", refused_routes, answers},
    Check{"clock", "The clock is right", clock_off, certificates},
};

}  // namespace

std::span<const Check> checks() { return kChecks; }

std::vector<Finding> examine(const Config& config, const Facts& facts) {
  std::vector<Finding> findings;
  for (const Check& check : kChecks)
    // What does not apply is not run, and is not counted as passed.
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
    // Only findings whose repair is one harmless command have one.
    if (finding.repair.empty()) continue;
    std::string line;
    for (const std::string& word : finding.repair) line += (line.empty() ? "" : " ") + word;
    const Finished done = run_command(finding.repair);
    lines.push_back((done.ok() ? "ran: " : "failed: ") + line + (done.ok() ? "" : ": " + done.output));
  }
  return lines;
}

}  // namespace bgplite::host
