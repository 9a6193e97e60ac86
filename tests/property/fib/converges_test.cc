// Whatever happens, in whatever order it is heard: once the world is quiet, the kernel has exactly the routes that the
// peers' paths and the usable links demand, and no next-hop object more than they need. The kernel refuses at random,
// answers late, loses notifications, drops routes without a word; somebody deletes and overwrites what is ours; the
// program crashes and starts again.
#include <bgp/text.h>
#include <tests/support/fake_kernel.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <sstream>

#include <gtest/gtest.h>

namespace minibgp::fib {
namespace {

using minibgp::testing::FakeKernel;

constexpr int kPeers = 4;
constexpr int kPrefixes = 24;
constexpr std::uint8_t kProtocol = 155;

enum class Kernel : std::uint8_t { with_objects, objects_off, without_objects };

std::string name_of(Kernel kernel) {
  static constexpr std::array kNames = {"WithObjects", "ObjectsOff", "WithoutObjects"};
  return kNames[static_cast<std::size_t>(kernel)];
}

std::uint64_t seeds() {
  const char* const text = std::getenv("MINIBGP_SEEDS");
  return text == nullptr ? 300 : std::strtoull(text, nullptr, 10);
}

/// Peer i is 169.254.i.1 on link i+1, whose own address is 169.254.i.2/30. Peers 0 and 1 share link 1 as well:
/// 169.254.0.1.
class World {
 public:
  World(std::uint64_t seed, Kernel kind) : kind_(kind), random_(seed), kernel_(seed ^ 0x5EED) {
    kernel_.has_objects = kind != Kernel::without_objects;
    options_.protocol = kProtocol;
    options_.audit_interval = Duration::zero();  // Only what is told may be needed.
    options_.adopt_timeout = std::chrono::seconds{3};
    if (kind == Kernel::objects_off) options_.next_hop_objects = FibOptions::NextHopObjects::off;
    for (int link = 1; link < kPeers; ++link) {
      kernel_.add_link(IfIndex{static_cast<unsigned>(link)}, "tun" + std::to_string(link));
      kernel_.add_address(address_of(link));
    }
    // The own network, for the preferred source.
    kernel_.add_link(IfIndex{9}, "lan0");
    kernel_.add_address(lan_address());
    begin();
  }

  void step() {
    change();
    for (auto turns = random(4); turns > 0; --turns) turn();
    now_ += std::chrono::milliseconds{random(40)};
  }

  /// No more vandals, no more refusals; everything is delivered and every deadline passes.
  void come_to_rest() {
    kernel_.refuse_one_in = kernel_.lose_one_in = 0;
    for (const auto& [key, route] : std::map(kernel_.routes()))
      if (route.protocol != kProtocol) kernel_.remove_by_user(key);
    kernel_.remove_all_beside();
    for (int quiet = 0; quiet < 2000; ++quiet) {
      turn();
      while (kernel_.deliver(now_)) turn();
      const Time next = forwarder_->next_deadline();
      if (forwarder_->idle() && next == kNever) return;
      if (next != kNever) now_ = std::max(now_, next);
    }
    ADD_FAILURE() << "no rest: " << forwarder_->status().pending << " pending";
  }

