#include <bgp/decide.h>
#include <bgp/text.h>
#include <tests/sim/gateway/machine.h>
#include <tests/sim/gateway/rig.h>

#include <algorithm>
#include <array>
#include <set>
#include <sstream>
#include <utility>

#include <testing/random.h>
#include <testing/world.h>

namespace bgplite::sim {
namespace {

using namespace std::chrono_literals;
using minibgp::IpAddress;
using minibgp::PeerOptions;
using minibgp::PeerState;
using minibgp::PeerStatus;
using minibgp::testing::FakeKernel;
using minibgp::testing::Link;
using minibgp::testing::Node;
using minibgp::testing::Random;
using minibgp::testing::Seed;
using minibgp::testing::World;
namespace fib = minibgp::fib;
namespace xfrm = minibgp::xfrm;

constexpr std::size_t kPrefixes = 4;
constexpr std::size_t kVariants = 16;
constexpr std::uint32_t kOurAs = 65010;
/// So long everything a route depends on has held: the kernel has it.
constexpr Duration kSteady = 12s;
/// Packets go into a tunnel that died without a word at most so long: the longest hold time, or what probes take.
constexpr Duration kDetection = 95s;

Prefix learned(std::size_t number) {
  return Prefix::of(IpAddress::v4(0x14000000U + (static_cast<std::uint32_t>(number) << 8U)), 24);
}
Prefix own_network(std::size_t number) {
  return Prefix::of(IpAddress::v4(0x0A640000U + (static_cast<std::uint32_t>(number) << 8U)), 24);
}

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
  Impl(const Script& script, bool tracing) : script_(script), random_(Seed{script.seed}), world_(Seed{script.seed}) {
    build();
    gateway_->tracing = tracing;
  }

  std::string run() {
    world_.check_always([this] { after_event(); });
    gateway_->start();
    world_.run_for(15s);
    for (const Step& step : script_.steps) {
      world_.run_for(std::chrono::milliseconds{step.after_ms});
      if (!wrong_.empty()) return wrong_;
      note(step.act);
      if (gateway_->tracing)
        gateway_->trace.push_back(seconds() + " " + std::string{sim::to_text(step.act)} + " " + std::to_string(step.a) +
                                  " " + std::to_string(step.b));
      act(step);
      gateway_->turn();
      after_event();
    }
    if (wrong_.empty()) calm();
    return wrong_;
  }
  [[nodiscard]] const std::vector<std::string>& trace() const { return gateway_->trace; }
  [[nodiscard]] const Coverage& coverage() const { return coverage_; }
  [[nodiscard]] std::uint64_t turns() const { return gateway_->counts().turns; }

 private:
  struct Peer {
    Node* node = nullptr;
    Link* link = nullptr;
    bool reachable = true;  ///< The path through the Internet.
    PeerOptions ours;       ///< How we are configured toward it, before the variant.
    Time good_since{};      ///< Session, tunnel and path have been up since.
    Time dead_since = minibgp::kNever;
    std::array<Time, kPrefixes> announced{};
    bool stopped_by_operator = false;
  };

