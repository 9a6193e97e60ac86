/// The policy language as plain values: what a policy says before it is compiled. Files, builders, importers and
/// mutation tools make these; Policy::compile() (bgp/policy.h) turns them into a program. Not here: YAML (the
/// application's) and evaluation (bgp/policy).
///
/// A policy is an ordered list of terms. A term whose matches all hold carries out its edits and then its verdict; a
/// term that does not match is passed over. A route that reaches the end is rejected (RFC 8212). Matches read the route
/// as it arrived at the policy, never what an earlier term made of it: the meaning of a term does not depend on the
/// edits of the terms above it.
#pragma once

#include <bgp/path.h>
#include <bgp/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace minibgp {

/// Where something was written, handed back in PolicyError. Opaque to the library; two values that differ only in it
/// are equal, so that moving a line in a file is no change of policy.
struct SourceMark {
  std::uint32_t line = 0;    ///< From 1; 0: unknown.
  std::uint16_t column = 0;  ///< From 1.
  std::uint16_t file = 0;    ///< The caller's own number for the file.
  friend constexpr bool operator==(const SourceMark&, const SourceMark&) { return true; }
};

/// RFC 6811; an input only: nothing here validates yet.
enum class RpkiState : std::uint8_t { not_found, valid, invalid };
enum class PeerType : std::uint8_t { ebgp, ibgp };
enum class Direction : std::uint8_t { import, export_ };

// --- What sets and matches are made of -----------------------------------------------------------------------------

/// Prefixes covered by `prefix` whose length is from `ge` to `le`. ge = le = prefix.length_bits: exactly that prefix.
struct PrefixRange {
  Prefix prefix;
  std::uint8_t ge = 0;
  std::uint8_t le = 0;
  SourceMark mark;
  [[nodiscard]] static constexpr PrefixRange exactly(const Prefix& prefix) {
    return {prefix, prefix.length_bits, prefix.length_bits, {}};
  }  ///< This prefix alone.
  [[nodiscard]] static constexpr PrefixRange or_longer(const Prefix& prefix) {
    return {prefix, prefix.length_bits, address_bits(prefix.family), {}};
  }  ///< This one and all within it.
  [[nodiscard]] constexpr bool matches(const Prefix& other) const {
    return other.length_bits >= ge && other.length_bits <= le && prefix.covers(other);
  }  ///< Within, and of a length from ge to le.
  bool operator==(const PrefixRange&) const = default;
};
/// ASNs from first to last, both included.
struct AsnRange {
  Asn first{};
  Asn last{};
  SourceMark mark;
  [[nodiscard]] constexpr bool matches(Asn asn) const { return asn >= first && asn <= last; }  ///< Within the range.
  bool operator==(const AsnRange&) const = default;
};

/// Bits of `mask` that are 0 are wildcards: 65001:* is {65001 << 16, 0xFFFF0000}.
struct CommunityPattern {
  std::uint32_t value = 0;
  std::uint32_t mask = 0xFFFFFFFFU;
  SourceMark mark;
  [[nodiscard]] constexpr bool exact() const { return mask == 0xFFFFFFFFU; }  ///< No wildcard.
  [[nodiscard]] constexpr bool matches(Community community) const {
    return (static_cast<std::uint32_t>(community) & mask) == value;
  }  ///< Equal where the mask says.
  bool operator==(const CommunityPattern&) const = default;
};
struct ExtendedCommunityPattern {
  std::uint64_t value = 0;
  std::uint64_t mask = ~std::uint64_t{0};
  SourceMark mark;
  [[nodiscard]] constexpr bool exact() const { return mask == ~std::uint64_t{0}; }  ///< No wildcard.
  [[nodiscard]] constexpr bool matches(ExtendedCommunity community) const {
    return (static_cast<std::uint64_t>(community) & mask) == value;
  }  ///< Equal where the mask says.
  bool operator==(const ExtendedCommunityPattern&) const = default;
};  ///< An extended community with wildcards by bit.
struct LargeCommunityPattern {
  LargeCommunity value;
  LargeCommunity mask{0xFFFFFFFFU, 0xFFFFFFFFU, 0xFFFFFFFFU};
  SourceMark mark;
  [[nodiscard]] constexpr bool exact() const { return (mask.global & mask.local1 & mask.local2) == 0xFFFFFFFFU; }
  [[nodiscard]] constexpr bool matches(const LargeCommunity& community) const {
    return (community.global & mask.global) == value.global && (community.local1 & mask.local1) == value.local1 &&
           (community.local2 & mask.local2) == value.local2;
  }  ///< Equal where the mask says.
  bool operator==(const LargeCommunityPattern&) const = default;
};  ///< A large community with wildcards by part.

