#include <bgp/base/reader.h>
#include <bgp/base/writer.h>
#include <bgp/wire/as_path.h>
#include <bgp/wire/attribute.h>
#include <bgp/wire/message.h>
#include <bgp/wire/numbers.h>
#include <bgp/wire/update.h>

#include <algorithm>
#include <bitset>

namespace minibgp::wire {
namespace {

constexpr std::size_t kLengthField = 2;
constexpr std::size_t kMpReachHead = 5;  // AFI 2, SAFI 1, next hop length 1, reserved 1.
constexpr std::size_t kMpUnreachHead = 3;
constexpr std::size_t kExtendedHead = 4;
constexpr std::size_t kShortHead = 3;

PathIds path_ids(const UpdateContext& context, Family family) {
  return context.add_path_receive[static_cast<std::size_t>(family)] ? PathIds::present : PathIds::absent;
}

bool negotiated(const UpdateContext& context, Family family) {
  return context.families[static_cast<std::size_t>(family)];
}

bool holds_prefixes(std::uint8_t type) { return type == attr::kMpReach || type == attr::kMpUnreach; }

/// One attribute as it lies in the message.
struct RawAttribute {
  std::uint8_t flags = 0;
  std::uint8_t type = 0;
  std::uint32_t offset = 0;  ///< In the body.
  Bytes whole;               ///< With its header, as a NOTIFICATION quotes it (RFC 4271 s.6.3).
  Bytes value;
};

/// One pass over one message.
class Decoder {
 public:
  Decoder(Bytes body, const UpdateContext& context, Update& out)
      : body_(body), context_(context), out_(out), scope_{context, out.attributes, {}, {}} {}

  void run() {
    if (!split_sections()) return;
    // In the order of the message, so that findings and offsets ascend.
    decode_classic(withdrawn_field_, kLengthField, out_.withdrawn);
    decode_attributes();
    decode_classic(announced_field_, static_cast<std::uint32_t>(announced_field_.data() - body_.data()),
                   out_.announced);
    // A message that ends the session is not judged as a whole.
    if (reset()) return;
    judge_whole();
  }

 private:
  [[nodiscard]] bool reset() const { return out_.severity == Severity::session_reset; }
  [[nodiscard]] bool seen(std::uint8_t type) const { return seen_[type]; }

  /// Notes a finding; the worst severity stands, and the first session_reset writes the NOTIFICATION.
  void note(const AttrFault& fault, std::uint8_t type, std::uint32_t offset, Bytes data = {}) {
    out_.errors.push_back({fault.severity, fault.subcode, type, offset, fault.what});
    // Only the first one: a NOTIFICATION has room for one reason.
    if (fault.severity == Severity::session_reset && !reset())
      out_.notification = {notify::kUpdate, fault.subcode, {data.begin(), data.end()}};
    out_.severity = std::max(out_.severity, fault.severity);
  }

  /// RFC 4271 s.6.3, RFC 7606 s.3 (b): with inconsistent lengths of the sections nothing can be found.
  bool split_sections() {
    base::Reader reader{body_};
    // The reader answers with an empty field behind the end and remembers that it failed.
    withdrawn_field_ = reader.take(reader.u16());
    attributes_field_ = reader.take(reader.u16());
    if (reader.failed()) {
      note({Severity::session_reset, notify::kMalformedList, "section lengths exceed the message"}, 0, 0);
      return false;
    }
    announced_field_ = reader.take_rest();
    return true;
  }

  /// Reports what decode_nlri() found in a field that starts at `offset` of the body. A wrong prefix field leaves
  /// nothing to withdraw, so it always costs the session (RFC 7606 s.3 (i), (j), s.5.3).
  void judge_nlri(const NlriOutcome& outcome, std::uint8_t type, std::uint32_t offset, std::uint8_t subcode) {
    if (outcome.fault != NlriFault::none) {
      const char* what = outcome.fault == NlriFault::length ? "prefix longer than the family's addresses"
                                                            : "prefix does not end with its field";
      note({Severity::session_reset, subcode, what}, type, offset + outcome.offset);
    } else if (outcome.ignored > 0) {
      note({Severity::none, 0, "multicast prefix ignored"}, type, offset);
    }
  }

