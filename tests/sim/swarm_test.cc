/// Random networks of 2 to 12 speakers, each over a kernel of its own, with seeded faults: black holes, resets,
/// half-open and duplicate connections, slow readers, restarts with and without graceful restart, clock jumps, links
/// and tunnels down, operations that the kernel refuses, notifications it loses, routes somebody deletes. After the
/// storm everything is healed, and then:
///  1. every speaker holds the best paths that a brute-force fixpoint gives (oracle.h), and no packet would circle;
///  2. what one side of a session says it told is what the other side holds as received;
///  3. what was reported as best is what the tables say, and what the kernel has;
///  4. after withdrawing everything no route, no attribute set and no kernel object is left.
/// After every event of the storm, for every speaker that had a part in it and has nothing left to do at once: no path
/// contains its holder's own AS, and none in use has an unusable next hop or is of a peer that is neither Established
/// nor kept by graceful restart.
///
///   swarm_test [--seeds N] [--first F] [--seed S]      300 seeds by default; --seed runs one
#include <bgp/text.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "node_kernel.h"
#include "oracle.h"
#include <gtest/gtest.h>
#include <testing/world.h>

namespace minibgp::testing {
namespace {

using namespace std::chrono_literals;

std::uint64_t first_seed = 1;
std::uint64_t seed_count = 300;
std::string program;

[[nodiscard]] Prefix pool_prefix(std::size_t number) {
  if (number % 5 == 4) {
    IpAddress address = IpAddress::v6({0x20, 0x01, 0x0D, 0xB8});
    address.octets[5] = static_cast<std::uint8_t>(number);
    return Prefix::of(address, 48);
  }
  return Prefix::of(IpAddress::v4(0x14000000U + (static_cast<std::uint32_t>(number) << 8U)), 24);
}

class Swarm {
 public:
  explicit Swarm(std::uint64_t seed) : world_(Seed{seed}), random_(Seed{seed ^ 0xABCDEF}) { build(); }

  void storm() {
    world_.check_always([this] { check_during(); });
    const std::size_t events = 10 + random_.below(40);
    for (std::size_t i = 0; i < events; ++i) {
      world_.run_for(random_.up_to(random_.one_in(5) ? Duration{100s} : Duration{3s}));
      something_happens();
    }
  }

  void calm() {
    for (const auto& node : world_.nodes()) {
      if (!node->is_running()) start(*node, Node::Forwarding::lost);
      node->resume_reading();
    }
    for (const auto& link : world_.links()) {
      link->heal();
      link->set_usable(true);
    }
    for (const auto& link : world_.links()) {
      for (Node* node : {&link->left(), &link->right()}) {
        node->engine().enable_peer(node->peer(node == &link->left() ? link->right() : link->left()), world_.now());
        node->pump();
      }
    }
    rest_kernels();
    ASSERT_TRUE(world_.run_until_quiet(60min)) << "the network did not become quiet";
    // Routes kept for peers that restarted without saying End-of-RIB must be gone, too.
    world_.run_for(10min);
    ASSERT_TRUE(world_.run_until_quiet(60min));
    rest_kernels();
  }

  void check_kernels() {
    for (const auto& kernel : kernels_) kernel->check();
  }

  /// From node to node by what each uses: every walk ends where the prefix is announced.
  void check_no_circles() {
    for (const auto& start : world_.nodes()) {
      for (const auto& [prefix, paths] : start->table()) {
        const Node* at = start.get();
        std::size_t steps = 0;
        while (!at->announcements().contains(prefix)) {
          ASSERT_LE(++steps, world_.nodes().size()) << to_text(prefix) << " circles, from " << start->name();
          ASSERT_TRUE(at->table().contains(prefix)) << to_text(prefix) << " ends at " << at->name();
          at = node_at(at->table().at(prefix).front().next_hop.address);
        }
      }
    }
  }

