/// EngineImpl: what the parts of the speaker share, and the order in which they work. One turn is: an input; the events
/// of the sessions it concerns; then, while polled, outputs that wait, changed best paths, and export.
#pragma once

#include <bgp/decide.h>
#include <bgp/inputs.h>
#include <bgp/log.h>
#include <bgp/outputs.h>
#include <bgp/result.h>
#include <bgp/rib/attr_table.h>
#include <bgp/rib/next_hop_index.h>
#include <bgp/rib/table.h>
#include <bgp/session/pairing.h>
#include <bgp/snapshots.h>
#include <bgp/speaker/best_batch.h>
#include <bgp/speaker/export.h>
#include <bgp/speaker/import.h>
#include <bgp/speaker/peering.h>
#include <bgp/speaker/prefix_facts.h>
#include <bgp/speaker/sweep.h>
#include <bgp/speaker_options.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace minibgp {

/// Work of one turn before timers and other peers get theirs. A message costs a little and each of its prefixes costs
/// more, so the unit is a prefix: a turn is 32 full messages of prefixes or a thousand small ones, one or two
/// milliseconds in all.
inline constexpr std::size_t kWorkPerTurn = 8192;
inline constexpr std::size_t kWorkPerMessage = 4;
/// Changed best paths handed out per turn.
inline constexpr std::size_t kBestChangesPerTurn = 4096;
/// A helper gives up on a peer that came back but never says End-of-RIB (RFC 4724 s.4.2 leaves the time to us).
inline constexpr Duration kStalePathTime = std::chrono::seconds{360};
/// Peers without graceful restart may never send End-of-RIB: after this much time their table counts as complete.
inline constexpr Duration kInitialTableTime = std::chrono::seconds{5};
/// How long a connection that will lose a collision waits for the OPEN of the other: several round trips, no more.
inline constexpr Duration kCollisionPatience = std::chrono::seconds{3};
/// Epochs of a peer that may begin while the paths of an older one are still being removed; far less than the 256 that
/// a path's epoch can tell apart.
inline constexpr std::uint8_t kRemovalLagMax = 64;

class EngineImpl {
 public:
  EngineImpl(const SpeakerOptions& options, LogSink* log, Time now);
  ~EngineImpl();
  EngineImpl(const EngineImpl&) = delete;
  EngineImpl& operator=(const EngineImpl&) = delete;

  // engine.cc: turns.
  void input(const Input& input, Time now);
  [[nodiscard]] std::optional<Output> poll();
  [[nodiscard]] Time next_deadline() const;
  [[nodiscard]] Result<void, ApiError> set_options(const SpeakerOptions& options, Time now);

  // peers.cc, sessions.cc: peers and their sessions.
  [[nodiscard]] Result<PeerId, ApiError> add_peer(const PeerOptions& options, Time now);
  [[nodiscard]] Result<void, ApiError> update_peer(PeerId peer, const PeerOptions& options, Time now);
  [[nodiscard]] std::optional<ConnId> on_accepted(const IpAddress& from, const IpAddress& to, std::string_view device,
                                                  Time now);

  // snapshot.cc: copies for show.
  [[nodiscard]] std::vector<PeerStatus> peers() const;
  [[nodiscard]] PeerStatus status(const speaker::Peering& peering) const;
  [[nodiscard]] std::vector<PathSnapshot> routes(const RouteFilter& filter) const;
  [[nodiscard]] std::vector<AnnouncedSnapshot> announced_to(PeerId peer, const RouteFilter& filter) const;
  [[nodiscard]] std::vector<WithheldSnapshot> withheld_from(PeerId peer, const RouteFilter& filter) const;
  [[nodiscard]] std::vector<AnnouncedSnapshot> announcements() const;
  [[nodiscard]] std::vector<MemoryUse> memory() const;
  [[nodiscard]] std::size_t route_count() const { return table_.route_count(); }
  void snapshot(rib::RouteId id, const RouteFilter& filter, std::vector<PathSnapshot>& out) const;
  [[nodiscard]] Rule rule_for(const rib::Route& route, std::uint32_t index) const;

  [[nodiscard]] bool held(const speaker::Connection& connection) const;

  [[nodiscard]] const SpeakerOptions& options() const { return options_; }
  [[nodiscard]] speaker::Peering* find_peer(PeerId peer) const;
  [[nodiscard]] speaker::Connection* find_connection(ConnId conn) const;

 private:
  using Peering = speaker::Peering;
  using Connection = speaker::Connection;

  // engine.cc
  void begin_turn(Time now);
  void on(const input::TimePassed&);
  void on(const input::Announce& in);
  void on(const input::Withdraw& in);
  void on(const input::SetProtectedAddresses& in);
  void on(const input::SetNextHop& in);
  void work_through(Peering& peering);
  void sweep();
  void tell_writes();
  void log_withheld();
  void end_of_turn_of(Connection& connection);
  void prefix_facts_changed();
  [[nodiscard]] std::optional<Output> next_best_changed();
  [[nodiscard]] std::optional<Output> next_end_of_rib();
  [[nodiscard]] bool defers_selection() const { return options_.forwarding_preserved && !restart_done_; }

