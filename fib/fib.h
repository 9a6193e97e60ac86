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

#include <bgp/engine.h>
#include <bgp/log.h>
#include <bgp/result.h>
#include <bgp/types.h>
#include <fib/route.h>

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

/// rtm_protocol of our routes when nothing is configured: outside what the kernel, iproute2 and the routing daemons
/// claim (3, 4, 8 to 18, 42, 80, 84, 99, 186 to 198).
inline constexpr std::uint8_t kDefaultProtocol = 155;
inline constexpr std::uint32_t kDefaultMetric = 20;  ///< Of our routes; the kernel prefers lower ones.

/// automatic: a local address inside one of our own networks, so that what the gateway itself sends has an address the
/// other side can answer; none when there is none. An address: that one, while it is local.
struct PreferredSource {
  enum class Mode : std::uint8_t { automatic, none, address } mode = Mode::automatic;
  IpAddress address;  ///< Of Mode::address; used for routes of its own family.
  bool operator==(const PreferredSource&) const = default;
};
/// What one Fib owns and how it writes.
struct FibOptions {
  bool enabled = true;  ///< false: nothing is written to the kernel; next hops are still resolved and reported.
  std::uint32_t table = kMainTable;
  std::uint32_t metric = kDefaultMetric;
  std::uint8_t protocol = kDefaultProtocol;
  PreferredSource preferred_source;
  /// automatic: used where the kernel has them (5.3). off: every route carries its next hops itself.
  enum class NextHopObjects : std::uint8_t { automatic, off } next_hop_objects = NextHopObjects::automatic;
  /// First of the 65 536 ids we use; 0: 0x62000000 + (table & 0xFF) * 65536, so that two programs in one namespace do
  /// not meet unless they share a table.
  std::uint32_t next_hop_id_base = 0;
  /// What stop() does with our routes. keep: they stay, and the next start adopts them.
  enum class OnExit : std::uint8_t { keep, remove } on_exit = OnExit::keep;
  /// Adopted routes nobody asked for go at finish_adoption(), at the latest after this time.
  Duration adopt_timeout = std::chrono::seconds{120};
  Duration audit_interval = std::chrono::seconds{60};  ///< Between comparisons with the kernel's whole table; 0: never.
  /// Whether a next hop may be reached through the default route (a route to everywhere says little).
  bool resolve_via_default = false;
  /// What of the guard's reasons does not hold routes back: bits of kGuardReasons.
  std::uint32_t allow = 0;
  /// Where earlier runs wrote to: what is still there and not desired goes when adoption is over, and a route that is
  /// desired takes its place. See FibObserver::on_owned_changed().
  std::vector<OwnedTable> former;
  /// Called instead of the kernel with a line for each change: nothing is written. Needs no privilege.
  std::function<void(std::string_view line)> dry_run;
};

/// What the Fib must know of a peer to resolve its next hops.
struct PeerBinding {
  IpAddress address;
  std::string interface;  ///< The tunnel's or the device the session is bound to; empty: any.
  /// The peer is on the link: a link-local next hop of its updates (RFC 2545) can be reached there.
  bool direct = true;
  bool operator==(const PeerBinding&) const = default;
};

/// One way of a static route.
struct StaticVia {
  std::string interface;     ///< Required: of the tunnel.
  IpAddress gateway;         ///< Unset: the interface itself (XFRM interfaces need none).
  std::uint32_t metric = 0;  ///< 0: FibOptions::metric. Ways of equal metric share the load, others stand by.
  std::uint16_t weight = 1;
  bool operator==(const StaticVia&) const = default;
};
/// A route the operator gave; in the kernel exactly while a way of it is usable. It goes before a learned one of the
/// same prefix and metric.
struct StaticRoute {
  Prefix prefix;
  std::vector<StaticVia> via;
  bool operator==(const StaticRoute&) const = default;
};

