/// The words after `show`, understood: our own and those that FRR's users have in their fingers.
#pragma once

#include <bgp/result.h>

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace bgplite::cli {

/// How the answer is printed.
enum class View : unsigned char {
  summary,
  peers,
  peer,
  routes,
  announced,
  fib,
  tunnels,
  version,
  memory,
  config,
  policy,
  log,
};

struct ShowRequest {
  View view = View::summary;
  std::string verb;  ///< Of the control socket.
  nlohmann::ordered_json arguments = nlohmann::ordered_json::object();
  bool frr = false;   ///< Asked in FRR's words: JSON has FRR's keys.
  bool json = false;  ///< "... json" at the end, as in vtysh.
};

/// `words` without "show". The error is a sentence with a hint.
[[nodiscard]] minibgp::Result<ShowRequest, std::string> parse_show(std::vector<std::string> words);

}  // namespace bgplite::cli
