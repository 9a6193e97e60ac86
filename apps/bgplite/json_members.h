/// Members of JSON that others wrote (nft, ip, a daemon of another version): what is missing or of another type is the
/// given value, never an exception. `json` itself may be anything.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <string>

#include <nlohmann/json.hpp>

namespace bgplite {

/// Null where there is none.
template <typename Json>
[[nodiscard]] const Json& member(const Json& json, const char* key) {
  static const Json none;
  // Of what is no object find() gives the end.
  const auto found = json.find(key);
  return found == json.end() ? none : *found;
}

template <typename Json>
[[nodiscard]] std::string text_member(const Json& json, const char* key) {
  const Json& found = member(json, key);
  return found.is_string() ? found.template get<std::string>() : std::string{};
}

template <typename Json>
[[nodiscard]] bool flag_member(const Json& json, const char* key, bool otherwise) {
  const Json& found = member(json, key);
  return found.is_boolean() ? found.template get<bool>() : otherwise;
}

/// 0 for a number that is negative, broken or too large.
template <std::unsigned_integral Number, typename Json>
[[nodiscard]] Number number_member(const Json& json, const char* key) {
  const Json& found = member(json, key);
  const auto value = found.is_number_unsigned() ? found.template get<std::uint64_t>() : 0U;
  return value > std::numeric_limits<Number>::max() ? Number{0} : static_cast<Number>(value);
}

/// An empty list where it is none.
template <typename Json>
[[nodiscard]] const Json& list_member(const Json& json, const char* key) {
  static const Json none = Json::array();
  const Json& found = member(json, key);
  return found.is_array() ? found : none;
}

}  // namespace bgplite
