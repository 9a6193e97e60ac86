#include <bgp/policy/match.h>

#include <algorithm>

namespace minibgp::policy {
namespace {

bool starts(const AsPath& path, const Tables& tables, const Condition& condition) {
  const std::size_t wanted = condition.y - condition.x;
  // A set has no order, so a sequence cannot begin in one.
  if (path.segments.empty() || path.segments.front().type != AsPath::SegmentType::sequence) return false;
  if (path.segments.front().count < wanted) return false;
  return std::equal(tables.sequences.begin() + condition.x, tables.sequences.begin() + condition.y, path.asns.begin());
}

bool ends(const AsPath& path, const Tables& tables, const Condition& condition) {
  const std::size_t wanted = condition.y - condition.x;
  if (path.segments.empty() || path.segments.back().type != AsPath::SegmentType::sequence) return false;
  if (path.segments.back().count < wanted) return false;
  return std::equal(tables.sequences.begin() + condition.x, tables.sequences.begin() + condition.y,
                    path.asns.end() - static_cast<std::ptrdiff_t>(wanted));
}

bool named(const Tables& tables, const Condition& condition, std::string_view name) {
  for (std::uint32_t i = condition.x; i < condition.y; ++i)
    if (tables.names[i] == name) return true;
  return false;
}

}  // namespace

bool all_hold(std::uint32_t begin, std::uint32_t end, const Tables& tables, const PolicyAnswer& policies,
              Subject& subject) {
  for (std::uint32_t i = begin; i < end; ++i)
    if (!holds(tables.conditions[i], tables, policies, subject)) return false;
  return true;
}

template <typename Pattern, typename Value>
bool PatternTable<Pattern, Value>::any(const std::vector<Value>& values) const {
  for (const Value& value : values) {
    // O(log n) for each community of the route, and one comparison for each pattern.
    if (!exact.empty() && std::binary_search(exact.begin(), exact.end(), value)) return true;
    for (const Pattern& pattern : wild)
      if (pattern.matches(value)) return true;
  }
  return false;
}

template <typename Pattern, typename Value>
bool PatternTable<Pattern, Value>::all(const std::vector<Value>& values) const {
  // Both sorted and unique.
  // All values of the table must be among those of the route.
  if (!std::includes(values.begin(), values.end(), exact.begin(), exact.end())) return false;
  return std::all_of(wild.begin(), wild.end(), [&](const Pattern& pattern) {
    return std::any_of(values.begin(), values.end(), [&](const Value& value) { return pattern.matches(value); });
  });
}

template struct PatternTable<CommunityPattern, Community>;
template struct PatternTable<ExtendedCommunityPattern, ExtendedCommunity>;
template struct PatternTable<LargeCommunityPattern, LargeCommunity>;

bool holds_at_length(const Condition& condition, const Tables& tables, const PolicyAnswer& policies, Subject& subject) {
  using Kind = Condition::Kind;
  const PathAttributes& attributes = subject.attributes;
  const PolicyContext& context = subject.context;
  const std::uint32_t x = condition.x;
  switch (condition.kind) {
    case Kind::path_starts:
      return starts(attributes.as_path, tables, condition);
    case Kind::path_ends:
      return ends(attributes.as_path, tables, condition);
    case Kind::next_hop: {
      // The index of next hops is asked with the prefix of a host.
      const IpAddress& address = attributes.next_hop.address;
      const Prefix host = Prefix::of(address, address_bits(address.family));
      const PrefixIndex& index = *tables.indexes[x];
      return index.matches(subject.row(index, x, host), condition.y, host);
    }
    case Kind::peer:
      return named(tables, condition, context.peer) ||
             (!context.peer_address.empty() && named(tables, condition, context.peer_address));
    case Kind::tunnel:
      return named(tables, condition, context.tunnel);
    case Kind::path_contains: {
      const AsnTable& table = tables.asn_tables[x];
      const std::vector<Asn>& asns = attributes.as_path.asns;
      return std::any_of(asns.begin(), asns.end(), [&](Asn asn) { return table.has(asn); });
    }
    case Kind::community: {
      const auto& table = tables.communities[x];
      return condition.flag ? table.all(attributes.communities) : table.any(attributes.communities);
    }
    case Kind::extended_community: {
      const auto& table = tables.extended_communities[x];
      return condition.flag ? table.all(attributes.extended_communities) : table.any(attributes.extended_communities);
    }
    case Kind::large_community: {
      const auto& table = tables.large_communities[x];
      return condition.flag ? table.all(attributes.large_communities) : table.any(attributes.large_communities);
    }
    case Kind::path_regex:
      for (std::uint32_t i = x; i < condition.y; ++i)
        if (tables.regexes[i].matches(attributes.as_path)) return true;
      return false;
    case Kind::none_of:
      return !all_hold(x, condition.y, tables, policies, subject);
    case Kind::any_of:
      for (std::uint32_t i = x; i < condition.y; ++i)
        if (all_hold(tables.lists[i].first, tables.lists[i].second, tables, policies, subject)) return true;
      return false;
    case Kind::policy:
      return policies.accepts(x, subject);
    default:
      return false;  // holds() has answered.
  }
}

}  // namespace minibgp::policy
