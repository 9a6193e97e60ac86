/// GoogleTest matchers for route policies, installed as minibgp::testing:
///
///   const auto route = minibgp::testing::PolicyRoute("192.168.10.0/24").as_path("65535").from_peer("cloud-1");
///   EXPECT_THAT(policy, Accepts(route).With(LocalPref(200)).By("prefer-tunnel-1"));
///   EXPECT_THAT(policy, Rejects(PolicyRoute("0.0.0.0/0")).By("no-default"));
///
/// `policy` is a Policy, or a pointer to one. A failure shows what was decided, by which term, and the trace: every
/// condition of every term that was looked at. Header only; needs GoogleMock and minibgp::bgp.
#pragma once

#include <bgp/policy.h>
#include <bgp/text.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>

namespace minibgp::testing {

/// A route as a policy sees it, with text for values. Text that is no value throws std::invalid_argument: in a test
/// that is a mistake of the test's.
class PolicyRoute {
 public:
  explicit PolicyRoute(std::string_view prefix) {
    prefix_ = must(parse_prefix(prefix), prefix);
    attributes_.next_hop.address =
        must(parse_address(prefix_.family == Family::ipv4 ? "192.0.2.1" : "2001:db8::1"), "");
  }  ///< As written: "192.168.10.0/24".
  /// "65001 65002".
  PolicyRoute& as_path(std::string_view text) { return attributes_.as_path = must(parse_as_path(text), text), *this; }
  PolicyRoute& next_hop(std::string_view text) {
    return attributes_.next_hop.address = must(parse_address(text), text), *this;
  }                                                                                  ///< An address.
  PolicyRoute& origin(Origin origin) { return attributes_.origin = origin, *this; }  ///< IGP if left out.
  PolicyRoute& med(std::uint32_t med) { return attributes_.med = med, *this; }       ///< Absent if left out.
  PolicyRoute& local_pref(std::uint32_t value) { return attributes_.local_pref = value, *this; }  ///< Its value.
  PolicyRoute& community(std::string_view text) {
    return insert(attributes_.communities, must(parse_community(text), text)), *this;
  }  ///< Adds one: "65000:1".
  PolicyRoute& extended_community(std::string_view text) {
    return insert(attributes_.extended_communities, must(parse_extended_community(text), text)), *this;
  }  ///< Adds one: "rt:65000:1".
  PolicyRoute& large_community(std::string_view text) {
    return insert(attributes_.large_communities, must(parse_large_community(text), text)), *this;
  }                                                                                      ///< Adds one: "65000:1:2".
  PolicyRoute& from_peer(std::string_view name) { return peer_ = name, *this; }          ///< The peer's name.
  PolicyRoute& tunnel(std::string_view name) { return tunnel_ = name, *this; }           ///< The tunnel's name.
  PolicyRoute& peer_type(PeerType type) { return type_ = type, *this; }                  ///< eBGP if left out.
  PolicyRoute& direction(Direction direction) { return direction_ = direction, *this; }  ///< Import if left out.
  PolicyRoute& local_as(std::uint32_t asn) { return local_as_ = Asn{asn}, *this; }       ///< What `prepend own` writes.
  PolicyRoute& peer_as(std::uint32_t asn) { return peer_as_ = Asn{asn}, *this; }         ///< The other side.
  PolicyRoute& own_prefix(bool own = true) { return own_prefix_ = own, *this; }          ///< As if we announced it.
  PolicyRoute& covers_ike_endpoint(bool covers = true) { return covers_ = covers, *this; }  ///< By its prefix.
  PolicyRoute& rpki(RpkiState state) { return rpki_ = state, *this; }                       ///< not_found if left out.

  [[nodiscard]] const PathAttributes& attributes() const { return attributes_; }  ///< What was built so far.
  PathAttributes& attributes() { return attributes_; }                            ///< For what has no call here.
  /// Valid while the route lives.
  [[nodiscard]] PolicyContext context() const {
    return {prefix_, direction_, type_, peer_, {}, tunnel_, local_as_, peer_as_, own_prefix_, covers_, rpki_};
  }

 private:
  template <typename Value>
  static Value must(std::optional<Value> value, std::string_view text) {
    if (!value) throw std::invalid_argument("not a value: " + std::string(text));
    return *std::move(value);
  }
  template <typename Value>
  static void insert(std::vector<Value>& sorted, const Value& value) {
    const auto at = std::lower_bound(sorted.begin(), sorted.end(), value);
    if (at == sorted.end() || *at != value) sorted.insert(at, value);
  }