  void check_fixpoint() {
    const auto expected = fixpoint(world_);
    for (const auto& node : world_.nodes()) {
      const OracleTable& wanted = expected.at(node.get());
      std::map<Prefix, PathSnapshot> best;
      for (PathSnapshot& path : node->engine().routes({}))
        if (path.best) best.emplace(path.prefix, std::move(path));
      std::size_t learned = 0;
      for (const auto& [prefix, path] : wanted) {
        SCOPED_TRACE(node->name() + " " + to_text(prefix));
        ASSERT_TRUE(best.contains(prefix)) << "has no route";
        const PathSnapshot& got = best.at(prefix);
        EXPECT_EQ(got.received.as_path.asns, path.as_path);
        EXPECT_EQ(got.peer, path.from == nullptr ? kLocalPeer : node->peer(*path.from));
        // The reported table is about what peers told.
        const auto reported = node->table().find(prefix);
        ASSERT_EQ(reported != node->table().end(), path.from != nullptr);
        if (path.from == nullptr) continue;
        ++learned;
        ASSERT_FALSE(reported->second.empty());
        EXPECT_EQ(reported->second.front().peer, node->peer(*path.from));
      }
      EXPECT_EQ(best.size(), wanted.size()) << node->name();
      EXPECT_EQ(node->table().size(), learned) << node->name();
    }
  }

  /// Adj-RIB-Out of one side is Adj-RIB-In of the other.
  void check_sessions() {
    for (const auto& link : world_.links()) {
      for (Node* from : {&link->left(), &link->right()}) {
        Node* to = from == &link->left() ? &link->right() : &link->left();
        SCOPED_TRACE(from->name() + " to " + to->name());
        std::map<Prefix, AsPath> told, heard;
        for (AnnouncedSnapshot& route : from->engine().announced_to(from->peer(*to), {}))
          told.emplace(route.prefix, std::move(route.attributes.as_path));
        RouteFilter filter;
        filter.peer = to->peer(*from);
        for (PathSnapshot& path : to->engine().routes(filter))
          heard.emplace(path.prefix, std::move(path.received.as_path));
        EXPECT_EQ(told, heard);
      }
    }
  }

  void check_nothing_left() {
    for (const auto& node : world_.nodes()) {
      const auto announced = node->announcements();
      for (const auto& [prefix, attributes] : announced) node->withdraw(prefix);
    }
    ASSERT_TRUE(world_.run_until_quiet(60min));
    for (const auto& node : world_.nodes()) {
      EXPECT_EQ(node->engine().route_count(), 0U) << node->name();
      EXPECT_TRUE(node->table().empty()) << node->name();
      for (const MemoryUse& use : node->engine().memory()) {
        if (use.what == "attributes") {
          EXPECT_EQ(use.count, 0U) << node->name();
        }
      }
    }
    EXPECT_EQ(world_.open_sockets(), 2 * world_.links().size());
    rest_kernels();
    check_kernels();
  }

 private:
  void build() {
    const std::size_t count = 2 + random_.below(11);
    const std::size_t systems = 1 + random_.below(count);
    std::vector<std::vector<Node*>> members(systems);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t system = i < systems ? i : random_.below(systems);
      members[system].push_back(&world_.add_node(
          {.as = static_cast<std::uint32_t>(65001 + system), .next_hop_tracking = NextHopTracking::tracked}));
    }
    // Full mesh inside an AS, as iBGP wants it; between ASes a tree, and some more.
    for (const auto& inside : members)
      for (std::size_t i = 0; i < inside.size(); ++i)
        for (std::size_t j = 0; j < i; ++j) connect(*inside[j], *inside[i]);
    for (std::size_t system = 1; system < systems; ++system) connect_systems(members, system, random_.below(system));
    for (std::size_t extra = random_.below(systems + 1); extra > 0 && systems > 1; --extra) {
      const std::size_t a = random_.below(systems), b = random_.below(systems);
      if (a != b) connect_systems(members, a, b);
    }
    for (const auto& node : world_.nodes()) {
      kernels_.push_back(std::make_unique<NodeKernel>(*node, random_.next()));
      for (const auto& link : world_.links()) {
        if (&link->left() == node.get()) kernels_.back()->add_link(*link, link->right());
        if (&link->right() == node.get()) kernels_.back()->add_link(*link, link->left());
      }
      kernels_.back()->begin(Node::Forwarding::lost, world_.now());
    }
    for (const auto& node : world_.nodes())
      for (std::size_t own = random_.below(4); own > 0; --own) announce(*node);
  }

