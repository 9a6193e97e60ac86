/// bgplite import frr, import swanctl: another program's configuration as ours.
#include <apps/bgplite/cli/compressed_file.h>
#include <apps/bgplite/cli/import_frr.h>
#include <apps/bgplite/cli/import_swanctl.h>
#include <apps/bgplite/cli/verbs.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace bgplite::cli {
namespace {

struct Source {
  const char* name;
  const char* description;
  const char* file;  ///< How such a file is called.
  minibgp::Result<Imported, std::string> (*import)(std::string_view text);
};
constexpr Source kSources[] = {
    {"frr", "frr.conf: BGP, static routes, route-maps and lists", "frr.conf",
     [](std::string_view text) -> minibgp::Result<Imported, std::string> { return import_frr(text); }},
    {"swanctl", "swanctl.conf: the tunnels; keys are not copied, it says where they have to go", "swanctl.conf",
     import_swanctl},
};

nlohmann::ordered_json as_json(const std::vector<Imported::Left>& lines) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const Imported::Left& one : lines) {
    all.push_back({{"line", one.line}, {"text", one.text}, {"why", one.why}});
    if (one.closes) all.back()["closes"] = true;
  }
  return all;
}

std::string as_text(const Imported::Left& one) {
  return "line " + std::to_string(one.line) + ": " + one.text + ": " + one.why;
}

/// What refuses more than before stands first, also on standard error: the daemon that was replaced let it pass.
void print(const Imported& imported, const std::string& file) {
  const auto closes = std::count_if(imported.left_out.begin(), imported.left_out.end(),
                                    [](const Imported::Left& one) { return one.closes; });
  if (closes != 0) {
    std::cout << "# CLOSED: because of these lines of " << file << " routes are refused that were accepted before:\n";
    std::cerr << "bgplite: CLOSED: because of " << closes << " lines of " << file
              << " routes are refused that were accepted before:\n";
  }
  for (const Imported::Left& one : imported.left_out) {
    if (!one.closes) continue;
    std::cout << "# " << as_text(one) << '\n';
    std::cerr << "bgplite: " << as_text(one) << '\n';
  }
  std::cout << imported.yaml;
  const bool more = static_cast<std::size_t>(closes) != imported.left_out.size();
  if (more) std::cout << "# Not carried over from " << file << " as they are:\n";
  for (const Imported::Left& one : imported.left_out)
    if (!one.closes) std::cout << "# " << as_text(one) << '\n';
  if (!imported.left_out.empty())
    std::cerr << "bgplite: " << imported.left_out.size() << " lines of " << file
              << " were not carried over as they are; they are listed "
              << (closes == 0 ? "at the end\n" : "at the beginning and at the end\n");
}

Exit run_import(const Source& source, const std::string& file, const Common& common) {
  std::string error;
  const auto octets = read_whole_file(file, error);
  if (!octets) return fail(Exit::io, file + ": " + error);
  const auto imported = source.import({reinterpret_cast<const char*>(octets->data()), octets->size()});
  if (!imported) return fail(Exit::bad_input, file + ":" + imported.error());
  if (imported->yaml.empty()) return fail(Exit::bad_input, file + ": nothing of " + source.file + " was found in it");
  if (common.json) {
    std::cout << nlohmann::ordered_json{{"yaml", imported->yaml},
                                        {"left_out", as_json(imported->left_out)},
                                        {"without_effect", as_json(imported->without_effect)}}
                     .dump(2)
              << '\n';
    return Exit::ok;
  }
  print(*imported, file);
  return Exit::ok;
}

}  // namespace

void add_import(Verbs& verbs) {
  CLI::App& import = verbs.add("import", "Another program's configuration as ours, on standard output");
  import.require_subcommand(1);
  for (const Source& source : kSources) {
    CLI::App& verb = verbs.add(source.name, source.description, &import);
    auto file = std::make_shared<std::string>();
    verb.add_option("FILE", *file, std::string{source.file} + "; - is standard input")->required();
    verbs.action(verb, [file, &source, &common = verbs.common()] { return run_import(source, *file, common); });
  }
}

}  // namespace bgplite::cli
