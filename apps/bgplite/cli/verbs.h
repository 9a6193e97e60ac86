/// Verbs: how a subcommand of bgplite registers itself and returns its exit code. One file of cli/ per verb (or family
/// of verbs); each has one function `void add_<verb>(Verbs&)`, declared at the end of this file and listed in
/// registry.cc.
///
///   struct DecodeOptions { std::string file; bool two_octet = false; };
///   void add_decode(Verbs& verbs) {
///     auto options = std::make_shared<DecodeOptions>();
///     CLI::App& verb = verbs.add("decode", "Decode BGP messages into JSON lines");
///     verb.add_option("FILE", options->file, "Hex text, pcap, pcapng or MRT; - is standard input")->required();
///     verbs.action(verb, [options, &common = verbs.common()] { return run_decode(*options, common.json); });
///   }
#pragma once

#include <apps/bgplite/cli/table.h>

#include <functional>
#include <memory>
#include <string>

namespace CLI {
class App;
}

namespace bgplite::cli {

/// The same in every verb; documented in bgplite(1).
enum class Exit : int {
  ok = 0,
  assertion_failed = 1,  ///< What was asked is not so: a test failed, verify found a difference, no such peer or route.
  bad_input = 2,         ///< Wrong arguments, a configuration or other input file with errors.
  io = 3,                ///< The world said no: no daemon at the socket, file not readable, port busy.
};

/// Options that every verb takes, before or after its name.
struct Common {
  std::string config = "/etc/bgplite/bgplite.yaml";  ///< -c, --config
  bool config_given = false;                         ///< It was named on the command line.
  std::string socket;  ///< --socket; empty: the configuration's, or /run/bgplite/control.sock.
  bool json = false;   ///< --json: one JSON value (or one per line for streams) instead of text.
  bool yes = false;    ///< --yes: do not ask before something that loses traffic.
  Screen screen;       ///< Of standard output. Set before an action runs.
};

class Verbs {
 public:
  Verbs();
  ~Verbs();
  Verbs(const Verbs&) = delete;
  Verbs& operator=(const Verbs&) = delete;

  /// A new subcommand. With `parent`, of that subcommand: add("eval", "...", &policy). Lives as long as this object.
  CLI::App& add(const std::string& name, const std::string& description, CLI::App* parent = nullptr);
  /// What runs when `verb` was given. It may print to standard output; complaints go to standard error through fail().
  void action(CLI::App& verb, std::function<Exit()> run);
  /// For a verb that needs the parser itself: called while it still exists, gives what runs afterwards.
  void action_from(CLI::App& verb, std::function<std::function<Exit()>()> make);
  /// Valid for the life of the program.
  [[nodiscard]] const Common& common() const { return *common_; }
  [[nodiscard]] CLI::App& app() { return *app_; }

  /// Parses the command line. Returns the chosen action, or one that prints help or the usage error.
  [[nodiscard]] std::function<Exit()> parse(int argc, char** argv);

 private:
  std::shared_ptr<Common> common_;
  std::unique_ptr<CLI::App> app_;
  std::function<Exit()> chosen_;
};

/// Prints "bgplite: TEXT" to standard error and returns `code`.
Exit fail(Exit code, const std::string& text);

/// Every verb of the program, in the order of `bgplite --help` (registry.cc).
void add_all(Verbs& verbs);

void add_run(Verbs& verbs);
void add_init(Verbs& verbs);
void add_check(Verbs& verbs);
void add_decode(Verbs& verbs);  ///< decode, encode
void add_show(Verbs& verbs);
void add_explain(Verbs& verbs);      ///< explain, verify, monitor
void add_doing(Verbs& verbs);        ///< announce, withdraw, enable, disable, reset, refresh, log
void add_maintenance(Verbs& verbs);  ///< drain, drill
void add_life(Verbs& verbs);         ///< plan, apply, confirm, rollback
void add_doctor(Verbs& verbs);       ///< doctor, verify-connectivity, host apply and restore
void add_document(Verbs& verbs);
void add_policy(Verbs& verbs);  ///< policy eval, test, diff
void add_import(Verbs& verbs);  ///< import frr, import swanctl

}  // namespace bgplite::cli