  void build() {
    minibgp::testing::NodeOptions self;
    self.as = kOurAs;
    self.name = "gateway";
    self.own_peers = true;
    self.speaker = [this](minibgp::SpeakerOptions& options) {
      if (gateway_ && gateway_->running()) options = gateway_->gateway().router_options();
    };
    node_ = &world_.add_node(self);
    const std::size_t count = 2 + random_.below(2);
    const bool one_as = !random_.one_in(4);
    files_ = "variant 0";
    for (std::size_t i = 0; i < count; ++i) {
      minibgp::testing::NodeOptions other;
      other.as = one_as ? 64512U : 64512U + static_cast<std::uint32_t>(i);
      Node& node = world_.add_node(other);
      minibgp::testing::LinkOptions options;
      options.latency = random_.up_to(40ms);
      options.window_octets = random_.one_in(5) ? 700 : 65536;
      const auto graceful = static_cast<minibgp::GracefulRestart>(random_.below(3));
      const std::uint16_t hold = random_.one_in(2) ? 9 : 30;
      const bool passive = random_.one_in(4);
      options.right = [=](PeerOptions& peer) {
        peer.graceful_restart = graceful;
        peer.timers.hold_s = hold;
        peer.passive = passive;
        peer.restart_time_s = 30;
      };
      Link& link = world_.connect(*node_, node, options);
      Peer& peer = peers_.emplace_back();
      peer.node = &node;
      peer.link = &link;
      peer.ours.address = link.address_of(node);
      peer.ours.local_address = link.address_of(*node_);
      peer.ours.remote_as = node.as();
      peer.ours.name = node.name();
      peer.ours.tunnel = SimulatedGateway::tunnel_name(i);
      peer.ours.device = peer.ours.tunnel;
      peer.ours.timers.hold_s = 30;
      peer.ours.restart_time_s = 30;
      charon_.tunnels.push_back({charon_.next_id, charon_.next_id});
      ++charon_.next_id;
      kernel_.add_link(SimulatedGateway::index_of(i), peer.ours.tunnel);
      kernel_.add_address({SimulatedGateway::index_of(i), peer.ours.local_address, peer.ours.local_address, 30, false});
      for (std::size_t prefix = 0; prefix < kPrefixes; ++prefix)
        if (random_.below(3) != 0) announce(i, prefix);
    }
    kernel_.has_objects = !random_.one_in(4);
    gateway_ = std::make_unique<SimulatedGateway>(SimulatedGateway::Surroundings{
        world_, *node_, kernel_, charon_, disk_, files_, [this](const std::string& files) { return config(files); }});
    tick();
  }

  /// charon's list, every two seconds; and its work: a pair of SAs for every tunnel whose peer can be reached.
  void tick() {
    world_.at(world_.now() + 2s, [this] {
      if (charon_.running) {
        for (std::size_t i = 0; i < peers_.size(); ++i)
          if (charon_.tunnels[i].known_child == 0 && peers_[i].reachable) establish(i);
        gateway_->charon_snapshot();
      }
      tick();
    });
  }
  void establish(std::size_t i) {
    const std::uint32_t orphan = charon_.tunnels[i].child;
    const std::uint32_t child = charon_.next_id++;
    charon_.tunnels[i] = {child, child};
    gateway_->sa_added(i, child);
    gateway_->child_up(i, child);
    if (orphan != 0) gateway_->sa_gone(i, orphan);
    update_link(i);
  }
  /// Packets pass when the path does and the kernel has SAs and an interface.
  void update_link(std::size_t i) {
    const bool passes =
        peers_[i].reachable && charon_.tunnels[i].child != 0 && kernel_.link(SimulatedGateway::index_of(i)).up;
    if (passes == peers_[i].link->passes()) return;
    passes ? peers_[i].link->heal() : peers_[i].link->blackhole();
  }
  void announce(std::size_t peer, std::size_t prefix) {
    minibgp::PathAttributes attributes;
    attributes.med = static_cast<std::uint32_t>(random_.below(3));
    peers_[peer].node->announce(learned(prefix), attributes);
    peers_[peer].announced[prefix] = world_.now();
  }

