/// LoopTurns: runs the daemon's loop and notes how long each turn (one handler) kept the processor. While a turn runs
/// nothing else does: no session, no tunnel, no client is served. Time in which the kernel ran other programs is not
/// counted, so the figures hold on a busy host.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include <boost/asio/io_context.hpp>

namespace bgplite {

class LoopTurns {
 public:
  /// Upper bounds of the classes in milliseconds; one more class has no bound.
  static constexpr std::array<unsigned, 9> kUpperMs{1, 2, 5, 10, 20, 50, 100, 200, 500};

  /// Runs `io` until it is stopped or has nothing left to wait for.
  void run(boost::asio::io_context& io);
  void note(std::chrono::nanoseconds busy);

  [[nodiscard]] const std::array<std::uint64_t, kUpperMs.size() + 1>& counts() const { return counts_; }
  [[nodiscard]] std::chrono::nanoseconds sum() const { return sum_; }
  [[nodiscard]] std::chrono::nanoseconds longest() const { return longest_; }

 private:
  std::array<std::uint64_t, kUpperMs.size() + 1> counts_{};
  std::chrono::nanoseconds sum_{}, longest_{};
};

}  // namespace bgplite
