/// The pure speaker: every peer, the RIB and policy, without sockets or clocks. Deterministic: the same inputs in the
/// same order give the same outputs, byte for byte. For event loops other than Asio, and for simulation; with Asio use
/// bgp/speaker.h.
///
/// Contract: one input, then poll() until it returns nothing, then wait for the next input or for next_deadline(),
/// which is an input too (on_time()). Every input without an answer is a value (bgp/inputs.h): input() takes it, and
/// the functions that are named for one make it. Views handed out by poll() are valid until the next call of poll() or
/// the next input, except outgoing(), whose bytes stay put until on_sent() or on_closed(). on_time() may come early:
/// then it does nothing. Work left over from a turn (see Limits) makes next_deadline() "now".
#pragma once

#include <bgp/inputs.h>
#include <bgp/log.h>
#include <bgp/outputs.h>
#include <bgp/path.h>
#include <bgp/peer.h>
#include <bgp/result.h>
#include <bgp/snapshots.h>
#include <bgp/speaker_options.h>
#include <bgp/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace minibgp {

class EngineImpl;
/// A whole speaker as a function of inputs and time. One thread; never blocks; every output comes from poll().
class Engine {
 public:
  /// `log` may be null; otherwise it outlives the engine. With options that validate() refuses it takes no peers.
  Engine(const SpeakerOptions& options, LogSink* log, Time now);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  void input(const Input& input, Time now);    ///< One input. What follows from it comes from poll().
  [[nodiscard]] std::optional<Output> poll();  ///< What to do next; nothing: wait for input.
  [[nodiscard]] Time next_deadline() const;    ///< When on_time() is due; kNever: not.

  // Peers. Each is O(1) but remove_peer(), whose routes leave in later turns.
  [[nodiscard]] Result<PeerId, ApiError> add_peer(const PeerOptions& options, Time now);
  /// Does what cost_of_change() says; an error changes nothing.
  [[nodiscard]] Result<void, ApiError> update_peer(PeerId peer, const PeerOptions& options, Time now);
  /// Ceases; its routes go. Unknown ids: ignored.
  void remove_peer(PeerId peer, Time now) { input(input::RemovePeer{peer}, now); }
  /// Administrative state (RFC 4486/9003: Cease, Administrative Shutdown or Reset, with `reason` as the text).
  void enable_peer(PeerId peer, Time now) { input(input::EnablePeer{peer}, now); }
  /// Stays down (RFC 9003).
  void disable_peer(PeerId peer, std::string_view reason, Time now) {
    input(input::DisablePeer{peer, std::string{reason}}, now);
  }
  /// Administrative reset: the session comes back.
  void reset_peer(PeerId peer, std::string_view reason, Time now) {
    input(input::ResetPeer{peer, std::string{reason}}, now);
  }
  /// Asks the peer for its routes again (RFC 2918), or sends ours again.
  void refresh_peer(PeerId peer, Direction direction, Time now) { input(input::RefreshPeer{peer, direction}, now); }
  /// Whether packets can reach the peer at all (its tunnel is up). Usable: dials at once. Unusable: no dialing; an
  /// established session is kept until its hold timer.
  void set_transport_usable(PeerId peer, bool usable, Time now) { input(input::SetTransport{peer, usable}, now); }
  /// NextHopState: from the FIB. cost is the IGP cost of rule 6.
  void set_next_hop(PeerId peer, const IpAddress& next_hop, bool usable, std::uint32_t cost, Time now) {
    input(input::SetNextHop{peer, next_hop, usable, cost}, now);
  }
  /// Addresses that a learned route must not swallow (IKE end points): a prefix that contains one of them has
  /// PolicyContext::covers_ike_endpoint.
  void set_protected_addresses(std::vector<IpAddress> addresses, Time now) {
    input(input::SetProtectedAddresses{std::move(addresses)}, now);
  }
  /// As update_peer(), for every peer. Next-hop tracking and forwarding_preserved stay as they were at the start.
  [[nodiscard]] Result<void, ApiError> set_options(const SpeakerOptions& options, Time now);

  // Own announcements. O(1) each; peers hear of it after the current turn.
  /// Replaces.
  void announce(const Prefix& prefix, const PathAttributes& attributes, Time now) {
    input(input::Announce{prefix, attributes}, now);
  }
  /// No effect if not announced.
  void withdraw(const Prefix& prefix, Time now) { input(input::Withdraw{prefix}, now); }

