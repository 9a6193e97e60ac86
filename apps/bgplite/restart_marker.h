/// RestartMarker: remembers, beside the control socket, that this host forwards by routes a bgplite has put into the
/// kernel. A start that finds it is a restart whose forwarding state was preserved (RFC 4724 s.4.1: the R bit), also
/// after kill -9. A reboot empties /run, and with another boot id the file is not believed either.
#pragma once

#include <apps/bgplite/config/config.h>

#include <string>

namespace bgplite {

class RestartMarker {
 public:
  /// Of the instance that has this control socket, AS, table and protocol.
  explicit RestartMarker(const Config& config);

  /// Whether an earlier run left its routes here.
  [[nodiscard]] bool found() const;
  /// From now on the kernel may hold routes of ours. False: the file cannot be written; errno says why.
  bool set() const;
  void clear() const;

 private:
  [[nodiscard]] std::string contents() const;

  std::string path_;
  std::string identity_;  ///< What must be the same for the routes to be ours, besides the network namespace.
};

}  // namespace bgplite
