#include <fib/netlink/route_codec.h>

#include <algorithm>
#include <array>

#include <linux/if_link.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace minibgp::netlink {
namespace {

using fib::Forwarding;
using fib::GroupEntry;
using fib::KernelNextHop;
using fib::KernelRoute;
using fib::NextHopId;
using fib::NextHopOp;
using fib::RouteOp;
using fib::Via;

constexpr std::uint8_t kernel_family(Family family) { return family == Family::ipv4 ? AF_INET : AF_INET6; }

constexpr std::uint32_t number(fib::IfIndex index) { return static_cast<std::uint32_t>(index); }
constexpr std::uint32_t number(NextHopId id) { return static_cast<std::uint32_t>(id); }

/// RTA_GATEWAY, or RTA_VIA where the gateway is of the other family (RFC 8950).
void put_gateway(MessageWriter& writer, const Via& via, Family route_family) {
  if (!via.gateway.is_set()) return;
  if (via.gateway.family == route_family) {
    writer.put(RTA_GATEWAY, via.gateway.bytes());
    return;
  }
  // RTA_VIA has no flag for nesting, although it is written like that.
  const std::size_t nested = writer.begin_nested(RTA_VIA, 0);
  struct {
    std::uint16_t family;
    std::array<std::uint8_t, 16> octets;
  } rtvia{kernel_family(via.gateway.family), via.gateway.octets};
  const std::size_t used = sizeof rtvia.family + via.gateway.bytes().size();
  writer.append(&rtvia, used);
  // rtvia is not padded inside the attribute: its length says where the address ends.
  writer.store<std::uint16_t>(nested, static_cast<std::uint16_t>(sizeof(nlattr) + used));
}

void put_multipath(MessageWriter& writer, const Forwarding& forwarding, Family family) {
  const std::size_t nested = writer.begin_nested(RTA_MULTIPATH);
  for (const Via& via : forwarding.vias) {
    rtnexthop hop{};
    // The field holds the weight less one.
    hop.rtnh_hops = static_cast<std::uint8_t>(std::clamp<int>(via.weight, 1, 256) - 1);
    hop.rtnh_flags = via.onlink ? RTNH_F_ONLINK : 0;
    hop.rtnh_ifindex = static_cast<int>(number(via.interface));
    const std::size_t at = writer.append(&hop, sizeof hop);
    put_gateway(writer, via, family);
    // The length of a part includes its attributes.
    writer.store<std::uint16_t>(at, static_cast<std::uint16_t>(writer.size() - at));
  }
  writer.end_nested(nested);
}

IpAddress address_of(Bytes octets, Family family) {
  IpAddress address;
  address.family = family;
  std::copy_n(octets.begin(), std::min<std::size_t>(octets.size(), address_bits(family) / 8U), address.octets.begin());
  return address;
}

std::optional<Family> family_of(unsigned kernel) {
  if (kernel == AF_INET) return Family::ipv4;
  if (kernel == AF_INET6) return Family::ipv6;
  return std::nullopt;
}

/// RTA_GATEWAY, RTA_VIA, RTA_OIF: on the route itself and in each part of RTA_MULTIPATH.
void read_way(const Attribute& attribute, Family family, Via& via) {
  switch (attribute.type) {
    case RTA_GATEWAY:
      via.gateway = address_of(attribute.value, family);
      break;
    case RTA_VIA:
      if (const auto kernel = attribute.as<std::uint16_t>())
        if (const auto of = family_of(*kernel)) via.gateway = address_of(attribute.value.subspan(2), *of);
      break;
    case RTA_OIF:
      via.interface = fib::IfIndex{attribute.as<std::uint32_t>().value_or(0)};
      break;
    default:
      break;
  }
}

void read_multipath(Bytes value, Family family, std::vector<Via>& vias) {
  while (value.size() >= sizeof(rtnexthop)) {
    rtnexthop hop;
    std::memcpy(&hop, value.data(), sizeof hop);
    // A part that claims too little would never end the loop.
    if (hop.rtnh_len < sizeof hop || hop.rtnh_len > value.size()) return;
    Via via;
    via.gateway.family = family;
    via.interface = fib::IfIndex{static_cast<std::uint32_t>(hop.rtnh_ifindex)};
    via.weight = static_cast<std::uint16_t>(hop.rtnh_hops + 1);
    via.onlink = (hop.rtnh_flags & RTNH_F_ONLINK) != 0;
    AttributeReader attributes(value.subspan(sizeof hop, hop.rtnh_len - sizeof hop));
    while (const auto attribute = attributes.next()) read_way(*attribute, family, via);
    vias.push_back(via);
    // The last part need not be padded.
    value = value.subspan(std::min<std::size_t>(RTNH_ALIGN(hop.rtnh_len), value.size()));
  }
}

template <typename Fixed>
void append_dump(MessageWriter& writer, std::uint16_t type, std::uint32_t sequence, const Fixed& fixed) {
  writer.begin(type, NLM_F_REQUEST | NLM_F_DUMP, sequence, fixed);
  writer.end();
}

}  // namespace

