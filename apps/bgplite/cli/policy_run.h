/// Running tests of policies: a case against a bench gives a result.
#pragma once

#include <apps/bgplite/cli/policy_bench.h>

#include <string>
#include <vector>

namespace bgplite::cli {

/// "group / name".
[[nodiscard]] std::string full_name(const PolicyCase& test);

/// One thing that came out otherwise than expected.
struct Difference {
  std::string what;  ///< "action", "term", or an attribute.
  std::string expected, got;
};

struct CaseResult {
  bool passed = false;
  std::string error;  ///< The case could not be run: no such peer or policy.
  std::vector<Difference> differences;
  minibgp::PolicyTrace trace;
  Seat seat;
};

/// With `table`, policies are taken from there instead of the bench's own (mutants).
[[nodiscard]] CaseResult run_case(const PolicyBench& bench, const PolicyCase& test,
                                  const minibgp::PolicyTable* table = nullptr);

}  // namespace bgplite::cli
