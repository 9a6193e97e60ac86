// Announces a prefix while a health check succeeds, withdraws it when the check fails, and drains before it exits: the
// prefix carries GRACEFUL_SHUTDOWN (RFC 8326) for a while, so that others move traffic away before it is gone.
//
//   anycast_announcer LOCAL_AS ROUTER_ID PEER_ADDRESS PEER_AS PREFIX COMMAND [DRAIN_SECONDS]
#include <bgp/speaker.h>
#include <bgp/text.h>

#include <chrono>
#include <cstdlib>
#include <iostream>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace minibgp;
using boost::system::error_code;

class Announcer {
 public:
  Announcer(boost::asio::io_context& io, Speaker& speaker, const Prefix& prefix, const char* command, int drain_s)
      : io_(io), speaker_(speaker), prefix_(prefix), command_(command), drain_s_(drain_s) {
    wait_for_signal();
    check();
  }

 private:
  void check() {
    // A shell of its own for each check, so that one that hangs does not stop the next.
    if (const pid_t child = ::fork(); child == 0) {
      ::execl("/bin/sh", "sh", "-c", command_, nullptr);
      ::_exit(127);
    }
    timer_.expires_after(std::chrono::seconds{1});
    timer_.async_wait([this](const error_code& error) {
      if (!error) check();
    });
  }
  void wait_for_signal() {
    signals_.async_wait([this](const error_code& error, int signal) {
      if (error) return;
      if (signal != SIGCHLD) return drain();
      // Several may have ended: signals of one kind are merged.
      for (int status = 0; ::waitpid(-1, &status, WNOHANG) > 0;) set_healthy(status == 0);
      wait_for_signal();
    });
  }
  void set_healthy(bool healthy) {
    if (healthy == healthy_) return;
    healthy_ = healthy;
    std::cout << (healthy ? "announcing " : "withdrawing ") << to_text(prefix_) << std::endl;
    if (healthy) {
      speaker_.announce(prefix_);
    } else {
      speaker_.withdraw(prefix_);
    }
  }
  void drain() {
    std::cout << "draining" << std::endl;
    if (healthy_) {
      PathAttributes attributes;
      attributes.communities = {kGracefulShutdown};
      speaker_.announce(prefix_, attributes);
    }
    timer_.expires_after(std::chrono::seconds{healthy_ ? drain_s_ : 0});
    timer_.async_wait(
        [this](const error_code&) { speaker_.stop(Engine::Stop::cease, "maintenance", [this] { io_.stop(); }); });
  }

  boost::asio::io_context& io_;
  Speaker& speaker_;
  Prefix prefix_;
  const char* command_;
  int drain_s_;
  bool healthy_ = false;
  boost::asio::steady_timer timer_{io_};
  boost::asio::signal_set signals_{io_, SIGTERM, SIGINT, SIGCHLD};
};

}  // namespace

int main(int count, char** words) {
  const auto usage =
      "usage: anycast_announcer LOCAL_AS ROUTER_ID PEER_ADDRESS PEER_AS PREFIX COMMAND [DRAIN_SECONDS]\n";
  if (count < 7) return std::cerr << usage, 2;
  const auto local_as = parse_asn(words[1]);
  const auto router_id = parse_router_id(words[2]);
  const auto address = parse_address(words[3]);
  const auto peer_as = parse_asn(words[4]);
  const auto prefix = parse_prefix(words[5]);
  if (!local_as || !router_id || !address || !peer_as || !prefix) return std::cerr << usage, 2;

  SpeakerOptions options;
  options.asn = *local_as;
  options.router_id = *router_id;
  PeerOptions peer;
  peer.address = *address;
  peer.remote_as = *peer_as;
  peer.families = {prefix->family == Family::ipv4, prefix->family == Family::ipv6};
  peer.export_policy = Policy::accept_all();  // Nothing is imported: no import policy means reject (RFC 8212).

  boost::asio::io_context io;
  Observer nobody;
  Speaker speaker(io, options, nobody);
  if (!speaker.add_peer(peer)) return std::cerr << "anycast_announcer: the peer was refused\n", 1;
  const Announcer announcer(io, speaker, *prefix, words[6], count > 7 ? std::atoi(words[7]) : 5);
  io.run();
}
