#include <apps/bgplite/metrics/text.h>
#include <bgp/text.h>
#include <bgp/version.h>

#include <algorithm>
#include <fstream>
#include <initializer_list>
#include <utility>

#include <unistd.h>

namespace bgplite::metrics {
namespace {

using Labels = std::initializer_list<std::pair<const char*, std::string>>;

/// Collects families: HELP and TYPE once, then the samples.
class Page {
 public:
  void family(const char* name, const char* type, const char* help) {
    name_ = name;
    text_ += std::string{"# HELP "} + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
  }
  /// `ending`: of a histogram's series.
  void sample(double value, Labels labels = {}, const char* ending = "") {
    text_ += name_ + ending;
    char separator = '{';
    for (const auto& [key, label] : labels) {
      text_ += separator + std::string{key} + "=\"" + escaped(label) + "\"";
      separator = ',';
    }
    if (separator == ',') text_ += '}';
    text_ += " " + number(value) + "\n";
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  static std::string escaped(const std::string& label) {
    std::string out;
    for (const char c : label) {
      // The text format knows these three: backslash, quotation mark and end of line.
      if (c == '\\' || c == '"') out += '\\';
      out += c == '\n' ? ' ' : c;
    }
    return out;
  }
  static std::string number(double value) {
    const auto whole = static_cast<long long>(value);
    // Counters as whole numbers: std::to_string(double) would write six digits behind the point.
    if (static_cast<double>(whole) == value) return std::to_string(whole);
    return std::to_string(value);
  }

  std::string text_;
  std::string name_;
};

double resident_octets() {
  std::ifstream in{"/proc/self/statm"};
  double total = 0, resident = 0;
  in >> total >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

double seconds(minibgp::Duration duration) {
  return static_cast<double>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) / 1000.0;
}

using Peers = std::vector<minibgp::PeerStatus>;
/// Which peer a series is about. The address alone does not say it of link-local ones: many links have the same.
std::string address_of(const Daemon& daemon, const minibgp::PeerStatus& peer) {
  const std::string address = minibgp::to_text(peer.address);
  const PeerConfig* config = peer.address.is_link_local_v6() ? daemon.gateway().peer_config(peer.id) : nullptr;
  return config == nullptr || config->options.device.empty() ? address : address + "%" + config->options.device;
}

bool established(const minibgp::PeerStatus& peer) { return peer.state == minibgp::PeerState::established; }

/// One native series of every peer.
/// A table, so that families cannot mix: all samples of one must stand together.
struct PeerMetric {
  const char* name;
  const char* type;
  const char* help;
  double (*value)(const minibgp::PeerStatus& peer);
};
const PeerMetric kPeerMetrics[] = {
    {"bgplite_peer_up", "gauge", "1 while the session is Established.",
     [](const auto& p) { return established(p) ? 1.0 : 0.0; }},
    {"bgplite_peer_enabled", "gauge", "0 while administratively down.",
     [](const auto& p) { return p.enabled ? 1.0 : 0.0; }},
    {"bgplite_peer_stale", "gauge", "1 while the peer restarts and its routes are kept.",
     [](const auto& p) { return p.stale ? 1.0 : 0.0; }},
    {"bgplite_peer_prefixes_received", "gauge", "Prefixes received, before policy.",
     [](const auto& p) { return static_cast<double>(p.prefixes_received); }},
    {"bgplite_peer_prefixes_accepted", "gauge", "Prefixes accepted by import policy.",
     [](const auto& p) { return static_cast<double>(p.prefixes_accepted); }},
    {"bgplite_peer_prefixes_best", "gauge", "Prefixes whose best path is this peer's.",
     [](const auto& p) { return static_cast<double>(p.prefixes_best); }},
    {"bgplite_peer_prefixes_announced", "gauge", "Prefixes announced to the peer.",
     [](const auto& p) { return static_cast<double>(p.prefixes_announced); }},
    {"bgplite_peer_messages_received_total", "counter", "BGP messages received.",
     [](const auto& p) { return static_cast<double>(p.counters.messages_received); }},
    {"bgplite_peer_messages_sent_total", "counter", "BGP messages sent.",
     [](const auto& p) { return static_cast<double>(p.counters.messages_sent); }},
    {"bgplite_peer_updates_received_total", "counter", "UPDATE messages received.",
     [](const auto& p) { return static_cast<double>(p.counters.updates_received); }},
    {"bgplite_peer_updates_sent_total", "counter", "UPDATE messages sent.",
     [](const auto& p) { return static_cast<double>(p.counters.updates_sent); }},
    {"bgplite_peer_sessions_established_total", "counter", "Times the session came up.",
     [](const auto& p) { return static_cast<double>(p.counters.connections_established); }},
    {"bgplite_peer_sessions_dropped_total", "counter", "Times the session went down.",
     [](const auto& p) { return static_cast<double>(p.counters.connections_dropped); }},
    {"bgplite_peer_treated_as_withdraw_total", "counter",
     "UPDATE messages with errors, treated as withdraw (RFC 7606).",
     [](const auto& p) { return static_cast<double>(p.counters.treated_as_withdraw); }},
};

void native_peers(Page& page, const Daemon& daemon, const Peers& peers) {
  for (const PeerMetric& metric : kPeerMetrics) {
    page.family(metric.name, metric.type, metric.help);
    for (const minibgp::PeerStatus& peer : peers)
      page.sample(metric.value(peer),
                  {{"peer", address_of(daemon, peer)}, {"name", peer.name}, {"asn", minibgp::to_text(peer.remote_as)}});
  }
  page.family("bgplite_peer_prefixes_withheld", "gauge", "Prefixes accepted by export policy that cannot be sent.");
  for (const minibgp::PeerStatus& peer : peers)
    // Reasons without routes as well, so that each series is there from the start.
    for (std::size_t i = 0; i < minibgp::kWithheldReasons; ++i)
      page.sample(peer.prefixes_withheld[i],
                  {{"peer", address_of(daemon, peer)},
                   {"name", peer.name},
                   {"reason", std::string{minibgp::to_text(static_cast<minibgp::Withheld>(i))}}});
  page.family("bgplite_peer_state_seconds", "gauge", "Time since the session came up or went down.");
  for (const minibgp::PeerStatus& peer : peers)
    page.sample(seconds(daemon.speaker().now() - peer.since),
                {{"peer", address_of(daemon, peer)}, {"name", peer.name}});
  page.family("bgplite_peer_drained", "gauge", "1 while the peer is left on purpose (drain).");
  for (const minibgp::PeerStatus& peer : peers)
    page.sample(daemon.gateway().drain_step(peer.id) ? 1 : 0,
                {{"peer", address_of(daemon, peer)}, {"name", peer.name}});
  const auto share = [&](const char* name, const char* help, std::uint32_t minibgp::PeerStatus::*count,
                         minibgp::PrefixLimit minibgp::PeerOptions::*limit) {
    page.family(name, "gauge", help);
    for (const minibgp::PeerStatus& peer : peers)
      if (const PeerConfig* config = daemon.gateway().peer_config(peer.id))
        // `max` is at least 1.
        page.sample(static_cast<double>(peer.*count) / static_cast<double>((config->options.*limit).max),
                    {{"peer", address_of(daemon, peer)}, {"name", peer.name}});
  };
  share("bgplite_export_limit_ratio", "Prefixes announced as a share of export_limit.",
        &minibgp::PeerStatus::prefixes_announced, &minibgp::PeerOptions::export_limit);
  share("bgplite_import_limit_ratio", "Prefixes received as a share of import_limit.",
        &minibgp::PeerStatus::prefixes_received, &minibgp::PeerOptions::import_limit);
}

void native_fib(Page& page, const minibgp::fib::FibStatus& status) {
  page.family("bgplite_fib_routes", "gauge", "Kernel routes by state.");
  page.sample(static_cast<double>(status.installed), {{"state", "installed"}});
  page.sample(static_cast<double>(status.pending), {{"state", "pending"}});
  page.sample(static_cast<double>(status.refused), {{"state", "refused"}});
  page.sample(static_cast<double>(status.held), {{"state", "held"}});
  page.sample(static_cast<double>(status.contested), {{"state", "contested"}});
  page.sample(static_cast<double>(status.adopted), {{"state", "adopted"}});
  page.family("bgplite_fib_synchronized", "gauge", "1 while the kernel has exactly what is desired.");
  page.sample(status.synchronized ? 1 : 0);
  page.family("bgplite_fib_drift_repaired_total", "counter", "Routes of ours that others changed, repaired.");
  page.sample(static_cast<double>(status.counters.drift_repaired));
  page.family("bgplite_fib_overruns_total", "counter",
              "Times the kernel dropped notifications; each led to a full comparison.");
  page.sample(static_cast<double>(status.counters.overruns));
  page.family("bgplite_fib_failovers_total", "counter", "Next hops taken out of groups because they became unusable.");
  page.sample(static_cast<double>(status.counters.failovers));
  page.family("bgplite_fib_last_failover_seconds", "gauge",
              "Time the last failover took, from the news to the kernel.");
  page.sample(static_cast<double>(status.counters.last_failover_ns) / 1e9);
}

void native_tunnels(Page& page, const std::vector<minibgp::xfrm::TunnelStatus>& tunnels) {
  // Without the reason, which changes: the series of a state goes on, so that an alert's time does.
  page.family("bgplite_tunnel_state", "gauge", "2 up, 1 suspect, 0 down.");
  for (const auto& tunnel : tunnels) page.sample(static_cast<double>(tunnel.state), {{"tunnel", tunnel.name}});
  page.family("bgplite_tunnel_reason", "gauge", "Always 1: why the tunnel has its state.");
  for (const auto& tunnel : tunnels)
    page.sample(1, {{"tunnel", tunnel.name}, {"reason", std::string{minibgp::xfrm::to_text(tunnel.reason)}}});
  page.family("bgplite_tunnel_sa_count", "gauge", "Security associations.");
  for (const auto& tunnel : tunnels) {
    page.sample(static_cast<double>(tunnel.inbound_sas), {{"tunnel", tunnel.name}, {"dir", "in"}});
    page.sample(static_cast<double>(tunnel.outbound_sas), {{"tunnel", tunnel.name}, {"dir", "out"}});
  }
  page.family("bgplite_tunnel_went_down_total", "counter", "Times the tunnel went down.");
  for (const auto& tunnel : tunnels) page.sample(static_cast<double>(tunnel.went_down), {{"tunnel", tunnel.name}});
}

void native_detection(Page& page, const Daemon& daemon, const std::vector<minibgp::xfrm::TunnelStatus>& tunnels) {
  page.family("bgplite_tunnel_down_total", "counter", "Times the tunnel went down, by reason.");
  for (const auto& tunnel : tunnels)
    for (std::size_t i = 0; i < tunnel.went_down_for.size(); ++i)
      // Reasons are many and tunnels too: only those that occurred.
      if (tunnel.went_down_for[i] != 0)
        page.sample(static_cast<double>(tunnel.went_down_for[i]),
                    {{"tunnel", tunnel.name},
                     {"reason", std::string{minibgp::xfrm::to_text(static_cast<minibgp::xfrm::Reason>(i))}}});
  page.family("bgplite_tunnel_last_failover_seconds", "gauge",
              "Time until the kernel had taken the tunnel out of all groups, when it was lost last.");
  for (const auto& tunnel : tunnels) {
    const auto& all = daemon.failovers().all();
    // The last one in time stands last.
    const auto last = std::find_if(all.rbegin(), all.rend(), [&](const auto& it) { return it.tunnel == tunnel.name; });
    if (last != all.rend()) page.sample(static_cast<double>(last->moved.count()) / 1e9, {{"tunnel", tunnel.name}});
  }
}

/// Of the histogram's class `i`: in seconds, as Prometheus wants it; the last class has no bound.
template <typename Bounds>
std::string bound_text(const Bounds& upper_ms, std::size_t i) {
  if (i == upper_ms.size()) return "+Inf";
  const std::string whole = std::to_string(upper_ms[i] / 1000);
  // Three digits with leading zeros: 1000 + 25 is "1025", of which "025" remains.
  return upper_ms[i] < 1000 ? whole + "." + std::to_string(1000 + upper_ms[i]).substr(1) : whole;
}

void native_probes(Page& page, const Daemon& daemon, const std::vector<minibgp::xfrm::TunnelStatus>& tunnels) {
  std::vector<std::pair<std::string, const minibgp::fib::EchoProbe*>> probes;
  for (const auto& tunnel : tunnels)
    if (const auto* probe = daemon.probes().find(tunnel.name)) probes.emplace_back(tunnel.name, probe);
  if (probes.empty()) return;
  const auto each = [&](const char* name, const char* type, const char* help, auto value) {
    page.family(name, type, help);
    for (const auto& [tunnel, probe] : probes) page.sample(value(*probe), {{"tunnel", tunnel}});
  };
  const auto counter = [](std::uint64_t value) { return static_cast<double>(value); };
  each("bgplite_probe_running", "gauge", "1 while echo requests are sent.",
       [](const auto& it) { return it.why_not().empty() ? 1.0 : 0.0; });
  each("bgplite_probe_state", "gauge", "0: the target has not answered yet, 1: up, 2: down.",
       [](const auto& it) { return static_cast<double>(it.state()); });
  each("bgplite_probe_sent_total", "counter", "Echo requests sent.",
       [&](const auto& it) { return counter(it.probe().counters().sent); });
  each("bgplite_probe_lost_total", "counter", "Echo requests without an answer in time.",
       [&](const auto& it) { return counter(it.probe().counters().lost); });
  each("bgplite_probe_late_total", "counter", "Of the lost ones, those that were answered after all.",
       [&](const auto& it) { return counter(it.probe().counters().late); });
  page.family("bgplite_probe_smoothed_round_trip_seconds", "gauge", "Mean of the latest round trips.");
  for (const auto& [tunnel, probe] : probes)
    if (const auto trip = probe->probe().smoothed_round_trip())
      page.sample(static_cast<double>(trip->count()) / 1e9, {{"tunnel", tunnel}});
  page.family("bgplite_probe_round_trip_seconds", "histogram", "Round trips of echo requests.");
  for (const auto& [tunnel, probe] : probes) {
    const minibgp::fib::RoundTrips& trips = probe->probe().round_trips();
    // Buckets are cumulative in this format.
    std::uint64_t up_to = 0;
    for (std::size_t i = 0; i < trips.counts.size(); ++i) {
      up_to += trips.counts[i];
      page.sample(counter(up_to), {{"tunnel", tunnel}, {"le", bound_text(trips.kUpperMs, i)}}, "_bucket");
    }
    page.sample(static_cast<double>(trips.sum.count()) / 1e9, {{"tunnel", tunnel}}, "_sum");
    page.sample(counter(trips.total), {{"tunnel", tunnel}}, "_count");
  }
}

void native_loop(Page& page, const LoopTurns& turns) {
  const auto seconds_of = [](std::chrono::nanoseconds time) { return static_cast<double>(time.count()) / 1e9; };
  page.family("bgplite_loop_turn_seconds", "histogram",
              "Processor time of one turn of the daemon's loop, in which nothing else is served.");
  std::uint64_t up_to = 0;
  for (std::size_t i = 0; i < turns.counts().size(); ++i) {
    up_to += turns.counts()[i];
    page.sample(static_cast<double>(up_to), {{"le", bound_text(turns.kUpperMs, i)}}, "_bucket");
  }
  // Of the same counts as the buckets, so that "+Inf" and _count agree.
  page.sample(seconds_of(turns.sum()), {}, "_sum");
  page.sample(static_cast<double>(up_to), {}, "_count");
  page.family("bgplite_loop_longest_turn_seconds", "gauge", "The longest of them since the start.");
  page.sample(seconds_of(turns.longest()));
}

void native_configuration(Page& page, const Daemon& daemon, const Life& life) {
  page.family("bgplite_reloads_total", "counter", "Configurations applied since the start.");
  page.sample(daemon.gateway().status().reloads);
  page.family("bgplite_config_last_apply_successful", "gauge", "0 when the last apply or reload was refused.");
  page.sample(life.last_apply_succeeded() ? 1 : 0);
  page.family("bgplite_config_unconfirmed", "gauge", "1 while a configuration waits for its confirmation.");
  page.sample(life.unconfirmed_for() ? 1 : 0);
}

void native(Page& page, Daemon& daemon, const Peers& peers) {
  page.family("bgplite_info", "gauge", "Version and identity.");
  page.sample(1, {{"version", minibgp::kVersionText},
                  {"asn", minibgp::to_text(daemon.config().router.asn)},
                  {"router_id", minibgp::to_text(daemon.config().router.router_id)}});
  page.family("bgplite_uptime_seconds", "gauge", "Time since the start.");
  page.sample(static_cast<double>(daemon.uptime().count()));
  page.family("bgplite_resident_memory_bytes", "gauge", "Physical memory in use.");
  page.sample(resident_octets());
  page.family("bgplite_rib_prefixes", "gauge", "Prefixes in the RIB.");
  page.sample(static_cast<double>(daemon.speaker().engine().route_count()));
  const auto drill = daemon.gateway().drill_status(daemon.speaker().now());
  page.family("bgplite_drill_running", "gauge", "1 while a failure is played (drill).");
  page.sample(drill && drill->report.state != DrillReport::State::done ? 1 : 0);
  native_peers(page, daemon, peers);
  if (daemon.fib() != nullptr) native_fib(page, daemon.fib()->status());
  // Without tunnels their families are left out.
  if (daemon.tunnels() == nullptr) return;
  const auto tunnels = daemon.tunnels()->status();
  native_tunnels(page, tunnels);
  native_detection(page, daemon, tunnels);
  native_probes(page, daemon, tunnels);
  if (!daemon.gateway().follow_moves().empty())
    page.family("bgplite_follow_moves_total", "counter", "Times sending went over to another tunnel of a group.");
  for (const auto& [group, moves] : daemon.gateway().follow_moves())
    page.sample(static_cast<double>(moves), {{"group", group}});
}

/// frr_exporter's series of a peer (collector/bgp.go), with its labels.
struct FrrMetric {
  const char* name;
  const char* type;
  const char* help;
  double (*value)(const minibgp::PeerStatus& peer, double for_s);
};
const FrrMetric kFrrMetrics[] = {
    {"frr_bgp_peer_state", "gauge", "State of the peer (2 = Administratively Down, 1 = Established, 0 = Down).",
     // The numbers are frr_exporter's, so that its dashboards work.
     [](const auto& p, double) { return !p.enabled ? 2.0 : (established(p) ? 1.0 : 0.0); }},
    {"frr_bgp_peer_uptime_seconds", "gauge", "How long has the peer been up.",
     [](const auto& p, double for_s) { return established(p) ? for_s : 0.0; }},
    {"frr_bgp_peer_message_received_total", "counter", "Number of received messages.",
     [](const auto& p, double) { return static_cast<double>(p.counters.messages_received); }},
    {"frr_bgp_peer_message_sent_total", "counter", "Number of sent messages.",
     [](const auto& p, double) { return static_cast<double>(p.counters.messages_sent); }},
    {"frr_bgp_peer_prefixes_received_count_total", "gauge", "Number of prefixes received.",
     [](const auto& p, double) { return static_cast<double>(p.prefixes_received); }},
    {"frr_bgp_peer_prefixes_accepted_count_total", "gauge", "Number of prefixes accepted.",
     [](const auto& p, double) { return static_cast<double>(p.prefixes_accepted); }},
    {"frr_bgp_peer_prefixes_filtered_count_total", "gauge", "Number of prefixes filtered.",
     [](const auto& p, double) {
       return static_cast<double>(p.prefixes_received) - static_cast<double>(p.prefixes_accepted);
     }},
    {"frr_bgp_peer_prefixes_advertised_count_total", "gauge", "Number of prefixes advertised.",
     [](const auto& p, double) { return static_cast<double>(p.prefixes_announced); }},
};

std::string family_of(const minibgp::PeerStatus& peer) {
  // frr_exporter has one series for each family; a session here has one state for all.
  return peer.families[1] && !peer.families[0] ? "ipv6" : "ipv4";
}

void frr(Page& page, const Daemon& daemon, const Peers& peers) {
  const std::string local_as = minibgp::to_text(daemon.config().router.asn);
  for (const FrrMetric& metric : kFrrMetrics) {
    page.family(metric.name, metric.type, metric.help);
    for (const minibgp::PeerStatus& peer : peers)
      page.sample(metric.value(peer, seconds(daemon.speaker().now() - peer.since)),
                  {{"vrf", "default"},
                   {"afi", family_of(peer)},
                   {"safi", "unicast"},
                   {"local_as", local_as},
                   {"peer", address_of(daemon, peer)},
                   {"peer_as", minibgp::to_text(peer.remote_as)},
                   {"peer_desc", peer.name}});
  }
  const auto router = [&](const char* name, const char* help, double value) {
    page.family(name, "gauge", help);
    page.sample(value, {{"vrf", "default"}, {"afi", "ipv4"}, {"safi", "unicast"}, {"local_as", local_as}});
  };
  router("frr_bgp_rib_count_total", "Number of routes in the RIB.",
         static_cast<double>(daemon.speaker().engine().route_count()));
  router("frr_bgp_rib_memory_bytes", "Memory consumbed by the RIB.", resident_octets());
  router("frr_bgp_peers_count_total", "Number peers configured.", static_cast<double>(peers.size()));
}

}  // namespace

std::string to_text(Daemon& daemon, const Life& life, const LoopTurns& turns, MetricsConfig::Names names) {
  // Once for all families: a copy of every peer's status.
  const Peers peers = daemon.speaker().engine().peers();
  Page page;
  if (names != MetricsConfig::Names::frr) {
    native(page, daemon, peers);
    native_configuration(page, daemon, life);
    native_loop(page, turns);
  }
  if (names != MetricsConfig::Names::native) frr(page, daemon, peers);
  return page.take();
}

}  // namespace bgplite::metrics
