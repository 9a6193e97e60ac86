#include <bgp/text.h>
#include <xfrm/tunnel_table.h>
#include <xfrm/verdict.h>

#include <string>
#include <vector>

#include "ends.h"
#include <gtest/gtest.h>

namespace minibgp::xfrm {
namespace {

using namespace std::chrono_literals;

/// Two tunnels with interfaces that are there, a charon that answers, and shorthands.
class Table : public ::testing::Test {
 protected:
  Table() {
    for (const std::uint32_t id : {42U, 43U}) {
      TunnelOptions tunnel;
      tunnel.name = "ipsec" + std::to_string(id - 42);
      tunnel.if_id = id;
      options_.push_back(tunnel);
    }
    table_.set_tunnels(options_);
    for (const TunnelOptions& tunnel : options_) table_.set_link(tunnel.name, &kLink);
    table_.set_children({});
    (void)settle();
  }

  ChildSa child(std::uint32_t id, std::uint32_t if_id = 42) {
    ChildSa it;
    it.id = id;
    it.ike_id = 1000 + if_id;
    it.if_id = if_id;
    it.spi_in = 2 * id;
    it.spi_out = 2 * id + 1;
    return it;
  }
  static Sa inbound(const ChildSa& it) { return {{kLocal, it.spi_in, 50}, kRemote, it.if_id, 1, SaDirection::inbound}; }
  static Sa outbound(const ChildSa& it) {
    return {{kRemote, it.spi_out, 50}, kLocal, it.if_id, 1, SaDirection::outbound};
  }
  void install(const ChildSa& it) {
    table_.sa_added(inbound(it));
    table_.sa_added(outbound(it));
    table_.child_up(it);
  }
  void remove(const ChildSa& it, Reason why = Reason::sa_deleted) {
    table_.sa_gone(inbound(it).key, why);
    table_.sa_gone(outbound(it).key, why);
  }
  std::vector<TunnelChange> settle(Duration after = 0s) {
    now_ += after;
    return table_.settle(now_);
  }
  TunnelStatus status(std::string_view name = "ipsec0") {
    TunnelStatus it;
    EXPECT_TRUE(table_.fill(name, it));
    return it;
  }

  static constexpr TunnelLink kLink{7, true, true};
  std::vector<TunnelOptions> options_;
  TunnelTable table_;
  Time now_{1s};
};

TEST_F(Table, IsUpWithSasInBothDirections) {
  const ChildSa it = child(1);
  table_.sa_added(inbound(it));
  EXPECT_TRUE(settle().empty());
  table_.sa_added(outbound(it));
  table_.child_up(it);
  const auto changes = settle();
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].tunnel, "ipsec0");
  EXPECT_EQ(changes[0].state, TunnelState::up);
  EXPECT_EQ(changes[0].previous, TunnelState::down);
  EXPECT_EQ(changes[0].reason, Reason::ready);
  EXPECT_EQ(changes[0].if_index, 7U);
  EXPECT_EQ(status().inbound_spi, it.spi_in);
  EXPECT_EQ(status("ipsec1").state, TunnelState::down);
}

TEST_F(Table, ARekeyAndADuplicateChangeNothing) {
  install(child(1));
  (void)settle();
  table_.sa_added(inbound(child(2)));
  table_.sa_added(outbound(child(2)));
  table_.child_rekeyed(1, child(2));
  remove(child(1));
  EXPECT_TRUE(settle().empty());
  install(child(3));            // A duplicate,
  table_.child_down(child(2));  // whose older twin goes:
  remove(child(2));
  EXPECT_TRUE(settle().empty());
  table_.child_down(child(1));  // and a "down" that comes much too late.
  EXPECT_TRUE(settle().empty());
  EXPECT_EQ(status().state, TunnelState::up);
}

TEST_F(Table, AFailedNegotiationIsNoLoss) {
  install(child(1));
  (void)settle();
  table_.sa_gone({kLocal, 999, 50}, Reason::sa_deleted);
  EXPECT_TRUE(settle().empty());
}

