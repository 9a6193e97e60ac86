#include <bgp/text.h>
#include <fib/route_guard.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace minibgp::fib {
namespace {

constexpr Prefix link_local_v4() { return Prefix::of(IpAddress::v4(0xA9FE0000), 16); }
constexpr Prefix link_local_v6() { return Prefix::of(IpAddress::v6({0xFE, 0x80}), 10); }

Prefix host(const IpAddress& address) { return Prefix::of(address, address_bits(address.family)); }

// In this order a prefix is followed by all that lie inside of it: judge() walks from one to the last of them.
bool before(const Prefix& a, const Prefix& b) {
  return std::tie(a.family, a.octets, a.length_bits) < std::tie(b.family, b.octets, b.length_bits);
}

}  // namespace

std::string_view to_text(Refusal refusal) {
  switch (refusal) {
    case Refusal::none:
      return "";
    case Refusal::covers_endpoint:
      return "it would take over the path to an IKE endpoint";
    case Refusal::covers_own_network:
      return "it would take over the path to an own network";
    case Refusal::inside_own_network:
      return "it is inside an own network";
    case Refusal::inside_connected_network:
      return "it is inside a network that an interface of ours is in";
    case Refusal::covers_peer:
      return "it would take over the path to a peer's address";
    case Refusal::link_local_network:
      return "link-local networks are never learned";
    case Refusal::static_route:
      return "a static route goes first";
    case Refusal::foreign_route:
      return "the kernel has another protocol's route with this prefix and metric";
    case Refusal::foreign_ahead:
      return "another protocol's route with this prefix and metric was put in front of ours";
    case Refusal::contested:
      return "another program changes it again and again";
    case Refusal::table_owned:
      return "another program owns the routes of this table and protocol";
    case Refusal::kernel:
      return "the kernel refused it";
    case Refusal::no_usable_next_hop:
      return "no next hop is usable";
  }
  return "";
}

void RouteGuard::set_underlay_endpoints(std::span<const IpAddress> endpoints) {
  endpoints_.assign(endpoints.begin(), endpoints.end());
  changed_ = true;
  sort_places();
}

void RouteGuard::set_own_networks(std::span<const Prefix> networks) {
  own_networks_.assign(networks.begin(), networks.end());
  changed_ = true;
  sort_places();
}

RouteGuard::Review RouteGuard::refresh() {
  auto peers = map_.peer_addresses();
  auto connected = map_.connected_networks();
  if (peers != peers_ || connected != connected_) {
    peers_ = std::move(peers);
    connected_ = std::move(connected);
    changed_ = true;
    sort_places();
  }
  // What has to be judged again, because another path may lead there now.
  Review review;
  const Place* previous = nullptr;
  for (Place& place : places_) {
    const ForeignRoute* path = map_.foreign().covering(place.prefix);
    // -1: no route of the kernel leads there.
    const int bits = path == nullptr ? -1 : path->key.prefix.length_bits;
    // The path to an own network may also be several routes inside it: those are always looked at again.
    const bool again = changed_ || bits != place.path_bits || place.refusal == Refusal::covers_own_network;
    place.path_bits = bits;
    if (!again) continue;
    // From the longest on. Those that cover the place before, too, are there already: the places are sorted.
    for (int length = place.prefix.length_bits; length >= 0; --length) {
      const Prefix covering = Prefix::of(place.prefix.address(), static_cast<std::uint8_t>(length));
      if (previous != nullptr && covering.covers(previous->prefix)) break;
      review.covering.push_back(covering);
    }
    previous = &place;
  }
  std::vector<Prefix> guarding;
  for (const NextHopMap::Connected& one : connected_) guarding.push_back(one.network);
  // An own network guards what is inside of it only while the kernel has a route for exactly that network.
  for (const Prefix& network : own_networks_)
    if (map_.foreign().exact(network) != nullptr) guarding.push_back(network);
  std::sort(guarding.begin(), guarding.end(), before);
  for (const Prefix& network : guarding)
    if (changed_ || !std::binary_search(guarding_inside_.begin(), guarding_inside_.end(), network, before))
      review.inside.insert(network, 1);
  guarding_inside_ = std::move(guarding);
  changed_ = false;
  return review;
}