/// Addresses: a host address is a prefix of full length.
struct AddressRange {
  Prefix prefix;
  SourceMark mark;
  [[nodiscard]] constexpr bool matches(const IpAddress& address) const { return prefix.contains(address); }
  bool operator==(const AddressRange&) const = default;
};
/// Numbers from min to max, both included.
struct NumberRange {
  std::uint32_t min = 0;
  std::uint32_t max = 0xFFFFFFFFU;
  [[nodiscard]] constexpr bool matches(std::uint32_t value) const { return value >= min && value <= max; }
  bool operator==(const NumberRange&) const = default;
};

/// A name defined elsewhere in the same PolicyLibrary.
struct NameRef {
  std::string name;
  SourceMark mark;
  bool operator==(const NameRef&) const = default;
};

/// Items written in place and sets named; together one list.
template <typename Item>
struct ItemsOrSets {
  std::vector<Item> items;
  std::vector<NameRef> sets;
  bool operator==(const ItemsOrSets&) const = default;
};

/// Of several items: one is enough, or each must be found.
enum class Quantifier : std::uint8_t { any, all };

// --- Matches -------------------------------------------------------------------------------------------------------

struct PolicyMatch;

namespace match {
/// The route's prefix is in one of them.
struct PrefixIn : ItemsOrSets<PrefixRange> {
  bool operator==(const PrefixIn&) const = default;
};
struct FamilyIs {
  Family family = Family::ipv4;
  bool operator==(const FamilyIs&) const = default;
};  ///< The route's address family.
/// POSIX extended regular expressions, searched for in the path as text ("65001 65002 {65003,65004}"); `_` stands for
/// the beginning, the end, or one of the characters ` ,{}()`, as in FRR. One that matches is enough.
struct AsPathRegex {
  std::vector<std::string> any;
  bool operator==(const AsPathRegex&) const = default;
};
/// Some ASN of the path, in any segment, is listed.
struct AsPathContains : ItemsOrSets<AsnRange> {
  bool operator==(const AsPathContains&) const = default;
};
/// The path begins with these ASNs in AS_SEQUENCE, nearest first.
struct AsPathStarts {
  std::vector<Asn> sequence;
  bool operator==(const AsPathStarts&) const = default;
};
struct AsPathEnds {
  std::vector<Asn> sequence;
  bool operator==(const AsPathEnds&) const = default;
};  ///< The path's last ASNs, the origin's last.
/// As the decision process counts: an AS_SET is one hop.
struct AsPathLength {
  NumberRange hops;
  bool operator==(const AsPathLength&) const = default;
};
/// The first AS of the path is listed; never true of an empty path or one that begins with a set.
struct NeighborAs : ItemsOrSets<AsnRange> {
  bool operator==(const NeighborAs&) const = default;
};
struct OriginAs : ItemsOrSets<AsnRange> {
  bool operator==(const OriginAs&) const = default;
};  ///< The AS that originated the route.
struct CommunityIn : ItemsOrSets<CommunityPattern> {
  Quantifier quantifier = Quantifier::any;
  bool operator==(const CommunityIn&) const = default;
};  ///< Communities (RFC 1997); one of the patterns, or all.
struct ExtendedCommunityIn : ItemsOrSets<ExtendedCommunityPattern> {
  Quantifier quantifier = Quantifier::any;
  bool operator==(const ExtendedCommunityIn&) const = default;
};  ///< Extended communities (RFC 4360); one of the patterns, or all.
struct LargeCommunityIn : ItemsOrSets<LargeCommunityPattern> {
  Quantifier quantifier = Quantifier::any;
  bool operator==(const LargeCommunityIn&) const = default;
};  ///< Large communities (RFC 8092); one of the patterns, or all.
/// none: the attribute is absent.
struct MedIs {
  std::optional<NumberRange> range;
  bool operator==(const MedIs&) const = default;
};
struct LocalPrefIs {
  std::optional<NumberRange> range;
  bool operator==(const LocalPrefIs&) const = default;
};  ///< LOCAL_PREF within a range.
struct OriginIs {
  Origin origin = Origin::igp;
  bool operator==(const OriginIs&) const = default;
};  ///< ORIGIN.
struct NextHopIn : ItemsOrSets<AddressRange> {
  bool operator==(const NextHopIn&) const = default;
};  ///< The next hop's address is in one of them.
struct PeerIs {
  std::vector<std::string> any;  ///< Names or addresses as configured.
  bool operator==(const PeerIs&) const = default;
};  ///< The peer's name or address.
struct TunnelIs {
  std::vector<std::string> any;
  bool operator==(const TunnelIs&) const = default;
};  ///< The peer's tunnel by name.
struct PeerTypeIs {
  PeerType type = PeerType::ebgp;
  bool operator==(const PeerTypeIs&) const = default;
};  ///< eBGP or iBGP.
/// Equal to or within one of our announced networks.
struct OwnPrefix {
  bool wanted = true;
  bool operator==(const OwnPrefix&) const = default;
};
/// Would swallow the packets of a tunnel that carries it.
struct CoversIkeEndpoint {
  bool wanted = true;
  bool operator==(const CoversIkeEndpoint&) const = default;
};
struct RpkiIs {
  RpkiState state = RpkiState::valid;
  bool operator==(const RpkiIs&) const = default;
};  ///< The validation state the caller supplies (RFC 6811).
/// The named policy would accept the route. Its edits are not carried out.
struct PolicyAccepts {
  NameRef policy;
  bool operator==(const PolicyAccepts&) const = default;
};
/// Not all of these hold.
struct Not {
  std::vector<PolicyMatch> all;
  friend bool operator==(const Not&, const Not&);
};
/// One of these lists holds as a whole.
struct AnyOf {
  std::vector<std::vector<PolicyMatch>> any;
  friend bool operator==(const AnyOf&, const AnyOf&);
};

}  // namespace match
/// A condition of a term.
struct PolicyMatch {
  using Condition =
      std::variant<match::PrefixIn, match::FamilyIs, match::AsPathRegex, match::AsPathContains, match::AsPathStarts,
                   match::AsPathEnds, match::AsPathLength, match::NeighborAs, match::OriginAs, match::CommunityIn,
                   match::ExtendedCommunityIn, match::LargeCommunityIn, match::MedIs, match::LocalPrefIs,
                   match::OriginIs, match::NextHopIn, match::PeerIs, match::TunnelIs, match::PeerTypeIs,
                   match::OwnPrefix, match::CoversIkeEndpoint, match::RpkiIs, match::PolicyAccepts, match::Not,
                   match::AnyOf>;  ///< One of namespace match.
  Condition condition;
  SourceMark mark;
  friend bool operator==(const PolicyMatch& a, const PolicyMatch& b) { return a.condition == b.condition; }
};

