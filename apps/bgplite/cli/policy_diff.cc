/// bgplite policy diff: a table of routes through two versions of a policy, and every route they treat differently.
#include <apps/bgplite/cli/compressed_file.h>
#include <apps/bgplite/cli/policy_differ.h>
#include <apps/bgplite/cli/policy_verbs.h>
#include <apps/bgplite/cli/rib_file.h>

#include <algorithm>
#include <iostream>

#include <nlohmann/json.hpp>

namespace bgplite::cli {
namespace {

using Json = nlohmann::ordered_json;

/// Rows of the summary that are printed; JSON has all of them.
constexpr std::size_t kSummaryRows = 100;

std::string fate_text(const DiffGroup& group) {
  switch (group.fate) {
    case Fate::now_accepted:
      return "now accepted";
    case Fate::now_rejected:
      return "now rejected";
    case Fate::changed:
      return "changed";
  }
  return "";
}

std::string peer_text(const std::string& peer, const DiffOptions& options) {
  if (peer.empty()) return "";
  return (options.direction == "export" ? "  to " : "  from ") + peer;
}

void print(const DiffReport& report, const DiffOptions& options) {
  for (const Listed& one : report.listed) {
    const DiffGroup& group = *one.group;
    std::cout << fate_text(group) << "  " << one.prefix << peer_text(group.peer, options) << '\n'
              << "  old: " << group.before << '\n'
              << "  new: " << group.after << '\n';
    for (const AttributeChange& change : one.changes)
      std::cout << "  " << change.name << ": " << change.before << " -> " << change.after << '\n';
  }
  const std::size_t different = report.counts.different();
  if (different > report.listed.size())
    std::cout << different - report.listed.size() << " of " << different << " differences are not listed (--max "
              << options.max << ")\n";
  const std::vector<const DiffGroup*> groups = report.largest_first();
  if (!groups.empty()) std::cout << "summary:\n";
  for (std::size_t i = 0; i < std::min(groups.size(), kSummaryRows); ++i) {
    const DiffGroup& group = *groups[i];
    std::cout << "  " << group.count << "  " << fate_text(group)
              << (group.attributes.empty() ? "" : " " + group.attributes) << peer_text(group.peer, options) << "  "
              << group.before << " -> " << group.after << "  (first: " << group.first << ")\n";
  }
  if (groups.size() > kSummaryRows)
    std::cout << "  " << groups.size() - kSummaryRows << " more kinds of differences; --json has them\n";
}

void print_totals(const DiffReport& report, const RibSummary& summary, const DiffOptions& options) {
  const Counts& counts = report.counts;
  std::cout << summary.routes << " routes";
  if (report.peers != 0) std::cout << " to " << report.peers << " peers";
  std::cout << ": " << counts.now_accepted << " now accepted, " << counts.now_rejected << " now rejected, "
            << counts.changed << " with changed attributes, "
            << counts.accepted_by_both + counts.rejected_by_both - counts.changed << " the same ("
            << counts.accepted_by_both - counts.changed << " accepted, " << counts.rejected_by_both << " rejected)\n";
  if (report.not_advertised != 0)
    std::cout << report.not_advertised << " were left out: not advertised to the peer they came from, or from one "
              << "internal peer to another\n";
  if (report.own != 0 && options.direction != "export")
    std::cout << report.own << " are our own: no import policy sees them\n";
  if (report.without_peer != 0)
    std::cout << report.without_peer << " routes come from peers that are not configured (" << report.unknown_peer
              << "); --peer or --policy says which policy is meant\n";
  for (const std::string& why : summary.incomplete) std::cout << "not the whole table: " << why << '\n';
}

Json to_json(const DiffReport& report, const RibSummary& summary) {
  const Counts& counts = report.counts;
  Json differences = Json::array();
  for (const Listed& one : report.listed) {
    Json json{{"prefix", one.prefix}, {"fate", fate_text(*one.group)}};
    if (!one.group->peer.empty()) json["peer"] = one.group->peer;
    json["old"] = one.group->before;
    json["new"] = one.group->after;
    for (const AttributeChange& change : one.changes)
      json["changes"][std::string(change.name)] = {{"before", change.before}, {"after", change.after}};
    differences.push_back(std::move(json));
  }
  Json kinds = Json::array();
  for (const DiffGroup* group : report.largest_first())
    kinds.push_back({{"count", group->count},
                     {"fate", fate_text(*group)},
                     {"attributes", group->attributes},
                     {"peer", group->peer},
                     {"old", group->before},
                     {"new", group->after},
                     {"first", group->first}});
  return {{"routes", summary.routes},
          {"skipped", summary.skipped},
          {"broken", summary.broken},
          {"incomplete", summary.incomplete},
          {"without_peer", report.without_peer},
          {"own", report.own},
          {"not_advertised", report.not_advertised},
          {"accepted_by_both", counts.accepted_by_both},
          {"rejected_by_both", counts.rejected_by_both},
          {"now_accepted", counts.now_accepted},
          {"now_rejected", counts.now_rejected},
          {"changed", counts.changed},
          {"summary", kinds},
          {"not_listed", counts.different() - report.listed.size()},
          {"differences", differences}};
}

/// A change that was found is certain, whatever the table lacks. That nothing changes is known only of a whole table
/// whose routes were all compared.
Exit exit_of(const DiffReport& report, const RibSummary& summary, const DiffOptions& options) {
  if (options.fail_on_change && report.counts.different() != 0) return Exit::assertion_failed;
  if (!summary.incomplete.empty()) return Exit::bad_input;
  if (summary.routes == 0 && !summary.problems.empty()) return Exit::bad_input;
  const bool all_compared = report.without_peer == 0 && summary.broken == 0;
  return options.fail_on_change && !all_compared ? Exit::bad_input : Exit::ok;
}

}  // namespace

Exit run_policy_diff(const DiffOptions& options, const Common& common) {
  Diagnostics diagnostics;
  const auto before = open_bench(options.before, diagnostics);
  const auto after = open_bench(options.after, diagnostics);
  if (!before || !after) return complain(diagnostics);
  Differ differ(*before, *after, options);
  if (const auto unknown = differ.unknown_name()) return fail(Exit::bad_input, *unknown);

  RibSummary summary;
  for (const std::string& path : options.ribs) {
    std::string error;
    const auto file = read_whole_file(path, error);
    if (!file) return fail(Exit::io, path + ": " + error);
    const RibUse use = options.direction == "export" ? RibUse::as_selected : RibUse::as_received;
    const std::size_t problems = summary.problems.size();
    if (!each_route(
            *file, use, [&](const PolicyRoute& route) { differ.route(route); }, summary, error))
      return fail(Exit::bad_input, path + ": " + error);
    for (std::size_t i = problems; i < summary.problems.size(); ++i)
      std::cerr << path << ": " << summary.problems[i] << '\n';
  }
  if (summary.routes == 0 && summary.incomplete.empty()) summary.incomplete.emplace_back("it has no routes");
  const DiffReport& report = differ.report();
  if (report.own_as_unknown) {
    diagnostics.add(*report.own_as_unknown);
    return complain(diagnostics);
  }
  if (common.json) {
    std::cout << to_json(report, summary).dump(2) << '\n';
  } else {
    print(report, options);
    print_totals(report, summary, options);
  }
  return exit_of(report, summary, options);
}

}  // namespace bgplite::cli
