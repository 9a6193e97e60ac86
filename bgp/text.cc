#include <bgp/text.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

namespace minibgp {
namespace {

/// The whole of `text` as a decimal number without sign, at most `max`.
std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t max) {
  std::uint64_t value = 0;
  if (text.empty()) return std::nullopt;
  // from_chars() takes no sign for unsigned numbers and no blanks.
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > max) return std::nullopt;
  return value;
}

std::optional<std::uint32_t> parse_u32(std::string_view text) {
  const auto value = parse_number(text, std::numeric_limits<std::uint32_t>::max());
  if (!value) return std::nullopt;
  return static_cast<std::uint32_t>(*value);
}

/// Cuts `text` at the first `separator`: returns what is before it and leaves the rest. Without one, takes all.
std::string_view cut(std::string_view& text, char separator) {
  const std::size_t at = text.find(separator);
  const std::string_view head = text.substr(0, at);
  text = at == std::string_view::npos ? std::string_view{} : text.substr(at + 1);
  return head;
}

void append_number(std::string& out, std::uint64_t value) {
  std::array<char, 20> digits{};
  const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  out.append(digits.data(), result.ptr);
}

void append_hex(std::string& out, std::uint64_t value, std::size_t width) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (std::size_t i = width; i-- > 0;) out.push_back(kDigits[(value >> (4U * i)) & 0xFU]);
}

void append_v4(std::string& out, std::uint32_t address) {
  for (unsigned shift = 24;; shift -= 8) {
    append_number(out, (address >> shift) & 0xFFU);
    if (shift == 0) return;
    out.push_back('.');
  }
}

/// RFC 5952: lower case, no leading zeros, the first longest run of two or more zero groups is "::".
void append_v6(std::string& out, const std::array<std::uint8_t, 16>& octets) {
  std::array<unsigned, 8> groups{};
  for (std::size_t i = 0; i < 8; ++i) groups[i] = (unsigned{octets[2 * i]} << 8U) | octets[2 * i + 1];
  std::size_t run_begin = 8;
  // A single zero group is written out, so only a longer run counts.
  std::size_t run_length = 1;
  for (std::size_t i = 0; i < 8;) {
    std::size_t end = i;
    while (end < 8 && groups[end] == 0) ++end;
    if (end - i > run_length) run_begin = i, run_length = end - i;
    i = std::max(end, i + 1);
  }
  for (std::size_t i = 0; i < 8;) {
    if (i == run_begin) {
      out += "::";
      i += run_length;
      continue;
    }
    // No colon at the beginning, nor behind "::".
    if (i != 0 && i != run_begin + run_length) out.push_back(':');
    std::array<char, 4> digits{};
    const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), groups[i], 16);
    out.append(digits.data(), result.ptr);
    ++i;
  }
}

std::optional<std::uint32_t> parse_v4(std::string_view text) {
  std::uint32_t address = 0;
  // Counted first: cut() takes what is left as the last part.
  if (std::count(text.begin(), text.end(), '.') != 3) return std::nullopt;
  for (int i = 0; i < 4; ++i) {
    const std::string_view part = cut(text, '.');
    // "010" is octal to some readers and decimal to others.
    if (part.size() > 1 && part.front() == '0') return std::nullopt;
    const auto octet = parse_number(part, 255);
    if (!octet) return std::nullopt;
    address = (address << 8U) | static_cast<std::uint32_t>(*octet);
  }
  return address;
}

