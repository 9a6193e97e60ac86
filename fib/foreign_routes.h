/// ForeignRoutes: the kernel's routes of other protocols (connected, static, DHCP, other daemons), as far as we must
/// know them: to resolve next hops, to guard paths we must not take over, to see whether a network of ours is there,
/// and to leave a route alone that sits where one of ours would go. Never written to the kernel.
#pragma once

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
  /// Whether it changed anything.
  bool on_route(const ForeignRoute& route);
  bool on_gone(const RouteKey& key, std::uint8_t protocol);
  void begin_dump() { ++generation_; }
  /// Forgets what the dump did not show; whether that was anything.
  bool end_dump();

  /// The route for `address`: longest prefix, then lowest metric. Null when there is none.
  [[nodiscard]] const ForeignRoute* lookup(const IpAddress& address) const;
  /// The route with exactly this prefix and the lowest metric.
  [[nodiscard]] const ForeignRoute* exact(const Prefix& prefix) const;
  /// The longest route that covers all of `prefix`.
  [[nodiscard]] const ForeignRoute* covering(const Prefix& prefix) const;
  /// A route inside `range` (equal counts) that is longer than `length_bits`.
  [[nodiscard]] const ForeignRoute* inside(const Prefix& range, std::uint8_t length_bits) const;
  [[nodiscard]] bool occupies(const RouteKey& key) const;
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Entry {
    ForeignRoute route;
    std::uint32_t generation = 0;
  };
  using Entries = std::vector<Entry>;  // By metric; nearly always one.
  void count_length(const Prefix& prefix, int change);

  std::unordered_map<Prefix, Entries> by_prefix_;
  std::array<std::array<std::uint32_t, 129>, kFamilies> lengths_{};  ///< Prefixes of each length.
  std::uint32_t generation_ = 0;
  std::size_t size_ = 0;
};

}  // namespace minibgp::fib
