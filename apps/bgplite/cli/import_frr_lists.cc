#include <apps/bgplite/cli/import_frr_lists.h>
#include <apps/bgplite/config/policy_reader.h>
#include <bgp/policy.h>
#include <bgp/text.h>

#include <algorithm>

namespace bgplite::cli {
namespace {

using minibgp::Family;
using minibgp::PolicyTerm;
using minibgp::PrefixRange;
using minibgp::TermVerdict;
namespace match = minibgp::match;

/// Expanded lists match the communities' text by regular expression; what of that is one community or all of an AS can
/// be said here: "_65001:100_", "_65001:.*_", "_65001:[0-9]+_".
std::optional<minibgp::CommunityPattern> community_of_regex(std::string text) {
  if (text.size() < 3 || text.front() != '_') return std::nullopt;
  text.erase(0, 1);
  const auto ends_with = [&](const std::string& tail) {
    if (!text.ends_with(tail)) return false;
    text.resize(text.size() - tail.size());
    return true;
  };
  if (ends_with(":.*_") || ends_with(":.*") || ends_with(":[0-9]+_") || ends_with(":[0-9]*_")) {
    if (!frr_number(text)) return std::nullopt;
    return minibgp::parse_community_pattern(text + ":*");
  }
  if (!ends_with("_")) return std::nullopt;
  if (text.find_first_not_of("0123456789:") != std::string::npos) return std::nullopt;
  return minibgp::parse_community_pattern(text);
}

/// Whether our language takes the regular expression.
bool is_regex(const std::string& text) {
  PolicyTerm term;
  term.matches.push_back(frr_when(match::AsPathRegex{{text}}));
  minibgp::PolicyLibrary library;
  library.policies.push_back({"regex", {std::move(term)}, {}});
  return minibgp::Policy::compile(library, "regex").has_value();
}

/// "seq N" at `at`, which moves behind it. Nothing: no number.
std::optional<std::uint32_t> sequence_at(const FrrLine& line, std::size_t& at) {
  if (line.at(at) != "seq") return 0;
  const auto number = frr_number(line.at(at + 1));
  at += 2;
  return number && *number != 0 ? number : std::nullopt;
}

bool is_action(const std::string& word) { return word == "permit" || word == "deny"; }

/// "192.0.2.0/24 ge 25", "any"; host bits are cut off as FRR does.
std::optional<PrefixRange> range_at(const FrrLine& line, std::size_t at, Family family) {
  const bool v4 = family == Family::ipv4;
  if (line.at(at) == "any") {
    if (line.words.size() > at + 1) return std::nullopt;
    return minibgp::parse_prefix_range(v4 ? "0.0.0.0/0 le 32" : "::/0 le 128");
  }
  const auto masked = minibgp::parse_prefix(line.at(at), minibgp::HostBits::mask);
  if (!masked || masked->family != family) return std::nullopt;
  const std::string more = line.from(at + 1);
  const auto range = minibgp::parse_prefix_range(minibgp::to_text(*masked) + (more.empty() ? "" : " " + more));
  const bool sound =
      range && range->ge >= masked->length_bits && range->ge <= range->le && range->le <= minibgp::address_bits(family);
  return sound ? range : std::nullopt;
}

/// How many of the lowest bits are 1, where no other is: a wildcard mask. Nothing: another mask.
std::optional<std::uint8_t> wildcard_bits(std::uint32_t mask) {
  std::uint8_t bits = 0;
  for (; (mask & 1U) != 0; mask >>= 1U) ++bits;
  return mask == 0 ? std::optional{bits} : std::nullopt;
}

std::uint32_t ipv4_of(const minibgp::IpAddress& address) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8U | address.octets[i];
  return value;
}

/// The old form of access lists compares addresses without their lengths: besides what is within, shorter prefixes of
/// the same address match, too.
match::PrefixIn same_address(std::uint32_t address, std::uint8_t length) {
  match::PrefixIn in;
  const std::uint32_t kept = length == 0 ? 0 : address & (0xFFFFFFFFU << (32U - length));
  const auto whole = minibgp::Prefix::of(minibgp::IpAddress::v4(kept), length);
  in.items.push_back(PrefixRange::or_longer(whole));
  for (std::uint8_t shorter = length; shorter-- > 0;) {
    const std::uint32_t cut = shorter == 0 ? 0 : kept & (0xFFFFFFFFU << (32U - shorter));
    if (cut != kept) break;
    in.items.push_back(PrefixRange::exactly(minibgp::Prefix::of(minibgp::IpAddress::v4(kept), shorter)));
  }
  return in;
}

/// What an entry of an access list matches: "any", "10.0.0.0/8 [exact-match]", "host 10.0.0.1", "10.0.0.0 0.0.255.255".
std::optional<match::PrefixIn> access_at(const FrrLine& line, std::size_t at, Family family) {
  match::PrefixIn in;
  const std::string& word = line.at(at);
  const std::size_t more = line.words.size() - std::min(at + 1, line.words.size());
  const Family v4 = Family::ipv4;
  if (word == "any") {
    if (more != 0) return std::nullopt;
    in.items.push_back(*minibgp::parse_prefix_range(family == v4 ? "0.0.0.0/0 le 32" : "::/0 le 128"));
    return in;
  }
  if (const auto prefix = minibgp::parse_prefix(word, minibgp::HostBits::mask)) {
    const bool exact = line.at(at + 1) == "exact-match";
    if (prefix->family != family || more != (exact ? 1U : 0U)) return std::nullopt;
    in.items.push_back(exact ? PrefixRange::exactly(*prefix) : PrefixRange::or_longer(*prefix));
    return in;
  }
  if (family != v4) return std::nullopt;
  const auto address = minibgp::parse_address(word == "host" ? line.at(at + 1) : word);
  if (!address || address->family != v4) return std::nullopt;
  if (more == (word == "host" ? 1U : 0U)) return same_address(ipv4_of(*address), 32);
  const auto mask = minibgp::parse_address(line.at(at + 1));
  if (word == "host" || more != 1 || !mask || mask->family != v4) return std::nullopt;
  const auto bits = wildcard_bits(ipv4_of(*mask));
  if (!bits) return std::nullopt;
  return same_address(ipv4_of(*address), static_cast<std::uint8_t>(32 - *bits));
}

struct ListWords {
  std::string_view words, kind;
};
constexpr ListWords kListWords[] = {
    {"ip prefix-list", "prefix-list"},
    {"ipv6 prefix-list", "ipv6 prefix-list"},
    {"access-list", "access-list"},
    {"ipv6 access-list", "ipv6 access-list"},
    {"bgp as-path access-list", "as-path"},
    {"ip as-path access-list", "as-path"},
    {"bgp community-list", "community"},
    {"ip community-list", "community"},
    {"bgp large-community-list", "large-community"},
    {"ip large-community-list", "large-community"},
    {"bgp extcommunity-list", "extcommunity"},
    {"ip extcommunity-list", "extcommunity"},
};
const ListWords* list_words(const FrrLine& line) {
  const auto* const found = std::find_if(std::begin(kListWords), std::end(kListWords),
                                         [&](const ListWords& row) { return line.starts(row.words); });
  return found == std::end(kListWords) ? nullptr : found;
}

/// The name of the list, which follows its words and, of communities, the type.
std::size_t name_at(const FrrLine& line, const ListWords& row) {
  const auto at = static_cast<std::size_t>(std::count(row.words.begin(), row.words.end(), ' ')) + 1;
  return line.at(at) == "standard" || line.at(at) == "expanded" ? at + 1 : at;
}

}  // namespace

