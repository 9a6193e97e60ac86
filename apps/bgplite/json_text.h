/// JSON out of files and sockets, of bounded depth: values are copied, printed and freed recursively.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

namespace bgplite {

enum class JsonProblem : std::uint8_t { none, not_json, too_deep };

/// Deeper than any route, message or answer.
inline constexpr int kJsonDepthMax = 64;

/// Nothing, and why, for what is no JSON or nests deeper than `depth_max`.
template <typename Json, typename Text>
[[nodiscard]] std::optional<Json> parse_json(const Text& text, JsonProblem& problem, int depth_max = kJsonDepthMax) {
  bool deep = false;
  // Called as soon as a list or mapping begins, so that what is deeper is not built.
  const auto shallow = [&](int depth, typename Json::parse_event_t, const Json&) {
    deep = deep || depth > depth_max;
    return !deep;
  };
  // false: no exceptions.
  Json parsed = Json::parse(text.begin(), text.end(), shallow, false);
  // The parser goes on behind a value that was refused, so that the result may be an object without it.
  problem = parsed.is_discarded() && !deep ? JsonProblem::not_json : deep ? JsonProblem::too_deep : JsonProblem::none;
  if (problem != JsonProblem::none) return std::nullopt;
  return parsed;
}

}  // namespace bgplite
