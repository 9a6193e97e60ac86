#include <apps/bgplite/config/policy_reader.h>
#include <bgp/policy.h>
#include <bgp/text.h>

#include <algorithm>
#include <charconv>
#include <set>

namespace bgplite {
namespace {

using minibgp::AsnChoice;
using minibgp::NumberChange;
using minibgp::PolicyEdit;
using minibgp::PolicyMatch;
using minibgp::Quantifier;
namespace match = minibgp::match;
namespace edit = minibgp::edit;

/// The value of a key being read, and the way back to the reader.
struct PolicyIn {
  const PolicyReader& reader;
  const YAML::Node& node;
  unsigned depth = 0;

  template <typename List>
  std::optional<PolicyMatch::Condition> list() const {
    List items;
    // Names of sets may stand between the items, unless the second list is null.
    reader.items(node, items.items, &items.sets);
    return items;
  }
  template <typename List, Quantifier quantifier>
  std::optional<PolicyMatch::Condition> communities() const {
    List items;
    items.quantifier = quantifier;
    reader.items(node, items.items, &items.sets);
    return items;
  }

  std::optional<bool> flag() const {
    const auto text = reader.scalar(node, "true or false");
    if (!text) return std::nullopt;
    // Only these two words; the rest of the configuration also takes yes, no, on and off.
    if (*text == "true" || *text == "false") return *text == "true";
    reader.error(node, "must be true or false, not '" + *text + "'");
    return std::nullopt;
  }

  template <typename Enum, std::size_t N>
  std::optional<Enum> choice(const std::pair<const char*, Enum> (&choices)[N]) const {
    std::string words;
    std::vector<std::string_view> names;
    for (const auto& [name, value] : choices) {
      words += (words.empty() ? "" : ", ") + std::string(name);
      names.emplace_back(name);
    }
    const auto text = reader.scalar(node, "one of " + words);
    if (!text) return std::nullopt;
    for (const auto& [name, value] : choices)
      if (*text == name) return value;
    // Asked with all names, because the nearest one is offered.
    const std::string hint = did_you_mean(*text, names);
    reader.error(node, "'" + *text + "' is none of " + words, hint);
    return std::nullopt;
  }

  std::optional<minibgp::NumberRange> range(const char* what = "a number or a range", const char* or_none = "") const {
    const auto text = reader.scalar(node, what);
    if (!text) return std::nullopt;
    if (const auto parsed = minibgp::parse_number_range(*text)) return parsed;
    reader.error(node, "'" + *text + "' is not a number or a range",
                 std::string{"such as 100, 50..100 or 50.."} + or_none);
    return std::nullopt;
  }
  /// A range, or none.
  /// The outer optional is empty after an error; the inner one is empty for "none", an attribute that is absent.
  std::optional<std::optional<minibgp::NumberRange>> range_or_none() const {
    if (node.IsScalar() && node.Scalar() == "none") return std::optional<minibgp::NumberRange>{};
    const auto given = range("a number, a range or none", ", or none");
    if (!given) return std::nullopt;
    return std::optional<std::optional<minibgp::NumberRange>>{given};
  }

  template <typename Number>
  std::optional<Number> number(Number min, Number max) const {
    const auto text = reader.scalar(node, "a number");
    if (!text) return std::nullopt;
    // Always read with 64 bits, so that a number beyond `max` is out of range and does not wrap.
    std::uint64_t value = 0;
    const auto [end, code] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (code == std::errc{} && end == text->data() + text->size() && value >= min && value <= max)
      return static_cast<Number>(value);
    reader.error(node, "'" + *text + "' is not a number from " + std::to_string(min) + " to " + std::to_string(max));
    return std::nullopt;
  }

