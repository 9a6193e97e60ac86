/// What makes a library impossible to compile, found before anything is built: all of it at once, each with its place.
/// Not here: what compiles but is probably not meant (lint.cc).
#pragma once

#include <bgp/policy.h>
#include <bgp/policy/library_index.h>

#include <string_view>
#include <vector>

namespace minibgp::policy {

/// Mistakes in `root` and everything it refers to; with an empty `root`, in the whole library.
[[nodiscard]] std::vector<PolicyError> validate(const PolicyLibrary& library, const LibraryIndex& names,
                                                std::string_view root = {});

}  // namespace minibgp::policy
