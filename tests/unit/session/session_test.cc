#include <bgp/session/session.h>
#include <bgp/wire/notification.h>
#include <bgp/wire/update.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace minibgp::session {
namespace {

using namespace std::chrono_literals;
using Octets = std::vector<std::uint8_t>;
using Side = Session::Side;

constexpr Asn kLeftAs{65001}, kRightAs{65002};

[[nodiscard]] PeerOptions options_for(Asn remote) {
  PeerOptions options;
  options.address = IpAddress::v4(0xC0000202);
  options.remote_as = remote;
  return options;
}

/// Takes what a session wants to send.
[[nodiscard]] Octets take(Session& session, Time now) {
  Octets all;
  while (!session.outgoing().empty()) {
    const Bytes part = session.outgoing();
    all.insert(all.end(), part.begin(), part.end());
    session.on_sent(part.size(), now);
  }
  return all;
}

/// The types of the messages in a stream.
[[nodiscard]] std::vector<int> types(const Octets& stream) {
  std::vector<int> found;
  for (std::size_t at = 0; at + 19 <= stream.size(); at += std::size_t{stream[at + 16]} << 8U | stream[at + 17])
    found.push_back(stream[at + 18]);
  return found;
}

/// A session under test and the bytes of its peer, which is played by the test.
class SessionTest : public testing::Test {
 protected:
  PeerOptions options = options_for(kRightAs);
  PeerOptions peer_options = options_for(kLeftAs);
  LocalIdentity self{.asn = kLeftAs, .router_id = RouterId{1}};
  Time now{};
  std::unique_ptr<Session> session;
  std::vector<Event> events;

  void accept() { session = std::make_unique<Session>(ConnId{7}, Side::accepted, options, self, 1, now); }

