#include <apps/bgplite/cli/import_frr_router.h>
#include <apps/bgplite/cli/import_frr_words.h>
#include <apps/bgplite/config/policy_writer.h>
#include <bgp/text.h>

#include <algorithm>
#include <set>
#include <utility>

namespace bgplite::cli {
namespace {

using minibgp::Family;
using minibgp::Prefix;

constexpr std::uint32_t kPathsMax = 64;  ///< Of router.maximum_paths; what FRR is compiled with may be more.
constexpr std::uint32_t kStaticDistance = 1;

struct FlagWords {
  std::string_view words, key;
};
constexpr FlagWords kFlagWords[] = {
    {"bgp ebgp-requires-policy", "requires-policy"},      {"bgp network import-check", "import-check"},
    {"bgp always-compare-med", "always-compare-med"},     {"bgp bestpath compare-routerid", "compare-routerid"},
    {"bgp bestpath as-path multipath-relax", "relax"},    {"bgp default ipv4-unicast", "default ipv4-unicast"},
    {"bgp default ipv6-unicast", "default ipv6-unicast"}, {"bgp default shutdown", "default shutdown"},
    {"bgp enforce-first-as", "enforce-first-as"},         {"bgp shutdown", "shutdown"},
};

std::size_t word_count(std::string_view words) {
  return static_cast<std::size_t>(std::count(words.begin(), words.end(), ' ')) + 1;
}

/// "10.0.0.0/8", "10.0.0.0 255.0.0.0" or "10.0.0.0 mask 255.0.0.0" at `at`, which moves behind it.
std::optional<Prefix> prefix_at(const FrrLine& line, std::size_t& at) {
  const std::string& word = line.at(at);
  if (const auto prefix = minibgp::parse_prefix(word, minibgp::HostBits::mask)) {
    ++at;
    return prefix;
  }
  const std::size_t mask_at = line.at(at + 1) == "mask" ? at + 2 : at + 1;
  const auto address = minibgp::parse_address(word);
  const auto mask = minibgp::parse_address(line.at(mask_at));
  if (!address || address->family != Family::ipv4 || !mask || mask->family != Family::ipv4) return std::nullopt;
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < 4; ++i) bits = bits << 8U | mask->octets[i];
  std::uint8_t length = 0;
  for (; (bits & 0x80000000U) != 0; bits <<= 1U) ++length;
  if (bits != 0) return std::nullopt;
  at = mask_at + 1;
  return Prefix::of(*address, length);
}

/// Of a network without a length, as in the time before CIDR.
std::optional<Prefix> classful(const std::string& word) {
  const auto address = minibgp::parse_address(word);
  if (!address || address->family != Family::ipv4 || address->octets[0] >= 224) return std::nullopt;
  return Prefix::of(*address, address->octets[0] < 128 ? 8 : address->octets[0] < 192 ? 16 : 24);
}

}  // namespace

void FrrRouter::begin(const FrrLine& line) {
  notes_.carried(line.number);
  if (line_ != 0) return;
  line_ = line.number;
  asn_ = minibgp::to_text(*minibgp::parse_asn(line.at(2)));
}

// --- Reading the instance --------------------------------------------------------------------------------------------

bool FrrRouter::take(const FrrLine& line, std::size_t family) {
  const bool no = line.at(0) == "no";
  const FrrLine words = line.without_no();
  for (const FlagWords& row : kFlagWords) {
    if (!words.starts(row.words)) continue;
    const std::string more = words.from(word_count(row.words));
    const bool known = more.empty() || more == "no-as-set" || row.key == "shutdown";
    if (known) {
      values_.set(std::string{row.key}, no ? "false" : "true", line.number, notes_);
    } else {
      notes_.list(line.number, "'" + more + "' is not known here; the line is left out");
    }
    return true;
  }
  if (words.starts("bgp graceful-restart") || words.starts("bgp graceful-restart-disable"))
    return graceful_restart(line), true;
  if (no) return false;
  if (line.starts("bgp router-id")) return router_id(line), true;
  if (line.starts("bgp cluster-id")) return cluster_id(line), true;
  if (line.starts("bgp default local-preference")) return number(line, "local-preference", 3, 0, 0xFFFFFFFFU), true;
  if (line.starts("timers bgp")) return timers(line), true;
  if (line.starts("maximum-paths")) return maximum_paths(line, family), true;
  if (line.starts("network")) return network(line), true;
  if (line.starts("aggregate-address")) return aggregate(line), true;
  if (line.starts("bgp listen range")) {
    notes_.list(line.number, "peers are named one by one here; sessions of other addresses in this range are refused");
    return true;
  }
  if (!line.starts("table-map")) return false;
  install_maps_.push_back({line.at(1), line.number});
  notes_.carried(line.number);
  return true;
}

