#include <bgp/decode.h>
#include <bgp/engine.h>
#include <bgp/policy.h>
#include <bgp/text.h>
#include <tests/support/engine_run.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace minibgp::testing {
namespace {

using std::chrono::seconds;

constexpr std::size_t kPeers = 6;
constexpr std::size_t kTurnsAtOnce = 3000;  ///< At one moment; a table of this size is worked through in far fewer.
constexpr Asn kOurAs{65000};
constexpr std::array kBothFamilies{Family::ipv4, Family::ipv6};

/// Hands out the program, and zeros behind its end.
struct Program {
  Bytes left;
  std::size_t below(std::size_t count) {
    if (left.empty()) return 0;
    const std::size_t first = left.front();
    left = left.subspan(1);
    return first % count;
  }
  bool one_in(std::size_t count) { return below(count) == 1; }
};

/// Prefixes of every length class: whether a route fits one message depends on it.
std::vector<Prefix> prefix_pool() {
  std::vector<Prefix> pool;
  for (std::uint32_t i = 0; i < 6; ++i) {
    pool.push_back(Prefix::of(IpAddress::v4(0x0A000000U + (i << 16U)), 16));
    pool.push_back(Prefix::of(IpAddress::v4(0x01020300U + i), 32));
  }
  pool.push_back(Prefix::of(IpAddress::v4(0x14000000U), 8));
  for (const char* text : {"2001:db8:a::/48", "2001:db8:b::1/128", "2001:db8::/32"})
    pool.push_back(parse_prefix(text).value());
  return pool;
}

/// What one peer is and has.
struct Peer {
  PeerOptions options;
  bool configured = true;
  PeerId id{};
  Capabilities capabilities;
  std::optional<ConnId> dial;  ///< We were asked to open it.
  std::optional<ConnId> conn;
  bool established = false;
  bool reads = true;
  std::vector<std::uint8_t> unread;
  bool retained = false;                       ///< Its session is lost, and its routes wait for it.
  Time retained_until{};                       ///< Not longer.
  Time since{};                                ///< Established.
  bool said_end = false;                       ///< End-of-RIB, in this session.
  std::map<Prefix, PathAttributes> announced;  ///< What it says now.
  std::set<Prefix> settled;                    ///< Of these, what must be in use at every moment.
  std::set<Prefix> said;                       ///< In this session.
  std::map<Prefix, PathAttributes> held;       ///< What it has of us.
};

[[nodiscard]] bool internal(const Peer& peer) { return peer.options.remote_as == kOurAs; }

DecodeOptions decode_options(const Peer& peer) {
  DecodeOptions options;
  options.peer_type = internal(peer) ? PeerType::ibgp : PeerType::ebgp;
  options.extended_messages = peer.options.extended_messages && peer.capabilities.extended_messages;
  return options;
}

/// The messages of one direction, cut from its octets.
void read_messages(Peer& peer, const DecodeOptions& options, std::string& problem) {
  std::size_t at = 0;
  while (at < peer.unread.size()) {
    const DecodedMessage message = decode_message(Bytes{peer.unread}.subspan(at), options);
    if (message.octets == 0) break;
    at += message.octets;
    if (message.verdict != MessageVerdict::ok) problem = "we sent a message that RFC 7606 finds fault with";
    const auto* update = std::get_if<UpdateMessage>(&message.value);
    if (update == nullptr) continue;
    for (const Nlri& nlri : update->withdrawn) peer.held.erase(nlri.prefix);
    PathAttributes attributes = update->attributes;
    for (const Nlri& nlri : update->announced) peer.held[nlri.prefix] = attributes;
    attributes.next_hop = update->mp_next_hop;
    for (const Nlri& nlri : update->mp_announced) peer.held[nlri.prefix] = attributes;
  }
  peer.unread.erase(peer.unread.begin(), peer.unread.begin() + static_cast<std::ptrdiff_t>(at));
}

OpenMessage open_of(const Peer& peer, std::size_t number) {
  OpenMessage open;
  open.asn = peer.options.remote_as;
  open.asn_field = static_cast<std::uint16_t>(open.asn);
  open.router_id = RouterId{static_cast<std::uint32_t>(100 + number)};
  open.capabilities = peer.capabilities;
  return open;
}

}  // namespace

