#include <fib/liveness/probe.h>

#include <algorithm>
#include <bit>

namespace minibgp::fib {

void RoundTrips::add(Duration round_trip) {
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(round_trip).count();
  const auto bucket = std::lower_bound(kUpperMs.begin(), kUpperMs.end(), milliseconds) - kUpperMs.begin();
  ++counts[static_cast<std::size_t>(bucket)];
  ++total;
  sum += round_trip;
  last = round_trip;
}

Probe::Probe(const ProbeOptions& options, std::uint64_t seed, Time now)
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
  const std::uint64_t share = ((random_ * 0x2545F4914F6CDD1DU) >> 33U) % (options_.jitter_percent * 10U + 1U);
  return options_.interval - options_.interval * static_cast<std::int64_t>(share) / 1000;
}

void Probe::enter(ProbeState state, Time now) {
  if (state_ == state) return;
  state_ = state;
  since_ = now;
}

void Probe::note(std::uint64_t lost) {
  history_ = (history_ << 1U) | lost;
  recent_ = std::min(recent_ + 1, 64U);
}

unsigned Probe::recent_losses() const { return static_cast<unsigned>(std::popcount(history_)); }

void Probe::note_loss(Time now) {
  waiting_.reset();
  note(1);
  ++counters_.lost;
  answers_ = 0;
  if (losses_ < 0xFF) ++losses_;
  if (state_ == ProbeState::up && losses_ >= options_.down_after) enter(ProbeState::down, now);
}

std::optional<std::uint16_t> Probe::on_time(Time now) {
  if (now < next_send_) return std::nullopt;
  if (waiting_) note_loss(now);
  // After a pause (the machine slept, the loop hung) the next request is due one interval from now, not all at once.
  next_send_ = now + jittered();
  sent_at_ = now;
  waiting_ = ++sequence_;
  ++counters_.sent;
  return sequence_;
}

void Probe::on_answer(std::uint16_t sequence, Time now) {
  last_answer_ = now;
  if (waiting_ != sequence) {
    ++counters_.late;
    losses_ = 0;
    return;
  }
  waiting_.reset();
  note(0);
  ++counters_.answered;
  round_trips_.add(now - sent_at_);
  losses_ = 0;
  if (answers_ < 0xFF) ++answers_;
  if (state_ == ProbeState::learning || (state_ == ProbeState::down && answers_ >= options_.up_after))
    enter(ProbeState::up, now);
}

void Probe::on_send_failed(std::uint16_t sequence) {
  // It stays in waiting_: the next on_time() counts it as lost, at the pace of the interval.
  if (waiting_ == sequence) answers_ = 0;
}

void Probe::reset(Time now) {
  waiting_.reset();
  losses_ = answers_ = 0;
  next_send_ = now;
  if (last_answer_) enter(ProbeState::up, now);
}

}  // namespace minibgp::fib
