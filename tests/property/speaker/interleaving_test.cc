// Every order of short sequences of events, against small models: two connections of one peer (which of them lives, and
// that the peer is always dialed again), and refreshes, restarts and losses of a session (no route that the peer still
// announces is ever absent, not even between two turns).
//
// An Engine cannot be copied, so a sequence is replayed from its beginning. The first events are walked in every order;
// beyond that, sequences that lead to the same state (as far as the model and the snapshots show it) go on as one.
// Printed are the sequences walked, counted with those merged, and the distinct states.
#include <bgp/wire/numbers.h>
#include <tests/unit/speaker/raw_peer.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include <gtest/gtest.h>

namespace minibgp::speaker {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kLength = 6;

using Events = std::vector<std::uint8_t>;

struct Totals {
  std::uint64_t sequences = 0, replays = 0;
  std::size_t states = 0;
};

/// Walks all sequences of a Model: `begin()`, then `apply(event)`, false where the event is not possible; `key()` names
/// the state, `finish()` checks what must follow from it. `Model::failure` stops the walk.
/// The first `Model::kDistinct` events are not merged.
template <typename Model, typename... Arguments>
Totals walk(std::size_t length, Arguments... arguments) {
  Totals totals;
  struct State {
    Events events;
    std::uint64_t ways = 0;
  };
  std::set<std::string> known;
  std::vector<State> level{{{}, 1}};
  for (std::size_t depth = 1; depth <= length; ++depth) {
    std::unordered_map<std::string, State> next;
    for (const State& state : level) {
      for (std::uint8_t event = 0; event < Model::kEvents; ++event) {
        Model model(arguments...);
        for (const std::uint8_t earlier : state.events) static_cast<void>(model.apply(earlier));
        ++totals.replays;
        if (!model.apply(event)) continue;
        totals.sequences += state.ways;
        std::string key = model.key();
        Events events = state.events;
        events.push_back(event);
        const bool is_new = known.insert(key).second;
        if (is_new && model.failure.empty()) model.finish();
        if (!model.failure.empty()) {
          std::string names;
          for (const std::uint8_t one : events) names += std::string{" "} + Model::name(one);
          ADD_FAILURE() << model.failure << " after:" << names;
          return totals;
        }
        if (depth <= Model::kDistinct) key.append(events.begin(), events.end());
        State& there = next[key];
        if (there.ways == 0) there.events = std::move(events);
        there.ways += state.ways;
      }
    }
    level.clear();
    for (auto& [key, state] : next) level.push_back(std::move(state));
  }
  totals.states = known.size();
  return totals;
}

std::size_t length_of_sequences() {
  const char* const text = std::getenv("MINIBGP_SEQUENCE_LENGTH");
  return text == nullptr ? kLength : static_cast<std::size_t>(std::atoi(text));
}

enum class Graceful : std::uint8_t { off, on };

std::vector<std::uint8_t> open_octets(RouterId id, Graceful graceful, bool restarting, bool preserved) {
  wire::Open open;
  open.asn = Asn{65001};
  open.asn_field = 65001;
  open.hold_time_s = 90;
  open.router_id = id;
  open.capabilities.multiprotocol = {true, false};
  open.capabilities.any_multiprotocol = true;
  open.capabilities.four_octet_as = open.asn;
  open.capabilities.route_refresh = open.capabilities.enhanced_refresh = true;
  if (graceful == Graceful::on) {
    wire::GracefulRestartCapability capability;
    capability.restarting = restarting;
    capability.restart_time_s = 60;
    capability.families = {true, false};
    capability.forwarding_preserved = {preserved, false};
    open.capabilities.graceful_restart = capability;
  }
  std::vector<std::uint8_t> octets;
  wire::encode_open(open, octets);
  return octets;
}

// --- Two connections -----------------------------------------------------------------------------------------------

enum class Dominant : std::uint8_t { we, peer };

/// One peer whose connections do what the events say.
class TwoConnections {
 public:
  static constexpr std::size_t kDistinct = 4;
  enum Event : std::uint8_t {
    dial_answers,
    dial_fails,
    peer_connects,
    open_on_dialed,
    open_on_accepted,
    open_after_restart,
    keepalive_on_dialed,
    keepalive_on_accepted,
    close_dialed,
    close_accepted,
    notification_on_dialed,
    notification_on_accepted,
    next_timer,
    eleven_seconds,
    tunnel,
    reset,
    kEvents
  };
  static const char* name(std::uint8_t event) {
    static constexpr std::array<const char*, kEvents> kNames = {"dial_answers",
                                                                "dial_fails",
                                                                "peer_connects",
                                                                "open_on_dialed",
                                                                "open_on_accepted",
                                                                "open_after_restart",
                                                                "keepalive_on_dialed",
                                                                "keepalive_on_accepted",
                                                                "close_dialed",
                                                                "close_accepted",
                                                                "notification_on_dialed",
                                                                "notification_on_accepted",
                                                                "next_timer",
                                                                "eleven_seconds",
                                                                "tunnel",
                                                                "reset"};
    return kNames[event];
  }

