// What each peer was told, decoded from the octets, equals what a naive model says it should have been told, after any
// sequence of announcements, withdrawals, sessions that come and go, refreshes, peers that stop reading, and changes of
// policy; and nothing is kept when everything was withdrawn.
#include <tests/unit/speaker/raw_peer.h>

#include <map>
#include <vector>

#include <gtest/gtest.h>
#include <testing/random.h>

namespace minibgp::speaker {
namespace {

using testing::Random;
using testing::Seed;

constexpr std::uint32_t kPeers = 7;

/// Peers 1 to 5 are external, 6 and 7 internal; two of our addresses are in use.
Asn as_of(std::uint32_t number) { return Asn{number <= 5 ? 65000 + number : 65000}; }

/// What a peer must have heard of a path, by the rules of RFC 4271 s.5 and 9.
PathAttributes outgoing(const PathAttributes& accepted, const RawPeer& to, bool from_external) {
  PathAttributes sent = accepted;
  sent.local = {};
  if (to.options.remote_as != Asn{65000}) {
    sent.as_path.prepend(Asn{65000});
    sent.med.reset();
    sent.local_pref.reset();
    sent.next_hop = {to.local, {}};
    return sent;
  }
  if (!sent.local_pref) sent.local_pref = 100;
  if (from_external) sent.next_hop = {to.local, {}};
  return sent;
}

std::map<Prefix, PathAttributes> expected(const Bench& bench, const RawPeer& to) {
  std::map<Prefix, PathAttributes> told;
  if (to.options.export_policy == Policy::reject_all()) return told;
  for (const PathSnapshot& path : bench.engine.routes({})) {
    if (!path.best || path.peer == to.id) continue;
    bool from_external = true;
    if (path.peer != kLocalPeer) {
      const RawPeer& from = *bench.by_id.at(path.peer);
      from_external = from.options.remote_as != Asn{65000};
      if (!from_external && to.options.remote_as == Asn{65000}) continue;
    }
    told[path.prefix] = outgoing(*path.accepted, to, from_external);
  }
  return told;
}

PathAttributes random_attributes(Random& random, const RawPeer& from) {
  PathAttributes a;
  if (from.options.remote_as != Asn{65000}) a.as_path.append_sequence(from.options.remote_as);
  a.as_path.append_sequence(Asn{static_cast<std::uint32_t>(64496 + random.below(4))});
  if (random.one_in(2)) a.as_path.append_sequence(Asn{64510});
  if (random.one_in(3)) a.med = static_cast<std::uint32_t>(random.below(3));
  if (from.options.remote_as == Asn{65000}) a.local_pref = 100 + static_cast<std::uint32_t>(random.below(2));
  const std::size_t communities = random.below(3);
  for (std::size_t i = 0; i < communities; ++i)
    a.communities.push_back(Community{static_cast<std::uint32_t>(i * 1000 + random.below(900))});
  a.next_hop.address = from.options.address;
  return a;
}

std::vector<Prefix> random_prefixes(Random& random) {
  std::vector<Prefix> prefixes;
  const auto first = static_cast<std::uint32_t>(random.below(600));
  const auto count = static_cast<std::uint32_t>(1 + random.below(8));
  for (std::uint32_t i = first; i < first + count; ++i)
    prefixes.push_back(Prefix::of(IpAddress::v4(0x0A000000U + i * 256), 24));
  return prefixes;
}

class EveryPeerHearsTheTruth : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  EveryPeerHearsTheTruth() {
    for (std::uint32_t number = 1; number <= kPeers; ++number) {
      RawPeer& peer = bench.add(number, as_of(number));
      peer.local = IpAddress::v4(number % 2 == 0 ? 0xC00002FEU : 0xC00002FDU);
      peer.edit_open = [number](wire::Open& open) { open.capabilities.enhanced_refresh = number % 2 == 0; };
    }
  }
  [[nodiscard]] RawPeer& any(Random& random) {
    return bench.peers.at(1 + static_cast<std::uint32_t>(random.below(kPeers)));
  }

