#include <bgp/base/assert.h>
#include <bgp/session/deadlines.h>
#include <bgp/session/framer.h>
#include <bgp/session/fsm.h>
#include <bgp/session/jitter.h>
#include <bgp/session/send_queue.h>
#include <bgp/session/session.h>
#include <bgp/text.h>
#include <bgp/wire/notification.h>
#include <bgp/wire/numbers.h>

#include <algorithm>
#include <utility>

namespace minibgp::session {
namespace {

namespace notify = wire::notify;

[[nodiscard]] std::string seconds_text(Duration interval) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(interval).count()) + " s";
}

[[nodiscard]] DownReason reason_of(FsmEvent event) {
  switch (event) {
    case FsmEvent::stop:
      return DownReason::admin_down;
    case FsmEvent::hold_expired:
      return DownReason::hold_timer_expired;
    case FsmEvent::send_hold_expired:
      return DownReason::send_hold_timer_expired;
    case FsmEvent::tcp_down:
      return DownReason::tcp_closed;
    case FsmEvent::collision_lost:
      return DownReason::collision;
    case FsmEvent::notification:
      return DownReason::notification_received;
    default:
      return DownReason::notification_sent;
  }
}

/// Reasons of stop() that are our own wish, not the peer's fault: RFC 4271's ManualStop and AutomaticStop.
[[nodiscard]] FsmEvent stop_event(DownReason reason) {
  switch (reason) {
    case DownReason::collision:
      return FsmEvent::collision_lost;
    case DownReason::notification_sent:
      return FsmEvent::message_error;
    default:
      return FsmEvent::stop;
  }
}

[[nodiscard]] std::string notification_text(const wire::MessageError& error) {
  std::string text = wire::to_text(error);
  // A Hard Reset wraps the reason (RFC 8538 s.3).
  if (error.code == notify::kCease && error.subcode == notify::kHardReset && error.data.size() >= 2)
    text += " (" + wire::to_text(wire::MessageError{error.data[0], error.data[1], {}}) + ")";
  if (const std::string said = wire::shutdown_text(error); !said.empty()) text += " \"" + said + "\"";
  return text;
}

}  // namespace

struct Session::Impl {
  Impl(ConnId conn_id, Side which_side, const PeerOptions& peer_options, const LocalIdentity& identity,
       std::uint64_t seed)
      : conn(conn_id), side(which_side), options(peer_options), self(identity), jitter(seed) {}

  const ConnId conn;
  const Side side;
  const PeerOptions& options;
  const LocalIdentity self;

  PeerState state = PeerState::active;
  Framer framer;
  SendQueue queue;
  Deadlines deadlines;
  Duration hold{};       ///< What arm_hold stores: the large hold time until the OPEN came.
  Duration keepalive{};  ///< 0: none are sent.
  Duration send_hold = kSendHoldMin;
  Jitter jitter;
  Negotiated negotiated;
  Counters counters;
  std::optional<Event> event;  ///< Waiting for poll().
  bool down = false;

  [[nodiscard]] std::size_t max_message() const {
    // Until the peer's OPEN was accepted nothing is agreed, so an OPEN has at most 4096 octets (RFC 8654).
    return state == PeerState::open_confirm || state == PeerState::established ? negotiated.receive.max_message
                                                                               : wire::kMaxMessage;
  }

  // --- Sending ---

  void enqueue(Bytes messages, Time now) {
    if (queue.empty()) deadlines.send_hold = now + send_hold;
    queue.append(messages);
  }
  void arm_keepalive(Time now) {
    deadlines.keepalive = keepalive == Duration{} ? kNever : now + jitter.shorten(keepalive);
  }
  void send_keepalive(Time now) {
    std::vector<std::uint8_t> message;
    wire::encode_keepalive(message);
    enqueue(message, now);
    ++counters.keepalives_sent;
    ++counters.messages_sent;
  }
  void send_open(Time now) {
    std::vector<std::uint8_t> message;
    wire::encode_open(make_open(options, self), message);
    enqueue(message, now);
    ++counters.messages_sent;
  }
  void send_notification(const wire::MessageError& error, Time now) {
    queue.cut();  // What the peer did not begin to read would only delay the reason.
    std::vector<std::uint8_t> message;
    wire::encode_notification(error, message);
    enqueue(message, now);
    ++counters.notifications_sent;
    ++counters.messages_sent;
  }

  // --- The machine ---

