/// bgplite show: what the daemon knows.
#include <apps/bgplite/cli/ask.h>
#include <apps/bgplite/cli/frr_json.h>
#include <apps/bgplite/cli/render.h>
#include <apps/bgplite/cli/show_words.h>

#include <iostream>
#include <optional>

#include <CLI/CLI.hpp>

namespace bgplite::cli {
namespace {

struct ShowOptions {
  std::vector<std::string> words;
  std::optional<std::size_t> limit;
  std::optional<double> watch_s;
};

/// FRR's shape of an answer that was asked for in FRR's words.
Json frr_shape(const Common& common, const ShowRequest& request, const Json& answer) {
  switch (request.view) {
    case View::summary:
      return frr_summary(answer);
    case View::peers:
    case View::peer:
      return frr_neighbors(answer);
    case View::routes: {
      // One prefix has another shape in FRR than a table.
      if (request.arguments.contains("prefix") && !request.arguments.contains("match")) return frr_route(answer);
      // FRR's table of routes has the router's own values in front.
      const auto config = ask(common, "show.config");
      return frr_routes(answer, config ? config->value("router", Json::object()) : Json::object());
    }
    default:
      return answer;
  }
}

Exit show_once(const Common& common, const ShowRequest& request) {
  const auto answer = ask(common, request.verb, request.arguments);
  if (!answer) return answer.error();
  const bool json = common.json || request.json;
  if (json && request.frr) {
    std::cout << frr_shape(common, request, *answer).dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
    return Exit::ok;
  }
  Common how = common;
  how.json = json;
  return print(how, *answer, [&](const Json& value) { return render(request.view, value, common.screen); });
}

Exit run_show(const Common& common, const ShowOptions& options) {
  auto request = parse_show(options.words);
  if (!request) return fail(Exit::bad_input, request.error());
  if (options.limit) request->arguments["limit"] = *options.limit;
  return repeat(common, options.watch_s, [&] { return show_once(common, *request); });
}

}  // namespace

void add_show(Verbs& verbs) {
  auto options = std::make_shared<ShowOptions>();
  CLI::App& verb =
      verbs.add("show", "Show the state: summary, peers, routes, fib, tunnels, policy, memory, config, version, log");
  verb.footer(
      "  show [summary]\n"
      "  show peers [PEER]\n"
      "  show routes [PREFIX] [longer|shorter] [in PEER|out PEER|filtered PEER]\n"
      "  show fib [PREFIX [longer]]\n"
      "  show tunnels [TUNNEL]\n"
      "  show policy [POLICY]\n"
      "  show memory | config | version | log\n"
      "FRR's words work too, with FRR's keys in JSON:\n"
      "  show bgp summary [json], show ip bgp [PREFIX] [json], show bgp neighbors [PEER] [json],\n"
      "  show bgp neighbors PEER advertised-routes|received-routes|filtered-routes");
  verb.add_option("WORDS", options->words, "What to show");
  verb.add_option("--limit", options->limit,
                  "Prefixes in a table of routes (otherwise 10000), lines of the log; 0: all");
  add_watch(verb, options->watch_s);
  verbs.action(verb, [options, &common = verbs.common()] { return run_show(common, *options); });
}

}  // namespace bgplite::cli
