/// Golden tests of `bgplite import frr`: what is carried over, what is listed, and that what comes out compiles.
#include <apps/bgplite/cli/import_frr.h>
#include <apps/bgplite/config/yaml.h>
#include <tests/unit/apps/policy/run_verb.h>

#include <algorithm>

#include <gmock/gmock.h>
#include <yaml-cpp/yaml.h>

namespace bgplite::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<std::string> left_out(const cli::Imported& imported) {
  std::vector<std::string> lines;
  for (const auto& one : imported.left_out) lines.push_back(std::to_string(one.line) + ": " + one.why);
  return lines;
}

/// The import, which has to load without an error.
cli::Imported imported(const std::string& conf) {
  cli::Imported result = cli::import_frr(conf);
  const Loaded loaded = load_policies(write_file("imported.yaml", result.yaml));
  EXPECT_FALSE(loaded.diagnostics.has_errors()) << loaded.diagnostics.to_text() << result.yaml;
  return result;
}

TEST(ImportFrr, TheDocumentsConfiguration) {
  const auto result = imported(R"(frr version 8.4
frr defaults traditional
route-map allow-all permit 1
exit
!
router bgp 65530
 bgp router-id 169.254.10.2
 neighbor 169.254.10.1 remote-as 65535
 neighbor 169.254.10.1 timers 10 30
 no bgp network import-check
 !
 address-family ipv4 unicast
  network 172.16.20.0/24
  neighbor 169.254.10.1 soft-reconfiguration inbound
  neighbor 169.254.10.1 route-map allow-all in
  neighbor 169.254.10.1 route-map allow-all out
  maximum-paths 32
 exit-address-family
exit
)");
  EXPECT_THAT(left_out(result), IsEmpty());
  EXPECT_EQ(result.yaml,
            "router: { asn: 65530, router_id: 169.254.10.2, maximum_paths: 32, multipath: neighbor-as, "
            "prefer_oldest: true }\n"
            "networks:\n"
            "  - 172.16.20.0/24\n"
            "peers:\n"
            "  169.254.10.1:\n"
            "    asn: 65535\n"
            "    enforce_first_as: false\n"
            "    graceful_restart: helper\n"
            "    timers: { hold: 30s, keepalive: 10s }\n"
            "    import: allow-all\n"
            "    export: allow-all\n"
            "policies:\n"
            "  allow-all:\n"
            "    - { name: seq-1, accept: true }\n");
}

TEST(ImportFrr, ListsBecomeSetsOrPolicies) {
  const auto result = imported(R"(ip prefix-list only seq 10 permit 10.0.0.0/8 le 24
ip prefix-list only seq 5 permit 192.168.0.0/16
ip prefix-list mixed permit 172.16.0.0/12 ge 16
ip prefix-list mixed deny any
bgp as-path access-list one permit _65001_
bgp community-list standard both permit 65001:1 65001:2
bgp community-list expanded of-as permit _65002:.*_
route-map m permit 10
 match ip address prefix-list only
 match as-path one
 match community both
route-map m permit 20
 match ip address prefix-list mixed
 match community of-as
)");
  EXPECT_THAT(left_out(result), IsEmpty());
  EXPECT_EQ(result.yaml,
            "prefix_sets:\n  only:\n    - 192.168.0.0/16\n    - 10.0.0.0/8 le 24\n"
            "policies:\n"
            "  mixed:\n"
            "    - { name: seq-5, match: { prefix: 172.16.0.0/12 ge 16 }, accept: true }\n"
            "    - { name: seq-10, match: { prefix: 0.0.0.0/0 le 32 }, reject: true }\n"
            "  m:\n"
            "    - { name: seq-10, match: { prefix: only, as_path: '_65001_', community_all: [65001:1, 65001:2] }, "
            "accept: true }\n"
            "    - { name: seq-20, match: { policy: mixed, community: '65002:*' }, accept: true }\n");
}

