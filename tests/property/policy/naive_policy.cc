#include <bgp/text.h>
#include <tests/property/policy/naive_policy.h>

#include <algorithm>
#include <regex>
#include <set>

namespace minibgp::testing {
namespace {

template <typename... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <typename... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

using Number = std::uint32_t;

class Naive {
 public:
  Naive(const PolicyLibrary& library, const PathAttributes& in, const PolicyContext& context)
      : library_(library), in_(in), context_(context), out_(in) {}

  enum class End { accepted, rejected, open };

  End policy(const std::string& name, bool with_edits) {
    for (const PolicyDefinition& definition : library_.policies) {
      if (definition.name != name) continue;
      for (std::size_t i = 0; i < definition.terms.size(); ++i) {
        const PolicyTerm& term = definition.terms[i];
        if (!all(term.matches)) continue;
        if (with_edits)
          for (const PolicyEdit& edit : term.edits) carry_out(edit);
        if (term.call)
          if (const End end = policy(term.call->name, with_edits); end != End::open) return end;
        const std::string this_name = term.name.empty() ? "term " + std::to_string(i + 1) : term.name;
        if (term.verdict == TermVerdict::accept) return decided_by = this_name, End::accepted;
        if (term.verdict == TermVerdict::reject) return decided_by = this_name, End::rejected;
        if (term.verdict == TermVerdict::return_) return End::open;
      }
    }
    return End::open;
  }

  PathAttributes take() { return std::move(out_); }
  std::string decided_by = "default";

 private:
  bool all(const std::vector<PolicyMatch>& matches) {
    for (const PolicyMatch& match : matches)
      if (!holds(match)) return false;
    return true;
  }

  template <typename Item>
  static std::vector<Item> joined(const ItemsOrSets<Item>& list, const std::vector<NamedSet<Item>>& sets) {
    std::vector<Item> items = list.items;
    for (const NameRef& reference : list.sets)
      for (const NamedSet<Item>& set : sets)
        if (set.name == reference.name) items.insert(items.end(), set.items.begin(), set.items.end());
    return items;
  }

  static bool covered(const Prefix& inner, const PrefixRange& range) {
    if (inner.family != range.prefix.family) return false;
    if (inner.length_bits < range.ge || inner.length_bits > range.le) return false;
    for (unsigned bit = 0; bit < range.prefix.length_bits; ++bit) {
      const unsigned mask = 0x80U >> (bit % 8);
      if ((inner.octets[bit / 8] & mask) != (range.prefix.octets[bit / 8] & mask)) return false;
    }
    return inner.length_bits >= range.prefix.length_bits;
  }

  static bool listed(Asn asn, const std::vector<AsnRange>& ranges) {
    for (const AsnRange& range : ranges)
      if (static_cast<Number>(asn) >= static_cast<Number>(range.first) &&
          static_cast<Number>(asn) <= static_cast<Number>(range.last))
        return true;
    return false;
  }

  template <typename Match, typename Items, typename Values>
  static bool communities(const Match& match, const Items& patterns, const Values& values) {
    std::size_t found = 0;
    for (const auto& pattern : patterns)
      for (const auto& value : values)
        if (pattern.matches(value)) {
          ++found;
          break;
        }
    return match.quantifier == Quantifier::all ? found == patterns.size() && found > 0 : found > 0;
  }

  static bool number(const std::optional<NumberRange>& range, const std::optional<Number>& value) {
    if (!range) return !value;
    return value && *value >= range->min && *value <= range->max;
  }

  std::string path_text() const {
    std::string text;
    std::size_t at = 0;
    for (const AsPath::Segment& segment : in_.as_path.segments) {
      if (!text.empty()) text += " ";
      std::vector<Number> members;
      for (std::size_t i = 0; i < segment.count; ++i) members.push_back(static_cast<Number>(in_.as_path.asns[at + i]));
      at += segment.count;
      const bool set = segment.type == AsPath::SegmentType::set;
      if (set) {
        const std::set<Number> sorted(members.begin(), members.end());
        members.assign(sorted.begin(), sorted.end());
      }
      std::string inside;
      for (const Number member : members) inside += (inside.empty() ? "" : set ? "," : " ") + std::to_string(member);
      text += set ? "{" + inside + "}" : inside;
    }
    return text;
  }

  static bool regex(const std::string& expression, const std::string& text) {
    std::string posix;
    for (const char c : expression) {
      if (c == '_') {
        posix += "(^|[,{}() ]|$)";
      } else {
        posix += c;
      }
    }
    return std::regex_search(text, std::regex(posix, std::regex::extended));
  }