void FrrRouter::number(const FrrLine& line, const std::string& key, std::size_t at, std::uint32_t min,
                       std::uint32_t max) {
  const auto value = frr_number(line.at(at));
  if (value && *value >= min && *value <= max) return values_.set(key, line.at(at), line.number, notes_);
  notes_.list(line.number,
              "not a number from " + std::to_string(min) + " to " + std::to_string(max) + "; the line is left out");
}

void FrrRouter::graceful_restart(const FrrLine& line) {
  const bool no = line.at(0) == "no";
  const FrrLine words = line.without_no();
  const std::string& what = words.at(2);
  if (words.starts("bgp graceful-restart-disable")) {
    values_.set("graceful-restart", no ? "" : "off", line.number, notes_);
  } else if (what.empty()) {
    values_.set("graceful-restart", no ? "" : "full", line.number, notes_);
  } else if (no) {
    notes_.list(line.number, "'no' of a time is not followed; earlier lines hold");
  } else if (what == "restart-time") {
    number(line, "restart-time", 3, 1, 4095);
  } else if (what == "select-defer-time") {
    number(line, "select-defer-time", 3, 1, 3600);
  } else if (what == "stalepath-time" || what == "rib-stale-time") {
    notes_.list(line.number, "there is no such time here; stale routes are kept for the time that the peer announces");
  } else {
    notes_.list(line.number, "not known here; graceful restart is as without it");
  }
}

void FrrRouter::router_id(const FrrLine& line) {
  const auto id = minibgp::parse_router_id(line.at(2));
  if (!id) return notes_.list(line.number, "no IPv4 address; the router id is missing");
  values_.set("router-id", minibgp::to_text(*id), line.number, notes_);
}

/// Dotted, or a number.
void FrrRouter::cluster_id(const FrrLine& line) {
  const auto given = frr_number(line.at(2));
  const auto id =
      given ? minibgp::RouterId{*given} : minibgp::parse_router_id(line.at(2)).value_or(minibgp::RouterId{});
  if (id == minibgp::RouterId{}) return notes_.list(line.number, "no cluster id; the router id is used");
  values_.set("cluster-id", minibgp::to_text(id), line.number, notes_);
}

void FrrRouter::timers(const FrrLine& line) {
  const auto keepalive = frr_number(line.at(2)), hold = frr_number(line.at(3));
  if (!keepalive || !hold || *keepalive > 21845 || *hold > 65535 || *hold == 1 || *hold == 2)
    return notes_.list(line.number, "no times that are possible here; the defaults hold");
  values_.set("timers", line.at(2) + " " + line.at(3), line.number, notes_);
}

void FrrRouter::maximum_paths(const FrrLine& line, std::size_t family) {
  const bool internal = line.at(1) == "ibgp";
  const std::string key = std::string(internal ? "internal-paths" : "external-paths") + (family == 0 ? "4" : "6");
  const auto paths = frr_number(line.at(internal ? 2 : 1));
  if (!paths || *paths == 0) return notes_.list(line.number, "no number of paths; the default of FRR holds");
  if (*paths > kPathsMax) notes_.list(line.number, "at most 64 paths are possible here; 64 share the traffic");
  if (line.words.size() > (internal ? 3U : 2U))
    notes_.list(line.number, "options of maximum-paths are not known here; the number alone holds");
  values_.set(key, std::to_string(std::min(*paths, kPathsMax)), line.number, notes_);
}

