// Our netlink bytes, read back by libnl (routes) and by our own reader (routes and next-hop objects), and the reader
// against bytes that lie about their lengths.
#include <bgp/text.h>
#include <fib/netlink/link_watch.h>
#include <fib/netlink/route_codec.h>
#include <tests/support/guarded.h>

#include <cerrno>
#include <memory>

#include <gtest/gtest.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>

namespace minibgp::fib {
namespace {

using netlink::Message;
using netlink::MessageReader;
using netlink::MessageWriter;

Prefix prefix(const char* text) { return parse_prefix(text).value(); }
IpAddress address(const char* text) { return parse_address(text).value(); }

/// What libnl reads in a message of ours.
std::string by_libnl(Bytes bytes) {
  std::vector<std::uint8_t> copy(bytes.begin(), bytes.end());
  const std::unique_ptr<nl_msg, decltype(&nlmsg_free)> message(nlmsg_convert(reinterpret_cast<nlmsghdr*>(copy.data())),
                                                               &nlmsg_free);
  nlmsg_set_proto(message.get(), NETLINK_ROUTE);
  std::string text;
  const auto on_object = [](nl_object* object, void* argument) {
    auto* const route = reinterpret_cast<rtnl_route*>(object);
    auto& out = *static_cast<std::string*>(argument);
    char buffer[128];
    const auto show = [&](nl_addr* what) { return std::string(nl_addr2str(what, buffer, sizeof buffer)); };
    out = show(rtnl_route_get_dst(route)) + " table " + std::to_string(rtnl_route_get_table(route)) + " proto " +
          std::to_string(rtnl_route_get_protocol(route)) + " metric " + std::to_string(rtnl_route_get_priority(route));
    if (nl_addr* source = rtnl_route_get_pref_src(route)) out += " src " + show(source);
    for (int i = 0; i < rtnl_route_get_nnexthops(route); ++i) {
      rtnl_nexthop* hop = rtnl_route_nexthop_n(route, i);
      out += " [";
      if (nl_addr* gateway = rtnl_route_nh_get_gateway(hop)) out += "via " + show(gateway);
      if (nl_addr* via = rtnl_route_nh_get_via(hop)) out += "via6 " + show(via);
      out += " dev " + std::to_string(rtnl_route_nh_get_ifindex(hop));
      out += " weight " + std::to_string(rtnl_route_nh_get_weight(hop) + 1);
      if ((rtnl_route_nh_get_flags(hop) & RTNH_F_ONLINK) != 0) out += " onlink";
      out += "]";
    }
  };
  if (nl_msg_parse(message.get(), on_object, &text) < 0) return "unreadable";
  return text;
}

struct Case {
  const char* what;
  RouteKey key;
  Forwarding forwarding;
  const char* expected;
};

const Via kFirst{address("169.254.10.1"), IfIndex{7}, 1, false};
const Via kSecond{address("169.254.20.1"), IfIndex{8}, 3, true};
const Via kV6{address("fd00::1"), IfIndex{7}, 1, false};

const Case kCases[] = {
    {"one gateway",
     {prefix("192.168.10.0/24"), 254, 20},
     {{kFirst}, kNoNextHopId, false, {}},
     "192.168.10.0/24 table 254 proto 155 metric 20 [via 169.254.10.1 dev 7 weight 1]"},
    {"preferred source and a table beyond one octet",
     {prefix("10.0.0.0/8"), 1000, 5},
     {{kFirst}, kNoNextHopId, false, address("172.16.20.1")},
     "10.0.0.0/8 table 1000 proto 155 metric 5 src 172.16.20.1 [via 169.254.10.1 dev 7 weight 1]"},
    {"several with weights, one on-link",
     {prefix("192.168.10.0/24"), 254, 20},
     {{kFirst, kSecond}, kNoNextHopId, false, {}},
     "192.168.10.0/24 table 254 proto 155 metric 20 [via 169.254.10.1 dev 7 weight 1]"
     " [via 169.254.20.1 dev 8 weight 3 onlink]"},
    {"IPv6",
     {prefix("2001:db8::/32"), 254, 20},
     {{kV6}, kNoNextHopId, false, {}},
     "2001:db8::/32 table 254 proto 155 metric 20 [via fd00::1 dev 7 weight 1]"},
    {"IPv4 by an IPv6 next hop",
     {prefix("10.0.0.0/8"), 254, 20},
     {{kV6}, kNoNextHopId, false, {}},
     "10.0.0.0/8 table 254 proto 155 metric 20 [via6 fd00::1 dev 7 weight 1]"},
};

TEST(RouteCodec, LibnlReadsWhatWeMean) {
  for (const Case& one : kCases) {
    SCOPED_TRACE(one.what);
    MessageWriter writer;
    netlink::append_route(writer, {RouteOp::Kind::add, 0, {}, one.key, &one.forwarding}, 155, 1);
    EXPECT_EQ(by_libnl(writer.bytes()), one.expected);
  }
}

TEST(RouteCodec, OurReaderReadsWhatWeWrite) {
  for (const Case& one : kCases) {
    SCOPED_TRACE(one.what);
    MessageWriter writer;
    netlink::append_route(writer, {RouteOp::Kind::replace, 0, {}, one.key, &one.forwarding}, 155, 1);
    const auto message = MessageReader(writer.bytes()).next();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->type, RTM_NEWROUTE);
    EXPECT_EQ(message->flags, NLM_F_REQUEST | NLM_F_REPLACE) << "never creates over somebody else's";
    const auto route = netlink::parse_route(message->payload);
    ASSERT_TRUE(route);
    EXPECT_EQ(route->key, one.key);
    EXPECT_EQ(route->protocol, 155);
    Forwarding expected = one.forwarding;
    normalize(expected.vias);
    EXPECT_EQ(route->forwarding, expected);
  }
}

TEST(RouteCodec, ARouteByObjectCarriesItsIdAlone) {
  const Forwarding forwarding{{}, NextHopId{0x62FE0001}, false, {}};
  MessageWriter writer;
  netlink::append_route(writer, {RouteOp::Kind::add, 0, {}, {prefix("10.0.0.0/8"), 254, 20}, &forwarding}, 155, 1);
  const auto route = netlink::parse_route(MessageReader(writer.bytes()).next()->payload);
  ASSERT_TRUE(route);
  EXPECT_EQ(route->forwarding, forwarding);
}

TEST(RouteCodec, ARemovalNamesNoNextHop) {
  MessageWriter writer;
  netlink::append_route(writer, {RouteOp::Kind::remove, 0, {}, {prefix("10.0.0.0/8"), 254, 20}, nullptr}, 155, 1);
  EXPECT_EQ(MessageReader(writer.bytes()).next()->type, RTM_DELROUTE);
  EXPECT_EQ(by_libnl(writer.bytes()), "10.0.0.0/8 table 254 proto 155 metric 20");
}

TEST(NextHopCodec, ObjectsAndGroupsSurviveTheJourney) {
  const KernelNextHop single{NextHopId{5}, 155, kSecond, {}};
  const KernelNextHop direct{NextHopId{6}, 155, {{{}, Family::ipv6}, IfIndex{9}, 1, false}, {}};
  const KernelNextHop group{NextHopId{7}, 155, {}, {{NextHopId{5}, 3}, {NextHopId{6}, 1}}};
  for (KernelNextHop next_hop : {single, direct, group}) {
    MessageWriter writer;
    netlink::append_next_hop(writer, {NextHopOp::Kind::make, next_hop}, 1);
    const auto read = netlink::parse_next_hop(MessageReader(writer.bytes()).next()->payload);
    ASSERT_TRUE(read);
    next_hop.via.weight = 1;  // Shares belong to groups.
    EXPECT_EQ(*read, next_hop);
  }
}

TEST(Codec, EveryCutOfAMessageIsReadWithinItsBounds) {
  const Forwarding forwarding{{kFirst, kSecond}, kNoNextHopId, false, address("172.16.20.1")};
  MessageWriter writer;
  netlink::append_route(writer, {RouteOp::Kind::add, 0, {}, {prefix("10.0.0.0/8"), 1000, 20}, &forwarding}, 155, 1);
  const Bytes payload = writer.bytes().subspan(sizeof(nlmsghdr));
  const auto whole = netlink::parse_route(payload);
  ASSERT_TRUE(whole);
  for (std::size_t length = 0; length <= payload.size(); ++length) {
    // The smallest step too far is a fault of this process.
    const testing::GuardedOctets cut{payload.first(length)};
    const auto read = netlink::parse_route(cut.view());
    (void)netlink::parse_next_hop(cut.view());
    if (length < payload.size())
      EXPECT_FALSE(read && read->forwarding == whole->forwarding) << "cut at " << length;
    else
      EXPECT_TRUE(read);
    std::vector<std::uint8_t> lie(payload.begin(), payload.end());
    if (length < lie.size()) lie[length] = 0xFF;
    const testing::GuardedOctets lying{lie};
    (void)netlink::parse_route(lying.view());
    (void)netlink::parse_next_hop(lying.view());
  }
}

TEST(Answers, TellErrorAndTheKernelsOwnWords) {
  MessageWriter writer;
  nlmsgerr error{};
  error.error = -EINVAL;
  writer.begin(NLMSG_ERROR, NLM_F_CAPPED | NLM_F_ACK_TLVS, 42, error);
  writer.put_text(NLMSGERR_ATTR_MSG, "Nexthop id does not exist");
  writer.end();
  const auto answer = netlink::parse_answer(*MessageReader(writer.bytes()).next());
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->sequence, 42U);
  EXPECT_EQ(answer->error, EINVAL);
  EXPECT_EQ(answer->text, "Nexthop id does not exist");
}

