/// Mutants of policies: each breaks one match, edit, verdict, term or set entry, in at least three ways each: dropped,
/// inverted, with another value. A good test file has a case that fails for every one of them.
#pragma once

#include <bgp/policy_definition.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace bgplite::cli {

struct Mutant {
  std::string text;  ///< "from-vpc / no-default / prefix 0.0.0.0/0: inverted"; unique within a library.
  minibgp::SourceMark mark;
  minibgp::PolicyLibrary library;
};

/// Of a set with more than `whole` entries, as registries give them, `sample` entries that lie evenly in it are
/// mutated: each mutant is a run of all tests.
struct MutantOptions {
  std::size_t whole = 1000;
  std::size_t sample = 20;
};
struct SampledSet {
  std::string name;
  std::size_t entries = 0, mutated = 0;
  minibgp::SourceMark mark;
};

/// Calls `use` with each mutant in turn: of every policy, and of the sets that these name. Returns the sets of which
/// only a sample was mutated.
[[nodiscard]] std::vector<SampledSet> each_mutant(const minibgp::PolicyLibrary& library, const MutantOptions& options,
                                                  const std::function<void(const Mutant&)>& use);

}  // namespace bgplite::cli
