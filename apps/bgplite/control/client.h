/// Control client: the command line's end of the control socket. Blocking; no Asio.
#pragma once

#include <bgp/result.h>

#include <functional>
#include <string>

#include <nlohmann/json.hpp>

namespace bgplite::control {

using Json = nlohmann::ordered_json;

struct Failure {
  std::string text;
  int exit = 3;  ///< As cli/verbs.h: 1, 2 or 3.
};

/// One request, one answer: its "result".
[[nodiscard]] minibgp::Result<Json, Failure> ask(const std::string& socket, const std::string& verb,
                                                 const Json& arguments = Json::object());

/// A stream: `on_line` gets each line until it returns false or the daemon ends.
[[nodiscard]] minibgp::Result<void, Failure> follow(const std::string& socket, const std::string& verb,
                                                    const Json& arguments,
                                                    const std::function<bool(const Json&)>& on_line);

}  // namespace bgplite::control
