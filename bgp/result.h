/// Result<T, E>: a value or an error. The only file that names tl::expected, restricted to the subset that
/// std::expected shares, so that a later move to C++23 is one line. The alias never depends on the consumer's
/// standard, so it is safe in the ABI.
#pragma once

#include <tl/expected.hpp>
#include <utility>

namespace minibgp {

template <typename T, typename E>
using Result = tl::expected<T, E>;  ///< A value, or why there is none.

/// The error branch of a Result: `return unexpected(Error::foo);`.
template <typename E>
[[nodiscard]] constexpr auto unexpected(E&& error) {
  return tl::unexpected<std::decay_t<E>>(std::forward<E>(error));
}

}  // namespace minibgp
