#include <apps/bgplite/cli/verbs.h>

namespace bgplite::cli {

void add_all(Verbs& verbs) {
  constexpr void (*kVerbs[])(Verbs&) = {
      add_run,
      add_check,
  };
  for (const auto add : kVerbs) add(verbs);
}

}  // namespace bgplite::cli
