/// Every verb of the program.
#include <apps/bgplite/cli/decide_command.h>
#include <apps/bgplite/cli/verbs.h>

namespace bgplite::cli {

void add_all(Verbs& verbs) {
  constexpr void (*kVerbs[])(Verbs&) = {
      add_run,  add_init,   add_check,    add_show,   add_explain, add_doing,  add_maintenance,
      add_life, add_doctor, add_document, add_decode, add_decide,  add_policy, add_import,
  };
  for (const auto add : kVerbs) add(verbs);
}

}  // namespace bgplite::cli
