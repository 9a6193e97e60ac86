/// Peers made of bytes around one Engine: they say what a test tells them to, read as much as it lets them, and keep
/// what they were told, decoded from the octets. Virtual time; no World, because a test here wants to see single
/// messages.
#pragma once

#include <bgp/base/assert.h>
#include <bgp/engine.h>
#include <bgp/policy.h>
#include <bgp/session/framer.h>
#include <bgp/wire/message.h>
#include <bgp/wire/notification.h>
#include <bgp/wire/open.h>
#include <bgp/wire/refresh.h>
#include <bgp/wire/update.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <testing/values.h>

namespace minibgp::speaker {

using namespace testing::literals;

struct RawPeer {
  PeerOptions options;
  PeerId id{};
  IpAddress local;  ///< Our address on its session.
  LinkAddresses link;
  std::function<void(wire::Open&)> edit_open = [](wire::Open&) {};
  std::optional<ConnId> conn;
  bool reads = true;  ///< false: what we send stays in our queue.
  bool closed = false;
  std::vector<std::uint8_t> unread;  ///< Of what we sent: the begin of a message.

  // What it heard since the session came up.
  std::map<Prefix, PathAttributes> heard;
  std::vector<std::pair<Prefix, bool>> changes;  ///< In order; true: announced.
  std::size_t updates = 0;
  std::vector<Family> end_of_rib;
  std::vector<wire::Refresh> refreshes;
  std::optional<wire::MessageError> notification;
  std::optional<wire::Open> open;
};

/// An engine and its raw peers.
class Bench {
 public:
  explicit Bench(SpeakerOptions options = {.asn = Asn{65000}, .router_id = RouterId{0x0A000001}},
                 LogSink* log = nullptr)
      : engine(options, log, now) {}

  /// Adds a peer that accepts everything both ways; `edit` changes its options first.
  RawPeer& add(
      std::uint32_t number, Asn asn, const std::function<void(PeerOptions&)>& edit = [](PeerOptions&) {}) {
    RawPeer& peer = peers[number];
    peer.options.address = IpAddress::v4(0xC0000200U + number);
    peer.options.remote_as = asn;
    peer.options.passive = true;
    peer.options.import_policy = peer.options.export_policy = Policy::accept_all();
    peer.local = "192.0.2.254"_ip;
    edit(peer.options);
    const auto id = engine.add_peer(peer.options, now);
    BGP_ASSERT(id.has_value());
    peer.id = *id;
    by_id[peer.id] = &peer;
    return peer;
  }

  /// Connects and says OPEN and KEEPALIVE. Pump::no: the engine has what was said, and no turn yet.
  enum class Pump : std::uint8_t { yes, no };
  void establish(RawPeer& peer, Pump afterwards = Pump::yes) {
    peer.conn = engine.on_accepted(peer.options.address, peer.local, {}, now);
    BGP_ASSERT(peer.conn.has_value());
    engine.set_link_addresses(*peer.conn, peer.link, now);
    peer.closed = false;
    peer.unread.clear();
    peer.heard.clear();
    peer.changes.clear();
    peer.end_of_rib.clear();
    peer.refreshes.clear();
    peer.notification.reset();
    wire::Open open;
    open.asn = peer.options.remote_as;
    open.asn_field = static_cast<std::uint16_t>(open.asn);
    open.hold_time_s = 0;  // Silence is no reason to end; edit_open() may say otherwise.
    open.router_id = RouterId{static_cast<std::uint32_t>(peer.id) + 100};
    open.capabilities.multiprotocol = peer.options.families;
    open.capabilities.any_multiprotocol = true;
    open.capabilities.four_octet_as = open.asn;
    open.capabilities.route_refresh = true;
    peer.edit_open(open);
    std::vector<std::uint8_t> octets;
    wire::encode_open(open, octets);
    wire::encode_keepalive(octets);
    pump();
    if (afterwards == Pump::yes) return say(peer, octets);
    engine.on_received(*peer.conn, octets, now);
  }
  void say(RawPeer& peer, const std::vector<std::uint8_t>& octets) {
    if (peer.conn) engine.on_received(*peer.conn, octets, now);
    pump();
  }
  void announce(RawPeer& peer, const PathAttributes& attributes, const std::vector<Prefix>& prefixes) {
    announce_in(peer, attributes, prefixes, wire::kMaxMessage);
  }
  /// In messages of up to 65 535 octets (RFC 8654).
  void announce_extended(RawPeer& peer, const PathAttributes& attributes, const std::vector<Prefix>& prefixes) {
    announce_in(peer, attributes, prefixes, wire::kMaxExtendedMessage);
  }
  void announce_in(RawPeer& peer, const PathAttributes& attributes, const std::vector<Prefix>& prefixes,
                   std::size_t max_message) {
    const Family family = prefixes.front().family;
    wire::UpdateContext context;
    context.peer_type = type_of(peer);
    context.max_message = max_message;
    wire::EncodedAttributes encoded;
    wire::encode_attributes(attributes, family, context, encoded);
    std::vector<std::uint8_t> octets;
    for (std::size_t done = 0; done < prefixes.size();) {
      const auto result = wire::encode_announce(encoded, attributes.next_hop, family, std::span{prefixes}.subspan(done),
                                                context, octets);
      BGP_ASSERT(result.taken > 0);
      done += result.taken;
    }
    say(peer, octets);
  }
  void withdraw(RawPeer& peer, const std::vector<Prefix>& prefixes) {
    std::vector<std::uint8_t> octets;
    for (std::size_t done = 0; done < prefixes.size();)
      done += wire::encode_withdraw(prefixes.front().family, std::span{prefixes}.subspan(done), {}, octets);
    say(peer, octets);
  }
  void end_of_rib(RawPeer& peer, Family family = Family::ipv4) {
    std::vector<std::uint8_t> octets;
    wire::encode_end_of_rib(family, octets);
    say(peer, octets);
  }
  void ask_again(RawPeer& peer, wire::RefreshKind kind = wire::RefreshKind::request) {
    std::vector<std::uint8_t> octets;
    wire::encode_refresh(Family::ipv4, kind, octets);
    say(peer, octets);
  }
  /// The peer's end of the connection goes without a word.
  void cut(RawPeer& peer) {
    if (peer.conn) engine.on_closed(*std::exchange(peer.conn, std::nullopt), {}, now);
    pump();
  }
  void let_read(RawPeer& peer, bool reads) {
    peer.reads = reads;
    if (reads) read_all(peer);
    pump();
  }

