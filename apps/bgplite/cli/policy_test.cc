/// bgplite policy test: cases, coverage, mutants, and their reports as text, JSON and JUnit XML.
#include <apps/bgplite/cli/policy_mutate.h>
#include <apps/bgplite/cli/policy_run.h>
#include <apps/bgplite/cli/policy_verbs.h>
#include <bgp/text.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>

#include <nlohmann/json.hpp>

namespace bgplite::cli {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

struct Ran {
  PolicyCase test;
  CaseResult result;
};

struct MutantReport {
  std::size_t all = 0, killed = 0, impossible = 0;
  std::vector<CoverageItem> survivors, equivalent;
  std::vector<CoverageItem> wrongly_listed;  ///< As equivalent, though a case kills them or they do not exist.
};

struct FileReport {
  std::string file;
  std::vector<Ran> cases;
  Coverage coverage;
  MutantReport mutants;
};

std::string full_name(const PolicyCase& test) { return (test.group.empty() ? "" : test.group + " / ") + test.name; }
std::string at(const Place& place) {
  return place.file + ":" + std::to_string(place.line) + ":" + std::to_string(place.column);
}

/// Files as given; of a directory, every *_test.yaml and *_test.yml in it and below, sorted.
std::vector<std::string> files_of(const std::vector<std::string>& paths, std::string& error) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code code;
    if (!fs::is_directory(path, code)) {
      files.push_back(path);
      continue;
    }
    std::vector<std::string> found;
    // Errors end the walk and are no exception; a directory that cannot be read has no tests.
    for (fs::recursive_directory_iterator each(path, code), end; !code && each != end; each.increment(code)) {
      const std::string name = each->path().filename().string();
      if (name.ends_with("_test.yaml") || name.ends_with("_test.yml")) found.push_back(each->path().string());
    }
    if (found.empty()) error = path + ": no *_test.yaml in this directory";
    std::sort(found.begin(), found.end());
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

bool fails_some_case(const PolicyBench& bench, const PolicyTests& tests, const minibgp::PolicyTable& table) {
  return std::any_of(tests.cases.begin(), tests.cases.end(),
                     // Stops at the first case that fails: most mutants end there.
                     [&](const PolicyCase& test) { return !run_case(bench, test, &table).passed; });
}

MutantReport mutate(const PolicyBench& bench, const PolicyTests& tests, const std::vector<Ran>& cases) {
  MutantReport report;
  std::set<std::string> policies;
  for (const Ran& ran : cases)
    // What is built in has no terms to change.
    if (!ran.result.seat.built_in) policies.insert(ran.result.seat.policy);
  std::set<std::string> listed, survived;
  // Known by their text, which is unique (see Mutator::with()).
  for (const auto& [text, place] : tests.equivalent_mutants) listed.insert(text);
  each_mutant(bench.library(), policies, [&](const Mutant& mutant) {
    // A change may make what does not compile, such as a call in a circle.
    const auto table = minibgp::compile_policies(mutant.library);
    if (!table) {
      ++report.impossible;
      return;
    }
    ++report.all;
    if (fails_some_case(bench, tests, *table)) {
      ++report.killed;
      return;
    }
    survived.insert(mutant.text);
    const Place place = bench.sources().place(mutant.mark);
    (listed.count(mutant.text) != 0 ? report.equivalent : report.survivors).push_back({mutant.text, place});
  });
  for (const auto& [text, place] : tests.equivalent_mutants)
    // Killed, or no mutant at all: the list would hide the next one of that name.
    if (survived.count(text) == 0) report.wrongly_listed.push_back({text, place});
  return report;
}

FileReport run_file(const PolicyTests& tests, const PolicyBench& bench, bool with_mutants) {
  FileReport report{tests.file, {}, {}, {}};
  CoverageCounter counter(bench);
  for (const PolicyCase& test : tests.cases) {
    // Without a table: the policies as they are.
    report.cases.push_back({test, run_case(bench, test)});
    counter.add(test, report.cases.back().result);
  }
  report.coverage = counter.result();
  const bool passed =
      std::all_of(report.cases.begin(), report.cases.end(), [](const Ran& ran) { return ran.result.passed; });
  // Cases that fail already kill everything: mutants would say nothing.
  if (with_mutants && passed) report.mutants = mutate(bench, tests, report.cases);
  return report;
}

// --- Reports -------------------------------------------------------------------------------------------------------

std::string failure_text(const Ran& ran) {
  // The case could not be run: there is nothing to compare.
  if (!ran.result.error.empty()) return ran.result.error + "\n";
  std::string text;
  for (const std::string& line : ran.result.differences) text += line + "\n";
  const minibgp::PolicyTrace& trace = ran.result.trace;
  text += std::string("  ") + (trace.accepted ? "accepted" : "rejected") + " by " +
          (trace.policy.empty() ? ran.result.seat.policy : trace.policy) + " / " + trace.term + "\n";
  return text;
}

void print(const FileReport& report, const TestOptions& options) {
  std::size_t failed = 0;
  for (const Ran& ran : report.cases) {
    if (ran.result.passed) continue;
    ++failed;
    std::cout << "FAIL " << at(ran.test.place) << ": " << full_name(ran.test) << '\n';
    std::istringstream lines(failure_text(ran));
    for (std::string line; std::getline(lines, line);) std::cout << "  " << line << '\n';
  }
  std::cout << report.file << ": " << report.cases.size() - failed << " passed, " << failed << " failed\n";
  const Coverage& coverage = report.coverage;
  // Below 0: no bound was given.
  if (options.coverage || options.min_coverage >= 0) {
    std::cout << "coverage: " << coverage.percent() << "% (terms " << coverage.terms - coverage.terms_missed.size()
              << "/" << coverage.terms << ", set entries " << coverage.entries - coverage.entries_missed.size() << "/"
              << coverage.entries << ")\n";
    for (const auto* missed : {&coverage.terms_missed, &coverage.entries_missed})
      for (const CoverageItem& item : *missed)
        std::cout << "  not reached: " << item.text << "  (" << at(item.place) << ")\n";
  }
  if (!options.mutate) return;
  if (failed != 0) {
    std::cout << "mutants: not tried while cases fail\n";
    return;
  }
  const MutantReport& mutants = report.mutants;
  std::cout << "mutants: " << mutants.all << ", killed " << mutants.killed << ", equivalent "
            << mutants.equivalent.size() << ", survived " << mutants.survivors.size() << '\n';
  for (const CoverageItem& item : mutants.survivors)
    std::cout << "  survived: " << item.text << "  (" << at(item.place) << ")\n";
  for (const CoverageItem& item : mutants.wrongly_listed)
    std::cout << "  listed as equivalent, but killed or unknown: " << item.text << "  (" << at(item.place) << ")\n";
}

Json items_json(const std::vector<CoverageItem>& items) {
  Json list = Json::array();
  for (const CoverageItem& item : items)
    list.push_back({{"text", item.text}, {"file", item.place.file}, {"line", item.place.line}});
  return list;
}

Json to_json(const FileReport& report, const TestOptions& options) {
  Json cases = Json::array();
  for (const Ran& ran : report.cases) {
    Json one{{"name", ran.test.name},
             {"group", ran.test.group},
             {"line", ran.test.place.line},
             {"passed", ran.result.passed}};
    if (!ran.result.error.empty()) one["error"] = ran.result.error;
    if (!ran.result.passed) {
      one["differences"] = ran.result.differences;
      one["action"] = ran.result.trace.accepted ? "accept" : "reject";
      one["term"] = ran.result.trace.term;
    }
    cases.push_back(std::move(one));
  }
  Json json{{"file", report.file}, {"cases", cases}};
  json["coverage"] = {{"percent", report.coverage.percent()},
                      {"terms", report.coverage.terms},
                      {"terms_not_reached", items_json(report.coverage.terms_missed)},
                      {"entries", report.coverage.entries},
                      {"entries_not_reached", items_json(report.coverage.entries_missed)}};
  if (options.mutate)
    json["mutants"] = {{"all", report.mutants.all},
                       {"killed", report.mutants.killed},
                       {"equivalent", items_json(report.mutants.equivalent)},
                       {"survived", items_json(report.mutants.survivors)},
                       {"wrongly_listed", items_json(report.mutants.wrongly_listed)}};
  return json;
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      // Control characters are not XML, even escaped.
      default:
        out += static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' ? '?' : c;
    }
  }
  return out;
}

