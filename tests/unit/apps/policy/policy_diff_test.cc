/// Golden tests of `bgplite policy diff`: both directions, what the table lacks, and wrong input.
#include <tests/unit/apps/policy/run_verb.h>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace bgplite::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string changed_gateway() {
  std::string text = kGateway;
  text.replace(text.find("192.168.0.0/16 le 24"), 20, "192.168.0.0/16 le 25");
  text.replace(text.find("local_pref: 200"), 15, "local_pref: 300");
  text.replace(text.find("own_prefix: true }, reject"), 26, "med: 9 }, reject");
  return write_file("new.yaml", text);
}

const char* const kRoutes =
    "# a list\n"
    "192.168.10.0/24 as_path=65535,1 med=1\n"
    "192.168.10.0/25 community=65001:1,no-export\n"
    "192.168.11.0/24 med=9\n"
    "10.0.0.0/8 as_path={1,2}\n";

TEST(PolicyDiff, ListsEveryRouteWhoseFateOrAttributesChange) {
  const std::string list = write_file("rib.txt", kRoutes);
  const Ran ran = run_verb({"policy", "diff", gateway(), changed_gateway(), "--rib", list, "--policy", "in"});
  EXPECT_EQ(ran.exit, 0) << ran.err;
  EXPECT_EQ(
      ran.out,
      "changed  192.168.10.0/24\n"
      "  old: accepted by in / vpc (gw.yaml:10:7)\n"
      "  new: accepted by in / vpc (new.yaml:10:7)\n"
      "  local_pref: 200 -> 300\n"
      "now accepted  192.168.10.0/25\n"
      "  old: rejected by in / default (gw.yaml:8:3)\n"
      "  new: accepted by in / vpc (new.yaml:10:7)\n"
      "now rejected  192.168.11.0/24\n"
      "  old: accepted by in / vpc (gw.yaml:10:7)\n"
      "  new: rejected by in / own (new.yaml:9:7)\n"
      "summary:\n"
      "  1  changed local_pref  accepted by in / vpc (gw.yaml:10:7) -> accepted by in / vpc (new.yaml:10:7)  (first: "
      "192.168.10.0/24)\n"
      "  1  now accepted  rejected by in / default (gw.yaml:8:3) -> accepted by in / vpc (new.yaml:10:7)  (first: "
      "192.168.10.0/25)\n"
      "  1  now rejected  accepted by in / vpc (gw.yaml:10:7) -> rejected by in / own (new.yaml:9:7)  (first: "
      "192.168.11.0/24)\n"
      "4 routes: 1 now accepted, 1 now rejected, 1 with changed attributes, 1 the same (0 accepted, 1 rejected)\n");
  EXPECT_EQ(
      run_verb({"policy", "diff", gateway(), changed_gateway(), "--rib", list, "--policy", "in", "--fail-on-change"})
          .exit,
      1);
  EXPECT_EQ(
      run_verb({"policy", "diff", gateway(), gateway(), "--rib", list, "--policy", "in", "--fail-on-change"}).exit, 0);
}

TEST(PolicyDiff, ReadsWhatShowRoutesPrints) {
  const std::string json = write_file("rib.json", R"([
    {"prefix": "192.168.10.0/25", "paths": [{"peer": "cloud", "best": true, "origin": "igp", "as_path": "65535",
     "next_hop": "192.0.2.2", "communities": ["65001:1"], "rule": "only path"}]},
    {"prefix": "192.168.12.0/24", "peer": "192.0.2.9", "as_path": "1"}])");
  const Ran ran = run_verb({"policy", "diff", gateway(), changed_gateway(), "--rib", json, "--json"});
  ASSERT_EQ(ran.exit, 0) << ran.err;
  const auto parsed = nlohmann::json::parse(ran.out);
  EXPECT_EQ(parsed["routes"], 2);
  EXPECT_EQ(parsed["without_peer"], 1);
  EXPECT_EQ(parsed["now_accepted"], 1);
  EXPECT_EQ(parsed["differences"][0]["prefix"], "192.168.10.0/25");
}

