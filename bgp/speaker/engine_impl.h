/// EngineImpl: routes between peers, RIB and outputs: what follows from a session's event and from the operator's word,
/// and the order in which the parts work. One turn is: an input; the events of the sessions it concerns; then, while
/// polled, outputs that wait, changed best paths, and export. The rules of one peer are in peering.h, the other parts
/// in the files of the members' types.
#pragma once

#include <bgp/inputs.h>
#include <bgp/log.h>
#include <bgp/outputs.h>
#include <bgp/result.h>
#include <bgp/rib/attr_table.h>
#include <bgp/rib/next_hop_index.h>
#include <bgp/rib/table.h>
#include <bgp/speaker/change_report.h>
#include <bgp/speaker/deferral.h>
#include <bgp/speaker/export.h>
#include <bgp/speaker/import.h>
#include <bgp/speaker/own_routes.h>
#include <bgp/speaker/peer_table.h>
#include <bgp/speaker/peering.h>
#include <bgp/speaker/prefix_facts.h>
#include <bgp/speaker/refreshes.h>
#include <bgp/speaker/session_log.h>
#include <bgp/speaker/snapshot.h>
#include <bgp/speaker/stale_routes.h>
#include <bgp/speaker/sweep.h>
#include <bgp/speaker_options.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>

namespace minibgp {

/// Work of one turn before timers and other peers get theirs. A message costs a little and each of its prefixes costs
/// more, so the unit is a prefix: a turn is 32 full messages of prefixes or a thousand small ones, one or two
/// milliseconds in all.
inline constexpr std::size_t kWorkPerTurn = 8192;
inline constexpr std::size_t kWorkPerMessage = 4;
/// How long a connection that will lose a collision waits for the OPEN of the other: several round trips, no more.
inline constexpr Duration kCollisionPatience = std::chrono::seconds{3};
/// Epochs of a peer that may begin while the paths of an older one are still being removed; far less than the 256 that
/// a path's epoch can tell apart.
inline constexpr std::uint8_t kRemovalLagMax = 64;

class EngineImpl {
 public:
  EngineImpl(const SpeakerOptions& options, LogSink* log, Time now);
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

  /// For as long as the engine lives.
  [[nodiscard]] speaker::Snapshot snapshot() const {
    return speaker::Snapshot{{options_, peers_, attributes_, table_, exporter_, own_routes_}};
  }
  [[nodiscard]] const SpeakerOptions& options() const { return options_; }
  [[nodiscard]] const speaker::PeerTable& peers() const { return peers_; }

 private:
  using Peering = speaker::Peering;
  using Connection = speaker::Connection;
  struct On;  ///< What each alternative of Input means: engine_inputs.cc.

  // engine.cc
  void begin_turn(Time now);
  void work_through(Peering& peering);
  void work_on_messages();
  void sweep();
  void prefix_facts_changed();
  void check_restart_done();

  // peers.cc
  void remove(Peering& peering);
  void enable(Peering& peering);
  void disable(Peering& peering, std::string_view reason);
  void reset(Peering& peering, std::string_view reason);
  void start_again(Peering& peering);
  void set_rules(Peering& peering);

  // sessions.cc
  void dial_if_due(Peering& peering);
  void drain(Connection& connection);
  [[nodiscard]] bool held(const Connection& connection) const;
  void handle(Connection& connection, const session::Event& event);
  void on_open(Connection& connection);
  void on_established(Connection& connection, const session::Negotiated& negotiated);
  void on_update(Connection& connection, Bytes body);
  void on_end_of_rib(Peering& peering, Family family);
  void on_down(Connection& connection, const session::Down& down);
  void session_lost(Peering& peering, const session::Down& down);
  void check_import_limit(Connection& connection);
  void end_over_limit(Connection& connection);
  void end_session(Connection& connection, const wire::MessageError& error, DownReason reason);
  void end_sessions(Peering& peering, const wire::MessageError& error, DownReason reason);
  void report_state(Peering& peering, DownReason reason);

  SpeakerOptions options_;
  speaker::SessionLog log_;
  Time now_{};  ///< Of the last input.
  bool stopping_ = false;

  rib::AttrTable attributes_;
  rib::NextHopIndex next_hops_;
  rib::Table table_;
  speaker::PrefixFacts facts_;
  speaker::PeerTable peers_;
  speaker::OwnRoutes own_routes_;
  speaker::Importer importer_;
  speaker::Exporter exporter_;
  speaker::Sweeper sweeper_;
  speaker::StaleRoutes stale_routes_;
  speaker::Refreshes refreshes_;
  speaker::Deferral deferral_;
  speaker::ChangeReport changes_;

  std::deque<Output> outputs_;
  ConnId last_drained_{};  ///< Whose leftover messages were worked on last.
  /// What was done of a turn, and what is left to do.
  struct Turn {
    std::size_t work_left = 0;
    bool reported = false;     ///< Its batch of changes was handed out.
    bool exported = false;     ///< Its export was done.
    bool export_more = false;  ///< The exporter had more than it may do in one.
  } turn_;
};

}  // namespace minibgp
