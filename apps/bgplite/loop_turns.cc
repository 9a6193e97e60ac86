#include <apps/bgplite/loop_turns.h>

#include <algorithm>
#include <ctime>

namespace bgplite {
namespace {

std::chrono::nanoseconds processor_time() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds{used.tv_sec} + std::chrono::nanoseconds{used.tv_nsec};
}

}  // namespace

void LoopTurns::run(boost::asio::io_context& io) {
  // Waiting for the next event takes no processor time to speak of, so one reading of the clock a turn is enough.
  std::chrono::nanoseconds before = processor_time();
  while (io.run_one() != 0) {
    // Handlers run one at a time, so what lies between two readings is one handler.
    const std::chrono::nanoseconds after = processor_time();
    note(after - before);
    before = after;
  }
}

void LoopTurns::note(std::chrono::nanoseconds busy) {
  const auto bound = std::find_if(kUpperMs.begin(), kUpperMs.end(),
                                  [&](unsigned upper) { return busy <= std::chrono::milliseconds{upper}; });
  ++counts_[static_cast<std::size_t>(bound - kUpperMs.begin())];
  sum_ += busy;
  longest_ = std::max(longest_, busy);
}

}  // namespace bgplite