TEST(ImportFrr, EverySetClause) {
  const auto result = imported(R"(bgp community-list standard gone permit 65001:9
route-map m permit 10
 set local-preference 200
 set metric +5
 set weight 7
 set origin egp
 set as-path prepend 65001 65001 65002
 set community 65001:1 no-export
 set comm-list gone delete
 set large-community 65001:1:2 additive
 set extcommunity rt 65001:5
 set ip next-hop 192.0.2.9
route-map m permit 20
 set as-path prepend last-as 2
 set community 65001:2 additive
 set ip next-hop peer-address
)");
  EXPECT_THAT(left_out(result), IsEmpty());
  EXPECT_THAT(result.yaml, HasSubstr("then: [{ local_pref: 200 }, { med: +5 }, { weight: 7 }, { origin: egp }, "));
  for (const char* edit : {"{ prepend: { asn: 65002, times: 1 } }, { prepend: { asn: 65001, times: 2 } }",
                           "{ set_community: [65001:1, no-export] }, { remove_community: 65001:9 }",
                           "{ add_large_community: 65001:1:2 }, { add_extended_community: rt:65001:5 }, "
                           "{ next_hop: 192.0.2.9 }], accept: true",
                           "then: { prepend: { asn: leftmost, times: 2 }, add_community: 65001:2, next_hop: peer }"})
    EXPECT_THAT(result.yaml, HasSubstr(edit));
}

// As in FRR, where an entry holds one rule for each command.
TEST(ImportFrr, OfTwoLinesWithOneCommandTheLastHolds) {
  const auto result = imported(R"(route-map m permit 10
 match metric 5
 match metric 6
 set community 65001:1
 set community 65001:2 additive
)");
  EXPECT_THAT(result.yaml, HasSubstr("match: { med: 6 }, then: { add_community: 65001:2 }, accept: true"));
  ASSERT_EQ(result.without_effect.size(), 2U);
  EXPECT_EQ(result.without_effect[0].why, "line 3 replaces it");
}

TEST(ImportFrr, CallsAndOnMatchNext) {
  const auto result = imported(R"(route-map sub permit 10
 match metric 5
route-map m permit 10
 match origin igp
 set weight 1
 on-match next
route-map m permit 20
 call sub
)");
  EXPECT_THAT(left_out(result), IsEmpty());
  EXPECT_EQ(result.yaml,
            "policies:\n"
            "  sub-called:\n"
            "    - { name: seq-10, match: { med: 5 }, return: true }\n"
            "    - { name: end, reject: true }\n"
            "  m:\n"
            "    - { name: seq-10, match: { origin: igp }, then: { weight: 1 } }\n"
            "    - { name: seq-20, call: sub-called, accept: true }\n");
}

TEST(ImportFrr, NeighborsGroupsFiltersAndStaticRoutes) {
  const auto result = imported(R"(frr version 9.1
router bgp 65530
 bgp router-id 192.0.2.1
 no bgp ebgp-requires-policy
 bgp bestpath as-path multipath-relax
 neighbor clouds peer-group
 neighbor clouds remote-as 65535
 neighbor clouds timers 3 9
 neighbor 192.0.2.2 peer-group clouds
 neighbor 192.0.2.2 description the first one
 neighbor 192.0.2.3 remote-as internal
 neighbor 192.0.2.3 update-source 192.0.2.1
 neighbor 192.0.2.3 shutdown
 neighbor 192.0.2.4 remote-as 65001
 neighbor 192.0.2.4 ebgp-multihop 4
 address-family ipv4 unicast
  neighbor 192.0.2.4 prefix-list good in
  neighbor 192.0.2.4 filter-list path in
  neighbor 192.0.2.4 route-map rm in
  neighbor 192.0.2.4 maximum-prefix 100 90 warning-only
  maximum-paths 4
 exit-address-family
exit
ip prefix-list good permit 10.0.0.0/8 le 24
bgp as-path access-list path permit ^65001_
route-map rm permit 10
 set local-preference 150
exit
ip route 10.1.0.0/16 192.0.2.9 20
ip route 10.1.0.0/16 ipsec0
)");
  EXPECT_THAT(left_out(result),
              ElementsAre("20: what the peer sends is counted here, in FRR what its filters accept; the limit may be "
                          "reached sooner",
                          "21: there is one limit for IPv4, IPv6, eBGP and iBGP; the lowest, 4, holds for all"));
  EXPECT_EQ(result.yaml,
            "router: { asn: 65530, router_id: 192.0.2.1, maximum_paths: 4, multipath: relax, prefer_oldest: true }\n"
            "peers:\n"
            "  192.0.2.2:  # the first one\n"
            "    asn: 65535\n"
            "    graceful_restart: helper\n"
            "    timers: { hold: 9s, keepalive: 3s }\n"
            "    accept_all: true\n"
            "  192.0.2.3:\n"
            "    asn: 65530\n"
            "    enabled: false\n"
            "    graceful_restart: helper\n"
            "    local_address: 192.0.2.1\n"
            "    next_hop_self: false\n"
            "    timers: { hold: 180s, keepalive: 60s }\n"
            "  192.0.2.4:\n"
            "    asn: 65001\n"
            "    graceful_restart: helper\n"
            "    import_limit: { max: 100, warn_percent: 90, warn_only: true }\n"
            "    ttl: 4\n"
            "    timers: { hold: 180s, keepalive: 60s }\n"
            "    import: peer-192.0.2.4-in\n"
            "    export: [ { accept: true } ]\n"
            "static_routes:\n"
            "  - { prefix: 10.1.0.0/16, via: [{ gateway: 192.0.2.9, metric: 20 }, { device: ipsec0, metric: 1 }] }\n"
            "prefix_sets:\n  good:\n    - 10.0.0.0/8 le 24\n"
            "policies:\n"
            "  rm:\n"
            "    - { name: seq-10, then: { local_pref: 150 }, accept: true }\n"
            "  peer-192.0.2.4-in:\n"
            "    - { name: good, match: { not: { prefix: good } }, reject: true }\n"
            "    - { name: path, match: { not: { as_path: '^65001_' } }, reject: true }\n"
            "    - { name: rest, call: rm }\n");
}

