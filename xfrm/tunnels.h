/// Tunnels: IPsec tunnels kept up, and known. Makes XFRM interfaces, addresses and underlay routes, hands charon its
/// connections (VICI), and says which tunnel carries traffic, since when and why. Usable alone, without BGP.
///
/// Not here: routes through the tunnels (fib/) and what to do when one is lost.
#pragma once

#include <bgp/log.h>
#include <bgp/result.h>
#include <bgp/types.h>
#include <xfrm/tunnel.h>

#include <chrono>
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
/// What holds for all tunnels.
struct TunnelsOptions {
  std::string vici_socket = "/run/charon.vici";
  std::chrono::milliseconds sync_interval{2000};  ///< How often charon and the underlay are compared with the desired.
  std::chrono::milliseconds vici_timeout{5000};   ///< An answer later than this ends the connection to charon.
  std::uint8_t route_protocol = 156;              ///< rtm_protocol of underlay routes; not the FIB's own.
  std::uint32_t route_table = 254;
  enum class OnExit : std::uint8_t { keep, remove } on_exit = OnExit::keep;  ///< Of what we made; see stop().
  bool manage_interfaces = true;  ///< false: nothing is made or changed in the kernel, only watched.
  Damping damping;
  /// Counters of SAs are read this often (no key material is asked for); 0: never, and with it no Reason::no_inbound
  /// and no following of inbound traffic.
  std::chrono::milliseconds counter_interval{500};
  /// if_ids of tunnels that an earlier run had: what is left of those that are configured no more is removed, from the
  /// kernel and from charon, which is asked even where no tunnel is left.
  std::vector<std::uint32_t> former_if_ids;
  std::chrono::seconds silence{20};  ///< We send for this long and nothing comes back: suspect.
};

/// Tunnels that lead to the same place and of which the peer uses one at a time (protected data flows behind a cloud's
/// active and standby tunnel): our outbound traffic should follow the tunnel on which the peer sends.
struct FollowGroup {
  std::string name;
  std::vector<std::string> tunnels;  ///< In order of preference.
  bool operator==(const FollowGroup&) const = default;
};
/// A follow group goes over to another tunnel.
struct FollowChange {
  std::string_view group;
  std::string_view tunnel;    ///< Use this one now; empty: none is usable.
  std::string_view previous;  ///< Empty at the start.
  std::string_view why;       ///< "inbound traffic moved", "previous tunnel is down".
};

/// Called from the loop, after the input that caused it was worked on; calling back into Tunnels is allowed.
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
  /// that is through (at most about 5 s). Without it everything stays and goes on working.
  void stop(std::function<void()> done);

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