  void check() {
    for (auto& [number, peer] : bench.peers) bench.let_read(peer, true);
    for (const auto& [number, peer] : bench.peers) {
      if (!peer.conn) continue;
      ASSERT_TRUE(bench.established(peer));
      const auto truth = expected(bench, peer);
      ASSERT_EQ(peer.heard, truth) << "peer " << number;
      ASSERT_EQ(bench.status(peer).prefixes_announced, truth.size()) << "peer " << number;
    }
    // External, internal, and those who are told nothing: groups with equal rules are one again.
    ASSERT_LE(bench.groups(), 4U);
  }

  Bench bench;
};

TEST_P(EveryPeerHearsTheTruth, AfterAnySequenceOfChanges) {
  SCOPED_TRACE(::testing::Message() << "seed=" << GetParam());
  Random random{Seed{GetParam()}};
  for (int step = 0; step < 500; ++step) {
    RawPeer& peer = any(random);
    const bool flood = random.one_in(3);
    switch (random.below(16)) {
      case 0:
        if (peer.conn) break;
        bench.run_for(std::chrono::minutes{2});  // A peer that fell often is held off for a while.
        bench.establish(peer);
        break;
      case 1:
        if (random.one_in(4)) bench.cut(peer);
        break;
      case 2:
        if (peer.conn) bench.ask_again(peer);
        break;
      case 3:
        bench.let_read(peer, random.one_in(3));
        break;
      case 4: {
        if (!random.one_in(4)) break;
        peer.options.export_policy = random.one_in(2) ? Policy::reject_all() : Policy::accept_all();
        ASSERT_TRUE(bench.engine.update_peer(peer.id, peer.options, bench.now).has_value());
        bench.pump();
        break;
      }
      case 5: {
        const Prefix own = random_prefixes(random).front();
        if (random.one_in(2)) {
          bench.engine.announce(own, {}, bench.now);
        } else {
          bench.engine.withdraw(own, bench.now);
        }
        bench.pump();
        break;
      }
      case 6:
        // More than a megabyte at once: who does not read falls behind.
        for (int i = 0; peer.conn && flood && i < 350; ++i) {
          PathAttributes large = random_attributes(random, peer);
          large.communities.clear();
          for (std::uint32_t c = 0; c < 900; ++c)
            large.communities.push_back(Community{c * 1000 + static_cast<std::uint32_t>(random.below(900))});
          bench.announce(peer, large, random_prefixes(random));
        }
        break;
      case 7:
      case 8:
      case 9:
        if (peer.conn) bench.withdraw(peer, random_prefixes(random));
        break;
      default:
        if (peer.conn) bench.announce(peer, random_attributes(random, peer), random_prefixes(random));
    }
    if (random.one_in(60)) {
      ASSERT_NO_FATAL_FAILURE(check()) << "step " << step;
    }
  }
  ASSERT_NO_FATAL_FAILURE(check());

  // Everything goes: nothing is held, by nobody.
  for (auto& [number, peer] : bench.peers) bench.cut(peer);
  for (std::uint32_t i = 0; i < 700; ++i)
    bench.engine.withdraw(Prefix::of(IpAddress::v4(0x0A000000U + i * 256), 24), bench.now);
  bench.run_for(std::chrono::hours{1});  // Routes kept for a restart go too.
  EXPECT_EQ(bench.engine.route_count(), 0U);
  EXPECT_EQ(bench.attribute_sets(), 0U);
  EXPECT_EQ(bench.groups(), 0U);
  EXPECT_TRUE(bench.best.empty());
}
INSTANTIATE_TEST_SUITE_P(Seeds, EveryPeerHearsTheTruth, ::testing::Range<std::uint64_t>(1, 51));

}  // namespace
}  // namespace minibgp::speaker
