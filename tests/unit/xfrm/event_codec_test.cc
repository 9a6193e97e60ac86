#include <tests/support/guarded.h>
#include <xfrm/netlink/event_codec.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "ends.h"
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

namespace minibgp::xfrm {
namespace {

using netlink::MessageWriter;

xfrm_usersa_info info(std::uint8_t protocol = IPPROTO_ESP) {
  xfrm_usersa_info it{};
  it.id.daddr = to_kernel(kLocal);
  it.id.spi = htonl(0xC0FFEE01);
  it.id.proto = protocol;
  it.saddr = to_kernel(kRemote);
  it.family = AF_INET;
  it.reqid = 1;
  return it;
}

/// The first message of what was written.
netlink::Message first(const MessageWriter& writer) { return *netlink::MessageReader(writer.bytes()).next(); }

void put_sa(MessageWriter& writer, std::uint16_t type, bool keyed, std::uint32_t if_id) {
  writer.begin(type, 0, 1, info());
  if (keyed) {
    const std::vector<std::uint8_t> key(sizeof(xfrm_algo) + 16, 0x5A);
    writer.put(XFRMA_ALG_CRYPT, Bytes{key});
  }
  if (if_id != 0) writer.put(XFRMA_IF_ID, if_id);
  writer.end();
}

TEST(XfrmEvent, ReadsAnSa) {
  for (const std::uint16_t type : {XFRM_MSG_NEWSA, XFRM_MSG_UPDSA}) {
    MessageWriter writer;
    put_sa(writer, type, true, 42);
    const auto event = decode_xfrm(first(writer));
    ASSERT_TRUE(event.has_value());
    EXPECT_EQ(std::get<Sa>(*event), (Sa{{kLocal, 0xC0FFEE01, 50}, kRemote, 42, 1, SaDirection::unknown}));
  }
}

TEST(XfrmEvent, ReadsTheDirectionWhereTheKernelSaysIt) {
  MessageWriter writer;
  writer.begin(XFRM_MSG_NEWSA, 0, 1, info());
  writer.put(XFRMA_ALG_AEAD, Bytes{});
  writer.put(std::uint16_t{33}, std::uint8_t{2});
  writer.end();
  EXPECT_EQ(std::get<Sa>(*decode_xfrm(first(writer))).direction, SaDirection::outbound);
}

TEST(XfrmEvent, ReadsWhenAnSaWasMadeAndThatItNeedsASocket) {
  MessageWriter writer;
  xfrm_usersa_info made = info();
  made.curlft.add_time = 1'700'000'000;
  writer.begin(XFRM_MSG_NEWSA, 0, 1, made);
  writer.put(XFRMA_ALG_AEAD, Bytes{});
  writer.put(XFRMA_ENCAP, xfrm_encap_tmpl{});
  writer.end();
  const auto sa = std::get<Sa>(*decode_xfrm(first(writer)));
  EXPECT_EQ(sa.added_s, 1'700'000'000U);
  EXPECT_TRUE(sa.in_udp);
}

TEST(XfrmEvent, TheDeletionOfAnSaNamesIt) {
  const SaKey key{kLocal, 0xC0FFEE01, 50};
  MessageWriter writer;
  request_sa_deletion(writer, 1, key);
  EXPECT_EQ(std::get<SaGone>(*decode_xfrm(first(writer))), (SaGone{key, Reason::sa_deleted}));
}

TEST(XfrmEvent, AReservedSpiIsNoSa) {
  MessageWriter writer;
  put_sa(writer, XFRM_MSG_NEWSA, false, 0);
  EXPECT_FALSE(decode_xfrm(first(writer)).has_value());
}

TEST(XfrmEvent, OtherProtocolsAreNotOurs) {
  MessageWriter writer;
  writer.begin(XFRM_MSG_NEWSA, 0, 1, info(IPPROTO_AH));
  writer.put(XFRMA_ALG_AUTH, Bytes{});
  writer.end();
  EXPECT_FALSE(decode_xfrm(first(writer)).has_value());
}

TEST(XfrmEvent, ReadsTheEndOfAnSa) {
  MessageWriter deleted;
  xfrm_usersa_id id{};
  id.daddr = to_kernel(kLocal);
  id.spi = htonl(0xC0FFEE01);
  id.family = AF_INET;
  id.proto = IPPROTO_ESP;
  deleted.begin(XFRM_MSG_DELSA, 0, 1, id);
  deleted.end();
  EXPECT_EQ(std::get<SaGone>(*decode_xfrm(first(deleted))), (SaGone{{kLocal, 0xC0FFEE01, 50}, Reason::sa_deleted}));

  for (const std::uint8_t hard : {std::uint8_t{0}, std::uint8_t{1}}) {
    MessageWriter expired;
    xfrm_user_expire expire{};
    expire.state = info();
    expire.hard = hard;
    expired.begin(XFRM_MSG_EXPIRE, 0, 1, expire);
    expired.end();
    const auto event = decode_xfrm(first(expired));
    ASSERT_EQ(event.has_value(), hard != 0) << "a soft expiry is a reminder";
    if (event.has_value()) {
      EXPECT_EQ(std::get<SaGone>(*event).why, Reason::sa_expired);
    }
  }

  MessageWriter flushed;
  flushed.begin(XFRM_MSG_FLUSHSA, 0, 1, xfrm_usersa_flush{IPPROTO_ESP});
  flushed.end();
  EXPECT_TRUE(std::holds_alternative<SasFlushed>(*decode_xfrm(first(flushed))));
}

TEST(XfrmEvent, ReadsCountersWithoutKeys) {
  MessageWriter writer;
  xfrm_aevent_id id{};
  id.sa_id.daddr = to_kernel(kLocal);
  id.sa_id.spi = htonl(7);
  id.sa_id.family = AF_INET;
  id.sa_id.proto = IPPROTO_ESP;
  writer.begin(XFRM_MSG_NEWAE, 0, 1, id);
  writer.put(XFRMA_LTIME_VAL, xfrm_lifetime_cur{1000, 10, 0, 0});
  writer.end();
  EXPECT_EQ(std::get<SaCounters>(*decode_xfrm(first(writer))), (SaCounters{{kLocal, 7, 50}, 10, 1000}));
}

TEST(XfrmEvent, APolicyGoesBackAsItCame) {
  PolicySeen policy;
  policy.info.dir = XFRM_POLICY_OUT;
  policy.info.priority = 375424;
  policy.templates.resize(1);
  policy.templates[0].id.daddr = to_kernel(kRemote);
  policy.templates[0].reqid = 7;
  MessageWriter writer;
  update_policy(writer, 1, policy);
  const auto event = decode_xfrm(first(writer));
  ASSERT_TRUE(event.has_value());
  const auto& back = std::get<PolicySeen>(*event);
  EXPECT_EQ(std::memcmp(&back.info, &policy.info, sizeof policy.info), 0);
  ASSERT_EQ(back.templates.size(), 1U);
  EXPECT_EQ(std::memcmp(&back.templates[0], &policy.templates[0], sizeof(xfrm_user_tmpl)), 0);
}

TEST(LinkEvent, ReadsAnXfrmInterfaceWeAskedFor) {
  MessageWriter writer;
  request_step(writer, 1, CreateLink{"ipsec0", 42, 2, 1360}, {});
  const auto event = decode_link(first(writer));
  // A request has no index yet; what the kernel announces does.
  EXPECT_FALSE(event.has_value());
  std::vector<std::uint8_t> bytes(writer.bytes().begin(), writer.bytes().end());
  ifinfomsg header{};
  std::memcpy(&header, bytes.data() + NLMSG_HDRLEN, sizeof header);
  header.ifi_index = 9;
  header.ifi_flags = IFF_UP | 1U << 16U;  // IFF_LOWER_UP
  std::memcpy(bytes.data() + NLMSG_HDRLEN, &header, sizeof header);
  const auto seen = decode_link(*netlink::MessageReader(bytes).next());
  ASSERT_TRUE(seen.has_value());
  EXPECT_EQ(std::get<Link>(*seen), (Link{9, "ipsec0", "xfrm", "", 42, 2, 0, 1360, true, false}));
}

TEST(LinkEvent, ALinkWithoutLowerUpHasNoCarrier) {
  MessageWriter writer;
  ifinfomsg header{};
  header.ifi_index = 2;
  header.ifi_flags = IFF_UP;
  writer.begin(RTM_NEWLINK, 0, 1, header);
  writer.end();
  const auto link = std::get<Link>(*decode_link(first(writer)));
  EXPECT_TRUE(link.up);
  EXPECT_FALSE(link.carrier);
}

TEST(LinkEvent, ReadsNeighborsThatAnswerAndThatDoNot) {
  const auto seen = [](std::uint16_t state) {
    MessageWriter writer;
    ndmsg header{};
    header.ndm_family = AF_INET;
    header.ndm_ifindex = 2;
    header.ndm_state = state;
    writer.begin(RTM_NEWNEIGH, 0, 1, header);
    writer.put(NDA_DST, kRemote.bytes());
    writer.end();
    return decode_link(first(writer));
  };
  EXPECT_EQ(std::get<NeighborSeen>(*seen(NUD_FAILED)), (NeighborSeen{2, kRemote, true}));
  for (const int state : {NUD_REACHABLE, NUD_STALE, NUD_DELAY, NUD_PROBE, NUD_PERMANENT})
    EXPECT_EQ(std::get<NeighborSeen>(*seen(static_cast<std::uint16_t>(state))), (NeighborSeen{2, kRemote, false}));
  EXPECT_FALSE(seen(NUD_INCOMPLETE).has_value()) << "being asked for";
  EXPECT_FALSE(seen(NUD_NONE).has_value()) << "thrown away";
}

TEST(LinkEvent, OwnRoutesAreHostRoutesWithOurProtocolInOurTable) {
  const auto own = [](const Prefix& prefix, std::uint8_t protocol, std::uint32_t table) {
    MessageWriter writer;
    rtmsg header{};
    header.rtm_family = AF_INET;
    header.rtm_dst_len = prefix.length_bits;
    header.rtm_protocol = protocol;
    header.rtm_type = RTN_UNICAST;
    header.rtm_table = static_cast<std::uint8_t>(table < 256 ? table : RT_TABLE_COMPAT);
    writer.begin(RTM_NEWROUTE, 0, 1, header);
    writer.put(RTA_DST, prefix.address().bytes());
    writer.put(RTA_GATEWAY, kLocal.bytes());
    writer.put(RTA_TABLE, table);
    writer.end();
    return decode_own_route(first(writer), {156, 1000});
  };
  EXPECT_EQ(own(Prefix::of(kRemote, 32), 156, 1000), (OwnRoute{kRemote, kLocal}));
  EXPECT_FALSE(own(Prefix::of(kRemote, 32), 156, 254).has_value());
  EXPECT_FALSE(own(Prefix::of(kRemote, 32), 155, 1000).has_value());
  EXPECT_FALSE(own(Prefix::of(kRemote, 24), 156, 1000).has_value());
}

TEST(LinkEvent, ReadsAddresses) {
  const InterfaceAddress inner{IpAddress::v4(0xA9FE0A02), 30};
  for (const bool add : {true, false}) {
    MessageWriter writer;
    request_step(writer, 1, ChangeAddress{9, inner, add}, {});
    EXPECT_EQ(std::get<AddressSeen>(*decode_link(first(writer))), (AddressSeen{9, inner, !add}));
  }
}

TEST(LinkEvent, ReadsTheRouteThatWasFound) {
  MessageWriter writer;
  request_step(writer, 1, ChangeRoute{kRemote, kLocal, 2, true}, {156, 254});
  EXPECT_EQ(std::get<RouteFound>(*decode_link(first(writer))), (RouteFound{Prefix::of(kRemote, 32), kLocal, 2, 156}));
}

TEST(NetlinkEvents, AnyBytesAreReadWithinTheirBounds) {
  constexpr unsigned kSeed = 1;
  SCOPED_TRACE(::testing::Message() << "seed " << kSeed);
  std::mt19937 random(kSeed);
  std::size_t understood = 0;
  for (int i = 0; i < 20000; ++i) {
    std::vector<std::uint8_t> octets(random() % 400);
    for (auto& octet : octets) octet = static_cast<std::uint8_t>(random() % 3 == 0 ? random() % 64 : random());
    // The smallest step too far is a fault of this process.
    const minibgp::testing::GuardedOctets payload{octets};
    const netlink::Message message{static_cast<std::uint16_t>(16 + random() % 24), 0, 1, 0, payload.view()};
    understood += decode_xfrm(message).has_value() ? 1 : 0;
    understood += decode_link(message).has_value() ? 1 : 0;
    (void)decode_own_route(message, {156, 254});
  }
  EXPECT_GT(understood, 100U) << "nothing was read beyond the first check";
}

TEST(NetlinkEvents, EveryCutIsReadWithinItsBounds) {
  const InterfaceAddress inner{IpAddress::v4(0xA9FE0A02), 30};
  MessageWriter address, route;
  request_step(address, 1, ChangeAddress{9, inner, true}, {});
  request_step(route, 1, ChangeRoute{kRemote, kLocal, 2, true}, {156, 254});
  for (const MessageWriter* writer : {&address, &route}) {
    const netlink::Message whole = first(*writer);
    ASSERT_TRUE(decode_link(whole));
    for (std::size_t length = 0; length < whole.payload.size(); ++length) {
      const minibgp::testing::GuardedOctets cut{whole.payload.first(length)};
      netlink::Message message = whole;
      message.payload = cut.view();
      const auto read = decode_link(message);
      if (length < NLMSG_ALIGN(sizeof(ifaddrmsg))) {
        EXPECT_FALSE(read) << "cut at " << length;
      }
    }
  }
}

}  // namespace
}  // namespace minibgp::xfrm
