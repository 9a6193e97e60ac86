#include <apps/bgplite/cli/render.h>
#include <apps/bgplite/cli/table.h>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace bgplite::cli {
namespace {

/// A member as text, whatever its type; empty when it is not there.
std::string text(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return {};
  // Numbers and truth values as JSON writes them.
  return found->is_string() ? found->get<std::string>() : found->dump();
}

double number(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_number() ? found->get<double>() : 0;
}

bool flag(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_boolean() && found->get<bool>();
}

const Json& list(const Json& json, const char* key) {
  // By reference: an empty list that outlives the caller.
  static const Json none = Json::array();
  const auto found = json.find(key);
  return found != json.end() && found->is_array() ? *found : none;
}

std::string joined(const Json& values) {
  std::string all;
  for (const Json& value : values)
    all += (all.empty() ? "" : " ") + (value.is_string() ? value.get<std::string>() : value.dump());
  return all;
}

std::string count(double number, const std::string& noun, const std::string& ending = "s") {
  const auto whole = static_cast<long long>(number);
  return std::to_string(whole) + " " + noun + (whole == 1 ? "" : ending);
}

/// "label            value": the form of every detail view.
std::string line(const std::string& label, const std::string& value) {
  if (value.empty()) return {};
  return "  " + label + std::string(label.size() < 18 ? 18 - label.size() : 1, ' ') + value + "\n";
}

Color state_color(const std::string& state) {
  if (state == "Established" || state == "up") return Color::green;
  if (state == "suspect" || state == "Idle (admin)") return Color::yellow;
  return Color::red;
}

std::string state_of(const Json& peer) { return flag(peer, "enabled") ? text(peer, "state") : "Idle (admin)"; }

std::string label_of(const Json& peer) {
  const std::string name = text(peer, "name");
  return name.empty() ? text(peer, "peer") : name;
}

/// Why the peer has no session; empty: it has one, or nothing is known yet.
std::string why_down(const Json& peer) {
  if (text(peer, "state") == "Established" || !flag(peer, "enabled")) return {};
  if (const std::string attempt = text(peer, "last_attempt"); !attempt.empty()) return attempt;
  const Json down = peer.value("last_down", Json::object());
  if (const std::string detail = text(down, "detail"); !detail.empty()) return detail;
  if (const std::string reason = text(down, "reason"); !reason.empty()) return reason;
  return flag(peer.value("configured", Json::object()), "passive") ? "waits for the peer to connect (passive)" : "";
}

/// Reasons are sentences: below the table, where a narrow screen does not cut them.
std::string render_peers(const Json& answer, const Screen& screen) {
  Table table{{{"Peer", Align::left, Fit::cut},
               {"AS", Align::right},
               {"State"},
               {"For", Align::right},
               {"Rcvd", Align::right},
               {"Acc", Align::right},
               {"Sent", Align::right},
               {"Tunnel", Align::left, Fit::cut}}};
  std::string reasons;
  for (const Json& peer : list(answer, "peers")) {
    const Json prefixes = peer.value("prefixes", Json::object());
    const std::string state = state_of(peer);
    table.add({label_of(peer), text(peer, "asn"), Cell{state, state_color(state)},
               short_duration(number(peer, "state_for_s")), text(prefixes, "received"), text(prefixes, "accepted"),
               text(prefixes, "announced"), text(peer, "tunnel")});
    if (const std::string why = why_down(peer); !why.empty()) reasons += label_of(peer) + ": " + why + "\n";
  }
  return table.empty() ? "no peers are configured\n" : table.to_text(screen) + reasons;
}

std::string fixed(double value, int digits) {
  char out[32];
  return {out, static_cast<std::size_t>(std::snprintf(out, sizeof out, "%.*f", digits, value))};
}

/// "probe of 169.254.10.1: up, 3 of the last 64 lost, 1.2 ms", or why there is none.
std::string probe_text(const Json& probe) {
  std::string out = "probe of " + text(probe, "target") + ": ";
  if (probe.contains("why_not")) return "no " + out + text(probe, "why_not");
  out += text(probe, "state") + ", " + text(probe, "recent_lost") + " of the last " + text(probe, "recent") + " lost";
  if (probe.contains("round_trip_ms")) out += ", " + fixed(number(probe["round_trip_ms"], "last"), 1) + " ms";
  return out;
}

std::string render_tunnel_rows(const Json& tunnels, const Screen& screen) {
  Table table{{{"Tunnel", Align::left, Fit::cut},
               {"State"},
               {"For", Align::right},
               {"Interface", Align::left, Fit::cut},
               {"if_id", Align::right},
               {"SAs in/out"},
               {"Reason", Align::left, Fit::cut}}};
  for (const Json& tunnel : tunnels) {
    const std::string state = text(tunnel, "state");
    const Json in = tunnel.value("inbound", Json::object());
    const Json out = tunnel.value("outbound", Json::object());
    table.add({text(tunnel, "tunnel"), Cell{state, state_color(state)}, short_duration(number(tunnel, "state_for_s")),
               text(tunnel, "interface"), text(tunnel, "if_id"), text(in, "sas") + "/" + text(out, "sas"),
               text(tunnel, "reason")});
  }
  return table.to_text(screen);
}

std::string fib_line(const Json& status, const Screen& screen) {
  std::string state = flag(status, "synchronized") ? "in sync" : count(number(status, "pending"), "route") + " waiting";
  if (number(status, "refused") > 0) state += ", " + count(number(status, "refused"), "route") + " refused";
  if (flag(status, "adopting") && number(status, "adopted") > 0)
    state += ", " + count(number(status, "adopted"), "route") + " kept from before the restart";
  const std::string head = "kernel: " + count(number(status, "installed"), "route") + " (table " +
                           text(status, "table") + ", metric " + text(status, "metric") + ", protocol " +
                           text(status, "protocol") + "):";
  // On a line of its own where both do not fit.
  return head + (head.size() + 1 + state.size() > screen.columns ? "\n        " : " ") + state + "\n";
}

std::string render_summary(const Json& answer, const Screen& screen) {
  const Json router = answer.value("router", Json::object());
  std::string out = "bgplite " + text(router, "version") + ", AS " + text(router, "asn") + ", router id " +
                    text(router, "router_id") + ", up " + short_duration(number(router, "uptime_s")) + "\n";
  out += count(number(answer, "routes"), "prefix", "es") + ", " + short_octets(number(answer, "resident_octets")) +
         " of memory\n";
  if (answer.contains("fib")) out += fib_line(answer["fib"], screen);
  if (answer.contains("unconfirmed_for_s"))
    out += colored("configuration not confirmed: rolls back in " + short_duration(number(answer, "unconfirmed_for_s")),
                   Color::yellow, screen.colors) +
           "\n";
  out += "\n" + render_peers(answer, screen);
  if (answer.contains("tunnels")) out += "\n" + render_tunnel_rows(answer["tunnels"], screen);
  return out;
}

std::string yes(bool value) { return value ? "yes" : "no"; }

std::string withheld_lines(const Json& peer, const Json& prefixes) {
  std::string out;
  std::size_t withheld = 0;
  const Json by_reason = prefixes.value("withheld", Json::object());
  // The daemon sends all reasons, most of them with 0.
  for (const Json& count : by_reason) withheld += count.get<std::size_t>();
  const Json& listed = list(peer, "withheld");
  if (withheld != 0) out += line("not announced", std::to_string(withheld) + " that export policy accepts");
  for (const Json& route : listed) out += line("", text(route, "prefix") + ": " + text(route, "reason"));
  if (!listed.empty() && withheld > listed.size())
    out += line("", "and " + std::to_string(withheld - listed.size()) + " more");
  return out;
}

std::string capability_lines(const Json& capabilities, const Json& eor) {
  std::string out;
  out += line("graceful restart", flag(capabilities, "graceful_restart")
                                      ? "yes, the peer needs " + text(capabilities, "peer_restart_time_s") + "s at most"
                                      : "no");
  out += line("capabilities", "4-octet AS " + yes(flag(capabilities, "four_octet_as")) + ", refresh " +
                                  yes(flag(capabilities, "route_refresh")) + ", enhanced refresh " +
                                  yes(flag(capabilities, "enhanced_refresh")));
  out += line("", "extended messages " + yes(flag(capabilities, "extended_messages")));
  out += line("end of RIB", "received: " + joined(list(eor, "received")) + "; sent: " + joined(list(eor, "sent")));
  return out;
}

std::string render_peer(const Json& answer, const Screen& screen) {
  std::string out;
  for (const Json& peer : list(answer, "peers")) {
    const std::string state = state_of(peer);
    const Json prefixes = peer.value("prefixes", Json::object());
    const Json messages = peer.value("messages", Json::object());
    const Json capabilities = peer.value("capabilities", Json::object());
    const Json configured = peer.value("configured", Json::object());
    out += "peer " + text(peer, "peer") + (text(peer, "name").empty() ? "" : " (" + text(peer, "name") + ")") +
           ", AS " + text(peer, "asn") + ", " + text(peer, "type") + "\n";
    out += line("state", colored(state, state_color(state), screen.colors) + " for " +
                             short_duration(number(peer, "state_for_s")) +
                             (flag(peer, "stale") ? ", its routes kept for its restart" : ""));
    if (peer.contains("next_attempt_in_s"))
      out += line("next attempt",
                  "in " + short_duration(number(peer, "next_attempt_in_s")) + " (at once: bgplite reset, or enable)");
    if (peer.contains("drained")) out += line("drained", text(peer, "drained"));
    if (peer.contains("return_path_halves"))
      out += line("return path", text(peer, "return_path_halves") + " halves of our networks draw traffic here");
    if (peer.contains("last_down")) {
      const Json& down = peer["last_down"];
      out += line("last down", text(down, "reason"));
      out += line("", text(down, "detail"));
    }
    const std::string attempt = text(peer, "last_attempt");
    // Often the end of the session was told by the attempt itself.
    if (!attempt.empty() && attempt != text(peer.value("last_down", Json::object()), "detail"))
      out += line("last attempt", attempt);
    out += line("router id", text(peer, "router_id"));
    out += line("our address", text(peer, "local_address"));
    out += line("tunnel", text(peer, "tunnel"));
    if (peer.contains("probe")) out += line("probe", probe_text(peer["probe"]));
    // 0 until a session was negotiated.
    if (number(peer, "hold_s") > 0 || state == "Established")
      out += line("timers", "hold " + text(peer, "hold_s") + "s, keepalive " + text(peer, "keepalive_s") +
                                "s (configured " + text(configured, "hold_s") + "s, " +
                                text(configured, "keepalive_s") + "s)");
    out += line("families", joined(list(peer, "families")));
    out += line("prefixes", text(prefixes, "received") + " received, " + text(prefixes, "accepted") + " accepted, " +
                                text(prefixes, "best") + " in use, " + text(prefixes, "announced") + " announced");
    out += withheld_lines(peer, prefixes);
    out += line("limits", text(configured, "import_limit") + " in, " + text(configured, "export_limit") + " out");
    out += line("messages", text(messages, "received") + " received, " + text(messages, "sent") + " sent");
    out +=
        line("updates", text(messages, "updates_received") + " received, " + text(messages, "updates_sent") + " sent");
    if (number(peer, "treated_as_withdraw") + number(peer, "attribute_discards") > 0)
      out += line("errors", text(peer, "treated_as_withdraw") + " updates treated as withdraw, " +
                                text(peer, "attribute_discards") + " attributes discarded");
    out += line("sessions", text(peer, "established") + " established, " + text(peer, "dropped") + " dropped");
    if (!capabilities.empty()) out += capability_lines(capabilities, peer.value("end_of_rib", Json::object()));
    // A text or an object: accept_all stands in place of two names.
    const Json policy = peer.value("policy", Json());
    if (policy.is_string()) out += line("policy", "accept_all: every route, both ways");
    if (policy.is_object())
      out += line("policy", "import " + (text(policy, "import").empty() ? "none" : text(policy, "import")) +
                                ", export " + (text(policy, "export").empty() ? "none" : text(policy, "export")));
  }
  return out;
}

/// FRR's flags: > the best, = shares the traffic with it; S stale, ! not usable, x refused by policy.
std::string flags_of(const Json& path) {
  // Nothing else of it matters then.
  if (!flag(path, "accepted")) return "x ";
  std::string flags = flag(path, "stale") ? "S" : (flag(path, "usable") ? "*" : "!");
  return flags + (flag(path, "best") ? ">" : (flag(path, "multipath") ? "=" : " "));
}

std::string origin_letter(const Json& path) {
  const std::string origin = text(path, "origin");
  return origin == "igp" ? "i" : (origin == "egp" ? "e" : "?");
}

std::string as_path_of(const Json& path) {
  const std::string as_path = text(path, "as_path");
  return as_path.empty() ? origin_letter(path) : as_path + " " + origin_letter(path);
}

std::string next_hop_of(const Json& path) {
  const std::string next_hop = text(path, "next_hop");
  return next_hop.empty() ? "self" : next_hop;
}

std::string ending(const Json& answer, std::size_t shown) {
  if (answer.value("complete", true)) return count(static_cast<double>(shown), "route") + "\n";
  return "the first " + std::to_string(shown) + " of " + text(answer, "total") + "; all: --limit 0\n";
}

std::string render_routes(const Json& answer, const Screen& screen) {
  const Json& routes = list(answer, "routes");
  if (routes.empty()) return "no routes\n";
  Table table{{{""},
               {"Prefix", Align::left, Fit::cut},
               {"Next hop", Align::left, Fit::cut},
               {"From", Align::left, Fit::cut},
               {"LPref", Align::right},
               {"MED", Align::right},
               {"AS path", Align::left, Fit::cut}}};
  for (const Json& route : routes) {
    bool first = true;
    for (const Json& path : list(route, "paths")) {
      const std::string flags = flags_of(path);
      // By the flags, so that colour and sign agree.
      const Color color =
          flags[0] == 'x' || flags[0] == '!' ? Color::red : (flags[1] == ' ' ? Color::none : Color::green);
      table.add({Cell{flags, color}, std::exchange(first, false) ? text(route, "prefix") : "", next_hop_of(path),
                 text(path, "peer"), text(path, "local_pref"), text(path, "med"), as_path_of(path)});
    }
  }
  return "* usable, > best, = shares traffic, S kept for a restart, ! unusable, x refused\n" + table.to_text(screen) +
         ending(answer, routes.size());
}

std::string render_announced(const Json& answer, const Screen& screen) {
  const Json& routes = list(answer, "routes");
  if (routes.empty()) return "no routes\n";
  Table table{{{"Prefix", Align::left, Fit::cut},
               {"Next hop", Align::left, Fit::cut},
               {"MED", Align::right},
               {"Communities", Align::left, Fit::cut},
               {"AS path", Align::left, Fit::cut}}};
  for (const Json& route : routes)
    table.add({text(route, "prefix"), next_hop_of(route), text(route, "med"), joined(list(route, "communities")),
               as_path_of(route)});
  return table.to_text(screen) + ending(answer, routes.size());
}

std::string via_text(const Json& via) {
  const std::string gateway = text(via, "gateway");
  std::string out = gateway.empty() ? "" : "via " + gateway + " ";
  out += "dev " + text(via, "interface");
  if (via.contains("weight")) out += " weight " + text(via, "weight");
  return out;
}

std::string kernel_state(const Json& route) {
  if (route.contains("refused")) return "refused: " + text(route["refused"], "reason");
  // An adopted route waits for the end of adoption; others are on their way out.
  if (!flag(route, "desired")) return flag(route, "adopted") ? "kept" : "leaving";
  if (!flag(route, "installed")) return "waiting";
  return flag(route, "in_sync") ? "ok" : "changing";
}

std::string render_fib(const Json& answer, const Screen& screen) {
  std::string out = fib_line(answer.value("status", Json::object()), screen);
  const Json& routes = list(answer, "routes");
  if (!routes.empty()) {
    Table table{{{"Prefix", Align::left, Fit::cut}, {"Way", Align::left, Fit::cut}, {"State", Align::left, Fit::cut}}};
    for (const Json& route : routes) {
      const std::string state = kernel_state(route);
      bool first = true;
      for (const Json& via : list(route, "vias")) {
        table.add({first ? text(route, "prefix") : "", via_text(via),
                   Cell{first ? state : "", state == "ok" ? Color::green : Color::yellow}});
        first = false;
      }
      if (first) table.add({text(route, "prefix"), "-", Cell{state, Color::red}});
    }
    out += "\n" + table.to_text(screen) + ending(answer, routes.size());
  }
  const Json& next_hops = list(answer, "next_hops");
  if (!next_hops.empty()) {
    Table table{{{"Next hop", Align::left, Fit::cut},
                 {"Peer", Align::left, Fit::cut},
                 {"Usable"},
                 {"Through", Align::left, Fit::cut},
                 {"Reason", Align::left, Fit::cut}}};
    for (const Json& state : next_hops)
      table.add({text(state, "next_hop"), text(state, "peer"),
                 flag(state, "usable") ? Cell{"yes", Color::green} : Cell{"no", Color::red},
                 flag(state, "usable") ? text(state, "gateway") + " " + text(state, "interface") : "",
                 text(state, "reason")});
    out += "\n" + table.to_text(screen);
  }
  return out;
}

/// The last few: what was lost when, and how fast it was noticed and traffic moved.
std::string render_failovers(const Json& failovers, const Screen& screen) {
  constexpr std::size_t kShown = 5;
  Table table{
      {{"Lost at"}, {"Tunnel", Align::left, Fit::cut}, {"Moved in", Align::right}, {"Because", Align::left, Fit::cut}}};
  // The newest, oldest of them first.
  for (std::size_t i = failovers.size() > kShown ? failovers.size() - kShown : 0; i < failovers.size(); ++i) {
    const Json& one = failovers[i];
    std::string why = text(one, "reason");
    if (one.contains("silent_for_s")) why += " for " + fixed(number(one, "silent_for_s"), 2) + "s";
    table.add({clock_time(number(one, "time_ms")), text(one, "tunnel"),
               fixed(number(one, "moved_us") / 1000, 2) + " ms", why});
  }
  return table.empty() ? std::string{} : "\n" + table.to_text(screen);
}

std::string render_tunnels(const Json& answer, const Screen& screen) {
  std::string out = render_tunnel_rows(list(answer, "tunnels"), screen);
  for (const Json& tunnel : list(answer, "tunnels")) {
    const std::string name = text(tunnel, "tunnel");
    if (tunnel.contains("ike_failure"))
      out += name + ": " + text(tunnel["ike_failure"], "reason") + ": " + text(tunnel["ike_failure"], "text") + "\n";
    if (tunnel.contains("probe")) out += name + ": " + probe_text(tunnel["probe"]) + "\n";
    if (tunnel.contains("problem")) out += name + ": " + text(tunnel, "problem") + "\n";
    if (tunnel.contains("held_for_s"))
      out += name + ": held down for " + short_duration(number(tunnel, "held_for_s")) + "\n";
  }
  for (const Json& warning : list(answer, "warnings")) out += "warning: " + warning.get<std::string>() + "\n";
  const std::string version = text(answer, "charon_version");
  if (text(answer, "charon") != "unused")
    out += "charon: " + text(answer, "charon") + (version.empty() ? "" : ", strongSwan " + version) + "\n";
  return out + render_failovers(list(answer, "failovers"), screen);
}

std::string render_version(const Json& answer) {
  return "bgplite " + text(answer, "version") + ", process " + text(answer, "process") + ", up " +
         short_duration(number(answer, "uptime_s")) + ", " + count(number(answer, "reloads"), "reload") + "\n";
}

std::string render_memory(const Json& answer, const Screen& screen) {
  Table table{{{"Part"}, {"What", Align::left, Fit::cut}, {"Count", Align::right}, {"Memory", Align::right}}};
  for (const Json& part : list(answer, "parts"))
    table.add({text(part, "part"), text(part, "what"), text(part, "count"), short_octets(number(part, "octets"))});
  return table.to_text(screen) + "resident: " + short_octets(number(answer, "resident_octets")) + "\n";
}

std::string render_config(const Json& answer) {
  const Json router = answer.value("router", Json::object());
  std::string out = "configuration from " + joined(list(answer, "files")) + "\n";
  out += line("router", "AS " + text(router, "asn") + ", " + text(router, "router_id"));
  out += line("maximum paths", text(router, "maximum_paths"));
  for (const auto& [label, key] :
       {std::pair{"networks", "networks"}, std::pair{"by command", "announced_by_command"}, std::pair{"peers", "peers"},
        std::pair{"tunnels", "tunnels"}, std::pair{"policies", "policies"}})
    for (const Json& value : list(answer, key)) out += line(label, value.get<std::string>());
  const Json saved = answer.value("saved", Json::object());
  for (const Json& prefix : list(saved, "announcements")) out += line("saved", prefix.get<std::string>());
  const Json peers = saved.value("peers", Json::object());
  for (const auto& [peer, state] : peers.items()) out += line("saved", "peer " + peer + " " + state.get<std::string>());
  out += line("on exit", text(answer, "on_exit"));
  return out;
}

std::string render_policy(const Json& answer, const Screen& screen) {
  Table table{{{"Policy", Align::left, Fit::cut}, {"Import of", Align::left, Fit::cut}, {"Export to"}}};
  for (const Json& policy : list(answer, "policies")) {
    const Json& import = list(policy, "import");
    const Json& export_ = list(policy, "export");
    const auto peer = [](const Json& peers, std::size_t i) {
      return i < peers.size() ? peers[i].get<std::string>() : std::string{};
    };
    for (std::size_t i = 0; i < std::max({import.size(), export_.size(), std::size_t{1}}); ++i)
      table.add({i == 0 ? text(policy, "policy") : "", peer(import, i), peer(export_, i)});
  }
  std::string out = table.empty() ? "no policies are configured\n" : table.to_text(screen);
  if (const Json& open = list(answer, "accept_all"); !open.empty())
    out += "every route, both ways (accept_all): " + joined(open) + "\n";
  return out;
}

/// Lines are as long as their facts: they go on below, where they began.
std::string render_log(const Json& answer, const Screen& screen) {
  std::string out;
  for (const Json& one : list(answer, "lines")) {
    const std::string level = text(one, "level");
    const Color color = level == "error" ? Color::red : (level == "warning" ? Color::yellow : Color::none);
    std::string head = clock_time(number(one, "time_ms")) + " ";
    const std::string indent(head.size(), ' ');
    // Below the head, in the same column.
    const std::size_t room = std::max(screen.columns, 2 * indent.size()) - indent.size();
    std::string left = (color == Color::none ? "" : level + ": ") + text(one, "text");
    while (!left.empty()) {
      const std::size_t space = left.rfind(' ', room);
      const bool whole = left.size() <= room;
      // A word that is longer than the line is cut.
      const std::size_t cut = whole ? left.size() : (space == std::string::npos || space == 0 ? room : space);
      out += head + colored(left.substr(0, cut), color, screen.colors) + "\n";
      left.erase(0, std::min(left.find_first_not_of(' ', cut), left.size()));
      head = indent;
    }
  }
  return out.empty() ? "nothing was logged\n" : out;
}

}  // namespace

