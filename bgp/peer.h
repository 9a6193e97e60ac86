/// PeerOptions: what is configured for a peer, every default documented. PeerStatus: what `show` tells of it.
#pragma once

#include <bgp/policy.h>
#include <bgp/secret.h>
#include <bgp/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace minibgp {

/// RFC 9234 s.4.1, as the *local* side's role. none: the capability is not sent.
enum class Role : std::uint8_t { none, provider, route_server, route_server_client, customer, peer };

/// RFC 4724 for one peer. helper: keep the peer's routes while it restarts. full: also ask the peer to keep ours.
enum class GracefulRestart : std::uint8_t { off, helper, full };
/// The timers of one session; zero hold: no keepalives (RFC 4271 s.4.2).
struct PeerTimers {
  std::uint16_t hold_s = 90;      ///< 0 (no keepalives) or 3..65535; the smaller of both sides holds (RFC 4271 s.4.2).
  std::uint16_t keepalive_s = 0;  ///< 0: a third of the negotiated hold time; never more than that third.
  std::uint16_t connect_retry_s = 5;  ///< Delay between attempts after the first four; doubles to 120 s.
  std::uint16_t send_hold_s = 0;      ///< RFC 9687; 0: twice the negotiated hold time, at least 480 s.
  bool operator==(const PeerTimers&) const = default;
};
/// How many prefixes a peer may send before the session ends (RFC 4486).
struct PrefixLimit {
  /// Announced by the peer (import) or to it (export), all families together; stale routes do not count.
  std::uint32_t max = 1'200'000;
  std::uint8_t warn_percent = 80;
  bool warn_only = false;
  std::uint32_t restart_after_s = 0;  ///< 0: stays idle until enabled by the operator, or the limit is raised.
  bool operator==(const PrefixLimit&) const = default;
};
/// Everything that is configured about one peer.
struct PeerOptions {
  IpAddress address;            ///< Required; with `device` when IPv6 link-local.
  Asn remote_as{};              ///< Required, not 0. Equal to the local AS: iBGP.
  std::string name;             ///< For logs and show; the address when empty.
  std::string tunnel;           ///< Name of the tunnel it runs over; empty: none. Opaque to the speaker.
  std::optional<Asn> local_as;  ///< Instead of the speaker's own, toward this peer (local-as).
  IpAddress local_address;      ///< Unset: the kernel chooses.
  std::string device;           ///< SO_BINDTODEVICE; empty: none.
  std::uint16_t port = 179;     ///< Of the peer, when we dial.
  bool passive = false;         ///< Wait for the peer to dial.
  bool enabled = true;          ///< false: administratively down.
  PeerTimers timers;
  std::array<bool, kFamilies> families{true, false};  ///< By Family: unicast negotiated where both sides want it.
  GracefulRestart graceful_restart = GracefulRestart::full;
  std::uint16_t restart_time_s = 120;  ///< What we announce, at most 4095.
  bool add_path_receive = false;       ///< RFC 7911.
  bool extended_messages = true;       ///< RFC 8654.
  bool extended_next_hop = false;      ///< RFC 8950, IPv4 over an IPv6 session.
  bool four_octet_as = true;           ///< false only to test 2-octet peers.
  Role role = Role::none;
  bool role_strict = false;
  std::uint8_t ttl = 0;                         ///< 0: 1 for eBGP, 255 for iBGP. Greater than 1 is eBGP multihop.
  std::uint8_t ttl_security_hops = 0;           ///< RFC 5082 (GTSM); 0: off.
  std::uint16_t tcp_mss = 0;                    ///< TCP_MAXSEG; 0: the kernel's.
  std::uint32_t tcp_user_timeout_ms = 0;        ///< 0: the hold time.
  Secret md5_key;                               ///< RFC 2385; empty: none.
  std::shared_ptr<const Policy> import_policy;  ///< null: reject_all for eBGP (RFC 8212), accept_all for iBGP.
  std::shared_ptr<const Policy> export_policy;  ///< As import_policy.
  PrefixLimit import_limit;
  PrefixLimit export_limit;   ///< Beyond it new prefixes are not announced; the session is kept.
  bool next_hop_self = true;  ///< eBGP always; iBGP: also for routes learned from eBGP.
  std::uint8_t prepend = 0;   ///< Additional times our AS is prepended on export.
  std::optional<std::uint32_t> export_med;
  std::uint32_t default_local_pref = 100;
  std::uint8_t allow_as_in = 0;  ///< Our own AS may occur this often in AS_PATH.
  bool as_override = false;
  bool remove_private_as = false;
  bool enforce_first_as = true;         ///< RFC 4271 s.6.3: the leftmost AS must be the peer's.
  bool route_reflector_client = false;  ///< RFC 4456.
  std::uint16_t ecmp_weight = 1;
  /// RFC 8326, the side that leaves: what the peer is told carries GRACEFUL_SHUTDOWN, and its paths are the least
  /// preferred of all.
  bool graceful_shutdown = false;
  /// The bits by which announcements to some peers only name this one (LocalAttributes::audience).
  std::uint64_t audience = 0;