class EngineRun::Impl {
 public:
  Impl(Bytes program, bool trace) : program_{program}, tracing_(trace), pool_(prefix_pool()) {
    options_.asn = kOurAs;
    options_.router_id = RouterId{0x0A000001};
    options_.maximum_paths = static_cast<std::uint8_t>(1 + program_.below(3));
    options_.multipath = static_cast<Multipath>(program_.below(3));
    options_.forwarding_preserved = program_.one_in(4);
    engine_ = std::make_unique<Engine>(options_, nullptr, now_);
    for (std::size_t i = 0; i < kPeers; ++i) configure(i);
  }

  std::string run() {
    while (problem_.empty() && !program_.left.empty()) {
      ++counts_.operations;
      operate();
      // Work that is left over meets the next operation half done, or is done.
      if (program_.one_in(3)) {
        turn();
        if (engine_->next_deadline() <= now_) step();
      } else {
        settle();
      }
    }
    if (problem_.empty()) compare();
    return problem_;
  }

  Counts counts_;
  std::vector<std::string> trace_;

 private:
  void note(const std::string& text) {
    if (tracing_) trace_.push_back(text);
  }
  void fail(const std::string& text) {
    if (problem_.empty()) problem_ = text;
  }
  [[nodiscard]] static std::string name(std::size_t number) { return "peer " + std::to_string(number); }
  [[nodiscard]] std::size_t number_of(const Peer& peer) const {
    return static_cast<std::size_t>(&peer - peers_.data());
  }

  // --- Peers -------------------------------------------------------------------------------------------------------

  void configure(std::size_t i) {
    Peer& peer = peers_[i];
    peer = {};
    PeerOptions& options = peer.options;
    const bool ipv6 = i >= 4;
    options.address = ipv6 ? parse_address("2001:db8:ffff::" + std::to_string(i + 1)).value()
                           : IpAddress::v4(0xC0000201U + static_cast<std::uint32_t>(i));
    // Two of them are in one AS, two are internal.
    constexpr std::array kAs{65001U, 65002U, 65002U, 65000U, 65004U, 65000U};
    options.remote_as = Asn{kAs[i]};
    options.passive = program_.one_in(2);
    options.extended_next_hop = ipv6;
    options.families = {true, ipv6};
    options.import_policy = options.export_policy = Policy::accept_all();
    options.import_limit.max = 1000;
    peer.capabilities.any_multiprotocol = true;
    peer.capabilities.multiprotocol = options.families;
    peer.capabilities.ipv4_over_ipv6_next_hop = ipv6;
    peer.capabilities.four_octet_as = options.remote_as;
    peer.capabilities.route_refresh = true;
    const std::size_t able = program_.below(8);
    peer.capabilities.enhanced_refresh = (able & 1U) != 0;
    peer.capabilities.extended_messages = (able & 2U) != 0;
    if ((able & 4U) != 0) {
      GracefulRestartCapability graceful;
      graceful.restart_time_s = 60;
      graceful.notification = program_.one_in(2);
      graceful.families = graceful.forwarding_preserved = options.families;
      peer.capabilities.graceful_restart = graceful;
    }
    vary(peer);
    const auto id = engine_->add_peer(options, now_);
    if (!id) return fail("add_peer refused " + name(i));
    peer.id = *id;
  }