struct Loss {
  const char* name;
  Reason reason;
  void (*happens)(TunnelTable&, const ChildSa&, const Sa&, const Sa&);
};
class LossReason : public Table, public ::testing::WithParamInterface<Loss> {};
TEST_P(LossReason, IsTold) {
  const ChildSa it = child(1);
  install(it);
  (void)settle();
  GetParam().happens(table_, it, inbound(it), outbound(it));
  const auto changes = settle();
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].state, TunnelState::down);
  EXPECT_EQ(to_text(changes[0].reason), to_text(GetParam().reason));
}
INSTANTIATE_TEST_SUITE_P(
    Losses, LossReason,
    ::testing::Values(
        Loss{"deleted", Reason::sa_deleted,
             [](TunnelTable& it, const ChildSa&, const Sa& in, const Sa&) { it.sa_gone(in.key, Reason::sa_deleted); }},
        Loss{
            "expired", Reason::sa_expired,
            [](TunnelTable& it, const ChildSa&, const Sa&, const Sa& out) { it.sa_gone(out.key, Reason::sa_expired); }},
        Loss{"flushed", Reason::sa_flushed,
             [](TunnelTable& it, const ChildSa&, const Sa&, const Sa&) { it.sas_flushed(); }},
        Loss{"missed", Reason::sa_missing,
             [](TunnelTable& it, const ChildSa&, const Sa&, const Sa&) {
               it.dump_begins();
               it.dump_ended();
             }},
        Loss{"child", Reason::child_down,
             [](TunnelTable& it, const ChildSa& child, const Sa&, const Sa&) { it.child_down(child); }},
        Loss{"ike", Reason::ike_down,
             [](TunnelTable& it, const ChildSa& child, const Sa&, const Sa&) { it.ike_down(child.ike_id); }},
        Loss{"ike_first_cause_stays", Reason::ike_down,
             [](TunnelTable& it, const ChildSa& child, const Sa& in, const Sa& out) {
               it.ike_down(child.ike_id);
               it.child_down(child);
               it.sa_gone(in.key, Reason::sa_deleted);
               it.sa_gone(out.key, Reason::sa_deleted);
             }},
        Loss{"interface_gone", Reason::interface_missing,
             [](TunnelTable& it, const ChildSa&, const Sa&, const Sa&) { it.set_link("ipsec0", nullptr); }},
        Loss{"interface_down", Reason::interface_down,
             [](TunnelTable& it, const ChildSa&, const Sa&, const Sa&) {
               const TunnelLink link{7, false, true};
               it.set_link("ipsec0", &link);
             }},
        Loss{"address", Reason::address_missing,
             [](TunnelTable& it, const ChildSa&, const Sa&, const Sa&) {
               const TunnelLink link{7, true, false};
               it.set_link("ipsec0", &link);
             }},
        Loss{"probe", Reason::probe_lost,
             [](TunnelTable& it, const ChildSa&, const Sa&, const Sa&) { it.set_probe("ipsec0", ProbeResult::lost); }}),
    [](const auto& param) { return std::string{param.param.name}; });

TEST_F(Table, AnIkeRekeyTakesTheChildrenAlong) {
  install(child(1));
  (void)settle();
  table_.ike_rekeyed(1042, 2042);
  table_.ike_down(1042);
  EXPECT_TRUE(settle().empty());
  table_.ike_down(2042);
  EXPECT_EQ(settle().size(), 1U);
}

TEST_F(Table, SasThatANewCharonDoesNotKnowAreSuspectAfterTheGrace) {
  install(child(1));
  (void)settle();
  table_.charon_gone();
  EXPECT_TRUE(settle(1s).empty()) << "it may be back at once";
  table_.set_children({});
  EXPECT_TRUE(settle().empty());
  table_.set_children({});
  EXPECT_TRUE(settle().empty());
  EXPECT_EQ(table_.next_deadline(), now_ + TunnelTable::kConfirmGrace);
  const auto changes = settle(TunnelTable::kConfirmGrace);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].state, TunnelState::suspect);
  EXPECT_EQ(changes[0].reason, Reason::sa_orphaned);
  EXPECT_EQ(table_.need("ipsec0"), Need::sas);
}