  void connect_systems(const std::vector<std::vector<Node*>>& members, std::size_t a, std::size_t b) {
    Node& left = *members[a][random_.below(members[a].size())];
    Node& right = *members[b][random_.below(members[b].size())];
    for (const auto& link : world_.links())
      if ((&link->left() == &left && &link->right() == &right) || (&link->left() == &right && &link->right() == &left))
        return;
    connect(left, right);
  }

  void connect(Node& left, Node& right) {
    LinkOptions options;
    options.latency = random_.up_to(50ms);
    options.jitter = random_.up_to(20ms);
    options.window_octets = random_.one_in(4) ? 700 : 65536;
    const auto graceful = static_cast<GracefulRestart>(random_.below(3));
    const std::uint16_t hold = random_.one_in(3) ? 9 : 90;
    const bool passive = random_.one_in(4);
    options.both = [graceful, hold](PeerOptions& peer) {
      peer.families = {true, true};
      peer.graceful_restart = graceful;
      peer.timers.hold_s = hold;
      peer.restart_time_s = 30;
    };
    options.right = [passive](PeerOptions& peer) { peer.passive = passive; };
    world_.connect(left, right, options);
  }

  void announce(Node& node) {
    PathAttributes attributes;
    attributes.origin = static_cast<Origin>(random_.below(3));
    attributes.communities = {Community{0xFDE90000U + static_cast<std::uint32_t>(random_.below(50))}};
    // Toward iBGP an own route's next hop is the session's address, as toward eBGP.
    node.announce(pool_prefix(random_.below(20)), attributes);
  }

  [[nodiscard]] NodeKernel& kernel_of(const Node& node) {
    std::size_t i = 0;
    while (world_.nodes()[i].get() != &node) ++i;
    return *kernels_[i];
  }
  [[nodiscard]] const Node* node_at(IpAddress address) const {
    if (address.family == Family::ipv6)  // See Link::addresses_of().
      address = IpAddress::v4(static_cast<std::uint32_t>(address.octets[12] << 24U | address.octets[13] << 16U |
                                                         address.octets[14] << 8U | address.octets[15]));
    for (const auto& link : world_.links())
      for (const Node* node : {&link->left(), &link->right()})
        if (link->address_of(*node) == address) return node;
    return nullptr;
  }
  void start(Node& node, Node::Forwarding forwarding) {
    node.start(forwarding);
    kernel_of(node).begin(forwarding, world_.now());
  }
  /// Until neither the kernels nor the speakers have news for each other.
  void rest_kernels() {
    for (int rounds = 0; rounds < 3; ++rounds) {
      for (const auto& kernel : kernels_) kernel->come_to_rest(world_.now());
      world_.run_for(1s);
    }
  }

  [[nodiscard]] Node& some_node() { return *world_.nodes()[random_.below(world_.nodes().size())]; }
  [[nodiscard]] Link& some_link() { return *world_.links()[random_.below(world_.links().size())]; }

  void something_happens() {
    Node& node = some_node();
    Link& link = some_link();
    Node& left = link.left();
    switch (random_.below(22)) {
      case 0:
      case 1:
      case 2:
        announce(node);
        break;
      case 3:
      case 4:
        if (!node.announcements().empty()) node.withdraw(node.announcements().begin()->first);
        break;
      case 5:
        link.blackhole();
        break;
      case 6:
        link.heal();
        break;
      case 7:
        link.reset();
        break;
      case 8:
        kernel_of(node).end();
        node.kill();
        break;
      case 9:
        kernel_of(node).end();
        node.crash();
        break;
      case 10:
      case 11:
        if (!node.is_running()) start(node, random_.one_in(2) ? Node::Forwarding::preserved : Node::Forwarding::lost);
        break;
      case 12:
        node.pause_reading();
        break;
      case 13:
        node.resume_reading();
        break;
      case 14:
        link.connect_silently();
        break;
      case 15:
        if (random_.one_in(3)) {
          world_.jump(random_.up_to(200s));
        } else {
          link.set_usable(random_.one_in(2));
        }
        break;
      case 16:
        kernel_of(node).set_link(random_.below(12), random_.one_in(2));
        break;
      case 17:
        kernel_of(node).set_tunnel(random_.below(12), random_.one_in(2));
        break;
      case 18:
        kernel_of(node).set_refusals(random_.one_in(2) ? 0 : 2 + static_cast<unsigned>(random_.below(6)),
                                     random_.one_in(2) ? 0 : 1 + static_cast<unsigned>(random_.below(6)));
        break;
      case 19:
        kernel_of(node).vandalize(random_.below(20));
        break;
      default:
        if (left.is_running()) operate(left, left.peer(link.right()));
    }
  }

