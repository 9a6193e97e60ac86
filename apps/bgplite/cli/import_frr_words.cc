#include <apps/bgplite/cli/import_frr_words.h>
#include <bgp/text.h>

#include <algorithm>

namespace bgplite::cli {
namespace {

/// The rows. A struct, because its short names would be those of the whole namespace otherwise.
struct FrrTables {
  using enum FrrWhere;

  static constexpr FrrRow kWithoutEffect[] = {
      {top, "hostname", "a name for prompts and logs"},
      {top, "domainname", "a name for prompts and logs"},
      {top, "log", "what FRR logs"},
      {top, "no log", "what FRR logs"},
      {top, "debug", "what FRR logs"},
      {top, "no debug", "what FRR logs"},
      {top, "banner", "FRR's own terminal"},
      {top, "no banner", "FRR's own terminal"},
      {top, "service", "FRR's own terminal"},
      {top, "no service", "FRR's own terminal"},
      {top, "password", "FRR's own terminal; the commands here use a Unix socket"},
      {top, "enable password", "FRR's own terminal; the commands here use a Unix socket"},
      {top, "username", "FRR's own terminal; the commands here use a Unix socket"},
      {top, "agentx", "SNMP; here metrics are for Prometheus"},
      {top, "bgp send-extra-data zebra", "details that zebra shows"},
      {top, "no ipv6 forwarding", "the state in which zebra leaves the kernel's setting"},
      {top, "no ip forwarding", "the state in which zebra leaves the kernel's setting"},
      {top, "Building configuration", "what vtysh prints"},
      {top, "Building configuration...", "what vtysh prints"},
      {top, "Current configuration:", "what vtysh prints"},
      {top, "ip prefix-list sequence-number", "how lists are shown"},
      {top, "no ip prefix-list sequence-number", "how lists are shown"},
      {top, "ipv6 prefix-list sequence-number", "how lists are shown"},
      {top, "no ipv6 prefix-list sequence-number", "how lists are shown"},
      {router, "bgp log-neighbor-changes", "changes of sessions are always logged here"},
      {router, "no bgp log-neighbor-changes", "changes of sessions are always logged here"},
      {router, "bgp deterministic-med", "MED is always compared so here"},
      {router, "bgp default show-hostname", "what FRR shows"},
      {router, "no bgp default show-hostname", "what FRR shows"},
      {router, "bgp default show-nexthop-hostname", "what FRR shows"},
      {router, "bgp default subgroup-pkt-queue-max", "a size of FRR's queues"},
      {router, "bgp fast-external-failover", "sessions end with their interface in both"},
      {router, "bgp client-to-client reflection", "the default of both"},
      {router, "no bgp suppress-duplicates", "the same update twice changes nothing"},
      {router, "bgp suppress-duplicates", "the same update twice changes nothing"},
      {router, "coalesce-time", "how FRR gathers updates"},
      {router, "read-quanta", "how FRR reads updates"},
      {router, "write-quanta", "how FRR writes updates"},
      {router, "no synchronization", "no FRR knows it"},
      {router, "no auto-summary", "no FRR knows it"},
      {router, "exit-address-family", "ends a block"},
      {neighbor, "soft-reconfiguration inbound", "received routes are always kept here"},
      {neighbor, "send-community", "communities are always sent here"},
      {neighbor, "capability dynamic", "nothing about routes"},
      {neighbor, "no capability dynamic", "nothing about routes"},
      {neighbor, "capability fqdn", "nothing about routes"},
      {neighbor, "no capability fqdn", "nothing about routes"},
      {neighbor, "capability software-version", "nothing about routes"},
      {neighbor, "no capability software-version", "nothing about routes"},
      {neighbor, "extended-optional-parameters", "nothing about routes"},
      {neighbor, "disable-connected-check", "no such check is made here"},
      {neighbor, "no send-community extended",
       "none of this kind is kept back by FRR without a route-map that sets it"},
      {interface, "description", "a text"},
      {interface, "no shutdown", "the state without it"},
      {interface, "link-detect", "what zebra watches"},
      {interface, "no link-detect", "what zebra watches"},
      {route_map, "description", "a text"},
  };

