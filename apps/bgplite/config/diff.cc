#include <apps/bgplite/config/diff.h>
#include <apps/bgplite/config/reader.h>
#include <bgp/text.h>

#include <algorithm>
#include <set>
#include <unordered_map>

namespace bgplite {
namespace {

using Kind = Step::Kind;

/// The names of what differs between two peers, for people; the engine decides for itself what it costs.
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
  note(x.remote_as != y.remote_as, "asn " + to_text(x.remote_as) + " -> " + to_text(y.remote_as));
  note(x.timers.hold_s != y.timers.hold_s, "hold " + seconds(x.timers.hold_s, y.timers.hold_s));
  note(x.timers.keepalive_s != y.timers.keepalive_s,
       "keepalive " + seconds(x.timers.keepalive_s, y.timers.keepalive_s));
  note(x.enabled != y.enabled, y.enabled ? "enabled" : "disabled");
  note(x.passive != y.passive, y.passive ? "passive" : "not passive");
  note(a.accept_all != b.accept_all, b.accept_all ? "accept_all" : "no accept_all");
  note(a.import_policy != b.import_policy, "import policy");
  note(a.export_policy != b.export_policy, "export policy");
  note(a.md5_file != b.md5_file, "md5_file");
  note(a.md5_file == b.md5_file && x.md5_key != y.md5_key, "TCP-MD5 key");
  note(x.local_address != y.local_address || x.device != y.device || x.port != y.port, "end point");
  note(x.families != y.families, "families");
  note(!(a.return_path == b.return_path), "return_path");
  return names.empty() ? "options" : names;
}

bool same_but_return_path(const PeerConfig& a, PeerConfig b) {
  b.return_path = a.return_path;
  return a == b;
}

bool same_but_group(const minibgp::xfrm::TunnelOptions& a, minibgp::xfrm::TunnelOptions b) {
  b.group = a.group;
  return a == b;
}

class Differ {
 public:
  Differ(const Config& running, const Config& wanted) : running_(running), wanted_(wanted) {}

  Plan run() {
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
    plan_.push_back({kind, std::move(key), effect, std::move(text)});
  }

  [[nodiscard]] static std::string shown(const std::string& policy) {
    return policy.front() == '(' ? "in place" : policy;
  }

  void policies() {
    for (const auto& [name, policy] : wanted_.policies) {
      const auto old = running_.policies.find(name);
      if (old != running_.policies.end() && old->second == policy) continue;
      changed_policies_.insert(name);
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
    const bool identity =
        running_.router.asn != wanted_.router.asn || running_.router.router_id != wanted_.router.router_id;
    add(Kind::router, "router", identity ? Effect::reset : Effect::live,
        identity ? "router: asn or router_id changed: every session is reset" : "router: options changed");
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
      const bool judged_anew =
          changed_policies_.count(peer.import_policy) != 0 || changed_policies_.count(peer.export_policy) != 0;
      if (old->second == peer && !judged_anew) continue;
      if (minibgp::renegotiates(old->second.options, peer.options) || old->second.md5_file != peer.md5_file) {
        add(Kind::update_peer, key, Effect::reset,
            "peer " + key + ": " + changed_options(old->second, peer) + ": the session is reset");
      } else {
        const std::string what = old->second == peer ? "its policy changed" : changed_options(old->second, peer);
        const bool judged = judged_anew || !same_but_return_path(old->second, peer);
        add(Kind::update_peer, key, judged ? Effect::refresh : Effect::live,
            "peer " + key + ": " + what + (judged ? ": routes are judged again" : ""));
      }
    }
  }

  void networks() {
    const auto by_prefix = [](const Config& config) {
      std::unordered_map<minibgp::Prefix, const Network*> index;
      for (const Network& network : config.networks) index.emplace(network.prefix, &network);
      return index;
    };
    const auto running = by_prefix(running_);
    const auto wanted = by_prefix(wanted_);
    for (const Network& network : running_.networks)
      if (wanted.count(network.prefix) == 0)
        add(Kind::withdraw, to_text(network.prefix), Effect::leave,
            "network " + to_text(network.prefix) + ": withdrawn");
    for (const Network& network : wanted_.networks) {
      const auto old = running.find(network.prefix);
      if (old != running.end() && *old->second == network) continue;
      add(Kind::announce, to_text(network.prefix), Effect::live,
          "network " + to_text(network.prefix) + (old == running.end() ? ": announced" : ": changed"));
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
    if (!(a == b)) {
      const bool fixed = a.enabled != b.enabled || a.next_hop_objects != b.next_hop_objects;
      add(fixed ? Kind::needs_restart : Kind::fib, "fib", fixed ? Effect::restart : Effect::live,
          fixed ? "fib: takes effect with the next start" : "fib: changed: kernel routes move");
    }
    needs_restart(running_.listen == wanted_.listen, "listen");
    needs_restart(running_.control == wanted_.control, "control");
    needs_restart(running_.metrics.listen == wanted_.metrics.listen, "metrics.listen");
    needs_restart(running_.log.format == wanted_.log.format, "log.format");
    needs_restart(running_.user == wanted_.user, "user");
    needs_restart(running_.state_dir == wanted_.state_dir, "state_dir");
    const auto& x = running_.ipsec;
    const auto& y = wanted_.ipsec;
    needs_restart(x.vici_socket == y.vici_socket && x.sync_interval == y.sync_interval &&
                      x.counter_interval == y.counter_interval && x.silence == y.silence &&
                      x.manage_interfaces == y.manage_interfaces && x.damping == y.damping,
                  "ipsec");
  }

  void static_routes() {
    if (running_.static_routes == wanted_.static_routes) return;
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
  std::set<std::string> changed_policies_;
  Plan plan_;
};

}  // namespace

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
