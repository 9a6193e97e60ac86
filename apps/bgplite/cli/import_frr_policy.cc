#include <apps/bgplite/cli/import_frr_policy.h>
#include <apps/bgplite/config/policy_reader.h>
#include <bgp/text.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace bgplite::cli {
namespace {

using minibgp::NumberChange;
using minibgp::PolicyEdit;
using minibgp::PolicyMatch;
using minibgp::PolicyTerm;
using minibgp::PrefixRange;
using minibgp::TermVerdict;
namespace match = minibgp::match;
namespace edit = minibgp::edit;

template <typename Condition>
PolicyMatch when(Condition condition) {
  return {std::move(condition), {}};
}
template <typename Action>
PolicyEdit then(Action action) {
  return {std::move(action), {}};
}

std::optional<std::uint32_t> number_of(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || code != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// "200", "+10", "-10".
std::optional<NumberChange> change_of(const std::string& text) {
  NumberChange change;
  if (text.starts_with('+')) change.op = NumberChange::Op::add;
  if (text.starts_with('-')) change.op = NumberChange::Op::subtract;
  const auto value = number_of(std::string_view(text).substr(change.op == NumberChange::Op::set ? 0 : 1));
  if (!value) return std::nullopt;
  change.value = *value;
  return change;
}

std::optional<minibgp::Origin> origin_of(const std::string& text) {
  for (const auto origin : {minibgp::Origin::igp, minibgp::Origin::egp, minibgp::Origin::incomplete})
    if (text == minibgp::to_text(origin)) return origin;
  return std::nullopt;
}

/// FRR's older spellings of well-known communities.
std::optional<minibgp::CommunityPattern> community_of(const std::string& text) {
  if (text == "local-AS") return minibgp::parse_community_pattern("no-export-subconfed");
  if (text.find('*') != std::string::npos) return std::nullopt;
  return minibgp::parse_community_pattern(text);
}

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
  // "_65001:.*" has no end of its own: what follows is taken by ".*" anyway.
  if (ends_with(":.*_") || ends_with(":.*") || ends_with(":[0-9]+_") || ends_with(":[0-9]*_")) {
    // The AS alone must remain, without further expressions.
    if (!number_of(text)) return std::nullopt;
    return minibgp::parse_community_pattern(text + ":*");
  }
  if (!ends_with("_")) return std::nullopt;
  if (text.find_first_not_of("0123456789:") != std::string::npos) return std::nullopt;
  return minibgp::parse_community_pattern(text);
}

/// Attributes that matches read and sets write; the same letter means the same attribute.
char attribute_read_by(const PolicyMatch& one) {
  return std::visit(
      [](const auto& m) {
        using M = std::decay_t<decltype(m)>;
        if constexpr (std::is_same_v<M, match::CommunityIn>) return 'c';
        if constexpr (std::is_same_v<M, match::LargeCommunityIn>) return 'l';
        if constexpr (std::is_same_v<M, match::ExtendedCommunityIn>) return 'e';
        if constexpr (std::is_same_v<M, match::AsPathRegex>) return 'a';
        if constexpr (std::is_same_v<M, match::MedIs>) return 'm';
        if constexpr (std::is_same_v<M, match::LocalPrefIs>) return 'p';
        if constexpr (std::is_same_v<M, match::OriginIs>) return 'o';
        if constexpr (std::is_same_v<M, match::NextHopIn>) return 'n';
        return ' ';
      },
      one.condition);
}
char attribute_written_by(const PolicyEdit& one) {
  return std::visit(
      [](const auto& e) {
        using E = std::decay_t<decltype(e)>;
        if constexpr (std::is_same_v<E, edit::Communities>) return 'c';
        if constexpr (std::is_same_v<E, edit::LargeCommunities>) return 'l';
        if constexpr (std::is_same_v<E, edit::ExtendedCommunities>) return 'e';
        if constexpr (std::is_same_v<E, edit::Prepend>) return 'a';
        if constexpr (std::is_same_v<E, edit::Med>) return 'm';
        if constexpr (std::is_same_v<E, edit::LocalPref>) return 'p';
        if constexpr (std::is_same_v<E, edit::SetOrigin>) return 'o';
        if constexpr (std::is_same_v<E, edit::SetNextHop>) return 'n';
        return '-';
      },
      one.action);
}

}  // namespace