  bool operator==(const PeerOptions&) const = default;
};
/// RFC 4271 s.8.2.2.
enum class PeerState : std::uint8_t { idle, connect, active, open_sent, open_confirm, established };

/// Why a session ended or does not start. Text: to_text() in bgp/text.h.
enum class DownReason : std::uint8_t {
  none,
  admin_down,
  hold_timer_expired,
  send_hold_timer_expired,
  tcp_closed,
  tcp_failed,
  notification_sent,
  notification_received,
  collision,
  transport_unusable,
  prefix_limit,
  configuration_changed,
  peer_removed,
  restarting,
};
/// Why a route that export policy accepts is not announced to a peer. Text: to_text() in bgp/text.h.
enum class Withheld : std::uint8_t {
  too_large,    ///< Its attributes and prefix do not fit one message (RFC 4271 s.9.2; RFC 8654 where negotiated).
  no_next_hop,  ///< Our own address of the family that the next hop needs is unknown (see LinkAddresses).
  over_limit,   ///< PeerOptions::export_limit is reached.
};
inline constexpr std::size_t kWithheldReasons = 3;  ///< For arrays that are indexed by Withheld.

/// Since the peer was added; never reset.
struct Counters {
  std::uint64_t messages_received = 0, messages_sent = 0;
  std::uint64_t updates_received = 0, updates_sent = 0;
  std::uint64_t notifications_received = 0, notifications_sent = 0;
  std::uint64_t keepalives_received = 0, keepalives_sent = 0;
  std::uint64_t refreshes_received = 0, refreshes_sent = 0;
  std::uint64_t octets_received = 0, octets_sent = 0;
  std::uint64_t prefixes_announced_received = 0, prefixes_withdrawn_received = 0;
  std::uint64_t attribute_discards = 0, treated_as_withdraw = 0;
  std::uint32_t connections_established = 0, connections_dropped = 0;
};

/// A copy, made on demand.
struct PeerStatus {
  PeerId id{};
  std::string name;
  IpAddress address;
  Asn remote_as{}, local_as{};
  PeerType type = PeerType::ebgp;
  PeerState state = PeerState::idle;
  bool enabled = true;
  RouterId remote_id{};
  IpAddress local_address;  ///< Of the session; unset when there is none.
  Time since{};             ///< When `state` (Established or not) last changed.
  Time next_attempt =
      kNever;  ///< Not Established: when we try again; kNever: now, or only the peer or the operator may.
  DownReason last_down = DownReason::none;
  std::string last_down_detail;                  ///< NOTIFICATION text, shutdown communication, errno text.
  std::uint8_t last_code = 0, last_subcode = 0;  ///< Of the NOTIFICATION that ended it, if one did.
  std::string last_attempt;  ///< Why the last attempt since then led to no session; empty: none failed.
  std::uint16_t hold_s = 0, keepalive_s = 0;  ///< Negotiated.
  std::uint16_t peer_hold_s = 0;              ///< What the peer's OPEN said.
  std::array<bool, kFamilies> families{};     ///< Negotiated.
  bool four_octet_as = false, route_refresh = false, enhanced_refresh = false, extended_messages = false;
  bool graceful_restart = false;
  std::uint16_t peer_restart_time_s = 0;
  bool stale = false;  ///< Down, its routes kept by graceful restart.
  std::array<bool, kFamilies> end_of_rib_received{}, end_of_rib_sent{};
  std::uint32_t prefixes_received = 0, prefixes_accepted = 0, prefixes_best = 0, prefixes_announced = 0;
  std::array<std::uint32_t, kWithheldReasons> prefixes_withheld{};  ///< By Withheld.
  std::vector<std::uint8_t> unknown_capabilities;
  Counters counters;
};

}  // namespace minibgp
