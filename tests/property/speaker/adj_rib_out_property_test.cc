// After any sequence of announcements whose attributes just fit a message or just do not, of prefixes of many lengths,
// of sessions that come and go, of limits and of addresses that change: what each peer holds, decoded from the octets,
// is what the engine says it announced, and what a fresh engine with the same inputs announces. Where an export limit
// makes the choice, it is a part of that, as large as the limit allows. No input makes the engine ask for turns without
// end.
#include <tests/unit/speaker/raw_peer.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include <gtest/gtest.h>
#include <testing/random.h>

namespace minibgp::speaker {
namespace {

using testing::Random;
using testing::Seed;

constexpr std::uint32_t kPeers = 9;

/// Peers 1 to 6 are external, 7 to 9 internal; one session runs over IPv6.
Asn as_of(std::uint32_t number) { return Asn{number <= 6 ? 65000 + number : 65000}; }
bool extended(std::uint32_t number) { return number % 3 == 0; }

void configure(std::uint32_t number, PeerOptions& options) {
  options.families = {true, true};
  if (number == 4) options.address = "2001:db8::4"_ip;
  if (number == 7) options.route_reflector_client = true;
  if (number == 8) options.next_hop_self = false;
}
RawPeer& add(Bench& bench, std::uint32_t number) {
  RawPeer& peer = bench.add(number, as_of(number), [&](PeerOptions& options) { configure(number, options); });
  peer.local = number == 4 ? "2001:db8::ff"_ip : "192.0.2.254"_ip;
  peer.edit_open = [number](wire::Open& open) { open.capabilities.extended_messages = extended(number); };
  return peer;
}

Prefix random_prefix(Random& random) {
  const auto value = static_cast<std::uint32_t>(random.below(40));
  if (random.one_in(3)) {
    IpAddress address = "2001:db8::"_ip;
    address.octets[5] = static_cast<std::uint8_t>(value);
    return Prefix::of(address, static_cast<std::uint8_t>(48 + 20 * random.below(5)));
  }
  return Prefix::of(IpAddress::v4(0x0A000000U + (value << 16U)), static_cast<std::uint8_t>(16 + random.below(17)));
}

/// Of any size; one in two lies around the limit of a message of 4096 octets.
PathAttributes random_attributes(Random& random, std::uint32_t number, Family family) {
  PathAttributes a;
  if (as_of(number) != Asn{65000}) a.as_path.append_sequence(as_of(number));
  const std::size_t hops = 1 + random.below(4);
  for (std::size_t i = 0; i < hops; ++i) a.as_path.append_sequence(Asn{64496 + number});
  if (as_of(number) == Asn{65000}) a.local_pref = 100;
  if (random.one_in(3)) a.med = 7;
  a.next_hop.address = family == Family::ipv4 ? IpAddress::v4(0xC0000200U + number) : "2001:db8:9::9"_ip;
  if (family == Family::ipv6) a.next_hop.address.octets[15] = static_cast<std::uint8_t>(number);
  if (random.one_in(3)) return a;
  UnknownAttribute unknown{0xC0, 200, {}};
  unknown.value.assign(random.one_in(3) ? random.below(9000) : 4000 + random.below(80), 7);
  a.unknown.push_back(unknown);
  // What its sender can send at all.
  const std::size_t max_message = extended(number) ? wire::kMaxExtendedMessage : wire::kMaxMessage;
  wire::UpdateContext context;
  context.max_message = max_message;
  context.peer_type = as_of(number) == Asn{65000} ? PeerType::ibgp : PeerType::ebgp;
  wire::EncodedAttributes encoded;
  for (;;) {
    wire::encode_attributes(a, family, context, encoded);
    const std::size_t room = wire::room_for_prefixes(encoded, a.next_hop, family, context);
    if (room >= wire::kMaxNlriSize) return a;
    auto& value = a.unknown.front().value;
    value.resize(value.size() - std::min<std::size_t>(value.size(), wire::kMaxNlriSize - room));
  }
}

using Routes = std::map<Prefix, PathAttributes>;

void say(Bench& bench, std::uint32_t number, const PathAttributes& attributes, const std::vector<Prefix>& prefixes) {
  RawPeer& peer = bench.peers.at(number);
  bench.announce_in(peer, attributes, prefixes, extended(number) ? wire::kMaxExtendedMessage : wire::kMaxMessage);
}

class AdjRibOutIsAValue : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  AdjRibOutIsAValue() {
    for (std::uint32_t number = 1; number <= kPeers; ++number) add(bench, number);
  }

