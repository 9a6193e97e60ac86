/// The host's nftables ruleset as doctor reads it: what it drops, what it masquerades, what of it is the daemon's.
#include <apps/bgplite/host/firewall.h>

#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bgplite::host {
namespace {

using ::testing::IsEmpty;

std::string chain(std::string_view table, std::string_view name, std::string_view hook, std::string_view policy) {
  return R"({"chain":{"family":"inet","table":")" + std::string{table} + R"(","name":")" + std::string{name} +
         (hook.empty()
              ? std::string{"\"}}"}
              : R"(","hook":")" + std::string{hook} + R"(","prio":0,"policy":")" + std::string{policy} + "\"}}");
}
std::string rule(std::string_view table, std::string_view name, std::string_view expr) {
  return R"({"rule":{"family":"inet","table":")" + std::string{table} + R"(","chain":")" + std::string{name} +
         R"(","expr":)" + std::string{expr} + "}}";
}
std::vector<FirewallDrop::What> dropped(const std::vector<std::string>& objects) {
  std::string json = R"({"nftables":[)";
  for (const std::string& object : objects) json += (json.back() == '[' ? "" : ",") + object;
  const FirewallFacts facts = read_firewall(json + "]}", {"ipsec0"}, "eth0");
  EXPECT_TRUE(facts.readable);
  std::vector<FirewallDrop::What> what;
  for (const FirewallDrop& it : facts.drops) what.push_back(it.what);
  return what;
}
constexpr auto kPorts = R"([{"match":{"op":"==","left":{"payload":{"protocol":"udp","field":"dport"}},"right":)"
                        R"({"set":[500,4500]}}},{"accept":null}])";
constexpr auto kEsp = R"([{"match":{"op":"==","left":{"meta":{"key":"l4proto"}},"right":"esp"}},{"accept":null}])";
constexpr auto kReplies = R"([{"match":{"op":"in","left":{"ct":{"key":"state"}},"right":["established","related"]}},)"
                          R"({"accept":null}])";
using What = FirewallDrop::What;

TEST(Firewall, AnOpenOneDropsNothing) {
  EXPECT_THAT(dropped({}), IsEmpty());
  EXPECT_THAT(dropped({chain("filter", "input", "input", "accept")}), IsEmpty());
}

TEST(Firewall, APolicyOfDropDropsWhatNoRuleLetsIn) {
  const std::string base = chain("filter", "input", "input", "drop");
  EXPECT_THAT(dropped({base, rule("filter", "input", kReplies)}),
              ::testing::ElementsAre(What::ike, What::nat_t, What::esp));
  EXPECT_THAT(dropped({base, rule("filter", "input", kPorts)}), ::testing::ElementsAre(What::esp));
  EXPECT_THAT(dropped({base, rule("filter", "input", kPorts), rule("filter", "input", kEsp)}), IsEmpty());
}

TEST(Firewall, AnAcceptInOneTableDoesNotHelpAgainstAnother) {
  EXPECT_THAT(dropped({chain("ours", "input", "input", "accept"), rule("ours", "input", kPorts),
                       rule("ours", "input", kEsp), chain("filter", "input", "input", "drop")}),
              ::testing::ElementsAre(What::ike, What::nat_t, What::esp));
}

TEST(Firewall, FollowsJumps) {
  EXPECT_THAT(dropped({chain("filter", "input", "input", "accept"), chain("filter", "wan", "", ""),
                       rule("filter", "input", R"([{"jump":{"target":"wan"}}])"), rule("filter", "wan", kPorts),
                       rule("filter", "wan", R"([{"drop":null}])")}),
              ::testing::ElementsAre(What::esp));
}

TEST(Firewall, SeesADropOfForwardedPackets) {
  EXPECT_THAT(dropped({chain("filter", "forward", "forward", "drop")}), ::testing::ElementsAre(What::forward));
  EXPECT_THAT(
      dropped({chain("filter", "forward", "forward", "drop"),
               rule("filter", "forward",
                    R"([{"match":{"op":"==","left":{"meta":{"key":"oifname"}},"right":"ipsec*"}},{"accept":null}])")}),
      IsEmpty());
}

