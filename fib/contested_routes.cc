#include <fib/contested_routes.h>

namespace minibgp::fib {

/// Only what another program did counts: the kernel takes routes along with a link or an address as often as those
/// come and go, and each time they are to be back at once.
void ContestedRoutes::provoke(RouteRecords::Id id, const RouteKey& key, const Intrusion& by) {
  if (by.port_id == 0) return;
  if (contested_.size() >= kContestedMax && !contested_.contains(key)) {
    RouteRecord& record = records_[id];
    if (record.truce == 0) crowd_.push_back(id);
    record.truce = 1;
    return;
  }
  Contested& contested = contested_[key];
  contested.last = by;
  contested.provoked = true;
}

bool ContestedRoutes::is_repaired_too_often(RouteRecords::Id id, const RouteKey& key, Time now) {
  const auto found = contested_.find(key);
  if (found == contested_.end() || !std::exchange(found->second.provoked, false)) return false;
  Contested& contested = found->second;
  const Duration calm = std::max(kRepairWindow, contested.wait * 2);
  const bool was_calm = now - contested.latest > calm;
  const bool window_over = contested.wait == Duration::zero() && now - contested.first > kRepairWindow;
  if (was_calm || window_over) {
    contested.first = now;
    contested.repairs = 0;
    contested.wait = {};
  }
  contested.latest = now;
  if (++contested.repairs <= kRepairsAtOnce) return false;
  contested.wait = contested.wait == Duration::zero() ? kRepairWaitFirst : std::min(contested.wait * 2, kRepairWaitMax);
  records_[id].truce = 1;
  truces_.insert({now + contested.wait, key});
  if (contests_.size() < kContestsKept)
    contests_.push_back({key, contested.last, contested.repairs - 1, contested.wait});
  return true;
}

void ContestedRoutes::forget_provocation(const RouteKey& key) {
  if (const auto found = contested_.find(key); found != contested_.end()) found->second.provoked = false;
}

void ContestedRoutes::end_truce(RouteRecords::Id id) {
  RouteRecord& record = records_[id];
  record.truce = 0;
  const RouteKey key = records_.key_of(record);
  // It did not run out, so the next one is as long. Else a route that changes often would soon wait for the longest.
  if (const auto found = contested_.find(key); found != contested_.end()) found->second.wait /= 2;
  std::erase_if(truces_, [&key](const auto& truce) { return truce.second == key; });
}

std::vector<RouteRecords::Id> ContestedRoutes::take_due(Time now) {
  std::vector<RouteRecords::Id> ids;
  // Truces and crowd may name a route that waits no longer, or whose id another one has now.
  const auto take = [&](RouteRecords::Id id) {
    if (id == RouteRecords::kNone || !records_.contains(id) || records_[id].truce == 0) return;
    records_[id].truce = 0;
    ids.push_back(id);
  };
  for (; !truces_.empty() && truces_.begin()->first <= now; truces_.erase(truces_.begin()))
    take(records_.find(truces_.begin()->second));
  if (!crowd_.empty() && crowd_until_ == kNever) crowd_until_ = now + kRepairWaitFirst;
  if (now >= crowd_until_) {
    crowd_until_ = kNever;
    for (const RouteRecords::Id id : std::exchange(crowd_, {})) take(id);
  }
  if (!contested_.empty() && now >= forget_at_) forget_old(now);
  return ids;
}

void ContestedRoutes::forget_old(Time now) {
  forget_at_ = now + kRepairWaitMax;
  std::erase_if(contested_, [now](const auto& item) {
    const Contested& contested = item.second;
    return !contested.provoked && now - contested.latest > std::max(kRepairWindow, contested.wait * 2);
  });
}

std::optional<Intrusion> ContestedRoutes::by(const RouteKey& key) const {
  const auto found = contested_.find(key);
  if (found == contested_.end()) return std::nullopt;
  return found->second.last;
}

}  // namespace minibgp::fib
