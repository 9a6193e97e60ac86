/// Tunnel: the values of this folder: what a tunnel should be (TunnelOptions), what it is (TunnelState, Reason,
/// TunnelStatus), and the event between the two (TunnelChange). No behaviour beyond comparing and naming.
///
/// A tunnel is one IPsec connection: with an XFRM interface whose if_id its SAs carry (Mode::interface, the default),
/// or policy-based without an interface (Mode::policy), which is known by its IKE endpoints. Or none of ours: a link
/// that somebody else makes (Mode::link: WireGuard, GRE, a leased line), of which link, addresses and probes tell.
#pragma once

#include <bgp/types.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minibgp::xfrm {

/// An address with its prefix length, host bits kept: 169.254.10.2/30.
struct InterfaceAddress {
  IpAddress address;
  std::uint8_t length_bits = 0;
  auto operator<=>(const InterfaceAddress&) const = default;
};

/// How packets to the IKE endpoints leave this host. With a gateway we keep a host route to each of the tunnel's remote
/// addresses; without one the host's own routing is left alone.
struct Underlay {
  std::string device;  ///< Also the XFRM interface's underlying device. Empty: any.
  IpAddress gateway;   ///< Unset: no route is made.
  bool operator==(const Underlay&) const = default;
};

/// One IKE connection with one CHILD_SA: everything the connections section of a swanctl.conf says about it, in
/// strongSwan's words. Zero durations and empty texts mean strongSwan's own default.
struct IkeOptions {
  std::uint8_t version = 2;
  std::vector<std::string> local_addresses;   ///< Addresses, ranges, subnets or names, as swanctl takes them.
  std::vector<std::string> remote_addresses;  ///< The first one that is an address also gets the underlay route.
  std::string local_id;                       ///< Empty: the local address.
  std::string remote_id;                      ///< Empty: the remote address.
  std::string local_auth = "psk";  ///< "psk" or "pubkey"; for pubkey charon chooses among what it has loaded.
  std::string remote_auth = "psk";
  std::vector<std::string> certificates;  ///< Paths of the local certificates charon loads; empty: chosen by id.
  std::string psk_file;                   ///< The first line is the key; 0s (base64) and 0x (hex) as in swanctl.conf.
  std::string proposals;                  ///< "aes128-sha1-modp1024, aes256-sha256-modp2048"
  std::string esp_proposals;
  std::vector<std::string> local_ts, remote_ts;  ///< Empty: everything of the families of the tunnel's addresses.
  bool encap = false;
  bool mobike = false;  ///< Off: with two gateways behind one egress a peer moves a tunnel onto the other's address.
  std::chrono::seconds dpd_delay{10};
  std::chrono::seconds dpd_timeout{0};  ///< IKEv1 only.
  std::chrono::seconds rekey_time{0}, reauth_time{0}, over_time{0};
  std::chrono::seconds child_rekey_time{0}, child_life_time{0};
  std::uint32_t keyingtries = 0;  ///< 0: for ever.
  std::uint32_t priority = 0;     ///< Of the policies; 0: charon's own. Lower is preferred.
  std::uint32_t replay_window = 0;
  std::string unique;  ///< Empty: strongSwan's.
  /// "start": the keeper initiates, again and again, and charon keeps the SA when the connection is unloaded by others
  /// (with charon's own start action it would close it). "trap" and "none" are handed over as they are.
  std::string start_action = "start";
  std::string dpd_action = "restart";
  std::string close_action = "start";
  /// Anything else swanctl.conf knows, word for word: {"fragmentation", "no"}; of the connection and of its child.
  std::vector<std::pair<std::string, std::string>> extra, child_extra;
  bool operator==(const IkeOptions&) const = default;
};
/// A device of its own (XFRM interface), policies alone, or a device that is there already and has no SAs.
enum class Mode : std::uint8_t { interface, policy, link };
/// One tunnel as configured.
struct TunnelOptions {
  std::string name;  ///< Unique; also the name of the connection ("bgplite-" before it) and of its child.
  Mode mode = Mode::interface;
  std::string interface;                    ///< Empty: the name. An interface with our if_id is adopted under any name.
  std::uint32_t if_id = 0;                  ///< Unique and not 0 in Mode::interface.
  std::vector<InterfaceAddress> addresses;  ///< Kept on the interface; in Mode::link only required to be there.
  std::uint32_t mtu = 0;                    ///< 0: kDefaultMtu.
  std::string vrf;                          ///< Name of the VRF device the interface belongs to; empty: none.
  Underlay underlay;
  std::optional<IkeOptions> ike;  ///< None: somebody else keeps charon's configuration, we only watch.
  std::string watch_connection;   ///< charon's name of the connection where `ike` is none; empty: found by if_id.
  /// Tunnels with one group stand in for each other: the last usable one of a group is never held down by damping.
  std::string group;
  /// Addresses behind the tunnel that it is of no use without: the BGP peer, the probe's target. Where the peer narrows
  /// the selectors so that one is left out, the tunnel is down.
  std::vector<IpAddress> carries;
  bool operator==(const TunnelOptions&) const = default;
};