  /// "200", "+10", "-10".
  std::optional<NumberChange> change(const std::string& text) const {
    NumberChange result;
    std::string_view digits = text;
    if (digits.starts_with('+')) result.op = NumberChange::Op::add;
    if (digits.starts_with('-')) result.op = NumberChange::Op::subtract;
    // from_chars() takes no '+', and no '-' for a number without a sign.
    if (result.op != NumberChange::Op::set) digits.remove_prefix(1);
    const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), result.value);
    if (!digits.empty() && code == std::errc{} && end == digits.data() + digits.size()) return result;
    reader.error(node, "'" + text + "' is not a number or a change", "such as 200, +10 or -10");
    return std::nullopt;
  }
  std::optional<NumberChange> change() const {
    const auto text = reader.scalar(node, "a number or a change such as +10");
    return text ? change(*text) : std::nullopt;
  }

  std::optional<minibgp::IpAddress> address() const {
    const auto text = reader.scalar(node, "an address");
    if (!text) return std::nullopt;
    if (const auto parsed = minibgp::parse_address(*text)) return parsed;
    reader.error(node, "'" + *text + "' is not an address");
    return std::nullopt;
  }

  std::optional<AsnChoice> asn_choice(const std::string& text) const {
    if (text == "own") return AsnChoice{AsnChoice::Which::own, {}};
    if (text == "leftmost") return AsnChoice{AsnChoice::Which::leftmost, {}};
    if (const auto asn = minibgp::parse_asn(text)) return AsnChoice{AsnChoice::Which::given, *asn};
    reader.error(node, "'" + text + "' is not an AS number, own or leftmost");
    return std::nullopt;
  }

  std::vector<std::string> texts(const std::string& what) const {
    std::vector<std::string> all;
    reader.each_scalar(node, what, [&](const std::string& text, const YAML::Node&) { all.push_back(text); });
    return all;
  }

  /// "65001 65002", or a list.
  std::vector<minibgp::Asn> sequence() const {
    std::vector<minibgp::Asn> asns;
    reader.each_scalar(node, "AS numbers", [&](const std::string& text, const YAML::Node& at) {
      // An empty text has no segment, and sets and confederations are no sequence: neither says where it begins or
      // ends.
      const auto path = minibgp::parse_as_path(text);
      const bool plain =
          path && path->segments.size() == 1 && path->segments[0].type == minibgp::AsPath::SegmentType::sequence;
      if (plain) {
        asns.insert(asns.end(), path->asns.begin(), path->asns.end());
      } else {
        reader.error(at, "'" + text + "' is not a sequence of AS numbers");
      }
    });
    return asns;
  }
};

// --- Matches -------------------------------------------------------------------------------------------------------

using ReadMatch = std::optional<PolicyMatch::Condition> (*)(const PolicyIn&);
struct MatchKey {
  const char* name;
  ReadMatch read;
};

template <typename Condition, typename Value>
std::optional<PolicyMatch::Condition> made(const std::optional<Value>& value) {
  // An error was reported by whoever read the value.
  if (!value) return std::nullopt;
  return Condition{*value};
}

constexpr std::pair<const char*, minibgp::Origin> kOrigins[] = {
    {"igp", minibgp::Origin::igp}, {"egp", minibgp::Origin::egp}, {"incomplete", minibgp::Origin::incomplete}};

std::optional<PolicyMatch::Condition> read_any(const PolicyIn& in) {
  match::AnyOf any;
  if (!in.node.IsSequence()) {
    in.reader.error(in.node, "must be a list of matches");
    return std::nullopt;
  }
  // The conditions of one item hold together; of the items one is enough. The depth bounds the recursion.
  for (const YAML::Node& one : in.node) any.any.push_back(in.reader.matches(one, in.depth + 1));
  return any;
}