  TwoConnections(Graceful graceful, Dominant dominant)
      : graceful_(graceful),
        peer_id_(dominant == Dominant::we ? RouterId{1} : RouterId{0xF0000000}),
        engine_({.asn = Asn{65000}, .router_id = RouterId{0x0A000001}}, nullptr, now_) {
    PeerOptions options;
    options.address = kPeer;
    options.remote_as = Asn{65001};
    options.import_policy = options.export_policy = Policy::accept_all();
    peer_ = *engine_.add_peer(options, now_);
    pump();
  }

  bool apply(std::uint8_t event) {
    switch (event) {
      case dial_answers:
        if (!hanging_) return false;
        dialed_ = hanging_;
        hanging_.reset();
        engine_.on_connected(*dialed_, kLocal, now_);
        break;
      case dial_fails:
        if (!hanging_) return false;
        engine_.on_closed(*std::exchange(hanging_, {}), std::make_error_code(std::errc::connection_refused), now_);
        break;
      case peer_connects: {
        const auto conn = engine_.on_accepted(kPeer, kLocal, {}, now_);
        if (conn) accepted_ = conn;
        break;
      }
      case open_on_dialed:
        if (!say(dialed_, open_octets(peer_id_, graceful_, false, true))) return false;
        break;
      case open_on_accepted:
        if (!say(accepted_, open_octets(peer_id_, graceful_, false, true))) return false;
        break;
      case open_after_restart:
        if (graceful_ == Graceful::off) return false;
        if (!say(accepted_, open_octets(peer_id_, graceful_, true, true))) return false;
        break;
      case keepalive_on_dialed:
      case keepalive_on_accepted: {
        std::vector<std::uint8_t> octets;
        wire::encode_keepalive(octets);
        if (!say(event == keepalive_on_dialed ? dialed_ : accepted_, octets)) return false;
        break;
      }
      case close_dialed:
        if (!dialed_) return false;
        engine_.on_closed(*std::exchange(dialed_, {}), {}, now_);
        break;
      case close_accepted:
        if (!accepted_) return false;
        engine_.on_closed(*std::exchange(accepted_, {}), {}, now_);
        break;
      case notification_on_dialed:
      case notification_on_accepted: {
        std::vector<std::uint8_t> octets;
        wire::encode_notification({wire::notify::kCease, wire::notify::kRejected, {}}, octets);
        if (!say(event == notification_on_dialed ? dialed_ : accepted_, octets)) return false;
        break;
      }
      case next_timer:
        if (engine_.next_deadline() == kNever) return false;
        now_ = std::max(now_, engine_.next_deadline());
        engine_.on_time(now_);
        break;
      case eleven_seconds:
        run_for(11s);
        break;
      case tunnel:
        usable_ = !usable_;
        free_dials_ = dials_.size() + 1;
        engine_.set_transport_usable(peer_, usable_, now_);
        break;
      case reset:
        free_dials_ = dials_.size() + 1;
        engine_.reset_peer(peer_, "again", now_);
        break;
      default:
        return false;
    }
    pump();
    check();
    return true;
  }