  void check() {
    std::map<RouteKey, std::vector<Via>> have;
    for (const auto& [key, route] : kernel_.routes()) {
      EXPECT_EQ(route.protocol, kProtocol);
      EXPECT_EQ(route.forwarding.preferred_source, expected_source());
      have[key] = kernel_.ways(route);
    }
    EXPECT_EQ(text(have), text(expected()));
    // Objects: those of sets that routes use, or that a set of paths stands ready with (its routes may use an equal
    // one), and nothing else.
    std::size_t known = 0;
    std::size_t without_routes = 0;
    for (const GroupStatus& group : forwarder_->report().groups()) {
      ASSERT_TRUE(kernel_.objects().contains(group.id)) << objects();
      known += 1 + kernel_.objects().at(group.id).entries.size();
      without_routes += group.routes == 0 ? 1U : 0U;
    }
    EXPECT_EQ(kernel_.objects().size(), known) << "leaked objects: " << objects();
    EXPECT_LE(without_routes, std::set(paths_.begin(), paths_.end()).size()) << objects();
    if (kind_ != Kernel::with_objects) {
      EXPECT_TRUE(kernel_.objects().empty());
    }
    const FibStatus status = forwarder_->status();
    EXPECT_TRUE(status.synchronized);
    EXPECT_EQ(status.installed, have.size());
    EXPECT_EQ(status.refused, 0U);
    for (const RouteStatus& route : forwarder_->report().routes({}))
      EXPECT_TRUE(route.in_sync || !route.desired)
          << to_text(route.key.prefix) << ": " << to_text(route.refusal) << " " << route.refusal_detail << " errno "
          << route.error << (route.installed ? ", installed" : "") << (route.adopted ? ", adopted" : "") << objects();
  }
  /// A rest is a rest: nothing is written any more.
  void check_silence() {
    const auto before = kernel_.writes();
    for (int i = 0; i < 10; ++i) {
      now_ += std::chrono::seconds{10};
      turn();
      while (kernel_.deliver(now_)) turn();
    }
    EXPECT_EQ(kernel_.writes(), before);
  }

 private:
  static AddressInfo address_of(int link) {
    const IpAddress local = IpAddress::v4(0xA9FE0002U + (static_cast<unsigned>(link) << 8U));
    return {IfIndex{static_cast<unsigned>(link)}, local, local, 30, false};
  }
  static AddressInfo lan_address() {
    const IpAddress local = IpAddress::v4(0xAC101401);
    return {IfIndex{9}, local, local, 24, false};
  }
  static int link_of(int peer) { return peer == 0 ? 1 : peer; }
  static IpAddress gateway_of(int peer) {
    return IpAddress::v4(0xA9FE0001U + (static_cast<unsigned>(link_of(peer)) << 8U));
  }
  static RouteKey key_of(int prefix) {
    return {Prefix::of(IpAddress::v4(0x0A000000U + (static_cast<unsigned>(prefix) << 8U)), 24), kMainTable, 20};
  }
  std::uint64_t random(std::uint64_t below) { return random_() % below; }

  void begin() {
    kernel_.forget_conversation();
    forwarder_.emplace(options_, nullptr, now_);
    kernel_.attach(*forwarder_);
    for (int peer = 0; peer < kPeers; ++peer)
      forwarder_->input(fib::input::SetPeer{PeerId{static_cast<std::uint16_t>(peer)}, {gateway_of(peer), "", true}},
                        now_);
    forwarder_->input(fib::input::SetOwnNetworks{std::array{Prefix::of(IpAddress::v4(0xAC101400), 24)}}, now_);
    for (int peer = 0; peer < kPeers; ++peer)
      forwarder_->input(fib::input::SetPeerUsable{PeerId{static_cast<std::uint16_t>(peer)},
                                                  peer_usable_[static_cast<std::size_t>(peer)]},
                        now_);
    for (int link = 1; link < kPeers; ++link)
      forwarder_->input(fib::input::SetInterfaceUsable{"tun" + std::to_string(link),
                                                       tunnel_usable_[static_cast<std::size_t>(link)], ""},
                        now_);
    for (int prefix = 0; prefix < kPrefixes; ++prefix) announce(prefix);
    if (random(2) == 0) forwarder_->input(fib::input::FinishAdoption{}, now_);
  }

  void announce(int prefix) {
    std::vector<BestPath> paths;
    for (int peer = 0; peer < kPeers; ++peer) {
      const std::uint16_t weight = paths_[static_cast<std::size_t>(prefix)][static_cast<std::size_t>(peer)];
      if (weight != 0)
        paths.push_back({PeerId{static_cast<std::uint16_t>(peer)}, AttrId{1}, {gateway_of(peer), {}}, weight});
    }
    const BestChange change{key_of(prefix).prefix, paths, nullptr};
    forwarder_->input(fib::input::BestChanged{{&change, 1}}, now_);
  }

