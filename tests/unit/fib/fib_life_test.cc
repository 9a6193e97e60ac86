// The Fib on its rims, dry: when its observer may destroy it, and what is called afterwards. Reads the kernel's tables,
// writes nothing, and needs no privilege.
#include <fib/fib.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

namespace minibgp::fib {
namespace {

using namespace std::chrono_literals;

struct Watcher final : FibObserver {
  void on_next_hops_changed(std::span<const NextHopState>) override {
    ++next_hops;
    if (act) act();
  }
  void on_fib_failed(std::error_code) override {
    ++failures;
    if (act) act();
  }
  std::function<void()> act;
  int next_hops = 0, failures = 0;
};

class FibLife : public ::testing::Test {
 protected:
  FibLife() {
    FibOptions options;
    options.dry_run = [](std::string_view) {};
    options.audit_interval = Duration::zero();
    fib_ = std::make_unique<Fib>(io_, options, watcher_);
    fib_->watch_next_hop(PeerId{0}, IpAddress::v4(0xC6336401U));
  }
  void run_until(const std::function<bool()>& done) {
    constexpr int kTurnsMax = 10'000;
    for (int turn = 0; !done() && turn < kTurnsMax; ++turn) {
      io_.restart();
      io_.run_for(1ms);
    }
    EXPECT_TRUE(done());
  }
  /// Whatever was on its way comes now.
  void run_out() {
    io_.restart();
    io_.run_for(100ms);
  }
  /// The process loses its netlink sockets: whatever is done with them fails.
  static void break_sockets() {
    const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) {
      const int fd = std::atoi(entry.path().filename().c_str());
      int domain = 0;
      socklen_t length = sizeof domain;
      if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_NETLINK) ::dup2(nothing, fd);
    }
    ::close(nothing);
  }

  boost::asio::io_context io_;
  Watcher watcher_;
  std::unique_ptr<Fib> fib_;
};

TEST_F(FibLife, AnObserverMayDestroyTheFibWhileTheKernelIsRead) {
  watcher_.act = [this] { fib_.reset(); };
  ASSERT_TRUE(fib_->start());
  run_until([this] { return watcher_.next_hops != 0; });
  EXPECT_EQ(fib_, nullptr);
  run_out();
  EXPECT_EQ(watcher_.next_hops, 1);
}

TEST_F(FibLife, AnObserverMayDestroyTheFibThatFailed) {
  ASSERT_TRUE(fib_->start());
  run_until([this] { return watcher_.next_hops != 0; });
  bool compared = false;
  watcher_.act = [this] { fib_.reset(); };
  break_sockets();
  fib_->verify([&](const Comparison&) { compared = true; });
  run_until([this] { return watcher_.failures != 0; });
  EXPECT_EQ(fib_, nullptr);
  run_out();
  EXPECT_EQ(watcher_.failures, 1);
  EXPECT_FALSE(compared);
}

TEST_F(FibLife, AFailureIsSaidOnceAndAnEndThatWaitedForItComes) {
  ASSERT_TRUE(fib_->start());
  run_until([this] { return watcher_.next_hops != 0; });
  bool stopped = false;
  break_sockets();
  fib_->verify([](const Comparison&) {});
  run_until([this] { return watcher_.failures != 0; });
  fib_->stop([&] { stopped = true; });
  run_until([&] { return stopped; });
  EXPECT_EQ(watcher_.failures, 1);
}

}  // namespace
}  // namespace minibgp::fib