  [[nodiscard]] std::string key() const {
    const PeerStatus status = *engine_.peer(peer_);
    std::string text{static_cast<char>(status.state), usable_ ? 'u' : 'd', hanging_ ? 'h' : '-',
                     status.stale ? 's' : '-', static_cast<char>(failures_ + '0')};
    for (const auto& conn : {dialed_, accepted_}) {
      text += !conn ? '-' : !engine_.peer_of(*conn) ? 'x' : engine_.wants_bytes(*conn) ? 'w' : 'p';
      const auto said = conn ? said_.find(*conn) : said_.end();
      text += said != said_.end() ? static_cast<char>('0' + said->second) : '-';
    }
    const Time next = engine_.next_deadline();
    text += next == kNever ? 'n' : next - now_ <= 1s ? '1' : next - now_ <= 10s ? 'a' : next - now_ <= 60s ? 'm' : 'l';
    if (status.state == PeerState::established) text += now_ - status.since < 5s ? 'y' : 'o';
    return text;
  }

  /// Whatever happened: when everything is refused from now on it is dialed on and on, not too often, and the first
  /// dial that is answered comes up.
  void finish() {
    if (!usable_) {
      usable_ = true;
      engine_.set_transport_usable(peer_, true, now_);
      pump();
    }
    for (auto* conn : {&dialed_, &accepted_})
      if (*conn) engine_.on_closed(*std::exchange(*conn, {}), {}, now_);
    pump();
    dials_.clear();
    const Time end = now_ + 6min;
    while (failure.empty() && now_ < end) {
      if (hanging_) {
        engine_.on_closed(*std::exchange(hanging_, {}), std::make_error_code(std::errc::connection_refused), now_);
        pump();
        continue;
      }
      if (engine_.next_deadline() == kNever) {
        failure = "nothing is due, and the peer is not dialed";
        return;
      }
      now_ = std::max(now_, engine_.next_deadline());
      engine_.on_time(now_);
      pump();
    }
    if (dials_.size() < 2 || dials_.size() > 15) failure = std::to_string(dials_.size()) + " dials in six minutes";
    while (!hanging_ && failure.empty() && engine_.next_deadline() != kNever) {
      now_ = engine_.next_deadline();
      engine_.on_time(now_);
      pump();
    }
    if (!apply(dial_answers) || !apply(open_on_dialed) || !apply(keepalive_on_dialed) ||
        engine_.peer(peer_)->state != PeerState::established)
      failure = "a dial that is answered does not come up";
  }

  std::string failure;

 private:
  static inline const IpAddress kPeer = IpAddress::v4(0xC0000201), kLocal = IpAddress::v4(0xC00002FE);

  bool say(std::optional<ConnId> conn, const std::vector<std::uint8_t>& octets) {
    if (!conn) return false;
    said_[*conn] = static_cast<char>(said_[*conn] * 5 % 9 + octets[18]);
    engine_.on_received(*conn, octets, now_);
    return true;
  }
  void run_for(Duration duration) {
    const Time end = now_ + duration;
    while (engine_.next_deadline() <= end) {
      now_ = std::max(now_, engine_.next_deadline());
      engine_.on_time(now_);
      pump();
    }
    now_ = end;
  }
  /// Every turn consumes input, hands something out, or sets a later deadline.
  void pump() {
    for (int idle = 0;;) {
      bool any = false;
      while (const auto output = engine_.poll()) {
        any = true;
        take(*output);
      }
      if (engine_.next_deadline() > now_) return;
      idle = any ? 0 : idle + 1;
      if (idle > 4) {
        failure = "turns without end";
        return;
      }
      engine_.on_time(now_);
    }
  }
  void take(const Output& output) {
    if (const auto* dial = std::get_if<Dial>(&output)) {
      if (hanging_) failure = "two dials at once";
      hanging_ = dial->conn;
      dials_.push_back(now_);
    } else if (const auto* write = std::get_if<Write>(&output)) {
      for (Bytes bytes = engine_.outgoing(write->conn); !bytes.empty(); bytes = engine_.outgoing(write->conn))
        engine_.on_sent(write->conn, bytes.size(), now_);
    } else if (const auto* close = std::get_if<Close>(&output)) {
      for (auto* conn : {&hanging_, &dialed_, &accepted_})
        if (*conn == close->conn) conn->reset();
    } else if (const auto* changed = std::get_if<PeerChanged>(&output)) {
      // Attempts that were under way count no longer; a session that falls is dialed again soon.
      if (changed->from == PeerState::established) free_dials_ = dials_.size() + 1;
      failures_ = changed->to == PeerState::established ? 0 : std::min(failures_ + 1, 9);
    }
  }
  void check() {
    if (!failure.empty()) return;
    const PeerStatus status = *engine_.peer(peer_);
    if (status.state != PeerState::established && usable_) {
      if (!hanging_ && engine_.next_deadline() == kNever) failure = "nothing is due, and the peer is not dialed";
      if (status.state == PeerState::connect && !hanging_) failure = "Connect without a dial";
    }
    std::size_t soon = 0;
    for (std::size_t i = std::min(free_dials_, dials_.size()); i < dials_.size(); ++i)
      if (now_ - dials_[i] <= 10s) ++soon;
    if (soon > 5) failure = std::to_string(soon) + " dials within 10 s";
  }

