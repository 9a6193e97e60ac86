/// Daemon: the composition root. Owns Speaker, Fib, Tunnels, Probes and the Gateway that decides between them; passes
/// what they report to the Gateway as inputs and carries its effects out. Decides nothing.
///
/// Best paths go from the speaker to the fib directly: that is the hot path.
#pragma once

#include <apps/bgplite/failovers.h>
#include <apps/bgplite/gateway/gateway.h>
#include <apps/bgplite/logging.h>
#include <apps/bgplite/machine_view.h>
#include <apps/bgplite/owned_tables.h>
#include <apps/bgplite/restart_marker.h>
#include <apps/bgplite/running_tunnels.h>
#include <bgp/speaker.h>
#include <fib/fib.h>
#include <fib/netlink/pump.h>
#include <xfrm/tunnels.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>

namespace bgplite {

/// Threads: none; everything on the io_context's thread. `io` and `log` outlive it.
class Daemon final : private minibgp::Observer,
                     private minibgp::fib::FibObserver,
                     private minibgp::xfrm::TunnelObserver {
 public:
  Daemon(boost::asio::io_context& io, Logging& log, Config config);
  ~Daemon() override;
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  /// Opens sockets, then adds tunnels, routes, announcements and peers. The error is a sentence; no message was sent to
  /// any peer then. Peers connect from the next turn of the loop on.
  [[nodiscard]] minibgp::Result<void, std::string> start();
  /// Ends sessions and leaves or removes kernel state as on_exit says; `done` runs when that is through.
  void stop(std::function<void()> done);

  /// Carries a plan of gateway().running() and `wanted` out. Steps that need a restart are only logged. What is
  /// announced may take several turns: until gateway().settled().
  void apply(Config wanted, const Plan& plan) { pump_.input(input::Apply{std::move(wanted), plan}); }
  /// What operators do at run time. The error, a sentence: it is not possible, and nothing was changed.
  [[nodiscard]] minibgp::Result<void, std::string> ask(Input wish);

  // --- Reading
  [[nodiscard]] const Gateway& gateway() const { return gateway_; }
  [[nodiscard]] const Config& config() const { return gateway_.config(); }
  [[nodiscard]] std::optional<minibgp::PeerId> find_peer(std::string_view name) const {
    return gateway_.peers().find(name, config());
  }
  [[nodiscard]] minibgp::Speaker& speaker() { return *speaker_; }
  [[nodiscard]] const minibgp::Speaker& speaker() const { return *speaker_; }
  [[nodiscard]] minibgp::fib::Fib* fib() { return fib_.get(); }               ///< Null: no kernel routes.
  [[nodiscard]] minibgp::xfrm::Tunnels* tunnels() { return tunnels_.get(); }  ///< Null: no tunnels.
  [[nodiscard]] const Probes& probes() const { return tunnels_.probes(); }
  [[nodiscard]] const Failovers& failovers() const { return failovers_; }
  [[nodiscard]] std::chrono::seconds uptime() const;

  /// Receives what happens, for `bgplite monitor`: kind ("peer", "tunnel", "next-hop", "route") and facts as (name,
  /// text). Empty: no monitor is connected, and nothing is made.
  using Fact = effect::Fact;
  std::function<void(std::string_view kind, const std::vector<Fact>& facts)> on_event;

 private:
  // minibgp::Observer
  void on_peer_changed(const minibgp::PeerChanged& change) override;
  void on_best_changed(std::span<const minibgp::BestChange> changes) override;
  void on_next_hop_interest(const minibgp::NextHopInterest& interest) override;
  void on_end_of_rib(const minibgp::EndOfRib& end) override;
  void on_restart_complete() override;
  // minibgp::fib::FibObserver
  void on_next_hops_changed(std::span<const minibgp::fib::NextHopState> states) override;
  void on_network_changed(const minibgp::Prefix& prefix, minibgp::fib::NetworkWatch watch, bool present) override;
  void on_fib_failed(std::error_code error) override;
  void on_owned_changed(std::span<const minibgp::fib::OwnedTable> tables) override;
  // minibgp::xfrm::TunnelObserver
  void on_tunnel_changed(const minibgp::xfrm::TunnelChange& change) override;
  void on_follow_changed(const minibgp::xfrm::FollowChange& change) override;

  struct Perform;  ///< One function for each effect of the Gateway: perform.cc.
  void perform(GatewayEffect& effect);
  [[nodiscard]] minibgp::Result<void, std::string> open_fib();
  void guard_underlay();

  boost::asio::io_context& io_;
  Logging& log_;
  MachineView view_;
  Gateway gateway_;
  minibgp::netlink::Pump<Gateway, GatewayEffect> pump_;
  RestartMarker marker_;
  OwnedTables owned_tables_;
  std::chrono::steady_clock::time_point started_;
  std::unique_ptr<minibgp::fib::Fib> fib_;
  RunningTunnels tunnels_;
  Failovers failovers_;
  std::unique_ptr<minibgp::Speaker> speaker_;
  std::optional<std::string> refused_;  ///< Of the wish that is asked now.
  std::function<void()> stopped_;
};

}  // namespace bgplite
