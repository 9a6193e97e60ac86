#include <apps/bgplite/cli/import_frr_policy.h>
#include <bgp/text.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace bgplite::cli {
namespace {

using minibgp::PolicyTerm;
using minibgp::TermVerdict;

/// How deep parts of route-maps may call each other; our own limit is twice that.
constexpr unsigned kNestMax = 14;
/// What follows the goal of a jump is written out; so many entries of a route-map at most.
constexpr std::size_t kWrittenOutMax = 5000;

constexpr const char* kChanged = "FRR reads the value that an earlier entry set, here it is the route's own";

constexpr const char* kTooDeep = "route-maps call or jump too often";

std::string entry_name(const std::string& map, std::uint32_t sequence) {
  return "entry " + std::to_string(sequence) + " of route-map " + map;
}

}  // namespace

/// An entry on its way to become terms.
struct FrrPolicies::Made {
  PolicyTerm term;
  bool next = false;          ///< on-match next: what follows goes on with the next entry.
  std::uint32_t jump_to = 0;  ///< on-match goto; 0: none.
  std::size_t jump_line = 0;
  std::string called;                        ///< FRR's name of the route-map called.
  std::map<std::size_t, std::string> wrong;  ///< Lines that could not be translated, and why.
  std::vector<PolicyTerm> before;            ///< Terms in front of `term`.
};

// --- Reading ---------------------------------------------------------------------------------------------------------

void FrrPolicies::begin_entry(const FrrLine& line) {
  FrrMapEntry& entry = maps_[line.at(1)].entries[*frr_number(line.at(3))];
  const bool permit = line.at(2) == "permit";
  notes_.carried(line.number);
  if (entry.line == 0) entry.line = line.number;
  entry.permit = permit;
  entry_ = &entry;
}

void FrrPolicies::entry_line(const FrrLine& line) {
  static constexpr std::string_view kKnown[] = {"match", "set", "call", "on-match", "continue"};
  notes_.carried(line.number);
  if (line.at(0) == "description") return notes_.no_effect(line.number, "a text");
  if (std::find(std::begin(kKnown), std::end(kKnown), line.at(0)) == std::end(kKnown)) {
    // "no match ..." takes back what is not followed here.
    for (auto& [name, map] : maps_)
      for (auto& [sequence, entry] : map.entries)
        if (&entry == entry_) map.not_read.push_back(line.number);
    return;
  }
  std::vector<FrrLine>& lines = entry_->lines;
  const auto older = std::find_if(lines.begin(), lines.end(),
                                  [&](const FrrLine& other) { return command_of(other) == command_of(line); });
  if (older != lines.end()) {
    const bool same = older->words == line.words;
    notes_.no_effect(older->number, "line " + std::to_string(line.number) + (same ? " says the same" : " replaces it"));
    if (same) notes_.no_effect(line.number, "line " + std::to_string(older->number) + " says the same");
    lines.erase(older);
  }
  lines.push_back(line);
}

/// Lines of one command replace each other.
std::string FrrPolicies::command_of(const FrrLine& line) {
  const std::string& verb = line.at(0);
  if (verb == "continue") return "on-match";
  if (verb != "match" && verb != "set") return verb;
  std::string command = verb + " " + line.at(1);
  const bool longer = line.at(1) == "ip" || line.at(1) == "ipv6" || line.at(1) == "as-path" ||
                      line.at(1) == "extcommunity" || line.at(1) == "source-vrf";
  if (longer && (verb == "set" || line.at(1) != "as-path") && line.words.size() > 3) command += " " + line.at(2);
  if (verb == "match" && line.words.size() > 4) command += " " + line.at(3);
  return command;
}

void FrrPolicies::not_an_entry(const FrrLine& line) { maps_[line.at(1)].not_read.push_back(line.number); }

void FrrPolicies::list(std::size_t line, const std::string& why) {
  asked_for_ ? notes_.closes(line, why) : notes_.list(line, why);
}

// --- Making ----------------------------------------------------------------------------------------------------------

std::string FrrPolicies::policy_for_map(const std::string& name) { return make({name, 0, As::policy, {}}); }

