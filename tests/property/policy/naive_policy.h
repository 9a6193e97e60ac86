/// The policy language as docs/policy.md explains it, interpreted from the definitions in the plainest way: no program,
/// no index, no tables, no automaton. Written for comparison only; regular expressions are std::regex's.
#pragma once

#include <bgp/policy.h>

#include <string>

namespace minibgp::testing {

struct NaiveAnswer {
  bool accepted = false;
  PathAttributes result;  ///< The input when rejected.
  std::string term;       ///< Decided; "default" at the end.
};

[[nodiscard]] NaiveAnswer naive_evaluate(const PolicyLibrary& library, const std::string& policy,
                                         const PathAttributes& attributes, const PolicyContext& context);

}  // namespace minibgp::testing
