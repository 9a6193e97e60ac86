#include <apps/bgplite/control/json.h>
#include <bgp/text.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace bgplite::control {
namespace {

template <typename Values>
Json texts(const Values& values) {
  Json list = Json::array();
  for (const auto& value : values) list.push_back(minibgp::to_text(value));
  return list;
}

Json address(const minibgp::IpAddress& value) { return value.is_set() ? Json(minibgp::to_text(value)) : Json(nullptr); }

// As `ip xfrm state` writes SPIs.
std::string hex(std::uint32_t number) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%08x", number);
  return text;
}

Json families(const std::array<bool, minibgp::kFamilies>& which) {
  Json list = Json::array();
  if (which[0]) list.push_back("ipv4");
  if (which[1]) list.push_back("ipv6");
  return list;
}

/// Numbers of routes by reason; the reasons that have none are there too.
Json withheld(const minibgp::PeerStatus& peer) {
  Json json = Json::object();
  // Reasons without routes are there, so that scripts find the same keys always.
  for (std::size_t i = 0; i < minibgp::kWithheldReasons; ++i)
    json[std::string{minibgp::to_text(static_cast<minibgp::Withheld>(i))}] = peer.prefixes_withheld[i];
  return json;
}

Json messages(const minibgp::Counters& counters) {
  return {{"received", counters.messages_received},
          {"sent", counters.messages_sent},
          {"updates_received", counters.updates_received},
          {"updates_sent", counters.updates_sent},
          {"keepalives_received", counters.keepalives_received},
          {"keepalives_sent", counters.keepalives_sent},
          {"notifications_received", counters.notifications_received},
          {"notifications_sent", counters.notifications_sent},
          {"refreshes_received", counters.refreshes_received},
          {"refreshes_sent", counters.refreshes_sent},
          {"octets_received", counters.octets_received},
          {"octets_sent", counters.octets_sent}};
}

}  // namespace

double seconds(minibgp::Duration duration) {
  return static_cast<double>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) / 1000.0;
}

Json to_json(const minibgp::PathAttributes& attributes) {
  Json json{{"origin", minibgp::to_text(attributes.origin)}, {"as_path", minibgp::to_text(attributes.as_path)}};
  // A network of our own has none before a peer is told of it.
  if (attributes.next_hop.address.is_set()) json["next_hop"] = address(attributes.next_hop.address);
  if (attributes.next_hop.link_local.is_set()) json["next_hop_link_local"] = address(attributes.next_hop.link_local);
  if (attributes.med) json["med"] = *attributes.med;
  if (attributes.local_pref) json["local_pref"] = *attributes.local_pref;
  if (attributes.local.weight != 0) json["weight"] = attributes.local.weight;
  if (attributes.atomic_aggregate) json["atomic_aggregate"] = true;
  if (attributes.aggregator)
    json["aggregator"] = {{"asn", static_cast<std::uint32_t>(attributes.aggregator->asn)},
                          {"router_id", minibgp::to_text(attributes.aggregator->router_id)}};
  if (!attributes.communities.empty()) json["communities"] = texts(attributes.communities);
  if (!attributes.extended_communities.empty()) json["extended_communities"] = texts(attributes.extended_communities);
  if (!attributes.large_communities.empty()) json["large_communities"] = texts(attributes.large_communities);
  if (attributes.originator_id) json["originator_id"] = minibgp::to_text(*attributes.originator_id);
  if (!attributes.cluster_list.empty()) json["cluster_list"] = texts(attributes.cluster_list);
  if (attributes.only_to_customer) json["otc"] = static_cast<std::uint32_t>(*attributes.only_to_customer);
  if (!attributes.unknown.empty()) {
    Json unknown = Json::array();
    for (const minibgp::UnknownAttribute& one : attributes.unknown)
      unknown.push_back({{"type", one.type}, {"flags", one.flags}, {"octets", one.value.size()}});
    json["unknown"] = std::move(unknown);
  }
  return json;
}

Json to_json(const minibgp::PathSnapshot& path, const std::string& peer) {
  Json json{{"peer", peer},
            {"best", path.best},
            {"multipath", path.multipath},
            {"accepted", path.accepted.has_value()},
            {"usable", path.usable},
            {"stale", path.stale},
            {"rule", path.rule}};
  if (path.path_id != 0) json["path_id"] = path.path_id;
  json.update(to_json(path.accepted ? *path.accepted : path.received));
  // What policy changed can be seen, and replayed (bgplite policy diff), only with what it changed it from.
  if (path.accepted && *path.accepted != path.received) json["received"] = to_json(path.received);
  return json;
}

