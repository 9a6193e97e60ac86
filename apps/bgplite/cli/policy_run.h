/// Running tests of policies: a case against a bench gives a result; what the results reach is the coverage.
#pragma once

#include <apps/bgplite/cli/policy_bench.h>

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace bgplite::cli {

struct CaseResult {
  bool passed = false;
  std::string error;                     ///< The case could not be run: no such peer or policy.
  std::vector<std::string> differences;  ///< "  expected ..." and "  actual ..." lines.
  minibgp::PolicyTrace trace;
  Seat seat;
};

/// With `table`, policies are taken from there instead of the bench's own (mutants).
[[nodiscard]] CaseResult run_case(const PolicyBench& bench, const PolicyCase& test,
                                  const minibgp::PolicyTable* table = nullptr);

/// What no case reached. Terms and entries are counted in the policies that some case was put before, and those they
/// call and ask; an entry of a set written in place counts by itself, a set from a file as a whole.
struct CoverageItem {
  std::string text;
  Place place;
};
struct Coverage {
  std::size_t terms = 0, entries = 0;
  std::vector<CoverageItem> terms_missed, entries_missed;
  [[nodiscard]] std::size_t percent() const {
    const std::size_t all = terms + entries;
    return all == 0 ? 100 : (all - terms_missed.size() - entries_missed.size()) * 100 / all;
  }
};

/// Collects from the results of one bench's cases.
class CoverageCounter {
 public:
  explicit CoverageCounter(const PolicyBench& bench) : bench_(bench) {}
  void add(const PolicyCase& test, const CaseResult& result);
  [[nodiscard]] Coverage result() const;

 private:
  void touch_policy(const std::string& name);
  void touch_sets(const minibgp::PolicyMatch& match, const PolicyCase& test);

  const PolicyBench& bench_;
  std::set<std::string> policies_;                        ///< In scope.
  std::set<std::pair<std::string, std::string>> fired_;   ///< Policy and term.
  std::map<const void*, std::set<std::size_t>> entries_;  ///< By set: entries that matched a route.
};

}  // namespace bgplite::cli