namespace match {
inline bool operator==(const Not& a, const Not& b) { return a.all == b.all; }
inline bool operator==(const AnyOf& a, const AnyOf& b) { return a.any == b.any; }
}  // namespace match

// --- Edits ---------------------------------------------------------------------------------------------------------

/// Arithmetic stops at 0 and at 2^32-1. An absent MED counts as 0, an absent LOCAL_PREF as 100.
struct NumberChange {
  enum class Op : std::uint8_t { set, add, subtract };
  Op op = Op::set;
  std::uint32_t value = 0;
  bool operator==(const NumberChange&) const = default;
};

/// The AS an edit writes: a given one, our own toward the peer, or the leftmost of the path. A path that is empty or
/// begins with a set has no leftmost AS: the edit does nothing then.
struct AsnChoice {
  enum class Which : std::uint8_t { given, own, leftmost };
  Which which = Which::given;
  Asn asn{};
  bool operator==(const AsnChoice&) const = default;
};

inline constexpr std::uint32_t kPrependMax = 64;  ///< More than that is a mistake, and makes paths nobody accepts.

namespace edit {
/// LOCAL_PREF.
struct LocalPref {
  NumberChange change;
  bool operator==(const LocalPref&) const = default;
};
/// none: remove the attribute.
struct Med {
  std::optional<NumberChange> change;
  bool operator==(const Med&) const = default;
};
struct Weight {
  NumberChange change;
  bool operator==(const Weight&) const = default;
};  ///< Local to this speaker; the first step of the decision.
struct SetOrigin {
  Origin origin = Origin::igp;
  bool operator==(const SetOrigin&) const = default;
};  ///< ORIGIN.
struct Prepend {
  AsnChoice asn;
  std::uint32_t times = 1;  ///< 1..kPrependMax.
  bool operator==(const Prepend&) const = default;
};  ///< Puts an AS in front of the path, `times` times.
/// Removes 64512..65534 and 4200000000..4294967294 (RFC 6996) wherever they stand.
struct StripPrivate {
  bool operator==(const StripPrivate&) const = default;
};
/// Writes another AS in the place of each that is meant.
struct ReplaceAsn {
  enum class What : std::uint8_t { given, private_asns, any };
  What what = What::given;
  Asn asn{};
  AsnChoice with;
  bool operator==(const ReplaceAsn&) const = default;
};
enum class ListOp : std::uint8_t { set, add, remove };
/// Only remove may have wildcards.
struct Communities : ItemsOrSets<CommunityPattern> {
  ListOp op = ListOp::add;
  bool operator==(const Communities&) const = default;
};
struct ExtendedCommunities : ItemsOrSets<ExtendedCommunityPattern> {
  ListOp op = ListOp::add;
  bool operator==(const ExtendedCommunities&) const = default;
};  ///< Extended communities (RFC 4360).
struct LargeCommunities : ItemsOrSets<LargeCommunityPattern> {
  ListOp op = ListOp::add;
  bool operator==(const LargeCommunities&) const = default;
};  ///< Large communities (RFC 8092).
/// NextHopChoice::address writes `address` at once; the others are orders to the speaker (LocalAttributes).
struct SetNextHop {
  NextHopChoice choice = NextHopChoice::self;
  IpAddress address;
  bool operator==(const SetNextHop&) const = default;
};
struct FibMetric {
  std::uint32_t metric = 0;
  bool operator==(const FibMetric&) const = default;
};  ///< The kernel route's metric.
struct FibTable {
  std::uint32_t table = 0;
  bool operator==(const FibTable&) const = default;
};  ///< The kernel's table.
struct FibPrefsrc {
  IpAddress address;
  bool operator==(const FibPrefsrc&) const = default;
};  ///< The kernel route's preferred source.
struct EcmpWeight {
  std::uint16_t weight = 1;  ///< 1..256, what the kernel takes.
  bool operator==(const EcmpWeight&) const = default;
};  ///< The share of traffic among equal paths.

}  // namespace edit
/// An edit of a term.
struct PolicyEdit {
  using Action =
      std::variant<edit::LocalPref, edit::Med, edit::Weight, edit::SetOrigin, edit::Prepend, edit::StripPrivate,
                   edit::ReplaceAsn, edit::Communities, edit::ExtendedCommunities, edit::LargeCommunities,
                   edit::SetNextHop, edit::FibMetric, edit::FibTable, edit::FibPrefsrc, edit::EcmpWeight>;
  Action action;
  SourceMark mark;
  bool operator==(const PolicyEdit&) const = default;
};