const std::string& FrrLine::at(std::size_t i) const {
  // A missing word is an empty one, so that callers need not ask for the length.
  static const std::string none;
  return i < words.size() ? words[i] : none;
}

std::string FrrLine::from(std::size_t i) const {
  std::string text;
  for (; i < words.size(); ++i) text += (text.empty() ? "" : " ") + words[i];
  return text;
}

// --- Lists -----------------------------------------------------------------------------------------------------------

bool FrrPolicies::list_line(const FrrLine& line) {
  if (line.at(0) == "ip" && line.at(1) == "prefix-list") return prefix_list(line, minibgp::Family::ipv4);
  if (line.at(0) == "ipv6" && line.at(1) == "prefix-list") return prefix_list(line, minibgp::Family::ipv6);
  const bool bgp = line.at(0) == "bgp" || line.at(0) == "ip";
  if (bgp && line.at(1) == "as-path" && line.at(2) == "access-list") return as_path_list(line);
  if (bgp && line.at(1) == "community-list") return community_list(line, "community");
  if (bgp && line.at(1) == "large-community-list") return community_list(line, "large-community");
  if (bgp && line.at(1) == "extcommunity-list") return community_list(line, "extcommunity");
  return false;
}

void FrrPolicies::add_entry(const std::string& kind, const std::string& name, FrrListEntry entry) {
  // Kind and name together: an as-path list and a prefix list may have one name.
  std::vector<FrrListEntry>& entries = lists_[{kind, name}].entries;
  // Without a number an entry goes behind the last one, as FRR numbers them: in steps of five.
  if (entry.sequence == 0) entry.sequence = entries.empty() ? 5 : (entries.back().sequence / 5 + 1) * 5;
  // In order of the numbers; an entry with a number that is there takes its place, as in FRR.
  const auto after = std::find_if(entries.begin(), entries.end(),
                                  [&](const FrrListEntry& other) { return other.sequence >= entry.sequence; });
  if (after != entries.end() && after->sequence == entry.sequence) {
    *after = std::move(entry);
  } else {
    entries.insert(after, std::move(entry));
  }
}

/// ip prefix-list NAME [seq N] permit|deny PREFIX|any [ge N] [le N]
bool FrrPolicies::prefix_list(const FrrLine& line, minibgp::Family family) {
  const std::string& name = line.at(2);
  if (line.at(3) == "description") return true;
  FrrListEntry entry;
  std::size_t at = 3;
  if (line.at(at) == "seq") {
    entry.sequence = number_of(line.at(at + 1)).value_or(0);
    at += 2;
  }
  entry.permit = line.at(at) == "permit";
  const bool any = line.at(at + 1) == "any";
  const bool v4 = family == minibgp::Family::ipv4;
  // The rest of the line is what to_text() of a range looks like: "10.0.0.0/8 ge 16 le 24".
  std::string text = any ? (v4 ? "0.0.0.0/0 le 32" : "::/0 le 128") : line.from(at + 1);
  auto range = minibgp::parse_prefix_range(text);
  if (!range) {
    // FRR takes host bits and cuts them off.
    const auto masked = minibgp::parse_prefix(line.at(at + 1), minibgp::HostBits::mask);
    if (masked) range = minibgp::parse_prefix_range(minibgp::to_text(*masked) + " " + line.from(at + 2));
  }
  const bool known = line.at(at) == "permit" || line.at(at) == "deny";
  // A list that lacks an entry says something else than it did.
  if (!known || !range || range->prefix.family != family) {
    lists_[{"prefix-list", name}].incomplete = true;
    report_(line.number, "not understood");
    return true;
  }
  match::PrefixIn in;
  in.items.push_back(*range);
  entry.matches.push_back(when(in));
  add_entry(v4 ? "prefix-list" : "ipv6 prefix-list", name, std::move(entry));
  return true;
}

/// bgp as-path access-list NAME [seq N] permit|deny REGEX
bool FrrPolicies::as_path_list(const FrrLine& line) {
  FrrListEntry entry;
  // By position: NAME stands before the number here.
  std::size_t at = 4;
  if (line.at(at) == "seq") {
    entry.sequence = number_of(line.at(at + 1)).value_or(0);
    at += 2;
  }
  entry.permit = line.at(at) == "permit";
  entry.matches.push_back(when(match::AsPathRegex{{line.from(at + 1)}}));
  add_entry("as-path", line.at(3), std::move(entry));
  return true;
}

