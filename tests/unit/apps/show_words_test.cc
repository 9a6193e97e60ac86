#include <apps/bgplite/cli/habits.h>
#include <apps/bgplite/cli/show_words.h>

#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace bgplite::cli {
namespace {

std::vector<std::string> words(const std::string& line) {
  std::istringstream in{line};
  std::vector<std::string> all;
  for (std::string word; in >> word;) all.push_back(word);
  return all;
}

struct Case {
  const char* line;
  const char* request;  ///< "VERB ARGUMENTS", with "frr" and "json" behind it where set.
};

const Case kCases[] = {
    {"", "show.summary {}"},
    {"summary", "show.summary {}"},
    {"peers", "show.peers {}"},
    {"neighbors", "show.peers {}"},
    {"peers ipsec0", R"(show.peers {"peer":"ipsec0"})"},
    {"routes", "show.routes {}"},
    {"routes 10.0.0.0/8 longer", R"(show.routes {"prefix":"10.0.0.0/8","match":"longer"})"},
    {"routes 10.1.2.3", R"(show.routes {"prefix":"10.1.2.3","match":"lookup"})"},
    {"routes in 192.0.2.1", R"(show.routes {"direction":"in","peer":"192.0.2.1"})"},
    {"routes 10.0.0.0/8 filtered x", R"(show.routes {"prefix":"10.0.0.0/8","direction":"filtered","peer":"x"})"},
    {"fib 10.0.0.0/8", R"(show.fib {"prefix":"10.0.0.0/8"})"},
    {"tunnels ipsec0", R"(show.tunnels {"tunnel":"ipsec0"})"},
    {"bgp summary json", "show.summary {} frr json"},
    {"ip bgp", "show.routes {} frr"},
    {"ip bgp summary", "show.summary {} frr"},
    {"ip bgp 10.0.0.0/8 json", R"(show.routes {"prefix":"10.0.0.0/8"} frr json)"},
    {"ip bgp 10.0.0.0/8 longer-prefixes", R"(show.routes {"prefix":"10.0.0.0/8","match":"longer"} frr)"},
    {"bgp ipv4 unicast summary json", "show.summary {} frr json"},
    {"bgp neighbors 192.0.2.1 json", R"(show.peers {"peer":"192.0.2.1"} frr json)"},
    {"bgp neighbors 192.0.2.1 advertised-routes", R"(show.routes {"direction":"out","peer":"192.0.2.1"} frr)"},
    {"ip bgp neighbors 192.0.2.1 received-routes", R"(show.routes {"direction":"in","peer":"192.0.2.1"} frr)"},
    {"ip route bgp", "show.fib {}"},
    {"running-config", "show.config {}"},
    {"sum", "show.summary {}"},
    {"run", "show.config {}"},
    {"ip bgp sum", "show.summary {} frr"},
    {"bgp neigh 192.0.2.1 json", R"(show.peers {"peer":"192.0.2.1"} frr json)"},
};

TEST(ShowWords, OursAndFrrsMeanTheSame) {
  for (const Case& one : kCases) {
    const auto request = parse_show(words(one.line));
    ASSERT_TRUE(request) << one.line << ": " << request.error();
    EXPECT_EQ(
        request->verb + " " + request->arguments.dump() + (request->frr ? " frr" : "") + (request->json ? " json" : ""),
        one.request)
        << one.line;
  }
}

TEST(ShowWords, WhatIsNotUnderstoodSaysWhatIsMeant) {
  EXPECT_EQ(parse_show({"peer", "a", "b"}).error(), "'b' is not known here");
  EXPECT_EQ(parse_show({"sumary"}).error(), "cannot show 'sumary' (did you mean 'summary'?)");
  EXPECT_EQ(parse_show({"routes", "in"}).error(), "'in' of which peer? show routes in PEER");
  EXPECT_EQ(parse_show({"routes", "10.0.0.0/99"}).error(),
            "'10.0.0.0/99' is neither a prefix nor in, out, filtered, longer or shorter");
}

TEST(ShowWords, AnAbbreviationOfTwoViewsIsNone) {
  const auto request = parse_show(words("p"));
  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().find("cannot show 'p'"), 0U) << "peers or policy";
}

TEST(Habits, AnAbbreviationIsTakenWhereOneWordIsMeant) {
  const std::vector<std::string> known{"show", "disable", "drain", "drill", "plan", "policy"};
  EXPECT_EQ(whole_word("sh", known), "show");
  EXPECT_EQ(whole_word("dis", known), "disable");
  EXPECT_EQ(whole_word("dr", known), "dr") << "drain or drill";
  EXPECT_EQ(whole_word("policy", known), "policy");
  EXPECT_EQ(whole_word("", known), "");
  EXPECT_EQ(whole_word("x", known), "x");
}

TEST(Habits, WordsOfOtherRoutersArePointedToOurs) {
  const auto here = [](const std::string& line) { return counterpart(words(line)); };
  EXPECT_NE(here("clear ip bgp * soft").find("bgplite refresh PEER"), std::string::npos);
  EXPECT_NE(here("write memory").find("nothing has to be written"), std::string::npos);
  EXPECT_NE(here("wr mem").find("nothing has to be written"), std::string::npos);
  EXPECT_EQ(here("write terminal"), "bgplite show config");
  EXPECT_NE(here("conf t").find("bgplite apply"), std::string::npos);
  EXPECT_NE(here("configure terminal").find("bgplite plan"), std::string::npos);
  EXPECT_EQ(here("birdc show protocols"), "bgplite show summary");
  EXPECT_EQ(here("frobnicate"), "");
  EXPECT_EQ(here("re"), "") << "two letters say too little";
  EXPECT_EQ(counterpart({}), "");
}

}  // namespace
}  // namespace bgplite::cli
