/// RouteGuard: which routes are never installed, and why. A peer decides which prefixes it announces; it must not get
/// the traffic that this host and its own networks stand on. Every such rule is here and nowhere else.
///
///   reason                    `fib.allow`          a route is held back that ...
///   link_local_network        link_local           is inside 169.254.0.0/16 or fe80::/10
///   inside_connected_network  connected_networks   is inside, or equal to, a network that one of our interfaces is in
///   covers_endpoint           ike_endpoints        would take over the path to a configured IKE endpoint
///   covers_peer               peer_addresses       would take over the path to a configured peer's address, while the
///                                                  kernel has a better one than its default route
///   covers_own_network        own_networks         would take over the path to one of our own networks, the default
///                                                  route included while nothing longer leads there
///   inside_own_network        own_networks         is inside one of our own networks that the kernel has a path to
///
/// "Take over": no other route of the kernel is longer. Static routes are what the operator said: of them only those
/// through a tunnel are judged, and only by covers_endpoint, because such a tunnel would carry its own packets.
/// Routes that the program sets itself are not judged. Pure.
#pragma once

#include <bgp/base/lpm_trie.h>
#include <fib/next_hop_map.h>
#include <fib/status.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minibgp::fib {

struct GuardVerdict {
  Refusal refusal = Refusal::none;
  std::string detail;  ///< What is guarded: "203.0.113.151", "172.16.20.0/24 on eth0".
};

class RouteGuard {
 public:
  explicit RouteGuard(const NextHopMap& map) : map_(map) {}

  // --- What is guarded: after each change, and after each change of the kernel's routes, comes a refresh()
  void set_allowed(std::uint32_t allowed) { changed_ = std::exchange(allowed_, allowed) != allowed || changed_; }
  void set_underlay_endpoints(std::span<const IpAddress> endpoints);
  void set_own_networks(std::span<const Prefix> networks);
  struct Review {
    std::vector<Prefix> covering;        ///< Each once: routes to them cover a place and may have another verdict now.
    base::LpmTrie<std::uint8_t> inside;  ///< And those inside one of these.
  };
  /// Reads peers, interface addresses and paths again.
  [[nodiscard]] Review refresh();

  enum class Origin : std::uint8_t { learned, tunnel_static };
  /// Cost: the logarithm of the number of guarded places, and a few lookups for each of those that `prefix` covers.
  [[nodiscard]] GuardVerdict judge(const Prefix& prefix, Origin origin) const;
  [[nodiscard]] const std::vector<Prefix>& own_networks() const { return own_networks_; }

 private:
  struct Place {
    Prefix prefix;
    Refusal refusal = Refusal::none;
    int path_bits = -1;  ///< Length of the kernel's route to it at the last refresh(); -1: none.
  };
  void sort_places();
  [[nodiscard]] bool allowed(Refusal refusal) const;
  [[nodiscard]] bool takes_over(const Place& place, const Prefix& prefix) const;
  [[nodiscard]] GuardVerdict inside(const Prefix& prefix) const;

  const NextHopMap& map_;
  std::uint32_t allowed_ = 0;
  std::vector<IpAddress> endpoints_;
  std::vector<Prefix> own_networks_;
  std::vector<IpAddress> peers_;
  std::vector<NextHopMap::Connected> connected_;
  std::vector<Place> places_;              ///< What must not be covered, by family and address.
  base::LpmTrie<std::size_t> by_network_;  ///< Of connected_.
  base::LpmTrie<Prefix> own_;
  std::vector<Prefix> guarding_inside_;  ///< Networks that hold back what is inside them; sorted.
  bool changed_ = true;
};

}  // namespace minibgp::fib
