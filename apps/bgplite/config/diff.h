/// diff: what turns the running configuration into the wanted one, as a plan that can be printed, judged and carried
/// out. Pure. `check`, `plan`, `apply` and SIGHUP all use this one function.
#pragma once

#include <apps/bgplite/config/config.h>
#include <apps/bgplite/config/keys.h>

#include <cstddef>
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
  /// Of announce and withdraw: the place in `networks` of the running and of the wanted configuration. There may be
  /// very many, and to look for them again would take as long as to compare.
  static constexpr std::size_t kNone = SIZE_MAX;
  std::size_t was = kNone, is = kNone;
  bool operator==(const Step&) const = default;
};

using Plan = std::vector<Step>;

/// The options of a peer with the policies that it names. A peer whose key could not be read is disabled: without it a
/// session would come up unprotected, or not at all.
[[nodiscard]] minibgp::PeerOptions options_in_force(const Config& config, const PeerConfig& peer);

/// Empty: nothing would change. Peers cost what minibgp::cost_of_change() says; their keys are compared as they are in
/// PeerOptions::md5_key, whatever file they came from.
[[nodiscard]] Plan diff(const Config& running, const Config& wanted);

[[nodiscard]] const char* to_text(Effect effect);

}  // namespace bgplite
