/// `bgplite import frr` keeps the meaning of what it carries over, and where it cannot, it refuses: one test for each
/// way in which an import could open a filter, leak a VRF or lose a setting.
#include <apps/bgplite/cli/import_frr.h>
#include <apps/bgplite/config/yaml.h>
#include <bgp/policy.h>
#include <bgp/text.h>
#include <tests/unit/apps/policy/run_verb.h>

#include <optional>
#include <string>

#include <gmock/gmock.h>

namespace bgplite::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kIn = minibgp::Direction::import;
constexpr auto kOut = minibgp::Direction::export_;

struct Meaning {
  cli::Imported imported;
  Config config;
  minibgp::PolicyLibrary library;

  /// The reasons of one line, joined.
  [[nodiscard]] std::string why(std::size_t line) const {
    std::string all;
    for (const auto& one : imported.left_out)
      if (one.line == line) all += (one.closes ? "CLOSED " : "") + one.why + "\n";
    return all;
  }
  [[nodiscard]] const PeerConfig& peer(const std::string& name) const { return config.peers.at(name); }
  [[nodiscard]] bool has_peer(const std::string& name) const { return config.peers.count(name) != 0; }
  /// Whether the peer's policy accepts the route.
  [[nodiscard]] bool accepts(const std::string& peer, minibgp::Direction direction, const std::string& prefix,
                             const std::string& as_path = "64512",
                             std::optional<std::uint32_t> med = std::nullopt) const {
    const PeerConfig& configured = config.peers.at(peer);
    const bool in = direction == minibgp::Direction::import;
    const std::string& name = in ? configured.import_policy : configured.export_policy;
    if (name.empty()) return configured.accept_all || configured.options.remote_as == config.router.asn;
    const auto policy = minibgp::Policy::compile(library, name);
    if (!policy) return ADD_FAILURE() << "no policy " << name, false;
    minibgp::PathAttributes attributes;
    attributes.as_path = *minibgp::parse_as_path(as_path);
    attributes.med = med;
    minibgp::PolicyContext context;
    context.prefix = *minibgp::parse_prefix(prefix);
    context.direction = direction;
    context.peer = context.peer_address = peer;
    return (*policy)->judge(attributes, context).accepted;
  }
};

Meaning meaning(const std::string& conf) {
  Meaning result{cli::import_frr(conf), {}, {}};
  Loaded loaded = load_config(write_file("meaning.yaml", result.imported.yaml));
  EXPECT_FALSE(loaded.diagnostics.has_errors()) << loaded.diagnostics.to_text() << result.imported.yaml;
  result.config = std::move(loaded.config);
  result.library = std::move(loaded.policies.library);
  return result;
}
Meaning of_file(const std::string& name) { return meaning(read_file(std::string{IMPORT_CORPUS} + "/" + name)); }

/// One peer of AS 65000 in FRR 8.4, which exchanges everything without a policy; `more` are lines of the instance.
std::string instance(const std::string& more, const std::string& before = "") {
  return "frr version 8.4\n" + before +
         "router bgp 65000\n bgp router-id 192.0.2.1\n no bgp ebgp-requires-policy\n"
         " neighbor 192.0.2.2 remote-as 64512\n" +
         more + "exit\n";
}

TEST(ImportFrrMeaning, NothingOfAVrfJoinsTheDefaultInstance) {
  const Meaning got = of_file("instance-in-vrf.frr");
  EXPECT_TRUE(got.has_peer("192.0.2.2"));
  EXPECT_FALSE(got.has_peer("203.0.113.2"));
  EXPECT_TRUE(got.config.networks.empty());
  for (const std::size_t line : {6U, 7U, 8U, 10U}) EXPECT_NE(got.why(line), "") << line;
  const Meaning more = of_file("two-vrfs.frr");
  EXPECT_EQ(more.config.peers.size(), 1U);
  EXPECT_EQ(more.config.networks.size(), 1U);
  ASSERT_EQ(more.config.static_routes.size(), 1U);
  EXPECT_EQ(minibgp::to_text(more.config.static_routes[0].prefix), "10.99.0.0/16");
}

