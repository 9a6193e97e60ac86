#include <bgp/base/assert.h>
#include <bgp/policy/edit.h>
#include <bgp/policy/program.h>
#include <bgp/text.h>

#include <algorithm>
#include <utility>

namespace minibgp::policy {
namespace {

template <typename Values>
std::string listed(const Values& values) {
  std::string text;
  for (const auto& value : values) text += (text.empty() ? "" : " ") + to_text(value);
  return text.empty() ? "none" : text;
}

template <typename Number>
std::string number_or_none(const std::optional<Number>& number) {
  return number ? std::to_string(static_cast<std::uint32_t>(*number)) : "none";
}

/// What the route has where the condition looks.
std::string actual_of(Condition::Kind kind, const PathAttributes& attributes, const PolicyContext& context) {
  using Kind = Condition::Kind;
  switch (kind) {
    case Kind::never:
      return "";
    case Kind::peer_type:
      return std::string(to_text(context.peer_type));
    case Kind::own_prefix:
      return context.own_prefix ? "true" : "false";
    case Kind::covers_ike_endpoint:
      return context.covers_ike_endpoint ? "true" : "false";
    case Kind::rpki:
      return std::string(to_text(context.rpki));
    case Kind::family:
      return context.prefix.family == Family::ipv4 ? "ipv4" : "ipv6";
    case Kind::origin:
      return std::string(to_text(attributes.origin));
    case Kind::med:
      return number_or_none(attributes.med);
    case Kind::local_pref:
      return number_or_none(attributes.local_pref);
    case Kind::path_length:
      return std::to_string(attributes.as_path.length());
    case Kind::neighbor_as:
      return number_or_none(attributes.as_path.first());
    case Kind::origin_as:
      return number_or_none(attributes.as_path.origin());
    case Kind::path_starts:
    case Kind::path_ends:
    case Kind::path_contains:
    case Kind::path_regex:
      return attributes.as_path.empty() ? "empty" : to_text(attributes.as_path);
    case Kind::prefix:
      return to_text(context.prefix);
    case Kind::next_hop:
      return to_text(attributes.next_hop.address);
    case Kind::peer:
      return std::string(context.peer.empty() ? context.peer_address : context.peer);
    case Kind::tunnel:
      return context.tunnel.empty() ? "none" : std::string(context.tunnel);
    case Kind::community:
      return listed(attributes.communities);
    case Kind::extended_community:
      return listed(attributes.extended_communities);
    case Kind::large_community:
      return listed(attributes.large_communities);
    case Kind::none_of:
    case Kind::any_of:
    case Kind::policy:
      return "";
  }
  return "";
}

bool depends_on_prefix(Condition::Kind kind) {
  using Kind = Condition::Kind;
  return kind == Kind::prefix || kind == Kind::own_prefix || kind == Kind::covers_ike_endpoint || kind == Kind::rpki ||
         kind == Kind::family;
}

constexpr std::uint64_t kWaysMax = 0xFFFFFFFEU;  // An outcome is the way's number plus one.

}  // namespace

Program::Program(Tables tables, std::vector<Step> steps, std::vector<PolicyEdit> edits, std::vector<Term> terms,
                 std::uint32_t entry)
    : tables_(std::move(tables)),
      steps_(std::move(steps)),
      edits_(std::move(edits)),
      terms_(std::move(terms)),
      entry_(entry) {
  reads_prefix_ = std::any_of(tables_.conditions.begin(), tables_.conditions.end(),
                              [](const Condition& condition) { return depends_on_prefix(condition.kind); });
  reads_peer_ = std::any_of(tables_.conditions.begin(), tables_.conditions.end(), [](const Condition& condition) {
    return condition.kind == Condition::Kind::peer || condition.kind == Condition::Kind::tunnel;
  });
  count_ways();
  find_prefix_readers();
  for (Step& step : steps_)
    // A step with one condition has it at hand, without a look into the table.
    if (step.conditions_end - step.conditions_begin == 1) step.only = tables_.conditions[step.conditions_begin];
}

bool Program::reads_prefix(const Condition& condition) const {
  using Kind = Condition::Kind;
  const auto any_between = [&](std::uint32_t begin, std::uint32_t end) {
    return std::any_of(tables_.conditions.begin() + begin, tables_.conditions.begin() + end,
                       [&](const Condition& nested) { return reads_prefix(nested); });
  };
  switch (condition.kind) {
    case Kind::none_of:
      return any_between(condition.x, condition.y);
    case Kind::any_of:
      return std::any_of(tables_.lists.begin() + condition.x, tables_.lists.begin() + condition.y,
                         [&](const auto& list) { return any_between(list.first, list.second); });
    case Kind::policy:
      return reads_prefix_;  // Of the one asked or of another: not worth telling apart.
    default:
      return depends_on_prefix(condition.kind);
  }
}

void Program::find_prefix_readers() {
  const auto follows = [&](std::uint32_t at) { return at < kReject && steps_[at].prefix_follows; };
  // From the end: a step only leads to later ones.
  for (std::size_t i = steps_.size(); i-- > 0;) {
    Step& step = steps_[i];
    const auto first = tables_.conditions.begin();
    step.prefix_follows = step.guard != kNoGuard || follows(step.on_true) || follows(step.on_false) ||
                          std::any_of(first + step.conditions_begin, first + step.conditions_end,
                                      [&](const Condition& condition) { return reads_prefix(condition); });
  }
}

/// Steps only lead to later ones, so one pass from the end suffices.
void Program::count_ways() {
  std::vector<std::uint64_t> ways(steps_.size(), 0);
  const auto ways_from = [&](std::uint32_t at) -> std::uint64_t {
    if (at == kAccept) return 1;
    return at == kReject ? 0 : ways[at];
  };
  const auto edits_from = [&](std::uint32_t at) { return at < kReject && steps_[at].edits_follow; };
  for (std::size_t i = steps_.size(); i-- > 0;) {
    Step& step = steps_[i];
    const std::uint64_t if_true = ways_from(step.on_true);
    const std::uint64_t if_false = ways_from(step.on_false);
    const bool edits_here = step.edits_begin != step.edits_end && if_true > 0;
    step.edits_follow = edits_here || edits_from(step.on_true) || edits_from(step.on_false);
    if (step.edits_follow) {
      // Saturated one above the limit, so that the sums cannot overflow.
      ways[i] = std::min(if_true + if_false, kWaysMax + 1);
      step.ways_if_false = static_cast<std::uint32_t>(std::min(if_false, kWaysMax));
      if (ways[i] > kWaysMax) ways_fit_ = false;
    } else {
      // Without edits on any way to the end all of them have the same result.
      ways[i] = if_true + if_false > 0 ? 1 : 0;
    }
  }
}

Judgement Program::judge(const PathAttributes& attributes, const PolicyContext& context, PolicyRun& run) const {
  Subject subject(attributes, context);
  std::uint32_t way = 0;
  bool edited = false;
  std::uint32_t at = entry_;
  const auto step_on = [&] {
    const Step& step = steps_[at];
    if (!fires(step, subject)) {
      at = step.on_false;
      return;
    }
    // Ways are numbered so that those over on_false come first.
    way += step.ways_if_false;
    edited = edited || step.edits_begin != step.edits_end;
    at = step.on_true;
  };
  for (at = past_guard(at, subject); at < kReject && steps_[at].prefix_follows; at = past_guard(at, subject)) step_on();
  if (at < kReject) {
    // The rest of the program reads no prefix, so its result holds for all routes with the same attributes that come to
    // the same step.
    if (run.at_ != at) {
      const std::uint32_t from = at;
      const std::uint32_t way_before = std::exchange(way, 0);
      const bool edited_before = std::exchange(edited, false);
      while (at < kReject) step_on();
      run.at_ = from;
      run.way_ = way;
      run.edited_ = edited;
      run.accepted_ = at == kAccept;
      way = way_before;
      edited = edited_before;
    }
    // The number of a way is the sum over its steps, in whichever order.
    way += run.way_;
    edited = edited || run.edited_;
    at = run.accepted_ ? kAccept : kReject;
  }
  if (at == kReject) return {false, 0};
  return {true, edited ? way + 1 : 0};
}

bool Program::accepts(std::uint32_t entry, Subject& subject) const {
  std::uint32_t at = past_guard(entry, subject);
  while (at < kReject) at = past_guard(fires(steps_[at], subject) ? steps_[at].on_true : steps_[at].on_false, subject);
  return at == kAccept;
}

void Program::apply(std::uint32_t outcome, const PolicyContext& context, PathAttributes& attributes) const {
  if (outcome == 0) return;
  std::uint32_t way = outcome - 1;
  std::uint32_t at = entry_;
  // The number says at each step which branch was taken: judge() is not run again.
  while (at < kReject && steps_[at].edits_follow) {
    const Step& step = steps_[at];
    if (way < step.ways_if_false) {
      at = step.on_false;
      continue;
    }
    way -= step.ways_if_false;
    for (std::uint32_t i = step.edits_begin; i < step.edits_end; ++i) carry_out(edits_[i], context, attributes);
    at = step.on_true;
  }
}

DecidingTerm Program::end_of_policy() const {
  if (terms_.empty() || entry_ >= kReject) return {{}, "default", {}};
  return {terms_[steps_[entry_].term].policy, "default", {}};
}

bool Program::decides(const Step& step, std::uint32_t next) const {
  const TermVerdict verdict = terms_[step.term].verdict;
  return next >= kReject && (verdict == TermVerdict::accept || verdict == TermVerdict::reject);
}

DecidingTerm Program::deciding_term(const PathAttributes& attributes, const PolicyContext& context) const {
  Subject subject(attributes, context);
  std::uint32_t at = past_guard(entry_, subject);
  while (at < kReject) {
    const Step& step = steps_[at];
    const bool fired = fires(step, subject);
    const std::uint32_t next = fired ? step.on_true : step.on_false;
    if (fired && decides(step, next)) {
      const Term& term = terms_[step.term];
      return {term.policy, term.name, term.mark};
    }
    at = past_guard(next, subject);
  }
  return end_of_policy();
}

PolicyTrace Program::trace(const PathAttributes& attributes, const PolicyContext& context) const {
  PolicyTrace trace;
  trace.result = attributes;
  trace.policy = end_of_policy().policy;
  trace.term = end_of_policy().term;
  Subject subject(attributes, context);
  std::uint32_t at = entry_;
  while (at < kReject) {
    const Step& step = steps_[at];
    const Term& term = terms_[step.term];
    TermTrace seen{term.policy, term.name, term.mark, term.depth, true, {}, {}, term.verdict};
    // In the order of the text, not in that in which they are asked.
    seen.conditions.resize(step.conditions_end - step.conditions_begin);
    for (std::uint32_t i = step.conditions_begin; i < step.conditions_end; ++i) {
      const Condition& condition = tables_.conditions[i];
      const bool held = holds(condition, tables_, *this, subject);
      seen.conditions[condition.written] = {term.conditions[condition.written],
                                            actual_of(condition.kind, attributes, context), held};
      seen.fired = seen.fired && held;
    }
    if (seen.fired) {
      for (std::uint32_t i = step.edits_begin; i < step.edits_end; ++i) {
        seen.edits.push_back(to_text(edits_[i]));
        carry_out(edits_[i], context, trace.result);
      }
    }
    at = seen.fired ? step.on_true : step.on_false;
    // A step that only calls another policy decides nothing itself.
    if (seen.fired && decides(step, at)) {
      trace.policy = term.policy;
      trace.term = term.name;
      trace.mark = term.mark;
    }
    trace.terms.push_back(std::move(seen));
  }
  trace.accepted = at == kAccept;
  if (!trace.accepted) trace.result = attributes;
  return trace;
}

}  // namespace minibgp::policy
