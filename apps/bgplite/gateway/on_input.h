/// Gateway::On: what each input means to the Gateway, one function each. For the Gateway's own files alone.
#pragma once

#include <apps/bgplite/gateway/gateway.h>

namespace bgplite {

struct Gateway::On {
  // gateway.cc
  void operator()(input::Start event) const;
  void operator()(input::Stop event) const;
  void operator()(input::PeerAdded event) const;
  void operator()(input::PeerUpdated event) const;
  void operator()(input::TunnelsSet event) const;
  void operator()(input::PeerChanged event) const;
  void operator()(input::EndOfRib event) const;
  void operator()(input::RestartComplete event) const;
  void operator()(input::NextHopInterest event) const;
  void operator()(input::NextHops event) const;
  void operator()(input::NetworkChanged event) const;
  void operator()(input::TunnelChanged event) const;
  void operator()(input::FollowChanged event) const;
  void operator()(input::Announce event) const;
  void operator()(input::Withdraw event) const;
  void operator()(input::EnablePeer event) const;
  void operator()(input::DisablePeer event) const;
  void operator()(input::ResetPeer event) const;
  // change.cc
  void operator()(input::Apply event) const;
  void operator()(input::Save event) const;
  // maintenance.cc
  void operator()(input::Traffic event) const;
  void operator()(input::Drain event) const;
  void operator()(input::UndoDrain event) const;
  void operator()(input::StartDrill event) const;
  void operator()(input::StopDrill event) const;
  void operator()(input::TerminateTunnel event) const;

  Gateway& my;
};

}  // namespace bgplite
