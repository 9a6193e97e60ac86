#include <bgp/text.h>
#include <tests/sim/gateway/player.h>
#include <xfrm/verdict.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace bgplite::sim {
namespace {

using namespace std::chrono_literals;
using minibgp::testing::Node;
namespace fib = minibgp::fib;
namespace xfrm = minibgp::xfrm;
using Peer = Setting::Peer;

ModelCharon::Event event_of(const Step& step) {
  return step.b % 2 == 1 ? ModelCharon::Event::lost : ModelCharon::Event::told;
}

/// Fits a message of 4096 octets, and does not with one more AS.
minibgp::PathAttributes large_attributes() {
  minibgp::PathAttributes attributes;
  attributes.unknown.push_back({0xC0, 250, std::vector<std::uint8_t>(4043)});
  return attributes;
}

void start_peer(Peer& peer, Node::Forwarding forwarding, Time now) {
  if (peer.node->is_running()) return;
  // Its observer was told nothing of a crash.
  peer.session->up = false;
  peer.alive_since = now;
  peer.node->start(forwarding);
}

}  // namespace

void Player::play(const Step& step) {
  if (step.act < Act::path_cut) return play_peer(step);
  if (step.act < Act::link_down) return play_tunnel(step);
  if (step.act < Act::kill) return play_kernel(step);
  if (step.act < Act::drain) return play_process(step);
  if (step.act < Act::disk_full) return play_operator(step);
  at_.disk.full = step.act == Act::disk_full;
}

void Player::play_peer(const Step& step) {
  const std::size_t i = step.a % at_.peers.size();
  Peer& peer = at_.peers[i];
  switch (step.act) {
    case Act::peer_announce:
      return step.b >= 18 ? at_.announce(i, at_.guarded(i), {}) : at_.announce(i, step.b % kPrefixes);
    case Act::peer_large:
      at_.announce(i, learned(step.b % kPrefixes), large_attributes());
      peer.announced[step.b % kPrefixes] = at_.world.now();
      return;
    case Act::peer_withdraw:
      peer.announced[step.b % kPrefixes] = minibgp::kNever;
      return peer.node->withdraw(learned(step.b % kPrefixes));
    case Act::peer_stop:
      return peer.node->stop();
    case Act::peer_kill:
      return peer.node->kill();
    case Act::peer_crash:
      return peer.node->crash();
    case Act::peer_start:
      return start_peer(peer, Node::Forwarding::preserved, at_.world.now());
    case Act::peer_refresh:
      if (!peer.node->is_running()) return;
      for (unsigned n = 0; n <= step.b % 3; ++n)
        peer.node->engine().refresh_peer(peer.node->peer(*at_.own_node), minibgp::Direction::import, at_.world.now());
      return peer.node->pump();
    case Act::peer_slow:
      if (!peer.node->is_running()) return;
      peer.node->pause_reading();
      peer.paused_until = std::max(peer.paused_until, at_.world.now() + std::chrono::seconds{step.b});
      return at_.world.at(at_.world.now() + std::chrono::seconds{step.b}, [node = peer.node] {
        if (node->is_running()) node->resume_reading();
      });
    default:
      return;
  }
}

void Player::play_tunnel(const Step& step) {
  const std::size_t i = step.a % at_.peers.size();
  Peer& peer = at_.peers[i];
  switch (step.act) {
    case Act::path_cut:
      at_.charon.tunnels[i].reachable = false;
      return at_.update_link(i);
    case Act::path_heal:
      return heal(i);
    case Act::tcp_reset:
      return peer.link->reset();
    case Act::intruder:
      peer.link->connect_silently(step.b % 2 == 1 ? *at_.own_node : *peer.node);
      if (step.b >= 10)
        at_.world.at(at_.world.now() + std::chrono::seconds{step.b - 9}, [link = peer.link] { link->close_silent(); });
      return;
    case Act::sa_lost:
      if (step.b > 7) at_.charon.tunnels[i].refused_until = at_.world.now() + std::chrono::seconds{4 * step.b};
      return at_.charon.delete_by_peer(i, event_of(step));
    case Act::sa_rekey:
      return at_.charon.rekey(i, event_of(step), at_.world.now());
    case Act::ike_forgot:
      return at_.charon.forget(i);
    case Act::ike_repeats:
      if (step.b % 2 == 0) {
        // One hint alone takes no tunnel down; several, whose answers are not in charon's log, may.
        const Time now = at_.world.now();
        if (now - std::exchange(peer.repeated, now) < xfrm::kHintLife)
          at_.charon.tunnels[i].doubted_until = now + 2 * xfrm::kHintLife;
      }
      return at_.charon.repeat(i, step.b % 2 == 0);
    case Act::uplink_down:
    case Act::uplink_up:
      return set_uplink(i, step.act == Act::uplink_up);
    case Act::charon_kill:
      if (at_.charon.running()) at_.charon_changed = at_.world.now();
      at_.charon.crash();
      for (Peer& one : at_.peers) one.only_known = false;
      return at_.gateway->charon_changed();
    case Act::charon_start:
      at_.charon.start();
      at_.charon_changed = at_.world.now();
      return at_.gateway->charon_changed();
    default:
      return;
  }
}

