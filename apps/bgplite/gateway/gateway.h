/// Gateway: what follows from what, between the speaker, the fib, the tunnels and the operator: a tunnel is lost ->
/// its next hops are unusable -> networks are announced in halves elsewhere; a configuration changes -> step by step;
/// drain, drill, a tunnel that goes on purpose, a peer that comes back. Pure: no socket, clock, kernel, file or log.
///
///   input(event, now)  ->  poll() until it returns nothing: carry each effect out, in order; its answer is an input
///                      ->  next_deadline(): call on_time() then
///
/// What it must know of the other machines' state it reads through GatewayView at the moment of an input.
///
/// Not here: which configuration may run and until when (config_keeper.h), and the hot path of routes, which goes from
/// the speaker to the fib without a decision of ours but forwards().
#pragma once

#include <apps/bgplite/config/config.h>
#include <apps/bgplite/config/diff.h>
#include <apps/bgplite/gateway/arrivals.h>
#include <apps/bgplite/gateway/drainer.h>
#include <apps/bgplite/gateway/driller.h>
#include <apps/bgplite/gateway/events.h>
#include <apps/bgplite/gateway/farewells.h>
#include <apps/bgplite/gateway/return_path.h>

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bgplite {

/// The other machines' state, read only. Answers are true at the moment of the call.
class GatewayView {
 public:
  virtual ~GatewayView() = default;
  [[nodiscard]] virtual std::vector<minibgp::PeerStatus> sessions() const = 0;
  [[nodiscard]] virtual std::optional<minibgp::PeerStatus> session(minibgp::PeerId peer) const = 0;
  [[nodiscard]] virtual bool has_fib() const = 0;
  [[nodiscard]] virtual std::vector<minibgp::fib::NextHopState> next_hops() const = 0;
  [[nodiscard]] virtual minibgp::fib::FibCounters fib_counters() const = 0;
  [[nodiscard]] virtual bool has_tunnels() const = 0;
  [[nodiscard]] virtual bool tunnel_usable(const std::string& tunnel) const = 0;
  [[nodiscard]] virtual std::string followed(const std::string& group) const = 0;
};

class Gateway {
 public:
  /// `view` outlives the gateway.
  Gateway(Config config, const GatewayView& view, std::uint64_t seed)
      : config_(std::move(config)), view_(view), seed_(seed) {}
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  /// Before everything else: an earlier run's routes are in the kernel.
  void set_restarted(bool restarted) { restarted_ = restarted; }

  void input(Input event, minibgp::Time now);
  void on_time(minibgp::Time now);
  [[nodiscard]] std::optional<GatewayEffect> poll();
  [[nodiscard]] minibgp::Time next_deadline() const;

  struct Status {
    std::size_t peers = 0;
    std::size_t arriving = 0;  ///< Established, not yet used.
    std::size_t drained = 0;
    std::size_t parts = 0;  ///< Halves of our networks, announced for the return traffic.
    std::uint32_t reloads = 0;
    bool drilling = false, stopping = false, restarted = false;
  };
  [[nodiscard]] Status status() const;

  /// What would turn the running configuration into `wanted`.
  [[nodiscard]] Plan plan(const Config& wanted) const;

  // --- What the configuration means to the other machines
  [[nodiscard]] minibgp::SpeakerOptions speaker_options() const;
  [[nodiscard]] minibgp::fib::FibOptions fib_options() const;
  [[nodiscard]] effect::SetTunnels tunnel_setup() const;
  [[nodiscard]] bool needs_fib() const;

  // --- Reading
  [[nodiscard]] const Config& config() const { return config_; }
  /// Whether best paths go to the fib. While stopping with on_exit: keep, sessions end but forwarding goes on; with
  /// remove, the fib takes everything out itself.
  [[nodiscard]] bool forwards() const { return !stopping_ && config_.fib.enabled; }
  [[nodiscard]] bool stopping() const { return stopping_; }
  [[nodiscard]] bool restarted() const { return restarted_; }
  /// By address, by name, or by its tunnel.
  [[nodiscard]] std::optional<minibgp::PeerId> find_peer(std::string_view name) const;
  [[nodiscard]] const std::string* peer_key(minibgp::PeerId peer) const;  ///< In Config::peers; null: it is gone.
  [[nodiscard]] const PeerConfig* peer_config(minibgp::PeerId peer) const;
  [[nodiscard]] std::optional<DrainStep> drain_step(minibgp::PeerId peer) const;
  [[nodiscard]] std::optional<Driller::Status> drill_status(minibgp::Time now) const { return driller_.status(now); }
  [[nodiscard]] const std::map<minibgp::Prefix, minibgp::PathAttributes>& runtime_announcements() const {
    return runtime_;
  }
  /// Halves of our networks that are announced to the peer now (return_path: more_specifics).
  [[nodiscard]] std::size_t parts_for(minibgp::PeerId peer) const;
  /// How often sending went over from one tunnel to another, by follow group.
  [[nodiscard]] const std::map<std::string, std::uint64_t>& follow_moves() const { return follow_moves_; }
  /// What is announced now, parts included.
  [[nodiscard]] const std::map<minibgp::Prefix, minibgp::PathAttributes>& own() const { return own_; }
  [[nodiscard]] const std::map<minibgp::Prefix, minibgp::PathAttributes>& parts() const { return parts_; }

 private:
  struct Peer {
    minibgp::PeerId id = minibgp::kLocalPeer;  ///< That: the speaker has not taken it, or not yet.
    // Of the options that the speaker has:
    std::uint64_t audience = 0;
    std::string tunnel;
    std::optional<minibgp::PeerOptions> enable_with;  ///< Added disabled, because its tunnel is down.
  };

  // gateway.cc
  void on(input::Start event);
  void on(input::Stop event);
  void on(input::PeerAdded event);
  void on(input::PeerUpdated event);
  void on(input::TunnelsSet event);
  void on(input::PeerChanged event);
  void on(input::EndOfRib event);
  void on(input::RestartComplete event);
  void on(input::NextHopInterest event);
  void on(input::NextHops event);
  void on(input::NetworkChanged event);
  void on(input::TunnelChanged event);
  void on(input::FollowChanged event);
  void on(input::Announce event);
  void on(input::Withdraw event);
  void on(input::EnablePeer event);
  void on(input::DisablePeer event);
  void on(input::ResetPeer event);
  // change.cc
  void on(input::Apply event);
  void on(input::Save event);
  void carry_out(const Plan& plan, const std::vector<Network>& old_networks);
  void keep_what_needs_a_start(Config& wanted) const;
  void log_plan(const Plan& plan);
  [[nodiscard]] Config running_beside(const Config& wanted) const;
  // maintenance.cc
  void on(input::Traffic event);
  void on(input::Drain event);
  void on(input::UndoDrain event);
  void on(input::StartDrill event);
  void on(input::StopDrill event);
  void on(input::TerminateTunnel event);

  void emit(GatewayEffect effect) { effects_.push_back(std::move(effect)); }
  void log(minibgp::LogLevel level, minibgp::LogArea area, std::string line) {
    emit(effect::Log{level, area, std::move(line)});
  }
  [[nodiscard]] minibgp::PeerOptions options_of(const std::string& key, const PeerConfig& peer);
  [[nodiscard]] minibgp::fib::PeerBinding binding_of(const minibgp::PeerOptions& options) const;
  [[nodiscard]] std::uint64_t audience_of(const std::string& key, const PeerConfig& peer);
  void add_peer(const std::string& key, const PeerConfig& peer);
  void update_peer(const std::string& key, const PeerConfig& peer);
  void remove_peer(const std::string& key);
  [[nodiscard]] bool use_new_key(const std::string& key, const std::optional<minibgp::Secret>& secret);
  void announce(const minibgp::Prefix& prefix, const minibgp::PathAttributes& attributes);
  void withdraw(const minibgp::Prefix& prefix);
  void add_network(const Network& network);
  void remove_network(const Network& network);
  void set_own_networks();
  void set_static_routes();
  void carry(const std::string& tunnel, bool usable, std::string_view reason);
  [[nodiscard]] bool tunnel_usable(const std::string& tunnel) const;
  [[nodiscard]] std::string interface_of(const std::string& tunnel) const;
  [[nodiscard]] std::string name_of(minibgp::PeerId peer) const;
  void use_peer(minibgp::PeerId peer);
  void note_session(minibgp::PeerId peer);
  void note_reachable(const std::string& key, bool reachable);
  void update_return_path();
  [[nodiscard]] std::map<minibgp::Prefix, minibgp::PathAttributes> wanted_parts();
  [[nodiscard]] bool leave_tunnels(const std::vector<std::string>& tunnels, std::string_view why);
  void resume_transports();
  [[nodiscard]] std::optional<Driller::Target> drill_target(const std::string& name, std::string& why) const;
  void play_failure();
  void take_failure_back();
  void set_drilled_peers(bool usable);
  void end_drill(DrillReport::End why);

  Config config_;
  const GatewayView& view_;
  std::uint64_t seed_;
  minibgp::Time now_{};
  std::deque<GatewayEffect> effects_;
  bool restarted_ = false, stopping_ = false;
  std::uint32_t reloads_ = 0;
  std::map<std::string, Peer> peers_;  ///< That the speaker has, by key of Config::peers.
  std::map<minibgp::PeerId, std::string> keys_;
  std::map<minibgp::Prefix, minibgp::PathAttributes> runtime_;  ///< Announced by command.
  std::map<minibgp::Prefix, minibgp::PathAttributes> own_;      ///< Announced now, without parts_.
  std::map<minibgp::Prefix, minibgp::PathAttributes> parts_;    ///< Of own_, announced for return_path_.
  std::map<std::string, std::size_t> announced_before_parts_;   ///< Prefixes a peer had before there were parts.
  std::map<std::string, std::uint64_t> follow_moves_;
  ReturnPath return_path_;
  Arrivals arrivals_;
  Drainer drainer_;
  Driller driller_;
  std::uint64_t failovers_before_drill_ = 0;  ///< Of the fib.
  Farewells farewells_;
};

}  // namespace bgplite