  /// Steps and carries the actions out. `error` is the event's own NOTIFICATION, sent or received.
  void apply(FsmEvent on, Time now, const wire::MessageError* error = nullptr,
             std::optional<DownReason> reason = std::nullopt, std::string_view detail = {}) {
    const PeerState from = state;
    const FsmStep next = step(from, on);
    state = next.to;
    if (has(next.actions, Do::send_open)) send_open(now);
    if (has(next.actions, Do::send_keepalive)) send_keepalive(now);
    if (has(next.actions, Do::arm_hold_long)) deadlines.hold = now + (hold = kLargeHold);
    if (has(next.actions, Do::arm_hold)) deadlines.hold = hold == Duration{} ? kNever : now + hold;
    if (has(next.actions, Do::arm_keepalive)) arm_keepalive(now);
    if (has(next.actions, Do::report_open)) event = OpenReceived{negotiated.remote_id};
    if (has(next.actions, Do::report_up)) event = Established{&negotiated};
    if (!has(next.actions, Do::drop)) return;

    down = true;
    Down report;
    report.from = from;
    report.reason = reason.value_or(reason_of(on));
    report.hold_off = has(next.actions, Do::arm_idle_hold);
    // The rim that reports tcp_down has closed the socket already.
    report.close_socket = on != FsmEvent::tcp_down;
    if (error != nullptr) {
      report.notification = *error;
    } else if (on != FsmEvent::tcp_down) {
      const NotificationCode code = notification_for(from, on);
      report.notification = {code.code, code.subcode, {}};
    }
    report.detail = describe(on, report.notification, detail);
    if (has(next.actions, Do::send_notify) && report.notification.code != 0) {
      send_notification(report.notification, now);
      report.flush = true;
    }
    event = std::move(report);
    // The flush below is bounded by the rim (its linger), not by a timer of the session.
    deadlines.clear();
  }

  [[nodiscard]] std::string describe(FsmEvent on, const wire::MessageError& error, std::string_view detail) const {
    if (!detail.empty()) return std::string{detail};
    switch (on) {
      case FsmEvent::hold_expired:
        return "hold timer expired (no message for " + seconds_text(hold) + ")";
      case FsmEvent::send_hold_expired:
        return "send hold timer expired (the peer took no octet for " + seconds_text(send_hold) + ")";
      case FsmEvent::notification:
        return "the peer sent " + notification_text(error);
      default:
        return error.code == 0 ? std::string{"closed"} : "sent " + notification_text(error);
    }
  }

  // --- Receiving ---

  void on_open(Bytes body, Time now) {
    // In any other state even an unreadable OPEN is an error of the state machine, not of the message.
    if (state != PeerState::open_sent) return apply(FsmEvent::open, now);
    auto open = wire::decode_open(body);
    if (!open) return apply(FsmEvent::message_error, now, &open.error());
    auto agreed = negotiate(options, self, *open);
    if (!agreed) {
      std::string detail = "sent " + notification_text(agreed.error());
      if (agreed.error().subcode == notify::kBadPeerAs)
        detail += " (it is AS " + to_text(open->asn) + ", configured is AS " + to_text(options.remote_as) + ")";
      return apply(FsmEvent::message_error, now, &agreed.error(), std::nullopt, detail);
    }
    negotiated = std::move(*agreed);
    // Before the step, because arm_hold and arm_keepalive read what is stored here.
    hold = std::chrono::seconds{negotiated.hold_s};
    read_timers();
    apply(FsmEvent::open, now);
  }

  void read_timers() {
    keepalive = std::chrono::seconds{negotiated.keepalive_s};
    send_hold = options.timers.send_hold_s != 0 ? Duration{std::chrono::seconds{options.timers.send_hold_s}}
                                                // RFC 9687 recommends the greater of eight minutes and twice the hold
                                                // time.
                                                : std::max<Duration>(kSendHoldMin, 2 * hold);
  }

  void on_update(Bytes body, Time now) {
    ++counters.updates_received;
    // The step first: in a state that does not expect an UPDATE it ends the session, and the body is not handed out.
    apply(FsmEvent::update, now);
    if (!down) event = UpdateReceived{body};
  }

  void on_refresh(Bytes body, Time now) {
    ++counters.refreshes_received;
    if (state != PeerState::established) return apply(FsmEvent::refresh, now);
    const auto refresh = wire::decode_refresh(body);
    if (!refresh) return apply(FsmEvent::message_error, now, &refresh.error());
    apply(FsmEvent::refresh, now);
    // RFC 2918 s.4: what was not negotiated is ignored. RFC 7313 s.5: so is an unknown subtype.
    if (!refresh->family || !negotiated.families[static_cast<std::size_t>(*refresh->family)]) return;
    if (refresh->kind == wire::RefreshKind::unknown) return;
    event = RefreshReceived{*refresh};
  }

  void on_frame(const Framer::Frame& frame, Time now) {
    ++counters.messages_received;
    counters.octets_received += frame.body.size() + wire::kHeaderSize;
    switch (frame.type) {
      case wire::MessageType::update:
        return on_update(frame.body, now);
      case wire::MessageType::keepalive:
        ++counters.keepalives_received;
        return apply(FsmEvent::keepalive, now);
      case wire::MessageType::open:
        return on_open(frame.body, now);
      case wire::MessageType::route_refresh:
        return on_refresh(frame.body, now);
      case wire::MessageType::notification: {
        ++counters.notifications_received;
        const wire::MessageError error = wire::decode_notification(frame.body);
        return apply(FsmEvent::notification, now, &error);
      }
    }
  }
};

