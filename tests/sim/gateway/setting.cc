#include <bgp/text.h>
#include <tests/sim/gateway/setting.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <sstream>
#include <utility>

namespace bgplite::sim {
namespace {

using namespace std::chrono_literals;
using minibgp::IpAddress;
using minibgp::PeerOptions;
using minibgp::testing::Link;
using minibgp::testing::Node;
using minibgp::testing::Seed;
namespace fib = minibgp::fib;
namespace xfrm = minibgp::xfrm;

}  // namespace

Setting::Setting(std::uint64_t seed) : random(Seed{seed}), world(Seed{seed}) {
  minibgp::testing::NodeOptions self;
  self.as = kOurAs;
  self.name = "gateway";
  self.own_peers = true;
  self.speaker = [this](minibgp::SpeakerOptions& options) {
    if (gateway && gateway->running()) options = gateway->gateway().router_options();
  };
  own_node = &world.add_node(self);
  const std::size_t count = 2 + random.below(2);
  const std::size_t as_step = random.below(3);  // All of one AS, two of one beside another, or each of its own.
  const bool short_messages = random.one_in(2);
  files = "variant 0";
  for (std::size_t i = 0; i < count; ++i) {
    minibgp::testing::NodeOptions other;
    const auto number = static_cast<std::uint32_t>(i);
    other.as = 64512U + (as_step == 0 ? 0U : as_step == 1 ? (number + 1U) / 2U : number);
    Node& node = world.add_node(other);
    minibgp::testing::LinkOptions options;
    options.latency = random.up_to(40ms);
    options.window_octets = random.one_in(5) ? 700 : 65536;
    const auto graceful = static_cast<minibgp::GracefulRestart>(random.below(3));
    const std::uint16_t hold = random.one_in(2) ? 9 : 30;
    const bool passive = random.one_in(4);
    options.right = [=](PeerOptions& peer) {
      peer.graceful_restart = graceful;
      peer.timers.hold_s = hold;
      peer.passive = passive;
      peer.restart_time_s = 30;
      peer.extended_messages = !short_messages;
    };
    Link& link = world.connect(*own_node, node, options);
    Peer& peer = peers.emplace_back();
    peer.node = &node;
    peer.link = &link;
    peer.ours.address = link.address_of(node);
    peer.ours.local_address = link.address_of(*own_node);
    peer.ours.remote_as = node.as();
    peer.ours.name = node.name();
    peer.ours.tunnel = tunnel_name(i);
    peer.ours.device = peer.ours.tunnel;
    peer.ours.timers.hold_s = 30;
    peer.ours.restart_time_s = 30;
    peer.ours.extended_messages = !short_messages;
    peer.ours.import_limit.max = kAnnouncedMax;
    peer.key = minibgp::to_text(peer.ours.address);
    peer.session = std::make_unique<Session>();
    node.set_observer(peer.session.get());
    peer.probed = random.one_in(2);
    const IpAddress local = IpAddress::v4(0xC000020AU + number);
    charon.tunnels.push_back({local, IpAddress::v4(0xC6336401U + number)});
    host.add_uplink(i, local);
    for (std::size_t prefix = 0; prefix < kPrefixes; ++prefix)
      if (random.below(3) != 0) announce(i, prefix);
  }
  kernel.has_objects = !random.one_in(4);
  gateway = std::make_unique<SimulatedGateway>(SimulatedGateway::Surroundings{
      world, *own_node, kernel, host, charon, disk, files, [this](const std::string& text) { return config(text); }});
  host.on_changed = [this](std::size_t tunnel) { update_link(tunnel); };
  tick();
}

Config Setting::config(const std::string& text) const {
  const std::size_t variant = variant_of(text);
  Config config;
  config.router.asn = minibgp::Asn{kOurAs};
  config.router.router_id = minibgp::RouterId{0x0AFF0001U};
  config.router.maximum_paths = variant == 1 ? 1 : 4;
  config.router.multipath = minibgp::Multipath::relax;
  config.on_exit = variant == 2 ? OnExit::remove : OnExit::keep;
  config.state_dir = variant == 3 ? "/var/lib/other" : "/var/lib/bgplite";
  config.fib.audit_interval = 0s;
  config.ipsec.counter_interval = 0ms;
  if (variant == 4) config.fib.table = 100;
  if (variant == 5) config.fib.metric = 50;
  if (variant == 15) config.fib.protocol = 160;
  if (variant == 18) config.fib.next_hop_objects = false;
  for (std::size_t i = 0; i < 2 + (variant == 6 ? 1U : 0U); ++i) config.networks.emplace_back().prefix = own_network(i);
  if (variant == 7) config.networks.front().med = 70;
  for (std::size_t i = 0; i < peers.size(); ++i) {
    if (variant == 8 && i == 0) continue;
    PeerConfig peer;
    peer.options = peers[i].ours;
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
    tunnel.options.addresses = {{peers[i].ours.local_address, 30}};
    tunnel.options.underlay = {ModelHost::uplink_name(i), ModelHost::gateway(i)};
    tunnel.options.ike.emplace();
    tunnel.options.ike->local_addresses = {minibgp::to_text(charon.tunnels[i].local)};
    tunnel.options.ike->remote_addresses = {minibgp::to_text(charon.tunnels[i].remote)};
    tunnel.options.ike->psk_file = "/psk";
    if (variant == 7) tunnel.options.ike->proposals = "aes256-sha256-modp2048";
    tunnel.peer = key;
    config.tunnels[tunnel.options.name] = tunnel;
    config.peers[key] = peer;
  }
  return config;
}

void Setting::announce(std::size_t peer, const Prefix& prefix, const minibgp::PathAttributes& attributes) {
  Node& node = *peers[peer].node;
  while (node.announcements().size() >= kAnnouncedMax && !node.announcements().contains(prefix)) {
    const Prefix other =
        std::next(node.announcements().begin(), static_cast<long>(random.below(node.announcements().size())))->first;
    for (std::size_t i = 0; i < kPrefixes; ++i)
      if (other == learned(i)) peers[peer].announced[i] = minibgp::kNever;
    node.withdraw(other);
  }
  node.announce(prefix, attributes);
}

void Setting::announce(std::size_t peer, std::size_t prefix) {
  minibgp::PathAttributes attributes;
  attributes.med = static_cast<std::uint32_t>(random.below(3));
  announce(peer, learned(prefix), attributes);
  peers[peer].announced[prefix] = world.now();
}

/// Of a peer's address on another link: what is never to be installed.
Prefix Setting::guarded(std::size_t peer) const {
  return Prefix::of(peers[(peer + 1) % peers.size()].ours.address, 32);
}

/// Packets pass when the path does, and the kernel has SAs and an interface.
void Setting::update_link(std::size_t i) {
  const bool passes = charon.passes(i) && host.interface_up(i);
  if (passes == peers[i].link->passes()) return;
  charon.tunnels[i].works_since = passes ? world.now() : minibgp::kNever;
  passes ? peers[i].link->heal() : peers[i].link->blackhole();
}

void Setting::tell(const xfrm::Input& input) const {
  if (gateway) gateway->tell_tunnels(input);
}

/// What charon and the probes do by themselves.
void Setting::tick() {
  world.at(world.now() + 1s, [this] {
    charon.tick(world.now());
    for (Peer& peer : peers) probe(peer);
    tick();
  });
}
void Setting::probe(Peer& peer) {
  if (!peer.probed || !gateway->running()) return;
  const bool passes = peer.link->passes();
  if (!passes && (peer.dead_since == minibgp::kNever || world.now() - peer.dead_since < 3s)) return;
  const auto result = passes ? xfrm::ProbeResult::answered : xfrm::ProbeResult::lost;
  if (std::exchange(peer.probe, result) == result) return;
  tell(xfrm::input::Probed{peer.ours.tunnel, result});
}

std::string Setting::running() const { return *gateway->keeper().running().files().begin()->second; }

void Setting::disturbed() {
  for (Peer& peer : peers) peer.good_since = world.now();
  kernel_trouble = std::max(kernel_trouble, world.now() - 20s);
}

std::optional<PeerId> Setting::peer_id(std::size_t i) const {
  if (!gateway->running()) return std::nullopt;
  return gateway->gateway().peers().find(peers[i].key, gateway->gateway().config());
}

bool Setting::kernel_works() const {
  return kernel.refuse_one_in == 0 && kernel.lose_one_in == 0 && world.now() - kernel_trouble > 40s;
}

std::string Setting::seconds() const {
  std::ostringstream out;
  out << std::chrono::duration<double>{world.now().time_since_epoch()}.count() << " s";
  return out.str();
}

void Setting::fail(int invariant, const std::string& what) {
  if (wrong.empty()) wrong = std::to_string(invariant) + ": at " + seconds() + ": " + what;
}
std::size_t Setting::variant_of(const std::string& text) {
  return static_cast<std::size_t>(std::strtoul(text.c_str() + 8, nullptr, 10));
}

}  // namespace bgplite::sim
