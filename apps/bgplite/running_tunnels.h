/// RunningTunnels: the tunnels of this process, from the first configuration on that has any, or that has lost what an
/// earlier run left: opened by one instance per charon, with their probes, and with the memory of their if_ids for the
/// next start.
#pragma once

#include <apps/bgplite/gateway/events.h>
#include <apps/bgplite/logging.h>
#include <apps/bgplite/owned_tables.h>
#include <apps/bgplite/probes.h>
#include <bgp/result.h>
#include <fib/netlink/owner_lock.h>
#include <xfrm/tunnels.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>

namespace bgplite {

/// Threads: the io_context's. All outlive it.
class RunningTunnels {
 public:
  RunningTunnels(boost::asio::io_context& io, Logging& log, OwnedTables& owned,
                 minibgp::xfrm::TunnelObserver& observer);

  /// At a start. Nothing is opened where there is nothing to do. The error is a sentence.
  [[nodiscard]] minibgp::Result<void, std::string> open(const Config& config);
  /// Makes them as configured; opens them when these are the first. What fails is logged, and nothing is changed then.
  void set(const Config& config, const effect::SetTunnels& setup);
  /// For the probes: a state of a tunnel.
  void on_changed(const std::string& tunnel, minibgp::xfrm::TunnelState state, minibgp::xfrm::Reason reason) {
    probes_.on_tunnel_changed(tunnel, state, reason);
  }
  /// The daemon stops: probes decide nothing any more.
  void leave();
  /// Keeps or removes them, then `done`.
  void stop(bool keep, const std::function<void()>& done);

  [[nodiscard]] minibgp::xfrm::Tunnels* get() const { return tunnels_.get(); }  ///< Null: there are none.
  [[nodiscard]] const Probes& probes() const { return probes_; }
  /// For how long its probe has had no answer; nothing: it has none, or never had an answer.
  [[nodiscard]] std::optional<minibgp::Duration> silent_for(const std::string& tunnel) const;

 private:
  [[nodiscard]] minibgp::Result<void, std::string> own_charon(const Config& config);
  void set_up(const Config& config, const effect::SetTunnels& setup);
  void remember();

  boost::asio::io_context& io_;
  Logging& log_;
  OwnedTables& owned_;
  minibgp::xfrm::TunnelObserver& observer_;
  std::unique_ptr<minibgp::netlink::OwnerLock> charon_lock_;  ///< Held while we hand connections to charon.
  std::unique_ptr<minibgp::xfrm::Tunnels> tunnels_;
  Probes probes_;
  bool leaving_ = false;
};

}  // namespace bgplite