// --- Terms, policies, libraries ------------------------------------------------------------------------------------
/// What a term that fired decides.
enum class TermVerdict : std::uint8_t {
  next,  ///< Go on with the next term, edits kept.
  accept,
  reject,
  return_,  ///< Leave this policy; the one that called it goes on. Not called by any: rejected, as at the end.
};
/// Conditions, edits, and a verdict.
struct PolicyTerm {
  std::string name;                  ///< For traces and reports; compile() fills "term 3" in.
  std::vector<PolicyMatch> matches;  ///< All must hold; none: always.
  std::vector<PolicyEdit> edits;     ///< In order.
  std::optional<NameRef> call;       ///< After the edits: the named policy's terms as if they stood here.
  TermVerdict verdict = TermVerdict::next;
  SourceMark mark;
  bool operator==(const PolicyTerm&) const = default;
};
/// Terms in order, under a name.
struct PolicyDefinition {
  std::string name;
  std::vector<PolicyTerm> terms;
  SourceMark mark;
  bool operator==(const PolicyDefinition&) const = default;
};
/// Reusable items under a name.
template <typename Item>
struct NamedSet {
  std::string name;
  std::vector<Item> items;
  SourceMark mark;
  bool operator==(const NamedSet&) const = default;
};

/// Everything that may refer to each other by name. Names are unique among policies and within each kind of set.
struct PolicyLibrary {
  std::vector<NamedSet<PrefixRange>> prefix_sets;
  std::vector<NamedSet<AsnRange>> asn_sets;
  std::vector<NamedSet<CommunityPattern>> community_sets;
  std::vector<NamedSet<ExtendedCommunityPattern>> extended_community_sets;
  std::vector<NamedSet<LargeCommunityPattern>> large_community_sets;
  std::vector<NamedSet<AddressRange>> next_hop_sets;
  std::vector<PolicyDefinition> policies;
  bool operator==(const PolicyLibrary&) const = default;
};

