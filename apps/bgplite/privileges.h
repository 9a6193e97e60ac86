/// Privileges: gives up everything but what routing needs. Once, at start, when the sockets that need more are open.
#pragma once

#include <apps/bgplite/config/config.h>
#include <bgp/result.h>

#include <string>
#include <vector>

namespace bgplite {

/// What `config` needs, and what a reload of it may need: CAP_NET_ADMIN for routes and tunnels, CAP_NET_RAW for probes
/// and to bind sockets to a device, which kernels before 5.7 ask it for. CAP_NET_BIND_SERVICE only to listen below port
/// 1024: where to listen takes effect with a start.
[[nodiscard]] std::vector<unsigned> needed_capabilities(const Config& config);

/// Becomes config.user (with its groups; empty: stays who it is) and keeps what is needed, as far as it has it.
/// Children get none of it and cannot gain others. From here on the process leaves no core dump and cannot be traced by
/// its own user: its memory holds keys. The error is a sentence.
[[nodiscard]] minibgp::Result<void, std::string> drop_privileges(const Config& config);

/// Whether the process may change routes.
[[nodiscard]] bool may_administer_network();

}  // namespace bgplite
