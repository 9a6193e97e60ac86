#include <apps/bgplite/cli/policy_report.h>
#include <apps/bgplite/cli/policy_trace.h>

#include <algorithm>

#include <nlohmann/json.hpp>

namespace bgplite::cli {
namespace {

using Json = nlohmann::ordered_json;
using Outcome = Check::Outcome;

bool failed(const RanCase& one) { return one.ran && !one.result.passed; }

bool covered(const Coverage& coverage, const TestOptions& options) {
  return coverage.cases > 0 && coverage.percent() >= static_cast<std::size_t>(options.min_coverage);
}

bool killed_enough(const MutantReport& mutants, const TestOptions& options) {
  const std::size_t possible = mutants.all - mutants.equivalent.size();
  return mutants.wrongly_listed.empty() &&
         mutants.killed * 100 >= possible * static_cast<std::size_t>(options.min_killed);
}

std::string coverage_text(const Coverage& coverage) {
  const auto of = [](std::size_t all, const std::vector<PolicyItem>& missed) {
    return std::to_string(all - missed.size()) + "/" + std::to_string(all);
  };
  return std::to_string(coverage.percent()) + "% (terms " + of(coverage.terms, coverage.terms_missed) +
         ", set entries " + of(coverage.entries, coverage.entries_missed) + ")";
}

std::string mutants_text(const MutantReport& mutants) {
  return std::to_string(mutants.all) + ", killed " + std::to_string(mutants.killed) + ", equivalent " +
         std::to_string(mutants.equivalent.size()) + ", survived " + std::to_string(mutants.survivors.size());
}

std::string lines_of(const std::vector<PolicyItem>& items, const std::string& what) {
  std::string text;
  for (const PolicyItem& item : items) text += "  " + what + ": " + item.text + "  (" + place_text(item.place) + ")\n";
  return text;
}

std::string missed_text(const Coverage& coverage) {
  return lines_of(coverage.terms_missed, "not reached") + lines_of(coverage.entries_missed, "not reached");
}

// --- Checks ----------------------------------------------------------------------------------------------------------

void add_cases(const FileReport& file, std::vector<Check>& checks) {
  if (file.mistakes.has_errors()) {
    checks.push_back({file.file,
                      "",
                      "can be read",
                      {file.file, 1, 1},
                      Outcome::error,
                      std::to_string(file.mistakes.all().size()) + " mistakes",
                      file.mistakes.to_text()});
    return;
  }
  for (const RanCase& one : file.cases) {
    Check check{file.file, one.test.group, one.test.name, one.test.place, Outcome::passed, "", one.failure};
    if (!one.ran) {
      check.outcome = Outcome::skipped;
      check.message = "--fail-fast";
    } else if (!one.result.passed) {
      check.outcome = Outcome::failed;
      check.message = one.result.error.empty() ? "not as expected" : one.result.error;
    }
    checks.push_back(std::move(check));
  }
}

void add_config(const ConfigReport& config, const TestReport& report, const TestOptions& options,
                std::vector<Check>& checks) {
  const Place whole{config.config, 1, 1};
  const auto add = [&](const std::string& name, Outcome outcome, const std::string& message, const std::string& details,
                       const Place& place) {
    checks.push_back({config.config, "", name, place, outcome, message, details});
  };
  if (options.min_coverage >= 0) {
    const bool good = covered(config.coverage, options);
    const Outcome outcome = report.stopped ? Outcome::skipped : good ? Outcome::passed : Outcome::failed;
    add("coverage of at least " + std::to_string(options.min_coverage) + "%", outcome,
        config.coverage.cases == 0 ? "no case ran" : coverage_text(config.coverage), missed_text(config.coverage),
        whole);
  }
  if (!options.mutate) return;
  const MutantReport& mutants = config.mutants;
  if (!mutants.tried || killed_enough(mutants, options)) {
    add("mutants are killed", mutants.tried ? Outcome::passed : Outcome::skipped,
        mutants.tried ? mutants_text(mutants) : "not tried while cases fail", "", whole);
    return;
  }
  for (const PolicyItem& item : mutants.survivors)
    add("mutant: " + item.text, Outcome::failed, "survived: no case notices it", "", item.place);
  for (const PolicyItem& item : mutants.wrongly_listed)
    add("mutant: " + item.text, Outcome::failed, "listed as equivalent, but killed or unknown", "", item.place);
}

// --- Text ------------------------------------------------------------------------------------------------------------

std::string indented(const std::string& text, const std::string& by) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    out += by + text.substr(at, end - at) + "\n";
    at = end + 1;
  }
  return out;
}

