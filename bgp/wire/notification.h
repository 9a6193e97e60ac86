/// NOTIFICATION (RFC 4271 s.4.5) with the shutdown communication of RFC 9003. Codes are in wire/numbers.h.
#pragma once

#include <bgp/types.h>
#include <bgp/wire/error.h>

#include <string>
#include <string_view>
#include <vector>

namespace minibgp::wire {

/// A NOTIFICATION's body. A body shorter than 2 octets cannot occur: decode_header() refuses it.
[[nodiscard]] MessageError decode_notification(Bytes body);
void encode_notification(const MessageError& error, std::vector<std::uint8_t>& out);

/// Cease with a shutdown communication: cut at 255 octets on a UTF-8 boundary.
[[nodiscard]] MessageError cease(std::uint8_t subcode, std::string_view text);
/// The communication of a Cease, with control characters and invalid UTF-8 escaped; empty when there is none.
[[nodiscard]] std::string shutdown_text(const MessageError& error);
/// "Cease / Administrative Shutdown", for logs; numbers where unknown.
[[nodiscard]] std::string to_text(const MessageError& error);

}  // namespace minibgp::wire