  void change() {
    const auto prefix = static_cast<int>(random(kPrefixes));
    const auto peer = static_cast<std::size_t>(random(kPeers));
    const auto link = static_cast<int>(1 + random(kPeers - 1));
    const IfIndex index{static_cast<unsigned>(link)};
    switch (random(18)) {
      case 0:
      case 1:
      case 2: {  // One prefix, or all of a peer's, over another set.
        const auto weight = static_cast<std::uint16_t>(random(3));
        for (int p = random(4) == 0 ? 0 : prefix; p <= prefix; ++p) {
          paths_[static_cast<std::size_t>(p)][peer] = weight;
          announce(p);
        }
        break;
      }
      case 3:
        peer_usable_[peer] = !peer_usable_[peer];
        forwarder_->input(fib::input::SetPeerUsable{PeerId{static_cast<std::uint16_t>(peer)}, peer_usable_[peer]},
                          now_);
        break;
      case 4:
        tunnel_usable_[static_cast<std::size_t>(link)] = !tunnel_usable_[static_cast<std::size_t>(link)];
        forwarder_->input(fib::input::SetInterfaceUsable{"tun" + std::to_string(link),
                                                         tunnel_usable_[static_cast<std::size_t>(link)], ""},
                          now_);
        break;
      case 5:
        kernel_.set_link(index, !kernel_.link(index).up);
        break;
      case 6:
        kernel_.remove_address(address_of(link));
        break;
      case 7:
        kernel_.add_address(address_of(link));
        break;
      case 8:
        kernel_.remove_by_user(key_of(prefix));
        break;
      case 9:
        kernel_.overwrite(key_of(prefix), kProtocol, {gateway_of(link), index, 1, false});
        break;
      case 10:
        kernel_.overwrite(key_of(prefix), 3, {gateway_of(link), index, 1, false});
        break;
      case 11:
        if (!kernel_.objects().empty()) {
          auto object = kernel_.objects().begin();
          std::advance(object, static_cast<std::ptrdiff_t>(random(kernel_.objects().size())));
          kernel_.remove_object_by_user(object->first);
        }
        break;
      case 12:
        kernel_.refuse_one_in = random(2) == 0 ? 0 : static_cast<unsigned>(2 + random(6));
        break;
      case 13:
        kernel_.lose_one_in = random(2) == 0 ? 0 : static_cast<unsigned>(1 + random(6));
        break;
      case 14:
        random(2) == 0 ? kernel_.remove_address(lan_address()) : kernel_.add_address(lan_address());
        break;
      case 15:
        if (random(4) == 0) begin();  // A crash, and a restart that knows nothing.
        break;
      case 16:
        kernel_.put_beside(key_of(prefix), 3, {gateway_of(link), index, 1, false},
                           random(2) == 0 ? Placement::created : Placement::appended);
        break;
      case 17:
        kernel_.remove_beside(key_of(prefix), {gateway_of(link), index, 1, false});
        break;
    }
  }

  void turn() {
    forwarder_->on_time(now_);
    // One batch of each kind in a turn. A batch is sent when the one before is answered or not: the seam allows both.
    Room room;
    room.next_hops = 1 + random(4);
    room.routes = 1 + random(8);
    forwarder_->set_room(room);
    while (const auto output = forwarder_->poll()) {
      EXPECT_TRUE(forwarder_->settled()) << "a stage made an earlier one due";
      if (const auto* objects = std::get_if<NextHopBatch>(&*output)) kernel_.send(objects->ops), room.next_hops = 0;
      if (const auto* routes = std::get_if<RouteBatch>(&*output)) kernel_.send(routes->ops), room.routes = 0;
      if (const auto* request = std::get_if<DumpRequest>(&*output)) kernel_.dump(*request);
      forwarder_->set_room(room);
    }
    for (auto count = random(4); count > 0 && kernel_.deliver(now_); --count) {
    }
  }

