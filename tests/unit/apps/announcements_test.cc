/// Announcements: what the speaker is still to be given, and LoopTurns, which says why that is done in parts.
#include <apps/bgplite/gateway/announcements.h>
#include <apps/bgplite/loop_turns.h>
#include <bgp/text.h>

#include <chrono>
#include <string>
#include <vector>

#include <boost/asio/post.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bgplite {
namespace {

using namespace std::chrono_literals;
using minibgp::PathAttributes;
using minibgp::Prefix;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

Prefix prefix(const char* text) { return *minibgp::parse_prefix(text); }

PathAttributes med(std::uint32_t value) {
  PathAttributes attributes;
  attributes.med = value;
  return attributes;
}

/// Everything that waits: "10.0.0.0/8 5", "10.0.0.0/8 -" when withdrawn.
std::vector<std::string> take(Announcements& announcements) {
  std::vector<std::string> all;
  while (const auto change = announcements.next())
    all.push_back(to_text(change->prefix) + " " +
                  (change->attributes ? std::to_string(change->attributes->med.value_or(0)) : "-"));
  EXPECT_TRUE(announcements.settled());
  return all;
}

TEST(Announcements, OfWhatChangedTwiceTheLatestValueIsGivenOnce) {
  Announcements announcements;
  EXPECT_TRUE(announcements.settled());
  announcements.announce(prefix("10.1.0.0/16"), med(1));
  announcements.announce(prefix("10.2.0.0/16"), med(2));
  announcements.announce(prefix("10.1.0.0/16"), med(3));
  announcements.withdraw(prefix("10.2.0.0/16"));
  EXPECT_FALSE(announcements.settled());
  EXPECT_THAT(take(announcements), ElementsAre("10.1.0.0/16 3", "10.2.0.0/16 -"));
  EXPECT_THAT(take(announcements), IsEmpty());
}

TEST(Announcements, OnlyWhatWasAnnouncedByCommandIsWithdrawnByCommand) {
  Announcements announcements;
  announcements.announce(prefix("10.1.0.0/16"), med(1));
  announcements.announce_by_command(prefix("10.2.0.0/16"), med(2));
  static_cast<void>(take(announcements));
  EXPECT_FALSE(announcements.withdraw_by_command(prefix("10.1.0.0/16")));
  EXPECT_TRUE(announcements.settled());
  EXPECT_TRUE(announcements.withdraw_by_command(prefix("10.2.0.0/16")));
  EXPECT_FALSE(announcements.withdraw_by_command(prefix("10.2.0.0/16")));
  EXPECT_THAT(take(announcements), ElementsAre("10.2.0.0/16 -"));
}

TEST(Announcements, PartsHaveTheAttributesOfTheirNetworkAndAnAudience) {
  Announcements announcements;
  announcements.announce(prefix("10.0.0.0/8"), med(7));
  static_cast<void>(take(announcements));
  EXPECT_TRUE(announcements.set_parts({{prefix("10.0.0.0/9"), 1}, {prefix("10.128.0.0/9"), 3}}));
  EXPECT_EQ(announcements.parts_for(1), 2U);
  EXPECT_EQ(announcements.parts_for(2), 1U);
  const auto first = announcements.next();
  ASSERT_TRUE(first && first->attributes);
  EXPECT_EQ(first->attributes->med, 7U);
  EXPECT_EQ(first->attributes->local.audience, 1U);
  EXPECT_EQ(first->attributes->local.network_bits, 8);
  EXPECT_THAT(take(announcements), ElementsAre("10.128.0.0/9 7"));
  EXPECT_FALSE(announcements.set_parts({{prefix("10.0.0.0/9"), 1}, {prefix("10.128.0.0/9"), 3}}));
  EXPECT_TRUE(announcements.settled()) << "nothing is different";
  EXPECT_TRUE(announcements.set_parts({}));
  EXPECT_THAT(take(announcements), ElementsAre("10.0.0.0/9 -", "10.128.0.0/9 -"));
}

TEST(Announcements, AHalfThatBecameANetworkOfItsOwnStaysWhenThePartsGo) {
  Announcements announcements;
  announcements.announce(prefix("10.0.0.0/8"), med(7));
  static_cast<void>(announcements.set_parts({{prefix("10.0.0.0/9"), 1}, {prefix("10.128.0.0/9"), 1}}));
  static_cast<void>(take(announcements));
  announcements.announce(prefix("10.0.0.0/9"), med(9));
  EXPECT_THAT(take(announcements), ElementsAre("10.0.0.0/9 9"));
  EXPECT_TRUE(announcements.set_parts({}));
  EXPECT_THAT(take(announcements), ElementsAre("10.128.0.0/9 -"));
}

TEST(Announcements, WhatAPeerHadBeforeThePartsIsRemembered) {
  Announcements announcements;
  announcements.announce(prefix("10.0.0.0/8"), {});
  EXPECT_EQ(announcements.without_parts("a", 1, 50), 50U);
  static_cast<void>(announcements.set_parts({{prefix("10.0.0.0/9"), 1}, {prefix("10.128.0.0/9"), 1}}));
  EXPECT_EQ(announcements.without_parts("a", 1, 52), 50U);
  EXPECT_EQ(announcements.without_parts("a", 1, 0), 50U) << "a new session says nothing yet";
  EXPECT_EQ(announcements.without_parts("b", 2, 0), 1U) << "at least our own";
}

TEST(LoopTurns, EachTurnIsInTheClassOfItsLength) {
  LoopTurns turns;
  turns.note(1ms);
  turns.note(1ms + 1ns);
  turns.note(50ms);
  turns.note(700ms);
  EXPECT_THAT(turns.counts(), ElementsAre(1, 1, 0, 0, 0, 1, 0, 0, 0, 1));
  EXPECT_EQ(turns.longest(), 700ms);
  EXPECT_EQ(turns.sum(), 752ms + 1ns);
}

TEST(LoopTurns, MeasuresTheProcessorTimeOfAHandler) {
  boost::asio::io_context io{1};
  LoopTurns turns;
  const auto used = [] {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec};
  };
  boost::asio::post(io, [&] {
    for (const auto began = used(); used() - began < 30ms;) continue;
  });
  boost::asio::post(io, [] {});
  turns.run(io);
  EXPECT_GE(turns.longest(), 30ms);
  EXPECT_GE(turns.sum(), turns.longest());
}

}  // namespace
}  // namespace bgplite