  /// Withdrawn Routes and NLRI of IPv4 unicast. Of a family that was not negotiated the syntax is judged all the same.
  void decode_classic(Bytes field, std::uint32_t offset, std::vector<Nlri>& to) {
    if (field.empty()) return;
    // `to` may hold prefixes of other fields already (MP_UNREACH_NLRI shares the list).
    const std::size_t before = to.size();
    const NlriOutcome outcome = decode_nlri(field, Family::ipv4, path_ids(context_, Family::ipv4), to);
    judge_nlri(outcome, 0, offset, notify::kNetwork);
    if (!negotiated(context_, Family::ipv4)) {
      to.resize(before);
      note({Severity::none, 0, "IPv4 unicast was not negotiated: ignored"}, 0, offset);
    }
  }

  void decode_attributes() {
    const auto base_offset = static_cast<std::uint32_t>(attributes_field_.data() - body_.data());
    const std::uint8_t* at = attributes_field_.data();
    const std::uint8_t* const end = at + attributes_field_.size();
    while (at != end) {
      RawAttribute raw;
      const auto left = static_cast<std::size_t>(end - at);
      raw.offset = base_offset + static_cast<std::uint32_t>(at - attributes_field_.data());
      const bool extended = (at[0] & attr::kFlagExtended) != 0;
      const std::size_t head = extended ? kExtendedHead : kShortHead;
      ++attribute_count_;
      // Even of a cut attribute the type says whether prefixes are lost.
      raw.type = left > 1 ? at[1] : std::uint8_t{};
      if (left < head) return on_cut(raw, notify::kMalformedList, "too little is left for an attribute");
      raw.flags = at[0];
      const std::size_t size = extended ? base::load_u16(at + 2) : at[2];
      // Compared with what is left, so that a length near 65535 cannot wrap.
      if (size > left - head) return on_cut(raw, notify::kLength, "attribute exceeds the attribute section");
      raw.whole = Bytes{at, head + size};
      raw.value = Bytes{at + head, size};
      at += head + size;
      on_attribute(raw);
    }
  }

  /// RFC 7606 s.4: the sections' lengths are still to be believed, so treat as withdraw. But when the attribute that
  /// does not end is one that holds prefixes, they are unknown, and s.3 (j) leaves only the reset.
  void on_cut(const RawAttribute& raw, std::uint8_t subcode, const char* what) {
    if (holds_prefixes(raw.type))
      note({Severity::session_reset, notify::kOptional, what}, raw.type, raw.offset);
    else
      note({Severity::treat_as_withdraw, subcode, what}, raw.type, raw.offset);
  }

  void on_attribute(const RawAttribute& raw) {
    if (seen(raw.type)) return on_duplicate(raw);
    seen_[raw.type] = true;
    // Higher types are judged at once and need no place.
    if (raw.type < offsets_.size()) offsets_[raw.type] = raw.offset;
    const AttributeSpec* spec = find_attribute(raw.type);
    if (spec == nullptr) return on_unknown(raw);
    const AttrFault fault = decode_attribute(*spec, raw.flags, raw.value, scope_);
    if (fault.severity != Severity::none) return note(fault, raw.type, raw.offset, raw.whole);
    if (raw.type == attr::kMpReach) on_mp_reach(raw);
    if (raw.type == attr::kMpUnreach) on_mp_unreach(raw);
  }

  /// RFC 7606 s.3 (g): the first counts, except for the attributes that hold prefixes.
  void on_duplicate(const RawAttribute& raw) {
    note({holds_prefixes(raw.type) ? Severity::session_reset : Severity::attribute_discard, notify::kMalformedList,
          "attribute occurs twice"},
         raw.type, raw.offset);
  }

  /// RFC 4271 s.6.3: an unknown well-known attribute resets the session; RFC 7606 left it so. Section 5: transitive
  /// ones are kept, others quietly ignored. Those with an RFC are checked as that says.
  void on_unknown(const RawAttribute& raw) {
    const AttrFault fault = judge_unused(raw.type, raw.flags, raw.value);
    if (fault.severity != Severity::none) return note(fault, raw.type, raw.offset, raw.whole);
    if ((raw.flags & attr::kFlagOptional) == 0)
      return note({Severity::session_reset, notify::kUnrecognizedWellKnown, "unknown well-known attribute"}, raw.type,
                  raw.offset, raw.whole);
    if ((raw.flags & attr::kFlagTransitive) == 0) return;
    // The length flag is a matter of the encoding, and the four low bits mean nothing (RFC 4271 s.4.3).
    constexpr std::uint8_t kKept = attr::kFlagOptional | attr::kFlagTransitive | attr::kFlagPartial;
    UnknownAttribute unknown{static_cast<std::uint8_t>(raw.flags & kKept), raw.type, {}};
    unknown.value.assign(raw.value.begin(), raw.value.end());
    auto& list = out_.attributes.unknown;
    // Ascending by type: equal sets of attributes are equal values, whatever order they came in.
    const auto place =
        std::find_if(list.begin(), list.end(), [&raw](const UnknownAttribute& other) { return other.type > raw.type; });
    list.insert(place, std::move(unknown));
  }

