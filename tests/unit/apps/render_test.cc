/// What people read: every view of the same small world, as golden text of at most 80 columns.
#include <apps/bgplite/cli/render.h>
#include <apps/bgplite/cli/table.h>

#include <cstdlib>
#include <ctime>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

namespace bgplite::cli {
namespace {

const Json kPeer = Json::parse(R"({
  "peer": "169.254.10.1", "name": "", "asn": 65535, "local_asn": 65530, "type": "ebgp", "state": "Established",
  "enabled": true, "stale": false, "state_for_s": 7384.5, "since_epoch": 1795420000, "router_id": "169.254.10.1",
  "local_address": "169.254.10.2", "hold_s": 30, "keepalive_s": 10, "families": ["ipv4"],
  "prefixes": {"received": 5, "accepted": 5, "best": 5, "announced": 2},
  "messages": {"received": 742, "sent": 741, "updates_received": 2, "updates_sent": 1}, "attribute_discards": 0,
  "treated_as_withdraw": 1, "established": 1, "dropped": 0, "tunnel": "ipsec0",
  "policy": {"import": "from-vpc", "export": "to-vpc"},
  "configured": {"hold_s": 30, "keepalive_s": 10, "import_limit": 1200000, "export_limit": 50},
  "capabilities": {"four_octet_as": true, "route_refresh": true, "enhanced_refresh": false, "extended_messages": true,
                   "graceful_restart": true, "peer_restart_time_s": 120, "unknown": []},
  "end_of_rib": {"received": ["ipv4"], "sent": ["ipv4"]}})");

Json down_peer() {
  Json peer = kPeer;
  peer["peer"] = "2001:db8:1234:5678:9abc:def0:1234:5678";
  peer["name"] = "a-name-that-somebody-made-far-too-long-for-a-table";
  peer["state"] = "Active";
  peer["asn"] = 4200000001;
  peer["tunnel"] = "another-long-tunnel";
  peer["last_down"] = {{"reason", "hold timer expired"}, {"detail", "no message for 30 s"}};
  peer.erase("capabilities");
  return peer;
}

/// A table never wraps.
void expect_80_columns(const std::string& text) {
  std::istringstream in{text};
  for (std::string line; std::getline(in, line);) EXPECT_LE(line.size(), 80U) << line;
}

TEST(Render, Summary) {
  const Json answer{
      {"router", {{"version", "0.1.0"}, {"asn", 65530}, {"router_id", "169.254.10.2"}, {"uptime_s", 90061}}},
      {"routes", 1},
      {"resident_octets", 7654321},
      {"peers", {kPeer, down_peer()}},
      {"fib",
       {{"installed", 5}, {"table", 254}, {"metric", 20}, {"protocol", 155}, {"synchronized", true}, {"refused", 1}}}};
  const std::string text = render(View::summary, answer, Screen{});
  expect_80_columns(text);
  EXPECT_EQ(text,
            "bgplite 0.1.0, AS 65530, router id 169.254.10.2, up 1d 01h\n"
            "1 prefix, 7.3 MiB of memory\n"
            "kernel: 5 routes (table 254, metric 20, protocol 155): in sync, 1 route refused\n"
            "\n"
            "Peer                    AS  State           For  Rcvd  Acc  Sent  Tunnel\n"
            "169.254.10.1         65535  Established  2h 03m     5    5     2  ipsec0\n"
            "a-name-that-s~  4200000001  Active       2h 03m     5    5     2  another-long-~\n"
            "a-name-that-somebody-made-far-too-long-for-a-table: no message for 30 s\n");
}

TEST(Render, WhyAPeerHasNoSession) {
  Json peer = down_peer();
  peer["name"] = "vpc";
  const auto shown = [&] { return render(View::peers, {{"peers", {peer}}}, Screen{}); };
  peer["last_attempt"] = "no answer from 192.0.2.1 within 5 s";
  EXPECT_NE(shown().find("\nvpc: no answer from 192.0.2.1 within 5 s\n"), std::string::npos) << "the newest reason";
  peer.erase("last_attempt");
  peer["last_down"].erase("detail");
  EXPECT_NE(shown().find("\nvpc: hold timer expired\n"), std::string::npos);
  peer.erase("last_down");
  EXPECT_EQ(shown().find("vpc: "), std::string::npos);
  peer["configured"]["passive"] = true;
  EXPECT_NE(shown().find("\nvpc: waits for the peer to connect (passive)\n"), std::string::npos);
  peer["enabled"] = false;
  EXPECT_EQ(shown().find("vpc:"), std::string::npos) << "the state says it";
}

TEST(Render, IntoAPipeNothingIsCut) {
  const std::string text = render(View::peers, {{"peers", {down_peer()}}}, Screen{false, Screen::kAnyWidth});
  EXPECT_NE(text.find("a-name-that-somebody-made-far-too-long-for-a-table  4200000001"), std::string::npos);
  EXPECT_NE(text.find("another-long-tunnel\n"), std::string::npos);
}

TEST(Table, CountsCharactersAndNotOctets) {
  Table table{{{"Name", Align::left, Fit::cut}, {"N"}}};
  table.add({"Zürich-Köln-Genève", "1"});
  table.add({"plain", "2"});
  EXPECT_EQ(table.to_text(Screen{}), "Name                N\nZürich-Köln-Genève  1\nplain               2\n");
  EXPECT_EQ(table.to_text(Screen{false, 14}), "Name         N\nZürich-Köl~  1\nplain        2\n");
}

TEST(Render, WhatTheKernelHasGoesOnBelowWhenItIsLong) {
  Json status{{"installed", 1},       {"table", 254}, {"metric", 20},     {"protocol", 155},
              {"synchronized", true}, {"refused", 0}, {"adopting", true}, {"adopted", 0}};
  EXPECT_EQ(render(View::fib, {{"status", status}}, Screen{}),
            "kernel: 1 route (table 254, metric 20, protocol 155): in sync\n");
  status["adopted"] = 12, status["refused"] = 3;
  EXPECT_EQ(render(View::fib, {{"status", status}}, Screen{}),
            "kernel: 1 route (table 254, metric 20, protocol 155):\n"
            "        in sync, 3 routes refused, 12 routes kept from before the restart\n");
}

TEST(Render, ColorIsOnlyOnATerminal) {
  const Json answer{{"peers", {kPeer}}};
  EXPECT_EQ(render(View::peers, answer, Screen{}).find('\033'), std::string::npos);
  EXPECT_NE(render(View::peers, answer, Screen{true}).find("\033[32mEstablished"), std::string::npos);
}

TEST(Render, Peer) {
  const std::string text = render(View::peer, {{"peers", {kPeer}}}, Screen{});
  expect_80_columns(text);
  EXPECT_EQ(text,
            "peer 169.254.10.1, AS 65535, ebgp\n"
            "  state             Established for 2h 03m\n"
            "  router id         169.254.10.1\n"
            "  our address       169.254.10.2\n"
            "  tunnel            ipsec0\n"
            "  timers            hold 30s, keepalive 10s (configured 30s, 10s)\n"
            "  families          ipv4\n"
            "  prefixes          5 received, 5 accepted, 5 in use, 2 announced\n"
            "  limits            1200000 in, 50 out\n"
            "  messages          742 received, 741 sent\n"
            "  updates           2 received, 1 sent\n"
            "  errors            1 updates treated as withdraw, 0 attributes discarded\n"
            "  sessions          1 established, 0 dropped\n"
            "  graceful restart  yes, the peer needs 120s at most\n"
            "  capabilities      4-octet AS yes, refresh yes, enhanced refresh no\n"
            "                    extended messages yes\n"
            "  end of RIB        received: ipv4; sent: ipv4\n"
            "  policy            import from-vpc, export to-vpc\n");
}

TEST(Render, APeerSaysThatItIsDrainedAndThatItDrawsTraffic) {
  const Json answer = Json::parse(
      R"({"peers": [{"peer": "192.0.2.2", "asn": 65001, "type": "ebgp", "state": "Established", "state_for_s": 5,
          "drained": "graceful shutdown announced", "return_path_halves": 4}]})");
  const std::string shown = render(View::peer, answer, Screen{});
  EXPECT_NE(shown.find("graceful shutdown announced"), std::string::npos) << shown;
  EXPECT_NE(shown.find("4 halves of our networks draw traffic here"), std::string::npos) << shown;
}

