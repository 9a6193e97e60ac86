/// Mutants of policies: each breaks one match, edit, verdict, term or set entry, in at least three ways each: dropped,
/// inverted, with another value. A good test file has a case that fails for every one of them.
#pragma once

#include <bgp/policy_definition.h>

#include <cstddef>
#include <functional>
#include <set>
#include <string>

namespace bgplite::cli {

struct Mutant {
  std::string text;  ///< "from-vpc / no-default / prefix 0.0.0.0/0: inverted"; unique within a library.
  minibgp::SourceMark mark;
  minibgp::PolicyLibrary library;
};

/// Calls `use` with each mutant in turn: of the policies named, of what they call and ask, and of the sets these name.
/// Sets of more than `set_entries_max` entries are generated data and left alone.
void each_mutant(const minibgp::PolicyLibrary& library, const std::set<std::string>& policies,
                 const std::function<void(const Mutant&)>& use, std::size_t set_entries_max = 1000);

}  // namespace bgplite::cli
