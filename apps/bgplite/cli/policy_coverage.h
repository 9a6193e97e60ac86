/// Coverage of a configuration's policies by test cases: which terms fired, which entries of sets met a route.
#pragma once

#include <apps/bgplite/cli/policy_run.h>

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace bgplite::cli {

/// A term, an entry or a mutant, as reports name it.
struct PolicyItem {
  std::string text;
  Place place;
};

/// Every term of every policy counts, and every entry of every set, whether a case comes near them or not. An entry of
/// a set written in place counts by itself, a set from a file as a whole.
struct Coverage {
  std::size_t cases = 0, terms = 0, entries = 0;
  std::vector<PolicyItem> terms_missed, entries_missed;
  /// Rounded down. Where there is nothing to reach: 100, or 0 when there were no cases.
  [[nodiscard]] std::size_t percent() const {
    const std::size_t all = terms + entries;
    if (all == 0) return cases == 0 ? 0 : 100;
    return (all - terms_missed.size() - entries_missed.size()) * 100 / all;
  }
};

/// Collects from the results of one bench's cases, whichever files these are in.
class CoverageCounter {
 public:
  explicit CoverageCounter(const PolicyBench& bench) : bench_(bench) {}
  void add(const PolicyCase& test, const CaseResult& result);
  [[nodiscard]] Coverage result() const;

 private:
  /// A route was put before a policy, and this is its way.
  void seen(const PolicyCase& test, const Seat& seat, const minibgp::PolicyTrace& trace);
  void asked(const minibgp::PolicyMatch& match, const PolicyCase& test, const Seat& seat);
  template <typename Item>
  void count_sets(const std::vector<minibgp::NamedSet<Item>>& sets, Coverage& coverage) const;

  const PolicyBench& bench_;
  std::size_t cases_ = 0;
  std::set<std::pair<std::string, std::string>> fired_;   ///< Policy and term.
  std::map<const void*, std::set<std::size_t>> entries_;  ///< By set: entries that met a route.
};

}  // namespace bgplite::cli
