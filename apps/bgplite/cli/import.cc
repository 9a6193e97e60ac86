/// bgplite import frr, import swanctl: another program's configuration as ours.
#include <apps/bgplite/cli/compressed_file.h>
#include <apps/bgplite/cli/import_frr.h>
#include <apps/bgplite/cli/import_swanctl.h>
#include <apps/bgplite/cli/verbs.h>

#include <iostream>
#include <memory>
#include <string>

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

Exit run_import(const Source& source, const std::string& file, const Common& common) {
  std::string error;
  const auto octets = read_whole_file(file, error);
  if (!octets) return fail(Exit::io, file + ": " + error);
  const auto imported = source.import({reinterpret_cast<const char*>(octets->data()), octets->size()});
  if (!imported) return fail(Exit::bad_input, file + ":" + imported.error());
  // Another kind of file parses as nothing.
  if (imported->yaml.empty()) return fail(Exit::bad_input, file + ": nothing of " + source.file + " was found in it");
  if (common.json) {
    nlohmann::ordered_json left = nlohmann::ordered_json::array();
    for (const Imported::Left& one : imported->left_out)
      left.push_back({{"line", one.line}, {"text", one.text}, {"why", one.why}});
    std::cout << nlohmann::ordered_json{{"yaml", imported->yaml}, {"left_out", left}}.dump(2) << '\n';
    return Exit::ok;
  }
  std::cout << imported->yaml;
  // As comments behind the configuration, so that the whole is a file that works.
  for (const Imported::Left& one : imported->left_out)
    std::cout << "# " << file << ':' << one.line << ": " << one.text << "  -- " << one.why << '\n';
  // To the error stream, where it is seen although the output goes into a file.
  if (!imported->left_out.empty())
    std::cerr << "bgplite: " << imported->left_out.size() << " lines of " << file
              << " were not carried over as they are; they are listed at the end\n";
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
