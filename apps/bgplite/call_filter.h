/// The filter of system calls: what the daemon may ask of the kernel once it runs. A list of what it needs; everything
/// else is refused with EPERM and, where auditing is on, a line in the kernel's log.
///
/// Refused and not killed: a call that a newer C library makes on its way gets the error it is prepared for, and
/// routing goes on. To somebody who has taken the process over the two are the same: there is no way to another
/// program, to executable memory, to another process, to mounts, namespaces, modules, keys or BPF.
///
/// Not here: capabilities (privileges.h), and what systemd's unit filters from outside.
#pragma once

#include <bgp/result.h>

#include <string>

namespace bgplite {

/// For all threads of the process and for good. Children inherit it, and none can be started: what runs nft
/// (host/nft.h) was split off before. The error is a sentence; nothing is filtered then.
[[nodiscard]] minibgp::Result<void, std::string> filter_system_calls();

}  // namespace bgplite
