/// Policy, behind bgp/policy.h: a Program and nothing else.
#include <bgp/policy.h>
#include <bgp/policy/program.h>

namespace minibgp {

std::shared_ptr<const Policy> Policy::accept_all() {
  // Static, so that policies without rules compare equal by their address.
  static const auto policy = std::make_shared<const Policy>(std::make_unique<const policy::Program>(
      policy::Tables{}, std::vector<policy::Program::Step>{}, std::vector<PolicyEdit>{},
      std::vector<policy::Program::Term>{}, policy::Program::kAccept));
  return policy;
}

std::shared_ptr<const Policy> Policy::reject_all() {
  static const auto policy = std::make_shared<const Policy>(std::make_unique<const policy::Program>());
  return policy;
}

Policy::Policy(std::unique_ptr<const policy::Program> program) : program_(std::move(program)) {}
Policy::~Policy() = default;

bool Policy::takes_all() const { return program_->entry() == policy::Program::kAccept; }
bool Policy::refuses_all() const { return program_->entry() == policy::Program::kReject; }
bool Policy::reads_prefix() const { return program_->reads_prefix(); }
bool Policy::reads_peer() const { return program_->reads_peer(); }

Judgement Policy::judge(const PathAttributes& attributes, const PolicyContext& context) const {
  PolicyRun alone;
  return program_->judge(attributes, context, alone);
}

Judgement Policy::judge(const PathAttributes& attributes, const PolicyContext& context, PolicyRun& run) const {
  return program_->judge(attributes, context, run);
}

void Policy::apply(std::uint32_t outcome, const PolicyContext& context, PathAttributes& attributes) const {
  program_->apply(outcome, context, attributes);
}

DecidingTerm Policy::deciding_term(const PathAttributes& attributes, const PolicyContext& context) const {
  return program_->deciding_term(attributes, context);
}

PolicyTrace Policy::trace(const PathAttributes& attributes, const PolicyContext& context) const {
  return program_->trace(attributes, context);
}

}  // namespace minibgp
