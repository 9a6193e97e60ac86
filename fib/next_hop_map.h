/// NextHopMap: links, addresses, tunnels, peers and the kernel's other routes in; for each next hop out: is it usable,
/// by which interface and gateway, and if not, why. A next hop's state is a pure function of what holds now, computed
/// again for all of them at each event: there is no second cache that could disagree. (With the few next hops of a
/// gateway that costs microseconds.)
#pragma once

#include <bgp/base/slab.h>
#include <fib/foreign_routes.h>
#include <fib/inputs.h>
#include <fib/route.h>
#include <fib/status.h>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minibgp::fib {

/// A next hop somebody tracks.
enum class NextHopRef : std::uint32_t {};

/// What makes two next hops different ones.
struct TrackedNextHop {
  Source source{};
  NextHop next_hop;              ///< May be unset for a way without gateway.
  std::string interface;         ///< Of static routes: this interface and no other; empty: wherever it resolves.
  IfIndex index = kNoInterface;  ///< The same, for a program that knows the index.
  bool onlink = false;           ///< With `index`: as the program said.
  auto operator<=>(const TrackedNextHop&) const = default;
};

struct Resolution {
  bool usable = false;
  bool suspect = false;  ///< Usable, but what goes this way may not arrive.
  NextHopReason reason = NextHopReason::starting;
  std::uint32_t cost = 0;
  Via via;  ///< Weight 1. Kept from the last usable state when not usable.
  std::string detail;
  bool operator==(const Resolution&) const = default;
};

class NextHopMap {
 public:
  explicit NextHopMap(bool resolve_via_default) : resolve_via_default_(resolve_via_default) {}

  // --- What holds. Each returns whether it may have changed a next hop: then refresh()
  // ----------------------------------
  bool on_link(const LinkInfo& link);
  bool on_link_gone(IfIndex index);
  bool on_address(const AddressInfo& address);
  bool on_address_gone(const AddressInfo& address);
  /// Around a dump of links and addresses: what it does not show is gone.
  void begin_dump();
  bool end_dump();
  [[nodiscard]] ForeignRoutes& foreign() { return foreign_; }
  [[nodiscard]] const ForeignRoutes& foreign() const { return foreign_; }
  bool set_interface_usable(std::string_view interface, bool usable, std::string_view reason);
  bool set_interface_suspect(std::string_view interface, bool suspect);
  bool forget_interface(std::string_view interface);
  bool set_peer(PeerId peer, const PeerBinding& binding);
  bool remove_peer(PeerId peer);
  bool set_peer_usable(PeerId peer, bool usable);
  bool set_resolve_via_default(bool yes);
  /// The kernel would not have this way: unusable until `until`.
  bool refuse(const Via& via, int error, Time until);
  bool expire_refusals(Time now);
  bool forget_refusals() { return !std::exchange(refused_, {}).empty(); }
  [[nodiscard]] Time next_deadline() const;
  /// The kernel's links, addresses and routes were read once: from now on answers count.
  bool set_ready();

  // --- Next hops --------------------------------------------------------------------------------------------------
  /// Counts a user; the state is up to date at once.
  [[nodiscard]] NextHopRef track(const TrackedNextHop& next_hop);
  void untrack(NextHopRef ref);
  [[nodiscard]] const TrackedNextHop& tracked(NextHopRef ref) const { return entries_[index(ref)].key; }
  [[nodiscard]] const Resolution& resolution(NextHopRef ref) const { return entries_[index(ref)].resolution; }
  struct Change {
    NextHopRef ref{};
    Resolution before;
  };
  /// Computes every next hop again; what changed, in order of ref.
  [[nodiscard]] std::vector<Change> refresh();
  /// Whether any usable next hop goes this way (weights do not matter), of `source` or, without one, of anybody.
  [[nodiscard]] bool way_in_use(const Via& via, std::optional<Source> source) const;

  // --- Questions --------------------------------------------------------------------------------------------------
  struct Connected {
    Prefix network;
    std::string interface;
    bool operator==(const Connected&) const = default;
  };
  /// The networks our interfaces are in, host addresses included; link-local ones not.
  [[nodiscard]] std::vector<Connected> connected_networks() const;
  [[nodiscard]] std::vector<IpAddress> peer_addresses() const;  ///< Link-local ones not.
  /// set_interface_usable() was called for it: what goes there is carried by something that has endpoints of its own.
  [[nodiscard]] bool is_tunnel(std::string_view interface) const { return tunnels_.find(interface) != tunnels_.end(); }
  /// Whether the kernel has a place for a route by this way, whatever the program says of tunnel and peer: the link is
  /// up, and the gateway is in a network of it.
  [[nodiscard]] bool kernel_takes(const Via& via) const;
  /// It exists, is up, and nobody said that its tunnel carries nothing.
  [[nodiscard]] bool interface_usable(IfIndex index) const { return through(link(index), {}, false).usable; }
  [[nodiscard]] bool is_local(const IpAddress& address) const;
  /// A local address inside one of `networks`, the first network that has one; unset when there is none.
  [[nodiscard]] IpAddress local_address_in(std::span<const Prefix> networks, Family family) const;
  [[nodiscard]] std::string_view name_of(IfIndex index) const;  ///< Empty when unknown.
  [[nodiscard]] std::vector<InterfaceStatus> interfaces() const;
  template <typename Visit>
  void for_each(Visit visit) const {
    for (std::uint32_t id = entries_.next(0); id < entries_.bound(); id = entries_.next(id + 1))
      visit(NextHopRef{id}, entries_[id].key, entries_[id].resolution);
  }

 private:
  struct Entry {
    TrackedNextHop key;
    Resolution resolution;
    std::uint32_t users = 0;
  };
  struct Peer {
    PeerBinding binding;
    bool usable = true;
  };
  struct Tunnel {
    bool usable = true;
    bool suspect = false;
    std::string reason;
  };
  struct RefusedVia {
    Via via;
    int error = 0;
    Time until{};
  };
  struct LinkEntry {
    LinkInfo link;
    bool seen = false;
  };
  struct AddressEntry {
    AddressInfo address;
    bool seen = false;
  };
  static std::uint32_t index(NextHopRef ref) { return static_cast<std::uint32_t>(ref); }
  [[nodiscard]] const LinkInfo* link_named(std::string_view name) const;
  [[nodiscard]] const LinkInfo* link(IfIndex index) const;
  [[nodiscard]] Resolution resolve(const TrackedNextHop& next_hop) const;
  /// The link part of an answer: up, and its tunnel usable.
  [[nodiscard]] Resolution through(const LinkInfo* link, const IpAddress& gateway, bool onlink) const;
  [[nodiscard]] const LinkInfo* connected(const IpAddress& address, std::string_view preferred) const;
  [[nodiscard]] Resolution resolve_by_foreign(const IpAddress& address) const;

  bool resolve_via_default_;
  bool ready_ = false;
  std::map<IfIndex, LinkEntry> links_;
  std::vector<AddressEntry> addresses_;
  ForeignRoutes foreign_;
  std::map<std::string, Tunnel, std::less<>> tunnels_;
  std::map<PeerId, Peer> peers_;
  std::vector<RefusedVia> refused_;
  base::Slab<Entry, 64> entries_;
  std::map<TrackedNextHop, NextHopRef> by_key_;
};

}  // namespace minibgp::fib
