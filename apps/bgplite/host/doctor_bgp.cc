/// Doctor's checks of BGP sessions.
#include <apps/bgplite/host/doctor_checks.h>
#include <bgp/text.h>
#include <fib/fib.h>

#include <algorithm>
#include <array>

namespace bgplite::host {
using minibgp::to_text;
using minibgp::xfrm::TunnelOptions;

namespace {

/// What a failed session says of itself, and what the operator does about it. The first row whose words occur counts.
struct Cause {
  std::string_view words;
  std::string_view remedy;  ///< ~ stands for the peer's address.
};
// Ordered: words that occur in longer ones stand behind them.
constexpr std::array kCauses = {
    Cause{"the peer sent OPEN Message Error / Bad Peer AS",
          "the peer expects another AS number of us: peers.~.local_asn: THAT NUMBER, or correct it at the peer"},
    Cause{"Bad Peer AS", "peers.~.asn: THE AS NUMBER THAT THE PEER HAS"},
    Cause{"Bad BGP Identifier", "router.router_id: an identifier that no other router has"},
    Cause{"Unacceptable Hold Time", "peers.~.timers: { hold: 90s }, or what the peer accepts"},
    Cause{"Role Mismatch", "peers.~.role: the counterpart of the peer's role"},
    Cause{"the peer sent Cease / Maximum Number of Prefixes",
          "we send more routes than the peer accepts: raise its limit, or peers.~.export_limit: { max: ITS LIMIT }"},
    Cause{"Maximum Number of Prefixes",
          "peers.~.import_limit: { max: MORE }; or, once the peer sends fewer routes: bgplite enable ~"},
    Cause{"Administrative Shutdown", "the peer was shut down by its operator: start it, or enable the session there"},
    Cause{"Connection refused", "nothing listens on its TCP port 179: start the peer's BGP daemon"},
    Cause{"closed the TCP connection before its OPEN",
          "the peer does not have our address as a neighbor: configure it there"},
    Cause{"Connection reset by peer", "the peer does not have our address as a neighbor: configure it there"},
};

/// The session was ended on purpose: that does not say why it is not up again.
bool was_meant(const SessionFacts& session) {
  // RFC 4271 s.4.5 and RFC 4486: Cease, with "maximum number of prefixes" and "administrative shutdown".
  constexpr unsigned kCease = 6, kPrefixes = 1, kShutdown = 2;
  return session.code == kCease && session.subcode != kPrefixes && session.subcode != kShutdown;
}

const PeerConfig* config_of(const Config& config, const SessionFacts& session) {
  for (const auto& [key, peer] : config.peers)
    if (to_text(peer.options.address) == session.peer) return &peer;
  return nullptr;
}

std::string with_peer(std::string_view remedy, const std::string& peer) {
  std::string text{remedy};
  // Several times in one text; an address holds no '~'.
  for (auto at = text.find('~'); at != std::string::npos; at = text.find('~')) text.replace(at, 1, peer);
  return text;
}

bool has_address(const Facts& facts, const std::string& address) {
  return std::find(facts.addresses.begin(), facts.addresses.end(), address) != facts.addresses.end();
}

/// GTSM drops what comes with another TTL, before TCP or after the handshake.
void name_gtsm(Text& text, const SessionFacts& session, const PeerConfig* peer) {
  if (peer == nullptr || peer->options.ttl_security_hops == 0) return;
  text.why += ", or it does not send with a TTL of 255 (ttl_security)";
  text.remedy += "; turn GTSM on at the peer, or peers." + session.peer + ".ttl_security: 0";
}

Text no_answer(const SessionFacts& session, const PeerConfig* peer) {
  Text text{{},
            "it does not answer on TCP port 179: it may not run, not know us, or be behind a firewall",
            "ping " + session.peer + "; look at the peer's log; nft list ruleset"};
  if (peer != nullptr && !peer->md5_file.empty()) {
    text.why += ", or its TCP-MD5 key is another one";
    text.remedy += "; compare the key in " + peer->md5_file + " with the peer's";
  }
  name_gtsm(text, session, peer);
  return text;
}

/// TCP is connected, and the handshake of BGP stands still.
Text no_message(const SessionFacts& session, const PeerConfig* peer) {
  if (session.state == "OpenConfirm")
    return {{},
            "it sent an OPEN, and does not confirm ours with a KEEPALIVE: it may hang, or large packets are lost",
            "look at the peer's log; ping -M do -s 1400 " + session.peer};
  Text text{{},
            "TCP is connected, and the peer sends no OPEN: it may hang, or a firewall drops what it sends",
            "look at the peer's log; nft list ruleset"};
  name_gtsm(text, session, peer);
  return text;
}

Text why_not_up(const SessionFacts& session, const Facts& facts, const PeerConfig* peer) {
  // From the bottom up: the first layer that is missing explains those above it.
  if (!session.tunnel.empty() && session.tunnel_state == "down")
    return {{},
            "its tunnel " + session.tunnel + " is down: " + session.tunnel_reason,
            "bring the tunnel up: bgplite show tunnels " + session.tunnel};
  if (peer != nullptr && !peer->options.device.empty() && facts.links.count(peer->options.device) == 0)
    return {{},
            "its interface " + peer->options.device + " is not there",
            "ip link show; correct the device of peers." + session.peer};
  if (peer != nullptr && peer->options.local_address.is_set()) {
    const std::string local = to_text(peer->options.local_address);
    if (!has_address(facts, local))
      return {{},
              "no interface has its local_address " + local,
              "ip address add " + local + "/LENGTH dev DEVICE; or correct peers." + session.peer + ".local_address"};
  }
  if (!session.route_problem.empty())
    return {{},
            "there is no route to it: " + session.route_problem,
            "ip route get " + session.peer + "; give this host an address or a route toward it"};
  // What an earlier attempt ended with is not why this connection is silent.
  constexpr double kMessageDueS = 5;
  const bool connected = session.state == "OpenSent" || session.state == "OpenConfirm";
  if (connected && session.state_for_s >= kMessageDueS) return no_message(session, peer);
  // The last attempt says more than the end of the session before it.
  const bool attempted = !session.attempt.empty();
  // Nothing is known but silence.
  if (!attempted && (session.down_reason.empty() || was_meant(session))) return no_answer(session, peer);
  const std::string last = session.down_reason + (session.down_detail.empty() ? "" : ": " + session.down_detail);
  const std::string why = attempted ? session.attempt : last;
  for (const Cause& cause : kCauses)
    if (why.find(cause.words) != std::string::npos) return {{}, why, with_peer(cause.remedy, session.peer)};
  // A timeout is silence as well, told by the kernel.
  if (why.find("timed out") != std::string::npos) return no_answer(session, peer);
  return {{}, why, "compare AS numbers, addresses and keys with the peer's; bgplite show peers " + session.peer};
}

}  // namespace

/// Every session that should be there and is not, with what is known of why.
void sessions(const Check& check, const Config& config, const Facts& facts, Out& out) {
  for (const SessionFacts& session : facts.sessions) {
    if (session.state == "Established" || !session.enabled) continue;
    const auto tunnel = config.tunnels.find(session.tunnel);
    // Without its interface the tunnel has a finding of its own.
    // Else each tunnel that is down would be reported twice.
    if (tunnel != config.tunnels.end() && !link_is_up(tunnel->second.options, facts)) continue;
    Text text = why_not_up(session, facts, config_of(config, session));
    text.what =
        "the session is " + session.state + " for " + std::to_string(static_cast<long>(session.state_for_s)) + " s";
    report(out, check, Verdict::error, session.peer, std::move(text));
  }
}

void withheld(const Check& check, const Config&, const Facts& facts, Out& out) {
  using minibgp::Withheld;
  for (const SessionFacts& session : facts.sessions)
    for (const auto& [reason, count] : session.withheld) {
      std::string remedy =
          "peers." + session.peer + ".export_limit: { max: MORE }, or an export policy that refuses more";
      // The words are those of to_text(Withheld), which the daemon sends.
      if (reason == to_text(Withheld::too_large))
        remedy = "extended_messages at both ends, or an export policy that removes communities";
      if (reason == to_text(Withheld::no_next_hop))
        remedy = "give the interface toward " + session.peer + " an address of the routes' family";
      report(out, check, Verdict::warning, session.peer,
             {std::to_string(count) + " routes that its export policy accepts are not advertised: " + reason,
              "the peer does not reach these networks through us", remedy});
    }
}

/// One finding for each reason: a program that meddles does so with many routes.
void refused_routes(const Check& check, const Config&, const Facts& facts, Out& out) {
  using minibgp::fib::Refusal;
  struct Row {
    Refusal reason;
    std::string_view remedy;
  };
  constexpr std::string_view kRemove = "remove that route if it is not needed: ip route del ~; or fib.metric: ANOTHER";
  constexpr std::array kRows = {
      Row{Refusal::foreign_route, kRemove},
      Row{Refusal::foreign_ahead, kRemove},
      Row{Refusal::contested, "find the program: ip monitor route; then end it, or fib.metric: ANOTHER"},
      Row{Refusal::table_owned, "end the other process, or give one of the two another fib.table or fib.protocol"},
      Row{Refusal::kernel, "bgplite show fib ~; the kernel's answer names what it lacks"},
  };
  for (const Row& row : kRows) {
    const auto is_it = [&](const RouteFacts& route) { return route.reason == minibgp::fib::to_text(row.reason); };
    const auto first = std::find_if(facts.refused_routes.begin(), facts.refused_routes.end(), is_it);
    if (first == facts.refused_routes.end()) continue;
    const auto count = std::count_if(first, facts.refused_routes.end(), is_it);
    // `ip route del` needs table and metric to find the one route.
    const std::string place = row.reason == Refusal::kernel ? first->prefix
                                                            : first->prefix + " table " + std::to_string(first->table) +
                                                                  " metric " + std::to_string(first->metric);
    report(out, check, Verdict::error, first->prefix,
           {(count == 1 ? std::string{"a route is"} : std::to_string(count) + " routes are") +
                " not in the kernel as it should be, the first " + first->prefix + ": " + first->reason +
                (first->detail.empty() ? "" : ": " + first->detail),
            "packets to it go another way", with_peer(row.remedy, place)});
  }
}

void timers(const Check& check, const Config& config, const Facts& facts, Out& out) {
  for_tunnels(config, facts, [&](const std::string& name, const TunnelOptions&, const TunnelFacts& tunnel) {
    const auto peer = config.peers.find(config.tunnels.find(name)->second.peer);
    if (peer == config.peers.end() || !tunnel.peer_hold_time) return;
    const auto ours = peer->second.options.timers.hold_s;
    // The one received in the peer's OPEN, not the one in use.
    if (*tunnel.peer_hold_time != ours)
      report(out, check, Verdict::warning, name,
             {"the peer proposes a hold time of " + std::to_string(*tunnel.peer_hold_time) + " s, we " +
                  std::to_string(ours) + " s",
              "the smaller one is used; clouds that do not honour it reset the session at random",
              "timers: { hold: " + std::to_string(*tunnel.peer_hold_time) + "s }"});
  });
}

}  // namespace bgplite::host
