/// Weights: what the kernel is told of the shares that next hops have.
#pragma once

#include <fib/next_hop_group.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

namespace minibgp::fib {

/// What a next-hop group takes everywhere: kernels before 6.12 refuse 256, which multipath routes have.
inline constexpr std::uint16_t kWeightMax = 255;
/// How much more a next hop counts beside one that is suspect.
inline constexpr unsigned kWeightOverSuspect = 16;

/// Makes the shares of `members` their weights. As they are, where they fit; else their ratio counts: in lowest
/// terms, or as near as kWeightMax allows. Nothing gets less than 1.
inline void set_weights(std::vector<GroupMember>& members, std::vector<unsigned> shares) {
  unsigned largest = *std::max_element(shares.begin(), shares.end());
  if (largest > kWeightMax) {
    unsigned divisor = 0;
    for (const unsigned share : shares) divisor = std::gcd(divisor, share);
    for (unsigned& share : shares) share /= divisor;
    largest /= divisor;
  }
  const unsigned most = std::max<unsigned>(largest, kWeightMax);
  for (std::size_t i = 0; i < members.size(); ++i) {
    // At most 65535 * kWeightOverSuspect * kWeightMax, which fits. Rounded to the nearest.
    const unsigned weight = (shares[i] * kWeightMax + most / 2) / most;
    members[i].via.weight = static_cast<std::uint16_t>(std::max(weight, 1U));
  }
}

}  // namespace minibgp::fib