  /// The configuration that a variant's files hold. Variant 0 is what the script begins with.
  [[nodiscard]] Config config(const std::string& files) const {
    const auto variant = static_cast<std::size_t>(std::strtoul(files.c_str() + 8, nullptr, 10));
    Config config;
    config.router.asn = minibgp::Asn{kOurAs};
    config.router.router_id = minibgp::RouterId{0x0AFF0001U};
    config.router.maximum_paths = variant == 1 ? 1 : 4;
    config.router.multipath = minibgp::Multipath::relax;
    config.on_exit = variant == 2 ? OnExit::remove : OnExit::keep;
    config.state_dir = variant == 3 ? "/var/lib/other" : "/var/lib/bgplite";
    config.fib.audit_interval = 0s;
    if (variant == 4) config.fib.table = 100;
    if (variant == 5) config.fib.metric = 50;
    if (variant == 15) config.fib.protocol = 160;
    for (std::size_t i = 0; i < 2 + (variant == 6 ? 1U : 0U); ++i)
      config.networks.emplace_back().prefix = own_network(i);
    if (variant == 7) config.networks.front().med = 70;
    for (std::size_t i = 0; i < peers_.size(); ++i) {
      if (variant == 8 && i == 0) continue;
      PeerConfig peer;
      peer.options = peers_[i].ours;
      peer.accept_all = true;
      peer.return_path.more_specifics = variant != 9;
      if (variant == 10) peer.options.timers.hold_s = 9;
      if (variant == 11 && i == 1) peer.options.enabled = false;
      if (variant == 12) peer.options.graceful_restart = minibgp::GracefulRestart::off;
      if (variant == 13) peer.on_tunnel_down = PeerConfig::OnTunnelDown::close;
      if (variant == 14) peer.options.default_local_pref = 100 + static_cast<std::uint32_t>(i) * 10;
      const std::string key = minibgp::to_text(peer.options.address);
      TunnelConfig tunnel;
      tunnel.options.name = peer.options.tunnel;
      tunnel.options.if_id = static_cast<std::uint32_t>(i + 1);
      tunnel.options.ike.emplace();
      tunnel.options.ike->remote_addresses = {minibgp::to_text(IpAddress::v4(0xC6336401U + static_cast<unsigned>(i)))};
      if (variant == 7) tunnel.options.ike->proposals = "aes256-sha256-modp2048";
      tunnel.peer = key;
      config.tunnels[tunnel.options.name] = tunnel;
      config.peers[key] = peer;
    }
    return config;
  }

  // What happens

