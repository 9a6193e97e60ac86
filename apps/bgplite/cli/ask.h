/// What verbs that talk to the daemon share: where its socket is, and how a refusal is told.
#pragma once

#include <apps/bgplite/cli/verbs.h>
#include <apps/bgplite/control/client.h>

#include <functional>
#include <optional>
#include <string>

namespace bgplite::cli {

using Json = nlohmann::ordered_json;

/// --socket, else the configuration's, else the default. A configuration that cannot be read is no error here.
[[nodiscard]] std::string socket_of(const Common& common);

/// Asks the daemon; prints its refusal and returns the exit code for it.
[[nodiscard]] minibgp::Result<Json, Exit> ask(const Common& common, const std::string& verb,
                                              const Json& arguments = Json::object());

/// The answer as JSON when --json was given, else as `text` gives it.
Exit print(const Common& common, const Json& answer, const std::function<std::string(const Json&)>& text);

/// `once`, again and again when `every_s` is given, until it does not say ok. On a terminal each time from the top.
Exit repeat(const Common& common, const std::optional<double>& every_s, const std::function<Exit()>& once);
/// --watch.
void add_watch(CLI::App& verb, std::optional<double>& every_s);

/// Says what would be lost and asks, on a terminal. Without one, --yes is needed. False: no.
[[nodiscard]] bool agreed(const Common& common, const std::string& loss);

}  // namespace bgplite::cli
