#include <apps/bgplite/config/diff.h>
#include <apps/bgplite/config/reader.h>
#include <bgp/policy.h>
#include <bgp/text.h>

#include <algorithm>
#include <memory>
#include <unordered_map>

namespace bgplite {
namespace {

using Kind = Step::Kind;

/// Null: there is none (RFC 8212), or the peer takes everything without one.
const PolicyDefinition* definition(const Config& config, const PeerConfig& peer, const std::string& name) {
  if (peer.accept_all) return nullptr;
  const auto found = config.policies.find(name);
  return found == config.policies.end() ? nullptr : &found->second;
}

bool same_policy(const PolicyDefinition* a, const PolicyDefinition* b) {
  return a == b || (a != nullptr && b != nullptr && *a == *b);
}

/// The names of what differs between two peers, for people. What it costs is not said here.
std::string changed_options(const PeerConfig& a, const PeerConfig& b) {
  std::string names;
  const auto note = [&](bool differs, const std::string& name) {
    if (differs) names += (names.empty() ? "" : ", ") + name;
  };
  const auto seconds = [](unsigned from, unsigned to) {
    return std::to_string(from) + "s -> " + std::to_string(to) + "s";
  };
  const minibgp::PeerOptions& x = a.options;
  const minibgp::PeerOptions& y = b.options;
  const minibgp::PeerTimers& s = x.timers;
  const minibgp::PeerTimers& t = y.timers;
  note(x.remote_as != y.remote_as, "asn " + to_text(x.remote_as) + " -> " + to_text(y.remote_as));
  note(s.hold_s != t.hold_s, "hold " + seconds(s.hold_s, t.hold_s));
  note(s.keepalive_s != t.keepalive_s, "keepalive " + seconds(s.keepalive_s, t.keepalive_s));
  note(s.connect_retry_s != t.connect_retry_s, "connect_retry " + seconds(s.connect_retry_s, t.connect_retry_s));
  note(s.send_hold_s != t.send_hold_s, "send_hold " + seconds(s.send_hold_s, t.send_hold_s));
  note(x.enabled != y.enabled, y.enabled ? "enabled" : "disabled");
  note(x.name != y.name, "name");
  note(x.local_as != y.local_as, "local_asn");
  note(x.passive != y.passive, y.passive ? "passive" : "not passive");
  note(a.accept_all != b.accept_all, b.accept_all ? "accept_all" : "no accept_all");
  note(a.import_policy != b.import_policy, "import policy");
  note(a.export_policy != b.export_policy, "export policy");
  note(a.md5_file != b.md5_file, "md5_file");
  note(!(x.md5_key == y.md5_key), "TCP-MD5 key");
  note(x.local_address != y.local_address || x.device != y.device || x.port != y.port, "end point");
  note(x.tunnel != y.tunnel, "tunnel");
  note(x.families != y.families, "families");
  note(x.import_limit != y.import_limit, "import_limit");
  note(x.export_limit != y.export_limit, "export_limit");
  note(x.graceful_restart != y.graceful_restart, "graceful_restart");
  note(x.restart_time_s != y.restart_time_s, "restart_time " + seconds(x.restart_time_s, y.restart_time_s));
  note(x.next_hop_self != y.next_hop_self, "next_hop_self");
  note(x.prepend != y.prepend, "prepend");
  note(x.export_med != y.export_med, "med");
  note(x.default_local_pref != y.default_local_pref, "local_pref");
  note(x.ecmp_weight != y.ecmp_weight, "weight");
  note(x.allow_as_in != y.allow_as_in, "allow_as_in");
  note(x.as_override != y.as_override, "as_override");
  note(x.remove_private_as != y.remove_private_as, "remove_private_as");
  note(x.enforce_first_as != y.enforce_first_as, "enforce_first_as");
  note(x.route_reflector_client != y.route_reflector_client, "route_reflector_client");
  note(x.role != y.role || x.role_strict != y.role_strict, "role");
  note(x.add_path_receive != y.add_path_receive, "add_path");
  note(x.extended_messages != y.extended_messages, "extended_messages");
  note(x.extended_next_hop != y.extended_next_hop, "extended_next_hop");
  note(x.four_octet_as != y.four_octet_as, "four_octet_as");
  note(x.ttl != y.ttl || x.ttl_security_hops != y.ttl_security_hops, "TTL");
  note(x.tcp_mss != y.tcp_mss || x.tcp_user_timeout_ms != y.tcp_user_timeout_ms, "TCP options");
  note(a.on_tunnel_down != b.on_tunnel_down, "session_on_tunnel_down");
  note(!(a.return_path == b.return_path), "return_path");
  // A policy keeps its name when its text changes.
  return names.empty() ? "its policy changed" : names;
}

Effect effect_of(minibgp::ChangeCost cost) {
  switch (cost) {
    case minibgp::ChangeCost::reset:
      return Effect::reset;
    case minibgp::ChangeCost::refresh:
      return Effect::refresh;
    case minibgp::ChangeCost::none:
    case minibgp::ChangeCost::live:
      break;
  }
  return Effect::live;
}

// The group is known to the tunnel table alone.
bool same_but_group(const minibgp::xfrm::TunnelOptions& a, minibgp::xfrm::TunnelOptions b) {
  b.group = a.group;
  return a == b;
}

class Differ {
 public:
  Differ(const Config& running, const Config& wanted) : running_(running), wanted_(wanted) {}

