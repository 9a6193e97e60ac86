/// Metrics as Prometheus text (exposition format 0.0.4): native bgplite_* names, and those of frr_exporter, so that the
/// dashboards people have keep working. docs/operations.md has each name's meaning.
#pragma once

#include <apps/bgplite/daemon.h>
#include <apps/bgplite/life.h>
#include <apps/bgplite/loop_turns.h>

#include <string>

namespace bgplite::metrics {

/// Every series now. The cost is that of the peers and tunnels, not of the routes.
[[nodiscard]] std::string to_text(Daemon& daemon, const Life& life, const LoopTurns& turns, MetricsConfig::Names names);

}  // namespace bgplite::metrics
