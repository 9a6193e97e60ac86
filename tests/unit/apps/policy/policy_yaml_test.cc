/// YAML to policies: every key of the language is read, written back and read the same; every mistake has its place.
#include <apps/bgplite/config/policy_writer.h>
#include <apps/bgplite/config/policy_yaml.h>

#include <gmock/gmock.h>

namespace bgplite {
namespace {

using ::testing::ElementsAre;

struct ReadBack {
  PolicySources sources;
  Diagnostics diagnostics;
};

ReadBack read(const std::string& text, const ReadSetFile& files = read_set_file) {
  ReadBack result;
  result.sources = read_policy_sources({{"p.yaml", YAML::Load(text)}}, {}, result.diagnostics, files);
  return result;
}

std::vector<std::string> mistakes(const std::string& text, const ReadSetFile& files = read_set_file) {
  ReadBack result = read(text, files);
  if (!result.diagnostics.has_errors())
    static_cast<void>(compile_policy_sources(result.sources, {}, result.diagnostics));
  result.diagnostics.sort();
  std::vector<std::string> texts;
  for (const Diagnostic& one : result.diagnostics.all()) texts.push_back(to_text(one));
  return texts;
}

constexpr const char* kEveryKey = R"(
prefix_sets: { vpc: [192.168.0.0/16 le 24, '2001:db8::/32 ge 48'] }
asn_sets: { friends: [65001, 64512..64520] }
community_sets: { marks: [65001:1, '65002:*'], plain: 65001:9 }
extended_community_sets: { targets: [rt:65001:1] }
large_community_sets: { large: ['65001:*:1'] }
next_hop_sets: { hops: [192.0.2.1, 198.51.100.0/24] }
policies:
  sub: [ { accept: true } ]
  p:
    - name: everything
      match:
        prefix: [vpc, 10.0.0.0/8 longer]
        family: ipv4
        as_path: ['_65001_', '^$']
        as_path_contains: [friends, 7]
        as_path_starts: 65001 65002
        as_path_ends: [65003, 65004]
        as_path_length: 1..5
        neighbor_as: friends
        origin_as: AS65001
        community: [marks, no-export]
        community_all: ['65001:*']
        extended_community: [targets, 'rt:*']
        extended_community_all: ro:65001:2
        large_community: large
        large_community_all: 65001:2:3
        med: 50..
        local_pref: none
        origin: incomplete
        next_hop: [hops, '2001:db8::1']
        peer: [cloud-1, 192.0.2.9]
        tunnel: ipsec0
        peer_type: ebgp
        own_prefix: false
        covers_ike_endpoint: false
        rpki: not-found
        policy: sub
        not: { med: 7, community: 1:1 }
        any: [ { med: 8 }, { local_pref: 9, origin: igp } ]
      then:
        - { local_pref: +5, med: none, weight: 3, origin: egp }
        - { prepend: own x3, strip_private: true, replace: { asn: private, with: leftmost } }
        - { prepend: { asn: 65009, times: 2 }, med: -7 }
        - { set_community: none, add_community: [plain, 1:1], remove_community: '65001:*' }
        - { set_extended_community: rt:1:1, add_extended_community: targets, remove_extended_community: 'rt:*' }
        - { set_large_community: none, add_large_community: 1:2:3, remove_large_community: '1:*:*' }
        - { next_hop: 203.0.113.1, fib_metric: 5, fib_table: 100, fib_prefsrc: 172.16.20.1, ecmp_weight: 4 }
      accept: true
    - { match: { tunnel: ipsec1 }, call: sub, reject: true }
    - { match: { peer_type: ibgp }, next: true, then: { next_hop: peer } }
    - { return: true }
)";

TEST(PolicyYaml, EveryKeyIsReadAndWrittenBackTheSame) {
  const ReadBack first = read(kEveryKey);
  ASSERT_TRUE(first.diagnostics.empty()) << first.diagnostics.to_text();
  const minibgp::PolicyLibrary& library = first.sources.library;
  ASSERT_EQ(library.policies.size(), 2U);
  // Every alternative of the language is there: a key that is not read cannot be missed.
  EXPECT_EQ(library.policies[1].terms[0].matches.size(), 28U);
  EXPECT_EQ(library.policies[1].terms[0].edits.size(), 23U);
  const std::string written = write_policies(library);
  const ReadBack second = read(written);
  EXPECT_TRUE(second.diagnostics.empty()) << second.diagnostics.to_text() << written;
  EXPECT_EQ(second.sources.library, library) << written;
  EXPECT_TRUE(minibgp::compile_policies(library));
}

TEST(PolicyYaml, NamesThatYamlTakesForSomethingElseAreWrittenSoThatTheyAreReadAgain) {
  for (const char* name : {"null", "Null", "NULL", "true", "no", "off", "y", "NaN"}) {
    minibgp::PolicyLibrary library;
    library.prefix_sets = {{name, {*minibgp::parse_prefix_range("10.0.0.0/8")}, {}}};
    minibgp::PolicyTerm term;
    term.name = name;
    term.matches = {{minibgp::match::PrefixIn{{{}, {{name, {}}}}}, {}}, {minibgp::match::PeerIs{{name}}, {}}};
    term.call = minibgp::NameRef{name, {}};
    term.verdict = minibgp::TermVerdict::accept;
    library.policies = {{name, {term}, {}}};
    const std::string written = write_policies(library);
    const ReadBack again = read(written);
    EXPECT_TRUE(again.diagnostics.empty()) << again.diagnostics.to_text() << written;
    EXPECT_EQ(again.sources.library, library) << written;
  }
}

TEST(PolicyYaml, AnyTextIsReadAsItWasWritten) {
  for (const std::string text : {"",       "~",    "null", "NULL", "true", "1",   "+1",  "1e3",  "0x10",  ".inf",
                                 "- a",    "a: b", "a:",   "a #b", "#a",   "'",   "\"",  "it's", "\\",    "a\nb",
                                 "a\n\nb", " a ",  "\t",   "\x01", "\x7F", "[a]", "{a}", "&a",   "*a",    "!a",
                                 "|",      ">",    "%a",   "@a",   "`a",   "?",   "---", "...",  "\u00e9"}) {
    const YAML::Node node = YAML::Load("k: [" + yaml_scalar(text) + ", x]")["k"][0];
    ASSERT_TRUE(node.IsScalar()) << text;
    EXPECT_EQ(node.Scalar(), text);
  }
}

TEST(PolicyYaml, MistakesHaveTheirPlaceAndAHint) {
  EXPECT_THAT(
      mistakes("policies:\n"
               "  p:\n"
               "    - { match: { prefx: 10.0.0.0/8 }, accept: true }\n"
               "    - { match: { prefix: 10.0.0.0/33, med: x }, acept: true }\n"
               "    - { match: { prefix: vcp }, then: { local_prf: 1, med: many }, accept: false }\n"
               "    - { accept: true, reject: true }\n"
               "    - just text\n"
               "  q: none\n"
               "  7up: []\n"
               "prefix_sets: { vpc: [10.0.0.0/8 le 33], no-export: 10.0.0.0/8 }\n"
               "community_sets: { no-export: 1:1 }\n"),
      ElementsAre("p.yaml:3:18: error: unknown match 'prefx' (did you mean 'prefix'?)",
                  "p.yaml:4:26: error: '10.0.0.0/33' is not a prefix (such as '192.168.0.0/16 le 24', or the name "
                  "of a prefix set)",
                  "p.yaml:4:44: error: 'x' is not a number or a range (such as 100, 50..100 or 50.., or none)",
                  "p.yaml:4:49: error: unknown key 'acept' (did you mean 'accept'?)",
                  "p.yaml:5:41: error: unknown edit 'local_prf' (did you mean 'local_pref'?)",
                  "p.yaml:5:60: error: 'many' is not a number or a change (such as 200, +10 or -10)",
                  "p.yaml:5:76: error: accept can only be true (leave it out)",
                  "p.yaml:6:23: error: a second verdict: 'accept' is there already (one per term)",
                  "p.yaml:7:7: error: must be a mapping of name, match, then, call and accept, reject, next or "
                  "return",
                  "p.yaml:8:6: error: a policy must be a list of terms (such as [ { match: { prefix: "
                  "192.168.0.0/16 le 24 }, accept: true } ])",
                  "p.yaml:9:3: error: '7up' cannot be a name (letters, digits, '_', '-' and '.', beginning with a "
                  "letter)",
                  "p.yaml:10:22: error: '10.0.0.0/8 le 33' is not a prefix (such as '192.168.0.0/16 le 24', or "
                  "the name of a prefix set)",
                  "p.yaml:11:19: error: 'no-export' cannot be a name (it reads as a community)"));
}

TEST(PolicyYaml, AConditionWithAWrongValueIsNeverLeftOut) {
  EXPECT_THAT(mistakes("policies: { p: [ { match: { as_path_length: none }, accept: true } ] }"),
              ElementsAre("p.yaml:1:45: error: 'none' is not a number or a range (such as 100, 50..100 or 50..)"));
  // A mapping and the lone null are wrong for each of them.
  for (const char* key : {"prefix",
                          "family",
                          "as_path",
                          "as_path_contains",
                          "as_path_starts",
                          "as_path_ends",
                          "as_path_length",
                          "neighbor_as",
                          "origin_as",
                          "community",
                          "community_all",
                          "extended_community",
                          "extended_community_all",
                          "large_community",
                          "large_community_all",
                          "med",
                          "local_pref",
                          "origin",
                          "next_hop",
                          "peer",
                          "tunnel",
                          "peer_type",
                          "own_prefix",
                          "covers_ike_endpoint",
                          "rpki",
                          "policy",
                          "not",
                          "any"})
    for (const char* wrong : {"null", "{}", "[]", "[{}]", "[null]"})
      EXPECT_FALSE(
          mistakes(std::string{"policies: { p: [ { match: { "} + key + ": " + wrong + " }, accept: true } ] }").empty())
          << key << ": " << wrong;
}

TEST(PolicyYaml, OneMistakeOfAnEditIsOneError) {
  for (const char* wrong :
       {"strip_private: x", "strip_private: [true]", "strip_private: false", "prepend: { asn: x }",
        "prepend: { asn: x, times: 2 }", "prepend: { asn: own, times: x }", "prepend: { times: 2 }", "prepend: []",
        "replace: { asn: x, with: own }", "replace: { asn: any, with: x }", "replace: { asn: any }", "replace: own",
        "replace: { asn: [], with: own }", "fib_table: 255", "next_hop: x", "med: x", "ecmp_weight: 0"})
    EXPECT_EQ(mistakes(std::string{"policies: { p: [ { then: { "} + wrong + " }, accept: true } ] }").size(), 1U)
        << wrong;
}

TEST(PolicyYaml, WhatTheLibraryFindsHasItsPlaceToo) {
  EXPECT_THAT(mistakes("policies:\n"
                       "  p:\n"
                       "    - { match: { prefix: vcp }, accept: true }\n"
                       "    - { match: { as_path: '(' }, call: q, accept: true }\n"
                       "prefix_sets: { vpc: [10.0.0.0/8 ge 24 le 16] }\n"),
              ElementsAre("p.yaml:3:26: error: policy 'p', term 1: unknown set 'vcp' (did you mean 'vpc'?)",
                          "p.yaml:4:27: error: policy 'p', term 2: regular expression '(': missing ')' (character 2)",
                          "p.yaml:4:40: error: policy 'p', term 2: unknown policy 'q' (did you mean 'p'?)",
                          "p.yaml:5:22: error: ge 24 is above le 16 (lengths from ge to le match; swap them?)"));
}

TEST(PolicyYaml, LintsAreWarnings) {
  EXPECT_THAT(
      mistakes("policies:\n"
               "  p: [ { accept: true }, { name: late, reject: true } ]\n"
               "prefix_sets: { vpc: [10.0.0.0/8] }\n"),
      ElementsAre("p.yaml:2:26: warning: policy 'p', late: term 'late' cannot be reached ('term 1' decides every "
                  "route that it matches)",
                  "p.yaml:3:16: warning: set 'vpc' is not used"));
}

TEST(PolicyYaml, ASetWithoutEntriesIsAWarning) {
  const auto nothing = [](const std::string&, std::string&) { return std::optional<std::string>{"# none found\n"}; };
  EXPECT_THAT(mistakes("prefix_sets: { vpc: { file: none.txt } }\n"
                       "policies: { p: [ { match: { prefix: vpc }, accept: true } ] }\n",
                       nothing),
              ElementsAre("p.yaml:1:16: warning: set 'vpc' is empty and matches nothing"));
}

std::optional<std::string> fake_file(const std::string& path, std::string& error) {
  if (path == "dir/list.txt") return "# a list\n10.0.0.0/8 le 24\n\n192.168.0.0/16   # one\n";
  if (path == "dir/bad.txt") return "10.0.0.0/8\n10.0.0.0/99\n";
  if (path == "dir/as.json")
    return R"({"NN": [{"prefix": "10.0.0.0\/8", "exact": true}, {"prefix": "2001:db8::/32", "exact": false,
              "greater-equal": 40, "less-equal": 48}, {"prefix": "172.16.0.0/12", "exact": false, "less-equal": 24}]})";
  if (path == "dir/asns.json") return R"({"NN": [65001, 65002]})";
  if (path == "dir/broken.json") return "{\"NN\": [\n{\"prefix\": \n";
  error = "No such file or directory";
  return std::nullopt;
}