  /// Options that differ between runs and change in them.
  void vary(Peer& peer) {
    PeerOptions& options = peer.options;
    switch (program_.below(10)) {
      case 0:
        options.export_limit.max = program_.one_in(2) ? 3 : 1000;
        break;
      case 1:
        options.export_policy = program_.one_in(2) ? Policy::reject_all() : Policy::accept_all();
        break;
      case 2:
        options.import_policy = program_.one_in(2) ? Policy::reject_all() : Policy::accept_all();
        break;
      case 3:
        options.default_local_pref = program_.one_in(2) ? 120 : 100;
        break;
      case 4:
        if (internal(peer)) options.route_reflector_client = program_.one_in(2);
        break;
      case 5:
        options.graceful_restart = program_.one_in(2) ? GracefulRestart::off : GracefulRestart::full;
        break;
      case 6:
        options.prepend = static_cast<std::uint8_t>(program_.below(3));
        break;
      case 7:
        options.export_med = program_.one_in(2) ? std::optional<std::uint32_t>{7} : std::nullopt;
        break;
      case 8:
        options.import_limit.max = program_.one_in(2) ? 4 : 1000;
        break;
      case 9:
        options.next_hop_self = program_.one_in(2);
        break;
      default:
        break;
    }
  }

  void connect(Peer& peer) {
    if (!peer.configured || peer.conn) return;
    if (peer.dial) {
      peer.conn = std::exchange(peer.dial, std::nullopt);
      engine_->on_connected(*peer.conn, local_of(peer), now_);
    } else {
      peer.conn = engine_->on_accepted(peer.options.address, local_of(peer), {}, now_);
      if (!peer.conn) return;
    }
    note(name(number_of(peer)) + " connects");
    peer.unread.clear();
    peer.held.clear();
    peer.said.clear();
    peer.reads = true;
    peer.said_end = false;
    turn();
    if (!peer.conn) return;
    auto& graceful = peer.capabilities.graceful_restart;
    if (graceful) {
      graceful->restarting = peer.retained;
      graceful->forwarding_preserved = program_.one_in(4) ? std::array{false, false} : graceful->families;
      if (!graceful->forwarding_preserved[0]) peer.settled.clear();
    } else {
      peer.settled.clear();
    }
    say(peer, open_of(peer, number_of(peer)));
    say(peer, KeepaliveMessage{});
  }

  [[nodiscard]] static IpAddress local_of(const Peer& peer) {
    return peer.options.address.family == Family::ipv4 ? IpAddress::v4(0xC00002FE)
                                                       : parse_address("2001:db8:ffff::fe").value();
  }

  void say(Peer& peer, const MessageValue& message) {
    if (!peer.conn) return;
    const auto octets = encode_message(message, decode_options(peer));
    if (!octets) return;  // Too large for this session.
    if (gathering_) {
      gathered_.insert(gathered_.end(), octets->begin(), octets->end());
      return;
    }
    engine_->on_received(*peer.conn, *octets, now_);
    turn();
  }

  /// Until send_gathered(), what a peer says is held back, so that it is received at once.
  void gather() { gathering_ = true; }
  void send_gathered(Peer& peer) {
    gathering_ = false;
    if (peer.conn && !gathered_.empty()) engine_->on_received(*peer.conn, gathered_, now_);
    gathered_.clear();
    turn();
  }

  /// The peer's end of the connection goes.
  void lose(Peer& peer) {
    if (!peer.conn) return;
    note(name(number_of(peer)) + " loses its connection");
    const bool helped = peer.established && peer.capabilities.graceful_restart &&
                        peer.options.graceful_restart != GracefulRestart::off && peer.options.enabled;
    // What was stale already and not said again goes now (RFC 4724 s.4.2).
    std::erase_if(peer.settled, [&](const Prefix& prefix) { return !helped || !peer.said.contains(prefix); });
    if (helped) {
      ++counts_.restarts;
      peer.retained = true;
      peer.retained_until = now_ + seconds{peer.capabilities.graceful_restart->restart_time_s - 1};
    }
    peer.established = false;
    engine_->on_closed(*std::exchange(peer.conn, std::nullopt), {}, now_);
    turn();
  }

  // --- Operations --------------------------------------------------------------------------------------------------

