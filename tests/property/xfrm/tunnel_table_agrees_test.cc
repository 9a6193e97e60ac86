// TunnelTable against the naive answer of TunnelWorld: whatever the order, delay and loss of events, once everything
// has been heard the table says what the real world is, and what a table that starts now and reads everything says.
#include <xfrm/tunnel_table.h>

#include <array>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <string>

#include "tunnel_world.h"
#include <gtest/gtest.h>

namespace minibgp::xfrm {
namespace {

using testing::Event;
using testing::kEvents;
using testing::TunnelWorld;

constexpr std::size_t kStates = 3;
using Counts = std::array<std::array<std::uint64_t, kStates>, kEvents>;

constexpr std::uint64_t kInterleavings = 100'000;
constexpr int kChanges = 40;

/// One interleaving; the state of the tunnel an event is about, before it, is counted in `counts`.
void run(std::uint64_t seed, Counts& counts) {
  SCOPED_TRACE(::testing::Message() << "seed=" << seed);
  TunnelWorld world(seed);
  TunnelTable table;
  // Damping only delays; in every other interleaving it is on with holds long enough to overlap everything.
  Damping damping;
  damping.enabled = seed % 2 == 0;
  damping.free_flaps = 1;
  table.set_damping(damping);
  world.tell_all(table);
  Time now{};
  (void)table.settle(now);

  const auto hear = [&] {
    auto message = world.deliver();
    if (!message) return false;
    const std::string& name = world.tunnels()[message->tunnel].name;
    ++counts[static_cast<std::size_t>(message->event)][static_cast<std::size_t>(table.state(name))];
    message->tell(table);
    now += std::chrono::milliseconds{world.random(8) == 0 ? world.random(8000) : world.random(50)};
    for (const TunnelChange& change : table.settle(now)) EXPECT_EQ(change.state, table.state(change.tunnel));
    return true;
  };
  for (int i = 0; i < kChanges; ++i) {
    world.change();
    for (std::uint64_t n = world.random(4); n > 0; --n) hear();
  }
  world.come_to_rest();
  while (hear()) {
  }
  TunnelTable fresh;
  world.tell_all(fresh);
  // Every grace, bound and hold passes, one after the other.
  for (int i = 0; i < 5; ++i) {
    (void)table.settle(now);
    (void)fresh.settle(now);
    now += std::chrono::hours{1};
  }
  for (std::size_t i = 0; i < TunnelWorld::kTunnels; ++i) {
    const std::string& name = world.tunnels()[i].name;
    EXPECT_EQ(to_text(table.state(name)), to_text(world.naive_state(i))) << name << ": the naive answer differs";
    EXPECT_EQ(to_text(table.state(name)), to_text(fresh.state(name))) << name << ": a fresh dump says otherwise";
  }
}

TEST(TunnelTableAgrees, WithTheNaiveAnswerAndAFreshDumpAfterAnyInterleaving) {
  // MINIBGP_SEED=n runs one interleaving alone.
  const char* only = std::getenv("MINIBGP_SEED");
  const std::uint64_t first = only ? std::strtoull(only, nullptr, 10) : 1;
  const std::uint64_t last = only ? first : kInterleavings;
  Counts counts{};
  for (std::uint64_t seed = first; seed <= last && !HasFailure(); ++seed) run(seed, counts);
  if (only || HasFailure()) return;

  std::cout << kInterleavings << " interleavings; events delivered, by the state of their tunnel before:\n"
            << std::setw(18) << "event" << std::setw(12) << "down" << std::setw(12) << "suspect" << std::setw(12)
            << "up" << '\n';
  for (std::size_t event = 0; event < kEvents; ++event) {
    std::cout << std::setw(18) << to_text(static_cast<Event>(event));
    for (std::size_t state = 0; state < kStates; ++state) {
      std::cout << std::setw(12) << counts[event][state];
      EXPECT_GT(counts[event][state], 0U) << to_text(static_cast<Event>(event)) << " never met a tunnel that is "
                                          << to_text(static_cast<TunnelState>(state));
    }
    std::cout << '\n';
  }
}

}  // namespace
}  // namespace minibgp::xfrm