  void act(const Step& step) {
    const std::size_t i = step.a % peers_.size();
    Peer& peer = peers_[i];
    const std::optional<PeerId> id = peer_id(i);
    switch (step.act) {
      case Act::peer_announce:
        return announce(i, step.b % kPrefixes);
      case Act::peer_withdraw:
        peer.announced[step.b % kPrefixes] = {};
        return peer.node->withdraw(learned(step.b % kPrefixes));
      case Act::peer_stop:
        return peer.node->stop();
      case Act::peer_kill:
        return peer.node->kill();
      case Act::peer_crash:
        return peer.node->crash();
      case Act::peer_start:
        if (!peer.node->is_running()) peer.node->start(Node::Forwarding::preserved);
        return;
      case Act::peer_refresh:
        if (!peer.node->is_running()) return;
        for (unsigned n = 0; n <= step.b % 3; ++n)
          peer.node->engine().refresh_peer(peer.node->peer(*node_), minibgp::Direction::import, world_.now());
        return peer.node->pump();
      case Act::peer_slow:
        if (!peer.node->is_running()) return;
        peer.node->pause_reading();
        return world_.at(world_.now() + std::chrono::seconds{step.b}, [node = peer.node] {
          if (node->is_running()) node->resume_reading();
        });
      case Act::path_cut:
        peer.reachable = false;
        update_link(i);
        if (step.b % 2 == 1)
          world_.at(world_.now() + 3s, [this, i] {
            if (!peers_[i].link->passes()) gateway_->probe(i, xfrm::ProbeResult::lost);
          });
        return;
      case Act::path_heal:
        return heal(i);
      case Act::tcp_reset:
        return peer.link->reset();
      case Act::intruder:
        return peer.link->connect_silently();
      case Act::sa_lost:
        return lose_sa(i, step.b % 2 == 1);
      case Act::sa_rekey:
        return rekey(i, step.b % 2 == 1);
      case Act::charon_kill:
        charon_.running = false;
        for (ModelCharon::Tunnel& tunnel : charon_.tunnels) tunnel.known_child = 0;
        return gateway_->charon_gone();
      case Act::charon_start:
        charon_.running = true;
        return gateway_->charon_snapshot();
      case Act::link_down:
      case Act::link_up:
        kernel_.set_link(SimulatedGateway::index_of(i), step.act == Act::link_up);
        kernel_trouble_ = world_.now();
        return update_link(i), gateway_->kernel_touched(), gateway_->table_changed();
      case Act::vandal:
        if (kernel_.routes().empty()) return;
        kernel_trouble_ = world_.now();
        kernel_.remove_by_user(fib::RouteKey{
            std::next(kernel_.routes().begin(), static_cast<long>(step.b % kernel_.routes().size()))->first});
        return gateway_->kernel_touched();
      case Act::object_gone:
        if (kernel_.objects().empty()) return;
        kernel_trouble_ = world_.now();
        kernel_.remove_object_by_user(
            std::next(kernel_.objects().begin(), static_cast<long>(step.b % kernel_.objects().size()))->first);
        return gateway_->kernel_touched();
      case Act::refuse:
        kernel_.refuse_one_in = 2 + step.b % 5;
        return;
      case Act::overrun:
        kernel_.lose_one_in = 1 + step.b % 4;
        return;
      case Act::kernel_calm:
        return kernel_calm();
      case Act::kill:
        return gateway_->kill();
      case Act::stop:
        return stop();
      case Act::start:
        return start();
      case Act::write_files:
        files_ = "variant " + std::to_string(step.b % kVariants);
        return;
      case Act::apply:
      case Act::apply_confirm:
      case Act::reload:
        return apply(step);
      case Act::confirm:
        return gateway_->confirm();
      case Act::rollback:
        return gateway_->rollback();
      case Act::drain:
        if (id) gateway_->ask(input::Drain{*id, std::chrono::seconds{step.b % 5 + 1}});
        return;
      case Act::undo_drain:
        if (id) gateway_->ask(input::UndoDrain{*id});
        return;
      case Act::disable:
        if (id) gateway_->ask(input::DisablePeer{*id, "asked"});
        return;
      case Act::enable:
        if (id) gateway_->ask(input::EnablePeer{*id, std::nullopt});
        return;
      case Act::reset:
        if (id) gateway_->ask(input::ResetPeer{*id, "asked", std::nullopt});
        return;
      case Act::refresh:
        if (!id) return;
        node_->engine().refresh_peer(*id, step.b % 2 == 0 ? minibgp::Direction::import : minibgp::Direction::export_,
                                     world_.now());
        return node_->pump();
      case Act::announce:
        return gateway_->ask(input::Announce{own_network(4 + step.b % 3), {}});
      case Act::withdraw:
        return gateway_->ask(input::Withdraw{own_network(4 + step.b % 3)});
      case Act::drill:
        return gateway_->ask(input::StartDrill{peer.ours.tunnel, std::chrono::seconds{1 + step.b}});
      case Act::stop_drill:
        return gateway_->ask(input::StopDrill{});
      case Act::terminate:
        return gateway_->ask(input::TerminateTunnel{peer.ours.tunnel});
      case Act::disk_full:
      case Act::disk_free:
        disk_.full = step.act == Act::disk_full;
        return;
      case Act::kCount:
        return;
    }
  }

