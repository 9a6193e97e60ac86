/// PolicySources: the policies and sets of a configuration as values, before they are compiled. The daemon needs what
/// compile_policy_sources() makes of them; the policy tools (test, diff, coverage, mutation) need the values too.
#pragma once

#include <apps/bgplite/config/config.h>
#include <apps/bgplite/config/diagnostic.h>
#include <bgp/policy.h>

#include <map>
#include <string>
#include <vector>

namespace bgplite {

struct PolicySources {
  minibgp::PolicyLibrary library;
  std::vector<std::string> files;  ///< By SourceMark::file.
  [[nodiscard]] Place place(const minibgp::SourceMark& mark) const;
};

/// Compiles every policy; the library's errors become diagnostics, and so do, as warnings, its lints. `attached`: the
/// policies that peers name. Empty when there were errors.
[[nodiscard]] std::map<std::string, PolicyDefinition> compile_policy_sources(const PolicySources& sources,
                                                                             const std::vector<std::string>& attached,
                                                                             Diagnostics& diagnostics);

}  // namespace bgplite
