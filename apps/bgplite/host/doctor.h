/// Doctor: every prerequisite and every known way in which such a set-up fails, as a table of checks. Each gives what
/// is wrong, why it matters and the command or configuration line that mends it.
///
/// Three steps, so that the judgement is pure: gather() reads the host, examine() judges, fix() runs what is safe.
#pragma once

#include <apps/bgplite/config/config.h>
#include <apps/bgplite/host/facts.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bgplite::host {

enum class Verdict : std::uint8_t {
  ok,
  warning,        ///< Works, but not well or not for long.
  error,          ///< Traffic does not flow, or will not when it matters.
  not_checkable,  ///< A right or a tool is missing; `what` says which.
};

struct Finding {
  std::string_view check;  ///< Id of the check: "ip-forward".
  Verdict verdict = Verdict::error;
  std::string subject;              ///< Tunnel, interface or file; empty: the host.
  std::string what;                 ///< "net.ipv4.ip_forward is 0"
  std::string why;                  ///< "packets from the LAN are dropped instead of sent into the tunnel"
  std::string remedy;               ///< A command to type or a line to write.
  std::vector<std::string> repair;  ///< argv that `doctor --fix` runs; empty: not by us.
};

/// A check: pure, from the facts and the configuration to findings (none: healthy).
struct Check {
  std::string_view id;
  std::string_view title;  ///< "IPv4 forwarding is on"
  void (*run)(const Check& check, const Config& config, const Facts& facts, std::vector<Finding>& out);
  bool (*applies)(const Config& config, const Facts& facts);  ///< There is something to look at, and it could be read.
};

/// Every check, in the order in which they are told: what breaks others comes first.
[[nodiscard]] std::span<const Check> checks();

/// Of the checks that apply.
[[nodiscard]] std::vector<Finding> examine(const Config& config, const Facts& facts);
/// How many those are.
[[nodiscard]] std::size_t applicable(const Config& config, const Facts& facts);

/// Runs the repairs of `findings`; returns what was run and what failed, one line each. Blocking. A repair adds what is
/// missing (a module, a service, a sysctl's value). What takes something away or changes who may read a file is only
/// printed: whether it is right depends on what else runs here.
std::vector<std::string> fix(const std::vector<Finding>& findings);

}  // namespace bgplite::host