// One row a key. The hint for an unknown key is made of the same rows, so that it cannot miss one.
const MatchKey kMatches[] = {
    {"prefix", [](const PolicyIn& in) { return in.list<match::PrefixIn>(); }},
    {"family",
     [](const PolicyIn& in) {
       constexpr std::pair<const char*, minibgp::Family> kFamilies[] = {{"ipv4", minibgp::Family::ipv4},
                                                                        {"ipv6", minibgp::Family::ipv6}};
       return made<match::FamilyIs>(in.choice(kFamilies));
     }},
    {"as_path",
     [](const PolicyIn& in) -> std::optional<PolicyMatch::Condition> {
       return match::AsPathRegex{in.texts("a regular expression")};
     }},
    {"as_path_contains", [](const PolicyIn& in) { return in.list<match::AsPathContains>(); }},
    {"as_path_starts",
     [](const PolicyIn& in) -> std::optional<PolicyMatch::Condition> { return match::AsPathStarts{in.sequence()}; }},
    {"as_path_ends",
     [](const PolicyIn& in) -> std::optional<PolicyMatch::Condition> { return match::AsPathEnds{in.sequence()}; }},
    // Every path has a length: there is no "none".
    {"as_path_length", [](const PolicyIn& in) { return made<match::AsPathLength>(in.range()); }},
    {"neighbor_as", [](const PolicyIn& in) { return in.list<match::NeighborAs>(); }},
    {"origin_as", [](const PolicyIn& in) { return in.list<match::OriginAs>(); }},
    {"community", [](const PolicyIn& in) { return in.communities<match::CommunityIn, Quantifier::any>(); }},
    {"community_all", [](const PolicyIn& in) { return in.communities<match::CommunityIn, Quantifier::all>(); }},
    {"extended_community",
     [](const PolicyIn& in) { return in.communities<match::ExtendedCommunityIn, Quantifier::any>(); }},
    {"extended_community_all",
     [](const PolicyIn& in) { return in.communities<match::ExtendedCommunityIn, Quantifier::all>(); }},
    {"large_community", [](const PolicyIn& in) { return in.communities<match::LargeCommunityIn, Quantifier::any>(); }},
    {"large_community_all",
     [](const PolicyIn& in) { return in.communities<match::LargeCommunityIn, Quantifier::all>(); }},
    {"med", [](const PolicyIn& in) { return made<match::MedIs>(in.range_or_none()); }},
    {"local_pref", [](const PolicyIn& in) { return made<match::LocalPrefIs>(in.range_or_none()); }},
    {"origin", [](const PolicyIn& in) { return made<match::OriginIs>(in.choice(kOrigins)); }},
    {"next_hop", [](const PolicyIn& in) { return in.list<match::NextHopIn>(); }},
    {"peer",
     [](const PolicyIn& in) -> std::optional<PolicyMatch::Condition> {
       return match::PeerIs{in.texts("a peer's name")};
     }},
    {"tunnel",
     [](const PolicyIn& in) -> std::optional<PolicyMatch::Condition> {
       return match::TunnelIs{in.texts("a tunnel's name")};
     }},
    {"peer_type",
     [](const PolicyIn& in) {
       constexpr std::pair<const char*, minibgp::PeerType> kTypes[] = {{"ebgp", minibgp::PeerType::ebgp},
                                                                       {"ibgp", minibgp::PeerType::ibgp}};
       return made<match::PeerTypeIs>(in.choice(kTypes));
     }},
    {"own_prefix", [](const PolicyIn& in) { return made<match::OwnPrefix>(in.flag()); }},
    {"covers_ike_endpoint", [](const PolicyIn& in) { return made<match::CoversIkeEndpoint>(in.flag()); }},
    {"rpki",
     [](const PolicyIn& in) {
       constexpr std::pair<const char*, minibgp::RpkiState> kStates[] = {{"valid", minibgp::RpkiState::valid},
                                                                         {"invalid", minibgp::RpkiState::invalid},
                                                                         {"not-found", minibgp::RpkiState::not_found}};
       return made<match::RpkiIs>(in.choice(kStates));
     }},
    {"policy",
     [](const PolicyIn& in) -> std::optional<PolicyMatch::Condition> {
       const auto name = in.reader.scalar(in.node, "a policy's name");
       if (!name) return std::nullopt;
       return match::PolicyAccepts{{*name, in.reader.mark(in.node)}};
     }},
    {"not",
     [](const PolicyIn& in) -> std::optional<PolicyMatch::Condition> {
       return match::Not{in.reader.matches(in.node, in.depth + 1)};
     }},
    {"any", &read_any},
};

