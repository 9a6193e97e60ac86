/// KernelLab: a network namespace of its own for the running process, with veth pairs as links, and a Fib in it. The
/// oracle is iproute2: what `ip` prints, never what the Fib says of itself.
#pragma once

#include <bgp/text.h>
#include <fib/fib.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

namespace minibgp::fib::testing {

using namespace std::chrono_literals;

inline Prefix prefix(const std::string& text) { return parse_prefix(text).value(); }
inline IpAddress address(const std::string& text) { return parse_address(text).value(); }

/// Runs a shell command in the namespace; the test fails when it fails.
inline void run(const std::string& command) {
  const int status = std::system((command + " 2>/tmp/fib_kernel_test.err").c_str());
  ASSERT_EQ(status, 0) << command << ": " << [] {
    std::string text;
    if (FILE* file = std::fopen("/tmp/fib_kernel_test.err", "r")) {
      std::array<char, 512> line{};
      while (std::fgets(line.data(), line.size(), file) != nullptr) text += line.data();
      std::fclose(file);
    }
    return text;
  }();
}

/// What a shell command prints.
inline std::string output(const std::string& command) {
  std::string text;
  if (FILE* pipe = ::popen((command + " 2>&1").c_str(), "r")) {
    std::array<char, 4096> part{};
    for (std::size_t got = 0; (got = std::fread(part.data(), 1, part.size(), pipe)) != 0;)
      text.append(part.data(), got);
    ::pclose(pipe);
  }
  return text;
}

/// Enters a fresh network namespace for its lifetime.
class Namespace {
 public:
  Namespace() : old_(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) {
    usable_ = old_ >= 0 && ::unshare(CLONE_NEWNET) == 0;
    if (usable_) run("ip link set lo up");
  }
  ~Namespace() {
    if (usable_) (void)::setns(old_, CLONE_NEWNET);
    if (old_ >= 0) ::close(old_);
  }
  Namespace(const Namespace&) = delete;
  Namespace& operator=(const Namespace&) = delete;
  [[nodiscard]] bool usable() const { return usable_; }

