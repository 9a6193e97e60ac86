/// KernelPort: the seam between the pure part of fib/ and whatever keeps the routes: the kernel over netlink, a program
/// that prints (dry run), or a fake in tests. Batches of operations go out, answers and what the kernel has come back.
///
///   Forwarder::poll()                          ->  KernelPort::send(), dump()
///   Forwarder::on_answers()                    <-  once for each batch, in order, at once or later
///   Forwarder::on_route(), input(KernelNews)   <-  dumps and notifications
#pragma once

#include <fib/route.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace minibgp::fib {

/// How a route came into the kernel's list of routes with one prefix, table and metric; of the first the kernel uses.
enum class Placement : std::uint8_t {
  created,   ///< Made; IPv4: in front of those that were there (`ip route prepend`).
  appended,  ///< Behind those that were there.
  replaced,  ///< In the place of the first.
};

/// A route as the kernel tells it, whoever owns it.
struct KernelRoute {
  RouteKey key;
  std::uint8_t protocol = 0;
  bool unicast = true;    ///< Not blackhole, unreachable, prohibit.
  Forwarding forwarding;  ///< Next hops as far as the kernel tells them, also beside a next-hop object's id.
  Placement placement = Placement::created;  ///< Of notifications.
  std::uint32_t port_id = 0;  ///< Netlink port whose request caused the notification; 0: the kernel itself, or a dump.
};

/// An interned Forwarding; see ForwardingTable. 0 is "no route".
enum class ForwardingId : std::uint32_t {};
inline constexpr ForwardingId kNoForwarding{0};

/// One change of one route.
struct RouteOp {
  enum class Kind : std::uint8_t {
    add,      ///< Fails with EEXIST when any route with this key is there: never takes over somebody else's.
    replace,  ///< Of our own route with this key.
    remove,   ///< Of our own route with this key, whatever its next hops are.
  };
  Kind kind = Kind::add;
  std::uint32_t record = 0;           ///< Of the reconciler; comes back with the answer.
  ForwardingId want = kNoForwarding;  ///< What the route is after success.
  RouteKey key;
  const Forwarding* forwarding = nullptr;  ///< Of `want`; null for remove. Valid until the batch is answered.
  std::uint8_t former_protocol = 0;        ///< For remove: the route carries this protocol number; 0: the present one.
};

/// A member of a next-hop group: another object's id and its share.
struct GroupEntry {
  NextHopId id = kNoNextHopId;
  std::uint16_t weight = 1;
  auto operator<=>(const GroupEntry&) const = default;
};

/// A next-hop object as the kernel has it, or as we want it: a single next hop, or a group when `entries` is not empty.
struct KernelNextHop {
  NextHopId id = kNoNextHopId;
  std::uint8_t protocol = 0;
  Via via;
  std::vector<GroupEntry> entries;
  bool operator==(const KernelNextHop&) const = default;
};

/// One change of one next-hop object.
struct NextHopOp {
  enum class Kind : std::uint8_t {
    make,    ///< Creates or replaces.
    remove,  ///< The kernel takes a single one out of every group that has it, in one step.
  };
  Kind kind = Kind::make;
  KernelNextHop next_hop;  ///< For remove only the id counts.
};

/// One operation of a batch that did not succeed.
struct OpError {
  std::size_t index = 0;  ///< In the batch.
  int error = 0;          ///< A positive errno.
  std::string text;       ///< The kernel's own explanation; may be empty.
};

/// What to read again from the kernel.
struct DumpRequest {
  bool links = false;  ///< Links, and after them addresses.
  bool next_hops = false;
  bool routes = false;  ///< Ours and others'.
  [[nodiscard]] bool any() const { return links || next_hops || routes; }
};

/// The parts of the kernel's state that are dumped on their own.
enum class DumpPart : std::uint8_t { links, next_hops, routes };

/// A link as the kernel tells it.
struct LinkInfo {
  IfIndex index = kNoInterface;
  std::string name;
  bool up = false;  ///< Administratively up, and the carrier is there (or cannot be told).
  bool operator==(const LinkInfo&) const = default;
};

/// An address on a link. `remote` is the other end of a point-to-point address and equals `local` otherwise.
struct AddressInfo {
  IfIndex interface = kNoInterface;
  IpAddress local;
  IpAddress remote;
  std::uint8_t length_bits = 0;
  bool tentative = false;  ///< IPv6, while duplicates are looked for: not usable as a source.
  bool operator==(const AddressInfo&) const = default;
};

// The alternatives of KernelNews, beside KernelNextHop.

struct LinkEvent {
  LinkInfo link;
  bool gone = false;
};
struct AddressEvent {
  AddressInfo address;
  bool gone = false;
};
struct NextHopGone {
  NextHopId id = kNoNextHopId;
};
/// Notifications were lost: everything is read again.
struct Overrun {};
/// The kernel has no next-hop objects: routes carry their next hops themselves from now on.
struct NoNextHopObjects {};
struct DumpBegins {
  DumpPart part{};
};
struct DumpEnded {
  DumpPart part{};
  bool complete = true;  ///< false: the kernel's table changed while it was read; what was not seen may still be there.
};

/// What the kernel says, but for routes: a dump of those has a million, and Forwarder has functions for them.
using KernelNews =
    std::variant<LinkEvent, AddressEvent, KernelNextHop, NextHopGone, Overrun, NoNextHopObjects, DumpBegins, DumpEnded>;

/// How many operations a port takes in one batch; 0: none of the kind.
struct Room {
  std::size_t next_hops = 64;
  /// A thread waits for the kernel, and the kernel takes its lock for each route anew, so nothing waits for a batch;
  /// from about 64 on the kernel's own work dominates, and 256 wake the two threads seldom.
  std::size_t routes = 256;
};

class KernelPort {
 public:
  virtual ~KernelPort() = default;
  virtual void send(std::span<const NextHopOp> batch) = 0;
  virtual void send(std::span<const RouteOp> batch) = 0;
  /// Now; answers make room.
  [[nodiscard]] virtual Room room() const { return {}; }
  virtual void dump(const DumpRequest& what) = 0;
};

}  // namespace minibgp::fib
