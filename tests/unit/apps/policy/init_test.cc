/// `bgplite init`: every preset, left at its examples, is a file that `check` takes; answers arrive where they belong;
/// nothing is overwritten.
#include <apps/bgplite/cli/init.h>
#include <apps/bgplite/config/presets.h>
#include <apps/bgplite/config/yaml.h>
#include <bgp/text.h>
#include <tests/unit/apps/policy/run_verb.h>

#include <cstdlib>
#include <fstream>
#include <set>

#include <gmock/gmock.h>

namespace bgplite::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class InitPreset : public ::testing::TestWithParam<std::string> {};

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const cli::Preset& preset : cli::presets()) all.emplace_back(preset.name);
  return all;
}

/// After a change that is meant: BGPLITE_WRITE_GOLDEN=1 policy_tools_test --gtest_filter='*InitPreset*'
TEST_P(InitPreset, LeftAtItsExamplesPassesCheckAndIsAsExpected) {
  const Ran ran = run_verb({"init", GetParam(), "--yes"});
  ASSERT_EQ(ran.exit, 0) << ran.err;
  const Loaded loaded = load_config(write_file(GetParam() + ".yaml", ran.out));
  EXPECT_FALSE(loaded.diagnostics.has_errors()) << loaded.diagnostics.to_text();
  // The guide's own AS number is reserved; nothing else is to be warned of.
  for (const Diagnostic& one : loaded.diagnostics.all()) EXPECT_THAT(one.text, HasSubstr("AS 65535 of peer"));
  const std::string golden = std::string{INIT_GOLDEN} + "/" + GetParam() + ".yaml";
  if (std::getenv("BGPLITE_WRITE_GOLDEN") != nullptr) std::ofstream{golden} << ran.out;
  EXPECT_EQ(ran.out, read_file(golden));
}

TEST_P(InitPreset, CarriesWhatIsKnownOfItsCloud) {
  const cli::Preset& preset = *cli::find_preset(GetParam());
  const std::string text = cli::init_text(preset, {});
  const CloudFacts& cloud = facts_of(preset.cloud);
  const Loaded loaded = load_config(write_file("facts.yaml", text));
  const bool bgp = !loaded.config.peers.empty();
  for (const auto& [key, peer] : loaded.config.peers) {
    if (cloud.hold_s != 0) {
      EXPECT_EQ(peer.options.timers.hold_s, cloud.hold_s);
      EXPECT_EQ(peer.options.timers.keepalive_s, cloud.keepalive_s);
    }
    if (cloud.prefixes_max != 0) {
      EXPECT_EQ(peer.options.export_limit.max, cloud.prefixes_max);
    }
    if (cloud.asn != 0) {
      EXPECT_EQ(peer.options.remote_as, minibgp::Asn{cloud.asn});
    }
  }
  for (const auto& [name, tunnel] : loaded.config.tunnels) {
    EXPECT_EQ(tunnel.cloud, preset.cloud);
    if (cloud.mtu_max != 0 && tunnel.options.mode == minibgp::xfrm::Mode::interface) {
      EXPECT_EQ(tunnel.options.mtu, cloud.mtu_max);
    }
  }
  if (bgp && cloud.refuses_default) {
    EXPECT_THAT(text, HasSubstr("refused-by-the-cloud, match: { prefix: [0.0.0.0/0, 100.64.0.0/10 le 32] }"));
  }
  if (bgp && !cloud.unverified.empty()) {
    EXPECT_THAT(text, HasSubstr("unverified")) << "what nobody measured says so";
  }
}

INSTANTIATE_TEST_SUITE_P(All, InitPreset, ::testing::ValuesIn(names()), [](const auto& one) {
  std::string name = one.param;
  for (char& c : name)
    if (c == '-') c = '_';
  return name;
});

TEST(Init, AllTenPresetsAreThere) {
  const std::vector<std::string> all = names();
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()),
            (std::set<std::string>{"alibaba-dual-bgp", "alibaba-dual-static", "alibaba-single-egress", "alibaba-policy",
                                   "aws-vgw", "aws-tgw", "azure", "gcp-ha", "oci", "bgp-only"}));
}