/// As `ip route del`. Of a route that was fought over not long ago it is the next blow of the same fight.
void Player::remove_route(const fib::RouteKey& key) {
  const Time now = at_.world.now();
  at_.kernel_trouble = now;
  if (const auto fought = at_.fought.find(key.prefix);
      fought != at_.fought.end() && now < fought->second + 2 * fib::kRepairWaitMax)
    fought->second = now;
  at_.kernel.remove_by_user(fib::RouteKey{key});
  at_.gateway->kernel_touched();
}

void Player::play_kernel(const Step& step) {
  const std::size_t i = step.a % at_.peers.size();
  switch (step.act) {
    case Act::link_down:
    case Act::link_up:
      at_.kernel_trouble = at_.world.now();
      // At times it goes altogether.
      step.act == Act::link_down&& step.b >= 16 ? at_.host.remove_interface(i)
                                                : at_.host.set_interface(i, step.act == Act::link_up);
      return at_.gateway->kernel_touched();
    case Act::vandal:
      if (at_.kernel.routes().empty()) return;
      return remove_route(
          std::next(at_.kernel.routes().begin(), static_cast<long>(step.b % at_.kernel.routes().size()))->first);
    case Act::object_gone:
      if (at_.kernel.objects().empty()) return;
      at_.kernel_trouble = at_.world.now();
      at_.kernel.remove_object_by_user(
          std::next(at_.kernel.objects().begin(), static_cast<long>(step.b % at_.kernel.objects().size()))->first);
      return at_.gateway->kernel_touched();
    case Act::opponent:
      at_.opponent_until = at_.world.now() + 20s;
      at_.opponent_prefix = learned(step.b % kPrefixes);
      return;
    case Act::foreign:
      return put_foreign(i, learned(step.b % kPrefixes), step.b);
    case Act::refuse:
      at_.kernel.refuse_one_in = 2 + step.b % 5;
      return;
    case Act::overrun:
      at_.kernel.lose_one_in = 1 + step.b % 4;
      return;
    case Act::kernel_calm:
      return kernel_calm();
    default:
      return;
  }
}

void Player::play_process(const Step& step) {
  switch (step.act) {
    case Act::kill:
      return at_.gateway->kill();
    case Act::stop:
      return stop();
    case Act::start:
      return start();
    case Act::write_files:
      at_.files = "variant " + std::to_string(step.b % kVariants);
      return;
    case Act::apply:
    case Act::apply_confirm:
    case Act::reload:
      return apply(step);
    case Act::confirm:
      if (at_.gateway->running() && !at_.disk.full) at_.promise.confirm();
      return at_.gateway->confirm();
    case Act::rollback:
      if (at_.gateway->running()) at_.promise.rollback(at_.disk.full);
      return at_.gateway->rollback();
    default:
      return;
  }
}

/// What commands ask for; those for configurations are in play_process().
void Player::play_operator(const Step& step) {
  const std::size_t i = step.a % at_.peers.size();
  Peer& peer = at_.peers[i];
  const std::optional<PeerId> id = at_.peer_id(i);
  switch (step.act) {
    case Act::drain:
      if (id) at_.gateway->ask(input::Drain{*id, std::chrono::seconds{step.b % 5 + 1}});
      return;
    case Act::undo_drain:
      if (id && at_.gateway->gateway().drain_step(*id) == DrainStep::stopped) peer.stopped_by_operator = false;
      if (id) at_.gateway->ask(input::UndoDrain{*id});
      return;
    case Act::disable:
      if (id) peer.stopped_by_operator = true;
      if (id) at_.gateway->ask(input::DisablePeer{*id, "asked"});
      return;
    case Act::enable:
      if (id) peer.stopped_by_operator = false;
      if (id) at_.gateway->ask(input::EnablePeer{*id, std::nullopt});
      return;
    case Act::reset:
      if (id) at_.gateway->ask(input::ResetPeer{*id, "asked", std::nullopt});
      return;
    case Act::refresh:
      if (!id) return;
      for (unsigned n = 0; n <= step.b / 2 % 4; ++n)
        at_.own_node->engine().refresh_peer(
            *id, step.b % 2 == 0 ? minibgp::Direction::import : minibgp::Direction::export_, at_.world.now());
      return at_.own_node->pump();
    case Act::announce:
      return at_.gateway->ask(input::Announce{own_network(4 + step.b % 3), {}});
    case Act::withdraw:
      return at_.gateway->ask(input::Withdraw{own_network(4 + step.b % 3)});
    case Act::drill:
      return at_.gateway->ask(input::StartDrill{peer.ours.tunnel, std::chrono::seconds{1 + step.b}});
    case Act::stop_drill:
      return at_.gateway->ask(input::StopDrill{});
    case Act::terminate:
      return at_.gateway->ask(input::TerminateTunnel{peer.ours.tunnel});
    default:
      return;
  }
}