  void check() {
    for (auto& [number, peer] : bench.peers) bench.let_read(peer, true);
    ASSERT_LT(bench.turns_at_most, 1000U) << "turns without end";
    const std::map<std::uint32_t, Routes> fresh = views_of_a_fresh_engine();
    for (const auto& [number, peer] : bench.peers) {
      SCOPED_TRACE(::testing::Message() << "peer " << number);
      if (!peer.conn) continue;
      ASSERT_TRUE(bench.established(peer));
      Routes announced;
      for (AnnouncedSnapshot& route : bench.engine.announced_to(peer.id, {})) {
        route.attributes.local = {};
        for (UnknownAttribute& unknown : route.attributes.unknown) unknown.flags |= 0x20;  // Partial.
        announced[route.prefix] = route.attributes;
      }
      ASSERT_TRUE(peer.heard == announced);
      const PeerStatus status = bench.status(peer);
      ASSERT_EQ(status.prefixes_announced, announced.size());
      std::array<std::uint32_t, kWithheldReasons> withheld{};
      for (const WithheldSnapshot& route : bench.engine.withheld_from(peer.id, {})) {
        ++withheld[static_cast<std::size_t>(route.why)];
        ASSERT_FALSE(announced.contains(route.prefix));
      }
      ASSERT_EQ(status.prefixes_withheld, withheld);

      const Routes& without_limit = fresh.at(number);
      const std::uint32_t limit = peer.options.export_limit.max;
      ASSERT_EQ(peer.heard.size(), std::min<std::size_t>(limit, without_limit.size())) << missing(peer, without_limit);
      for (const auto& [prefix, attributes] : peer.heard) {
        ASSERT_TRUE(without_limit.contains(prefix)) << to_text(prefix);
        ASSERT_TRUE(without_limit.at(prefix) == attributes) << to_text(prefix);
      }
    }
    std::set<std::uint32_t> alone;
    for (const auto& [number, peer] : bench.peers)
      if (peer.options.export_limit.max < 1000) alone.insert(number);
    ASSERT_LE(bench.groups(), 12U + alone.size()) << "groups with equal rules are one again";
  }

  /// The first prefix that one view has and the other has not, and its paths.
  [[nodiscard]] std::string missing(const RawPeer& peer, const Routes& fresh) const {
    std::string text;
    for (const auto& [prefix, attributes] : fresh) {
      if (peer.heard.contains(prefix)) continue;
      RouteFilter exact;
      exact.prefix = prefix;
      text = to_text(prefix) + " is missing; limit " + std::to_string(peer.options.export_limit.max) + ", peer " +
             std::to_string(static_cast<std::uint32_t>(peer.id)) + "; paths:";
      for (const PathSnapshot& path : bench.engine.routes(exact))
        text += " [peer " + std::to_string(static_cast<std::uint32_t>(path.peer)) + (path.best ? ", best, " : ", ") +
                path.rule + ", " + to_text(path.received.as_path) + "]";
      for (const WithheldSnapshot& route : bench.engine.withheld_from(peer.id, exact))
        text += std::string{" withheld: "} + std::string{to_text(route.why)};
      return text;
    }
    return text;
  }

  [[nodiscard]] std::map<std::uint32_t, Routes> views_of_a_fresh_engine() const {
    Bench fresh;
    for (std::uint32_t number = 1; number <= kPeers; ++number) {
      RawPeer& peer = add(fresh, number);
      peer.options = bench.peers.at(number).options;
      peer.options.export_limit = {};
      BGP_ASSERT(fresh.engine.update_peer(peer.id, peer.options, fresh.now).has_value());
      peer.link = bench.peers.at(number).link;
      if (bench.peers.at(number).conn) fresh.establish(peer);
    }
    for (const auto& [number, routes] : said) {
      if (!bench.peers.at(number).conn) continue;
      for (const auto& [prefix, attributes] : routes) say(fresh, number, attributes, {prefix});
    }
    for (const auto& [prefix, attributes] : own) fresh.engine.announce(prefix, attributes, fresh.now);
    fresh.pump();
    std::map<std::uint32_t, Routes> views;
    for (const auto& [number, peer] : fresh.peers) views[number] = peer.heard;
    return views;
  }