TEST(ImportFrrMeaning, AJumpDoesWhatItDoesInFrr) {
  const Meaning got = of_file("bogons-by-goto.frr");
  EXPECT_FALSE(got.accepts("192.0.2.6", kIn, "10.1.0.0/16"));
  EXPECT_TRUE(got.accepts("192.0.2.6", kIn, "203.0.113.0/24"));
  EXPECT_TRUE(got.imported.left_out.empty());
}

/// As a running FRR 8.4 decided.
TEST(ImportFrrMeaning, ARouteThatGoesOnAndMatchesNothingMoreIsDenied) {
  const auto decides = [](const std::string& entries) {
    const Meaning got = meaning(instance(" neighbor 192.0.2.2 route-map M in\n",
                                         "ip prefix-list A permit 10.1.0.0/16 le 32\n"
                                         "ip prefix-list B permit 10.2.0.0/16 le 32\n" +
                                             entries));
    return got.accepts("192.0.2.2", kIn, "10.1.1.0/24");
  };
  const std::string goes_on = "route-map M permit 10\n match ip address prefix-list A\n ";
  const std::string other = "route-map M permit 20\n match ip address prefix-list B\n";
  EXPECT_TRUE(decides(goes_on + "on-match next\n")) << "no entry follows";
  EXPECT_FALSE(decides(goes_on + "on-match next\n" + other));
  EXPECT_TRUE(decides(goes_on + "on-match goto 100\n" + other)) << "behind the end";
  EXPECT_FALSE(decides(goes_on + "on-match goto 30\nroute-map M permit 20\nroute-map M permit 30\n"
                                 " match ip address prefix-list B\n"));
  EXPECT_TRUE(decides(goes_on + "on-match goto 30\nroute-map M deny 20\nroute-map M permit 30\n"));
  EXPECT_TRUE(decides("route-map M permit 10\n call NOT-DEFINED\n"));
}

TEST(ImportFrrMeaning, AMatchOnWhatAnEarlierEntrySetRefuses) {
  const Meaning got = meaning(instance(" neighbor 192.0.2.2 route-map M in\n",
                                       "bgp community-list standard C permit 65000:1\n"
                                       "route-map M permit 10\n set community 65000:1\n on-match next\n"
                                       "route-map M deny 20\n match community C\nroute-map M permit 30\n"));
  EXPECT_THAT(got.why(7), AllOf(HasSubstr("CLOSED"), HasSubstr("the condition is gone"), HasSubstr("refuses every")));
  EXPECT_FALSE(got.accepts("192.0.2.2", kIn, "10.1.0.0/16"));
}

TEST(ImportFrrMeaning, WhatIsNotActivatedIsLeftOut) {
  const Meaning got = meaning(read_file(std::string{IMPORT_CORPUS} + "/evpn-only.frr"));
  EXPECT_TRUE(got.config.peers.empty());
  for (const std::size_t line : {5U, 6U}) EXPECT_THAT(got.why(line), HasSubstr("not activated"));
  const Meaning one = meaning(instance(" no neighbor 192.0.2.2 activate\n neighbor 192.0.2.6 remote-as 64513\n"));
  EXPECT_FALSE(one.has_peer("192.0.2.2"));
  EXPECT_TRUE(one.has_peer("192.0.2.6"));
}

TEST(ImportFrrMeaning, KeysGoToAFileThatIsNamed) {
  const Meaning got = of_file("passwords.frr");
  EXPECT_EQ(got.peer("192.0.2.2").md5_file, "/etc/bgplite/md5/192.0.2.2");
  EXPECT_THAT(got.why(5), HasSubstr("write it to /etc/bgplite/md5/192.0.2.2"));
}

TEST(ImportFrrMeaning, UpdateSourceIsAnAddressAndNeverADevice) {
  const Meaning unknown = of_file("update-source-loopback.frr");
  EXPECT_EQ(unknown.peer("10.255.0.2").options.device, "");
  EXPECT_THAT(unknown.why(6), HasSubstr("write local_address"));
  const Meaning known = of_file("reflector.frr");
  EXPECT_EQ(minibgp::to_text(known.peer("10.255.0.2").options.local_address), "10.255.0.1");
  EXPECT_EQ(minibgp::to_text(known.peer("10.1.0.2").options.local_address), "10.1.0.1");
  const Meaning link_local = of_file("only-ipv6.frr");
  EXPECT_EQ(link_local.peer("fe80::2%eth1").options.device, "eth1");
  EXPECT_THAT(link_local.why(16), HasSubstr("needs an interface"));
}

