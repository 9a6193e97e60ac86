/// bgplite: a BGP router for VPN gateways. Everything is a verb; see cli/verbs.h.

#include <apps/bgplite/cli/verbs.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <string_view>

namespace {

/// A reload asked for before the daemon can take it waits instead of ending it; cli/run.cc lets it through.
void hold_reloads() {
  sigset_t held;
  ::sigemptyset(&held);
  ::sigaddset(&held, SIGHUP);
  ::sigprocmask(SIG_BLOCK, &held, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
  // Only for the daemon: any other verb may end by SIGHUP as usual.
  if (std::find(argv, argv + argc, std::string_view{"run"}) != argv + argc) hold_reloads();
  std::function<bgplite::cli::Exit()> action;
  {
    // The parser's tables are gone before the daemon begins to run.
    bgplite::cli::Verbs verbs;
    bgplite::cli::add_all(verbs);
    action = verbs.parse(argc, argv);
  }
  return static_cast<int>(action());
}
