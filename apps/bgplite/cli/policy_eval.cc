/// bgplite policy eval: what one policy does with one route, and why.
#include <apps/bgplite/cli/policy_bench.h>
#include <apps/bgplite/cli/policy_trace.h>
#include <apps/bgplite/cli/policy_verbs.h>
#include <bgp/text.h>

#include <iostream>

#include <nlohmann/json.hpp>

namespace bgplite::cli {
namespace {

using Json = nlohmann::ordered_json;
using minibgp::ConditionTrace;
using minibgp::PolicyTrace;
using minibgp::TermTrace;

Json to_json(const PolicyTrace& trace, const PolicyRoute& route, const Seat& seat, bool with_terms) {
  Json changed = Json::object();
  Json attributes = Json::object();
  // A rejected route has no attributes that anybody would see.
  if (trace.accepted) {
    for (const AttributeChange& change : changes_between(route.attributes, trace.result))
      changed[std::string(change.name)] = {{"before", change.before}, {"after", change.after}};
    for (const AttributeText& text : attribute_texts(trace.result)) attributes[std::string(text.name)] = text.text;
  }
  Json json{{"policy", seat.policy},
            {"prefix", minibgp::to_text(*route.prefix)},
            {"action", trace.accepted ? "accept" : "reject"},
            {"decided_by", {{"policy", trace.policy}, {"term", trace.term}}},
            {"changed", changed},
            {"attributes", attributes}};
  if (!with_terms) return json;
  Json terms = Json::array();
  for (const TermTrace& term : trace.terms) {
    Json conditions = Json::array();
    for (const ConditionTrace& one : term.conditions)
      conditions.push_back({{"match", one.text}, {"held", one.held}, {"actual", one.actual}});
    terms.push_back({{"policy", term.policy},
                     {"term", term.term},
                     {"line", term.mark.line},
                     {"matched", term.fired},
                     {"conditions", conditions},
                     {"edits", term.edits}});
  }
  json["terms"] = terms;
  return json;
}

void print(const PolicyTrace& trace, const PolicyRoute& route, const Seat& seat) {
  std::cout << (trace.accepted ? "accept " : "reject ") << minibgp::to_text(*route.prefix) << "  by " << seat.policy;
  if (!trace.policy.empty()) {
    std::cout << (trace.policy == seat.policy ? "" : " -> " + trace.policy);
    // "default" is the engine's name for what no term decided.
    std::cout << (trace.term == "default" ? ": end of the policy" : ": " + trace.term);
  }
  std::cout << '\n';
  if (!trace.accepted) return;
  for (const AttributeChange& change : changes_between(route.attributes, trace.result))
    std::cout << "  " << change.name << ": " << change.before << " -> " << change.after << '\n';
}

}  // namespace

Exit run_policy_eval(const EvalOptions& options, const Common& common) {
  Diagnostics diagnostics;
  const auto bench = open_bench(common.config, diagnostics);
  const auto route = read_policy_route(options.route, "--route", diagnostics);
  if (!bench || !route) return complain(diagnostics);
  if (options.policy.empty() == options.peer.empty())
    return fail(Exit::bad_input, "give --peer NAME with --direction, or --policy NAME");
  std::string error;
  const auto direction = options.direction == "export" ? minibgp::Direction::export_ : minibgp::Direction::import;
  auto seat = options.policy.empty() ? bench->seat_at_peer(options.peer, direction, error)
                                     : bench->seat_of_policy(options.policy, error);
  if (!seat) return fail(Exit::bad_input, error);
  if (!options.policy.empty()) seat->direction = direction;
  if (auto unknown = bench->own_as_unknown(*seat, *route)) {
    diagnostics.add(*std::move(unknown));
    return complain(diagnostics);
  }
  const PolicyTrace trace = bench->policy(*seat).trace(route->attributes, bench->context(*seat, *route));
  if (common.json) {
    std::cout << to_json(trace, *route, *seat, options.trace).dump(2) << '\n';
  } else {
    print(trace, *route, *seat);
    if (options.trace) std::cout << terms_text(trace);
  }
  return Exit::ok;
}

}  // namespace bgplite::cli