Json to_json(const minibgp::PeerStatus& peer, const PeerConfig* config, minibgp::Time now) {
  const bool up = peer.state == minibgp::PeerState::established;
  // Since the last change of the state, whether up or down.
  const double state_for = seconds(now - peer.since);
  // The engine's clock is monotonic, so the time of day is counted back from now.
  const auto since =
      std::chrono::system_clock::now() - std::chrono::duration_cast<std::chrono::milliseconds>(now - peer.since);
  const minibgp::Counters& counters = peer.counters;
  Json json{
      {"peer", minibgp::to_text(peer.address)},
      {"name", peer.name},
      {"asn", static_cast<std::uint32_t>(peer.remote_as)},
      {"local_asn", static_cast<std::uint32_t>(peer.local_as)},
      {"type", peer.type == minibgp::PeerType::ebgp ? "ebgp" : "ibgp"},
      {"state", minibgp::to_text(peer.state)},
      {"enabled", peer.enabled},
      {"stale", peer.stale},
      {"state_for_s", state_for},
      {"since_epoch", std::chrono::duration_cast<std::chrono::seconds>(since.time_since_epoch()).count()},
      {"router_id", peer.remote_id == minibgp::RouterId{0} ? Json(nullptr) : Json(minibgp::to_text(peer.remote_id))},
      {"local_address", address(peer.local_address)},
      {"hold_s", peer.hold_s},
      {"keepalive_s", peer.keepalive_s},
      {"peer_hold_s", peer.peer_hold_s},
      {"families", families(peer.families)},
      {"prefixes",
       {{"received", peer.prefixes_received},
        {"accepted", peer.prefixes_accepted},
        {"best", peer.prefixes_best},
        {"announced", peer.prefixes_announced},
        {"withheld", withheld(peer)}}},
      {"messages", messages(counters)},
      {"attribute_discards", counters.attribute_discards},
      {"treated_as_withdraw", counters.treated_as_withdraw},
      {"established", counters.connections_established},
      {"dropped", counters.connections_dropped}};
  if (config != nullptr) {
    json["tunnel"] = config->options.tunnel;
    json["policy"] = config->accept_all ? Json("accept_all")
                                        : Json{{"import", config->import_policy}, {"export", config->export_policy}};
    json["configured"] = {{"hold_s", config->options.timers.hold_s},
                          {"keepalive_s", config->options.timers.keepalive_s},
                          {"passive", config->options.passive},
                          {"families", families(config->options.families)},
                          {"import_limit", config->options.import_limit.max},
                          {"export_limit", config->options.export_limit.max}};
  }
  if (up) {
    json["capabilities"] = {
        {"four_octet_as", peer.four_octet_as},       {"route_refresh", peer.route_refresh},
        {"enhanced_refresh", peer.enhanced_refresh}, {"extended_messages", peer.extended_messages},
        {"graceful_restart", peer.graceful_restart}, {"peer_restart_time_s", peer.peer_restart_time_s},
        {"unknown", peer.unknown_capabilities}};
    json["end_of_rib"] = {{"received", families(peer.end_of_rib_received)}, {"sent", families(peer.end_of_rib_sent)}};
  }
  // The deadline may have passed in this turn.
  if (peer.next_attempt != minibgp::kNever) json["next_attempt_in_s"] = std::max(0.0, seconds(peer.next_attempt - now));
  if (!peer.last_attempt.empty()) json["last_attempt"] = peer.last_attempt;
  if (peer.last_down != minibgp::DownReason::none)
    json["last_down"] = {{"reason", minibgp::to_text(peer.last_down)},
                         {"detail", peer.last_down_detail},
                         {"code", peer.last_code},
                         {"subcode", peer.last_subcode}};
  return json;
}

InterfaceNames interface_names(const minibgp::fib::Fib& fib) {
  InterfaceNames names;
  for (const minibgp::fib::InterfaceStatus& interface : fib.interfaces()) names[interface.index] = interface.name;
  return names;
}

