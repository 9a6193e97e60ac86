/// Privileges: gives up everything but what routing needs. Once, at start, when the sockets that need more are open.
#pragma once

#include <bgp/result.h>

#include <string>

namespace bgplite {

/// Becomes `user` (with its groups; empty: stays who it is) and keeps CAP_NET_ADMIN (routes, interfaces),
/// CAP_NET_BIND_SERVICE (port 179) and CAP_NET_RAW (SO_BINDTODEVICE, echo probes), as far as it has them. Children get
/// none of them and cannot gain others. The error is a sentence.
[[nodiscard]] minibgp::Result<void, std::string> drop_privileges(const std::string& user);

/// Whether the process may change routes.
[[nodiscard]] bool may_administer_network();

}  // namespace bgplite