  Plan run() {
    // The order in which each step is valid when those before it are done: a policy before the peers that name it, a
    // tunnel before the peer behind it, a peer's removal before another peer may take its address.
    policies();
    router();
    tunnels();
    remove_peers();
    peers();
    networks();
    saved();
    sections();
    obsolete_policies();
    return std::move(plan_);
  }

 private:
  void add(Kind kind, std::string key, Effect effect, std::string text) {
    plan_.push_back({.kind = kind, .key = std::move(key), .effect = effect, .text = std::move(text)});
  }

  [[nodiscard]] static std::string shown(const std::string& policy) {
    return policy.front() == '(' ? "in place" : policy;
  }

  void policies() {
    // A set that changes is part of the policies that name it, so it needs no step of its own.
    for (const auto& [name, policy] : wanted_.policies) {
      const auto old = running_.policies.find(name);
      if (old != running_.policies.end() && old->second == policy) continue;
      add(Kind::set_policy, name, Effect::live,
          "policy " + shown(name) + (old == running_.policies.end() ? ": new" : ": changed"));
    }
  }

  void obsolete_policies() {
    for (const auto& [name, policy] : running_.policies)
      if (wanted_.policies.count(name) == 0)
        add(Kind::remove_policy, name, Effect::live, "policy " + shown(name) + ": removed");
  }

  void router() {
    if (running_.router == wanted_.router) return;
    const Effect effect = effect_of(cost_of_change(running_.router, wanted_.router));
    add(Kind::router, "router", effect,
        effect == Effect::reset ? "router: asn or router_id changed: every session is reset"
                                : "router: options changed");
  }

  void tunnels() {
    for (const auto& [name, tunnel] : running_.tunnels)
      if (wanted_.tunnels.count(name) == 0) add(Kind::tunnels, name, Effect::tunnel, "tunnel " + name + ": removed");
    for (const auto& [name, tunnel] : wanted_.tunnels) {
      const auto old = running_.tunnels.find(name);
      if (old == running_.tunnels.end()) {
        add(Kind::tunnels, name, Effect::tunnel, "tunnel " + name + ": new");
      } else if (!same_but_group(old->second.options, tunnel.options)) {
        add(Kind::tunnels, name, Effect::tunnel, "tunnel " + name + ": changed: it is set up anew");
      } else if (!(old->second == tunnel)) {
        const bool group = old->second.options.group != tunnel.options.group;
        // Neither of the two is known to charon or the kernel, so the SAs stay.
        add(Kind::tunnels, name, Effect::live, "tunnel " + name + (group ? ": group changed" : ": probe changed"));
      }
    }
  }

  void remove_peers() {
    for (const auto& [key, peer] : running_.peers)
      if (wanted_.peers.count(key) == 0)
        add(Kind::remove_peer, key, Effect::reset, "peer " + key + ": removed: its session ends");
  }

