/// What an import of another program's configuration gives: ours, and what became of the lines that are not in it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace bgplite::cli {

struct Imported {
  std::string yaml;
  struct Left {
    std::size_t line = 0;  ///< From 1.
    std::string text;      ///< The line itself, without the blanks around it; of a secret never its value.
    std::string why;       ///< The reason, and after a semicolon what follows from it.
    /// Because of this line more routes are refused than before. These stand first.
    bool closes = false;
  };
  std::vector<Left> left_out{};
  std::vector<Left> without_effect{};  ///< Lines that say nothing about routing, or nothing new.
};

}  // namespace bgplite::cli
