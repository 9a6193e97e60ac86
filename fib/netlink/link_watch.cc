#include <fib/netlink/link_watch.h>

#include <algorithm>

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

namespace minibgp::netlink {
namespace {

using fib::AddressEvent, fib::LinkEvent;
using Event = std::variant<LinkEvent, AddressEvent>;

std::optional<IpAddress> address_in(Family family, Bytes octets) {
  if (octets.size() != (family == Family::ipv4 ? 4U : 16U)) return std::nullopt;
  IpAddress result;
  result.family = family;
  std::copy(octets.begin(), octets.end(), result.octets.begin());
  return result;
}

/// Messages of another family are about a bridge's ports, and say nothing of the link itself.
std::optional<Event> link_event(const Message& message) {
  const auto header = fixed_header<ifinfomsg>(message.payload);
  if (!header || header->ifi_family != AF_UNSPEC) return std::nullopt;
  LinkEvent event;
  event.gone = message.type == RTM_DELLINK;
  event.link.index = fib::IfIndex{static_cast<std::uint32_t>(header->ifi_index)};
  // IFF_RUNNING: the carrier is there, or the driver cannot tell (XFRM interfaces have no carrier).
  event.link.up = (header->ifi_flags & IFF_UP) != 0 && (header->ifi_flags & IFF_RUNNING) != 0;
  AttributeReader reader(message.payload, sizeof *header);
  while (const auto attribute = reader.next())
    if (attribute->type == IFLA_IFNAME) event.link.name = attribute->text();
  return event;
}

std::optional<Event> address_event(const Message& message) {
  const auto header = fixed_header<ifaddrmsg>(message.payload);
  if (!header || (header->ifa_family != AF_INET && header->ifa_family != AF_INET6)) return std::nullopt;
  const Family family = header->ifa_family == AF_INET6 ? Family::ipv6 : Family::ipv4;
  AddressEvent event;
  event.gone = message.type == RTM_DELADDR;
  event.address.interface = fib::IfIndex{header->ifa_index};
  event.address.length_bits = header->ifa_prefixlen;
  std::uint32_t flags = header->ifa_flags;
  std::optional<IpAddress> local, remote;
  AttributeReader reader(message.payload, sizeof *header);
  while (const auto attribute = reader.next()) {
    if (attribute->type == IFA_LOCAL) local = address_in(family, attribute->value);
    if (attribute->type == IFA_ADDRESS) remote = address_in(family, attribute->value);
    // The header has eight bits only.
    if (attribute->type == IFA_FLAGS) flags = attribute->as<std::uint32_t>().value_or(flags);  // All 32 of them.
  }
  // IFA_ADDRESS is the other end of a point-to-point address. IPv6 has nothing else where there is no other end.
  if (!local) local = remote;
  if (!local) return std::nullopt;
  event.address.local = *local;
  event.address.remote = remote.value_or(*local);
  // Not usable as a source yet, or at all.
  event.address.tentative = (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) != 0;
  return event;
}

}  // namespace

std::optional<Event> parse_link_event(const Message& message) {
  switch (message.type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return link_event(message);
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return address_event(message);
    default:
      return std::nullopt;
  }
}

}  // namespace minibgp::netlink