  bool holds(const PolicyMatch& match) {
    const AsPath& path = in_.as_path;
    return std::visit(
        Overloaded{
            [&](const match::PrefixIn& m) {
              for (const PrefixRange& range : joined(m, library_.prefix_sets))
                if (covered(context_.prefix, range)) return true;
              return false;
            },
            [&](const match::FamilyIs& m) { return context_.prefix.family == m.family; },
            [&](const match::AsPathRegex& m) {
              for (const std::string& expression : m.any)
                if (regex(expression, path_text())) return true;
              return false;
            },
            [&](const match::AsPathContains& m) {
              for (const Asn asn : path.asns)
                if (listed(asn, joined(m, library_.asn_sets))) return true;
              return false;
            },
            [&](const match::AsPathStarts& m) {
              if (path.segments.empty() || path.segments[0].type == AsPath::SegmentType::set) return false;
              if (m.sequence.size() > path.segments[0].count) return false;
              for (std::size_t i = 0; i < m.sequence.size(); ++i)
                if (path.asns[i] != m.sequence[i]) return false;
              return true;
            },
            [&](const match::AsPathEnds& m) {
              if (path.segments.empty() || path.segments.back().type == AsPath::SegmentType::set) return false;
              if (m.sequence.size() > path.segments.back().count) return false;
              for (std::size_t i = 1; i <= m.sequence.size(); ++i)
                if (path.asns[path.asns.size() - i] != m.sequence[m.sequence.size() - i]) return false;
              return true;
            },
            [&](const match::AsPathLength& m) {
              Number hops = 0;
              for (const AsPath::Segment& segment : path.segments)
                hops += segment.type == AsPath::SegmentType::set ? 1U : segment.count;
              return hops >= m.hops.min && hops <= m.hops.max;
            },
            [&](const match::NeighborAs& m) {
              return !path.segments.empty() && path.segments[0].type == AsPath::SegmentType::sequence &&
                     listed(path.asns[0], joined(m, library_.asn_sets));
            },
            [&](const match::OriginAs& m) {
              return !path.segments.empty() && path.segments.back().type == AsPath::SegmentType::sequence &&
                     listed(path.asns.back(), joined(m, library_.asn_sets));
            },
            [&](const match::CommunityIn& m) {
              return communities(m, joined(m, library_.community_sets), in_.communities);
            },
            [&](const match::ExtendedCommunityIn& m) {
              return communities(m, joined(m, library_.extended_community_sets), in_.extended_communities);
            },
            [&](const match::LargeCommunityIn& m) {
              return communities(m, joined(m, library_.large_community_sets), in_.large_communities);
            },
            [&](const match::MedIs& m) { return number(m.range, in_.med); },
            [&](const match::LocalPrefIs& m) { return number(m.range, in_.local_pref); },
            [&](const match::OriginIs& m) { return in_.origin == m.origin; },
            [&](const match::NextHopIn& m) {
              const IpAddress& hop = in_.next_hop.address;
              for (const AddressRange& range : joined(m, library_.next_hop_sets))
                if (covered(Prefix::of(hop, address_bits(hop.family)),
                            {range.prefix, range.prefix.length_bits, address_bits(range.prefix.family), {}}))
                  return true;
              return false;
            },
            [&](const match::PeerIs& m) { return std::count(m.any.begin(), m.any.end(), context_.peer) > 0; },
            [&](const match::TunnelIs& m) { return std::count(m.any.begin(), m.any.end(), context_.tunnel) > 0; },
            [&](const match::PeerTypeIs& m) { return context_.peer_type == m.type; },
            [&](const match::OwnPrefix& m) { return context_.own_prefix == m.wanted; },
            [&](const match::CoversIkeEndpoint& m) { return context_.covers_ike_endpoint == m.wanted; },
            [&](const match::RpkiIs& m) { return context_.rpki == m.state; },
            [&](const match::PolicyAccepts& m) {
              Naive other(library_, in_, context_);
              return other.policy(m.policy.name, false) == End::accepted;
            },
            [&](const match::Not& m) { return !all(m.all); },
            [&](const match::AnyOf& m) {
              for (const auto& list : m.any)
                if (all(list)) return true;
              return false;
            },
        },
        match.condition);
  }

  static Number changed(Number old, const NumberChange& change) {
    const auto wide = static_cast<std::int64_t>(old);
    const auto by = static_cast<std::int64_t>(change.value);
    const std::int64_t result = change.op == NumberChange::Op::set   ? by
                                : change.op == NumberChange::Op::add ? wide + by
                                                                     : wide - by;
    return static_cast<Number>(std::clamp<std::int64_t>(result, 0, 0xFFFFFFFFLL));
  }

  std::optional<Asn> chosen(const AsnChoice& choice) const {
    if (choice.which == AsnChoice::Which::own) return context_.local_as;
    if (choice.which == AsnChoice::Which::given) return choice.asn;
    const auto& segments = out_.as_path.segments;
    if (segments.empty() || segments[0].type == AsPath::SegmentType::set) return std::nullopt;
    return out_.as_path.asns[0];
  }

