/// Policy: an immutable compiled route policy (bgp/policy/program behind a pointer), and the seam through which the
/// speaker asks it. Pure: no clock, no I/O, no allocation in judge(); one policy may be asked from several threads.
///
/// Judging and editing are two steps so that a policy costs one walk per route and one edit per attribute set:
/// for the same input attributes and peer, equal `outcome` means equal edits, hence equal result attributes. The
/// speaker caches (AttrId, outcome) -> AttrId, and caches the whole Judgement per AttrId when reads_prefix() is false.
///
/// The language as values: bgp/policy_definition.h. Its meaning: docs/policy.md.
#pragma once

#include <bgp/path.h>
#include <bgp/policy_definition.h>
#include <bgp/result.h>
#include <bgp/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace minibgp {

/// What a policy may know of a route besides its attributes. Views are valid during the call.
struct PolicyContext {
  Prefix prefix;
  Direction direction = Direction::import;
  PeerType peer_type = PeerType::ebgp;
  std::string_view peer;             ///< The peer's name as configured; its address where it has none.
  std::string_view peer_address;     ///< Its address as text; may be empty. `match peer` is satisfied by either.
  std::string_view tunnel;           ///< Empty when the peer has none.
  Asn local_as{};                    ///< Toward this peer: what `prepend own` writes.
  Asn peer_as{};                     ///< The AS on the other side. No match and no edit reads it yet.
  bool own_prefix = false;           ///< Covered by or equal to one of our announced networks.
  bool covers_ike_endpoint = false;  ///< A route that would swallow the tunnel's own packets.
  RpkiState rpki = RpkiState::not_found;
};
/// A policy's answer.
struct Judgement {
  bool accepted = false;
  std::uint32_t outcome = 0;  ///< Names the edits of every term that fired; 0: attributes unchanged.
  bool operator==(const Judgement&) const = default;
};

/// One condition of a term, as it came out.
struct ConditionTrace {
  std::string text;    ///< "prefix 192.168.0.0/16 le 24"
  std::string actual;  ///< What the route had: "10.0.0.0/8".
  bool held = false;
};

/// One term that was looked at.
struct TermTrace {
  std::string policy;
  std::string term;
  SourceMark mark;
  std::uint32_t depth = 0;                 ///< How many calls deep.
  bool fired = false;                      ///< All conditions held.
  std::vector<ConditionTrace> conditions;  ///< Every one, also those after the first that did not hold.
  std::vector<std::string> edits;          ///< Carried out; empty when the term did not fire.
  TermVerdict verdict = TermVerdict::next;
};

/// The term that decides about a route. Views into the policy that was asked.
struct DecidingTerm {
  std::string_view policy;  ///< Empty for accept_all() and reject_all().
  std::string_view term;    ///< "default" when the end of the policy was reached.
  SourceMark mark;          ///< Of the term; line 0 for the default.
};

/// Why a route was accepted or rejected.
struct PolicyTrace {
  bool accepted = false;
  std::string policy;  ///< Whose term decided.
  std::string term;    ///< That term; "default" when the end was reached.
  SourceMark mark;     ///< Of that term; line 0 for the default.
  std::vector<TermTrace> terms;
  PathAttributes result;  ///< After the edits; meaningful when accepted.
};

namespace policy {
class Program;
}
/// Routes in a row with the same attributes, from the same peer, under the same policy: what the first of them taught
/// about conditions that do not look at the prefix. A new row begins with a new one.
class PolicyRun {
  friend class policy::Program;
  static constexpr std::uint32_t kNowhere = 0xFFFFFFFFU;
  std::uint32_t at_ = kNowhere;  ///< From this step on the answer is known: what it adds to the way, and the verdict.
  std::uint32_t way_ = 0;
  bool edited_ = false, accepted_ = false;
};

/// A compiled policy; immutable, shared between peers.
class Policy {
 public:
  /// Takes every route as it is (`accept_all: true`).
  [[nodiscard]] static std::shared_ptr<const Policy> accept_all();
  /// Refuses every route: what eBGP has when nothing is configured (RFC 8212).
  [[nodiscard]] static std::shared_ptr<const Policy> reject_all();
  /// Compiles one policy of `library` with all it refers to; all mistakes at once. `library` is not needed afterwards.
  [[nodiscard]] static Result<std::shared_ptr<const Policy>, std::vector<PolicyError>> compile(
      const PolicyLibrary& library, std::string_view name);

  explicit Policy(std::unique_ptr<const policy::Program> program);  ///< For compile(); programs have no use for it.
  ~Policy();

  /// Neither asks nor edits anything; the same for refuses_all().
  [[nodiscard]] bool takes_all() const;    ///< As accept_all().
  [[nodiscard]] bool refuses_all() const;  ///< As reject_all().
  /// False when the answer depends on attributes, peer and direction only.
  [[nodiscard]] bool reads_prefix() const;
  /// True when the answer depends on which peer or tunnel it is; false: peers of one type share the answer.
  [[nodiscard]] bool reads_peer() const;
  [[nodiscard]] Judgement judge(const PathAttributes& attributes, const PolicyContext& context) const;
  /// The same answer, at the cost of the conditions on the prefix alone for all but the first of a run.
  [[nodiscard]] Judgement judge(const PathAttributes& attributes, const PolicyContext& context, PolicyRun& run) const;
  /// Carries out what judge() answered for the same attributes and peer. No effect when outcome is 0. Reads only
  /// local_as of the context.
  void apply(std::uint32_t outcome, const PolicyContext& context, PathAttributes& attributes) const;
  /// Which term decides, at the cost of another judge(). Allocates nothing.
  [[nodiscard]] DecidingTerm deciding_term(const PathAttributes& attributes, const PolicyContext& context) const;
  /// judge() and apply() at leisure, with every term looked at on the way. Allocates; for people and tests.
  [[nodiscard]] PolicyTrace trace(const PathAttributes& attributes, const PolicyContext& context) const;

 private:
  std::unique_ptr<const policy::Program> program_;
};

using PolicyTable = std::map<std::string, std::shared_ptr<const Policy>, std::less<>>;  ///< Compiled policies by name.

/// Every policy of `library` by name; large sets are shared between them. All mistakes at once, those of sets and
/// policies nobody uses included.
[[nodiscard]] Result<PolicyTable, std::vector<PolicyError>> compile_policies(const PolicyLibrary& library);

/// What compiles but is probably not meant: sets nobody uses, terms that cannot be reached, entries of a set that
/// others of the same set cover. `roots`: the policies attached to peers; a policy that is neither one of them nor
/// called is reported as unused (pass none to leave that check out).
[[nodiscard]] std::vector<PolicyError> lint_policies(const PolicyLibrary& library,
                                                     const std::vector<std::string>& roots = {});

// Limits. A library beyond them does not compile, with an error that names the limit.
inline constexpr std::size_t kPolicyTermsMax = 65'536;  ///< Of one policy, counted with those it calls and asks.
inline constexpr std::size_t kPolicyDepthMax = 32;      ///< Of calls within calls, and of conditions in conditions.
inline constexpr std::size_t kPrefixSetEntriesMax = 4'000'000;  ///< Of one set; 1 million load in well under 2 s.
inline constexpr std::size_t kAsPathRegexCharsMax = 1024;       ///< Of one regular expression.

}  // namespace minibgp
