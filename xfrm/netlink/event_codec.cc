#include <xfrm/netlink/event_codec.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>

namespace minibgp::xfrm {
namespace {

using netlink::AttributeReader;
using netlink::fixed_header;
using netlink::Message;
using netlink::MessageWriter;

// Newer than the headers of Debian 12.
constexpr std::uint16_t kAttributeSaDir = 33;  // XFRMA_SA_DIR, Linux 6.10.
constexpr std::uint8_t kSaDirIn = 1;
constexpr std::uint8_t kSaDirOut = 2;
constexpr unsigned kLowerUp = 1U << 16U;      // IFF_LOWER_UP of linux/if.h, which net/if.h excludes.
constexpr std::uint8_t kEveryProtocol = 255;  // IPSEC_PROTO_ANY of the kernel's internal headers.
// IFLA_XFRM_* are in if_link.h only from Linux 4.19 on; spelled out, as libnl does, to build on older headers.
constexpr std::uint16_t kXfrmLink = 1;
constexpr std::uint16_t kXfrmIfId = 2;
constexpr std::uint16_t kXfrmCollectMetadata = 3;

std::uint16_t kernel_family(Family family) { return family == Family::ipv4 ? AF_INET : AF_INET6; }

SaKey key_of(const xfrm_id& id, std::uint16_t family) {
  return {from_kernel(id.daddr, family), ntohl(id.spi), id.proto};
}

Sa sa_of(const xfrm_usersa_info& info) {
  Sa sa;
  sa.key = key_of(info.id, info.family);
  sa.source = from_kernel(info.saddr, info.family);
  sa.reqid = info.reqid;
  sa.added_s = info.curlft.add_time;
  return sa;
}

bool is_algorithm(std::uint16_t type) {
  return type == XFRMA_ALG_AUTH || type == XFRMA_ALG_AUTH_TRUNC || type == XFRMA_ALG_CRYPT || type == XFRMA_ALG_AEAD;
}

std::optional<XfrmEvent> decode_sa(const Message& message) {
  const auto info = fixed_header<xfrm_usersa_info>(message.payload);
  // Tunnels of ours have nothing but ESP.
  if (!info || info->id.proto != IPPROTO_ESP) return std::nullopt;
  Sa sa = sa_of(*info);
  bool has_algorithm = false;
  AttributeReader attributes(message.payload, sizeof(xfrm_usersa_info));
  while (const auto attribute = attributes.next()) {
    if (is_algorithm(attribute->type)) has_algorithm = true;
    if (attribute->type == XFRMA_IF_ID) sa.if_id = attribute->as<std::uint32_t>().value_or(0);
    if (attribute->type == XFRMA_ENCAP) sa.in_udp = true;
    if (attribute->type == kAttributeSaDir) {
      // Without the attribute (before 6.10) the direction follows from the addresses.
      const std::uint8_t direction = attribute->as<std::uint8_t>().value_or(0);
      if (direction == kSaDirIn) sa.direction = SaDirection::inbound;
      if (direction == kSaDirOut) sa.direction = SaDirection::outbound;
    }
  }
  // Without an algorithm it is an SPI that was only reserved.
  if (!has_algorithm) return std::nullopt;
  return sa;
}

std::optional<XfrmEvent> decode_counters(const Message& message) {
  const auto id = fixed_header<xfrm_aevent_id>(message.payload);
  if (!id) return std::nullopt;
  SaCounters counters;
  counters.key = {from_kernel(id->sa_id.daddr, id->sa_id.family), ntohl(id->sa_id.spi), id->sa_id.proto};
  AttributeReader attributes(message.payload, sizeof(xfrm_aevent_id));
  while (const auto attribute = attributes.next()) {
    if (attribute->type != XFRMA_LTIME_VAL) continue;
    const auto used = attribute->as<xfrm_lifetime_cur>();
    if (!used) return std::nullopt;
    counters.packets = used->packets;
    counters.bytes = used->bytes;
    // Attributes behind the counters are not needed.
    return counters;
  }
  return std::nullopt;
}

std::optional<XfrmEvent> decode_policy(const Message& message) {
  const auto info = fixed_header<xfrm_userpolicy_info>(message.payload);
  // A short payload is no policy.
  if (!info) return std::nullopt;
  PolicySeen policy;
  policy.info = *info;
  AttributeReader attributes(message.payload, sizeof(xfrm_userpolicy_info));
  while (const auto attribute = attributes.next()) {
    if (attribute->type == XFRMA_IF_ID) policy.if_id = attribute->as<std::uint32_t>().value_or(0);
    if (attribute->type == XFRMA_MARK) policy.marked = true;
    if (attribute->type != XFRMA_TMPL) continue;
    // Several templates lie behind each other in one attribute. A rest that is too short is ignored.
    for (Bytes rest = attribute->value; rest.size() >= sizeof(xfrm_user_tmpl);
         rest = rest.subspan(sizeof(xfrm_user_tmpl)))
      policy.templates.push_back(*fixed_header<xfrm_user_tmpl>(rest));
  }
  return policy;
}

std::optional<LinkEvent> decode_interface(const Message& message) {
  const auto info = fixed_header<ifinfomsg>(message.payload);
  // Bridges send messages about their ports under a family of their own; only plain ones are about the link itself.
  // Index 0 is no link.
  if (!info || info->ifi_family != AF_UNSPEC || info->ifi_index <= 0) return std::nullopt;
  const auto index = static_cast<std::uint32_t>(info->ifi_index);
  if (message.type == RTM_DELLINK) return LinkGone{index};
  Link link;
  link.index = index;
  link.up = (info->ifi_flags & IFF_UP) != 0;
  link.carrier = (info->ifi_flags & kLowerUp) != 0;
  AttributeReader attributes(message.payload, sizeof(ifinfomsg));
  while (const auto attribute = attributes.next()) {
    switch (attribute->type) {
      case IFLA_IFNAME:
        link.name = attribute->text();
        break;
      case IFLA_IFALIAS:
        link.alias = attribute->text();
        break;
      case IFLA_MTU:
        link.mtu = attribute->as<std::uint32_t>().value_or(0);
        break;
      case IFLA_MASTER:
        link.master = attribute->as<std::uint32_t>().value_or(0);
        break;
      case IFLA_LINKINFO: {
        AttributeReader infos(attribute->value);
        while (const auto nested = infos.next()) {
          if (nested->type == IFLA_INFO_KIND) link.kind = nested->text();
          // The kernel writes the kind before the data, whose attributes mean something else for another kind.
          if (nested->type != IFLA_INFO_DATA || link.kind != "xfrm") continue;
          AttributeReader data(nested->value);
          while (const auto item = data.next()) {
            if (item->type == kXfrmIfId) link.if_id = item->as<std::uint32_t>().value_or(0);
            if (item->type == kXfrmLink) link.underlying = item->as<std::uint32_t>().value_or(0);
            if (item->type == kXfrmCollectMetadata) link.collects_metadata = true;
          }
        }
        break;
      }
      default:
        break;
    }
  }
  return link;
}

std::optional<IpAddress> address_of(Bytes value, std::uint8_t family) {
  const std::size_t size = family == AF_INET ? 4 : 16;
  if ((family != AF_INET && family != AF_INET6) || value.size() < size) return std::nullopt;
  IpAddress address;
  address.family = family == AF_INET ? Family::ipv4 : Family::ipv6;
  std::copy_n(value.begin(), size, address.octets.begin());
  return address;
}

std::optional<LinkEvent> decode_address(const Message& message) {
  const auto info = fixed_header<ifaddrmsg>(message.payload);
  if (!info) return std::nullopt;
  std::optional<IpAddress> local;
  std::optional<IpAddress> address;
  AttributeReader attributes(message.payload, sizeof(ifaddrmsg));
  while (const auto attribute = attributes.next()) {
    if (attribute->type == IFA_LOCAL) local = address_of(attribute->value, info->ifa_family);
    if (attribute->type == IFA_ADDRESS) address = address_of(attribute->value, info->ifa_family);
  }
  // On a point-to-point link IFA_ADDRESS is the other end's.
  // IPv6 without a peer and some IPv4 addresses have IFA_ADDRESS only.
  if (!local) local = address;
  if (!local) return std::nullopt;
  return AddressSeen{info->ifa_index, {*local, info->ifa_prefixlen}, message.type == RTM_DELADDR};
}

std::optional<LinkEvent> decode_neighbor(const Message& message) {
  const auto info = fixed_header<ndmsg>(message.payload);
  if (!info || info->ndm_ifindex <= 0) return std::nullopt;
  // States in which the kernel has an address to send to, at least for now.
  constexpr unsigned kKnown = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP;
  const bool failed = (info->ndm_state & NUD_FAILED) != 0;
  if (!failed && (info->ndm_state & kKnown) == 0) return std::nullopt;
  AttributeReader attributes(message.payload, sizeof(ndmsg));
  while (const auto attribute = attributes.next())
    if (attribute->type == NDA_DST)
      if (const auto address = address_of(attribute->value, info->ndm_family))
        return NeighborSeen{static_cast<std::uint32_t>(info->ndm_ifindex), *address, failed};
  return std::nullopt;
}

// Of a multipath route neither gateway nor device is read, since there are several.
std::optional<LinkEvent> decode_route(const Message& message) {
  const auto info = fixed_header<rtmsg>(message.payload);
  if (!info || (info->rtm_family != AF_INET && info->rtm_family != AF_INET6)) return std::nullopt;
  RouteFound route;
  route.protocol = info->rtm_protocol;
  route.reachable = info->rtm_type == RTN_UNICAST || info->rtm_type == RTN_LOCAL;
  IpAddress destination;
  destination.family = info->rtm_family == AF_INET ? Family::ipv4 : Family::ipv6;
  AttributeReader attributes(message.payload, sizeof(rtmsg));
  while (const auto attribute = attributes.next()) {
    if (attribute->type == RTA_DST) destination = address_of(attribute->value, info->rtm_family).value_or(destination);
    if (attribute->type == RTA_GATEWAY)
      route.gateway = address_of(attribute->value, info->rtm_family).value_or(IpAddress{});
    if (attribute->type == RTA_OIF) route.device = attribute->as<std::uint32_t>().value_or(0);
  }
  route.prefix = Prefix::of(destination, info->rtm_dst_len);
  return route;
}

void put_address(MessageWriter& out, std::uint16_t type, const IpAddress& address) { out.put(type, address.bytes()); }

constexpr std::uint16_t kChange = NLM_F_REQUEST | NLM_F_ACK;

ifinfomsg link_header(std::uint32_t index) {
  ifinfomsg header{};
  header.ifi_family = AF_UNSPEC;
  header.ifi_index = static_cast<int>(index);
  return header;
}

void write_step(MessageWriter& out, std::uint32_t sequence, const CreateLink& step, const RouteOwner&) {
  // EXCL: another program's of the same name is not ours to change.
  out.begin(RTM_NEWLINK, kChange | NLM_F_CREATE | NLM_F_EXCL, sequence, link_header(0));
  out.put_text(IFLA_IFNAME, step.name);
  out.put(IFLA_MTU, step.mtu);
  const std::size_t info = out.begin_nested(IFLA_LINKINFO);
  out.put_text(IFLA_INFO_KIND, "xfrm");
  const std::size_t data = out.begin_nested(IFLA_INFO_DATA);
  out.put(kXfrmIfId, step.if_id);
  if (step.underlying != 0) out.put(kXfrmLink, step.underlying);
  out.end_nested(data);
  out.end_nested(info);
  out.end();
}

void write_step(MessageWriter& out, std::uint32_t sequence, const DeleteLink& step, const RouteOwner&) {
  out.begin(RTM_DELLINK, kChange, sequence, link_header(step.index));
  out.end();
}

void write_step(MessageWriter& out, std::uint32_t sequence, const ChangeLink& step, const RouteOwner&) {
  ifinfomsg header = link_header(step.index);
  // Only IFF_UP is changed: `ifi_change` masks the other flags.
  if (step.set_up) header.ifi_flags = header.ifi_change = IFF_UP;
  out.begin(RTM_NEWLINK, kChange, sequence, header);
  if (step.mtu) out.put(IFLA_MTU, *step.mtu);
  if (step.master) out.put(IFLA_MASTER, *step.master);
  if (step.mark) out.put_text(IFLA_IFALIAS, kOurAlias);
  out.end();
}

void write_step(MessageWriter& out, std::uint32_t sequence, const ChangeAddress& step, const RouteOwner&) {
  ifaddrmsg header{};
  header.ifa_family = static_cast<std::uint8_t>(kernel_family(step.address.address.family));
  header.ifa_prefixlen = step.address.length_bits;
  header.ifa_index = step.index;
  // Nobody else can have the address on a point-to-point link: usable at once.
  if (step.address.address.family == Family::ipv6) header.ifa_flags = IFA_F_NODAD;
  if (step.add) {
    out.begin(RTM_NEWADDR, kChange | NLM_F_CREATE | NLM_F_EXCL, sequence, header);
  } else {
    out.begin(RTM_DELADDR, kChange, sequence, header);
  }
  put_address(out, IFA_LOCAL, step.address.address);
  if (step.address.address.family == Family::ipv4 || !step.add) put_address(out, IFA_ADDRESS, step.address.address);
  out.end();
}

void write_step(MessageWriter& out, std::uint32_t sequence, const ChangeRoute& step, const RouteOwner& owner) {
  rtmsg header{};
  header.rtm_family = static_cast<std::uint8_t>(kernel_family(step.destination.family));
  header.rtm_dst_len = address_bits(step.destination.family);
  // The header has 8 bits; RTA_TABLE below has all 32.
  header.rtm_table = static_cast<std::uint8_t>(owner.table < 256 ? owner.table : RT_TABLE_COMPAT);
  header.rtm_protocol = owner.protocol;
  header.rtm_scope = step.add ? RT_SCOPE_UNIVERSE : RT_SCOPE_NOWHERE;
  header.rtm_type = step.add ? RTN_UNICAST : RTN_UNSPEC;
  // REPLACE: a route that an earlier run left is taken over in one step.
  if (step.add) {
    out.begin(RTM_NEWROUTE, kChange | NLM_F_CREATE | NLM_F_REPLACE, sequence, header);
  } else {
    out.begin(RTM_DELROUTE, kChange, sequence, header);
  }
  put_address(out, RTA_DST, step.destination);
  if (step.gateway.is_set()) put_address(out, RTA_GATEWAY, step.gateway);
  if (step.device != 0) out.put(RTA_OIF, step.device);
  out.put(RTA_TABLE, owner.table);
  out.end();
}

}  // namespace

IpAddress from_kernel(const xfrm_address_t& address, std::uint16_t family) {
  IpAddress result;
  result.family = family == AF_INET6 ? Family::ipv6 : Family::ipv4;
  // IPv4 addresses are in the first four octets of the union.
  std::memcpy(result.octets.data(), &address, result.family == Family::ipv4 ? 4 : 16);
  return result;
}

xfrm_address_t to_kernel(const IpAddress& address) {
  xfrm_address_t result{};
  std::memcpy(&result, address.octets.data(), address.bytes().size());
  return result;
}

std::optional<XfrmEvent> decode_xfrm(const Message& message) {
  switch (message.type) {
    case XFRM_MSG_NEWSA:
    case XFRM_MSG_UPDSA:
      return decode_sa(message);
    case XFRM_MSG_DELSA: {
      const auto id = fixed_header<xfrm_usersa_id>(message.payload);
      if (!id || id->proto != IPPROTO_ESP) return std::nullopt;
      return SaGone{{from_kernel(id->daddr, id->family), ntohl(id->spi), id->proto}, Reason::sa_deleted};
    }
    case XFRM_MSG_EXPIRE: {
      const auto expire = fixed_header<xfrm_user_expire>(message.payload);
      // Soft: charon renews it. Hard: the kernel has deleted it, and no DELSA follows.
      if (!expire || expire->hard == 0 || expire->state.id.proto != IPPROTO_ESP) return std::nullopt;
      return SaGone{key_of(expire->state.id, expire->state.family), Reason::sa_expired};
    }
    case XFRM_MSG_FLUSHSA: {
      const auto flush = fixed_header<xfrm_usersa_flush>(message.payload);
      // charon flushes by protocol; 0 and 255 mean all of them.
      if (!flush || (flush->proto != IPPROTO_ESP && flush->proto != kEveryProtocol && flush->proto != 0))
        return std::nullopt;
      return SasFlushed{};
    }
    case XFRM_MSG_NEWAE:
      return decode_counters(message);
    case XFRM_MSG_NEWPOLICY:
    case XFRM_MSG_UPDPOLICY:
      return decode_policy(message);
    default:
      return std::nullopt;
  }
}

std::optional<LinkEvent> decode_link(const Message& message) {
  switch (message.type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return decode_interface(message);
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return decode_address(message);
    case RTM_NEWROUTE:
      return decode_route(message);
    case RTM_NEWNEIGH:
      return decode_neighbor(message);
    default:
      return std::nullopt;
  }
}

void request_sa_dump(MessageWriter& out, std::uint32_t sequence) {
  out.begin(XFRM_MSG_GETSA, NLM_F_REQUEST | NLM_F_DUMP, sequence, xfrm_usersa_id{});
  out.end();
}

void request_policy_dump(MessageWriter& out, std::uint32_t sequence) {
  out.begin(XFRM_MSG_GETPOLICY, NLM_F_REQUEST | NLM_F_DUMP, sequence, xfrm_userpolicy_id{});
  out.end();
}

void request_counters(MessageWriter& out, std::uint32_t sequence, const SaKey& key) {
  xfrm_aevent_id id{};
  id.sa_id.daddr = to_kernel(key.destination);
  id.sa_id.spi = htonl(key.spi);
  id.sa_id.family = kernel_family(key.destination.family);
  id.sa_id.proto = key.protocol;
  out.begin(XFRM_MSG_GETAE, NLM_F_REQUEST, sequence, id);
  out.end();
}

void update_policy(MessageWriter& out, std::uint32_t sequence, const PolicySeen& policy) {
  out.begin(XFRM_MSG_UPDPOLICY, kChange, sequence, policy.info);
  const Bytes templates{reinterpret_cast<const std::uint8_t*>(policy.templates.data()),
                        policy.templates.size() * sizeof(xfrm_user_tmpl)};
  out.put(XFRMA_TMPL, templates);
  if (policy.if_id != 0) out.put(XFRMA_IF_ID, policy.if_id);
  out.end();
}

void request_link_dump(MessageWriter& out, std::uint32_t sequence) {
  out.begin(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, sequence, link_header(0));
  out.end();
}

void request_address_dump(MessageWriter& out, std::uint32_t sequence) {
  out.begin(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, sequence, ifaddrmsg{});
  out.end();
}

void request_sa_deletion(MessageWriter& out, std::uint32_t sequence, const SaKey& key) {
  xfrm_usersa_id id{};
  id.daddr = to_kernel(key.destination);
  id.spi = htonl(key.spi);
  id.family = kernel_family(key.destination.family);
  id.proto = key.protocol;
  out.begin(XFRM_MSG_DELSA, kChange, sequence, id);
  out.end();
}

void request_route_dump(MessageWriter& out, std::uint32_t sequence, Family family, const RouteOwner& owner) {
  rtmsg header{};
  header.rtm_family = static_cast<std::uint8_t>(kernel_family(family));
  // Kernels without strict checking ignore the filter, so decode_own_route() looks at protocol and table itself.
  header.rtm_protocol = owner.protocol;
  out.begin(RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, sequence, header);
  out.put(RTA_TABLE, owner.table);
  out.end();
}

std::optional<OwnRoute> decode_own_route(const Message& message, const RouteOwner& owner) {
  const auto info = fixed_header<rtmsg>(message.payload);
  const auto route = decode_route(message);
  if (!info || !route || info->rtm_protocol != owner.protocol) return std::nullopt;
  std::uint32_t table = info->rtm_table;
  AttributeReader attributes(message.payload, sizeof(rtmsg));
  while (const auto attribute = attributes.next())
    // The attribute has all 32 bits of the table.
    if (attribute->type == RTA_TABLE) table = attribute->as<std::uint32_t>().value_or(table);
  const auto& found = std::get<RouteFound>(*route);
  // Only host routes are ours.
  if (table != owner.table || found.prefix.length_bits != address_bits(found.prefix.family)) return std::nullopt;
  return OwnRoute{found.prefix.address(), found.gateway};
}

void request_route(MessageWriter& out, std::uint32_t sequence, const IpAddress& destination) {
  rtmsg header{};
  header.rtm_family = static_cast<std::uint8_t>(kernel_family(destination.family));
  header.rtm_dst_len = address_bits(destination.family);
  // The answer is the matching route of the table, not the host route made from it (Linux 4.13).
  header.rtm_flags = RTM_F_FIB_MATCH;
  out.begin(RTM_GETROUTE, NLM_F_REQUEST, sequence, header);
  put_address(out, RTA_DST, destination);
  out.end();
}

void request_step(MessageWriter& out, std::uint32_t sequence, const LinkStep& step, const RouteOwner& owner) {
  std::visit([&](const auto& it) { write_step(out, sequence, it, owner); }, step);
}

}  // namespace minibgp::xfrm
