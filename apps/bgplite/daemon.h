/// Daemon: owns Speaker, Fib and Tunnels and passes the news between them; carries a configuration out, and a change of
/// it as diff -> plan -> apply. The only place where the three meet.
///
///   BestChange    speaker -> fib        NextHopState  fib -> speaker
///   TunnelState   tunnels -> fib (first: traffic moves), then speaker; ProbeState probes -> tunnels
#pragma once

#include <apps/bgplite/config/config.h>
#include <apps/bgplite/config/diff.h>
#include <apps/bgplite/config/yaml.h>
#include <apps/bgplite/drain.h>
#include <apps/bgplite/drill.h>
#include <apps/bgplite/failovers.h>
#include <apps/bgplite/logging.h>
#include <apps/bgplite/owned_tables.h>
#include <apps/bgplite/probes.h>
#include <apps/bgplite/restart_marker.h>
#include <apps/bgplite/return_path.h>
#include <bgp/speaker.h>
#include <fib/fib.h>
#include <fib/netlink/owner_lock.h>
#include <xfrm/tunnels.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace bgplite {

/// Threads: none; everything on the io_context's thread. `io` and `log` outlive it.
class Daemon final : private minibgp::Observer,
                     private minibgp::fib::FibObserver,
                     private minibgp::xfrm::TunnelObserver {
 public:
  Daemon(boost::asio::io_context& io, Logging& log, Config config);
  ~Daemon() override;
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  /// Opens sockets, then adds tunnels, routes, announcements and peers. The error is a sentence; nothing was sent to
  /// anybody then. Peers connect from the next turn of the loop on.
  [[nodiscard]] minibgp::Result<void, std::string> start();
  /// Ends sessions and leaves or removes kernel state as on_exit says; `done` runs when that is through.
  void stop(std::function<void()> done);

  /// What would turn the running configuration into `wanted`.
  [[nodiscard]] Plan plan(const Config& wanted) const;
  /// Carries it out. Steps that need a restart are only logged.
  Plan apply(Config wanted);

  // --- What operators do at run time
  [[nodiscard]] std::optional<minibgp::PeerId> find_peer(std::string_view address_name_or_tunnel) const;
  void announce(const minibgp::Prefix& prefix, const minibgp::PathAttributes& attributes);
  /// False: it was not announced at run time.
  bool withdraw(const minibgp::Prefix& prefix);
  void set_peer_enabled(minibgp::PeerId peer, bool enabled, std::string_view reason);
  void reset_peer(minibgp::PeerId peer, std::string_view reason);
  /// Notes what is on disk now, so that a plan does not find it different. Changes nothing else.
  void set_saved(Saved saved);
  /// Takes a tunnel down; its peers are told first, while it works.
  void terminate_tunnel(const std::string& tunnel);
  /// Leaves a peer in steps `wait` apart (drain.h). Enabling it undoes that.
  void drain(minibgp::PeerId peer, std::chrono::milliseconds wait);
  bool undo_drain(minibgp::PeerId peer);  ///< False: it is not drained.
  [[nodiscard]] std::optional<DrainStep> drain_step(minibgp::PeerId peer) const;
  /// Plays the failure of a tunnel, or of the interface to a peer without one (drill.h). The error is a sentence.
  [[nodiscard]] minibgp::Result<void, std::string> start_drill(const std::string& name,
                                                               std::chrono::milliseconds length);
  void stop_drill() { end_drill(DrillReport::End::asked); }
  struct DrillStatus {
    std::string name, interface;
    DrillReport report;
  };
  [[nodiscard]] std::optional<DrillStatus> drill_status() const;  ///< Of the last one; nothing: there was none.

  // --- Reading
  [[nodiscard]] const Config& config() const { return config_; }
  [[nodiscard]] minibgp::Speaker& speaker() { return *speaker_; }
  [[nodiscard]] const minibgp::Speaker& speaker() const { return *speaker_; }
  [[nodiscard]] minibgp::fib::Fib* fib() { return fib_.get(); }               ///< Null: no kernel routes.
  [[nodiscard]] minibgp::xfrm::Tunnels* tunnels() { return tunnels_.get(); }  ///< Null: no tunnels.
  [[nodiscard]] const Probes& probes() const { return probes_; }
  [[nodiscard]] const Failovers& failovers() const { return failovers_; }
  [[nodiscard]] const std::string* peer_key(minibgp::PeerId peer) const;  ///< In Config::peers; null: it is gone.
  [[nodiscard]] const PeerConfig* peer_config(minibgp::PeerId peer) const;
  [[nodiscard]] const std::map<minibgp::Prefix, minibgp::PathAttributes>& runtime_announcements() const {
    return runtime_;
  }
  /// Halves of our networks that are announced to the peer now (return_path: more_specifics).
  [[nodiscard]] std::size_t parts_for(minibgp::PeerId peer) const;
  /// How often sending went over from one tunnel to another, by follow group.
  [[nodiscard]] const std::map<std::string, std::uint64_t>& follow_moves() const { return follow_moves_; }
  [[nodiscard]] std::chrono::seconds uptime() const;
  [[nodiscard]] std::uint32_t reloads() const { return reloads_; }
  [[nodiscard]] bool restarted() const { return restarted_; }

  /// Hears what happens, for `bgplite monitor`: kind ("peer", "tunnel", "next-hop", "routes") and facts as (name,
  /// text). Empty: nobody listens, and nothing is made.
  using Fact = std::pair<std::string_view, std::string>;
  std::function<void(std::string_view kind, const std::vector<Fact>& facts)> on_event;

 private:
  // minibgp::Observer
  void on_peer_changed(const minibgp::PeerChanged& change) override;
  void on_best_changed(std::span<const minibgp::BestChange> changes) override;
  void on_next_hop_interest(const minibgp::NextHopInterest& interest) override;
  void on_end_of_rib(const minibgp::EndOfRib& end) override;
  void on_restart_complete() override;
  // minibgp::fib::FibObserver
  void on_next_hops_changed(std::span<const minibgp::fib::NextHopState> states) override;
  void on_network_changed(const minibgp::Prefix& prefix, minibgp::fib::NetworkWatch watch, bool present) override;
  void on_fib_failed(std::error_code error) override;
  void on_owned_changed(std::span<const minibgp::fib::OwnedTable> tables) override;
  // minibgp::xfrm::TunnelObserver
  void on_tunnel_changed(const minibgp::xfrm::TunnelChange& change) override;
  void on_follow_changed(const minibgp::xfrm::FollowChange& change) override;

  [[nodiscard]] minibgp::Result<void, std::string> open_listeners();
  [[nodiscard]] minibgp::Result<void, std::string> open_fib();
  [[nodiscard]] minibgp::Result<void, std::string> open_tunnels();
  [[nodiscard]] minibgp::Result<void, std::string> own_charon();
  [[nodiscard]] minibgp::SpeakerOptions speaker_options() const;
  [[nodiscard]] minibgp::fib::FibOptions fib_options() const;
  /// The options in force of a peer, with what the daemon adds to them: its audience, and a drain's.
  [[nodiscard]] minibgp::PeerOptions options_of(const std::string& key, const PeerConfig& peer);
  bool use_new_key(const std::string& key);
  [[nodiscard]] Config running_beside(const Config& wanted) const;
  void add_peer(const std::string& key, const PeerConfig& peer);
  void update_peer(const std::string& key, const PeerConfig& peer);
  void remove_peer(const std::string& key);
  void add_network(const Network& network);
  void remove_network(const Network& network);
  void set_own_networks();
  [[nodiscard]] std::uint64_t audience_of(const std::string& key, const PeerConfig& peer);
  void note_session(minibgp::PeerId peer);
  void note_reachable(const std::string& key, bool reachable);
  void update_return_path();
  [[nodiscard]] std::map<minibgp::Prefix, minibgp::PathAttributes> return_path_parts(
      const std::map<minibgp::Prefix, minibgp::PathAttributes>& own);
  void log_plan(const Plan& plan);
  bool leave_tunnels(const std::vector<std::string>& tunnels, std::string_view why);
  void after_farewell(std::function<void()> action);
  void resume_transports();
  void carry(const std::string& tunnel, bool usable, std::string_view reason);
  [[nodiscard]] bool tunnel_usable(const std::string& tunnel) const;
  void step_drains();
  void arm_drains();
  void arm_drill();
  void play_failure();
  void take_failure_back();
  void set_drilled_peers(bool usable);
  void end_drill(DrillReport::End why);
  [[nodiscard]] bool tells_its_end_beside_others(const minibgp::PeerStatus& peer) const;
  void use_peer(minibgp::PeerId peer);
  void arm_arrivals();
  static constexpr std::chrono::seconds kArrivalMax{5};
  void set_tunnels();
  void remember_tunnels();
  void guard_underlay();
  void set_static_routes();
  void note_failover(const std::string& tunnel, minibgp::xfrm::Reason reason);
  void event(std::string_view kind, std::initializer_list<Fact> facts) const;
  [[nodiscard]] std::string interface_of(const std::string& tunnel) const;
  [[nodiscard]] std::string name_of(minibgp::PeerId peer) const;

  boost::asio::io_context& io_;
  Logging& log_;
  Config config_;
  RestartMarker marker_;
  OwnedTables owned_tables_;
  std::unique_ptr<minibgp::netlink::OwnerLock> charon_lock_;  ///< Held while we hand connections to charon.
  bool restarted_ = false;
  bool stopping_ = false;
  std::uint64_t seed_;
  std::uint32_t reloads_ = 0;
  std::chrono::steady_clock::time_point started_;
  std::unique_ptr<minibgp::fib::Fib> fib_;
  std::unique_ptr<minibgp::xfrm::Tunnels> tunnels_;
  Probes probes_;
  Failovers failovers_;
  minibgp::Duration moved_in_{};  ///< What the last carry() took the kernel.
  std::unique_ptr<minibgp::Speaker> speaker_;
  std::map<std::string, std::uint64_t> follow_moves_;
  std::map<std::string, minibgp::PeerId> ids_;  ///< By key of Config::peers.
  std::map<minibgp::PeerId, std::string> keys_;
  std::map<minibgp::Prefix, minibgp::PathAttributes> runtime_;  ///< Announced by command.
  bool restart_complete_ = false;
  /// Back beside others that carry the traffic: used when they have said all they have, or this much time has passed.
  std::map<minibgp::PeerId, minibgp::Time> arriving_;
  boost::asio::steady_timer arriving_timer_;
  ReturnPath return_path_;
  std::map<minibgp::Prefix, minibgp::PathAttributes> parts_;  ///< Of networks, announced for return_path_.
  std::map<std::string, std::size_t> told_before_parts_;      ///< Prefixes a peer had before there were parts.
  boost::asio::steady_timer return_path_timer_;

  std::vector<std::function<void()>> after_farewell_;  ///< When peers had the time to hear that their tunnel goes.
  boost::asio::steady_timer farewell_timer_, resume_timer_;
  Drains drains_;
  boost::asio::steady_timer drains_timer_;
  struct Drilled {
    std::string name, tunnel, interface;  ///< Without a tunnel: an interface alone.
    std::vector<minibgp::PeerId> peers;   ///< Without a tunnel: those behind the interface.
    Drill drill;
    std::uint64_t failovers = 0;  ///< Of the Fib, before.
  };
  std::optional<Drilled> drill_;
  boost::asio::steady_timer drill_timer_;
};

}  // namespace bgplite