std::string file_text(const FileReport& file) {
  if (file.mistakes.has_errors())
    return file.file + ": not run, " + std::to_string(file.mistakes.all().size()) + " mistakes\n";
  std::string text;
  for (const RanCase& one : file.cases)
    if (failed(one))
      text += "FAIL " + place_text(one.test.place) + ": " + full_name(one.test) + "\n" + indented(one.failure, "  ");
  const auto bad = std::count_if(file.cases.begin(), file.cases.end(), failed);
  const auto ran = std::count_if(file.cases.begin(), file.cases.end(), [](const RanCase& one) { return one.ran; });
  return text + file.file + ": " + std::to_string(ran - bad) + " passed, " + std::to_string(bad) + " failed\n";
}

std::string config_text(const ConfigReport& config, const TestReport& report, const TestOptions& options) {
  std::string text;
  if (options.coverage || options.min_coverage >= 0) {
    const std::string measured = coverage_text(config.coverage) + "\n" + missed_text(config.coverage);
    text += "coverage of " + config.config + ": " + (report.stopped ? "not measured, the run was ended\n" : measured);
  }
  if (!options.mutate) return text;
  const MutantReport& mutants = config.mutants;
  text += "mutants of " + config.config + ": " +
          (mutants.tried ? mutants_text(mutants) : std::string("not tried while cases fail")) + "\n";
  for (const auto& [set, place] : mutants.sampled)
    text += "  sampled: " + std::to_string(set.mutated) + " of the " + std::to_string(set.entries) +
            " entries of set " + set.name + " were mutated (--mutate-sample)  (" + place_text(place) + ")\n";
  return text + lines_of(mutants.survivors, "survived") +
         lines_of(mutants.wrongly_listed, "listed as equivalent, but killed or unknown");
}

struct Totals {
  std::size_t passed = 0, failed = 0, not_run = 0, left_out = 0, files_with_mistakes = 0;
};
Totals totals_of(const TestReport& report) {
  Totals totals;
  for (const FileReport& file : report.files) {
    totals.left_out += file.left_out;
    totals.files_with_mistakes += file.mistakes.has_errors() ? 1 : 0;
    for (const RanCase& one : file.cases) ++(!one.ran ? totals.not_run : failed(one) ? totals.failed : totals.passed);
  }
  return totals;
}

// --- JSON ------------------------------------------------------------------------------------------------------------

Json items_json(const std::vector<PolicyItem>& items) {
  Json list = Json::array();
  for (const PolicyItem& item : items)
    list.push_back({{"text", item.text}, {"file", item.place.file}, {"line", item.place.line}});
  return list;
}

Json to_json(const RanCase& one) {
  Json json{{"name", one.test.name}, {"group", one.test.group}, {"line", one.test.place.line}, {"ran", one.ran}};
  if (!one.ran) return json;
  json["passed"] = one.result.passed;
  if (one.result.passed) return json;
  json["route"] = bgplite::to_text(one.test.route);
  json["failure"] = one.failure;
  if (!one.result.error.empty()) {
    json["error"] = one.result.error;
    return json;
  }
  json["differences"] = Json::array();
  for (const Difference& difference : one.result.differences)
    json["differences"].push_back(
        {{"what", difference.what}, {"expected", difference.expected}, {"got", difference.got}});
  json["action"] = one.result.trace.accepted ? "accept" : "reject";
  json["decided_by"] = {{"policy", one.result.trace.policy}, {"term", one.result.trace.term}};
  return json;
}

Json to_json(const FileReport& file) {
  Json json{{"file", file.file}, {"left_out", file.left_out}, {"cases", Json::array()}, {"mistakes", Json::array()}};
  for (const RanCase& one : file.cases) json["cases"].push_back(to_json(one));
  for (const Diagnostic& one : file.mistakes.all())
    json["mistakes"].push_back(
        {{"file", one.file}, {"line", one.line}, {"column", one.column}, {"text", one.text}, {"hint", one.hint}});
  return json;
}

