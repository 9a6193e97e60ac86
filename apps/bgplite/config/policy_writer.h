/// Policies and sets as YAML text: what policy_yaml.h reads back to the same values.
#pragma once

#include <bgp/policy_definition.h>

#include <string>
#include <string_view>

namespace bgplite {

/// The root keys that are not empty, each with its sets or policies. One term a line.
[[nodiscard]] std::string write_policies(const minibgp::PolicyLibrary& library);

/// A scalar as it can stand in YAML's flow style: plain where that is safe, otherwise in single quotes.
[[nodiscard]] std::string yaml_scalar(std::string_view text);

}  // namespace bgplite