TEST(Init, AnswersArriveInTheConfiguration) {
  const Ran ran = run_verb({"init",
                            "aws-vgw",
                            "--yes",
                            "--asn",
                            "4200000001",
                            "--router-id",
                            "10.9.0.1",
                            "--networks",
                            "10.9.0.0/16, 10.10.0.0/16",
                            "--cloud-networks",
                            "10.100.0.0/16",
                            "--remote2",
                            "198.51.100.9",
                            "--device1",
                            "ens3",
                            "--address1",
                            "169.254.44.2/30",
                            "--peer1",
                            "169.254.44.1",
                            "--local-id2",
                            "gw@example.com"});
  ASSERT_EQ(ran.exit, 0) << ran.err;
  const Config config = load_config(write_file("aws.yaml", ran.out)).config;
  EXPECT_EQ(config.router.asn, minibgp::Asn{4200000001});
  EXPECT_EQ(minibgp::to_text(config.router.router_id), "10.9.0.1");
  ASSERT_EQ(config.networks.size(), 2U);
  EXPECT_EQ(minibgp::to_text(config.networks[1].prefix), "10.10.0.0/16");
  EXPECT_EQ(config.tunnels.at("ipsec0").options.underlay.device, "ens3");
  EXPECT_EQ(config.tunnels.at("ipsec1").options.ike->remote_addresses, std::vector<std::string>{"198.51.100.9"});
  EXPECT_EQ(config.tunnels.at("ipsec1").options.ike->local_id, "gw@example.com");
  EXPECT_EQ(config.peers.count("169.254.44.1"), 1U);
  EXPECT_THAT(ran.out, HasSubstr("10.100.0.0/16 le 28"));
}

TEST(Init, WrongFlagsWriteNothingAndSayWhatIsMeant) {
  struct Case {
    std::vector<std::string> words;
    const char* said;
  };
  const Case cases[] = {
      {{"init", "--yes"}, "which preset? One of: alibaba-dual-bgp"},
      {{"init", "azur", "--yes"}, "no preset 'azur' (did you mean 'azure'?)"},
      {{"init", "azure", "--yes", "--asn", "0"}, "--asn: '0' is not an AS number"},
      {{"init", "azure", "--yes", "--asn", "23456"}, "--asn: '23456' is not an AS number"},
      {{"init", "azure", "--yes", "--networks", "10.0.0.1/8"}, "--networks: '10.0.0.1/8' is not a prefix"},
      {{"init", "azure", "--yes", "--networks", "10.0.0.0/8,"}, "--networks: '' is not a prefix"},
      {{"init", "azure", "--yes", "--remote1", "gw.example.com"}, "--remote1: 'gw.example.com' is not an IP address"},
      {{"init", "azure", "--yes", "--address1", "169.254.21.2"}, "--address1: '169.254.21.2' is not an address with"},
      {{"init", "azure", "--yes", "--device1", "eth0: {"}, "--device1: 'eth0: {' is not an interface's name"},
      {{"init", "azure", "--yes", "--local-id1", "a b"}, "--local-id1: 'a b' is not"},
      {{"init", "azure", "--yes", "--ike-proposals", "aes}"}, "--ike-proposals: 'aes}' is not a proposal"},
      {{"init", "bgp-only", "--yes", "--device1", "eth0"}, "--device1 means nothing with bgp-only"},
      {{"init", "alibaba-single-egress", "--yes", "--device2", "eth1"}, "--device2 means nothing with"},
      {{"init", "azure", "--yes", "--frobnicate", "1"}, "--frobnicate"},
      {{"init", "azure", "--yes", "--peer1", "169.254.22.1"}, "peer 169.254.22.1 is configured twice"},
  };
  for (const Case& one : cases) {
    const Ran ran = run_verb(one.words);
    EXPECT_EQ(ran.exit, 2) << one.said;
    EXPECT_EQ(ran.out, "") << one.said;
    EXPECT_THAT(ran.err, HasSubstr(one.said));
  }
}

TEST(Init, AFileThatExistsIsOnlyOverwrittenWithForce) {
  const std::string path = write_file("mine.yaml", "# mine\n");
  const Ran refused = run_verb({"init", "bgp-only", "--yes", "--output", path});
  EXPECT_EQ(refused.exit, 2);
  EXPECT_THAT(refused.err, HasSubstr("mine.yaml exists already; --force writes over it"));
  EXPECT_EQ(read_file(path), "# mine\n");
  EXPECT_EQ(run_verb({"init", "bgp-only", "--yes", "--force", "--output", path}).exit, 0);
  EXPECT_THAT(read_file(path), HasSubstr("# BGP without tunnels."));
  const std::string fresh = write_file("dir", "") + ".yaml";
  EXPECT_EQ(run_verb({"init", "bgp-only", "--yes", "-o", fresh}).exit, 0);
  EXPECT_FALSE(load_config(fresh).diagnostics.has_errors());
  EXPECT_EQ(run_verb({"init", "bgp-only", "--yes", "-o", "/proc/there/is/no/such/place"}).exit, 3);
}

}  // namespace
}  // namespace bgplite::testing