/// bgp community-list [standard|expanded] NAME [seq N] permit|deny VALUES
bool FrrPolicies::community_list(const FrrLine& line, const std::string& kind) {
  std::size_t at = 2;
  bool expanded = line.at(at) == "expanded";
  if (expanded || line.at(at) == "standard") ++at;
  const std::string& name = line.at(at++);
  // Numbers say the type: 1-99 standard, 100-500 expanded.
  // A name that is a number has its type by it.
  if (const auto number = number_of(name)) expanded = *number >= 100;
  FrrListEntry entry;
  if (line.at(at) == "seq") {
    entry.sequence = number_of(line.at(at + 1)).value_or(0);
    at += 2;
  }
  entry.permit = line.at(at++) == "permit";
  const auto unknown = [&](const std::string& why) {
    lists_[{kind, name}].incomplete = true;
    report_(line.number, why);
    return true;
  };
  if (expanded) {
    // Of large and extended communities no regular expression can be said here.
    const auto pattern = kind == "community" ? community_of_regex(line.from(at)) : std::nullopt;
    if (!pattern) return unknown("only one community, or all of one AS, can be said of a regular expression");
    match::CommunityIn in;
    in.items.push_back(*pattern);
    entry.matches.push_back(when(in));
    add_entry(kind, name, std::move(entry));
    return true;
  }
  // The communities of one entry must all be there.
  match::CommunityIn standard;
  match::LargeCommunityIn large;
  match::ExtendedCommunityIn extended;
  // all: one entry names what a route must have together.
  standard.quantifier = large.quantifier = extended.quantifier = minibgp::Quantifier::all;
  for (; at < line.words.size(); ++at) {
    std::string text = line.at(at);
    if (kind == "community" && text == "internet") continue;  // Every route has it.
    if (kind == "community") {
      const auto pattern = community_of(text);
      if (!pattern) return unknown("'" + text + "' is not a community");
      standard.items.push_back(*pattern);
    } else if (kind == "large-community") {
      const auto pattern = minibgp::parse_large_community_pattern(text);
      if (!pattern) return unknown("'" + text + "' is not a large community");
      large.items.push_back(*pattern);
    } else {
      // Two words: "rt 65001:100". `soo` is the Route Origin, "ro" here.
      if (text == "rt" || text == "soo") text = (text == "rt" ? "rt:" : "ro:") + line.at(++at);
      const auto pattern = minibgp::parse_extended_community_pattern(text);
      if (!pattern) return unknown("'" + text + "' is not an extended community");
      extended.items.push_back(*pattern);
    }
  }
  if (!standard.items.empty()) entry.matches.push_back(when(standard));
  if (!large.items.empty()) entry.matches.push_back(when(large));
  if (!extended.items.empty()) entry.matches.push_back(when(extended));
  add_entry(kind, name, std::move(entry));
  return true;
}

PolicyMatch FrrPolicies::permitted_by(const std::string& kind, const std::string& name) {
  // A condition without a value for "never": not (IPv4 or IPv6).
  const PolicyMatch never = when(match::Not{{when(match::AnyOf{
      {{when(match::FamilyIs{minibgp::Family::ipv4})}, {when(match::FamilyIs{minibgp::Family::ipv6})}}})}});
  const auto found = lists_.find({kind, name});
  if (found == lists_.end() || found->second.entries.empty()) return never;  // FRR: an unknown list matches nothing.
  const std::vector<FrrListEntry>& entries = found->second.entries;
  const bool permits_only =
      std::all_of(entries.begin(), entries.end(), [](const FrrListEntry& entry) { return entry.permit; });
  const auto known = made_.find({kind, name});

  // Of prefix lists that only permit: a set, which the order does not matter to.
  // Made once for all that name the list.
  if (permits_only && (kind == "prefix-list" || kind == "ipv6 prefix-list")) {
    match::PrefixIn in;
    if (known != made_.end()) {
      in.sets.push_back({known->second, {}});
      return when(in);
    }
    minibgp::NamedSet<PrefixRange> set{unique_name(name), {}, {}};
    for (const FrrListEntry& entry : entries) {
      // Each entry of a prefix list has one condition.
      const auto& items = std::get<match::PrefixIn>(entry.matches[0].condition).items;
      set.items.insert(set.items.end(), items.begin(), items.end());
    }
    made_[{kind, name}] = set.name;
    in.sets.push_back({set.name, {}});
    library_.prefix_sets.push_back(std::move(set));
    return when(in);
  }
  // The condition itself: nothing has to be named.
  if (entries.size() == 1 && permits_only && entries[0].matches.size() == 1) return entries[0].matches[0];
  // Several regular expressions in one condition: one of them is enough, as in the list.
  if (permits_only && kind == "as-path") {
    match::AsPathRegex any;
    for (const FrrListEntry& entry : entries)
      any.any.push_back(std::get<match::AsPathRegex>(entry.matches[0].condition).any[0]);
    return when(any);
  }
  // Otherwise the first entry that matches decides: that is a policy.
  if (known == made_.end()) {
    std::vector<PolicyTerm> terms;
    for (const FrrListEntry& entry : entries) {
      PolicyTerm term;
      term.name = "seq-" + std::to_string(entry.sequence);
      term.matches = entry.matches;
      term.verdict = entry.permit ? TermVerdict::accept : TermVerdict::reject;
      terms.push_back(std::move(term));
    }
    // No term behind them: a route that no entry matches is rejected, as FRR's lists end.
    made_[{kind, name}] = add_policy(name, std::move(terms));
  }
  return when(match::PolicyAccepts{{made_[{kind, name}], {}}});
}

