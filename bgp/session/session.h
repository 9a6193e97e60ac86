/// One TCP connection's BGP session: framer + fsm + deadlines + send queue. It does not know routes: UPDATE bodies are
/// handed out undecoded. Collision concerns two sessions and lives in pairing.h; when to dial is Connector's.
#pragma once

#include <bgp/peer.h>
#include <bgp/session/negotiation.h>
#include <bgp/types.h>
#include <bgp/wire/error.h>
#include <bgp/wire/message.h>
#include <bgp/wire/refresh.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <variant>

namespace minibgp::session {

/// What poll() hands out. Views are valid until the next call of poll() or the next input.
struct OpenReceived {
  RouterId remote_id{};
};  ///< Ask Pairing about a collision, then go on polling.
struct Established {
  const Negotiated* negotiated = nullptr;
};
struct UpdateReceived {
  Bytes body;
};
struct RefreshReceived {
  wire::Refresh refresh;
};
struct Down {
  DownReason reason = DownReason::none;
  PeerState from{};                 ///< connect: a dial failed, Connector::on_dial_failed().
  wire::MessageError notification;  ///< Sent or received; code 0: none.
  std::string detail;               ///< Text for operators.
  bool close_socket = true;         ///< False when the rim said it is closed already.
  bool flush = false;               ///< A NOTIFICATION waits in outgoing(): send it before closing.
  bool hold_off = false;            ///< For Connector::on_session_down(): idle hold rather than a quick retry.
};
using Event = std::variant<OpenReceived, Established, UpdateReceived, RefreshReceived, Down>;

class Session {
 public:
  enum class Side : std::uint8_t { dialed, accepted };
  /// `options` outlives the session (the peering owns both). An accepted session starts in OpenSent; a dialed one in
  /// Connect until on_connected().
  Session(ConnId conn, Side side, const PeerOptions& options, const LocalIdentity& self, std::uint64_t seed, Time now);
  ~Session();

  void on_connected(Time now);
  /// The bytes must stay put until poll() returned nothing, or until keep_unread(). No byte is copied but those of a
  /// message that is cut by the end of `bytes`.
  void on_received(Bytes bytes, Time now);
  /// Copies what poll() has not consumed, so that the rim may reuse its buffer. Call after the last poll() of a turn.
  void keep_unread();
  void on_sent(std::size_t count, Time now);
  /// The options that a session which is up reads have changed: its keepalive and send hold timers run by them.
  void on_timers_changed(Time now);
  void on_closed(std::error_code reason, Time now);
  void on_time(Time now);
  /// Next thing that happened, at most one message a call.
  [[nodiscard]] std::optional<Event> poll(Time now);
  /// Whether poll() would have more to do (a whole message is buffered).
  [[nodiscard]] bool has_pending() const;

  /// Ends it: sends `error` (code 0: sends nothing), then Down is polled. Messages waiting in the queue are dropped,
  /// but for one that is half sent. notification_sent as the reason means the peer's fault (idle hold follows).
  void stop(const wire::MessageError& error, DownReason reason, Time now);

  /// Whole messages only. The queue counts them (UPDATE, ROUTE-REFRESH) for Counters.
  void send(Bytes messages, Time now);
  void send_refresh(Family family, wire::RefreshKind kind, Time now);
  /// The oldest unsent bytes; they stay put until on_sent() or stop().
  [[nodiscard]] Bytes outgoing() const;
  [[nodiscard]] std::size_t queued_octets() const;

  [[nodiscard]] Time next_deadline() const;
  [[nodiscard]] PeerState state() const;
  [[nodiscard]] const Negotiated& negotiated() const;  ///< Meaningful from OpenConfirm on.
  [[nodiscard]] RouterId remote_id() const;
  [[nodiscard]] Side side() const;
  [[nodiscard]] ConnId conn() const;
  [[nodiscard]] Counters& counters();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace minibgp::session
