/// RestartMarker: remembers, beside the control socket, that this host forwards by routes a bgplite has put into the
/// kernel. A start that finds it is a restart whose forwarding state was preserved (RFC 4724 s.4.1: the R bit), also
/// after kill -9. A reboot empties /run, and with another boot id the file is not believed either.
#pragma once

#include <cstdint>
#include <string>

namespace bgplite {

class RestartMarker {
 public:
  /// `path`: the file. `identity`: what must be the same for the routes to be ours: protocol, table, AS, network
  /// namespace.
  RestartMarker(std::string path, std::string identity);

  /// Whether an earlier run left its routes here.
  [[nodiscard]] bool found() const;
  /// From now on the kernel may hold routes of ours. False: the file cannot be written; errno says why.
  bool set() const;
  void clear() const;

 private:
  [[nodiscard]] std::string contents() const;

  std::string path_;
  std::string identity_;
};

}  // namespace bgplite
