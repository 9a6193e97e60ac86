/// Conditions in the form that is evaluated: a kind and two numbers, the numbers being values or indexes into tables
/// that a program shares. One switch decides; nothing is allocated, and the walk over prefixes is done at most once per
/// index and route.
#pragma once

#include <bgp/path.h>
#include <bgp/policy.h>
#include <bgp/policy/as_path_regex.h>
#include <bgp/policy/prefix_set.h>

#include <array>
#include <cstdint>
#include <memory>
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
  [[nodiscard]] bool has(Asn asn) const;
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

[[nodiscard]] bool holds(const Condition& condition, const Tables& tables, const PolicyAnswer& policies,
                         Subject& subject);

}  // namespace minibgp::policy
