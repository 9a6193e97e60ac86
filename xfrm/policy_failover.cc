#include <bgp/text.h>
#include <xfrm/policy_failover.h>

#include <algorithm>
#include <map>
#include <utility>

namespace minibgp::xfrm {
namespace {

/// charon's for a policy without a prefix, and how much less for each bit (kernel_netlink, strongSwan 5.5 and later).
constexpr std::uint32_t kPriority = 399'999;
constexpr std::uint32_t kPriorityOfBit = 512;

std::uint32_t shortest(const std::vector<std::string>& selectors) {
  // The shortest selector decides about the priority that charon would choose.
  std::uint32_t bits = 128;
  for (const std::string& text : selectors) {
    const auto prefix = parse_prefix(text);
    // A name or a range counts like a prefix without bits.
    bits = std::min<std::uint32_t>(bits, prefix ? prefix->length_bits : 0);
  }
  return selectors.empty() ? 0 : bits;
}

}  // namespace

std::vector<std::vector<std::string>> tunnels_with_same_selectors(std::span<const TunnelOptions> tunnels) {
  std::map<std::pair<std::vector<std::string>, std::vector<std::string>>, std::vector<std::string>> groups;
  for (const TunnelOptions& tunnel : tunnels)
    if (tunnel.mode == Mode::policy && tunnel.ike)
      groups[{tunnel.ike->local_ts, tunnel.ike->remote_ts}].push_back(tunnel.name);
  std::vector<std::vector<std::string>> shared;
  for (auto& [selectors, names] : groups)
    if (names.size() > 1) shared.push_back(std::move(names));
  return shared;
}

std::vector<TunnelOptions> with_policy_priorities(std::span<const TunnelOptions> tunnels) {
  std::vector<TunnelOptions> all{tunnels.begin(), tunnels.end()};
  for (const std::vector<std::string>& names : tunnels_with_same_selectors(tunnels)) {
    std::uint32_t place = 0;
    for (const std::string& name : names) {
      const auto tunnel = std::find_if(all.begin(), all.end(), [&](const auto& it) { return it.name == name; });
      IkeOptions& ike = *tunnel->ike;
      const std::uint32_t best = kPriority - kPriorityOfBit * (shortest(ike.local_ts) + shortest(ike.remote_ts)) -
                                 static_cast<std::uint32_t>(names.size());
      if (ike.priority == 0) ike.priority = best + ++place;
    }
  }
  return all;
}

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
    // A counter that went back belongs to a new SA.
    fresh[i] = tunnels[i].inbound >= before_[i] ? tunnels[i].inbound - before_[i] : 0;
    before_[i] = tunnels[i].inbound;
  }

  const std::size_t from = current_;
  // The tunnel in use is gone: no confirmation and no dwell time, because nothing is sent otherwise.
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
    // Counted only while the present one is silent: any packet of it begins the count anew.
    since_silent_[i] = fresh[current_] == 0 ? since_silent_[i] + fresh[i] : 0;
  std::size_t busiest = current_;
  for (std::size_t i = 0; i < tunnels.size(); ++i)
    // Traffic of this sample first; what trickled in while the present one was silent decides between equals.
    if (tunnels[i].usable && std::pair{fresh[i], since_silent_[i]} > std::pair{fresh[busiest], since_silent_[busiest]})
      busiest = i;
  if (busiest == current_ || !outweighs(busiest, fresh)) {
    candidate_ = kNone;
    confirmations_ = 0;
    return std::nullopt;
  }
  // In a row: one sample can be a burst.
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
