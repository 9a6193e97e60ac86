// Loads a policy and says what it does with the routes given, term by term. policy_check_test.cc tests the same policy.
//
//   policy_check PREFIX[@TUNNEL]...
#include <iostream>
#include <string>

#include "cloud_policy.h"

int main(int count, char** words) {
  using namespace minibgp;
  const auto policy = Policy::compile(examples::cloud_policy(), "from-cloud");
  if (!policy) {
    for (const PolicyError& error : policy.error()) std::cerr << error.policy << ": " << error.text << '\n';
    return 1;
  }
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    // "10.0.0.0/8@ipsec0"
    const std::size_t at = word.find('@');
    const std::string tunnel = at == std::string::npos ? "" : word.substr(at + 1);
    const auto prefix = parse_prefix(word.substr(0, at));
    if (!prefix) {
      std::cerr << "policy_check: not a prefix: " << word << '\n';
      return 2;
    }
    PolicyContext context;
    context.prefix = *prefix;
    context.tunnel = tunnel;
    const PolicyTrace trace = (*policy)->trace({}, context);
    std::cout << to_text(*prefix) << (trace.accepted ? " accepted" : " rejected") << " by " << trace.term << '\n';
    for (const TermTrace& term : trace.terms) {
      std::cout << "  " << term.term << (term.fired ? ": matched" : ": not matched") << '\n';
      for (const std::string& edit : term.edits) std::cout << "    set " << edit << '\n';
    }
  }
}
