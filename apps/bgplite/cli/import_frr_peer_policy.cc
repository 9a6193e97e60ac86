/// The filters of a peer as its import and export policy.
#include <apps/bgplite/cli/import_frr_neighbors.h>
#include <bgp/text.h>

#include <algorithm>
#include <utility>

namespace bgplite::cli {
namespace {

using minibgp::Family;
using minibgp::PolicyTerm;
using minibgp::TermVerdict;
namespace match = minibgp::match;

constexpr const char* kPolicySaid = "before 7.4 external peers without a policy exchanged all routes, here none";
constexpr const char* kFamilyNames[] = {"ipv4", "ipv6"};

PolicyTerm refusing(std::string name) {
  PolicyTerm term;
  term.name = std::move(name);
  term.verdict = TermVerdict::reject;
  return term;
}

}  // namespace

/// What the filters of one family and direction say, in the order in which FRR asks them.
struct FrrNeighbors::Plan {
  std::size_t family = 0;
  std::vector<PolicyTerm> terms;
  std::string map;        ///< Our policy that is asked last; empty: none.
  bool filtered = false;  ///< FRR has a filter, and RFC 8212 is satisfied.
  bool open = false;      ///< What no filter refuses is accepted.
  std::size_t line = 0;   ///< Of one filter.
  std::size_t empty = 0;  ///< Line of a filter that refuses nothing.
  std::size_t filters = 0;
  [[nodiscard]] bool same(const Plan& other) const {
    return terms == other.terms && map == other.map && open == other.open;
  }
};

void FrrNeighbors::add_list(Peer& peer, Plan& plan, Direction direction, std::size_t family, const std::string& word) {
  const std::string key = std::string(direction == Direction::in ? "in " : "out ") + word;
  const FrrValue* const filter = family_value(peer, key, family);
  if (filter == nullptr) return;
  plan.filtered = true;
  ++plan.filters;
  plan.line = filter->line;
  const std::string& name = filter->text;
  const std::string kind = word == "filter-list" ? "as-path"
                                                 : std::string(family == 0 ? "" : "ipv6 ") +
                                                       (word == "prefix-list" ? "prefix-list" : "access-list");
  const std::string which = word == "filter-list" ? "AS path list " + name : kind + " " + name;
  switch (lists_.use(kind, name)) {
    case FrrLists::State::undefined:
      notes_.list(filter->line, "there is no " + which + "; as in FRR, every route is refused");
      plan.terms.push_back(refusing(name));
      return;
    case FrrLists::State::incomplete:
      notes_.closes(filter->line, which + " could not be translated; every route is refused in this direction");
      plan.terms.push_back(refusing(name));
      return;
    case FrrLists::State::empty:
      plan.empty = filter->line;
      return;
    case FrrLists::State::usable:
      break;
  }
  PolicyTerm term = refusing(name);
  term.matches.push_back({match::Not{{lists_.permitted_by(kind, name)}}, {}});
  plan.terms.push_back(std::move(term));
}

void FrrNeighbors::add_map(Peer& peer, Plan& plan, Direction direction, std::size_t family) {
  const FrrValue* const filter =
      family_value(peer, direction == Direction::in ? "in route-map" : "out route-map", family);
  if (filter == nullptr) return;
  plan.filtered = true;
  ++plan.filters;
  plan.line = filter->line;
  const std::string& name = filter->text;
  if (!policies_.defined(name)) {
    notes_.list(filter->line, "there is no route-map " + name + "; as in FRR, every route is refused");
    plan.terms.push_back(refusing(name));
    return;
  }
  plan.map = policies_.policy_for_map(name);
  if (policies_.refuses_more(name))
    notes_.closes(filter->line, "route-map " + name +
                                    " could not be translated whole; in this direction more routes are refused than "
                                    "in FRR: see the lines of the route-map");
}

/// What is known to be a filter and cannot be said, refuses everything.
void FrrNeighbors::close(Peer& peer, Plan& plan, Direction direction, std::size_t family) {
  const FrrValue* const closed = family_value(peer, direction == Direction::in ? "in closed" : "out closed", family);
  if (closed == nullptr) return;
  plan.line = closed->line;
  notes_.closes(closed->line, closed->text + "; every route is refused in this direction");
  plan.terms.insert(plan.terms.begin(), refusing("not-translated"));
}

FrrNeighbors::Plan FrrNeighbors::plan_of(Peer& peer, Direction direction, std::size_t family) {
  Plan plan;
  plan.family = family;
  plan.line = peer.own.lines.front();
  const bool in = direction == Direction::in;
  for (const char* const word : {"distribute-list", "prefix-list", "filter-list"})
    add_list(peer, plan, direction, family, word);
  add_map(peer, plan, direction, family);
  const FrrValue* const weight = in ? family_value(peer, "weight", family) : nullptr;
  if (weight != nullptr && weight->text == "0") notes_.no_effect(weight->line, "the weight without it");
  if (weight != nullptr && weight->text != "0") {
    PolicyTerm term;
    term.name = "weight";
    term.edits.push_back({minibgp::edit::Weight{{minibgp::NumberChange::Op::set, *frr_number(weight->text)}}, {}});
    plan.terms.insert(plan.terms.begin(), std::move(term));
  }
  for (const minibgp::Prefix& prefix : router_.summarized()) {
    const bool of_family = (prefix.family == Family::ipv4) == (family == 0);
    const std::uint8_t longest = minibgp::address_bits(prefix.family);
    if (in || !of_family || prefix.length_bits == longest) continue;
    PolicyTerm term = refusing("summary-only");
    match::PrefixIn within;
    within.items.push_back({prefix, static_cast<std::uint8_t>(prefix.length_bits + 1), longest, {}});
    term.matches.push_back({std::move(within), {}});
    plan.terms.insert(plan.terms.begin(), std::move(term));
  }
  close(peer, plan, direction, family);
  plan.open = peer.internal || plan.filtered;
  if (!plan.open) plan.open = !router_.flag_by_version("requires-policy", dialect_.ebgp_requires_policy(), kPolicySaid);
  // Alone it would still be a policy (RFC 8212).
  if (plan.empty != 0 && (peer.internal || plan.filters > 1 ||
                          !router_.flag_by_version("requires-policy", dialect_.ebgp_requires_policy(), kPolicySaid)))
    notes_.no_effect(plan.empty, "a prefix-list without entries refuses nothing");
  return plan;
}

/// The name of a policy, or terms in place; empty: everything is accepted.
std::string FrrNeighbors::policy(Peer& peer, Direction direction, const std::vector<Plan>& plans) {
  const bool same = std::all_of(plans.begin(), plans.end(), [&](const Plan& plan) { return plan.same(plans.front()); });
  const Plan& first = plans.front();
  if (same && first.terms.empty()) {
    if (!first.map.empty()) return first.map;
    return first.open ? "" : "[ { reject: true } ]";
  }
  std::vector<PolicyTerm> terms;
  for (const Plan& plan : plans) {
    if (same && &plan != &first) break;
    const std::string family = kFamilyNames[plan.family];
    PolicyTerm rest;
    rest.name = same ? "rest" : family;
    if (!plan.map.empty()) rest.call = minibgp::NameRef{plan.map, {}};
    // A route that passes through a called policy without a verdict is refused, as at the end of a route-map.
    rest.verdict = !plan.map.empty() ? (same ? TermVerdict::next : TermVerdict::reject)
                                     : (plan.open ? TermVerdict::accept : TermVerdict::reject);
    std::vector<PolicyTerm> own = plan.terms;
    own.push_back(std::move(rest));
    for (PolicyTerm& term : own) {
      if (!same) {
        if (term.name != family) term.name = family + "-" + term.name;
        const Family of = plan.family == 0 ? Family::ipv4 : Family::ipv6;
        term.matches.insert(term.matches.begin(), {match::FamilyIs{of}, {}});
      }
      terms.push_back(std::move(term));
    }
  }
  const std::string name = "peer-" + peer.name + (direction == Direction::in ? "-in" : "-out");
  return library_.add_policy(name, std::move(terms), first.line);
}

std::string FrrNeighbors::policies_yaml(Peer& peer) {
  std::vector<Plan> in, out;
  for (std::size_t family = 0; family < kFrrFamilies; ++family) {
    if (!peer.active[family]) continue;
    in.push_back(plan_of(peer, Direction::in, family));
    out.push_back(plan_of(peer, Direction::out, family));
  }
  const std::string import = policy(peer, Direction::in, in);
  const std::string export_ = policy(peer, Direction::out, out);
  if (import.empty() && export_.empty()) return peer.internal ? "" : "    accept_all: true\n";
  const std::string all = "[ { accept: true } ]";
  return "    import: " + (import.empty() ? all : import) + "\n    export: " + (export_.empty() ? all : export_) + "\n";
}

}  // namespace bgplite::cli
