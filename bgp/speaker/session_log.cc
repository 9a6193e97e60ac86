#include <bgp/speaker/session_log.h>
#include <bgp/text.h>

#include <string>

namespace minibgp::speaker {

void SessionLog::log(LogLevel level, const Peering& peering, std::string_view text) const {
  if (sink_ == nullptr || !sink_->wants(level, LogArea::session)) return;
  std::string line = "peer ";
  line += peering.name();
  line += ": ";
  line += text;
  sink_->write(level, LogArea::session, line);
}

void SessionLog::log_withheld(Exporter& exporter, const PeerTable& peers, const Snapshot& snapshot, Time now) const {
  while (const auto report = exporter.next_report(now)) {
    const Peering* const peering = peers.find(report->peer);
    if (peering == nullptr || sink_ == nullptr) continue;
    log(LogLevel::warning, *peering,
        "routes not announced: " + std::to_string(report->count) + ", the first " + to_text(report->first) + ": " +
            to_text(report->why, report->first, snapshot.status(*peering)));
  }
}

}  // namespace minibgp::speaker
