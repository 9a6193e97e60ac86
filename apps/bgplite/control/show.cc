/// The answers to `bgplite show`: copies of what the parts hold, as JSON.
#include <apps/bgplite/control/commands.h>
#include <apps/bgplite/control/json.h>
#include <apps/bgplite/control/parts.h>
#include <bgp/text.h>
#include <bgp/version.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <memory>
#include <tuple>

#include <unistd.h>

namespace bgplite::control {
namespace {

constexpr std::size_t kRoutesDefault = 10'000;  ///< Prefixes in one answer unless the client asks for more.

/// Octets of physical memory in use, as the kernel counts them.
std::size_t resident_octets() {
  std::ifstream in{"/proc/self/statm"};
  std::size_t total = 0, resident = 0;
  in >> total >> resident;
  // The second number of statm counts pages.
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

Json peer_json(const Daemon& daemon, const minibgp::PeerStatus& peer) {
  Json json = to_json(peer, daemon.gateway().peer_config(peer.id), daemon.speaker().now());
  if (const auto step = daemon.gateway().drain_step(peer.id)) json["drained"] = to_text(*step);
  if (const std::size_t halves = daemon.gateway().parts_for(peer.id); halves != 0) json["return_path_halves"] = halves;
  const PeerConfig* config = daemon.gateway().peer_config(peer.id);
  const auto* probe = config == nullptr ? nullptr : daemon.probes().find(config->options.tunnel);
  if (probe != nullptr) json["probe"] = to_json(*probe);
  return json;
}

Json peers_json(const Daemon& daemon) {
  Json peers = Json::array();
  std::vector<minibgp::PeerStatus> all = daemon.speaker().engine().peers();
  // The engine has them by number, which says nothing to a reader.
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.address < b.address; });
  for (const minibgp::PeerStatus& peer : all) peers.push_back(peer_json(daemon, peer));
  return peers;
}

Json router_json(const Daemon& daemon) {
  const Config& config = daemon.config();
  return {{"asn", static_cast<std::uint32_t>(config.router.asn)},
          {"router_id", minibgp::to_text(config.router.router_id)},
          {"maximum_paths", config.router.maximum_paths},
          {"version", minibgp::kVersionText},
          {"uptime_s", daemon.uptime().count()},
          {"restarted", daemon.gateway().restarted()}};
}

void summary(Context& context, const Request&, const Reply& reply) {
  Daemon& daemon = context.daemon;
  Json json{{"router", router_json(daemon)},
            {"routes", daemon.speaker().engine().route_count()},
            {"resident_octets", resident_octets()},
            {"longest_turn_ms", std::chrono::duration<double, std::milli>{context.turns.longest()}.count()},
            {"peers", peers_json(daemon)}};
  std::size_t attribute_sets = 0;
  for (const minibgp::MemoryUse& use : daemon.speaker().engine().memory())
    if (use.what == "attributes") attribute_sets = use.count;
  json["attribute_sets"] = attribute_sets;
  if (daemon.fib() != nullptr) json["fib"] = to_json(daemon.fib()->status());
  if (daemon.tunnels() != nullptr) {
    Json tunnels = Json::array();
    for (const auto& tunnel : daemon.tunnels()->status()) tunnels.push_back(to_json(tunnel, daemon.tunnels()->now()));
    json["tunnels"] = std::move(tunnels);
  }
  if (const auto left = context.life.unconfirmed_for()) json["unconfirmed_for_s"] = left->count();
  reply.result(std::move(json));
}

/// Of the routes that a peer does not get although its export policy accepts them, so many are listed.
constexpr std::size_t kWithheldShown = 10;

void peers(Context& context, const Request& request, const Reply& reply) {
  if (!request.arguments.contains("peer")) return reply.result({{"peers", peers_json(context.daemon)}});
  const auto peer = peer_argument(context, request, reply);
  if (!peer) return;
  const auto status = context.daemon.speaker().engine().peer(*peer);
  if (!status) return reply.error("no such peer", 1);
  Json json = peer_json(context.daemon, *status);
  minibgp::RouteFilter first;
  // All of them could be as many as the table has routes, and one is mostly like the other.
  first.max = kWithheldShown;
  Json routes = Json::array();
  for (const minibgp::WithheldSnapshot& route : context.daemon.speaker().engine().withheld_from(*peer, first))
    routes.push_back({{"prefix", minibgp::to_text(route.prefix)},
                      {"why", minibgp::to_text(route.why)},
                      {"reason", minibgp::to_text(route.why, route.prefix, *status)}});
  if (!routes.empty()) json["withheld"] = std::move(routes);
  reply.result({{"peers", Json::array({std::move(json)})}});
}

using Match = minibgp::RouteFilter::Match;

Match match_argument(const Request& request) {
  const std::string match = text_argument(request, "match");
  if (match == "longer") return Match::longer;
  if (match == "shorter") return Match::shorter;
  if (match == "lookup") return Match::lookup;
  return Match::exact;
}

/// How people call the peers; looked up before the answer is made beside the loop.
class PeerNames {
 public:
  explicit PeerNames(const Daemon& daemon) {
    for (const minibgp::PeerStatus& peer : daemon.speaker().engine().peers())
      names_.emplace(peer.id, peer_name(daemon, peer.id));
  }
  [[nodiscard]] std::string operator[](minibgp::PeerId peer) const {
    if (peer == minibgp::kLocalPeer) return "local";
    const auto found = names_.find(peer);
    return found == names_.end() ? "removed" : found->second;
  }

