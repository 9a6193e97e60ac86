/// Counts every operator new of this program, for tests that claim there is none.
#pragma once

#include <cstddef>

namespace minibgp::testing {

[[nodiscard]] std::size_t allocations_so_far();

}  // namespace minibgp::testing
