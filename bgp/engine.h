/// The pure speaker: every peer, the RIB and policy, without sockets or clocks. Deterministic: the same inputs in the
/// same order give the same outputs, byte for byte. For event loops other than Asio, and for simulation; with Asio use
/// bgp/speaker.h.
///
/// Contract: one input, then poll() until it returns nothing, then wait for the next input or for next_deadline().
/// Views handed out by poll() are valid until the next call of poll() or the next input, except outgoing(), whose bytes
/// stay put until on_sent() or on_closed(). on_time() may come early: then it does nothing.
/// Work left over from a turn (see Limits) makes next_deadline() "now".
#pragma once

#include <bgp/log.h>
#include <bgp/path.h>
#include <bgp/peer.h>
#include <bgp/result.h>
#include <bgp/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <variant>
#include <vector>

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

/// A path that is in use: the best or one of its equal-cost companions.
struct BestPath {
  PeerId peer{};
  AttrId attributes{};
  NextHop next_hop;
  std::uint16_t weight = 1;  ///< Relative share among the companions.
};

/// The paths in use for one prefix changed. `paths` empty: none is (withdrawn, or our own announcement won).
struct BestChange {
  Prefix prefix;
  std::span<const BestPath> paths;
  const LocalAttributes* local = nullptr;  ///< Of the best path; null when there is none.
};

/// The interface that owns the local address of a connection. A session cannot know by itself what our next hop of the
/// other address family is (IPv6 routes over an IPv4 session, IPv4 routes over an IPv6 one without RFC 8950), nor
/// whether the peer is on that interface's link (RFC 2545 s.3).
struct LinkAddresses {
  IpAddress ipv4;          ///< Of the interface; unset: it has none.
  IpAddress ipv6;          ///< A global one of the interface; unset: it has none.
  std::uint32_t link = 0;  ///< A number for the interface, if the peer is on its link; 0: it is not, or unknown.
  constexpr auto operator<=>(const LinkAddresses&) const = default;
};

// --- Outputs -------------------------------------------------------------------------------------------------------

/// Open a TCP connection; answer with on_connected() or on_closed().
struct Dial {
  ConnId conn{};
  PeerId peer{};
};
/// outgoing(conn) has bytes; report progress with on_sent().
struct Write {
  ConnId conn{};
};
/// Close the socket; do not call on_closed() for it. flush: after what outgoing() still holds (a NOTIFICATION) was sent
/// or 1 s passed. Before the next poll(), take it: outgoing() and on_sent() until it is empty. Then the ConnId is gone.
struct Close {
  ConnId conn{};
  enum class How : std::uint8_t { flush, at_once } how = How::flush;
};
struct PeerChanged {
  PeerId peer{};
  PeerState from{}, to{};
  DownReason reason = DownReason::none;
};  ///< A session changed its state; observers see every step.
struct EndOfRib {
  PeerId peer{};
  Family family{};
};  ///< The peer has sent all it has of one family (RFC 4724 s.2), and BestChanged was handed out for all of it.
/// Next hops the speaker begins or ceases to depend on (NextHopTracking::tracked): answer with set_next_hop().
struct NextHopInterest {
  PeerId peer{};
  IpAddress next_hop;
  bool wanted = true;
};
/// Each prefix at most once; at most Limits' routes per turn.
struct BestChanged {
  std::span<const BestChange> changes;
};
/// Every enabled peer sent End-of-RIB, or `restart_deferral` passed since the start: adopted kernel state that the
/// BestChanged so far did not confirm may go. Once per Engine.
struct RestartComplete {};
/// What poll() hands out.
using Output = std::variant<Dial, Write, Close, PeerChanged, EndOfRib, NextHopInterest, BestChanged, RestartComplete>;

// --- Reading -------------------------------------------------------------------------------------------------------

/// One path of one prefix as `show routes` prints it. Copies.
struct PathSnapshot {
  Prefix prefix;
  PeerId peer{};
  std::uint32_t path_id = 0;
  PathAttributes received;                 ///< Adj-RIB-In, before policy.
  std::optional<PathAttributes> accepted;  ///< After policy; none: refused.
  bool best = false, multipath = false, stale = false, usable = true;
  const char* rule = "";  ///< Why it is, or is not, the best: the deciding rule against the best.
};
/// Which routes a snapshot holds; the default is all of them.
struct RouteFilter {
  enum class Match : std::uint8_t { exact, longer, shorter, lookup };
  std::optional<Prefix> prefix;
  Match match = Match::exact;
  std::optional<PeerId> peer;  ///< Only paths received from it.
  std::size_t max = SIZE_MAX;
};
/// A route as told to a peer, or as announced by the program.
struct AnnouncedSnapshot {
  Prefix prefix;
  PathAttributes attributes;
};
/// A route that is not announced to a peer although its export policy accepts it.
struct WithheldSnapshot {
  Prefix prefix;
  Withheld why{};
};
/// One row of memory(): a purpose and its octets.
struct MemoryUse {
  std::string_view what;
  std::size_t count = 0;
  std::size_t octets = 0;
};