  void peers() {
    for (const auto& [key, peer] : wanted_.peers) {
      const auto old = running_.peers.find(key);
      if (old == running_.peers.end()) {
        add(Kind::add_peer, key, Effect::live, "peer " + key + ": new");
        continue;
      }
      const minibgp::ChangeCost cost = cost_of(old->second, peer);
      // Nothing that the speaker knows of.
      const bool else_changed =
          old->second.on_tunnel_down != peer.on_tunnel_down || !(old->second.return_path == peer.return_path);
      if (cost == minibgp::ChangeCost::none && !else_changed) continue;
      add(Kind::update_peer, key, effect_of(cost),
          "peer " + key + ": " + changed_options(old->second, peer) + consequence(cost, old->second, peer));
    }
  }

  [[nodiscard]] minibgp::ChangeCost cost_of(const PeerConfig& old, const PeerConfig& peer) const {
    const minibgp::PeerOptions before = options_in_force(running_, old);
    minibgp::PeerOptions after = options_in_force(wanted_, peer);
    // A file that is read again gives new objects; policies are the same when their text is.
    const auto same = [&](const std::string& was, const std::string& is) {
      return old.accept_all == peer.accept_all &&
             same_policy(definition(running_, old, was), definition(wanted_, peer, is));
    };
    // The compiled objects differ, so the old one stands in for the new one in the comparison.
    if (same(old.import_policy, peer.import_policy)) after.import_policy = before.import_policy;
    if (same(old.export_policy, peer.export_policy)) after.export_policy = before.export_policy;
    return cost_of_change(before, after, wanted_.router);
  }

  [[nodiscard]] static const char* consequence(minibgp::ChangeCost cost, const PeerConfig& old,
                                               const PeerConfig& peer) {
    if (cost == minibgp::ChangeCost::refresh) return ": routes are judged again";
    if (cost != minibgp::ChangeCost::reset) return "";
    return old.options.enabled && !peer.options.enabled ? ": its session ends" : ": the session is reset";
  }

  void networks() {
    const auto by_prefix = [](const std::vector<Network>& networks) {
      std::unordered_map<minibgp::Prefix, std::size_t> index;
      for (std::size_t i = 0; i < networks.size(); ++i) index.emplace(networks[i].prefix, i);
      return index;
    };
    // Two indexes instead of a search for each: files with very many networks are compared in linear time.
    const auto running = by_prefix(running_.networks);
    const auto wanted = by_prefix(wanted_.networks);
    for (std::size_t i = 0; i < running_.networks.size(); ++i) {
      const std::string prefix = to_text(running_.networks[i].prefix);
      if (wanted.count(running_.networks[i].prefix) != 0) continue;
      add(Kind::withdraw, prefix, Effect::leave, "network " + prefix + ": withdrawn");
      plan_.back().was = i;
    }
    for (std::size_t i = 0; i < wanted_.networks.size(); ++i) {
      const Network& network = wanted_.networks[i];
      const auto old = running.find(network.prefix);
      if (old != running.end() && running_.networks[old->second] == network) continue;
      const std::string prefix = to_text(network.prefix);
      add(Kind::announce, prefix, Effect::live,
          "network " + prefix + (old == running.end() ? ": announced" : ": changed"));
      plan_.back().is = i;
      if (old != running.end()) plan_.back().was = old->second;
    }
  }

  void saved() {
    const auto& running = running_.saved.announcements;
    const auto& wanted = wanted_.saved.announcements;
    const auto note = [&](const minibgp::Prefix& prefix, const char* what, Effect effect = Effect::live) {
      add(Kind::saved_announcement, to_text(prefix), effect, "saved announcement " + to_text(prefix) + what);
    };
    for (const auto& [prefix, attributes] : running)
      if (wanted.count(prefix) == 0) note(prefix, ": withdrawn", Effect::leave);
    for (const auto& [prefix, attributes] : wanted)
      if (const auto old = running.find(prefix); old == running.end() || !(old->second == attributes))
        note(prefix, old == running.end() ? ": announced" : ": changed");
  }