Json to_json(const minibgp::fib::RouteStatus& route, const InterfaceNames& names) {
  Json vias = Json::array();
  for (const minibgp::fib::Via& via : route.vias) {
    const auto name = names.find(via.interface);
    Json one{{"gateway", address(via.gateway)}, {"interface", name == names.end() ? std::string{} : name->second}};
    if (via.weight != 1) one["weight"] = via.weight;
    vias.push_back(std::move(one));
  }
  Json json{{"prefix", minibgp::to_text(route.key.prefix)},
            {"table", route.key.table},
            {"metric", route.key.metric},
            {"vias", std::move(vias)},
            {"desired", route.desired},
            {"installed", route.installed},
            {"in_sync", route.in_sync},
            {"adopted", route.adopted},
            {"static", route.from_static}};
  if (route.preferred_source.is_set()) json["prefsrc"] = address(route.preferred_source);
  if (route.next_hop != minibgp::fib::kNoNextHopId) json["next_hop_id"] = static_cast<std::uint32_t>(route.next_hop);
  if (route.refusal != minibgp::fib::Refusal::none) {
    json["refused"] = {
        {"reason", minibgp::fib::to_text(route.refusal)}, {"detail", route.refusal_detail}, {"errno", route.error}};
    if (const auto word = minibgp::fib::guard_word(route.refusal); !word.empty()) json["refused"]["allow"] = word;
  }
  return json;
}

Json to_json(const minibgp::fib::NextHopState& state, const std::string& peer) {
  return {{"next_hop", address(state.next_hop)},
          {"peer", peer},
          {"usable", state.usable},
          {"cost", state.cost},
          {"reason", minibgp::fib::to_text(state.reason)},
          {"detail", state.detail},
          {"gateway", address(state.gateway)},
          {"interface", state.interface}};
}

Json to_json(const minibgp::fib::FibStatus& status) {
  const minibgp::fib::FibCounters& counters = status.counters;
  return {{"enabled", status.enabled},
          {"table", status.table},
          {"metric", status.metric},
          {"protocol", status.protocol},
          {"next_hop_objects", status.next_hop_objects},
          {"synchronized", status.synchronized},
          {"adopting", status.adopting},
          {"desired", status.desired},
          {"installed", status.installed},
          {"pending", status.pending},
          {"refused", status.refused},
          {"held", status.held},
          {"contested", status.contested},
          {"adopted", status.adopted},
          {"counters",
           {{"adds", counters.route_adds},
            {"replaces", counters.route_replaces},
            {"removes", counters.route_removes},
            {"group_changes", counters.group_changes},
            {"failovers", counters.failovers},
            {"drift_repaired", counters.drift_repaired},
            {"overruns", counters.overruns},
            {"kernel_refusals", counters.kernel_refusals},
            {"audits", counters.audits},
            {"last_failover_us", counters.last_failover_ns / 1000},
            {"longest_turn_us", counters.longest_turn_ns / 1000}}}};
}

Json to_json(const minibgp::xfrm::TunnelStatus& tunnel, minibgp::Time now) {
  Json went_down_for = Json::object();
  for (std::size_t i = 0; i < tunnel.went_down_for.size(); ++i)
    if (tunnel.went_down_for[i] != 0)
      went_down_for[std::string{minibgp::xfrm::to_text(static_cast<minibgp::xfrm::Reason>(i))}] =
          tunnel.went_down_for[i];
  Json json{{"tunnel", tunnel.name},
            {"mode", minibgp::xfrm::to_text(tunnel.mode)},
            {"state", minibgp::xfrm::to_text(tunnel.state)},
            {"reason", minibgp::xfrm::to_text(tunnel.reason)},
            {"state_for_s", seconds(now - tunnel.since)},
            {"if_id", tunnel.if_id},
            {"interface", tunnel.interface},
            {"mtu", tunnel.mtu},
            {"connection", tunnel.connection},
            {"connection_loaded", tunnel.connection_loaded},
            {"inbound",
             {{"sas", tunnel.inbound_sas},
              {"spi", hex(tunnel.inbound_spi)},
              {"packets", tunnel.inbound_packets},
              {"bytes", tunnel.inbound_bytes}}},
            {"outbound",
             {{"sas", tunnel.outbound_sas},
              {"spi", hex(tunnel.outbound_spi)},
              {"packets", tunnel.outbound_packets},
              {"bytes", tunnel.outbound_bytes}}},
            {"probed", tunnel.probed},
            {"went_down", tunnel.went_down},
            {"went_down_for", std::move(went_down_for)},
            {"flaps", tunnel.flaps}};
  if (tunnel.failure != minibgp::xfrm::IkeFailure::none)
    json["ike_failure"] = {{"reason", minibgp::xfrm::to_text(tunnel.failure)}, {"text", tunnel.failure_text}};
  if (!tunnel.problem.empty()) json["problem"] = tunnel.problem;
  if (tunnel.reason == minibgp::xfrm::Reason::damped) json["held_for_s"] = seconds(tunnel.held_until - now);
  if (tunnel.next_initiate != minibgp::kNever && tunnel.next_initiate != minibgp::Time{})
    json["next_initiate_s"] = seconds(tunnel.next_initiate - now);
  return json;
}