// --- Edits ---------------------------------------------------------------------------------------------------------

using ReadEdit = std::optional<PolicyEdit::Action> (*)(const PolicyIn&);
struct EditKey {
  const char* name;
  ReadEdit read;
};

template <typename Edit>
std::optional<PolicyEdit::Action> changing(const PolicyIn& in) {
  const auto change = in.change();
  if (!change) return std::nullopt;
  return Edit{*change};
}

template <typename Edit, edit::ListOp op>
std::optional<PolicyEdit::Action> listing(const PolicyIn& in) {
  Edit made;
  made.op = op;
  // To add or to remove nothing says nothing, so "none" is a value of set_ only.
  const bool none = op == edit::ListOp::set && in.node.IsScalar() && in.node.Scalar() == "none";
  if (!none) in.reader.items(in.node, made.items, &made.sets);
  return made;
}

/// "65001", "own x3", or { asn: own, times: 3 }.
std::optional<PolicyEdit::Action> read_prepend(const PolicyIn& in) {
  edit::Prepend prepend;
  // Empty until 'asn' was read; `times` keeps its default of 1.
  std::optional<AsnChoice> asn;
  if (in.node.IsMap()) {
    // A value that is wrong was reported: the key is not missing besides.
    bool written = false;
    in.reader.entries(in.node, "asn and times",
                      [&](const std::string& name, const YAML::Node& key, const YAML::Node& value) {
                        const PolicyIn inner{in.reader, value};
                        if (name == "asn") {
                          written = true;
                          if (const auto text = in.reader.scalar(value, "an AS number, own or leftmost"))
                            asn = inner.asn_choice(*text);
                        } else if (name == "times") {
                          // An unreadable number was reported, and the whole edit is refused with it.
                          prepend.times = inner.number<std::uint32_t>(1, minibgp::kPrependMax).value_or(1);
                        } else {
                          in.reader.error(key, "unknown key '" + name + "'", did_you_mean(name, {"asn", "times"}));
                        }
                      });
    if (!written) in.reader.error(in.node, "prepend needs 'asn'", "an AS number, own or leftmost");
  } else if (const auto text = in.reader.scalar(in.node, "an AS number, own or leftmost")) {
    // With the blank: an AS number and the words have no 'x' behind one.
    const std::size_t times = text->find(" x");
    asn = in.asn_choice(text->substr(0, times));
    if (times != std::string::npos) {
      const std::string digits = text->substr(times + 2);
      // The upper bound is checked where policies are compiled, with the place of this value.
      const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), prepend.times);
      if (digits.empty() || code != std::errc{} || end != digits.data() + digits.size()) {
        in.reader.error(in.node, "'" + *text + "' does not say how often", "such as 'own x3'");
        return std::nullopt;
      }
    }
  }
  if (!asn) return std::nullopt;
  prepend.asn = *asn;
  return prepend;
}