  Graceful graceful_;
  RouterId peer_id_;
  Time now_{std::chrono::hours{1}};
  Engine engine_;
  PeerId peer_{};
  bool usable_ = true;
  int failures_ = 0;
  std::optional<ConnId> hanging_, dialed_, accepted_;  ///< The last of each.
  std::map<ConnId, char> said_;                        ///< What the peer sent on each, in short.
  std::vector<Time> dials_;
  std::size_t free_dials_ = 0;  ///< Dials before this one were asked for by an operator, or follow a session.
};

TEST(EveryInterleaving, OfTwoConnectionsEndsDialingAgainAndIsBounded) {
  Totals all;
  for (const Graceful graceful : {Graceful::off, Graceful::on}) {
    for (const Dominant dominant : {Dominant::we, Dominant::peer}) {
      const Totals one = walk<TwoConnections>(length_of_sequences(), graceful, dominant);
      all.sequences += one.sequences;
      all.replays += one.replays;
      all.states += one.states;
    }
  }
  std::cout << "two connections: " << all.sequences << " sequences, " << all.states << " distinct states, "
            << all.replays << " replays\n";
  if (length_of_sequences() >= kLength) {
    EXPECT_GE(all.sequences, 1'000'000U);
  }
}

// --- Refreshes and restarts ----------------------------------------------------------------------------------------

enum class Reads : std::uint8_t { one_by_one, together };

/// One peer with three routes, another that hears of them, and what must be there at any time.
class Restarts {
 public:
  static constexpr std::size_t kDistinct = 3;
  enum Event : std::uint8_t {
    begin_refresh,
    end_refresh,
    end_of_rib,
    announce_x,
    announce_y,
    withdraw_x,
    lose_session,
    return_preserved,  ///< R and F.
    return_lost,       ///< R without F.
    return_unaware,    ///< F without R: it did not notice.
    return_plain,      ///< Without graceful restart.
    crash_and_return,  ///< With R and F; its old connection stays.
    notification,
    next_timer,
    time_over,
    link,
    kEvents
  };
  static const char* name(std::uint8_t event) {
    static constexpr std::array<const char*, kEvents> kNames = {
        "BoRR",         "EoRR",       "End-of-RIB", "announce_x", "announce_y",   "withdraw_x",
        "lose_session", "return_R_F", "return_R",   "return_F",   "return_plain", "crash_and_return",
        "notification", "next_timer", "time_over",  "link"};
    return kNames[event];
  }

  explicit Restarts(Reads reads) : reads_(reads) {
    come_back(Graceful::on, false, true);
    bench_.establish(other_);
    announce(0);
    announce(1);
    say(wire_end_of_rib());
    end_of_rib_ = true;
    settle();
    start_ = bench_.now;
    bench_.run_for(20s);
    check();
  }

