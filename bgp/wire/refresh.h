/// ROUTE-REFRESH (RFC 2918) and its subtypes (RFC 7313).
#pragma once

#include <bgp/messages.h>
#include <bgp/result.h>
#include <bgp/types.h>
#include <bgp/wire/error.h>

#include <vector>

namespace minibgp::wire {

using minibgp::RefreshKind;
using Refresh = RefreshMessage;

/// `body` without header. An ORF request (length above 4, RFC 5291) is read as a plain request. A length error is a
/// ROUTE-REFRESH Message Error (RFC 7313 s.5) for kinds begin and end.
[[nodiscard]] Result<Refresh, MessageError> decode_refresh(Bytes body);
void encode_refresh(Family family, RefreshKind kind, std::vector<std::uint8_t>& out);

}  // namespace minibgp::wire