  void operate() {
    Peer& peer = peers_[program_.below(kPeers)];
    switch (program_.below(22)) {
      case 0:
      case 1:
      case 2:
        if (!peer.established) connect(peer);
        break;
      case 3:
        lose(peer);
        break;
      case 4:
      case 5:
      case 6:
      case 7:
        announce(peer);
        break;
      case 8:
        withdraw(peer);
        break;
      case 9:
        end_of_rib(peer);
        break;
      case 10:
        refresh(peer);
        break;
      case 11:
        say(peer, RefreshMessage{Family::ipv4, RefreshKind::request});
        break;
      case 12:
        note(name(number_of(peer)) + " reads or not");
        peer.reads = program_.one_in(2);
        if (peer.reads) read(peer);
        break;
      case 13:
        pass(seconds{1 + program_.below(20)});
        break;
      case 14:
        change(peer);
        break;
      case 15:
        originate();
        break;
      case 16:
        administer(peer);
        break;
      case 17:
        if (peer.dial) {
          note(name(number_of(peer)) + " does not answer");
          engine_->on_closed(*std::exchange(peer.dial, std::nullopt), std::make_error_code(std::errc::timed_out), now_);
          turn();
        }
        break;
      case 18:
        engine_->refresh_peer(peer.id, program_.one_in(2) ? Direction::import : Direction::export_, now_);
        turn();
        break;
      default:
        compare();
        break;
    }
  }

  PathAttributes random_attributes(const Peer& peer) {
    PathAttributes attributes;
    if (!internal(peer)) attributes.as_path.append_sequence(peer.options.remote_as);
    attributes.as_path.append_sequence(Asn{static_cast<std::uint32_t>(64500 + program_.below(3))});
    if (internal(peer)) attributes.local_pref = 100 + static_cast<std::uint32_t>(program_.below(2)) * 50;
    if (program_.one_in(3)) attributes.med = static_cast<std::uint32_t>(program_.below(3));
    if (program_.one_in(4)) attributes.communities = {program_.one_in(2) ? kNoExport : Community{0xFDE80001}};
    attributes.next_hop.address = peer.options.address;
    if (program_.one_in(3)) {
      // Around what fits one message of 4096 octets together with a prefix of some length and our own AS.
      UnknownAttribute large;
      large.flags = 0xC0;
      large.type = 200;
      large.value.assign(4024 + program_.below(20), 0x5A);
      attributes.unknown.push_back(large);
    }
    return attributes;
  }

  void announce(Peer& peer) {
    if (!peer.established) return;
    UpdateMessage update;
    update.attributes = random_attributes(peer);
    const bool ipv6 = peer.options.families[1];
    std::vector<Prefix> prefixes;
    const Family family = ipv6 && program_.one_in(2) ? Family::ipv6 : Family::ipv4;
    for (std::size_t i = 1 + program_.below(3); i > 0; --i) {
      const Prefix& prefix = pool_[program_.below(pool_.size())];
      if (prefix.family == family) prefixes.push_back(prefix);
    }
    send_announcement(peer, update.attributes, prefixes);
  }

  void send_announcement(Peer& peer, const PathAttributes& attributes, const std::vector<Prefix>& prefixes) {
    for (const Prefix& prefix : prefixes) {
      if (!peer.conn) return;
      UpdateMessage update;
      update.attributes = attributes;
      const bool classic = prefix.family == Family::ipv4 && attributes.next_hop.address.family == Family::ipv4;
      if (classic) {
        update.announced = {{prefix, 0}};
      } else {
        update.mp_announced = {{prefix, 0}};
        update.mp_next_hop = attributes.next_hop;
        update.attributes.next_hop = {};
      }
      if (!encode_message(update, decode_options(peer))) continue;
      note(name(number_of(peer)) + " announces " + to_text(prefix) +
           (attributes.unknown.empty() ? ""
                                       : " with " + std::to_string(attributes.unknown[0].value.size()) + " octets"));
      peer.announced[prefix] = attributes;
      peer.said.insert(prefix);
      say(peer, update);
    }
  }

  void withdraw(Peer& peer) {
    if (!peer.established || peer.announced.empty()) return;
    const auto at =
        std::next(peer.announced.begin(), static_cast<std::ptrdiff_t>(program_.below(peer.announced.size())));
    const Prefix prefix = at->first;
    note(name(number_of(peer)) + " withdraws " + to_text(prefix));
    peer.announced.erase(at);
    peer.settled.erase(prefix);
    peer.said.erase(prefix);
    UpdateMessage update;
    update.withdrawn = {{prefix, 0}};
    say(peer, update);
  }