/// charon crashed and is back: child(1) is an orphan, child(2) is the pair that the new charon made.
class AfterACrash : public Table {
 protected:
  AfterACrash() {
    options_[0].ike.emplace();
    table_.set_tunnels(options_);
    Sa in = inbound(child(1)), out = outbound(child(1));
    in.added_s = out.added_s = 1000;
    table_.sa_added(in);
    table_.sa_added(out);
    table_.set_children({child(1)});
    (void)settle();
    table_.charon_gone();
    (void)settle(1s);
    table_.set_children({});
    (void)settle(1s);
    add_new_pair(1060);
  }
  void add_new_pair(std::uint64_t added_s) {
    Sa in = inbound(child(2)), out = outbound(child(2));
    in.added_s = out.added_s = added_s;
    table_.sa_added(in);
    table_.sa_added(out);
    table_.child_up(child(2));
  }
};

TEST_F(AfterACrash, TheOrphanedPairIsDeadOnceCharonHasANewerOne) {
  table_.set_children({child(2)});
  (void)settle();
  EXPECT_TRUE(table_.take_dead().empty()) << "charon's list may be older than the SAs";
  (void)settle(TunnelTable::kConfirmGrace);
  EXPECT_EQ(status().state, TunnelState::up);
  EXPECT_EQ(table_.take_dead(), (std::vector{inbound(child(1)).key, outbound(child(1)).key}));
  EXPECT_TRUE(table_.take_dead().empty()) << "each is given once";
  EXPECT_EQ(status().inbound_sas, 1U) << "dead ones are not shown";
  // The peer ends the new pair and takes no other: the orphans do not keep the tunnel usable.
  table_.child_down(child(2));
  remove(child(2));
  (void)settle(1s);
  EXPECT_EQ(status().state, TunnelState::down);
}

TEST_F(AfterACrash, TheOrphanedPairIsUsableForAMinuteWithoutProof) {
  table_.child_down(child(2));
  remove(child(2));
  (void)settle(TunnelTable::kConfirmGrace);
  EXPECT_EQ(status().state, TunnelState::suspect);
  (void)settle(kSuspectBound - 1s);
  EXPECT_EQ(status().state, TunnelState::suspect);
  table_.set_counters(inbound(child(1)).key, 1, 100);
  (void)settle(1s);
  EXPECT_EQ(status().state, TunnelState::suspect) << "a packet came in: the peer still has its half";
  EXPECT_EQ(table_.next_deadline(), now_ + kSuspectBound);
  (void)settle(kSuspectBound);
  EXPECT_EQ(status().state, TunnelState::down);
  EXPECT_EQ(status().reason, Reason::sa_orphaned);
}

TEST_F(AfterACrash, AnSaOfAnotherKeeperIsNeverDeleted) {
  ChildSa foreign = child(7);
  foreign.connection = "theirs";
  Sa newer = inbound(child(8));
  newer.added_s = 2000;
  table_.sa_added(newer);  // Newer than the pair: not left by a charon that crashed.
  table_.sa_added(outbound(child(9, 44)));
  (void)settle(2 * TunnelTable::kConfirmGrace);
  for (const SaKey& key : table_.take_dead()) EXPECT_LT(key.spi, 2 * 2U) << "only the orphans of before";
}

TEST_F(AfterACrash, AWatchedTunnelsSasAreLeftToItsKeeper) {
  options_[0].ike.reset();
  table_.set_tunnels(options_);
  (void)settle(TunnelTable::kConfirmGrace);
  EXPECT_TRUE(table_.take_dead().empty());
}

