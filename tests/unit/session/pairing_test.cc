#include <bgp/session/pairing.h>

#include <gtest/gtest.h>

namespace minibgp::session {
namespace {

using Side = Session::Side;

/// Both ends of a simultaneous dial judge the same pair: connection 0 dialed by the side with `id_a`, 1 by the other.
/// Whatever the order in which the OPENs arrive, they must keep the same connection.
[[nodiscard]] int kept_by(RouterId own, RouterId other, Asn own_as, Asn other_as, int dialed_by_us, int second) {
  const auto side = [&](int connection) { return connection == dialed_by_us ? Side::dialed : Side::accepted; };
  const int first = 1 - second;
  const Survivor survivor = resolve_collision({.first_side = side(first),
                                               .first_state = PeerState::open_confirm,
                                               .second_side = side(second),
                                               .local_id = own,
                                               .remote_id = other,
                                               .local_as = own_as,
                                               .remote_as = other_as});
  return survivor == Survivor::first ? first : second;
}

TEST(Collision, BothEndsKeepTheConnectionDialedByTheDominantSide) {
  constexpr RouterId low{1}, high{2};
  constexpr Asn as{65001};
  for (int arrival_a = 0; arrival_a < 2; ++arrival_a) {
    for (int arrival_b = 0; arrival_b < 2; ++arrival_b) {
      EXPECT_EQ(kept_by(low, high, as, as, 0, arrival_a), 1);
      EXPECT_EQ(kept_by(high, low, as, as, 1, arrival_b), 1);
    }
  }
}

TEST(Collision, EqualIdentifiersAreDecidedByTheHigherAs) {  // RFC 6286 s.2.3
  constexpr RouterId same{7};
  EXPECT_EQ(kept_by(same, same, Asn{65001}, Asn{65002}, 0, 0), 1);
  EXPECT_EQ(kept_by(same, same, Asn{65001}, Asn{65002}, 0, 1), 1);
  EXPECT_EQ(kept_by(same, same, Asn{65002}, Asn{65001}, 1, 0), 1);
  EXPECT_EQ(kept_by(same, same, Asn{65002}, Asn{65001}, 1, 1), 1);
}

TEST(Collision, AnEstablishedSessionSurvivesWhoeverDialed) {
  for (const Side side : {Side::dialed, Side::accepted}) {
    EXPECT_EQ(resolve_collision({.first_side = Side::accepted,
                                 .first_state = PeerState::established,
                                 .second_side = side,
                                 .local_id = RouterId{9},
                                 .remote_id = RouterId{1},
                                 .first_established_for = kCollisionWindow}),
              Survivor::first);
  }
}

TEST(Collision, AYoungSessionIsStillPartOfIt) {
  const auto survivor = [](RouterId local, RouterId remote, bool graceful) {
    return resolve_collision({.first_side = Side::accepted,
                              .first_state = PeerState::established,
                              .second_side = Side::dialed,
                              .local_id = local,
                              .remote_id = remote,
                              .first_established_for = std::chrono::milliseconds{20},
                              .peer_restart_possible = graceful});
  };
  for (const bool graceful : {false, true}) {
    EXPECT_EQ(survivor(RouterId{1}, RouterId{2}, graceful), Survivor::first);
    EXPECT_EQ(survivor(RouterId{2}, RouterId{1}, graceful), Survivor::second);
  }
}

TEST(Collision, WithGracefulRestartTheNewConnectionIsTheRestartedPeer) {  // RFC 4724 s.5
  EXPECT_EQ(resolve_collision({.first_side = Side::dialed,
                               .first_state = PeerState::established,
                               .second_side = Side::accepted,
                               .local_id = RouterId{9},
                               .remote_id = RouterId{1},
                               .first_established_for = kCollisionWindow,
                               .peer_restart_possible = true}),
            Survivor::second);
}

TEST(Collision, OfTwoConnectionsFromOneSideTheNewerLives) {
  EXPECT_EQ(resolve_collision({.first_side = Side::accepted,
                               .first_state = PeerState::open_confirm,
                               .second_side = Side::accepted,
                               .local_id = RouterId{9},
                               .remote_id = RouterId{1}}),
            Survivor::second);
}

}  // namespace
}  // namespace minibgp::session