TEST(ImportFrr, EachWordOfANeighbor) {
  const auto result = imported(R"(frr version 8.4
router bgp 65530
 bgp router-id 192.0.2.1
 no bgp ebgp-requires-policy
 neighbor 192.0.2.2 remote-as 65001
 neighbor 192.0.2.2 shutdown
 no neighbor 192.0.2.2 shutdown
 neighbor 192.0.2.2 passive
 neighbor 192.0.2.2 port 1179
 neighbor 192.0.2.2 local-as 65002
 neighbor 192.0.2.2 ebgp-multihop
 neighbor 192.0.2.2 enforce-first-as
 neighbor 192.0.2.3 remote-as 65003
 neighbor 192.0.2.3 ttl-security hops 2
 neighbor 192.0.2.4 remote-as 65530
 address-family ipv4 unicast
  neighbor 192.0.2.2 next-hop-self
  neighbor 192.0.2.2 allowas-in
  neighbor 192.0.2.2 as-override
  neighbor 192.0.2.2 remove-private-AS all
  neighbor 192.0.2.4 next-hop-self
  neighbor 192.0.2.4 route-reflector-client
 exit-address-family
)");
  EXPECT_THAT(left_out(result), ElementsAre(HasSubstr("2: there is one rule of ECMP"),
                                            HasSubstr("10: FRR puts router.asn into the AS_PATH, too")));
  for (const char* key :
       {"passive: true", "port: 1179", "local_asn: 65002", "ttl: 255", "ttl_security: 2", "allow_as_in: 3",
        "as_override: true", "remove_private_as: true", "route_reflector_client: true"})
    EXPECT_THAT(result.yaml, HasSubstr(key));
  EXPECT_THAT(result.yaml, Not(HasSubstr("enabled"))) << "'no shutdown' is enabled";
  EXPECT_THAT(result.yaml.substr(result.yaml.find("192.0.2.2:"), 60), Not(HasSubstr("enforce_first_as")))
      << "the default";
}

TEST(ImportFrr, WhatIsNotCarriedOverIsListedAndErrsOnTheSideOfRefusing) {
  const auto result = imported(R"(frr version 9.1
bgp community-list expanded bad permit 6500.:1
router ospf
 network 10.0.0.0/8 area 0
exit
route-map m permit 10
 match community bad
route-map m deny 20
 match origin igp
 match tag 5
route-map m permit 30
 match metric 5
 set local-preference 300
 on-match next
route-map m permit 40
 match local-preference 300
 set tag 7
router bgp 65530
 bgp router-id 192.0.2.1
 bgp dampening
 neighbor 192.0.2.2 remote-as 65535
 neighbor 192.0.2.2 route-map m in
 neighbor eth0 interface remote-as external
 address-family l2vpn evpn
  advertise-all-vni
 exit-address-family
)");
  EXPECT_THAT(
      left_out(result),
      ElementsAre(
          // What closes stands first.
          "7: list bad could not be translated; the entry is gone: instead, entry 10 of route-map m refuses every "
          "route "
          "that reaches it",
          "10: there is no such condition here; the condition is gone: now entry 20 of route-map m refuses all that "
          "its "
          "other conditions match",
          "16: FRR reads the value that an earlier entry set, here it is the route's own; the entry is gone: instead, "
          "entry 40 of route-map m refuses every route that reaches it",
          "22: route-map m could not be translated whole; in this direction more routes are refused than in FRR: see "
          "the lines of the route-map",
          "2: only one community, or all of one AS, can be said of a regular expression; what uses list bad refuses",
          "3: OSPF is not known here; its neighbors and routes are gone",
          "4: part of 'router ospf'; nothing of it is in the result",
          "17: there is no such attribute here; the route keeps what it has",
          "17: belongs to entry 40 of route-map m, which only refuses now; it is not done",
          "20: flapping routes are not held back; each change is announced",
          "23: a peer needs an address here (unnumbered peers have none); neighbor eth0 is left out",
          "24: only IPv4 and IPv6 unicast are known here; this family is left out",
          "25: part of 'address-family l2vpn evpn'; nothing of it is in the result"));
  EXPECT_THAT(result.yaml, HasSubstr("  m:\n"
                                     "    - { name: seq-10, reject: true }\n"
                                     "    - { name: seq-20, match: { origin: igp }, reject: true }\n"
                                     "    - { name: seq-30, match: { med: 5 }, then: { local_pref: 300 } }\n"
                                     "    - { name: seq-40, reject: true }\n"));
}

