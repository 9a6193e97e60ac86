/// Doctor's checks of the machine: kernel, modules, sysctls, firewall, clock.
#include <apps/bgplite/host/doctor_checks.h>
#include <apps/bgplite/host/host.h>

#include <algorithm>
#include <array>

namespace bgplite::host {

namespace {

constexpr const char* kSetAgain = "bgplite apply  (it sets what is managed again)";

std::vector<std::string> set_sysctl(const std::string& path, const std::string& value) {
  return {"sysctl", "-w", sysctl_name(path) + "=" + value};
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
// The first row stands for all when the firewall cannot be read.
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
         "packets between the LAN and the tunnels are dropped",
         // Both directions: packets into the tunnels, and those that come out of them.
         "oifname ~TUNNELS accept && nft insert rule ~CHAIN iifname ~TUNNELS accept",
         "firewall-cmd --permanent --zone=trusted --add-interface=~TUNNELS && firewall-cmd --reload",
         "ufw route allow out on ~TUNNELS; ufw route allow in on ~TUNNELS"},
};

}  // namespace

void kernel(const Check& check, const Config& config, const Facts& facts, Out& out) {
  constexpr std::pair<unsigned, unsigned> kOldest{4, 19};
  if (any_interface(config) && !facts.kernel_release.empty() && version_of(facts.kernel_release) < kOldest)
    report(out, check, Verdict::error, {},
           {"the kernel is " + facts.kernel_release, "XFRM interfaces need Linux 4.19",
            "install a newer kernel, or use mode: policy"});
}

void module(const Check& check, const Config& config, const Facts& facts, Out& out) {
  if (any_interface(config) && !facts.xfrm_interface_module)
    report(out, check, Verdict::error, {},
           {"the kernel module xfrm_interface is missing",
            "the tunnels' interfaces cannot be made",
            "modprobe xfrm_interface  (in the package of the running kernel's modules; reboot after a kernel update)",
            {"modprobe", "xfrm_interface"}});
  if (!config.tunnels.empty() && !facts.esp4_module)
    report(out, check, Verdict::error, {},
           {"the kernel module esp4 is missing", "nothing can be encrypted", "modprobe esp4", {"modprobe", "esp4"}});
}

void forwarding(const Check& check, const Config& config, const Facts& facts, Out& out) {
  if (config.host.forwarding == Care::ignore) return;
  const auto value = facts.sysctls.find("net/ipv4/ip_forward");
  // A value that could not be read is no finding.
  if (value == facts.sysctls.end() || value->second != "0") return;
  const bool tunnels = !config.tunnels.empty();
  report(out, check, tunnels ? Verdict::error : Verdict::warning, {},
         {"net.ipv4.ip_forward is 0",
          tunnels ? "packets of the LAN are dropped instead of sent into a tunnel"
                  : "packets of others are dropped instead of sent along the routes of the peers",
          "host: { forwarding: manage }, or: sysctl -w net.ipv4.ip_forward=1", set_sysctl("net/ipv4/ip_forward", "1")});
}

