/// What a broken message costs, as values (RFC 4271 s.6, RFC 7606).
#pragma once

#include <bgp/messages.h>
#include <bgp/types.h>

#include <cstdint>
#include <vector>

namespace minibgp::wire {

/// What one bad attribute costs the peer. Ordered: larger is worse (RFC 7606 s.2).
enum class Severity : std::uint8_t { none, attribute_discard, treat_as_withdraw, session_reset };

/// A NOTIFICATION to be: code, subcode (wire/numbers.h) and its data.
using MessageError = NotificationMessage;

/// One finding about one attribute.
struct AttrError {
  Severity severity = Severity::none;
  std::uint8_t subcode = 0;  ///< Of UPDATE Message Error, should it come to session_reset (RFC 4271 s.6.3).
  std::uint8_t type = 0;     ///< The attribute.
  std::uint32_t offset = 0;  ///< Of the attribute in the message body.
  const char* what = "";     ///< For logs and `bgplite decode`; static storage.
};

}  // namespace minibgp::wire