TEST_F(AfterACrash, WhatAFormerTunnelLeftIsDeadOnceCharonDoesNotKnowIt) {
  // A tunnel that is configured no more: the new charon knows child(2), and nothing of child(1).
  table_.set_former({options_[0].if_id});
  options_.erase(options_.begin());
  table_.set_tunnels(options_);
  table_.set_children({child(2)});
  (void)settle();
  EXPECT_TRUE(table_.take_dead().empty());
  (void)settle(TunnelTable::kConfirmGrace);
  EXPECT_EQ(table_.take_dead(), (std::vector{inbound(child(1)).key, outbound(child(1)).key}));
  EXPECT_TRUE(table_.has_former_sas()) << "child(2) is there";
  remove(child(1));
  remove(child(2));
  EXPECT_FALSE(table_.has_former_sas());
}

TEST_F(AfterACrash, NothingOfAFormerTunnelIsDeletedWhileCharonCannotBeAskedOrOfAnotherIfId) {
  table_.set_former({options_[0].if_id});
  options_.erase(options_.begin());
  table_.set_tunnels(options_);
  table_.charon_gone();
  (void)settle(2 * TunnelTable::kConfirmGrace);
  (void)settle(2 * TunnelTable::kConfirmGrace);
  EXPECT_TRUE(table_.take_dead().empty());
  EXPECT_TRUE(table_.has_former_sas());
  table_.set_former({77});
  table_.set_children({});
  (void)settle(2 * TunnelTable::kConfirmGrace);
  (void)settle(2 * TunnelTable::kConfirmGrace);
  EXPECT_TRUE(table_.take_dead().empty());
}

TEST_F(Table, OneListWithoutAnIkeSaDecidesNothing) {
  install(child(1));
  (void)settle();
  for (int i = 0; i < 10; ++i) {
    table_.set_children({});
    EXPECT_TRUE(settle(2s).empty());
    table_.set_children({child(1)});
    EXPECT_TRUE(settle(2s).empty());
    EXPECT_EQ(table_.need("ipsec0"), Need::nothing);
  }
  table_.set_children({});
  EXPECT_TRUE(settle().empty());
  table_.set_children({});
  EXPECT_TRUE(settle(300ms).empty()) << "a rekey may take as long";
  (void)settle(TunnelTable::kConfirmGrace);
  (void)settle(TunnelTable::kConfirmGrace);
  EXPECT_EQ(status().reason, Reason::sa_orphaned);
}

TEST_F(Table, ACharonThatDoesNotAnswerIsSuspectForAMinute) {
  install(child(1));
  (void)settle();
  table_.charon_gone();
  (void)settle();
  (void)settle(TunnelTable::kConfirmGrace);
  EXPECT_EQ(status().reason, Reason::charon_silent);
  EXPECT_EQ(status().state, TunnelState::suspect);
  (void)settle(kSuspectBound);
  EXPECT_EQ(status().state, TunnelState::down);
  table_.set_children({child(1)});
  (void)settle();
  EXPECT_EQ(status().state, TunnelState::up);
}

TEST_F(Table, ACharonThatIsBackProvesNothingOfSasThatItDoesNotList) {
  install(child(1));
  (void)settle();
  table_.charon_gone();
  (void)settle();
  (void)settle(TunnelTable::kConfirmGrace);
  const Time suspect_since = now_;
  ASSERT_EQ(status().state, TunnelState::suspect);
  table_.set_children({});
  (void)settle(1s);
  EXPECT_EQ(status().state, TunnelState::suspect) << "within the time that charon has to confirm them, too";
  EXPECT_EQ(table_.need("ipsec0"), Need::nothing) << "its list may be older than the SAs";
  table_.charon_gone();
  (void)settle(1s);
  EXPECT_EQ(status().state, TunnelState::suspect) << "gone again";
  table_.set_children({});
  (void)settle(suspect_since + kSuspectBound - now_);
  EXPECT_EQ(status().state, TunnelState::down) << "the bound counts from the first doubt";
  EXPECT_EQ(status().reason, Reason::sa_orphaned);
  install(child(2));
  (void)settle();
  EXPECT_EQ(status().state, TunnelState::up);
}

