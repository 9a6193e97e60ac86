/// What a configuration needs of the machine that it is checked on and a start would miss: key files, the user, the
/// addresses to listen on; and a peer that is this machine itself.
#pragma once

#include <apps/bgplite/config/yaml.h>

#include <functional>
#include <optional>
#include <set>
#include <string>

namespace bgplite::cli {

/// The machine, as far as it is looked at.
struct Machine {
  std::function<bool(const std::string& user)> has_user;
  /// What is wrong with the file of a pre-shared key; a sentence.
  std::function<std::optional<std::string>(const std::string& path)> key_problem;
  std::set<minibgp::IpAddress> addresses;  ///< Of its interfaces. Empty: not known.
};
[[nodiscard]] Machine this_machine();

/// Adds what `machine` lacks to the diagnostics of `loaded`, and sorts them.
void check_machine(Loaded& loaded, const Machine& machine);

}  // namespace bgplite::cli
