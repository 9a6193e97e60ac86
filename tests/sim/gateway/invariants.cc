#include <bgp/text.h>
#include <tests/sim/gateway/invariants.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace bgplite::sim {
namespace {

using namespace std::chrono_literals;
using minibgp::PeerStatus;
namespace fib = minibgp::fib;
namespace xfrm = minibgp::xfrm;
using Peer = Setting::Peer;

/// So long everything a route depends on has held: the kernel has it.
constexpr Duration kSteady = 12s;
/// Packets go into a tunnel that died without a word at most so long: the longest hold time, or what probes take.
constexpr Duration kDetection = 95s;
/// A route that another program removed again and again is back within this after the last time.
constexpr Duration kRepaired = 65s;
/// No pair of SAs is left that the peer has, too: so long after that the tunnel is not used any more,
constexpr Duration kNoSas = 15s;
/// or so long, where the peer said nothing: the kernel has a pair of an earlier charon, or charon waits for its DPD.
constexpr Duration kUnnoticed = 85s;
/// Beside a pair that charon knows, those of an earlier charon are gone after this.
constexpr Duration kOrphansGo = 10s;
/// A tunnel that works is usable after this.
constexpr Duration kNoticed = 10s;
/// Probes find SAs that the peer has lost, and new ones are made, within this; DPD alone takes ModelCharon::kPatience.
constexpr Duration kRenewed = 25s;
/// What a peer lacks of our networks it gets within this, whatever else waits after a restart.
constexpr Duration kAnnounced = 3s;

}  // namespace

void Invariants::after_event() {
  at_.gateway->turn();
  if (!at_.wrong.empty() || at_.gateway->counts().turns == 0) return;
  watch_own();
  watch_peers();
  oppose();
  check_kernel();
  check_progress();
  if (!at_.promise.trial.empty()) check_promise();
  if (at_.world.now() < look_at_) return;
  look_at_ = at_.world.now() + 2s;
  check_peers();
}

void Invariants::oppose() {
  if (at_.opponent_until < at_.world.now() || !at_.gateway->running()) return;
  at_.kernel_trouble = at_.world.now();
  for (const auto& [key, route] : at_.kernel.routes()) {
    if (key.prefix != at_.opponent_prefix || route.protocol != at_.gateway->gateway().config().fib.protocol) continue;
    at_.fought[key.prefix] = at_.world.now();
    at_.kernel.remove_by_user(fib::RouteKey{key});
    at_.gateway->kernel_touched();
    return at_.gateway->turn();
  }
}

void Invariants::watch_peers() {
  const Time now = at_.world.now();
  const bool running = at_.gateway->running();
  const bool forwards = running && at_.gateway->gateway().forwards() && !at_.gateway->gateway().status().drilling;
  for (std::size_t i = 0; i < at_.peers.size(); ++i) {
    Peer& peer = at_.peers[i];
    const bool passes = peer.link->passes();
    if (passes) peer.dead_since = minibgp::kNever;
    if (!passes && peer.dead_since == minibgp::kNever) peer.dead_since = now;
    watch_sas(peer, i);
    watch_tunnel(peer, i);
    if (!peer.node->is_running()) peer.session->up = false;
    if (!peer.session->up) peer.up_since = minibgp::kNever;
    if (peer.session->up && peer.up_since == minibgp::kNever) peer.up_since = now;
    const auto id = at_.peer_id(i);
    const Time since = id ? at_.gateway->established_since(*id) : minibgp::kNever;
    // Not while we hold its new connection beside the former one, which may live.
    const bool one_session =
        peer.alive_since <= since && since <= now && peer.session->up && peer.up_since <= since + 300ms;
    const bool listens = passes && one_session && peer.paused_until < now;
    if (!listens) peer.listens_since = now + 1us;
    const bool usable = running && at_.gateway->usable(peer.ours.tunnel);
    const bool good = forwards && passes && since <= now - 1s && peer.session->up && usable &&
                      !at_.gateway->gateway().drain_step(*id);
    if (!good) peer.good_since = now + 1us;
    if (!usable) peer.used_since = now + 1us;
    if (!usable || !at_.gateway->settled()) continue;
    if (!at_.charon.tunnels[i].uplink) at_.fail(2, peer.ours.tunnel + " is used though its uplink is down");
    const Duration bound = peer.only_known && !at_.charon.has_ike(i) ? kNoSas : kUnnoticed;
    // A charon that starts gets its time to say which SAs it knows; what one that dies had not noticed is ours to
    // notice.
    const Time dead_since = std::max({peer.no_sas_since, at_.started, at_.charon_changed, peer.used_since});
    if (peer.no_sas_since != minibgp::kNever && now - dead_since > bound)
      at_.fail(2, peer.ours.tunnel + " is used though it has no SAs that the peer has");
  }
}