TEST_F(Table, WithoutItsCharonNoEspInUdpComesIn) {
  Sa in = inbound(child(1)), out = outbound(child(1));
  in.in_udp = out.in_udp = true;
  table_.sa_added(in);
  table_.sa_added(out);
  table_.child_up(child(1));
  install(child(2, 43));
  (void)settle();
  table_.charon_refuses();
  (void)settle();
  EXPECT_EQ(status().reason, Reason::charon_dead);
  EXPECT_EQ(status().state, TunnelState::down);
  EXPECT_EQ(status("ipsec1").state, TunnelState::up) << "plain ESP needs no socket";
}

TEST_F(Table, WhatTheTunnelStandsOnCountsBeforeItsSas) {
  install(child(1));
  (void)settle();
  for (const Reason reason : {Reason::underlay_missing, Reason::underlay_down, Reason::underlay_no_carrier,
                              Reason::local_address_missing, Reason::endpoint_unroutable, Reason::gateway_silent}) {
    table_.set_underlay("ipsec0", reason);
    (void)settle();
    EXPECT_EQ(status().state, TunnelState::down);
    EXPECT_EQ(to_text(status().reason), to_text(reason));
    table_.set_underlay("ipsec0", Reason::ready);
    (void)settle();
    EXPECT_EQ(status().state, TunnelState::up);
  }
}

TEST_F(Table, IsDownWhereTheSelectorsLeaveOutItsPeer) {
  options_[0].carries = {IpAddress::v4(0xA9FE0A01)};
  table_.set_tunnels(options_);
  ChildSa it = child(1);
  it.remote_ts = {*parse_prefix("0.0.0.0/0")};
  install(it);
  (void)settle();
  EXPECT_EQ(status().state, TunnelState::up);
  ChildSa narrowed = child(2);
  narrowed.remote_ts = {*parse_prefix("192.168.0.0/16"), *parse_prefix("10.0.0.0/8")};
  install(narrowed);
  (void)settle();
  EXPECT_EQ(status().reason, Reason::selectors_narrowed) << "the kernel sends through the newest";
  narrowed = child(3);
  narrowed.remote_ts = {*parse_prefix("192.168.0.0/16"), *parse_prefix("169.254.10.1/32")};
  install(narrowed);
  (void)settle();
  EXPECT_EQ(status().state, TunnelState::up);
}

TEST_F(Table, NeedsNewSasBesideDeadOnes) {
  install(child(1));
  (void)settle();
  EXPECT_EQ(table_.need("ipsec0"), Need::nothing);
  EXPECT_EQ(table_.need("ipsec1"), Need::sas);
  table_.set_probe("ipsec0", ProbeResult::lost);
  (void)settle();
  EXPECT_EQ(table_.need("ipsec0"), Need::new_sas);
  table_.set_probe("ipsec0", ProbeResult::answered);
  (void)settle();
  EXPECT_EQ(table_.need("ipsec0"), Need::nothing);
}

TEST_F(Table, ADumpThatMissesAnEventIsTheTruth) {
  install(child(1));
  (void)settle();
  table_.dump_begins();
  table_.sa_added(inbound(child(2)));
  table_.sa_added(outbound(child(2)));
  EXPECT_TRUE(settle().empty());
  table_.dump_ended();
  table_.child_rekeyed(1, child(2));
  EXPECT_TRUE(settle().empty());
  EXPECT_EQ(status().inbound_sas, 1U);
  EXPECT_EQ(status().inbound_spi, child(2).spi_in);
}

