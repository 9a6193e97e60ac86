/// The answers to commands that change something: announcements, peers, tunnels, the configuration.
#include <apps/bgplite/config/saved.h>
#include <apps/bgplite/control/commands.h>
#include <apps/bgplite/control/json.h>
#include <apps/bgplite/peer_key.h>
#include <bgp/text.h>

#include <algorithm>
#include <cstdint>
#include <optional>

#include <sys/stat.h>

namespace bgplite::control {
namespace {

/// Reads `name` as a list of values; an unreadable one is answered. False then.
template <typename Value, typename Parse>
bool read_values(const Request& request, const Reply& reply, const char* name, std::vector<Value>& into, Parse parse) {
  const auto list = request.arguments.find(name);
  if (list == request.arguments.end()) return true;
  for (const Json& item : *list) {
    const auto read = item.is_string() ? parse(item.get<std::string>()) : std::nullopt;
    if (!read) {
      reply.error("'" + (item.is_string() ? item.get<std::string>().substr(0, 64) : std::string{"?"}) +
                  "' is no value for " + name);
      return false;
    }
    into.push_back(*read);
  }
  // In order and each once, as everywhere in attributes.
  std::sort(into.begin(), into.end());
  into.erase(std::unique(into.begin(), into.end()), into.end());
  return true;
}

/// Reads `name` where it was given as a number of 32 bits; another value is answered. False then.
bool read_number(const Request& request, const Reply& reply, const char* name, std::optional<std::uint32_t>& into) {
  const auto found = request.arguments.find(name);
  // Null is what clients send for "not given".
  if (found == request.arguments.end() || found->is_null()) return true;
  if (!found->is_number_unsigned() || found->get<std::uint64_t>() > UINT32_MAX) {
    reply.error(std::string{name} + " must be a number from 0 to " + std::to_string(UINT32_MAX));
    return false;
  }
  into = found->get<std::uint32_t>();
  return true;
}

/// Whether the next start announces it.
bool is_saved(const Context& context, const minibgp::Prefix& prefix) {
  return context.daemon.config().saved.announcements.count(prefix) != 0;
}

/// With "save" the change is written down before it is made, so that a death in between loses nothing; where it cannot
/// be, that is the answer and nothing is made.
void keep_then(Context& context, const Request& request, const Reply& reply, std::function<Saved(const Config&)> change,
               std::function<void()> then) {
  if (!flag_argument(request, "save")) return then();
  // Called later, from the loop, when the file is on disk.
  context.life.save(std::move(change), [reply, then = std::move(then)](const Life::Outcome& outcome) {
    outcome.failure.empty() ? then() : reply.error(outcome.failure, 3);
  });
}

void announce(Context& context, const Request& request, const Reply& reply) {
  const auto prefix = minibgp::parse_prefix(text_argument(request, "prefix"));
  if (!prefix) return reply.error("'" + text_argument(request, "prefix").substr(0, 64) + "' is not a prefix");
  minibgp::PathAttributes attributes;
  if (!read_number(request, reply, "med", attributes.med) ||
      !read_number(request, reply, "local_pref", attributes.local_pref))
    return;
  if (const std::string text = text_argument(request, "next_hop"); !text.empty()) {
    const auto next_hop = minibgp::parse_address(text);
    if (!next_hop) return reply.error("'" + text.substr(0, 64) + "' is not an address");
    attributes.next_hop.address = *next_hop;
  }
  if (const std::string text = text_argument(request, "as_path"); !text.empty()) {
    const auto path = minibgp::parse_as_path(text);
    if (!path) return reply.error("'" + text.substr(0, 64) + "' is not an AS path");
    attributes.as_path = *path;
  }
  const bool read =
      read_values(request, reply, "communities", attributes.communities, minibgp::parse_community) &&
      read_values(request, reply, "large_communities", attributes.large_communities, minibgp::parse_large_community);
  if (!read) return;
  // Applied when its turn comes, on the configuration of then: changes may wait in front of it.
  const auto change = [prefix = *prefix, attributes](const Config& config) {
    Saved saved = config.saved;
    saved.announcements[prefix] = attributes;
    return saved;
  };
  keep_then(context, request, reply, change, [&context, reply, prefix = *prefix, attributes] {
    static_cast<void>(context.daemon.ask(input::Announce{prefix, attributes}));
    reply.result({{"announced", minibgp::to_text(prefix)}, {"saved", is_saved(context, prefix)}});
  });
}

void withdraw(Context& context, const Request& request, const Reply& reply) {
  const auto prefix = minibgp::parse_prefix(text_argument(request, "prefix"));
  if (!prefix) return reply.error("'" + text_argument(request, "prefix").substr(0, 64) + "' is not a prefix");
  // Asked before it is written: a refusal must not touch the file of saved changes.
  const bool known =
      is_saved(context, *prefix) || context.daemon.gateway().announcements().by_command().count(*prefix) != 0;
  if (!known)
    return reply.error(
        minibgp::to_text(*prefix) + " was not announced by command (see 'networks' of the configuration)", 1);
  const auto change = [prefix = *prefix](const Config& config) {
    Saved saved = config.saved;
    saved.announcements.erase(prefix);
    return saved;
  };
  keep_then(context, request, reply, change, [&context, reply, prefix = *prefix] {
    static_cast<void>(context.daemon.ask(input::Withdraw{prefix}));
    reply.result({{"withdrawn", minibgp::to_text(prefix)}, {"saved", is_saved(context, prefix)}});
  });
}

void enable_or_disable(Context& context, const Request& request, const Reply& reply) {
  const auto peer = peer_argument(context, request, reply);
  const std::string* known = peer ? context.daemon.gateway().peers().key_of(*peer) : nullptr;
  if (known == nullptr) return;
  const bool enabled = request.verb == "peer.enable";
  const std::string key = *known;
  // Asked for again where it is written: `enabled` is compared with what the file says.
  const auto change = [key, enabled](const Config& config) { return with_peer(config, key, enabled); };
  keep_then(context, request, reply, change,
            [&context, reply, peer = *peer, key, enabled, reason = text_argument(request, "reason")] {
              Daemon& daemon = context.daemon;
              // A change of the configuration may have been in front of us.
              const auto config = daemon.config().peers.find(key);
              if (config == daemon.config().peers.end()) return reply.error("peer " + key + " was removed", 1);
              static_cast<void>(
                  enabled ? daemon.ask(input::EnablePeer{peer, key_on_disk(daemon.gateway(), peer, context.log)})
                          : daemon.ask(input::DisablePeer{peer, reason}));
              reply.result({{enabled ? "enabled" : "disabled", peer_name(daemon, peer)},
                            {"saved", config->second.options.enabled == enabled}});
            });
}

void reset(Context& context, const Request& request, const Reply& reply) {
  const auto peer = peer_argument(context, request, reply);
  if (!peer) return;
  static_cast<void>(context.daemon.ask(input::ResetPeer{*peer, text_argument(request, "reason"),
                                                        key_on_disk(context.daemon.gateway(), *peer, context.log)}));
  reply.result({{"reset", peer_name(context.daemon, *peer)}});
}

void refresh(Context& context, const Request& request, const Reply& reply) {
  const auto peer = peer_argument(context, request, reply);
  if (!peer) return;
  const std::string direction = text_argument(request, "direction");
  // "in" and "out" name one direction, and everything else means both.
  if (direction != "out") context.daemon.speaker().refresh_peer(*peer, minibgp::Direction::import);
  if (direction != "in") context.daemon.speaker().refresh_peer(*peer, minibgp::Direction::export_);
  reply.result({{"refreshed", peer_name(context.daemon, *peer)}});
}

void tunnel_up_or_down(Context& context, const Request& request, const Reply& reply) {
  minibgp::xfrm::Tunnels* tunnels = context.daemon.tunnels();
  const std::string name = text_argument(request, "tunnel");
  if (tunnels == nullptr || !tunnels->status(name)) return reply.error("no tunnel '" + name.substr(0, 64) + "'", 1);
  const bool up = request.verb == "tunnel.initiate";
  up ? tunnels->initiate(name) : static_cast<void>(context.daemon.ask(input::TerminateTunnel{name}));
  reply.result({{up ? "initiated" : "terminated", name}});
}

/// The peer that was named, or all of them. Nothing: it was answered.
std::vector<minibgp::PeerId> peers_meant(Context& context, const Request& request, const Reply& reply) {
  std::vector<minibgp::PeerId> peers;
  if (!text_argument(request, "peer").empty()) {
    if (const auto peer = peer_argument(context, request, reply)) peers.push_back(*peer);
    return peers;
  }
  for (const minibgp::PeerStatus& peer : context.daemon.speaker().engine().peers()) peers.push_back(peer.id);
  if (peers.empty()) reply.error("there is no peer", 1);
  return peers;
}

Json drains_json(Context& context, const std::vector<minibgp::PeerId>& peers) {
  Json list = Json::array();
  for (const minibgp::PeerId peer : peers) {
    const auto step = context.daemon.gateway().drain_step(peer);
    if (step)
      list.push_back(
          {{"peer", peer_name(context.daemon, peer)}, {"step", to_text(*step)}, {"done", *step == DrainStep::stopped}});
  }
  return {{"drained", std::move(list)}};
}

void drain(Context& context, const Request& request, const Reply& reply) {
  const std::size_t wait_ms = number_argument(request, "wait_ms", 10'000);
  if (wait_ms > 3'600'000) return reply.error("at most one hour between the steps");
  const auto peers = peers_meant(context, request, reply);
  if (peers.empty()) return;
  for (const minibgp::PeerId peer : peers)
    static_cast<void>(
        context.daemon.ask(input::Drain{peer, std::chrono::milliseconds{static_cast<std::int64_t>(wait_ms)}}));
  reply.result(drains_json(context, peers));
}

void drain_status(Context& context, const Request& request, const Reply& reply) {
  const auto peers = peers_meant(context, request, reply);
  if (!peers.empty()) reply.result(drains_json(context, peers));
}

void drain_undo(Context& context, const Request& request, const Reply& reply) {
  const auto peers = peers_meant(context, request, reply);
  if (peers.empty()) return;
  Json undone = Json::array();
  for (const minibgp::PeerId peer : peers) {
    if (!context.daemon.gateway().drain_step(peer)) continue;
    static_cast<void>(context.daemon.ask(input::UndoDrain{peer}));
    undone.push_back(peer_name(context.daemon, peer));
  }
  undone.empty() ? reply.error("no peer is drained", 1) : reply.result({{"undone", undone}});
}

Json direction_json(const DrillReport::Direction& direction) {
  return {{"before_per_s", direction.before_per_s},
          {"packets", direction.packets},
          // Null: the traffic has not moved, which is not the same as 0 ms.
          {"moved_after_ms", direction.moved_after ? Json(direction.moved_after->count()) : Json(nullptr)}};
}

Json drill_json(const Daemon& daemon) {
  const auto status = daemon.gateway().drill_status(daemon.speaker().now());
  if (!status) return {{"state", "none"}};
  const DrillReport& report = status->report;
  return {{"name", status->name},
          {"interface", status->interface},
          {"state", to_text(report.state)},
          {"end", to_text(report.end)},
          {"lasted_s", std::chrono::duration<double>{report.lasted}.count()},
          {"failover_us", std::chrono::duration_cast<std::chrono::microseconds>(report.failover).count()},
          {"counted", report.counted},
          {"out", direction_json(report.out)},
          {"in", direction_json(report.in)}};
}

void drill_start(Context& context, const Request& request, const Reply& reply) {
  const std::size_t length_ms = number_argument(request, "for_ms", 60'000);
  if (length_ms < 1000 || length_ms > 3'600'000) return reply.error("a drill takes 1s to 1h");
  const auto started = context.daemon.ask(input::StartDrill{
      text_argument(request, "name"), std::chrono::milliseconds{static_cast<std::int64_t>(length_ms)}});
  started ? reply.result(drill_json(context.daemon)) : reply.error(started.error(), 1);
}

void drill_status(Context& context, const Request&, const Reply& reply) { reply.result(drill_json(context.daemon)); }

void drill_stop(Context& context, const Request&, const Reply& reply) {
  static_cast<void>(context.daemon.ask(input::StopDrill{}));
  reply.result(drill_json(context.daemon));
}

void answer(Life::Outcome outcome, const Reply& reply) {
  // 1: the request cannot be fulfilled; 3: it failed.
  if (!outcome.failure.empty()) return reply.error(outcome.failure, outcome.impossible ? 1 : 3);
  // Made in the thread beside the loop: a plan may have a step for each of thousands of peers.
  reply.result([outcome = std::move(outcome)] {
    return Json{{"ok", !outcome.diagnostics.has_errors()},
                {"diagnostics", to_json(outcome.diagnostics)},
                {"steps", to_json(outcome.plan)}};
  });
}

bool same_file(const std::string& a, const std::string& b) {
  struct stat x {};
  struct stat y {};
  // A file that does not exist, or that we may not see, is compared by its name.
  if (::stat(a.c_str(), &x) != 0 || ::stat(b.c_str(), &y) != 0) return a == b;
  return x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/// A file that was named on the command line is the one that the daemon reads, or the request is refused.
bool reads_it(const Context& context, const Request& request, const Reply& reply) {
  const std::string named = text_argument(request, "config");
  const std::string& own = context.life.path();
  if (named.empty() || same_file(named, own)) return true;
  const std::string file = named.substr(0, 256);
  reply.error("the daemon reads " + own + ", not " + file + ": nothing was compared; 'bgplite check " + file +
              "' says whether that file is right");
  return false;
}

void plan(Context& context, const Request& request, const Reply& reply) {
  if (!reads_it(context, request, reply)) return;
  const auto done = [reply](Life::Outcome outcome) { answer(std::move(outcome), reply); };
  request.verb == "plan.rollback" ? context.life.plan_rollback(done) : context.life.plan(done);
}

void apply(Context& context, const Request& request, const Reply& reply) {
  if (!reads_it(context, request, reply)) return;
  const std::size_t confirm = number_argument(request, "confirm_s", 0);
  if (confirm > 86'400) return reply.error("at most one day to confirm");
  context.life.apply(
      confirm == 0 ? std::nullopt : std::optional{std::chrono::seconds{static_cast<std::int64_t>(confirm)}},
      ConfigKeeper::Origin::command, [reply](Life::Outcome outcome) { answer(std::move(outcome), reply); });
}

void confirm(Context& context, const Request&, const Reply& reply) {
  context.life.confirm([reply](Life::Outcome outcome) {
    outcome.failure.empty() ? reply.result({{"confirmed", true}}) : answer(std::move(outcome), reply);
  });
}

void rollback(Context& context, const Request&, const Reply& reply) {
  context.life.rollback("asked by the operator", [reply](Life::Outcome outcome) { answer(std::move(outcome), reply); });
}

/// Until the next start, or until the configuration's levels change.
void log_level(Context& context, const Request& request, const Reply& reply) {
  const std::string level = text_argument(request, "level"), word = text_argument(request, "area");
  const bool configured = level == "configured";
  // parse_level() gives a default for unknown words, so the way back tells whether it was one.
  if (!configured && bgplite::to_text(parse_level(level)) != level)
    return reply.error("levels are debug, info, warning, error and configured");
  const auto area = parse_area(word);
  if (!word.empty() && !area) return reply.error("no area '" + word.substr(0, 64) + "'");
  const LogConfig& config = context.daemon.config().log;
  for (std::size_t i = 0; i < Logging::kAreas; ++i) {
    const auto each = static_cast<minibgp::LogArea>(i);
    const auto written = config.areas.find(std::string{bgplite::to_text(each)});
    const std::string& as_written = written == config.areas.end() ? config.level : written->second;
    if (!area || *area == each) context.log.set_level(each, parse_level(configured ? as_written : level));
  }
  reply.result({{"levels", levels_json(context.log)}});
}

}  // namespace

std::vector<Command> doing_commands() {
  return {
      {"announce", Access::change, announce},
      {"withdraw", Access::change, withdraw},
      {"peer.enable", Access::change, enable_or_disable},
      {"peer.disable", Access::change, enable_or_disable},
      {"peer.reset", Access::change, reset},
      {"peer.refresh", Access::change, refresh},
      {"drain", Access::change, drain},
      {"drain.status", Access::read, drain_status},
      {"drain.undo", Access::change, drain_undo},
      {"drill", Access::change, drill_start},
      {"drill.status", Access::read, drill_status},
      {"drill.stop", Access::change, drill_stop},
      {"tunnel.initiate", Access::change, tunnel_up_or_down},
      {"tunnel.terminate", Access::change, tunnel_up_or_down},
      {"plan", Access::read, plan},
      {"plan.rollback", Access::read, plan},
      {"apply", Access::change, apply},
      {"confirm", Access::change, confirm},
      {"rollback", Access::change, rollback},
      {"log.level", Access::change, log_level},
  };
}

}  // namespace bgplite::control
