// bgp/mrt.h: RFC 6396 with the subtypes of RFC 8050.
#include <bgp/base/reader.h>
#include <bgp/mrt.h>
#include <bgp/wire/attribute.h>
#include <bgp/wire/nlri.h>
#include <bgp/wire/numbers.h>

#include <algorithm>
#include <bitset>

namespace minibgp {
namespace {

constexpr std::size_t kRecordHeader = 12;  // Time 4, type 2, subtype 2, length 4.
constexpr std::uint16_t kTableDumpV2 = 13, kBgp4mp = 16, kBgp4mpEt = 17;

enum TableSubtype : std::uint16_t {
  peer_index_table = 1,
  rib_ipv4_unicast = 2,
  rib_ipv6_unicast = 4,
  rib_ipv4_unicast_addpath = 8,
  rib_ipv6_unicast_addpath = 10,
};

/// What the subtypes of BGP4MP say of the record's form (RFC 6396 s.4.4, RFC 8050 s.3).
struct SessionForm {
  bool known = false, state_change = false, four_octet_as = false, add_path = false;
};
constexpr SessionForm session_form(std::uint16_t subtype) {
  switch (subtype) {
    case 0:
      return {true, true, false, false};  // STATE_CHANGE
    case 1:
      return {true, false, false, false};  // MESSAGE
    case 4:
      return {true, false, true, false};  // MESSAGE_AS4
    case 5:
      return {true, true, true, false};  // STATE_CHANGE_AS4
    case 6:
      return {true, false, false, false};  // MESSAGE_LOCAL
    case 7:
      return {true, false, true, false};  // MESSAGE_AS4_LOCAL
    case 8:
      return {true, false, false, true};  // MESSAGE_ADDPATH
    case 9:
      return {true, false, true, true};  // MESSAGE_AS4_ADDPATH
    case 10:
      return {true, false, false, true};  // MESSAGE_LOCAL_ADDPATH
    case 11:
      return {true, false, true, true};  // MESSAGE_AS4_LOCAL_ADDPATH
    default:
      return {};
  }
}

IpAddress read_address(base::Reader& reader, Family family) {
  IpAddress address;
  address.family = family;
  const Bytes octets = reader.take(address_bits(family) / 8U);
  std::copy(octets.begin(), octets.end(), address.octets.begin());
  return address;
}

/// A table's attributes come from any peer, and an archive is not to be judged by RFC 9774.
const wire::UpdateContext& archive_context() {
  static const wire::UpdateContext context = [] {
    wire::UpdateContext c;
    // An internal peer's attributes are a superset: LOCAL_PREF and the like are read as well.
    c.peer_type = PeerType::ibgp;
    c.accept_as_set = true;
    return c;
  }();
  return context;
}

/// RFC 6396 s.4.3.4: only the next hop's length and the next hop. Some writers leave AFI, SAFI and the rest in place;
/// a length is never 0, the first octet of an AFI always.
bool read_table_next_hop(Bytes value, NextHop& next_hop) {
  // AFI, SAFI and the length of the next hop come first then: three octets are passed over.
  if (value.size() > 4 && value[0] == 0) value = value.subspan(3);
  if (value.empty() || value.size() < std::size_t{1} + value[0]) return false;
  base::Reader reader{value.subspan(1, value[0])};
  if (value[0] == 4) next_hop.address = read_address(reader, Family::ipv4);
  if (value[0] != 16 && value[0] != 32) return value[0] == 4;
  next_hop.address = read_address(reader, Family::ipv6);
  if (value[0] == 32) next_hop.link_local = read_address(reader, Family::ipv6);
  // As in an UPDATE: any other second half is ignored.
  if (!next_hop.link_local.is_link_local_v6()) next_hop.link_local = {};
  return true;
}

void keep_unknown(std::uint8_t flags, std::uint8_t type, Bytes value, PathAttributes& out) {
  constexpr std::uint8_t kTransitive = wire::attr::kFlagOptional | wire::attr::kFlagTransitive;
  // Non-transitive ones mean nothing to anyone but the peer that sent them.
  if ((flags & kTransitive) != kTransitive) return;
  // Ascending by type, the order in which UPDATEs keep them.
  const auto place = std::find_if(out.unknown.begin(), out.unknown.end(),
                                  [type](const UnknownAttribute& other) { return other.type > type; });
  const auto kept = static_cast<std::uint8_t>(flags & (kTransitive | wire::attr::kFlagPartial));
  out.unknown.insert(place, UnknownAttribute{kept, type, {value.begin(), value.end()}});
}

/// The attributes of one table entry. Returns the first problem, or null; what is readable is read.
const char* read_attributes(Bytes list, PathAttributes& out) {
  out.clear();
  wire::AttributeScope scope{archive_context(), out, {}, {}};
  std::bitset<256> seen;
  const char* problem = nullptr;
  for (base::Reader reader{list}; !reader.empty();) {
    const std::uint8_t flags = reader.u8();
    const std::uint8_t type = reader.u8();
    const Bytes value = reader.take((flags & wire::attr::kFlagExtended) != 0 ? reader.u16() : reader.u8());
    if (reader.failed()) return problem != nullptr ? problem : "an attribute exceeds its entry";
    // The first one counts, as in an UPDATE (RFC 7606 s.3 (g)).
    if (seen[type]) continue;
    seen[type] = true;
    const wire::AttributeSpec* spec = wire::find_attribute(type);
    if (type == wire::attr::kMpReach) {
      if (!read_table_next_hop(value, out.next_hop) && problem == nullptr) problem = "a next hop of a wrong length";
    } else if (spec == nullptr) {
      keep_unknown(flags, type, value, out);
    } else if (spec->senders != wire::Senders::two_octet) {  // In tables AS_PATH has 4 octets (RFC 6396 s.4.3.4).
      const wire::AttrFault fault = wire::decode_attribute(*spec, flags, value, scope);
      // Only the first problem is reported; what else can be read is read.
      if (fault.severity != wire::Severity::none && problem == nullptr) problem = fault.what;
    }
  }
  return problem;
}

/// States as RFC 6396 s.4.4.1 numbers them, from 1.
bool read_state(base::Reader& reader, PeerState& state) {
  const std::uint16_t number = reader.u16();
  if (number < 1 || number > 6) return false;
  state = static_cast<PeerState>(number - 1);
  return true;
}

bool skip_as(const char* problem, MrtRecord& out) {
  out.kind = MrtRecord::Kind::skipped;
  out.problem = problem;
  return true;
}

}  // namespace

bool MrtReader::next(MrtRecord& out) {
  while (entries_left_ > 0) {
    if (next_entry(out)) return true;
  }
  while (!error_ && next_ < file_.size()) {
    if (next_record(out)) return true;
  }
  return false;
}

bool MrtReader::next_entry(MrtRecord& out) {
  // Before anything can fail, so that a broken entry does not repeat.
  --entries_left_;
  base::Reader reader{entries_};
  out.kind = MrtRecord::Kind::route;
  out.peer_index = reader.u16();
  out.originated_s = reader.u32();
  out.path_id = entries_path_ids_ == PathIds::present ? reader.u32() : 0;
  const Bytes attributes = reader.take(reader.u16());
  if (reader.failed()) {
    // The length of one entry is where the next begins, so the rest of the record is lost.
    entries_left_ = 0;
    return skip_as("an entry exceeds its record", out);
  }
  entries_ = entries_.subspan(reader.offset());
  out.problem = read_attributes(attributes, out.attributes);
  if (out.peer_index < peers_.size())
    out.peer = peers_[out.peer_index];
  else
    // Its attributes are handed out all the same.
    out.problem = "an entry of a peer that the table does not have", out.peer = {};
  return true;
}

/// False: a record without anything to hand out (a prefix without entries); look at the next one.
bool MrtReader::next_record(MrtRecord& out) {
  base::Reader reader{file_.subspan(next_)};
  out.offset = next_;
  out.time_s = reader.u32();
  out.type = reader.u16();
  out.subtype = reader.u16();
  const std::uint32_t length = reader.u32();
  // The length of a record is all that says where the next one begins: nothing behind a wrong one can be found.
  if (reader.failed() || length > reader.remaining()) {
    error_ = MrtError{next_, "the file is cut: " + std::to_string(file_.size() - next_) + " octets of a record of " +
                                 (reader.failed() ? "unknown length" : std::to_string(kRecordHeader + length))};
    return false;
  }
  next_ += kRecordHeader + length;
  Bytes body = reader.take(length);
  out.time_us = 0;
  out.problem = nullptr;
  if (out.type == kTableDumpV2) {
    switch (out.subtype) {
      case peer_index_table:
        on_peer_table(body, out);
        return true;
      case rib_ipv4_unicast:
        on_rib(body, Family::ipv4, PathIds::absent, out);
        break;
      case rib_ipv6_unicast:
        on_rib(body, Family::ipv6, PathIds::absent, out);
        break;
      case rib_ipv4_unicast_addpath:
        on_rib(body, Family::ipv4, PathIds::present, out);
        break;
      case rib_ipv6_unicast_addpath:
        on_rib(body, Family::ipv6, PathIds::present, out);
        break;
      default:
        return skip_as("a table of another address family", out);
    }
    if (out.problem != nullptr) return skip_as(out.problem, out);
    // The first entry comes with the prefix. A prefix without entries hands out nothing.
    return entries_left_ > 0 && next_entry(out);
  }
  // RFC 6396 s.3: the extended form has the microseconds in front of the message.
  if (out.type == kBgp4mpEt) {
    if (body.size() < 4) return skip_as("a record without its microseconds", out);
    out.time_us = base::load_u32(body.data());
    body = body.subspan(4);
  } else if (out.type != kBgp4mp) {
    return skip_as("a record type that is not read here", out);
  }
  on_session(body, out);
  return true;
}

/// RFC 6396 s.4.3.1.
void MrtReader::on_peer_table(Bytes body, MrtRecord& out) {
  constexpr std::uint8_t kIpv6 = 0x01, kFourOctetAs = 0x02;
  base::Reader reader{body};
  reader.skip(4);             // Collector.
  reader.skip(reader.u16());  // View name.
  const std::uint16_t count = reader.u16();
  peers_.clear();
  // `count` comes from the file; where it claims too many the loop ends with the record.
  for (std::uint16_t i = 0; i < count && !reader.failed(); ++i) {
    const std::uint8_t type = reader.u8();
    MrtPeer& peer = peers_.emplace_back();
    peer.router_id = RouterId{reader.u32()};
    peer.address = read_address(reader, (type & kIpv6) != 0 ? Family::ipv6 : Family::ipv4);
    peer.asn = Asn{(type & kFourOctetAs) != 0 ? reader.u32() : reader.u16()};
  }
  out.kind = MrtRecord::Kind::peer_table;
  if (!reader.failed()) return;
  // Part of a table would give the wrong peers to entries.
  peers_.clear();
  static_cast<void>(skip_as("a peer table that exceeds its record", out));
}

/// RFC 6396 s.4.3.2: the prefix; its entries are handed out by next_entry().
void MrtReader::on_rib(Bytes body, Family family, PathIds path_ids, MrtRecord& out) {
  base::Reader reader{body};
  reader.skip(4);  // Sequence number.
  const std::uint8_t length = reader.u8();
  IpAddress address;
  address.family = family;
  const Bytes octets = reader.take((length + 7U) / 8U);
  if (reader.failed() || length > address_bits(family)) {
    out.problem = "a prefix longer than its record or its family";
    return;
  }
  std::copy(octets.begin(), octets.end(), address.octets.begin());
  out.prefix = Prefix::of(address, length);
  entries_left_ = reader.u16();
  entries_ = reader.take_rest();
  entries_path_ids_ = path_ids;
}

/// RFC 6396 s.4.4: peer AS, local AS, interface, AFI, addresses, then a message or two states.
void MrtReader::on_session(Bytes body, MrtRecord& out) {
  const SessionForm form = session_form(out.subtype);
  if (!form.known) return static_cast<void>(skip_as("a record subtype that is not read here", out));
  base::Reader reader{body};
  out.peer = out.local = {};
  out.peer.asn = Asn{form.four_octet_as ? reader.u32() : reader.u16()};
  out.local.asn = Asn{form.four_octet_as ? reader.u32() : reader.u16()};
  reader.skip(2);  // Interface index.
  const auto family = wire::family_of(reader.u16(), wire::kSafiUnicast);
  if (!family) return static_cast<void>(skip_as("a record of another address family", out));
  out.peer.address = read_address(reader, *family);
  out.local.address = read_address(reader, *family);
  out.four_octet_as = form.four_octet_as;
  out.add_path = form.add_path;
  if (form.state_change) {
    out.kind = MrtRecord::Kind::state_change;
    if (!read_state(reader, out.from) || !read_state(reader, out.to))
      static_cast<void>(skip_as("a state that does not exist", out));
    return;
  }
  out.kind = MrtRecord::Kind::message;
  out.message = reader.take_rest();
  if (reader.failed() || out.message.empty()) static_cast<void>(skip_as("a record without its message", out));
}

}  // namespace minibgp
