#include <tests/property/policy/random_policy.h>

#include <algorithm>
#include <iterator>

namespace minibgp::testing {
namespace {

class Generator {
 public:
  explicit Generator(std::mt19937& random) : random_(random) {}

  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_() % bound); }
  bool chance(std::uint32_t percent) { return below(100) < percent; }
  template <typename Value, std::size_t N>
  Value one_of(const Value (&values)[N]) {
    return values[below(N)];
  }

  Prefix prefix() {
    if (chance(75)) return Prefix::of(IpAddress::v4(0x0A000000U + (below(4) << 16U) + (below(4) << 8U)), v4_length());
    std::array<std::uint8_t, 16> octets{0x20, 0x01, 0x0D, 0xB8};
    octets[5] = static_cast<std::uint8_t>(below(3));
    octets[9] = static_cast<std::uint8_t>(below(3));
    return Prefix::of(IpAddress::v6(octets), one_of<std::uint8_t>({0, 32, 48, 64, 80, 128}));
  }
  std::uint8_t v4_length() { return one_of<std::uint8_t>({0, 7, 8, 15, 16, 23, 24, 25, 32}); }

  PrefixRange range() {
    PrefixRange one = PrefixRange::exactly(prefix());
    const std::uint8_t bits = address_bits(one.prefix.family);
    if (chance(60)) one.le = static_cast<std::uint8_t>(one.ge + below(bits - one.ge + 1U));
    if (chance(40)) one.ge = static_cast<std::uint8_t>(one.ge + below(one.le - one.ge + 1U));
    return one;
  }
  Asn asn() {
    return one_of<Asn>({Asn{1}, Asn{2}, Asn{3}, Asn{12}, Asn{64512}, Asn{65534}, Asn{65535}, Asn{4200000000U}});
  }
  AsnRange asn_range() {
    const Asn a = asn();
    const Asn b = chance(70) ? a : asn();
    return {std::min(a, b), std::max(a, b), {}};
  }
  CommunityPattern community(bool wild) {
    CommunityPattern pattern{(1 + below(3)) << 16U | (1 + below(3)), 0xFFFFFFFFU, {}};
    if (wild && chance(30)) pattern.mask = one_of({0xFFFF0000U, 0x0000FFFFU, 0U});
    pattern.value &= pattern.mask;
    return pattern;
  }
  ExtendedCommunityPattern extended(bool wild) {
    ExtendedCommunityPattern pattern{
        0x0002000000000000U + (std::uint64_t{below(2)} << 48U) + (1ULL << 32U) + below(3), ~std::uint64_t{0}, {}};
    if (wild && chance(30)) pattern.mask = one_of<std::uint64_t>({0xFFFFFFFF00000000U, 0xFFFF000000000000U});
    pattern.value &= pattern.mask;
    return pattern;
  }
  LargeCommunityPattern large(bool wild) {
    LargeCommunityPattern pattern{{1, below(2), below(2)}, {0xFFFFFFFFU, 0xFFFFFFFFU, 0xFFFFFFFFU}, {}};
    if (wild && chance(30)) pattern.mask.local1 = pattern.value.local1 = 0;
    if (wild && chance(30)) pattern.mask.local2 = pattern.value.local2 = 0;
    return pattern;
  }
  IpAddress address() {
    return chance(80)
               ? IpAddress::v4(0xC0000200U + below(4))
               : IpAddress::v6({0x20, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(below(2))});
  }
  AddressRange address_range() {
    const IpAddress one = address();
    return {Prefix::of(one, chance(60) ? address_bits(one.family) : one_of<std::uint8_t>({24, 31})), {}};
  }
  NumberRange numbers() {
    const std::uint32_t low = below(4);
    return {low, low + below(3)};
  }

