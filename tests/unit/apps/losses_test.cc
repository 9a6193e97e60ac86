/// Losses and ReturnTraffic without a gateway: what follows, in which order, when a tunnel is lost or a drill says so.
#include <apps/bgplite/gateway/announcements.h>
#include <apps/bgplite/gateway/effects.h>
#include <apps/bgplite/gateway/losses.h>
#include <apps/bgplite/gateway/peer_table.h>
#include <apps/bgplite/gateway/return_traffic.h>
#include <bgp/text.h>

#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bgplite {
namespace {

using namespace std::chrono_literals;
using minibgp::PeerId;
using minibgp::PeerState;
using minibgp::PeerStatus;
using minibgp::Time;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Time kStart{1h};

class LossesTest : public testing::Test, public GatewayView {
 protected:
  LossesTest() {
    add(1, "10.0.0.1", "a");
    add(2, "10.0.0.5", "b");
    add(3, "10.0.0.9", "");
    announcements_.announce(minibgp::parse_prefix("10.1.0.0/16").value(), {});
  }

  void add(std::uint16_t id, const std::string& key, const std::string& tunnel) {
    PeerConfig& peer = config_->peers[key];
    peer.options.address = minibgp::parse_address(key).value();
    peer.options.tunnel = tunnel;
    peer.options.remote_as = minibgp::Asn{64512};
    peer.return_path.more_specifics = true;
    if (!tunnel.empty()) config_->tunnels[tunnel].options.interface = tunnel;
    peers_.take(peers_[key], key, PeerId{id});
    peers_[key].audience = return_traffic_.set_peer(key, *config_, peer);
    PeerStatus& status = statuses_[PeerId{id}];
    status.id = PeerId{id};
    status.state = PeerState::established;
    status.families = {true, false};
    status.hold_s = 30;
    return_traffic_.note_session(PeerId{id}, *config_);
  }
  /// The effects that wait, one word or two each.
  std::vector<std::string> take() {
    std::vector<std::string> words;
    while (const auto effect = effects_.take()) {
      if (const auto* use = std::get_if<effect::UseInterface>(&*effect))
        words.push_back(use->interface + (use->usable ? " up" : " down"));
      if (const auto* forget = std::get_if<effect::ForgetInterface>(&*effect))
        words.push_back(forget->interface + " forgotten");
      if (const auto* transport = std::get_if<effect::SetTransport>(&*effect))
        words.push_back("transport " + std::to_string(static_cast<unsigned>(transport->peer)) +
                        (transport->usable ? " up" : " down"));
      if (const auto* reset = std::get_if<effect::ResetPeer>(&*effect))
        words.push_back("reset " + std::to_string(static_cast<unsigned>(reset->peer)));
      if (const auto* read = std::get_if<effect::ReadTraffic>(&*effect)) words.push_back("read " + read->interface);
      if (const auto* refused = std::get_if<effect::Refused>(&*effect)) words.push_back(refused->why);
    }
    return words;
  }
  /// Gives the drill its counters until it has done something, at most.
  std::vector<std::string> drill_on() {
    for (int i = 0; i < 100 && losses_.driller().running(); ++i) {
      now_ = losses_.driller().next_deadline();
      losses_.on_traffic(TrafficCounters{}, now_);
      if (auto words = take(); !words.empty()) return words;
    }
    return {};
  }

  // GatewayView
  [[nodiscard]] std::vector<PeerStatus> sessions() const override { return {}; }
  [[nodiscard]] std::optional<PeerStatus> session(PeerId peer) const override { return statuses_.at(peer); }
  [[nodiscard]] bool has_fib() const override { return true; }
  [[nodiscard]] std::vector<minibgp::fib::NextHopState> next_hops() const override { return next_hops_; }
  [[nodiscard]] minibgp::fib::FibCounters fib_counters() const override { return {}; }
  [[nodiscard]] bool has_tunnels() const override { return true; }
  [[nodiscard]] bool tunnel_usable(const std::string& tunnel) const override { return !down_.contains(tunnel); }
  [[nodiscard]] std::string followed(const std::string&) const override { return {}; }