void Invariants::watch_sas(Peer& peer, std::size_t i) const {
  const Time now = at_.world.now();
  if (at_.charon.has_pair(i)) {
    peer.no_sas_since = minibgp::kNever;
  } else if (peer.no_sas_since == minibgp::kNever) {
    peer.no_sas_since = now;
  }
  if (!at_.gateway->running() || !at_.charon.has_known_pair(i)) {
    peer.known_since = minibgp::kNever;
    return;
  }
  if (peer.known_since == minibgp::kNever) peer.known_since = now;
  peer.only_known = peer.only_known || now - peer.known_since > kOrphansGo;
}

void Invariants::watch_tunnel(Peer& peer, std::size_t i) {
  const Time now = at_.world.now();
  const bool works = at_.gateway->running() && at_.charon.running() && at_.kernel_works() && peer.link->passes() &&
                     at_.charon.has_known_pair(i) && at_.gateway->gateway().config().tunnels.contains(peer.ours.tunnel);
  if (!works) peer.works_since = now + 1us;
  if (!at_.gateway->running()) {
    peer.doubted = false;
    return;
  }
  if (!at_.gateway->settled()) return;
  const auto status = at_.gateway->tunnels().status(peer.ours.tunnel);
  const auto told = status ? status->state : xfrm::TunnelState::down;
  const bool doubted = told == xfrm::TunnelState::suspect &&
                       (status->reason == xfrm::Reason::charon_silent || status->reason == xfrm::Reason::sa_orphaned);
  if (std::exchange(peer.doubted, doubted) && told == xfrm::TunnelState::up && !at_.charon.knows_pair(i))
    at_.fail(2, peer.ours.tunnel + " is called up again though charon knows no SAs of it");
  // The first loss after the tunnel worked: nothing backs off yet.
  const bool answers = at_.charon.answers(i, now) && at_.charon.knows_pair(i) && at_.host.interface_up(i) &&
                       at_.kernel_works() && status && at_.started < peer.dead_since;
  if (peer.link->passes()) peer.interrupted = false;
  if (!peer.link->passes() && !answers) peer.interrupted = true;
  if (peer.probed && !peer.interrupted && peer.dead_since != minibgp::kNever && now - peer.dead_since > kRenewed)
    at_.fail(8, peer.ours.tunnel + " has no new SAs though its probes are lost and the peer answers");
  const bool damped = status && status->reason == xfrm::Reason::damped;
  const Time good_since =
      std::max({peer.works_since, at_.started, at_.charon_changed, at_.charon.tunnels[i].doubted_until});
  if (!xfrm::usable(told) && !damped && good_since + kNoticed <= now)
    at_.fail(8, peer.ours.tunnel +
                    " is down though it works: " + std::string{status ? xfrm::to_text(status->reason) : "unknown"});
}

/// At every event: a network that goes and comes between two looks at the peers is new to them.
void Invariants::watch_own() {
  if (!at_.gateway->running()) return;
  std::set<Prefix> own;
  for (const auto& [prefix, attributes] : at_.gateway->gateway().announcements().own()) own.insert(prefix);
  if (own == own_) return;
  own_ = std::move(own);
  own_changed_ = at_.world.now();
}

void Invariants::check_peers() {
  if (!at_.gateway->running()) return;
  const Time now = at_.world.now();
  for (std::size_t i = 0; i < at_.peers.size(); ++i) {
    const Peer& peer = at_.peers[i];
    const auto id = at_.peer_id(i);
    if (!id) continue;
    const PeerStatus status = *at_.own_node->engine().peer(*id);
    if (status.stale && at_.own_node->engine().options_of(*id)->graceful_restart == minibgp::GracefulRestart::off)
      at_.fail(6, "routes of " + status.name + " are kept though its graceful restart is off");
    // Of a peer that is back, what it has not announced again yet waits for its End-of-RIB, whatever its tunnel does.
    const bool away = status.state != minibgp::PeerState::established;
    if (away && status.stale && !at_.gateway->usable(peer.ours.tunnel) && at_.gateway->settled())
      at_.fail(2, "routes of " + status.name + ", which is away, are kept for when its tunnel is back");
    if (std::max(peer.listens_since, own_changed_) + kAnnounced > now) continue;
    minibgp::RouteFilter filter;
    filter.peer = peer.node->peer(*at_.own_node);
    std::set<Prefix> holds;
    for (const minibgp::PathSnapshot& path : peer.node->engine().routes(filter)) holds.insert(path.prefix);
    for (const Prefix& prefix : own_)
      if (!holds.contains(prefix)) at_.fail(3, status.name + " does not get our " + minibgp::to_text(prefix));
  }
}