TEST(ImportFrrMeaning, DefaultsAreThoseOfTheVersionAndTheProfile) {
  const std::string body =
      "router bgp 65000\n bgp router-id 192.0.2.1\n neighbor 192.0.2.2 remote-as 64512\n network 10.0.0.0/8\n";
  const Meaning datacenter = meaning("frr version 8.4\nfrr defaults datacenter\n" + body);
  EXPECT_TRUE(datacenter.peer("192.0.2.2").accept_all);
  EXPECT_EQ(datacenter.peer("192.0.2.2").options.timers.hold_s, 9);
  EXPECT_EQ(datacenter.peer("192.0.2.2").options.timers.keepalive_s, 3);
  EXPECT_EQ(datacenter.config.networks.at(0).when, Network::When::if_route);
  const Meaning old = meaning("frr version 7.3\nfrr defaults traditional\n" + body);
  EXPECT_TRUE(old.peer("192.0.2.2").accept_all);
  EXPECT_EQ(old.peer("192.0.2.2").options.timers.hold_s, 180);
  EXPECT_EQ(old.config.networks.at(0).when, Network::When::always);
  EXPECT_FALSE(old.peer("192.0.2.2").options.enforce_first_as);
  const Meaning recent = meaning("frr version 9.1\nfrr defaults traditional\n" + body);
  EXPECT_FALSE(recent.peer("192.0.2.2").accept_all);
  EXPECT_TRUE(recent.peer("192.0.2.2").options.enforce_first_as);
  EXPECT_EQ(recent.config.networks.at(0).when, Network::When::if_route);
  const Meaning unknown = meaning(body);
  EXPECT_FALSE(unknown.peer("192.0.2.2").accept_all) << "closed, where nothing is known";
  EXPECT_THAT(unknown.why(1), AllOf(HasSubstr("no 'frr version' line"), HasSubstr("before 7.4")));
  const Meaning quagga = meaning("! Zebra configuration saved from vty\n" + body);
  EXPECT_TRUE(quagga.peer("192.0.2.2").accept_all);
  EXPECT_EQ(quagga.config.networks.at(0).when, Network::When::always);
  EXPECT_EQ(quagga.config.router.maximum_paths, 1U);
}

TEST(ImportFrrMeaning, EqualPathsShareTheTrafficAsInFrr) {
  EXPECT_THAT(of_file("default-ecmp.frr").imported.yaml, HasSubstr("maximum_paths: 64, multipath: relax"));
  EXPECT_THAT(meaning(instance("")).imported.yaml, HasSubstr("maximum_paths: 64, multipath: neighbor-as"));
  EXPECT_THAT(meaning(instance(" maximum-paths 1\n")).imported.yaml, HasSubstr("maximum_paths: 1, "));
  const Meaning mixed = meaning(instance(" neighbor 192.0.2.6 remote-as 65000\n maximum-paths ibgp 4\n"));
  EXPECT_THAT(mixed.imported.yaml, HasSubstr("maximum_paths: 4, multipath: exact"));
  EXPECT_THAT(mixed.why(7), HasSubstr("the lowest, 4, holds for all"));
}

TEST(ImportFrrMeaning, EachFamilyHasItsFilters) {
  const Meaning got = of_file("two-families.frr");
  const auto out = [&](const char* prefix) { return got.accepts("192.0.2.2", kOut, prefix); };
  const auto in = [&](const char* prefix) { return got.accepts("192.0.2.2", kIn, prefix); };
  EXPECT_TRUE(out("198.51.100.0/24"));
  EXPECT_FALSE(out("203.0.113.0/24"));
  EXPECT_TRUE(out("2001:db8::/48"));
  EXPECT_FALSE(out("2001:db9::/48"));
  EXPECT_TRUE(in("198.51.100.0/24"));
  EXPECT_FALSE(in("203.0.113.0/24"));
  EXPECT_TRUE(in("2001:db8::/40"));
  EXPECT_FALSE(in("2001:db9::/40"));
}

