/// Runs `bgplite policy ...`, `bgplite import ...` and `bgplite init ...` in this process and catches what they print.
#pragma once

#include <string>
#include <vector>

namespace bgplite::testing {

struct Ran {
  int exit = -1;
  std::string out, err;
};
[[nodiscard]] Ran run_verb(const std::vector<std::string>& arguments);

/// A configuration with three peers, `cloud` with an import policy `in` and an export policy `out`; and its file.
extern const char* const kGateway;
std::string gateway();

/// A file in a directory that is removed when the program ends; returns its path.
std::string write_file(const std::string& name, const std::string& text);
/// `text` with that directory's path taken out.
[[nodiscard]] std::string without_directory(std::string text);
[[nodiscard]] std::string read_file(const std::string& path);

}  // namespace bgplite::testing