void Player::heal(std::size_t i) {
  at_.charon.tunnels[i].reachable = true;
  at_.update_link(i);
}

void Player::set_uplink(std::size_t i, bool carrier) {
  at_.charon.tunnels[i].uplink = carrier;
  at_.host.set_uplink(i, carrier);
  at_.update_link(i);
}

void Player::put_foreign(std::size_t i, const Prefix& prefix, std::uint32_t b) {
  const fib::Via via{at_.peers[i].ours.address, index_of(i)};
  for (const auto& [key, route] : at_.kernel.routes()) {
    if (key.prefix != prefix) continue;
    at_.kernel.put_beside(key, 4, via, b % 2 == 0 ? fib::Placement::created : fib::Placement::appended);
    at_.foreign.emplace_back(key, via);
    break;
  }
  at_.kernel_trouble = at_.world.now();
  at_.gateway->kernel_touched();
  at_.world.at(at_.world.now() + std::chrono::seconds{3 * b}, [this] { remove_foreign(); });
}

void Player::remove_foreign() {
  if (at_.foreign.empty()) return;
  for (const auto& [key, via] : std::exchange(at_.foreign, {})) at_.kernel.remove_beside(key, via);
  at_.kernel_trouble = at_.world.now();
  if (at_.gateway->running()) at_.gateway->kernel_touched();
}

void Player::kernel_calm() {
  at_.kernel.refuse_one_in = at_.kernel.lose_one_in = 0;
  at_.kernel_trouble = at_.world.now();
}

void Player::stop() {
  if (!at_.gateway->running()) return;
  const bool remove = at_.gateway->gateway().config().on_exit == OnExit::remove;
  at_.gateway->stop();
  at_.disturbed();
  if (!remove || at_.kernel.refuse_one_in != 0 || at_.kernel.lose_one_in != 0) return;
  for (const auto& [key, route] : at_.kernel.routes())
    if (route.protocol != 4) return at_.fail(6, "a stop with on_exit: remove leaves " + minibgp::to_text(key.prefix));
  if (!at_.host.interfaces().empty()) at_.fail(6, "a stop with on_exit: remove leaves an interface");
  if (!at_.host.routes().empty()) at_.fail(6, "a stop with on_exit: remove leaves a route to an IKE endpoint");
  if (at_.charon.running() && !at_.charon.connections().empty())
    at_.fail(6, "a stop with on_exit: remove leaves a connection in charon");
}

void Player::start() {
  if (at_.gateway->running()) return;
  at_.gateway->start();
  at_.started = at_.world.now();
  at_.disturbed();
  at_.promise.start(at_.files, at_.disk.full);
  for (Peer& peer : at_.peers) {
    peer.stopped_by_operator = false;
    peer.probe = xfrm::ProbeResult::unknown;
  }
}

void Player::apply(const Step& step) {
  if (!at_.gateway->running()) return;
  const std::string before = at_.running();
  const auto in_force = [](const std::string& files) {
    return Setting::variant_of(files) == 0 || Setting::variant_of(files) == kInForce;
  };
  std::vector<std::size_t> up;
  for (std::size_t i = 0; i < at_.peers.size(); ++i)
    if (const auto id = at_.peer_id(i); id && at_.gateway->established_since(*id) != minibgp::kNever) up.push_back(i);
  std::optional<std::chrono::seconds> confirm;
  if (step.act == Act::apply_confirm) confirm = std::chrono::seconds{1 + step.b * 2};
  const bool signal = step.act == Act::reload;
  if (!at_.disk.full) at_.promise.apply(at_.files, confirm, signal, at_.world.now());
  at_.gateway->apply(confirm, signal ? ConfigKeeper::Origin::signal : ConfigKeeper::Origin::command);
  if (at_.running() != before) at_.disturbed();
  if (!in_force(before) || !in_force(at_.running())) return;
  for (const std::size_t i : up)
    if (const auto id = at_.peer_id(i); !id || at_.gateway->established_since(*id) == minibgp::kNever)
      at_.fail(7, "a change to what is in force already ends the session with " + at_.peers[i].node->name());
}

/// Everything works from now on.
void Player::calm() {
  kernel_calm();
  remove_foreign();
  at_.opponent_until = std::min(at_.opponent_until, at_.world.now() - 1us);
  at_.disk.full = false;
  if (!at_.charon.running()) {
    at_.charon.start();
    at_.charon_changed = at_.world.now();
    at_.gateway->charon_changed();
  }
  for (std::size_t i = 0; i < at_.peers.size(); ++i) {
    set_uplink(i, true);
    at_.charon.tunnels[i].refused_until = {};
    at_.host.set_interface(i, true);
    start_peer(at_.peers[i], Node::Forwarding::lost, at_.world.now());
    at_.peers[i].node->resume_reading();
    heal(i);
  }
  at_.gateway->kernel_touched();
  if (!at_.gateway->running()) start();
}

}  // namespace bgplite::sim
