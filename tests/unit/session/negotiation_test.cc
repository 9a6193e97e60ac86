#include <bgp/session/negotiation.h>

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace minibgp::session {
namespace {

constexpr std::size_t kV4 = 0, kV6 = 1;
constexpr LocalIdentity kSelf{.asn = Asn{65001}, .router_id = RouterId{0x0A000001}};

[[nodiscard]] PeerOptions peer_options_for(Asn remote) {
  PeerOptions options;
  options.address = IpAddress::v4(0xC0000202);
  options.remote_as = remote;
  return options;
}

/// What a peer configured with `options` would send us.
[[nodiscard]] wire::Open from_peer(const PeerOptions& options = {}, Asn asn = Asn{65002}) {
  return make_open(options, {.asn = asn, .router_id = RouterId{0x0A000002}});
}

[[nodiscard]] wire::MessageError refused(const PeerOptions& options, const wire::Open& open,
                                         const LocalIdentity& self = kSelf) {
  const auto agreed = negotiate(options, self, open);
  EXPECT_FALSE(agreed.has_value());
  return agreed ? wire::MessageError{} : agreed.error();
}

TEST(MakeOpen, SaysWhatIsConfigured) {
  PeerOptions options = peer_options_for(Asn{65002});
  options.families = {true, true};
  options.timers.hold_s = 30;
  options.add_path_receive = true;
  options.role = Role::customer;
  const wire::Open open = make_open(options, kSelf);
  EXPECT_EQ(open.asn, Asn{65001});
  EXPECT_EQ(open.asn_field, 65001);
  EXPECT_EQ(open.hold_time_s, 30);
  EXPECT_EQ(open.router_id, RouterId{0x0A000001});
  const wire::Capabilities& caps = open.capabilities;
  EXPECT_TRUE(caps.multiprotocol[kV4] && caps.multiprotocol[kV6]);
  EXPECT_TRUE(caps.route_refresh && caps.enhanced_refresh && caps.extended_messages);
  EXPECT_EQ(caps.four_octet_as, Asn{65001});
  EXPECT_EQ(caps.add_path[kV4], 1);
  EXPECT_EQ(caps.role, Role::customer);
  ASSERT_TRUE(caps.graceful_restart);
  EXPECT_FALSE(caps.graceful_restart->restarting);
  EXPECT_TRUE(caps.graceful_restart->notification);
  EXPECT_TRUE(caps.graceful_restart->forwarding_preserved[kV4]);
  EXPECT_EQ(caps.graceful_restart->restart_time_s, 120);
}

TEST(MakeOpen, AFourOctetAsIsAsTransInTheOldField) {  // RFC 6793 s.9
  const wire::Open open = make_open(peer_options_for(Asn{65002}), {.asn = Asn{4200000001}, .router_id = RouterId{1}});
  EXPECT_EQ(open.asn_field, 23456);
  EXPECT_EQ(open.asn, Asn{4200000001});
}

TEST(MakeOpen, LocalAsReplacesTheSpeakersOwn) {
  PeerOptions options = peer_options_for(Asn{65002});
  options.local_as = Asn{65100};
  EXPECT_EQ(make_open(options, kSelf).asn, Asn{65100});
}

TEST(MakeOpen, AHelperListsNoFamilyAndARestartSetsR) {  // RFC 4724 s.3, s.4.1
  PeerOptions options = peer_options_for(Asn{65002});
  options.graceful_restart = GracefulRestart::helper;
  EXPECT_FALSE(make_open(options, kSelf).capabilities.graceful_restart->families[kV4]);
  options.graceful_restart = GracefulRestart::full;
  LocalIdentity restarting = kSelf;
  restarting.restarting = true;
  EXPECT_TRUE(make_open(options, restarting).capabilities.graceful_restart->restarting);
  options.graceful_restart = GracefulRestart::off;
  EXPECT_FALSE(make_open(options, kSelf).capabilities.graceful_restart.has_value());
  options.restart_time_s = 9999;
  options.graceful_restart = GracefulRestart::full;
  EXPECT_EQ(make_open(options, kSelf).capabilities.graceful_restart->restart_time_s, 4095);
}

TEST(MakeOpen, TowardIbgpNoRoleIsSent) {
  PeerOptions options = peer_options_for(Asn{65001});
  options.role = Role::peer;
  EXPECT_EQ(make_open(options, kSelf).capabilities.role, Role::none);
}

TEST(Negotiate, TheSmallerHoldTimeHoldsAndKeepalivesAreAThird) {
  struct Case {
    std::uint16_t ours, theirs, keepalive_wanted, hold, keepalive;
  };
  for (const Case& row :
       {Case{90, 180, 0, 90, 30}, Case{180, 30, 0, 30, 10}, Case{90, 90, 10, 90, 10}, Case{90, 30, 20, 30, 10},
        Case{0, 90, 0, 0, 0}, Case{90, 0, 10, 0, 0}, Case{3, 90, 0, 3, 1}}) {
    PeerOptions options = peer_options_for(Asn{65002});
    options.timers.hold_s = row.ours;
    options.timers.keepalive_s = row.keepalive_wanted;
    wire::Open open = from_peer();
    open.hold_time_s = row.theirs;
    const auto agreed = negotiate(options, kSelf, open);
    ASSERT_TRUE(agreed);
    EXPECT_EQ(agreed->hold_s, row.hold);
    EXPECT_EQ(agreed->peer_hold_s, row.theirs);
    EXPECT_EQ(agreed->keepalive_s, row.keepalive);
  }
}

TEST(Negotiate, AnotherAsThanConfiguredIsBadPeerAs) {
  EXPECT_EQ(refused(peer_options_for(Asn{65003}), from_peer()), (wire::MessageError{2, 2, {}}));
}

TEST(Negotiate, OurOwnIdentifierIsRefusedFromIbgpOnly) {  // RFC 6286 s.2.2
  wire::Open open = from_peer({}, Asn{65001});
  open.router_id = kSelf.router_id;
  EXPECT_EQ(refused(peer_options_for(Asn{65001}), open), (wire::MessageError{2, 3, {}}));
  wire::Open external = from_peer();
  external.router_id = kSelf.router_id;
  EXPECT_TRUE(negotiate(peer_options_for(Asn{65002}), kSelf, external));
}

TEST(Negotiate, WithoutMultiprotocolAPeerSpeaksIpv4) {  // RFC 4760 s.8
  wire::Open open = from_peer();
  open.capabilities = {};
  const auto agreed = negotiate(peer_options_for(Asn{65002}), kSelf, open);
  ASSERT_TRUE(agreed);
  EXPECT_TRUE(agreed->families[kV4]);
  EXPECT_FALSE(agreed->families[kV6]);
  EXPECT_FALSE(agreed->receive.four_octet_as);
  EXPECT_FALSE(agreed->route_refresh);
  EXPECT_FALSE(agreed->peer_graceful_restart.has_value());
  EXPECT_EQ(agreed->receive.max_message, 4096U);
}

TEST(Negotiate, WithoutACommonFamilyTheNeededOnesAreNamed) {  // RFC 5492 s.3
  PeerOptions ours = peer_options_for(Asn{65002});
  ours.families = {false, true};
  EXPECT_EQ(refused(ours, from_peer()), (wire::MessageError{2, 7, {1, 4, 0, 2, 0, 1}}));
}

TEST(Negotiate, BothSidesMustWantIt) {
  for (const bool ours : {false, true}) {
    for (const bool theirs : {false, true}) {
      PeerOptions options = peer_options_for(Asn{65002});
      options.extended_messages = options.four_octet_as = options.extended_next_hop = ours;
      options.graceful_restart = ours ? GracefulRestart::full : GracefulRestart::off;
      PeerOptions peer;
      peer.extended_messages = peer.four_octet_as = peer.extended_next_hop = theirs;
      peer.graceful_restart = theirs ? GracefulRestart::full : GracefulRestart::off;
      const auto agreed = negotiate(options, kSelf, from_peer(peer));
      ASSERT_TRUE(agreed);
      const bool both = ours && theirs;
      EXPECT_EQ(agreed->receive.max_message, both ? 65535U : 4096U);
      EXPECT_EQ(agreed->send.max_message, both ? 32768U : 4096U);  // kMaxSentMessage says why not all of it.
      EXPECT_EQ(agreed->receive.four_octet_as, both);
      EXPECT_EQ(agreed->send.ipv4_over_ipv6_next_hop, both);
      EXPECT_EQ(agreed->peer_graceful_restart.has_value(), both);
    }
  }
}

TEST(Negotiate, GracefulRestartCoversCommonFamiliesOnly) {
  PeerOptions peer;
  peer.families = {true, true};
  const auto agreed = negotiate(peer_options_for(Asn{65002}), kSelf, from_peer(peer));
  ASSERT_TRUE(agreed && agreed->peer_graceful_restart);
  EXPECT_TRUE(agreed->peer_graceful_restart->families[kV4]);
  EXPECT_TRUE(agreed->peer_graceful_restart->forwarding_preserved[kV4]);
  EXPECT_FALSE(agreed->peer_graceful_restart->families[kV6]);
}

TEST(Negotiate, AddPathIsReadWhereThePeerSendsIt) {  // RFC 7911 s.4
  PeerOptions options = peer_options_for(Asn{65002});
  options.add_path_receive = true;
  for (std::uint8_t says = 0; says <= 3; ++says) {
    wire::Open open = from_peer();
    open.capabilities.add_path[kV4] = says;
    const auto agreed = negotiate(options, kSelf, open);
    ASSERT_TRUE(agreed);
    EXPECT_EQ(agreed->receive.add_path_receive[kV4], says >= 2) << int{says};
    EXPECT_FALSE(agreed->send.add_path_receive[kV4]);
  }
}

TEST(Negotiate, RolesMustGoTogether) {  // RFC 9234 s.4.2, table 2
  using enum Role;
  const Role all[] = {provider, route_server, route_server_client, customer, peer};
  for (const Role ours : all) {
    for (const Role theirs : all) {
      const bool pair = (ours == provider && theirs == customer) || (ours == customer && theirs == provider) ||
                        (ours == route_server && theirs == route_server_client) ||
                        (ours == route_server_client && theirs == route_server) || (ours == peer && theirs == peer);
      PeerOptions options = peer_options_for(Asn{65002});
      options.role = ours;
      PeerOptions remote;
      remote.role = theirs;
      remote.remote_as = Asn{65001};
      const auto agreed = negotiate(options, kSelf, from_peer(remote));
      EXPECT_EQ(agreed.has_value(), pair) << static_cast<int>(ours) << " with " << static_cast<int>(theirs);
      if (!agreed) {
        EXPECT_EQ(agreed.error(), (wire::MessageError{2, 11, {}}));
      }
    }
  }
}

TEST(Negotiate, AMissingRoleMattersOnlyWhenStrictAndAConflictAlways) {
  PeerOptions options = peer_options_for(Asn{65002});
  options.role = Role::customer;
  EXPECT_TRUE(negotiate(options, kSelf, from_peer()));
  options.role_strict = true;
  EXPECT_EQ(refused(options, from_peer()).subcode, 11);
  options.role_strict = false;
  wire::Open conflict = from_peer();
  conflict.capabilities.role = Role::provider;
  conflict.capabilities.role_conflict = true;
  EXPECT_EQ(refused(options, conflict).subcode, 11);
  options.role = Role::none;
  EXPECT_TRUE(negotiate(options, kSelf, conflict));
}

TEST(Negotiate, SurvivesTheWire) {
  PeerOptions peer;
  peer.families = {true, true};
  peer.add_path_receive = true;
  peer.extended_next_hop = true;
  peer.role = Role::provider;
  const wire::Open open = make_open(peer, {.asn = Asn{4200000002}, .router_id = RouterId{2}, .restarting = true});
  std::vector<std::uint8_t> bytes;
  wire::encode_open(open, bytes);
  const auto decoded = wire::decode_open(Bytes{bytes}.subspan(19));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(*decoded, open);
}

}  // namespace
}  // namespace minibgp::session
