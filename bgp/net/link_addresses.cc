#include <bgp/net/link_addresses.h>

#include <bit>
#include <cstring>

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

namespace minibgp::net {
namespace {

IpAddress address_of(const sockaddr* given) {
  if (given == nullptr || (given->sa_family != AF_INET && given->sa_family != AF_INET6)) return {};
  // The length of a sockaddr depends on its family, and getifaddrs() does not say it.
  SocketAddress address;
  address.size = given->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  std::memcpy(&address.storage, given, address.size);
  return from_socket_address(address).address;
}

bool is_loopback(const IpAddress& address) {
  if (address.family == Family::ipv4) return address.octets[0] == 127;
  IpAddress one{{}, Family::ipv6};
  one.octets[15] = 1;
  return address == one;
}

/// Whether the peer is reached over the link of that address without a router.
bool on_link(const InterfaceAddress& own, const IpAddress& peer) {
  if (own.loopback || own.address.family != peer.family) return false;
  if (own.remote.is_set() && own.remote == peer) return true;
  return peer.is_link_local_v6() || Prefix::of(own.address, own.length_bits).contains(peer);
}

}  // namespace

std::vector<InterfaceAddress> read_interface_addresses() {
  std::vector<InterfaceAddress> all;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return all;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    InterfaceAddress one;
    one.address = address_of(entry->ifa_addr);
    if (!one.address.is_set()) continue;
    one.interface = entry->ifa_name;
    one.index = ::if_nametoindex(entry->ifa_name);
    // The netmask comes as an address; its one bits are the length of the prefix.
    for (const std::uint8_t octet : address_of(entry->ifa_netmask).octets)
      one.length_bits = static_cast<std::uint8_t>(one.length_bits + std::popcount(octet));
    one.loopback = (entry->ifa_flags & IFF_LOOPBACK) != 0;
    if ((entry->ifa_flags & IFF_POINTOPOINT) != 0) one.remote = address_of(entry->ifa_dstaddr);
    all.push_back(std::move(one));
  }
  ::freeifaddrs(list);
  return all;
}

LinkAddresses link_addresses(std::span<const InterfaceAddress> all, const Endpoint& local, const IpAddress& peer) {
  // Two interfaces may have the same address (both ends of tunnels do); the one that leads to the peer is meant.
  const InterfaceAddress* own = nullptr;
  for (const InterfaceAddress& one : all) {
    if (one.address != local.address || (!local.device.empty() && one.interface != local.device)) continue;
    // Among interfaces with that address one on the peer's link is preferred, the first such one.
    if (own == nullptr || (!on_link(*own, peer) && on_link(one, peer))) own = &one;
  }
  LinkAddresses found;
  if (own == nullptr) return found;
  if (on_link(*own, peer)) found.link = own->index;
  for (const InterfaceAddress& one : all) {
    if (one.interface != own->interface || is_loopback(one.address) || one.address.is_link_local_v6()) continue;
    IpAddress& to = one.address.family == Family::ipv4 ? found.ipv4 : found.ipv6;
    // For IPv6 the lowest address, so that the order in which the kernel lists them does not matter.
    if (!to.is_set() || (to.family == Family::ipv6 && one.address < to)) to = one.address;
  }
  return found;
}

}  // namespace minibgp::net
