// Failover by next-hop groups at the size of a full table: when the call returns, the kernel forwards another way, by
// one message however many routes there are, in either setting of net.ipv4.nexthop_compat_mode. What is asserted is the
// number of messages; the milliseconds are printed. MINIBGP_ROUTES sets the largest number of routes.
#include <tests/interop/fib/kernel_lab.h>

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
  static std::uint64_t routes_written(const FibCounters& counters) {
    return counters.route_adds + counters.route_replaces + counters.route_removes;
  }
};

INSTANTIATE_TEST_SUITE_P(CompatMode, Failover, ::testing::Values(0, 1));

TEST_P(Failover, IsOneMessageWhateverTheNumberOfRoutes) {
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

    // Done when the call returns, before the loop runs again: the kernel's own word, for the first route and the last.
    auto before = fib_->status().counters;
    began = Clock::now();
    fib_->set_interface_usable("tun0", false, "SA deleted");
    const double told = milliseconds(Clock::now() - began);
    const std::string last = to_text(IpAddress::v4(0x0A000000 + (count - 1) * 16 + 1));
    for (const std::string& to : {std::string("10.0.0.1"), last})
      EXPECT_TRUE(contains(output("ip route get " + to), "dev tun1")) << output("ip route get " + to);
    EXPECT_EQ(fib_->status().counters.group_changes - before.group_changes, 1U) << "one next hop deleted";

    // What a speaker says next: every route over the other peer alone. The kernel's routes stay as they are.
    best_many(count, {peer1});
    ASSERT_TRUE(in_sync(60s));
    auto after = fib_->status().counters;
    EXPECT_EQ(routes_written(after), routes_written(before));
    EXPECT_EQ(after.group_changes - before.group_changes, 1U);

    // Back: a fresh group, to which each route moves once.
    before = after;
    began = Clock::now();
    fib_->set_interface_usable("tun0", true, "SA installed");
    best_many(count, {peer0, peer1});
    ASSERT_TRUE(in_sync(60s));
    const double back = milliseconds(Clock::now() - began);
    const double turn = static_cast<double>(fib_->status().counters.longest_turn_ns) / 1e6;
    after = fib_->status().counters;
    EXPECT_EQ(after.route_replaces - before.route_replaces, count);
    EXPECT_EQ(routes_written(after) - routes_written(before), count);
    std::printf("compat_mode=%d routes=%u install=%.1f ms failover=%.3f ms back=%.1f ms longest_turn=%.1f ms\n",
                GetParam(), count, install, told, back, turn);
    stop();
    ASSERT_EQ(count_routes("proto 155"), 0U);
    ASSERT_EQ(count_objects(), 0U);
  }
}

}  // namespace
}  // namespace minibgp::fib::testing
