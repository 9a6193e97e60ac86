/// Sets that live in files of their own: one item a line, or what `bgpq4 -j` writes. Large ones are the reason: a
/// million prefixes are read in well under a second, which a YAML tree of them would not.
#pragma once

#include <bgp/policy_definition.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace bgplite {

/// What is wrong, and on which line (0: of the file as a whole).
using SetFileError = std::function<void(std::uint32_t line, const std::string& text)>;

/// Items one a line; `#` begins a comment; blank lines do not count. `add` answers whether the text is an item.
void read_item_lines(std::string_view text, const std::function<bool(std::string_view item, std::uint32_t line)>& add,
                     const SetFileError& error);

/// JSON of `bgpq4 -j` (prefixes) or `bgpq4 -tj` (AS numbers): one object whose members are lists; all of them are read.
/// Items of the other kind are an error.
struct Bgpq4Items {
  std::vector<minibgp::PrefixRange> prefixes;
  std::vector<minibgp::AsnRange> asns;
};
[[nodiscard]] Bgpq4Items read_bgpq4(std::string_view text, const SetFileError& error);

}  // namespace bgplite
