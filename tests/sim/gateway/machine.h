/// SimulatedGateway: bgplite as one process on virtual time: Gateway, Engine, Forwarder, TunnelKeeper and ConfigKeeper,
/// over a model kernel, a model charon and a model state directory. It stands where the daemon's rims stand, and
/// carries the same effects out.
#pragma once

#include <apps/bgplite/config_keeper.h>
#include <apps/bgplite/gateway/gateway.h>
#include <bgp/observer.h>
#include <fib/forwarder.h>
#include <tests/sim/gateway/charon.h>
#include <tests/sim/gateway/host.h>
#include <tests/sim/gateway/names.h>
#include <tests/support/fake_kernel.h>
#include <xfrm/tunnel_keeper.h>

#include <cstdint>
#include <deque>
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
  std::vector<std::uint32_t> if_ids;  ///< Of tunnels that we ever had, until nothing of them is left.
  bool marker = false;
  bool full = false;
};

class SimulatedGateway final : public minibgp::Observer, private GatewayView {
 public:
  using MakeConfig = std::function<Config(const std::string& files)>;
  struct Surroundings {
    minibgp::testing::World& world;
    minibgp::testing::Node& node;
    minibgp::testing::FakeKernel& kernel;
    ModelHost& host;
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
  /// What the kernel, charon and the probes say of tunnels; lost where no process runs.
  void tell_tunnels(const minibgp::xfrm::Input& input);
  void charon_changed();  ///< It started or ended.
  void kernel_touched() { kernel_busy_ = true; }

  /// After every event of the world: what is due, until nothing is left to do now.
  void turn();

  [[nodiscard]] const Gateway& gateway() const { return *gateway_; }
  [[nodiscard]] const minibgp::fib::Forwarder& forwarder() const { return *forwarder_; }
  [[nodiscard]] const ConfigKeeper& keeper() const { return *keeper_; }
  [[nodiscard]] const minibgp::xfrm::TunnelKeeper& tunnels() const { return *tunnels_; }
  [[nodiscard]] bool usable(const std::string& tunnel) const { return tunnel_usable(tunnel); }
  /// Nothing is left to do now, for the speaker either.
  [[nodiscard]] bool settled() const {
    return !kernel_busy_ && !tunnels_busy_ && inbox_.empty() && around_.node.engine().next_deadline() > now();
  }
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
  [[nodiscard]] std::vector<minibgp::fib::NextHopState> next_hops() const override {
    return forwarder_->report().next_hops();
  }
  [[nodiscard]] minibgp::fib::FibCounters fib_counters() const override { return forwarder_->status().counters; }
  [[nodiscard]] bool has_tunnels() const override { return true; }
  [[nodiscard]] bool tunnel_usable(const std::string& tunnel) const override;
  [[nodiscard]] std::string followed(const std::string&) const override { return {}; }

  struct Perform;
  friend struct Perform;
  struct PerformTunnels;
  friend struct PerformTunnels;
  void input(Input event);
  void run_effects();
  void on_engine(std::function<void(minibgp::Engine&)> call);
  void react();
  void work_kernel();
  void send_next_hops();
  void set_tunnels(const effect::SetTunnels& setup);
  void work_tunnels();
  void end_tunnels();
  void answer_tunnels(std::function<void()> answer);
  void run_keeper();
  void wake_at(Time when);
  [[nodiscard]] Time now() const { return around_.world.now(); }

  Surroundings around_;
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<minibgp::fib::Forwarder> forwarder_;
  std::unique_ptr<ConfigKeeper> keeper_;
  std::unique_ptr<minibgp::xfrm::TunnelKeeper> tunnels_;
  std::vector<std::function<void(minibgp::Engine&)>> inbox_;  ///< For the engine, when it was polled empty.
  std::map<PeerId, Time> established_;
  bool performing_ = false, kernel_busy_ = false, tunnels_busy_ = false, in_turn_ = false;
  bool wants_charon_ = false, working_tunnels_ = false;
  bool ending_ = false, removing_ = false, tunnels_ended_ = false;
  std::uint64_t life_ = 0;
  std::deque<std::function<void()>> answers_;  ///< To the tunnel keeper, given in the next round.
  Time woken_ = minibgp::kNever;
  Counts counts_;
};

}  // namespace bgplite::sim