class EngineImpl;
/// A whole speaker as a function of inputs and time. One thread; never blocks; every output comes from poll().
class Engine {
 public:
  /// `log` may be null; otherwise it outlives the engine. With options that validate() refuses it takes no peers.
  Engine(const SpeakerOptions& options, LogSink* log, Time now);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Peers. Each is O(1) but remove_peer(), whose routes leave in later turns.
  [[nodiscard]] Result<PeerId, ApiError> add_peer(const PeerOptions& options, Time now);
  /// Does what cost_of_change() says; an error changes nothing.
  [[nodiscard]] Result<void, ApiError> update_peer(PeerId peer, const PeerOptions& options, Time now);
  void remove_peer(PeerId peer, Time now);  ///< Ceases; its routes go. Unknown ids: ignored.
  /// Administrative state (RFC 4486/9003: Cease, Administrative Shutdown or Reset, with `reason` as the text).
  void enable_peer(PeerId peer, Time now);
  void disable_peer(PeerId peer, std::string_view reason, Time now);  ///< Stays down (RFC 9003).
  void reset_peer(PeerId peer, std::string_view reason, Time now);    ///< Administrative reset: the session comes back.
  /// Asks the peer for its routes again (RFC 2918), or sends ours again.
  void refresh_peer(PeerId peer, Direction direction, Time now);
  /// Whether packets can reach the peer at all (its tunnel is up). Usable: dials at once. Unusable: no dialing; an
  /// established session is kept until its hold timer.
  void set_transport_usable(PeerId peer, bool usable, Time now);
  /// NextHopState: from the FIB. cost is the IGP cost of rule 6.
  void set_next_hop(PeerId peer, const IpAddress& next_hop, bool usable, std::uint32_t cost, Time now);
  /// Addresses that a learned route must not swallow (IKE end points): a prefix that contains one of them has
  /// PolicyContext::covers_ike_endpoint.
  void set_protected_addresses(std::vector<IpAddress> addresses, Time now);
  /// As update_peer(), for every peer. Next-hop tracking and forwarding_preserved stay as they were at the start.
  [[nodiscard]] Result<void, ApiError> set_options(const SpeakerOptions& options, Time now);

  // Own announcements. O(1) each; peers hear of it after the current turn.
  void announce(const Prefix& prefix, const PathAttributes& attributes, Time now);  ///< Replaces.
  void withdraw(const Prefix& prefix, Time now);                                    ///< No effect if not announced.

  // Connections.
  /// A connection somebody dialed to us, or adopted. Nothing when no peer wants it (close it).
  [[nodiscard]] std::optional<ConnId> on_accepted(const IpAddress& from, const IpAddress& to, std::string_view device,
                                                  Time now);
  void on_connected(ConnId conn, const IpAddress& local, Time now);  ///< The dial succeeded from address `local`.
  /// What is known of a connection's interface; after on_accepted() or on_connected(), and again when it changed: the
  /// routes that it concerns are announced anew or withdrawn. Without it no route is announced whose next hop needs it.
  void set_link_addresses(ConnId conn, const LinkAddresses& addresses, Time now);
  void on_received(ConnId conn, Bytes bytes, Time now);           ///< Bytes in any portions; views end with the call.
  void on_sent(ConnId conn, std::size_t count, Time now);         ///< The first `count` outgoing bytes left.
  void on_closed(ConnId conn, std::error_code reason, Time now);  ///< Gone, or not dialed; no use after.
  void on_time(Time now);                                         ///< Fires what is due at `now`.
  /// Ends every session. keep: close without NOTIFICATION where graceful restart was negotiated, so that those peers
  /// keep our routes; the others get Cease. Poll until it returns nothing, then destroy.
  enum class Stop : std::uint8_t { cease, keep };
  void stop(Stop how, std::string_view reason, Time now);  ///< No session begins again; `reason` as for disable_peer().

  [[nodiscard]] std::optional<Output> poll();  ///< What to do next; nothing: wait for input.
  /// Bytes to send; they stay put until on_sent() or on_closed().
  [[nodiscard]] Bytes outgoing(ConnId conn) const;
  /// False while messages of an earlier on_received() are still to be worked on (see Limits): do not read the socket
  /// then, so that TCP slows the peer down and not our memory. Looked at after every turn.
  [[nodiscard]] bool wants_bytes(ConnId conn) const;
  [[nodiscard]] Time next_deadline() const;  ///< When on_time() is due; kNever: not.
  /// Socket options the rim needs for a connection.
  [[nodiscard]] const PeerOptions* options_of(PeerId peer) const;
  [[nodiscard]] std::optional<PeerId> peer_of(ConnId conn) const;  ///< None while it has no peer.

  // Snapshots. Costs are proportional to the answer, and to the table where a filter is not an exact prefix.
  [[nodiscard]] const SpeakerOptions& options() const;                              ///< As last set.
  [[nodiscard]] std::vector<PeerStatus> peers() const;                              ///< Copies.
  [[nodiscard]] std::optional<PeerStatus> peer(PeerId peer) const;                  ///< Nothing for unknown ids.
  [[nodiscard]] std::vector<PathSnapshot> routes(const RouteFilter& filter) const;  ///< Copies; walks the table.
  [[nodiscard]] std::vector<AnnouncedSnapshot> announced_to(PeerId peer, const RouteFilter& filter) const;
  /// What announced_to() lacks though export policy accepts it, and why.
  [[nodiscard]] std::vector<WithheldSnapshot> withheld_from(PeerId peer, const RouteFilter& filter) const;
  [[nodiscard]] std::vector<AnnouncedSnapshot> announcements() const;  ///< Our own.
  [[nodiscard]] std::size_t route_count() const;                       ///< Prefixes with at least one path.
  [[nodiscard]] std::vector<MemoryUse> memory() const;                 ///< Octets by purpose.

 private:
  std::unique_ptr<EngineImpl> impl_;
};

}  // namespace minibgp
