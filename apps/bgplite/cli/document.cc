/// bgplite document: the reference made from the tables of keys and verbs, for docs/ and for packages.
#include <apps/bgplite/cli/verbs.h>
#include <apps/bgplite/config/document.h>
#include <bgp/version.h>

#include <iostream>
#include <string>

#include <CLI/CLI.hpp>

namespace bgplite::cli {
namespace {

using Apps = std::vector<const CLI::App*>;

Apps verbs_of(const CLI::App& app) {
  // Without a filter CLI11 gives only those that were used.
  return app.get_subcommands([](const CLI::App*) { return true; });
}

/// Hyphens that are to stay hyphens, and nothing that troff takes for a request.
std::string troff(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '-' || c == '\\' ? std::string{"\\"} + c : std::string{c};
  // A line that begins with '.' or ''' is a request to troff.
  return !out.empty() && (out[0] == '.' || out[0] == '\'') ? "\\&" + out : out;
}

void describe(std::string& out, const CLI::App& verb, const std::string& path) {
  out += ".TP\n.B " + troff(path);
  for (const CLI::Option* option : verb.get_options())
    if (option->get_positional()) out += " \\fI" + troff(option->get_name(true)) + "\\fB";
  out += "\n" + troff(verb.get_description()) + ".\n";
  for (const CLI::Option* option : verb.get_options()) {
    if (option->get_name() == "--help") continue;
    out += ".RS\n.TP\n.I " + troff(option->get_name(option->get_positional(), true)) + "\n" +
           troff(option->get_description()) + ".\n.RE\n";
  }
  // Verbs below verbs, with the whole path in front.
  for (const CLI::App* below : verbs_of(verb)) describe(out, *below, path + " " + below->get_name());
}

std::string commands_man_page(const CLI::App& app) {
  std::string out = ".\\\" Made by 'bgplite document commands' from the table of verbs. Do not edit.\n";
  out += ".TH BGPLITE 8 \"\" \"bgplite " + std::string{minibgp::kVersionText} + "\" \"bgplite\"\n.SH NAME\n";
  out +=
      "bgplite \\- a BGP router for VPN gateways\n.SH SYNOPSIS\n.B bgplite\n[\\fIOPTIONS\\fR] \\fIVERB\\fR ...\n.SH "
      "OPTIONS\n";
  for (const CLI::Option* option : app.get_options())
    out += ".TP\n.B " + troff(option->get_name(false, true)) + "\n" + troff(option->get_description()) + ".\n";
  out += ".SH VERBS\n";
  for (const CLI::App* verb : verbs_of(app)) describe(out, *verb, verb->get_name());
  out +=
      ".SH \"EXIT STATUS\"\n0: ok. 1: what was asked is not so (a test failed, verify found a difference, no such "
      "peer). "
      "2: wrong arguments or input. 3: no daemon at the socket, a file that cannot be read, a busy port.\n";
  return out + ".SH \"SEE ALSO\"\n.BR bgplite.yaml (5)\n";
}

std::string bash_completion(const CLI::App& app) {
  std::string verbs;
  std::string cases;
  for (const CLI::App* verb : verbs_of(app)) {
    verbs += (verbs.empty() ? "" : " ") + verb->get_name();
    std::string words;
    for (const CLI::App* below : verbs_of(*verb)) words += below->get_name() + " ";
    for (const CLI::Option* option : verb->get_options())
      if (!option->get_positional()) words += option->get_name() + " ";
    // `show` takes its subject as an argument, not as a verb of its own.
    if (verb->get_name() == "show") words += "summary peers routes fib tunnels policy memory config version log ";
    words.pop_back();
    cases += "    " + verb->get_name() + ") words=\"" + words + "\" ;;\n";
  }
  return "# Made by 'bgplite document completion'. Do not edit.\n"
         "_bgplite() {\n  local words=\"" +
         verbs + "\"\n  [ \"$COMP_CWORD\" -gt 1 ] && case \"${COMP_WORDS[1]}\" in\n" + cases +
         "  esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n}\n"
         "complete -o default -F _bgplite bgplite\n";
}

}  // namespace

void add_document(Verbs& verbs) {
  auto what = std::make_shared<std::string>();
  CLI::App& verb = verbs.add("document", "Print the reference: of the configuration, of the commands, for the shell");
  verb.add_option("WHAT", *what, "configuration (Markdown), man (bgplite.yaml(5)), commands (bgplite(8)) or completion")
      ->required()
      ->check(CLI::IsMember({"configuration", "man", "commands", "completion"}));
  // The text is made while the verbs are still there; the action runs later.
  verbs.action_from(verb, [what, &app = verbs.app()]() -> std::function<Exit()> {
    const std::string text = *what == "man"          ? configuration_man_page()
                             : *what == "commands"   ? commands_man_page(app)
                             : *what == "completion" ? bash_completion(app)
                                                     : configuration_markdown();
    return [text] { return std::cout << text, Exit::ok; };
  });
}

}  // namespace bgplite::cli