/// The groups of one side of "::". The last may be a dotted quad. Returns how many of the 8 it fills.
std::optional<std::size_t> parse_groups(std::string_view text, std::array<std::uint16_t, 8>& groups) {
  std::size_t count = 0;
  while (!text.empty()) {
    const bool last = text.find(':') == std::string_view::npos;
    // "1:2:" would otherwise lose its last, empty group.
    if (!last && text.back() == ':') return std::nullopt;
    const std::string_view part = cut(text, ':');
    if (last && part.find('.') != std::string_view::npos) {
      const auto quad = parse_v4(part);
      // It takes two groups, so at most six are before it.
      if (!quad || count > 6) return std::nullopt;
      groups[count++] = static_cast<std::uint16_t>(*quad >> 16U);
      groups[count++] = static_cast<std::uint16_t>(*quad & 0xFFFFU);
      return count;
    }
    std::uint16_t group = 0;
    if (part.empty() || part.size() > 4 || count == 8) return std::nullopt;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), group, 16);
    if (error != std::errc{} || end != part.data() + part.size()) return std::nullopt;
    groups[count++] = group;
  }
  return count;
}

std::optional<IpAddress> parse_v6(std::string_view text) {
  std::array<std::uint16_t, 8> groups{};
  const std::size_t gap = text.find("::");
  // A dotted quad stands at the very end only.
  if (gap != std::string_view::npos && text.substr(0, gap).find('.') != std::string_view::npos) return std::nullopt;
  const auto head_count = parse_groups(text.substr(0, gap), groups);
  if (!head_count) return std::nullopt;
  if (gap == std::string_view::npos) {
    if (*head_count != 8) return std::nullopt;
  } else {
    std::array<std::uint16_t, 8> tail{};
    const auto tail_count = parse_groups(text.substr(gap + 2), tail);
    // "::" stands for at least one group of zeros.
    if (!tail_count || *head_count + *tail_count > 7) return std::nullopt;
    std::copy_n(tail.begin(), *tail_count, groups.end() - static_cast<std::ptrdiff_t>(*tail_count));
  }
  IpAddress address;
  address.family = Family::ipv6;
  for (std::size_t i = 0; i < 8; ++i) {
    address.octets[2 * i] = static_cast<std::uint8_t>(groups[i] >> 8U);
    address.octets[2 * i + 1] = static_cast<std::uint8_t>(groups[i] & 0xFFU);
  }
  return address;
}

struct NamedCommunity {
  std::string_view name;
  Community value;
};
constexpr std::array kNamedCommunities = {
    NamedCommunity{"graceful-shutdown", kGracefulShutdown},
    NamedCommunity{"blackhole", kBlackhole},
    NamedCommunity{"no-export", kNoExport},
    NamedCommunity{"no-advertise", kNoAdvertise},
    NamedCommunity{"no-export-subconfed", kNoExportSubconfed},
};

// Extended communities (RFC 4360 s.3, RFC 5668, RFC 7153): type, subtype, 6 octets of value.
constexpr unsigned kTwoOctetAs = 0x00, kIpv4Address = 0x01, kFourOctetAs = 0x02, kNonTransitiveTwoOctetAs = 0x40;
constexpr unsigned kRouteTarget = 0x02, kRouteOrigin = 0x03, kLinkBandwidth = 0x04;

constexpr ExtendedCommunity make_extended(unsigned type, unsigned subtype, std::uint64_t value) {
  return ExtendedCommunity{(std::uint64_t{type} << 56U) | (std::uint64_t{subtype} << 48U) | value};
}

/// "administrator:number" of a route target or route origin. The administrator decides the type: an AS number takes
/// 2 octets where it fits, so that equal text is an equal community.
std::optional<ExtendedCommunity> parse_administered(unsigned subtype, std::string_view text) {
  const std::string_view administrator = cut(text, ':');
  if (const auto address = parse_v4(administrator)) {
    const auto number = parse_number(text, 0xFFFF);
    if (!number) return std::nullopt;
    return make_extended(kIpv4Address, subtype, (std::uint64_t{*address} << 16U) | *number);
  }
  const auto asn = parse_u32(administrator);
  if (!asn) return std::nullopt;
  const bool wide = *asn > 0xFFFF;
  const auto number = parse_number(text, wide ? 0xFFFF : 0xFFFFFFFF);
  if (!number) return std::nullopt;
  return make_extended(wide ? kFourOctetAs : kTwoOctetAs, subtype,
                       (std::uint64_t{*asn} << (wide ? 16U : 32U)) | *number);
}

