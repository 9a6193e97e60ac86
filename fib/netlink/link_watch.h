/// Links and addresses: rtnetlink messages -> the values fib/ knows. libnl is not asked: it copies each message, and
/// of a link it keeps a hundred fields where we need three.
#pragma once

#include <fib/kernel_port.h>
#include <fib/netlink/message.h>

#include <optional>
#include <variant>

namespace minibgp::netlink {

/// What an RTM_NEWLINK, RTM_DELLINK, RTM_NEWADDR or RTM_DELADDR says; nothing for other messages, for those about a
/// bridge's ports (they are of another family and say nothing of the link itself), and for malformed ones.
[[nodiscard]] std::optional<std::variant<fib::LinkEvent, fib::AddressEvent>> parse_link_event(const Message& message);

}  // namespace minibgp::netlink
