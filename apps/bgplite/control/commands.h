/// Commands: what the daemon answers to a request of the control socket. One table of verbs; each row says whether it
/// only reads or also changes something. The answers are the values that `--json` prints.
#pragma once

#include <apps/bgplite/control/server.h>
#include <apps/bgplite/daemon.h>
#include <apps/bgplite/life.h>
#include <apps/bgplite/loop_turns.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace bgplite::control {

/// What a command works on; all outlive Commands.
struct Context {
  Daemon& daemon;
  Life& life;
  Logging& log;
  const LoopTurns& turns;
};

enum class Access : std::uint8_t { read, change };

struct Command {
  std::string_view verb;
  Access access;
  void (*run)(Context& context, const Request& request, const Reply& reply);
};

/// The verbs of show.cc, explain.cc and doing.cc.
[[nodiscard]] std::vector<Command> show_commands();
[[nodiscard]] std::vector<Command> explain_commands();
[[nodiscard]] std::vector<Command> doing_commands();

class Commands {
 public:
  explicit Commands(Context context);
  ~Commands();

  void handle(const Request& request, const Reply& reply);

 private:
  void begin_stream(const Request& request, const Reply& reply);
  void listen();
  void tell(Json event);

  Context context_;
  std::vector<Command> table_;
  std::vector<Reply> streams_;
};

// --- Arguments: each answers the error itself and returns nothing then.

[[nodiscard]] std::optional<minibgp::PeerId> peer_argument(Context& context, const Request& request,
                                                           const Reply& reply);
[[nodiscard]] std::optional<minibgp::Prefix> prefix_argument(const Request& request, const Reply& reply);
[[nodiscard]] std::string text_argument(const Request& request, const char* name);
[[nodiscard]] bool flag_argument(const Request& request, const char* name);
[[nodiscard]] std::size_t number_argument(const Request& request, const char* name, std::size_t fallback);
/// How people call a peer: its name where it has one, else its address; "local" for ourselves.
[[nodiscard]] std::string peer_name(const Daemon& daemon, minibgp::PeerId peer);

}  // namespace bgplite::control