  static constexpr FrrRow kNotCarried[] = {
      {top, "ip forwarding", "zebra switched it on; set host: { forwarding: manage } if nothing else does"},
      {top, "ipv6 forwarding", "zebra switched it on; set host: { forwarding: manage } if nothing else does"},
      {top, "mac access-list", "Ethernet addresses are not filtered here; nothing uses the list"},
      {top, "ip import-table", "other kernel tables are not read; their routes are not announced"},
      {top, "ip nht", "route-maps on next hops are not known here; next hops that FRR hid are used"},
      {top, "ip multicast", "multicast is not known here; its routes are gone"},
      {top, "ip mroute", "multicast is not known here; its routes are gone"},
      {top, "mpls", "labels are not known here; packets are not switched by label"},
      {top, "no ip prefix-list", "lists are not taken back here; see the list's entries"},
      {router, "bgp confederation",
       "confederations are not known here; peers see router.asn and may refuse the session"},
      {router, "bgp dampening", "flapping routes are not held back; each change is announced"},
      {router, "bgp listen limit", "see 'bgp listen range'; there is no such limit here"},
      {router, "bgp bestpath as-path confed", "confederations are not known here; the AS_PATH counts as it is"},
      {router, "bgp bestpath as-path ignore", "the length of AS_PATH always counts here; another path may be best"},
      {router, "bgp bestpath med", "a missing MED is the best here; another path may be best"},
      {router, "bgp bestpath bandwidth", "paths share traffic by 'weight' of the peer; shares differ"},
      {router, "bgp bestpath peer-type", "eBGP is always preferred to iBGP here; such paths do not share traffic"},
      {router, "bgp bestpath aigp", "AIGP is not known here; another path may be best"},
      {router, "bgp default shutdown", "not known in this form; write enabled: false at the peers"},
      {router, "bgp update-delay", "there is no such wait; updates are sent at once"},
      {router, "update-delay", "there is no such wait; updates are sent at once"},
      {router, "bgp max-med", "there is no such time; MED is sent as it is"},
      {router, "bgp graceful-shutdown", "not a key of the file; type 'bgplite drain' for each peer"},
      {router, "bgp suppress-fib-pending", "not known here; routes are announced before the kernel has them"},
      {router, "bgp reject-as-sets", "AS_SETs are accepted here; refuse them in the import policies"},
      {router, "bgp allow-martian-nexthop", "such next hops are refused here; their routes are not used"},
      {router, "bgp minimum-holdtime", "there is no such limit here; a peer may ask for a shorter hold time"},
      {router, "no bgp fast-external-failover", "sessions end with their interface here; they end sooner"},
      {router, "no bgp client-to-client reflection", "clients' routes are always reflected; clients get them twice"},
      {router, "bgp route-reflector allow-outbound-policy", "policies always apply here; reflected routes are changed"},
      {router, "bgp disable-ebgp-connected-route-check", "no such check is made here; nothing is missing"},
      {router, "bgp tcp-keepalive", "not known here; the hold time finds dead connections"},
      {router, "bgp session-dscp", "not known here; packets have the kernel's mark"},
      {router, "bgp conditional-advertisement", "see 'advertise-map'; such routes are not announced"},
      {router, "bgp route-map delay-timer", "policies apply at once here; there is no wait"},
      {router, "bgp nexthop-tracking", "next hops are always watched here; there is no wait"},
      {router, "bgp hard-administrative-reset", "always so here with peers that know it; nothing is missing"},
      {router, "distance", "kernel routes have one metric (fib.metric); other daemons' routes may win or lose"},
      {router, "redistribute", "routes are not redistributed; each prefix to announce must be written into 'networks'"},
      {router, "import vrf", "VRFs are not known here; routes of other VRFs are not taken"},
      {router, "nexthop prefer-global", "the link-local next hop is used where there is one; nothing else changes"},
      {router, "bgp shutdown", "not known in this form; write enabled: false at the peers"},
      {neighbor, "bfd",
       "BFD is not known here; a dead peer is found when the hold time ends, or by a tunnel's 'probe'"},
      {neighbor, "advertisement-interval", "there is no such interval here; changes are sent at once"},
      {neighbor, "default-originate",
       "no default route is made for one peer; write 0.0.0.0/0 or ::/0 into 'networks' and accept it in 'export'"},
      {neighbor, "addpath-tx-all-paths", "only the best path is sent here; the peer gets one path for each prefix"},
      {neighbor, "addpath-tx-bestpath-per-AS",
       "only the best path is sent here; the peer gets one path for each prefix"},
      {neighbor, "addpath-tx-best-selected", "only the best path is sent here; the peer gets one path for each prefix"},
      {neighbor, "disable-addpath-rx", "several paths are only received with add_path: true; nothing is missing"},
      {neighbor, "addpath-rx-paths-limit", "several paths are only received with add_path: true; nothing is missing"},
      {neighbor, "attribute-unchanged", "not known here; next hop, AS_PATH and MED change as toward any peer"},
      {neighbor, "route-server-client", "not a route server; the own AS is put into the AS_PATH, the next hop changes"},
      {neighbor, "unsuppress-map", "aggregates are not made here; see 'aggregate-address'"},
      {neighbor, "capability orf", "ORF is not known here; the peer gets what 'export' accepts"},
      {neighbor, "override-capability", "not known here; the session has what both sides announce"},
      {neighbor, "strict-capability-match", "not known here; the session has what both sides announce"},
      {neighbor, "dont-capability-negotiate", "capabilities are always sent; a peer that refuses them gets no session"},
      {neighbor, "graceful-shutdown", "not a key of the file; type 'bgplite drain' for the peer"},
      {neighbor, "timers delayopen", "OPEN is sent at once here; nothing else changes"},
      {neighbor, "solo", "not known here; peers share their updates"},
      {neighbor, "oad", "not known here; it is an external peer"},
      {neighbor, "sender-as-path-loop-detection", "not known here; the peer refuses such routes itself"},
      {neighbor, "shutdown rtt", "round trips do not end sessions here; the peer stays enabled"},
      {neighbor, "nexthop-local unchanged", "not known here; the next hop is our own"},
      {neighbor, "no send-community", "communities are always sent; remove them in the export policy"},
      {neighbor, "dampening", "flapping routes are not held back; each change is used"},
      {interface, "ip address", "addresses are not set here; keep it in the system's network configuration"},
      {interface, "ipv6 address", "addresses are not set here; keep it in the system's network configuration"},
      {interface, "shutdown", "interfaces are not switched here; it may come up"},
  };