TEST(Render, Routes) {
  const Json best{
      {"peer", "169.254.10.1"}, {"best", true},    {"multipath", true},  {"accepted", true},           {"usable", true},
      {"stale", false},         {"origin", "igp"}, {"as_path", "65535"}, {"next_hop", "169.254.10.1"}, {"med", 10}};
  Json second = best;
  second["best"] = false, second["next_hop"] = "169.254.20.1", second["peer"] = "169.254.20.1", second["stale"] = true;
  Json refused = best;
  refused["accepted"] = false, refused["best"] = false,
  refused["as_path"] = "65535 64500 64501 64502 64503 64504 64505 64506";
  const Json answer{{"routes", {{{"prefix", "192.168.10.0/24"}, {"paths", {best, second, refused}}}}},
                    {"total", 9},
                    {"complete", false}};
  const std::string text = render(View::routes, answer, Screen{});
  expect_80_columns(text);
  EXPECT_EQ(text,
            "* usable, > best, = shares traffic, S kept for a restart, ! unusable, x refused\n"
            "    Prefix           Next hop      From          LPref  MED  AS path\n"
            "*>  192.168.10.0/24  169.254.10.1  169.254.10.1          10  65535 i\n"
            "S=                   169.254.20.1  169.254.20.1          10  65535 i\n"
            "x                    169.254.10.1  169.254.10.1          10  65535 64500 64501 ~\n"
            "the first 1 of 9; all: --limit 0\n");
}

