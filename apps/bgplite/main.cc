/// bgplite: a BGP router for VPN gateways. Everything is a verb; see cli/verbs.h.

#include <apps/bgplite/cli/verbs.h>

#include <memory>

int main(int argc, char** argv) {
  std::function<bgplite::cli::Exit()> action;
  {
    // The parser's tables are gone before the daemon begins to run.
    bgplite::cli::Verbs verbs;
    bgplite::cli::add_all(verbs);
    action = verbs.parse(argc, argv);
  }
  return static_cast<int>(action());
}
