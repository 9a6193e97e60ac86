/// The 19-octet header of every BGP message (RFC 4271 s.4.1): marker, length, type.
#pragma once

#include <bgp/result.h>
#include <bgp/types.h>
#include <bgp/wire/error.h>

#include <cstdint>
#include <vector>

namespace minibgp::wire {

enum class MessageType : std::uint8_t { open = 1, update = 2, notification = 3, keepalive = 4, route_refresh = 5 };

inline constexpr std::size_t kHeaderSize = 19;
inline constexpr std::size_t kMaxMessage = 4096;
/// What we send at most where extended messages were negotiated: FRR 8.4 agrees to 65 535 octets, but reads through a
/// ring of 40 960 and never gets past a longer message; its hold timer then ends the session.
inline constexpr std::size_t kMaxSentMessage = 32768;
inline constexpr std::size_t kMaxExtendedMessage = 65535;  ///< RFC 8654; OPEN and KEEPALIVE stay at 4096.

struct Header {
  std::uint16_t length = 0;  ///< Of the whole message.
  MessageType type{};
};

/// Reads and judges the header of `bytes` (at least kHeaderSize): marker, length against the type's minimum and
/// `max_message`, known type. The error is a ready Message Header Error (RFC 4271 s.6.1).
[[nodiscard]] Result<Header, MessageError> decode_header(Bytes bytes, std::size_t max_message);

/// Appends a header whose length is patched by end_message().
[[nodiscard]] std::size_t begin_message(MessageType type, std::vector<std::uint8_t>& out);
void end_message(std::size_t begin, std::vector<std::uint8_t>& out);
/// Appends a whole KEEPALIVE.
void encode_keepalive(std::vector<std::uint8_t>& out);

}  // namespace minibgp::wire