  void operate(Node& node, PeerId peer) {
    Engine& engine = node.engine();
    switch (random_.below(5)) {
      case 0:
        engine.disable_peer(peer, "seeded", world_.now());
        break;
      case 1:
        engine.enable_peer(peer, world_.now());
        break;
      case 2:
        engine.reset_peer(peer, "seeded", world_.now());
        break;
      case 3:
        engine.refresh_peer(peer, Direction::import, world_.now());
        break;
      default:
        engine.refresh_peer(peer, Direction::export_, world_.now());
        break;
    }
    node.pump();
  }

  void check_during() {
    for (const auto& kernel : kernels_) kernel->turn(world_.now());
    for (std::size_t i = 0; i < kernels_.size(); ++i) {
      const Node& node = *world_.nodes()[i];
      if (!node.is_running() || !kernels_[i]->touched()) continue;
      // With work left over the speaker is in the middle of its turns.
      if (node.engine().next_deadline() <= world_.now()) continue;
      kernels_[i]->forget_touched();
      check_speaker(node);
    }
  }

  void check_speaker(const Node& node) {
    std::map<PeerId, bool> speaks;
    for (const PeerStatus& status : node.engine().peers())
      speaks[status.id] = status.state == PeerState::established || status.stale;
    for (const PathSnapshot& path : node.engine().routes({})) {
      if (path.peer == kLocalPeer || !path.best) continue;
      EXPECT_TRUE(speaks[path.peer]) << node.name() << " uses a path of a peer that is gone";
      EXPECT_TRUE(path.usable) << node.name() << " uses a path over an unusable next hop";
      EXPECT_FALSE(path.received.as_path.contains(node.as())) << node.name() << " uses a path through itself";
    }
  }

  World world_;
  Random random_;
  std::vector<std::unique_ptr<NodeKernel>> kernels_;  ///< By number of the node.
};

TEST(Swarm, EverySeedEndsAtTheFixpointAndLeaksNothing) {
  std::printf("seeds %llu to %llu\n", static_cast<unsigned long long>(first_seed),
              static_cast<unsigned long long>(first_seed + seed_count - 1));
  for (std::uint64_t seed = first_seed; seed < first_seed + seed_count; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed=" << seed << "   replay: " << program << " --seed " << seed);
    Swarm swarm(seed);
    swarm.storm();
    swarm.calm();
    if (!HasFailure()) swarm.check_fixpoint();
    if (!HasFailure()) swarm.check_no_circles();
    if (!HasFailure()) swarm.check_kernels();
    if (!HasFailure()) swarm.check_sessions();
    if (!HasFailure()) swarm.check_nothing_left();
    if (HasFailure()) {
      std::printf("replay: %s --seed %llu\n", program.c_str(), static_cast<unsigned long long>(seed));
      return;
    }
  }
  std::printf("%llu seeds ended at the fixpoint\n", static_cast<unsigned long long>(seed_count));
}

}  // namespace

int run(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  program = argv[0];
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view option = argv[i];
    const auto value = std::strtoull(argv[i + 1], nullptr, 10);
    if (option == "--seeds") seed_count = value;
    if (option == "--first") first_seed = value;
    if (option == "--seed") first_seed = value, seed_count = 1;
  }
  return RUN_ALL_TESTS();
}

}  // namespace minibgp::testing

int main(int argc, char** argv) { return minibgp::testing::run(argc, argv); }