 private:
  std::map<minibgp::PeerId, std::string> names_;
};

using Paths = Parts<minibgp::PathSnapshot>;

/// Which of the paths an answer shows.
enum class Shown : std::uint8_t { accepted, received, refused };

/// A reader of the answer cannot see otherwise what is missing in it.
constexpr const char* word_of(Shown shown) {
  switch (shown) {
    case Shown::accepted:
      return "accepted";
    case Shown::received:
      return "received";
    case Shown::refused:
      return "refused";
  }
  return "";
}

/// Those that are shown, paths of one prefix next to each other, best first, prefixes in order.
std::vector<const minibgp::PathSnapshot*> shown_in_order(const Paths::Rows& parts, Shown shown) {
  std::vector<const minibgp::PathSnapshot*> order;
  for (const auto& part : parts)
    for (const minibgp::PathSnapshot& path : part)
      if (shown == Shown::received || path.accepted.has_value() == (shown == Shown::accepted)) order.push_back(&path);
  // Stable: below best and multipath the order of the engine remains.
  std::stable_sort(order.begin(), order.end(), [](const minibgp::PathSnapshot* a, const minibgp::PathSnapshot* b) {
    if (a->prefix.family != b->prefix.family) return a->prefix.family < b->prefix.family;
    if (a->prefix != b->prefix) return a->prefix < b->prefix;
    if (a->best != b->best) return a->best;
    return a->multipath && !b->multipath;
  });
  return order;
}

Json routes_json(const PeerNames& names, const Paths::Rows& parts, Shown shown, std::size_t limit) {
  Json routes = Json::array();
  std::size_t total = 0;
  const minibgp::Prefix* present = nullptr;
  std::vector<std::pair<minibgp::PeerId, std::uint32_t>> of_prefix;
  for (const minibgp::PathSnapshot* path : shown_in_order(parts, shown)) {
    const bool begins = present == nullptr || *present != path->prefix;
    if (begins) ++total;
    if (begins) of_prefix.clear();
    present = &path->prefix;
    // What is beyond the limit is counted, not shown.
    if (total > limit) continue;
    // A prefix that was withdrawn and announced again between two parts was read twice.
    const std::pair id{path->peer, path->path_id};
    if (std::find(of_prefix.begin(), of_prefix.end(), id) != of_prefix.end()) continue;
    of_prefix.push_back(id);
    if (begins) routes.push_back({{"prefix", minibgp::to_text(path->prefix)}, {"paths", Json::array()}});
    routes.back()["paths"].push_back(to_json(*path, names[path->peer]));
  }
  return {{"shown", word_of(shown)}, {"routes", std::move(routes)}, {"total", total}, {"complete", total <= limit}};
}

/// Received as it came, before policy.
void show_as_received(Paths::Rows& parts) {
  for (auto& part : parts)
    for (minibgp::PathSnapshot& path : part)
      if (path.accepted) path.accepted = path.received;
}

void routes_out(Context& context, const Request& request, const Reply& reply, const minibgp::RouteFilter& filter,
                std::size_t limit) {
  const auto peer = peer_argument(context, request, reply);
  if (!peer) return;
  using Rows = std::vector<minibgp::AnnouncedSnapshot>;
  // One prefix has few paths, which are read in one step.
  const bool whole = filter.prefix && (filter.match == Match::exact || filter.match == Match::lookup);
  const auto read = [&engine = context.daemon.speaker().engine(), peer = *peer, filter, whole,
                     // The position goes from turn to turn with the lambda.
                     at = std::uint32_t{0}](Rows& into) mutable {
    if (whole) return into = engine.announced_to(peer, filter), false;
    at = engine.announced_part(peer, filter, at, kStepsInATurn, into);
    return at != 0;
  };
  Parts<minibgp::AnnouncedSnapshot>::answer(reply, read, [limit](std::vector<Rows>& parts) {
    const auto order = in_order(
        parts,
        [](const auto& a, const auto& b) {
          return std::tie(a.prefix.family, a.prefix) < std::tie(b.prefix.family, b.prefix);
        },
        [](const auto& a, const auto& b) { return a.prefix == b.prefix; });
    Json answer = first_of("routes", order, limit, [](const minibgp::AnnouncedSnapshot& route) {
      Json json{{"prefix", minibgp::to_text(route.prefix)}};
      json.update(to_json(route.attributes));
      return json;
    });
    answer["shown"] = "advertised";
    return answer;
  });
}

void routes(Context& context, const Request& request, const Reply& reply) {
  minibgp::RouteFilter filter;
  if (request.arguments.contains("prefix")) {
    filter.prefix = prefix_argument(request, reply);
    if (!filter.prefix) return;
    filter.match = match_argument(request);
  }
  std::size_t limit = number_argument(request, "limit", kRoutesDefault);
  if (limit == 0) limit = SIZE_MAX;
  const std::string direction = text_argument(request, "direction");
  if (direction == "out") return routes_out(context, request, reply, filter, limit);
  const bool filtered = direction == "filtered";
  if (direction == "in" || filtered) {
    filter.peer = peer_argument(context, request, reply);
    if (!filter.peer) return;
  }
  const Shown shown = filtered ? Shown::refused : direction == "in" ? Shown::received : Shown::accepted;
  const bool whole = filter.prefix && (filter.match == Match::exact || filter.match == Match::lookup);
  const auto read = [&engine = context.daemon.speaker().engine(), filter, whole,
                     at = std::uint32_t{0}](std::vector<minibgp::PathSnapshot>& into) mutable {
    if (whole) return into = engine.routes(filter), false;
    at = engine.routes_part(filter, at, kStepsInATurn, into);
    return at != 0;
  };
  // The names are looked up now: beside the loop nothing of the daemon may be touched.
  Paths::answer(reply, read, [names = PeerNames{context.daemon}, shown, limit](Paths::Rows& parts) {
    if (shown == Shown::received) show_as_received(parts);
    return routes_json(names, parts, shown, limit);
  });
}

Json next_hops_json(const Daemon& daemon, const minibgp::fib::Fib& fib) {
  Json next_hops = Json::array();
  for (const minibgp::fib::NextHopState& state : fib.next_hops())
    next_hops.push_back(to_json(state, peer_name(daemon, state.peer)));
  return next_hops;
}

Json groups_json(const minibgp::fib::Fib& fib) {
  Json groups = Json::array();
  for (const minibgp::fib::GroupStatus& group : fib.groups())
    groups.push_back({{"id", static_cast<std::uint32_t>(group.id)},
                      {"members", group.vias.size()},
                      {"routes", group.routes},
                      {"adopted", group.adopted}});
  return groups;
}

void fib(Context& context, const Request& request, const Reply& reply) {
  minibgp::fib::Fib* fib = context.daemon.fib();
  if (fib == nullptr) return reply.error("no routes go into the kernel (fib.enabled: false)", 1);
  minibgp::fib::Fib::RouteFilter filter;
  if (request.arguments.contains("prefix")) {
    filter.prefix = prefix_argument(request, reply);
    if (!filter.prefix) return;
    filter.longer = text_argument(request, "match") == "longer";
  }
  filter.only_out_of_sync = flag_argument(request, "out_of_sync");
  std::size_t limit = number_argument(request, "limit", kRoutesDefault);
  if (limit == 0) limit = SIZE_MAX;
  using Rows = std::vector<minibgp::fib::RouteStatus>;
  const auto read = [fib, filter, at = minibgp::fib::RouteCursor{}](Rows& into) mutable {
    fib->routes_part(filter, at, kStepsInATurn, into);
    return !at.ended();
  };
  // Copies, made now, for the same reason.
  const auto make = [limit, names = interface_names(*fib), status = to_json(fib->status()),
                     next_hops = next_hops_json(context.daemon, *fib), groups = groups_json(*fib)](auto& parts) {
    const auto order =
        in_order(parts, minibgp::fib::shown_before, [](const auto& a, const auto& b) { return a.key == b.key; });
    Json answer = first_of("routes", order, limit, [&names](const auto& route) { return to_json(route, names); });
    answer["status"] = status;
    answer["next_hops"] = next_hops;
    answer["groups"] = groups;
    return answer;
  };
  Parts<minibgp::fib::RouteStatus>::answer(reply, read, make);
}

void tunnels(Context& context, const Request& request, const Reply& reply) {
  minibgp::xfrm::Tunnels* tunnels = context.daemon.tunnels();
  if (tunnels == nullptr) return reply.error("no tunnels are configured", 1);
  const std::string name = text_argument(request, "tunnel");
  Json list = Json::array();
  for (const minibgp::xfrm::TunnelStatus& tunnel : tunnels->status())
    if (name.empty() || tunnel.name == name) {
      list.push_back(to_json(tunnel, tunnels->now()));
      if (const auto* probe = context.daemon.probes().find(tunnel.name)) list.back()["probe"] = to_json(*probe);
    }
  if (!name.empty() && list.empty()) return reply.error("no tunnel '" + name.substr(0, 64) + "'", 1);
  Json failovers = Json::array();
  for (const Failover& failover : context.daemon.failovers().all())
    if (name.empty() || failover.tunnel == name) failovers.push_back(to_json(failover));
  // In the order of the enum IkeLink.
  static constexpr const char* kLinks[] = {"unused", "connecting", "connected"};
  reply.result({{"tunnels", list},
                {"failovers", failovers},
                {"charon", kLinks[static_cast<std::size_t>(tunnels->ike_link())]},
                {"charon_version", tunnels->ike_version()},
                {"warnings", tunnels->warnings()}});
}

void memory(Context& context, const Request&, const Reply& reply) {
  Json parts = Json::array();
  const auto add = [&](const std::vector<minibgp::MemoryUse>& uses, const char* part) {
    for (const minibgp::MemoryUse& use : uses)
      parts.push_back({{"part", part}, {"what", use.what}, {"count", use.count}, {"octets", use.octets}});
  };
  add(context.daemon.speaker().engine().memory(), "rib");
  if (context.daemon.fib() != nullptr) add(context.daemon.fib()->memory(), "fib");
  reply.result({{"resident_octets", resident_octets()}, {"parts", parts}});
}

void version(Context& context, const Request&, const Reply& reply) {
  reply.result({{"version", minibgp::kVersionText},
                {"process", ::getpid()},
                {"uptime_s", context.daemon.uptime().count()},
                {"reloads", context.daemon.gateway().status().reloads}});
}

Json saved_json(const Saved& saved) {
  Json json{{"announcements", Json::array()}, {"peers", Json::object()}};
  for (const auto& [prefix, attributes] : saved.announcements)
    json["announcements"].push_back(minibgp::to_text(prefix));
  for (const auto& [key, peer] : saved.peers) json["peers"][key] = peer.enabled ? "enabled" : "disabled";
  return json;
}

void config(Context& context, const Request&, const Reply& reply) {
  std::vector<minibgp::Prefix> by_command;
  for (const auto& [prefix, attributes] : context.daemon.gateway().announcements().by_command())
    by_command.push_back(prefix);
  // The value is shared, not copied: a change meanwhile makes a new one, and this answer shows what ran when it was
  // asked. A file may have very many networks.
  reply.result([config = context.daemon.gateway().shared_config(), by_command, router = router_json(context.daemon),
                left = context.life.unconfirmed_for()] {
    const auto keys_of = [](const auto& map) {
      Json keys = Json::array();
      for (const auto& [key, value] : map) keys.push_back(key);
      return keys;
    };
    Json networks = Json::array(), runtime = Json::array(), policies = Json::array();
    for (const Network& network : config->networks) networks.push_back(minibgp::to_text(network.prefix));
    for (const minibgp::Prefix& prefix : by_command) runtime.push_back(minibgp::to_text(prefix));
    for (const auto& [name, policy] : config->policies)
      // Those written at a peer, which have a name only inside.
      if (name.front() != '(') policies.push_back(name);
    Json json{{"files", config->files},
              {"router", router},
              {"networks", networks},
              {"announced_by_command", runtime},
              {"saved", saved_json(config->saved)},
              {"peers", keys_of(config->peers)},
              {"tunnels", keys_of(config->tunnels)},
              {"policies", policies},
              {"on_exit", config->on_exit == OnExit::keep ? "keep" : "remove"}};
    if (left) json["unconfirmed_for_s"] = left->count();
    return json;
  });
}

/// Which peers' routes go through each policy.
void policy(Context& context, const Request& request, const Reply& reply) {
  const Config& config = context.daemon.config();
  const std::string wanted = text_argument(request, "policy");
  Json list = Json::array();
  for (const auto& [name, definition] : config.policies) {
    // Those written at a peer have a name only inside: in parentheses.
    if (!wanted.empty() && name != wanted) continue;
    Json import = Json::array(), export_ = Json::array();
    for (const auto& [key, peer] : config.peers) {
      if (peer.import_policy == name) import.push_back(key);
      if (peer.export_policy == name) export_.push_back(key);
    }
    list.push_back({{"policy", name}, {"import", std::move(import)}, {"export", std::move(export_)}});
  }
  if (!wanted.empty() && list.empty()) return reply.error("no policy '" + wanted.substr(0, 64) + "'", 1);
  Json open = Json::array();
  for (const auto& [key, peer] : config.peers)
    if (peer.accept_all) open.push_back(key);
  reply.result({{"policies", std::move(list)}, {"accept_all", std::move(open)}});
}

void log(Context& context, const Request& request, const Reply& reply) {
  const std::size_t limit = number_argument(request, "limit", Logging::kRecentLines);
  const auto& recent = context.log.recent();
  Json lines = Json::array();
  // The newest lines, oldest of them first. 0: all.
  for (std::size_t i = limit == 0 || recent.size() <= limit ? 0 : recent.size() - limit; i < recent.size(); ++i) {
    const Logging::Line& line = recent[i];
    const auto at = std::chrono::duration_cast<std::chrono::milliseconds>(line.at.time_since_epoch());
    lines.push_back({{"time_ms", at.count()},
                     {"level", bgplite::to_text(line.level)},
                     {"area", bgplite::to_text(line.area)},
                     {"text", line.text}});
  }
  reply.result({{"lines", std::move(lines)}, {"levels", levels_json(context.log)}});
}

}  // namespace

std::vector<Command> show_commands() {
  return {
      {"show.summary", Access::read, summary}, {"show.peers", Access::read, peers},
      {"show.routes", Access::read, routes},   {"show.fib", Access::read, fib},
      {"show.tunnels", Access::read, tunnels}, {"show.memory", Access::read, memory},
      {"show.version", Access::read, version}, {"show.config", Access::read, config},
      {"show.policy", Access::read, policy},   {"show.log", Access::read, log},
  };
}

}  // namespace bgplite::control