void FrrPolicies::read_line(const FrrLine& line, const Part& part, const FrrMapEntry& entry, Made& made) {
  const std::string& verb = line.at(0);
  if (verb == "match") {
    const char attribute = frr_attribute_of(line);
    if (attribute != ' ' && part.written.find(attribute) != std::string::npos)
      return void(made.wrong[line.number] = kChanged);
    const std::string why = matches_.add(line, made.term.matches);
    if (!why.empty()) made.wrong[line.number] = why;
    return;
  }
  if (!entry.permit) return notes_.no_effect(line.number, "an entry that denies only refuses");
  if (verb == "set") {
    switch (frr_set_line(line, lists_, made.term.edits)) {
      case FrrSet::carried:
        return;
      case FrrSet::harmless:
        return notes_.list(line.number, "there is no such attribute here; the route keeps what it has");
      case FrrSet::unsaid:
        return void(made.wrong[line.number] = "there is no such action here");
    }
  }
  if (!defined(line.at(1)))
    return notes_.no_effect(line.number, "no such route-map is defined: FRR goes on without it");
  if (depth_ >= kNestMax) return void(made.wrong[line.number] = kTooDeep);
  if (making_.count(line.at(1)) != 0) return void(made.wrong[line.number] = "a route-map that calls itself");
  made.called = line.at(1);
}

/// "on-match next", "on-match goto N", "continue", "continue N".
void FrrPolicies::read_jump(const FrrLine& line, const FrrMapEntry& entry, std::uint32_t sequence, Made& made) {
  if (!entry.permit) return notes_.no_effect(line.number, "an entry that denies only refuses");
  const bool next = line.starts("on-match next") || (line.at(0) == "continue" && line.words.size() == 1);
  const auto to = frr_number(line.at(0) == "continue" ? line.at(1) : line.at(2));
  made.next = next;
  made.jump_line = line.number;
  if (next) return;
  if (!to || *to <= sequence) return void(made.wrong[line.number] = "a jump goes to a later entry");
  made.jump_to = *to;
}

std::string FrrPolicies::written_by(const std::string& name, std::set<std::string>& seen) const {
  // Of a long chain: any attribute.
  if (seen.size() > kNestMax) return "acelmnop";
  const auto found = maps_.find(name);
  if (found == maps_.end() || !seen.insert(name).second) return {};
  std::string written;
  for (const auto& [sequence, entry] : found->second.entries) {
    for (const FrrLine& line : entry.lines) {
      if (line.at(0) == "set") written += frr_attribute_of(line);
      if (line.at(0) == "call") written += written_by(line.at(1), seen);
    }
  }
  return written;
}

FrrPolicies::Made FrrPolicies::make_entry(const Part& part, std::uint32_t sequence, const FrrMapEntry& entry) {
  Made made;
  made.term.name = "seq-" + std::to_string(sequence);
  for (const FrrLine& line : entry.lines) {
    if (line.at(0) == "on-match" || line.at(0) == "continue") {
      read_jump(line, entry, sequence, made);
    } else {
      read_line(line, part, entry, made);
    }
  }
  const bool refused = !made.wrong.empty();
  made.term.verdict = entry.permit && !refused ? (part.as == As::policy ? TermVerdict::accept : TermVerdict::return_)
                                               : TermVerdict::reject;
  if (refused) {
    say_closed(part, sequence, entry, made);
    made.term.edits.clear();
  } else if (!made.called.empty()) {
    Part called{made.called, 0, As::called, part.written};
    // It sees what this entry sets.
    for (const FrrLine& line : entry.lines)
      if (line.at(0) == "set") called.written += frr_attribute_of(line);
    std::sort(called.written.begin(), called.written.end());
    called.written.erase(std::unique(called.written.begin(), called.written.end()), called.written.end());
    made.term.call = minibgp::NameRef{make(called), {}};
    if (refuses_more(made.called)) closed_.insert(part.name);
  }
  return made;
}

/// Says of each line of the entry that it refuses, what was wrong, and what became of the others.
void FrrPolicies::say_closed(const Part& part, std::uint32_t sequence, const FrrMapEntry& entry, const Made& made) {
  const std::string which = entry_name(part.name, sequence);
  const bool all = made.term.matches.empty();
  const std::string refuses =
      all ? " refuses every route that reaches it" : " refuses all that its other conditions match";
  for (const FrrLine& line : entry.lines) {
    if (const auto wrong = made.wrong.find(line.number); wrong != made.wrong.end()) {
      const std::string gone = entry.permit ? "the entry is gone: instead, " : "the condition is gone: now ";
      list(line.number, wrong->second + "; " + gone + which + refuses);
    } else if (line.at(0) != "match" && entry.permit) {
      notes_.list(line.number, "belongs to " + which + ", which only refuses now; it is not done");
    }
  }
  closed_.insert(part.name);
}

