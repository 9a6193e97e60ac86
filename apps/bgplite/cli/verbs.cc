#include <apps/bgplite/cli/habits.h>
#include <apps/bgplite/cli/verbs.h>
#include <apps/bgplite/config/diagnostic.h>
#include <bgp/version.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <sys/ioctl.h>
#include <unistd.h>

namespace bgplite::cli {
namespace {

/// COLUMNS goes first, so that a script may ask for a width.
Screen screen_of_output() {
  Screen screen;
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  if (!terminal) screen.columns = Screen::kAnyWidth;
  // A serial console says 0: it keeps the default.
  if (winsize size{}; terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col != 0)
    screen.columns = size.ws_col;
  if (const char* wish = std::getenv("COLUMNS"))
    if (const auto columns = std::strtoul(wish, nullptr, 10); columns != 0) screen.columns = columns;
  const char* term = std::getenv("TERM");
  // NO_COLOR is a convention of many programs (no-color.org).
  screen.colors = terminal && std::getenv("NO_COLOR") == nullptr && term != nullptr && std::string_view{term} != "dumb";
  return screen;
}

/// What the parser did not like, where, and what was perhaps meant: "bgplite show peers: ... (did you mean '--json'?)".
std::string complaint_of(const CLI::App& app, const CLI::ParseError& error) {
  std::string where = app.get_name();
  std::vector<std::string> options;
  const CLI::App* verb = &app;
  // Down the verbs that were recognized, with the options of each.
  for (;;) {
    for (const CLI::Option* option : verb->get_options())
      for (const std::string& name : option->get_lnames()) options.push_back("--" + name);
    const std::vector<CLI::App*> inner = verb->get_subcommands();
    if (inner.empty()) break;
    verb = inner.back();
    where += " " + verb->get_name();
  }
  std::string text;
  // What was left over is what was mistyped.
  for (const std::string& word : app.remaining(true)) {
    const std::string hint = did_you_mean(word, {options.begin(), options.end()});
    text += (text.empty() ? "" : ", ") + ("'" + word + "' is not expected") + (hint.empty() ? "" : " (" + hint + ")");
  }
  if (text.empty()) text = error.what();
  // The library's own words for it.
  if (text == "A subcommand is required") text = "a verb is missing";
  return where + ": " + text + "; see " + where + " --help";
}

std::string no_such_verb(const std::vector<std::string>& words, const std::vector<std::string>& names) {
  const std::string text = "no verb '" + words[0] + "'";
  if (const std::string here = counterpart(words); !here.empty()) return text + ": " + here;
  const std::string hint = did_you_mean(words[0], {names.begin(), names.end()});
  return text + (hint.empty() ? "" : " (" + hint + ")") + "; see bgplite --help";
}

}  // namespace

Verbs::Verbs()
    : common_(std::make_shared<Common>()),
      app_(std::make_unique<CLI::App>("A BGP router for VPN gateways: one process, one YAML file.", "bgplite")) {
  app_->require_subcommand(1);
  // Options of the program may stand behind the verb.
  app_->fallthrough();
  app_->set_version_flag("--version", std::string{"bgplite "} + minibgp::kVersionText);
  app_->add_option("-c,--config", common_->config, "Configuration file")->capture_default_str();
  app_->add_option("--socket", common_->socket, "Control socket of the daemon");
  app_->add_flag("-j,--json", common_->json, "Print JSON");
  app_->add_flag("-y,--yes", common_->yes, "Do not ask");
}

Verbs::~Verbs() = default;

CLI::App& Verbs::add(const std::string& name, const std::string& description, CLI::App* parent) {
  CLI::App& verb = *(parent == nullptr ? app_.get() : parent)->add_subcommand(name, description);
  verb.fallthrough();
  return verb;
}

void Verbs::action(CLI::App& verb, std::function<Exit()> run) {
  // The callback only notes what to do: it runs when the parser is done, and gone.
  verb.final_callback([this, run = std::move(run)] { chosen_ = run; });
}

void Verbs::action_from(CLI::App& verb, std::function<std::function<Exit()>()> make) {
  // While the parser is still there, which `make` looks at.
  verb.final_callback([this, make = std::move(make)] { chosen_ = make(); });
}

std::function<Exit()> Verbs::parse(int argc, char** argv) {
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  std::vector<std::string> names;
  // Without a filter CLI11 gives only those that were used.
  for (const CLI::App* verb : app_->get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(verb->get_name());
  if (!words.empty() && (words[0] == "help" || words[0] == "?")) {
    words.erase(words.begin());
    words.emplace_back("--help");
  }
  if (!words.empty() && words[0][0] != '-') {
    words[0] = whole_word(words[0], names);
    // CLI11 would say "a subcommand is required" to a mistyped one.
    if (std::find(names.begin(), names.end(), words[0]) == names.end())
      return [text = no_such_verb(words, names)] { return fail(Exit::bad_input, text); };
  }
  try {
    std::reverse(words.begin(), words.end());  // As CLI11 takes them.
    app_->parse(std::move(words));
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream complaint;
    // 0: --help or --version, which CLI11 reports as errors, too.
    if (app_->exit(error, out, complaint) == 0) return [out = out.str()] { return std::cout << out, Exit::ok; };
    return [text = complaint_of(*app_, error)] {
      std::cerr << text << '\n';
      return Exit::bad_input;
    };
  }
  common_->screen = screen_of_output();
  common_->config_given = app_->count("--config") != 0;
  // A verb that has only verbs below it.
  if (!chosen_) return [help = app_->help()] { return std::cerr << help, Exit::bad_input; };
  // The action may refer to common(): it holds on to it.
  return [run = std::move(chosen_), common = common_] {
    Exit code = Exit::ok;
    try {
      code = run();
    } catch (const nlohmann::json::exception&) {
      // What is read of an answer is what the daemon of this version sends; another one may send something else.
      return fail(Exit::io, "the answer is not understood: is the daemon of another version?");
    }
    std::cout.flush();
    if (std::cout) return code;
    return fail(Exit::io, "cannot write to standard output: what was printed is not complete");
  };
}

Exit fail(Exit code, const std::string& text) {
  std::cerr << "bgplite: " << text << '\n';
  return code;
}

}  // namespace bgplite::cli
