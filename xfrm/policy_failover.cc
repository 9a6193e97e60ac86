#include <xfrm/policy_failover.h>

#include <utility>

namespace minibgp::xfrm {

/// The usable tunnel with most traffic; without any traffic the most preferred.
std::size_t InboundFollower::fallback(std::span<const Sample> tunnels, std::span<const std::uint64_t> fresh) const {
  std::size_t best = kNone;
  for (std::size_t i = 0; i < tunnels.size(); ++i)
    if (tunnels[i].usable && (best == kNone || fresh[i] > fresh[best] + kNoise)) best = i;
  return best;
}

/// Clearly more than the present tunnel: within this sample, or while that one received nothing at all.
bool InboundFollower::outweighs(std::size_t busiest, std::span<const std::uint64_t> fresh) const {
  return fresh[busiest] >= kFactor * fresh[current_] + kNoise || since_silent_[busiest] >= kTrickle;
}

std::optional<InboundFollower::Move> InboundFollower::sample(std::span<const Sample> tunnels, Time now) {
  std::vector<std::uint64_t> fresh(tunnels.size());
  before_.resize(tunnels.size());
  since_silent_.resize(tunnels.size());
  for (std::size_t i = 0; i < tunnels.size(); ++i) {
    fresh[i] = tunnels[i].inbound >= before_[i] ? tunnels[i].inbound - before_[i] : 0;
    before_[i] = tunnels[i].inbound;
  }

  const std::size_t from = current_;
  if (current_ == kNone || current_ >= tunnels.size() || !tunnels[current_].usable) {
    current_ = fallback(tunnels, fresh);
    candidate_ = kNone;
    confirmations_ = 0;
    since_silent_.assign(tunnels.size(), 0);
    if (current_ == from) return std::nullopt;
    moved_ = now;
    if (current_ == kNone) return Move{from, current_, "no tunnel is usable"};
    return Move{from, current_, from == kNone ? "first usable tunnel" : "previous tunnel is down"};
  }

  for (std::size_t i = 0; i < tunnels.size(); ++i)
    since_silent_[i] = fresh[current_] == 0 ? since_silent_[i] + fresh[i] : 0;
  std::size_t busiest = current_;
  for (std::size_t i = 0; i < tunnels.size(); ++i)
    if (tunnels[i].usable && std::pair{fresh[i], since_silent_[i]} > std::pair{fresh[busiest], since_silent_[busiest]})
      busiest = i;
  if (busiest == current_ || !outweighs(busiest, fresh)) {
    candidate_ = kNone;
    confirmations_ = 0;
    return std::nullopt;
  }
  confirmations_ = busiest == candidate_ ? confirmations_ + 1 : 1;
  candidate_ = busiest;
  if (confirmations_ < kConfirmations || now - moved_ < kDwell) return std::nullopt;
  current_ = busiest;
  candidate_ = kNone;
  confirmations_ = 0;
  since_silent_.assign(tunnels.size(), 0);
  moved_ = now;
  return Move{from, current_, "inbound traffic moved"};
}

}  // namespace minibgp::xfrm
