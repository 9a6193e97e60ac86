/// Captures (pcap, pcapng) as TCP streams put together again: segments in order, repeated ones once. IPv4 and IPv6 over
/// Ethernet, PPP, BSD loopback, Linux cooked, netfilter log and raw links.
#pragma once

#include <bgp/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace bgplite::cli {

/// One direction of one TCP connection.
struct FlowKey {
  minibgp::IpAddress source, destination;
  std::uint16_t source_port = 0, destination_port = 0;
  auto operator<=>(const FlowKey&) const = default;
};
[[nodiscard]] FlowKey reversed(const FlowKey& key);

/// "192.0.2.1:179".
[[nodiscard]] std::string end_text(const minibgp::IpAddress& address, std::uint16_t port);

/// What a capture gives, in its order.
struct CaptureSink {
  /// More octets of a flow; `time_us` since 1970 is that of the packet that completed them.
  std::function<void(const FlowKey&, minibgp::Bytes, std::uint64_t time_us)> octets;
  /// A new connection begins on this flow; what came before is over.
  std::function<void(const FlowKey&)> begin;
  /// The capture misses octets of this flow here: what comes next does not continue what came before.
  std::function<void(const FlowKey&)> gap;
};

[[nodiscard]] bool is_capture(minibgp::Bytes file);

/// Reads the whole file. The error says what ends it early; everything before was delivered. `missing` gets one line
/// for each flow with gaps and for each link type that this reader does not know.
[[nodiscard]] std::optional<std::string> read_capture(minibgp::Bytes file, const CaptureSink& sink,
                                                      std::vector<std::string>& missing);

}  // namespace bgplite::cli