  void heal(std::size_t i) {
    peers_[i].reachable = true;
    update_link(i);
    gateway_->probe(i, xfrm::ProbeResult::answered);
  }
  void lose_sa(std::size_t i, bool silently) {
    const std::uint32_t child = charon_.tunnels[i].child;
    if (child == 0) return;
    charon_.tunnels[i] = {};
    gateway_->sa_gone(i, child);
    if (!silently && charon_.running) gateway_->child_down(i, child);
    update_link(i);
  }
  void rekey(std::size_t i, bool silently) {
    const std::uint32_t old = charon_.tunnels[i].child;
    if (old == 0 || !charon_.running || charon_.tunnels[i].known_child == 0) return;
    const std::uint32_t child = charon_.next_id++;
    charon_.tunnels[i] = {child, child};
    gateway_->sa_added(i, child);
    if (!silently) gateway_->child_up(i, child);
    world_.at(world_.now() + 100ms, [this, i, old] { gateway_->sa_gone(i, old); });
  }
  void kernel_calm() {
    kernel_.refuse_one_in = kernel_.lose_one_in = 0;
    kernel_trouble_ = world_.now();
  }
  void stop() {
    if (!gateway_->running()) return;
    const bool remove = gateway_->gateway().config().on_exit == OnExit::remove;
    gateway_->stop();
    disturbed();
    if (!remove || kernel_.refuse_one_in != 0 || kernel_.lose_one_in != 0) return;
    for (const auto& [key, route] : kernel_.routes())
      if (route.protocol != 4) return fail(6, "a stop with on_exit: remove leaves " + minibgp::to_text(key.prefix));
  }
  void start() {
    if (gateway_->running()) return;
    gateway_->start();
    started_ = world_.now();
    disturbed();
    expected_ = gateway_->keeper().running().files().begin()->second.get()->c_str();
    trial_ends_ = minibgp::kNever;
  }
  void apply(const Step& step) {
    if (!gateway_->running()) return;
    const std::string before = running();
    const bool full = disk_.full;
    std::optional<std::chrono::seconds> confirm;
    if (step.act == Act::apply_confirm) confirm = std::chrono::seconds{1 + step.b * 2};
    gateway_->apply(confirm, step.act == Act::reload ? ConfigKeeper::Origin::signal : ConfigKeeper::Origin::command);
    if (running() != before) disturbed();
    if (full && running() != before) fail(7, "a change that could not be stored runs");
    if (confirm && gateway_->keeper().unconfirmed_for(world_.now())) trial_ends_ = world_.now() + *confirm;
  }
  [[nodiscard]] std::string running() const { return *gateway_->keeper().running().files().begin()->second; }
  void disturbed() {
    for (Peer& peer : peers_) peer.good_since = world_.now();
    kernel_trouble_ = std::max(kernel_trouble_, world_.now() - 20s);
  }
  [[nodiscard]] std::optional<PeerId> peer_id(std::size_t i) const {
    if (!gateway_->running()) return std::nullopt;
    return gateway_->gateway().peers().find(minibgp::to_text(peers_[i].ours.address), gateway_->gateway().config());
  }

  // What must hold after every event

  void after_event() {
    gateway_->turn();
    if (!wrong_.empty() || gateway_->counts().turns == 0) return;
    watch_peers();
    check_kernel();
    check_progress();
    check_trial();
  }

  void watch_peers() {
    const Time now = world_.now();
    for (std::size_t i = 0; i < peers_.size(); ++i) {
      Peer& peer = peers_[i];
      const bool passes = peer.link->passes();
      if (passes) peer.dead_since = minibgp::kNever;
      if (!passes && peer.dead_since == minibgp::kNever) peer.dead_since = now;
      const auto id = peer_id(i);
      const auto status = id ? node_->engine().peer(*id) : std::nullopt;
      const bool good = passes && status && status->state == PeerState::established && peer.node->is_running() &&
                        peer.node->established(*node_) && gateway_->usable(peer.ours.tunnel) &&
                        status->since <= now - 1s && !gateway_->gateway().drain_step(*id) &&
                        !gateway_->gateway().status().drilling && gateway_->gateway().forwards();
      if (!good) peer.good_since = now + 1us;
    }
  }
  [[nodiscard]] bool kernel_works() const {
    return kernel_.refuse_one_in == 0 && kernel_.lose_one_in == 0 && world_.now() - kernel_trouble_ > 40s;
  }

