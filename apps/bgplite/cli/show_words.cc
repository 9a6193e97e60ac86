#include <apps/bgplite/cli/show_words.h>
#include <apps/bgplite/config/diagnostic.h>
#include <bgp/text.h>

#include <algorithm>
#include <string_view>

namespace bgplite::cli {
namespace {

using Words = std::vector<std::string>;

bool is_prefix(const std::string& word) {
  return minibgp::parse_prefix(word, minibgp::HostBits::mask) || minibgp::parse_address(word);
}

/// Each word that begins a view, with its synonyms.
struct Name {
  std::string_view word;
  View view;
};
// The first word, in any of the spellings that people know from other routers.
constexpr Name kNames[] = {
    {"summary", View::summary}, {"peers", View::peers},          {"peer", View::peers},
    {"neighbors", View::peers}, {"neighbor", View::peers},       {"neighbours", View::peers},
    {"routes", View::routes},   {"route", View::routes},         {"rib", View::routes},
    {"fib", View::fib},         {"nexthop", View::fib},          {"tunnels", View::tunnels},
    {"tunnel", View::tunnels},  {"version", View::version},      {"memory", View::memory},
    {"config", View::config},   {"configuration", View::config}, {"running-config", View::config},
    {"policy", View::policy},   {"policies", View::policy},      {"log", View::log},
    {"logging", View::log},
};

/// Whole, or abbreviated so that one view is meant; null: neither.
const Name* name_of(const std::string& word) {
  const Name* found = nullptr;
  for (const Name& one : kNames) {
    if (one.word == word) return &one;
    if (!one.word.starts_with(word)) continue;
    if (found != nullptr && found->view != one.view) return nullptr;
    found = &one;
  }
  return found;
}

/// FRR's last word of "show bgp neighbors X ...", and ours.
std::string direction_of(const std::string& word) {
  if (word == "in" || word == "received-routes" || word == "adj-in") return "in";
  if (word == "out" || word == "advertised-routes" || word == "adj-out") return "out";
  if (word == "filtered" || word == "filtered-routes") return "filtered";
  return {};
}

minibgp::Result<ShowRequest, std::string> routes(const Words& words, ShowRequest request) {
  request.view = View::routes;
  request.verb = "show.routes";
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const std::string direction = direction_of(word);
    if (!direction.empty()) {
      if (i + 1 == words.size())
        return minibgp::unexpected("'" + word + "' of which peer? show routes " + word + " PEER");
      request.arguments["direction"] = direction;
      // The word behind is the peer's, whatever it is called.
      request.arguments["peer"] = words[++i];
      if (direction == "out") request.view = View::announced;
    } else if (word == "longer" || word == "longer-prefixes") {
      request.arguments["match"] = "longer";
    } else if (word == "shorter" || word == "shorter-prefixes") {
      request.arguments["match"] = "shorter";
    } else if (is_prefix(word)) {
      request.arguments["prefix"] = word;
      // An address asks for the route that is used for it.
      // Unless "longer" or "shorter" stood in front.
      if (word.find('/') == std::string::npos && !request.arguments.contains("match"))
        request.arguments["match"] = "lookup";
    } else {
      return minibgp::unexpected("'" + word + "' is neither a prefix nor in, out, filtered, longer or shorter");
    }
  }
  return request;
}

minibgp::Result<ShowRequest, std::string> peers(const Words& words, ShowRequest request) {
  request.view = View::peers;
  request.verb = "show.peers";
  if (words.empty()) return request;
  const std::string direction = words.size() > 1 ? direction_of(words[1]) : std::string{};
  // "peers X in" is "routes in X".
  if (!direction.empty()) return routes({direction, words[0]}, std::move(request));
  if (words.size() > 1 && words[1] == "routes") return routes({"in", words[0]}, std::move(request));
  if (words.size() > 1) return minibgp::unexpected("'" + words[1] + "' is not known here");
  request.view = View::peer;
  request.arguments["peer"] = words[0];
  return request;
}

/// FRR's words in front of a view. "show ip route" is zebra's: the kernel. "show ip bgp", "show bgp ipv4 unicast" are
/// the BGP table.
void take_frr_words(Words& words, ShowRequest& request) {
  if (words.size() >= 2 && (words[0] == "ip" || words[0] == "ipv6") && words[1] == "route") {
    words.erase(words.begin());
    words[0] = "fib";
    words.erase(std::remove(words.begin(), words.end(), "bgp"), words.end());
  }
  // In any order and number: "show bgp ipv4 unicast", "show ip bgp".
  while (!words.empty() &&
         (words[0] == "ip" || words[0] == "bgp" || words[0] == "ipv4" || words[0] == "ipv6" || words[0] == "unicast")) {
    request.frr = true;
    words.erase(words.begin());
  }
}

minibgp::Result<ShowRequest, std::string> fib(const Words& words, ShowRequest request) {
  request.verb = "show.fib";
  for (const std::string& word : words) {
    if (is_prefix(word)) {
      request.arguments["prefix"] = word;
    } else if (word == "longer") {
      request.arguments["match"] = "longer";
    } else {
      return minibgp::unexpected("'" + word + "' is not a prefix");
    }
  }
  return request;
}

/// The views that take one word at most: its argument, or none.
minibgp::Result<ShowRequest, std::string> plain(const Words& words, ShowRequest request) {
  struct Verb {
    View view;
    const char* verb;
    const char* argument = nullptr;
  };
  static constexpr Verb kVerbs[] = {
      {View::tunnels, "show.tunnels", "tunnel"},
      {View::policy, "show.policy", "policy"},
      {View::log, "show.log"},
      {View::summary, "show.summary"},
      {View::version, "show.version"},
      {View::memory, "show.memory"},
      {View::config, "show.config"},
  };
  std::size_t taken = 0;
  for (const Verb& one : kVerbs) {
    if (one.view != request.view) continue;
    request.verb = one.verb;
    if (one.argument == nullptr || words.empty()) break;
    request.arguments[one.argument] = words[0];
    taken = 1;
  }
  if (words.size() > taken) return minibgp::unexpected("'" + words[taken] + "' is not known here");
  return request;
}

}  // namespace

minibgp::Result<ShowRequest, std::string> parse_show(Words words) {
  ShowRequest request;
  if (!words.empty() && words.back() == "json") {
    request.json = true;
    words.pop_back();
  }
  take_frr_words(words, request);
  if (words.empty()) {
    // "show ip bgp" alone is the table.
    if (request.frr) return routes({}, std::move(request));
    request.verb = "show.summary";
    return request;
  }
  // "show 10.0.0.0/8" without another word.
  if (is_prefix(words[0])) return routes(words, std::move(request));
  const Name* const name = name_of(words[0]);
  if (name == nullptr) {
    std::vector<std::string_view> known;
    for (const Name& one : kNames) known.push_back(one.word);
    const std::string hint = did_you_mean(words[0], known);
    return minibgp::unexpected("cannot show '" + words[0] + "'" + (hint.empty() ? "" : " (" + hint + ")"));
  }
  const Words rest{words.begin() + 1, words.end()};
  request.view = name->view;
  if (name->view == View::routes) return routes(rest, std::move(request));
  if (name->view == View::peers) return peers(rest, std::move(request));
  if (name->view == View::fib) return fib(rest, std::move(request));
  return plain(rest, std::move(request));
}

}  // namespace bgplite::cli
