/// bgplite import frr: another daemon's configuration as ours.
#include <apps/bgplite/cli/compressed_file.h>
#include <apps/bgplite/cli/import_frr.h>
#include <apps/bgplite/cli/verbs.h>

#include <iostream>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace bgplite::cli {
namespace {

Exit run_import_frr(const std::string& file, const Common& common) {
  std::string error;
  const auto octets = read_whole_file(file, error);
  if (!octets) return fail(Exit::io, file + ": " + error);
  const ImportedFrr imported = import_frr({reinterpret_cast<const char*>(octets->data()), octets->size()});
  if (imported.yaml.empty()) return fail(Exit::bad_input, file + ": nothing of frr.conf was found in it");
  if (common.json) {
    nlohmann::ordered_json left = nlohmann::ordered_json::array();
    for (const ImportedFrr::Left& one : imported.left_out)
      left.push_back({{"line", one.line}, {"text", one.text}, {"why", one.why}});
    std::cout << nlohmann::ordered_json{{"yaml", imported.yaml}, {"left_out", left}}.dump(2) << '\n';
    return Exit::ok;
  }
  std::cout << imported.yaml;
  for (const ImportedFrr::Left& one : imported.left_out)
    std::cout << "# " << file << ':' << one.line << ": " << one.text << "  -- " << one.why << '\n';
  if (!imported.left_out.empty())
    std::cerr << "bgplite: " << imported.left_out.size() << " lines of " << file
              << " were not carried over as they are; they are listed at the end\n";
  return Exit::ok;
}

}  // namespace

void add_import(Verbs& verbs) {
  CLI::App& import = verbs.add("import", "Another daemon's configuration as ours, on standard output");
  import.require_subcommand(1);
  CLI::App& frr = verbs.add("frr", "frr.conf: BGP, static routes, route-maps and lists", &import);
  auto file = std::make_shared<std::string>();
  frr.add_option("FILE", *file, "frr.conf; - is standard input")->required();
  verbs.action(frr, [file, &common = verbs.common()] { return run_import_frr(*file, common); });
}

}  // namespace bgplite::cli