/// MTU of an XFRM interface when nothing is configured: fits an underlay of 1500 with any proposal, ESP in UDP and NAT.
inline constexpr std::uint32_t kDefaultMtu = 1400;

/// The largest packet that fits into `underlay_mtu` octets as ESP in UDP over IPv4 with the costliest common proposal:
/// 20 IP + 8 UDP + 8 ESP + 16 IV + 16 padding block + 2 trailer + 32 ICV (SHA-512) = 102 octets.
[[nodiscard]] constexpr std::uint32_t largest_inner_mtu(std::uint32_t underlay_mtu) {
  constexpr std::uint32_t kOverhead = 102;
  return underlay_mtu > kOverhead ? underlay_mtu - kOverhead : 0;
}

/// up and suspect carry traffic; suspect says something hints that it may not arrive (prefer another tunnel). No tunnel
/// is suspect for ever: see verdict.h.
enum class TunnelState : std::uint8_t { down, suspect, up };
[[nodiscard]] constexpr bool usable(TunnelState state) { return state != TunnelState::down; }  ///< Carries traffic.

/// Why a tunnel is in its state. Ordered as evaluated: of several causes the first in this list is told. verdict.h says
/// what each means and why.
enum class Reason : std::uint8_t {
  ready,                  ///< SAs in both directions, all they stand on is there, nothing against it.
  starting,               ///< The first dump of the kernel is not in yet.
  interface_missing,      ///< The tunnel's own interface is not there.
  interface_down,         ///< It is set down.
  no_carrier,             ///< Mode::link: its device has no carrier.
  address_missing,        ///< Not all addresses are on the interface.
  underlay_missing,       ///< The device that IKE and ESP leave through is not there,
  underlay_down,          ///< is set down,
  underlay_no_carrier,    ///< or has no carrier.
  local_address_missing,  ///< The SAs' local address is not on this host.
  endpoint_unroutable,    ///< The kernel has no route to the peer's IKE address.
  gateway_silent,         ///< The underlay gateway does not answer ARP or neighbor discovery.
  sa_missing,             ///< No SA for both directions, none was lost either.
  sa_deleted,             ///< Deleted by the peer or by the operator.
  sa_expired,             ///< Hard lifetime, no successor.
  sa_flushed,             ///< All SAs of the host were flushed.
  child_down,             ///< charon says so; the kernel follows.
  ike_down,               ///< charon lost the peer, and all children with it.
  selectors_narrowed,     ///< The peer's selectors leave out what the tunnel has to carry.
  charon_dead,            ///< charon's socket refuses, and ESP in UDP is received through a socket of charon's.
  probe_lost,             ///< Echo probes through the tunnel are not answered.
  damped,                 ///< It flaps; held down until TunnelStatus::held_until.
  charon_silent,          ///< charon does not answer: it will neither renew the SAs nor answer the peer.
  sa_orphaned,            ///< The SAs work for the kernel, but charon does not know them.
  retransmitting,         ///< charon repeats a request, the peer is silent.
  no_inbound,             ///< We send, nothing comes back.
};
inline constexpr std::size_t kReasons = static_cast<std::size_t>(Reason::no_inbound) + 1;

