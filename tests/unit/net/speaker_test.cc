/// Speakers on real sockets: two on the loopback, each with an address of 127/8, on a port the kernel chose.
#include <bgp/net/socket_options.h>
#include <bgp/speaker.h>
#include <bgp/text.h>

#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <dirent.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace minibgp {
namespace {

using namespace std::chrono_literals;

/// A port nobody listens on at 127.0.0.x now.
[[nodiscard]] std::uint16_t free_port() {
  const net::Socket probe{::socket(AF_INET, SOCK_STREAM, 0)};
  net::SocketAddress any = net::to_socket_address(IpAddress::v4(0x7F000001), 0, {});
  EXPECT_EQ(::bind(probe.fd(), any.get(), any.size), 0);
  EXPECT_EQ(::getsockname(probe.fd(), any.get(), &any.size), 0);
  sockaddr_in v4{};
  std::memcpy(&v4, &any.storage, sizeof v4);
  return ntohs(v4.sin_port);
}

[[nodiscard]] std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* folder = ::opendir("/proc/self/fd");
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count;
}

struct Recorder : Observer {
  void on_peer_changed(const PeerChanged& changed) override {
    states.push_back(changed.to);
    if (then) then();
  }
  void on_end_of_rib(const EndOfRib&) override { ++end_of_ribs; }
  void on_best_changed(std::span<const BestChange> changes) override {
    for (const BestChange& change : changes) {
      if (change.paths.empty()) {
        routes.erase(change.prefix);
      } else {
        routes[change.prefix] = change.paths.front();
      }
    }
    if (then) then();
  }
  std::vector<PeerState> states;
  std::map<Prefix, BestPath> routes;
  int end_of_ribs = 0;
  std::function<void()> then;
};

constexpr std::uint32_t kLeft = 0x7F000001, kRight = 0x7F000002;

[[nodiscard]] Prefix numbered(std::uint32_t number) {
  return Prefix::of(IpAddress::v4(0x14000000U + (number << 8U)), 24);
}

/// A loopback address is no next hop that a speaker would take: announcements bring their own.
[[nodiscard]] PathAttributes attributes_with(std::optional<std::uint32_t> med = std::nullopt) {
  PathAttributes attributes;
  attributes.med = med;
  attributes.next_hop.address = IpAddress::v4(0xC0000201);
  attributes.local.next_hop = NextHopChoice::unchanged;
  return attributes;
}

/// One side: AS 65000 + last octet of its address.
struct Side {
  Side(boost::asio::io_context& io, std::uint32_t own)
      : address(own), speaker(std::make_unique<Speaker>(io, options(own), recorder)) {}
  static SpeakerOptions options(std::uint32_t own) {
    SpeakerOptions speaker;
    speaker.asn = Asn{65000U + (own & 0xFFU)};
    speaker.router_id = RouterId{own};
    return speaker;
  }
  [[nodiscard]] bool listen(std::uint16_t port) {
    ListenOptions listen;
    listen.address = IpAddress::v4(address);
    listen.port = port;
    return speaker->listen(listen).has_value();
  }
  [[nodiscard]] PeerOptions toward(std::uint32_t other, std::uint16_t port) const {
    PeerOptions peer;
    peer.address = IpAddress::v4(other);
    peer.remote_as = Asn{65000U + (other & 0xFFU)};
    peer.local_address = IpAddress::v4(address);
    peer.port = port;
    peer.import_policy = Policy::accept_all();
    peer.export_policy = Policy::accept_all();
    return peer;
  }
  std::uint32_t address;
  Recorder recorder;
  std::unique_ptr<Speaker> speaker;
};

class SpeakerTest : public testing::Test {
 protected:
  boost::asio::io_context io;
  std::uint16_t port = free_port();

  /// Runs the loop until `done`; the limit is for a broken build only.
  [[nodiscard]] bool run_until(const std::function<bool()>& done, std::chrono::seconds limit = 20s) {
    boost::asio::steady_timer timer(io);
    bool expired = false;
    timer.expires_after(limit);
    timer.async_wait([&expired](const boost::system::error_code& error) { expired = expired || !error; });
    io.restart();
    bool reached = done();
    for (; !reached && !expired; reached = done()) io.run_one();
    timer.cancel();
    io.poll();
    return reached;
  }
  [[nodiscard]] static bool established(const Side& side) {
    const auto peers = side.speaker->engine().peers();
    return !peers.empty() && peers.front().state == PeerState::established;
  }
};