bool write_junit(const std::string& path, const std::vector<FileReport>& reports) {
  std::ofstream out(path);
  out << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n";
  for (const FileReport& report : reports) {
    const auto failed =
        std::count_if(report.cases.begin(), report.cases.end(), [](const Ran& ran) { return !ran.result.passed; });
    // Of all failures, also those that could not run.
    out << "  <testsuite name=\"" << escaped(report.file) << "\" tests=\"" << report.cases.size() << "\" failures=\""
        << failed << "\">\n";
    for (const Ran& ran : report.cases) {
      out << "    <testcase classname=\"" << escaped(ran.test.group.empty() ? report.file : ran.test.group)
          << "\" name=\"" << escaped(ran.test.name) << "\" file=\"" << escaped(ran.test.place.file) << "\" line=\""
          << ran.test.place.line << "\"";
      if (ran.result.passed) {
        out << "/>\n";
      } else {
        out << ">\n      <failure message=\""
            << escaped(ran.result.error.empty() ? "not as expected" : ran.result.error) << "\">"
            << escaped(failure_text(ran)) << "</failure>\n    </testcase>\n";
      }
    }
    out << "  </testsuite>\n";
  }
  out << "</testsuites>\n";
  // Before good(): what is still buffered may not fit on the disk.
  out.close();
  return out.good();
}

