/// diff: what turns the running configuration into the wanted one, as a plan that can be printed, judged and carried
/// out. Pure. `check`, `plan`, `apply` and SIGHUP all use this one function.
#pragma once

#include <apps/bgplite/config/config.h>
#include <apps/bgplite/config/keys.h>

#include <cstdint>
#include <string>
#include <vector>

namespace bgplite {

/// One step. Each is valid when those before it were done: definitions come first, removals of definitions last.
struct Step {
  enum class Kind : std::uint8_t {
    set_policy,
    router,
    tunnels,
    remove_peer,
    add_peer,
    update_peer,
    announce,
    withdraw,
    saved_announcement,
    static_routes,
    fib,
    host,
    log,
    metrics,
    on_exit,
    remove_policy,
    needs_restart,
  };
  Kind kind;
  std::string key;   ///< Of the peer, prefix, tunnel or policy; the section for needs_restart.
  Effect effect;     ///< What it costs: see Effect.
  std::string text;  ///< For people: "peer 192.0.2.1: hold 90s -> 30s: the session is reset".
  bool operator==(const Step&) const = default;
};

using Plan = std::vector<Step>;

/// Empty: nothing would change.
[[nodiscard]] Plan diff(const Config& running, const Config& wanted);

[[nodiscard]] const char* to_text(Effect effect);

}  // namespace bgplite
