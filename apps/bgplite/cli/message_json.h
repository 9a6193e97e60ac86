/// BGP messages as JSON and back: what `bgplite decode` prints is what `bgplite encode` reads. Attributes have the keys
/// of `show routes --json`.
#pragma once

#include <bgp/decide.h>
#include <bgp/decode.h>

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace bgplite::cli {

/// {"type": "UPDATE", "length": 45, "verdict": "ok", "message": {...}, "findings": [...], "attributes_on_wire": [...]}.
[[nodiscard]] nlohmann::ordered_json to_json(const minibgp::DecodedMessage& decoded);
[[nodiscard]] nlohmann::ordered_json to_json(const minibgp::PathAttributes& attributes);

/// The message in `json` ("type" and "message"; the other keys are ignored). monostate, and `error` says where, when it
/// is none.
[[nodiscard]] minibgp::MessageValue message_from_json(const nlohmann::ordered_json& json, std::string& error);

/// One path of `bgplite decide`: attributes as above, and what is known of its peer. `error` as above.
[[nodiscard]] minibgp::DecideInput path_from_json(const nlohmann::ordered_json& json, std::string& error);

/// "0a1b", two digits an octet.
[[nodiscard]] std::string hex_text(minibgp::Bytes octets);

}  // namespace bgplite::cli
