/// Gateway and its parts, each alone: inputs in, effects out, time as an argument.
#include <apps/bgplite/gateway/arrivals.h>
#include <apps/bgplite/gateway/driller.h>
#include <apps/bgplite/gateway/farewells.h>
#include <apps/bgplite/gateway/gateway.h>
#include <apps/bgplite/gateway/options.h>
#include <bgp/text.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bgplite {
namespace {

using namespace std::chrono_literals;
using minibgp::PeerId;
using minibgp::PeerState;
using minibgp::PeerStatus;
using minibgp::Prefix;
using minibgp::Time;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Time kStart{1h};

PeerStatus up(std::uint16_t id, std::uint32_t as = 64512) {
  PeerStatus status;
  status.id = PeerId{id};
  status.remote_as = minibgp::Asn{as};
  status.state = PeerState::established;
  status.graceful_restart = true;
  status.families = {true, false};
  status.hold_s = 30;
  return status;
}

// A peer that comes back

TEST(Arrivals, APeerBesideOthersOfItsAsWaitsForTheEndOfItsTable) {
  Arrivals arrivals;
  arrivals.on_restart_complete();
  PeerStatus back = up(1);
  EXPECT_FALSE(arrivals.on_established(back, std::vector{back, up(2)}, kStart));
  EXPECT_TRUE(arrivals.waits(PeerId{1}));
  EXPECT_FALSE(arrivals.on_end_of_rib(back)) << "one family is still to come";
  back.end_of_rib_received[0] = true;
  EXPECT_TRUE(arrivals.on_end_of_rib(back));
  EXPECT_FALSE(arrivals.on_end_of_rib(back)) << "it waits no more";
  EXPECT_EQ(arrivals.next_deadline(), minibgp::kNever);
}

TEST(Arrivals, NoPeerWaitsForEver) {
  Arrivals arrivals;
  arrivals.on_restart_complete();
  EXPECT_FALSE(arrivals.on_established(up(1), std::vector{up(1), up(2)}, kStart));
  EXPECT_EQ(arrivals.next_deadline(), kStart + 5s);
  EXPECT_THAT(arrivals.on_time(kStart + 5s - 1ns), IsEmpty());
  EXPECT_THAT(arrivals.on_time(kStart + 5s), ElementsAre(PeerId{1}));
  EXPECT_THAT(arrivals.on_time(kStart + 6s), IsEmpty());
}

TEST(Arrivals, UsedAtOnceIsWhoIsAloneOrHasNoGracefulRestartOrComesDuringOurRestart) {
  Arrivals arrivals;
  EXPECT_TRUE(arrivals.on_established(up(1), std::vector{up(1), up(2)}, kStart)) << "our own restart";
  arrivals.on_restart_complete();
  EXPECT_TRUE(arrivals.on_established(up(1), std::vector{up(1)}, kStart)) << "alone";
  EXPECT_TRUE(arrivals.on_established(up(1), std::vector{up(1), up(2, 64513)}, kStart)) << "another AS";
  PeerStatus plain = up(1);
  plain.graceful_restart = false;
  EXPECT_TRUE(arrivals.on_established(plain, std::vector{plain, up(2)}, kStart));
  EXPECT_FALSE(arrivals.on_established(up(2), std::vector{up(1), up(2)}, kStart));
  EXPECT_TRUE(arrivals.on_established(up(1), std::vector{up(1), up(2)}, kStart)) << "the other one waits itself";
}

// A tunnel that goes on purpose

TEST(Farewells, ActionsWaitForTheLastOfThemAndPeersDialAgainAfterwards) {
  Farewells farewells;
  EXPECT_EQ(farewells.next_deadline(), minibgp::kNever);
  farewells.begin({"a"}, kStart);
  farewells.begin({""}, kStart + 200ms);
  EXPECT_THAT(farewells.on_time(kStart + 300ms).actions, IsEmpty());
  const Farewells::Due due = farewells.on_time(kStart + 500ms);
  EXPECT_THAT(due.actions, ElementsAre(Farewells::Action{"a"}, Farewells::Action{""}));
  EXPECT_FALSE(due.resume);
  EXPECT_EQ(farewells.next_deadline(), kStart + 2500ms);
  EXPECT_FALSE(farewells.on_time(kStart + 2400ms).resume);
  EXPECT_TRUE(farewells.on_time(kStart + 2500ms).resume);
  EXPECT_EQ(farewells.next_deadline(), minibgp::kNever);
}

// Drills

TEST(Driller, ReadsTheTrafficThenFailsThenRestores) {
  Driller driller;
  EXPECT_FALSE(driller.status(kStart));
  driller.start({"t", "t", "if", {}}, 1s, kStart);
  EXPECT_TRUE(driller.running());
  EXPECT_TRUE(driller.wants_traffic(kStart));
  EXPECT_EQ(driller.on_traffic(TrafficCounters{}, kStart), Drill::Action::none);
  Time now = kStart;
  const auto next_action = [&] {
    for (int i = 0; i < 100; ++i) {
      now = driller.next_deadline();
      if (const Drill::Action action = driller.on_traffic(TrafficCounters{}, now); action != Drill::Action::none)
        return action;
    }
    return Drill::Action::none;
  };
  EXPECT_EQ(next_action(), Drill::Action::fail);
  EXPECT_TRUE(driller.fails("t"));
  EXPECT_FALSE(driller.fails("u"));
  EXPECT_EQ(next_action(), Drill::Action::restore);
  EXPECT_FALSE(driller.running());
  EXPECT_EQ(driller.status(now)->report.end, DrillReport::End::time);
}

TEST(Driller, CountersThatBeginAgainAtZeroAreCountedFromThere) {
  // The interface is made anew in the middle: once while the traffic before is measured, once in the failure.
  Drill drill{1s, kStart, TrafficCounters{1000, 5000}};
  EXPECT_EQ(drill.on_time(kStart + 100ms, TrafficCounters{1010, 5010}), Drill::Action::none);
  EXPECT_EQ(drill.on_time(kStart + 200ms, TrafficCounters{5, 2}), Drill::Action::none);
  EXPECT_EQ(drill.on_time(kStart + 500ms, TrafficCounters{35, 13}), Drill::Action::fail);
  EXPECT_EQ(drill.on_time(kStart + 600ms, TrafficCounters{42, 20}), Drill::Action::none);
  EXPECT_EQ(drill.on_time(kStart + 700ms, TrafficCounters{1, 3}), Drill::Action::none);
  const DrillReport report = drill.report(kStart + 700ms);
  EXPECT_EQ(report.in.before_per_s, 90) << "10 + 5 + 30 in half a second";
  EXPECT_EQ(report.out.before_per_s, 46);
  EXPECT_EQ(report.in.packets, 8U);
  EXPECT_EQ(report.out.packets, 10U);
  EXPECT_FALSE(report.in.moved_after) << "the last quiet sample is the first one";
}

TEST(Bindings, APeerWhoseAsIsOursTowardItIsInternalAndNoOther) {
  Config config;
  config.router.asn = minibgp::Asn{65001};
  minibgp::PeerOptions peer;
  peer.remote_as = minibgp::Asn{65001};
  EXPECT_FALSE(binding_of(config, peer).direct);
  peer.local_as = minibgp::Asn{65010};
  EXPECT_TRUE(binding_of(config, peer).direct) << "eBGP: the peer's AS is not ours toward it";
  peer.remote_as = minibgp::Asn{65010};
  EXPECT_FALSE(binding_of(config, peer).direct);
}

TEST(Driller, AnEndBeforeTheFailureHasNothingToTakeBack) {
  Driller driller;
  driller.start({"t", "t", "if", {}}, 1s, kStart);
  static_cast<void>(driller.on_traffic(TrafficCounters{}, kStart));
  EXPECT_FALSE(driller.end(DrillReport::End::asked, kStart + 100ms));
  EXPECT_FALSE(driller.running());
  EXPECT_FALSE(driller.end(DrillReport::End::asked, kStart + 200ms));
}

// The gateway

/// Two tunnels to one AS, with a peer behind each.
class GatewayTest : public testing::Test, public GatewayView {
 protected:
  GatewayTest() : gateway(configuration(), *this, 1) {
    feed(input::Start{});
    feed(input::RestartComplete{});
    feed(input::TunnelChanged{"a", minibgp::xfrm::TunnelState::up, {}, {}});
    feed(input::TunnelChanged{"b", minibgp::xfrm::TunnelState::up, {}, {}});
  }

