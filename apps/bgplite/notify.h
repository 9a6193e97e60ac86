/// sd_notify(3) by hand: a datagram to the socket that systemd names. Linking libsystemd for it would cost a megabyte.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace bgplite {

/// Sends `state` ("READY=1", "STATUS=...", "WATCHDOG=1", "STOPPING=1"). Nothing happens when systemd did not start us.
void notify_systemd(std::string_view state);

/// How often systemd expects WATCHDOG=1 of this process; none when it does not.
[[nodiscard]] std::optional<std::chrono::microseconds> watchdog_interval();

}  // namespace bgplite
