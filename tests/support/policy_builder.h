/// Short forms for writing policy definitions in tests: text where the language has text.
#pragma once

#include <bgp/policy.h>
#include <bgp/text.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace minibgp::testing {

template <typename Condition>
PolicyMatch when(Condition condition) {
  return {std::move(condition), {}};
}
template <typename Action>
PolicyEdit then(Action action) {
  return {std::move(action), {}};
}

inline match::PrefixIn prefix_in(std::initializer_list<std::string_view> ranges) {
  match::PrefixIn in;
  for (const std::string_view text : ranges) in.items.push_back(parse_prefix_range(text).value());
  return in;
}
template <typename Match>
Match asns_in(std::initializer_list<std::string_view> ranges) {
  Match in;
  for (const std::string_view text : ranges) in.items.push_back(parse_asn_range(text).value());
  return in;
}
inline match::CommunityIn community_in(std::initializer_list<std::string_view> patterns,
                                       Quantifier quantifier = Quantifier::any) {
  match::CommunityIn in;
  in.quantifier = quantifier;
  for (const std::string_view text : patterns) in.items.push_back(parse_community_pattern(text).value());
  return in;
}
inline edit::Communities communities(edit::ListOp op, std::initializer_list<std::string_view> patterns) {
  edit::Communities e;
  e.op = op;
  for (const std::string_view text : patterns) e.items.push_back(parse_community_pattern(text).value());
  return e;
}
inline edit::LocalPref local_pref(std::uint32_t value) { return {{NumberChange::Op::set, value}}; }

inline PolicyTerm term(std::string name, std::vector<PolicyMatch> matches, std::vector<PolicyEdit> edits,
                       TermVerdict verdict) {
  return {std::move(name), std::move(matches), std::move(edits), std::nullopt, verdict, {}};
}
inline PolicyTerm calling(std::string name, std::vector<PolicyMatch> matches, std::string policy, TermVerdict verdict) {
  return {std::move(name), std::move(matches), {}, NameRef{std::move(policy), {}}, verdict, {}};
}

inline PolicyLibrary library_of(std::vector<PolicyTerm> terms) {
  PolicyLibrary library;
  library.policies.push_back({"p", std::move(terms), {}});
  return library;
}

/// Compiles, and fails the test with every error if that is not possible.
inline std::shared_ptr<const Policy> compiled(const PolicyLibrary& library, std::string_view name = "p") {
  auto policy = Policy::compile(library, name);
  if (policy) return *policy;
  for (const PolicyError& error : policy.error()) ADD_FAILURE() << error.text;
  return Policy::reject_all();
}
inline std::shared_ptr<const Policy> compiled(std::vector<PolicyTerm> terms) {
  return compiled(library_of(std::move(terms)));
}

/// A policy of one term that accepts what the condition matches.
template <typename Condition>
std::shared_ptr<const Policy> accepting(Condition condition) {
  return compiled({term("only", {when(std::move(condition))}, {}, TermVerdict::accept)});
}
/// A policy of one term that edits and accepts everything.
template <typename Action>
std::shared_ptr<const Policy> editing(Action action) {
  return compiled({term("only", {}, {then(std::move(action))}, TermVerdict::accept)});
}

}  // namespace minibgp::testing