/// What follows a permit: the next entry, a later one, or the end.
void FrrPolicies::write_jump(const Part& part, Made& made) {
  if (made.term.verdict == TermVerdict::reject || (!made.next && made.jump_to == 0)) return;
  const auto& entries = maps_.at(part.name).entries;
  const auto here = frr_number(made.term.name.substr(4));
  const auto next = entries.upper_bound(*here);
  const auto target = made.next ? next : entries.lower_bound(made.jump_to);
  if (target == entries.end()) return notes_.no_effect(made.jump_line, "no entry follows: the route is permitted");
  if (target == next) {
    made.term.verdict = TermVerdict::next;
    return;
  }
  const bool plain_deny = !target->second.permit && target->second.lines.empty();
  if (plain_deny && !made.term.call) {
    made.term.verdict = TermVerdict::reject;
    made.term.edits.clear();
    for (const FrrLine& line : entries.at(*here).lines)
      if (line.at(0) == "set") notes_.no_effect(line.number, "the route is denied afterwards");
    return;
  }
  Part rest{part.name, target->first, As::called, part.written};
  std::size_t& written_out = written_out_[part.name];
  if (made_.count(rest) == 0) written_out += static_cast<std::size_t>(std::distance(target, entries.end()));
  if (depth_ >= kNestMax || written_out > kWrittenOutMax) {
    made.wrong[made.jump_line] = kTooDeep;
    made.term.edits.clear();
    made.term.call.reset();
    made.term.verdict = TermVerdict::reject;
    return say_closed(part, *here, entries.at(*here), made);
  }
  if (made.term.call) {
    // One term, one call: the second stands in a term of its own with the same conditions.
    PolicyTerm first = made.term;
    first.verdict = TermVerdict::next;
    made.before.push_back(std::move(first));
    made.term.edits.clear();
    made.term.name += "-goto";
  }
  made.term.call = minibgp::NameRef{make(rest), {}};
}

std::string FrrPolicies::make(const Part& given) {
  if (const auto known = made_.find(given); known != made_.end()) return known->second;
  Part part = given;
  const std::string ours = library_.unique_name(part.name + (part.from != 0 ? "-from-" + std::to_string(part.from)
                                                             : part.as == As::called ? "-called"
                                                                                     : ""));
  made_[given] = ours;
  const bool outermost = making_.insert(part.name).second;
  ++depth_;
  std::vector<PolicyTerm> terms;
  static const FrrMap kNone;
  const auto found = maps_.find(part.name);
  const FrrMap& map = found == maps_.end() ? kNone : found->second;  // FRR: without entries it denies.
  for (const std::size_t line : map.not_read) {
    const std::string why = "not an entry of a route-map; route-map " + part.name + " refuses every route";
    list(line, why);
    closed_.insert(part.name);
  }
  if (!map.not_read.empty()) terms.push_back({"not-translated", {}, {}, {}, TermVerdict::reject, {}});
  for (auto at = map.entries.lower_bound(part.from); at != map.entries.end(); ++at) {
    Made made = make_entry(part, at->first, at->second);
    if (made.wrong.empty() && at->second.permit && (made.next || made.jump_to != 0)) {
      // What later entries read may have been changed here.
      std::set<std::string> seen;
      for (const FrrLine& line : at->second.lines)
        if (line.at(0) == "set") part.written += frr_attribute_of(line);
      part.written += written_by(made.called, seen);
      std::sort(part.written.begin(), part.written.end());
      part.written.erase(std::unique(part.written.begin(), part.written.end()), part.written.end());
    }
    write_jump(part, made);
    for (PolicyTerm& term : made.before) terms.push_back(std::move(term));
    terms.push_back(std::move(made.term));
  }
  --depth_;
  if (outermost) making_.erase(part.name);
  // What FRR does with a route that no entry matches, also after "on-match next".
  if (part.as == As::called) terms.push_back({"end", {}, {}, {}, TermVerdict::reject, {}});
  library_.lines[ours] = map.entries.empty() ? 0 : map.entries.begin()->second.line;
  library_.made.policies.push_back({ours, std::move(terms), {}});
  return ours;
}

std::string FrrPolicies::source_set_by(const std::string& name) const {
  const auto map = maps_.find(name);
  if (map == maps_.end() || map->second.entries.size() != 1 || !map->second.not_read.empty()) return {};
  const FrrMapEntry& entry = map->second.entries.begin()->second;
  const bool plain = entry.permit && entry.lines.size() == 1 && entry.lines[0].starts("set src");
  const auto address = plain ? minibgp::parse_address(entry.lines[0].at(2)) : std::nullopt;
  return address ? minibgp::to_text(*address) : std::string{};
}

void FrrPolicies::finish() {
  asked_for_ = false;
  for (const auto& [name, map] : maps_) {
    const auto known = made_.lower_bound({name, 0, As::policy, {}});
    if (known == made_.end() || known->first.name != name) static_cast<void>(make({name, 0, As::policy, {}}));
  }
  lists_.finish();
}

}  // namespace bgplite::cli