  /// RFC 4760 s.3. The table has seen to it that there are 5 octets.
  void on_mp_reach(const RawAttribute& raw) {
    base::Reader reader{raw.value};
    const std::uint16_t afi = reader.u16();
    const std::uint8_t safi = reader.u8();
    const Bytes next_hop = reader.take(reader.u8());
    reader.skip(1);  // Reserved: ignored (RFC 4760 s.3); once the number of SNPAs.
    if (reader.failed())
      return note({Severity::session_reset, notify::kOptional, "next hop exceeds the attribute"}, raw.type, raw.offset,
                  raw.whole);
    const auto field_offset = raw.offset + static_cast<std::uint32_t>(raw.whole.size() - reader.remaining());
    const Bytes field = reader.take_rest();
    // Also where the family is not used: for RFC 7606 s.5.2 the message announces something.
    reachable_ |= !field.empty();
    const auto family = family_of(afi, safi);
    if (!family || !negotiated(context_, *family))
      return note({Severity::attribute_discard, notify::kOptional, "family was not negotiated"}, raw.type, raw.offset);
    // RFC 7606 s.7.11: behind a next hop of unexpected length the prefixes cannot be found for certain.
    if (!read_mp_next_hop(*family, next_hop))
      return note({Severity::session_reset, notify::kOptional, "next hop of a wrong length"}, raw.type, raw.offset,
                  raw.whole);
    const NlriOutcome outcome = decode_nlri(field, *family, path_ids(context_, *family), out_.mp_announced);
    judge_nlri(outcome, raw.type, field_offset, notify::kOptional);
  }

  /// 4 octets for IPv4; 16, or 32 with a link-local second half, for IPv6 (RFC 2545 s.3) and for IPv4 where RFC 8950
  /// was negotiated.
  bool read_mp_next_hop(Family family, Bytes octets) {
    NextHop& next_hop = out_.mp_next_hop;
    if (octets.size() == 4 && family == Family::ipv4) {
      next_hop.address = IpAddress::v4(base::load_u32(octets.data()));
      return true;
    }
    if (family == Family::ipv4 && !context_.ipv4_over_ipv6_next_hop) return false;
    if (octets.size() != 16 && octets.size() != 32) return false;
    next_hop.address.family = Family::ipv6;
    std::copy_n(octets.begin(), 16, next_hop.address.octets.begin());
    if (octets.size() == 16) return true;
    IpAddress second{{}, Family::ipv6};
    std::copy_n(octets.begin() + 16, 16, second.octets.begin());
    if (!second.is_link_local_v6()) return true;  // Not what RFC 2545 allows there: ignored, as BIRD and FRR do.
    // BIRD on an interface without a global address sends :: and the link-local one.
    if (next_hop.address.is_set())
      next_hop.link_local = second;
    else
      next_hop.address = second;
    return true;
  }

  void on_mp_unreach(const RawAttribute& raw) {
    const auto family = family_of(base::load_u16(raw.value.data()), raw.value[2]);
    if (!family || !negotiated(context_, *family))
      return note({Severity::attribute_discard, notify::kOptional, "family was not negotiated"}, raw.type, raw.offset);
    const Bytes field = raw.value.subspan(kMpUnreachHead);
    // Kept until the end: it is an End-of-RIB only if nothing else is in the message (RFC 4724 s.2).
    if (field.empty()) empty_unreach_ = family;
    const NlriOutcome outcome = decode_nlri(field, *family, path_ids(context_, *family), out_.withdrawn);
    judge_nlri(outcome, raw.type, raw.offset + static_cast<std::uint32_t>(raw.whole.size() - field.size()),
               notify::kOptional);
  }

