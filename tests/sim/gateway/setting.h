/// Setting: what surrounds a simulated gateway: peers, kernel, charon, disk and configuration files; and what happened
/// to them, as far as what must hold depends on it. Values: player.h plays the steps of a script on them, invariants.h
/// looks at them.
#pragma once

#include <tests/sim/gateway/machine.h>
#include <tests/sim/gateway/promise.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <testing/random.h>
#include <testing/world.h>

namespace bgplite::sim {

inline constexpr std::size_t kPrefixes = 6;
/// A peer announces no more than this, and its limit is the same.
inline constexpr std::size_t kAnnouncedMax = 4;
inline constexpr std::size_t kVariants = 20;
inline constexpr std::uint32_t kOurAs = 65010;
/// Says what is in force without it, too.
inline constexpr std::size_t kInForce = 19;

[[nodiscard]] inline Prefix learned(std::size_t number) {
  return Prefix::of(minibgp::IpAddress::v4(0x14000000U + (static_cast<std::uint32_t>(number) << 8U)), 24);
}
[[nodiscard]] inline Prefix own_network(std::size_t number) {
  return Prefix::of(minibgp::IpAddress::v4(0x0A640000U + (static_cast<std::uint32_t>(number) << 8U)), 24);
}

/// Whether the session of a peer is up, as the peer knows it.
struct Session final : minibgp::Observer {
  bool up = false;
  void on_peer_changed(const minibgp::PeerChanged& change) override {
    up = change.to == minibgp::PeerState::established;
  }
};

struct Setting {
  static constexpr std::array<Time, kPrefixes> never() {
    std::array<Time, kPrefixes> times{};
    times.fill(minibgp::kNever);
    return times;
  }
  struct Peer {
    minibgp::testing::Node* node = nullptr;
    minibgp::testing::Link* link = nullptr;
    minibgp::PeerOptions ours;  ///< How we are configured toward it, before the variant.
    std::string key;            ///< Of its configuration.
    std::unique_ptr<Session> session;
    Time good_since{};                ///< Session, tunnel and path have been up since.
    Time alive_since{};               ///< Its process was started.
    Time up_since = minibgp::kNever;  ///< By its own account.
    Time used_since{};                ///< Its tunnel is called usable, since.
    Time listens_since{};             ///< The session has been up at both ends, and the peer reads, since.
    Time paused_until{};
    Time dead_since = minibgp::kNever;
    Time no_sas_since = minibgp::kNever;
    Time known_since = minibgp::kNever;  ///< A pair of SAs that all three have: kernel, charon and the peer.
    bool only_known = false;             ///< That was there so long that no other pair is trusted any more.
    bool probed = false;
    minibgp::xfrm::ProbeResult probe = minibgp::xfrm::ProbeResult::unknown;  ///< Said last.
    Time works_since{};       ///< Packets pass its tunnel by SAs that charon knows, since.
    bool interrupted = true;  ///< Since packets passed last, something else kept new SAs from being made.
    Time repeated{};          ///< charon repeated a request last.
    bool doubted = false;     ///< The tunnel was suspect for what charon does not know of its SAs, an event before.
    std::array<Time, kPrefixes> announced = never();
    bool stopped_by_operator = false;
  };

  explicit Setting(std::uint64_t seed);

  /// The configuration that a variant's files hold. Variant 0 is what a script begins with.
  [[nodiscard]] Config config(const std::string& text) const;
  [[nodiscard]] static std::size_t variant_of(const std::string& text);

  void announce(std::size_t peer, const Prefix& prefix, const minibgp::PathAttributes& attributes);
  void announce(std::size_t peer, std::size_t prefix);
  [[nodiscard]] Prefix guarded(std::size_t peer) const;
  void update_link(std::size_t i);
  void tick();
  void probe(Peer& peer);
  void tell(const minibgp::xfrm::Input& input) const;  ///< Of the kernel or charon, to the gateway.

  [[nodiscard]] std::string running() const;  ///< The files of the configuration that runs.
  [[nodiscard]] std::optional<PeerId> peer_id(std::size_t i) const;
  [[nodiscard]] bool kernel_works() const;
  [[nodiscard]] std::string seconds() const;
  /// The gateway started, stopped or got another configuration: what held so far begins anew.
  void disturbed();
  void fail(int invariant, const std::string& what);

  minibgp::testing::Random random;
  minibgp::testing::World world;
  minibgp::testing::Node* own_node = nullptr;
  minibgp::testing::FakeKernel kernel{1};
  ModelHost host{kernel, [this](const minibgp::xfrm::Input& input) { tell(input); }};
  ModelCharon charon{[this](const minibgp::xfrm::Input& input) { tell(input); },
                     [this](std::size_t tunnel) { update_link(tunnel); }};
  Disk disk;
  std::string files;
  Promise promise;
  std::vector<Peer> peers;
  std::unique_ptr<SimulatedGateway> gateway;
  Time kernel_trouble{}, started{}, charon_changed{}, opponent_until{};  ///< charon: when it last started or died.
  Prefix opponent_prefix;
  std::map<Prefix, Time> fought;  ///< Routes of ours that the opponent removed, and when it did last.
  std::vector<std::pair<minibgp::fib::RouteKey, minibgp::fib::Via>> foreign;
  std::string wrong;  ///< The first thing that is, with the number of its invariant; empty: nothing.
};

}  // namespace bgplite::sim