TEST_F(SpeakerTest, TwoSpeakersInOneProcessExchangeTenRoutesInMilliseconds) {
  Side left(io, kLeft), right(io, kRight);
  ASSERT_TRUE(right.listen(port));
  for (std::uint32_t i = 0; i < 10; ++i) left.speaker->announce(numbered(i), attributes_with());
  PeerOptions passive = right.toward(kLeft, port);
  passive.passive = true;
  ASSERT_TRUE(right.speaker->add_peer(passive));
  const Time begun = left.speaker->now();
  ASSERT_TRUE(left.speaker->add_peer(left.toward(kRight, port)));
  ASSERT_TRUE(run_until([&] { return right.recorder.routes.size() == 10; }));
  RecordProperty("milliseconds", static_cast<int>((left.speaker->now() - begun).count() / 1000000));
  EXPECT_TRUE(established(left) && established(right));
  const auto status = right.speaker->engine().peers().front();
  EXPECT_EQ(status.local_address, IpAddress::v4(kRight));
  EXPECT_EQ(right.speaker->engine().routes({}).front().received.next_hop.address, IpAddress::v4(0xC0000201));

  left.speaker->withdraw(numbered(3));
  EXPECT_TRUE(run_until([&] { return right.recorder.routes.size() == 9; }));
  EXPECT_FALSE(right.recorder.routes.contains(numbered(3)));
}

TEST_F(SpeakerTest, BothSidesDialAndOneConnectionStays) {
  Side left(io, kLeft), right(io, kRight);
  ASSERT_TRUE(left.listen(port) && right.listen(port));
  ASSERT_TRUE(left.speaker->add_peer(left.toward(kRight, port)));
  ASSERT_TRUE(right.speaker->add_peer(right.toward(kLeft, port)));
  EXPECT_TRUE(run_until([&] { return established(left) && established(right); }));
}

TEST_F(SpeakerTest, ADialerFindsAPeerThatBeginsToListenLater) {
  Side left(io, kLeft), right(io, kRight);
  ASSERT_TRUE(left.speaker->add_peer(left.toward(kRight, port)));
  ASSERT_TRUE(right.speaker->add_peer(right.toward(kLeft, port)));
  ASSERT_TRUE(run_until([&] {
    const auto status = left.speaker->engine().peers().front();
    return status.last_down == DownReason::tcp_failed;
  }));
  ASSERT_TRUE(right.listen(port));
  EXPECT_TRUE(run_until([&] { return established(left); }));
}

TEST_F(SpeakerTest, ALargeTableArrivesWholeAndASlowLoopDoesNotLoseIt) {
  Side left(io, kLeft), right(io, kRight);
  ASSERT_TRUE(right.listen(port));
  constexpr std::uint32_t prefixes = 60000;
  for (std::uint32_t i = 0; i < prefixes; ++i) {
    left.speaker->announce(numbered(i), attributes_with(i / 3));
  }
  ASSERT_TRUE(right.speaker->add_peer(right.toward(kLeft, port)));
  ASSERT_TRUE(left.speaker->add_peer(left.toward(kRight, port)));
  EXPECT_TRUE(run_until([&] { return right.recorder.routes.size() == prefixes && right.recorder.end_of_ribs == 1; }));
}

TEST_F(SpeakerTest, StrangersAreRefusedAtOnce) {
  Side right(io, kRight);
  ASSERT_TRUE(right.listen(port));
  const net::SocketAddress to = net::to_socket_address(IpAddress::v4(kRight), port, {});
  std::vector<net::Socket> strangers;
  for (int i = 0; i < 200; ++i) {
    strangers.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    static_cast<void>(::connect(strangers.back().fd(), to.get(), to.size));
  }
  const auto refused = [&](const net::Socket& socket) {
    char octet = 0;
    return ::recv(socket.fd(), &octet, 1, 0) < 0 && errno == ECONNRESET;
  };
  std::size_t count = 0;
  EXPECT_TRUE(run_until([&] {
    while (count < strangers.size() && refused(strangers[count])) ++count;
    if (count < strangers.size()) boost::asio::post(io, [] {});
    return count == strangers.size();
  }));
}

TEST_F(SpeakerTest, AnAdoptedSocketBecomesASession) {
  Side left(io, kLeft), right(io, kRight);
  net::Socket listener;
  ASSERT_FALSE(net::open_listener({IpAddress::v4(kRight), port, {}}, listener));
  PeerOptions passive = right.toward(kLeft, port);
  passive.passive = true;
  ASSERT_TRUE(right.speaker->add_peer(passive));
  ASSERT_TRUE(left.speaker->add_peer(left.toward(kRight, port)));
  int accepted = -1;
  ASSERT_TRUE(run_until([&] {
    accepted = ::accept4(listener.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted < 0) boost::asio::post(io, [] {});
    return accepted >= 0;
  }));
  ASSERT_TRUE(right.speaker->adopt_socket(accepted));
  EXPECT_TRUE(run_until([&] { return established(left) && established(right); }));

  net::Socket unconnected{::socket(AF_INET, SOCK_STREAM, 0)};
  EXPECT_FALSE(right.speaker->adopt_socket(unconnected.fd()));
}