  template <typename List, typename Make>
  List list(Make make, const char* set) {
    List result;
    const bool use_set = chance(30);
    const std::uint32_t count = use_set ? below(2) : 1 + below(3);
    for (std::uint32_t i = 0; i < count; ++i) result.items.push_back(make());
    if (use_set) result.sets.push_back({set, {}});
    return result;
  }
  template <typename List, typename Make>
  List quantified(Make make, const char* set) {
    List result = list<List>(make, set);
    if (chance(30)) result.quantifier = Quantifier::all;
    return result;
  }

  PolicyMatch match(std::uint32_t policy, std::uint32_t depth) { return {condition(policy, depth), {}}; }
  std::vector<PolicyMatch> matches(std::uint32_t policy, std::uint32_t depth, std::uint32_t least) {
    std::vector<PolicyMatch> all(least + below(3));
    for (PolicyMatch& one : all) one = match(policy, depth);
    return all;
  }

  PolicyMatch::Condition condition(std::uint32_t policy, std::uint32_t depth) {
    switch (below(depth < 2 ? 25 : 22)) {
      case 0:
      case 1:
      case 2:
        return list<match::PrefixIn>([&] { return range(); }, "s");
      case 3:
        return match::FamilyIs{chance(70) ? Family::ipv4 : Family::ipv6};
      case 4: {
        static const char* const kExpressions[] = {"_1_",      "^1_",      "_2$",           "^$",     "^[0-9]+$",
                                                   "_(1|12)_", "^(1_)*2",  "[,{]2",         "\\{1,2", "_1_.*_2_",
                                                   "^.{3,8}$", "^[^ ]+ 2", "_6451[0-9]+_3", "(_1)+$", "1+2?"};
        match::AsPathRegex m;
        for (std::uint32_t i = 0; i <= below(2); ++i) m.any.emplace_back(one_of(kExpressions));
        return m;
      }
      case 5:
        return list<match::AsPathContains>([&] { return asn_range(); }, "s");
      case 6:
        return match::AsPathStarts{asns()};
      case 7:
        return match::AsPathEnds{asns()};
      case 8:
        return match::AsPathLength{numbers()};
      case 9:
        return list<match::NeighborAs>([&] { return asn_range(); }, "s");
      case 10:
        return list<match::OriginAs>([&] { return asn_range(); }, "s");
      case 11:
        return quantified<match::CommunityIn>([&] { return community(true); }, "s");
      case 12:
        return quantified<match::ExtendedCommunityIn>([&] { return extended(true); }, "s");
      case 13:
        return quantified<match::LargeCommunityIn>([&] { return large(true); }, "s");
      case 14:
        return match::MedIs{chance(30) ? std::nullopt : std::optional{numbers()}};
      case 15:
        return match::LocalPrefIs{chance(30) ? std::nullopt : std::optional{numbers()}};
      case 16:
        return match::OriginIs{one_of({Origin::igp, Origin::egp, Origin::incomplete})};
      case 17:
        return list<match::NextHopIn>([&] { return address_range(); }, "s");
      case 18:
        return match::PeerIs{{chance(50) ? "a" : "b"}};
      case 19:
        if (chance(50)) return match::TunnelIs{{chance(50) ? "t" : "u"}};
        return match::PeerTypeIs{chance(70) ? PeerType::ebgp : PeerType::ibgp};
      case 20:
        if (chance(50)) return match::OwnPrefix{chance(30)};
        return match::CoversIkeEndpoint{chance(30)};
      case 21:
        return match::RpkiIs{one_of({RpkiState::not_found, RpkiState::valid, RpkiState::invalid})};
      case 22: {
        match::Not inner{matches(policy, depth + 1, 1)};
        return inner;
      }
      case 23: {
        match::AnyOf lists;
        for (std::uint32_t i = 0; i <= below(3); ++i) lists.any.push_back(matches(policy, depth + 1, 1));
        return lists;
      }
      default:
        if (policy == kPolicies - 1) return match::FamilyIs{Family::ipv4};
        return match::PolicyAccepts{{later_than(policy), {}}};
    }
  }
  std::vector<Asn> asns() {
    std::vector<Asn> all(1 + below(2));
    for (Asn& one : all) one = asn();
    return all;
  }
  std::string later_than(std::uint32_t policy) {
    return "p" + std::to_string(policy + 1 + below(kPolicies - policy - 1));
  }