  bool apply(std::uint8_t event) {
    if (event > withdraw_x) settle();
    switch (event) {
      case begin_refresh:
        if (!up_) return false;
        say(refresh(wire::RefreshKind::begin));
        if (refreshing_ || (graceful_ && !end_of_rib_)) break;
        refreshing_ = true;
        fresh_ = {};
        break;
      case end_refresh:
        if (!up_) return false;
        say(refresh(wire::RefreshKind::end));
        if (!refreshing_) break;
        refreshing_ = false;
        for (std::size_t i = 0; i < kRoutes; ++i)
          if (!fresh_[i]) remove(i);
        break;
      case end_of_rib:
        if (!up_) return false;
        say(wire_end_of_rib());
        end_of_rib_ = true;
        drop_stale();
        break;
      case announce_x:
      case announce_y:
        if (!up_) return false;
        announce(event - announce_x);
        break;
      case withdraw_x: {
        if (!up_) return false;
        std::vector<std::uint8_t> octets;
        static_cast<void>(wire::encode_withdraw(Family::ipv4, std::span{&kPrefixes[0], 1}, {}, octets));
        say(octets);
        remove(0);
        break;
      }
      case lose_session:
        if (!up_) return false;
        lost(graceful_);
        bench_.cut(peer_);
        break;
      case return_preserved:
      case return_lost:
      case return_unaware:
      case return_plain:
        if (up_) return false;
        come_back(event == return_plain ? Graceful::off : Graceful::on, event != return_unaware, event != return_lost);
        break;
      case crash_and_return:
        if (!up_ || !graceful_) return false;
        lost(true);
        peer_.conn.reset();
        come_back(Graceful::on, true, true);
        bench_.run_for(5s);  // A session that is young is not given up before.
        break;
      case notification: {
        if (!up_) return false;
        std::vector<std::uint8_t> octets;
        wire::encode_notification({wire::notify::kCease, wire::notify::kAdminReset, {}}, octets);
        say(octets);
        lost(false);
        settle();
        break;
      }
      case next_timer:
        if (bench_.engine.next_deadline() == kNever) return false;
        bench_.run_for(bench_.engine.next_deadline() - bench_.now);
        pass_time();
        break;
      case time_over:
        bench_.run_for(61s);
        pass_time();
        break;
      case link:
        link_ = !link_;
        if (!link_) {
          gone_ = {true, true};
          if (!up_) drop_stale();
        }
        bench_.engine.set_next_hop(peer_.id, peer_.options.address, link_, 0, bench_.now);
        bench_.pump();
        break;
      default:
        return false;
    }
    if (reads_ == Reads::one_by_one) settle();
    if (unread_.empty()) check();
    return true;
  }

  [[nodiscard]] std::string key() {
    std::string text{up_ ? 'u' : 'd',         graceful_ ? 'g' : '-', end_of_rib_ ? 'e' : '-',
                     refreshing_ ? 'r' : '-', link_ ? 'l' : '-',     static_cast<char>('0' + pending_.size())};
    for (std::size_t i = 0; i < kRoutes; ++i)
      text += static_cast<char>('a' + (announced_[i] ? 1 : 0) + (stale_[i] ? 2 : 0) + (fresh_[i] ? 4 : 0));
    text += stale_until_ == kNever ? 'n' : stale_until_ - bench_.now <= 61s ? '1' : '6';
    text += std::to_string(std::min<std::int64_t>(5, (bench_.now - start_) / 60s));
    text += pending_;
    return text;
  }
  void finish() {
    settle();
    if (failure.empty()) check();
  }

  std::string failure;

 private:
  static constexpr std::size_t kRoutes = 2;
  static inline const std::array<Prefix, kRoutes> kPrefixes = {Prefix::of(IpAddress::v4(0xCB007100), 24),
                                                               Prefix::of(IpAddress::v4(0xC6336400), 24)};
  using Flags = std::array<bool, kRoutes>;

  static std::vector<std::uint8_t> refresh(wire::RefreshKind kind) {
    std::vector<std::uint8_t> octets;
    wire::encode_refresh(Family::ipv4, kind, octets);
    return octets;
  }
  static std::vector<std::uint8_t> wire_end_of_rib() {
    std::vector<std::uint8_t> octets;
    wire::encode_end_of_rib(Family::ipv4, octets);
    return octets;
  }