  /// Everything that is due now, until nothing is left to do. An engine that asks for turns without end is stopped, and
  /// turns_at_most says so.
  void pump() {
    constexpr std::size_t kEnough = 100'000;
    for (std::size_t turns = 0; turns < kEnough; ++turns) {
      turns_at_most = std::max(turns_at_most, turns);
      while (const auto output = engine.poll()) take(*output);
      if (engine.next_deadline() > now) return;
      engine.on_time(now);
    }
  }
  void run_for(Duration duration) {
    const Time until = now + duration;
    while (engine.next_deadline() <= until) {
      now = std::max(now, engine.next_deadline());
      engine.on_time(now);
      pump();
    }
    now = until;
    engine.on_time(now);
    pump();
  }
  [[nodiscard]] PeerStatus status(const RawPeer& peer) const { return *engine.peer(peer.id); }
  [[nodiscard]] bool established(const RawPeer& peer) const { return status(peer).state == PeerState::established; }
  /// Export groups that exist.
  [[nodiscard]] std::size_t groups() const { return memory("told to peers"); }
  [[nodiscard]] std::size_t attribute_sets() const { return memory("attributes"); }

  Time now{std::chrono::hours{1}};
  Engine engine;
  std::map<std::uint32_t, RawPeer> peers;
  std::map<PeerId, RawPeer*> by_id;
  std::map<Prefix, std::vector<BestPath>> best;  ///< What a FIB would hold.
  std::map<Prefix, LocalAttributes> local;
  std::vector<PeerChanged> peer_changes;
  std::vector<EndOfRib> ends_of_rib;
  std::vector<std::size_t> best_at_end_of_rib;  ///< Prefixes that `best` held when each of them came.
  std::vector<Prefix> lost;                     ///< Prefixes that were left without a path, in order.
  std::vector<Dial> dials;
  std::size_t best_batches = 0;
  std::size_t turns_at_most = 0;  ///< That the engine asked for after one input.
  bool restart_complete = false, best_before_complete = false;
  std::vector<NextHopInterest> interests;

 private:
  [[nodiscard]] std::size_t memory(std::string_view what) const {
    for (const MemoryUse& use : engine.memory())
      if (use.what == what) return use.count;
    return 0;
  }
  [[nodiscard]] RawPeer* peer_of(ConnId conn) {
    for (auto& [number, peer] : peers)
      if (peer.conn == conn) return &peer;
    return nullptr;
  }

