/// bgplite check: is the configuration file right? All mistakes at once.
#include <apps/bgplite/cli/check_machine.h>
#include <apps/bgplite/cli/verbs.h>
#include <apps/bgplite/config/yaml.h>

#include <iostream>
#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace bgplite::cli {
namespace {

nlohmann::ordered_json to_json(const Loaded& loaded) {
  nlohmann::ordered_json found = nlohmann::ordered_json::array();
  for (const Diagnostic& one : loaded.diagnostics.all()) {
    found.push_back({{"file", one.file},
                     {"line", one.line},
                     {"column", one.column},
                     {"severity", one.severity == Severity::error ? "error" : "warning"},
                     {"text", one.text},
                     {"hint", one.hint}});
  }
  return {{"ok", !loaded.diagnostics.has_errors()}, {"diagnostics", found}};
}

struct CheckOptions {
  std::string file;
  bool strict = false, elsewhere = false;
};

Exit run_check(const std::string& file, const CheckOptions& options, bool json) {
  Loaded loaded = load_config(file, options.elsewhere ? host_files() : host_files_and_keys());
  if (!options.elsewhere) check_machine(loaded, this_machine());
  const bool failed = loaded.diagnostics.has_errors() || (options.strict && !loaded.diagnostics.empty());
  if (json) {
    std::cout << to_json(loaded).dump(2) << '\n';
  } else {
    std::cout << loaded.diagnostics.to_text();
    if (!failed)
      std::cout << file << ": ok: " << loaded.config.peers.size() << " peers, " << loaded.config.tunnels.size()
                << " tunnels, " << loaded.config.networks.size() << " networks\n";
  }
  return failed ? Exit::bad_input : Exit::ok;
}

}  // namespace

void add_check(Verbs& verbs) {
  auto options = std::make_shared<CheckOptions>();
  CLI::App& verb = verbs.add("check", "Check a configuration file: every mistake with line, column and a hint");
  verb.add_option("FILE", options->file, "Configuration file; otherwise that of --config");
  verb.add_flag("--strict", options->strict, "Warnings fail too");
  verb.add_flag("--elsewhere", options->elsewhere,
                "This is not the gateway: do not look for its key files, its user and its addresses here");
  verbs.action(verb, [options, &common = verbs.common()] {
    return run_check(options->file.empty() ? common.config : options->file, *options, common.json);
  });
}

}  // namespace bgplite::cli