/// "asn:octets-per-second"; the bandwidth is an IEEE 754 single (draft-ietf-idr-link-bandwidth).
std::optional<ExtendedCommunity> parse_link_bandwidth(std::string_view text) {
  const auto asn = parse_number(cut(text, ':'), 0xFFFF);
  // to_text() shows no more than 2^62 either: such floats still fit 64 bits as whole octets.
  const auto octets_per_second = parse_number(text, std::uint64_t{1} << 62U);
  if (!asn || !octets_per_second) return std::nullopt;
  const auto bandwidth = static_cast<float>(*octets_per_second);
  std::uint32_t bits = 0;
  std::memcpy(&bits, &bandwidth, sizeof bits);
  return make_extended(kNonTransitiveTwoOctetAs, kLinkBandwidth, (*asn << 32U) | bits);
}

}  // namespace

std::optional<IpAddress> parse_address(std::string_view text) {
  if (text.find(':') != std::string_view::npos) return parse_v6(text);
  const auto address = parse_v4(text);
  if (!address) return std::nullopt;
  return IpAddress::v4(*address);
}

std::optional<Prefix> parse_prefix(std::string_view text, HostBits host_bits) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = parse_address(text.substr(0, slash));
  if (!address) return std::nullopt;
  const std::string_view digits = text.substr(slash + 1);
  const auto length = parse_number(digits, address_bits(address->family));
  // A length with a leading zero is refused like an octet with one.
  if (!length || (digits.size() > 1 && digits.front() == '0')) return std::nullopt;
  const Prefix prefix = Prefix::of(*address, static_cast<std::uint8_t>(*length));
  if (host_bits == HostBits::refuse && prefix.octets != address->octets) return std::nullopt;
  return prefix;
}

std::optional<Asn> parse_asn(std::string_view text) {
  if (text.size() > 2 && (text.substr(0, 2) == "AS" || text.substr(0, 2) == "as")) text.remove_prefix(2);
  // RFC 5396: asdot.
  if (text.find('.') != std::string_view::npos) {
    const auto high = parse_number(cut(text, '.'), 0xFFFF);
    const auto low = parse_number(text, 0xFFFF);
    if (!high || !low) return std::nullopt;
    return Asn{static_cast<std::uint32_t>((*high << 16U) | *low)};
  }
  const auto asn = parse_u32(text);
  if (!asn) return std::nullopt;
  return Asn{*asn};
}

std::optional<RouterId> parse_router_id(std::string_view text) {
  const auto id = parse_v4(text);
  if (!id) return std::nullopt;
  return RouterId{*id};
}

std::optional<Community> parse_community(std::string_view text) {
  for (const NamedCommunity& known : kNamedCommunities)
    if (text == known.name) return known.value;
  const auto high = parse_number(cut(text, ':'), 0xFFFF);
  const auto low = parse_number(text, 0xFFFF);
  if (!high || !low) return std::nullopt;
  return Community{static_cast<std::uint32_t>((*high << 16U) | *low)};
}