  [[nodiscard]] PeerType type_of(const RawPeer& peer) const {
    const Asn ours = peer.options.local_as.value_or(engine.options().asn);
    return peer.options.remote_as == ours ? PeerType::ibgp : PeerType::ebgp;
  }

  void take(const Output& output) {
    if (const auto* write = std::get_if<Write>(&output)) {
      RawPeer* const peer = peer_of(write->conn);
      if (peer != nullptr && peer->reads) read_all(*peer);
    } else if (const auto* close = std::get_if<Close>(&output)) {
      if (RawPeer* const peer = peer_of(close->conn)) {
        if (close->how == Close::How::flush) read_all(*peer);
        peer->closed = true;
        peer->conn.reset();
      }
    } else if (const auto* changed = std::get_if<PeerChanged>(&output)) {
      peer_changes.push_back(*changed);
    } else if (const auto* end = std::get_if<EndOfRib>(&output)) {
      ends_of_rib.push_back(*end);
      best_at_end_of_rib.push_back(best.size());
    } else if (const auto* dial = std::get_if<Dial>(&output)) {
      dials.push_back(*dial);
    } else if (const auto* interest = std::get_if<NextHopInterest>(&output)) {
      interests.push_back(*interest);
    } else if (std::holds_alternative<RestartComplete>(output)) {
      BGP_ASSERT(!restart_complete);
      restart_complete = true;
      best_before_complete = !best.empty();
    } else if (const auto* batch = std::get_if<BestChanged>(&output)) {
      ++best_batches;
      for (const BestChange& change : batch->changes) {
        best.erase(change.prefix);
        local.erase(change.prefix);
        if (change.paths.empty()) lost.push_back(change.prefix);
        if (change.paths.empty()) continue;
        best[change.prefix] = {change.paths.begin(), change.paths.end()};
        local[change.prefix] = *change.local;
      }
    }
  }

  void read_all(RawPeer& peer) {
    if (!peer.conn) return;
    for (Bytes bytes = engine.outgoing(*peer.conn); !bytes.empty(); bytes = engine.outgoing(*peer.conn)) {
      peer.unread.insert(peer.unread.end(), bytes.begin(), bytes.end());
      engine.on_sent(*peer.conn, bytes.size(), now);
    }
    std::size_t at = 0;
    while (peer.unread.size() - at >= wire::kHeaderSize) {
      const std::size_t length = std::size_t{peer.unread[at + 16]} << 8U | peer.unread[at + 17];
      if (peer.unread.size() - at < length) break;
      const Bytes body = Bytes{peer.unread}.subspan(at + wire::kHeaderSize, length - wire::kHeaderSize);
      hear(peer, static_cast<wire::MessageType>(peer.unread[at + 18]), body);
      at += length;
    }
    peer.unread.erase(peer.unread.begin(), peer.unread.begin() + static_cast<std::ptrdiff_t>(at));
  }

  void hear(RawPeer& peer, wire::MessageType type, Bytes body) {
    if (type == wire::MessageType::notification) peer.notification = wire::decode_notification(body);
    if (type == wire::MessageType::open) peer.open = *wire::decode_open(body);
    if (type == wire::MessageType::route_refresh) peer.refreshes.push_back(*wire::decode_refresh(body));
    if (type != wire::MessageType::update) return;
    ++peer.updates;
    wire::UpdateContext context;
    context.peer_type = type_of(peer);
    context.ipv4_over_ipv6_next_hop = peer.options.extended_next_hop;
    wire::Update update;
    wire::decode_update(body, context, update);
    BGP_ASSERT(update.severity == wire::Severity::none);
    if (update.end_of_rib) peer.end_of_rib.push_back(*update.end_of_rib);
    for (const wire::Nlri& nlri : update.withdrawn) {
      peer.heard.erase(nlri.prefix);
      peer.changes.emplace_back(nlri.prefix, false);
    }
    for (const wire::Nlri& nlri : update.announced) {
      peer.heard[nlri.prefix] = update.attributes;
      peer.changes.emplace_back(nlri.prefix, true);
    }
    update.attributes.next_hop = update.mp_next_hop;
    for (const wire::Nlri& nlri : update.mp_announced) {
      peer.heard[nlri.prefix] = update.attributes;
      peer.changes.emplace_back(nlri.prefix, true);
    }
  }
};

/// AS_PATH by text, next hop the peer's own.
[[nodiscard]] inline PathAttributes route_of(const RawPeer& peer, const char* path) {
  PathAttributes attributes;
  attributes.as_path = *parse_as_path(path);
  attributes.next_hop.address = peer.options.address;
  return attributes;
}

}  // namespace minibgp::speaker