  static constexpr std::pair<std::string_view, std::string_view> kBlocks[] = {
      {"router ospf", "OSPF is not known here; its neighbors and routes are gone"},
      {"router ospf6", "OSPF is not known here; its neighbors and routes are gone"},
      {"router isis", "IS-IS is not known here; its neighbors and routes are gone"},
      {"router rip", "RIP is not known here; its neighbors and routes are gone"},
      {"router bgp", "one BGP instance without a VRF is known here; its neighbors and networks are left out"},
      {"router", "only BGP is known here; the neighbors and routes of this protocol are gone"},
      {"vrf", "VRFs are not known here; its routes are left out"},
      {"interface", "interfaces are not set up here; keep it in the system's network configuration"},
      {"bfd", "BFD is not known here; a dead peer is found when the hold time ends, or by a tunnel's 'probe'"},
      {"rpki", "routes are not validated here; route-map entries that ask for it refuse"},
      {"key", "keys of IGPs are not known here; nothing uses them"},
      {"mpls", "labels are not known here; packets are not switched by label"},
      {"segment-routing", "segment routing is not known here; its paths are gone"},
      {"pbr-map", "policy routing is not known here; write it with 'ip rule'"},
      {"nexthop-group", "named groups are not known here; nothing uses them"},
      {"l2vpn", "only IPv4 and IPv6 unicast are known here; its services are gone"},
      {"address-family", "only IPv4 and IPv6 unicast are known here; this family is left out"},
      {"bmp", "BMP is not known here; the station gets nothing"},
      {"route-map", "not the beginning of an entry; route-maps of this name refuse everything"},
  };