TEST(PolicyDiff, ACutListSaysHowMuchWasCutAndTheSummaryCountsAll) {
  std::string routes;
  for (int i = 0; i < 40; ++i) routes += "192.168." + std::to_string(i) + ".0/24 med=" + std::to_string(i % 10) + "\n";
  const std::string list = write_file("rib.txt", routes);
  const std::vector<std::string> words{"policy", "diff",     gateway(), changed_gateway(), "--rib",
                                       list,     "--policy", "in",      "--max",           "3"};
  const Ran ran = run_verb(words);
  EXPECT_THAT(ran.out,
              HasSubstr("37 of 40 differences are not listed (--max 3)\nsummary:\n  36  changed local_pref  "));
  EXPECT_THAT(ran.out, HasSubstr("\n  4  now rejected  accepted by in / vpc (gw.yaml:10:7) -> rejected by in / own "
                                 "(new.yaml:9:7)  (first: 192.168.9.0/24)\n"));
  std::vector<std::string> as_json = words;
  as_json.emplace_back("--json");
  const auto json = nlohmann::json::parse(run_verb(as_json).out);
  EXPECT_EQ(json["not_listed"], 37);
  EXPECT_EQ(json["summary"][0]["count"], 36);
  EXPECT_EQ(json["summary"][0]["attributes"], "local_pref");
}

TEST(PolicyDiff, NamesThePeerInTheSummary) {
  const std::string list = write_file("rib.txt", "192.168.10.0/25 peer=cloud\n10.0.0.0/8 peer=192.0.2.3\n");
  const Ran ran = run_verb({"policy", "diff", gateway(), changed_gateway(), "--rib", list});
  EXPECT_THAT(ran.out, HasSubstr("now accepted  192.168.10.0/25  from cloud\n"));
  EXPECT_THAT(ran.out, HasSubstr("  1  now accepted  from cloud  rejected by in / default (gw.yaml:8:3) -> "));
}

// --- export ----------------------------------------------------------------------------------------------------------

/// Two external peers and two internal ones. `to_b` decides what B gets.
std::string four_peers(const std::string& file, const std::string& to_b) {
  return write_file(file, R"(router: { asn: 65530, router_id: 192.0.2.1 }
networks: [172.16.20.0/24]
peers:
  192.0.2.2: { name: a, asn: 65001, import: all, export: all }
  192.0.2.3: { name: b, asn: 65002, import: all, export: to-b }
  192.0.2.4: { name: c, asn: 65530 }
  192.0.2.5: { name: d, asn: 65530 }
policies:
  all: [ { accept: true } ]
  to-b: [ )" + to_b + " ]\n");
}

TEST(PolicyDiff, ExportGoesToThePeersItIsAdvertisedToAndNeverBack) {
  const std::string before = four_peers("four.yaml", "{ accept: true }");
  const std::string after = four_peers("four-new.yaml", "{ name: less, match: { prefix: 10.1.0.0/16 }, accept: true }");
  const std::string list =
      write_file("rib.txt", "10.1.0.0/16 peer=a as_path=65001\n10.2.0.0/16 peer=a as_path=65001\n");
  const Ran ran =
      run_verb({"policy", "diff", before, after, "--rib", list, "--direction", "export", "--fail-on-change"});
  EXPECT_EQ(ran.exit, 1) << ran.out;
  EXPECT_THAT(ran.out, HasSubstr("now rejected  10.2.0.0/16  to b\n"
                                 "  old: accepted by to-b / term 1 (four.yaml:10:11)\n"
                                 "  new: rejected by to-b / default (four-new.yaml:10:3)\n"));
  // To b, c and d: never back to a.
  EXPECT_THAT(ran.out,
              HasSubstr("2 routes to 4 peers: 0 now accepted, 1 now rejected, 0 with changed attributes, 5 the "
                        "same (5 accepted, 0 rejected)\n2 were left out: not advertised"));
}

TEST(PolicyDiff, ExportOfWhatBSentIsNotJudgedByBsPolicy) {
  const std::string before = four_peers("four.yaml", "{ accept: true }");
  const std::string after = four_peers("four-new.yaml", "{ reject: true }");
  const std::string list = write_file("rib.txt", "10.1.0.0/16 peer=b as_path=65002\n");
  for (const auto& words : {std::vector<std::string>{}, std::vector<std::string>{"--peer", "b"}}) {
    std::vector<std::string> all{"policy", "diff", before, after, "--rib", list, "--direction", "export"};
    all.insert(all.end(), words.begin(), words.end());
    const Ran ran = run_verb(all);
    EXPECT_THAT(ran.out, HasSubstr(": 0 now accepted, 0 now rejected, 0 with changed attributes")) << ran.err;
    EXPECT_THAT(ran.out, HasSubstr("1 were left out: not advertised to the peer they came from"));
  }
}

