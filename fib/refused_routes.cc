#include <fib/refused_routes.h>

#include <algorithm>
#include <utility>

namespace minibgp::fib {

Answer RefusedRoutes::add(const Refusal& refusal, Time now) {
  Refused& refused = errors_[refusal.id];
  if (refused.error != refusal.error || refused.want != refusal.want) refused = {refusal.error, refusal.want, 0};
  if (refused.tries < 0xFF) ++refused.tries;

  Answer answer = kernel_answer(refusal.kind, refusal.error);
  if (refusal.error == EINVAL && refused.tries >= kInvalidTries) answer = Answer::give_up;
  // Another program's, or ours and we have not heard of it: the table tells.
  if (answer == Answer::occupied)
    answer = refusal.there != Foreign::none || refused.tries > kOccupiedTries ? Answer::park : Answer::resync;
  RouteRecord& record = records_[refusal.id];
  switch (answer) {
    case Answer::park:
      record.parked = 1;
      parked_.push_back(refusal.id);
      break;
    case Answer::resync:
    case Answer::back_off:
      record.waiting = 1;
      backing_off_.push_back(refusal.id);
      if (retry_at_ == kNever) {
        retry_at_ = now + back_off_;
        back_off_ = std::min(back_off_ * 2, kBackOffMax);
      }
      break;
    default:
      record.given_up = 1;
  }
  return answer;
}

std::vector<RouteRecords::Id> RefusedRoutes::take_parked() {
  std::vector<RouteRecords::Id> ids = std::exchange(parked_, {});
  std::erase_if(ids, [this](RouteRecords::Id id) {
    if (!records_.contains(id) || records_[id].parked == 0) return true;
    records_[id].parked = 0;
    return false;
  });
  return ids;
}

std::vector<RouteRecords::Id> RefusedRoutes::take_due(Time now) {
  if (now < retry_at_ || backing_off_.empty()) return {};
  std::vector<RouteRecords::Id> ids = std::exchange(backing_off_, {});
  std::erase_if(ids, [this](RouteRecords::Id id) {
    if (!records_.contains(id) || records_[id].waiting == 0) return true;
    records_[id].waiting = 0;
    return false;
  });
  retry_at_ = kNever;
  return ids;
}

int RefusedRoutes::error_of(RouteRecords::Id id) const {
  const auto found = errors_.find(id);
  return found == errors_.end() ? 0 : found->second.error;
}

}  // namespace minibgp::fib
