/// The text of `bgplite init`: a preset with its answers put in. Pure; the verb around it is init.cc's.
#pragma once

#include <apps/bgplite/cli/init_presets.h>
#include <bgp/result.h>

#include <map>
#include <optional>
#include <string>

namespace bgplite::cli {

using Answers = std::map<std::string, std::string, std::less<>>;

[[nodiscard]] const Preset* find_preset(std::string_view name);
/// Whether `preset` asks it.
[[nodiscard]] bool asks(const Preset& preset, const Question& question);
/// What stands in the file when nothing is answered.
[[nodiscard]] std::string example_of(const Preset& preset, const Question& question);
/// Why `answer` is none; nothing: it is one.
[[nodiscard]] std::optional<std::string> refuse(const Question& question, const std::string& answer);
/// The file. Answers that are missing are the examples.
[[nodiscard]] std::string init_text(const Preset& preset, const Answers& answers);

}  // namespace bgplite::cli
