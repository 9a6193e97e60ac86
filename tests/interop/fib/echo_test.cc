// Echo probes through real links: a namespace's two veth ends, the far one in a namespace of its own that answers.
#include <fib/net/echo.h>
#include <tests/interop/fib/kernel_lab.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace minibgp::fib::testing {
namespace {

class Echo : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!namespace_.usable()) GTEST_SKIP() << "needs root, for a network namespace";
    far_ = "fib-echo-" + std::to_string(::getpid());
    run("ip netns add " + far_ + " && ip link add tun0 type veth peer name far0 netns " + far_ +
        " && ip link set tun0 up && ip -n " + far_ + " link set far0 up");
    run("ip addr add 169.254.10.2/30 dev tun0 && ip addr add fd00:10::2/64 dev tun0 nodad && ip -n " + far_ +
        " addr add 169.254.10.1/30 dev far0 && ip -n " + far_ + " addr add fd00:10::1/64 dev far0 nodad");
  }
  void TearDown() override {
    if (!far_.empty()) run("ip netns del " + far_);
  }
  bool until(const std::function<bool()>& holds, std::chrono::milliseconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!holds()) {
      if (std::chrono::steady_clock::now() > end) return false;
      io_.restart();
      io_.run_one_for(20ms);
    }
    return true;
  }
  void black_hole(bool on) {
    run("ip netns exec " + far_ + " sysctl -qw net.ipv4.icmp_echo_ignore_all=" + (on ? "1" : "0") +
        " && ip netns exec " + far_ + " sysctl -qw net.ipv6.icmp.echo_ignore_all=" + (on ? "1" : "0"));
  }
  /// Sees what arrives at the far end, and can send from there.
  [[nodiscard]] int far_icmp_socket() const {
    const int here = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    const int there = ::open(("/run/netns/" + far_).c_str(), O_RDONLY | O_CLOEXEC);
    const bool entered = ::setns(there, CLONE_NEWNET) == 0;
    const int fd = entered ? ::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP) : -1;
    EXPECT_EQ(::setns(here, CLONE_NEWNET), 0);
    ::close(here);
    ::close(there);
    return fd;
  }
  Namespace namespace_;
  std::string far_;
  boost::asio::io_context io_;
};

TEST_F(Echo, SeesTheTargetDieAndComeBackOverBothFamiliesAndBothKindsOfSocket) {
  for (const bool datagram : {true, false}) {
    run(std::string("sysctl -qw net.ipv4.ping_group_range='") + (datagram ? "0 0" : "1 0") + "'");
    for (const std::string to : {"169.254.10.1", "fd00:10::1"}) {
      SCOPED_TRACE(to + (datagram ? " datagram" : " raw"));
      std::vector<ProbeState> told;
      EchoProbe probe(io_, {address(to), "tun0", {}}, {.interval = 100ms, .down_after = 3, .up_after = 2}, 1,
                      [&](ProbeState state) { told.push_back(state); });
      ASSERT_TRUE(until([&] { return probe.state() == ProbeState::up; }, 3s)) << probe.why_not();
      black_hole(true);
      EXPECT_TRUE(until([&] { return probe.state() == ProbeState::down; }, 3s));
      black_hole(false);
      EXPECT_TRUE(until([&] { return probe.state() == ProbeState::up; }, 3s));
      EXPECT_EQ(told, (std::vector{ProbeState::up, ProbeState::down, ProbeState::up}));
      EXPECT_GE(probe.probe().round_trips().total, 3U);
    }
  }
}

