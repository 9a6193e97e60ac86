// Options that change while a peer is up, away or idle: routes end as if the options had been there from the start.
#include <bgp/wire/numbers.h>
#include <tests/support/policy_builder.h>
#include <tests/unit/speaker/raw_peer.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace minibgp::speaker {
namespace {

using namespace std::chrono_literals;
using ::testing::IsEmpty;

const Prefix kOffered = "203.0.113.0/24"_prefix;

void offer_graceful_restart(wire::Open& open) {
  wire::GracefulRestartCapability capability;
  capability.restart_time_s = 60;
  capability.families = {true, false};
  capability.forwarding_preserved = {true, false};
  open.capabilities.graceful_restart = capability;
}

/// A peer that restarts: its routes are stale, it is away.
struct Away : ::testing::Test {
  Bench bench;

  RawPeer& come_and_go(std::uint32_t number, Asn asn, const PathAttributes& announced) {
    RawPeer& peer = bench.add(number, asn);
    peer.edit_open = offer_graceful_restart;
    bench.establish(peer);
    bench.announce(peer, announced, {kOffered});
    bench.end_of_rib(peer);
    bench.run_for(1min);
    bench.cut(peer);
    EXPECT_TRUE(bench.status(peer).stale);
    return peer;
  }
  void come_back(RawPeer& peer, const PathAttributes& announced) {
    bench.establish(peer);
    bench.announce(peer, announced, {kOffered});
    bench.end_of_rib(peer);
  }
  void update(RawPeer& peer, const std::function<void(PeerOptions&)>& edit) {
    edit(peer.options);
    ASSERT_TRUE(bench.engine.update_peer(peer.id, peer.options, bench.now).has_value());
    bench.pump();
  }
  [[nodiscard]] static PathAttributes internal(const char* path, std::uint32_t next_hop) {
    PathAttributes attributes;
    attributes.as_path = *parse_as_path(path);
    attributes.next_hop.address = IpAddress::v4(0xC0000200U + next_hop);
    attributes.local_pref = 100;
    return attributes;
  }
};
using OptionsOfAPeerThatIsAway = Away;

TEST_F(OptionsOfAPeerThatIsAway, ReflectionBeginsWithTheRoutesThatAreKept) {
  RawPeer& other = bench.add(2, Asn{65000});
  bench.establish(other);
  const PathAttributes route = internal("65009", 1);
  RawPeer& peer = come_and_go(1, Asn{65000}, route);
  EXPECT_THAT(other.heard, IsEmpty());
  update(peer, [](PeerOptions& options) { options.route_reflector_client = true; });
  EXPECT_TRUE(other.heard.contains(kOffered)) << "while the peer is away";
  come_back(peer, route);
  EXPECT_TRUE(other.heard.contains(kOffered));
  RawPeer& late = bench.add(3, Asn{65000});
  bench.establish(late);
  EXPECT_TRUE(late.heard.contains(kOffered));
}

TEST_F(OptionsOfAPeerThatIsAway, LocalPrefIsThatOfTheRoutesThatAreKept) {
  RawPeer& other = bench.add(2, Asn{65002});
  bench.establish(other);
  bench.announce(other, route_of(other, "65002"), {kOffered});
  RawPeer& peer = bench.add(1, Asn{65001});
  const PathAttributes route = route_of(peer, "65001 65003");
  peer.edit_open = offer_graceful_restart;
  bench.establish(peer);
  bench.announce(peer, route, {kOffered});
  bench.end_of_rib(peer);
  bench.run_for(1min);
  bench.cut(peer);
  ASSERT_EQ(bench.best.at(kOffered)[0].peer, other.id);
  update(peer, [](PeerOptions& options) { options.default_local_pref = 200; });
  EXPECT_EQ(bench.best.at(kOffered)[0].peer, peer.id) << "while the peer is away";
  come_back(peer, route);
  EXPECT_EQ(bench.best.at(kOffered)[0].peer, peer.id);
}

TEST_F(OptionsOfAPeerThatIsAway, ItsIdentifierMayBeAnotherWhenItIsBack) {
  RawPeer& other = bench.add(2, Asn{65002});
  bench.establish(other);
  bench.announce(other, route_of(other, "65002"), {kOffered});
  RawPeer& peer = bench.add(1, Asn{65001});
  const auto with_id = [](std::uint32_t id) {
    return [id](wire::Open& open) {
      offer_graceful_restart(open);
      open.router_id = RouterId{id};
    };
  };
  peer.edit_open = with_id(999);
  bench.establish(peer);
  bench.announce(peer, route_of(peer, "65001"), {kOffered});
  bench.end_of_rib(peer);
  bench.run_for(1min);
  ASSERT_EQ(bench.best.at(kOffered)[0].peer, other.id);
  bench.cut(peer);
  peer.edit_open = with_id(1);
  come_back(peer, route_of(peer, "65001"));
  EXPECT_EQ(bench.best.at(kOffered)[0].peer, peer.id);
}

TEST_F(OptionsOfAPeerThatIsAway, OurIdentifierChangesWhatIsALoop) {
  PathAttributes route = internal("65009", 1);
  route.originator_id = RouterId{0x0A000002};
  RawPeer& peer = come_and_go(1, Asn{65000}, route);
  ASSERT_TRUE(bench.best.contains(kOffered));
  SpeakerOptions options = bench.engine.options();
  options.router_id = RouterId{0x0A000002};
  static_cast<void>(bench.engine.set_options(options, bench.now));
  bench.pump();
  EXPECT_THAT(bench.best, IsEmpty()) << "the route is ours";
  come_back(peer, route);
  EXPECT_THAT(bench.best, IsEmpty());
}

TEST_F(OptionsOfAPeerThatIsAway, APolicyThatRefusesRemovesWhatIsKept) {
  RawPeer& peer = come_and_go(1, Asn{65001}, internal("65001", 1));
  update(peer, [](PeerOptions& options) { options.import_policy = Policy::reject_all(); });
  EXPECT_THAT(bench.best, IsEmpty());
}

TEST_F(OptionsOfAPeerThatIsAway, WithoutGracefulRestartNothingIsKept) {
  RawPeer& peer = come_and_go(1, Asn{65001}, internal("65001", 1));
  update(peer, [](PeerOptions& options) { options.graceful_restart = GracefulRestart::off; });
  EXPECT_THAT(bench.best, IsEmpty());
  EXPECT_FALSE(bench.status(peer).stale);
}

TEST_F(OptionsOfAPeerThatIsAway, AnotherAddressIsAnotherPeer) {
  RawPeer& peer = come_and_go(1, Asn{65001}, internal("65001", 1));
  update(peer, [](PeerOptions& options) { options.address = "192.0.2.77"_ip; });
  EXPECT_THAT(bench.best, IsEmpty());
}

TEST_F(OptionsOfAPeerThatIsAway, AFamilyThatIsNotWantedAnyMoreIsNotKept) {
  RawPeer& peer = come_and_go(1, Asn{65001}, internal("65001", 1));
  update(peer, [](PeerOptions& options) { options.families = {false, true}; });
  EXPECT_THAT(bench.best, IsEmpty());
}

TEST_F(OptionsOfAPeerThatIsAway, ANewHoldTimeLeavesWhatIsKept) {
  RawPeer& peer = come_and_go(1, Asn{65001}, internal("65001", 1));
  update(peer, [](PeerOptions& options) { options.timers.hold_s = 30; });
  EXPECT_TRUE(bench.best.contains(kOffered));
}

TEST_F(OptionsOfAPeerThatIsAway, AnAddressToProtectIsLookedForInWhatIsKept) {
  RawPeer& peer = bench.add(1, Asn{65001}, [](PeerOptions& options) {
    options.import_policy = testing::accepting(match::CoversIkeEndpoint{false});
  });
  peer.edit_open = offer_graceful_restart;
  bench.establish(peer);
  bench.announce(peer, route_of(peer, "65001"), {kOffered});
  bench.end_of_rib(peer);
  bench.run_for(1min);
  bench.cut(peer);
  ASSERT_TRUE(bench.best.contains(kOffered));
  bench.engine.set_protected_addresses({"203.0.113.7"_ip}, bench.now);
  bench.pump();
  EXPECT_THAT(bench.best, IsEmpty());
}

TEST_F(OptionsOfAPeerThatIsAway, AnotherLimitOrTimerLeavesWhatIsKept) {
  RawPeer& peer = come_and_go(1, Asn{65001}, internal("65001", 1));
  update(peer, [](PeerOptions& options) {
    options.import_limit.max = 5;
    options.timers.connect_retry_s = 9;
    options.restart_time_s = 60;
  });
  EXPECT_TRUE(bench.best.contains(kOffered));
  come_back(peer, internal("65001", 1));
  EXPECT_TRUE(bench.best.contains(kOffered));
  EXPECT_FALSE(bench.status(peer).stale);
}

struct AnUpPeer : ::testing::Test {
  Bench bench{
      {.asn = Asn{65000}, .router_id = RouterId{0x0A000001}, .maximum_paths = 2, .multipath = Multipath::relax}};
  RawPeer& peer = bench.add(1, Asn{65001});
  RawPeer& other = bench.add(2, Asn{65002});
};
using OptionsOfAPeerThatIsUp = AnUpPeer;

TEST_F(OptionsOfAPeerThatIsUp, ItsWeightIsUsedAtOnce) {
  bench.establish(peer);
  bench.establish(other);
  bench.announce(peer, route_of(peer, "65001"), {kOffered});
  bench.announce(other, route_of(other, "65002"), {kOffered});
  ASSERT_EQ(bench.best.at(kOffered).size(), 2U);
  peer.options.ecmp_weight = 7;
  ASSERT_TRUE(bench.engine.update_peer(peer.id, peer.options, bench.now).has_value());
  bench.pump();
  for (const BestPath& path : bench.best.at(kOffered)) EXPECT_EQ(path.weight, path.peer == peer.id ? 7 : 1);
  EXPECT_TRUE(bench.established(peer));
}

TEST_F(OptionsOfAPeerThatIsUp, AFirstAsThatIsNotThePeersIsTakenOnceThatIsAllowedAndRefusedOnceItIsNot) {
  bench.establish(peer);
  bench.announce(peer, route_of(peer, "65002 65001"), {kOffered});
  ASSERT_THAT(bench.best, IsEmpty());
  peer.options.enforce_first_as = false;
  ASSERT_TRUE(bench.engine.update_peer(peer.id, peer.options, bench.now).has_value());
  bench.pump();
  EXPECT_TRUE(bench.best.contains(kOffered)) << "without a word of the peer";
  peer.options.enforce_first_as = true;
  ASSERT_TRUE(bench.engine.update_peer(peer.id, peer.options, bench.now).has_value());
  bench.pump();
  EXPECT_THAT(bench.best, IsEmpty());
}

TEST_F(OptionsOfAPeerThatIsUp, WhatIsInForceAlreadyResetsNothing) {
  bench.establish(peer);
  peer.options.timers.keepalive_s = 30;           // A third of 90 s.
  peer.options.timers.send_hold_s = 480;          // The least there is.
  peer.options.tcp_user_timeout_ms = 90'000;      // The hold time.
  peer.options.local_as = Asn{65000};             // Ours.
  peer.options.local_address = "192.0.2.254"_ip;  // As the session has it.
  peer.options.ttl = 1;                           // As to every eBGP peer.
  ASSERT_TRUE(bench.engine.update_peer(peer.id, peer.options, bench.now).has_value());
  bench.pump();
  EXPECT_TRUE(bench.established(peer));
  peer.options.timers.keepalive_s = 10;
  peer.options.timers.send_hold_s = 600;
  peer.options.local_address = {};
  ASSERT_TRUE(bench.engine.update_peer(peer.id, peer.options, bench.now).has_value());
  bench.pump();
  EXPECT_TRUE(bench.established(peer)) << "timers of our own need no new session";
}

TEST_F(OptionsOfAPeerThatIsUp, TheKeepaliveTimerRunsByTheNewInterval) {
  peer.edit_open = [](wire::Open& open) { open.hold_time_s = 90; };
  bench.establish(peer);
  const auto sent = [&] { return bench.status(peer).counters.keepalives_sent; };
  peer.options.timers.keepalive_s = 5;
  ASSERT_TRUE(bench.engine.update_peer(peer.id, peer.options, bench.now).has_value());
  const auto before = sent();
  bench.run_for(60s);
  EXPECT_GE(sent() - before, 11U);
  EXPECT_TRUE(bench.established(peer));
  EXPECT_EQ(bench.status(peer).keepalive_s, 5);
}

PeerOptions plain_peer() {
  PeerOptions options;
  options.address = "192.0.2.1"_ip;
  options.remote_as = Asn{65001};
  return options;
}

TEST(InvalidOptions, OfTheSpeakerTakeNoPeers) {
  const SpeakerOptions good{.asn = Asn{65000}, .router_id = RouterId{1}};
  const auto takes_peers = [](const SpeakerOptions& options) {
    Engine engine{options, nullptr, Time{}};
    const bool added = engine.add_peer(plain_peer(), Time{}).has_value();
    EXPECT_EQ(engine.poll().has_value(), added) << "nothing is dialed";
    return added;
  };
  EXPECT_TRUE(takes_peers(good));
  EXPECT_FALSE(takes_peers(SpeakerOptions{}));
  for (const auto& spoil : std::vector<std::function<void(SpeakerOptions&)>>{
           [](SpeakerOptions& o) { o.asn = Asn{0}; }, [](SpeakerOptions& o) { o.asn = Asn{23456}; },
           [](SpeakerOptions& o) { o.router_id = RouterId{0}; }, [](SpeakerOptions& o) { o.maximum_paths = 0; },
           [](SpeakerOptions& o) { o.maximum_paths = 65; }}) {
    SpeakerOptions bad = good;
    spoil(bad);
    EXPECT_FALSE(takes_peers(bad));
  }
}

TEST(InvalidOptions, OfAPeerAreRefusedAndChangeNothing) {
  Bench bench;
  RawPeer& peer = bench.add(1, Asn{65001});
  bench.establish(peer);
  for (const auto& spoil : std::vector<std::function<void(PeerOptions&)>>{
           [](PeerOptions& o) {
             o.families = {false, false};
           },
           [](PeerOptions& o) { o.remote_as = Asn{0}; }, [](PeerOptions& o) { o.local_as = Asn{23456}; },
           [](PeerOptions& o) { o.address = {}; }, [](PeerOptions& o) { o.address = "224.0.0.5"_ip; },
           [](PeerOptions& o) { o.address = "::ffff:192.0.2.1"_ip; }, [](PeerOptions& o) { o.address = "fe80::1"_ip; },
           [](PeerOptions& o) { o.local_address = "2001:db8::1"_ip; }, [](PeerOptions& o) { o.timers.hold_s = 2; },
           [](PeerOptions& o) { o.restart_time_s = 4096; }, [](PeerOptions& o) { o.ttl_security_hops = 255; },
           [](PeerOptions& o) { o.ecmp_weight = 0; }, [](PeerOptions& o) { o.import_limit.max = 0; },
           [](PeerOptions& o) { o.md5_key = Secret{std::string(81, 'k')}; }}) {
    PeerOptions bad = peer.options;
    spoil(bad);
    EXPECT_FALSE(bench.engine.update_peer(peer.id, bad, bench.now).has_value());
    EXPECT_EQ(*bench.engine.options_of(peer.id), peer.options);
    if (bad.address == peer.options.address) bad.address = "192.0.2.9"_ip;
    EXPECT_FALSE(bench.engine.add_peer(bad, bench.now).has_value());
  }
  bench.pump();
  EXPECT_TRUE(bench.established(peer));
}

/// 203.0.113.0/24 `count` times, with identifiers from `first` on (RFC 7911).
std::vector<std::uint8_t> paths(std::uint32_t first, std::uint32_t count) {
  std::vector<std::uint8_t> octets =
      "ffffffffffffffffffffffffffffffff 0000 02 0000 0014 40010100 40020602010000fde9 400304c0000201"_hex;
  for (std::uint32_t id = first; id < first + count; ++id) {
    for (const unsigned shift : {24U, 16U, 8U, 0U}) octets.push_back(static_cast<std::uint8_t>(id >> shift));
    octets.insert(octets.end(), {24, 203, 0, 113});
  }
  octets[16] = static_cast<std::uint8_t>(octets.size() >> 8U);
  octets[17] = static_cast<std::uint8_t>(octets.size());
  return octets;
}

struct ManyPaths : ::testing::Test {
  Bench bench;
  RawPeer& add(const std::function<void(PeerOptions&)>& edit = [](PeerOptions&) {}) {
    RawPeer& peer = bench.add(1, Asn{65001}, [&](PeerOptions& options) {
      options.add_path_receive = true;
      edit(options);
    });
    peer.edit_open = [](wire::Open& open) { open.capabilities.add_path[0] = 2; };
    bench.establish(peer);
    return peer;
  }
};

TEST_F(ManyPaths, OfOnePrefixEndTheSessionAtALimit) {
  RawPeer& peer = add();
  bench.say(peer, paths(0, 250));
  EXPECT_TRUE(bench.established(peer));
  EXPECT_EQ(bench.status(peer).prefixes_received, 250U);
  for (std::uint32_t first = 250; first < 70'000 && !peer.closed; first += 250) bench.say(peer, paths(first, 250));
  ASSERT_TRUE(peer.notification.has_value());
  EXPECT_EQ(peer.notification->code, wire::notify::kCease);
  EXPECT_EQ(peer.notification->subcode, wire::notify::kMaxPrefixes);
  EXPECT_EQ(bench.status(peer).last_down, DownReason::prefix_limit);
  EXPECT_THAT(bench.best, IsEmpty());
}

TEST_F(ManyPaths, CountEachTowardTheImportLimit) {
  RawPeer& peer = add([](PeerOptions& options) { options.import_limit.max = 10; });
  bench.say(peer, paths(0, 10));
  EXPECT_TRUE(bench.established(peer));
  bench.say(peer, paths(10, 1));
  ASSERT_TRUE(peer.notification.has_value());
  EXPECT_EQ(peer.notification->subcode, wire::notify::kMaxPrefixes);
}

TEST(UnusedAttributes, AMalformedOneReachesNoOtherPeer) {  // RFC 7606 s.7.15
  Bench bench;
  RawPeer& peer = bench.add(1, Asn{65001});
  RawPeer& other = bench.add(2, Asn{65002});
  bench.establish(peer);
  bench.establish(other);
  const auto announce_with = [&](std::vector<std::uint8_t> attribute) {
    std::vector<std::uint8_t> octets =
        "ffffffffffffffffffffffffffffffff 0000 02 0000 0000 40010100 40020602010000fde9 400304c0000201"_hex;
    octets.insert(octets.end(), attribute.begin(), attribute.end());
    octets[22] = static_cast<std::uint8_t>(octets.size() - 23);
    octets.insert(octets.end(), {24, 203, 0, 113});
    octets[17] = static_cast<std::uint8_t>(octets.size());
    bench.say(peer, octets);
  };
  const auto communities = [](std::uint8_t flags, std::uint8_t size) {
    std::vector<std::uint8_t> octets{flags, 25, size};
    octets.resize(3U + size, 1);
    return octets;
  };
  announce_with(communities(0xC0, 20));
  EXPECT_TRUE(other.heard.contains(kOffered));
  for (const auto& malformed : {communities(0xC0, 0), communities(0xC0, 21), communities(0x40, 20)}) {
    announce_with(communities(0xC0, 40));
    EXPECT_TRUE(other.heard.contains(kOffered));
    announce_with(malformed);
    EXPECT_FALSE(other.heard.contains(kOffered));
    EXPECT_TRUE(bench.established(peer));
    if (!bench.established(peer)) return;
  }
}

}  // namespace
}  // namespace minibgp::speaker
