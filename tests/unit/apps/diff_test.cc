#include <apps/bgplite/config/diff.h>
#include <apps/bgplite/config/yaml.h>

#include <string>

#include <gtest/gtest.h>

namespace bgplite {
namespace {

constexpr const char* kBase =
    "router: { asn: 65530, router_id: 192.0.2.1 }\n"
    "networks: [10.0.0.0/8]\n"
    "policies: { p: [ { accept: true } ] }\n"
    "tunnels: { t0: { if_id: 1 }, t1: { if_id: 2 } }\n"
    "peers: { 192.0.2.2: { asn: 65001, import: p, export: p }, 192.0.2.3: { asn: 65001, accept_all: true } }\n";

Config read(const std::string& text) {
  const Loaded loaded = load_config("a.yaml", {[&](const std::string&, std::string&) { return std::optional{text}; },
                                               [](const std::string&) { return std::vector<std::string>{}; }});
  EXPECT_FALSE(loaded.diagnostics.has_errors()) << loaded.diagnostics.to_text();
  return loaded.config;
}

std::string changed(std::string from, const std::string& to) {
  std::string text = kBase;
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

/// "TEXT [effect]" of each step.
std::vector<std::string> steps(const std::string& wanted, const std::string& running = kBase) {
  std::vector<std::string> lines;
  for (const Step& step : diff(read(running), read(wanted)))
    lines.push_back(step.text + " [" + to_text(step.effect) + "]");
  return lines;
}

using Lines = std::vector<std::string>;

TEST(Diff, TheSameFileReadTwiceChangesNothing) { EXPECT_EQ(steps(kBase), Lines{}); }

TEST(Diff, ANewHoldTimeResetsThatPeerAndNoOther) {
  EXPECT_EQ(steps(changed("192.0.2.3: { asn: 65001,", "192.0.2.3: { asn: 65001, timers: { hold: 30s },")),
            (Lines{"peer 192.0.2.3: hold 90s -> 30s: the session is reset [reset]"}));
}

TEST(Diff, ALimitDoesNotResetTheSession) {
  EXPECT_EQ(steps(changed("192.0.2.3: { asn: 65001,", "192.0.2.3: { asn: 65001, import_limit: { max: 10 },")),
            (Lines{"peer 192.0.2.3: import_limit [nothing is interrupted]"}));
}

TEST(Diff, AChangedPolicyIsDefinedFirstAndRefreshesItsPeersOnly) {
  EXPECT_EQ(steps(changed("p: [ { accept: true } ]", "p: [ { match: { prefix: 10.0.0.0/8 }, accept: true } ]")),
            (Lines{"policy p: changed [nothing is interrupted]",
                   "peer 192.0.2.2: its policy changed: routes are judged again [refresh]"}));
}

TEST(Diff, ARemovedPeerEndsItsSessionAndATunnelLeavesTheOtherAlone) {
  EXPECT_EQ(steps(changed(", 192.0.2.3: { asn: 65001, accept_all: true }", "")),
            (Lines{"peer 192.0.2.3: removed: its session ends [reset]"}));
  EXPECT_EQ(steps(changed("t1: { if_id: 2 }", "t1: { if_id: 3 }")),
            (Lines{"tunnel t1: changed: it is set up anew [tunnel]"}));
}

TEST(Diff, WhatIsNotAnnouncedAnyMoreLosesItsTraffic) {
  EXPECT_EQ(
      steps(changed("[10.0.0.0/8]", "[172.16.0.0/12]")),
      (Lines{"network 10.0.0.0/8: withdrawn [leave]", "network 172.16.0.0/12: announced [nothing is interrupted]"}));
}

TEST(Diff, AStaticRouteThatIsGoneLosesItsTraffic) {
  const std::string two =
      "static_routes: [{ prefix: 10.1.0.0/16, via: { tunnel: t1 } }, "
      "{ prefix: 10.2.0.0/16, via: { tunnel: t1 } }]\n";
  const std::string one = "static_routes: [{ prefix: 10.1.0.0/16, via: { tunnel: t1 } }]\n";
  EXPECT_EQ(steps(kBase + two, kBase + one), (Lines{"static routes: changed [nothing is interrupted]"}));
  EXPECT_EQ(steps(kBase + one, kBase + two), (Lines{"static routes: removed: 10.2.0.0/16 [leave]"}));
}

TEST(Diff, WhatIsFixedAtTheStartSaysSo) {
  EXPECT_EQ(
      steps(std::string{kBase} + "listen: { port: 1179 }\nfib: { enabled: false }\n"),
      (Lines{"fib: takes effect with the next start [restart]", "listen: takes effect with the next start [restart]"}));
}

TEST(Diff, ANewAsResetsEverySession) {
  EXPECT_EQ(steps(changed("asn: 65530", "asn: 65531")),
            (Lines{"router: asn or router_id changed: every session is reset [reset]"}));
}

}  // namespace
}  // namespace bgplite