  Time now_ = kStart;
  std::shared_ptr<Config> config_ = std::make_shared<Config>();
  PeerTable peers_;
  Announcements announcements_;
  Effects effects_;
  ReturnTraffic return_traffic_{{*this, peers_, announcements_, effects_}};
  Losses losses_{{config_, *this, peers_, effects_, return_traffic_}};
  std::map<PeerId, PeerStatus> statuses_;
  std::vector<minibgp::fib::NextHopState> next_hops_;
  std::set<std::string> down_;
};

TEST_F(LossesTest, ALostTunnelMovesTheTrafficThenThePeersOfThatTunnelThenTheReturnTraffic) {
  losses_.carry("a", false, "gone", now_);
  EXPECT_THAT(take(), ElementsAre("a down", "transport 1 down"));
  EXPECT_EQ(announcements_.parts().size(), 2U);
  EXPECT_EQ(announcements_.parts_for(peers_.at("10.0.0.1").audience), 0U) << "it would not hear of them";
  EXPECT_EQ(announcements_.parts_for(peers_.at("10.0.0.5").audience), 2U);
  losses_.carry("a", true, "back", now_);
  EXPECT_THAT(take(), ElementsAre("a up", "transport 1 up"));
  EXPECT_TRUE(announcements_.parts().empty());
}

TEST_F(LossesTest, APeerThatIsToBeClosedIsResetByALossAndNotByADrill) {
  config_->peers.at("10.0.0.1").on_tunnel_down = PeerConfig::OnTunnelDown::close;
  losses_.start_drill("a", 1s, now_);
  EXPECT_THAT(take(), ElementsAre("read a"));
  EXPECT_THAT(drill_on(), ElementsAre("a down", "transport 1 down"));
  EXPECT_FALSE(losses_.tunnel_usable("a"));
  losses_.end_drill(DrillReport::End::asked, now_);
  EXPECT_THAT(take(), ElementsAre("a up", "transport 1 up"));
  EXPECT_TRUE(losses_.tunnel_usable("a"));
  losses_.carry("a", false, "gone", now_);
  EXPECT_THAT(take(), ElementsAre("a down", "transport 1 down", "reset 1"));
}

TEST_F(LossesTest, ADrillWithoutATunnelConcernsEachPeerBehindTheInterfaceOnce) {
  for (const PeerId id : {PeerId{3}, PeerId{2}, PeerId{3}}) {
    minibgp::fib::NextHopState& state = next_hops_.emplace_back();
    state.peer = id;
    state.next_hop = config_->peers.at(*peers_.key_of(state.peer)).options.address;
    state.interface = "eth0";
    state.usable = true;
  }
  losses_.start_drill("10.0.0.9", 1s, now_);
  EXPECT_THAT(take(), ElementsAre("read eth0"));
  EXPECT_THAT(drill_on(), ElementsAre("eth0 down", "transport 2 down", "transport 3 down"));
  EXPECT_THAT(drill_on(), ElementsAre("eth0 forgotten", "transport 2 up", "transport 3 up"));
  EXPECT_FALSE(losses_.driller().running());
}

TEST_F(LossesTest, ADrillOfATunnelThatFailsInEarnestTakesNothingBack) {
  losses_.start_drill("a", 10s, now_);
  take();
  EXPECT_THAT(drill_on(), ElementsAre("a down", "transport 1 down"));
  down_.insert("a");
  losses_.end_drill(DrillReport::End::failed, now_);
  EXPECT_THAT(take(), IsEmpty());
}

TEST_F(LossesTest, ADrillThatIsNotPossibleSaysWhy) {
  losses_.start_drill("x", 1s, now_);
  EXPECT_THAT(take(), ElementsAre("no tunnel and no peer 'x'"));
  losses_.start_drill("10.0.0.9", 1s, now_);
  EXPECT_THAT(take(), ElementsAre("no usable next hop leads to peer 10.0.0.9"));
  down_.insert("a");
  losses_.start_drill("10.0.0.1", 1s, now_);
  EXPECT_THAT(take(), ElementsAre("tunnel a is down already"));
}

TEST_F(LossesTest, NothingIsAnnouncedForALossWhileWeGo) {
  return_traffic_.stop();
  losses_.carry("a", false, "gone", now_);
  EXPECT_TRUE(announcements_.parts().empty());
}

TEST_F(LossesTest, APeerThatIsGivenUpOrUnconfiguredGetsNoParts) {
  EXPECT_NE(return_traffic_.set_peer("10.0.0.5", *config_, config_->peers.at("10.0.0.5")), 0U);
  config_->peers.at("10.0.0.5").return_path.more_specifics = false;
  EXPECT_EQ(return_traffic_.set_peer("10.0.0.5", *config_, config_->peers.at("10.0.0.5")), 0U);
  return_traffic_.remove_peer("10.0.0.9");
  losses_.carry("a", false, "gone", now_);
  EXPECT_TRUE(announcements_.parts().empty());
}

}  // namespace
}  // namespace bgplite
