// When a peer is dialed, whatever it does: two connections in bad orders, peers that accept and close, what is logged.
#include <bgp/log.h>
#include <bgp/wire/numbers.h>
#include <tests/unit/speaker/raw_peer.h>

#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace minibgp::speaker {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

struct Lines : LogSink {
  bool wants(LogLevel level, LogArea) const override { return level >= LogLevel::info; }
  void write(LogLevel, LogArea, std::string_view line) override { lines.emplace_back(line); }
  std::vector<std::string> lines;
};

struct Dialed {
  Lines log;
  Bench bench{{.asn = Asn{65000}, .router_id = RouterId{0x0A000001}}, &log};
  RawPeer& peer = bench.add(1, Asn{65001}, [](PeerOptions& options) { options.passive = false; });
  std::vector<Duration> dialed;  ///< Since the start.
  Time start = bench.now;

  /// What the peer does to each dial.
  enum class Answer : std::uint8_t { refuses, closes, bad_peer_as, hangs, says_nothing, confirms_nothing };
  void run(Duration duration, const std::function<Answer(std::size_t)>& answer) {
    const Time end = bench.now + duration;
    std::size_t seen = dialed.size();
    bench.pump();
    for (;;) {
      for (; seen < bench.dials.size(); ++seen) {
        dialed.push_back(bench.now - start);
        meet(bench.dials[seen].conn, answer(seen));
      }
      const Time next = bench.engine.next_deadline();
      if (next > end) break;
      bench.now = std::max(bench.now, next);
      bench.engine.on_time(bench.now);
      bench.pump();
    }
    bench.now = end;
  }
  void meet(ConnId conn, Answer answer) {
    if (answer == Answer::hangs) return;
    if (answer == Answer::refuses) {
      bench.engine.on_closed(conn, std::make_error_code(std::errc::connection_refused), bench.now);
    } else {
      bench.engine.on_connected(conn, peer.local, bench.now);
      bench.pump();
      if (answer == Answer::closes) {
        bench.engine.on_closed(conn, {}, bench.now);
      } else if (answer == Answer::confirms_nothing) {
        wire::Open open;
        open.asn = peer.options.remote_as;
        open.asn_field = static_cast<std::uint16_t>(open.asn);
        open.hold_time_s = 90;
        open.router_id = RouterId{99};
        std::vector<std::uint8_t> octets;
        wire::encode_open(open, octets);
        bench.engine.on_received(conn, octets, bench.now);
      } else if (answer == Answer::bad_peer_as) {
        std::vector<std::uint8_t> octets;
        wire::encode_notification({wire::notify::kOpen, wire::notify::kBadPeerAs, {}}, octets);
        bench.engine.on_received(conn, octets, bench.now);
      }
    }
    bench.pump();
  }
  [[nodiscard]] std::size_t within(Duration duration) const {
    return static_cast<std::size_t>(
        std::count_if(dialed.begin(), dialed.end(), [&](Duration at) { return at <= duration; }));
  }
};

struct Dialing : ::testing::Test, Dialed {};

TEST_F(Dialing, IsBoundedWhateverThePeerDoesToAnAttempt) {
  using enum Answer;
  const std::vector<std::vector<Answer>> habits = {
      {refuses}, {closes}, {bad_peer_as}, {closes, bad_peer_as}, {refuses, closes}, {bad_peer_as, refuses, closes}};
  for (const auto& habit : habits) {
    Dialed one;
    one.run(10min, [&](std::size_t attempt) { return habit[attempt % habit.size()]; });
    EXPECT_LE(one.within(10s), 5U);
    EXPECT_LE(one.within(60s), 10U);
    EXPECT_GE(one.within(60s), 5U);
    EXPECT_LE(one.dialed.back() - one.dialed[one.dialed.size() - 2], 120s);
    EXPECT_GE(one.dialed.back() - one.dialed[one.dialed.size() - 2], 60s);
  }
}

