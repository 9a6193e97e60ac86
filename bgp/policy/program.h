/// Program: a policy as a flat list of steps. A step asks its conditions and goes on to one of two places; calls are
/// written out where they stand, so there is no stack, and the list has no way back, so a run ends.
///
/// How an outcome names the edits: every way through the steps that ends in acceptance has a number, and the number is
/// the sum of what is found on the way (Ball and Larus, "Efficient Path Profiling", 1996). A step's false branch keeps
/// the sum; its true branch adds the count of ways through the false one. So judge() only adds, apply() finds the same
/// way again without asking any condition, and equal outcomes are equal ways, hence equal edits. Ways on which no edit
/// can follow count as one.
#pragma once

#include <bgp/policy.h>
#include <bgp/policy/match.h>

#include <cstdint>
#include <string>
#include <vector>

namespace minibgp::policy {

class Program final : public PolicyAnswer {
 public:
  /// Places beyond the last step.
  static constexpr std::uint32_t kAccept = 0xFFFFFFFFU;
  static constexpr std::uint32_t kReject = 0xFFFFFFFEU;
  static constexpr std::uint32_t kNoGuard = 0xFFFFFFFFU;

  struct Step {
    std::uint32_t conditions_begin = 0, conditions_end = 0;  ///< All must hold.
    std::uint32_t edits_begin = 0, edits_end = 0;            ///< Carried out when they do.
    std::uint32_t on_true = kReject, on_false = kReject;     ///< Steps after this one, or kAccept, kReject.
    std::uint32_t ways_if_false = 0;                         ///< What the true branch adds.
    bool edits_follow = false;                               ///< Some way from here on edits.
    bool prefix_follows = false;                             ///< Some way from here on looks at the prefix.
    /// Where not kNoGuard: a condition that holds if any of the steps from this one to before `guard_to` can fire. Each
    /// of them asks for a prefix, and this asks for all of theirs at once, so that most routes pass a list of refusals
    /// in one look.
    std::uint32_t guard = kNoGuard;
    std::uint32_t guard_to = kReject;
    std::uint32_t term = 0;
    Condition only;  ///< Where there is one condition: that one, close by.
  };
  /// For traces only.
  struct Term {
    std::string policy, name;
    SourceMark mark;
    std::uint32_t depth = 0;
    TermVerdict verdict = TermVerdict::next;
    std::vector<std::string> conditions;  ///< As written.
  };

  [[nodiscard]] Judgement judge(const PathAttributes& attributes, const PolicyContext& context, PolicyRun& run) const;
  void apply(std::uint32_t outcome, const PolicyContext& context, PathAttributes& attributes) const;
  [[nodiscard]] DecidingTerm deciding_term(const PathAttributes& attributes, const PolicyContext& context) const;
  [[nodiscard]] PolicyTrace trace(const PathAttributes& attributes, const PolicyContext& context) const;
  [[nodiscard]] std::uint32_t entry() const { return entry_; }
  [[nodiscard]] bool reads_prefix() const { return reads_prefix_; }
  [[nodiscard]] bool reads_peer() const { return reads_peer_; }

  bool accepts(std::uint32_t entry, Subject& subject) const override;

  Program() = default;
  Program(Tables tables, std::vector<Step> steps, std::vector<PolicyEdit> edits, std::vector<Term> terms,
          std::uint32_t entry);
  /// Ways through the steps from `entry` that end in acceptance; beyond 2^32-2 a judgement could not name them.
  [[nodiscard]] bool ways_fit() const { return ways_fit_; }

 private:
  /// What decides where no term does: the end of the policy itself.
  [[nodiscard]] DecidingTerm end_of_policy() const;
  /// Whether `step`, which fired and leads to `next`, is the one that decides.
  [[nodiscard]] bool decides(const Step& step, std::uint32_t next) const;
  void count_ways();
  void find_prefix_readers();
  [[nodiscard]] bool reads_prefix(const Condition& condition) const;
  /// The first step from `at` on that a guard lets the subject come to.
  [[nodiscard]] std::uint32_t past_guard(std::uint32_t at, Subject& subject) const {
    while (at < kReject && steps_[at].guard != kNoGuard &&
           !prefix_holds(tables_.conditions[steps_[at].guard], tables_, subject))
      at = steps_[at].guard_to;
    return at;
  }
  [[nodiscard]] bool fires(const Step& step, Subject& subject) const {
    if (step.conditions_end - step.conditions_begin == 1) return holds(step.only, tables_, *this, subject);
    return all_hold(step.conditions_begin, step.conditions_end, tables_, *this, subject);
  }

  Tables tables_;
  std::vector<Step> steps_;
  std::vector<PolicyEdit> edits_;
  std::vector<Term> terms_;
  std::uint32_t entry_ = kReject;
  bool reads_prefix_ = false;
  bool reads_peer_ = false;
  bool ways_fit_ = true;
};

}  // namespace minibgp::policy
