/// FibOptions: what one Fib owns in the kernel and how it writes. Values.
#pragma once

#include <bgp/types.h>
#include <fib/route.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

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
  /// Called instead of the kernel with a line for each change: nothing is written. Needs no privilege. It is called in
  /// the middle of a batch and must neither call back into the Fib nor destroy it.
  std::function<void(std::string_view line)> dry_run;
};

}  // namespace minibgp::fib