TEST_F(Echo, PausedWhileItsTimerIsInTheLoopsQueueItStaysPaused) {
  std::vector<ProbeState> told;
  boost::asio::steady_timer first{io_};
  EchoProbe probe(io_, {address("169.254.10.1"), "tun0", {}}, {.interval = 100ms, .down_after = 3, .up_after = 2}, 1,
                  [&](ProbeState state) { told.push_back(state); });
  ASSERT_TRUE(until([&] { return probe.state() == ProbeState::up; }, 3s)) << probe.why_not();
  // Both timers have expired when the loop looks: the first one's handler pauses the probe, whose own is queued behind.
  first.expires_at(std::chrono::steady_clock::time_point{});
  first.async_wait([&](const boost::system::error_code&) { probe.pause("the tunnel is down"); });
  ::usleep(150'000);
  black_hole(true);
  EXPECT_FALSE(until([&] { return probe.state() == ProbeState::down; }, 1s));
  EXPECT_EQ(probe.why_not(), "the tunnel is down");
  black_hole(false);
  probe.reset();
  EXPECT_TRUE(until([&] { return probe.probe().last_answer().has_value() && probe.why_not().empty(); }, 3s));
  EXPECT_EQ(told, std::vector{ProbeState::up});
}

TEST_F(Echo, SaysWhyItCannotAndProbesOnceItCan) {
  EchoProbe probe(io_, {address("169.254.30.1"), "tun9", {}}, {.interval = 100ms}, 1, nullptr);
  EXPECT_EQ(probe.why_not(), "interface tun9 does not exist");
  EXPECT_EQ(probe.probe().counters().sent, 0U);
  run("ip link add tun9 type veth peer name far9 netns " + far_ + " && ip link set tun9 up && ip -n " + far_ +
      " link set far9 up && ip addr add 169.254.30.2/30 dev tun9 && ip -n " + far_ +
      " addr add 169.254.30.1/30 dev far9");
  EXPECT_TRUE(until([&] { return probe.state() == ProbeState::up; }, 5s)) << probe.why_not();
  EXPECT_EQ(probe.why_not(), "");
}

/// Whoever saw one exchange can send the answer again, or guess the next one from it.
TEST_F(Echo, ReplayedAndGuessedAnswersKeepNoDeadTargetUp) {
  run("sysctl -qw net.ipv4.ping_group_range='1 0'");
  EchoProbe probe(io_, {address("169.254.10.1"), "tun0", {}}, {.interval = 100ms, .down_after = 3}, 1, nullptr);
  const int seen = far_icmp_socket();
  ASSERT_GE(seen, 0);
  ASSERT_TRUE(until([&] { return probe.probe().counters().answered >= 3; }, 5s)) << probe.why_not();
  black_hole(true);
  std::array<std::uint8_t, 64> request{};
  ssize_t size = 0;
  ASSERT_TRUE(until([&] { return (size = ::recv(seen, request.data(), request.size(), MSG_DONTWAIT)) > 28; }, 5s));
  const auto answer = [&](int ahead) {
    std::array<std::uint8_t, 16> packet{};
    std::copy(request.begin() + 20, request.begin() + 36, packet.begin());
    packet[0] = 0;  // Echo reply.
    const auto sequence = static_cast<std::uint16_t>((packet[6] << 8U | packet[7]) + ahead);
    packet[6] = static_cast<std::uint8_t>(sequence >> 8U), packet[7] = static_cast<std::uint8_t>(sequence);
    packet[2] = packet[3] = 0;
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < packet.size(); i += 2)
      sum += static_cast<std::uint32_t>(packet[i] << 8U | packet[i + 1]);
    sum = (sum & 0xFFFFU) + (sum >> 16U);
    sum = ~(sum + (sum >> 16U)) & 0xFFFFU;
    packet[2] = static_cast<std::uint8_t>(sum >> 8U), packet[3] = static_cast<std::uint8_t>(sum);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    ::inet_pton(AF_INET, "169.254.10.2", &to.sin_addr);
    return ::sendto(seen, packet.data(), packet.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
  };
  const auto counted = [&] { return probe.probe().counters().answered + probe.probe().counters().late; };
  ASSERT_EQ(answer(0), 16) << std::strerror(errno);
  EXPECT_TRUE(until([&] { return probe.state() == ProbeState::down; }, 3s));
  const auto before = counted();
  for (int i = 0; i < 40; ++i) {
    for (int ahead = 0; ahead < 64; ++ahead) (void)answer(ahead);
    (void)until([] { return false; }, 25ms);
  }
  EXPECT_LE(counted(), before + 1) << "the one request that was seen may be answered, once";
  EXPECT_EQ(probe.state(), ProbeState::down);
  ::close(seen);
}

TEST_F(Echo, AnswersOfAnotherProbeAreNotItsOwn) {
  run("sysctl -qw net.ipv4.ping_group_range='1 0'");
  EchoProbe alive(io_, {address("169.254.10.1"), "tun0", {}}, {.interval = 100ms}, 1, nullptr);
  EchoProbe nobody(io_, {address("169.254.10.3"), "tun0", {}}, {.interval = 100ms}, 2, nullptr);
  ASSERT_TRUE(until([&] { return alive.probe().counters().answered >= 5; }, 5s)) << alive.why_not();
  EXPECT_EQ(nobody.state(), ProbeState::learning);
  EXPECT_EQ(nobody.probe().counters().late, 0U);
}

}  // namespace
}  // namespace minibgp::fib::testing
