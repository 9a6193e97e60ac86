// Every key of a peer, with another value, in every phase of its session: what a plan says it costs is what the
// reference says and what happens, and routes end as if the option had been there from the start.
#include <apps/bgplite/config/diff.h>
#include <apps/bgplite/config/keys.h>
#include <apps/bgplite/config/yaml.h>
#include <bgp/text.h>
#include <tests/unit/speaker/raw_peer.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace bgplite {
namespace {

using namespace minibgp;
using namespace minibgp::testing::literals;
using namespace std::chrono_literals;
using minibgp::speaker::Bench;
using minibgp::speaker::RawPeer;

/// A key and what stands in the peer's mapping before and after it changes.
struct Change {
  std::string key;
  std::string before, after;
};

const std::string kPolicies = "import: all, export: all";

/// At least one change of every key; `extra` is what must stand beside it to have an effect.
const std::vector<Change>& changes() {
  static const std::vector<Change> all = [] {
    std::vector<Change> made;
    const auto add = [&](const char* key, const std::string& value, const std::string& extra = kPolicies,
                         const std::string& instead_of = "") {
      made.push_back({key, extra + (instead_of.empty() ? "" : ", " + instead_of), extra + ", " + value});
    };
    add("asn", "asn: 65009");
    add("name", "name: other");
    add("local_asn", "local_asn: 65010");
    add("local_address", "local_address: 192.0.2.253");
    add("device", "device: eth7");
    add("port", "port: 1179", kPolicies + ", passive: false");
    add("passive", "passive: false");
    add("enabled", "enabled: false");
    add("families", "families: [ipv4, ipv6]");
    add("families", "families: [ipv6]");
    add("accept_all", "accept_all: true", "prepend: 0");
    add("import", "import: ten", "export: all", "import: all");
    add("export", "export: ten", "import: all", "export: all");
    add("graceful_restart", "graceful_restart: off");
    add("graceful_restart", "graceful_restart: helper");
    add("restart_time", "restart_time: 60s");
    add("next_hop_self", "next_hop_self: false");
    add("prepend", "prepend: 2");
    add("med", "med: 50");
    add("local_pref", "local_pref: 200");
    add("weight", "weight: 7");
    add("allow_as_in", "allow_as_in: 1");
    add("as_override", "as_override: true");
    add("remove_private_as", "remove_private_as: true");
    add("enforce_first_as", "enforce_first_as: false");
    add("route_reflector_client", "route_reflector_client: true");
    for (const char* role : {"provider", "route-server", "route-server-client", "customer", "peer"})
      add("role", std::string{"role: "} + role);
    add("role_strict", "role_strict: true", kPolicies + ", role: customer");
    add("add_path", "add_path: true");
    add("extended_messages", "extended_messages: false");
    add("extended_next_hop", "extended_next_hop: true");
    add("four_octet_as", "four_octet_as: false", "import: ten, export: ten");
    add("ttl", "ttl: 5");
    add("ttl_security", "ttl_security: 1");
    add("tcp_mss", "tcp_mss: 500");
    add("tcp_user_timeout", "tcp_user_timeout: 10s");
    add("md5_file", "md5_file: /key");
    add("session_on_tunnel_down", "session_on_tunnel_down: close");
    add("return_path", "return_path: more_specifics");
    add("timers.keepalive", "timers: { keepalive: 10s }");
    add("timers.hold", "timers: { hold: 30s }");
    add("timers.connect_retry", "timers: { connect_retry: 7s }");
    add("timers.send_hold", "timers: { send_hold: 600s }");
    for (const char* limit : {"import_limit", "export_limit"}) {
      const auto inside = [&](const char* what) { return std::string{limit} + ": { " + what + " }"; };
      add("import_limit.max", inside("max: 1000"));
      add("import_limit.warn_percent", inside("warn_percent: 50"));
      add("import_limit.warn_only", inside("warn_only: true"));
      add("import_limit.restart_after", inside("restart_after: 60s"));
    }
    add("return_path.more_specifics", "return_path: { more_specifics: false }", kPolicies, "return_path: {}");
    add("return_path.longest", "return_path: { longest: 24 }", kPolicies, "return_path: {}");
    add("return_path.longest_ipv6", "return_path: { longest_ipv6: 48 }", kPolicies, "return_path: {}");
    return made;
  }();
  return all;
}

enum class Kind : std::uint8_t { external, internal };

/// Nothing: the keys are not allowed for peers of that kind.
std::optional<Config> config_with(const std::string& keys, Kind kind) {
  std::string peer = keys;
  if (keys.find("asn: 65009") == std::string::npos) peer += kind == Kind::external ? ", asn: 65001" : ", asn: 65000";
  if (keys.find("passive:") == std::string::npos) peer += ", passive: true";
  const std::string text =
      "router: { asn: 65000, router_id: 10.0.0.1 }\n"
      "policies: { all: [ { accept: true } ], ten: [ { match: { prefix: 10.0.0.0/8 }, accept: true } ] }\n"
      "peers: { 192.0.2.1: { " +
      peer + " } }\n";
  Loaded loaded = load_config("a.yaml", {[&](const std::string&, std::string&) { return std::optional{text}; },
                                         [](const std::string&) { return std::vector<std::string>{}; }});
  if (loaded.diagnostics.has_errors()) return std::nullopt;
  // As the daemon reads the files.
  for (auto& [key, one] : loaded.config.peers)
    if (!one.md5_file.empty()) one.options.md5_key = Secret{"key"};
  return loaded.config;
}

/// What the reference says, by key; those of a mapping as "mapping.key".
std::map<std::string, Effect> documented() {
  std::map<std::string, Effect> effects;
  const std::string top = "peers.NAME";
  for (const SectionDoc& section : sections()) {
    if (section.path != top && section.path.rfind(top + ".", 0) != 0) continue;
    const std::string prefix = section.path == top ? "" : section.path.substr(top.size() + 1) + ".";
    for (const Key& key : section.keys)
      if (key.type != Type::mapping) effects[prefix + key.name] = key.effect;
  }
  return effects;
}

/// Nothing: no step at all.
std::optional<Effect> planned(const Change& change, Kind kind) {
  const auto before = config_with(change.before, kind);
  const auto after = config_with(change.after, kind);
  if (!before || !after) return std::nullopt;
  const Plan plan = diff(*before, *after);
  EXPECT_LE(plan.size(), 1U) << change.after;
  if (plan.empty()) return std::nullopt;
  return plan[0].effect;
}

TEST(PeerOptions, EveryKeyCostsWhatTheReferenceSays) {
  std::map<std::string, Effect> documents = documented();
  ASSERT_EQ(documents.erase("address"), 1U);  // Another peer: the old one is removed.
  for (const Change& change : changes()) {
    SCOPED_TRACE(change.after);
    ASSERT_EQ(documents.count(change.key), 1U);
    // Some mean something to peers of one kind only.
    const auto external = planned(change, Kind::external);
    const auto internal = planned(change, Kind::internal);
    EXPECT_TRUE(external == documents.at(change.key) || internal == documents.at(change.key));
    for (const auto& effect : {external, internal})
      EXPECT_LE(effect.value_or(Effect::live), documents.at(change.key)) << "and never more";
  }
  for (const auto& documented_key : documents) {
    const std::string& key = documented_key.first;  // clang 14 captures no structured binding.
    EXPECT_TRUE(std::any_of(changes().begin(), changes().end(), [&](const Change& one) { return one.key == key; }))
        << "no change of " << key << " is tried";
  }
}

TEST(PeerOptions, EnablingAPeerEndsNothing) {
  const Config off = config_with(kPolicies + ", enabled: false", Kind::external).value();
  const Config on = config_with(kPolicies, Kind::external).value();
  EXPECT_EQ(diff(off, on).at(0).effect, Effect::live);
  const Config other = config_with(kPolicies + ", enabled: false, timers: { hold: 30s }", Kind::external).value();
  EXPECT_EQ(diff(off, other).at(0).effect, Effect::live) << "without a session none is reset";
}

TEST(PeerOptions, WhatIsWrittenOutAsItIsInForceChangesNothing) {
  for (const char* same : {"timers: { keepalive: 30s }", "local_asn: 65000", "ttl: 1", "tcp_user_timeout: 90s",
                           "role: none", "port: 180", "role_strict: true"})
    EXPECT_TRUE(diff(config_with(kPolicies, Kind::external).value(),
                     config_with(kPolicies + ", " + same, Kind::external).value())
                    .empty())
        << same;
}

TEST(PeerOptions, AnotherKeyInTheSameFileResetsTheSession) {
  const Config running = config_with(kPolicies + ", md5_file: /key", Kind::external).value();
  Config wanted = running;
  EXPECT_TRUE(diff(running, wanted).empty());
  wanted.peers.begin()->second.options.md5_key = Secret{"another"};
  const Plan plan = diff(running, wanted);
  ASSERT_EQ(plan.size(), 1U);
  EXPECT_EQ(plan[0].effect, Effect::reset);
  EXPECT_EQ(plan[0].text.find("another"), std::string::npos);
}

// --- What happens ----------------------------------------------------------------------------------------------------

enum class Phase : std::uint8_t { never_up, connecting, established, away, over_limit, disabled };
constexpr Phase kPhases[] = {Phase::never_up, Phase::connecting, Phase::established,
                             Phase::away,     Phase::over_limit, Phase::disabled};

const Prefix kFirst = "203.0.113.0/24"_prefix;

/// The peer whose options change, an external one with a route of its own, and an internal one that looks on.
struct Scene {
  explicit Scene(const PeerOptions& options) {
    subject = &bench.add(1, options.remote_as, [&](PeerOptions& to) { to = options; });
    subject->edit_open = [](wire::Open& open) {
      wire::GracefulRestartCapability capability;
      capability.restart_time_s = 100;
      capability.families = capability.forwarding_preserved = {true, false};
      open.capabilities.graceful_restart = capability;
    };
    rival = &bench.add(2, Asn{65002});
    onlooker = &bench.add(3, Asn{65000});
    bench.establish(*rival);
    bench.establish(*onlooker);
    bench.announce(*rival, route_of(*rival, "65002 65007"), {kFirst});
    bench.announce(*rival, route_of(*rival, "65002 64512 65001"), {"192.168.0.0/16"_prefix});
  }
  void come_up(Kind kind, bool one_route_only) {
    bench.establish(*subject);
    if (!bench.established(*subject)) return;
    const auto say = [&](const char* external, const char* internal, const Prefix& prefix) {
      PathAttributes attributes = route_of(*subject, kind == Kind::external ? external : internal);
      attributes.next_hop.address = "192.0.2.1"_ip;
      attributes.local_pref = 100;
      bench.announce(*subject, attributes, {prefix});
    };
    say("65001 65008", "65008 65009", kFirst);
    if (one_route_only) return bench.end_of_rib(*subject);
    say("65001 65000", "65008 65000", "198.51.100.0/24"_prefix);
    say("65005 65001", "65005 65001", "198.51.101.0/24"_prefix);
    say("65001", "65008", "10.1.0.0/16"_prefix);
    bench.end_of_rib(*subject);
  }
  [[nodiscard]] std::string view() const {
    std::ostringstream out;
    for (const auto& [prefix, paths] : bench.best)
      for (const BestPath& path : paths)
        out << to_text(prefix) << " by peer " << static_cast<unsigned>(path.peer) << " weight " << path.weight << "\n";
    for (const auto* peer : {subject, rival, onlooker})
      for (const auto& [prefix, attributes] : peer->heard)
        out << "announced to " << static_cast<unsigned>(peer->id) << ": " << to_text(prefix) << " path "
            << to_text(attributes.as_path) << " next hop " << to_text(attributes.next_hop.address) << " med "
            << attributes.med.value_or(0) << " local_pref " << attributes.local_pref.value_or(0) << " originator "
            << to_text(attributes.originator_id.value_or(RouterId{})) << "\n";
    for (const PathSnapshot& path : bench.engine.routes({}))
      out << to_text(path.prefix) << (path.accepted ? " accepted" : " refused") << "\n";
    out << (bench.established(*subject) ? "established" : "down");
    return out.str();
  }
  [[nodiscard]] bool has_routes() const {
    const std::vector<PathSnapshot> routes = bench.engine.routes({});
    return std::any_of(routes.begin(), routes.end(), [&](const auto& path) { return path.peer == subject->id; });
  }

