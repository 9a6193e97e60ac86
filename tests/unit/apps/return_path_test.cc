#include <apps/bgplite/gateway/return_path.h>
#include <tests/support/testing/values.h>

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bgplite {
namespace {

using namespace std::chrono_literals;
using namespace minibgp::testing::literals;
using minibgp::Asn;
using minibgp::Prefix;
using minibgp::Time;
using ::testing::IsEmpty;

constexpr Time kStart{1h};
const Prefix kNetwork = "172.16.20.0/24"_prefix;
const Prefix kLower = "172.16.20.0/25"_prefix;
const Prefix kUpper = "172.16.20.128/25"_prefix;

struct ReturnPathTest : ::testing::Test {
  ReturnPath path;
  ReturnPathOptions options{.remote_as = Asn{65535}, .families = {true, true}};
  std::vector<Prefix> own{kNetwork};
  std::size_t told = 1;
  std::uint64_t first = path.set_peer("first", options);
  std::uint64_t second = path.set_peer("second", options);

  ReturnPathTest() {
    for (const char* peer : {"first", "second"}) path.on_established(peer, 30s, 0s);
  }
  [[nodiscard]] ReturnPath::Parts parts() const {
    return path.parts(own, [&](const std::string&) { return told; });
  }
};

TEST_F(ReturnPathTest, WhileNothingIsLostThereIsNothingToAnnounce) {
  EXPECT_NE(first, 0U);
  EXPECT_EQ(first & second, 0U);
  EXPECT_THAT(parts(), IsEmpty());
  EXPECT_EQ(path.next_deadline(), minibgp::kNever);
}

TEST_F(ReturnPathTest, ALossAnnouncesBothHalvesToThoseThatLiveUntilThePathIsFound) {
  path.on_lost("first", kStart);
  EXPECT_EQ(parts(), (ReturnPath::Parts{{kLower, second}, {kUpper, second}}));
  path.on_found("first");
  EXPECT_THAT(parts(), IsEmpty());
}

TEST_F(ReturnPathTest, ASessionThatEndsIsStillBelievedInByThePeerUntilItsHoldTimerEnds) {
  path.on_lost("first", kStart);
  EXPECT_EQ(path.next_deadline(), minibgp::kNever) << "the session is held: nothing is due";
  path.on_session_ended("first");
  EXPECT_EQ(path.next_deadline(), kStart + 30s);
  path.on_time(kStart + 30s - 1ns);
  EXPECT_EQ(parts().size(), 2U);
  path.on_time(kStart + 30s);
  EXPECT_THAT(parts(), IsEmpty());
  EXPECT_FALSE(path.any_lost());
}

TEST_F(ReturnPathTest, ASessionThatIsHeldBeyondTheHoldTimeIsHeardInOneDirectionOnly) {
  path.on_lost("first", kStart);
  path.on_time(kStart + 10min);
  EXPECT_EQ(parts().size(), 2U);
}

TEST_F(ReturnPathTest, APeerThatKeepsRoutesOverARestartRemembersForThatMuchLonger) {
  path.on_session_ended("first");
  path.on_established("first", 30s, 120s);
  path.on_lost("first", kStart);
  path.on_session_ended("first");
  EXPECT_EQ(path.next_deadline(), kStart + 150s);
}

TEST_F(ReturnPathTest, WithoutAHoldTimeThePeerNeverForgets) {
  path.on_session_ended("first");
  path.on_established("first", 0s, 120s);
  path.on_lost("first", kStart);
  path.on_session_ended("first");
  path.on_time(kStart + 24h);
  EXPECT_EQ(parts().size(), 2U);
  path.on_established("first", 30s, 0s);
  EXPECT_THAT(parts(), IsEmpty()) << "a new session says that it is back";
}

TEST_F(ReturnPathTest, AnEndThatWasSaidIsNoLoss) {
  path.on_session_ended("first");
  path.on_lost("first", kStart);
  EXPECT_THAT(parts(), IsEmpty());
  path.on_lost("nobody", kStart);
}

TEST_F(ReturnPathTest, NewOptionsDuringALossChangeNothingOfIt) {
  path.on_lost("first", kStart);
  path.on_established("first", 30s, 0s);
  EXPECT_EQ(path.set_peer("first", options), first);
  EXPECT_EQ(parts().size(), 2U);
  path.remove_peer("first");
  EXPECT_THAT(parts(), IsEmpty());
}

TEST_F(ReturnPathTest, WithEveryTunnelLostThereIsNobodyToTell) {
  path.on_lost("first", kStart);
  path.on_lost("second", kStart);
  EXPECT_THAT(parts(), IsEmpty());
}

TEST_F(ReturnPathTest, AnotherCloudIsNotToldOfIt) {
  options.remote_as = Asn{64512};
  const std::uint64_t other = path.set_peer("other", options);
  path.on_established("other", 30s, 0s);
  path.on_lost("first", kStart);
  for (const auto& [part, audience] : parts()) EXPECT_EQ(audience & other, 0U);
}

TEST_F(ReturnPathTest, NeitherThePeersLimitNorTheLongestLengthIsExceeded) {
  own = {"10.0.0.0/8"_prefix, "172.16.20.0/24"_prefix, "172.16.21.0/24"_prefix, "172.16.22.0/25"_prefix};
  told = own.size();
  options.prefixes_max = 4 + 5;  // Two pairs fit, half a pair does not.
  path.set_peer("second", options);
  path.on_lost("first", kStart);
  EXPECT_EQ(parts().size(), 4U);
  EXPECT_TRUE(parts().count("10.128.0.0/9"_prefix));
  options.longest_bits = {25, 128};
  options.prefixes_max = 1000;
  path.set_peer("second", options);
  EXPECT_EQ(parts().size(), 6U) << "the halves of the /25 are too long";
  told = 2000;
  EXPECT_THAT(parts(), IsEmpty()) << "more than the limit already";
}

TEST_F(ReturnPathTest, AHalfThatIsANetworkOfItsOwnIsLeftAlone) {
  own = {kNetwork, kUpper};
  path.on_lost("first", kStart);
  EXPECT_EQ(parts().count(kUpper), 0U);
  EXPECT_EQ(parts().count(kLower), 1U);
  EXPECT_EQ(parts().count("172.16.20.128/26"_prefix), 1U);
}

TEST_F(ReturnPathTest, FamiliesGoOnlyWhereTheSessionCarriesThem) {
  own = {"2001:db8::/48"_prefix, "192.0.2.1/32"_prefix};
  path.on_lost("first", kStart);
  EXPECT_EQ(parts(), (ReturnPath::Parts{{"2001:db8::/49"_prefix, second}, {"2001:db8:0:8000::/49"_prefix, second}}))
      << "and a host is not split";
  options.families = {true, false};
  path.set_peer("second", options);
  EXPECT_THAT(parts(), IsEmpty());
}

TEST_F(ReturnPathTest, ThereAreBitsForSixtyFourPeersAndTheyAreReused) {
  std::uint64_t all = first | second;
  for (int i = 2; i < 64; ++i) all |= path.set_peer("p" + std::to_string(i), options);
  EXPECT_EQ(all, ~std::uint64_t{0});
  EXPECT_EQ(path.set_peer("too many", options), 0U);
  EXPECT_FALSE(path.has("too many"));
  path.remove_peer("p10");
  EXPECT_NE(path.set_peer("too many", options), 0U);
}

}  // namespace
}  // namespace bgplite