std::vector<std::string> masqueraded(const std::string& expr) {
  const std::string base = R"({"chain":{"family":"ip","table":"nat","name":"post","type":"nat",)"
                           R"("hook":"postrouting","prio":100,"policy":"accept"}})";
  const std::string one = R"({"rule":{"family":"ip","table":"nat","chain":"post","expr":)" + expr + "}}";
  std::vector<std::string> found;
  for (const Masquerade& it :
       read_firewall(R"({"nftables":[)" + base + "," + one + "]}", {"ipsec0"}, "eth0").masquerades)
    found.push_back(it.interface + " by " + it.family + " " + it.table + " " + it.chain);
  return found;
}

TEST(Firewall, SeesAMasqueradeOfWhatGoesIntoATunnel) {
  const auto out = [](const char* interface) {
    return std::string(R"([{"match":{"op":"==","left":{"meta":{"key":"oifname"}},"right":")") + interface + R"("}},)";
  };
  const std::vector<std::string> found{"ipsec0 by ip nat post"};
  EXPECT_EQ(masqueraded(R"([{"masquerade":null}])"), found);
  EXPECT_EQ(masqueraded(out("ipsec*") + R"({"snat":{"addr":"192.0.2.1"}}])"), found);
  EXPECT_EQ(masqueraded(R"([{"xt":{"type":"target","name":"MASQUERADE"}}])"), found) << "of iptables";
  EXPECT_THAT(masqueraded(out("eth0") + R"({"masquerade":null}])"), IsEmpty());
  EXPECT_THAT(masqueraded(out("ipsec0") + R"({"accept":null},{"masquerade":null}])"), IsEmpty());
}

TEST(Firewall, RulesOfOursAreCountedAndOthersInOurTableAreNamed) {
  const std::string chain = R"("family": "inet", "table": "bgplite", "chain": "mss_forward")";
  const OwnRules rules = read_own_rules(
      R"({"nftables": [{"metainfo": {}},
          {"rule": {)" +
          chain + R"(, "handle": 3, "expr": [{"mangle": {"key": {"tcp option": {"name": "maxseg"}}}}]}},
          {"rule": {)" +
          chain + R"(, "handle": 4, "expr": [{"accept": null}]}},
          {"rule": {"family": "inet", "table": "filter", "chain": "input", "comment": "bgplite", "expr": []}},
          {"rule": {"family": "inet", "table": "filter", "chain": "input", "expr": []}}]})",
      "inet filter input");
  EXPECT_EQ(rules.clamps, 1U);
  EXPECT_EQ(rules.doors, 1U);
  EXPECT_THAT(rules.foreign, ::testing::ElementsAre("inet bgplite mss_forward handle 4"));
}

TEST(Firewall, WhatIsNotAsNftWritesItIsPassedOver) {
  for (const char* ruleset :
       {"", "Operation not permitted (you must be root)", "null", "[]", "7", "{}", R"({"nftables": 1})",
        R"({"nftables": [null, 1, "x", [], {"chain": 1}, {"rule": "x"}, {"rule": {"family": 1, "table": []}}]})",
        R"({"nftables": [
            {"chain": {"family": "inet", "table": "t", "name": "c", "hook": "input", "type": 1, "prio": "x"}},
            {"rule": {"family": "inet", "table": "t", "chain": "c", "expr": 7}},
            {"rule": {"family": "inet", "table": "t", "chain": "c", "expr": [7, {"match": 7}]}},
            {"rule": {"family": "inet", "table": "t", "chain": "c", "expr": [{"match": {"left": 7, "op": 7}}]}},
            {"rule": {"family": "inet", "table": "t", "chain": "c", "expr": [{"match": {"left": {"meta": 7}}}]}},
            {"rule": {"family": "inet", "table": "t", "chain": "c", "expr": [{"jump": 7}, {"xt": 7}]}},
            {"rule": {"family": "inet", "table": "bgplite", "chain": "c", "handle": "x"}}]})"}) {
    SCOPED_TRACE(ruleset);
    EXPECT_THAT(read_firewall(ruleset, {"ipsec0"}, "eth0").drops, IsEmpty());
    EXPECT_EQ(read_own_rules(ruleset, "inet filter input").doors, 0U);
  }
}

TEST(Firewall, WhatIsNotJsonIsNotReadable) { EXPECT_FALSE(read_firewall("nft: not found", {}, "").readable); }

}  // namespace
}  // namespace bgplite::host
