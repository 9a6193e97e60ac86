#include <bgp/base/assert.h>
#include <bgp/policy.h>
#include <bgp/wire/message.h>
#include <bgp/wire/open.h>
#include <bgp/wire/update.h>
#include <tests/bench/speaker/full_table.h>

#include <algorithm>
#include <random>
#include <span>
#include <unordered_set>
#include <utility>

namespace minibgp::bench {
namespace {

constexpr std::size_t kPiece = 65536;  // What one read of a socket brings.

struct Groups {
  std::vector<Prefix> prefixes;
  std::vector<std::size_t> begins;  ///< Of each group; one past the end last.
};

/// 3.66 prefixes per attribute set, between 1 and 40.
Groups make_groups(std::size_t count) {
  Groups groups;
  std::mt19937_64 random(42);
  std::unordered_set<Prefix> used;
  const auto length = [&]() -> std::uint8_t {
    const std::uint64_t draw = random() % 1000;
    if (draw < 610) return 24;
    if (draw < 710) return 23;
    if (draw < 810) return 22;
    if (draw < 865) return 21;
    if (draw < 919) return 20;
    return static_cast<std::uint8_t>(13 + random() % 7);
  };
  while (groups.prefixes.size() < count) {
    groups.begins.push_back(groups.prefixes.size());
    std::size_t size = 1;
    while (size < 40 && random() % 1000 < 727) ++size;
    for (; size > 0 && groups.prefixes.size() < count; --size) {
      for (;;) {
        const auto address = static_cast<std::uint32_t>((1U + random() % 222U) << 24U | (random() & 0xFFFFFFU));
        const Prefix prefix = Prefix::of(IpAddress::v4(address), length());
        if (!used.insert(prefix).second) continue;
        groups.prefixes.push_back(prefix);
        break;
      }
    }
  }
  groups.begins.push_back(groups.prefixes.size());
  return groups;
}

PathAttributes make_attributes(std::mt19937_64& random, const TableOptions& options) {
  PathAttributes attributes;
  attributes.as_path.append_sequence(options.first_as);
  for (std::size_t hops = random() % 7; hops > 0; --hops)
    attributes.as_path.append_sequence(Asn{static_cast<std::uint32_t>(1000 + random() % 60000)});
  attributes.next_hop.address = options.next_hop;
  if (random() % 2 == 0) {
    for (std::size_t n = 1 + random() % 6; n > 0; --n)
      attributes.communities.push_back(Community{static_cast<std::uint32_t>(random() % 0xFF000000U)});
    std::sort(attributes.communities.begin(), attributes.communities.end());
  }
  if (random() % 20 == 0) attributes.med = static_cast<std::uint32_t>(random() % 1000);
  return attributes;
}

}  // namespace

std::vector<std::uint8_t> make_stream(const TableOptions& options) {
  const Groups groups = make_groups(options.prefixes);
  std::vector<std::size_t> order(groups.begins.size() - 1);
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  if (options.order_seed != 0) std::shuffle(order.begin(), order.end(), std::mt19937_64(options.order_seed));
  const wire::UpdateContext context;
  wire::EncodedAttributes encoded;
  std::vector<std::uint8_t> out;
  for (const std::size_t group : order) {
    std::mt19937_64 random(options.attribute_seed * 1000003 + group);
    const PathAttributes attributes = make_attributes(random, options);
    wire::encode_attributes(attributes, Family::ipv4, context, encoded);
    const auto prefixes =
        std::span{groups.prefixes}.subspan(groups.begins[group], groups.begins[group + 1] - groups.begins[group]);
    const auto result = wire::encode_announce(encoded, attributes.next_hop, Family::ipv4, prefixes, context, out);
    BGP_ASSERT(result.taken == prefixes.size());
  }
  wire::encode_end_of_rib(Family::ipv4, out);
  return out;
}

std::vector<std::uint8_t> make_withdrawal(const TableOptions& options) {
  const Groups groups = make_groups(options.prefixes);
  std::vector<std::uint8_t> out;
  for (std::size_t done = 0; done < groups.prefixes.size();)
    done += wire::encode_withdraw(Family::ipv4, std::span{groups.prefixes}.subspan(done), {}, out);
  return out;
}

Bed::Bed(std::size_t senders, std::size_t receivers, std::shared_ptr<const Policy> policy)
    : engine_(SpeakerOptions{.asn = Asn{65000}, .router_id = RouterId{0x0A090001}}, nullptr, Time{}) {
  for (std::uint32_t i = 0; i < senders + receivers; ++i) {
    PeerOptions options;
    options.address = IpAddress::v4(0x0A090101 + i);
    options.remote_as = Asn{65001 + i};
    options.passive = true;
    options.import_policy = options.export_policy = policy;
    const auto peer = engine_.add_peer(options, now_);
    BGP_ASSERT(peer.has_value());
    establish(*peer, options, i);
  }
}

void Bed::establish(PeerId, const PeerOptions& options, std::uint32_t number) {
  const auto conn = engine_.on_accepted(options.address, IpAddress::v4(0x0A090001), {}, now_);
  BGP_ASSERT(conn.has_value());
  conns_.push_back(*conn);
  wire::Open open;
  open.asn = options.remote_as;
  open.asn_field = static_cast<std::uint16_t>(options.remote_as);
  open.hold_time_s = 180;
  open.router_id = RouterId{0x01000001 + number};
  open.capabilities.multiprotocol = {true, false};
  open.capabilities.any_multiprotocol = true;
  open.capabilities.four_octet_as = options.remote_as;
  std::vector<std::uint8_t> octets;
  wire::encode_open(open, octets);
  wire::encode_keepalive(octets);
  pump();
  engine_.on_received(*conn, octets, now_);
  pump();
  BGP_ASSERT(engine_.peer(*engine_.peer_of(*conn))->state == PeerState::established);
}

void Bed::pump() {
  for (;;) {
    while (const auto output = engine_.poll()) {
      if (const auto* write = std::get_if<Write>(&*output)) {
        for (Bytes bytes = engine_.outgoing(write->conn); !bytes.empty(); bytes = engine_.outgoing(write->conn)) {
          octets_sent_ += bytes.size();
          engine_.on_sent(write->conn, bytes.size(), now_);
        }
      } else if (const auto* best = std::get_if<BestChanged>(&*output)) {
        best_changes_ += best->changes.size();
      }
    }
    if (engine_.next_deadline() > now_) return;
    engine_.on_time(now_);
  }
}

void Bed::play(const std::vector<std::vector<std::uint8_t>>& streams) {
  std::size_t longest = 0;
  for (const auto& stream : streams) longest = std::max(longest, stream.size());
  for (std::size_t at = 0; at < longest; at += kPiece) {
    for (std::size_t i = 0; i < streams.size(); ++i) {
      if (at >= streams[i].size()) continue;
      const Bytes piece = Bytes{streams[i]}.subspan(at, std::min(kPiece, streams[i].size() - at));
      engine_.on_received(conns_[i], piece, now_);
      pump();
    }
  }
}

}  // namespace minibgp::bench