// --- Route maps ------------------------------------------------------------------------------------------------------

FrrMapEntry& FrrPolicies::map_entry(const std::string& name, std::uint32_t sequence, bool permit) {
  // Without an entry it is made, as both lines of FRR do: the entry and what is in it.
  FrrMapEntry& entry = maps_[name].entries[sequence];
  entry.permit = permit;
  return entry;
}

std::string FrrPolicies::unique_name(const std::string& wanted) {
  std::string name;
  // Each character by itself, behind a letter, which may begin a name.
  for (const char c : wanted) name += is_name(std::string("a") + c) ? c : '_';
  if (!is_name(name)) name = "list-" + name;
  std::string unique = name;
  // Two lists of different kinds may have the same name in FRR; here sets and policies share the names.
  for (int i = 2; !names_.insert(unique).second; ++i) unique = name + "-" + std::to_string(i);
  return unique;
}

std::string FrrPolicies::add_policy(const std::string& wanted_name, std::vector<PolicyTerm> terms) {
  library_.policies.push_back({unique_name(wanted_name), std::move(terms), {}});
  return library_.policies.back().name;
}

std::string FrrPolicies::policy_for_map(const std::string& name) { return make_map(name, As::policy); }

/// One line of an entry. `written`: attributes that earlier entries changed.
void FrrPolicies::map_line(const FrrLine& line, const FrrMapEntry& entry, const std::string& next,
                           const std::string& written, MadeEntry& made) {
  const std::string& verb = line.at(0);
  PolicyTerm& term = made.term;
  if (verb == "match") {
    const std::size_t before = term.matches.size();
    if (!match_line(line, term.matches)) made.usable = false;
    // Only the conditions that this line has added.
    for (std::size_t i = before; i < term.matches.size(); ++i)
      if (written.find(attribute_read_by(term.matches[i])) != std::string::npos)
        report_(line.number, "matches what an earlier entry sets: FRR reads the changed value, here the route's own");
  } else if (verb == "set") {
    // What a deny sets has no effect: the route is gone.
    if (entry.permit && !set_line(line, term.edits)) report_(line.number, "not carried over");
  } else if (verb == "call") {
    if (making_.count(line.at(1)) != 0) {
      report_(line.number, "a route-map that calls itself");
    } else if (entry.permit) {
      term.call = minibgp::NameRef{make_map(line.at(1), As::called), {}};
    }
  } else if ((verb == "on-match" && line.at(1) == "next") || (verb == "continue" && line.at(1).empty())) {
    made.goes_on = entry.permit;
  } else if (verb == "on-match" || verb == "continue") {
    // Going to the very next entry is the same as going on.
    if (!next.empty() && next == (verb == "continue" ? line.at(1) : line.at(2))) {
      made.goes_on = entry.permit;
    } else {
      report_(line.number, "jumps over entries; write the entries it jumps to as a policy of their own");
      made.usable = false;
    }
  } else if (verb != "description") {
    report_(line.number, "not carried over");
  }
}

