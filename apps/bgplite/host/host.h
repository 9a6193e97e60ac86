/// Host: what the machine must have so that tunnels carry traffic: sysctls, the MSS clamp, the firewall's door for IKE
/// and ESP. Each item is managed (set, and put back on stop when we changed it), checked (see doctor.h) or ignored.
///
/// Not here: XFRM interfaces and routes (xfrm/, fib/).
#pragma once

#include <apps/bgplite/config/config.h>
#include <apps/bgplite/host/nft.h>
#include <bgp/log.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bgplite::host {

/// One kernel switch and what we want it to be.
struct Sysctl {
  std::string path;    ///< "net/ipv4/ip_forward", under /proc/sys.
  std::string wanted;  ///< "1"
  std::string why;     ///< For the log and for doctor.
  bool operator==(const Sysctl&) const = default;
};

/// The switches `config` asks to be managed, in the order in which they are set. Pure.
[[nodiscard]] std::vector<Sysctl> wanted_sysctls(const Config& config);

/// The nftables script (for `nft -f -`) of our own table "inet bgplite": the MSS clamp of the tunnels. Empty when
/// nothing of it is managed. Pure.
[[nodiscard]] std::string wanted_nft_table(const Config& config);

/// The rules put into the operator's own chain (host.firewall_chain), each tagged with the comment "bgplite". Empty
/// when the firewall is not managed. Pure; `chain` is "inet filter input".
[[nodiscard]] std::vector<std::string> wanted_firewall_rules(const Config& config);

/// Reads or writes one sysctl. The text is without its newline. nullopt / false: errno says why.
[[nodiscard]] std::optional<std::string> read_sysctl(std::string_view path);
[[nodiscard]] bool write_sysctl(std::string_view path, std::string_view value);

/// Sets what is managed and remembers what was there, in a file under the state directory, so that a daemon that
/// crashed still restores on its next stop. Blocking: nft takes about 20 ms.
class Host {
 public:
  Host(std::string state_file, minibgp::LogSink* log);

  /// Before privileges are dropped: afterwards nft can only be run by a process split off before, see nft.h. Does
  /// nothing where `config` asks for nothing of nft.
  void keep_nft(const Config& config);
  /// Idempotent. What fails is logged and returned, one sentence each; the rest is done all the same.
  std::vector<std::string> apply(const Config& config);
  /// Puts back the sysctls that still have our value, takes our table and our tagged rules away.
  std::vector<std::string> restore();

 private:
  struct Saved {
    std::string path, before, ours;
  };
  [[nodiscard]] std::vector<Saved> load() const;
  void save(const std::vector<Saved>& saved, const std::string& chain) const;
  void log(minibgp::LogLevel level, const std::string& line) const;

  std::string state_file_;
  minibgp::LogSink* log_;
  Nft nft_;
};

}  // namespace bgplite::host