void firewall(const Check& check, const Config& config, const Facts& facts, Out& out) {
  if (config.host.firewall == Care::ignore || config.tunnels.empty()) return;
  const auto door = std::find_if(kDoors.begin(), kDoors.end(), [&](const Door& it) { return it.id == check.id; });
  // Once, not for each of the doors.
  if (!facts.nft_readable && door == kDoors.begin()) {
    report(out, check, Verdict::not_checkable, {},
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
    // insert, not add: behind the rule that drops it would not be reached.
    if (drop.manager != "firewalld" && drop.manager != "ufw") remedy = "nft insert rule " + chain + " " + remedy;
    if (const auto at = remedy.find("~CHAIN"); at != std::string::npos) remedy.replace(at, 6, chain);
    // nft takes a set in braces; the other tools take one name.
    const bool several = config.tunnels.size() > 1 && remedy.rfind("nft", 0) == 0;
    for (auto at = remedy.find("~TUNNELS"); at != std::string::npos; at = remedy.find("~TUNNELS"))
      remedy.replace(at, 8, several ? "{ " + tunnels + " }" : tunnels);
    report(out, check, Verdict::error, chain,
           {"chain " + chain + " drops " + std::string{door->name}, std::string{door->why}, remedy});
  }
}

void masquerade(const Check& check, const Config&, const Facts& facts, Out& out) {
  for (const Masquerade& one : facts.masquerades) {
    const std::string chain = one.family + " " + one.table + " " + one.chain;
    report(out, check, Verdict::error, one.interface,
           {"chain " + chain + " gives packets into " + one.interface + " another source address",
            "the other side sees this host instead of the LAN, and drops what its selectors or routes do not know",
            "nft insert rule " + chain + " oifname \"" + one.interface + "\" accept"});
  }
}

void mss(const Check& check, const Config& config, const Facts& facts, Out& out) {
  if (config.host.mss_clamp == Care::ignore || facts.mss_clamped) return;
  report(out, check, Verdict::warning, {},
         {"nothing lowers TCP's segment size for the tunnels",
          "where ICMP is filtered, connections hang as soon as they carry data",
          config.host.mss_clamp == Care::manage ? kSetAgain : "host: { mss_clamp: manage }"});
}

/// Links that others make, and tunnels run over.
void links(const Check& check, const Config& config, const Facts& facts, Out& out) {
  for (const auto& [name, tunnel] : config.tunnels) {
    if (tunnel.options.mode != Mode::link) continue;
    const std::string interface = interface_name(tunnel.options);
    const auto link = facts.links.find(interface);
    if (link == facts.links.end()) {
      report(out, check, Verdict::error, name,
             {"the tunnel's interface " + interface + " is not there", "nothing gets through the tunnel",
              "make it (ip link add, or the program that owns it), or correct tunnels." + name + ".interface"});
    } else if (!link->second.up) {
      report(out, check, Verdict::error, name,
             {"the tunnel's interface " + interface + " is down", "nothing gets through the tunnel",
              "ip link set " + interface + " up"});
    } else if (tunnel.options.mtu != 0 && link->second.mtu != tunnel.options.mtu) {
      // mtu 0: not configured.
      report(out, check, Verdict::warning, name,
             {"the MTU of " + interface + " is " + std::to_string(link->second.mtu) + ", configured is " +
                  std::to_string(tunnel.options.mtu),
              "TCP's segment size is clamped to another size than the interface has",
              "ip link set " + interface + " mtu " + std::to_string(tunnel.options.mtu)});
    }
  }
}

/// What the daemon set and others changed, where no other check names it.
void managed(const Check& check, const Config& config, const Facts& facts, Out& out) {
  const ManagedFacts& found = facts.managed;
  const std::string why = "the daemon sets it again by itself at the next audit (fib.audit_interval)";
  for (const std::string& sysctl : found.sysctls)
    // These two have checks of their own.
    if (sysctl.find("ip_forward is 0") == std::string::npos && sysctl.find("rp_filter is 1") == std::string::npos)
      report(out, check, Verdict::warning, sysctl.substr(0, sysctl.find(' ')), {sysctl, why, kSetAgain});
  if (!facts.nft_readable) return;
  for (const std::string& rule : found.foreign_rules)
    report(out, check, Verdict::warning, "table inet bgplite",
           {"a rule that is not ours is in our table: " + rule, why, kSetAgain});
  const std::string table = wanted_nft_table(config);
  std::size_t clamps = 0;
  for (auto at = table.find("size set"); at != std::string::npos; at = table.find("size set", at + 1)) ++clamps;
  if (facts.mss_clamped && found.clamp_rules != clamps)
    report(
        out, check, Verdict::warning, "table inet bgplite",
        {"it has " + std::to_string(found.clamp_rules) + " rules of the MSS clamp instead of " + std::to_string(clamps),
         why, kSetAgain});
  const std::size_t doors = wanted_firewall_rules(config).size();
  // With packets that are dropped the firewall's own checks say more.
  if (found.door_rules != doors && facts.firewall_drops.empty())
    report(out, check, Verdict::warning, "chain " + config.host.firewall_chain,
           {"it has " + std::to_string(found.door_rules) + " rules of ours instead of " + std::to_string(doors), why,
            kSetAgain});
}

void rp_filter(const Check& check, const Config& config, const Facts& facts, Out& out) {
  if (config.host.rp_filter == Care::ignore) return;
  const auto value = [&](const std::string& name) {
    const auto found = facts.sysctls.find("net/ipv4/conf/" + name + "/rp_filter");
    return found == facts.sysctls.end() ? std::string{} : found->second;
  };
  for (const auto& [name, tunnel] : config.tunnels) {
    const std::string interface = interface_name(tunnel.options);
    // The larger of the two holds; without one of its own the interface is not there.
    // Values have one digit, so that they compare as texts.
    if (value(interface).empty() || std::max(value("all"), value(interface)) != "1") continue;
    const std::string path = "net/ipv4/conf/" + interface + "/rp_filter";
    report(out, check, Verdict::error, name,
           {"rp_filter is strict on " + interface,
            "packets that come back over another tunnel than they left by are dropped",
            "host: { rp_filter: manage }, or: sysctl -w " + sysctl_name(path) + "=2", set_sysctl(path, "2")});
  }
}

void clock_off(const Check& check, const Config& config, const Facts& facts, Out& out) {
  const bool certificates = std::any_of(config.tunnels.begin(), config.tunnels.end(), [](const auto& it) {
    return it.second.options.ike && it.second.options.ike->local_auth == "pubkey";
  });
  if (certificates && facts.clock_synchronized == false)
    report(out, check, Verdict::warning, {},
           {"the clock is not synchronized",
            "certificates are judged by it",
            "timedatectl set-ntp true",
            {"timedatectl", "set-ntp", "true"}});
}

}  // namespace bgplite::host