  static Config configuration() {
    Config config;
    config.router.asn = minibgp::Asn{65010};
    config.networks.emplace_back().prefix = prefix("10.1.0.0/16");
    for (const char* const name : {"a", "b"}) {
      PeerConfig peer;
      peer.options.address = *minibgp::parse_address(*name == 'a' ? "10.0.0.1" : "10.0.0.5");
      peer.options.remote_as = minibgp::Asn{64512};
      peer.options.tunnel = name;
      peer.accept_all = true;
      peer.return_path.more_specifics = true;
      TunnelConfig tunnel;
      tunnel.options.name = name;
      config.tunnels[name] = tunnel;
      config.peers[to_text(peer.options.address)] = peer;
    }
    return config;
  }
  static Prefix prefix(const char* text) { return *minibgp::parse_prefix(text); }

  void feed(Input event) {
    gateway.input(std::move(event), now);
    run();
  }
  void advance_to(Time when) {
    while (gateway.next_deadline() <= when) {
      now = std::max(now, gateway.next_deadline());
      gateway.on_time(now);
      run();
    }
    now = when;
  }
  /// Answers what needs an answer; notes the rest.
  void run() {
    while (const auto effect = gateway.poll()) {
      if (const auto* add = std::get_if<effect::AddPeer>(&*effect)) {
        const PeerId id{static_cast<std::uint16_t>(peers.size() + 1)};
        peers[add->key] = id;
        enabled[id] = add->options.enabled;
        gateway.input(input::PeerAdded{add->key, id}, now);
      } else if (const auto* update = std::get_if<effect::UpdatePeer>(&*effect)) {
        updated[update->peer] = update->options;
        gateway.input(input::PeerUpdated{update->peer}, now);
      } else if (std::holds_alternative<effect::ReadTraffic>(*effect)) {
        gateway.input(input::Traffic{TrafficCounters{}}, now);
      } else if (const auto* refused = std::get_if<effect::Refused>(&*effect)) {
        why = refused->why;
      }
      note(*effect);
    }
  }
  void note(const GatewayEffect& effect) {
    const auto id = [](PeerId peer) { return std::to_string(static_cast<unsigned>(peer)); };
    if (const auto* use = std::get_if<effect::UseInterface>(&effect))
      done.push_back("interface " + use->interface + (use->usable ? " up" : " down"));
    if (const auto* use = std::get_if<effect::UsePeer>(&effect))
      done.push_back("peer " + id(use->peer) + (use->usable ? " used" : " not used"));
    if (const auto* set = std::get_if<effect::SetTransport>(&effect))
      done.push_back("transport " + id(set->peer) + (set->usable ? " up" : " down"));
    if (const auto* one = std::get_if<effect::ResetPeer>(&effect)) done.push_back("reset " + id(one->peer));
    if (const auto* one = std::get_if<effect::DisablePeer>(&effect)) done.push_back("disable " + id(one->peer));
    if (const auto* one = std::get_if<effect::EnablePeer>(&effect)) done.push_back("enable " + id(one->peer));
    if (const auto* one = std::get_if<effect::Announce>(&effect)) done.push_back("announce " + to_text(one->prefix));
    if (const auto* one = std::get_if<effect::Withdraw>(&effect)) done.push_back("withdraw " + to_text(one->prefix));
    if (const auto* one = std::get_if<effect::WatchNetwork>(&effect))
      done.push_back((one->wanted ? "watch " : "unwatch ") + to_text(one->prefix));
    if (const auto* one = std::get_if<effect::TerminateTunnel>(&effect)) done.push_back("terminate " + one->tunnel);
    if (std::holds_alternative<effect::SetTunnels>(effect)) done.push_back("set tunnels");
    if (const auto* one = std::get_if<effect::End>(&effect)) done.push_back(one->keep ? "end, keep" : "end, remove");
  }
  std::vector<std::string> take() { return std::exchange(done, {}); }
  void establish(const char* key) {
    PeerStatus status = up(static_cast<std::uint16_t>(peers.at(key)));
    statuses[status.id] = status;
    feed(input::PeerChanged{{status.id, PeerState::open_confirm, PeerState::established, {}}});
  }
  void tunnel(const char* name, bool usable) {
    usable ? void(down.erase(name)) : void(down.insert(name));
    const auto state = [](bool is) { return is ? minibgp::xfrm::TunnelState::up : minibgp::xfrm::TunnelState::down; };
    feed(input::TunnelChanged{name, state(usable), state(!usable), minibgp::xfrm::Reason::sa_deleted});
  }

