// NextHopGroups on its own: sets of next hops in, operations on kernel objects out.
#include <bgp/text.h>
#include <fib/next_hop_group.h>

#include <array>

#include <gtest/gtest.h>

namespace minibgp::fib {
namespace {

constexpr std::uint32_t kBase = 0x62FE0000;

GroupMember member(const std::string& gateway, unsigned source = 0, std::uint16_t weight = 1) {
  return {{parse_address(gateway).value(), IfIndex{1}, weight, false}, Source{source}};
}

class NextHopGroupsTest : public ::testing::Test {
 protected:
  /// All operations, each answered with `error`; a letter for each: "s" single made, "g" group made, "d" removed.
  std::string work(int error = 0) {
    std::string kinds;
    for (auto batch = groups_.next_batch(8, now_); !batch.empty(); batch = groups_.next_batch(8, now_)) {
      std::vector<OpError> errors;
      for (std::size_t i = 0; i < batch.size(); ++i) {
        const bool removes = batch[i].kind == NextHopOp::Kind::remove;
        kinds += removes ? 'd' : batch[i].next_hop.entries.empty() ? 's' : 'g';
        if (error != 0) errors.push_back({i, error, {}});
      }
      groups_.on_answers(std::vector(batch.begin(), batch.end()), errors, now_);
    }
    return kinds;
  }
  Time now_{std::chrono::seconds{1000}};
  NextHopGroups groups_{{155, kBase, 65536, {}}};
  std::array<GroupMember, 2> both_{member("192.0.2.1"), member("192.0.2.2", 1, 3)};
};

TEST_F(NextHopGroupsTest, ASetOfOneIsASingleObjectAndALargerOneAGroupBehindItsMembers) {
  const NextHopId one = groups_.acquire(std::span{both_}.first(1), kNoNextHopId);
  EXPECT_EQ(work(), "s");
  const NextHopId two = groups_.acquire(both_, kNoNextHopId);
  EXPECT_EQ(work(), "ssg") << "members are not shared between sets";
  EXPECT_NE(one, two);
  EXPECT_TRUE(groups_.idle());
  EXPECT_EQ(groups_.acquire(both_, kNoNextHopId), two) << "equal sets are one";
  EXPECT_EQ(work(), "");
}

TEST_F(NextHopGroupsTest, ADeadMemberLeavesItsGroupAndTheLastOneStays) {
  const NextHopId id = groups_.acquire(both_, kNoNextHopId);
  EXPECT_EQ(work(), "ssg");
  EXPECT_EQ(groups_.take_out(std::array{NextHopGroups::Dead{both_[1], false}}), 1U);
  EXPECT_TRUE(groups_.take_changed());
  EXPECT_EQ(work(), "d") << "one message: the kernel takes it out of the group";
  ASSERT_EQ(groups_.members(id).size(), 1U);
  EXPECT_EQ(groups_.members(id)[0].via.gateway, both_[0].via.gateway);
  EXPECT_EQ(groups_.take_out(std::array{NextHopGroups::Dead{both_[0], false}}), 0U)
      << "an empty group would take its routes along";
}

TEST_F(NextHopGroupsTest, TheSameGatewayOfAnotherSourceIsAnotherMember) {
  std::array members{member("192.0.2.1", 0), member("192.0.2.1", 1)};
  const NextHopId id = groups_.acquire(members, kNoNextHopId);
  EXPECT_EQ(groups_.take_out(std::array{NextHopGroups::Dead{members[1], false}}), 1U);
  ASSERT_EQ(groups_.members(id).size(), 1U);
  EXPECT_EQ(groups_.members(id)[0].source, Source{0});
}

TEST_F(NextHopGroupsTest, WhatNothingNamesGoesGroupBeforeMembers) {
  const NextHopId id = groups_.acquire(both_, kNoNextHopId);
  EXPECT_EQ(work(), "ssg");
  groups_.release(id);
  EXPECT_EQ(work(), "ddd");
  EXPECT_EQ(groups_.object_count(), 0U);
  EXPECT_TRUE(groups_.idle());
}

TEST_F(NextHopGroupsTest, AnObjectThatAnotherProgramRemovesIsReportedOnce) {
  const NextHopId id = groups_.acquire(std::span{both_}.first(1), kNoNextHopId);
  EXPECT_EQ(work(), "s");
  EXPECT_TRUE(groups_.take_made());
  EXPECT_FALSE(groups_.has_news());
  groups_.on_kernel_gone(id);
  EXPECT_TRUE(groups_.has_news());
  EXPECT_EQ(groups_.take_gone(), std::vector{id});
  EXPECT_EQ(groups_.take_gone(), std::vector<NextHopId>{});
}

TEST_F(NextHopGroupsTest, ABusyKernelIsAskedAgainLater) {
  (void)groups_.acquire(std::span{both_}.first(1), kNoNextHopId);
  EXPECT_EQ(work(EBUSY), "s");
  EXPECT_FALSE(groups_.idle());
  ASSERT_NE(groups_.next_deadline(), kNever);
  now_ = groups_.next_deadline();
  EXPECT_EQ(work(), "s");
  EXPECT_TRUE(groups_.idle());
}

TEST_F(NextHopGroupsTest, OfAnEarlierRunASetIsTakenOverByContent) {
  const NextHopId left{kBase + 7};
  groups_.begin_dump();
  groups_.on_kernel_next_hop({left, 155, both_[0].via, {}});
  groups_.end_dump();
  EXPECT_EQ(groups_.acquire(std::span{both_}.first(1), kNoNextHopId), left);
  EXPECT_EQ(work(), "") << "it is in the kernel as desired";
}

}  // namespace
}  // namespace minibgp::fib
