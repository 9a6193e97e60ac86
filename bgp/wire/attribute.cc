#include <bgp/base/assert.h>
#include <bgp/base/reader.h>
#include <bgp/base/writer.h>
#include <bgp/wire/as_path.h>
#include <bgp/wire/attribute.h>
#include <bgp/wire/communities.h>
#include <bgp/wire/numbers.h>

#include <algorithm>
#include <array>

namespace minibgp::wire {
namespace {

using enum Severity;

// --- Decoders, in order of type -------------------------------------------------------------------------------------

/// An undefined value is treat-as-withdraw (RFC 7606 s.7.1).
AttrFault decode_origin(Bytes value, AttributeScope& scope) {
  if (value[0] > static_cast<std::uint8_t>(Origin::incomplete))
    return {treat_as_withdraw, notify::kOriginValue, "undefined origin"};
  scope.out.origin = static_cast<Origin>(value[0]);
  return {};
}

/// May be empty (RFC 7606 s.4). Whether its first AS is the peer's is a question of configuration, not of syntax.
AttrFault decode_path(Bytes value, AttributeScope& scope) {
  const AsWidth width = scope.context.four_octet_as ? AsWidth::four : AsWidth::two;
  const AsPathFault fault = decode_as_path(value, width, scope.out.as_path);
  if (fault != AsPathFault::none) return {treat_as_withdraw, notify::kAsPathValue, to_text(fault)};
  return {};
}

/// A martian address is judged in update.cc: it matters only when the attribute is used (RFC 4760 s.3).
AttrFault decode_next_hop(Bytes value, AttributeScope& scope) {
  scope.out.next_hop.address = IpAddress::v4(base::load_u32(value.data()));
  return {};
}

AttrFault decode_med(Bytes value, AttributeScope& scope) {
  scope.out.med = base::load_u32(value.data());
  return {};
}

AttrFault decode_local_pref(Bytes value, AttributeScope& scope) {
  scope.out.local_pref = base::load_u32(value.data());
  return {};
}

AttrFault decode_atomic_aggregate(Bytes, AttributeScope& scope) {
  scope.out.atomic_aggregate = true;
  return {};
}

/// 6 or 8 octets, as the session's AS numbers are wide (RFC 7606 s.7.7).
AttrFault decode_aggregator(Bytes value, AttributeScope& scope) {
  const bool wide = scope.context.four_octet_as;
  // The length depends on the session, so the table cannot check it.
  if (value.size() != (wide ? 8U : 6U)) return {attribute_discard, notify::kLength, "wrong length"};
  const std::uint32_t asn = wide ? base::load_u32(value.data()) : base::load_u16(value.data());
  // The address is always the last four octets.
  if (asn == 0) return {attribute_discard, notify::kOptional, "AS 0"};  // RFC 7607 s.2
  scope.out.aggregator = Aggregator{Asn{asn}, RouterId{base::load_u32(value.data() + value.size() - 4)}};
  return {};
}

AttrFault decode_standard(Bytes value, AttributeScope& scope) {
  decode_communities(value, scope.out.communities);
  return {};
}

AttrFault decode_originator_id(Bytes value, AttributeScope& scope) {
  scope.out.originator_id = RouterId{base::load_u32(value.data())};
  return {};
}

AttrFault decode_cluster_list(Bytes value, AttributeScope& scope) {
  scope.out.cluster_list.resize(value.size() / 4);
  for (std::size_t i = 0; i < scope.out.cluster_list.size(); ++i)
    scope.out.cluster_list[i] = RouterId{base::load_u32(value.data() + 4 * i)};
  return {};
}

/// Of MP_REACH_NLRI and MP_UNREACH_NLRI the table knows flags and length; update.cc knows the rest.
AttrFault decode_elsewhere(Bytes, AttributeScope&) { return {}; }

AttrFault decode_extended(Bytes value, AttributeScope& scope) {
  decode_extended_communities(value, scope.out.extended_communities);
  return {};
}

AttrFault keep_as4_path(Bytes value, AttributeScope& scope) {
  // A view only: it is merged when AS_PATH is known, in finish_as4().
  scope.as4_path = value;
  return {};
}

AttrFault keep_as4_aggregator(Bytes value, AttributeScope& scope) {
  const Asn asn{base::load_u32(value.data())};
  if (asn == Asn{}) return {attribute_discard, notify::kOptional, "AS 0"};  // RFC 7607 s.2
  scope.as4_aggregator = Aggregator{asn, RouterId{base::load_u32(value.data() + 4)}};
  return {};
}

AttrFault decode_large(Bytes value, AttributeScope& scope) {
  decode_large_communities(value, scope.out.large_communities);
  return {};
}

AttrFault decode_only_to_customer(Bytes value, AttributeScope& scope) {
  scope.out.only_to_customer = Asn{base::load_u32(value.data())};
  return {};
}

// --- The table ------------------------------------------------------------------------------------------------------

constexpr std::uint8_t kWellKnown = attr::kFlagTransitive;
constexpr std::uint8_t kOptional = attr::kFlagOptional;
constexpr std::uint8_t kOptionalTransitive = attr::kFlagOptional | attr::kFlagTransitive;

constexpr LengthRule any() { return {LengthRule::Kind::any, 0}; }
constexpr LengthRule exactly(std::uint8_t octets) { return {LengthRule::Kind::exact, octets}; }
constexpr LengthRule multiple_of(std::uint8_t octets) { return {LengthRule::Kind::multiple, octets}; }
constexpr LengthRule at_least(std::uint8_t octets) { return {LengthRule::Kind::at_least, octets}; }

// Flags. RFC 7606 s.3 (c) speaks of Optional and Transitive alone, so a Partial bit on a well-known attribute is
// ignored (FRR refuses it), as are the four unused bits (RFC 4271 s.4.3). Conflicting bits are treat-as-withdraw for
// every attribute but the two that carry prefixes, also for ATOMIC_AGGREGATE and AGGREGATOR: s.3 (f) discards these
// where RFC 4271 would have reset the session, and s.3 (c) says that flags no longer do (BIRD reads it so too, FRR
// discards).
constexpr std::array kSpecs = {
    // RFC 7606 s.7.1
    AttributeSpec{attr::kOrigin, "ORIGIN", kWellKnown, exactly(1), treat_as_withdraw, treat_as_withdraw, Senders::all,
                  decode_origin},
    // s.7.2
    AttributeSpec{attr::kAsPath, "AS_PATH", kWellKnown, any(), treat_as_withdraw, treat_as_withdraw, Senders::all,
                  decode_path},
    // s.7.3
    AttributeSpec{attr::kNextHop, "NEXT_HOP", kWellKnown, exactly(4), treat_as_withdraw, treat_as_withdraw,
                  Senders::all, decode_next_hop},
    // s.7.4
    AttributeSpec{attr::kMed, "MULTI_EXIT_DISC", kOptional, exactly(4), treat_as_withdraw, treat_as_withdraw,
                  Senders::all, decode_med},
    // s.7.5
    AttributeSpec{attr::kLocalPref, "LOCAL_PREF", kWellKnown, exactly(4), treat_as_withdraw, treat_as_withdraw,
                  Senders::internal, decode_local_pref},
    // s.7.6
    AttributeSpec{attr::kAtomicAggregate, "ATOMIC_AGGREGATE", kWellKnown, exactly(0), attribute_discard,
                  treat_as_withdraw, Senders::all, decode_atomic_aggregate},
    // s.7.7
    AttributeSpec{attr::kAggregator, "AGGREGATOR", kOptionalTransitive, any(), attribute_discard, treat_as_withdraw,
                  Senders::all, decode_aggregator},
    // s.7.8
    AttributeSpec{attr::kCommunities, "COMMUNITIES", kOptionalTransitive, multiple_of(kCommunitySize),
                  treat_as_withdraw, treat_as_withdraw, Senders::all, decode_standard},
    // s.7.9
    AttributeSpec{attr::kOriginatorId, "ORIGINATOR_ID", kOptional, exactly(4), treat_as_withdraw, treat_as_withdraw,
                  Senders::internal, decode_originator_id},
    // s.7.10
    AttributeSpec{attr::kClusterList, "CLUSTER_LIST", kOptional, multiple_of(4), treat_as_withdraw, treat_as_withdraw,
                  Senders::internal, decode_cluster_list},
    // s.5.3: with these two in doubt nobody knows which prefixes are meant, and s.3 (j) leaves only the reset.
    AttributeSpec{attr::kMpReach, "MP_REACH_NLRI", kOptional, at_least(5), session_reset, session_reset, Senders::all,
                  decode_elsewhere},
    AttributeSpec{attr::kMpUnreach, "MP_UNREACH_NLRI", kOptional, at_least(3), session_reset, session_reset,
                  Senders::all, decode_elsewhere},
    // s.7.14
    AttributeSpec{attr::kExtendedCommunities, "EXTENDED_COMMUNITIES", kOptionalTransitive,
                  multiple_of(kExtendedCommunitySize), treat_as_withdraw, treat_as_withdraw, Senders::all,
                  decode_extended},
    // RFC 6793 s.6: malformed costs the attribute only. From a 4-octet peer it is discarded unread (s.4.1).
    AttributeSpec{attr::kAs4Path, "AS4_PATH", kOptionalTransitive, at_least(6), attribute_discard, treat_as_withdraw,
                  Senders::two_octet, keep_as4_path},
    AttributeSpec{attr::kAs4Aggregator, "AS4_AGGREGATOR", kOptionalTransitive, exactly(8), attribute_discard,
                  treat_as_withdraw, Senders::two_octet, keep_as4_aggregator},
    // RFC 8092 s.6
    AttributeSpec{attr::kLargeCommunities, "LARGE_COMMUNITY", kOptionalTransitive, multiple_of(kLargeCommunitySize),
                  treat_as_withdraw, treat_as_withdraw, Senders::all, decode_large},
    // RFC 9234 s.5
    AttributeSpec{attr::kOnlyToCustomer, "ONLY_TO_CUSTOMER", kOptionalTransitive, exactly(4), treat_as_withdraw,
                  treat_as_withdraw, Senders::all, decode_only_to_customer},
};

constexpr std::uint8_t kUnknown = 0xFF;

/// Type -> index of its row, so that finding one costs a load.
constexpr auto kRowOfType = [] {
  std::array<std::uint8_t, 256> rows{};
  rows.fill(kUnknown);
  for (std::size_t i = 0; i < kSpecs.size(); ++i) rows[kSpecs[i].type] = static_cast<std::uint8_t>(i);
  return rows;
}();

// --- Attributes that we do not use --------------------------------------------------------------------------------

/// Whether `value` is a whole number of fields, each `type_size` octets of type, then a length in `length_size` octets,
/// then that many octets. `each(type, value)` says whether one of them is well formed.
template <typename Each>
bool fields_fit(Bytes value, std::size_t type_size, std::size_t length_size, Each each) {
  base::Reader reader{value};
  while (!reader.empty()) {
    // The reader answers 0 behind the end, so `failed()` is asked once for each field.
    const std::uint16_t type = type_size == 1 ? reader.u8() : reader.u16();
    const Bytes inside = reader.take(length_size == 1 ? reader.u8() : reader.u16());
    if (reader.failed() || !each(type, inside)) return false;
  }
  return true;
}

/// RFC 9012 s.13: at least one TLV, and each ends where its last sub-TLV does. A sub-TLV of a type above 127 has a
/// length of two octets (s.2).
bool tunnel_encapsulation_fits(Bytes value) {
  return !value.empty() && fields_fit(value, 2, 2, [](std::uint16_t, Bytes tunnel) {
    base::Reader reader{tunnel};
    while (!reader.empty()) {
      const bool wide = reader.u8() > 127;
      static_cast<void>(reader.take(wide ? reader.u16() : reader.u8()));
      if (reader.failed()) return false;
    }
    return true;
  });
}

/// RFC 8669 s.6, with the lengths of s.3.1 and s.3.2. Types that came later have any length.
bool prefix_sid_fits(Bytes value) {
  constexpr std::uint16_t kLabelIndex = 1, kOriginatorSrgb = 3;
  return !value.empty() && fields_fit(value, 1, 2, [](std::uint16_t type, Bytes tlv) {
    if (type == kLabelIndex) return tlv.size() == 7;
    if (type == kOriginatorSrgb) return tlv.size() >= 8 && (tlv.size() - 2) % 6 == 0;
    return true;
  });
}

/// RFC 6368 s.5: an AS number, and attributes that end where it ends.
bool attr_set_fits(Bytes value) {
  base::Reader reader{value};
  // The AS number. What the attributes inside say is not looked at.
  reader.skip(4);
  while (!reader.failed() && !reader.empty()) {
    const bool extended = (reader.u8() & attr::kFlagExtended) != 0;
    reader.skip(1);
    static_cast<void>(reader.take(extended ? reader.u16() : reader.u8()));
  }
  return !reader.failed();
}

struct UnusedSpec {
  std::uint8_t type;
  std::uint8_t flags;  ///< Required Optional and Transitive bits.
  Severity malformed;
  Severity bad_flags;
  bool (*well_formed)(Bytes value);
};

constexpr bool any_form(Bytes) { return true; }
constexpr bool five_octets(Bytes value) { return value.size() >= 5; }
constexpr bool ipv6_communities_fit(Bytes value) { return !value.empty() && value.size() % 20 == 0; }

// Where an RFC says nothing of flags, RFC 7606 s.3 (c) does: treat as withdraw. Values that this code does not know are
// not malformed (RFC 7606 s.7.14): others define them. Non-transitive ones go no further than here.
constexpr std::array kUnused = {
    // RFC 6514 s.5
    UnusedSpec{attr::kPmsiTunnel, kOptionalTransitive, treat_as_withdraw, treat_as_withdraw, five_octets},
    // RFC 9012 s.13
    UnusedSpec{attr::kTunnelEncapsulation, kOptionalTransitive, treat_as_withdraw, treat_as_withdraw,
               tunnel_encapsulation_fits},
    // RFC 7606 s.7.13: RFC 5543 does not say what is malformed. Non-transitive (RFC 5543 s.3).
    UnusedSpec{attr::kTrafficEngineering, kOptional, treat_as_withdraw, treat_as_withdraw, any_form},
    // RFC 7606 s.7.15
    UnusedSpec{attr::kIpv6ExtendedCommunities, kOptionalTransitive, treat_as_withdraw, treat_as_withdraw,
               ipv6_communities_fit},
    // RFC 7311 s.3: with the Transitive bit it is malformed, and discarded.
    UnusedSpec{attr::kAigp, kOptional, attribute_discard, attribute_discard, any_form},
    // RFC 6514 s.8
    UnusedSpec{attr::kPeDistinguisherLabels, kOptionalTransitive, treat_as_withdraw, treat_as_withdraw, any_form},
    // RFC 9552 s.8.2.2
    UnusedSpec{attr::kBgpLs, kOptional, attribute_discard, attribute_discard, any_form},
    // RFC 8205 s.3
    UnusedSpec{attr::kBgpsecPath, kOptional, treat_as_withdraw, treat_as_withdraw, any_form},
    // RFC 9015 s.3.2
    UnusedSpec{attr::kSfp, kOptionalTransitive, treat_as_withdraw, treat_as_withdraw, any_form},
    // RFC 9026 s.3.1.6
    UnusedSpec{attr::kBfdDiscriminator, kOptionalTransitive, attribute_discard, treat_as_withdraw, five_octets},
    // RFC 8669 s.6: ignored, and not passed on.
    UnusedSpec{attr::kPrefixSid, kOptionalTransitive, attribute_discard, treat_as_withdraw, prefix_sid_fits},
    // RFC 7606 s.7.16
    UnusedSpec{attr::kAttrSet, kOptionalTransitive, treat_as_withdraw, treat_as_withdraw, attr_set_fits},
};

bool length_fits(LengthRule rule, std::size_t size) {
  switch (rule.kind) {
    case LengthRule::Kind::any:
      return true;
    case LengthRule::Kind::exact:
      return size == rule.octets;
    case LengthRule::Kind::multiple:
      return size != 0 && size % rule.octets == 0;
    case LengthRule::Kind::at_least:
      return size >= rule.octets;
  }
  return false;
}

}  // namespace

const AttributeSpec* find_attribute(std::uint8_t type) {
  const std::uint8_t row = kRowOfType[type];
  return row == kUnknown ? nullptr : &kSpecs[row];
}

std::string_view attribute_name(std::uint8_t type) {
  const AttributeSpec* spec = find_attribute(type);
  return spec == nullptr ? std::string_view{} : spec->name;
}

AttrFault decode_attribute(const AttributeSpec& spec, std::uint8_t flags, Bytes value, AttributeScope& scope) {
  // RFC 6793 s.4.1: discard, whatever is in it.
  if (spec.senders == Senders::two_octet && scope.context.four_octet_as)
    return {attribute_discard, notify::kOptional, "sent by a peer with 4-octet AS numbers"};
  // RFC 4760 s.7 names one subcode for whatever is wrong with an attribute that holds prefixes.
  const bool holds_prefixes = spec.malformed == session_reset;
  if ((flags & kOptionalTransitive) != spec.flags)
    return {spec.bad_flags, holds_prefixes ? notify::kOptional : notify::kFlags, "conflicting flags"};
  // After the flags, which are malformed from anyone (RFC 7606 s.3 (c), (h): the stronger action).
  if (spec.senders == Senders::internal && scope.context.peer_type == PeerType::ebgp)
    return {attribute_discard, notify::kOptional, "sent by an external peer"};
  if (!length_fits(spec.length, value.size()))
    return {spec.malformed, holds_prefixes ? notify::kOptional : notify::kLength, "wrong length"};
  return spec.decode(value, scope);
}

AttrFault judge_unused(std::uint8_t type, std::uint8_t flags, Bytes value) {
  const auto spec = std::find_if(kUnused.begin(), kUnused.end(), [&](const auto& row) { return row.type == type; });
  if (spec == kUnused.end()) return {};
  if ((flags & kOptionalTransitive) != spec->flags) return {spec->bad_flags, notify::kFlags, "conflicting flags"};
  if (!spec->well_formed(value)) return {spec->malformed, notify::kOptional, "malformed"};
  return {};
}

AttrFault finish_as4(AttributeScope& scope) {
  PathAttributes& out = scope.out;
  if (out.aggregator && scope.as4_aggregator) {
    // A real AS number here proves that a 2-octet speaker aggregated after the AS4 attributes were written.
    if (out.aggregator->asn != Asn{kAsTrans}) return {};
    out.aggregator = scope.as4_aggregator;
  }
  if (scope.as4_path.empty()) return {};
  const AsPathFault fault = merge_as4_path(scope.as4_path, out.as_path);
  if (fault != AsPathFault::none) return {attribute_discard, notify::kOptional, to_text(fault)};
  return {};
}

bool is_martian_next_hop(const IpAddress& address) {
  if (address.family == Family::ipv4)
    return address.octets[0] == 0 || address.octets[0] == 127 || address.octets[0] >= 224;
  if (address.octets[0] == 0xFF) return true;
  const bool leading_zeros =
      // :: and ::1.
      std::all_of(address.octets.begin(), address.octets.end() - 1, [](std::uint8_t octet) { return octet == 0; });
  return leading_zeros && address.octets[15] <= 1;
}

// --- Encoding -------------------------------------------------------------------------------------------------------

namespace {

constexpr std::size_t kHeadMax = 4;  // Flags, type, 2 octets of length.

/// Flags, type and length; the extended form where the value needs it.
std::uint8_t* store_head(std::uint8_t* at, std::uint8_t flags, std::uint8_t type, std::size_t size) {
  // RFC 4271 s.4.3: the length has two octets only where one is too short.
  const bool extended = size > 0xFF;
  at = base::store_u8(at, extended ? flags | attr::kFlagExtended : flags);
  at = base::store_u8(at, type);
  return extended ? base::store_u16(at, static_cast<std::uint16_t>(size))
                  : base::store_u8(at, static_cast<std::uint8_t>(size));
}

std::uint8_t* store_u32_attribute(std::uint8_t* at, std::uint8_t flags, std::uint8_t type, std::uint32_t value) {
  return base::store_u32(store_head(at, flags, type, 4), value);
}

std::uint8_t* store_path_attribute(std::uint8_t* at, std::uint8_t flags, std::uint8_t type, const AsPath& path,
                                   AsWidth width) {
  return store_as_path(store_head(at, flags, type, as_path_size(path, width)), path, width);
}

std::uint8_t* store_aggregator(std::uint8_t* at, std::uint8_t type, const Aggregator& aggregator, AsWidth width) {
  const auto asn = static_cast<std::uint32_t>(aggregator.asn);
  at = store_head(at, kOptionalTransitive, type, 4 + static_cast<std::size_t>(width));
  at = width == AsWidth::four ? base::store_u32(at, asn)
                              : base::store_u16(at, asn > 0xFFFF ? kAsTrans : static_cast<std::uint16_t>(asn));
  return base::store_u32(at, static_cast<std::uint32_t>(aggregator.router_id));
}

/// No encoding of `attributes` is longer.
std::size_t size_bound(const PathAttributes& attributes) {
  // Each with its head, at its largest; the second line lists types by number.
  constexpr std::size_t kFixed = 4 + 7 + 7 + 7 + 3 + 11 + 11 + 7 + 7;  // 1, 3, 4, 5, 6, 7, 18, 9, 35
  std::size_t bound = kFixed + 6 * kHeadMax;                           // Of 2, 17, 8, 10, 16, 32.
  // Twice: AS4_PATH repeats it to a peer with 2-octet AS numbers.
  bound += 2 * as_path_size(attributes.as_path, AsWidth::four);
  bound += attributes.communities.size() * kCommunitySize;
  bound += attributes.cluster_list.size() * 4;
  bound += attributes.extended_communities.size() * kExtendedCommunitySize;
  bound += attributes.large_communities.size() * kLargeCommunitySize;
  for (const UnknownAttribute& unknown : attributes.unknown) bound += kHeadMax + unknown.value.size();
  return bound;
}

}  // namespace

void encode_attribute_list(const PathAttributes& attributes, const EncodeScope& scope, const UpdateContext& context,
                           EncodedAttributes& out) {
  const bool internal = context.peer_type == PeerType::ibgp;
  const AsWidth width = context.four_octet_as ? AsWidth::four : AsWidth::two;
  const std::size_t bound = size_bound(attributes);
  // One allocation at the bound; what was not used is cut off below.
  out.octets.resize(bound);
  out.next_hop_offset = 0;
  std::uint8_t* const begin = out.octets.data();
  std::uint8_t* at = begin;

  at = store_head(at, kWellKnown, attr::kOrigin, 1);
  at = base::store_u8(at, static_cast<std::uint8_t>(attributes.origin));
  at = store_path_attribute(at, kWellKnown, attr::kAsPath, attributes.as_path, width);
  if (scope.next_hop) {
    at = store_head(at, kWellKnown, attr::kNextHop, 4);
    out.next_hop_offset = static_cast<std::uint32_t>(at - begin);
    const bool ipv4 = attributes.next_hop.address.family == Family::ipv4;
    // hand_out() of an export group may overwrite these four octets for another member.
    at = base::store_u32(at, ipv4 ? attributes.next_hop.address.to_v4() : 0);
  }
  if (attributes.med) at = store_u32_attribute(at, kOptional, attr::kMed, *attributes.med);
  // The three attributes of iBGP are not sent to an external peer, whatever the route carries.
  if (attributes.local_pref && internal)
    at = store_u32_attribute(at, kWellKnown, attr::kLocalPref, *attributes.local_pref);
  if (attributes.atomic_aggregate) at = store_head(at, kWellKnown, attr::kAtomicAggregate, 0);
  if (attributes.aggregator) at = store_aggregator(at, attr::kAggregator, *attributes.aggregator, width);
  if (!attributes.communities.empty()) {
    at = store_head(at, kOptionalTransitive, attr::kCommunities, attributes.communities.size() * kCommunitySize);
    at = store_communities(at, attributes.communities);
  }
  if (attributes.originator_id && internal)
    at = store_u32_attribute(at, kOptional, attr::kOriginatorId, static_cast<std::uint32_t>(*attributes.originator_id));
  if (!attributes.cluster_list.empty() && internal) {
    at = store_head(at, kOptional, attr::kClusterList, attributes.cluster_list.size() * 4);
    for (const RouterId id : attributes.cluster_list) at = base::store_u32(at, static_cast<std::uint32_t>(id));
  }
  if (!attributes.extended_communities.empty()) {
    at = store_head(at, kOptionalTransitive, attr::kExtendedCommunities,
                    attributes.extended_communities.size() * kExtendedCommunitySize);
    at = store_extended_communities(at, attributes.extended_communities);
  }
  // RFC 6793 s.4.2.2: only where AS_PATH lost a number to AS_TRANS.
  if (width == AsWidth::two && needs_as4_path(attributes.as_path))
    at = store_path_attribute(at, kOptionalTransitive, attr::kAs4Path, attributes.as_path, AsWidth::four);
  if (width == AsWidth::two && attributes.aggregator && static_cast<std::uint32_t>(attributes.aggregator->asn) > 0xFFFF)
    at = store_aggregator(at, attr::kAs4Aggregator, *attributes.aggregator, AsWidth::four);
  if (!attributes.large_communities.empty()) {
    at = store_head(at, kOptionalTransitive, attr::kLargeCommunities,
                    attributes.large_communities.size() * kLargeCommunitySize);
    at = store_large_communities(at, attributes.large_communities);
  }
  if (attributes.only_to_customer)
    at = store_u32_attribute(at, kOptionalTransitive, attr::kOnlyToCustomer,
                             static_cast<std::uint32_t>(*attributes.only_to_customer));
  for (const UnknownAttribute& unknown : attributes.unknown) {
    // RFC 4271 s.5: a router that passes on what it does not know sets the Partial bit.
    const std::uint8_t partial = scope.partial == PartialBit::set ? attr::kFlagPartial : std::uint8_t{0};
    at = store_head(at, unknown.flags | partial, unknown.type, unknown.value.size());
    at = base::store_bytes(at, unknown.value);
  }

  const auto size = static_cast<std::size_t>(at - begin);
  BGP_ASSERT(size <= bound);  // size_bound() counts every field that is written above, at its largest.
  out.octets.resize(size);
}

}  // namespace minibgp::wire