  // Connections.
  /// A connection somebody dialed to us, or adopted. Nothing when no peer wants it (close it).
  [[nodiscard]] std::optional<ConnId> on_accepted(const IpAddress& from, const IpAddress& to, std::string_view device,
                                                  Time now);
  /// The dial succeeded from address `local`.
  void on_connected(ConnId conn, const IpAddress& local, Time now) { input(input::Connected{conn, local}, now); }
  /// What is known of a connection's interface; after on_accepted() or on_connected(), and again when it changed: the
  /// routes that it concerns are announced anew or withdrawn. Without it no route is announced whose next hop needs it.
  void set_link_addresses(ConnId conn, const LinkAddresses& addresses, Time now) {
    input(input::SetLinkAddresses{conn, addresses}, now);
  }
  /// Bytes in any portions; views end with the call.
  void on_received(ConnId conn, Bytes bytes, Time now) { input(input::Received{conn, bytes}, now); }
  /// The first `count` outgoing bytes left.
  void on_sent(ConnId conn, std::size_t count, Time now) { input(input::Sent{conn, count}, now); }
  /// Gone, or not dialed; no use after.
  void on_closed(ConnId conn, std::error_code reason, Time now) { input(input::Closed{conn, reason}, now); }
  /// Fires what is due at `now`.
  void on_time(Time now) { input(input::TimePassed{}, now); }
  /// Ends every session. keep: close without NOTIFICATION where graceful restart was negotiated, so that those peers
  /// keep our routes; the others get Cease. Poll until it returns nothing, then destroy.
  using Stop = input::Stop::How;
  /// No session begins again; `reason` as for disable_peer().
  void stop(Stop how, std::string_view reason, Time now) { input(input::Stop{how, std::string{reason}}, now); }

  /// Bytes to send; they stay put until on_sent() or on_closed().
  [[nodiscard]] Bytes outgoing(ConnId conn) const;
  /// False while messages of an earlier on_received() are still to be worked on (see Limits): do not read the socket
  /// then, so that TCP slows the peer down and not our memory. Looked at after every turn.
  [[nodiscard]] bool wants_bytes(ConnId conn) const;
  /// Socket options the rim needs for a connection.
  [[nodiscard]] const PeerOptions* options_of(PeerId peer) const;
  [[nodiscard]] std::optional<PeerId> peer_of(ConnId conn) const;  ///< None while it has no peer.

  // Snapshots. Costs are proportional to the answer, and to the table where a filter is not an exact prefix.
  [[nodiscard]] const SpeakerOptions& options() const;                              ///< As last set.
  [[nodiscard]] std::vector<PeerStatus> peers() const;                              ///< Copies.
  [[nodiscard]] std::optional<PeerStatus> peer(PeerId peer) const;                  ///< Nothing for unknown ids.
  [[nodiscard]] std::vector<PathSnapshot> routes(const RouteFilter& filter) const;  ///< Copies; walks the table.
  /// The same in parts, for tables that take too long for one turn of a loop: looks at the next `steps` prefixes and
  /// paths, and adds those that the filter chooses to `found`, unsorted and whatever filter.max is. `from` is 0 at
  /// first; the answer is where the next part begins, 0 after the last one. Not for exact prefixes and lookups.
  [[nodiscard]] std::uint32_t routes_part(const RouteFilter& filter, std::uint32_t from, std::size_t steps,
                                          std::vector<PathSnapshot>& found) const;
  [[nodiscard]] std::vector<AnnouncedSnapshot> announced_to(PeerId peer, const RouteFilter& filter) const;
  /// announced_to() in parts, as routes_part() reads them.
  [[nodiscard]] std::uint32_t announced_part(PeerId peer, const RouteFilter& filter, std::uint32_t from,
                                             std::size_t steps, std::vector<AnnouncedSnapshot>& found) const;
  /// What announced_to() lacks though export policy accepts it, and why.
  [[nodiscard]] std::vector<WithheldSnapshot> withheld_from(PeerId peer, const RouteFilter& filter) const;
  [[nodiscard]] std::vector<AnnouncedSnapshot> announcements() const;  ///< Our own.
  [[nodiscard]] std::size_t route_count() const;                       ///< Prefixes with at least one path.
  [[nodiscard]] std::vector<MemoryUse> memory() const;                 ///< Octets by purpose.

 private:
  std::unique_ptr<EngineImpl> impl_;
};

}  // namespace minibgp