TEST(ImportFrrMeaning, AccessListsAreTranslatedOrCloseTheDirection) {
  const Meaning got = of_file("access-list-both-ways.frr");
  for (const auto direction : {kIn, kOut}) {
    EXPECT_TRUE(got.accepts("192.0.2.2", direction, "198.51.100.0/24"));
    EXPECT_TRUE(got.accepts("192.0.2.2", direction, "198.51.100.128/25"));
    EXPECT_FALSE(got.accepts("192.0.2.2", direction, "203.0.113.0/24"));
  }
  const Meaning old = of_file("saved-by-quagga.frr");
  EXPECT_FALSE(old.accepts("192.0.2.2", kIn, "10.9.0.0/16", "64497"));
  EXPECT_FALSE(old.accepts("192.0.2.2", kIn, "10.0.0.0/7", "64497")) << "the address alone counts";
  EXPECT_TRUE(old.accepts("192.0.2.2", kIn, "198.51.100.0/24", "64497"));
  EXPECT_TRUE(old.accepts("192.0.2.2", kOut, "198.51.100.0/24"));
  EXPECT_FALSE(old.accepts("192.0.2.2", kOut, "198.51.100.0/25"));
  const Meaning odd = meaning(instance(" neighbor 192.0.2.2 distribute-list 10 in\n",
                                       "access-list 10 permit 10.0.0.0 0.255.0.255\naccess-list 10 permit any\n"));
  EXPECT_FALSE(odd.accepts("192.0.2.2", kIn, "198.51.100.0/24"));
  EXPECT_TRUE(odd.accepts("192.0.2.2", kOut, "198.51.100.0/24"));
  ASSERT_FALSE(odd.imported.left_out.empty());
  EXPECT_TRUE(odd.imported.left_out[0].closes);
}

TEST(ImportFrrMeaning, AFilterThatIsNotKnownClosesItsDirection) {
  for (const char* filter : {"advertise-map A exist-map B", "soo 65000:1", "route-map M sideways"}) {
    const Meaning got = meaning(instance(std::string(" neighbor 192.0.2.2 ") + filter + "\n"));
    EXPECT_FALSE(got.accepts("192.0.2.2", kOut, "198.51.100.0/24")) << filter;
    EXPECT_THAT(got.why(6), HasSubstr("CLOSED")) << filter;
  }
  const Meaning attribute = meaning(instance(" neighbor 192.0.2.2 path-attribute treat-as-withdraw 30\n"));
  EXPECT_FALSE(attribute.accepts("192.0.2.2", kIn, "198.51.100.0/24"));
  EXPECT_TRUE(attribute.accepts("192.0.2.2", kOut, "198.51.100.0/24"));
  EXPECT_FALSE(of_file("installs-by-map.frr").config.fib.enabled);
  const Meaning summary = of_file("aggregates.frr");
  EXPECT_FALSE(summary.accepts("192.0.2.2", kOut, "10.0.1.0/24"));
  EXPECT_TRUE(summary.accepts("192.0.2.2", kOut, "10.0.0.0/16"));
  ASSERT_EQ(summary.config.networks.size(), 1U) << "none with a route-map of its own";
}

TEST(ImportFrrMeaning, AnEntryThatCannotBeSaidRefusesInsteadOfPermitting) {
  const Meaning got = of_file("policies.frr");
  EXPECT_FALSE(got.accepts("192.0.2.2", kIn, "203.0.113.0/24", "65010 64512", 20));
  EXPECT_THAT(got.why(26), AllOf(HasSubstr("CLOSED"), HasSubstr("the entry is gone")));
  EXPECT_FALSE(got.accepts("192.0.2.2", kOut, "198.51.100.0/24"));
  EXPECT_THAT(got.why(33), HasSubstr("refuses every route that reaches it"));
  const Meaning unsaid =
      meaning(instance(" neighbor 192.0.2.2 route-map M out\n",
                       "route-map M permit 10\n set as-path exclude 65001\nroute-map M permit 20\n"));
  EXPECT_FALSE(unsaid.accepts("192.0.2.2", kOut, "198.51.100.0/24")) << "not sent unchanged";
  const Meaning rpki = of_file("exchange-point.frr");
  EXPECT_FALSE(rpki.accepts("192.0.2.10", kIn, "203.0.113.0/24", "64510"));
  EXPECT_TRUE(rpki.accepts("2001:db8:ffff::10", kIn, "2001:db9::/32", "64510"));
}