  static constexpr FrrOpener kOpeners[] = {
      {"", "router bgp", "", FrrBlock::router},
      {"", "router", "", FrrBlock::other},
      {"", "route-map", "exit-route-map", FrrBlock::route_map},
      {"", "interface", "", FrrBlock::interface},
      {"", "vrf", "exit-vrf", FrrBlock::other},
      {"", "line", "", FrrBlock::other},
      {"", "key chain", "", FrrBlock::other},
      {"", "segment-routing", "", FrrBlock::other},
      {"", "pbr-map", "", FrrBlock::other},
      {"", "nexthop-group", "", FrrBlock::other},
      {"", "bfd", "", FrrBlock::other},
      {"", "mpls ldp", "", FrrBlock::other},
      {"", "l2vpn", "", FrrBlock::other},
      {"", "rpki", "exit-rpki", FrrBlock::other},
      {"router", "address-family", "exit-address-family", FrrBlock::family},
      {"router bgp", "bmp targets", "", FrrBlock::other},
      {"router bgp", "segment-routing srv6", "", FrrBlock::other},
      {"mpls ldp", "address-family", "exit-address-family", FrrBlock::other},
      {"address-family l2vpn", "vni", "exit-vni", FrrBlock::other},
      {"vrf", "rpki", "exit-rpki", FrrBlock::other},
      {"key chain", "key", "", FrrBlock::other},
      {"bfd", "peer", "", FrrBlock::other},
      {"bfd", "profile", "", FrrBlock::other},
      {"segment-routing", "srv6", "", FrrBlock::other},
      {"segment-routing", "traffic-eng", "", FrrBlock::other},
      {"srv6", "locators", "", FrrBlock::other},
      {"srv6", "encapsulation", "", FrrBlock::other},
      {"locators", "locator", "", FrrBlock::other},
      {"traffic-eng", "segment-list", "", FrrBlock::other},
      {"traffic-eng", "policy", "", FrrBlock::other},
      {"l2vpn", "member pseudowire", "", FrrBlock::other},
  };