std::string render(View view, const Json& answer, const Screen& screen) {
  switch (view) {
    case View::summary:
      return render_summary(answer, screen);
    case View::peers:
      return render_peers(answer, screen);
    case View::peer:
      return render_peer(answer, screen);
    case View::routes:
      return render_routes(answer, screen);
    case View::announced:
      return render_announced(answer, screen);
    case View::fib:
      return render_fib(answer, screen);
    case View::tunnels:
      return render_tunnels(answer, screen);
    case View::version:
      return render_version(answer);
    case View::memory:
      return render_memory(answer, screen);
    case View::config:
      return render_config(answer);
    case View::policy:
      return render_policy(answer, screen);
    case View::log:
      return render_log(answer, screen);
  }
  return {};
}

std::string render_explain(const Json& answer, const Screen& screen) {
  std::string out = text(answer, "prefix");
  if (text(answer, "asked") != text(answer, "prefix")) out += " (the route used for " + text(answer, "asked") + ")";
  out += "\n";
  for (const Json& path : list(answer, "candidates")) {
    const std::string why = text(path, "why_not");
    const bool best = flag(path, "best");
    const std::string rule = text(path, "rule");
    const std::string state = best ? (rule == "only-path" ? "best: the only path" : "best: by " + rule)
                                   : (why.empty() ? "shares the traffic with the best" : why);
    out += "  " + flags_of(path) + " from " + text(path, "peer") + ", next hop " + next_hop_of(path) + "\n";
    out += "       " + colored(state, why.empty() ? Color::green : Color::yellow, screen.colors) + "\n";
    std::string facts = "AS path " + as_path_of(path);
    if (path.contains("local_pref")) facts += ", local_pref " + text(path, "local_pref");
    if (path.contains("med")) facts += ", MED " + text(path, "med");
    out += "       " + facts + "\n";
  }
  for (const Json& state : list(answer, "next_hops"))
    out += line("next hop",
                text(state, "next_hop") + ": " +
                    (flag(state, "usable") ? "through " + text(state, "gateway") + " dev " + text(state, "interface")
                                           : "not usable: " + text(state, "reason") + " " + text(state, "detail")));
  for (const Json& route : list(answer, "kernel")) {
    const bool refused = route.contains("refused");
    out += line("kernel", (refused ? "refused" : kernel_state(route)) + ", metric " + text(route, "metric"));
    // Further left than other values: a reason is a sentence.
    // The column of the values is too narrow for it.
    if (refused) out += "       " + colored(text(route["refused"], "reason"), Color::red, screen.colors) + "\n";
    for (const Json& via : list(route, "vias")) out += line("", via_text(via));
    if (refused) out += line("", text(route["refused"], "detail"));
    if (refused && route["refused"].contains("allow"))
      out += line("", "allowed with: fib.allow: [" + text(route["refused"], "allow") + "]");
  }
  for (const Json& peer : list(answer, "announced_to"))
    out += line(flag(peer, "announced") ? "announced to" : "not announced to",
                text(peer, "peer") + (flag(peer, "announced") ? "" : ": " + text(peer, "why_not")));
  return out;
}

bool loses_traffic(const Json& step) {
  const std::string effect = text(step, "effect");
  // A refresh costs no packet, and `live` touches nothing. Withdrawing ("leave") does.
  return effect == "reset" || effect == "tunnel" || effect == "leave";
}

std::string render_plan(const Json& answer, const Screen& screen) {
  std::string out;
  for (const Json& one : list(answer, "diagnostics"))
    out += text(one, "file") + ":" + text(one, "line") + ":" + text(one, "column") + ": " + text(one, "severity") +
           ": " + text(one, "text") + (text(one, "hint").empty() ? "" : " (" + text(one, "hint") + ")") + "\n";
  if (!answer.value("ok", true)) return out;
  const Json& steps = list(answer, "steps");
  if (steps.empty()) return out + "nothing would change\n";
  for (const Json& step : steps)
    // In red: the sign is what the question is about.
    out += colored(loses_traffic(step) ? "! " : "  ", Color::red, screen.colors) + text(step, "text") + "\n";
  return out;
}

}  // namespace bgplite::cli
