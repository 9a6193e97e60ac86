#include <apps/bgplite/cli/policy_run.h>

#include <algorithm>

namespace bgplite::cli {
namespace {

std::string word(bool accepted) { return accepted ? "accept" : "reject"; }

/// Attributes that came out otherwise than `expect` says.
void compare_attributes(const PolicyCase& test, CaseResult& result) {
  const PolicyCase::Expect& expect = test.expect;
  const auto before = attribute_texts(test.route.attributes);
  const auto after = attribute_texts(result.trace.result);
  for (std::size_t i = 0; i < after.size(); ++i) {
    const auto wanted = std::find_if(expect.attributes.begin(), expect.attributes.end(),
                                     [&](const auto& one) { return one.name == after[i].name; });
    const bool named = wanted != expect.attributes.end();
    if (!named && !expect.all_unchanged) continue;
    const bool unchanged = !named || !wanted->text;
    const std::string& text = unchanged ? before[i].text : *wanted->text;
    if (text != after[i].text)
      result.differences.push_back(
          {std::string(after[i].name), text + (unchanged ? " (unchanged)" : ""), after[i].text});
  }
}

void compare(const PolicyCase& test, CaseResult& result) {
  const PolicyCase::Expect& expect = test.expect;
  const minibgp::PolicyTrace& trace = result.trace;
  const std::optional<bool> accept = expect.of_attributes() ? std::optional{true} : expect.accept;
  if (accept && *accept != trace.accepted)
    result.differences.push_back({"action", word(*accept), word(trace.accepted)});
  if (expect.term && *expect.term != trace.term) result.differences.push_back({"term", *expect.term, trace.term});
  if (trace.accepted) compare_attributes(test, result);
}

}  // namespace

std::string full_name(const PolicyCase& test) { return (test.group.empty() ? "" : test.group + " / ") + test.name; }

CaseResult run_case(const PolicyBench& bench, const PolicyCase& test, const minibgp::PolicyTable* table) {
  CaseResult result;
  const auto seat = test.policy.empty() ? bench.seat_at_peer(test.peer, test.direction, result.error)
                                        : bench.seat_of_policy(test.policy, result.error);
  if (!seat) return result;
  result.seat = *seat;
  if (!test.policy.empty()) result.seat.direction = test.direction;
  if (const auto unknown = bench.own_as_unknown(result.seat, test.route)) {
    result.error = to_text(*unknown);
    return result;
  }
  const bool from_table = table != nullptr && !seat->built_in;
  const minibgp::Policy& policy = from_table ? *table->find(seat->policy)->second : bench.policy(*seat);
  result.trace = policy.trace(test.route.attributes, bench.context(result.seat, test.route));
  compare(test, result);
  result.passed = result.differences.empty();
  return result;
}

}  // namespace bgplite::cli
