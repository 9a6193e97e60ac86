#include <xfrm/policy_failover.h>

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace minibgp::xfrm {
namespace {

using namespace std::chrono_literals;

class Follower : public ::testing::Test {
 protected:
  /// One sample with so many new packets on each tunnel.
  std::optional<InboundFollower::Move> sample(std::vector<std::uint64_t> fresh, Duration after = 500ms) {
    now_ += after;
    for (std::size_t i = 0; i < fresh.size(); ++i) tunnels_[i].inbound += fresh[i];
    return follower_.sample(tunnels_, now_);
  }
  InboundFollower follower_;
  std::vector<InboundFollower::Sample> tunnels_{{true, 0}, {true, 0}};
  Time now_{1h};
};

TEST_F(Follower, BeginsWithTheFirstUsable) {
  tunnels_[0].usable = false;
  EXPECT_EQ(sample({0, 0})->to, 1U);
  tunnels_[0].usable = true;
  EXPECT_FALSE(sample({0, 0})) << "nothing says that the peer went back";
}

TEST_F(Follower, GoesWhereThePeerSends) {
  sample({0, 0});
  sample({100, 1}, 10s);
  EXPECT_FALSE(sample({0, 100})) << "once may be a burst";
  const auto move = sample({0, 100});
  ASSERT_TRUE(move);
  EXPECT_EQ(move->from, 0U);
  EXPECT_EQ(move->to, 1U);
  EXPECT_EQ(move->why, "inbound traffic moved");
}

TEST_F(Follower, ProbesAndKeepalivesAreNoise) {
  sample({0, 0});
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(sample({1, 4}, 1s));
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(sample({100, 300}, 1s)) << "both carry traffic";
}

TEST_F(Follower, ATrickleIsFollowedWhereThePresentTunnelIsSilent) {
  sample({0, 0});
  std::optional<InboundFollower::Move> move;
  int samples = 0;
  // A packet a second, as an echo that is never answered: no sample of half a second ever holds many.
  for (; !move && samples < 100; ++samples) move = sample({0, static_cast<std::uint64_t>(samples % 2)});
  ASSERT_TRUE(move);
  EXPECT_EQ(move->to, 1U);
  EXPECT_LE(samples, 2 * static_cast<int>(InboundFollower::kTrickle) + 2);
}

TEST_F(Follower, StaysForAWhile) {
  sample({0, 0});
  sample({100, 0}, 10s);
  sample({0, 100});
  ASSERT_TRUE(sample({0, 100}));
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(sample({100, 0})) << "within the dwell time";
  EXPECT_TRUE(sample({100, 0}, InboundFollower::kDwell));
}

TEST_F(Follower, LeavesADeadTunnelAtOnce) {
  sample({0, 0});
  tunnels_[0].usable = false;
  const auto move = sample({0, 0}, 0ms);
  ASSERT_TRUE(move);
  EXPECT_EQ(move->to, 1U);
  EXPECT_EQ(move->why, "previous tunnel is down");
  tunnels_[1].usable = false;
  EXPECT_EQ(sample({0, 0}, 0ms)->to, InboundFollower::kNone);
}

TunnelOptions policy_tunnel(const std::string& name, const std::string& remote_ts) {
  TunnelOptions it;
  it.name = name;
  it.mode = Mode::policy;
  IkeOptions& ike = it.ike.emplace();
  ike.local_ts = {"172.16.0.0/16"};
  ike.remote_ts = {remote_ts};
  return it;
}

// charon keeps the policies of the better priority in the kernel, whichever tunnel it renews.
TEST(PolicyPriorities, TunnelsWithTheSameSelectorsDifferAndTheFirstIsBest) {
  std::vector<TunnelOptions> tunnels{policy_tunnel("a", "192.168.0.0/16"), policy_tunnel("alone", "10.0.0.0/8"),
                                     policy_tunnel("b", "192.168.0.0/16"), policy_tunnel("c", "192.168.0.0/16")};
  tunnels.push_back(TunnelOptions{});
  EXPECT_EQ(tunnels_with_same_selectors(tunnels), (std::vector<std::vector<std::string>>{{"a", "b", "c"}}));
  const auto made = with_policy_priorities(tunnels);
  EXPECT_LT(made[0].ike->priority, made[2].ike->priority);
  EXPECT_LT(made[2].ike->priority, made[3].ike->priority);
  // Not above charon's own for these selectors, and not among those of the next longer prefix.
  EXPECT_EQ(made[3].ike->priority, 399'999U - 512U * 32U);
  EXPECT_GT(made[0].ike->priority, 399'999U - 512U * 33U);
  EXPECT_EQ(made[1].ike->priority, 0U) << "nothing to choose: charon's own";
}

TEST(PolicyPriorities, AConfiguredOneStays) {
  std::vector<TunnelOptions> tunnels{policy_tunnel("a", "192.168.0.0/16"), policy_tunnel("b", "192.168.0.0/16")};
  tunnels[0].ike->priority = 7;
  const auto made = with_policy_priorities(tunnels);
  EXPECT_EQ(made[0].ike->priority, 7U);
  EXPECT_GT(made[1].ike->priority, 7U);
}

}  // namespace
}  // namespace minibgp::xfrm
