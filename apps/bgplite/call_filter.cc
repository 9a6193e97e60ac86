#include <apps/bgplite/call_filter.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include <net/if.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

namespace bgplite {
namespace {

/// By number, not by name: a name that this library does not know would be a hole or a gap that nobody sees.
constexpr int kAllowed[] = {
    // Files: the configuration, its last good copy, keys, /proc and /sys.
    SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(pwrite64),
    SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(close), SCMP_SYS(close_range), SCMP_SYS(stat), SCMP_SYS(fstat),
    SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(lseek),
    SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
    SCMP_SYS(getcwd), SCMP_SYS(getdents64), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(unlink), SCMP_SYS(unlinkat),
    SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(chmod), SCMP_SYS(fchmod), SCMP_SYS(fchmodat),
    SCMP_SYS(umask), SCMP_SYS(flock), SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(ftruncate), SCMP_SYS(fcntl),
    SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(pipe2), SCMP_SYS(fadvise64),
    // Sockets.
    SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(getsockname),
    SCMP_SYS(getpeername), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(sendto), SCMP_SYS(recvfrom),
    SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(sendmmsg), SCMP_SYS(recvmmsg), SCMP_SYS(shutdown),
    // Waiting.
    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2),
    SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(eventfd2), SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_settime), SCMP_SYS(timerfd_gettime), SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres),
    SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep), SCMP_SYS(futex),
    SCMP_SYS(sched_yield), SCMP_SYS(restart_syscall),
    // Memory; mmap and mprotect are below.
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(mincore), SCMP_SYS(membarrier),
    // The process itself. tgkill: abort().
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(tgkill),
    SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
    SCMP_SYS(getgroups), SCMP_SYS(getrusage), SCMP_SYS(getrlimit), SCMP_SYS(uname), SCMP_SYS(sysinfo),
    SCMP_SYS(getrandom), SCMP_SYS(sched_getaffinity), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(getcpu),
    SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(chown), SCMP_SYS(fchownat)};

/// Of ioctl: Asio's non-blocking mode, names and numbers of interfaces, whether standard error is a terminal.
constexpr unsigned kRequests[] = {FIONBIO, FIONREAD, SIOCGIFINDEX, SIOCGIFNAME, TCGETS, TIOCGWINSZ};
constexpr int kFamilies[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

/// libseccomp's own macros for this are C.
constexpr scmp_arg_cmp argument(unsigned number, scmp_compare how, scmp_datum_t first, scmp_datum_t second = 0) {
  return {number, how, first, second};
}

class Filter {
 public:
  // What is not allowed fails with EPERM; the process goes on.
  Filter() : context_(::seccomp_init(SCMP_ACT_ERRNO(EPERM)), &::seccomp_release) {}

  /// 0, or what libseccomp answers: -errno.
  [[nodiscard]] int load() {
    if (!context_) return -ENOMEM;
    for (const int call : kAllowed) allow(call);
    for (const int family : kFamilies)
      allow(SCMP_SYS(socket), argument(0, SCMP_CMP_EQ, static_cast<scmp_datum_t>(family)));
    // Memory is never made executable.
    for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)})
      // Argument 2 is the protection; the rule holds where PROT_EXEC is not among its bits.
      allow(call, argument(2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    // A thread, but no process. Of clone3 the filter cannot see what it asks for; without it glibc uses clone.
    allow(SCMP_SYS(clone), argument(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    // ENOSYS and not EPERM: only then glibc tries clone.
    note(::seccomp_rule_add(context_.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0));
    for (const unsigned request : kRequests) allow(SCMP_SYS(ioctl), argument(1, SCMP_CMP_EQ, request));
    // Limits are read, not changed.
    allow(SCMP_SYS(prlimit64), argument(2, SCMP_CMP_EQ, 0));
    // Threads that run already get the filter, too.
    note(::seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_TSYNC, 1));
    // Refused calls are logged where the kernel can (4.14).
    static_cast<void>(::seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_LOG, 1));
    return failed_ != 0 ? failed_ : ::seccomp_load(context_.get());
  }

 private:
  void note(int answer) {
    // The first failure is the one that is reported.
    if (failed_ == 0 && answer < 0) failed_ = answer;
  }
  template <typename... Conditions>
  void allow(int call, Conditions... conditions) {
    note(::seccomp_rule_add(context_.get(), SCMP_ACT_ALLOW, call, sizeof...(conditions), conditions...));
  }

  std::unique_ptr<void, decltype(&::seccomp_release)> context_;
  int failed_ = 0;
};

}  // namespace

minibgp::Result<void, std::string> filter_system_calls() {
  if (const int answer = Filter{}.load(); answer < 0)
    return minibgp::unexpected(std::string{"system calls are not filtered: "} + std::strerror(-answer));
  return {};
}

}  // namespace bgplite
