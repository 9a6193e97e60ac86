#include <tests/support/testing/random_messages.h>

#include <algorithm>
#include <set>

namespace minibgp::testing {
namespace {

std::uint32_t u32(Random& random) { return static_cast<std::uint32_t>(random.next()); }
std::uint16_t u16(Random& random) { return static_cast<std::uint16_t>(random.next()); }
std::uint8_t u8(Random& random) { return static_cast<std::uint8_t>(random.next()); }

/// Small, private, AS_TRANS, 4 octets: never 0.
Asn asn(Random& random) {
  switch (random.below(5)) {
    case 0:
      return Asn{23456};
    case 1:
      return Asn{64512U + static_cast<std::uint32_t>(random.below(1000))};
    case 2:
      return Asn{u32(random) | 0x10000U};
    default:
      return Asn{1U + static_cast<std::uint32_t>(random.below(65535))};
  }
}

/// Mostly few, sometimes many.
std::size_t few(Random& random, std::size_t max) { return random.below(random.one_in(8) ? max : 4); }

template <typename T, typename Make>
std::vector<T> sorted_set(Random& random, std::size_t max, Make make) {
  std::set<T> values;
  for (std::size_t i = few(random, max); i > 0; --i) values.insert(make());
  return {values.begin(), values.end()};
}

/// A type that is passed on whatever its value is.
std::uint8_t unknown_type(Random& random) {
  constexpr std::uint8_t kTypes[] = {0, 11, 12, 13, 19, 20, 28, 34, 99, 200, 255};
  return kTypes[random.below(std::size(kTypes))];
}

std::vector<Nlri> random_nlri(Random& random, Family family, const DecodeOptions& options, std::size_t max) {
  std::vector<Nlri> list;
  const bool path_ids = options.add_path[static_cast<std::size_t>(family)];
  for (std::size_t i = few(random, max); i > 0; --i)
    list.push_back({random_prefix(random, family), path_ids ? u32(random) : 0});
  return list;
}

}  // namespace

std::vector<std::uint8_t> random_octets(Random& random, std::size_t max) {
  std::vector<std::uint8_t> octets(random.below(max + 1));
  for (std::uint8_t& octet : octets) octet = u8(random);
  return octets;
}

IpAddress random_address(Random& random, Family family) {
  if (family == Family::ipv4) return IpAddress::v4(u32(random));
  IpAddress address{{}, Family::ipv6};
  for (std::uint8_t& octet : address.octets) octet = random.one_in(3) ? std::uint8_t{0} : u8(random);
  return address;
}

IpAddress random_host(Random& random, Family family) {
  IpAddress address = random_address(random, family);
  if (family == Family::ipv4)
    address.octets[0] = static_cast<std::uint8_t>(1 + random.below(126));
  else
    address.octets[0] = 0x20;
  return address;
}

Prefix random_prefix(Random& random, Family family) {
  const IpAddress address = random_host(random, family);
  return Prefix::of(address, static_cast<std::uint8_t>(random.below(address_bits(family) + 1U)));
}

AsPath random_as_path(Random& random, std::size_t max) {
  AsPath path;
  for (std::size_t left = few(random, max + 1); left > 0;) {
    const std::size_t count = 1 + random.below(left);
    left -= count;
    if (random.one_in(4)) {
      path.segments.push_back(
          {AsPath::SegmentType::set, static_cast<std::uint16_t>(std::min<std::size_t>(count, 255))});
      for (std::size_t i = 0; i < path.segments.back().count; ++i) path.asns.push_back(asn(random));
    } else {
      for (std::size_t i = 0; i < count; ++i) path.append_sequence(asn(random));
    }
  }
  return path;
}

PathAttributes random_attributes(Random& random, PeerType peer_type) {
  PathAttributes out;
  out.origin = static_cast<Origin>(random.below(3));
  out.as_path = random_as_path(random, 300);
  if (random.one_in(2)) out.med = u32(random);
  out.atomic_aggregate = random.one_in(4);
  if (random.one_in(4)) out.aggregator = Aggregator{asn(random), RouterId{u32(random)}};
  out.communities = sorted_set<Community>(random, 100, [&] { return Community{u32(random)}; });
  out.extended_communities =
      sorted_set<ExtendedCommunity>(random, 40, [&] { return ExtendedCommunity{random.next()}; });
  out.large_communities = sorted_set<LargeCommunity>(random, 40, [&] {
    return LargeCommunity{u32(random), static_cast<std::uint32_t>(random.below(3)), u32(random)};
  });
  if (random.one_in(4)) out.only_to_customer = asn(random);
  for (const std::uint8_t type : sorted_set<std::uint8_t>(random, 6, [&] { return unknown_type(random); })) {
    const std::uint8_t flags = random.one_in(2) ? 0xC0 : 0xE0;
    out.unknown.push_back({flags, type, random_octets(random, random.one_in(8) ? 300 : 8)});
  }
  if (peer_type == PeerType::ibgp) {
    out.local_pref = u32(random);
    if (random.one_in(4)) out.originator_id = RouterId{u32(random)};
    for (std::size_t i = few(random, 8); i > 0; --i) out.cluster_list.push_back(RouterId{u32(random)});
  }
  return out;
}

DecodeOptions random_options(Random& random) {
  DecodeOptions options;
  options.four_octet_as = !random.one_in(3);
  options.add_path = {random.one_in(2), random.one_in(2)};
  options.peer_type = random.one_in(2) ? PeerType::ibgp : PeerType::ebgp;
  options.extended_messages = random.one_in(2);
  options.accept_as_set = true;
  return options;
}

OpenMessage random_open(Random& random) {
  OpenMessage open;
  open.asn_field = static_cast<std::uint16_t>(1 + random.below(65535));
  open.asn = Asn{open.asn_field};
  open.hold_time_s = random.one_in(4) ? std::uint16_t{0} : static_cast<std::uint16_t>(3 + random.below(65533));
  open.router_id = RouterId{u32(random) | 1U};
  Capabilities& c = open.capabilities;
  c.multiprotocol = {random.one_in(2), random.one_in(2)};
  c.any_multiprotocol = c.multiprotocol[0] || c.multiprotocol[1];
  c.route_refresh = random.one_in(2);
  c.enhanced_refresh = random.one_in(2);
  c.extended_messages = random.one_in(2);
  c.ipv4_over_ipv6_next_hop = random.one_in(2);
  if (random.one_in(2)) c.four_octet_as = open.asn = asn(random);
  if (random.one_in(2)) {
    GracefulRestartCapability& restart = c.graceful_restart.emplace();
    restart.restarting = random.one_in(2);
    restart.notification = random.one_in(2);
    restart.restart_time_s = u16(random) & 0x0FFFU;
    restart.families = {random.one_in(2), random.one_in(2)};
    for (std::size_t i = 0; i < kFamilies; ++i)
      restart.forwarding_preserved[i] = restart.families[i] && random.one_in(2);
  }
  c.add_path = {static_cast<std::uint8_t>(random.below(4)), static_cast<std::uint8_t>(random.below(4))};
  c.role = static_cast<Role>(random.below(6));
  // Codes from 150 on have no meaning to the codec; distinct, because repeated equal ones are kept once.
  for (std::uint8_t code = 150; random.one_in(2) && code < 160; ++code)
    c.unknown.push_back({code, random_octets(random, random.one_in(4) ? 255 : 6)});
  return open;
}

UpdateMessage random_update(Random& random, const DecodeOptions& options) {
  UpdateMessage update;
  if (random.one_in(16)) {
    update.end_of_rib = random.one_in(2) ? Family::ipv4 : Family::ipv6;
    return update;
  }
  update.withdrawn = random_nlri(random, Family::ipv4, options, 100);
  for (const Nlri& nlri : random_nlri(random, Family::ipv6, options, 50)) update.withdrawn.push_back(nlri);
  update.announced = random_nlri(random, Family::ipv4, options, 100);
  const Family mp_family = random.one_in(4) ? Family::ipv4 : Family::ipv6;
  update.mp_announced = random_nlri(random, mp_family, options, 50);
  if (!update.mp_announced.empty()) {
    const bool over_ipv6 = mp_family == Family::ipv6 || random.one_in(2);
    update.mp_next_hop.address = random_host(random, over_ipv6 ? Family::ipv6 : Family::ipv4);
    if (over_ipv6 && random.one_in(2)) {
      update.mp_next_hop.link_local = random_host(random, Family::ipv6);
      update.mp_next_hop.link_local.octets[0] = 0xFE;
      update.mp_next_hop.link_local.octets[1] = 0x80;
    }
  }
  if (!update.announced.empty() || !update.mp_announced.empty())
    update.attributes = random_attributes(random, options.peer_type);
  if (!update.announced.empty()) update.attributes.next_hop.address = random_host(random, Family::ipv4);
  const bool says_nothing = update.withdrawn.empty() && update.announced.empty() && update.mp_announced.empty();
  if (says_nothing) update.end_of_rib = Family::ipv4;  // Which is what an empty UPDATE means.
  return update;
}

MessageValue random_message(Random& random, const DecodeOptions& options) {
  switch (random.below(8)) {
    case 0:
      return random_open(random);
    case 1:
      return NotificationMessage{u8(random), u8(random), random_octets(random, 300)};
    case 2:
      return KeepaliveMessage{};
    case 3:
      return RefreshMessage{random.one_in(2) ? Family::ipv4 : Family::ipv6, static_cast<RefreshKind>(random.below(3))};
    default:
      return random_update(random, options);
  }
}

void mutate(Random& random, std::vector<std::uint8_t>& bytes) {
  if (bytes.empty()) return;
  const std::size_t at = random.below(bytes.size());
  const auto place = bytes.begin() + static_cast<std::ptrdiff_t>(at);
  constexpr std::uint8_t kExtremes[] = {0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF};
  switch (random.below(6)) {
    case 0:
      *place = u8(random);
      return;
    case 1:
      *place = kExtremes[random.below(std::size(kExtremes))];
      return;
    case 2:
      *place = static_cast<std::uint8_t>(*place ^ (1U << random.below(8)));
      return;
    case 3:
      bytes.erase(place);
      return;
    case 4:
      bytes.insert(place, u8(random));
      return;
    default:
      bytes.resize(at);
      return;
  }
}

}  // namespace minibgp::testing
