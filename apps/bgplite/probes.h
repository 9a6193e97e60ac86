/// Probes: the echo probes of the configured tunnels, one EchoProbe for each that asks for one. What they find goes to
/// `feed`, which hands it to the tunnels; nothing is judged here.
///
/// A tunnel that is down for another reason carries no probe: it pauses meanwhile, and when the tunnel is back its
/// target counts as it did before. So the tunnel is used at once, and a target that does not answer is noticed.
#pragma once

#include <apps/bgplite/config/config.h>
#include <apps/bgplite/logging.h>
#include <fib/net/echo.h>
#include <xfrm/tunnels.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>

namespace bgplite {

/// Threads: the io_context's. `io` and `log` outlive it.
class Probes {
 public:
  using Result = minibgp::xfrm::Tunnels::Probe;
  using Feed = std::function<void(std::string_view tunnel, Result result)>;
  Probes(boost::asio::io_context& io, Logging& log, std::uint64_t seed, Feed feed);

  /// What should be. A probe whose target and timing did not change goes on undisturbed.
  void set(const Config& config, const minibgp::xfrm::Tunnels& tunnels);
  void on_tunnel_changed(std::string_view tunnel, minibgp::xfrm::TunnelState state, minibgp::xfrm::Reason reason);

  /// Null: the tunnel has none. Until the next set().
  [[nodiscard]] const minibgp::fib::EchoProbe* find(std::string_view tunnel) const;

 private:
  struct Entry {
    minibgp::fib::EchoTarget target;
    minibgp::fib::ProbeOptions options;
    std::unique_ptr<minibgp::fib::EchoProbe> probe;
    bool paused = false;
  };
  void on_state(const std::string& tunnel, minibgp::fib::ProbeState state);
  void note_tunnel(const std::string& tunnel, Entry& entry, minibgp::xfrm::TunnelState state,
                   minibgp::xfrm::Reason reason);

  boost::asio::io_context& io_;
  Logging& log_;
  std::uint64_t seed_;
  Feed feed_;
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace bgplite
