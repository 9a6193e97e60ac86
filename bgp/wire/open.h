/// OPEN (RFC 4271 s.4.2) with capabilities (RFC 5492) and extended optional parameters (RFC 9072).
#pragma once

#include <bgp/messages.h>
#include <bgp/result.h>
#include <bgp/types.h>
#include <bgp/wire/error.h>

#include <cstdint>
#include <vector>

namespace minibgp::wire {

using minibgp::Capabilities;
using minibgp::GracefulRestartCapability;
using minibgp::RawCapability;
using Open = OpenMessage;

/// Syntax and the checks that need no configuration: version, hold time 1 or 2, identifier 0, AS 0 (RFC 7607), broken
/// optional parameters. `body` is without the header.
[[nodiscard]] Result<Open, MessageError> decode_open(Bytes body);
/// Appends a whole message. Uses the RFC 9072 form only when the parameters exceed 255 octets.
void encode_open(const Open& open, std::vector<std::uint8_t>& out);

}  // namespace minibgp::wire
