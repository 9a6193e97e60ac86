/// A synthetic Internet table as UPDATE messages, and peers that feed it to an Engine without sockets: prefix lengths,
/// prefixes per attribute set, path lengths and communities are distributed as in a real table.
#pragma once

#include <bgp/engine.h>
#include <bgp/policy.h>
#include <bgp/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace minibgp::bench {

struct TableOptions {
  std::size_t prefixes = 0;
  std::uint64_t attribute_seed = 1;  ///< Same prefixes in the same groups, other attributes.
  std::uint64_t order_seed = 0;      ///< The order of the groups; 0: as generated.
  Asn first_as{65001};
  IpAddress next_hop;
};

/// The whole stream, End-of-RIB included.
[[nodiscard]] std::vector<std::uint8_t> make_stream(const TableOptions& options);
/// Withdraws the same prefixes, as many per message as fit.
[[nodiscard]] std::vector<std::uint8_t> make_withdrawal(const TableOptions& options);

/// An Engine with peers that say what they are told to and read everything.
class Bed {
 public:
  /// `policy`: of every peer, on import and on export.
  Bed(std::size_t senders, std::size_t receivers, std::shared_ptr<const Policy> policy = Policy::accept_all());

  /// Gives each sender the next piece of its stream, in turn, until all are said; then until nothing is left to do.
  void play(const std::vector<std::vector<std::uint8_t>>& streams);

  [[nodiscard]] Engine& engine() { return engine_; }
  [[nodiscard]] std::size_t octets_sent() const { return octets_sent_; }
  [[nodiscard]] std::size_t best_changes() const { return best_changes_; }

 private:
  void establish(PeerId peer, const PeerOptions& options, std::uint32_t number);
  void pump();

  Time now_{};
  Engine engine_;
  std::vector<ConnId> conns_;
  std::size_t octets_sent_ = 0, best_changes_ = 0;
};

}  // namespace minibgp::bench