std::optional<PolicyEdit::Action> read_replace(const PolicyIn& in) {
  edit::ReplaceAsn replace;
  bool what = false;
  std::optional<AsnChoice> with;
  if (!in.node.IsMap()) {
    in.reader.error(in.node, "must be a mapping of asn and with", "such as { asn: private, with: own }");
    return std::nullopt;
  }
  bool asn_written = false, with_written = false;
  in.reader.entries(
      in.node, "asn and with", [&](const std::string& name, const YAML::Node& key, const YAML::Node& value) {
        asn_written = asn_written || name == "asn";
        with_written = with_written || name == "with";
        const auto text = in.reader.scalar(value, "an AS number or a word");
        if (!text) return;
        if (name == "with") {
          with = PolicyIn{in.reader, value}.asn_choice(*text);
        } else if (name != "asn") {
          in.reader.error(key, "unknown key '" + name + "'", did_you_mean(name, {"asn", "with"}));
        } else if (*text == "private" || *text == "any") {
          what = true;
          replace.what = *text == "any" ? edit::ReplaceAsn::What::any : edit::ReplaceAsn::What::private_asns;
        } else if (const auto asn = minibgp::parse_asn(*text)) {
          what = true;
          replace.asn = *asn;
        } else {
          in.reader.error(value, "'" + *text + "' is not an AS number, private or any");
        }
      });
  // A value that is wrong was reported: the key is not missing besides.
  if (!asn_written || !with_written)
    in.reader.error(in.node, "replace needs 'asn' and 'with'", "such as { asn: private, with: own }");
  if (!what || !with) return std::nullopt;
  replace.with = *with;
  return replace;
}

std::optional<PolicyEdit::Action> read_next_hop(const PolicyIn& in) {
  using minibgp::NextHopChoice;
  const auto text = in.reader.scalar(in.node, "an address, self, unchanged or peer");
  if (!text) return std::nullopt;
  // The words come from to_text(), which `show` uses too, so that both stay the same.
  for (const auto choice : {NextHopChoice::self, NextHopChoice::unchanged, NextHopChoice::peer})
    if (*text == minibgp::to_text(choice)) return edit::SetNextHop{choice, {}};
  if (const auto address = minibgp::parse_address(*text)) return edit::SetNextHop{NextHopChoice::address, *address};
  in.reader.error(in.node, "'" + *text + "' is not an address, self, unchanged or peer");
  return std::nullopt;
}

template <typename Edit, typename Number>
std::optional<PolicyEdit::Action> numbering(const PolicyIn& in, Number min, Number max) {
  const auto value = in.number<Number>(min, max);
  if (!value) return std::nullopt;
  return Edit{*value};
}

const EditKey kEdits[] = {
    {"local_pref", &changing<edit::LocalPref>},
    {"med",
     [](const PolicyIn& in) -> std::optional<PolicyEdit::Action> {
       if (in.node.IsScalar() && in.node.Scalar() == "none") return edit::Med{std::nullopt};
       const auto change = in.change();
       if (!change) return std::nullopt;
       return edit::Med{*change};
     }},
    {"weight", &changing<edit::Weight>},
    {"origin",
     [](const PolicyIn& in) -> std::optional<PolicyEdit::Action> {
       const auto origin = in.choice(kOrigins);
       if (!origin) return std::nullopt;
       return edit::SetOrigin{*origin};
     }},
    {"prepend", &read_prepend},
    {"strip_private",
     [](const PolicyIn& in) -> std::optional<PolicyEdit::Action> {
       const auto flag = in.flag();
       if (flag == false) in.reader.error(in.node, "strip_private can only be true");
       if (flag != true) return std::nullopt;
       return edit::StripPrivate{};
     }},
    {"replace", &read_replace},
    {"set_community", &listing<edit::Communities, edit::ListOp::set>},
    {"add_community", &listing<edit::Communities, edit::ListOp::add>},
    {"remove_community", &listing<edit::Communities, edit::ListOp::remove>},
    {"set_extended_community", &listing<edit::ExtendedCommunities, edit::ListOp::set>},
    {"add_extended_community", &listing<edit::ExtendedCommunities, edit::ListOp::add>},
    {"remove_extended_community", &listing<edit::ExtendedCommunities, edit::ListOp::remove>},
    {"set_large_community", &listing<edit::LargeCommunities, edit::ListOp::set>},
    {"add_large_community", &listing<edit::LargeCommunities, edit::ListOp::add>},
    {"remove_large_community", &listing<edit::LargeCommunities, edit::ListOp::remove>},
    {"next_hop", &read_next_hop},
    {"fib_metric", [](const PolicyIn& in) { return numbering<edit::FibMetric, std::uint32_t>(in, 0, 0xFFFFFFFFU); }},
    {"fib_table",
     [](const PolicyIn& in) {
       // RT_TABLE_LOCAL, which the kernel asks before every other table.
       if (in.node.IsScalar() && in.node.Scalar() == "255")
         in.reader.error(in.node, "table 255 is the kernel's own: it says which addresses are this host's");
       return numbering<edit::FibTable, std::uint32_t>(in, 1, 0xFFFFFFFFU);
     }},
    {"fib_prefsrc",
     [](const PolicyIn& in) -> std::optional<PolicyEdit::Action> {
       const auto address = in.address();
       if (!address) return std::nullopt;
       return edit::FibPrefsrc{*address};
     }},
    // The kernel keeps a weight in 8 bits as weight - 1.
    {"ecmp_weight", [](const PolicyIn& in) { return numbering<edit::EcmpWeight, std::uint16_t>(in, 1, 256); }},
};