void RouteGuard::sort_places() {
  places_.clear();
  for (const IpAddress& endpoint : endpoints_) places_.push_back({host(endpoint), Refusal::covers_endpoint});
  for (const IpAddress& peer : peers_) places_.push_back({host(peer), Refusal::covers_peer});
  for (const Prefix& network : own_networks_) places_.push_back({network, Refusal::covers_own_network});
  // Stable: of several reasons for one prefix the first in the order above is reported.
  std::stable_sort(places_.begin(), places_.end(),
                   [](const Place& a, const Place& b) { return before(a.prefix, b.prefix); });
  by_network_ = {};
  for (std::size_t i = 0; i < connected_.size(); ++i) by_network_.insert(connected_[i].network, i);
  own_ = {};
  for (const Prefix& network : own_networks_) own_.insert(network, network);
}

bool RouteGuard::allowed(Refusal refusal) const { return (allowed_ & guard_bit(refusal)) != 0; }

bool RouteGuard::takes_over(const Place& place, const Prefix& prefix) const {
  const ForeignRoutes& foreign = map_.foreign();
  const ForeignRoute* path = foreign.covering(place.prefix);
  // A longer route of the kernel keeps the path where it is, whatever we install beside it.
  if (path != nullptr && path->key.prefix.length_bits > prefix.length_bits) return false;
  // A peer's address may be one that only BGP leads to.
  if (place.refusal == Refusal::covers_peer) return path != nullptr && path->key.prefix.length_bits != 0;
  return place.refusal != Refusal::covers_own_network || foreign.inside(place.prefix, prefix.length_bits) == nullptr;
}

GuardVerdict RouteGuard::inside(const Prefix& prefix) const {
  if (const std::size_t* at = by_network_.covering(prefix);
      at != nullptr && !allowed(Refusal::inside_connected_network))
    return {Refusal::inside_connected_network, to_text(connected_[*at].network) + " on " + connected_[*at].interface};
  if (own_.empty() || prefix.length_bits == 0 || allowed(Refusal::inside_own_network)) return {};
  const auto shorter = [](const Prefix& than) {
    return Prefix::of(than.address(), static_cast<std::uint8_t>(than.length_bits - 1));
  };
  // From the longest own network that covers the prefix to the shorter ones. A network itself is not inside of itself.
  for (const Prefix* network = own_.covering(shorter(prefix)); network != nullptr;
       network = network->length_bits == 0 ? nullptr : own_.covering(shorter(*network))) {
    // Without a path of its own it is a summary, of which parts may well be elsewhere.
    const ForeignRoute* path = map_.foreign().covering(prefix);
    if (path != nullptr && path->unicast && path->key.prefix.length_bits != 0 &&
        path->key.prefix.length_bits >= network->length_bits)
      return {Refusal::inside_own_network, to_text(*network)};
  }
  return {};
}

GuardVerdict RouteGuard::judge(const Prefix& prefix, Origin origin) const {
  const bool learned = origin == Origin::learned;
  if (learned && !allowed(Refusal::link_local_network) &&
      (prefix.family == Family::ipv4 ? link_local_v4() : link_local_v6()).covers(prefix))
    return {Refusal::link_local_network, {}};
  // The first place that can lie inside of the prefix; the loop ends with the last.
  auto at = std::lower_bound(places_.begin(), places_.end(), prefix,
                             [](const Place& place, const Prefix& wanted) { return before(place.prefix, wanted); });
  for (; at != places_.end() && prefix.contains(at->prefix.address()); ++at) {
    if (at->prefix.length_bits < prefix.length_bits || allowed(at->refusal)) continue;
    // Of static routes into a tunnel only the path to an IKE endpoint is guarded: that would be a loop.
    if (!learned && at->refusal != Refusal::covers_endpoint) continue;
    if (takes_over(*at, prefix))
      return {at->refusal,
              at->refusal == Refusal::covers_own_network ? to_text(at->prefix) : to_text(at->prefix.address())};
  }
  return learned ? inside(prefix) : GuardVerdict{};
}

}  // namespace minibgp::fib
