/// The part of Gateway that deals with what is done on purpose: tunnels that are taken down, drains and drills.
#include <apps/bgplite/gateway/gateway.h>
#include <apps/bgplite/gateway/on_input.h>
#include <bgp/text.h>

#include <algorithm>
#include <utility>

namespace bgplite {

using minibgp::LogArea;
using minibgp::LogLevel;
using minibgp::PeerId;
using minibgp::PeerState;

// A tunnel goes on purpose

/// Ends the sessions over these tunnels while they work, so that the peers' traffic leaves them before they go. False:
/// there was none.
bool Gateway::leave_tunnels(const std::vector<std::string>& tunnels, std::string_view why) {
  bool any = false;
  for (const minibgp::PeerStatus& peer : view_.sessions()) {
    const std::string* const key = peers_.key_of(peer.id);
    // Also those that are away: their stale routes (RFC 4724) leave the kernel with the tunnel, others in their place
    // only after the speaker let go of them.
    if (key == nullptr || (peer.state != PeerState::established && !peer.stale)) continue;
    const std::string& tunnel = peers_.at(*key).tunnel;
    if (tunnel.empty() || std::find(tunnels.begin(), tunnels.end(), tunnel) == tunnels.end()) continue;
    // Not a reset: a peer that helps restarts (RFC 8538) would keep sending into the tunnel.
    // In this order: the Cease leaves while the tunnel works, and the transport keeps the peer from dialing again.
    effects_.emit(effect::DisablePeer{peer.id, std::string{why}});
    effects_.emit(effect::SetTransport{peer.id, false});
    effects_.emit(effect::EnablePeer{peer.id});
    any = true;
  }
  return any;
}

void Gateway::resume_transports() {
  if (!view_.has_tunnels()) return;
  for (const auto& [key, peer] : peers_)
    if (peer.taken() && !peer.tunnel.empty())
      effects_.emit(effect::SetTransport{peer.id, losses_.tunnel_usable(peer.tunnel)});
}

void Gateway::On::operator()(input::TerminateTunnel event) const {
  if (!my.leave_tunnels({event.tunnel}, "tunnel is taken down"))
    return my.effects_.emit(effect::TerminateTunnel{std::move(event.tunnel)});
  my.farewells_.begin({std::move(event.tunnel)}, my.now_);
}

// Drains

void Gateway::On::operator()(input::Drain event) const {
  const std::string* const key = my.peers_.key_of(event.peer);
  if (key == nullptr) return;
  // Beginning anew would forget that the drain stopped the session, which its undoing starts again.
  if (const auto session = my.view_.session(event.peer);
      my.drainer_.step(*key) == DrainStep::stopped && session && !session->enabled) {
    my.effects_.log(LogLevel::info, LogArea::session,
                    "peer " + *key + ": drained already: " + to_text(DrainStep::stopped));
    return;
  }
  my.drainer_.begin(*key, event.wait, my.now_);
  my.effects_.log(LogLevel::info, LogArea::session, "peer " + *key + ": drained: " + to_text(DrainStep::asked));
  my.update_peer(*key, my.config_->peers.at(*key));
}

void Gateway::On::operator()(input::UndoDrain event) const {
  const std::string* const key = my.peers_.key_of(event.peer);
  if (key == nullptr) return;
  const auto step = my.drainer_.step(*key);
  if (!step) return;
  static_cast<void>(my.drainer_.end(*key));
  const PeerConfig& config = my.config_->peers.at(*key);
  my.update_peer(*key, config);
  if (*step == DrainStep::stopped && config.options.enabled) my.effects_.emit(effect::EnablePeer{event.peer});
  my.effects_.log(LogLevel::info, LogArea::session, "peer " + *key + ": drained no more");
}

std::optional<DrainStep> Gateway::drain_step(PeerId peer) const {
  const std::string* const key = peers_.key_of(peer);
  return key == nullptr ? std::nullopt : drainer_.step(*key);
}

// Drills

void Gateway::On::operator()(input::StartDrill event) const {
  my.losses_.start_drill(event.name, event.length, my.now_);
}

void Gateway::On::operator()(input::StopDrill) const { my.losses_.end_drill(DrillReport::End::asked, my.now_); }

void Gateway::On::operator()(input::Traffic event) const { my.losses_.on_traffic(event.counters, my.now_); }

}  // namespace bgplite
