/// Doctor's checks of BGP sessions.
#include <apps/bgplite/host/doctor_checks.h>

#include <algorithm>

namespace bgplite::host {
using minibgp::xfrm::TunnelOptions;

/// Every session that should be there and is not, with what is known of why.
void sessions(const Check& check, const Config&, const Facts& facts, Out& out) {
  for (const SessionFacts& session : facts.sessions) {
    if (session.state == "Established" || !session.enabled) continue;
    const std::string time = std::to_string(static_cast<long>(session.state_for_s)) + " s";
    Text text{"the session is " + session.state + " for " + time, {}, {}};
    if (!session.tunnel.empty() && session.tunnel_state == "down") {
      text.why = "its tunnel " + session.tunnel + " is down: " + session.tunnel_reason;
      text.remedy = "bring the tunnel up: bgplite show tunnels " + session.tunnel;
    } else if (!session.route_problem.empty()) {
      text.why = "there is no route to it: " + session.route_problem;
      text.remedy = "ip route get " + session.peer + "; give this host an address or a route toward it";
    } else if (!session.down_reason.empty()) {
      text.why = session.down_reason + (session.down_detail.empty() ? "" : ": " + session.down_detail);
      text.remedy = "compare AS numbers, addresses and keys with the peer's; bgplite show peers " + session.peer;
    } else {
      text.why = "it has not answered yet on TCP port 179: it may not run, not know us, or be behind a firewall";
      text.remedy = "ping " + session.peer + "; look at the peer's log; nft list ruleset";
    }
    report(out, check, Verdict::error, session.peer, std::move(text));
  }
}

void timers(const Check& check, const Config& config, const Facts& facts, Out& out) {
  for_tunnels(config, facts, [&](const std::string& name, const TunnelOptions&, const TunnelFacts& tunnel) {
    const auto peer = config.peers.find(config.tunnels.find(name)->second.peer);
    if (peer == config.peers.end() || !tunnel.peer_hold_time) return;
    const auto ours = peer->second.options.timers.hold_s;
    if (*tunnel.peer_hold_time != ours)
      report(out, check, Verdict::warning, name,
             {"the peer proposes a hold time of " + std::to_string(*tunnel.peer_hold_time) + " s, we " +
                  std::to_string(ours) + " s",
              "the smaller one is used; clouds that do not honour it reset the session at random",
              "timers: { hold: " + std::to_string(*tunnel.peer_hold_time) + "s }"});
  });
}

}  // namespace bgplite::host