TEST_F(Dialing, GoesOnAfterAnIncomingConnectionEndedWhileADialHung) {
  bench.pump();
  ASSERT_EQ(bench.dials.size(), 1U);  // It hangs.
  const auto accepted = bench.engine.on_accepted(peer.options.address, peer.local, {}, bench.now);
  ASSERT_TRUE(accepted.has_value());
  bench.pump();
  bench.engine.on_closed(*accepted, {}, bench.now);
  bench.pump();
  bench.engine.on_closed(bench.dials[0].conn, std::make_error_code(std::errc::timed_out), bench.now);
  bench.pump();
  bench.run_for(15s);
  EXPECT_GE(bench.dials.size(), 2U);
}

TEST_F(Dialing, ThatHangsIsRepeatedAfterAnIncomingConnectionEnded) {
  bench.pump();
  const auto accepted = bench.engine.on_accepted(peer.options.address, peer.local, {}, bench.now);
  ASSERT_TRUE(accepted.has_value());
  bench.run_for(20s);
  EXPECT_EQ(bench.dials.size(), 1U) << "the peer is about to say OPEN";
  bench.engine.on_closed(*accepted, {}, bench.now);
  bench.run_for(15s);
  EXPECT_GE(bench.dials.size(), 2U);
}

TEST_F(Dialing, IsNotPutOffByAPeerThatConnectsAndClosesAgainAndAgain) {
  run(30s, [](std::size_t) { return Answer::refuses; });
  const std::size_t before = bench.dials.size();
  for (int i = 0; i < 600; ++i) {
    if (const auto accepted = bench.engine.on_accepted(peer.options.address, peer.local, {}, bench.now))
      bench.engine.on_closed(*accepted, {}, bench.now);
    run(500ms, [](std::size_t) { return Answer::refuses; });
  }
  EXPECT_GE(bench.dials.size(), before + 2) << "in five minutes";
  EXPECT_LE(bench.dials.size(), before + 10);
}

TEST_F(Dialing, BeginsAnewWhenTheOperatorEnablesOrResetsThePeer) {
  for (const bool reset : {false, true}) {
    run(10min, [](std::size_t) { return Answer::bad_peer_as; });
    EXPECT_EQ(bench.status(peer).state, PeerState::idle);
    EXPECT_GT(bench.status(peer).next_attempt, bench.now);
    EXPECT_LE(bench.status(peer).next_attempt, bench.now + 120s);
    EXPECT_FALSE(bench.engine.on_accepted(peer.options.address, peer.local, {}, bench.now).has_value());
    const std::size_t before = bench.dials.size();
    if (reset) {
      bench.engine.reset_peer(peer.id, "again", bench.now);
    } else {
      bench.engine.enable_peer(peer.id, bench.now);
    }
    bench.pump();
    ASSERT_EQ(bench.dials.size(), before + 1);
    meet(bench.dials.back().conn, Answer::refuses);
    EXPECT_LE(bench.engine.next_deadline() - bench.now, 1s) << "earlier failures are forgotten";
  }
}

TEST_F(Dialing, WhyTheLastAttemptFailedIsShownUntilOneSucceedsOrTheOperatorBeginsAnew) {
  const auto attempt = [&] { return bench.engine.peer(peer.id)->last_attempt; };
  EXPECT_EQ(attempt(), "");
  run(10s, [](std::size_t) { return Answer::bad_peer_as; });
  EXPECT_THAT(attempt(), HasSubstr("Bad Peer AS"));
  EXPECT_EQ(attempt(), bench.engine.peer(peer.id)->last_down_detail);
  run(60s, [](std::size_t) { return Answer::refuses; });
  EXPECT_THAT(attempt(), HasSubstr("refused"));
  EXPECT_THAT(bench.engine.peer(peer.id)->last_down_detail, HasSubstr("Bad Peer AS")) << "what the peer said stays";
  bench.engine.reset_peer(peer.id, {}, bench.now);
  EXPECT_EQ(attempt(), "");
}

