/// bgplite policy: eval, test and diff. No daemon, no root, no network.
#include <apps/bgplite/cli/policy_verbs.h>

#include <algorithm>
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>

namespace bgplite::cli {

Exit complain(const Diagnostics& diagnostics) {
  // A copy, because what is given may be shown again.
  Diagnostics sorted = diagnostics;
  sorted.sort();
  std::cerr << sorted.to_text();
  const auto unreadable = [](const Diagnostic& one) { return one.text.starts_with("cannot read"); };
  const auto& all = sorted.all();
  // A file that is not there is another exit status than one with mistakes.
  return std::all_of(all.begin(), all.end(), unreadable) ? Exit::io : Exit::bad_input;
}

namespace {

void add_eval(Verbs& verbs, CLI::App& policy) {
  auto options = std::make_shared<EvalOptions>();
  CLI::App& verb = verbs.add("eval", "What a policy does with one route, and why", &policy);
  verb.add_option("--peer", options->peer, "The peer where the policy is attached: name, address or tunnel");
  verb.add_option("--direction", options->direction, "import or export")
      ->check(CLI::IsMember({"import", "export"}))
      ->capture_default_str();
  verb.add_option("--policy", options->policy, "Instead of a peer: a policy by its name");
  verb.add_option("--route", options->route, "The route: '{prefix: 10.0.0.0/16, as_path: [64512], med: 100}'")
      ->required();
  verb.add_flag("--trace", options->trace, "Every term that was looked at, and why it matched or did not");
  verbs.action(verb, [options, &common = verbs.common()] { return run_policy_eval(*options, common); });
}

void add_test(Verbs& verbs, CLI::App& policy) {
  auto options = std::make_shared<TestOptions>();
  CLI::App& verb = verbs.add("test", "Run the tests of policies", &policy);
  verb.add_option("FILE_OR_DIR", options->paths, "Test files, or directories with *_test.yaml")->required();
  verb.add_flag("--coverage", options->coverage, "Name terms and set entries that no case reaches");
  verb.add_option("--min-coverage", options->min_coverage, "Fail below this coverage, in percent")
      ->check(CLI::Range(0, 100));
  verb.add_option("--junit", options->junit, "Write a JUnit XML report to this file");
  verb.add_flag("--tap", options->tap, "Print TAP version 13 instead of text");
  verb.add_flag("--mutate", options->mutate, "Break the policies in every small way; fail if no case notices");
  verb.add_option("--min-killed", options->min_killed, "Fail when less of the mutants is killed, in percent")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  verb.add_option("--mutate-sample", options->mutate_sample,
                  "Of sets with more than 1000 entries, mutate so many entries of each")
      ->capture_default_str();
  verb.add_option("--filter", options->filter, "Only cases with this text in 'group / name'");
  verb.add_flag("--fail-fast", options->fail_fast, "End with the first case that fails");
  verbs.action(verb, [options, &common = verbs.common()] { return run_policy_test(*options, common); });
}

void add_diff(Verbs& verbs, CLI::App& policy) {
  auto options = std::make_shared<DiffOptions>();
  CLI::App& verb = verbs.add("diff", "Replay a table through two configurations and list what changes", &policy);
  verb.add_option("OLD", options->before, "Configuration as it is")->required();
  verb.add_option("NEW", options->after, "Configuration as it will be")->required();
  verb.add_option(
          "--rib", options->ribs,
          "Routes: MRT (also gzip, bzip2), JSON of `show routes`, or a list; - is standard input; may be repeated")
      ->required()
      ->allow_extra_args(false);
  verb.add_option(
      "--peer", options->peer,
      "The policy of this peer; otherwise of the peer each route came from (import), of all peers (export)");
  verb.add_option("--direction", options->direction, "import or export")
      ->check(CLI::IsMember({"import", "export"}))
      ->capture_default_str();
  verb.add_option("--policy", options->policy, "A policy by its name, whoever the routes came from");
  verb.add_flag("--fail-on-change", options->fail_on_change, "Exit status 1 when anything changes");
  verb.add_option("--max", options->max, "List at most so many routes")->capture_default_str();
  verbs.action(verb, [options, &common = verbs.common()] { return run_policy_diff(*options, common); });
}

}  // namespace

void add_policy(Verbs& verbs) {
  CLI::App& policy = verbs.add("policy", "Evaluate, test and compare route policies offline");
  policy.require_subcommand(1);
  add_eval(verbs, policy);
  add_test(verbs, policy);
  add_diff(verbs, policy);
}

}  // namespace bgplite::cli