TEST(PolicyDiff, ExportFromOneInternalPeerDoesNotGoToTheOther) {
  const std::string before = four_peers("four.yaml", "{ accept: true }");
  const std::string list = write_file("rib.txt", "10.1.0.0/16 peer=c\n172.16.20.0/24 peer=local\n");
  const Ran ran = run_verb({"policy", "diff", before, before, "--rib", list, "--direction", "export"});
  // 10.1/16 to a and b; our own network to all four.
  EXPECT_THAT(ran.out, HasSubstr("6 the same (6 accepted, 0 rejected)\n2 were left out"));
}

TEST(PolicyDiff, APeerOfOneVersionOnlyIsAChange) {
  std::string text = kGateway;
  text.erase(text.find("  192.0.2.3:"), text.find("  192.0.2.4:") - text.find("  192.0.2.3:"));
  const std::string without = write_file("without.yaml", text);
  const std::string list = write_file("rib.txt", "10.0.0.0/8 peer=192.0.2.3\n");
  const Ran ran = run_verb({"policy", "diff", gateway(), without, "--rib", list, "--fail-on-change"});
  EXPECT_EQ(ran.exit, 1);
  EXPECT_THAT(ran.out, HasSubstr("now rejected  10.0.0.0/8  from 192.0.2.3\n"
                                 "  old: accepted by accept_all\n  new: no such peer\n"));
  EXPECT_EQ(run_verb({"policy", "diff", gateway(), without, "--rib", list, "--peer", "192.0.2.3"}).exit, 0);
}

// --- What the table lacks
// ----------------------------------------------------------------------------------------------

Ran unchanged_by(const std::string& table, std::vector<std::string> more = {}) {
  std::vector<std::string> words{"policy", "diff", gateway(), gateway(), "--rib", write_file("table.json", table)};
  words.insert(words.end(), more.begin(), more.end());
  return run_verb(words);
}

TEST(PolicyDiff, ACutTableIsNotCalledUnchanged) {
  const std::string routes =
      R"("total": 3, "routes": [{"prefix": "10.1.0.0/16", "paths": [{"peer": "cloud", "best": true}]}])";
  EXPECT_EQ(unchanged_by(R"({"complete": true, )" + routes + "}").exit, 0);
  const Ran ran = unchanged_by(R"({"complete": false, )" + routes + "}");
  EXPECT_EQ(ran.exit, 2);
  EXPECT_THAT(ran.out, HasSubstr("not the whole table: \"complete\": false: the dump was cut; take it with --limit 0"));
  const auto json = nlohmann::json::parse(unchanged_by(R"({"complete": false, )" + routes + "}", {"--json"}).out);
  EXPECT_EQ(json["incomplete"].size(), 1U);
}

TEST(PolicyDiff, ATableWithoutRefusedRoutesIsNotCalledUnchanged) {
  const auto table = [](const std::string& shown) {
    return R"({"shown": ")" + shown + R"(", "complete": true, "routes": [{"prefix": "10.1.0.0/16", "paths": [
      {"peer": "cloud", "best": true}, {"peer": "192.0.2.3", "best": false}]}]})";
  };
  EXPECT_EQ(unchanged_by(table("received")).exit, 0);
  const Ran accepted = unchanged_by(table("accepted"));
  EXPECT_EQ(accepted.exit, 2);
  EXPECT_THAT(accepted.out, HasSubstr("import policies see the received ones: show routes in PEER"));
  EXPECT_EQ(unchanged_by(table("advertised")).exit, 2);
  EXPECT_EQ(unchanged_by(table("refused")).exit, 2);
  const std::vector<std::string> out{"--direction", "export"};
  EXPECT_EQ(unchanged_by(table("accepted"), out).exit, 0);
  EXPECT_EQ(unchanged_by(table("received"), out).exit, 2);
  // One of the two paths is best, and only that is advertised, to two peers.
  EXPECT_THAT(unchanged_by(table("accepted"), out).out, HasSubstr("1 routes to 3 peers:"));
}

