#include <apps/bgplite/cli/frr_json.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

namespace bgplite::cli {
namespace {

std::string string_at(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

long long integer_at(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_number() ? found->get<long long>() : 0;
}

bool is_true(const Json& json, const char* key) { return json.value(key, false); }

/// FRR prints "never", "00:00:03" up to a day, "1d02h03m" up to a week, then "1w2d03h".
std::string frr_time(long long seconds) {
  std::array<char, 32> out{};
  const long long days = seconds / 86400, hours = seconds / 3600 % 24, minutes = seconds / 60 % 60;
  if (days == 0) {
    std::snprintf(out.data(), out.size(), "%02lld:%02lld:%02lld", hours, minutes, seconds % 60);
  } else if (days < 7) {
    std::snprintf(out.data(), out.size(), "%lldd%02lldh%02lldm", days, hours, minutes);
  } else {
    std::snprintf(out.data(), out.size(), "%lldw%lldd%02lldh", days / 7, days % 7, hours);
  }
  return out.data();
}

bool established(const Json& peer) { return string_at(peer, "state") == "Established"; }

std::string frr_state(const Json& peer) {
  if (!is_true(peer, "enabled")) return "Idle (Admin)";
  const Json down = peer.value("last_down", Json::object());
  // FRR's own states beyond those of RFC 4271, which its tools know.
  if (string_at(peer, "state") == "Idle" && string_at(down, "reason") == "prefix limit") return "Idle (PfxCt)";
  return string_at(peer, "state");
}

bool carries(const Json& peer, const char* family) {
  // What was negotiated while the session is up, else what is configured.
  const char* key = established(peer) ? "families" : "configured";
  const Json& families = established(peer) ? peer.value(key, Json::array())
                                           : peer.value(key, Json::object()).value("families", Json::array());
  return std::find(families.begin(), families.end(), family) != families.end();
}

Json summary_peer(const Json& peer) {
  const bool up = established(peer);
  const Json prefixes = peer.value("prefixes", Json::object());
  const Json messages = peer.value("messages", Json::object());
  const long long for_s = integer_at(peer, "state_for_s");
  const bool ever = up || integer_at(peer, "established") > 0;
  Json json{{"remoteAs", integer_at(peer, "asn")},
            {"localAs", integer_at(peer, "local_asn")},
            {"version", 4},
            {"msgRcvd", integer_at(messages, "received")},
            {"msgSent", integer_at(messages, "sent")},
            // Numbers that this implementation does not have are 0, so that readers find the keys.
            {"tableVersion", 0},
            {"outq", 0},
            {"inq", 0},
            {"peerUptime", ever ? frr_time(for_s) : "never"},
            {"peerUptimeMsec", ever ? for_s * 1000 : 0}};
  if (up) json["peerUptimeEstablishedEpoch"] = integer_at(peer, "since_epoch");
  json["pfxRcd"] = integer_at(prefixes, "received");
  json["pfxSnt"] = integer_at(prefixes, "announced");
  json["state"] = frr_state(peer);
  json["peerState"] = !is_true(peer, "enabled") ? "Admin" : "OK";
  json["connectionsEstablished"] = integer_at(peer, "established");
  json["connectionsDropped"] = integer_at(peer, "dropped");
  if (!string_at(peer, "name").empty()) json["desc"] = string_at(peer, "name");
  // By the address, as FRR has it.
  json["idType"] = string_at(peer, "peer").find(':') == std::string::npos ? "ipv4" : "ipv6";
  return json;
}

Json family_map(const Json& families, const Json& value) {
  Json map = Json::object();
  for (const Json& family : families) map[family.get<std::string>() + "Unicast"] = value;
  return map;
}

Json capabilities(const Json& peer) {
  const Json has = peer.value("capabilities", Json::object());
  const auto both = [&](const char* key) { return is_true(has, key) ? "advertisedAndReceived" : "advertised"; };
  return {
      {"4byteAs", both("four_octet_as")},
      {"extendedMessage", both("extended_messages")},
      {"routeRefresh", is_true(has, "route_refresh") ? "advertisedAndReceivedNew" : "advertised"},
      {"enhancedRouteRefresh", both("enhanced_refresh")},
      {"multiprotocolExtensions", family_map(peer.value("families", Json::array()), {{"advertisedAndReceived", true}})},
      {"gracefulRestart", both("graceful_restart")},
      {"gracefulRestartRemoteTimerMsecs", integer_at(has, "peer_restart_time_s") * 1000}};
}

Json neighbor(const Json& peer) {
  const Json messages = peer.value("messages", Json::object());
  const Json prefixes = peer.value("prefixes", Json::object());
  const Json configured = peer.value("configured", Json::object());
  const Json eor = peer.value("end_of_rib", Json::object());
  // FRR names the relation by one of two keys.
  const bool ebgp = string_at(peer, "type") == "ebgp";
  const long long up_ms = established(peer) ? static_cast<long long>(peer.value("state_for_s", 0.0) * 1000) : 0;
  Json json{{"remoteAs", integer_at(peer, "asn")}, {"localAs", integer_at(peer, "local_asn")}};
  json[ebgp ? "nbrExternalLink" : "nbrInternalLink"] = true;
  if (!string_at(peer, "name").empty()) json["nbrDesc"] = string_at(peer, "name");
  json["bgpVersion"] = 4;
  json["remoteRouterId"] = string_at(peer, "router_id").empty() ? "0.0.0.0" : string_at(peer, "router_id");
  json["bgpState"] = string_at(peer, "state");
  if (!is_true(peer, "enabled")) json["adminShutDown"] = true;
  if (established(peer)) {
    json["bgpTimerUpMsec"] = up_ms;
    json["bgpTimerUpString"] = frr_time(up_ms / 1000);
    json["bgpTimerUpEstablishedEpoch"] = integer_at(peer, "since_epoch");
  }
  json["bgpTimerConfiguredHoldTimeMsecs"] = integer_at(configured, "hold_s") * 1000;
  json["bgpTimerConfiguredKeepAliveIntervalMsecs"] = integer_at(configured, "keepalive_s") * 1000;
  json["bgpTimerHoldTimeMsecs"] = integer_at(peer, "hold_s") * 1000;
  json["bgpTimerKeepAliveIntervalMsecs"] = integer_at(peer, "keepalive_s") * 1000;
  if (established(peer)) json["neighborCapabilities"] = capabilities(peer);
  json["gracefulRestartInfo"] = {{"endOfRibSend", family_map(eor.value("sent", Json::array()), true)},
                                 {"endOfRibRecv", family_map(eor.value("received", Json::array()), true)}};
  json["messageStats"] = {{"notificationsSent", integer_at(messages, "notifications_sent")},
                          {"notificationsRecv", integer_at(messages, "notifications_received")},
                          {"updatesSent", integer_at(messages, "updates_sent")},
                          {"updatesRecv", integer_at(messages, "updates_received")},
                          {"keepalivesSent", integer_at(messages, "keepalives_sent")},
                          {"keepalivesRecv", integer_at(messages, "keepalives_received")},
                          {"routeRefreshSent", integer_at(messages, "refreshes_sent")},
                          {"routeRefreshRecv", integer_at(messages, "refreshes_received")},
                          {"totalSent", integer_at(messages, "sent")},
                          {"totalRecv", integer_at(messages, "received")}};
  json["addressFamilyInfo"] =
      family_map(peer.value("families", Json::array()), {{"acceptedPrefixCounter", integer_at(prefixes, "accepted")},
                                                         {"sentPrefixCounter", integer_at(prefixes, "announced")}});
  json["connectionsEstablished"] = integer_at(peer, "established");
  json["connectionsDropped"] = integer_at(peer, "dropped");
  if (peer.contains("last_down")) json["lastResetDueTo"] = string_at(peer["last_down"], "reason");
  if (!string_at(peer, "local_address").empty()) json["hostLocal"] = string_at(peer, "local_address");
  json["hostForeign"] = string_at(peer, "peer");
  return json;
}

std::string frr_origin(const Json& path) {
  const std::string origin = string_at(path, "origin");
  return origin == "igp" ? "IGP" : (origin == "egp" ? "EGP" : "incomplete");
}

bool is_local(const Json& path) { return string_at(path, "peer") == "local"; }

std::string next_hop(const Json& path, const std::string& prefix) {
  const std::string address = string_at(path, "next_hop");
  // Our own networks have none; FRR shows the unspecified address.
  if (!address.empty()) return address;
  return prefix.find(':') == std::string::npos ? "0.0.0.0" : "::";
}

Json next_hops(const Json& path, const std::string& prefix) {
  const std::string address = next_hop(path, prefix);
  return Json::array(
      {{{"ip", address}, {"afi", address.find(':') == std::string::npos ? "ipv4" : "ipv6"}, {"used", true}}});
}

Json route_path(const Json& path, const std::string& prefix) {
  Json json{{"valid", is_true(path, "usable")}};
  if (is_true(path, "best")) json["bestpath"] = true, json["selectionReason"] = string_at(path, "rule");
  if (is_true(path, "multipath") && !is_true(path, "best")) json["multipath"] = true;
  if (is_true(path, "stale")) json["stale"] = true;
  const std::size_t slash = prefix.find('/');
  json["pathFrom"] = "external";
  json["prefix"] = prefix.substr(0, slash);
  // The daemon made the text, so that there is a number behind the slash.
  json["prefixLen"] = std::stoi(prefix.substr(slash + 1));
  json["network"] = prefix;
  if (path.contains("med")) json["metric"] = path["med"];
  if (path.contains("local_pref")) json["locPrf"] = path["local_pref"];
  json["weight"] = integer_at(path, "weight");
  json["peerId"] = is_local(path) ? "(unspec)" : string_at(path, "peer");
  json["path"] = string_at(path, "as_path");
  json["origin"] = frr_origin(path);
  json["nexthops"] = next_hops(path, prefix);
  return json;
}

}  // namespace

Json frr_summary(const Json& summary) {
  const Json router = summary.value("router", Json::object());
  Json all = Json::object();
  for (const char* family : {"ipv4", "ipv6"}) {
    Json peers = Json::object();
    long long failed = 0;
    for (const Json& peer : summary.value("peers", Json::array())) {
      if (!carries(peer, family)) continue;
      peers[string_at(peer, "peer")] = summary_peer(peer);
      failed += established(peer) ? 0 : 1;
    }
    // A family that no peer carries has no part in FRR's answer.
    if (peers.empty()) continue;
    const auto count = static_cast<long long>(peers.size());
    all[std::string{family} + "Unicast"] = {{"routerId", string_at(router, "router_id")},
                                            {"as", integer_at(router, "asn")},
                                            {"vrfId", 0},
                                            {"vrfName", "default"},
                                            {"tableVersion", 0},
                                            {"ribCount", integer_at(summary, "routes")},
                                            {"ribMemory", integer_at(summary, "resident_octets")},
                                            {"peerCount", count},
                                            {"peerMemory", 0},
                                            {"peers", std::move(peers)},
                                            {"failedPeers", failed},
                                            {"displayedPeers", count},
                                            {"totalPeers", count},
                                            {"dynamicPeers", 0},
                                            // A text, as FRR has it.
                                            {"bestPath", {{"multiPathRelax", "false"}}}};
  }
  return all;
}

Json frr_neighbors(const Json& peers) {
  Json all = Json::object();
  for (const Json& peer : peers.value("peers", Json::array())) all[string_at(peer, "peer")] = neighbor(peer);
  return all;
}

Json frr_routes(const Json& routes, const Json& router) {
  Json all = Json::object();
  for (const Json& route : routes.value("routes", Json::array())) {
    const std::string prefix = string_at(route, "prefix");
    Json paths = Json::array();
    for (const Json& path : route.value("paths", Json::array())) paths.push_back(route_path(path, prefix));
    all[prefix] = std::move(paths);
  }
  return {{"vrfId", 0},
          {"vrfName", "default"},
          {"tableVersion", 0},
          {"routerId", string_at(router, "router_id")},
          {"defaultLocPrf", 100},
          {"localAS", integer_at(router, "asn")},
          {"routes", std::move(all)}};
}

Json frr_route(const Json& routes) {
  const Json all = routes.value("routes", Json::array());
  // FRR answers {} for a prefix it does not know.
  if (all.empty()) return Json::object();
  const Json& route = all.front();
  const std::string prefix = string_at(route, "prefix");
  Json paths = Json::array();
  for (const Json& path : route.value("paths", Json::array())) {
    Json one{{"aspath", {{"string", string_at(path, "as_path")}}},
             {"origin", frr_origin(path)},
             {"valid", is_true(path, "usable")}};
    if (path.contains("med")) one["metric"] = path["med"];
    if (path.contains("local_pref")) one["locPrf"] = path["local_pref"];
    if (is_true(path, "best")) one["bestpath"] = {{"overall", true}, {"selectionReason", string_at(path, "rule")}};
    if (is_true(path, "multipath")) one["multipath"] = true;
    one["nexthops"] = next_hops(path, prefix);
    one["peer"] = {{"peerId", is_local(path) ? "0.0.0.0" : string_at(path, "peer")}};
    paths.push_back(std::move(one));
  }
  return {{"prefix", prefix}, {"paths", std::move(paths)}};
}

}  // namespace bgplite::cli
