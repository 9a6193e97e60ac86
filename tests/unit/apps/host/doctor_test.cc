// Every fault doctor knows, planted one by one into a healthy host, is named with a remedy; a healthy host has none;
// and five pairs at once are named both.
#include <apps/bgplite/config/yaml.h>
#include <apps/bgplite/host/doctor.h>
#include <apps/bgplite/host/host.h>
#include <apps/bgplite/host/strongswan_conf.h>
#include <bgp/text.h>
#include <fib/fib.h>

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bgplite::host {
namespace {

using minibgp::IpAddress;
using minibgp::xfrm::IkeFailure;
using minibgp::xfrm::Mode;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// The document's first scenario, and a machine on which it works.
struct World {
  Config config;
  Facts facts;

  World() {
    for (const int i : {0, 1}) {
      TunnelConfig tunnel;
      tunnel.options.name = "ipsec" + std::to_string(i);
      tunnel.options.if_id = static_cast<std::uint32_t>(42 + i);
      tunnel.options.addresses = {{IpAddress::v4(0xA9FE0A02U + 0xA00U * static_cast<unsigned>(i)), 30}};
      tunnel.options.underlay = {"eth" + std::to_string(i), IpAddress::v4(0xAC1014FDU)};
      auto& ike = tunnel.options.ike.emplace();
      ike.remote_addresses = {"203.0.113.15" + std::to_string(i)};
      ike.psk_file = "/psk/" + tunnel.options.name;
      tunnel.peer = i == 0 ? "169.254.10.1" : "169.254.20.1";
      config.peers[tunnel.peer].options.timers.hold_s = 30;
      config.tunnels[tunnel.options.name] = tunnel;

      TunnelFacts& found = facts.tunnels[tunnel.options.name];
      found.interface_present = found.interface_up = true;
      found.interface = tunnel.options.name;
      found.mtu = 1360;
      found.routed = true;
      found.route_device = tunnel.options.underlay.device;
      found.connection_loaded = found.ike_established = found.child_installed = true;
      found.local_ts = found.remote_ts = {"0.0.0.0/0"};
      found.packets_in = found.packets_in_later = found.packets_out = found.packets_out_later = 10;
      found.path_mtu_probed = true;
      found.path_mtu = 1360;
      found.psk = {true, true, 0400};
      found.peer_hold_time = 30;
    }
    facts.daemon_user = "bgplite";
    facts.daemon_reachable = true;
    for (const char* peer : {"169.254.10.1", "169.254.20.1"}) {
      SessionFacts session;
      session.peer = peer;
      session.state = "Established";
      facts.sessions.push_back(session);
    }
    facts.kernel_release = "6.1.0-50-amd64";
    facts.xfrm_interface_module = facts.esp4_module = facts.is_root = true;
    facts.vici_socket_present = facts.vici_reachable = true;
    facts.strongswan_version = "5.9.8";
    facts.sysctls = {
        {"net/ipv4/ip_forward", "1"}, {"net/ipv4/conf/all/rp_filter", "0"}, {"net/ipv4/conf/ipsec0/rp_filter", "0"}};
    facts.nft_readable = facts.mss_clamped = true;
    facts.xfrm_stat = facts.xfrm_stat_later = {{"XfrmInTmplMismatch", 5}, {"XfrmInNoStates", 2}};
    facts.clock_synchronized = true;
    facts.retransmit_timeout = 2.0;
    facts.retransmit_base = 1.4;
    facts.retransmit_tries = 3;
  }
  TunnelFacts& tunnel() { return facts.tunnels["ipsec0"]; }
  [[nodiscard]] std::set<std::string> named() const {
    std::set<std::string> ids;
    for (const Finding& finding : examine(config, facts)) ids.insert(std::string{finding.check});
    return ids;
  }
};

TEST(Doctor, FindsNothingOnAHealthySystem) { EXPECT_THAT(World{}.named(), IsEmpty()); }

/// A machine on which a configuration works: everything is there, up, and as it was set.
Facts healthy(const Config& config) {
  Facts facts = World{}.facts;
  const TunnelFacts works = facts.tunnels.at("ipsec0");
  facts.tunnels.clear();
  facts.sessions.clear();
  for (const auto& [name, tunnel] : config.tunnels) {
    TunnelFacts& found = facts.tunnels[name] = works;
    found.interface = tunnel.options.interface.empty() ? name : tunnel.options.interface;
    found.mtu = found.path_mtu = tunnel.options.mtu == 0 ? minibgp::xfrm::kDefaultMtu : tunnel.options.mtu;
    found.route_device = tunnel.options.underlay.device;
    if (tunnel.options.ike && !tunnel.options.ike->local_ts.empty()) found.local_ts = tunnel.options.ike->local_ts;
    if (tunnel.options.ike && !tunnel.options.ike->remote_ts.empty()) found.remote_ts = tunnel.options.ike->remote_ts;
    if (const auto peer = config.peers.find(tunnel.peer); peer != config.peers.end())
      found.peer_hold_time = peer->second.options.timers.hold_s;
    if (tunnel.options.mode == Mode::link) facts.links[found.interface] = {true, tunnel.options.mtu};
  }
  for (const auto& [key, peer] : config.peers) {
    facts.sessions.emplace_back();
    facts.sessions.back().peer = to_text(peer.options.address);
    facts.sessions.back().state = "Established";
  }
  const std::string table = wanted_nft_table(config);
  for (auto at = table.find("size set"); at != std::string::npos; at = table.find("size set", at + 1))
    ++facts.managed.clamp_rules;
  facts.managed.door_rules = wanted_firewall_rules(config).size();
  return facts;
}

TEST(Doctor, FindsNothingWhereAnExampleWorks) {
  std::size_t examples = 0;
  for (const auto& entry : std::filesystem::directory_iterator(BGPLITE_EXAMPLES)) {
    if (entry.path().extension() != ".yaml") continue;
    SCOPED_TRACE(entry.path().filename());
    ++examples;
    const Loaded loaded = load_config(entry.path());
    ASSERT_FALSE(loaded.diagnostics.has_errors()) << loaded.diagnostics.to_text();
    for (const Finding& finding : examine(loaded.config, healthy(loaded.config)))
      ADD_FAILURE() << finding.check << ": " << finding.subject << ": " << finding.what;
  }
  EXPECT_GE(examples, 10U);
}

struct Fault {
  const char* check;
  void (*plant)(World&);
  const char* remedy;  ///< A part of it.
};

void drop(World& world, FirewallDrop::What what) {
  world.facts.firewall_drops.push_back({what, "inet", "filter", "input", "nft"});
}
void fail_with(World& world, IkeFailure failure) {
  world.tunnel().child_installed = false;
  world.tunnel().failure = failure;
}

const std::vector<Fault> kFaults = {
    {"kernel", [](World& w) { w.facts.kernel_release = "4.18.0-el8"; }, "newer kernel"},
    {"module", [](World& w) { w.facts.xfrm_interface_module = false; }, "modprobe xfrm_interface"},
    {"charon", [](World& w) { w.facts.vici_socket_present = w.facts.vici_reachable = false; }, "systemctl enable"},
    {"charon", [](World& w) { w.facts.vici_reachable = false; }, "restart strongswan"},
    {"charon-version", [](World& w) { w.facts.strongswan_version = "5.7.2"; }, "5.8.0"},
    {"algorithms", [](World& w) { w.facts.algorithm_problems = {"MODP_1024"}; }, "libstrongswan"},
    {"forwarding", [](World& w) { w.facts.sysctls["net/ipv4/ip_forward"] = "0"; }, "sysctl -w net.ipv4.ip_forward=1"},
    {"firewall-ike", [](World& w) { drop(w, FirewallDrop::What::ike); },
     "nft insert rule inet filter input udp dport 500 accept"},
    {"firewall-nat-t", [](World& w) { drop(w, FirewallDrop::What::nat_t); }, "udp dport 4500 accept"},
    {"firewall-esp", [](World& w) { drop(w, FirewallDrop::What::esp); }, "meta l4proto esp accept"},
    {"firewall-forward", [](World& w) { drop(w, FirewallDrop::What::forward); }, "{ ipsec0, ipsec1 }"},
    {"route", [](World& w) { w.tunnel().routed = false; }, "eth0"},
    {"route-loop", [](World& w) { w.tunnel().route_device = "ipsec1"; }, "underlay"},
    {"psk-mismatch", [](World& w) { fail_with(w, IkeFailure::authentication); }, "psk_file"},
    {"psk-mismatch", [](World& w) { fail_with(w, IkeFailure::no_key); }, "psk_file"},
    {"ike-proposal", [](World& w) { fail_with(w, IkeFailure::ike_proposal); }, "ike.proposals"},
    {"esp-proposal", [](World& w) { fail_with(w, IkeFailure::esp_proposal); }, "ike.esp_proposals"},
    {"ike-version", [](World& w) { fail_with(w, IkeFailure::version); }, "ike.version"},
    {"peer-silent", [](World& w) { fail_with(w, IkeFailure::peer_silent); }, "UDP 500 and 4500"},
    {"id-mismatch", [](World& w) { fail_with(w, IkeFailure::identity); }, "ike.remote.id"},
    {"selectors", [](World& w) { fail_with(w, IkeFailure::traffic_selectors); }, "ike.local_ts"},
    {"kernel-refused", [](World& w) { fail_with(w, IkeFailure::kernel); }, "modprobe"},
    {"selectors-bgp", [](World& w) { w.tunnel().remote_ts = {"192.168.0.0/16"}; }, "0.0.0.0/0"},
    {"foreign-connections",
     [](World& w) {
       w.facts.meddlers = {{"ipsec0", "vco1", "charon's connection vco1 has the tunnel's if_id 42"}};
     },
     "swanctl --terminate --ike vco1"},
    {"no-inbound",
     [](World& w) {
       w.tunnel().packets_out_later = 20;
       w.tunnel().packets_in = w.tunnel().packets_in_later = 0;
     },
     "encap"},
    {"xfrm-stat", [](World& w) { w.facts.xfrm_stat_later["XfrmInTmplMismatch"] = 9; }, "follow: inbound"},
    {"rp-filter", [](World& w) { w.facts.sysctls["net/ipv4/conf/all/rp_filter"] = "1"; },
     "net.ipv4.conf.ipsec0.rp_filter=2"},
    {"rp-filter",
     [](World& w) {
       // The dot is the interface's: sysctl(8) wants it as a slash.
       w.config.tunnels["ipsec0"].options.interface = w.tunnel().interface = "ipsec.1";
       w.facts.sysctls["net/ipv4/conf/ipsec.1/rp_filter"] = "1";
     },
     "sysctl -w net.ipv4.conf.ipsec/1.rp_filter=2"},
    {"path-mtu", [](World& w) { w.tunnel().path_mtu = 1300; }, "mtu: 1300"},
    {"mss", [](World& w) { w.facts.mss_clamped = false; }, "mss_clamp: manage"},
    {"detection",
     [](World& w) {
       w.config.tunnels["ipsec0"].peer.clear();
       w.facts.retransmit_tries = 5;
     },
     "probe"},
    {"detection", [](World& w) { w.facts.retransmit_tries = 5; }, "retransmit_tries = 3"},
    {"detection", [](World& w) { w.config.tunnels["ipsec0"].options.ike->version = 1; }, "dpd_timeout: 25s"},
    {"flapping", [](World& w) { w.tunnel().restarts_lately = 9; }, "dpd_delay: 30s"},
    {"table-220",
     [](World& w) {
       w.facts.rule_220 = true;
       w.facts.routes_220 = 2;
     },
     "ip route flush table 220"},
    {"duplicates", [](World& w) { w.config.tunnels["ipsec1"].options.if_id = 42; }, "another if_id"},
    {"duplicates",
     [](World& w) { w.config.tunnels["ipsec1"].options.addresses = w.config.tunnels["ipsec0"].options.addresses; },
     "/30 of its own"},
    {"psk-file", [](World& w) { w.tunnel().psk.mode = 0644; }, "chown bgplite /psk/ipsec0 && chmod 0400 /psk/ipsec0"},
    {"psk-file", [](World& w) { w.tunnel().psk.mode = 0620; }, "chown bgplite /psk/ipsec0 && chmod 0400 /psk/ipsec0"},
    {"psk-file",
     [](World& w) {
       w.tunnel().psk.mode = 0640;
       w.tunnel().psk.group = 1234;
     },
     "chown bgplite /psk/ipsec0 && chmod 0400 /psk/ipsec0"},
    {"psk-file", [](World& w) { w.tunnel().psk.exists = false; },
     "install -D -m 0400 -o bgplite /dev/stdin /psk/ipsec0"},
    {"psk-file", [](World& w) { w.tunnel().psk.readable = false; }, "chown bgplite /psk/ipsec0"},
    {"psk-file",
     [](World& w) {
       w.config.peers["169.254.10.1"].md5_file = "/md5/cloud";
       w.facts.md5_keys["169.254.10.1"] = {true, false, 0400};
     },
     "chown bgplite /md5/cloud"},
    {"daemon", [](World& w) { w.facts.daemon_reachable = false; }, "systemctl start bgplite"},
    {"session",
     [](World& w) {
       w.facts.sessions[0].state = "Active";
       w.facts.sessions[0].down_reason = "NOTIFICATION received";
       w.facts.sessions[0].down_detail = "Bad Peer AS";
     },
     "THE AS NUMBER THAT THE PEER HAS"},
    {"session",
     [](World& w) {
       w.facts.sessions[0].state = "Connect";
       w.facts.sessions[0].route_problem = "RTNETLINK answers: Network is unreachable";
     },
     "ip route get 169.254.10.1"},
    {"session", [](World& w) { w.facts.sessions[0].state = "Connect"; }, "ping 169.254.10.1"},
    {"session",
     [](World& w) {
       w.facts.sessions[0].state = "OpenSent";
       w.facts.sessions[0].state_for_s = 20;
       w.facts.sessions[0].attempt = "the peer closed the TCP connection before its OPEN";
       PeerConfig& peer = w.config.peers["169.254.10.1"];
       peer.options.address = minibgp::parse_address("169.254.10.1").value();
       peer.options.ttl_security_hops = 1;
     },
     "peers.169.254.10.1.ttl_security: 0"},
    {"session",
     [](World& w) {
       w.facts.sessions[0].state = "OpenConfirm";
       w.facts.sessions[0].state_for_s = 20;
       w.facts.sessions[0].attempt = "TCP: Connection refused before its OPEN";
     },
     "ping -M do -s 1400 169.254.10.1"},
    {"session",
     [](World& w) {
       w.facts.sessions[0].state = "Idle";
       w.facts.sessions[0].tunnel = "ipsec0";
       w.facts.sessions[0].tunnel_state = "down";
       w.facts.sessions[0].tunnel_reason = "authentication failed";
     },
     "bgplite show tunnels ipsec0"},
    {"masquerade",
     [](World& w) {
       w.facts.masquerades = {{"ipsec0", "ip", "nat", "postrouting"}};
     },
     "nft insert rule ip nat postrouting oifname \"ipsec0\" accept"},
    {"everything",
     [](World& w) {
       auto& options = w.config.tunnels["ipsec1"].options;
       options.mode = Mode::policy;
       options.ike->local_ts = options.ike->remote_ts = {"0.0.0.0/0"};
     },
     "mode: interface"},
    {"session",
     [](World& w) {
       w.facts.sessions[0].state = "Active";
       w.facts.sessions[0].attempt = "the peer sent OPEN Message Error / Bad Peer AS";
     },
     "peers.169.254.10.1.local_asn"},
    {"session",
     [](World& w) {
       w.facts.sessions[0].state = "Idle";
       w.facts.sessions[0].down_reason = "prefix limit exceeded";
       w.facts.sessions[0].down_detail = "sent Cease / Maximum Number of Prefixes Reached";
       w.facts.sessions[0].code = 6;
       w.facts.sessions[0].subcode = 1;
     },
     "bgplite enable 169.254.10.1"},
    {"withheld",
     [](World& w) {
       w.facts.sessions[0].withheld = {{"the export limit is reached", 7}};
     },
     "export_limit"},
    {"kernel-routes",
     [](World& w) {
       w.facts.refused_routes = {
           {"10.0.0.0/8", std::string{to_text(minibgp::fib::Refusal::foreign_route)}, "", 254, 20}};
     },
     "ip route del 10.0.0.0/8 table 254 metric 20"},
    {"config-files", [](World& w) { w.facts.unreadable = {"/etc/bgplite/bgplite.yaml"}; }, "chmod g+r"},
    {"state-dir", [](World& w) { w.facts.state_problem = "is on a disk without free space"; }, "df /var/lib/bgplite"},
    {"state-dir", [](World& w) { w.facts.state_problem = "is not there"; }, "mkdir -p /var/lib/bgplite"},
    {"unapplied", [](World& w) { w.facts.unapplied = {"network 10.0.0.0/8: announced"}; }, "bgplite plan"},
    {"unconfirmed", [](World& w) { w.facts.unconfirmed_for_s = 30; }, "bgplite confirm"},
    {"daemon",
     [](World& w) {
       w.facts.daemon_reachable = false;
       w.facts.listener = "LISTEN 0 128 *:179 users:((bird))";
     },
     "end that process"},
    {"link",
     [](World& w) {
       w.config.tunnels["wg0"].options.name = "wg0";
       w.config.tunnels["wg0"].options.mode = Mode::link;
     },
     "tunnels.wg0.interface"},
    {"managed",
     [](World& w) {
       w.config.host.multipath_hash = Care::manage;
       w.facts.managed.sysctls = {"net.ipv4.fib_multipath_hash_policy is 0 instead of 1"};
     },
     "bgplite apply"},
    {"timers", [](World& w) { w.tunnel().peer_hold_time = 180; }, "hold: 180s"},
    {"clock",
     [](World& w) {
       w.config.tunnels["ipsec0"].options.ike->local_auth = "pubkey";
       w.facts.clock_synchronized = false;
     },
     "timedatectl"},
};

TEST(Doctor, NamesEachFaultAloneWithItsRemedy) {
  std::set<std::string> planted;
  for (const Fault& fault : kFaults) {
    SCOPED_TRACE(fault.check);
    World world;
    fault.plant(world);
    EXPECT_THAT(world.named(), ::testing::ElementsAre(fault.check));
    std::vector<std::string> remedies;
    for (const Finding& finding : examine(world.config, world.facts)) {
      EXPECT_FALSE(finding.what.empty());
      EXPECT_FALSE(finding.why.empty());
      remedies.push_back(finding.remedy);
    }
    EXPECT_THAT(remedies, Contains(HasSubstr(fault.remedy)));
    planted.insert(fault.check);
  }
  for (const Check& check : checks()) EXPECT_THAT(planted, Contains(std::string{check.id})) << "no fault is planted";
}

/// A repair adds what is missing; keys and routes of others are the operator's.
TEST(Doctor, RepairsTakeNothingAwayAndTouchNoKey) {
  const std::set<std::string> allowed{"modprobe", "sysctl", "systemctl", "timedatectl"};
  int repairs = 0;
  for (const Fault& fault : kFaults) {
    World world;
    fault.plant(world);
    for (const Finding& finding : examine(world.config, world.facts)) {
      if (finding.repair.empty()) continue;
      ++repairs;
      EXPECT_THAT(allowed, Contains(finding.repair[0])) << finding.check;
      EXPECT_THAT(finding.repair, Not(Contains("stop"))) << finding.check;
    }
  }
  EXPECT_GE(repairs, 4);
}

TEST(Doctor, SelectorsThatLeaveOutTheProbesTargetAreNamed) {
  World world;
  TunnelConfig& tunnel = world.config.tunnels["ipsec0"];
  tunnel.probe_enabled = true;
  tunnel.probe.target = IpAddress::v4(0xC0A80A0B);
  world.tunnel().remote_ts = {"169.254.10.0/30"};
  EXPECT_THAT(world.named(), Contains("selectors-bgp"));
  world.tunnel().remote_ts = {"169.254.10.0/30", "192.168.0.0/16"};
  EXPECT_THAT(world.named(), Not(Contains("selectors-bgp")));
}

TEST(Doctor, Table220IsNoFindingWhilePolicyTunnelsUseIt) {
  World world;
  world.facts.rule_220 = true;
  world.facts.routes_220 = 2;
  world.config.tunnels["ipsec1"].options.mode = Mode::policy;
  world.config.tunnels["ipsec1"].options.ike->local_ts = {"10.0.0.0/8"};
  world.config.tunnels["ipsec1"].options.ike->remote_ts = {"172.16.0.0/12"};
  EXPECT_THAT(world.named(), Not(Contains("table-220")));
}

TEST(Doctor, CountsOnlyTheChecksThatApplyAndFindsWhatABgpOnlyHostLacks) {
  World world;
  const std::size_t all = applicable(world.config, world.facts);
  world.config.tunnels.clear();
  world.facts.tunnels.clear();
  EXPECT_THAT(world.named(), IsEmpty());
  EXPECT_LT(applicable(world.config, world.facts), 10U);
  EXPECT_GT(all, 25U);
  world.facts.sessions[0].state = "Active";
  world.facts.sessions[1].state = "Idle";
  world.facts.sessions[1].enabled = false;
  world.facts.sysctls["net/ipv4/ip_forward"] = "0";
  EXPECT_THAT(world.named(), ::testing::UnorderedElementsAre("session", "forwarding"));
  EXPECT_EQ(examine(world.config, world.facts).size(), 2U) << "one that is disabled is no finding";
}

TEST(Doctor, NamesBothOfTwoFaultsAtOnce) {
  const std::vector<std::pair<const char*, const char*>> kPairs = {{"forwarding", "firewall-ike"},
                                                                   {"psk-mismatch", "mss"},
                                                                   {"rp-filter", "path-mtu"},
                                                                   {"charon", "route"},
                                                                   {"table-220", "xfrm-stat"}};
  for (const auto& [one, other] : kPairs) {
    World world;
    for (const Fault& fault : kFaults)
      if (std::string_view{fault.check} == one || std::string_view{fault.check} == other) fault.plant(world);
    EXPECT_THAT(world.named(), ::testing::UnorderedElementsAre(one, other));
  }
}

// --- What is managed -------------------------------------------------------------------------------------------------

// --- strongswan.conf -------------------------------------------------------------------------------------------------

TEST(StrongswanConf, IsReadWithItsSectionsAndIncludes) {
  const IncludedFile file{"/etc/strongswan.conf", R"(
charon { # what follows is charon's
  load_modular = yes
  plugins { include strongswan.d/charon/*.conf }
  retransmit_tries = 5
  # retransmit_base = 9
}
include strongswan.d/*.conf
other { retransmit_tries = 7 })"};
  std::vector<std::string> asked;
  const Settings settings = parse_strongswan_conf(file, [&](const std::string& pattern, const std::string& from) {
    asked.push_back(pattern + " of " + from);
    if (pattern != "strongswan.d/*.conf") return std::vector<IncludedFile>{{"/p", "vici { load = yes }"}};
    return std::vector<IncludedFile>{{"/q", "charon {\n retransmit_tries = \"3\"\n retransmit_base=1.4 } include q"}};
  });
  EXPECT_EQ(settings.at("charon.retransmit_tries"), "3") << "the later one holds";
  EXPECT_EQ(settings.at("charon.retransmit_base"), "1.4");
  EXPECT_EQ(settings.at("charon.plugins.vici.load"), "yes");
  EXPECT_EQ(settings.at("other.retransmit_tries"), "7");
  EXPECT_EQ(asked[0], "strongswan.d/charon/*.conf of /etc/strongswan.conf");
}

TEST(StrongswanConf, AFileThatIncludesItselfEnds) {
  const IncludedFile loop{"/a", "include a\nx = 1\n}}{{="};
  EXPECT_EQ(parse_strongswan_conf(
                loop, [&](const std::string&, const std::string&) { return std::vector<IncludedFile>{loop}; })
                .at("x"),
            "1");
}

TEST(HostSettings, OnlyWhatIsManagedIsWanted) {
  World world;
  EXPECT_THAT(wanted_sysctls(world.config), IsEmpty());
  EXPECT_EQ(wanted_nft_table(world.config), "");
  EXPECT_THAT(wanted_firewall_rules(world.config), IsEmpty());
  world.config.host.forwarding = Care::manage;
  world.config.host.rp_filter = Care::manage;
  std::vector<std::string> paths;
  for (const Sysctl& one : wanted_sysctls(world.config)) paths.push_back(one.path + "=" + one.wanted);
  EXPECT_THAT(paths, Contains("net/ipv4/ip_forward=1"));
  EXPECT_THAT(paths, Contains("net/ipv4/conf/ipsec1/rp_filter=2"));
  EXPECT_THAT(paths, Not(Contains(HasSubstr("send_redirects"))));
  world.config.tunnels["ipsec0"].options.mode = Mode::policy;
  paths.clear();
  for (const Sysctl& one : wanted_sysctls(world.config)) paths.push_back(one.path + "=" + one.wanted);
  EXPECT_THAT(paths, Contains("net/ipv4/conf/eth0/send_redirects=0"));
}

TEST(HostSettings, ForwardingIsManagedWithoutTunnelsToo) {
  Config config;
  config.host.forwarding = Care::manage;
  ASSERT_EQ(wanted_sysctls(config).size(), 1U);
  EXPECT_EQ(wanted_sysctls(config)[0].path, "net/ipv4/ip_forward");
  config.peers["2001:db8::1"].options.families = {false, true};
  EXPECT_EQ(wanted_sysctls(config).size(), 2U) << "of IPv6, which a peer speaks";
  EXPECT_FALSE(wanted_of(config).empty());
  EXPECT_TRUE(wanted_of(Config{}).empty());
}

TEST(HostSettings, TheClampKnowsTheMtuAndBothDirections) {
  World world;
  world.config.host.mss_clamp = Care::manage;
  world.config.tunnels["ipsec0"].options.mtu = 1360;
  const std::string table = wanted_nft_table(world.config);
  EXPECT_THAT(table, HasSubstr(R"(oifname "ipsec0" meta nfproto ipv4)"));
  EXPECT_THAT(table, HasSubstr(R"(iifname "ipsec0" meta nfproto ipv6)"));
  EXPECT_THAT(table, HasSubstr("maxseg size set 1320"));
  EXPECT_THAT(table, HasSubstr("maxseg size set 1300"));
}

TEST(HostSettings, FirewallRulesGoOnlyIntoANamedChain) {
  World world;
  world.config.host.firewall = Care::manage;
  EXPECT_THAT(wanted_firewall_rules(world.config), IsEmpty());
  world.config.host.firewall_chain = "inet filter input";
  EXPECT_THAT(wanted_firewall_rules(world.config), ::testing::Each(HasSubstr("comment \"bgplite\"")));
}

}  // namespace
}  // namespace bgplite::host
