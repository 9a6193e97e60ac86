/// The generator that spreads timers (RFC 4271 s.10). Seeded, so that a run replays; not for secrets.
#pragma once

#include <bgp/types.h>

#include <cstdint>

namespace minibgp::session {

class Jitter {
 public:
  explicit Jitter(std::uint64_t seed) : state_(seed) {}

  /// 75 % to 100 % of `interval`, uniformly: a timer may come early, never late.
  [[nodiscard]] Duration shorten(Duration interval) {
    const auto parts = static_cast<std::int64_t>(next() % 1025U);  // 1/4096 of the interval each
    return interval - Duration{interval.count() / 4096 * parts};
  }

 private:
  /// SplitMix64: one addition and two multiplications, every seed is good.
  std::uint64_t next() {
    std::uint64_t mixed = (state_ += 0x9E3779B97F4A7C15U);
    mixed = (mixed ^ (mixed >> 30U)) * 0xBF58476D1CE4E5B9U;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94D049BB133111EBU;
    return mixed ^ (mixed >> 31U);
  }
  std::uint64_t state_;
};

}  // namespace minibgp::session
