#include <apps/bgplite/privileges.h>

#include <cerrno>
#include <cstring>

#include <cap-ng.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace bgplite {
namespace {

constexpr unsigned kKept[] = {CAP_NET_ADMIN, CAP_NET_BIND_SERVICE, CAP_NET_RAW};
constexpr auto kEffectiveAndPermitted = static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED);

/// Prepares the reduced set from what the process has now.
void select_kept() {
  capng_get_caps_process();
  bool had[std::size(kKept)] = {};
  for (std::size_t i = 0; i < std::size(kKept); ++i) had[i] = capng_have_capability(CAPNG_PERMITTED, kKept[i]) != 0;
  capng_clear(CAPNG_SELECT_BOTH);
  for (std::size_t i = 0; i < std::size(kKept); ++i)
    if (had[i]) capng_update(CAPNG_ADD, kEffectiveAndPermitted, kKept[i]);
}

}  // namespace

minibgp::Result<void, std::string> drop_privileges(const std::string& user) {
  const bool root = ::geteuid() == 0;
  select_kept();
  if (!user.empty() && root) {
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
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return {};
}

bool may_administer_network() {
  capng_get_caps_process();
  return capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN) != 0;
}

}  // namespace bgplite
