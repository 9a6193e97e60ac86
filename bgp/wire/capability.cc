#include <bgp/base/reader.h>
#include <bgp/base/writer.h>
#include <bgp/wire/capability.h>
#include <bgp/wire/nlri.h>
#include <bgp/wire/numbers.h>

#include <algorithm>
#include <array>
#include <utility>

namespace minibgp::wire {
namespace {

constexpr std::uint16_t kRestarting = 0x8000, kRestartNotification = 0x4000, kRestartTime = 0x0FFF;
constexpr std::uint8_t kForwardingPreserved = 0x80;
constexpr std::size_t kRestartFamilySize = 4, kAddPathFamilySize = 4, kNextHopEncodingSize = 6;

constexpr std::size_t index_of(Family family) { return static_cast<std::size_t>(family); }

/// For "show". Repeating a capability is allowed (RFC 5492 s.4) and says nothing new.
void keep(std::uint8_t code, Bytes value, Capabilities& out) {
  RawCapability raw{code, {value.begin(), value.end()}};
  if (std::find(out.unknown.begin(), out.unknown.end(), raw) == out.unknown.end())
    out.unknown.push_back(std::move(raw));
}

// --- One decoder a capability ---------------------------------------------------------------------------------------
// A capability whose content we need must have the right length; otherwise the OPEN is refused, because guessing what
// the peer meant (2-octet AS numbers after all? no IPv6?) leads to worse than no session. Of one that only is there or
// not, content is ignored: it may be a later extension's.

bool decode_multiprotocol(Bytes value, Capabilities& out) {
  if (value.size() != 4) return false;
  out.any_multiprotocol = true;
  const auto family = family_of(base::load_u16(value.data()), value[3]);
  if (family) out.multiprotocol[index_of(*family)] = true;
  // A family that we do not speak is kept to be shown.
  if (!family) keep(cap::kMultiprotocol, value, out);
  return true;
}

bool decode_route_refresh(Bytes, Capabilities& out) { return out.route_refresh = true; }

bool decode_extended_next_hop(Bytes value, Capabilities& out) {
  if (value.size() % kNextHopEncodingSize != 0) return false;
  for (base::Reader reader{value}; !reader.empty();) {
    const std::uint16_t afi = reader.u16();
    const std::uint16_t safi = reader.u16();
    const std::uint16_t next_hop_afi = reader.u16();
    // One that we do not use is no error; the others in the list still count.
    out.ipv4_over_ipv6_next_hop |= afi == kAfiIpv4 && safi == kSafiUnicast && next_hop_afi == kAfiIpv6;
  }
  return true;
}

bool decode_extended_message(Bytes, Capabilities& out) { return out.extended_messages = true; }

/// RFC 9234 s.4.1: 0 provider .. 4 peer, which is our enumeration less one. Repeated equal roles are one (s.4.2).
bool decode_role(Bytes value, Capabilities& out) {
  if (value.size() != 1) return false;
  // A role without a meaning cannot agree with ours, so it is treated as a conflict, which ends only a session with
  // roles.
  if (value[0] > static_cast<std::uint8_t>(Role::peer) - 1) {
    out.role_conflict = true;
    return true;
  }
  const Role role = static_cast<Role>(value[0] + 1);
  // RFC 9234 s.4.2: several roles that differ are refused.
  out.role_conflict |= out.role != Role::none && out.role != role;
  out.role = role;
  return true;
}

/// The last instance counts (RFC 4724 s.3). Families we do not speak are skipped.
bool decode_graceful_restart(Bytes value, Capabilities& out) {
  if (value.size() < 2 || (value.size() - 2) % kRestartFamilySize != 0) return false;
  base::Reader reader{value};
  const std::uint16_t head = reader.u16();
  // A fresh value: an earlier instance leaves nothing behind.
  GracefulRestartCapability restart;
  restart.restarting = (head & kRestarting) != 0;
  restart.notification = (head & kRestartNotification) != 0;
  restart.restart_time_s = head & kRestartTime;
  while (!reader.empty()) {
    const std::uint16_t afi = reader.u16();
    const auto family = family_of(afi, reader.u8());
    const std::uint8_t flags = reader.u8();
    if (!family) continue;
    restart.families[index_of(*family)] = true;
    restart.forwarding_preserved[index_of(*family)] = (flags & kForwardingPreserved) != 0;
  }
  out.graceful_restart = restart;
  return true;
}

bool decode_four_octet_as(Bytes value, Capabilities& out) {
  if (value.size() != 4) return false;
  out.four_octet_as = Asn{base::load_u32(value.data())};
  return true;
}

/// A Send/Receive value beyond 3 is ignored, with its family (RFC 7911 s.4).
bool decode_add_path(Bytes value, Capabilities& out) {
  if (value.size() % kAddPathFamilySize != 0) return false;
  for (base::Reader reader{value}; !reader.empty();) {
    const std::uint16_t afi = reader.u16();
    const auto family = family_of(afi, reader.u8());
    const std::uint8_t direction = reader.u8();
    if (family && direction <= 3) out.add_path[index_of(*family)] = direction;
  }
  return true;
}

bool decode_enhanced_refresh(Bytes, Capabilities& out) { return out.enhanced_refresh = true; }

struct CapabilitySpec {
  std::uint8_t code;
  std::string_view name;
  bool (*decode)(Bytes, Capabilities&);  ///< Null: known by name only.
};

constexpr std::array kSpecs = {
    CapabilitySpec{cap::kMultiprotocol, "multiprotocol", decode_multiprotocol},                // RFC 4760 s.8
    CapabilitySpec{cap::kRouteRefresh, "route refresh", decode_route_refresh},                 // RFC 2918 s.2
    CapabilitySpec{3, "outbound route filtering", nullptr},                                    // RFC 5291
    CapabilitySpec{cap::kExtendedNextHop, "extended next hop", decode_extended_next_hop},      // RFC 8950 s.4
    CapabilitySpec{cap::kExtendedMessage, "extended message", decode_extended_message},        // RFC 8654 s.3
    CapabilitySpec{7, "BGPsec", nullptr},                                                      // RFC 8205
    CapabilitySpec{8, "multiple labels", nullptr},                                             // RFC 8277
    CapabilitySpec{cap::kRole, "role", decode_role},                                           // RFC 9234 s.4.1
    CapabilitySpec{cap::kGracefulRestart, "graceful restart", decode_graceful_restart},        // RFC 4724 s.3
    CapabilitySpec{cap::kFourOctetAs, "4-octet AS", decode_four_octet_as},                     // RFC 6793 s.3
    CapabilitySpec{67, "dynamic capability", nullptr},                                         // draft
    CapabilitySpec{cap::kAddPath, "ADD-PATH", decode_add_path},                                // RFC 7911 s.4
    CapabilitySpec{cap::kEnhancedRefresh, "enhanced route refresh", decode_enhanced_refresh},  // RFC 7313 s.3
    CapabilitySpec{71, "long-lived graceful restart", nullptr},                                // RFC 9494
    CapabilitySpec{73, "FQDN", nullptr},                                                       // draft
    CapabilitySpec{128, "route refresh (pre-standard)", nullptr},
};

const CapabilitySpec* find_capability(std::uint8_t code) {
  const auto* found =
      std::find_if(kSpecs.begin(), kSpecs.end(), [code](const CapabilitySpec& spec) { return spec.code == code; });
  return found == kSpecs.end() ? nullptr : found;
}

/// Writes one capability around what `body` appends.
template <typename Body>
void put(std::uint8_t code, base::Writer& writer, Body body) {
  writer.u8(code);
  const std::size_t length = writer.size();
  // The length is written when the body is known.
  writer.u8(0);
  body();
  writer.patch_u8(length, writer.size() - length - 1);
}

void put_empty(std::uint8_t code, base::Writer& writer) {
  put(code, writer, [] {});
}

void put_graceful_restart(const GracefulRestartCapability& restart, base::Writer& writer) {
  const unsigned head = (restart.restarting ? unsigned{kRestarting} : 0U) |
                        (restart.notification ? unsigned{kRestartNotification} : 0U) |
                        std::min<unsigned>(restart.restart_time_s, kRestartTime);
  writer.u16(static_cast<std::uint16_t>(head));
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    if (!restart.families[index_of(family)]) continue;
    writer.u16(afi_of(family));
    writer.u8(kSafiUnicast);
    writer.u8(restart.forwarding_preserved[index_of(family)] ? kForwardingPreserved : std::uint8_t{0});
  }
}

}  // namespace

