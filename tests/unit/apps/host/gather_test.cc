/// What doctor reads from others: programs, charon and a daemon that answer late, or something else than they should.
#include <apps/bgplite/host/facts.h>
#include <xfrm/vici/packet.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace bgplite::host {
namespace {

using namespace std::chrono_literals;
namespace vici = minibgp::xfrm::vici;

/// A Unix socket in a directory of its own; a thread serves each connection with `serve` until it gives false.
class Listener {
 public:
  explicit Listener(std::function<bool(int fd, std::string& received)> serve) : serve_(std::move(serve)) {
    char name[] = "/tmp/bgplite-gather-XXXXXX";
    directory_ = ::mkdtemp(name);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof address.sun_path - 1);
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_, 8), 0);
    thread_ = std::thread{[this] { run(); }};
  }
  ~Listener() {
    stop_ = true;
    thread_.join();
    ::close(listener_);
    std::filesystem::remove_all(directory_);
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  [[nodiscard]] std::string path() const { return directory_ + "/s"; }

 private:
  void run() {
    std::vector<pollfd> fds{{listener_, POLLIN, 0}};
    std::vector<std::string> received(1);
    while (!stop_) {
      ::poll(fds.data(), fds.size(), 20);
      for (std::size_t i = 1; i < fds.size(); ++i) {
        if (fds[i].revents == 0) continue;
        std::array<char, 4096> block{};
        const ssize_t count = ::read(fds[i].fd, block.data(), block.size());
        if (count > 0) received[i].append(block.data(), static_cast<std::size_t>(count));
        if (count > 0 && serve_(fds[i].fd, received[i])) continue;
        ::close(fds[i].fd);
        fds[i].fd = -1;
      }
      if (fds[0].revents == 0) continue;
      fds.push_back({::accept(listener_, nullptr, nullptr), POLLIN, 0});
      received.emplace_back();
    }
    for (std::size_t i = 1; i < fds.size(); ++i)
      if (fds[i].fd >= 0) ::close(fds[i].fd);
  }

  std::function<bool(int, std::string&)> serve_;
  std::string directory_;
  int listener_ = -1;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

TEST(Gather, ADaemonThatAnswersSomethingElseIsNoEndOfDoctor) {
  // Of another version, or another program at that path.
  std::string answer;
  Listener daemon{[&](int fd, std::string& received) {
    if (received.find('\n') == std::string::npos) return true;
    EXPECT_EQ(::write(fd, answer.data(), answer.size()), static_cast<ssize_t>(answer.size()));
    return false;
  }};
  Config config;
  config.listen.enabled = false;
  config.control.socket = daemon.path();
  const std::string row =
      R"({"peer": 1, "tunnel": [], "state": {}, "reason": 1, "enabled": "yes", "state_for_s": "long", "code": -1,
          "flaps": "many", "ike_failure": 7, "last_down": [], "prefixes": {"withheld": [1]}, "peer_hold_s": "30",
          "last_attempt": null, "refused": "yes", "text": 5, "prefix": 9, "table": null})";
  for (const std::string& result :
       {std::string{"null"}, std::string{"[]"}, std::string{"7"},
        std::string{R"({"peers": 1, "tunnels": "x", "steps": {}, "routes": true, "unconfirmed_for_s": "soon"})"},
        std::string{R"({"peers": [1], "tunnels": [null], "steps": ["x"], "routes": [[]]})"},
        R"({"peers": [)" + row + R"(], "tunnels": [)" + row + R"(], "steps": [)" + row + R"(], "routes": [)" + row +
            "]}"}) {
    SCOPED_TRACE(result);
    answer = R"({"ok": true, "result": )" + result + "}";
    for (char& c : answer)
      if (c == '\n') c = ' ';
    answer += '\n';
    EXPECT_TRUE(gather(config, {}).daemon_reachable);
  }
  for (const char* other :
       {"[]\n", "{\"ok\": 1}\n", "{\"ok\": false, \"error\": 5, \"exit\": \"x\"}\n", "{\"error\": []}\n"}) {
    SCOPED_TRACE(other);
    answer = other;
    EXPECT_FALSE(gather(config, {}).daemon_reachable);
  }
}

/// Longer than doctor waits for an answer of charon.
void stall(int) { ::poll(nullptr, 0, 3500); }

TEST(Gather, AnAnswerOfCharonThatIsThereAfterAStopOfThisProcessCounts) {
  const pthread_t reader = ::pthread_self();
  ASSERT_NE(std::signal(SIGUSR1, stall), SIG_ERR);
  Listener charon{[&](int fd, std::string& received) {
    while (received.size() >= 4) {
      std::size_t length = 0;
      for (int i = 0; i < 4; ++i)
        length = length << 8U | static_cast<unsigned char>(received[static_cast<std::size_t>(i)]);
      if (received.size() < 4 + length) return true;
      const auto* begin = reinterpret_cast<const std::uint8_t*>(received.data()) + 4;
      const auto packet = vici::decode_packet({begin, length});
      if (!packet) return false;
      received.erase(0, 4 + length);
      vici::Packet reply{vici::PacketType::event_confirm, "", {}};
      if (packet->type == vici::PacketType::cmd_request) reply.type = vici::PacketType::cmd_response;
      if (packet->name == "version") {
        reply.message.add("version", "6.0.1");
        ::pthread_kill(reader, SIGUSR1);
        // Not before it waits in the handler.
        ::poll(nullptr, 0, 200);
      }
      const auto frame = *vici::encode_packet(reply);
      EXPECT_EQ(::write(fd, frame.data(), frame.size()), static_cast<ssize_t>(frame.size()));
    }
    return true;
  }};
  Config config;
  config.listen.enabled = false;
  config.control.socket = charon.path() + "-none";
  config.tunnels["a"].options.name = "a";
  const Facts facts = gather(config, {.vici_socket = charon.path(), .observe = 1ms, .probe_path_mtu = false});
  EXPECT_TRUE(facts.vici_reachable);
  EXPECT_EQ(facts.strongswan_version, "6.0.1");
  std::signal(SIGUSR1, SIG_DFL);
}

}  // namespace
}  // namespace bgplite::host
