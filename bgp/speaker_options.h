/// SpeakerOptions: what is configured about the whole speaker; whether options can be used, and what a change of them
/// costs. Those of one peer: bgp/peer.h.
#pragma once

#include <bgp/peer.h>
#include <bgp/types.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace minibgp {

/// Which paths besides the best may join it as equal-cost multipath.
enum class Multipath : std::uint8_t {
  exact,        ///< Identical AS_PATH, as FRR has it without multipath-relax.
  neighbor_as,  ///< Same neighboring AS and same AS_PATH length.
  relax,        ///< Same AS_PATH length.
};

/// Whether next hops count as usable until set_next_hop() says otherwise, or only after it said so.
enum class NextHopTracking : std::uint8_t { assume_usable, tracked };
/// What holds for the whole speaker. Unset durations and limits have the defaults written here.
struct SpeakerOptions {
  Asn asn{};                       ///< Required, not 0 and not 23456.
  RouterId router_id{};            ///< Required, not 0.
  std::uint8_t maximum_paths = 1;  ///< 1..64.
  Multipath multipath = Multipath::neighbor_as;
  NextHopTracking next_hop_tracking = NextHopTracking::assume_usable;
  bool always_compare_med = false;
  bool prefer_oldest = false;  ///< Instead of the lowest router id, as the tie-break between eBGP paths.
  RouterId cluster_id{};       ///< 0: the router id (RFC 4456).
  std::uint64_t seed = 0;      ///< Of the generator that jitters timers.
  /// This is a restart and the forwarding state was preserved: the R bit is set, and best paths are not reported before
  /// End-of-RIB from every peer (those that are not Established get 5 s) or `restart_deferral` after the start (RFC
  /// 4724 s.4.1). Peers that may have kept our routes get our own announcements at once and the rest then; peers that
  /// hold nothing of ours (no graceful restart, or they restarted too) get everything at once.
  bool forwarding_preserved = false;
  Duration restart_deferral = std::chrono::seconds{30};
  bool operator==(const SpeakerOptions&) const = default;
};
/// Why a call changed nothing; each says what to do instead.
enum class ApiError : std::uint8_t {
  bad_address,     ///< Unset, multicast, IPv4-mapped or of the wrong family: give the peer's unicast address.
  bad_asn,         ///< 0, 23456 (AS_TRANS): give an AS number.
  bad_router_id,   ///< 0: give the speaker's identifier.
  bad_timer,       ///< Hold time 1 or 2, or beyond its range.
  bad_paths,       ///< maximum_paths is not 1 to 64.
  no_family,       ///< Neither family is on: turn one on.
  bad_ttl,         ///< ttl_security_hops is 255: at most 254.
  bad_weight,      ///< ecmp_weight is 0: at least 1.
  bad_limit,       ///< A prefix limit is 0: at least 1.
  bad_md5_key,     ///< Longer than the 80 octets that the kernel takes.
  duplicate_peer,  ///< A peer with that address (and device) exists: remove or update it.
  too_many_peers,  ///< 65 534 is the end of PeerId.
  unknown_peer,    ///< No such PeerId: it was removed.
  session_is_up,   ///< Not possible while Established: stop the peer first.
};

/// "the hold time is 1 s or 2 s: 0 or at least 3 s".
[[nodiscard]] std::string_view to_text(ApiError error);

/// The first thing that is wrong with options; nothing: they can be used.
[[nodiscard]] std::optional<ApiError> validate(const SpeakerOptions& options);
/// As for the speaker's.
[[nodiscard]] std::optional<ApiError> validate(const PeerOptions& options);

/// What a change of options does. A change of several options costs what the dearest of them costs.
enum class ChangeCost : std::uint8_t {
  none,     ///< What is in force stays as it is.
  live,     ///< Applied at once; no route is evaluated again.
  refresh,  ///< The peer's routes, or what is announced to it, are evaluated again; the session stays.
  reset,    ///< The session ends; it begins anew where the peer is enabled.
};
/// Compares what is in force, not what is written: an option that is written out with the value it has anyway changes
/// nothing. The only place that knows: update_peer() and set_options() act on it, plans and questions are made of it.
[[nodiscard]] ChangeCost cost_of_change(const PeerOptions& before, const PeerOptions& after,
                                        const SpeakerOptions& speaker);
/// Of the speaker's options: what it costs every peer.
[[nodiscard]] ChangeCost cost_of_change(const SpeakerOptions& before, const SpeakerOptions& after);

}  // namespace minibgp