void append_route(MessageWriter& writer, const RouteOp& op, std::uint8_t protocol, std::uint32_t sequence) {
  const Family family = op.key.prefix.family;
  rtmsg route{};
  route.rtm_family = kernel_family(family);
  route.rtm_dst_len = op.key.prefix.length_bits;
  // Tables above 255 have RTA_TABLE; the field then says nothing.
  route.rtm_table = static_cast<unsigned char>(op.key.table < 256 ? op.key.table : RT_TABLE_UNSPEC);
  route.rtm_protocol = op.former_protocol != 0 ? op.former_protocol : protocol;
  route.rtm_type = RTN_UNICAST;
  route.rtm_scope = RT_SCOPE_UNIVERSE;

  const Forwarding* forwarding = op.forwarding;
  std::uint16_t type = RTM_NEWROUTE;
  std::uint16_t flags = NLM_F_REQUEST;
  switch (op.kind) {
    case RouteOp::Kind::add:
      // EXCL: a route that we do not know is not to be overwritten.
      flags |= NLM_F_CREATE | NLM_F_EXCL;
      break;
    case RouteOp::Kind::replace:
      // Without CREATE: ENOENT then says that the route has gone.
      flags |= NLM_F_REPLACE;
      break;
    case RouteOp::Kind::remove:
      type = RTM_DELROUTE;
      // Whatever it looks like: with RTN_UNSPEC and no next hop the kernel compares destination, metric and protocol.
      route.rtm_type = RTN_UNSPEC;
      route.rtm_scope = RT_SCOPE_NOWHERE;
      forwarding = nullptr;
  }
  if (forwarding != nullptr && forwarding->next_hop == fib::kNoNextHopId) {
    const bool direct = std::none_of(forwarding->vias.begin(), forwarding->vias.end(),
                                     [](const Via& via) { return via.gateway.is_set(); });
    // With universe scope the kernel would not accept it as the route to a gateway.
    if (direct && family == Family::ipv4) route.rtm_scope = RT_SCOPE_LINK;
    if (forwarding->vias.size() == 1 && forwarding->vias[0].onlink) route.rtm_flags = RTNH_F_ONLINK;
  }

  writer.begin(type, flags, sequence, route);
  writer.put(RTA_DST, Bytes{op.key.prefix.octets}.first(address_bits(family) / 8U));
  writer.put(RTA_PRIORITY, op.key.metric);
  if (op.key.table > 255) writer.put(RTA_TABLE, op.key.table);
  if (forwarding != nullptr) {
    if (forwarding->preferred_source.is_set()) writer.put(RTA_PREFSRC, forwarding->preferred_source.bytes());
    // The object says all about the way: the kernel refuses further attributes beside it.
    if (forwarding->next_hop != fib::kNoNextHopId) {
      writer.put(RTA_NH_ID, number(forwarding->next_hop));
    } else if (forwarding->vias.size() == 1) {
      put_gateway(writer, forwarding->vias[0], family);
      writer.put(RTA_OIF, number(forwarding->vias[0].interface));
    } else {
      put_multipath(writer, *forwarding, family);
    }
  }
  writer.end();
}

void append_next_hop(MessageWriter& writer, const NextHopOp& op, std::uint32_t sequence) {
  const KernelNextHop& next_hop = op.next_hop;
  nhmsg header{};
  if (op.kind == NextHopOp::Kind::remove) {
    writer.begin(RTM_DELNEXTHOP, NLM_F_REQUEST, sequence, header);
    writer.put(NHA_ID, number(next_hop.id));
    writer.end();
    return;
  }
  const bool group = !next_hop.entries.empty();
  header.nh_protocol = next_hop.protocol;
  if (!group) {
    header.nh_family = kernel_family(next_hop.via.gateway.family);
    header.nh_flags = next_hop.via.onlink ? RTNH_F_ONLINK : 0;
  }
  // One message for both cases: REPLACE changes an object in place, and the routes that use it with it.
  writer.begin(RTM_NEWNEXTHOP, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE, sequence, header);
  writer.put(NHA_ID, number(next_hop.id));
  if (group) {
    const std::size_t nested = writer.begin_nested(NHA_GROUP, 0);
    for (const GroupEntry& entry : next_hop.entries) {
      nexthop_grp member{};
      member.id = number(entry.id);
      member.weight = static_cast<std::uint8_t>(std::clamp<int>(entry.weight, 1, 256) - 1);
      writer.append(&member, sizeof member);
    }
    writer.end_nested(nested);
  } else {
    writer.put(NHA_OIF, number(next_hop.via.interface));
    if (next_hop.via.gateway.is_set()) writer.put(NHA_GATEWAY, next_hop.via.gateway.bytes());
  }
  writer.end();
}

