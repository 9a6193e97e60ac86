/// PolicyBench: the policies of a configuration with routes put before them exactly where peers would: with the same
/// defaults, the same knowledge of our networks and IKE endpoints, and the same compiled program as in the daemon.
#pragma once

#include <apps/bgplite/config/policy_cases.h>
#include <apps/bgplite/config/yaml.h>
#include <bgp/policy.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace bgplite::cli {

/// Where a policy is attached: what its routes have in common.
struct Seat {
  std::string policy;  ///< Name; of a built-in one: "accept_all" or "reject_all (RFC 8212)".
  std::shared_ptr<const minibgp::Policy> built_in;  ///< Null when `policy` is one of the configuration's.
  std::string peer, peer_address, tunnel;
  minibgp::Direction direction = minibgp::Direction::import;
  minibgp::PeerType peer_type = minibgp::PeerType::ebgp;
  minibgp::Asn local_as{}, peer_as{};
  bool reflector_client = false;  ///< The peer is a client of ours (RFC 4456).
};

class PolicyBench {
 public:
  explicit PolicyBench(Loaded loaded);

  /// At a peer (by name, address or tunnel), or a policy by itself. Nothing, and `error`, when there is none of that
  /// name.
  [[nodiscard]] std::optional<Seat> seat_at_peer(const std::string& peer, minibgp::Direction direction,
                                                 std::string& error) const;
  [[nodiscard]] std::optional<Seat> seat_of_policy(const std::string& policy, std::string& error) const;

  /// At each configured peer.
  [[nodiscard]] std::vector<Seat> seats_at_peers(minibgp::Direction direction) const;

  /// The policy at `seat` writes our own AS into a path, and neither the configuration nor the route says which that
  /// is: AS 0 would stand there. Nothing: all is well.
  [[nodiscard]] std::optional<Diagnostic> own_as_unknown(const Seat& seat, const PolicyRoute& route) const;

  /// What the policy may know. Views into `seat` and `route`.
  [[nodiscard]] minibgp::PolicyContext context(const Seat& seat, const PolicyRoute& route) const;
  [[nodiscard]] const minibgp::Policy& policy(const Seat& seat) const;

  [[nodiscard]] const minibgp::PolicyLibrary& library() const { return loaded_.policies.library; }
  [[nodiscard]] const PolicySources& sources() const { return loaded_.policies; }

 private:
  Loaded loaded_;
  [[nodiscard]] Seat seat_at(const PeerConfig& config, minibgp::Direction direction) const;

  std::vector<minibgp::IpAddress> endpoints_;             ///< Remote IKE addresses.
  std::map<std::string, minibgp::SourceMark> write_own_;  ///< Policies that write our own AS, and where the first does.
};

/// Reads a configuration, or a file of policies alone. Its mistakes go to `diagnostics`.
[[nodiscard]] std::optional<PolicyBench> open_bench(const std::string& path, Diagnostics& diagnostics);

}  // namespace bgplite::cli