std::optional<minibgp::CommunityPattern> frr_community(const std::string& text) {
  if (text == "local-AS") return minibgp::parse_community_pattern("no-export-subconfed");
  if (text.find('*') != std::string::npos) return std::nullopt;
  return minibgp::parse_community_pattern(text);
}

minibgp::PolicyMatch frr_never() {
  return frr_when(match::Not{{frr_when(
      match::AnyOf{{{frr_when(match::FamilyIs{Family::ipv4})}, {frr_when(match::FamilyIs{Family::ipv6})}}})}});
}

std::string FrrLibrary::unique_name(const std::string& wanted) {
  std::string name;
  for (const char c : wanted) name += is_name(std::string("a") + c) ? c : '_';
  if (!is_name(name)) name = "list-" + name;
  std::string unique = name;
  for (int i = 2; !names_.insert(unique).second; ++i) unique = name + "-" + std::to_string(i);
  return unique;
}

std::string FrrLibrary::add_policy(const std::string& wanted_name, std::vector<PolicyTerm> terms, std::size_t line) {
  made.policies.push_back({unique_name(wanted_name), std::move(terms), {}});
  lines[made.policies.back().name] = line;
  return made.policies.back().name;
}

void FrrLibrary::close_what_does_not_compile(FrrNotes& notes) {
  if (minibgp::compile_policies(made)) return;
  for (minibgp::PolicyDefinition& policy : made.policies) {
    const auto compiled = minibgp::Policy::compile(made, policy.name);
    if (compiled) continue;
    PolicyTerm refuse;
    refuse.name = "not-translated";
    refuse.verdict = TermVerdict::reject;
    policy.terms = {std::move(refuse)};
    const std::size_t line = lines[policy.name];
    const std::string why = compiled.error().empty() ? "not a policy here" : compiled.error().front().text;
    if (line != 0) notes.closes(line, why + "; policy " + policy.name + " refuses every route");
  }
}