  void check_kernel() {
    const Time now = world_.now();
    std::set<Prefix> have;
    const bool running = gateway_->running();
    for (const auto& [key, route] : kernel_.routes()) {
      if (!running || route.protocol != gateway_->gateway().config().fib.protocol) continue;
      if (key.table == gateway_->gateway().config().fib.table) have.insert(key.prefix);
      if (!kernel_works() || now - started_ < 20s) continue;
      const std::vector<fib::Via> vias = kernel_.ways(route);
      for (const fib::Via& via : vias) {
        const std::size_t i = static_cast<std::size_t>(via.interface) - 1;
        const Peer& peer = peers_[i];
        const bool spare = std::any_of(peers_.begin(), peers_.end(), [&, &prefix = key.prefix](const Peer& other) {
          return other.good_since + kSteady <= now && other.node->announcements().contains(prefix);
        });
        if (!gateway_->usable(peer.ours.tunnel) && gateway_->settled())
          fail(2, minibgp::to_text(key.prefix) + " leads into " + peer.ours.tunnel + ", which is known to be down");
        if (spare && peer.dead_since != minibgp::kNever && now - peer.dead_since > kDetection)
          fail(2, minibgp::to_text(key.prefix) + " leads into " + peer.ours.tunnel + ", dead for a long time");
      }
    }
    if (running && kernel_works() && now - started_ > 40s) {
      for (std::size_t prefix = 0; prefix < kPrefixes; ++prefix) {
        const bool wanted = std::any_of(peers_.begin(), peers_.end(), [&](const Peer& peer) {
          return peer.announced[prefix] != Time{} && peer.node->announcements().contains(learned(prefix)) &&
                 std::max(peer.good_since, peer.announced[prefix]) + kSteady <= now;
        });
        if (wanted && !have.contains(learned(prefix)))
          fail(1, minibgp::to_text(learned(prefix)) + " is not in the kernel");
      }
    }
  }

