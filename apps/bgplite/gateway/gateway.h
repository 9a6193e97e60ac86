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
#include <apps/bgplite/gateway/announcements.h>
#include <apps/bgplite/gateway/arrivals.h>
#include <apps/bgplite/gateway/drainer.h>
#include <apps/bgplite/gateway/effects.h>
#include <apps/bgplite/gateway/events.h>
#include <apps/bgplite/gateway/farewells.h>
#include <apps/bgplite/gateway/losses.h>
#include <apps/bgplite/gateway/peer_table.h>
#include <apps/bgplite/gateway/return_traffic.h>
#include <apps/bgplite/gateway/view.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bgplite {

/// What runs, to be compared with another configuration: a value that any thread may read.
struct Running {
  std::shared_ptr<const Config> config;
  /// Our ends of the sessions, by key of Config::peers.
  std::map<std::string, minibgp::IpAddress> local_addresses;
};
/// What would turn it into `wanted`.
[[nodiscard]] Plan plan_of(const Running& running, const Config& wanted);

class Gateway {
 public:
  /// Some 5 ms of the speaker's time.
  static constexpr std::size_t kAnnouncedInATurn = 2'000;

  /// `view` outlives the gateway.
  Gateway(Config config, const GatewayView& view, std::uint64_t seed)
      : config_(std::make_shared<Config>(std::move(config))), view_(view), seed_(seed) {}
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
  [[nodiscard]] Plan plan(const Config& wanted) const { return plan_of(running(), wanted); }
  /// The running configuration as a value, to be compared elsewhere: a comparison may take long.
  [[nodiscard]] Running running() const;
  /// Everything was given out: what is announced, too, which takes several turns where it is much.
  [[nodiscard]] bool settled() const { return stopping_ || (effects_.empty() && announcements_.settled()); }

  /// Of the speaker in this run.
  [[nodiscard]] minibgp::SpeakerOptions router_options() const;

  // --- Reading
  [[nodiscard]] const Config& config() const { return *config_; }
  [[nodiscard]] std::shared_ptr<const Config> shared_config() const { return config_; }
  /// Whether best paths go to the fib. While stopping with on_exit: keep, sessions end but forwarding goes on; with
  /// remove, the fib takes everything out itself.
  [[nodiscard]] bool forwards() const { return !stopping_ && config_->fib.enabled; }
  [[nodiscard]] bool stopping() const { return stopping_; }
  [[nodiscard]] bool restarted() const { return restarted_; }
  [[nodiscard]] const PeerTable& peers() const { return peers_; }
  [[nodiscard]] const PeerConfig* peer_config(minibgp::PeerId peer) const;
  [[nodiscard]] std::optional<DrainStep> drain_step(minibgp::PeerId peer) const;
  [[nodiscard]] std::optional<Driller::Status> drill_status(minibgp::Time now) const {
    return losses_.driller().status(now);
  }
  [[nodiscard]] const Announcements& announcements() const { return announcements_; }
  /// Halves of our networks that are announced to the peer now (return_path: more_specifics).
  [[nodiscard]] std::size_t parts_for(minibgp::PeerId peer) const;
  /// How often sending went over from one tunnel to another, by follow group.
  [[nodiscard]] const std::map<std::string, std::uint64_t>& follow_moves() const { return follow_moves_; }

 private:
  struct On;  ///< What each alternative of Input means: on_input.h.

  // gateway.cc
  [[nodiscard]] minibgp::PeerOptions options_of(const std::string& key, const PeerConfig& peer);
  void add_peer(const std::string& key, const PeerConfig& peer);
  void update_peer(const std::string& key, const PeerConfig& peer);
  void remove_peer(const std::string& key);
  [[nodiscard]] bool use_new_key(const std::string& key, const std::optional<minibgp::Secret>& secret);
  void add_network(const Network& network);
  void remove_network(const Network& network);
  void set_own_networks();
  void set_static_routes();
  // change.cc
  void carry_out(std::span<const Step> plan, const std::vector<Network>& old_networks);
  // maintenance.cc
  [[nodiscard]] bool leave_tunnels(const std::vector<std::string>& tunnels, std::string_view why);
  void resume_transports();

  /// For a change. Whoever holds the value that was shared keeps it as it is.
  [[nodiscard]] Config& own_config();

  std::shared_ptr<Config> config_;  ///< Not null.
  const GatewayView& view_;
  std::uint64_t seed_;
  minibgp::Time now_{};
  Effects effects_;
  bool restarted_ = false, stopping_ = false;
  std::uint32_t reloads_ = 0;
  PeerTable peers_;
  Announcements announcements_;
  std::size_t room_ = kAnnouncedInATurn;  ///< Announcements that poll() may still give out in this turn.
  std::map<std::string, std::uint64_t> follow_moves_;
  ReturnTraffic return_traffic_{{view_, peers_, announcements_, effects_}};
  Losses losses_{{config_, view_, peers_, effects_, return_traffic_}};
  Arrivals arrivals_;
  Drainer drainer_;
  Farewells farewells_;
};

}  // namespace bgplite