  /// Lines that no block but a VRF knows; they end the block that they stand in.
  static constexpr std::string_view kTopLevel[] = {"ip prefix-list",
                                                   "ipv6 prefix-list",
                                                   "ip as-path",
                                                   "bgp as-path",
                                                   "ip community-list",
                                                   "bgp community-list",
                                                   "ip large-community-list",
                                                   "bgp large-community-list",
                                                   "ip extcommunity-list",
                                                   "bgp extcommunity-list",
                                                   "access-list",
                                                   "ipv6 access-list",
                                                   "mac access-list",
                                                   "frr",
                                                   "hostname",
                                                   "domainname",
                                                   "log",
                                                   "service",
                                                   "password",
                                                   "enable",
                                                   "username",
                                                   "debug",
                                                   "agentx",
                                                   "banner",
                                                   "ip forwarding",
                                                   "ipv6 forwarding",
                                                   "route-map"};
  static constexpr std::string_view kTopLevelOrVrf[] = {"ip route",      "ipv6 route",     "ip protocol",
                                                        "ipv6 protocol", "ip nht",         "ipv6 nht",
                                                        "ip router-id",  "ipv6 router-id", "ip import-table"};
  static constexpr std::string_view kOfRouteMaps[] = {"match",    "set",         "call", "on-match",
                                                      "continue", "description", "no"};
};

template <std::size_t N>
std::string_view longest_row(const FrrRow (&rows)[N], FrrWhere where, const FrrLine& line) {
  const FrrRow* found = nullptr;
  for (const FrrRow& row : rows)
    if (row.where == where && line.starts(row.words) && (found == nullptr || row.words.size() > found->words.size()))
      found = &row;
  return found == nullptr ? std::string_view{} : found->why;
}

bool begins_with(std::string_view text, std::string_view with) {
  return text.starts_with(with) && (text.size() == with.size() || text[with.size()] == ' ');
}

/// "address-family ipv4", "address-family ipv6 unicast".
bool is_unicast(const FrrLine& line) {
  const bool family = line.at(1) == "ipv4" || line.at(1) == "ipv6";
  return family && (line.words.size() == 2 || (line.words.size() == 3 && line.at(2) == "unicast"));
}

bool is_default_instance(const FrrLine& line) {
  const auto asn = minibgp::parse_asn(line.at(2));
  return asn && *asn != minibgp::Asn{0} && (line.words.size() == 3 || line.at(3) == "as-notation");
}

bool is_map_entry(const FrrLine& line) {
  const auto sequence = frr_number(line.at(3));
  return line.words.size() == 4 && (line.at(2) == "permit" || line.at(2) == "deny") && sequence && *sequence < 65536;
}

}  // namespace

std::string_view frr_without_effect(FrrWhere where, const FrrLine& line) {
  return longest_row(FrrTables::kWithoutEffect, where, line);
}

std::string_view frr_not_carried(FrrWhere where, const FrrLine& line) {
  return longest_row(FrrTables::kNotCarried, where, line);
}

std::string_view frr_block_lost(std::string_view block) {
  std::pair<std::string_view, std::string_view> found;
  for (const auto& row : FrrTables::kBlocks)
    if (begins_with(block, row.first) && row.first.size() > found.first.size()) found = row;
  return found.second.empty() ? "a block that is not known here; nothing of it is in the result" : found.second;
}

std::optional<FrrOpener> frr_opener(std::string_view inside, const FrrLine& line) {
  for (const FrrOpener& row : FrrTables::kOpeners) {
    const bool here = row.inside.empty() ? inside.empty() : begins_with(inside, row.inside);
    if (!here || !line.starts(row.words)) continue;
    if (row.block == FrrBlock::route_map && line.at(2) == "optimization") continue;
    FrrOpener found = row;
    const bool vrf = inside.find(" vrf ") != std::string_view::npos || inside.find(" view ") != std::string_view::npos;
    const bool bgp = begins_with(inside, "router bgp") && !vrf;
    const bool known = (row.block == FrrBlock::family && bgp && is_unicast(line)) ||
                       (row.block == FrrBlock::router && is_default_instance(line)) ||
                       (row.block == FrrBlock::route_map && is_map_entry(line)) || row.block == FrrBlock::interface;
    if (!known) found.block = FrrBlock::other;
    return found;
  }
  return std::nullopt;
}

bool frr_top_level(std::string_view inside, const FrrLine& line) {
  const FrrLine words = line.without_no();
  const auto is_one_of = [](const FrrLine& one, const auto& table) {
    return std::any_of(std::begin(table), std::end(table), [&](std::string_view row) { return one.starts(row); });
  };
  if (begins_with(inside, "route-map") && !is_one_of(line, FrrTables::kOfRouteMaps)) return true;
  if (is_one_of(words, FrrTables::kTopLevelOrVrf)) return !begins_with(inside, "vrf");
  return is_one_of(words, FrrTables::kTopLevel);
}

}  // namespace bgplite::cli
