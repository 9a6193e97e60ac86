#include <apps/bgplite/cli/policy_trace.h>

#include <algorithm>

namespace bgplite::cli {

using minibgp::ConditionTrace;
using minibgp::DecidingTerm;
using minibgp::PolicyTrace;
using minibgp::TermTrace;

std::string place_text(const Place& place) {
  return place.file + ":" + std::to_string(place.line) + ":" + std::to_string(place.column);
}

Place deciding_place(const PolicyBench& bench, const DecidingTerm& term) {
  if (term.mark.line != 0) return bench.sources().place(term.mark);
  const auto& policies = bench.library().policies;
  const auto found =
      std::find_if(policies.begin(), policies.end(), [&](const auto& one) { return one.name == term.policy; });
  return found == policies.end() ? Place{} : bench.sources().place(found->mark);
}

std::string deciding_text(const PolicyBench& bench, const Seat& seat, const DecidingTerm& term) {
  if (seat.built_in) return seat.policy;
  // A policy without terms has no place of its own in the program.
  const DecidingTerm named{term.policy.empty() ? std::string_view{seat.policy} : term.policy, term.term, term.mark};
  const Place place = deciding_place(bench, named);
  return std::string(named.policy) + " / " + std::string(named.term) +
         (place.line == 0 ? std::string{} : " (" + place_text(place) + ")");
}

std::string deciding_text(const PolicyBench& bench, const Seat& seat, const PolicyTrace& trace) {
  return deciding_text(bench, seat, DecidingTerm{trace.policy, trace.term, trace.mark});
}

std::string terms_text(const PolicyTrace& trace) {
  std::string text;
  for (const TermTrace& term : trace.terms) {
    const std::string indent(2 + 2UL * term.depth, ' ');
    text += indent + term.policy + " / " + term.term + ": ";
    text += term.fired ? "matched, " + std::string(minibgp::to_text(term.verdict)) + "\n" : "not matched\n";
    for (const ConditionTrace& one : term.conditions)
      text += indent + (one.held ? "  yes " : "  no  ") + one.text +
              (one.actual.empty() ? "" : "   (route: " + one.actual + ")") + "\n";
    for (const std::string& edit : term.edits) text += indent + "  set " + edit + "\n";
  }
  return text;
}

}  // namespace bgplite::cli
