#include <apps/bgplite/privileges.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <cap-ng.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace bgplite {
namespace {

constexpr unsigned kPrivilegedPorts = 1024;
constexpr auto kEffectiveAndPermitted = static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED);

/// Prepares the reduced set from what the process has now. An error of libcap-ng leaves nothing to keep.
void select_kept(std::vector<unsigned> kept) {
  if (capng_get_caps_process() != 0) kept.clear();
  // Only what the process has can be kept; asking for more would make all of it fail.
  std::erase_if(kept, [](unsigned one) { return capng_have_capability(CAPNG_PERMITTED, one) == 0; });
  capng_clear(CAPNG_SELECT_BOTH);
  for (const unsigned one : kept) capng_update(CAPNG_ADD, kEffectiveAndPermitted, one);
}

/// The port of "127.0.0.1:9342"; a path has none.
unsigned metrics_port(const std::string& listen) {
  const std::size_t colon = listen.rfind(':');
  // A path is no port, so nothing is needed for it.
  if (listen.empty() || listen.front() == '/' || colon == std::string::npos) return kPrivilegedPorts;
  return static_cast<unsigned>(std::strtoul(listen.c_str() + colon + 1, nullptr, 10));
}

}  // namespace

std::vector<unsigned> needed_capabilities(const Config& config) {
  std::vector<unsigned> needed{CAP_NET_ADMIN, CAP_NET_RAW};
  const bool listens = config.listen.enabled && config.listen.port < kPrivilegedPorts;
  if (listens || metrics_port(config.metrics.listen) < kPrivilegedPorts) needed.push_back(CAP_NET_BIND_SERVICE);
  return needed;
}

minibgp::Result<void, std::string> drop_privileges(const Config& config) {
  const std::string& user = config.user;
  const bool root = ::geteuid() == 0;
  select_kept(needed_capabilities(config));
  if (!user.empty() && root) {
    // getpwnam() leaves errno as it is when there is no such user.
    errno = 0;
    const passwd* entry = ::getpwnam(user.c_str());
    if (entry == nullptr) return minibgp::unexpected(std::string{"user '" + user + "' does not exist"});
    const int failed = capng_change_id(static_cast<int>(entry->pw_uid), static_cast<int>(entry->pw_gid),
                                       static_cast<capng_flags_t>(CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING));
    if (failed != 0)
      return minibgp::unexpected("cannot become user '" + user + "': libcap-ng error " + std::to_string(failed) +
                                 (errno != 0 ? std::string{": "} + std::strerror(errno) : std::string{}));
  } else {
    // The bounding set can only be emptied with CAP_SETPCAP, which a unit with its own user does not have: there
    // systemd has set it.
    const auto what =
        root && capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) != 0 ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS;
    if (const int failed = capng_apply(what); failed != 0)
      return minibgp::unexpected("cannot give up capabilities: libcap-ng error " + std::to_string(failed));
  }
  // No program that we start can get more than we have.
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  // Core files and /proc/self/mem would show keys.
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  return {};
}

bool may_administer_network() {
  return capng_get_caps_process() == 0 && capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN) != 0;
}

}  // namespace bgplite
