/// Journal: log lines as records of systemd's journal, so that `journalctl BGPLITE_PEER=192.0.2.1` finds them by field.
/// The native protocol is a datagram of FIELD=value lines (systemd.io/JOURNAL_NATIVE_PROTOCOL); no library is needed.
#pragma once

#include <bgp/log.h>

#include <string>
#include <string_view>

namespace bgplite {

/// What a line is about, by its first words: "peer 192.0.2.1: ..." or "tunnel ipsec0: ...". Views of the line.
struct LogSubject {
  std::string_view peer, tunnel;
};
[[nodiscard]] LogSubject subject_of(std::string_view line);

/// One record: MESSAGE, PRIORITY, SYSLOG_IDENTIFIER, BGPLITE_AREA and, where known, BGPLITE_PEER or BGPLITE_TUNNEL.
[[nodiscard]] std::string journal_record(minibgp::LogLevel level, minibgp::LogArea area, std::string_view line);

class Journal {
 public:
  Journal() = default;
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// False: there is no journal at `socket`.
  bool open(const std::string& socket);
  /// False: it was not taken; the line has to go elsewhere. Never waits.
  bool send(std::string_view record);

 private:
  int fd_ = -1;
};

}  // namespace bgplite