void FrrRouter::network(const FrrLine& line) {
  std::size_t at = 1;
  auto prefix = prefix_at(line, at);
  if (!prefix && line.words.size() == 2) prefix = classful(line.at(1));
  if (!prefix) return notes_.list(line.number, "no prefix; nothing is announced for it");
  const std::string more = prefix && line.words.size() > at ? line.from(at) : std::string{};
  if (more.starts_with("route-map"))
    return notes_.closes(line.number,
                         "a route-map on a network is not known here; the network is not announced: write it into "
                         "'networks' with its med and communities");
  if (more == "backdoor") return notes_.list(line.number, "not known here; neither FRR nor we announce it");
  if (!more.empty() && line.words.size() > 2)
    notes_.list(line.number, "'" + more + "' is not known here; the network is announced without it");
  for (const Network& other : networks_) {
    if (other.prefix != *prefix) continue;
    notes_.no_effect(other.line, "line " + std::to_string(line.number) + " says the same");
    return notes_.no_effect(line.number, "line " + std::to_string(other.line) + " says the same");
  }
  notes_.carried(line.number);
  networks_.push_back({line.number, *prefix});
}

void FrrRouter::aggregate(const FrrLine& line) {
  std::size_t at = 1;
  const auto prefix = prefix_at(line, at);
  if (!prefix) return notes_.list(line.number, "no prefix; nothing is announced for it");
  const std::string why =
      "aggregates are not made here; " + minibgp::to_text(*prefix) + " is announced only when it stands in 'networks'";
  const std::string more = line.from(at);
  const bool suppresses =
      more.find("summary-only") != std::string::npos || more.find("suppress-map") != std::string::npos;
  if (!suppresses) return notes_.list(line.number, why);
  notes_.closes(line.number, why + ", and longer prefixes within it are announced to no peer");
  summarized_.push_back(*prefix);
}

// --- Reading the top level -------------------------------------------------------------------------------------------

bool FrrRouter::take_top(const FrrLine& line) {
  if (line.starts("ip route") || line.starts("ipv6 route")) return static_route(line), true;
  if (line.starts("ip router-id") || line.starts("router-id")) {
    const std::string& word = line.words.back();
    const auto id = minibgp::parse_router_id(word);
    if (!id) return false;
    values_.set("zebra-router-id", minibgp::to_text(*id), line.number, notes_);
    return true;
  }
  const FrrLine words = line.without_no();
  if (words.starts("ip nht resolve-via-default") || words.starts("ipv6 nht resolve-via-default")) {
    values_.set(words.at(0) + " resolve-via-default", line.at(0) == "no" ? "false" : "true", line.number, notes_);
    return true;
  }
  const bool protocol = line.starts("ip protocol") || line.starts("ipv6 protocol");
  if (!protocol || (line.at(2) != "bgp" && line.at(2) != "any") || line.at(3) != "route-map") return false;
  install_maps_.push_back({line.at(4), line.number});
  notes_.carried(line.number);
  return true;
}

bool FrrRouter::take_interface(const std::string& interface, const FrrLine& line) {
  if (!line.starts("ip address") && !line.starts("ipv6 address")) return false;
  const std::string& word = line.at(2);
  if (const auto address = minibgp::parse_address(word.substr(0, word.find('/'))))
    interfaces_[interface].push_back({minibgp::to_text(*address), line.number});
  return false;  // The interface itself does not get it.
}

/// Whether the route drops packets: then it is listed, and a network of the same prefix needs no route.
bool FrrRouter::drops(const FrrLine& line, std::size_t at, const Prefix& prefix) {
  const std::string& word = line.at(at);
  if (word != "Null0" && word != "null0" && word != "blackhole" && word != "reject") return false;
  notes_.list(line.number, "routes that drop packets are not made here; type 'ip route add " +
                               std::string(word == "reject" ? "unreachable " : "blackhole ") +
                               minibgp::to_text(prefix) +
                               " metric 4294967295' at boot, or packets to unused addresses follow the default route");
  anchors_.emplace(prefix, line.number);
  return true;
}

