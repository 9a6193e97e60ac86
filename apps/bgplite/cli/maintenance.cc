/// Verbs for maintenance: drain, which leaves peers without losing packets, and drill, which rehearses a failover. Both
/// are carried out by the daemon: a command that dies leaves nothing half done.
#include <apps/bgplite/cli/ask.h>
#include <apps/bgplite/config/reader.h>

#include <chrono>
#include <iomanip>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>

#include <CLI/CLI.hpp>

namespace bgplite::cli {
namespace {

constexpr std::chrono::milliseconds kPoll{200};

/// The time as `NAME_ms` of `into`. False: it is none, and that was said.
bool read_time(const std::string& option, const std::string& text, const char* name, Json& into) {
  const auto time = parse_duration(text);
  if (!time || time->count() < 0) {
    fail(Exit::bad_input, option + " takes a time: " + option + " 60s");
    return false;
  }
  into[name] = time->count();
  return true;
}

// --- drain ---------------------------------------------------------------------------------------------------------

struct DrainOptions {
  std::string peer, wait = "10s";
  bool undo = false;
};

/// Tells each step of each peer once. True: all are stopped.
bool tell_steps(const Json& answer, Json& told, bool quiet) {
  bool done = true;
  for (const Json& row : answer.value("drained", Json::array())) {
    const std::string peer = row.value("peer", "");
    const std::string step = row.value("step", "");
    done = done && row.value("done", false);
    // Each step once; the poll is faster than the steps.
    if (told.value(peer, "") == step) continue;
    told[peer] = step;
    if (!quiet) std::cout << "peer " << peer << ": " << step << std::endl;
  }
  return done;
}

Exit run_drain(const Common& common, const DrainOptions& options) {
  Json arguments = Json::object();
  if (!options.peer.empty()) arguments["peer"] = options.peer;
  const std::string whom = options.peer.empty() ? "every peer" : "peer " + options.peer;
  if (options.undo) {
    const auto answer = ask(common, "drain.undo", arguments);
    if (!answer) return answer.error();
    return print(common, *answer, [&](const Json&) { return whom + " is drained no more\n"; });
  }
  if (!read_time("--wait", options.wait, "wait_ms", arguments)) return Exit::bad_input;
  if (!agreed(common, "draining moves the traffic away from " + whom +
                          " and ends the session until 'bgplite enable' or "
                          "'bgplite drain --undo'"))
    return Exit::assertion_failed;
  // By peer: the step that was told last.
  Json told = Json::object();
  auto answer = ask(common, "drain", arguments);
  // Ends when all peers are stopped, or by the first question that is not answered.
  while (answer && !tell_steps(*answer, told, common.json)) {
    std::this_thread::sleep_for(kPoll);
    answer = ask(common, "drain.status", arguments);
    // Somebody enabled it meanwhile.
    if (answer && answer->value("drained", Json::array()).empty())
      return fail(Exit::assertion_failed, whom + " was enabled again before it was drained");
  }
  if (!answer) return answer.error();
  return print(common, *answer, [](const Json&) { return std::string{}; });
}

// --- drill ---------------------------------------------------------------------------------------------------------

struct DrillOptions {
  std::string name, length = "60s";
  bool stop = false;
};

/// Traffic of some note that did not move.
bool stayed(const Json& direction) {
  return direction.value("before_per_s", 0.0) > 40 && direction["moved_after_ms"].is_null();
}

std::string direction_text(const Json& direction, const char* unmoved) {
  std::ostringstream out;
  const auto packets = direction.value("packets", std::uint64_t{0});
  if (!direction["moved_after_ms"].is_null()) {
    out << "moved after " << direction["moved_after_ms"] << " ms";
  } else if (stayed(direction)) {
    out << "did not move: " << unmoved;
  } else {
    out << "too little traffic to see it move";
  }
  out << " (" << std::fixed << std::setprecision(0) << direction.value("before_per_s", 0.0) << " packets/s before, "
      << packets << " in all afterwards)\n";
  return out.str();
}

std::string report_text(const Json& report) {
  std::ostringstream out;
  out << "drill of " << report.value("name", "") << " (" << report.value("interface", "") << "): " << std::fixed
      << std::setprecision(1) << report.value("lasted_s", 0.0) << " s, " << report.value("end", "") << '\n';
  out << "  kernel:           " << std::setprecision(2)
      << static_cast<double>(report.value("failover_us", std::int64_t{0})) / 1000
      << " ms from the decision to the last next hop\n";
  if (!report.value("counted", false)) return out.str() + "  the interface has no counters: loss is not known\n";
  out << "  our direction:    " << direction_text(report["out"], "no other way leads there");
  out << "  return direction: "
      << direction_text(report["in"], "after a failure it would be lost until the peer's hold timer ends");
  return out.str();
}

Exit run_drill(const Common& common, const DrillOptions& options) {
  Json arguments{{"name", options.name}};
  if (options.stop) {
    const auto answer = ask(common, "drill.stop");
    return answer ? print(common, *answer, report_text) : answer.error();
  }
  if (options.name.empty()) return fail(Exit::bad_input, "a drill of which tunnel?");
  if (!read_time("--for", options.length, "for_ms", arguments)) return Exit::bad_input;
  if (!agreed(common, "for " + options.length + " " + options.name +
                          " is treated as failed: traffic for which there is no other way is lost"))
    return Exit::assertion_failed;
  auto answer = ask(common, "drill", arguments);
  // The daemon ends the drill by itself, also without anybody who asks.
  while (answer && answer->value("state", "") != "done") {
    std::this_thread::sleep_for(kPoll);
    answer = ask(common, "drill.status");
  }
  if (!answer) return answer.error();
  if (const Exit printed = print(common, *answer, report_text); printed != Exit::ok) return printed;
  const bool moved = !stayed((*answer)["in"]) && !stayed((*answer)["out"]);
  // The tunnel's own failure: what was measured is not the drill.
  return moved && answer->value("end", "") != "the tunnel failed in earnest" ? Exit::ok : Exit::assertion_failed;
}

}  // namespace

void add_maintenance(Verbs& verbs) {
  auto drain_options = std::make_shared<DrainOptions>();
  CLI::App& drain = verbs.add(
      "drain", "Leave a peer without losing packets: GRACEFUL_SHUTDOWN, then prepend and MED, then end the session");
  drain.add_option("PEER", drain_options->peer, "Address, name or tunnel of the peer; otherwise every peer");
  drain.add_option("--wait", drain_options->wait, "Time between the steps")->capture_default_str();
  drain.add_flag("--undo", drain_options->undo, "Back to what is configured, at any step; so does 'bgplite enable'");
  verbs.action(drain, [drain_options, &common = verbs.common()] { return run_drain(common, *drain_options); });

  auto drill_options = std::make_shared<DrillOptions>();
  CLI::App& drill = verbs.add(
      "drill", "Rehearse a failover without touching IPsec; says how fast traffic moved and what would have been lost");
  drill.add_option("TUNNEL", drill_options->name, "The tunnel, or a peer without one");
  drill.add_option("--for", drill_options->length, "Ends by itself after this time, 1s to 1h")->capture_default_str();
  drill.add_flag("--stop", drill_options->stop, "End the drill that is running");
  verbs.action(drill, [drill_options, &common = verbs.common()] { return run_drill(common, *drill_options); });
}

}  // namespace bgplite::cli