void append_route_dump(MessageWriter& writer, Family family, std::uint32_t sequence) {
  rtmsg header{};
  header.rtm_family = kernel_family(family);
  append_dump(writer, RTM_GETROUTE, sequence, header);
}
void append_next_hop_dump(MessageWriter& writer, std::uint32_t sequence) {
  append_dump(writer, RTM_GETNEXTHOP, sequence, nhmsg{});
}
void append_link_dump(MessageWriter& writer, std::uint32_t sequence) {
  append_dump(writer, RTM_GETLINK, sequence, ifinfomsg{});
}
void append_address_dump(MessageWriter& writer, std::uint32_t sequence) {
  append_dump(writer, RTM_GETADDR, sequence, ifaddrmsg{});
}

std::optional<KernelRoute> parse_route(Bytes payload) {
  const auto header = fixed_header<rtmsg>(payload);
  if (!header) return std::nullopt;
  const auto family = family_of(header->rtm_family);
  // Cached routes, and routes by TOS or source, have keys that we do not compare.
  if (!family || (header->rtm_flags & RTM_F_CLONED) != 0 || header->rtm_tos != 0 || header->rtm_src_len != 0)
    return std::nullopt;
  KernelRoute route;
  switch (header->rtm_type) {
    case RTN_UNICAST:
      break;
    // They lead nowhere, but they are in the way of less specific routes.
    case RTN_BLACKHOLE:
    case RTN_UNREACHABLE:
    case RTN_PROHIBIT:
    case RTN_THROW:
      route.unicast = false;
      break;
    default:
      return std::nullopt;
  }
  route.protocol = header->rtm_protocol;
  route.key.table = header->rtm_table;
  // A default route has no RTA_DST.
  route.key.prefix = Prefix::of(address_of({}, *family), header->rtm_dst_len);
  Via via;
  via.gateway.family = *family;
  via.onlink = (header->rtm_flags & RTNH_F_ONLINK) != 0;
  AttributeReader attributes(payload, sizeof *header);
  while (const auto attribute = attributes.next()) {
    switch (attribute->type) {
      case RTA_DST:
        route.key.prefix = Prefix::of(address_of(attribute->value, *family), header->rtm_dst_len);
        break;
      case RTA_TABLE:
        route.key.table = attribute->as<std::uint32_t>().value_or(route.key.table);
        break;
      case RTA_PRIORITY:
        route.key.metric = attribute->as<std::uint32_t>().value_or(0);
        break;
      case RTA_PREFSRC:
        route.forwarding.preferred_source = address_of(attribute->value, *family);
        break;
      case RTA_NH_ID:
        route.forwarding.next_hop = NextHopId{attribute->as<std::uint32_t>().value_or(0)};
        break;
      case RTA_MULTIPATH:
        read_multipath(attribute->value, *family, route.forwarding.vias);
        break;
      default:
        read_way(*attribute, *family, via);
    }
  }
  if (route.forwarding.vias.empty() && via.interface != fib::kNoInterface) route.forwarding.vias.push_back(via);
  normalize(route.forwarding.vias);
  return route;
}

std::optional<KernelNextHop> parse_next_hop(Bytes payload) {
  const auto header = fixed_header<nhmsg>(payload);
  if (!header) return std::nullopt;
  KernelNextHop next_hop;
  next_hop.protocol = header->nh_protocol;
  const Family family = family_of(header->nh_family).value_or(Family::ipv4);
  next_hop.via.gateway.family = family;
  next_hop.via.onlink = (header->nh_flags & RTNH_F_ONLINK) != 0;
  AttributeReader attributes(payload, sizeof *header);
  while (const auto attribute = attributes.next()) {
    switch (attribute->type) {
      case NHA_ID:
        next_hop.id = NextHopId{attribute->as<std::uint32_t>().value_or(0)};
        break;
      case NHA_OIF:
        next_hop.via.interface = fib::IfIndex{attribute->as<std::uint32_t>().value_or(0)};
        break;
      case NHA_GATEWAY:
        next_hop.via.gateway = address_of(attribute->value, family);
        break;
      case NHA_GROUP:
        for (Bytes rest = attribute->value; rest.size() >= sizeof(nexthop_grp);
             rest = rest.subspan(sizeof(nexthop_grp))) {
          nexthop_grp member;
          std::memcpy(&member, rest.data(), sizeof member);
          // The field holds the weight less one.
          next_hop.entries.push_back({NextHopId{member.id}, static_cast<std::uint16_t>(member.weight + 1)});
        }
        break;
      default:
        break;
    }
  }
  if (next_hop.id == fib::kNoNextHopId) return std::nullopt;
  return next_hop;
}

}  // namespace minibgp::netlink