TEST_F(Table, ASilentPeerIsSuspectOnlyWhenWeSend) {
  table_.set_silence(20s);
  const ChildSa it = child(1);
  install(it);
  (void)settle();
  EXPECT_TRUE(settle(60s).empty()) << "nobody sends";
  table_.set_counters(outbound(it).key, 100, 10000);
  auto changes = settle(20s);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].reason, Reason::no_inbound);
  table_.set_counters(inbound(it).key, 1, 100);
  changes = settle();
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].state, TunnelState::up);
  // Used in one direction, and its peer answers IKE: suspect for a minute, not for ever and not down.
  table_.set_counters(outbound(it).key, 200, 20000);
  (void)settle(20s);
  EXPECT_EQ(status().reason, Reason::no_inbound);
  (void)settle(kSuspectBound);
  EXPECT_EQ(status().state, TunnelState::up);
  table_.set_counters(outbound(it).key, 300, 30000);
  EXPECT_TRUE(settle(1h).empty());
}

TEST_F(Table, ARepeatedRequestIsSuspect) {
  options_[0].watch_connection = "vco1";
  table_.set_tunnels(options_);
  install(child(1));
  (void)settle();
  table_.set_retransmitting("vco1", true);
  ASSERT_EQ(settle().size(), 1U);
  EXPECT_EQ(status().state, TunnelState::suspect);
  table_.set_retransmitting("vco1", false);
  ASSERT_EQ(settle().size(), 1U);
  EXPECT_EQ(status().state, TunnelState::up);
}

TEST_F(Table, ARepeatedRequestIsForgottenUnlessItIsRepeatedAgain) {
  options_[0].watch_connection = "vco1";
  table_.set_tunnels(options_);
  install(child(1));
  (void)settle();
  table_.set_retransmitting("vco1", true);
  (void)settle();
  const Time said = now_;
  while (table_.state("ipsec0") == TunnelState::suspect && now_ - said < 1h) {
    table_.set_counters(inbound(child(1)).key, static_cast<std::uint64_t>((now_ - said) / 1s), 1);  // ESP flows.
    (void)settle(1s);
  }
  EXPECT_EQ(status().state, TunnelState::up);
  EXPECT_EQ(now_ - said, kHintLife);
}

TEST_F(Table, OneRepetitionIsForgottenAlsoWhereNoTrafficProvesAnything) {
  options_[0].watch_connection = "vco1";
  table_.set_tunnels(options_);
  install(child(1));
  (void)settle();
  table_.set_retransmitting("vco1", true);
  for (const Time until = now_ + 1h; now_ < until;) {
    (void)settle(1s);
    EXPECT_NE(status().state, TunnelState::down);
  }
  EXPECT_EQ(status().state, TunnelState::up);
}

TEST_F(Table, APeerThatAnswersNothingAndSendsNothingIsDown) {
  options_[0].watch_connection = "vco1";
  table_.set_tunnels(options_);
  install(child(1));
  (void)settle();
  // As charon repeats: after 4, 11.2, 24.2, 47.5 and 89.5 s.
  for (const auto pause : {4000ms, 7200ms, 13000ms, 23300ms, 42000ms}) {
    (void)settle(pause);
    table_.set_retransmitting("vco1", true);
    (void)settle();
    EXPECT_EQ(status().state, TunnelState::suspect);
  }
  (void)settle(5s);
  EXPECT_EQ(status().state, TunnelState::down);
  EXPECT_EQ(status().reason, Reason::retransmitting);
  EXPECT_EQ(table_.need("ipsec0"), Need::new_sas);
}

TEST_F(Table, APolicyTunnelKnowsItsSasByTheRemoteAddress) {
  TunnelOptions policy;
  policy.name = "vco1";
  policy.mode = Mode::policy;
  policy.ike.emplace().remote_addresses = {"203.0.113.151"};
  options_ = {policy};
  table_.set_tunnels(options_);
  ChildSa it = child(1, 0);
  it.connection = "bgplite-vco1";
  Sa in = inbound(it), out = outbound(it);
  in.direction = out.direction = SaDirection::unknown;
  table_.sa_added(in);
  table_.sa_added(out);
  (void)settle();
  EXPECT_EQ(table_.state("vco1"), TunnelState::up);
}

