/// bgplite policy test: reads files of cases, runs them, and measures each configuration by all of them.
#include <apps/bgplite/cli/policy_report.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <set>

#include <nlohmann/json.hpp>

namespace bgplite::cli {
namespace {

namespace fs = std::filesystem;

/// Two ways to write one path are one file.
std::string canonical(const std::string& path) {
  std::error_code unknown;
  const fs::path found = fs::weakly_canonical(path, unknown);
  return unknown ? path : found.string();
}

/// Of a directory, every *_test.yaml and *_test.yml in it and below, sorted; otherwise the path itself.
std::vector<std::string> files_at(const std::string& path) {
  std::error_code code;
  if (!fs::is_directory(path, code)) return {path};
  std::vector<std::string> found;
  for (fs::recursive_directory_iterator each(path, code), end; !code && each != end; each.increment(code)) {
    const std::string name = each->path().filename().string();
    if (name.ends_with("_test.yaml") || name.ends_with("_test.yml")) found.push_back(each->path().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// A configuration and all cases that were put before it, from whichever files.
struct Configuration {
  Configuration(std::string name, std::optional<PolicyBench> opened) : path(std::move(name)), bench(std::move(opened)) {
    if (bench) counter.emplace(*bench);
  }
  std::string path;
  Diagnostics mistakes;
  std::optional<PolicyBench> bench;  ///< None: it has mistakes.
  std::optional<CoverageCounter> counter;
  std::vector<PolicyCase> cases;
  std::vector<PolicyItem> equivalent_mutants;
  bool passed = true;
};

class TestRun {
 public:
  explicit TestRun(const TestOptions& options) : options_(options) {}

  TestReport run() {
    for (const std::string& path : options_.paths) {
      const std::vector<std::string> files = files_at(path);
      for (const std::string& one : files)
        if (files_.insert(canonical(one)).second) file(one);
      if (files.empty()) mistake(path, "cannot read any tests: no *_test.yaml in this directory");
    }
    if (!options_.filter.empty() && !any_chosen_)
      mistake("--filter", "no case has '" + options_.filter + "' in its name");
    for (const auto& configuration : configurations_)
      if (configuration->bench) measure(*configuration);
    return std::move(report_);
  }

 private:
  void mistake(const std::string& file, const std::string& text) {
    FileReport report{file, {}, {}, 0};
    report.mistakes.error({file, 0, 0}, text);
    report_.files.push_back(std::move(report));
  }

  void file(const std::string& path) {
    FileReport report{path, {}, {}, 0};
    PolicyTests tests = read_policy_tests(path, report.mistakes);
    Configuration* configuration = report.mistakes.has_errors() ? nullptr : &configuration_at(tests.config);
    if (configuration != nullptr)
      for (const Diagnostic& one : configuration->mistakes.all()) report.mistakes.add(one);
    report.mistakes.sort();
    if (!report.mistakes.has_errors()) cases(std::move(tests), *configuration, report);
    report_.files.push_back(std::move(report));
  }

  Configuration& configuration_at(const std::string& path) {
    const std::string key = canonical(path);
    for (const auto& known : configurations_)
      if (canonical(known->path) == key) return *known;
    Diagnostics mistakes;
    auto bench = open_bench(path, mistakes);
    configurations_.push_back(std::make_unique<Configuration>(path, std::move(bench)));
    configurations_.back()->mistakes = std::move(mistakes);
    return *configurations_.back();
  }

  void cases(PolicyTests tests, Configuration& configuration, FileReport& report) {
    for (const auto& [text, place] : tests.equivalent_mutants)
      configuration.equivalent_mutants.push_back({text, place});
    for (PolicyCase& test : tests.cases) {
      if (full_name(test).find(options_.filter) == std::string::npos) {
        ++report.left_out;
        continue;
      }
      any_chosen_ = true;
      RanCase one{std::move(test), {}, !report_.stopped, {}};
      if (one.ran) run(one, configuration);
      report.cases.push_back(std::move(one));
    }
  }

  void run(RanCase& one, Configuration& configuration) {
    one.result = run_case(*configuration.bench, one.test);
    configuration.counter->add(one.test, one.result);
    configuration.cases.push_back(one.test);
    if (one.result.passed) return;
    configuration.passed = false;
    one.failure = failure_text(*configuration.bench, one.test, one.result);
    report_.stopped = options_.fail_fast;
  }

  void measure(const Configuration& configuration) {
    ConfigReport report{configuration.path, configuration.counter->result(), {}};
    // Cases that fail already kill everything: mutants would say nothing.
    if (options_.mutate && configuration.passed && !report_.stopped) report.mutants = mutate(configuration);
    report_.configs.push_back(std::move(report));
  }

  MutantReport mutate(const Configuration& configuration) const {
    MutantReport report;
    report.tried = true;
    const PolicyBench& bench = *configuration.bench;
    std::set<std::string> listed, survived;
    for (const PolicyItem& item : configuration.equivalent_mutants) listed.insert(item.text);
    const auto use = [&](const Mutant& mutant) {
      const auto table = minibgp::compile_policies(mutant.library);
      if (!table) return;  // It breaks a rule of the language: such a configuration is refused.
      ++report.all;
      const bool killed = std::any_of(configuration.cases.begin(), configuration.cases.end(),
                                      [&](const PolicyCase& test) { return !run_case(bench, test, &*table).passed; });
      if (killed) {
        ++report.killed;
        return;
      }
      survived.insert(mutant.text);
      (listed.count(mutant.text) != 0 ? report.equivalent : report.survivors)
          .push_back({mutant.text, bench.sources().place(mutant.mark)});
    };
    const MutantOptions how{.sample = options_.mutate_sample};
    for (SampledSet& set : each_mutant(bench.library(), how, use))
      report.sampled.emplace_back(set, bench.sources().place(set.mark));
    for (const PolicyItem& item : configuration.equivalent_mutants)
      if (survived.count(item.text) == 0) report.wrongly_listed.push_back(item);
    return report;
  }

  const TestOptions& options_;
  TestReport report_;
  std::vector<std::unique_ptr<Configuration>> configurations_;
  std::set<std::string> files_;
  bool any_chosen_ = false;
};

bool write(const std::string& path, const std::string& text) {
  std::ofstream out(path);
  out << text;
  out.close();
  return out.good();
}

}  // namespace

Exit run_policy_test(const TestOptions& options, const Common& common) {
  if (options.tap && common.json) return fail(Exit::bad_input, "--tap and --json exclude each other");
  const TestReport report = TestRun(options).run();
  const std::vector<Check> checks = checks_of(report, options);
  if (options.tap) {
    std::cout << to_tap(checks);
  } else if (common.json) {
    std::cout << to_json(report, options).dump(2) << '\n';
  } else {
    std::cout << to_text(report, options);
  }
  const bool written = options.junit.empty() || write(options.junit, to_junit(checks));
  Diagnostics mistakes;
  for (const FileReport& file : report.files)
    for (const Diagnostic& one : file.mistakes.all()) mistakes.add(one);
  if (mistakes.has_errors()) return complain(mistakes);
  if (!written) return fail(Exit::io, "cannot write '" + options.junit + "'");
  const auto bad = [](const Check& check) { return check.outcome == Check::Outcome::failed; };
  return std::any_of(checks.begin(), checks.end(), bad) ? Exit::assertion_failed : Exit::ok;
}

}  // namespace bgplite::cli
