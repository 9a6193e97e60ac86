/// What a TunnelKeeper is given, as values: what the kernel, charon, the probes and the operator say.
#pragma once

#include <bgp/types.h>
#include <xfrm/ike_port.h>
#include <xfrm/interfaces.h>
#include <xfrm/options.h>
#include <xfrm/tunnel.h>
#include <xfrm/tunnel_table.h>
#include <xfrm/vici/packet.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

namespace minibgp::xfrm {

// Notifications of the kernel and answers of its dumps, beside Sa and Link.

struct SaGone {
  SaKey key;
  Reason why = Reason::sa_deleted;
  bool operator==(const SaGone&) const = default;
};
struct SasFlushed {
  bool operator==(const SasFlushed&) const = default;
};
struct SaCounters {
  SaKey key;
  std::uint64_t packets = 0, bytes = 0;
  bool operator==(const SaCounters&) const = default;
};
struct LinkGone {
  std::uint32_t index = 0;
  bool operator==(const LinkGone&) const = default;
};
struct AddressSeen {
  std::uint32_t index = 0;
  InterfaceAddress address;
  bool gone = false;
  bool operator==(const AddressSeen&) const = default;
};
struct NeighborSeen {
  std::uint32_t index = 0;
  IpAddress address;
  bool failed = false;  ///< NUD_FAILED; otherwise the kernel has a link address for it.
  bool operator==(const NeighborSeen&) const = default;
};

/// The other alternatives of Input. Views and references are read during the call only.
namespace input {

/// Tunnels::set_tunnels().
struct SetTunnels {
  std::span<const TunnelOptions> tunnels;
  std::span<const FollowGroup> follow;
};
/// The kernel is being read from now on.
struct Started {
  bool has_xfrm = true;
};
/// Tunnels::stop().
struct Stop {
  std::optional<TunnelsOptions::OnExit> on_exit = std::nullopt;  ///< Nothing: as the options say.
};
/// Tunnels::feed_probe().
struct Probed {
  std::string_view tunnel;
  ProbeResult result = ProbeResult::unknown;
};
/// Tunnels::initiate().
struct Initiate {
  std::string_view tunnel;
};
/// Tunnels::terminate().
struct Terminate {
  std::string_view tunnel;
};

/// A dump of all SAs: each follows as Sa, with notifications in between.
struct SaDumpBegins {};
struct SaDumpEnded {};
/// A dump of all links and their addresses.
struct LinkDumpBegins {};
struct LinkDumpEnded {};
/// The answer to effect::TakeStep; `error` is the kernel's errno, 0: done.
struct StepAnswered {
  std::uint64_t id = 0;
  int error = 0;
};
/// The answer to effect::LookUp; nothing: unreachable.
struct RouteAnswered {
  IpAddress endpoint;
  std::optional<RouteFound> found;
};
/// The answer to effect::ReadOwnRoutes.
struct OwnRoutesRead {
  std::vector<OwnRoute> routes;
};

struct CharonConnected {};
struct CharonGone {
  bool refused = false;  ///< Its socket is there, and the charon that made it is not.
};
/// What charon says by itself.
struct CharonEvent {
  std::string_view name;
  const vici::Section& message;
};
/// The answer to effect::AskCharon.
struct CharonReplied {
  const IkeReply& reply;
};
/// next_deadline() has come.
struct TimePassed {};

}  // namespace input

/// One input of a TunnelKeeper.
using Input =
    std::variant<input::SetTunnels, input::Started, input::Stop, input::Probed, input::Initiate, input::Terminate, Sa,
                 SaGone, SasFlushed, SaCounters, input::SaDumpBegins, input::SaDumpEnded, Link, LinkGone, AddressSeen,
                 NeighborSeen, input::LinkDumpBegins, input::LinkDumpEnded, input::StepAnswered, input::RouteAnswered,
                 input::OwnRoutesRead, input::CharonConnected, input::CharonGone, input::CharonEvent,
                 input::CharonReplied, input::TimePassed>;

}  // namespace minibgp::xfrm
