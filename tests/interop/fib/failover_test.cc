// Failover by next-hop groups at the size of a full table: from being told to the kernel forwarding another way,
// whatever the number of routes, in either setting of net.ipv4.nexthop_compat_mode. MINIBGP_ROUTES sets the largest
// number.
#include <tests/interop/fib/kernel_lab.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

namespace minibgp::fib::testing {
namespace {

class Failover : public KernelLab, public ::testing::WithParamInterface<int> {
 protected:
  static std::uint32_t largest() {
    const char* const text = std::getenv("MINIBGP_ROUTES");
    return text == nullptr ? 100'000U : static_cast<std::uint32_t>(std::strtoul(text, nullptr, 10));
  }
};

INSTANTIATE_TEST_SUITE_P(CompatMode, Failover, ::testing::Values(0, 1));

TEST_P(Failover, TakesMillisecondsWhateverTheNumberOfRoutes) {
  using Clock = std::chrono::steady_clock;
  const auto milliseconds = [](Clock::duration duration) {
    return static_cast<double>(std::chrono::nanoseconds(duration).count()) / 1e6;
  };
  run("sysctl -qw net.ipv4.nexthop_compat_mode=" + std::to_string(GetParam()));
  for (const std::uint32_t count : {std::uint32_t{10}, largest()}) {
    FibOptions options;
    options.on_exit = FibOptions::OnExit::remove;
    start(options);
    fib_->finish_adoption();
    auto began = Clock::now();
    best_many(count, {peer0, peer1});
    ASSERT_TRUE(in_sync(60s));
    const double install = milliseconds(Clock::now() - began);
    ASSERT_TRUE(contains(output("ip route get 10.0.0.1"), "169.254."));

    // The fastest of three: what the machine's other work adds is not ours.
    double told = 1e9;
    for (int flap = 0; flap < 3; ++flap) {
      fib_->set_interface_usable("tun0", true, "SA installed");
      ASSERT_TRUE(in_sync(60s));
      began = Clock::now();
      fib_->set_interface_usable("tun0", false, "SA deleted");
      told = std::min(told, milliseconds(Clock::now() - began));
    }
    // The kernel's own word, for the first route and the last, before the loop runs again.
    const std::string last = to_text(IpAddress::v4(0x0A000000 + (count - 1) * 16 + 1));
    for (const std::string& to : {std::string("10.0.0.1"), last})
      EXPECT_TRUE(contains(output("ip route get " + to), "dev tun1")) << output("ip route get " + to);
    EXPECT_LT(told, 5.0);

    // What a speaker says next: every route over the other peer alone. The kernel's routes stay as they are.
    const auto replaces = fib_->status().counters.route_replaces;
    best_many(count, {peer1});
    ASSERT_TRUE(in_sync(60s));
    EXPECT_EQ(fib_->status().counters.route_replaces, replaces);

    began = Clock::now();
    fib_->set_interface_usable("tun0", true, "SA installed");
    best_many(count, {peer0, peer1});
    ASSERT_TRUE(in_sync(60s));
    const double back = milliseconds(Clock::now() - began);
    const double turn = static_cast<double>(fib_->status().counters.longest_turn_ns) / 1e6;
    // A turn is 2 ms of work and what it cannot interrupt; on a machine with more to do than it can, this measures
    // others.
    double load = 0;
    if (::getloadavg(&load, 1) == 1 && load < 2) {
      EXPECT_LT(turn, 50.0);
    }
    std::printf("compat_mode=%d routes=%u install=%.1f ms failover=%.3f ms back=%.1f ms longest_turn=%.1f ms\n",
                GetParam(), count, install, told, back, turn);
    stop();
    ASSERT_EQ(count_routes("proto 155"), 0U);
    ASSERT_EQ(count_objects(), 0U);
  }
}

}  // namespace
}  // namespace minibgp::fib::testing