template <typename Keys>
std::string unknown_key_hint(const std::string& name, const Keys& keys) {
  std::vector<std::string_view> known;
  for (const auto& key : keys) known.emplace_back(key.name);
  return did_you_mean(name, known);
}

}  // namespace

bool is_name(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return !text.empty() && letter(text[0]) && std::all_of(text.begin(), text.end(), [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
  });
}

Place PolicyReader::place(const YAML::Node& node) const {
  const YAML::Mark at = node.Mark();
  // Nodes that were not parsed from text have no place.
  if (at.is_null()) return {file_, 0, 0};
  return {file_, static_cast<unsigned>(at.line + 1), static_cast<unsigned>(at.column + 1)};
}

minibgp::SourceMark PolicyReader::mark(const YAML::Node& node) const {
  const Place at = place(node);
  // A mark has 16 bits for the column; a line that long is found by its number.
  return {at.line, static_cast<std::uint16_t>(std::min(at.column, 0xFFFFU)), file_number_};
}

void PolicyReader::error(const YAML::Node& node, std::string text, std::string hint) const {
  diagnostics_.error(place(node), std::move(text), std::move(hint));
}

void PolicyReader::entries(const YAML::Node& node, const char* what, const Entry& entry) const {
  if (!node.IsMap()) return error(node, std::string("must be a mapping of ") + what);
  std::set<std::string> seen;
  for (const auto& pair : node) {
    if (!pair.first.IsScalar()) {
      error(pair.first, "a key must be text");
    } else if (!seen.insert(pair.first.Scalar()).second) {
      // YAML forbids it, but yaml-cpp keeps both and does not complain.
      error(pair.first, "'" + pair.first.Scalar() + "' is there twice");
    } else {
      entry(pair.first.Scalar(), pair.first, pair.second);
    }
  }
}

std::optional<std::string> PolicyReader::scalar(const YAML::Node& node, const std::string& what) const {
  if (node.IsScalar()) return node.Scalar();
  error(node, "must be " + what);
  return std::nullopt;
}

void PolicyReader::each_scalar(const YAML::Node& node, const std::string& what,
                               const std::function<void(const std::string&, const YAML::Node&)>& use) const {
  // A single value stands for a list of one.
  if (!node.IsSequence()) {
    if (const auto text = scalar(node, what + ", or a list")) use(*text, node);
    return;
  }
  for (const YAML::Node& one : node)
    if (const auto text = scalar(one, what)) use(*text, one);
}