TEST_F(Dialing, APassivePeerIsTakenAgainAtOnceWhenEnabled) {
  RawPeer& passive = bench.add(2, Asn{65002});
  std::vector<std::uint8_t> octets;
  wire::encode_notification({wire::notify::kOpen, wire::notify::kBadPeerAs, {}}, octets);
  for (int i = 0; i < 8; ++i) {
    passive.conn = bench.engine.on_accepted(passive.options.address, passive.local, {}, bench.now);
    bench.say(passive, octets);
  }
  ASSERT_FALSE(bench.engine.on_accepted(passive.options.address, passive.local, {}, bench.now).has_value());
  EXPECT_TRUE(std::any_of(log.lines.begin(), log.lines.end(), [](const std::string& line) {
    return line.find("connection refused") != std::string::npos;
  }));
  bench.engine.enable_peer(passive.id, bench.now);
  bench.establish(passive);
  EXPECT_TRUE(bench.established(passive));
}

TEST_F(Dialing, ASessionThatNeverComesUpIsLoggedWhenItsReasonChangesAndSeldomAfterThat) {
  run(1h, [](std::size_t) { return Answer::closes; });
  EXPECT_GE(log.lines.size(), 2U);
  EXPECT_LE(log.lines.size(), 7U);
  EXPECT_THAT(log.lines.front(), HasSubstr("before its OPEN"));
  log.lines.clear();
  run(1h, [](std::size_t attempt) { return attempt % 2 == 0 ? Answer::refuses : Answer::closes; });
  EXPECT_GE(log.lines.size(), 3U);
  EXPECT_LE(log.lines.size(), 70U);
  EXPECT_THAT(log.lines, ::testing::Contains(HasSubstr("refused")));
  EXPECT_THAT(log.lines, ::testing::Contains(HasSubstr("before its OPEN")));
}

TEST_F(Dialing, APeerThatIsConnectedAndSaysNothingIsLoggedWithinTenSecondsAndOnce) {
  const auto attempt = [](const Dialed& one) { return one.bench.engine.peer(one.peer.id)->last_attempt; };
  for (const auto& [answer, words] :
       {std::pair{Answer::says_nothing, "the peer sent no OPEN"},
        std::pair{Answer::confirms_nothing, "the peer sent no KEEPALIVE after its OPEN"}}) {
    Dialed one;
    one.run(7s, [answer = answer](std::size_t) { return answer; });
    EXPECT_THAT(one.log.lines, ::testing::IsEmpty());
    EXPECT_EQ(attempt(one), "");
    one.run(3s, [answer = answer](std::size_t) { return answer; });
    EXPECT_THAT(one.log.lines, ::testing::ElementsAre(HasSubstr(words)));
    EXPECT_THAT(attempt(one), HasSubstr(words));
    one.run(60s, [answer = answer](std::size_t) { return answer; });
    EXPECT_EQ(one.log.lines.size(), 1U);
    one.run(9min, [answer = answer](std::size_t) { return answer; });
    EXPECT_LE(one.log.lines.size(), 9U) << "one a minute at most";
  }
}

TEST_F(Dialing, APeerThatRefusesAndThenSaysNothingIsLoggedForBoth) {
  run(70s, [](std::size_t attempt) { return attempt == 0 ? Answer::refuses : Answer::says_nothing; });
  EXPECT_THAT(log.lines, ::testing::ElementsAre(HasSubstr("refused"), HasSubstr("the peer sent no OPEN")));
}

TEST_F(Dialing, APeerThatComesUpOrRefusesInTimeIsNotCalledSilent) {
  RawPeer& passive = bench.add(2, Asn{65002});
  bench.establish(passive);
  run(8s, [](std::size_t) { return Answer::refuses; });
  bench.now += 60s;
  bench.engine.on_time(bench.now);
  bench.pump();
  EXPECT_THAT(log.lines, ::testing::Not(::testing::Contains(HasSubstr("TCP is connected"))));
}

}  // namespace
}  // namespace minibgp::speaker
