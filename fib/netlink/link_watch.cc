#include <fib/netlink/link_watch.h>

#include <algorithm>
#include <memory>

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/addr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>

namespace minibgp::netlink {
namespace {

using Event = std::variant<LinkEvent, AddressEvent>;
using MessagePointer = std::unique_ptr<nl_msg, decltype(&nlmsg_free)>;

IpAddress address_of(nl_addr* address) {
  IpAddress result;
  if (address == nullptr) return result;
  result.family = nl_addr_get_family(address) == AF_INET6 ? Family::ipv6 : Family::ipv4;
  const auto* octets = static_cast<const std::uint8_t*>(nl_addr_get_binary_addr(address));
  std::copy_n(octets, std::min<std::size_t>(nl_addr_get_len(address), 16), result.octets.begin());
  return result;
}

LinkEvent link_event(rtnl_link* link) {
  LinkEvent event;
  event.link.index = fib::IfIndex{static_cast<std::uint32_t>(rtnl_link_get_ifindex(link))};
  if (const char* name = rtnl_link_get_name(link); name != nullptr) event.link.name = name;
  const unsigned flags = rtnl_link_get_flags(link);
  // IFF_RUNNING: the carrier is there, or the driver cannot tell (XFRM interfaces have no carrier).
  event.link.up = (flags & IFF_UP) != 0 && (flags & IFF_RUNNING) != 0;
  return event;
}

AddressEvent address_event(rtnl_addr* address) {
  AddressEvent event;
  event.address.interface = fib::IfIndex{static_cast<std::uint32_t>(rtnl_addr_get_ifindex(address))};
  event.address.local = address_of(rtnl_addr_get_local(address));
  nl_addr* remote = rtnl_addr_get_peer(address);
  event.address.remote = remote == nullptr ? event.address.local : address_of(remote);
  event.address.length_bits = static_cast<std::uint8_t>(rtnl_addr_get_prefixlen(address));
  event.address.tentative = (rtnl_addr_get_flags(address) & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) != 0;
  return event;
}

struct Parsed {
  bool is_link = false;
  std::optional<Event> event;
};

void on_object(nl_object* object, void* argument) {
  auto* const parsed = static_cast<Parsed*>(argument);
  if (parsed->is_link) {
    parsed->event = link_event(reinterpret_cast<rtnl_link*>(object));
  } else {
    parsed->event = address_event(reinterpret_cast<rtnl_addr*>(object));
  }
}

}  // namespace

std::optional<Event> parse_link_event(const Message& message) {
  const bool is_link = message.type == RTM_NEWLINK || message.type == RTM_DELLINK;
  if (!is_link && message.type != RTM_NEWADDR && message.type != RTM_DELADDR) return std::nullopt;
  if (is_link) {
    const auto header = fixed_header<ifinfomsg>(message.payload);
    if (!header || header->ifi_family != AF_UNSPEC) return std::nullopt;
  }
  // Links with statistics of many queues are larger than the page libnl would give us.
  const MessagePointer copy(nlmsg_alloc_size(message.payload.size() + NLMSG_HDRLEN + NLMSG_ALIGNTO), &nlmsg_free);
  if (copy == nullptr || nlmsg_put(copy.get(), 0, 0, message.type, 0, message.flags) == nullptr) return std::nullopt;
  nlmsg_set_proto(copy.get(), NETLINK_ROUTE);
  // nlmsg_append() takes a non-const pointer but only reads.
  if (nlmsg_append(copy.get(), const_cast<std::uint8_t*>(message.payload.data()), message.payload.size(), 0) < 0)
    return std::nullopt;
  Parsed parsed{is_link, std::nullopt};
  if (nl_msg_parse(copy.get(), &on_object, &parsed) < 0 || !parsed.event) return std::nullopt;
  if (auto* link = std::get_if<LinkEvent>(&*parsed.event)) link->gone = message.type == RTM_DELLINK;
  if (auto* address = std::get_if<AddressEvent>(&*parsed.event)) address->gone = message.type == RTM_DELADDR;
  return parsed.event;
}

}  // namespace minibgp::netlink
