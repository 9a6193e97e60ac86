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

constexpr std::size_t kPrefixes = 6;
/// A peer announces no more than this, and its limit is the same.
constexpr std::size_t kAnnouncedMax = 4;
constexpr std::size_t kVariants = 20;
constexpr std::uint32_t kOurAs = 65010;
/// Says what is in force without it, too.
constexpr std::size_t kInForce = 19;
/// So long everything a route depends on has held: the kernel has it.
constexpr Duration kSteady = 12s;
/// Packets go into a tunnel that died without a word at most so long: the longest hold time, or what probes take.
constexpr Duration kDetection = 95s;
/// A peer that is lost takes its routes along at once; within this the others' are there.
constexpr Duration kReplaced = 100ms;
/// A route that another program removed again and again is back within this after the last time.
constexpr Duration kRepaired = 65s;
/// charon knows of no SAs that carry packets: so long after that the tunnel is not used any more.
constexpr Duration kNoSas = 15s;
/// What a peer lacks of our networks it gets within this, whatever else waits after a restart.
constexpr Duration kAnnounced = 10s;

Prefix learned(std::size_t number) {
  return Prefix::of(IpAddress::v4(0x14000000U + (static_cast<std::uint32_t>(number) << 8U)), 24);
}
Prefix own_network(std::size_t number) {
  return Prefix::of(IpAddress::v4(0x0A640000U + (static_cast<std::uint32_t>(number) << 8U)), 24);
}

/// Fits a message of 4096 octets, and does not with one more AS.
minibgp::PathAttributes large_attributes() {
  minibgp::PathAttributes attributes;
  attributes.unknown.push_back({0xC0, 250, std::vector<std::uint8_t>(4043)});
  return attributes;
}

/// Whether the session of a peer is up, as the peer knows it.
struct Session final : minibgp::Observer {
  bool up = false;
  void on_peer_changed(const minibgp::PeerChanged& change) override { up = change.to == PeerState::established; }
};

/// Which configuration is to run, from what the operator did: knows nothing of ConfigKeeper.
struct Promise {
  std::string good, before, taken_back, trial;  ///< Empty: there is none.
  Time until = minibgp::kNever;                 ///< Of the trial.
  std::string stored_good, stored_taken_back;   ///< What a start finds.