  // GatewayView
  [[nodiscard]] std::vector<PeerStatus> sessions() const override {
    std::vector<PeerStatus> all;
    for (const auto& [id, status] : statuses) all.push_back(status);
    return all;
  }
  [[nodiscard]] std::optional<PeerStatus> session(PeerId peer) const override {
    const auto found = statuses.find(peer);
    return found == statuses.end() ? std::nullopt : std::optional{found->second};
  }
  [[nodiscard]] bool has_fib() const override { return true; }
  [[nodiscard]] std::vector<minibgp::fib::NextHopState> next_hops() const override { return {}; }
  [[nodiscard]] minibgp::fib::FibCounters fib_counters() const override { return {}; }
  [[nodiscard]] bool has_tunnels() const override { return true; }
  [[nodiscard]] bool tunnel_usable(const std::string& tunnel) const override { return down.count(tunnel) == 0; }
  [[nodiscard]] std::string followed(const std::string&) const override { return {}; }

  Gateway gateway;
  Time now = kStart;
  std::map<std::string, PeerId> peers;
  std::map<PeerId, bool> enabled;
  std::map<PeerId, minibgp::PeerOptions> updated;
  std::map<PeerId, PeerStatus> statuses;
  std::set<std::string> down;
  std::vector<std::string> done;
  std::string why;
};

TEST_F(GatewayTest, ALostTunnelMovesTrafficFirstAndThenTellsTheSpeakerAndTheOtherPeers) {
  establish("10.0.0.1");
  establish("10.0.0.5");
  take();
  tunnel("a", false);
  EXPECT_THAT(take(),
              ElementsAre("interface a down", "transport 1 down", "announce 10.1.0.0/17", "announce 10.1.128.0/17"));
  EXPECT_EQ(gateway.parts_for(PeerId{2}), 2U);
  EXPECT_EQ(gateway.parts_for(PeerId{1}), 0U);
  tunnel("a", true);
  EXPECT_THAT(take(),
              ElementsAre("interface a up", "transport 1 up", "withdraw 10.1.0.0/17", "withdraw 10.1.128.0/17"));
}

TEST_F(GatewayTest, APeerIsUsedWhileItsSessionIsUpOrItsRoutesAreStale) {
  establish("10.0.0.1");
  EXPECT_THAT(take(), testing::Contains("peer 1 used"));
  statuses[PeerId{1}].state = PeerState::idle;
  statuses[PeerId{1}].stale = true;
  feed(input::PeerChanged{{PeerId{1}, PeerState::established, PeerState::idle, {}}});
  EXPECT_THAT(take(), IsEmpty());
  establish("10.0.0.1");
  statuses[PeerId{1}].state = PeerState::idle;
  feed(input::PeerChanged{{PeerId{1}, PeerState::established, PeerState::idle, {}}});
  EXPECT_THAT(take(), testing::Contains("peer 1 not used"));
}

TEST_F(GatewayTest, ATunnelThatGoesOnPurposeWaitsForItsPeers) {
  establish("10.0.0.1");
  take();
  feed(input::TerminateTunnel{"a"});
  EXPECT_THAT(take(), ElementsAre("disable 1", "transport 1 down", "enable 1"));
  advance_to(now + 1s);
  EXPECT_THAT(take(), ElementsAre("terminate a"));
  advance_to(now + 2s);
  EXPECT_THAT(take(), ElementsAre("transport 1 up", "transport 2 up")) << "it did not go after all";
  feed(input::TerminateTunnel{"b"});
  EXPECT_THAT(take(), ElementsAre("terminate b")) << "without a session there is nobody to tell";
}

TEST_F(GatewayTest, ATunnelThatGoesOnPurposeWaitsForTheStaleRoutesOfAPeerThatIsAway) {
  establish("10.0.0.1");
  statuses[PeerId{1}].state = PeerState::idle;
  statuses[PeerId{1}].stale = true;
  feed(input::PeerChanged{{PeerId{1}, PeerState::established, PeerState::idle, {}}});
  take();
  feed(input::TerminateTunnel{"a"});
  EXPECT_THAT(take(), ElementsAre("disable 1", "transport 1 down", "enable 1"));
  advance_to(now + 1s);
  EXPECT_THAT(take(), ElementsAre("terminate a"));
}

TEST_F(GatewayTest, ADrainGoesOnInStepsAndCanBeUndoneAfterTheLast) {
  establish("10.0.0.1");
  take();
  feed(input::Drain{PeerId{1}, 10s});
  EXPECT_TRUE(updated.at(PeerId{1}).graceful_shutdown);
  advance_to(now + 25s);
  EXPECT_EQ(gateway.drain_step(PeerId{1}), DrainStep::stopped);
  EXPECT_THAT(take(), ElementsAre("disable 1"));
  feed(input::UndoDrain{PeerId{1}});
  EXPECT_THAT(take(), ElementsAre("enable 1"));
  EXPECT_FALSE(updated.at(PeerId{1}).graceful_shutdown);
  EXPECT_EQ(gateway.status().drained, 0U);
}

TEST_F(GatewayTest, ADrainOfAPeerThatADrainHasStoppedIsUndoneLikeTheFirst) {
  establish("10.0.0.1");
  feed(input::Drain{PeerId{1}, 10s});
  advance_to(now + 25s);
  statuses[PeerId{1}].enabled = false;
  take();
  feed(input::Drain{PeerId{1}, 10s});
  EXPECT_EQ(gateway.drain_step(PeerId{1}), DrainStep::stopped);
  feed(input::UndoDrain{PeerId{1}});
  EXPECT_THAT(take(), ElementsAre("enable 1"));
  // The operator enables the session of a peer that is drained: a drain begins anew.
  feed(input::Drain{PeerId{1}, 10s});
  advance_to(now + 25s);
  statuses[PeerId{1}].enabled = true;
  feed(input::Drain{PeerId{1}, 10s});
  EXPECT_EQ(gateway.drain_step(PeerId{1}), DrainStep::asked);
}

TEST_F(GatewayTest, ADrillFailsATunnelAndTakesThatBack) {
  feed(input::StartDrill{"nothing", 1s});
  EXPECT_EQ(why, "no tunnel and no peer 'nothing'");
  take();
  feed(input::StartDrill{"a", 1s});
  EXPECT_THAT(take(), IsEmpty()) << "the traffic is measured first";
  advance_to(now + 600ms);
  EXPECT_THAT(take(), ElementsAre("interface a down", "transport 1 down"));
  feed(input::StartDrill{"b", 1s});
  EXPECT_EQ(why, "a drill of a is running: 'bgplite drill --stop' ends it");
  feed(input::StopDrill{});
  EXPECT_THAT(take(), ElementsAre("interface a up", "transport 1 up"));
  EXPECT_FALSE(gateway.status().drilling);
}

TEST_F(GatewayTest, ADrillOfATunnelThatFailsInEarnestTakesNothingBack) {
  feed(input::StartDrill{"a", 10s});
  advance_to(now + 600ms);
  take();
  tunnel("a", false);
  EXPECT_THAT(take(), ElementsAre("interface a down", "transport 1 down"));
  EXPECT_FALSE(gateway.status().drilling);
}

TEST_F(GatewayTest, APeerBehindATunnelThatIsDownIsAddedDisabledAndDoesNotDial) {
  Config config = configuration();
  config.peers.erase("10.0.0.1");
  feed(input::Apply{config, gateway.plan(config)});
  tunnel("a", false);
  take();
  feed(input::Apply{configuration(), gateway.plan(configuration())});
  const PeerId added = peers.at("10.0.0.1");
  EXPECT_FALSE(enabled.at(added));
  EXPECT_THAT(take(), testing::Contains("transport " + std::to_string(static_cast<unsigned>(added)) + " down"));
  EXPECT_TRUE(updated.at(added).enabled);
}

TEST_F(GatewayTest, AnApplyAnnouncesWhatIsNewWithdrawsWhatIsGoneAndThenNothingDiffers) {
  Config config = configuration();
  config.networks.front().prefix = prefix("10.2.0.0/16");
  take();
  feed(input::Apply{config, gateway.plan(config)});
  EXPECT_THAT(take(), testing::UnorderedElementsAre("announce 10.2.0.0/16", "withdraw 10.1.0.0/16"));
  EXPECT_TRUE(gateway.plan(config).empty());
  EXPECT_EQ(gateway.status().reloads, 1U);
}

TEST_F(GatewayTest, ANetworkThatGetsAnotherConditionIsFollowedByThatOne) {
  Config config = configuration();
  config.networks.front().when = Network::When::if_route;
  take();
  feed(input::Apply{config, gateway.plan(config)});
  EXPECT_THAT(take(), testing::UnorderedElementsAre("watch 10.1.0.0/16", "withdraw 10.1.0.0/16"));
  feed(input::Apply{configuration(), gateway.plan(configuration())});
  EXPECT_THAT(take(), testing::UnorderedElementsAre("unwatch 10.1.0.0/16", "announce 10.1.0.0/16"));
}

TEST_F(GatewayTest, ManyNetworksAreAnnouncedInSeveralTurnsAndALostTunnelGoesInFront) {
  constexpr std::uint32_t kMany = 5'000;
  Config config = configuration();
  for (std::uint32_t i = 0; i < kMany; ++i)
    config.networks.emplace_back().prefix = Prefix::of(minibgp::IpAddress::v4(0x14000000U + i * 256), 24);
  take();
  feed(input::Apply{config, gateway.plan(config)});
  EXPECT_EQ(take().size(), Gateway::kAnnouncedInATurn);
  EXPECT_FALSE(gateway.settled());
  EXPECT_EQ(gateway.next_deadline(), now) << "what is left is due at once";
  // Changes back before it was given out: that costs nothing.
  config.networks.pop_back();
  feed(input::Apply{config, gateway.plan(config)});
  tunnel("a", false);
  const std::vector<std::string> urgent = take();
  ASSERT_GE(urgent.size(), 2U);
  EXPECT_EQ(urgent[0], "interface a down");
  EXPECT_EQ(urgent[1], "transport 1 down");
  std::size_t turns = 0, announced = Gateway::kAnnouncedInATurn;
  for (; !gateway.settled() && turns < 100; ++turns) {
    gateway.on_time(now);
    run();
    const std::vector<std::string> part = take();
    EXPECT_LE(part.size(), Gateway::kAnnouncedInATurn);
    announced += static_cast<std::size_t>(std::count_if(
        part.begin(), part.end(), [](const std::string& one) { return one.rfind("announce 20.", 0) == 0; }));
  }
  EXPECT_EQ(turns, 2U);
  EXPECT_EQ(announced, kMany - 1);
  EXPECT_EQ(gateway.announcements().own().size(), kMany);
}

TEST_F(GatewayTest, AConfigurationThatWasSharedStaysAsItWasWhenSomethingIsSaved) {
  const Running running = gateway.running();
  Saved saved;
  saved.peers["10.0.0.1"] = {false, true};
  feed(input::Save{saved});
  EXPECT_FALSE(gateway.config().peers.at("10.0.0.1").options.enabled);
  EXPECT_TRUE(running.config->peers.at("10.0.0.1").options.enabled);
  EXPECT_EQ(gateway.config().saved, saved);
}

TEST_F(GatewayTest, AStopEndsTheDrillAndLeavesOrRemovesWhatIsInTheKernel) {
  feed(input::StartDrill{"a", 10s});
  advance_to(now + 600ms);
  take();
  feed(input::Stop{});
  EXPECT_THAT(take(), ElementsAre("interface a up", "transport 1 up", "end, keep"));
  EXPECT_FALSE(gateway.forwards());
  EXPECT_EQ(gateway.next_deadline(), minibgp::kNever);
  feed(input::Stop{});
  EXPECT_THAT(take(), IsEmpty()) << "once";
}

}  // namespace
}  // namespace bgplite