  static bool is_private(Asn asn) {
    const auto n = static_cast<Number>(asn);
    return (n > 64511 && n < 65535) || (n > 4199999999U && n < 4294967295U);
  }

  /// Keeps or drops single ASNs by rebuilding the path hop by hop.
  void strip_private() {
    AsPath stripped;
    std::size_t at = 0;
    for (const AsPath::Segment& segment : out_.as_path.segments) {
      std::vector<Asn> kept;
      for (std::size_t i = 0; i < segment.count; ++i)
        if (!is_private(out_.as_path.asns[at + i])) kept.push_back(out_.as_path.asns[at + i]);
      at += segment.count;
      if (segment.type == AsPath::SegmentType::sequence) {
        for (const Asn asn : kept) stripped.append_sequence(asn);
      } else if (!kept.empty()) {
        stripped.segments.push_back({AsPath::SegmentType::set, static_cast<std::uint16_t>(kept.size())});
        stripped.asns.insert(stripped.asns.end(), kept.begin(), kept.end());
      }
    }
    out_.as_path = stripped;
  }

  static Community value_of(const CommunityPattern& p) { return Community{p.value}; }
  static ExtendedCommunity value_of(const ExtendedCommunityPattern& p) { return ExtendedCommunity{p.value}; }
  static LargeCommunity value_of(const LargeCommunityPattern& p) { return p.value; }

  template <typename Edit, typename Items, typename Value>
  static void edit_list(const Edit& edit, const Items& items, std::vector<Value>& values) {
    std::set<Value> all(values.begin(), values.end());
    if (edit.op == edit::ListOp::set) all.clear();
    for (const auto& pattern : items) {
      if (edit.op != edit::ListOp::remove) all.insert(value_of(pattern));
      for (const Value& value : values)
        if (edit.op == edit::ListOp::remove && pattern.matches(value)) all.erase(value);
    }
    values.assign(all.begin(), all.end());
  }

  void carry_out(const PolicyEdit& edit) {
    std::visit(
        Overloaded{
            [&](const edit::LocalPref& e) { out_.local_pref = changed(out_.local_pref.value_or(100), e.change); },
            [&](const edit::Med& e) {
              out_.med = e.change ? std::optional{changed(out_.med.value_or(0), *e.change)} : std::nullopt;
            },
            [&](const edit::Weight& e) { out_.local.weight = changed(out_.local.weight, e.change); },
            [&](const edit::SetOrigin& e) { out_.origin = e.origin; },
            [&](const edit::Prepend& e) {
              const auto asn = chosen(e.asn);
              for (Number i = 0; asn && i < e.times; ++i) out_.as_path.prepend(*asn);
            },
            [&](const edit::StripPrivate&) { strip_private(); },
            [&](const edit::ReplaceAsn& e) {
              const auto with = chosen(e.with);
              if (!with) return;
              for (Asn& asn : out_.as_path.asns)
                if (e.what == edit::ReplaceAsn::What::any ||
                    (e.what == edit::ReplaceAsn::What::private_asns && is_private(asn)) ||
                    (e.what == edit::ReplaceAsn::What::given && asn == e.asn))
                  asn = *with;
            },
            [&](const edit::Communities& e) { edit_list(e, joined(e, library_.community_sets), out_.communities); },
            [&](const edit::ExtendedCommunities& e) {
              edit_list(e, joined(e, library_.extended_community_sets), out_.extended_communities);
            },
            [&](const edit::LargeCommunities& e) {
              edit_list(e, joined(e, library_.large_community_sets), out_.large_communities);
            },
            [&](const edit::SetNextHop& e) {
              out_.local.next_hop = e.choice;
              if (e.choice == NextHopChoice::address) out_.next_hop = NextHop{e.address, {}};
            },
            [&](const edit::FibMetric& e) { out_.local.fib_metric = e.metric; },
            [&](const edit::FibTable& e) { out_.local.fib_table = e.table; },
            [&](const edit::FibPrefsrc& e) { out_.local.fib_prefsrc = e.address; },
            [&](const edit::EcmpWeight& e) { out_.local.ecmp_weight = e.weight; },
        },
        edit.action);
  }

  const PolicyLibrary& library_;
  const PathAttributes& in_;
  const PolicyContext& context_;
  PathAttributes out_;
};

}  // namespace

NaiveAnswer naive_evaluate(const PolicyLibrary& library, const std::string& policy, const PathAttributes& attributes,
                           const PolicyContext& context) {
  Naive naive(library, attributes, context);
  const bool accepted = naive.policy(policy, true) == Naive::End::accepted;
  return {accepted, accepted ? naive.take() : attributes, naive.decided_by};
}

}  // namespace minibgp::testing