TEST(PolicyDiff, ExportPoliciesSeeWhatImportPoliciesLeft) {
  const std::string table = R"([{"prefix": "10.1.0.0/16", "paths": [{"peer": "a", "best": true, "med": 9,
    "received": {"med": 5}}]}])";
  const std::string before = four_peers("four.yaml", "{ match: { med: 5 }, accept: true }");
  const std::string after = four_peers("four-new.yaml", "{ match: { med: 9 }, accept: true }");
  const Ran ran = run_verb({"policy", "diff", before, after, "--rib", write_file("rib.json", table), "--peer", "b",
                            "--direction", "export"});
  EXPECT_THAT(ran.out, HasSubstr("1 now accepted, 0 now rejected")) << ran.err;
}

TEST(PolicyDiff, WhatWasNotComparedIsNotCalledUnchanged) {
  const std::vector<std::string> strict{"--fail-on-change"};
  EXPECT_EQ(unchanged_by("10.1.0.0/16 peer=cloud\n", strict).exit, 0);
  EXPECT_EQ(unchanged_by("10.1.0.0/16 peer=cloud\n10.2.0.0/16 peer=nobody\n", strict).exit, 2);
  EXPECT_EQ(unchanged_by("10.1.0.0/16 peer=cloud\n10.2.0.0/16 med=x\n", strict).exit, 2);
  EXPECT_EQ(unchanged_by("# nothing\n").exit, 2);
}

TEST(PolicyDiff, SeveralFilesAreOneTable) {
  const std::string one = write_file("one.txt", "10.1.0.0/16\n");
  const std::string two = write_file("two.txt", "10.2.0.0/16\n10.3.0.0/16\n");
  const Ran ran = run_verb({"policy", "diff", "--rib", one, "--rib", two, gateway(), gateway(), "--policy", "in"});
  EXPECT_EQ(ran.exit, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("3 routes: 0 now accepted"));
}

TEST(PolicyDiff, OwnWithoutARouterIsAMistake) {
  const std::string alone =
      write_file("own.yaml", "policies: { p: [ { then: { replace: { asn: private, with: own } }, accept: true } ] }\n");
  const std::string list = write_file("rib.txt", "10.1.0.0/16\n");
  const Ran ran = run_verb({"policy", "diff", alone, alone, "--rib", list, "--policy", "p"});
  EXPECT_EQ(ran.exit, 2);
  EXPECT_THAT(ran.err, HasSubstr("own.yaml:1:"));
  EXPECT_THAT(ran.err, HasSubstr("our own AS is not known"));
}

TEST(PolicyDiff, WrongInput) {
  const std::string list = write_file("rib.txt", "10.0.0.0/8 med=x\nnonsense\n192.168.10.0/24\n");
  const Ran ran = run_verb({"policy", "diff", gateway(), gateway(), "--rib", list, "--policy", "in"});
  EXPECT_EQ(ran.exit, 0);
  EXPECT_EQ(ran.err,
            "rib.txt: line 1: med must be a number or none, not 'x'\n"
            "rib.txt: line 2: prefix must be a prefix, not 'nonsense'\n");
  EXPECT_THAT(ran.out, HasSubstr("1 routes: 0 now accepted"));
  EXPECT_EQ(run_verb({"policy", "diff", gateway(), gateway(), "--rib", "/nonexistent", "--policy", "in"}).exit, 3);
  EXPECT_EQ(run_verb({"policy", "diff", gateway(), gateway(), "--rib", list, "--policy", "inn"}).exit, 2);
  const std::string garbage = write_file("garbage", std::string("\x01\x00\x02", 3));
  EXPECT_EQ(run_verb({"policy", "diff", gateway(), gateway(), "--rib", garbage, "--policy", "in"}).exit, 2);
  const std::string truncated = write_file("t.gz", "\x1f\x8b\x08\x01");
  EXPECT_EQ(run_verb({"policy", "diff", gateway(), gateway(), "--rib", truncated, "--policy", "in"}).exit, 3);
}

}  // namespace
}  // namespace bgplite::testing