  NumberChange change() {
    return {one_of({NumberChange::Op::set, NumberChange::Op::add, NumberChange::Op::subtract}),
            one_of({0U, 1U, 2U, 100U, 0xFFFFFFFFU})};
  }
  AsnChoice choice() {
    const auto which = one_of({AsnChoice::Which::given, AsnChoice::Which::own, AsnChoice::Which::leftmost});
    return {which, which == AsnChoice::Which::given ? asn() : Asn{}};
  }
  template <typename Edit, typename Make>
  Edit list_edit(Make make) {
    const auto op = one_of({edit::ListOp::set, edit::ListOp::add, edit::ListOp::remove});
    Edit result = list<Edit>([&] { return make(op == edit::ListOp::remove); }, "exact");
    result.op = op;
    return result;
  }

  PolicyEdit edit() { return {action(), {}}; }
  PolicyEdit::Action action() {
    switch (below(15)) {
      case 0:
        return edit::LocalPref{change()};
      case 1:
        return edit::Med{chance(25) ? std::nullopt : std::optional{change()}};
      case 2:
        return edit::Weight{change()};
      case 3:
        return edit::SetOrigin{one_of({Origin::igp, Origin::egp, Origin::incomplete})};
      case 4:
        return edit::Prepend{choice(), 1 + below(3)};
      case 5:
        return edit::StripPrivate{};
      case 6: {
        const auto what =
            one_of({edit::ReplaceAsn::What::given, edit::ReplaceAsn::What::private_asns, edit::ReplaceAsn::What::any});
        return edit::ReplaceAsn{what, what == edit::ReplaceAsn::What::given ? asn() : Asn{}, choice()};
      }
      case 7:
      case 8:
        return list_edit<edit::Communities>([&](bool wild) { return community(wild); });
      case 9:
        return list_edit<edit::ExtendedCommunities>([&](bool wild) { return extended(wild); });
      case 10:
        return list_edit<edit::LargeCommunities>([&](bool wild) { return large(wild); });
      case 11: {
        const auto how =
            one_of({NextHopChoice::self, NextHopChoice::unchanged, NextHopChoice::peer, NextHopChoice::address});
        return edit::SetNextHop{how,
                                how == NextHopChoice::address ? IpAddress::v4(0xCB007100U + below(3)) : IpAddress{}};
      }
      case 12:
        return edit::FibMetric{below(3)};
      case 13:
        return edit::FibPrefsrc{address()};
      default:
        return edit::EcmpWeight{static_cast<std::uint16_t>(1 + below(4))};
    }
  }

  PolicyLibrary library() {
    PolicyLibrary made;
    made.prefix_sets.push_back({"s", entries<PrefixRange>([&] { return range(); }), {}});
    made.asn_sets.push_back({"s", entries<AsnRange>([&] { return asn_range(); }), {}});
    made.community_sets.push_back({"s", entries<CommunityPattern>([&] { return community(true); }), {}});
    made.community_sets.push_back({"exact", entries<CommunityPattern>([&] { return community(false); }), {}});
    made.extended_community_sets.push_back(
        {"s", entries<ExtendedCommunityPattern>([&] { return extended(true); }), {}});
    made.extended_community_sets.push_back(
        {"exact", entries<ExtendedCommunityPattern>([&] { return extended(false); }), {}});
    made.large_community_sets.push_back({"s", entries<LargeCommunityPattern>([&] { return large(true); }), {}});
    made.large_community_sets.push_back({"exact", entries<LargeCommunityPattern>([&] { return large(false); }), {}});
    made.next_hop_sets.push_back({"s", entries<AddressRange>([&] { return address_range(); }), {}});
    for (std::uint32_t policy = 0; policy < kPolicies; ++policy) {
      PolicyDefinition definition{"p" + std::to_string(policy), {}, {}};
      const std::uint32_t terms = below(6);
      for (std::uint32_t i = 0; i < terms; ++i) definition.terms.push_back(term(policy, i));
      made.policies.push_back(std::move(definition));
    }
    return made;
  }

