#include <apps/bgplite/cli/compressed_file.h>
#include <apps/bgplite/cli/decide_command.h>
#include <apps/bgplite/cli/message_json.h>
#include <apps/bgplite/json_text.h>

#include <iostream>
#include <map>
#include <memory>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace bgplite::cli {
namespace {

using Json = nlohmann::ordered_json;
using minibgp::Multipath;

}  // namespace

Exit run_decide(const DecideVerb& verb, std::ostream& out) {
  std::string error;
  const auto file = read_whole_file(verb.file, error);
  if (!file) return fail(Exit::io, error);
  JsonProblem wrong{};
  const Json list = parse_json<Json>(*file, wrong).value_or(Json());
  if (!list.is_array()) return fail(Exit::bad_input, verb.file + ": not a JSON list of paths");
  std::vector<minibgp::DecideInput> paths;
  for (const Json& json : list) {
    paths.push_back(path_from_json(json, error));
    if (!error.empty())
      return fail(Exit::bad_input, verb.file + ": path " + std::to_string(paths.size() - 1) + ": " + error);
  }
  Json best = nullptr, ecmp = Json::array(), order = Json::array();
  for (const minibgp::Ranked& ranked : minibgp::decide(paths, verb.options)) {
    if (ranked.best) best = ranked.index;
    if (ranked.multipath) ecmp.push_back(ranked.index);
    order.push_back({{"path", ranked.index}, {"rule", minibgp::to_text(ranked.rule)}});
  }
  out << Json{{"best", best}, {"ecmp", ecmp}, {"order", order}}.dump() << '\n';
  return Exit::ok;
}

void add_decide(Verbs& verbs) {
  auto decide = std::make_shared<DecideVerb>();
  CLI::App& verb = verbs.add(
      "decide",
      "Decide between paths: their order, the best, the ECMP set, and the rule that decides against the best");
  verb.add_option("FILE", decide->file,
                  "JSON list of paths: attributes (as decode prints them), peer, peer_type, router_id, path_id, "
                  "igp_cost, weight, usable, default_local_pref; - is standard input")
      ->required();
  verb.add_option("--maximum-paths", decide->options.maximum_paths, "How many paths may share the traffic (1 to 64)")
      ->check(CLI::Range(1, 64));
  const std::map<std::string, Multipath> kMultipath{
      {"exact", Multipath::exact}, {"neighbor-as", Multipath::neighbor_as}, {"relax", Multipath::relax}};
  verb.add_option_function<std::string>(
          "--multipath",
          [decide, kMultipath](const std::string& name) { decide->options.multipath = kMultipath.at(name); },
          "Which paths may join the best: exact, neighbor-as or relax")
      ->check(CLI::IsMember({"exact", "neighbor-as", "relax"}));
  verb.add_flag("--always-compare-med", decide->options.always_compare_med, "Also between different neighboring ASes");
  verbs.action(verb, [decide] { return run_decide(*decide, std::cout); });
}

}  // namespace bgplite::cli
