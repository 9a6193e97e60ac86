/// When to dial a peer: the Idle, Connect and Active part of the state machine, with the connect retry and idle hold
/// timers (RFC 4271 s.8). Not here: the connection itself (Session) and collisions (pairing.h). Pure.
///
/// An attempt that did not reach Established has failed, whoever ended it and however: it is repeated after 100, 200
/// and 400 ms, because a peer that just started, or a tunnel that just came up, is there a moment later; after that
/// connect_retry_s doubles up to 120 s. Sessions that ended within kGoodSession count as failures too. A dial that
/// hangs gets 10 s. All delays are shortened by up to a quarter at random (s.10). With connect_retry_s as it is by
/// default this makes at most five attempts in the first 10 s and at most ten in a minute.
#pragma once

#include <bgp/peer.h>
#include <bgp/session/fsm.h>
#include <bgp/session/jitter.h>
#include <bgp/types.h>

#include <cstdint>

namespace minibgp::session {

inline constexpr Duration kFirstRetry = std::chrono::milliseconds{100};
inline constexpr unsigned kFastRetries = 3;
inline constexpr Duration kRetryMax = std::chrono::seconds{120};
/// SYNs go out after 0, 1, 3 and 7 s; the answer to the last gets a little time too.
inline constexpr Duration kDialPatience = std::chrono::seconds{10};
/// Failures in a row after which connections of the peer are refused during idle hold, too. The first ones are
/// accepted, because a peer that was restarted dials at once and might not try again for two minutes.
inline constexpr unsigned kToleratedFailures = 3;
/// A session that lasted this long clears the peer's record.
inline constexpr Duration kGoodSession = std::chrono::seconds{60};

class Connector {
 public:
  /// Starts in Idle: call start(). `options` is read during the call only.
  Connector(const PeerOptions& options, std::uint64_t seed);
  void set_options(const PeerOptions& options);

  /// The operator (or the configuration) enabled the peer; forgets earlier failures.
  void start(Time now);
  /// Down by the operator: nothing is dialed or accepted until start().
  void stop();
  /// Whether packets can reach the peer at all. Becoming usable dials at once, also over a dial that hangs.
  void set_transport_usable(bool usable, Time now);

  /// True: dial now, and close an attempt that still hangs. Call whenever next_deadline() has come and after every
  /// other call; answers true once per dial.
  [[nodiscard]] bool take_dial(Time now);

  /// The dial was refused, reset or timed out.
  void on_dial_failed(Time now);
  /// A connection of this peer (dialed or accepted) is up: no further dialing until on_session_down().
  void on_session_up();
  void on_established(Time now);
  /// The last connection of the peer that was up ended.
  struct SessionEnd {
    bool hold_off = false;    ///< As Down says.
    bool dial_hangs = false;  ///< An attempt of ours beside it was neither refused nor answered yet: it goes on.
  };
  void on_session_down(SessionEnd end, Time now);

  /// Whether an incoming connection may be taken.
  [[nodiscard]] bool welcomes() const;
  [[nodiscard]] bool transport_usable() const { return transport_usable_; }
  /// Idle, Connect or Active. Meaningful while there is no session.
  [[nodiscard]] PeerState state() const { return state_; }
  [[nodiscard]] Time next_deadline() const { return session_up_ ? kNever : deadline_; }
  /// When the next attempt is due; kNever while one is under way, or when only the peer may dial.
  [[nodiscard]] Time next_attempt() const { return state_ == PeerState::connect ? kNever : next_deadline(); }
  /// Attempts and short sessions in a row that failed.
  [[nodiscard]] unsigned failures() const { return refused_ + falls_; }

 private:
  void step_to(FsmEvent event, Time now);
  void dial_at(Time when) { deadline_ = transport_usable_ && !passive_ ? when : kNever; }
  /// After one more failure.
  [[nodiscard]] Duration retry_delay();

  Jitter jitter_;
  Duration connect_retry_{};
  bool passive_ = false;
  bool stopped_ = true;
  bool transport_usable_ = true;
  bool session_up_ = false;
  PeerState state_ = PeerState::idle;
  bool dial_wanted_ = false;
  unsigned refused_ = 0;  ///< Attempts since the last session that did not reach Established.
  unsigned falls_ = 0;    ///< Sessions in a row that ended soon.
  Time established_ = kNever;
  /// Connect: the attempt hangs. Active: dial. Idle: idle hold ends. While a connection is up it waits.
  Time deadline_ = kNever;
};

}  // namespace minibgp::session
