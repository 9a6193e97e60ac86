/// Tunnels: IPsec tunnels kept up, and known. Makes XFRM interfaces, addresses and underlay routes, hands charon its
/// connections (VICI), and says which tunnel carries traffic, since when and why. Usable alone, without BGP.
///
/// Not here: routes through the tunnels (fib/) and what to do when one is lost.
#pragma once

#include <bgp/log.h>
#include <bgp/result.h>
#include <bgp/types.h>
#include <xfrm/options.h>
#include <xfrm/tunnel.h>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace boost::asio {
class io_context;
}  // namespace boost::asio

namespace minibgp::xfrm {
/// Called from the loop, after the input that caused it was worked on; calling back into Tunnels is allowed. Destroying
/// it is not, because the end of a connection to charon may be in work: post that to the loop.
class TunnelObserver {
 public:
  virtual ~TunnelObserver() = default;
  /// State or reason changed, or the interface became another one. Called in the loop turn in which the kernel or
  /// charon said so.
  virtual void on_tunnel_changed(const TunnelChange&) {}
  virtual void on_follow_changed(const FollowChange&) {}  ///< A follow group has another tunnel to use.
};

/// Threads:  none of its own; create, use and destroy it on the io_context's thread.
/// Lifetime: `io`, `observer` and `log` (may be null) must outlive it.
/// Rights:   CAP_NET_ADMIN; without it start() says so. charon's socket must be readable and writable.
/// Key material is never kept, logged or shown: buffers that held some are wiped.
class Tunnels {
 public:
  Tunnels(boost::asio::io_context& io, const TunnelsOptions& options, TunnelObserver& observer, LogSink* log = nullptr);
  ~Tunnels();
  Tunnels(const Tunnels&) = delete;
  Tunnels& operator=(const Tunnels&) = delete;

  /// Opens the sockets and reads the kernel. Never waits for charon, which may come and go.
  [[nodiscard]] Result<void, std::error_code> start();

  /// What should be: the difference to what was set before is applied; a tunnel that did not change is not touched.
  /// May be called before start().
  void set_tunnels(const std::vector<TunnelOptions>& tunnels, const std::vector<FollowGroup>& follow = {});

  /// Ends watching. With OnExit::remove also takes away what we made: connections, interfaces, routes; `done` runs when
  /// that is through (at most about 5 s). Without it everything stays and goes on working. `done` is posted to the loop
  /// and may destroy Tunnels.
  void stop(std::function<void()> done);
  /// The same, whatever TunnelsOptions::on_exit was at the start.
  void stop(TunnelsOptions::OnExit on_exit, std::function<void()> done);

  /// What an echo probe through the tunnel found. unknown: not probing (any more).
  enum class Probe : std::uint8_t { unknown, answered, lost };
  void feed_probe(std::string_view tunnel, Probe result);  ///< From the caller's own probing.

  /// Asks charon to bring a tunnel up now, or to take it down (it comes back by start_action, or by initiate()).
  void initiate(std::string_view tunnel);
  void terminate(std::string_view tunnel);  ///< See initiate().

  [[nodiscard]] std::vector<TunnelStatus> status() const;  ///< In order of their names; copies.
  [[nodiscard]] std::optional<TunnelStatus> status(std::string_view tunnel) const;  ///< Nothing for unknown names.
  [[nodiscard]] bool usable(std::string_view tunnel) const;                         ///< False for unknown names.
  /// The followed tunnel of a group; empty: none.
  [[nodiscard]] std::string followed(std::string_view group) const;
  /// The if_ids of which something may be left when this ends: tunnels whose connections are ours, and former ones.
  [[nodiscard]] std::vector<std::uint32_t> owned_if_ids() const;
  [[nodiscard]] IkeLink ike_link() const;  ///< charon as seen from here.
  /// "5.9.8"; empty while charon is not there.
  [[nodiscard]] std::string ike_version() const;
  /// Remote IKE addresses of all tunnels, configured or in use (MOBIKE, names): no route of ours may swallow them.
  [[nodiscard]] std::vector<IpAddress> underlay_endpoints() const;
  /// Differences between the configuration and what charon can do: "proposal aes256gcm16-...: charon has not loaded
  /// AES_GCM_16: plugin gcm or openssl is missing". One sentence each.
  [[nodiscard]] std::vector<std::string> warnings() const;
  /// The clock TunnelStatus's times come from.
  [[nodiscard]] Time now() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace minibgp::xfrm
