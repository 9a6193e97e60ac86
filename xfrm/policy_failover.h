/// InboundFollower: of several tunnels to the same place, which one the peer sends on, and so which one we should send
/// on. A cloud's VPN gateway with an active and a standby tunnel drops what comes over the one it does not use, and may
/// switch at any time; nothing but the inbound traffic tells.
///
/// Pure. Not here: how the outbound side is moved (a route by fib/, or the kernel's policies by
/// netlink/policy_redirect).
#pragma once

#include <bgp/types.h>
#include <xfrm/tunnel.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace minibgp::xfrm {

class InboundFollower {
 public:
  /// Probes and keepalives come in on every tunnel: what the peer uses must exceed the present one's packets by this
  /// factor and by this many.
  static constexpr std::uint64_t kFactor = 4;
  static constexpr std::uint64_t kNoise = 5;
  /// In so many samples in a row.
  static constexpr unsigned kConfirmations = 2;
  /// Or, for traffic too thin for a sample: so many packets since the present tunnel's last one.
  static constexpr std::uint64_t kTrickle = 5;
  /// No move by traffic within this of the last one.
  static constexpr std::chrono::seconds kDwell{3};

  struct Sample {
    bool usable = false;
    std::uint64_t inbound = 0;  ///< Packets ever received; grows only.
  };
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  struct Move {
    std::size_t from = kNone;
    std::size_t to = kNone;  ///< kNone: no tunnel is usable.
    std::string_view why;
  };
  /// One sample of each tunnel, in order of preference; always as many. A move is a decision already taken.
  std::optional<Move> sample(std::span<const Sample> tunnels, Time now);
  [[nodiscard]] std::size_t current() const { return current_; }

 private:
  [[nodiscard]] std::size_t fallback(std::span<const Sample> tunnels, std::span<const std::uint64_t> fresh) const;
  [[nodiscard]] bool outweighs(std::size_t busiest, std::span<const std::uint64_t> fresh) const;

  std::vector<std::uint64_t> before_;
  std::vector<std::uint64_t> since_silent_;  ///< Of each tunnel, since the present one received its last packet.
  std::size_t current_ = kNone;
  std::size_t candidate_ = kNone;
  unsigned confirmations_ = 0;
  Time moved_{};
};

/// Policy-based tunnels with the same selectors: only one of them can be in the kernel's policies, so it has to be the
/// one that the peer uses, asked for or not. Names in configured order, of two or more tunnels each.
[[nodiscard]] std::vector<std::vector<std::string>> tunnels_with_same_selectors(std::span<const TunnelOptions> tunnels);

/// The same tunnels, in which those with the same selectors have policies of different priority, the first the best:
/// charon keeps the best one's policies in the kernel, whichever tunnel it renews. A priority that is configured stays.
/// They lie where charon's own for such selectors lie: 400000 less 512 for each bit of prefix length.
[[nodiscard]] std::vector<TunnelOptions> with_policy_priorities(std::span<const TunnelOptions> tunnels);

}  // namespace minibgp::xfrm
