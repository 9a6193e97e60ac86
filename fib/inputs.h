/// What a Fib is given by the program, as values: what is desired, and what holds outside of the kernel. What the
/// kernel says comes another way (forwarder.h), because a dump of it has a million routes.
#pragma once

#include <bgp/outputs.h>
#include <bgp/types.h>
#include <fib/options.h>
#include <fib/route.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace minibgp::fib {

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

/// Whether our own announcement depends on the kernel: see Fib::watch_network().
enum class NetworkWatch : std::uint8_t {
  exact_route,  ///< The kernel has exactly this prefix, from somebody else (connected networks count).
  reachable,    ///< The kernel has a route of somebody else, not the default route, that covers it.
};

/// The alternatives of Input. What each does is said at the function of Fib with its name. Views are read during the
/// call only.
namespace input {

/// Fib::set_options().
struct SetOptions {
  const FibOptions& options;
};
/// Fib::on_best_changed().
struct BestChanged {
  std::span<const BestChange> changes;
};
/// Fib::set_peer().
struct SetPeer {
  PeerId peer{};
  PeerBinding binding;
};
/// Fib::remove_peer().
struct RemovePeer {
  PeerId peer{};
};
/// Fib::set_peer_usable().
struct SetPeerUsable {
  PeerId peer{};
  bool usable = true;
};
/// Fib::set_static_routes().
struct SetStaticRoutes {
  std::span<const StaticRoute> routes;
};
/// Fib::set_route().
struct SetRoute {
  RouteKey key;
  std::span<const Via> vias;
};
/// Fib::remove_route().
struct RemoveRoute {
  RouteKey key;
};
/// Fib::set_interface_usable().
struct SetInterfaceUsable {
  std::string_view interface;
  bool usable = true;
  std::string_view reason;
};
/// Fib::set_interface_suspect().
struct SetInterfaceSuspect {
  std::string_view interface;
  bool suspect = false;
};
/// Fib::forget_interface().
struct ForgetInterface {
  std::string_view interface;
};
/// Fib::set_underlay_endpoints().
struct SetUnderlayEndpoints {
  std::span<const IpAddress> endpoints;
};
/// Fib::set_own_networks().
struct SetOwnNetworks {
  std::span<const Prefix> networks;
};
/// Fib::watch_next_hop().
struct WatchNextHop {
  PeerId peer{};
  IpAddress next_hop;
};
/// Fib::unwatch_next_hop().
struct UnwatchNextHop {
  PeerId peer{};
  IpAddress next_hop;
};
/// Fib::watch_network().
struct WatchNetwork {
  Prefix prefix;
  NetworkWatch watch{};
};
/// Fib::unwatch_network().
struct UnwatchNetwork {
  Prefix prefix;
  NetworkWatch watch{};
};
/// Fib::finish_adoption().
struct FinishAdoption {};
/// Fib::verify().
struct Verify {};
/// Fib::stop().
struct Stop {};

}  // namespace input

/// One input of a Fib.
using Input =
    std::variant<input::SetOptions, input::BestChanged, input::SetPeer, input::RemovePeer, input::SetPeerUsable,
                 input::SetStaticRoutes, input::SetRoute, input::RemoveRoute, input::SetInterfaceUsable,
                 input::SetInterfaceSuspect, input::ForgetInterface, input::SetUnderlayEndpoints, input::SetOwnNetworks,
                 input::WatchNextHop, input::UnwatchNextHop, input::WatchNetwork, input::UnwatchNetwork,
                 input::FinishAdoption, input::Verify, input::Stop>;

}  // namespace minibgp::fib
