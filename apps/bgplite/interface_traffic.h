/// The packets that an interface has carried, as the kernel counts them.
#pragma once

#include <apps/bgplite/gateway/drill.h>

#include <optional>
#include <string>

namespace bgplite {

/// Nothing: there is no such interface, or it has no counters.
[[nodiscard]] std::optional<TrafficCounters> read_traffic(const std::string& interface);

}  // namespace bgplite