std::optional<ExtendedCommunity> parse_extended_community(std::string_view text) {
  // Written by to_text() for what has no other form.
  if (text.substr(0, 2) == "0x") {
    text.remove_prefix(2);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (text.size() != 16 || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return ExtendedCommunity{value};
  }
  const std::string_view kind = cut(text, ':');
  if (kind == "rt") return parse_administered(kRouteTarget, text);
  if (kind == "ro") return parse_administered(kRouteOrigin, text);
  if (kind == "lb") return parse_link_bandwidth(text);
  return std::nullopt;
}

std::optional<LargeCommunity> parse_large_community(std::string_view text) {
  const auto global = parse_u32(cut(text, ':'));
  const auto local1 = parse_u32(cut(text, ':'));
  const auto local2 = parse_u32(text);
  if (!global || !local1 || !local2) return std::nullopt;
  return LargeCommunity{*global, *local1, *local2};
}

std::optional<AsPath> parse_as_path(std::string_view text) {
  AsPath path;
  while (!text.empty()) {
    if (text.front() == ' ') {
      text.remove_prefix(1);
      continue;
    }
    if (text.front() != '{') {
      const auto asn = parse_asn(text.substr(0, text.find_first_of(" {")));
      if (!asn || path.asns.size() >= std::numeric_limits<std::uint16_t>::max()) return std::nullopt;
      // Behind a set this begins a new sequence.
      path.append_sequence(*asn);
      text.remove_prefix(std::min(text.find_first_of(" {"), text.size()));
      continue;
    }
    const std::size_t close = text.find('}');
    if (close == std::string_view::npos) return std::nullopt;
    std::string_view members = text.substr(1, close - 1);
    text.remove_prefix(close + 1);
    AsPath::Segment segment{AsPath::SegmentType::set, 0};
    if (members.empty() || members.back() == ',') return std::nullopt;
    while (!members.empty()) {
      const auto asn = parse_asn(cut(members, ','));
      if (!asn || path.asns.size() >= std::numeric_limits<std::uint16_t>::max()) return std::nullopt;
      path.asns.push_back(*asn);
      ++segment.count;
    }
    path.segments.push_back(segment);
  }
  return path;
}

std::string to_text(const IpAddress& address) {
  std::string out;
  if (address.family == Family::ipv4)
    append_v4(out, address.to_v4());
  else
    append_v6(out, address.octets);
  return out;
}

std::string to_text(const Prefix& prefix) {
  std::string out = to_text(prefix.address());
  out.push_back('/');
  append_number(out, prefix.length_bits);
  return out;
}

std::string to_text(Asn asn) {
  std::string out;
  append_number(out, static_cast<std::uint32_t>(asn));
  return out;
}

std::string to_text(RouterId id) {
  std::string out;
  append_v4(out, static_cast<std::uint32_t>(id));
  return out;
}

std::string to_text(Community community) {
  for (const NamedCommunity& known : kNamedCommunities)
    if (community == known.value) return std::string{known.name};
  const auto value = static_cast<std::uint32_t>(community);
  std::string out;
  append_number(out, value >> 16U);
  out.push_back(':');
  append_number(out, value & 0xFFFFU);
  return out;
}

std::string to_text(ExtendedCommunity community) {
  const auto value = static_cast<std::uint64_t>(community);
  const auto type = static_cast<unsigned>(value >> 56U);
  const auto subtype = static_cast<unsigned>((value >> 48U) & 0xFFU);
  std::string out;
  if (subtype == kRouteTarget || subtype == kRouteOrigin) {
    out = subtype == kRouteTarget ? "rt:" : "ro:";
    const bool narrow = type == kTwoOctetAs;
    if (type == kIpv4Address)
      append_v4(out, static_cast<std::uint32_t>((value >> 16U) & 0xFFFFFFFFU));
    else
      append_number(out, narrow ? (value >> 32U) & 0xFFFFU : (value >> 16U) & 0xFFFFFFFFU);
    out.push_back(':');
    append_number(out, narrow ? value & 0xFFFFFFFFU : value & 0xFFFFU);
  } else if (type == kNonTransitiveTwoOctetAs && subtype == kLinkBandwidth) {
    const auto bits = static_cast<std::uint32_t>(value & 0xFFFFFFFFU);
    float bandwidth = 0;
    std::memcpy(&bandwidth, &bits, sizeof bandwidth);
    // A NaN fails both comparisons.
    if (bandwidth >= 0 && bandwidth < 0x1p62F) {
      out = "lb:";
      append_number(out, (value >> 32U) & 0xFFFFU);
      out.push_back(':');
      append_number(out, static_cast<std::uint64_t>(bandwidth));
    }
  }
  // What the short form does not say exactly (other types, fractions, a small AS in the 4-octet form) is shown in full.
  if (const auto parsed = parse_extended_community(out); parsed && *parsed == community) return out;
  out = "0x";
  append_hex(out, value, 16);
  return out;
}

std::string to_text(const LargeCommunity& community) {
  std::string out;
  append_number(out, community.global);
  out.push_back(':');
  append_number(out, community.local1);
  out.push_back(':');
  append_number(out, community.local2);
  return out;
}

std::string to_text(const AsPath& path) {
  std::string out;
  std::size_t next = 0;
  for (const AsPath::Segment& segment : path.segments) {
    const bool set = segment.type == AsPath::SegmentType::set;
    if (!out.empty()) out.push_back(' ');
    if (set) out.push_back('{');
    for (std::size_t i = 0; i < segment.count; ++i) {
      if (i != 0) out.push_back(set ? ',' : ' ');
      append_number(out, static_cast<std::uint32_t>(path.asns[next++]));
    }
    if (set) out.push_back('}');
  }
  return out;
}

std::string_view to_text(Origin origin) {
  constexpr std::array<std::string_view, 3> kNames = {"igp", "egp", "incomplete"};
  return kNames[static_cast<std::size_t>(origin)];
}

std::string_view to_text(PeerState state) {
  constexpr std::array<std::string_view, 6> kNames = {"Idle",     "Connect",     "Active",
                                                      "OpenSent", "OpenConfirm", "Established"};
  return kNames[static_cast<std::size_t>(state)];
}

std::string_view to_text(Withheld why) {
  switch (why) {
    case Withheld::too_large:
      return "too_large";
    case Withheld::no_next_hop:
      return "no_next_hop";
    case Withheld::over_limit:
      return "over_limit";
  }
  return "";
}

std::string to_text(Withheld why, const Prefix& prefix, const PeerStatus& peer) {
  switch (why) {
    case Withheld::too_large:
      return std::string{"its attributes and prefix do not fit one message of "} +
             (peer.extended_messages ? "32768" : "4096") + " octets";
    case Withheld::no_next_hop:
      if (prefix.family == Family::ipv6)
        return "the interface of " + to_text(peer.local_address) +
               " has no global IPv6 address to send as the next hop";
      return "the interface of " + to_text(peer.local_address) +
             " has no IPv4 address to send as the next hop, and extended next hops (RFC 8950) were not negotiated";
    case Withheld::over_limit:
      return "the export limit is reached";
  }
  return {};
}

std::string_view to_text(DownReason reason) {
  switch (reason) {
    case DownReason::none:
      return "none";
    case DownReason::admin_down:
      return "administratively down";
    case DownReason::hold_timer_expired:
      return "hold timer expired";
    case DownReason::send_hold_timer_expired:
      return "send hold timer expired";
    case DownReason::tcp_closed:
      return "connection closed by the peer";
    case DownReason::tcp_failed:
      return "connection failed";
    case DownReason::notification_sent:
      return "NOTIFICATION sent";
    case DownReason::notification_received:
      return "NOTIFICATION received";
    case DownReason::collision:
      return "connection collision";
    case DownReason::transport_unusable:
      return "tunnel or interface unusable";
    case DownReason::prefix_limit:
      return "prefix limit exceeded";
    case DownReason::configuration_changed:
      return "configuration changed";
    case DownReason::peer_removed:
      return "peer removed";
    case DownReason::restarting:
      return "restarting";
  }
  return "unknown";
}

std::string_view to_text(Family family) { return family == Family::ipv4 ? "IPv4 unicast" : "IPv6 unicast"; }

std::string_view to_text(Role role) {
  constexpr std::array<std::string_view, 6> kNames = {"none",     "provider", "route-server", "route-server-client",
                                                      "customer", "peer"};
  return kNames[static_cast<std::size_t>(role)];
}

}  // namespace minibgp
