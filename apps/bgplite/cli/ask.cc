#include <apps/bgplite/cli/ask.h>
#include <apps/bgplite/config/yaml.h>

#include <chrono>
#include <iostream>
#include <thread>

#include <CLI/CLI.hpp>
#include <unistd.h>

namespace bgplite::cli {

std::string socket_of(const Common& common) {
  if (!common.socket.empty()) return common.socket;
  // The default stays in place when the file is not there, or not for our eyes.
  // Its errors are not shown: the daemon is what is asked.
  return load_config(common.config).config.control.socket;
}

minibgp::Result<Json, Exit> ask(const Common& common, const std::string& verb, const Json& arguments) {
  auto answer = control::ask(socket_of(common), verb, arguments);
  if (answer) return std::move(*answer);
  if (common.json) std::cout << Json{{"error", answer.error().text}}.dump() << '\n';
  // The daemon's exit code becomes ours.
  return minibgp::unexpected(fail(static_cast<Exit>(answer.error().exit), answer.error().text));
}

Exit print(const Common& common, const Json& answer, const std::function<std::string(const Json&)>& text) {
  std::cout << (common.json ? answer.dump(2, ' ', false, Json::error_handler_t::replace) + "\n" : text(answer));
  std::cout.flush();
  // A full disk or a closed pipe is no success.
  return std::cout ? Exit::ok : Exit::io;
}

Exit repeat(const Common& common, const std::optional<double>& every_s, const std::function<Exit()>& once) {
  while (true) {
    // Home and clear to the end: no flicker.
    // Only on a terminal: escape codes in a file would be noise.
    if (every_s && common.screen.colors) std::cout << "\033[H\033[2J";
    const Exit code = once();
    if (!every_s || code != Exit::ok) return code;
    std::this_thread::sleep_for(std::chrono::duration<double>(*every_s));
  }
}

void add_watch(CLI::App& verb, std::optional<double>& every_s) {
  verb.add_option("--watch", every_s, "Show again every so many seconds")
      ->expected(0, 1)
      ->default_str("2")
      ->check(CLI::Range(0.1, 86400.0));
}

bool agreed(const Common& common, const std::string& loss) {
  if (common.yes) return true;
  // Without a terminal there is no answer to wait for.
  if (::isatty(STDIN_FILENO) == 0) {
    std::cerr << "bgplite: " << loss << "; say --yes if that is meant\n";
    return false;
  }
  // To the error stream: the answer of the command may be read by a program.
  std::cerr << loss << ". Go on? [y/N] ";
  std::string word;
  std::getline(std::cin, word);
  return word == "y" || word == "yes";
}

}  // namespace bgplite::cli
