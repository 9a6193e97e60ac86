/// `bgplite decide`: paths in, what the decision process makes of them out. The daemon's own function (bgp/decide.h).
#pragma once

#include <apps/bgplite/cli/verbs.h>
#include <bgp/decide.h>

#include <iosfwd>
#include <string>

namespace bgplite::cli {

struct DecideVerb {
  std::string file = "-";           ///< "-": standard input.
  minibgp::SpeakerOptions options;  ///< Only what concerns the decision.
};

/// One JSON object to `out`. bad_input when the input is no list of paths; nothing is printed then.
Exit run_decide(const DecideVerb& verb, std::ostream& out);

void add_decide(Verbs& verbs);

}  // namespace bgplite::cli
