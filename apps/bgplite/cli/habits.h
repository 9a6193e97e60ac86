/// Words that people type by habit: abbreviations, and commands of other routers that have another name here. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bgplite::cli {

/// The one of `known` that `word` abbreviates; `word` itself when none does, or several. "sh" is "show".
[[nodiscard]] std::string whole_word(const std::string& word, std::span<const std::string> known);

/// What does here what these words do in FRR or on a Cisco; empty: nothing is known of them.
[[nodiscard]] std::string counterpart(std::span<const std::string> words);

}  // namespace bgplite::cli