TEST(Render, Fib) {
  const Json answer = Json::parse(R"({
    "status": {"installed": 1, "table": 254, "metric": 20, "protocol": 155, "synchronized": true, "refused": 1},
    "routes": [
      {"prefix": "192.168.10.0/24", "desired": true, "installed": true, "in_sync": true,
       "vias": [{"gateway": "169.254.10.1", "interface": "ipsec0"},
                {"gateway": "169.254.20.1", "interface": "ipsec1", "weight": 2}]},
      {"prefix": "203.0.113.0/24", "desired": true, "installed": false, "in_sync": false, "vias": [],
       "refused": {"reason": "covers an IKE endpoint", "detail": "203.0.113.151", "errno": 0}}],
    "complete": true,
    "next_hops": [{"next_hop": "169.254.10.1", "peer": "169.254.10.1", "usable": true, "gateway": "169.254.10.1",
                   "interface": "ipsec0", "reason": "resolved"}]})");
  const std::string text = render(View::fib, answer, Screen{});
  expect_80_columns(text);
  EXPECT_EQ(text,
            "kernel: 1 route (table 254, metric 20, protocol 155): in sync, 1 route refused\n"
            "\n"
            "Prefix           Way                             State\n"
            "192.168.10.0/24  via 169.254.10.1 dev ipsec0     ok\n"
            "                 via 169.254.20.1 dev ipsec1 w~\n"
            "203.0.113.0/24   -                               refused: covers an IKE endpoint\n"
            "2 routes\n"
            "\n"
            "Next hop      Peer          Usable  Through              Reason\n"
            "169.254.10.1  169.254.10.1  yes     169.254.10.1 ipsec0  resolved\n");
}

