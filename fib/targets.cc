#include <bgp/base/assert.h>
#include <fib/targets.h>

namespace minibgp::fib {

TargetId Targets::make(ForwardingId want) {
  const TargetId id{cells_.insert()};
  forwardings_.ref(want);
  cells_[index(id)].want = want;
  return id;
}

void Targets::set(TargetId target, ForwardingId want) {
  Cell& cell = cells_[index(target)];
  if (cell.want == want) return;
  forwardings_.ref(want);
  forwardings_.unref(cell.want);
  cell.want = want;
  if (cell.routes != 0) changed_ = true;
}

void Targets::release(TargetId target) {
  Cell& cell = cells_[index(target)];
  BGP_ASSERT(cell.routes == 0);  // Injector drops the sets that take_idle() names: no route has them.
  forwardings_.unref(cell.want);
  cells_.erase(index(target));
}

void Targets::move_route(TargetId from, TargetId to) {
  if (from != kNoTarget) {
    Cell& old = cells_[index(from)];
    if (--old.routes == 0 && !old.idle_listed) {
      old.idle_listed = true;
      idle_.push_back(from);
    }
  }
  if (to != kNoTarget) ++cells_[index(to)].routes;
}

std::vector<TargetId> Targets::take_idle() {
  std::vector<TargetId> idle;
  // A target that was listed may have been released since, or have routes again: the list says only "look".
  for (const TargetId target : std::exchange(idle_, {})) {
    if (!cells_.contains(index(target))) continue;
    cells_[index(target)].idle_listed = false;
    if (cells_[index(target)].routes == 0) idle.push_back(target);
  }
  return idle;
}

}  // namespace minibgp::fib
