/// The filter of system calls, each time in a child that installs it: what it must refuse, and what goes on working.
#include <apps/bgplite/call_filter.h>

#include <cerrno>
#include <csignal>
#include <functional>
#include <thread>

#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bgplite {
namespace {

constexpr int kNoFilter = 120;

/// What `act` returns, 0 to 119, in a child behind the filter; negative: a signal ended it.
int behind_filter(const std::function<int()>& act) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!filter_system_calls()) ::_exit(kNoFilter);
    ::_exit(act());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/// errno after a system call behind the filter; 0: it was done.
template <typename... Arguments>
int refusal(long number, Arguments... arguments) {
  return behind_filter([&] { return ::syscall(number, arguments...) < 0 ? errno : 0; });
}

TEST(CallFilter, RefusesTheWayToOtherProgramsAndProcesses) {
  const char* const argv[] = {"true", nullptr};
  EXPECT_EQ(refusal(SYS_execve, "/bin/true", argv, nullptr), EPERM);
  EXPECT_EQ(refusal(SYS_execveat, -1, "/bin/true", argv, nullptr, 0), EPERM);
  EXPECT_EQ(refusal(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr), EPERM);
  EXPECT_EQ(refusal(SYS_fork), EPERM);
  EXPECT_EQ(refusal(SYS_vfork), EPERM);
  EXPECT_EQ(refusal(SYS_ptrace, PTRACE_TRACEME, 0, nullptr, nullptr), EPERM);
  EXPECT_EQ(refusal(SYS_process_vm_readv, ::getppid(), nullptr, 0, nullptr, 0, 0), EPERM);
  EXPECT_EQ(refusal(SYS_kill, ::getppid(), 0), EPERM);
}

TEST(CallFilter, RefusesWhatChangesTheSystem) {
  EXPECT_EQ(refusal(SYS_mount, "none", "/", "tmpfs", MS_REMOUNT, nullptr), EPERM);
  EXPECT_EQ(refusal(SYS_unshare, CLONE_NEWUSER), EPERM);
  EXPECT_EQ(refusal(SYS_setns, 0, 0), EPERM);
  EXPECT_EQ(refusal(SYS_kexec_load, 0, 0, nullptr, 0), EPERM);
  EXPECT_EQ(refusal(SYS_init_module, nullptr, 0, ""), EPERM);
  EXPECT_EQ(refusal(SYS_bpf, BPF_MAP_CREATE, nullptr, 0), EPERM);
  EXPECT_EQ(refusal(SYS_reboot, 0, 0, 0, nullptr), EPERM);
  EXPECT_EQ(refusal(SYS_setuid, ::getuid()), EPERM);
  EXPECT_EQ(refusal(SYS_keyctl, 0, 0, 0, 0, 0), EPERM);
  EXPECT_EQ(refusal(SYS_io_uring_setup, 1, nullptr), EPERM);
  const rlimit limit{0, 0};
  EXPECT_EQ(refusal(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, nullptr), EPERM);
}

TEST(CallFilter, RefusesExecutableMemoryAndForeignSockets) {
  constexpr int kCode = PROT_READ | PROT_EXEC;
  EXPECT_EQ(refusal(SYS_mmap, nullptr, 4096, kCode, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EPERM);
  EXPECT_EQ(behind_filter([] {
              void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
              return ::mprotect(page, 4096, kCode) < 0 ? errno : 0;
            }),
            EPERM);
  EXPECT_EQ(refusal(SYS_socket, AF_PACKET, SOCK_RAW, 0), EPERM);
  // The kernel looks at 32 bits of a request and of a family, the filter at 64.
  EXPECT_EQ(refusal(SYS_ioctl, 0, TIOCSTI, "x"), EPERM);
  EXPECT_EQ(refusal(SYS_ioctl, 0, TIOCSTI | 1UL << 32U, "x"), EPERM);
  EXPECT_EQ(refusal(SYS_socket, AF_PACKET | 1UL << 32U, SOCK_RAW, 0), EPERM);
  EXPECT_EQ(refusal(SYS_socket, AF_ALG, SOCK_SEQPACKET, 0), EPERM);
}

TEST(CallFilter, LeavesWhatTheDaemonNeeds) {
  EXPECT_EQ(behind_filter([] {
              for (const int family : {AF_UNIX, AF_INET, AF_NETLINK}) {
                const int fd = ::socket(family, family == AF_NETLINK ? SOCK_RAW : SOCK_STREAM, 0);
                if (fd < 0 || ::close(fd) != 0) return 1;
              }
              int done = 0;
              std::thread{[&] { done = 1; }}.join();
              if (done != 1) return 2;
              if (::access("/proc/self/status", R_OK) != 0) return 3;
              if (::if_nametoindex("lo") == 0) return 4;
              return 0;
            }),
            0);
}

TEST(CallFilter, HoldsForThreadsThatWereThereBefore) {
  EXPECT_EQ(behind_filter([] { return 0; }), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    int pipe[2];
    if (::pipe(pipe) != 0) ::_exit(1);
    std::thread before{[&] {
      char octet = 0;
      if (::read(pipe[0], &octet, 1) != 1) ::_exit(2);
      ::_exit(::unshare(CLONE_FILES) < 0 ? errno : 0);
    }};
    if (!filter_system_calls()) ::_exit(kNoFilter);
    if (::write(pipe[1], "x", 1) != 1) ::_exit(3);
    before.join();
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), EPERM);
}

}  // namespace
}  // namespace bgplite