  /// After a restart: says again what it still has, then that this is all.
  void end_of_rib(Peer& peer) {
    if (!peer.established) return;
    forget_unsaid(peer, program_.one_in(2));
    note(name(number_of(peer)) + " says End-of-RIB");
    for (const Family family : kBothFamilies) {
      if (!peer.options.families[static_cast<std::size_t>(family)]) continue;
      UpdateMessage end;
      end.end_of_rib = family;
      say(peer, end);
    }
    peer.retained = false;
    peer.said_end = true;
  }

  /// What was not said in this session is said now (`again`), or is no announcement any more.
  void forget_unsaid(Peer& peer, bool again) {
    const auto before = peer.announced;
    for (const auto& [prefix, attributes] : before) {
      if (peer.said.contains(prefix)) continue;
      if (again) {
        send_announcement(peer, attributes, {prefix});
      }
      if (!peer.said.contains(prefix)) {
        peer.announced.erase(prefix);
        peer.settled.erase(prefix);
      }
    }
  }

  /// BoRR, some or all of the routes, EoRR; perhaps the next BoRR comes before the end.
  void refresh(Peer& peer) {
    if (!peer.established || !peer.capabilities.enhanced_refresh) return;
    if (program_.one_in(2)) gather();
    for (std::size_t times = 1 + program_.below(3); times > 0; --times) refresh_once(peer);
    send_gathered(peer);
  }

  void refresh_once(Peer& peer) {
    ++counts_.refreshes;
    note(name(number_of(peer)) + " refreshes");
    const auto before = peer.announced;
    say(peer, RefreshMessage{Family::ipv4, RefreshKind::begin});
    if (program_.one_in(4)) say(peer, RefreshMessage{Family::ipv4, RefreshKind::begin});
    if (gathering_ && program_.one_in(2)) {  // A read may end anywhere, and what it began be done before the next.
      send_gathered(peer);
      settle();
    }
    // Before End-of-RIB the markers mean nothing (RFC 7313 s.4): what is left out then stays.
    const bool all = !program_.one_in(3) || (peer.capabilities.graceful_restart && !peer.said_end);
    for (const auto& [prefix, attributes] : before) {
      if (prefix.family != Family::ipv4) continue;
      if (all || program_.one_in(2)) {
        send_announcement(peer, attributes, {prefix});
      } else {
        note(name(number_of(peer)) + " leaves out " + to_text(prefix));
        peer.announced.erase(prefix);
        peer.settled.erase(prefix);
        peer.said.erase(prefix);
      }
    }
    say(peer, RefreshMessage{Family::ipv4, RefreshKind::end});
  }

  void change(Peer& peer) {
    if (!peer.configured) return;
    const PeerOptions before = peer.options;
    vary(peer);
    if (peer.options == before) return;
    note(name(number_of(peer)) + " gets other options");
    if (peer.options.import_policy != before.import_policy || peer.options.import_limit != before.import_limit ||
        peer.options.graceful_restart != before.graceful_restart ||
        peer.options.route_reflector_client != before.route_reflector_client)
      peer.settled.clear();
    if (!engine_->update_peer(peer.id, peer.options, now_)) fail("update_peer refused");
    turn();
  }

  void originate() {
    const Prefix& prefix = pool_[program_.below(pool_.size())];
    if (own_.contains(prefix)) {
      note("we withdraw " + to_text(prefix));
      own_.erase(prefix);
      engine_->withdraw(prefix, now_);
    } else {
      note("we announce " + to_text(prefix));
      own_.insert(prefix);
      engine_->announce(prefix, {}, now_);
    }
    // Whether a peer's path is in use may have changed either way.
    for (Peer& peer : peers_) peer.settled.erase(prefix);
    turn();
  }

