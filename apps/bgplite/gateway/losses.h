/// Losses: what follows when a tunnel or an interface ceases to carry traffic or carries it again, in earnest or in a
/// drill: its next hops, the transports of its peers, the return traffic, in this order. A drill (driller.h) is a loss
/// that we declare and take back. Pure.
#pragma once

#include <apps/bgplite/config/config.h>
#include <apps/bgplite/gateway/driller.h>
#include <apps/bgplite/gateway/effects.h>
#include <apps/bgplite/gateway/peer_table.h>
#include <apps/bgplite/gateway/return_traffic.h>
#include <apps/bgplite/gateway/view.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace bgplite {

class Losses {
 public:
  /// What it works with; all of it outlives it.
  struct Around {
    const std::shared_ptr<Config>& config;  ///< The running one.
    const GatewayView& view;
    const PeerTable& peers;
    Effects& effects;
    ReturnTraffic& return_traffic;
  };
  explicit Losses(const Around& around) : my_(around) {}

  /// The tunnel works, and no drill says otherwise.
  [[nodiscard]] bool tunnel_usable(const std::string& tunnel) const {
    return my_.view.tunnel_usable(tunnel) && !driller_.fails(tunnel);
  }
  /// A tunnel begins or ceases to carry traffic, for whatever reason.
  void carry(const std::string& tunnel, bool usable, std::string_view reason, minibgp::Time now);

  /// Answered with effect::Refused when it is not possible.
  void start_drill(const std::string& name, minibgp::Duration length, minibgp::Time now);
  void end_drill(DrillReport::End why, minibgp::Time now);
  /// The counters that effect::ReadTraffic asked for; the drill goes on.
  void on_traffic(std::optional<TrafficCounters> counters, minibgp::Time now);
  void on_time(minibgp::Time now);
  [[nodiscard]] const Driller& driller() const { return driller_; }

 private:
  [[nodiscard]] std::optional<Driller::Target> drill_target(const std::string& name, std::string& why) const;
  void play_failure(minibgp::Time now);
  void take_failure_back(minibgp::Time now);
  void set_drilled_peers(bool usable, minibgp::Time now);

  Around my_;
  Driller driller_;
};

}  // namespace bgplite