[[nodiscard]] std::string_view to_text(TunnelState state);  ///< For people.
[[nodiscard]] std::string_view to_text(Reason reason);      ///< "SA deleted", "no answer to echo probes".
[[nodiscard]] std::string_view to_text(Mode mode);          ///< The configuration's word.

/// What went wrong in the last negotiation, as far as charon says.
enum class IkeFailure : std::uint8_t {
  none,
  authentication,     ///< PSK or identity differ.
  identity,           ///< The peer is somebody else than configured.
  no_key,             ///< We have no key for this pair of identities.
  ike_proposal,       ///< No common IKE proposal (or IKE version).
  esp_proposal,       ///< No common ESP proposal.
  traffic_selectors,  ///< The peer refuses our selectors.
  version,            ///< The peer does not speak this IKE version.
  peer_silent,        ///< No answer at all.
  kernel,             ///< SA or policy could not be installed.
};
[[nodiscard]] std::string_view to_text(IkeFailure failure);  ///< For people.

/// charon as seen from here.
enum class IkeLink : std::uint8_t { unused, connecting, connected };
/// A tunnel became another state, and why.
struct TunnelChange {
  std::string_view tunnel;  ///< Valid during the call.
  TunnelState state{};
  TunnelState previous{};
  Reason reason{};
  std::uint32_t if_index = 0;  ///< 0: no interface now.
  Time at{};
};

/// A follow group goes over to another tunnel.
struct FollowChange {
  std::string_view group;
  std::string_view tunnel;    ///< Use this one now; empty: none is usable.
  std::string_view previous;  ///< Empty at the start.
  std::string_view why;       ///< "inbound traffic moved", "previous tunnel is down".
};

/// Holding flapping tunnels down. Each loss counts one flap; a flap is forgotten after `forget_after` of being up.
struct Damping {
  bool enabled = true;
  std::uint32_t free_flaps = 3;                   ///< Losses that cost nothing.
  std::chrono::milliseconds first_hold{1000};     ///< Doubles with each further flap,
  std::chrono::milliseconds longest_hold{60000};  ///< up to this.
  std::chrono::seconds forget_after{600};
  bool operator==(const Damping&) const = default;
};

/// A snapshot for `show tunnels`.
struct TunnelStatus {
  std::string name;
  Mode mode{};
  std::uint32_t if_id = 0;
  std::string interface;  ///< As the kernel names it; empty: not there.
  std::uint32_t if_index = 0;
  std::uint32_t mtu = 0;
  TunnelState state{};
  Reason reason{};
  Time since{};                                         ///< Of `state`.
  Time held_until{};                                    ///< Meaningful with Reason::damped.
  std::uint32_t flaps = 0;                              ///< Weighed by damping; see Damping.
  std::uint64_t went_down = 0;                          ///< Times it went from usable to down,
  std::array<std::uint64_t, kReasons> went_down_for{};  ///< and for which Reason.
  std::size_t inbound_sas = 0, outbound_sas = 0;
  std::uint32_t inbound_spi = 0, outbound_spi = 0;  ///< Of the newest; host order.
  std::uint64_t inbound_packets = 0, outbound_packets = 0, inbound_bytes = 0, outbound_bytes = 0;  ///< Of live SAs.
  bool probed = false;
  IkeFailure failure = IkeFailure::none;  ///< Of the last negotiation; none once it is up.
  std::string failure_text;               ///< charon's words.
  std::string problem;                    ///< What keeps us from making it as configured; empty: nothing.
  std::string connection;                 ///< charon's name for it.
  bool connection_loaded = false;
  Time next_initiate{};  ///< When the keeper tries again; kNever: it does not have to.
};

}  // namespace minibgp::xfrm