  void sections() {
    static_routes();
    if (!(running_.host == wanted_.host)) add(Kind::host, "host", Effect::live, "host: changed");
    if (running_.log.level != wanted_.log.level || running_.log.areas != wanted_.log.areas)
      add(Kind::log, "log", Effect::live, "log: levels changed");
    if (running_.metrics.names != wanted_.metrics.names)
      add(Kind::metrics, "metrics", Effect::live, "metrics: names changed");
    if (running_.on_exit != wanted_.on_exit) add(Kind::on_exit, "on_exit", Effect::live, "on_exit: changed");
    const FibConfig& a = running_.fib;
    const FibConfig& b = wanted_.fib;
    // What a start fixes is taken from `a`: what is left of the difference can be carried out now. So one change of
    // several keys of the section gives two steps at most, each with its cost.
    FibConfig live = b;
    live.enabled = a.enabled;
    live.next_hop_objects = a.next_hop_objects;
    live.protocol = a.protocol;
    if (!(live == b)) add(Kind::needs_restart, "fib", Effect::restart, "fib: takes effect with the next start");
    if (!(a == live)) add(Kind::fib, "fib", Effect::live, "fib: changed: kernel routes move");
    needs_restart(running_.listen == wanted_.listen, "listen");
    needs_restart(running_.control == wanted_.control, "control");
    needs_restart(running_.metrics.listen == wanted_.metrics.listen, "metrics.listen");
    needs_restart(running_.log.format == wanted_.log.format, "log.format");
    needs_restart(running_.user == wanted_.user, "user");
    needs_restart(running_.state_dir == wanted_.state_dir, "state_dir");
    const auto& x = running_.ipsec;
    const auto& y = wanted_.ipsec;
    // on_exit of this section is the program's own and compared there.
    needs_restart(x.vici_socket == y.vici_socket && x.sync_interval == y.sync_interval &&
                      x.counter_interval == y.counter_interval && x.silence == y.silence &&
                      x.manage_interfaces == y.manage_interfaces && x.damping == y.damping,
                  "ipsec");
  }

  void static_routes() {
    if (running_.static_routes == wanted_.static_routes) return;
    // Only a route that goes can take traffic with it; another gateway for the same prefix replaces it in one step.
    std::string gone;
    for (const StaticRoute& old : running_.static_routes)
      if (std::none_of(wanted_.static_routes.begin(), wanted_.static_routes.end(),
                       [&](const StaticRoute& route) { return route.prefix == old.prefix; }))
        gone += " " + to_text(old.prefix);
    add(Kind::static_routes, "static_routes", gone.empty() ? Effect::live : Effect::leave,
        gone.empty() ? "static routes: changed" : "static routes: removed:" + gone);
  }

  void needs_restart(bool same, const std::string& section) {
    if (!same) add(Kind::needs_restart, section, Effect::restart, section + ": takes effect with the next start");
  }

  const Config& running_;
  const Config& wanted_;
  Plan plan_;
};

}  // namespace

minibgp::PeerOptions options_in_force(const Config& config, const PeerConfig& peer) {
  minibgp::PeerOptions options = peer.options;
  const auto policy = [&](const std::string& name) -> std::shared_ptr<const minibgp::Policy> {
    if (peer.accept_all) return minibgp::Policy::accept_all();
    const PolicyDefinition* const found = definition(config, peer, name);
    return found == nullptr ? nullptr : found->compiled;
  };
  options.import_policy = policy(peer.import_policy);
  options.export_policy = policy(peer.export_policy);
  // Without its key the session would be open to anyone who can spoof a packet, so the peer does not start.
  if (!peer.md5_file.empty() && options.md5_key.empty()) options.enabled = false;
  return options;
}

Plan diff(const Config& running, const Config& wanted) { return Differ{running, wanted}.run(); }

const char* to_text(Effect effect) {
  switch (effect) {
    case Effect::live:
      return "nothing is interrupted";
    case Effect::refresh:
      return "refresh";
    case Effect::reset:
      return "reset";
    case Effect::tunnel:
      return "tunnel";
    case Effect::restart:
      return "restart";
    case Effect::leave:
      return "leave";
  }
  return "";
}

}  // namespace bgplite
