/// Daemon::Performer: one call for each effect of the Gateway.
#pragma once

#include <apps/bgplite/daemon.h>

namespace bgplite {

class Daemon::Performer {
 public:
  explicit Performer(Daemon& daemon) : daemon_(daemon) {}

  void operator()(const effect::AddPeer& effect);
  void operator()(const effect::UpdatePeer& effect);
  void operator()(const effect::RemovePeer& effect);
  void operator()(const effect::EnablePeer& effect);
  void operator()(const effect::DisablePeer& effect);
  void operator()(const effect::ResetPeer& effect);
  void operator()(const effect::SetTransport& effect);
  void operator()(const effect::SetNextHop& effect);
  void operator()(const effect::SetRouter& effect);
  void operator()(const effect::Announce& effect);
  void operator()(const effect::Withdraw& effect);
  void operator()(const effect::BindPeer& effect);
  void operator()(const effect::UsePeer& effect);
  void operator()(const effect::UseInterface& effect);
  void operator()(const effect::SuspectInterface& effect);
  void operator()(const effect::ForgetInterface& effect);
  void operator()(const effect::WatchNextHop& effect);
  void operator()(const effect::WatchNetwork& effect);
  void operator()(const effect::SetOwnNetworks& effect);
  void operator()(const effect::SetStaticRoutes& effect);
  void operator()(const effect::SetFib& effect);
  void operator()(const effect::FinishAdoption& effect);
  void operator()(const effect::SetTunnels& effect);
  void operator()(const effect::TerminateTunnel& effect);
  void operator()(const effect::GuardUnderlay& effect);
  void operator()(const effect::NoteFailover& effect);
  void operator()(const effect::Log& effect);
  void operator()(const effect::Tell& effect);
  void operator()(const effect::Refused& effect);
  void operator()(const effect::ReadTraffic& effect);
  void operator()(const effect::SetLogLevels& effect);
  void operator()(const effect::End& effect);

 private:
  Daemon& daemon_;
};

}  // namespace bgplite
