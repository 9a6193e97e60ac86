/// The verbs below `bgplite policy`: their options, and what runs them. Exit status: 0, 1 an assertion failed, 2 bad
/// input, 3 a file cannot be read.
#pragma once

#include <apps/bgplite/cli/verbs.h>
#include <apps/bgplite/config/diagnostic.h>

#include <string>
#include <vector>

namespace bgplite::cli {

struct EvalOptions {
  std::string peer, policy, direction = "import", route;
  bool trace = false;
};
Exit run_policy_eval(const EvalOptions& options, const Common& common);

struct TestOptions {
  std::vector<std::string> paths;  ///< Files, or directories whose *_test.yaml (also below) are meant.
  bool coverage = false;
  int min_coverage = -1;  ///< Percent; negative: not asked for.
  std::string junit;
  bool tap = false;  ///< TAP 13 instead of text.
  bool mutate = false;
  int min_killed = 100;            ///< Percent of the mutants, without those listed as equivalent.
  std::size_t mutate_sample = 20;  ///< Entries of each large set that are mutated (MutantOptions).
  std::string filter;              ///< Only cases with this in their full name; empty: all.
  bool fail_fast = false;
};
Exit run_policy_test(const TestOptions& options, const Common& common);

struct DiffOptions {
  std::string before, after;
  std::vector<std::string> ribs;  ///< Files of routes; together one table.
  std::string policy, peer, direction = "import";
  bool fail_on_change = false;
  std::size_t max = 1000;  ///< Routes listed; the counts are always of all.
};
Exit run_policy_diff(const DiffOptions& options, const Common& common);

/// Prints the diagnostics to standard error. io when a file could not be read and nothing else is wrong.
Exit complain(const Diagnostics& diagnostics);

}  // namespace bgplite::cli
