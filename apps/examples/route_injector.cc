// Installs routes from standard input into a kernel table through minibgp::fib, without any BGP. What others flush or
// change comes back by itself; at the end everything is taken out again.
//
//   route_injector TABLE          lines: add PREFIX GATEWAY INTERFACE [GATEWAY INTERFACE]... | del PREFIX
#include <bgp/text.h>
#include <fib/fib.h>

#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/signal_set.hpp>
#include <net/if.h>
#include <unistd.h>

namespace {

using namespace minibgp;

class Injector {
 public:
  Injector(boost::asio::io_context& io, fib::Fib& fib, std::uint32_t table)
      // A copy of the descriptor, because Asio closes what it is given.
      : fib_(fib), table_(table), input_(io, ::dup(STDIN_FILENO)) {
    read();
  }

 private:
  void read() {
    boost::asio::async_read_until(input_, boost::asio::dynamic_buffer(text_), '\n',
                                  [this](const boost::system::error_code& error, std::size_t size) {
                                    if (error) return;  // End of input: the routes stay until a signal.
                                    work(text_.substr(0, size));
                                    text_.erase(0, size);
                                    read();
                                  });
  }
  void work(const std::string& line) {
    std::istringstream words(line);
    std::string verb, text, gateway, interface;
    words >> verb >> text;
    const auto prefix = parse_prefix(text);
    if (!prefix || (verb != "add" && verb != "del")) {
      std::cerr << "route_injector: cannot read: " << line;
      return;
    }
    const fib::RouteKey key{*prefix, table_, fib::kDefaultMetric};
    if (verb == "del") return fib_.remove_route(key);
    std::vector<fib::Via> vias;
    while (words >> gateway >> interface)
      // if_nametoindex() gives 0 for an interface that does not exist.
      vias.push_back({parse_address(gateway).value_or(IpAddress{}), fib::IfIndex{::if_nametoindex(interface.c_str())}});
    fib_.set_route(key, vias);
  }

  fib::Fib& fib_;
  std::uint32_t table_;
  boost::asio::posix::stream_descriptor input_;
  std::string text_;
};

}  // namespace

int main(int count, char** words) {
  if (count < 2) return std::cerr << "usage: route_injector TABLE\n", 2;
  fib::FibOptions options;
  options.table = static_cast<std::uint32_t>(std::strtoul(words[1], nullptr, 10));
  options.on_exit = fib::FibOptions::OnExit::remove;
  options.resolve_via_default = true;

  boost::asio::io_context io;
  fib::FibObserver nobody;
  fib::Fib fib(io, options, nobody);
  if (const auto started = fib.start(); !started) {
    std::cerr << "route_injector: " << started.error().message() << '\n';
    return 1;
  }
  const Injector injector(io, fib, options.table);
  boost::asio::signal_set signals(io, SIGTERM, SIGINT);
  signals.async_wait([&](const boost::system::error_code&, int) { fib.stop([&] { io.stop(); }); });
  io.run();
}