TEST(Render, Tunnels) {
  const Json answer = Json::parse(R"({
    "tunnels": [{"tunnel": "ipsec0", "state": "up", "state_for_s": 61, "interface": "ipsec0", "if_id": 42,
                 "inbound": {"sas": 1}, "outbound": {"sas": 1}, "reason": "ready",
                 "probe": {"target": "169.254.10.1", "state": "up", "recent": 64, "recent_lost": 3,
                           "round_trip_ms": {"last": 1.26}}},
                {"tunnel": "ipsec1", "state": "down", "state_for_s": 5, "interface": "ipsec1", "if_id": 43,
                 "inbound": {"sas": 0}, "outbound": {"sas": 0}, "reason": "SA deleted",
                 "ike_failure": {"reason": "authentication failed", "text": "AUTHENTICATION_FAILED"},
                 "probe": {"target": "2001:db8:1234::1", "state": "learning", "recent": 0, "recent_lost": 0,
                           "why_not": "the tunnel is down: SA deleted"}}],
    "failovers": [{"tunnel": "ipsec0", "reason": "no answer to echo probes", "time_ms": 1795420000123,
                   "moved_us": 83, "silent_for_s": 0.312},
                  {"tunnel": "ipsec1", "reason": "SA deleted", "time_ms": 1795420099000, "moved_us": 1200}],
    "charon": "connected", "charon_version": "5.9.8", "warnings": []})");
  const std::string text = render(View::tunnels, answer, Screen{});
  expect_80_columns(text);
  EXPECT_EQ(text,
            "Tunnel  State     For  Interface  if_id  SAs in/out  Reason\n"
            "ipsec0  up     1m 01s  ipsec0        42  1/1         ready\n"
            "ipsec1  down       5s  ipsec1        43  0/0         SA deleted\n"
            "ipsec0: probe of 169.254.10.1: up, 3 of the last 64 lost, 1.3 ms\n"
            "ipsec1: authentication failed: AUTHENTICATION_FAILED\n"
            "ipsec1: no probe of 2001:db8:1234::1: the tunnel is down: SA deleted\n"
            "charon: connected, strongSwan 5.9.8\n"
            "\n"
            "Lost at              Tunnel  Moved in  Because\n"
            "2026-11-23 07:46:40  ipsec0   0.08 ms  no answer to echo probes for 0.31s\n"
            "2026-11-23 07:48:19  ipsec1   1.20 ms  SA deleted\n");
}

TEST(Render, AnnouncedToAPeer) {
  const Json answer = Json::parse(R"({
    "routes": [{"prefix": "172.16.20.0/24", "next_hop": "169.254.10.2", "origin": "igp", "as_path": "65530"},
               {"prefix": "2001:db8:1234:5678::/64", "next_hop": "2001:db8::1", "origin": "incomplete",
                "med": 4294967295, "as_path": "65530 65530 65530", "communities": ["65530:1", "65530:2", "no-export"]}],
    "total": 2, "complete": true})");
  const std::string text = render(View::announced, answer, Screen{});
  expect_80_columns(text);
  EXPECT_EQ(text, R"(Prefix            Next hop             MED  Communities        AS path
172.16.20.0/24    169.254.10.2                                 65530 i
2001:db8:1234:5~  2001:db8::1   4294967295  65530:1 65530:2 ~  65530 65530 6553~
2 routes
)");
}

TEST(Render, Version) {
  const Json answer{{"version", "0.1.0"}, {"process", 812}, {"uptime_s", 90061}, {"reloads", 1}};
  EXPECT_EQ(render(View::version, answer, Screen{}), "bgplite 0.1.0, process 812, up 1d 01h, 1 reload\n");
}

TEST(Render, Memory) {
  const Json answer = Json::parse(R"({"resident_octets": 6647808, "parts": [
    {"part": "rib", "what": "routes", "count": 7, "octets": 336},
    {"part": "fib", "what": "desired routes", "count": 5, "octets": 123456}]})");
  EXPECT_EQ(render(View::memory, answer, Screen{}),
            "Part  What            Count     Memory\n"
            "rib   routes              7      336 B\n"
            "fib   desired routes      5  120.6 KiB\n"
            "resident: 6.3 MiB\n");
}

