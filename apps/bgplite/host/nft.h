/// Nft: runs nft for a daemon that can start no program any more. A process of its own, split off before privileges are
/// dropped, with CAP_NET_ADMIN and nothing else; it runs nft, only when asked over a socket that nobody else has, and
/// ends with the daemon, however that ends. It adds nothing to what the daemon itself may do to the firewall: that has
/// CAP_NET_ADMIN too.
#pragma once

#include <apps/bgplite/host/command.h>

#include <string>
#include <string_view>
#include <vector>

namespace bgplite::host {

class Nft {
 public:
  Nft() = default;
  Nft(const Nft&) = delete;
  Nft& operator=(const Nft&) = delete;
  ~Nft();  ///< The process ends.

  /// Splits the process off. Where that fails, or was never done, run() starts nft itself.
  void start();

  /// nft with `words`, and `script` on its standard input. Blocking, bounded as run_command() is.
  [[nodiscard]] Finished run(const std::vector<std::string>& words, std::string_view script = {}) const;

 private:
  int socket_ = -1;
};

}  // namespace bgplite::host
