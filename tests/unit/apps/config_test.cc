#include <apps/bgplite/config/reader.h>
#include <apps/bgplite/config/yaml.h>
#include <bgp/text.h>

#include <map>
#include <string>

#include <gtest/gtest.h>

namespace bgplite {
namespace {

using minibgp::Asn;
using namespace std::chrono_literals;

std::string good(const std::string& name) {
  return std::string{BGPLITE_SOURCE_DIR} + "/tests/unit/apps/good/" + name + ".yaml";
}

/// Files in memory.
Loaded load(const std::map<std::string, std::string>& files, const std::string& path = "a.yaml") {
  return load_config(path, {[&](const std::string& name, std::string& error) -> std::optional<std::string> {
                              const auto found = files.find(name);
                              if (found != files.end()) return found->second;
                              error = "not there";
                              return std::nullopt;
                            },
                            [](const std::string&) {
                              return std::vector<std::string>{"d/1.yaml", "d/2.yaml"};
                            }});
}

constexpr const char* kRouter = "router: { asn: 65530, router_id: 192.0.2.1 }\n";

TEST(Config, TheDocumentsFirstScenarioIsReadAsItStands) {
  const Loaded loaded = load_config(good("dual_egress_bgp"));
  ASSERT_FALSE(loaded.diagnostics.has_errors()) << loaded.diagnostics.to_text();
  const Config& config = loaded.config;
  EXPECT_EQ(config.router.maximum_paths, 32);
  ASSERT_EQ(config.tunnels.size(), 2U);
  const auto& tunnel = config.tunnels.at("ipsec1").options;
  EXPECT_EQ(tunnel.if_id, 43U);
  EXPECT_EQ(to_text(tunnel.addresses.at(0).address), "169.254.20.2");
  EXPECT_EQ(tunnel.underlay.device, "eth1");
  ASSERT_TRUE(tunnel.ike);
  EXPECT_EQ(tunnel.ike->local_id, "198.51.100.127");
  EXPECT_EQ(tunnel.ike->remote_addresses, std::vector<std::string>{"198.51.100.87"});
  EXPECT_EQ(tunnel.ike->proposals, "aes128-sha1-modp1024") << "from defaults.ike";
  EXPECT_EQ(tunnel.ike->child_life_time, 86400s);
  ASSERT_EQ(config.peers.size(), 2U);
  const PeerConfig& peer = config.peers.at("169.254.20.1");
  EXPECT_EQ(peer.options.remote_as, Asn{65535}) << "from defaults.peer";
  EXPECT_EQ(peer.options.timers.hold_s, 30);
  EXPECT_EQ(peer.options.tunnel, "ipsec1");
  EXPECT_EQ(peer.options.device, "ipsec1");
  EXPECT_EQ(to_text(peer.options.local_address), "169.254.20.2");
  EXPECT_EQ(peer.import_policy, "from-vpc");
  ASSERT_NE(config.policies.at("from-vpc").compiled, nullptr);
  EXPECT_EQ(config.host.forwarding, Care::manage);
  EXPECT_EQ(config.host.firewall, Care::check);
}

TEST(Config, TheCloudsMtuHoldsUnlessAnotherIsGiven) {
  const Loaded loaded = load({{"a.yaml", std::string{kRouter} + R"(
tunnels:
  one: { if_id: 1, cloud: alibaba }
  two: { if_id: 2, cloud: alibaba, mtu: 1300 }
  three: { if_id: 3, cloud: aws }
)"}});
  ASSERT_FALSE(loaded.diagnostics.has_errors()) << loaded.diagnostics.to_text();
  EXPECT_EQ(loaded.config.tunnels.at("one").options.mtu, 1360U);
  EXPECT_EQ(loaded.config.tunnels.at("two").options.mtu, 1300U);
  EXPECT_EQ(loaded.config.tunnels.at("three").options.mtu, 0U) << "ours";
}

TEST(Config, TheOtherExamplesOfTheDesignAreRead) {
  for (const char* name : {"static_failover", "plain_speaker"}) {
    const Loaded loaded = load_config(good(name));
    EXPECT_TRUE(loaded.diagnostics.empty()) << loaded.diagnostics.to_text();
  }
}

TEST(Config, KernelRoutesCarryTheProtocolThatIsOurs) {
  EXPECT_EQ(load({{"a.yaml", kRouter}}).config.fib.protocol, 155);
}

TEST(Config, APeersOwnKeysGoBeforeTheDefaults) {
  const Loaded loaded =
      load({{"a.yaml", std::string{kRouter} + "peers: { 192.0.2.2: { timers: { hold: 9s } }, 192.0.2.3: {} }\n"
                                              "defaults: { peer: { asn: 65001, accept_all: true, timers: { hold: 60s, "
                                              "keepalive: 3s } } }\n"}});
  ASSERT_FALSE(loaded.diagnostics.has_errors()) << loaded.diagnostics.to_text();
  const auto& near = loaded.config.peers.at("192.0.2.2").options;
  EXPECT_EQ(near.timers.hold_s, 9);
  EXPECT_EQ(near.timers.keepalive_s, 3) << "a mapping of the peer does not wipe the other keys of the defaults";
  EXPECT_EQ(loaded.config.peers.at("192.0.2.3").options.timers.hold_s, 60);
}

TEST(Config, FamiliesFollowTheAddressUnlessGiven) {
  const Loaded loaded =
      load({{"a.yaml", std::string{kRouter} +
                           "defaults: { peer: { asn: 65001, accept_all: true } }\n"
                           "peers: { 192.0.2.2: {}, 2001:db8::2: {}, 192.0.2.3: { families: [ipv4, ipv6] } }\n"}});
  ASSERT_FALSE(loaded.diagnostics.has_errors()) << loaded.diagnostics.to_text();
  using Both = std::array<bool, minibgp::kFamilies>;
  EXPECT_EQ(loaded.config.peers.at("192.0.2.2").options.families, (Both{true, false}));
  EXPECT_EQ(loaded.config.peers.at("2001:db8::2").options.families, (Both{false, true}));
  EXPECT_EQ(loaded.config.peers.at("192.0.2.3").options.families, (Both{true, true}));
}

TEST(Config, IncludedFilesAreJoinedAndTheirMistakesNameThem) {
  const Loaded loaded =
      load({{"x/a.yaml", std::string{kRouter} + "include: d/*.yaml\nnetworks: [10.0.0.0/8]\n"},
            {"d/1.yaml", "networks: [10.1.0.0/16]\npeers: { 192.0.2.2: { asn: 65001, accept_all: true } }\n"},
            {"d/2.yaml", "peers: { 192.0.2.2: { asn: 65002, accept_all: true } }\n"}},
           "x/a.yaml");
  EXPECT_EQ(loaded.config.networks.size(), 2U);
  EXPECT_EQ(loaded.config.files, (std::vector<std::string>{"x/a.yaml", "d/1.yaml", "d/2.yaml"}));
  EXPECT_EQ(loaded.diagnostics.to_text(),
            "d/2.yaml:1:10: error: peer 192.0.2.2 is configured twice (the first is at d/1.yaml:2)\n");
}

TEST(Config, TwoReadingsOfOneFileAreEqual) {
  const Config a = load_config(good("dual_egress_bgp")).config;
  const Config b = load_config(good("dual_egress_bgp")).config;
  EXPECT_EQ(a.peers, b.peers);
  EXPECT_EQ(a.tunnels, b.tunnels);
  EXPECT_EQ(a.policies, b.policies) << "although they were compiled twice";
}

TEST(Duration, IsReadWithEachUnitAndPrintedShortest) {
  EXPECT_EQ(parse_duration("500ms"), 500ms);
  EXPECT_EQ(parse_duration("90"), 90s);
  EXPECT_EQ(parse_duration("5m"), 5min);
  EXPECT_EQ(parse_duration("1d"), 24h);
  for (const char* wrong : {"", "s", "-1s", "1.5s", "1 s", "1w", "99999999999999999999s", "9223372036854775807d"})
    EXPECT_FALSE(parse_duration(wrong)) << wrong;
  EXPECT_EQ(to_text(90s), "90s");
  EXPECT_EQ(to_text(120s), "2m");
  EXPECT_EQ(to_text(24h), "1d");
  EXPECT_EQ(to_text(1500ms), "1500ms");
  EXPECT_EQ(to_text(0ms), "0s");
}

TEST(DidYouMean, OffersOnlyWhatLooksLikeATypingMistake) {
  EXPECT_EQ(did_you_mean("asm", {"asn", "address"}), "did you mean 'asn'?");
  EXPECT_EQ(did_you_mean("naem", {"name", "asn"}), "did you mean 'name'?");
  EXPECT_EQ(did_you_mean("zebra", {"name", "asn"}), "");
}

}  // namespace
}  // namespace bgplite
