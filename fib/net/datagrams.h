/// read_datagrams(): what lies in a socket, without a stop of the loop.
#pragma once

#include <bgp/types.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>

#include <sys/socket.h>

namespace minibgp::fib {

/// How many read_datagrams() reads at most: more than a probe remembers.
inline constexpr std::size_t kDatagramsPerTurn = 256;

/// Calls handle(Bytes) for the datagrams that lie in `socket`, at most kDatagramsPerTurn: the rest, and an error that
/// lasts, are found by the next wait for the socket. Longer ones are cut to 512 octets; the view is valid
/// during the call.
template <typename Handle>
void read_datagrams(int socket, Handle handle) {
  std::array<std::uint8_t, 512> buffer{};
  for (std::size_t reads = 0; reads < kDatagramsPerTurn; ++reads) {
    const ssize_t got = ::recv(socket, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (got < 0) continue;  // The error of an earlier request (no route to the target): reading it clears it.
    handle(Bytes{buffer.data(), static_cast<std::size_t>(got)});
  }
}

}  // namespace minibgp::fib
