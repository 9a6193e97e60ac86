/// Drainer: how peers are left without losing a packet, step by step. Pure; the daemon carries each step out.
///
///   asked         what they are told carries GRACEFUL_SHUTDOWN, their paths are the least preferred (RFC 8326)
///   unattractive  longer AS path and highest MED too, for peers that do not know the community
///   stopped       the session is ended
#pragma once

#include <bgp/peer.h>
#include <bgp/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace bgplite {

enum class DrainStep : std::uint8_t { asked, unattractive, stopped };
[[nodiscard]] const char* to_text(DrainStep step);

class Drainer {
 public:
  /// Begins with `asked`; the others follow after `wait` each. Again for a peer: begins anew.
  void begin(const std::string& peer, minibgp::Duration wait, minibgp::Time now);
  /// Whether it was being drained.
  bool end(const std::string& peer) { return drains_.erase(peer) != 0; }

  /// Peers that took their next step; each at most one a call.
  [[nodiscard]] std::vector<std::string> on_time(minibgp::Time now);
  [[nodiscard]] minibgp::Time next_deadline() const;

  /// Nothing: not drained.
  [[nodiscard]] std::optional<DrainStep> step(const std::string& peer) const;
  /// Makes `options` what the peer's step asks for.
  void apply(const std::string& peer, minibgp::PeerOptions& options) const;

 private:
  struct Drain {
    DrainStep step = DrainStep::asked;
    minibgp::Duration wait{};
    minibgp::Time next = minibgp::kNever;
  };
  std::map<std::string, Drain> drains_;
};

}  // namespace bgplite
