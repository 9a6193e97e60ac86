#include <bgp/session/pairing.h>

namespace minibgp::session {
namespace {

/// RFC 6286 s.2.3: the higher identifier dominates; where two ASes use the same one, the higher AS does.
[[nodiscard]] bool we_dominate(const CollisionInput& input) {
  if (input.local_id != input.remote_id) return input.local_id > input.remote_id;
  return input.local_as > input.remote_as;
}

}  // namespace

Survivor resolve_collision(const CollisionInput& input) {
  // 1. An established session has proven itself (RFC 4271 s.6.8), unless the peer may have restarted without our
  //    noticing: then the new connection is the sign of it (RFC 4724 s.5). A young one is still part of the collision.
  if (input.first_state == PeerState::established && input.first_established_for >= kCollisionWindow)
    return input.peer_restart_possible ? Survivor::second : Survivor::first;
  // 2. Two connections of one side: the peer (or we) gave up the older one without telling.
  if (input.first_side == input.second_side) return Survivor::second;
  // 3. The one that the dominant side dialed.
  const bool first_is_ours = input.first_side == Session::Side::dialed;
  return first_is_ours == we_dominate(input) ? Survivor::first : Survivor::second;
}

}  // namespace minibgp::session
