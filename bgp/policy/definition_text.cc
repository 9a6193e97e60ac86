/// Text of the policy language's values, behind bgp/policy_definition.h.
#include <bgp/base/overloaded.h>
#include <bgp/policy_definition.h>
#include <bgp/text.h>

#include <array>
#include <charconv>
#include <vector>

namespace minibgp {
namespace {

using base::Overloaded;

/// Words between blanks.
std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t begin = text.find_first_not_of(" \t", at);
    if (begin == std::string_view::npos) break;
    const std::size_t end = std::min(text.find_first_of(" \t", begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    at = end;
  }
  return words;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t at = text.find(separator);
    // Always one part more than separators: empty parts are the caller's to refuse.
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

template <typename Number>
std::optional<Number> number_of(std::string_view text) {
  Number value{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || code != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// One part of a community: a number up to `max`, or "*".
struct Part {
  std::uint32_t value = 0;
  bool wild = false;
};
std::optional<Part> part_of(std::string_view text, std::uint32_t max) {
  if (text == "*") return Part{0, true};
  const auto value = number_of<std::uint32_t>(text);
  if (!value || *value > max) return std::nullopt;
  return Part{*value, false};
}

// --- Extended communities: type and sub-type octets (RFC 4360 s.3, RFC 5668, draft-ietf-idr-link-bandwidth).
constexpr std::uint64_t kHighBytes = 0xFFFF000000000000U;
// The two bits that say how the administrator is encoded are left out.
constexpr std::uint64_t kAnyEncoding = 0xFCFF000000000000U;  ///< Of 2-octet AS, IPv4 address, 4-octet AS.
struct ExtendedKind {
  std::string_view name;
  std::uint64_t value;
  std::uint64_t any_mask;
};
constexpr std::array kExtendedKinds = {
    ExtendedKind{"rt", 0x0002000000000000U, kAnyEncoding},
    ExtendedKind{"ro", 0x0003000000000000U, kAnyEncoding},
    // Link bandwidth is non-transitive and has one encoding only.
    ExtendedKind{"lb", 0x4004000000000000U, kHighBytes},
};

/// What stands behind the kind: an AS number or an address, before the last colon.
constexpr std::uint64_t kAs2Mask = 0xFFFFFFFF00000000U;
constexpr std::uint64_t kAdministrator4Mask = 0xFFFFFFFFFFFF0000U;

// A set of thousands would fill a line of the log.
template <typename Items>
std::string list_text(const Items& items, std::size_t shown = 8) {
  std::string text;
  std::size_t count = 0;
  for (const auto& item : items) {
    if (count == shown) return text + ", ... (" + std::to_string(items.size()) + ")";
    text += (count++ == 0 ? "" : ", ") + to_text(item);
  }
  return text;
}

template <typename Item>
std::string either_text(const ItemsOrSets<Item>& list) {
  std::string text = list_text(list.items);
  for (const NameRef& set : list.sets) text += (text.empty() ? "" : ", ") + set.name;
  return text;
}

std::string names_text(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string sequence_text(const std::vector<Asn>& asns) {
  std::string text;
  for (const Asn asn : asns) text += (text.empty() ? "" : " ") + to_text(asn);
  return text;
}

std::string optional_range_text(const std::optional<NumberRange>& range) { return range ? to_text(*range) : "none"; }

std::string matches_text(const std::vector<PolicyMatch>& matches) {
  std::string text;
  for (const PolicyMatch& match : matches) text += (text.empty() ? "" : "; ") + to_text(match);
  return "{ " + text + " }";
}

std::string change_text(const NumberChange& change) {
  constexpr std::array<std::string_view, 3> kSigns{"", "+", "-"};
  return std::string(kSigns[static_cast<std::size_t>(change.op)]) + std::to_string(change.value);
}

std::string choice_text(const AsnChoice& choice) {
  switch (choice.which) {
    case AsnChoice::Which::own:
      return "own";
    case AsnChoice::Which::leftmost:
      return "leftmost";
    case AsnChoice::Which::given:
      break;
  }
  return to_text(choice.asn);
}

template <typename Edit>
std::string list_edit_text(std::string_view name, const Edit& edit) {
  constexpr std::array<std::string_view, 3> kOps{"set_", "add_", "remove_"};
  const std::string items = either_text(edit);
  return std::string(kOps[static_cast<std::size_t>(edit.op)]) + std::string(name) + " " +
         (items.empty() ? "none" : items);
}

template <typename Match>
std::string list_match_text(std::string_view name, const Match& match) {
  return std::string(name) + (match.quantifier == Quantifier::all ? "_all " : " ") + either_text(match);
}

}  // namespace

std::optional<PrefixRange> parse_prefix_range(std::string_view text) {
  const auto words = words_of(text);
  if (words.empty()) return std::nullopt;
  const auto prefix = parse_prefix(words[0]);
  if (!prefix) return std::nullopt;
  // "ge" moves the upper bound to the family's length unless "le" is given, as in FRR.
  PrefixRange range = PrefixRange::exactly(*prefix);
  const std::uint8_t bits = address_bits(prefix->family);
  if (words.size() == 2 && (words[1] == "longer" || words[1] == "orlonger")) {
    range.le = bits;
    if (words[1] == "longer") range.ge = static_cast<std::uint8_t>(prefix->length_bits + 1);
    return range;
  }
  bool ge_given = false;
  bool le_given = false;
  for (std::size_t i = 1; i < words.size(); i += 2) {
    const bool ge = words[i] == "ge";
    if ((!ge && words[i] != "le") || i + 1 == words.size() || (ge ? ge_given : le_given)) return std::nullopt;
    const auto length = number_of<std::uint8_t>(words[i + 1]);
    if (!length || *length > bits) return std::nullopt;
    (ge ? range.ge : range.le) = *length;
    (ge ? ge_given : le_given) = true;
  }
  if (ge_given && !le_given) range.le = bits;
  return range;
}

std::optional<AsnRange> parse_asn_range(std::string_view text) {
  const std::size_t dots = text.find("..");
  const auto first = parse_asn(text.substr(0, dots));
  const auto last = dots == std::string_view::npos ? first : parse_asn(text.substr(dots + 2));
  if (!first || !last) return std::nullopt;
  return AsnRange{*first, *last, {}};
}

std::optional<CommunityPattern> parse_community_pattern(std::string_view text) {
  if (text.find('*') == std::string_view::npos) {
    const auto community = parse_community(text);
    if (!community) return std::nullopt;
    return CommunityPattern{static_cast<std::uint32_t>(*community), 0xFFFFFFFFU, {}};
  }
  const auto parts = split(text, ':');
  if (parts.size() != 2) return std::nullopt;
  const auto high = part_of(parts[0], 0xFFFF);
  const auto low = part_of(parts[1], 0xFFFF);
  if (!high || !low) return std::nullopt;
  // A wild part has neither value nor mask, so equal patterns are equal values.
  return CommunityPattern{
      high->value << 16U | low->value, (high->wild ? 0 : 0xFFFF0000U) | (low->wild ? 0 : 0xFFFFU), {}};
}

std::optional<ExtendedCommunityPattern> parse_extended_community_pattern(std::string_view text) {
  if (text.find('*') == std::string_view::npos) {
    const auto community = parse_extended_community(text);
    if (!community) return std::nullopt;
    return ExtendedCommunityPattern{static_cast<std::uint64_t>(*community), ~std::uint64_t{0}, {}};
  }
  const auto parts = split(text, ':');
  for (const ExtendedKind& kind : kExtendedKinds) {
    if (parts[0] != kind.name || parts.back() != "*") continue;
    if (parts.size() == 2) return ExtendedCommunityPattern{kind.value, kind.any_mask, {}};
    if (parts.size() != 3) return std::nullopt;
    // The encoding is the one an exact community with that administrator has.
    const auto exact = parse_extended_community(std::string(kind.name) + ":" + std::string(parts[1]) + ":0");
    if (!exact) return std::nullopt;
    const auto value = static_cast<std::uint64_t>(*exact);
    // Without the transitive bits a type of 0 has a 2-octet AS number.
    const std::uint64_t mask = (value >> 56U & 0x3FU) == 0 ? kAs2Mask : kAdministrator4Mask;
    return ExtendedCommunityPattern{value & mask, mask, {}};
  }
  return std::nullopt;
}

std::optional<LargeCommunityPattern> parse_large_community_pattern(std::string_view text) {
  const auto parts = split(text, ':');
  if (parts.size() != 3) return std::nullopt;
  std::array<Part, 3> part;
  for (std::size_t i = 0; i < 3; ++i) {
    const auto parsed = part_of(parts[i], 0xFFFFFFFFU);
    if (!parsed) return std::nullopt;
    part[i] = *parsed;
  }
  const auto mask = [](const Part& p) { return p.wild ? 0U : 0xFFFFFFFFU; };
  return LargeCommunityPattern{
      {part[0].value, part[1].value, part[2].value}, {mask(part[0]), mask(part[1]), mask(part[2])}, {}};
}

std::optional<AddressRange> parse_address_range(std::string_view text) {
  if (const auto prefix = parse_prefix(text)) return AddressRange{*prefix, {}};
  const auto address = parse_address(text);
  if (!address) return std::nullopt;
  return AddressRange{Prefix::of(*address, address_bits(address->family)), {}};
}

std::optional<NumberRange> parse_number_range(std::string_view text) {
  const std::size_t dots = text.find("..");
  if (dots == std::string_view::npos) {
    const auto value = number_of<std::uint32_t>(text);
    if (!value) return std::nullopt;
    return NumberRange{*value, *value};
  }
  const std::string_view low = text.substr(0, dots);
  const std::string_view high = text.substr(dots + 2);
  if (low.empty() && high.empty()) return std::nullopt;
  // An open end is the smallest or the largest number.
  const auto min = low.empty() ? std::optional{std::uint32_t{0}} : number_of<std::uint32_t>(low);
  const auto max = high.empty() ? std::optional{std::uint32_t{0xFFFFFFFFU}} : number_of<std::uint32_t>(high);
  if (!min || !max) return std::nullopt;
  return NumberRange{*min, *max};
}

std::string to_text(const PrefixRange& range) {
  std::string text = to_text(range.prefix);
  const std::uint8_t own = range.prefix.length_bits;
  const std::uint8_t bits = address_bits(range.prefix.family);
  if (range.ge == own && range.le == own) return text;
  if (range.ge != own) text += " ge " + std::to_string(range.ge);
  // The upper bound is left out only where "ge" alone means the same.
  if (range.le != bits || range.ge == own) text += " le " + std::to_string(range.le);
  return text;
}

std::string to_text(const AsnRange& range) {
  return range.first == range.last ? to_text(range.first) : to_text(range.first) + ".." + to_text(range.last);
}

std::string to_text(const CommunityPattern& pattern) {
  if (pattern.exact()) return to_text(Community{pattern.value});
  const auto part = [&](unsigned shift) {
    const bool wild = (pattern.mask >> shift & 0xFFFFU) == 0;
    return wild ? std::string("*") : std::to_string(pattern.value >> shift & 0xFFFFU);
  };
  return part(16) + ":" + part(0);
}

std::string to_text(const ExtendedCommunityPattern& pattern) {
  if (pattern.exact()) return to_text(ExtendedCommunity{pattern.value});
  for (const ExtendedKind& kind : kExtendedKinds)
    if (pattern.value == kind.value && pattern.mask == kind.any_mask) return std::string(kind.name) + ":*";
  std::string text = to_text(ExtendedCommunity{pattern.value});
  return text.substr(0, text.rfind(':') + 1) + "*";
}

std::string to_text(const LargeCommunityPattern& pattern) {
  const auto part = [](std::uint32_t value, std::uint32_t mask) { return mask == 0 ? "*" : std::to_string(value); };
  return part(pattern.value.global, pattern.mask.global) + ":" + part(pattern.value.local1, pattern.mask.local1) + ":" +
         part(pattern.value.local2, pattern.mask.local2);
}

std::string to_text(const AddressRange& range) {
  return range.prefix.length_bits == address_bits(range.prefix.family) ? to_text(range.prefix.address())
                                                                       : to_text(range.prefix);
}

std::string to_text(const NumberRange& range) {
  if (range.min == range.max) return std::to_string(range.min);
  return (range.min == 0 ? "" : std::to_string(range.min)) + ".." +
         (range.max == 0xFFFFFFFFU ? "" : std::to_string(range.max));
}

std::string_view to_text(TermVerdict verdict) {
  constexpr std::array<std::string_view, 4> kNames{"next", "accept", "reject", "return"};
  return kNames[static_cast<std::size_t>(verdict)];
}
std::string_view to_text(RpkiState state) {
  constexpr std::array<std::string_view, 3> kNames{"not-found", "valid", "invalid"};
  return kNames[static_cast<std::size_t>(state)];
}
std::string_view to_text(PeerType type) { return type == PeerType::ebgp ? "ebgp" : "ibgp"; }
std::string_view to_text(NextHopChoice choice) {
  constexpr std::array<std::string_view, 5> kNames{"by-rule", "self", "unchanged", "peer", "address"};
  return kNames[static_cast<std::size_t>(choice)];
}

std::string to_text(const PolicyMatch& match) {
  const auto truth = [](bool wanted) { return wanted ? std::string("true") : std::string("false"); };
  return std::visit(Overloaded{
                        [](const match::PrefixIn& m) { return "prefix " + either_text(m); },
                        [](const match::FamilyIs& m) {
                          return std::string("family ") + (m.family == Family::ipv4 ? "ipv4" : "ipv6");
                        },
                        [](const match::AsPathRegex& m) { return "as_path " + names_text(m.any); },
                        [](const match::AsPathContains& m) { return "as_path_contains " + either_text(m); },
                        [](const match::AsPathStarts& m) { return "as_path_starts " + sequence_text(m.sequence); },
                        [](const match::AsPathEnds& m) { return "as_path_ends " + sequence_text(m.sequence); },
                        [](const match::AsPathLength& m) { return "as_path_length " + to_text(m.hops); },
                        [](const match::NeighborAs& m) { return "neighbor_as " + either_text(m); },
                        [](const match::OriginAs& m) { return "origin_as " + either_text(m); },
                        [](const match::CommunityIn& m) { return list_match_text("community", m); },
                        [](const match::ExtendedCommunityIn& m) { return list_match_text("extended_community", m); },
                        [](const match::LargeCommunityIn& m) { return list_match_text("large_community", m); },
                        [](const match::MedIs& m) { return "med " + optional_range_text(m.range); },
                        [](const match::LocalPrefIs& m) { return "local_pref " + optional_range_text(m.range); },
                        [](const match::OriginIs& m) { return "origin " + std::string(to_text(m.origin)); },
                        [](const match::NextHopIn& m) { return "next_hop " + either_text(m); },
                        [](const match::PeerIs& m) { return "peer " + names_text(m.any); },
                        [](const match::TunnelIs& m) { return "tunnel " + names_text(m.any); },
                        [](const match::PeerTypeIs& m) { return "peer_type " + std::string(to_text(m.type)); },
                        [&](const match::OwnPrefix& m) { return "own_prefix " + truth(m.wanted); },
                        [&](const match::CoversIkeEndpoint& m) { return "covers_ike_endpoint " + truth(m.wanted); },
                        [](const match::RpkiIs& m) { return "rpki " + std::string(to_text(m.state)); },
                        [](const match::PolicyAccepts& m) { return "policy " + m.policy.name; },
                        [](const match::Not& m) { return "not " + matches_text(m.all); },
                        [](const match::AnyOf& m) {
                          std::string text;
                          for (const auto& all : m.any) text += (text.empty() ? "" : " or ") + matches_text(all);
                          return "any " + text;
                        },
                    },
                    match.condition);
}

std::string to_text(const PolicyEdit& edit) {
  return std::visit(
      Overloaded{
          [](const edit::LocalPref& e) { return "local_pref " + change_text(e.change); },
          [](const edit::Med& e) { return "med " + (e.change ? change_text(*e.change) : std::string("none")); },
          [](const edit::Weight& e) { return "weight " + change_text(e.change); },
          [](const edit::SetOrigin& e) { return "origin " + std::string(to_text(e.origin)); },
          [](const edit::Prepend& e) { return "prepend " + choice_text(e.asn) + " x" + std::to_string(e.times); },
          [](const edit::StripPrivate&) { return std::string("strip_private true"); },
          [](const edit::ReplaceAsn& e) {
            const std::string what = e.what == edit::ReplaceAsn::What::any            ? "any"
                                     : e.what == edit::ReplaceAsn::What::private_asns ? "private"
                                                                                      : to_text(e.asn);
            return "replace " + what + " with " + choice_text(e.with);
          },
          [](const edit::Communities& e) { return list_edit_text("community", e); },
          [](const edit::ExtendedCommunities& e) { return list_edit_text("extended_community", e); },
          [](const edit::LargeCommunities& e) { return list_edit_text("large_community", e); },
          [](const edit::SetNextHop& e) {
            return "next_hop " +
                   (e.choice == NextHopChoice::address ? to_text(e.address) : std::string(to_text(e.choice)));
          },
          [](const edit::FibMetric& e) { return "fib_metric " + std::to_string(e.metric); },
          [](const edit::FibTable& e) { return "fib_table " + std::to_string(e.table); },
          [](const edit::FibPrefsrc& e) { return "fib_prefsrc " + to_text(e.address); },
          [](const edit::EcmpWeight& e) { return "ecmp_weight " + std::to_string(e.weight); },
      },
      edit.action);
}

}  // namespace minibgp
