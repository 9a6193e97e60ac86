/// Firewall: does the host's nftables ruleset let IKE, ESP and forwarded packets through? Reads `nft -j list ruleset`
/// and follows the packet through every base chain, as the kernel does: an accept in one table does not help when
/// another table drops.
///
/// What it does not understand in a rule (sets by name, marks, time of day) it takes as not matching, so a drop that
/// depends on such a thing is not reported. Pure.
#pragma once

#include <apps/bgplite/host/facts.h>

#include <string>
#include <string_view>
#include <vector>

namespace bgplite::host {

struct FirewallFacts {
  bool readable = false;
  std::vector<FirewallDrop> drops;
  std::vector<Masquerade> masquerades;
  bool mss_clamped = false;
};

/// `ruleset` is nft's JSON. `tunnels` are the interfaces that packets for a tunnel leave by; `device` is the
/// underlay's.
[[nodiscard]] FirewallFacts read_firewall(std::string_view ruleset, const std::vector<std::string>& tunnels,
                                          std::string_view device);

/// The rules that the daemon manages.
struct OwnRules {
  std::size_t clamps = 0;            ///< Of the MSS, in our table.
  std::vector<std::string> foreign;  ///< In our table and not ours: "inet bgplite mss_forward handle 4".
  std::size_t doors = 0;             ///< In the operator's chain.
};
/// `door_chain` is the operator's: "inet filter input".
[[nodiscard]] OwnRules read_own_rules(std::string_view ruleset, const std::string& door_chain);

}  // namespace bgplite::host
