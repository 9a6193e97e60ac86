/// Verbs of the configuration's life: plan, apply, confirm, rollback.
#include <apps/bgplite/cli/ask.h>
#include <apps/bgplite/cli/render.h>
#include <apps/bgplite/config/reader.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <string>

#include <CLI/CLI.hpp>

namespace bgplite::cli {
namespace {

Exit print_outcome(const Common& common, const Json& answer) {
  const Exit printed = print(common, answer, [&](const Json& value) { return render_plan(value, common.screen); });
  if (printed != Exit::ok) return printed;
  // A plan with mistakes of the configuration has "ok": false.
  return answer.value("ok", true) ? Exit::ok : Exit::bad_input;
}

/// The daemon refuses to plan or apply another file than its own.
Json file_of(const Common& common) {
  // Absolute, because the daemon has another working directory.
  Json arguments = Json::object();
  // Only when it was given: otherwise the daemon's own file is meant, wherever it is.
  if (common.config_given) arguments["config"] = std::filesystem::absolute(common.config).string();
  return arguments;
}

Exit run_plan(const Common& common) {
  const auto answer = ask(common, "plan", file_of(common));
  return answer ? print_outcome(common, *answer) : answer.error();
}

/// Shows `plan` and asks when it interrupts something and --yes was not said.
bool agreed_to(const Common& common, const Json& plan) {
  const Json steps = plan.value("steps", Json::array());
  // Nothing is asked when no packet is lost.
  if (common.yes || std::none_of(steps.begin(), steps.end(), loses_traffic)) return true;
  // In JSON the plan would be in front of the answer, which one document has no place for.
  if (!common.json) std::cout << render_plan(plan, common.screen) << std::flush;
  return agreed(common, "the steps marked ! interrupt sessions or tunnels, or withdraw routes");
}

Exit run_apply(const Common& common, const std::string& confirm) {
  Json arguments = file_of(common);
  if (!confirm.empty()) {
    const auto time = parse_duration(confirm);
    if (!time || time->count() < 1000)
      return fail(Exit::bad_input, "--confirm takes a time of at least 1s: --confirm 60s");
    arguments["confirm_s"] = time->count() / 1000;
  }
  // The plan is made twice: here to be shown, and again by apply, which does not trust what was shown.
  const auto plan = ask(common, "plan", file_of(common));
  if (!plan) return plan.error();
  // Mistakes: shown as apply would.
  if (!plan->value("ok", true)) return print_outcome(common, *plan);
  if (!agreed_to(common, *plan)) return Exit::assertion_failed;
  const auto answer = ask(common, "apply", arguments);
  if (!answer) return answer.error();
  const Exit code = print_outcome(common, *answer);
  if (code == Exit::ok && !confirm.empty() && !common.json)
    std::cout << "rolls back in " << confirm << " unless you say: bgplite confirm\n";
  return code;
}

}  // namespace

void add_life(Verbs& verbs) {
  const Common& common = verbs.common();
  CLI::App& plan =
      verbs.add("plan", "What 'apply' would change: nothing, refresh, reset, tunnel by tunnel, peer by peer");
  verbs.action(plan, [&common] { return run_plan(common); });

  auto confirm = std::make_shared<std::string>();
  CLI::App& apply = verbs.add("apply", "Make the daemon read its configuration again and carry the difference out");
  apply.add_option("--confirm", *confirm, "Roll back unless 'bgplite confirm' comes within this time: 60s");
  verbs.action(apply, [confirm, &common] { return run_apply(common, *confirm); });

  CLI::App& confirmed = verbs.add("confirm", "Keep what 'apply --confirm' applied");
  verbs.action(confirmed, [&common] {
    const auto answer = ask(common, "confirm");
    return answer ? print(common, *answer, [](const Json&) { return std::string{"confirmed\n"}; }) : answer.error();
  });

  CLI::App& rollback = verbs.add("rollback", "Back to the configuration before the last 'apply'");
  verbs.action(rollback, [&common] {
    const auto steps = ask(common, "plan.rollback");
    if (!steps) return steps.error();
    if (!agreed_to(common, *steps)) return Exit::assertion_failed;
    const auto answer = ask(common, "rollback");
    return answer ? print_outcome(common, *answer) : answer.error();
  });
}

}  // namespace bgplite::cli
