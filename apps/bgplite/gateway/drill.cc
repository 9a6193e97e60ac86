#include <apps/bgplite/gateway/drill.h>

#include <algorithm>

namespace bgplite {

using minibgp::Duration;
using minibgp::Time;
using State = DrillReport::State;
using End = DrillReport::End;

namespace {

double per_second(std::uint64_t packets, Duration duration) {
  // A pause of 0 has no rate.
  const double seconds = std::chrono::duration<double>{duration}.count();
  return seconds > 0 ? static_cast<double>(packets) / seconds : 0;
}

/// What was carried between two readings. A counter that is smaller than before began again at 0: the interface was
/// made anew.
std::uint64_t since(std::uint64_t before, std::uint64_t now) { return now >= before ? now - before : now; }

}  // namespace

const char* to_text(State state) {
  switch (state) {
    case State::measuring:
      return "measuring";
    case State::running:
      return "running";
    case State::done:
      return "done";
  }
  return "";
}

const char* to_text(End end) {
  switch (end) {
    case End::none:
      return "";
    case End::time:
      return "its time was over";
    case End::asked:
      return "ended by the operator";
    case End::failed:
      return "the tunnel failed in earnest";
  }
  return "";
}

Drill::Drill(Duration length, Time now, std::optional<TrafficCounters> counters)
    // Without counters (an interface that cannot be read) the drill takes place, but nothing is measured.
    : length_(length), started_(now), last_sample_(now), last_(counters) {
  report_.counted = counters.has_value();
}

Drill::Action Drill::on_time(Time now, std::optional<TrafficCounters> counters) {
  if (report_.state == State::done || now < next_deadline()) return Action::none;
  if (counters) count(now, *counters);
  last_sample_ = now;
  if (report_.state == State::measuring) {
    if (now < started_ + kBaseline) return Action::none;
    if (report_.counted) {
      report_.in.before_per_s = per_second(carried_.in, now - started_);
      report_.out.before_per_s = per_second(carried_.out, now - started_);
    }
    report_.state = State::running;
    failed_at_ = busy_in_ = busy_out_ = now;
    return Action::fail;
  }
  // Sampled more often than that; the failure itself lasts as long as was asked for.
  if (now < failed_at_ + length_) return Action::none;
  return end(End::time, now) ? Action::restore : Action::none;
}

void Drill::count(Time now, const TrafficCounters& counters) {
  const TrafficCounters before = last_.value_or(counters);
  last_ = counters;
  const TrafficCounters step{since(before.in, counters.in), since(before.out, counters.out)};
  if (report_.state != State::running) {
    carried_.in += step.in, carried_.out += step.out;
    return;
  }
  // One step says whether traffic still comes; all of them since the failure are what was lost.
  if (step.in > kQuiet) busy_in_ = now;
  if (step.out > kQuiet) busy_out_ = now;
  report_.in.packets += step.in;
  report_.out.packets += step.out;
}

bool Drill::end(End why, Time now) {
  if (report_.state == State::done) return false;
  const bool failing = report_.state == State::running;
  // With all that was measured until now, because report() answers for a running drill only.
  report_ = report(now);
  report_.state = State::done;
  report_.end = why;
  return failing;
}

Time Drill::next_deadline() const {
  if (report_.state == State::done) return minibgp::kNever;
  const Time due = report_.state == State::measuring ? started_ + kBaseline : failed_at_ + length_;
  return std::min(due, last_sample_ + kSample);
}

DrillReport Drill::report(Time now) const {
  if (report_.state != State::running) return report_;
  DrillReport report = report_;
  report.lasted = now - failed_at_;
  const auto moved = [&](DrillReport::Direction& direction, Time busy) {
    // Where there was no traffic before, its absence means nothing.
    const bool any = direction.before_per_s * std::chrono::duration<double>{kSample}.count() > kQuiet;
    // Two quiet samples: one may be chance.
    if (any && last_sample_ - busy >= 2 * kSample)
      direction.moved_after = std::chrono::duration_cast<std::chrono::milliseconds>(busy - failed_at_);
  };
  moved(report.in, busy_in_);
  moved(report.out, busy_out_);
  return report;
}

}  // namespace bgplite
