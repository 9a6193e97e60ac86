/// Verbs that answer why: explain, verify, monitor.
#include <apps/bgplite/cli/ask.h>
#include <apps/bgplite/cli/render.h>
#include <apps/bgplite/cli/table.h>

#include <iostream>
#include <string>

#include <CLI/CLI.hpp>

namespace bgplite::cli {
namespace {

Exit run_explain(const Common& common, const std::string& prefix) {
  const auto answer = ask(common, "explain", {{"prefix", prefix}});
  if (!answer) return answer.error();
  return print(common, *answer, [&](const Json& value) { return render_explain(value, common.screen); });
}

std::string outcome_text(const Json& value) {
  const auto differ = value.value("difference_count", std::size_t{0});
  const auto repaired = value.value("repairable", std::size_t{0});
  // All of them are repaired now, or some wait for their cause to go.
  if (repaired == differ) return std::to_string(differ) + " differed and are repaired\n";
  return std::to_string(differ) + " differ; " + std::to_string(differ - repaired) +
         " of these stay so until their cause goes\n";
}

Exit run_verify(const Common& common) {
  const auto answer = ask(common, "verify");
  if (!answer) return answer.error();
  const bool same = answer->value("same", false);
  const Exit printed = print(common, *answer, [&](const Json& value) {
    std::string text;
    for (const Json& line : value.value("differences", Json::array())) text += line.get<std::string>() + "\n";
    return text + std::to_string(value.value("compared", 0)) + " routes compared with the kernel: " +
           (same ? std::string{"all are as they should be\n"} : outcome_text(value));
  });
  if (printed != Exit::ok) return printed;
  return same ? Exit::ok : Exit::assertion_failed;
}

std::string text_of(const Json& event) {
  const std::string kind = event.value("event", "");
  std::string line = clock_time(event.value("time_ms", 0.0)) + " ";
  if (kind == "log") return line + event.value("text", "");
  line += kind;
  for (const auto& [key, value] : event.items())
    if (key != "event" && key != "time_ms" && !(value.is_string() && value.get<std::string>().empty()))
      line += " " + key + "=" + (value.is_string() ? value.get<std::string>() : value.dump());
  return line;
}

Exit run_monitor(const Common& common) {
  const auto ended = control::follow(socket_of(common), "monitor", Json::object(), [&](const Json& event) {
    // endl: a program at the other end of a pipe sees each event at once.
    std::cout << (common.json ? event.dump() : text_of(event)) << std::endl;
    // The reader is gone: so are we.
    return static_cast<bool>(std::cout);
  });
  return ended ? Exit::ok : fail(static_cast<Exit>(ended.error().exit), ended.error().text);
}

}  // namespace

void add_explain(Verbs& verbs) {
  const Common& common = verbs.common();
  struct Options {
    std::string prefix;
    std::optional<double> watch_s;
  };
  auto options = std::make_shared<Options>();
  CLI::App& explain =
      verbs.add("explain", "Why a prefix or address goes the way it goes: candidates, deciding rule, kernel, peers");
  explain.add_option("PREFIX", options->prefix, "Prefix, or an address (the route used for it)")->required();
  add_watch(explain, options->watch_s);
  verbs.action(explain, [options, &common] {
    return repeat(common, options->watch_s, [&] { return run_explain(common, options->prefix); });
  });

  CLI::App& verify =
      verbs.add("verify", "Read the kernel's table and compare: exit code 1 if it is not as it should be");
  auto every_s = std::make_shared<std::optional<double>>();
  add_watch(verify, *every_s);
  verbs.action(verify, [every_s, &common] { return repeat(common, *every_s, [&] { return run_verify(common); }); });

  CLI::App& monitor =
      verbs.add("monitor", "Print what happens as it happens: sessions, tunnels, next hops, routes, log lines");
  verbs.action(monitor, [&common] { return run_monitor(common); });
}

}  // namespace bgplite::cli