TEST(Render, Config) {
  const Json answer = Json::parse(R"({"files": ["/etc/bgplite/bgplite.yaml"], "router": {"asn": 65530,
    "router_id": "169.254.10.2", "maximum_paths": 32}, "networks": ["172.16.20.0/24", "172.16.21.0/24"],
    "announced_by_command": ["10.9.0.0/16"], "peers": ["169.254.10.1"], "tunnels": ["ipsec0"],
    "saved": {"announcements": ["10.9.0.0/16"], "peers": {"169.254.20.1": "disabled"}},
    "policies": ["from-vpc", "to-vpc"], "on_exit": "keep"})");
  const std::string text = render(View::config, answer, Screen{});
  expect_80_columns(text);
  EXPECT_EQ(text,
            "configuration from /etc/bgplite/bgplite.yaml\n"
            "  router            AS 65530, 169.254.10.2\n"
            "  maximum paths     32\n"
            "  networks          172.16.20.0/24\n"
            "  networks          172.16.21.0/24\n"
            "  by command        10.9.0.0/16\n"
            "  peers             169.254.10.1\n"
            "  tunnels           ipsec0\n"
            "  policies          from-vpc\n"
            "  policies          to-vpc\n"
            "  saved             10.9.0.0/16\n"
            "  saved             peer 169.254.20.1 disabled\n"
            "  on exit           keep\n");
}

TEST(Render, Policy) {
  const Json answer = Json::parse(R"({"policies": [
    {"policy": "from-vpc", "import": ["169.254.10.1", "169.254.20.1"], "export": []},
    {"policy": "a-policy-that-nobody-uses-and-whose-name-is-far-too-long-for-a-table", "import": [], "export": []},
    {"policy": "to-vpc", "import": [], "export": ["169.254.10.1"]}], "accept_all": ["192.0.2.9"]})");
  const std::string text = render(View::policy, answer, Screen{});
  expect_80_columns(text);
  EXPECT_EQ(text, R"(Policy                                                Import of     Export to
from-vpc                                              169.254.10.1
                                                      169.254.20.1
a-policy-that-nobody-uses-and-whose-name-is-far-too~
to-vpc                                                              169.254.10.1
every route, both ways (accept_all): 192.0.2.9
)");
}

TEST(Render, LogLinesGoOnWhereTheyBegan) {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  const Json answer = Json::parse(R"({"lines": [
    {"time_ms": 1795420000123, "level": "info", "area": "session", "text": "peer 192.0.2.1: session up"},
    {"time_ms": 1795420001000, "level": "warning", "area": "session",
     "text": "peer 192.0.2.1: session down: hold timer expired (no message for 90 s); 1204 routes withdrawn"}]})");
  const std::string text = render(View::log, answer, Screen{});
  expect_80_columns(text);
  EXPECT_EQ(text,
            "2026-11-23 07:46:40 peer 192.0.2.1: session up\n"
            "2026-11-23 07:46:41 warning: peer 192.0.2.1: session down: hold timer expired\n"
            "                    (no message for 90 s); 1204 routes withdrawn\n");
}

TEST(Render, APlanMarksWhatInterrupts) {
  const Json answer = Json::parse(R"({"ok": true, "diagnostics": [], "steps": [
    {"key": "a", "effect": "reset", "text": "peer a: hold 90s -> 30s: the session is reset"},
    {"key": "b", "effect": "live", "text": "network b: announced"}]})");
  EXPECT_EQ(render_plan(answer, Screen{}), "! peer a: hold 90s -> 30s: the session is reset\n  network b: announced\n");
  EXPECT_EQ(render_plan({{"ok", true}, {"steps", Json::array()}}, Screen{}), "nothing would change\n");
}

TEST(ShortDuration, TellsWhatMatters) {
  EXPECT_EQ(short_duration(-1), "0s");
  EXPECT_EQ(short_duration(59.9), "59s");
  EXPECT_EQ(short_duration(61), "1m 01s");
  EXPECT_EQ(short_duration(3600), "1h 00m");
  EXPECT_EQ(short_duration(90000), "1d 01h");
}

}  // namespace
}  // namespace bgplite::cli