/// Why a next hop is, or is not, usable.
enum class NextHopReason : std::uint8_t {
  resolved,
  starting,            ///< The first dump of the kernel is not in yet.
  no_route,            ///< On no connected network, and no kernel route leads to it.
  only_default_route,  ///< See FibOptions::resolve_via_default.
  interface_missing,   ///< The peer's interface does not exist.
  interface_down,      ///< Down, or without carrier.
  tunnel_down,         ///< set_interface_usable() said so.
  peer_down,           ///< set_peer_usable() said so.
  own_address,         ///< It is an address of this host.
  refused,             ///< The kernel would not have it as a next hop; asked again later.
};
[[nodiscard]] std::string_view to_text(NextHopReason reason);  ///< For people.

/// The state of one next hop toward one peer. A copy.
struct NextHopState {
  PeerId peer{};
  IpAddress next_hop;
  bool usable = false;
  std::uint32_t cost = 0;  ///< 0: on a connected network; else 1 + the metric of the kernel route it is reached by.
  NextHopReason reason = NextHopReason::starting;
  std::string detail;     ///< For humans: the reason of a tunnel, the route it is resolved by; may be empty.
  IpAddress gateway;      ///< Set when usable.
  std::string interface;  ///< As gateway.
};

/// Why a desired route is not in the kernel.
enum class Refusal : std::uint8_t {
  none,
  covers_endpoint,     ///< It would take over the path to a configured IKE endpoint: pin the endpoint's route first.
  covers_own_network,  ///< It would take over the path to one of our own networks.
  link_local_network,  ///< 169.254.0.0/16 and fe80::/10 are never learned.
  static_route,        ///< A static route of the same prefix and metric goes first.
  foreign_route,       ///< The kernel has a route of another protocol with the same prefix, table and metric.
  kernel,              ///< The kernel said no: see RouteStatus::error.
  no_usable_next_hop,
  inside_own_network,        ///< It is inside one of our own networks.
  inside_connected_network,  ///< It is inside a network that one of our interfaces is in.
  covers_peer,               ///< It would take over the path to the address of a configured peer.
  foreign_ahead,  ///< It is installed, but a route of another protocol with its prefix, table and metric is in front.
  contested,      ///< Another program changes it again and again; the next repair waits.
  table_owned,    ///< Another process owns its table and protocol: see Fib::start().
};
[[nodiscard]] std::string_view to_text(Refusal refusal);  ///< For people.

/// What the guard (fib/route_guard.h) may be told to let through. `word` is that of the configuration key `fib.allow`.
struct GuardReason {
  std::string_view word;
  std::uint32_t bit = 0;
};
/// All of them.
inline constexpr GuardReason kGuardReasons[] = {
    {"link_local", 1}, {"connected_networks", 2}, {"ike_endpoints", 4}, {"peer_addresses", 8}, {"own_networks", 16}};
/// The bit of FibOptions::allow that lets routes pass which are held back for this; 0: the guard has no such reason.
[[nodiscard]] constexpr std::uint32_t guard_bit(Refusal refusal) {
  switch (refusal) {
    case Refusal::link_local_network:
      return 1;
    case Refusal::inside_connected_network:
      return 2;
    case Refusal::covers_endpoint:
      return 4;
    case Refusal::covers_peer:
      return 8;
    case Refusal::covers_own_network:
    case Refusal::inside_own_network:
      return 16;
    default:
      return 0;
  }
}

/// One route as `show fib` prints it. A copy.
struct RouteStatus {
  RouteKey key;
  bool desired = false;
  bool installed = false;  ///< The kernel has it, as desired or otherwise.
  bool in_sync = false;    ///< The kernel has exactly what is desired.
  bool adopted = false;    ///< Left by an earlier run and not yet confirmed.
  bool from_static = false;
  std::vector<Via> vias;              ///< Desired; of the kernel where nothing is desired.
  NextHopId next_hop = kNoNextHopId;  ///< The kernel's next-hop object or group, when it refers to one.
  IpAddress preferred_source;
  Refusal refusal = Refusal::none;
  std::string refusal_detail;  ///< "203.0.113.151", "10.0.0.0/8 via eth0"; may be empty.
  int error = 0;               ///< The kernel's last errno for it.
};