// --- Reading ---------------------------------------------------------------------------------------------------------

bool FrrLists::take(const FrrLine& line) {
  const FrrLine words = line.without_no();
  const ListWords* const row = list_words(words);
  if (row == nullptr || words.at(2) == "sequence-number") return false;
  if (line.at(0) == "no") {
    taken_back(words);
  } else if (row->kind == "prefix-list" || row->kind == "ipv6 prefix-list") {
    return prefix_list(line, row->kind == "prefix-list" ? Family::ipv4 : Family::ipv6);
  } else if (row->kind == "access-list" || row->kind == "ipv6 access-list") {
    return access_list(line, row->kind == "access-list" ? Family::ipv4 : Family::ipv6);
  } else if (row->kind == "as-path") {
    return as_path_list(line);
  } else {
    return community_list(line, std::string{row->kind});
  }
  return true;
}

void FrrLists::taken_back(const FrrLine& line) {
  const ListWords& row = *list_words(line);
  incomplete(std::string{row.kind}, line.at(name_at(line, row)), line, "'no' of a list is not followed");
}

void FrrLists::incomplete(const std::string& kind, const std::string& name, const FrrLine& line,
                          const std::string& why) {
  lists_[{kind, name}].incomplete = true;
  notes_.list(line.number, why + "; what uses list " + name + " refuses");
}

void FrrLists::add_entry(const std::string& kind, const std::string& name, FrrListEntry entry) {
  notes_.carried(entry.line);
  std::vector<FrrListEntry>& entries = lists_[{kind, name}].entries;
  // Without a number an entry goes behind the last one, as FRR numbers them: in steps of five.
  if (entry.sequence == 0) entry.sequence = entries.empty() ? 5 : (entries.back().sequence / 5 + 1) * 5;
  if (entries.empty() || entries.back().sequence < entry.sequence) return entries.push_back(std::move(entry));
  const auto after = std::find_if(entries.begin(), entries.end(),
                                  [&](const FrrListEntry& other) { return other.sequence >= entry.sequence; });
  if (after != entries.end() && after->sequence == entry.sequence) {
    const bool same = after->permit == entry.permit && after->matches == entry.matches;
    const std::string number = std::to_string(entry.line);
    notes_.no_effect(after->line, "line " + number + (same ? " says the same" : " replaces it"));
    if (same) notes_.no_effect(entry.line, "line " + std::to_string(after->line) + " says the same");
    *after = std::move(entry);
  } else {
    entries.insert(after, std::move(entry));
  }
}

/// ip prefix-list NAME [seq N] permit|deny PREFIX|any [ge N] [le N]
bool FrrLists::prefix_list(const FrrLine& line, Family family) {
  const std::string kind = family == Family::ipv4 ? "prefix-list" : "ipv6 prefix-list";
  const std::string& name = line.at(2);
  if (line.at(3) == "description") {
    lists_[{kind, name}].descriptions.push_back(line.number);
    notes_.carried(line.number);
    return true;
  }
  FrrListEntry entry;
  std::size_t at = 3;
  const auto sequence = sequence_at(line, at);
  const auto range = range_at(line, at + 1, family);
  if (!sequence || !is_action(line.at(at)) || !range) {
    incomplete(kind, name, line, "not understood");
    return true;
  }
  entry.line = line.number;
  entry.sequence = *sequence;
  entry.permit = line.at(at) == "permit";
  match::PrefixIn in;
  in.items.push_back(*range);
  entry.matches.push_back(frr_when(in));
  add_entry(kind, name, std::move(entry));
  return true;
}

