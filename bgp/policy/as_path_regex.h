/// AsPathRegex: a regular expression over an AS_PATH written as text, with FRR's meaning: POSIX extended syntax,
/// searched for anywhere in "65001 65002 {65003,65004}", where `_` is the beginning, the end, or one of the characters
/// ` ,{}()`.
///
/// Own automaton instead of std::regex: the expression becomes a deterministic table when it is compiled, so a match
/// costs one table look per character, whatever the expression, and allocates nothing. Expressions whose table would
/// exceed kStatesMax are refused. Back-references, which no finite automaton has, are refused too.
#pragma once

#include <bgp/path.h>
#include <bgp/result.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace minibgp::policy {

struct RegexError {
  std::size_t position = 0;  ///< Octet of the expression, from 0.
  std::string text;
};

class AsPathRegex {
 public:
  static constexpr std::size_t kStatesMax = 4096;
  /// Positions of the expression after counted repeats are written out.
  static constexpr std::size_t kPositionsMax = 2048;

  [[nodiscard]] static Result<AsPathRegex, RegexError> compile(std::string_view expression);

  /// Linear in the length of the path's text, which is never built. The members of an AS_SET count in ascending order,
  /// as FRR writes them.
  [[nodiscard]] bool matches(const AsPath& path) const;
  /// The same for a text that is there already.
  [[nodiscard]] bool matches(std::string_view text) const;
  [[nodiscard]] std::size_t states() const { return accepts_at_end_.size(); }

  // The characters of a path's text, numbered. `other` is any character a path cannot contain.
  static constexpr std::size_t kSpace = 10, kComma = 11, kOpen = 12, kClose = 13, kRoundOpen = 14, kRoundClose = 15,
                               kOther = 16, kSymbols = 17;
  static constexpr std::size_t symbol_of(char c) {
    if (c >= '0' && c <= '9') return static_cast<std::size_t>(c - '0');
    constexpr std::string_view kRest = " ,{}()";
    const std::size_t at = kRest.find(c);
    return at == std::string_view::npos ? kOther : kSpace + at;
  }

 private:
  class Walk;
  using State = std::uint16_t;
  static constexpr State kMatched = 0;  ///< Whatever follows.
  static constexpr State kFailed = 1;   ///< Whatever follows.

  std::vector<std::array<State, kSymbols>> next_;
  std::vector<bool> accepts_at_end_;
  State start_ = kFailed;

  friend class RegexBuilder;
};

}  // namespace minibgp::policy