// --- Links and addresses --------------------------------------------------------------------------------------------

/// The only message that was written.
Message only(const MessageWriter& writer) { return *MessageReader(writer.bytes()).next(); }

MessageWriter link_message(std::uint16_t type, std::uint8_t family, unsigned flags) {
  ifinfomsg header{};
  header.ifi_family = family;
  header.ifi_index = 7;
  header.ifi_flags = flags;
  MessageWriter writer;
  writer.begin(type, 0, 1, header);
  writer.put(IFLA_MTU, std::uint32_t{1400});
  writer.put_text(IFLA_IFNAME, "tun0");
  writer.end();
  return writer;
}

TEST(LinkWatch, ALinkIsUpWhenItIsAndItsCarrierIsThere) {
  for (const unsigned flags : {0U, unsigned{IFF_UP}, unsigned{IFF_RUNNING}, unsigned{IFF_UP | IFF_RUNNING}}) {
    const auto event = netlink::parse_link_event(only(link_message(RTM_NEWLINK, AF_UNSPEC, flags)));
    ASSERT_TRUE(event);
    const auto& seen = std::get<LinkEvent>(*event);
    EXPECT_EQ(seen.link, (LinkInfo{IfIndex{7}, "tun0", flags == (IFF_UP | IFF_RUNNING)}));
    EXPECT_FALSE(seen.gone);
  }
  const auto gone = netlink::parse_link_event(only(link_message(RTM_DELLINK, AF_UNSPEC, 0)));
  EXPECT_TRUE(std::get<LinkEvent>(*gone).gone);
  EXPECT_FALSE(netlink::parse_link_event(only(link_message(RTM_NEWLINK, AF_BRIDGE, IFF_UP)))) << "of a bridge's port";
}

