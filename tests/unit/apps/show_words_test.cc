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

}  // namespace
}  // namespace bgplite::cli