Session::Session(ConnId conn, Side side, const PeerOptions& options, const LocalIdentity& self, std::uint64_t seed,
                 Time now)
    : impl_(std::make_unique<Impl>(conn, side, options, self, seed)) {
  // A dialed session waits for on_connected(); of an accepted one the TCP connection exists already.
  impl_->state = side == Side::dialed ? PeerState::connect : PeerState::active;
  if (side == Side::accepted) impl_->apply(FsmEvent::tcp_up, now);
}
Session::~Session() = default;

void Session::on_connected(Time now) {
  if (impl_->state == PeerState::connect) impl_->apply(FsmEvent::tcp_up, now);
}

void Session::on_received(Bytes bytes, Time) {
  if (!impl_->down) impl_->framer.feed(bytes);
}

void Session::keep_unread() { impl_->framer.keep(); }

void Session::on_sent(std::size_t count, Time now) {
  impl_->queue.sent(count);
  impl_->counters.octets_sent += count;
  // Any progress counts, not only a whole message: a slow peer is not a dead one.
  if (!impl_->down) impl_->deadlines.send_hold = impl_->queue.empty() ? kNever : now + impl_->send_hold;
}

void Session::on_timers_changed(Time now) {
  Impl& session = *impl_;
  if (session.down || session.state < PeerState::open_confirm) return;  // Read when the OPEN comes.
  session.negotiated.keepalive_s = keepalive_interval(session.options, session.negotiated.hold_s);
  session.read_timers();
  session.arm_keepalive(now);
  if (!session.queue.empty()) session.deadlines.send_hold = now + session.send_hold;
}

void Session::on_closed(std::error_code reason, Time now) {
  // The peer closing after our NOTIFICATION is the expected end, and Down was reported.
  if (impl_->down) return;
  const bool orderly = !reason || reason == std::errc::connection_reset || reason == std::errc::broken_pipe;
  std::string detail = reason ? "TCP: " + reason.message() : std::string{"the peer closed the TCP connection"};
  if (impl_->state == PeerState::open_sent) detail += " before its OPEN";
  impl_->apply(FsmEvent::tcp_down, now, nullptr, orderly ? DownReason::tcp_closed : DownReason::tcp_failed, detail);
}

void Session::on_time(Time now) {
  Impl& session = *impl_;
  if (session.down) return;
  // A session whose hold time is over sends no KEEPALIVE any more, so the hold timer is looked at first.
  if (now >= session.deadlines.hold) return session.apply(FsmEvent::hold_expired, now);
  if (now >= session.deadlines.send_hold) return session.apply(FsmEvent::send_hold_expired, now);
  if (now >= session.deadlines.keepalive) session.apply(FsmEvent::keepalive_expired, now);
}

std::optional<Event> Session::poll(Time now) {
  Impl& session = *impl_;
  // At most one event waits: `event` holds a view into the framer, which the next frame would overwrite.
  while (!session.event && !session.down) {
    const auto frame = session.framer.next(session.max_message());
    if (!frame) break;
    if (!*frame) {
      session.apply(FsmEvent::message_error, now, &frame->error());
    } else {
      session.on_frame(**frame, now);
    }
  }
  return std::exchange(session.event, std::nullopt);
}

bool Session::has_pending() const { return impl_->event || (!impl_->down && impl_->framer.has_pending()); }

void Session::stop(const wire::MessageError& error, DownReason reason, Time now) {
  if (impl_->down) return;
  // What was not polled yet is out of date: after stop() the next event is Down.
  impl_->event.reset();
  impl_->apply(stop_event(reason), now, &error, reason);
}

void Session::send(Bytes messages, Time now) {
  Impl& session = *impl_;
  if (session.down || messages.empty()) return;
  for (Bytes rest = messages; !rest.empty();) {
    const std::size_t length = std::size_t{rest[16]} << 8U | rest[17];
    // Octets of our own encoders: export, wire::encode_refresh(). What a peer sends comes through the framer alone.
    BGP_ASSERT(length >= wire::kHeaderSize && length <= rest.size());
    ++session.counters.messages_sent;
    const auto type = static_cast<wire::MessageType>(rest[18]);
    if (type == wire::MessageType::update) ++session.counters.updates_sent;
    if (type == wire::MessageType::route_refresh) ++session.counters.refreshes_sent;
    rest = rest.subspan(length);
  }
  session.enqueue(messages, now);
  session.arm_keepalive(now);  // RFC 4271 s.8.2.2, Established: an UPDATE says as much as a KEEPALIVE.
}

void Session::send_refresh(Family family, wire::RefreshKind kind, Time now) {
  std::vector<std::uint8_t> message;
  wire::encode_refresh(family, kind, message);
  send(message, now);
}

Bytes Session::outgoing() const { return impl_->queue.front(); }
std::size_t Session::queued_octets() const { return impl_->queue.octets(); }
Time Session::next_deadline() const { return impl_->deadlines.next(); }
PeerState Session::state() const { return impl_->state; }
const Negotiated& Session::negotiated() const { return impl_->negotiated; }
RouterId Session::remote_id() const { return impl_->negotiated.remote_id; }
Session::Side Session::side() const { return impl_->side; }
ConnId Session::conn() const { return impl_->conn; }
Counters& Session::counters() { return impl_->counters; }

}  // namespace minibgp::session
