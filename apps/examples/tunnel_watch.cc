// The tunnel watcher alone: makes and keeps IPsec tunnels through charon and prints which of them carry traffic, since
// when and why. No BGP, no routes through the tunnels.
//
//   tunnel_watch [--remove-on-exit] [--vici PATH] --tunnel KEY=VALUE[,KEY=VALUE...] ...
//   keys: name if_id address mtu vrf device gateway local local_id remote remote_id psk version proposals esp_proposals
//         local_ts remote_ts group mode; ';' between several addresses or selectors
#include <bgp/text.h>
#include <xfrm/tunnels.h>

#include <charconv>
#include <cstdint>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

namespace {

using namespace minibgp;

class Printer final : public xfrm::TunnelObserver, public LogSink {
 public:
  void on_tunnel_changed(const xfrm::TunnelChange& change) override {
    std::cout << "tunnel " << change.tunnel << ' ' << to_text(change.state) << ": " << to_text(change.reason) << '\n'
              << std::flush;
  }
  void on_follow_changed(const xfrm::FollowChange& change) override {
    std::cout << "group " << change.group << " uses " << change.tunnel << ": " << change.why << '\n' << std::flush;
  }
  bool wants(LogLevel, LogArea) const override { return true; }
  void write(LogLevel, LogArea, std::string_view line) override { std::cout << "log " << line << '\n' << std::flush; }
};

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

/// The whole text, as a number that fits.
template <typename Number>
bool read(const std::string& text, Number& into) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), into);
  return code == std::errc{} && end == text.data() + text.size();
}

/// Fills `tunnel` from one KEY=VALUE; false: there is no such key, or the value is malformed.
bool set(xfrm::TunnelOptions& tunnel, const std::string& key, const std::string& value) {
  xfrm::IkeOptions& ike = tunnel.ike ? *tunnel.ike : tunnel.ike.emplace();
  ike.encap = true;
  if (key == "name") return tunnel.name = value, true;
  if (key == "if_id") return read(value, tunnel.if_id);
  if (key == "mode") return tunnel.mode = value == "policy" ? xfrm::Mode::policy : xfrm::Mode::interface, true;
  if (key == "group") return tunnel.group = value, true;
  if (key == "mtu") return read(value, tunnel.mtu);
  if (key == "vrf") return tunnel.vrf = value, true;
  if (key == "device") return tunnel.underlay.device = value, true;
  if (key == "local") return ike.local_addresses = {value}, true;
  if (key == "local_id") return ike.local_id = value, true;
  if (key == "remote") return ike.remote_addresses = {value}, true;
  if (key == "remote_id") return ike.remote_id = value, true;
  if (key == "psk") return ike.psk_file = value, true;
  if (key == "version") return read(value, ike.version);
  if (key == "proposals") return ike.proposals = value, true;
  if (key == "esp_proposals") return ike.esp_proposals = value, true;
  if (key == "local_ts") return ike.local_ts = split(value, ';'), true;
  if (key == "remote_ts") return ike.remote_ts = split(value, ';'), true;
  if (key == "gateway") {
    const auto gateway = parse_address(value);
    if (gateway) tunnel.underlay.gateway = *gateway;
    return gateway.has_value();
  }
  if (key == "address") {
    for (const std::string& one : split(value, ';')) {
      const auto slash = one.find('/');
      const auto address = parse_address(one.substr(0, slash));
      std::uint8_t length_bits = 0;
      if (!address || slash == std::string::npos || !read(one.substr(slash + 1), length_bits)) return false;
      tunnel.addresses.push_back({*address, length_bits});
    }
    return true;
  }
  return false;
}

}  // namespace

int main(int count, char** words) {
  xfrm::TunnelsOptions options;
  std::vector<xfrm::TunnelOptions> tunnels;
  xfrm::FollowGroup follow{"all", {}};
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    if (word == "--remove-on-exit") {
      options.on_exit = xfrm::TunnelsOptions::OnExit::remove;
    } else if (word == "--vici" && i + 1 < count) {
      options.vici_socket = words[++i];
    } else if (word == "--tunnel" && i + 1 < count) {
      xfrm::TunnelOptions tunnel;
      for (const std::string& pair : split(words[++i], ',')) {
        // Without '=' the whole is the key, and the value is empty.
        const auto equals = std::min(pair.find('='), pair.size() - 1);
        if (!set(tunnel, pair.substr(0, equals), pair.substr(equals + 1))) {
          std::cerr << "tunnel_watch: cannot read '" << pair << "'\n";
          return 2;
        }
      }
      follow.tunnels.push_back(tunnel.name);
      tunnels.push_back(std::move(tunnel));
    } else {
      std::cerr << "tunnel_watch: unknown option " << word << '\n';
      return 2;
    }
  }

  boost::asio::io_context io;
  Printer printer;
  xfrm::Tunnels watcher(io, options, printer, &printer);
  watcher.set_tunnels(tunnels, {follow});
  if (const auto started = watcher.start(); !started) {
    std::cerr << "tunnel_watch: " << started.error().message() << '\n';
    return 1;
  }
  boost::asio::signal_set signals(io, SIGINT, SIGTERM);
  signals.async_wait([&](const boost::system::error_code&, int) { watcher.stop([&] { io.stop(); }); });
  io.run();
}