bool as_wished(const FileReport& report, const TestOptions& options) {
  const bool passed =
      std::all_of(report.cases.begin(), report.cases.end(), [](const Ran& ran) { return ran.result.passed; });
  const bool covered =
      options.min_coverage < 0 || report.coverage.percent() >= static_cast<std::size_t>(options.min_coverage);
  return passed && covered && report.mutants.survivors.empty() && report.mutants.wrongly_listed.empty();
}

}  // namespace

Exit run_policy_test(const TestOptions& options, const Common& common) {
  std::string error;
  const std::vector<std::string> files = files_of(options.paths, error);
  if (!error.empty()) return fail(Exit::io, error);
  Diagnostics diagnostics;
  std::vector<FileReport> reports;
  for (const std::string& file : files) {
    Diagnostics found;
    const PolicyTests tests = read_policy_tests(file, found);
    std::optional<PolicyBench> bench;
    // A file with mistakes is left out, and the others run all the same, so that all mistakes are shown.
    if (!found.has_errors()) bench = open_bench(tests.config, found);
    for (const Diagnostic& one : found.all()) diagnostics.add(one);
    if (bench) reports.push_back(run_file(tests, *bench, options.mutate));
  }
  if (diagnostics.has_errors()) return complain(diagnostics);
  if (!options.junit.empty() && !write_junit(options.junit, reports))
    return fail(Exit::io, "cannot write '" + options.junit + "'");
  if (common.json) {
    Json all = Json::array();
    for (const FileReport& report : reports) all.push_back(to_json(report, options));
    std::cout << all.dump(2) << '\n';
  } else {
    for (const FileReport& report : reports) print(report, options);
  }
  const bool good =
      std::all_of(reports.begin(), reports.end(), [&](const FileReport& report) { return as_wished(report, options); });
  return good ? Exit::ok : Exit::assertion_failed;
}

}  // namespace bgplite::cli
