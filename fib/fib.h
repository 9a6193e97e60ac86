/// Fib: routes into the kernel, on your boost::asio::io_context. Hand it the best paths of a Speaker, or desired routes
/// of your own, and it converges the kernel's tables to them and keeps them so: it adopts what an earlier run left,
/// repairs what others change or the kernel drops with a link or address, moves traffic off a dead next hop with one
/// message however many routes use it, and says what the kernel refused and why.
///
/// Ownership is by (protocol, table): a route with another protocol number is never touched. Next-hop objects are owned
/// by protocol within a range of ids of our own.
///
/// Not here: who the best is (bgp/speaker.h), whether a tunnel carries traffic (xfrm/tunnels.h). The program that owns
/// all three passes the news on.
#pragma once

#include <bgp/log.h>
#include <bgp/outputs.h>
#include <bgp/result.h>
#include <bgp/snapshots.h>
#include <bgp/types.h>
#include <fib/inputs.h>
#include <fib/options.h>
#include <fib/route.h>
#include <fib/status.h>

#include <cstdint>
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

namespace minibgp::fib {

/// Called from the loop after the input that caused it was worked on; calling back into the Fib is allowed, and so is
/// destroying it: nothing is called afterwards. Views are valid during the call.
class FibObserver {
 public:
  virtual ~FibObserver() = default;
  /// After the kernel's groups lost the next hop, when it became unusable: pass it on to Speaker::set_next_hop().
  virtual void on_next_hops_changed(std::span<const NextHopState>) {}
  virtual void on_network_changed(const Prefix&, NetworkWatch, bool /*present*/) {}  ///< Of watch_network().
  /// Where the Fib writes now, and where something of an earlier run is left. Keep it on disk, and give it to the next
  /// run as FibOptions::former. Called before the first route goes to a new table, and when a former one is clean.
  virtual void on_owned_changed(std::span<const OwnedTable>) {}
  /// The Fib can do nothing any more (the kernel's netlink socket failed). It stays quiet afterwards.
  virtual void on_fib_failed(std::error_code) {}
};

/// Threads:  none of its own; create, use and destroy it on the io_context's thread.
/// Lifetime: `io`, `observer` and `log` (which may be null) must outlive it. Destruction leaves the kernel as it is;
/// see
///           stop().
/// Errors:   returned, never thrown. What the kernel refuses is not an error of yours: see status() and routes().
class Fib {
 public:
  Fib(boost::asio::io_context& io, const FibOptions& options, FibObserver& observer, LogSink* log = nullptr);
  ~Fib();
  Fib(const Fib&) = delete;
  Fib& operator=(const Fib&) = delete;

  /// Opens the netlink sockets and begins to read the kernel's tables; before that, nothing is written. The error is
  /// the kernel's (EPERM only later, with the first write: see status()), or std::errc::address_in_use when another
  /// process owns the routes of (table, protocol) in this network namespace; its message() says which.
  [[nodiscard]] Result<void, std::error_code> start();
  /// Options that differ are applied: routes move to the new table, metric or source. `enabled`, `protocol`,
  /// `next_hop_objects`, `next_hop_id_base`, `former` and `dry_run` stay what they were at the start. A table that
  /// another process owns is not taken: the routes for it are held back.
  void set_options(const FibOptions& options) { input(input::SetOptions{options}); }
  /// One input. The functions that are named for one make it.
  void input(const Input& input);

  // What is desired.
  /// Hand over what Observer::on_best_changed() brings, turn by turn. O(changes); nothing is sent before the call
  /// returns.
  void on_best_changed(std::span<const BestChange> changes) { input(input::BestChanged{changes}); }
  /// Who a BestPath's peer is. Needed for link-local next hops and for peers bound to an interface.
  void set_peer(PeerId peer, const PeerBinding& binding) { input(input::SetPeer{peer, binding}); }
  /// Takes out what the peer's paths brought.
  void remove_peer(PeerId peer) { input(input::RemovePeer{peer}); }
  /// A session ended and its routes are not kept (no graceful restart): takes the peer's next hops out of all groups in
  /// this turn, ahead of the on_best_changed() calls that withdraw its paths. usable again: before its paths return.
  /// A route that has no other next hop stays until on_best_changed() says what becomes of it, at most 200 ms.
  void set_peer_usable(PeerId peer, bool usable) { input(input::SetPeerUsable{peer, usable}); }
  /// Replaces all static routes.
  void set_static_routes(std::span<const StaticRoute> routes) { input(input::SetStaticRoutes{routes}); }
  /// Without a speaker: a desired route of your own. Several calls for one key: the last holds. The table must be
  /// FibOptions::table or one named by another route. Next hops are taken as they are, each usable while its interface
  /// is.
  void set_route(const RouteKey& key, std::span<const Via> vias) { input(input::SetRoute{key, vias}); }
  /// No effect if it was not set.
  void remove_route(const RouteKey& key) { input(input::RemoveRoute{key}); }

