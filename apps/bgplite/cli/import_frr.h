/// frr.conf -> our configuration. What FRR's lines mean is carried over where our language can say it; every line that
/// is not carried over is listed with its number and the reason. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace bgplite::cli {

struct ImportedFrr {
  std::string yaml;
  struct Left {
    std::size_t line = 0;  ///< From 1.
    std::string text;      ///< The line itself, without the blanks around it.
    std::string why;
  };
  std::vector<Left> left_out;
};

[[nodiscard]] ImportedFrr import_frr(std::string_view frr_conf);

}  // namespace bgplite::cli
