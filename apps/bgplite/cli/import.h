/// What an import of another program's configuration gives: ours, and what could not be carried over.
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
    std::string why;
  };
  std::vector<Left> left_out;
};

}  // namespace bgplite::cli