  Bench bench;
  std::map<std::uint32_t, Routes> said;  ///< What each connected peer announces.
  Routes own;
};

TEST_P(AdjRibOutIsAValue, AfterAnySequenceOfChanges) {
  SCOPED_TRACE(::testing::Message() << "seed=" << GetParam());
  Random random{Seed{GetParam()}};
  for (int step = 0; step < 300; ++step) {
    const auto number = 1 + static_cast<std::uint32_t>(random.below(kPeers));
    RawPeer& peer = bench.peers.at(number);
    switch (random.below(16)) {
      case 0:
      case 1:
        if (peer.conn) break;
        bench.run_for(std::chrono::minutes{2});  // A peer that fell often is held off for a while.
        said.erase(number);  // A session may have ended by itself: whoever does not read for long is given up.
        bench.establish(peer);
        break;
      case 2:
        if (!random.one_in(4)) break;
        bench.cut(peer);
        said.erase(number);
        break;
      case 3:
        bench.let_read(peer, random.one_in(3));
        break;
      case 4:
        peer.link = {random.one_in(2) ? IpAddress{} : IpAddress::v4(0xC6336401U),
                     random.one_in(2) ? IpAddress{} : "2001:db8:1::1"_ip, static_cast<std::uint32_t>(random.below(3))};
        if (peer.conn) bench.engine.set_link_addresses(*peer.conn, peer.link, bench.now);
        bench.pump();
        break;
      case 5:
        peer.options.export_limit.max = random.one_in(2) ? static_cast<std::uint32_t>(1 + random.below(11)) : 1'200'000;
        if (random.one_in(2)) peer.options.default_local_pref = 100 + static_cast<std::uint32_t>(random.below(2));
        if (random.one_in(4))
          peer.options.export_policy = random.one_in(2) ? Policy::reject_all() : Policy::accept_all();
        ASSERT_TRUE(bench.engine.update_peer(peer.id, peer.options, bench.now).has_value());
        bench.pump();
        break;
      case 6: {
        const Prefix prefix = random_prefix(random);
        if (random.one_in(2)) {
          own[prefix] = PathAttributes{};
          bench.engine.announce(prefix, {}, bench.now);
        } else {
          own.erase(prefix);
          bench.engine.withdraw(prefix, bench.now);
        }
        bench.pump();
        break;
      }
      case 7:
        if (peer.conn) bench.ask_again(peer);
        break;
      case 8:
      case 9: {
        if (!peer.conn || said[number].empty()) break;
        const auto gone = std::next(said[number].begin(), static_cast<long>(random.below(said[number].size())));
        const Prefix prefix = gone->first;
        said[number].erase(gone);
        bench.withdraw(peer, {prefix});
        break;
      }
      default: {
        if (!peer.conn) break;
        std::vector<Prefix> prefixes;
        const std::size_t count = 1 + random.below(6);
        const Family family = random_prefix(random).family;
        while (prefixes.size() < count)
          if (const Prefix prefix = random_prefix(random); prefix.family == family) prefixes.push_back(prefix);
        const PathAttributes attributes = random_attributes(random, number, family);
        for (const Prefix& prefix : prefixes) said[number][prefix] = attributes;
        say(bench, number, attributes, prefixes);
      }
    }
    if (random.one_in(40)) {
      ASSERT_NO_FATAL_FAILURE(check()) << "step " << step;
    }
  }
  ASSERT_NO_FATAL_FAILURE(check());
}
INSTANTIATE_TEST_SUITE_P(Seeds, AdjRibOutIsAValue, ::testing::Range<std::uint64_t>(1, 51));

}  // namespace
}  // namespace minibgp::speaker