TEST(ImportFrrMeaning, TimersOfTheSessionAndOfTheInstanceAreTwoThings) {
  const Meaning got = of_file("timers.frr");
  for (const char* peer : {"192.0.2.2", "192.0.2.6"}) {
    EXPECT_EQ(got.peer(peer).options.timers.hold_s, 9);
    EXPECT_EQ(got.peer(peer).options.timers.keepalive_s, 3);
  }
  EXPECT_EQ(got.peer("192.0.2.2").options.timers.connect_retry_s, 5);
}

TEST(ImportFrrMeaning, OptionsOfStaticRoutesAreNoInterfaces) {
  const Meaning got = of_file("static-options.frr");
  EXPECT_THAT(got.imported.yaml, Not(HasSubstr("device: tag")));
  ASSERT_EQ(got.config.static_routes.size(), 2U) << "10.0.0.0/8 and 10.3.0.0/16";
  for (const std::size_t line : {1U, 2U, 3U, 4U, 5U}) EXPECT_NE(got.why(line), "") << line;
  const Meaning more = of_file("statics.frr");
  EXPECT_THAT(more.imported.yaml, HasSubstr("{ prefix: 0.0.0.0/0, via: [{ gateway: 203.0.113.1, metric: 10 }, "
                                            "{ gateway: 203.0.113.5, metric: 20 }] }"));
  EXPECT_THAT(more.imported.yaml, HasSubstr("{ prefix: 10.0.0.0/8, via: [{ gateway: 192.0.2.1 }] }"));
  EXPECT_THAT(more.imported.yaml, HasSubstr("fib: { prefsrc: 192.0.2.10 }"));
  // A way without a distance has distance 1, not our metric.
  EXPECT_THAT(of_file("two-upstreams.frr").imported.yaml,
              HasSubstr("via: [{ gateway: 192.0.2.9, metric: 250 }, { gateway: 192.0.2.13, metric: 1 }]"));
}

TEST(ImportFrrMeaning, BlocksEndWithoutExit) {
  const Meaning got = of_file("blocks-without-exit.frr");
  EXPECT_TRUE(got.has_peer("192.0.2.2"));
  std::string routes;
  for (const StaticRoute& route : got.config.static_routes) routes += minibgp::to_text(route.prefix) + " ";
  EXPECT_EQ(routes, "10.9.0.0/16 198.51.100.0/24 203.0.113.0/24 ");
  const Meaning flat = meaning(read_file(std::string{IMPORT_CORPUS} + "/nothing-indented.frr"));
  EXPECT_EQ(flat.config.static_routes.size(), 1U);
  EXPECT_EQ(minibgp::to_text(flat.peer("192.0.2.2").options.remote_as), "65002");
}

TEST(ImportFrrMeaning, AFamilyWithoutUnicastIsUnicast) {
  const Meaning got = of_file("family-without-unicast.frr");
  EXPECT_TRUE(got.peer("2001:db8::2").options.families[1]);
  ASSERT_EQ(got.config.networks.size(), 1U);
  EXPECT_EQ(minibgp::to_text(got.config.networks[0].prefix), "2001:db8:1::/48");
}

