/// Up to two sessions of one peer, and who survives a collision (RFC 4271 s.6.8, RFC 6286 s.2.3): the side with the
/// higher identifier dominates, on a tie the higher AS; the connection dialed by the dominant side survives; a session
/// that has been Established for a while survives unless graceful restart says the peer restarted (RFC 4724 s.5).
#pragma once

#include <bgp/session/session.h>

namespace minibgp::session {

/// Two connections whose OPENs arrive within this time were dialed at the same moment by two healthy sides. Both ends
/// must then decide by the same rule, although one of them may have called its session Established already.
inline constexpr Duration kCollisionWindow = std::chrono::seconds{5};

enum class Survivor : std::uint8_t { first, second };

struct CollisionInput {
  Session::Side first_side{};
  PeerState first_state{};
  Session::Side second_side{};  ///< The one whose OPEN just arrived.
  RouterId local_id{}, remote_id{};
  Asn local_as{}, remote_as{};
  Duration first_established_for{};    ///< How long, where first_state is Established.
  bool peer_restart_possible = false;  ///< Graceful restart was negotiated on the established one.
};

/// Which of two sessions lives. Total: every pair of sides and states has an answer.
[[nodiscard]] Survivor resolve_collision(const CollisionInput& input);

}  // namespace minibgp::session