class Flapping : public Table {
 protected:
  Flapping() {
    Damping damping;
    damping.free_flaps = 1;
    damping.first_hold = 1000ms;
    damping.longest_hold = 4000ms;
    damping.forget_after = 60s;
    table_.set_damping(damping);
    install(child(9, 43));  // The other way out is there.
    install(child(10));
    (void)settle();
  }
  /// One loss and one return; the hold it costs.
  Duration flap() {
    remove(child(last_));
    (void)settle(10ms);
    install(child(++last_));
    (void)settle(10ms);
    return status().held_until > now_ ? status().held_until - now_ : Duration{};
  }
  std::uint32_t last_ = 10;
};

TEST_F(Flapping, CostsGrowingAndCappedTime) {
  for (const Duration expected : {0s, 1s, 2s, 4s, 4s}) EXPECT_EQ(flap(), Duration{expected});
  EXPECT_EQ(status().reason, Reason::damped);
  EXPECT_EQ(status().state, TunnelState::down);
  EXPECT_EQ(table_.next_deadline(), status().held_until);
  (void)settle(4s);
  EXPECT_EQ(status().state, TunnelState::up);
}

TEST_F(Flapping, CostsTheLongestHoldAfterHoweverManyLosses) {
  Damping damping;
  damping.free_flaps = 1;
  damping.first_hold = 10s;
  damping.longest_hold = 60s;
  damping.forget_after = 24h;
  table_.set_damping(damping);
  for (int i = 0; i < 4; ++i) flap();
  for (int loss = 5; loss < 40; ++loss) EXPECT_EQ(flap(), Duration{60s}) << loss;
}

TEST_F(Flapping, NeverTakesTheLastWayOut) {
  for (int i = 0; i < 5; ++i) flap();
  ASSERT_EQ(status().reason, Reason::damped);
  remove(child(9, 43));
  (void)settle(10ms);
  EXPECT_EQ(status().state, TunnelState::up);
  EXPECT_EQ(status("ipsec1").state, TunnelState::down);
}

TEST_F(Flapping, IsForgotten) {
  flap();
  flap();
  ASSERT_GT(status().flaps, 0U);
  (void)settle(10min);
  EXPECT_EQ(status().flaps, 0U);
}

TEST_F(Table, ALinkOfSomebodyElseIsUpWithoutSas) {
  TunnelOptions link;
  link.name = "wg0";
  link.mode = Mode::link;
  table_.set_tunnels(std::vector{link});
  (void)settle();
  EXPECT_EQ(status("wg0").reason, Reason::interface_missing);
  table_.set_link("wg0", &kLink);
  (void)settle();
  EXPECT_EQ(status("wg0").state, TunnelState::up);
  // SAs and children without an if_id, which other connections have, are none of its own.
  install(child(7, 0));
  (void)settle();
  EXPECT_EQ(status("wg0").inbound_sas, 0U);
  const TunnelLink unplugged{7, true, true, false};
  table_.set_link("wg0", &unplugged);
  (void)settle();
  EXPECT_EQ(status("wg0").reason, Reason::no_carrier);
  table_.set_link("wg0", &kLink);
  (void)settle();
  table_.set_probe("wg0", ProbeResult::lost);
  (void)settle();
  EXPECT_EQ(status("wg0").reason, Reason::probe_lost);
  EXPECT_EQ(status("wg0").went_down_for[static_cast<std::size_t>(Reason::probe_lost)], 1U);
  table_.set_probe("wg0", ProbeResult::answered);
  (void)settle();
  EXPECT_EQ(status("wg0").state, TunnelState::up);
  EXPECT_EQ(status("wg0").went_down, 2U);
}

TEST_F(Table, KeepsWhatItKnowsOfTunnelsThatStay) {
  install(child(1));
  (void)settle();
  options_.erase(options_.begin() + 1);
  options_[0].mtu = 1300;
  table_.set_tunnels(options_);
  EXPECT_TRUE(settle().empty());
  EXPECT_EQ(status().state, TunnelState::up);
}

}  // namespace
}  // namespace minibgp::xfrm