  /// What only the whole message can tell.
  void judge_whole() {
    reachable_ |= !announced_field_.empty();
    // A next hop without prefixes of ours means nothing.
    if (out_.mp_announced.empty()) out_.mp_next_hop = {};
    if (scope_.as4_path.data() != nullptr || scope_.as4_aggregator) {
      const AttrFault fault = finish_as4(scope_);
      if (fault.severity != Severity::none) note(fault, attr::kAs4Path, offsets_[attr::kAs4Path]);
    }
    if (reachable_)
      judge_attributes_of_routes();
    else
      judge_without_routes();
  }

  void judge_attributes_of_routes() {
    // RFC 7606 s.3 (d). LOCAL_PREF is required from internal peers (RFC 4271 s.5); BIRD would assume 100.
    require(attr::kOrigin);
    require(attr::kAsPath);
    if (context_.peer_type == PeerType::ibgp) require(attr::kLocalPref);
    if (announced_field_.empty()) {
      out_.attributes.next_hop = {};  // RFC 4760 s.3: ignored without NLRI of its own.
    } else {
      require(attr::kNextHop);
      if (seen(attr::kNextHop)) judge_next_hop(out_.attributes.next_hop, attr::kNextHop);
    }
    if (!out_.mp_announced.empty()) judge_next_hop(out_.mp_next_hop, attr::kMpReach);
    // RFC 9774 s.3, wherever the set came from (AS_PATH or AS4_PATH).
    if (!context_.accept_as_set && has_set(out_.attributes.as_path))
      note({Severity::treat_as_withdraw, notify::kAsPathValue, "AS_SET"}, attr::kAsPath,
           seen(attr::kAsPath) ? offsets_[attr::kAsPath] : 0);
  }

  /// RFC 4271 s.6.3 asks for the address of a host; RFC 7606 s.3 (e) makes the reset a withdrawal.
  void judge_next_hop(const NextHop& next_hop, std::uint8_t type) {
    if (is_martian_next_hop(next_hop.address))
      note({Severity::treat_as_withdraw, notify::kNextHopValue, "next hop is no host's address"}, type, offsets_[type]);
  }

  void require(std::uint8_t type) {
    if (seen(type)) return;
    note({Severity::treat_as_withdraw, notify::kMissingWellKnown, "mandatory attribute is missing"}, type, 0);
  }

  void judge_without_routes() {
    // RFC 7606 s.5.2: attributes, something wrong with them, and no prefix to withdraw: perhaps we failed to find it.
    const bool only_unreach = attribute_count_ == 1 && seen(attr::kMpUnreach);
    if (out_.severity == Severity::treat_as_withdraw && !only_unreach) {
      const AttrError worst = *std::find_if(out_.errors.begin(), out_.errors.end(), [](const AttrError& error) {
        return error.severity == Severity::treat_as_withdraw;
      });
      return note({Severity::session_reset, worst.subcode, "error in a message without reachable prefixes"}, worst.type,
                  worst.offset);
    }
    out_.attributes.next_hop = {};
    // Whoever withdraws something does not send an End-of-RIB.
    if (!withdrawn_field_.empty() || out_.severity != Severity::none) return;
    // RFC 4724 s.2.
    if (attribute_count_ == 0 && negotiated(context_, Family::ipv4)) out_.end_of_rib = Family::ipv4;
    if (only_unreach) out_.end_of_rib = empty_unreach_;
  }