  void say(const std::vector<std::uint8_t>& octets) {
    unread_.insert(unread_.end(), octets.begin(), octets.end());
    pending_ += static_cast<char>(octets[18] * 3 + octets.back() % 3);
  }
  /// What the peer said arrives, in one read.
  void settle() {
    if (!unread_.empty()) bench_.say(peer_, std::exchange(unread_, {}));
    pending_.clear();
  }
  void announce(std::size_t i) {
    const PathAttributes attributes = route_of(peer_, "65001");
    wire::EncodedAttributes encoded;
    wire::encode_attributes(attributes, Family::ipv4, {}, encoded);
    std::vector<std::uint8_t> octets;
    static_cast<void>(
        wire::encode_announce(encoded, attributes.next_hop, Family::ipv4, std::span{&kPrefixes[i], 1}, {}, octets));
    say(octets);
    announced_[i] = true;
    fresh_[i] = refreshing_;
    stale_[i] = false;
  }
  void remove(std::size_t i) {
    announced_[i] = stale_[i] = false;
    gone_[i] = true;
  }
  void drop_stale() {
    for (std::size_t i = 0; i < kRoutes; ++i)
      if (std::exchange(stale_[i], false)) gone_[i] = true;
    stale_until_ = kNever;
  }
  void lost(bool keep) {
    up_ = refreshing_ = false;
    fresh_ = {};
    keep = keep && link_;
    drop_stale();
    for (std::size_t i = 0; i < kRoutes; ++i) {
      if (!std::exchange(announced_[i], false)) continue;
      stale_[i] = keep;
      if (!keep) gone_[i] = true;
    }
    stale_until_ = keep ? bench_.now + 60s : kNever;
  }
  void come_back(Graceful graceful, bool restarting, bool preserved) {
    peer_.edit_open = [=](wire::Open& open) {
      open.capabilities.enhanced_refresh = true;
      if (graceful == Graceful::off) return;
      wire::GracefulRestartCapability capability;
      capability.restarting = restarting;
      capability.restart_time_s = 60;
      capability.families = {true, false};
      capability.forwarding_preserved = {preserved, false};
      open.capabilities.graceful_restart = capability;
    };
    up_ = true;
    graceful_ = graceful == Graceful::on;
    end_of_rib_ = refreshing_ = false;
    announced_ = fresh_ = {};
    if (!graceful_ || !preserved) drop_stale();
    if (stale_[0] || stale_[1]) stale_until_ = bench_.now + 360s;
    // Idle hold after short sessions refuses it for a while.
    bench_.engine.enable_peer(peer_.id, bench_.now);
    bench_.establish(peer_);
  }
  void pass_time() {
    if (bench_.now >= stale_until_) drop_stale();
  }

  void check() {
    for (std::size_t i = 0; i < kRoutes; ++i) {
      const bool present = announced_[i] || stale_[i];
      const bool never_absent = present && !gone_[i] && link_ && was_present_[i];
      const auto is = [&](const Prefix& prefix) { return prefix == kPrefixes[i]; };
      if (never_absent && std::any_of(bench_.lost.begin(), bench_.lost.end(), is))
        failure = "a route that is announced was absent for a moment";
      if (never_absent && std::any_of(other_.changes.begin(), other_.changes.end(),
                                      [&](const auto& change) { return is(change.first) && !change.second; }))
        failure = "a route that is announced was withdrawn from another peer for a moment";
      if (bench_.best.contains(kPrefixes[i]) != (present && link_))
        failure = present ? "a route is missing" : "a route is still there";
      if (other_.heard.contains(kPrefixes[i]) != (present && link_)) failure = "the other peer holds something else";
      was_present_[i] = present && link_;
    }
    if (bench_.established(peer_) != up_) failure = up_ ? "the session is not up" : "the session is up";
    bench_.lost.clear();
    other_.changes.clear();
    gone_ = {};
  }

  Reads reads_;
  Bench bench_;
  RawPeer& peer_ = bench_.add(1, Asn{65001});
  RawPeer& other_ = bench_.add(2, Asn{65002});
  Time start_{};
  std::vector<std::uint8_t> unread_;
  std::string pending_;  ///< The messages in unread_, in short.
  // The model.
  bool up_ = false, graceful_ = false, end_of_rib_ = false, refreshing_ = false, link_ = true;
  Flags announced_{}, stale_{}, fresh_{}, was_present_{};
  Flags gone_{};  ///< It was rightly absent at some moment since the last check.
  Time stale_until_ = kNever;
};

TEST(EveryInterleaving, OfRefreshesAndRestartsKeepsEveryRouteThatIsAnnounced) {
  Totals all;
  for (const Reads reads : {Reads::one_by_one, Reads::together}) {
    const Totals one = walk<Restarts>(length_of_sequences(), reads);
    all.sequences += one.sequences;
    all.replays += one.replays;
    all.states += one.states;
  }
  std::cout << "refreshes and restarts: " << all.sequences << " sequences, " << all.states << " distinct states, "
            << all.replays << " replays\n";
  if (length_of_sequences() >= kLength) {
    EXPECT_GE(all.sequences, 1'000'000U);
  }
}

}  // namespace
}  // namespace minibgp::speaker