/// A mistake of the operator's: what, where, and what to do about it.
struct PolicyError {
  SourceMark mark;
  std::string policy;  ///< Empty for sets.
  std::string term;    ///< Empty where no term is meant.
  std::string text;
  std::string hint;  ///< May be empty.
};

// --- Text ----------------------------------------------------------------------------------------------------------
// One syntax everywhere: in files, in traces, in diffs. Parsing is strict; the whole text must be the item.

/// "10.0.0.0/8", "10.0.0.0/8 le 24", "10.0.0.0/8 ge 16 le 24", "10.0.0.0/8 longer" (ge length+1), "10.0.0.0/8
/// orlonger". Lengths are not compared here: ge above le is compile()'s to report.
[[nodiscard]] std::optional<PrefixRange> parse_prefix_range(std::string_view text);
/// "65001", "AS65001", "64512..65534".
[[nodiscard]] std::optional<AsnRange> parse_asn_range(std::string_view text);
/// "65001:100", "65001:*", "*:100", or a well-known name.
[[nodiscard]] std::optional<CommunityPattern> parse_community_pattern(std::string_view text);
/// "rt:65001:100", "rt:65001:*", "rt:*", "ro:...", "lb:65001:*", "0x0002fde900000064".
[[nodiscard]] std::optional<ExtendedCommunityPattern> parse_extended_community_pattern(std::string_view text);
/// "65001:1:*", each part a number or *.
[[nodiscard]] std::optional<LargeCommunityPattern> parse_large_community_pattern(std::string_view text);
/// "192.0.2.1" or "192.0.2.0/24".
[[nodiscard]] std::optional<AddressRange> parse_address_range(std::string_view text);
/// "100" or "50..100", or with one end open "50..", "..100".
[[nodiscard]] std::optional<NumberRange> parse_number_range(std::string_view text);

[[nodiscard]] std::string to_text(const PrefixRange& range);                 ///< As written in a policy.
[[nodiscard]] std::string to_text(const AsnRange& range);                    ///< As written in a policy.
[[nodiscard]] std::string to_text(const CommunityPattern& pattern);          ///< As written in a policy.
[[nodiscard]] std::string to_text(const ExtendedCommunityPattern& pattern);  ///< As written in a policy.
[[nodiscard]] std::string to_text(const LargeCommunityPattern& pattern);     ///< As written in a policy.
[[nodiscard]] std::string to_text(const AddressRange& range);                ///< As written in a policy.
[[nodiscard]] std::string to_text(const NumberRange& range);                 ///< As written in a policy.
[[nodiscard]] std::string to_text(const PolicyMatch& match);   ///< "prefix 192.168.0.0/16 le 24"; long lists are cut.
[[nodiscard]] std::string to_text(const PolicyEdit& edit);     ///< "local_pref 200".
[[nodiscard]] std::string_view to_text(TermVerdict verdict);   ///< The language's word.
[[nodiscard]] std::string_view to_text(RpkiState state);       ///< The language's word.
[[nodiscard]] std::string_view to_text(PeerType type);         ///< The language's word.
[[nodiscard]] std::string_view to_text(NextHopChoice choice);  ///< The language's word.

}  // namespace minibgp