void Invariants::check_kernel() {
  const Time now = at_.world.now();
  std::set<Prefix> have;
  const bool running = at_.gateway->running();
  for (const auto& [key, route] : at_.kernel.routes()) {
    if (!running || route.protocol != at_.gateway->gateway().config().fib.protocol) continue;
    if (key.table == at_.gateway->gateway().config().fib.table) have.insert(key.prefix);
    if (!at_.kernel_works() || now - at_.started < 20s) continue;
    const std::vector<fib::Via> vias = at_.kernel.ways(route);
    for (const fib::Via& via : vias) {
      const std::size_t i = static_cast<std::size_t>(via.interface) - 1;
      const Peer& peer = at_.peers[i];
      // Only while the peer is configured: else its address is one like any other.
      if (key.prefix.length_bits == 32 &&
          at_.gateway->gateway().config().peers.contains(minibgp::to_text(key.prefix.address())))
        at_.fail(2, minibgp::to_text(key.prefix) + " takes over the path to a peer");
      const bool spare = std::any_of(at_.peers.begin(), at_.peers.end(), [&, &prefix = key.prefix](const Peer& other) {
        return other.good_since + kSteady <= now && other.node->announcements().contains(prefix);
      });
      const bool one_works = std::any_of(vias.begin(), vias.end(), [this](const fib::Via& one) {
        return at_.gateway->usable(at_.peers[static_cast<std::size_t>(one.interface) - 1].ours.tunnel);
      });
      if (!at_.gateway->usable(peer.ours.tunnel) && at_.gateway->settled() && !(one_works && waits_for_adoption(key)))
        at_.fail(2, minibgp::to_text(key.prefix) + " leads into " + peer.ours.tunnel + ", which is known to be down");
      if (spare && peer.dead_since != minibgp::kNever && now - peer.dead_since > kDetection)
        at_.fail(2, minibgp::to_text(key.prefix) + " leads into " + peer.ours.tunnel + ", dead for a long time");
    }
  }
  if (running && at_.kernel_works() && now - at_.started > 40s) {
    for (std::size_t prefix = 0; prefix < kPrefixes; ++prefix) {
      const bool wanted = std::any_of(at_.peers.begin(), at_.peers.end(), [&](const Peer& peer) {
        return peer.announced[prefix] != minibgp::kNever && peer.node->announcements().contains(learned(prefix)) &&
               std::max(peer.good_since, peer.announced[prefix]) + kSteady <= now;
      });
      // Where the kernel would change the foreign route in front, ours leaves until that goes.
      const bool behind = std::any_of(at_.foreign.begin(), at_.foreign.end(),
                                      [&](const auto& theirs) { return theirs.first.prefix == learned(prefix); });
      const auto fought = at_.fought.find(learned(prefix));
      const bool contested = fought != at_.fought.end() && now < fought->second + kRepaired;
      if (wanted && !behind && !contested && !have.contains(learned(prefix)))
        at_.fail(1, minibgp::to_text(learned(prefix)) + " is not in the kernel");
    }
  }
}

/// A route of an earlier run that no peer has announced since is kept until the adoption ends, while one of its next
/// hops works.
bool Invariants::waits_for_adoption(const fib::RouteKey& key) const {
  minibgp::fib::FibRouteFilter filter;
  filter.prefix = key.prefix;
  const auto routes = at_.gateway->forwarder().report().routes(filter);
  return std::any_of(routes.begin(), routes.end(), [&](const fib::RouteStatus& route) {
    return route.key == key && route.adopted && !route.desired;
  });
}

void Invariants::check_progress() {
  const SimulatedGateway::Counts& counts = at_.gateway->counts();
  const auto second = std::chrono::duration_cast<std::chrono::seconds>(at_.world.now().time_since_epoch()).count();
  if (second != second_) {
    second_ = second;
    at_second_ = counts;
  }
  if (counts.turns - at_second_.turns > 20'000) at_.fail(5, "more than 20 000 turns in one second");
  if (counts.effects - at_second_.effects > 20'000) at_.fail(5, "more than 20 000 effects in one second");
  if (counts.logs - at_second_.logs > 200) at_.fail(5, "more than 200 log lines in one second");
  if (second / 60 != minute_) {
    minute_ = second / 60;
    at_minute_ = counts;
    writes_at_minute_ = at_.kernel.writes();
  }
  if (counts.dials - at_minute_.dials > 150) at_.fail(5, "more than 150 dials in one minute");
  if (at_.kernel.writes() - writes_at_minute_ > 5'000)
    at_.fail(5, "more than 5 000 writes to the kernel in one minute");
  if (at_.kernel.foreign_harmed != 0) at_.fail(6, "a route of another program was replaced");
}

void Invariants::check_promise() {
  if (!at_.gateway->running() || !at_.wrong.empty()) return;
  if (!at_.promise.trial.empty() && at_.world.now() >= at_.promise.until) {
    if (at_.running() != at_.promise.good && at_.world.now() < at_.promise.until + 1s) return;
    at_.promise.trial.clear();
  }
  if (at_.running() != at_.promise.running())
    at_.fail(7, at_.running() + " runs, and " + at_.promise.running() + " is what was asked for");
}

}  // namespace bgplite::sim