/// One next-hop group (or single object) in the kernel. A copy.
struct GroupStatus {
  NextHopId id = kNoNextHopId;
  std::vector<Via> vias;   ///< In effect: without members that were taken out.
  std::size_t routes = 0;  ///< Kernel routes that use it.
  bool adopted = false;    ///< By an earlier run and not yet used by this one.
};
/// An interface as the kernel reports it.
struct InterfaceStatus {
  IfIndex index = kNoInterface;
  std::string name;
  bool up = false;
  std::optional<bool> tunnel_usable;  ///< What set_interface_usable() said last, if anything.
  std::string reason;
};
/// Since the Fib was made; never reset.
struct FibCounters {
  std::uint64_t route_adds = 0, route_replaces = 0, route_removes = 0;  ///< Acknowledged by the kernel.
  std::uint64_t group_changes = 0;    ///< Next-hop objects and groups made, changed, removed.
  std::uint64_t failovers = 0;        ///< Next hops taken out of groups because they became unusable.
  std::uint64_t drift_repaired = 0;   ///< Routes and objects of ours that others, or the kernel itself, changed.
  std::uint64_t overruns = 0;         ///< The kernel had to drop notifications; each led to a full comparison.
  std::uint64_t kernel_refusals = 0;  ///< Answers that were neither success nor expected.
  std::uint64_t audits = 0;
  std::uint64_t dumps = 0;
  std::int64_t longest_turn_ns = 0;   ///< Longest time one turn of the loop was kept busy.
  std::int64_t last_failover_ns = 0;  ///< From being told to the kernel having done it, of the last failover.
};
/// The whole Fib at a glance.
struct FibStatus {
  bool enabled = true;
  bool next_hop_objects = false;  ///< In use.
  bool synchronized = false;      ///< Nothing waits, nothing is in flight, the kernel was read completely.
  bool adopting = false;          ///< Adopted routes are still kept for the sake of a restart.
  std::uint32_t table = 0, metric = 0;
  std::uint8_t protocol = 0;
  std::size_t desired = 0, installed = 0, pending = 0, refused = 0, adopted = 0;
  std::size_t held = 0;       ///< Of `refused`: by the guard.
  std::size_t contested = 0;  ///< Repairs that wait because another program undoes them.
  FibCounters counters;
};

/// What verify() found.
struct Comparison {
  std::size_t compared = 0;              ///< Routes that are desired, or that the kernel has of us.
  std::vector<std::string> differences;  ///< One line each; at most 100.
  std::size_t difference_count = 0;
  std::size_t repairable = 0;  ///< Of these: being repaired. The others stay until their cause goes.
};

/// Whether our own announcement depends on the kernel: see Fib::watch_network().
enum class NetworkWatch : std::uint8_t {
  exact_route,  ///< The kernel has exactly this prefix, from somebody else (connected networks count).
  reachable,    ///< The kernel has a route of somebody else, not the default route, that covers it.
};