  void check_progress() {
    const SimulatedGateway::Counts& counts = gateway_->counts();
    const auto second = std::chrono::duration_cast<std::chrono::seconds>(world_.now().time_since_epoch()).count();
    if (second != second_) {
      second_ = second;
      at_second_ = counts;
    }
    if (counts.turns - at_second_.turns > 20'000) fail(5, "more than 20 000 turns in one second");
    if (counts.effects - at_second_.effects > 20'000) fail(5, "more than 20 000 effects in one second");
    if (counts.logs - at_second_.logs > 200) fail(5, "more than 200 log lines in one second");
  }

  void check_trial() {
    if (!gateway_->running() || trial_ends_ == minibgp::kNever) return;
    if (!gateway_->keeper().unconfirmed_for(world_.now())) {
      trial_ends_ = minibgp::kNever;
    } else if (world_.now() > trial_ends_ + 1s && !disk_.full) {
      fail(7, "a change runs unconfirmed after its time");
    }
  }

  // Quiet, at the end

  void calm() {
    kernel_calm();
    disk_.full = false;
    charon_.running = true;
    gateway_->charon_snapshot();
    for (std::size_t i = 0; i < peers_.size(); ++i) {
      kernel_.set_link(SimulatedGateway::index_of(i), true);
      if (!peers_[i].node->is_running()) peers_[i].node->start(Node::Forwarding::lost);
      peers_[i].node->resume_reading();
      heal(i);
    }
    gateway_->kernel_touched();
    gateway_->table_changed();
    if (!gateway_->running()) start();
    world_.run_for(400s);
    if (!wrong_.empty()) return;
    check_config();
    check_sessions();
    check_advertised();
    check_decisions();
    check_fib();
    if (!wrong_.empty()) return;
    // Then everything that is announced goes, and nothing may be left.
    for (Peer& peer : peers_) {
      peer.announced = {};
      const auto announced = peer.node->announcements();
      for (const auto& [prefix, attributes] : announced) peer.node->withdraw(prefix);
    }
    world_.run_for(60s);
    if (!wrong_.empty()) return;
    for (const auto& [key, route] : kernel_.routes())
      fail(6, minibgp::to_text(key.prefix) + " is left in table " + std::to_string(key.table));
    if (!kernel_.objects().empty()) fail(6, std::to_string(kernel_.objects().size()) + " next-hop objects are left");
    if (node_->engine().route_count() != gateway_->gateway().announcements().own().size())
      fail(6, "routes are left in the table of the speaker");
  }

  void check_config() {
    if (gateway_->keeper().unconfirmed_for(world_.now())) fail(7, "a trial never ends");
    for (const bgplite::Step& step : gateway_->gateway().plan(config(running())))
      if (step.kind != bgplite::Step::Kind::needs_restart)
        fail(7, "what runs differs from what was applied: " + step.text);
  }

  void check_sessions() {
    for (std::size_t i = 0; i < peers_.size(); ++i) {
      const auto id = peer_id(i);
      if (!id) continue;
      const PeerStatus status = *node_->engine().peer(*id);
      if (status.state == PeerState::established) continue;
      if (!status.enabled && status.last_down == minibgp::DownReason::admin_down) continue;
      const Config now = gateway_->gateway().config();
      if (!now.peers.at(minibgp::to_text(peers_[i].ours.address)).options.enabled) continue;
      fail(8, status.name + " is not Established: " + std::string{minibgp::to_text(status.state)} + ", enabled " +
                  std::to_string(status.enabled) + ", tunnel " +
                  (gateway_->usable(peers_[i].ours.tunnel) ? "usable" : "down") + ", last " +
                  std::string{minibgp::to_text(status.last_down)});
    }
    const Gateway::Status status = gateway_->gateway().status();
    if (status.arriving != 0) fail(8, "a peer waits to be used for ever");
    if (status.parts != 0) fail(3, "networks are announced in halves though no tunnel is lost");
    if (!gateway_->forwarder().status().synchronized) fail(8, "the fib does not come to rest");
    if (gateway_->forwarder().status().adopting) fail(8, "routes of an earlier run are kept for ever");
  }

  void check_advertised() {
    for (std::size_t i = 0; i < peers_.size(); ++i) {
      const auto id = peer_id(i);
      if (!id || node_->engine().peer(*id)->state != PeerState::established) continue;
      minibgp::RouteFilter filter;
      filter.peer = peers_[i].node->peer(*node_);
      std::set<Prefix> holds;
      const bool drained = gateway_->gateway().drain_step(*id).has_value();
      for (const minibgp::PathSnapshot& path : peers_[i].node->engine().routes(filter)) {
        holds.insert(path.prefix);
        const auto& communities = path.received.communities;
        const bool leaving =
            std::find(communities.begin(), communities.end(), minibgp::Community{0xFFFF0000U}) != communities.end();
        if (leaving != drained)
          fail(3, peers_[i].node->name() + " holds " + minibgp::to_text(path.prefix) +
                      (drained ? " without" : " with") + " GRACEFUL_SHUTDOWN");
      }
      for (const auto& [prefix, attributes] : gateway_->gateway().announcements().own())
        if (!holds.contains(prefix)) fail(3, peers_[i].node->name() + " does not hold our " + minibgp::to_text(prefix));
      for (const Prefix& prefix : holds)
        if (prefix.address().octets[0] == 10 && !gateway_->gateway().announcements().own().contains(prefix))
          fail(3, peers_[i].node->name() + " holds " + minibgp::to_text(prefix) + " of ours, which is not announced");
    }
    std::set<Prefix> wanted;
    for (const Network& network : gateway_->gateway().config().networks) wanted.insert(network.prefix);
    for (const auto& [prefix, attributes] : gateway_->gateway().announcements().by_command()) wanted.insert(prefix);
    for (const auto& [prefix, attributes] : gateway_->gateway().announcements().own())
      if (wanted.erase(prefix) == 0) fail(3, minibgp::to_text(prefix) + " is announced and not configured");
    if (!wanted.empty()) fail(3, minibgp::to_text(*wanted.begin()) + " is configured and not announced");
  }

  /// Again, by the function for tools, in another order.
  void check_decisions() {
    std::map<Prefix, std::vector<minibgp::PathSnapshot>> paths;
    for (minibgp::PathSnapshot& path : node_->engine().routes({})) paths[path.prefix].push_back(std::move(path));
    for (auto& [prefix, all] : paths) {
      std::reverse(all.begin(), all.end());
      std::vector<minibgp::DecideInput> inputs;
      bool local = false;
      for (const minibgp::PathSnapshot& path : all) {
        local = local || path.peer == minibgp::kLocalPeer;
        if (local) break;
        const PeerStatus status = *node_->engine().peer(path.peer);
        minibgp::DecideInput input;
        input.attributes = path.accepted.value_or(path.received);
        input.peer_type = status.type;
        input.peer_router_id = status.remote_id;
        input.peer_address = status.address;
        input.usable = path.usable;
        input.default_local_pref = node_->engine().options_of(path.peer)->default_local_pref;
        inputs.push_back(std::move(input));
      }
      if (local) continue;
      for (const minibgp::Ranked& ranked : minibgp::decide(inputs, node_->engine().options()))
        if (ranked.best != all[ranked.index].best)
          fail(4, minibgp::to_text(prefix) + ": another best path from the same set of paths");
    }
  }

  /// The kernel has exactly the best paths.
  void check_fib() {
    std::map<Prefix, std::set<IpAddress>> wanted, have;
    for (const auto& [prefix, paths] : node_->table())
      for (const minibgp::BestPath& path : paths) wanted[prefix].insert(path.next_hop.address);
    for (const auto& [key, route] : kernel_.routes()) {
      if (key.table != gateway_->gateway().config().fib.table)
        fail(6, minibgp::to_text(key.prefix) + " is left in table " + std::to_string(key.table));
      for (const fib::Via& via : kernel_.ways(route)) have[key.prefix].insert(via.gateway);
    }
    for (const auto& [prefix, gateways] : wanted)
      if (have[prefix] != gateways) fail(1, "the kernel's next hops of " + minibgp::to_text(prefix) + " differ");
    for (const auto& [prefix, gateways] : have)
      if (!gateways.empty() && !wanted.contains(prefix)) fail(6, minibgp::to_text(prefix) + " is in the kernel");
  }

  void fail(int invariant, const std::string& what) {
    if (wrong_.empty()) wrong_ = std::to_string(invariant) + ": at " + seconds() + ": " + what;
  }
  [[nodiscard]] std::string seconds() const {
    std::ostringstream out;
    out << std::chrono::duration<double>{world_.now().time_since_epoch()}.count() << " s";
    return out.str();
  }

  void note(Act what) {
    const auto add = [&](Going state, bool is) {
      if (is) ++coverage_[{sim::to_text(what), kGoing.at(static_cast<std::size_t>(state))}];
    };
    add(Going::not_running, !gateway_->running());
    add(Going::no_charon, !charon_.running);
    add(Going::disk_full, disk_.full);
    add(Going::refusals, kernel_.refuse_one_in != 0 || kernel_.lose_one_in != 0);
    add(Going::path_cut, std::any_of(peers_.begin(), peers_.end(), [](const Peer& peer) { return !peer.reachable; }));
    if (!gateway_->running()) return;
    const Gateway::Status status = gateway_->gateway().status();
    add(Going::starting, world_.now() - started_ < 30s && started_ != Time{});
    add(Going::trial, gateway_->keeper().unconfirmed_for(world_.now()).has_value());
    add(Going::drained, status.drained != 0);
    add(Going::drilling, status.drilling);
    add(Going::arriving, status.arriving != 0);
    add(Going::parts, status.parts != 0);
    bool lost = false, down = false, stale = false;
    for (const Peer& peer : peers_) lost = lost || !gateway_->usable(peer.ours.tunnel);
    for (const PeerStatus& peer : node_->engine().peers()) {
      down = down || peer.state != PeerState::established;
      stale = stale || peer.stale;
    }
    add(Going::tunnel_lost, lost);
    add(Going::session_down, down);
    add(Going::stale, stale);
  }

  const Script script_;
  Random random_;
  World world_;
  Node* node_ = nullptr;
  FakeKernel kernel_{1};
  ModelCharon charon_;
  Disk disk_;
  std::string files_, expected_;
  std::vector<Peer> peers_;
  std::unique_ptr<SimulatedGateway> gateway_;
  Time kernel_trouble_{}, started_{}, trial_ends_ = minibgp::kNever;
  SimulatedGateway::Counts at_second_;
  std::int64_t second_ = -1;
  std::string wrong_;
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