std::vector<PolicyMatch> PolicyReader::matches(const YAML::Node& node, unsigned depth) const {
  std::vector<PolicyMatch> all;
  // This function calls itself for `not` and `any`, and the compiler walks the same tree.
  if (depth > minibgp::kPolicyDepthMax) {
    error(node, "conditions nest too deeply");
    return all;
  }
  entries(node, "matches", [&](const std::string& name, const YAML::Node& key, const YAML::Node& value) {
    // By name, one after the other: some thirty rows, read once for each load.
    const auto row = std::find_if(std::begin(kMatches), std::end(kMatches),
                                  [&](const MatchKey& known) { return name == known.name; });
    if (row == std::end(kMatches)) return error(key, "unknown match '" + name + "'", unknown_key_hint(name, kMatches));
    if (auto condition = row->read(PolicyIn{*this, value, depth})) all.push_back({*std::move(condition), mark(value)});
  });
  return all;
}

std::vector<PolicyEdit> PolicyReader::edits(const YAML::Node& node) const {
  std::vector<PolicyEdit> all;
  const auto mapping = [&](const YAML::Node& one) {
    entries(one, "edits", [&](const std::string& name, const YAML::Node& key, const YAML::Node& value) {
      const auto row =
          std::find_if(std::begin(kEdits), std::end(kEdits), [&](const EditKey& known) { return name == known.name; });
      if (row == std::end(kEdits)) return error(key, "unknown edit '" + name + "'", unknown_key_hint(name, kEdits));
      if (auto action = row->read(PolicyIn{*this, value})) all.push_back({*std::move(action), mark(value)});
    });
  };
  // One mapping, or a list of them where an edit is needed twice.
  if (node.IsSequence()) {
    for (const YAML::Node& one : node) mapping(one);
  } else {
    mapping(node);
  }
  return all;
}

minibgp::PolicyTerm PolicyReader::term(const YAML::Node& node) const {
  using minibgp::TermVerdict;
  static constexpr std::pair<std::string_view, TermVerdict> kVerdicts[] = {{"accept", TermVerdict::accept},
                                                                           {"reject", TermVerdict::reject},
                                                                           {"next", TermVerdict::next},
                                                                           {"return", TermVerdict::return_}};
  minibgp::PolicyTerm made;
  made.mark = mark(node);
  std::string verdict;
  const auto read = [&](const std::string& name, const YAML::Node& key, const YAML::Node& value) {
    if (name == "name") {
      made.name = scalar(value, "a name").value_or("");
    } else if (name == "match") {
      made.matches = matches(value);
    } else if (name == "then") {
      made.edits = edits(value);
    } else if (name == "call") {
      // The place of a mark is the value's: errors of the compiler point there.
      if (const auto called = scalar(value, "a policy's name")) made.call = minibgp::NameRef{*called, mark(value)};
    } else {
      for (const auto& [word, meaning] : kVerdicts) {
        if (name != word) continue;
        // The verdict counts nevertheless, so that a second one is noticed.
        if (!value.IsScalar() || value.Scalar() != "true") error(value, name + " can only be true", "leave it out");
        if (!verdict.empty()) error(key, "a second verdict: '" + verdict + "' is there already", "one per term");
        made.verdict = meaning;
        verdict = name;
        return;
      }
      error(key, "unknown key '" + name + "'",
            did_you_mean(name, {"name", "match", "then", "call", "accept", "reject", "next", "return"}));
    }
  };
  entries(node, "name, match, then, call and accept, reject, next or return", read);
  return made;
}

minibgp::PolicyDefinition PolicyReader::policy(const std::string& name, const YAML::Node& at, const YAML::Node& terms) {
  // Also returned without terms: the name exists then, and its users are not reported as well.
  minibgp::PolicyDefinition made{name, {}, mark(at)};
  if (!terms.IsSequence()) {
    error(terms, "a policy must be a list of terms",
          "such as [ { match: { prefix: 192.168.0.0/16 le 24 }, accept: true } ]");
    return made;
  }
  for (const YAML::Node& one : terms) made.terms.push_back(term(one));
  return made;
}

}  // namespace bgplite