/// Called from the loop after the input that caused it was worked on; calling back into the Fib is allowed.
/// Views are valid during the call.
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
  void set_options(const FibOptions& options);

  // --- What is desired
  // ------------------------------------------------------------------------------------------------
  /// Hand over what Observer::on_best_changed() brings, turn by turn. O(changes); nothing is sent before the call
  /// returns.
  void on_best_changed(std::span<const BestChange> changes);
  /// Who a BestPath's peer is. Needed for link-local next hops and for peers bound to an interface.
  void set_peer(PeerId peer, const PeerBinding& binding);
  void remove_peer(PeerId peer);  ///< Takes out what the peer's paths brought.
  /// A session ended and its routes are not kept (no graceful restart): takes the peer's next hops out of all groups in
  /// this turn, ahead of the on_best_changed() calls that withdraw its paths. usable again: before its paths return.
  void set_peer_usable(PeerId peer, bool usable);
  /// Replaces all static routes.
  void set_static_routes(std::span<const StaticRoute> routes);
  /// Without a speaker: a desired route of your own. Several calls for one key: the last holds. The table must be
  /// FibOptions::table or one named by another route. Next hops are taken as they are, each usable while its interface
  /// is.
  void set_route(const RouteKey& key, std::span<const Via> vias);
  void remove_route(const RouteKey& key);  ///< No effect if it was not set.

  // --- What holds
  // -----------------------------------------------------------------------------------------------------
  /// A tunnel's interface begins or ceases to carry traffic, whatever its link flags say. Unusable: the kernel's groups
  /// have lost it when this returns. Interfaces nobody spoke about are usable while they are up.
  void set_interface_usable(std::string_view interface, bool usable, std::string_view reason);
  /// Something hints that what goes this way may not arrive: beside it, ways that are not suspect get sixteen times
  /// their weight.
  void set_interface_suspect(std::string_view interface, bool suspect);
  /// Forgets what set_interface_usable() and set_interface_suspect() said.
  void forget_interface(std::string_view interface);

  // --- Guard
  // ----------------------------------------------------------------------------------------------------------
  /// Addresses of IKE endpoints: a learned route that would take over the path to one is refused.
  void set_underlay_endpoints(std::span<const IpAddress> endpoints);
  /// Our own on-premises ranges: for the guard, and for PreferredSource::Mode::automatic.
  void set_own_networks(std::span<const Prefix> networks);

  // --- Questions the speaker has
  // --------------------------------------------------------------------------------------
  /// From Observer::on_next_hop_interest(); the answer comes through on_next_hops_changed(), now and at each change.
  void watch_next_hop(PeerId peer, const IpAddress& next_hop);
  void unwatch_next_hop(PeerId peer, const IpAddress& next_hop);  ///< Ends watch_next_hop().
  /// Reports presence through on_network_changed(), now (as absent until the kernel was read) and at each change.
  void watch_network(const Prefix& prefix, NetworkWatch watch);
  void unwatch_network(const Prefix& prefix, NetworkWatch watch);  ///< Ends watch_network().

  // --- Life
  // -----------------------------------------------------------------------------------------------------------
  /// Everything desired was said (Observer::on_restart_complete()): adopted routes nobody asked for may go.
  void finish_adoption();
  /// Compares with the kernel's whole table now and repairs; `done` gets what differed.
  void verify(std::function<void(const Comparison&)> done);
  /// on_exit remove: takes our routes and objects out, however many turns that needs, then calls `done`. keep: finishes
  /// what was begun and calls `done`. Nothing is written afterwards.
  void stop(std::function<void()> done);

  // --- Reading: copies; the cost is that of the answer, and of the table where a filter is not an exact prefix
  // ---------
  [[nodiscard]] FibStatus status() const;  ///< A copy.
  struct RouteFilter {
    std::optional<Prefix> prefix;  ///< Exact unless `longer`.
    bool longer = false;
    bool only_out_of_sync = false;
    std::size_t max = SIZE_MAX;
  };  ///< Which routes routes() returns; the default is all.
  [[nodiscard]] std::vector<RouteStatus> routes(const RouteFilter& filter) const;  ///< Copies.
  [[nodiscard]] std::vector<GroupStatus> groups() const;                           ///< Next-hop groups; copies.
  [[nodiscard]] std::vector<NextHopState> next_hops() const;                       ///< Watched next hops; copies.
  [[nodiscard]] std::vector<InterfaceStatus> interfaces() const;                   ///< Copies.
  [[nodiscard]] std::string interface_name(IfIndex index) const;                   ///< Empty when unknown.
  [[nodiscard]] std::vector<MemoryUse> memory() const;                             ///< Octets by purpose.

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace minibgp::fib