ReadBack read_in_dir(const std::string& text) {
  ReadBack result;
  result.sources = read_policy_sources({{"dir/p.yaml", YAML::Load(text)}}, {}, result.diagnostics, fake_file);
  result.diagnostics.sort();
  return result;
}

TEST(PolicyYaml, SetsComeFromFilesAndFromBgpq4) {
  const ReadBack result = read_in_dir(
      "prefix_sets: { a: { file: list.txt, items: 172.16.0.0/12 }, b: { bgpq4: as.json } }\n"
      "asn_sets: { c: { bgpq4: asns.json } }\n");
  ASSERT_TRUE(result.diagnostics.empty()) << result.diagnostics.to_text();
  EXPECT_EQ(write_policies(result.sources.library),
            "prefix_sets:\n  a:\n    - 10.0.0.0/8 le 24\n    - 192.168.0.0/16\n    - 172.16.0.0/12\n"
            "  b:\n    - 10.0.0.0/8\n    - 2001:db8::/32 ge 40 le 48\n    - 172.16.0.0/12 le 24\n"
            "asn_sets:\n  c:\n    - 65001\n    - 65002\n");
  const minibgp::PrefixRange& second = result.sources.library.prefix_sets[0].items[1];
  EXPECT_EQ(result.sources.place(second.mark), (Place{"dir/list.txt", 4, 1}));
}