  Bytes body_;
  const UpdateContext& context_;
  Update& out_;
  AttributeScope scope_;
  Bytes withdrawn_field_, attributes_field_, announced_field_;
  std::bitset<256> seen_;
  std::size_t attribute_count_ = 0;
  bool reachable_ = false;  ///< The message announces something, of whichever family.
  std::optional<Family> empty_unreach_;
  /// Of attributes that are judged at the end; written with seen_.
  std::array<std::uint32_t, attr::kAs4Path + 1> offsets_;
};

}  // namespace

// Buffers are kept: one Update is reused for all messages.
void Update::clear() {
  attributes.clear();
  announced.clear();
  mp_next_hop = {};
  mp_announced.clear();
  withdrawn.clear();
  end_of_rib.reset();
  severity = Severity::none;
  errors.clear();
  notification.code = 0;
  notification.subcode = 0;
  notification.data.clear();
}

void decode_update(Bytes body, const UpdateContext& context, Update& out) {
  out.clear();
  Decoder{body, context, out}.run();
}

// --- Encoding -------------------------------------------------------------------------------------------------------

namespace {

/// How a next hop travels: inside the attributes (4 octets) or in MP_REACH_NLRI.
std::size_t mp_next_hop_size(const NextHop& next_hop) {
  if (next_hop.address.family == Family::ipv4) return 4;
  return next_hop.link_local.is_set() ? 32 : 16;
}

/// Writes prefixes from `prefixes` while they fit before `limit`. Returns how many.
std::size_t store_prefixes(std::uint8_t*& at, const std::uint8_t* limit, std::span<const Prefix> prefixes) {
  std::size_t taken = 0;
  for (const Prefix& prefix : prefixes) {
    if (nlri_size(prefix) > static_cast<std::size_t>(limit - at)) break;
    at = store_nlri(at, prefix);
    ++taken;
  }
  return taken;
}

/// Appends room for one message of at most `max_message` octets with `prefixes` behind `fixed` octets. Returns its
/// begin in `out`.
std::size_t reserve_message(std::size_t fixed, std::size_t prefixes, std::size_t max_message,
                            std::vector<std::uint8_t>& out) {
  const std::size_t begin = begin_message(MessageType::update, out);
  // The whole room at once; encode_announce() cuts what was not needed.
  out.resize(begin + std::min(max_message, fixed + prefixes * kMaxNlriSize));
  return begin;
}

/// Stores in the 2-octet length `field` how many octets lie between it and `end`.
void close_length(std::uint8_t* field, const std::uint8_t* end) {
  base::store_u16(field, static_cast<std::uint16_t>(end - field - static_cast<std::ptrdiff_t>(kLengthField)));
}

/// The IPv4 NEXT_HOP attribute with its header: what an MP_REACH_NLRI replaces.
constexpr std::size_t kNextHopAttribute = kShortHead + 4;

/// How an UPDATE that announces is laid out.
struct Layout {
  Layout(const EncodedAttributes& attributes, const NextHop& next_hop, Family family)
      // An encoded list without NEXT_HOP belongs to IPv6, and to IPv4 that goes over an IPv6 next hop.
      : classic(family == Family::ipv4 && next_hop.address.family == Family::ipv4 && attributes.next_hop_offset != 0) {
    // With the next hop in MP_REACH_NLRI, a NEXT_HOP attribute is left out (RFC 4760 s.3).
    const bool skip_next_hop = !classic && attributes.next_hop_offset != 0;
    // Else an empty gap at the end.
    skip_begin = skip_next_hop ? attributes.next_hop_offset - kShortHead : attributes.octets.size();
    skip_end = skip_next_hop ? skip_begin + kNextHopAttribute : attributes.octets.size();
    list_size = attributes.octets.size() - (skip_end - skip_begin);
    mp_size = classic ? 0 : kExtendedHead + kMpReachHead + mp_next_hop_size(next_hop);
  }
  /// Octets of the message without its prefixes.
  [[nodiscard]] std::size_t fixed() const { return kHeaderSize + 2 * kLengthField + mp_size + list_size; }

