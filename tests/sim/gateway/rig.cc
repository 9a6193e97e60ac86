#include <tests/sim/gateway/invariants.h>
#include <tests/sim/gateway/player.h>
#include <tests/sim/gateway/rig.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace bgplite::sim {
namespace {

using namespace std::chrono_literals;
using minibgp::PeerState;
using minibgp::PeerStatus;

enum class Going : std::uint8_t {
  starting,
  trial,
  drained,
  drilling,
  tunnel_lost,
  path_cut,
  session_down,
  stale,
  arriving,
  parts,
  refusals,
  no_charon,
  disk_full,
  not_running,
  kCount,
};
constexpr std::array<std::string_view, static_cast<std::size_t>(Going::kCount)> kGoing = {
    "starting", "trial",    "drained", "drilling", "tunnel-lost", "path-cut",  "session-down",
    "stale",    "arriving", "parts",   "refusals", "no-charon",   "disk-full", "not-running"};

}  // namespace

class Rig::Impl {
 public:
  Impl(const Script& script, bool tracing) : script_(script), at_(script.seed) { at_.gateway->tracing = tracing; }

  std::string run() {
    at_.world.check_always([this] { invariants_.after_event(); });
    at_.gateway->start();
    at_.promise.start(at_.files, false);
    at_.world.run_for(15s);
    for (const Step& step : script_.steps) {
      at_.world.run_for(std::chrono::milliseconds{step.after_ms});
      if (!at_.wrong.empty()) return at_.wrong;
      if (at_.gateway->running() && at_.own_node->engine().next_deadline() > at_.world.now())
        invariants_.check_decisions();
      note(step.act);
      if (at_.gateway->tracing)
        at_.gateway->trace.push_back(at_.seconds() + " " + std::string{sim::to_text(step.act)} + " " +
                                     std::to_string(step.a) + " " + std::to_string(step.b));
      player_.play(step);
      at_.gateway->turn();
      invariants_.after_event();
      invariants_.check_promise();
    }
    if (at_.wrong.empty()) come_to_rest();
    return at_.wrong;
  }
  [[nodiscard]] const std::vector<std::string>& trace() const { return at_.gateway->trace; }
  [[nodiscard]] const Coverage& coverage() const { return coverage_; }
  [[nodiscard]] std::uint64_t turns() const { return at_.gateway->counts().turns; }

 private:
  void come_to_rest() {
    player_.calm();
    // Longer than every timer, in one script of eight; in the others until nothing is wrong any more.
    const Time end = at_.world.now() + 400s;
    at_.world.run_for(script_.seed % 8 == 0 ? 400s : 40s);
    while (at_.wrong.empty()) {
      invariants_.check_quiet();
      if (at_.wrong.empty() || at_.world.now() >= end) break;
      at_.wrong.clear();
      at_.world.run_for(std::min<Duration>(30s, end - at_.world.now()));
    }
    if (!at_.wrong.empty()) return;
    // Then everything that is announced goes, and nothing may be left.
    for (Setting::Peer& peer : at_.peers) {
      peer.announced = Setting::never();
      const auto announced = peer.node->announcements();
      for (const auto& [prefix, attributes] : announced) peer.node->withdraw(prefix);
    }
    const Time over = at_.world.now() + 60s;
    while (at_.wrong.empty()) {
      at_.world.run_for(5s);
      if (!at_.wrong.empty()) return;
      invariants_.check_empty();
      if (at_.wrong.empty() || at_.world.now() >= over) return;
      at_.wrong.clear();
    }
  }

  void note(Act what) {
    const auto add = [&](Going state, bool is) {
      if (is) ++coverage_[{sim::to_text(what), kGoing.at(static_cast<std::size_t>(state))}];
    };
    add(Going::not_running, !at_.gateway->running());
    add(Going::no_charon, !at_.charon.running());
    add(Going::disk_full, at_.disk.full);
    add(Going::refusals, at_.kernel.refuse_one_in != 0 || at_.kernel.lose_one_in != 0);
    add(Going::path_cut, std::any_of(at_.charon.tunnels.begin(), at_.charon.tunnels.end(),
                                     [](const ModelCharon::Tunnel& tunnel) { return !tunnel.reachable; }));
    if (!at_.gateway->running()) return;
    const Gateway::Status status = at_.gateway->gateway().status();
    add(Going::starting, at_.world.now() - at_.started < 30s && at_.started != Time{});
    add(Going::trial, at_.gateway->keeper().unconfirmed_for(at_.world.now()).has_value());
    add(Going::drained, status.drained != 0);
    add(Going::drilling, status.drilling);
    add(Going::arriving, status.arriving != 0);
    add(Going::parts, status.parts != 0);
    bool lost = false, down = false, stale = false;
    for (const Setting::Peer& peer : at_.peers) lost = lost || !at_.gateway->usable(peer.ours.tunnel);
    for (const PeerStatus& peer : at_.own_node->engine().peers()) {
      down = down || peer.state != PeerState::established;
      stale = stale || peer.stale;
    }
    add(Going::tunnel_lost, lost);
    add(Going::session_down, down);
    add(Going::stale, stale);
  }

  const Script script_;
  Setting at_;
  Player player_{at_};
  Invariants invariants_{at_};
  Coverage coverage_;
};

Rig::Rig(const Script& script, bool tracing) : impl_(std::make_unique<Impl>(script, tracing)) {}
Rig::~Rig() = default;
std::string Rig::run() { return impl_->run(); }
const std::vector<std::string>& Rig::trace() const { return impl_->trace(); }
const Coverage& Rig::coverage() const { return impl_->coverage(); }
std::uint64_t Rig::turns() const { return impl_->turns(); }
std::size_t Rig::pairs() { return static_cast<std::size_t>(Act::kCount) * static_cast<std::size_t>(Going::kCount); }

}  // namespace bgplite::sim
