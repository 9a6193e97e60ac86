/// Conditions in the form that is evaluated: a kind and two numbers, the numbers being values or indexes into tables
/// that a program shares. One switch decides; nothing is allocated, and the walk over prefixes is done at most once per
/// index and route.
#pragma once

#include <bgp/path.h>
#include <bgp/policy.h>
#include <bgp/policy/as_path_regex.h>
#include <bgp/policy/prefix_set.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace minibgp::policy {

struct Condition {
  /// In ascending order of cost; terms evaluate their conditions in this order.
  enum class Kind : std::uint8_t {
    never,
    peer_type,            ///< x: PeerType.
    own_prefix,           ///< x: 0 or 1.
    covers_ike_endpoint,  ///< x: 0 or 1.
    rpki,                 ///< x: RpkiState.
    family,               ///< x: Family.
    origin,               ///< x: Origin.
    med,                  ///< x..y; flag: wanted present.
    local_pref,           ///< x..y; flag: wanted present.
    path_length,          ///< x..y.
    neighbor_as,          ///< x: ASN table.
    origin_as,            ///< x: ASN table.
    path_starts,          ///< x..y: sequence of ASNs.
    path_ends,            ///< x..y: sequence of ASNs.
    prefix,               ///< x: prefix index, y: list.
    next_hop,             ///< x: prefix index, y: list.
    peer,                 ///< x..y: names.
    tunnel,               ///< x..y: names.
    path_contains,        ///< x: ASN table.
    community,            ///< x: table; flag: all.
    extended_community,   ///< x: table; flag: all.
    large_community,      ///< x: table; flag: all.
    path_regex,           ///< x..y: expressions.
    none_of,              ///< x..y: conditions, not all of which hold.
    any_of,               ///< x..y: lists of conditions, one of which holds as a whole.
    policy,               ///< x: entry of a program that accepts.
  };
  Kind kind = Kind::never;
  bool flag = false;
  std::uint16_t written = 0;  ///< Place among the term's conditions as written.
  std::uint32_t x = 0, y = 0;
};

/// ASNs sorted and disjoint.
struct AsnTable {
  std::vector<AsnRange> ranges;
  [[nodiscard]] bool has(Asn asn) const {
    constexpr std::size_t kFew = 8;  // One by one is faster then.
    if (ranges.size() <= kFew)
      return std::any_of(ranges.begin(), ranges.end(), [asn](const AsnRange& range) { return range.matches(asn); });
    const auto after = std::upper_bound(ranges.begin(), ranges.end(), asn,
                                        [](Asn value, const AsnRange& range) { return value < range.first; });
    return after != ranges.begin() && std::prev(after)->matches(asn);
  }
};

/// Exact patterns sorted, for binary search; those with wildcards one by one.
template <typename Pattern, typename Value>
struct PatternTable {
  std::vector<Value> exact;
  std::vector<Pattern> wild;
  [[nodiscard]] bool any(const std::vector<Value>& values) const;
  [[nodiscard]] bool all(const std::vector<Value>& values) const;
};

/// What conditions point into. Immutable once compiled.
struct Tables {
  std::vector<Condition> conditions;                           ///< Of terms, and nested ones.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> lists;  ///< Ranges of `conditions`.
  std::vector<std::shared_ptr<const PrefixIndex>> indexes;     ///< Shared with other policies where large.
  std::vector<AsnTable> asn_tables;
  std::vector<Asn> sequences;
  std::vector<std::string> names;
  std::vector<AsPathRegex> regexes;
  std::vector<PatternTable<CommunityPattern, Community>> communities;
  std::vector<PatternTable<ExtendedCommunityPattern, ExtendedCommunity>> extended_communities;
  std::vector<PatternTable<LargeCommunityPattern, LargeCommunity>> large_communities;
};

/// A route being judged, and what its walks have found so far.
class Subject {
 public:
  Subject(const PathAttributes& route_attributes, const PolicyContext& route_context)
      : attributes(route_attributes), context(route_context) {}
  const PathAttributes& attributes;
  const PolicyContext& context;

  /// Of `index` for the route's prefix or its next hop; walked once while the number of indexes is as usual.
  [[nodiscard]] PrefixIndex::Row row(const PrefixIndex& index, std::uint32_t number, const Prefix& prefix) {
    if (number >= kRemembered) return index.find(prefix);
    if ((known_ >> number & 1U) == 0) {
      rows_[number] = index.find(prefix);
      known_ |= 1U << number;
    }
    return rows_[number];
  }

 private:
  static constexpr std::uint32_t kRemembered = 16;
  std::uint32_t known_ = 0;
  std::array<PrefixIndex::Row, kRemembered> rows_;  // Meaningful where known_ says so.
};

/// Asks whether a policy of the same program accepts the subject: Program's, for Kind::policy.
class PolicyAnswer {
 public:
  virtual bool accepts(std::uint32_t entry, Subject& subject) const = 0;

 protected:
  ~PolicyAnswer() = default;
};

/// All of conditions begin..end.
[[nodiscard]] bool all_hold(std::uint32_t begin, std::uint32_t end, const Tables& tables, const PolicyAnswer& policies,
                            Subject& subject);
/// Kind::prefix.
[[nodiscard]] inline bool prefix_holds(const Condition& condition, const Tables& tables, Subject& subject) {
  const PrefixIndex& index = *tables.indexes[condition.x];
  const Prefix& prefix = subject.context.prefix;
  return index.matches(subject.row(index, condition.x, prefix), condition.y, prefix);
}
/// The kinds that look at more than a number.
[[nodiscard]] bool holds_at_length(const Condition& condition, const Tables& tables, const PolicyAnswer& policies,
                                   Subject& subject);

[[nodiscard]] inline bool in_range(const std::optional<std::uint32_t>& value, const Condition& condition) {
  if (!value) return !condition.flag;
  return condition.flag && *value >= condition.x && *value <= condition.y;
}

/// Most routes fail most conditions at one comparison: those are made without a call.
[[nodiscard, gnu::always_inline]] inline bool holds(const Condition& condition, const Tables& tables,
                                                    const PolicyAnswer& policies, Subject& subject) {
  using Kind = Condition::Kind;
  const PathAttributes& attributes = subject.attributes;
  const PolicyContext& context = subject.context;
  const std::uint32_t x = condition.x;
  switch (condition.kind) {
    case Kind::never:
      return false;
    case Kind::peer_type:
      return x == static_cast<std::uint32_t>(context.peer_type);
    case Kind::own_prefix:
      return (x != 0) == context.own_prefix;
    case Kind::covers_ike_endpoint:
      return (x != 0) == context.covers_ike_endpoint;
    case Kind::rpki:
      return x == static_cast<std::uint32_t>(context.rpki);
    case Kind::family:
      return x == static_cast<std::uint32_t>(context.prefix.family);
    case Kind::origin:
      return x == static_cast<std::uint32_t>(attributes.origin);
    case Kind::med:
      return in_range(attributes.med, condition);
    case Kind::local_pref:
      return in_range(attributes.local_pref, condition);
    case Kind::path_length: {
      const std::uint32_t hops = attributes.as_path.length();
      return hops >= x && hops <= condition.y;
    }
    case Kind::neighbor_as: {
      const auto asn = attributes.as_path.first();
      return asn && tables.asn_tables[x].has(*asn);
    }
    case Kind::origin_as: {
      const auto asn = attributes.as_path.origin();
      return asn && tables.asn_tables[x].has(*asn);
    }
    case Kind::prefix:
      return prefix_holds(condition, tables, subject);
    default:
      return holds_at_length(condition, tables, policies, subject);
  }
}

}  // namespace minibgp::policy