TEST(LinkWatch, AnAddressHasAnotherEndOrIsItsOwn) {
  const auto read = [](std::uint8_t family, std::uint8_t length, const std::vector<std::pair<int, IpAddress>>& parts,
                       std::uint32_t flags) {
    ifaddrmsg header{};
    header.ifa_family = family;
    header.ifa_prefixlen = length;
    header.ifa_index = 7;
    MessageWriter writer;
    writer.begin(RTM_NEWADDR, 0, 1, header);
    for (const auto& [type, part] : parts)
      writer.put(static_cast<std::uint16_t>(type), Bytes{part.octets}.first(family == AF_INET ? 4 : 16));
    writer.put(IFA_FLAGS, flags);
    writer.end();
    const auto event = netlink::parse_link_event(only(writer));
    return event ? std::get<AddressEvent>(*event).address : AddressInfo{};
  };
  const IpAddress ours = address("169.254.10.2"), theirs = address("169.254.10.1"), v6 = address("2001:db8::2");
  EXPECT_EQ(read(AF_INET, 30, {{IFA_ADDRESS, ours}, {IFA_LOCAL, ours}}, 0),
            (AddressInfo{IfIndex{7}, ours, ours, 30, false}));
  EXPECT_EQ(read(AF_INET, 32, {{IFA_ADDRESS, theirs}, {IFA_LOCAL, ours}}, 0),
            (AddressInfo{IfIndex{7}, ours, theirs, 32, false}));
  EXPECT_EQ(read(AF_INET6, 64, {{IFA_ADDRESS, v6}}, IFA_F_TENTATIVE), (AddressInfo{IfIndex{7}, v6, v6, 64, true}));
  EXPECT_EQ(read(AF_INET6, 64, {}, 0), AddressInfo{}) << "without an address it is none";
}

TEST(LinkWatch, EveryCutOfAMessageIsReadWithinItsBounds) {
  const MessageWriter writer = link_message(RTM_NEWLINK, AF_UNSPEC, IFF_UP | IFF_RUNNING);
  const Message whole = only(writer);
  for (std::size_t length = 0; length <= whole.payload.size(); ++length) {
    const testing::GuardedOctets cut{whole.payload.first(length)};
    Message shorter = whole;
    shorter.payload = cut.view();
    EXPECT_EQ(netlink::parse_link_event(shorter).has_value(), length >= sizeof(ifinfomsg));
  }
}

}  // namespace
}  // namespace minibgp::fib