TEST(ImportFrr, TheVerbPrintsYamlAndWhatIsLeftWithItsLine) {
  const std::string conf = write_file("frr.conf", "route-map m permit 10\n set tag 7\n");
  const Ran ran = run_verb({"import", "frr", conf});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_EQ(ran.out,
            "policies:\n  m:\n    - { name: seq-10, accept: true }\n"
            "# Not carried over from frr.conf as they are:\n"
            "# line 2: set tag 7: there is no such attribute here; the route keeps what it has\n");
  EXPECT_THAT(ran.err, HasSubstr("1 lines of frr.conf were not carried over"));
}

TEST(ImportFrr, WrongInput) {
  EXPECT_EQ(run_verb({"import", "frr", "/nonexistent"}).exit, 3);
  EXPECT_EQ(run_verb({"import", "frr", write_file("empty", "")}).exit, 2);
  EXPECT_EQ(run_verb({"import", "frr"}).exit, 2);
  EXPECT_EQ(run_verb({"import", "bird", "x"}).exit, 2);
  // Nonsense is listed, never a crash.
  static_cast<void>(
      cli::import_frr("route-map\nroute-map m permit x\nip prefix-list\nneighbor\nrouter bgp\nset\nip route\n"
                      "bgp community-list\nbgp as-path access-list\nrouter bgp 1\n neighbor\n network\n"));
}

// Found by fuzz_frr: a word that is no number reached the YAML as it stood.
TEST(ImportFrr, WhatStandsInTheFileCannotBreakTheYaml) {
  const cli::Imported odd = cli::import_frr(
      "router bgp 65530]:{\nrouter bgp 65530\n bgp router-id [x\n neighbor 192.0.2.1 remote-as *a\n"
      " neighbor ]{ remote-as 65001\n neighbor 192.0.2.3 remote-as 65001\n neighbor 192.0.2.3 timers { }\n"
      " neighbor 192.0.2.3 description : { # ] *a\n neighbor 192.0.2.3 update-source ]{*\n"
      "ip route 10.0.0.0/8 }{ \nipv6 route ::/0 2001:db8::\n");
  const YAML::Node yaml = YAML::Load(odd.yaml);
  EXPECT_EQ(yaml["router"]["asn"].as<std::string>(), "65530");
  EXPECT_EQ(yaml["peers"].size(), 1U);
  EXPECT_EQ(yaml["static_routes"].size(), 2U);
  const cli::Imported binary =
      cli::import_frr("router bgp 65530\x06\x01\n bgp router-id 192.0.2.9\nrouter bgp 65000\n");
  EXPECT_EQ(YAML::Load(binary.yaml)["router"]["asn"].as<std::string>(), "65000");
  ASSERT_FALSE(binary.left_out.empty());
  EXPECT_THAT(binary.left_out[0].why, HasSubstr("octets that are no text"));
}

/// A chain of jumps is cut off where our own policies may not go deeper.
TEST(ImportFrr, LongChainsOfJumpsRefuse) {
  std::string chain =
      "router bgp 65000\n bgp router-id 192.0.2.1\n neighbor 192.0.2.2 remote-as 65000\n"
      " neighbor 192.0.2.2 route-map m in\n";
  for (int i = 1; i < 500; ++i)
    chain += "route-map m permit " + std::to_string(i) + "\n match metric " + std::to_string(i) + "\n on-match goto " +
             std::to_string(i + 2) + "\n";
  const auto result = imported(chain);
  EXPECT_TRUE(std::any_of(result.left_out.begin(), result.left_out.end(), [](const auto& one) { return one.closes; }));
}

}  // namespace
}  // namespace bgplite::testing