  Bench bench{
      {.asn = Asn{65000}, .router_id = RouterId{0x0A000001}, .maximum_paths = 4, .multipath = Multipath::relax}};
  RawPeer* subject = nullptr;
  RawPeer* rival = nullptr;
  RawPeer* onlooker = nullptr;
};

void bring_to(Phase phase, Scene& scene, Kind kind) {
  Bench& bench = scene.bench;
  RawPeer& peer = *scene.subject;
  switch (phase) {
    case Phase::never_up:
      return;
    case Phase::connecting:
      peer.conn = bench.engine.on_accepted(peer.options.address, peer.local, {}, bench.now);
      ASSERT_TRUE(peer.conn.has_value());
      return bench.pump();
    case Phase::established:
      scene.come_up(kind, false);
      ASSERT_TRUE(bench.established(peer));
      return;
    case Phase::away:
      scene.come_up(kind, false);
      bench.run_for(20s);
      bench.cut(peer);
      ASSERT_TRUE(bench.status(peer).stale);
      return;
    case Phase::over_limit:
      scene.come_up(kind, false);
      ASSERT_EQ(bench.status(peer).last_down, DownReason::prefix_limit);
      return;
    case Phase::disabled:
      bench.engine.disable_peer(peer.id, "", bench.now);
      return bench.pump();
  }
}

void try_change(const Change& change, Kind kind, Phase phase) {
  SCOPED_TRACE(::testing::Message() << change.before << " -> " << change.after
                                    << (kind == Kind::external ? ", eBGP" : ", iBGP") << ", phase "
                                    << static_cast<int>(phase));
  const auto old_config = config_with(change.before, kind);
  const auto new_config = config_with(change.after, kind);
  if (!old_config || !new_config) return;
  PeerOptions before = options_in_force(*old_config, old_config->peers.begin()->second);
  PeerOptions after = options_in_force(*new_config, new_config->peers.begin()->second);
  const bool limited = phase == Phase::over_limit;
  if (limited) before.import_limit.max = 1;
  if (limited && after.import_limit == PrefixLimit{}) after.import_limit.max = 1;
  if (limited && (before.families != after.families || change.key == "four_octet_as")) return;  // Never gets there.

  Scene fresh{after};
  if (after.enabled) fresh.come_up(kind, limited);
  fresh.bench.run_for(1s);

  Scene scene{before};
  bring_to(phase, scene, kind);
  if (::testing::Test::HasFatalFailure()) return;
  scene.subject->options = after;
  const ChangeCost cost = cost_of_change(before, after, scene.bench.engine.options());
  const bool was_up = scene.bench.established(*scene.subject);
  ASSERT_TRUE(scene.bench.engine.update_peer(scene.subject->id, after, scene.bench.now).has_value());
  scene.bench.pump();
  if (was_up) {
    EXPECT_EQ(scene.bench.established(*scene.subject), cost != ChangeCost::reset) << "what it costs";
  }
  if (phase == Phase::away && scene.has_routes() && fresh.bench.established(*fresh.subject)) {
    // Kept: best paths are already what they will be. What is sent to the peer itself waits for it.
    EXPECT_EQ(scene.bench.best.size(), fresh.bench.best.size()) << scene.view() << "\nfresh\n" << fresh.view();
    for (const auto& [prefix, paths] : fresh.bench.best) {
      ASSERT_TRUE(scene.bench.best.contains(prefix)) << to_text(prefix);
      EXPECT_EQ(scene.bench.best.at(prefix)[0].peer, paths[0].peer) << to_text(prefix);
      EXPECT_EQ(scene.bench.best.at(prefix)[0].weight, paths[0].weight) << to_text(prefix);
    }
  }
  if (phase == Phase::disabled || limited) scene.bench.engine.enable_peer(scene.subject->id, scene.bench.now);
  scene.bench.pump();
  if (!after.enabled) {
    if (phase == Phase::disabled || limited) return;  // Enabled again by hand: not what is asked here.
  } else if (!scene.bench.established(*scene.subject)) {
    scene.bench.cut(*scene.subject);
    scene.come_up(kind, limited);
  }
  scene.bench.run_for(1s);
  if (!scene.bench.established(*scene.subject)) scene.bench.run_for(2min);  // Whatever was kept for it goes.
  if (!after.enabled) scene.subject->heard.clear();
  EXPECT_EQ(scene.view(), fresh.view());
}

TEST(PeerOptions, RoutesEndAsIfTheOptionHadBeenThereFromTheStart) {
  std::size_t tried = 0;
  for (const Change& change : changes())
    for (const Kind kind : {Kind::external, Kind::internal})
      for (const Phase phase : kPhases) {
        ++tried;
        try_change(change, kind, phase);
        if (HasFatalFailure()) return;
      }
  RecordProperty("changes_tried", static_cast<int>(tried));
}

}  // namespace
}  // namespace bgplite