bool decode_capability(std::uint8_t code, Bytes value, Capabilities& out) {
  const CapabilitySpec* spec = find_capability(code);
  if (spec != nullptr && spec->decode != nullptr) return spec->decode(value, out);
  keep(code, value, out);  // RFC 5492 s.3: ignored.
  return true;
}

void encode_capabilities(const Capabilities& capabilities, std::vector<std::uint8_t>& out) {
  base::Writer writer{out};
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    if (!capabilities.multiprotocol[index_of(family)]) continue;
    put(cap::kMultiprotocol, writer, [&] {
      writer.u16(afi_of(family));
      writer.u8(0);
      writer.u8(kSafiUnicast);
    });
  }
  if (capabilities.route_refresh) put_empty(cap::kRouteRefresh, writer);
  if (capabilities.ipv4_over_ipv6_next_hop) {
    put(cap::kExtendedNextHop, writer, [&] {
      writer.u16(kAfiIpv4);
      writer.u16(kSafiUnicast);
      writer.u16(kAfiIpv6);
    });
  }
  if (capabilities.extended_messages) put_empty(cap::kExtendedMessage, writer);
  if (capabilities.role != Role::none)
    // The enumeration has `none` in front.
    put(cap::kRole, writer, [&] { writer.u8(static_cast<std::uint8_t>(static_cast<int>(capabilities.role) - 1)); });
  if (capabilities.graceful_restart)
    put(cap::kGracefulRestart, writer, [&] { put_graceful_restart(*capabilities.graceful_restart, writer); });
  if (capabilities.four_octet_as)
    put(cap::kFourOctetAs, writer, [&] { writer.u32(static_cast<std::uint32_t>(*capabilities.four_octet_as)); });
  if (capabilities.add_path != std::array<std::uint8_t, kFamilies>{}) {
    put(cap::kAddPath, writer, [&] {
      for (const Family family : {Family::ipv4, Family::ipv6}) {
        if (capabilities.add_path[index_of(family)] == 0) continue;
        writer.u16(afi_of(family));
        writer.u8(kSafiUnicast);
        writer.u8(capabilities.add_path[index_of(family)]);
      }
    });
  }
  if (capabilities.enhanced_refresh) put_empty(cap::kEnhancedRefresh, writer);
  for (const RawCapability& unknown : capabilities.unknown) {
    const std::size_t size = std::min<std::size_t>(unknown.value.size(), 0xFF);
    put(unknown.code, writer, [&] { writer.bytes(Bytes{unknown.value}.first(size)); });
  }
}

std::string_view capability_name(std::uint8_t code) {
  const CapabilitySpec* spec = find_capability(code);
  return spec == nullptr ? std::string_view{} : spec->name;
}

}  // namespace minibgp::wire
