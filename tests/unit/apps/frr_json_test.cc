/// Keys and types of FRR 8.4's JSON, as `vtysh -c "show bgp summary json"` and its kin printed them.
#include <apps/bgplite/cli/frr_json.h>

#include <gtest/gtest.h>

namespace bgplite::cli {
namespace {

const Json kAnswer = Json::parse(R"({
  "router": {"asn": 65002, "router_id": "192.0.2.2"}, "routes": 4, "resident_octets": 8000000,
  "peers": [
    {"peer": "192.0.2.1", "name": "hello", "asn": 65001, "local_asn": 65002, "type": "ebgp",
     "state": "Established", "enabled": true, "state_for_s": 3.7, "since_epoch": 1795429628, "router_id": "192.0.2.1",
     "local_address": "192.0.2.2", "hold_s": 90, "keepalive_s": 30, "families": ["ipv4"],
     "prefixes": {"received": 2, "accepted": 2, "announced": 4},
     "messages": {"received": 4, "sent": 5, "updates_received": 2, "updates_sent": 3}, "established": 1, "dropped": 0,
     "capabilities": {"four_octet_as": true, "route_refresh": true, "graceful_restart": true,
       "peer_restart_time_s": 120}, "end_of_rib": {"received": ["ipv4"], "sent": ["ipv4"]},
     "configured": {"hold_s": 180, "keepalive_s": 60}},
    {"peer": "192.0.2.77", "name": "", "asn": 65007, "local_asn": 65002, "type": "ebgp", "state": "Idle",
     "enabled": false, "state_for_s": 90.0, "families": [], "established": 0, "dropped": 0,
     "configured": {"families": ["ipv4"]}}]})");

TEST(FrrJson, SummaryHasWhatExportersRead) {
  const Json all = frr_summary(kAnswer);
  ASSERT_TRUE(all.contains("ipv4Unicast"));
  EXPECT_FALSE(all.contains("ipv6Unicast")) << "no peer carries it";
  const Json& family = all["ipv4Unicast"];
  EXPECT_EQ(family["routerId"], "192.0.2.2");
  EXPECT_EQ(family["as"], 65002);
  EXPECT_EQ(family["vrfName"], "default");
  EXPECT_EQ(family["ribCount"], 4);
  EXPECT_EQ(family["failedPeers"], 1);
  EXPECT_EQ(family["totalPeers"], 2);
  const Json& up = family["peers"]["192.0.2.1"];
  EXPECT_EQ(
      up.dump(),
      R"({"remoteAs":65001,"localAs":65002,"version":4,"msgRcvd":4,"msgSent":5,"tableVersion":0,"outq":0,"inq":0,)"
      R"("peerUptime":"00:00:03","peerUptimeMsec":3000,"peerUptimeEstablishedEpoch":1795429628,"pfxRcd":2,"pfxSnt":4,)"
      R"("state":"Established","peerState":"OK","connectionsEstablished":1,"connectionsDropped":0,"desc":"hello",)"
      R"("idType":"ipv4"})");
  const Json& down = family["peers"]["192.0.2.77"];
  EXPECT_EQ(down["state"], "Idle (Admin)");
  EXPECT_EQ(down["peerState"], "Admin");
  EXPECT_EQ(down["peerUptime"], "never");
  EXPECT_EQ(down["peerUptimeMsec"], 0);
  EXPECT_FALSE(down.contains("peerUptimeEstablishedEpoch"));
}

TEST(FrrJson, NeighborHasFrrsUnits) {
  const Json neighbor = frr_neighbors(kAnswer)["192.0.2.1"];
  EXPECT_EQ(neighbor["bgpState"], "Established");
  EXPECT_EQ(neighbor["nbrExternalLink"], true);
  EXPECT_EQ(neighbor["bgpTimerUpMsec"], 3700);
  EXPECT_EQ(neighbor["bgpTimerHoldTimeMsecs"], 90000);
  EXPECT_EQ(neighbor["bgpTimerConfiguredHoldTimeMsecs"], 180000);
  EXPECT_EQ(neighbor["gracefulRestartInfo"]["endOfRibRecv"]["ipv4Unicast"], true);
  EXPECT_EQ(neighbor["addressFamilyInfo"]["ipv4Unicast"]["acceptedPrefixCounter"], 2);
  EXPECT_EQ(neighbor["messageStats"]["totalRecv"], 4);
  EXPECT_EQ(frr_neighbors(kAnswer)["192.0.2.77"]["adminShutDown"], true);
}

TEST(FrrJson, RoutesHaveFrrsPathKeys) {
  const Json routes = Json::parse(R"({"routes": [{"prefix": "10.1.0.0/16", "paths": [
    {"peer": "192.0.2.1", "best": true, "multipath": true, "usable": true, "rule": "only-path", "origin": "igp",
     "as_path": "65001", "next_hop": "192.0.2.1", "med": 7, "local_pref": 100}]}]})");
  EXPECT_EQ(frr_routes(routes, kAnswer["router"])["routes"]["10.1.0.0/16"][0].dump(),
            R"({"valid":true,"bestpath":true,"selectionReason":"only-path","pathFrom":"external","prefix":"10.1.0.0",)"
            R"("prefixLen":16,"network":"10.1.0.0/16","metric":7,"locPrf":100,"weight":0,"peerId":"192.0.2.1",)"
            R"("path":"65001","origin":"IGP","nexthops":[{"ip":"192.0.2.1","afi":"ipv4","used":true}]})");
  EXPECT_EQ(frr_route(routes)["paths"][0]["bestpath"]["overall"], true);
}

}  // namespace
}  // namespace bgplite::cli