  bool classic;  ///< Next hop and prefixes lie where RFC 4271 has them; else in MP_REACH_NLRI.
  std::size_t skip_begin = 0, skip_end = 0;
  std::size_t list_size = 0;
  std::size_t mp_size = 0;
};

}  // namespace

void encode_attributes(const PathAttributes& attributes, Family family, const UpdateContext& context,
                       EncodedAttributes& out) {
  encode_attribute_list(attributes, {.next_hop = family == Family::ipv4, .partial = PartialBit::set}, context, out);
}

std::size_t room_for_prefixes(const EncodedAttributes& attributes, const NextHop& next_hop, Family family,
                              const UpdateContext& context) {
  const std::size_t fixed = Layout{attributes, next_hop, family}.fixed();
  return fixed >= context.max_message ? 0 : context.max_message - fixed;
}

AnnounceResult encode_announce(const EncodedAttributes& attributes, const NextHop& next_hop, Family family,
                               std::span<const Prefix> prefixes, const UpdateContext& context,
                               std::vector<std::uint8_t>& out) {
  const Layout layout{attributes, next_hop, family};
  const Bytes list = attributes.octets;
  const std::size_t fixed = layout.fixed();
  if (prefixes.empty() || fixed + nlri_size(prefixes.front()) > context.max_message) return {};

  const std::size_t begin = reserve_message(fixed, prefixes.size(), context.max_message, out);
  std::uint8_t* const message = out.data() + begin;
  const std::uint8_t* const limit = out.data() + out.size();
  // No withdrawn routes in a message that announces.
  std::uint8_t* at = base::store_u16(message + kHeaderSize, 0);
  std::uint8_t* const attribute_length = at;
  at += kLengthField;
  std::uint8_t* const attribute_begin = at;
  AnnounceResult result;
  if (layout.classic) {
    at = base::store_bytes(at, list);
    close_length(attribute_length, at);
    std::uint8_t* const next_hop_at = attribute_begin + attributes.next_hop_offset;
    base::store_u32(next_hop_at, next_hop.address.to_v4());
    result.next_hop_offset = static_cast<std::uint32_t>(next_hop_at - message);
    result.next_hop_size = 4;
    result.taken = store_prefixes(at, limit, prefixes);
  } else {
    // First, where it is found even if a later attribute is malformed (RFC 7606 s.5.1).
    at = base::store_u8(at, attr::kFlagOptional | attr::kFlagExtended);
    at = base::store_u8(at, attr::kMpReach);
    std::uint8_t* const value_length = at;
    at = base::store_u16(at + kLengthField, afi_of(family));
    at = base::store_u8(at, kSafiUnicast);
    result.next_hop_size = static_cast<std::uint8_t>(mp_next_hop_size(next_hop));
    at = base::store_u8(at, result.next_hop_size);
    result.next_hop_offset = static_cast<std::uint32_t>(at - message);
    at = base::store_bytes(at, next_hop.address.bytes());
    if (result.next_hop_size == 32) at = base::store_bytes(at, next_hop.link_local.bytes());
    at = base::store_u8(at, 0);
    // The other attributes come behind the prefixes, so their octets are kept free.
    result.taken = store_prefixes(at, limit - layout.list_size, prefixes);
    close_length(value_length, at);
    at = base::store_bytes(at, list.first(layout.skip_begin));
    at = base::store_bytes(at, list.subspan(layout.skip_end));
    close_length(attribute_length, at);
  }
  out.resize(static_cast<std::size_t>(at - out.data()));
  end_message(begin, out);
  return result;
}

std::size_t encode_withdraw(Family family, std::span<const Prefix> prefixes, const UpdateContext& context,
                            std::vector<std::uint8_t>& out) {
  if (prefixes.empty()) return 0;
  const bool classic = family == Family::ipv4;
  const std::size_t fixed = kHeaderSize + 2 * kLengthField + (classic ? 0 : kExtendedHead + kMpUnreachHead);
  const std::size_t begin = reserve_message(fixed, prefixes.size(), context.max_message, out);
  const std::uint8_t* const limit = out.data() + out.size();
  std::uint8_t* const first_length = out.data() + begin + kHeaderSize;
  std::uint8_t* at = first_length + kLengthField;
  std::size_t taken = 0;
  if (classic) {
    // Two octets for the attribute section's length, which is 0, are kept free behind the prefixes.
    taken = store_prefixes(at, limit - kLengthField, prefixes);
    close_length(first_length, at);
    at = base::store_u16(at, 0);
  } else {
    base::store_u16(first_length, 0);
    std::uint8_t* const attribute_length = at;
    at = base::store_u8(at + kLengthField, attr::kFlagOptional | attr::kFlagExtended);
    at = base::store_u8(at, attr::kMpUnreach);
    std::uint8_t* const value_length = at;
    at = base::store_u16(at + kLengthField, afi_of(family));
    at = base::store_u8(at, kSafiUnicast);
    taken = store_prefixes(at, limit, prefixes);
    close_length(value_length, at);
    close_length(attribute_length, at);
  }
  out.resize(static_cast<std::size_t>(at - out.data()));
  end_message(begin, out);
  return taken;
}

void encode_end_of_rib(Family family, std::vector<std::uint8_t>& out) {
  const std::size_t begin = begin_message(MessageType::update, out);
  base::Writer writer{out};
  writer.u16(0);
  // IPv4: an UPDATE without anything. Others: an empty MP_UNREACH_NLRI (RFC 4724 s.2).
  writer.u16(family == Family::ipv4 ? 0 : kShortHead + kMpUnreachHead);
  if (family != Family::ipv4) {
    writer.u8(attr::kFlagOptional);
    writer.u8(attr::kMpUnreach);
    writer.u8(kMpUnreachHead);
    writer.u16(afi_of(family));
    writer.u8(kSafiUnicast);
  }
  end_message(begin, out);
}

}  // namespace minibgp::wire
