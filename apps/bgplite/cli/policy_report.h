/// What a run of `policy test` found, and its reports: text, JSON, JUnit XML and TAP. JUnit, TAP and the exit status
/// are made from one list of checks, so that they cannot disagree.
#pragma once

#include <apps/bgplite/cli/policy_coverage.h>
#include <apps/bgplite/cli/policy_mutate.h>
#include <apps/bgplite/cli/policy_verbs.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace bgplite::cli {

struct RanCase {
  PolicyCase test;
  CaseResult result;
  bool ran = true;      ///< False: --fail-fast ended the run before it.
  std::string failure;  ///< What people read about it; empty when it passed.
};

struct FileReport {
  std::string file;
  Diagnostics mistakes;  ///< Of the file or of its configuration; with an error no case ran.
  std::vector<RanCase> cases;
  std::size_t left_out = 0;  ///< Cases by --filter.
};

struct MutantReport {
  bool tried = false;
  std::size_t all = 0, killed = 0;
  std::vector<PolicyItem> survivors, equivalent;
  std::vector<PolicyItem> wrongly_listed;  ///< As equivalent, though a case kills them or they do not exist.
  std::vector<std::pair<SampledSet, Place>> sampled;
};

/// One configuration, by all files of tests that name it.
struct ConfigReport {
  std::string config;
  Coverage coverage;
  MutantReport mutants;
};

struct TestReport {
  std::vector<FileReport> files;
  std::vector<ConfigReport> configs;
  bool stopped = false;  ///< By --fail-fast: coverage and mutants would say nothing.
};

/// A case, or something that was asked of a configuration.
struct Check {
  enum class Outcome : std::uint8_t { passed, failed, error, skipped };
  std::string suite, group, name;
  Place place;
  Outcome outcome = Outcome::passed;
  std::string message;  ///< One line.
  std::string details;
};

/// The route, what was expected and what came out side by side, the term that decided and every term looked at.
[[nodiscard]] std::string failure_text(const PolicyBench& bench, const PolicyCase& test, const CaseResult& result);

[[nodiscard]] std::vector<Check> checks_of(const TestReport& report, const TestOptions& options);
[[nodiscard]] std::string to_text(const TestReport& report, const TestOptions& options);
[[nodiscard]] nlohmann::ordered_json to_json(const TestReport& report, const TestOptions& options);
[[nodiscard]] std::string to_junit(const std::vector<Check>& checks);
[[nodiscard]] std::string to_tap(const std::vector<Check>& checks);

}  // namespace bgplite::cli
