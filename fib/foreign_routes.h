/// ForeignRoutes: the kernel's routes of other protocols (connected, static, DHCP, other daemons), as far as we must
/// know them: to resolve next hops, to guard paths we must not take over, to see whether a network of ours is there,
/// and to leave a route alone that sits where one of ours would go. Never written to the kernel.
///
/// A foreign route is identified by all that it says, next hops included: IPv4 has several routes with one prefix,
/// metric and protocol (`ip route append`), and IPv6 takes a single next hop out of a route that has several. Where a
/// notification fits no route that is known, nothing is forgotten: the next dump tells.
#pragma once

#include <fib/kernel_port.h>
#include <fib/route.h>

#include <array>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace minibgp::fib {

struct ForeignRoute {
  RouteKey key;
  std::uint8_t protocol = 0;
  bool unicast = true;    ///< Not blackhole, unreachable, prohibit.
  std::vector<Via> vias;  ///< Empty when it refers to a next-hop object whose content the kernel did not tell.
  bool operator==(const ForeignRoute&) const = default;
};

class ForeignRoutes {
 public:
  /// Of a dump: routes with one key come in the kernel's order. `ahead`: it comes before ours with the same key. Both
  /// return whether anything changed.
  bool on_dumped(const ForeignRoute& route, bool ahead);
  /// A dump shows ours with this key: what it has shown before with the same key is in front of ours. Returns the first
  /// of those that were not known to be; null: none.
  const ForeignRoute* on_ours_dumped(const RouteKey& key);
  /// Of a notification. `ours_there`: the kernel has one of ours with this key.
  bool on_route(const ForeignRoute& route, Placement placement, bool ours_there);
  enum class Gone : std::uint8_t {
    unknown,  ///< No such route is known: read the table again.
    erased,
    shrunk,  ///< It lost a next hop.
  };
  [[nodiscard]] Gone on_gone(const ForeignRoute& route);
  void begin_dump() { ++generation_; }
  /// Forgets what the dump did not show; whether that was anything.
  bool end_dump();
  /// Forgets the one in front of ours with this key.
  void forget_ahead(const RouteKey& key);

  /// The route for `address`: longest prefix, then lowest metric. Null when there is none.
  [[nodiscard]] const ForeignRoute* lookup(const IpAddress& address) const;
  /// The route with exactly this prefix and the lowest metric.
  [[nodiscard]] const ForeignRoute* exact(const Prefix& prefix) const;
  /// The longest route that covers all of `prefix`.
  [[nodiscard]] const ForeignRoute* covering(const Prefix& prefix) const;
  /// A route inside `range` (equal counts) that is longer than `length_bits`.
  [[nodiscard]] const ForeignRoute* inside(const Prefix& range, std::uint8_t length_bits) const;
  /// The first route with the key; null when there is none.
  [[nodiscard]] const ForeignRoute* with_key(const RouteKey& key) const;
  [[nodiscard]] bool occupies(const RouteKey& key) const { return with_key(key) != nullptr; }
  /// Whether exactly this route, next hops included, is known to be there.
  [[nodiscard]] bool knows(const ForeignRoute& route) const;
  /// The one that the kernel has in front of ours with the same key, so that packets follow it; null: none.
  [[nodiscard]] const ForeignRoute* ahead(const RouteKey& key) const;
  [[nodiscard]] std::size_t ahead_count() const { return ahead_; }
  template <typename Visit>
  void for_each_ahead(Visit visit) const {
    if (ahead_ == 0) return;
    for (const auto& [prefix, entries] : by_prefix_)
      for (const Entry& entry : entries)
        if (entry.ahead) visit(entry.route);
  }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Entry {
    ForeignRoute route;
    std::uint32_t generation = 0;  ///< Of the last dump that it was there in, or of a notification since.
    std::uint32_t dumped = 0;      ///< Of the last dump that has shown it.
    bool ahead = false;
  };
  using Entries = std::vector<Entry>;  // By metric, then in the kernel's order; nearly always one.
  void count_length(const Prefix& prefix, int change);
  Entries& entries_of(const Prefix& prefix);
  void erase(Entries& entries, Entries::iterator at);
  void drop_if_empty(const Prefix& prefix);
  void set_ahead(Entry& entry, bool ahead);

  std::unordered_map<Prefix, Entries> by_prefix_;
  std::array<std::array<std::uint32_t, 129>, kFamilies> lengths_{};  ///< Prefixes of each length.
  std::uint32_t generation_ = 0;
  std::size_t size_ = 0;
  std::size_t ahead_ = 0;
};

}  // namespace minibgp::fib
