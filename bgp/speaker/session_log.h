/// SessionLog: the log lines of an engine, each about one peer.
#pragma once

#include <bgp/log.h>
#include <bgp/speaker/export.h>
#include <bgp/speaker/peer_table.h>
#include <bgp/speaker/peering.h>
#include <bgp/speaker/snapshot.h>
#include <bgp/types.h>

#include <string_view>

namespace minibgp::speaker {

class SessionLog {
 public:
  /// `sink` may be null; otherwise it outlives the log.
  explicit SessionLog(LogSink* sink) : sink_(sink) {}

  void log(LogLevel level, const Peering& peering, std::string_view text) const;
  /// What is not announced to peers though it should be, as far as it is time to say so: one line for many routes of a
  /// peer, and not again for a minute.
  void log_withheld(Exporter& exporter, const PeerTable& peers, const Snapshot& snapshot, Time now) const;

 private:
  LogSink* sink_;
};

}  // namespace minibgp::speaker
