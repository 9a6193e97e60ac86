/// YamlText: reads a YAML text within limits, and says what is wrong with one that is no YAML in the words of the
/// person who wrote it: a tab, an indentation that fits no line above, a bracket or a quotation mark that is never
/// closed.
#pragma once

#include <apps/bgplite/config/diagnostic.h>

#include <cstddef>
#include <optional>
#include <string>

#include <yaml-cpp/yaml.h>

namespace bgplite {

/// A text of 16 MiB with an alias of an alias of an alias means more values than any memory holds. So the values are
/// counted as they will be read: each alias as often as it is used.
struct YamlLimits {
  std::size_t values = 250'000;  ///< Some 100 MiB while they are read. Long lists belong into a set's `file`.
  std::size_t depth = 64;
};

struct YamlText {
  std::optional<YAML::Node> root;     ///< Nothing: it cannot be read at all.
  std::size_t values = 0;             ///< How many there are.
  std::optional<Diagnostic> mistake;  ///< Without a file. Of a second document also beside a `root`.
};

[[nodiscard]] YamlText read_yaml(const std::string& text, const YamlLimits& limits = {});

}  // namespace bgplite