TEST_F(SpeakerTest, AnObserverMayCallBackAndEvenDestroyTheSpeaker) {
  Side left(io, kLeft), right(io, kRight);
  ASSERT_TRUE(right.listen(port));
  ASSERT_TRUE(right.speaker->add_peer(right.toward(kLeft, port)));
  ASSERT_TRUE(left.speaker->add_peer(left.toward(kRight, port)));
  left.speaker->announce(numbered(1), attributes_with());
  right.recorder.then = [&] {  // Answers the first route with one of its own and another peer.
    if (right.recorder.routes.empty()) return;
    right.recorder.then = nullptr;
    right.speaker->announce(numbered(2), attributes_with());
    EXPECT_TRUE(right.speaker->add_peer(right.toward(0x7F000003, port)));
  };
  ASSERT_TRUE(run_until([&] { return left.recorder.routes.contains(numbered(2)); }));
  EXPECT_EQ(right.speaker->engine().peers().size(), 2U);

  left.recorder.then = [&] { left.speaker.reset(); };
  right.speaker->withdraw(numbered(2));
  EXPECT_TRUE(run_until([&] { return left.speaker == nullptr && !established(right); }));
  EXPECT_EQ(right.speaker->engine().peers().front().last_down, DownReason::notification_received);
}

TEST_F(SpeakerTest, StopTellsThePeerWhyAndIsDoneWhenTheSocketsAreClosed) {
  Side left(io, kLeft), right(io, kRight);
  ASSERT_TRUE(right.listen(port));
  ASSERT_TRUE(right.speaker->add_peer(right.toward(kLeft, port)));
  ASSERT_TRUE(left.speaker->add_peer(left.toward(kRight, port)));
  ASSERT_TRUE(run_until([&] { return established(left) && established(right); }));
  bool stopped = false;
  left.speaker->stop(Engine::Stop::cease, "going home", [&] { stopped = true; });
  EXPECT_TRUE(run_until([&] { return stopped && !established(right); }, 3s));
  EXPECT_NE(right.speaker->engine().peers().front().last_down_detail.find("going home"), std::string::npos);
}

TEST_F(SpeakerTest, Md5KeysMustAgree) {
  for (const bool agree : {true, false}) {
    Side left(io, kLeft), right(io, kRight);
    PeerOptions toward_right = left.toward(kRight, port);
    PeerOptions toward_left = right.toward(kLeft, port);
    toward_right.md5_key = "secret";
    toward_left.md5_key = agree ? "secret" : "other";
    toward_left.passive = true;
    ASSERT_TRUE(right.listen(port));
    ASSERT_TRUE(right.speaker->add_peer(toward_left));
    ASSERT_TRUE(left.speaker->add_peer(toward_right));
    EXPECT_EQ(run_until([&] { return established(left); }, agree ? 20s : 1s), agree);
    if (agree) continue;
    // The right key, given later, lets the peer in.
    toward_left.md5_key = "secret";
    ASSERT_TRUE(right.speaker->update_peer(right.speaker->engine().peers().front().id, toward_left));
    EXPECT_TRUE(run_until([&] { return established(left); }));
  }
}

/// What the process has in memory now. With AddressSanitizer, which keeps freed memory for a while and finds leaks by
/// itself, always the same.
[[nodiscard]] long resident_kib() {
#if defined(__SANITIZE_ADDRESS__)
  return 0;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
  return 0;
#endif
#endif
  std::ifstream file("/proc/self/statm");
  long pages = 0, resident = 0;
  file >> pages >> resident;
  return resident * ::sysconf(_SC_PAGESIZE) / 1024;
}

TEST_F(SpeakerTest, AThousandLivesLeakNeitherDescriptorsNorMemory) {
  std::size_t descriptors = 0;
  long memory = 0;
  for (int life = 0; life < 1000; ++life) {
    Side left(io, kLeft), right(io, kRight);
    ASSERT_TRUE(right.listen(port));
    ASSERT_TRUE(right.speaker->add_peer(right.toward(kLeft, port)));
    ASSERT_TRUE(left.speaker->add_peer(left.toward(kRight, port)));
    left.speaker->announce(numbered(1), attributes_with());
    ASSERT_TRUE(run_until([&] { return right.recorder.routes.size() == 1; })) << "life " << life;
    left.speaker.reset();
    right.speaker.reset();
    io.restart();
    io.poll();
    if (life != 200) continue;  // Warmed up.
    descriptors = open_descriptors();
    memory = resident_kib();
  }
  EXPECT_EQ(open_descriptors(), descriptors);
  EXPECT_LE(resident_kib() - memory, 1024);
}

TEST_F(SpeakerTest, AHundredThousandPeersComeAndGo) {
  Side left(io, kLeft);
  long descriptors = 0;
  long memory = 0;
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    PeerOptions peer = left.toward(0x7F010001U + i % 5U, port);
    peer.passive = i % 100U != 0;
    const auto id = left.speaker->add_peer(peer);
    ASSERT_TRUE(id);
    if (i % 10U == 0) io.poll();
    left.speaker->remove_peer(*id);
    if (i != 20'000) continue;  // Warmed up.
    descriptors = static_cast<long>(open_descriptors());
    memory = resident_kib();
  }
  io.restart();
  io.poll();
  EXPECT_TRUE(left.speaker->engine().peers().empty());
  EXPECT_LE(static_cast<long>(open_descriptors()), descriptors + 1);
  EXPECT_LE(resident_kib() - memory, 1024);
}

}  // namespace
}  // namespace minibgp