  Prefix prefix_;
  PathAttributes attributes_;
  std::string peer_, tunnel_;
  PeerType type_ = PeerType::ebgp;
  Direction direction_ = Direction::import;
  Asn local_as_{65530}, peer_as_{65535};
  bool own_prefix_ = false, covers_ = false;
  RpkiState rpki_ = RpkiState::not_found;
};

/// The trace as text, one line a condition, as a failure shows it.
inline std::string to_text(const PolicyTrace& trace) {
  std::string text = trace.accepted ? "accepted" : "rejected";
  text += " by " + (trace.policy.empty() ? "" : trace.policy + "/") + trace.term;
  for (const TermTrace& term : trace.terms) {
    text += "\n  " + std::string(2UL * term.depth, ' ') + term.policy + "/" + term.term +
            (term.fired ? ": matched" : ": not matched");
    for (const ConditionTrace& condition : term.conditions)
      text += "\n    " + std::string(condition.held ? "yes " : "NO  ") + condition.text +
              (condition.actual.empty() ? "" : " (the route has " + condition.actual + ")");
    for (const std::string& edit : term.edits) text += "\n    set " + edit;
  }
  return text;
}

/// A statement about attributes after the edits, with its words for messages.
struct AttributeCheck {
  std::string expected;
  std::string (*actual)(const PathAttributes&);
};

inline AttributeCheck LocalPref(std::uint32_t value) {
  return {"local_pref " + std::to_string(value), [](const PathAttributes& a) {
            return "local_pref " + (a.local_pref ? std::to_string(*a.local_pref) : std::string("none"));
          }};
}  ///< LOCAL_PREF as accepted.
inline AttributeCheck Med(std::uint32_t value) {
  return {"med " + std::to_string(value),
          [](const PathAttributes& a) { return "med " + (a.med ? std::to_string(*a.med) : std::string("none")); }};
}  ///< MED as accepted.
inline AttributeCheck Weight(std::uint32_t value) {
  return {"weight " + std::to_string(value),
          [](const PathAttributes& a) { return "weight " + std::to_string(a.local.weight); }};
}  ///< The weight as accepted.
inline AttributeCheck AsPathIs(std::string_view text) {
  return {"as_path " + std::string(text),
          [](const PathAttributes& a) { return "as_path " + minibgp::to_text(a.as_path); }};
}  ///< The path as accepted.
/// All of them, blank-separated, ascending.
inline AttributeCheck Communities(std::string_view text) {
  return {"community " + std::string(text), [](const PathAttributes& a) {
            std::string all;
            for (const Community community : a.communities)
              all += (all.empty() ? "" : " ") + minibgp::to_text(community);
            return "community " + all;
          }};
}
/// What Accepts() and Rejects() return.
class PolicyVerdictMatcher {
 public:
  using is_gtest_matcher = void;  ///< GoogleTest's mark.
  /// See Accepts().
  PolicyVerdictMatcher(PolicyRoute route, bool accepted) : route_(std::move(route)), accepted_(accepted) {}
  [[nodiscard]] PolicyVerdictMatcher With(AttributeCheck check) const {
    PolicyVerdictMatcher more = *this;
    more.checks_.push_back(std::move(check));
    return more;
  }  ///< And the accepted route passes `check`.
  /// The attributes come out as they went in.
  [[nodiscard]] PolicyVerdictMatcher Unchanged() const {
    PolicyVerdictMatcher more = *this;
    more.unchanged_ = true;
    return more;
  }
  /// The term that decides; "default" for the end of the policy.
  [[nodiscard]] PolicyVerdictMatcher By(std::string term) const {
    PolicyVerdictMatcher more = *this;
    more.term_ = std::move(term);
    return more;
  }

  bool MatchAndExplain(const Policy& policy, ::testing::MatchResultListener* listener) const {
    // What the speaker does decides; the trace must say the same.
    const Judgement judgement = policy.judge(route_.attributes(), route_.context());
    PathAttributes result = route_.attributes();
    if (judgement.accepted) policy.apply(judgement.outcome, route_.context(), result);
    const PolicyTrace trace = policy.trace(route_.attributes(), route_.context());
    bool good = judgement.accepted == accepted_ && trace.accepted == judgement.accepted && trace.result == result;
    if (term_ && trace.term != *term_) good = false;
    if (unchanged_ && result != route_.attributes()) good = false;
    for (const AttributeCheck& check : checks_) {
      const std::string actual = check.actual(result);
      if (actual == check.expected) continue;
      good = false;
      *listener << "has " << actual << ", ";
    }
    *listener << "was " << to_text(trace);
    return good;
  }  ///< For GoogleTest.
  template <typename Pointer>
  bool MatchAndExplain(const Pointer& policy, ::testing::MatchResultListener* listener) const {
    if (policy == nullptr) return *listener << "is null", false;
    return MatchAndExplain(*policy, listener);
  }  ///< For GoogleTest.

  void DescribeTo(std::ostream* out) const {
    *out << (accepted_ ? "accepts " : "rejects ") << minibgp::to_text(route_.context().prefix);
    if (!route_.attributes().as_path.empty()) *out << " with path " << minibgp::to_text(route_.attributes().as_path);
    if (term_) *out << " by term " << *term_;
    if (unchanged_) *out << " unchanged";
    for (const AttributeCheck& check : checks_) *out << " with " << check.expected;
  }  ///< For GoogleTest.
  void DescribeNegationTo(std::ostream* out) const {
    *out << "not: ";
    DescribeTo(out);
  }  ///< For GoogleTest.

 private:
  PolicyRoute route_;
  bool accepted_;
  std::vector<AttributeCheck> checks_;
  std::optional<std::string> term_;
  bool unchanged_ = false;
};
/// EXPECT_THAT(policy, Accepts(route)).
inline PolicyVerdictMatcher Accepts(const PolicyRoute& route) { return {route, true}; }
inline PolicyVerdictMatcher Rejects(const PolicyRoute& route) { return {route, false}; }  ///< See Accepts().

}  // namespace minibgp::testing
