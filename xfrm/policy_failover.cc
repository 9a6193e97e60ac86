#include <xfrm/policy_failover.h>

namespace minibgp::xfrm {

/// The usable tunnel with most traffic; without any traffic the most preferred.
std::size_t InboundFollower::fallback(std::span<const Sample> tunnels, std::span<const std::uint64_t> fresh) const {
  std::size_t best = kNone;
  for (std::size_t i = 0; i < tunnels.size(); ++i)
    if (tunnels[i].usable && (best == kNone || fresh[i] > fresh[best] + kNoise)) best = i;
  return best;
}

std::optional<InboundFollower::Move> InboundFollower::sample(std::span<const Sample> tunnels, Time now) {
  std::vector<std::uint64_t> fresh(tunnels.size());
  before_.resize(tunnels.size());
  for (std::size_t i = 0; i < tunnels.size(); ++i) {
    fresh[i] = tunnels[i].inbound >= before_[i] ? tunnels[i].inbound - before_[i] : 0;
    before_[i] = tunnels[i].inbound;
  }

  const std::size_t from = current_;
  if (current_ == kNone || current_ >= tunnels.size() || !tunnels[current_].usable) {
    current_ = fallback(tunnels, fresh);
    candidate_ = kNone;
    confirmations_ = 0;
    if (current_ == from) return std::nullopt;
    moved_ = now;
    if (current_ == kNone) return Move{from, current_, "no tunnel is usable"};
    return Move{from, current_, from == kNone ? "first usable tunnel" : "previous tunnel is down"};
  }

  std::size_t busiest = current_;
  for (std::size_t i = 0; i < tunnels.size(); ++i)
    if (tunnels[i].usable && fresh[i] > fresh[busiest]) busiest = i;
  if (busiest == current_ || fresh[busiest] < kFactor * fresh[current_] + kNoise) {
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
  moved_ = now;
  return Move{from, current_, "inbound traffic moved"};
}

}  // namespace minibgp::xfrm