Json to_json(const minibgp::fib::EchoProbe& echo) {
  static constexpr const char* kStates[] = {"learning", "up", "down"};
  const minibgp::fib::Probe& probe = echo.probe();
  const minibgp::fib::ProbeCounters& counters = probe.counters();
  const minibgp::fib::RoundTrips& trips = probe.round_trips();
  const auto milliseconds = [](minibgp::Duration duration) {
    return static_cast<double>(std::chrono::duration_cast<std::chrono::microseconds>(duration).count()) / 1000.0;
  };
  Json histogram = Json::array();
  // The last bucket has no upper end.
  for (std::size_t i = 0; i < trips.counts.size(); ++i)
    histogram.push_back(
        {{"up_to_ms", i < trips.kUpperMs.size() ? Json(trips.kUpperMs[i]) : Json()}, {"count", trips.counts[i]}});
  Json json{{"target", minibgp::to_text(echo.target().address)},
            {"state", kStates[static_cast<std::size_t>(probe.state())]},
            {"sent", counters.sent},
            {"answered", counters.answered},
            {"lost", counters.lost},
            {"late", counters.late},
            {"lost_in_a_row", probe.losses_in_a_row()},
            {"recent", probe.recent()},
            {"recent_lost", probe.recent_losses()}};
  if (trips.total != 0)
    json["round_trip_ms"] = {{"last", milliseconds(trips.last)},
                             {"smoothed", milliseconds(probe.smoothed_round_trip().value_or(trips.last))},
                             {"mean", milliseconds(trips.sum / static_cast<std::int64_t>(trips.total))},
                             {"histogram", std::move(histogram)}};
  if (!echo.why_not().empty()) json["why_not"] = echo.why_not();
  return json;
}

Json to_json(const Failover& failover) {
  const auto epoch = failover.at.time_since_epoch();
  Json json{{"tunnel", failover.tunnel},
            {"reason", minibgp::xfrm::to_text(failover.reason)},
            {"time_ms", std::chrono::duration_cast<std::chrono::milliseconds>(epoch).count()},
            {"moved_us", std::chrono::duration_cast<std::chrono::microseconds>(failover.moved).count()}};
  if (failover.silent) json["silent_for_s"] = seconds(*failover.silent);
  return json;
}

Json to_json(const Plan& plan) {
  // In the order of the enum Effect.
  static constexpr const char* kEffects[] = {"live", "refresh", "reset", "tunnel", "restart", "leave"};
  Json steps = Json::array();
  for (const Step& step : plan)
    steps.push_back(
        {{"key", step.key}, {"effect", kEffects[static_cast<std::size_t>(step.effect)]}, {"text", step.text}});
  return steps;
}

Json to_json(const Diagnostics& diagnostics) {
  Json list = Json::array();
  for (const Diagnostic& one : diagnostics.all())
    list.push_back({{"file", one.file},
                    {"line", one.line},
                    {"column", one.column},
                    {"severity", one.severity == Severity::error ? "error" : "warning"},
                    {"text", one.text},
                    {"hint", one.hint}});
  return list;
}

Json levels_json(const Logging& log) {
  Json levels = Json::object();
  for (std::size_t i = 0; i < Logging::kAreas; ++i) {
    const auto area = static_cast<minibgp::LogArea>(i);
    levels[std::string{bgplite::to_text(area)}] = bgplite::to_text(log.level_of(area));
  }
  return levels;
}

}  // namespace bgplite::control
