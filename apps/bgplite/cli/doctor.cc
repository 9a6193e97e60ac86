/// bgplite doctor, verify-connectivity and host: what is wrong with this machine, does traffic get to a place, and the
/// host's settings by hand (for a unit's ExecStartPre).
#include <apps/bgplite/cli/ask.h>
#include <apps/bgplite/cli/verbs.h>
#include <apps/bgplite/config/yaml.h>
#include <apps/bgplite/control/client.h>
#include <apps/bgplite/host/command.h>
#include <apps/bgplite/host/doctor.h>
#include <apps/bgplite/host/host.h>
#include <apps/bgplite/json_members.h>
#include <bgp/text.h>

#include <array>
#include <iostream>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace bgplite::cli {
namespace {

std::string_view to_text(host::Verdict verdict) {
  // In the order of the enum Verdict.
  constexpr std::array<std::string_view, 4> kNames{"ok", "warning", "error", "not checkable"};
  return kNames[static_cast<std::size_t>(verdict)];
}

void print(const std::vector<host::Finding>& findings, std::size_t checks) {
  for (const host::Finding& finding : findings) {
    std::cout << to_text(finding.verdict) << ": " << finding.check;
    if (!finding.subject.empty()) std::cout << " (" << finding.subject << ')';
    std::cout << ": " << finding.what << "\n    why: " << finding.why << "\n    remedy: " << finding.remedy << '\n';
  }
  std::cout << checks << " checks, " << findings.size() << " findings\n";
}

Json to_json(const std::vector<host::Finding>& findings, std::size_t checks, const std::vector<std::string>& fixed) {
  Json list = Json::array();
  for (const host::Finding& finding : findings)
    list.push_back({{"check", finding.check},
                    {"verdict", to_text(finding.verdict)},
                    {"subject", finding.subject},
                    {"what", finding.what},
                    {"why", finding.why},
                    {"remedy", finding.remedy},
                    {"fixable", !finding.repair.empty()}});
  return {{"checks", checks}, {"findings", list}, {"fixed", fixed}};
}

/// Of a configuration with mistakes: nothing else can be checked then.
std::vector<host::Finding> findings_of(const Diagnostics& diagnostics) {
  std::vector<host::Finding> findings;
  for (const Diagnostic& one : diagnostics.all())
    // Warnings do not keep a start from working.
    if (one.severity == Severity::error)
      findings.push_back({"config",
                          host::Verdict::error,
                          one.file + ":" + std::to_string(one.line),
                          one.text,
                          "a start, a reload and an apply refuse it",
                          one.hint.empty() ? "correct it; bgplite check " + one.file : one.hint,
                          {}});
  return findings;
}

Exit run_doctor(const Common& common, bool fix) {
  const Loaded loaded = load_config(common.config);
  if (loaded.diagnostics.has_errors()) {
    std::cerr << loaded.diagnostics.to_text();
    // One check, "config": nothing else was looked at.
    if (common.json) std::cout << to_json(findings_of(loaded.diagnostics), 1, {}).dump(2) << '\n';
    return Exit::bad_input;
  }
  host::GatherOptions options;
  options.vici_socket = loaded.config.ipsec.vici_socket;
  host::Facts facts = host::gather(loaded.config, options);
  auto findings = host::examine(loaded.config, facts);
  std::vector<std::string> fixed;
  // Repairs change facts that other checks use, so everything is read again.
  if (fix && !findings.empty()) {
    fixed = host::fix(findings);
    if (!fixed.empty()) {
      facts = host::gather(loaded.config, options);
      findings = host::examine(loaded.config, facts);
    }
  }
  const std::size_t checks = host::applicable(loaded.config, facts);
  if (common.json) {
    std::cout << to_json(findings, checks, fixed).dump(2) << '\n';
  } else {
    for (const std::string& line : fixed) std::cout << line << '\n';
    print(findings, checks);
  }
  for (const host::Finding& finding : findings)
    if (finding.verdict == host::Verdict::error) return Exit::assertion_failed;
  return Exit::ok;
}

Exit run_host(const Common& common, bool apply) {
  const Loaded loaded = load_config(common.config);
  if (loaded.diagnostics.has_errors()) {
    std::cerr << loaded.diagnostics.to_text();
    return Exit::bad_input;
  }
  host::Host host(loaded.config.state_dir + "/host");
  const auto problems = apply ? host.apply(host::wanted_of(loaded.config)).problems : host.restore();
  for (const std::string& problem : problems) std::cerr << problem << '\n';
  return problems.empty() ? Exit::ok : Exit::io;
}

/// The document's step 5: does traffic get there, over what, and what a test of failover must not be.
Exit run_verify(const Common& common, const std::string& where) {
  const auto prefix = minibgp::parse_prefix(where, minibgp::HostBits::mask);
  auto address = minibgp::parse_address(where);
  if (!address && prefix) {
    // The first host of a prefix is as good a guess as any. Of one or two addresses each is a host (RFC 3021, 6164).
    address = prefix->address();
    const unsigned bits = minibgp::address_bits(prefix->family);
    if (prefix->length_bits + 1U < bits) ++address->octets[bits / 8U - 1];
  }
  if (!address) return fail(Exit::bad_input, "'" + where + "' is neither an address nor a prefix");
  const std::string target = minibgp::to_text(*address);
  const auto route = host::run_command({"ip", "route", "get", target});
  const auto ping = host::run_command({"ping", "-n", "-q", "-c", "3", "-i", "0.2", "-W", "1", target});
  const auto tunnels = control::ask(socket_of(common), "show.tunnels");
  if (common.json) {
    Json json{{"target", target}, {"reached", ping.ok()}, {"routed", route.ok()}, {"route", route.output}};
    if (tunnels) json["tunnels"] = list_member(*tunnels, "tunnels");
    std::cout << json.dump(2) << '\n';
  } else {
    std::cout << "route: " << (route.ok() ? route.output.substr(0, route.output.find('\n')) : "none") << '\n';
    if (tunnels)
      for (const Json& tunnel : list_member(*tunnels, "tunnels"))
        std::cout << "tunnel " << text_member(tunnel, "tunnel") << ": " << text_member(tunnel, "state") << '\n';
    std::cout
        << target << (ping.ok() ? " answers" : " does not answer echo requests") << '\n'
        << "To test failover, take a tunnel down (swanctl --terminate, or ip link set INTERFACE down). Changing a "
           "pre-shared key tests nothing\nuntil the next IKE_AUTH: established SAs go on, and rekeying does not "
           "ask for the key.\n";
  }
  return ping.ok() ? Exit::ok : Exit::assertion_failed;
}

}  // namespace

void add_doctor(Verbs& verbs) {
  auto fix = std::make_shared<bool>(false);
  CLI::App& doctor = verbs.add("doctor", "Find what keeps tunnels and sessions from working, with the remedy");
  doctor.add_flag("--fix", *fix, "Run the remedies that are safe");
  verbs.action(doctor, [fix, &common = verbs.common()] { return run_doctor(common, *fix); });

  auto where = std::make_shared<std::string>();
  CLI::App& verify = verbs.add("verify-connectivity", "Does traffic get to an address or prefix, and over what");
  verify.add_option("PREFIX|ADDRESS", *where, "Where to")->required();
  verbs.action(verify, [where, &common = verbs.common()] { return run_verify(common, *where); });

  CLI::App& host = verbs.add("host", "Set or restore the host's settings (as the daemon does by itself)");
  host.require_subcommand(1);
  CLI::App& apply = verbs.add("apply", "Set what `host:` manages", &host);
  verbs.action(apply, [&common = verbs.common()] { return run_host(common, true); });
  CLI::App& restore = verbs.add("restore", "Put back what was there before", &host);
  verbs.action(restore, [&common = verbs.common()] { return run_host(common, false); });
}

}  // namespace bgplite::cli