  void start(const std::string& files, bool disk_full) {
    const bool refused = !stored_taken_back.empty() && stored_taken_back == files;
    good = refused ? stored_good : files;
    if (!refused) taken_back.clear();
    if (refused) taken_back = files;
    before.clear();
    trial.clear();
    if (!disk_full) store();
  }
  void store() {
    stored_good = good;
    stored_taken_back = taken_back;
  }
  void apply(const std::string& files, std::optional<std::chrono::seconds> confirm, bool signal, Time now) {
    if (signal && (!trial.empty() || files == taken_back)) return;
    if (confirm) {
      taken_back = trial = files;  // Until it is confirmed, a start does not run it.
      until = now + *confirm;
    } else {
      if (files != good) before = good;
      good = files;
      taken_back.clear();
      trial.clear();
    }
    store();
  }
  void confirm() {
    if (trial.empty()) return;
    before = std::exchange(good, trial);
    trial.clear();
    taken_back.clear();
    store();
  }
  void rollback(bool disk_full) {
    if (!trial.empty()) return trial.clear();
    if (disk_full || before.empty()) return;
    taken_back = std::exchange(good, before);
    before.clear();
    store();
  }
  [[nodiscard]] const std::string& running() const { return trial.empty() ? good : trial; }
};

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
    promise_.start(files_, false);
    world_.run_for(15s);
    for (const Step& step : script_.steps) {
      world_.run_for(std::chrono::milliseconds{step.after_ms});
      if (!wrong_.empty()) return wrong_;
      if (gateway_->running() && node_->engine().next_deadline() > world_.now()) check_decisions();
      note(step.act);
      if (gateway_->tracing)
        gateway_->trace.push_back(seconds() + " " + std::string{sim::to_text(step.act)} + " " + std::to_string(step.a) +
                                  " " + std::to_string(step.b));
      act(step);
      gateway_->turn();
      after_event();
      check_promise();
    }
    if (wrong_.empty()) calm();
    return wrong_;
  }
  [[nodiscard]] const std::vector<std::string>& trace() const { return gateway_->trace; }
  [[nodiscard]] const Coverage& coverage() const { return coverage_; }
  [[nodiscard]] std::uint64_t turns() const { return gateway_->counts().turns; }

 private:
  static constexpr std::array<Time, kPrefixes> never() {
    std::array<Time, kPrefixes> times{};
    times.fill(minibgp::kNever);
    return times;
  }
  struct Peer {
    Node* node = nullptr;
    Link* link = nullptr;
    bool reachable = true;  ///< The path through the Internet.
    PeerOptions ours;       ///< How we are configured toward it, before the variant.
    std::string key;        ///< Of its configuration.
    std::unique_ptr<Session> session;
    Time good_since{};     ///< Session, tunnel and path have been up since.
    Time listens_since{};  ///< The session has been up at both ends, and the peer reads, since.
    Time paused_until{};
    Time dead_since = minibgp::kNever;
    Time no_sas_since = minibgp::kNever;
    Time pair_since{};       ///< The pair of SAs that works.
    bool may_trust = false;  ///< Nothing says that an older pair is dead, too.
    Time used_since = minibgp::kNever;
    Time lost{};  ///< Its session or tunnel ended; it may have been back at once.
    std::array<Time, kPrefixes> announced = never();
    bool stopped_by_operator = false;
  };

  void build() {
    minibgp::testing::NodeOptions self;
    self.as = kOurAs;
    self.name = "gateway";
    self.own_peers = true;
    self.speaker = [this](minibgp::SpeakerOptions& options) {
      if (gateway_ && gateway_->running()) options = gateway_->gateway().speaker_options();
    };
    node_ = &world_.add_node(self);
    const std::size_t count = 2 + random_.below(2);
    const std::size_t as_step = random_.below(3);  // All of one AS, two of one beside another, or each of its own.
    const bool short_messages = random_.one_in(2);
    files_ = "variant 0";
    for (std::size_t i = 0; i < count; ++i) {
      minibgp::testing::NodeOptions other;
      const auto number = static_cast<std::uint32_t>(i);
      other.as = 64512U + (as_step == 0 ? 0U : as_step == 1 ? (number + 1U) / 2U : number);
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
        peer.extended_messages = !short_messages;
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
      peer.ours.extended_messages = !short_messages;
      peer.ours.import_limit.max = kAnnouncedMax;
      peer.key = minibgp::to_text(peer.ours.address);
      peer.session = std::make_unique<Session>();
      node.set_observer(peer.session.get());
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
          if (needs_pair(i)) establish(i);
        for (std::size_t i = 0; i < peers_.size(); ++i)
          if (charon_.tunnels[i].forgotten && world_.now() - peers_[i].dead_since > 3s)
            gateway_->probe(i, xfrm::ProbeResult::lost);
        gateway_->charon_snapshot();
      }
      tick();
    });
  }
  [[nodiscard]] bool needs_pair(std::size_t i) const {
    const ModelCharon::Tunnel& tunnel = charon_.tunnels[i];
    if (!peers_[i].reachable || !tunnel.uplink || tunnel.refused_until > world_.now()) return false;
    return tunnel.known_child == 0 || gateway_->need(i) == xfrm::Need::new_sas;
  }
  /// Beside what there is: charon ends the pair that it knows, and does not know those of an earlier charon.
  void establish(std::size_t i) {
    ModelCharon::Tunnel& tunnel = charon_.tunnels[i];
    const std::uint32_t old = tunnel.child;
    const std::uint32_t child = charon_.next_id++;
    const bool known = tunnel.known_child != 0;
    tunnel.child = tunnel.known_child = child;
    tunnel.forgotten = false;
    peers_[i].pair_since = world_.now();
    peers_[i].may_trust = false;
    gateway_->sa_added(i, child);
    gateway_->child_up(i, child);
    if (old != 0 && known) {
      gateway_->child_down(i, old);
      gateway_->sa_gone(i, old);
    } else if (old != 0) {
      tunnel.orphans.push_back(old);
    }
    update_link(i);
    if (peers_[i].link->passes()) gateway_->probe(i, xfrm::ProbeResult::answered);
  }
  /// Packets pass when the path does and the kernel has SAs and an interface.
  void update_link(std::size_t i) {
    const ModelCharon::Tunnel& tunnel = charon_.tunnels[i];
    const bool passes = peers_[i].reachable && tunnel.child != 0 && !tunnel.forgotten && tunnel.uplink &&
                        kernel_.link(SimulatedGateway::index_of(i)).up;
    if (passes == peers_[i].link->passes()) return;
    passes ? peers_[i].link->heal() : peers_[i].link->blackhole();
  }
  /// Of a peer's address on another link: what is never to be installed.
  [[nodiscard]] Prefix guarded(std::size_t peer) const {
    return Prefix::of(peers_[(peer + 1) % peers_.size()].ours.address, 32);
  }
  void announce(std::size_t peer, const Prefix& prefix, const minibgp::PathAttributes& attributes) {
    Node& node = *peers_[peer].node;
    while (node.announcements().size() >= kAnnouncedMax && !node.announcements().contains(prefix)) {
      const Prefix other =
          std::next(node.announcements().begin(), static_cast<long>(random_.below(node.announcements().size())))->first;
      for (std::size_t i = 0; i < kPrefixes; ++i)
        if (other == learned(i)) peers_[peer].announced[i] = minibgp::kNever;
      node.withdraw(other);
    }
    node.announce(prefix, attributes);
  }
  void announce(std::size_t peer, std::size_t prefix) {
    minibgp::PathAttributes attributes;
    attributes.med = static_cast<std::uint32_t>(random_.below(3));
    announce(peer, learned(prefix), attributes);
    peers_[peer].announced[prefix] = world_.now();
  }

  [[nodiscard]] static std::size_t variant_of(const std::string& files) {
    return static_cast<std::size_t>(std::strtoul(files.c_str() + 8, nullptr, 10));
  }
  /// The configuration that a variant's files hold. Variant 0 is what the script begins with.
  [[nodiscard]] Config config(const std::string& files) const {
    const std::size_t variant = variant_of(files);
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
    if (variant == 18) config.fib.next_hop_objects = false;
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
      if (variant == 16 && i == 1) peer.options.remote_as = minibgp::Asn{64999};
      if (variant == 17 && i == 0) peer.options.import_limit.max = 1;
      if (variant == kInForce) {
        peer.options.timers.keepalive_s = 10;
        peer.options.local_as = minibgp::Asn{kOurAs};
      }
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
        return step.b >= 18 ? announce(i, guarded(i), {}) : announce(i, step.b % kPrefixes);
      case Act::peer_large:
        announce(i, learned(step.b % kPrefixes), large_attributes());
        peer.announced[step.b % kPrefixes] = world_.now();
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
        peer.paused_until = std::max(peer.paused_until, world_.now() + std::chrono::seconds{step.b});
        return world_.at(world_.now() + std::chrono::seconds{step.b}, [node = peer.node] {
          if (node->is_running()) node->resume_reading();
        });
      case Act::path_cut:
        peer.reachable = false;
        update_link(i);
        if (step.b % 2 == 1) probe_fails(i);
        return;
      case Act::path_heal:
        return heal(i);
      case Act::tcp_reset:
        return peer.link->reset();
      case Act::intruder:
        return peer.link->connect_silently(step.b % 2 == 1 ? *node_ : *peer.node);
      case Act::sa_lost:
        if (step.b > 7) charon_.tunnels[i].refused_until = world_.now() + std::chrono::seconds{4 * step.b};
        return lose_sa(i, step.b % 2 == 1);
      case Act::sa_rekey:
        return rekey(i, step.b % 2 == 1);
      case Act::ike_forgot:
        charon_.tunnels[i].forgotten = charon_.tunnels[i].child != 0;
        update_link(i);
        return probe_fails(i);
      case Act::ike_repeats:
        return gateway_->ike_repeats(i);
      case Act::uplink_down:
      case Act::uplink_up:
        charon_.tunnels[i].uplink = step.act == Act::uplink_up;
        update_link(i);
        return gateway_->table_changed();
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
      case Act::opponent:
        opponent_until_ = world_.now() + 20s;
        opponent_prefix_ = learned(step.b % kPrefixes);
        return;
      case Act::foreign:
        return put_foreign(i, learned(step.b % kPrefixes), step.b);
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
        if (gateway_->running() && !disk_.full) promise_.confirm();
        return gateway_->confirm();
      case Act::rollback:
        if (gateway_->running()) promise_.rollback(disk_.full);
        return gateway_->rollback();
      case Act::drain:
        if (id) gateway_->ask(input::Drain{*id, std::chrono::seconds{step.b % 5 + 1}});
        return;
      case Act::undo_drain:
        if (id && gateway_->gateway().drain_step(*id) == DrainStep::stopped) peer.stopped_by_operator = false;
        if (id) gateway_->ask(input::UndoDrain{*id});
        return;
      case Act::disable:
        if (id) peer.stopped_by_operator = true;
        if (id) gateway_->ask(input::DisablePeer{*id, "asked"});
        return;
      case Act::enable:
        if (id) peer.stopped_by_operator = false;
        if (id) gateway_->ask(input::EnablePeer{*id, std::nullopt});
        return;
      case Act::reset:
        if (id) gateway_->ask(input::ResetPeer{*id, "asked", std::nullopt});
        return;
      case Act::refresh:
        if (!id) return;
        for (unsigned n = 0; n <= step.b / 2 % 4; ++n)
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
    if (peers_[i].link->passes()) gateway_->probe(i, xfrm::ProbeResult::answered);
  }
  void probe_fails(std::size_t i) {
    world_.at(world_.now() + 3s, [this, i] {
      if (!peers_[i].link->passes()) gateway_->probe(i, xfrm::ProbeResult::lost);
    });
  }
  void put_foreign(std::size_t i, const Prefix& prefix, std::uint32_t b) {
    const fib::Via via{peers_[i].ours.address, SimulatedGateway::index_of(i)};
    for (const auto& [key, route] : kernel_.routes()) {
      if (key.prefix != prefix) continue;
      kernel_.put_beside(key, 4, via, b % 2 == 0 ? fib::Placement::created : fib::Placement::appended);
      foreign_.emplace_back(key, via);
      break;
    }
    kernel_trouble_ = world_.now();
    gateway_->kernel_touched();
    world_.at(world_.now() + std::chrono::seconds{3 * b}, [this] { remove_foreign(); });
  }
  void remove_foreign() {
    if (foreign_.empty()) return;
    for (const auto& [key, via] : std::exchange(foreign_, {})) kernel_.remove_beside(key, via);
    kernel_trouble_ = world_.now();
    if (gateway_->running()) gateway_->kernel_touched();
  }
  void lose_sa(std::size_t i, bool silently) {
    const std::uint32_t child = charon_.tunnels[i].child;
    if (child == 0) return;
    peers_[i].may_trust =
        !gateway_->running() || !charon_.running || world_.now() < std::max(peers_[i].pair_since, started_) + 10s;
    charon_.tunnels[i].child = charon_.tunnels[i].known_child = 0;
    charon_.tunnels[i].forgotten = false;
    gateway_->sa_gone(i, child);
    if (!silently && charon_.running) gateway_->child_down(i, child);
    update_link(i);
  }
  void rekey(std::size_t i, bool silently) {
    const std::uint32_t old = charon_.tunnels[i].child;
    if (old == 0 || !charon_.running || charon_.tunnels[i].known_child == 0 || charon_.tunnels[i].forgotten) return;
    peers_[i].pair_since = world_.now();
    const std::uint32_t child = charon_.next_id++;
    charon_.tunnels[i].child = charon_.tunnels[i].known_child = child;
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
    promise_.start(files_, disk_.full);
    for (Peer& peer : peers_) {
      peer.stopped_by_operator = false;
      peer.may_trust = true;
    }
  }
  void apply(const Step& step) {
    if (!gateway_->running()) return;
    const std::string before = running();
    const auto in_force = [](const std::string& files) {
      return variant_of(files) == 0 || variant_of(files) == kInForce;
    };
    std::vector<std::size_t> up;
    for (std::size_t i = 0; i < peers_.size(); ++i)
      if (const auto id = peer_id(i); id && gateway_->established_since(*id) != minibgp::kNever) up.push_back(i);
    std::optional<std::chrono::seconds> confirm;
    if (step.act == Act::apply_confirm) confirm = std::chrono::seconds{1 + step.b * 2};
    const bool signal = step.act == Act::reload;
    if (!disk_.full) promise_.apply(files_, confirm, signal, world_.now());
    gateway_->apply(confirm, signal ? ConfigKeeper::Origin::signal : ConfigKeeper::Origin::command);
    if (running() != before) disturbed();
    if (!in_force(before) || !in_force(running())) return;
    for (const std::size_t i : up)
      if (const auto id = peer_id(i); !id || gateway_->established_since(*id) == minibgp::kNever)
        fail(7, "a change to what is in force already ends the session with " + peers_[i].node->name());
  }
  [[nodiscard]] std::string running() const { return *gateway_->keeper().running().files().begin()->second; }
  void disturbed() {
    for (Peer& peer : peers_) peer.good_since = world_.now();
    kernel_trouble_ = std::max(kernel_trouble_, world_.now() - 20s);
  }
  [[nodiscard]] std::optional<PeerId> peer_id(std::size_t i) const {
    if (!gateway_->running()) return std::nullopt;
    return gateway_->gateway().find_peer(peers_[i].key);
  }

  // What must hold after every event

  void after_event() {
    gateway_->turn();
    if (!wrong_.empty() || gateway_->counts().turns == 0) return;
    watch_peers();
    oppose();
    check_kernel();
    check_progress();
    if (!promise_.trial.empty()) check_promise();
    if (world_.now() < look_at_) return;
    look_at_ = world_.now() + 5s;
    check_peers();
  }

  void oppose() {
    if (opponent_until_ < world_.now() || !gateway_->running()) return;
    kernel_trouble_ = world_.now();
    for (const auto& [key, route] : kernel_.routes()) {
      if (key.prefix != opponent_prefix_ || route.protocol != gateway_->gateway().fib_options().protocol) continue;
      kernel_.remove_by_user(fib::RouteKey{key});
      gateway_->kernel_touched();
      return gateway_->turn();
    }
  }

  void watch_peers() {
    const Time now = world_.now();
    const bool running = gateway_->running();
    const bool forwards = running && gateway_->gateway().forwards() && !gateway_->gateway().status().drilling;
    for (std::size_t i = 0; i < peers_.size(); ++i) {
      Peer& peer = peers_[i];
      const bool passes = peer.link->passes();
      if (passes) peer.dead_since = minibgp::kNever;
      if (!passes && peer.dead_since == minibgp::kNever) peer.dead_since = now;
      const bool no_sas = charon_.running && charon_.tunnels[i].child == 0;
      if (!no_sas) peer.no_sas_since = minibgp::kNever;
      if (no_sas && peer.no_sas_since == minibgp::kNever) {
        peer.no_sas_since = now;
        peer.may_trust = peer.may_trust || now < std::max(peer.pair_since, started_) + 10s;
      }
      if (!peer.node->is_running()) peer.session->up = false;
      const auto id = peer_id(i);
      const Time since = id ? gateway_->established_since(*id) : minibgp::kNever;
      const bool listens = passes && since <= now && peer.session->up && peer.paused_until < now;
      if (!listens) peer.listens_since = now + 1us;
      const bool usable = running && gateway_->usable(peer.ours.tunnel);
      const bool good =
          forwards && passes && since <= now - 1s && peer.session->up && usable && !gateway_->gateway().drain_step(*id);
      if (!good) peer.good_since = now + 1us;
      const Time used_since = usable ? since : minibgp::kNever;
      if (peer.used_since != minibgp::kNever && peer.used_since != used_since) peer.lost = now;
      peer.used_since = used_since;
      if (!usable || !gateway_->settled()) continue;
      if (!charon_.tunnels[i].uplink) fail(2, peer.ours.tunnel + " is used though its uplink is down");
      if (peer.no_sas_since != minibgp::kNever && now - peer.no_sas_since > kNoSas && !peer.may_trust)
        fail(2, peer.ours.tunnel + " is used though it has no SAs that charon knows");
    }
  }

  void check_peers() {
    if (!gateway_->running()) return;
    const Time now = world_.now();
    std::set<Prefix> own;
    for (const auto& [prefix, attributes] : gateway_->gateway().own()) own.insert(prefix);
    if (own != own_) own_changed_ = now;
    own_ = std::move(own);
    for (std::size_t i = 0; i < peers_.size(); ++i) {
      const Peer& peer = peers_[i];
      const auto id = peer_id(i);
      if (!id) continue;
      const PeerStatus status = *node_->engine().peer(*id);
      if (status.stale && node_->engine().options_of(*id)->graceful_restart == minibgp::GracefulRestart::off)
        fail(6, "routes of " + status.name + " are kept though its graceful restart is off");
      if (status.stale && !gateway_->usable(peer.ours.tunnel) && gateway_->settled())
        fail(2, "routes of " + status.name + ", which is away, are kept for when its tunnel is back");
      if (std::max(peer.listens_since, own_changed_) + kAnnounced > now) continue;
      minibgp::RouteFilter filter;
      filter.peer = peer.node->peer(*node_);
      std::set<Prefix> holds;
      for (const minibgp::PathSnapshot& path : peer.node->engine().routes(filter)) holds.insert(path.prefix);
      for (const Prefix& prefix : own_)
        if (!holds.contains(prefix)) fail(3, status.name + " does not get our " + minibgp::to_text(prefix));
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
      if (!running || route.protocol != gateway_->gateway().fib_options().protocol) continue;
      if (key.table == gateway_->gateway().config().fib.table) have.insert(key.prefix);
      if (!kernel_works() || now - started_ < 20s) continue;
      const std::vector<fib::Via> vias = kernel_.ways(route);
      for (const fib::Via& via : vias) {
        const std::size_t i = static_cast<std::size_t>(via.interface) - 1;
        const Peer& peer = peers_[i];
        if (key.prefix.length_bits == 32) fail(2, minibgp::to_text(key.prefix) + " takes over the path to a peer");
        const bool spare = std::any_of(peers_.begin(), peers_.end(), [&, &prefix = key.prefix](const Peer& other) {
          return other.good_since + kSteady <= now && other.node->announcements().contains(prefix);
        });
        if (!gateway_->usable(peer.ours.tunnel) && gateway_->settled() && !waits_for_adoption(key))
          fail(2, minibgp::to_text(key.prefix) + " leads into " + peer.ours.tunnel + ", which is known to be down");
        if (spare && peer.dead_since != minibgp::kNever && now - peer.dead_since > kDetection)
          fail(2, minibgp::to_text(key.prefix) + " leads into " + peer.ours.tunnel + ", dead for a long time");
      }
    }
    if (running && kernel_works() && now - started_ > 40s) {
      for (std::size_t prefix = 0; prefix < kPrefixes; ++prefix) {
        const bool wanted = std::any_of(peers_.begin(), peers_.end(), [&](const Peer& peer) {
          return peer.announced[prefix] != minibgp::kNever && peer.node->announcements().contains(learned(prefix)) &&
                 std::max(peer.good_since, peer.announced[prefix]) + kSteady <= now;
        });
        const bool replaced = std::any_of(peers_.begin(), peers_.end(), [&](const Peer& peer) {
          return peer.lost + kReplaced > now && peer.node->announcements().contains(learned(prefix));
        });
        // Where the kernel would change the foreign route in front, ours leaves until that goes.
        const bool behind = std::any_of(foreign_.begin(), foreign_.end(),
                                        [&](const auto& theirs) { return theirs.first.prefix == learned(prefix); });
        const bool contested = learned(prefix) == opponent_prefix_ && now < opponent_until_ + kRepaired;
        if (wanted && !replaced && !behind && !contested && !have.contains(learned(prefix)))
          fail(1, minibgp::to_text(learned(prefix)) + " is not in the kernel");
      }
    }
  }

  /// A route of an earlier run that no peer has announced since is kept until the adoption ends, wherever it leads.
  [[nodiscard]] bool waits_for_adoption(const fib::RouteKey& key) const {
    minibgp::fib::FibRouteFilter filter;
    filter.prefix = key.prefix;
    const auto routes = gateway_->forwarder().routes(filter);
    return std::any_of(routes.begin(), routes.end(), [&](const fib::RouteStatus& route) {
      return route.key == key && route.adopted && !route.desired;
    });
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
    if (second / 60 != minute_) {
      minute_ = second / 60;
      at_minute_ = counts;
      writes_at_minute_ = kernel_.writes();
    }
    if (counts.dials - at_minute_.dials > 150) fail(5, "more than 150 dials in one minute");
    if (kernel_.writes() - writes_at_minute_ > 5'000) fail(5, "more than 5 000 writes to the kernel in one minute");
    if (kernel_.foreign_harmed != 0) fail(6, "a route of another program was replaced");
  }

  void check_promise() {
    if (!gateway_->running() || !wrong_.empty()) return;
    if (!promise_.trial.empty() && world_.now() >= promise_.until) {
      if (running() != promise_.good && world_.now() < promise_.until + 1s) return;
      promise_.trial.clear();
    }
    if (running() != promise_.running())
      fail(7, running() + " runs, and " + promise_.running() + " is what was asked for");
  }

  // Quiet, at the end

  void calm() {
    kernel_calm();
    remove_foreign();
    opponent_until_ = std::min(opponent_until_, world_.now() - 1us);
    disk_.full = false;
    charon_.running = true;
    gateway_->charon_snapshot();
    for (std::size_t i = 0; i < peers_.size(); ++i) {
      charon_.tunnels[i].uplink = true;
      charon_.tunnels[i].refused_until = {};
      kernel_.set_link(SimulatedGateway::index_of(i), true);
      if (!peers_[i].node->is_running()) peers_[i].node->start(Node::Forwarding::lost);
      peers_[i].node->resume_reading();
      heal(i);
    }
    gateway_->kernel_touched();
    gateway_->table_changed();
    if (!gateway_->running()) start();
    // Longer than every timer, in one script of eight; in the others until nothing is wrong any more.
    const Time end = world_.now() + 400s;
    world_.run_for(script_.seed % 8 == 0 ? 400s : 40s);
    while (wrong_.empty()) {
      check_quiet();
      if (wrong_.empty() || world_.now() >= end) break;
      wrong_.clear();
      world_.run_for(std::min<Duration>(30s, end - world_.now()));
    }
    if (!wrong_.empty()) return;
    // Then everything that is announced goes, and nothing may be left.
    for (Peer& peer : peers_) {
      peer.announced = never();
      const auto announced = peer.node->announcements();
      for (const auto& [prefix, attributes] : announced) peer.node->withdraw(prefix);
    }
    const Time over = world_.now() + 60s;
    while (wrong_.empty()) {
      world_.run_for(5s);
      if (!wrong_.empty()) return;
      check_empty();
      if (wrong_.empty() || world_.now() >= over) return;
      wrong_.clear();
    }
  }

  void check_quiet() {
    check_config();
    check_sessions();
    check_advertised();
    check_decisions();
    check_fib();
  }

  void check_empty() {
    for (const auto& [key, route] : kernel_.routes())
      fail(6, minibgp::to_text(key.prefix) + " is left in table " + std::to_string(key.table));
    if (!kernel_.objects().empty()) fail(6, std::to_string(kernel_.objects().size()) + " next-hop objects are left");
    if (node_->engine().route_count() != gateway_->gateway().own().size())
      fail(6, "routes are left in the table of the speaker");
  }

  void check_config() {
    check_promise();
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
      const PeerOptions& options = gateway_->gateway().config().peers.at(peers_[i].key).options;
      if (gateway_->tunnel_state(i) != xfrm::TunnelState::up)
        fail(8, peers_[i].ours.tunnel + " is " + std::string{xfrm::to_text(gateway_->tunnel_state(i))});
      if (status.state == PeerState::established) {
        if (status.hold_s != std::min(options.timers.hold_s, status.peer_hold_s))
          fail(7, status.name + " has another hold time than is configured");
        continue;
      }
      const bool stopped = peers_[i].stopped_by_operator || gateway_->gateway().drain_step(*id) == DrainStep::stopped ||
                           !options.enabled;
      const bool other_as = options.remote_as != peers_[i].node->as();
      if (stopped || other_as || options.import_limit.max < kAnnouncedMax) continue;
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
      std::set<Prefix> advertised;
      for (const minibgp::AnnouncedSnapshot& one : node_->engine().announced_to(*id, {})) advertised.insert(one.prefix);
      for (const Prefix& prefix : holds)
        if (!advertised.contains(prefix))
          fail(3, peers_[i].node->name() + " holds " + minibgp::to_text(prefix) + ", which we do not advertise");
      for (const Prefix& prefix : advertised)
        if (!holds.contains(prefix) && prefix != Prefix::of(peers_[i].ours.address, 32))
          fail(3, peers_[i].node->name() + " does not hold " + minibgp::to_text(prefix) + ", which we advertise");
      for (const auto& [prefix, attributes] : gateway_->gateway().own())
        if (!holds.contains(prefix)) fail(3, peers_[i].node->name() + " does not hold our " + minibgp::to_text(prefix));
      for (const Prefix& prefix : holds)
        if (prefix.length_bits != 32 && prefix.address().octets[0] == 10 && !gateway_->gateway().own().contains(prefix))
          fail(3, peers_[i].node->name() + " holds " + minibgp::to_text(prefix) + " of ours, which is not announced");
    }
    std::set<Prefix> wanted;
    for (const Network& network : gateway_->gateway().config().networks) wanted.insert(network.prefix);
    for (const auto& [prefix, attributes] : gateway_->gateway().runtime_announcements()) wanted.insert(prefix);
    for (const auto& [prefix, attributes] : gateway_->gateway().own())
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
        local = local || path.peer == minibgp::kLocalPeer || node_->engine().options_of(path.peer) == nullptr;
        if (local) break;
        const auto peer = std::find_if(peers_.begin(), peers_.end(), [&](const Peer& known) {
          return node_->engine().options_of(path.peer)->address == known.ours.address;
        });
        minibgp::DecideInput input;
        input.attributes = path.accepted.value_or(path.received);
        input.peer_router_id = peer->node->router_id();
        input.peer_address = peer->ours.address;
        input.usable = path.usable;
        input.default_local_pref = node_->engine().options_of(path.peer)->default_local_pref;
        inputs.push_back(std::move(input));
      }
      if (local) continue;
      for (const minibgp::Ranked& ranked : minibgp::decide(inputs, node_->engine().options()))
        if (ranked.best != all[ranked.index].best || ranked.multipath != all[ranked.index].multipath)
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
      if (prefix.length_bits != 32 && have[prefix] != gateways)
        fail(1, "the kernel's next hops of " + minibgp::to_text(prefix) + " differ");
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
  std::string files_;
  Promise promise_;
  std::vector<Peer> peers_;
  std::unique_ptr<SimulatedGateway> gateway_;
  Time kernel_trouble_{}, started_{}, look_at_{}, own_changed_{}, opponent_until_{};
  Prefix opponent_prefix_;
  std::vector<std::pair<fib::RouteKey, fib::Via>> foreign_;
  std::set<Prefix> own_;
  SimulatedGateway::Counts at_second_, at_minute_;
  std::uint64_t writes_at_minute_ = 0;
  std::int64_t second_ = -1, minute_ = -1;
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
