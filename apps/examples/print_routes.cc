// Connects to one peer, prints every route it tells, and exits after End-of-RIB.
//
//   print_routes LOCAL_AS ROUTER_ID PEER_ADDRESS PEER_AS [PORT]
#include <bgp/speaker.h>
#include <bgp/text.h>

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <span>
#include <string>

#include <boost/asio/io_context.hpp>

namespace {

using namespace minibgp;

class Printer : public Observer {
 public:
  explicit Printer(boost::asio::io_context& io) : io_(io) {}
  void watch(const Speaker& speaker) { speaker_ = &speaker; }

  void on_best_changed(std::span<const BestChange> changes) override {
    for (const BestChange& change : changes) {
      RouteFilter filter;
      filter.prefix = change.prefix;
      // Looked up in the table, since a change tells only paths in use.
      for (const PathSnapshot& path : speaker_->engine().routes(filter)) {
        std::cout << to_text(path.prefix) << " next hop " << to_text(path.received.next_hop.address) << " path "
                  << to_text(path.received.as_path) << '\n';
      }
      if (change.paths.empty()) std::cout << to_text(change.prefix) << " withdrawn\n";
    }
  }
  void on_peer_changed(const PeerChanged& changed) override {
    std::cerr << "session " << to_text(changed.to) << '\n';
    if (changed.reason != DownReason::none) std::cerr << "  because: " << to_text(changed.reason) << '\n';
  }
  void on_end_of_rib(const EndOfRib& end) override {
    std::cout << "end of " << to_text(end.family) << " routes\n";
    // End-of-RIB comes for each family.
    if (--families_ == 0) io_.stop();
  }

 private:
  boost::asio::io_context& io_;
  const Speaker* speaker_ = nullptr;
  int families_ = 2;  // Both are asked for below.
};

}  // namespace

int main(int count, char** words) {
  if (count < 5) {
    std::cerr << "usage: print_routes LOCAL_AS ROUTER_ID PEER_ADDRESS PEER_AS [PORT]\n";
    return 2;
  }
  const auto local_as = parse_asn(words[1]);
  const auto router_id = parse_router_id(words[2]);
  const auto address = parse_address(words[3]);
  const auto peer_as = parse_asn(words[4]);
  if (!local_as || !router_id || !address || !peer_as) {
    std::cerr << "print_routes: an AS number or address cannot be read\n";
    return 2;
  }

  SpeakerOptions options;
  options.asn = *local_as;
  options.router_id = *router_id;
  PeerOptions peer;
  peer.address = *address;
  peer.remote_as = *peer_as;
  peer.families = {true, true};
  peer.import_policy = Policy::accept_all();  // Without it an eBGP peer's routes are refused (RFC 8212).
  if (count > 5) peer.port = static_cast<std::uint16_t>(std::strtoul(words[5], nullptr, 10));

  boost::asio::io_context io;
  Printer printer(io);
  Speaker speaker(io, options, printer);  // No listen(): this one only dials.
  printer.watch(speaker);
  if (!speaker.add_peer(peer)) return 1;
  io.run();
}
