/// Text for people from the daemon's answers: one function per view. Tables fit the screen.
#pragma once

#include <apps/bgplite/cli/show_words.h>
#include <apps/bgplite/cli/table.h>

#include <string>

#include <nlohmann/json.hpp>

namespace bgplite::cli {

using Json = nlohmann::ordered_json;

/// `answer` is what the control socket gave for the view's verb.
[[nodiscard]] std::string render(View view, const Json& answer, const Screen& screen);
[[nodiscard]] std::string render_explain(const Json& answer, const Screen& screen);
/// Whether a step of a plan interrupts a session or a tunnel, or takes traffic away.
[[nodiscard]] bool loses_traffic(const Json& step);
/// A plan's steps, or "nothing would change".
[[nodiscard]] std::string render_plan(const Json& answer, const Screen& screen);

}  // namespace bgplite::cli