  [[nodiscard]] IpAddress expected_source() const {
    return kernel_.link(IfIndex{9}).addresses.empty() ? IpAddress{} : lan_address().local;
  }
  [[nodiscard]] std::map<RouteKey, std::vector<Via>> expected() const {
    std::map<RouteKey, std::vector<Via>> result;
    for (int prefix = 0; prefix < kPrefixes; ++prefix) {
      std::vector<Via> vias;
      for (int peer = 0; peer < kPeers; ++peer) {
        const auto weight = paths_[static_cast<std::size_t>(prefix)][static_cast<std::size_t>(peer)];
        const int link = link_of(peer);
        const IfIndex index{static_cast<unsigned>(link)};
        const bool usable = weight != 0 && peer_usable_[static_cast<std::size_t>(peer)] &&
                            tunnel_usable_[static_cast<std::size_t>(link)] && kernel_.link(index).up &&
                            !kernel_.link(index).addresses.empty();
        if (!usable) continue;
        // The same next hop from two peers counts once, with the larger weight.
        const auto known =
            std::find_if(vias.begin(), vias.end(), [&](const Via& via) { return via.interface == index; });
        if (known == vias.end()) {
          vias.push_back({gateway_of(peer), index, weight, false});
        } else {
          known->weight = std::max(known->weight, weight);
        }
      }
      normalize(vias);
      if (!vias.empty()) result[key_of(prefix)] = vias;
    }
    return result;
  }
  [[nodiscard]] std::string objects() const {
    std::ostringstream out;
    for (const auto& [id, object] : kernel_.objects()) {
      out << "\n" << static_cast<std::uint32_t>(id) << ":";
      if (object.entries.empty()) out << " " << to_text(object.via.gateway);
      for (const auto& entry : object.entries) out << " " << static_cast<std::uint32_t>(entry.id);
    }
    for (const GroupStatus& group : forwarder_->report().groups())
      out << "\nset " << static_cast<std::uint32_t>(group.id) << " routes " << group.routes << " ways "
          << group.vias.size() << (group.adopted ? " adopted" : "");
    return out.str();
  }
  static std::string text(const std::map<RouteKey, std::vector<Via>>& routes) {
    std::ostringstream out;
    for (const auto& [key, vias] : routes) {
      out << to_text(key.prefix);
      for (const Via& via : vias)
        out << " " << to_text(via.gateway) << "%" << static_cast<unsigned>(via.interface) << "*" << via.weight;
      out << "\n";
    }
    return out.str();
  }

  Kernel kind_;
  std::mt19937_64 random_;
  Time now_{std::chrono::seconds{1000}};
  FibOptions options_;
  FakeKernel kernel_;
  std::optional<Forwarder> forwarder_;
  std::array<std::array<std::uint16_t, kPeers>, kPrefixes> paths_{};  ///< Weight by prefix and peer; 0: no path.
  std::array<bool, kPeers> peer_usable_ = {true, true, true, true};
  std::array<bool, kPeers> tunnel_usable_ = {true, true, true, true};
};

class Converges : public ::testing::TestWithParam<Kernel> {};
INSTANTIATE_TEST_SUITE_P(Kernels, Converges,
                         ::testing::Values(Kernel::with_objects, Kernel::objects_off, Kernel::without_objects),
                         [](const auto& param) { return name_of(param.param); });

TEST_P(Converges, TheKernelHasWhatIsDesiredAfterAnySequenceOfChanges) {
  const char* const one = std::getenv("MINIBGP_SEED");
  const std::uint64_t first = one == nullptr ? 1 : std::strtoull(one, nullptr, 10);
  const std::uint64_t last = one == nullptr ? seeds() : first;
  for (std::uint64_t seed = first; seed <= last && !HasFailure(); ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed=" << seed << " (MINIBGP_SEED=" << seed << " replays it)");
    World world(seed, GetParam());
    for (int rest = 0; rest < 3; ++rest) {
      for (int i = 0; i < 60; ++i) world.step();
      world.come_to_rest();
      world.check();
      world.check_silence();
    }
  }
}

}  // namespace
}  // namespace minibgp::fib