/// Where an entry cannot be carried over fully, the result is stricter: a permit is left out whole, a deny keeps the
/// conditions that could be carried over and so denies more.
void FrrPolicies::report_unusable(std::uint32_t sequence, const FrrMapEntry& entry) const {
  const std::string which = "entry " + std::to_string(sequence);
  for (const FrrLine& line : entry.lines)
    if (line.at(0) == "match")
      report_(line.number, which + (entry.permit ? " was left out: it permits nothing here"
                                                 : " denies more here: not every condition was carried over"));
}

std::string FrrPolicies::make_map(const std::string& name, As as) {
  // Twice, as the end differs: a called route-map returns to its caller, the other one accepts.
  const std::string kind = as == As::policy ? "route-map" : "called route-map";
  if (const auto known = made_.find({kind, name}); known != made_.end()) return known->second;
  const std::string ours = unique_name(as == As::policy ? name : name + "-called");
  // Entered before its entries are made, so that a call in a circle finds it.
  made_[{kind, name}] = ours;
  const TermVerdict permitted = as == As::policy ? TermVerdict::accept : TermVerdict::return_;

  std::vector<PolicyTerm> terms;
  std::vector<std::vector<PolicyMatch>> went_on;  // Matches of entries that permitted and went on.
  std::string written;                            // Attributes they changed.
  making_.insert(name);
  const auto& entries = maps_[name].entries;
  for (const auto& [sequence, entry] : entries) {
    MadeEntry made;
    PolicyTerm& term = made.term;
    term.name = "seq-" + std::to_string(sequence);
    term.verdict = entry.permit ? permitted : TermVerdict::reject;
    const auto after = entries.upper_bound(sequence);
    // "continue" names the number of the next entry; empty: there is none.
    const std::string next = after == entries.end() ? std::string{} : std::to_string(after->first);
    for (const FrrLine& line : entry.lines) map_line(line, entry, next, written, made);
    if (!made.usable) report_unusable(sequence, entry);
    // A permit that lost a condition would permit more.
    if (!made.usable && entry.permit) continue;
    if (term.call) {
      // The called route-map sees what this entry, and those that went on to it, have set.
      std::string seen = written;
      for (const PolicyEdit& one : term.edits) seen += attribute_written_by(one);
      for (const FrrLine& line : entry.lines)
        if (line.at(0) == "call" && reads_one_of(term.call->name, seen))
          report_(line.number, "the called route-map matches what is set before: FRR reads the changed value");
    }
    // The route goes on with what was set, and is permitted in the end whatever follows.
    if (made.goes_on) {
      for (const PolicyEdit& one : term.edits) written += attribute_written_by(one);
      term.verdict = TermVerdict::next;
      went_on.push_back(term.matches);
    }
    terms.push_back(std::move(term));
  }
  making_.erase(name);
  // A route that some entry permitted, and that no later one matched, is permitted.
  // One of them had no condition: every route that comes here has gone through it.
  const bool always = std::any_of(went_on.begin(), went_on.end(), [](const auto& matches) { return matches.empty(); });
  if (!went_on.empty()) {
    PolicyTerm rest;
    rest.name = "went-on";
    if (!always) rest.matches = {when(match::AnyOf{went_on})};
    rest.verdict = permitted;
    terms.push_back(std::move(rest));
  }
  // A called route-map that matches nothing denies, and its caller's entry does not apply.
  if (as == As::called) {
    PolicyTerm end;
    end.name = "end";
    end.verdict = TermVerdict::reject;
    terms.push_back(std::move(end));
  }
  library_.policies.push_back({ours, std::move(terms), {}});
  return ours;
}

bool FrrPolicies::reads_one_of(const std::string& policy, const std::string& attributes) const {
  for (const minibgp::PolicyDefinition& definition : library_.policies) {
    // Defined before, or not at all: then there is nothing to read.
    if (definition.name != policy) continue;
    for (const PolicyTerm& term : definition.terms)
      for (const PolicyMatch& one : term.matches)
        if (attributes.find(attribute_read_by(one)) != std::string::npos) return true;
  }
  return false;
}

bool FrrPolicies::match_list(const FrrLine& line, Matches& into, const std::string& kind, const std::string& name) {
  const auto found = lists_.find({kind, name});
  if (found != lists_.end() && found->second.incomplete)
    // A part of a list would be another list.
    return refuse(line, "the list '" + name + "' could not be carried over");
  into.push_back(permitted_by(kind, name));
  return true;
}

