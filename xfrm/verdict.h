/// Verdict: what each fact about a tunnel means for its traffic, as one table: state, for how long at most, and why.
/// TunnelTable looks for the first fact that holds; docs/failover.md prints the table.
///
/// A suspect tunnel carries traffic, so each row that is suspect has a bound: without proof that packets arrive (an
/// inbound packet, an answered probe) the tunnel becomes `afterwards` when the bound has passed.
#pragma once

#include <xfrm/tunnel.h>

#include <array>
#include <chrono>
#include <string_view>

namespace minibgp::xfrm {

struct Verdict {
  Reason reason{};
  TunnelState state{};
  std::chrono::seconds bound{0};  ///< Of suspect: since the last proof.
  TunnelState afterwards{};       ///< Of suspect: after the bound.
  std::string_view why;
};

/// A suspect tunnel without proof is down after this: less than charon's own 165 s of retransmissions, and more than
/// the restart of a peer's IKE daemon takes.
inline constexpr std::chrono::seconds kSuspectBound{60};
/// "charon repeats a request" holds so long unless it is said again: charon's longest pause between two repetitions is
/// 75.6 s (retransmit_timeout 4 s, base 1.8, 5 tries; it gives up after 165 s).
inline constexpr std::chrono::seconds kHintLife{80};
/// Longer than the life of one hint, so that a single repetition never takes a tunnel down.
inline constexpr std::chrono::seconds kRepeatingBound{90};

/// In order of Reason.
inline constexpr std::array<Verdict, kReasons> kVerdicts = {{
    {Reason::ready, TunnelState::up, {}, {}, "all that the tunnel stands on is there, and nothing is against it"},
    {Reason::starting, TunnelState::down, {}, {}, "the kernel has not been read yet"},
    {Reason::interface_missing, TunnelState::down, {}, {}, "routes need the interface"},
    {Reason::interface_down, TunnelState::down, {}, {}, "the kernel drops what is sent into it"},
    {Reason::no_carrier, TunnelState::down, {}, {}, "the device says that nothing leaves it"},
    {Reason::address_missing, TunnelState::down, {}, {}, "BGP and probes have no source address"},
    {Reason::underlay_missing, TunnelState::down, {}, {}, "IKE and ESP have no device to leave through"},
    {Reason::underlay_down, TunnelState::down, {}, {}, "as above"},
    {Reason::underlay_no_carrier, TunnelState::down, {}, {}, "the cable is out: ESP is dropped at the device"},
    {Reason::local_address_missing,
     TunnelState::down,
     {},
     {},
     "the kernel sends no ESP from an address it does not have, and receives none"},
    {Reason::endpoint_unroutable, TunnelState::down, {}, {}, "ESP has no route to the peer"},
    {Reason::gateway_silent, TunnelState::down, {}, {}, "the kernel gave up asking for the gateway's link address"},
    {Reason::sa_missing, TunnelState::down, {}, {}, "a direction without an SA passes nothing"},
    {Reason::sa_deleted, TunnelState::down, {}, {}, "as above"},
    {Reason::sa_expired, TunnelState::down, {}, {}, "as above"},
    {Reason::sa_flushed, TunnelState::down, {}, {}, "as above"},
    {Reason::child_down, TunnelState::down, {}, {}, "the peer has deleted its SAs; the kernel's follow"},
    {Reason::ike_down, TunnelState::down, {}, {}, "charon deletes all SAs of this peer; the kernel's follow"},
    {Reason::selectors_narrowed,
     TunnelState::down,
     {},
     {},
     "the SA drops packets to the BGP peer or to the probe's target"},
    {Reason::charon_dead,
     TunnelState::down,
     {},
     {},
     "behind NAT, ESP comes in through charon's UDP socket, which ended with charon"},
    {Reason::probe_lost, TunnelState::down, {}, {}, "packets through the tunnel do not come back"},
    {Reason::damped, TunnelState::down, {}, {}, "it came back too often; never the last usable tunnel of a group"},
    {Reason::charon_silent, TunnelState::suspect, kSuspectBound, TunnelState::down,
     "the SAs work, but charon neither renews them nor answers the peer's DPD"},
    {Reason::sa_orphaned, TunnelState::suspect, kSuspectBound, TunnelState::down,
     "the peer may still have its half; charon does not renew ours"},
    {Reason::retransmitting, TunnelState::suspect, kRepeatingBound, TunnelState::down,
     "the peer's IKE daemon is silent, its kernel may still forward"},
    {Reason::no_inbound, TunnelState::suspect, kSuspectBound, TunnelState::up,
     "a loss at first; while IKE is answered, after a minute, a tunnel that is used in one direction"},
}};

[[nodiscard]] constexpr const Verdict& verdict_of(Reason reason) { return kVerdicts[static_cast<std::size_t>(reason)]; }

}  // namespace minibgp::xfrm
