/// Which capabilities a configuration needs, and what giving up the others leaves behind.
#include <apps/bgplite/privileges.h>

#include <cap-ng.h>
#include <gmock/gmock.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bgplite {
namespace {

using ::testing::ElementsAre;

Config silent() {
  Config config;
  config.listen.enabled = false;
  return config;
}

TEST(Privileges, BindServiceOnlyToListenBelowPort1024) {
  EXPECT_THAT(needed_capabilities(Config{}), ElementsAre(CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BIND_SERVICE));
  EXPECT_THAT(needed_capabilities(silent()), ElementsAre(CAP_NET_ADMIN, CAP_NET_RAW));
  Config config;
  config.listen.port = 1179;
  EXPECT_THAT(needed_capabilities(config), ElementsAre(CAP_NET_ADMIN, CAP_NET_RAW));
  for (const char* high : {"127.0.0.1:9342", "[::1]:9342", "/run/bgplite/metrics:1"}) {
    config.metrics.listen = high;
    EXPECT_THAT(needed_capabilities(config), ElementsAre(CAP_NET_ADMIN, CAP_NET_RAW)) << high;
  }
  config.metrics.listen = "[::]:80";
  EXPECT_THAT(needed_capabilities(config), ElementsAre(CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BIND_SERVICE));
}

TEST(Privileges, LeavesNoCoreDumpAndNothingElseToGain) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!drop_privileges(silent())) ::_exit(1);
    if (::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0) ::_exit(2);
    if (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) ::_exit(3);
    capng_get_caps_process();
    for (const int gone : {CAP_SYS_ADMIN, CAP_SETUID, CAP_SYS_PTRACE, CAP_DAC_OVERRIDE})
      if (capng_have_capability(CAPNG_PERMITTED, static_cast<unsigned>(gone)) != 0) ::_exit(4);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace bgplite