  void poll() {
    while (auto event = session->poll(now)) events.push_back(std::move(*event));
    session->keep_unread();
  }
  void receive(const Octets& bytes) {
    session->on_received(bytes, now);
    poll();
  }
  void advance_to_deadline() {
    ASSERT_NE(session->next_deadline(), kNever);
    now = session->next_deadline();
    session->on_time(now);
    poll();
  }
  [[nodiscard]] Octets peers_open() const {
    Octets bytes;
    wire::encode_open(make_open(peer_options, {.asn = kRightAs, .router_id = RouterId{2}}), bytes);
    return bytes;
  }
  [[nodiscard]] static Octets keepalive() {
    Octets bytes;
    wire::encode_keepalive(bytes);
    return bytes;
  }
  [[nodiscard]] static Octets notification(const wire::MessageError& error) {
    Octets bytes;
    wire::encode_notification(error, bytes);
    return bytes;
  }
  [[nodiscard]] static Octets update(std::size_t body_octets = 4) {
    Octets bytes(19 + body_octets, 0);
    std::fill(bytes.begin(), bytes.begin() + 16, std::uint8_t{0xFF});
    bytes[16] = static_cast<std::uint8_t>(bytes.size() >> 8U);
    bytes[17] = static_cast<std::uint8_t>(bytes.size() & 0xFFU);
    bytes[18] = 2;
    return bytes;
  }
  void establish() {
    accept();
    receive(peers_open());
    receive(keepalive());
    ASSERT_EQ(session->state(), PeerState::established);
    static_cast<void>(take(*session, now));
    events.clear();
  }
  [[nodiscard]] const Down& down() const {
    static const Down none;
    const Down* found = events.empty() ? nullptr : std::get_if<Down>(&events.back());
    EXPECT_NE(found, nullptr);
    return found != nullptr ? *found : none;
  }
  /// The NOTIFICATION the session left as its last words.
  [[nodiscard]] wire::MessageError last_words() {
    const Octets sent = take(*session, now);
    const auto kinds = types(sent);
    EXPECT_FALSE(kinds.empty());
    if (kinds.empty() || kinds.back() != 3) return {};
    std::size_t at = 0;
    for (std::size_t i = 0; i + 1 < kinds.size(); ++i) at += std::size_t{sent[at + 16]} << 8U | sent[at + 17];
    return wire::decode_notification(Bytes{sent}.subspan(at + 19));
  }
};

TEST_F(SessionTest, AnAcceptedSessionSpeaksFirstAndReachesEstablishedByOpenAndKeepalive) {
  accept();
  EXPECT_EQ(session->state(), PeerState::open_sent);
  EXPECT_EQ(types(take(*session, now)), std::vector<int>{1});
  receive(peers_open());
  EXPECT_EQ(session->state(), PeerState::open_confirm);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(std::get<OpenReceived>(events[0]).remote_id, RouterId{2});
  EXPECT_EQ(types(take(*session, now)), std::vector<int>{4});
  receive(keepalive());
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(std::get<Established>(events[1]).negotiated->hold_s, 90);
  EXPECT_EQ(session->negotiated().remote_id, RouterId{2});
}

TEST_F(SessionTest, ADialedSessionIsSilentUntilConnected) {
  session = std::make_unique<Session>(ConnId{7}, Side::dialed, options, self, 1, now);
  EXPECT_EQ(session->state(), PeerState::connect);
  EXPECT_TRUE(session->outgoing().empty());
  session->on_connected(now);
  EXPECT_EQ(session->state(), PeerState::open_sent);
  EXPECT_EQ(types(take(*session, now)), std::vector<int>{1});
}

TEST_F(SessionTest, ADialThatFailsIsADownFromConnectWithoutHoldOff) {
  session = std::make_unique<Session>(ConnId{7}, Side::dialed, options, self, 1, now);
  session->on_closed(std::make_error_code(std::errc::connection_refused), now);
  poll();
  EXPECT_EQ(down().from, PeerState::connect);
  EXPECT_FALSE(down().hold_off);
  EXPECT_FALSE(down().close_socket);
  EXPECT_EQ(down().reason, DownReason::tcp_failed);
}

TEST_F(SessionTest, TcpOpenButSilentEndsAfterFourMinutes) {
  accept();
  EXPECT_EQ(session->next_deadline(), now + 4min);
  static_cast<void>(take(*session, now));
  advance_to_deadline();
  EXPECT_EQ(now, Time{} + 4min);
  EXPECT_EQ(down().reason, DownReason::hold_timer_expired);
  EXPECT_EQ(last_words(), (wire::MessageError{4, 0, {}}));
}

TEST_F(SessionTest, ASilentPeerIsDroppedAfterTheHoldTimeWithANotification) {
  establish();
  const Time silent_since = now;
  while (events.empty()) advance_to_deadline();
  EXPECT_EQ(now, silent_since + 90s);
  EXPECT_EQ(down().reason, DownReason::hold_timer_expired);
  EXPECT_EQ(down().detail, "hold timer expired (no message for 90 s)");
  EXPECT_TRUE(down().hold_off);
  EXPECT_TRUE(down().flush);
  EXPECT_EQ(last_words(), (wire::MessageError{4, 0, {}}));
  EXPECT_EQ(session->next_deadline(), kNever);
}

TEST_F(SessionTest, EveryMessageFromThePeerRestartsTheHoldTimer) {
  Octets refresh;
  wire::encode_refresh(Family::ipv4, wire::RefreshKind::request, refresh);
  for (const Octets& message : {keepalive(), update(), refresh}) {
    establish();
    now += 89s;
    receive(message);
    now += 89s;
    session->on_time(now);
    EXPECT_EQ(session->state(), PeerState::established);
    now += 1s;
    session->on_time(now);
    EXPECT_EQ(session->state(), PeerState::idle);
  }
}

TEST_F(SessionTest, KeepalivesGoOutAtMostAThirdOfTheHoldTimeApartAndNotInStorms) {
  establish();
  Time last = now;
  Duration shortest = 30s;
  for (int i = 0; i < 500; ++i) {
    receive(keepalive());
    advance_to_deadline();
    ASSERT_EQ(types(take(*session, now)), std::vector<int>{4});
    EXPECT_LE(now - last, 30s);
    EXPECT_GE(now - last, 22s);
    shortest = std::min(shortest, now - last);
    last = now;
  }
  EXPECT_LT(shortest, 24s) << "no jitter (RFC 4271 s.10)";
}

TEST_F(SessionTest, AnUpdateCountsAsAKeepalive) {
  establish();
  now += 20s;
  session->send(update(), now);
  static_cast<void>(take(*session, now));
  EXPECT_GE(session->next_deadline(), now + 22s);
}

TEST_F(SessionTest, HoldTimeZeroMeansNoTimersAtAll) {
  options.timers.hold_s = 0;
  establish();
  EXPECT_EQ(session->next_deadline(), kNever);
}

TEST_F(SessionTest, UpdatesArriveAsViewsOneByOne) {
  establish();
  Octets stream = update(10);
  const Octets second = update(4000);
  stream.insert(stream.end(), second.begin(), second.end());
  session->on_received(stream, now);
  const auto first = session->poll(now);
  ASSERT_TRUE(first);
  EXPECT_EQ(std::get<UpdateReceived>(*first).body.data(), stream.data() + 19);
  EXPECT_TRUE(session->has_pending());
  const auto next = session->poll(now);
  ASSERT_TRUE(next);
  EXPECT_EQ(std::get<UpdateReceived>(*next).body.size(), 4000U);
  EXPECT_FALSE(session->has_pending());
  EXPECT_EQ(session->counters().updates_received, 2U);
}

TEST_F(SessionTest, UnexpectedMessagesAreAnFsmErrorThatNamesTheState) {  // RFC 6608
  struct Case {
    int opened;  ///< How far the handshake goes before.
    Octets message;
    wire::MessageError wanted;
  };
  Octets refresh;
  wire::encode_refresh(Family::ipv4, wire::RefreshKind::request, refresh);
  const Case cases[] = {
      {0, update(), {5, 1, {}}},     {0, keepalive(), {5, 1, {}}},  {0, refresh, {5, 1, {}}},
      {1, update(), {5, 2, {}}},     {1, peers_open(), {5, 2, {}}}, {1, refresh, {5, 2, {}}},
      {2, peers_open(), {5, 3, {}}},
  };
  for (const Case& row : cases) {
    SCOPED_TRACE(testing::Message() << "after " << row.opened << " messages, type " << int{row.message[18]});
    accept();
    if (row.opened > 0) receive(peers_open());
    if (row.opened > 1) receive(keepalive());
    events.clear();
    receive(row.message);
    EXPECT_EQ(down().notification, row.wanted);
    EXPECT_EQ(down().reason, DownReason::notification_sent);
    EXPECT_TRUE(down().hold_off);
    EXPECT_EQ(last_words(), row.wanted);
  }
}

TEST_F(SessionTest, AWrongHeaderEndsTheSessionInEveryState) {
  for (int opened = 0; opened < 3; ++opened) {
    accept();
    if (opened > 0) receive(peers_open());
    if (opened > 1) receive(keepalive());
    Octets bad = keepalive();
    bad[3] = 0;
    receive(bad);
    EXPECT_EQ(last_words(), (wire::MessageError{1, 1, {}}));
  }
}

TEST_F(SessionTest, AWrongOpenIsAnsweredWithItsError) {
  peer_options.remote_as = kLeftAs;
  options.remote_as = Asn{65099};
  accept();
  receive(peers_open());
  EXPECT_EQ(last_words(), (wire::MessageError{2, 2, {}}));
  EXPECT_NE(down().detail.find("it is AS 65002, configured is AS 65099"), std::string::npos) << down().detail;
}

TEST_F(SessionTest, ANotificationIsNeverAnsweredByOne) {
  for (int opened = 0; opened < 3; ++opened) {
    accept();
    if (opened > 0) receive(peers_open());
    if (opened > 1) receive(keepalive());
    static_cast<void>(take(*session, now));
    receive(notification(wire::cease(2, "maintenance\ntonight")));
    EXPECT_TRUE(session->outgoing().empty());
    EXPECT_EQ(down().reason, DownReason::notification_received);
    EXPECT_FALSE(down().flush);
    EXPECT_EQ(down().notification.code, 6);
    EXPECT_NE(down().detail.find("maintenance"), std::string::npos) << down().detail;
    EXPECT_EQ(down().detail.find('\n'), std::string::npos) << "control characters are escaped";
  }
}

TEST_F(SessionTest, ExtendedMessagesAreReadOnlyWhenAgreed) {
  establish();
  receive(update(5000));
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(std::get<UpdateReceived>(events[0]).body.size(), 5000U);

  events.clear();
  peer_options.extended_messages = false;
  establish();
  receive(update(5000));
  EXPECT_EQ(down().notification.code, 1);
  EXPECT_EQ(down().notification.subcode, 2);
}

TEST_F(SessionTest, APeerThatTakesNothingIsDroppedBySendHold) {  // RFC 9687
  options.timers.send_hold_s = 100;
  establish();
  session->send(update(), now);
  const Time stuck_since = now;
  while (events.empty()) {
    receive(keepalive());  // It still talks; it does not listen.
    advance_to_deadline();
  }
  EXPECT_EQ(now, stuck_since + 100s);
  EXPECT_EQ(down().reason, DownReason::send_hold_timer_expired);
  EXPECT_FALSE(down().flush) << "what cannot be sent must not be waited for";
}

TEST_F(SessionTest, ProgressRestartsSendHold) {
  options.timers.send_hold_s = 100;
  establish();
  session->send(update(2000), now);
  for (int i = 0; i < 20; ++i) {
    now += 99s;
    receive(keepalive());
    session->on_sent(10, now);
    session->on_time(now);
    ASSERT_EQ(session->state(), PeerState::established);
  }
}

TEST_F(SessionTest, StopSendsItsReasonAheadOfWhatWaits) {
  establish();
  for (int i = 0; i < 100; ++i) session->send(update(3000), now);
  session->on_sent(100, now);
  session->stop(wire::cease(2, "bye"), DownReason::admin_down, now);
  poll();
  EXPECT_EQ(down().reason, DownReason::admin_down);
  EXPECT_FALSE(down().hold_off);
  EXPECT_TRUE(down().flush);
  const Octets sent = take(*session, now);
  EXPECT_EQ(sent.size(), 3019U - 100U + 19U + 2U + 4U);
  const wire::MessageError error = wire::decode_notification(Bytes{sent}.subspan(2919 + 19));
  EXPECT_EQ(error.code, 6);
  EXPECT_EQ(wire::shutdown_text(error), "bye");
}

TEST_F(SessionTest, StopWithoutAnErrorSaysNothing) {  // Graceful restart: the peer must not see a Cease.
  establish();
  session->stop({}, DownReason::restarting, now);
  poll();
  EXPECT_EQ(down().reason, DownReason::restarting);
  EXPECT_FALSE(down().flush);
  EXPECT_TRUE(session->outgoing().empty());
}

TEST_F(SessionTest, ALostCollisionIsACeaseWithoutHoldOff) {
  accept();
  receive(peers_open());
  static_cast<void>(take(*session, now));
  session->stop({6, 7, {}}, DownReason::collision, now);
  poll();
  EXPECT_FALSE(down().hold_off);
  EXPECT_EQ(last_words(), (wire::MessageError{6, 7, {}}));
}

TEST_F(SessionTest, ConfusedMessagesAfterTheEndAreIgnored) {
  establish();
  receive(notification({6, 4, {}}));
  events.clear();
  receive(update());
  session->on_closed({}, now);
  session->on_time(now + 1h);
  poll();
  EXPECT_TRUE(events.empty());
}

TEST_F(SessionTest, ClosedByThePeerTellsFrom) {
  establish();
  session->on_closed({}, now);
  poll();
  EXPECT_EQ(down().reason, DownReason::tcp_closed);
  EXPECT_EQ(down().from, PeerState::established);
  EXPECT_EQ(down().detail, "the peer closed the TCP connection");
  EXPECT_FALSE(down().close_socket);
}

TEST_F(SessionTest, RouteRefreshIsHandedOnForCommonFamiliesOnly) {
  establish();
  Octets refresh;
  wire::encode_refresh(Family::ipv6, wire::RefreshKind::request, refresh);
  receive(refresh);
  EXPECT_TRUE(events.empty());
  refresh.clear();
  wire::encode_refresh(Family::ipv4, wire::RefreshKind::begin, refresh);
  receive(refresh);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(std::get<RefreshReceived>(events[0]).refresh.kind, wire::RefreshKind::begin);
}

TEST_F(SessionTest, CountersTellWhatWentBothWays) {
  establish();
  receive(update());
  receive(keepalive());
  Octets two = update();
  const Octets again = update();
  two.insert(two.end(), again.begin(), again.end());
  session->send(two, now);
  session->send_refresh(Family::ipv4, wire::RefreshKind::request, now);
  static_cast<void>(take(*session, now));
  const Counters& counters = session->counters();
  EXPECT_EQ(counters.updates_received, 1U);
  EXPECT_EQ(counters.keepalives_received, 2U);
  EXPECT_EQ(counters.messages_received, 4U);
  EXPECT_EQ(counters.updates_sent, 2U);
  EXPECT_EQ(counters.refreshes_sent, 1U);
  EXPECT_EQ(counters.keepalives_sent, 1U);
  EXPECT_EQ(counters.messages_sent, 5U);
}

}  // namespace
}  // namespace minibgp::session
