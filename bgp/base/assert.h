/// BGP_ASSERT: always on. An impossible state ends the program with one line: a wrong route is worse than a restart,
/// and a restart is cheap. BGP_DCHECK: debug builds only, for checks that cost.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace minibgp::base {

[[noreturn]] inline void assertion_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "minibgp: assertion failed: %s (%s:%d)\n", condition, file, line);
  std::abort();
}

}  // namespace minibgp::base

#define BGP_ASSERT(condition) \
  (static_cast<bool>(condition) ? void(0) : ::minibgp::base::assertion_failed(#condition, __FILE__, __LINE__))
#ifdef NDEBUG
#define BGP_DCHECK(condition) static_cast<void>(0)
#else
#define BGP_DCHECK(condition) BGP_ASSERT(condition)
#endif