  void administer(Peer& peer) {
    peer.settled.clear();
    switch (program_.below(4)) {
      case 0:
        note(name(number_of(peer)) + " is reset");
        engine_->reset_peer(peer.id, "", now_);
        break;
      case 1:
        note(name(number_of(peer)) + " is disabled");
        engine_->disable_peer(peer.id, "", now_);
        peer.options.enabled = false;
        break;
      case 2:
        note(name(number_of(peer)) + " is removed and added");
        engine_->remove_peer(peer.id, now_);
        peer.conn.reset();
        peer.dial.reset();
        turn();
        settle();
        configure(number_of(peer));
        break;
      default:
        note(name(number_of(peer)) + " is enabled");
        engine_->enable_peer(peer.id, now_);
        peer.options.enabled = true;
        break;
    }
    turn();
  }

  void pass(Duration duration) {
    note("time passes");
    const Time until = now_ + duration;
    // Each deadline on the way is a turn of its own.
    while (problem_.empty() && engine_->next_deadline() < until) {
      now_ = std::max(now_, engine_->next_deadline());
      expire();
      step();
    }
    now_ = until;
    expire();
    step();
  }

  /// Routes kept for a peer that is away may go now.
  void expire() {
    for (Peer& peer : peers_)
      if (peer.retained && now_ >= peer.retained_until) {
        std::erase_if(peer.settled, [&](const Prefix& prefix) { return !peer.said.contains(prefix); });
        if (!peer.established) peer.settled.clear();
      }
  }

  // --- Turns -------------------------------------------------------------------------------------------------------

  void step() {
    engine_->on_time(now_);
    turn();
  }

  /// Drains the engine and looks at what must hold at every moment.
  void turn() {
    ++counts_.turns;
    while (const auto output = engine_->poll()) take(*output);
    for (const Peer& peer : peers_) {
      for (const Prefix& prefix : peer.settled) {
        if (own_.contains(prefix) || used_.contains(prefix)) continue;
        fail(to_text(prefix) + " of " + name(number_of(peer)) + " is absent though it is announced");
      }
    }
  }

  /// Until nothing is left to do at this moment.
  void settle() {
    turn();
    for (std::size_t turns = 0; problem_.empty() && engine_->next_deadline() <= now_; ++turns) {
      if (turns > kTurnsAtOnce) return fail("turns without an end at one moment");
      step();
    }
    for (Peer& peer : peers_) {
      if (!peer.established || !peer.conn || !engine_->wants_bytes(*peer.conn)) continue;
      if (peer.options.import_policy == Policy::reject_all()) continue;
      for (const auto& [prefix, attributes] : peer.announced) {
        if (!peer.said.contains(prefix) || own_.contains(prefix)) continue;
        if (used_.contains(prefix)) {
          peer.settled.insert(prefix);
        } else if (restart_complete_ || !options_.forwarding_preserved) {
          fail(to_text(prefix) + " of " + name(number_of(peer)) + " never came into use");
        }
      }
    }
  }

  [[nodiscard]] Peer* peer_of(ConnId conn) {
    for (Peer& peer : peers_)
      if (peer.conn == conn || peer.dial == conn) return &peer;
    return nullptr;
  }
  [[nodiscard]] Peer* peer_of(PeerId id) {
    for (Peer& peer : peers_)
      if (peer.configured && peer.id == id) return &peer;
    return nullptr;
  }

