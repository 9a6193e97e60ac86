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
  // Every caller has counted the failure already, but for take_dial() with a hanging attempt and no transport. There
  // the wrapped value gives kRetryMax, which dial_at() then ignores.
  const unsigned earlier = failures() - 1;
  if (earlier < kFastRetries) return jitter_.shorten(doubled(kFirstRetry, earlier));
  return jitter_.shorten(doubled(connect_retry_, earlier - kFastRetries));
}

/// Walks the table; the actions that concern a connection belong to Session.
void Connector::step_to(FsmEvent event, Time now) {
  const FsmStep next = step(state_, event);
  state_ = next.to;
  // Each state has one deadline of its own, so the one of the state that is left ends here.
  deadline_ = kNever;
  if (has(next.actions, Do::dial)) {
    // No answer at all (the SYN is lost) must not keep the peer in Connect for the minutes that the kernel would wait.
    dial_wanted_ = true;
    deadline_ = now + kDialPatience;
  } else if (has(next.actions, Do::arm_retry)) {
    dial_at(now + retry_delay());
  } else if (has(next.actions, Do::arm_idle_hold)) {
    deadline_ = now + retry_delay();
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
  // A new path: failures over the old one say nothing about it.
  if (usable) refused_ = falls_ = 0;
  // An attempt that is under way in Connect keeps its deadline: take_dial() decides then.
  if (!usable && state_ == PeerState::active) deadline_ = kNever;
  if (stopped_ || session_up_ || !usable || passive_) return;
  if (state_ == PeerState::idle) state_ = PeerState::active;  // The idle hold was for the old path.
  step_to(FsmEvent::connect_retry_expired, now);
}

bool Connector::take_dial(Time now) {
  if (now >= next_deadline()) {
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
  ++refused_;
  // The table leads to Active, where a connection of the peer is welcome at any time.
  step_to(FsmEvent::tcp_down, now);
}

void Connector::on_session_up() {
  session_up_ = true;
  dial_wanted_ = false;
}

void Connector::on_established(Time now) {
  established_ = now;
  refused_ = 0;
}

void Connector::on_session_down(SessionEnd end, Time now) {
  session_up_ = false;
  const Time established = std::exchange(established_, kNever);
  if (stopped_) return;
  if (established == kNever) {
    ++refused_;
  } else if (now - established < kGoodSession) {
    ++falls_;
  } else {
    // A long session clears what came before it, but its own end is still a failure: the first retry waits.
    falls_ = 1;
  }
  if (end.dial_hangs) {
    state_ = PeerState::connect;  // With the deadline that it had.
    return;
  }
  // A peer that connects and closes again and again must not put off our own next dial.
  const Time planned = state_ == PeerState::active && deadline_ > now ? deadline_ : kNever;
  // As Session leaves the table: Idle with a hold, or Active to try again.
  state_ = PeerState::active;
  step_to(end.hold_off ? FsmEvent::message_error : FsmEvent::tcp_down, now);
  if (state_ == PeerState::active && deadline_ != kNever) deadline_ = std::min(deadline_, planned);
}

bool Connector::welcomes() const {
  return !stopped_ && (state_ != PeerState::idle || failures() <= kToleratedFailures);
}

}  // namespace minibgp::session