bool FrrPolicies::match_community(const FrrLine& line, Matches& into) {
  if (line.at(3) == "exact-match") return refuse(line, "exact-match cannot be said");
  return match_list(line, into, line.at(1), line.at(2));
}

bool FrrPolicies::match_prefix_length(const FrrLine& line, Matches& into) {
  const auto length = number_of(line.at(4));
  const bool v4 = line.at(1) == "ip";
  if (!length || *length > (v4 ? 32U : 128U)) return refuse(line, "not understood");
  match::PrefixIn in;
  // The prefix of length 0 with `ge` and `le` the same: every prefix of that length.
  const minibgp::Prefix all = minibgp::Prefix::of(v4 ? minibgp::IpAddress{} : minibgp::IpAddress::v6({}), 0);
  in.items.push_back({all, static_cast<std::uint8_t>(*length), static_cast<std::uint8_t>(*length), {}});
  into.push_back(when(in));
  return true;
}

bool FrrPolicies::match_number(const FrrLine& line, Matches& into) {
  const auto value = number_of(line.at(2));
  if (!value) return refuse(line, "not understood");
  const minibgp::NumberRange range{*value, *value};
  into.push_back(line.at(1) == "metric" ? when(match::MedIs{range}) : when(match::LocalPrefIs{range}));
  return true;
}

bool FrrPolicies::match_origin(const FrrLine& line, Matches& into) {
  const auto origin = origin_of(line.at(2));
  if (!origin) return refuse(line, "not understood");
  into.push_back(when(match::OriginIs{*origin}));
  return true;
}

bool FrrPolicies::match_next_hop_address(const FrrLine& line, Matches& into) {
  const auto range = minibgp::parse_address_range(line.at(4));
  if (!range) return refuse(line, "not understood");
  match::NextHopIn in;
  in.items.push_back(*range);
  into.push_back(when(in));
  return true;
}

bool FrrPolicies::match_next_hop_list(const FrrLine& line, Matches& into) {
  const auto found = lists_.find({"prefix-list", line.at(4)});
  match::NextHopIn in;
  bool plain = found != lists_.end();
  for (std::size_t i = 0; plain && i < found->second.entries.size(); ++i) {
    const FrrListEntry& entry = found->second.entries[i];
    const PrefixRange& range = std::get<match::PrefixIn>(entry.matches[0].condition).items[0];
    // The next hop is matched as a host route.
    plain = entry.permit && range.le == minibgp::address_bits(range.prefix.family);
    in.items.push_back({range.prefix, {}});
  }
  if (!plain || in.items.empty())
    return refuse(line, "only lists that permit host routes (le 32) can be said of next hops");
  into.push_back(when(in));
  return true;
}

bool FrrPolicies::match_peer(const FrrLine& line, Matches& into) {
  if (line.at(2) == "local") return refuse(line, "routes of our own do not pass policies");
  into.push_back(when(match::PeerIs{{line.at(2)}}));
  return true;
}

bool FrrPolicies::match_rpki(const FrrLine& line, Matches& into) {
  const std::string& state = line.at(2);
  const auto wanted = state == "valid"     ? minibgp::RpkiState::valid
                      : state == "invalid" ? minibgp::RpkiState::invalid
                                           : minibgp::RpkiState::not_found;
  into.push_back(when(match::RpkiIs{wanted}));
  return true;
}

bool FrrPolicies::refuse(const FrrLine& line, const std::string& why) const {
  report_(line.number, why);
  return false;
}

