/// Peers as they are written, but their policies.
#include <apps/bgplite/cli/import_frr_neighbors.h>
#include <apps/bgplite/config/policy_writer.h>
#include <bgp/text.h>

#include <algorithm>
#include <set>

namespace bgplite::cli {
namespace {

constexpr const char* kSame = "what holds without it";
constexpr std::uint32_t kConnectRetryMax = 120;

}  // namespace

/// The neighbor's own value, or its group's.
const FrrValue* FrrNeighbors::value(Peer& peer, const std::string& key) {
  const FrrValue* const own = peer.own.values.use(key);
  const FrrValue* const group = peer.group == nullptr ? nullptr : peer.group->values.find(key);
  const bool has_group = group != nullptr && !group->text.empty();
  if (own == nullptr) return has_group ? peer.group->values.use(key) : nullptr;
  if (has_group && own->text == group->text) notes_.no_effect(own->line, "its peer-group says the same");
  if (!own->text.empty()) return own;
  if (!has_group) notes_.same(*own, kSame);
  return nullptr;
}

const FrrValue* FrrNeighbors::family_value(Peer& peer, const std::string& key, std::size_t family) {
  return value(peer, (family == 0 ? "4 " : "6 ") + key);
}

bool FrrNeighbors::flag(Peer& peer, const std::string& key, bool fallback) {
  const FrrValue* const found = value(peer, key);
  if (found == nullptr) return fallback;
  const bool given = found->text == "true";
  const bool alone = peer.group == nullptr || peer.group->values.find(key) == nullptr;
  const bool own = peer.own.values.find(key) != nullptr;
  if (given == fallback && (alone || !own)) notes_.same(*found, kSame);
  return given;
}

void FrrNeighbors::leave_out(const FrrNeighbor& neighbor, const std::string& why) {
  for (const std::size_t line : neighbor.lines)
    if (!notes_.listed(line)) notes_.list(line, why);
}

std::string FrrNeighbors::yaml(FrrRouter::Facts& facts) {
  std::string text;
  for (auto& [name, neighbor] : neighbors_) {
    if (neighbor.is_group) continue;
    if (const auto peer = peer_yaml(neighbor, facts)) text += *peer;
  }
  for (auto& [name, neighbor] : neighbors_) {
    bool used = !neighbor.is_group;
    for (const auto& [other, member] : neighbors_) {
      const FrrValue* const group = member.values.find("peer-group");
      used = used || (group != nullptr && group->text == name);
    }
    if (!used) leave_out(neighbor, "no neighbor is in peer-group " + name + "; nothing of it is in the result");
    neighbor.values.finish("nothing in the result depends on it", notes_);
  }
  return text.empty() ? text : "peers:\n" + text;
}

std::optional<std::string> FrrNeighbors::peer_yaml(FrrNeighbor& neighbor, FrrRouter::Facts& facts) {
  const std::string& name = neighbor.name;
  Peer peer{neighbor, nullptr, name, false, {}, {}, {}};
  if (const FrrValue* const group = neighbor.values.use("peer-group"); group != nullptr) {
    const auto found = neighbors_.find(group->text);
    if (found != neighbors_.end() && found->second.is_group) {
      peer.group = &found->second;
    } else {
      notes_.list(group->line, "there is no such peer-group; neighbor " + name + " has its own lines only");
    }
  }
  const auto address = minibgp::parse_address(name);
  const FrrValue* const asn = value(peer, "asn");
  const std::string out = "neighbor " + name + " is left out";
  if (!address)
    return leave_out(neighbor, "a peer needs an address here (unnumbered peers have none); " + out), std::nullopt;
  if (asn == nullptr)
    return leave_out(neighbor, "it has no 'remote-as', so FRR has no session with it either; " + out), std::nullopt;
  peer.internal = asn->text == "internal" || asn->text == router_.asn();
  peer.active = active_families(peer);
  if (!peer.active[0] && !peer.active[1])
    return leave_out(neighbor, "it is not activated for IPv4 or IPv6 unicast; " + out), std::nullopt;
  source(peer);
  if (address->is_link_local_v6() && peer.keys.count("device") == 0)
    return leave_out(neighbor, "a link-local address needs an interface, which the file does not give; " + out),
           std::nullopt;
  if (asn->text != "external" && asn->text != "auto") peer.keys["asn"] = peer.internal ? router_.asn() : asn->text;
  (peer.internal ? facts.internal_peers : facts.external_peers) = true;
  facts.ipv4 = facts.ipv4 || peer.active[0];
  facts.ipv6 = facts.ipv6 || peer.active[1];

  session_keys(peer);
  external_keys(peer);
  peer_timers(peer);
  family_keys(peer);
  std::string text = "  " + yaml_scalar(name) + ":";
  if (const FrrValue* const description = value(peer, "description"))
    text += "  # " + without_secrets(description->text);
  text += "\n";
  for (const auto& [key, what] : peer.keys) text += "    " + key + ": " + what + "\n";
  std::string timers;
  for (const auto& [key, what] : peer.timers) timers += (timers.empty() ? "" : ", ") + key + ": " + what;
  text += "    timers: { " + timers + " }\n";
  return text + families_yaml(peer) + policies_yaml(peer);
}

/// Its own "activate", its group's, or what "bgp default" said when it began.
FrrNeighbors::Families FrrNeighbors::active_families(Peer& peer) {
  Families active{};
  for (std::size_t family = 0; family < kFrrFamilies; ++family) {
    const FrrNeighbor& begun = peer.group == nullptr ? peer.own : *peer.group;
    const bool fallback = begun.default_active[family];
    const std::string key = family == 0 ? "4 activate" : "6 activate";
    if (value(peer, key) == nullptr)
      static_cast<void>(router_.flag(family == 0 ? "default ipv4-unicast" : "default ipv6-unicast", family == 0));
    active[family] = flag(peer, key, fallback);
  }
  return active;
}

void FrrNeighbors::session_keys(Peer& peer) {
  for (const char* const key : {"passive", "extended_next_hop"})
    if (flag(peer, key, false)) peer.keys[key] = "true";
  for (const char* const key : {"ttl_security", "port", "tcp_mss", "md5_file", "local_asn"})
    if (const FrrValue* const found = value(peer, key)) peer.keys[key] = yaml_scalar(found->text);
  if (const FrrValue* const ttl = value(peer, "ttl")) {
    if (peer.internal) {
      notes_.no_effect(ttl->line, "internal peers may be any number of hops away");
    } else if (peer.keys.count("ttl_security") != 0) {
      notes_.list(ttl->line, "'ttl-security' excludes it; ttl_security holds");
    } else {
      peer.keys["ttl"] = ttl->text;
    }
  }
  const bool all_down = router_.flag("shutdown", false);
  const bool begins_down = router_.flag("default shutdown", false);
  if (flag(peer, "shutdown", begins_down) || all_down) peer.keys["enabled"] = "false";

  FrrValues& router = router_.values();
  const FrrValue* const of_router = router.find("graceful-restart");
  std::string restart = dialect_.helps_restarting_peers() ? "helper" : "off";
  if (of_router != nullptr && !of_router->text.empty()) restart = of_router->text;
  if (const FrrValue* const own = value(peer, "graceful_restart")) {
    if (own->text == restart) notes_.same(*own, kSame);
    restart = own->text;
  } else {
    router.used("graceful-restart");
  }
  if (restart != "full") peer.keys["graceful_restart"] = restart;
  if (const FrrValue* const time = router.use("restart-time")) peer.keys["restart_time"] = time->text + "s";
  if (const FrrValue* const preference = router.use("local-preference")) peer.keys["local_pref"] = preference->text;
}

/// What only external peers have.
void FrrNeighbors::external_keys(Peer& peer) {
  const FrrValue* const role = value(peer, "role");
  if (peer.internal) {
    if (role != nullptr) notes_.list(role->line, "roles are for external peers; it has none");
    for (const char* const key : {"enforce_first_as"})
      if (const FrrValue* const found = value(peer, key)) notes_.no_effect(found->line, "only for external peers");
    return;
  }
  if (role != nullptr) {
    const std::size_t blank = role->text.find(' ');
    peer.keys["role"] = role->text.substr(0, blank);
    if (blank != std::string::npos) peer.keys["role_strict"] = "true";
  }
  if (const FrrValue* const own = value(peer, "enforce_first_as")) {
    const FrrValue* const given = router_.values().find("enforce-first-as");
    const bool without = given == nullptr ? dialect_.enforce_first_as() : given->text == "true";
    if (own->text == "false" || dialect_.guessed()) peer.keys["enforce_first_as"] = own->text;
    if (own->text == (without ? "true" : "false") && !dialect_.guessed()) notes_.same(*own, kSame);
    return;
  }
  const bool enforced = router_.flag_by_version("enforce-first-as", dialect_.enforce_first_as(),
                                                "before 9.1 the first AS of a path was not compared with the peer's");
  if (!enforced) peer.keys["enforce_first_as"] = "false";
}

/// "update-source": an address, or an interface whose address the file gives.
void FrrNeighbors::source(Peer& peer) {
  const auto address = minibgp::parse_address(peer.name);
  if (const FrrValue* const device = value(peer, "device")) {
    if (address->is_link_local_v6()) {
      peer.keys["device"] = yaml_scalar(device->text);
    } else {
      notes_.list(device->line, "only link-local addresses need an interface; it is left out");
    }
  }
  const FrrValue* const from = value(peer, "update-source");
  if (from == nullptr) return;
  if (const auto given = minibgp::parse_address(from->text)) {
    if (given->family == address->family) {
      peer.keys["local_address"] = minibgp::to_text(*given);
    } else {
      notes_.list(from->line, "not of the family of the peer's address; the kernel chooses the source");
    }
    return;
  }
  if (address->is_link_local_v6()) {
    peer.keys["device"] = yaml_scalar(from->text);
    return;
  }
  std::set<std::string> found;
  const auto interface = router_.interfaces().find(from->text);
  if (interface != router_.interfaces().end()) {
    for (const FrrValue& one : interface->second) {
      const auto own = minibgp::parse_address(one.text);
      if (own && own->family == address->family && !own->is_link_local_v6()) found.insert(one.text);
    }
  }
  if (found.size() == 1) {
    peer.keys["local_address"] = *found.begin();
    return;
  }
  notes_.list(from->line, "the file does not give interface " + from->text + (found.empty() ? " an" : " one") +
                              " address of this family; the kernel chooses the source: write local_address, or the "
                              "peer may refuse the session");
}

void FrrNeighbors::peer_timers(Peer& peer) {
  const auto give = [&](const std::string& text) {
    const std::size_t blank = text.find(' ');
    peer.timers["keepalive"] = text.substr(0, blank) + "s";
    peer.timers["hold"] = text.substr(blank + 1) + "s";
  };
  const std::string usual = dialect_.datacenter() ? "3 9" : "60 180";
  std::string of_router = usual;
  const FrrValue* const own = value(peer, "timers");
  if (const FrrValue* const found = router_.values().find("timers")) {
    of_router = found->text;
    if (own == nullptr) router_.values().used("timers");
    if (own == nullptr && of_router == usual) notes_.same(*found, kSame);
  }
  if (own != nullptr && own->text == of_router) notes_.same(*own, kSame);
  give(own != nullptr ? own->text : of_router);
  const FrrValue* const retry = value(peer, "connect_retry");
  if (retry == nullptr) return;
  const std::uint32_t seconds = *frr_number(retry->text);
  if (seconds > kConnectRetryMax) notes_.list(retry->line, "at most 120 s are possible here; 120 s are taken");
  peer.timers["connect_retry"] = std::to_string(std::min(seconds, kConnectRetryMax)) + "s";
}

/// There is one setting for both families here.
void FrrNeighbors::family_flag(Peer& peer, const std::string& key, bool when_they_differ) {
  std::set<bool> given;
  std::vector<std::size_t> lines;
  for (std::size_t family = 0; family < kFrrFamilies; ++family) {
    if (!peer.active[family]) continue;
    given.insert(flag(peer, (family == 0 ? "4 " : "6 ") + key, false));
    if (const FrrValue* const found = family_value(peer, key, family)) lines.push_back(found->line);
  }
  const bool differ = given.size() == 2;
  if (differ) {
    for (const std::size_t line : lines)
      notes_.list(line, "there is one setting for IPv4 and IPv6, and they differ; for both it is " +
                            std::string(when_they_differ ? "on" : "off"));
  }
  const bool on = differ ? when_they_differ : *given.begin();
  if (on) peer.keys[key] = "true";
}

void FrrNeighbors::allow_as_in(Peer& peer) {
  std::uint32_t least = 0xFFFFFFFFU, most = 0;
  std::vector<std::size_t> lines;
  for (std::size_t family = 0; family < kFrrFamilies; ++family) {
    if (!peer.active[family]) continue;
    const FrrValue* const found = family_value(peer, "allow_as_in", family);
    const std::uint32_t times = found == nullptr ? 0 : *frr_number(found->text);
    least = std::min(least, times);
    most = std::max(most, times);
    if (found != nullptr) lines.push_back(found->line);
  }
  if (least != most)
    for (const std::size_t line : lines)
      notes_.closes(line, "there is one number for IPv4 and IPv6; the lower, " + std::to_string(least) +
                              ", holds: routes with our own AS in their AS_PATH are refused sooner");
  if (least != 0) peer.keys["allow_as_in"] = std::to_string(least);
}

/// Ours count all families together.
void FrrNeighbors::limits(Peer& peer, const std::string& word, const std::string& key) {
  std::uint64_t max = 0;
  std::string options;
  std::vector<std::size_t> lines;
  std::size_t families = 0;
  for (std::size_t family = 0; family < kFrrFamilies; ++family) {
    if (!peer.active[family]) continue;
    ++families;
    const FrrValue* const found = family_value(peer, key, family);
    if (found == nullptr) continue;
    max += *frr_number(found->text.substr(0, found->text.find(',')));
    if (options.empty() && found->text.find(',') != std::string::npos)
      options = found->text.substr(found->text.find(','));
    lines.push_back(found->line);
    if (key != "import_limit") continue;
    const std::string prefix = family == 0 ? "4 in " : "6 in ";
    bool filtered = false;
    for (const char* const filter : {"route-map", "prefix-list", "filter-list", "distribute-list"})
      filtered = filtered || value(peer, prefix + filter) != nullptr;
    if (family_value(peer, "import_limit_force", family) == nullptr && filtered)
      notes_.list(
          found->line,
          "what the peer sends is counted here, in FRR what its filters accept; the limit may be reached sooner");
  }
  if (lines.empty()) return;
  if (families == 2)
    for (const std::size_t line : lines)
      notes_.list(line, word + " is one number for IPv4 and IPv6 together; it is " + std::to_string(max));
  peer.keys[key] = "{ max: " + std::to_string(std::min<std::uint64_t>(max, 0xFFFFFFFFU)) + options + " }";
}

void FrrNeighbors::family_keys(Peer& peer) {
  const auto only = [&](const char* key, const char* why) {
    for (std::size_t family = 0; family < kFrrFamilies; ++family)
      if (const FrrValue* const found = family_value(peer, key, family)) notes_.no_effect(found->line, why);
  };
  if (peer.internal) {
    only("as_override", "only for external peers");
    only("remove_private_as", "only for external peers");
    family_flag(peer, "next_hop_self", true);
    if (peer.keys.erase("next_hop_self") == 0) peer.keys["next_hop_self"] = "false";
    family_flag(peer, "route_reflector_client", false);
  } else {
    only("next_hop_self", "always so toward external peers");
    only("route_reflector_client", "only for internal peers");
    family_flag(peer, "as_override", false);
    family_flag(peer, "remove_private_as", true);
  }
  allow_as_in(peer);
  limits(peer, "maximum-prefix", "import_limit");
  limits(peer, "maximum-prefix-out", "export_limit");
}

std::string FrrNeighbors::families_yaml(const Peer& peer) const {
  const auto address = minibgp::parse_address(peer.name);
  if (peer.active[0] && peer.active[1]) return "    families: [ipv4, ipv6]\n";
  const bool v6 = peer.active[1];
  if (v6 == (address->family == minibgp::Family::ipv6)) return {};
  return std::string("    families: [") + (v6 ? "ipv6" : "ipv4") + "]\n";
}

}  // namespace bgplite::cli
