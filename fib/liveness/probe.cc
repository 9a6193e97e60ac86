#include <fib/liveness/probe.h>

#include <algorithm>
#include <utility>

namespace minibgp::fib {
namespace {

/// Longer than any path in use takes.
constexpr Duration kPatienceMax = std::chrono::seconds{3};

}  // namespace

void RoundTrips::add(Duration round_trip) {
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(round_trip).count();
  // The first bucket whose bound is not exceeded; what exceeds all of them is in the last one.
  const auto bucket = std::lower_bound(kUpperMs.begin(), kUpperMs.end(), milliseconds) - kUpperMs.begin();
  ++counts[static_cast<std::size_t>(bucket)];
  ++total;
  sum += round_trip;
  last = round_trip;
}

Probe::Probe(const ProbeOptions& options, std::uint64_t seed, Time now)
    // xorshift never leaves zero.
    : options_(options), random_(seed | 1U), since_(now), next_send_(now) {
  options_.interval = std::clamp(options.interval, kProbeIntervalMin, kProbeIntervalMax);
  options_.down_after = std::max<std::uint8_t>(options.down_after, 1);
  options_.up_after = std::max<std::uint8_t>(options.up_after, 1);
  options_.jitter_percent = std::min<std::uint8_t>(options.jitter_percent, 50);
}

Duration Probe::jittered() {
  // xorshift64*: this needs no quality, only reproducibility.
  random_ ^= random_ >> 12U;
  random_ ^= random_ << 25U;
  random_ ^= random_ >> 27U;
  // In tenths of a percent, so that small jitters are not rounded away. The upper bits are the better ones.
  const std::uint64_t share = ((random_ * 0x2545F4914F6CDD1DU) >> 33U) % (options_.jitter_percent * 10U + 1U);
  return options_.interval - options_.interval * static_cast<std::int64_t>(share) / 1000;
}

void Probe::enter(ProbeState state, Time now) {
  if (state_ == state) return;
  state_ = state;
  since_ = now;
}

std::optional<Duration> Probe::smoothed_round_trip() const {
  return smoothed_ == Duration{} ? std::nullopt : std::optional{smoothed_};
}

/// RFC 6298 s.2. On a path that is slower than the interval there is an interval to spare, because a request is looked
/// at only when others are sent.
Duration Probe::patience() const {
  if (smoothed_ == Duration{}) return kPatienceMax;
  const Duration usual = smoothed_ + 4 * variation_;
  return std::min(usual > options_.interval ? usual + options_.interval : usual, kPatienceMax);
}

void Probe::measure(Duration round_trip) {
  // Zero stands for "no measurement yet".
  round_trip = std::max(round_trip, Duration{1});
  if (smoothed_ == Duration{}) {
    smoothed_ = round_trip;
    variation_ = round_trip / 2;
  } else {
    const Duration error = round_trip > smoothed_ ? round_trip - smoothed_ : smoothed_ - round_trip;
    // RFC 6298 s.2.3: beta 1/4 and alpha 1/8; the variation is updated with the old average.
    variation_ = (3 * variation_ + error) / 4;
    smoothed_ = (7 * smoothed_ + round_trip) / 8;
  }
  round_trips_.add(round_trip);
}

void Probe::give_up(Request& request) {
  if (std::exchange(request.given_up, true)) return;
  ++counters_.lost;
}

/// Which requests are overdue follows from their age and from what is known of the path now: an answer that shows the
/// path to be slow makes requests open again that were overdue.
void Probe::look_through(Time now) {
  const Duration patient = patience();
  for (Request& request : requests_) {
    if (request.fate == Fate::none || request.fate == Fate::answered) continue;
    const Duration age = now - request.sent_at;
    // A request is judged when the next one is due at the earliest: an open one must not count as lost before.
    const bool next_is_due = request.sequence != sequence_ || now >= next_send_;
    request.fate = next_is_due && (request.failed || age >= patient) ? Fate::overdue : Fate::open;
    // Counted as lost once, but its answer is still looked for: it counts as late.
    if (request.fate == Fate::overdue && age >= kPatienceMax) give_up(request);
  }
}

std::uint8_t Probe::losses_in_a_row() const {
  std::uint8_t losses = 0;
  for (unsigned age = 0; age < kRemembered; ++age) {
    const Fate fate = back(age).fate;
    if (fate == Fate::answered || fate == Fate::none) break;
    // An open one neither ends the row nor counts.
    if (fate == Fate::overdue) ++losses;
  }
  return losses;
}

/// A request that was passed by a newer one that was answered ends the row: it is late at least.
unsigned Probe::answers_in_a_row() const {
  unsigned answers = 0;
  for (unsigned age = 0; age < kRemembered; ++age) {
    const Fate fate = back(age).fate;
    if (fate == Fate::answered) {
      ++answers;
    } else if (fate != Fate::open || answers != 0) {
      break;
    }
  }
  return answers;
}

unsigned Probe::recent(Fate fate) const {
  constexpr unsigned kRecent = 64;
  unsigned count = 0;
  for (unsigned age = 0; age < kRecent; ++age)
    if (back(age).fate == fate) ++count;
  return count;
}

unsigned Probe::recent() const { return recent(Fate::answered) + recent_losses(); }

unsigned Probe::recent_losses() const { return recent(Fate::overdue); }

void Probe::judge(Time now) {
  look_through(now);
  // From `learning` only an answer leads on (on_answer()), so a target that never answered is not reported as down.
  if (state_ == ProbeState::up && losses_in_a_row() >= options_.down_after) {
    enter(ProbeState::down, now);
  } else if (state_ == ProbeState::down && answers_in_a_row() >= options_.up_after) {
    enter(ProbeState::up, now);
  }
}

std::optional<std::uint16_t> Probe::on_time(Time now) {
  if (now < next_send_) return std::nullopt;
  judge(now);
  // After a pause (the machine slept, the loop hung) the next request is due one interval from now, not all at once.
  next_send_ = now + jittered();
  // The ring holds kRemembered requests; the one that is overwritten will not be looked at again.
  Request& request = of(++sequence_);
  if (request.fate == Fate::open || request.fate == Fate::overdue) give_up(request);
  request = {now, sequence_, Fate::open, false, false};
  ++counters_.sent;
  return sequence_;
}

void Probe::on_answer(std::uint16_t sequence, Time now) {
  Request& request = of(sequence);
  const bool waits = request.fate == Fate::open || request.fate == Fate::overdue;
  // A repeated answer, or one to a request whose place was taken.
  if (!waits || request.sequence != sequence || request.failed) return;
  request.fate = Fate::answered;
  last_answer_ = now;
  ++(request.given_up ? counters_.late : counters_.answered);
  measure(now - request.sent_at);
  if (state_ == ProbeState::learning) enter(ProbeState::up, now);
  judge(now);
}

void Probe::on_send_failed(std::uint16_t sequence) {
  if (Request& request = of(sequence); request.sequence == sequence) request.failed = true;
}

void Probe::reset(Time now) {
  for (Request& request : requests_) request.fate = Fate::none;
  next_send_ = now;
  // Up until shown otherwise: requests of before the pause say nothing now.
  if (last_answer_) enter(ProbeState::up, now);
}

}  // namespace minibgp::fib
