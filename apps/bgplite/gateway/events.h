/// What goes into a Gateway and what comes out: values only. Inputs are what happened in the other machines and what
/// the operator asks for; effects are calls to make on the speaker, the fib, the tunnels and the log, in their order.
#pragma once

#include <apps/bgplite/config/config.h>
#include <apps/bgplite/config/diff.h>
#include <apps/bgplite/gateway/drill.h>
#include <bgp/log.h>
#include <bgp/outputs.h>
#include <bgp/path.h>
#include <bgp/peer.h>
#include <bgp/secret.h>
#include <bgp/snapshots.h>
#include <bgp/types.h>
#include <fib/inputs.h>
#include <fib/options.h>
#include <fib/status.h>
#include <xfrm/options.h>
#include <xfrm/tunnel.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace bgplite::input {

// --- Our own life
struct Start {};
struct Stop {};
/// The configuration that runs becomes `wanted`; `plan` is Gateway::plan() of it, and read during the call only.
struct Apply {
  Config wanted;
  std::span<const Step> plan;
};
/// What commands saved is on disk now, so that a plan does not find it different.
struct Save {
  Saved saved;
};

// --- Answers to effects
struct PeerAdded {
  std::string key;
  minibgp::PeerId peer{};
};
struct PeerUpdated {
  minibgp::PeerId peer{};
};
struct TunnelsSet {};
/// Packets through the drilled interface; nothing where the kernel does not tell.
struct Traffic {
  std::optional<TrafficCounters> counters;
};

// --- From the speaker
struct PeerChanged {
  minibgp::PeerChanged change;
};
struct EndOfRib {
  minibgp::EndOfRib end;
};
struct RestartComplete {};
struct NextHopInterest {
  minibgp::NextHopInterest interest;
};

// --- From the fib
struct NextHops {
  std::vector<minibgp::fib::NextHopState> states;
};
struct NetworkChanged {
  minibgp::Prefix prefix;
  minibgp::fib::NetworkWatch watch = minibgp::fib::NetworkWatch::exact_route;
  bool present = false;
};

// --- From the tunnels
struct TunnelChanged {
  std::string tunnel;
  minibgp::xfrm::TunnelState state{}, previous{};
  minibgp::xfrm::Reason reason{};
};
struct FollowChanged {
  std::string group, tunnel, previous, why;
};

// --- From the operator
struct Announce {
  minibgp::Prefix prefix;
  minibgp::PathAttributes attributes;
};
struct Withdraw {
  minibgp::Prefix prefix;
};
/// `key`: what the peer's key file holds now; nothing: there is no such file, or it cannot be read.
struct EnablePeer {
  minibgp::PeerId peer{};
  std::optional<minibgp::Secret> key;
};
struct DisablePeer {
  minibgp::PeerId peer{};
  std::string reason;
};
struct ResetPeer {
  minibgp::PeerId peer{};
  std::string reason;
  std::optional<minibgp::Secret> key;  ///< As EnablePeer's.
};
struct Drain {
  minibgp::PeerId peer{};
  std::chrono::milliseconds wait{};
};
struct UndoDrain {
  minibgp::PeerId peer{};
};
/// Plays the failure of a tunnel, or of the interface to a peer without one (drill.h). Answered with Refused when that
/// is not possible.
struct StartDrill {
  std::string name;
  std::chrono::milliseconds length{};
};
struct StopDrill {};
struct TerminateTunnel {
  std::string tunnel;
};

}  // namespace bgplite::input

namespace bgplite {

using Input = std::variant<input::Start, input::Stop, input::Apply, input::Save, input::PeerAdded, input::PeerUpdated,
                           input::TunnelsSet, input::Traffic, input::PeerChanged, input::EndOfRib,
                           input::RestartComplete, input::NextHopInterest, input::NextHops, input::NetworkChanged,
                           input::TunnelChanged, input::FollowChanged, input::Announce, input::Withdraw,
                           input::EnablePeer, input::DisablePeer, input::ResetPeer, input::Drain, input::UndoDrain,
                           input::StartDrill, input::StopDrill, input::TerminateTunnel>;

}  // namespace bgplite

