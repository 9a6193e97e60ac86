/// The timers of a session as plain times: arming one is a store, and whoever drives the session sleeps until the
/// earliest. kNever: not armed.
#pragma once

#include <bgp/types.h>

#include <algorithm>

namespace minibgp::session {

/// How long a peer may take from TCP up to its OPEN (RFC 4271 s.8.2.2 suggests 4 minutes).
inline constexpr Duration kLargeHold = std::chrono::minutes{4};
/// RFC 9687 s.4.1: at least 8 minutes, or twice the hold time.
inline constexpr Duration kSendHoldMin = std::chrono::minutes{8};

struct Deadlines {
  Time hold = kNever;       ///< Nothing arrived for too long.
  Time keepalive = kNever;  ///< Time to say something.
  Time send_hold = kNever;  ///< Bytes wait and the peer takes none of them (RFC 9687).

  [[nodiscard]] Time next() const { return std::min({hold, keepalive, send_hold}); }
  void clear() { *this = Deadlines{}; }
};

}  // namespace minibgp::session