  void take(const Output& output) {
    if (const auto* dial = std::get_if<Dial>(&output)) {
      if (Peer* const peer = peer_of(dial->peer)) peer->dial = dial->conn;
    } else if (const auto* write = std::get_if<Write>(&output)) {
      Peer* const peer = peer_of(write->conn);
      if (peer != nullptr && peer->reads) read(*peer);
    } else if (const auto* close = std::get_if<Close>(&output)) {
      if (Peer* const peer = peer_of(close->conn)) {
        if (peer->dial == close->conn) {
          peer->dial.reset();
        } else {
          if (close->how == Close::How::flush) read(*peer);
          peer->conn.reset();
          ended(*peer);
        }
      }
    } else if (const auto* changed = std::get_if<PeerChanged>(&output)) {
      Peer* const peer = peer_of(changed->peer);
      if (peer == nullptr) return;
      if (changed->to == PeerState::established) {
        ++counts_.sessions;
        peer->established = true;
        peer->since = now_;
        // Routes that wait for End-of-RIB stay for a while, and those of a peer that does not restart are new.
        if (!peer->retained) peer->announced.clear();
        peer->retained_until = now_ + seconds{30};
      } else if (changed->from == PeerState::established && peer->established) {
        ended(*peer);
      }
    } else if (const auto* batch = std::get_if<BestChanged>(&output)) {
      for (const BestChange& change : batch->changes) {
        if (change.paths.empty())
          used_.erase(change.prefix);
        else
          used_[change.prefix] = change.paths.front().peer;
      }
    } else if (std::holds_alternative<RestartComplete>(output)) {
      restart_complete_ = true;
    }
  }

  /// We ended the session: no claim on its routes is left.
  void ended(Peer& peer) {
    peer.established = false;
    peer.retained = false;
    peer.settled.clear();
  }

  void read(Peer& peer) {
    if (!peer.conn) return;
    for (Bytes bytes = engine_->outgoing(*peer.conn); !bytes.empty(); bytes = engine_->outgoing(*peer.conn)) {
      peer.unread.insert(peer.unread.end(), bytes.begin(), bytes.end());
      engine_->on_sent(*peer.conn, bytes.size(), now_);
    }
    read_messages(peer, decode_options(peer), problem_);
  }

  // --- Comparison with a fresh engine ------------------------------------------------------------------------------

  void compare() {
    for (Peer& peer : peers_) {
      peer.reads = true;
      read(peer);
    }
    settle();
    for (Peer& peer : peers_) read(peer);
    if (!problem_.empty()) return;
    if (options_.forwarding_preserved && !restart_complete_) return;
    for (const Peer& peer : peers_) {
      if (!peer.configured) continue;
      const auto status = engine_->peer(peer.id);
      // Old routes are in the table of this engine and not in that of a fresh one.
      if (status && (status->stale || peer.retained)) return;
      if (peer.established && peer.conn && !engine_->wants_bytes(*peer.conn)) return;
    }
    ++counts_.comparisons;
    compare_reported();
    for (const Peer& peer : peers_)
      if (peer.established) compare_announced(peer);
    compare_fresh();
  }

  void compare_reported() {
    std::map<Prefix, PeerId> best;
    for (const PathSnapshot& path : engine_->routes({}))
      if (path.best && path.peer != kLocalPeer) best[path.prefix] = path.peer;
    if (best != used_) fail("the best paths that were reported are not those in the table");
  }

  void compare_announced(const Peer& peer) {
    std::map<Prefix, PathAttributes> said;
    for (AnnouncedSnapshot& one : engine_->announced_to(peer.id, {})) said[one.prefix] = std::move(one.attributes);
    compare_tables(peer, said, "announced_to()");
  }

  /// The prefixes suffice: how attributes look on the wire is compared with a fresh engine's octets.
  void compare_tables(const Peer& peer, const std::map<Prefix, PathAttributes>& wanted, const char* whose) {
    counts_.advertised += peer.held.size();
    for (const auto& [prefix, attributes] : wanted)
      if (!peer.held.contains(prefix))
        return fail(name(number_of(peer)) + " lacks " + to_text(prefix) + " that " + whose + " has; " +
                    paths_of(prefix));
    for (const auto& [prefix, attributes] : peer.held)
      if (!wanted.contains(prefix))
        return fail(name(number_of(peer)) + " still holds " + to_text(prefix) + " that " + whose + " has not; " +
                    paths_of(prefix));
  }

  [[nodiscard]] static std::string brief(const PathAttributes& attributes) {
    const auto text = [](const std::optional<std::uint32_t>& number) { return number ? std::to_string(*number) : "-"; };
    return "path " + to_text(attributes.as_path) + " next hop " + to_text(attributes.next_hop.address) + " med " +
           text(attributes.med) + " local_pref " + text(attributes.local_pref);
  }