bool FrrPolicies::match_line(const FrrLine& line, Matches& into) {
  struct ByList {
    std::string_view words, kind;
    std::size_t name_at;
  };
  static constexpr ByList kByList[] = {
      {"ip address prefix-list ", "prefix-list", 4},
      {"ipv6 address prefix-list ", "ipv6 prefix-list", 4},
      {"as-path ", "as-path", 2},
  };
  struct Row {
    std::string_view words;  ///< That the line goes on with, and one more; without a blank at the end: this word.
    bool (FrrPolicies::*take)(const FrrLine&, Matches&);
  };
  static constexpr Row kRows[] = {
      {"ip address prefix-len ", &FrrPolicies::match_prefix_length},
      {"ipv6 address prefix-len ", &FrrPolicies::match_prefix_length},
      {"community", &FrrPolicies::match_community},
      {"large-community", &FrrPolicies::match_community},
      {"extcommunity", &FrrPolicies::match_community},
      {"local-preference ", &FrrPolicies::match_number},
      {"metric ", &FrrPolicies::match_number},
      {"origin ", &FrrPolicies::match_origin},
      {"ip next-hop address ", &FrrPolicies::match_next_hop_address},
      {"ip next-hop prefix-list ", &FrrPolicies::match_next_hop_list},
      {"peer ", &FrrPolicies::match_peer},
      {"rpki ", &FrrPolicies::match_rpki},
  };
  const std::string what = line.from(1);
  for (const ByList& row : kByList)
    if (what.starts_with(row.words)) return match_list(line, into, std::string{row.kind}, line.at(row.name_at));
  for (const Row& row : kRows)
    // Where a row has no blank at the end, whole words are compared: "community" is not "community-limit".
    if (row.words.ends_with(' ') ? what.starts_with(row.words) : line.at(1) == row.words)
      return (this->*row.take)(line, into);
  return refuse(line, "no such condition here");
}

bool FrrPolicies::delete_communities(const FrrLine& line, std::vector<PolicyEdit>& into) {
  const bool large = line.at(1) == "large-comm-list";
  const auto found = lists_.find({large ? "large-community" : "community", line.at(2)});
  if (line.at(3) != "delete" || found == lists_.end() || found->second.incomplete) return false;
  edit::Communities standard;
  edit::LargeCommunities of_large;
  standard.op = of_large.op = edit::ListOp::remove;
  for (const FrrListEntry& entry : found->second.entries) {
    // A deny in the middle of such a list has no counterpart here.
    if (!entry.permit || entry.matches.size() != 1) return false;
    if (const auto* in = std::get_if<match::CommunityIn>(&entry.matches[0].condition)) {
      // FRR puts each community of the route before the list by itself: an entry of two matches none.
      if (in->items.size() == 1) standard.items.push_back(in->items[0]);
    } else if (const auto* other = std::get_if<match::LargeCommunityIn>(&entry.matches[0].condition)) {
      if (other->items.size() == 1) of_large.items.push_back(other->items[0]);
    }
  }
  if (standard.items.empty() && of_large.items.empty()) return false;
  into.push_back(large ? then(of_large) : then(standard));
  return true;
}

