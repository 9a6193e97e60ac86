#include <fib/dump_schedule.h>

#include <algorithm>

namespace minibgp::fib {

void DumpSchedule::ask_for_comparison() {
  comparison_wanted_ = true;
  ask_for_forwarding();
}

bool DumpSchedule::begin_audit(Time now) {
  if (now < next_audit_) return false;
  // One audit at a time: the next is counted from the end of this one.
  next_audit_ = kNever;  // Set again when the dump ended.
  ask_for_forwarding();
  return true;
}

DumpRequest DumpSchedule::take(Time now, bool has_next_hops) {
  // A comparison that a caller waits for does not keep the pause between dumps.
  if (running_ != 0 || !wanted_.any() || (now < next_at_ && !comparison_wanted_)) return {};
  DumpRequest request = std::exchange(wanted_, {});
  // The kernel answers a dump of next hops under the lock that changes of links hold: after it, what they took along
  // is gone from the routes as well. So it goes first, also for the sake of waiting.
  if (!has_next_hops) request.next_hops = false;
  running_ = static_cast<unsigned>(request.links) + static_cast<unsigned>(request.next_hops) +
             static_cast<unsigned>(request.routes);
  began_ = now;
  if (request.routes && std::exchange(comparison_wanted_, false)) comparing_ = true;
  return request;
}

void DumpSchedule::end(DumpPart part, bool complete, Time now) {
  // What was incomplete is read again after the pause.
  if (!complete) {
    wanted_.links = wanted_.links || part == DumpPart::links;
    wanted_.next_hops = wanted_.next_hops || part == DumpPart::next_hops;
    wanted_.routes = wanted_.routes || part == DumpPart::routes;
  }
  if (--running_ != 0) return;
  // The pause grows with the time a dump takes, so that a large table does not keep the kernel busy all the time.
  next_at_ = now + std::max(kSpacing, kShare * (now - began_));
  if (audit_interval_ > Duration::zero()) next_audit_ = now + audit_interval_;
  // Ready once, ready for good.
  ready_ = ready_ || !wanted_.any();
}

// An audit may come while other dumps wait for their time.
Time DumpSchedule::next_deadline() const {
  return running_ == 0 && wanted_.any() ? std::min(next_at_, next_audit_) : next_audit_;
}

}  // namespace minibgp::fib