TEST(ImportFrrMeaning, WordsWithAKeyAreUsedAndTheOthersListed) {
  const Meaning got = of_file("restart-words.frr");
  const minibgp::PeerOptions& peer = got.peer("192.0.2.2").options;
  EXPECT_EQ(peer.graceful_restart, minibgp::GracefulRestart::off);
  EXPECT_EQ(peer.restart_time_s, 300);
  EXPECT_FALSE(peer.enforce_first_as);
  EXPECT_TRUE(peer.extended_next_hop);
  EXPECT_TRUE(peer.remove_private_as);
  EXPECT_EQ(peer.export_limit.max, 100U);
  EXPECT_EQ(peer.ttl_security_hops, 1);
  EXPECT_THAT(got.why(10), HasSubstr("not replaced"));
  const Meaning words = of_file("session-words.frr");
  EXPECT_EQ(words.peer("192.0.2.2").options.tcp_mss, 1200);
  EXPECT_EQ(words.peer("192.0.2.2").options.role, minibgp::Role::customer);
  EXPECT_TRUE(words.peer("192.0.2.2").options.role_strict);
  EXPECT_FALSE(words.peer("192.0.2.6").options.enabled);
  EXPECT_TRUE(words.peer("192.0.2.10").options.enabled) << "'shutdown rtt' is no shutdown";
  const Meaning numbers = meaning(instance(" neighbor 192.0.2.2 allowas-in origin\n neighbor 192.0.2.2 weight 200\n"));
  EXPECT_EQ(numbers.peer("192.0.2.2").options.allow_as_in, 0);
  EXPECT_THAT(numbers.why(6), HasSubstr("CLOSED"));
  EXPECT_EQ(numbers.peer("192.0.2.2").options.ecmp_weight, 1) << "FRR's weight is a preference";
  EXPECT_THAT(numbers.imported.yaml, HasSubstr("then: { weight: 200 }"));
  EXPECT_FALSE(meaning(instance(" neighbor 192.0.2.6 remote-as 65000\n")).peer("192.0.2.6").options.next_hop_self);
  EXPECT_FALSE(meaning("frr version 8.4\nrouter bgp 65000\n bgp router-id 192.0.2.1\n bgp default shutdown\n"
                       " neighbor 192.0.2.2 remote-as 64512\n")
                   .peer("192.0.2.2")
                   .options.enabled);
}

TEST(ImportFrrMeaning, AMissingRouterIdIsAnErrorToFillIn) {
  const cli::Imported got = cli::import_frr("frr version 8.4\nrouter bgp 65000\n neighbor 192.0.2.2 remote-as 65000\n");
  EXPECT_THAT(got.yaml, AllOf(Not(HasSubstr("router_id: ")), HasSubstr("# router_id is missing")));
  ASSERT_FALSE(got.left_out.empty());
  EXPECT_THAT(got.left_out[0].why, HasSubstr("until router_id stands in 'router'"));
  EXPECT_THAT(of_file("reflector.frr").imported.yaml, HasSubstr("router_id: 10.255.0.1,"));
  EXPECT_THAT(cli::import_frr(read_file(std::string{IMPORT_CORPUS} + "/assorted.frr")).yaml,
              HasSubstr("router_id: 192.0.2.1,"));
}

TEST(ImportFrrMeaning, ANetworkWithAnAnchorNeedsNoRoute) {
  const Meaning got = of_file("network-with-anchor.frr");
  ASSERT_EQ(got.config.networks.size(), 1U);
  EXPECT_EQ(got.config.networks[0].when, Network::When::always);
  EXPECT_THAT(got.why(1), HasSubstr("ip route add blackhole 198.51.100.0/24"));
  EXPECT_THAT(got.why(2), HasSubstr("ip route add blackhole 203.0.113.0/24"));
}

TEST(ImportFrrMeaning, WhatClosesIsSaidFirstAndOnStandardError) {
  const std::string path =
      write_file("closing.frr", instance(" neighbor 192.0.2.2 bfd\n neighbor 192.0.2.2 soo 1:1\n"));
  const Ran ran = run_verb({"import", "frr", path});
  EXPECT_EQ(ran.out.find("# CLOSED: "), 0U) << ran.out;
  EXPECT_THAT(ran.out, HasSubstr("# line 7: neighbor 192.0.2.2 soo 1:1: "));
  EXPECT_LT(ran.out.find("# line 7: "), ran.out.find("router: {"));
  EXPECT_GT(ran.out.find("# line 6: neighbor 192.0.2.2 bfd: BFD is not known here; "), ran.out.find("router: {"));
  EXPECT_THAT(ran.err, HasSubstr("CLOSED"));
  EXPECT_THAT(run_verb({"import", "frr", path, "--json"}).out, HasSubstr("\"closes\": true"));
}

}  // namespace
}  // namespace bgplite::testing