 private:
  int old_;
  bool usable_ = false;
};

/// Remembers what it was told.
class Listener : public FibObserver {
 public:
  void on_next_hops_changed(std::span<const NextHopState> states) override {
    for (const NextHopState& state : states) next_hops.push_back(state);
  }
  void on_network_changed(const Prefix& network, NetworkWatch, bool present) override {
    networks.emplace_back(network, present);
  }
  void on_fib_failed(std::error_code error) override { failure = error; }
  std::vector<NextHopState> next_hops;
  std::vector<std::pair<Prefix, bool>> networks;
  std::error_code failure;
};

/// tun0 and tun1: veth pairs whose far ends t0p and t1p are in the same namespace without addresses, so that pulling
/// one down takes the carrier. 169.254.10.2/30 with the peer at .1, 169.254.20.2/30 likewise; IPv6 fd00:10::2/64,
/// fd00:20::2/64.
class KernelLab : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!namespace_.usable()) GTEST_SKIP() << "needs root, for a network namespace";
    for (const char* const i : {"0", "1"}) {
      const std::string n = i;
      run("ip link add tun" + n + " type veth peer name t" + n + "p && ip link set tun" + n + " up && ip link set t" +
          n + "p up");
    }
    run("sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.tun0.accept_dad=0 "
        "net.ipv6.conf.tun1.accept_dad=0");
    run("ip addr add 169.254.10.2/30 dev tun0 && ip addr add 169.254.20.2/30 dev tun1");
    run("ip addr add fd00:10::2/64 dev tun0 nodad && ip addr add fd00:20::2/64 dev tun1 nodad");
    run("ip link add lan0 type veth peer name lan0p && ip link set lan0 up && ip link set lan0p up && "
        "ip addr add 172.16.20.1/24 dev lan0");
  }

  void start(FibOptions options) {
    listener_ = std::make_unique<Listener>();
    fib_ = std::make_unique<Fib>(io_, options, *listener_);
    fib_->set_peer(PeerId{0}, {gateway0, "tun0", true});
    fib_->set_peer(PeerId{1}, {gateway1, "tun1", true});
    fib_->set_peer(PeerId{2}, {gateway0_v6, "tun0", true});
    fib_->set_peer(PeerId{3}, {gateway1_v6, "tun1", true});
    ASSERT_TRUE(fib_->start());
  }
  void stop() {
    bool done = false;
    fib_->stop([&done] { done = true; });
    EXPECT_TRUE(until([&done] { return done; }, 60s));
    fib_.reset();
  }
  void crash() { fib_.reset(); }

  /// Runs the loop until `holds`; false after `limit`.
  bool until(const std::function<bool()>& holds, std::chrono::milliseconds limit = 1000ms) {
    const auto end = std::chrono::steady_clock::now() + limit;
    boost::asio::steady_timer tick(io_);
    for (;;) {
      if (holds()) return true;
      if (std::chrono::steady_clock::now() > end) return false;
      tick.expires_after(5ms);
      tick.async_wait([](const boost::system::error_code&) {});
      io_.restart();
      io_.run_one_for(20ms);
      io_.poll();
    }
  }
  bool in_sync(std::chrono::milliseconds limit = 1000ms) {
    return until([this] { return fib_->status().synchronized; }, limit);
  }

  /// One route via the given peers.
  void best(const std::string& network, const std::vector<PeerId>& peers) {
    std::vector<BestPath> paths;
    for (const PeerId peer : peers) paths.push_back({peer, AttrId{1}, {gateway_of(peer), {}}, 1});
    const BestChange change{prefix(network), paths, nullptr};
    fib_->on_best_changed({&change, 1});
  }
  /// `count` routes /32 from 10.0.0.0 on, in turns as a speaker hands them over.
  void best_many(std::uint32_t count, const std::vector<PeerId>& peers) {
    std::vector<BestPath> paths;
    for (const PeerId peer : peers) paths.push_back({peer, AttrId{1}, {gateway_of(peer), {}}, 1});
    std::vector<BestChange> changes;
    for (std::uint32_t i = 0; i < count; ++i) {
      changes.push_back({Prefix::of(IpAddress::v4(0x0A000000 + i * 16), 28), paths, nullptr});
      if (changes.size() == 4096 || i + 1 == count) {
        fib_->on_best_changed(changes);
        changes.clear();
        io_.restart();
        io_.poll_one();
      }
    }
  }

  static IpAddress gateway_of(PeerId peer) {
    switch (static_cast<int>(peer)) {
      case 0:
        return gateway0;
      case 1:
        return gateway1;
      case 2:
        return gateway0_v6;
      default:
        return gateway1_v6;
    }
  }
  /// `ip route show` of one prefix without what differs between runs.
  static std::string route(const std::string& network) {
    const bool v6 = network.find(':') != std::string::npos;
    return output(std::string("ip ") + (v6 ? "-6" : "-4") + " route show " + network +
                  " | sed -E 's/nhid [0-9]+ //; s/ +$//; s/pref medium//' | tr -s ' \\n\\t' ' '");
  }
  static std::size_t count_routes(const std::string& filter) {
    return static_cast<std::size_t>(std::stoul(output("ip route show " + filter + " | grep -c '^[0-9]'")));
  }
  static std::size_t count_objects() {
    return static_cast<std::size_t>(std::stoul(output("ip nexthop show | grep -c ^id")));
  }
  static bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  }

  inline static const IpAddress gateway0 = address("169.254.10.1");
  inline static const IpAddress gateway1 = address("169.254.20.1");
  inline static const IpAddress gateway0_v6 = address("fd00:10::1");
  inline static const IpAddress gateway1_v6 = address("fd00:20::1");
  static constexpr PeerId peer0{0}, peer1{1}, peer0_v6{2}, peer1_v6{3};

  Namespace namespace_;
  boost::asio::io_context io_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Fib> fib_;
};

}  // namespace minibgp::fib::testing