namespace bgplite::effect {

// --- On the speaker
/// Answered with input::PeerAdded, or not at all when the speaker refuses the options.
struct AddPeer {
  std::string key;
  minibgp::PeerOptions options;
};
/// Answered with input::PeerUpdated, or not at all.
struct UpdatePeer {
  std::string key;
  minibgp::PeerId peer{};
  minibgp::PeerOptions options;
};
struct RemovePeer {
  minibgp::PeerId peer{};
};
struct EnablePeer {
  minibgp::PeerId peer{};
};
struct DisablePeer {
  minibgp::PeerId peer{};
  std::string reason;
};
struct ResetPeer {
  minibgp::PeerId peer{};
  std::string reason;
};
struct SetTransport {
  minibgp::PeerId peer{};
  bool usable = false;
};
struct SetNextHop {
  minibgp::PeerId peer{};
  minibgp::IpAddress next_hop;
  bool usable = false;
  std::uint32_t cost = 0;
};
struct SetRouter {
  minibgp::SpeakerOptions options;
};
struct Announce {
  minibgp::Prefix prefix;
  minibgp::PathAttributes attributes;
};
struct Withdraw {
  minibgp::Prefix prefix;
};

// --- On the fib
struct BindPeer {
  minibgp::PeerId peer{};
  minibgp::fib::PeerBinding binding;
};
struct UsePeer {
  minibgp::PeerId peer{};
  bool usable = false;
};
/// The kernel's next-hop groups have lost, or have again, the interface when this was carried out.
struct UseInterface {
  std::string interface;
  bool usable = false;
  std::string reason;
};
struct SuspectInterface {
  std::string interface;
  bool suspect = false;
};
struct ForgetInterface {
  std::string interface;
};
struct WatchNextHop {
  minibgp::NextHopInterest interest;
};
struct WatchNetwork {
  minibgp::Prefix prefix;
  minibgp::fib::NetworkWatch watch = minibgp::fib::NetworkWatch::exact_route;
  bool wanted = false;
};
struct SetOwnNetworks {
  std::vector<minibgp::Prefix> networks;
};
struct SetStaticRoutes {
  std::vector<minibgp::fib::StaticRoute> routes;
};
struct SetFib {
  minibgp::fib::FibOptions options;
};
struct FinishAdoption {};

// --- On the tunnels
/// Answered with input::TunnelsSet.
struct SetTunnels {
  std::vector<minibgp::xfrm::TunnelOptions> tunnels;
  std::vector<minibgp::xfrm::FollowGroup> follow;
};
struct TerminateTunnel {
  std::string tunnel;
};
/// No route of ours, and no policy unasked, may take over the path of the tunnels' own packets: their endpoints are
/// told to the speaker and the fib.
struct GuardUnderlay {};
/// Counts in `show tunnels`, with the time that the last UseInterface took.
struct NoteFailover {
  std::string tunnel;
  minibgp::xfrm::Reason reason{};
};

// --- For people
struct Log {
  minibgp::LogLevel level = minibgp::LogLevel::info;
  minibgp::LogArea area = minibgp::LogArea::config;
  std::string line;
};
using FactValue = std::variant<std::string, bool, std::uint64_t>;
using Fact = std::pair<std::string_view, FactValue>;
/// For `bgplite monitor`.
struct Tell {
  std::string_view kind;
  std::vector<Fact> facts;
};
/// What was asked for is not possible; a sentence.
struct Refused {
  std::string why;
};

// --- Others
/// Answered with input::Traffic.
struct ReadTraffic {
  std::string interface;
};
struct SetLogLevels {};
/// Sessions end, then kernel routes and tunnels stay or go.
struct End {
  bool keep = false;
};

}  // namespace bgplite::effect

namespace bgplite {

using GatewayEffect =
    std::variant<effect::AddPeer, effect::UpdatePeer, effect::RemovePeer, effect::EnablePeer, effect::DisablePeer,
                 effect::ResetPeer, effect::SetTransport, effect::SetNextHop, effect::SetRouter, effect::Announce,
                 effect::Withdraw, effect::BindPeer, effect::UsePeer, effect::UseInterface, effect::SuspectInterface,
                 effect::ForgetInterface, effect::WatchNextHop, effect::WatchNetwork, effect::SetOwnNetworks,
                 effect::SetStaticRoutes, effect::SetFib, effect::FinishAdoption, effect::SetTunnels,
                 effect::TerminateTunnel, effect::GuardUnderlay, effect::NoteFailover, effect::Log, effect::Tell,
                 effect::Refused, effect::ReadTraffic, effect::SetLogLevels, effect::End>;

}  // namespace bgplite