namespace {

using Edits = std::vector<PolicyEdit>;

template <typename Action>
bool add(Edits& into, Action action) {
  into.push_back(then(std::move(action)));
  return true;
}

/// local-preference, metric and weight.
template <typename Action>
bool set_number(const FrrLine& line, Edits& into) {
  const auto change = change_of(line.at(2));
  // "+10" and "-10" are understood; words behind the number, such as "rtt", are not.
  return change && line.words.size() <= 3 && add(into, Action{*change});
}

bool set_origin(const FrrLine& line, Edits& into) {
  const auto origin = origin_of(line.at(2));
  return origin && add(into, edit::SetOrigin{*origin});
}

bool set_prepend_last(const FrrLine& line, Edits& into) {
  const auto times = number_of(line.at(4));
  if (!times || *times == 0 || *times > minibgp::kPrependMax) return false;
  return add(into, edit::Prepend{{minibgp::AsnChoice::Which::leftmost, {}}, *times});
}

/// The first AS named ends up in front, so they are prepended from the back.
bool set_prepend(const FrrLine& line, Edits& into) {
  Edits prepends;
  for (std::size_t i = line.words.size(); i-- > 3;) {
    const auto asn = minibgp::parse_asn(line.at(i));
    if (!asn) return false;
    const minibgp::AsnChoice choice{minibgp::AsnChoice::Which::given, *asn};
    auto* last = prepends.empty() ? nullptr : std::get_if<edit::Prepend>(&prepends.back().action);
    if (last != nullptr && last->asn == choice && last->times < minibgp::kPrependMax) {
      ++last->times;
    } else {
      prepends.push_back(then(edit::Prepend{choice, 1}));
    }
  }
  into.insert(into.end(), prepends.begin(), prepends.end());
  return !prepends.empty();
}

/// "set community 65001:1 65001:2 additive", "set large-community none".
template <typename Action, typename Parse>
bool set_communities(const FrrLine& line, Edits& into, Parse parse) {
  const bool additive = line.words.back() == "additive";
  Action action;
  action.op = additive ? edit::ListOp::add : edit::ListOp::set;
  if (line.at(2) == "none") return add(into, action);
  // "additive" is the last word, and no community.
  for (std::size_t i = 2; i < line.words.size() - (additive ? 1 : 0); ++i) {
    const auto one = parse(line.at(i));
    if (!one) return false;
    action.items.push_back(*one);
  }
  return add(into, action);
}
bool set_standard(const FrrLine& line, Edits& into) {
  return set_communities<edit::Communities>(line, into, [](const std::string& word) { return community_of(word); });
}
bool set_large(const FrrLine& line, Edits& into) {
  return set_communities<edit::LargeCommunities>(
      line, into, [](const std::string& word) { return minibgp::parse_large_community_pattern(word); });
}

/// Unlike communities, FRR always adds them.
bool set_extended(const FrrLine& line, Edits& into) {
  edit::ExtendedCommunities extended;
  extended.op = edit::ListOp::add;
  for (std::size_t i = 3; i < line.words.size(); ++i) {
    const auto one = minibgp::parse_extended_community_pattern((line.at(2) == "rt" ? "rt:" : "ro:") + line.at(i));
    if (!one) return false;
    extended.items.push_back(*one);
  }
  return add(into, extended);
}

bool set_next_hop(const FrrLine& line, Edits& into) {
  using Choice = minibgp::NextHopChoice;
  if (line.at(3) == "peer-address") return add(into, edit::SetNextHop{Choice::peer, {}});
  if (line.at(3) == "unchanged") return add(into, edit::SetNextHop{Choice::unchanged, {}});
  const auto address = minibgp::parse_address(line.at(3));
  return address && add(into, edit::SetNextHop{Choice::address, *address});
}

bool set_next_hop_v6(const FrrLine& line, Edits& into) {
  const auto address = minibgp::parse_address(line.at(4));
  return address && add(into, edit::SetNextHop{minibgp::NextHopChoice::address, *address});
}

bool set_source(const FrrLine& line, Edits& into) {
  const auto address = minibgp::parse_address(line.at(2));
  return address && add(into, edit::FibPrefsrc{*address});
}

bool set_table(const FrrLine& line, Edits& into) {
  const auto table = number_of(line.at(2));
  return table && add(into, edit::FibTable{*table});
}

}  // namespace

bool FrrPolicies::set_line(const FrrLine& line, std::vector<PolicyEdit>& into) {
  struct Row {
    const char* words[3];  ///< After "set"; null: any.
    bool (*take)(const FrrLine&, Edits&);
  };
  static constexpr Row kRows[] = {
      {{"local-preference", nullptr, nullptr}, &set_number<edit::LocalPref>},
      {{"metric", nullptr, nullptr}, &set_number<edit::Med>},
      {{"weight", nullptr, nullptr}, &set_number<edit::Weight>},
      {{"origin", nullptr, nullptr}, &set_origin},
      // Before the row that takes any word there.
      {{"as-path", "prepend", "last-as"}, &set_prepend_last},
      {{"as-path", "prepend", nullptr}, &set_prepend},
      {{"community", nullptr, nullptr}, &set_standard},
      {{"large-community", nullptr, nullptr}, &set_large},
      {{"extcommunity", "rt", nullptr}, &set_extended},
      {{"extcommunity", "soo", nullptr}, &set_extended},
      {{"ip", "next-hop", nullptr}, &set_next_hop},
      {{"ipv6", "next-hop", "global"}, &set_next_hop_v6},
      {{"src", nullptr, nullptr}, &set_source},
      {{"table", nullptr, nullptr}, &set_table},
  };
  // These name a list, which the rows below cannot look up.
  if (line.at(1) == "comm-list" || line.at(1) == "large-comm-list") return delete_communities(line, into);
  for (const Row& row : kRows) {
    const auto fits = [&](std::size_t i) { return row.words[i] == nullptr || line.at(i + 1) == row.words[i]; };
    if (fits(0) && fits(1) && fits(2)) return row.take(line, into);
  }
  return false;
}

minibgp::PolicyLibrary FrrPolicies::take() {
  // Also those that no peer uses: somebody may want them.
  for (const auto& [name, map] : maps_)
    // Those that are only called have been made by their callers.
    if (made_.count({"called route-map", name}) == 0) static_cast<void>(make_map(name, As::policy));
  return std::move(library_);
}

}  // namespace bgplite::cli
