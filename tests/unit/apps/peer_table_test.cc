/// The small parts of the Gateway and the daemon that have a state of their own: PeerTable, Failovers, the packets of
/// an interface.
#include <apps/bgplite/failovers.h>
#include <apps/bgplite/gateway/options.h>
#include <apps/bgplite/gateway/peer_table.h>
#include <apps/bgplite/interface_traffic.h>
#include <bgp/text.h>

#include <chrono>
#include <string>

#include <gtest/gtest.h>

namespace bgplite {
namespace {

using namespace std::chrono_literals;
using minibgp::PeerId;

Config two_peers() {
  Config config;
  config.peers["192.0.2.1"].options.name = "first";
  config.peers["2001:db8::1"].options.tunnel = "t";
  return config;
}

TEST(PeerTable, FindsAPeerThatTheSpeakerHasByKeyNameTunnelOrOtherSpelling) {
  const Config config = two_peers();
  PeerTable table;
  static_cast<void>(table["192.0.2.1"]);
  EXPECT_FALSE(table.find("192.0.2.1", config)) << "the speaker has not taken it";
  table.take(*table.find("192.0.2.1"), "192.0.2.1", PeerId{1});
  table.take(table["2001:db8::1"], "2001:db8::1", PeerId{2});
  table["2001:db8::1"].tunnel = "t";
  EXPECT_EQ(table.find("192.0.2.1", config), PeerId{1});
  EXPECT_EQ(table.find("first", config), PeerId{1});
  EXPECT_EQ(table.find("t", config), PeerId{2});
  EXPECT_EQ(table.find("2001:0db8:0::1", config), PeerId{2});
  EXPECT_FALSE(table.find("", config));
  EXPECT_FALSE(table.find("192.0.2.9", config));
  EXPECT_EQ(table.name_of(PeerId{2}), "2001:db8::1");
}

TEST(PeerTable, ARemovedPeerIsKnownByNeitherKeyNorId) {
  const Config config = two_peers();
  PeerTable table;
  table.take(table["192.0.2.1"], "192.0.2.1", PeerId{1});
  EXPECT_EQ(table.remove("192.0.2.1"), PeerId{1});
  EXPECT_EQ(table.remove("192.0.2.1"), minibgp::kLocalPeer);
  EXPECT_EQ(table.key_of(PeerId{1}), nullptr);
  EXPECT_EQ(table.name_of(PeerId{1}), "?");
  EXPECT_FALSE(table.find("192.0.2.1", config));
  EXPECT_EQ(table.size(), 0U);
}

TEST(GatewayOptions, TheFibIsNeededForRoutesStaticRoutesAndConditionsOfNetworks) {
  Config config;
  config.fib.enabled = false;
  EXPECT_FALSE(needs_fib(config));
  config.networks.emplace_back();
  EXPECT_FALSE(needs_fib(config));
  config.networks.back().when = Network::When::if_route;
  EXPECT_TRUE(needs_fib(config));
}

TEST(GatewayOptions, OnlyExternalPeersOnTheLinkAreBoundToIt) {
  Config config;
  config.router.asn = minibgp::Asn{65001};
  minibgp::PeerOptions peer;
  peer.remote_as = minibgp::Asn{65002};
  peer.ttl = 1;
  EXPECT_TRUE(binding_of(config, peer).direct);
  peer.ttl = 2;
  EXPECT_FALSE(binding_of(config, peer).direct);
  peer.ttl = 1;
  peer.remote_as = config.router.asn;
  EXPECT_FALSE(binding_of(config, peer).direct);
}

TEST(Failovers, TheLatestAreKeptAndTheTimeOfTheLastMove) {
  Failovers failovers;
  EXPECT_EQ(failovers.last_move(), 0ns);
  failovers.note_move(3ms);
  for (std::size_t i = 0; i < Failovers::kKept + 2; ++i)
    failovers.add({{}, std::to_string(i), {}, failovers.last_move(), std::nullopt});
  EXPECT_EQ(failovers.all().size(), Failovers::kKept);
  EXPECT_EQ(failovers.all().front().tunnel, "2");
  EXPECT_EQ(failovers.all().back().moved, 3ms);
}

TEST(InterfaceTraffic, IsReadOfAnInterfaceAndNotOfWhatIsNone) {
  EXPECT_TRUE(read_traffic("lo"));
  EXPECT_FALSE(read_traffic("no-such-link"));
}

}  // namespace
}  // namespace bgplite