  /// What the table has for a prefix, for people.
  [[nodiscard]] std::string paths_of(const Prefix& prefix) {
    RouteFilter filter;
    filter.prefix = prefix;
    std::string text = "paths:";
    for (const PathSnapshot& path : engine_->routes(filter)) {
      const Peer* const from = peer_of(path.peer);
      text += " [" + (from == nullptr ? "ours" : name(number_of(*from))) + (path.best ? " best" : "") +
              (path.stale ? " stale" : "") + (path.accepted ? "" : " refused") + "]";
    }
    return text;
  }

  void compare_fresh() {
    Impl fresh{*this};
    for (std::size_t i = 0; i < kPeers; ++i) {
      const Peer& here = peers_[i];
      if (!here.established) continue;
      const Peer& there = fresh.peers_[i];
      if (!there.established) return fail("a fresh engine has no session with " + name(i) + ": " + fresh.problem_);
      const std::size_t limit = here.options.export_limit.max;
      if (there.held.size() <= limit) {
        compare_tables(here, there.held, "a fresh engine");
      } else if (here.held.size() != limit) {
        return fail(name(i) + " holds " + std::to_string(here.held.size()) + " routes; its limit is " +
                    std::to_string(limit) + " of " + std::to_string(there.held.size()));
      }
      for (const auto& [prefix, attributes] : here.held) {
        const auto at = there.held.find(prefix);
        if (at == there.held.end()) return fail(name(i) + " holds " + to_text(prefix) + " that a fresh engine has not");
        if (at->second != attributes)
          return fail(name(i) + " holds other attributes of " + to_text(prefix) + " than a fresh engine advertises: " +
                      brief(attributes) + ", not " + brief(at->second) + "; " + paths_of(prefix));
      }
    }
  }

  /// A fresh engine with the peers, options and routes of `other`, and no export limits.
  explicit Impl(const Impl& other)
      : program_{}, tracing_(false), pool_(other.pool_), options_(other.options_), now_(other.now_) {
    options_.forwarding_preserved = false;
    engine_ = std::make_unique<Engine>(options_, nullptr, now_);
    for (const Prefix& prefix : other.own_) engine_->announce(prefix, {}, now_);
    own_ = other.own_;
    for (std::size_t i = 0; i < kPeers; ++i) {
      const Peer& from = other.peers_[i];
      Peer& peer = peers_[i];
      peer.options = from.options;
      peer.options.export_limit.max = 1'000'000;
      peer.options.passive = true;
      peer.capabilities = from.capabilities;
      peer.id = engine_->add_peer(peer.options, now_).value();
    }
    for (std::size_t i = 0; i < kPeers; ++i) {
      if (!other.peers_[i].established) continue;
      connect(peers_[i]);
      settle();
      for (const auto& [prefix, attributes] : other.peers_[i].announced)
        send_announcement(peers_[i], attributes, {prefix});
      settle();
    }
    for (Peer& peer : peers_) read(peer);
  }

  Program program_;
  bool tracing_ = false;
  std::vector<Prefix> pool_;
  SpeakerOptions options_;
  Time now_{std::chrono::hours{1}};
  std::unique_ptr<Engine> engine_;
  std::array<Peer, kPeers> peers_;
  std::set<Prefix> own_;
  std::map<Prefix, PeerId> used_;  ///< The best path of each prefix, as it was reported.
  bool restart_complete_ = false;
  bool gathering_ = false;
  std::vector<std::uint8_t> gathered_;
  std::string problem_;
};

EngineRun::EngineRun(Bytes program, bool trace) : impl_(std::make_unique<Impl>(program, trace)) {}
EngineRun::~EngineRun() = default;
std::string EngineRun::run() { return impl_->run(); }
const EngineRun::Counts& EngineRun::counts() const { return impl_->counts_; }
const std::vector<std::string>& EngineRun::trace() const { return impl_->trace_; }

}  // namespace minibgp::testing