  // peers.cc
  void on(const input::RemovePeer& in);
  void on(const input::EnablePeer& in);
  void on(const input::DisablePeer& in);
  void on(const input::ResetPeer& in);
  void on(const input::SetTransport& in);
  void on(const input::Connected& in);
  void on(const input::SetLinkAddresses& in);
  void on(const input::Received& in);
  void on(const input::Sent& in);
  void on(const input::Closed& in);
  void on(const input::Stop& in);
  void enable(Peering& peering);
  void disable(Peering& peering, std::string_view reason);
  void reset(Peering& peering, std::string_view reason);
  /// Null also when the peer is being removed.
  [[nodiscard]] Peering* find_kept(PeerId peer) const;
  void end_unwanted_stale(Peering& peering, const PeerOptions& before);
  [[nodiscard]] std::uint64_t next_seed();
  Connection& add_connection(Peering& peering, session::Session::Side side, const IpAddress& local);
  void dial_if_due(Peering& peering);
  void start_again(Peering& peering);
  void drop_silently(Connection& connection);
  void drain(Connection& connection);
  void handle(Connection& connection, const session::Event& event);
  void on_open(Connection& connection);
  void on_established(Connection& connection, const session::Negotiated& negotiated);
  void on_update(Connection& connection, Bytes body);
  void on_down(Connection& connection, const session::Down& down);
  void session_lost(Peering& peering, const session::Down& down);
  void check_import_limit(Connection& connection);
  void end_over_limit(Connection& connection);
  void end_session(Connection& connection, const wire::MessageError& error, DownReason reason);
  void end_sessions(Peering& peering, const wire::MessageError& error, DownReason reason);
  void report_state(Peering& peering, DownReason reason);
  void set_rules(Peering& peering);
  void update_rules(Peering& peering);
  void free_removed_peers();
  void log(LogLevel level, const Peering& peering, std::string_view text);

  // restart.cc
  void on(const input::RefreshPeer& in);
  [[nodiscard]] bool keeps_routes(const Peering& peering, const session::Down& down) const;
  void begin_stale(Peering& peering);
  void drop_routes(Peering& peering);
  void came_back(Peering& peering);
  void stale_next_hop_lost(Peering& peering, const IpAddress& next_hop);
  void end_stale(Peering& peering, Family family);
  void stale_time_is_over(Peering& peering);
  void on_end_of_rib(Peering& peering, Family family);
  void on_refresh(Connection& connection, const wire::Refresh& refresh);
  void check_restart_done();
  [[nodiscard]] static bool keeps_ours(const Peering& peering);
  /// For what the tables of peers are waited for after our restart.
  enum class Awaited : std::uint8_t { by_selection, by_adoption };
  [[nodiscard]] bool table_complete(const Peering& peering, Awaited awaited) const;
  [[nodiscard]] bool tables_complete(Awaited awaited) const;

  SpeakerOptions options_;
  LogSink* log_ = nullptr;
  std::uint64_t seed_ = 0;
  Time now_{};  ///< Of the last input.
  bool stopping_ = false;

  rib::AttrTable attributes_;
  rib::NextHopIndex next_hops_;
  rib::Table table_;
  speaker::PrefixFacts facts_;
  std::map<Prefix, AttrId> announcements_;  ///< Each holds a reference.
  speaker::Importer importer_;
  speaker::Exporter exporter_;
  speaker::Sweeper sweeper_;
  speaker::BestBatch best_batch_;

  std::vector<std::unique_ptr<Peering>> peers_;  ///< By PeerId.
  std::map<ConnId, std::unique_ptr<Connection>> connections_;
  std::uint32_t next_conn_ = 1;
  std::size_t removing_ = 0;  ///< Peers whose paths or connections are still leaving.

  /// An End-of-RIB is reported after the best paths that changed before it: once `after` changes were taken.
  struct PendingEndOfRib {
    EndOfRib end;
    std::uint64_t after = kNotSettled;
  };
  static constexpr std::uint64_t kNotSettled = UINT64_MAX;  ///< Its routes are still swept or looked up.

  std::deque<Output> outputs_;
  std::vector<PendingEndOfRib> ends_of_rib_;
  std::uint64_t changes_taken_ = 0;  ///< Of Table::changed(), in all.
  base::DirtySet unreported_;        ///< Routes that changed while selection was deferred.
  std::vector<ConnId> closing_;      ///< Close was handed out: the session goes at the next poll.
  ConnId last_drained_{};            ///< Whose leftover messages were worked on last.
  std::size_t work_left_ = 0;        ///< Of this turn.
  bool best_told_ = false;           ///< This turn's batch was handed out.
  bool exported_ = false;            ///< This turn's export was done.
  bool export_more_ = false;
  bool prefix_facts_changed_ = false;

  Time restart_deadline_ = kNever;
  bool restart_done_ = false;   ///< Routes are selected: every table that need be waited for is complete.
  bool adoption_done_ = false;  ///< Every table is complete, or the deferral ended.
  bool restart_told_ = false;
};

}  // namespace minibgp