Json to_json(const ConfigReport& config, const TestReport& report, const TestOptions& options) {
  Json json{{"config", config.config}};
  const Coverage& coverage = config.coverage;
  if (!report.stopped)
    json["coverage"] = {{"percent", coverage.percent()},
                        {"terms", coverage.terms},
                        {"terms_not_reached", items_json(coverage.terms_missed)},
                        {"entries", coverage.entries},
                        {"entries_not_reached", items_json(coverage.entries_missed)}};
  if (!options.mutate) return json;
  const MutantReport& mutants = config.mutants;
  Json sampled = Json::array();
  for (const auto& [set, place] : mutants.sampled)
    sampled.push_back({{"set", set.name}, {"entries", set.entries}, {"mutated", set.mutated}});
  json["mutants"] = {{"tried", mutants.tried},
                     {"all", mutants.all},
                     {"killed", mutants.killed},
                     {"equivalent", items_json(mutants.equivalent)},
                     {"survived", items_json(mutants.survivors)},
                     {"wrongly_listed", items_json(mutants.wrongly_listed)},
                     {"sampled", sampled}};
  return json;
}

}  // namespace

std::string failure_text(const PolicyBench& bench, const PolicyCase& test, const CaseResult& result) {
  if (!result.error.empty()) return result.error + "\n";
  std::size_t what = 0, expected = std::string_view{"expected"}.size();
  for (const Difference& one : result.differences) {
    what = std::max(what, one.what.size());
    expected = std::max(expected, one.expected.size());
  }
  const auto row = [&](const std::string& name, const std::string& wanted, const std::string& got) {
    return name + std::string(what + 2 - name.size(), ' ') + wanted + std::string(expected + 2 - wanted.size(), ' ') +
           got + "\n";
  };
  std::string text = (test.policy.empty() ? "peer " + test.peer : "policy " + test.policy) +
                     (result.seat.direction == minibgp::Direction::import ? ", import: " : ", export: ") +
                     bgplite::to_text(test.route) + "\n" + row("", "expected", "got");
  for (const Difference& one : result.differences) text += row(one.what, one.expected, one.got);
  const minibgp::PolicyTrace& trace = result.trace;
  return text + (trace.accepted ? "accepted by " : "rejected by ") + deciding_text(bench, result.seat, trace) + "\n" +
         terms_text(trace);
}

std::vector<Check> checks_of(const TestReport& report, const TestOptions& options) {
  std::vector<Check> checks;
  for (const FileReport& file : report.files) add_cases(file, checks);
  for (const ConfigReport& config : report.configs) add_config(config, report, options, checks);
  return checks;
}

std::string to_text(const TestReport& report, const TestOptions& options) {
  std::string text;
  for (const FileReport& file : report.files) text += file_text(file);
  for (const ConfigReport& config : report.configs) text += config_text(config, report, options);
  const Totals totals = totals_of(report);
  text += "total: " + std::to_string(totals.passed) + " passed, " + std::to_string(totals.failed) + " failed";
  if (totals.not_run != 0) text += ", " + std::to_string(totals.not_run) + " not run after the first failure";
  if (totals.left_out != 0) text += ", " + std::to_string(totals.left_out) + " left out by --filter";
  if (totals.files_with_mistakes != 0)
    text += ", " + std::to_string(totals.files_with_mistakes) + " files not run because of mistakes";
  return text + "\n";
}

Json to_json(const TestReport& report, const TestOptions& options) {
  const Totals totals = totals_of(report);
  Json json{{"files", Json::array()},
            {"configurations", Json::array()},
            {"total",
             {{"passed", totals.passed},
              {"failed", totals.failed},
              {"not_run", totals.not_run},
              {"left_out", totals.left_out},
              {"files_with_mistakes", totals.files_with_mistakes}}}};
  for (const FileReport& file : report.files) json["files"].push_back(to_json(file));
  for (const ConfigReport& config : report.configs) json["configurations"].push_back(to_json(config, report, options));
  return json;
}

}  // namespace bgplite::cli