void FrrRouter::static_route(const FrrLine& line) {
  std::size_t at = 2;
  const auto prefix = prefix_at(line, at);
  const bool v6 = line.at(0) == "ipv6";
  if (!prefix || (prefix->family == Family::ipv6) != v6 || line.at(at).empty())
    return notes_.list(line.number, "not understood; the route is left out");
  if (drops(line, at, *prefix)) return;
  Way way{line.number, {}, 0};
  if (const auto gateway = minibgp::parse_address(line.at(at))) {
    way.via = "gateway: " + yaml_scalar(line.at(at++));
    static const std::set<std::string> kOptions{"tag",         "onlink", "label",    "table", "vrf",
                                                "nexthop-vrf", "color",  "segments", "bfd",   "metric"};
    const std::string& word = line.at(at);
    if (!word.empty() && !frr_number(word) && kOptions.count(word) == 0)
      way.via += ", device: " + yaml_scalar(line.at(at++));
  } else {
    way.via = "device: " + yaml_scalar(line.at(at++));
  }
  if (!static_options(line, at, way)) return;
  std::vector<Way>& ways = statics_[*prefix];
  for (const Way& other : ways) {
    if (other.via != way.via || other.distance != way.distance) continue;
    notes_.no_effect(other.line, "line " + std::to_string(line.number) + " says the same");
    return notes_.no_effect(line.number, "line " + std::to_string(other.line) + " says the same");
  }
  notes_.carried(line.number);
  ways.push_back(std::move(way));
}

/// False: with this option the route is left out, and that is noted.
bool FrrRouter::static_options(const FrrLine& line, std::size_t at, Way& way) {
  while (at < line.words.size()) {
    const std::string& word = line.at(at);
    if (const auto distance = frr_number(word); distance && *distance >= 1 && *distance <= 255) {
      way.distance = *distance;
      at += 1;
    } else if (word == "tag" && frr_number(line.at(at + 1))) {
      notes_.list(line.number, "tags are not known here; the route is made without it");
      at += 2;
    } else if (word == "onlink") {
      notes_.list(line.number, "'onlink' is not known here; the route is left out");
      return false;
    } else {
      notes_.list(line.number, "'" + word + "' is not known here; the route is left out");
      return false;
    }
  }
  if (way.distance != 255) return true;
  notes_.no_effect(line.number, "a route of distance 255 is never used");
  return false;
}

// --- Settings --------------------------------------------------------------------------------------------------------

bool FrrRouter::flag(const std::string& key, bool fallback) {
  const FrrValue* const value = values_.use(key);
  if (value == nullptr) return fallback;
  const bool given = value->text == "true";
  if (given == fallback) notes_.same(*value, "what holds without it");
  return given;
}

bool FrrRouter::flag_by_version(const std::string& key, bool fallback, const std::string& said) {
  const FrrValue* const value = values_.use(key);
  version_matters_ = version_matters_ || value == nullptr;
  if (!dialect_.guessed()) return flag(key, fallback);
  if (value != nullptr) return value->text == "true";
  if (std::find(guessed_.begin(), guessed_.end(), said) == guessed_.end()) guessed_.push_back(said);
  return fallback;
}

void FrrRouter::finish() {
  values_.finish("nothing in the result depends on it", notes_);
  if (!version_matters_ && dialect_.version_line() != 0)
    notes_.no_effect(dialect_.version_line(), "no default that differs between versions is used");
  if (guessed_.empty() || line_ == 0) return;
  std::string why = "the file has no 'frr version' line, so the defaults of FRR 9.1 hold; ";
  for (std::size_t i = 0; i < guessed_.size(); ++i) why += (i == 0 ? "" : ", ") + guessed_[i];
  notes_.list(line_, why);
}

// --- Writing ---------------------------------------------------------------------------------------------------------

/// As FRR chooses: its own line, zebra's, or the highest address of the loopback interface.
std::string FrrRouter::router_id_yaml() {
  if (const FrrValue* const own = values_.use("router-id")) return own->text;
  if (const FrrValue* const zebra = values_.use("zebra-router-id")) return zebra->text;
  std::optional<minibgp::IpAddress> highest;
  if (const auto loopback = interfaces_.find("lo"); loopback != interfaces_.end()) {
    for (const FrrValue& one : loopback->second) {
      const auto address = minibgp::parse_address(one.text);
      if (!address || address->family != Family::ipv4 || address->octets[0] == 127) continue;
      if (!highest || *highest < *address) highest = address;
    }
  }
  if (highest) {
    notes_.list(line_, "no 'bgp router-id'; the highest address of interface lo is taken, as zebra does");
    return minibgp::to_text(*highest);
  }
  notes_.list(line_,
              "no router id in the file: FRR takes an address of the host; 'bgplite check' refuses the result until "
              "router_id stands in 'router'");
  return {};
}