  RandomRoute route() {
    RandomRoute made;
    PathAttributes& a = made.attributes;
    const std::uint32_t segments = below(3);
    for (std::uint32_t i = 0; i < segments; ++i) {
      if (chance(70)) {
        for (std::uint32_t j = 0; j <= below(3); ++j) a.as_path.append_sequence(asn());
      } else {
        const auto members = static_cast<std::uint16_t>(1 + below(3));
        a.as_path.segments.push_back({AsPath::SegmentType::set, members});
        for (std::uint16_t j = 0; j < members; ++j) a.as_path.asns.push_back(asn());
      }
    }
    a.next_hop.address = address();
    a.origin = one_of({Origin::igp, Origin::egp, Origin::incomplete});
    if (chance(60)) a.med = below(6);
    if (chance(60)) a.local_pref = below(6);
    fill(a.communities, [&] { return Community{community(false).value}; });
    fill(a.extended_communities, [&] { return ExtendedCommunity{extended(false).value}; });
    fill(a.large_communities, [&] { return large(false).value; });
    made.peer = chance(60) ? "a" : "c";
    made.tunnel = chance(60) ? "t" : "";
    made.context.prefix = prefix();
    made.context.peer_type = chance(70) ? PeerType::ebgp : PeerType::ibgp;
    made.context.local_as = Asn{65530};
    made.context.peer_as = Asn{65535};
    made.context.own_prefix = chance(20);
    made.context.covers_ike_endpoint = chance(20);
    made.context.rpki = one_of({RpkiState::not_found, RpkiState::valid, RpkiState::invalid});
    return made;
  }

 private:
  static constexpr std::uint32_t kPolicies = 4;

  template <typename Item, typename Make>
  std::vector<Item> some(Make make) {
    std::vector<Item> items(1 + below(4));
    for (Item& item : items) item = make();
    return items;
  }
  /// Of a set, which may have none.
  template <typename Item, typename Make>
  std::vector<Item> entries(Make make) {
    return below(8) == 0 ? std::vector<Item>{} : some<Item>(make);
  }
  template <typename Value, typename Make>
  void fill(std::vector<Value>& values, Make make) {
    for (std::uint32_t i = 0; i < below(4); ++i) values.push_back(make());
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
  }

  PolicyTerm term(std::uint32_t policy, std::uint32_t number) {
    PolicyTerm made;
    if (chance(50)) made.name = "t" + std::to_string(policy) + std::to_string(number);
    made.matches = matches(policy, 0, 0);
    const std::uint32_t edits = below(3);
    for (std::uint32_t i = 0; i < edits; ++i) made.edits.push_back(edit());
    if (policy + 1 < kPolicies && chance(25)) made.call = NameRef{later_than(policy), {}};
    made.verdict = one_of({TermVerdict::next, TermVerdict::next, TermVerdict::accept, TermVerdict::accept,
                           TermVerdict::reject, TermVerdict::return_});
    return made;
  }

  std::mt19937& random_;
};

}  // namespace

PolicyLibrary random_library(std::mt19937& random) { return Generator(random).library(); }
RandomRoute random_route(std::mt19937& random) { return Generator(random).route(); }

PolicyContext context_of(const RandomRoute& route) {
  PolicyContext context = route.context;
  context.peer = route.peer;
  context.tunnel = route.tunnel;
  return context;
}

}  // namespace minibgp::testing
