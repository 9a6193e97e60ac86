#include <bgp/session/connector.h>

#include <algorithm>
#include <utility>

namespace minibgp::session {
namespace {

/// `first` doubled `times` times, at most kRetryMax.
[[nodiscard]] Duration doubled(Duration first, unsigned times) {
  for (; times > 0 && first < kRetryMax; --times) first *= 2;
  return std::min(first, kRetryMax);
}

}  // namespace

Connector::Connector(const PeerOptions& options, std::uint64_t seed) : jitter_(seed) { set_options(options); }

void Connector::set_options(const PeerOptions& options) {
  passive_ = options.passive;
  connect_retry_ = std::chrono::seconds{std::max<std::uint16_t>(1, options.timers.connect_retry_s)};
}

Duration Connector::retry_delay() {
  const unsigned attempt = refused_++;
  if (attempt < kFastRetries) return jitter_.shorten(doubled(kFirstRetry, attempt));
  return jitter_.shorten(doubled(connect_retry_, attempt - kFastRetries));
}

Duration Connector::idle_hold_delay() {
  const unsigned fall = falls_++;
  if (fall == 0) return jitter_.shorten(kFirstIdleHold);
  return jitter_.shorten(doubled(kSecondIdleHold, fall - 1));
}

/// Walks the table; the actions that concern a connection belong to Session.
void Connector::step_to(FsmEvent event, Time now) {
  const FsmStep next = step(state_, event);
  state_ = next.to;
  deadline_ = kNever;
  if (has(next.actions, Do::dial)) {
    dial_wanted_ = true;
    deadline_ = now + kDialPatience;
  } else if (has(next.actions, Do::arm_retry)) {
    dial_at(now + retry_delay());
  } else if (has(next.actions, Do::arm_idle_hold)) {
    deadline_ = now + idle_hold_delay();
  }
}

void Connector::start(Time now) {
  if (!stopped_) return;
  stopped_ = false;
  refused_ = falls_ = 0;
  state_ = PeerState::idle;
  step_to(passive_ || !transport_usable_ ? FsmEvent::start_passive : FsmEvent::start, now);
}

void Connector::stop() {
  stopped_ = true;
  session_up_ = false;
  dial_wanted_ = false;
  state_ = PeerState::idle;
  deadline_ = kNever;
}

void Connector::set_transport_usable(bool usable, Time now) {
  if (transport_usable_ == usable) return;
  transport_usable_ = usable;
  if (stopped_ || session_up_) return;
  if (!usable) {
    if (state_ == PeerState::active) deadline_ = kNever;
    return;
  }
  refused_ = falls_ = 0;
  if (passive_) return;
  if (state_ == PeerState::idle) state_ = PeerState::active;  // The idle hold was for the old path.
  step_to(FsmEvent::connect_retry_expired, now);
}

bool Connector::take_dial(Time now) {
  if (now >= deadline_) {
    if (state_ == PeerState::idle) {
      step_to(passive_ || !transport_usable_ ? FsmEvent::start_passive : FsmEvent::start, now);
    } else if (transport_usable_) {
      step_to(FsmEvent::connect_retry_expired, now);
    } else {
      step_to(FsmEvent::tcp_down, now);  // The attempt hangs and its path is gone.
    }
  }
  return std::exchange(dial_wanted_, false);
}

void Connector::on_dial_failed(Time now) {
  if (stopped_ || session_up_ || state_ != PeerState::connect) return;
  step_to(FsmEvent::tcp_down, now);
}

void Connector::on_session_up(Time) {
  session_up_ = true;
  refused_ = 0;
  dial_wanted_ = false;
  deadline_ = kNever;
}

void Connector::on_established(Time now) { established_ = now; }

void Connector::on_session_down(bool hold_off, Time now) {
  session_up_ = false;
  const bool was_good = established_ != kNever && now - established_ >= kGoodSession;
  established_ = kNever;
  if (stopped_) return;
  if (was_good) falls_ = 0;
  // As Session leaves the table: Idle with a hold, or Active to try again.
  state_ = PeerState::active;
  step_to(hold_off ? FsmEvent::message_error : FsmEvent::tcp_down, now);
}

bool Connector::welcomes() const { return !stopped_ && (state_ != PeerState::idle || falls_ <= kToleratedFalls); }

}  // namespace minibgp::session