/// access-list NAME [seq N] permit|deny WHAT
bool FrrLists::access_list(const FrrLine& line, Family family) {
  const std::string kind = family == Family::ipv4 ? "access-list" : "ipv6 access-list";
  std::size_t at = family == Family::ipv4 ? 1 : 2;
  const std::string& name = line.at(at++);
  if (line.at(at) == "remark") {
    notes_.no_effect(line.number, "a text");
    return true;
  }
  const auto sequence = sequence_at(line, at);
  auto in = access_at(line, at + 1, family);
  if (!sequence || !is_action(line.at(at)) || !in) {
    incomplete(kind, name, line, "only prefixes and addresses with a mask of low bits can be said here");
    return true;
  }
  FrrListEntry entry{line.number, *sequence, line.at(at) == "permit", {}};
  entry.matches.push_back(frr_when(std::move(*in)));
  add_entry(kind, name, std::move(entry));
  return true;
}

/// bgp as-path access-list NAME [seq N] permit|deny REGEX
bool FrrLists::as_path_list(const FrrLine& line) {
  const std::string& name = line.at(3);
  std::size_t at = 4;
  const auto sequence = sequence_at(line, at);
  const std::string regex = line.from(at + 1);
  if (!sequence || !is_action(line.at(at)) || regex.empty() || !is_regex(regex)) {
    incomplete("as-path", name, line, "not a regular expression that is known here");
    return true;
  }
  FrrListEntry entry{line.number, *sequence, line.at(at) == "permit", {}};
  entry.matches.push_back(frr_when(match::AsPathRegex{{regex}}));
  add_entry("as-path", name, std::move(entry));
  return true;
}

/// bgp community-list [standard|expanded] NAME [seq N] permit|deny VALUES
bool FrrLists::community_list(const FrrLine& line, const std::string& kind) {
  std::size_t at = 2;
  bool expanded = line.at(at) == "expanded";
  if (expanded || line.at(at) == "standard") ++at;
  const std::string& name = line.at(at++);
  // Numbers say the type: 1-99 standard, 100-500 expanded.
  if (const auto number = frr_number(name)) expanded = *number >= 100;
  const auto sequence = sequence_at(line, at);
  if (!sequence || !is_action(line.at(at)) || line.words.size() < at + 2) {
    incomplete(kind, name, line, "not understood");
    return true;
  }
  FrrListEntry entry{line.number, *sequence, line.at(at++) == "permit", {}};
  if (expanded) {
    const auto pattern = kind == "community" ? community_of_regex(line.from(at)) : std::nullopt;
    if (!pattern) {
      incomplete(kind, name, line, "only one community, or all of one AS, can be said of a regular expression");
      return true;
    }
    match::CommunityIn in;
    in.items.push_back(*pattern);
    entry.matches.push_back(frr_when(in));
  } else if (!communities(line, at, kind, entry)) {
    return true;
  }
  add_entry(kind, name, std::move(entry));
  return true;
}