std::string FrrRouter::multipath_yaml(const Facts& facts) {
  std::set<std::uint32_t> limits;
  std::vector<std::size_t> lines;
  const auto ask = [&](bool wanted, const char* key) {
    if (!wanted) return;
    const FrrValue* const value = values_.use(key);
    limits.insert(value == nullptr ? (dialect_.multipath() ? kPathsMax : 1) : *frr_number(value->text));
    if (value != nullptr) lines.push_back(value->line);
  };
  const bool any = facts.internal_peers || facts.external_peers;
  ask(facts.ipv4 && facts.external_peers, "external-paths4");
  ask(facts.ipv6 && facts.external_peers, "external-paths6");
  ask(facts.ipv4 && facts.internal_peers, "internal-paths4");
  ask(facts.ipv6 && facts.internal_peers, "internal-paths6");
  if (!any || limits.empty()) ask(true, "external-paths4");
  const std::uint32_t paths = *limits.begin();
  for (const std::size_t line : lines)
    if (limits.size() > 1)
      notes_.list(line, "there is one limit for IPv4, IPv6, eBGP and iBGP; the lowest, " + std::to_string(paths) +
                            ", holds for all");
  if (lines.size() == 1 && paths == (dialect_.multipath() ? kPathsMax : 1) && limits.size() == 1)
    notes_.no_effect(lines[0], "what holds without it");
  const bool relax = flag("relax", false);
  const bool mixed = facts.internal_peers && facts.external_peers;
  if (mixed && !relax && paths > 1)
    notes_.list(
        line_,
        "there is one rule of ECMP for eBGP and iBGP, and iBGP's is taken; paths of one neighbor AS whose AS_PATHs "
        "differ do not share traffic");
  const char* const rule = relax ? "relax" : facts.internal_peers ? "exact" : "neighbor-as";
  return ", maximum_paths: " + std::to_string(paths) + ", multipath: " + rule;
}

std::string FrrRouter::yaml(const Facts& facts) {
  const std::string id = router_id_yaml();
  std::string text =
      id.empty() ? "# router_id is missing: an IPv4 address of this host that is unique in the AS.\n" : "";
  text += "router: { asn: " + asn_;
  if (!id.empty()) text += ", router_id: " + id;
  text += multipath_yaml(facts);
  if (!flag("compare-routerid", false)) text += ", prefer_oldest: true";
  if (flag("always-compare-med", false)) text += ", always_compare_med: true";
  if (const FrrValue* const cluster = values_.use("cluster-id")) text += ", cluster_id: " + cluster->text;
  if (const FrrValue* const time = values_.use("select-defer-time")) text += ", restart_deferral: " + time->text + "s";
  return text + " }\n";
}

std::string FrrRouter::networks_yaml() {
  std::string text;
  for (const Network& network : networks_) {
    const std::string prefix = yaml_scalar(minibgp::to_text(network.prefix));
    const bool anchored = anchors_.count(network.prefix) != 0;
    const bool routed = statics_.count(network.prefix) != 0;
    // Without an anchor the route may come and go.
    bool watched = false;
    if (!anchored)
      watched = flag_by_version("import-check", dialect_.network_import_check(),
                                "before 7.4 a network was announced without a route to it");
    if (watched && routed) {
      notes_.list(network.line,
                  "a static route of our own is no route that a network can wait for; it is announced always, in FRR "
                  "only while the route's next hop was reachable");
      watched = false;
    }
    text += watched ? "  - { prefix: " + prefix + ", when: if-route }\n" : "  - " + prefix + "\n";
  }
  return text.empty() ? text : "networks:\n" + text;
}

std::string FrrRouter::statics_yaml() const {
  std::string text;
  for (const auto& [prefix, ways] : statics_) {
    const bool distances = std::any_of(ways.begin(), ways.end(), [](const Way& way) { return way.distance != 0; });
    std::string all;
    for (const Way& way : ways) {
      all += (all.empty() ? "{ " : ", { ") + way.via;
      // FRR's distance decides between ways; here the metric does.
      if (distances) all += ", metric: " + std::to_string(way.distance == 0 ? kStaticDistance : way.distance);
      all += " }";
    }
    text += "  - { prefix: " + yaml_scalar(minibgp::to_text(prefix)) + ", via: [" + all + "] }\n";
  }
  return text.empty() ? text : "static_routes:\n" + text;
}

}  // namespace bgplite::cli
