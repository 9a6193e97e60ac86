/// SimulatedGateway: bgplite as one process on virtual time: Gateway, Engine, Forwarder, ConfigKeeper and the tunnel
/// table, over a model kernel, a model charon and a model state directory. It stands where the daemon's rims stand, and
/// carries the same effects out.
#pragma once

#include <apps/bgplite/config_keeper.h>
#include <apps/bgplite/gateway/gateway.h>
#include <bgp/observer.h>
#include <fib/forwarder.h>
#include <tests/support/fake_kernel.h>
#include <xfrm/tunnel_table.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <testing/world.h>

namespace bgplite::sim {

using minibgp::Duration;
using minibgp::PeerId;
using minibgp::Prefix;
using minibgp::Time;

/// What outlives the process: files, and what is in the kernel.
struct Disk {
  std::string stored;  ///< As ConfigKeeper's file; empty: there is none.
  std::vector<minibgp::fib::OwnedTable> owned;
  bool marker = false;
  bool full = false;
};

/// charon and the kernel's SAs, for all tunnels.
struct ModelCharon {
  struct Tunnel {
    std::uint32_t child = 0;                  ///< 0: there is no pair.
    std::uint32_t known_child = 0;            ///< As charon knows it; differs after a crash of charon.
    std::vector<std::uint32_t> orphans = {};  ///< Pairs of an earlier charon beside the present one.
    bool forgotten = false;                   ///< The peer has none of them.
    bool uplink = true;
    Time refused_until{};  ///< The peer agrees on none.
  };
  bool running = true;
  std::uint32_t next_id = 1;
  std::vector<Tunnel> tunnels;
};

class SimulatedGateway final : public minibgp::Observer, private GatewayView {
 public:
  using MakeConfig = std::function<Config(const std::string& files)>;
  struct Surroundings {
    minibgp::testing::World& world;
    minibgp::testing::Node& node;
    minibgp::testing::FakeKernel& kernel;
    ModelCharon& charon;
    Disk& disk;
    std::string& files;  ///< The configuration as it is on disk.
    MakeConfig make_config;
  };
  explicit SimulatedGateway(Surroundings around);
  ~SimulatedGateway() override;

  void start();
  /// The process dies.
  void kill();
  /// SIGTERM.
  void stop();
  [[nodiscard]] bool running() const { return gateway_ != nullptr; }

  void ask(Input wish);
  void apply(std::optional<std::chrono::seconds> confirm, ConfigKeeper::Origin origin);
  void confirm();
  void rollback();

  // What happens to it.
  void sa_added(std::size_t tunnel, std::uint32_t child);
  void sa_gone(std::size_t tunnel, std::uint32_t child);
  void child_up(std::size_t tunnel, std::uint32_t child);
  void child_down(std::size_t tunnel, std::uint32_t child);
  void charon_gone();
  void charon_snapshot();
  void probe(std::size_t tunnel, minibgp::xfrm::ProbeResult result);
  void ike_repeats(std::size_t tunnel);
  void kernel_touched() { kernel_busy_ = true; }
  void table_changed() { table_touched_ = true; }

  /// After every event of the world: what is due, until nothing is left to do now.
  void turn();

  [[nodiscard]] const Gateway& gateway() const { return *gateway_; }
  [[nodiscard]] const minibgp::fib::Forwarder& forwarder() const { return *forwarder_; }
  [[nodiscard]] const ConfigKeeper& keeper() const { return *keeper_; }
  [[nodiscard]] bool usable(const std::string& tunnel) const { return tunnel_usable(tunnel); }
  [[nodiscard]] minibgp::xfrm::TunnelState tunnel_state(std::size_t tunnel) const {
    return table_->state(tunnel_name(tunnel));
  }
  [[nodiscard]] minibgp::xfrm::Need need(std::size_t tunnel) const {
    return table_ ? table_->need(tunnel_name(tunnel)) : minibgp::xfrm::Need::nothing;
  }
  [[nodiscard]] bool settled() const { return !kernel_busy_ && !table_touched_ && inbox_.empty(); }
  /// The session is up since; kNever: it is not.
  [[nodiscard]] Time established_since(PeerId peer) const {
    const auto found = established_.find(peer);
    return found == established_.end() ? minibgp::kNever : found->second;
  }
  struct Counts {
    std::uint64_t inputs = 0, effects = 0, logs = 0, turns = 0, dials = 0;
  };
  [[nodiscard]] const Counts& counts() const { return counts_; }
  std::vector<std::string> trace;  ///< What it logged, when asked for.
  bool tracing = false;

  [[nodiscard]] static std::string tunnel_name(std::size_t tunnel) { return "tun" + std::to_string(tunnel); }
  [[nodiscard]] static minibgp::fib::IfIndex index_of(std::size_t tunnel) {
    return minibgp::fib::IfIndex{static_cast<unsigned>(tunnel + 1)};
  }

 private:
  // minibgp::Observer
  void on_peer_changed(const minibgp::PeerChanged& change) override;
  void on_best_changed(std::span<const minibgp::BestChange> changes) override;
  void on_next_hop_interest(const minibgp::NextHopInterest& interest) override {
    input(input::NextHopInterest{interest});
  }
  void on_end_of_rib(const minibgp::EndOfRib& end) override { input(input::EndOfRib{end}); }
  void on_restart_complete() override { input(input::RestartComplete{}); }
  // GatewayView
  [[nodiscard]] std::vector<minibgp::PeerStatus> sessions() const override;
  [[nodiscard]] std::optional<minibgp::PeerStatus> session(PeerId peer) const override;
  [[nodiscard]] bool has_fib() const override { return true; }
  [[nodiscard]] std::vector<minibgp::fib::NextHopState> next_hops() const override { return forwarder_->next_hops(); }
  [[nodiscard]] minibgp::fib::FibCounters fib_counters() const override { return forwarder_->status().counters; }
  [[nodiscard]] bool has_tunnels() const override { return true; }
  [[nodiscard]] bool tunnel_usable(const std::string& tunnel) const override;
  [[nodiscard]] std::string followed(const std::string&) const override { return {}; }

  struct Perform;
  friend struct Perform;
  void input(Input event);
  void run_effects();
  void on_engine(std::function<void(minibgp::Engine&)> call);
  void react();
  void work_kernel();
  void send_next_hops();
  void settle_tunnels();
  void run_keeper();
  void wake_at(Time when);
  [[nodiscard]] Time now() const { return around_.world.now(); }

  Surroundings around_;
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<minibgp::fib::Forwarder> forwarder_;
  std::unique_ptr<ConfigKeeper> keeper_;
  std::unique_ptr<minibgp::xfrm::TunnelTable> table_;
  std::vector<std::function<void(minibgp::Engine&)>> inbox_;  ///< For the engine, when it was polled empty.
  std::map<PeerId, Time> established_;
  bool performing_ = false, kernel_busy_ = false, table_touched_ = false, in_turn_ = false;
  bool ending_ = false, removing_ = false;
  std::uint64_t life_ = 0;
  Time woken_ = minibgp::kNever;
  Counts counts_;
};

}  // namespace bgplite::sim
