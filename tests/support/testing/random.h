/// The randomness of a World: seeded, the same with every compiler and library, so that a seed replays anywhere.
#pragma once

#include <bgp/types.h>

#include <cstdint>

namespace minibgp::testing {

/// Names a run. Print it when a test fails.
enum class Seed : std::uint64_t {};
/// Numbers that a seed determines, with every compiler.
class Random {
 public:
  explicit Random(Seed seed) : state_(static_cast<std::uint64_t>(seed)) {}  ///< Equal seeds, equal numbers.

  /// SplitMix64.
  std::uint64_t next() {
    std::uint64_t mixed = (state_ += 0x9E3779B97F4A7C15U);
    mixed = (mixed ^ (mixed >> 30U)) * 0xBF58476D1CE4E5B9U;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94D049BB133111EBU;
    return mixed ^ (mixed >> 31U);
  }
  /// 0 .. count - 1; `count` is not 0.
  [[nodiscard]] std::size_t below(std::size_t count) { return static_cast<std::size_t>(next() % count); }
  [[nodiscard]] bool one_in(std::size_t count) { return below(count) == 0; }  ///< On average.
  [[nodiscard]] Duration up_to(Duration most) {
    return Duration{static_cast<std::int64_t>(next() % (static_cast<std::uint64_t>(most.count()) + 1U))};
  }  ///< From zero to `most`.

 private:
  std::uint64_t state_;
};

}  // namespace minibgp::testing
