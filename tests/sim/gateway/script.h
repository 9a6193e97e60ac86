/// Script: what happens to a simulated gateway, as a list of steps with their time: drawn from a seed, printed, read
/// back, and cut down to the shortest one that still shows a fault.
#pragma once

#include <bgp/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bgplite::sim {

enum class Act : std::uint8_t {
  // peers
  peer_announce,  // a: peer, b: prefix
  peer_withdraw,  // a: peer, b: prefix
  peer_stop,      // a: peer; Cease
  peer_kill,      // a: peer; its host closes the connections
  peer_crash,     // a: peer; without a word
  peer_start,     // a: peer
  peer_refresh,   // a: peer; asks for our routes again
  peer_slow,      // a: peer; does not read for b seconds
  peer_large,     // a: peer, b: prefix; with attributes that fit a message, and do not with one more AS
  // paths and tunnels
  path_cut,     // a: tunnel; packets vanish; probes, where there are some, notice after 3 s, DPD after a minute
  path_heal,    // a: tunnel
  tcp_reset,    // a: tunnel
  intruder,     // a: tunnel; a silent connection from the peer's address, b odd: from ours; b over 9: closed b - 9 s on
  sa_lost,      // a: tunnel; deleted by the peer; b odd: charon's event is lost; b over 7: refused for 4 b seconds
  sa_rekey,     // a: tunnel; b odd: charon's event is lost
  ike_forgot,   // a: tunnel; the peer has lost its SAs and says nothing
  ike_repeats,  // a: tunnel; charon repeats a request; b odd: the peer repeats one
  uplink_down,  // a: tunnel; the device that ESP leaves through
  uplink_up,    // a: tunnel
  charon_kill,  // dead; the kernel's SAs stay
  charon_start,
  // kernel
  link_down,    // a: tunnel's interface; b over 15: it is removed
  link_up,      // a: tunnel's interface
  vandal,       // removes a route of ours
  object_gone,  // removes a next-hop object of ours
  opponent,     // b: prefix; a program removes that route of ours whenever it is there, for 20 s
  foreign,      // a: tunnel, b: prefix; a program puts its own route in front of ours (b odd: behind) for 3 b seconds
  refuse,       // one operation in 2 + b % 5 is refused
  overrun,      // one notification in 1 + b % 4 is lost
  kernel_calm,  // neither any more
  // the gateway's process
  kill,
  stop,
  start,
  // the operator
  write_files,  // b: variant of the configuration
  apply,
  apply_confirm,  // b: seconds
  reload,         // SIGHUP
  confirm,
  rollback,
  drain,  // a: peer, b: seconds between steps
  undo_drain,
  disable,
  enable,
  reset,
  refresh,
  announce,  // b: network
  withdraw,
  drill,  // a: tunnel, b: seconds
  stop_drill,
  terminate,  // a: tunnel
  disk_full,
  disk_free,
  kCount,
};
[[nodiscard]] std::string_view to_text(Act act);

struct Step {
  std::uint32_t after_ms = 0;  ///< Since the step before.
  Act act{};
  std::uint32_t a = 0, b = 0;
  bool operator==(const Step&) const = default;
};

struct Script {
  std::uint64_t seed = 0;  ///< Of the surroundings: number of peers, their quirks, latencies.
  std::vector<Step> steps;
};

[[nodiscard]] Script draw(std::uint64_t seed);
[[nodiscard]] std::string to_text(const Script& script);
/// Nothing: it makes no sense.
[[nodiscard]] std::optional<Script> parse(std::string_view text);

/// The shortest script that was found for which `fails` still answers true. At most `runs` calls.
[[nodiscard]] Script shrink(Script script, const std::function<bool(const Script&)>& fails, int runs = 2000);

}  // namespace bgplite::sim