TEST(PolicyYaml, MistakesInFilesAreNamedThere) {
  const ReadBack result = read_in_dir(
      "prefix_sets: { a: { file: bad.txt }, b: { bgpq4: broken.json }, c: { file: none.txt }, d: { bgpq4: asns.json } "
      "}\n"
      "community_sets: { e: { bgpq4: as.json } }\n");
  std::vector<std::string> texts;
  for (const Diagnostic& one : result.diagnostics.all()) texts.push_back(to_text(one));
  EXPECT_THAT(texts, ElementsAre("dir/asns.json: error: has items that are not a prefix",
                                 "dir/bad.txt:2:1: error: '10.0.0.0/99' is not an item of this set",
                                 "dir/broken.json:3:1: error: not valid JSON",
                                 "dir/p.yaml:1:76: error: cannot read 'dir/none.txt': No such file or directory",
                                 "dir/p.yaml:2:31: error: bgpq4 writes prefixes and AS numbers only (use 'file')"));
}

TEST(PolicyYaml, ACompiledPolicyChangesExactlyWhenSomethingItDependsOnDoes) {
  const auto canonical = [](const std::string& text) {
    ReadBack result = read(text);
    return compile_policy_sources(result.sources, {}, result.diagnostics).at("p").canonical;
  };
  const std::string before = canonical(
      "policies: { p: [ { match: { prefix: s }, call: q, accept: true } ], q: [ { next: true } ] }\n"
      "prefix_sets: { s: [10.0.0.0/8], t: [10.0.0.0/8] }");
  EXPECT_EQ(before, canonical("prefix_sets: { s: [ 10.0.0.0/8 ], t: [11.0.0.0/8] }\n"
                              "policies:\n  q: [ { next: true } ]\n"
                              "  p:\n  - match: { prefix: s }\n    call: q\n    accept: true\n"));
  EXPECT_NE(before,
            canonical("policies: { p: [ { match: { prefix: s }, call: q, accept: true } ], q: [ { next: true } ] }\n"
                      "prefix_sets: { s: [10.0.0.0/9], t: [10.0.0.0/8] }"));
  EXPECT_NE(before,
            canonical("policies: { p: [ { match: { prefix: s }, call: q, accept: true } ], q: [ { accept: true } ] }\n"
                      "prefix_sets: { s: [10.0.0.0/8], t: [10.0.0.0/8] }"));
}

}  // namespace
}  // namespace bgplite