  // What holds.
  /// A tunnel's interface begins or ceases to carry traffic, whatever its link flags say. Unusable: the kernel's groups
  /// have lost it when this returns. A learned route that has no other next hop stays until on_best_changed() says what
  /// becomes of it, at most 200 ms; a static one leaves at once. Interfaces nobody spoke about are usable while they
  /// are up.
  void set_interface_usable(std::string_view interface, bool usable, std::string_view reason) {
    input(input::SetInterfaceUsable{interface, usable, reason});
  }
  /// Something hints that what goes this way may not arrive: beside it, ways that are not suspect get sixteen times
  /// their weight.
  void set_interface_suspect(std::string_view interface, bool suspect) {
    input(input::SetInterfaceSuspect{interface, suspect});
  }
  /// Forgets what set_interface_usable() and set_interface_suspect() said.
  void forget_interface(std::string_view interface) { input(input::ForgetInterface{interface}); }

  // Guard.
  /// Addresses of IKE endpoints: a learned route that would take over the path to one is refused.
  void set_underlay_endpoints(std::span<const IpAddress> endpoints) { input(input::SetUnderlayEndpoints{endpoints}); }
  /// Our own on-premises ranges: for the guard, and for PreferredSource::Mode::automatic.
  void set_own_networks(std::span<const Prefix> networks) { input(input::SetOwnNetworks{networks}); }

  // Questions the speaker has.
  /// From Observer::on_next_hop_interest(); the answer comes through on_next_hops_changed(), now and at each change.
  void watch_next_hop(PeerId peer, const IpAddress& next_hop) { input(input::WatchNextHop{peer, next_hop}); }
  /// Ends watch_next_hop().
  void unwatch_next_hop(PeerId peer, const IpAddress& next_hop) { input(input::UnwatchNextHop{peer, next_hop}); }
  /// Reports presence through on_network_changed(), now (as absent until the kernel was read) and at each change.
  void watch_network(const Prefix& prefix, NetworkWatch watch) { input(input::WatchNetwork{prefix, watch}); }
  /// Ends watch_network().
  void unwatch_network(const Prefix& prefix, NetworkWatch watch) { input(input::UnwatchNetwork{prefix, watch}); }

  // Life.
  /// Everything desired was said (Observer::on_restart_complete()): adopted routes nobody asked for may go.
  void finish_adoption() { input(input::FinishAdoption{}); }
  /// Compares with the kernel's whole table now and repairs; `done` gets what differed. It may call back into the Fib
  /// but not destroy it, and is not called when the Fib ends first.
  void verify(std::function<void(const Comparison&)> done);
  /// on_exit remove: takes our routes and objects out, however many turns that needs, then calls `done`. keep: finishes
  /// what was begun and calls `done`. Nothing is written afterwards. `done` is posted to the loop and may destroy the
  /// Fib.
  void stop(std::function<void()> done);

  // Reading: copies; the cost is that of the answer, and of the table where a filter is not an exact prefix.
  [[nodiscard]] FibStatus status() const;                                          ///< A copy.
  using RouteFilter = FibRouteFilter;                                              ///< Which routes routes() returns.
  [[nodiscard]] std::vector<RouteStatus> routes(const RouteFilter& filter) const;  ///< Copies.
  /// The same in parts, for tables that take too long for one turn of a loop: looks at the next `steps` routes, moves
  /// `at` on, and adds those that the filter chooses to `found`, unsorted and whatever filter.max is.
  void routes_part(const RouteFilter& filter, RouteCursor& at, std::size_t steps,
                   std::vector<RouteStatus>& found) const;
  [[nodiscard]] std::vector<GroupStatus> groups() const;          ///< Next-hop groups; copies.
  [[nodiscard]] std::vector<NextHopState> next_hops() const;      ///< Watched next hops; copies.
  [[nodiscard]] std::vector<InterfaceStatus> interfaces() const;  ///< Copies.
  [[nodiscard]] std::string interface_name(IfIndex index) const;  ///< Empty when unknown.
  [[nodiscard]] std::vector<MemoryUse> memory() const;            ///< Octets by purpose.

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace minibgp::fib