/// The communities of one entry must all be there. False: one is none, and that is noted.
bool FrrLists::communities(const FrrLine& line, std::size_t at, const std::string& kind, FrrListEntry& into) {
  const std::string& name = line.at(line.at(2) == "standard" ? 3 : 2);
  match::CommunityIn standard;
  match::LargeCommunityIn large;
  match::ExtendedCommunityIn extended;
  standard.quantifier = large.quantifier = extended.quantifier = minibgp::Quantifier::all;
  for (; at < line.words.size(); ++at) {
    std::string text = line.at(at);
    if (kind == "community" && text == "internet") continue;  // Every route has it.
    bool known = false;
    if (kind == "community") {
      const auto pattern = frr_community(text);
      if ((known = pattern.has_value())) standard.items.push_back(*pattern);
    } else if (kind == "large-community") {
      const auto pattern = minibgp::parse_large_community_pattern(text);
      if ((known = pattern.has_value())) large.items.push_back(*pattern);
    } else {
      if (text == "rt" || text == "soo") text = (text == "rt" ? "rt:" : "ro:") + line.at(++at);
      const auto pattern = minibgp::parse_extended_community_pattern(text);
      if ((known = pattern.has_value())) extended.items.push_back(*pattern);
    }
    if (known) continue;
    incomplete(kind, name, line, "'" + text + "' is not a community of this kind");
    return false;
  }
  if (!standard.items.empty()) into.matches.push_back(frr_when(standard));
  if (!large.items.empty()) into.matches.push_back(frr_when(large));
  if (!extended.items.empty()) into.matches.push_back(frr_when(extended));
  return true;
}

// --- Using -----------------------------------------------------------------------------------------------------------

const FrrList* FrrLists::find(const std::string& kind, const std::string& name) const {
  const auto found = lists_.find({kind, name});
  return found == lists_.end() ? nullptr : &found->second;
}

FrrLists::State FrrLists::use(const std::string& kind, const std::string& name) {
  const auto found = lists_.find({kind, name});
  if (found == lists_.end()) return State::undefined;
  found->second.used = true;
  if (found->second.incomplete) return State::incomplete;
  return found->second.entries.empty() ? State::empty : State::usable;
}

/// Of lists that only permit the order does not matter: prefixes become a set, expressions one condition.
std::optional<minibgp::PolicyMatch> FrrLists::as_set(const std::string& kind, const std::string& name) {
  const std::vector<FrrListEntry>& entries = lists_.at({kind, name}).entries;
  const bool permits_only =
      std::all_of(entries.begin(), entries.end(), [](const FrrListEntry& entry) { return entry.permit; });
  if (!permits_only) return std::nullopt;
  if (kind.ends_with("prefix-list") || kind.ends_with("access-list")) {
    match::PrefixIn in;
    std::string& ours = made_[{kind, name}];
    if (ours.empty()) {
      ours = library_.unique_name(name);
      minibgp::NamedSet<PrefixRange> set{ours, {}, {}};
      for (const FrrListEntry& entry : entries) {
        const auto& items = std::get<match::PrefixIn>(entry.matches[0].condition).items;
        set.items.insert(set.items.end(), items.begin(), items.end());
      }
      library_.made.prefix_sets.push_back(std::move(set));
    }
    in.sets.push_back({ours, {}});
    return frr_when(in);
  }
  if (entries.size() == 1 && entries[0].matches.size() == 1) return entries[0].matches[0];
  if (kind != "as-path") return std::nullopt;
  match::AsPathRegex any;
  for (const FrrListEntry& entry : entries)
    any.any.push_back(std::get<match::AsPathRegex>(entry.matches[0].condition).any[0]);
  return frr_when(any);
}

minibgp::PolicyMatch FrrLists::permitted_by(const std::string& kind, const std::string& name) {
  if (const auto set = as_set(kind, name)) return *set;
  // Otherwise the first entry that matches decides: that is a policy.
  std::string& ours = made_[{kind, name}];
  if (ours.empty()) {
    std::vector<PolicyTerm> terms;
    const std::vector<FrrListEntry>& entries = lists_.at({kind, name}).entries;
    for (const FrrListEntry& entry : entries) {
      PolicyTerm term;
      term.name = "seq-" + std::to_string(entry.sequence);
      term.matches = entry.matches;
      term.verdict = entry.permit ? TermVerdict::accept : TermVerdict::reject;
      terms.push_back(std::move(term));
    }
    ours = library_.add_policy(name, std::move(terms), entries.front().line);
  }
  return frr_when(match::PolicyAccepts{{ours, {}}});
}

void FrrLists::finish() {
  for (const auto& [id, list] : lists_) {
    for (const std::size_t line : list.descriptions)
      if (!list.used || !list.entries.empty()) notes_.no_effect(line, "a text");
    if (list.used) continue;
    for (const FrrListEntry& entry : list.entries)
      notes_.no_effect(entry.line, "no neighbor and no route-map that is carried over uses the list");
  }
}

}  // namespace bgplite::cli
