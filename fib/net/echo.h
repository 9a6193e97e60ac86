/// EchoProbe: a Probe with a socket: ICMP echo requests through one interface to one target, IPv4 or IPv6.
///
/// A datagram ICMP socket where net.ipv4.ping_group_range allows it, else a raw one with CAP_NET_RAW; where neither is
/// allowed it does not probe, and says so: a probe that cannot send knows nothing of the tunnel.
#pragma once

#include <bgp/result.h>
#include <bgp/types.h>
#include <fib/liveness/probe.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace boost::asio {
class io_context;
}  // namespace boost::asio

namespace minibgp::fib {

struct EchoTarget {
  IpAddress address;      ///< Of the peer, or of a host behind it.
  std::string interface;  ///< The tunnel's; requests leave there and nowhere else. Required.
  IpAddress source;       ///< Unset: the kernel chooses.
  bool operator==(const EchoTarget&) const = default;
};

/// Threads:  none of its own; create, use and destroy it on the io_context's thread.
/// Lifetime: `io` outlives it; no handler is called after destruction.
class EchoProbe {
 public:
  /// `on_change` is called when the state changes, from the loop. It may call pause() and reset(), and destroy the
  /// probe.
  EchoProbe(boost::asio::io_context& io, const EchoTarget& target, const ProbeOptions& options, std::uint64_t seed,
            std::function<void(ProbeState)> on_change);
  ~EchoProbe();
  EchoProbe(const EchoProbe&) = delete;
  EchoProbe& operator=(const EchoProbe&) = delete;

  [[nodiscard]] ProbeState state() const;
  /// Losses, round trips, since when.
  [[nodiscard]] const Probe& probe() const;
  [[nodiscard]] const EchoTarget& target() const;
  /// Why no requests leave; empty when they do. "interface ipsec0 does not exist", "needs CAP_NET_RAW, or ...".
  [[nodiscard]] const std::string& why_not() const;
  /// Sends nothing until reset(); why_not() says `why`. For a tunnel that is known not to carry anything.
  void pause(std::string why);
  /// The tunnel was made anew, or is there again: see Probe::reset().
  void reset();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace minibgp::fib
